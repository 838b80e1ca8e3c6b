/* api - what condition.h promises to a host, beside the language itself. */
#include "tests/condition/unit.h"

#include "condition/condition_json.h"

static enum condition_status compile_status(struct condition_env *env, const char *source,
                                            struct condition_diag *diag)
{
    struct condition *cond = NULL;
    enum condition_status status = condition_compile(env, source, strlen(source), &cond, diag);

    condition_free(cond);
    return status;
}

/* ---- slots ---- */

static void slots_are_paths_in_order_of_first_use(void **state)
{
    static const char *const wanted[] = {"user.email", "user.roles", "user.plan", "user", "now"};
    struct condition_env *env = condition_env_new();
    struct condition *a, *b;
    const char *const *parts;

    (void)state;
    condition_env_set_open(env, true);
    a = must_compile(env, "user.email.endsWith(x) && user.roles[0] == 'a' && has(user.plan)");
    assert_int_equal(condition_env_slot_count(env), 5);
    assert_string_equal(condition_env_slot_path(env, 1), "x");
    b = must_compile(env, "now > timestamp(0) && user.email == ''");
    assert_int_equal(condition_env_slot_count(env), 6);
    for (size_t i = 0; i < COUNT(wanted); i++)
        assert_string_equal(condition_env_slot_path(env, i ? i + 1 : 0), wanted[i]);
    assert_int_equal(condition_env_slot_parts(env, 0, &parts), 2);
    assert_string_equal(parts[0], "user");
    assert_string_equal(parts[1], "email");
    assert_null(condition_env_slot_path(env, 6));
    assert_int_equal(condition_env_slot_parts(env, 6, &parts), 0);

    assert_true(condition_reads(a, "user"));
    assert_true(condition_reads(a, "user.email"));
    assert_true(condition_reads(a, "user.email.host"));
    assert_false(condition_reads(a, "now"));
    assert_false(condition_reads(a, "use"));
    assert_true(condition_reads(b, "now"));
    assert_int_equal(condition_read_count(b), 2);
    assert_int_equal(condition_read_slot(b, 0), 5);
    assert_int_equal(condition_read_slot(b, 2), SIZE_MAX);
    condition_free(a);
    condition_free(b);
    condition_env_free(env);
}

static void fill_takes_the_longest_name(void **state)
{
    struct condition_entry inner[] = {{text_value("b"), condition_int(1)}};
    struct condition_value map = {CONDITION_MAP, 0, 0, 1, {.entries = inner}}, slots[4];
    struct condition_entry outer[] = {{text_value("a"), map},
                                      {text_value("a.c"), condition_int(2)},
                                      {text_value("n"), condition_int(3)}};
    struct condition_value root = {CONDITION_MAP, 0, 0, 3, {.entries = outer}};
    struct condition_env *env = condition_env_new();
    struct condition *cond;

    (void)state;
    condition_env_set_open(env, true);
    cond = must_compile(env, "a.b == a.c || n.x == a.d");
    condition_slots_fill(env, &root, slots, 4);
    assert_int_equal(slots[0].as.i, 1);
    assert_int_equal(slots[1].as.i, 2);
    assert_int_equal(slots[2].kind, CONDITION_ABSENT); /* n is no map */
    assert_int_equal(slots[3].kind, CONDITION_ABSENT);
    root.kind = CONDITION_NULL;
    condition_slots_fill(env, &root, slots, 4);
    assert_int_equal(slots[0].kind, CONDITION_ABSENT);
    condition_free(cond);
    condition_env_free(env);
}

/* ---- declarations ---- */

static void declarations(void **state)
{
    struct condition_env *env = condition_env_new();
    struct condition_diag diag;

    (void)state;
    assert_int_equal(condition_env_declare(env, "version", CONDITION_INT), CONDITION_OK);
    assert_int_equal(condition_env_declare(env, "version", CONDITION_INT), CONDITION_OK);
    assert_int_equal(condition_env_declare(env, "version", CONDITION_STRING), CONDITION_TYPE);
    assert_int_equal(condition_env_declare_type(env, "tags", "list(string)"), CONDITION_OK);
    assert_int_equal(condition_env_declare_type(env, "tags", "list(int)"), CONDITION_TYPE);
    assert_int_equal(condition_env_declare_type(env, "bad", "list(int"), CONDITION_TYPE);
    assert_int_equal(condition_env_declare_type(env, "bad", ""), CONDITION_TYPE);
    assert_int_equal(condition_env_declare_type(env, "bad", "list(a,b)"), CONDITION_TYPE);

    assert_int_equal(compile_status(env, "verson > 1", &diag), CONDITION_TYPE);
    assert_string_equal(diag.hint, "did you mean 'version'?");
    assert_int_equal(diag.from, 0);
    assert_int_equal(diag.to, 6);
    assert_int_equal(compile_status(env, "'a' in tags", &diag), CONDITION_OK);
    assert_int_equal(compile_status(env, "1 in tags", &diag), CONDITION_TYPE);
    condition_env_set_check(env, false);
    assert_int_equal(compile_status(env, "1 in tags || nothing", &diag), CONDITION_OK);
    condition_env_free(env);
}

/* has() of a declared path asks whether the fact was measured. */
static void has_of_a_declared_path(void **state)
{
    struct condition_env *env = condition_env_new();
    struct condition_value slot = {CONDITION_ABSENT, 0, 0, 0, {0}}, out;
    struct condition_input in = {.slots = &slot, .slot_count = 1};
    struct condition *cond;

    (void)state;
    assert_int_equal(condition_env_declare(env, "flag.stable_for", CONDITION_DURATION),
                     CONDITION_OK);
    cond = must_compile(env, "has(flag.stable_for) && flag.stable_for > duration('1h')");
    assert_int_equal(condition_run(cond, &in, &out, NULL), CONDITION_OK);
    assert_false(out.as.truth);
    slot = condition_duration(7200, 0);
    assert_int_equal(condition_run(cond, &in, &out, NULL), CONDITION_OK);
    assert_true(out.as.truth);
    condition_free(cond);
    condition_env_free(env);
}

static void result_types(void **state)
{
    struct condition_env *env = condition_env_new();
    struct condition *cond;

    (void)state;
    condition_env_set_open(env, true);
    cond = must_compile(env, "x == 1");
    assert_string_equal(condition_result_type(cond), "bool");
    assert_string_equal(condition_source(cond), "x == 1");
    condition_free(cond);
    cond = must_compile(env, "x");
    assert_string_equal(condition_result_type(cond), "dyn");
    condition_free(cond);
    condition_env_free(env);
    condition_free(NULL);
    condition_env_free(NULL);
}

/* ---- the host's own functions ---- */

static bool twice(void *ctx, const struct condition_value *args, size_t count,
                  struct condition_value *out, char *msg, size_t msg_size)
{
    (void)count;
    if (args[0].as.i < 0) {
        snprintf(msg, msg_size, "twice() takes no negative numbers");
        return false;
    }
    *out = condition_int(args[0].as.i * *(int *)ctx);
    return true;
}

static void host_functions(void **state)
{
    static const enum condition_kind params[] = {CONDITION_INT};
    static const char *const generic[] = {"list(A)"};
    struct condition_env *env = condition_env_new();
    struct condition_value out, slot = condition_int(-1);
    struct condition_input in = {.slots = &slot, .slot_count = 1};
    struct condition_diag diag;
    struct condition *cond;
    int factor = 2;

    (void)state;
    condition_env_set_open(env, true);
    assert_int_equal(
        condition_env_function(env, "twice", false, params, 1, CONDITION_INT, twice, &factor),
        CONDITION_OK);
    assert_int_equal(
        condition_env_function(env, "twice", true, params, 1, CONDITION_INT, twice, &factor),
        CONDITION_OK);
    assert_int_equal(
        condition_env_function(env, "size", false, params, 1, CONDITION_INT, twice, &factor),
        CONDITION_TYPE);
    assert_int_equal(
        condition_env_declare_function(env, "first", true, generic, 1, "A", NULL, NULL),
        CONDITION_OK);
    assert_int_equal(condition_env_declare_function(env, "bad", true, generic, 1, "A(", NULL, NULL),
                     CONDITION_TYPE);

    cond = must_compile(env, "twice(21) + 4.twice()");
    assert_int_equal(condition_run(cond, &in, &out, &diag), CONDITION_OK);
    assert_int_equal(out.as.i, 50);
    condition_free(cond);
    cond = must_compile(env, "twice(x)");
    assert_int_equal(condition_run(cond, &in, &out, &diag), CONDITION_EVAL);
    assert_string_equal(diag.msg, "twice() takes no negative numbers");
    slot = text_value("a");
    assert_int_equal(condition_run(cond, &in, &out, &diag), CONDITION_EVAL);
    assert_string_equal(diag.msg, "there is no twice(string)");
    condition_free(cond);
    assert_int_equal(compile_status(env, "twice('a')", &diag), CONDITION_TYPE);
    cond = must_compile(env, "[1].first()"); /* declared only: a call is an error */
    assert_string_equal(condition_result_type(cond), "int");
    assert_int_equal(condition_run(cond, &in, &out, &diag), CONDITION_EVAL);
    condition_free(cond);
    condition_env_free(env);
}

static bool known(void *ctx, const char *name, size_t len)
{
    if (name == NULL)
        return ctx == NULL; /* a name that is no constant */
    return len == 4 && memcmp(name, "beta", 4) == 0;
}

static bool in_segment(void *host, const char *name, size_t len, bool *inside)
{
    *inside = host != NULL;
    return known(NULL, name, len);
}

static void segments(void **state)
{
    struct condition_env *env = condition_env_new();
    struct condition_value out, slot = text_value("gamma");
    struct condition_input in = {.slots = &slot, .slot_count = 1, .host = &in};
    struct condition_diag diag;
    struct condition *cond;

    (void)state;
    condition_env_set_open(env, true);
    condition_env_set_segments(env, known, NULL, in_segment);
    assert_int_equal(compile_status(env, "segment('betta')", &diag), CONDITION_TYPE);
    cond = must_compile(env, "segment('beta')");
    assert_int_equal(condition_run(cond, &in, &out, &diag), CONDITION_OK);
    assert_true(out.as.truth);
    in.host = NULL;
    assert_int_equal(condition_run(cond, &in, &out, &diag), CONDITION_OK);
    assert_false(out.as.truth);
    condition_free(cond);
    cond = must_compile(env, "segment(x)");
    assert_int_equal(condition_run(cond, &in, &out, &diag), CONDITION_EVAL);
    assert_string_equal(diag.msg, "segment 'gamma' cannot be decided");
    condition_free(cond);
    condition_env_set_segments(env, known, &in, in_segment);
    assert_int_equal(compile_status(env, "segment(x)", &diag), CONDITION_TYPE);
    assert_string_equal(diag.msg, "the name of a segment must be a constant string here");
    condition_free(must_compile(env, "segment('beta')"));
    condition_env_free(env);
}

static void dynamic_patterns(void **state)
{
    struct condition_env *env = condition_env_new();
    struct condition_value out, slots[2] = {text_value("abc"), text_value("^a.c$")};
    struct condition_input in = {.slots = slots, .slot_count = 2};
    struct condition_diag diag;
    struct condition *cond;

    (void)state;
    condition_env_set_open(env, true);
    assert_int_equal(compile_status(env, "x.matches(y)", &diag), CONDITION_TYPE);
    condition_env_set_dynamic_patterns(env, true);
    cond = must_compile(env, "x.matches(y)");
    assert_int_equal(condition_run(cond, &in, &out, &diag), CONDITION_OK);
    assert_true(out.as.truth);
    slots[1] = text_value("(");
    assert_int_equal(condition_run(cond, &in, &out, &diag), CONDITION_EVAL);
    condition_free(cond);
    condition_env_free(env);
}

/* ---- errors ---- */

/* Without a diag nothing is formatted; the outcome is the same. */
static void failure_leaves_the_result_alone(void **state)
{
    static const char *const sources[] = {"x", "1 / x", "{'a': 1}[x]", "ip(x)", "x || false"};
    struct condition_env *env = condition_env_new();
    struct condition_value slot = text_value("q"), out = condition_int(99);
    struct condition_input in = {.slots = &slot, .slot_count = 1};
    struct condition_diag diag;

    (void)state;
    condition_env_set_open(env, true);
    for (size_t i = 0; i < COUNT(sources); i++) {
        struct condition *cond = must_compile(env, sources[i]);
        slot = i ? text_value("q") : (struct condition_value){0};
        assert_int_equal(condition_run(cond, &in, &out, NULL), CONDITION_EVAL);
        assert_int_equal(condition_run(cond, &in, &out, &diag), CONDITION_EVAL);
        assert_true(*diag.msg);
        assert_int_equal(out.as.i, 99);
        condition_free(cond);
    }
    condition_env_free(env);
}

static void places(void **state)
{
    static const char source[] = "a == 1 &&\n\t\xC3\xA4 == 2";
    struct condition_env *env = condition_env_new();
    struct condition_diag diag;
    char text[300], small[8];
    int full;

    (void)state;
    condition_env_set_open(env, true);
    assert_int_equal(compile_status(env, source, &diag), CONDITION_SYNTAX);
    assert_int_equal(diag.line, 2);
    assert_int_equal(diag.column, 2);
    full = condition_diag_print(&diag, source, strlen(source), text, sizeof text);
    assert_int_equal(full, strlen(text));
    assert_non_null(strstr(text, "\n | \t\xC3\xA4 == 2\n | \t^\n"));
    assert_int_equal(condition_diag_print(&diag, source, strlen(source), small, sizeof small),
                     full);
    assert_int_equal(strlen(small), sizeof small - 1);
    assert_int_equal(compile_status(env, "'\xFF'", &diag), CONDITION_SYNTAX);
    assert_string_equal(diag.msg, "the source is not valid UTF-8 here");
    condition_env_free(env);
}

/* Of several errors the first from the left is the one that is told. */
static void the_leftmost_error_is_told(void **state)
{
    static const struct {
        const char *source, *msg;
    } rows[] = {
        {"a && b", "'a' is absent"},
        {"a && b && c", "'a' is absent"},
        {"1 / 0 > 1 || b", "division by zero"},
        {"false || b || 1 / 0 > 1", "'b' is absent"},
        {"[0, 'x'].all(v, 1 / v == 1)", "division by zero"},
        {"(a || b) && (c || 1 / 0 > 1)", "'a' is absent"},
        {"true && (b || false) && a", "'b' is absent"},
    };
    struct condition_env *env = condition_env_new();
    struct condition_value slots[8] = {{0}}, out;

    (void)state;
    condition_env_set_open(env, true);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct condition *cond = must_compile(env, rows[i].source);
        struct condition_input in = {.slots = slots, .slot_count = condition_env_slot_count(env)};
        struct condition_diag diag;
        assert_int_equal(condition_run(cond, &in, &out, &diag), CONDITION_EVAL);
        assert_string_equal(diag.msg, rows[i].msg);
        condition_free(cond);
    }
    condition_env_free(env);
}

/* ---- explanation, bytecode, printing ---- */

struct heard {
    char text[2000];
};

static void hear(void *ctx, uint32_t from, uint32_t to, unsigned depth,
                 const struct condition_value *value, const char *text)
{
    struct heard *heard = ctx;
    char shown[100];
    size_t len = strlen(heard->text);

    if (value)
        condition_value_print(value, shown, sizeof shown);
    snprintf(heard->text + len, sizeof heard->text - len, "%u %u-%u %s\n", depth, from, to,
             value ? shown : text);
}

static void explanation(void **state)
{
    struct condition_env *env = condition_env_new();
    struct condition_value slots[3] = {condition_int(3), text_value("free"), {0}}, out;
    struct condition_input in = {.slots = slots, .slot_count = 3};
    struct condition_diag diag;
    struct condition *cond;
    struct heard heard = {""};
    char scratch[64] __attribute__((aligned(16)));

    (void)state;
    condition_env_set_open(env, true);
    cond = must_compile(env, "version > 2 && plan == 'pro' && 1 + 1 == gone");
    assert_int_equal(condition_explain(cond, &in, hear, &heard, &out, &diag), CONDITION_OK);
    assert_false(out.as.truth);
    assert_string_equal(heard.text, "0 0-45 false\n"
                                    "1 0-11 true\n2 0-7 3\n"
                                    "1 15-28 false\n2 15-19 \"free\"\n"
                                    "1 32-45 not evaluated\n2 32-37 not evaluated\n"
                                    "2 41-45 not evaluated\n");
    condition_free(cond);
    heard.text[0] = '\0';
    cond = must_compile(env, "gone > 1");
    slots[0] = slots[2];
    assert_int_equal(condition_explain(cond, &in, hear, &heard, &out, NULL), CONDITION_EVAL);
    assert_string_equal(heard.text, "0 0-8 'gone' is absent\n1 0-4 'gone' is absent\n");
    condition_free(cond);
    /* what folding may do at compile time, the unfolded run may as well */
    in.scratch = scratch;
    in.scratch_bytes = sizeof scratch;
    heard.text[0] = '\0';
    cond = must_compile(env, "domain('b\u00fccher.example')");
    assert_int_equal(condition_explain(cond, &in, hear, &heard, &out, NULL), CONDITION_OK);
    assert_string_equal(heard.text, "0 0-25 \"xn--bcher-kva.example\"\n");
    condition_free(cond);
    condition_env_free(env);
}

static void disassembly(void **state)
{
    struct condition_env *env = condition_env_new();
    struct condition *cond;
    char text[1000], small[10];
    size_t len;

    (void)state;
    condition_env_set_open(env, true);
    cond = must_compile(env, "plan == 'pro' && 1 + 1 == 2");
    len = condition_disassemble(cond, text, sizeof text);
    assert_int_equal(len, strlen(text));
    assert_non_null(strstr(text, "SLOT_EQ     plan == \"pro\""));
    assert_non_null(strstr(text, "CONST       true")); /* folded */
    assert_non_null(strstr(text, "errors in 0..1 go to 1, height 0"));
    assert_int_equal(condition_disassemble(cond, small, sizeof small), strlen(text));
    assert_int_equal(strlen(small), sizeof small - 1);
    condition_free(cond);
    condition_env_free(env);
}

/* What is printed is CEL: reading it back gives the value again. */
static void printed_values_are_source(void **state)
{
    static const char *const rows[] = {"null",
                                       "true",
                                       "-9223372036854775808",
                                       "18446744073709551615u",
                                       "0.1",
                                       "1e+100",
                                       "1.0",
                                       "double(\"-Infinity\")",
                                       "\"a\\\"\\n\\x00\\\\\xC3\xA4\"",
                                       "b\"\\xff\\x00a\"",
                                       "[1, [2u], \"x\"]",
                                       "{\"a\": 1, 2: true}",
                                       "timestamp(\"2020-02-29T12:00:00.5Z\")",
                                       "duration(\"-1.000000001s\")",
                                       "int",
                                       "optional.of(1)",
                                       "optional.none()",
                                       "ip(\"2001:db8::1\")",
                                       "cidr(\"10.0.0.0/8\")",
                                       "semver(\"1.2.3-rc.1\")"};
    struct condition_env *env = condition_env_new();

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct condition *cond = must_compile(env, rows[i]);
        struct condition_input in = {0};
        struct condition_value out;
        char text[200], small[4];
        assert_int_equal(condition_run(cond, &in, &out, NULL), CONDITION_OK);
        size_t len = condition_value_print(&out, text, sizeof text);
        assert_int_equal(len, strlen(text));
        assert_string_equal(text, rows[i]);
        condition_value_print(&out, small, sizeof small);
        assert_true(strlen(small) < sizeof small);
        assert_int_equal(condition_value_print(&out, NULL, 0), strlen(text));
        condition_free(cond);
    }
    condition_env_free(env);
}

/* ---- JSON ---- */

static void json_to_values(void **state)
{
    static const char text[] = "{\"s\": \"x\", \"i\": 42, \"d\": 1.5, \"big\": 1e300, \"b\": true,"
                               " \"n\": null, \"l\": [1, {\"k\": -7}]}";
    struct arena arena = {0};
    struct condition_value v;
    struct json *json;
    struct err err;
    char shown[300], *back;

    (void)state;
    assert_int_equal(json_parse(text, strlen(text), &json, &err), ERR_OK);
    assert_int_equal(condition_from_json(json, &arena, &v, &err), ERR_OK);
    json_free(json); /* nothing stays borrowed */
    condition_value_print(&v, shown, sizeof shown);
    assert_string_equal(shown, "{\"s\": \"x\", \"i\": 42, \"d\": 1.5, \"big\": 1e+300, \"b\": "
                               "true, \"n\": null, \"l\": [1, {\"k\": -7}]}");
    json = condition_to_json(&v);
    back = json_print(json);
    assert_string_equal(back, "{\"s\":\"x\",\"i\":42,\"d\":1.5,\"big\":1e+300,\"b\":true,"
                              "\"n\":null,\"l\":[1,{\"k\":-7}]}");
    free(back);
    json_free(json);
    arena_fini(&arena);
}

static void json_refused(void **state)
{
    char deep[200];
    struct arena arena = {0};
    struct condition_value v;
    struct json *json;
    struct err err;

    (void)state;
    assert_int_equal(json_parse("{\"a\": 1, \"b\": 2, \"a\": 3}", 24, &json, &err), ERR_OK);
    assert_int_equal(condition_from_json(json, &arena, &v, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "\"a\""));
    json_free(json);
    for (unsigned levels = CONDITION_JSON_DEPTH_MAX; levels <= CONDITION_JSON_DEPTH_MAX + 1;
         levels++) {
        memset(deep, '[', levels);
        memset(deep + levels, ']', levels);
        assert_int_equal(json_parse(deep, 2 * (size_t)levels, &json, &err), ERR_OK);
        assert_int_equal(condition_from_json(json, &arena, &v, &err),
                         levels > CONDITION_JSON_DEPTH_MAX ? ERR_INVALID : ERR_OK);
        json_free(json);
    }
    arena_fini(&arena);
}

static void values_to_json(void **state)
{
    static const struct {
        const char *source, *json;
    } rows[] = {
        {"9007199254740993", "\"9007199254740993\""},
        {"-9007199254740992", "-9007199254740992"},
        {"18446744073709551615u", "\"18446744073709551615\""},
        {"b'hi?'", "\"aGk/\""},
        {"timestamp(0)", "\"1970-01-01T00:00:00Z\""},
        {"duration('1.5s')", "\"1.5s\""},
        {"double('NaN')", "\"NaN\""},
        {"{1: 'a', true: 'b'}", "{\"1\":\"a\",\"true\":\"b\"}"},
        {"optional.of(1)", "1"},
        {"optional.none()", "null"},
        {"type(1)", "\"int\""},
    };
    struct condition_env *env = condition_env_new();

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct condition *cond = must_compile(env, rows[i].source);
        struct condition_input in = {0};
        struct condition_value out;
        struct json *json;
        char *text;
        assert_int_equal(condition_run(cond, &in, &out, NULL), CONDITION_OK);
        json = condition_to_json(&out);
        text = json_print(json);
        assert_string_equal(text, rows[i].json);
        free(text);
        json_free(json);
        condition_free(cond);
    }
    condition_env_free(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_paths_in_order_of_first_use),
        cmocka_unit_test(fill_takes_the_longest_name),
        cmocka_unit_test(declarations),
        cmocka_unit_test(has_of_a_declared_path),
        cmocka_unit_test(result_types),
        cmocka_unit_test(host_functions),
        cmocka_unit_test(segments),
        cmocka_unit_test(dynamic_patterns),
        cmocka_unit_test(failure_leaves_the_result_alone),
        cmocka_unit_test(places),
        cmocka_unit_test(the_leftmost_error_is_told),
        cmocka_unit_test(explanation),
        cmocka_unit_test(disassembly),
        cmocka_unit_test(printed_values_are_source),
        cmocka_unit_test(json_to_values),
        cmocka_unit_test(json_refused),
        cmocka_unit_test(values_to_json),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
