/*
 * removal - how a column leaves a table. DROP COLUMN writes every row anew while the write lock is
 * held, about a millisecond for a thousand rows: on a large table that is asked for, or not done.
 *
 * Purge empties the set-aside columns in batches instead, and leaves them there, NULL in every row
 * and without an index; a rollback that has to remove columns is refused, with the number.
 */
#ifndef MIGRATOR_REMOVAL_H
#define MIGRATOR_REMOVAL_H

#include "migrator/change/change.h"
#include "migrator/session/session.h"
#include "migrator/walk/backfill.h"
#include "migrator/walk/walk.h"

/* Measured on SQLite 3.40, WAL, one million rows of 200 bytes: DROP COLUMN 1.0 s. A file that is not
 * cached takes longer. */
#define REMOVAL_ROWS_PER_MS 1000.0

/* About how long the write lock is held while a table of so many rows is written anew. */
double removal_hold_ms(int64_t rows);
/* Whether that is more than others are promised: 50 ms, and 1 ms for 100,000 rows. */
bool removal_is_long(int64_t rows);

/* Before purge: whether the set-aside columns stay, as the table is too large and nobody asked for
 * its rewriting; then they are emptied. What was begun by a killed run goes on, and closes the way
 * back. */
MUST_USE enum err_code removal_prepare(struct migrate *m, size_t index, const struct change *change,
                                       bool rewrite, bool *stay, struct backfill_result *result,
                                       struct err *err);
/* Whether a purge of columns has begun that did not come to its end. */
bool removal_begun(const struct migrate *m, size_t index);

/* The last arrow of a way back removes the added columns, and on a large table holds the lock for
 * long. Unless that was asked for, request->to becomes expanded, where old code does not see them,
 * and *left says why. ERR_CONFLICT: pending was named, or it is expanded already; or a purge has
 * begun. */
MUST_USE enum err_code removal_check_back(struct migrate *m, size_t index,
                                          const struct change *change, struct walk_request *request,
                                          const char **left, struct arena *arena, struct err *err);

#endif
