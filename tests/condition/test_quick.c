/*
 * The short way (condition/quick.h) and the bytecode say the same: value, status, message and place,
 * for the expressions of all case files and for generated ones, over values that are near to the
 * constants of each. Every text lies in a block of just its size, for the sanitizer to guard.
 */
#include "tests/condition/unit.h"

#include <dirent.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "condition/explain.h"
#include "condition/program.h"

#define CASES_BYTES_MAX (64u << 20)
#define SLOTS_MAX 16u
#define POOL_MAX 400u
#define SCRATCH_BYTES 4096u
#define PROGRAMS 6000u /* generated */
#define CONTEXTS 24u   /* of each */

/* ---- chance, the same in every run ---- */

static uint64_t chance_state = 88172645463325252u;

static unsigned chance(size_t below)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (unsigned)((chance_state >> 11) % below);
}

/* ---- values ---- */

static struct condition_value pool[POOL_MAX];
static size_t pool_count, pool_fixed;
static char *blocks[POOL_MAX];
static size_t block_count;

static void offer(struct condition_value v)
{
    if (pool_count < POOL_MAX)
        pool[pool_count++] = v;
}

/* A string of first and rest in a block of its own. */
static void offer_text(const char *first, size_t first_len, const char *rest, size_t rest_len)
{
    size_t len = first_len + rest_len;
    char *block;

    if (block_count == POOL_MAX || pool_count == POOL_MAX)
        return;
    block = malloc(len ? len : 1);
    assert_non_null(block);
    if (first_len)
        memcpy(block, first, first_len);
    if (rest_len)
        memcpy(block + first_len, rest, rest_len);
    blocks[block_count++] = block;
    offer(condition_string(block, len));
}

static struct condition_value plain(enum condition_kind kind)
{
    struct condition_value v;

    memset(&v, 0, sizeof v);
    v.kind = (uint8_t)kind;
    return v;
}

static void offer_near(const struct condition_value *k)
{
    char text[300];
    size_t len = k->size < 256 ? k->size : 256;
    struct condition_value v = *k;

    switch (k->kind) {
    case CONDITION_INT:
        for (int by = -1; by <= 1; by++)
            offer(condition_int((int64_t)((uint64_t)k->as.i + (uint64_t)by)));
        offer(condition_double((double)k->as.i));
        v.kind = CONDITION_UINT;
        offer(v);
        return;
    case CONDITION_LIST:
        for (uint32_t i = 0; i < k->size && i < 12; i++)
            offer_near(&k->as.items[i]);
        offer(v);
        return;
    case CONDITION_STRING: break;
    default: offer(v); return;
    }
    memcpy(text, k->as.bytes, len);
    offer_text(text, len, "", 0);
    offer_text(text, len, "x", 1);
    offer_text("x", 1, text, len);
    offer_text("a.", 2, text, len);
    offer_text("what comes before it ", 21, text, len);
    if (len == 0)
        return;
    offer_text(text, len - 1, "", 0);
    text[chance(len)] ^= 0x20;
    offer_text(text, len, "", 0);
    text[0] ^= 1;
    offer_text(text, len, "", 0);
    text[0] ^= 1;
    text[len - 1] ^= 1;
    offer_text(text, len, "", 0);
    v.kind = CONDITION_BYTES;
    offer(v);
}

/* What any attribute may be; stays between programs. */
static void offer_ordinary(void)
{
    static struct condition_value items[2];
    static struct condition_entry entries[1];
    static char long_text[200000];
    struct condition_value v;

    memset(long_text, 'a', sizeof long_text);
    items[0] = condition_int(1);
    items[1] = text_value("pro");
    entries[0].key = text_value("plan");
    entries[0].value = text_value("pro");
    for (int i = 0; i < 8; i++) /* mostly there */
        offer(plain(CONDITION_ABSENT));
    offer(plain(CONDITION_NULL));
    offer(condition_bool(true));
    offer(condition_bool(false));
    offer(condition_int(0));
    offer(condition_int(INT64_MAX));
    offer(condition_int(INT64_MIN));
    offer(condition_double(0.5));
    offer(condition_double((double)(0.0f / 0.0f)));
    offer(condition_timestamp(1790000000, 5));
    offer(condition_duration(3600, 0));
    v = plain(CONDITION_LIST);
    v.size = 2;
    v.as.items = items;
    offer(v);
    v = plain(CONDITION_MAP);
    v.size = 1;
    v.as.entries = entries;
    offer(v);
    offer(text_value(""));
    offer(text_value("bob@acme.com"));
    offer(text_value("Mail.ACME.com"));
    offer(text_value("m\xC3\xBCller.de"));
    offer(condition_string(long_text, 4096));
    offer(condition_string(long_text, 4097));
    offer(condition_string(long_text, 50009));
    offer(condition_string(long_text, sizeof long_text));
    pool_fixed = pool_count;
}

static void forget_near(void)
{
    while (block_count)
        free(blocks[--block_count]);
    pool_count = pool_fixed;
}

/* ---- both ways ---- */

static size_t compared, answered, errors;

static bool is_quick(const struct condition *cond)
{
    return cond->quick->test != cel_quick_give_up;
}

static void compare(const struct condition *cond, const struct condition_input *in)
{
    static _Alignas(16) char scratch[SCRATCH_BYTES];
    struct condition_input input = *in;
    struct condition_value one = condition_int(7), other = condition_int(7);
    struct condition_diag said, meant;
    enum condition_status is, wanted;

    memset(&said, 0, sizeof said);
    memset(&meant, 0, sizeof meant);
    input.scratch = scratch;
    input.scratch_bytes = sizeof scratch;
    is = condition_run(cond, &input, &one, &said);
    wanted = cel_run_noting(cond, &input, &other, &meant, NULL);
    if (is != wanted || one.kind != other.kind)
        fail_msg("%s: status %d, not %d; kind %d, not %d (%s)", condition_source(cond), is, wanted,
                 one.kind, other.kind, meant.msg);
    compared++;
    errors += wanted != CONDITION_OK;
    if (wanted != CONDITION_OK) {
        assert_string_equal(said.msg, meant.msg);
        assert_int_equal(said.from, meant.from);
        assert_int_equal(said.to, meant.to);
    } else {
        answered += is_quick(cond) && one.kind == CONDITION_BOOL;
        if (!condition_equal(&one, &other) && one.kind == CONDITION_BOOL)
            fail_msg("%s: %d, not %d", condition_source(cond), one.as.truth, other.as.truth);
    }
    /* without a message too */
    assert_int_equal(condition_run(cond, &input, &one, NULL), wanted);
}

static void compare_often(const struct condition *cond, const struct condition_env *env,
                          unsigned times)
{
    struct condition_value slots[SLOTS_MAX];
    struct condition_input in = {.slots = slots, .slot_count = condition_env_slot_count(env)};

    if (in.slot_count > SLOTS_MAX)
        return;
    for (uint32_t i = 0; i < cond->const_count; i++)
        offer_near(&cond->consts[i]);
    for (uint32_t i = 0; i < cond->set_count; i++)
        offer_near(&cond->sets[i].items[0]);
    for (unsigned turn = 0; turn < times; turn++) {
        for (size_t i = 0; i < in.slot_count; i++) /* most of the values are near ones */
            slots[i] = pool_count > pool_fixed && chance(4)
                           ? pool[pool_fixed + chance(pool_count - pool_fixed)]
                           : pool[chance(pool_fixed)];
        compare(cond, &in);
    }
    if (in.slot_count) { /* too few slots are noticed before all */
        in.slot_count = 0;
        compare(cond, &in);
    }
    forget_near();
}

/* ---- what is quick ---- */

static void simple_tests_are_quick(void **state)
{
    static const struct {
        const char *source;
        bool quick;
    } cases[] = {
        {"a == 'x'", true},
        {"'x' != a", true},
        {"a", true},
        {"!a", true},
        {"a == 1 || b > 2 && c <= 3.5", true},
        {"!(a in ['x', 'yy', 'zzzzzzzz']) && b in [1, 2u, true]", true},
        {"a in ['1','2','3','4','5','6','7','8','9','10']", true},
        {"a.startsWith('x') && a.endsWith('y') && !a.contains('z')", true},
        {"a.matches('^x') || a.matches('[0-9]+x')", true},
        {"a.under('acme.com') || a.matches_domain('*.acme.com')", true},
        {"has(a.b) && a.b == null", true},
        {"a ? b == 1 : c == 2", true},
        {"a == timestamp('2026-01-01T00:00:00Z') || a < duration('1h')", true},
        {"a in []", false},
        {"a == b", false},
        {"a + 1 == 2", false},
        {"a == [1]", false},
        {"a.size() == 1", false},
        {"a.all(x, x)", false},
        {"true", false},
        {"1", false},
        {"a == 1 && b[0]", false},
        {"[a == 1]", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct condition_env *env = condition_env_new();
        struct condition *cond;

        condition_env_set_open(env, true);
        cond = must_compile(env, cases[i].source);
        if (is_quick(cond) != cases[i].quick)
            fail_msg("%s is %squick", cases[i].source, cases[i].quick ? "not " : "");
        compare_often(cond, env, 2000);
        condition_free(cond);
        condition_env_free(env);
    }
}

static void as_many_tests_as_fit(void **state)
{
    char source[64 + 16 * QUICK_TESTS_MAX] = "a == 0";
    struct condition_env *env = condition_env_new();

    (void)state;
    condition_env_set_open(env, true);
    for (unsigned tests = 2; tests <= QUICK_TESTS_MAX + 1; tests++) {
        struct condition *cond;

        snprintf(source + strlen(source), 16, " || a == %u", tests);
        cond = must_compile(env, source);
        assert_int_equal(is_quick(cond), tests <= QUICK_TESTS_MAX);
        compare_often(cond, env, 20);
        condition_free(cond);
    }
    condition_env_free(env);
}

/* ---- the case files ---- */

static size_t files;

static void run_file(const char *path)
{
    struct json *document = NULL;
    struct err err = {0};
    char *text = NULL, *at;
    size_t len = 0;

    if (file_read(path, CASES_BYTES_MAX, &text, &len, &err))
        fail_msg("%s: %s", path, err.msg);
    while ((at = strstr(text, "\\u0000")) != NULL) /* base/json.h keeps NUL out */
        at[5] = '1';
    if (json_parse(text, len, &document, &err))
        fail_msg("%s: %s", path, err.msg);
    free(text);
    for (const struct json *test = json_first(json_get(document, "tests")); test;
         test = json_next(test)) {
        const char *expr = json_get_text(test, "expr", "");
        struct condition_env *env = condition_env_new();
        struct condition *cond = NULL;

        condition_env_set_open(env, true);
        condition_env_set_check(env, false);
        if (condition_compile(env, expr, strlen(expr), &cond, NULL) == CONDITION_OK)
            compare_often(cond, env, 40);
        condition_free(cond);
        condition_env_free(env);
    }
    json_free(document);
    files++;
}

static void case_files_agree(void **state)
{
    const char *shared = getenv("SHARED");
    DIR *folder = opendir("tests/condition");
    char path[4096];

    (void)state;
    if (!folder) {
        print_message("left out: the case files are found from the top of the tree\n");
        skip();
        return;
    }
    for (const struct dirent *entry = readdir(folder); entry; entry = readdir(folder)) {
        size_t n = strlen(entry->d_name);
        if (n < 5 || strcmp(entry->d_name + n - 5, ".json") != 0)
            continue;
        snprintf(path, sizeof path, "tests/condition/%s", entry->d_name);
        run_file(path);
    }
    closedir(folder);
    assert_true(files > 10);
    snprintf(path, sizeof path, "%s/conformance/cel.json", shared ? shared : "../shared");
    if (access(path, R_OK) == 0)
        run_file(path);
    else
        print_message("left out: the official CEL cases (%s is not there)\n", path);
}

/* ---- generated conditions ---- */

static char source[4096];

static void add(const char *text)
{
    size_t used = strlen(source);

    snprintf(source + used, sizeof source - used, "%s", text);
}

static const char *any(const char *const *of, size_t count)
{
    return of[chance(count)];
}

static const char *const names[] = {"a", "b", "c", "d.e", "d.f"};
static const char *const strings[] = {
    "''",
    "'x'",
    "'\xC3\xA9'",
    "'pro'",
    "'plan'",
    "'seven77'",
    "'acme.com'",
    "'fifteen letters'",
    "'@'",
    "'sixteen letters!'",
    "'seventeen letters'",
    "'more than what is compared by loads'",
};
static const char *const scalars[] = {
    "0",
    "1",
    "42",
    "-9223372036854775808",
    "9223372036854775807",
    "7u",
    "0.5",
    "-1e300",
    "true",
    "false",
    "null",
    "timestamp('2026-01-01T00:00:00Z')",
    "duration('90s')",
    "b'pro'",
    "[1, 'x']",
};
static const char *const patterns[] = {
    "'pro'", "'^pro'", "'o$'", "'^plan$'", "'^[a-z]+$'", "'(x|y)@'", "'a+b+a+b+$'", "''",
};
static const char *const domains[] = {"'acme.com'", "'*.acme.com'", "'ACME.com'", "'com'"};

static void add_list(const char *const *of, size_t count)
{
    add("[");
    for (unsigned i = 0, n = chance(12); i < n; i++) {
        add(i ? ", " : "");
        add(any(of, count));
    }
    add("]");
}

static void add_test(void)
{
    static const char *const orders[] = {" == ", " != ", " < ", " <= ", " > ", " >= "};
    static const char *const calls[] = {".startsWith(", ".endsWith(", ".contains("};
    const char *name = any(names, COUNT(names));

    if (chance(12) == 0) {
        add("has(d.e)");
        return;
    }
    add(name);
    switch (chance(9)) {
    case 0: break;
    case 1:
    case 2:
        add(any(orders, 2));
        add(any(strings, COUNT(strings)));
        break;
    case 3:
        add(any(orders, COUNT(orders)));
        add(chance(3) ? any(scalars, COUNT(scalars)) : any(strings, COUNT(strings)));
        break;
    case 4:
        add(" in ");
        add_list(strings, COUNT(strings));
        break;
    case 5:
        add(" in ");
        add_list(scalars, COUNT(scalars));
        break;
    case 6:
        add(any(calls, COUNT(calls)));
        add(any(strings, COUNT(strings)));
        add(")");
        break;
    case 7:
        add(".matches(");
        add(any(patterns, COUNT(patterns)));
        add(")");
        break;
    default:
        add(chance(2) ? ".under(" : ".matches_domain(");
        add(any(domains, COUNT(domains)));
        add(")");
    }
}

static void add_tree(unsigned depth)
{
    unsigned shape = depth ? chance(8) : 0;

    if (shape < 2) {
        add(shape ? "!(" : "(");
        add_test();
        add(")");
    } else if (shape < 7) {
        const char *joint = shape < 5 ? " && " : " || ";
        add("(");
        for (unsigned i = 0, n = 2 + chance(3); i < n; i++) {
            add(i ? joint : "");
            add_tree(depth - 1);
        }
        add(")");
    } else {
        add("(");
        add_tree(depth - 1);
        add(" ? ");
        add_tree(depth - 1);
        add(" : ");
        if (chance(4))
            add_tree(depth - 1);
        else
            add(chance(2) ? "true" : "false");
        add(")");
    }
}

static void generated_conditions_agree(void **state)
{
    size_t quick = 0, programs = 0;

    (void)state;
    compared = answered = errors = 0;
    for (unsigned i = 0; i < PROGRAMS; i++) {
        struct condition_env *env = condition_env_new();
        struct condition *cond = NULL;

        condition_env_set_open(env, true);
        condition_env_set_check(env, false);
        *source = '\0';
        add_tree(i % 4);
        if (condition_compile(env, source, strlen(source), &cond, NULL) == CONDITION_OK) {
            programs++;
            quick += is_quick(cond);
            compare_often(cond, env, CONTEXTS);
        }
        condition_free(cond);
        condition_env_free(env);
    }
    print_message("%zu conditions, %zu of them quick; %zu runs, %zu answers of quick ones, "
                  "%zu errors\n",
                  programs, quick, compared, answered, errors);
    assert_true(quick > PROGRAMS / 4);
    assert_true(answered > PROGRAMS);
    assert_true(errors > PROGRAMS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple_tests_are_quick),
        cmocka_unit_test(as_many_tests_as_fit),
        cmocka_unit_test(case_files_agree),
        cmocka_unit_test(generated_conditions_agree),
    };

    offer_ordinary();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
