/*
 * table_text - a CREATE TABLE statement edited token by token, everything else kept byte by byte.
 * Pure.
 */
#ifndef MIGRATOR_TABLE_TEXT_H
#define MIGRATOR_TABLE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

/* Finds column's definition, from its name to what precedes the ',' or ')' behind it, borrowed from
 * sql. false: no such column. */
bool table_text_column(struct str sql, const char *column, struct str *definition);
/* Whether the definition's name stands there without quotes. */
bool table_text_bare_name(struct str definition);

/* Writes the definition without its NOT NULL (and that constraint's name and conflict clause) into
 * out. false: it has none, out is untouched. */
bool table_text_loosen(struct str definition, struct buf *out);

/* The DEFAULT of a definition, as written; NULL: it has none, or memory ran out. */
const char *table_text_default(struct str definition, struct arena *arena);
/* Writes the CHECKs of a definition, each in its parentheses, joined by AND; nothing if it has
 * none. */
void table_text_checks(struct str definition, struct buf *out);

/* Writes sql with a piece of it (borrowed from it) replaced. */
void table_text_replace(struct str sql, struct str piece, struct str with, struct buf *out);
/* Writes sql without a column's definition and the comma before (or, for the first, behind) it. */
void table_text_remove(struct str sql, struct str definition, struct buf *out);

bool table_text_without_rowid(struct str sql);
bool table_text_strict(struct str sql);

/* Whether a CHECK, a generated column or another parenthesised expression behind CHECK, AS or
 * DEFAULT names the column. */
bool table_text_expression_names(struct str sql, const char *column);

/* How many characters (not bytes) of UTF-8 text there are: what SQL's substr() counts. */
size_t table_text_characters(const char *at, size_t bytes);

#endif
