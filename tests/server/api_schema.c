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
#include "tests/server/api_schema.h"

static struct rig *rig;

#define FLAGS "/api/v1/flags"
#define RULESET "/sdk/v1/ruleset"

static void create(const char *key)
{
    char body[200];

    snprintf(body, sizeof body, "{\"key\":\"%s\",\"state\":\"on\"}", key);
    rig_does(rig, 201, "POST", FLAGS, body);
}

/* Reports that migration m-<key> of database db is in this state. */
static void report(int status, const char *key, const char *state)
{
    char path[200], body[300];

    snprintf(path, sizeof path, "/api/v1/migrations/db/m-%s", key);
    snprintf(body, sizeof body,
             "{\"state\":\"%s\",\"flag\":{\"key\":\"%s\",\"old\":\"off\",\"new\":\"on\"},"
             "\"database\":\"sqlite:app.db\",\"lease_s\":120}",
             state, key);
    rig_does(rig, status, "PUT", path, body);
}

static struct json *gate(const char *key)
{
    char path[300];

    snprintf(path, sizeof path, "/api/v1/gate?flag=%s&database_id=db&migration=m-%s", key, key);
    return rig_call(rig, 200, "GET", path, NULL, NULL, NULL);
}

static const struct json *flag_facts(const struct json *answer)
{
    return json_get(json_get(answer, "facts"), "flag");
}

static int64_t flag_revision(const char *key)
{
    struct json *answer = gate(key);
    int64_t revision = -1;

    (void)json_int(json_get(flag_facts(answer), "revision"), &revision);
    json_free(answer);
    return revision;
}

static void hold(int status, const char *key, int64_t revision)
{
    char body[300];

    snprintf(body, sizeof body,
             "{\"flag\":\"%s\",\"database_id\":\"db\",\"migration\":\"m-%s\",\"flag_revision\":"
             "%lld}",
             key, key, (long long)revision);
    rig_does(rig, status, "POST", "/api/v1/holds", body);
}

static void release(const char *key)
{
    char path[200];

    snprintf(path, sizeof path, "/api/v1/holds/db/m-%s", key);
    rig_does(rig, 204, "DELETE", path, NULL);
}

/* The migrator's messages by number; what is NULL is left out. */
static void report_nr(int status, const char *key, const char *tie_state, const char *more)
{
    char path[200], body[300];

    snprintf(path, sizeof path, "/api/v1/migrations/db/m-%s", key);
    snprintf(body, sizeof body, "{\"state\":\"%s\",\"flag\":{\"key\":\"%s\"}%s}", tie_state, key,
             more);
    rig_does(rig, status, "PUT", path, body);
}

static void hold_nr(int status, const char *key, int64_t revision, int nr)
{
    char body[300];

    snprintf(body, sizeof body,
             "{\"flag\":\"%s\",\"database_id\":\"db\",\"migration\":\"m-%s\",\"flag_revision\":"
             "%lld,\"sequence\":%d}",
             key, key, (long long)revision, nr);
    rig_does(rig, status, "POST", "/api/v1/holds", body);
}

static void archive(int status, const char *key)
{
    char path[200];

    snprintf(path, sizeof path, FLAGS "/%s", key);
    json_free(rig_call(rig, status, "DELETE", path, NULL, "If-Match: *\r\n", NULL));
}

static void assert_says(const char *part)
{
    if (strstr(rig->reply.body, part) == NULL) {
        fail_msg("\"%s\" is not in %s", part, rig->reply.body);
    }
}

static struct json *make_token(const char *role, char token[100])
{
    char body[200];
    struct json *made;

    snprintf(body, sizeof body, "{\"role\":\"%s\",\"name\":\"%s of a test\"}", role, role);
    made = rig_call(rig, 201, "POST", "/api/v1/tokens", NULL, NULL, body);
    snprintf(token, 100, "%s", json_get_text(made, "token", ""));
    return made;
}

/* One event of the audit, the newest. */
static struct json *newest_event(const char *key)
{
    char path[200];
    struct json *audit, *event;

    snprintf(path, sizeof path, "/api/v1/audit?limit=1&flag=%s", key);
    audit = rig_call(rig, 200, "GET", path, NULL, NULL, NULL);
    event = json_copy(json_first(json_get(audit, "events")));
    json_free(audit);
    return event;
}

#define ON "{\"variant\":\"on\"}"
#define OFF "{\"variant\":\"off\"}"
#define HALF "{\"ramp\":{\"percent\":50,\"variant\":\"on\"}}"

/* A message that its sender gave up may still arrive, after the next run has gone another way. */
static void late_messages_are_refused(void **state)
{
    int64_t revision;

    (void)state;
    create("late");
    report_nr(200, "late", "dual-writing", ",\"sequence\":10");
    report_nr(200, "late", "in-sync", ",\"sequence\":11");
    report_nr(200, "late", "in-sync", ",\"sequence\":11"); /* twice */
    report_nr(409, "late", "dual-writing", ",\"sequence\":10");
    assert_says("too late");
    revision = flag_revision("late");
    hold_nr(201, "late", revision, 20);
    hold_nr(201, "late", revision, 21); /* renewed */
    hold_nr(409, "late", revision, 20);
    rig_does(rig, 409, "DELETE", "/api/v1/holds/db/m-late?sequence=19", NULL);
    assert_int_equal(rig_stop(rig, SIGTERM), 0);
    rig_serve(rig, NULL);
    rig_does(rig, 409, "DELETE", "/api/v1/holds/db/m-late?sequence=20", NULL);
    rig_does(rig, 400, "DELETE", "/api/v1/holds/db/m-late?sequence=x", NULL);
    rig_does(rig, 204, "DELETE", "/api/v1/holds/db/m-late?sequence=22", NULL);
    hold_nr(409, "late", revision, 21);
    report_nr(400, "late", "in-sync", ",\"sequence\":\"7\"");
    report_nr(200, "late", "in-sync", "");                 /* by hand: without a number */
    report_nr(409, "late", "in-sync", ",\"sequence\":21"); /* which changes nothing of it */
    report_nr(200, "late", "dual-writing", ",\"sequence\":5,\"restored\":true"); /* an older copy */
    report_nr(200, "late", "in-sync", ",\"sequence\":6");
    report_nr(200, "late", "dual-writing", "");
}

static void a_flag_waits_for_its_schema(void **state)
{
    (void)state;
    create("walk");
    report(200, "walk", "expanded");
    rig_set(rig, 409, "walk", "fallthrough", HALF);
    assert_says("migrate apply m-walk --to in-sync");
    assert_says("\"migration\":\"m-walk\"");
    rig_set(rig, 409, "walk", "domains", "{\"acme.com\":" ON "}");
    rig_set(rig, 409, "walk", "individual", "{\"u1\":\"on\"}");
    rig_set(rig, 409, "walk", "rules",
            "[{\"name\":\"r\",\"when\":\"plan == 'pro'\",\"serve\":" ON "}]");
    rig_set(rig, 409, "walk", "variants", "{\"on\":false,\"off\":true}"); /* the same by name */
    report(200, "walk", "dual-writing");
    rig_set(rig, 409, "walk", "fallthrough", HALF);
    archive(409, "walk");
    report(200, "walk", "in-sync");
    rig_set(rig, 200, "walk", "fallthrough", HALF);
    report(409, "walk", "contracted");
    assert_says("flags ramp walk --to 100%");
    report(409, "walk", "dual-writing");
    assert_says("flags off walk");
    rig_set(rig, 200, "walk", "fallthrough", ON);
    report(200, "walk", "contracted");
    rig_set(rig, 409, "walk", "state", "\"off\"");
    assert_says("migrate rollback m-walk --to in-sync");
    rig_set(rig, 409, "walk", "domains", "{\"acme.com\":" OFF "}");
    rig_set(rig, 200, "walk", "description", "\"words do not matter\"");
    report(200, "walk", "purged");
    rig_set(rig, 409, "walk", "state", "\"off\"");
    assert_says("gone for good");
    archive(204, "walk");
    rig_does(rig, 204, "DELETE", "/api/v1/migrations/db/m-walk", NULL);
}

static void pending_keeps_the_flag_old(void **state)
{
    (void)state;
    create("back");
    report(200, "back", "pending");
    rig_set(rig, 409, "back", "fallthrough", ON);
    rig_does(rig, 204, "DELETE", "/api/v1/migrations/db/m-back", NULL);
    rig_set(rig, 200, "back", "fallthrough", ON);
    report(409, "back", "pending");
    rig_set(rig, 200, "back", "state", "\"off\"");
    report(200, "back", "in-sync");
    rig_does(rig, 409, "DELETE", "/api/v1/migrations/db/m-back", NULL);
    assert_says("migrate rollback m-back");
}

/* Without its tie a flag could take a path whose schema is not there: only while it is pending is that
 * a pipeline's matter. */
static void a_tie_is_not_forgotten_lightly(void **state)
{
    static const char *const states[] = {"expanded", "dual-writing", "in-sync", "contracted",
                                         "purged"};
    const char *path = "/api/v1/migrations/db/m-tied";
    const char *force = "/api/v1/migrations/db/m-tied?force=true";
    const char *why = "X-Lockstep-Reason: the database was dropped\r\n";
    char pipeline[100], editor[100];
    struct json *event;

    (void)state;
    json_free(make_token("pipeline", pipeline));
    json_free(make_token("editor", editor));
    create("tied");
    report(200, "tied", "pending");
    json_free(rig_call(rig, 403, "DELETE", path, editor, why, NULL));
    json_free(rig_call(rig, 204, "DELETE", path, pipeline, NULL, NULL));
    event = newest_event("tied");
    assert_string_equal(json_get_text(event, "action", ""), "migration.forget");
    json_free(event);
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (strcmp(states[i], "contracted") == 0) {
            rig_set(rig, 200, "tied", "fallthrough", ON);
        }
        report(200, "tied", states[i]);
        json_free(rig_call(rig, 409, "DELETE", path, pipeline, why, NULL));
        assert_says("an admin can force it");
        json_free(rig_call(rig, 403, "DELETE", force, pipeline, why, NULL));
        rig_does(rig, 409, "DELETE", path, NULL);
        rig_does(rig, 400, "DELETE", force, NULL);
    }
    report(200, "tied", "contracted");
    hold(201, "tied", flag_revision("tied"));
    json_free(rig_call(rig, 409, "DELETE", force, NULL, why, NULL)); /* a migrate is at work */
    report(200, "tied", "purged");
    json_free(rig_call(rig, 204, "DELETE", force, NULL, why, NULL));
    event = newest_event("tied");
    assert_string_equal(json_get_text(event, "reason", ""), "the database was dropped");
    json_free(event);
    rig_set(rig, 200, "tied", "state", "\"off\"");
}

static void reports_are_checked(void **state)
{
    const char *path = "/api/v1/migrations/db/m-x";
    struct json *list;
    bool found = false;

    (void)state;
    rig_does(rig, 404, "PUT", path, "{\"state\":\"pending\",\"flag\":{\"key\":\"no-flag\"}}");
    assert_says("flags create no-flag");
    rig_does(rig, 400, "PUT", path, "{\"state\":\"half\",\"flag\":{\"key\":\"back\"}}");
    rig_does(rig, 400, "PUT", path, "{\"state\":\"pending\"}");
    rig_does(rig, 400, "PUT", path,
             "{\"state\":\"pending\",\"flag\":{\"key\":\"back\",\"old\":\"on\",\"new\":\"on\"}}");
    rig_does(rig, 400, "PUT", path,
             "{\"state\":\"pending\",\"flag\":{\"key\":\"back\"},\"lease_s\":0}");
    rig_does(rig, 409, "PUT", path,
             "{\"state\":\"pending\",\"flag\":{\"key\":\"back\",\"old\":\"none\"}}");
    rig_does(rig, 400, "PUT", path, "{");
    list = rig_call(rig, 200, "GET", "/api/v1/migrations", NULL, NULL, NULL);
    for (struct json *one = json_first(json_get(list, "migrations")); one != NULL;
         one = json_next(one)) {
        found = found || strcmp(json_get_text(one, "migration", ""), "m-back") == 0;
        assert_string_not_equal(json_get_text(one, "migration", ""), "m-x");
    }
    assert_true(found);
    json_free(list);
}

/* A report that says nothing new leaves no trace, so a migrator may repeat it on every run. */
static void a_repeated_report_changes_nothing(void **state)
{
    struct json *before, *after;

    (void)state;
    create("again");
    report(200, "again", "in-sync");
    before = gate("again");
    report(200, "again", "in-sync");
    after = gate("again");
    assert_true(json_equal(json_get(before, "revision"), json_get(after, "revision")));
    json_free(before);
    json_free(after);
}

static void a_gate_is_told_the_facts(void **state)
{
    struct json *answer;
    const struct json *facts;
    int64_t revision = 0;

    (void)state;
    create("gated");
    report(200, "gated", "in-sync");
    rig_set(rig, 200, "gated", "fallthrough", ON);
    rig_set(rig, 200, "gated", "domains", "{\"acme.com\":" HALF ",\"b.com\":" ON "}");
    answer = gate("gated");
    facts = flag_facts(answer);
    assert_true(json_is_false(json_get(facts, "enabled_everywhere")));
    assert_true(json_is_false(json_get(facts, "disabled_everywhere")));
    assert_string_equal(json_text(json_first(json_get(facts, "behind"))), "domain acme.com: 50 %");
    assert_int_equal(json_number(json_get(facts, "lease_s"), 0), 120);
    assert_true(json_int(json_get(facts, "revision"), &revision));
    assert_true(json_number(json_get(facts, "stable_for_s"), -1) < 5);
    json_free(answer);
    rig_set(rig, 200, "gated", "tags", "[\"x\"]"); /* no other answers: no other revision */
    assert_int_equal(flag_revision("gated"), revision);
    rig_set(rig, 200, "gated", "domains", "{}");
    assert_true(flag_revision("gated") > revision);
    answer = gate("gated");
    assert_true(json_is_true(json_get(flag_facts(answer), "enabled_everywhere")));
    json_free(answer);
    answer = gate("no-such-flag");
    assert_true(json_is_false(json_get(flag_facts(answer), "exists")));
    json_free(answer);
    rig_does(rig, 400, "GET", "/api/v1/gate?flag=gated", NULL);
    rig_does(rig, 409, "GET", "/api/v1/gate?flag=gated&database_id=db&migration=m-again", NULL);
}

static void a_hold_keeps_a_flag_as_it_is(void **state)
{
    int64_t revision;
    struct json *answer;

    (void)state;
    create("held");
    hold(409, "held", 1); /* nothing was reported yet */
    report(200, "held", "in-sync");
    rig_set(rig, 200, "held", "fallthrough", ON);
    revision = flag_revision("held");
    hold(409, "held", revision - 1);
    hold(201, "held", revision);
    clock_sleep_us(3000);        /* times are kept in milliseconds */
    hold(201, "held", revision); /* again, as after a lost answer */
    assert_int_equal(flag_revision("held"), revision);
    answer = gate("held");
    assert_true(json_is_true(json_get(flag_facts(answer), "held")));
    assert_string_equal(json_get_text(json_get(flag_facts(answer), "hold"), "owner", ""), "first");
    json_free(answer);
    rig_set(rig, 409, "held", "state", "\"off\"");
    assert_says(" s ago by first, renewed ");
    assert_says(" s ago; it is at work: wait");
    rig_set(rig, 409, "held", "description", "\"not even words\"");
    archive(409, "held");
    report(200, "held", "contracted"); /* the holder itself goes on, and the hold stays */
    rig_set(rig, 409, "held", "state", "\"off\"");
    assert_says("migrate rollback m-held --to in-sync");
    rig_does(rig, 409, "DELETE", "/api/v1/holds/db/m-held", NULL); /* never when contracted */
    assert_says("migrate rollback m-held --to in-sync");
    report(200, "held", "in-sync");
    release("held");
    release("held");
    rig_set(rig, 200, "held", "description", "\"words again\"");
    rig_set(rig, 200, "held", "state", "\"off\"");
    rig_does(rig, 400, "POST", "/api/v1/holds", "{\"flag\":\"held\"}");
    rig_does(rig, 404, "POST", "/api/v1/holds",
             "{\"flag\":\"no-flag\",\"database_id\":\"db\",\"migration\":\"m\","
             "\"flag_revision\":1}");
}

static void hold_as(int status, const char *token, const char *owner, int64_t revision)
{
    char body[400];

    snprintf(body, sizeof body,
             "{\"flag\":\"stuck\",\"database_id\":\"db\",\"migration\":\"m-stuck\","
             "\"flag_revision\":%lld,\"owner\":\"%s\"}",
             (long long)revision, owner);
    json_free(rig_call(rig, status, "POST", "/api/v1/holds", token, NULL, body));
}

/* The hold is as old as a test would have to wait for: its times are moved in the store. */
static void age_hold(int seconds)
{
    char sql[200];
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open(rig->store + strlen("sqlite:"), &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 5000);
    snprintf(sql, sizeof sql,
             "UPDATE tie SET hold_taken_ms = hold_taken_ms - %d000, hold_renewed_ms = "
             "hold_renewed_ms - %d000 WHERE held",
             seconds, seconds);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(rig_stop(rig, SIGTERM), 0);
    rig_serve(rig, NULL);
}

static void a_hold_whose_owner_died_is_ended_by_an_admin(void **state)
{
    const char *path = "/api/v1/holds/db/m-stuck?force=true", *why = "X-Lockstep-Reason: died\r\n";
    char pipeline[100];
    struct json *answer, *event;
    int64_t revision;
    double before;

    (void)state;
    json_free(make_token("pipeline", pipeline));
    create("stuck");
    report(200, "stuck", "in-sync");
    rig_set(rig, 200, "stuck", "fallthrough", ON);
    revision = flag_revision("stuck");
    hold_as(400, pipeline,
            "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
            "5678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
            "01234567890123456789012345678901234567890",
            revision);
    hold_as(201, pipeline, "ci-7 pid 99", revision);
    answer = gate("stuck");
    before = json_number(json_get(answer, "revision"), -1);
    json_free(answer);
    hold_as(201, pipeline, "ci-7 pid 99",
            revision); /* renewed: no new revision, nothing in audit */
    answer = gate("stuck");
    assert_true(json_number(json_get(answer, "revision"), -2) == before);
    assert_string_equal(json_get_text(json_get(flag_facts(answer), "hold"), "owner", ""),
                        "ci-7 pid 99");
    assert_true(json_number(json_get(json_get(flag_facts(answer), "hold"), "alive_s"), 0) > 0);
    json_free(answer);
    json_free(rig_call(rig, 403, "DELETE", path, pipeline, why, NULL));
    rig_does(rig, 400, "DELETE", path, NULL); /* without a reason */
    json_free(rig_call(rig, 409, "DELETE", path, NULL, why, NULL));
    assert_says("still in use by ci-7 pid 99");
    age_hold(59);
    json_free(rig_call(rig, 409, "DELETE", path, NULL, why, NULL));
    hold_as(201, pipeline, "ci-7 pid 99", revision); /* it is back, and at work */
    age_hold(10);
    json_free(rig_call(rig, 409, "DELETE", path, NULL, why, NULL));
    age_hold(400);
    rig_set(rig, 409, "stuck", "state", "\"off\"");
    assert_says("by ci-7 pid 99");
    assert_says("flags unhold stuck --reason TEXT");
    json_free(rig_call(rig, 204, "DELETE", path, NULL, why, NULL));
    event = newest_event("stuck");
    assert_string_equal(json_get_text(event, "action", ""), "hold.force");
    assert_string_equal(json_get_text(event, "reason", ""), "died");
    assert_string_equal(json_get_text(json_get(event, "before"), "hold_owner", ""), "ci-7 pid 99");
    json_free(event);
    rig_set(rig, 200, "stuck", "state", "\"off\"");
    hold_as(409, pipeline, "ci-7 pid 99", revision); /* if it wakes up after all, it is told */
    json_free(rig_call(rig, 204, "DELETE", path, NULL, why, NULL));
}

static void one_domain_rule_is_removed(void **state)
{
    const char *path = FLAGS "/domained/domains/ACME.com.", *version = "If-Match: \"2\"\r\n";
    struct json *flag;

    (void)state;
    rig_does(rig, 201, "POST", FLAGS, "{\"key\":\"domained\",\"state\":\"on\"}");
    rig_set(rig, 200, "domained", "domains",
            "{\"acme.com\":{\"variant\":\"on\"},\"*.acme.com\":{\"variant\":\"on\"},"
            "\"bücher.example\":{\"variant\":\"on\"}}");
    rig_does(rig, 428, "DELETE", path, NULL);
    json_free(rig_call(rig, 412, "DELETE", path, NULL, "If-Match: \"1\"\r\n", NULL));
    json_free(
        rig_call(rig, 404, "DELETE", FLAGS "/domained/domains/b.acme.com", NULL, version, NULL));
    json_free(rig_call(rig, 404, "DELETE", FLAGS "/none/domains/acme.com", NULL, version, NULL));
    flag = rig_call(rig, 200, "DELETE", path, NULL, version, NULL);
    assert_string_equal(wire_header(&rig->reply, "ETag"), "\"3\"");
    assert_int_equal(json_count(json_get(flag, "domains")), 2);
    assert_null(json_get(json_get(flag, "domains"), "acme.com"));
    json_free(flag);
    json_free(rig_call(rig, 200, "DELETE", FLAGS "/domained/domains/%2A.acme.com", NULL,
                       "If-Match: \"3\"\r\n", NULL));
    flag = rig_call(rig, 200, "DELETE", FLAGS "/domained/domains/xn--bcher-kva.example", NULL,
                    "If-Match: *\r\n", NULL);
    assert_int_equal(json_count(json_get(flag, "domains")), 0);
    json_free(flag);
    /* Removing is a change like any other. */
    rig_set(rig, 200, "domained", "domains", "{\"acme.com\":" OFF "}");
    report(200, "domained", "in-sync");
    hold(201, "domained", flag_revision("domained"));
    json_free(rig_call(rig, 409, "DELETE", path, NULL, "If-Match: *\r\n", NULL));
    assert_says("held");
    release("domained");
    json_free(rig_call(rig, 200, "DELETE", path, NULL, "If-Match: *\r\n", NULL));
}

static void poll(const char *name, const char *tag, bool lease, int status)
{
    char headers[300];

    snprintf(headers, sizeof headers,
             "X-Lockstep-Client: %s\r\nX-Lockstep-Instance: i1\r\n%s%s%s%s", name,
             lease ? "X-Lockstep-Lease: 1\r\n" : "", tag != NULL ? "If-None-Match: " : "",
             tag != NULL ? tag : "", tag != NULL ? "\r\n" : "");
    json_free(rig_call(rig, status, "GET", RULESET, NULL, headers, NULL));
}

/* How many of the clients called name are behind this flag. */
static int behind(const char *key, const char *name)
{
    struct json *answer = gate(key);
    int count = 0;

    for (const struct json *one = json_first(json_get(flag_facts(answer), "clients_behind"));
         one != NULL; one = json_next(one)) {
        count += strcmp(json_get_text(one, "name", ""), name) == 0;
    }
    json_free(answer);
    return count;
}

static void clients_confirm_what_they_serve(void **state)
{
    struct json *answer, *list;
    char tag[60], old[60];
    bool without = false;

    (void)state;
    create("polled");
    report(200, "polled", "in-sync");
    poll("logger", NULL, true, 200); /* it has nothing yet */
    snprintf(old, sizeof old, "%s", wire_header(&rig->reply, "ETag"));
    assert_int_equal(behind("polled", "logger"), 1);
    poll("logger", old, true, 304);
    assert_int_equal(behind("polled", "logger"), 0);
    rig_set(rig, 200, "polled", "fallthrough", ON);
    assert_int_equal(behind("polled", "logger"), 1);
    poll("logger", old, true, 200); /* it is given the new one, and serves the old one still */
    snprintf(tag, sizeof tag, "%s", wire_header(&rig->reply, "ETag"));
    assert_int_equal(behind("polled", "logger"), 1);
    poll("logger", tag, true, 304);
    assert_int_equal(behind("polled", "logger"), 0);
    poll("logger", "\"1-999999\"", true, 200); /* of another epoch */
    assert_int_equal(behind("polled", "logger"), 1);
    poll("logger", tag, true, 304);
    poll("no-lease", tag, false, 304);
    answer = gate("polled");
    for (const struct json *one = json_first(json_get(flag_facts(answer), "clients_without_lease"));
         one != NULL; one = json_next(one)) {
        bool here = strcmp(json_get_text(one, "name", ""), "no-lease") == 0;

        without = without || here;
        assert_true(!here || json_is_true(json_get(one, "confirmed")));
        assert_string_not_equal(json_get_text(one, "name", ""), "logger");
    }
    assert_true(without);
    json_free(answer);
    list = rig_call(rig, 200, "GET", "/api/v1/clients", NULL, NULL, NULL);
    assert_string_equal(json_get_text(json_first(json_get(list, "clients")), "name", ""),
                        "no-lease");
    json_free(list);
}

/* What the gate says of the first client of this name without a lease; NULL if it is not there. */
static struct json *without_lease(const char *key, const char *name)
{
    struct json *answer = gate(key);
    struct json *found = NULL;

    for (const struct json *one = json_first(json_get(flag_facts(answer), "clients_without_lease"));
         one != NULL && found == NULL; one = json_next(one)) {
        found = strcmp(json_get_text(one, "name", ""), name) == 0 ? json_copy(one) : NULL;
    }
    json_free(answer);
    return found;
}

static void who_evaluates_over_ofrep_has_no_lease(void **state)
{
    struct json *made, *one;
    char token[100];
    int64_t revision = 0;
    struct json *gated;
    double readers;

    (void)state;
    create("shop");
    report(200, "shop", "in-sync");
    made = make_token("sdk-client", token);
    assert_null(
        without_lease("shop", "sdk-client of a test")); /* a token that nobody uses is no client */
    gated = gate("shop");
    readers = json_number(json_get(flag_facts(gated), "clients"), -1);
    json_free(gated);
    json_free(rig_call(rig, 200, "POST", "/ofrep/v1/evaluate/flags/shop", token, NULL, "{}"));
    one = without_lease("shop", "sdk-client of a test");
    assert_non_null(one);
    assert_string_equal(json_get_text(one, "kind", ""), "ofrep");
    assert_string_equal(json_get_text(one, "instance", ""), json_get_text(made, "id", "?"));
    assert_true(json_number(json_get(one, "seconds_ago"), -1) < 5);
    assert_true(json_is_false(json_get(one, "confirmed")));
    assert_true(json_int(json_get(one, "revision"), &revision));
    json_free(one);
    rig_set(rig, 200, "shop", "fallthrough", ON);
    json_free(rig_call(rig, 200, "POST", "/ofrep/v1/evaluate/flags", token, NULL, "{}"));
    one = without_lease("shop", "sdk-client of a test");
    assert_true(json_number(json_get(one, "revision"), 0) > (double)revision);
    json_free(one);
    assert_int_equal(behind("shop", "sdk-client of a test"),
                     0); /* it reads no rulesets: nothing to wait for */
    gated = gate("shop");
    assert_true(json_number(json_get(flag_facts(gated), "clients"), -1) == readers);
    json_free(gated);
    json_free(made);
}

static void clients_see_the_tie(void **state)
{
    struct json *rules;
    char *canonical;
    bool found = false;

    (void)state;
    create("seen");
    create("seldom");
    report(200, "seen", "dual-writing");
    rules = rig_call(rig, 200, "GET", RULESET, NULL, NULL, NULL);
    for (const struct json *flag = json_first(json_get(rules, "flags")); flag != NULL;
         flag = json_next(flag)) {
        const struct json *tie = json_get(flag, "tie");

        if (strcmp(json_get_text(flag, "key", ""), "seen") == 0) {
            found = true;
            assert_string_equal(json_get_text(tie, "state", ""), "dual-writing");
            assert_string_equal(json_get_text(tie, "safe", ""), "off");
            assert_int_equal(json_count(json_get(tie, "allowed")), 1);
        }
    }
    assert_true(found);
    canonical = json_print_canonical(rules); /* flags without a tie are printed on another way */
    assert_string_equal(rig->reply.body, canonical);
    free(canonical);
    json_free(rules);
    /* A client cannot write a tie. */
    rig_set(rig, 200, "seen", "tie", "{\"migration\":\"mine\",\"allowed\":[\"on\"]}");
    rig_set(rig, 409, "seen", "fallthrough", ON);
}

int api_schema_tests(struct rig *of)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(late_messages_are_refused),
        cmocka_unit_test(a_flag_waits_for_its_schema),
        cmocka_unit_test(pending_keeps_the_flag_old),
        cmocka_unit_test(a_tie_is_not_forgotten_lightly),
        cmocka_unit_test(reports_are_checked),
        cmocka_unit_test(a_repeated_report_changes_nothing),
        cmocka_unit_test(a_gate_is_told_the_facts),
        cmocka_unit_test(a_hold_keeps_a_flag_as_it_is),
        cmocka_unit_test(a_hold_whose_owner_died_is_ended_by_an_admin),
        cmocka_unit_test(one_domain_rule_is_removed),
        cmocka_unit_test(clients_confirm_what_they_serve),
        cmocka_unit_test(who_evaluates_over_ofrep_has_no_lease),
        cmocka_unit_test(clients_see_the_tie),
    };

    rig = of;
    return cmocka_run_group_tests_name("api: schema", tests, NULL, NULL);
}
