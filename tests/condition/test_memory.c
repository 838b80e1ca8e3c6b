/*
 * Memory: a run calls no allocator, whatever it computes; and wherever an allocation fails while
 * compiling, the compiler says so and leaves nothing behind. The allocator is this file's own, so
 * that it can count and refuse; under sanitizers, which have theirs, there is nothing to test.
 */
#include "tests/condition/unit.h"

#include <errno.h>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_realloc(void *at, size_t bytes);
extern void __libc_free(void *at);

static unsigned long taken, refuse_at; /* refuse_at 0: none */
static long live;                      /* blocks that are out */

/* Seen by the shared libraries too, although the build hides everything else. */
#define SEEN __attribute__((visibility("default")))

static bool refused(void)
{
    if (++taken != refuse_at)
        return false;
    errno = ENOMEM;
    return true;
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): glibc's are reserved names */
SEEN void *malloc(size_t bytes)
{
    void *at = refused() ? NULL : __libc_malloc(bytes);

    live += at != NULL;
    return at;
}

SEEN void *calloc(size_t count, size_t bytes)
{
    void *at = refused() ? NULL : __libc_calloc(count, bytes);

    live += at != NULL;
    return at;
}

SEEN void *realloc(void *before, size_t bytes)
{
    void *at = refused() ? NULL : __libc_realloc(before, bytes);

    live += at != NULL && before == NULL;
    return at;
}

SEEN void free(void *at)
{
    live -= at != NULL;
    __libc_free(at);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

/* Every instruction and every kind of function. */
static const char *const sources[] = {
    "semver('1.2.3-rc.1+b').isLessThan(semver(plan)) || ip('10.0.0.1') == ip(address)",
    "{'a': [1, version], ?'b': optional.of(plan)}.a[1] == -version && !(version in [1, 2])",
    "(version > 1 ? plan : email).size() > 0 && [?optional.none(), plan] == [plan]",
    "now.getHours('Europe/Berlin') > 1 && timestamp('2026-11-21T08:30:00Z') < now && b'a' != b'b'",
    "user.`a-b`.c == 1 || has(user.plan) || user.?x.y.orValue(2) == 2 || .plan == 'pro'",
    "optional.of(version).optMap(v, v + 1).optFlatMap(v, optional.of(v)).hasValue()",
    "cel.bind(v, version + 1, v * v) > 1 && tags.exists_one(i, t, t == 'a' && i == 0)",
    "plan.matches('^(?:\\\\w+|[a-z]{2,3})$*') && size(plan) == 3 && type(plan) == string",
    "domain in ['acme.com', 'globex.com'] && plan == 'pro' && version >= 42",
    "plan in ['a','b','c','d','e','f','g','h','i','j','k','pro'] || gone",
    "email.matches('^[a-z0-9._]+@(acme|globex)\\\\.(com|net)$')",
    "email.matches('(a|b)+@') || email.matches('^(([a-z])+.)+[A-Z]([a-z])+$')",
    "email.endsWith('@acme.com') && email.startsWith('b') && email.contains('@')",
    "email.split('@').map(p, p + '!').join('-').size() > 3",
    "tags.exists(t, t == 'b') && tags.all(t, t.size() == 1) && tags.exists_one(t, t == 'a')",
    "tags.filter(t, t > 'a') == ['b'] && tags.transformMap(i, t, i)[0] == 0",
    "'%s %d %.3f %x %b'.format([tags, version, 1.5, version, version])",
    "string(version) + string(1.5) + string(now) + string(duration('1s')) + string(version == 1)",
    "int(string(version)) + int(double(version)) + int(uint(version))",
    "double(string(1.25)) / 0.0 > double(version)",
    "now.getHours('Europe/Berlin') + now.getMonth() + now.getDayOfYear('+02:00')",
    "now + duration('1h') - now > duration('30m')",
    "timestamp('2026-01-01T00:00:00Z') < now && timestamp(string(now)) == now",
    "{'a': version, plan: tags}.?b.orValue(tags) == tags",
    "optional.of(version).optMap(v, v + 1).value() == version + 1",
    "cel.bind(v, version * 2, v + v)",
    "ip(address).isGlobalUnicast() && cidr('10.0.0.0/8').containsIP(address)",
    "string(cidr(address + '/12').masked())",
    "semver(string(version) + '.0.0').isLessThan(semver('100.0.0'))",
    "domain.under('acme.com') && domain(email) == 'acme.com'",
    "bucket(email, 'salt') < 100000 && bucket(version, 'salt') >= 0",
    "base64.decode(base64.encode(bytes(email))) == bytes(email)",
    "math.greatest(version, 1, 2) + math.bitShiftLeft(version, 2)",
    "email.replace('@', ' at ').upperAscii().reverse().trim().substring(1)",
    "gone.x || version / 0 > 1 || ip('x').isLoopback() || true",
    "email + 1",
    "gone && version / 0 == 1",
    "tags[7]",
    "{'a': 1}[plan]",
    "'%q'.format([version])",
};

static struct condition_value value_of(const char *path)
{
    static struct condition_value tags[2];
    struct condition_value list = {CONDITION_LIST, 0, 0, 2, {0}}, absent = {0};

    tags[0] = text_value("a");
    tags[1] = text_value("b");
    list.as.items = tags;
    if (strcmp(path, "domain") == 0)
        return text_value("acme.com");
    if (strcmp(path, "plan") == 0)
        return text_value("pro");
    if (strcmp(path, "version") == 0)
        return condition_int(42);
    if (strcmp(path, "email") == 0)
        return text_value("bob@acme.com");
    if (strcmp(path, "address") == 0)
        return text_value("10.20.30.40");
    if (strcmp(path, "tags") == 0)
        return list;
    return strcmp(path, "now") == 0 ? condition_timestamp(1790000000, 5) : absent;
}

static struct condition_env *open_env(void)
{
    struct condition_env *env = condition_env_new();

    if (env)
        condition_env_set_open(env, true);
    return env;
}

static void a_run_allocates_nothing(void **state)
{
    static _Alignas(16) char scratch[CONDITION_SCRATCH_DEFAULT];

    (void)state;
    for (size_t i = 0; i < COUNT(sources); i++) {
        struct condition_env *env = open_env();
        struct condition *cond = must_compile(env, sources[i]);
        struct condition_value slots[16], out;
        struct condition_diag diag;
        unsigned long before;
        struct condition_input in = {.slots = slots,
                                     .slot_count = condition_env_slot_count(env),
                                     .scratch = scratch,
                                     .scratch_bytes = sizeof scratch};
        assert_true(in.slot_count <= COUNT(slots));
        for (size_t k = 0; k < in.slot_count; k++)
            slots[k] = value_of(condition_env_slot_path(env, k));
        before = taken;
        for (int round = 0; round < 3; round++) {
            enum condition_status with = condition_run(cond, &in, &out, &diag);
            assert_int_equal(condition_run(cond, &in, &out, NULL), with);
            assert_true(with == CONDITION_OK || with == CONDITION_EVAL);
        }
        if (taken != before)
            fail_msg("%s: %lu allocations", sources[i], taken - before);
        condition_free(cond);
        condition_env_free(env);
    }
}

/* Compiles with the n-th allocation refused, for n = 1, 2, 3 ... until none was. */
static void every_failing_allocation_is_reported(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(sources); i++) {
        bool done = false;
        for (unsigned long n = 1; !done; n++) {
            struct condition_diag diag;
            struct condition *cond = NULL;
            enum condition_status status = CONDITION_NOMEM;
            long before = live;
            taken = 0;
            refuse_at = n;
            struct condition_env *env = open_env();
            if (env)
                status = condition_compile(env, sources[i], strlen(sources[i]), &cond, &diag);
            done = taken < n; /* none was refused */
            refuse_at = 0;
            if (done && status != CONDITION_OK)
                fail_msg("%s: %s", sources[i], diag.msg);
            /* PCRE2's JIT may go without memory: then the interpreter matches. */
            if (!done && status != CONDITION_NOMEM && status != CONDITION_OK)
                fail_msg("%s, allocation %lu: %s", sources[i], n, diag.msg);
            assert_true((status == CONDITION_OK) == (cond != NULL));
            condition_free(cond);
            condition_env_free(env);
            if (live != before)
                fail_msg("%s, allocation %lu: %ld blocks are left", sources[i], n, live - before);
        }
    }
}

static void ignore(void *ctx, uint32_t from, uint32_t to, unsigned depth,
                   const struct condition_value *value, const char *text)
{
    (void)ctx, (void)from, (void)to, (void)depth, (void)value, (void)text;
}

/* What allocates after compiling: printing again, and explaining. Each either succeeds, as without a
 * refusal, or says that memory ran out; and leaves nothing behind. */
static void print_and_explain_bear_it(void **state)
{
    static char text[4096], again[4096];
    static _Alignas(16) char scratch[CONDITION_SCRATCH_DEFAULT];

    (void)state;
    for (size_t i = 0; i < COUNT(sources); i++) {
        struct condition_env *env = open_env();
        struct condition *cond = must_compile(env, sources[i]);
        struct condition_value slots[32] = {0}, out;
        struct condition_diag diag;
        struct condition_input in = {.slots = slots,
                                     .slot_count = condition_env_slot_count(env),
                                     .scratch = scratch,
                                     .scratch_bytes = sizeof scratch};
        size_t len = condition_print(cond, text, sizeof text);
        enum condition_status wanted = condition_run(cond, &in, &out, &diag);
        bool done = false;

        for (unsigned long n = 1; !done; n++) {
            long before = live;
            taken = 0;
            refuse_at = n;
            size_t got = condition_print(cond, again, sizeof again);
            done = taken < n;
            refuse_at = 0;
            if (got != (done ? len : 0) || live != before)
                fail_msg("%s, printed with allocation %lu refused: %zu bytes", sources[i], n, got);
        }
        assert_string_equal(text, again);
        done = false;
        for (unsigned long n = 1; !done; n++) {
            long before = live;
            taken = 0;
            refuse_at = n;
            enum condition_status got = condition_explain(cond, &in, ignore, NULL, &out, &diag);
            done = taken < n;
            refuse_at = 0;
            if ((got != wanted && (done || got != CONDITION_NOMEM)) || live != before)
                fail_msg("%s, explained with allocation %lu refused: %d", sources[i], n, (int)got);
        }
        condition_free(cond);
        condition_env_free(env);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_allocates_nothing),
        cmocka_unit_test(every_failing_allocation_is_reported),
        cmocka_unit_test(print_and_explain_bear_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    puts("left out: counting allocations, the sanitizer has an allocator of its own");
    puts("0 passed, 0 failed");
    return 0;
}

#endif
