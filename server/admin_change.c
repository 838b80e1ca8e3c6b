/*
 * The proof that every change of a flag passes, by whatever route it comes: a whole flag, one domain
 * rule, promotion, archive and restore; of every environment in which it is seen.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "flags/diff.h"
#include "flags/parts.h"
#include "flags/reweigh.h"
#include "flags/world.h"
#include "server/admin_domains.h"
#include "server/view.h"

bool admin_is_everywhere(const struct call *call)
{
    return call->who.environment[0] == '\0' || stores_count(call->app->stores) == 1;
}

/* What is the same everywhere is nobody's who has a say in one place alone. False: answered. */
static bool may_change_shared(struct call *call, const char *what)
{
    if (admin_is_everywhere(call)) {
        return true;
    }
    answer_problem(call, 403, err_code_name(ERR_DENIED),
                   "%s in all environments, and this token is for '%s' alone", what,
                   call->who.environment);
    return false;
}

/* One flag of an environment, as it would be there, against its ties. False: answered. */
static bool schema_bears(struct call *call, struct view *view, const char *key,
                         const struct json *before, const struct json *after)
{
    const struct store *store = view->store;
    struct coupling_change change = {
        .before = before, .after = after, .world = &view->world, .now_ms = clock_wall_ms()};
    struct coupling_refusal why, named;
    enum err_code rc;

    change.ties = store_ties(store, key, &change.tie_count);
    rc = coupling_check(&change, &why);
    if (rc == ERR_OK) {
        return true;
    }
    if (store != call->store) {
        named = why;
        snprintf(why.detail, sizeof why.detail, "in environment %s %.1100s",
                 store_environment(store), named.detail);
    }
    admin_name_environment(call, store, &why);
    answer_refusal(call, rc, &why);
    return false;
}

/* ---- what else answers by it ---- */

/* Before a proof that goes through every flag: nothing differs, so nobody is touched. */
static bool changes_nothing(const struct view *view)
{
    const struct store_flag *now =
        view->flag_key != NULL ? store_find(view->store, view->flag_key) : NULL;

    return !view->piece_set && now != NULL && view->flag != NULL &&
           !flag_answers_differ(now->document, view->flag);
}

static bool one_bears(struct call *call, struct view *view, const struct store_flag *flag)
{
    const struct json *after = view_flag(view, flag->key);
    bool elsewhere = view->store != call->store;
    struct err err = {0};

    if (flag_check_in(after, &view->world, &err) == ERR_OK) {
        return schema_bears(call, view, flag->key, flag->document, after);
    }
    answer_problem(call, 409, err_code_name(ERR_CONFLICT), "%s%s%sflag '%s' needs it as it is: %s",
                   elsewhere ? "in environment " : "",
                   elsewhere ? store_environment(view->store) : "", elsewhere ? " " : "", flag->key,
                   err.msg);
    return false;
}

bool admin_others_bear(struct call *call, struct view *view, bool **out)
{
    struct err err = {0};
    bool *touched = changes_nothing(view) ? calloc(store_flag_count(view->store) + 1, sizeof(bool))
                                          : view_touched(view, &err);
    bool borne = touched != NULL;

    if (touched == NULL) {
        answer_json(call, 503, NULL);
    }
    for (size_t i = 0; borne && i < store_flag_count(view->store); i++) {
        borne = !touched[i] || one_bears(call, view, store_flag_at(view->store, i));
    }
    if (borne && out != NULL) {
        *out = touched;
    } else {
        free(touched);
    }
    return borne;
}

/* The flag of an environment as it would be there (NULL: archived), and all that answers by it. */
static bool environment_bears(struct call *call, const struct store *store,
                              const struct store_flag *flag, const char *key,
                              const struct json *after)
{
    struct view view = {.store = store};
    bool borne;

    view_set_flag(&view, key, after);
    if (view_open(&view, NULL) != ERR_OK) {
        answer_json(call, 503, NULL);
        return false;
    }
    borne = schema_bears(call, &view, key, flag != NULL ? flag->document : NULL,
                         after != NULL ? view_flag(&view, key) : NULL) &&
            admin_others_bear(call, &view, NULL);
    view_close(&view);
    return borne;
}

/* Whether the document is one, where it would be. */
static enum err_code check_there(const struct store *store, const char *key,
                                 const struct json *flag, struct err *err)
{
    struct view view = {.store = store};
    enum err_code rc;

    view_set_flag(&view, key, flag);
    rc = view_open(&view, err);
    if (rc == ERR_OK) {
        rc = flag_check_in(view_flag(&view, key), &view.world, err);
        view_close(&view);
    }
    return rc;
}

/* ---- one flag, as the call's environment would have it ---- */

static bool is_itself(struct call *call, const struct store_flag *flag, const struct json *after)
{
    const char *type = json_get_text(flag->document, "type", "");

    if (strcmp(json_get_text(after, "key", ""), flag->key) != 0) {
        answer_problem(call, 400, err_code_name(ERR_INVALID),
                       "key: must be '%s', as in the path: a flag keeps its key", flag->key);
        return false;
    }
    if (strcmp(json_get_text(after, "type", ""), type) != 0) {
        answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                       "type: a flag keeps its type (%s): clients are built for it", type);
        return false;
    }
    return true;
}

static const struct json *split_at_fallthrough(const struct json *flag)
{
    const struct json *serve = json_get(flag, "fallthrough"), *split = json_get(serve, "split");

    return split != NULL ? split : json_get(json_get(serve, "ramp"), "split");
}

static bool may_reassign(struct call *call, const struct store_flag *flag, const struct json *after)
{
    const char *reassign = http_query(call->request, "reassign");
    char share[80] = "";
    double moved;

    if (!flag_reassigns(flag->document, after) ||
        (reassign != NULL && strcmp(reassign, "true") == 0)) {
        return true;
    }
    moved = split_moved(split_at_fallthrough(flag->document), split_at_fallthrough(after));
    if (moved > 0) {
        snprintf(share, sizeof share, " (%g %% of those who get to the fall-through)", moved);
    }
    answer_problem(
        call, 409, err_code_name(ERR_CONFLICT),
        "this change (salt, bucket_by or split weights) gives subjects%s other "
        "variants than they have: repeat it with ?reassign=true (flags: --reassign) if that "
        "is meant",
        share);
    return false;
}

/* ---- the others ---- */

/* What another environment makes of a new shared half: rules there may name a variant that is gone. */
static bool others_bear(struct call *call, const struct store_flag *flag, const struct json *after)
{
    struct stores *all = call->app->stores;
    bool borne = true;

    for (size_t i = 0; borne && i < stores_count(all); i++) {
        const struct store *store = stores_at(all, i);
        const struct store_flag *there = store_find_any(store, flag->key);
        struct json *joined = after != NULL ? flag_join(after, there->document) : NULL;
        struct err err = {0};

        if (store != call->store) {
            if (after != NULL && check_there(store, flag->key, joined, &err) != ERR_OK) {
                answer_problem(call, 409, err_code_name(ERR_CONFLICT), "in environment %s %s",
                               store_environment(store), err.msg);
                borne = false;
            } else {
                borne = environment_bears(call, store, there, flag->key, joined);
            }
        }
        json_free(joined);
    }
    return borne;
}

bool admin_may_change(struct call *call, const struct store_flag *flag, const struct json *after)
{
    const char *key = flag != NULL ? flag->key : json_get_text(after, "key", "");
    struct err err = {0};

    if (after == NULL) {
        return flag != NULL && may_change_shared(call, "a flag is archived") &&
               environment_bears(call, call->store, flag, key, NULL) &&
               others_bear(call, flag, NULL);
    }
    if (flag != NULL && flag->archived) {
        if (!may_change_shared(call, "a flag is restored")) {
            return false;
        }
    } else if (flag != NULL && !is_itself(call, flag, after)) {
        return false;
    }
    if (check_there(call->store, key, after, &err) != ERR_OK) {
        answer_error(call, &err);
        return false;
    }
    if (!admin_domains_may(call, flag, after)) {
        return false;
    }
    if (flag != NULL && !flag->archived && !may_reassign(call, flag, after)) {
        return false;
    }
    if (!environment_bears(call, call->store, flag, key, after)) {
        return false;
    }
    if (flag == NULL || (!flag->archived && !flag_shared_differs(flag->document, after))) {
        return true;
    }
    return (flag->archived ||
            may_change_shared(call, "its words, variants, salts and bucket_by are the same")) &&
           others_bear(call, flag, after);
}
