/*
 * The flag server as its operators see it: crowds, stops, crashes, restarts, and stores that are
 * locked, full, read-only or changed behind its back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "tests/server/rig.h"

#define FLAGS "/api/v1/flags"
#define OFREP "/ofrep/v1/evaluate/flags"

static struct rig rig;

static int start(void **state)
{
    (void)state;
    rig_init(&rig);
    rig_serve(&rig, NULL);
    rig_does(&rig, 201, "POST", FLAGS, "{\"key\":\"a\",\"state\":\"on\"}");
    return 0;
}

static int stop(void **state)
{
    (void)state;
    rig_fini(&rig);
    return 0;
}

/* Runs SQL on the store, as another program would. */
static void sql(const char *text)
{
    sqlite3 *db = NULL;
    char *error = NULL;

    assert_int_equal(sqlite3_open(rig.store + strlen("sqlite:"), &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, text, NULL, NULL, &error) != SQLITE_OK) {
        fail_msg("%s: %s", text, error);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static double member(const char *path, const char *name)
{
    struct json *json = rig_call(&rig, 200, "GET", path, NULL, NULL, NULL);
    double number = json_number(json_get(json, name), -1);

    json_free(json);
    return number;
}

static void assert_says(const char *part)
{
    if (strstr(rig.reply.body, part) == NULL) {
        fail_msg("\"%s\" is not in %s", part, rig.reply.body);
    }
}

static bool log_has(const char *part)
{
    char *text = NULL;
    size_t len;
    bool has;

    assert_int_equal(file_read(rig.log, 1 << 22, &text, &len, NULL), ERR_OK);
    has = strstr(text, part) != NULL;
    free(text);
    return has;
}

/* ---- crowds ---- */

static void crowds_are_evaluated(void **state)
{
    static const unsigned sizes[] = {128, 256, 512};
    char request[400];

    (void)state;
    snprintf(request, sizeof request,
             "POST " OFREP "/a HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
             "Content-Length: 14\r\n\r\n{\"context\":{}}",
             rig.token);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int took_ms;

        assert_int_equal(wire_crowd(rig.port, sizes[i], 4, request, 20000, &took_ms), sizes[i] * 4);
        print_message("%u connections at once, 4 evaluations each: %d ms\n", sizes[i], took_ms);
    }
}

/* ---- stops ---- */

static void a_stop_answers_what_came_in(void **state)
{
    enum { ASKING = 60 };
    int fds[ASKING];
    struct wire_reply *reply = calloc(1, sizeof *reply);
    char request[600];

    (void)state;
    for (int i = 0; i < ASKING; i++) { /* changes: each waits for the disk */
        char body[100];

        snprintf(body, sizeof body, "{\"key\":\"stop-%d\"}", i);
        snprintf(request, sizeof request,
                 "POST " FLAGS " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 rig.token, strlen(body), body);
        fds[i] = wire_connect(rig.port);
        wire_text(fds[i], request);
    }
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    for (int i = 0; i < ASKING; i++) {
        wire_read(fds[i], reply);
        assert_int_equal(reply->status, 201);
        (void)close(fds[i]);
    }
    free(reply);
    assert_int_equal(wire_connect(rig.port), -1);
    assert_true(log_has("stopped"));
    rig_serve(&rig, NULL);
    for (int i = 0; i < ASKING; i++) {
        char path[60];

        snprintf(path, sizeof path, FLAGS "/stop-%d", i);
        rig_does(&rig, 200, "GET", path, NULL);
    }
}

static void idle_connections_do_not_hold_up_a_stop(void **state)
{
    int idle = wire_connect(rig.port), half = wire_connect(rig.port);
    int64_t began = clock_monotonic_us();

    (void)state;
    wire_text(half, "GET /healthz HT");
    assert_int_equal(rig_stop(&rig, SIGINT), 0);
    assert_true(clock_monotonic_us() - began < 3000000);
    (void)close(idle);
    (void)close(half);
    rig_serve(&rig, NULL);
}

/* ---- restarts ---- */

static void a_restart_keeps_everything(void **state)
{
    struct json *before, *after;
    double epoch, revision;

    (void)state;
    rig_does(&rig, 200, "PUT", "/api/v1/migrations/db/m-a",
             "{\"state\":\"in-sync\",\"flag\":{\"key\":\"a\"}}");
    json_free(rig_call(&rig, 200, "GET", "/sdk/v1/ruleset", NULL,
                       "X-Lockstep-Client: logger\r\nX-Lockstep-Instance: 7\r\n", NULL));
    rig_does(&rig, 200, "POST", "/ofrep/v1/evaluate/flags/a", "{}");
    before = rig_call(&rig, 200, "GET", FLAGS "/a", NULL, NULL, NULL);
    epoch = member(FLAGS, "epoch");
    revision = member(FLAGS, "revision");
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    rig_serve(&rig, NULL);
    after = rig_call(&rig, 200, "GET", FLAGS "/a", NULL, NULL, NULL);
    assert_true(json_equal(before, after));
    assert_non_null(json_get(after, "tie"));
    assert_true(member(FLAGS, "epoch") == epoch && member(FLAGS, "revision") == revision);
    json_free(before);
    json_free(after);
    /* A gate must not open just because the server has forgotten whom to wait for. */
    after = rig_call(&rig, 200, "GET", "/api/v1/gate?flag=a&database_id=db&migration=m-a", NULL,
                     NULL, NULL);
    assert_non_null(strstr(rig.reply.body, "\"name\":\"logger\",\"instance\":\"7\""));
    assert_non_null(strstr(rig.reply.body, "\"kind\":\"ofrep\""));
    json_free(after);
    after = rig_call(&rig, 200, "GET", "/api/v1/audit?flag=a", NULL, NULL, NULL);
    assert_int_equal(json_count(json_get(after, "events")), 2);
    json_free(after);
    rig_does(&rig, 204, "DELETE", "/api/v1/migrations/db/none", NULL);
}

/* What the first version left behind: its tables, and a client that it wrote down. */
static void an_older_store_is_brought_up_to_date(void **state)
{
    struct json *answer, *before = rig_call(&rig, 200, "GET", FLAGS, NULL, NULL, NULL);

    (void)state;
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    sql("ALTER TABLE client DROP COLUMN kind; ALTER TABLE tie DROP COLUMN hold_owner; "
        "ALTER TABLE tie DROP COLUMN hold_taken_ms; ALTER TABLE tie DROP COLUMN hold_renewed_ms; "
        "ALTER TABLE tie DROP COLUMN sequence; ALTER TABLE token DROP COLUMN environment; "
        "ALTER TABLE flag RENAME TO whole; "
        "CREATE TABLE flag(environment TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, "
        "revision INTEGER NOT NULL, changed_ms INTEGER NOT NULL, archived_ms INTEGER, document "
        "TEXT NOT NULL, PRIMARY KEY(environment, key)); "
        "INSERT INTO flag SELECT s.environment, s.key, s.version, s.revision, s.changed_ms, "
        "w.archived_ms, json_patch(w.document, s.document) FROM flag_state s JOIN whole w ON w.key "
        "= s.key; DROP TABLE whole; DROP TABLE flag_state; "
        "DROP TABLE flag_use; ALTER TABLE environment DROP COLUMN watched_ms; "
        "ALTER TABLE environment DROP COLUMN all_used_ms; "
        "ALTER TABLE environment DROP COLUMN position; "
        "ALTER TABLE environment DROP COLUMN is_default; "
        "ALTER TABLE environment DROP COLUMN dropped_ms; "
        "DROP TABLE piece; DROP TABLE schedule; DROP TABLE domain_shard; "
        "DELETE FROM d1_migrations WHERE name >= '0002'; "
        "DELETE FROM lockstep_journal WHERE migration >= '0002';");
    rig_serve(&rig, NULL);
    answer = rig_call(&rig, 200, "GET", "/api/v1/clients", NULL, NULL, NULL);
    assert_non_null(
        strstr(rig.reply.body, "\"name\":\"logger\",\"instance\":\"7\",\"kind\":\"sdk\""));
    json_free(answer);
    answer = rig_call(&rig, 200, "GET", FLAGS "/a", NULL, NULL, NULL);
    assert_non_null(json_get(answer, "tie"));
    json_free(answer);
    answer = rig_call(&rig, 200, "GET", FLAGS, NULL, NULL, NULL);
    assert_true(json_equal(json_get(before, "flags"), json_get(answer, "flags")));
    json_free(answer);
    json_free(before);
}

static int64_t events_since(int days)
{
    char text[200];
    sqlite3_stmt *statement = NULL;
    sqlite3 *db = NULL;
    int64_t count;

    assert_int_equal(sqlite3_open(rig.store + strlen("sqlite:"), &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 5000);
    snprintf(text, sizeof text, "SELECT count(*) FROM audit WHERE at_ms > %lld",
             (long long)clock_wall_ms() - days * 86400000LL);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    count = sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return count;
}

/* Asks until so many events are left; fails after 10 s. */
static void wait_for_events(int days, int64_t wanted)
{
    int64_t began = clock_monotonic_us(), count = -1;

    while (clock_monotonic_us() - began < 10000000) {
        rig_does(&rig, 200, "GET", "/readyz", NULL);
        count = events_since(days);
        if (count == wanted) {
            return;
        }
        clock_sleep_us(20000);
    }
    fail_msg("%lld events, not %lld", (long long)count, (long long)wanted);
}

static void the_audit_is_kept_as_long_as_told(void **state)
{
    char out[2000];
    int64_t fresh;

    (void)state;
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    fresh = events_since(300);
    sql("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) "
        "INSERT INTO audit(id, environment, at_ms, actor, action, revision) SELECT -i, (SELECT "
        "name "
        "FROM environment), i, 'old', 'flag.update', 1 FROM n");
    rig_serve(&rig, NULL);
    wait_for_events(30000, fresh + 1200); /* all is kept unless told */
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    rig_serve(&rig, "--audit-keep=400d");
    wait_for_events(30000, fresh);
    rig_does(&rig, 200, "GET", "/api/v1/audit?limit=1000", NULL);
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    rig_serve(&rig, "--audit-rows=2");
    wait_for_events(30000, 2);
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    rig_serve(&rig, NULL);
    assert_int_equal(rig_run(out, sizeof out, "flag-server", "serve", "--store", rig.store,
                             "--audit-keep", "0d", NULL),
                     2);
    assert_int_equal(rig_run(out, sizeof out, "flag-server", "serve", "--store", rig.store,
                             "--audit-keep", "400", NULL),
                     2);
    assert_non_null(strstr(out, "as 400d"));
    assert_int_equal(rig_run(out, sizeof out, "flag-server", "serve", "--store", rig.store,
                             "--audit-rows", "0", NULL),
                     2);
}

struct writer {
    atomic_bool end;
    atomic_int acknowledged; /* the last version that was answered 200 */
    unsigned port;
};

static void *write_until_the_end(void *arg)
{
    struct writer *writer = arg;
    struct wire_reply *reply = calloc(1, sizeof *reply);

    for (int n = 1; !atomic_load(&writer->end); n++) {
        char body[300], request[700];

        snprintf(body, sizeof body,
                 "{\"key\":\"crash\",\"type\":\"boolean\",\"state\":\"on\",\"variants\":{\"on\":"
                 "true,\"off\":false},\"off_variant\":\"off\",\"fallthrough\":{\"variant\":\"on\"},"
                 "\"description\":\"%d\"}",
                 atomic_load(&writer->acknowledged) + 1);
        snprintf(request, sizeof request,
                 "PUT " FLAGS "/crash HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
                 "If-Match: *\r\nContent-Length: %zu\r\n\r\n%s",
                 rig.token, strlen(body), body);
        wire_ask(writer->port, request, reply);
        if (reply->status == 200) {
            atomic_fetch_add(&writer->acknowledged, 1);
        }
    }
    free(reply);
    return NULL;
}

static void kill_9_keeps_what_was_acknowledged(void **state)
{
    const char *full = getenv("CHECK_FULL");
    int rounds = full != NULL && full[0] != '\0' ? 200 : 12;
    struct writer writer = {.port = 0};
    int64_t first_revision, second_revision;

    (void)state;
    rig_does(&rig, 201, "POST", FLAGS, "{\"key\":\"crash\",\"description\":\"0\"}");
    rig_does(&rig, 201, "POST", "/api/v1/environments", "{\"name\":\"second\"}");
    first_revision = (int64_t)member(FLAGS, "revision");
    second_revision = (int64_t)member(FLAGS "?environment=second", "revision");
    for (int round = 0; round < rounds; round++) {
        struct json *flag;
        pthread_t thread;
        int stored, acknowledged;

        atomic_store(&writer.end, false);
        writer.port = rig.port;
        pthread_create(&thread, NULL, write_until_the_end, &writer);
        clock_sleep_us(20000 + round * 3000 % 50000);
        assert_int_equal(rig_stop(&rig, SIGKILL), 128 + SIGKILL);
        atomic_store(&writer.end, true);
        pthread_join(thread, NULL);
        rig_serve(&rig, NULL);
        flag = rig_call(&rig, 200, "GET", FLAGS "/crash", NULL, NULL, NULL);
        stored = (int)strtol(json_get_text(flag, "description", "-1"), NULL, 10);
        json_free(flag);
        acknowledged = atomic_load(&writer.acknowledged);
        /* The one change that was under way may be in without its answer. */
        assert_in_range(stored, acknowledged, acknowledged + 1);
        atomic_store(&writer.acknowledged, stored);
        /* No gap, and none twice; a busy machine may get no change in before the kill. */
        assert_int_equal((int64_t)member(FLAGS, "revision"), first_revision + stored);
        /* What all environments see is in all of them, or in none. */
        assert_int_equal((int64_t)member(FLAGS "?environment=second", "revision"),
                         second_revision + stored);
        flag = rig_call(&rig, 200, "GET", FLAGS "/crash?environment=second", NULL, NULL, NULL);
        assert_int_equal(strtol(json_get_text(flag, "description", "-1"), NULL, 10), stored);
        json_free(flag);
    }
    rig_does(&rig, 204, "DELETE", "/api/v1/environments/second", NULL);
    assert_true(atomic_load(&writer.acknowledged) > 0);
    print_message("%d kills, %d changes\n", rounds, atomic_load(&writer.acknowledged));
}

/* ---- stores in trouble ---- */

static void a_locked_store_is_still_evaluated(void **state)
{
    sqlite3 *db = NULL;
    int64_t began;

    (void)state;
    assert_int_equal(sqlite3_open(rig.store + strlen("sqlite:"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    began = clock_monotonic_us();
    rig_does(&rig, 503, "POST", FLAGS, "{\"key\":\"while-locked\"}");
    assert_says("nothing was changed");
    assert_string_equal(wire_header(&rig.reply, "Retry-After"), "5");
    assert_true(clock_monotonic_us() - began < 5000000);
    rig_does(&rig, 200, "POST", OFREP "/a", "{\"context\":{}}");
    json_free(
        rig_call(&rig, 200, "GET", "/sdk/v1/ruleset", NULL, "X-Lockstep-Client: new\r\n", NULL));
    rig_does(&rig, 200, "GET", FLAGS "/a", NULL);
    assert_int_equal(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    rig_does(&rig, 404, "GET", FLAGS "/while-locked", NULL);
    rig_does(&rig, 201, "POST", FLAGS, "{\"key\":\"while-locked\"}");
}

static void a_change_and_its_audit_are_one(void **state)
{
    double revision = member(FLAGS, "revision");

    (void)state;
    sql("CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no audit'); "
        "END");
    rig_does(&rig, 503, "POST", FLAGS, "{\"key\":\"unaudited\"}");
    assert_says("no audit");
    rig_set(&rig, 503, "a", "state", "\"off\"");
    rig_does(&rig, 503, "POST", "/api/v1/tokens", "{\"role\":\"viewer\",\"name\":\"x\"}");
    rig_does(&rig, 404, "GET", FLAGS "/unaudited", NULL);
    assert_true(member(FLAGS, "revision") == revision);
    sql("DROP TRIGGER no_audit");
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    rig_serve(&rig, NULL); /* nor does the file know anything of it */
    rig_does(&rig, 404, "GET", FLAGS "/unaudited", NULL);
    assert_true(member(FLAGS, "revision") == revision);
}

/* Whatever part of a change the store refuses, all of it is refused, and nothing is left. */
static void every_statement_may_fail(void **state)
{
    static const char *const tables[] = {
        "INSERT ON flag",  "INSERT ON flag_state", "UPDATE ON environment", "INSERT ON tie",
        "INSERT ON token", "INSERT ON audit",      "INSERT ON client"};
    static const struct {
        const char *path, *body;
    } changes[] = {
        {FLAGS, "{\"key\":\"fails\"}"},
        {"/api/v1/tokens", "{\"role\":\"viewer\",\"name\":\"fails\"}"},
    };

    (void)state;
    rig_does(&rig, 201, "POST", FLAGS, "{\"key\":\"failing\"}");
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        struct json *before = rig_call(&rig, 200, "GET", FLAGS, NULL, NULL, NULL), *after;
        char trigger[200];
        int failed = 0;

        snprintf(trigger, sizeof trigger,
                 "CREATE TRIGGER fails BEFORE %s BEGIN SELECT RAISE(ABORT, 'planted'); END",
                 tables[t]);
        sql(trigger);
        for (size_t c = 0; c < sizeof changes / sizeof changes[0]; c++) {
            char request[600];

            snprintf(request, sizeof request,
                     "POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     changes[c].path, rig.token, strlen(changes[c].body), changes[c].body);
            wire_ask(rig.port, request, &rig.reply);
            failed += rig.reply.status == 503 && strstr(rig.reply.body, "planted") != NULL;
            if (rig.reply.status == 201 && c == 0) { /* this one did not touch the table */
                json_free(
                    rig_call(&rig, 204, "DELETE", FLAGS "/fails", NULL, "If-Match: *\r\n", NULL));
                sql("DROP TRIGGER fails; DELETE FROM flag WHERE key = 'fails'; DELETE FROM "
                    "flag_state WHERE key = 'fails'");
                assert_int_equal(rig_stop(&rig, SIGTERM), 0);
                rig_serve(&rig, NULL);
                sql(trigger);
            }
        }
        if (strstr(tables[t], "tie") != NULL) {
            rig_does(&rig, 503, "PUT", "/api/v1/migrations/db/m-f",
                     "{\"state\":\"pending\",\"flag\":{\"key\":\"failing\"}}");
            failed++;
        }
        json_free(rig_call(&rig, 200, "GET", "/sdk/v1/ruleset", NULL, "X-Lockstep-Client: f\r\n",
                           NULL)); /* a client that cannot be recorded is answered all the same */
        sql("DROP TRIGGER fails");
        assert_true(failed > 0 || strstr(tables[t], "client") != NULL);
        after = rig_call(&rig, 200, "GET", FLAGS, NULL, NULL, NULL);
        assert_true(json_equal(json_get(before, "flags"), json_get(after, "flags")));
        json_free(before);
        json_free(after);
    }
    rig_does(&rig, 204, "DELETE", "/api/v1/migrations/db/m-f", NULL);
}

static void another_program_s_change_is_seen(void **state)
{
    double version = member(FLAGS "/a", "version");

    (void)state;
    sql("UPDATE environment SET revision = revision + 1;"
        "UPDATE flag_state SET version = version + 1, document = json_set(document, '$.state', "
        "'off') WHERE key = 'a'");
    rig_does(&rig, 200, "POST", OFREP "/a", "{\"context\":{}}");
    rig_does(&rig, 503, "POST", FLAGS, "{\"key\":\"behind\"}");
    assert_says("another program");
    assert_true(member(FLAGS "/a", "version") == version + 1);
    rig_does(&rig, 201, "POST", FLAGS, "{\"key\":\"behind\"}");
}

static void a_full_disk_is_said(void **state)
{
    struct stat store;
    int refused = 0;

    (void)state;
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    assert_int_equal(stat(rig.store + strlen("sqlite:"), &store), 0);
    rig.file_bytes_max = (long)store.st_size + 20000;
    rig_serve(&rig, NULL);
    for (int i = 0; i < 200 && refused == 0; i++) {
        char request[500], body[100];

        snprintf(body, sizeof body, "{\"key\":\"full-%d\"}", i);
        snprintf(request, sizeof request,
                 "POST " FLAGS " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
                 "Content-Length: %zu\r\n\r\n%s",
                 rig.token, strlen(body), body);
        wire_ask(rig.port, request, &rig.reply);
        if (rig.reply.status != 201) {
            assert_int_equal(rig.reply.status, 503);
            assert_says("nothing was changed");
            refused = 1;
        }
    }
    assert_int_equal(refused, 1);
    rig_does(&rig, 200, "POST", OFREP "/a", "{\"context\":{}}");
    rig_does(&rig, 200, "GET", FLAGS, NULL);
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    rig.file_bytes_max = 0;
    rig_serve(&rig, NULL);
    rig_does(&rig, 201, "POST", FLAGS, "{\"key\":\"room-again\"}");
}

static void archiving_makes_room_for_flags(void **state)
{
    char many[600];

    (void)state;
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    snprintf(many, sizeof many,
             "INSERT INTO flag(key, version, created_ms, document) "
             "WITH RECURSIVE n(i) AS (SELECT count(*) + 1 FROM flag WHERE archived_ms IS NULL "
             "UNION ALL SELECT i + 1 FROM n WHERE i < %u) "
             "SELECT 'many-' || i, 1, created_ms, "
             "json_set(document, '$.key', 'many-' || i) FROM n, flag WHERE key = 'a'",
             LIMIT_FLAGS);
    sql(many);
    rig_serve(&rig, NULL);
    rig_does(&rig, 413, "POST", FLAGS, "{\"key\":\"one-more\"}");
    assert_says("archive");
    json_free(rig_call(&rig, 204, "DELETE", FLAGS "/many-9999", NULL, "If-Match: \"1\"\r\n", NULL));
    rig_does(&rig, 201, "POST", FLAGS, "{\"key\":\"one-more\"}");
    rig_does(&rig, 413, "POST", FLAGS, "{\"key\":\"two-more\"}");
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    sql("DELETE FROM flag WHERE key LIKE 'many-%'; DELETE FROM flag_state WHERE key LIKE "
        "'many-%'");
    rig_serve(&rig, NULL);
}

static void a_read_only_store_is_still_evaluated(void **state)
{
    const char *file = rig.store + strlen("sqlite:");

    (void)state;
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    assert_int_equal(chmod(file, 0444), 0);
    assert_int_equal(chmod(rig.folder, 0777), 0);
    assert_int_equal(chmod(rig.log, 0666), 0);
    rig.as_nobody = true;
    rig_serve(&rig, NULL);
    assert_true(log_has("store-read-only"));
    rig_does(&rig, 200, "POST", OFREP "/a", "{\"context\":{}}");
    rig_does(&rig, 200, "GET", "/sdk/v1/ruleset", NULL);
    rig_does(&rig, 503, "POST", FLAGS, "{\"key\":\"read-only\"}");
    rig_does(&rig, 200, "GET", "/readyz", NULL);
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    rig.as_nobody = false;
    assert_int_equal(chmod(file, 0644), 0);
    rig_serve(&rig, NULL);
    rig_does(&rig, 201, "POST", FLAGS, "{\"key\":\"read-only\"}");
}

static void a_flag_outside_its_range_is_noticed(void **state)
{
    (void)state;
    rig_does(&rig, 201, "POST", FLAGS, "{\"key\":\"restored\",\"state\":\"on\"}");
    rig_does(&rig, 200, "PUT", "/api/v1/migrations/db/m-r",
             "{\"state\":\"dual-writing\",\"flag\":{\"key\":\"restored\"}}");
    rig_does(&rig, 200, "GET", "/readyz", NULL);
    assert_int_equal(rig_stop(&rig, SIGTERM), 0);
    sql("UPDATE tie SET state = 'contracted' WHERE migration = 'm-r'"); /* a backup, put back */
    rig_serve(&rig, NULL);
    rig_does(&rig, 503, "GET", "/readyz", NULL);
    assert_says("m-r");
    assert_true(log_has("conflict"));
    rig_does(&rig, 200, "POST", OFREP "/restored", "{\"context\":{}}");
    rig_set(&rig, 200, "restored", "fallthrough", "{\"variant\":\"on\"}");
    rig_does(&rig, 200, "GET", "/readyz", NULL);
}

/* ---- starts that cannot be ---- */

static void a_port_in_use_is_said(void **state)
{
    char said[1000], listen[40];

    (void)state;
    snprintf(listen, sizeof listen, "127.0.0.1:%u", rig.port);
    assert_int_equal(rig_run(said, sizeof said, "flag-server", "serve", "--store", rig.store,
                             "--listen", listen, NULL),
                     1);
    assert_non_null(strstr(said, "in use"));
    assert_non_null(strstr(said, "--listen"));
    rig_does(&rig, 200, "GET", "/healthz", NULL);
}

static void a_foreign_database_is_left_alone(void **state)
{
    char said[1000], foreign[300];
    sqlite3 *db = NULL;

    (void)state;
    snprintf(foreign, sizeof foreign, "%s/foreign.db", rig.folder);
    assert_int_equal(sqlite3_open(foreign, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE customer(id)", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(rig_run(said, sizeof said, "flag-server", "init", "--store", foreign, NULL),
                     2);
    assert_non_null(strstr(said, "another program"));
    assert_int_equal(rig_run(said, sizeof said, "flag-server", "serve", "--store", foreign, NULL),
                     2);
    assert_non_null(strstr(said, "flag-server init"));
    assert_int_equal(rig_run(said, sizeof said, "flag-server", "init", "--store", rig.store, NULL),
                     3);
    assert_int_equal(rig_run(said, sizeof said, "flag-server", "token", "--store", foreign,
                             "--role", "admin", "--name", "x", NULL),
                     2);
    assert_int_equal(rig_run(said, sizeof said, "flag-server", "token", "--store", rig.store,
                             "--role", "king", "--name", "x", NULL),
                     2);
    assert_int_equal(rig_run(said, sizeof said, "flag-server", "serve", "--store", rig.store,
                             "--listen", "nowhere", NULL),
                     2);
    assert_int_equal(rig_run(said, sizeof said, "flag-server", "serve", NULL), 2);
    assert_non_null(strstr(said, "--store"));
}

static void an_init_prints_its_token_once(void **state)
{
    char said[1000], store[300];
    struct json *json = NULL;

    (void)state;
    snprintf(store, sizeof store, "%s/second.db", rig.folder);
    assert_int_equal(
        rig_run(said, sizeof said, "flag-server", "init", "--store", store, "--json", NULL), 0);
    assert_int_equal(json_parse(said, strlen(said), &json, NULL), ERR_OK);
    assert_int_equal(strncmp(json_get_text(json, "token", ""), "ls_admin_", 9), 0);
    assert_string_equal(json_get_text(json, "environment", ""), "production");
    json_free(json);
}

static void no_secret_is_in_the_log(void **state)
{
    (void)state;
    assert_false(log_has(rig.token));
    assert_false(log_has("ls_"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crowds_are_evaluated),
        cmocka_unit_test(a_stop_answers_what_came_in),
        cmocka_unit_test(idle_connections_do_not_hold_up_a_stop),
        cmocka_unit_test(a_restart_keeps_everything),
        cmocka_unit_test(an_older_store_is_brought_up_to_date),
        cmocka_unit_test(the_audit_is_kept_as_long_as_told),
        cmocka_unit_test(kill_9_keeps_what_was_acknowledged),
        cmocka_unit_test(a_locked_store_is_still_evaluated),
        cmocka_unit_test(a_change_and_its_audit_are_one),
        cmocka_unit_test(every_statement_may_fail),
        cmocka_unit_test(another_program_s_change_is_seen),
        cmocka_unit_test(a_full_disk_is_said),
        cmocka_unit_test(archiving_makes_room_for_flags),
        cmocka_unit_test(a_read_only_store_is_still_evaluated),
        cmocka_unit_test(a_flag_outside_its_range_is_noticed),
        cmocka_unit_test(a_port_in_use_is_said),
        cmocka_unit_test(a_foreign_database_is_left_alone),
        cmocka_unit_test(an_init_prints_its_token_once),
        cmocka_unit_test(no_secret_is_in_the_log),
    };

    return cmocka_run_group_tests_name("operation", tests, start, stop);
}
