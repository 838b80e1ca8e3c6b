/*
 * shape - a table as it is: columns, key, text, and what else names its columns. Reads only.
 */
#ifndef MIGRATOR_SHAPE_H
#define MIGRATOR_SHAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "database/database.h"

struct shape_column {
    const char *name, *type;
    bool not_null, has_default, generated;
    int primary_key; /* place in the primary key, from 1; 0: not in it */
    const char
        *default_value; /* of the DEFAULT, an expression that gives the same value wherever it
                                  stands; NULL: there is none, or it cannot be said so */
};

struct shape_object {              /* an index, trigger or view */
    const char *type, *name, *sql; /* sql "" for an index that a constraint made */
};

struct shape {
    const char *table; /* as it was created */
    const char *sql;
    struct shape_column *columns;
    size_t count;
    const char **key; /* the columns that a row is found by; rowid's usable name, or the key */
    size_t key_count;
    const char **key_collation; /* of the key's own index; NULL, all or one: that of the column */
    bool *key_down;             /* DESC in it; NULL: none is */
    bool without_rowid;
    bool strict;                  /* a value of another type than the column's is an error */
    struct shape_object *objects; /* indexes of the table; all triggers and views */
    size_t object_count;
};

/* ERR_NOT_FOUND: no such table. ERR_INVALID: a view or a virtual table, or no way to find a row. */
MUST_USE enum err_code shape_read(struct database *db, const char *table, struct arena *arena,
                                  struct shape *out, struct err *err);
/* The storage classes (enum sql_class) that a column of this type can hold in this table. */
unsigned shape_classes(const struct shape *shape, const char *type);
/* The same for a table that has one of our names, because it was set aside. */
MUST_USE enum err_code shape_read_aside(struct database *db, const char *table, struct arena *arena,
                                        struct shape *out, struct err *err);
bool shape_is_autoincrement(const struct shape *shape);
const struct shape_column *shape_column(const struct shape *shape, const char *name);

/* Whether the table has a row. */
MUST_USE enum err_code shape_has_rows(struct database *db, const char *table, bool *out,
                                      struct err *err);
MUST_USE enum err_code shape_count_rows(struct database *db, const char *table, int64_t *out,
                                        struct err *err);

#endif
