/*
 * default_value - what a column's DEFAULT leaves in a row, as an expression.
 *
 *     default_value_stored("plain", "TEXT", arena)       'plain'
 *     default_value_stored("'7'", "INT", arena)          CAST('7' AS NUMERIC)
 *     default_value_stored("(random())", "INT", arena)   NULL
 *
 * Pure functions; any thread.
 */
#ifndef MIGRATOR_DEFAULT_VALUE_H
#define MIGRATOR_DEFAULT_VALUE_H

#include "base/arena.h"

/* text: of a DEFAULT, as pragma_table_info tells it. The expression reads no column, calls nothing
 * that could fail, and gives what is stored in a column of this type, wherever it stands: a trigger
 * compares NEW.column without the column's affinity. NULL: there is no DEFAULT, or no such
 * expression. */
const char *default_value_stored(const char *text, const char *type, struct arena *arena);

/* SQLite's rules: "INTEGER", "TEXT", "BLOB", "REAL", "NUMERIC" for a declared type (NULL: none). */
const char *default_value_affinity(const char *type);

#endif
