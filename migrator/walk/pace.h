/*
 * pace - how fast long writing work may go, and whether it may go at all: what people said by
 * `migrate pause`, `resume` and `throttle`, which lies in the database and is read between batches,
 * and what a veto from outside says.
 */
#ifndef MIGRATOR_PACE_H
#define MIGRATOR_PACE_H

#include "base/json.h"
#include "migrator/session/session.h"
#include "migrator/walk/veto.h"

#define PACE_RATIO_MIN 0.001 /* of the time; less is a pause; it is stored in thousandths */

struct pace {
    double ratio; /* the share of time that the lock may be held; 1 if nobody said otherwise */
    bool paused;
    char by[100], at[32], reason[200];
};

/* What is said for this migration (or for all). NULL for a migration: for all alone. */
MUST_USE enum err_code pace_read(struct migrate *m, const char *migration, struct pace *out,
                                 struct err *err);

/* Waits while the migration is paused or a veto holds it up, and says why; the lock is kept alive.
 * ERR_CONFLICT: paused for longer than m->patience_until_us; the message says by whom. */
MUST_USE enum err_code pace_wait(struct migrate *m, size_t index, const struct veto_facts *facts,
                                 struct pace *out, struct err *err);

/* Leaves the lock free behind a hold that ended at free_since_us: a third of it, longer if
 * the ratio says so, min_us at least. Ends early if the ratio was changed meanwhile. */
MUST_USE enum err_code pace_rest(struct migrate *m, size_t index, int64_t hold_us,
                                 int64_t free_since_us, int64_t min_us, struct err *err);

/* Puts "paused" {by, at, reason} into a report, if it is. */
void pace_describe(const struct pace *pace, struct json *out);

#endif
