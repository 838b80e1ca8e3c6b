/*
 * journal - the record, inside the migrated database, of how far each migration has come; the
 * ledger that wrangler reads; the history of every event; and who this database is.
 */
#ifndef MIGRATOR_JOURNAL_H
#define MIGRATOR_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "database/database.h"
#include "migrator/folder/state.h"
#include "migrator/session/work.h"

#define JOURNAL_FORMAT 1 /* of the lockstep_* tables; an older program refuses a newer one */

struct journal_meta {
    bool exists; /* the tables are there */
    int64_t format;
    char environment[64], database_id[40];
    char recovery[400]; /* what this copy was made for (recovery.h); "": it is no recovery point */
    char home[1024];    /* the file's path when it was last written by a migrator, or "" */
    bool write_ahead;   /* the file has a write-ahead log for its first filling alone */
};

struct journal_row {
    const char *migration, *kind;
    enum mig_state state;
    const char *checksum;
    const char *detail;   /* JSON: what the ways back need */
    const char *cursor;   /* the key up to which the backfill came, as SQL; NULL: none */
    const char *digest;   /* of the backfill's statement */
    const char *verify;   /* JSON of the last verification, or NULL */
    const char *reported; /* the state the flag server knows, or NULL */
    int64_t since_ms, rows_done, rows_total, triggers_ms, verified_ms;
    bool backfill_done;
    bool ledger_only; /* applied by another tool: in the ledger, not in the journal */
};

struct journal {
    struct arena arena;
    struct journal_row *at; /* sorted by name */
    size_t count;
};

MUST_USE enum err_code journal_meta_read(struct database *db, struct journal_meta *out,
                                         struct err *err);
#define JOURNAL_LEDGER "d1_migrations" /* as wrangler calls it unless its file says otherwise */

/* Makes all tables in one batch. meta's environment, database_id, home and write_ahead become those
 * of this database. */
MUST_USE enum err_code journal_make(struct database *db, const struct journal_meta *meta,
                                    const char *ledger, struct err *err);
/* The write-ahead log is gone. */
MUST_USE enum err_code journal_wrote_ahead(struct database *db, struct err *err);

/* Everything, ledger included; the tables may be missing (nothing then). */
MUST_USE enum err_code journal_read(struct database *db, const char *ledger, struct journal *out,
                                    struct err *err);
void journal_fini(struct journal *journal);
const struct journal_row *journal_find(const struct journal *journal, const char *migration);

/* Adds to a batch: the migration must be in state from (pending: no row), and moves to state to.
 * The move must be one of state.h's arrows. kind and checksum are for a new row. */
void journal_move(struct work *work, const char *migration, const char *kind, const char *checksum,
                  enum mig_state from, enum mig_state to);
/* Adds to a batch only the demand that the migration is in this state. */
void journal_demand(struct work *work, const char *migration, enum mig_state state);

/* Adds a line of history. started_ms: wall clock when the step began; rows -1: does not apply. */
struct history {
    const char *migration, *event, *digest, *detail; /* digest and detail may be NULL */
    enum mig_state from, to;
    int64_t started_ms, rows;
    bool stateless; /* no move of a migration: from and to are left out */
};
void journal_history(struct work *work, const struct history *history);

/* "user@host", or LOCKSTEP_ACTOR: who is at work, for people. Returns out. */
const char *journal_actor(char *out, size_t size);

/* Adds the row of the ledger that wrangler would have added. */
void journal_ledger(struct work *work, const char *ledger, const char *name);

#endif
