#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "server/route.h"
#include "tests/server/api_changes.h"
#include "tests/server/env_calls.h"

/* ---- every route of change passes the proof ---- */

static void put_contracted(void)
{
    env_report(409, "test", "bound", "contracted");
}

static void put_flag(void)
{
    env_set(409, "bound", "test", "fallthrough", ON);
}

static void put_shared(void)
{
    env_change(409, "PUT", FLAGS "/bound/shared",
               "{\"key\":\"bound\",\"type\":\"boolean\",\"variants\":{\"on\":false,\"off\":true},"
               "\"off_variant\":\"off\"}");
}

static void archive(void)
{
    env_change(409, "DELETE", FLAGS "/bound", NULL);
}

static void promote(void)
{
    env_change(409, "POST", FLAGS "/bound/promote", "{\"from\":\"staging\"}");
}

static void drop_domain(void)
{
    env_change(409, "DELETE", FLAGS "/gone/domains/acme.com", NULL);
}

static void put_domain(void)
{
    env_change(409, "PUT", FLAGS "/bound/domains/acme.com", ON);
}

static void restore(void)
{
    env_change(409, "POST", FLAGS "/old/restore", NULL);
}

/* Refused when its time has come: the reply to look at is the list's. */
static void schedule(void)
{
    env_does(201, "POST", FLAGS "/bound/schedules",
             "{\"at\":\"2020-01-01\",\"change\":{\"fallthrough\":" ON "}}");
    for (int i = 0; i < 200; i++) {
        env_does(200, "GET", "/api/v1/schedules?flag=bound", NULL);
        if (strstr(env_rig->reply.body, "\"state\":\"pending\"") == NULL) {
            break;
        }
        clock_sleep_us(50000);
    }
    env_says("\"state\":\"failed\"");
    env_says("migration m-bound");
    put_flag();
}

static void put_segment(void)
{
    env_change(409, "PUT", "/api/v1/segments/known", "{\"key\":\"known\",\"when\":\"x == 1\"}");
}

static void make_layer(void)
{
    env_change(409, "POST", "/api/v1/layers", "{\"key\":\"new\",\"flags\":{\"gone\":[[0,50]]}}");
}

static void put_layer(void)
{
    env_change(409, "PUT", "/api/v1/layers/empty",
               "{\"key\":\"empty\",\"flags\":{\"gone\":[[0,50]]}}");
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
    {"PUT " FLAGS "/{key}/domains/{domain}", put_domain, NULL},
    {"PUT /api/v1/domains/{hash}", NULL, "changes nothing until a flag's document names it"},
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

/* A flag that must stay off, one that must stay on, and an archived one that somebody has touched. */
static void prepare_ties(void)
{
    env_does(201, "POST", FLAGS, "{\"key\":\"bound\",\"state\":\"on\"}");
    env_set(200, "bound", "staging", "state", "\"on\"");
    env_set(200, "bound", "staging", "fallthrough", ON);
    env_report(200, "test", "bound", "dual-writing");
    env_does(201, "POST", "/api/v1/segments", "{\"key\":\"known\",\"keys\":[\"ann\"]}");
    env_does(201, "POST", "/api/v1/layers", "{\"key\":\"empty\"}");
    env_does(201, "POST", FLAGS,
             "{\"key\":\"gone\",\"state\":\"on\",\"fallthrough\":" ON
             ",\"rules\":[{\"segment\":\"known\",\"serve\":" ON "}],\"domains\":{\"acme.com\":" ON
             ",\"*.acme.com\":" ON "}}");
    env_report(200, "test", "gone", "in-sync");
    env_report(200, "test", "gone", "contracted");
    env_does(201, "POST", FLAGS, "{\"key\":\"old\",\"state\":\"on\",\"fallthrough\":" ON "}");
    env_report(200, "test", "old", "in-sync");
    env_report(200, "test", "old", "contracted");
    env_report(200, "test", "old", "purged");
    env_change(204, "DELETE", FLAGS "/old", NULL);
    assert_int_equal(rig_stop(env_rig, SIGTERM), 0);
    env_sql(
        "UPDATE flag_state SET document = json_set(document, '$.state', 'off') WHERE key = 'old'; "
        "UPDATE flag_state SET document = json_set(document, '$.domains', json('{\"acme.com\":" ON
        "}'), '$.fallthrough', json('" OFF "')) WHERE key = 'gone' AND environment = 'test'");
    rig_serve(env_rig, NULL);
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
            env_says("\"migration\":\"m-");
        }
    }
    assert_int_equal(seen, count);
    env_does(204, "DELETE", "/api/v1/migrations/db-test/m-old?environment=test", NULL);
    env_change(200, "POST", FLAGS "/old/restore", NULL); /* whoever forgets the tie may */
}

/* ---- all at once ---- */

/* What everybody asks while environments come and go: never an answer of another environment, never none. */
static int ask_without_end(unsigned port, const char *staging, const char *test)
{
    static struct wire_reply reply;
    char request[400];

    for (int i = 0;; i++) {
        bool of_staging = i % 2 == 0;

        snprintf(request, sizeof request,
                 "POST /ofrep/v1/evaluate/flags/crowd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                 "Authorization: Bearer %s\r\nContent-Length: 2\r\n\r\n{}",
                 of_staging ? staging : test);
        wire_ask(port, request, &reply);
        if (reply.status != 200 ||
            strstr(reply.body, of_staging ? "\"variant\":\"on\"" : "\"variant\":\"off\"") == NULL) {
            fprintf(stderr, "%s: %d %s\n", of_staging ? "staging" : "test", reply.status,
                    reply.body);
            return 1;
        }
    }
}

static void environments_change_under_load(void **state)
{
    char staging[100], test[100];
    pid_t children[2];
    int status;

    (void)state;
    env_make_token("sdk-client", "staging", staging);
    env_make_token("sdk-client", "test", test);
    env_does(201, "POST", FLAGS, "{\"key\":\"crowd\",\"fallthrough\":" ON "}");
    env_set(200, "crowd", "staging", "fallthrough", ON);
    env_set(200, "crowd", "staging", "state", "\"on\"");
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            _exit(ask_without_end(env_rig->port, staging, test));
        }
    }
    for (int i = 0; i < 15; i++) {
        char words[40];

        env_does(201, "POST", ALL, "{\"name\":\"passing\",\"from\":\"staging\"}");
        snprintf(words, sizeof words, "\"change %d\"", i);
        env_set(200, "crowd", "passing", "description", words);
        env_set(200, "crowd", i % 2 == 0 ? "test" : "staging", "owner", words);
        env_does(200, "PUT", ALL "/passing", "{\"name\":\"passed\"}");
        env_does(204, "DELETE", ALL "/passed", NULL);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(waitpid(children[i], &status, WNOHANG), 0); /* none has complained */
        assert_int_equal(kill(children[i], SIGKILL), 0);
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
    }
}

/* ---- which flags are asked for ---- */

static void unused(const char *keys)
{
    struct json *answer =
        rig_call(env_rig, 200, "GET", "/api/v1/stale?days=30&environment=test", NULL, NULL, NULL);
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

static void nobody_asks_for_some(void **state)
{
    static const char *const keys[] = {"asked-a", "asked-b", "asked-c", "asked-d", "asked-e"};
    char sdk[100], body[100];

    (void)state;
    env_make_token("sdk-server", "test", sdk);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        snprintf(body, sizeof body, "{\"key\":\"%s\"}", keys[i]);
        env_does(201, "POST", FLAGS, body);
    }
    assert_int_equal(rig_stop(env_rig, SIGTERM), 0);
    env_sql("UPDATE environment SET watched_ms = watched_ms - 40 * 86400000, all_used_ms = 0; "
            "UPDATE flag SET created_ms = created_ms - 40 * 86400000 WHERE key LIKE 'asked-%'; "
            "DELETE FROM flag_use");
    rig_serve(env_rig, NULL);
    unused("asked-a asked-b asked-c asked-d asked-e ");
    /* over OFREP, and by a client that says which it asks for; what it does not know is no matter */
    env_does(200, "POST", "/ofrep/v1/evaluate/flags/asked-b", "{}");
    env_does(400, "POST", "/sdk/v1/usage", "{\"flags\":\"asked-a\"}");
    json_free(rig_call(env_rig, 204, "POST", "/sdk/v1/usage", sdk, NULL,
                       "{\"flags\":[\"asked-d\",\"no-such-flag\",7]}"));
    json_free(rig_call(env_rig, 200, "GET", RULESET, sdk,
                       "X-Lockstep-Client: c\r\nX-Lockstep-Usage: 1\r\n", NULL));
    env_set(200, "asked-c", "test", "description", "\"another ruleset, the same marks\"");
    env_set(200, "asked-c", "test", "state", "\"on\"");
    env_restart();
    unused("asked-a asked-c asked-e ");
    /* in another environment nobody has asked */
    json_free(rig_call(env_rig, 200, "GET", "/api/v1/stale?environment=copy", NULL, NULL, NULL));
    env_says("asked-d");
    /* one that does not say, and whoever gets all answers at once, may ask for any */
    json_free(rig_call(env_rig, 200, "GET", RULESET, sdk, "X-Lockstep-Client: old\r\n", NULL));
    env_restart();
    unused("");
    assert_int_equal(rig_stop(env_rig, SIGTERM), 0);
    env_sql("UPDATE environment SET all_used_ms = 0");
    rig_serve(env_rig, NULL);
    unused("asked-a asked-c asked-e ");
    env_does(200, "POST", "/ofrep/v1/evaluate/flags", "{}");
    env_restart();
    unused("");
}

int api_changes_tests(struct rig *of)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_of_change_is_proved),
        cmocka_unit_test(environments_change_under_load),
        cmocka_unit_test(nobody_asks_for_some),
    };

    env_rig = of;
    return cmocka_run_group_tests_name("api: changes", tests, NULL, NULL);
}
