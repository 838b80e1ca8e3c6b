/*
 * The dispatcher: finds the engine that a URL names, and holds what no engine does differently.
 */
#include "database/database.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "database/database_engine.h"

static const struct database_engine *const engines[] = {&database_engine_sqlite,
                                                        &database_engine_d1};

/* A URL without a known scheme is a path, unless it looks like "scheme://". */
static const struct database_engine *find_engine(const char *url, const char **name,
                                                 struct err *err)
{
    const char *colon = strchr(url, ':');
    size_t len = colon != NULL ? (size_t)(colon - url) : 0;

    for (size_t i = 0; colon != NULL && i < sizeof engines / sizeof engines[0]; i++) {
        if (strlen(engines[i]->scheme) == len && memcmp(url, engines[i]->scheme, len) == 0) {
            *name = colon + 1;
            return engines[i];
        }
    }
    if (len > 1 && strncmp(colon, "://", 3) == 0) {
        err_set(err, ERR_INVALID,
                "%.*s:// is no engine known here; databases are named by a path, "
                "sqlite:PATH or d1://ACCOUNT/DATABASE",
                (int)(len > 40 ? 40 : len), url);
        return NULL;
    }
    *name = url;
    return &database_engine_sqlite;
}

enum err_code database_open(const char *url, const struct database_options *options,
                            struct database **out, struct err *err)
{
    static const struct database_options defaults = {0};
    const struct database_engine *engine;
    const char *name = NULL;
    struct database *db = NULL;
    enum err_code rc;

    CHECK(url != NULL && out != NULL);
    engine = find_engine(url, &name, err);
    if (engine == NULL) {
        return ERR_INVALID;
    }
    if (*name == '\0') {
        return err_set(err, ERR_INVALID, "'%s' names no file", url);
    }
    rc = engine->open(name, options != NULL ? options : &defaults, &db, err);
    if (rc) {
        return rc;
    }
    db->engine = engine;
    db->url = malloc(strlen(engine->scheme) + strlen(name) + 2);
    if (db->url == NULL) {
        engine->close(db);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    (void)snprintf(db->url, strlen(engine->scheme) + strlen(name) + 2, "%s:%s", engine->scheme,
                   name);
    *out = db;
    return ERR_OK;
}

void database_close(struct database *db)
{
    if (db != NULL) {
        free(db->url);
        db->url = NULL;
        db->engine->close(db);
    }
}

const char *database_url(const struct database *db)
{
    return db->url;
}

bool database_remote(const struct database *db)
{
    return db->engine->remote;
}

enum err_code database_probe(struct database *db, const struct database_capabilities **out,
                             struct err *err)
{
    if (!db->probed) {
        enum err_code rc = db->engine->probe(db, &db->capabilities, err);
        if (rc) {
            return rc;
        }
        db->probed = true;
    }
    *out = &db->capabilities;
    return ERR_OK;
}

void database_pretend(struct database *db, const struct database_capabilities *capabilities)
{
    db->capabilities = *capabilities;
    db->probed = true;
    if (db->engine->bound != NULL) {
        db->engine->bound(db, &capabilities->bounds);
    }
}

const char *database_hazard(const struct database *db, const char *sql)
{
    return db->engine->hazard != NULL ? db->engine->hazard(sql) : NULL;
}

enum err_code database_check(struct database *db, const char *sql, struct err *err)
{
    return db->engine->check(db, sql, err);
}

/* ---- rows ---- */

enum err_code database_rows_start(struct database_rows *rows, size_t columns, struct err *err)
{
    rows->columns = columns;
    rows->names = arena_zero(&rows->arena, columns + 1, sizeof *rows->names);
    return rows->names != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

enum err_code database_rows_set_name(struct database_rows *rows, size_t column, const char *name,
                                     struct err *err)
{
    CHECK(column < rows->columns);
    rows->names[column] =
        arena_text(&rows->arena, name != NULL ? name : "", name != NULL ? strlen(name) : 0);
    return rows->names[column] != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

enum err_code database_rows_add(struct database_rows *rows, struct database_value **out,
                                struct err *err)
{
    if (rows->count >= DATABASE_ROWS_MAX) {
        return err_set(err, ERR_LIMIT, "more than %u rows", DATABASE_ROWS_MAX);
    }
    if (rows->count == rows->room) {
        size_t room = rows->room == 0 ? 16 : rows->room * 2;
        struct database_value *grown =
            realloc(rows->values, room * (rows->columns + 1) * sizeof *grown);
        if (grown == NULL) {
            return err_set(err, ERR_NOMEM, "out of memory");
        }
        rows->values = grown;
        rows->room = room;
    }
    *out = &rows->values[rows->count * rows->columns];
    for (size_t i = 0; i < rows->columns; i++) {
        (*out)[i] = database_null();
    }
    rows->count++;
    return ERR_OK;
}

enum err_code database_rows_bytes(struct database_rows *rows, struct database_value *value,
                                  enum database_type type, const void *at, size_t len,
                                  struct err *err)
{
    const char *copy = arena_text(&rows->arena, at != NULL ? at : "", len);

    if (copy == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    *value = (struct database_value){type, {.bytes = {copy, len}}};
    return ERR_OK;
}

size_t database_rows_count(const struct database_rows *rows)
{
    return rows->count;
}

size_t database_rows_columns(const struct database_rows *rows)
{
    return rows->columns;
}

const char *database_rows_name(const struct database_rows *rows, size_t column)
{
    CHECK(column < rows->columns);
    return rows->names[column];
}

const struct database_value *database_rows_at(const struct database_rows *rows, size_t row,
                                              size_t column)
{
    CHECK(row < rows->count && column < rows->columns);
    return &rows->values[row * rows->columns + column];
}

const char *database_rows_text(const struct database_rows *rows, size_t row, size_t column)
{
    const struct database_value *value = database_rows_at(rows, row, column);

    /* arena_text() put a NUL behind each. */
    return value->type == DATABASE_TEXT || value->type == DATABASE_BLOB ? value->as.bytes.at : NULL;
}

int64_t database_rows_int(const struct database_rows *rows, size_t row, size_t column,
                          int64_t otherwise)
{
    const struct database_value *value = database_rows_at(rows, row, column);

    return value->type == DATABASE_INT ? value->as.i : otherwise;
}

void database_rows_free(struct database_rows *rows)
{
    if (rows != NULL) {
        arena_fini(&rows->arena);
        free(rows->values);
        free(rows);
    }
}

enum err_code database_query(struct database *db, const char *sql,
                             const struct database_value *params, size_t param_count,
                             struct database_rows **out, struct err *err)
{
    struct database_rows *rows = calloc(1, sizeof *rows);
    enum err_code rc;

    CHECK(sql != NULL && out != NULL);
    if (rows == NULL) {
        err_set(err, ERR_NOMEM, "out of memory");
        return ERR_NOMEM;
    }
    rc = db->engine->query(db, sql, params, param_count, rows, err);
    if (rc) {
        database_rows_free(rows);
        return rc;
    }
    *out = rows;
    return ERR_OK;
}

/* ---- batches ---- */

char *database_guard_sql(const char *condition)
{
    struct buf sql = {0};

    /* coalesce(): a condition that is NULL is not true, and must not let the batch pass. */
    buf_text(&sql, "INSERT INTO lockstep_guard(ok) SELECT NULL WHERE NOT coalesce((");
    buf_text(&sql, condition);
    buf_text(&sql, "), 0)");
    return buf_take(&sql);
}

enum err_code database_batch(struct database *db, const struct database_batch *batch,
                             struct database_batch_result *result, struct err *err)
{
    struct database_batch_result unused = {0};

    CHECK(batch != NULL);
    if (result == NULL) {
        result = &unused;
    }
    result->changes = 0;
    result->hold_us = -1;
    result->rows_written = -1;
    return db->engine->batch(db, batch, result, err);
}

static enum err_code count_of(struct database *db, const char *sql, int64_t *out, struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(db, sql, NULL, 0, &rows, err);

    if (rc == ERR_OK) {
        *out = database_rows_count(rows) > 0 ? database_rows_int(rows, 0, 0, 0) : 0;
        database_rows_free(rows);
    }
    return rc;
}

enum err_code database_prepare_guards(struct database *db, struct err *err)
{
    static const struct database_statement make = {
        "CREATE TABLE IF NOT EXISTS lockstep_guard(ok INTEGER NOT NULL)", NULL, 0};
    static const struct database_statement poison = {"INSERT INTO lockstep_guard(ok) VALUES(1)",
                                                     NULL, 0};
    static const struct database_guard never = {"0", NULL, 0, ERR_CONFLICT, "as expected"};
    static const char exists[] = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name "
                                 "= 'lockstep_guard'";
    struct err expected = {0};
    int64_t count = 0;
    enum err_code rc = count_of(db, exists, &count, err);

    if (rc || count > 0) {
        return rc; /* made by an earlier contact, which proved the rest */
    }
    rc = database_batch(db, &(struct database_batch){.statements = &make, .statement_count = 1},
                        NULL, err);
    if (rc) {
        return rc;
    }
    rc = database_batch(
        db,
        &(struct database_batch){
            .statements = &poison, .statement_count = 1, .after = &never, .after_count = 1},
        NULL, &expected);
    if (rc != ERR_OK && rc != ERR_CONFLICT) {
        *err = expected;
        return rc;
    }
    if (rc == ERR_CONFLICT) {
        rc = count_of(db, "SELECT count(*) FROM lockstep_guard", &count, err);
        if (rc || count == 0) {
            return rc;
        }
    }
    return err_set(err, ERR_CONFLICT,
                   "%s: a batch whose last guard failed left something behind: batches are not "
                   "atomic here, and nothing can be migrated safely",
                   database_url(db));
}

enum err_code database_maintenance(struct database *db, const struct database_maintenance *work,
                                   struct err *err)
{
    CHECK(work != NULL);
    return db->engine->maintenance != NULL
               ? db->engine->maintenance(db, work, err)
               : err_set(err, ERR_CONFLICT, "%s: this engine has no maintenance connection",
                         database_url(db));
}

enum err_code database_snapshot(struct database *db, const char *path,
                                struct database_copied *copied, struct err *err)
{
    return db->engine->snapshot != NULL
               ? db->engine->snapshot(db, path, copied, err)
               : err_set(err, ERR_CONFLICT, "%s: this engine cannot copy itself to a file",
                         database_url(db));
}

enum err_code database_restore(const char *url, const char *copy, const char *condition,
                               struct err *err)
{
    const char *name = NULL;
    const struct database_engine *engine = find_engine(url, &name, err);

    if (engine == NULL) {
        return ERR_INVALID;
    }
    return engine->restore != NULL
               ? engine->restore(name, copy, condition, err)
               : err_set(err, ERR_CONFLICT, "%.100s: this engine cannot put a file back", url);
}

enum err_code database_bookmark(struct database *db, char out[DATABASE_BOOKMARK_BYTES],
                                struct err *err)
{
    return db->engine->bookmark != NULL
               ? db->engine->bookmark(db, out, DATABASE_BOOKMARK_BYTES, err)
               : err_set(err, ERR_CONFLICT, "%s: this engine keeps no past", database_url(db));
}

enum err_code database_rewind(struct database *db, const char *bookmark,
                              char undo[DATABASE_BOOKMARK_BYTES], struct err *err)
{
    return db->engine->rewind != NULL
               ? db->engine->rewind(db, bookmark, undo, DATABASE_BOOKMARK_BYTES, err)
               : err_set(err, ERR_CONFLICT, "%s: this engine keeps no past", database_url(db));
}

void database_users(const char *url, char *out, size_t size)
{
    struct err unused = {0};
    const char *name = NULL;
    const struct database_engine *engine = find_engine(url, &name, &unused);

    out[0] = '\0';
    if (engine != NULL && engine->users != NULL) {
        engine->users(name, out, size);
    }
}

int64_t database_log_bytes(struct database *db)
{
    return db->engine->log_bytes != NULL ? db->engine->log_bytes(db) : -1;
}

void database_checkpoint(struct database *db, struct database_log *out)
{
    struct database_log unused;

    out = out != NULL ? out : &unused;
    *out = (struct database_log){.bytes = -1};
    if (db->engine->checkpoint != NULL) {
        db->engine->checkpoint(db, out);
    }
}

enum err_code database_write_ahead(struct database *db, bool on, bool *done, struct err *err)
{
    *done = !on;
    return db->engine->write_ahead != NULL ? db->engine->write_ahead(db, on, done, err) : ERR_OK;
}
