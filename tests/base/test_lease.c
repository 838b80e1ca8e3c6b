/*
 * For how long an answer may be relied on: the bounds, one step before and behind each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/lease.h"

#define S INT64_C(1000000)

static void answers_end_in_two_steps(void **state)
{
    static const struct {
        int64_t age_us;
        enum lease_answer own, cached;
    } cases[] = {
        {-1, LEASE_NONE, LEASE_NONE}, /* from the future */
        {0, LEASE_RULES, LEASE_SAFE},           {300 * S, LEASE_RULES, LEASE_SAFE},
        {300 * S + 1, LEASE_SAFE, LEASE_SAFE},  {3600 * S, LEASE_SAFE, LEASE_SAFE},
        {3600 * S + 1, LEASE_NONE, LEASE_NONE}, {INT64_MAX, LEASE_NONE, LEASE_NONE},
    };
    struct lease_terms terms = lease_terms_of(300);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(lease_answer(&terms, cases[i].age_us, false), cases[i].own);
        assert_int_equal(lease_answer(&terms, cases[i].age_us, true), cases[i].cached);
    }
}

/* Whoever still answers, by a clock that is LEASE_SKEW_S behind, is waited for. */
static void nobody_is_gone_who_answers(void **state)
{
    static const int64_t leases[] = {1, 2, 10, 300, 7200, 7855, 7856, 86400};

    (void)state;
    for (size_t i = 0; i < sizeof leases / sizeof *leases; i++) {
        struct lease_terms terms = lease_terms_of(leases[i]);
        int64_t gone_us = lease_gone_s(leases[i]) * S;

        assert_false(lease_is_gone(&terms, gone_us));
        assert_true(lease_is_gone(&terms, gone_us + 1));
        assert_int_equal(lease_answer(&terms, gone_us - LEASE_SKEW_S * S, false), LEASE_NONE);
        assert_true(terms.safe_us > terms.lease_us);
        assert_true(terms.safe_us <= terms.lease_us + LEASE_SAFE_MAX_S * S);
    }
    assert_int_equal(lease_gone_s(300), 3630);
    assert_int_equal(lease_gone_s(86400), 2 * 86400 + 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_end_in_two_steps),
        cmocka_unit_test(nobody_is_gone_who_answers),
    };

    return cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
