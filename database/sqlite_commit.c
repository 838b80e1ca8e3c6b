/*
 * The ends of a transaction: BEGIN IMMEDIATE, a bound on what runs between, and a COMMIT that
 * readers may keep waiting, or that need not wait for the disk.
 *
 * Without a write-ahead log a COMMIT needs the file for itself. While SQLite waits for readers it
 * keeps new ones out, so one long reader and one waiting writer stop everybody. A COMMIT therefore
 * waits for some milliseconds alone; then all is rolled back, others have their turn, and it is
 * tried again, each time with a little more patience, so that many short readers cannot hold it up
 * for ever.
 */
#include <stdio.h>

#include "base/clock.h"
#include "database/sqlite_handle.h"

#define COMMIT_WAIT_MS 15      /* the first time */
#define COMMIT_WAIT_MAX_MS 120 /* doubled up to here */
#define TURN_OF_OTHERS 4       /* times as long as was waited: with the lock free */
#define SYNCHRONOUS_NORMAL 1
#define CLOCK_STEPS 1000 /* virtual machine steps between looks at the clock; some 20 us */

struct sqlite_patience sqlite_patience(const struct sqlite_handle *handle)
{
    return (struct sqlite_patience){.until_us = clock_monotonic_us() +
                                                (int64_t)handle->busy_timeout_ms * 1000,
                                    .commit_wait_ms = COMMIT_WAIT_MS};
}

static int is_late(void *ctx)
{
    const struct sqlite_handle *handle = ctx;

    return clock_monotonic_us() > handle->deadline_us;
}

/* ---- relaxed ---- */

static enum err_code ask(struct sqlite_handle *handle, const char *pragma, sqlite3_stmt **out,
                         struct err *err)
{
    if (sqlite3_prepare_v2(handle->sqlite, pragma, -1, out, NULL) ||
        sqlite3_step(*out) != SQLITE_ROW) {
        enum err_code rc = sqlite_error(handle->sqlite, pragma, err);
        (void)sqlite3_finalize(*out);
        return rc;
    }
    return ERR_OK;
}

static enum err_code ask_number(struct sqlite_handle *handle, const char *pragma, int64_t *out,
                                struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    enum err_code rc = ask(handle, pragma, &stmt, err);

    if (rc == ERR_OK) {
        *out = sqlite3_column_int64(stmt, 0);
        (void)sqlite3_finalize(stmt);
    }
    return rc;
}

enum err_code sqlite_has_log(struct sqlite_handle *handle, bool *out, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    enum err_code rc = ask(handle, "PRAGMA main.journal_mode", &stmt, err);

    if (rc == ERR_OK) {
        *out = sqlite3_stricmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;
        (void)sqlite3_finalize(stmt);
    }
    return rc;
}

/* Without a log a commit that is not synced could tear the file. */
static enum err_code relax(struct sqlite_handle *handle, struct err *err)
{
    bool log = false;
    enum err_code rc = sqlite_has_log(handle, &log, err);

    rc = rc ? rc : ask_number(handle, "PRAGMA main.synchronous", &handle->synchronous, err);
    rc = rc ? rc : ask_number(handle, "PRAGMA temp_store", &handle->temp_store, err);
    if (rc == ERR_OK && log && handle->synchronous > SYNCHRONOUS_NORMAL) {
        rc = sqlite_own(handle, "PRAGMA main.synchronous = NORMAL", err);
    }
    return rc ? rc : sqlite_own(handle, "PRAGMA temp_store = MEMORY", err);
}

enum err_code sqlite_relax(struct sqlite_handle *handle, bool relaxed, struct err *err)
{
    char sql[80];
    enum err_code rc;

    if (relaxed == handle->relaxed) {
        return ERR_OK;
    }
    if (relaxed) {
        rc = relax(handle, err);
    } else {
        (void)snprintf(sql, sizeof sql, "PRAGMA main.synchronous = %d; PRAGMA temp_store = %d",
                       (int)handle->synchronous, (int)handle->temp_store);
        rc = sqlite_own(handle, sql, err);
    }
    if (rc == ERR_OK) {
        handle->relaxed = relaxed;
    }
    return rc;
}

/* ---- begin and end ---- */

enum err_code sqlite_begin(struct sqlite_handle *handle, struct sqlite_patience *patience,
                           int64_t hold_max_us, struct err *err)
{
    enum err_code rc = sqlite_own(handle, "BEGIN IMMEDIATE", err);

    if (rc) {
        return rc;
    }
    patience->since_us = clock_monotonic_us();
    if (hold_max_us > 0) {
        handle->deadline_us = patience->since_us + hold_max_us;
        sqlite3_progress_handler(handle->sqlite, CLOCK_STEPS, is_late, handle);
    }
    return ERR_OK;
}

enum err_code sqlite_end(struct sqlite_handle *handle, struct sqlite_patience *patience,
                         enum err_code rc, bool *again, struct err *err)
{
    int64_t commit_from_us = clock_monotonic_us(), held_us;
    bool blocked = false;

    *again = false;
    sqlite3_progress_handler(handle->sqlite, 0, NULL, NULL);
    if (rc == ERR_OK) {
        (void)sqlite3_busy_timeout(handle->sqlite, patience->commit_wait_ms);
        rc = sqlite_own(handle, "COMMIT", err); /* deferred foreign keys may still refuse it */
        (void)sqlite3_busy_timeout(handle->sqlite, handle->busy_timeout_ms);
        blocked = rc == ERR_BUSY;
    }
    if (rc) {
        sqlite_undo(handle);
    }
    held_us = clock_monotonic_us() - patience->since_us;
    patience->commit_us = clock_monotonic_us() - commit_from_us;
    patience->hold_us = held_us > patience->hold_us ? held_us : patience->hold_us;
    if (!blocked) {
        return rc;
    }
    if (clock_monotonic_us() >= patience->until_us) {
        return err_set(err, ERR_BUSY,
                       "somebody reads this database all the time, and without a write-ahead log "
                       "nothing can be written meanwhile; try again when that is done");
    }
    clock_sleep_us(held_us * TURN_OF_OTHERS);
    patience->commit_wait_ms = patience->commit_wait_ms * 2 > COMMIT_WAIT_MAX_MS
                                   ? COMMIT_WAIT_MAX_MS
                                   : patience->commit_wait_ms * 2;
    *again = true;
    return rc;
}
