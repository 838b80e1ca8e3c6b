/*
 * Layers: flags of one never share a subject, whatever else is said; and what changes of one do.
 */
#include "tests/flags/make.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "flags/layer.h"

#define SUBJECTS 100000
#define LAYER                                                                                      \
    "{'key':'checkout','salt':'l','flags':{'a':[[0,20],[50,60]],'b':[[20,50]],'c':[[90,100]]}}"

/* A flag with its part of the layer, as the server sends it. */
static struct json *flag_in(const struct json *layer, const char *key, const char *members)
{
    struct json *flag = make_flag(members);
    struct json *part = layer_part_json(layer, key);
    char salt[20];

    assert_non_null(part);
    json_put_text(flag, "key", key);
    snprintf(salt, sizeof salt, "salt-%s", key);
    json_put_text(flag, "salt", salt);
    json_put(flag, "layer", part);
    return flag;
}

static int subjects = SUBJECTS; /* of the test that runs */

/* Which of a, b and c each subject has, a bit each. */
static unsigned char *who_has(const struct json *layer, const char *members)
{
    static const char *const keys[] = {"a", "b", "c"};
    struct ruleset *rules = make_rules(flag_in(layer, "a", members), flag_in(layer, "b", members),
                                       flag_in(layer, "c", members), NULL);
    unsigned char *out = calloc((size_t)subjects, 1);
    struct context *ctx = malloc(sizeof *ctx);
    struct json *attributes = json_object();

    assert_non_null(out);
    assert_non_null(ctx);
    json_put_text(attributes, "domain", "acme.com");
    for (int i = 0; i < subjects; i++) {
        char name[40];

        snprintf(name, sizeof name, "user-%d@example.com", i);
        json_put_text(attributes, "targetingKey", name);
        assert_int_equal(context_init(ctx, rules, attributes, 0, NULL), ERR_OK);
        for (int f = 0; f < 3; f++) {
            struct decision decision;

            evaluate_flag(rules, ruleset_find(rules, keys[f]), ctx, &decision);
            assert_int_not_equal(decision.reason, FLAG_ERROR);
            if (strcmp(decision.variant, "on") == 0)
                out[i] |= (unsigned char)(1 << f);
        }
        context_fini(ctx);
    }
    json_free(attributes);
    free(ctx);
    ruleset_free(rules);
    return out;
}

static int count(const unsigned char *who, unsigned char bit)
{
    int n = 0;

    for (int i = 0; i < subjects; i++)
        n += (who[i] & bit) != 0;
    return n;
}

/* By fall-through, by domain rule, by rule, pinned: never two of the three. */
static void flags_of_one_layer_never_share_a_subject(void **state)
{
    static const char *const ways[] = {
        "'fallthrough':{'variant':'on'}",
        "'domains':{'acme.com':{'ramp':{'percent':70,'variant':'on'}}}",
        "'rules':[{'when':'true','serve':{'variant':'on'}}]",
        "'individual':{'user-1@example.com':'on','user-2@example.com':'on','user-3@example.com':"
        "'on'},'fallthrough':{'ramp':{'percent':50,'variant':'on'}}",
    };
    struct json *layer = make_json(LAYER);

    (void)state;
    for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        unsigned char *who;

        subjects = w == 0 ? SUBJECTS : SUBJECTS / 5;
        who = who_has(layer, ways[w]);

        for (int i = 0; i < subjects; i++) {
            if (who[i] & (who[i] - 1))
                fail_msg("subject %d has flags %d by %s", i, who[i], ways[w]);
        }
        if (w == 0) { /* 30, 30 and 10 percent, within four standard deviations */
            assert_in_range(count(who, 1), 29420, 30580);
            assert_in_range(count(who, 2), 29420, 30580);
            assert_in_range(count(who, 4), 9620, 10380);
        } else {
            assert_true(count(who, 1) > 0 && count(who, 2) > 0);
        }
        free(who);
    }
    json_free(layer);
}

static void resizing_moves_the_fewest(void **state)
{
    static const struct {
        const char *flag;
        double percent;
        double gain, loss; /* of that flag, in percent; nobody else changes */
    } steps[] = {{"b", 25, 0, 5},      {"a", 40, 10, 0}, {"a", 30, 0, 10},
                 {"c", 22.5, 12.5, 0}, {"b", 0, 0, 25},  {"a", 0.001, 0, 30}};
    struct json *layer = make_json(LAYER);
    unsigned char *before, *after;

    (void)state;
    subjects = SUBJECTS / 5;
    before = who_has(layer, "'fallthrough':{'variant':'on'}");
    for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
        unsigned char bit = (unsigned char)(1 << (steps[s].flag[0] - 'a'));
        struct json *was = json_copy(layer);
        struct err err = {0};
        int gained = 0, lost = 0;

        if (layer_resize(layer, steps[s].flag, steps[s].percent, &err) != ERR_OK)
            fail_msg("%s", err.msg);
        assert_int_equal(layer_check(layer, NULL), ERR_OK);
        assert_true(layer_moved(was, layer) == 0);
        after = who_has(layer, "'fallthrough':{'variant':'on'}");
        for (int i = 0; i < subjects; i++) {
            assert_int_equal(before[i] & ~bit, after[i] & ~bit);
            gained += (after[i] & bit) && !(before[i] & bit);
            lost += (before[i] & bit) && !(after[i] & bit);
        }
        assert_true(steps[s].gain > 0 ? fabs(gained - steps[s].gain / 100 * subjects) < 260
                                      : gained == 0);
        assert_true(steps[s].loss > 0 ? fabs(lost - steps[s].loss / 100 * subjects) < 260
                                      : lost == 0);
        free(before);
        before = after;
        json_free(was);
    }
    free(before);
    json_free(layer);
}

static void what_is_taken_from_another_counts_as_moved(void **state)
{
    static const struct {
        const char *after;
        double moved;
    } cases[] = {
        {LAYER, 0},
        {"{'key':'checkout','salt':'l','flags':{'a':[[0,20]],'b':[[20,60]],'c':[[90,100]]}}", 10},
        {"{'key':'checkout','salt':'l','flags':{'b':[[20,50]],'d':[[0,20],[50,60]],'c':[]}}", 30},
        {"{'key':'checkout','salt':'m','flags':{'a':[[0,20],[50,60]],'b':[[20,50]]}}", 100},
        {"{'key':'checkout','salt':'l','bucket_by':'company','flags':{}}", 100},
        {"{'key':'checkout','salt':'l','flags':{}}", 0},
        {"{'key':'checkout','salt':'l','flags':7}", 100},
    };
    struct json *before = make_json(LAYER);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *after = make_json(cases[i].after);

        assert_float_equal(layer_moved(before, after), cases[i].moved, 1e-9);
        json_free(after);
    }
    json_free(before);
}

static void what_does_not_fit_is_refused(void **state)
{
    struct json *layer = make_json(LAYER), *same = json_copy(layer);
    struct err err = {0};

    (void)state;
    assert_int_equal(layer_resize(layer, "a", 60.001, &err), ERR_CONFLICT);
    assert_string_equal(err.msg,
                        "layer 'checkout' has 30 % free, and 'a' would need 30.001 % more: make "
                        "another flag's part smaller first");
    assert_true(json_equal(layer, same));
    assert_int_equal(layer_resize(layer, "a", 60, &err), ERR_OK);
    assert_int_equal(layer_resize(layer, "new", 0, &err), ERR_OK);
    assert_int_equal(layer_resize(layer, "new", 0.001, &err), ERR_CONFLICT);
    assert_int_equal(layer_check(layer, NULL), ERR_OK);
    json_free(same);
    json_free(layer);
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *layer, *message;
    } cases[] = {
        {LAYER, ""},
        {"[]", "a layer must be an object, not an array"},
        {"{'salt':'l','flags':{}}", "key: missing"},
        {"{'key':'Checkout','salt':'l','flags':{}}", "key: not allowed"},
        {"{'key':'c','flags':{}}", "salt: missing"},
        {"{'key':'c','salt':'a:b','flags':{}}", "salt: not allowed"},
        {"{'key':'c','salt':'l'}", "flags: must be an object of flags"},
        {"{'key':'c','salt':'l','flags':{},'flag':{}}", "flag: no such member; did you mean"},
        {"{'key':'c','salt':'l','bucket_by':'a..b','flags':{}}", "bucket_by: 'a..b' is no"},
        {"{'key':'c','salt':'l','bucket_by':7,'flags':{}}", "bucket_by: must be an attribute"},
        {"{'key':'c','salt':'l','uses':['x'],'flags':{}}", "uses: 'x' is not known"},
        {"{'key':'c','salt':'l','flags':{'A':[]}}", "flags.A: is no flag's key"},
        {"{'key':'c','salt':'l','flags':{'a':7}}", "flags.a: must be an array of ranges"},
        {"{'key':'c','salt':'l','flags':{'a':[7]}}", "flags.a: a range is two percentages"},
        {"{'key':'c','salt':'l','flags':{'a':[[1,2,3]]}}", "flags.a: a range is two percentages"},
        {"{'key':'c','salt':'l','flags':{'a':[[5,5]]}}", "flags.a: [5, 5] is empty"},
        {"{'key':'c','salt':'l','flags':{'a':[[5,101]]}}", "flags.a: 101 is not from 0 to 100"},
        {"{'key':'c','salt':'l','flags':{'a':[[0,0.0001]]}}", "flags.a: 0.0001 has more than"},
        {"{'key':'c','salt':'l','flags':{'a':[[0,30]],'b':[[20,50]]}}",
         "flags: 'a' and 'b' would share the subjects of 20 % to 30 %"},
        {"{'key':'c','salt':'l','flags':{'a':[],'a':[]}}", "flags: 'a' stands there twice"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *layer = make_json(cases[i].layer);
        struct err err = {0};
        enum err_code rc = layer_check(layer, &err);
        const char *want = cases[i].message;

        if ((want[0] == '\0') != (rc == ERR_OK) || strncmp(err.msg, want, strlen(want)) != 0)
            fail_msg("%s: '%s', wanted '%s'", cases[i].layer, err.msg, want);
        json_free(layer);
    }
}

static void ranges_are_bounded(void **state)
{
    struct json *layer = make_json("{'key':'c','flags':{'a':[]}}");
    struct err err = {0};

    (void)state;
    assert_int_equal(layer_complete(layer, &err), ERR_OK);
    assert_int_equal(strlen(json_get_text(layer, "salt", "")), 16);
    for (unsigned i = 0; i <= LIMIT_LAYER_RANGES; i++) {
        struct json *pair = json_array();

        assert_int_equal(layer_check(layer, &err), ERR_OK);
        json_append(pair, json_number_new(2 * i * 0.001));
        json_append(pair, json_number_new((2 * i + 1) * 0.001));
        json_append(json_get(json_get(layer, "flags"), "a"), pair);
    }
    assert_int_equal(layer_check(layer, &err), ERR_LIMIT);
    json_free(layer);
}

static void who_is_outside_gets_the_off_variant_with_a_reason(void **state)
{
    struct json *layer =
        make_json("{'key':'l','salt':'x','bucket_by':'company','flags':{'f':[],'g':[[0,100]]}}");
    struct ruleset *rules = make_rules(flag_in(layer, "f", "'fallthrough':{'variant':'on'}"),
                                       flag_in(layer, "g", "'fallthrough':{'variant':'on'}"), NULL);
    struct decision decision;

    (void)state;
    assert_decision(rules, "{'company':'c','targetingKey':'t'}", "off SPLIT layer l");
    decision = decide(rules, "f", "{'company':'c'}");
    assert_true(decision.bucket >= 0);
    assert_decision(rules, "{'targetingKey':'t'}", "off ERROR layer l TARGETING_KEY_MISSING");
    decision = decide(rules, "f", "{}");
    assert_string_equal(decision.message,
                        "the context has no \"company\" (a string or a whole number), which this "
                        "flag's layer buckets by");
    decision = decide(rules, "g", "{'company':7}");
    assert_string_equal(decision_text(&decision), "on DEFAULT fallthrough");
    assert_int_equal(decision.bucket, -1);
    assert_null(layer_part_json(layer, "h"));
    ruleset_free(rules);
    json_free(layer);
}

static void a_part_that_is_wrong_makes_its_flag_unusable(void **state)
{
    static const struct {
        const char *part, *message;
    } cases[] = {
        {"{'key':'l','salt':'x','ranges':[[0,10],[20,30]]}", NULL},
        {"{'key':'l','salt':'x','ranges':[]}", NULL},
        {"7", "layer: must be an object"},
        {"{'key':'l','ranges':[]}", "layer 'l': salt: missing"},
        {"{'key':'l','salt':'x'}", "layer 'l': layer.ranges: must be an array"},
        {"{'key':'l','salt':'x','ranges':[[20,30],[0,10]]}", "layer 'l': layer.ranges: must be in"},
        {"{'key':'l','salt':'x','ranges':[[0,10],[9,30]]}", "layer 'l': layer.ranges: must be in"},
        {"{'key':'l','salt':'x','bucket_by':'','ranges':[]}", "layer 'l': bucket_by: "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char members[200];
        struct ruleset *rules;
        const char *unusable;

        snprintf(members, sizeof members, "'layer':%s", cases[i].part);
        rules = make_rules(make_flag(members), NULL);
        unusable = flag_unusable(ruleset_find(rules, "f"));
        if (cases[i].message == NULL)
            assert_null(unusable);
        else if (unusable == NULL ||
                 strncmp(unusable, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: '%s'", cases[i].part, unusable != NULL ? unusable : "");
        ruleset_free(rules);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_of_one_layer_never_share_a_subject),
        cmocka_unit_test(resizing_moves_the_fewest),
        cmocka_unit_test(what_is_taken_from_another_counts_as_moved),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(ranges_are_bounded),
        cmocka_unit_test(who_is_outside_gets_the_off_variant_with_a_reason),
        cmocka_unit_test(a_part_that_is_wrong_makes_its_flag_unusable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
