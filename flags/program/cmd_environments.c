/*
 * environments, promote.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "flags/diff.h"
#include "flags/parts.h"
#include "flags/program/commands.h"
#include "flags/program/difference.h"
#include "flags/program/table.h"

#define ALL "/api/v1/environments"

enum { DIFFERENCE_MAX = 100 };

/* ---- environments ---- */

static int list(struct cli *cli, struct api *api)
{
    struct json *all = NULL;
    struct table *table;

    if (api_call(api, "GET", ALL, NULL, NULL, &all, NULL) != ERR_OK) {
        return api_fail(api);
    }
    if (cli_json(cli)) {
        cli_print_json(all);
        return 0;
    }
    table = table_new("ENVIRONMENT", "FLAGS", "ON", "CLIENTS", "MIGRATIONS", "REVISION", "", NULL);
    for (const struct json *one = json_first(json_get(all, "environments")); one != NULL;
         one = json_next(one)) {
        static const char *const members[] = {"flags", "flags_on", "clients", "migrations",
                                              "revision"};
        char numbers[5][24];

        for (size_t i = 0; i < 5; i++) {
            snprintf(numbers[i], sizeof numbers[i], "%.0f",
                     json_number(json_get(one, members[i]), 0));
        }
        table_add(table, json_get_text(one, "name", ""), numbers[0], numbers[1], numbers[2],
                  numbers[3], numbers[4], json_is_true(json_get(one, "default")) ? "default" : "");
    }
    table_print(table);
    json_free(all);
    return 0;
}

/* Prints the document, or else name and what was done with it. */
static int told(struct cli *cli, struct json *made, const char *name, const char *what,
                const char *other)
{
    if (cli_json(cli)) {
        cli_print_json(made);
        return 0;
    }
    json_free(made);
    printf("%s %s%s\n", name, what, other);
    return 0;
}

static int create(struct cli *cli, struct api *api)
{
    struct json *body = json_object(), *made = NULL;
    const char *name = cli_operand(cli, 1), *like = cli_option(cli, "like");
    enum err_code rc;

    json_put_text(body, "name", name);
    if (like != NULL) {
        json_put_text(body, "from", like);
    }
    rc = api_call(api, "POST", ALL, body, NULL, &made, NULL);
    json_free(body);
    if (rc != ERR_OK) {
        return api_fail(api);
    }
    return like != NULL ? told(cli, made, name, "was made; its flags do what they do in ", like)
                        : told(cli, made, name, "was made; its flags are off", "");
}

static int rename_one(struct cli *cli, struct api *api)
{
    const char *name = cli_operand(cli, 1), *other = cli_operand(cli, 2);
    char *path = api_path(ALL "/", name, "");
    struct json *body = json_object(), *made = NULL;
    enum err_code rc;

    json_put_text(body, "name", other);
    rc = path == NULL ? api_set(api, ERR_NOMEM, "out of memory")
                      : api_call(api, "PUT", path, body, NULL, &made, NULL);
    json_free(body);
    free(path);
    return rc != ERR_OK ? api_fail(api) : told(cli, made, name, "is now called ", other);
}

static int delete_one(struct cli *cli, struct api *api)
{
    const char *name = cli_operand(cli, 1);
    char *path = api_path(ALL "/", name, "");
    struct json *out;
    enum err_code rc = path == NULL ? api_set(api, ERR_NOMEM, "out of memory")
                                    : api_call(api, "DELETE", path, NULL, NULL, NULL, NULL);

    free(path);
    if (rc != ERR_OK) {
        return api_fail(api);
    }
    out = json_object();
    json_put_text(out, "name", name);
    json_put_bool(out, "deleted", true);
    return told(cli, out, name, "is gone, and its tokens with it", "");
}

int cmd_environments(struct cli *cli, void *ctx)
{
    static const struct {
        const char *name;
        int operands;
        int (*run)(struct cli *, struct api *);
    } what[] = {{"list", 1, list},
                {"create", 2, create},
                {"rename", 3, rename_one},
                {"delete", 2, delete_one}};
    const char *name = cli_operand(cli, 0) != NULL ? cli_operand(cli, 0) : "list";
    int given = cli_operand_count(cli) > 0 ? cli_operand_count(cli) : 1, code;
    struct api api;
    size_t i = 0;

    (void)ctx;
    while (i < sizeof what / sizeof *what && strcmp(what[i].name, name) != 0) {
        i++;
    }
    if (i == sizeof what / sizeof *what) {
        return cli_usage(cli, "environments %s: must be list, create, rename or delete", name);
    }
    if (given != what[i].operands) {
        return cli_usage(cli, "environments %s needs %s", name,
                         what[i].operands == 1   ? "no name"
                         : what[i].operands == 2 ? "one name"
                                                 : "the name that it has, and the new one");
    }
    code = api_open(&api, cli, "environments");
    code = code == 0 ? what[i].run(cli, &api) : code;
    api_close(&api);
    return code;
}

/* ---- promote ---- */

/* "rules,state" */
static struct json *parts_of(const char *text)
{
    struct json *out = json_array();

    for (; text != NULL && *text != '\0';) {
        size_t len = strcspn(text, ",");

        json_append(out, json_string_n(text, len));
        text += len + (text[len] == ',');
    }
    return out;
}

/* What is left of a state where only some parts are wanted (NULL: all); takes state. */
static struct json *keep_parts(struct json *state, const struct json *only)
{
    struct json *out = only != NULL ? json_object() : state;

    for (const struct json *part = json_first(only); part != NULL; part = json_next(part)) {
        const char *name = json_text(part) != NULL ? json_text(part) : "";

        if (json_get(state, name) != NULL) {
            json_put(out, name, json_copy(json_get(state, name)));
        }
        if (strcmp(name, "domains") == 0 && json_get(state, "domain_set") != NULL) {
            json_put(out, "domain_set", json_copy(json_get(state, "domain_set")));
        }
    }
    if (out != state) {
        json_free(state);
    }
    return out;
}

static char *promote_path(struct cli *cli, const char *to, bool dry_run)
{
    char *path = api_path("/api/v1/flags/", cli_operand(cli, 0), "/promote"), *out;
    struct buf query = {0};

    buf_print(&query, "?dry_run=%s%s", dry_run ? "true" : "false",
              cli_given(cli, "reassign") ? "&reassign=true" : "");
    if (to != NULL) {
        char *named = api_path("&environment=", to, "");

        buf_text(&query, named != NULL ? named : "");
        free(named);
    }
    out = path != NULL && !buf_failed(&query) ? malloc(strlen(path) + query.len + 1) : NULL;
    if (out != NULL) {
        snprintf(out, strlen(path) + query.len + 1, "%s%s", path, buf_cstr(&query));
    }
    free(path);
    buf_fini(&query);
    return out;
}

static enum err_code ask(struct api *api, struct cli *cli, bool dry_run, const struct json *body,
                         const char *if_match, struct json **reply, char etag[API_ETAG_BYTES])
{
    const char *to = cli_option(cli, "to");
    char *path = promote_path(cli, to != NULL ? to : api->environment, dry_run);
    enum err_code rc = path == NULL ? api_set(api, ERR_NOMEM, "out of memory")
                                    : api_call(api, "POST", path, body, if_match, reply, etag);

    free(path);
    return rc;
}

static void print_change(const struct json *answer, const char *key)
{
    printf("%s: %s -> %s\n", key, json_get_text(answer, "from", ""),
           json_get_text(answer, "to", ""));
    difference_print(json_get(answer, "difference"));
    if (json_is_true(json_get(answer, "more"))) {
        printf("  and more\n");
    }
}

/* What a refused promotion would have changed, so that it can be seen what is in the way. The refusal stays
 * what api has to say. */
static void print_refused(struct api *api, struct cli *cli, const struct json *only)
{
    const char *key = cli_operand(cli, 0), *to = cli_option(cli, "to");
    struct api silent = *api;
    struct json *flag[2] = {NULL, NULL}, *difference = NULL;

    silent.environment = cli_option(cli, "from");
    if (api_get_flag(&silent, key, &flag[0], NULL) == ERR_OK) {
        silent.environment = to != NULL ? to : api->environment;
        if (api_get_flag(&silent, key, &flag[1], NULL) == ERR_OK) {
            for (int i = 0; i < 2; i++) {
                struct json *state = flag_state_part(flag[i]);

                json_remove(state, "version");
                json_remove(state, "tie");
                json_free(flag[i]);
                flag[i] = keep_parts(state, only);
            }
            difference = flag_difference(flag[1], flag[0], DIFFERENCE_MAX);
        }
    }
    difference_print(difference);
    (void)fflush(stdout);
    json_free(difference);
    json_free(flag[0]);
    json_free(flag[1]);
}

/* On a terminal a person may say yes; a program says so beforehand. */
static bool agreed(struct cli *cli)
{
    char line[16] = "";

    if (cli_given(cli, "yes")) {
        return true;
    }
    (void)fflush(stdout); /* what it is about stands above the question, and above a refusal */
    if (!isatty(STDIN_FILENO) || cli_json(cli)) {
        return false;
    }
    fprintf(stderr, "do it? [y/N] ");
    return fgets(line, sizeof line, stdin) != NULL && (line[0] == 'y' || line[0] == 'Y');
}

static int finish(struct cli *cli, struct json *answer, const char *key, const char *what)
{
    if (cli_json(cli)) {
        json_put_bool(answer, "done", strcmp(what, "promoted") == 0);
        cli_print_json(answer);
        return 0;
    }
    printf("%s: %s\n", key, what);
    json_free(answer);
    return 0;
}

static int promote(struct cli *cli, struct api *api, struct json *body)
{
    const char *key = cli_operand(cli, 0);
    char etag[API_ETAG_BYTES];
    struct json *answer = NULL, *flag = NULL;
    bool same;

    if (ask(api, cli, true, body, NULL, &answer, etag) != ERR_OK) {
        if (api->code == ERR_CONFLICT && !cli_json(cli)) {
            print_refused(api, cli, json_get(body, "only"));
        }
        return api_fail(api);
    }
    same = json_count(json_get(answer, "difference")) == 0;
    if (!cli_json(cli) && !same) {
        print_change(answer, key);
    }
    if (same || cli_given(cli, "dry-run")) {
        return finish(cli, answer, key, same ? "nothing to promote" : "nothing was changed");
    }
    if (!agreed(cli)) {
        json_free(answer);
        (void)api_set(api, ERR_CONFLICT, "nothing was changed: say --yes to promote '%.128s'", key);
        return api_fail(api);
    }
    json_put(body, "from_version", json_copy(json_get(answer, "from_version")));
    if (ask(api, cli, false, body, etag, &flag, NULL) != ERR_OK) {
        json_free(answer);
        return api_fail(api);
    }
    json_put(answer, "version", json_copy(json_get(flag, "version")));
    json_free(flag);
    return finish(cli, answer, key, "promoted");
}

int cmd_promote(struct cli *cli, void *ctx)
{
    struct json *body;
    struct api api;
    int code;

    (void)ctx;
    if (!cli_given(cli, "from")) {
        return cli_usage(cli, "--from ENVIRONMENT is needed: where the flag is as it shall be");
    }
    code = api_open(&api, cli, "promote");
    if (code == 0) {
        body = json_object();
        json_put_text(body, "from", cli_option(cli, "from"));
        if (cli_given(cli, "only")) {
            json_put(body, "only", parts_of(cli_option(cli, "only")));
        }
        code = promote(cli, &api, body);
        json_free(body);
    }
    api_close(&api);
    return code;
}
