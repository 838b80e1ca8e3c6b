/*
 * A renamed table and its mirror against a model: whoever writes to either of the two tables must
 * see exactly what it would see on a table of its own, and after every statement both tables hold
 * the same rows - for each kind of statement, conflict clause and kind of key, with
 * recursive_triggers and foreign_keys off and on, in single statements and in random sequences of
 * both writers.
 */
#include "tests/migrator/unit.h"

#include "tests/migrator/play.h"

#define MIGRATION "{\"table\": \"note\", \"rename_table\": \"remark\", \"old_writes_idle\": \"0s\"}"
#define SQL_MAX 1200

static const struct shape_case {
    const char *name, *create, *seed;
    const char *key;        /* an expression for which row this is */
    const char *columns[5]; /* that a writer names */
    const char *conflict;   /* ON CONFLICT(...) */
} shapes[] = {
    {"rowid",
     "CREATE TABLE note(a INTEGER PRIMARY KEY, b TEXT UNIQUE, c, d TEXT COLLATE NOCASE, UNIQUE(c, "
     "d))",
     "INSERT INTO note(a, b, c, d) VALUES(1, 'k1', 1, 'x'), (2, 'k2', 2.0, 'y'), (3, NULL, NULL, "
     "'Z'), (4, 'k4', x'01', NULL)",
     "a",
     {"a", "b", "c", "d"},
     "b"},
    {"autoincrement",
     "CREATE TABLE note(a INTEGER PRIMARY KEY AUTOINCREMENT, b TEXT UNIQUE ON CONFLICT REPLACE, c "
     "REAL, d, e AS (a || b))",
     "INSERT INTO note(a, b, c, d) VALUES(1, 'k1', 1, 'x'), (2, 'k2', 2.5, 'y'), (3, NULL, NULL, "
     "'Z')",
     "a",
     {"a", "b", "c", "d"},
     "a"},
    {"without rowid",
     "CREATE TABLE note(a TEXT COLLATE NOCASE, b INTEGER, c, d BLOB UNIQUE, PRIMARY KEY(a, b)) "
     "WITHOUT ROWID",
     "INSERT INTO note(a, b, c, d) VALUES('x', 1, 1, 'p'), ('X', 2, 2, NULL), ('y', 1, 1.0, 1), "
     "('z', 7, NULL, 'q')",
     "a || b",
     {"a", "b", "c", "d"},
     "a, b"},
    {"no key",
     "CREATE TABLE note(a TEXT PRIMARY KEY, b, c NUMERIC, d, UNIQUE(b COLLATE NOCASE, c))",
     "INSERT INTO note(rowid, a, b, c, d) VALUES(1, 'x', 1, 1, 'p'), (5, NULL, 'k', 2, NULL), (6, "
     "NULL, 'K', 3, 1), (9, 'z', 7, NULL, 'q')",
     "rowid",
     {"rowid", "a", "b", "c", "d"},
     "a"},
    {"nothing unique",
     "CREATE TABLE note(a, b TEXT, c INTEGER)",
     "INSERT INTO note(a, b, c) VALUES(1, 1, 1), (1.0, '1', 1), (NULL, NULL, NULL), (1, 1, 1)",
     "rowid",
     {"rowid", "a", "b", "c"},
     NULL},
};

static const char *const values[] = {"1",    "2",   "3",   "4",     "7",   "10",  "'k1'",
                                     "'k2'", "'K'", "'x'", "'X'",   "'y'", "'z'", "NULL",
                                     "1.0",  "'1'", "2.5", "x'01'", "''",  "'p'", "'it''s'"};

/* ---- random statements, with $T for the table ---- */

static unsigned long long random_state;

static unsigned dice(unsigned sides)
{
    random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(random_state >> 33) % sides;
}

static const char *any_value(void)
{
    return values[dice(COUNT(values))];
}

static size_t column_count(const struct shape_case *shape)
{
    size_t count = 0;

    while (count < COUNT(shape->columns) && shape->columns[count] != NULL) {
        count++;
    }
    return count;
}

static const char *any_column(const struct shape_case *shape)
{
    return shape->columns[dice((unsigned)column_count(shape))];
}

static void add(char *sql, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void add(char *sql, const char *fmt, ...)
{
    size_t len = strlen(sql);
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(sql + len, SQL_MAX - len, fmt, args);
    va_end(args);
    assert_true(strlen(sql) < SQL_MAX - 1);
}

static const char *any_clause(void)
{
    static const char *const clauses[] = {
        "", "", "OR ABORT ", "OR FAIL ", "OR IGNORE ", "OR REPLACE ", "OR ROLLBACK "};
    return clauses[dice(COUNT(clauses))];
}

static void random_insert(const struct shape_case *shape, char *sql)
{
    size_t count = column_count(shape), from = dice(3) == 0 ? 1 : 0, rows = 1 + dice(3);

    add(sql, "INSERT %sINTO $T(", any_clause());
    for (size_t i = from; i < count; i++) {
        add(sql, "%s%s", i > from ? ", " : "", shape->columns[i]);
    }
    add(sql, ") ");
    if (dice(6) == 0) {
        add(sql, "SELECT ");
        for (size_t i = from; i < count; i++) {
            add(sql, "%s%s", i > from ? ", " : "",
                dice(2) ? shape->columns[dice((unsigned)count)] : any_value());
        }
        add(sql, " FROM $T WHERE 1");
        rows = 0;
    }
    for (size_t r = 0; r < rows; r++) {
        add(sql, r > 0 ? ", (" : "VALUES(");
        for (size_t i = from; i < count; i++) {
            add(sql, "%s%s", i > from ? ", " : "", any_value());
        }
        add(sql, ")");
    }
    if (shape->conflict != NULL && dice(5) == 0) {
        const char *column = any_column(shape);
        if (strcmp(column, "rowid") == 0 || dice(3) == 0) {
            add(sql, " ON CONFLICT(%s) DO NOTHING", shape->conflict);
        } else {
            add(sql, " ON CONFLICT(%s) DO UPDATE SET %s = excluded.%s", shape->conflict, column,
                column);
        }
    }
}

static void random_where(const struct shape_case *shape, char *sql)
{
    switch (dice(4)) {
    case 0: break;
    case 1: add(sql, " WHERE %s IS %s", any_column(shape), any_value()); break;
    case 2: add(sql, " WHERE %s > %s", any_column(shape), any_value()); break;
    default: add(sql, " WHERE %s = (SELECT max(%s) FROM $T)", shape->key, shape->key);
    }
}

static void random_update(const struct shape_case *shape, char *sql)
{
    const char *column = any_column(shape), *other = any_column(shape);

    add(sql, "UPDATE %s$T SET ", any_clause());
    switch (dice(5)) {
    case 0: add(sql, "%s = %s + 1", column, column); break;
    case 1: add(sql, "%s = %s", column, column); break;
    case 2: add(sql, "%s = %s", column, other); break;
    default: add(sql, "%s = %s", column, any_value());
    }
    if (dice(2) == 0 && strcmp(column, other) != 0) {
        add(sql, ", %s = %s", other, any_value());
    }
    random_where(shape, sql);
}

static void random_statement(const struct shape_case *shape, char *sql)
{
    *sql = '\0';
    switch (dice(8)) {
    case 0:
        add(sql, "DELETE FROM $T");
        random_where(shape, sql);
        break;
    case 1:
    case 2:
    case 3: random_update(shape, sql); break;
    default: random_insert(shape, sql);
    }
}

/* ---- the databases ---- */

static void spell(const char *statement, const char *table, char *out)
{
    size_t len = 0;

    for (const char *p = statement; *p != '\0'; p++) {
        if (p[0] == '$' && p[1] == 'T') {
            len += (size_t)snprintf(out + len, SQL_MAX - len, "%s", table);
            p++;
        } else {
            out[len++] = *p;
        }
        assert_true(len < SQL_MAX - 1);
    }
    out[len] = '\0';
}

/* What SQLite does as soon as a table has a trigger, whatever that does (seen on 3.40.1): with
 * recursive_triggers on, UPDATE OR REPLACE of a rowid takes the row's own UNIQUE keys for a
 * conflict; and an UPDATE of many rows may visit them in another order. The model has triggers too,
 * so that what is compared is ours. */
#define IDLE                                                                                       \
    "CREATE TRIGGER idle_delete AFTER DELETE ON note BEGIN SELECT 1; END;"                         \
    "CREATE TRIGGER idle_update AFTER UPDATE ON note BEGIN SELECT 1; END;"                         \
    "CREATE TRIGGER idle_insert AFTER INSERT ON note BEGIN SELECT 1; END"

/* A file with the table in sync with its mirror, and the model: the table alone. */
static void make(const struct shape_case *shape, char *migrated, char *model)
{
    char folder[512];
    sqlite3 *app;

    snprintf(migrated, 512, "%s", scratch("mirrored.db"));
    snprintf(model, 512, "%s", scratch("model.db"));
    snprintf(folder, sizeof folder, "%s", scratch("mirror"));
    play_remove(migrated);
    play_remove(model);
    app = app_open(model);
    app_run(app, "PRAGMA synchronous = OFF");
    app_run(app, shape->create);
    app_run(app, shape->seed);
    app_close(app);
    play_copy(model, migrated);
    play_write(scratch("mirror/0001_rename/migration.json"), MIGRATION);
    PLAY(play_apply(migrated, folder, "in-sync", &play_err));
    app = app_open(model);
    app_run(app, IDLE);
    app_close(app);
}

static sqlite3 *in_memory(const char *path, int recursive, int keys)
{
    sqlite3 *file = app_open(path), *memory = app_open(":memory:");
    sqlite3_backup *backup = sqlite3_backup_init(memory, "main", file, "main");
    char sql[100];

    assert_non_null(backup);
    assert_int_equal(sqlite3_backup_step(backup, -1), SQLITE_DONE);
    (void)sqlite3_backup_finish(backup);
    app_close(file);
    snprintf(sql, sizeof sql, "PRAGMA recursive_triggers = %d; PRAGMA foreign_keys = %d", recursive,
             keys);
    app_run(memory, sql);
    return memory;
}

/* Every value with its type, and the key behind them. */
static char *rows_of(const struct shape_case *shape, sqlite3 *app, const char *table)
{
    char sql[SQL_MAX] = "SELECT ";

    for (size_t i = 0; i < column_count(shape); i++) {
        add(sql, "quote(%s) || ' ' || typeof(%s), ", shape->columns[i], shape->columns[i]);
    }
    add(sql, "%s FROM %s ORDER BY %s", shape->key, table, shape->key);
    return app_rows(app, sql);
}

static void same_rows(const struct shape_case *shape, sqlite3 *got, sqlite3 *wanted,
                      const char *what)
{
    char *model = rows_of(shape, wanted, "note");

    for (int i = 0; i < 2; i++) {
        char *rows = rows_of(shape, got, i == 0 ? "note" : "remark");
        if (strcmp(rows, model) != 0) {
            fail_msg("%s: %s\nin %s:\n%swanted:\n%s", shape->name, what, i == 0 ? "note" : "remark",
                     rows, model);
        }
        free(rows);
    }
    free(model);
}

/* One statement on one of the two tables and on the model. */
static void compare(const struct shape_case *shape, sqlite3 *got, sqlite3 *wanted,
                    const char *statement, bool new_words)
{
    char sql[SQL_MAX], model[SQL_MAX];
    int code_got, code_wanted;

    spell(statement, new_words ? "remark" : "note", sql);
    spell(statement, "note", model);
    code_got = app_try(got, sql);
    code_wanted = app_try(wanted, model);
    if (code_got != code_wanted) {
        fail_msg("%s: %s: %s, and on its own table: %s", shape->name, sql, sqlite3_errmsg(got),
                 sqlite3_errmsg(wanted));
    }
    if (sqlite3_changes(got) != sqlite3_changes(wanted) ||
        sqlite3_last_insert_rowid(got) != sqlite3_last_insert_rowid(wanted)) {
        fail_msg("%s: %s: changes() %d and %d, last_insert_rowid() %lld and %lld", shape->name, sql,
                 sqlite3_changes(got), sqlite3_changes(wanted),
                 (long long)sqlite3_last_insert_rowid(got),
                 (long long)sqlite3_last_insert_rowid(wanted));
    }
    same_rows(shape, got, wanted, sql);
}
/* ---- the tests ---- */

static void every_write_of_either_side(void **state)
{
    char migrated[512], model[512], sql[SQL_MAX];
    unsigned each = getenv("CHECK_FULL") != NULL ? 600 : 25;

    (void)state;
    for (size_t s = 0; s < COUNT(shapes); s++) {
        make(&shapes[s], migrated, model);
        for (unsigned i = 0; i < each * 8; i++) {
            sqlite3 *got, *wanted;
            int recursive = (i >> 1) & 1, keys = (i >> 2) & 1;
            random_state = 77 + (i >> 3); /* the same statement in all eight settings */
            random_statement(&shapes[s], sql);
            got = in_memory(migrated, recursive, keys);
            wanted = in_memory(model, recursive, keys);
            compare(&shapes[s], got, wanted, sql, i & 1);
            app_close(got);
            app_close(wanted);
        }
    }
}

/* An AUTOINCREMENT number that an ignored row has used up is skipped in its own table alone. */
static void same_sequence(const struct shape_case *shape, sqlite3 *got, sqlite3 *wanted)
{
    char sql[100];

    if (strcmp(shape->name, "autoincrement") == 0) {
        snprintf(sql, sizeof sql, "UPDATE sqlite_sequence SET seq = %lld",
                 app_number(wanted, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence"));
        app_run(got, sql);
    }
}

static void any_sequence_of_both_sides(void **state)
{
    char migrated[512], model[512], sql[SQL_MAX];
    unsigned sequences = getenv("CHECK_FULL") != NULL ? 400 : 12, statements = 0;

    (void)state;
    for (size_t s = 0; s < COUNT(shapes); s++) {
        make(&shapes[s], migrated, model);
        for (unsigned q = 0; q < sequences; q++) {
            int recursive = q & 1, keys = (q >> 1) & 1;
            sqlite3 *got = in_memory(migrated, recursive, keys);
            sqlite3 *wanted = in_memory(model, recursive, keys);
            random_state = 1000 * s + q;
            for (int i = 0; i < 30; i++, statements++) {
                bool new_words = dice(2);
                random_statement(&shapes[s], sql);
                same_sequence(&shapes[s], got, wanted);
                compare(&shapes[s], got, wanted, sql, new_words);
            }
            app_close(got);
            app_close(wanted);
        }
    }
    print_message("proof: %u random statements on a renamed table\n", statements);
}

/* A transaction that is undone, and one of many statements. */
static void transactions_are_undone_in_both(void **state)
{
    char migrated[512], model[512];
    sqlite3 *got, *wanted;

    (void)state;
    make(&shapes[0], migrated, model);
    got = in_memory(migrated, 0, 0);
    wanted = in_memory(model, 0, 0);
    app_run(got, "BEGIN; UPDATE note SET b = 'x'||a; DELETE FROM remark; SAVEPOINT s; INSERT INTO "
                 "remark(b) VALUES('q'); ROLLBACK TO s; COMMIT");
    app_run(wanted, "DELETE FROM note");
    same_rows(&shapes[0], got, wanted, "a savepoint");
    app_run(got, "BEGIN; INSERT INTO note(b) VALUES('gone'); ROLLBACK");
    same_rows(&shapes[0], got, wanted, "a rollback");
    app_close(got);
    app_close(wanted);
}

static bool counts_as_old(sqlite3 *app, const char *sql)
{
    app_run(app, "UPDATE lockstep_activity SET written_at = 1000");
    app_run(app, sql);
    return app_number(app, "SELECT written_at > 1000 FROM lockstep_activity") != 0;
}

static void only_old_code_counts_as_old(void **state)
{
    static const struct {
        const char *sql;
        bool old;
    } cases[] = {
        {"INSERT INTO note(b) VALUES('o')", true},
        {"UPDATE note SET c = 9 WHERE a = 1", true},
        {"UPDATE note SET c = c", true}, /* it writes what is there already */
        {"UPDATE note SET a = 50 WHERE a = 2", true},
        {"DELETE FROM note WHERE a = 1", true},
        {"REPLACE INTO note(a, b) VALUES(1, 'k2')", true},
        {"INSERT INTO remark(b) VALUES('n')", false},
        {"UPDATE remark SET c = 9 WHERE a = 1", false},
        {"UPDATE remark SET a = 60 WHERE a = 2", false},
        {"UPDATE remark SET c = c", false},
        {"DELETE FROM remark WHERE a = 1", false},
        {"REPLACE INTO remark(a, b) VALUES(1, 'k2')", false},
        {"INSERT INTO remark(a, b) VALUES(1, 'u') ON CONFLICT(a) DO UPDATE SET b = 'up'", false},
    };
    char migrated[512], model[512];

    (void)state;
    make(&shapes[0], migrated, model);
    for (size_t i = 0; i < COUNT(cases) * 2; i++) {
        sqlite3 *app = in_memory(migrated, i & 1, 0);
        if (counts_as_old(app, cases[i / 2].sql) != cases[i / 2].old) {
            fail_msg("%s", cases[i / 2].sql);
        }
        app_close(app);
    }
}

/* The triggers run in the application's SQLite, and D1's splitter must bear them. */
static void triggers_have_a_shape_that_everyone_bears(void **state)
{
    static const char *const banned[] = {" CASE ", "iif(", "->", " OR REPLACE ", " OR IGNORE ",
                                         "\r",     "--",   "/*", " begin"};
    char migrated[512], model[512], *sql;
    sqlite3 *app;

    (void)state;
    make(&shapes[2], migrated, model);
    app = app_open(migrated);
    sql = app_rows(app, "SELECT sql FROM sqlite_master WHERE type = 'trigger'");
    for (size_t i = 0; i < COUNT(banned); i++) {
        if (strstr(sql, banned[i]) != NULL) {
            fail_msg("%s in: %s", banned[i], sql);
        }
    }
    assert_int_equal(app_number(app, "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' "
                                     "AND instr(sql, char(10)) = 0"),
                     6);
    free(sql);
    app_close(app);
}

/* What got into a mirror behind the triggers' back is found, named and repaired from the truth. */
static void a_mirror_that_differs_is_found_and_repaired(void **state)
{
    static const char *const damage[] = {
        "INSERT INTO remark(a, b) VALUES(77, 'extra')",
        "DELETE FROM remark WHERE a = 2",
        "UPDATE remark SET c = 'other' WHERE a = 1",
        "UPDATE remark SET a = 99 WHERE a = 1",
        "UPDATE remark SET b = 'k2' WHERE a = 4 AND 0; DELETE FROM remark; INSERT INTO remark(a, "
        "b) "
        "VALUES(50, 'k1')",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(damage); i++) {
        char migrated[512], model[512], folder[512], *triggers;
        struct err err = {0};
        sqlite3 *app, *wanted;
        make(&shapes[0], migrated, model);
        snprintf(folder, sizeof folder, "%s", scratch("mirror"));
        app = app_open(migrated);
        triggers = app_rows(app, "SELECT sql || ';' FROM sqlite_master WHERE type = 'trigger'");
        app_run(app, "DROP TRIGGER lockstep_1_reverse_insert; DROP TRIGGER "
                     "lockstep_1_reverse_update; DROP TRIGGER lockstep_1_reverse_delete");
        app_run(app, damage[i]);
        app_run(app, "DROP TRIGGER lockstep_1_forward_insert; DROP TRIGGER "
                     "lockstep_1_forward_update; DROP TRIGGER lockstep_1_forward_delete");
        app_run(app, triggers);
        free(triggers);
        app_close(app);
        assert_int_equal(play_verify(migrated, folder, &err), ERR_CONFLICT);
        assert_non_null(strstr(err.msg, "differ"));
        assert_string_equal(play_state(migrated, folder, "0001_rename"), "dual-writing");
        PLAY(play_apply(migrated, folder, "in-sync", &play_err));
        app = app_open(migrated);
        wanted = app_open(model);
        same_rows(&shapes[0], app, wanted, damage[i]);
        app_close(app);
        app_close(wanted);
    }
}

/* No statement of backfill and verification may read a whole table for each range. */
static void ranges_reach_into_both_tables(void **state)
{
    (void)state;
    for (size_t s = 0; s < COUNT(shapes); s++) {
        char migrated[512], model[512], sql[4000], *plan;
        bool without = strstr(shapes[s].create, "WITHOUT") != NULL;
        sqlite3 *app;
        make(&shapes[s], migrated, model);
        app = app_open(migrated);
        snprintf(sql, sizeof sql,
                 "EXPLAIN QUERY PLAN SELECT count(*), sum(bad) FROM (SELECT %s, NOT EXISTS (SELECT "
                 "1 FROM remark AS m WHERE m.a = f.a) AS bad FROM note AS f UNION ALL SELECT %s, 1 "
                 "FROM remark AS f WHERE NOT EXISTS (SELECT 1 FROM note AS m WHERE m.a = f.a)) "
                 "WHERE 1 AND %s > %s AND %s <= %s",
                 without ? "a, b" : "rowid AS rowid", without ? "a, b" : "rowid AS rowid",
                 without ? "(a, b)" : "rowid", without ? "('a', 1)" : "1",
                 without ? "(a, b)" : "rowid", without ? "('x', 9)" : "9");
        plan = app_rows(app, sql);
        if (strstr(plan, "SCAN f") != NULL || strstr(plan, "SEARCH f") == NULL) {
            fail_msg("%s:\n%s", shapes[s].name, plan);
        }
        free(plan);
        app_close(app);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_write_of_either_side),
        cmocka_unit_test(any_sequence_of_both_sides),
        cmocka_unit_test(transactions_are_undone_in_both),
        cmocka_unit_test(only_old_code_counts_as_old),
        cmocka_unit_test(triggers_have_a_shape_that_everyone_bears),
        cmocka_unit_test(a_mirror_that_differs_is_found_and_repaired),
        cmocka_unit_test(ranges_reach_into_both_tables),
    };

    return cmocka_run_group_tests_name("mirror", tests, NULL, NULL);
}
