/*
 * aside - the application's views and triggers step aside while a table is altered.
 *
 * ALTER TABLE ... RENAME and DROP COLUMN read every view and trigger of the file, and rewrite what
 * names the column, in a time that grows with the square of the longest of them: 1.4 s under the
 * write lock for a trigger of 120 kB. They also refuse to work while one of them cannot be read,
 * whatever table it is about.
 *
 * So those that have no say in it leave sqlite_master for these statements, and the same rows come
 * back byte by byte at the same places, in the same transaction. What reads the table and names a
 * renamed column stays, for the engine to rewrite or to refuse. What reads the table and went aside
 * is compiled before COMMIT if it could be compiled before: nothing that worked stops working.
 */
#ifndef MIGRATOR_ASIDE_H
#define MIGRATOR_ASIDE_H

#include "migrator/session/work.h"

/* For a work whose statements are generated (none makes or drops what is not ours). Work that alters
 * nothing, or that nobody's view or trigger is in the way of, stays as it is. Where sqlite_master
 * cannot be written, only what cannot be read steps aside (unreadable.h). */
MUST_USE enum err_code aside_step(struct database *db, struct work *work, struct err *err);
/* The same on an engine that is known to be SQLite itself, whatever its probe answers. */
MUST_USE enum err_code aside_around(struct database *db, struct work *work, struct err *err);

/* About how many milliseconds the schema's own size adds to the hold of this work, before aside_step()
 * has changed it; 0 for an ordinary schema. */
MUST_USE enum err_code aside_estimate(struct database *db, const struct work *work, double *out,
                                      struct err *err);

/* After work was refused: whether the schema is not the one any more that it was made for. */
bool aside_is_stale(struct database *db, const struct work *work);

#endif
