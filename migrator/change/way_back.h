/*
 * way_back - what an application may do to its table while both shapes live, and what would stop a
 * phased migration half-way because of it. Reads only.
 */
#ifndef MIGRATOR_WAY_BACK_H
#define MIGRATOR_WAY_BACK_H

#include "migrator/change/change.h"
#include "migrator/session/session.h"

/* ERR_CONFLICT, if the columns cannot be removed again: an index, view, trigger, generated column or
 * CHECK names an added column, or a row has NULL where NOT NULL is to hold again. The message names
 * it and what to run. */
MUST_USE enum err_code way_back_check(struct migrate *m, size_t index, const struct change *change,
                                      struct err *err);

/* Whether the way back to pending loses something that new code wrote: content of an added column that
 * does not follow from the old ones. An expression that fails on a row counts as loss. */
MUST_USE enum err_code way_back_loses(struct migrate *m, size_t index, const struct change *change,
                                      bool *out, struct err *err);

/* A condition for rows that have NULL in a dropped column that was NOT NULL before expand; "" if
 * there is no such column. restorable: only columns that new code's rows fill too. NULL: out of
 * memory. */
const char *way_back_nulls(const struct migrate *m, size_t index, const struct change *change,
                           bool restorable, struct arena *arena);

/* Whether this is an application's trigger that the migration's own updates would fire: on UPDATE
 * of the table, of no column in particular or of a dropped one. */
bool way_fires(const struct change *change, const struct shape_object *object);
/* ERR_CONFLICT: such a trigger has RAISE, which would stop the backfill or old code's writes. */
MUST_USE enum err_code way_check_triggers(const struct change *change, struct err *err);

#endif
