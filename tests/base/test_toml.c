/* toml, jsonc: documents as JSON, and what is refused on which line. */
#include "tests/base/unit.h"

#include "base/jsonc.h"
#include "base/toml.h"

typedef enum err_code parse_fn(const char *text, size_t len, struct json **out, struct err *err);

struct row {
    const char *text, *json; /* json: what it is, or what the message says */
};

static void check(parse_fn *parse, const struct row *rows, size_t count, bool good)
{
    for (size_t i = 0; i < count; i++) {
        struct json *json = NULL;
        struct err err = {0};
        enum err_code rc = parse(rows[i].text, strlen(rows[i].text), &json, &err);
        char *printed = json_print(json);
        if (good ? rc != ERR_OK || strcmp(printed, rows[i].json) != 0
                 : rc != ERR_INVALID || strstr(err.msg, rows[i].json) == NULL || json != NULL) {
            fail_msg("%s\n  wanted: %s\n  got:    %s %s", rows[i].text, rows[i].json,
                     printed != NULL ? printed : "", err.msg);
        }
        free(printed);
        json_free(json);
    }
}

static void toml_as_json(void **state)
{
    static const struct row rows[] = {
        {"", "{}"},
        {"# only\n\n  # comments", "{}"},
        {"name = \"shop\" # why\r\nmain='src\\x'\n", "{\"name\":\"shop\",\"main\":\"src\\\\x\"}"},
        {"a.b.\"c d\" = 1\na.e = true", "{\"a\":{\"b\":{\"c d\":1},\"e\":true}}"},
        {"[env.staging]\nx = false\n[[env.staging.d1]]\nn = 1\n[[env.staging.d1]]\nn = 2\nm = 3",
         "{\"env\":{\"staging\":{\"x\":false,\"d1\":[{\"n\":1},{\"n\":2,\"m\":3}]}}}"},
        {"[[d]]\n[d.e]\nf=1\n[[d]]\n[d.e]\nf=2", "{\"d\":[{\"e\":{\"f\":1}},{\"e\":{\"f\":2}}]}"},
        {"a = [1, 2, # two\n 3,\n]\nb=[]\nc=[[\"x\"],[{y=1, z='2'}]]",
         "{\"a\":[1,2,3],\"b\":[],\"c\":[[\"x\"],[{\"y\":1,\"z\":\"2\"}]]}"},
        {"a=1_000\nb=0xff\nc=0o17\nd=0b101\ne=-1.5e3\nf=+7",
         "{\"a\":1000,\"b\":255,\"c\":15,\"d\":5,\"e\":-1500,\"f\":7}"},
        {"d = 2026-04-26\nt = 2026-04-26T10:00:00Z\nu = 10:00:00",
         "{\"d\":\"2026-04-26\",\"t\":\"2026-04-26T10:00:00Z\",\"u\":\"10:00:00\"}"},
        {"s = \"a\\tb\\u00e9\\U0001F600\\\\\\\"\"",
         "{\"s\":\"a\\tb\xc3\xa9\xf0\x9f\x98\x80\\\\\\\"\"}"},
        {"s = \"\"\"\none\\\n   two\nthree\"\"\"\"\nt='''a'b''c'''",
         "{\"s\":\"onetwo\\nthree\\\"\",\"t\":\"a'b''c\"}"},
    };

    (void)state;
    check(toml_parse, rows, COUNT(rows), true);
}

static void bad_toml_is_refused_with_its_line(void **state)
{
    static const struct row rows[] = {
        {"a = 1\nb", "line 2: '=' was expected"},
        {"a = 1\na = 2", "line 2: this key was given before"},
        {"a = 1\n[a]\nb = 2", "no table"},
        {"a = 1\n[[a]]", "no list of tables"},
        {"a = {b = 1, b = 2}", "given before"},
        {"a = \"x", "the string does not end"},
        {"a = \"x\ny\"", "the string does not end"},
        {"a = \"\"\"x", "the string does not end"},
        {"a = \"\\q\"", "an escape"},
        {"a = \"\\u0000\"", "no character"},
        {"a = \"\\ud800\"", "no character"},
        {"a = \"\\u12", "does not end"},
        {"a = [1 2]", "',' or ']'"},
        {"a = [1", "',' or ']'"},
        {"a = {b = 1", "',' or '}'"},
        {"a = 1 b = 2", "the end of the line"},
        {"a = maybe", "a value was expected"},
        {"a = 1e999", "a value was expected"},
        {"a = ", "a value was expected"},
        {"= 1", "a key was expected"},
        {"[a", "']' was expected"},
        {"[[a]", "']' was expected"},
        {"a = \"\xff\"", "no UTF-8"},
        {"a = \"\x01\"", "control character"},
        {"a=[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
         "deeply"},
    };

    (void)state;
    check(toml_parse, rows, COUNT(rows), false);
}

static void jsonc_as_json(void **state)
{
    static const struct row rows[] = {
        {"{// a \"comment\"\n\"a\": 1, /* \" */ \"b\": [1, 2,],\n}", "{\"a\":1,\"b\":[1,2]}"},
        {"{\"a\": \"//no, \\\"/*none*/,]\",}", "{\"a\":\"//no, \\\"/*none*/,]\"}"},
        {"[1, // one\n /* two */ ]", "[1]"},
        {"{} // end", "{}"},
    };
    static const struct row bad[] = {
        {"{\"a\": 1,,}", "column"}, {"[,]", "column"},  {"{\"a\" /* x", "column"},
        {"// only", "column"},      {"{\"a", "column"},
    };

    (void)state;
    check(jsonc_parse, rows, COUNT(rows), true);
    check(jsonc_parse, bad, COUNT(bad), false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(toml_as_json),
        cmocka_unit_test(bad_toml_is_refused_with_its_line),
        cmocka_unit_test(jsonc_as_json),
    };

    return cmocka_run_group_tests_name("toml", tests, NULL, NULL);
}
