/*
 * live - what is served now: the compiled ruleset for evaluation, its document for SDKs.
 *
 * Published by the store's owner after each change; read by any thread without waiting for it.
 */
#ifndef SERVER_LIVE_H
#define SERVER_LIVE_H

#include <stdint.h>

#include "base/err.h"
#include "flags/ruleset.h"
#include "server/store.h"

struct live;

/* The ruleset document as it goes over the wire, made once a revision and shared by replies. */
struct live_body {
    char *text;
    size_t len;
    char tag[48]; /* "<epoch>-<revision>" */
};

struct live *live_new(void); /* NULL when out of memory */
void live_free(struct live *live);

/* Builds and swaps in what the store holds now. On failure what was served goes on. */
MUST_USE enum err_code live_publish(struct live *live, const struct store *store, unsigned poll_s,
                                    struct err *err);

const struct ruleset *live_enter(struct live *live, struct ruleset_ticket *ticket);
void live_leave(struct live *live, struct ruleset_ticket *ticket);

/* Lends the body until live_give_back(), which takes what this returns. */
const struct live_body *live_take_body(struct live *live);
void live_give_back(void *body);

/* Why what is served must not be relied on (a tied flag outside its range), or "". */
#define LIVE_WHY_BYTES 1300
void live_conflict(struct live *live, char why[LIVE_WHY_BYTES]);

#endif
