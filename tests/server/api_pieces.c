#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "tests/server/api_pieces.h"

static struct rig *rig;

#define FLAGS "/api/v1/flags"
#define SEGMENTS "/api/v1/segments"
#define LAYERS "/api/v1/layers"
#define RULESET "/sdk/v1/ruleset"
#define ON "{\"variant\":\"on\"}"
#define OFF "{\"variant\":\"off\"}"

static void assert_says(const char *part)
{
    if (strstr(rig->reply.body, part) == NULL) {
        fail_msg("\"%s\" is not in %s", part, rig->reply.body);
    }
}

static void assert_silent(const char *part)
{
    if (strstr(rig->reply.body, part) != NULL) {
        fail_msg("\"%s\" is in %s", part, rig->reply.body);
    }
}

static void does(int status, const char *method, const char *path, const char *body)
{
    rig_does(rig, status, method, path, body);
}

static void change(int status, const char *method, const char *path, const char *body)
{
    json_free(rig_call(rig, status, method, path, NULL, "If-Match: *\r\n", body));
}

static void set(int status, const char *key, const char *member, const char *value)
{
    rig_set(rig, status, key, member, value);
}

static void answers(const char *key, const char *context, const char *variant)
{
    char path[200], body[300];
    struct json *answer;

    snprintf(path, sizeof path, FLAGS "/%s/evaluate", key);
    snprintf(body, sizeof body, "{\"context\":%s}", context);
    answer = rig_call(rig, 200, "POST", path, NULL, NULL, body);
    assert_string_equal(json_get_text(answer, "variant", ""), variant);
    json_free(answer);
}

static double revision_of(const char *flag)
{
    char path[200];
    struct json *gate;
    double out;

    snprintf(path, sizeof path, "/api/v1/gate?flag=%s&database_id=none&migration=none", flag);
    gate = rig_call(rig, 200, "GET", path, NULL, NULL, NULL);
    out = json_number(json_get(json_get(json_get(gate, "facts"), "flag"), "revision"), -1);
    json_free(gate);
    assert_true(out > 0);
    return out;
}

static void report(int status, const char *flag, const char *state)
{
    char path[200], body[300];

    snprintf(path, sizeof path, "/api/v1/migrations/db-pieces/m-%s", flag);
    snprintf(body, sizeof body,
             "{\"state\":\"%s\",\"database\":\"sqlite:p.db\",\"flag\":{\"key\":\"%s\"}}", state,
             flag);
    does(status, "PUT", path, body);
}

static void a_segment_lives(void **state)
{
    struct json *audit;

    (void)state;
    does(200, "GET", SEGMENTS, NULL);
    does(404, "GET", SEGMENTS "/staff", NULL);
    does(400, "POST", SEGMENTS, "{\"key\":\"staff\",\"when\":\"segment(other)\"}");
    assert_says("constant");
    does(400, "POST", SEGMENTS, "{\"key\":\"Staff\"}");
    does(400, "POST", SEGMENTS, "[]");
    does(201, "POST", SEGMENTS,
         "{\"key\":\"staff\",\"keys\":[\"ann\"],\"domains\":[\"acme.com\"]}");
    does(409, "POST", SEGMENTS, "{\"key\":\"staff\"}");
    does(201, "POST", SEGMENTS,
         "{\"key\":\"beta\",\"when\":\"plan == 'pro' || segment('staff')\"}");
    does(201, "POST", FLAGS,
         "{\"key\":\"seg\",\"state\":\"on\",\"rules\":[{\"name\":\"r\",\"segment\":\"beta\","
         "\"serve\":" ON ",\"on_error\":\"skip\"}]}");
    assert_says("\"uses\":[\"segments\"]");
    does(400, "POST", FLAGS,
         "{\"key\":\"seg2\",\"rules\":[{\"segment\":\"betta\",\"serve\":" ON "}]}");
    assert_says("there is no segment 'betta'");
    answers("seg", "{\"targetingKey\":\"ann\"}", "on");
    answers("seg", "{\"targetingKey\":\"bob\",\"plan\":\"free\"}", "off");
    answers("seg", "{\"targetingKey\":\"bob\",\"domain\":\"acme.com\"}", "on");
    does(200, "GET", SEGMENTS "/staff", NULL);
    assert_says("\"used_by_segments\":[\"beta\"]");
    does(200, "GET", SEGMENTS "/beta", NULL);
    assert_says("\"used_by_flags\":[\"seg\"]");
    does(428, "PUT", SEGMENTS "/staff", "{\"key\":\"staff\"}");
    json_free(rig_call(rig, 412, "PUT", SEGMENTS "/staff", NULL, "If-Match: \"7\"\r\n",
                       "{\"key\":\"staff\"}"));
    change(400, "PUT", SEGMENTS "/staff", "{\"key\":\"stuff\"}");
    change(400, "PUT", SEGMENTS "/staff", "{\"key\":\"staff\",\"when\":\"segment('beta')\"}");
    assert_says("circle");
    change(200, "PUT", SEGMENTS "/staff", "{\"key\":\"staff\",\"keys\":[\"bob\"]}");
    assert_says("\"version\":2");
    change(200, "PUT", SEGMENTS "/staff", "{\"key\":\"staff\",\"keys\":[\"bob\"]}");
    assert_says("\"version\":2"); /* nothing changed */
    answers("seg", "{\"targetingKey\":\"ann\",\"plan\":\"free\"}", "off");
    answers("seg", "{\"targetingKey\":\"bob\",\"plan\":\"free\"}", "on");
    does(428, "DELETE", SEGMENTS "/staff", NULL);
    change(409, "DELETE", SEGMENTS "/staff", NULL);
    assert_says("used by segment 'beta'");
    change(409, "DELETE", SEGMENTS "/beta", NULL);
    assert_says("used by flag 'seg'");
    change(404, "DELETE", SEGMENTS "/none", NULL);
    does(200, "GET", RULESET, NULL);
    assert_says("\"segments\":[{");
    audit = rig_call(rig, 200, "GET", "/api/v1/audit?limit=3", NULL, NULL, NULL);
    assert_says("segment.update");
    json_free(audit);
    does(201, "POST", SEGMENTS, "{\"key\":\"brief\"}");
    change(204, "DELETE", SEGMENTS "/brief", NULL);
    does(404, "GET", SEGMENTS "/brief", NULL);
}

/* Whoever reads a ruleset has to confirm the new one, also where only a segment changed. */
static void a_change_of_a_segment_is_one_of_its_flags(void **state)
{
    double seg, other;

    (void)state;
    does(201, "POST", FLAGS, "{\"key\":\"apart\",\"state\":\"on\"}");
    does(201, "POST", FLAGS,
         "{\"key\":\"above\",\"state\":\"on\",\"fallthrough\":" ON
         ",\"prerequisites\":[{\"flag\":\"seg\",\"variants\":[\"on\"]}]}");
    assert_says("\"uses\":[\"prerequisites\"]");
    seg = revision_of("seg");
    other = revision_of("apart");
    change(200, "PUT", SEGMENTS "/staff", "{\"key\":\"staff\",\"keys\":[\"carl\"]}");
    assert_true(revision_of("seg") > seg);
    assert_true(revision_of("seg") == revision_of("above"));
    assert_true(revision_of("apart") == other);
    seg = revision_of("seg");
    assert_int_equal(rig_stop(rig, SIGTERM), 0);
    rig_serve(rig, NULL);
    assert_true(revision_of("seg") == seg && revision_of("above") == seg);
}

static void a_prerequisite_is_needed_as_it_is(void **state)
{
    double above;

    (void)state;
    answers("above", "{\"targetingKey\":\"carl\"}", "on");
    answers("above", "{\"targetingKey\":\"zoe\",\"plan\":\"free\"}", "off");
    set(400, "seg", "prerequisites", "[{\"flag\":\"above\",\"variants\":[\"on\"]}]");
    assert_says("circle");
    set(400, "seg", "prerequisites", "[{\"flag\":\"nobody\",\"variants\":[\"on\"]}]");
    change(409, "DELETE", FLAGS "/seg", NULL);
    assert_says("flag 'above' needs it as it is");
    does(201, "POST", FLAGS,
         "{\"key\":\"vary\",\"variants\":{\"on\":true,\"off\":false,\"third\":true}}");
    does(201, "POST", FLAGS,
         "{\"key\":\"thirds\",\"prerequisites\":[{\"flag\":\"vary\",\"variants\":[\"third\"]}]}");
    set(409, "vary", "variants", "{\"on\":true,\"off\":false}");
    assert_says("flag 'thirds' needs it as it is: prerequisites: flag 'vary' has no variant");
    above = revision_of("above");
    set(200, "seg", "description", "\"words\"");
    assert_true(revision_of("above") == above);
    set(200, "seg", "state", "\"off\"");
    assert_true(revision_of("above") > above);
    answers("above", "{\"targetingKey\":\"carl\"}", "off");
    set(200, "seg", "state", "\"on\"");
}

static void a_layer_lives(void **state)
{
    (void)state;
    does(201, "POST", FLAGS, "{\"key\":\"la\",\"state\":\"on\",\"fallthrough\":" ON "}");
    does(201, "POST", FLAGS, "{\"key\":\"lb\",\"state\":\"on\",\"fallthrough\":" ON "}");
    does(400, "POST", LAYERS, "{\"key\":\"l\",\"flags\":{\"la\":[[0,60]],\"lb\":[[50,90]]}}");
    assert_says("would share");
    does(400, "POST", LAYERS, "{\"key\":\"l\",\"flags\":{\"nobody\":[[0,60]]}}");
    does(201, "POST", LAYERS, "{\"key\":\"l\",\"flags\":{\"la\":[[0,30]],\"lb\":[[30,60]]}}");
    does(409, "POST", LAYERS, "{\"key\":\"l\"}");
    does(409, "POST", LAYERS, "{\"key\":\"m\",\"flags\":{\"la\":[[0,10]]}}");
    assert_says("in layer 'l' already");
    does(200, "GET", LAYERS, NULL);
    does(200, "GET", FLAGS "/la", NULL);
    assert_says("\"layer\":{\"key\":\"l\"");
    assert_says("\"uses\":[\"layer\"]");
    change(400, "PUT", LAYERS "/l", "{\"key\":\"l\",\"flags\":{\"la\":[[0,30]],\"lb\":[[20,60]]}}");
    change(409, "PUT", LAYERS "/l", "{\"key\":\"l\",\"flags\":{\"la\":[[0,40]],\"lb\":[[40,60]]}}");
    assert_says("gives 10 % of the subjects from one flag of the layer to another");
    change(200, "PUT", LAYERS "/l?reassign=true",
           "{\"key\":\"l\",\"flags\":{\"la\":[[0,40]],\"lb\":[[40,60]]}}");
    change(200, "PUT", LAYERS "/l",
           "{\"key\":\"l\",\"flags\":{\"la\":[[0,30]],\"lb\":[[40,60],[60,80]]}}");
    /* what a person sends back of it is not taken for theirs */
    set(200, "la", "description", "\"words\"");
    does(200, "GET", LAYERS "/l", NULL);
    change(409, "DELETE", LAYERS "/l", NULL);
    change(200, "PUT", LAYERS "/l", "{\"key\":\"l\",\"flags\":{\"la\":[[0,30]]}}");
    does(200, "GET", FLAGS "/lb", NULL);
    assert_silent("layer");
    change(409, "DELETE", LAYERS "/l", NULL);
    assert_says("flag 'la' is in layer 'l'");
    change(200, "PUT", LAYERS "/l", "{\"key\":\"l\",\"flags\":{}}");
    change(204, "DELETE", LAYERS "/l", NULL);
}

/* By segment, by prerequisite, by layer: what a schema does not bear is refused, naming the migration. */
static void a_tied_flag_keeps_its_range(void **state)
{
    (void)state;
    does(201, "POST", SEGMENTS, "{\"key\":\"sure\",\"keys\":[\"ann\"]}");
    does(201, "POST", FLAGS, "{\"key\":\"base\",\"state\":\"on\",\"fallthrough\":" ON "}");
    does(201, "POST", FLAGS,
         "{\"key\":\"fast\",\"state\":\"on\",\"fallthrough\":" ON
         ",\"prerequisites\":[{\"flag\":\"base\",\"variants\":[\"on\"]}],\"rules\":[{\"segment\":"
         "\"sure\",\"serve\":" ON "}]}");
    report(200, "fast", "in-sync");
    report(200, "fast", "contracted"); /* nothing but on, through all of it */
    does(200, "GET", "/api/v1/gate?flag=fast&database_id=db-pieces&migration=m-fast", NULL);
    assert_says("\"enabled_everywhere\":true");
    set(409, "base", "state", "\"off\"");
    assert_says("prerequisite base (where it answers 'off')");
    assert_says("\"migration\":\"m-fast\"");
    set(409, "base", "fallthrough", "{\"ramp\":{\"percent\":99,\"variant\":\"on\"}}");
    set(200, "base", "description", "\"words\"");
    change(409, "PUT", SEGMENTS "/sure", "{\"key\":\"sure\",\"when\":\"plan == 'pro'\"}");
    assert_says("\"migration\":\"m-fast\"");
    change(200, "PUT", SEGMENTS "/sure", "{\"key\":\"sure\",\"keys\":[\"bob\"]}");
    does(409, "POST", LAYERS, "{\"key\":\"narrow\",\"flags\":{\"fast\":[[0,50]]}}");
    assert_says("layer narrow (outside of its part)");
    assert_says("\"migration\":\"m-fast\"");
    does(409, "POST", LAYERS, "{\"key\":\"narrow\",\"flags\":{\"base\":[[0,50]]}}");
    does(200, "GET", "/api/v1/gate?flag=fast&database_id=db-pieces&migration=m-fast", NULL);
    assert_says("\"enabled_everywhere\":true");
    report(200, "fast", "in-sync");
    set(200, "base", "state", "\"off\"");
    does(200, "GET", "/api/v1/gate?flag=fast&database_id=db-pieces&migration=m-fast", NULL);
    assert_says("\"disabled_everywhere\":true");
}

static void a_split_moves_the_fewest(void **state)
{
    struct json *flag;

    (void)state;
    does(201, "POST", FLAGS,
         "{\"key\":\"abc\",\"type\":\"string\",\"variants\":{\"a\":\"\",\"b\":\"\",\"c\":\"\"},"
         "\"off_variant\":\"a\",\"fallthrough\":{\"split\":{\"a\":50,\"b\":50}}}");
    set(409, "abc", "fallthrough", "{\"split\":{\"a\":40,\"b\":40,\"c\":20}}");
    assert_says("20 %");
    flag = rig_call(rig, 200, "GET", FLAGS "/abc", NULL, NULL, NULL);
    json_free(flag);
    change(200, "PUT", FLAGS "/abc?reassign=true",
           "{\"key\":\"abc\",\"type\":\"string\",\"state\":\"off\",\"variants\":{\"a\":\"\",\"b\":"
           "\"\",\"c\":\"\"},\"off_variant\":\"a\",\"fallthrough\":{\"split\":{\"a\":40,\"b\":40,"
           "\"c\":20}}}");
    assert_says("{\"a\":[[0,40]],\"b\":[[50,90]],\"c\":[[40,50],[90,100]]}");
    set(200, "abc", "fallthrough", "{\"split\":{\"a\":40,\"b\":40,\"c\":20}}");
    assert_says("\"version\":2"); /* the same weights again: nothing changes */
}

static void a_copy_of_an_environment_has_its_pieces(void **state)
{
    (void)state;
    does(201, "POST", "/api/v1/environments", "{\"name\":\"twin\",\"from\":\"test\"}");
    does(200, "GET", SEGMENTS "/beta?environment=twin", NULL);
    assert_says("\"used_by_flags\":[\"seg\"]");
    change(200, "PUT", SEGMENTS "/staff?environment=twin", "{\"key\":\"staff\",\"keys\":[\"z\"]}");
    does(200, "GET", SEGMENTS "/staff", NULL);
    assert_silent("\"z\"");
    does(201, "POST", "/api/v1/environments", "{\"name\":\"bare\"}");
    change(400, "POST", FLAGS "/seg/promote?environment=bare", "{\"from\":\"test\"}");
    assert_says("there is no segment 'beta'");
    does(204, "DELETE", "/api/v1/environments/bare", NULL);
    does(204, "DELETE", "/api/v1/environments/twin", NULL);
}

static void a_restart_keeps_pieces(void **state)
{
    struct json *before = rig_call(rig, 200, "GET", SEGMENTS, NULL, NULL, NULL), *after;
    struct json *rules = rig_call(rig, 200, "GET", RULESET, NULL, NULL, NULL);

    (void)state;
    assert_int_equal(rig_stop(rig, SIGTERM), 0);
    rig_serve(rig, NULL);
    after = rig_call(rig, 200, "GET", SEGMENTS, NULL, NULL, NULL);
    assert_true(json_equal(before, after));
    json_free(after);
    after = rig_call(rig, 200, "GET", RULESET, NULL, NULL, NULL);
    assert_true(json_equal(json_get(rules, "segments"), json_get(after, "segments")));
    assert_int_equal(json_count(json_get(rules, "flags")), json_count(json_get(after, "flags")));
    json_free(after);
    json_free(before);
    json_free(rules);
}

/* A client of an older version: it says which flags it cannot evaluate, and gates wait for it. */
static void who_cannot_evaluate_a_flag_is_shown(void **state)
{
    struct json *rules;
    char header[300];

    (void)state;
    rules = rig_call(rig, 200, "GET", RULESET, NULL, "X-Lockstep-Client: new\r\n", NULL);
    json_free(rules);
    snprintf(header, sizeof header,
             "X-Lockstep-Client: old\r\nX-Lockstep-Lease: 1\r\nIf-None-Match: %s\r\n"
             "X-Lockstep-Cannot-Evaluate: above,seg\r\n",
             wire_header(&rig->reply, "ETag"));
    json_free(rig_call(rig, 304, "GET", RULESET, NULL, header, NULL));
    does(200, "GET", "/api/v1/clients", NULL);
    assert_says("\"cannot_evaluate\":[\"above\",\"seg\"]");
    does(200, "GET", "/api/v1/gate?flag=seg&database_id=none&migration=none", NULL);
    assert_says("\"name\":\"old\"");
    does(200, "GET", "/api/v1/gate?flag=apart&database_id=none&migration=none", NULL);
    assert_silent("\"name\":\"old\"");
}

/* ---- schedules ---- */

/* Waits until the only schedule of the flag is over; leaves the reply of the list. */
static void ends_as(const char *flag, const char *wanted)
{
    char path[200], part[60];

    snprintf(path, sizeof path, "/api/v1/schedules?flag=%s", flag);
    snprintf(part, sizeof part, "\"state\":\"%s\"", wanted);
    for (int i = 0; i < 200; i++) {
        does(200, "GET", path, NULL);
        if (strstr(rig->reply.body, "\"state\":\"pending\"") == NULL) {
            break;
        }
        clock_sleep_us(50000);
    }
    assert_says(part);
}

/* "{"at": in so many ms, ...}" */
static void schedule(int status, const char *flag, int64_t in_ms, const char *more)
{
    char path[200], body[600], at[CLOCK_TEXT_BYTES];

    snprintf(path, sizeof path, FLAGS "/%s/schedules", flag);
    snprintf(body, sizeof body, "{\"at\":\"%s\",%s}", clock_text(clock_wall_ms() + in_ms, at),
             more);
    json_free(rig_call(rig, status, "POST", path, NULL, "X-Lockstep-Reason: later\r\n", body));
}

static void make(const char *key, const char *members)
{
    char body[300];

    snprintf(body, sizeof body, "{\"key\":\"%s\"%s}", key, members);
    does(201, "POST", FLAGS, body);
}

static void a_change_is_made_at_its_time(void **state)
{
    (void)state;
    make("s1", ",\"rules\":[{\"name\":\"staff\",\"when\":\"staff\",\"serve\":" OFF "}]");
    schedule(201, "s1", 700,
             "\"change\":{\"state\":\"on\",\"rules\":{\"staff\":{\"serve\":" ON "}}}");
    assert_says("\"state\":\"pending\"");
    does(200, "GET", FLAGS "/s1", NULL);
    assert_says("\"state\":\"off\"");
    ends_as("s1", "done");
    does(200, "GET", FLAGS "/s1", NULL);
    assert_says("\"state\":\"on\"");
    answers("s1", "{\"staff\":true}", "on");
    does(200, "GET", "/api/v1/audit?flag=s1&limit=1", NULL);
    assert_says("\"action\":\"schedule.run\"");
    assert_says("\"reason\":\"later\"");
    /* as it is already: done, and nothing changes */
    make("s2", "");
    schedule(201, "s2", -1000, "\"change\":{\"state\":\"off\"}");
    ends_as("s2", "done");
    does(200, "GET", FLAGS "/s2", NULL);
    assert_says("\"version\":1");
}

static void what_cannot_be_scheduled_is_said(void **state)
{
    static const struct {
        int status;
        const char *body, *part;
    } cases[] = {
        {400, "{}", "at: must be a time"},
        {400, "{\"at\":\"tomorrow\",\"change\":{}}", "at: must be a time"},
        {400, "{\"at\":\"2027-02-30\",\"change\":{}}", "at: must be a time"},
        {400, "{\"at\":\"2027-01-01\"}", "either"},
        {400, "{\"at\":\"2027-01-01\",\"change\":{},\"promote\":{}}", "either"},
        {400, "{\"at\":\"2027-01-01\",\"change\":[]}", "either"},
        {400, "{\"at\":\"2027-01-01\",\"not_after\":\"2026-01-01\",\"change\":{}}", "is before"},
        {400, "{\"at\":\"2027-01-01\",\"not_after\":7,\"change\":{}}", "not_after: must be"},
        {404, "{\"at\":\"2027-01-01\",\"change\":{\"rules\":{\"none\":null}}}", "no rule 'none'"},
        {400, "{\"at\":\"2027-01-01\",\"change\":{\"state\":\"dim\"}}", "state: must be"},
        {400, "{\"at\":\"2027-01-01\",\"promote\":{\"from\":\"nowhere\"}}", "no environment"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        does(cases[i].status, "POST", FLAGS "/s1/schedules", cases[i].body);
        assert_says(cases[i].part);
    }
    does(404, "POST", FLAGS "/none/schedules", cases[4].body);
}

static void a_change_is_cancelled(void **state)
{
    char path[200];
    struct json *list;

    (void)state;
    make("s3", "");
    schedule(201, "s3", 3600000, "\"change\":{\"state\":\"on\"}");
    list = rig_call(rig, 200, "GET", "/api/v1/schedules?flag=s3", NULL, NULL, NULL);
    snprintf(path, sizeof path, "/api/v1/schedules/%s",
             json_get_text(json_first(json_get(list, "schedules")), "id", ""));
    json_free(list);
    does(404, "DELETE", "/api/v1/schedules/none", NULL);
    does(204, "DELETE", path, NULL);
    does(409, "DELETE", path, NULL);
    assert_says("cancelled already");
    ends_as("s3", "cancelled");
}

/* One that came due while nobody was there is made late; one that said until when is dropped. */
static void a_change_survives_the_death_of_the_server(void **state)
{
    char body[300], at[CLOCK_TEXT_BYTES], until[CLOCK_TEXT_BYTES];
    int64_t now_ms = clock_wall_ms();

    (void)state;
    make("s4", "");
    make("s5", "");
    schedule(201, "s4", 800, "\"change\":{\"state\":\"on\"}");
    snprintf(body, sizeof body,
             "{\"at\":\"%s\",\"not_after\":\"%s\",\"change\":{\"state\":\"on\"}}",
             clock_text(now_ms + 800, at), clock_text(now_ms + 1000, until));
    does(201, "POST", FLAGS "/s5/schedules", body);
    (void)rig_stop(rig, SIGKILL);
    clock_sleep_us(1200000);
    rig_serve(rig, NULL);
    ends_as("s4", "done");
    ends_as("s5", "dropped");
    does(200, "GET", FLAGS "/s4", NULL);
    assert_says("\"state\":\"on\"");
    assert_says("\"version\":2");
    does(200, "GET", FLAGS "/s5", NULL);
    assert_says("\"state\":\"off\"");
}

static void what_a_schema_does_not_bear_fails_then(void **state)
{
    (void)state;
    make("s6", ",\"state\":\"on\"");
    report(200, "s6", "dual-writing");
    schedule(201, "s6", -1000, "\"change\":{\"fallthrough\":" ON "}");
    ends_as("s6", "failed");
    assert_says("m-s6");
    assert_says("migrate apply m-s6 --to in-sync");
    make("s7", "");
    schedule(201, "s7", 400, "\"change\":{\"state\":\"on\"}");
    change(204, "DELETE", FLAGS "/s7", NULL);
    ends_as("s7", "failed");
    assert_says("not here any more");
}

static void a_promotion_is_scheduled(void **state)
{
    (void)state;
    make("s8", "");
    does(201, "POST", "/api/v1/environments", "{\"name\":\"before\",\"from\":\"test\"}");
    change(200, "PUT", FLAGS "/s8?environment=before",
           "{\"key\":\"s8\",\"type\":\"boolean\",\"state\":\"on\",\"variants\":{\"on\":true,"
           "\"off\":false},\"off_variant\":\"off\",\"fallthrough\":" ON "}");
    schedule(201, "s8", -1000, "\"promote\":{\"from\":\"before\"}");
    ends_as("s8", "done");
    answers("s8", "{}", "on");
    does(204, "DELETE", "/api/v1/environments/before", NULL);
}

int api_pieces_tests(struct rig *of)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_lives),
        cmocka_unit_test(a_change_of_a_segment_is_one_of_its_flags),
        cmocka_unit_test(a_prerequisite_is_needed_as_it_is),
        cmocka_unit_test(a_layer_lives),
        cmocka_unit_test(a_tied_flag_keeps_its_range),
        cmocka_unit_test(a_split_moves_the_fewest),
        cmocka_unit_test(a_copy_of_an_environment_has_its_pieces),
        cmocka_unit_test(a_restart_keeps_pieces),
        cmocka_unit_test(who_cannot_evaluate_a_flag_is_shown),
        cmocka_unit_test(a_change_is_made_at_its_time),
        cmocka_unit_test(what_cannot_be_scheduled_is_said),
        cmocka_unit_test(a_change_is_cancelled),
        cmocka_unit_test(a_change_survives_the_death_of_the_server),
        cmocka_unit_test(what_a_schema_does_not_bear_fails_then),
        cmocka_unit_test(a_promotion_is_scheduled),
    };

    rig = of;
    return cmocka_run_group_tests_name("api: pieces", tests, NULL, NULL);
}
