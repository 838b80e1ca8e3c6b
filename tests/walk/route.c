#include "tests/walk/route.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/migrator/unit.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "migrator/folder/state.h"
#include "migrator/migrate.h"
#include "tests/migrator/play.h"

#define CASES "tests/migrator/cases"

static const struct leg phased_legs[] = {
    {"pending", "expanded", false, 'o', NULL},
    {"expanded", "dual-writing", false, 'o', NULL},
    {"dual-writing", "in-sync", false, 'o', NULL},
    {"in-sync", "contracted", false, 'b', NULL},
    {"contracted", "in-sync", true, 'b', "in-sync"},
    {"in-sync", "dual-writing", true, 'o', NULL},
    {"dual-writing", "expanded", true, 'o', NULL},
    {"expanded", "pending", true, 'o', NULL},
    {"pending", "contracted", false, 'o', NULL},
    {"contracted", "pending", true, 'o', "in-sync"},
    {"contracted", "purged", false, 'n', NULL},
    {0},
};
static const struct leg plain_legs[] = {
    {"pending", "applied", false, 'o', "applied"},
    {"applied", "pending", true, 'o', NULL},
    {0},
};
static const struct leg fresh_legs[] = {{"pending", "purged", false, '-', NULL}, {0}};

/* ---- moves ---- */

static enum mig_state state_of(const char *name)
{
    enum mig_state state = MIG_PENDING;

    assert_true(mig_state_parse(name, &state));
    return state;
}

/* Each purge of the database itself copies it to a file of its own; that of a model does not. */
static enum err_code move(const char *db, const char *migrations, const char *to, bool back,
                          struct err *err)
{
    static int copies;
    char copy[700];

    struct migrate_options options = {.database = db, .folder = migrations, .create = true};
    const char *state = strcmp(to, "applied") == 0 ? NULL : to;
    struct migrate *m = NULL;
    struct json *report = NULL;
    enum err_code rc = migrate_open(&options, &m, err);

    if (rc == ERR_OK && back) {
        rc = migrate_rollback(m, &(struct migrate_rollback){.to_state = state}, &report, err);
    } else if (rc == ERR_OK) {
        bool real = strstr(db, "/disk/app.db") != NULL;
        snprintf(copy, sizeof copy, "%.600s.point-%ld-%d", db, (long)getpid(), copies++);
        rc = migrate_apply(
            m, &(struct migrate_apply){.to_state = state, .recovery_point = real ? copy : "none"},
            &report, err);
    }
    json_free(report);
    migrate_close(m);
    return rc;
}

/* Moves to a state from wherever it is. */
static enum err_code move_to(const struct route *r, const char *db, const char *to, struct err *err)
{
    enum mig_state now = state_of(play_state(db, r->migrations, r->migration));
    enum mig_state wanted = state_of(to);

    return now == wanted ? ERR_OK : move(db, r->migrations, to, wanted < now, err);
}

static void must_move_to(const struct route *r, const char *db, const char *to, const char *what)
{
    struct err err = {0};

    if (move_to(r, db, to, &err) != ERR_OK) {
        fail_msg("%s, %s, to %s: %s: %s", r->name, what, to, err_code_name(err.code), err.msg);
    }
}

/* ---- files ---- */

static void empty(const char *folder)
{
    play_remove(folder);
    assert_true(mkdir(folder, 0755) == 0 || errno == EEXIST);
}

static void copy_database(const char *from, const char *to)
{
    static const char *const ends[] = {"", "-wal", "-journal", "-shm"};
    char a[600], b[600];
    sqlite3 *app;

    for (size_t i = 0; i < COUNT(ends); i++) {
        snprintf(a, sizeof a, "%s%s", from, ends[i]);
        snprintf(b, sizeof b, "%s%s", to, ends[i]);
        play_remove(b);
        if (i < 3 && file_exists(a)) {
            play_copy(a, b);
        }
    }
    app = app_open(to);
    if (app_number(app, "SELECT count(*) FROM sqlite_master WHERE name = 'lockstep_meta'") > 0) {
        app_run(app, "DELETE FROM lockstep_meta WHERE key = 'home'"); /* it is no copy: it moved */
    }
    app_close(app);
}

void route_take_image(struct route *route)
{
    struct err err = {0};
    char **names = NULL;
    size_t count = 0;
    char a[700], b[700];

    empty(route->disk);
    assert_int_equal(file_list(route->image, &names, &count, &err), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        snprintf(a, sizeof a, "%s/%s", route->image, names[i]);
        snprintf(b, sizeof b, "%s/%s", route->disk, names[i]);
        play_copy(a, b);
    }
    file_list_free(names, count);
}

char **route_cases(size_t *count)
{
    struct err err = {0};
    char **names = NULL;
    size_t all = 0, kept = 0;

    assert_int_equal(file_list(CASES, &names, &all, &err), ERR_OK);
    for (size_t i = 0; i < all; i++) {
        if (strncmp(names[i], "refused", 7) == 0) {
            free(names[i]);
        } else {
            names[kept++] = names[i];
        }
    }
    *count = kept;
    return names;
}

void route_cases_free(char **names, size_t count)
{
    file_list_free(names, count);
}

/* ---- opening ---- */

static void begin(struct route *r, const char *name)
{
    char *real;

    memset(r, 0, sizeof *r);
    snprintf(r->name, sizeof r->name, "%s", name);
    snprintf(r->folder, sizeof r->folder, CASES "/%s", name);
    real = realpath(getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp", NULL);
    assert_non_null(real);
    snprintf(r->base, sizeof r->base, "%.300s/route", real);
    free(real);
    empty(r->base);
    snprintf(r->disk, sizeof r->disk, "%s/disk", r->base);
    snprintf(r->db, sizeof r->db, "%s/app.db", r->disk);
    snprintf(r->stage, sizeof r->stage, "%s/stage.db", r->base);
    snprintf(r->model, sizeof r->model, "%s/model.db", r->base);
    snprintf(r->image, sizeof r->image, "%s/image", r->base);
    snprintf(r->migrations, sizeof r->migrations, "%s/migrations", r->base);
    empty(r->disk);
    empty(r->image);
}

static char *read_case(const struct route *r, const char *file)
{
    char path[700];

    snprintf(path, sizeof path, "%s/%s", r->folder, file);
    return file_exists(path) ? play_read(path) : strdup("");
}

/* The migration is what the runner of the case folders does not keep for itself. */
static void copy_migration(struct route *r)
{
    static const char *const own[] = {"old.sql",        "seed.sql",      "plan.json",
                                      "seen.txt",       "read_old.sql",  "read_new.sql",
                                      "error",          "write_old.sql", "write_new.sql",
                                      "write_late.sql", "walk_new.sql"};
    struct err err = {0};
    char **names = NULL;
    size_t count = 0;

    snprintf(r->migration, sizeof r->migration, "0007_case");
    assert_int_equal(file_list(r->folder, &names, &count, &err), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        bool is_own = false;
        char path[700], *text;
        for (size_t k = 0; k < COUNT(own); k++) {
            is_own = is_own || strcmp(names[i], own[k]) == 0;
        }
        snprintf(path, sizeof path, "%s/%s", r->folder, names[i]);
        if (is_own || file_is_folder(path)) {
            continue;
        }
        text = play_read(path);
        snprintf(path, sizeof path, "%s/%s/%s", r->migrations, r->migration, names[i]);
        play_write(path, text);
        free(text);
    }
    file_list_free(names, count);
}

/* The table before and behind: a renamed one has two names. */
static void table_names(const struct route *r, char old[200], char new[200])
{
    char *text = read_case(r, "migration.json");
    struct json *json = NULL;
    struct err err = {0};
    const struct json *renamed;

    assert_int_equal(json_parse(text, strlen(text), &json, &err), ERR_OK);
    snprintf(old, 200, "%s", json_get_text(json, "table", ""));
    snprintf(new, 200, "%s", old);
    renamed = json_get(json, "rename_table");
    if (renamed != NULL) {
        snprintf(new, 200, "%s", json_get_text(json, "rename_table", old));
    }
    json_free(json);
    free(text);
}

bool route_drops(const struct route *route)
{
    char *text = read_case(route, "migration.json");
    bool drops = strstr(text, "\"drop\"") != NULL || strstr(text, "\"rename\"") != NULL;

    free(text);
    return drops;
}

/* A view and a trigger that step aside while a table is altered; one is longer than a page. */
static void add_bystanders(sqlite3 *app)
{
    static const char view[] = "CREATE VIEW bystander_view AS SELECT a, '%6000s' AS long FROM "
                               "bystander";
    char sql[sizeof view + 6000];

    app_run(app, "CREATE TABLE bystander(a); CREATE TRIGGER bystander_trigger AFTER DELETE ON "
                 "bystander BEGIN INSERT INTO bystander VALUES(OLD.a); END");
    snprintf(sql, sizeof sql, view, "x"); /* lint: not SQL from outside */
    app_run(app, sql);
}

static void make_start(struct route *r, bool wal, bool seeded)
{
    char *old = read_case(r, "old.sql"), *seed = read_case(r, "seed.sql");
    sqlite3 *app = app_open(r->db);

    app_run(app, wal ? "PRAGMA journal_mode = WAL" : "PRAGMA journal_mode = DELETE");
    app_run(app, old);
    add_bystanders(app);
    app_run(app, seeded ? seed : "");
    app_close(app);
    free(old);
    free(seed);
}

static void grow(struct route *r, int rows)
{
    sqlite3 *app = app_open(r->db);
    char sql[WRITE_BYTES];

    app_run(app, "BEGIN");
    for (int i = 0; i < rows && r->old.table != NULL; i++) {
        writer_statement(&r->old, 1000000 + i * 20, sql);
        if (app_try(app, sql) != SQLITE_OK) {
            break; /* a UNIQUE column: it stays small */
        }
    }
    app_run(app, "COMMIT");
    app_close(app);
}

/* Reads both shapes, the new one from a walk of its own; false if that is refused. */
static bool read_shapes(struct route *r)
{
    char old[200], new[200], path[700];
    struct err err = {0};
    sqlite3 *app = app_open(r->db);

    table_names(r, old, new);
    /* What a case writes outside valid_old closes the contract gate, as it must. */
    snprintf(path, sizeof path, "%s/%s", r->folder,
             strstr(r->name, "valid_old") != NULL ? "" : "write_old.sql");
    writer_init(&r->old, app, *old != '\0' ? old : NULL, path);
    app_close(app);
    copy_database(r->db, r->model);
    if (move(r->model, r->migrations, "contracted", false, &err) != ERR_OK ||
        move(r->model, r->migrations, "purged", false, &err) != ERR_OK) {
        print_message("%s is left out: %s\n", r->name, err.msg);
        return false;
    }
    app = app_open(r->model);
    /* Where the new shape is more than one table, the folder says how new code writes it. */
    snprintf(path, sizeof path, "%s/walk_new.sql", r->folder);
    if (!file_exists(path)) {
        snprintf(path, sizeof path, "%s/write_new.sql", r->folder);
    } else {
        *new = '\0';
    }
    writer_init(&r->new, app, *new != '\0' ? new : NULL, path);
    app_close(app);
    return true;
}

bool route_open(struct route *route, const char *name, bool wal, int rows)
{
    begin(route, name);
    copy_migration(route);
    route->read_old = read_case(route, "read_old.sql");
    route->read_new = read_case(route, "read_new.sql");
    route->legs = phased_legs;
    make_start(route, wal, true);
    if (!read_shapes(route)) {
        route_close(route);
        return false;
    }
    grow(route, rows);
    copy_database(route->db, route->stage);
    return true;
}

bool route_open_fresh(struct route *route, const char *name, bool wal)
{
    begin(route, name);
    copy_migration(route);
    snprintf(route->name, sizeof route->name, "%.60s, fresh", name);
    route->read_old = strdup("");
    route->read_new = read_case(route, "read_new.sql");
    route->legs = fresh_legs;
    route->fresh = true;
    make_start(route, wal, false);
    copy_database(route->db, route->stage);
    return true;
}

void route_open_plain(struct route *route, bool wal)
{
    char path[700];
    sqlite3 *app;

    begin(route, "plain SQL");
    snprintf(route->migration, sizeof route->migration, "0002_both");
    snprintf(path, sizeof path, "%s/0001_table.sql", route->migrations);
    play_write(path,
               "CREATE TABLE tag(id INTEGER PRIMARY KEY, name TEXT);\n"
               "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO "
               "tag(name) SELECT 'tag ' || i FROM n;\n");
    snprintf(path, sizeof path, "%s/0002_both/up.sql", route->migrations);
    play_write(path, "ALTER TABLE tag ADD COLUMN size INTEGER DEFAULT 0;\n"
                     "UPDATE tag SET size = length(name);\nCREATE INDEX by_size ON tag(size);\n");
    snprintf(path, sizeof path, "%s/0002_both/down.sql", route->migrations);
    play_write(path, "DROP INDEX by_size;\nALTER TABLE tag DROP COLUMN size;\n");
    route->read_old = strdup("SELECT id, name FROM app ORDER BY id");
    route->read_new = strdup("SELECT * FROM tag ORDER BY id");
    route->legs = plain_legs;
    app = app_open(route->db);
    app_run(app, wal ? "PRAGMA journal_mode = WAL" : "PRAGMA journal_mode = DELETE");
    app_run(app, "CREATE TABLE app(id INTEGER PRIMARY KEY, name TEXT);"
                 "INSERT INTO app(name) VALUES('a'), ('b'), ('c')");
    writer_init(&route->old, app, "app", "");
    writer_init(&route->new, app, "app", "");
    app_close(app);
    copy_database(route->db, route->stage);
}

static void forget_untouched(struct route *route)
{
    for (size_t i = 0; i < COUNT(route->untouched); i++) {
        free(route->untouched[i]);
        route->untouched[i] = NULL;
    }
}

void route_close(struct route *route)
{
    forget_untouched(route);
    writer_fini(&route->old);
    writer_fini(&route->new);
    free(route->read_old);
    free(route->read_new);
    play_remove(route->base);
}

const struct leg *route_leg(const struct route *route)
{
    const struct leg *leg = &route->legs[route->leg];

    return leg->from != NULL ? leg : NULL;
}

bool route_advance(struct route *route)
{
    const struct leg *leg = route_leg(route);
    struct err err = {0};

    copy_database(route->stage, route->model);
    if (move_to(route, route->model, leg->to, &err) == ERR_OK) {
        copy_database(route->model, route->stage);
    } else if (err.code == ERR_CONFLICT) {
        print_message("%s has no way from %s to %s: %s\n", route->name, leg->from, leg->to,
                      err.msg);
    } else {
        fail_msg("%s, %s to %s: %s", route->name, leg->from, leg->to, err.msg);
    }
    route->leg++;
    forget_untouched(route);
    leg = route_leg(route);
    if (leg != NULL) { /* where the next one begins */
        must_move_to(route, route->stage, leg->from, "between two legs");
    }
    return leg != NULL;
}

/* ---- a try ---- */

struct shared {
    struct write_log log;
    atomic_long operations;
    int code;
    char msg[ERR_MSG_BYTES];
};

static struct shared *shared;

struct write_log *route_log(void)
{
    if (shared == NULL) {
        shared =
            mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(shared != MAP_FAILED);
    }
    return &shared->log;
}

struct beside {
    const struct route *route;
    const struct leg *leg;
    sqlite3 *app;
    int n;
};

static void write_one(struct beside *b)
{
    bool new_side = b->leg->writes == 'n' || (b->leg->writes == 'b' && b->n % 2 == 0);
    bool touches_contract =
        state_of(b->leg->from) >= MIG_CONTRACTED || state_of(b->leg->to) >= MIG_CONTRACTED;

    writer_write(new_side ? &b->route->new : &b->route->old, b->app,
                 b->leg->writes == 'b' ? b->n / 2 : b->n,
                 !touches_contract ? WRITE_ANY
                 : new_side        ? WRITE_NOTES_CONTRACT
                                   : WRITE_ENDS_AT_CONTRACT,
                 &shared->log);
    b->n++;
}

static void *write_all_the_time(void *ctx)
{
    struct beside *b = ctx;

    while (shared->log.begun < WRITES_MAX) {
        write_one(b);
        usleep(500);
    }
    return NULL;
}

static void use(sqlite3 *app, int synchronous)
{
    char sql[80];

    snprintf(sql, sizeof sql, "PRAGMA foreign_keys = ON; PRAGMA synchronous = %d", synchronous);
    app_run(app, sql);
}

static _Noreturn void run_program(const struct route *r, const struct attempt *attempt,
                                  const struct leg *leg)
{
    const char *args[12] = {"migrate",    leg->back ? "rollback" : "apply",
                            "--json",     "--database",
                            r->db,        "--migrations",
                            r->migrations};
    int quiet = open("/dev/null", O_WRONLY);

    if (strcmp(leg->to, "applied") != 0) {
        args[7] = "--to";
        args[8] = leg->to;
    }
    if (quiet < 0 || dup2(quiet, 1) < 0 || dup2(quiet, 2) < 0) {
        _exit(126);
    }
    (void)execv(attempt->program, (char *const *)(uintptr_t)args);
    _exit(127);
}

/* The process in which it goes wrong. */
static _Noreturn void child(struct route *r, const struct attempt *attempt, const struct leg *leg)
{
    struct beside inside = {.route = r, .leg = leg};
    struct err err = {0};
    pthread_t thread;

    if (attempt->program != NULL) {
        run_program(r, attempt, leg);
    }
    disk_begin(&attempt->plan);
    if (attempt->writer == WRITER_INSIDE && leg->writes != '-') {
        inside.app = app_open(r->db);
        use(inside.app, attempt->synchronous);
        if (pthread_create(&thread, NULL, write_all_the_time, &inside) != 0) {
            _exit(126);
        }
    }
    shared->code = (int)move(r->db, r->migrations, leg->to, leg->back, &err);
    snprintf(shared->msg, sizeof shared->msg, "%s", err.msg);
    shared->operations = disk_count();
    _exit(shared->code == ERR_OK ? 0 : 1);
}

static void write_beside(struct route *r, const struct leg *leg, pid_t pid, int *status)
{
    struct beside beside = {.route = r, .leg = leg, .app = app_open(r->db)};

    use(beside.app, 2);
    while (waitpid(pid, status, WNOHANG) == 0) {
        write_one(&beside);
        usleep(300);
    }
    write_one(&beside); /* and once more over what is left */
    app_close(beside.app);
}

void route_try(struct route *route, const struct attempt *attempt, struct outcome *out)
{
    const struct leg *leg = route_leg(route);
    struct attempt own = *attempt;
    pid_t pid;

    memset(out, 0, sizeof *out);
    memset(route_log(), 0, sizeof *shared);
    own.plan.folder = route->disk;
    own.plan.image = route->image;
    empty(route->disk);
    empty(route->image);
    copy_database(route->stage, route->db);
    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        child(route, &own, leg);
    }
    if (own.program != NULL) {
        usleep((useconds_t)own.delay_us);
        (void)kill(pid, SIGKILL);
    }
    if (own.writer == WRITER_BESIDE && leg->writes != '-') {
        write_beside(route, leg, pid, &out->status);
    } else {
        assert_int_equal(waitpid(pid, &out->status, 0), pid);
    }
    out->code = (enum err_code)shared->code;
    out->operations = shared->operations;
    snprintf(out->msg, sizeof out->msg, "%s", shared->msg);
}

/* ---- what must be so ---- */

const char *route_state(struct route *route)
{
    const struct leg *leg = route_leg(route);
    const char *seen = play_state(route->db, route->migrations, route->migration);
    enum mig_state state = state_of(seen), a = state_of(leg->from), b = state_of(leg->to);

    if (state < (a < b ? a : b) || state > (a < b ? b : a)) {
        fail_msg("%s: between %s and %s the state is %s", route->name, leg->from, leg->to, seen);
    }
    return seen;
}

static void append(sqlite3 *app, const char *what, const char *sql, struct buf *out)
{
    char *rows = app_rows(app, sql);

    buf_print(out, "-- %s\n%s", what, rows);
    free(rows);
}

/* RENAME spells names anew, and pending alone has them back as they were. */
static void loosen(char *schema)
{
    char *to = schema;

    for (const char *p = schema; *p != '\0'; p++) {
        if (strchr("\"[]`", *p) == NULL) {
            *to++ = (char)tolower((unsigned char)*p);
        }
    }
    *to = '\0';
}

/* What readers see, and whether it is sound. */
static char *look(const struct route *r, const char *db, const char *state)
{
    enum mig_state at = state_of(state);
    sqlite3 *app = app_open(db);
    struct buf out = {0};
    char *schema = app_schema(app);
    bool has_guards = app_number(app, "SELECT count(*) FROM sqlite_master WHERE name = "
                                      "'lockstep_guard'") > 0;

    append(app, "integrity", "PRAGMA integrity_check", &out);
    append(app, "references", "SELECT count(*) FROM pragma_foreign_key_check", &out);
    append(app, "guards", has_guards ? "SELECT count(*) FROM lockstep_guard" : "SELECT 0", &out);
    append(app, "triggers",
           "SELECT name, sql FROM sqlite_master WHERE name LIKE 'lockstep%' AND type = "
           "'trigger' ORDER BY 1",
           &out);
    if (at != MIG_PENDING) {
        loosen(schema);
    }
    buf_print(&out, "-- schema\n%s", schema);
    if (at < MIG_CONTRACTED || at == MIG_APPLIED) {
        append(app, "old code reads", r->read_old, &out);
    }
    if (at >= MIG_IN_SYNC) {
        append(app, "new code reads", r->read_new, &out);
    }
    free(schema);
    app_close(app);
    return buf_take(&out);
}

static void replay(const struct route *r, sqlite3 *model, int i)
{
    const struct write_log *log = &shared->log;
    const char *sql = log->at[i].sql;
    int wanted;

    wanted = app_try(model, sql) & 0xff;
    if (i < log->acked && wanted != log->at[i].code) {
        fail_msg("%s: a write gave %d beside the walk and %d without: %s", r->name, log->at[i].code,
                 wanted, sql);
    }
}

static void print_difference(const struct route *r, const char *seen, const char *wanted)
{
    char a[600], b[600], command[1400];

    snprintf(a, sizeof a, "%s/seen", r->base);
    snprintf(b, sizeof b, "%s/wanted", r->base);
    play_write(a, seen);
    play_write(b, wanted);
    snprintf(command, sizeof command, "diff -U0 '%s' '%s' | head -40", b, a);
    fflush(NULL);
    assert_int_not_equal(system(command), -1);
    for (int i = shared->log.begun > 8 ? shared->log.begun - 8 : 0; i < shared->log.begun; i++) {
        print_message("write %d gave %d: %.400s\n", i, shared->log.at[i].code,
                      shared->log.at[i].sql);
    }
}

/* What must be there if so many of the writes were made, in that state. free(). */
static char *look_at_model(const struct route *r, int writes, const char *to)
{
    const struct leg *leg = route_leg(r);
    const char *at = NULL;
    sqlite3 *model = NULL;

    copy_database(r->stage, r->model);
    for (int i = 0; i < writes; i++) { /* each where it was made */
        const char *wanted = shared->log.at[i].contracted ? "contracted"
                             : leg->replay_at != NULL     ? leg->replay_at
                                                          : leg->from;
        if (at == NULL || strcmp(at, wanted) != 0) {
            if (model != NULL) {
                app_close(model);
            }
            must_move_to(r, r->model, wanted, "the model");
            model = app_open(r->model);
            use(model, 0);
            at = wanted;
        }
        replay(r, model, i);
    }
    if (model != NULL) {
        app_close(model);
    } else if (leg->replay_at != NULL) {
        must_move_to(r, r->model, leg->replay_at, "the model");
    }
    must_move_to(r, r->model, to, "the model");
    return look(r, r->model, to);
}

/* Without writes it is the same after every try of a leg. */
static char *model_text(struct route *r, int writes, const char *to)
{
    char **kept = &r->untouched[state_of(to)];

    if (writes > 0) {
        return look_at_model(r, writes, to);
    }
    if (*kept == NULL) {
        *kept = look_at_model(r, 0, to);
    }
    return strdup(*kept);
}

void route_finish(struct route *route, bool turn_round, int *writes, int may_lose)
{
    const struct leg *leg = route_leg(route);
    char state[30], *seen, *wanted;
    struct err err = {0};
    int found, lost = 0;
    const char *to = leg->to;

    snprintf(state, sizeof state, "%s", route_state(route));
    /* Of two migrations of plain SQL the first may be there alone, and has no way back. */
    turn_round = turn_round && !(route->legs == plain_legs && strcmp(state, "pending") == 0);
    if (turn_round && strcmp(state, "purged") != 0 && !route->fresh) {
        to = leg->back ? (strcmp(leg->from, "applied") == 0 ? "applied" : "in-sync") : "pending";
    }
    if (strcmp(leg->to, "purged") == 0 && move_to(route, route->db, to, &err) == ERR_CONFLICT &&
        strstr(err.msg, "purge has begun") != NULL) {
        to = leg->to; /* of what is emptied row by row: it can only go on */
    }
    must_move_to(route, route->db, to, turn_round ? "turned round" : "gone on");
    seen = look(route, route->db, to);
    found = *writes >= 0 ? *writes : shared->log.begun;
    for (wanted = model_text(route, found, to); strcmp(seen, wanted) != 0;) {
        char *less = found > 0 && *writes < 0 ? model_text(route, found - 1, to) : NULL;
        /* What changed nothing was no commit; what was not acknowledged may be there or not. */
        lost += found <= shared->log.acked && less != NULL && strcmp(less, wanted) != 0;
        if (less == NULL || lost > may_lose) {
            print_difference(route, seen, wanted);
            fail_msg("%s, %s to %s, %s at %s, with %d writes, %d of them acknowledged", route->name,
                     leg->from, leg->to, state, to, shared->log.begun, shared->log.acked);
        }
        free(wanted);
        wanted = less;
        found--;
    }
    *writes = found;
    assert_non_null(strstr(seen, "-- integrity\nok\n"));
    assert_non_null(strstr(seen, "-- guards\n0\n"));
    free(seen);
    free(wanted);
}
