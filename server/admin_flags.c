/*
 * Flags over the administration API.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "flags/evaluate.h"
#include "flags/reweigh.h"
#include "server/admin.h"
#include "server/route.h"
#include "server/view.h"

void flags_list(struct call *call)
{
    struct store *store = call->store;
    const char *which = http_query(call->request, "archived");
    bool archived = which != NULL && strcmp(which, "true") == 0;
    struct json *out = json_object();
    struct json *flags = json_array();

    json_put_text(out, "environment", store_environment(store));
    json_put_number(out, "epoch", (double)store_epoch(store));
    json_put_number(out, "revision", (double)store_revision(store));
    for (size_t i = 0; i < store_flag_count(store); i++) {
        const struct store_flag *flag = store_flag_at(store, i);
        char at[CLOCK_TEXT_BYTES];
        struct json *one;

        if (flag->archived == archived) {
            one = store_flag_json(store, flag);
            json_put_number(one, "version", (double)flag->version);
            if (archived) {
                json_put_text(one, "archived", clock_text(flag->archived_ms, at));
            }
            json_append(flags, one);
        }
    }
    json_put(out, "flags", flags);
    answer_json(call, 200, out);
}

void flags_show(struct call *call)
{
    const struct store_flag *flag = admin_flag(call);

    if (flag != NULL) {
        admin_answer_flag(call, 200, flag);
    }
}

/* Asked before a draft is completed, which goes by the type. False: answered. */
static bool known_type(struct call *call, const struct json *type)
{
    const char *text = json_text(type);

    for (int i = FLAG_BOOLEAN; i <= FLAG_OBJECT && text != NULL; i++) {
        if (strcmp(flag_type_name((enum flag_type)i), text) == 0) {
            return true;
        }
    }
    if (type != NULL) {
        answer_problem(call, 400, err_code_name(ERR_INVALID),
                       "type: must be boolean, string, number or object");
    }
    return type == NULL;
}

void flags_create(struct call *call)
{
    struct store_actor who = call_actor(call);
    struct json *body = answer_body(call);
    struct err err = {0};
    const char *key;

    if (body == NULL) {
        return;
    }
    view_strip(body);
    if (!known_type(call, json_get(body, "type"))) {
        json_free(body);
        return;
    }
    if (flag_complete(body, &err) != ERR_OK) {
        answer_error(call, &err);
        json_free(body);
        return;
    }
    if (!admin_may_change(call, NULL, body)) {
        json_free(body);
        return;
    }
    key = json_get_text(body, "key", "");
    if (store_put_flag(call->store, &who, NULL, body, 0, &err) != ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        admin_changed(call, "flag-created", key);
        admin_answer_flag(call, 201, store_find(call->store, key));
    }
    json_free(body);
}

void admin_keep_salts(struct json *flag, const struct json *stored)
{
    static const char *const members[] = {"salt", "split_salt"};

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (json_get(flag, members[i]) == NULL && json_get(stored, members[i]) != NULL) {
            json_put(flag, members[i], json_copy(json_get(stored, members[i])));
        }
    }
}

void admin_replace_flag(struct call *call, const struct store_flag *flag, const struct json *body,
                        const char *action)
{
    struct store_actor who = call_actor(call);
    const char *key = json_get_text(body, "key", "");
    struct err err = {0};

    if (!admin_may_change(call, flag, body)) {
        return;
    }
    if (json_equal(flag->document, body)) {
        admin_answer_flag(call, 200, flag); /* nothing changes, not even the version */
    } else if (store_put_flag(call->store, &who, action, body, flag->version, &err) != ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        admin_changed(call, "flag-changed", key);
        admin_answer_flag(call, 200, store_find(call->store, key));
    }
}

static bool is_dry_run(struct call *call)
{
    const char *dry = http_query(call->request, "dry_run");

    return dry != NULL && strcmp(dry, "true") == 0;
}

/* The same refusals, and else the flag as it would be. */
static void answer_would_be(struct call *call, const struct store_flag *flag,
                            const struct json *body)
{
    struct json *out;

    if (admin_may_change(call, flag, body)) {
        out = json_copy(body);
        json_put_number(out, "version", (double)flag->version);
        answer_json(call, 200, out);
    }
}

void flags_put(struct call *call)
{
    const struct store_flag *flag = admin_flag(call);
    struct json *body;

    if (flag == NULL || !admin_if_match(call, flag)) {
        return;
    }
    body = answer_body(call);
    if (body == NULL) {
        return;
    }
    view_strip(body);
    admin_keep_salts(body, flag->document);
    if (!flag_keep_ranges(flag->document, body)) {
        json_free(body);
        answer_json(call, 503, NULL);
        return;
    }
    if (is_dry_run(call)) {
        answer_would_be(call, flag, body);
    } else {
        admin_replace_flag(call, flag, body, NULL);
    }
    json_free(body);
}

void flags_archive(struct call *call)
{
    struct store_actor who = call_actor(call);
    const struct store_flag *flag = admin_flag(call);
    struct err err = {0};

    if (flag == NULL || !admin_if_match(call, flag) || !admin_may_change(call, flag, NULL)) {
        return;
    }
    if (store_archive_flag(call->store, &who, flag->key, flag->version, &err) != ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        admin_changed(call, "flag-archived", call->params[0]);
        answer_empty(call, 204);
    }
}

void flags_restore(struct call *call)
{
    struct store_actor who = call_actor(call);
    const struct store_flag *flag = store_find_any(call->store, call->params[0]);
    struct err err = {0};

    if (flag == NULL) {
        (void)admin_flag(call);
        return;
    }
    if (!flag->archived) {
        answer_problem(call, 409, err_code_name(ERR_CONFLICT), "flag '%s' is not archived",
                       flag->key);
        return;
    }
    if (!admin_if_match(call, flag) || !admin_may_change(call, flag, flag->document)) {
        return;
    }
    if (store_restore_flag(call->store, &who, flag->key, flag->version, &err) != ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        admin_changed(call, "flag-restored", call->params[0]);
        admin_answer_flag(call, 200, store_find(call->store, call->params[0]));
    }
}

/* Evaluates as a client would be answered, with every step; from memory, on a loop. */
void flags_evaluate(struct call *call)
{
    struct json *body = answer_body(call);
    struct ruleset_ticket ticket;
    const struct ruleset *rules;
    const struct flag *flag;
    struct context context;
    struct err err = {0};

    if (body == NULL) {
        return;
    }
    rules = live_enter(call->environment->live, &ticket);
    flag = ruleset_find(rules, call->params[0]);
    if (flag == NULL) {
        answer_problem(call, 404, err_code_name(ERR_NOT_FOUND), "no flag '%.128s' is here",
                       call->params[0]);
    } else if (context_init(&context, rules, json_get(body, "context"), clock_wall_ms(), &err) !=
               ERR_OK) {
        answer_error(call, &err);
    } else {
        answer_json(call, 200, evaluate_explain(rules, flag, &context));
        context_fini(&context);
    }
    live_leave(call->environment->live, &ticket);
    json_free(body);
}
