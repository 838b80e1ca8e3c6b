/*
 * What bench-condition measures is what it says: each form answers as hand-written C does, the
 * pattern reaches PCRE2 once an evaluation (and is not turned into operations on strings), and an
 * evaluation allocates nothing. pcre2_jit_match() is this file's own, which counts and calls the
 * library's; so is the allocator.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "tests/condition/bench/allocations.h"
#include "tests/condition/bench/rules.h"

static unsigned long matches;

int pcre2_jit_match(const pcre2_code *code, PCRE2_SPTR subject, PCRE2_SIZE len, PCRE2_SIZE from,
                    uint32_t options, pcre2_match_data *data, pcre2_match_context *context)
{
    static int (*library)(const pcre2_code *, PCRE2_SPTR, PCRE2_SIZE, PCRE2_SIZE, uint32_t,
                          pcre2_match_data *, pcre2_match_context *);

    if (library == NULL) {
        void *found = dlsym(RTLD_NEXT, "pcre2_jit_match_8");

        memcpy(&library, &found, sizeof library);
    }
    matches++;
    return library(code, subject, len, from, options, data, context);
}

/* One evaluation: its answer, and what it took. */
static bool ask(const struct condition *cond, const struct condition_env *env,
                const struct rules_customer *who, unsigned long *matched, unsigned long *allocated)
{
    struct condition_value slots[RULES_SLOTS], out;
    struct condition_input in = {slots, condition_env_slot_count(env), NULL, 0, NULL};

    rules_fill(env, who, slots);
    *matched = matches;
    *allocated = allocations;
    assert_int_equal(condition_run(cond, &in, &out, NULL), CONDITION_OK);
    *matched = matches - *matched;
    *allocated = allocations - *allocated;
    assert_int_equal(out.kind, CONDITION_BOOL);
    return out.as.truth;
}

static void every_form_is_what_it_says(void **state)
{
    (void)state;
    for (int form = 0; form < RULES_FORMS; form++) {
        struct condition_env *env = condition_env_new();
        struct condition *cond;
        unsigned long matched, allocated;

        condition_env_set_open(env, true);
        cond = rules_compile(env, (enum rules_form)form);
        for (size_t i = 0; i < RULES_CONTEXTS; i++) {
            const struct rules_customer *who =
                rules_forms[form].holds ? &rules_hits[i] : &rules_misses[i];

            assert_int_equal(ask(cond, env, who, &matched, &allocated), rules_forms[form].holds);
            assert_int_equal(matched, form == RULES_REGEX);
            if (i > 0) /* the first match prepares its thread */
                assert_int_equal(allocated, 0);
        }
        condition_free(cond);
        condition_env_free(env);
    }
}

/* A text that differs from a match in one byte is answered by the pattern, not by its ends. */
static void the_pattern_decides(void **state)
{
    static const struct rules_customer others[] = {
        RULES_CUSTOMER("acme.com", "Ann@acme.com", 42),
        RULES_CUSTOMER("acme.com", "@acme.com", 42),
        RULES_CUSTOMER("acme.com", "ann@acme-com", 42),
        RULES_CUSTOMER("acme.com", "ann@acme.org", 42),
        RULES_CUSTOMER("acme.com", "ann@acme.com\n", 42),
    };
    struct condition_env *env = condition_env_new();
    struct condition *cond;
    unsigned long matched, allocated;

    (void)state;
    condition_env_set_open(env, true);
    cond = rules_compile(env, RULES_REGEX);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(ask(cond, env, &others[i], &matched, &allocated));
        assert_int_equal(matched, 1);
    }
    condition_free(cond);
    condition_env_free(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_what_it_says),
        cmocka_unit_test(the_pattern_decides),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
