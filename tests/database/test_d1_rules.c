/*
 * What is known of D1 before anything is sent: its budget of requests, its bounds, what it refuses.
 */
#include "tests/database/unit.h"

#include "database/d1_budget.h"
#include "database/d1_rules.h"

/* However requests are asked for, no five minutes see more of them than are allowed. */
static void no_window_holds_more_than_allowed(void **state)
{
    static const unsigned limits[] = {0, 1, 20, 400, 1200};
    enum { ASKED = 6000 };
    int64_t *sent_us = malloc(ASKED * sizeof *sent_us);

    (void)state;
    assert_non_null(sent_us);
    for (size_t k = 0; k < COUNT(limits); k++) {
        char token[20];
        unsigned most = limits[k] > 0 ? limits[k] : D1_BUDGET_REQUESTS;
        struct d1_budget *budget;
        int64_t now_us = 5, longest_us = 0;
        (void)snprintf(token, sizeof token, "token %zu", k);
        budget = d1_budget_of(token, limits[k]);
        assert_non_null(budget);
        for (size_t i = 0; i < ASKED; i++) {
            int64_t wait_us;
            now_us += i % 700 == 699 ? 100000000 : 1000; /* a pause now and then */
            wait_us = d1_budget_take(budget, now_us);
            longest_us = wait_us > longest_us ? wait_us : longest_us;
            now_us += wait_us;
            sent_us[i] = now_us;
            assert_true(i < most ||
                        sent_us[i] - sent_us[i - most] >= D1_BUDGET_WINDOW_S * 1000000LL - 10);
        }
        /* Steadily: at Cloudflare's own rate nobody waits as long as a lock lives. */
        assert_true(most < 400 || longest_us < 1100000);
    }
    free(sent_us);
}

static void one_bucket_a_token(void **state)
{
    struct d1_budget *one = d1_budget_of("the one", 8), *other = d1_budget_of("the other", 8);

    (void)state;
    assert_ptr_equal(d1_budget_of("the one", 0), one);
    assert_ptr_not_equal(other, one);
    assert_int_equal(d1_budget_take(one, 100), 0); /* two at once, of eight */
    assert_int_equal(d1_budget_take(d1_budget_of("the one", 8), 100), 0);
    assert_true(d1_budget_take(one, 100) > 0);
    assert_int_equal(d1_budget_take(other, 100), 0);
}

static void what_a_splitter_stumbles_over(void **state)
{
    static const struct {
        const char *sql, *hazard;
    } cases[] = {
        {"CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; END", NULL},
        {"CREATE TABLE t(\n a, -- one\n b)", NULL},
        {"SELECT CASE WHEN 1 THEN 2 END", NULL},
        {"CREATE TABLE t(a) -- it's", "quote mark in a comment"},
        {"CREATE TABLE t(a /* \" */, b)", "quote mark in a comment"},
        {"CREATE TABLE t(\r\n a)", "carriage return"},
        {"CREATE TRIGGER x AFTER INSERT ON t BEGIN\n SELECT 1; END", "several lines"},
        {"CREATE TRIGGER x AFTER INSERT ON t begin SELECT 1; END", "small letters"},
        {"CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; end", "small letters"},
        {"CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT /* a */ 1; END", "comment in a trigger"},
        {"CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END", "CASE"},
        {"CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 'CASE -- it''s\n'; END", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *hazard = d1_rules_hazard(cases[i].sql);
        if ((hazard == NULL) != (cases[i].hazard == NULL) ||
            (hazard != NULL && strstr(hazard, cases[i].hazard) == NULL)) {
            fail_msg("%s: %s", cases[i].sql, hazard != NULL ? hazard : "nothing");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_window_holds_more_than_allowed),
        cmocka_unit_test(one_bucket_a_token),
        cmocka_unit_test(what_a_splitter_stumbles_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
