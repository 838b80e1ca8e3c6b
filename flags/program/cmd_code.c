/*
 * export, diff, apply: flags as code.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags/diff.h"
#include "flags/program/commands.h"
#include "flags/program/difference.h"
#include "flags/program/folder.h"

enum { EXIT_PENDING = 5, DIFFERENCE_MAX = 20 };

/* ---- what differs ---- */

struct tally {
    size_t made, changed, archived, left, refused;
    enum err_code worst;
};

static bool is(const char *action, const char *name)
{
    return strcmp(action, name) == 0;
}

/* A flag without a file is left alone unless that was asked for. */
static void tell(struct cli *cli, struct json *list, const struct folder_flag *flag,
                 const char *action, bool prune, const char *refusal)
{
    struct json *difference =
        is(action, "change") ? flag_difference(flag->stored, flag->file, DIFFERENCE_MAX) : NULL;
    const char *said = is(action, "archive") && !prune ? "only on the server" : action;

    if (cli_json(cli)) {
        struct json *one = json_append(list, json_object());

        json_put_text(one, folder_kind_name(flag->kind), flag->key);
        json_put_text(one, "action", is(action, "archive") && !prune ? "none" : action);
        if (difference != NULL) {
            json_put(one, "difference", difference);
        }
        if (refusal != NULL) {
            json_put_text(one, "refused", refusal);
        }
        return;
    }
    if (flag->kind != FOLDER_FLAG) {
        printf("%s ", folder_kind_name(flag->kind));
        said = is(said, "archive") ? "delete" : said;
    }
    printf("%s: %s\n", flag->key, said);
    difference_print(difference);
    json_free(difference);
}

static void count_one(struct tally *tally, const char *action, bool prune)
{
    tally->made += is(action, "create");
    tally->changed += is(action, "change");
    tally->archived += is(action, "archive") && prune;
    tally->left += is(action, "archive") && !prune;
}

static void finish(struct cli *cli, struct json *list, const struct tally *tally, bool done)
{
    struct json *out;

    if (!cli_json(cli)) {
        json_free(list);
        if (tally->made + tally->changed + tally->archived + tally->refused == 0) {
            printf("nothing to change\n");
        } else {
            printf("%zu %s, %zu %s, %zu %s%s", tally->made, done ? "made" : "to make",
                   tally->changed, done ? "changed" : "to change", tally->archived,
                   done ? "archived" : "to archive", tally->refused == 0 ? "\n" : "");
            if (tally->refused > 0) {
                printf(", %zu refused\n", tally->refused);
            }
        }
        return;
    }
    out = json_object();
    json_put_bool(out, "done", done);
    json_put_number(out, "created", (double)tally->made);
    json_put_number(out, "changed", (double)tally->changed);
    json_put_number(out, "archived", (double)tally->archived);
    json_put_number(out, "refused", (double)tally->refused);
    json_put(out, "flags", list);
    cli_print_json(out);
}

/* ---- applying ---- */

static enum err_code apply_one(struct api *api, const struct folder_flag *flag, const char *action,
                               bool reassign)
{
    const char *all = folder_kind_path(flag->kind);
    struct json *reply = NULL;
    char base[40], *path;
    enum err_code rc = ERR_OK;

    snprintf(base, sizeof base, "%s/", all);
    path =
        api_path(base, flag->key, reassign && flag->kind != FOLDER_SEGMENT ? "?reassign=true" : "");
    if (path == NULL) {
        return api_set(api, ERR_NOMEM, "out of memory");
    }
    if (is(action, "create")) {
        rc = api_call(api, "POST", all, flag->file, NULL, &reply, NULL);
    } else if (is(action, "change")) {
        rc = api_call(api, "PUT", path, flag->file, flag->etag, &reply, NULL);
    } else if (is(action, "archive")) {
        rc = api_call(api, "DELETE", path, NULL, flag->etag, &reply, NULL);
    }
    json_free(reply);
    free(path);
    return rc;
}

/* One flag that is refused keeps no other from its change: what is wanted is wanted of each. */
static int walk(struct api *api, struct cli *cli, const struct folder *folder, bool doing)
{
    bool prune = cli_given(cli, "prune"), reassign = doing && cli_given(cli, "reassign");
    struct json *list = json_array();
    struct tally tally = {0};

    for (size_t i = 0; i < folder->count; i++) {
        const struct folder_flag *flag = &folder->flags[i];
        const char *action = folder_action(flag);
        bool act = doing && !is(action, "same") && (prune || !is(action, "archive"));

        if (is(action, "same")) {
            continue;
        }
        if (act && apply_one(api, flag, action, reassign) != ERR_OK) {
            tally.refused++;
            tally.worst = tally.worst == ERR_OK ? api->code : tally.worst;
            tell(cli, list, flag, action, prune, api->message);
            if (!cli_json(cli)) {
                (void)api_fail(api);
            }
            continue;
        }
        count_one(&tally, action, prune);
        tell(cli, list, flag, action, prune, NULL);
    }
    finish(cli, list, &tally, doing);
    if (tally.refused > 0) {
        return err_exit_code(tally.worst);
    }
    return doing || tally.made + tally.changed + tally.archived == 0 ? 0 : EXIT_PENDING;
}

static int run(struct cli *cli, const char *command, bool doing)
{
    struct folder folder = {0};
    struct api api;
    int code = api_open(&api, cli, command);

    if (code == 0) {
        code = folder_read(&api, cli_operand(cli, 0), &folder) == ERR_OK
                   ? walk(&api, cli, &folder, doing)
                   : api_fail(&api);
    }
    folder_fini(&folder);
    api_close(&api);
    return code;
}

int cmd_diff(struct cli *cli, void *ctx)
{
    (void)ctx;
    return run(cli, "diff", false);
}

int cmd_apply(struct cli *cli, void *ctx)
{
    int code;

    (void)ctx;
    code = run(cli, "apply", !cli_given(cli, "dry-run"));
    return cli_given(cli, "dry-run") && code == EXIT_PENDING ? 0 : code;
}

static size_t count_kind(const struct folder *folder, enum folder_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < folder->count; i++) {
        count += folder->flags[i].kind == kind;
    }
    return count;
}

int cmd_export(struct cli *cli, void *ctx)
{
    struct folder folder = {0};
    const char *dir = cli_operand(cli, 0);
    struct api api;
    size_t written = 0;
    int code = api_open(&api, cli, "export");

    (void)ctx;
    if (code != 0) {
        /* said already */
    } else if (folder_read(&api, NULL, &folder) != ERR_OK ||
               folder_write(&api, dir, &folder, &written) != ERR_OK) {
        code = api_fail(&api);
    } else if (cli_json(cli)) {
        struct json *out = json_object();

        for (int kind = 0; kind < FOLDER_KINDS; kind++) {
            json_put_number(out, strrchr(folder_kind_path((enum folder_kind)kind), '/') + 1,
                            (double)count_kind(&folder, (enum folder_kind)kind));
        }
        json_put_number(out, "written", (double)written);
        cli_print_json(out);
    } else {
        printf("%zu flags", count_kind(&folder, FOLDER_FLAG));
        if (count_kind(&folder, FOLDER_FLAG) < folder.count) {
            printf(", %zu segments, %zu layers", count_kind(&folder, FOLDER_SEGMENT),
                   count_kind(&folder, FOLDER_LAYER));
        }
        printf(", %zu files written\n", written);
    }
    folder_fini(&folder);
    api_close(&api);
    return code;
}
