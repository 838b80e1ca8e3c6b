/*
 * domains, domain-remove, who: which customers have a flag, and how many of their people.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"
#include "flags/program/commands.h"
#include "flags/program/domain_shards.h"
#include "flags/program/serve.h"
#include "flags/program/table.h"

enum { TEXT_BYTES = 160, RETRY_US = 40000 };

static void say_if_off(const struct json *flag)
{
    if (strcmp(json_get_text(flag, "state", ""), "on") != 0) {
        printf("%s is off, so everybody gets '%s'; what follows counts once it is on\n",
               json_get_text(flag, "key", ""), json_get_text(flag, "off_variant", ""));
    }
}

/* {"name", "gets", "percent"}: percent is left out where the rules decide. */
static struct json *place_json(const struct json *flag, const char *kind, const char *name,
                               const struct json *serve)
{
    struct json *out = json_object();
    char text[TEXT_BYTES];
    double percent = serve_percent(flag, serve);

    json_put_text(out, "kind", kind);
    json_put_text(out, "name", name);
    json_put_text(out, "gets", serve_text(flag, serve, text, sizeof text));
    if (percent >= 0) {
        json_put_number(out, "percent", percent);
    }
    return out;
}

/* ---- domains ---- */

static struct json *domains_json(const struct json *flag, double below)
{
    struct json *out = json_object();
    struct json *list = json_array();

    json_put_text(out, "flag", json_get_text(flag, "key", ""));
    json_put_text(out, "state", json_get_text(flag, "state", ""));
    for (const struct json *one = json_first(json_get(flag, "domains")); one != NULL;
         one = json_next(one)) {
        if (serve_percent(flag, one) < below) { /* what the rules decide may be less */
            json_append(list, place_json(flag, "domain", json_key(one), one));
        }
    }
    json_put(out, "domains", list);
    json_put_number(out, "of", (double)json_count(json_get(flag, "domains")));
    return out;
}

static void print_domains(const struct json *flag, const struct json *found, const char *below)
{
    const struct json *list = json_get(found, "domains");
    struct table *table;

    if (json_count(json_get(flag, "domains")) == 0) {
        printf("%s has no domain rules\n", json_get_text(flag, "key", ""));
        return;
    }
    if (json_count(list) == 0) {
        printf("none of the %.0f domain rules of %s gives less than %s\n",
               json_number(json_get(found, "of"), 0), json_get_text(flag, "key", ""), below);
        return;
    }
    say_if_off(flag);
    table = table_new("DOMAIN", "GETS", NULL);
    for (const struct json *one = json_first(list); one != NULL; one = json_next(one)) {
        table_add(table, json_get_text(one, "name", ""), json_get_text(one, "gets", ""));
    }
    table_print(table);
}

int cmd_domains(struct cli *cli, void *ctx)
{
    const char *below = cli_option(cli, "percent-below");
    double percent = 101;
    struct json *flag = NULL, *found;
    struct api api;
    int code;

    (void)ctx;
    if (below != NULL && !serve_parse_percent(below, &percent)) {
        return cli_usage(cli, "--percent-below %s: must be a percentage from 0%% to 100%%", below);
    }
    if (cli_given(cli, "import") && cli_given(cli, "export")) {
        return cli_usage(cli, "either --import or --export");
    }
    if (!cli_given(cli, "import") && (cli_given(cli, "replace") || cli_given(cli, "dry-run") ||
                                      cli_given(cli, "wide") || cli_given(cli, "reassign"))) {
        return cli_usage(cli, "--replace, --dry-run, --wide and --reassign go with --import FILE");
    }
    code = api_open(&api, cli, "domains");
    if (code == 0 && cli_given(cli, "import")) {
        code = domains_import(&api, cli, cli_option(cli, "import"));
    } else if (code == 0 && cli_given(cli, "export")) {
        code = domains_export(&api, cli, cli_option(cli, "export"));
    } else if (code == 0 && (api_get_flag(&api, cli_operand(cli, 0), &flag, NULL) != ERR_OK ||
                             shards_expand(&api, flag) != ERR_OK)) {
        code = api_fail(&api);
    } else if (code == 0) {
        found = domains_json(flag, percent);
        if (cli_json(cli)) {
            cli_print_json(found);
        } else {
            print_domains(flag, found, below != NULL ? below : "");
            json_free(found);
        }
    }
    json_free(flag);
    api_close(&api);
    return code;
}

/* ---- domain-remove ---- */

static char *domain_path(const char *key, const char *domain)
{
    char *front = api_path("/api/v1/flags/", key, "/domains/");
    char *path = front != NULL ? api_path(front, domain, "") : NULL;

    free(front);
    return path;
}

/* As edit_flag() does: over the version that was read, again where somebody else was faster. */
static enum err_code remove_domain(struct api *api, const char *key, const char *path,
                                   struct json **after)
{
    enum err_code rc = ERR_STALE;

    for (int i = 0; i < EDIT_TRIES && rc == ERR_STALE; i++) {
        char etag[API_ETAG_BYTES];
        struct json *now = NULL;

        if (i > 0) {
            clock_sleep_us((int64_t)(RETRY_US * i * random_unit()));
        }
        rc = api_get_flag(api, key, &now, etag);
        json_free(now);
        if (rc == ERR_OK) {
            rc = api_call(api, "DELETE", path, NULL, etag, after, NULL);
        }
    }
    return rc;
}

int cmd_domain_remove(struct cli *cli, void *ctx)
{
    const char *key = cli_operand(cli, 0), *domain = cli_operand(cli, 1);
    char *path = domain_path(key, domain);
    struct json *after = NULL;
    struct api api;
    int code = api_open(&api, cli, "domain-remove");

    (void)ctx;
    if (code != 0) {
        /* said already */
    } else if (path == NULL || remove_domain(&api, key, path, &after) != ERR_OK) {
        code = api_fail(&api);
    } else if (cli_json(cli)) {
        cli_print_json(after);
        after = NULL;
    } else {
        char text[TEXT_BYTES];

        printf("%s has no rule of its own any more: ", domain);
        if (json_count(json_get(after, "rules")) > 0) {
            printf("the rules decide, and behind them what everybody gets (%s)\n",
                   serve_text(after, json_get(after, "fallthrough"), text, sizeof text));
        } else {
            printf("it gets what everybody gets (%s)\n",
                   serve_text(after, json_get(after, "fallthrough"), text, sizeof text));
        }
    }
    json_free(after);
    free(path);
    api_close(&api);
    return code;
}

/* ---- who ---- */

static void add_if_any(const struct json *flag, struct json *list, const char *kind,
                       const char *name, const struct json *serve, const char *when)
{
    struct json *one;

    if (serve_percent(flag, serve) <= 0 && serve_percent(flag, serve) > -1) {
        return;
    }
    one = json_append(list, place_json(flag, kind, name, serve));
    if (when != NULL) {
        json_put_text(one, "when", when);
    }
}

/* Every place that gives somebody anything but the off variant. */
static struct json *who_json(const struct json *flag)
{
    struct json *out = json_object();
    struct json *list = json_array();
    const char *off = json_get_text(flag, "off_variant", "");

    json_put_text(out, "flag", json_get_text(flag, "key", ""));
    json_put_text(out, "state", json_get_text(flag, "state", ""));
    for (const struct json *one = json_first(json_get(flag, "individual")); one != NULL;
         one = json_next(one)) {
        if (strcmp(json_text(one), off) != 0) {
            struct json *serve = json_object();

            json_put_text(serve, "variant", json_text(one));
            add_if_any(flag, list, "subject", json_key(one), serve, NULL);
            json_free(serve);
        }
    }
    for (const struct json *one = json_first(json_get(flag, "domains")); one != NULL;
         one = json_next(one)) {
        add_if_any(flag, list, "domain", json_key(one), one, NULL);
    }
    for (const struct json *one = json_first(json_get(flag, "rules")); one != NULL;
         one = json_next(one)) {
        add_if_any(flag, list, "rule", json_get_text(one, "name", "(without a name)"),
                   json_get(one, "serve"), json_get_text(one, "when", ""));
    }
    add_if_any(flag, list, "everybody", "everybody else", json_get(flag, "fallthrough"), NULL);
    json_put(out, "who", list);
    return out;
}

static void print_who(const struct json *flag, const struct json *who)
{
    struct table *table;

    if (json_count(json_get(who, "who")) == 0) {
        printf("nobody: no place of %s gives anything but '%s'\n", json_get_text(flag, "key", ""),
               json_get_text(flag, "off_variant", ""));
        return;
    }
    say_if_off(flag);
    table = table_new("WHO", "GETS", "WHEN", NULL);
    for (const struct json *one = json_first(json_get(who, "who")); one != NULL;
         one = json_next(one)) {
        const char *kind = json_get_text(one, "kind", "");
        bool everybody = strcmp(kind, "everybody") == 0;
        char name[400];

        snprintf(name, sizeof name, "%s%s%.300s", everybody ? "" : kind, everybody ? "" : " ",
                 json_get_text(one, "name", ""));
        table_add(table, name, json_get_text(one, "gets", ""), json_get_text(one, "when", ""));
    }
    table_print(table);
}

int cmd_who(struct cli *cli, void *ctx)
{
    struct json *flag = NULL, *who;
    struct api api;
    int code = api_open(&api, cli, "who");

    (void)ctx;
    if (code == 0 && (api_get_flag(&api, cli_operand(cli, 0), &flag, NULL) != ERR_OK ||
                      shards_expand(&api, flag) != ERR_OK)) {
        code = api_fail(&api);
    } else if (code == 0) {
        who = who_json(flag);
        if (cli_json(cli)) {
            cli_print_json(who);
        } else {
            print_who(flag, who);
            json_free(who);
        }
    }
    json_free(flag);
    api_close(&api);
    return code;
}
