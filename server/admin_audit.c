/*
 * Audit, clients and tokens over the administration API.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "server/admin.h"
#include "server/route.h"

enum { AUDIT_DEFAULT = 50 };

/* A whole number of 1 and up; otherwise where the parameter is absent; -1 after answering 400. */
static int64_t number_query(struct call *call, const char *name, int64_t otherwise)
{
    const char *text = http_query(call->request, name);
    char *end = NULL;
    long long number;

    if (text == NULL) {
        return otherwise;
    }
    number = strtoll(text, &end, 10);
    if (end == text || *end != '\0' || number < 1) {
        answer_problem(call, 400, err_code_name(ERR_INVALID), "%s must be a whole number from 1",
                       name);
        return -1;
    }
    return number;
}

void audit_list(struct call *call)
{
    const char *flag = http_query(call->request, "flag");
    int64_t limit = number_query(call, "limit", AUDIT_DEFAULT);
    int64_t before = limit < 0 ? -1 : number_query(call, "before", 0);
    struct json *out = NULL;
    struct err err = {0};

    if (before < 0) {
        return;
    }
    if (limit > STORE_AUDIT_MAX) {
        answer_problem(call, 400, err_code_name(ERR_INVALID),
                       "limit: at most %d events at once; before=ID (--before ID) gives those that "
                       "are older than the last one shown",
                       STORE_AUDIT_MAX);
        return;
    }
    if (flag != NULL && store_find_any(call->store, flag) == NULL) {
        answer_problem(call, 404, err_code_name(ERR_NOT_FOUND), "no flag '%.128s' is here", flag);
    } else if (store_audit(call->store, flag, limit, before, &out, &err) != ERR_OK) {
        answer_problem(call, 503, err_code_name(err.code), "the audit cannot be read: %s", err.msg);
    } else {
        answer_json(call, 200, out);
    }
}

void clients_list(struct call *call)
{
    struct json *out = clients_json(call->environment->clients);

    json_put_number(out, "epoch", (double)store_epoch(call->store));
    json_put_number(out, "revision", (double)store_revision(call->store));
    answer_json(call, 200, out);
}

/* ---- tokens ---- */

static void list_token(void *ctx, const struct store_token *token)
{
    struct json *one = json_object();
    char created[CLOCK_TEXT_BYTES];

    json_put_text(one, "id", token->id);
    json_put_text(one, "name", token->name);
    json_put_text(one, "role", token->role);
    json_put_text(one, "environment", token->environment != NULL ? token->environment : "*");
    json_put_text(one, "created", clock_text(token->created_ms, created));
    json_append(ctx, one);
}

void tokens_list(struct call *call)
{
    struct json *out = json_object();
    struct json *list = json_array();
    struct err err = {0};

    if (stores_each_token(call->app->stores, list_token, list, &err) != ERR_OK) {
        answer_problem(call, 503, err_code_name(err.code), "the tokens cannot be read: %s",
                       err.msg);
        json_free(out);
        json_free(list);
        return;
    }
    json_put(out, "tokens", list);
    answer_json(call, 200, out);
}

/* Makes the table in memory follow the store. */
static void reload_tokens(struct call *call)
{
    struct err err = {0};

    if (tokens_load(call->app->tokens, call->app->stores, &err) != ERR_OK) {
        log_event(LOG_ERROR, "tokens-not-read", "request=%s reason=%s", call->request->id, err.msg);
    }
}

/* Which environment a new token is for: the body's, else the call's; "*" is all. A service is in one; an
 * admin in all. *store is where it belongs. False: answered. */
static bool token_environment(struct call *call, const struct json *body, enum role role,
                              bool *everywhere, struct store **store)
{
    const char *wanted = json_get_text(body, "environment", NULL);
    bool all = wanted != NULL && strcmp(wanted, "*") == 0;

    *everywhere = all || role == ROLE_ADMIN;
    *store = call->store;
    if (all && (role == ROLE_SDK_SERVER || role == ROLE_SDK_CLIENT)) {
        return admin_invalid(call, "environment: a token of a service is for one environment");
    }
    if (wanted != NULL && !all && role == ROLE_ADMIN) {
        return admin_invalid(call, "environment: an admin's token is for all environments (\"*\")");
    }
    if (wanted != NULL && !all) {
        *store = stores_find(call->app->stores, wanted);
    }
    if (*store == NULL) {
        answer_problem(call, 400, err_code_name(ERR_INVALID),
                       "environment: there is no '%.64s' here", wanted);
        return false;
    }
    return true;
}

void tokens_create(struct call *call)
{
    struct store_actor who = call_actor(call);
    struct json *body = answer_body(call);
    const char *role = json_get_text(body, "role", "");
    const char *name = json_get_text(body, "name", "");
    char token[STORE_TOKEN_BYTES];
    char id[33];
    struct err err = {0};
    struct store *store;
    bool everywhere;
    enum role known;

    if (body == NULL) {
        return;
    }
    if (!role_of(role, &known)) {
        answer_problem(call, 400, err_code_name(ERR_INVALID), "role: must be one of %s",
                       ROLE_NAMES);
    } else if (name[0] == '\0' || strlen(name) > LIMIT_KEY_BYTES) {
        answer_problem(call, 400, err_code_name(ERR_INVALID),
                       "name: say who will use the token, in 1 to %u bytes", LIMIT_KEY_BYTES);
    } else if (!token_environment(call, body, known, &everywhere, &store)) {
        /* answered */
    } else if (store_make_token(store, &who, role, name, everywhere, id, token, &err) != ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        struct json *out = json_object();

        reload_tokens(call);
        log_event(LOG_INFO, "token-created", "id=%s role=%s actor=%s request=%s", id, role,
                  call->who.name, call->request->id);
        json_put_text(out, "token", token);
        json_put_text(out, "id", id);
        json_put_text(out, "role", role);
        json_put_text(out, "name", name);
        json_put_text(out, "environment", everywhere ? "*" : store_environment(store));
        http_reply_header(call->reply, "Cache-Control", "no-store");
        answer_json(call, 201, out);
    }
    json_free(body);
}

void tokens_drop(struct call *call)
{
    struct store_actor who = call_actor(call);
    struct err err = {0};

    if (strcmp(call->params[0], call->who.id) == 0) {
        answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                       "a token cannot revoke itself: use another admin token");
    } else if (store_drop_token(call->store, &who, call->params[0], &err) != ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        reload_tokens(call);
        log_event(LOG_INFO, "token-revoked", "id=%s actor=%s request=%s", call->params[0],
                  call->who.name, call->request->id);
        answer_empty(call, 204);
    }
}
