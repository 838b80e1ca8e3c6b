/*
 * flag-server - makes a store, serves it, makes tokens for it.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cli.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/json.h"
#include "base/log.h"
#include "server/app.h"
#include "server/http.h"
#include "server/schedules.h"
#include "server/listen.h"

static const char *store_url(const struct cli *cli)
{
    const char *url = cli_option(cli, "store");

    return url != NULL ? url : getenv("LOCKSTEP_STORE");
}

/* Gives the token out once: into a file that only its owner reads, or on stdout, never both. */
static int give_token(const struct cli *cli, const char *token, struct json *document)
{
    const char *path = cli_option(cli, "token-file");
    char line[STORE_TOKEN_BYTES + 1];
    struct err err = {0};

    if (path != NULL) {
        snprintf(line, sizeof line, "%s\n", token);
        if (file_write_atomic(path, line, strlen(line), 0600, &err) != ERR_OK) {
            err_wrap(&err, "the token was made but not written; make another with flag-server "
                           "token");
            json_free(document);
            return cli_fail(cli, &err);
        }
        json_put_text(document, "token_file", path);
    } else {
        json_put_text(document, "token", token);
    }
    if (cli_json(cli)) {
        cli_print_json(document);
        return 0;
    }
    if (path == NULL) {
        printf("%s\n", token);
    }
    json_free(document);
    return 0;
}

/* ---- init ---- */

static int run_init(struct cli *cli, void *ctx)
{
    const char *url = store_url(cli);
    const char *environment = cli_option(cli, "environment");
    char token[STORE_TOKEN_BYTES];
    struct err err = {0};
    struct json *out;

    (void)ctx;
    environment = environment != NULL ? environment : "production";
    if (url == NULL) {
        return cli_usage(cli, "--store is needed: sqlite:flags.db");
    }
    if (environment[0] == '\0' || strlen(environment) > LIMIT_KEY_BYTES) {
        return cli_usage(cli, "--environment needs a name of 1 to %u bytes", LIMIT_KEY_BYTES);
    }
    (void)umask(0077); /* what is audited is nobody else's to read */
    if (store_init(url, environment, token, &err) != ERR_OK) {
        return cli_fail(cli, &err);
    }
    out = json_object();
    json_put_text(out, "store", url);
    json_put_text(out, "environment", environment);
    json_put_text(out, "role", "admin");
    return give_token(cli, token, out);
}

/* ---- token ---- */

/* NULL: the default one. */
static enum err_code find_store(const struct stores *stores, const char *name, struct store **out,
                                struct err *err)
{
    *out = name != NULL ? stores_find(stores, name) : stores_default(stores);
    return *out != NULL
               ? ERR_OK
               : err_set(err, ERR_INVALID, "--environment: there is no '%.64s' in it", name);
}

static int run_token(struct cli *cli, void *ctx)
{
    const char *url = store_url(cli);
    const char *role = cli_option(cli, "role");
    const char *name = cli_option(cli, "name");
    struct store_actor who = {"flag-server token", NULL};
    char token[STORE_TOKEN_BYTES], id[33], why[ERR_MSG_BYTES];
    const char *environment = cli_option(cli, "environment");
    struct stores *stores = NULL;
    struct store *store;
    bool everywhere;
    struct err err = {0};
    struct json *out;
    enum role known;

    (void)ctx;
    if (url == NULL || role == NULL || name == NULL) {
        return cli_usage(cli, "--store, --role and --name are needed");
    }
    if (!role_of(role, &known)) {
        return cli_usage(cli, "--role must be one of %s", ROLE_NAMES);
    }
    if (name[0] == '\0' || strlen(name) > LIMIT_KEY_BYTES) {
        return cli_usage(cli, "--name needs 1 to %u bytes", LIMIT_KEY_BYTES);
    }
    everywhere = known == ROLE_ADMIN || (environment != NULL && strcmp(environment, "*") == 0);
    if (everywhere && (known == ROLE_SDK_SERVER || known == ROLE_SDK_CLIENT)) {
        return cli_usage(cli, "a token of role %s is for one --environment", role);
    }
    if (known == ROLE_ADMIN && environment != NULL && strcmp(environment, "*") != 0) {
        return cli_usage(cli, "an admin's token is for all environments");
    }
    if (stores_open(url, &stores, why, &err) == ERR_OK && why[0] == '\0' &&
        find_store(stores, everywhere ? NULL : environment, &store, &err) == ERR_OK &&
        store_make_token(store, &who, role, name, everywhere, id, token, &err) == ERR_OK) {
        out = json_object();
        json_put_text(out, "environment", everywhere ? "*" : store_environment(store));
        stores_close(stores);
        json_put_text(out, "id", id);
        json_put_text(out, "role", role);
        json_put_text(out, "name", name);
        return give_token(cli, token, out);
    }
    if (stores != NULL && why[0] != '\0') {
        (void)err_set(&err, ERR_DENIED, "the store cannot be written: %s", why);
    }
    stores_close(stores);
    return cli_fail(cli, &err);
}

/* ---- serve ---- */

static enum err_code write_port(const char *path, unsigned port, struct err *err)
{
    char line[16];

    if (path == NULL) {
        return ERR_OK;
    }
    snprintf(line, sizeof line, "%u\n", port);
    return file_write_atomic(path, line, strlen(line), 0644, err);
}

static void tick(void *ctx)
{
    schedules_tick(ctx);
}

static int serve(struct cli *cli, struct app *app, const struct http_options *options,
                 const sigset_t *signals)
{
    struct http_server *server = NULL;
    struct err err = {0};
    const char *shown = options->address[0] != '\0' ? options->address : "127.0.0.1";
    bool six = strchr(shown, ':') != NULL;
    /* From here on the store is the worker's. */
    char environment[LIMIT_KEY_BYTES + 1];
    long long revision = store_revision(stores_default(app->stores));
    int number = 0;

    snprintf(environment, sizeof environment, "%s", store_environment(stores_default(app->stores)));
    if (http_start(options, &server, &err) != ERR_OK) {
        return cli_fail(cli, &err);
    }
    if (write_port(cli_option(cli, "port-file"), http_port(server), &err) != ERR_OK) {
        http_stop(server);
        return cli_fail(cli, &err);
    }
    log_event(LOG_INFO, "listening",
              "address=%s%s%s:%u environment=%s revision=%lld connections_max=%u", six ? "[" : "",
              shown, six ? "]" : "", http_port(server), environment, revision,
              http_connections_max(server));
    (void)sigwait(signals, &number);
    log_event(LOG_INFO, "stopping", "signal=%d", number);
    /* A second signal ends the program at once, as people expect of one that takes its time. */
    (void)signal(SIGTERM, SIG_DFL);
    (void)signal(SIGINT, SIG_DFL);
    (void)pthread_sigmask(SIG_UNBLOCK, signals, NULL);
    http_stop(server);
    log_event(LOG_INFO, "stopped", "revision=%lld",
              (long long)store_revision(stores_default(app->stores)));
    return 0;
}

static bool whole_number(const char *text, unsigned *out)
{
    size_t len = strlen(text);

    if (len == 0 || len > 9 || strspn(text, "0123456789") != len) {
        return false;
    }
    *out = (unsigned)strtoul(text, NULL, 10);
    return *out > 0;
}

/* "400d" */
static bool days(const char *text, unsigned *out)
{
    char number[8];
    size_t len = strlen(text);

    if (len < 2 || len > 6 || text[len - 1] != 'd') {
        return false;
    }
    snprintf(number, sizeof number, "%.*s", (int)(len - 1), text);
    return whole_number(number, out);
}

static int run_serve(struct cli *cli, void *ctx)
{
    const char *url = store_url(cli);
    const char *listen = cli_option(cli, "listen");
    const char *per_address = cli_option(cli, "connections-per-address");
    const char *rows = cli_option(cli, "audit-rows"), *keep = cli_option(cli, "audit-keep");
    unsigned audit_rows = 0, audit_days = 0;
    char address[LISTEN_ADDRESS_BYTES];
    struct http_options options = {
        .address = address, .handle = app_handle, .tick = tick, .tick_ms = SCHEDULES_TICK_MS};
    struct app app;
    struct err err = {0};
    sigset_t signals;
    int code;

    (void)ctx;
    if (url == NULL) {
        return cli_usage(cli, "--store is needed: sqlite:flags.db");
    }
    if (listen_parse(listen != NULL ? listen : "127.0.0.1:8080", address, &options.port, &err) !=
        ERR_OK) {
        return cli_fail(cli, &err);
    }
    if (per_address != NULL && !whole_number(per_address, &options.per_address)) {
        return cli_usage(cli, "--connections-per-address must be a whole number from 1");
    }
    if (rows != NULL && !whole_number(rows, &audit_rows)) {
        return cli_usage(cli, "--audit-rows must be a whole number from 1");
    }
    if (keep != NULL && !days(keep, &audit_days)) {
        return cli_usage(cli, "--audit-keep must be a number of days from 1d to 99999d, as 400d");
    }
    /* Before any thread is made, so that all inherit it and the signals come to sigwait() alone. */
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (app_open(&app, url, cli_option(cli, "cors-origin"), &err) != ERR_OK) {
        return cli_fail(cli, &err);
    }
    app.audit_rows = audit_rows;
    app.audit_keep_ms = (int64_t)audit_days * 86400000;
    options.ctx = &app;
    code = serve(cli, &app, &options, &signals);
    app_close(&app);
    return code;
}

/* ---- tables ---- */

static const struct cli_option init_options[] = {
    {"store", 's', "URL", "the database to make: sqlite:flags.db", false},
    {"environment", 'e', "NAME", "what the flags are for (default: production)", false},
    {"token-file", 't', "FILE", "write the first admin token here (mode 0600), not to stdout",
     false},
    {0}};

static const struct cli_option serve_options[] = {
    {"store", 's', "URL", "the database that init made", false},
    {"listen", 'l', "ADDRESS:PORT", "default 127.0.0.1:8080; port 0 picks a free one", false},
    {"port-file", 'p', "FILE", "write the port here once requests are answered", false},
    {"audit-keep", 0, "DAYS",
     "remove audit events older than so many days: 400d (default: keep all)", false},
    {"audit-rows", 0, "N", "remove all but the newest N audit events (default: keep all)", false},
    {"connections-per-address", 0, "N",
     "connections of one address at once (default: a quarter of all; loopback: all)", false},
    {"cors-origin", 'c', "ORIGIN", "let pages of this origin call OFREP (default: none)", false},
    {0}};

static const struct cli_option token_options[] = {
    {"store", 's', "URL", "the database that init made", false},
    {"role", 'r', "ROLE", ROLE_NAMES, false},
    {"name", 'n', "NAME", "who uses the token; stands in the audit", false},
    {"environment", 'e', "NAME",
     "what it is for (default: the first; \"*\": all; of an admin: all)", false},
    {"token-file", 't', "FILE", "write the token here (mode 0600), not to stdout", false},
    {0}};

static const struct cli_command commands[] = {
    {"init", "", "make a store and its first admin token",
     "Makes the database with its schema and prints the first admin token, the only time that it "
     "is shown. A store that exists is refused (exit code 3).",
     init_options, 0, 0, run_init},
    {"serve", "", "answer requests until SIGTERM",
     "Brings the store's schema up to date and answers OFREP, rulesets and administration over "
     "HTTP. On SIGTERM or SIGINT it stops listening, answers what it has accepted, and ends. Logs "
     "go to stderr, one line an event.",
     serve_options, 0, 0, run_serve},
    {"token", "", "make a token in the store",
     "Works beside a running server, which knows the token within a second.", token_options, 0, 0,
     run_token},
    {0}};

static const struct cli_program program = {
    "flag-server", "feature flags over HTTP, tied to the schemas that they need",     NULL,
    commands,      "Environment: LOCKSTEP_STORE is used where --store is not given.", NULL};

int main(int argc, char **argv)
{
    return cli_main(&program, argc, argv, NULL);
}
