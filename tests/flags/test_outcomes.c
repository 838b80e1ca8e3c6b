/*
 * flag_outcomes() is what refusals and gates rely on: whatever some context gets must have been
 * named. Random flags are asked by random contexts, and every answer is looked up.
 */
#include "tests/flags/make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "flags/world.h"

struct seen {
    bool a, b, c, off;
    struct buf text;
};

static void note(void *ctx, const char *variant, const char *where)
{
    struct seen *seen = ctx;

    seen->a |= strcmp(variant, "a") == 0;
    seen->b |= strcmp(variant, "b") == 0;
    seen->c |= strcmp(variant, "c") == 0;
    seen->off |= strcmp(variant, "off") == 0;
    buf_print(&seen->text, "%s by %s; ", variant, where);
}

static const char *pick(uint32_t *random, const char *const *from, size_t count)
{
    return from[next_number(random) % count];
}

#define PICK(random, list) pick(random, list, sizeof(list) / sizeof(list)[0])

static const char *random_serve(uint32_t *random)
{
    static const char *const serves[] = {
        "{'variant':'a'}",
        "{'variant':'b'}",
        "{'variant':'c'}",
        "{'variant':'off'}",
        "{'ramp':{'percent':0,'variant':'a'}}",
        "{'ramp':{'percent':50,'variant':'b'}}",
        "{'ramp':{'percent':100,'variant':'c'}}",
        "{'ramp':{'percent':100,'split':{'a':50,'b':50}}}",
        "{'ramp':{'percent':0,'split':{'a':50,'b':50}}}",
        "{'ramp':{'percent':50,'split':{'a':100,'b':0}}}",
        "{'split':{'b':50,'c':50}}",
        "{'split':{'a':0,'c':100}}",
    };

    return PICK(random, serves);
}

#define SEGMENTS                                                                                   \
    "[{'key':'staff','keys':['u1'],'domains':['acme.com']},{'key':'beta','when':'plan == `pro` "   \
    "|| "                                                                                          \
    "segment(`staff`)'}]"

static struct json *random_flag(uint32_t *random, bool asks)
{
    static const char *const segments[] = {"staff", "beta"};
    static const char *const wanted[] = {"['a']", "['a','b']", "['off']", "['a','b','c','off']"};
    static const char *const ranges[] = {"[]", "[[0,50]]", "[[20,40],[60,80]]", "[[0,100]]"};
    static const char *const conditions[] = {
        "plan == `pro`",
        "level > 3",
        "has(x.y)",
        "true",
        "false",
        "plan",
        "domain.under(`acme.com`)",
        "level > 3 || plan == `pro`",
        "  true ",
        "!false",
        "segment(`staff`)",
        "segment(`beta`) || level > 3",
    };
    static const char *const domains[] = {"acme.com", "*.acme.com", "com", "*.com", "a.acme.com"};
    static const char *const keys[] = {"u1", "u2", "u3", "u4"};
    struct buf text = {0};
    struct json *flag;

    buf_print(&text, "'type':'string','variants':{'a':'','b':'','c':'','off':''},'state':'%s'",
              next_number(random) % 10 == 0 ? "off" : "on");
    if (next_number(random) % 2)
        buf_print(&text, ",'individual':{'%s':'%s'}", PICK(random, keys),
                  next_number(random) % 2 ? "a" : "b");
    if (next_number(random) % 2)
        buf_print(&text, ",'domains':{'%s':%s}", PICK(random, domains),
                  next_number(random) % 4 == 0 ? "{'rules':true}" : random_serve(random));
    buf_text(&text, ",'rules':[");
    for (uint32_t i = 0, n = next_number(random) % 3; i < n; i++) {
        bool segment = next_number(random) % 6 == 0;

        buf_print(&text, "%s{'%s':'%s','serve':%s,'on_error':'%s'}", i > 0 ? "," : "",
                  segment ? "segment" : "when",
                  segment ? PICK(random, segments) : PICK(random, conditions), random_serve(random),
                  next_number(random) % 2 ? "skip" : "stop");
    }
    buf_print(&text, "],'fallthrough':%s", random_serve(random));
    if (asks && next_number(random) % 2)
        buf_print(&text, ",'prerequisites':[{'flag':'g','variants':%s}]", PICK(random, wanted));
    if (asks && next_number(random) % 3 == 0)
        buf_print(&text, ",'layer':{'key':'l','salt':'l','ranges':%s}", PICK(random, ranges));
    flag = make_flag(text.at);
    buf_fini(&text);
    return flag;
}

static const char *random_context(uint32_t *random, char out[200])
{
    static const char *const keys[] = {"", "'targetingKey':'u1',", "'targetingKey':'u2',",
                                       "'targetingKey':'u3',", "'targetingKey':'u4',"};
    static const char *const domains[] = {"", "'domain':'acme.com',", "'domain':'a.acme.com',",
                                          "'domain':'com',", "'email':'x@b.a.acme.com',"};
    static const char *const plans[] = {"", "'plan':'pro',", "'plan':'free',", "'plan':true,",
                                        "'plan':3,"};
    static const char *const rest[] = {"'z':0", "'level':9", "'level':1", "'x':{'y':1}", "'x':{}"};

    snprintf(out, 200, "{%s%s%s%s}", PICK(random, keys), PICK(random, domains), PICK(random, plans),
             PICK(random, rest));
    return out;
}

static const struct json *find_g(void *ctx, const char *key)
{
    return strcmp(key, "g") == 0 ? ctx : NULL;
}

static void no_answer_is_missed(void **state)
{
    struct json *segments = make_json(SEGMENTS);
    uint32_t random = 20260101;
    unsigned answers = 0, sharp = 0;

    (void)state;
    for (int round = 0; round < 1500; round++) {
        struct json *flag = random_flag(&random, true), *other = random_flag(&random, false);
        struct json *copy = json_copy(flag), *copy_of_other;
        struct flag_world world = {.segments = segments, .flag = find_g};
        struct ruleset *rules;
        struct seen seen = {0};
        struct err err = {0};

        json_put_text(other, "key", "g");
        copy_of_other = json_copy(other);
        world.ctx = copy_of_other;
        rules = make_rules_with("'segments':" SEGMENTS, flag, other, NULL);
        if (flag_outcomes_in(copy, &world, note, &seen, &err) != ERR_OK)
            fail_msg("%s", err.msg);
        sharp += !(seen.a && seen.b && seen.c && seen.off);
        for (int i = 0; i < 40; i++) {
            char context[200];
            struct decision decision = decide(rules, "f", random_context(&random, context));
            char variant = decision.variant[0];

            if (!(variant == 'a'   ? seen.a
                  : variant == 'b' ? seen.b
                  : variant == 'c' ? seen.c
                                   : seen.off))
                fail_msg("%s gave %s, not among %s", context, decision_text(&decision),
                         buf_cstr(&seen.text));
            answers++;
        }
        buf_fini(&seen.text);
        ruleset_free(rules);
        json_free(copy_of_other);
        json_free(copy);
    }
    json_free(segments);
    assert_int_equal(answers, 60000);
    assert_true(sharp > 1000); /* naming everything always would be no use */
}

static void outcomes_are_named_by_their_member(void **state)
{
    static const struct {
        const char *members, *want;
    } cases[] = {
        {"", "off by fallthrough; "},
        {"'state':'off','fallthrough':{'variant':'on'}", "off by off_variant; "},
        {"'fallthrough':{'variant':'on'}", "on by fallthrough; "},
        {"'fallthrough':{'ramp':{'percent':100,'variant':'on'}}", "on by fallthrough at 100 %; "},
        {"'fallthrough':{'ramp':{'percent':0,'variant':'on'}}", "off by fallthrough at 0 %; "},
        {"'fallthrough':{'ramp':{'percent':12.5,'variant':'on'}}",
         "on by fallthrough at 12.5 %; off by fallthrough at 12.5 %; "},
        {"'fallthrough':{'split':{'on':100,'off':0}}",
         "on by fallthrough; off by fallthrough (without a bucket key); "},
        {"'individual':{'u1':'on'},'domains':{'*.acme.com':{'variant':'on'},'b.com':{'rules':true}"
         "}",
         "on by individual u1; on by domain *.acme.com; off by fallthrough; "},
        {"'rules':[{'name':'staff','when':'a','serve':{'variant':'on'},'on_error':'skip'}]",
         "on by rule 1 (staff); off by fallthrough; "},
        {"'fallthrough':{'variant':'on'},'rules':[{'when':'a','serve':{'variant':'on'}}]",
         "on by rule 1; off by rule 1 (when its condition fails; \"on_error\": \"skip\" passes "
         "over "
         "it); on by fallthrough; "},
        {"'fallthrough':{'variant':'on'},'rules':[{'when':'true','serve':{'variant':'on'}}]",
         "on by rule 1; on by fallthrough; "},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *flag = make_flag(cases[i].members);
        struct seen seen = {0};

        assert_int_equal(flag_outcomes(flag, note, &seen, NULL), ERR_OK);
        assert_string_equal(buf_cstr(&seen.text), cases[i].want);
        buf_fini(&seen.text);
        json_free(flag);
    }
}

static void the_first_outcome_outside_is_found(void **state)
{
    static const char *const on[] = {"on"}, *const both[] = {"on", "off"};
    struct json *flag = make_flag("'domains':{'acme.com':{'ramp':{'percent':25,'variant':'on'}}},"
                                  "'fallthrough':{'variant':'on'}");
    char variant[20], where[60];
    bool outside = false;

    (void)state;
    assert_int_equal(
        flag_outside(flag, on, 1, &outside, variant, sizeof variant, where, sizeof where, NULL),
        ERR_OK);
    assert_true(outside);
    assert_string_equal(variant, "off");
    assert_string_equal(where, "domain acme.com at 25 %");
    assert_int_equal(
        flag_outside(flag, both, 2, &outside, variant, sizeof variant, where, sizeof where, NULL),
        ERR_OK);
    assert_false(outside);
    assert_string_equal(variant, "");
    assert_int_equal(flag_outside(flag, both, 0, &outside, NULL, 0, where, 4, NULL), ERR_OK);
    assert_true(outside);
    assert_string_equal(where, "dom");
    json_put_text(flag, "state", "dim");
    assert_int_equal(flag_outside(flag, both, 2, &outside, NULL, 0, NULL, 0, NULL), ERR_INVALID);
    json_free(flag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_answer_is_missed),
        cmocka_unit_test(outcomes_are_named_by_their_member),
        cmocka_unit_test(the_first_outcome_outside_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
