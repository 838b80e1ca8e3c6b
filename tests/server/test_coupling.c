/*
 * What a flag may answer in each state of a schema: all states and all kinds of outcomes, alone and
 * in pairs; the words and commands of each refusal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/coupling.h"

static struct json *parse(const char *text)
{
    struct json *json = NULL;
    struct err err = {0};

    if (json_parse(text, strlen(text), &json, &err) != ERR_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
    return json;
}

/* A flag with the three variants off, on and blue, and these members. */
static struct json *flag_with(const char *members)
{
    char text[2000];

    snprintf(text, sizeof text,
             "{\"key\":\"f\",\"type\":\"string\",\"variants\":{\"off\":\"0\",\"on\":\"1\","
             "\"blue\":\"b\"},\"off_variant\":\"off\",\"salt\":\"s\",\"split_salt\":\"t\",%s}",
             members);
    return parse(text);
}

static struct tie tie_in(enum tie_state state)
{
    return (struct tie){.flag = "f",
                        .database_id = "d1",
                        .migration = "0002_split",
                        .label = "app.db",
                        .old_variant = "off",
                        .new_variant = "on",
                        .state = state,
                        .lease_s = 300};
}

static enum err_code check(const char *members, const struct tie *ties, size_t count,
                           struct coupling_refusal *why)
{
    struct json *flag = flag_with(members);
    struct coupling_change change = {
        .before = flag, .after = flag, .ties = ties, .tie_count = count};
    enum err_code rc = coupling_check(&change, why);

    json_free(flag);
    return rc;
}

/* Each flag can answer just this set: o(ff), n (on), b(lue). */
static const struct {
    const char *members, *can;
} flags[] = {
    {"\"state\":\"off\",\"fallthrough\":{\"variant\":\"on\"}", "o"},
    {"\"state\":\"on\",\"fallthrough\":{\"variant\":\"off\"}", "o"},
    {"\"state\":\"on\",\"fallthrough\":{\"variant\":\"on\"}", "n"},
    {"\"state\":\"on\",\"fallthrough\":{\"variant\":\"blue\"}", "b"},
    {"\"state\":\"on\",\"fallthrough\":{\"ramp\":{\"percent\":25,\"variant\":\"on\"}}", "on"},
    {"\"state\":\"on\",\"fallthrough\":{\"ramp\":{\"percent\":0,\"variant\":\"on\"}}", "o"},
    {"\"state\":\"on\",\"fallthrough\":{\"split\":{\"on\":50,\"blue\":50}}", "onb"},
    {"\"state\":\"on\",\"fallthrough\":{\"variant\":\"off\"},\"domains\":{\"acme.com\":{"
     "\"variant\":\"on\"}}",
     "on"},
    {"\"state\":\"on\",\"fallthrough\":{\"variant\":\"on\"},\"domains\":{\"acme.com\":{"
     "\"ramp\":{\"percent\":99.999,\"variant\":\"on\"}}}",
     "on"},
    {"\"state\":\"on\",\"fallthrough\":{\"variant\":\"on\"},\"individual\":{\"u1\":\"off\"}", "on"},
    {"\"state\":\"on\",\"fallthrough\":{\"variant\":\"on\"},\"individual\":{\"u1\":\"blue\"}",
     "nb"},
    {"\"state\":\"on\",\"fallthrough\":{\"variant\":\"off\"},\"rules\":[{\"name\":\"r\",\"when\":"
     "\"true\",\"serve\":{\"variant\":\"on\"}}]",
     "on"},
};

/* Whether a state may see this set; "n" of in-sync and so on as DESIGN's table has it. */
static bool bears(enum tie_state state, const char *can)
{
    bool o = strchr(can, 'o') != NULL, n = strchr(can, 'n') != NULL;

    if (strchr(can, 'b') != NULL) {
        return false;
    }
    switch (state) {
    case TIE_PENDING:
    case TIE_EXPANDED:
    case TIE_DUAL_WRITING: return !n;
    case TIE_IN_SYNC: return true;
    case TIE_CONTRACTED:
    case TIE_PURGED: return !o;
    case TIE_STATE_COUNT: break;
    }
    return false;
}

static void every_state_with_every_outcome(void **state)
{
    (void)state;
    for (int s = 0; s < TIE_STATE_COUNT; s++) {
        struct tie tie = tie_in((enum tie_state)s);

        for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
            struct coupling_refusal why;
            /* a rule that is always true never lets the fall-through answer, but who knows */
            enum err_code want = bears(tie.state, flags[i].can) ? ERR_OK : ERR_CONFLICT;
            enum err_code rc = check(flags[i].members, &tie, 1, &why);

            if (rc != want) {
                fail_msg("%s, %s: %d, not %d (%s)", tie_state_name(tie.state), flags[i].members, rc,
                         want, why.detail);
            }
            if (rc == ERR_CONFLICT) {
                assert_string_equal(why.migration, "0002_split");
                assert_non_null(strstr(why.detail, "0002_split"));
            }
        }
    }
}

static void two_migrations_allow_what_both_bear(void **state)
{
    (void)state;
    for (int a = 0; a < TIE_STATE_COUNT; a++) {
        for (int b = 0; b < TIE_STATE_COUNT; b++) {
            struct tie ties[2] = {tie_in((enum tie_state)a), tie_in((enum tie_state)b)};

            ties[1].migration = "0003_other";
            for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
                struct coupling_refusal why;
                bool both =
                    bears(ties[0].state, flags[i].can) && bears(ties[1].state, flags[i].can);

                assert_int_equal(check(flags[i].members, ties, 2, &why),
                                 both ? ERR_OK : ERR_CONFLICT);
            }
        }
    }
}

static void refusals_name_the_command(void **state)
{
    static const struct {
        enum tie_state state;
        bool report;
        const char *members, *command;
    } cases[] = {
        {TIE_DUAL_WRITING, false, "\"state\":\"on\",\"fallthrough\":{\"variant\":\"on\"}",
         "migrate apply 0002_split --to in-sync"},
        {TIE_CONTRACTED, false, "\"state\":\"off\",\"fallthrough\":{\"variant\":\"on\"}",
         "migrate rollback 0002_split --to in-sync"},
        {TIE_PURGED, false, "\"state\":\"off\",\"fallthrough\":{\"variant\":\"on\"}", ""},
        {TIE_DUAL_WRITING, true, "\"state\":\"on\",\"fallthrough\":{\"variant\":\"on\"}",
         "flags off f"},
        {TIE_CONTRACTED, true, "\"state\":\"off\",\"fallthrough\":{\"variant\":\"on\"}",
         "flags on f"},
        {TIE_CONTRACTED, true, "\"state\":\"on\",\"fallthrough\":{\"variant\":\"off\"}",
         "flags ramp f --to 100% --variant on"},
        {TIE_CONTRACTED, true,
         "\"state\":\"on\",\"fallthrough\":{\"variant\":\"on\"},\"domains\":{\"acme.com\":{"
         "\"ramp\":{\"percent\":25,\"variant\":\"on\"}}}",
         "flags ramp f --domain acme.com --to 100% --variant on"},
        {TIE_CONTRACTED, true,
         "\"state\":\"on\",\"fallthrough\":{\"variant\":\"on\"},\"domains\":{\"*.acme.com\":{"
         "\"variant\":\"off\"}}",
         "flags ramp f --domain '*.acme.com' --to 100% --variant on"},
        {TIE_CONTRACTED, true,
         "\"state\":\"on\",\"fallthrough\":{\"split\":{\"on\":50,\"blue\":50}}",
         "flags ramp f --to 100% --variant on"},
        {TIE_CONTRACTED, true,
         "\"state\":\"on\",\"fallthrough\":{\"variant\":\"on\"},\"rules\":[{\"name\":\"staff "
         "(it's)\","
         "\"when\":\"true\",\"serve\":{\"variant\":\"off\"}}]",
         ""},
        {TIE_CONTRACTED, true,
         "\"state\":\"on\",\"fallthrough\":{\"variant\":\"on\"},\"rules\":[{"
         "\"when\":\"true\",\"serve\":{\"variant\":\"off\"}}]",
         ""},
        {TIE_CONTRACTED, true,
         "\"state\":\"on\",\"fallthrough\":{\"variant\":\"on\"},\"individual\":{\"u1\":\"off\"}",
         ""},
        /* no ramp helps where a condition fails */
        {TIE_CONTRACTED, true,
         "\"state\":\"on\",\"fallthrough\":{\"variant\":\"on\"},\"rules\":[{\"name\":\"all (or "
         "so)\","
         "\"when\":\"plan == 'pro'\",\"serve\":{\"variant\":\"on\"}}]",
         "flags rule-set f 'all (or so)' --on-error skip"},
        {TIE_CONTRACTED, true,
         "\"state\":\"on\",\"fallthrough\":{\"variant\":\"on\"},\"rules\":[{\"name\":\"staff\","
         "\"when\":\"true\",\"serve\":{\"variant\":\"off\"}}]",
         "flags ramp f --rule staff --to 100% --variant on"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *flag = flag_with(cases[i].members);
        struct tie tie = tie_in(cases[i].state);
        struct coupling_refusal why;
        struct coupling_change change = {
            .before = flag, .after = flag, .ties = &tie, .tie_count = 1, .report = cases[i].report};

        assert_int_equal(coupling_check(&change, &why), ERR_CONFLICT);
        assert_string_equal(why.command, cases[i].command);
        json_free(flag);
    }
}

static void a_held_flag_takes_no_change(void **state)
{
    struct tie tie = tie_in(TIE_IN_SYNC);
    struct coupling_refusal why;

    (void)state;
    tie.held = true;
    assert_int_equal(check(flags[2].members, &tie, 1, &why), ERR_CONFLICT);
    assert_string_equal(why.command, ""); /* it was taken just now: nothing but to wait */
    {
        struct json *flag = flag_with(flags[2].members);
        struct coupling_change change = {
            .before = flag, .after = flag, .ties = &tie, .tie_count = 1, .report = true};

        assert_int_equal(coupling_check(&change, &why), ERR_OK); /* the migration itself goes on */
        change.report = false;
        change.after = NULL;
        assert_int_equal(coupling_check(&change, &why), ERR_CONFLICT);
        json_free(flag);
    }
}

#define MINUTE INT64_C(60000)

static void a_hold_says_whose_it_is_and_how_old(void **state)
{
    static const struct {
        enum tie_state state;
        int64_t taken_ago_ms, renewed_ago_ms, alive_s;
        const char *says, *command;
    } cases[] = {
        {TIE_IN_SYNC, 3000, 3000, 357,
         "taken 3 s ago by ci-7 and not renewed since; it is at work: wait until it is done, or "
         "stop it "
         "(without a word from it the hold can be ended in 357 s)",
         ""},
        {TIE_IN_SYNC, 5 * MINUTE, 5 * MINUTE, 60, "taken 5 min ago by ci-7", ""},
        {TIE_IN_SYNC, 6 * MINUTE, 6 * MINUTE, 0, "no migrate is at work any more, run it again",
         "flags unhold f --reason TEXT"},
        {TIE_IN_SYNC, 300 * MINUTE, 2 * MINUTE / 4, 30, "taken 5 h ago by ci-7, renewed 30 s ago",
         ""},
        {TIE_IN_SYNC, 6 * MINUTE, MINUTE, 0, "", "flags unhold f --reason TEXT"},
        {TIE_DUAL_WRITING, 5000 * MINUTE, 4990 * MINUTE, 0, "taken 3 d ago",
         "flags unhold f --reason TEXT"},
        {TIE_CONTRACTED, 3000, 3000, 357, "", "migrate rollback 0002_split --to in-sync"},
        {TIE_CONTRACTED, 5000 * MINUTE, 5000 * MINUTE, 0, "",
         "migrate rollback 0002_split --to in-sync"},
        /* the clock was put back */
        {TIE_IN_SYNC, -5000 * MINUTE, -5000 * MINUTE, 0, "taken 0 s ago",
         "flags unhold f --reason TEXT"},
    };
    struct json *flag = flag_with(flags[2].members);
    const int64_t now = INT64_C(1700000000000);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tie tie = tie_in(cases[i].state);
        struct coupling_refusal why;
        struct coupling_change change = {
            .before = flag, .after = flag, .ties = &tie, .tie_count = 1, .now_ms = now};

        tie.held = true;
        tie.hold_owner = "ci-7";
        tie.hold_taken_ms = now - cases[i].taken_ago_ms;
        tie.hold_renewed_ms = now - cases[i].renewed_ago_ms;
        assert_int_equal(coupling_hold_alive_s(&tie, now), cases[i].alive_s);
        assert_int_equal(coupling_check(&change, &why), ERR_CONFLICT);
        assert_string_equal(why.command, cases[i].command);
        if (strstr(why.detail, cases[i].says) == NULL) {
            fail_msg("\"%s\" is not in %s", cases[i].says, why.detail);
        }
        tie.held = false;
        assert_int_equal(coupling_hold_alive_s(&tie, now), 0);
    }
    json_free(flag);
}

static void archiving_needs_a_migration_at_rest(void **state)
{
    struct json *flag = flag_with(flags[2].members);

    (void)state;
    for (int s = 0; s < TIE_STATE_COUNT; s++) {
        struct tie tie = tie_in((enum tie_state)s);
        struct coupling_refusal why;
        struct coupling_change change = {.before = flag, .ties = &tie, .tie_count = 1};
        bool rests = s == TIE_PENDING || s == TIE_PURGED;

        assert_int_equal(coupling_check(&change, &why), rests ? ERR_OK : ERR_CONFLICT);
        assert_int_equal(coupling_releasable(&tie, 1), rests);
        change.tie_count = 0;
        assert_int_equal(coupling_check(&change, &why), ERR_OK);
    }
    json_free(flag);
}

static void tied_variants_keep_name_and_value(void **state)
{
    struct tie tie = tie_in(TIE_IN_SYNC);
    struct json *before = flag_with(flags[2].members);
    struct json *renamed = json_copy(before), *changed = json_copy(before),
                *other = json_copy(before);
    struct coupling_refusal why;
    struct coupling_change change = {.before = before, .ties = &tie, .tie_count = 1};

    (void)state;
    json_remove(json_get(renamed, "variants"), "off");
    change.after = renamed;
    assert_int_equal(coupling_check(&change, &why), ERR_CONFLICT);
    json_put_text(json_get(changed, "variants"), "off", "1");
    change.after = changed;
    assert_int_equal(coupling_check(&change, &why), ERR_CONFLICT);
    json_put_text(json_get(other, "variants"), "blue", "navy");
    change.after = other;
    assert_int_equal(coupling_check(&change, &why), ERR_OK);
    json_free(before);
    json_free(renamed);
    json_free(changed);
    json_free(other);
}

static void clients_are_told_what_is_safe(void **state)
{
    static const struct {
        enum tie_state state;
        int flag;
        const char *safe, *allowed;
    } cases[] = {
        {TIE_PENDING, 0, "off", "[\"off\"]"},        {TIE_DUAL_WRITING, 1, "off", "[\"off\"]"},
        {TIE_IN_SYNC, 1, "off", "[\"off\",\"on\"]"}, {TIE_IN_SYNC, 4, "off", "[\"off\",\"on\"]"},
        {TIE_IN_SYNC, 2, "on", "[\"off\",\"on\"]"},  {TIE_CONTRACTED, 2, "on", "[\"on\"]"},
        {TIE_PURGED, 2, "on", "[\"on\"]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *flag = flag_with(flags[cases[i].flag].members);
        struct tie tie = tie_in(cases[i].state);
        struct json *out = coupling_tie_json(flag, NULL, &tie, 1);
        char *allowed = json_print(json_get(out, "allowed"));

        assert_string_equal(json_get_text(out, "safe", ""), cases[i].safe);
        assert_string_equal(allowed, cases[i].allowed);
        assert_string_equal(json_get_text(out, "state", ""), tie_state_name(cases[i].state));
        free(allowed);
        json_free(out);
        json_free(flag);
    }
}

static void gates_learn_who_is_behind(void **state)
{
    static const struct {
        const char *members, *facts;
    } cases[] = {
        {"\"state\":\"on\",\"fallthrough\":{\"variant\":\"on\"}",
         "{\"behind\":[],\"disabled_everywhere\":false,\"enabled_everywhere\":true,"
         "\"exists\":true,\"outcomes\":[\"on\"]}"},
        {"\"state\":\"off\",\"fallthrough\":{\"variant\":\"on\"}",
         "{\"behind\":[\"the flag is off\"],\"disabled_everywhere\":true,"
         "\"enabled_everywhere\":false,\"exists\":true,\"outcomes\":[\"off\"]}"},
        {"\"state\":\"on\",\"fallthrough\":{\"variant\":\"on\"},\"domains\":{\"acme.com\":{"
         "\"ramp\":{\"percent\":25,\"variant\":\"on\"}},\"b.com\":{\"variant\":\"off\"}}",
         "{\"behind\":[\"domain acme.com: 25 %\",\"domain b.com: off\"],"
         "\"disabled_everywhere\":false,\"enabled_everywhere\":false,\"exists\":true,"
         "\"outcomes\":[\"on\",\"off\"]}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct json *flag = flag_with(cases[i].members);
        struct json *facts = coupling_facts(flag, NULL, "off", "on");
        char *text = json_print_canonical(facts);

        assert_string_equal(text, cases[i].facts);
        free(text);
        json_free(facts);
        json_free(flag);
    }
}

static void an_unusable_flag_is_no_fact(void **state)
{
    struct json *flag = flag_with("\"state\":\"on\",\"fallthrough\":{\"variant\":\"nowhere\"}");
    struct json *facts = coupling_facts(flag, NULL, "off", "on");
    struct tie tie = tie_in(TIE_IN_SYNC);
    struct coupling_refusal why;
    struct coupling_change change = {.before = flag, .after = flag, .ties = &tie, .tie_count = 1};

    (void)state;
    assert_null(json_get(facts, "enabled_everywhere"));
    assert_null(json_get(facts, "disabled_everywhere"));
    assert_int_equal(coupling_check(&change, &why), ERR_INVALID);
    json_free(facts);
    json_free(flag);
}

static void a_list_of_who_is_behind_has_an_end(void **state)
{
    struct json *flag = flag_with(flags[2].members);
    struct json *domains = json_put(flag, "domains", json_object());
    struct json *facts;

    (void)state;
    for (int i = 0; i < COUPLING_BEHIND_MAX + 5; i++) {
        struct json *serve = json_object();
        char name[32];

        snprintf(name, sizeof name, "d%d.example", i);
        json_put_text(serve, "variant", "off");
        json_put(domains, name, serve);
    }
    facts = coupling_facts(flag, NULL, "off", "on");
    assert_int_equal(json_count(json_get(facts, "behind")), COUPLING_BEHIND_MAX);
    json_free(facts);
    json_free(flag);
}

static void states_have_names(void **state)
{
    enum tie_state found;

    (void)state;
    for (int s = 0; s < TIE_STATE_COUNT; s++) {
        assert_true(tie_state_of(tie_state_name((enum tie_state)s), &found));
        assert_int_equal(found, s);
    }
    assert_false(tie_state_of("in_sync", &found));
    assert_false(tie_state_of("", &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_state_with_every_outcome),
        cmocka_unit_test(two_migrations_allow_what_both_bear),
        cmocka_unit_test(refusals_name_the_command),
        cmocka_unit_test(a_held_flag_takes_no_change),
        cmocka_unit_test(a_hold_says_whose_it_is_and_how_old),
        cmocka_unit_test(archiving_needs_a_migration_at_rest),
        cmocka_unit_test(tied_variants_keep_name_and_value),
        cmocka_unit_test(clients_are_told_what_is_safe),
        cmocka_unit_test(gates_learn_who_is_behind),
        cmocka_unit_test(an_unusable_flag_is_no_fact),
        cmocka_unit_test(a_list_of_who_is_behind_has_an_end),
        cmocka_unit_test(states_have_names),
    };

    return cmocka_run_group_tests_name("coupling", tests, NULL, NULL);
}
