/*
 * compiled - the statement that has the engine compile a view, or a trigger with its whole body,
 * without running anything: what it says of one that is broken, the application would be told.
 */
#ifndef MIGRATOR_COMPILED_H
#define MIGRATOR_COMPILED_H

#include "base/arena.h"
#include "database/database.h"
#include "database/sql_scan.h"

/* For database_check(), and as a statement of a batch. except: columns that the statement may not
 * name, because they are altered; a trigger that only UPDATE OF them sets off is not compiled. Triggers
 * of one table and event have the same text. NULL: out of memory. */
const char *compiled_check(struct database *db, const char *type, const char *name,
                           const char *table, const char *sql, const char *const *except,
                           size_t except_count, struct arena *arena);

/* INSERT, DELETE or UPDATE of a trigger; scan goes on behind it. */
struct sql_token compiled_event(const char *sql, struct sql_scan *scan);

#endif
