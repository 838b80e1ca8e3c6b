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

enum err_code app_open(struct app *app, const char *store_url, const char *cors_origin,
                       struct err *err)
{
    char why[ENVIRONMENTS_WHY_BYTES];
    enum err_code rc;

    *app = (struct app){.cors_origin = cors_origin, .poll_s = POLL_S};
    rc = stores_open(store_url, &app->stores, why, err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (why[0] != '\0') {
        log_event(LOG_WARN, "store-read-only", "reason=%s", why);
    }
    app->environments = environments_new();
    app->tokens = tokens_new();
    if (app->environments == NULL || app->tokens == NULL) {
        rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    if (rc == ERR_OK) {
        rc = tokens_load(app->tokens, app->stores, err);
    }
    if (rc == ERR_OK) {
        rc = app_publish(app, err);
    }
    if (rc != ERR_OK) {
        app_close(app);
        return rc;
    }
    environments_conflict(app->environments, why);
    if (why[0] != '\0') {
        log_event(LOG_ERROR, "conflict", "reason=%s", why);
    }
    return ERR_OK;
}

enum err_code app_publish(struct app *app, struct err *err)
{
    return environments_publish(app->environments, app->stores, app->poll_s, err);
}

void app_close(struct app *app)
{
    if (app->environments != NULL && app->stores != NULL) {
        environments_collect_use(app->environments, clock_wall_ms());
    }
    environments_free(app->environments);
    tokens_free(app->tokens);
    stores_close(app->stores);
}

struct store_actor call_actor(struct call *call)
{
    const char *reason =
        call->reason != NULL ? call->reason : http_header(call->request, "X-Lockstep-Reason");

    return (struct store_actor){
        call->who.name, reason != NULL && reason[0] != '\0' ? answer_text(call, reason) : NULL};
}

bool call_seen(struct call *call, const struct client *client)
{
    struct clients *clients = call->environment->clients;
    struct store_client row = {.name = client->name,
                               .instance = client->instance,
                               .kind = client_kind_name(client->kind),
                               .epoch = client->epoch,
                               /* a restart must not take for ready who cannot evaluate a flag */
                               .revision = client->cannot[0] == '\0' ? client->revision : 0,
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
    if (store_put_client(call->store, &row, row.seen_ms - CLIENT_FORGET_MS, NULL) == ERR_OK) {
        clients_recorded(clients, client);
    } else {
        clients_not_recorded(clients);
    }
    return true;
}

/* ---- keeping the audit within its bounds ---- */

enum { PRUNE_US = 60000000, PRUNE_MORE_US = 200000, SWEEP_US = 60000000, SHARD_KEEP_MS = 3600000 };

/* A step of the work, between two requests of the worker: never so much that one of them waits long. */
static void prune(struct app *app)
{
    int64_t now_us = clock_monotonic_us(), removed = 0;
    bool more = false;
    struct err err = {0};

    if ((app->audit_keep_ms == 0 && app->audit_rows == 0) || now_us < app->prune_after_us) {
        return;
    }
    if (stores_prune_audit(
            app->stores, app->audit_keep_ms > 0 ? clock_wall_ms() - app->audit_keep_ms : INT64_MIN,
            app->audit_rows, &removed, &more, &err) != ERR_OK) {
        log_event(LOG_WARN, "audit-not-pruned", "reason=%s", err.msg);
    } else if (removed > 0) {
        log_event(LOG_INFO, "audit-pruned", "events=%lld", (long long)removed);
    }
    app->prune_after_us = clock_monotonic_us() + (more ? PRUNE_MORE_US : PRUNE_US);
}

/* ---- which flags are asked for ---- */

enum { USE_US = 60000000 };

static void collect_use(struct app *app)
{
    int64_t now_us = clock_monotonic_us();

    if (now_us >= app->use_after_us) {
        environments_collect_use(app->environments, clock_wall_ms());
        app->use_after_us = now_us + USE_US;
    }
}

/* Shards of domain sets that nobody named in a document within an hour of sending them, or names no more. */
static void sweep(struct app *app)
{
    int64_t now_us = clock_monotonic_us();
    size_t removed = 0;
    struct err err = {0};

    if (now_us < app->sweep_after_us) {
        return;
    }
    if (stores_sweep_shards(app->stores, clock_wall_ms() - SHARD_KEEP_MS, &removed, &err) !=
        ERR_OK) {
        log_event(LOG_WARN, "domain-rules-not-swept", "reason=%s", err.msg);
    } else if (removed > 0) {
        log_event(LOG_INFO, "domain-rules-swept", "shards=%zu", removed);
    }
    app->sweep_after_us = now_us + SWEEP_US;
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
            tokens_refresh(tokens, call->app->stores);
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

/* ---- of which environment ---- */

static bool set_environment(struct call *call, struct environment *environment)
{
    call->environment = environment;
    call->store = environment->store;
    return true;
}

static bool refuse_bound(struct call *call, const char *wanted)
{
    answer_problem(call, 403, err_code_name(ERR_DENIED),
                   "this token is for environment '%s', not for '%.64s'", call->who.environment,
                   wanted);
    return false;
}

static bool refuse_unknown(struct call *call, const char *wanted)
{
    char names[400];

    environments_names(call->app->environments, names, sizeof names);
    answer_problem(call, 404, err_code_name(ERR_NOT_FOUND),
                   "there is no environment '%.64s' here, but %s", wanted, names);
    return false;
}

/* Where the database that migrate works on says that it belongs. It may have been named before this
 * server knew of more than one environment, so the name counts where it means something here. */
static bool follow_database(struct call *call, const char *named)
{
    struct environments *all = call->app->environments;
    struct environment *environment = environments_find(all, named);
    const char *bound = call->who.environment;
    char names[400];

    if (environment != NULL && bound[0] != '\0' && strcmp(bound, named) != 0) {
        return refuse_bound(call, named);
    }
    if (environment == NULL && bound[0] != '\0') {
        environment = environments_find(all, bound);
    } else if (environment == NULL && environments_count(all) == 1) {
        environment = environments_default(all);
    }
    if (environment == NULL) {
        environments_names(all, names, sizeof names);
        answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                       "the database says that it belongs to environment '%.64s', and this server "
                       "has %s: give migrate a token of one environment, or the database another "
                       "(migrate repair --new-identity --environment NAME)",
                       named, names);
        return false;
    }
    return set_environment(call, environment);
}

/* What the request names, else what its token is for, else the default. False: answered. */
static bool choose_environment(struct call *call)
{
    struct environments *all = call->app->environments;
    const char *wanted = http_query(call->request, "environment");
    const char *database = http_header(call->request, "X-Lockstep-Environment");
    const char *bound = call->who.environment;
    struct environment *environment;

    if (wanted == NULL && database != NULL && database[0] != '\0') {
        return follow_database(call, database);
    }
    if (wanted != NULL && bound[0] != '\0' && strcmp(bound, wanted) != 0) {
        return refuse_bound(call, wanted);
    }
    if (wanted == NULL && bound[0] == '\0') {
        return set_environment(call, environments_default(all));
    }
    environment = environments_find(all, wanted != NULL ? wanted : bound);
    if (environment == NULL) { /* or the token's has gone a moment ago */
        return refuse_unknown(call, wanted != NULL ? wanted : bound);
    }
    return set_environment(call, environment);
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
                       flag ? ", the limit for one flag (some 30,000 domain rules): send many as "
                              "a domain set (flags domains KEY --import FILE), put sub-domains "
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
    if (*access == ALLOWED && route->roles == 0) {
        (void)set_environment(call, environments_default(call->app->environments));
    } else if (*access == ALLOWED && !choose_environment(call)) {
        *access = ANSWERED;
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
            collect_use(call.app);
            sweep(call.app);
        }
        route->handle(&call);
        if (call.defer) {
            return HTTP_DEFER;
        }
    }
    return HTTP_REPLY;
}
