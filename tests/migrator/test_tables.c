/*
 * Migrations of whole tables and their order: ways back that would lose rows, a purge that was
 * stopped half-way, what "needs" makes wait, two names in hand at once.
 */
#include "tests/migrator/unit.h"

#include <sys/stat.h>

#include "migrator/migrate.h"
#include "tests/migrator/play.h"

static char db[512], folder[512];

static int setup(void **state)
{
    (void)state;
    snprintf(db, sizeof db, "%s", scratch("tables.db"));
    snprintf(folder, sizeof folder, "%s", scratch("tables"));
    play_remove(db);
    play_remove(folder);
    assert_int_equal(mkdir(folder, 0755), 0);
    return 0;
}

static void file(const char *name, const char *text)
{
    char path[700];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    play_write(path, text);
}

static void run(const char *sql)
{
    sqlite3 *app = app_open(db);

    app_run(app, sql);
    app_close(app);
}

static long long count(const char *sql)
{
    sqlite3 *app = app_open(db);
    long long out = app_number(app, sql);

    app_close(app);
    return out;
}

static void expect(enum err_code rc, const struct err *err, enum err_code wanted, const char *words)
{
    if (rc != wanted || strstr(err->msg, words) == NULL) {
        fail_msg("wanted %s (%s), got %s: %s", err_code_name(wanted), words, err_code_name(rc),
                 err->msg);
    }
}

static void apply_refused(const char *to, enum err_code wanted, const char *words)
{
    struct err err = {0};

    expect(play_apply(db, folder, to, &err), &err, wanted, words);
}

static void rollback_refused(const char *to, enum err_code wanted, const char *words)
{
    struct err err = {0};

    expect(play_rollback(db, folder, to, &err), &err, wanted, words);
}

static void state_is(const char *migration, const char *state)
{
    assert_string_equal(play_state(db, folder, migration), state);
}

/* ---- create ---- */

static void a_created_table_with_rows_is_not_dropped(void **state)
{
    (void)state;
    run("CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    file("0001_note/migration.json",
         "{\"create_table\": \"CREATE TABLE note(id INTEGER PRIMARY KEY)\"}");
    PLAY(play_apply(db, folder, "contracted", &play_err));
    run("INSERT INTO note VALUES(1), (2)");
    rollback_refused(NULL, ERR_CONFLICT, "\"note\" has 2 rows");
    state_is("0001_note", "contracted"); /* refused before the first step */
    PLAY(play_rollback(db, folder, "expanded", &play_err));
    assert_int_equal(count("SELECT count(*) FROM note"), 2);
    run("DELETE FROM note");
    PLAY(play_rollback(db, folder, NULL, &play_err));
    assert_int_equal(count("SELECT count(*) FROM sqlite_master WHERE name = 'note'"), 0);
    PLAY(play_apply(db, folder, "purged", &play_err));
}

static void a_created_table_that_is_gone_is_noticed(void **state)
{
    (void)state;
    run("CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    file("0001_note/migration.json",
         "{\"create_table\": [\"CREATE TABLE note(id INTEGER PRIMARY KEY)\"]}");
    PLAY(play_apply(db, folder, "expanded", &play_err));
    run("DROP TABLE note");
    apply_refused("contracted", ERR_CONFLICT, "is gone");
}

/* ---- drop ---- */

#define DROP "{\"drop_table\": \"note\", \"old_writes_idle\": \"1h\"}"

static void a_dropped_table_waits_for_old_code(void **state)
{
    (void)state;
    run("CREATE TABLE note(id INTEGER PRIMARY KEY, a); INSERT INTO note VALUES(1, 1)");
    file("0001_drop/migration.json", DROP);
    apply_refused("contracted", ERR_CONFLICT, "old code wrote");
    state_is("0001_drop", "in-sync");
    for (int i = 0; i < 3; i++) {
        static const char *const writes[] = {"INSERT INTO note VALUES(2, 2)",
                                             "UPDATE note SET a = a", "DELETE FROM note"};
        run("UPDATE lockstep_activity SET written_at = 1000");
        run(writes[i]);
        assert_int_equal(count("SELECT written_at > 1000 FROM lockstep_activity"), 1);
    }
    run("UPDATE lockstep_activity SET written_at = 1000");
    run("CREATE VIEW v AS SELECT * FROM note"); /* since the check at the start */
    apply_refused("contracted", ERR_CONFLICT, "view v");
    run("DROP VIEW v");
    PLAY(play_apply(db, folder, "contracted", &play_err));
    assert_int_equal(count("SELECT count(*) FROM sqlite_master WHERE name = 'note'"), 0);
    run("CREATE TABLE note(x)"); /* new code takes the name */
    rollback_refused("in-sync", ERR_INVALID, "note");
    state_is("0001_drop", "contracted");
    run("DROP TABLE note");
    PLAY(play_rollback(db, folder, NULL, &play_err));
}

/* ---- purge ---- */

static void a_purge_that_was_stopped_goes_on(void **state)
{
    static const char *const migrations[] = {
        "{\"drop_table\": \"note\", \"old_writes_idle\": \"0s\"}",
        "{\"table\": \"note\", \"rename_table\": \"remark\", \"old_writes_idle\": \"0s\"}"};

    (void)state;
    for (size_t i = 0; i < COUNT(migrations); i++) {
        setup(NULL);
        run("CREATE TABLE log(x); CREATE TABLE note(id INTEGER PRIMARY KEY, a); WITH RECURSIVE "
            "n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO note "
            "SELECT i, i FROM n");
        if (i == 0) {
            run("CREATE TRIGGER seen AFTER DELETE ON note BEGIN INSERT INTO log VALUES(OLD.id); "
                "END");
        }
        file("0001_purge/migration.json", migrations[i]);
        PLAY(play_apply(db, folder, "contracted", &play_err));
        /* stopped in the middle: it is written down, and half of the rows are gone */
        run("UPDATE lockstep_journal SET detail = '{\"purging\":true}'; DROP TRIGGER IF EXISTS "
            "seen; DROP TRIGGER IF EXISTS lockstep_1_reverse_insert; DROP TRIGGER IF EXISTS "
            "lockstep_1_reverse_update; DROP TRIGGER IF EXISTS lockstep_1_reverse_delete; DELETE "
            "FROM lockstep_1_note WHERE id > 2500");
        rollback_refused(NULL, ERR_CONFLICT, "its purge has begun");
        rollback_refused("in-sync", ERR_CONFLICT, "its purge has begun");
        PLAY(play_verify(db, folder, &play_err)); /* there is nothing left to compare */
        PLAY(play_apply(db, folder, "purged", &play_err));
        assert_int_equal(count("SELECT count(*) FROM sqlite_master WHERE name LIKE 'lockstep_1%'"),
                         0);
        assert_int_equal(count("SELECT count(*) FROM log"), 0);
        if (i == 1) {
            assert_int_equal(count("SELECT count(*) FROM remark"), 5000);
        }
    }
}

static void a_purge_fires_no_trigger_of_the_application(void **state)
{
    (void)state;
    run("CREATE TABLE log(x); CREATE TABLE note(id INTEGER PRIMARY KEY); INSERT INTO note "
        "VALUES(1), (2); CREATE TRIGGER seen AFTER DELETE ON note BEGIN INSERT INTO log "
        "VALUES(OLD.id); END");
    file("0001_drop/migration.json", "{\"drop_table\": \"note\", \"old_writes_idle\": \"0s\"}");
    PLAY(play_apply(db, folder, "purged", &play_err));
    assert_int_equal(count("SELECT count(*) FROM log"), 0);
    assert_int_equal(count("SELECT count(*) FROM lockstep_history WHERE event = 'purge begins'"),
                     1);
}

/* ---- rename ---- */

#define RENAME "{\"table\": \"note\", \"rename_table\": \"remark\", \"old_writes_idle\": \"0s\"}"

static void rows_that_nobody_mirrored_are_not_lost(void **state)
{
    (void)state;
    run("CREATE TABLE note(id INTEGER PRIMARY KEY); INSERT INTO note VALUES(1)");
    file("0001_rename/migration.json", RENAME);
    PLAY(play_apply(db, folder, "expanded", &play_err));
    run("INSERT INTO remark VALUES(9)");
    apply_refused("dual-writing", ERR_CONFLICT, "the new table has rows already");
    rollback_refused(NULL, ERR_CONFLICT, "the new table has rows");
    run("DELETE FROM remark");
    PLAY(play_apply(db, folder, "in-sync", &play_err));
    PLAY(play_rollback(db, folder, "expanded", &play_err));
    assert_int_equal(count("SELECT count(*) FROM remark"), 1); /* the mirror's own */
    run("DELETE FROM note; INSERT INTO note VALUES(2), (3)");
    PLAY(play_apply(db, folder, "in-sync", &play_err));
    assert_int_equal(count("SELECT sum(id) FROM remark"), 5);
    PLAY(play_rollback(db, folder, NULL, &play_err));
    assert_int_equal(count("SELECT count(*) FROM sqlite_master WHERE name = 'remark'"), 0);
}

static void a_table_that_changed_under_way_is_refused(void **state)
{
    (void)state;
    run("CREATE TABLE note(id INTEGER PRIMARY KEY); INSERT INTO note VALUES(1)");
    file("0001_rename/migration.json", RENAME);
    PLAY(play_apply(db, folder, "in-sync", &play_err));
    run("ALTER TABLE remark ADD COLUMN x");
    apply_refused("contracted", ERR_CONFLICT, "not the same shape any more");
    run("ALTER TABLE note ADD COLUMN x");
    PLAY(play_apply(db, folder, "contracted", &play_err));
}

static void numbers_are_not_given_twice(void **state)
{
    (void)state;
    run("CREATE TABLE note(id INTEGER PRIMARY KEY AUTOINCREMENT, a); INSERT INTO note(id) "
        "VALUES(41); DELETE FROM note; INSERT INTO note(id) VALUES(3)");
    file("0001_rename/migration.json", RENAME);
    PLAY(play_apply(db, folder, "in-sync", &play_err));
    run("INSERT INTO remark(a) VALUES('new')");
    assert_int_equal(count("SELECT max(id) FROM note"), 42);
    run("DELETE FROM remark WHERE id = 42; INSERT INTO note(a) VALUES('old')");
    assert_int_equal(count("SELECT max(id) FROM remark"), 43);
    PLAY(play_apply(db, folder, "purged", &play_err));
    run("DELETE FROM remark; INSERT INTO remark(a) VALUES('last')");
    assert_int_equal(count("SELECT id FROM remark"), 44);
}

/* ---- order ---- */

static void both_names_of_a_rename_are_in_hand(void **state)
{
    (void)state;
    run("CREATE TABLE note(id INTEGER PRIMARY KEY); INSERT INTO note VALUES(1); CREATE TABLE "
        "other(a)");
    file("0001_rename/migration.json", RENAME);
    PLAY(play_apply(db, folder, "contracted", &play_err));
    file("0002_columns/migration.json",
         "{\"table\": \"Remark\", \"add\": {\"x\": {\"type\": \"TEXT\"}}}");
    apply_refused("expanded", ERR_CONFLICT, "0002_columns waits for 0001_rename");
    PLAY(play_apply_one(db, folder, "0001_rename", "purged", &play_err));
    PLAY(play_apply(db, folder, "expanded", &play_err));
}

static void needs_orders_two_tables(void **state)
{
    (void)state;
    run("CREATE TABLE a(id INTEGER PRIMARY KEY); INSERT INTO a VALUES(1); CREATE TABLE b(id "
        "INTEGER PRIMARY KEY)");
    file("0001_a/migration.json", "{\"table\": \"a\", \"add\": {\"x\": {\"type\": \"TEXT\"}}}");
    file("0002_b/migration.json", "{\"table\": \"b\", \"add\": {\"x\": {\"type\": \"TEXT\"}}, "
                                  "\"needs\": [\"0001\"]}");
    apply_refused("in-sync", ERR_CONFLICT, "0002_b needs 0001_a, which is not contracted yet");
    state_is("0001_a", "in-sync");
    state_is("0002_b", "pending");
    PLAY(play_apply(db, folder, "contracted", &play_err));
    PLAY(play_rollback(db, folder, "expanded", &play_err)); /* 0002_b, the newest */
    {
        struct migrate_options options = {.database = db, .folder = folder};
        struct migrate *m = NULL;
        struct json *report = NULL;
        struct err err = {0};
        PLAY(migrate_open(&options, &m, &play_err));
        expect(migrate_rollback(m, &(struct migrate_rollback){.target = "0001"}, &report, &err),
               &err, ERR_CONFLICT, "0002_b has begun and needs this one");
        json_free(report);
        migrate_close(m);
    }
}

static void needs_must_name_what_comes_before(void **state)
{
    (void)state;
    run("CREATE TABLE b(id INTEGER PRIMARY KEY); INSERT INTO b VALUES(1)");
    file("0002_b/migration.json", "{\"table\": \"b\", \"add\": {\"x\": {\"type\": \"TEXT\"}}, "
                                  "\"needs\": \"0003\"}");
    apply_refused("in-sync", ERR_INVALID, "no migration '0003'");
    file("0003_c.sql", "CREATE TABLE c(id)");
    apply_refused("in-sync", ERR_INVALID, "does not come before it");
    file("0002_b/migration.json",
         "{\"table\": \"b\", \"add\": {\"x\": {\"type\": \"TEXT\"}}, \"needs\": [7]}");
    apply_refused("in-sync", ERR_INVALID, "\"needs\" must be a string");
}

static void plain_files_do_not_touch_our_tables(void **state)
{
    static const char *const files[] = {"UPDATE lockstep_journal SET state = 'purged'",
                                        "DELETE FROM \"LOCKSTEP_lock\"",
                                        "CREATE TABLE [lockstep_1_x](a)",
                                        "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM "
                                        "lockstep_meta; END"};

    (void)state;
    run("CREATE TABLE a(x)");
    for (size_t i = 0; i < COUNT(files); i++) {
        file("0001_bad.sql", files[i]);
        apply_refused(NULL, ERR_INVALID, "belongs to the migrator");
    }
    file("0001_bad.sql", "INSERT INTO a VALUES('lockstep_journal') -- lockstep_journal");
    PLAY(play_apply(db, folder, NULL, &play_err));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_created_table_with_rows_is_not_dropped),
        TEST(a_created_table_that_is_gone_is_noticed),
        TEST(a_dropped_table_waits_for_old_code),
        TEST(a_purge_that_was_stopped_goes_on),
        TEST(a_purge_fires_no_trigger_of_the_application),
        TEST(rows_that_nobody_mirrored_are_not_lost),
        TEST(a_table_that_changed_under_way_is_refused),
        TEST(numbers_are_not_given_twice),
        TEST(both_names_of_a_rename_are_in_hand),
        TEST(needs_orders_two_tables),
        TEST(needs_must_name_what_comes_before),
        TEST(plain_files_do_not_touch_our_tables),
    };

    return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
