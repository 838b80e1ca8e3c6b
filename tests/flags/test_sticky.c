/*
 * Stickiness over 100,000 subjects, as the design promises it, and independence by chi-square over
 * three kinds of identifiers.
 */
#include "tests/flags/make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "condition/bucket.h"

#define SUBJECTS 100000

enum names { USERS, NUMBERS, MAILS, DOMAINS };

static int make_name(enum names names, int i, char out[80])
{
    switch (names) {
    case NUMBERS: return snprintf(out, 80, "%d", i);
    case MAILS: return snprintf(out, 80, "user-%d@example.com", i);
    case DOMAINS: return snprintf(out, 80, "d%05d.example.org", i);
    case USERS: break;
    }
    return snprintf(out, 80, "user-%d", i);
}

/* Answers of flag "f" for subjects of such names, one byte each: 1 is variant "on" (or "a"). */
static unsigned char *answers(const char *members, enum names names, const char *more)
{
    struct ruleset *rules = make_rules(make_flag(members), NULL);
    const struct flag *flag = ruleset_find(rules, "f");
    unsigned char *out = malloc(SUBJECTS);
    struct context *ctx = malloc(sizeof *ctx);
    struct json *attributes = make_json(more);
    char key[80];

    assert_non_null(out);
    assert_non_null(ctx);
    assert_null(flag_unusable(flag));
    for (int i = 0; i < SUBJECTS; i++) {
        struct decision decision;

        make_name(names, i, key);
        json_put_text(attributes, "targetingKey", key);
        assert_int_equal(context_init(ctx, rules, attributes, 0, NULL), ERR_OK);
        evaluate_flag(rules, flag, ctx, &decision);
        context_fini(ctx);
        out[i] =
            decision.variant[0] == 'o' ? decision.variant[1] == 'n' : decision.variant[0] == 'a';
    }
    json_free(attributes);
    free(ctx);
    ruleset_free(rules);
    return out;
}

static int count(const unsigned char *set)
{
    int n = 0;

    for (int i = 0; i < SUBJECTS; i++)
        n += set[i];
    return n;
}

static void assert_subset(const unsigned char *small, const unsigned char *large)
{
    for (int i = 0; i < SUBJECTS; i++) {
        if (small[i] && !large[i])
            fail_msg("subject %d was taken back", i);
    }
}

/* One flag, its ramp first in a domain rule, then in a rule, then in the fall-through. */
static void raising_only_adds_wherever_the_ramp_stands(void **state)
{
    static const char *const stages[] = {
        "'domains':{'acme.com':{'ramp':{'percent':0,'variant':'on'}}}",
        "'domains':{'acme.com':{'ramp':{'percent':0.5,'variant':'on'}}}",
        "'domains':{'*.com':{'ramp':{'percent':5,'variant':'on'}}}",
        "'rules':[{'when':'domain.under(`acme.com`)','serve':{'ramp':{'percent':20,'variant':'on'}}"
        "}]",
        "'fallthrough':{'ramp':{'percent':20.001,'variant':'on'}}",
        "'domains':{'acme.com':{'rules':true}},'fallthrough':{'ramp':{'percent':60,'variant':'on'}"
        "}",
        "'fallthrough':{'ramp':{'percent':100,'variant':'on'}}",
    };
    static const double percents[] = {0, 0.5, 5, 20, 20.001, 60, 100};
    unsigned char *before = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof stages / sizeof stages[0]; i++) {
        unsigned char *now = answers(stages[i], USERS, "{'domain':'acme.com'}");
        double wanted = percents[i] / 100 * SUBJECTS;
        int got = count(now);

        assert_true(got - wanted < 600 && wanted - got < 600); /* four standard deviations */
        if (before != NULL)
            assert_subset(before, now);
        free(before);
        before = now;
    }
    assert_int_equal(count(before), SUBJECTS);
    free(before);
}

static void lowering_takes_back_what_came_last(void **state)
{
    unsigned char *first =
        answers("'fallthrough':{'ramp':{'percent':10,'variant':'on'}}", USERS, "{}");
    unsigned char *high =
        answers("'fallthrough':{'ramp':{'percent':30,'variant':'on'}}", USERS, "{}");
    unsigned char *back =
        answers("'fallthrough':{'ramp':{'percent':10,'variant':'on'}}", USERS, "{}");

    (void)state;
    assert_subset(first, high);
    assert_memory_equal(first, back, SUBJECTS);
    free(first);
    free(high);
    free(back);
}

/* Raising a ramp into a split keeps everybody's part of it. */
static void a_split_stays_while_its_ramp_grows(void **state)
{
#define AB "'type':'string','variants':{'off':'-','a':'A','b':'B'},"
    unsigned char *small =
        answers(AB "'fallthrough':{'ramp':{'percent':10,'split':{'a':40,'b':60}}}", USERS, "{}");
    unsigned char *large =
        answers(AB "'fallthrough':{'ramp':{'percent':90,'split':{'a':40,'b':60}}}", USERS, "{}");
    unsigned char *whole = answers(AB "'fallthrough':{'split':{'a':40,'b':60}}", USERS, "{}");
    int got = count(whole);

    (void)state;
    assert_subset(small, large);
    assert_subset(large, whole);
    assert_in_range(got, 39380, 40620);
    assert_in_range(count(small), 3760, 4240);
    free(small);
    free(large);
    free(whole);
}

/* Chi-square of a 2 x 2 table with one degree of freedom; 15.1 is p = 0.0001. */
static double chi_square(const unsigned char *a, const unsigned char *b)
{
    double n[2][2] = {{0}}, sum = 0;

    for (int i = 0; i < SUBJECTS; i++)
        n[a[i]][b[i]]++;
    for (int x = 0; x < 2; x++) {
        for (int y = 0; y < 2; y++) {
            double expected = (n[x][0] + n[x][1]) * (n[0][y] + n[1][y]) / SUBJECTS;

            sum += (n[x][y] - expected) * (n[x][y] - expected) / expected;
        }
    }
    return sum;
}

static void flags_and_ramp_and_split_are_independent(void **state)
{
    (void)state;
    for (int names = NUMBERS; names <= DOMAINS; names++) {
        for (int percent = 10; percent <= 50; percent += 40) {
            char members[200];
            unsigned char *ramp, *other, *split;

            snprintf(members, sizeof members,
                     "'fallthrough':{'ramp':{'percent':%d,'variant':'on'}}", percent);
            ramp = answers(members, (enum names)names, "{}");
            snprintf(members, sizeof members,
                     "'salt':'another','fallthrough':{'ramp':{'percent':%d,'variant':'on'}}",
                     percent);
            other = answers(members, (enum names)names, "{}");
            snprintf(members, sizeof members, "'fallthrough':{'split':{'on':%d,'off':%d}}", percent,
                     100 - percent);
            split = answers(members, (enum names)names, "{}");
            assert_true(chi_square(ramp, other) < 15.1);
            assert_true(chi_square(ramp, split) < 15.1);
            assert_true(chi_square(ramp, ramp) > 15.1); /* the test can fail */
            free(ramp);
            free(other);
            free(split);
        }
    }
}

/* What a reader of the wire, or another server that was given the export, makes of the flag. */
static void export_and_import_change_nobody(void **state)
{
    static const char *const forms[] = {
        "'fallthrough':{'ramp':{'percent':33.333,'variant':'on'}}",
        "'variants':{'on':true,'off':false},'fallthrough':{'split':{'on':[[10,20],[50,90]],'off':[["
        "0,10],[20,50],[90,100]]}}",
        "'domains':{'acme.com':{'ramp':{'percent':12.5,'split':{'on':70,'off':30}}}}",
        "'layer':{'key':'l','salt':'x','ranges':[[0,20],[40,61.5]]},'fallthrough':{'variant':'on'}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct json *flag = make_flag(forms[i]);
        char *wire = json_print_canonical(flag), *members;
        unsigned char *before = answers(forms[i], MAILS, "{'domain':'acme.com'}"), *after;

        wire[strlen(wire) - 1] = '\0';
        members = wire + 1; /* of {...}: takes the place of every member */
        after = answers(members, MAILS, "{'domain':'acme.com'}");
        assert_true(count(before) > 0 && count(before) < SUBJECTS);
        assert_memory_equal(before, after, SUBJECTS);
        free(before);
        free(after);
        free(wire);
        json_free(flag);
    }
}

/* Pausing is the state, or a percentage of 0: what comes back is what was there. */
static void a_pause_changes_nobody(void **state)
{
    const char *ramp = "'fallthrough':{'ramp':{'percent':40,'variant':'on'}}";
    unsigned char *first = answers(ramp, NUMBERS, "{}"), *again;
    unsigned char *off = answers("'state':'off','fallthrough':{'ramp':{'percent':40,'variant':'on'}"
                                 "}",
                                 NUMBERS, "{}");
    unsigned char *none =
        answers("'fallthrough':{'ramp':{'percent':0,'variant':'on'}}", NUMBERS, "{}");

    (void)state;
    assert_int_equal(count(off), 0);
    assert_int_equal(count(none), 0);
    again = answers(ramp, NUMBERS, "{}");
    assert_memory_equal(first, again, SUBJECTS);
    free(first);
    free(off);
    free(none);
    free(again);
}

/* The layer's bucket says nothing about the ramp's or the split's inside it. */
static void a_layer_is_independent_of_what_is_in_it(void **state)
{
    (void)state;
    for (int names = NUMBERS; names <= DOMAINS; names++) {
        unsigned char *layer = answers("'layer':{'key':'l','salt':'x','ranges':[[0,30]]},"
                                       "'fallthrough':{'variant':'on'}",
                                       (enum names)names, "{}");
        unsigned char *ramp = answers("'fallthrough':{'ramp':{'percent':30,'variant':'on'}}",
                                      (enum names)names, "{}");
        unsigned char *split =
            answers("'fallthrough':{'split':{'on':30,'off':70}}", (enum names)names, "{}");

        assert_true(chi_square(layer, ramp) < 15.1);
        assert_true(chi_square(layer, split) < 15.1);
        free(layer);
        free(ramp);
        free(split);
    }
}

static void thousandths_are_exact(void **state)
{
    unsigned char *set =
        answers("'fallthrough':{'ramp':{'percent':12.345,'variant':'on'}}", USERS, "{}");
    char key[80];

    (void)state;
    for (int i = 0; i < SUBJECTS; i++) {
        size_t len = (size_t)make_name(USERS, i, key);

        assert_int_equal(set[i], bucket_of("s1", 2, key, len) < 12345);
    }
    free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raising_only_adds_wherever_the_ramp_stands),
        cmocka_unit_test(lowering_takes_back_what_came_last),
        cmocka_unit_test(a_split_stays_while_its_ramp_grows),
        cmocka_unit_test(flags_and_ramp_and_split_are_independent),
        cmocka_unit_test(export_and_import_change_nobody),
        cmocka_unit_test(a_pause_changes_nobody),
        cmocka_unit_test(a_layer_is_independent_of_what_is_in_it),
        cmocka_unit_test(thousandths_are_exact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
