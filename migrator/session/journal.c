#include "migrator/session/journal.h"

#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "migrator/session/lock.h"

#define WRITE_AHEAD_KEY "write_ahead" /* in lockstep_meta, until the log is gone */

/* Nothing newer than SQLite 3.31: these tables live in the application's file. */
static const char *const tables[] = {
    "CREATE TABLE lockstep_meta(key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL)",
    "CREATE TABLE lockstep_lock(id INTEGER PRIMARY KEY CHECK (id = 1), epoch INTEGER NOT NULL, "
    "owner TEXT, taken_at INTEGER, expires_at INTEGER NOT NULL)",
    "INSERT INTO lockstep_lock(id, epoch, expires_at) VALUES(1, 0, 0)",
    "CREATE TABLE lockstep_journal(migration TEXT PRIMARY KEY NOT NULL, kind TEXT NOT NULL, "
    "state TEXT NOT NULL CHECK (state IN ('expanded', 'dual-writing', 'in-sync', 'contracted', "
    "'purged', 'applied')), checksum TEXT NOT NULL, since INTEGER NOT NULL, "
    "detail TEXT NOT NULL DEFAULT '{}', cursor TEXT, digest TEXT, "
    "rows_done INTEGER NOT NULL DEFAULT 0, rows_total INTEGER NOT NULL DEFAULT 0, "
    "backfill_done INTEGER NOT NULL DEFAULT 0, triggers_at INTEGER, verified_at INTEGER, "
    "verify TEXT, reported TEXT)",
    "CREATE TABLE lockstep_history(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT "
    "NULL, migration TEXT NOT NULL, event TEXT NOT NULL, from_state TEXT, to_state TEXT, "
    "duration_ms INTEGER, rows INTEGER, digest TEXT, detail TEXT)",
    "CREATE TABLE lockstep_activity(migration TEXT PRIMARY KEY NOT NULL, written_at INTEGER NOT "
    "NULL)",
};

static enum err_code has_table(struct database *db, const char *name, bool *out, struct err *err)
{
    struct database_value param = database_text(name);
    struct database_rows *rows = NULL;
    enum err_code rc =
        database_query(db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1", &param,
                       1, &rows, err);

    if (rc == ERR_OK) {
        *out = database_rows_count(rows) > 0;
        database_rows_free(rows);
    }
    return rc;
}

enum err_code journal_meta_read(struct database *db, struct journal_meta *out, struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc;

    *out = (struct journal_meta){0};
    rc = has_table(db, "lockstep_meta", &out->exists, err);
    if (rc || !out->exists) {
        return rc;
    }
    rc = database_query(db, "SELECT key, value FROM lockstep_meta", NULL, 0, &rows, err);
    if (rc) {
        return rc;
    }
    for (size_t i = 0; i < database_rows_count(rows); i++) {
        const char *key = database_rows_text(rows, i, 0), *value = database_rows_text(rows, i, 1);
        if (key == NULL || value == NULL) {
            continue;
        }
        if (strcmp(key, "format") == 0) {
            out->format = strtol(value, NULL, 10);
        } else if (strcmp(key, "environment") == 0) {
            (void)snprintf(out->environment, sizeof out->environment, "%s", value);
        } else if (strcmp(key, "database_id") == 0) {
            (void)snprintf(out->database_id, sizeof out->database_id, "%s", value);
        } else if (strcmp(key, "recovery_point") == 0) {
            (void)snprintf(out->recovery, sizeof out->recovery, "%s", value);
        } else if (strcmp(key, "home") == 0) {
            (void)snprintf(out->home, sizeof out->home, "%s", value);
        } else if (strcmp(key, WRITE_AHEAD_KEY) == 0) {
            out->write_ahead = true;
        }
    }
    database_rows_free(rows);
    return ERR_OK;
}

/* As wrangler makes it. */
static void make_ledger(struct work *work, const char *ledger)
{
    struct buf sql = {0};

    buf_text(&sql, "CREATE TABLE IF NOT EXISTS ");
    buf_sql_name(&sql, str_of(ledger));
    buf_text(&sql, "(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP "
                   "DEFAULT CURRENT_TIMESTAMP NOT NULL)");
    work_sql(work, buf_cstr(&sql));
    work->failed = work->failed || buf_failed(&sql);
    buf_fini(&sql);
}

enum err_code journal_make(struct database *db, const struct journal_meta *meta, const char *ledger,
                           struct err *err)
{
    struct work work = {0};
    char format[16];
    enum err_code rc;

    (void)snprintf(format, sizeof format, "%d", JOURNAL_FORMAT);
    work_before(&work, ERR_BUSY, "another migrator is just making its tables here; try again",
                "NOT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'lockstep_meta')", 0, NULL);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        work_sql(&work, tables[i]);
    }
    make_ledger(&work, ledger);
    work_sql_with(&work,
                  "INSERT INTO lockstep_meta(key, value) VALUES('format', ?1), ('environment', "
                  "?2), ('database_id', ?3), ('home', ?4)",
                  4,
                  (struct database_value[]){database_text(format), database_text(meta->environment),
                                            database_text(meta->database_id),
                                            database_text(meta->home)});
    if (meta->write_ahead) {
        work_sql(&work, "INSERT INTO lockstep_meta(key, value) VALUES('" WRITE_AHEAD_KEY
                        "', 'for the first filling')");
    }
    rc = work_run(&work, db, NULL, NULL, err);
    work_fini(&work);
    return rc;
}

enum err_code journal_wrote_ahead(struct database *db, struct err *err)
{
    struct work work = {0};
    enum err_code rc;

    work_sql(&work, "DELETE FROM lockstep_meta WHERE key = '" WRITE_AHEAD_KEY "'");
    rc = work_run(&work, db, NULL, NULL, err);
    work_fini(&work);
    return rc;
}

/* ---- reading ---- */

static const char *keep(struct arena *arena, const struct database_rows *rows, size_t row,
                        size_t column)
{
    const char *text = database_rows_text(rows, row, column);

    return text != NULL ? arena_text(arena, text, strlen(text)) : NULL;
}

static enum err_code take_row(struct journal *journal, const struct database_rows *rows, size_t i,
                              struct err *err)
{
    struct journal_row *row = &journal->at[journal->count];
    const char *state = database_rows_text(rows, i, 2);

    if (!mig_state_parse(state, &row->state)) {
        return err_set(err, ERR_IO, "the journal has the unknown state '%.40s' for %.80s",
                       state != NULL ? state : "", database_rows_text(rows, i, 0));
    }
    row->migration = keep(&journal->arena, rows, i, 0);
    row->kind = keep(&journal->arena, rows, i, 1);
    row->checksum = keep(&journal->arena, rows, i, 3);
    row->since_ms = database_rows_int(rows, i, 4, 0);
    row->detail = keep(&journal->arena, rows, i, 5);
    row->cursor = keep(&journal->arena, rows, i, 6);
    row->digest = keep(&journal->arena, rows, i, 7);
    row->rows_done = database_rows_int(rows, i, 8, 0);
    row->rows_total = database_rows_int(rows, i, 9, 0);
    row->backfill_done = database_rows_int(rows, i, 10, 0) != 0;
    row->triggers_ms = database_rows_int(rows, i, 11, 0);
    row->verified_ms = database_rows_int(rows, i, 12, 0);
    row->verify = keep(&journal->arena, rows, i, 13);
    row->reported = keep(&journal->arena, rows, i, 14);
    if (row->migration == NULL || row->kind == NULL || row->checksum == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    journal->count++;
    return ERR_OK;
}

static enum err_code read_journal(struct database *db, struct journal *out, struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        db,
        "SELECT migration, kind, state, checksum, since, detail, cursor, digest, rows_done, "
        "rows_total, backfill_done, triggers_at, verified_at, verify, reported FROM "
        "lockstep_journal ORDER BY migration",
        NULL, 0, &rows, err);

    if (rc) {
        return rc;
    }
    out->at = arena_zero(&out->arena, database_rows_count(rows) + 1, sizeof *out->at);
    if (out->at == NULL) {
        err_set(err, ERR_NOMEM, "out of memory");
        rc = ERR_NOMEM;
    }
    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        rc = take_row(out, rows, i, err);
    }
    database_rows_free(rows);
    return rc;
}

/* Rows that another tool (wrangler) wrote into the ledger and that the journal does not have. */
static enum err_code read_ledger(struct database *db, const char *ledger, bool journal_exists,
                                 struct journal *out, struct err *err)
{
    struct database_rows *rows = NULL;
    struct journal_row *all;
    struct buf sql = {0};
    enum err_code rc;

    buf_text(&sql, "SELECT name FROM ");
    buf_sql_name(&sql, str_of(ledger));
    buf_text(&sql, journal_exists
                       ? " WHERE name NOT IN (SELECT migration FROM lockstep_journal) ORDER BY name"
                       : " ORDER BY name");
    rc = buf_failed(&sql) ? err_set(err, ERR_NOMEM, "out of memory")
                          : database_query(db, buf_cstr(&sql), NULL, 0, &rows, err);
    buf_fini(&sql);
    if (rc) {
        return rc;
    }
    all = arena_zero(&out->arena, out->count + database_rows_count(rows) + 1, sizeof *all);
    if (all == NULL) {
        database_rows_free(rows);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    if (out->count > 0) {
        memcpy(all, out->at, out->count * sizeof *all);
    }
    out->at = all;
    for (size_t i = 0; i < database_rows_count(rows); i++) {
        const char *name = keep(&out->arena, rows, i, 0);
        if (name != NULL) {
            all[out->count++] = (struct journal_row){.migration = name,
                                                     .kind = "plain",
                                                     .state = MIG_APPLIED,
                                                     .checksum = "",
                                                     .detail = "{}",
                                                     .ledger_only = true};
        }
    }
    database_rows_free(rows);
    return ERR_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct journal_row *left = a, *right = b;

    return strcmp(left->migration, right->migration);
}

enum err_code journal_read(struct database *db, const char *ledger, struct journal *out,
                           struct err *err)
{
    bool journal_exists = false, ledger_exists = false;
    enum err_code rc = has_table(db, "lockstep_journal", &journal_exists, err);

    *out = (struct journal){0};
    if (rc == ERR_OK) {
        rc = has_table(db, ledger, &ledger_exists, err);
    }
    if (rc == ERR_OK && journal_exists) {
        rc = read_journal(db, out, err);
    }
    if (rc == ERR_OK && ledger_exists) {
        rc = read_ledger(db, ledger, journal_exists, out, err);
    }
    if (out->count > 1) {
        qsort(out->at, out->count, sizeof *out->at, by_name);
    }
    return rc;
}

void journal_fini(struct journal *journal)
{
    arena_fini(&journal->arena);
    *journal = (struct journal){0};
}

const struct journal_row *journal_find(const struct journal *journal, const char *migration)
{
    struct journal_row wanted = {.migration = migration};

    return journal->count == 0
               ? NULL
               : bsearch(&wanted, journal->at, journal->count, sizeof wanted, by_name);
}

/* ---- writing, as parts of a batch ---- */

void journal_demand(struct work *work, const char *migration, enum mig_state state)
{
    struct database_value params[] = {database_text(migration),
                                      database_text(mig_state_name(state))};

    work_before(work, ERR_CONFLICT,
                "another migrator has moved this migration meanwhile; nothing was changed; look at "
                "`migrate status` and run the command again",
                "coalesce((SELECT state FROM lockstep_journal WHERE migration = ?1), 'pending') = "
                "?2",
                2, params);
}

void journal_move(struct work *work, const char *migration, const char *kind, const char *checksum,
                  enum mig_state from, enum mig_state to)
{
    struct database_value name = database_text(migration);

    CHECK(mig_state_may_move(from, to));
    journal_demand(work, migration, from);
    if (to == MIG_PENDING) {
        work_sql_with(work, "DELETE FROM lockstep_journal WHERE migration = ?1", 1, &name);
    } else if (from == MIG_PENDING) {
        work_sql_with(work,
                      "INSERT INTO lockstep_journal(migration, kind, state, checksum, since) "
                      "VALUES(?1, ?2, ?3, ?4, " DATABASE_NOW_MS ")",
                      4,
                      (struct database_value[]){name, database_text(kind),
                                                database_text(mig_state_name(to)),
                                                database_text(checksum)});
    } else {
        work_sql_with(work,
                      "UPDATE lockstep_journal SET state = ?2, since = " DATABASE_NOW_MS
                      " WHERE migration = ?1",
                      2, (struct database_value[]){name, database_text(mig_state_name(to))});
    }
}

static void name_user(uid_t uid, char *out, size_t size)
{
    char storage[1024];
    struct passwd entry, *found = NULL;

    if (getpwuid_r(uid, &entry, storage, sizeof storage, &found) != 0 || found == NULL) {
        (void)snprintf(out, size, "uid %ld", (long)uid);
    } else {
        (void)snprintf(out, size, "%.60s", found->pw_name);
    }
}

/* Each line of history names who wrote it, and a look into the user database reads files. */
static struct {
    pthread_once_t once;
    uid_t uid;
    char name[64];
} first_user = {.once = PTHREAD_ONCE_INIT};

static void name_first_user(void)
{
    first_user.uid = getuid();
    name_user(first_user.uid, first_user.name, sizeof first_user.name);
}

const char *journal_actor(char *out, size_t size)
{
    char host[64] = "", name[64];
    const char *user = getenv("LOCKSTEP_ACTOR");

    if (user != NULL && *user != '\0') {
        (void)snprintf(out, size, "%.80s", user);
        return out;
    }
    pthread_once(&first_user.once, name_first_user);
    (void)gethostname(host, sizeof host - 1);
    if (first_user.uid != getuid()) { /* it gave up its rights meanwhile */
        name_user(getuid(), name, sizeof name);
    }
    (void)snprintf(out, size, "%s@%s", first_user.uid != getuid() ? name : first_user.name, host);
    return out;
}

void journal_history(struct work *work, const struct history *history)
{
    char who[160];
    struct database_value params[] = {
        database_text(journal_actor(who, sizeof who)),
        database_text(history->migration),
        database_text(history->event),
        history->stateless ? database_null() : database_text(mig_state_name(history->from)),
        history->stateless ? database_null() : database_text(mig_state_name(history->to)),
        database_int(history->started_ms),
        history->rows >= 0 ? database_int(history->rows) : database_null(),
        database_text(history->digest),
        database_text(history->detail),
    };

    work_sql_with(work,
                  "INSERT INTO lockstep_history(at, actor, migration, event, from_state, to_state, "
                  "duration_ms, rows, digest, detail) VALUES(" DATABASE_NOW_MS
                  ", ?1, ?2, ?3, ?4, ?5, max(0, " DATABASE_NOW_MS " - ?6), ?7, ?8, ?9)",
                  9, params);
}

void journal_ledger(struct work *work, const char *ledger, const char *name)
{
    struct database_value param = database_text(name);
    struct buf sql = {0};

    if (strcmp(ledger, JOURNAL_LEDGER) != 0) { /* it may have been called otherwise at first */
        make_ledger(work, ledger);
    }
    buf_text(&sql, "INSERT INTO ");
    buf_sql_name(&sql, str_of(ledger));
    buf_text(&sql, " (name) VALUES (?1)");
    work_sql_with(work, buf_cstr(&sql), 1, &param);
    work->failed = work->failed || buf_failed(&sql);
    buf_fini(&sql);
}
