/*
 * store_image - the inside of a store: the image in memory, how it is read, how a change commits.
 * For the files of the store alone.
 */
#ifndef SERVER_STORE_IMAGE_H
#define SERVER_STORE_IMAGE_H

#include "base/limits.h"
#include "database/database.h"
#include "server/store.h"

struct stores {
    struct database *db;
    struct store *at[LIMIT_ENVIRONMENTS]; /* in order of position */
    size_t count;
    bool rides; /* a schedule is carried out by the next change: its id, and when */
    struct database_value rider[2];
    struct store *gone;       /* of environments that were dropped: nothing but their names */
    struct domain_pool *pool; /* all shards of domain sets; NULL until they are read */
};

struct store {
    struct stores *all;
    struct store *next_gone;
    struct database *db; /* all's */
    char *environment;
    bool is_default;
    int64_t epoch, revision;
    int64_t watched_ms, all_used_ms; /* see store_use.c */
    struct store_flag
        *flags; /* sorted by key; each environment has the same keys, in the same places */
    size_t flag_count, flag_room;
    struct tie *ties; /* sorted by flag, then database and migration; strings are the image's own */
    size_t tie_count, tie_room;
    struct store_piece *pieces; /* sorted by kind and key */
    size_t piece_count, piece_room;
};

/* Reads everything anew, all environments. On failure the image is as it was. A struct store keeps its
 * place while its environment, by its name, is there. */
MUST_USE enum err_code stores_load(struct stores *stores, struct err *err);
void stores_clear(struct stores *stores);
/* Those shards that are not in the pool yet (store_domains.c). */
MUST_USE enum err_code stores_load_shards(struct stores *stores, struct err *err);

/* Where a key stands or would stand. */
size_t store_flag_place(const struct store *store, const char *key, bool *found);
size_t store_tie_place(const struct store *store, const struct tie *tie, bool *found);

/* Copies tie's strings; false when out of memory. */
bool store_tie_copy(struct tie *to, const struct tie *from);
void store_tie_clear(struct tie *tie);

/* ---- pieces (store_pieces.c) ---- */
MUST_USE enum err_code store_load_pieces(struct store *into, struct err *err);
void store_piece_clear(struct store_piece *piece);
/* The keys of touched flags as a JSON array for json_each(); NULL: no memory. */
char *store_touched_keys(const struct store *store, const bool *touched);
/* Gives them the store's revision, after a change is in. */
void store_stamp(struct store *store, const bool *touched, int64_t now_ms);

/* ---- schedules (store_schedules.c) ---- */
void store_add_rider(const struct stores *stores, struct database_guard *guards,
                     size_t *guard_count, struct database_statement *statements,
                     size_t *statement_count);

/* What one of the other environments sees of a change. */
struct store_effect {
    struct store *store;
    const char *before, *after; /* as below */
};

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
    const char *audit_in; /* the environment of its record, if not the store's */
    /* Other environments that see it, too. */
    const struct store_effect *others;
    size_t other_count;
};

/* The revision that a visible change gets. */
int64_t store_next_revision(const struct store *store);

/* Commits change, its audit records and the revisions as one batch. On success the image has the new
 * revisions; the caller brings in the rest. On a failure that leaves doubt the image is read anew. */
MUST_USE enum err_code store_commit(struct store *store, const struct store_change *change,
                                    struct err *err);

#endif
