/*
 * set, restore, stale: what keeps a heap of flags in order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags/program/commands.h"
#include "flags/program/difference.h"
#include "flags/program/table.h"
#include "flags/diff.h"

enum { EXIT_PENDING = 5, DIFFERENCE_MAX = 20 };

/* ---- set ---- */

static void set_text(struct cli *cli, const char *option, struct json *flag, const char *member)
{
    if (cli_given(cli, option) && cli_option(cli, option)[0] == '\0') {
        json_remove(flag, member);
    } else if (cli_given(cli, option)) {
        json_put_text(flag, member, cli_option(cli, option));
    }
}

void set_words(struct cli *cli, struct json *flag)
{
    const char *tags = cli_option(cli, "tags");
    struct json *list = NULL;

    set_text(cli, "description", flag, "description");
    set_text(cli, "owner", flag, "owner");
    set_text(cli, "until", flag, "expected_end");
    if (tags != NULL) {
        list = json_put(flag, "tags", json_array());
    }
    while (list != NULL && *tags != '\0') {
        size_t len = strcspn(tags, ",");

        if (len > 0) {
            json_append(list, json_string_n(tags, len));
        }
        tags += len + (tags[len] == ',');
    }
    if (list != NULL && json_first(list) == NULL) {
        json_remove(flag, "tags");
    }
}

static bool edit_words(struct api *api, struct json *flag, void *ctx)
{
    (void)ctx;
    set_words(api->cli, flag);
    return true;
}

int cmd_set(struct cli *cli, void *ctx)
{
    struct json *before = NULL, *after = NULL, *difference;
    struct api api;
    int code;

    (void)ctx;
    if (!cli_given(cli, "description") && !cli_given(cli, "owner") && !cli_given(cli, "until") &&
        !cli_given(cli, "tags")) {
        return cli_usage(cli, "say what: --description, --owner, --until or --tags");
    }
    code = api_open(&api, cli, "set");
    if (code != 0) {
        /* said already */
    } else if (edit_flag(&api, cli_operand(cli, 0), edit_words, NULL, &before, &after) != ERR_OK) {
        code = api_fail(&api);
    } else if (cli_json(cli)) {
        cli_print_json(after);
        after = NULL;
    } else {
        json_remove(before, "version");
        json_remove(after, "version");
        difference = flag_difference(before, after, DIFFERENCE_MAX);
        printf("%s: %s\n", cli_operand(cli, 0),
               json_first(difference) != NULL ? "changed" : "it is so already");
        difference_print(difference);
        json_free(difference);
    }
    json_free(before);
    json_free(after);
    api_close(&api);
    return code;
}

/* ---- restore ---- */

/* The version of an archived flag, as If-Match has it. */
static enum err_code archived_version(struct api *api, const char *key, char etag[API_ETAG_BYTES])
{
    struct json *list = NULL;
    enum err_code rc = api_call(api, "GET", "/api/v1/flags?archived=true", NULL, NULL, &list, NULL);

    etag[0] = '\0';
    for (const struct json *flag = json_first(json_get(list, "flags"));
         rc == ERR_OK && flag != NULL; flag = json_next(flag)) {
        if (strcmp(json_get_text(flag, "key", ""), key) == 0) {
            snprintf(etag, API_ETAG_BYTES, "%.0f", json_number(json_get(flag, "version"), 0));
        }
    }
    json_free(list);
    if (rc == ERR_OK && etag[0] == '\0') {
        rc = api_set(api, ERR_NOT_FOUND,
                     "no flag '%.128s' is archived; flags list --archived shows those that are",
                     key);
    }
    return rc;
}

int cmd_restore(struct cli *cli, void *ctx)
{
    const char *key = cli_operand(cli, 0);
    char etag[API_ETAG_BYTES], *path = api_path("/api/v1/flags/", key, "/restore");
    struct json *flag = NULL;
    struct api api;
    int code = api_open(&api, cli, "restore");

    (void)ctx;
    if (code != 0) {
        /* said already */
    } else if (archived_version(&api, key, etag) != ERR_OK || path == NULL ||
               api_call(&api, "POST", path, NULL, etag, &flag, NULL) != ERR_OK) {
        code = api_fail(&api);
    } else if (cli_json(cli)) {
        cli_print_json(flag);
        flag = NULL;
    } else {
        printf("%s is back as it was, in all environments; here it is %s\n", key,
               json_get_text(flag, "state", ""));
    }
    json_free(flag);
    free(path);
    api_close(&api);
    return code;
}

/* ---- stale ---- */

static void add_reason(const struct json *reason, char *out, size_t size)
{
    const char *why = json_get_text(reason, "why", "");
    double days = json_number(json_get(reason, "days"), 0);
    size_t len = strlen(out);
    const char *comma = len > 0 ? "; " : "";

    if (strcmp(why, "past-end") == 0) {
        snprintf(out + len, size - len, "%s%.0f days past its end", comma, days);
    } else if (strcmp(why, "settled") == 0) {
        snprintf(out + len, size - len, "%severybody has had '%s' for %.0f days", comma,
                 json_get_text(reason, "variant", ""), days);
    } else if (strcmp(why, "unused") == 0) {
        snprintf(out + len, size - len, "%snobody has asked for it for %.0f days", comma, days);
    } else {
        snprintf(out + len, size - len, "%s%s for %.0f days", comma, why, days);
    }
}

static void print_stale(const struct json *answer)
{
    struct table *table = table_new("KEY", "OWNER", "UNTIL", "WHY", NULL);

    for (const struct json *flag = json_first(json_get(answer, "flags")); flag != NULL;
         flag = json_next(flag)) {
        char why[400] = "";

        for (const struct json *reason = json_first(json_get(flag, "reasons")); reason != NULL;
             reason = json_next(reason)) {
            add_reason(reason, why, sizeof why);
        }
        table_add(table, json_get_text(flag, "key", ""), json_get_text(flag, "owner", ""),
                  json_get_text(flag, "expected_end", ""), why);
    }
    table_print(table);
}

int cmd_stale(struct cli *cli, void *ctx)
{
    const char *days = cli_given(cli, "days") ? cli_option(cli, "days") : "30";
    char *path = api_path("/api/v1/stale?days=", days, "");
    struct json *answer = NULL;
    struct api api;
    int code = api_open(&api, cli, "stale");

    (void)ctx;
    if (code != 0) {
        /* said already */
    } else if (path == NULL || api_call(&api, "GET", path, NULL, NULL, &answer, NULL) != ERR_OK) {
        code = api_fail(&api);
    } else {
        code = json_first(json_get(answer, "flags")) != NULL ? EXIT_PENDING : 0;
        if (cli_json(cli)) {
            cli_print_json(answer);
            answer = NULL;
        } else if (code == 0) {
            printf("no flag is stale\n");
        } else {
            print_stale(answer);
        }
    }
    json_free(answer);
    free(path);
    api_close(&api);
    return code;
}
