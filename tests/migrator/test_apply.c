/*
 * Plain migrations and what surrounds every migration: order, edits, environments, locks, other
 * tools' files, rows that a rebuild would take along, kill -9.
 */
#include "tests/migrator/unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "migrator/migrate.h"
#include "tests/migrator/ground.h"

static void refused(enum err_code wanted, const char *words)
{
    struct err err = {0};
    enum err_code rc = play_apply(db, folder, NULL, &err);

    if (rc != wanted || strstr(err.msg, words) == NULL) {
        fail_msg("wanted %s (%s), got %s: %s", err_code_name(wanted), words, err_code_name(rc),
                 err.msg);
    }
}

static long long count(const char *sql)
{
    sqlite3 *app = app_open(db);
    long long out = app_number(app, sql);

    app_close(app);
    return out;
}

static void run(const char *sql)
{
    sqlite3 *app = app_open(db);

    app_run(app, sql);
    app_close(app);
}

/* ---- plain migrations ---- */

static void plain_files_run_once_and_in_order(void **state)
{
    (void)state;
    file("0001_a.sql", "CREATE TABLE a(id INTEGER PRIMARY KEY);\n");
    file("0010_c.sql", "INSERT INTO a VALUES(10);");
    file("0002_b.sql", "INSERT INTO a VALUES(2);\nINSERT INTO a VALUES(3)");
    file("README.md", "not a migration");
    PLAY(play_apply(db, folder, NULL, &play_err));
    PLAY(play_apply(db, folder, NULL, &play_err));
    assert_int_equal(json_count(json_get(play_report(), "steps")), 0);
    assert_int_equal(count("SELECT count(*) FROM a"), 3);
    /* the ledger as wrangler reads it */
    assert_int_equal(count("SELECT count(*) FROM d1_migrations WHERE name IN ('0001_a.sql', "
                           "'0002_b.sql', '0010_c.sql')"),
                     3);
    assert_int_equal(count("SELECT count(*) FROM lockstep_history WHERE event = 'apply'"), 3);
    assert_int_equal(count("SELECT owner IS NULL FROM lockstep_lock"), 1);
}

static void a_failing_file_leaves_nothing(void **state)
{
    struct err err = {0};

    (void)state;
    file("0001_a.sql", "CREATE TABLE a(id INTEGER PRIMARY KEY);");
    file("0002_b.sql", "CREATE TABLE b(id);\nINSERT INTO a VALUES(1);\nINSERT INTO a VALUES(1);");
    assert_int_equal(play_apply(db, folder, NULL, &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "0002_b.sql: statement 3"));
    assert_int_equal(count("SELECT count(*) FROM sqlite_master WHERE name = 'b'"), 0);
    assert_int_equal(count("SELECT count(*) FROM d1_migrations"), 1);
    file("0002_b.sql", "CREATE TABLE b(id);"); /* it was never applied, so it may be mended */
    PLAY(play_apply(db, folder, NULL, &play_err));
}

static void what_wrangler_applied_is_not_run_again(void **state)
{
    (void)state;
    run("CREATE TABLE \"d1_migrations\"(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, "
        "applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL);"
        "INSERT INTO d1_migrations(name) VALUES('0001_a.sql'); CREATE TABLE a(id)");
    file("0001_a.sql", "CREATE TABLE a(id);");
    file("0002_b.sql", "CREATE TABLE b(id);");
    PLAY(play_apply(db, folder, NULL, &play_err));
    assert_int_equal(count("SELECT count(*) FROM d1_migrations"), 2);
    file("0001_a.sql", "CREATE TABLE a(id, more);"); /* and its edits are seen from now on */
    refused(ERR_CONFLICT, "0001_a.sql was edited");
}

static void an_edited_file_is_refused_but_not_for_line_ends(void **state)
{
    (void)state;
    file("0001_a.sql", "CREATE TABLE a(\n  id\n);\n");
    PLAY(play_apply(db, folder, NULL, &play_err));
    file("0001_a.sql", "CREATE TABLE a(  \r\n  id\t\r\n);\r\n\r\n");
    PLAY(play_apply(db, folder, NULL, &play_err));
    file("0001_a.sql", "CREATE TABLE a(\n  id2\n);\n");
    refused(ERR_CONFLICT, "0001_a.sql was edited");
    file("0002_b.sql", "CREATE TABLE b(id);");
    refused(ERR_CONFLICT, "0001_a.sql was edited");
    assert_int_equal(count("SELECT count(*) FROM sqlite_master WHERE name = 'b'"), 0);
}

static void a_late_number_is_refused_unless_named(void **state)
{
    (void)state;
    file("0002_b.sql", "CREATE TABLE b(id);");
    PLAY(play_apply(db, folder, NULL, &play_err));
    file("0001_a.sql", "CREATE TABLE a(id);");
    refused(ERR_CONFLICT, "comes before 0002_b.sql");
    PLAY(play_apply_one(db, folder, "1", NULL, &play_err));
    assert_string_equal(play_state(db, folder, "0001_a.sql"), "applied");
}

static void up_and_down(void **state)
{
    char *before;
    sqlite3 *app;

    (void)state;
    run("CREATE TABLE t(id INTEGER PRIMARY KEY, n TEXT); INSERT INTO t(n) VALUES('x')");
    app = app_open(db);
    before = app_schema(app);
    app_close(app);
    file("0001_both/up.sql", "CREATE TABLE u(id); CREATE INDEX tn ON t(n);");
    file("0001_both/down.sql", "DROP INDEX tn; DROP TABLE u;");
    file("0002_up/up.sql", "CREATE TABLE only(id);");
    for (int round = 0; round < 2; round++) {
        char *after;
        struct err err = {0};
        PLAY(play_apply_one(db, folder, "0001_both", NULL, &play_err));
        PLAY(play_rollback(db, folder, NULL, &play_err));
        app = app_open(db);
        after = app_schema(app);
        app_close(app);
        assert_string_equal(before, after);
        free(after);
        assert_int_equal(play_rollback(db, folder, NULL, &err), ERR_CONFLICT);
        assert_non_null(strstr(err.msg, "nothing to roll back"));
    }
    assert_int_equal(count("SELECT count(*) FROM d1_migrations"),
                     0); /* wrangler knows no folders */
    free(before);
}

static void statements_that_have_no_place(void **state)
{
    static const struct {
        const char *sql, *words;
    } cases[] = {
        {"BEGIN; CREATE TABLE a(id); COMMIT;", "statement 1 (BEGIN)"},
        {"CREATE TABLE a(id); PRAGMA foreign_keys = OFF;", "it would do nothing"},
        {"PRAGMA journal_mode = DELETE;", "a setting"},
        {"ATTACH 'x.db' AS x;", "one database"},
        {"VACUUM;", "by hand"},
        {"CREATE TABLE a('x", "never closed"},
        {"CREATE TABL a(id);", "syntax error"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        file("0001_a.sql", cases[i].sql);
        refused(ERR_INVALID, cases[i].words);
        assert_int_equal(count("SELECT count(*) FROM sqlite_master WHERE name = 'a'"), 0);
    }
}

static void a_rebuild_that_would_wipe_children_is_refused(void **state)
{
    static const char rebuild[] =
        "CREATE TABLE new_p(id INTEGER PRIMARY KEY, more TEXT); INSERT INTO new_p(id) SELECT id "
        "FROM p; DROP TABLE p; ALTER TABLE new_p RENAME TO p;";
    static const char renamed[] =
        "ALTER TABLE p RENAME TO old_p; CREATE TABLE p(id INTEGER PRIMARY KEY, more TEXT); INSERT "
        "INTO p(id) SELECT id FROM old_p; DROP TABLE IF EXISTS old_p;";

    (void)state;
    run("CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id, p REFERENCES p(id) ON DELETE "
        "CASCADE); CREATE TABLE n(p REFERENCES P(id) ON DELETE SET NULL); INSERT INTO p VALUES(1); "
        "INSERT INTO c VALUES(1, 1), (2, 1); INSERT INTO n VALUES(1)");
    file("0001_rebuild.sql", rebuild);
    refused(ERR_CONFLICT, "c (2 rows, CASCADE), n (1 rows, SET NULL)");
    file("0001_rebuild.sql", renamed);
    refused(ERR_CONFLICT, "c (2 rows, CASCADE), n (1 rows, SET NULL)");
    assert_int_equal(count("SELECT count(*) FROM c"), 2);
    file("0001_rebuild.sql", "DROP TABLE c; DROP TABLE n; DROP TABLE p;"); /* children first */
    PLAY(play_apply(db, folder, NULL, &play_err));
}

static void a_later_migration_waits_for_its_table(void **state)
{
    (void)state;
    run("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t(a) VALUES('x'); CREATE "
        "TABLE "
        "other(id)");
    file("0001_phased/migration.json",
         "{\"table\": \"t\", \"add\": {\"b\": {\"type\": \"TEXT\"}}, \"forward\": {\"b\": \"a\"}, "
         "\"drop\": [\"a\"], \"reverse\": {\"a\": \"b\"}}");
    file("0002_other.sql", "ALTER TABLE other ADD COLUMN x;");
    file("0003_same.sql", "CREATE INDEX i ON T(id);");
    refused(ERR_CONFLICT, "0003_same.sql waits for 0001_phased");
    assert_string_equal(play_state(db, folder, "0001_phased"), "in-sync");
    assert_string_equal(play_state(db, folder, "0002_other.sql"), "applied");
    assert_string_equal(play_state(db, folder, "0003_same.sql"), "pending");
}

/* ---- whose database this is ---- */

static enum err_code apply_as(const char *environment, struct err *err)
{
    struct migrate_options options = {
        .database = db, .folder = folder, .environment = environment, .create = true};
    struct migrate *m = NULL;
    struct json *report = NULL;
    enum err_code rc = migrate_open(&options, &m, err);

    rc = rc ? rc : migrate_apply(m, &(struct migrate_apply){0}, &report, err);
    json_free(report);
    migrate_close(m);
    return rc;
}

static void another_environment_is_refused(void **state)
{
    struct err err = {0};

    (void)state;
    file("0001_a.sql", "CREATE TABLE a(id);");
    assert_int_equal(apply_as("production", &err), ERR_OK);
    file("0002_b.sql", "CREATE TABLE b(id);");
    assert_int_equal(apply_as("staging", &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "belongs to environment 'production'"));
    assert_int_equal(apply_as(NULL, &err), ERR_OK); /* as stored */
    run("UPDATE lockstep_meta SET value = '99' WHERE key = 'format'");
    assert_int_equal(apply_as("production", &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "newer program"));
}

/* ---- several at once ---- */

static void one_at_a_time(void **state)
{
    struct err err = {0};

    (void)state;
    file("0001_a.sql", "CREATE TABLE a(id);");
    PLAY(play_apply(db, folder, NULL, &play_err));
    file("0002_b.sql", "CREATE TABLE b(id);");
    run("UPDATE lockstep_lock SET owner = 'elsewhere pid 1 since 2 on x/y', epoch = 41, expires_at "
        "= CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER) + 60000");
    assert_int_equal(play_apply(db, folder, NULL, &err), ERR_BUSY);
    assert_non_null(strstr(err.msg, "elsewhere pid 1"));
    assert_null(strstr(err.msg, "since"));
    run("UPDATE lockstep_lock SET expires_at = 1"); /* expired: taken over, the epoch rises */
    PLAY(play_apply(db, folder, NULL, &play_err));
    assert_int_equal(count("SELECT epoch FROM lockstep_lock"), 42);
}

static void many_processes_apply_once(void **state)
{
    enum { PROCESSES = 4 };
    pid_t children[PROCESSES];

    (void)state;
    for (int i = 1; i <= 20; i++) {
        char name[40], sql[80];
        snprintf(name, sizeof name, "%04d_t.sql", i);
        snprintf(sql, sizeof sql, "CREATE TABLE t%d(id); INSERT INTO t%d VALUES(1);", i, i);
        file(name, sql);
    }
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            struct err err = {0};
            enum err_code rc;
            for (int try = 0; (rc = play_apply(db, folder, NULL, &err)) == ERR_BUSY && try < 20;
                 try++) {
            }
            if (rc != ERR_OK) {
                fprintf(stderr, "%s\n", err.msg);
            }
            _exit(rc == ERR_OK ? 0 : 1);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = 1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(count("SELECT count(*) FROM d1_migrations"), 20);
    assert_int_equal(count("SELECT count(*) FROM lockstep_history"), 20);
}

/* A process that slept past its lock's expiry finds the epoch raised, and changes nothing. */
static void who_lost_the_lock_is_refused(void **state)
{
    struct migrate_options options = {.database = db, .folder = folder, .create = true};
    struct migrate *m = NULL;
    struct json *report = NULL;
    struct err err = {0};

    (void)state;
    file("0001_first.sql", "CREATE TABLE first(id);");
    PLAY(play_apply(db, folder, NULL, &play_err));
    run("CREATE TRIGGER taken AFTER INSERT ON d1_migrations BEGIN UPDATE lockstep_lock SET epoch = "
        "epoch + 1; END");
    file("0002_a.sql", "CREATE TABLE a(id);");
    file("0003_b.sql", "CREATE TABLE b(id);");
    assert_int_equal(migrate_open(&options, &m, &err), ERR_OK);
    assert_int_equal(migrate_apply(m, &(struct migrate_apply){0}, &report, &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "lost its lock"));
    json_free(report);
    migrate_close(m);
    assert_int_equal(count("SELECT count(*) FROM sqlite_master WHERE name = 'b'"), 0);
}

/* ---- kill -9 ---- */

static void a_killed_walk_goes_on(void **state)
{
    char *rows;
    sqlite3 *app;
    int kills = 0;

    (void)state;
    run("PRAGMA journal_mode = WAL; CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT NOT NULL); WITH "
        "RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 30000) INSERT INTO "
        "t(a) SELECT 'v' || i FROM n");
    app = app_open(db);
    rows = app_rows(app, "SELECT * FROM t");
    file("0001_p/migration.json",
         "{\"table\": \"t\", \"add\": {\"b\": {\"type\": \"TEXT\", \"not_null\": true}}, "
         "\"forward\": {\"b\": \"a\"}, \"drop\": [\"a\"], \"reverse\": {\"a\": \"b\"}, "
         "\"old_writes_idle\": \"0s\"}");
    for (int round = 0; round < 24; round++) {
        /* forward and back by turns, killed at another instant each time */
        pid_t child = fork();
        int status = 0;
        if (child == 0) {
            struct err err = {0};
            bool forward = round % 3 != 2;
            enum err_code rc = forward ? play_apply(db, folder, "contracted", &err)
                                       : play_rollback(db, folder, NULL, &err);
            _exit(rc == ERR_OK ? 0 : 1);
        }
        usleep((useconds_t)(1500 + round * 2700));
        (void)kill(child, SIGKILL);
        assert_int_equal(waitpid(child, &status, 0), child);
        kills += WIFSIGNALED(status);
        assert_int_equal(app_number(app, "SELECT count(*) FROM t"), 30000);
    }
    assert_true(kills >= 8);
    PLAY(play_apply(db, folder, "contracted", &play_err));
    PLAY(play_rollback(db, folder, NULL, &play_err));
    {
        char *after = app_rows(app, "SELECT * FROM t"), *schema = app_schema(app);
        assert_string_equal(rows, after);
        assert_string_equal(schema,
                            "table|t|CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT NOT NULL)\n");
        free(after);
        free(schema);
    }
    assert_int_equal(app_number(app, "SELECT quick_check = 'ok' FROM pragma_quick_check"), 1);
    free(rows);
    app_close(app);
}

/* ---- what verification finds later ---- */

static void a_mismatch_falls_back(void **state)
{
    struct err err = {0};

    (void)state;
    run("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t(a) VALUES('x'), ('y')");
    file("0001_p/migration.json",
         "{\"table\": \"t\", \"add\": {\"b\": {\"type\": \"TEXT\"}}, \"forward\": {\"b\": \"a\"}, "
         "\"drop\": [\"a\"], \"reverse\": {\"a\": \"b\"}, \"old_writes_idle\": \"0s\"}");
    PLAY(play_apply(db, folder, "in-sync", &play_err));
    run("PRAGMA writable_schema = ON; DROP TRIGGER lockstep_1_reverse_update; UPDATE t SET b = "
        "'other' WHERE id = 2");
    assert_int_equal(play_verify(db, folder, &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "1 of 2 rows differ"));
    assert_non_null(strstr(err.msg, "keys 2"));
    assert_string_equal(play_state(db, folder, "0001_p"), "dual-writing");
    PLAY(play_rollback(db, folder, "expanded", &play_err)); /* triggers are made anew */
    PLAY(play_apply(db, folder, "contracted", &play_err));
    PLAY(play_verify(db, folder, &play_err));
}

/* SQLite takes IS NULL for false where a column is NOT NULL: the look must come before the edit. */
static void a_null_that_came_meanwhile_closes_the_way_back(void **state)
{
    struct err err = {0};

    (void)state;
    run("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT NOT NULL); INSERT INTO t(a) VALUES('x')");
    file("0001_p/migration.json",
         "{\"table\": \"t\", \"add\": {\"b\": {\"type\": \"TEXT\"}}, \"forward\": {\"b\": \"a\"}, "
         "\"drop\": [\"a\"], \"reverse\": {\"a\": \"b\"}}");
    PLAY(play_apply(db, folder, "expanded", &play_err));
    run("INSERT INTO t(a) VALUES(NULL)");
    assert_int_equal(play_rollback(db, folder, NULL, &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "NULL where NOT NULL"));
    assert_string_equal(play_state(db, folder, "0001_p"), "expanded");
    run("UPDATE t SET a = 'y' WHERE a IS NULL");
    PLAY(play_rollback(db, folder, NULL, &play_err));
    assert_int_equal(count("SELECT \"notnull\" FROM pragma_table_info('t') WHERE name = 'a'"), 1);
}

/* ---- what the application makes of its table meanwhile ---- */

#define RENAME_A                                                                                   \
    "{\"table\": \"t\", \"add\": {\"b\": {\"type\": \"TEXT\"}}, \"forward\": {\"b\": \"a\"}, "     \
    "\"drop\": "                                                                                   \
    "[\"a\"], \"reverse\": {\"a\": \"b\"}, \"old_writes_idle\": \"0s\"}"

static void what_names_an_added_column_closes_the_way_back(void **state)
{
    static const struct {
        const char *make, *words, *drop;
    } cases[] = {
        {"CREATE INDEX i ON t(b)", "DROP INDEX \"i\"", "DROP INDEX i"},
        {"CREATE INDEX i ON t(id) WHERE b > 'x'", "DROP INDEX \"i\"", "DROP INDEX i"},
        {"CREATE INDEX i ON t(lower(B))", "DROP INDEX \"i\"", "DROP INDEX i"},
        {"CREATE VIEW v AS SELECT b FROM t", "DROP VIEW \"v\"", "DROP VIEW v"},
        {"CREATE TRIGGER r AFTER DELETE ON t BEGIN DELETE FROM t WHERE b = OLD.b; END",
         "DROP TRIGGER \"r\"", "DROP TRIGGER r"},
        {"ALTER TABLE t ADD COLUMN g TEXT AS (lower(b))", "generated column",
         "ALTER TABLE t DROP COLUMN g"},
    };

    (void)state;
    run("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT NOT NULL); INSERT INTO t(a) VALUES('x')");
    file("0001_p/migration.json", RENAME_A);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err = {0};
        PLAY(play_apply(db, folder, "in-sync", &play_err));
        run(cases[i].make);
        assert_int_equal(play_rollback(db, folder, NULL, &err), ERR_CONFLICT);
        if (strstr(err.msg, cases[i].words) == NULL) {
            fail_msg("%s: %s", cases[i].make, err.msg);
        }
        assert_string_equal(play_state(db, folder, "0001_p"), "in-sync");
        assert_int_equal(count("SELECT count(b) FROM t"), 1); /* the file can be read */
        PLAY(play_rollback(db, folder, "expanded", &play_err));
        run(cases[i].drop);
        PLAY(play_rollback(db, folder, NULL, &play_err));
        assert_int_equal(count("SELECT count(a) FROM t"), 1);
    }
}

static void a_null_in_a_loosened_column_is_a_violator(void **state)
{
    struct err err = {0};

    (void)state;
    run("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT NOT NULL); INSERT INTO t(a) VALUES('x')");
    file("0001_p/migration.json", RENAME_A);
    PLAY(play_apply(db, folder, "in-sync", &play_err));
    run("INSERT INTO t(a) VALUES(NULL)");
    assert_int_equal(play_rollback(db, folder, NULL, &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "1 rows of \"t\" have NULL where NOT NULL"));
    assert_string_equal(play_state(db, folder, "0001_p"), "in-sync"); /* not a step */
    assert_int_equal(play_verify(db, folder, &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "1 rows violate"));
    run("DELETE FROM t WHERE a IS NULL");
    PLAY(play_verify(db, folder, &play_err));
    PLAY(play_rollback(db, folder, NULL, &play_err));
}

static void a_trigger_that_can_raise_is_refused(void **state)
{
    (void)state;
    run("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, z); INSERT INTO t(a) VALUES('x'); CREATE "
        "TRIGGER r BEFORE UPDATE ON t BEGIN SELECT RAISE(ABORT, 'no'); END");
    file("0001_p/migration.json", RENAME_A);
    refused(ERR_CONFLICT, "trigger \"r\"");
    assert_int_equal(count("SELECT count(*) FROM sqlite_master WHERE name = 'lockstep_journal'"),
                     0);
    run("DROP TRIGGER r; CREATE TRIGGER r BEFORE UPDATE OF z ON t BEGIN SELECT RAISE(ABORT, 'no'); "
        "END; CREATE TRIGGER q BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'no'); END");
    PLAY(play_apply(db, folder, "in-sync", &play_err));
}

static void one_empty_table_is_no_fresh_database(void **state)
{
    (void)state;
    run("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); CREATE TABLE users(id); INSERT INTO users "
        "VALUES(1)");
    file("0001_p/migration.json",
         "{\"table\": \"t\", \"add\": {\"b\": {\"type\": \"TEXT\"}}, \"forward\": {\"b\": \"a\"}, "
         "\"drop\": [\"a\"], \"reverse\": {\"a\": \"b\"}}");
    PLAY(play_apply(db, folder, NULL, &play_err));
    assert_string_equal(play_state(db, folder, "0001_p"), "in-sync"); /* it waits for old code */
}

static void what_new_code_wrote_over_a_derived_value_stays(void **state)
{
    (void)state;
    run("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t(a) VALUES('x'), ('y')");
    file("0001_p/migration.json",
         "{\"table\": \"t\", \"add\": {\"b\": {\"type\": \"TEXT\"}}, \"forward\": {\"b\": \"a\"}, "
         "\"old_writes_idle\": \"0s\"}");
    PLAY(play_apply(db, folder, "in-sync", &play_err));
    run("UPDATE t SET b = 'own' WHERE id = 2");
    PLAY(play_verify(db, folder, &play_err));
    PLAY(play_apply(db, folder, "contracted", &play_err));
    PLAY(play_apply(db, folder, NULL, &play_err));
    assert_int_equal(count("SELECT count(*) FROM t WHERE b = 'own'"), 1);
}

static void names_that_are_hard_to_write(void **state)
{
    (void)state;
    run("CREATE TABLE t(id INTEGER PRIMARY KEY, \"a\"\"c\" TEXT, EMAIL TEXT NOT NULL); INSERT INTO "
        "t VALUES(1, 'x', 'y')");
    file("0001_p/migration.json",
         "{\"table\": \"t\", \"add\": {\"b\": {\"type\": \"TEXT\"}, \"m\": {\"type\": \"TEXT\"}}, "
         "\"forward\": {\"b\": \"\\\"a\\\"\\\"c\\\"\", \"m\": \"email\"}, \"drop\": [\"a\\\"c\", "
         "\"email\"], \"reverse\": {\"a\\\"c\": \"b\", \"email\": \"m\"}, \"old_writes_idle\": "
         "\"0s\"}");
    PLAY(play_apply(db, folder, "contracted", &play_err));
    run("UPDATE t SET b = 'new'");
    PLAY(play_rollback(db, folder, NULL, &play_err));
    assert_int_equal(count("SELECT count(*) FROM t WHERE \"a\"\"c\" = 'new' AND EMAIL = 'y'"), 1);
    PLAY(play_apply(db, folder, "contracted", &play_err));
    assert_string_equal(play_state(db, folder, "0001_p"), "contracted");
}

/* ---- the flag server is away ---- */

static enum err_code apply_with(const char *server, const char *to, struct err *err,
                                struct json **report)
{
    struct migrate_options options = {
        .database = db, .folder = folder, .flag_server = server, .flag_token = "t"};
    struct migrate *m = NULL;
    enum err_code rc = migrate_open(&options, &m, err);

    rc = rc ? rc : migrate_apply(m, &(struct migrate_apply){.to_state = to}, report, err);
    migrate_close(m);
    return rc;
}

static void without_its_flag_server_nothing_begins(void **state)
{
    static const char away[] = "http://127.0.0.1:1";
    struct migrate_options options = {.database = db, .folder = folder, .flag_server = away};
    struct migrate *m = NULL;
    struct json *report = NULL;
    struct err err = {0};

    (void)state;
    run("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t(a) VALUES('x')");
    file("0001_p/migration.json",
         "{\"table\": \"t\", \"add\": {\"b\": {\"type\": \"TEXT\"}}, \"forward\": {\"b\": \"a\"}, "
         "\"drop\": [\"a\"], \"reverse\": {\"a\": \"b\"}, \"old_writes_idle\": \"0s\"}");
    PLAY(play_apply(db, folder, "in-sync", &play_err));
    /* As if it had been tied from the start, and told so. */
    file("0001_p/migration.json",
         "{\"table\": \"t\", \"add\": {\"b\": {\"type\": \"TEXT\"}}, \"forward\": {\"b\": \"a\"}, "
         "\"drop\": [\"a\"], \"reverse\": {\"a\": \"b\"}, \"old_writes_idle\": \"0s\", \"flag\": "
         "\"f\"}");
    run("UPDATE lockstep_journal SET checksum = '', reported = 'in-sync'");
    assert_int_equal(apply_with(away, NULL, &err, &report), ERR_OK); /* it waits */
    assert_int_equal(json_count(json_get(report, "waits")), 1);
    json_free(report);
    assert_int_equal(apply_with(away, "contracted", &err, &report), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "flag-on-everywhere: the flag server gave no facts"));
    json_free(report);
    assert_int_equal(apply_with(NULL, "contracted", &err, &report), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "--flag-server"));
    json_free(report);
    assert_int_equal(apply_with("ftp://x", NULL, &err, &report), ERR_INVALID);
    assert_int_equal(migrate_open(&options, &m, &err), ERR_OK);
    assert_int_equal(migrate_rollback(m, &(struct migrate_rollback){0}, &report, &err),
                     ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "--without-flag-server"));
    json_free(report);
    migrate_close(m);
    assert_string_equal(play_state(db, folder, "0001_p"), "in-sync");
}

static void a_flag_that_cannot_be_asked_for_changes_nothing(void **state)
{
    struct json *report = NULL;
    struct err err = {0};

    (void)state;
    run("CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t(a) VALUES('x')");
    file("0001_p/migration.json",
         "{\"table\": \"t\", \"add\": {\"b\": {\"type\": \"TEXT\"}}, \"forward\": {\"b\": \"a\"}, "
         "\"flag\": {\"key\": \"f\"}}");
    assert_int_equal(apply_with(NULL, NULL, &err, &report), ERR_INVALID);
    assert_non_null(strstr(err.msg, "--flag-server"));
    assert_int_equal(apply_with("http://127.0.0.1:1", NULL, &err, &report), ERR_IO);
    assert_non_null(strstr(err.msg, "does not answer"));
    assert_null(report);
    assert_int_equal(count("SELECT count(*) FROM sqlite_master"), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, ground_new)
    const struct CMUnitTest tests[] = {
        TEST(plain_files_run_once_and_in_order),
        TEST(a_failing_file_leaves_nothing),
        TEST(what_wrangler_applied_is_not_run_again),
        TEST(an_edited_file_is_refused_but_not_for_line_ends),
        TEST(a_late_number_is_refused_unless_named),
        TEST(up_and_down),
        TEST(statements_that_have_no_place),
        TEST(a_rebuild_that_would_wipe_children_is_refused),
        TEST(a_later_migration_waits_for_its_table),
        TEST(another_environment_is_refused),
        TEST(one_at_a_time),
        TEST(many_processes_apply_once),
        TEST(who_lost_the_lock_is_refused),
        TEST(a_killed_walk_goes_on),
        TEST(a_mismatch_falls_back),
        TEST(without_its_flag_server_nothing_begins),
        TEST(a_flag_that_cannot_be_asked_for_changes_nothing),
        TEST(a_null_that_came_meanwhile_closes_the_way_back),
        TEST(what_names_an_added_column_closes_the_way_back),
        TEST(a_null_in_a_loosened_column_is_a_violator),
        TEST(a_trigger_that_can_raise_is_refused),
        TEST(one_empty_table_is_no_fresh_database),
        TEST(what_new_code_wrote_over_a_derived_value_stays),
        TEST(names_that_are_hard_to_write),
    };

    return cmocka_run_group_tests_name("apply", tests, NULL, NULL);
}
