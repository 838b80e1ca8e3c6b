/*
 * Views and triggers that step aside while a table is altered: every schema of one or two objects
 * of a list is altered by the engine alone, and once with what can be aside. Both must end in the
 * same sqlite_master, row by row and place by place, or both refuse and leave it as it was.
 */
#include "tests/migrator/unit.h"

#include "base/clock.h"
#include "base/buf.h"
#include "migrator/change/aside.h"
#include "migrator/change/unreadable.h"

static const char *const tables[] = {
    "CREATE TABLE lockstep_guard(ok INTEGER NOT NULL)",
    "CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT, b, \"q c\" TEXT COLLATE NOCASE)",
    "CREATE TABLE u(id INTEGER PRIMARY KEY, a, z, t)",
    "CREATE TABLE log(x, y)",
    "CREATE TABLE k(a TEXT, b, PRIMARY KEY(a, b)) WITHOUT ROWID",
    "CREATE TABLE child(a, ref REFERENCES t(id))",
    "CREATE INDEX t_a ON t(a, \"q c\" DESC) WHERE a IS NOT NULL",
    "INSERT INTO t(a, b) VALUES('1', 2)",
    "CREATE TRIGGER lockstep_1_fwd AFTER UPDATE OF a ON t BEGIN UPDATE t SET \"q c\" = NEW.a; END",
};
#define BROKEN_NAMES "|v_nothing|v_function|r_function|"
#define BROKEN 1u /* cannot be read whatever is done */
#define STRICT 2u /* what the engine lets break, and we do not */
static const struct object {
    const char *sql;
    unsigned flags;
} objects[] = {
    {"CREATE VIEW v_a AS SELECT a FROM t", 0},
    {"CREATE VIEW \"v all\" AS SELECT * FROM t", 0},
    {"CREATE VIEW v_over AS SELECT a FROM \"v all\"", 0},
    {"CREATE VIEW v_over_star AS SELECT * FROM \"v all\" WHERE \"Q C\" > 1", 0},
    {"CREATE VIEW v_other AS SELECT u.a FROM u", 0},
    {"CREATE VIEW v_both AS SELECT u.a, main.t.b FROM t, u", 0},
    {"CREATE VIEW v_union AS SELECT * FROM t UNION ALL SELECT 1, 2, 3, 4", STRICT},
    {"CREATE VIEW v_named(w, x, y, z) AS SELECT * FROM t", STRICT},
    {"CREATE VIEW v_text AS SELECT 't' AS a, 'a' AS b FROM log", 0},
    {"CREATE VIEW v_string AS SELECT t.'a' FROM 't'", 0},
    {"CREATE VIEW v_bracket AS SELECT [b] /* a */ FROM main.[t]", 0},
    {"CREATE VIEW v_tick AS SELECT `q c` FROM `t` -- a", 0},
    {"CREATE VIEW v_ambiguous AS SELECT fresh FROM (SELECT z AS fresh FROM u), t", 0},
    {"CREATE VIEW v_with AS WITH c AS (SELECT * FROM t) SELECT a FROM c", 0},
    {"CREATE VIEW v_using AS SELECT * FROM t JOIN k USING (a)", 0},
    {"CREATE VIEW v_natural AS SELECT * FROM t NATURAL JOIN k", 0},
    {"CREATE VIEW v_exists AS SELECT x FROM log WHERE EXISTS (SELECT 1 FROM v_a)", 0},
    {"CREATE VIEW v_nothing AS SELECT nope FROM t", BROKEN},
    {"CREATE VIEW v_function AS SELECT my_function(x) FROM log", BROKEN},
    {"CREATE TRIGGER r_of AFTER UPDATE OF a ON t BEGIN INSERT INTO log VALUES(NEW.b, 1); END", 0},
    {"CREATE TRIGGER r_insert AFTER INSERT ON t BEGIN INSERT INTO log VALUES(NEW.a, NEW.b); END",
     0},
    {"CREATE TRIGGER r_quiet BEFORE INSERT ON t BEGIN INSERT INTO log VALUES(NEW.id, 1); END", 0},
    {"CREATE TRIGGER r_delete AFTER DELETE ON u BEGIN UPDATE t SET b = 1 WHERE id = OLD.id; END",
     STRICT},
    {"CREATE TRIGGER r_count AFTER INSERT ON u BEGIN INSERT INTO t VALUES(1, 2, 3, 4); END",
     STRICT},
    {"CREATE TRIGGER r_star AFTER UPDATE ON u BEGIN INSERT INTO log SELECT z, t FROM u; END", 0},
    {"CREATE TRIGGER r_when AFTER UPDATE OF z ON u WHEN EXISTS (SELECT 1 FROM t WHERE \"a\" = 1) "
     "BEGIN SELECT 1; END",
     0},
    {"CREATE TRIGGER r_view INSTEAD OF INSERT ON \"v all\" BEGIN INSERT INTO log VALUES(NEW.a, 1); "
     "END",
     0},
    {"CREATE TRIGGER r_view_of INSTEAD OF UPDATE OF b ON \"v all\" BEGIN SELECT NEW.b; END", 0},
    {"CREATE TRIGGER r_function AFTER INSERT ON log BEGIN SELECT my_function(NEW.x); END", BROKEN},
};
static const char *const alters[][3] = {
    {"ALTER TABLE t RENAME COLUMN a TO lockstep_1_a"},
    {"ALTER TABLE \"t\" RENAME COLUMN \"q c\" TO \"it's \"\"q\"\"\""},
    {"ALTER TABLE t RENAME a TO fresh", "ALTER TABLE t RENAME COLUMN fresh TO a"},
    {"ALTER TABLE t DROP COLUMN b"},
    {"ALTER TABLE main.t DROP b", "DROP INDEX t_a", "ALTER TABLE t RENAME COLUMN id TO key"},
    {"ALTER TABLE t RENAME TO \"a t\""},
    {"ALTER TABLE k RENAME COLUMN b TO lockstep_1_b"},
    {"ALTER TABLE t ADD COLUMN more TEXT", "ALTER TABLE t RENAME COLUMN a TO lockstep_1_a",
     "CREATE TRIGGER lockstep_1_new AFTER INSERT ON t BEGIN SELECT 1; END"},
};

static enum err_code run(struct database *db, const char *sql, struct err *err)
{
    return database_batch(
        db,
        &(struct database_batch){.statements = &(struct database_statement){sql, NULL, 0},
                                 .statement_count = 1},
        NULL, err);
}

static struct database *make(const size_t *which, size_t count, bool broken_too)
{
    struct database *db = NULL;
    struct err err = {0};

    assert_int_equal(database_open("sqlite::memory:", NULL, &db, &err), ERR_OK);
    for (size_t i = 0; i < COUNT(tables); i++) {
        assert_int_equal(run(db, tables[i], &err), ERR_OK);
    }
    for (size_t i = 0; i < count; i++) {
        if (broken_too || !(objects[which[i]].flags & BROKEN)) {
            (void)!run(db, objects[which[i]].sql, &err); /* a trigger may lack its view */
        }
    }
    return db;
}

/* Whatever the engine finds wrong in the schema before anything is done to it. */
static bool readable(const size_t *which, size_t count)
{
    struct database *db = make(which, count, true);
    struct err err = {0};
    bool out = run(db, "ALTER TABLE log RENAME COLUMN y TO yy", &err) == ERR_OK;

    database_close(db);
    return out;
}

/* sqlite_master as text; without places if some rows are not there. */
static char *dump(struct database *db, bool places, const char *leave_out)
{
    struct database_value param = database_text(leave_out);
    struct database_rows *rows = NULL;
    struct buf out = {0};
    struct err err = {0};

    assert_int_equal(
        database_query(db,
                       "SELECT rowid, type, name, tbl_name, rootpage, sql FROM sqlite_master WHERE "
                       "instr(?1, '|' || name || '|') = 0 ORDER BY rowid",
                       &param, 1, &rows, &err),
        ERR_OK);
    for (size_t i = 0; i < database_rows_count(rows); i++) {
        if (places) {
            buf_print(&out, "%lld ", (long long)database_rows_int(rows, i, 0, -1));
        }
        for (size_t k = 1; k < 6; k++) {
            buf_print(&out, "%s|", database_rows_text(rows, i, k));
        }
        buf_print(&out, "%lld\n", (long long)database_rows_int(rows, i, 4, -1));
    }
    database_rows_free(rows);
    return buf_take(&out);
}

static void fill(struct work *work, const char *const *alter)
{
    for (size_t i = 0; i < 3 && alter[i] != NULL; i++) {
        work_sql(work, alter[i]);
    }
}

static enum err_code by_engine(struct database *db, const char *const *alter, struct err *err)
{
    struct work work = {0};
    enum err_code rc;

    fill(&work, alter);
    rc = work_run(&work, db, NULL, NULL, err);
    work_fini(&work);
    return rc;
}

static enum err_code with_aside(struct database *db, const char *const *alter, struct err *err)
{
    struct work work = {0};
    enum err_code rc;

    fill(&work, alter);
    rc = aside_step(db, &work, err);
    rc = rc ? rc : work_run(&work, db, NULL, NULL, err);
    work_fini(&work);
    return rc;
}

static bool drops(const char *const *alter)
{
    return strstr(alter[0], "DROP ") != NULL;
}

static bool adds(const char *const *alter)
{
    return strstr(alter[0], "ADD ") != NULL;
}

struct tally {
    size_t same, refused, stricter, past_broken;
};

static void compare(const size_t *which, size_t count, const char *const *alter,
                    struct tally *tally)
{
    bool clean = readable(which, count), strict = false, any = false;
    struct database *engine = make(which, count, clean), *ours = make(which, count, true);
    struct err engine_said = {0}, we_said = {0};
    char *before = dump(ours, true, ""), *want, *have;
    enum err_code want_rc = by_engine(engine, alter, &engine_said);
    enum err_code have_rc = with_aside(ours, alter, &we_said);

    for (size_t i = 0; i < count; i++) {
        strict = strict || ((objects[which[i]].flags & STRICT) && drops(alter));
        any = any || ((objects[which[i]].flags & STRICT) && adds(alter)); /* broken by ADD COLUMN */
    }
    if (have_rc != ERR_OK) {
        have = dump(ours, true, "");
        assert_string_equal(before, have); /* nothing was changed */
        if (want_rc == ERR_OK && !strict && !any) {
            fail_msg("%s; %s: %s: we refuse: %s", objects[which[0]].sql,
                     objects[which[count - 1]].sql, alter[0], we_said.msg);
        }
        tally->refused += want_rc != ERR_OK;
        tally->stricter += want_rc == ERR_OK;
        free(have);
    } else if (want_rc == ERR_OK) {
        want = dump(engine, clean, clean ? "" : BROKEN_NAMES);
        have = dump(ours, clean, clean ? "" : BROKEN_NAMES);
        assert_string_equal(want, have);
        assert_true(!strict || !clean);
        tally->same += clean;
        tally->past_broken += !clean;
        free(want);
        free(have);
    } else if (clean && !any) {
        fail_msg("%s; %s: %s: the engine refuses: %s", objects[which[0]].sql,
                 objects[which[count - 1]].sql, alter[0], engine_said.msg);
    }
    free(before);
    database_close(engine);
    database_close(ours);
}

static void every_pair_ends_as_the_engine_ends(void **state)
{
    struct tally tally = {0};
    bool all = getenv("CHECK_FULL") != NULL, slow = getenv("SAN") != NULL && *getenv("SAN") != '\0';
    size_t step = slow ? 29 : 11; /* else not every pair */

    (void)state;
    for (size_t k = 0; k < COUNT(alters); k++) {
        for (size_t i = 0; i < COUNT(objects); i++) {
            for (size_t j = i; j < COUNT(objects); j++) {
                if (!all && i != j && (i * 7 + j + k) % step != 0) {
                    continue;
                }
                compare((size_t[]){i, j}, i == j ? 1 : 2, alters[k], &tally);
            }
        }
    }
    print_message("%zu the same, %zu refused by both, %zu by us alone, %zu past unreadable ones\n",
                  tally.same, tally.refused, tally.stricter, tally.past_broken);
    assert_true(tally.same > 200 && tally.refused > 20 && tally.past_broken > 10);
}

/* Somebody makes a view between the look at the schema and the lock. */
static void a_schema_that_moved_is_found_out(void **state)
{
    const char *path = scratch("aside.db");
    struct database *db = NULL, *other = NULL;
    struct work work = {0};
    struct err err = {0};
    char *before, *after;

    (void)state;
    (void)remove(path);
    assert_int_equal(database_open(path, NULL, &db, &err), ERR_OK);
    assert_int_equal(database_open(path, NULL, &other, &err), ERR_OK);
    for (size_t i = 0; i < COUNT(tables); i++) {
        assert_int_equal(run(db, tables[i], &err), ERR_OK);
    }
    assert_int_equal(run(db, objects[4].sql, &err), ERR_OK);
    work_sql(&work, alters[0][0]);
    assert_int_equal(aside_step(db, &work, &err), ERR_OK);
    assert_false(aside_is_stale(db, &work));
    assert_int_equal(run(other, objects[0].sql, &err), ERR_OK);
    before = dump(db, true, "");
    assert_int_equal(work_run(&work, db, NULL, NULL, &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "changed by somebody else"));
    assert_true(aside_is_stale(db, &work));
    after = dump(db, true, "");
    assert_string_equal(before, after);
    work_fini(&work);
    assert_int_equal(with_aside(db, alters[0], &err), ERR_OK); /* what the next attempt does */
    free(before);
    free(after);
    database_close(other);
    database_close(db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_ends_as_the_engine_ends),
        cmocka_unit_test(a_schema_that_moved_is_found_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
