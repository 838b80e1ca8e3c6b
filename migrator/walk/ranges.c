#include "migrator/walk/ranges.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the key as SQL ---- */

static void add_name(const struct shape *shape, size_t i, struct buf *sql)
{
    if (shape->without_rowid) {
        buf_sql_name(sql, str_of(shape->key[i]));
    } else {
        buf_text(sql, shape->key[i]); /* "rowid" in quotes would be text where there is none */
    }
}

/* A column as the index orders it. */
static void add_ordered(const struct shape *shape, size_t i, struct buf *sql)
{
    add_name(shape, i, sql);
    if (shape->key_collation != NULL && shape->key_collation[i] != NULL) {
        buf_text(sql, " COLLATE ");
        buf_sql_name(sql, str_of(shape->key_collation[i]));
    }
}

/* Whether a column runs against the first one: as a whole a key is taken upwards. */
static bool is_down(const struct shape *shape, size_t i)
{
    return shape->key_down != NULL && shape->key_down[i] != shape->key_down[0];
}

static bool one_way(const struct shape *shape)
{
    for (size_t i = 1; i < shape->key_count; i++) {
        if (is_down(shape, i)) {
            return false;
        }
    }
    return true;
}

/* Whether row values are compared, which an index serves only if all its columns run the same way
 * and are compared as they are. */
static bool by_row_value(const struct shape *shape)
{
    for (size_t i = 0; i < shape->key_count && shape->key_collation != NULL; i++) {
        if (shape->key_collation[i] != NULL) {
            return false;
        }
    }
    return one_way(shape);
}

void range_key_columns(const struct shape *shape, struct buf *sql)
{
    for (size_t i = 0; i < shape->key_count; i++) {
        buf_text(sql, i > 0 ? ", " : "");
        add_name(shape, i, sql);
    }
}

static void add_order(const struct shape *shape, struct buf *sql)
{
    for (size_t i = 0; i < shape->key_count; i++) {
        buf_text(sql, i > 0 ? ", " : " ORDER BY ");
        add_ordered(shape, i, sql);
        buf_text(sql, is_down(shape, i) ? " DESC" : "");
    }
}

/* "(a, b) > (?1, ?2)" */
static void add_row_value(const struct shape *shape, const char *operator, size_t first,
                          struct buf *sql)
{
    const char *open = shape->key_count > 1 ? "(" : "", *close = shape->key_count > 1 ? ")" : "";

    buf_print(sql, " AND %s", open);
    for (size_t i = 0; i < shape->key_count; i++) {
        buf_text(sql, i > 0 ? ", " : "");
        add_ordered(shape, i, sql);
    }
    buf_print(sql, "%s %s %s", close, operator, open);
    for (size_t i = 0; i < shape->key_count; i++) {
        buf_print(sql, "%s?%zu", i > 0 ? ", " : "", first + i);
    }
    buf_text(sql, close);
}

/* Otherwise: a >= ?1 AND (a > ?1 OR (a = ?1 AND (b < ?2 OR ...))). The first term
 * says nothing new; it is what the index is entered by. */
static void add_mixed(const struct shape *shape, bool behind, size_t first, struct buf *sql)
{
    size_t last = shape->key_count - 1;

    buf_text(sql, " AND ");
    add_ordered(shape, 0, sql);
    buf_print(sql, " %s= ?%zu AND (", behind != is_down(shape, 0) ? ">" : "<", first);
    for (size_t i = 0; i <= last; i++) {
        add_ordered(shape, i, sql);
        buf_print(sql, " %s%s ?%zu", behind != is_down(shape, i) ? ">" : "<",
                  i == last && !behind ? "=" : "", first + i);
        if (i < last) {
            buf_text(sql, " OR (");
            add_ordered(shape, i, sql);
            buf_print(sql, " = ?%zu AND (", first + i);
        }
    }
    for (size_t i = 0; i < 2 * last + 1; i++) {
        buf_char(sql, ')');
    }
}

size_t range_condition(const struct range *range, struct buf *sql,
                       struct database_value params[RANGE_PARAMS_MAX])
{
    const struct place *places[] = {range->after, range->up_to};
    bool row_value = by_row_value(range->shape);
    size_t count = 0;

    for (size_t k = 0; k < 2; k++) {
        if (places[k] == NULL) {
            continue;
        }
        if (row_value) {
            add_row_value(range->shape, k == 0 ? ">" : "<=", count + 1, sql);
        } else {
            add_mixed(range->shape, k == 0, count + 1, sql);
        }
        for (size_t i = 0; i < places[k]->count; i++) {
            params[count++] = places[k]->values[i];
        }
    }
    return count;
}

/* ---- pieces ---- */

enum err_code range_start(struct range *range, const struct shape *shape, const char *place,
                          struct err *err)
{
    *range = (struct range){.shape = shape};
    if (shape->key_count > RANGE_KEY_MAX) {
        return err_set(err, ERR_INVALID, "the key of \"%.80s\" has %zu columns; %u are supported",
                       shape->table, shape->key_count, RANGE_KEY_MAX);
    }
    if (place != NULL) {
        range->up_to = place_read(place, shape->key_count); /* the first piece begins behind it */
    }
    return ERR_OK;
}

/* Runs "SELECT columns FROM table WHERE 1 ... rest" over the piece. */
static enum err_code select_in(const struct range *range, struct database *db, struct buf *select,
                               const char *rest, struct database_rows **out, struct err *err)
{
    struct database_value params[RANGE_PARAMS_MAX];
    size_t count;
    enum err_code rc;

    buf_text(select, " FROM ");
    buf_sql_name(select, str_of(range->shape->table));
    buf_text(select, " WHERE 1");
    count = range_condition(range, select, params);
    buf_text(select, rest);
    rc = buf_failed(select) ? err_set(err, ERR_NOMEM, "out of memory")
                            : database_query(db, buf_cstr(select), params, count, out, err);
    buf_fini(select);
    return rc;
}

/* The rows-th key behind range->after becomes up_to; the end of the table if there are fewer. */
static enum err_code choose(struct range *range, struct database *db, int64_t rows, struct err *err)
{
    struct range open = {.shape = range->shape, .after = range->after};
    struct database_rows *result = NULL;
    struct buf sql = {0}, rest = {0};
    enum err_code rc;

    buf_text(&sql, "SELECT ");
    range_key_columns(range->shape, &sql);
    add_order(range->shape, &rest);
    buf_print(&rest, " LIMIT 1 OFFSET %lld", (long long)(rows > 1 ? rows - 1 : 0));
    rc = select_in(&open, db, &sql, buf_cstr(&rest), &result, err);
    buf_fini(&rest);
    if (rc) {
        return rc;
    }
    free(range->up_to);
    range->up_to = NULL;
    range->last = database_rows_count(result) == 0; /* fewer than that are left: all of them */
    if (!range->last) {
        range->up_to = place_of_row(result, 0, range->shape->key_count);
        rc = range->up_to != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
    }
    database_rows_free(result);
    return rc;
}

enum err_code range_next(struct range *range, struct database *db, int64_t rows, bool *more,
                         struct err *err)
{
    *more = !range->last;
    if (range->last) {
        return ERR_OK;
    }
    free(range->after);
    range->after = range->up_to;
    range->up_to = NULL;
    return choose(range, db, rows, err);
}

enum err_code range_shrink(struct range *range, struct database *db, int64_t rows, struct err *err)
{
    return choose(range, db, rows, err);
}

/* Numbers are short, and to measure them as text is not for nothing. */
static bool may_be_long(const struct shape_column *column)
{
    static const char *const numbers[] = {"INT", "REAL", "FLOA", "DOUB", "NUM", "DEC", "BOOL"};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcasestr(column->type, numbers[i]) != NULL) {
            return false;
        }
    }
    return !column->generated;
}

#define SUM_TERMS 32

enum err_code range_measure(const struct range *range, struct database *db, int64_t *rows,
                            int64_t *bytes, struct err *err)
{
    struct database_rows *result = NULL;
    struct buf sql = {0};
    size_t terms = 0;
    enum err_code rc;

    buf_text(&sql, "SELECT count(*), coalesce(sum((0");
    for (size_t i = 0; i < range->shape->count; i++) {
        if (may_be_long(&range->shape->columns[i])) {
            /* An expression may be 1000 deep, on D1 100, and a sum is as deep as it is long. */
            buf_text(&sql, ++terms % SUM_TERMS == 0 ? ") + (0 + " : " + ");
            buf_text(&sql, "coalesce(length(CAST(");
            buf_sql_name(&sql, str_of(range->shape->columns[i].name));
            buf_text(&sql, " AS BLOB)), 0)");
        }
    }
    buf_text(&sql, ")), 0)");
    rc = select_in(range, db, &sql, "", &result, err);
    if (rc == ERR_OK) {
        *rows = database_rows_int(result, 0, 0, 0);
        *bytes = database_rows_int(result, 0, 1, 0);
        database_rows_free(result);
    }
    return rc;
}

void range_fini(struct range *range)
{
    free(range->after);
    free(range->up_to);
    *range = (struct range){0};
}
