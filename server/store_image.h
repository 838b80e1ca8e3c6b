/*
 * store_image - the inside of a store: the image in memory, how it is read, how a change commits.
 * For the files of the store alone.
 */
#ifndef SERVER_STORE_IMAGE_H
#define SERVER_STORE_IMAGE_H

#include "database/database.h"
#include "server/store.h"

struct store {
    struct database *db;
    char *environment;
    int64_t epoch, revision;
    struct store_flag *flags; /* sorted by key */
    size_t flag_count, flag_room;
    struct tie *ties; /* sorted by flag, then database and migration; strings are the image's own */
    size_t tie_count, tie_room;
};

/* Reads everything anew. On failure the image is as it was. */
MUST_USE enum err_code store_load(struct store *store, struct err *err);
void store_image_clear(struct store *store);

/* Where a key stands or would stand. */
size_t store_flag_place(const struct store *store, const char *key, bool *found);
size_t store_tie_place(const struct store *store, const struct tie *tie, bool *found);

/* Copies tie's strings; false when out of memory. */
bool store_tie_copy(struct tie *to, const struct tie *from);
void store_tie_clear(struct tie *tie);

/* One change: its statements, and what the audit says about it. */
struct store_change {
    const struct store_actor *who;
    const char *action;
    const char *flag;           /* or NULL */
    const char *before, *after; /* documents, or NULL */
    bool visible;               /* clients can see it: a new revision */
    const struct database_guard *guards;
    size_t guard_count;
    const struct database_statement *statements;
    size_t statement_count;
};

/* The revision that a visible change gets. */
int64_t store_next_revision(const struct store *store);

/* Commits change, its audit record and the revision as one batch. On success the image has the new
 * revision; the caller brings in the rest. On a failure that leaves doubt the image is read anew. */
MUST_USE enum err_code store_commit(struct store *store, const struct store_change *change,
                                    struct err *err);

#endif
