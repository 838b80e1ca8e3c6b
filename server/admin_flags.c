/*
 * Flags over the administration API.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "flags/diff.h"
#include "flags/evaluate.h"
#include "server/admin.h"
#include "server/route.h"

void flags_list(struct call *call)
{
    struct store *store = call->app->store;
    struct json *out = json_object();
    struct json *flags = json_array();

    json_put_text(out, "environment", store_environment(store));
    json_put_number(out, "epoch", (double)store_epoch(store));
    json_put_number(out, "revision", (double)store_revision(store));
    for (size_t i = 0; i < store_flag_count(store); i++) {
        const struct store_flag *flag = store_flag_at(store, i);
        struct json *one;

        if (!flag->archived) {
            one = store_flag_json(store, flag);
            json_put_number(one, "version", (double)flag->version);
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
    json_remove(body, "tie"); /* the server's own, as the version is */
    json_remove(body, "version");
    if (!known_type(call, json_get(body, "type"))) {
        json_free(body);
        return;
    }
    if (flag_complete(body, &err) != ERR_OK || flag_check(body, &err) != ERR_OK) {
        answer_error(call, &err);
        json_free(body);
        return;
    }
    key = json_get_text(body, "key", "");
    if (store_put_flag(call->app->store, &who, body, 0, true, &err) != ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        admin_changed(call, "flag-created", key);
        admin_answer_flag(call, 201, store_find(call->app->store, key));
    }
    json_free(body);
}

/* A whole flag may leave out what only the server makes. */
static void keep_salts(struct json *flag, const struct json *stored)
{
    static const char *const members[] = {"salt", "split_salt"};

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (json_get(flag, members[i]) == NULL && json_get(stored, members[i]) != NULL) {
            json_put(flag, members[i], json_copy(json_get(stored, members[i])));
        }
    }
}

/* Whether what clients are answered may differ: words about a flag do not. */
static bool answers_differ(const struct json *before, const struct json *after)
{
    struct json *a = json_copy(before);
    struct json *b = json_copy(after);
    bool differ;

    json_remove(a, "description");
    json_remove(b, "description");
    json_remove(a, "tags");
    json_remove(b, "tags");
    differ = a == NULL || b == NULL || !json_equal(a, b);
    json_free(a);
    json_free(b);
    return differ;
}

/* Everything that a changed flag must pass but its version. False: answered. */
static bool may_replace(struct call *call, const struct store_flag *flag, const struct json *body)
{
    const char *reassign = http_query(call->request, "reassign");
    struct coupling_change change = {
        .before = flag->document, .after = body, .now_ms = clock_wall_ms()};
    struct coupling_refusal why;
    struct err err = {0};
    enum err_code rc;

    if (strcmp(json_get_text(body, "key", ""), flag->key) != 0) {
        answer_problem(call, 400, err_code_name(ERR_INVALID),
                       "key: must be '%s', as in the path: a flag keeps its key", flag->key);
        return false;
    }
    if (strcmp(json_get_text(body, "type", ""), json_get_text(flag->document, "type", "")) != 0) {
        answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                       "type: a flag keeps its type (%s): clients are built for it",
                       json_get_text(flag->document, "type", ""));
        return false;
    }
    if (flag_check(body, &err) != ERR_OK) {
        answer_error(call, &err);
        return false;
    }
    if (flag_reassigns(flag->document, body) &&
        (reassign == NULL || strcmp(reassign, "true") != 0)) {
        answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                       "this change (salt, bucket_by or split weights) gives subjects other "
                       "variants than they have: repeat it with ?reassign=true if that is meant");
        return false;
    }
    change.ties = store_ties(call->app->store, flag->key, &change.tie_count);
    rc = coupling_check(&change, &why);
    if (rc != ERR_OK) {
        answer_refusal(call, rc, &why);
        return false;
    }
    return true;
}

/* Stores body over the flag if it may, and answers with the flag as it is then. */
static void replace(struct call *call, const struct store_flag *flag, const struct json *body)
{
    struct store_actor who = call_actor(call);
    const char *key = json_get_text(body, "key", "");
    struct err err = {0};

    if (!may_replace(call, flag, body)) {
        return;
    }
    if (json_equal(flag->document, body)) {
        admin_answer_flag(call, 200, flag); /* nothing changes, not even the version */
    } else if (store_put_flag(call->app->store, &who, body, flag->version,
                              answers_differ(flag->document, body), &err) != ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        admin_changed(call, "flag-changed", key);
        admin_answer_flag(call, 200, store_find(call->app->store, key));
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
    json_remove(body, "tie");
    json_remove(body, "version");
    keep_salts(body, flag->document);
    replace(call, flag, body);
    json_free(body);
}

void flags_drop_domain(struct call *call)
{
    const struct store_flag *flag = admin_flag(call);
    const char *spelt;
    struct json *body;

    if (flag == NULL || !admin_if_match(call, flag)) {
        return;
    }
    spelt = flag_find_domain(flag->document, call->params[1]);
    if (spelt == NULL) {
        answer_problem(call, 404, err_code_name(ERR_NOT_FOUND),
                       "flag '%s' has no domain rule for '%.128s'", flag->key, call->params[1]);
        return;
    }
    body = json_copy(flag->document);
    if (body == NULL) {
        answer_json(call, 503, NULL);
        return;
    }
    json_remove(json_get(body, "domains"), spelt);
    replace(call, flag, body);
    json_free(body);
}

void flags_archive(struct call *call)
{
    struct store_actor who = call_actor(call);
    const struct store_flag *flag = admin_flag(call);
    struct coupling_change change = {.before = NULL, .after = NULL, .now_ms = clock_wall_ms()};
    struct coupling_refusal why;
    struct err err = {0};
    enum err_code rc;

    if (flag == NULL || !admin_if_match(call, flag)) {
        return;
    }
    change.before = flag->document;
    change.ties = store_ties(call->app->store, flag->key, &change.tie_count);
    rc = coupling_check(&change, &why);
    if (rc != ERR_OK) {
        answer_refusal(call, rc, &why);
    } else if (store_archive_flag(call->app->store, &who, flag->key, flag->version, &err) !=
               ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        admin_changed(call, "flag-archived", call->params[0]);
        answer_empty(call, 204);
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
    rules = live_enter(call->app->live, &ticket);
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
    live_leave(call->app->live, &ticket);
    json_free(body);
}
