/*
 * fetch - an HTTP client (libcurl behind it): one connection kept, called by one thread at a time.
 *
 *     struct fetch *fetch = fetch_new();
 *     struct fetch_reply reply;
 *     rc = fetch_send(fetch, &(struct fetch_request){.method = "GET", .url = url,
 *                     .bearer = token, .timeout_ms = 10000}, &reply, &err);
 *     ... reply.status, reply.body ...
 *     fetch_reply_fini(&reply);
 *     fetch_free(fetch);
 *
 * Only http and https; redirects are not followed (a token must not travel); proxies from the
 * environment are not used for loopback. A reply of any status is ERR_OK here: the caller judges.
 */
#ifndef BASE_FETCH_H
#define BASE_FETCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct fetch;

struct fetch_request {
    const char *method; /* "GET", "POST", "PUT", "DELETE" */
    const char *url;
    const char *bearer;         /* token for Authorization, or NULL; never appears in a message */
    const char *if_none_match;  /* header value or NULL */
    const char *if_match;       /* header value or NULL */
    const char *const *headers; /* more lines "Name: value", NULL-terminated; or NULL */
    const char *body;           /* NULL for none */
    const char *body_type;      /* Content-Type; NULL: application/json; "": is not sent */
    size_t body_len;
    long timeout_ms;           /* whole exchange; 0: 10,000 */
    size_t reply_bytes_max;    /* 0: LIMIT_REPLY_BYTES */
    const atomic_bool *cancel; /* becomes true: ends early with ERR_TIMEOUT; may be NULL */
};

struct fetch_reply {
    long status;
    char *body; /* NUL-terminated, never NULL on ERR_OK */
    size_t body_len;
    char etag[160];       /* as sent, with quotes; "" if none */
    long retry_after_s;   /* -1 if none */
    char date_header[40]; /* "" if none */
};

struct fetch *fetch_new(void); /* NULL when out of memory */
void fetch_free(struct fetch *fetch);

/* ERR_OK with any status; ERR_TIMEOUT (or cancelled); ERR_LIMIT (reply too large); ERR_INVALID (no
 * such URL, a header with a line end); ERR_IO (could not connect, cut off, TLS: the message names
 * host and cause). *reply is set on ERR_OK alone. */
MUST_USE enum err_code fetch_send(struct fetch *fetch, const struct fetch_request *request,
                                  struct fetch_reply *reply, struct err *err);
void fetch_reply_fini(struct fetch_reply *reply);

/* A new copy (free()) of text, percent-encoded for a path segment or a query value. NULL: no
 * memory. */
char *fetch_url_escape(const char *text);

#endif
