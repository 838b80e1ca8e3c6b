/*
 * The backfill's pieces: every kind of key, what a batch may hold, how long it may hold the lock,
 * and where it goes on after it was stopped.
 */
#include "tests/migrator/unit.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "migrator/migrate.h"
#include "migrator/walk/ranges.h"
#include "tests/migrator/ground.h"

static void migration(const char *text)
{
    file("0001_fill/migration.json", text);
}

#define UPPER                                                                                      \
    "{\"table\": \"t\", \"add\": {\"b\": {\"type\": \"TEXT\"}}, \"forward\": {\"b\": "             \
    "\"upper(a)\"}}"

#define NUMBERS(count)                                                                             \
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " #count ") "

/* ---- keys ---- */

static const struct {
    const char *name, *table, *fill;
} keys[] = {
    {"rowid", "CREATE TABLE t(a TEXT)",
     NUMBERS(700) "INSERT INTO t(rowid, a) SELECT i * 3 - 900, 'x' || i FROM n"},
    {"rowid at both ends", "CREATE TABLE t(a TEXT)",
     NUMBERS(
         700) "INSERT INTO t(rowid, a) SELECT CASE WHEN i < 351 THEN -9223372036854775807 - 1 + "
              "i - 1 ELSE 9223372036854775807 - (i - 351) END, 'x' || i FROM n"},
    {"a hidden rowid", "CREATE TABLE t(a TEXT, rowid TEXT, _rowid_ TEXT)",
     NUMBERS(700) "INSERT INTO t(a, rowid) SELECT 'x' || i, 'same' FROM n"},
    {"NULL in a key that is none", "CREATE TABLE t(k TEXT PRIMARY KEY, a TEXT)",
     NUMBERS(700) "INSERT INTO t SELECT CASE WHEN i % 2 THEN 'k' || i END, 'x' || i FROM n"},
    {"composite", "CREATE TABLE t(k INT, l TEXT, a TEXT, PRIMARY KEY(k, l)) WITHOUT ROWID",
     NUMBERS(700) "INSERT INTO t SELECT i % 7, 'l' || i, 'x' || i FROM n"},
    {"composite, both down",
     "CREATE TABLE t(k INT, l TEXT, a TEXT, PRIMARY KEY(k DESC, l DESC)) WITHOUT ROWID",
     NUMBERS(700) "INSERT INTO t SELECT i % 7, 'l' || i, 'x' || i FROM n"},
    {"composite, down and up",
     "CREATE TABLE t(k INT, l TEXT, m INT, a TEXT, PRIMARY KEY(k DESC, l, m DESC)) WITHOUT ROWID",
     NUMBERS(700) "INSERT INTO t SELECT i % 7, 'l' || (i % 5), i, 'x' || i FROM n"},
    {"NUL bytes", "CREATE TABLE t(k TEXT PRIMARY KEY, a TEXT) WITHOUT ROWID",
     NUMBERS(700) "INSERT INTO t SELECT CAST(X'6100' AS TEXT) || i || CAST(X'00' AS TEXT), 'x' || "
                  "i FROM n"},
    {"blobs and quotes", "CREATE TABLE t(k PRIMARY KEY, a TEXT) WITHOUT ROWID",
     NUMBERS(700) "INSERT INTO t SELECT CASE i % 3 WHEN 0 THEN CAST(i AS BLOB) WHEN 1 THEN '''' || "
                  "i ELSE i * 0.1 END, 'x' || i FROM n"},
    {"reals", "CREATE TABLE t(k REAL PRIMARY KEY, a TEXT) WITHOUT ROWID",
     NUMBERS(698) "INSERT INTO t SELECT 1e10 + i / 3.0e5, 'x' || i FROM n UNION ALL SELECT -9e999, "
                  "'y' UNION ALL SELECT 9e999, 'z'"},
    {"NOCASE", "CREATE TABLE t(k TEXT COLLATE NOCASE PRIMARY KEY, a TEXT) WITHOUT ROWID",
     NUMBERS(700) "INSERT INTO t SELECT CASE WHEN i % 2 THEN 'K' ELSE 'k' END || i, 'x' || i FROM "
                  "n"},
    {"an index that tells apart what its column does not",
     "CREATE TABLE t(k TEXT COLLATE NOCASE, a TEXT, PRIMARY KEY(k COLLATE BINARY)) WITHOUT ROWID",
     NUMBERS(350) "INSERT INTO t SELECT 'K' || i, 'x' || i FROM n UNION ALL SELECT 'k' || i, 'y' "
                  "|| i FROM n"},
    {"an index that runs otherwise than its column",
     "CREATE TABLE t(k TEXT, l INT, a TEXT, PRIMARY KEY(k COLLATE NOCASE, l)) WITHOUT ROWID",
     NUMBERS(700) "INSERT INTO t SELECT CASE WHEN i % 2 THEN 'K' ELSE 'k' END || (i % 9), i, 'x' "
                  "|| i FROM n"},
};

/* Filled, each row once, and counted right. */
static void every_kind_of_key(void **state)
{
    for (size_t i = 0; i < COUNT(keys); i++) {
        const struct json *step;
        sqlite3 *app;
        ground_new(state);
        app = app_open(db);
        app_run(app, "PRAGMA journal_mode = WAL"); /* fewer waits for the disk */
        app_run(app, keys[i].table);
        app_run(app, keys[i].fill);
        if (app_number(app, "SELECT count(*) FROM t") != 700) {
            fail_msg("%s: not 700 rows", keys[i].name);
        }
        migration(UPPER);
        PLAY(play_apply(db, folder, "in-sync", &play_err));
        step = json_first(json_get(play_report(), "steps"));
        while (json_next(step) != NULL) {
            step = json_next(step);
        }
        if (json_number(json_get(step, "backfilled"), 0) != 700 ||
            json_number(json_get(step, "batches"), 0) < 3 ||
            app_number(app, "SELECT count(*) FROM t WHERE b IS NOT upper(a)") != 0 ||
            app_number(app, "SELECT rows_done = 700 AND rows_total = 700 AND backfill_done FROM "
                            "lockstep_journal") != 1) {
            fail_msg("%s: %.0f rows in %.0f batches", keys[i].name,
                     json_number(json_get(step, "backfilled"), 0),
                     json_number(json_get(step, "batches"), 0));
        }
        app_close(app);
    }
}

/* A piece is found by the key's own index: nothing is sorted, nothing before it is read. */
static void no_piece_is_sorted_or_searched(void **state)
{
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct database *database = NULL;
        struct arena arena = {0};
        struct shape shape;
        struct range range;
        struct database_value params[RANGE_PARAMS_MAX];
        struct database_rows *rows = NULL;
        struct err err = {0};
        struct buf sql = {0};
        bool more;
        sqlite3 *app;
        size_t count;

        ground_new(state);
        app = app_open(db);
        app_run(app, keys[i].table);
        app_run(app, keys[i].fill);
        app_close(app);
        assert_int_equal(database_open(db, NULL, &database, &err), ERR_OK);
        assert_int_equal(shape_read(database, "t", &arena, &shape, &err), ERR_OK);
        assert_int_equal(range_start(&range, &shape, NULL, &err), ERR_OK);
        assert_int_equal(range_next(&range, database, 100, &more, &err), ERR_OK);
        assert_int_equal(range_next(&range, database, 100, &more, &err), ERR_OK);
        buf_text(&sql, "EXPLAIN QUERY PLAN SELECT ");
        range_key_columns(&shape, &sql);
        buf_text(&sql, " FROM t WHERE 1");
        count = range_condition(&range, &sql, params);
        if (database_query(database, buf_cstr(&sql), params, count, &rows, &err) != ERR_OK) {
            fail_msg("%s: %s", buf_cstr(&sql), err.msg);
        }
        if (database_rows_count(rows) != 1 ||
            strncmp(database_rows_text(rows, 0, 3), "SEARCH t USING ", 15) != 0) {
            fail_msg("%s: %s", keys[i].name, database_rows_text(rows, 0, 3));
        }
        database_rows_free(rows);
        buf_fini(&sql);
        range_fini(&range);
        arena_fini(&arena);
        database_close(database);
    }
}

static void a_place_survives_as_text(void **state)
{
    static const char *const texts[] = {"i-9223372036854775808", "i0,r3fb999999999999a", "t,b,n",
                                        "t610062,b00ff", "r7ff0000000000000,r8000000000000000"};
    static const char *const none[] = {"",     "17", "'a'", "i",    "x1",   "i1,",
                                       "i1,i", "t6", "i1 ", "t61,", "i1i2", "tzz"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        size_t count = 1;
        struct place *place;
        char *text;
        for (const char *p = texts[i]; *p != '\0'; p++) {
            count += *p == ',';
        }
        place = place_read(texts[i], count);
        assert_non_null(place);
        text = place_text(place);
        assert_string_equal(text, texts[i]);
        free(text);
        free(place);
        assert_null(place_read(texts[i], count + 1));
    }
    for (size_t i = 0; i < COUNT(none); i++) {
        if (place_read(none[i], 1) != NULL) {
            fail_msg("'%s' was read", none[i]);
        }
    }
}

/* ---- what a batch may hold ---- */

static double step_number(const char *key)
{
    const struct json *step = json_first(json_get(play_report(), "steps"));

    while (json_next(step) != NULL) {
        step = json_next(step);
    }
    return json_number(json_get(step, key), -1);
}

/* Rows of some megabytes go one by one, from the first on. */
static void long_rows_go_one_by_one(void **state)
{
    sqlite3 *app = app_open(db);

    (void)state;
    app_run(app, "CREATE TABLE t(a TEXT, body TEXT)");
    app_run(app,
            NUMBERS(6) "INSERT INTO t SELECT 'x' || i, CAST(zeroblob(2000000) AS TEXT) FROM n");
    app_run(app, NUMBERS(300) "INSERT INTO t SELECT 'x' || i, 'short' FROM n");
    migration(UPPER);
    PLAY(play_apply(db, folder, "in-sync", &play_err));
    assert_int_equal((int)step_number("backfilled"), 306);
    assert_true(step_number("batches") >= 8);
    assert_int_equal(app_number(app, "SELECT count(*) FROM t WHERE b IS NULL"), 0);
    app_close(app);
}

/* What the bytes do not tell: an expression that takes long. The batch is cut, not waited for. */
static void a_slow_expression_is_cut(void **state)
{
    sqlite3 *app = app_open(db);

    (void)state;
    app_run(app, "CREATE TABLE t(a TEXT)");
    app_run(app, NUMBERS(200) "INSERT INTO t SELECT 'x' || i FROM n");
    /* an application's trigger that takes some 2 ms for a row */
    app_run(app, "CREATE TABLE slow(n)");
    app_run(app, "CREATE TRIGGER slows AFTER UPDATE ON t BEGIN INSERT INTO slow SELECT count(*) "
                 "FROM (" NUMBERS(4000) "SELECT i FROM n); END");
    migration(UPPER);
    PLAY(play_apply(db, folder, "in-sync", &play_err));
    assert_int_equal((int)step_number("backfilled"), 200);
    assert_int_equal(app_number(app, "SELECT count(*) FROM slow"), 200);
    assert_true(step_number("batches") >= 10);
    app_close(app);
}

/* ---- who holds it up ---- */

/* Answers 503 as many times as said, then 200, then ends. */
static pid_t throttle_server(int refusals, int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    pid_t child;

    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
    *port = ntohs(at.sin_port);
    child = fork();
    assert_true(child >= 0);
    for (int asked = 0; child == 0; asked++) {
        char line[2000];
        const char *said = asked < refusals ? "HTTP/1.1 503 Busy\r\n" : "HTTP/1.1 200 OK\r\n";
        const char *rest = "Content-Length: 0\r\nConnection: close\r\n\r\n";
        int client = accept(listener, NULL, NULL);
        if (client < 0 || read(client, line, sizeof line) <= 0 ||
            write(client, said, strlen(said)) < 0 || write(client, rest, strlen(rest)) < 0) {
            _exit(1);
        }
        close(client);
    }
    close(listener);
    return child;
}

struct told {
    int times;
    char first[300];
};

static void note_wait(void *ctx, const char *name, const char *why)
{
    struct told *told = ctx;

    (void)name;
    if (told->times++ == 0) {
        snprintf(told->first, sizeof told->first, "%s", why);
    }
}

static enum err_code apply_with(const char *url, struct told *told, int wait_s)
{
    struct migrate_options options = {
        .database = db, .folder = folder, .waiting = note_wait, .progress_ctx = told};
    struct migrate *m = NULL;
    struct json *report = NULL;
    struct err err = {0};
    enum err_code rc = migrate_open(&options, &m, &err);

    rc = rc ? rc
            : migrate_apply(m,
                            &(struct migrate_apply){
                                .to_state = "in-sync", .throttle_url = url, .wait_s = wait_s},
                            &report, &err);
    json_free(report);
    migrate_close(m);
    if (rc) {
        print_message("%s\n", err.msg);
    }
    return rc;
}

static void a_url_holds_it_up_until_it_says_200(void **state)
{
    sqlite3 *app = app_open(db);
    struct told told = {0};
    char url[80];
    int port, status;
    pid_t server = throttle_server(3, &port), migrator;

    (void)state;
    app_run(app, "CREATE TABLE t(a TEXT)");
    app_run(app, NUMBERS(100) "INSERT INTO t SELECT 'x' || i FROM n");
    migration(UPPER);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/may-i", port);
    assert_int_equal(apply_with(url, &told, 0), ERR_OK);
    assert_int_equal(told.times, 3);
    assert_non_null(strstr(told.first, "answers 503"));
    assert_int_equal(app_number(app, "SELECT count(*) FROM t WHERE b IS NULL"), 0);
    assert_int_equal(kill(server, SIGKILL), 0);
    assert_int_equal(waitpid(server, &status, 0), server);

    /* nobody answers: it does not go on */
    PLAY(play_rollback(db, folder, NULL, &play_err));
    migrator = fork();
    assert_true(migrator >= 0);
    if (migrator == 0) {
        _exit((int)apply_with(url, &told, 0));
    }
    clock_sleep_us(300000);
    assert_int_equal(waitpid(migrator, &status, WNOHANG), 0);
    assert_int_equal(app_number(app, "SELECT count(*) FROM t WHERE b IS NOT NULL"), 0);
    assert_int_equal(kill(migrator, SIGKILL), 0);
    assert_int_equal(waitpid(migrator, &status, 0), migrator);
    app_close(app);
}

/* A reader keeps the log from being taken over: it stays near its bound, and it is said why. The
 * migrator is forked before SQLite knows any lock, which it would believe to be its own. */
static void a_long_reader_bounds_the_log(void **state)
{
    sqlite3 *app, *reader;
    struct stat info;
    char log[600], go;
    int status, gate[2];
    pid_t migrator;

    (void)state;
    snprintf(log, sizeof log, "%s-wal", db);
    migration(UPPER);
    assert_int_equal(pipe(gate), 0);
    migrator = fork();
    assert_true(migrator >= 0);
    if (migrator == 0) {
        struct told told = {0};
        bool right = read(gate[0], &go, 1) == 1 && apply_with(NULL, &told, 0) == ERR_OK &&
                     told.times > 0 && strstr(told.first, "a reader") != NULL;
        _exit(right ? 0 : 1);
    }
    app = app_open(db);
    reader = app_open(db);
    app_run(app, "PRAGMA journal_mode = WAL");
    app_run(app, "CREATE TABLE t(a TEXT, body TEXT)");
    app_run(app,
            NUMBERS(50) "INSERT INTO t SELECT 'x' || i, CAST(zeroblob(1000000) AS TEXT) FROM n");
    app_run(app, "PRAGMA wal_checkpoint(TRUNCATE)");
    app_run(reader, "BEGIN; SELECT count(*) FROM t");
    assert_int_equal(write(gate[1], "g", 1), 1);
    for (int i = 0; i < 300 && (stat(log, &info) != 0 || info.st_size < (32 << 20)); i++) {
        clock_sleep_us(100000);
    }
    clock_sleep_us(300000);
    assert_int_equal(stat(log, &info), 0);
    assert_in_range(info.st_size, 32 << 20, 36 << 20);
    assert_int_equal(waitpid(migrator, &status, WNOHANG), 0);
    app_run(reader, "COMMIT");
    assert_int_equal(waitpid(migrator, &status, 0), migrator);
    assert_int_equal(status, 0);
    assert_int_equal(app_number(app, "SELECT count(*) FROM t WHERE b IS NULL"), 0);
    app_close(reader);
    app_close(app);
    close(gate[0]);
    close(gate[1]);
}

/* ---- contract on a table that is too large to look at under the lock ---- */

static void write_meanwhile(void *ctx, const char *name, const char *phase, uint64_t done,
                            uint64_t total)
{
    sqlite3 *app = ctx;

    (void)name, (void)total;
    if (strcmp(phase, "verify") == 0 && done > 40000 &&
        app_number(app, "SELECT count(*) FROM sqlite_master WHERE name = "
                        "'lockstep_1_touched_update'") == 1 &&
        app_number(app, "SELECT count(*) FROM lockstep_touched_1") == 0) {
        app_run(app, "UPDATE t SET b = 'BAD' WHERE rowid = 1"); /* which was looked at already */
        app_run(app, "UPDATE t SET a = 'y' || rowid WHERE rowid BETWEEN 2 AND 3000");
    }
}

static enum err_code contract_with(sqlite3 *app, struct err *err)
{
    struct migrate_options options = {
        .database = db, .folder = folder, .progress = write_meanwhile, .progress_ctx = app};
    struct migrate *m = NULL;
    struct json *report = NULL;
    enum err_code rc = migrate_open(&options, &m, err);

    rc =
        rc ? rc : migrate_apply(m, &(struct migrate_apply){.to_state = "contracted"}, &report, err);
    json_free(report);
    migrate_close(m);
    return rc;
}

#define OURS "SELECT count(*) FROM sqlite_master WHERE name LIKE '%touched%'"

static void contract_sees_what_is_written_meanwhile(void **state)
{
    static const char *const tables[] = {
        "CREATE TABLE t(a TEXT)",
        "CREATE TABLE t(k1 TEXT, id INT, a TEXT, rowid INT, PRIMARY KEY(k1, id)) WITHOUT ROWID"};

    for (size_t i = 0; i < COUNT(tables); i++) {
        struct err err = {0};
        sqlite3 *app;
        ground_new(state);
        app = app_open(db);
        app_run(app, "PRAGMA journal_mode = WAL");
        app_run(app, tables[i]);
        app_run(app, i == 0 ? NUMBERS(60000) "INSERT INTO t SELECT 'x' || i FROM n"
                            : NUMBERS(60000) "INSERT INTO t SELECT 'k' || (i % 9), i, 'x' || i, i "
                                             "FROM n");
        migration("{\"table\": \"t\", \"add\": {\"b\": {\"type\": \"TEXT\", \"not_null\": true, "
                  "\"check\": \"b <> 'BAD'\"}}, \"forward\": {\"b\": \"upper(a)\"}, "
                  "\"old_writes_idle\": \"0s\"}");
        PLAY(play_apply(db, folder, "in-sync", &play_err));
        if (contract_with(app, &err) != ERR_CONFLICT || strstr(err.msg, "written while") == NULL) {
            fail_msg("%s", err.msg);
        }
        assert_string_equal(play_state(db, folder, "0001_fill"), "in-sync");
        assert_int_equal(app_number(app, OURS), 0);
        app_run(app, "UPDATE t SET b = 'good' WHERE rowid = 1");
        PLAY(play_apply(db, folder, "contracted", &play_err));
        assert_int_equal(app_number(app, OURS), 0);
        assert_int_equal(app_try(app, "UPDATE t SET b = NULL WHERE rowid = 7") & 0xff,
                         SQLITE_CONSTRAINT);
        PLAY(play_rollback(db, folder, "expanded", &play_err));
        app_close(app);
    }
}

/* ---- columns that leave a large table ---- */

static enum err_code back_with_maintenance(struct err *err)
{
    struct migrate_options options = {.database = db, .folder = folder};
    struct migrate *m = NULL;
    struct json *report = NULL;
    enum err_code rc = migrate_open(&options, &m, err);

    rc = rc ? rc
            : migrate_rollback(m, &(struct migrate_rollback){.maintenance = true}, &report, err);
    json_free(report);
    migrate_close(m);
    return rc;
}

static enum err_code reclaim(struct err *err)
{
    struct migrate_options options = {.database = db, .folder = folder};
    struct migrate *m = NULL;
    struct json *report = NULL;
    enum err_code rc = migrate_open(&options, &m, err);

    rc = rc ? rc : migrate_apply(m, &(struct migrate_apply){.reclaim = true}, &report, err);
    if (rc == ERR_OK) {
        const struct json *step = json_first(json_get(report, "steps"));
        assert_int_equal((int)json_number(json_get(step, "columns_removed"), 0), step != NULL);
    }
    json_free(report);
    migrate_close(m);
    return rc;
}

#define COLUMNS "SELECT group_concat(name) FROM pragma_table_info('t')"

static void a_large_table_is_not_written_anew_unasked(void **state)
{
    sqlite3 *app = app_open(db);
    struct err err = {0};
    char *columns;
    int status;
    pid_t migrator;

    (void)state;
    app_run(app, "PRAGMA journal_mode = WAL");
    app_run(app, "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT NOT NULL)");
    app_run(app, "CREATE INDEX by_a ON t(a)");
    app_run(app, NUMBERS(60000) "INSERT INTO t SELECT i, 'x' || i FROM n");
    migration("{\"table\": \"t\", \"add\": {\"b\": {\"type\": \"TEXT\", \"not_null\": true}}, "
              "\"forward\": {\"b\": \"a || ''\"}, \"drop\": [\"a\"], \"reverse\": {\"a\": \"b\"}, "
              "\"old_writes_idle\": \"0s\"}");
    PLAY(play_apply(db, folder, "in-sync", &play_err));
    assert_int_equal(play_rollback(db, folder, "pending", &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "60000 rows"));
    assert_non_null(strstr(err.msg, "--maintenance"));
    assert_string_equal(play_state(db, folder, "0001_fill"), "in-sync");
    PLAY(play_rollback(db, folder, NULL, &play_err)); /* as far as no writer has to wait */
    assert_string_equal(play_state(db, folder, "0001_fill"), "expanded");
    assert_int_equal(play_rollback(db, folder, NULL, &err), ERR_CONFLICT);
    PLAY(back_with_maintenance(&play_err));
    columns = app_rows(app, COLUMNS);
    assert_string_equal(columns, "id,a\n");
    free(columns);

    PLAY(play_apply(db, folder, "contracted", &play_err));
    assert_true(step_number("hold_ms") >= 0);
    app_close(app); /* before the fork: a child would believe its locks to be its own */
    migrator = fork();
    assert_true(migrator >= 0);
    if (migrator == 0) {
        struct err unused = {0};
        _exit((int)play_apply(db, folder, "purged", &unused));
    }
    app = app_open(db);
    for (int i = 0; i < 2000 && app_number(app, "SELECT count(*) FROM lockstep_journal WHERE state "
                                                "= 'contracted' AND detail LIKE '%purging%'") == 0;
         i++) {
        clock_sleep_us(2000);
    }
    assert_int_equal(kill(migrator, SIGKILL), 0);
    assert_int_equal(waitpid(migrator, &status, 0), migrator);
    if (WIFSIGNALED(status)) { /* it came to its end otherwise */
        assert_int_equal(play_rollback(db, folder, "in-sync", &err), ERR_CONFLICT);
        assert_non_null(strstr(err.msg, "its purge has begun"));
        PLAY(play_apply(db, folder, "purged", &play_err));
        assert_true(step_number("longest_hold_ms") >= 0);
    }
    assert_string_equal(play_state(db, folder, "0001_fill"), "purged");
    columns = app_rows(app, COLUMNS);
    assert_string_equal(columns, "id,lockstep_1_a,b\n");
    free(columns);
    assert_int_equal(app_number(app, "SELECT count(*) FROM t WHERE lockstep_1_a IS NOT NULL"), 0);
    assert_int_equal(app_number(app, "SELECT count(*) FROM sqlite_master WHERE name = 'by_a' OR "
                                     "type = 'trigger'"),
                     0);
    app_run(app, "INSERT INTO t(b) VALUES('new')");

    /* What stayed goes when it is asked for, unless somebody took it into use. */
    app_run(app, "UPDATE t SET lockstep_1_a = 'mine' WHERE id = 7");
    assert_int_equal(reclaim(&err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "somebody has written"));
    app_run(app, "UPDATE t SET lockstep_1_a = NULL");
    PLAY(reclaim(&play_err));
    columns = app_rows(app, COLUMNS);
    assert_string_equal(columns, "id,b\n");
    free(columns);
    assert_int_equal(app_number(app, "SELECT count(*) FROM t"), 60001);
    assert_int_equal(app_number(app, "SELECT count(*) FROM lockstep_history WHERE event = "
                                     "'reclaim'"),
                     1);
    PLAY(reclaim(&play_err)); /* nothing is left: nothing is done */
    app_close(app);
}

/* ---- what verification shows ---- */

static void samples_show_both_shapes(void **state)
{
    sqlite3 *app = app_open(db);
    struct err err = {0};
    const struct json *verify, *sample;

    (void)state;
    app_run(app, "CREATE TABLE t(k TEXT PRIMARY KEY, a TEXT) WITHOUT ROWID");
    app_run(app, NUMBERS(3000) "INSERT INTO t SELECT printf('k%05d', i), 'x' || i FROM n");
    app_run(app, "UPDATE t SET a = CAST(zeroblob(3000) AS TEXT) || 'y' WHERE k = 'k02500'");
    migration("{\"table\": \"t\", \"add\": {\"b\": {\"type\": \"TEXT\"}}, \"forward\": {\"b\": "
              "\"upper(a)\"}, \"drop\": [\"a\"], \"reverse\": {\"a\": \"lower(b)\"}}");
    PLAY(play_apply(db, folder, "in-sync", &play_err));
    /* what no trigger sees, as a tool that turned them off would do */
    app_run(app, "DROP TRIGGER lockstep_1_reverse_update; DROP TRIGGER lockstep_1_forward_update; "
                 "UPDATE t SET b = 'Z' WHERE k IN ('k00007', 'k02400')");
    assert_int_equal(play_verify(db, folder, &err), ERR_CONFLICT);
    verify = json_get(json_first(json_get(play_report(), "migrations")), "verify");
    assert_int_equal(json_count(json_get(verify, "samples")), 2);
    sample = json_first(json_get(verify, "sample_rows"));
    assert_string_equal(json_get_text(sample, "key", ""), "'k00007'");
    assert_string_equal(json_get_text(json_get(sample, "old"), "a", ""), "'x7'");
    assert_string_equal(json_get_text(json_get(sample, "new"), "b", ""), "'Z'");
    assert_string_equal(json_get_text(json_next(sample), "key", ""), "'k02400'");
    app_close(app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_key),
        cmocka_unit_test(no_piece_is_sorted_or_searched),
        cmocka_unit_test(a_place_survives_as_text),
        cmocka_unit_test_setup(long_rows_go_one_by_one, ground_new),
        cmocka_unit_test_setup(a_slow_expression_is_cut, ground_new),
        cmocka_unit_test_setup(a_url_holds_it_up_until_it_says_200, ground_new),
        cmocka_unit_test_setup(a_long_reader_bounds_the_log, ground_new),
        cmocka_unit_test(contract_sees_what_is_written_meanwhile),
        cmocka_unit_test_setup(a_large_table_is_not_written_anew_unasked, ground_new),
        cmocka_unit_test_setup(samples_show_both_shapes, ground_new),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
