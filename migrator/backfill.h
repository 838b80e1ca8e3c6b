/*
 * backfill - one UPDATE over a whole table in small batches that a live file bears.
 *
 * Each batch holds the write lock for a few milliseconds, and leaves it free for as long: what
 * other writers wait for is the pause, not the batch. The place that was reached is stored in the
 * same batch, bound to the statement's digest, so that a killed run goes on where it was. The
 * statement's own condition lets rows that are done alone, so that running it twice is harmless.
 */
#ifndef MIGRATOR_BACKFILL_H
#define MIGRATOR_BACKFILL_H

#include "migrator/change.h"
#include "migrator/session.h"

#define BACKFILL_HOLD_US 5000 /* aimed at: well below the first steps of SQLite's busy handler */
#define BACKFILL_HOLD_MAX_US 15000 /* above it, batches shrink at once */
#define BACKFILL_PAUSE_MIN_US 2000 /* measured: below it, other writers starve */
#define BACKFILL_ROWS_MIN 200
#define BACKFILL_ROWS_MAX 20000
#define BACKFILL_LOG_BYTES (64 << 20) /* above it, wait for a checkpoint */

struct backfill_result {
    int64_t rows;    /* in the table */
    int64_t changed; /* by this run */
    int64_t batches, longest_hold_us;
};

/* sql: an UPDATE whose WHERE has begun; state: the state that the migration must be in. */
MUST_USE enum err_code backfill_run(struct migrate *m, size_t index, const struct change *change,
                                    const char *sql, enum mig_state state,
                                    struct backfill_result *result, struct err *err);

#endif
