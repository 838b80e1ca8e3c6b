/*
 * flag_patch(): what a change as a document makes of a flag, and what is none.
 */
#include "tests/flags/make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags/patch.h"

#define FLAG                                                                                       \
    "{'state':'on','tags':['a'],'individual':{'u':'on'},'domains':{'a.com':{'variant':'on'},'b."   \
    "com'"                                                                                         \
    ":{'rules':true}},'rules':[{'name':'x','when':'p','serve':{'variant':'on'}},{'when':'q','"     \
    "serve'"                                                                                       \
    ":{'variant':'off'}}],'fallthrough':{'ramp':{'percent':5,'variant':'on'}}}"

static void a_change_is_made(void **state)
{
    static const struct {
        const char *patch, *member, *want;
    } cases[] = {
        {"{}", "state", "'on'"},
        {"{'state':'off'}", "state", "'off'"},
        {"{'tags':null}", "tags", "null"},
        {"{'tags':['b']}", "tags", "['b']"},
        {"{'individual':{'v':'off','u':null}}", "individual", "{'v':'off'}"},
        {"{'owner':{'name':'ann'}}", "owner", "{'name':'ann'}"},
        /* a serve is replaced, not merged */
        {"{'fallthrough':{'variant':'on'}}", "fallthrough", "{'variant':'on'}"},
        {"{'domains':{'a.com':{'ramp':{'percent':1,'variant':'on'}},'b.com':null,'c.com':{'variant'"
         ":"
         "'off'}}}",
         "domains", "{'a.com':{'ramp':{'percent':1,'variant':'on'}},'c.com':{'variant':'off'}}"},
        {"{'domains':null}", "domains", "null"},
        {"{'rules':{'x':{'serve':{'ramp':{'percent':1,'variant':'on'}}}}}", "rules",
         "[{'name':'x','serve':{'ramp':{'percent':1,'variant':'on'}},'when':'p'},{'serve':{'"
         "variant'"
         ":'off'},'when':'q'}]"},
        {"{'rules':{'x':{'when':null,'segment':'s'}}}", "rules",
         "[{'name':'x','segment':'s','serve':{'variant':'on'}},{'serve':{'variant':'off'},'when':'"
         "q'"
         "}]"},
        {"{'rules':{'x':null}}", "rules", "[{'serve':{'variant':'off'},'when':'q'}]"},
        {"{'rules':[]}", "rules", "[]"},
        {"{'rules':null}", "rules", "null"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *flag = make_json(FLAG), *patch = make_json(cases[i].patch);
        char want[300], *text;
        struct err err = {0};

        if (flag_patch(flag, patch, &err) != ERR_OK)
            fail_msg("%s: %s", cases[i].patch, err.msg);
        text = json_print_canonical(json_get(flag, cases[i].member));
        snprintf(want, sizeof want, "%s", cases[i].want);
        for (char *at = want; *at != '\0'; at++)
            *at = *at == '\'' ? '"' : *at;
        assert_string_equal(text, want);
        free(text);
        json_free(patch);
        json_free(flag);
    }
}

static void what_is_no_change_is_said(void **state)
{
    static const struct {
        const char *patch, *message;
        enum err_code code;
    } cases[] = {
        {"[]", "a change must be an object", ERR_INVALID},
        {"7", "a change must be an object", ERR_INVALID},
        {"{'rules':{'none':{}}}", "rules: there is no rule 'none'", ERR_NOT_FOUND},
        {"{'rules':{'x':7}}", "rules.x: must be an object, or null", ERR_INVALID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *flag = make_json(FLAG), *patch = make_json(cases[i].patch);
        struct err err = {0};

        assert_int_equal(flag_patch(flag, patch, &err), cases[i].code);
        assert_int_equal(strncmp(err.msg, cases[i].message, strlen(cases[i].message)), 0);
        json_free(patch);
        json_free(flag);
    }
}

/* A flag that lacks what the change is of. */
static void what_is_not_there_is_made(void **state)
{
    struct json *flag = make_json("{}");
    struct json *patch =
        make_json("{'domains':{'a.com':{'variant':'on'}},'individual':{'u':'on'}}");

    (void)state;
    assert_int_equal(flag_patch(flag, patch, NULL), ERR_OK);
    assert_true(json_equal(flag, patch));
    json_free(patch);
    json_free(flag);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_change_is_made),
        cmocka_unit_test(what_is_no_change_is_said),
        cmocka_unit_test(what_is_not_there_is_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
