/*
 * The SQLite driver: the suite that every engine passes, and what is this engine's own.
 */
#include "tests/database/engine_suite.h"

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

/* ---- queries that are none ---- */

static void a_refused_query_says_why(void **state)
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

static void relaxed_batches_wait_for_no_disk(void **state)
{
    static const struct database_statement insert = {"INSERT INTO t(b) VALUES(7)", NULL, 0};
    static const struct database_statement refused = {"INSERT INTO t(a) VALUES(1)", NULL, 0};
    struct database_batch relaxed = {.statements = &insert, .statement_count = 1, .relaxed = true};
    struct database *db = *state, *logged = NULL;
    char url[600];

    assert_int_equal(run(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)"), ERR_OK);
    assert_int_equal(database_batch(db, &relaxed, NULL, &err), ERR_OK);
    assert_int_equal(number(db, "PRAGMA synchronous"), 2); /* a journal must be synced */
    assert_int_equal(number(db, "PRAGMA temp_store"), 2);
    assert_int_equal(run(db, insert.sql), ERR_OK);
    assert_int_equal(number(db, "PRAGMA temp_store"), 0);

    (void)unlink(scratch("relaxed.db"));
    snprintf(url, sizeof url, "sqlite:%s", scratch("relaxed.db"));
    assert_int_equal(database_open(url, &(struct database_options){.wal = true}, &logged, &err),
                     ERR_OK);
    assert_int_equal(run(logged, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)"), ERR_OK);
    assert_int_equal(number(logged, "PRAGMA synchronous"), 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(database_batch(logged, &relaxed, NULL, &err), ERR_OK);
        assert_int_equal(number(logged, "PRAGMA synchronous"), 1);
    }
    relaxed.statements = &refused; /* a batch that failed leaves the next one as it should be */
    assert_int_equal(database_batch(logged, &relaxed, NULL, &err), ERR_CONFLICT);
    assert_int_equal(run(logged, insert.sql), ERR_OK);
    assert_int_equal(number(logged, "PRAGMA synchronous"), 2);
    assert_int_equal(number(logged, "SELECT count(*) FROM t"), 3);
    database_close(logged);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        ENGINE_SUITE(setup, teardown),
        TEST(a_refused_query_says_why),
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
        TEST(relaxed_batches_wait_for_no_disk),
        TEST(statements_are_kept_and_still_right_after_a_change),
    };

    return cmocka_run_group_tests_name("database", tests, NULL, NULL);
}
