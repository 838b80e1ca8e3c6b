/*
 * The driver suite: what every engine behind database.h must do. It runs on SQLite; another engine
 * is one more URL.
 */
#include "tests/database/unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "database/database.h"

static struct err err;

static struct database *open_new(const char *name)
{
    struct database *db = NULL;
    char url[600];

    (void)unlink(scratch(name));
    snprintf(url, sizeof url, "sqlite:%s", scratch(name));
    assert_int_equal(database_open(url, NULL, &db, &err), ERR_OK);
    assert_int_equal(database_prepare_guards(db, &err), ERR_OK);
    return db;
}

static int setup(void **state)
{
    err = (struct err){0};
    *state = open_new("suite.db");
    return 0;
}

static int teardown(void **state)
{
    database_close(*state);
    return 0;
}

static enum err_code run(struct database *db, const char *sql)
{
    struct database_statement statement = {sql, NULL, 0};

    return database_batch(
        db, &(struct database_batch){.statements = &statement, .statement_count = 1}, NULL, &err);
}

static int64_t number(struct database *db, const char *sql)
{
    struct database_rows *rows = NULL;
    int64_t out;

    if (database_query(db, sql, NULL, 0, &rows, &err) != ERR_OK) {
        fail_msg("%s", err.msg);
    }
    out = database_rows_int(rows, 0, 0, INT64_MIN);
    database_rows_free(rows);
    return out;
}

/* ---- values ---- */

static void values_come_back_as_they_were(void **state)
{
    static const char nul_inside[] = "a\0b", bad_utf8[] = "\xff\xfe(";
    struct database_value values[] = {
        database_null(),
        database_int(0),
        database_int(INT64_MIN),
        database_int(INT64_MAX),
        database_int((1LL << 53) + 1),
        database_real(1.5),
        database_real(-0.1),
        database_real(1e308),
        database_text(""),
        database_text("gr\xc3\xbc\xc3\x9f"),
        database_text_n(nul_inside, 3),
        database_text_n(bad_utf8, 3),
        {DATABASE_BLOB, {.bytes = {nul_inside, 3}}},
        {DATABASE_BLOB, {.bytes = {NULL, 0}}},
    };

    for (size_t i = 0; i < COUNT(values); i++) {
        struct database_rows *rows = NULL;
        const struct database_value *got;
        assert_int_equal(
            database_query(*state, "SELECT ?1 AS v, typeof(?1)", &values[i], 1, &rows, &err),
            ERR_OK);
        assert_int_equal(database_rows_count(rows), 1);
        assert_int_equal(database_rows_columns(rows), 2);
        assert_string_equal(database_rows_name(rows, 0), "v");
        got = database_rows_at(rows, 0, 0);
        assert_int_equal(got->type, values[i].type);
        switch (got->type) {
        case DATABASE_NULL: assert_null(database_rows_text(rows, 0, 0)); break;
        case DATABASE_INT: assert_true(got->as.i == values[i].as.i); break;
        case DATABASE_REAL: assert_true(got->as.d == values[i].as.d); break;
        default:
            assert_int_equal(got->as.bytes.len, values[i].as.bytes.len);
            assert_memory_equal(got->as.bytes.at, values[i].as.bytes.at, got->as.bytes.len);
            assert_int_equal(got->as.bytes.at[got->as.bytes.len], '\0');
        }
        assert_int_equal(database_rows_int(rows, 0, 1, -7), -7);
        database_rows_free(rows);
    }
}

static void a_stored_value_keeps_nul_and_bad_utf8(void **state)
{
    struct database_value params[] = {database_text_n("x\0y", 3), database_text_n("\xc3", 1)};
    struct database_statement statements[] = {{"CREATE TABLE t(a TEXT, b TEXT)", NULL, 0},
                                              {"INSERT INTO t VALUES(?1, ?2)", params, 2}};
    struct database_rows *rows = NULL;

    assert_int_equal(
        database_batch(*state,
                       &(struct database_batch){.statements = statements, .statement_count = 2},
                       NULL, &err),
        ERR_OK);
    assert_int_equal(database_query(*state, "SELECT a, b FROM t", NULL, 0, &rows, &err), ERR_OK);
    assert_int_equal(database_rows_at(rows, 0, 0)->as.bytes.len, 3);
    assert_memory_equal(database_rows_at(rows, 0, 0)->as.bytes.at, "x\0y", 3);
    assert_int_equal(database_rows_at(rows, 0, 1)->as.bytes.len, 1);
    database_rows_free(rows);
}

static void names_are_there_without_rows(void **state)
{
    struct database_rows *rows = NULL;

    assert_int_equal(
        database_query(*state, "SELECT 1 AS one, 2 AS two WHERE 0", NULL, 0, &rows, &err), ERR_OK);
    assert_int_equal(database_rows_count(rows), 0);
    assert_string_equal(database_rows_name(rows, 1), "two");
    database_rows_free(rows);
}

/* ---- queries that are none ---- */

static void a_query_only_reads_one_statement(void **state)
{
    static const struct {
        const char *sql;
        const char *words;
    } cases[] = {
        {"CREATE TABLE x(a)", "must only read"},
        {"DELETE FROM lockstep_guard", "must only read"},
        {"SELECT 1; SELECT 2", "two statements"},
        {"BEGIN", "BEGIN"},
        {"ATTACH 'x' AS y", "ATTACH"},
        {"", "empty"},
        {"-- nothing", "empty"},
        {"SELECT nonesuch", "no such column: nonesuch, in: SELECT nonesuch"},
        {"SELEC 1", "syntax error"},
        {"SELECT ?1", "0 parameters for 1"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct database_rows *rows = NULL;
        assert_int_equal(database_query(*state, cases[i].sql, NULL, 0, &rows, &err), ERR_INVALID);
        if (strstr(err.msg, cases[i].words) == NULL) {
            fail_msg("%s: %s", cases[i].sql, err.msg);
        }
        assert_null(rows);
    }
    assert_int_equal(number(*state, "SELECT count(*) FROM sqlite_master"), 1);
}

/* ---- batches ---- */

static void a_batch_is_all_or_nothing(void **state)
{
    struct database_statement statements[] = {
        {"CREATE TABLE t(a INTEGER PRIMARY KEY)", NULL, 0},
        {"INSERT INTO t VALUES(1), (2)", NULL, 0},
        {"INSERT INTO t VALUES(1)", NULL, 0},
    };
    struct database_batch batch = {.statements = statements, .statement_count = 3};
    struct database_batch_result result = {0};
    int64_t changes[3] = {-1, -1, -1};

    assert_int_equal(database_batch(*state, &batch, NULL, &err), ERR_CONFLICT);
    assert_string_equal(err.msg, "statement 3 of 3: UNIQUE constraint failed: t.a");
    assert_int_equal(number(*state, "SELECT count(*) FROM sqlite_master WHERE name = 't'"), 0);

    batch.statement_count = 2;
    result.statement_changes = changes;
    assert_int_equal(database_batch(*state, &batch, &result, &err), ERR_OK);
    assert_int_equal(result.changes, 2);
    assert_int_equal(changes[0], 0);
    assert_int_equal(changes[1], 2);
    assert_true(result.hold_us >= 0);
    /* sqlite3_changes() keeps its old value over what changes no row */
    assert_int_equal(run(*state, "CREATE TABLE u(a)"), ERR_OK);
}

static void nothing_tears_a_batch_apart(void **state)
{
    static const char *const torn[] = {"COMMIT",      "BEGIN", "ROLLBACK",
                                       "SAVEPOINT s", "END",   "ATTACH ':memory:' AS other",
                                       "DETACH main"};

    for (size_t i = 0; i < COUNT(torn); i++) {
        struct database_statement statements[] = {{"CREATE TABLE t(a)", NULL, 0},
                                                  {torn[i], NULL, 0}};
        assert_int_equal(
            database_batch(*state,
                           &(struct database_batch){.statements = statements, .statement_count = 2},
                           NULL, &err),
            ERR_INVALID);
        assert_int_equal(number(*state, "SELECT count(*) FROM sqlite_master WHERE name = 't'"), 0);
    }
}

static void guards_decide(void **state)
{
    static const struct {
        const char *condition;
        bool holds;
    } cases[] = {{"1", true},         {"0", false},
                 {"NULL", false},     {"5", true},
                 {"'a' = 'a'", true}, {"(SELECT 1 WHERE 0)", false},
                 {"1 OR 0", true},    {"EXISTS (SELECT 1)", true}};

    assert_int_equal(run(*state, "CREATE TABLE t(a)"), ERR_OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct database_guard guard = {cases[i].condition, NULL, 0, ERR_STALE, "as I said"};
        struct database_statement insert = {"INSERT INTO t VALUES(1)", NULL, 0};
        struct database_batch before = {
            .before = &guard, .before_count = 1, .statements = &insert, .statement_count = 1};
        struct database_batch after = {
            .after = &guard, .after_count = 1, .statements = &insert, .statement_count = 1};
        int64_t rows = number(*state, "SELECT count(*) FROM t");
        enum err_code wanted = cases[i].holds ? ERR_OK : ERR_STALE;

        assert_int_equal(database_batch(*state, &before, NULL, &err), wanted);
        assert_int_equal(database_batch(*state, &after, NULL, &err), wanted);
        if (!cases[i].holds) {
            assert_string_equal(err.msg, "as I said");
        }
        assert_int_equal(number(*state, "SELECT count(*) FROM t"), rows + (cases[i].holds ? 2 : 0));
        assert_int_equal(number(*state, "SELECT count(*) FROM lockstep_guard"), 0);
    }
}

static void a_guard_sees_parameters_and_what_was_done(void **state)
{
    struct database_value two = database_int(2);
    struct database_guard after = {"(SELECT count(*) FROM t) = ?1", &two, 1, ERR_OK, NULL};
    struct database_statement insert = {"INSERT INTO t VALUES(1)", NULL, 0};
    struct database_batch batch = {
        .after = &after, .after_count = 1, .statements = &insert, .statement_count = 1};

    assert_int_equal(run(*state, "CREATE TABLE t(a)"), ERR_OK);
    assert_int_equal(database_batch(*state, &batch, NULL, &err), ERR_CONFLICT); /* code 0 */
    assert_int_equal(run(*state, "INSERT INTO t VALUES(1)"), ERR_OK);
    assert_int_equal(database_batch(*state, &batch, NULL, &err), ERR_OK);
    after.condition = "no_such_column = ?1"; /* a wrong guard is an error, not a refusal */
    assert_int_equal(database_batch(*state, &batch, NULL, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "guard 1"));
}

static void foreign_keys_hold(void **state)
{
    assert_int_equal(run(*state, "CREATE TABLE p(id INTEGER PRIMARY KEY)"), ERR_OK);
    assert_int_equal(run(*state, "CREATE TABLE c(p REFERENCES p DEFERRABLE INITIALLY DEFERRED)"),
                     ERR_OK);
    assert_int_equal(run(*state, "INSERT INTO c VALUES(7)"), ERR_CONFLICT); /* at COMMIT */
    assert_int_equal(number(*state, "SELECT count(*) FROM c"), 0);
}

/* ---- locks and files ---- */

static void another_writer_makes_it_busy(void **state)
{
    struct database_options options = {.busy_timeout_ms = 50};
    struct database *db = NULL;
    sqlite3 *other = NULL;

    (void)state;
    assert_int_equal(sqlite3_open(scratch("suite.db"), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(database_open(scratch("suite.db"), &options, &db, &err), ERR_BUSY);
    assert_non_null(strstr(err.msg, "locked"));
    assert_null(db);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(database_open(scratch("suite.db"), &options, &db, &err), ERR_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(run(db, "CREATE TABLE t(a)"), ERR_BUSY);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(run(db, "CREATE TABLE t(a)"), ERR_OK);
    database_close(db);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
}

static void files_that_cannot_be_opened(void **state)
{
    struct database *db = NULL;
    FILE *noise = fopen(scratch("noise.db"), "w");

    (void)state;
    for (int i = 0; i < 4096; i++) {
        assert_true(fputc(i * 7 % 251, noise) >= 0);
    }
    assert_int_equal(fclose(noise), 0);
    assert_int_equal(database_open(scratch("noise.db"), NULL, &db, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "no SQLite database"));
    assert_int_equal(database_open(scratch("none.db"),
                                   &(struct database_options){.must_exist = true}, &db, &err),
                     ERR_NOT_FOUND);
    assert_int_not_equal(access(scratch("none.db"), F_OK), 0);
    assert_int_equal(database_open(scratch("."), NULL, &db, &err), ERR_DENIED);
    assert_int_equal(database_open(scratch("no/such/folder.db"), NULL, &db, &err), ERR_DENIED);
    assert_int_equal(database_open("mysql://x/y", NULL, &db, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "mysql"));
    assert_int_equal(database_open("sqlite:", NULL, &db, &err), ERR_INVALID);
    assert_null(db);
}

static void reading_only_writes_nothing(void **state)
{
    struct database *db = NULL;
    struct stat before, after;

    (void)state;
    assert_int_equal(stat(scratch("suite.db"), &before), 0);
    assert_int_equal(database_open(scratch("suite.db"),
                                   &(struct database_options){.read_only = true}, &db, &err),
                     ERR_OK);
    assert_int_equal(number(db, "SELECT 7"), 7);
    assert_int_equal(run(db, "CREATE TABLE t(a)"), ERR_DENIED);
    database_close(db);
    assert_int_equal(stat(scratch("suite.db"), &after), 0);
    assert_int_equal(before.st_size, after.st_size);
}

/* Ends in the middle of a transaction that has reached the file. */
static void interrupted_writer(const char *path)
{
    sqlite3 *writer = NULL;

    if (sqlite3_open(path, &writer) == SQLITE_OK &&
        sqlite3_exec(writer,
                     "PRAGMA cache_size = 2; BEGIN; UPDATE t SET a = 'torn' || zeroblob(900); "
                     "INSERT INTO t SELECT zeroblob(9000) FROM t",
                     NULL, NULL, NULL) == SQLITE_OK) {
        _exit(0);
    }
    _exit(1);
}

static void who_only_reads_gets_past_an_interrupted_writer(void **state)
{
    struct database *db = *state;
    char path[512], journal[530];
    int status = 0;
    pid_t child;

    assert_int_equal(run(db, "CREATE TABLE t(a)"), ERR_OK);
    assert_int_equal(run(db, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) "
                             "INSERT INTO t SELECT 'whole' || zeroblob(900) FROM n"),
                     ERR_OK);
    database_close(db);
    *state = NULL;
    snprintf(path, sizeof path, "%s", scratch("suite.db"));
    snprintf(journal, sizeof journal, "%s-journal", path);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        interrupted_writer(path);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(access(journal, F_OK), 0);
    db = NULL;
    assert_int_equal(database_open(path, &(struct database_options){.read_only = true}, &db, &err),
                     ERR_OK);
    assert_int_equal(number(db, "SELECT count(*) FROM t WHERE a LIKE 'whole%'"), 200);
    assert_int_equal(run(db, "CREATE TABLE u(a)"), ERR_DENIED);
    database_close(db);
}

/* As root every file may be written, so a child becomes nobody first. */
static void a_file_without_permission_is_said_to_be_one(void **state)
{
    int status = 0;
    pid_t child;

    (void)state;
    assert_int_equal(chmod(scratch("suite.db"), 0444), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct database *db = NULL;
        char path[512];
        snprintf(path, sizeof path, "%s", scratch("suite.db"));
        if (geteuid() == 0 && setuid(65534) != 0) {
            _exit(3);
        }
        _exit(database_open(path, NULL, &db, &err) == ERR_DENIED && db == NULL ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(chmod(scratch("suite.db"), 0644), 0);
}

static void the_journal_mode_changes_only_if_asked_for(void **state)
{
    struct database *db = NULL;
    struct database_log log;

    assert_int_equal(run(*state, "CREATE TABLE t(a)"), ERR_OK);
    assert_int_equal(database_log_bytes(*state), 0);
    assert_int_equal(
        database_open(scratch("suite.db"), &(struct database_options){.wal = true}, &db, &err),
        ERR_OK);
    assert_int_equal(run(db, "INSERT INTO t VALUES(1)"), ERR_OK);
    assert_true(database_log_bytes(db) > 0);
    database_checkpoint(db, &log);
    assert_true(log.bytes > 0);
    assert_int_equal(log.left, 0);
    database_close(db);
}

/* A reader that does not end, and a writer that waits for it: others must be able to read. */
static void a_commit_that_waits_for_a_reader_lets_others_read(void **state)
{
    sqlite3 *reader = NULL, *other = NULL;
    int64_t since_us = 0, longest_us = 0, until_us;
    int status, gate[2];
    char go;
    pid_t writer;

    assert_int_equal(run(*state, "CREATE TABLE t(a)"), ERR_OK);
    assert_int_equal(pipe(gate), 0);
    writer = fork(); /* before SQLite knows a lock, which the child would believe to be its own */
    assert_true(writer >= 0);
    if (writer == 0) {
        struct database *db = NULL;
        struct err failed = {0};
        bool right = read(gate[0], &go, 1) == 1 &&
                     database_open(scratch("suite.db"), NULL, &db, &failed) == ERR_OK &&
                     run(db, "INSERT INTO t VALUES(1)") == ERR_OK;
        _exit(right ? 0 : 1);
    }
    assert_int_equal(sqlite3_open(scratch("suite.db"), &reader), SQLITE_OK);
    assert_int_equal(sqlite3_open(scratch("suite.db"), &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT * FROM t", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(write(gate[1], "g", 1), 1);
    for (until_us = clock_monotonic_us() + 1500000; clock_monotonic_us() < until_us;) {
        bool refused = sqlite3_exec(other, "SELECT * FROM t", NULL, NULL, NULL) == SQLITE_BUSY;
        since_us = !refused ? 0 : since_us == 0 ? clock_monotonic_us() : since_us;
        if (refused && clock_monotonic_us() - since_us > longest_us) {
            longest_us = clock_monotonic_us() - since_us;
        }
        clock_sleep_us(1000);
    }
    assert_int_equal(waitpid(writer, &status, WNOHANG), 0);
    if (longest_us > 500000) { /* it waits for 120 ms; without the bound it was all the time */
        fail_msg("nobody could read for %lld us", (long long)longest_us);
    }
    assert_int_equal(sqlite3_exec(reader, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(waitpid(writer, &status, 0), writer);
    assert_int_equal(status, 0);
    assert_int_equal(sqlite3_close(reader), SQLITE_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    close(gate[0]);
    close(gate[1]);
}

/* ---- what not every engine can ---- */

static void capabilities_are_probed(void **state)
{
    const struct database_capabilities *capabilities = NULL;

    assert_int_equal(database_probe(*state, &capabilities, &err), ERR_OK);
    assert_string_equal(capabilities->engine, "sqlite");
    assert_true(capabilities->maintenance && capabilities->snapshot && capabilities->pragmas);
    assert_int_equal(capabilities->rename_column, sqlite3_libversion_number() >= 3025000);
    assert_int_equal(capabilities->drop_column, sqlite3_libversion_number() >= 3035005);
    assert_int_equal(number(*state, "SELECT count(*) FROM sqlite_master"), 1); /* nothing is left */
}

static void maintenance_edits_the_schema_or_nothing(void **state)
{
    struct database_statement edit = {
        "UPDATE sqlite_master SET sql = 'CREATE TABLE t(a TEXT)' WHERE name = 't'", NULL, 0};
    struct database_statement broken = {
        "UPDATE sqlite_master SET sql = 'CREATE TABLE t(a TEXT' WHERE name = 't'", NULL, 0};
    const char *const loose[] = {
        "SELECT 'still strict' FROM pragma_table_info('t') WHERE \"notnull\"", NULL};
    const char *const never[] = {"SELECT 'as it must'", NULL};
    struct database_maintenance work = {
        .writable_schema = true, .statements = &edit, .statement_count = 1, .checks = never};

    assert_int_equal(run(*state, "CREATE TABLE t(a TEXT NOT NULL)"), ERR_OK);
    assert_int_equal(run(*state, "INSERT INTO t VALUES(NULL)"), ERR_CONFLICT);
    assert_int_equal(database_maintenance(*state, &work, &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "as it must"));
    assert_int_equal(run(*state, "INSERT INTO t VALUES(NULL)"), ERR_CONFLICT);
    work.checks = loose;
    assert_int_equal(database_maintenance(*state, &work, &err), ERR_OK);
    assert_int_equal(run(*state, "INSERT INTO t VALUES(NULL)"), ERR_OK); /* seen here at once */
    work.statements = &broken;
    assert_int_not_equal(database_maintenance(*state, &work, &err), ERR_OK);
    assert_int_equal(number(*state, "SELECT count(*) FROM t"), 1);
    /* the ordinary connection may not */
    assert_int_not_equal(run(*state, edit.sql), ERR_OK);
}

static void a_snapshot_is_a_whole_database(void **state)
{
    struct database *copy = NULL;
    char path[512];

    snprintf(path, sizeof path, "%s", scratch("copy.db"));
    (void)unlink(path);
    assert_int_equal(run(*state, "CREATE TABLE t(a)"), ERR_OK);
    assert_int_equal(run(*state, "INSERT INTO t VALUES(1), (2), (3)"), ERR_OK);
    assert_int_equal(database_snapshot(*state, path, NULL, &err), ERR_OK);
    assert_int_equal(database_snapshot(*state, path, NULL, &err),
                     ERR_CONFLICT); /* replaces nothing */
    assert_int_equal(database_open(path, NULL, &copy, &err), ERR_OK);
    assert_int_equal(number(copy, "SELECT count(*) FROM t"), 3);
    database_close(copy);
}

static void statements_are_kept_and_still_right_after_a_change(void **state)
{
    assert_int_equal(run(*state, "CREATE TABLE t(a)"), ERR_OK);
    for (int i = 0; i < 100; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "SELECT %d", i); /* more than are kept */
        assert_int_equal(number(*state, sql), i);
        assert_int_equal(number(*state, "SELECT count(*) FROM t"), i / 50);
        if (i == 49) {
            assert_int_equal(run(*state, "ALTER TABLE t ADD COLUMN b"), ERR_OK);
            assert_int_equal(run(*state, "INSERT INTO t(b) VALUES(1)"), ERR_OK);
        }
    }
}

/* One connection is all that there is: its settings are as before. */
/* Under writable_schema SQLite passes over what still names a column that goes away. */
static void maintenance_keeps_what_sqlite_refuses(void **state)
{
    struct database_statement both[] = {
        {"UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE name = 't'", NULL, 0},
        {"ALTER TABLE t DROP COLUMN b", NULL, 0},
    };
    struct database_statement orphan = {
        "UPDATE sqlite_master SET sql = 'CREATE TABLE t(a TEXT)' WHERE name = 't'", NULL, 0};
    struct database_maintenance work = {
        .writable_schema = true, .statements = both, .statement_count = 2};

    assert_int_equal(run(*state, "CREATE TABLE t(a TEXT NOT NULL, b TEXT)"), ERR_OK);
    assert_int_equal(run(*state, "CREATE INDEX i ON t(b)"), ERR_OK);
    assert_int_not_equal(database_maintenance(*state, &work, &err), ERR_OK);
    work.statements = &orphan; /* without a check: the schema is read anew before COMMIT */
    work.statement_count = 1;
    assert_int_not_equal(database_maintenance(*state, &work, &err), ERR_OK);
    assert_int_equal(number(*state, "SELECT count(b) FROM t"), 0);
    assert_int_equal(run(*state, "DROP INDEX i"), ERR_OK);
    work.statements = both;
    work.statement_count = 2;
    assert_int_equal(run(*state, "CREATE VIEW v AS SELECT b FROM t"), ERR_OK);
    assert_int_not_equal(database_maintenance(*state, &work, &err), ERR_OK);
    assert_int_equal(run(*state, "DROP VIEW v"), ERR_OK);
    assert_int_equal(database_maintenance(*state, &work, &err), ERR_OK);
    assert_int_equal(run(*state, "INSERT INTO t(a) VALUES(NULL)"), ERR_OK);
}

static void maintenance_in_memory_gives_the_settings_back(void **state)
{
    static const struct database_statement edit = {
        "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE name = 't'", NULL, 0};
    static const struct database_statement broken = {
        "UPDATE sqlite_master SET sql = 'CREATE TABL' WHERE name = 't'", NULL, 0};
    struct database_maintenance work = {.foreign_keys_off = true,
                                        .writable_schema = true,
                                        .statements = &edit,
                                        .statement_count = 1};
    struct database *db = NULL;

    (void)state;
    assert_int_equal(database_open("sqlite::memory:", NULL, &db, &err), ERR_OK);
    assert_int_equal(run(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT NOT NULL)"), ERR_OK);
    assert_int_equal(run(db, "CREATE TABLE u(t REFERENCES t)"), ERR_OK);
    assert_int_equal(database_maintenance(db, &work, &err), ERR_OK);
    assert_int_equal(run(db, "INSERT INTO t(a) VALUES(1)"), ERR_OK);
    assert_int_not_equal(run(db, edit.sql), ERR_OK);
    assert_int_equal(run(db, "INSERT INTO u(t) VALUES(7)"), ERR_CONFLICT);
    work.statements = &broken;
    work.checks = (const char *const[]){"SELECT 'a row too many' FROM u", NULL};
    assert_int_not_equal(database_maintenance(db, &work, &err), ERR_OK);
    assert_int_equal(number(db, "SELECT count(*) FROM t"), 1);
    assert_int_not_equal(run(db, edit.sql), ERR_OK);
    database_close(db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(values_come_back_as_they_were),
        TEST(a_stored_value_keeps_nul_and_bad_utf8),
        TEST(names_are_there_without_rows),
        TEST(a_query_only_reads_one_statement),
        TEST(a_batch_is_all_or_nothing),
        TEST(nothing_tears_a_batch_apart),
        TEST(guards_decide),
        TEST(a_guard_sees_parameters_and_what_was_done),
        TEST(foreign_keys_hold),
        TEST(another_writer_makes_it_busy),
        TEST(files_that_cannot_be_opened),
        TEST(reading_only_writes_nothing),
        TEST(who_only_reads_gets_past_an_interrupted_writer),
        TEST(a_file_without_permission_is_said_to_be_one),
        TEST(the_journal_mode_changes_only_if_asked_for),
        TEST(a_commit_that_waits_for_a_reader_lets_others_read),
        TEST(capabilities_are_probed),
        TEST(maintenance_edits_the_schema_or_nothing),
        TEST(maintenance_keeps_what_sqlite_refuses),
        TEST(maintenance_in_memory_gives_the_settings_back),
        TEST(a_snapshot_is_a_whole_database),
        TEST(statements_are_kept_and_still_right_after_a_change),
    };

    return cmocka_run_group_tests_name("database", tests, NULL, NULL);
}
