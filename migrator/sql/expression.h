/*
 * expression - the SQL expressions that a migration.json holds: what they may say, which columns
 * they name, and what they give. Works on tokens; the engine itself judges the rest.
 *
 * What passes expression_check() and is written by expression_write() never fails, whatever a row
 * holds: the statements of an application fire triggers that evaluate it, and no order of
 * evaluation is promised that would let one part of a condition protect another.
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
    const unsigned *classes;    /* what each can hold (enum sql_class), or NULL: anything */
    size_t count;
};

/* ERR_INVALID: it is not one expression over this row alone that gives the same value every time: a
 * statement's end, a parameter, a sub-query, a function that is not one of sql_function.h's, LIKE
 * (it hangs on a pragma), a quoted name that is no column, rowid. */
MUST_USE enum err_code expression_check(const char *text, const struct expression_names *names,
                                        struct err *err);
/* The same for a CHECK, which may say LIKE. */
MUST_USE enum err_code expression_check_constraint(const char *text,
                                                   const struct expression_names *names,
                                                   struct err *err);

/* The storage classes that its values can have, NULL aside, as far as its text shows; SQL_ANY of
 * sql_function.h where it does not. */
unsigned expression_classes(const char *text, const struct expression_names *names);

/* Whether it names the column. */
bool expression_uses(const char *text, const char *column);
/* Whether it is a column's name and nothing else. */
bool expression_is(const char *text, const char *column);

/* Whether it fails on some rows unless expression_write() has written it. */
bool expression_may_fail(const char *text);

/* Writes it with each column quoted, under the name it has now, and prefix ("OLD.", "NEW.", "") in
 * front; and with what would make a function fail turned into NULL: text that is no JSON, the least
 * integer for abs(), 'now' as a time. */
void expression_write(const char *text, const struct expression_names *names, const char *prefix,
                      struct buf *out);

#endif
