/* json: what is refused and where, what survives a round, order and equality. */
#include "tests/base/unit.h"

#include <math.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"

static struct json *parsed(const char *text)
{
    struct err err = {0};
    struct json *json = NULL;

    if (json_parse(text, strlen(text), &json, &err) != ERR_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
    return json;
}

static void bad_texts_are_refused_with_their_place(void **state)
{
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", "it ends too early (line 1, column 1)"},
        {"  ", "it ends too early (line 1, column 3)"},
        {"{\"a\": 1,}", "expected a member name in double quotes (line 1, column 9)"},
        {"[1,]", "expected a value (line 1, column 4)"},
        {"[1 2]", "expected ',' or ']' (line 1, column 4)"},
        {"{\"a\" 1}", "expected ':' (line 1, column 6)"},
        {"{\"a\": 1 \"b\": 2}", "expected ',' or '}' (line 1, column 9)"},
        {"{\n  \"\xC3\xA9\": tru\n}",
         "unknown word; a string needs double quotes (line 2, column 8)"},
        {"{'a': 1}", "expected a member name in double quotes (line 1, column 2)"},
        {"\"abc", "a string that does not end (line 1, column 1)"},
        {"\"a\nb\"", "control character in a string (line 1, column 3)"},
        {"\"\\x\"", "unknown escape in a string (line 1, column 2)"},
        {"\"\\u12g4\"", "\\u needs four hexadecimal digits (line 1, column 2)"},
        {"\"a\\u0000b\"", "\\u0000 is not allowed in a string (line 1, column 3)"},
        {"\"\\ud800\"", "half of a surrogate pair (line 1, column 2)"},
        {"\"\\udc00\\ud800\"", "half of a surrogate pair (line 1, column 2)"},
        {"\"\\ud800\\u0041\"", "half of a surrogate pair (line 1, column 2)"},
        {"\"\xC0\xAF\"", "invalid UTF-8 (line 1, column 2)"},
        {"\"\xED\xA0\x80\"", "invalid UTF-8 (line 1, column 2)"},
        {"\"\xE2\x82\"", "invalid UTF-8 (line 1, column 2)"},
        {"01", "a number may not begin with 0 (line 1, column 2)"},
        {"-", "a number needs a digit here (line 1, column 2)"},
        {"+1", "expected a value (line 1, column 1)"},
        {".5", "expected a value (line 1, column 1)"},
        {"1.", "a number needs a digit after its point (line 1, column 3)"},
        {"1e", "a number needs a digit in its exponent (line 1, column 3)"},
        {"1e400", "a number past the range of a double (line 1, column 1)"},
        {"NaN", "expected a value (line 1, column 1)"},
        {"1 2", "something stands behind the document (line 1, column 3)"},
        {"{} x", "something stands behind the document (line 1, column 4)"},
        {"\xEF\xBB\xBF{}", "expected a value (line 1, column 1)"},
        {"// c\n{}", "expected a value (line 1, column 1)"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json *untouched = NULL;
        struct err err = {0};
        char expected[160];

        snprintf(expected, sizeof expected, "not valid JSON: %s", rows[i].message);
        assert_int_equal(json_parse(rows[i].text, strlen(rows[i].text), &untouched, &err),
                         ERR_INVALID);
        assert_string_equal(err.msg, expected);
        assert_null(untouched);
    }
}

static void every_cut_of_a_document_is_refused(void **state)
{
    static const char text[] =
        "{\"a\":[1,-2.5e3,\"x\\u00e9\\n\",{\"b\":null}],\"c\":true,\"d\":false}";

    (void)state;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char *cut = malloc(len > 0 ? len : 1); /* exact, so that a read past the end is found */
        struct json *json = NULL;

        memcpy(cut, text, len);
        assert_int_equal(json_parse(cut, len, &json, NULL), ERR_INVALID);
        free(cut);
    }
    json_free(parsed(text));
}

static void a_nul_ends_nothing(void **state)
{
    struct json *json = NULL;

    (void)state;
    assert_int_equal(json_parse("1\0", 2, &json, NULL), ERR_INVALID);
    assert_int_equal(json_parse("\"a\0b\"", 5, &json, NULL), ERR_INVALID);
    assert_int_equal(json_parse("1x", 1, &json, NULL), ERR_OK); /* len decides */
    json_free(json);
}

static struct buf nested(unsigned depth)
{
    struct buf buf = {0};

    for (unsigned i = 0; i < depth; i++) {
        buf_text(&buf, i % 2 == 0 ? "[" : "{\"a\":");
    }
    buf_text(&buf, "1");
    for (unsigned i = depth; i-- > 0;) {
        buf_char(&buf, i % 2 == 0 ? ']' : '}');
    }
    return buf;
}

static void depth_is_bounded(void **state)
{
    struct buf at_bound = nested(JSON_DEPTH_MAX), past = nested(JSON_DEPTH_MAX + 1);
    struct buf deep = nested(1000000);
    struct json *json = NULL;
    struct err err;

    (void)state;
    assert_int_equal(json_parse(at_bound.at, at_bound.len, &json, &err), ERR_OK);
    json_free(json);
    assert_int_equal(json_parse(past.at, past.len, &json, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "nested too deeply"));
    assert_int_equal(json_parse(deep.at, deep.len, &json, &err), ERR_INVALID);
    buf_fini(&at_bound);
    buf_fini(&past);
    buf_fini(&deep);
}

static void numbers_have_63_characters_at_most(void **state)
{
    char digits[65];
    struct json *json = NULL;

    (void)state;
    memset(digits, '1', sizeof digits);
    digits[1] = '.';
    assert_int_equal(json_parse(digits, 63, &json, NULL), ERR_OK);
    assert_true(fabs(json_number(json, 0) - 1.1111111111111111) < 1e-15);
    json_free(json);
    assert_int_equal(json_parse(digits, 64, &json, NULL), ERR_INVALID);
}

static void whole_numbers_within_2_to_the_53(void **state)
{
    static const struct {
        const char *text;
        bool whole;
        int64_t value;
    } rows[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"1e3", true, 1000},
        {"1.5", false, 0},
        {"9007199254740992", true, 9007199254740992},
        {"-9007199254740992", true, -9007199254740992},
        {"9007199254740994", false, 0},
        {"1e300", false, 0},
        {"\"1\"", false, 0},
        {"true", false, 0},
        {"null", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json *json = parsed(rows[i].text);
        int64_t value = 7;

        assert_int_equal(json_int(json, &value), rows[i].whole);
        assert_int_equal(value, rows[i].whole ? rows[i].value : 7);
        json_free(json);
    }
    assert_false(json_int(NULL, &(int64_t){0}));
}

static void printed_numbers_read_back_as_themselves(void **state)
{
    static const struct {
        double number;
        const char *text;
    } rows[] = {
        {0, "0"},
        {-0.0, "0"},
        {25, "25"},
        {-17, "-17"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"}, /* a tolerant printer says 0.3 */
        {33.333, "33.333"},
        {1e15, "1000000000000000"},
        {9007199254740992.0, "9007199254740992"},
        {1e21, "1e+21"},
        {5e-324, "4.94065645841247e-324"},
        {1.7976931348623157e308, "1.7976931348623157e+308"},
        {NAN, "null"},
        {INFINITY, "null"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json *json = json_number_new(rows[i].number);
        char *text = json_print(json);

        assert_string_equal(text, rows[i].text);
        if (isfinite(rows[i].number)) {
            struct json *again = parsed(text);
            assert_true(json_number(again, -1) == rows[i].number);
            json_free(again);
        }
        free(text);
        json_free(json);
    }
}

static void strings_are_escaped_and_mended(void **state)
{
    static const struct {
        const char *text;
        size_t len;
        const char *quoted;
    } rows[] = {
        {"", 0, "\"\""},
        {"a\"b\\c/", 6, "\"a\\\"b\\\\c/\""},
        {"\b\t\n\f\r", 5, "\"\\b\\t\\n\\f\\r\""},
        {"\v\x01\x1f\x7f", 4, "\"\\u000b\\u0001\\u001f\x7f\""},
        {"a\0b", 3, "\"a\\u0000b\""},
        {"\xC3\xA9\xF0\x9F\x98\x80", 6, "\"\xC3\xA9\xF0\x9F\x98\x80\""},
        {"a\xFFz", 3, "\"a\xEF\xBF\xBDz\""},
        {"\xE2\x82", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char *quoted = json_quote(rows[i].text, rows[i].len);

        assert_string_equal(quoted, rows[i].quoted);
        free(quoted);
    }
}

static void escapes_are_read(void **state)
{
    struct json *json = parsed("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"");

    (void)state;
    assert_string_equal(json_text(json), "\"\\/\b\f\n\r\t\xC3\xA9\xF0\x9F\x98\x80");
    json_free(json);
}

static void three_ways_to_print(void **state)
{
    struct json *json =
        parsed(" {\"b\": [1, {}, []], \"a\": {\"z\": null, \"B\": true}, \"\": \"x\"} ");
    char *text = json_print(json);

    (void)state;
    assert_string_equal(text, "{\"b\":[1,{},[]],\"a\":{\"z\":null,\"B\":true},\"\":\"x\"}");
    free(text);
    text = json_print_canonical(json);
    assert_string_equal(text, "{\"\":\"x\",\"a\":{\"B\":true,\"z\":null},\"b\":[1,{},[]]}");
    free(text);
    text = json_print_pretty(json);
    assert_string_equal(text, "{\n  \"b\": [\n    1,\n    {},\n    []\n  ],\n  \"a\": {\n"
                              "    \"z\": null,\n    \"B\": true\n  },\n  \"\": \"x\"\n}\n");
    free(text);
    json_free(json);
}

static void made_changed_and_removed(void **state)
{
    struct json *object = json_object();
    struct json *list = json_put(object, "list", json_array());
    char *text;

    (void)state;
    json_append(list, json_string_n("acme.com", 4));
    json_append(list, json_null());
    json_append(list, json_raw("{\"n\": 1}"));
    json_put_text(object, "a", "1");
    json_put_number(object, "a", 2); /* replaces, in its place */
    json_put_bool(object, "b", true);
    json_put(object, "A", json_bool(false)); /* names differ by case */
    json_remove(object, "b");
    json_remove(object, "not there");
    text = json_print(object);
    assert_string_equal(text, "{\"list\":[\"acme\",null,{\"n\": 1}],\"a\":2,\"A\":false}");
    free(text);
    assert_null(json_put(object, "x", NULL));
    assert_null(json_put(NULL, "x", json_bool(true))); /* freed: the leak checker would tell */
    assert_null(json_put(list, "x", json_bool(true)));
    assert_null(json_append(object, json_bool(true)));
    assert_null(json_append(NULL, json_bool(true)));
    assert_null(json_put_text(object, "x", NULL));
    json_free(object);
    json_free(NULL);
}

static void a_lent_value_outlives_the_array(void **state)
{
    struct json *value = json_object();
    struct json *list = json_array();
    char *text;

    (void)state;
    json_put_text(value, "a", "b");
    assert_ptr_equal(json_append_lent(list, value), list);
    assert_ptr_equal(json_append_lent(list, value), list);
    assert_int_equal(json_kind(json_first(list)), JSON_OBJECT);
    text = json_print(list);
    assert_string_equal(text, "[{\"a\":\"b\"},{\"a\":\"b\"}]");
    free(text);
    assert_null(json_append_lent(list, NULL));
    assert_null(json_append_lent(list, json_get(value, "a"))); /* a string would be freed with it */
    assert_null(json_append_lent(value, value));
    assert_null(json_append_lent(NULL, value));
    json_free(list);
    assert_string_equal(json_get_text(value, "a", ""), "b");
    json_free(value);
}

static void null_reads_like_a_value_of_another_kind(void **state)
{
    struct json *text = json_string("x");

    (void)state;
    assert_int_equal(json_kind(NULL), JSON_NULL);
    assert_null(json_get(NULL, "a"));
    assert_null(json_get(text, "a"));
    assert_null(json_first(NULL));
    assert_null(json_first(text));
    assert_null(json_next(NULL));
    assert_null(json_text(NULL));
    assert_false(json_is_true(NULL) || json_is_false(NULL));
    assert_true(json_number(NULL, 5) == 5);
    assert_int_equal(json_count(NULL), 0);
    assert_string_equal(json_get_text(NULL, "a", "otherwise"), "otherwise");
    assert_string_equal(json_kind_name(JSON_OBJECT), "an object");
    assert_string_equal(json_kind_name(json_kind(text)), "a string");
    json_free(text);
}

static void equality_knows_no_order_of_members(void **state)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true},
        {"{\"a\":1}", "{\"a\":1,\"b\":2}", false},
        {"{\"a\":1,\"b\":2}", "{\"a\":1}", false},
        {"{\"a\":1}", "{\"A\":1}", false},
        {"[1,2]", "[2,1]", false},
        {"[1,2]", "[1,2,3]", false},
        {"[{\"x\":[null]}]", "[{\"x\":[null]}]", true},
        {"0.1", "0.10000000000000002", false},
        {"1", "1.0", true},
        {"true", "false", false},
        {"null", "false", false},
        {"\"1\"", "1", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json *a = parsed(rows[i].a), *b = parsed(rows[i].b), *copy = json_copy(a);

        assert_int_equal(json_equal(a, b), rows[i].equal);
        assert_true(json_equal(a, copy));
        json_free(a);
        json_free(b);
        json_free(copy);
    }
}

static void duplicate_keys_are_found(void **state)
{
    struct json *twice = parsed("{\"b\":1,\"a\":2,\"c\":3,\"a\":4}");
    struct json *once = parsed("{\"b\":1,\"a\":{\"b\":1},\"A\":3}");
    const char *key = NULL;

    (void)state;
    assert_true(json_has_duplicate_keys(twice, &key));
    assert_string_equal(key, "a");
    assert_true(json_has_duplicate_keys(twice, NULL));
    assert_false(json_has_duplicate_keys(once, NULL));
    assert_false(json_has_duplicate_keys(NULL, NULL));
    json_free(twice);
    json_free(once);
}

static void many_members_take_linear_time(void **state)
{
    struct json *object = json_object(), *again = NULL;
    int64_t started = clock_monotonic_us();
    size_t count = 200000;
    char *text;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        char key[32];
        snprintf(key, sizeof key, "d%zu.example", (i * 7919) % count);
        assert_non_null(json_put_new(object, key, json_number_new((double)i)));
    }
    text = json_print_canonical(object);
    assert_int_equal(json_parse(text, strlen(text), &again, NULL), ERR_OK);
    assert_true(json_equal(object, again));
    assert_int_equal(json_count(again), count);
    assert_false(json_has_duplicate_keys(again, NULL));
    /* Quadratic work would be 20,000,000,000 comparisons: minutes. */
    assert_true(clock_monotonic_us() - started < 20000000);
    free(text);
    json_free(object);
    json_free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_texts_are_refused_with_their_place),
        cmocka_unit_test(every_cut_of_a_document_is_refused),
        cmocka_unit_test(a_nul_ends_nothing),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(numbers_have_63_characters_at_most),
        cmocka_unit_test(whole_numbers_within_2_to_the_53),
        cmocka_unit_test(printed_numbers_read_back_as_themselves),
        cmocka_unit_test(strings_are_escaped_and_mended),
        cmocka_unit_test(escapes_are_read),
        cmocka_unit_test(three_ways_to_print),
        cmocka_unit_test(made_changed_and_removed),
        cmocka_unit_test(a_lent_value_outlives_the_array),
        cmocka_unit_test(null_reads_like_a_value_of_another_kind),
        cmocka_unit_test(equality_knows_no_order_of_members),
        cmocka_unit_test(duplicate_keys_are_found),
        cmocka_unit_test(many_members_take_linear_time),
    };

    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
