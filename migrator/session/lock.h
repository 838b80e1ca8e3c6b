/*
 * lock - one migrator at a time, whatever machine it runs on.
 *
 * A row in the database names the owner, and when it expires by the database's own clock. Each
 * takeover raises the epoch; each of our batches demands epoch and owner, so that a process that
 * slept through its expiry is refused, and prolongs the lock. An owner on this machine that is
 * proved dead is taken over at once.
 */
#ifndef MIGRATOR_LOCK_H
#define MIGRATOR_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "database/database.h"
#include "migrator/session/work.h"

#define LOCK_LIFE_MS 30000    /* without a batch of ours for so long, another may take over */
#define LOCK_BEAT_MS 5000     /* long reading work beats so often */
#define LOCK_FRESH_US 1000000 /* prolonged so recently, a batch does not write the row again */
#define LOCK_WAIT_MS 2000     /* how long to wait for another owner before saying busy */

/* Milliseconds since 1970 by the database's own clock. */
#define DATABASE_NOW_MS "CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)"

struct lock {
    bool held;
    int64_t epoch, beat_us;
    char owner[200];
};

struct lock_seen {
    int64_t epoch, left_ms, taken_ms;
    char owner[200]; /* "" if nobody */
    bool living;     /* it has not expired, and is not proved dead */
};
/* Who has it; ERR_IO if the table has lost its row. */
MUST_USE enum err_code lock_look(struct database *db, struct lock_seen *seen, struct err *err);
/* Cuts an owner's name to what people read: "host pid 7". */
void lock_short_owner(char *owner);
/* Adds to a batch that the lock is taken from who was seen to have it, unless it moved since. */
void lock_break(const struct lock_seen *seen, struct work *work);

/* ERR_BUSY: somebody else has it; the message says who and until when. */
MUST_USE enum err_code lock_take(struct database *db, struct lock *lock, struct err *err);
void lock_give_back(struct database *db, struct lock *lock);

/* Adds to a batch that the lock must be ours, and its prolongation unless that was just now. */
void lock_guard(struct lock *lock, struct work *work);
/* Prolongs it by so much more than LOCK_LIFE_MS, for work that cannot beat. */
MUST_USE enum err_code lock_prolong(struct database *db, struct lock *lock, int64_t more_ms,
                                    struct err *err);
/* Prolongs it if LOCK_BEAT_MS went by; ERR_CONFLICT if it was lost. */
MUST_USE enum err_code lock_beat(struct database *db, struct lock *lock, struct err *err);

#endif
