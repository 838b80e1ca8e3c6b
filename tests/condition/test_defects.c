/*
 * defects - one test for each class of defect that other evaluators in C were found to have: depth
 * without a bound, a length that wraps, a NUL that ends something early, going on after an error, a
 * hash that an attacker can fill, a built-in that does not check types, a read past the end of a
 * buffer that no NUL ends.
 */
#include "tests/condition/unit.h"

#include "condition/condition_json.h"
#include "condition/env.h"
#include "condition/limits.h"

#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static _Alignas(16) char scratch[1u << 16];

/* Compiles and runs source with every slot holding value; the result, or the status. */
static enum condition_status run(const char *source, size_t len,
                                 const struct condition_value *value, struct condition_value *out)
{
    struct condition_env *env = condition_env_new();
    struct condition_value slots[8];
    struct condition_diag diag;
    struct condition *cond = NULL;
    enum condition_status status;

    assert_non_null(env);
    condition_env_set_open(env, true);
    status = condition_compile(env, source, len, &cond, &diag);
    if (!status) {
        struct condition_input in = {.slots = slots,
                                     .slot_count = condition_env_slot_count(env),
                                     .scratch = scratch,
                                     .scratch_bytes = sizeof scratch};
        assert_true(in.slot_count <= COUNT(slots));
        for (size_t i = 0; i < COUNT(slots); i++)
            slots[i] = *value;
        status = condition_run(cond, &in, out, &diag);
    }
    if (status)
        assert_true(*diag.msg);
    condition_free(cond);
    condition_env_free(env);
    return status;
}

static void expect(const char *source, const struct condition_value *value,
                   enum condition_status wanted)
{
    struct condition_value out;
    enum condition_status status = run(source, strlen(source), value, &out);

    if (status != wanted)
        fail_msg("%s: %d, expected %d", source, (int)status, (int)wanted);
}

static void expect_bool(const char *source, const struct condition_value *value, bool wanted)
{
    struct condition_value out;

    if (run(source, strlen(source), value, &out) || out.kind != CONDITION_BOOL ||
        out.as.truth != wanted)
        fail_msg("%s is not %s", source, wanted ? "true" : "false");
}

/* ---- unbounded depth ---- */

/* Source as deep as it can be written, and values deeper than any document: each ends, none takes
 * the stack. */
static void depth_is_bounded(void **state)
{
    static const char *const openers[] = {"(",    "[",     "{1:",    "!",     "-",    "a[",
                                          "a.f(", "a?a:",  "has(",   "a?.b(", "[?a,", "{?a:",
                                          "a(",   "a.b[?", "(a)||(", "size("};
    static struct condition_value levels[20001];
    static char source[CEL_SOURCE_MAX];
    struct condition_value one = condition_int(1), out;

    (void)state;
    for (size_t i = 0; i < COUNT(openers); i++) {
        size_t n = strlen(openers[i]), len = 0;
        while (len + n < sizeof source) {
            memcpy(source + len, openers[i], n);
            len += n;
        }
        assert_int_not_equal(run(source, len, &one, &out), CONDITION_OK);
    }
    levels[0] = one;
    for (size_t i = 1; i < COUNT(levels); i++) {
        levels[i].kind = CONDITION_LIST;
        levels[i].size = 1;
        levels[i].as.items = &levels[i - 1];
    }
    const struct condition_value *deepest = &levels[COUNT(levels) - 1];
    (void)run("x == x", 6, deepest, &out);
    (void)run("x in [x, 1]", 11, deepest, &out);
    (void)run("string(type(x))", 15, deepest, &out);
    (void)run("'%s'.format([x])", 16, deepest, &out);
    (void)condition_value_print(deepest, scratch, sizeof scratch);
    json_free(condition_to_json(deepest));
}

/* ---- a length that can wrap ---- */

static void lengths_do_not_wrap(void **state)
{
    struct condition_value big = condition_string("abcdefgh", 8), out;
    struct condition_env *env = condition_env_new();
    struct condition *cond = NULL;
    struct condition_diag diag;

    (void)state;
    /* More than 32 bits of source: refused by its length, before a byte is read. */
    assert_int_equal(condition_compile(env, "1", SIZE_MAX, &cond, &diag), CONDITION_EXHAUSTED);
    assert_int_equal(condition_compile(env, "1", (size_t)UINT32_MAX + 2, &cond, &diag),
                     CONDITION_EXHAUSTED);
    assert_null(cond);
    condition_env_free(env);
    /* Sums of sizes near 2^32 (never read: they do not fit into the scratch), and wild positions. */
    big.size = UINT32_MAX - 8;
    assert_int_not_equal(run("x + x", 5, &big, &out), CONDITION_OK);
    big.kind = CONDITION_BYTES;
    assert_int_not_equal(run("x + x", 5, &big, &out), CONDITION_OK);
    assert_int_not_equal(run("base64.encode(x)", 16, &big, &out), CONDITION_OK);
    big.kind = CONDITION_LIST;
    assert_int_not_equal(run("x + x", 5, &big, &out), CONDITION_OK);
    assert_int_not_equal(run("x.map(v, v)", 11, &big, &out), CONDITION_OK);
    big = text_value("abc");
    expect("x.substring(9223372036854775807)", &big, CONDITION_EVAL);
    expect("x.substring(0, -9223372036854775807 - 1)", &big, CONDITION_EVAL);
    expect("x.charAt(4294967296)", &big, CONDITION_EVAL);
    expect("[1][4294967296]", &big, CONDITION_EVAL);
    expect("[1][dyn(18446744073709551615u)]", &big, CONDITION_EVAL);
    expect("x.replace('', x, 9223372036854775807) == ''", &big, CONDITION_OK);
    expect("x.matches('a{65537}')", &big, CONDITION_TYPE);
    expect("x.matches('a{4294967297}')", &big, CONDITION_TYPE);
    expect("'%.4294967297f'.format([1.0])", &big, CONDITION_EVAL);
}

/* ---- a NUL that ends something early ---- */

static void nul_ends_nothing(void **state)
{
    static const char with_nul[] = "a\0b";
    struct condition_value text = condition_string(with_nul, 3), out;
    struct condition_entry entries[] = {{condition_string("k\0x", 3), condition_int(1)},
                                        {condition_string("k", 1), condition_int(2)}};
    struct condition_value map = {CONDITION_MAP, 0, 0, 2, {.entries = entries}};

    (void)state;
    expect_bool("x == 'a'", &text, false);
    expect_bool("x == 'a\\000b'", &text, true);
    expect_bool("x.size() == 3 && x.endsWith('b') && x.contains('\\000')", &text, true);
    expect_bool("x.matches('^a$')", &text, false);
    expect_bool("x.matches('^a.b$')", &text, true);
    expect_bool("x.matches('^a\\\\x00b$')", &text, true);
    expect_bool("x in ['a']", &text, false);
    expect_bool("x.upperAscii() == 'A\\000B' && x + x == 'a\\000ba\\000b'", &text, true);
    expect_bool("x.split('\\000') == ['a', 'b']", &text, true);
    expect_bool("bytes(x) == b'a\\000b' && string(bytes(x)) == x", &text, true);
    expect_bool("x['k'] == 2 && x['k\\000x'] == 1", &map, true);
    expect_bool("bucket(x, 's') == bucket('a', 's')", &text, false);
    expect("domain(x)", &text, CONDITION_EVAL);
    /* ... nor the source */
    assert_int_equal(run("true\0|| oops oops", 17, &text, &out), CONDITION_SYNTAX);
    assert_int_equal(run("'a\0b'.size() == 3", 17, &text, &out), CONDITION_OK);
    assert_true(out.as.truth);
}

/* ---- going on after an error ---- */

/* An error ends the evaluation of what it stands in, whatever stands around it; only && and ||
 * take it up, and no limit. The result is left alone. */
static void an_error_ends_it(void **state)
{
    static const char *const sources[] = {
        "(1 / x) + 1 == 1",
        "[1 / x, 1].size() == 2",
        "{'a': 1 / x}.size() == 1",
        "type(1 / x) == int",
        "(1 / x) == (1 / x)",
        "(1 / x) in [1]",
        "(1 / x > 0) ? true : true",
        "string(1 / x) == ''",
        "[1].all(v, v / x == 0)",
        "[1].map(v, v / x) == [1]",
        "optional.of(1 / x) != optional.none()",
        "{1 / x: 1}.size() == 1",
        "!(1 / x == 0)",
        "-(1 / x) == 0",
        "(1 / x == 0) == (1 / x == 0)",
        "[1 / x].exists(v, true)",
        "'%d'.format([1 / x]) == ''",
        "cel.bind(v, 1 / x, v == 1)",
        "optional.none().orValue(1 / x) == 1",
    };
    struct condition_value zero = condition_int(0);

    (void)state;
    for (size_t i = 0; i < COUNT(sources); i++) {
        struct condition_value out = condition_int(77);
        if (run(sources[i], strlen(sources[i]), &zero, &out) != CONDITION_EVAL)
            fail_msg("%s is no error", sources[i]);
        assert_int_equal(out.kind, CONDITION_INT);
        assert_int_equal(out.as.i, 77);
    }
    expect_bool("1 / x > 0 || true", &zero, true);
    expect_bool("1 / x > 0 && false", &zero, false);
    expect("1 / x > 0 || false", &zero, CONDITION_EVAL);
}

/* ---- a hash without a seed ---- */

/* Tables are made of the condition's own constants and the environment's names alone, and never
 * grow with a request; and even names and constants that collide cost no more than a list of as
 * many. So there is nothing an attacker could fill: attributes are looked up in order. Many keys
 * and constants of one length and one beginning take no longer than their number says. */
static void nothing_hashes_what_strangers_send(void **state)
{
    static char source[CEL_SOURCE_MAX], names[1200][9];
    static struct condition_entry entries[20000];
    static char keys[20000][12];
    struct condition_value map = {CONDITION_MAP, 0, 0, COUNT(entries), {.entries = entries}}, out;
    struct timespec began, ended;
    size_t len = 0;

    (void)state;
    len += (size_t)snprintf(source, sizeof source, "x in [");
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(names[i], sizeof names[i], "%04x", (unsigned)(i * 16u % 65536u));
        len +=
            (size_t)snprintf(source + len, sizeof source - len, "%s'%s'", i ? "," : "", names[i]);
    }
    len += (size_t)snprintf(source + len, sizeof source - len, "]");
    for (size_t i = 0; i < COUNT(entries); i++) {
        snprintf(keys[i], sizeof keys[i], "key%08zu", i);
        entries[i].key = condition_string(keys[i], 11);
        entries[i].value = condition_int((int64_t)i);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &began);
    for (size_t i = 0; i < COUNT(names); i += 50) {
        struct condition_value text = text_value(names[i]);
        assert_int_equal(run(source, len, &text, &out), CONDITION_OK);
        assert_true(out.as.truth);
    }
    expect_bool("x['key00019999'] == 19999", &map, true);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
    assert_true(ended.tv_sec - began.tv_sec < 5);
}

/* ---- a missing type check in a built-in ---- */

/* Each function and operator with each kind of value in each place, types left open: a result or an
 * error, and never one kind's bytes taken for another's. Under the sanitizers this sees more. */
static void built_ins_check_types(void **state)
{
    static const char *const calls[] = {
        "size(x)",
        "x.size()",
        "x.contains(y)",
        "x.startsWith(y)",
        "x.endsWith(y)",
        "x.matches('a')",
        "bool(x)",
        "int(x)",
        "uint(x)",
        "double(x)",
        "string(x)",
        "bytes(x)",
        "timestamp(x)",
        "duration(x)",
        "type(x)",
        "dyn(x)",
        "x.getFullYear()",
        "x.getMonth(y)",
        "x.getHours(y)",
        "x.getMilliseconds()",
        "optional.of(x)",
        "optional.ofNonZeroValue(x)",
        "x.hasValue()",
        "x.value()",
        "x.or(y)",
        "x.orValue(y)",
        "x.charAt(y)",
        "x.indexOf(y)",
        "x.indexOf(y, y)",
        "x.lastIndexOf(y, y)",
        "x.lowerAscii()",
        "x.upperAscii()",
        "x.replace(y, y)",
        "x.replace(y, y, y)",
        "x.split(y)",
        "x.split(y, y)",
        "x.join()",
        "x.join(y)",
        "x.substring(y)",
        "x.substring(y, y)",
        "x.trim()",
        "x.reverse()",
        "strings.quote(x)",
        "x.format(y)",
        "'%s'.format([x])",
        "'%d'.format([x])",
        "'%x'.format([x])",
        "'%o'.format([x])",
        "'%b'.format([x])",
        "'%f'.format([x])",
        "'%e'.format([x])",
        "math.greatest(x, y)",
        "math.least(x)",
        "math.ceil(x)",
        "math.floor(x)",
        "math.round(x)",
        "math.trunc(x)",
        "math.abs(x)",
        "math.sign(x)",
        "math.isNaN(x)",
        "math.isInf(x)",
        "math.isFinite(x)",
        "math.bitAnd(x, y)",
        "math.bitOr(x, y)",
        "math.bitXor(x, y)",
        "math.bitNot(x)",
        "math.bitShiftLeft(x, y)",
        "math.bitShiftRight(x, y)",
        "math.sqrt(x)",
        "base64.encode(x)",
        "base64.decode(x)",
        "ip(x)",
        "isIP(x)",
        "ip.isCanonical(x)",
        "x.family()",
        "x.isLoopback()",
        "cidr(x)",
        "isCIDR(x)",
        "x.containsIP(y)",
        "x.containsCIDR(y)",
        "x.masked()",
        "x.prefixLength()",
        "semver(x)",
        "isSemver(x)",
        "x.isLessThan(y)",
        "x.isGreaterThan(y)",
        "x.compareTo(y)",
        "x.major()",
        "domain(x)",
        "x.under('a.com')",
        "x.matches_domain('a.com')",
        "bucket(x, y)",
        "segment(x)",
        "x + y",
        "x - y",
        "x * y",
        "x / y",
        "x % y",
        "-x",
        "!x",
        "x == y",
        "x < y",
        "x >= y",
        "x in y",
        "x[y]",
        "x[?y]",
        "x.a",
        "x.?a",
        "has(x.a)",
        "x && y",
        "x || y",
        "x ? y : x",
        "x.all(v, v)",
        "x.map(v, v)",
        "x.filter(v, v)",
        "x.exists_one(v, v)",
        "x.transformMap(k, v, v)",
        "x.transformMapEntry(k, v, v)",
        "x.optMap(v, v)",
        "x.optFlatMap(v, v)",
        "[?x]",
        "{?'a': x}",
        "{x: y}",
        "x == 1",
        "x < 'a'",
        "x in ['a', 'b']",
        "x in [1, 2]",
        "x.contains('a')",
        "x.endsWith('a') && y",
        "x > 1 || y",
    };
    static const char *const kinds[] = {
        "null",
        "true",
        "1",
        "-1",
        "2u",
        "1.5",
        "0.0 / 0.0",
        "'abc'",
        "'10.0.0.1'",
        "'1.2.3'",
        "b'\\xff'",
        "[]",
        "[1, 'a']",
        "{}",
        "{'a': 1}",
        "timestamp(0)",
        "duration('1s')",
        "int",
        "optional.none()",
        "optional.of(1)",
        "ip('10.0.0.1')",
        "cidr('10.0.0.0/8')",
        "semver('1.2.3')",
    };
    struct condition_env *env = condition_env_new();
    struct condition *makers[COUNT(kinds)];
    struct condition_value values[COUNT(kinds)], slots[2], out;
    size_t results = 0, errors = 0;
    struct condition_diag diag;
    char printed[300];

    (void)state;
    condition_env_set_check(env, false);
    condition_env_set_open(env, true);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct condition_input in = {0};
        makers[i] = must_compile(env, kinds[i]);
        assert_int_equal(condition_run(makers[i], &in, &values[i], &diag), CONDITION_OK);
    }
    for (size_t c = 0; c < COUNT(calls); c++) {
        struct condition_env *own = condition_env_new();
        struct condition *cond;
        condition_env_set_check(own, false);
        condition_env_set_open(own, true);
        cond = must_compile(own, calls[c]);
        struct condition_input in = {.slots = slots,
                                     .slot_count = condition_env_slot_count(own),
                                     .scratch = scratch,
                                     .scratch_bytes = sizeof scratch};
        for (size_t x = 0; x < COUNT(kinds); x++)
            for (size_t y = 0; y < COUNT(kinds); y++) {
                enum condition_status status;
                for (size_t s = 0; s < in.slot_count; s++)
                    slots[s] = values[*condition_env_slot_path(own, s) == 'x' ? x : y];
                memset(&out, 0xFF, sizeof out);
                status = condition_run(cond, &in, &out, &diag);
                if (status) {
                    assert_true(*diag.msg);
                    errors++;
                } else {
                    assert_true(out.kind > CONDITION_ABSENT && out.kind < CONDITION_DYN);
                    assert_true(condition_value_print(&out, printed, sizeof printed) > 0);
                    results++;
                }
            }
        condition_free(cond);
        condition_env_free(own);
    }
    assert_true(results > 1000 && errors > 10000);
    for (size_t i = 0; i < COUNT(kinds); i++)
        condition_free(makers[i]);
    condition_env_free(env);
}

/* Whether a function takes count arguments, its receiver among them. */
static bool takes(const struct cel_function *f, uint32_t count)
{
    for (const struct cel_overload *o = f->overloads; o; o = o->next)
        if (o->variadic ? count > 0 : o->param_count == count)
            return true;
    return false;
}

static enum condition_status call_with(const char *name, uint32_t count, const char *arg)
{
    struct condition_env *env = condition_env_new();
    struct condition_value slots[4], out;
    struct condition_diag diag;
    struct condition *cond;
    enum condition_status status;
    char source[300];
    size_t at = (size_t)snprintf(source, sizeof source, "%s(", name);

    for (uint32_t i = 0; i < count; i++)
        at += (size_t)snprintf(source + at, sizeof source - at, "%s%s", i ? ", " : "", arg);
    snprintf(source + at, sizeof source - at, ")");
    condition_env_set_check(env, false);
    condition_env_set_open(env, true);
    condition_env_set_dynamic_patterns(env, true);
    cond = must_compile(env, source);
    struct condition_input in = {.slots = slots,
                                 .slot_count = condition_env_slot_count(env),
                                 .scratch = scratch,
                                 .scratch_bytes = sizeof scratch};
    for (size_t i = 0; i < COUNT(slots); i++)
        slots[i] = condition_string("abc", 3);
    status = condition_run(cond, &in, &out, &diag);
    condition_free(cond);
    condition_env_free(env);
    return status;
}

/* Every function with as many arguments as it does not take, down to none, where nobody checked:
 * what stands on the stack beyond its arguments is not its own. */
static void built_ins_check_how_many(void **state)
{
    static const char *const args[] = {"x", "'abc'", "[1]", "{}", "1", "optional.of(1)"};
    struct condition_env *env = condition_env_new();
    size_t functions = 0, calls = 0;

    (void)state;
    for (size_t i = 0; i < CEL_FUNCTION_BUCKETS; i++)
        for (const struct cel_function *f = env->functions[i]; f; f = f->next) {
            functions++;
            for (uint32_t count = 0; count <= 5; count++)
                for (size_t a = 0; a < COUNT(args) && !takes(f, count); a++, calls++)
                    if (call_with(f->name.at, count, args[a]) != CONDITION_EVAL)
                        fail_msg("%s() of %u %s", f->name.at, (unsigned)count, args[a]);
        }
    assert_true(functions > 80 && calls > 2000);
    condition_env_free(env);
}

/* ---- a read past an unterminated buffer ---- */

/* Source and texts end where a page ends that cannot be followed by a read. */
static void nothing_is_read_past_the_end(void **state)
{
    static const char *const sources[] = {
        "true",
        "1",
        "0x1F",
        "1.5",
        "1e5",
        "'a'",
        "b'a'",
        "r'\\d'",
        "x.y",
        "[1]",
        "{1: 2}",
        "x ? 1 : 2",
        "0x",
        "1e",
        "1.",
        "'a",
        "'''a",
        "'''a''",
        "'\\",
        "'\\x4",
        "'\\u00e",
        "'\\U0001F60",
        "'\\12",
        "r'\\",
        "`a",
        "x.`a-b`",
        "//",
        "1 // note",
        "a &",
        "a |",
        "a =",
        "a <",
        "rb",
        "b",
        "x.matches('[')",
        "x.matches('\\\\')",
        "x.matches('(?')",
        "x.matches('[[:alpha')",
        "x.matches('a{1,')",
        "x.matches('\\\\p{')",
        "x.matches('\\\\x{4')",
        "'%'.format([1])",
        "'%.'.format([1])",
        "x.y\xE2\x82",
        "'\xC3",
    };
    static const char *const texts[] = {"",
                                        "a",
                                        "\xC3\xA9",
                                        "1",
                                        "1.",
                                        "1e",
                                        "-",
                                        "2026-11-21T08:30:00",
                                        "2026-11-21T08:30:00.",
                                        "1h3",
                                        "10.0.0",
                                        "10.0.0.0/",
                                        "::",
                                        "1.2.",
                                        "a@",
                                        "xn--",
                                        "aGk",
                                        "%",
                                        "%.",
                                        "+02:0",
                                        "true",
                                        "tru"};
    static const char *const uses[] = {
        "int(x)",
        "uint(x)",
        "double(x)",
        "bool(x)",
        "bytes(x)",
        "timestamp(x)",
        "duration(x)",
        "ip(x)",
        "cidr(x)",
        "semver(x)",
        "domain(x)",
        "base64.decode(x)",
        "x.format([1])",
        "x.matches('a$|b')",
        "x.matches('^[a-z]+$')",
        "x == 'true'",
        "x in ['tru', 'a', 'true']",
        "x.startsWith('true!')",
        "x.endsWith('true!')",
        "x.contains('e!')",
        "x.under('a.com')",
        "x.split('')",
        "x.reverse()",
        "x.trim()",
        "x.substring(1)",
        "timestamp(0).getHours(x)",
        "x.upperAscii()",
        "strings.quote(x)",
        "x < 'b'",
        "bucket(x, x)",
        "x.indexOf('e!')",
        "x + x",
    };
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *end = pages + page;
    struct condition_value one = condition_int(1), out;

    (void)state;
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(end, page, PROT_NONE), 0);
    for (size_t i = 0; i < COUNT(sources); i++) {
        size_t len = strlen(sources[i]);
        memcpy(end - len, sources[i], len);
        (void)run(end - len, len, &one, &out);
    }
    for (size_t i = 0; i < COUNT(texts); i++)
        for (size_t k = 0; k < COUNT(uses); k++) {
            size_t len = strlen(texts[i]);
            struct condition_value text = condition_string(end - len, len);
            memcpy(end - len, texts[i], len);
            (void)run(uses[k], strlen(uses[k]), &text, &out);
        }
    munmap(pages, 2 * page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(lengths_do_not_wrap),
        cmocka_unit_test(nul_ends_nothing),
        cmocka_unit_test(an_error_ends_it),
        cmocka_unit_test(nothing_hashes_what_strangers_send),
        cmocka_unit_test(built_ins_check_types),
        cmocka_unit_test(built_ins_check_how_many),
        cmocka_unit_test(nothing_is_read_past_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
