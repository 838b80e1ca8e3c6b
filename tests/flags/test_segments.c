/*
 * Segments: who is in one, what a mistake in one does, and what a reader makes of later ones.
 */
#include "tests/flags/make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "flags/world.h"

#define STAFF "{'key':'staff','keys':['ann','bob'],'domains':['acme.com','*.globex.com']}"
#define BETA                                                                                       \
    "{'key':'beta','keys':['carl'],'when':'plan == `pro` || segment(`staff`)','description':'who " \
    "asked'}"

static struct json *rule_flag(const char *whom)
{
    char members[400];

    snprintf(members, sizeof members, "'rules':[{'name':'r',%s,'serve':{'variant':'on'}}]", whom);
    return make_flag(members);
}

static void members_are_found_by_key_domain_and_condition(void **state)
{
    static const struct {
        const char *whom, *context, *want;
    } cases[] = {
        {"'segment':'staff'", "{'targetingKey':'ann'}", "on TARGETING_MATCH rule r"},
        {"'segment':'staff'", "{'targetingKey':'anna'}", "off DEFAULT fallthrough"},
        {"'segment':'staff'", "{'targetingKey':''}", "off DEFAULT fallthrough"},
        {"'segment':'staff'", "{}", "off DEFAULT fallthrough"},
        {"'segment':'staff'", "{'domain':'ACME.com.'}", "on TARGETING_MATCH rule r"},
        {"'segment':'staff'", "{'domain':'x.acme.com'}", "off DEFAULT fallthrough"},
        {"'segment':'staff'", "{'email':'d@eu.globex.com'}", "on TARGETING_MATCH rule r"},
        {"'segment':'staff'", "{'domain':'evilglobex.com'}", "off DEFAULT fallthrough"},
        {"'when':'segment(`staff`) && level > 3'", "{'targetingKey':'ann','level':4}",
         "on TARGETING_MATCH rule r"},
        {"'when':'!segment(`staff`)'", "{'targetingKey':'zoe'}", "on TARGETING_MATCH rule r"},
        /* one that asks another; a member by key needs no condition */
        {"'segment':'beta'", "{'targetingKey':'carl'}", "on TARGETING_MATCH rule r"},
        {"'segment':'beta'", "{'targetingKey':'zoe','plan':'pro'}", "on TARGETING_MATCH rule r"},
        {"'segment':'beta'", "{'targetingKey':'ann'}", "on TARGETING_MATCH rule r"},
        {"'segment':'beta'", "{'targetingKey':'zoe','plan':'free'}", "off DEFAULT fallthrough"},
        {"'segment':'beta'", "{'targetingKey':'zoe'}", "off ERROR rule r GENERAL"},
        {"'segment':'beta','on_error':'skip'", "{'targetingKey':'zoe'}", "off DEFAULT fallthrough"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ruleset *rules =
            make_rules_with("'segments':[" BETA "," STAFF "]", rule_flag(cases[i].whom), NULL);
        struct decision decision = decide(rules, "f", cases[i].context);

        if (strcmp(decision_text(&decision), cases[i].want) != 0)
            fail_msg("%s for %s: %s, wanted %s", cases[i].whom, cases[i].context,
                     decision_text(&decision), cases[i].want);
        ruleset_free(rules);
    }
}

static void what_is_wrong_with_a_segment_is_said(void **state)
{
    static const struct {
        const char *segment, *message;
    } cases[] = {
        {"{'key':'s'}", ""},
        {"{'key':'s','when':'true','keys':[],'domains':[]}", ""},
        {"{'key':'s','when':'segment(`staff`)'}", ""},
        {"{'key':'s','uses':['segments']}", ""},
        {"7", "a segment must be an object, not a number"},
        {"{'keys':['a']}", "key: missing"},
        {"{'key':'S'}", "key: not allowed"},
        {"{'key':'s','kyes':['a']}", "kyes: no such member; did you mean 'keys'?"},
        {"{'key':'s','keys':['a'],'keys':['b']}", "keys: stands there twice"},
        {"{'key':'s','keys':'a'}", "keys: must be an array of targeting keys, not a string"},
        {"{'key':'s','keys':['a','']}", "keys: must hold targeting keys, not an empty one"},
        {"{'key':'s','keys':[7]}", "keys: must hold targeting keys, not a number"},
        {"{'key':'s','keys':['a','b','a']}", "keys: 'a' stands there twice"},
        {"{'key':'s','domains':['b','A.com','a.com.']}", "domains: 'a.com' stands there twice"},
        {"{'key':'s','domains':['a@b.com']}", "domains: 'a@b.com' is no domain"},
        {"{'key':'s','domains':[true]}", "domains: 'a boolean' is no domain"},
        {"{'key':'s','domains':{}}", "domains: must be an array of domains, not an object"},
        {"{'key':'s','when':7}", "when: a number; it must be a condition"},
        {"{'key':'s','when':'1 +'}", "when: line 1, column "},
        {"{'key':'s','when':'1 + 1'}", "when: gives int; it must give true or false"},
        {"{'key':'s','when':'segment(`stuff`)'}", "when: line 1, column 9: there is no segment"},
        {"{'key':'s','when':'segment(plan)'}",
         "when: line 1, column 9: the name of a segment must be a constant"},
        {"{'key':'s','when':'segment(`s`)'}", "when: segments go in a circle: s -> s"},
        {"{'key':'s','uses':['holograms']}", "uses: 'holograms' is not known to this version"},
        {"{'key':'s','description':[]}", "description: must be a string"},
        {"{'key':'staff','when':'segment(`asks`)'}",
         "when: segments go in a circle: asks -> staff -> asks"},
    };
    struct json *others = make_json("[" STAFF ",{'key':'asks','when':'segment(`staff`)'}]");
    struct flag_world world = {.segments = others};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *segment = make_json(cases[i].segment);
        struct err err = {0};
        enum err_code rc = segment_check(segment, &world, &err);
        const char *want = cases[i].message;

        if ((want[0] == '\0') != (rc == ERR_OK) || strncmp(err.msg, want, strlen(want)) != 0)
            fail_msg("%s: '%s', wanted '%s'", cases[i].segment, err.msg, want);
        json_free(segment);
    }
    json_free(others);
}

static void what_is_wrong_with_a_rule_is_said(void **state)
{
    static const struct {
        const char *whom, *message;
    } cases[] = {
        {"'segment':'staff'", ""},
        {"'segment':'stuff'", "rules[0].segment: there is no segment 'stuff'"},
        {"'segment':7", "rules[0].segment: there is no segment 'a number'"},
        {"'segment':'staff','when':'true'", "rules[0].segment: stands beside \"when\""},
        {"'when':'segment(`stuff`)'", "rules[0].when: line 1, column 9: there is no segment"},
        {"'when':'segment(`st` + `aff`)'", "rules[0].when: line 1, column "},
        {"'when':'segment(email)'", "rules[0].when: line 1, column 9: the name of a segment must"},
        {"'segment':'broken'", "rules[0].segment: segment 'broken' cannot be used: when: line 1"},
        {"'when':'segment(`broken`)'", "rules[0].when: segment 'broken' cannot be used"},
    };
    struct json *segments = make_json("[" STAFF ",{'key':'broken','when':'1 +'}]");
    struct flag_world world = {.segments = segments};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *flag = rule_flag(cases[i].whom);
        struct err err = {0};
        enum err_code rc = flag_check_in(flag, &world, &err);
        const char *want = cases[i].message;

        if ((want[0] == '\0') != (rc == ERR_OK) || strncmp(err.msg, want, strlen(want)) != 0)
            fail_msg("%s: '%s', wanted '%s'", cases[i].whom, err.msg, want);
        json_free(flag);
    }
    json_free(segments);
}

/* In a ruleset, as a client reads it: only the flags that need the bad segment suffer. */
static void a_bad_segment_takes_its_own_flags_alone(void **state)
{
    static const char *const bad[] = {
        "{'key':'bad','hologram':1,'uses':['holograms']}",
        "{'key':'bad','when':'hologram(x)'}",
        "{'key':'bad','when':'segment(`worse`)'},{'key':'worse','when':'segment(`bad`)'}",
        "{'key':'bad','keys':{'from':'a file'}}",
        "{'key':'worst','when':'segment(`bad`)'}",
        "{'key':'bad','domains':['-']}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char members[400];
        struct ruleset *rules;
        struct decision decision;

        snprintf(members, sizeof members, "'segments':[7,{'nokey':1},%s," STAFF "]", bad[i]);
        rules = make_rules_with(
            members, rule_flag("'segment':'bad'"),
            make_flag("'key':'g','rules':[{'segment':'staff','serve':{'variant':'on'}}]"), NULL);
        assert_non_null(flag_unusable(ruleset_find(rules, "f")));
        decision = decide(rules, "f", "{'targetingKey':'ann'}");
        assert_null(decision.variant);
        assert_int_equal(decision.error, FLAG_PARSE_ERROR);
        decision = decide(rules, "g", "{'targetingKey':'ann'}");
        assert_string_equal(decision_text(&decision), "on TARGETING_MATCH rule");
        ruleset_free(rules);
    }
}

static void chain(struct buf *text, unsigned depth)
{
    buf_text(text, "'segments':[{'key':'s1','keys':['ann']}");
    for (unsigned i = 2; i <= depth; i++)
        buf_print(text, ",{'key':'s%u','when':'segment(`s%u`)'}", i, i - 1);
    buf_text(text, "]");
}

static void depth_and_number_are_bounded(void **state)
{
    struct json *document;
    struct ruleset *rules = NULL;

    (void)state;
    for (unsigned extra = 0; extra < 2; extra++) {
        struct buf text = {0};
        char whom[40];

        chain(&text, LIMIT_SEGMENT_DEPTH + extra);
        snprintf(whom, sizeof whom, "'segment':'s%u'", LIMIT_SEGMENT_DEPTH + extra);
        rules = make_rules_with(text.at, rule_flag(whom), NULL);
        assert_true((flag_unusable(ruleset_find(rules, "f")) == NULL) == (extra == 0));
        if (extra == 0)
            assert_decision(rules, "{'targetingKey':'ann'}", "on TARGETING_MATCH rule r");
        ruleset_free(rules);
        buf_fini(&text);
    }
    document = make_json("{'format':1,'epoch':1,'revision':1,'flags':[],'segments':[]}");
    for (unsigned i = 0; i < LIMIT_SEGMENTS; i++)
        json_append(json_get(document, "segments"), json_object());
    assert_int_equal(ruleset_build(document, &rules, NULL), ERR_OK);
    ruleset_free(rules);
    json_append(json_get(document, "segments"), json_object());
    assert_int_equal(ruleset_build(document, &rules, NULL), ERR_LIMIT);
    json_free(document);
    document = make_json("{'format':1,'epoch':1,'revision':1,'flags':[],'segments':[{'key':'a'},"
                         "{'key':'a'}]}");
    assert_int_equal(ruleset_build(document, &rules, NULL), ERR_INVALID);
    json_free(document);
}

static void keys_are_bounded(void **state)
{
    struct json *segment = make_json("{'key':'s','keys':[]}");
    struct json *keys = json_get(segment, "keys");
    char key[20];

    (void)state;
    for (unsigned i = 0; i <= LIMIT_SEGMENT_KEYS; i++) {
        if (i == LIMIT_SEGMENT_KEYS)
            assert_int_equal(segment_check(segment, NULL, NULL), ERR_OK);
        snprintf(key, sizeof key, "k%u", i);
        json_append(keys, json_string(key));
    }
    assert_int_equal(segment_check(segment, NULL, NULL), ERR_INVALID);
    json_free(segment);
}

static void collect(void *ctx, enum flag_name_kind kind, const char *key)
{
    buf_print(ctx, "%s %s; ", kind == NAMES_FLAG ? "flag" : "segment", key);
}

static void names_are_those_that_are_asked_for(void **state)
{
    static const struct {
        const char *document, *want;
    } cases[] = {
        {"{}", ""},
        {"{'rules':[{'when':'plan == `segment` && market_segment == `beta`'}]}", ""},
        {"{'rules':[{'segment':'a'},{'when':'segment(`b`) && plan == `c`'},{'when':'segment('}]}",
         "segment a; segment b; "},
        {"{'when':'segment(`x.y`) || !segment(`z`)','keys':['segment']}",
         "segment x.y; segment z; "},
        {"{'prerequisites':[{'flag':'g','variants':['on']},{}]}", "flag g; "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *document = make_json(cases[i].document);
        struct buf text = {0};

        assert_int_equal(flag_names(document, collect, &text, NULL), ERR_OK);
        assert_string_equal(buf_cstr(&text), cases[i].want);
        buf_fini(&text);
        json_free(document);
    }
}

static void time_goes_through(void **state)
{
    struct ruleset *rules = make_rules_with(
        "'segments':[{'key':'a','when':'segment(`b`)'},{'key':'b','when':'now > timestamp(`2030-01-"
        "01T00:00:00Z`)'},{'key':'c'}]",
        rule_flag("'segment':'a'"),
        make_flag("'key':'g','rules':[{'segment':'c','serve':{'variant':'on'}}]"), NULL);

    (void)state;
    assert_true(flag_reads_now(ruleset_find(rules, "f")));
    assert_false(flag_reads_now(ruleset_find(rules, "g")));
    ruleset_free(rules);
}

static void why_shows_each_segment_that_was_asked(void **state)
{
    struct ruleset *rules =
        make_rules_with("'segments':[" BETA "," STAFF ",{'key':'other','keys':['x']}]",
                        rule_flag("'segment':'beta'"), NULL);
    struct json *attributes = make_json("{'targetingKey':'zoe','plan':'free','domain':'acme.com'}");
    struct context *ctx = malloc(sizeof *ctx);
    struct json *why;
    char *text;

    (void)state;
    assert_non_null(ctx);
    assert_int_equal(context_init(ctx, rules, attributes, 0, NULL), ERR_OK);
    why = evaluate_explain(rules, ruleset_find(rules, "f"), ctx);
    text = json_print_canonical(json_get(why, "segments"));
    assert_non_null(strstr(text, "{\"by\":\"when\",\"condition\":[{"));
    assert_non_null(strstr(text, "\"inside\":true,\"segment\":\"beta\""));
    assert_non_null(strstr(
        text,
        "{\"by\":\"domains\",\"inside\":true,\"pattern\":\"acme.com\",\"segment\":\"staff\"}"));
    assert_null(strstr(text, "other"));
    free(text);
    json_free(why);
    context_fini(ctx);
    free(ctx);
    json_free(attributes);
    ruleset_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_found_by_key_domain_and_condition),
        cmocka_unit_test(what_is_wrong_with_a_segment_is_said),
        cmocka_unit_test(what_is_wrong_with_a_rule_is_said),
        cmocka_unit_test(a_bad_segment_takes_its_own_flags_alone),
        cmocka_unit_test(depth_and_number_are_bounded),
        cmocka_unit_test(keys_are_bounded),
        cmocka_unit_test(names_are_those_that_are_asked_for),
        cmocka_unit_test(time_goes_through),
        cmocka_unit_test(why_shows_each_segment_that_was_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
