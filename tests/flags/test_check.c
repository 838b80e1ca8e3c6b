/*
 * flag_check() and flag_complete(): each mistake has its member and what would be right in the
 * message, and whatever is refused here is an unusable flag in a ruleset, whose neighbours work.
 */
#include "tests/flags/make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "flags/diff.h"

struct mistake {
    const char *members; /* onto make_flag() */
    const char *message; /* how it begins, or a part of it after '~' */
    bool only_check;     /* a ruleset takes it */
};

static const struct mistake mistakes[] = {
    {"'key':''", "key: '' is not allowed", false},
    {"'key':'Upper'", "key: 'Upper' is not allowed", false},
    {"'key':'-a'", "key: '-a' is not allowed", false},
    {"'key':'a/b'", "key: 'a/b' is not allowed", false},
    {"'type':'bool'", "type: 'bool' is none; it must be boolean, string, number or object", false},
    {"'type':7", "type: '' is none", false},
    {"'state':'maybe'", "state: must be \"on\" or \"off\", not 'maybe'", false},
    {"'variants':{}", "variants: empty", false},
    {"'variants':[]", "variants: an array", false},
    {"'variants':{'on':true,'off':0}", "variants.off: is a number, but the flag's type is boolean",
     false},
    {"'variants':{'on':true,'off':false,'':true}", "variants: the name '' is not allowed", false},
    {"'variants':{'on':true,'off':false,'on':true}", "variants: 'on' stands there twice", false},
    {"'off_variant':'no'", "off_variant: 'no' is no variant of this flag (on, off)", false},
    {"'off_variant':3", "off_variant: a number; it must name a variant (on, off)", false},
    {"'salt':'a:b'", "salt: not allowed", false},
    {"'salt':''", "salt: not allowed", false},
    {"'salt':null", "salt: null", false},
    {"'split_salt':'s1'", "split_salt: must differ from salt", false},
    {"'bucket_by':''", "bucket_by: '' is no attribute path", false},
    {"'bucket_by':'a..b'", "bucket_by: 'a..b' is no attribute path", false},
    {"'bucket_by':7", "bucket_by: must be an attribute path, not a number", false},
    {"'individual':{'u':'maybe'}", "individual.u: 'maybe' is no variant", false},
    {"'individual':['u']", "individual: must be an object", false},
    {"'individual':{'u':'on','u':'off'}", "individual: 'u' stands there twice", false},
    {"'domains':{'acme':{}}", "domains[\"acme\"]: not one choice", false},
    {"'domains':{'ac me.com':{'variant':'on'}}", "domains: 'ac me.com' is no domain", false},
    {"'domains':{'a@acme.com':{'variant':'on'}}", "domains: 'a@acme.com' is no domain", false},
    {"'domains':{'*.*.acme.com':{'variant':'on'}}", "domains: '*.*.acme.com' is no domain", false},
    {"'domains':{'*':{'variant':'on'}}", "domains: '*' is no domain", false},
    {"'domains':{'acme.com':{'variant':'on'},'ACME.com.':{'variant':'on'}}",
     "domains: 'acme.com' stands there twice", false},
    {"'domains':{'acme.com':{'rules':false}}", "domains[\"acme.com\"]: 'rules' is not known here",
     false},
    {"'fallthrough':null", "fallthrough: not one choice", false},
    {"'fallthrough':{'variant':'on','split':{}}", "fallthrough: not one choice", false},
    {"'fallthrough':{'magic':1}", "fallthrough: 'magic' is not known here", false},
    {"'fallthrough':{'rules':true}", "fallthrough: 'rules' is not known here", false},
    {"'fallthrough':{'ramp':{'percent':101,'variant':'on'}}",
     "fallthrough.ramp.percent: 101 is not from 0 to 100", false},
    {"'fallthrough':{'ramp':{'percent':-0.001,'variant':'on'}}",
     "fallthrough.ramp.percent: -0.001 is not from 0 to 100", false},
    {"'fallthrough':{'ramp':{'percent':'25%','variant':'on'}}",
     "fallthrough.ramp.percent: a string; it must be a number from 0 to 100", false},
    {"'fallthrough':{'ramp':{'percent':1.2345,'variant':'on'}}",
     "fallthrough.ramp.percent: 1.2345 has more than three decimals", false},
    {"'fallthrough':{'ramp':{'percent':5}}",
     "fallthrough.ramp: needs either \"variant\" or \"split\", not neither", false},
    {"'fallthrough':{'ramp':{'percent':5,'variant':'on','split':{'on':100}}}",
     "fallthrough.ramp: needs either \"variant\" or \"split\", not both", false},
    {"'fallthrough':{'split':{'on':50,'off':49.999}}",
     "fallthrough.split: the percentages sum to 99.999, not to 100", false},
    {"'fallthrough':{'split':{'on':50,'of':50}}", "fallthrough.split: 'of' is no variant", false},
    {"'fallthrough':{'split':{}}", "fallthrough.split: must be an object", false},
    {"'rules':{}", "rules: must be an array, not an object", false},
    {"'rules':['x']", "rules[0]: must be an object with \"when\" and \"serve\", not a string",
     false},
    {"'rules':[{'serve':{'variant':'on'}}]", "rules[0].when: missing", false},
    {"'rules':[{'when':'true'}]", "rules[0].serve: missing", false},
    {"'rules':[{'when':'plan == ','serve':{'variant':'on'}}]", "rules[0].when: line 1, column ",
     false},
    {"'rules':[{'when':'1 + 1','serve':{'variant':'on'}}]", "rules[0].when: gives int", false},
    {"'rules':[{'when':'true','serve':{'variant':'on'},'on_error':'guess'}]",
     "rules[0].on_error: must be \"stop\" or \"skip\"", false},
    {"'rules':[{'name':'a','when':'true','serve':{'variant':'on'}},"
     "{'name':'a','when':'true','serve':{'variant':'on'}}]",
     "rules[1].name: 'a' is the name of rules[0] as well", false},
    {"'tie':{'safe':'off','allowed':['on'],'lease_s':0}", "tie.lease_s: must be 1 to 86400", false},
    {"'tie':{'safe':'none','allowed':['on'],'lease_s':5}", "tie.safe: 'none' is no variant", false},
    {"'tie':{'safe':'off','allowed':'on','lease_s':5}", "tie.allowed: must be an array", false},
    {"'fallthrough':{'split':{'on':[[0,40]],'off':[[40,100]]}}", "", true},
    {"'fallthrough':{'split':{'on':[[0,40],[60,100]],'off':[[40,60]]}}", "", true},
    {"'fallthrough':{'split':{'on':[[0,40],[40,100]],'off':[]}}", "", true},
    {"'fallthrough':{'split':{'on':[[0,40]],'off':60}}",
     "fallthrough.split.off: a number beside a list of ranges", false},
    {"'fallthrough':{'split':{'on':[[0,40]],'off':[[50,100]]}}",
     "fallthrough.split: 40 % to 50 % has no variant", false},
    {"'fallthrough':{'split':{'on':[[0,40]],'off':[[30,100]]}}",
     "fallthrough.split: 30 % to 40 % has more than one variant", false},
    {"'fallthrough':{'split':{'on':[[0,40]],'off':[[40,99.999]]}}",
     "fallthrough.split: 99.999 % to 100 % has no variant", false},
    {"'fallthrough':{'split':{'on':[],'off':[]}}", "fallthrough.split: 0 % to 100 % has no", false},
    {"'fallthrough':{'split':{'on':[7],'off':[]}}", "fallthrough.split.on: a range is two", false},
    {"'fallthrough':{'split':{'on':[[0,100]],'blue':[]}}", "fallthrough.split: 'blue' is no",
     false},
    {"'uses':['segments','holograms']", "uses: 'holograms' is not known to this version", false},
    {"'uses':['layer','prerequisites','segments']", "", true},
    {"'type':'object','variants':{'on':{'a':1,'b':2,'a':3},'off':{}}",
     "variants.on: 'a' stands there twice", true},
    {"'type':'object','variants':{'on':[0,{'x':{'a':1,'a':1}}],'off':{}}",
     "variants.on: 'a' stands there twice", true},
    {"'rules':[{'name':'r','when':'true','serve':{'variant':'on'},'when':'false'}]",
     "rules: 'when' stands there twice", true},
    {"'domains':{'acme.com':{'ramp':{'percent':5,'variant':'on','percent':100}}}",
     "domains.acme.com: 'percent' stands there twice", true},
    {"'fallthru':{}", "", true}, /* too far away to be a slip */
    {"'domain':{}", "domain: no such member; did you mean 'domains'?", true},
    {"'fallthrouhg':{}", "fallthrouhg: no such member; did you mean 'fallthrough'?", true},
    {"'description':7", "description: must be a string, not a number", true},
    {"'tags':'a'", "tags: must be an array of strings, not a string", true},
    {"'tags':[1]", "tags: must hold strings, not a number", true},
    {"'owner':7", "owner: must be a string", true},
    {"'expected_end':20270131", "expected_end: must be the day", true},
    {"'expected_end':'2027-1-31'", "expected_end: must be the day", true},
    {"'expected_end':'2027-02-29'", "expected_end: must be the day", true},
    {"'expected_end':'2027-13-01'", "expected_end: must be the day", true},
    {"'expected_end':'2027-00-10'", "expected_end: must be the day", true},
    {"'expected_end':'2027-04-31'", "expected_end: must be the day", true},
    {"'expected_end':'soon'", "expected_end: must be the day", true},
    {"'ownr':'x'", "ownr: no such member; did you mean 'owner'?", true},
};

static void each_mistake_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        const struct mistake *mistake = &mistakes[i];
        struct json *flag = make_flag(mistake->members);
        struct err err = {0};
        enum err_code rc = flag_check(flag, &err);

        if (mistake->message[0] == '\0') {
            assert_int_equal(rc, ERR_OK);
        } else {
            if (rc != ERR_INVALID ||
                strncmp(err.msg, mistake->message, strlen(mistake->message)) != 0)
                fail_msg("%s: code %d: '%s', wanted '%s'", mistake->members, (int)rc, err.msg,
                         mistake->message);
        }
        json_free(flag);
    }
}

static void a_mistake_makes_its_own_flag_unusable(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        struct json *flag = make_flag(mistakes[i].members);
        char *key = strdup(json_get_text(flag, "key", ""));
        struct ruleset *rules = make_rules(make_flag("'key':'neighbour','fallthrough':{'variant':"
                                                     "'on'}"),
                                           flag, NULL);
        const struct flag *bad = ruleset_find(rules, key);
        struct decision decision = decide(rules, "neighbour", "{}");

        assert_string_equal(decision_text(&decision), "on STATIC fallthrough");
        assert_non_null(bad);
        assert_true((flag_unusable(bad) == NULL) == mistakes[i].only_check);
        if (!mistakes[i].only_check) {
            decision = decide(rules, key, "{}");
            assert_null(decision.variant);
            assert_int_equal(decision.reason, FLAG_ERROR);
            assert_int_equal(decision.error, FLAG_PARSE_ERROR);
            assert_true(decision.message[0] != '\0');
            assert_false(evaluate_safe(bad, &decision));
        }
        ruleset_free(rules);
        free(key);
    }
}

static void differences_are_named(void **state)
{
    static const struct {
        const char *before, *after, *difference;
    } cases[] = {
        {"", "", "[]"},
        {"'state':'off'", "'state':'on'", "[{'at':'state','now':'on','was':'off'}]"},
        {"'domains':{'a.com':{'variant':'on'},'b.com':{'variant':'on'}}",
         "'domains':{'b.com':{'variant':'off'},'c.com':{'variant':'on'}}",
         "[{'at':'domains.a.com','was':{'variant':'on'}},{'at':'domains.b.com','now':{'variant':"
         "'off'},'was':{'variant':'on'}},{'at':'domains.c.com','now':{'variant':'on'}}]"},
        {"", "'individual':{'u1':'on'}", "[{'at':'individual.u1','now':'on'}]"},
        {"'rules':[{'name':'a','when':'true','serve':{'variant':'on'}}]",
         "'rules':[{'name':'b','when':'true','serve':{'variant':'on'}}]",
         "[{'at':'rules.a','was':{'name':'a','serve':{'variant':'on'},'when':'true'}},"
         "{'at':'rules.b','now':{'name':'b','serve':{'variant':'on'},'when':'true'}}]"},
        {"'rules':[{'name':'a','when':'true'},{'name':'b','when':'true'}]",
         "'rules':[{'name':'b','when':'true'},{'name':'a','when':'true'}]",
         "[{'at':'rules','now':[{'name':'b','when':'true'},{'name':'a','when':'true'}],'was':[{"
         "'name':'a','when':'true'},{'name':'b','when':'true'}]}]"},
        {"'rules':[{'when':'true'}]", "'rules':[]",
         "[{'at':'rules','now':[],'was':[{'when':'true'}]}]"},
        {"'domains':7", "'domains':{}", "[{'at':'domains','now':{},'was':7}]"},
        {"'individual':{'a':'on','b':'on','c':'on','d':'on'}", "",
         "[{'at':'individual.a','was':'on'},{'at':'individual.b','was':'on'},{'at':'individual.c',"
         "'was':'on'}]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *before = make_flag(cases[i].before), *after = make_flag(cases[i].after);
        struct json *found = flag_difference(before, after, 3);
        struct json *wanted = make_json(cases[i].difference);

        if (!json_equal(found, wanted))
            fail_msg("%s: %s", cases[i].difference, json_print_canonical(found));
        json_free(found);
        json_free(wanted);
        json_free(before);
        json_free(after);
    }
}

static void what_is_right_passes(void **state)
{
    static const char *const good[] = {
        "",
        "'description':'x','tags':['a','b'],'bucket_by':'company.id','unknown_member':{'a':1}",
        "'owner':'search team','expected_end':'2028-02-29'",
        "'owner':'','expected_end':'never'",
        "'fallthrough':{'ramp':{'percent':0.001,'variant':'on'}}",
        "'fallthrough':{'ramp':{'percent':100,'split':{'on':33.333,'off':66.667}}}",
        "'fallthrough':{'split':{'on':0,'off':100}}",
        "'domains':{'A.com':{'variant':'on'},'*.a.com':{'rules':true},'com':{'variant':'on'}}",
        "'type':'object','variants':{'on':{'a':[1,null]},'off':[1,2]}",
        "'type':'number','variants':{'on':1.5,'off':0}",
        "'type':'string','variants':{'on':'','off':'x'}",
        "'uses':[],'rules':[{'when':'a','serve':{'variant':'on'},'on_error':'skip'}]",
        "'rules':[{'when':'domain.endsWith(`x`)','serve':{'variant':'on'}}]",
        "'tie':{'safe':'off','allowed':['on','off'],'lease_s':300,'migration':'m','held':true}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct json *flag = make_flag(good[i]);
        struct err err = {0};

        if (flag_check(flag, &err) != ERR_OK)
            fail_msg("%s: %s", good[i], err.msg);
        json_free(flag);
    }
}

static void limits_hold_at_the_bound(void **state)
{
    (void)state;
    for (unsigned extra = 0; extra < 2; extra++) {
        struct json *flag = make_flag("'variants':{'off':false}");
        struct json *variants = json_get(flag, "variants");
        struct json *rules = json_array(), *rule = make_json("{'when':'true','serve':"
                                                             "{'variant':'off'}}");
        char name[24];

        for (unsigned i = 1; i < LIMIT_VARIANTS + extra; i++) {
            snprintf(name, sizeof name, "v%u", i);
            json_put_bool(variants, name, true);
        }
        assert_int_equal(flag_check(flag, NULL), extra == 0 ? ERR_OK : ERR_LIMIT);
        json_free(flag);
        flag = make_flag("");
        for (unsigned i = 0; i < LIMIT_RULES + extra; i++)
            json_append(rules, json_copy(rule));
        json_put(flag, "rules", rules);
        assert_int_equal(flag_check(flag, NULL), extra == 0 ? ERR_OK : ERR_LIMIT);
        json_free(flag);
        json_free(rule);
    }
}

static void a_new_flag_is_completed(void **state)
{
    struct json *flag = make_json("{'key':'new'}"), *other = make_json("{'key':'new'}");
    struct err err = {0};

    (void)state;
    assert_int_equal(flag_complete(flag, &err), ERR_OK);
    assert_int_equal(flag_complete(other, &err), ERR_OK);
    if (flag_check(flag, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    assert_string_equal(json_get_text(flag, "type", ""), "boolean");
    assert_string_equal(json_get_text(flag, "state", ""), "off");
    assert_string_equal(json_get_text(flag, "off_variant", ""), "off");
    assert_string_equal(json_get_text(json_get(flag, "fallthrough"), "variant", ""), "off");
    assert_string_not_equal(json_get_text(flag, "salt", ""), json_get_text(other, "salt", ""));
    assert_string_not_equal(json_get_text(flag, "salt", ""), json_get_text(flag, "split_salt", ""));
    json_free(flag);
    json_free(other);

    flag = make_json("{'key':'s','type':'string','variants':{'a':'1','b':'2'}}");
    assert_int_equal(flag_complete(flag, &err), ERR_INVALID);
    assert_string_equal(err.msg,
                        "off_variant: missing; say which variant the flag gives while it is "
                        "off");
    json_put_text(flag, "off_variant", "b");
    json_put_text(flag, "salt", "kept");
    assert_int_equal(flag_complete(flag, &err), ERR_OK);
    assert_string_equal(json_get_text(flag, "salt", ""), "kept");
    assert_string_equal(json_get_text(json_get(flag, "fallthrough"), "variant", ""), "b");
    assert_int_equal(flag_check(flag, &err), ERR_OK);
    json_free(flag);
}

static void a_document_that_is_none_is_refused(void **state)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"[]", "ruleset: must be an object, not an array"},
        {"{}", "ruleset: format must be a whole number from 0"},
        {"{'format':2,'epoch':1,'revision':1,'flags':[]}",
         "ruleset: format 2; this version reads 1"},
        {"{'format':1,'epoch':-1,'revision':1,'flags':[]}", "ruleset: epoch must be"},
        {"{'format':1,'epoch':1,'revision':1.5,'flags':[]}", "ruleset: revision must be"},
        {"{'format':1,'epoch':1,'revision':1}", "ruleset: flags must be an array"},
        {"{'format':1,'epoch':1,'revision':1,'flags':[{'key':'a'},{'key':'a'}]}",
         "ruleset: two flags have the key 'a'"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *document = make_json(cases[i].text);
        struct ruleset *rules = NULL;
        struct err err = {0};

        assert_int_equal(ruleset_build(document, &rules, &err), ERR_INVALID);
        assert_null(rules);
        if (strncmp(err.msg, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("'%s', wanted '%s'", err.msg, cases[i].message);
        json_free(document);
    }
}

/* A ruleset from a later version: members unknown here, a flag that relies on one, one without a
 * key. */
static void the_future_is_survived(void **state)
{
    struct json *document =
        make_json("{'format':1,'environment':'e','epoch':3,'revision':9,'segments':[1],'flags':["
                  "{'key':'b','type':'boolean','state':'on','variants':{'on':true,'off':false},"
                  "'off_variant':'off','salt':'a','split_salt':'b','fallthrough':{'variant':'on'},"
                  "'owner':'ops'},"
                  "{'key':'a','type':'date','state':'on'},"
                  "{'key':'c','type':'boolean','state':'on','variants':{'on':true,'off':false},"
                  "'off_variant':'off','salt':'a','split_salt':'b','fallthrough':{'bandit':{}}},"
                  "{'nokey':1},7]}");
    struct ruleset *rules = NULL;
    struct decision decision;

    (void)state;
    assert_int_equal(ruleset_build(document, &rules, NULL), ERR_OK);
    json_free(document);
    assert_int_equal(ruleset_epoch(rules), 3);
    assert_int_equal(ruleset_revision(rules), 9);
    assert_string_equal(ruleset_environment(rules), "e");
    assert_int_equal(ruleset_count(rules), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(flag_key(ruleset_at(rules, i))[0], "abc"[i]);
    assert_null(ruleset_find(rules, "d"));
    assert_null(ruleset_find(rules, ""));
    assert_non_null(flag_unusable(ruleset_find(rules, "a")));
    assert_string_equal(flag_unusable(ruleset_find(rules, "c")),
                        "fallthrough: 'bandit' is not known here; use \"variant\", \"ramp\", "
                        "\"split\"");
    decision = decide(rules, "b", "{}");
    assert_string_equal(decision_text(&decision), "on STATIC fallthrough");
    ruleset_free(rules);
    ruleset_free(NULL);
}

static void a_domain_is_found_however_it_is_spelt(void **state)
{
    static const struct {
        const char *text, *found;
    } cases[] = {
        {"acme.com", "ACME.com."},
        {"Acme.COM", "ACME.com."},
        {"*.acme.com", NULL},
        {"xn--bcher-kva.example", "B\xc3\x9c"
                                  "cher.example"},
        {"b\xc3\xbc"
         "cher.example.",
         "B\xc3\x9c"
         "cher.example"},
        {"*.b\xc3\xbc"
         "cher.example",
         "*.xn--bcher-kva.example"},
        {"ann@acme.com", NULL},
        {"no domain", NULL},
        {"", NULL},
        {"*.", NULL},
    };
    static const char text[] = "{\"domains\":{\"ACME.com.\":{},\"B\xc3\x9c"
                               "cher.example\":{},"
                               "\"*.xn--bcher-kva.example\":{}}}";
    struct json *flag = NULL;
    struct json *bare = json_object();

    (void)state;
    assert_int_equal(json_parse(text, strlen(text), &flag, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *found = flag_find_domain(flag, cases[i].text);

        if (cases[i].found == NULL) {
            assert_null(found);
        } else {
            assert_non_null(found);
            assert_string_equal(found, cases[i].found);
        }
    }
    assert_null(flag_find_domain(bare, "acme.com"));
    json_free(bare);
    json_free(flag);
}

static void a_change_that_moves_subjects_is_seen(void **state)
{
    static const struct {
        const char *before, *after;
        bool moves;
    } cases[] = {
        {"", "", false},
        {"", "'salt':'other'", true},
        {"", "'split_salt':'other'", true},
        {"", "'bucket_by':'targetingKey'", false},
        {"", "'bucket_by':'company'", true},
        {"'fallthrough':{'ramp':{'percent':5,'variant':'on'}}",
         "'fallthrough':{'ramp':{'percent':50,'variant':'on'}}", false},
        {"'fallthrough':{'split':{'on':50,'off':50}}", "'fallthrough':{'split':{'on':40,'off':60}}",
         true},
        {"'fallthrough':{'split':{'on':50,'off':50}}", "'fallthrough':{'split':{'off':50,'on':50}}",
         false},
        {"'fallthrough':{'split':{'on':100}}", "'fallthrough':{'split':{'on':100,'off':0}}", false},
        {"'fallthrough':{'split':{'on':50,'off':50}}",
         "'fallthrough':{'ramp':{'percent':7,'split':{'on':40,'off':60}}}", true},
        {"'fallthrough':{'split':{'on':50,'off':50}}", "'fallthrough':{'variant':'on'}", false},
        {"'domains':{'a.com':{'split':{'on':50,'off':50}},'b.com':{'variant':'on'}}",
         "'domains':{'b.com':{'variant':'on'},'a.com':{'split':{'on':51,'off':49}}}", true},
        {"'domains':{'a.com':{'split':{'on':50,'off':50}}}",
         "'domains':{'b.com':{'variant':'on'},'a.com':{'split':{'on':50,'off':50}}}", false},
        {"'rules':[{'when':'a','serve':{'split':{'on':1,'off':99}}}]",
         "'rules':[{'when':'a','serve':{'split':{'on':2,'off':98}}}]", true},
        {"'rules':[{'name':'x','when':'a','serve':{'split':{'on':1,'off':99}}}]",
         "'rules':[{'name':'y','when':'a','serve':{'variant':'on'}},"
         "{'name':'x','when':'a','serve':{'split':{'on':1,'off':99}}}]",
         false},
        {"'rules':[{'name':'x','when':'a','serve':{'split':{'on':1,'off':99}}}]",
         "'rules':[{'name':'y','when':'a','serve':{'variant':'on'}},"
         "{'name':'x','when':'a','serve':{'split':{'on':3,'off':97}}}]",
         true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *before = make_flag(cases[i].before), *after = make_flag(cases[i].after);

        if (flag_reassigns(before, after) != cases[i].moves)
            fail_msg("%s -> %s", cases[i].before, cases[i].after);
        json_free(before);
        json_free(after);
    }
}

/* Puts a random value at a random place of object. */
static void mutate(struct json *object, uint32_t *random)
{
    static const char *const values[] = {
        "null",
        "true",
        "0",
        "-1",
        "1e308",
        "100.0005",
        "''",
        "'on'",
        "'off'",
        "[]",
        "{}",
        "['on']",
        "{'on':1}",
        "{'variant':'on'}",
        "{'ramp':{'percent':5,'variant':'on'}}",
        "{'split':{'on':100}}",
        "{'rules':true}",
        "[{'when':'x','serve':{'variant':'on'}}]",
        "'a.b'",
        "'*.com'",
    };
    static const char *const names[] = {"variant", "ramp", "split", "percent", "rules", "acme.com",
                                        "*.x.org", "on",   "",      "uses",    "tie",   "domains"};
    size_t count = json_count(object), at = next_number(random) % (count + 1);
    struct json *member = json_first(object);
    struct json *value = make_json(values[next_number(random) % (sizeof values / sizeof *values)]);
    char name[40];

    while (at > 0 && member != NULL && json_next(member) != NULL) {
        member = json_next(member);
        at--;
    }
    if (member != NULL && json_first(member) != NULL && next_number(random) % 3 != 0) {
        json_free(value);
        mutate(json_kind(member) == JSON_OBJECT ? member : json_first(member), random);
        return;
    }
    snprintf(name, sizeof name, "%s",
             member != NULL && next_number(random) % 4 != 0
                 ? json_key(member) != NULL ? json_key(member) : "x"
                 : names[next_number(random) % (sizeof names / sizeof *names)]);
    if (json_kind(object) == JSON_OBJECT)
        json_put(object, name, value);
    else
        json_free(value);
}

/* Whatever passes the check is usable and can be asked; whatever does not is unusable or has a
 * mistake that a ruleset overlooks. Nothing crashes. */
static void check_and_ruleset_agree_on_anything(void **state)
{
    uint32_t random = 4711;
    unsigned good = 0;

    (void)state;
    for (int round = 0; round < 6000; round++) {
        struct json *flag =
            make_flag("'domains':{'acme.com':{'ramp':{'percent':5,'split':{'on':50,'off':50}}}},"
                      "'individual':{'u':'on'},'rules':[{'when':'a','serve':{'variant':'on'}}],"
                      "'tie':{'safe':'off','allowed':['on'],'lease_s':5}");
        struct err err = {0};
        struct ruleset *rules;
        const struct flag *built;
        enum err_code rc;
        char key[200];

        for (uint32_t i = next_number(&random) % 3 + 1; i > 0; i--)
            mutate(flag, &random);
        rc = flag_check(flag, &err);
        assert_true(rc == ERR_OK || (rc == ERR_INVALID && err.msg[0] != '\0'));
        snprintf(key, sizeof key, "%s", json_get_text(flag, "key", ""));
        rules = make_rules(flag, NULL);
        built = ruleset_find(rules, key);
        if (built != NULL && flag_unusable(built) == NULL) {
            struct decision decision = decide(rules, key, "{'domain':'acme.com','a':true}");

            assert_non_null(decision.variant);
        }
        if (rc == ERR_OK) {
            assert_non_null(built);
            assert_null(flag_unusable(built));
            good++;
        }
        ruleset_free(rules);
    }
    assert_in_range(good, 300, 5000); /* both sides were seen */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_mistake_is_named),
        cmocka_unit_test(a_mistake_makes_its_own_flag_unusable),
        cmocka_unit_test(differences_are_named),
        cmocka_unit_test(what_is_right_passes),
        cmocka_unit_test(limits_hold_at_the_bound),
        cmocka_unit_test(a_new_flag_is_completed),
        cmocka_unit_test(a_document_that_is_none_is_refused),
        cmocka_unit_test(the_future_is_survived),
        cmocka_unit_test(check_and_ruleset_agree_on_anything),
        cmocka_unit_test(a_domain_is_found_however_it_is_spelt),
        cmocka_unit_test(a_change_that_moves_subjects_is_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
