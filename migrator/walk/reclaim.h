/*
 * reclaim - what a purge left behind in a large table, empty set-aside columns, goes afterwards when
 * somebody asks for it: the rows are written anew, and the write lock is held meanwhile.
 */
#ifndef MIGRATOR_RECLAIM_H
#define MIGRATOR_RECLAIM_H

#include "base/json.h"
#include "migrator/session/session.h"

/* Whether a purged migration left columns in its table. */
MUST_USE enum err_code reclaim_is_due(struct migrate *m, size_t index, bool *out, struct err *err);
/* Removes them, if there are any, and adds a step. ERR_CONFLICT: another migration has the table in
 * hand, somebody has filled them, or the engine cannot remove columns. */
MUST_USE enum err_code reclaim_run(struct migrate *m, size_t index, struct json *steps,
                                   struct err *err);

#endif
