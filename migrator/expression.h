/*
 * expression - the SQL expressions that a migration.json holds: what they may say, and which
 * columns they name. Works on tokens; the engine itself judges the rest.
 */
#ifndef MIGRATOR_EXPRESSION_H
#define MIGRATOR_EXPRESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

/* Where the names in an expression come from: names[i] may be written as written[i] instead (NULL:
 * as it is). */
struct expression_names {
    const char *const *names;
    const char *const *written; /* or NULL: all as they are */
    size_t count;
};

/* ERR_INVALID: it is not one expression over this row alone: a statement's end, a parameter, a
 * sub-query, a function that answers differently each time, a quoted name that is no column. */
MUST_USE enum err_code expression_check(const char *text, const struct expression_names *names,
                                        struct err *err);

/* Whether it names the column. */
bool expression_uses(const char *text, const char *column);

/* Writes it with each column quoted, under the name it has now, and prefix ("OLD.", "NEW.", "") in
 * front. */
void expression_write(const char *text, const struct expression_names *names, const char *prefix,
                      struct buf *out);

#endif
