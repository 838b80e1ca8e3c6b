/*
 * Case folders: cases/NAME/ holds old.sql, seed.sql, migration.json, what old and new code read and
 * write, and what is expected. Each is walked forth and back on seeded rows:
 *
 *     plan.json       what plan says (the generated SQL)
 *     seen.txt        what old and new readers see in each state
 *     error           the case must be refused: error code and a piece of the message
 *
 * GOLDEN=1 rewrites plan.json and seen.txt. CASE=NAME runs one alone.
 */
#include "tests/migrator/case_walk.h"

#include "tests/migrator/unit.h"

#include "base/buf.h"
#include "base/file.h"
#include "migrator/migrate.h"
#include "tests/migrator/play.h"

struct played {
    char folder[600]; /* of the case */
    char db[600], migrations[600];
    struct buf seen;
};

static char *read_file(const struct played *p, const char *name)
{
    char path[800];

    snprintf(path, sizeof path, "%s/%s", p->folder, name);
    return file_exists(path) ? play_read(path) : strdup("");
}

/* Those that stand beside a migration.json. */
static void copy_hand_files(const struct played *p)
{
    static const char *const names[] = {"expand.sql",          "expand.down.sql",  "dual_write.sql",
                                        "dual_write.down.sql", "backfill.sql",     "verify.sql",
                                        "contract.sql",        "contract.down.sql"};

    for (size_t i = 0; i < COUNT(names); i++) {
        char path[800], *text = read_file(p, names[i]);
        if (*text != '\0') {
            snprintf(path, sizeof path, "%s/0007_case/%s", p->migrations, names[i]);
            play_write(path, text);
        }
        free(text);
    }
}

static void begin_case(struct played *p, const char *name, bool seeded)
{
    char path[800], *sql, *seed, *json;
    sqlite3 *app;

    *p = (struct played){0};
    snprintf(p->folder, sizeof p->folder, "tests/migrator/cases/%s", name);
    snprintf(p->db, sizeof p->db, "%s", scratch("case.db"));
    snprintf(p->migrations, sizeof p->migrations, "%s", scratch("case"));
    play_remove(p->db);
    play_remove(p->migrations);
    json = read_file(p, "migration.json");
    snprintf(path, sizeof path, "%s/0007_case/migration.json", p->migrations);
    play_write(path, json);
    copy_hand_files(p);
    sql = read_file(p, "old.sql");
    seed = read_file(p, "seed.sql");
    app = app_open(p->db);
    app_run(app, "PRAGMA synchronous = OFF");
    app_run(app, sql);
    app_run(app, seeded ? seed : "");
    app_close(app);
    free(sql);
    free(seed);
    free(json);
}

static char *schema_of(const struct played *p)
{
    sqlite3 *app = app_open(p->db);
    char *out = app_schema(app);

    app_close(app);
    return out;
}

static char *read_rows(const struct played *p, const char *query)
{
    char *sql = read_file(p, query), *out;
    sqlite3 *app = app_open(p->db);

    out = app_rows(app, sql);
    app_close(app);
    free(sql);
    return out;
}

static void note(struct played *p, const char *when, const char *query)
{
    char *rows = read_rows(p, query);

    buf_print(&p->seen, "-- %s, %s\n%s", when, query, rows);
    free(rows);
}

static void write_rows(const struct played *p, const char *name)
{
    char *sql = read_file(p, name);
    sqlite3 *app = app_open(p->db);

    app_run(app, "PRAGMA foreign_keys = ON");
    app_run(app, sql);
    app_close(app);
    free(sql);
}

static void to(const struct played *p, const char *state)
{
    PLAY(play_apply(p->db, p->migrations, state, &play_err));
    assert_string_equal(play_state(p->db, p->migrations, "0007_case"), state);
}

static void back(const struct played *p, const char *state)
{
    PLAY(play_rollback(p->db, p->migrations, state, &play_err));
    assert_string_equal(play_state(p->db, p->migrations, "0007_case"), state);
}

static void same(const char *what, char *got, char *wanted)
{
    if (strcmp(got, wanted) != 0) {
        fail_msg("%s\nseen:\n%s\nwanted:\n%s", what, got, wanted);
    }
    free(got);
    free(wanted);
}

static void golden(const struct played *p, const char *name, const char *text)
{
    char path[800];

    snprintf(path, sizeof path, "%s/%s", p->folder, name);
    if (getenv("GOLDEN") != NULL) {
        play_write(path, text);
    } else {
        same(path, strdup(text), read_file(p, name));
    }
}

static void drop_digests(struct json *report)
{
    for (struct json *entry = json_first(json_get(report, "migrations")); entry != NULL;
         entry = json_next(entry)) {
        for (struct json *phase = json_first(json_get(entry, "phases")); phase != NULL;
             phase = json_next(phase)) {
            assert_int_equal(strlen(json_get_text(phase, "digest", "")), 64);
            json_remove(phase, "digest");
        }
    }
}

static void check_plan(struct played *p)
{
    struct migrate_options options = {.database = p->db, .folder = p->migrations};
    struct migrate *m = NULL;
    struct json *report = NULL;
    char *schema = schema_of(p), *text;

    PLAY(migrate_open(&options, &m, &play_err));
    PLAY(migrate_plan(m, &(struct migrate_apply){.to_state = "purged"}, &report, &play_err));
    migrate_close(m);
    json_remove(report, "database");
    drop_digests(report); /* they follow from the rest (tests/walk/plan_file.test.sh) */
    text = json_print_pretty(report);
    golden(p, "plan.json", text);
    same("a plan touches nothing", schema_of(p), schema);
    json_free(report);
    free(text);
}

/* A statement of the plan is what is run: the triggers are there word by word. */
static void check_planned_triggers(const struct played *p)
{
    char *plan = read_file(p, "plan.json");
    sqlite3 *app = app_open(p->db);
    char *sql = app_rows(app, "SELECT replace(sql, '\"', '\\\"') FROM sqlite_master WHERE type = "
                              "'trigger' AND name LIKE 'lockstep%'");

    for (char *line = sql, *end; (end = strchr(line, (int)0x0a)) != NULL; line = end + 1) {
        *end = (char)0;
        assert_non_null(strstr(plan, line));
    }
    app_close(app);
    free(sql);
    free(plan);
}

static void walk_there_and_back(struct played *p)
{
    char *schema = schema_of(p), *rows = read_rows(p, "read_old.sql");
    static const char *const states[] = {"expanded", "dual-writing", "in-sync"};

    for (size_t i = 0; i < COUNT(states); i++) {
        to(p, states[i]);
        same(states[i], read_rows(p, "read_old.sql"), strdup(rows));
        back(p, "pending");
        same(states[i], schema_of(p), strdup(schema));
        same(states[i], read_rows(p, "read_old.sql"), strdup(rows));
    }
    to(p, "in-sync");
    note(p, "in-sync", "read_new.sql");
    to(p, "contracted");
    same("contract", read_rows(p, "read_new.sql"), read_rows(p, "read_new.sql"));
    back(p, "in-sync");
    same("back from contracted", read_rows(p, "read_old.sql"), strdup(rows));
    back(p, "pending");
    same("back from contracted", schema_of(p), schema);
    same("back from contracted", read_rows(p, "read_old.sql"), rows);
}

static void walk_with_writers(struct played *p)
{
    char *schema = schema_of(p);

    to(p, "in-sync");
    check_planned_triggers(p);
    write_rows(p, "write_old.sql");
    write_rows(p, "write_new.sql");
    note(p, "written by both", "read_old.sql");
    note(p, "written by both", "read_new.sql");
    PLAY(play_verify(p->db, p->migrations, &play_err));
    to(p, "contracted");
    write_rows(p, "write_late.sql");
    note(p, "contracted", "read_new.sql");
    back(p, "in-sync");
    note(p, "back in in-sync", "read_old.sql");
    PLAY(play_verify(p->db, p->migrations, &play_err));
    back(p, "pending");
    same("back with writes", schema_of(p), schema);
    note(p, "back in pending", "read_old.sql");
    to(p, "contracted");
    to(p, "purged");
    note(p, "purged", "read_new.sql");
}

static void check_sound(const struct played *p)
{
    sqlite3 *app = app_open(p->db);
    char *rows = app_rows(app, "PRAGMA integrity_check");

    assert_string_equal(rows, "ok\n");
    assert_int_equal(app_number(app, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
    assert_int_equal(app_number(app, "SELECT count(*) FROM lockstep_guard"), 0);
    assert_int_equal(app_number(app, "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' "
                                     "AND name LIKE 'lockstep%'"),
                     0);
    free(rows);
    app_close(app);
}

static void run_case(const char *name)
{
    struct played p;
    char *purged;

    begin_case(&p, name, true);
    check_plan(&p);
    walk_there_and_back(&p);
    walk_with_writers(&p);
    check_sound(&p);
    golden(&p, "seen.txt", buf_cstr(&p.seen));
    buf_fini(&p.seen);
    purged = schema_of(&p);
    /* A fresh database goes straight there. */
    begin_case(&p, name, false);
    PLAY(play_apply(p.db, p.migrations, NULL, &play_err));
    assert_string_equal(play_state(p.db, p.migrations, "0007_case"), "purged");
    same("fresh", schema_of(&p), purged);
    check_sound(&p);
}

static void run_refused(const char *name)
{
    struct played p;
    struct err err = {0};
    char *error, *piece, *schema, *rows;
    sqlite3 *app;
    enum err_code rc;

    begin_case(&p, name, true);
    error = read_file(&p, "error");
    error[strcspn(error, "\n")] = '\0';
    piece = strchr(error, ' ');
    *piece++ = '\0';
    schema = schema_of(&p);
    app = app_open(p.db);
    rows = app_rows(app, "SELECT count(*) FROM sqlite_master");
    app_close(app);
    rc = play_apply(p.db, p.migrations, "contracted", &err);
    if (strcmp(err_code_name(rc), error) != 0 || strstr(err.msg, piece) == NULL) {
        fail_msg("%s: %s: %s", name, err_code_name(rc), err.msg);
    }
    app = app_open(p.db);
    if (rc == ERR_INVALID) { /* known before anything was done */
        same(name, app_rows(app, "SELECT count(*) FROM sqlite_master"), rows);
    } else { /* known from the rows: and there is a way back */
        free(rows);
        PLAY(play_rollback(p.db, p.migrations, NULL, &play_err));
    }
    app_close(app);
    same(name, schema_of(&p), schema);
    free(error);
}

void case_walk_part(unsigned part, unsigned parts)
{
    struct err err = {0};
    const char *one = getenv("CASE");
    char **names = NULL;
    size_t count = 0, walked = 0, refused = 0;

    assert_int_equal(file_list("tests/migrator/cases", &names, &count, &err), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        if (one != NULL ? strcmp(one, names[i]) != 0 : i % parts != part) {
            continue;
        }
        print_message("%s\n", names[i]);
        if (strncmp(names[i], "refused", 7) == 0) {
            run_refused(names[i]);
            refused++;
        } else {
            run_case(names[i]);
            walked++;
        }
    }
    file_list_free(names, count);
    print_message("proof: %zu case folders walked, %zu refused\n", walked, refused);
    assert_true(one != NULL || (walked >= 7 && refused >= 6));
}
