/*
 * The server's small parts: routes, entity tags, clients.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/answer.h"
#include "server/clients.h"
#include "server/route.h"
#include "server/tokens.h"

static void routes_are_found(void **state)
{
    static const struct {
        const char *method, *path, *pattern, *first, *second, *allow;
    } cases[] = {
        {"GET", "/api/v1/flags", "/api/v1/flags", NULL, NULL, ""},
        {"HEAD", "/api/v1/flags", "/api/v1/flags", NULL, NULL, ""},
        {"GET", "/api/v1/flags/a.b", "/api/v1/flags/{key}", "a.b", NULL, ""},
        {"POST", "/api/v1/flags/a/evaluate", "/api/v1/flags/{key}/evaluate", "a", NULL, ""},
        {"PUT", "/api/v1/migrations/d/m", "/api/v1/migrations/{database_id}/{migration}", "d", "m",
         ""},
        {"PUT", "/api/v1/migrations/d", NULL, NULL, NULL, ""},
        {"PUT", "/api/v1/migrations//m", NULL, NULL, NULL, ""},
        {"GET", "/api/v1/flags/", NULL, NULL, NULL, ""},
        {"get", "/api/v1/flags", NULL, NULL, NULL, "GET, POST"},
        {"DELETE", "/api/v1/flags/x/evaluate", NULL, NULL, NULL, "POST"},
        {"GET", "", NULL, NULL, NULL, ""},
        {"GET", "*", NULL, NULL, NULL, ""},
        {"OPTIONS", "/ofrep/v1/evaluate/flags/x", "/ofrep/v1/evaluate/flags/{key}", "x", NULL, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char scratch[100], allow[64];
        const char *params[2] = {NULL, NULL};
        const struct route *route =
            route_find(cases[i].method, cases[i].path, scratch, params, allow, sizeof allow);

        if (cases[i].pattern == NULL) {
            assert_null(route);
            assert_string_equal(allow, cases[i].allow);
            continue;
        }
        assert_non_null(route);
        assert_string_equal(route->pattern, cases[i].pattern);
        if (cases[i].first != NULL) {
            assert_string_equal(params[0], cases[i].first);
        }
        if (cases[i].second != NULL) {
            assert_string_equal(params[1], cases[i].second);
        }
    }
}

/* Only what says nothing about anybody is open. */
static void routes_without_a_token_are_few(void **state)
{
    size_t open = 0;

    (void)state;
    for (const struct route *route = routes; route->method != NULL; route++) {
        bool expected = strcmp(route->method, "OPTIONS") == 0 ||
                        strcmp(route->pattern, "/healthz") == 0 ||
                        strcmp(route->pattern, "/readyz") == 0;

        assert_int_equal(route->roles == 0, expected);
        open += expected;
        assert_true(expected || (route->roles & ROLE_ADMIN));
    }
    assert_int_equal(open, 4);
}

/* Every route with the roles that may, as docs/flag-server.md tells them: a slip in the table would
 * be an open door. */
static void each_route_is_for_its_roles(void **state)
{
    enum {
        EVALUATE = ROLE_ADMIN | ROLE_SDK_SERVER | ROLE_SDK_CLIENT,
        READ = ROLE_ADMIN | ROLE_VIEWER | ROLE_EDITOR | ROLE_PIPELINE,
        CHANGE = ROLE_ADMIN | ROLE_EDITOR,
        SCHEMA = ROLE_ADMIN | ROLE_PIPELINE
    };
    static const struct {
        const char *request;
        unsigned roles;
    } expected[] = {
        {"GET /healthz", 0},
        {"GET /readyz", 0},
        {"POST /ofrep/v1/evaluate/flags", EVALUATE},
        {"OPTIONS /ofrep/v1/evaluate/flags", 0},
        {"POST /ofrep/v1/evaluate/flags/{key}", EVALUATE},
        {"OPTIONS /ofrep/v1/evaluate/flags/{key}", 0},
        {"GET /sdk/v1/ruleset", ROLE_ADMIN | ROLE_SDK_SERVER},
        {"POST /sdk/v1/usage", ROLE_ADMIN | ROLE_SDK_SERVER},
        {"GET /sdk/v1/domains/{hash}", READ | ROLE_SDK_SERVER},
        {"GET /api/v1/flags", READ},
        {"POST /api/v1/flags", CHANGE},
        {"GET /api/v1/flags/{key}", READ},
        {"PUT /api/v1/flags/{key}", CHANGE},
        {"DELETE /api/v1/flags/{key}", CHANGE},
        {"PUT /api/v1/flags/{key}/domains/{domain}", CHANGE},
        {"DELETE /api/v1/flags/{key}/domains/{domain}", CHANGE},
        {"GET /api/v1/flags/{key}/shared", READ},
        {"PUT /api/v1/flags/{key}/shared", CHANGE},
        {"PUT /api/v1/domains/{hash}", CHANGE},
        {"POST /api/v1/flags/{key}/restore", CHANGE},
        {"POST /api/v1/flags/{key}/evaluate", READ},
        {"POST /api/v1/flags/{key}/promote", CHANGE},
        {"GET /api/v1/stale", READ},
        {"GET /api/v1/environments", READ},
        {"POST /api/v1/environments", ROLE_ADMIN},
        {"PUT /api/v1/environments/{environment}", ROLE_ADMIN},
        {"DELETE /api/v1/environments/{environment}", ROLE_ADMIN},
        {"POST /api/v1/flags/{key}/schedules", CHANGE},
        {"GET /api/v1/schedules", READ},
        {"DELETE /api/v1/schedules/{id}", CHANGE},
        {"GET /api/v1/segments", READ},
        {"POST /api/v1/segments", CHANGE},
        {"GET /api/v1/segments/{key}", READ},
        {"PUT /api/v1/segments/{key}", CHANGE},
        {"DELETE /api/v1/segments/{key}", CHANGE},
        {"GET /api/v1/layers", READ},
        {"POST /api/v1/layers", CHANGE},
        {"GET /api/v1/layers/{key}", READ},
        {"PUT /api/v1/layers/{key}", CHANGE},
        {"DELETE /api/v1/layers/{key}", CHANGE},
        {"GET /api/v1/audit", READ},
        {"GET /api/v1/clients", READ},
        {"GET /api/v1/tokens", ROLE_ADMIN},
        {"POST /api/v1/tokens", ROLE_ADMIN},
        {"DELETE /api/v1/tokens/{id}", ROLE_ADMIN},
        {"GET /api/v1/migrations", READ},
        {"PUT /api/v1/migrations/{database_id}/{migration}", SCHEMA},
        {"DELETE /api/v1/migrations/{database_id}/{migration}", SCHEMA},
        {"GET /api/v1/gate", SCHEMA},
        {"POST /api/v1/holds", SCHEMA},
        {"DELETE /api/v1/holds/{database_id}/{migration}", SCHEMA},
    };
    size_t count = 0;

    (void)state;
    for (const struct route *route = routes; route->method != NULL; route++) {
        char request[200];
        size_t i = 0;

        snprintf(request, sizeof request, "%s %s", route->method, route->pattern);
        while (i < sizeof expected / sizeof expected[0] &&
               strcmp(expected[i].request, request) != 0) {
            i++;
        }
        if (i == sizeof expected / sizeof expected[0] || expected[i].roles != route->roles) {
            fail_msg("%s is for other roles than this test says", request);
        }
        count++;
    }
    assert_int_equal(count, sizeof expected / sizeof expected[0]);
}

static void tags_match_in_every_form(void **state)
{
    static const struct {
        const char *header;
        bool matches;
    } cases[] = {
        {NULL, false},           {"", false},         {"\"1-2\"", true},    {"1-2", true},
        {"W/\"1-2\"", true},     {"*", true},         {"\"x\", 1-2", true}, {"\"x\",\"1-2\"", true},
        {" \t\"1-2\" ", true},   {"\"1-22\"", false}, {"\"1-\"", false},    {"\"1-2", true},
        {"\"\"", false},         {",,,", false},      {"\"", false},        {"W/", false},
        {"\"a\" , W/1-2", true}, {"\"*\"", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (answer_tag_matches(cases[i].header, "1-2") != cases[i].matches) {
            fail_msg("%s", cases[i].header != NULL ? cases[i].header : "(none)");
        }
    }
}

static void roles_have_names(void **state)
{
    static const enum role all[] = {ROLE_ADMIN,  ROLE_SDK_SERVER, ROLE_SDK_CLIENT,
                                    ROLE_VIEWER, ROLE_EDITOR,     ROLE_PIPELINE};
    enum role found;

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        assert_true(role_of(role_name(all[i]), &found));
        assert_int_equal(found, all[i]);
        assert_non_null(strstr(ROLE_NAMES, role_name(all[i])));
    }
    assert_false(role_of("Admin", &found));
    assert_string_equal(role_name((enum role)0), "nobody");
}

static struct client client_named(int number)
{
    struct client client = {.epoch = 1, .revision = number, .lease = number % 2 == 0};

    snprintf(client.name, sizeof client.name, "c%d", number);
    snprintf(client.instance, sizeof client.instance, "i");
    return client;
}

static size_t count_in(struct json *json, const char *member)
{
    size_t count = json_count(json_get(json, member));

    json_free(json);
    return count;
}

/* With a lease of 5 min a client may answer for an hour after its last word. */
static void silent_clients_are_waited_for_while_they_may_answer(void **state)
{
    static const struct {
        int64_t epoch, revision, silent_s;
        bool behind;
    } cases[] = {
        {1, 7, 0, false},  {1, 8, 0, false},    {1, 6, 0, true},     {2, 9, 0, true},
        {0, 0, 0, true},   {1, 6, 301, true},   {1, 6, 3600, true},  {1, 6, 3630, true},
        {1, 7, 60, false}, {1, 6, 3631, false}, {1, 7, 3631, false},
    };
    struct lease_terms terms = lease_terms_of(300), shortest = lease_terms_of(1);
    struct client client = client_named(1);

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        client.epoch = cases[i].epoch;
        client.revision = cases[i].revision;
        assert_int_equal(client_is_behind(&client, 1, 7, &terms, cases[i].silent_s * 1000000),
                         cases[i].behind);
    }
    client.revision = 6;
    assert_true(client_is_behind(&client, 1, 7, &shortest, CLIENT_WINDOW_MIN_S * 1000000));
    assert_false(client_is_behind(&client, 1, 7, &shortest, CLIENT_WINDOW_MIN_S * 1000000 + 1));
    client.kind = CLIENT_OFREP; /* is counted elsewhere: it never confirms */
    assert_false(client_is_behind(&client, 1, 7, &terms, 0));
}

static void a_crowd_of_clients_has_a_bound(void **state)
{
    struct clients *clients = clients_new();
    struct json *facts = json_object();
    struct client first = client_named(1);

    (void)state;
    for (int i = 1; i <= CLIENTS_MAX; i++) {
        struct client client = client_named(i);

        assert_true(clients_seen(clients, &client)); /* new: to be recorded */
    }
    assert_int_equal(count_in(clients_json(clients), "clients"), CLIENTS_MAX);
    clients_facts(clients, "f", 1, 5001, 300, facts);
    assert_int_equal(json_number(json_get(facts, "clients"), 0), CLIENTS_MAX);
    assert_int_equal(json_count(json_get(facts, "clients_behind")), 5000);
    assert_int_equal(json_count(json_get(facts, "clients_without_lease")), CLIENTS_MAX / 2);
    json_free(facts);
    clients_recorded(clients, &first);
    assert_false(clients_seen(clients, &first));
    {
        struct client more = client_named(CLIENTS_MAX + 1);

        assert_true(clients_seen(clients, &more));
    }
    assert_int_equal(count_in(clients_json(clients), "clients"), CLIENTS_MAX);
    assert_false(clients_seen(clients, &first)); /* seen lately, so another one made room */
    clients_free(clients);
}

static void who_cannot_evaluate_a_flag_is_not_ready(void **state)
{
    static const struct {
        const char *cannot;
        bool ready;
    } cases[] = {{"", true},   {"f", false},   {"g", true},    {"g,f", false},
                 {"ff", true}, {"f,g", false}, {"g,*", false}, {"*", false}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct clients *clients = clients_new();
        struct client client = {.epoch = 1, .revision = 9, .lease = true, .name = "logger"};
        struct json *facts = json_object();

        snprintf(client.cannot, sizeof client.cannot, "%s", cases[i].cannot);
        assert_true(clients_seen(clients, &client));
        clients_facts(clients, "f", 1, 9, 300, facts);
        assert_int_equal(json_count(json_get(facts, "clients_behind")), !cases[i].ready);
        json_free(facts);
        clients_free(clients);
    }
}

static void a_store_that_hangs_is_left_alone_for_a_while(void **state)
{
    struct clients *clients = clients_new();
    struct client one = client_named(1), two = client_named(2);

    (void)state;
    assert_true(clients_seen(clients, &one));
    clients_not_recorded(clients);
    assert_false(clients_seen(clients, &one));
    assert_false(clients_seen(clients, &two));
    clients_free(clients);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routes_are_found),
        cmocka_unit_test(routes_without_a_token_are_few),
        cmocka_unit_test(tags_match_in_every_form),
        cmocka_unit_test(each_route_is_for_its_roles),
        cmocka_unit_test(roles_have_names),
        cmocka_unit_test(silent_clients_are_waited_for_while_they_may_answer),
        cmocka_unit_test(a_crowd_of_clients_has_a_bound),
        cmocka_unit_test(who_cannot_evaluate_a_flag_is_not_ready),
        cmocka_unit_test(a_store_that_hangs_is_left_alone_for_a_while),
    };

    return cmocka_run_group_tests_name("parts", tests, NULL, NULL);
}
