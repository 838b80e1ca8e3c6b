/*
 * evaluate_flag(): the order of the steps, reasons, keys, domains; and that the explanation tells
 * the same story.
 */
#include "tests/flags/make.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "condition/condition_json.h"

struct step {
    const char *members, *context, *want;
};

static void run(const struct step *steps, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct ruleset *rules = make_rules(make_flag(steps[i].members), NULL);
        struct decision decision = decide(rules, "f", steps[i].context);

        if (strcmp(decision_text(&decision), steps[i].want) != 0)
            fail_msg("%s with %s: '%s', wanted '%s' (%s)", steps[i].members, steps[i].context,
                     decision_text(&decision), steps[i].want, decision.message);
        ruleset_free(rules);
    }
}

#define RUN(steps) run(steps, sizeof(steps) / sizeof(steps)[0])
#define ALL                                                                                        \
    "'individual':{'u1':'on','7':'on'},'domains':{'acme.com':{'variant':'on'},"                    \
    "'*.acme.com':{'rules':true},'beta.acme.com':{'ramp':{'percent':50,'variant':'on'}}},"         \
    "'rules':[{'name':'staff','when':'plan == `staff`','serve':{'variant':'on'},"                  \
    "'on_error':'skip'},{'when':'level > 5','serve':{'ramp':{'percent':50,'variant':'on'}},"       \
    "'on_error':'skip'}]"

static void steps_come_in_order(void **state)
{
    static const struct step steps[] = {
        {"", "{}", "off STATIC fallthrough"},
        {"'fallthrough':{'variant':'on'}", "{}", "on STATIC fallthrough"},
        {"'state':'off'," ALL, "{'targetingKey':'u1','domain':'acme.com'}", "off DISABLED off"},
        {"'state':'off','off_variant':'on'", "{}", "on DISABLED off"},
        {ALL, "{}", "off DEFAULT fallthrough"},
        {ALL, "{'targetingKey':'u1'}", "on TARGETING_MATCH individual"},
        {ALL, "{'targetingKey':7}", "on TARGETING_MATCH individual"},
        {ALL, "{'targetingKey':'u11'}", "off DEFAULT fallthrough"},
        {ALL, "{'targetingKey':'u'}", "off DEFAULT fallthrough"},
        {ALL, "{'domain':'acme.com'}", "on TARGETING_MATCH domain acme.com"},
        {ALL, "{'domain':'ACME.COM.'}", "on TARGETING_MATCH domain acme.com"},
        {ALL, "{'email':'bob@acme.com'}", "on TARGETING_MATCH domain acme.com"},
        {ALL, "{'email':'acme.com'}", "off DEFAULT fallthrough"},
        {ALL, "{'email':'bob@acme.com','domain':'other.com'}", "off DEFAULT fallthrough"},
        {ALL, "{'email':'bob@acme.com','domain':''}", "on TARGETING_MATCH domain acme.com"},
        {ALL, "{'email':'bob@acme.com','domain':null}", "on TARGETING_MATCH domain acme.com"},
        {ALL, "{'email':'acme.com@evil.org'}", "off DEFAULT fallthrough"},
        {ALL, "{'email':'bob@not a domain'}", "off DEFAULT fallthrough"},
        {ALL, "{'domain':'evilacme.com'}", "off DEFAULT fallthrough"},
        /* no domain at all, not that of the address beside it; and every other step goes on */
        {ALL, "{'domain':'a b','email':'bob@acme.com'}", "off DEFAULT fallthrough"},
        {ALL, "{'domain':7,'email':'bob@acme.com'}", "off DEFAULT fallthrough"},
        {ALL, "{'domain':'10.0.0.1','plan':'staff'}", "on TARGETING_MATCH rule staff"},
        {ALL, "{'domain':'a..b','targetingKey':'u1'}", "on TARGETING_MATCH individual"},
        {"'rules':[{'when':'domain == `acme.com`','serve':{'variant':'on'}}]", "{'domain':'a b'}",
         "off ERROR rule GENERAL"},
        {ALL, "{'domain':'x.acme.com','plan':'staff'}", "on TARGETING_MATCH rule staff"},
        {ALL, "{'domain':'x.acme.com'}", "off DEFAULT fallthrough"},
        {ALL, "{'domain':'beta.acme.com'}", "off ERROR domain beta.acme.com TARGETING_KEY_MISSING"},
        {ALL, "{'domain':'beta.acme.com','plan':'staff','targetingKey':'u1'}",
         "on TARGETING_MATCH individual"},
        {ALL, "{'plan':'staff','level':9}", "on TARGETING_MATCH rule staff"},
        {ALL, "{'plan':'free','level':9}", "off DEFAULT fallthrough TARGETING_KEY_MISSING"},
        {ALL, "{'plan':'free','level':5}", "off DEFAULT fallthrough"},
    };

    (void)state;
    RUN(steps);
}

static void keys_are_strings_or_whole_numbers(void **state)
{
#define RAMP "'fallthrough':{'ramp':{'percent':99.999,'variant':'on'}}"
    static const struct step steps[] = {
        {RAMP, "{'targetingKey':'u'}", "on SPLIT fallthrough"},
        {RAMP, "{'targetingKey':12}", "on SPLIT fallthrough"},
        {RAMP, "{}", "off ERROR fallthrough TARGETING_KEY_MISSING"},
        {RAMP, "{'targetingKey':''}", "off ERROR fallthrough TARGETING_KEY_MISSING"},
        {RAMP, "{'targetingKey':1.5}", "off ERROR fallthrough TARGETING_KEY_MISSING"},
        {RAMP, "{'targetingKey':true}", "off ERROR fallthrough TARGETING_KEY_MISSING"},
        {RAMP, "{'targetingKey':null}", "off ERROR fallthrough TARGETING_KEY_MISSING"},
        {RAMP ",'bucket_by':'company.id'", "{'targetingKey':'u'}",
         "off ERROR fallthrough TARGETING_KEY_MISSING"},
        {RAMP ",'bucket_by':'company.id'", "{'company':{'id':'c'}}", "on SPLIT fallthrough"},
        {RAMP ",'bucket_by':'company.id'", "{'company':'c'}",
         "off ERROR fallthrough TARGETING_KEY_MISSING"},
        {RAMP ",'bucket_by':'domain'", "{'email':'a@acme.com'}", "on SPLIT fallthrough"},
        {"'fallthrough':{'split':{'on':50,'off':50}}", "{}",
         "off ERROR fallthrough TARGETING_KEY_MISSING"},
        /* Nothing to decide, so no key is asked. */
        {"'fallthrough':{'ramp':{'percent':100,'variant':'on'}}", "{}", "on SPLIT fallthrough"},
        {"'fallthrough':{'ramp':{'percent':0,'variant':'on'}}", "{}", "off SPLIT fallthrough"},
        {"'fallthrough':{'ramp':{'percent':100,'split':{'on':100}}}", "{}",
         "off ERROR fallthrough TARGETING_KEY_MISSING"},
    };
    struct ruleset *rules;
    struct decision text, number;

    (void)state;
    RUN(steps);
    rules = make_rules(make_flag("'fallthrough':{'ramp':{'percent':50,'variant':'on'}}"), NULL);
    text = decide(rules, "f", "{'targetingKey':'123456'}");
    number = decide(rules, "f", "{'targetingKey':123456}");
    assert_int_equal(text.bucket, number.bucket);
    assert_in_range(text.bucket, 0, 99999);
    ruleset_free(rules);
}

static void errors_stop_or_are_skipped(void **state)
{
#define RULE(how)                                                                                  \
    "'fallthrough':{'variant':'on'},'rules':[{'name':'r','when':'plan == `a`','serve':"            \
    "{'variant':'on'}" how "}]"
    static const struct step steps[] = {
        {RULE(""), "{}", "off ERROR rule r GENERAL"},
        {RULE(",'on_error':'stop'"), "{}", "off ERROR rule r GENERAL"},
        {RULE(",'on_error':'skip'"), "{}", "on DEFAULT fallthrough"},
        {RULE(""), "{'plan':'b'}", "on DEFAULT fallthrough"},
        {"'rules':[{'name':'r','when':'x','serve':{'variant':'on'}}]", "{'x':1}",
         "off ERROR rule r GENERAL"},
        {"'rules':[{'name':'r','when':'x','serve':{'variant':'on'}}]", "{'x':true}",
         "on TARGETING_MATCH rule r"},
    };
    struct ruleset *rules;
    struct decision decision;

    (void)state;
    RUN(steps);
    rules = make_rules(make_flag(RULE("")), NULL);
    decision = decide(rules, "f", "{}");
    assert_int_equal(decision.rule_index, 0);
    assert_ptr_equal(strstr(decision.message, "rule 1 (r): "), decision.message);
    assert_true(strlen(decision.message) > strlen("rule 1 (r): "));
    ruleset_free(rules);
}

static void time_and_domain_are_ours(void **state)
{
    static const struct step steps[] = {
        {"'rules':[{'when':'now > timestamp(`2025-12-31T00:00:00Z`) && now < "
         "timestamp(`2026-01-02T00:00:00Z`)','serve':{'variant':'on'}}]",
         "{'now':'1999'}", "on TARGETING_MATCH rule"},
        {"'rules':[{'when':'domain == `acme.com`','serve':{'variant':'on'}}]",
         "{'email':'x@ACME.com'}", "on TARGETING_MATCH rule"},
        {"'rules':[{'when':'domain.under(`acme.com`)','serve':{'variant':'on'}}]",
         "{'domain':'a.b.acme.com'}", "on TARGETING_MATCH rule"},
    };
    struct ruleset *rules = make_rules(make_flag("'rules':[{'when':'now > "
                                                 "timestamp(`2026-01-01T00:00:00Z`)','serve':"
                                                 "{'variant':'on'}}]"),
                                       make_flag("'key':'g'"), NULL);

    (void)state;
    RUN(steps);
    assert_true(flag_reads_now(ruleset_find(rules, "f")));
    assert_false(flag_reads_now(ruleset_find(rules, "g")));
    ruleset_free(rules);
}

static void values_are_decoded(void **state)
{
    struct ruleset *rules = make_rules(
        make_flag("'key':'b','fallthrough':{'variant':'on'}"),
        make_flag("'key':'s','type':'string','variants':{'on':'caf\xc3\xa9 \\'x\\'','off':''},"
                  "'fallthrough':{'variant':'on'}"),
        make_flag("'key':'n','type':'number','variants':{'on':0.1,'off':1e300},"
                  "'fallthrough':{'variant':'on'}"),
        make_flag("'key':'o','type':'object','variants':{'on':{'b':1,'a':[true,null]},'off':[]},"
                  "'fallthrough':{'variant':'on'}"),
        NULL);
    struct decision decision = decide(rules, "b", "{}");

    (void)state;
    assert_true(decision.value->truth);
    assert_string_equal(decision.value_json, "true");
    decision = decide(rules, "s", "{}");
    assert_string_equal(decision.value->text, "caf\xc3\xa9 \"x\"");
    assert_int_equal(decision.value->text_len, 9);
    assert_string_equal(decision.value_json, "\"caf\xc3\xa9 \\\"x\\\"\"");
    decision = decide(rules, "n", "{}");
    assert_true(fabs(decision.value->number - 0.1) < 1e-17);
    assert_string_equal(decision.value_json, "0.1");
    decision = decide(rules, "o", "{}");
    assert_string_equal(decision.value_json, "{\"a\":[true,null],\"b\":1}");
    assert_int_equal(flag_type(ruleset_find(rules, "o")), FLAG_OBJECT);
    ruleset_free(rules);
}

static void a_split_does_not_depend_on_the_order_of_its_document(void **state)
{
    struct ruleset *rules = make_rules(make_flag("'fallthrough':{'split':{'on':30,'off':70}}"),
                                       make_flag("'key':'g','variants':{'off':false,'on':true},"
                                                 "'fallthrough':{'split':{'off':70,'on':30}}"),
                                       NULL);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        char context[60];
        struct decision f, g;

        snprintf(context, sizeof context, "{'targetingKey':'u%d'}", i);
        f = decide(rules, "f", context);
        g = decide(rules, "g", context);
        assert_string_equal(f.variant, g.variant);
    }
    ruleset_free(rules);
}

static void values_are_canonical(void **state)
{
    struct ruleset *rules =
        make_rules(make_flag("'type':'object','state':'off','off_variant':'v','fallthrough':{"
                             "'variant':'v'},'variants':{'v':{'b':[2,{'d':1,'c':1e2}],'a':0.50}}"),
                   NULL);
    struct decision decision = decide(rules, "f", "{}");

    (void)state;
    assert_string_equal(decision.value_json, "{\"a\":0.5,\"b\":[2,{\"c\":100,\"d\":1}]}");
    ruleset_free(rules);
}

static void bad_contexts_are_refused(void **state)
{
    struct ruleset *rules = make_rules(make_flag(""), NULL);
    static const char *const bad[] = {
        "[]",
        "'x'",
        "{'a':1,'a':2}",
    };
    struct context *ctx = malloc(sizeof *ctx);
    struct json *json, *inner;
    struct err err;
    char *large;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        json = make_json(bad[i]);
        memset(&err, 0, sizeof err);
        if (context_init(ctx, rules, json, 0, &err) != ERR_INVALID || err.msg[0] == '\0')
            fail_msg("%s was taken", bad[i]);
        json_free(json);
    }
    for (unsigned depth = CONDITION_JSON_DEPTH_MAX + 1; depth >= CONDITION_JSON_DEPTH_MAX - 1;
         depth--) {
        json = json_object();
        inner = json;
        for (unsigned i = 1; i < depth; i++) {
            json_put(inner, "a", json_object());
            inner = json_get(inner, "a");
        }
        if (depth > CONDITION_JSON_DEPTH_MAX)
            assert_int_equal(context_init(ctx, rules, json, 0, NULL), ERR_INVALID);
        else if (depth < CONDITION_JSON_DEPTH_MAX) {
            assert_int_equal(context_init(ctx, rules, json, 0, NULL), ERR_OK);
            context_fini(ctx);
        }
        json_free(json);
    }
    large = malloc(LIMIT_CONTEXT_BYTES + 1);
    memset(large, 'x', LIMIT_CONTEXT_BYTES);
    large[LIMIT_CONTEXT_BYTES] = '\0';
    json = json_object();
    json_put_text(json, "a", large);
    assert_int_equal(context_init(ctx, rules, json, 0, NULL), ERR_INVALID);
    large[LIMIT_CONTEXT_BYTES - 16] = '\0';
    json_put_text(json, "a", large);
    assert_int_equal(context_init(ctx, rules, json, 0, NULL), ERR_OK);
    context_fini(ctx);
    json_free(json);
    assert_int_equal(context_init(ctx, rules, NULL, -1, NULL), ERR_OK);
    assert_null(ctx->domain);
    context_fini(ctx);
    free(large);
    free(ctx);
    ruleset_free(rules);
}

static void a_tied_flag_has_a_safe_answer(void **state)
{
    struct ruleset *rules =
        make_rules(make_flag("'fallthrough':{'variant':'on'},'tie':{'safe':'off','allowed':['on',"
                             "'off'],'lease_s':300}"),
                   make_flag("'key':'free'"), NULL);
    struct decision decision;

    (void)state;
    assert_int_equal(flag_lease_s(ruleset_find(rules, "f")), 300);
    assert_int_equal(flag_lease_s(ruleset_find(rules, "free")), 0);
    assert_true(evaluate_safe(ruleset_find(rules, "f"), &decision));
    assert_string_equal(decision_text(&decision), "off STALE lease");
    assert_string_equal(decision.value_json, "false");
    assert_false(evaluate_safe(ruleset_find(rules, "free"), &decision));
    ruleset_free(rules);
}

/* The document of why, as one line. */
static char *explain(const struct ruleset *rules, const char *context)
{
    struct context *ctx = malloc(sizeof *ctx);
    struct json *attributes = make_json(context), *document;
    char *text;

    assert_int_equal(context_init(ctx, rules, attributes, 0, NULL), ERR_OK);
    document = evaluate_explain(rules, ruleset_find(rules, "f"), ctx);
    assert_non_null(document);
    text = json_print(document);
    json_free(document);
    json_free(attributes);
    context_fini(ctx);
    free(ctx);
    return text;
}

static void the_explanation_shows_each_step(void **state)
{
    struct ruleset *rules = make_rules(make_flag(ALL), NULL);
    static const struct {
        const char *context;
        const char *parts[4];
    } cases[] = {
        {"{'domain':'x.acme.com','plan':'free','targetingKey':'k'}",
         {"\"pattern\":\"*.acme.com\"", "{\"step\":\"rule 1 (staff)\",\"matched\":false",
          "{\"text\":\"plan\",\"value\":\"free\"", "\"step\":\"fallthrough\",\"matched\":true"}},
        {"{'domain':'beta.acme.com','targetingKey':'k'}",
         {"\"percent\":50", "\"bucket\":", "\"inside\":", "\"bucket_by\":\"targetingKey\""}},
        {"{'domain':'beta.acme.com'}",
         {"\"reason\":\"ERROR\"", "\"error\":\"TARGETING_KEY_MISSING\"",
          "\"message\":", "\"off\""}},
        {"{'domain':'a b'}",
         {"\"domain\":null", "context.domain is no domain name", "\"step\":\"rule 2\"",
          "\"reason\":\"DEFAULT\""}},
        {"{'targetingKey':'u1'}",
         {"\"value\":true", "\"reason\":\"TARGETING_MATCH\"",
          "{\"step\":\"individual\",\"matched\":true,\"variant\":\"on\"}", "\"flag\":\"f\""}},
        {"{}",
         {"\"on_error\":\"skip\"", "\"domain\":null", "\"step\":\"rule 2\"",
          "\"when\":\"level > 5\""}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = explain(rules, cases[i].context);

        for (size_t part = 0; part < 4; part++) {
            if (strstr(text, cases[i].parts[part]) == NULL)
                fail_msg("%s is not in %s", cases[i].parts[part], text);
        }
        free(text);
    }
    ruleset_free(rules);
    rules = make_rules(make_flag("'state':'off'"), NULL);
    free(explain(rules, "{}"));
    ruleset_free(rules);
    rules = make_rules(make_flag("'fallthrough':{}"), NULL);
    free(explain(rules, "{}"));
    ruleset_free(rules);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_come_in_order),
        cmocka_unit_test(keys_are_strings_or_whole_numbers),
        cmocka_unit_test(errors_stop_or_are_skipped),
        cmocka_unit_test(time_and_domain_are_ours),
        cmocka_unit_test(values_are_decoded),
        cmocka_unit_test(a_split_does_not_depend_on_the_order_of_its_document),
        cmocka_unit_test(values_are_canonical),
        cmocka_unit_test(bad_contexts_are_refused),
        cmocka_unit_test(a_tied_flag_has_a_safe_answer),
        cmocka_unit_test(the_explanation_shows_each_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
