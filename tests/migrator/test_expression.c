/*
 * What a migration's expressions may say: whatever rows hold, no statement of the application fails
 * because of a trigger that evaluates one, and both shapes stay equal.
 */
#include "tests/migrator/unit.h"

#include "base/buf.h"
#include "migrator/sql/expression.h"
#include "migrator/sql/sql_function.h"
#include "tests/migrator/play.h"

static const char *const names[] = {"a", "b"};

/* Values that make functions fail where they can. */
static const char *const nasty[] = {
    "NULL",
    "0",
    "-9223372036854775808",
    "9223372036854775807",
    "9e999",
    "-0.0",
    "''",
    "'x'",
    "'{'",
    "'{\"k\": [1, 2]}'",
    "'[{\"k\": null}]'",
    "x'ff00'",
    "x''",
    "'now'",
    "'NOW'",
    "'subsec'",
    "'2024-02-30'",
    "'12:60'",
    "'%s%d%'",
    "'\xc3\x28'",
    "'-9223372036854775808'",
    "'a@b@c'",
    "1e308",
    "2460000.5",
    "CAST(x'7b22ff' AS TEXT)",
    "'[1,2'",
    "'null'",
};

static const char *const sound[] = {
    "abs(a)",
    "abs(b - 1)",
    "json_extract(a, '$.k')",
    "json_extract(a, '$.k[0]', '$.k[#-1]')",
    "json(a)",
    "json_type(a)",
    "json_type(b, '$[0].k')",
    "json_array_length(a)",
    "json_set(a, '$.k', CAST(b AS TEXT))",
    "json_insert(a, '$.\"n m\"', 1)",
    "json_patch(a, b)",
    "json_remove(a, '$.k')",
    "json_array(CAST(a AS TEXT), 1, NULL)",
    "json_object('k', CAST(a AS INTEGER))",
    "json_quote(CAST(a AS TEXT))",
    "date(a)",
    "strftime('%Y-%m', a, '+1 day')",
    "julianday(b)",
    "datetime(a, 'unixepoch')",
    "hex(a)",
    "printf('%s-%05d-%.3f', a, b, a)",
    "replace(a, ' ', '&nbsp;')",
    "round(a, b)",
    "char(a, b)",
    "substr(a, b, a)",
    "a || b",
    "a + b * a - b / a % b",
    "a << b",
    "-a",
    "unicode(a)",
    "instr(a, b)",
    "trim(a, b)",
    "coalesce(nullif(a, b), typeof(b))",
    "max(a, b)",
    "quote(a)",
    "a GLOB '*@*'",
    "a IN (1, 2, b)",
    "a BETWEEN b AND 3",
    "CAST(a AS DECIMAL(10, 2))",
    "json_valid(a) AND json_type(a, '$.k') IS NOT NULL",
    "lower(a) || json_extract(json(b), '$')",
};

static void make_table(const char *db)
{
    sqlite3 *app;

    play_remove(db);
    app = app_open(db);
    app_run(app, "PRAGMA synchronous = OFF; CREATE TABLE t(id INTEGER PRIMARY KEY, a, b)");
    for (size_t i = 0; i < COUNT(nasty); i++) {
        char sql[300];
        snprintf(sql, sizeof sql, "INSERT INTO t(a, b) VALUES(%s, %s)", nasty[i],
                 nasty[(i * 7 + 3) % COUNT(nasty)]);
        app_run(app, sql);
    }
    app_close(app);
}

/* All of them at once, in as many columns as one migration may add. */
static void write_migration(const char *path, size_t from, size_t to)
{
    struct buf json = {0};

    buf_text(&json, "{\"table\": \"t\", \"add\": {");
    for (size_t i = from; i < to; i++) {
        buf_print(&json, "%s\"n%zu\": {}", i > from ? ", " : "", i);
    }
    buf_text(&json, "}, \"forward\": {");
    for (size_t i = from; i < to; i++) {
        buf_print(&json, "%s\"n%zu\": \"", i > from ? ", " : "", i);
        for (const char *p = sound[i]; *p != '\0'; p++) {
            buf_print(&json, "%s%c", *p == '"' ? "\\" : "", *p);
        }
        buf_char(&json, '"');
    }
    buf_text(&json, "}}");
    play_write(path, buf_cstr(&json));
    buf_fini(&json);
}

static void no_write_fails_whatever_it_writes(void **state)
{
    char db[512], folder[512];

    (void)state;
    snprintf(db, sizeof db, "%s", scratch("sound.db"));
    snprintf(folder, sizeof folder, "%s", scratch("sound"));
    for (size_t from = 0; from < COUNT(sound); from += 21) {
        size_t to = from + 21 < COUNT(sound) ? from + 21 : COUNT(sound);
        sqlite3 *app;
        make_table(db);
        write_migration(scratch("sound/0001_sound/migration.json"), from, to);
        PLAY(play_apply(db, folder, "in-sync", &play_err));
        app = app_open(db);
        app_run(app, "PRAGMA synchronous = OFF");
        for (size_t i = 0; i < COUNT(nasty) * 3; i++) {
            char sql[300];
            const char *a = nasty[i % COUNT(nasty)], *b = nasty[(i * 5 + 1) % COUNT(nasty)];
            snprintf(sql, sizeof sql, "UPDATE t SET a = %s, b = %s WHERE id %% 5 = %zu", a, b,
                     i % 5);
            app_run(app, sql);
            snprintf(sql, sizeof sql, "INSERT INTO t(a, b) VALUES(%s, %s)", b, a);
            app_run(app, sql);
        }
        app_close(app);
        PLAY(play_verify(db, folder, &play_err)); /* every row is as forward says */
    }
}

/* The guarded forms give what the plain ones give wherever those give something. */
static void guards_change_no_value(void **state)
{
    static const struct expression_names list = {names, NULL, NULL, 2};
    char db[512];
    sqlite3 *app;
    size_t compared = 0;

    (void)state;
    snprintf(db, sizeof db, "%s", scratch("guards.db"));
    make_table(db);
    app = app_open(db);
    for (size_t i = 0; i < COUNT(sound); i++) {
        struct buf written = {0};
        expression_write(sound[i], &list, "", &written);
        for (size_t id = 1; id <= COUNT(nasty); id++) {
            char sql[2000], *differ;
            snprintf(sql, sizeof sql, "SELECT %s FROM t WHERE id = %zu", sound[i], id);
            if (strstr(sound[i], "date(a") != NULL || strstr(sound[i], "day(b") != NULL ||
                strstr(sound[i], "strftime") != NULL) {
                snprintf(sql, sizeof sql,
                         "SELECT %s FROM t WHERE id = %zu AND lower(a) NOT IN ('now', 'subsec') "
                         "AND lower(b) NOT IN ('now', 'subsec')",
                         sound[i], id);
            }
            if (app_try(app, sql) != SQLITE_OK) {
                continue; /* it fails where the guarded one gives NULL */
            }
            snprintf(sql, sizeof sql,
                     "SELECT quote(%s), quote(%s) FROM t WHERE id = %zu AND (%s) IS NOT (%s) AND "
                     "coalesce(lower(a), '') NOT IN ('now', 'subsec') AND coalesce(lower(b), '') "
                     "NOT IN ('now', 'subsec') AND (%s) IS NOT 9223372036854775808.0",
                     sound[i], buf_cstr(&written), id, sound[i], buf_cstr(&written), sound[i]);
            differ = app_rows(app, sql);
            if (*differ != '\0') {
                fail_msg("%s and %s differ: %s", sound[i], buf_cstr(&written), differ);
            }
            free(differ);
            compared++;
        }
        buf_fini(&written);
    }
    app_close(app);
    assert_true(compared > 800);
}

static void what_can_fail_or_differ_is_refused(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"random()", "same value"},
        {"zeroblob(a)", "never fail"},
        {"load_extension(a)", "never fail"},
        {"sqlite_version()", "same value"},
        {"changes()", "same value"},
        {"last_insert_rowid()", "same value"},
        {"sum(a)", "never fail"},
        {"group_concat(a)", "never fail"},
        {"json_group_array(a)", "never fail"},
        {"max(a)", "aggregate"},
        {"iif(a, 1, 2)", "since 3.31"},
        {"lowr(a)", "did you mean lower?"},
        {"RAISE(ABORT, 'x')", "cannot be used"},
        {"\"lower\"(a)", "without quotes"},
        {"a LIKE 'x%'", "pragma"},
        {"a GLOB b", "literal"},
        {"a REGEXP 'x'", "not every connection"},
        {"a MATCH 'x'", "not every connection"},
        {"a -> '$.k'", "older SQLite"},
        {"a IS DISTINCT FROM b", "older SQLite"},
        {"max(a, b) OVER ()", "window"},
        {"rowid + 1", "no column"},
        {"strftime('%Y')", "means now"},
        {"strftime(a, b)", "format"},
        {"strftime('%Y', 'now')", "same value"},
        {"date()", "means now"},
        {"date(a, b)", "literals"},
        {"date(a, 'utc')", "wherever it runs"},
        {"datetime(a, 'LocalTime')", "same value"},
        {"CURRENT_DATE", "same value"},
        {"json_extract(a, b)", "literal"},
        {"json_extract(a, '$.k[')", "literal"},
        {"json_extract(a, 'k')", "literal"},
        {"json_extract(a, '$..k')", "literal"},
        {"json_object(a, 1)", "label"},
        {"json_array(a)", "BLOB"},
        {"json_set(a, '$.k', b)", "BLOB"},
        {"json_quote(a)", "BLOB"},
        {"printf(a)", "literal"},
        {"printf('%*d', a, b)", "'*'"},
        {"printf('%1000d', a)", "999"},
        {"replace(a, b, 'x')", "literals"},
        {"replace(a, 'x', '0123456789012345678901234567890123456789012345678')", "16 times"},
        {"abs()", "wrong number"},
        {"substr(a)", "argument"},
    };
    static const struct expression_names list = {names, NULL, NULL, 2};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err = {0};
        if (expression_check(cases[i].text, &list, &err) != ERR_INVALID ||
            strstr(err.msg, cases[i].words) == NULL) {
            fail_msg("%s: %s", cases[i].text, err.msg);
        }
    }
    for (size_t i = 0; i < COUNT(sound); i++) {
        struct err err = {0};
        if (expression_check(sound[i], &list, &err) != ERR_OK) {
            fail_msg("%s: %s", sound[i], err.msg);
        }
    }
}

static void a_constraint_may_say_more(void **state)
{
    static const struct expression_names list = {names, NULL, NULL, 2};
    struct err err = {0};

    (void)state;
    assert_int_equal(expression_check_constraint("a LIKE '%@%'", &list, &err), ERR_OK);
    assert_int_equal(expression_check_constraint("a GLOB b", &list, &err), ERR_OK);
    assert_int_equal(expression_check_constraint("a > random()", &list, &err), ERR_INVALID);
}

static void a_long_expression_is_refused(void **state)
{
    static const struct expression_names list = {names, NULL, NULL, 2};
    struct buf text = {0};
    struct err err = {0};

    (void)state;
    buf_text(&text, "a");
    for (int i = 0; i < 499; i++) {
        buf_text(&text, "+a");
    }
    assert_int_equal(expression_check(buf_cstr(&text), &list, &err), ERR_OK);
    buf_text(&text, "+1");
    assert_int_equal(expression_check(buf_cstr(&text), &list, &err), ERR_LIMIT);
    buf_fini(&text);
}

static void classes_are_told_from_the_text(void **state)
{
    static const unsigned held[] = {SQL_TEXT, SQL_ANY};
    static const struct expression_names list = {names, NULL, held, 2};
    static const struct {
        const char *text;
        unsigned classes;
    } cases[] = {
        {"1", SQL_INTEGER},
        {"1.5", SQL_INTEGER | SQL_REAL},
        {"'x'", SQL_TEXT},
        {"x'00'", SQL_BLOB},
        {"NULL", 0},
        {"a", SQL_TEXT},
        {"((a))", SQL_TEXT},
        {"a COLLATE NOCASE", SQL_TEXT},
        {"b", SQL_ANY},
        {"a || b", SQL_TEXT},
        {"a + b", SQL_INTEGER | SQL_REAL},
        {"+b", SQL_ANY},
        {"a + b || a", SQL_ANY},
        {"a = b", SQL_INTEGER},
        {"a IS NOT NULL AND b", SQL_INTEGER},
        {"b & 1", SQL_INTEGER},
        {"CAST(b AS INTEGER)", SQL_INTEGER},
        {"CAST(b AS VARCHAR(20))", SQL_TEXT},
        {"CAST(b AS NUMERIC)", SQL_INTEGER | SQL_REAL},
        {"CAST(b AS BLOB)", SQL_BLOB},
        {"CAST(a AS TEXT) || 1", SQL_TEXT},
        {"length(b)", SQL_INTEGER},
        {"coalesce(a, 1)", SQL_TEXT | SQL_INTEGER},
        {"coalesce(b, 1)", SQL_ANY},
        {"substr(a, 1)", SQL_TEXT | SQL_BLOB},
        {"CASE WHEN a THEN 1 END", SQL_ANY},
        {"lower(a) + 1", SQL_INTEGER | SQL_REAL},
        {"(a) || (b)", SQL_TEXT},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        unsigned classes = expression_classes(cases[i].text, &list);
        if (classes != cases[i].classes) {
            fail_msg("%s: %u", cases[i].text, classes);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_write_fails_whatever_it_writes),
        cmocka_unit_test(guards_change_no_value),
        cmocka_unit_test(what_can_fail_or_differ_is_refused),
        cmocka_unit_test(a_constraint_may_say_more),
        cmocka_unit_test(a_long_expression_is_refused),
        cmocka_unit_test(classes_are_told_from_the_text),
    };

    return cmocka_run_group_tests_name("expression", tests, NULL, NULL);
}
