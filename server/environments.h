/*
 * environments - what is served, for each environment of the store: its ruleset and its clients.
 *
 * The store's owner (the worker) keeps the table in line with the store, by environments_publish() after each
 * change; any thread finds its environment here, without waiting for a disk. An environment that is
 * dropped is found no more, but lives on until environments_free(): a thread may be in the middle of it.
 */
#ifndef SERVER_ENVIRONMENTS_H
#define SERVER_ENVIRONMENTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/clients.h"
#include "server/live.h"
#include "server/store.h"

#define ENVIRONMENT_NAME_BYTES 129

struct environment {
    struct live *live;
    struct clients *clients;
    struct store *store;                   /* the worker's, as what follows */
    int64_t served_epoch, served_revision; /* what live shows */
    atomic_bool
        all_used; /* somebody may have asked for any of its flags since they were collected */
    char name[ENVIRONMENT_NAME_BYTES]; /* never changes */
};

struct environments;

struct environments *environments_new(void); /* NULL when out of memory */
void environments_free(struct environments *environments);

/* The environment of that name, or NULL. */
struct environment *environments_find(struct environments *environments, const char *name);
struct environment *environments_default(struct environments *environments);
size_t environments_count(struct environments *environments);
/* "'production', 'staging'": all names, for messages, cut to fit. */
void environments_names(struct environments *environments, char *out, size_t size);

/* Serves what the store holds, where that is something else than what is served: makes new environments,
 * forgets those that are gone. On failure what was served goes on. */
MUST_USE enum err_code environments_publish(struct environments *environments,
                                            struct stores *stores, unsigned poll_s,
                                            struct err *err);

/* Writes down which flags were asked for since the last time. What cannot be written is forgotten. */
void environments_collect_use(struct environments *environments, int64_t now_ms);

/* Why what is served must not be relied on, naming the environment, or "". */
#define ENVIRONMENTS_WHY_BYTES (LIVE_WHY_BYTES + 160)
void environments_conflict(struct environments *environments, char why[ENVIRONMENTS_WHY_BYTES]);

#endif
