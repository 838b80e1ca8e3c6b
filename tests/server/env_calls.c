#include "tests/server/env_calls.h"

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

struct rig *env_rig;

void env_says(const char *part)
{
    if (strstr(env_rig->reply.body, part) == NULL) {
        fail_msg("\"%s\" is not in %s", part, env_rig->reply.body);
    }
}

void env_does(int status, const char *method, const char *path, const char *body)
{
    rig_does(env_rig, status, method, path, body);
}

struct json *env_get(const char *key, const char *environment)
{
    char path[200];

    snprintf(path, sizeof path, FLAGS "/%s%s%s", key, environment != NULL ? "?environment=" : "",
             environment != NULL ? environment : "");
    return rig_call(env_rig, 200, "GET", path, NULL, NULL, NULL);
}

void env_set_as(int status, const char *token, const char *key, const char *environment,
                const char *member, const char *value)
{
    struct json *flag = env_get(key, environment), *parsed = NULL;
    char path[200], header[100];
    char *text;

    snprintf(path, sizeof path, FLAGS "/%s?environment=%s", key, environment);
    snprintf(header, sizeof header, "If-Match: %s\r\n", wire_header(&env_rig->reply, "ETag"));
    assert_int_equal(json_parse(value, strlen(value), &parsed, NULL), ERR_OK);
    json_put(flag, member, parsed);
    text = json_print(flag);
    json_free(flag);
    json_free(rig_call(env_rig, status, "PUT", path, token, header, text));
    free(text);
}

void env_set(int status, const char *key, const char *environment, const char *member,
             const char *value)
{
    env_set_as(status, NULL, key, environment, member, value);
}

void env_change(int status, const char *method, const char *path, const char *body)
{
    json_free(rig_call(env_rig, status, method, path, NULL, "If-Match: *\r\n", body));
}

double env_revision(const char *environment)
{
    char path[200];
    struct json *list;
    double out;

    snprintf(path, sizeof path, FLAGS "?environment=%s", environment);
    list = rig_call(env_rig, 200, "GET", path, NULL, NULL, NULL);
    assert_string_equal(json_get_text(list, "environment", ""), environment);
    out = json_number(json_get(list, "revision"), -1);
    json_free(list);
    return out;
}

double env_version(const char *key, const char *environment)
{
    struct json *flag = env_get(key, environment);
    double out = json_number(json_get(flag, "version"), -1);

    json_free(flag);
    return out;
}

void env_is(const char *key, const char *environment, const char *member, const char *wanted)
{
    struct json *flag = env_get(key, environment);
    char *text = json_print_canonical(json_get(flag, member));

    assert_string_equal(text, wanted);
    free(text);
    json_free(flag);
}

void env_make_token(const char *role, const char *environment, char out[100])
{
    char body[200];
    struct json *made;

    snprintf(body, sizeof body, "{\"role\":\"%s\",\"name\":\"%s\",\"environment\":\"%s\"}", role,
             role, environment);
    made = rig_call(env_rig, 201, "POST", "/api/v1/tokens", NULL, NULL, body);
    assert_string_equal(json_get_text(made, "environment", ""), environment);
    snprintf(out, 100, "%s", json_get_text(made, "token", ""));
    json_free(made);
}

size_t env_count(void)
{
    struct json *all = rig_call(env_rig, 200, "GET", ALL, NULL, NULL, NULL);
    size_t count = json_count(json_get(all, "environments"));

    json_free(all);
    return count;
}

void env_report(int status, const char *environment, const char *key, const char *state)
{
    char path[200], body[300];

    snprintf(path, sizeof path, "/api/v1/migrations/db-%s/m-%s?environment=%s", environment, key,
             environment);
    snprintf(body, sizeof body, "{\"state\":\"%s\",\"flag\":{\"key\":\"%s\"}}", state, key);
    env_does(status, "PUT", path, body);
}

void env_sql(const char *text)
{
    sqlite3 *db = NULL;
    char *message = NULL;

    assert_int_equal(sqlite3_open(env_rig->store + strlen("sqlite:"), &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", text, message);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

void env_restart(void)
{
    assert_int_equal(rig_stop(env_rig, SIGTERM), 0);
    rig_serve(env_rig, NULL);
}
