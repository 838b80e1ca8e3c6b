/*
 * The flag server as its clients see it: a real process, every route, every reply checked against
 * docs/openapi.json. A route that nothing here asks for fails the last test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ctype.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "server/route.h"
#include "tests/server/api_changes.h"
#include "tests/server/api_domains.h"
#include "tests/server/api_environments.h"
#include "tests/server/api_pieces.h"
#include "tests/server/api_schema.h"
#include "tests/server/rig.h"

static struct rig rig;

static int start(void **state)
{
    (void)state;
    rig_init(&rig);
    rig_serve(&rig, NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_fini(&rig);
    return 0;
}

#define FLAGS "/api/v1/flags"
#define OFREP "/ofrep/v1/evaluate/flags"
#define RULESET "/sdk/v1/ruleset"

static void create(const char *key, const char *members)
{
    char body[1000];

    snprintf(body, sizeof body, "{\"key\":\"%s\"%s%s}", key, members[0] != '\0' ? "," : "",
             members);
    rig_does(&rig, 201, "POST", FLAGS, body);
}

static double number_of(struct json *json, const char *name)
{
    double number = json_number(json_get(json, name), -1);

    json_free(json);
    return number;
}

static double revision_now(void)
{
    return number_of(rig_call(&rig, 200, "GET", FLAGS, NULL, NULL, NULL), "revision");
}

/* The text member of the last problem. */
static const char *detail(void)
{
    static char text[1000];
    struct json *problem = NULL;

    text[0] = '\0';
    if (json_parse(rig.reply.body, rig.reply.body_len, &problem, NULL) == ERR_OK) {
        snprintf(text, sizeof text, "%s", json_get_text(problem, "detail", ""));
        json_free(problem);
    }
    return text;
}

static void assert_detail(const char *part)
{
    if (strstr(detail(), part) == NULL) {
        fail_msg("\"%s\" is not in: %s", part, rig.reply.body);
    }
}

/* ---- health, paths, tokens ---- */

static void it_says_how_it_is(void **state)
{
    (void)state;
    json_free(rig_call(&rig, 200, "GET", "/healthz", "", NULL, NULL));
    json_free(rig_call(&rig, 200, "GET", "/readyz", "", NULL, NULL));
}

static void what_is_nowhere_is_said(void **state)
{
    static const char *const nowhere[] = {
        "/",         "/api",      "/api/v1/flags/", "/api/v1/flags/a/b",
        "/healthz/", "//healthz", "/healthz%00",    "/API/v1/flags"};

    (void)state;
    for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
        rig_does(&rig, 404, "GET", nowhere[i], NULL);
    }
    rig_does(&rig, 405, "PATCH", FLAGS, NULL);
    assert_string_equal(wire_header(&rig.reply, "Allow"), "GET, POST");
    rig_does(&rig, 405, "POST", "/healthz", "{}");
    assert_string_equal(wire_header(&rig.reply, "Allow"), "GET");
    rig_does(&rig, 405, "GET", OFREP, NULL);
    assert_string_equal(wire_header(&rig.reply, "Allow"), "POST, OPTIONS");
}

static void a_token_is_needed(void **state)
{
    char almost[140];

    (void)state;
    json_free(rig_call(&rig, 401, "GET", FLAGS, "", NULL, NULL));
    assert_string_equal(wire_header(&rig.reply, "WWW-Authenticate"), "Bearer");
    snprintf(almost, sizeof almost, "%s", rig.token);
    almost[strlen(almost) - 1] = almost[strlen(almost) - 1] == '0' ? '1' : '0';
    json_free(rig_call(&rig, 401, "GET", FLAGS, almost, NULL, NULL));
    assert_null(strstr(rig.reply.body, almost)); /* a secret is never repeated */
    json_free(rig_call(&rig, 401, "GET", FLAGS, "", "Authorization: Basic YTpi\r\n", NULL));
    snprintf(almost, sizeof almost, "X-API-Key: %s\r\n", rig.token);
    json_free(rig_call(&rig, 200, "GET", FLAGS, "", almost, NULL));
}

static void make_token(const char *role, char token[100], char id[40])
{
    char body[100];
    struct json *made;

    snprintf(body, sizeof body, "{\"role\":\"%s\",\"name\":\"a %s\"}", role, role);
    made = rig_call(&rig, 201, "POST", "/api/v1/tokens", NULL, NULL, body);
    snprintf(token, 100, "%s", json_get_text(made, "token", ""));
    snprintf(id, 40, "%s", json_get_text(made, "id", ""));
    json_free(made);
}

/* Rows: roles; columns: which of these requests each may send. */
static void each_role_may_what_it_may(void **state)
{
    static const struct {
        const char *method, *path, *body;
        int status; /* for who may */
    } requests[] = {
        {"POST", OFREP "/none", "{}", 404},
        {"GET", RULESET, NULL, 200},
        {"GET", FLAGS, NULL, 200},
        {"POST", FLAGS, "{\"key\":\"-\"}", 400},
        {"GET", "/api/v1/gate", NULL, 400},
        {"POST", "/api/v1/holds", "{}", 400},
        {"GET", "/api/v1/tokens", NULL, 200},
    };
    static const struct {
        const char *role, *may;
    } roles[] = {
        {"admin", "xxxxxxx"},  {"sdk-server", "xx....."}, {"sdk-client", "x......"},
        {"viewer", "..x...."}, {"editor", "..xx..."},     {"pipeline", "..x.xx."},
    };

    (void)state;
    for (size_t r = 0; r < sizeof roles / sizeof roles[0]; r++) {
        char token[100], id[40], path[100];

        make_token(roles[r].role, token, id);
        for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
            json_free(rig_call(&rig, roles[r].may[i] == 'x' ? requests[i].status : 403,
                               requests[i].method, requests[i].path, token, NULL,
                               requests[i].body));
        }
        snprintf(path, sizeof path, "/api/v1/tokens/%s", id);
        if (roles[r].may[6] == 'x') {
            json_free(rig_call(&rig, 409, "DELETE", path, token, NULL, NULL));
        }
        rig_does(&rig, 204, "DELETE", path, NULL);
        rig_does(&rig, 404, "DELETE", path, NULL);
        json_free(rig_call(&rig, 401, requests[0].method, requests[0].path, token, NULL, "{}"));
    }
    rig_does(&rig, 400, "POST", "/api/v1/tokens", "{\"role\":\"root\",\"name\":\"x\"}");
    rig_does(&rig, 400, "POST", "/api/v1/tokens", "{\"role\":\"admin\",\"name\":\"\"}");
}

static void a_token_made_beside_the_server_is_known(void **state)
{
    char said[500];

    (void)state;
    assert_int_equal(rig_run(said, sizeof said, "flag-server", "token", "--store", rig.store,
                             "--role", "viewer", "--name", "beside", NULL),
                     0);
    said[strcspn(said, "\n")] = '\0';
    clock_sleep_us(1100000);
    json_free(rig_call(&rig, 200, "GET", FLAGS, said, NULL, NULL));
}

/* ---- flags ---- */

static void a_flag_lives(void **state)
{
    struct json *flag;

    (void)state;
    create("life", "\"description\":\"d\",\"tags\":[\"a\"]");
    assert_string_equal(wire_header(&rig.reply, "ETag"), "\"1\"");
    flag = rig_call(&rig, 200, "GET", FLAGS "/life", NULL, NULL, NULL);
    assert_string_equal(json_get_text(flag, "state", ""), "off");
    assert_int_equal(json_number(json_get(flag, "version"), 0), 1);
    json_free(flag);
    rig_set(&rig, 200, "life", "state", "\"on\"");
    assert_string_equal(wire_header(&rig.reply, "ETag"), "\"2\"");
    rig_set(&rig, 200, "life", "state", "\"on\""); /* nothing new: the same version */
    assert_string_equal(wire_header(&rig.reply, "ETag"), "\"2\"");
    json_free(rig_call(&rig, 412, "DELETE", FLAGS "/life", NULL, "If-Match: \"1\"\r\n", NULL));
    json_free(rig_call(&rig, 428, "DELETE", FLAGS "/life", NULL, NULL, NULL));
    json_free(rig_call(&rig, 204, "DELETE", FLAGS "/life", NULL, "If-Match: \"2\"\r\n", NULL));
    rig_does(&rig, 404, "GET", FLAGS "/life", NULL);
    assert_detail("archived");
    json_free(rig_call(&rig, 404, "DELETE", FLAGS "/life", NULL, "If-Match: \"3\"\r\n", NULL));
    rig_does(&rig, 404, "POST", OFREP "/life", "{}");
    rig_does(&rig, 409, "POST", FLAGS, "{\"key\":\"life\"}");
}

static void a_change_names_its_version(void **state)
{
    static const char whole[] =
        "{\"key\":\"versions\",\"type\":\"boolean\",\"state\":\"on\",\"variants\":{\"on\":true,"
        "\"off\":false},\"off_variant\":\"off\",\"fallthrough\":{\"variant\":\"on\"}}";
    const char *path = FLAGS "/versions";

    (void)state;
    create("versions", "");
    json_free(rig_call(&rig, 428, "PUT", path, NULL, NULL, whole));
    json_free(rig_call(&rig, 412, "PUT", path, NULL, "If-Match: \"9\"\r\n", whole));
    assert_string_equal(wire_header(&rig.reply, "ETag"), "\"1\"");
    json_free(rig_call(&rig, 412, "PUT", path, NULL, "If-Match: \"11\"\r\n", whole));
    json_free(rig_call(&rig, 200, "PUT", path, NULL, "If-Match: W/\"7\", 1\r\n", whole));
    json_free(rig_call(&rig, 200, "PUT", path, NULL, "If-Match: *\r\n", whole));
    json_free(rig_call(&rig, 404, "PUT", FLAGS "/none", NULL, "If-Match: *\r\n", whole));
    json_free(rig_call(&rig, 400, "PUT", FLAGS "/versions", NULL, "If-Match: *\r\n",
                       "{\"key\":\"other\"}"));
    rig_does(&rig, 409, "POST", FLAGS, "{\"key\":\"versions\"}");
    /* Whoever comes too late is told what others did meanwhile, and only that. */
    rig_set(&rig, 200, "versions", "domains", "{\"a.com\":{\"variant\":\"on\"}}");
    rig_set(&rig, 200, "versions", "description", "\"words\"");
    json_free(rig_call(&rig, 412, "PUT", path, NULL, "If-Match: \"2\"\r\n", whole));
    assert_detail("has version \"4\" by now: first changed domains.a.com, description; read");
    assert_non_null(strstr(rig.reply.body,
                           "\"difference\":[{\"at\":\"domains.a.com\",\"now\":{\"variant\":"
                           "\"on\"}},{\"at\":\"description\",\"now\":\"words\"}]"));
    json_free(rig_call(&rig, 412, "DELETE", path, NULL, "If-Match: \"3\"\r\n", NULL));
    assert_detail("first changed description; read");
    json_free(rig_call(&rig, 412, "PUT", path, NULL, "If-Match: \"x\"\r\n", whole));
    assert_null(strstr(rig.reply.body, "difference"));
}

static void salts_stay_unless_told(void **state)
{
    struct json *flag;
    char salt[40], path[] = FLAGS "/salty?reassign=true", header[] = "If-Match: *\r\n";
    char *text;

    (void)state;
    create("salty", "\"type\":\"string\",\"variants\":{\"a\":\"1\",\"b\":\"2\"},\"off_variant\":"
                    "\"a\",\"fallthrough\":{\"split\":{\"a\":50,\"b\":50}}");
    flag = rig_call(&rig, 200, "GET", FLAGS "/salty", NULL, NULL, NULL);
    snprintf(salt, sizeof salt, "%s", json_get_text(flag, "salt", ""));
    rig_set(&rig, 409, "salty", "salt", "\"other\"");
    assert_detail("reassign=true");
    rig_set(&rig, 409, "salty", "bucket_by", "\"email\"");
    rig_set(&rig, 409, "salty", "fallthrough", "{\"split\":{\"a\":40,\"b\":60}}");
    rig_set(&rig, 409, "salty", "type", "\"number\"");
    rig_set(&rig, 200, "salty", "fallthrough",
            "{\"ramp\":{\"percent\":10,\"split\":{\"a\":50,\"b\":50}}}");
    json_remove(flag, "salt"); /* left out: it stays */
    text = json_print(flag);
    json_free(rig_call(&rig, 200, "PUT", FLAGS "/salty", NULL, header, text));
    free(text);
    json_put_text(flag, "salt", "other");
    text = json_print(flag);
    json_free(rig_call(&rig, 200, "PUT", path, NULL, header, text));
    free(text);
    json_free(flag);
    flag = rig_call(&rig, 200, "GET", FLAGS "/salty", NULL, NULL, NULL);
    assert_string_equal(json_get_text(flag, "salt", ""), "other");
    assert_string_not_equal(salt, "other");
    json_free(flag);
}

static void bad_flags_change_nothing(void **state)
{
    static const struct {
        const char *body, *says;
    } cases[] = {
        {"", "no body"},
        {"{\"key\":", "line 1"},
        {"{\n \"key\": \"a\",\n x}", "line 3"},
        {"[]", "an array"},
        {"\"flag\"", "a string"},
        {"{\"key\":\"a\",\"key\":\"b\"}", "twice"},
        {"{\"key\":\"Bad Key\"}", "key"},
        {"{}", "key"},
        {"{\"key\":\"a\",\"type\":\"colour\"}", "type"},
        {"{\"key\":\"a\",\"fallthrough\":{\"variant\":\"none\"}}", "none"},
        {"{\"key\":\"a\",\"fallthrough\":{\"ramp\":{\"percent\":101,\"variant\":\"on\"}}}",
         "percent"},
        {"{\"key\":\"a\",\"rules\":[{\"name\":\"r\",\"when\":\"plan ==\",\"serve\":{\"variant\":"
         "\"on\"}}]}",
         "rules"},
        {"{\"key\":\"a\",\"domains\":{\"not a domain\":{\"variant\":\"on\"}}}", "domain"},
        {"{\"key\":\"a\",\"sate\":\"on\"}", "state"},
    };
    double before;

    (void)state;
    before = revision_now();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        rig_does(&rig, 400, "POST", FLAGS, cases[i].body);
        assert_detail(cases[i].says);
    }
    assert_true(revision_now() == before);
}

static void large_things_are_refused(void **state)
{
    char *body = malloc(LIMIT_BODY_BYTES + 2);
    char url[LIMIT_URL_BYTES + 10];

    (void)state;
    memset(body, ' ', LIMIT_BODY_BYTES + 1);
    body[LIMIT_BODY_BYTES + 1] = '\0';
    rig_does(&rig, 413, "POST", FLAGS, body);
    assert_detail("larger than 1048576 bytes, the limit for one flag (some 30,000 domain rules): ");
    rig_does(&rig, 413, "POST", OFREP, body);
    assert_detail("larger than 1048576 bytes, the limit for one request");
    rig_does(&rig, 413, "POST", "/api/v1/holds", body);
    free(body);
    memset(url, 'a', sizeof url);
    url[0] = '/';
    url[sizeof url - 1] = '\0';
    rig_does(&rig, 414, "GET", url, NULL);
}

/* Whatever comes in outside a JSON document, what goes out is one. */
static void bytes_that_are_no_text_do_no_harm(void **state)
{
    (void)state;
    rig_does(&rig, 404, "GET", FLAGS "/%ff%fe", NULL);
    rig_does(&rig, 404, "GET", FLAGS "/%0d%0a%01", NULL);
    rig_does(&rig, 404, "POST", OFREP "/%0a%01\"", "{}");
    rig_does(&rig, 404, "GET", "/api/v1/audit?flag=%ff%c3", NULL);
    rig_does(&rig, 404, "GET", FLAGS "/%e2%82%ac", NULL);
    assert_detail("\xe2\x82\xac");
    json_free(rig_call(&rig, 201, "POST", FLAGS, NULL, "X-Lockstep-Reason: \xff\xfe\tx\r\n",
                       "{\"key\":\"bytes\"}"));
    rig_does(&rig, 200, "GET", "/api/v1/audit?flag=bytes", NULL);
    assert_non_null(strstr(rig.reply.body, "??"));
    json_free(rig_call(&rig, 200, "GET", RULESET, NULL, "X-Lockstep-Client: \xff\"\x01\r\n", NULL));
    rig_does(&rig, 200, "GET", "/api/v1/clients", NULL);
}

static void every_change_is_in_the_audit(void **state)
{
    struct json *audit, *event;
    char path[100];
    double id;

    (void)state;
    create("watched", "");
    {
        struct json *flag = rig_call(&rig, 200, "GET", FLAGS "/watched", NULL, NULL, NULL);
        char *text;

        json_put_text(flag, "state", "on");
        text = json_print(flag);
        json_free(flag);
        json_free(rig_call(&rig, 200, "PUT", FLAGS "/watched", NULL,
                           "If-Match: \"1\"\r\nX-Lockstep-Reason: because\r\n", text));
        free(text);
    }
    audit = rig_call(&rig, 200, "GET", "/api/v1/audit?flag=watched", NULL, NULL, NULL);
    assert_int_equal(json_count(json_get(audit, "events")), 2);
    event = json_first(json_get(audit, "events"));
    assert_string_equal(json_get_text(event, "action", ""), "flag.update");
    assert_string_equal(json_get_text(event, "reason", ""), "because");
    assert_string_equal(json_get_text(event, "actor", ""), "first");
    assert_string_equal(json_get_text(json_get(event, "before"), "state", ""), "off");
    assert_string_equal(json_get_text(json_get(event, "after"), "state", ""), "on");
    assert_true(json_number(json_get(event, "revision"), 0) == revision_now());
    id = json_number(json_get(event, "id"), 0);
    json_free(audit);
    snprintf(path, sizeof path, "/api/v1/audit?limit=1&before=%.0f", id);
    audit = rig_call(&rig, 200, "GET", path, NULL, NULL, NULL);
    event = json_first(json_get(audit, "events"));
    assert_string_equal(json_get_text(event, "action", ""), "flag.create");
    assert_int_equal(json_count(json_get(audit, "events")), 1);
    json_free(audit);
    rig_does(&rig, 400, "GET", "/api/v1/audit?limit=0", NULL);
    rig_does(&rig, 400, "GET", "/api/v1/audit?before=x", NULL);
    rig_does(&rig, 404, "GET", "/api/v1/audit?flag=none", NULL);
}

/* Each thread adds its own domains one by one, by GET and PUT, and repeats after 412. */
enum { WRITERS = 4, WRITES = 15 };

static void *write_domains(void *arg)
{
    int writer = (int)(intptr_t)arg;
    int conflicts = 0;

    for (int i = 0; i < WRITES; i++) {
        for (;;) {
            struct wire_reply *reply = calloc(1, sizeof *reply);
            struct json *flag = NULL, *serve = json_object();
            char name[40], request[400], etag[40], said[300];
            char *text, *put;
            int status;

            snprintf(request, sizeof request,
                     "GET " FLAGS "/busy HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n",
                     rig.token);
            wire_ask(rig.port, request, reply);
            snprintf(etag, sizeof etag, "%s", strstr(reply->headers, "ETag: ") + 6);
            etag[strcspn(etag, "\r")] = '\0';
            if (json_parse(reply->body, reply->body_len, &flag, NULL) != ERR_OK) {
                abort();
            }
            json_put_text(serve, "variant", "on");
            snprintf(name, sizeof name, "w%d-%d.example", writer, i);
            if (json_get(flag, "domains") == NULL) {
                json_put(flag, "domains", json_object());
            }
            json_put(json_get(flag, "domains"), name, serve);
            text = json_print(flag);
            put = malloc(strlen(text) + 500);
            snprintf(put, strlen(text) + 500,
                     "PUT " FLAGS "/busy HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
                     "If-Match: %s\r\nContent-Length: %zu\r\n\r\n%s",
                     rig.token, etag, strlen(text), text);
            wire_ask(rig.port, put, reply);
            status = reply->status;
            snprintf(said, sizeof said, "%.250s", reply->body);
            free(put);
            free(text);
            free(reply);
            json_free(flag);
            if (status == 200) {
                break;
            }
            if (status != 412) {
                print_error("PUT: %d %s\n", status, said);
                abort();
            }
            conflicts++;
        }
    }
    return (void *)(intptr_t)conflicts;
}

static void no_writer_loses_a_change(void **state)
{
    pthread_t threads[WRITERS];
    struct json *flag, *audit;
    intptr_t conflicts = 0;

    (void)state;
    create("busy", "");
    for (int i = 0; i < WRITERS; i++) {
        pthread_create(&threads[i], NULL, write_domains, (void *)(intptr_t)i);
    }
    for (int i = 0; i < WRITERS; i++) {
        void *count;

        pthread_join(threads[i], &count);
        conflicts += (intptr_t)count;
    }
    print_message("%d changes by %d writers, %d repeated after 412\n", WRITERS * WRITES, WRITERS,
                  (int)conflicts);
    flag = rig_call(&rig, 200, "GET", FLAGS "/busy", NULL, NULL, NULL);
    assert_int_equal(json_count(json_get(flag, "domains")), WRITERS * WRITES);
    assert_int_equal(json_number(json_get(flag, "version"), 0), WRITERS * WRITES + 1);
    json_free(flag);
    audit = rig_call(&rig, 200, "GET", "/api/v1/audit?flag=busy&limit=1000", NULL, NULL, NULL);
    assert_int_equal(json_count(json_get(audit, "events")), WRITERS * WRITES + 1);
    json_free(audit);
}

/* ---- OFREP ---- */

static void ofrep_answers_one_flag(void **state)
{
    struct json *answer;

    (void)state;
    create("one", "\"state\":\"on\",\"domains\":{\"acme.com\":{\"variant\":\"on\"}},"
                  "\"fallthrough\":{\"ramp\":{\"percent\":50,\"variant\":\"on\"}}");
    answer = rig_call(&rig, 200, "POST", OFREP "/one", NULL, NULL,
                      "{\"context\":{\"domain\":\"ACME.com.\"}}");
    assert_true(json_is_true(json_get(answer, "value")));
    assert_string_equal(json_get_text(answer, "reason", ""), "TARGETING_MATCH");
    assert_string_equal(json_get_text(answer, "variant", ""), "on");
    assert_string_equal(json_get_text(answer, "key", ""), "one");
    json_free(answer);
    answer = rig_call(&rig, 200, "POST", OFREP "/one", NULL, NULL,
                      "{\"context\":{\"targetingKey\":\"u1\"}}");
    assert_string_equal(json_get_text(answer, "reason", ""), "SPLIT");
    json_free(answer);
    answer = rig_call(&rig, 400, "POST", OFREP "/one", NULL, NULL, "{\"context\":{}}");
    assert_string_equal(json_get_text(answer, "errorCode", ""), "TARGETING_KEY_MISSING");
    assert_string_equal(json_get_text(answer, "key", ""), "one");
    json_free(answer);
    answer = rig_call(&rig, 400, "POST", OFREP "/one", NULL, NULL, NULL); /* as an empty context */
    assert_string_equal(json_get_text(answer, "errorCode", ""), "TARGETING_KEY_MISSING");
    json_free(answer);
    answer = rig_call(&rig, 400, "POST", OFREP "/one", NULL, NULL, "{\"context\":");
    assert_string_equal(json_get_text(answer, "errorCode", ""), "PARSE_ERROR");
    assert_non_null(strstr(json_get_text(answer, "errorDetails", ""), "line 1"));
    json_free(answer);
    answer = rig_call(&rig, 400, "POST", OFREP "/one", NULL, NULL, "{\"context\":[1]}");
    assert_string_equal(json_get_text(answer, "errorCode", ""), "INVALID_CONTEXT");
    json_free(answer);
    answer = rig_call(&rig, 400, "POST", OFREP "/one", NULL, NULL, "[]");
    assert_string_equal(json_get_text(answer, "errorCode", ""), "INVALID_CONTEXT");
    json_free(answer);
    answer = rig_call(&rig, 404, "POST", OFREP "/none", NULL, NULL, "{\"context\":{}}");
    assert_string_equal(json_get_text(answer, "errorCode", ""), "FLAG_NOT_FOUND");
    json_free(answer);
    rig_does(&rig, 200, "POST", OFREP, "{\"context\":null}"); /* a client that has none */
    /* One bad attribute takes nothing from who sent it. */
    rig_does(&rig, 200, "POST", OFREP, "{\"context\":{\"domain\":\"not a domain\"}}");
    rig_does(&rig, 200, "POST", OFREP, "{\"context\":{\"domain\":7}}");
    answer = rig_call(&rig, 200, "POST", OFREP "/one", NULL, NULL,
                      "{\"context\":{\"targetingKey\":\"u1\",\"domain\":\"a b\"}}");
    assert_string_equal(json_get_text(answer, "reason", ""), "SPLIT");
    json_free(answer);
    rig_does(&rig, 400, "POST", OFREP, "{\"context\":{\"a\":1,\"a\":2}}");
}

static void ofrep_gives_typed_values(void **state)
{
    static const struct {
        const char *key, *members, *value;
    } cases[] = {
        {"a-string", "\"type\":\"string\",\"variants\":{\"v\":\"t\\\"x\"}", "\"value\":\"t\\\"x\""},
        {"a-whole", "\"type\":\"number\",\"variants\":{\"v\":10}", "\"value\":10,"},
        {"a-part", "\"type\":\"number\",\"variants\":{\"v\":0.5}", "\"value\":0.5,"},
        {"an-object", "\"type\":\"object\",\"variants\":{\"v\":{\"a\":[1,2]}}",
         "\"value\":{\"a\":[1,2]}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[100];

        create(cases[i].key, cases[i].members);
        snprintf(path, sizeof path, OFREP "/%s", cases[i].key);
        rig_does(&rig, 200, "POST", path, "{\"context\":{}}");
        if (strstr(rig.reply.body, cases[i].value) == NULL) {
            fail_msg("%s is not in %s", cases[i].value, rig.reply.body);
        }
        assert_non_null(strstr(rig.reply.body, "\"DISABLED\""));
    }
}

static const char *bulk_tag(int status, const char *tag, const char *body, const char *token)
{
    static char got[100];
    char header[200] = "";

    if (tag != NULL) {
        snprintf(header, sizeof header, "If-None-Match: %s\r\n", tag);
    }
    json_free(rig_call(&rig, status, "POST", OFREP, token, header, body));
    snprintf(got, sizeof got, "%s", wire_header(&rig.reply, "ETag"));
    return got;
}

static void ofrep_tags_cover_whatever_changes_an_answer(void **state)
{
    char first[100], token[100], id[40], other[140], unquoted[100];
    const char *context = "{\"context\":{\"targetingKey\":\"u\",\"plan\":\"pro\"}}";
    const char *same = "{\"context\":{\"plan\":\"pro\",\"targetingKey\":\"u\"}}";

    (void)state;
    create("bulk", "\"state\":\"on\"");
    snprintf(first, sizeof first, "%s", bulk_tag(200, NULL, context, NULL));
    assert_string_equal(bulk_tag(304, first, context, NULL), first);
    assert_string_equal(bulk_tag(304, first, same, NULL), first); /* order does not count */
    snprintf(other, sizeof other, "W/%s", first);
    assert_string_equal(bulk_tag(304, other, context, NULL), first);
    snprintf(unquoted, sizeof unquoted, "%.*s", (int)strlen(first) - 2, first + 1);
    snprintf(other, sizeof other, "\"x\", %s", unquoted);
    assert_string_equal(bulk_tag(304, other, context, NULL), first);
    assert_string_not_equal(
        bulk_tag(200, first, "{\"context\":{\"targetingKey\":\"u\",\"plan\":\"free\"}}", NULL),
        first);
    make_token("sdk-client", token, id);
    assert_string_not_equal(bulk_tag(200, first, context, token), first);
    rig_set(&rig, 200, "bulk", "fallthrough", "{\"variant\":\"on\"}");
    assert_string_not_equal(bulk_tag(200, first, context, NULL), first);
    json_free(rig_call(&rig, 400, "POST", OFREP, NULL, NULL, "{"));
}

/* One flag that cannot answer does not keep the others from answering; and where time decides, the
 * tag is of the body. */
static void ofrep_bulk_carries_failures_and_time(void **state)
{
    struct json *answer;
    bool failed = false, answered = false;
    char tag[100];

    (void)state;
    create("keyless", "\"state\":\"on\",\"fallthrough\":{\"ramp\":{\"percent\":50,\"variant\":"
                      "\"on\"}}");
    create("timed", "\"state\":\"on\",\"rules\":[{\"name\":\"later\",\"when\":\"now > "
                    "timestamp('2000-01-01T00:00:00Z')\",\"serve\":{\"variant\":\"on\"}}]");
    answer = rig_call(&rig, 200, "POST", OFREP, NULL, NULL, "{\"context\":{}}");
    snprintf(tag, sizeof tag, "%s", wire_header(&rig.reply, "ETag"));
    for (struct json *one = json_first(json_get(answer, "flags")); one != NULL;
         one = json_next(one)) {
        const char *key = json_get_text(one, "key", "");

        failed =
            failed || (strcmp(key, "keyless") == 0 &&
                       strcmp(json_get_text(one, "errorCode", ""), "TARGETING_KEY_MISSING") == 0);
        answered = answered || (strcmp(key, "timed") == 0 && json_is_true(json_get(one, "value")));
    }
    json_free(answer);
    assert_true(failed);
    assert_true(answered);
    assert_string_equal(bulk_tag(304, tag, "{\"context\":{}}", NULL), tag);
}

static void browsers_are_let_in_only_where_told(void **state)
{
    struct rig other;

    (void)state;
    json_free(rig_call(&rig, 204, "OPTIONS", OFREP, "", NULL, NULL));
    assert_string_equal(wire_header(&rig.reply, "Access-Control-Allow-Origin"), "");
    rig_init(&other);
    rig_serve(&other, "--cors-origin=https://app.example");
    json_free(rig_call(&other, 204, "OPTIONS", OFREP "/x", "", NULL, NULL));
    assert_string_equal(wire_header(&other.reply, "Access-Control-Allow-Origin"),
                        "https://app.example");
    assert_string_equal(wire_header(&other.reply, "Access-Control-Allow-Methods"), "POST");
    json_free(rig_call(&other, 200, "POST", OFREP, NULL, NULL, "{\"context\":{}}"));
    assert_string_equal(wire_header(&other.reply, "Access-Control-Expose-Headers"), "ETag");
    json_free(rig_call(&other, 401, "POST", OFREP, "wrong", NULL, "{}"));
    assert_string_equal(wire_header(&other.reply, "Access-Control-Allow-Origin"),
                        "https://app.example");
    json_free(rig_call(&other, 200, "GET", FLAGS, NULL, NULL, NULL));
    assert_string_equal(wire_header(&other.reply, "Access-Control-Allow-Origin"), "");
    rig_fini(&other);
}

static void an_evaluation_is_explained(void **state)
{
    struct json *answer;

    (void)state;
    create("why", "\"state\":\"on\",\"rules\":[{\"name\":\"pro\",\"when\":\"plan == 'pro'\","
                  "\"serve\":{\"variant\":\"on\"}}]");
    answer = rig_call(&rig, 200, "POST", FLAGS "/why/evaluate", NULL, NULL,
                      "{\"context\":{\"plan\":\"free\"}}");
    assert_string_equal(json_get_text(answer, "reason", ""), "DEFAULT");
    assert_non_null(strstr(rig.reply.body, "plan == 'pro'"));
    json_free(answer);
    rig_does(&rig, 400, "POST", FLAGS "/why/evaluate", "{\"context\":7}");
    rig_does(&rig, 400, "POST", FLAGS "/why/evaluate", NULL);
    rig_does(&rig, 404, "POST", FLAGS "/none/evaluate", "{}");
}

/* ---- rulesets ---- */

static void a_ruleset_has_a_tag(void **state)
{
    struct json *rules;
    char tag[60], header[200];

    (void)state;
    rules = rig_call(&rig, 200, "GET", RULESET, NULL, NULL, NULL);
    snprintf(tag, sizeof tag, "%s", wire_header(&rig.reply, "ETag"));
    snprintf(header, sizeof header, "\"%.0f-%.0f\"", json_number(json_get(rules, "epoch"), 0),
             json_number(json_get(rules, "revision"), 0));
    assert_string_equal(tag, header);
    json_free(rules);
    snprintf(header, sizeof header, "If-None-Match: %s\r\n", tag);
    json_free(rig_call(&rig, 304, "GET", RULESET, NULL, header, NULL));
    create("another", "\"description\":\"\\u00e9\\n\",\"tags\":[\"b\",\"a\"]");
    json_free(rig_call(&rig, 200, "GET", RULESET, NULL, header, NULL));
    assert_string_not_equal(wire_header(&rig.reply, "ETag"), tag);
}

/* ---- the document ---- */

static void every_operation_was_asked_for(void **state)
{
    (void)state;
    assert_string_equal(rig_not_visited(), "");
}

/* And the other way round: the table of routes holds nothing that the document does not know. */
static void every_route_is_in_the_document(void **state)
{
    char *text = NULL;
    size_t len, operations = 0, count = 0;
    struct json *api = NULL;

    (void)state;
    assert_int_equal(file_read("docs/openapi.json", 1 << 20, &text, &len, NULL), ERR_OK);
    assert_int_equal(json_parse(text, len, &api, NULL), ERR_OK);
    for (const struct route *route = routes; route->method != NULL; route++, count++) {
        struct json *path = json_get(json_get(api, "paths"), route->pattern);
        char method[16];

        for (size_t i = 0; i <= strlen(route->method); i++) {
            method[i] = (char)tolower((unsigned char)route->method[i]);
        }
        if (json_get(path, method) == NULL) {
            fail_msg("%s %s is not in docs/openapi.json", route->method, route->pattern);
        }
    }
    for (struct json *path = json_first(json_get(api, "paths")); path != NULL;
         path = json_next(path)) {
        operations += json_count(path);
    }
    assert_int_equal(operations, count);
    json_free(api);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_says_how_it_is),
        cmocka_unit_test(what_is_nowhere_is_said),
        cmocka_unit_test(a_token_is_needed),
        cmocka_unit_test(each_role_may_what_it_may),
        cmocka_unit_test(a_token_made_beside_the_server_is_known),
        cmocka_unit_test(a_flag_lives),
        cmocka_unit_test(a_change_names_its_version),
        cmocka_unit_test(salts_stay_unless_told),
        cmocka_unit_test(bad_flags_change_nothing),
        cmocka_unit_test(large_things_are_refused),
        cmocka_unit_test(bytes_that_are_no_text_do_no_harm),
        cmocka_unit_test(every_change_is_in_the_audit),
        cmocka_unit_test(no_writer_loses_a_change),
        cmocka_unit_test(ofrep_answers_one_flag),
        cmocka_unit_test(ofrep_gives_typed_values),
        cmocka_unit_test(ofrep_tags_cover_whatever_changes_an_answer),
        cmocka_unit_test(ofrep_bulk_carries_failures_and_time),
        cmocka_unit_test(browsers_are_let_in_only_where_told),
        cmocka_unit_test(an_evaluation_is_explained),
        cmocka_unit_test(a_ruleset_has_a_tag),
    };

    const struct CMUnitTest last[] = {
        cmocka_unit_test(every_operation_was_asked_for),
        cmocka_unit_test(every_route_is_in_the_document),
    };
    int failed;

    (void)start(NULL);
    failed = cmocka_run_group_tests_name("api", tests, NULL, NULL);
    failed += api_schema_tests(&rig);
    failed += api_domains_tests(&rig);
    failed += api_environments_tests(&rig);
    failed += api_changes_tests(&rig);
    failed += api_pieces_tests(&rig);
    failed += cmocka_run_group_tests_name("api: document", last, NULL, NULL);
    (void)stop(NULL);
    return failed;
}
