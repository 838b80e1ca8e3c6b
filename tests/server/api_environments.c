#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "tests/server/api_environments.h"
#include "tests/server/env_calls.h"

static void environments_are_made(void **state)
{
    char editor[100];

    (void)state;
    env_does(200, "GET", ALL, NULL);
    env_says("\"name\":\"test\",\"default\":true");
    env_does(201, "POST", FLAGS, "{\"key\":\"early\",\"state\":\"on\",\"fallthrough\":" ON "}");
    env_does(201, "POST", ALL, "{\"name\":\"staging\"}");
    env_does(201, "POST", ALL, "{\"name\":\"copy\",\"from\":\"test\"}");
    env_does(409, "POST", ALL, "{\"name\":\"staging\"}");
    env_does(400, "POST", ALL, "{\"name\":\"Staging\"}");
    env_does(400, "POST", ALL, "{\"name\":\"\"}");
    env_does(400, "POST", ALL, "{\"name\":\".x\"}");
    env_does(400, "POST", ALL, "{\"name\":\"x\",\"from\":\"nowhere\"}");
    env_says("nowhere");
    env_is("early", "staging", "state", "\"off\"");
    env_is("early", "staging", "fallthrough", OFF);
    env_is("early", "copy", "state", "\"on\"");
    env_is("early", "copy", "fallthrough", ON);
    env_does(404, "GET", FLAGS "?environment=nowhere", NULL);
    env_says("'test', 'staging', 'copy'");
    env_make_token("editor", "staging", editor);
    json_free(rig_call(env_rig, 403, "POST", ALL, editor, NULL, "{\"name\":\"mine\"}"));
    env_does(200, "GET", ALL, NULL);
    env_says("\"name\":\"staging\",\"default\":false");
}

/* What a flag does in one environment is nobody else's; what it is belongs to all. */
static void a_flag_has_a_state_in_each(void **state)
{
    double test = env_revision("test"), staging = env_revision("staging");

    (void)state;
    env_does(201, "POST", FLAGS "?environment=staging",
             "{\"key\":\"search\",\"state\":\"on\",\"description\":\"by words\"}");
    assert_true(env_revision("test") == test + 1 && env_revision("staging") == staging + 1);
    env_is("search", "staging", "state", "\"on\"");
    env_is("search", NULL, "state", "\"off\"");
    env_is("search", "test", "description", "\"by words\"");
    env_set(200, "search", "staging", "domains", "{\"acme.com\":" ON "}");
    env_is("search", "test", "domains", "null");
    assert_true(env_revision("test") == test + 1 && env_revision("staging") == staging + 2);
    assert_true(env_version("search", "test") == 1 && env_version("search", "staging") == 2);
    /* the shared half: seen, and a new version, everywhere */
    env_set(200, "search", "test", "description", "\"by all words\"");
    env_is("search", "staging", "description", "\"by all words\"");
    env_is("search", "staging", "domains", "{\"acme.com\":" ON "}");
    assert_true(env_revision("test") == test + 2 && env_revision("staging") == staging + 3);
    assert_true(env_version("search", "test") == 2 && env_version("search", "staging") == 3);
    json_free(rig_call(env_rig, 412, "PUT", FLAGS "/search?environment=staging", NULL,
                       "If-Match: \"2\"\r\n", "{}"));
    env_says("\"at\":\"description\",\"was\":\"by words\",\"now\":\"by all words\"");
    /* the same salts, so the same people */
    {
        struct json *a = env_get("search", "test"), *b = env_get("search", "staging");

        assert_true(json_equal(json_get(a, "salt"), json_get(b, "salt")));
        json_free(a);
        json_free(b);
    }
    env_does(409, "POST", FLAGS, "{\"key\":\"search\"}");
}

static void what_others_need_stays(void **state)
{
    (void)state;
    env_does(201, "POST", FLAGS,
             "{\"key\":\"button\",\"type\":\"string\",\"variants\":{\"grey\":\"g\",\"blue\":\"b\","
             "\"red\":\"r\"},\"off_variant\":\"grey\"}");
    env_set(200, "button", "staging", "fallthrough", "{\"variant\":\"red\"}");
    env_set(409, "button", "test", "variants", "{\"grey\":\"g\",\"blue\":\"b\"}");
    env_says("in environment staging");
    env_says("red");
    env_is("button", "staging", "variants", "{\"blue\":\"b\",\"grey\":\"g\",\"red\":\"r\"}");
    env_set(200, "button", "staging", "fallthrough", "{\"variant\":\"grey\"}");
    env_set(200, "button", "test", "variants", "{\"grey\":\"g\",\"blue\":\"b\"}");
    env_is("button", "staging", "variants", "{\"blue\":\"b\",\"grey\":\"g\"}");
}

static void a_token_is_for_its_environment(void **state)
{
    char editor[100], server[100], everywhere[100];
    struct json *answer;

    (void)state;
    env_make_token("editor", "staging", editor);
    env_make_token("sdk-server", "staging", server);
    env_make_token("editor", "*", everywhere);
    env_does(400, "POST", "/api/v1/tokens",
             "{\"role\":\"sdk-client\",\"name\":\"x\",\"environment\":\"*\"}");
    env_does(400, "POST", "/api/v1/tokens",
             "{\"role\":\"admin\",\"name\":\"x\",\"environment\":\"staging\"}");
    env_does(400, "POST", "/api/v1/tokens",
             "{\"role\":\"viewer\",\"name\":\"x\",\"environment\":\"nowhere\"}");
    answer = rig_call(env_rig, 200, "GET", FLAGS "/search", editor, NULL, NULL);
    assert_string_equal(json_get_text(answer, "state", ""), "on"); /* staging's */
    json_free(answer);
    json_free(rig_call(env_rig, 403, "GET", FLAGS "?environment=test", editor, NULL, NULL));
    env_says("'staging'");
    env_set_as(200, editor, "search", "staging", "state", "\"off\"");
    env_set_as(200, editor, "search", "staging", "state", "\"on\"");
    env_set_as(403, editor, "search", "staging", "description", "\"mine\"");
    env_says("all environments");
    env_set_as(200, everywhere, "search", "staging", "description", "\"by any word\"");
    json_free(rig_call(env_rig, 403, "DELETE", FLAGS "/search", editor, "If-Match: *\r\n", NULL));
    json_free(rig_call(env_rig, 201, "POST", FLAGS, editor, NULL, "{\"key\":\"theirs\"}"));
    /* a service gets its own environment's answers */
    answer = rig_call(env_rig, 200, "GET", RULESET, server, NULL, NULL);
    assert_string_equal(json_get_text(answer, "environment", ""), "staging");
    json_free(answer);
    answer = rig_call(env_rig, 200, "POST", "/ofrep/v1/evaluate/flags/search", server, NULL,
                      "{\"context\":{\"domain\":\"acme.com\"}}");
    assert_string_equal(json_get_text(answer, "variant", ""), "on");
    json_free(answer);
    answer = rig_call(env_rig, 200, "POST", "/ofrep/v1/evaluate/flags/search", NULL, NULL,
                      "{\"context\":{\"domain\":\"acme.com\"}}");
    assert_string_equal(json_get_text(answer, "reason", ""), "DISABLED"); /* the default's */
    json_free(answer);
    json_free(rig_call(env_rig, 403, "GET", RULESET "?environment=test", server, NULL, NULL));
    /* who reads rulesets of staging is a client there alone */
    env_does(200, "GET", "/api/v1/clients?environment=copy", NULL);
    env_says("\"clients\":[]");
}

static void schemas_are_tied_where_they_are(void **state)
{
    char pipeline[100];

    (void)state;
    env_make_token("pipeline", "staging", pipeline);
    env_does(201, "POST", FLAGS, "{\"key\":\"split\",\"state\":\"on\"}");
    env_set(200, "split", "staging", "state", "\"on\"");
    env_report(200, "staging", "split", "dual-writing");
    env_set(409, "split", "staging", "fallthrough", ON);
    env_says("m-split");
    env_set(200, "split", "test", "fallthrough", ON);
    env_is("split", "test", "tie", "null");
    /* from the other environment: its variants' values, and its archive */
    env_set(409, "split", "test", "variants", "{\"on\":false,\"off\":true}");
    env_says("in environment staging");
    env_change(409, "DELETE", FLAGS "/split", NULL);
    env_says("in environment staging");
    env_change(409, "POST", FLAGS "/split/promote?environment=staging", "{\"from\":\"test\"}");
    env_says("m-split");
    env_does(409, "POST", FLAGS "/split/promote?environment=staging&dry_run=true",
             "{\"from\":\"test\"}");
    /* migrate says where its database belongs */
    json_free(rig_call(env_rig, 200, "PUT", "/api/v1/migrations/db-9/m-9", NULL,
                       "X-Lockstep-Environment: copy\r\n",
                       "{\"state\":\"pending\",\"flag\":{\"key\":\"split\"}}"));
    env_does(200, "GET", "/api/v1/migrations?environment=copy", NULL);
    env_says("m-9");
    json_free(rig_call(env_rig, 409, "PUT", "/api/v1/migrations/db-8/m-9", NULL,
                       "X-Lockstep-Environment: nowhere\r\n",
                       "{\"state\":\"pending\",\"flag\":{\"key\":\"split\"}}"));
    json_free(rig_call(env_rig, 403, "PUT", "/api/v1/migrations/db-8/m-9", pipeline,
                       "X-Lockstep-Environment: copy\r\n",
                       "{\"state\":\"pending\",\"flag\":{\"key\":\"split\"}}"));
    json_free(rig_call(env_rig, 200, "PUT", "/api/v1/migrations/db-8/m-9", pipeline,
                       "X-Lockstep-Environment: development\r\n",
                       "{\"state\":\"pending\",\"flag\":{\"key\":\"split\"}}"));
    env_does(200, "GET", "/api/v1/migrations?environment=staging", NULL);
    env_says("db-8");
    /* one database is in one environment */
    json_free(rig_call(env_rig, 409, "PUT", "/api/v1/migrations/db-9/m-10", NULL,
                       "X-Lockstep-Environment: staging\r\n",
                       "{\"state\":\"pending\",\"flag\":{\"key\":\"split\"}}"));
    env_says("copy");
}

static void a_flag_is_promoted(void **state)
{
    struct json *answer;
    char header[100];

    (void)state;
    env_does(
        201, "POST", FLAGS "?environment=staging",
        "{\"key\":\"up\",\"state\":\"on\",\"fallthrough\":{\"ramp\":{\"percent\":10,\"variant\":"
        "\"on\"}},\"rules\":[{\"name\":\"staff\",\"when\":\"staff\",\"serve\":" ON "}]}");
    env_set(200, "up", "test", "domains", "{\"acme.com\":" ON "}");
    env_does(428, "POST", FLAGS "/up/promote", "{\"from\":\"staging\"}");
    env_change(400, "POST", FLAGS "/up/promote", "{\"from\":\"test\"}");
    env_change(400, "POST", FLAGS "/up/promote", "{\"from\":\"nowhere\"}");
    env_change(400, "POST", FLAGS "/up/promote", "{\"from\":\"staging\",\"only\":[\"salt\"]}");
    env_change(400, "POST", FLAGS "/up/promote", "{\"from\":\"staging\",\"only\":[]}");
    env_change(412, "POST", FLAGS "/up/promote", "{\"from\":\"staging\",\"from_version\":7}");
    env_change(404, "POST", FLAGS "/none/promote", "{\"from\":\"staging\"}");
    answer = rig_call(env_rig, 200, "POST", FLAGS "/up/promote?dry_run=true", NULL, NULL,
                      "{\"from\":\"staging\",\"only\":[\"rules\"]}");
    snprintf(header, sizeof header, "If-Match: %s\r\n", wire_header(&env_rig->reply, "ETag"));
    assert_int_equal(json_count(json_get(answer, "difference")), 1);
    env_says("\"at\":\"rules.staff\"");
    json_free(answer);
    env_is("up", "test", "rules", "null");
    json_free(rig_call(env_rig, 200, "POST", FLAGS "/up/promote", NULL, header,
                       "{\"from\":\"staging\",\"from_version\":1,\"only\":[\"rules\"]}"));
    env_is("up", "test", "state", "\"off\"");
    env_is("up", "test", "domains", "{\"acme.com\":" ON "}");
    json_free(rig_call(env_rig, 412, "POST", FLAGS "/up/promote", NULL, header,
                       "{\"from\":\"staging\"}"));
    env_change(200, "POST", FLAGS "/up/promote", "{\"from\":\"staging\"}");
    env_is("up", "test", "state", "\"on\"");
    env_is("up", "test", "domains", "null");
    env_does(200, "GET", "/api/v1/audit?flag=up&limit=1", NULL);
    env_says("flag.promote");
}

/* Many customers' rules go over by their content, and stay while any environment names them. */
static void many_domains_are_promoted(void **state)
{
    struct json *here = env_get("many", "test"), *there;

    (void)state;
    assert_non_null(json_get(here, "domain_set"));
    env_set(200, "many", "staging", "domains", "{\"acme.com\":" ON "}");
    env_change(200, "POST", FLAGS "/many/promote?environment=staging",
               "{\"from\":\"test\",\"only\":[\"domains\"]}");
    there = env_get("many", "staging");
    assert_true(json_equal(json_get(here, "domain_set"), json_get(there, "domain_set")));
    assert_null(json_get(there, "domains"));
    assert_string_equal(json_get_text(there, "state", ""), "off");
    json_free(there);
    there = rig_call(env_rig, 200, "GET", FLAGS "/many/shared", NULL, NULL, NULL);
    env_says("\"domains\":9001}");
    json_free(there);
    json_free(here);
    env_set(200, "many", "staging", "state", "\"on\"");
    env_restart();
    there = rig_call(env_rig, 200, "POST", "/ofrep/v1/evaluate/flags/many?environment=staging",
                     NULL, NULL, "{\"context\":{\"domain\":\"c-8999.example\"}}");
    assert_string_equal(json_get_text(there, "variant", ""), "on");
    json_free(there);
    env_does(201, "POST", ALL, "{\"name\":\"bare\"}");
    env_change(200, "POST", FLAGS "/many/promote?environment=staging",
               "{\"from\":\"bare\",\"only\":[\"domains\"]}");
    env_does(204, "DELETE", ALL "/bare", NULL);
    there = env_get("many", "staging");
    assert_null(json_get(there, "domain_set"));
    json_free(there);
}

static void the_archive_gives_back(void **state)
{
    struct json *list;

    (void)state;
    env_does(201, "POST", FLAGS, "{\"key\":\"kept\",\"state\":\"on\",\"fallthrough\":" ON "}");
    env_does(409, "POST", FLAGS "/kept/restore", NULL);
    env_change(204, "DELETE", FLAGS "/kept?environment=staging", NULL);
    env_does(404, "GET", FLAGS "/kept", NULL);
    env_does(404, "GET", FLAGS "/kept?environment=copy", NULL);
    env_does(404, "POST", "/ofrep/v1/evaluate/flags/kept", "{}");
    list = rig_call(env_rig, 200, "GET", FLAGS "?archived=true", NULL, NULL, NULL);
    env_says("\"key\":\"kept\"");
    env_says("\"archived\":\"20");
    json_free(list);
    env_does(409, "POST", FLAGS, "{\"key\":\"kept\"}");
    env_says("flags restore");
    env_does(404, "POST", FLAGS "/none/restore", NULL);
    env_does(428, "POST", FLAGS "/kept/restore", NULL);
    json_free(
        rig_call(env_rig, 412, "POST", FLAGS "/kept/restore", NULL, "If-Match: \"1\"\r\n", NULL));
    env_change(200, "POST", FLAGS "/kept/restore", NULL);
    env_is("kept", "test", "fallthrough", ON);
    env_is("kept", "copy", "state", "\"off\"");
    env_set(200, "kept", "copy", "state", "\"on\"");
}

static void what_has_done_its_work_is_listed(void **state)
{
    (void)state;
    env_does(201, "POST", FLAGS,
             "{\"key\":\"overdue\",\"expected_end\":\"2020-02-29\",\"owner\":\"ann\"}");
    env_does(201, "POST", FLAGS, "{\"key\":\"stays\",\"expected_end\":\"never\"}");
    env_does(201, "POST", FLAGS, "{\"key\":\"soon\",\"expected_end\":\"2999-01-01\"}");
    env_does(400, "GET", "/api/v1/stale?days=-1", NULL);
    env_does(400, "GET", "/api/v1/stale?days=", NULL);
    env_does(400, "GET", "/api/v1/stale?days=99999", NULL);
    env_does(200, "GET", "/api/v1/stale?days=1", NULL);
    env_says("{\"key\":\"overdue\",\"owner\":\"ann\",\"expected_end\":\"2020-02-29\",\"reasons\":[{"
             "\"why\":\"past-end\"");
    assert_null(strstr(env_rig->reply.body, "stays"));
    assert_null(strstr(env_rig->reply.body, "soon"));
    env_does(200, "GET", "/api/v1/stale?days=0&environment=staging", NULL);
    env_says("{\"why\":\"settled\",\"days\":0,\"variant\":\"off\"}");
    env_says("\"key\":\"soon\"");
    assert_null(strstr(env_rig->reply.body, "stays"));
    assert_null(strstr(env_rig->reply.body, "\"key\":\"up\"")); /* some get it there, some do not */
    /* Nor one that looks as if all got it, but needs another, of which some get it. */
    env_does(201, "POST", FLAGS "?environment=staging",
             "{\"key\":\"needs\",\"state\":\"on\",\"fallthrough\":" ON
             ",\"prerequisites\":[{\"flag\":\"up\",\"variants\":[\"on\"]}]}");
    env_does(201, "POST", FLAGS "?environment=staging",
             "{\"key\":\"all-have\",\"state\":\"on\",\"fallthrough\":" ON "}");
    env_does(201, "POST", FLAGS "?environment=staging",
             "{\"key\":\"needs-all\",\"state\":\"on\",\"fallthrough\":" ON
             ",\"prerequisites\":[{\"flag\":\"all-have\",\"variants\":[\"on\"]}]}");
    env_does(200, "GET", "/api/v1/stale?days=0&environment=staging", NULL);
    assert_null(strstr(env_rig->reply.body, "\"key\":\"needs\""));
    env_says("\"key\":\"needs-all\",\"owner\":\"\",\"expected_end\":\"\",\"reasons\":[{\"why\":"
             "\"settled\","
             "\"days\":0,\"variant\":\"on\"}]");
}

/* Words and ramps have versions of their own, so whoever writes one does not get in the way of the other. */
static void what_is_shared_has_a_version(void **state)
{
    static const char path[] = FLAGS "/words/shared";
#define WORDS                                                                                      \
    "\"key\":\"words\",\"type\":\"boolean\",\"variants\":{\"on\":true,\"off\":false},\"off_"       \
    "variant\":\"off\""
    struct json *flag, *other;
    char editor[100];

    (void)state;
    env_does(201, "POST", FLAGS, "{\"key\":\"words\"}");
    flag = rig_call(env_rig, 200, "GET", path, NULL, NULL, NULL);
    assert_string_equal(wire_header(&env_rig->reply, "ETag"), "\"1\"");
    assert_null(json_get(flag, "state"));
    assert_true(json_count(json_get(flag, "environments")) == env_count());
    env_set(200, "words", "staging", "state", "\"on\"");
    env_set(200, "words", "test", "domains", "{\"acme.com\":" ON "}");
    env_does(428, "PUT", path, "{" WORDS "}");
    json_free(rig_call(env_rig, 200, "PUT", path, NULL, "If-Match: \"1\"\r\n",
                       "{" WORDS ",\"description\":\"one\",\"state\":\"on\",\"rules\":[]}"));
    assert_string_equal(wire_header(&env_rig->reply, "ETag"), "\"2\"");
    env_is("words", "test", "state", "\"off\""); /* it is not said here */
    env_is("words", "test", "domains", "{\"acme.com\":" ON "}");
    env_is("words", "staging", "state", "\"on\"");
    env_is("words", "staging", "description", "\"one\"");
    other = env_get("words", "test");
    assert_true(json_equal(json_get(flag, "salt"), json_get(other, "salt")));
    json_free(flag);
    json_free(other);
    env_set(200, "words", "test", "state", "\"on\"");
    json_free(rig_call(env_rig, 200, "PUT", path, NULL, "If-Match: \"2\"\r\n",
                       "{" WORDS ",\"description\":\"two\",\"owner\":\"ann\"}"));
    env_set(200, "words", "test", "state", "\"off\"");
    json_free(rig_call(env_rig, 412, "PUT", path, NULL, "If-Match: \"2\"\r\n", "{" WORDS "}"));
    env_says("\"difference\":[{\"at\":\"description\",\"was\":\"one\",\"now\":\"two\"},{\"at\":"
             "\"owner\",\"now\":\"ann\"}]");
    json_free(rig_call(env_rig, 412, "PUT", path, NULL, "If-Match: \"1\"\r\n", "{" WORDS "}"));
    env_says("\"at\":\"description\",\"now\":\"two\"");
    env_change(409, "PUT", path, "{" WORDS ",\"salt\":\"another\"}");
    env_change(200, "PUT", FLAGS "/words/shared?reassign=true", "{" WORDS ",\"salt\":\"another\"}");
    env_change(409, "PUT", path,
               "{\"key\":\"words\",\"type\":\"string\",\"variants\":{\"on\":\"1\"},\"off_variant\":"
               "\"on\"}");
    env_change(400, "PUT", path, "{" WORDS ",\"owner\":7}");
    env_make_token("editor", "staging", editor);
    json_free(rig_call(env_rig, 403, "PUT", path, editor, "If-Match: *\r\n",
                       "{" WORDS ",\"owner\":\"me\"}"));
    flag = rig_call(env_rig, 200, "GET", path, editor, NULL, NULL);
    assert_true(json_count(json_get(flag, "environments")) == 1); /* what it may see */
    json_free(flag);
    env_does(404, "GET", FLAGS "/none/shared", NULL);
}

static void an_environment_comes_and_goes(void **state)
{
    char server[100];
    struct json *before, *after;

    (void)state;
    env_does(201, "POST", ALL, "{\"name\":\"brief\"}");
    env_make_token("sdk-server", "brief", server);
    env_set(200, "search", "brief", "state", "\"on\"");
    before = rig_call(env_rig, 200, "GET", RULESET "?environment=brief", NULL, NULL, NULL);
    env_does(404, "PUT", ALL "/none", "{\"name\":\"x\"}");
    env_does(409, "PUT", ALL "/brief", "{\"name\":\"staging\"}");
    env_does(400, "PUT", ALL "/brief", "{\"name\":\"A B\"}");
    env_does(409, "PUT", ALL "/staging", "{\"name\":\"x\"}"); /* a migration is on its way there */
    env_says("m-split");
    env_does(200, "PUT", ALL "/brief", "{\"name\":\"short\"}");
    env_does(404, "GET", FLAGS "?environment=brief", NULL);
    env_is("search", "short", "state", "\"on\"");
    after = rig_call(env_rig, 200, "GET", RULESET, server, NULL, NULL);
    assert_string_equal(json_get_text(after, "environment", ""), "short");
    json_free(after);
    env_does(409, "DELETE", ALL "/short", NULL); /* that was a client */
    env_says("in use");
    env_does(409, "DELETE", ALL "/test", NULL);
    env_does(409, "DELETE", ALL "/staging", NULL);
    env_does(404, "DELETE", ALL "/none", NULL);
    /* one that comes again under an old name is taken by whoever knew the old one */
    env_does(201, "POST", ALL, "{\"name\":\"brief\"}");
    after = rig_call(env_rig, 200, "GET", FLAGS "?environment=brief", NULL, NULL, NULL);
    assert_true(json_number(json_get(after, "epoch"), 0) >
                json_number(json_get(before, "epoch"), 0));
    json_free(before);
    json_free(after);
    env_make_token("viewer", "brief", server);
    env_does(204, "DELETE", ALL "/brief", NULL);
    env_does(404, "GET", FLAGS "?environment=brief", NULL);
    json_free(rig_call(env_rig, 401, "GET", FLAGS, server, NULL, NULL));
    env_does(201, "POST", ALL, "{\"name\":\"brief\"}");
    env_is("search", "brief", "state", "\"off\"");
    env_does(204, "DELETE", ALL "/brief", NULL);
}

static void environments_have_bounds(void **state)
{
    char body[200], path[200], name[70];
    size_t before = env_count();

    (void)state;
    memset(name, 'n', sizeof name);
    name[64] = '\0';
    snprintf(body, sizeof body, "{\"name\":\"%s\"}", name);
    env_does(400, "POST", ALL, body);
    name[63] = '\0';
    snprintf(body, sizeof body, "{\"name\":\"%s\"}", name);
    env_does(201, "POST", ALL, body);
    snprintf(path, sizeof path, ALL "/%s", name);
    env_does(204, "DELETE", path, NULL);
    for (size_t i = before; i <= LIMIT_ENVIRONMENTS; i++) {
        snprintf(body, sizeof body, "{\"name\":\"limit-%zu\",\"from\":\"test\"}", i);
        env_does(i < LIMIT_ENVIRONMENTS ? 201 : 413, "POST", ALL, body);
    }
    env_says("32 environments");
    assert_int_equal(env_count(), LIMIT_ENVIRONMENTS);
    /* a change that all of them see is still one */
    env_set(200, "search", "test", "description", "\"everywhere\"");
    env_is("search", "limit-31", "description", "\"everywhere\"");
    for (size_t i = before; i < LIMIT_ENVIRONMENTS; i++) {
        snprintf(path, sizeof path, ALL "/limit-%zu", i);
        env_does(204, "DELETE", path, NULL);
    }
    assert_int_equal(env_count(), before);
}

static void a_restart_keeps_environments(void **state)
{
    struct json *before = rig_call(env_rig, 200, "GET", ALL, NULL, NULL, NULL), *after;
    struct json *flags =
        rig_call(env_rig, 200, "GET", FLAGS "?environment=staging", NULL, NULL, NULL);

    (void)state;
    assert_int_equal(rig_stop(env_rig, SIGTERM), 0);
    rig_serve(env_rig, NULL);
    after = rig_call(env_rig, 200, "GET", ALL, NULL, NULL, NULL);
    assert_int_equal(json_count(json_get(before, "environments")),
                     json_count(json_get(after, "environments")));
    json_free(after);
    after = rig_call(env_rig, 200, "GET", FLAGS "?environment=staging", NULL, NULL, NULL);
    assert_true(json_equal(flags, after));
    json_free(before);
    json_free(flags);
    json_free(after);
}

int api_environments_tests(struct rig *of)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(environments_are_made),
        cmocka_unit_test(a_flag_has_a_state_in_each),
        cmocka_unit_test(what_others_need_stays),
        cmocka_unit_test(a_token_is_for_its_environment),
        cmocka_unit_test(schemas_are_tied_where_they_are),
        cmocka_unit_test(a_flag_is_promoted),
        cmocka_unit_test(many_domains_are_promoted),
        cmocka_unit_test(the_archive_gives_back),
        cmocka_unit_test(what_has_done_its_work_is_listed),
        cmocka_unit_test(what_is_shared_has_a_version),
        cmocka_unit_test(an_environment_comes_and_goes),
        cmocka_unit_test(environments_have_bounds),
        cmocka_unit_test(a_restart_keeps_environments),
    };

    env_rig = of;
    return cmocka_run_group_tests_name("api: environments", tests, NULL, NULL);
}
