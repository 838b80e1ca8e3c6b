/*
 * unhold, untie: what a person can do about a flag that waits for a migration which nobody runs any
 * more.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/fetch.h"
#include "flags/program/commands.h"

/* "/api/v1/<what>/<database id>/<migration>?force=true"; free() it. */
static char *forced_path(const char *what, const struct json *tie)
{
    char *database = fetch_url_escape(json_get_text(tie, "database_id", ""));
    char *migration = fetch_url_escape(json_get_text(tie, "migration", ""));
    struct buf path = {0};

    if (database != NULL && migration != NULL) {
        buf_print(&path, "/api/v1/%s/%s/%s?force=true", what, database, migration);
    }
    free(database);
    free(migration);
    return database != NULL && migration != NULL ? buf_take(&path) : NULL;
}

struct schema_command {
    const char *name, *route, *done;
    bool held_only;
};

static bool concerns(const struct schema_command *command, const struct json *tie, const char *key,
                     const char *migration)
{
    return strcmp(json_get_text(tie, "flag", ""), key) == 0 &&
           (migration == NULL || strcmp(json_get_text(tie, "migration", ""), migration) == 0) &&
           (!command->held_only || json_is_true(json_get(tie, "held")));
}

/* Exactly one tie is meant. NULL after api_set(). */
static const struct json *find_tie(struct api *api, const struct schema_command *command,
                                   const struct json *list, const char *key, const char *migration)
{
    const struct json *found = NULL;

    for (const struct json *tie = json_first(json_get(list, "migrations")); tie != NULL;
         tie = json_next(tie)) {
        if (!concerns(command, tie, key, migration)) {
            continue;
        }
        if (found != NULL) {
            (void)api_set(api, ERR_INVALID,
                          "flag '%s' is %s several migrations (%s of %s and %s of %s): say which "
                          "one",
                          key, command->held_only ? "held by" : "tied to",
                          json_get_text(found, "migration", ""),
                          json_get_text(found, "database", ""), json_get_text(tie, "migration", ""),
                          json_get_text(tie, "database", ""));
            return NULL;
        }
        found = tie;
    }
    if (found == NULL) {
        (void)api_set(api, ERR_NOT_FOUND, "flag '%s' is not %s%s%s", key,
                      command->held_only ? "held by " : "tied to ",
                      migration != NULL ? "migration " : "any migration",
                      migration != NULL ? migration : "");
    }
    return found;
}

static int run(struct cli *cli, const struct schema_command *command)
{
    const char *key = cli_operand(cli, 0);
    struct json *list = NULL;
    const struct json *tie = NULL;
    struct api api;
    char *path = NULL;
    int code;

    if (!cli_given(cli, "reason")) {
        return cli_usage(cli, "--reason TEXT is needed: it goes into the audit");
    }
    code = api_open(&api, cli, command->name);
    if (code == 0 &&
        api_call(&api, "GET", "/api/v1/migrations", NULL, NULL, &list, NULL) == ERR_OK) {
        tie = find_tie(&api, command, list, key, cli_operand(cli, 1));
        path = tie != NULL ? forced_path(command->route, tie) : NULL;
    }
    if (code != 0) {
        /* said already */
    } else if (path == NULL || api_call(&api, "DELETE", path, NULL, NULL, NULL, NULL) != ERR_OK) {
        code = api_fail(&api);
    } else if (cli_json(cli)) {
        struct json *out = json_object();

        json_put_text(out, "flag", key);
        json_put_text(out, "migration", json_get_text(tie, "migration", ""));
        json_put_text(out, "database_id", json_get_text(tie, "database_id", ""));
        json_put_bool(out, command->done, true);
        cli_print_json(out);
    } else {
        printf("%s: %s %s of %s any more\n", key,
               command->held_only ? "not held by" : "not tied to",
               json_get_text(tie, "migration", ""), json_get_text(tie, "database", ""));
    }
    free(path);
    json_free(list);
    api_close(&api);
    return code;
}

int cmd_unhold(struct cli *cli, void *ctx)
{
    static const struct schema_command unhold = {"unhold", "holds", "released", true};

    (void)ctx;
    return run(cli, &unhold);
}

int cmd_untie(struct cli *cli, void *ctx)
{
    static const struct schema_command untie = {"untie", "migrations", "untied", false};

    (void)ctx;
    return run(cli, &untie);
}
