/*
 * Operations on columns and indexes: what case folders cannot show. An index that would keep others
 * out for long is asked for; whatever old code does with NULL, no statement fails because of it, and
 * none is left; and nothing is lost when a column with a DEFAULT is renamed by a large backfill.
 */
#include "tests/migrator/unit.h"

#include "migrator/migrate.h"
#include "tests/migrator/play.h"

static enum err_code apply(const char *db, const char *folder, const char *to, bool maintenance,
                           struct json **report, struct err *err)
{
    struct migrate_options options = {.database = db, .folder = folder};
    struct migrate_apply what = {
        .to_state = to, .maintenance = maintenance, .recovery_point = "none"};
    struct migrate *m = NULL;
    enum err_code rc = migrate_open(&options, &m, err);

    rc = rc ? rc : migrate_apply(m, &what, report, err);
    migrate_close(m);
    return rc;
}

static void a_long_index_is_asked_for(void **state)
{
    char db[512], folder[512], *text;
    struct json *report = NULL;
    struct err err = {0};
    sqlite3 *app;

    (void)state;
    snprintf(db, sizeof db, "%s", scratch("index.db"));
    snprintf(folder, sizeof folder, "%s", scratch("index"));
    play_remove(db);
    app = app_open(db);
    app_run(app, "PRAGMA synchronous = OFF; CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER);"
                 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120000) "
                 "INSERT INTO t(a) SELECT i * 7919 % 120000 FROM n");
    app_close(app);
    play_write(scratch("index/0001_index/migration.json"),
               "{\"table\": \"t\", \"create_index\": [\"CREATE INDEX t_a ON t(a)\"]}");
    /* Without a state that was named it stops before, and says why. */
    PLAY(apply(db, folder, NULL, false, &report, &play_err));
    assert_string_equal(play_state(db, folder, "0001_index"), "dual-writing");
    text = json_print(json_get(report, "waits"));
    assert_non_null(strstr(text, "--maintenance"));
    free(text);
    json_free(report);
    report = NULL;
    assert_int_equal(apply(db, folder, "in-sync", false, &report, &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "--maintenance"));
    json_free(report);
    report = NULL;
    app = app_open(db);
    assert_int_equal(app_number(app, "SELECT count(*) FROM sqlite_master WHERE name = 't_a'"), 0);
    PLAY(apply(db, folder, "in-sync", true, &report, &play_err));
    json_free(report);
    assert_int_equal(app_number(app, "SELECT count(*) FROM sqlite_master WHERE name = 't_a'"), 1);
    PLAY(play_rollback(db, folder, NULL, &play_err));
    assert_int_equal(app_number(app, "SELECT count(*) FROM sqlite_master WHERE name = 't_a'"), 0);
    app_close(app);
}

#define FILLED "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b TEXT UNIQUE, c INTEGER)%s;"
#define ROWS                                                                                       \
    "INSERT INTO t(id, a, b, c) VALUES(1, 'x', 'b1', 1), (2, NULL, 'b2', NULL), (3, 'z', 'b3', 3)"

/* What old code may write, with NULL in every place. */
static const char *const writes[] = {
    "INSERT INTO t(b) VALUES('n1')",
    "INSERT INTO t(id, a, b, c) VALUES(10, NULL, 'n', NULL), (11, 'q', 'm', NULL)",
    "INSERT OR REPLACE INTO t(id, a, b) VALUES(1, NULL, 'b2')",
    "INSERT OR IGNORE INTO t(id, a, b) VALUES(20, NULL, 'i'), (1, NULL, 'j')",
    "INSERT OR FAIL INTO t(id, a, b) VALUES(20, NULL, 'i'), (1, NULL, 'j')",
    "INSERT OR ABORT INTO t(id, a, b) VALUES(20, NULL, 'i'), (1, NULL, 'j')",
    "INSERT OR ROLLBACK INTO t(id, a, b) VALUES(20, NULL, 'i'), (1, NULL, 'j')",
    "INSERT INTO t(id, a) VALUES(1, NULL) ON CONFLICT(id) DO UPDATE SET a = excluded.a, c = NULL",
    "INSERT INTO t(id, a) SELECT id + 30, NULL FROM t",
    "UPDATE t SET a = NULL",
    "UPDATE t SET a = NULL, c = NULL WHERE id = 1",
    "UPDATE t SET a = NULL, id = 40 WHERE id = 3",
    "UPDATE OR REPLACE t SET a = NULL, b = 'b1' WHERE id = 3",
    "UPDATE OR IGNORE t SET c = NULL, b = 'b1'",
    "UPDATE OR FAIL t SET c = NULL, b = 'b1'",
    "DELETE FROM t WHERE id = 1",
};

static void no_null_is_left_and_no_write_fails(void **state)
{
    char folder[512], file[512], plain[512], got[512], wanted[512], sql[400];

    (void)state;
    snprintf(folder, sizeof folder, "%s", scratch("fill"));
    snprintf(file, sizeof file, "%s", scratch("fill.db"));
    snprintf(plain, sizeof plain, "%s", scratch("plain.db"));
    snprintf(got, sizeof got, "%s", scratch("got.db"));
    snprintf(wanted, sizeof wanted, "%s", scratch("wanted.db"));
    play_write(scratch("fill/0001_fill/migration.json"),
               "{\"table\": \"t\", \"alter\": {\"a\": {\"not_null\": true, \"fill\": \"'id ' || "
               "id\"}, \"c\": {\"not_null\": true, \"fill\": \"-1\"}}}");
    for (int without_rowid = 0; without_rowid < 2; without_rowid++) {
        for (int migrated = 0; migrated < 2; migrated++) {
            sqlite3 *app;
            play_remove(migrated ? file : plain);
            app = app_open(migrated ? file : plain);
            snprintf(sql, sizeof sql, FILLED, without_rowid ? " WITHOUT ROWID" : "");
            app_run(app, sql);
            app_run(app, ROWS);
            app_close(app);
        }
        PLAY(play_apply(file, folder, "in-sync", &play_err));
        for (size_t i = 0; i < COUNT(writes) * 2; i++) {
            const char *write = writes[i / 2];
            sqlite3 *a, *b;
            int code_a, code_b;
            play_copy(file, got);
            play_copy(plain, wanted);
            a = app_open(got);
            b = app_open(wanted);
            app_run(a, i % 2 ? "PRAGMA recursive_triggers = 1" : "PRAGMA recursive_triggers = 0");
            code_a = app_try(a, without_rowid && i / 2 == 0 ? "SELECT 1" : write);
            code_b = app_try(b, without_rowid && i / 2 == 0 ? "SELECT 1" : write);
            if (code_a != code_b || sqlite3_changes(a) != sqlite3_changes(b)) {
                fail_msg("%s: %s, and on its own table: %s", write, sqlite3_errmsg(a),
                         sqlite3_errmsg(b));
            }
            if (app_number(a, "SELECT count(*) FROM t WHERE a IS NULL OR c IS NULL") != 0 ||
                app_number(a, "SELECT count(*) FROM t") !=
                    app_number(b, "SELECT count(*) FROM t")) {
                fail_msg("%s left a NULL, or touched another row", write);
            }
            app_close(a);
            app_close(b);
        }
        play_remove(file);
    }
}

/* A row that nobody wrote since ADD COLUMN does not hold the column: it must not read as the
 * DEFAULT that contract declares. */
static void a_default_changes_no_row(void **state)
{
    char db[512], folder[512];
    sqlite3 *app;

    (void)state;
    snprintf(db, sizeof db, "%s", scratch("default.db"));
    snprintf(folder, sizeof folder, "%s", scratch("default"));
    play_remove(db);
    app = app_open(db);
    app_run(app,
            "PRAGMA synchronous = OFF; CREATE TABLE t(id INTEGER PRIMARY KEY, q INTEGER DEFAULT "
            "7, w TEXT);"
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) "
            "INSERT INTO t(q) SELECT nullif(i % 3, 0) FROM n");
    play_write(
        scratch("default/0001_default/migration.json"),
        "{\"table\": \"t\", \"rename\": {\"q\": \"quantity\"}, \"old_writes_idle\": \"0s\"}");
    PLAY(play_apply(db, folder, "contracted", &play_err));
    assert_int_equal(app_number(app, "SELECT count(*) FROM t WHERE quantity IS NULL"), 1666);
    assert_int_equal(app_number(app, "SELECT count(*) FROM t WHERE quantity = 7"), 0);
    /* Only new code inserts now: NULL stays NULL in the column that is set aside, too. */
    app_run(app, "INSERT INTO t(quantity) VALUES(NULL); INSERT INTO t(w) VALUES('by default')");
    PLAY(play_verify(db, folder, &play_err));
    PLAY(play_rollback(db, folder, NULL, &play_err));
    assert_int_equal(app_number(app, "SELECT count(*) FROM t WHERE q IS NULL"), 1667);
    assert_int_equal(app_number(app, "SELECT count(*) FROM t WHERE q = 7"), 1);
    app_close(app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_long_index_is_asked_for),
        cmocka_unit_test(no_null_is_left_and_no_write_fails),
        cmocka_unit_test(a_default_changes_no_row),
    };

    return cmocka_run_group_tests_name("columns", tests, NULL, NULL);
}
