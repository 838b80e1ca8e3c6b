/* limits - each bound of condition/limits.h and condition.h: at it, and one past it. */
#include "tests/condition/unit.h"

#include "condition/limits.h"
#include "condition/pattern.h"

static char text[4 * CEL_SOURCE_MAX];
static size_t len;

static void add(const char *piece, size_t times)
{
    size_t n = strlen(piece);

    for (size_t i = 0; i < times; i++) {
        memcpy(text + len, piece, n);
        len += n;
    }
    text[len] = '\0';
}

static enum condition_status compile_status(bool open)
{
    struct condition_env *env = condition_env_new();
    struct condition *cond = NULL;
    struct condition_diag diag;
    enum condition_status status;

    condition_env_set_open(env, open);
    status = condition_compile(env, text, len, &cond, &diag);
    if (status)
        assert_true(*diag.msg);
    condition_free(cond);
    condition_env_free(env);
    return status;
}

static void expect_compile(enum condition_status wanted)
{
    assert_int_equal(compile_status(true), wanted);
    len = 0;
}

static void source_bytes(void **state)
{
    (void)state;
    add("1", 1);
    add(" ", CEL_SOURCE_MAX - 1);
    expect_compile(CONDITION_OK);
    add("1", 1);
    add(" ", CEL_SOURCE_MAX);
    expect_compile(CONDITION_EXHAUSTED);
}

static void nesting(void **state)
{
    (void)state;
    add("(", CEL_NESTING_MAX - 1);
    add("1", 1);
    add(")", CEL_NESTING_MAX - 1);
    expect_compile(CONDITION_OK);
    add("(", CEL_NESTING_MAX);
    add("1", 1);
    add(")", CEL_NESTING_MAX);
    expect_compile(CONDITION_EXHAUSTED);
    add("(", CEL_SOURCE_MAX); /* never closed: the depth is what ends it */
    expect_compile(CONDITION_EXHAUSTED);
    add("[", CEL_SOURCE_MAX);
    expect_compile(CONDITION_EXHAUSTED);
    add("a?a:", 4000);
    add("a", 1);
    expect_compile(CONDITION_EXHAUSTED);
}

static void height(void **state)
{
    static const char *const leaning[] = {"x+", "!", "-"};

    (void)state;
    for (size_t i = 0; i < COUNT(leaning); i++) {
        add(leaning[i], CEL_HEIGHT_MAX - 1);
        add("x", 1);
        expect_compile(CONDITION_OK);
        add(leaning[i], CEL_HEIGHT_MAX);
        add("x", 1);
        expect_compile(CONDITION_EXHAUSTED);
    }
    add("x", 1);
    add("[0]", CEL_HEIGHT_MAX - 1);
    expect_compile(CONDITION_OK);
    add("x", 1);
    add("[0]", CEL_HEIGHT_MAX);
    expect_compile(CONDITION_EXHAUSTED);
    add("x", 1);
    add("||x", 5000); /* a chain of || does not lean */
    expect_compile(CONDITION_OK);
}

static void stack_values(void **state)
{
    (void)state;
    add("[x", 1);
    add(",x", CEL_STACK_MAX - 1);
    add("]", 1);
    expect_compile(CONDITION_OK);
    add("[x", 1);
    add(",x", CEL_STACK_MAX);
    add("]", 1);
    expect_compile(CONDITION_EXHAUSTED);
    add("x in [1", 1); /* constants need no stack */
    add(",1", 5000);
    add("]", 1);
    expect_compile(CONDITION_OK);
}

static void loops(void **state)
{
    (void)state;
    add("x.all(v, ", CEL_LOOPS_MAX);
    add("true", 1);
    add(")", CEL_LOOPS_MAX);
    expect_compile(CONDITION_OK);
    add("x.all(v, ", CEL_LOOPS_MAX + 1);
    add("true", 1);
    add(")", CEL_LOOPS_MAX + 1);
    expect_compile(CONDITION_EXHAUSTED);
}

static void pattern_bytes(void **state)
{
    (void)state;
    add("x.matches('[ab]", 1);
    add("a", CEL_PATTERN_MAX - 4);
    add("')", 1);
    expect_compile(CONDITION_OK);
    add("x.matches('[ab]", 1);
    add("a", CEL_PATTERN_MAX - 3);
    add("')", 1);
    expect_compile(CONDITION_TYPE);
    add("x.matches('(a.){1000}')", 1);
    expect_compile(CONDITION_OK);
    add("x.matches('(a.){1001}')", 1);
    expect_compile(CONDITION_TYPE);
}

/* What a pattern is rewritten to is longer than the pattern: \\S in a class becomes ranges. */
static void pattern_rewritten(void **state)
{
    static char out[CEL_PATTERN_OUT + 1];
    char pattern[CEL_PATTERN_MAX], msg[100];
    size_t lengths[2], at, most;

    (void)state;
    pattern[0] = '[';
    for (size_t i = 0; i < sizeof pattern - 1; i++)
        pattern[i + 1] = i % 2 ? 'S' : '\\';
    for (size_t n = 1; n <= 2; n++) {
        pattern[1 + 2 * n] = ']';
        assert_int_equal(
            cel_pattern_rewrite(pattern, 2 + 2 * n, out, &lengths[n - 1], msg, sizeof msg, &at),
            REGEX_OK);
        pattern[1 + 2 * n] = '\\';
    }
    most = (CEL_PATTERN_OUT - 2) / (lengths[1] - lengths[0]);
    assert_in_range(most, 10, sizeof pattern / 2 - 2);
    for (size_t n = most; n <= most + 1; n++) {
        pattern[1 + 2 * n] = ']';
        out[CEL_PATTERN_OUT] = 77;
        assert_int_equal(
            cel_pattern_rewrite(pattern, 2 + 2 * n, out, &lengths[0], msg, sizeof msg, &at),
            n == most ? REGEX_OK : REGEX_TOO_LARGE);
        assert_int_equal(out[CEL_PATTERN_OUT], 77);
        pattern[1 + 2 * n] = '\\';
    }
    add("x.matches(r'[", 1);
    add("\\S\\W", CEL_PATTERN_MAX / 4 - 1);
    add("]')", 1);
    expect_compile(CONDITION_TYPE);
    add("x.matches('", 1);
    add("(", CEL_PATTERN_NESTING_MAX);
    add("a.", 1);
    add(")", CEL_PATTERN_NESTING_MAX);
    add("')", 1);
    expect_compile(CONDITION_OK);
    add("x.matches('", 1);
    add("(", CEL_PATTERN_NESTING_MAX + 1);
    add("a.", 1);
    add(")", CEL_PATTERN_NESTING_MAX + 1);
    add("')", 1);
    expect_compile(CONDITION_TYPE);
}

static void call_arguments(void **state)
{
    enum condition_kind kinds[CONDITION_ARGUMENTS_MAX + 1];
    struct condition_env *env = condition_env_new();

    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++)
        kinds[i] = CONDITION_DYN;
    assert_int_equal(condition_env_function(env, "f", false, kinds, CONDITION_ARGUMENTS_MAX,
                                            CONDITION_DYN, NULL, NULL),
                     CONDITION_OK);
    assert_int_equal(condition_env_function(env, "g", false, kinds, CONDITION_ARGUMENTS_MAX + 1,
                                            CONDITION_DYN, NULL, NULL),
                     CONDITION_TYPE);
    condition_env_free(env);
    add("math.greatest(1", 1);
    add(",1", CONDITION_ARGUMENTS_MAX - 2);
    add(")", 1);
    expect_compile(CONDITION_OK);
    add("math.greatest(1", 1);
    add(",1", CONDITION_ARGUMENTS_MAX - 1);
    add(")", 1);
    expect_compile(CONDITION_EXHAUSTED);
}

/* ---- at run time ---- */

/* Runs source with every slot holding value. */
static enum condition_status run_status(const char *source, const struct condition_value *value,
                                        size_t scratch_bytes)
{
    static _Alignas(16) char scratch[1u << 20];
    struct condition_env *env = condition_env_new();
    struct condition_value slots[8], out;
    struct condition_diag diag;
    struct condition *cond;
    enum condition_status status;

    condition_env_set_open(env, true);
    cond = must_compile(env, source);
    for (size_t i = 0; i < COUNT(slots); i++)
        slots[i] = *value;
    struct condition_input in = {.slots = slots,
                                 .slot_count = condition_env_slot_count(env),
                                 .scratch = scratch_bytes ? scratch : NULL,
                                 .scratch_bytes = scratch_bytes};
    status = condition_run(cond, &in, &out, &diag);
    if (status)
        assert_true(*diag.msg);
    condition_free(cond);
    condition_env_free(env);
    return status;
}

static struct condition_value list_of(uint32_t count)
{
    static struct condition_value items[20000];
    struct condition_value list = {CONDITION_LIST, 0, 0, count, {0}};

    for (uint32_t i = 0; i < count; i++)
        items[i] = condition_int(i);
    list.as.items = items;
    return list;
}

static void steps(void **state)
{
    uint32_t fit = CONDITION_STEPS_MAX / 3; /* a round is NEXT, CONST, STEP_ALL */
    struct condition_value list = list_of(fit);

    (void)state;
    assert_int_equal(run_status("x.all(v, true)", &list, 0), CONDITION_OK);
    list = list_of(fit + 1);
    assert_int_equal(run_status("x.all(v, true)", &list, 0), CONDITION_EXHAUSTED);
    /* a limit is no error that || absorbs */
    assert_int_equal(run_status("x.all(v, true) || true", &list, 0), CONDITION_EXHAUSTED);
    assert_int_equal(run_status("1 in x", &list, 0), CONDITION_OK);
    list = list_of(CONDITION_STEPS_MAX);
    assert_int_equal(run_status("1 in x", &list, 0), CONDITION_OK);
    list = list_of(CONDITION_STEPS_MAX + 1);
    assert_int_equal(run_status("1 in x", &list, 0), CONDITION_EXHAUSTED);
}

/* Work on texts costs a step for ten bytes. */
static void text_work(void **state)
{
    static char bytes[CONDITION_STEPS_MAX * 10 + 10];
    struct condition_value value = condition_string(bytes, CONDITION_STEPS_MAX * 10);

    (void)state;
    memset(bytes, 'a', sizeof bytes);
    assert_int_equal(run_status("x.contains('b')", &value, 0), CONDITION_OK);
    assert_int_equal(run_status("size(x) > 0", &value, 0), CONDITION_OK);
    value.size += 10;
    assert_int_equal(run_status("x.contains('b')", &value, 0), CONDITION_EXHAUSTED);
    assert_int_equal(run_status("size(x) > 0", &value, 0), CONDITION_EXHAUSTED);
}

static void scratch(void **state)
{
    struct condition_value half = text_value("0123456789abcdef"), list = list_of(2);

    (void)state;
    assert_int_equal(run_status("x + x", &half, 32), CONDITION_OK);
    assert_int_equal(run_status("x + x", &half, 31), CONDITION_EXHAUSTED);
    assert_int_equal(run_status("x + x + 'g'", &half, 32 + 48), CONDITION_OK);
    assert_int_equal(run_status("x + x + 'g'", &half, 32 + 47), CONDITION_EXHAUSTED);
    assert_int_equal(run_status("x.map(v, v)", &list, 32), CONDITION_OK);
    assert_int_equal(run_status("x.map(v, v)", &list, 31), CONDITION_EXHAUSTED);
    assert_int_equal(run_status("x + x", &half, 0), CONDITION_EXHAUSTED);
    assert_int_equal(run_status("x.split('') == ['']", &half, 8), CONDITION_EXHAUSTED);
    assert_int_equal(run_status("x.format([1])", &half, 8), CONDITION_EXHAUSTED);
    assert_int_equal(run_status("x.replace('0', 'long')", &half, 16), CONDITION_EXHAUSTED);
    assert_int_equal(run_status("string(x[0])", &list, 8), CONDITION_EXHAUSTED);
}

static void subject_bytes(void **state)
{
    static char bytes[CEL_SUBJECT_MAX + 1];
    struct condition_value value = condition_string(bytes, CEL_SUBJECT_MAX);

    (void)state;
    memset(bytes, 'a', sizeof bytes);
    assert_int_equal(run_status("x.matches('[b-c]')", &value, 0), CONDITION_OK);
    value.size++;
    assert_int_equal(run_status("x.matches('[b-c]')", &value, 0), CONDITION_EXHAUSTED);
}

/* Patterns that run away are stopped, whatever the subject, and never answer false. */
static void runaway_patterns(void **state)
{
    static const char *const sources[] = {"x.matches('^(a|a)*$')", "x.matches('^(a+)+$')",
                                          "x.matches('(a|aa)+$')", "x.matches('^(a?){30}a{30}$')"};
    static char bytes[CEL_SUBJECT_MAX];

    (void)state;
    memset(bytes, 'a', sizeof bytes);
    for (size_t i = 0; i < COUNT(sources); i++) {
        bytes[sizeof bytes - 1] = 'b';
        struct condition_value value = condition_string(bytes, sizeof bytes);
        enum condition_status status = run_status(sources[i], &value, 0);
        assert_true(status == CONDITION_EXHAUSTED || status == CONDITION_OK);
    }
}

static void format_precision(void **state)
{
    struct condition_value value = condition_double(1.5);

    (void)state;
    assert_int_equal(run_status("'%.100f'.format([x])", &value, 4096), CONDITION_OK);
    assert_int_equal(run_status("'%.101f'.format([x])", &value, 4096), CONDITION_EVAL);
}

/* Too few slots: a program compiled after the fill does not read past them. */
static void slot_count(void **state)
{
    struct condition_env *env = condition_env_new();
    struct condition_value slots[1] = {condition_int(1)}, out;
    struct condition_diag diag;
    struct condition *cond;

    (void)state;
    condition_env_set_open(env, true);
    cond = must_compile(env, "x == 1 && y == 1");
    struct condition_input in = {.slots = slots, .slot_count = 1};
    assert_int_equal(condition_run(cond, &in, &out, &diag), CONDITION_EVAL);
    assert_int_equal(condition_run(cond, &in, &out, NULL), CONDITION_EVAL);
    condition_free(cond);
    condition_env_free(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(source_bytes),
        cmocka_unit_test(nesting),
        cmocka_unit_test(height),
        cmocka_unit_test(stack_values),
        cmocka_unit_test(loops),
        cmocka_unit_test(pattern_bytes),
        cmocka_unit_test(pattern_rewritten),
        cmocka_unit_test(call_arguments),
        cmocka_unit_test(steps),
        cmocka_unit_test(text_work),
        cmocka_unit_test(scratch),
        cmocka_unit_test(subject_bytes),
        cmocka_unit_test(runaway_patterns),
        cmocka_unit_test(format_precision),
        cmocka_unit_test(slot_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
