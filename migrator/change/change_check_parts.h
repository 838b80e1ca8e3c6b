/*
 * change_check_parts - what the sources of change_check() share. For change_check*.c alone.
 */
#ifndef MIGRATOR_CHANGE_CHECK_PARTS_H
#define MIGRATOR_CHANGE_CHECK_PARTS_H

#include "migrator/change/change_parts.h"

struct checking {
    struct database *db;
    const struct change *change;
    bool expanded;
    struct arena *arena;
    struct err *err;
};

bool check_is_added(const struct checking *c, const char *name);
bool check_is_dropped(const struct checking *c, const char *name);

/* ---- change_check_drop.c ---- */

MUST_USE enum err_code check_drop(const struct checking *c, size_t i);
/* A query with a table's and a column's name as parameters: whether it gives no row. */
MUST_USE enum err_code check_no_rows(const struct checking *c, const char *sql, const char *table,
                                     const char *column, bool *none);
/* refuse says it, if the column is part of a UNIQUE, of a FOREIGN KEY or of what one refers to. */
MUST_USE enum err_code check_keys(const struct checking *c, const char *column,
                                  enum err_code (*refuse)(const struct checking *, const char *,
                                                          const char *));
/* ERR_INVALID, with the nearest name that there is. */
MUST_USE enum err_code check_no_column(const struct checking *c, const char *name);

/* ---- change_check_sql.c ---- */

MUST_USE enum err_code check_expressions(const struct checking *c);
MUST_USE enum err_code check_indexes(const struct checking *c);

#endif
