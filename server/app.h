/*
 * app - the flag server behind its HTTP interface: what the handlers share.
 *
 * Two kinds of threads come here. The HTTP loops answer evaluation and rulesets from environments
 * and tokens, which are safe on any thread. Everything that reads or changes the store runs on the
 * one worker (HTTP_DEFER), so the store needs no lock and no evaluation waits for a disk.
 */
#ifndef SERVER_APP_H
#define SERVER_APP_H

#include <stdatomic.h>

#include "base/json.h"
#include "server/environments.h"
#include "server/http.h"
#include "server/tokens.h"

struct app {
    struct stores *stores; /* the worker's */
    struct environments *environments;
    struct tokens *tokens;
    const char *cors_origin; /* who may call OFREP from a browser: an origin, "*", or NULL */
    unsigned poll_s;         /* what SDKs are asked to do */
    int64_t audit_keep_ms, audit_rows; /* how much of the audit is kept; 0: all */
    int64_t prune_after_us, use_after_us, sweep_after_us; /* the worker's */
    int64_t schedule_at_ms; /* the worker's: when schedules are to be looked at again */
};

/* Opens the store and everything that is made from it. ready_why: see store_open(). */
MUST_USE enum err_code app_open(struct app *app, const char *store_url, const char *cors_origin,
                                struct err *err);
void app_close(struct app *app);

/* Serves what the store holds, if that is something else than what is served. On the worker. */
MUST_USE enum err_code app_publish(struct app *app, struct err *err);

/* The http_handler; ctx is the app. */
enum http_verdict app_handle(void *ctx, struct http_request *request, struct http_reply *reply);

/* One request on its way through a handler. */
struct call {
    struct app *app;
    struct http_request *request;
    struct http_reply *reply;
    struct identity who;             /* who asks; role 0 where no token is needed */
    struct environment *environment; /* that the call is about */
    struct store *store;             /* its; the worker's */
    const char *params[2];           /* what stands for {...} in the route, in order */
    const char *reason;              /* of a change that nobody asks for now; else NULL */
    const struct json *made_set;     /* a domain set that was made here, of a good one */
    bool defer;                      /* set by a handler that finds that it needs the worker */
};

/* The actor of a change: the token's name and X-Lockstep-Reason. */
struct store_actor call_actor(struct call *call);

/* Notes that this client asks, and writes a new one down before its first answer, so that a server
 * that dies still knows of it. False: that needs the worker, to be called there again. */
bool call_seen(struct call *call, const struct client *client);

#endif
