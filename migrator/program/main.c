/*
 * migrate - walks a database from one schema to the next, for deploy pipelines and people.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cli.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "migrator/folder/phased.h"
#include "migrator/migrate.h"
#include "migrator/program/manual.h"
#include "migrator/program/report_text.h"
#include "migrator/program/wrangler.h"

#define TOKEN_FILE_BYTES 4096u
#define WAIT_MAX_MS (7 * 24 * 3600 * 1000LL)
#define STALE_MAX 64 /* clients accepted by name: more are not looked at one by one */

struct program {
    struct arena arena;
    struct migrate *migrate;
    struct progress progress;
    char what[200]; /* what the progress line is about */
    uint64_t done;
    bool quiet;
    char waits_for[200]; /* the migration that waits, or "" */
    int64_t waiting_since_us, said_us;
};

/* ---- progress ---- */

static void end_progress(struct program *p)
{
    if (p->what[0] != '\0') {
        progress_end(&p->progress, p->done);
        p->what[0] = '\0';
    }
}

static void show_progress(void *ctx, const char *migration, const char *phase, uint64_t done,
                          uint64_t total)
{
    struct program *p = ctx;
    char what[200];

    if (p->waits_for[0] != '\0' && strcmp(phase, "verify") == 0) {
        return; /* the wait looks at the rows again now and then: its own line goes on */
    }
    (void)snprintf(what, sizeof what, "%.20s %.160s", phase, migration);
    if (strcmp(what, p->what) != 0) {
        end_progress(p);
        memcpy(p->what, what, sizeof what);
        progress_init(&p->progress, p->what, done, p->quiet);
    }
    p->done = done;
    if (done == total) {
        end_progress(p);
    } else {
        progress_show(&p->progress, done, total);
    }
}

/* ---- waiting ---- */

#define WAIT_TERMINAL_US 400000 /* as often as a gate is looked at */
#define WAIT_LOG_US 5000000     /* seldom enough to read afterwards */

static void end_wait(struct program *p)
{
    if (p->waits_for[0] != '\0' && isatty(STDERR_FILENO) == 1) {
        fputs("\r\033[K", stderr);
    }
    p->waits_for[0] = '\0';
}

/* On a terminal one line that redraws, in a log one now and then. */
static void show_wait(void *ctx, const char *migration, const char *why)
{
    struct program *p = ctx;
    bool terminal = isatty(STDERR_FILENO) == 1;
    int64_t now_us = clock_monotonic_us();
    char span[CLOCK_TEXT_BYTES];

    end_progress(p);
    if (p->quiet && !terminal) {
        return;
    }
    if (strcmp(p->waits_for, migration) != 0) {
        (void)snprintf(p->waits_for, sizeof p->waits_for, "%s", migration);
        p->waiting_since_us = now_us;
        p->said_us = 0;
    }
    if (p->said_us != 0 && now_us - p->said_us < (terminal ? WAIT_TERMINAL_US : WAIT_LOG_US)) {
        return;
    }
    p->said_us = now_us;
    fprintf(stderr, "%s%s waits (%s) for: %.*s%s", terminal ? "\r" : "", migration,
            clock_span_text(now_us - p->waiting_since_us, span), terminal ? 100 : 300, why,
            terminal ? "\033[K" : "\n");
    (void)fflush(stderr);
}

/* ---- options ---- */

static const char *given_or(const struct cli *cli, const char *option, const char *variable)
{
    const char *value = cli_option(cli, option);

    if (value == NULL) {
        value = getenv(variable);
        value = value != NULL && *value == '\0' ? NULL : value;
    }
    return value;
}

/* A token from a file, or as the environment has it; never from an argument, which others can
 * read. */
static enum err_code read_token(struct program *p, const char *path, const char *variable,
                                const char **out, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    enum err_code rc;

    *out = variable;
    if (path == NULL) {
        return ERR_OK;
    }
    rc = file_read(path, TOKEN_FILE_BYTES, &text, &len, err);
    if (rc) {
        return rc;
    }
    len = strcspn(text, " \t\r\n");
    *out = arena_text(&p->arena, text, len);
    free(text);
    return *out != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

static const char *environment_or(const char *variable, const char *other)
{
    const char *value = getenv(variable);

    return value != NULL && *value != '\0' ? value : getenv(other);
}

/* What is not named otherwise, wrangler's own file tells. It is never read unasked: the database that
 * it names is as a rule that of production. */
static enum err_code ask_wrangler(struct program *p, const struct cli *cli,
                                  struct migrate_options *options, struct err *err)
{
    struct wrangler_ask ask = {.file = cli_option(cli, "wrangler"),
                               .environment = cli_option(cli, "wrangler-env"),
                               .binding = cli_option(cli, "wrangler-binding"),
                               .local = cli_given(cli, "wrangler-local")};
    struct wrangler said = {0};
    enum err_code rc;

    if (ask.file == NULL) {
        return ask.environment != NULL || ask.binding != NULL || ask.local
                   ? err_set(err, ERR_INVALID, "of which file? --wrangler FILE (or its folder)")
                   : ERR_OK;
    }
    rc = wrangler_read(&ask, &p->arena, &said, err);
    if (rc == ERR_OK) {
        options->database =
            cli_given(cli, "database") ? cli_option(cli, "database") : said.database;
        options->folder =
            cli_given(cli, "migrations") ? cli_option(cli, "migrations") : said.folder;
        options->ledger = said.ledger;
    }
    return rc;
}

static enum err_code open_migrate(struct program *p, const struct cli *cli, struct err *err)
{
    struct migrate_options options = {
        .database = given_or(cli, "database", "LOCKSTEP_DATABASE"),
        .database_api = given_or(cli, "database-api", "CLOUDFLARE_API_BASE_URL"),
        .folder = given_or(cli, "migrations", "LOCKSTEP_MIGRATIONS"),
        .environment = given_or(cli, "environment", "LOCKSTEP_ENVIRONMENT"),
        .flag_server = given_or(cli, "flag-server", "LOCKSTEP_FLAG_SERVER"),
        .progress = show_progress,
        .waiting = show_wait,
        .progress_ctx = p,
        .create = cli_given(cli, "create"),
    };
    enum err_code rc = read_token(p, cli_option(cli, "flag-token-file"), getenv("LOCKSTEP_TOKEN"),
                                  &options.flag_token, err);

    rc = rc ? rc
            : read_token(p, cli_option(cli, "database-token-file"),
                         environment_or("LOCKSTEP_D1_TOKEN", "CLOUDFLARE_API_TOKEN"),
                         &options.database_token, err);
    if (rc) {
        return rc;
    }
    rc = ask_wrangler(p, cli, &options, err);
    if (rc) {
        return rc;
    }
    if (options.database == NULL) {
        return err_set(err, ERR_INVALID,
                       "name the database by --database or LOCKSTEP_DATABASE (sqlite:app.db)%s",
                       wrangler_find(NULL, &p->arena) != NULL
                           ? "; --wrangler . takes the one of wrangler's file here"
                           : "");
    }
    if (options.folder == NULL) {
        options.folder = "migrations";
    }
    p->quiet = cli_json(cli);
    return migrate_open(&options, &p->migrate, err);
}

static void close_migrate(struct program *p)
{
    end_progress(p);
    migrate_close(p->migrate);
    arena_fini(&p->arena);
}

/* ---- output ---- */

typedef void print_fn(const struct json *report);

/* Prints the report, and the error if there is one; frees the report. */
static int finish(struct program *p, const struct cli *cli, enum err_code rc, struct json *report,
                  print_fn *print, const struct err *err)
{
    end_progress(p);
    end_wait(p);
    if (rc != ERR_OK && report == NULL) {
        return cli_fail(cli, err);
    }
    if (cli_json(cli)) {
        if (rc != ERR_OK) {
            struct json *error = json_object();
            (void)json_put_text(error, "code", err_code_name(rc));
            (void)json_put_text(error, "message", err->msg);
            (void)json_put(report, "error", error);
        }
        cli_print_json(report);
        return err_exit_code(rc);
    }
    if (rc == ERR_OK || json_count(json_get(report, "steps")) > 0 ||
        json_count(json_get(report, "waits")) > 0 || print == report_print_verify ||
        print == report_print_restore || print == report_print_rehearsal) {
        print(report);
    }
    json_free(report);
    (void)fflush(stdout);
    return rc != ERR_OK ? cli_fail(cli, err) : 0;
}

/* ---- commands ---- */

/* One function of the library, with what the command line says to it. */
typedef enum err_code call_fn(struct migrate *m, const void *what, struct json **report,
                              struct err *err);

static const struct cli_option *const tables[9];

/* An empty word is what a shell makes of a variable that is not set: it says nothing. */
static const char *empty_option(const struct cli *cli)
{
    for (size_t i = 0; tables[i] != NULL; i++) {
        for (const struct cli_option *option = tables[i]; option->name != NULL; option++) {
            const char *value = option->argument != NULL ? cli_option(cli, option->name) : NULL;
            if (value != NULL && *value == '\0') {
                return option->name;
            }
        }
    }
    return NULL;
}

/* Opens, calls, prints and closes; the exit code. changes: how many the report tells of, or NULL. */
static int run_call(struct cli *cli, call_fn *call, const void *what, print_fn *print,
                    double *changes)
{
    struct program p = {0};
    struct json *report = NULL;
    struct err err = {0};
    const char *empty = empty_option(cli);
    enum err_code rc;
    int code;

    if (empty != NULL) {
        return cli_usage(cli, "--%s is given, and empty", empty);
    }
    rc = open_migrate(&p, cli, &err);
    rc = rc ? rc : call(p.migrate, what, &report, &err);
    if (changes != NULL) {
        *changes = json_number(json_get(report, "changes"), 0);
    }
    code = finish(&p, cli, rc, report, print, &err);
    close_migrate(&p);
    return code;
}

/* The names given by --accept-stale, NULL at the end; NULL if there is none. */
static const char *const *read_stale(const struct cli *cli, const char *names[STALE_MAX + 1])
{
    size_t count = 0;

    while (count < STALE_MAX && cli_option_at(cli, "accept-stale", count) != NULL) {
        names[count] = cli_option_at(cli, "accept-stale", count);
        count++;
    }
    names[count] = NULL;
    return count > 0 ? names : NULL;
}

static enum err_code call_plan(struct migrate *m, const void *what, struct json **report,
                               struct err *err)
{
    return migrate_plan(m, what, report, err);
}

static int run_plan(struct cli *cli, void *ctx)
{
    struct migrate_apply what = {.target = cli_operand(cli, 0),
                                 .to_state = cli_option(cli, "to"),
                                 .plan_file = cli_option(cli, "out"),
                                 .fresh = cli_given(cli, "fresh")};
    double changes = 0;
    int code =
        run_call(cli, call_plan, &what,
                 cli_given(cli, "sql") ? report_print_plan_whole : report_print_plan, &changes);

    (void)ctx;
    return code == 0 && cli_given(cli, "exit-code") && changes > 0 ? 5 : code;
}

/* Reads a duration such as 10m into seconds. Returns 0, or the exit code after saying what is
 * wrong. */
static int read_duration(const struct cli *cli, const char *option, int *seconds)
{
    const char *text = cli_option(cli, option);
    int64_t ms = 0;

    if (text != NULL && (!phased_duration(text, &ms) || ms > WAIT_MAX_MS)) {
        return cli_usage(cli, "--%s '%s' is no duration such as 30s, 10m or 2h", option, text);
    }
    *seconds = (int)((ms + 999) / 1000);
    return 0;
}

static enum err_code call_apply(struct migrate *m, const void *what, struct json **report,
                                struct err *err)
{
    return migrate_apply(m, what, report, err);
}

static int run_apply(struct cli *cli, void *ctx)
{
    struct migrate_apply what = {.target = cli_operand(cli, 0),
                                 .to_state = cli_option(cli, "to"),
                                 .override_gate = cli_option(cli, "override-gate"),
                                 .reason = cli_option(cli, "reason"),
                                 .recovery_point = cli_option(cli, "recovery-point"),
                                 .recovery_dir = cli_option(cli, "recovery-dir"),
                                 .maintenance = cli_given(cli, "maintenance"),
                                 .throttle_while = cli_option(cli, "throttle-while"),
                                 .throttle_url = cli_option(cli, "throttle-url"),
                                 .reclaim = cli_given(cli, "reclaim"),
                                 .plan_file = cli_option(cli, "plan"),
                                 .fresh = cli_given(cli, "fresh"),
                                 .dry_run = cli_given(cli, "dry-run")};
    const char *rows = cli_option(cli, "rows-written-per-day");
    const char *stale[STALE_MAX + 1];
    char *end = NULL;
    int code = read_duration(cli, "wait", &what.wait_s);

    (void)ctx;
    code = code != 0 ? code : read_duration(cli, "watch", &what.watch_s);
    if (code != 0) {
        return code;
    }
    if (rows != NULL) {
        what.rows_written_per_day = strtoll(rows, &end, 10);
        if (what.rows_written_per_day < 100 || *end != '\0') {
            return cli_usage(cli, "--rows-written-per-day '%s' is no number from 100 on", rows);
        }
    }
    what.accept_stale = read_stale(cli, stale);
    return run_call(cli, call_apply, &what,
                    !what.dry_run           ? report_print_steps
                    : cli_given(cli, "sql") ? report_print_plan_whole
                                            : report_print_plan,
                    NULL);
}

static enum err_code call_rollback(struct migrate *m, const void *what, struct json **report,
                                   struct err *err)
{
    return migrate_rollback(m, what, report, err);
}

static int run_rollback(struct cli *cli, void *ctx)
{
    struct migrate_rollback what = {.target = cli_operand(cli, 0),
                                    .to_state = cli_option(cli, "to"),
                                    .maintenance = cli_given(cli, "maintenance"),
                                    .one_phase = cli_given(cli, "phase"),
                                    .recovery_point = cli_option(cli, "recovery-point"),
                                    .recovery_dir = cli_option(cli, "recovery-dir"),
                                    .reason = cli_option(cli, "reason")};
    const char *stale[STALE_MAX + 1];

    (void)ctx;
    if (what.one_phase && what.to_state != NULL) {
        return cli_usage(cli, "--phase and --to exclude each other");
    }
    what.accept_stale = read_stale(cli, stale);
    if ((cli_given(cli, "without-flag-server") || what.accept_stale != NULL) !=
        cli_given(cli, "reason")) {
        return cli_usage(cli, "--without-flag-server or --accept-stale, and --reason, belong "
                              "together");
    }
    what.without_flag_server_reason =
        cli_given(cli, "without-flag-server") ? cli_option(cli, "reason") : NULL;
    return run_call(cli, call_rollback, &what, report_print_steps, NULL);
}

static enum err_code call_status(struct migrate *m, const void *what, struct json **report,
                                 struct err *err)
{
    (void)what;
    return migrate_status(m, report, err);
}

static int run_status(struct cli *cli, void *ctx)
{
    (void)ctx;
    return run_call(cli, call_status, NULL, report_print_status, NULL);
}

static enum err_code call_verify(struct migrate *m, const void *what, struct json **report,
                                 struct err *err)
{
    return migrate_verify(m, what, report, err);
}

static int run_verify(struct cli *cli, void *ctx)
{
    (void)ctx;
    return run_call(cli, call_verify, cli_operand(cli, 0), report_print_verify, NULL);
}

static enum err_code call_history(struct migrate *m, const void *what, struct json **report,
                                  struct err *err)
{
    return migrate_history(m, what, report, err);
}

static int run_history(struct cli *cli, void *ctx)
{
    (void)ctx;
    return run_call(cli, call_history, cli_operand(cli, 0), report_print_history, NULL);
}

static enum err_code call_restore(struct migrate *m, const void *what, struct json **report,
                                  struct err *err)
{
    return migrate_restore(m, what, report, err);
}

static int run_restore(struct cli *cli, void *ctx)
{
    struct migrate_restore what = {.file = cli_operand(cli, 0),
                                   .yes = cli_given(cli, "yes"),
                                   .reason = cli_option(cli, "reason")};

    (void)ctx;
    return run_call(cli, call_restore, &what, report_print_restore, NULL);
}

static enum err_code call_rehearse(struct migrate *m, const void *what, struct json **report,
                                   struct err *err)
{
    return migrate_rehearse(m, what, report, err);
}

static int run_rehearse(struct cli *cli, void *ctx)
{
    struct migrate_rehearse what = {.target = cli_operand(cli, 0),
                                    .keep = cli_option(cli, "keep"),
                                    .maintenance = cli_given(cli, "maintenance")};

    (void)ctx;
    return run_call(cli, call_rehearse, &what, report_print_rehearsal, NULL);
}

/* Whether --reason is there. Where it is not, *code is the exit code, and it is said. */
static bool has_reason(const struct cli *cli, int *code)
{
    const char *reason = cli_option(cli, "reason");
    bool has = reason != NULL && *reason != '\0';

    *code = has ? 0 : cli_usage(cli, "say why: --reason TEXT");
    return has;
}

static enum err_code call_repair(struct migrate *m, const void *what, struct json **report,
                                 struct err *err)
{
    return migrate_repair(m, what, report, err);
}

static int run_repair(struct cli *cli, void *ctx)
{
    struct migrate_repair what = {.new_identity = cli_given(cli, "new-identity"),
                                  .report = cli_given(cli, "report"),
                                  .reason = cli_option(cli, "reason")};
    int code;

    (void)ctx;
    if (what.new_identity == what.report) {
        return cli_usage(cli, "say what to repair: --new-identity or --report");
    }
    return has_reason(cli, &code) ? run_call(cli, call_repair, &what, report_print_repair, NULL)
                                  : code;
}

static enum err_code call_unlock(struct migrate *m, const void *what, struct json **report,
                                 struct err *err)
{
    return migrate_unlock(m, what, report, err);
}

static int run_unlock(struct cli *cli, void *ctx)
{
    int code;

    (void)ctx;
    return has_reason(cli, &code)
               ? run_call(cli, call_unlock, cli_option(cli, "reason"), report_print_unlock, NULL)
               : code;
}

/* ---- pace ---- */

struct pacing {
    const char *target, *reason;
    double ratio;
};

static enum err_code call_pause(struct migrate *m, const void *what, struct json **report,
                                struct err *err)
{
    const struct pacing *pacing = what;

    return migrate_pause(m, pacing->target, pacing->reason, report, err);
}

static int run_pause(struct cli *cli, void *ctx)
{
    struct pacing what = {.target = cli_operand(cli, 0), .reason = cli_option(cli, "reason")};
    int code;

    (void)ctx;
    return has_reason(cli, &code) ? run_call(cli, call_pause, &what, report_print_pace, NULL)
                                  : code;
}

static enum err_code call_resume(struct migrate *m, const void *what, struct json **report,
                                 struct err *err)
{
    return migrate_resume(m, what, report, err);
}

static int run_resume(struct cli *cli, void *ctx)
{
    (void)ctx;
    return run_call(cli, call_resume, cli_operand(cli, 0), report_print_pace, NULL);
}

static enum err_code call_throttle(struct migrate *m, const void *what, struct json **report,
                                   struct err *err)
{
    const struct pacing *pacing = what;

    return migrate_throttle(m, pacing->ratio, report, err);
}

static int run_throttle(struct cli *cli, void *ctx)
{
    const char *text = cli_operand(cli, 0);
    char *end = NULL;
    struct pacing what = {.ratio = strtod(text, &end)};

    (void)ctx;
    if (end == text || *end != '\0') {
        return cli_usage(cli, "'%s' is no share of the time such as 0.25", text);
    }
    return run_call(cli, call_throttle, &what, report_print_pace, NULL);
}

/* ---- tables ---- */

static const struct cli_option common[] = {
    {"database", 'd', "URL",
     "the database: sqlite:PATH, a path, or d1://ACCOUNT/DATABASE (LOCKSTEP_DATABASE)", false},
    {"database-token-file", 0, "FILE",
     "a file with the API token of a D1 database (or CLOUDFLARE_API_TOKEN)", false},
    {"database-api", 0, "URL", "the API's base URL, if it is another (CLOUDFLARE_API_BASE_URL)",
     false},
    {"wrangler", 0, "FILE",
     "take database and migrations from this wrangler.json, .jsonc or .toml, or from the one in "
     "this folder",
     false},
    {"wrangler-env", 0, "NAME", "of its environments this one", false},
    {"wrangler-binding", 0, "NAME", "of its databases this one (binding or name)", false},
    {"wrangler-local", 0, NULL, "the local database of `wrangler dev`, under .wrangler/state",
     false},
    {"migrations", 'm', "DIR", "the folder of migrations; default: migrations", false},
    {"environment", 'e', "NAME", "what this database is for; stored at the first contact", false},
    {"flag-server", 0, "URL", "where flags are (LOCKSTEP_FLAG_SERVER)", false},
    {"flag-token-file", 0, "FILE", "a file with a token of role pipeline (or LOCKSTEP_TOKEN)",
     false},
    {0}};

static const struct cli_option plan_options[] = {
    {"to", 't', "STATE", "only as far as this state", false},
    {"exit-code", 0, NULL, "exit with 5 if there is something to do", false},
    {"sql", 0, NULL, "statements whole, not cut to one line each", false},
    {"out", 'o', "FILE", "write the plan down, for apply --plan", false},
    {"fresh", 0, NULL, "as with apply --fresh", false},
    {"create", 0, NULL, "the database may be a file that is not there yet", false},
    {0}};

static const struct cli_option apply_options[] = {
    {"to", 't', "STATE", "go to this state: expanded, dual-writing, in-sync, contracted, purged",
     false},
    {"wait", 'w', "DURATION", "wait so long for a gate to open: 30s, 10m, 2h", false},
    {"fresh", 0, NULL, "tables without a row go straight to the schema behind purge", false},
    {"watch", 0, "DURATION", "stay so long behind contract and look at \"watch\"", false},
    {"dry-run", 'n', NULL, "only show the plan", false},
    {"plan", 0, "FILE", "do what this plan says, or refuse and name what changed since", false},
    {"sql", 0, NULL, "with --dry-run: statements whole", false},
    {"override-gate", 0, "NAME", "pass this condition of the contract gate; needs --reason", false},
    {"reason", 0, "TEXT", "why, for the history", false},
    {"accept-stale", 0, "CLIENT",
     "a client that honours no lease and is no hindrance; needs "
     "--reason",
     true},
    {"reclaim", 0, NULL,
     "purge removes the columns of a large table at once, while everybody waits; otherwise they "
     "are emptied and stay, and this removes them later",
     false},
    {"throttle-while", 0, "CONDITION",
     "the backfill waits while this is true: CEL over wal_bytes, load, now, rows_done, ...", false},
    {"rows-written-per-day", 0, "N",
     "the backfill ends behind so many rows (D1's free plan: 100000 a day), and goes on when the "
     "command is run the next day",
     false},
    {"throttle-url", 0, "URL", "the backfill waits while this does not answer 200", false},
    {"recovery-point", 0, "FILE", "where purge copies the database to; none: no copy", false},
    {"recovery-dir", 0, "DIR", "the folder for that copy; default: beside the database", false},
    {"maintenance", 0, NULL,
     "a step may keep other writers out for as long as it takes: no traffic is expected", false},
    {"create", 0, NULL, "the database may be made", false},
    {0}};

static const struct cli_option rollback_options[] = {
    {"phase", 'p', NULL, "one state back", false},
    {"maintenance", 0, NULL, "a large table may be written anew, while everybody waits", false},
    {"to", 't', "STATE", "back to this state (default: pending), or all behind this migration",
     false},
    {"without-flag-server", 0, NULL, "the flag server is lost: wait out the lease; needs --reason",
     false},
    {"accept-stale", 0, "CLIENT",
     "a client that honours no lease and is no hindrance; needs "
     "--reason",
     true},
    {"reason", 0, "TEXT", "why, for the history", false},
    {"recovery-point", 0, "FILE",
     "where the database is copied to if content is lost; none: no "
     "copy",
     false},
    {"recovery-dir", 0, "DIR", "the folder for that copy; default: beside the database", false},
    {0}};

static const struct cli_option rehearse_options[] = {
    {"keep", 0, "FILE", "the copy's new file, which stays; otherwise it goes", false},
    {"maintenance", 0, NULL, "as with apply --maintenance", false},
    {0}};

static const struct cli_option restore_options[] = {
    {"yes", 'y', NULL, "put it back; without, only say what would be lost", false},
    {"reason", 0, "TEXT", "why, for the history", false},
    {0}};

static const struct cli_option repair_options[] = {
    {"new-identity", 0, NULL, "a copied file becomes a database of its own", false},
    {"report", 0, NULL, "tell the flag server the states as they are here", false},
    {"reason", 0, "TEXT", "why, for the history", false},
    {0}};

static const struct cli_option pause_options[] = {
    {"reason", 0, "TEXT", "why, for who finds it paused", false}, {0}};

static const struct cli_option unlock_options[] = {
    {"reason", 0, "TEXT", "why, for the history", false}, {0}};

static const struct cli_option *const tables[9] = {
    common,        plan_options,   apply_options, rollback_options, restore_options, repair_options,
    pause_options, unlock_options, NULL};

static const struct cli_command commands[] = {
    {"plan", "[MIGRATION]", "show what apply would do; touches nothing",
     "Prints each phase with its statements, the rows that it goes over, how long the write lock "
     "is "
     "held at most, and what old code would break on.",
     plan_options, 0, 1, run_plan},
    {"apply", "[MIGRATION]", "apply migrations, or one, as far as is safe",
     "Plain SQL runs at once. A phased migration walks expanded, dual-writing, in-sync, and on to "
     "contracted if its gate is open; with --to, a closed gate is exit code 3 with every condition "
     "that is not met. What is set aside is removed only by --to purged, after a copy of the "
     "database was made.\n\nA killed run goes on where it was.",
     apply_options, 0, 1, run_apply},
    {"rollback", "[MIGRATION]", "take the newest migration in flight (or one) back",
     "Back to pending, or one state (--phase), or to a state (--to); --to 0003 takes back all that "
     "came behind 0003, or nothing if one of them has no way back. What was written since is "
     "kept, and the schema is what it was. Only purged has no way back.",
     rollback_options, 0, 1, run_rollback},
    {"status", "", "show where every migration stands", NULL, NULL, 0, 0, run_status},
    {"verify", "[MIGRATION]", "check every row of the migrations that keep two shapes",
     "Exit code 3 if a row differs. A migration that is in-sync then falls back to dual-writing.",
     NULL, 0, 1, run_verify},
    {"history", "[MIGRATION]", "show who did what, when, how long it took and for how many rows",
     NULL, NULL, 0, 1, run_history},
    {"rehearse", "[MIGRATION]", "walk what is pending on a copy of the rows, there and back",
     "All migrations, or those up to one. The database is only read: a file is copied by SQLite, a "
     "D1 database by ranges of its keys, so that nobody waits. Every phase is gone through, every "
     "way back is compared with the rows and the schema before, and then the end. Flags and gates "
     "are taken as open. Exit code 3: something would be refused, or did not come back.",
     rehearse_options, 0, 1, run_rehearse},
    {"restore", "FILE", "put a recovery point in the place of the database",
     "Says first what was written since and would be lost (exit code 3); with --yes it is put "
     "back, "
     "in one transaction, and the flag server is told. Nobody may have the database open (exit "
     "code "
     "4 names who has).",
     restore_options, 1, 1, run_restore},
    {"repair", "--new-identity|--report --reason TEXT", "mend what a copied or restored file broke",
     "--new-identity gives a copy an id of its own (and the environment of --environment), so that "
     "it "
     "does not speak for the original. --report tells the flag server every state as it is in this "
     "database, against what it believes: after the file was put back to an older copy by hand.",
     repair_options, 0, 0, run_repair},
    {"pause", "[MIGRATION]", "stop the backfill of a migration, or of all, between two batches",
     "A running apply ends with exit code 3 and gives its lock back (with --wait it waits so "
     "long), "
     "and a later one says who paused it. What was done is kept. The way back is never paused.",
     pause_options, 0, 1, run_pause},
    {"resume", "[MIGRATION]", "let it go on: the next apply begins where it stopped", NULL, NULL, 0,
     1, run_resume},
    {"throttle", "RATIO", "let backfills hold the write lock for this share of the time at most",
     "From 0.001 to 1, such as 0.1. It lies in the database, and a running backfill does so within "
     "a second.",
     NULL, 1, 1, run_throttle},
    {"unlock", "--reason TEXT", "take the lock from a migrator that died",
     "A lock expires by itself, and one of a dead process on this machine is taken over at once: "
     "this is for the rest. A living migrator keeps it (exit code 4).",
     unlock_options, 0, 0, run_unlock},
    {0}};

static const struct cli_program program = {
    "migrate",
    "walks a database from one schema to the next without downtime",
    common,
    commands,
    "Environment: LOCKSTEP_DATABASE, LOCKSTEP_MIGRATIONS, LOCKSTEP_ENVIRONMENT, "
    "LOCKSTEP_FLAG_SERVER, LOCKSTEP_TOKEN, LOCKSTEP_ACTOR (who, for the history); for D1 "
    "CLOUDFLARE_API_TOKEN (or LOCKSTEP_D1_TOKEN), CLOUDFLARE_API_BASE_URL.",
    migrate_manual};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv, NULL);
}
