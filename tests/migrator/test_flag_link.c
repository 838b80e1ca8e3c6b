/*
 * What the migrator tells the flag server, in which order, and what it does when that fails: a flag
 * that is held stays so while the server does not know where the schema is.
 */
#include "tests/migrator/unit.h"

#include "migrator/migrate.h"
#include "tests/migrator/flag_peer.h"
#include "tests/migrator/play.h"

#define FACTS(on, off, behind)                                                                     \
    "{\"exists\":true,\"enabled_everywhere\":" on ",\"disabled_everywhere\":" off                  \
    ",\"stable_for_s\":1000,\"revision\":4,\"clients\":1,\"behind\":[],\"clients_behind\":" behind \
    ",\"clients_without_lease\":[]}"
#define OFF FACTS("false", "true", "[]")
#define ON FACTS("true", "false", "[]")

static char db[512], folder[512];
static const char *url;

static int setup(void **state)
{
    char path[700];
    sqlite3 *app;

    (void)state;
    snprintf(db, sizeof db, "%s", scratch("link.db"));
    snprintf(folder, sizeof folder, "%s", scratch("link"));
    play_remove(db);
    play_remove(folder);
    snprintf(path, sizeof path, "%s/0001_split/migration.json", folder);
    play_write(path, "{\"table\": \"person\", \"add\": {\"domain\": {\"type\": \"TEXT\"}}, "
                     "\"forward\": {\"domain\": \"substr(email, instr(email, '@') + 1)\"}, "
                     "\"flag\": \"read-domain\", \"lease_s\": 1, \"old_writes_idle\": \"0s\"}");
    app = app_open(db);
    app_run(app, "CREATE TABLE person(id INTEGER PRIMARY KEY, email TEXT NOT NULL);"
                 "INSERT INTO person(email) VALUES('a@b.example')");
    app_close(app);
    flag_peer_reset();
    flag_peer_facts(OFF);
    return 0;
}

static struct migrate *begin(struct err *err)
{
    struct migrate_options options = {
        .database = db, .folder = folder, .environment = "test", .flag_server = url};
    struct migrate *m = NULL;

    flag_peer_forget();
    if (migrate_open(&options, &m, err) != ERR_OK) {
        fail_msg("%s", err->msg);
    }
    return m;
}

static enum err_code apply(const char *to, struct err *err)
{
    struct migrate *m = begin(err);
    struct json *report = NULL;
    enum err_code rc = migrate_apply(m, &(struct migrate_apply){.to_state = to}, &report, err);

    json_free(report);
    migrate_close(m);
    return rc;
}

static enum err_code roll_back(const char *to, struct err *err)
{
    struct migrate *m = begin(err);
    struct json *report = NULL;
    enum err_code rc =
        migrate_rollback(m, &(struct migrate_rollback){.to_state = to}, &report, err);

    json_free(report);
    migrate_close(m);
    return rc;
}

static void good(enum err_code rc, const struct err *err)
{
    if (rc != ERR_OK) {
        fail_msg("%s", err->msg);
    }
}

/* The schema is back in dual-writing, where the new variant is wrong: a flag that was given free could
 * be turned on, because the server still believes in in-sync. */
static void a_hold_stays_where_a_report_is_lost(void **state)
{
    struct err err = {0};
    int64_t before;

    (void)state;
    good(apply("in-sync", &err), &err);
    flag_peer_refuse("PUT dual-writing", 503, "{\"detail\": \"the store is full\"}");
    assert_int_not_equal(roll_back("dual-writing", &err), ERR_OK);
    assert_non_null(strstr(err.msg, "the flag server does not know it"));
    assert_string_equal(flag_peer_told(), "DELETE; POST; POST; PUT dual-writing; ");
    assert_string_equal(play_state(db, folder, "0001_split"), "dual-writing");

    /* The next run tells it, before anything else and with the lock: there is nothing to apply. */
    before = flag_peer_sequence();
    flag_peer_refuse("", 0, "");
    good(apply("dual-writing", &err), &err);
    assert_string_equal(flag_peer_told(), "PUT dual-writing; ");
    assert_true(flag_peer_sequence() >> 20 > before >> 20);
}

/* From run to run, too: what is sent later has the higher number. */
static void messages_have_their_order(void **state)
{
    struct err err = {0};
    int64_t last = 0;

    (void)state;
    for (int round = 0; round < 2; round++) {
        flag_peer_facts(OFF);
        good(apply("in-sync", &err), &err);
        assert_true(flag_peer_in_order());
        assert_true(flag_peer_sequence() >> 20 > last >> 20);
        flag_peer_facts(ON);
        good(apply("contracted", &err), &err);
        assert_true(flag_peer_in_order());
        assert_string_equal(flag_peer_told(), "POST; POST; PUT contracted; ");
        assert_true(flag_peer_heard_of("test")); /* with each of its requests */
        good(roll_back("in-sync", &err), &err);
        assert_true(flag_peer_in_order());
        flag_peer_facts(OFF);
        good(roll_back("pending", &err), &err);
        assert_true(flag_peer_in_order());
        last = flag_peer_sequence();
    }
}

/* However long the server's words are, the command that goes first is whole. */
static void a_refusal_keeps_its_command(void **state)
{
    static const char command[] = "flags ramp read-domain --domain a-customer-with-quite-a-long-"
                                  "name.and-another-label.example --to 0%";
    char detail[600], body[1500];
    struct err err = {0};

    (void)state;
    memset(detail, 'x', 500);
    snprintf(detail + 500, sizeof detail - 500, "; first run: %.60s", command);
    snprintf(body, sizeof body, "{\"detail\": \"%.500s; first run: %s\", \"command\": \"%s\"}",
             detail, command, command);
    flag_peer_refuse("PUT expanded", 409, body);
    assert_int_equal(apply("in-sync", &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, command));
    assert_null(strstr(strstr(err.msg, "first run:") + 1, "first run:"));
    flag_peer_refuse("PUT expanded", 409, "{\"detail\": \"no\", \"command\": \"\"}");
    assert_int_equal(apply("in-sync", &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "flag server: no"));
}

/* A client that is behind closes the gate by its name and instance, until somebody says it is gone. */
static void a_client_that_is_gone_is_accepted(void **state)
{
    static const char *const other[] = {"w-18", NULL}, *const gone[] = {"w-17", NULL};
    struct migrate_apply what = {.to_state = "contracted", .reason = "it was killed"};
    struct err err = {0};

    (void)state;
    good(apply("in-sync", &err), &err);
    flag_peer_facts(
        FACTS("true", "false",
              "[{\"name\":\"worker\",\"instance\":\"w-17\",\"kind\":\"sdk\",\"seconds_ago\":40}]"));
    for (int i = 0; i < 2; i++) {
        struct migrate *m = begin(&err);
        struct json *report = NULL;
        enum err_code rc;

        what.accept_stale = i == 0 ? other : gone;
        rc = migrate_apply(m, &what, &report, &err);
        json_free(report);
        migrate_close(m);
        assert_int_equal(rc, i == 0 ? ERR_CONFLICT : ERR_OK);
        if (i == 0) {
            assert_non_null(strstr(err.msg, "worker (w-17"));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_hold_stays_where_a_report_is_lost, setup),
        cmocka_unit_test_setup(messages_have_their_order, setup),
        cmocka_unit_test_setup(a_refusal_keeps_its_command, setup),
        cmocka_unit_test_setup(a_client_that_is_gone_is_accepted, setup),
    };
    int failed;

    url = flag_peer_start();
    if (url == NULL) {
        return 1;
    }
    failed = cmocka_run_group_tests_name("flag link", tests, NULL, NULL);
    flag_peer_stop();
    return failed;
}
