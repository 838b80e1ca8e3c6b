/*
 * arrows - each move of a phased migration as the one transaction that makes it.
 *
 * arrow_build() says what would be done; plan prints it, walk runs it. What an arrow needs is read
 * from the schema of the moment, and the transaction demands that the schema still is that.
 */
#ifndef MIGRATOR_ARROWS_H
#define MIGRATOR_ARROWS_H

#include "migrator/change/change.h"
#include "migrator/session/session.h"

/* Adds to work all that moves the migration from one state to its neighbour (either way), without
 * the journal's part. fresh: from pending straight to purged, on a table without rows. */
MUST_USE enum err_code arrow_build(struct migrate *m, size_t index, const struct change *change,
                                   enum mig_state from, enum mig_state to, struct work *work,
                                   struct err *err);

/* Builds and runs it with the journal's part and history; reports the step. change must be that of
 * state from. reason may be NULL. */
MUST_USE enum err_code arrow_run(struct migrate *m, size_t index, const struct change *change,
                                 enum mig_state from, enum mig_state to, const char *reason,
                                 struct json *steps, struct err *err);
/* The same for an arrow that ends long work: history gets when that began (wall clock) and its
 * rows. */
MUST_USE enum err_code arrow_run_long(struct migrate *m, size_t index, const struct change *change,
                                      enum mig_state from, enum mig_state to, int64_t started_ms,
                                      int64_t rows, struct json *steps, struct err *err);

#endif
