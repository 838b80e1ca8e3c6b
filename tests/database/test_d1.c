/*
 * The D1 driver: the suite that every engine passes, against a scripted peer (or the API that
 * D1_TEST_API names, with D1_TEST_URL and D1_TEST_TOKEN), and faults of the way between.
 */
#include "tests/database/engine_suite.h"

#include "base/buf.h"
#include "base/clock.h"
#include "database/d1_rules.h"
#include "tests/database/d1_peer.h"

#define TOKEN "a-token-of-the-test"

static struct d1_peer *peer; /* NULL: a real API */

static struct database *open_d1(const char *url, bool read_only)
{
    struct database *db = NULL;
    struct database_options options = {.api =
                                           peer != NULL ? d1_peer_api(peer) : getenv("D1_TEST_API"),
                                       .token = peer != NULL ? TOKEN : getenv("D1_TEST_TOKEN"),
                                       .read_only = read_only};

    if (database_open(url, &options, &db, &suite_err) != ERR_OK) {
        fail_msg("%s", suite_err.msg);
    }
    return db;
}

/* What a former case left on a real database. */
static void drop_all(struct database *db)
{
    struct database_rows *rows = NULL;
    struct buf sql = {0};

    assert_int_equal(
        database_query(db,
                       "SELECT type, name FROM sqlite_master WHERE type IN ('table', "
                       "'view') AND name NOT LIKE 'sqlite%' AND name NOT LIKE '\\_cf%' "
                       "ESCAPE '\\' AND name NOT LIKE 'lockstep%' ORDER BY type DESC, "
                       "rowid DESC",
                       NULL, 0, &rows, &suite_err),
        ERR_OK);
    for (size_t i = 0; i < database_rows_count(rows); i++) {
        buf_clear(&sql);
        buf_print(&sql, "DROP %s ", database_rows_text(rows, i, 0));
        buf_sql_name(&sql, str_of(database_rows_text(rows, i, 1)));
        assert_int_equal(suite_run(db, buf_cstr(&sql)), ERR_OK);
    }
    buf_fini(&sql);
    database_rows_free(rows);
}

static int setup(void **state)
{
    if (peer != NULL) {
        d1_peer_clear(peer);
    }
    *state = open_d1(peer != NULL ? D1_PEER_URL : getenv("D1_TEST_URL"), false);
    if (peer == NULL) {
        drop_all(*state);
    }
    assert_int_equal(database_prepare_guards(*state, &suite_err), ERR_OK);
    return 0;
}

static int teardown(void **state)
{
    database_close(*state);
    return 0;
}

/* ---- names, tokens ---- */

static void a_database_is_named_by_id_or_name(void **state)
{
    static const char *const wrong[] = {"d1:shop", "d1://acc", "d1:///x", "d1://acc/",
                                        "d1://a/b/c"};
    struct database_options options = {.api = d1_peer_api(peer), .token = TOKEN};
    struct database *db;

    database_close(*state);
    *state = NULL;
    db = open_d1("d1://acc/" D1_PEER_NAME, false);
    assert_int_equal(suite_number(db, "SELECT 7"), 7);
    assert_string_equal(database_url(db), "d1://acc/shop");
    database_close(db);
    db = NULL;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_int_equal(database_open(wrong[i], &options, &db, &suite_err), ERR_INVALID);
    }
    assert_int_equal(database_open("d1://acc/none", &options, &db, &suite_err), ERR_NOT_FOUND);
    assert_int_equal(database_open("d1://other/" D1_PEER_NAME, &options, &db, &suite_err),
                     ERR_NOT_FOUND);
    options.token = "wrong-token";
    assert_int_equal(database_open(D1_PEER_URL, &options, &db, &suite_err), ERR_DENIED);
    assert_null(strstr(suite_err.msg, "wrong-token"));
    options.token = NULL;
    assert_int_equal(database_open(D1_PEER_URL, &options, &db, &suite_err), ERR_DENIED);
    assert_non_null(strstr(suite_err.msg, "CLOUDFLARE_API_TOKEN"));
    assert_null(db);
}

static void reading_only_writes_nothing(void **state)
{
    const struct database_capabilities *capabilities = NULL;
    struct database *db;

    assert_int_equal(suite_run(*state, "CREATE TABLE t(a)"), ERR_OK);
    database_close(*state);
    *state = NULL;
    db = open_d1(D1_PEER_URL, true);
    assert_int_equal(suite_number(db, "SELECT count(*) FROM t"), 0);
    assert_int_equal(database_probe(db, &capabilities, &suite_err), ERR_OK);
    assert_int_equal(suite_run(db, "INSERT INTO t VALUES(1)"), ERR_DENIED);
    assert_int_equal(suite_number(db, "SELECT count(*) FROM t"), 0);
    database_close(db);
}

/* ---- what D1 does not bear is said before anything is sent ---- */

static void refused_before_it_is_sent(void **state)
{
    static const struct {
        const char *sql, *words;
    } cases[] = {
        {"BEGIN IMMEDIATE", "no BEGIN"},
        {"savepoint x", "savepoint"},
        {"VACUUM", "VACUUM"},
        {"ATTACH 'x' AS y", "ATTACH"},
        {"CREATE TEMP TABLE x(a)", "TEMP"},
        {"PRAGMA journal_mode = WAL", "journal_mode"},
        {"PRAGMA legacy_alter_table = ON", "stays set"},
        {"PRAGMA ignore_check_constraints(1)", "stays set"},
        {"INSERT INTO t VALUES(1); DELETE FROM t", "two statements"},
        {"  ", "empty"},
        {"INSERT INTO t VALUES(?3)", "?3"},
    };
    unsigned before = d1_peer_requests(peer);

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(suite_run(*state, cases[i].sql), ERR_INVALID);
        if (strstr(suite_err.msg, cases[i].words) == NULL) {
            fail_msg("%s: %s", cases[i].sql, suite_err.msg);
        }
    }
    assert_int_equal(d1_peer_requests(peer), before);
}

/* The peer itself ends the test if we were to leave one on; this is about what others left. */
static void a_setting_that_was_left_on_is_refused(void **state)
{
    static const char *const settings[] = {"legacy_alter_table", "ignore_check_constraints"};

    assert_int_equal(suite_run(*state, "CREATE TABLE t(a)"), ERR_OK);
    database_close(*state); /* the peer serves one connection at a time */
    *state = NULL;
    for (size_t i = 0; i < COUNT(settings); i++) {
        char sql[80];
        struct database *db = open_d1(D1_PEER_URL, false);
        (void)snprintf(sql, sizeof sql, "PRAGMA %s = ON", settings[i]); /* lint: not SQL */
        d1_peer_run(peer, sql);
        assert_int_equal(suite_run(db, "INSERT INTO t VALUES(1)"), ERR_CONFLICT);
        assert_non_null(strstr(suite_err.msg, settings[i]));
        assert_int_equal(suite_number(db, "SELECT count(*) FROM t"), (int64_t)i);
        (void)snprintf(sql, sizeof sql, "PRAGMA %s = OFF", settings[i]); /* lint: not SQL */
        d1_peer_run(peer, sql);
        assert_int_equal(suite_run(db, "INSERT INTO t VALUES(1)"), ERR_OK);
        database_close(db);
    }
}

static void settings_that_are_not_shown_stop_nothing(void **state)
{
    struct database *db;

    assert_int_equal(suite_run(*state, "CREATE TABLE t(a)"), ERR_OK);
    database_close(*state);
    d1_peer_hide_settings(peer, true);
    *state = db = open_d1(D1_PEER_URL, false);
    assert_int_equal(suite_run(db, "INSERT INTO t VALUES(1)"), ERR_OK);
    d1_peer_hide_settings(peer, false);
    assert_int_equal(suite_number(db, "SELECT count(*) FROM t"), 1);
}

/* However the base URL ends; with the token in the place that the API looks for it, and in no message,
 * whatever is wrong. */
static void where_and_as_whom(void **state)
{
    static const char *const ends[] = {"", "/", "///"};
    static const char *const wrong[] = {"ftp://127.0.0.1/x", "no url"};
    struct database_options options = {.token = TOKEN};
    struct database *db = NULL;
    char api[120];

    database_close(*state);
    *state = NULL;
    for (size_t i = 0; i < COUNT(ends); i++) {
        (void)snprintf(api, sizeof api, "%s%s", d1_peer_api(peer), ends[i]);
        options.api = api;
        assert_int_equal(database_open(D1_PEER_URL, &options, &db, &suite_err), ERR_OK);
        assert_int_equal(suite_number(db, "SELECT 7"), 7);
        assert_null(strstr(database_url(db), TOKEN));
        database_close(db);
        db = NULL;
    }
    for (size_t i = 0; i < COUNT(wrong); i++) {
        options.api = wrong[i];
        assert_int_equal(database_open(D1_PEER_URL, &options, &db, &suite_err), ERR_INVALID);
        assert_null(strstr(suite_err.msg, TOKEN));
    }
    options.api = d1_peer_api(peer);
    options.token = TOKEN "\r\nX-Other: header";
    assert_int_equal(database_open(D1_PEER_URL, &options, &db, &suite_err), ERR_INVALID);
    assert_null(strstr(suite_err.msg, TOKEN));
}

static void bounds_at_and_past_them(void **state)
{
    struct database_value params[101];
    struct database_rows *rows = NULL;
    struct buf sql = {0};

    for (size_t i = 0; i < COUNT(params); i++) {
        params[i] = database_text("x");
    }
    for (size_t count = 100; count <= 101; count++) {
        buf_clear(&sql);
        buf_text(&sql, "SELECT 1 WHERE 'x' IN (");
        for (size_t i = 0; i < count; i++) {
            buf_print(&sql, "%s?%zu", i > 0 ? "," : "", i + 1);
        }
        buf_char(&sql, ')');
        if (database_query(*state, buf_cstr(&sql), params, count, &rows, &suite_err) !=
            (count <= D1_PARAMS_MAX ? ERR_OK : ERR_LIMIT)) {
            fail_msg("%zu: %s", count, suite_err.msg);
        }
        database_rows_free(rows);
        rows = NULL;
    }
    buf_clear(&sql);
    assert_int_equal(suite_run(*state, "CREATE TABLE t(a TEXT)"), ERR_OK);
    buf_text(&sql, "INSERT INTO t VALUES('");
    while (sql.len < D1_STATEMENT_BYTES_MAX - 2) {
        buf_char(&sql, 'x');
    }
    buf_text(&sql, "')");
    assert_int_equal(sql.len, D1_STATEMENT_BYTES_MAX);
    if (suite_run(*state, buf_cstr(&sql)) != ERR_OK) {
        fail_msg("%.300s", suite_err.msg);
    }
    buf_char(&sql, ' ');
    assert_int_equal(suite_run(*state, buf_cstr(&sql)), ERR_LIMIT);
    assert_non_null(strstr(suite_err.msg, "100001 bytes"));
    buf_fini(&sql);
}

/* ---- faults on the way ---- */

static const enum d1_fault passing[] = {
    D1_FAULT_429,       D1_FAULT_500_BEFORE, D1_FAULT_500_AFTER,   D1_FAULT_CUT_BEFORE,
    D1_FAULT_CUT_AFTER, D1_FAULT_OVERLOADED, D1_FAULT_HALF_ANSWER, D1_FAULT_TWICE,
    D1_FAULT_7429,      D1_FAULT_TOO_LONG,
};

static void a_query_is_asked_again(void **state)
{
    int64_t since_us;

    assert_int_equal(suite_run(*state, "CREATE TABLE t(a)"), ERR_OK);
    assert_int_equal(suite_run(*state, "INSERT INTO t VALUES(41), (1)"), ERR_OK);
    for (size_t i = 0; i < COUNT(passing); i++) {
        d1_peer_fault(peer, passing[i]);
        assert_int_equal(suite_number(*state, "SELECT sum(a) FROM t"), 42);
    }
    since_us = clock_monotonic_us();
    d1_peer_fault(peer, D1_FAULT_429_WAIT);
    assert_int_equal(suite_number(*state, "SELECT sum(a) FROM t"), 42);
    assert_true(clock_monotonic_us() - since_us >= 1000000);
}

/* However the way fails, a batch is carried out once; and that is what the caller is told. */
static void no_batch_is_applied_twice_or_lost(void **state)
{
    int64_t rows = 0;

    assert_int_equal(suite_run(*state, "CREATE TABLE t(a)"), ERR_OK);
    for (size_t i = 0; i < COUNT(passing); i++) {
        for (size_t n = 0; n < (getenv("CHECK_FULL") != NULL ? 3 : 2); n++) {
            size_t k = (i + n * n) % COUNT(passing);
            d1_peer_fault(peer, passing[i]);
            d1_peer_fault(peer, passing[k]);
            if (suite_run(*state, "INSERT INTO t VALUES(1)") != ERR_OK) {
                fail_msg("faults %zu %zu: %s", i, k, suite_err.msg);
            }
            while (suite_number(*state, "SELECT 1") != 1) { /* whatever fault is left */
            }
            assert_int_equal(suite_number(*state, "SELECT count(*) FROM t"), ++rows);
        }
    }
}

/* An answer that says no is final, even if one before it was lost. */
static void a_refusal_stays_one(void **state)
{
    struct database_guard guard = {"(SELECT count(*) FROM t) = 7", NULL, 0, ERR_STALE, "not seven"};
    struct database_statement insert = {"INSERT INTO t VALUES(1)", NULL, 0};
    struct database_batch batch = {
        .after = &guard, .after_count = 1, .statements = &insert, .statement_count = 1};

    assert_int_equal(suite_run(*state, "CREATE TABLE t(a)"), ERR_OK);
    d1_peer_fault(peer, D1_FAULT_500_AFTER);
    assert_int_equal(database_batch(*state, &batch, NULL, &suite_err), ERR_STALE);
    assert_string_equal(suite_err.msg, "not seven");
    d1_peer_fault(peer, D1_FAULT_7400);
    assert_int_equal(suite_run(*state, "INSERT INTO t VALUES(1)"), ERR_INVALID);
    assert_int_equal(suite_number(*state, "SELECT count(*) FROM t"), 0);
}

/* The way stays broken: the caller hears that nobody knows, and the next run finds out. */
static void what_nobody_knows_is_said(void **state)
{
    assert_int_equal(suite_run(*state, "CREATE TABLE t(a)"), ERR_OK);
    d1_peer_fault(peer, D1_FAULT_CUT_AFTER);
    for (int i = 0; i < 40; i++) {
        d1_peer_fault(peer, D1_FAULT_CUT_BEFORE);
    }
    assert_int_equal(suite_run(*state, "INSERT INTO t VALUES(1)"), ERR_IO);
    assert_non_null(strstr(suite_err.msg, "not known"));
    d1_peer_clear(peer); /* the database is another one: the session's count with it */
    assert_int_equal(suite_number(*state, "SELECT 5"), 5);
}

/* What D1 broke off is not sent again as it is, where a smaller piece may do. */
static void what_took_too_long_is_given_back(void **state)
{
    struct database_statement insert = {"INSERT INTO t VALUES(1)", NULL, 0};
    struct database_batch batch = {
        .statements = &insert, .statement_count = 1, .hold_max_us = 12000};
    struct database_batch_result result = {0};
    unsigned before;

    assert_int_equal(suite_run(*state, "CREATE TABLE t(a)"), ERR_OK);
    before = d1_peer_requests(peer);
    d1_peer_fault(peer, D1_FAULT_TOO_LONG);
    assert_int_equal(database_batch(*state, &batch, &result, &suite_err), ERR_TIMEOUT);
    assert_int_equal(d1_peer_requests(peer) - before, 2); /* and whether it was carried out */
    assert_int_equal(suite_number(*state, "SELECT count(*) FROM t"), 0);
    d1_peer_slow(peer, 40, 30000);
    assert_int_equal(database_batch(*state, &batch, &result, &suite_err), ERR_OK);
    assert_in_range(result.hold_us, 80000, 90000); /* two rows, ours too; not what the way took */
}

/* One that was given up comes late: then the next one is not taken for it. */
static void a_late_batch_is_not_taken_for_the_next(void **state)
{
    struct database_statement insert = {"INSERT INTO t VALUES('late')", NULL, 0};
    struct database_batch batch = {
        .statements = &insert, .statement_count = 1, .hold_max_us = 12000};

    assert_int_equal(suite_run(*state, "CREATE TABLE t(a)"), ERR_OK);
    d1_peer_fault(peer, D1_FAULT_LATE);
    assert_int_equal(database_batch(*state, &batch, NULL, &suite_err), ERR_TIMEOUT);
    insert.sql = "INSERT INTO t VALUES('next')";
    assert_int_equal(database_batch(*state, &batch, NULL, &suite_err), ERR_CONFLICT);
    assert_non_null(strstr(suite_err.msg, "late"));
    assert_int_equal(suite_number(*state, "SELECT count(*) FROM t WHERE a = 'late'"), 1);
    assert_int_equal(database_batch(*state, &batch, NULL, &suite_err), ERR_OK);
    assert_int_equal(suite_number(*state, "SELECT count(*) FROM t"), 2);
}

/* Each request on the connection that the first one made, but where it was cut. */
static void one_connection_is_kept(void **state)
{
    unsigned before = d1_peer_connections(peer);

    assert_int_equal(suite_run(*state, "CREATE TABLE t(a)"), ERR_OK);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(suite_number(*state, "SELECT count(*) FROM t"), i);
        assert_int_equal(suite_run(*state, "INSERT INTO t VALUES(1)"), ERR_OK);
    }
    assert_int_equal(d1_peer_connections(peer) - before, 0); /* made when it was opened */
    d1_peer_fault(peer, D1_FAULT_CUT_AFTER);
    assert_int_equal(suite_run(*state, "INSERT INTO t VALUES(1)"), ERR_OK);
    assert_int_equal(d1_peer_connections(peer) - before, 1);
}

static void a_trigger_cut_up_on_its_way_is_refused(void **state)
{
    assert_int_equal(suite_run(*state, "CREATE TABLE t(a)"), ERR_OK);
    d1_peer_fault(peer, D1_FAULT_SPLIT_TRIGGER);
    assert_int_equal(
        suite_run(*state, "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1; SELECT 2; END"),
        ERR_CONFLICT);
    assert_non_null(strstr(suite_err.msg, "taken a statement apart"));
    assert_int_equal(
        suite_number(*state, "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'"), 0);
}

/* A request is one of 1,200 in five minutes. */
static void a_query_is_one_request(void **state)
{
    static const struct {
        const char *sql;
        int64_t value;
        unsigned first, again;
    } cases[] = {
        {"SELECT a, b FROM t", 1, 1, 1},
        {"SELECT a * 2, (SELECT 4 WHERE 0) IS NULL, max(a, b) FROM t WHERE a IN (1, 2)", 2, 1, 1},
        {"WITH w(x, y, z) AS (SELECT 1, 2, 3) SELECT y, z FROM w", 2, 1, 1},
        {"SELECT 7 UNION SELECT 8", 7, 1, 1},
        {"SELECT EXISTS (SELECT 1, 2 FROM t)", 1, 1, 1},
        {"SELECT * FROM t", 1, 2, 1},
        {"SELECT t.* FROM t", 1, 2, 1},
        {"VALUES(9, 9)", 9, 2, 1},
        {"SELECT a FROM t WHERE b = 1 ORDER BY (SELECT 1)", 0, 1, 1},
    };

    assert_int_equal(suite_run(*state, "CREATE TABLE t(a, b)"), ERR_OK);
    assert_int_equal(suite_run(*state, "INSERT INTO t VALUES(1, 2)"), ERR_OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int again = 0; again < 2; again++) {
            unsigned before = d1_peer_requests(peer);
            struct database_rows *rows = NULL;
            assert_int_equal(database_query(*state, cases[i].sql, NULL, 0, &rows, &suite_err),
                             ERR_OK);
            assert_int_equal(d1_peer_requests(peer) - before,
                             again ? cases[i].again : cases[i].first);
            if (database_rows_count(rows) > 0) {
                assert_int_equal(database_rows_int(rows, 0, 0, -1), cases[i].value);
            }
            database_rows_free(rows);
        }
    }
}

/* ---- import ---- */

static enum err_code run_file(struct database *db, const char *trigger, int64_t rows)
{
    struct database_value params[] = {database_text("x;'y\""),
                                      database_int(INT64_MIN),
                                      database_real(0.1),
                                      database_null(),
                                      {DATABASE_BLOB, {.bytes = {"\0\xff", 2}}},
                                      database_int(rows)};
    struct database_guard guard = {"(SELECT count(*) FROM t) = ?1", &params[5], 1, ERR_STALE,
                                   "another number of rows"};
    struct database_statement statements[] = {
        {trigger, NULL, 0}, {"INSERT INTO t VALUES(?1, ?2, ?3, ?4, ?5) -- done", params, 5}};
    struct database_batch batch = {.before = &guard,
                                   .before_count = 1,
                                   .statements = statements,
                                   .statement_count = 2,
                                   .as_file = true};

    return database_batch(db, &batch, NULL, &suite_err);
}

/* Cut at each step and in each way, a file is carried out once. */
static void a_file_is_carried_out_once(void **state)
{
    static const char check[] =
        "SELECT count(*) FROM t WHERE a = 'x;''y\"' AND b = -9223372036854775807 - 1 AND "
        "typeof(b) = 'integer' AND c = 0.1 AND d IS NULL AND e = x'00FF' AND typeof(e) = 'blob'";
    int64_t rows = 0;

    assert_int_equal(suite_run(*state, "CREATE TABLE t(a, b, c, d, e)"), ERR_OK);
    for (size_t step = 0; step < 5; step++) { /* init, upload, ingest, poll, poll */
        for (size_t i = 0; i < COUNT(passing); i++) {
            char trigger[200];
            if (getenv("CHECK_FULL") == NULL && (step * COUNT(passing) + i) % 3 != 0) {
                continue;
            }
            (void)snprintf(trigger, sizeof trigger,
                           "CREATE TRIGGER x%lld AFTER UPDATE ON t BEGIN\n  -- it's one\n  SELECT "
                           "CASE WHEN 1 THEN ';' END;\nend",
                           (long long)rows);
            for (size_t k = 0; k < step; k++) {
                d1_peer_fault_import(peer, D1_FAULT_NONE);
            }
            d1_peer_fault_import(peer, passing[i]);
            if (run_file(*state, trigger, rows) != ERR_OK) {
                fail_msg("step %zu, fault %zu: %s", step, i, suite_err.msg);
            }
            rows++;
            assert_int_equal(suite_number(*state, check), rows);
            assert_int_equal(d1_peer_imports(peer), rows);
        }
    }
    assert_int_equal(suite_run(*state, "INSERT INTO t(a) VALUES(1)"), ERR_OK); /* and goes on */
}

static void a_file_is_refused_as_a_batch_is(void **state)
{
    struct database_statement wrong[] = {{"INSERT INTO t VALUES(1)", NULL, 0},
                                         {"INSERT INTO nonesuch VALUES(1)", NULL, 0}};
    struct database_batch batch = {.statements = wrong, .statement_count = 2, .as_file = true};

    assert_int_equal(suite_run(*state, "CREATE TABLE t(a, b, c, d, e)"), ERR_OK);
    assert_int_equal(run_file(*state, "CREATE TABLE u(a)", 7), ERR_STALE);
    assert_string_equal(suite_err.msg, "another number of rows");
    assert_int_equal(database_batch(*state, &batch, NULL, &suite_err), ERR_INVALID);
    wrong[1].sql = "COMMIT";
    assert_int_equal(database_batch(*state, &batch, NULL, &suite_err), ERR_INVALID);
    assert_int_equal(d1_peer_imports(peer), 0);
    assert_int_equal(suite_number(*state, "SELECT count(*) FROM t"), 0);
    assert_int_equal(run_file(*state, "CREATE TABLE u(a)", 0), ERR_OK);
    for (int i = 0; i < 60; i++) { /* the way to the store stays broken */
        d1_peer_fault_import(peer, i == 0 ? D1_FAULT_NONE : D1_FAULT_500_BEFORE);
    }
    assert_int_equal(run_file(*state, "CREATE TABLE v(a)", 1), ERR_IO);
    assert_non_null(strstr(suite_err.msg, "uploaded"));
    assert_null(strstr(suite_err.msg, "Signature")); /* whoever has the URL may write there */
    assert_int_equal(suite_number(*state, "SELECT count(*) FROM t"), 1);
}

/* ---- Time Travel ---- */

static void the_past_can_be_put_back(void **state)
{
    char mark[DATABASE_BOOKMARK_BYTES], undo[DATABASE_BOOKMARK_BYTES];
    struct database *db = *state;

    assert_int_equal(suite_run(db, "CREATE TABLE t(a)"), ERR_OK);
    assert_int_equal(suite_run(db, "INSERT INTO t VALUES(1)"), ERR_OK);
    assert_int_equal(database_bookmark(db, mark, &suite_err), ERR_OK);
    assert_int_equal(suite_run(db, "INSERT INTO t VALUES(2)"), ERR_OK);
    assert_int_equal(database_rewind(db, "none such", undo, &suite_err), ERR_INVALID);
    assert_int_equal(suite_number(db, "SELECT count(*) FROM t"), 2);
    assert_int_equal(database_rewind(db, mark, undo, &suite_err), ERR_OK);
    database_close(db);
    *state = db = open_d1(D1_PEER_URL, false);
    assert_int_equal(suite_number(db, "SELECT count(*) FROM t"), 1);
    assert_int_equal(suite_run(db, "INSERT INTO t VALUES(3)"), ERR_OK);
    assert_int_equal(database_rewind(db, undo, mark, &suite_err), ERR_OK);
    d1_peer_fault_import(peer, D1_FAULT_500_BEFORE);
    assert_int_equal(database_rewind(db, undo, mark, &suite_err), ERR_OK);
    assert_string_equal(mark, ""); /* nobody can say: better none than one of behind it */
    d1_peer_fault_import(peer, D1_FAULT_500_AFTER);
    assert_int_equal(database_rewind(db, undo, mark, &suite_err), ERR_OK);
    assert_string_equal(mark, "");
    d1_peer_fault_import(peer, D1_FAULT_429);
    assert_int_equal(database_rewind(db, undo, mark, &suite_err), ERR_OK);
    assert_non_null(strstr(mark, "mark-"));
    database_close(db);
    *state = db = open_d1(D1_PEER_URL, true);
    assert_int_equal(suite_number(db, "SELECT sum(a) FROM t"), 3);
    assert_int_equal(database_rewind(db, mark, undo, &suite_err), ERR_DENIED);
    d1_peer_forget_travel(peer);
    assert_int_equal(database_bookmark(db, mark, &suite_err), ERR_NOT_FOUND);
}

/* ---- capabilities ---- */

static void capabilities_are_probed(void **state)
{
    const struct database_capabilities *capabilities = NULL;
    int64_t objects = suite_number(*state, "SELECT count(*) FROM sqlite_master");

    assert_int_equal(database_probe(*state, &capabilities, &suite_err), ERR_OK);
    assert_string_equal(capabilities->engine, "d1");
    assert_true(capabilities->rename_column);
    assert_true(capabilities->drop_column);
    assert_false(capabilities->writable_schema || capabilities->maintenance ||
                 capabilities->snapshot);
    assert_int_equal(capabilities->bounds.params, 100);
    assert_int_equal(suite_number(*state, "SELECT count(*) FROM sqlite_master"), objects);
}

int main(void)
{
    const struct CMUnitTest suite[] = {
        ENGINE_SUITE(setup, teardown),
        cmocka_unit_test_setup_teardown(capabilities_are_probed, setup, teardown)};
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest way[] = {
        TEST(a_database_is_named_by_id_or_name),
        TEST(reading_only_writes_nothing),
        TEST(refused_before_it_is_sent),
        TEST(a_setting_that_was_left_on_is_refused),
        TEST(settings_that_are_not_shown_stop_nothing),
        TEST(where_and_as_whom),
        TEST(bounds_at_and_past_them),
        TEST(a_query_is_asked_again),
        TEST(no_batch_is_applied_twice_or_lost),
        TEST(a_refusal_stays_one),
        TEST(what_nobody_knows_is_said),
        TEST(what_took_too_long_is_given_back),
        TEST(a_late_batch_is_not_taken_for_the_next),
        TEST(one_connection_is_kept),
        TEST(a_trigger_cut_up_on_its_way_is_refused),
        TEST(a_query_is_one_request),
        TEST(a_file_is_carried_out_once),
        TEST(a_file_is_refused_as_a_batch_is),
        TEST(the_past_can_be_put_back),
    };
    int failed;

    if (getenv("D1_TEST_API") != NULL) {
        return cmocka_run_group_tests_name("d1", suite, NULL, NULL);
    }
    peer = d1_peer_start(TOKEN);
    failed = cmocka_run_group_tests_name("d1", suite, NULL, NULL);
    failed += cmocka_run_group_tests_name("d1 way", way, NULL, NULL);
    d1_peer_stop(peer);
    return failed;
}
