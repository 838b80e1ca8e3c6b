#include "migrator/walk/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "migrator/walk/ranges.h"

/* What one range holds in memory at most, about: as it came, and as parameters. */
#define PIECE_ROWS 5000
#define PIECE_BYTES 2000000

#define WHAT "of all tables"

struct copying {
    struct database *from, *to;
    struct snapshot_told *told;
    migrate_progress_fn *progress;
    void *ctx;
    int64_t done, total;
    struct err *err;
};

static enum err_code run_here(struct copying *c, const char *sql, struct err *err)
{
    struct database_statement statement = {sql, NULL, 0};

    return database_maintenance(c->to,
                                &(struct database_maintenance){.foreign_keys_off = true,
                                                               .statements = &statement,
                                                               .statement_count = 1},
                                err);
}

static void leave_out(struct copying *c, const char *name, const char *why)
{
    struct json *one = json_object();

    (void)json_put_text(one, "name", name);
    (void)json_put_text(one, "why", why);
    (void)json_append(c->told->left_out, one);
}

/* ---- rows ---- */

/* A key that is no column stands before the columns: whose rowid is not theirs keeps it. */
static bool keeps_rowid(const struct shape *shape)
{
    return !shape->without_rowid && shape_column(shape, shape->key[0]) == NULL;
}

static size_t list_columns(const struct shape *shape, struct buf *sql)
{
    size_t count = 0;

    if (keeps_rowid(shape)) {
        buf_text(sql, shape->key[0]);
        count++;
    }
    for (size_t i = 0; i < shape->count; i++) {
        if (!shape->columns[i].generated) {
            buf_text(sql, count++ > 0 ? ", " : "");
            buf_sql_name(sql, str_of(shape->columns[i].name));
        }
    }
    return count;
}

static enum err_code read_piece(struct copying *c, const struct range *range,
                                struct database_rows **out)
{
    struct database_value params[RANGE_PARAMS_MAX];
    struct buf sql = {0};
    size_t count;
    enum err_code rc;

    buf_text(&sql, "SELECT ");
    (void)list_columns(range->shape, &sql);
    buf_text(&sql, " FROM ");
    buf_sql_name(&sql, str_of(range->shape->table));
    buf_text(&sql, " WHERE 1");
    count = range_condition(range, &sql, params);
    rc = buf_failed(&sql) ? err_set(c->err, ERR_NOMEM, "out of memory")
                          : database_query(c->from, buf_cstr(&sql), params, count, out, c->err);
    buf_fini(&sql);
    return rc;
}

static enum err_code write_piece(struct copying *c, const struct range *range,
                                 const struct database_rows *rows)
{
    size_t count = database_rows_count(rows), columns = database_rows_columns(rows);
    struct database_statement *statements = calloc(count + 1, sizeof *statements);
    struct buf sql = {0};
    enum err_code rc;

    buf_text(&sql, "INSERT INTO ");
    buf_sql_name(&sql, str_of(range->shape->table));
    buf_char(&sql, '(');
    (void)list_columns(range->shape, &sql);
    buf_text(&sql, ") VALUES(");
    for (size_t k = 0; k < columns; k++) {
        buf_print(&sql, "%s?%zu", k > 0 ? ", " : "", k + 1);
    }
    buf_char(&sql, ')');
    for (size_t i = 0; statements != NULL && i < count; i++) {
        const struct database_value *row = database_rows_at(rows, i, 0);
        statements[i] = (struct database_statement){buf_cstr(&sql), row, columns};
        for (size_t k = 0; k < columns; k++) {
            if (row[k].type == DATABASE_TEXT || row[k].type == DATABASE_BLOB) {
                c->told->bytes += (int64_t)row[k].as.bytes.len;
            }
        }
    }
    rc = statements == NULL || buf_failed(&sql)
             ? err_set(c->err, ERR_NOMEM, "out of memory")
             : database_maintenance(c->to,
                                    &(struct database_maintenance){.foreign_keys_off = true,
                                                                   .statements = statements,
                                                                   .statement_count = count},
                                    c->err);
    free(statements);
    buf_fini(&sql);
    return rc;
}

/* Takes the next range, made small enough for what its rows hold. */
static enum err_code next_range(struct copying *c, struct range *range, int64_t piece, bool *more)
{
    int64_t rows = 0, bytes = 0;
    enum err_code rc = range_next(range, c->from, piece, more, c->err);

    rc = rc || !*more ? rc : range_measure(range, c->from, &rows, &bytes, c->err);
    while (rc == ERR_OK && *more && bytes > PIECE_BYTES && rows > 1) {
        int64_t fewer = rows * PIECE_BYTES / bytes;
        rc = range_shrink(range, c->from, fewer > 1 ? fewer : 1, c->err);
        rc = rc ? rc : range_measure(range, c->from, &rows, &bytes, c->err);
    }
    return rc;
}

static enum err_code copy_rows(struct copying *c, const struct shape *shape)
{
    struct range range;
    bool more = true;
    enum err_code rc = range_start(&range, shape, NULL, c->err);

    rc = rc ? rc : next_range(c, &range, PIECE_ROWS, &more);
    while (rc == ERR_OK && more) {
        struct database_rows *rows = NULL;
        rc = read_piece(c, &range, &rows);
        rc = rc || database_rows_count(rows) == 0 ? rc : write_piece(c, &range, rows);
        if (rc == ERR_OK) {
            c->told->rows += (int64_t)database_rows_count(rows);
            c->done += (int64_t)database_rows_count(rows);
        }
        database_rows_free(rows);
        if (rc == ERR_OK && c->progress != NULL && c->done < c->total) {
            c->progress(c->ctx, WHAT, "snapshot", (uint64_t)c->done, (uint64_t)c->total);
        }
        rc = rc ? rc : next_range(c, &range, PIECE_ROWS, &more);
    }
    range_fini(&range);
    return rc;
}

/* ---- tables ---- */

static enum err_code read_shape(struct copying *c, const char *table, struct arena *arena,
                                struct shape *shape)
{
    return strncmp(table, "lockstep_", 9) == 0
               ? shape_read_aside(c->from, table, arena, shape, c->err)
               : shape_read(c->from, table, arena, shape, c->err);
}

/* One that cannot be read by its key, or made again here, is left out whole. */
static enum err_code copy_table(struct copying *c, const char *table, const char *sql)
{
    struct arena arena = {0};
    struct shape shape;
    struct err why = {0};
    enum err_code rc = read_shape(c, table, &arena, &shape);

    if (rc == ERR_INVALID) {
        leave_out(c, table, c->err->msg);
        rc = ERR_OK;
    } else if (rc == ERR_OK && run_here(c, sql, &why) != ERR_OK) {
        leave_out(c, table, why.msg);
    } else if (rc == ERR_OK) {
        c->told->tables++;
        rc = copy_rows(c, &shape);
        if (rc) {
            err_wrap(c->err, "%.100s", table);
        }
    }
    arena_fini(&arena);
    return rc;
}

/* Virtual tables and the tables that they keep behind themselves are not read. */
static const char tables_sql[] =
    "SELECT name, sql FROM sqlite_master AS o WHERE type = 'table' AND substr(name, 1, 7) <> "
    "'sqlite_' AND substr(name, 1, 4) <> '_cf_' AND sql NOT LIKE 'CREATE VIRTUAL%' AND NOT EXISTS "
    "(SELECT 1 FROM sqlite_master AS v WHERE v.sql LIKE 'CREATE VIRTUAL%' AND substr(o.name, 1, "
    "length(v.name) + 1) = v.name || '_') ORDER BY rowid";
static const char virtual_sql[] =
    "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%' ORDER BY rowid";
/* Indexes come behind the rows: they are filled at once then. */
static const char objects_sql[] =
    "SELECT name, sql FROM sqlite_master WHERE type <> 'table' AND sql IS NOT NULL ORDER BY type = "
    "'trigger', type = 'view', rowid";

static enum err_code count_all(struct copying *c, const struct database_rows *tables)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(tables); i++) {
        int64_t rows = 0;
        rc = shape_count_rows(c->from, database_rows_text(tables, i, 0), &rows, c->err);
        c->total += rows;
    }
    return rc;
}

static enum err_code copy_tables(struct copying *c)
{
    struct database_rows *tables = NULL, *virtuals = NULL;
    enum err_code rc = database_query(c->from, tables_sql, NULL, 0, &tables, c->err);

    rc = rc ? rc : database_query(c->from, virtual_sql, NULL, 0, &virtuals, c->err);
    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(virtuals); i++) {
        leave_out(c, database_rows_text(virtuals, i, 0), "a virtual table");
    }
    rc = rc ? rc : count_all(c, tables);
    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(tables); i++) {
        rc = copy_table(c, database_rows_text(tables, i, 0), database_rows_text(tables, i, 1));
    }
    database_rows_free(tables);
    database_rows_free(virtuals);
    if (rc == ERR_OK && c->progress != NULL) {
        c->progress(c->ctx, WHAT, "snapshot", (uint64_t)c->done, (uint64_t)c->done);
    }
    return rc;
}

static enum err_code copy_objects(struct copying *c)
{
    struct database_rows *objects = NULL;
    enum err_code rc = database_query(c->from, objects_sql, NULL, 0, &objects, c->err);

    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(objects); i++) {
        struct err why = {0};
        if (run_here(c, database_rows_text(objects, i, 1), &why) != ERR_OK) {
            leave_out(c, database_rows_text(objects, i, 0), why.msg);
        }
    }
    database_rows_free(objects);
    return rc;
}

/* Numbers that AUTOINCREMENT gave once are not given again, there as here. */
static enum err_code copy_sequences(struct copying *c)
{
    struct database_rows *rows = NULL;
    enum err_code rc =
        database_query(c->from, "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'", NULL,
                       0, &rows, c->err);
    bool there = rc == ERR_OK && database_rows_count(rows) > 0;

    database_rows_free(rows);
    rows = NULL;
    rc = rc || !there ? rc
                      : database_query(c->from, "SELECT name, seq FROM sqlite_sequence", NULL, 0,
                                       &rows, c->err);
    for (size_t i = 0; there && rc == ERR_OK && i < database_rows_count(rows); i++) {
        const struct database_value *row = database_rows_at(rows, i, 0);
        struct database_statement statements[] = {
            {"DELETE FROM sqlite_sequence WHERE name = ?1", row, 1},
            {"INSERT INTO sqlite_sequence(name, seq) SELECT ?1, ?2 WHERE EXISTS (SELECT 1 FROM "
             "sqlite_master WHERE name = ?1)",
             row, 2}};
        rc = database_maintenance(
            c->to, &(struct database_maintenance){.statements = statements, .statement_count = 2},
            c->err);
    }
    database_rows_free(rows);
    return rc;
}

enum err_code snapshot_read(struct database *from, const char *path, migrate_progress_fn *progress,
                            void *ctx, struct snapshot_told *out, struct err *err)
{
    struct copying c = {.from = from, .told = out, .progress = progress, .ctx = ctx, .err = err};
    enum err_code rc;

    *out = (struct snapshot_told){.left_out = json_array()};
    if (file_exists(path)) {
        return err_set(err, ERR_CONFLICT, "%.300s is there already: name a new file", path);
    }
    rc = database_open(path, NULL, &c.to, err);
    rc = rc ? rc : copy_tables(&c);
    rc = rc ? rc : copy_objects(&c);
    rc = rc ? rc : copy_sequences(&c);
    database_close(c.to);
    return rc;
}
