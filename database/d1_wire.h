/*
 * d1_wire - values as they travel to D1 and back without loss.
 *
 * JSON has one kind of number and D1 binds every one as REAL; past 2^53 digits go, in both
 * directions; text ends nowhere, but invalid UTF-8 and NUL do not survive. So integers, blobs and
 * odd text go as text with a CAST around the parameter, and every value comes back as one text that
 * names its type; a REAL comes as a number, which JSON carries whole but for the sign of -0.0. Only the files of the D1 driver include it.
 */
#ifndef DATABASE_D1_WIRE_H
#define DATABASE_D1_WIRE_H

#include "base/buf.h"
#include "base/json.h"
#include "database/database_engine.h"

/* Adds {"sql":...,"params":[...]} for a statement with parameters ?1 .. ?n. ERR_LIMIT: over D1's
 * bounds, said before anything is sent; ERR_INVALID: a parameter that was not given. */
MUST_USE enum err_code d1_wire_item(const char *sql, const struct database_value *params,
                                    size_t param_count, struct buf *out, struct err *err);

/* Adds the statement with its parameters written out, and ";", for a file that D1 takes apart itself:
 * no value of ours has a quote or a semicolon there. */
MUST_USE enum err_code d1_wire_script(const char *sql, const struct database_value *params,
                                      size_t param_count, struct buf *out, struct err *err);

/* The query as one whose columns are texts that name their type. exact: every text as hex, for what
 * did not come through as it is. malloc'd; NULL: no memory. */
char *d1_wire_select(const char *sql, size_t columns, bool exact);

/* How many columns the query's text names, or 0 where it does not tell ("*", VALUES). Only a guess:
 * the engine refuses a wrong one. */
size_t d1_wire_columns(const char *sql);

/* Whether a statement can stand inside WITH ... AS (...): PRAGMA and EXPLAIN cannot. */
bool d1_wire_wraps(const char *sql);

/* Adds the rows of one result ({"columns","rows"}). names: the query's own columns, or NULL: those of the
 * result. *odd: a text was damaged on its way, ask again with exact. typed: made by
 * d1_wire_select(); else numbers are taken as they look. */
MUST_USE enum err_code d1_wire_rows(const struct json *result, const char *const *names,
                                    size_t columns, bool typed, struct database_rows *rows,
                                    bool *odd, struct err *err);

#endif
