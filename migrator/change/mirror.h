/*
 * mirror - two tables of one shape kept equal by triggers, filled and compared.
 *
 * A row's counterpart has the same key: the rowid, or a WITHOUT ROWID table's primary key. A trigger
 * acts only where the counterpart is not equal already, so that what it writes there finds nothing
 * left to do on the way back. Before a row is written, rows of the other table that have one of its
 * UNIQUE keys under another key are deleted: REPLACE took them away here and fires no trigger for
 * that. No statement has a conflict clause, as the application's would override it.
 */
#ifndef MIGRATOR_MIRROR_H
#define MIGRATOR_MIRROR_H

#include "migrator/change/table_change.h"

/* Writes triggers and statements of change->table between old_now and new_name. set_aside: nobody
 * writes the old table any more, so there are only the triggers on the new one. */
MUST_USE enum err_code mirror_write(struct change *change, struct arena *arena, struct err *err);

/* Triggers that record each write to a table, and no more. */
MUST_USE enum err_code mirror_record(struct change *change, struct arena *arena, struct err *err);

#endif
