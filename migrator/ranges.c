#include "migrator/ranges.h"

#include <stdlib.h>
#include <string.h>

static void add_key(const struct shape *shape, struct buf *sql)
{
    buf_text(sql, shape->key_count > 1 ? "(" : "");
    for (size_t i = 0; i < shape->key_count; i++) {
        buf_text(sql, i > 0 ? ", " : "");
        if (shape->without_rowid) {
            buf_sql_name(sql, str_of(shape->key[i]));
        } else {
            buf_text(sql, shape->key[i]);
        }
    }
    buf_text(sql, shape->key_count > 1 ? ")" : "");
}

static void add_place(const struct shape *shape, const char *place, struct buf *sql)
{
    buf_text(sql, shape->key_count > 1 ? "(" : "");
    buf_text(sql, place);
    buf_text(sql, shape->key_count > 1 ? ")" : "");
}

enum err_code range_start(struct range *range, const struct shape *shape, const char *place,
                          struct err *err)
{
    *range = (struct range){.shape = shape};
    if (place != NULL) {
        range->up_to = strdup(place); /* the first piece begins behind it */
        if (range->up_to == NULL) {
            return err_set(err, ERR_NOMEM, "out of memory");
        }
    }
    return ERR_OK;
}

enum err_code range_next(struct range *range, struct database *db, int64_t rows, bool *more,
                         struct err *err)
{
    const struct shape *shape = range->shape;
    struct database_rows *result = NULL;
    struct buf sql = {0};
    enum err_code rc;

    *more = !range->last;
    if (range->last) {
        return ERR_OK;
    }
    free(range->after);
    range->after = range->up_to;
    range->up_to = NULL;
    buf_text(&sql, "SELECT ");
    for (size_t i = 0; i < shape->key_count; i++) {
        buf_text(&sql, i > 0 ? " || ',' || quote(" : "quote(");
        if (shape->without_rowid) {
            buf_sql_name(&sql, str_of(shape->key[i]));
        } else {
            buf_text(&sql, shape->key[i]);
        }
        buf_char(&sql, ')');
    }
    buf_text(&sql, " FROM ");
    buf_sql_name(&sql, str_of(shape->table));
    buf_text(&sql, " WHERE 1");
    range_condition(range, &sql);
    buf_text(&sql, " ORDER BY ");
    for (size_t i = 0; i < shape->key_count; i++) {
        buf_text(&sql, i > 0 ? ", " : "");
        if (shape->without_rowid) {
            buf_sql_name(&sql, str_of(shape->key[i]));
        } else {
            buf_text(&sql, shape->key[i]);
        }
    }
    buf_print(&sql, " LIMIT 1 OFFSET %lld", (long long)(rows - 1));
    rc = database_query(db, buf_cstr(&sql), NULL, 0, &result, err);
    buf_fini(&sql);
    if (rc) {
        return rc;
    }
    if (database_rows_count(result) == 0) {
        range->last = true; /* fewer than that are left: all of them */
    } else {
        const char *place = database_rows_text(result, 0, 0);
        range->up_to = strdup(place != NULL ? place : "");
        if (range->up_to == NULL) {
            rc = err_set(err, ERR_NOMEM, "out of memory");
        } else if (range->after != NULL && strcmp(range->after, range->up_to) == 0) {
            rc = err_set(err, ERR_INVALID,
                         "the key %.80s of \"%.60s\" cannot be written as SQL (does it hold a NUL "
                         "byte?)",
                         range->up_to, shape->table);
        }
    }
    database_rows_free(result);
    return rc;
}

void range_condition(const struct range *range, struct buf *sql)
{
    if (range->after != NULL) {
        buf_text(sql, " AND ");
        add_key(range->shape, sql);
        buf_text(sql, " > ");
        add_place(range->shape, range->after, sql);
    }
    if (range->up_to != NULL) {
        buf_text(sql, " AND ");
        add_key(range->shape, sql);
        buf_text(sql, " <= ");
        add_place(range->shape, range->up_to, sql);
    }
}

void range_fini(struct range *range)
{
    free(range->after);
    free(range->up_to);
    *range = (struct range){0};
}
