/*
 * create, list, show, archive, on, off.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "flags/program/commands.h"
#include "flags/program/serve.h"
#include "flags/program/table.h"

/* ---- create ---- */

static bool add_variants(struct api *api, struct json *flag, const char *text)
{
    struct json *variants = NULL;
    struct err err = {0};

    if (json_parse(text, strlen(text), &variants, &err) != ERR_OK) {
        (void)api_set(api, ERR_INVALID, "--variants: %s", err.msg);
        return false;
    }
    if (json_kind(variants) != JSON_OBJECT) {
        (void)api_set(api, ERR_INVALID,
                      "--variants: must be an object from names to values, as "
                      "{\"blue\": \"#00f\", \"red\": \"#f00\"}");
        json_free(variants);
        return false;
    }
    json_put(flag, "variants", variants);
    return true;
}

int cmd_create(struct cli *cli, void *ctx)
{
    struct api api;
    struct json *flag, *made = NULL;
    int code = api_open(&api, cli, "create");
    const char *variants = cli_option(cli, "variants");

    (void)ctx;
    if (code != 0) {
        api_close(&api);
        return code;
    }
    flag = json_object();
    json_put_text(flag, "key", cli_operand(cli, 0));
    if (cli_given(cli, "type")) {
        json_put_text(flag, "type", cli_option(cli, "type"));
    }
    if (cli_given(cli, "off-variant")) {
        json_put_text(flag, "off_variant", cli_option(cli, "off-variant"));
    }
    if (cli_given(cli, "bucket-by")) {
        json_put_text(flag, "bucket_by", cli_option(cli, "bucket-by"));
    }
    set_words(cli, flag);
    if ((variants != NULL && !add_variants(&api, flag, variants)) ||
        api_call(&api, "POST", "/api/v1/flags", flag, NULL, &made, NULL) != ERR_OK) {
        code = api_fail(&api);
    } else if (cli_json(cli)) {
        cli_print_json(made);
    } else {
        printf("%s was made. It is off and answers '%s'; next: flags on %s%s\n",
               json_get_text(made, "key", ""), json_get_text(made, "off_variant", ""),
               json_get_text(made, "key", ""), api.option);
        json_free(made);
    }
    json_free(flag);
    api_close(&api);
    return code;
}

/* ---- list, show ---- */

static const char *tie_text(const struct json *flag, char *out, size_t size)
{
    const struct json *tie = json_get(flag, "tie");

    out[0] = '\0';
    if (tie != NULL) {
        snprintf(out, size, "%s (%s%s)", json_get_text(tie, "migration", ""),
                 json_get_text(tie, "state", ""),
                 json_is_true(json_get(tie, "held")) ? ", held" : "");
    }
    return out;
}

static void print_list(const struct json *list)
{
    struct table *table =
        table_new("KEY", "TYPE", "STATE", "EVERYBODY", "DOMAINS", "RULES", "SCHEMA", NULL);

    for (const struct json *flag = json_first(json_get(list, "flags")); flag != NULL;
         flag = json_next(flag)) {
        char serve[160], domains[24], rules[24], tie[300];

        snprintf(domains, sizeof domains, "%zu", json_count(json_get(flag, "domains")));
        snprintf(rules, sizeof rules, "%zu", json_count(json_get(flag, "rules")));
        table_add(table, json_get_text(flag, "key", ""), json_get_text(flag, "type", ""),
                  json_get_text(flag, "state", ""),
                  serve_text(flag, json_get(flag, "fallthrough"), serve, sizeof serve), domains,
                  rules, tie_text(flag, tie, sizeof tie));
    }
    table_print(table);
}

static void print_archived(const struct json *list)
{
    struct table *table = table_new("KEY", "TYPE", "OWNER", "ARCHIVED", NULL);

    for (const struct json *flag = json_first(json_get(list, "flags")); flag != NULL;
         flag = json_next(flag)) {
        table_add(table, json_get_text(flag, "key", ""), json_get_text(flag, "type", ""),
                  json_get_text(flag, "owner", ""), json_get_text(flag, "archived", ""));
    }
    table_print(table);
}

int cmd_list(struct cli *cli, void *ctx)
{
    bool archived = cli_given(cli, "archived");
    struct api api;
    struct json *list = NULL;
    int code = api_open(&api, cli, "list");

    (void)ctx;
    if (code != 0) {
        api_close(&api);
        return code;
    }
    if (api_call(&api, "GET", archived ? "/api/v1/flags?archived=true" : "/api/v1/flags", NULL,
                 NULL, &list, NULL) != ERR_OK) {
        code = api_fail(&api);
    } else if (cli_json(cli)) {
        cli_print_json(list);
    } else {
        if (json_count(json_get(list, "flags")) == 0) {
            printf(archived ? "no flag is archived\n"
                            : "no flags yet; flags create KEY makes one\n");
        } else if (archived) {
            print_archived(list);
        } else {
            print_list(list);
        }
        json_free(list);
    }
    api_close(&api);
    return code;
}

static const char *whom(const struct json *rule, char *out, size_t size)
{
    const char *segment = json_get_text(rule, "segment", NULL);

    snprintf(out, size, "%s%s", segment != NULL ? "segment " : "",
             segment != NULL ? segment : json_get_text(rule, "when", ""));
    return out;
}

/* What comes before everybody's place: other flags, and the part of a layer. */
static void print_bounds(const struct json *flag)
{
    const struct json *layer = json_get(flag, "layer");
    char line[700];

    for (const struct json *at = json_first(json_get(flag, "prerequisites")); at != NULL;
         at = json_next(at)) {
        size_t len = (size_t)snprintf(line, sizeof line, "waits for %s to give",
                                      json_get_text(at, "flag", ""));

        for (const struct json *v = json_first(json_get(at, "variants"));
             v != NULL && len < sizeof line; v = json_next(v)) {
            len += (size_t)snprintf(line + len, sizeof line - len, " '%s'", json_text(v));
        }
        table_print_line(line);
    }
    if (layer != NULL) {
        double owns = 0;

        for (const struct json *pair = json_first(json_get(layer, "ranges")); pair != NULL;
             pair = json_next(pair)) {
            owns += json_number(json_next(json_first(pair)), 0) - json_number(json_first(pair), 0);
        }
        snprintf(line, sizeof line, "owns %g %% of layer %s", owns,
                 json_get_text(layer, "key", ""));
        table_print_line(line);
    }
}

static void print_places(const struct json *flag)
{
    struct table *table = table_new("WHO", "GETS", "WHEN", NULL);
    char serve[160], when[LIMIT_CONDITION_BYTES + 20];
    int number = 0;

    for (const struct json *one = json_first(json_get(flag, "individual")); one != NULL;
         one = json_next(one)) {
        char who[200];

        snprintf(who, sizeof who, "subject %s", json_key(one));
        table_add(table, who, json_text(one), "");
    }
    for (const struct json *one = json_first(json_get(flag, "domains")); one != NULL;
         one = json_next(one)) {
        char who[300];

        snprintf(who, sizeof who, "domain %s", json_key(one));
        table_add(table, who, serve_text(flag, one, serve, sizeof serve), "");
    }
    for (const struct json *one = json_first(json_get(flag, "rules")); one != NULL;
         one = json_next(one)) {
        char who[200];

        snprintf(who, sizeof who, "rule %d (%s)", ++number, json_get_text(one, "name", ""));
        table_add(table, who, serve_text(flag, json_get(one, "serve"), serve, sizeof serve),
                  whom(one, when, sizeof when));
    }
    table_add(table, "everybody else",
              serve_text(flag, json_get(flag, "fallthrough"), serve, sizeof serve), "");
    table_print(table);
}

/* "owner: search team, until 2027-01-31" */
static void print_keeping(const struct json *flag)
{
    const char *owner = json_get_text(flag, "owner", ""),
               *end = json_get_text(flag, "expected_end", "");
    char line[400];

    if (owner[0] == '\0' && end[0] == '\0') {
        return;
    }
    snprintf(line, sizeof line, "%s%.128s%s%s%.20s", owner[0] != '\0' ? "owner: " : "", owner,
             owner[0] != '\0' && end[0] != '\0' ? ", " : "",
             end[0] == '\0'              ? ""
             : strcmp(end, "never") == 0 ? "permanent"
                                         : "until ",
             strcmp(end, "never") == 0 ? "" : end);
    table_print_line(line);
}

static void print_flag(const struct json *flag)
{
    const struct json *tie = json_get(flag, "tie");
    char schema[300];

    printf("%s: a %s flag, %s", json_get_text(flag, "key", ""), json_get_text(flag, "type", ""),
           json_get_text(flag, "state", ""));
    if (strcmp(json_get_text(flag, "state", ""), "off") == 0) {
        printf(": everybody gets '%s'", json_get_text(flag, "off_variant", ""));
    }
    printf("\n");
    if (json_get_text(flag, "description", "")[0] != '\0') {
        table_print_line(json_get_text(flag, "description", ""));
    }
    print_keeping(flag);
    if (tie != NULL) {
        printf("schema: %s allows", tie_text(flag, schema, sizeof schema));
        for (const struct json *v = json_first(json_get(tie, "allowed")); v != NULL;
             v = json_next(v)) {
            printf(" '%s'", json_text(v));
        }
        printf("\n");
    }
    printf("variants:");
    for (const struct json *v = json_first(json_get(flag, "variants")); v != NULL;
         v = json_next(v)) {
        char *value = json_print(v);

        printf("%s %s = %s", v == json_first(json_get(flag, "variants")) ? "" : ",", json_key(v),
               value != NULL ? value : "?");
        free(value);
    }
    printf("\n\n");
    print_bounds(flag);
    print_places(flag);
}

static void print_everywhere(const struct json *flag)
{
    struct table *table =
        table_new("ENVIRONMENT", "STATE", "EVERYBODY", "DOMAINS", "RULES", "SCHEMA", NULL);

    for (const struct json *one = json_first(json_get(flag, "environments")); one != NULL;
         one = json_next(one)) {
        char serve[160], domains[24], rules[24], tie[300];

        snprintf(domains, sizeof domains, "%.0f", json_number(json_get(one, "domains"), 0));
        snprintf(rules, sizeof rules, "%.0f", json_number(json_get(one, "rules"), 0));
        table_add(table, json_get_text(one, "environment", ""), json_get_text(one, "state", ""),
                  serve_text(flag, json_get(one, "fallthrough"), serve, sizeof serve), domains,
                  rules, tie_text(one, tie, sizeof tie));
    }
    table_print(table);
}

static int show_everywhere(struct cli *cli, struct api *api)
{
    const char *key = cli_operand(cli, 0);
    char *path = api_path("/api/v1/flags/", key, "/shared");
    struct json *flag = NULL, *none = NULL;
    int code = 0;

    if (path == NULL || api_call(api, "GET", path, NULL, NULL, &flag, NULL) != ERR_OK) {
        if (api->code == ERR_NOT_FOUND) { /* for the nearest key */
            (void)api_get_flag(api, key, &none, NULL);
        }
        code = api_fail(api);
    } else if (cli_json(cli)) {
        cli_print_json(flag);
        flag = NULL;
    } else {
        print_everywhere(flag);
    }
    json_free(flag);
    json_free(none);
    free(path);
    return code;
}

int cmd_show(struct cli *cli, void *ctx)
{
    struct api api;
    struct json *flag = NULL;
    int code = api_open(&api, cli, "show");

    (void)ctx;
    if (code != 0) {
        api_close(&api);
        return code;
    }
    if (cli_given(cli, "everywhere")) {
        code = show_everywhere(cli, &api);
        api_close(&api);
        return code;
    }
    if (api_get_flag(&api, cli_operand(cli, 0), &flag, NULL) != ERR_OK) {
        code = api_fail(&api);
    } else if (cli_json(cli)) {
        cli_print_json(flag);
    } else {
        print_flag(flag);
        json_free(flag);
    }
    api_close(&api);
    return code;
}

/* ---- archive ---- */

static enum err_code archive(struct api *api, const char *key)
{
    char etag[API_ETAG_BYTES];
    struct json *flag = NULL;
    char *path;
    enum err_code rc = api_get_flag(api, key, &flag, etag);

    if (rc != ERR_OK) {
        return rc;
    }
    json_free(flag);
    path = api_path("/api/v1/flags/", key, "");
    rc = path == NULL ? api_set(api, ERR_NOMEM, "out of memory")
                      : api_call(api, "DELETE", path, NULL, etag, NULL, NULL);
    free(path);
    return rc;
}

int cmd_archive(struct cli *cli, void *ctx)
{
    const char *key = cli_operand(cli, 0);
    struct api api;
    int code = api_open(&api, cli, "archive");

    (void)ctx;
    if (code != 0) {
        api_close(&api);
        return code;
    }
    if (archive(&api, key) != ERR_OK) {
        code = api_fail(&api);
    } else if (cli_json(cli)) {
        struct json *out = json_object();

        json_put_text(out, "flag", key);
        json_put_bool(out, "archived", true);
        cli_print_json(out);
    } else {
        printf("%s was archived: clients play their own default for it from now on\n", key);
    }
    api_close(&api);
    return code;
}

/* ---- on, off ---- */

static bool set_state(struct api *api, struct json *flag, void *ctx)
{
    (void)api;
    json_put_text(flag, "state", ctx);
    return true;
}

/* Whether nobody could get anything but the off variant although the flag is on. */
static bool still_off(const struct json *flag)
{
    char text[160];

    return json_count(json_get(flag, "individual")) == 0 &&
           json_count(json_get(flag, "domains")) == 0 && json_count(json_get(flag, "rules")) == 0 &&
           strcmp(serve_text(flag, json_get(flag, "fallthrough"), text, sizeof text), "0 %") == 0;
}

static void print_state(const struct api *api, const struct json *before, const struct json *after)
{
    const char *key = json_get_text(after, "key", "");
    const char *was = json_get_text(before, "state", "");
    const char *is = json_get_text(after, "state", "");

    if (strcmp(was, is) == 0) {
        printf("%s: is %s already\n", key, is);
    } else {
        printf("%s: %s -> %s\n", key, was, is);
    }
    if (strcmp(is, "on") == 0 && still_off(after)) {
        printf("everybody still gets '%s': flags ramp %s%s --to 100%% gives it to all, --domain "
               "to one customer\n",
               json_get_text(after, "off_variant", ""), key, api->option);
    }
}

static int change_state(struct cli *cli, const char *state)
{
    char wanted[4];
    struct api api;
    struct json *before = NULL, *after = NULL;
    int code = api_open(&api, cli, state);

    if (code != 0) {
        api_close(&api);
        return code;
    }
    snprintf(wanted, sizeof wanted, "%s", state);
    if (edit_flag(&api, cli_operand(cli, 0), set_state, wanted, &before, &after) != ERR_OK) {
        code = api_fail(&api);
    } else if (cli_json(cli)) {
        cli_print_json(after);
        json_free(before);
    } else {
        print_state(&api, before, after);
        json_free(before);
        json_free(after);
    }
    api_close(&api);
    return code;
}

int cmd_on(struct cli *cli, void *ctx)
{
    (void)ctx;
    return change_state(cli, "on");
}

int cmd_off(struct cli *cli, void *ctx)
{
    (void)ctx;
    return change_state(cli, "off");
}
