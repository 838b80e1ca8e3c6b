/*
 * fake_server - an HTTP server that answers the SDK as a test says, on a port the system picks.
 * Every function may be called while it runs.
 */
#ifndef TESTS_SDK_FAKE_SERVER_H
#define TESTS_SDK_FAKE_SERVER_H

#include <stdbool.h>
#include <stddef.h>

struct fake_server;

struct fake_server *fake_server_start(void);
void fake_server_stop(struct fake_server *server);
const char *fake_server_url(const struct fake_server *server);

/* From now on: 200 with body and tag, or 304 when If-None-Match has the tag. Requests with another
 * bearer token than `token` (if not NULL) get 401. */
void fake_server_ruleset(struct fake_server *server, const char *body, const char *tag,
                         const char *token);
/* From now on: this status, with "more" header lines (each ending in \r\n) and body. */
void fake_server_status(struct fake_server *server, int status, const char *more, const char *body);
/* From now on: announce 1,000 bytes, send 10 and close. */
void fake_server_cut(struct fake_server *server);
/* From now on: take requests and never answer. */
void fake_server_hang(struct fake_server *server);

/* How many requests came since the start, and the newest one's text. */
unsigned fake_server_count(struct fake_server *server);
void fake_server_request(struct fake_server *server, char *out, size_t out_size);
/* Waits until `count` requests came; false after 10 s. */
bool fake_server_wait(struct fake_server *server, unsigned count);
/* Waits for a request that has `text` in it, newer than the first `after`; false after 10 s. */
bool fake_server_saw(struct fake_server *server, unsigned after, const char *text);

#endif
