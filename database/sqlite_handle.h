/*
 * sqlite_handle - what the files of the SQLite driver share. Nobody else includes it.
 */
#ifndef DATABASE_SQLITE_HANDLE_H
#define DATABASE_SQLITE_HANDLE_H

#include <sqlite3.h>

#include "database/database_engine.h"

#define SQLITE_STATEMENTS_KEPT 24u /* prepared statements kept for the next use, by their text */

struct sqlite_kept {
    char *sql;
    sqlite3_stmt *stmt;
    uint64_t used; /* when last; the lowest gives way */
};

struct sqlite_handle {
    struct database db; /* first: the dispatcher sees this */
    sqlite3 *sqlite;
    bool own_statement; /* the driver itself is speaking: BEGIN, COMMIT, VACUUM INTO are allowed */
    bool read_only;
    bool relaxed;                    /* see struct database_batch */
    int64_t synchronous, temp_store; /* as they were before */
    int busy_timeout_ms;
    int log_pages;       /* of the write-ahead log, as the last commit left it */
    int64_t page_bytes;  /* 0: not asked yet */
    int64_t deadline_us; /* of the transaction that has one */
    uint64_t clock;
    struct sqlite_kept kept[SQLITE_STATEMENTS_KEPT];
};

/* The error of the last call as ours; what says which statement. */
enum err_code sqlite_error(sqlite3 *sqlite, const char *what, struct err *err);

/* Runs one of the driver's own statements (BEGIN IMMEDIATE, COMMIT, a PRAGMA). */
enum err_code sqlite_own(struct sqlite_handle *handle, const char *sql, struct err *err);
/* ROLLBACK, if a transaction is open. */
void sqlite_undo(struct sqlite_handle *handle);

/* sqlite_commit.c: a transaction that readers may keep from its end. */
struct sqlite_patience {
    int64_t until_us;  /* no try begins behind it */
    int64_t since_us;  /* when this try got the lock */
    int64_t hold_us;   /* the longest of all tries */
    int64_t commit_us; /* of the last one */
    int commit_wait_ms;
};
struct sqlite_patience sqlite_patience(const struct sqlite_handle *handle);
/* BEGIN IMMEDIATE. What runs longer than hold_max_us from then on is interrupted (0: nothing is). */
enum err_code sqlite_begin(struct sqlite_handle *handle, struct sqlite_patience *patience,
                           int64_t hold_max_us, struct err *err);
/* Whether it has a write-ahead log. */
MUST_USE enum err_code sqlite_has_log(struct sqlite_handle *handle, bool *out, struct err *err);
/* Settings for relaxed batches, or those from before; outside any transaction. */
MUST_USE enum err_code sqlite_relax(struct sqlite_handle *handle, bool relaxed, struct err *err);
/* Ends the try: COMMIT if rc is ERR_OK so far, else ROLLBACK. *again: readers stood in the way, all
 * of it is undone, and after this pause it may be tried again. */
enum err_code sqlite_end(struct sqlite_handle *handle, struct sqlite_patience *patience,
                         enum err_code rc, bool *again, struct err *err);

/* Runs the batch's guards or statements on an open transaction. */
enum err_code sqlite_guards(struct sqlite_handle *handle, const struct database_guard *guards,
                            size_t count, struct err *err);
enum err_code sqlite_statements(struct sqlite_handle *handle,
                                const struct database_statement *statements, size_t count,
                                struct database_batch_result *result, struct err *err);

/* Another connection to the same file, as database_open() makes one. */
enum err_code sqlite_open_again(struct sqlite_handle *handle, struct sqlite_handle **out,
                                struct err *err);
void sqlite_close_handle(struct database *db);

/* sqlite_maintenance.c */
enum err_code sqlite_maintenance(struct database *db, const struct database_maintenance *work,
                                 struct err *err);
int64_t sqlite_log_bytes(struct database *db);
void sqlite_checkpoint(struct database *db, struct database_log *out);
enum err_code sqlite_write_ahead(struct database *db, bool on, bool *done, struct err *err);
/* sqlite_copy.c */
enum err_code sqlite_snapshot(struct database *db, const char *path, struct database_copied *copied,
                              struct err *err);
enum err_code sqlite_restore(const char *path, const char *copy, const char *condition,
                             struct err *err);
/* The other processes that have the file open, as far as this one may see them: "python3 (pid 7)". */
void sqlite_users(const char *path, char *out, size_t size);
/* sqlite_probe.c */
enum err_code sqlite_probe(struct database *db, struct database_capabilities *out, struct err *err);
enum err_code sqlite_check(struct database *db, const char *sql, struct err *err);
void sqlite_bound(struct database *db, const struct database_bounds *bounds);

#endif
