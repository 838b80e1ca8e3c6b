/*
 * Migrations of whole tables and their order: ways back that would lose rows, a purge that was
 * stopped half-way, what "needs" makes wait, two names in hand at once.
 */
#include "tests/migrator/unit.h"

#include "migrator/migrate.h"
#include "tests/migrator/ground.h"

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
    assert_int_equal(err.code, wanted); /* the exit code is made of it */
}

static void rollback_refused(const char *to, enum err_code wanted, const char *words)
{
    struct err err = {0};

    expect(play_rollback(db, folder, to, &err), &err, wanted, words);
    assert_int_equal(err.code, wanted); /* the exit code is made of it */
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
        ground_new(NULL);
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
    run("ALTER TABLE note ADD COLUMN x; INSERT INTO note(id, x) VALUES(2, 'not carried')");
    apply_refused("contracted", ERR_CONFLICT, "fell back to dual-writing");
    PLAY(play_apply(db, folder, "contracted", &play_err)); /* with triggers that know the column */
    assert_int_equal(count("SELECT count(*) FROM remark WHERE x = 'not carried'"), 1);
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

static char *notes_of_plan(void)
{
    struct migrate_options options = {.database = db, .folder = folder};
    struct migrate *m = NULL;
    struct json *report = NULL;
    char *out;

    PLAY(migrate_open(&options, &m, &play_err));
    PLAY(migrate_plan(m, &(struct migrate_apply){0}, &report, &play_err));
    out = json_print(json_get(json_first(json_get(report, "migrations")), "notes"));
    json_free(report);
    migrate_close(m);
    return out;
}

static void a_plan_names_what_goes_along(void **state)
{
    static const struct {
        const char *sql;
        bool takes;
    } cases[] = {
        {"DELETE FROM parent WHERE id = 1", true},
        {"REPLACE INTO parent VALUES(1)", true},
        {"WITH x AS (SELECT 1) REPLACE INTO \"Parent\" SELECT * FROM x", true},
        {"INSERT OR REPLACE INTO [parent] VALUES(1)", true},
        {"UPDATE OR REPLACE parent SET id = 1", true},
        {"DELETE FROM child", false},
        {"INSERT INTO parent VALUES(8)", false},
        {"UPDATE parent SET id = replace(id, 'a', 'b') WHERE 0", false},
        {"CREATE TRIGGER t AFTER INSERT ON child BEGIN DELETE FROM parent; END", false},
    };

    (void)state;
    run("PRAGMA foreign_keys = ON; CREATE TABLE parent(id INTEGER PRIMARY KEY); CREATE TABLE "
        "child(p INTEGER REFERENCES parent(id) ON DELETE CASCADE); INSERT INTO parent VALUES(1); "
        "INSERT INTO child VALUES(1), (1), (NULL)");
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *notes;
        file("0001_plain.sql", cases[i].sql);
        notes = notes_of_plan();
        if ((strstr(notes, "child has 2 rows that refer to it (ON DELETE CASCADE)") != NULL) !=
            cases[i].takes) {
            fail_msg("%s: %s", cases[i].sql, notes);
        }
        free(notes);
    }
}

static void files_are_part_of_the_checksum(void **state)
{
    (void)state;
    run("CREATE TABLE t(id INTEGER PRIMARY KEY); INSERT INTO t VALUES(1)");
    file("0001_hand/migration.json", "{\"table\": \"t\", \"handwritten\": true}");
    file("0001_hand/expand.sql", "CREATE TABLE x(a);");
    file("0001_hand/contract.sql", "DROP TABLE x;");
    PLAY(play_apply(db, folder, "in-sync", &play_err));
    file("0001_hand/contract.sql", "DROP TABLE t;");
    apply_refused("contracted", ERR_CONFLICT, "edited after it was applied");
    file("0001_hand/contract.sql", "DROP TABLE x;  \r\n\n");
    PLAY(play_apply(db, folder, "contracted", &play_err));
    rollback_refused(NULL, ERR_CONFLICT, "contract.sql has no .down.sql");
    rollback_refused("in-sync", ERR_CONFLICT, "contract.sql has no .down.sql");
    state_is("0001_hand", "contracted");
    PLAY(play_apply(db, folder, "purged", &play_err));
}

static void a_file_that_nobody_knows_is_named(void **state)
{
    (void)state;
    run("CREATE TABLE t(id INTEGER PRIMARY KEY)");
    file("0001_hand/migration.json", "{\"table\": \"t\", \"handwritten\": true}");
    file("0001_hand/expand.sql", "CREATE TABLE x(a);");
    file("0001_hand/dualwrite.sql", "SELECT 1;");
    apply_refused(NULL, ERR_INVALID, "did you mean dual_write.sql?");
}

/* What a hand-written migration names is in hand, whatever its own table is. */
static void hand_written_names_are_in_hand(void **state)
{
    (void)state;
    run("CREATE TABLE t(id INTEGER PRIMARY KEY); CREATE TABLE u(id INTEGER PRIMARY KEY); INSERT "
        "INTO t VALUES(1)");
    file("0001_hand/migration.json", "{\"table\": \"t\", \"handwritten\": true}");
    file("0001_hand/expand.sql", "CREATE INDEX u_id ON u(id);");
    PLAY(play_apply(db, folder, "in-sync", &play_err));
    file("0002_u/migration.json", "{\"table\": \"u\", \"add\": {\"x\": {\"type\": \"TEXT\"}}}");
    apply_refused("expanded", ERR_CONFLICT, "0002_u waits for 0001_hand");
}

#define TEST(name) cmocka_unit_test_setup(name, ground_new)

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
        TEST(a_plan_names_what_goes_along),
        TEST(files_are_part_of_the_checksum),
        TEST(a_file_that_nobody_knows_is_named),
        TEST(hand_written_names_are_in_hand),
    };

    return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
