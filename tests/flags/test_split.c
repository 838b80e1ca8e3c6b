/*
 * Other weights for a split: over 100,000 subjects as few as possible get another variant.
 */
#include "tests/flags/make.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags/diff.h"
#include "flags/reweigh.h"

#define SUBJECTS 100000
#define MEMBERS                                                                                    \
    "'type':'string','variants':{'off':'','a':'','b':'','c':''},'fallthrough':{'split':%s}"

static struct json *flag_of(const char *split)
{
    char members[400];

    snprintf(members, sizeof members, MEMBERS, split);
    return make_flag(members);
}

/* The first letter of each subject's variant. */
static char *answers(const struct json *flag)
{
    struct ruleset *rules = make_rules(json_copy(flag), NULL);
    const struct flag *found = ruleset_find(rules, "f");
    struct context *ctx = malloc(sizeof *ctx);
    struct json *attributes = json_object();
    char *out = malloc(SUBJECTS);

    assert_non_null(ctx);
    assert_non_null(out);
    assert_null(flag_unusable(found));
    for (int i = 0; i < SUBJECTS; i++) {
        struct decision decision;
        char name[20];

        snprintf(name, sizeof name, "user-%d", i);
        json_put_text(attributes, "targetingKey", name);
        assert_int_equal(context_init(ctx, rules, attributes, 0, NULL), ERR_OK);
        evaluate_flag(rules, found, ctx, &decision);
        out[i] = decision.variant[0];
        context_fini(ctx);
    }
    json_free(attributes);
    free(ctx);
    ruleset_free(rules);
    return out;
}

static double weight(const struct json *weights, const char *name)
{
    return json_number(json_get(weights, name), 0);
}

static void a_change_of_weights_moves_the_fewest(void **state)
{
    static const char *const steps[] = {
        "{'a':50,'b':50}",
        "{'a':40,'b':40,'c':20}",
        "{'a':10,'b':40,'c':50}",
        "{'a':33.333,'b':33.333,'c':33.334}",
        "{'c':100}",
        "{'a':0.001,'c':99.999}",
        "{'a':25,'b':25,'c':25,'off':25}",
        "{'a':50,'b':50}",
    };
    struct json *before = flag_of(steps[0]), *was = make_json(steps[0]);
    char *first = answers(before);

    (void)state;
    for (size_t s = 1; s < sizeof steps / sizeof steps[0]; s++) {
        struct json *after = flag_of(steps[s]), *is = make_json(steps[s]);
        char *second;
        double fewest = 0, moved = 0;
        struct err err = {0};

        assert_true(flag_reassigns(before, after));
        assert_true(flag_keep_ranges(before, after));
        if (flag_check(after, &err) != ERR_OK)
            fail_msg("%s", err.msg);
        for (const char *const *name = (const char *const[]){"a", "b", "c", "off", NULL};
             *name != NULL; name++)
            fewest += fmax(0, weight(was, *name) - weight(is, *name));
        assert_float_equal(split_moved(json_get(json_get(before, "fallthrough"), "split"),
                                       json_get(json_get(after, "fallthrough"), "split")),
                           fewest, 1e-9);
        second = answers(after);
        for (int i = 0; i < SUBJECTS; i++)
            moved += first[i] != second[i];
        assert_true(fabs(moved / SUBJECTS * 100 - fewest) < 0.65); /* four standard deviations */
        for (int v = 0; v < 4; v++) {
            double share = 0;

            for (int i = 0; i < SUBJECTS; i++)
                share += second[i] == "abco"[v];
            assert_true(fabs(share / SUBJECTS * 100 -
                             weight(is, (const char *const[]){"a", "b", "c", "off"}[v])) < 0.65);
        }
        /* The same weights again change nothing more. */
        json_free(before);
        before = json_copy(after);
        json_put(json_get(after, "fallthrough"), "split", json_copy(is));
        assert_true(flag_keep_ranges(before, after));
        assert_true(json_equal(before, after));
        assert_false(flag_reassigns(before, after));
        json_free(after);
        json_free(was);
        was = is;
        free(first);
        first = second;
    }
    free(first);
    json_free(was);
    json_free(before);
}

static void ranges_are_kept_wherever_a_split_stands(void **state)
{
    struct json *before = make_flag(
        "'fallthrough':{'ramp':{'percent':50,'split':{'on':50,'off':50}}},'rules':[{'name':'r',"
        "'when':'true','serve':{'split':{'on':50,'off':50}}},{'when':'true','serve':{'split':{'on':"
        "50,'off':50}}}],'domains':{'acme.com':{'split':{'on':50,'off':50}},'b.com':{'rules':true}"
        "}");
    struct json *after = make_flag(
        "'fallthrough':{'ramp':{'percent':60,'split':{'on':40,'off':60}}},'rules':[{'name':'r',"
        "'when':'true','serve':{'split':{'on':60,'off':40}}},{'when':'true','serve':{'split':{'on':"
        "60,'off':40}}}],'domains':{'acme.com':{'split':{'on':60,'off':40}},'b.com':{'split':{'on':"
        "30,'off':70}},'c.com':{'split':{'on':30,'off':70}}}");
    char *text;

    (void)state;
    assert_true(flag_keep_ranges(before, after));
    assert_int_equal(flag_check(after, NULL), ERR_OK);
    text = json_print_canonical(after);
    /* of two variants plain weights move no more */
    assert_null(strstr(text, "[["));
    free(text);
    json_free(after);
    json_free(before);
    before = flag_of("{'a':50,'b':50}");
    after = flag_of("{'a':40,'b':40,'c':20}");
    assert_true(flag_keep_ranges(before, after));
    text = json_print_canonical(json_get(after, "fallthrough"));
    assert_string_equal(text,
                        "{\"split\":{\"a\":[[0,40]],\"b\":[[50,90]],\"c\":[[40,50],[90,100]]}}");
    free(text);
    json_free(before);
    json_free(after);
}

static void what_is_no_split_moves_nobody(void **state)
{
    static const char *const none[] = {"7",
                                       "{}",
                                       "{'a':50}",
                                       "{'a':'x'}",
                                       "{'a':[[0,50]]}",
                                       "{'a':[[0,100,3]]}",
                                       "{'a':[[0,60]],'b':[[50,100]]}",
                                       "{'a':200,'b':-100}"};
    struct json *good = make_json("{'a':100}");

    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        struct json *bad = make_json(none[i]);
        struct json *before = flag_of(none[i]), *after = flag_of("{'a':50,'b':50}");
        struct json *same = json_copy(after);

        assert_true(split_moved(good, bad) < 0);
        assert_true(split_moved(bad, good) < 0);
        assert_true(flag_keep_ranges(before, after));
        assert_true(json_equal(same, after));
        json_free(same);
        json_free(before);
        json_free(after);
        json_free(bad);
    }
    json_free(good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_of_weights_moves_the_fewest),
        cmocka_unit_test(ranges_are_kept_wherever_a_split_stands),
        cmocka_unit_test(what_is_no_split_moves_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
