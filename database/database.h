/*
 * database - one interface, several engines: a SQLite file, later D1 over HTTP and others.
 *
 *     struct database *db;
 *     rc = database_open("sqlite:app.db", NULL, &db, &err);
 *     rc = database_query(db, "SELECT id FROM t WHERE a = ?1", params, 1, &rows, &err);
 *     rc = database_batch(db, &batch, NULL, &err);       // all of it, or nothing
 *     database_close(db);
 *
 * The primitive is a guarded batch, because that is what an engine behind HTTP can do too: guards
 * before, statements, guards after; the first failure undoes everything. There is no interactive
 * transaction in this interface. Each guard is a condition in SQL that must be true, run as
 *
 *     INSERT INTO lockstep_guard(ok) SELECT NULL WHERE NOT coalesce((<condition>), 0)
 *
 * on a table whose only column is NOT NULL, so that any engine refuses the batch by itself.
 * database_prepare_guards() makes that table.
 *
 * One thread at a time uses a struct database. This module knows nothing of migrations or flags.
 */
#ifndef DATABASE_H
#define DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct database;

struct database_options {
    bool read_only;
    bool must_exist;     /* do not create a file */
    int busy_timeout_ms; /* how long a statement waits for another's lock; 0: 5,000 */
    const char *token;   /* engines behind HTTP */
    const char *api;     /* the API's base URL; NULL: the engine's own */
    unsigned requests;   /* in five minutes, where a service counts them; 0: what it allows */
    bool wal;            /* SQLite: write-ahead logging; for a store of our own alone */
};

/* Opens the database that url names: a path, "sqlite:PATH", or another engine's scheme.
 * ERR_INVALID: unknown scheme, or a file that is no database; ERR_NOT_FOUND; ERR_DENIED (no
 * permission, or a folder); ERR_IO. The file's journal mode is never changed unless options->wal.
 * Foreign keys are enforced. */
MUST_USE enum err_code database_open(const char *url, const struct database_options *options,
                                     struct database **out, struct err *err);
void database_close(struct database *db); /* NULL allowed */

/* The URL without secrets, for messages; lent. */
const char *database_url(const struct database *db);

/* Whether each query and batch is a request over a network, which takes its time, and of which a
 * service allows only so many. */
bool database_remote(const struct database *db);

/* ---- capabilities: probed, never guessed from a version ---- */

/* What a statement may need at most; 0: the engine tells of no such bound. */
struct database_bounds {
    unsigned params;             /* bound parameters */
    unsigned statement_bytes;    /* of its text */
    unsigned columns;            /* of a table, index or result */
    unsigned value_bytes;        /* of a text, a blob or a row */
    unsigned expression_depth;   /* of an expression's tree */
    unsigned compound_select;    /* terms of UNION ALL and the like */
    unsigned function_args;      /* of one call */
    unsigned program_ops;        /* instructions that it compiles to, without its triggers' */
    unsigned trigger_depth;      /* triggers that fire triggers */
    unsigned like_pattern_bytes; /* right of LIKE or GLOB */
};

struct database_capabilities {
    const char *engine; /* "sqlite" */
    int engine_version; /* 3040001, or 0 if the engine hides it; for messages alone */
    bool pragmas;       /* PRAGMA quick_check, foreign_key_check, ... are allowed */
    bool snapshot;      /* database_snapshot() works */
    bool bookmarks;     /* database_bookmark() may work */
    bool maintenance;   /* database_maintenance() works */
    bool rename_column, drop_column;
    bool alter_drop_not_null, alter_set_not_null; /* ALTER TABLE t ALTER COLUMN c ... NOT NULL */
    bool writable_schema; /* a maintenance connection may edit sqlite_master */
    bool own_collations;  /* an application may bring some, and indexes compare by them */
    bool readers_block;   /* who reads keeps writers out (SQLite without a write-ahead log) */
    struct database_bounds bounds;
};
/* Probes on first use (scratch objects that are rolled back); lent until close. */
MUST_USE enum err_code database_probe(struct database *db, const struct database_capabilities **out,
                                      struct err *err);

/* From here on the probe answers with these, and what they bound is refused: what is tried out in
 * this database is meant for another one. */
void database_pretend(struct database *db, const struct database_capabilities *capabilities);

/* ---- values and rows ---- */

enum database_type { DATABASE_NULL, DATABASE_INT, DATABASE_REAL, DATABASE_TEXT, DATABASE_BLOB };

struct database_value {
    enum database_type type;
    union {
        int64_t i;
        double d;
        struct str bytes; /* TEXT and BLOB; any bytes, NUL included */
    } as;
};

static inline struct database_value database_null(void)
{
    return (struct database_value){DATABASE_NULL, {0}};
}
static inline struct database_value database_int(int64_t i)
{
    return (struct database_value){DATABASE_INT, {.i = i}};
}
static inline struct database_value database_real(double d)
{
    return (struct database_value){DATABASE_REAL, {.d = d}};
}
static inline struct database_value database_text(const char *nul_terminated) /* NULL: SQL NULL */
{
    return nul_terminated == NULL
               ? database_null()
               : (struct database_value){DATABASE_TEXT, {.bytes = str_of(nul_terminated)}};
}
static inline struct database_value database_text_n(const char *at, size_t len)
{
    return (struct database_value){DATABASE_TEXT, {.bytes = {at, len}}};
}

/* Why the engine may take this statement apart (then it is refused when it is read back, and may go
 * as a file), or NULL. Lent for ever. */
const char *database_hazard(const struct database *db, const char *sql);

/* Whether the engine takes this statement, as the schema is at this moment, without running it.
 * ERR_INVALID or ERR_LIMIT with the reason. An engine behind HTTP is not asked: it answers with what is
 * known of it. */
MUST_USE enum err_code database_check(struct database *db, const char *sql, struct err *err);

struct database_rows; /* a whole result; owned by the caller */

size_t database_rows_count(const struct database_rows *rows);
size_t database_rows_columns(const struct database_rows *rows);
const char *database_rows_name(const struct database_rows *rows, size_t column);
const struct database_value *database_rows_at(const struct database_rows *rows, size_t row,
                                              size_t column); /* lent */
/* The value as NUL-terminated text / integer; NULL or otherwise for SQL NULL or out of range. */
const char *database_rows_text(const struct database_rows *rows, size_t row, size_t column);
int64_t database_rows_int(const struct database_rows *rows, size_t row, size_t column,
                          int64_t otherwise);
void database_rows_free(struct database_rows *rows); /* NULL allowed */

/* Runs one statement that only reads and returns all its rows. ERR_INVALID: the SQL, with the
 * engine's message; ERR_BUSY; ERR_LIMIT: over DATABASE_ROWS_MAX. */
#define DATABASE_ROWS_MAX 1000000u
MUST_USE enum err_code database_query(struct database *db, const char *sql,
                                      const struct database_value *params, size_t param_count,
                                      struct database_rows **out, struct err *err);

/* ---- the guarded batch ---- */

struct database_statement {
    const char *sql;                     /* one statement, without a trailing ';' */
    const struct database_value *params; /* ?1 .. ?n */
    size_t param_count;
};

struct database_guard {
    const char
        *condition; /* SQL expression that must be true: "(SELECT epoch FROM lockstep_lock) = ?1" */
    const struct database_value *params;
    size_t param_count;
    enum err_code code;  /* what the batch returns if it is not true; 0: ERR_CONFLICT */
    const char *refusal; /* the message then, for people */
};

struct database_batch {
    const struct database_guard *before;
    size_t before_count;
    const struct database_statement *statements;
    size_t statement_count;
    const struct database_guard *after;
    size_t after_count;
    /* What runs for longer is undone with ERR_TIMEOUT; 0: no such bound. A service has a bound of
     * its own (D1: 30 s): what it broke off is ERR_TIMEOUT then, and not tried again as it is. */
    int64_t hold_max_us;
    /* One of many that can be done again: COMMIT need not wait for the disk. What is relaxed may be
     * gone after a power cut, in whole batches from the end, until somebody's batch or checkpoint
     * has synced; nothing is ever torn, and nothing of others' goes. SQLite: synchronous = NORMAL in
     * a write-ahead log, otherwise as ever; what undoes a failed statement stays in memory. */
    bool relaxed;
    /* An engine behind HTTP that takes requests apart by rules of its own may take a file instead, and
     * answers nobody until it is done (D1: import). All or nothing as ever; the others take a batch. */
    bool as_file;
};

struct database_batch_result {
    int64_t changes; /* rows that the statements themselves changed, summed, without triggers */
    int64_t hold_us; /* how long the write lock was held, COMMIT and what it syncs included; -1 if
                        the engine cannot tell; set on failure too */
    int64_t
        commit_us; /* of that, what COMMIT took: waits for the disk that no smaller batch saves */
    int64_t rows_written; /* as a service counts and charges them, indexes and triggers too; -1: it
                             does not say */
    int64_t
        *statement_changes; /* one a statement; the caller's array of statement_count, or NULL */
};

/* All or nothing. On any failure nothing was changed and no transaction is open. A failed guard
 * returns its code and refusal; a failed statement the engine's message and which one.
 * Where readers block (see capabilities), COMMIT waits for them for some milliseconds only, because
 * new ones are kept out meanwhile: then all of it is undone, and tried again a little later, until
 * the busy timeout is over. result may be NULL. */
MUST_USE enum err_code database_batch(struct database *db, const struct database_batch *batch,
                                      struct database_batch_result *result, struct err *err);

/* Makes lockstep_guard if it is not there, then proves that a batch is atomic here: one whose last
 * guard fails must leave nothing. ERR_CONFLICT if it left something. */
MUST_USE enum err_code database_prepare_guards(struct database *db, struct err *err);

/* Splits SQL text into its statements (comments, strings and trigger bodies understood), in order.
 * Each piece is borrowed from text, without the ';'. ERR_INVALID: unterminated string or comment.
 * Free *out with free(). */
MUST_USE enum err_code database_split(struct str text, struct str **out, size_t *count,
                                      struct err *err);

/* ---- where the engine can ---- */

/* Runs statements outside any batch, on a connection of its own, with settings that cannot be
 * changed inside a transaction. All statements run in one transaction; `check` (may be NULL) is a
 * query that must return no row before COMMIT. Afterwards settings are as before. */
struct database_maintenance {
    bool foreign_keys_off;
    bool writable_schema; /* for statements that write sqlite_master; it is read anew behind them */
    const struct database_guard *before;
    size_t before_count;
    const struct database_statement *statements;
    size_t statement_count;
    const char *const *checks; /* queries that must return no row; NULL-terminated; or NULL */
    int64_t *hold_us; /* set on ERR_OK: how long the write lock was held; NULL: not asked */
};
MUST_USE enum err_code
database_maintenance(struct database *db, const struct database_maintenance *work, struct err *err);

/* Copies the whole database as it is at one moment to a new file at path. The copy was opened and
 * checked (sound, the same rows in each table), or it is not there: a full disk leaves nothing.
 * ERR_CONFLICT: path exists; a copy never replaces a file. copied may be NULL. */
struct database_copied {
    int64_t tables, rows, bytes;
};
MUST_USE enum err_code database_snapshot(struct database *db, const char *path,
                                         struct database_copied *copied, struct err *err);
/* Puts a copy in the place of the database that url names, in one transaction: after a crash it is
 * as it was, or as the copy is. Nobody may have it open, this process neither: ERR_BUSY names who
 * has. condition: SQL that must be true in the database before, or NULL; ERR_CONFLICT if it is not. */
MUST_USE enum err_code database_restore(const char *url, const char *copy, const char *condition,
                                        struct err *err);
/* A service that keeps its past (D1's Time Travel): a name for this moment, and the way back to it
 * of the whole database, with all that anybody wrote since. undo leads forward again ("": the answer with it was lost; a bookmark from before does so); what was
 * written between is lost then, too. Open the database anew behind it. ERR_NOT_FOUND: this service
 * keeps none; ERR_CONFLICT: nor does this engine. */
#define DATABASE_BOOKMARK_BYTES 200
MUST_USE enum err_code database_bookmark(struct database *db, char out[DATABASE_BOOKMARK_BYTES],
                                         struct err *err);
MUST_USE enum err_code database_rewind(struct database *db, const char *bookmark,
                                       char undo[DATABASE_BOOKMARK_BYTES], struct err *err);

/* Other processes that have the database open, for messages; "" if none is known. */
void database_users(const char *url, char *out, size_t size);

/* Bytes in use of the write-ahead log as this connection's last commit left it (before the first:
 * of its file), 0 if there is none, -1 if unknown: a throttle signal. */
int64_t database_log_bytes(struct database *db);

struct database_log {
    int64_t bytes; /* in use; -1: unknown, as while another process makes a checkpoint */
    int64_t left;  /* of them, that a checkpoint could not take over: a reader still needs them */
};
/* Asks for a checkpoint that waits for nobody and blocks nobody (SQLite: PASSIVE). out may be
 * NULL. */
void database_checkpoint(struct database *db, struct database_log *out);

/* For the first filling of a file: with on, a COMMIT waits for the disk once instead of four times,
 * and is as safe; without, all is as it was before. SQLite: a write-ahead log, on a file without a
 * single page alone. *done: it is so now; with on false also where it was never otherwise. Not done
 * are: a file in use, other engines, and off while others have the file open. */
MUST_USE enum err_code database_write_ahead(struct database *db, bool on, bool *done,
                                            struct err *err);

#endif
