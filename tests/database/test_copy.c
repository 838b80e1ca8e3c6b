/*
 * A copy of the whole file, and a copy put back: complete or not at all, and never over another
 * file or under somebody's feet.
 */
#include "tests/database/unit.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "database/database.h"

static struct err err;
static char file[512], copy[512];

static void remove_all(const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal", ".part", ".part-journal"};
    char name[600];

    for (size_t i = 0; i < COUNT(ends); i++) {
        snprintf(name, sizeof name, "%s%s", path, ends[i]);
        (void)unlink(name);
    }
}

static bool there(const char *path, const char *end)
{
    struct stat info;
    char name[600];

    snprintf(name, sizeof name, "%s%s", path, end);
    return stat(name, &info) == 0;
}

static int setup(void **state)
{
    (void)state;
    snprintf(file, sizeof file, "%s", scratch("live.db"));
    snprintf(copy, sizeof copy, "%s", scratch("live.copy"));
    remove_all(file);
    remove_all(copy);
    return 0;
}

static void run(const char *path, const char *sql)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static long long number(const char *path, const char *sql)
{
    struct database *db = NULL;
    struct database_rows *rows = NULL;
    long long out;

    assert_int_equal(database_open(path, NULL, &db, &err), ERR_OK);
    assert_int_equal(database_query(db, sql, NULL, 0, &rows, &err), ERR_OK);
    out = database_rows_int(rows, 0, 0, -1);
    database_rows_free(rows);
    database_close(db);
    return out;
}

static enum err_code snapshot(struct database_copied *copied)
{
    struct database *db = NULL;
    enum err_code rc;

    assert_int_equal(database_open(file, NULL, &db, &err), ERR_OK);
    rc = database_snapshot(db, copy, copied, &err);
    database_close(db);
    return rc;
}

static const char many[] =
    "CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB); CREATE TABLE u(x PRIMARY KEY) WITHOUT ROWID; "
    "CREATE VIEW v AS SELECT no_such_function(a) FROM t; INSERT INTO u VALUES(1), (2); WITH "
    "RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT INTO t "
    "SELECT "
    "i, randomblob(900) FROM n";

static void a_copy_is_one_file_whatever_the_journal(void **state)
{
    static const char *const modes[] = {"PRAGMA journal_mode = DELETE",
                                        "PRAGMA journal_mode = WAL"};
    struct database_copied copied = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(modes); i++) {
        setup(NULL);
        run(file, modes[i]);
        run(file, many);
        assert_int_equal(snapshot(&copied), ERR_OK);
        assert_int_equal(copied.tables, 2);
        assert_int_equal(copied.rows, 502);
        assert_true(copied.bytes > 400000);
        assert_false(there(copy, "-wal") || there(copy, "-journal") || there(copy, ".part"));
        assert_int_equal(number(copy, "SELECT count(*) + sum(length(b)) FROM t"), 500 + 500 * 900);
        assert_int_equal(snapshot(&copied), ERR_CONFLICT); /* replaces nothing */
    }
}

/* What a killed run left is no copy, and does not hinder the next. */
static void a_left_part_is_replaced(void **state)
{
    char part[600];

    (void)state;
    run(file, many);
    snprintf(part, sizeof part, "%s.part", copy);
    run(part, "CREATE TABLE half(a)");
    assert_int_equal(snapshot(NULL), ERR_OK);
    assert_int_equal(number(copy, "SELECT count(*) FROM sqlite_master WHERE name = 'half'"), 0);
    assert_false(there(copy, ".part"));
}

static void a_full_disk_leaves_nothing(void **state)
{
    struct rlimit was, small;
    enum err_code rc;

    (void)state;
    run(file, many);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = was;
    small.rlim_cur = 100000; /* the copy needs more */
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    rc = snapshot(NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
    assert_int_not_equal(rc, ERR_OK);
    assert_false(there(copy, "") || there(copy, ".part") || there(copy, ".part-journal"));
    assert_int_equal(number(file, "SELECT count(*) FROM t"), 500);
}

static void a_copy_is_put_back(void **state)
{
    static const char *const modes[] = {"PRAGMA journal_mode = DELETE",
                                        "PRAGMA journal_mode = WAL"};

    (void)state;
    for (size_t i = 0; i < COUNT(modes); i++) {
        setup(NULL);
        run(file, modes[i]);
        run(file, many);
        assert_int_equal(snapshot(NULL), ERR_OK);
        run(file, "DELETE FROM t; DROP TABLE u; CREATE TABLE later(a); VACUUM");
        assert_int_equal(database_restore(file, copy, "EXISTS (SELECT 1 FROM t)", &err),
                         ERR_CONFLICT);
        assert_int_equal(number(file, "SELECT count(*) FROM t"), 0);
        assert_int_equal(database_restore(file, copy, "NOT EXISTS (SELECT 1 FROM t)", &err),
                         ERR_OK);
        assert_int_equal(number(file, "SELECT count(*) FROM t"), 500);
        assert_int_equal(number(file, "SELECT count(*) FROM u"), 2);
        assert_int_equal(number(file, "SELECT count(*) FROM sqlite_master WHERE name = 'later'"),
                         0);
        assert_int_equal(number(file, "SELECT \"integrity_check\" = 'ok' FROM "
                                      "pragma_integrity_check"),
                         1);
        assert_int_equal(
            number(file, i == 0 ? "SELECT journal_mode = 'delete' FROM pragma_journal_mode"
                                : "SELECT journal_mode = 'wal' FROM pragma_journal_mode"),
            1);
    }
}

/* An idle connection holds no lock without a write-ahead log; the process is found all the same. */
static void who_has_it_open_is_named(void **state)
{
    static const char *const modes[] = {"PRAGMA journal_mode = DELETE",
                                        "PRAGMA journal_mode = WAL"};

    (void)state;
    for (size_t i = 0; i < COUNT(modes); i++) {
        int ready[2];
        char byte, pid_text[40];
        pid_t child;
        setup(NULL);
        run(file, modes[i]);
        run(file, many);
        assert_int_equal(snapshot(NULL), ERR_OK);
        assert_int_equal(pipe(ready), 0);
        child = fork();
        if (child == 0) {
            sqlite3 *db = NULL;
            if (sqlite3_open(file, &db) != SQLITE_OK ||
                sqlite3_exec(db, "SELECT count(*) FROM t", NULL, NULL, NULL) != SQLITE_OK ||
                write(ready[1], "x", 1) != 1) {
                _exit(1);
            }
            pause();
            _exit(0);
        }
        assert_int_equal(read(ready[0], &byte, 1), 1);
        assert_int_equal(database_restore(file, copy, NULL, &err), ERR_BUSY);
        snprintf(pid_text, sizeof pid_text, "pid %ld", (long)child);
        assert_non_null(strstr(err.msg, pid_text));
        (void)kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        (void)close(ready[0]);
        (void)close(ready[1]);
        assert_int_equal(database_restore(file, copy, NULL, &err), ERR_OK);
    }
}

static void what_is_no_copy_is_refused(void **state)
{
    FILE *text;

    (void)state;
    run(file, many);
    assert_int_equal(database_restore(file, copy, NULL, &err), ERR_DENIED); /* not there */
    text = fopen(copy, "w");
    assert_non_null(text);
    for (int i = 0; i < 200; i++) {
        fputs("this is no database at all\n", text);
    }
    assert_int_equal(fclose(text), 0);
    assert_int_equal(database_restore(file, copy, NULL, &err), ERR_INVALID);
    assert_int_equal(database_restore("nonsense://x", copy, NULL, &err), ERR_INVALID);
    assert_int_equal(number(file, "SELECT count(*) FROM t"), 500);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(a_copy_is_one_file_whatever_the_journal),
        TEST(a_left_part_is_replaced),
        TEST(a_full_disk_leaves_nothing),
        TEST(a_copy_is_put_back),
        TEST(who_has_it_open_is_named),
        TEST(what_is_no_copy_is_refused),
    };

    return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
