/* sql_scan and database_split(): scripts as statements, and texts compared token by token. */
#include "tests/database/unit.h"

#include "database/database.h"
#include "database/sql_scan.h"

static void splits(const char *text, size_t wanted, const char *const *pieces)
{
    struct str *out = NULL;
    size_t count = 0;
    struct err err = {0};

    assert_int_equal(database_split(str_of(text), &out, &count, &err), ERR_OK);
    if (count != wanted) {
        fail_msg("%zu pieces, not %zu, of: %s", count, wanted, text);
    }
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(out[i].len, strlen(pieces[i]));
        assert_memory_equal(out[i].at, pieces[i], out[i].len);
    }
    free(out);
}

static void statements_are_found(void **state)
{
    (void)state;
    splits("", 0, NULL);
    splits(" \n;;; -- nothing\n/* ; */ ;", 0, NULL);
    splits("SELECT 1", 1, (const char *[]){"SELECT 1"});
    splits("SELECT 1;SELECT 2 ; ", 2, (const char *[]){"SELECT 1", "SELECT 2"});
    splits("-- a ; b\r\nSELECT ';' ;\r\nSELECT \";\"", 2,
           (const char *[]){"SELECT ';'", "SELECT \";\""});
    splits("SELECT 'it''s; fine', [a;b], `c;d`, x'3b'; SELECT 2", 2,
           (const char *[]){"SELECT 'it''s; fine', [a;b], `c;d`, x'3b'", "SELECT 2"});
    splits("SELECT 1 /* don't ; stop */ + 1;", 1,
           (const char *[]){"SELECT 1 /* don't ; stop */ + 1"});
}

static void a_trigger_is_one_statement(void **state)
{
    (void)state;
    splits("CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END; SELECT 3", 2,
           (const char *[]){"CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1; SELECT 2; END",
                            "SELECT 3"});
    splits("create temp trigger t after insert on a begin\n update a set b = case when 1 then 2 "
           "end;\n end;\nSELECT 3;",
           2,
           (const char *[]){"create temp trigger t after insert on a begin\n update a set b = case "
                            "when 1 then 2 end;\n end",
                            "SELECT 3"});
    /* a table called trigger, and a column called begin, are none */
    splits("CREATE TABLE \"trigger\"(begin); SELECT 1", 2,
           (const char *[]){"CREATE TABLE \"trigger\"(begin)", "SELECT 1"});
    splits("CREATE TABLE a(b TEXT DEFAULT 'trigger'); SELECT 1", 2,
           (const char *[]){"CREATE TABLE a(b TEXT DEFAULT 'trigger')", "SELECT 1"});
    /* a bare name may be that word as well; EXPLAIN changes nothing */
    splits("CREATE TABLE trigger(a); SELECT 1", 2,
           (const char *[]){"CREATE TABLE trigger(a)", "SELECT 1"});
    splits("EXPLAIN QUERY PLAN CREATE TEMPORARY TRIGGER t BEFORE DELETE ON a BEGIN SELECT 1; END; "
           "SELECT 2",
           2,
           (const char *[]){"EXPLAIN QUERY PLAN CREATE TEMPORARY TRIGGER t BEFORE DELETE ON a "
                            "BEGIN SELECT 1; END",
                            "SELECT 2"});
    splits("EXPLAIN DELETE FROM trigger; SELECT 2", 2,
           (const char *[]){"EXPLAIN DELETE FROM trigger", "SELECT 2"});
}

static void what_is_never_closed_is_named(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"SELECT 1;\nSELECT 'abc", "line 2: this string is never closed"},
        {"SELECT \"abc", "line 1: this quoted name is never closed"},
        {"\n\n/* SELECT 1;", "line 3: this comment is never closed"},
        {"SELECT [a", "line 1: this quoted name is never closed"},
        {"SELECT 'it''", "line 1: this string is never closed"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str *out = NULL;
        size_t count = 0;
        struct err err = {0};
        assert_int_equal(database_split(str_of(cases[i].text), &out, &count, &err), ERR_INVALID);
        assert_string_equal(err.msg, cases[i].message);
        assert_null(out);
    }
}

static void nul_ends_nothing(void **state)
{
    struct str *out = NULL;
    size_t count = 0;
    struct err err = {0};

    (void)state;
    assert_int_equal(database_split(STR("SELECT '\0;'; SELECT 2"), &out, &count, &err), ERR_OK);
    assert_int_equal(count, 2);
    assert_int_equal(out[0].len, 11);
    free(out);
}

static void texts_are_compared_by_token(void **state)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"CREATE TABLE a (b)", "create table \"a\"( b )", true},
        {"a/* x */b", "a b", true},
        {"[a b]", "\"a b\"", true},
        {"'a'", "'A'", false},
        {"a", "'a'", false},
        {"a,b", "a", false},
        {"\"A\"", "a", true},
        {"1e-5", "1e-5", true},
        {"1-5", "1 - 5", true},
        {"0x1e-5", "0x1e - 5", true},
        {"x'00'", "x'01'", false},
        {"'open", "'open", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (sql_same_tokens(str_of(cases[i].a), str_of(cases[i].b)) != cases[i].same) {
            fail_msg("%s and %s", cases[i].a, cases[i].b);
        }
    }
}

static void names_are_known_under_any_quotes(void **state)
{
    static const struct {
        const char *text, *name;
        bool names;
    } cases[] = {
        {"Email", "email", true}, {"\"E\"\"m\"", "e\"m", true}, {"[a b]", "A B", true},
        {"`x`", "x", true},       {"'x'", "x", false},          {"\"ab\"", "a", false},
        {"\"a\"", "ab", false},   {"[a]]", "a]", false},        {"12", "12", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct sql_scan scan = sql_scan_start(str_of(cases[i].text));
        struct sql_token token;
        assert_true(sql_scan_next(&scan, &token));
        if (sql_token_names(&token, cases[i].name) != cases[i].names) {
            fail_msg("%s and %s", cases[i].text, cases[i].name);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_are_found),
        cmocka_unit_test(a_trigger_is_one_statement),
        cmocka_unit_test(what_is_never_closed_is_named),
        cmocka_unit_test(nul_ends_nothing),
        cmocka_unit_test(texts_are_compared_by_token),
        cmocka_unit_test(names_are_known_under_any_quotes),
    };

    return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}
