#include "migrator/sql/shape.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "database/sql_scan.h"
#include "migrator/sql/default_value.h"
#include "migrator/sql/sql_function.h"
#include "migrator/sql/table_text.h"

static const char *keep(struct arena *arena, const struct database_rows *rows, size_t row,
                        size_t column)
{
    const char *text = database_rows_text(rows, row, column);

    return arena_text(arena, text != NULL ? text : "", text != NULL ? strlen(text) : 0);
}

static enum err_code read_text(struct database *db, const char *table, bool aside,
                               struct arena *arena, struct shape *out, struct err *err)
{
    struct database_value param = database_text(table);
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        db,
        "SELECT name, sql, type FROM sqlite_master WHERE type IN ('table', 'view') AND lower(name) "
        "= lower(?1)",
        &param, 1, &rows, err);

    if (rc) {
        return rc;
    }
    if (database_rows_count(rows) == 0) {
        /* ERR_INVALID: what was written in the migration is wrong. */
        rc = err_set(err, ERR_INVALID, "there is no table \"%.80s\"", table);
    } else if (strcmp(database_rows_text(rows, 0, 2), "table") != 0) {
        rc = err_set(err, ERR_INVALID, "\"%.80s\" is a view, not a table", table);
    } else {
        out->table = keep(arena, rows, 0, 0);
        out->sql = keep(arena, rows, 0, 1);
        if (out->table == NULL || out->sql == NULL) {
            rc = err_set(err, ERR_NOMEM, "out of memory");
        } else if (strncasecmp(out->sql, "CREATE VIRTUAL", 14) == 0 ||
                   strncasecmp(out->table, "sqlite_", 7) == 0 ||
                   (!aside && strncasecmp(out->table, "lockstep_", 9) == 0)) {
            rc = err_set(err, ERR_INVALID, "\"%.80s\" is no ordinary table", table);
        }
    }
    database_rows_free(rows);
    return rc;
}

static enum err_code read_columns(struct database *db, struct arena *arena, struct shape *out,
                                  struct err *err)
{
    struct database_value param = database_text(out->table);
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        db,
        "SELECT name, type, \"notnull\", dflt_value IS NOT NULL, hidden, pk, dflt_value "
        "FROM pragma_table_xinfo(?1) ORDER BY cid",
        &param, 1, &rows, err);

    if (rc) {
        return rc;
    }
    out->count = database_rows_count(rows);
    out->columns = arena_zero(arena, out->count + 1, sizeof *out->columns);
    for (size_t i = 0; out->columns != NULL && i < out->count; i++) {
        out->columns[i] = (struct shape_column){
            .name = keep(arena, rows, i, 0),
            .type = keep(arena, rows, i, 1),
            .not_null = database_rows_int(rows, i, 2, 0) != 0,
            .has_default = database_rows_int(rows, i, 3, 0) != 0,
            .generated = database_rows_int(rows, i, 4, 0) != 0,
            .primary_key = (int)database_rows_int(rows, i, 5, 0),
            .default_value = default_value_stored(database_rows_text(rows, i, 6),
                                                  database_rows_text(rows, i, 1), arena),
        };
    }
    database_rows_free(rows);
    return out->columns != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

/* The collation that a column is compared with where nothing else is said: "BINARY" if its
 * definition names none. */
static bool has_collation(const struct shape *shape, const char *column, const char *collation)
{
    struct str definition = {0};
    struct sql_scan scan;
    struct sql_token token;
    bool named = false, same = strcasecmp(collation, "BINARY") == 0;

    if (!table_text_column(str_of(shape->sql), column, &definition)) {
        return false;
    }
    scan = sql_scan_start(definition);
    while (sql_scan_next(&scan, &token)) {
        if (named) {
            same = sql_token_names(&token, collation);
        }
        named = sql_token_is(&token, "COLLATE");
    }
    return same;
}

/* A key that is the table itself runs as its index does, which may differ from its columns. */
static enum err_code read_primary_key(struct database *db, struct arena *arena, struct shape *out,
                                      struct err *err)
{
    struct database_value param = database_text(out->table);
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        db,
        "SELECT k.name, k.coll, k.\"desc\" FROM pragma_index_list(?1) AS i, "
        "pragma_index_xinfo(i.name) AS k WHERE i.origin = 'pk' AND k.\"key\" ORDER BY k.seqno",
        &param, 1, &rows, err);

    if (rc) {
        return rc;
    }
    out->key_count = database_rows_count(rows);
    out->key = arena_zero(arena, out->key_count + 1, sizeof *out->key);
    out->key_collation = arena_zero(arena, out->key_count + 1, sizeof *out->key_collation);
    out->key_down = arena_zero(arena, out->key_count + 1, sizeof *out->key_down);
    if (out->key == NULL || out->key_collation == NULL || out->key_down == NULL) {
        rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == ERR_OK && i < out->key_count; i++) {
        out->key[i] = keep(arena, rows, i, 0);
        if (!has_collation(out, out->key[i], database_rows_text(rows, i, 1))) {
            out->key_collation[i] = keep(arena, rows, i, 1);
        }
        out->key_down[i] = database_rows_int(rows, i, 2, 0) != 0;
    }
    database_rows_free(rows);
    return rc;
}

static enum err_code read_key(struct database *db, struct arena *arena, struct shape *out,
                              struct err *err)
{
    static const char *const rowids[] = {"rowid", "_rowid_", "oid"};
    enum err_code rc = ERR_OK;

    out->without_rowid = table_text_without_rowid(str_of(out->sql));
    out->strict = table_text_strict(str_of(out->sql));
    if (out->without_rowid) {
        rc = read_primary_key(db, arena, out, err);
    } else {
        out->key = arena_zero(arena, 1, sizeof *out->key);
        rc = out->key != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
        for (size_t i = 0; rc == ERR_OK && i < 3 && out->key_count == 0; i++) {
            if (shape_column(out, rowids[i]) == NULL) {
                out->key[out->key_count++] = rowids[i];
            }
        }
    }
    return rc || out->key_count > 0
               ? rc
               : err_set(err, ERR_INVALID,
                         "the rows of \"%.80s\" cannot be told apart: its columns hide rowid, "
                         "_rowid_ and oid",
                         out->table);
}

static enum err_code read_objects(struct database *db, struct arena *arena, struct shape *out,
                                  struct err *err)
{
    struct database_value param = database_text(out->table);
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        db,
        "SELECT type, name, sql FROM sqlite_master WHERE (type = 'index' AND tbl_name = ?1) OR "
        "type IN ('trigger', 'view') ORDER BY type, name",
        &param, 1, &rows, err);

    if (rc) {
        return rc;
    }
    out->object_count = database_rows_count(rows);
    out->objects = arena_zero(arena, out->object_count + 1, sizeof *out->objects);
    for (size_t i = 0; out->objects != NULL && i < out->object_count; i++) {
        out->objects[i] = (struct shape_object){keep(arena, rows, i, 0), keep(arena, rows, i, 1),
                                                keep(arena, rows, i, 2)};
    }
    database_rows_free(rows);
    return out->objects != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

static enum err_code read_whole(struct database *db, const char *table, bool aside,
                                struct arena *arena, struct shape *out, struct err *err)
{
    enum err_code rc;

    *out = (struct shape){0};
    rc = read_text(db, table, aside, arena, out, err);
    rc = rc ? rc : read_columns(db, arena, out, err);
    rc = rc ? rc : read_key(db, arena, out, err);
    return rc ? rc : read_objects(db, arena, out, err);
}

unsigned shape_classes(const struct shape *shape, const char *type)
{
    static const struct {
        const char *type;
        unsigned classes;
    } types[] = {{"INTEGER", SQL_INTEGER},
                 {"INT", SQL_INTEGER},
                 {"REAL", SQL_REAL},
                 {"TEXT", SQL_TEXT},
                 {"BLOB", SQL_BLOB}};

    for (size_t i = 0; shape->strict && type != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strcasecmp(type, types[i].type) == 0) {
            return types[i].classes;
        }
    }
    return SQL_ANY;
}

enum err_code shape_read(struct database *db, const char *table, struct arena *arena,
                         struct shape *out, struct err *err)
{
    return read_whole(db, table, false, arena, out, err);
}

enum err_code shape_read_aside(struct database *db, const char *table, struct arena *arena,
                               struct shape *out, struct err *err)
{
    return read_whole(db, table, true, arena, out, err);
}

bool shape_is_autoincrement(const struct shape *shape)
{
    struct sql_scan scan = sql_scan_start(str_of(shape->sql));
    struct sql_token token;

    while (sql_scan_next(&scan, &token)) {
        if (sql_token_is(&token, "AUTOINCREMENT")) {
            return true;
        }
    }
    return false;
}

const struct shape_column *shape_column(const struct shape *shape, const char *name)
{
    for (size_t i = 0; i < shape->count; i++) {
        if (strcasecmp(shape->columns[i].name, name) == 0) {
            return &shape->columns[i];
        }
    }
    return NULL;
}

static enum err_code one_number(struct database *db, const char *before, const char *table,
                                const char *after, int64_t *out, struct err *err)
{
    struct database_rows *rows = NULL;
    struct buf sql = {0};
    enum err_code rc;

    buf_text(&sql, before);
    buf_sql_name(&sql, str_of(table));
    buf_text(&sql, after);
    rc = database_query(db, buf_cstr(&sql), NULL, 0, &rows, err);
    buf_fini(&sql);
    if (rc == ERR_OK) {
        *out = database_rows_int(rows, 0, 0, 0);
        database_rows_free(rows);
    }
    return rc;
}

enum err_code shape_has_rows(struct database *db, const char *table, bool *out, struct err *err)
{
    int64_t number = 0;
    enum err_code rc = one_number(db, "SELECT EXISTS (SELECT 1 FROM ", table, ")", &number, err);

    *out = number != 0;
    return rc;
}

enum err_code shape_count_rows(struct database *db, const char *table, int64_t *out,
                               struct err *err)
{
    return one_number(db, "SELECT count(*) FROM ", table, "", out, err);
}
