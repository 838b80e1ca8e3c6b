/*
 * walk_table - a migration of a whole table: the long work between its arrows, and its way back.
 *
 * The walk hands over to it where change->table is set.
 */
#ifndef MIGRATOR_WALK_TABLE_H
#define MIGRATOR_WALK_TABLE_H

#include "migrator/change/change.h"
#include "migrator/session/session.h"

/* What must be done in many small batches before an arrow can be one short transaction: the table
 * that the arrow drops is emptied. Before a purge it first writes down that there is no way back
 * from here on. */
MUST_USE enum err_code table_prepare(struct migrate *m, size_t index, const struct change *change,
                                     enum mig_state from, enum mig_state to, struct err *err);

/* Whether a purge has begun. */
bool table_purge_begun(const struct migrate *m, size_t index);

/* Before the first step back, what would stop it: a purge that has begun; rows in a created table
 * that would be lost. */
MUST_USE enum err_code table_way_back_check(struct migrate *m, size_t index,
                                            const struct change *change, enum mig_state to,
                                            struct err *err);

/* The statement that empties what a purge removes, for plan; NULL: nothing. */
const char *table_emptying(const struct change *change, struct arena *arena);

#endif
