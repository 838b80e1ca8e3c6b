/*
 * What SQLite cannot do inside an ordinary batch, on a connection of its own that is closed
 * afterwards, so that no setting outlives the work. (A database in memory has no second one.)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "database/sql_scan.h"
#include "database/sqlite_handle.h"

/* A connection of its own begins with an empty cache, and guards may look at every row while the
 * write lock is held: a million rows took 48 ms instead of 57 where pages are mapped, not copied. */
#define MAP_PAGES "PRAGMA mmap_size = 1073741824"

static enum err_code raise_schema_version(struct sqlite_handle *handle, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    char sql[64];
    int version;

    if (sqlite3_prepare_v2(handle->sqlite, "PRAGMA schema_version", -1, &stmt, NULL) ||
        sqlite3_step(stmt) != SQLITE_ROW) {
        enum err_code rc = sqlite_error(handle->sqlite, "schema_version", err);
        sqlite3_finalize(stmt);
        return rc;
    }
    version = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    (void)snprintf(sql, sizeof sql, "PRAGMA schema_version = %d", (int)((unsigned)version + 1u));
    return sqlite_own(handle, sql, err);
}

static enum err_code must_be_empty(struct sqlite_handle *handle, const char *sql, struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(&handle->db, sql, NULL, 0, &rows, err);
    const char *found = NULL;

    if (rc) {
        return rc;
    }
    if (database_rows_count(rows) > 0) {
        found = database_rows_columns(rows) > 0 ? database_rows_text(rows, 0, 0) : NULL;
        rc = err_set(err, ERR_CONFLICT, "a check before COMMIT failed: %s",
                     found != NULL ? found : sql);
    }
    database_rows_free(rows);
    return rc;
}

/* Whether a statement writes the schema's own table, as only it needs the setting. */
static bool edits_schema(const char *sql)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token;

    if (!sql_scan_next(&scan, &token)) {
        return false;
    }
    if (sql_token_is(&token, "INSERT") || sql_token_is(&token, "DELETE")) {
        struct sql_token word;
        return sql_scan_next(&scan, &word) &&
               sql_token_is(&word, sql_token_is(&token, "INSERT") ? "INTO" : "FROM") &&
               sql_scan_next(&scan, &token) && sql_token_names(&token, "sqlite_master");
    }
    return sql_token_is(&token, "UPDATE") && sql_scan_next(&scan, &token) &&
           sql_token_names(&token, "sqlite_master");
}

/* Only those run under writable_schema: while it is on, SQLite passes over its own checks, and
 * ALTER TABLE would leave an index or a view on a column that is gone. */
static enum err_code statements(struct sqlite_handle *handle,
                                const struct database_maintenance *work, struct err *err)
{
    enum err_code rc = ERR_OK;
    size_t i = 0;

    while (rc == ERR_OK && i < work->statement_count) {
        bool edits = work->writable_schema && edits_schema(work->statements[i].sql);
        size_t from = i;
        for (i++; i < work->statement_count; i++) {
            if ((work->writable_schema && edits_schema(work->statements[i].sql)) != edits) {
                break;
            }
        }
        rc = edits ? sqlite_own(handle, "PRAGMA writable_schema = ON", err) : ERR_OK;
        rc = rc ? rc : sqlite_statements(handle, &work->statements[from], i - from, NULL, err);
        if (rc == ERR_OK && edits) {
            /* First the version, which makes this connection read the schema anew; then the
             * setting off, and a statement that needs the schema: it fails on what cannot be
             * read. */
            rc = raise_schema_version(handle, err);
            rc = rc ? rc : sqlite_own(handle, "PRAGMA writable_schema = OFF", err);
            rc = rc ? rc : sqlite_own(handle, "SELECT count(*) FROM sqlite_master", err);
        }
    }
    return rc;
}

static enum err_code work_in_transaction(struct sqlite_handle *handle,
                                         const struct database_maintenance *work, struct err *err)
{
    enum err_code rc = sqlite_guards(handle, work->before, work->before_count, err);

    if (rc == ERR_OK) {
        rc = statements(handle, work, err);
    }
    for (size_t i = 0; rc == ERR_OK && work->checks != NULL && work->checks[i] != NULL; i++) {
        rc = must_be_empty(handle, work->checks[i], err);
    }
    return rc;
}

/* A database in memory has one connection alone: it gets its settings back. */
static void end_in_place(struct sqlite_handle *handle, const struct database_maintenance *work)
{
    struct err unused = {0};
    enum err_code rc = sqlite_own(handle, "PRAGMA writable_schema = OFF", &unused);

    (void)rc; /* of settings alone: it cannot fail */
    (void)sqlite3_db_config(handle->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (work->foreign_keys_off) {
        (void)sqlite3_db_config(handle->sqlite, SQLITE_DBCONFIG_ENABLE_FKEY, 1, NULL);
    }
}

enum err_code sqlite_maintenance(struct database *db, const struct database_maintenance *work,
                                 struct err *err)
{
    struct sqlite_handle *handle = (struct sqlite_handle *)db;
    const char *path = sqlite3_db_filename(handle->sqlite, "main");
    bool in_place = path == NULL || *path == '\0';
    struct sqlite_patience patience;
    bool again = true;
    enum err_code rc = in_place ? ERR_OK : sqlite_open_again(handle, &handle, err);

    if (rc) {
        return rc;
    }
    handle->db.engine = db->engine; /* for database_query() below; the URL is not needed */
    if (work->foreign_keys_off) {
        rc = sqlite_own(handle, "PRAGMA foreign_keys = OFF", err);
    }
    if (rc == ERR_OK && work->writable_schema) {
        (void)sqlite3_db_config(handle->sqlite, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    }
    if (rc == ERR_OK && !in_place) {
        rc = sqlite_own(handle, MAP_PAGES, err);
    }
    patience = sqlite_patience(handle);
    while (rc == ERR_OK && again) {
        rc = sqlite_begin(handle, &patience, 0, err);
        if (rc == ERR_OK) {
            rc = work_in_transaction(handle, work, err);
            rc = sqlite_end(handle, &patience, rc, &again, err);
            rc = again ? ERR_OK : rc;
        }
    }
    if (rc == ERR_OK && work->hold_us != NULL) {
        *work->hold_us = patience.hold_us;
    }
    if (in_place) {
        end_in_place(handle, work);
    } else {
        sqlite_close_handle(&handle->db);
    }
    return rc;
}

/* Of the write-ahead log: a frame is a page with a header of 24 bytes. */
static int64_t frame_bytes(struct sqlite_handle *handle)
{
    struct database_rows *rows = NULL;
    struct err unused = {0};

    if (handle->page_bytes == 0 &&
        database_query(&handle->db, "PRAGMA page_size", NULL, 0, &rows, &unused) == ERR_OK) {
        handle->page_bytes = database_rows_int(rows, 0, 0, 4096);
        database_rows_free(rows);
    }
    return (handle->page_bytes > 0 ? handle->page_bytes : 4096) + 24;
}

int64_t sqlite_log_bytes(struct database *db)
{
    struct sqlite_handle *handle = (struct sqlite_handle *)db;
    const char *log = sqlite3_filename_wal(sqlite3_db_filename(handle->sqlite, "main"));
    struct stat info;

    if (handle->log_pages > 0) { /* the file stays as long as it once was */
        return handle->log_pages * frame_bytes(handle);
    }
    return log != NULL && *log != '\0' && stat(log, &info) == 0 ? (int64_t)info.st_size : 0;
}

void sqlite_checkpoint(struct database *db, struct database_log *out)
{
    struct sqlite_handle *handle = (struct sqlite_handle *)db;
    int frames = -1, taken = -1;

    if (sqlite3_wal_checkpoint_v2(handle->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames,
                                  &taken) == SQLITE_OK &&
        frames >= 0) {
        out->bytes = frames * frame_bytes(handle);
        out->left = (frames - taken) * frame_bytes(handle);
    }
}

static bool is_empty(struct database *db)
{
    struct database_rows *rows = NULL;
    struct err unused = {0};
    bool out = database_query(db, "PRAGMA main.page_count", NULL, 0, &rows, &unused) == ERR_OK &&
               database_rows_int(rows, 0, 0, 1) == 0;

    database_rows_free(rows);
    return out;
}

/* Where others have the file open the mode stays what it is, with or without an error. */
enum err_code sqlite_write_ahead(struct database *db, bool on, bool *done, struct err *err)
{
    struct sqlite_handle *handle = (struct sqlite_handle *)db;
    struct err unused = {0};
    bool log = false;
    enum err_code rc = sqlite_has_log(handle, &log, err);

    *done = rc == ERR_OK && !on && !log;
    if (rc || log == on || (on && !is_empty(db))) {
        return rc;
    }
    if (sqlite_own(handle,
                   on ? "PRAGMA main.journal_mode = WAL" : "PRAGMA main.journal_mode = DELETE",
                   &unused) == ERR_OK) {
        rc = sqlite_has_log(handle, &log, err);
        *done = rc == ERR_OK && log == on;
    }
    return rc;
}
