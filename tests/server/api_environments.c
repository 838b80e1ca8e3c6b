#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "server/route.h"
#include "server/tokens.h"
#include "tests/server/api_environments.h"

static struct rig *rig;

#define FLAGS "/api/v1/flags"
#define ALL "/api/v1/environments"
#define RULESET "/sdk/v1/ruleset"
#define ON "{\"variant\":\"on\"}"
#define OFF "{\"variant\":\"off\"}"

static void assert_says(const char *part)
{
    if (strstr(rig->reply.body, part) == NULL) {
        fail_msg("\"%s\" is not in %s", part, rig->reply.body);
    }
}

static void does(int status, const char *method, const char *path, const char *body)
{
    rig_does(rig, status, method, path, body);
}

/* GET of a flag in an environment (NULL: none is named). */
static struct json *get(const char *key, const char *environment)
{
    char path[200];

    snprintf(path, sizeof path, FLAGS "/%s%s%s", key, environment != NULL ? "?environment=" : "",
             environment != NULL ? environment : "");
    return rig_call(rig, 200, "GET", path, NULL, NULL, NULL);
}

/* Changes one member there, with a token (NULL: the admin's). */
static void set_as(int status, const char *token, const char *key, const char *environment,
                   const char *member, const char *value)
{
    struct json *flag = get(key, environment), *parsed = NULL;
    char path[200], header[100];
    char *text;

    snprintf(path, sizeof path, FLAGS "/%s?environment=%s", key, environment);
    snprintf(header, sizeof header, "If-Match: %s\r\n", wire_header(&rig->reply, "ETag"));
    assert_int_equal(json_parse(value, strlen(value), &parsed, NULL), ERR_OK);
    json_put(flag, member, parsed);
    text = json_print(flag);
    json_free(flag);
    json_free(rig_call(rig, status, "PUT", path, token, header, text));
    free(text);
}

static void set(int status, const char *key, const char *environment, const char *member,
                const char *value)
{
    set_as(status, NULL, key, environment, member, value);
}

static void change(int status, const char *method, const char *path, const char *body)
{
    json_free(rig_call(rig, status, method, path, NULL, "If-Match: *\r\n", body));
}

static double revision(const char *environment)
{
    char path[200];
    struct json *list;
    double out;

    snprintf(path, sizeof path, FLAGS "?environment=%s", environment);
    list = rig_call(rig, 200, "GET", path, NULL, NULL, NULL);
    assert_string_equal(json_get_text(list, "environment", ""), environment);
    out = json_number(json_get(list, "revision"), -1);
    json_free(list);
    return out;
}

static double version(const char *key, const char *environment)
{
    struct json *flag = get(key, environment);
    double out = json_number(json_get(flag, "version"), -1);

    json_free(flag);
    return out;
}

static void is(const char *key, const char *environment, const char *member, const char *wanted)
{
    struct json *flag = get(key, environment);
    char *text = json_print_canonical(json_get(flag, member));

    assert_string_equal(text, wanted);
    free(text);
    json_free(flag);
}

static void make_token(const char *role, const char *environment, char out[100])
{
    char body[200];
    struct json *made;

    snprintf(body, sizeof body, "{\"role\":\"%s\",\"name\":\"%s\",\"environment\":\"%s\"}", role,
             role, environment);
    made = rig_call(rig, 201, "POST", "/api/v1/tokens", NULL, NULL, body);
    assert_string_equal(json_get_text(made, "environment", ""), environment);
    snprintf(out, 100, "%s", json_get_text(made, "token", ""));
    json_free(made);
}

static size_t stores_of_test(void)
{
    struct json *all = rig_call(rig, 200, "GET", ALL, NULL, NULL, NULL);
    size_t count = json_count(json_get(all, "environments"));

    json_free(all);
    return count;
}

static void report(int status, const char *environment, const char *key, const char *state)
{
    char path[200], body[300];

    snprintf(path, sizeof path, "/api/v1/migrations/db-%s/m-%s?environment=%s", environment, key,
             environment);
    snprintf(body, sizeof body, "{\"state\":\"%s\",\"flag\":{\"key\":\"%s\"}}", state, key);
    does(status, "PUT", path, body);
}

/* ---- */

static void environments_are_made(void **state)
{
    char editor[100];

    (void)state;
    does(200, "GET", ALL, NULL);
    assert_says("\"name\":\"test\",\"default\":true");
    does(201, "POST", FLAGS, "{\"key\":\"early\",\"state\":\"on\",\"fallthrough\":" ON "}");
    does(201, "POST", ALL, "{\"name\":\"staging\"}");
    does(201, "POST", ALL, "{\"name\":\"copy\",\"from\":\"test\"}");
    does(409, "POST", ALL, "{\"name\":\"staging\"}");
    does(400, "POST", ALL, "{\"name\":\"Staging\"}");
    does(400, "POST", ALL, "{\"name\":\"\"}");
    does(400, "POST", ALL, "{\"name\":\".x\"}");
    does(400, "POST", ALL, "{\"name\":\"x\",\"from\":\"nowhere\"}");
    assert_says("nowhere");
    is("early", "staging", "state", "\"off\"");
    is("early", "staging", "fallthrough", OFF);
    is("early", "copy", "state", "\"on\"");
    is("early", "copy", "fallthrough", ON);
    does(404, "GET", FLAGS "?environment=nowhere", NULL);
    assert_says("'test', 'staging', 'copy'");
    make_token("editor", "staging", editor);
    json_free(rig_call(rig, 403, "POST", ALL, editor, NULL, "{\"name\":\"mine\"}"));
    does(200, "GET", ALL, NULL);
    assert_says("\"name\":\"staging\",\"default\":false");
}

/* What a flag does in one environment is nobody else's; what it is belongs to all. */
static void a_flag_has_a_state_in_each(void **state)
{
    double test = revision("test"), staging = revision("staging");

    (void)state;
    does(201, "POST", FLAGS "?environment=staging",
         "{\"key\":\"search\",\"state\":\"on\",\"description\":\"by words\"}");
    assert_true(revision("test") == test + 1 && revision("staging") == staging + 1);
    is("search", "staging", "state", "\"on\"");
    is("search", NULL, "state", "\"off\"");
    is("search", "test", "description", "\"by words\"");
    set(200, "search", "staging", "domains", "{\"acme.com\":" ON "}");
    is("search", "test", "domains", "null");
    assert_true(revision("test") == test + 1 && revision("staging") == staging + 2);
    assert_true(version("search", "test") == 1 && version("search", "staging") == 2);
    /* the shared half: seen, and a new version, everywhere */
    set(200, "search", "test", "description", "\"by all words\"");
    is("search", "staging", "description", "\"by all words\"");
    is("search", "staging", "domains", "{\"acme.com\":" ON "}");
    assert_true(revision("test") == test + 2 && revision("staging") == staging + 3);
    assert_true(version("search", "test") == 2 && version("search", "staging") == 3);
    json_free(rig_call(rig, 412, "PUT", FLAGS "/search?environment=staging", NULL,
                       "If-Match: \"2\"\r\n", "{}"));
    assert_says("\"at\":\"description\",\"was\":\"by words\",\"now\":\"by all words\"");
    /* the same salts, so the same people */
    {
        struct json *a = get("search", "test"), *b = get("search", "staging");

        assert_true(json_equal(json_get(a, "salt"), json_get(b, "salt")));
        json_free(a);
        json_free(b);
    }
    does(409, "POST", FLAGS, "{\"key\":\"search\"}");
}

static void what_others_need_stays(void **state)
{
    (void)state;
    does(201, "POST", FLAGS,
         "{\"key\":\"button\",\"type\":\"string\",\"variants\":{\"grey\":\"g\",\"blue\":\"b\","
         "\"red\":\"r\"},\"off_variant\":\"grey\"}");
    set(200, "button", "staging", "fallthrough", "{\"variant\":\"red\"}");
    set(409, "button", "test", "variants", "{\"grey\":\"g\",\"blue\":\"b\"}");
    assert_says("in environment staging");
    assert_says("red");
    is("button", "staging", "variants", "{\"blue\":\"b\",\"grey\":\"g\",\"red\":\"r\"}");
    set(200, "button", "staging", "fallthrough", "{\"variant\":\"grey\"}");
    set(200, "button", "test", "variants", "{\"grey\":\"g\",\"blue\":\"b\"}");
    is("button", "staging", "variants", "{\"blue\":\"b\",\"grey\":\"g\"}");
}

static void a_token_is_for_its_environment(void **state)
{
    char editor[100], server[100], everywhere[100];
    struct json *answer;

    (void)state;
    make_token("editor", "staging", editor);
    make_token("sdk-server", "staging", server);
    make_token("editor", "*", everywhere);
    does(400, "POST", "/api/v1/tokens",
         "{\"role\":\"sdk-client\",\"name\":\"x\",\"environment\":\"*\"}");
    does(400, "POST", "/api/v1/tokens",
         "{\"role\":\"admin\",\"name\":\"x\",\"environment\":\"staging\"}");
    does(400, "POST", "/api/v1/tokens",
         "{\"role\":\"viewer\",\"name\":\"x\",\"environment\":\"nowhere\"}");
    answer = rig_call(rig, 200, "GET", FLAGS "/search", editor, NULL, NULL);
    assert_string_equal(json_get_text(answer, "state", ""), "on"); /* staging's */
    json_free(answer);
    json_free(rig_call(rig, 403, "GET", FLAGS "?environment=test", editor, NULL, NULL));
    assert_says("'staging'");
    set_as(200, editor, "search", "staging", "state", "\"off\"");
    set_as(200, editor, "search", "staging", "state", "\"on\"");
    set_as(403, editor, "search", "staging", "description", "\"mine\"");
    assert_says("all environments");
    set_as(200, everywhere, "search", "staging", "description", "\"by any word\"");
    json_free(rig_call(rig, 403, "DELETE", FLAGS "/search", editor, "If-Match: *\r\n", NULL));
    json_free(rig_call(rig, 201, "POST", FLAGS, editor, NULL, "{\"key\":\"theirs\"}"));
    /* a service gets its own environment's answers */
    answer = rig_call(rig, 200, "GET", RULESET, server, NULL, NULL);
    assert_string_equal(json_get_text(answer, "environment", ""), "staging");
    json_free(answer);
    answer = rig_call(rig, 200, "POST", "/ofrep/v1/evaluate/flags/search", server, NULL,
                      "{\"context\":{\"domain\":\"acme.com\"}}");
    assert_string_equal(json_get_text(answer, "variant", ""), "on");
    json_free(answer);
    answer = rig_call(rig, 200, "POST", "/ofrep/v1/evaluate/flags/search", NULL, NULL,
                      "{\"context\":{\"domain\":\"acme.com\"}}");
    assert_string_equal(json_get_text(answer, "reason", ""), "DISABLED"); /* the default's */
    json_free(answer);
    json_free(rig_call(rig, 403, "GET", RULESET "?environment=test", server, NULL, NULL));
    /* who reads rulesets of staging is a client there alone */
    does(200, "GET", "/api/v1/clients?environment=copy", NULL);
    assert_says("\"clients\":[]");
}

static void schemas_are_tied_where_they_are(void **state)
{
    char pipeline[100];

    (void)state;
    make_token("pipeline", "staging", pipeline);
    does(201, "POST", FLAGS, "{\"key\":\"split\",\"state\":\"on\"}");
    set(200, "split", "staging", "state", "\"on\"");
    report(200, "staging", "split", "dual-writing");
    set(409, "split", "staging", "fallthrough", ON);
    assert_says("m-split");
    set(200, "split", "test", "fallthrough", ON);
    is("split", "test", "tie", "null");
    /* from the other environment: its variants' values, and its archive */
    set(409, "split", "test", "variants", "{\"on\":false,\"off\":true}");
    assert_says("in environment staging");
    change(409, "DELETE", FLAGS "/split", NULL);
    assert_says("in environment staging");
    change(409, "POST", FLAGS "/split/promote?environment=staging", "{\"from\":\"test\"}");
    assert_says("m-split");
    does(409, "POST", FLAGS "/split/promote?environment=staging&dry_run=true",
         "{\"from\":\"test\"}");
    /* migrate says where its database belongs */
    json_free(rig_call(rig, 200, "PUT", "/api/v1/migrations/db-9/m-9", NULL,
                       "X-Lockstep-Environment: copy\r\n",
                       "{\"state\":\"pending\",\"flag\":{\"key\":\"split\"}}"));
    does(200, "GET", "/api/v1/migrations?environment=copy", NULL);
    assert_says("m-9");
    json_free(rig_call(rig, 409, "PUT", "/api/v1/migrations/db-8/m-9", NULL,
                       "X-Lockstep-Environment: nowhere\r\n",
                       "{\"state\":\"pending\",\"flag\":{\"key\":\"split\"}}"));
    json_free(rig_call(rig, 403, "PUT", "/api/v1/migrations/db-8/m-9", pipeline,
                       "X-Lockstep-Environment: copy\r\n",
                       "{\"state\":\"pending\",\"flag\":{\"key\":\"split\"}}"));
    json_free(rig_call(rig, 200, "PUT", "/api/v1/migrations/db-8/m-9", pipeline,
                       "X-Lockstep-Environment: development\r\n",
                       "{\"state\":\"pending\",\"flag\":{\"key\":\"split\"}}"));
    does(200, "GET", "/api/v1/migrations?environment=staging", NULL);
    assert_says("db-8");
    /* one database is in one environment */
    json_free(rig_call(rig, 409, "PUT", "/api/v1/migrations/db-9/m-10", NULL,
                       "X-Lockstep-Environment: staging\r\n",
                       "{\"state\":\"pending\",\"flag\":{\"key\":\"split\"}}"));
    assert_says("copy");
}

static void a_flag_is_promoted(void **state)
{
    struct json *answer;
    char header[100];

    (void)state;
    does(201, "POST", FLAGS "?environment=staging",
         "{\"key\":\"up\",\"state\":\"on\",\"fallthrough\":{\"ramp\":{\"percent\":10,\"variant\":"
         "\"on\"}},\"rules\":[{\"name\":\"staff\",\"when\":\"staff\",\"serve\":" ON "}]}");
    set(200, "up", "test", "domains", "{\"acme.com\":" ON "}");
    does(428, "POST", FLAGS "/up/promote", "{\"from\":\"staging\"}");
    change(400, "POST", FLAGS "/up/promote", "{\"from\":\"test\"}");
    change(400, "POST", FLAGS "/up/promote", "{\"from\":\"nowhere\"}");
    change(400, "POST", FLAGS "/up/promote", "{\"from\":\"staging\",\"only\":[\"salt\"]}");
    change(400, "POST", FLAGS "/up/promote", "{\"from\":\"staging\",\"only\":[]}");
    change(412, "POST", FLAGS "/up/promote", "{\"from\":\"staging\",\"from_version\":7}");
    change(404, "POST", FLAGS "/none/promote", "{\"from\":\"staging\"}");
    answer = rig_call(rig, 200, "POST", FLAGS "/up/promote?dry_run=true", NULL, NULL,
                      "{\"from\":\"staging\",\"only\":[\"rules\"]}");
    snprintf(header, sizeof header, "If-Match: %s\r\n", wire_header(&rig->reply, "ETag"));
    assert_int_equal(json_count(json_get(answer, "difference")), 1);
    assert_says("\"at\":\"rules.staff\"");
    json_free(answer);
    is("up", "test", "rules", "null");
    json_free(rig_call(rig, 200, "POST", FLAGS "/up/promote", NULL, header,
                       "{\"from\":\"staging\",\"from_version\":1,\"only\":[\"rules\"]}"));
    is("up", "test", "state", "\"off\"");
    is("up", "test", "domains", "{\"acme.com\":" ON "}");
    json_free(
        rig_call(rig, 412, "POST", FLAGS "/up/promote", NULL, header, "{\"from\":\"staging\"}"));
    change(200, "POST", FLAGS "/up/promote", "{\"from\":\"staging\"}");
    is("up", "test", "state", "\"on\"");
    is("up", "test", "domains", "null");
    does(200, "GET", "/api/v1/audit?flag=up&limit=1", NULL);
    assert_says("flag.promote");
}

static void the_archive_gives_back(void **state)
{
    struct json *list;

    (void)state;
    does(201, "POST", FLAGS, "{\"key\":\"kept\",\"state\":\"on\",\"fallthrough\":" ON "}");
    does(409, "POST", FLAGS "/kept/restore", NULL);
    change(204, "DELETE", FLAGS "/kept?environment=staging", NULL);
    does(404, "GET", FLAGS "/kept", NULL);
    does(404, "GET", FLAGS "/kept?environment=copy", NULL);
    does(404, "POST", "/ofrep/v1/evaluate/flags/kept", "{}");
    list = rig_call(rig, 200, "GET", FLAGS "?archived=true", NULL, NULL, NULL);
    assert_says("\"key\":\"kept\"");
    assert_says("\"archived\":\"20");
    json_free(list);
    does(409, "POST", FLAGS, "{\"key\":\"kept\"}");
    assert_says("flags restore");
    does(404, "POST", FLAGS "/none/restore", NULL);
    does(428, "POST", FLAGS "/kept/restore", NULL);
    json_free(rig_call(rig, 412, "POST", FLAGS "/kept/restore", NULL, "If-Match: \"1\"\r\n", NULL));
    change(200, "POST", FLAGS "/kept/restore", NULL);
    is("kept", "test", "fallthrough", ON);
    is("kept", "copy", "state", "\"off\"");
    set(200, "kept", "copy", "state", "\"on\"");
}

static void what_has_done_its_work_is_listed(void **state)
{
    (void)state;
    does(201, "POST", FLAGS,
         "{\"key\":\"overdue\",\"expected_end\":\"2020-02-29\",\"owner\":\"ann\"}");
    does(201, "POST", FLAGS, "{\"key\":\"stays\",\"expected_end\":\"never\"}");
    does(201, "POST", FLAGS, "{\"key\":\"soon\",\"expected_end\":\"2999-01-01\"}");
    does(400, "GET", "/api/v1/stale?days=-1", NULL);
    does(400, "GET", "/api/v1/stale?days=", NULL);
    does(400, "GET", "/api/v1/stale?days=99999", NULL);
    does(200, "GET", "/api/v1/stale?days=1", NULL);
    assert_says(
        "{\"key\":\"overdue\",\"owner\":\"ann\",\"expected_end\":\"2020-02-29\",\"reasons\":[{"
        "\"why\":\"past-end\"");
    assert_null(strstr(rig->reply.body, "stays"));
    assert_null(strstr(rig->reply.body, "soon"));
    does(200, "GET", "/api/v1/stale?days=0&environment=staging", NULL);
    assert_says("{\"why\":\"settled\",\"days\":0,\"variant\":\"off\"}");
    assert_says("\"key\":\"soon\"");
    assert_null(strstr(rig->reply.body, "stays"));
    assert_null(strstr(rig->reply.body, "\"key\":\"up\"")); /* some get it there, some do not */
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
    does(201, "POST", FLAGS, "{\"key\":\"words\"}");
    flag = rig_call(rig, 200, "GET", path, NULL, NULL, NULL);
    assert_string_equal(wire_header(&rig->reply, "ETag"), "\"1\"");
    assert_null(json_get(flag, "state"));
    assert_true(json_count(json_get(flag, "environments")) == stores_of_test());
    set(200, "words", "staging", "state", "\"on\"");
    set(200, "words", "test", "domains", "{\"acme.com\":" ON "}");
    does(428, "PUT", path, "{" WORDS "}");
    json_free(rig_call(rig, 200, "PUT", path, NULL, "If-Match: \"1\"\r\n",
                       "{" WORDS ",\"description\":\"one\",\"state\":\"on\",\"rules\":[]}"));
    assert_string_equal(wire_header(&rig->reply, "ETag"), "\"2\"");
    is("words", "test", "state", "\"off\""); /* it is not said here */
    is("words", "test", "domains", "{\"acme.com\":" ON "}");
    is("words", "staging", "state", "\"on\"");
    is("words", "staging", "description", "\"one\"");
    other = get("words", "test");
    assert_true(json_equal(json_get(flag, "salt"), json_get(other, "salt")));
    json_free(flag);
    json_free(other);
    set(200, "words", "test", "state", "\"on\"");
    json_free(rig_call(rig, 200, "PUT", path, NULL, "If-Match: \"2\"\r\n",
                       "{" WORDS ",\"description\":\"two\",\"owner\":\"ann\"}"));
    set(200, "words", "test", "state", "\"off\"");
    json_free(rig_call(rig, 412, "PUT", path, NULL, "If-Match: \"2\"\r\n", "{" WORDS "}"));
    assert_says("\"difference\":[{\"at\":\"description\",\"was\":\"one\",\"now\":\"two\"},{\"at\":"
                "\"owner\",\"now\":\"ann\"}]");
    json_free(rig_call(rig, 412, "PUT", path, NULL, "If-Match: \"1\"\r\n", "{" WORDS "}"));
    assert_says("\"at\":\"description\",\"now\":\"two\"");
    change(409, "PUT", path, "{" WORDS ",\"salt\":\"another\"}");
    change(200, "PUT", FLAGS "/words/shared?reassign=true", "{" WORDS ",\"salt\":\"another\"}");
    change(409, "PUT", path,
           "{\"key\":\"words\",\"type\":\"string\",\"variants\":{\"on\":\"1\"},\"off_variant\":"
           "\"on\"}");
    change(400, "PUT", path, "{" WORDS ",\"owner\":7}");
    make_token("editor", "staging", editor);
    json_free(
        rig_call(rig, 403, "PUT", path, editor, "If-Match: *\r\n", "{" WORDS ",\"owner\":\"me\"}"));
    flag = rig_call(rig, 200, "GET", path, editor, NULL, NULL);
    assert_true(json_count(json_get(flag, "environments")) == 1); /* what it may see */
    json_free(flag);
    does(404, "GET", FLAGS "/none/shared", NULL);
}

static void an_environment_comes_and_goes(void **state)
{
    char server[100];
    struct json *before, *after;

    (void)state;
    does(201, "POST", ALL, "{\"name\":\"brief\"}");
    make_token("sdk-server", "brief", server);
    set(200, "search", "brief", "state", "\"on\"");
    before = rig_call(rig, 200, "GET", RULESET "?environment=brief", NULL, NULL, NULL);
    does(404, "PUT", ALL "/none", "{\"name\":\"x\"}");
    does(409, "PUT", ALL "/brief", "{\"name\":\"staging\"}");
    does(400, "PUT", ALL "/brief", "{\"name\":\"A B\"}");
    does(409, "PUT", ALL "/staging", "{\"name\":\"x\"}"); /* a migration is on its way there */
    assert_says("m-split");
    does(200, "PUT", ALL "/brief", "{\"name\":\"short\"}");
    does(404, "GET", FLAGS "?environment=brief", NULL);
    is("search", "short", "state", "\"on\"");
    after = rig_call(rig, 200, "GET", RULESET, server, NULL, NULL);
    assert_string_equal(json_get_text(after, "environment", ""), "short");
    json_free(after);
    does(409, "DELETE", ALL "/short", NULL); /* that was a client */
    assert_says("in use");
    does(409, "DELETE", ALL "/test", NULL);
    does(409, "DELETE", ALL "/staging", NULL);
    does(404, "DELETE", ALL "/none", NULL);
    /* one that comes again under an old name is taken by whoever knew the old one */
    does(201, "POST", ALL, "{\"name\":\"brief\"}");
    after = rig_call(rig, 200, "GET", FLAGS "?environment=brief", NULL, NULL, NULL);
    assert_true(json_number(json_get(after, "epoch"), 0) >
                json_number(json_get(before, "epoch"), 0));
    json_free(before);
    json_free(after);
    make_token("viewer", "brief", server);
    does(204, "DELETE", ALL "/brief", NULL);
    does(404, "GET", FLAGS "?environment=brief", NULL);
    json_free(rig_call(rig, 401, "GET", FLAGS, server, NULL, NULL));
    does(201, "POST", ALL, "{\"name\":\"brief\"}");
    is("search", "brief", "state", "\"off\"");
    does(204, "DELETE", ALL "/brief", NULL);
}

static void a_restart_keeps_environments(void **state)
{
    struct json *before = rig_call(rig, 200, "GET", ALL, NULL, NULL, NULL), *after;
    struct json *flags = rig_call(rig, 200, "GET", FLAGS "?environment=staging", NULL, NULL, NULL);

    (void)state;
    assert_int_equal(rig_stop(rig, SIGTERM), 0);
    rig_serve(rig, NULL);
    after = rig_call(rig, 200, "GET", ALL, NULL, NULL, NULL);
    assert_int_equal(json_count(json_get(before, "environments")),
                     json_count(json_get(after, "environments")));
    json_free(after);
    after = rig_call(rig, 200, "GET", FLAGS "?environment=staging", NULL, NULL, NULL);
    assert_true(json_equal(flags, after));
    json_free(before);
    json_free(flags);
    json_free(after);
}

/* ---- every route of change passes the proof ---- */

static void put_contracted(void)
{
    report(409, "test", "bound", "contracted");
}

static void put_flag(void)
{
    set(409, "bound", "test", "fallthrough", ON);
}

static void put_shared(void)
{
    change(409, "PUT", FLAGS "/bound/shared",
           "{\"key\":\"bound\",\"type\":\"boolean\",\"variants\":{\"on\":false,\"off\":true},"
           "\"off_variant\":\"off\"}");
}

static void archive(void)
{
    change(409, "DELETE", FLAGS "/bound", NULL);
}

static void promote(void)
{
    change(409, "POST", FLAGS "/bound/promote", "{\"from\":\"staging\"}");
}

static void drop_domain(void)
{
    change(409, "DELETE", FLAGS "/gone/domains/acme.com", NULL);
}

static void restore(void)
{
    change(409, "POST", FLAGS "/old/restore", NULL);
}

/* Refused when its time has come: the reply to look at is the list's. */
static void schedule(void)
{
    does(201, "POST", FLAGS "/bound/schedules",
         "{\"at\":\"2020-01-01\",\"change\":{\"fallthrough\":" ON "}}");
    for (int i = 0; i < 200; i++) {
        does(200, "GET", "/api/v1/schedules?flag=bound", NULL);
        if (strstr(rig->reply.body, "\"state\":\"pending\"") == NULL) {
            break;
        }
        clock_sleep_us(50000);
    }
    assert_says("\"state\":\"failed\"");
    assert_says("migration m-bound");
    put_flag();
}

static void put_segment(void)
{
    change(409, "PUT", "/api/v1/segments/known", "{\"key\":\"known\",\"when\":\"x == 1\"}");
}

static void make_layer(void)
{
    change(409, "POST", "/api/v1/layers", "{\"key\":\"new\",\"flags\":{\"gone\":[[0,50]]}}");
}

static void put_layer(void)
{
    change(409, "PUT", "/api/v1/layers/empty", "{\"key\":\"empty\",\"flags\":{\"gone\":[[0,50]]}}");
}

static const struct {
    const char *route;
    void (*probe)(void); /* tries what the schema does not bear: 409, naming the migration */
    const char *excuse;  /* or why it can change nothing that a tied flag answers */
} routes_of_change[] = {
    {"PUT " FLAGS "/{key}", put_flag, NULL},
    {"DELETE " FLAGS "/{key}", archive, NULL},
    {"PUT " FLAGS "/{key}/shared", put_shared, NULL},
    {"DELETE " FLAGS "/{key}/domains/{domain}", drop_domain, NULL},
    {"POST " FLAGS "/{key}/promote", promote, NULL},
    {"POST " FLAGS "/{key}/restore", restore, NULL},
    {"PUT /api/v1/migrations/{database_id}/{migration}", put_contracted, NULL},
    {"POST " FLAGS, NULL, "a new flag has no tie"},
    {"POST " ALL, NULL, "a new environment has no ties"},
    {"PUT " ALL "/{environment}", NULL, "changes a name; refused while a migration is there"},
    {"DELETE " ALL "/{environment}", NULL, "refused while a migration is there"},
    {"POST " FLAGS "/{key}/evaluate", NULL, "reads"},
    {"POST /ofrep/v1/evaluate/flags", NULL, "reads"},
    {"POST /ofrep/v1/evaluate/flags/{key}", NULL, "reads"},
    {"POST " FLAGS "/{key}/schedules", schedule, NULL},
    {"DELETE /api/v1/schedules/{id}", NULL, "changes no flag"},
    {"POST /api/v1/segments", NULL, "no flag asks for a new segment"},
    {"PUT /api/v1/segments/{key}", put_segment, NULL},
    {"DELETE /api/v1/segments/{key}", NULL, "refused while a flag asks for it"},
    {"POST /api/v1/layers", make_layer, NULL},
    {"PUT /api/v1/layers/{key}", put_layer, NULL},
    {"DELETE /api/v1/layers/{key}", NULL, "refused while a flag is in it"},
    {"POST /sdk/v1/usage", NULL, "notes what was asked for"},
    {"POST /api/v1/tokens", NULL, "tokens answer nothing"},
    {"DELETE /api/v1/tokens/{id}", NULL, "tokens answer nothing"},
    {"POST /api/v1/holds", NULL, "keeps the flag as it is"},
    {"DELETE /api/v1/holds/{database_id}/{migration}", NULL, "changes no flag"},
    {"DELETE /api/v1/migrations/{database_id}/{migration}", NULL, "ends a tie; its own tests"},
};

static void sql(const char *text)
{
    sqlite3 *db = NULL;
    char *message = NULL;

    assert_int_equal(sqlite3_open(rig->store + strlen("sqlite:"), &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", text, message);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A flag that must stay off, one that must stay on, and an archived one that somebody has touched. */
static void prepare_ties(void)
{
    does(201, "POST", FLAGS, "{\"key\":\"bound\",\"state\":\"on\"}");
    set(200, "bound", "staging", "state", "\"on\"");
    set(200, "bound", "staging", "fallthrough", ON);
    report(200, "test", "bound", "dual-writing");
    does(201, "POST", "/api/v1/segments", "{\"key\":\"known\",\"keys\":[\"ann\"]}");
    does(201, "POST", "/api/v1/layers", "{\"key\":\"empty\"}");
    does(201, "POST", FLAGS,
         "{\"key\":\"gone\",\"state\":\"on\",\"fallthrough\":" ON
         ",\"rules\":[{\"segment\":\"known\",\"serve\":" ON "}],\"domains\":{\"acme.com\":" ON
         ",\"*.acme.com\":" ON "}}");
    report(200, "test", "gone", "in-sync");
    report(200, "test", "gone", "contracted");
    does(201, "POST", FLAGS, "{\"key\":\"old\",\"state\":\"on\",\"fallthrough\":" ON "}");
    report(200, "test", "old", "in-sync");
    report(200, "test", "old", "contracted");
    report(200, "test", "old", "purged");
    change(204, "DELETE", FLAGS "/old", NULL);
    assert_int_equal(rig_stop(rig, SIGTERM), 0);
    sql("UPDATE flag_state SET document = json_set(document, '$.state', 'off') WHERE key = 'old'; "
        "UPDATE flag_state SET document = json_set(document, '$.domains', json('{\"acme.com\":" ON
        "}'), '$.fallthrough', json('" OFF "')) WHERE key = 'gone' AND environment = 'test'");
    rig_serve(rig, NULL);
}

static void every_route_of_change_is_proved(void **state)
{
    size_t seen = 0, count = sizeof routes_of_change / sizeof *routes_of_change;

    (void)state;
    prepare_ties();
    for (const struct route *route = routes; route->method != NULL; route++) {
        char name[200];
        size_t i = 0;

        if (strcmp(route->method, "GET") == 0 || strcmp(route->method, "OPTIONS") == 0) {
            continue;
        }
        snprintf(name, sizeof name, "%s %s", route->method, route->pattern);
        while (i < count && strcmp(routes_of_change[i].route, name) != 0) {
            i++;
        }
        if (i == count) {
            fail_msg("%s is new: show here that it cannot take a tied flag out of its range", name);
        }
        seen++;
        if (routes_of_change[i].probe != NULL) {
            routes_of_change[i].probe();
            assert_says("\"migration\":\"m-");
        }
    }
    assert_int_equal(seen, count);
    does(204, "DELETE", "/api/v1/migrations/db-test/m-old?environment=test", NULL);
    change(200, "POST", FLAGS "/old/restore", NULL); /* whoever forgets the tie may */
}

/* ---- which flags are asked for ---- */

static void unused(const char *keys)
{
    struct json *answer =
        rig_call(rig, 200, "GET", "/api/v1/stale?days=30&environment=test", NULL, NULL, NULL);
    char found[600] = "";

    for (const struct json *flag = json_first(json_get(answer, "flags")); flag != NULL;
         flag = json_next(flag)) {
        for (const struct json *reason = json_first(json_get(flag, "reasons")); reason != NULL;
             reason = json_next(reason)) {
            const char *key = json_get_text(flag, "key", "");

            if (strcmp(json_get_text(reason, "why", ""), "unused") == 0 &&
                strncmp(key, "asked-", 6) == 0) {
                assert_true(json_number(json_get(reason, "days"), 0) == 40);
                snprintf(found + strlen(found), sizeof found - strlen(found), "%s ", key);
            }
        }
    }
    assert_string_equal(found, keys);
    json_free(answer);
}

static void restart(void)
{
    assert_int_equal(rig_stop(rig, SIGTERM), 0);
    rig_serve(rig, NULL);
}

static void nobody_asks_for_some(void **state)
{
    static const char *const keys[] = {"asked-a", "asked-b", "asked-c", "asked-d", "asked-e"};
    char sdk[100], body[100];

    (void)state;
    make_token("sdk-server", "test", sdk);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        snprintf(body, sizeof body, "{\"key\":\"%s\"}", keys[i]);
        does(201, "POST", FLAGS, body);
    }
    assert_int_equal(rig_stop(rig, SIGTERM), 0);
    sql("UPDATE environment SET watched_ms = watched_ms - 40 * 86400000, all_used_ms = 0; "
        "UPDATE flag SET created_ms = created_ms - 40 * 86400000 WHERE key LIKE 'asked-%'; "
        "DELETE FROM flag_use");
    rig_serve(rig, NULL);
    unused("asked-a asked-b asked-c asked-d asked-e ");
    /* over OFREP, and by a client that says which it asks for; what it does not know is no matter */
    does(200, "POST", "/ofrep/v1/evaluate/flags/asked-b", "{}");
    does(400, "POST", "/sdk/v1/usage", "{\"flags\":\"asked-a\"}");
    json_free(rig_call(rig, 204, "POST", "/sdk/v1/usage", sdk, NULL,
                       "{\"flags\":[\"asked-d\",\"no-such-flag\",7]}"));
    json_free(rig_call(rig, 200, "GET", RULESET, sdk,
                       "X-Lockstep-Client: c\r\nX-Lockstep-Usage: 1\r\n", NULL));
    set(200, "asked-c", "test", "description", "\"another ruleset, the same marks\"");
    set(200, "asked-c", "test", "state", "\"on\"");
    restart();
    unused("asked-a asked-c asked-e ");
    /* in another environment nobody has asked */
    json_free(rig_call(rig, 200, "GET", "/api/v1/stale?environment=copy", NULL, NULL, NULL));
    assert_says("asked-d");
    /* one that does not say, and whoever gets all answers at once, may ask for any */
    json_free(rig_call(rig, 200, "GET", RULESET, sdk, "X-Lockstep-Client: old\r\n", NULL));
    restart();
    unused("");
    assert_int_equal(rig_stop(rig, SIGTERM), 0);
    sql("UPDATE environment SET all_used_ms = 0");
    rig_serve(rig, NULL);
    unused("asked-a asked-c asked-e ");
    does(200, "POST", "/ofrep/v1/evaluate/flags", "{}");
    restart();
    unused("");
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
        cmocka_unit_test(the_archive_gives_back),
        cmocka_unit_test(what_has_done_its_work_is_listed),
        cmocka_unit_test(what_is_shared_has_a_version),
        cmocka_unit_test(an_environment_comes_and_goes),
        cmocka_unit_test(a_restart_keeps_environments),
        cmocka_unit_test(every_route_of_change_is_proved),
        cmocka_unit_test(nobody_asks_for_some),
    };

    rig = of;
    return cmocka_run_group_tests_name("api: environments", tests, NULL, NULL);
}
