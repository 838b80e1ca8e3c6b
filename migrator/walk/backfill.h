/*
 * backfill - one UPDATE over a whole table in small batches that a live file bears.
 *
 * A batch is as large as may run in a few milliseconds: by rows as the last ones went, and by bytes
 * as a look at the rows themselves says, which is taken before the lock and brings them into
 * memory. One that takes longer after all is interrupted, undone and cut. Behind each the lock stays
 * free for a while: what other writers wait for is the pause, not the batch. The place that was
 * reached is stored in the same batch, bound to the statement's digest, so that a killed run goes
 * on where it was. The statement's own condition lets rows that are done alone, so that running it
 * twice is harmless.
 */
#ifndef MIGRATOR_BACKFILL_H
#define MIGRATOR_BACKFILL_H

#include "migrator/change/change.h"
#include "migrator/session/session.h"

#define BACKFILL_HOLD_US 8000 /* aimed at: well below the first steps of SQLite's busy handler */
#define BACKFILL_WORK_US 4000 /* but no less than that before COMMIT, however slow the disk is */
#define BACKFILL_HOLD_MAX_US 15000 /* expected, but for what a single row or a slow disk takes */
#define BACKFILL_CUT_US 12000      /* a batch that runs so long is undone; COMMIT comes on top */
#define BACKFILL_PAUSE_MIN_US 2000 /* measured: below it, other writers starve */
#define BACKFILL_ROWS_FIRST 50     /* nothing is known of the table yet */
#define BACKFILL_ROWS_MAX 20000
#define BACKFILL_BYTES_MAX (512 << 10) /* of the rows of one batch; what is long is counted */
/* Over a network a batch is four requests of which a service allows few, and nobody spins for the
 * lock: fewer batches, and larger ones. */
#define BACKFILL_REMOTE_HOLD_US 50000
#define BACKFILL_REMOTE_ROWS_FIRST 1000
#define BACKFILL_REMOTE_BYTES_MAX (4 << 20)
#define BACKFILL_REMOTE_LOOK_US 1000000 /* how often it looks for a pause or a throttle */
#define BACKFILL_LOG_BYTES (32 << 20)   /* above it, wait until a checkpoint takes it over */

struct backfill_result {
    int64_t rows;                              /* in the table */
    int64_t changed;                           /* by this run */
    int64_t batches, longest_hold_us, held_us; /* held_us: all of them together */
    bool failed; /* a batch did, by its statement or what is in the rows: again it would, too */
};

/* sql: an UPDATE whose WHERE has begun; state: the state that the migration must be in. */
MUST_USE enum err_code backfill_run(struct migrate *m, size_t index, const struct change *change,
                                    const char *sql, enum mig_state state,
                                    struct backfill_result *result, struct err *err);

#endif
