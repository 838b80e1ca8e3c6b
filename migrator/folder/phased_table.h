/*
 * phased_table - the members of a migration.json that concern whole tables, and "needs".
 *
 *     {"create_table": "CREATE TABLE note(...)"}        or an array: the table, then its indexes
 *     {"drop_table": "note"}
 *     {"table": "note", "rename_table": "remark", "rename_indexes": {"note_by_day": "remark_by_day"}}
 *
 *     {"table": "note", "handwritten": true}            the SQL is in files (handwritten.h)
 *
 * Pure: what can be known without the database.
 */
#ifndef MIGRATOR_PHASED_TABLE_H
#define MIGRATOR_PHASED_TABLE_H

#include "base/json.h"
#include "migrator/folder/phased.h"

/* Reads them into *phased, and sets its kind and, for what is not a change of columns, its table.
 * ERR_INVALID: a wrong kind of value, two operations at once, a statement that is not what it
 * should be. Everything lives in the arena. */
MUST_USE enum err_code phased_table_read(const struct json *json, struct arena *arena,
                                         struct phased *phased, struct err *err);

/* Whether the migration has this table in hand: its own, and the one that it is renamed to. */
bool phased_touches(const struct phased *phased, const char *table);
/* Whether two migrations have a table in common. */
bool phased_share_table(const struct phased *a, const struct phased *b);

#endif
