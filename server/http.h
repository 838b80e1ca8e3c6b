/*
 * http - an HTTP/1.1 server: bounded requests in, replies out (libmicrohttpd behind it).
 *
 *     struct http_options options = {.address = "127.0.0.1", .port = 0, .handle = answer};
 *     rc = http_start(&options, &server, &err);
 *     ... http_port(server) ... wait for a signal ...
 *     http_stop(server);                     // answers what was accepted, then ends
 *
 * Requests are handled on the threads of a few event loops, several at once, so the handler must
 * not wait for anything there. Where it has to (a disk, a lock), it returns HTTP_DEFER and is
 * called again with the same request on the one worker thread, in order of arrival; what only the
 * worker touches needs no lock. A handler is called when the body is complete: never before.
 * Whoever sends too slowly is shut down (server/peers.h).
 *
 * This module knows nothing of flags, tokens or JSON.
 */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define HTTP_REQUEST_ID_BYTES 65
#define HTTP_HEADERS_MAX 12

struct http_request {
    const char *method;
    const char *path;               /* decoded, except that %00 stays as it is: NUL ends nothing */
    struct str body;                /* NUL-terminated as well; empty if there is none */
    char id[HTTP_REQUEST_ID_BYTES]; /* from X-Request-Id if that is fit, else made here */
    struct arena *arena;            /* for whatever lives until the reply is sent */
    bool on_worker;                 /* the second call, after HTTP_DEFER */
    int refused;      /* 413 or 414: too large, the body was read and thrown away; 400: its headers
                         do not say without doubt where it ends; else 0 */
    void *connection; /* this module's own */
};

/* A request header or a query parameter, lent for the request's life; NULL if it is not there. */
const char *http_header(const struct http_request *request, const char *name);
const char *http_query(const struct http_request *request, const char *name);

enum http_body {
    HTTP_BODY_NONE,
    HTTP_BODY_STATIC, /* lives as long as the program */
    HTTP_BODY_HEAP,   /* from malloc(); the reply owns it */
    HTTP_BODY_COPY,   /* in the request's arena or on the stack: copied */
    HTTP_BODY_SHARED  /* several replies show it at once; release(owner) when this one is done */
};

struct http_reply {
    int status;
    enum http_body kind;
    const char *body;
    size_t body_len;
    const char *content_type;
    void (*release)(void *owner);
    void *owner;
    struct {
        const char *name, *value; /* value in the request's arena or static */
    } headers[HTTP_HEADERS_MAX];
    size_t header_count;
};

/* Adds a header; dropped if there are HTTP_HEADERS_MAX already or value is NULL. */
void http_reply_header(struct http_reply *reply, const char *name, const char *value);

enum http_verdict { HTTP_REPLY, HTTP_DEFER };
typedef enum http_verdict http_handler(void *ctx, struct http_request *request,
                                       struct http_reply *reply);

struct http_options {
    const char *address;      /* numeric; NULL: 127.0.0.1 */
    unsigned port;            /* 0: the system picks */
    unsigned loops;           /* 0: 2 */
    unsigned connections_max; /* 0: LIMIT_CONNECTIONS, or what the open-file limit allows */
    unsigned per_address;     /* connections of one address; 0: see addresses_new() */
    unsigned head_timeout_s;  /* for a whole request head; 0: 10 */
    size_t body_bytes_max;    /* 0: LIMIT_BODY_BYTES */
    unsigned idle_timeout_s;  /* 0: 75 */
    http_handler *handle;
    void *ctx;
    void (*tick)(
        void *ctx); /* called on the worker about every tick_ms, between requests; or NULL */
    unsigned tick_ms;
};

struct http_server;

/* Binds and starts the threads. ERR_IO: the port is in use; ERR_DENIED: not allowed to bind it;
 * ERR_INVALID: no numeric address. */
MUST_USE enum err_code http_start(const struct http_options *options, struct http_server **out,
                                  struct err *err);
unsigned http_port(const struct http_server *server);
unsigned http_connections_max(const struct http_server *server);

/* Takes what is in the accept queue, stops listening, answers every request that has come in (at
 * most HTTP_DRAIN_MS), ends the threads and frees the server. Replies of that time close their
 * connection. NULL is allowed. */
#define HTTP_DRAIN_MS 10000
void http_stop(struct http_server *server);

#endif
