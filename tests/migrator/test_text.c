/* table_text and expression: CREATE TABLE and SQL expressions, edited token by token. */
#include "tests/migrator/unit.h"

#include "base/buf.h"
#include "migrator/folder/phased.h"
#include "migrator/sql/expression.h"
#include "migrator/sql/table_text.h"

static const char odd[] =
    "CREATE TABLE \"a (b\" (/* first, */ id INTEGER PRIMARY KEY, -- a, comment\n"
    " [check] TEXT CHECK ([check] <> 'a,b') NOT NULL, price DECIMAL(10, 2) DEFAULT (1 + (2)),\n"
    " \"x\"\"y\" TEXT CONSTRAINT nn NOT NULL ON CONFLICT REPLACE DEFAULT 'NOT NULL', `k` , "
    "'q''' INT, PRIMARY KEY (id, k), CHECK (price > 0))";

static void a_definition_is_found(void **state)
{
    static const struct {
        const char *column, *definition;
    } cases[] = {
        {"id", "id INTEGER PRIMARY KEY"},
        {"CHECK", "[check] TEXT CHECK ([check] <> 'a,b') NOT NULL"},
        {"price", "price DECIMAL(10, 2) DEFAULT (1 + (2))"},
        {"x\"y", "\"x\"\"y\" TEXT CONSTRAINT nn NOT NULL ON CONFLICT REPLACE DEFAULT 'NOT NULL'"},
        {"k", "`k`"},
        {"q'", "'q''' INT"},
        {"PRIMARY", NULL},
        {"nn", NULL},
        {"b", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str definition = {0};
        bool found = table_text_column(str_of(odd), cases[i].column, &definition);
        assert_int_equal(found, cases[i].definition != NULL);
        if (found) {
            assert_int_equal(definition.len, strlen(cases[i].definition));
            assert_memory_equal(definition.at, cases[i].definition, definition.len);
        }
    }
}

static void not_null_is_taken_off(void **state)
{
    static const struct {
        const char *definition, *loosened;
    } cases[] = {
        {"a TEXT NOT NULL", "a TEXT"},
        {"a TEXT not  null DEFAULT 1", "a TEXT DEFAULT 1"},
        {"a NOT /* x */ NULL UNIQUE", "a UNIQUE"},
        {"a TEXT CONSTRAINT nn NOT NULL ON CONFLICT FAIL DEFAULT 'x'", "a TEXT DEFAULT 'x'"},
        {"a CONSTRAINT ck CHECK (a NOT NULL) CONSTRAINT \"n n\" NOT NULL",
         "a CONSTRAINT ck CHECK (a NOT NULL)"},
        {"a CONSTRAINT u UNIQUE NOT NULL", "a CONSTRAINT u UNIQUE"},
        {"a TEXT CHECK (a IS NOT NULL)", NULL},
        {"a TEXT NULL", NULL},
        {"a TEXT DEFAULT 'NOT NULL'", NULL},
        {"\"NOT\" \"NULL\"", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out = {0};
        bool loosened = table_text_loosen(str_of(cases[i].definition), &out);
        assert_int_equal(loosened, cases[i].loosened != NULL);
        assert_string_equal(buf_cstr(&out), loosened ? cases[i].loosened : "");
        buf_fini(&out);
    }
}

static void a_column_is_removed_with_its_comma(void **state)
{
    static const struct {
        const char *sql, *column, *rest;
    } cases[] = {
        {"CREATE TABLE t(a, b TEXT, c)", "b", "CREATE TABLE t(a, c)"},
        {"CREATE TABLE t(a, b TEXT)", "b", "CREATE TABLE t(a)"},
        {"CREATE TABLE t(a INT,b)", "a", "CREATE TABLE t(b)"},
        {"CREATE TABLE t(a, b , CHECK (a))", "b", "CREATE TABLE t(a , CHECK (a))"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str definition = {0};
        struct buf out = {0};
        assert_true(table_text_column(str_of(cases[i].sql), cases[i].column, &definition));
        table_text_remove(str_of(cases[i].sql), definition, &out);
        assert_string_equal(buf_cstr(&out), cases[i].rest);
        buf_fini(&out);
    }
}

static void questions_about_a_table(void **state)
{
    (void)state;
    assert_true(table_text_without_rowid(STR("CREATE TABLE t(a PRIMARY KEY) without /**/ rowid")));
    assert_true(
        table_text_without_rowid(STR("CREATE TABLE t(a PRIMARY KEY) STRICT, WITHOUT ROWID")));
    assert_false(table_text_without_rowid(STR("CREATE TABLE t(\"WITHOUT\", rowid)")));
    assert_true(table_text_expression_names(str_of(odd), "price"));
    assert_true(table_text_expression_names(str_of(odd), "check"));
    assert_false(table_text_expression_names(str_of(odd), "k")); /* in a key, not an expression */
    assert_true(table_text_expression_names(STR("CREATE TABLE t(a, b AS (a || 'x'))"), "a"));
    assert_false(table_text_expression_names(
        STR("CREATE TABLE t(a CHECK (upper (a) > 'X'), upper TEXT)"), "upper")); /* a function */
    assert_true(table_text_expression_names(
        STR("CREATE TABLE t(a CHECK (upper(upper) > a), upper)"), "upper"));
    assert_int_equal(table_text_characters("gr\xc3\xbc\xc3\x9f", 6), 4);
}

/* ---- expressions ---- */

static const char *const names[] = {"Email", "a b", "date"};
static const char *const written[] = {"lockstep_1_Email", NULL, NULL};
static const struct expression_names list = {names, written, NULL, 3};

static void expressions_are_written_anew(void **state)
{
    static const struct {
        const char *text, *prefix, *out;
    } cases[] = {
        {"lower(Email)", "", "lower(\"lockstep_1_Email\")"},
        {"lower(email) || \"A b\"", "NEW.", "lower(NEW.\"lockstep_1_Email\") || NEW.\"a b\""},
        {"'Email' || 1", "OLD.", "'Email' || 1"},
        {"a -- comment\n +\r\n Email", "", "a + \"lockstep_1_Email\""},
        {"lower(date)", "", "lower(\"date\")"},
        {"abs(Email)+1", "NEW.", "abs(nullif(NEW.\"lockstep_1_Email\", -9223372036854775808))+1"},
        {"json_type( Email )", "",
         "json_type(((\"lockstep_1_Email\") || substr(nullif(json_valid(\"lockstep_1_Email\"), 0), "
         "2)))"},
        {"CAST(Email AS date)", "", "CAST(\"lockstep_1_Email\" AS date)"},
        {"Email COLLATE date", "", "\"lockstep_1_Email\" COLLATE date"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf out = {0};
        expression_write(cases[i].text, &list, cases[i].prefix, &out);
        assert_string_equal(buf_cstr(&out), cases[i].out);
        buf_fini(&out);
    }
    assert_true(expression_uses("1 + [a b]", "A B"));
    assert_false(expression_uses("'Email' || email(1)", "Email"));
}

static void expressions_that_are_refused(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"a; DROP TABLE t", "without ';'"},
        {"?1", "parameters"},
        {":x", "parameters"},
        {"(SELECT 1)", "this row alone"},
        {"t.a", "without the table's name"},
        {"random()", "the same value"},
        {"CURRENT_TIMESTAMP", "same value"},
        {"date('now')", "same value"},
        {"(1", "never closed"},
        {"1)", "without its '('"},
        {"'x", "never closed"},
        {"", "empty"},
        {"-- x", "empty"},
        {"\"no such\"", "no column"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err err = {0};
        assert_int_equal(expression_check(cases[i].text, &list, &err), ERR_INVALID);
        if (strstr(err.msg, cases[i].words) == NULL) {
            fail_msg("%s: %s", cases[i].text, err.msg);
        }
    }
}

/* ---- migration.json ---- */

static void documents_that_are_refused(void **state)
{
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"", "line 1"},
        {"[]", "must be an object"},
        {"{}", "\"table\" is missing"},
        {"{\"table\": 7}", "must be a string"},
        {"{\"table\": \"\"}", "empty"},
        {"{\"table\": \"t\"}", "changes nothing"},
        {"{\"tabel\": \"t\"}", "did you mean \"table\"?"},
        {"{\"table\": \"t\", \"add\": []}", "must be an object"},
        {"{\"table\": \"t\", \"add\": {\"a\": \"TEXT\"}}", "must be an object such as"},
        {"{\"table\": \"t\", \"add\": {\"a\": {\"typ\": \"TEXT\"}}}", "did you mean \"type\"?"},
        {"{\"table\": \"t\", \"add\": {\"a\": {\"not_null\": 1}}}", "true or false"},
        {"{\"table\": \"t\", \"add\": {\"a\": {\"not_null\": true}}}", "\"forward\" does not say"},
        {"{\"table\": \"t\", \"add\": {\"a\": {}}, \"forward\": {\"b\": \"1\"}}", "not in \"add\""},
        {"{\"table\": \"t\", \"add\": {\"\": {}}}", "without a name"},
        {"{\"table\": \"t\", \"add\": {\"a\": {}, \"A\": {}}}", "twice"},
        {"{\"table\": \"t\", \"drop\": \"a\"}", "array"},
        {"{\"table\": \"t\", \"drop\": [\"a\"]}", "\"reverse\" must say"},
        {"{\"table\": \"t\", \"drop\": [\"a\", \"A\"], \"lossy\": true}", "twice"},
        {"{\"table\": \"t\", \"drop\": [\"a\"], \"reverse\": {\"b\": \"1\"}}", "not in \"drop\""},
        {"{\"table\": \"t\", \"drop\": [\"a\"], \"lossy\": 1}", "true or false"},
        {"{\"table\": \"t\", \"add\": {\"b\": {}}, \"forward\": {\"b\": \"a\"}, \"drop\": [\"a\"], "
         "\"lossy\": true}",
         "nothing is derived"},
        {"{\"table\": \"t\", \"add\": {\"a\": {}}, \"old_writes_idle\": \"soon\"}", "a duration"},
        {"{\"table\": \"t\", \"add\": {\"a\": {}}, \"lease_s\": 0}", "1 to 86400"},
        {"{\"table\": \"t\", \"add\": {\"a\": {}}, \"flag\": {\"old\": \"x\"}}", "\"key\""},
        {"{\"table\": \"t\", \"add\": {\"a\": {}}, \"flag\": {\"key\": \"k\", \"old\": \"on\"}}",
         "the same variant"},
        {"{\"table\": \"t\", \"add\": {\"a\": {}}, \"gates\": {\"contrct\": \"true\"}}",
         "did you mean \"contract\"?"},
        {"{\"table\": \"t\", \"add\": {\"a\": {}}, \"gates\": {\"contract\": \"now\"}}",
         "gate \"contract\""},
        {"{\"table\": \"t\", \"add\": {\"a\": {}}, \"gates\": {\"contract\": \"flg.exists\"}}",
         "gate \"contract\""},
        {"{\"table\": \"t\", \"table\": \"u\", \"add\": {\"a\": {}}}", "table"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct arena arena = {0};
        struct phased *phased = NULL;
        struct err err = {0};
        if (phased_parse(str_of(cases[i].text), &arena, &phased, &err) != ERR_INVALID) {
            fail_msg("accepted: %s", cases[i].text);
        }
        if (strstr(err.msg, cases[i].words) == NULL) {
            fail_msg("%s: %s", cases[i].text, err.msg);
        }
        assert_null(phased);
        arena_fini(&arena);
    }
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {{"90s", 90000},
                 {"1h30m", 5400000},
                 {"250ms", 250},
                 {"0s", 0},
                 {"1.5h", 5400000},
                 {"2d", 172800000},
                 {"", -1},
                 {"1", -1},
                 {"h", -1},
                 {"1 h", -1},
                 {"-1s", -1},
                 {"1y", -1},
                 {"9999999999999999999d", -1},
                 {"11574d", 999993600000}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t ms = -1;
        assert_int_equal(phased_duration(cases[i].text, &ms), cases[i].ms >= 0);
        assert_int_equal(ms, cases[i].ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_definition_is_found),
        cmocka_unit_test(not_null_is_taken_off),
        cmocka_unit_test(a_column_is_removed_with_its_comma),
        cmocka_unit_test(questions_about_a_table),
        cmocka_unit_test(expressions_are_written_anew),
        cmocka_unit_test(expressions_that_are_refused),
        cmocka_unit_test(documents_that_are_refused),
        cmocka_unit_test(durations),
    };

    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
