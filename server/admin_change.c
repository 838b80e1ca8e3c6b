/*
 * The proof that every change of a flag passes, by whatever route it comes: a whole flag, one domain
 * rule, promotion, archive and restore; of every environment in which it is seen.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "flags/diff.h"
#include "flags/parts.h"
#include "flags/ruleset.h"
#include "server/admin.h"

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

/* The flag in one environment against its ties there. False: answered. */
static bool schema_bears(struct call *call, const struct store *store,
                         const struct store_flag *flag, const struct json *after)
{
    struct coupling_change change = {
        .before = flag != NULL ? flag->document : NULL, .after = after, .now_ms = clock_wall_ms()};
    struct coupling_refusal why, named;
    enum err_code rc;

    change.ties = store_ties(store, flag != NULL ? flag->key : json_get_text(after, "key", ""),
                             &change.tie_count);
    rc = coupling_check(&change, &why);
    if (rc == ERR_OK) {
        return true;
    }
    if (store != call->store) {
        named = why;
        snprintf(why.detail, sizeof why.detail, "in environment %s %.1100s",
                 store_environment(store), named.detail);
    }
    answer_refusal(call, rc, &why);
    return false;
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

static bool may_reassign(struct call *call, const struct store_flag *flag, const struct json *after)
{
    const char *reassign = http_query(call->request, "reassign");

    if (!flag_reassigns(flag->document, after) ||
        (reassign != NULL && strcmp(reassign, "true") == 0)) {
        return true;
    }
    answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                   "this change (salt, bucket_by or split weights) gives subjects other "
                   "variants than they have: repeat it with ?reassign=true if that is meant");
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
            if (after != NULL && flag_check(joined, &err) != ERR_OK) {
                answer_problem(call, 409, err_code_name(ERR_CONFLICT), "in environment %s %s",
                               store_environment(store), err.msg);
                borne = false;
            } else {
                borne = schema_bears(call, store, there, joined);
            }
        }
        json_free(joined);
    }
    return borne;
}

bool admin_may_change(struct call *call, const struct store_flag *flag, const struct json *after)
{
    struct err err = {0};

    if (after == NULL) {
        return may_change_shared(call, "a flag is archived") &&
               schema_bears(call, call->store, flag, NULL) && others_bear(call, flag, NULL);
    }
    if (flag == NULL) {
        if (flag_check(after, &err) != ERR_OK) {
            answer_error(call, &err);
            return false;
        }
        return schema_bears(call, call->store, NULL, after);
    }
    if (flag->archived) {
        return may_change_shared(call, "a flag is restored") &&
               schema_bears(call, call->store, flag, after) && others_bear(call, flag, after);
    }
    if (!is_itself(call, flag, after)) {
        return false;
    }
    if (flag_check(after, &err) != ERR_OK) {
        answer_error(call, &err);
        return false;
    }
    if (!may_reassign(call, flag, after) || !schema_bears(call, call->store, flag, after)) {
        return false;
    }
    return !flag_shared_differs(flag->document, after) ||
           (may_change_shared(call, "its words, variants, salts and bucket_by are the same") &&
            others_bear(call, flag, after));
}
