/*
 * sql_function - the SQL functions that an expression of a migration may call: those of SQLite 3.31
 * that give the same value for the same arguments every time and, called as written here, never an
 * error. A statement of the application fires the triggers that call them, so one that can fail
 * would make the application's statement fail.
 */
#ifndef MIGRATOR_SQL_FUNCTION_H
#define MIGRATOR_SQL_FUNCTION_H

#include <stddef.h>

#include "base/str.h"

/* Storage classes that a value can have, NULL aside. */
enum sql_class {
    SQL_INTEGER = 1,
    SQL_REAL = 2,
    SQL_TEXT = 4,
    SQL_BLOB = 8,
    SQL_ANY = 15,
    SQL_OF_ARGUMENTS = 16 /* a function gives one of its arguments */
};

/* What its arguments must be besides. */
enum sql_rule {
    SQL_RULE_NONE,
    SQL_RULE_DATE,   /* what follows the time: literals, none of them 'now' or of a time zone */
    SQL_RULE_PATHS,  /* what follows the document: simple paths, as literals */
    SQL_RULE_SET,    /* path, value, path, value ... behind the document */
    SQL_RULE_VALUES, /* values that JSON can hold: not BLOB */
    SQL_RULE_OBJECT, /* label, value, label, value ... */
    SQL_RULE_PRINTF, /* a literal format without '*' */
    SQL_RULE_REPLACE /* a literal replacement that cannot make a text much longer */
};

/* How an argument is written so that the call cannot fail. */
enum sql_guard {
    SQL_GUARD_NONE,
    SQL_GUARD_JSON, /* NULL where it is no JSON */
    SQL_GUARD_MIN,  /* NULL where it is the least integer, which has no absolute value */
    SQL_GUARD_TIME  /* NULL where it is 'now' */
};

struct sql_function {
    const char *name;
    size_t args_min, args_max;
    unsigned result; /* of enum sql_class */
    enum sql_rule rule;
    enum sql_guard guard;
    size_t guarded_from, guarded_to; /* arguments that the guard is for */
};

/* NULL: it is none of them. */
const struct sql_function *sql_function_find(struct str name);
/* The nearest of their names, or NULL. */
const char *sql_function_nearest(struct str name);

#endif
