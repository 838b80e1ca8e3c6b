#include "server/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/utf8.h"
#include "server/answer.h"
#include "server/route.h"

enum { POLL_S = 30 };

/* ---- opening ---- */

static void restore_client(void *ctx, const struct store_client *row)
{
    struct client client = {.epoch = row->epoch, .revision = row->revision, .lease = row->lease};

    client.kind =
        strcmp(row->kind, client_kind_name(CLIENT_OFREP)) == 0 ? CLIENT_OFREP : CLIENT_SDK;

    snprintf(client.name, sizeof client.name, "%s", row->name);
    snprintf(client.instance, sizeof client.instance, "%s", row->instance);
    clients_restore(ctx, &client);
}

enum err_code app_open(struct app *app, const char *store_url, const char *cors_origin,
                       struct err *err)
{
    char why[LIVE_WHY_BYTES];
    enum err_code rc;

    *app = (struct app){.cors_origin = cors_origin, .poll_s = POLL_S};
    rc = store_open(store_url, &app->store, why, err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (why[0] != '\0') {
        log_event(LOG_WARN, "store-read-only", "reason=%s", why);
    }
    app->live = live_new();
    app->tokens = tokens_new();
    app->clients = clients_new();
    if (app->live == NULL || app->tokens == NULL || app->clients == NULL) {
        rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    if (rc == ERR_OK) {
        rc = tokens_load(app->tokens, app->store, err);
    }
    if (rc == ERR_OK) {
        rc = store_each_client(app->store, clock_wall_ms() - CLIENT_FORGET_MS, restore_client,
                               app->clients, err);
    }
    if (rc == ERR_OK) {
        rc = app_publish(app, err);
    }
    if (rc != ERR_OK) {
        app_close(app);
        return rc;
    }
    live_conflict(app->live, why);
    if (why[0] != '\0') {
        log_event(LOG_ERROR, "conflict", "reason=%s", why);
    }
    return ERR_OK;
}

enum err_code app_publish(struct app *app, struct err *err)
{
    enum err_code rc;

    if (app->served_epoch == store_epoch(app->store) &&
        app->served_revision == store_revision(app->store)) {
        return ERR_OK;
    }
    rc = live_publish(app->live, app->store, app->poll_s, err);
    if (rc == ERR_OK) {
        app->served_epoch = store_epoch(app->store);
        app->served_revision = store_revision(app->store);
    }
    return rc;
}

void app_close(struct app *app)
{
    clients_free(app->clients);
    tokens_free(app->tokens);
    live_free(app->live);
    store_close(app->store);
}

struct store_actor call_actor(struct call *call)
{
    const char *reason = http_header(call->request, "X-Lockstep-Reason");

    return (struct store_actor){
        call->who.name, reason != NULL && reason[0] != '\0' ? answer_text(call, reason) : NULL};
}

bool call_seen(struct call *call, const struct client *client)
{
    struct clients *clients = call->app->clients;
    struct store_client row = {.name = client->name,
                               .instance = client->instance,
                               .kind = client_kind_name(client->kind),
                               .epoch = client->epoch,
                               .revision = client->revision,
                               .lease = client->lease};

    if (!clients_seen(clients, client)) {
        return true;
    }
    if (!call->request->on_worker) {
        call->defer = true;
        return false;
    }
    row.seen_ms = clock_wall_ms();
    /* A store that cannot be written does not keep answers from clients; a later one tries again. */
    if (store_put_client(call->app->store, &row, row.seen_ms - CLIENT_FORGET_MS, NULL) == ERR_OK) {
        clients_recorded(clients, client);
    } else {
        clients_not_recorded(clients);
    }
    return true;
}

/* ---- keeping the audit within its bounds ---- */

enum { PRUNE_US = 60000000, PRUNE_MORE_US = 200000 };

/* A step of the work, between two requests of the worker: never so much that one of them waits long. */
static void prune(struct app *app)
{
    int64_t now_us = clock_monotonic_us(), removed = 0;
    bool more = false;
    struct err err = {0};

    if ((app->audit_keep_ms == 0 && app->audit_rows == 0) || now_us < app->prune_after_us) {
        return;
    }
    if (store_prune_audit(app->store,
                          app->audit_keep_ms > 0 ? clock_wall_ms() - app->audit_keep_ms : INT64_MIN,
                          app->audit_rows, &removed, &more, &err) != ERR_OK) {
        log_event(LOG_WARN, "audit-not-pruned", "reason=%s", err.msg);
    } else if (removed > 0) {
        log_event(LOG_INFO, "audit-pruned", "events=%lld", (long long)removed);
    }
    app->prune_after_us = clock_monotonic_us() + (more ? PRUNE_MORE_US : PRUNE_US);
}

/* ---- one request ---- */

/* The token as either header carries it, or NULL. */
static const char *token_of(const struct http_request *request)
{
    const char *authorization = http_header(request, "Authorization");

    if (authorization != NULL && strncasecmp(authorization, "Bearer ", 7) == 0) {
        return authorization + 7 + strspn(authorization + 7, " ");
    }
    return http_header(request, "X-API-Key");
}

enum access { ALLOWED, ANSWERED, ASK_WORKER };

static enum access check_token(struct call *call, const struct route *route)
{
    const char *token = token_of(call->request);
    struct tokens *tokens = call->app->tokens;
    bool known = token != NULL && tokens_find(tokens, token, &call->who);

    if (token != NULL && !known) {
        /* It may have been made by `flag-server token` a moment ago. */
        if (!call->request->on_worker && tokens_may_refresh(tokens)) {
            return ASK_WORKER;
        }
        if (call->request->on_worker) {
            tokens_refresh(tokens, call->app->store);
            known = tokens_find(tokens, token, &call->who);
        }
    }
    if (!known) {
        http_reply_header(call->reply, "WWW-Authenticate", "Bearer");
        answer_problem(call, 401, "unauthorized",
                       token == NULL ? "a token is needed: send Authorization: Bearer TOKEN"
                                     : "the token is not known here: check that it is whole, of "
                                       "this server, and was not revoked");
        return ANSWERED;
    }
    if (!(call->who.role & route->roles)) {
        answer_problem(call, 403, err_code_name(ERR_DENIED),
                       "a token of role %s may not do this (%s %s)",
                       role_name((enum role)call->who.role), route->method, route->pattern);
        return ANSWERED;
    }
    return ALLOWED;
}

static void answer_refused(struct call *call)
{
    if (call->request->refused == 414) {
        answer_problem(call, 414, err_code_name(ERR_LIMIT), "the URL is longer than %u bytes",
                       LIMIT_URL_BYTES);
    } else if (call->request->refused == 400) {
        answer_problem(call, 400, err_code_name(ERR_INVALID),
                       "the headers do not say where the request ends: send one Content-Length, or "
                       "Transfer-Encoding: chunked, and no blanks in the names of headers");
    } else {
        bool flag = strncmp(call->request->path, "/api/v1/flags", 13) == 0;

        answer_problem(call, 413, err_code_name(ERR_LIMIT), "the body is larger than %u bytes%s",
                       LIMIT_BODY_BYTES,
                       flag ? ", the limit for one flag (some 30,000 domain rules): leave out "
                              "domain rules that say what everybody else gets, put sub-domains "
                              "under one \"*.\" rule, or give a group of customers a rule with a "
                              "condition"
                            : ", the limit for one request");
    }
}

/* Finds the route, and answers where there is none or the token does not do. */
static const struct route *find_route(struct call *call, enum access *access)
{
    struct http_request *request = call->request;
    char *scratch = arena_take(request->arena, strlen(request->path) + 1);
    const struct route *route;
    char allow[64];

    *access = ANSWERED;
    if (scratch == NULL) {
        answer_json(call, 503, NULL);
        return NULL;
    }
    if (!utf8_valid(request->path, strlen(request->path))) {
        answer_problem(call, 404, err_code_name(ERR_NOT_FOUND), "the path is no UTF-8");
        return NULL;
    }
    route = route_find(request->method, request->path, scratch, call->params, allow, sizeof allow);
    if (route == NULL && allow[0] != '\0') {
        http_reply_header(call->reply, "Allow", arena_text(request->arena, allow, strlen(allow)));
        answer_problem(call, 405, "method_not_allowed", "%s is not possible here: use %s",
                       request->method, allow);
    } else if (route == NULL) {
        answer_problem(call, 404, err_code_name(ERR_NOT_FOUND), "there is nothing at this path");
    } else {
        *access = route->roles == 0 ? ALLOWED : check_token(call, route);
    }
    return route;
}

enum http_verdict app_handle(void *ctx, struct http_request *request, struct http_reply *reply)
{
    struct call call = {.app = ctx, .request = request, .reply = reply};
    const struct route *route;
    enum access access;

    /* 401 and the like too, which a page would else see as a network that is down. The worker's reply
     * is the loop's, and has the headers already. */
    if (!request->on_worker && strncmp(request->path, "/ofrep/", 7) == 0) {
        ofrep_allow_origin(&call);
    }
    if (request->refused != 0) {
        answer_refused(&call);
        return HTTP_REPLY;
    }
    route = find_route(&call, &access);
    if (access == ASK_WORKER || (access == ALLOWED && route->worker && !request->on_worker)) {
        return HTTP_DEFER;
    }
    if (access == ALLOWED) {
        if (request->on_worker) {
            prune(call.app);
        }
        route->handle(&call);
        if (call.defer) {
            return HTTP_DEFER;
        }
    }
    return HTTP_REPLY;
}
