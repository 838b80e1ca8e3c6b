/*
 * The SQLite driver: open, query, batch.
 *
 * A batch is BEGIN IMMEDIATE ... COMMIT. IMMEDIATE, so that the wait for another writer happens at
 * the start, where the busy handler works; and ROLLBACK at the first error, because in SQLite a
 * failed statement alone does not stop a later COMMIT.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "database/sql_scan.h"
#include "database/sqlite_handle.h"

#define BUSY_TIMEOUT_MS 5000
#define CHECKPOINT_PAGES 1000 /* SQLite's own default */

static struct sqlite_handle *handle_of(struct database *db)
{
    return (struct sqlite_handle *)db; /* db is its first member */
}

/* ---- errors ---- */

static enum err_code code_of(int extended)
{
    switch (extended & 0xff) { /* the primary code, without its extension */
    case SQLITE_BUSY:
    case SQLITE_PROTOCOL: /* somebody stands still inside the write-ahead log's own locks */
    case SQLITE_LOCKED: return ERR_BUSY;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN: return ERR_DENIED;
    case SQLITE_FULL: return ERR_FULL;
    case SQLITE_NOTADB:
    case SQLITE_ERROR:
    case SQLITE_AUTH:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE: return ERR_INVALID;
    case SQLITE_CONSTRAINT: return ERR_CONFLICT;
    case SQLITE_TOOBIG: return ERR_LIMIT;
    case SQLITE_NOMEM: return ERR_NOMEM;
    case SQLITE_INTERRUPT: return ERR_TIMEOUT;
    default: return ERR_IO;
    }
}

/* A file that finds no room to be made, or to be synced, is none that may not be opened. */
static bool is_full(sqlite3 *sqlite, int extended)
{
    int primary = extended & 0xff, why = sqlite3_system_errno(sqlite);

    return (primary == SQLITE_CANTOPEN || primary == SQLITE_IOERR) &&
           (why == ENOSPC || why == EDQUOT);
}

enum err_code sqlite_error(sqlite3 *sqlite, const char *what, struct err *err)
{
    int extended = sqlite3_extended_errcode(sqlite);
    enum err_code code = is_full(sqlite, extended) ? ERR_FULL : code_of(extended);
    const char *text = sqlite3_errmsg(sqlite);

    if ((extended & 0xff) == SQLITE_NOTADB) {
        text = "this is no SQLite database";
    } else if ((extended & 0xff) == SQLITE_CORRUPT) {
        text = "the database file is damaged (PRAGMA integrity_check tells where): keep a copy of "
               "it, and restore it from a recovery point or a backup";
    } else if (code == ERR_BUSY) {
        text = "the database is locked by another process; try again when it is done";
    } else if (code == ERR_FULL) {
        text = "no room left on the disk";
    } else if ((extended & 0xff) == SQLITE_READONLY) {
        text = "no permission to write this database";
    }
    return what != NULL ? err_set(err, code, "%s: %s", what, text) : err_set(err, code, "%s", text);
}

/* ---- prepared statements ---- */

static int authorize(void *ctx, int action, const char *a, const char *b, const char *c,
                     const char *d)
{
    const struct sqlite_handle *handle = ctx;

    (void)a, (void)b, (void)c, (void)d;
    if (!handle->own_statement && (action == SQLITE_TRANSACTION || action == SQLITE_SAVEPOINT ||
                                   action == SQLITE_ATTACH || action == SQLITE_DETACH)) {
        return SQLITE_DENY; /* it would tear the batch apart, or reach into another file */
    }
    return SQLITE_OK;
}

static bool only_blank(const char *tail)
{
    struct sql_scan scan = sql_scan_start(str_of(tail));
    struct sql_token token;

    while (sql_scan_next(&scan, &token)) {
        if (!sql_token_punct(&token, ';')) {
            return false;
        }
    }
    return true;
}

static enum err_code bad_statement(struct sqlite_handle *handle, const char *sql, struct err *err)
{
    enum err_code rc;

    if (sqlite3_errcode(handle->sqlite) == SQLITE_AUTH) {
        return err_set(err, ERR_INVALID,
                       "BEGIN, COMMIT, ROLLBACK, SAVEPOINT, ATTACH and DETACH are not allowed "
                       "here: all of it is one transaction already");
    }
    rc = sqlite_error(handle->sqlite, NULL, err);
    if (rc == ERR_INVALID && err != NULL && strlen(err->msg) < 140) {
        size_t len = strlen(err->msg);
        (void)snprintf(err->msg + len, sizeof err->msg - len, ", in: %.70s%s", sql,
                       strlen(sql) > 70 ? "..." : "");
    }
    return rc;
}

static struct sqlite_kept *kept_slot(struct sqlite_handle *handle, const char *sql, bool *hit)
{
    struct sqlite_kept *oldest = &handle->kept[0];

    for (size_t i = 0; i < SQLITE_STATEMENTS_KEPT; i++) {
        struct sqlite_kept *kept = &handle->kept[i];
        if (kept->sql != NULL && strcmp(kept->sql, sql) == 0) {
            *hit = true;
            return kept;
        }
        if (kept->used < oldest->used) {
            oldest = kept;
        }
    }
    *hit = false;
    return oldest;
}

static void kept_forget(struct sqlite_kept *kept)
{
    sqlite3_finalize(kept->stmt);
    free(kept->sql);
    *kept = (struct sqlite_kept){0};
}

/* Lends a prepared statement; it stays in the handle for the next use. */
static enum err_code prepare(struct sqlite_handle *handle, const char *sql, sqlite3_stmt **out,
                             struct err *err)
{
    bool hit;
    struct sqlite_kept *kept = kept_slot(handle, sql, &hit);
    const char *tail = NULL;

    if (hit && sqlite3_stmt_isexplain(kept->stmt) == 0) { /* that would tell of an old schema */
        kept->used = ++handle->clock;
        *out = kept->stmt;
        return ERR_OK;
    }
    kept_forget(kept);
    if (sqlite3_prepare_v3(handle->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, &kept->stmt,
                           &tail)) {
        return bad_statement(handle, sql, err);
    }
    if (kept->stmt == NULL) {
        return err_set(err, ERR_INVALID, "an empty statement");
    }
    kept->sql = strdup(sql);
    if (kept->sql == NULL || !only_blank(tail)) {
        bool no_memory = kept->sql == NULL;
        kept_forget(kept);
        return no_memory
                   ? err_set(err, ERR_NOMEM, "out of memory")
                   : err_set(err, ERR_INVALID, "two statements where one belongs: %.80s", sql);
    }
    kept->used = ++handle->clock;
    *out = kept->stmt;
    return ERR_OK;
}

static int bind_one(sqlite3_stmt *stmt, int index, const struct database_value *value)
{
    const char *at;

    switch (value->type) {
    case DATABASE_NULL: return sqlite3_bind_null(stmt, index);
    case DATABASE_INT: return sqlite3_bind_int64(stmt, index, value->as.i);
    case DATABASE_REAL: return sqlite3_bind_double(stmt, index, value->as.d);
    case DATABASE_TEXT:
    case DATABASE_BLOB: break;
    }
    at = value->as.bytes.at != NULL ? value->as.bytes.at : ""; /* NULL would bind SQL NULL */
    return value->type == DATABASE_TEXT
               ? sqlite3_bind_text64(stmt, index, at, value->as.bytes.len, SQLITE_STATIC,
                                     SQLITE_UTF8)
               : sqlite3_bind_blob64(stmt, index, at, value->as.bytes.len, SQLITE_STATIC);
}

static enum err_code bind(struct sqlite_handle *handle, sqlite3_stmt *stmt,
                          const struct database_value *params, size_t count, struct err *err)
{
    int wanted = sqlite3_bind_parameter_count(stmt);

    if (wanted != (int)count) {
        return err_set(err, ERR_INVALID, "%zu parameters for %d places in: %.100s", count, wanted,
                       sqlite3_sql(stmt));
    }
    for (size_t i = 0; i < count; i++) {
        if (bind_one(stmt, (int)i + 1, &params[i])) {
            return sqlite_error(handle->sqlite, NULL, err);
        }
    }
    return ERR_OK;
}

static void give_back(sqlite3_stmt *stmt)
{
    (void)sqlite3_reset(stmt);          /* repeats the step's error, which is known already */
    (void)sqlite3_clear_bindings(stmt); /* the caller's bytes end now */
}

/* ---- query ---- */

static enum err_code take_row(sqlite3_stmt *stmt, struct database_rows *rows, struct err *err)
{
    struct database_value *values = NULL;
    enum err_code rc = database_rows_add(rows, &values, err);

    for (size_t i = 0; i < rows->columns && rc == ERR_OK; i++) {
        int column = (int)i;
        switch (sqlite3_column_type(stmt, column)) {
        case SQLITE_INTEGER: values[i] = database_int(sqlite3_column_int64(stmt, column)); break;
        case SQLITE_FLOAT: values[i] = database_real(sqlite3_column_double(stmt, column)); break;
        case SQLITE_TEXT: {
            const unsigned char *at = sqlite3_column_text(stmt, column); /* before its length */
            rc = database_rows_bytes(rows, &values[i], DATABASE_TEXT, at,
                                     (size_t)sqlite3_column_bytes(stmt, column), err);
            break;
        }
        case SQLITE_BLOB: {
            const void *at = sqlite3_column_blob(stmt, column);
            rc = database_rows_bytes(rows, &values[i], DATABASE_BLOB, at,
                                     (size_t)sqlite3_column_bytes(stmt, column), err);
            break;
        }
        default: break;
        }
    }
    return rc;
}

static enum err_code sqlite_query(struct database *db, const char *sql,
                                  const struct database_value *params, size_t param_count,
                                  struct database_rows *rows, struct err *err)
{
    struct sqlite_handle *handle = handle_of(db);
    sqlite3_stmt *stmt = NULL;
    enum err_code rc = prepare(handle, sql, &stmt, err);
    int step = SQLITE_DONE;

    if (rc) {
        return rc;
    }
    if (!sqlite3_stmt_readonly(stmt)) {
        return err_set(err, ERR_INVALID, "a query must only read: %.100s", sql);
    }
    rc = bind(handle, stmt, params, param_count, err);
    if (rc == ERR_OK) {
        rc = database_rows_start(rows, (size_t)sqlite3_column_count(stmt), err);
    }
    while (rc == ERR_OK && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (rows->count == 0) { /* after the first step: a changed schema is compiled by then */
            for (size_t i = 0; i < rows->columns && rc == ERR_OK; i++) {
                rc = database_rows_set_name(rows, i, sqlite3_column_name(stmt, (int)i), err);
            }
        }
        if (rc == ERR_OK) {
            rc = take_row(stmt, rows, err);
        }
    }
    if (rc == ERR_OK && step != SQLITE_DONE) {
        rc = bad_statement(handle, sql, err);
    }
    for (size_t i = 0; i < rows->columns && rc == ERR_OK && rows->count == 0; i++) {
        rc = database_rows_set_name(rows, i, sqlite3_column_name(stmt, (int)i), err);
    }
    give_back(stmt);
    return rc;
}

/* ---- batch ---- */

enum err_code sqlite_own(struct sqlite_handle *handle, const char *sql, struct err *err)
{
    enum err_code rc = ERR_OK;

    handle->own_statement = true;
    if (sqlite3_exec(handle->sqlite, sql, NULL, NULL, NULL)) {
        rc = sqlite_error(handle->sqlite, NULL, err);
    }
    handle->own_statement = false;
    return rc;
}

void sqlite_undo(struct sqlite_handle *handle)
{
    if (!sqlite3_get_autocommit(handle->sqlite)) {
        struct err unused = {0}; /* SQLite may have rolled back already; the caller has the cause */
        (void)sqlite_own(handle, "ROLLBACK", &unused);
    }
}

/* Whether the rows that a statement changes are its own: sqlite3_changes() keeps its old value over
 * anything else. */
static bool changes_rows(const char *sql)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token;

    return sql_scan_next(&scan, &token) &&
           (sql_token_is(&token, "INSERT") || sql_token_is(&token, "UPDATE") ||
            sql_token_is(&token, "DELETE") || sql_token_is(&token, "REPLACE") ||
            sql_token_is(&token, "WITH"));
}

/* Runs one statement to its end. The step's result stays readable in the connection. */
static enum err_code run(struct sqlite_handle *handle, const char *sql,
                         const struct database_value *params, size_t param_count, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    enum err_code rc = prepare(handle, sql, &stmt, err);
    int step;

    if (rc) {
        return rc;
    }
    rc = bind(handle, stmt, params, param_count, err);
    if (rc == ERR_OK) {
        do {
            step = sqlite3_step(stmt);
        } while (step == SQLITE_ROW);
        if (step != SQLITE_DONE) {
            rc = bad_statement(handle, sql, err);
        }
    }
    give_back(stmt);
    return rc;
}

enum err_code sqlite_guards(struct sqlite_handle *handle, const struct database_guard *guards,
                            size_t count, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        char *sql = database_guard_sql(guards[i].condition);
        enum err_code rc;

        if (sql == NULL) {
            return err_set(err, ERR_NOMEM, "out of memory");
        }
        rc = run(handle, sql, guards[i].params, guards[i].param_count, err);
        free(sql);
        if (rc == ERR_CONFLICT &&
            sqlite3_extended_errcode(handle->sqlite) == SQLITE_CONSTRAINT_NOTNULL) {
            enum err_code code = guards[i].code != ERR_OK ? guards[i].code : ERR_CONFLICT;
            return err_set(err, code, "%s",
                           guards[i].refusal != NULL ? guards[i].refusal : guards[i].condition);
        }
        if (rc) {
            err_wrap(err, "guard %zu", i + 1);
            return rc;
        }
    }
    return ERR_OK;
}

enum err_code sqlite_statements(struct sqlite_handle *handle,
                                const struct database_statement *statements, size_t count,
                                struct database_batch_result *result, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct database_statement *statement = &statements[i];
        int64_t changes = 0;
        enum err_code rc =
            run(handle, statement->sql, statement->params, statement->param_count, err);
        if (rc) {
            if (count > 1) {
                err_wrap(err, "statement %zu of %zu", i + 1, count);
            }
            return rc;
        }
        if (changes_rows(statement->sql)) {
            changes = sqlite3_changes64(handle->sqlite);
        }
        if (result != NULL) {
            result->changes += changes;
            if (result->statement_changes != NULL) {
                result->statement_changes[i] = changes;
            }
        }
    }
    return ERR_OK;
}

/* Stands in for SQLite's automatic checkpoint, which would run inside COMMIT and be taken for a
 * held lock. */
static int note_log(void *ctx, sqlite3 *sqlite, const char *name, int pages)
{
    struct sqlite_handle *handle = ctx;

    (void)sqlite, (void)name;
    handle->log_pages = pages;
    return SQLITE_OK;
}

static void checkpoint_if_long(struct sqlite_handle *handle)
{
    if (handle->log_pages >= CHECKPOINT_PAGES) {
        struct database_log unused;
        sqlite_checkpoint(&handle->db, &unused); /* if it took all over, the next commit begins it
                                                    anew */
    }
}

static enum err_code in_transaction(struct sqlite_handle *handle,
                                    const struct database_batch *batch,
                                    struct database_batch_result *result, struct err *err)
{
    enum err_code rc = sqlite_guards(handle, batch->before, batch->before_count, err);

    if (rc == ERR_OK) {
        rc = sqlite_statements(handle, batch->statements, batch->statement_count, result, err);
    }
    return rc ? rc : sqlite_guards(handle, batch->after, batch->after_count, err);
}

static enum err_code sqlite_batch(struct database *db, const struct database_batch *batch,
                                  struct database_batch_result *result, struct err *err)
{
    struct sqlite_handle *handle = handle_of(db);
    struct sqlite_patience patience = sqlite_patience(handle);
    bool again = true;
    enum err_code rc = ERR_OK;

    if (handle->read_only) {
        return err_set(err, ERR_DENIED, "%s was opened only for reading", database_url(db));
    }
    rc = sqlite_relax(handle, batch->relaxed, err);
    again = rc == ERR_OK;
    while (again) {
        result->changes = 0;
        rc = sqlite_begin(handle, &patience, batch->hold_max_us, err);
        if (rc) {
            break;
        }
        rc = in_transaction(handle, batch, result, err);
        rc = sqlite_end(handle, &patience, rc, &again, err);
    }
    result->hold_us = patience.hold_us;
    result->commit_us = patience.commit_us;
    if (rc) {
        result->changes = 0;
        return rc;
    }
    checkpoint_if_long(handle);
    return ERR_OK;
}

/* ---- open and close ---- */

static enum err_code check_file(const char *path, const struct database_options *options,
                                struct err *err)
{
    struct stat info;

    if (strcmp(path, ":memory:") == 0) {
        return ERR_OK;
    }
    if (stat(path, &info) != 0) {
        return options->must_exist || options->read_only
                   ? err_set(err, ERR_NOT_FOUND, "there is no file '%s'", path)
                   : ERR_OK;
    }
    if (S_ISDIR(info.st_mode)) {
        return err_set(err, ERR_DENIED, "'%s' is a folder, not a database file", path);
    }
    if (access(path, R_OK) != 0) {
        return err_set(err, ERR_DENIED, "no permission to read '%s'", path);
    }
    if (!options->read_only && access(path, W_OK) != 0) {
        return err_set(err, ERR_DENIED, "no permission to write '%s'", path);
    }
    return ERR_OK;
}

static enum err_code configure(struct sqlite_handle *handle, const struct database_options *options,
                               struct err *err)
{
    sqlite3 *sqlite = handle->sqlite;

    handle->busy_timeout_ms =
        options->busy_timeout_ms > 0 ? options->busy_timeout_ms : BUSY_TIMEOUT_MS;
    if (sqlite3_busy_timeout(sqlite, handle->busy_timeout_ms) ||
        sqlite3_db_config(sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL) ||
        sqlite3_db_config(sqlite, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL) ||
        sqlite3_db_config(sqlite, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL) ||
        sqlite3_set_authorizer(sqlite, authorize, handle)) {
        return sqlite_error(sqlite, NULL, err);
    }
    (void)sqlite3_wal_hook(sqlite, note_log, handle);
    return ERR_OK;
}

/* A writer that was interrupted leaves a journal, which the next one who may write rolls back: who
 * only reads could never begin. */
static enum err_code roll_back_journal(struct sqlite_handle *handle, const char *path,
                                       struct err *err)
{
    sqlite3 *writer = NULL;
    int rc = sqlite3_open_v2(path, &writer, SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE, NULL);

    if (rc == SQLITE_OK) {
        (void)sqlite3_busy_timeout(writer, handle->busy_timeout_ms);
        rc = sqlite3_exec(writer, "SELECT count(*) FROM sqlite_master", NULL, NULL, NULL);
    }
    (void)sqlite3_close(writer);
    return rc == SQLITE_OK
               ? ERR_OK
               : err_set(err, ERR_DENIED,
                         "a program that wrote it was interrupted, and its journal must be rolled "
                         "back first; here is no permission to do so");
}

/* The first read finds out whether this is a database at all. */
static enum err_code first_read(struct sqlite_handle *handle, const char *path, struct err *err)
{
    static const char sql[] = "SELECT count(*) FROM sqlite_master";
    enum err_code rc = sqlite_own(handle, sql, err);

    if (rc && sqlite3_extended_errcode(handle->sqlite) == SQLITE_READONLY_ROLLBACK) {
        rc = roll_back_journal(handle, path, err);
        rc = rc ? rc : sqlite_own(handle, sql, err);
    }
    return rc;
}

static enum err_code sqlite_open(const char *path, const struct database_options *options,
                                 struct database **out, struct err *err)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    struct sqlite_handle *handle;
    enum err_code rc = check_file(path, options, err);

    if (rc) {
        return rc;
    }
    handle = calloc(1, sizeof *handle);
    if (handle == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    handle->read_only = options->read_only;
    flags |= options->read_only    ? SQLITE_OPEN_READONLY
             : options->must_exist ? SQLITE_OPEN_READWRITE
                                   : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (sqlite3_open_v2(path, &handle->sqlite, flags, NULL)) {
        rc = handle->sqlite == NULL ? err_set(err, ERR_NOMEM, "out of memory")
                                    : sqlite_error(handle->sqlite, path, err);
        goto fail;
    }
    rc = configure(handle, options, err);
    if (rc) {
        goto fail;
    }
    rc = first_read(handle, path, err);
    if (rc == ERR_OK && options->wal && !options->read_only) {
        rc = sqlite_own(handle, "PRAGMA journal_mode = WAL", err);
    }
    if (rc == ERR_OK && !options->read_only && sqlite3_db_readonly(handle->sqlite, "main") == 1) {
        rc = err_set(err, ERR_DENIED, "no permission to write it");
    }
    if (rc) {
        err_wrap(err, "%s", path);
        goto fail;
    }
    *out = &handle->db;
    return ERR_OK;

fail:
    sqlite_close_handle(&handle->db);
    return rc;
}

enum err_code sqlite_open_again(struct sqlite_handle *handle, struct sqlite_handle **out,
                                struct err *err)
{
    const char *path = sqlite3_db_filename(handle->sqlite, "main");
    struct database_options options = {.must_exist = true,
                                       .read_only = handle->read_only,
                                       .busy_timeout_ms = handle->busy_timeout_ms};
    struct database *again = NULL;
    enum err_code rc;

    if (path == NULL || *path == '\0') {
        return err_set(err, ERR_CONFLICT, "a database in memory has no second connection");
    }
    rc = sqlite_open(path, &options, &again, err);
    if (rc == ERR_OK) {
        *out = handle_of(again);
    }
    return rc;
}

void sqlite_close_handle(struct database *db)
{
    struct sqlite_handle *handle = handle_of(db);

    for (size_t i = 0; i < SQLITE_STATEMENTS_KEPT; i++) {
        kept_forget(&handle->kept[i]);
    }
    CHECK(sqlite3_close(handle->sqlite) == SQLITE_OK); /* a statement leaked otherwise */
    free(handle);
}

const struct database_engine database_engine_sqlite = {
    .scheme = "sqlite",
    .open = sqlite_open,
    .close = sqlite_close_handle,
    .probe = sqlite_probe,
    .check = sqlite_check,
    .bound = sqlite_bound,
    .query = sqlite_query,
    .batch = sqlite_batch,
    .maintenance = sqlite_maintenance,
    .snapshot = sqlite_snapshot,
    .restore = sqlite_restore,
    .users = sqlite_users,
    .log_bytes = sqlite_log_bytes,
    .checkpoint = sqlite_checkpoint,
    .write_ahead = sqlite_write_ahead,
};
