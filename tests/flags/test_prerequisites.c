/*
 * Prerequisites: the order, circles, what a flag can answer through them, leases of those that are tied.
 */
#include "tests/flags/make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "flags/world.h"

#define NEEDS_G "'prerequisites':[{'flag':'g','variants':['on']}],'fallthrough':{'variant':'on'},"

static void a_flag_waits_for_another(void **state)
{
    static const struct {
        const char *flag, *other, *context, *want;
    } cases[] = {
        {NEEDS_G "'x':0", "'fallthrough':{'variant':'on'}", "{}", "on DEFAULT fallthrough"},
        {NEEDS_G "'x':0", "'fallthrough':{'variant':'off'}", "{}", "off DISABLED prerequisite g"},
        {NEEDS_G "'x':0", "'state':'off'", "{}", "off DISABLED prerequisite g"},
        {NEEDS_G "'state':'off'", "'fallthrough':{'variant':'on'}", "{}", "off DISABLED off"},
        /* before the pinned subjects, and for this subject */
        {NEEDS_G "'individual':{'u':'on'}", "'state':'off'", "{'targetingKey':'u'}",
         "off DISABLED prerequisite g"},
        {NEEDS_G "'x':0", "'individual':{'u':'on'}", "{'targetingKey':'u'}",
         "on DEFAULT fallthrough"},
        {NEEDS_G "'x':0", "'individual':{'u':'on'}", "{'targetingKey':'v'}",
         "off DISABLED prerequisite g"},
        /* what it answers on an error counts as what it answers */
        {NEEDS_G "'x':0", "'fallthrough':{'split':{'on':100}}", "{}",
         "off DISABLED prerequisite g"},
        {"'prerequisites':[{'flag':'g','variants':['off']}],'fallthrough':{'variant':'on'}",
         "'state':'off'", "{}", "on DEFAULT fallthrough"},
        {"'prerequisites':[{'flag':'g','variants':['off','on']}],'fallthrough':{'variant':'on'}",
         "'state':'off'", "{}", "on DEFAULT fallthrough"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char members[300];
        struct ruleset *rules;
        struct decision decision;

        snprintf(members, sizeof members, "'key':'g',%s", cases[i].other);
        rules = make_rules(make_flag(cases[i].flag), make_flag(members), NULL);
        decision = decide(rules, "f", cases[i].context);
        if (strcmp(decision_text(&decision), cases[i].want) != 0)
            fail_msg("case %zu: %s, wanted %s", i, decision_text(&decision), cases[i].want);
        ruleset_free(rules);
    }
}

struct flags {
    struct json *at[8];
    size_t count;
};

static const struct json *find_flag(void *ctx, const char *key)
{
    const struct flags *flags = ctx;

    for (size_t i = 0; i < flags->count; i++) {
        if (strcmp(json_get_text(flags->at[i], "key", ""), key) == 0)
            return flags->at[i];
    }
    return NULL;
}

static void mistakes_are_named(void **state)
{
    static const struct {
        const char *members, *message;
    } cases[] = {
        {NEEDS_G "'x':0", ""},
        {"'prerequisites':[]", ""},
        {"'prerequisites':{}", "prerequisites: must be an array, not an object"},
        {"'prerequisites':['g']", "prerequisites[0]: must be an object such as"},
        {"'prerequisites':[{'flag':'G','variants':['on']}]", "prerequisites[0]: must be"},
        {"'prerequisites':[{'flag':'g'}]", "prerequisites[0].variants: must be an array"},
        {"'prerequisites':[{'flag':'g','variants':[]}]", "prerequisites[0].variants: must be"},
        {"'prerequisites':[{'flag':'g','variants':[true]}]", "prerequisites[0].variants: a boo"},
        {"'prerequisites':[{'flag':'g','variants':['on']},{'flag':'g','variants':['off']}]",
         "prerequisites[1]: flag 'g' stands there twice"},
        {"'prerequisites':[{'flag':'g','variants':['blue']}]",
         "prerequisites: flag 'g' has no variant 'blue'"},
        {"'prerequisites':[{'flag':'nobody','variants':['on']}]",
         "prerequisites: there is no flag 'nobody'"},
        {"'prerequisites':[{'flag':'f','variants':['on']}]",
         "prerequisites: they go in a circle: f -> f"},
        {"'prerequisites':[{'flag':'h','variants':['on']}]",
         "prerequisites: they go in a circle: f -> h -> i -> f"},
        {"'prerequisites':[{'flag':'bad','variants':['on']}]",
         "prerequisites: flag 'bad' cannot be used: state: must be"},
        {"'prerequisite':[]", "prerequisite: no such member; did you mean 'prerequisites'?"},
    };
    struct flags others = {
        {make_flag("'key':'g'"),
         make_flag("'key':'h','prerequisites':[{'flag':'i','variants':['on']}]"),
         make_flag("'key':'i','prerequisites':[{'flag':'f','variants':['on']}]"),
         make_flag("'key':'bad','state':'dim'"),
         make_flag("'prerequisites':[{'flag':'h','variants':['on']}]")}, /* f as it was */
        5};
    struct flag_world world = {.flag = find_flag, .ctx = &others};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *flag = make_flag(cases[i].members);
        struct err err = {0};
        enum err_code rc = flag_check_in(flag, &world, &err);
        const char *want = cases[i].message;

        if ((want[0] == '\0') != (rc == ERR_OK) || strncmp(err.msg, want, strlen(want)) != 0)
            fail_msg("%s: '%s', wanted '%s'", cases[i].members, err.msg, want);
        json_free(flag);
    }
    for (size_t i = 0; i < others.count; i++)
        json_free(others.at[i]);
}

/* In a ruleset: those that ask in a circle, those that ask them, and no other. */
static void a_circle_takes_those_that_ask_into_it(void **state)
{
    struct ruleset *rules =
        make_rules(make_flag("'key':'a','prerequisites':[{'flag':'b','variants':['on']}]"),
                   make_flag("'key':'b','prerequisites':[{'flag':'c','variants':['on']}]"),
                   make_flag("'key':'c','prerequisites':[{'flag':'a','variants':['on']}]"),
                   make_flag("'key':'d','prerequisites':[{'flag':'b','variants':['on']}]"),
                   make_flag("'key':'e','prerequisites':[{'flag':'gone','variants':['on']}]"),
                   make_flag("'key':'g','prerequisites':[{'flag':'later','variants':['on']}]"),
                   make_flag("'key':'later','fallthrough':{'bandit':1}"),
                   make_flag("'key':'ok','fallthrough':{'variant':'on'}"),
                   make_flag("'key':'z','prerequisites':[{'flag':'ok','variants':['on']}]"), NULL);

    (void)state;
    for (size_t i = 0; i < ruleset_count(rules); i++) {
        const struct flag *flag = ruleset_at(rules, i);
        bool good = strcmp(flag_key(flag), "ok") == 0 || strcmp(flag_key(flag), "z") == 0;
        struct decision decision = decide(rules, flag_key(flag), "{}");

        assert_true((flag_unusable(flag) == NULL) == good);
        assert_int_equal(decision.error, good ? FLAG_NO_ERROR : FLAG_PARSE_ERROR);
    }
    ruleset_free(rules);
}

/* A ladder of two flags a step, each asking both of the step before: 1, 3, 7, 15, 31, 63 evaluations. */
static void work_is_bounded(void **state)
{
    struct json *flags[16] = {0};
    struct ruleset *rules;

    (void)state;
    for (int i = 0; i < 14; i++) {
        char members[200];
        int below = i / 2 * 2 - 2;

        if (i < 2)
            snprintf(members, sizeof members, "'key':'s%02d'", i);
        else
            snprintf(members, sizeof members,
                     "'key':'s%02d','prerequisites':[{'flag':'s%02d','variants':['on']},"
                     "{'flag':'s%02d','variants':['on']}]",
                     i, below, below + 1);
        flags[i] = make_flag(members);
    }
    rules = make_rules_of(flags);
    for (size_t i = 0; i < 14; i++)
        assert_true((flag_unusable(ruleset_at(rules, i)) == NULL) == (i < 12));
    ruleset_free(rules);
}

static void number_is_bounded(void **state)
{
    (void)state;
    for (unsigned extra = 0; extra < 2; extra++) {
        struct json *flags[LIMIT_PREREQUISITES + 3] = {0};
        struct buf text = {0};
        struct ruleset *rules;

        buf_text(&text, "'prerequisites':[");
        for (unsigned i = 0; i < LIMIT_PREREQUISITES + extra; i++) {
            char members[40];

            snprintf(members, sizeof members, "'key':'g%u'", i);
            flags[i + 1] = make_flag(members);
            buf_print(&text, "%s{'flag':'g%u','variants':['on']}", i > 0 ? "," : "", i);
        }
        buf_text(&text, "]");
        flags[0] = make_flag(text.at);
        rules = make_rules_of(flags);
        assert_true((flag_unusable(ruleset_find(rules, "f")) == NULL) == (extra == 0));
        ruleset_free(rules);
        buf_fini(&text);
    }
}

static void note(void *ctx, const char *variant, const char *where)
{
    buf_print(ctx, "%s by %s; ", variant, where);
}

static void outcomes_go_through_prerequisites(void **state)
{
    static const struct {
        const char *flag, *other, *want;
    } cases[] = {
        {NEEDS_G "'x':0", "'fallthrough':{'variant':'on'}", "on by fallthrough; "},
        {NEEDS_G "'x':0", "'state':'off'", "off by prerequisite g (where it answers 'off'); "},
        {NEEDS_G "'x':0", "'fallthrough':{'ramp':{'percent':99,'variant':'on'}}",
         "off by prerequisite g (where it answers 'off'); on by fallthrough; "},
        {NEEDS_G "'x':0",
         "'prerequisites':[{'flag':'h','variants':['on']}],'fallthrough':{'variant'"
         ":'on'}",
         "off by prerequisite g (where it answers 'off'); on by fallthrough; "},
        {NEEDS_G "'state':'off'", "'state':'off'", "off by off_variant; "},
        {"'prerequisites':[{'flag':'g','variants':['off','on']}],'fallthrough':{'variant':'on'}",
         "'fallthrough':{'ramp':{'percent':50,'variant':'on'}}", "on by fallthrough; "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char members[300];
        struct flags others = {{NULL, make_flag("'key':'h','fallthrough':{'ramp':{'percent':1,"
                                                "'variant':'on'}}")},
                               2};
        struct flag_world world = {.flag = find_flag, .ctx = &others};
        struct json *flag = make_flag(cases[i].flag);
        struct buf text = {0};
        struct err err = {0};

        snprintf(members, sizeof members, "'key':'g',%s", cases[i].other);
        others.at[0] = make_flag(members);
        if (flag_outcomes_in(flag, &world, note, &text, &err) != ERR_OK)
            fail_msg("%s", err.msg);
        assert_string_equal(buf_cstr(&text), cases[i].want);
        assert_int_equal(flag_outcomes(flag, note, &text, &err), ERR_INVALID);
        buf_fini(&text);
        json_free(flag);
        json_free(others.at[0]);
        json_free(others.at[1]);
    }
}

/* A client that is cut off: what is tied is answered by its lease also where another flag asks. */
static void a_tied_prerequisite_has_its_lease(void **state)
{
    static const struct {
        int64_t age_s;
        bool cache;
        const char *want;
    } cases[] = {{0, false, "on DEFAULT fallthrough"},
                 {300, false, "on DEFAULT fallthrough"},
                 {301, false, "off DISABLED prerequisite g"},
                 {1, true, "off DISABLED prerequisite g"},
                 {4000, false, "off DISABLED prerequisite g"}};
    struct ruleset *rules = make_rules(
        make_flag(NEEDS_G "'x':0"),
        make_flag("'key':'g','fallthrough':{'variant':'on'},'tie':{'safe':'off','lease_s':300,"
                  "'allowed':['on','off']}"),
        make_flag("'key':'i','prerequisites':[{'flag':'g','variants':['off']}],'fallthrough':{"
                  "'variant':'on'}"),
        NULL);
    struct context *ctx = malloc(sizeof *ctx);
    struct decision decision;

    (void)state;
    assert_non_null(ctx);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(context_init(ctx, rules, NULL, 0, NULL), ERR_OK);
        ctx->age_us = cases[i].age_s * 1000000;
        ctx->from_cache = cases[i].cache;
        evaluate_flag(rules, ruleset_find(rules, "f"), ctx, &decision);
        assert_string_equal(decision_text(&decision), cases[i].want);
        /* past all leases nobody knows, which is not "off" either */
        evaluate_flag(rules, ruleset_find(rules, "i"), ctx, &decision);
        assert_string_equal(decision_text(&decision),
                            cases[i].age_s > 3600 || cases[i].want[1] == 'n'
                                ? "off DISABLED prerequisite g"
                                : "on DEFAULT fallthrough");
        context_fini(ctx);
    }
    free(ctx);
    ruleset_free(rules);
}

static void why_shows_them(void **state)
{
    struct ruleset *rules = make_rules(make_flag(NEEDS_G "'x':0"), make_flag("'key':'g'"), NULL);
    struct context *ctx = malloc(sizeof *ctx);
    struct json *why;
    char *text;

    (void)state;
    assert_non_null(ctx);
    assert_int_equal(context_init(ctx, rules, NULL, 0, NULL), ERR_OK);
    why = evaluate_explain(rules, ruleset_find(rules, "f"), ctx);
    text = json_print_canonical(json_get(why, "steps"));
    assert_string_equal(text, "[{\"matched\":false,\"state\":\"on\",\"step\":\"state\"},"
                              "{\"answers\":\"off\",\"because\":\"fallthrough\",\"flag\":\"g\","
                              "\"matched\":true,\"met\":false,\"step\":\"prerequisite\","
                              "\"variant\":\"off\",\"wanted\":[\"on\"]}]");
    free(text);
    json_free(why);
    context_fini(ctx);
    free(ctx);
    ruleset_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flag_waits_for_another),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(a_circle_takes_those_that_ask_into_it),
        cmocka_unit_test(work_is_bounded),
        cmocka_unit_test(number_is_bounded),
        cmocka_unit_test(outcomes_go_through_prerequisites),
        cmocka_unit_test(a_tied_prerequisite_has_its_lease),
        cmocka_unit_test(why_shows_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
