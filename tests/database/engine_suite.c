#include "tests/database/engine_suite.h"

#include <math.h>

struct err suite_err;

enum err_code suite_run(struct database *db, const char *sql)
{
    struct database_statement statement = {sql, NULL, 0};

    return database_batch(db,
                          &(struct database_batch){.statements = &statement, .statement_count = 1},
                          NULL, &suite_err);
}

int64_t suite_number(struct database *db, const char *sql)
{
    struct database_rows *rows = NULL;
    int64_t out;

    if (database_query(db, sql, NULL, 0, &rows, &suite_err) != ERR_OK) {
        fail_msg("%s", suite_err.msg);
    }
    out = database_rows_int(rows, 0, 0, INT64_MIN);
    database_rows_free(rows);
    return out;
}

static void must(enum err_code rc)
{
    if (rc != ERR_OK) {
        fail_msg("%s", suite_err.msg);
    }
}

void values_come_back_as_they_were(void **state)
{
    static const char nul_inside[] = "a\0b", bad_utf8[] = "\xff\xfe(";
    struct database_value values[] = {
        database_null(),
        database_int(0),
        database_int(INT64_MIN),
        database_int(INT64_MAX),
        database_int((1LL << 53) + 1),
        database_int(-(1LL << 53) - 1),
        database_int(1LL << 53),
        database_int(INT64_MIN + 1),
        database_int(-1),
        database_real(1.5),
        database_real(9007199254740993.0),
        database_real(-HUGE_VAL),
        database_real(2.2250738585072014e-308),
        database_real(-1.7976931348623157e308),
        database_real(-0.1),
        database_real(1e308),
        database_real(0.1 + 0.2),
        database_real(5e-324),
        database_real(7.0),
        database_real(-0.0),
        database_real(HUGE_VAL),
        database_text(""),
        database_text("gr\xc3\xbc\xc3\x9f"),
        database_text("\xef\xbf\xbd is U+FFFD"),
        database_text("'quo\"ted\\ \n"),
        database_text("7"),
        database_text("9223372036854775807"),
        database_text("t3:abc"), /* what a driver may dress values up as */
        database_text("h00"),
        database_text("NULL"),
        database_text("\xf0\x9f\x9a\xb2 beyond the first plane"),
        database_text_n("\xed\xa0\x80", 3), /* half a surrogate pair */
        database_text_n("\0", 1),
        database_text_n("\xef\xbf\xbd\xff", 4),
        database_text_n(nul_inside, 3),
        database_text_n(bad_utf8, 3),
        {DATABASE_BLOB, {.bytes = {nul_inside, 3}}},
        {DATABASE_BLOB, {.bytes = {NULL, 0}}},
    };

    for (size_t i = 0; i < COUNT(values); i++) {
        struct database_rows *rows = NULL;
        const struct database_value *got;
        assert_int_equal(
            database_query(*state, "SELECT ?1 AS v, typeof(?1)", &values[i], 1, &rows, &suite_err),
            ERR_OK);
        assert_int_equal(database_rows_count(rows), 1);
        assert_int_equal(database_rows_columns(rows), 2);
        assert_string_equal(database_rows_name(rows, 0), "v");
        got = database_rows_at(rows, 0, 0);
        assert_int_equal(got->type, values[i].type);
        switch (got->type) {
        case DATABASE_NULL: assert_null(database_rows_text(rows, 0, 0)); break;
        case DATABASE_INT: assert_true(got->as.i == values[i].as.i); break;
        case DATABASE_REAL:
            assert_true(got->as.d == values[i].as.d);
            /* JSON.stringify(-0) is "0" */
            assert_true(database_remote(*state) ||
                        (signbit(got->as.d) != 0) == (signbit(values[i].as.d) != 0));
            break;
        default:
            assert_int_equal(got->as.bytes.len, values[i].as.bytes.len);
            assert_memory_equal(got->as.bytes.at, values[i].as.bytes.at, got->as.bytes.len);
            assert_int_equal(got->as.bytes.at[got->as.bytes.len], '\0');
        }
        assert_int_equal(database_rows_int(rows, 0, 1, -7), -7);
        database_rows_free(rows);
    }
}

/* Any double there is comes back bit by bit. */
void every_real_comes_back(void **state)
{
    uint64_t seed = 88172645463325252u;
    struct database_value values[50];

    for (int round = 0; round < 20; round++) {
        struct database_rows *rows = NULL;
        static const char sql[] =
            "SELECT ?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22,"
            "?23,?24,?25,?26,?27,?28,?29,?30,?31,?32,?33,?34,?35,?36,?37,?38,?39,?40,?41,?42,?43,"
            "?44,?45,?46,?47,?48,?49,?50";
        for (size_t i = 0; i < COUNT(values); i++) {
            double real;
            do { /* xorshift64 */
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                memcpy(&real, &seed, sizeof real);
            } while (!isfinite(real));
            values[i] = database_real(real);
        }
        must(database_query(*state, sql, values, COUNT(values), &rows, &suite_err));
        for (size_t i = 0; i < COUNT(values); i++) {
            const struct database_value *got = database_rows_at(rows, 0, i);
            assert_int_equal(got->type, DATABASE_REAL);
            assert_memory_equal(&got->as.d, &values[i].as.d, sizeof got->as.d);
        }
        database_rows_free(rows);
    }
}

/* No number is none, and is NULL; and what a guard is given is what it compares. */
void guards_and_statements_take_every_value(void **state)
{
    struct database_value values[] = {
        database_int(INT64_MIN),
        database_int((1LL << 53) + 1),
        database_real(0.1),
        database_text("1"),
        database_text_n("a\0b", 3),
        database_text_n("\xff", 1),
        {DATABASE_BLOB, {.bytes = {"\0\xff'", 3}}},
        database_real((double)NAN),
    };

    must(suite_run(*state, "CREATE TABLE t(a)"));
    for (size_t i = 0; i < COUNT(values); i++) {
        bool none = i + 1 == COUNT(values);
        struct database_guard after = {none ? "(SELECT a FROM t) IS NULL AND ?1 IS NULL"
                                            : "(SELECT a FROM t) = ?1 AND typeof(?1) = (SELECT "
                                              "typeof(a) FROM t)",
                                       &values[i], 1, ERR_STALE, "another value"};
        struct database_statement statements[] = {{"DELETE FROM t", NULL, 0},
                                                  {"INSERT INTO t VALUES(?1)", &values[i], 1}};
        struct database_batch batch = {
            .statements = statements, .statement_count = 2, .after = &after, .after_count = 1};
        must(database_batch(*state, &batch, NULL, &suite_err));
    }
}

void names_are_there_without_rows(void **state)
{
    struct database_rows *rows = NULL;

    assert_int_equal(
        database_query(*state, "SELECT 1 AS one, 2 AS two WHERE 0", NULL, 0, &rows, &suite_err),
        ERR_OK);
    assert_int_equal(database_rows_count(rows), 0);
    assert_string_equal(database_rows_name(rows, 1), "two");
    database_rows_free(rows);
}

void nothing_tears_a_batch_apart(void **state)
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
                           NULL, &suite_err),
            ERR_INVALID);
        assert_int_equal(
            suite_number(*state, "SELECT count(*) FROM sqlite_master WHERE name = 't'"), 0);
    }
}

void guards_decide(void **state)
{
    static const struct {
        const char *condition;
        bool holds;
    } cases[] = {{"1", true},         {"0", false},
                 {"NULL", false},     {"5", true},
                 {"'a' = 'a'", true}, {"(SELECT 1 WHERE 0)", false},
                 {"1 OR 0", true},    {"EXISTS (SELECT 1)", true}};

    assert_int_equal(suite_run(*state, "CREATE TABLE t(a)"), ERR_OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct database_guard guard = {cases[i].condition, NULL, 0, ERR_STALE, "as I said"};
        struct database_statement insert = {"INSERT INTO t VALUES(1)", NULL, 0};
        struct database_batch before = {
            .before = &guard, .before_count = 1, .statements = &insert, .statement_count = 1};
        struct database_batch after = {
            .after = &guard, .after_count = 1, .statements = &insert, .statement_count = 1};
        int64_t rows = suite_number(*state, "SELECT count(*) FROM t");
        enum err_code wanted = cases[i].holds ? ERR_OK : ERR_STALE;

        assert_int_equal(database_batch(*state, &before, NULL, &suite_err), wanted);
        assert_int_equal(database_batch(*state, &after, NULL, &suite_err), wanted);
        if (!cases[i].holds) {
            assert_string_equal(suite_err.msg, "as I said");
        }
        assert_int_equal(suite_number(*state, "SELECT count(*) FROM t"),
                         rows + (cases[i].holds ? 2 : 0));
        assert_int_equal(suite_number(*state, "SELECT count(*) FROM lockstep_guard"), 0);
    }
}

void a_guard_sees_parameters_and_what_was_done(void **state)
{
    struct database_value two = database_int(2);
    struct database_guard after = {"(SELECT count(*) FROM t) = ?1", &two, 1, ERR_OK, NULL};
    struct database_statement insert = {"INSERT INTO t VALUES(1)", NULL, 0};
    struct database_batch batch = {
        .after = &after, .after_count = 1, .statements = &insert, .statement_count = 1};

    assert_int_equal(suite_run(*state, "CREATE TABLE t(a)"), ERR_OK);
    assert_int_equal(database_batch(*state, &batch, NULL, &suite_err), ERR_CONFLICT); /* code 0 */
    assert_int_equal(suite_run(*state, "INSERT INTO t VALUES(1)"), ERR_OK);
    assert_int_equal(database_batch(*state, &batch, NULL, &suite_err), ERR_OK);
    after.condition = "no_such_column = ?1"; /* a wrong guard is an error, not a refusal */
    assert_int_equal(database_batch(*state, &batch, NULL, &suite_err), ERR_INVALID);
    assert_non_null(strstr(suite_err.msg, "no_such_column"));
}

void foreign_keys_hold(void **state)
{
    assert_int_equal(suite_run(*state, "CREATE TABLE p(id INTEGER PRIMARY KEY)"), ERR_OK);
    assert_int_equal(
        suite_run(*state, "CREATE TABLE c(p REFERENCES p DEFERRABLE INITIALLY DEFERRED)"), ERR_OK);
    assert_int_equal(suite_run(*state, "INSERT INTO c VALUES(7)"), ERR_CONFLICT); /* at COMMIT */
    assert_int_equal(suite_number(*state, "SELECT count(*) FROM c"), 0);
}

void stored_values_keep_every_bit(void **state)
{
    struct database_value params[] = {
        database_text_n("x\0y", 3),
        database_text_n("\xc3", 1),
        database_int(INT64_MIN),
        database_int((1LL << 53) + 1),
        {DATABASE_BLOB, {.bytes = {"\0\xff", 2}}},
        database_real(1e15),
    };
    struct database_statement statements[] = {
        {"CREATE TABLE t(a TEXT, b TEXT, c INTEGER, d, e, f)", NULL, 0},
        {"INSERT INTO t VALUES(?1, ?2, ?3, ?4, ?5, ?6)", params, 6}};
    struct database_rows *rows = NULL;

    must(database_batch(*state,
                        &(struct database_batch){.statements = statements, .statement_count = 2},
                        NULL, &suite_err));
    must(database_query(*state, "SELECT * FROM t", NULL, 0, &rows, &suite_err));
    for (size_t i = 0; i < COUNT(params); i++) {
        const struct database_value *got = database_rows_at(rows, 0, i);
        assert_int_equal(got->type, params[i].type);
        if (got->type == DATABASE_INT) {
            assert_true(got->as.i == params[i].as.i);
        } else if (got->type == DATABASE_REAL) {
            assert_true(got->as.d == params[i].as.d);
        } else {
            assert_int_equal(got->as.bytes.len, params[i].as.bytes.len);
            assert_memory_equal(got->as.bytes.at, params[i].as.bytes.at, got->as.bytes.len);
        }
    }
    database_rows_free(rows);
}

/* A parameter has no affinity: it must not make a number of the text that it is compared to. */
void text_is_compared_as_text(void **state)
{
    struct database_value one = database_int(1);
    struct database_rows *rows = NULL;

    must(suite_run(*state, "CREATE TABLE t(a TEXT)"));
    must(suite_run(*state, "INSERT INTO t VALUES('1'), ('01'), ('1.0')"));
    must(database_query(*state, "SELECT a FROM t WHERE a = ?1", &one, 1, &rows, &suite_err));
    assert_int_equal(database_rows_count(rows), 1);
    assert_string_equal(database_rows_text(rows, 0, 0), "1");
    database_rows_free(rows);
}

void many_rows_come_in_order(void **state)
{
    struct database_rows *rows = NULL;

    must(suite_run(*state, "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)"));
    must(suite_run(*state, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) "
                           "INSERT INTO t SELECT i, 'row ' || i FROM n"));
    for (int again = 0; again < 2; again++) {
        must(database_query(*state, "SELECT b, a FROM t ORDER BY a DESC", NULL, 0, &rows,
                            &suite_err));
        assert_int_equal(database_rows_count(rows), 3000);
        for (size_t i = 0; i < 3000; i++) {
            assert_int_equal(database_rows_int(rows, i, 1, 0), (int64_t)(3000 - i));
        }
        database_rows_free(rows);
    }
    must(suite_run(*state, "ALTER TABLE t ADD COLUMN c")); /* columns of a known query change */
    must(database_query(*state, "SELECT * FROM t WHERE a = 7", NULL, 0, &rows, &suite_err));
    assert_int_equal(database_rows_columns(rows), 3);
    database_rows_free(rows);
}

void a_query_only_reads_one_statement(void **state)
{
    static const char *const cases[] = {
        "CREATE TABLE x(a)",
        "DELETE FROM lockstep_guard",
        "SELECT 1; SELECT 2",
        "BEGIN",
        "ATTACH 'x' AS y",
        "",
        "-- nothing",
        "SELECT nonesuch",
        "SELEC 1",
        "SELECT ?1",
    };
    int64_t objects = suite_number(*state, "SELECT count(*) FROM sqlite_master");

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct database_rows *rows = NULL;
        enum err_code rc = database_query(*state, cases[i], NULL, 0, &rows, &suite_err);
        if (rc != ERR_INVALID || suite_err.msg[0] == '\0') {
            fail_msg("%s: %d %s", cases[i], rc, suite_err.msg);
        }
        assert_null(rows);
    }
    assert_int_equal(suite_number(*state, "SELECT count(*) FROM sqlite_master"), objects);
}

void a_batch_is_all_or_nothing(void **state)
{
    struct database_statement statements[] = {
        {"CREATE TABLE t(a INTEGER PRIMARY KEY)", NULL, 0},
        {"INSERT INTO t VALUES(1), (2)", NULL, 0},
        {"INSERT INTO t VALUES(1)", NULL, 0},
    };
    struct database_batch batch = {.statements = statements, .statement_count = 3};

    assert_int_equal(database_batch(*state, &batch, NULL, &suite_err), ERR_CONFLICT);
    assert_non_null(strstr(suite_err.msg, "UNIQUE constraint failed: t.a"));
    assert_int_equal(suite_number(*state, "SELECT count(*) FROM sqlite_master WHERE name = 't'"),
                     0);
    batch.statement_count = 2;
    must(database_batch(*state, &batch, NULL, &suite_err));
    assert_int_equal(suite_number(*state, "SELECT count(*) FROM t"), 2);
}

void changes_are_counted_without_triggers(void **state)
{
    struct database_statement statements[] = {
        {"INSERT INTO t VALUES(1), (2), (3)", NULL, 0},
        {"CREATE TABLE u(a)", NULL, 0},
        {"UPDATE t SET a = a + 10 WHERE a > 1", NULL, 0},
        {"DELETE FROM t WHERE a = 99", NULL, 0},
    };
    int64_t changes[4] = {-1, -1, -1, -1};
    struct database_batch_result result = {.statement_changes = changes};

    must(suite_run(*state, "CREATE TABLE t(a)"));
    must(suite_run(*state, "CREATE TABLE log(a)"));
    must(suite_run(*state, "CREATE TRIGGER noted AFTER INSERT ON t BEGIN INSERT INTO log "
                           "VALUES(NEW.a); INSERT INTO log VALUES(NEW.a); END"));
    must(database_batch(*state,
                        &(struct database_batch){.statements = statements, .statement_count = 4},
                        &result, &suite_err));
    assert_int_equal(changes[0], 3);
    assert_int_equal(changes[1], 0);
    assert_int_equal(changes[2], 2);
    assert_int_equal(changes[3], 0);
    assert_int_equal(result.changes, 5);
    assert_true(result.hold_us >= -1);
    assert_int_equal(suite_number(*state, "SELECT count(*) FROM log"), 6);
}

/* Every batch of ours names the epoch of the lock; who slept while another took it is refused. */
void an_epoch_shuts_out_who_slept(void **state)
{
    struct database_value mine = database_int(4);
    struct database_guard held = {"(SELECT epoch FROM l) = ?1", &mine, 1, ERR_STALE, "taken over"};
    struct database_statement write = {"INSERT INTO t VALUES(1)", NULL, 0};
    struct database_batch batch = {
        .before = &held, .before_count = 1, .statements = &write, .statement_count = 1};

    must(suite_run(*state, "CREATE TABLE l(epoch INTEGER)"));
    must(suite_run(*state, "CREATE TABLE t(a)"));
    must(suite_run(*state, "INSERT INTO l VALUES(4)"));
    must(database_batch(*state, &batch, NULL, &suite_err));
    must(suite_run(*state, "UPDATE l SET epoch = epoch + 1"));
    assert_int_equal(database_batch(*state, &batch, NULL, &suite_err), ERR_STALE);
    assert_string_equal(suite_err.msg, "taken over");
    assert_int_equal(suite_number(*state, "SELECT count(*) FROM t"), 1);
}

void triggers_are_stored_as_they_were_sent(void **state)
{
    static const char sql[] =
        "CREATE TRIGGER \"odd \"\" name\" AFTER UPDATE OF a ON t WHEN NEW.a IS NOT OLD.a BEGIN "
        "SELECT 1; SELECT 2; END";
    struct database_rows *rows = NULL;

    must(suite_run(*state, "CREATE TABLE t(a)"));
    must(suite_run(*state, sql));
    must(database_query(*state, "SELECT sql FROM sqlite_master WHERE type = 'trigger'", NULL, 0,
                        &rows, &suite_err));
    assert_string_equal(database_rows_text(rows, 0, 0), sql);
    database_rows_free(rows);
}
