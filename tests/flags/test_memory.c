/*
 * Memory: an evaluation takes none, and wherever an allocation fails, building, checking and
 * explaining say so and leave nothing behind. The allocator is this file's own, so that it can
 * count and refuse; under sanitizers, which have theirs, there is nothing to test.
 */
#include "tests/flags/make.h"

#include "flags/world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
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

SEEN void *aligned_alloc(size_t alignment, size_t bytes)
{
    void *at = refused() ? NULL : __libc_memalign(alignment, bytes);

    live += at != NULL;
    return at;
}

SEEN void *realloc(void *before, size_t bytes)
{
    void *at = refused() ? NULL : __libc_realloc(before, bytes);

    live += before == NULL && at != NULL;
    return at;
}

SEEN void free(void *at)
{
    live -= at != NULL;
    __libc_free(at);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

static const char *const members[] = {
    "'fallthrough':{'ramp':{'percent':50,'split':{'on':50,'off':50}}},'bucket_by':'company.id'",
    "'individual':{'u1':'on','u2':'off'},'domains':{'acme.com':{'split':{'on':1,'off':99}},"
    "'*.acme.com':{'variant':'on'}}",
    "'rules':[{'name':'a','when':'plan == `pro` && level > 3','serve':{'variant':'on'}},"
    "{'when':'domain.under(`acme.com`)','serve':{'ramp':{'percent':5,'variant':'on'}}}]",
    "'rules':[{'when':'nothing > 3','serve':{'variant':'on'}}]",
    "'rules':[{'when':'nothing > 3','serve':{'variant':'on'},'on_error':'skip'}]",
    "'fallthrough':{'nonsense':1}",
    "'rules':[{'segment':'beta','serve':{'variant':'on'}},{'when':'segment(`staff`)','serve':{"
    "'variant':'on'}}]",
    "'prerequisites':[{'flag':'g','variants':['on']},{'flag':'a','variants':['on','off']}]",
    "'layer':{'key':'l','salt':'x','bucket_by':'company.id','ranges':[[0,20],[50,60]]},"
    "'fallthrough':{'split':{'on':[[0,20],[50,100]],'off':[[20,50]]}}",
};

#define SEGMENTS                                                                                   \
    "[{'key':'staff','keys':['ann','bob'],'domains':['acme.com','*.globex.com']},{'key':'beta',"   \
    "'when':'plan == `free` || segment(`staff`)'},{'key':'odd','when':'1 +'}]"

#define COUNT (sizeof members / sizeof members[0])

static struct json *make_document(void)
{
    struct json *document = make_json("{'format':1,'environment':'e','epoch':1,'revision':1}");
    struct json *flags = json_array();

    for (size_t i = 0; i < COUNT; i++) {
        struct json *flag = make_flag(members[i]);
        char key[] = {(char)('a' + i), '\0'};

        json_put_text(flag, "key", key);
        json_append(flags, flag);
    }
    json_put(document, "flags", flags);
    json_put(document, "segments", make_json(SEGMENTS));
    return document;
}

static const char context_text[] = "{'targetingKey':'u9','plan':'pro','level':9,'company':{'id':7},"
                                   "'domain':'x.acme.com'}";

static void an_evaluation_takes_no_memory(void **state)
{
    struct json *document = make_document(), *attributes = make_json(context_text);
    struct ruleset *rules = NULL;
    struct context *ctx = malloc(sizeof *ctx);
    struct decision decision;

    (void)state;
    assert_int_equal(ruleset_build(document, &rules, NULL), ERR_OK);
    assert_int_equal(context_init(ctx, rules, attributes, 0, NULL), ERR_OK);
    for (size_t i = 0; i < COUNT; i++) {
        unsigned long before = taken;

        evaluate_flag(rules, ruleset_at(rules, i), ctx, &decision);
        assert_int_equal(taken, before);
    }
    context_fini(ctx);
    ruleset_free(rules);
    free(ctx);
    json_free(attributes);
    json_free(document);
}

/* Builds, evaluates and explains while allocation `n` fails. Whether all went well. */
static bool build_and_ask(const struct json *document, const struct json *attributes)
{
    static struct context ctx;
    struct ruleset *rules = NULL;
    enum err_code rc = ruleset_build(document, &rules, NULL);
    bool good = rc == ERR_OK;

    if (!good) {
        assert_int_equal(rc, ERR_NOMEM);
        assert_null(rules);
        return false;
    }
    rc = context_init(&ctx, rules, attributes, 0, NULL);
    if (rc == ERR_OK) {
        for (size_t i = 0; i < COUNT; i++) {
            struct json *why = evaluate_explain(rules, ruleset_at(rules, i), &ctx);

            good = good && why != NULL;
            json_free(why);
        }
        context_fini(&ctx);
    } else {
        assert_int_equal(rc, ERR_NOMEM);
        good = false;
    }
    ruleset_free(rules);
    return good;
}

static void ignore(void *ctx, const char *variant, const char *where)
{
    (void)ctx;
    (void)variant;
    (void)where;
}

static const struct json *find_flag(void *ctx, const char *key)
{
    for (const struct json *at = json_first(ctx); at != NULL; at = json_next(at)) {
        if (strcmp(json_get_text(at, "key", ""), key) == 0)
            return at;
    }
    return NULL;
}

static bool check_and_list(const struct json *document, const struct json *attributes)
{
    struct flag_world world = {.segments = json_get(document, "segments"),
                               .flag = find_flag,
                               .ctx = json_get(document, "flags")};
    bool good = true;

    (void)attributes;
    for (const struct json *at = json_first(json_get(document, "flags")); at != NULL;
         at = json_next(at)) {
        bool usable = strcmp(json_get_text(at, "key", ""), "f") != 0;
        enum err_code checked = flag_check_in(at, &world, NULL);
        enum err_code listed = flag_outcomes_in(at, &world, ignore, NULL, NULL);

        assert_true(checked == ERR_NOMEM || checked == (usable ? ERR_OK : ERR_INVALID));
        assert_true(listed == ERR_NOMEM || listed == (usable ? ERR_OK : ERR_INVALID));
        good = good && checked != ERR_NOMEM && listed != ERR_NOMEM;
    }
    return good;
}

static void every_failed_allocation_is_survived(void **state)
{
    bool (*const work[])(const struct json *, const struct json *) = {build_and_ask,
                                                                      check_and_list};
    struct json *document = make_document(), *attributes = make_json(context_text);

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        unsigned long before, n = 0;
        long out;

        assert_true(work[i](document, attributes)); /* what is allocated once is there now */
        do {
            before = taken;
            out = live;
            refuse_at = taken + ++n;
            (void)work[i](document, attributes);
            refuse_at = 0;
            assert_int_equal(live, out);
        } while (taken - before >= n); /* else it ended before the n-th */
        assert_true(n > 20);
    }
    json_free(document);
    json_free(attributes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_evaluation_takes_no_memory),
        cmocka_unit_test(every_failed_allocation_is_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void nothing_to_test(void **state)
{
    (void)state;
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_to_test)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
