#include "migrator/sql/sql_function.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/nearest.h"

#define MANY 100

/* Left out on purpose: what fails (zeroblob, load_extension, json_group_*, sum), what differs from
 * one call, connection or version to the next (random, changes, sqlite_version, like, soundex), and
 * what came after 3.31 (iif, format, unixepoch, floor, sign, concat, unhex ...). */
static const struct sql_function functions[] = {
    {"abs", 1, 1, SQL_INTEGER | SQL_REAL, SQL_RULE_NONE, SQL_GUARD_MIN, 0, 1},
    {"char", 0, MANY, SQL_TEXT, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"coalesce", 2, MANY, SQL_OF_ARGUMENTS, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"date", 1, MANY, SQL_TEXT, SQL_RULE_DATE, SQL_GUARD_TIME, 0, 1},
    {"datetime", 1, MANY, SQL_TEXT, SQL_RULE_DATE, SQL_GUARD_TIME, 0, 1},
    {"hex", 1, 1, SQL_TEXT, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"ifnull", 2, 2, SQL_OF_ARGUMENTS, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"instr", 2, 2, SQL_INTEGER, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"json", 1, 1, SQL_TEXT, SQL_RULE_NONE, SQL_GUARD_JSON, 0, 1},
    {"json_array", 0, MANY, SQL_TEXT, SQL_RULE_VALUES, SQL_GUARD_NONE, 0, 0},
    {"json_array_length", 1, 2, SQL_INTEGER, SQL_RULE_PATHS, SQL_GUARD_JSON, 0, 1},
    {"json_extract", 2, MANY, SQL_INTEGER | SQL_REAL | SQL_TEXT, SQL_RULE_PATHS, SQL_GUARD_JSON, 0,
     1},
    {"json_insert", 3, MANY, SQL_TEXT, SQL_RULE_SET, SQL_GUARD_JSON, 0, 1},
    {"json_object", 0, MANY, SQL_TEXT, SQL_RULE_OBJECT, SQL_GUARD_NONE, 0, 0},
    {"json_patch", 2, 2, SQL_TEXT, SQL_RULE_NONE, SQL_GUARD_JSON, 0, 2},
    {"json_quote", 1, 1, SQL_INTEGER | SQL_REAL | SQL_TEXT, SQL_RULE_VALUES, SQL_GUARD_NONE, 0, 0},
    {"json_remove", 2, MANY, SQL_TEXT, SQL_RULE_PATHS, SQL_GUARD_JSON, 0, 1},
    {"json_replace", 3, MANY, SQL_TEXT, SQL_RULE_SET, SQL_GUARD_JSON, 0, 1},
    {"json_set", 3, MANY, SQL_TEXT, SQL_RULE_SET, SQL_GUARD_JSON, 0, 1},
    {"json_type", 1, 2, SQL_TEXT, SQL_RULE_PATHS, SQL_GUARD_JSON, 0, 1},
    {"json_valid", 1, 1, SQL_INTEGER, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"julianday", 1, MANY, SQL_REAL, SQL_RULE_DATE, SQL_GUARD_TIME, 0, 1},
    {"length", 1, 1, SQL_INTEGER, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"likely", 1, 1, SQL_OF_ARGUMENTS, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"lower", 1, 1, SQL_TEXT, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"ltrim", 1, 2, SQL_TEXT, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"max", 2, MANY, SQL_OF_ARGUMENTS, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"min", 2, MANY, SQL_OF_ARGUMENTS, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"nullif", 2, 2, SQL_OF_ARGUMENTS, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"printf", 1, MANY, SQL_TEXT, SQL_RULE_PRINTF, SQL_GUARD_NONE, 0, 0},
    {"quote", 1, 1, SQL_TEXT, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"replace", 3, 3, SQL_TEXT, SQL_RULE_REPLACE, SQL_GUARD_NONE, 0, 0},
    {"round", 1, 2, SQL_REAL, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"rtrim", 1, 2, SQL_TEXT, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"strftime", 2, MANY, SQL_TEXT, SQL_RULE_DATE, SQL_GUARD_TIME, 1, 2},
    {"substr", 2, 3, SQL_TEXT | SQL_BLOB, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"time", 1, MANY, SQL_TEXT, SQL_RULE_DATE, SQL_GUARD_TIME, 0, 1},
    {"trim", 1, 2, SQL_TEXT, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"typeof", 1, 1, SQL_TEXT, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"unicode", 1, 1, SQL_INTEGER, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"unlikely", 1, 1, SQL_OF_ARGUMENTS, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
    {"upper", 1, 1, SQL_TEXT, SQL_RULE_NONE, SQL_GUARD_NONE, 0, 0},
};

#define FUNCTIONS (sizeof functions / sizeof functions[0])

const struct sql_function *sql_function_find(struct str name)
{
    for (size_t i = 0; i < FUNCTIONS; i++) {
        if (strlen(functions[i].name) == name.len &&
            strncasecmp(functions[i].name, name.at, name.len) == 0) {
            return &functions[i];
        }
    }
    return NULL;
}

const char *sql_function_nearest(struct str name)
{
    const char *names[FUNCTIONS];
    char word[40];

    (void)snprintf(word, sizeof word, "%.*s", (int)(name.len < 39 ? name.len : 39), name.at);
    for (size_t i = 0; i < FUNCTIONS; i++) {
        names[i] = functions[i].name;
    }
    return nearest_name(word, names, FUNCTIONS);
}
