/*
 * ramp, and the rules that it can ramp.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags/program/commands.h"
#include "flags/program/domain_shards.h"
#include "flags/program/ramp.h"
#include "flags/program/serve.h"

enum {
    DOMAIN_BYTES = 256,
    SPELT_BYTES = 1024 /* as above, where each letter takes up to four bytes */
};

/* Lower case and without the dot at the end, as the server keeps domains; it checks the rest. */
static bool plain_domain(const char *text, char out[DOMAIN_BYTES])
{
    size_t len = strlen(text);

    if (len == 0 || len >= DOMAIN_BYTES) {
        return false;
    }
    for (size_t i = 0; i <= len; i++) {
        out[i] = (char)tolower((unsigned char)text[i]);
    }
    if (out[len - 1] == '.') {
        out[len - 1] = '\0';
    }
    return out[0] != '\0';
}

struct json *ramp_rule(const struct json *flag, const char *name)
{
    struct json *rule = json_first(json_get(flag, "rules"));

    while (rule != NULL && strcmp(json_get_text(rule, "name", ""), name) != 0) {
        rule = json_next(rule);
    }
    return rule;
}

/* What the place serves now. A domain without a rule of its own is like everybody else, unless rules
 * come between. */
static const struct json *served_now(const struct json *flag, const struct ramp *ramp,
                                     struct json *owner, const char *member)
{
    const struct json *serve = json_get(owner, member);

    if (serve == NULL && ramp->domain != NULL && json_count(json_get(flag, "rules")) == 0) {
        return json_get(flag, "fallthrough");
    }
    return serve;
}

/* Words for what was and what is, and the SERVE in between; NULL after api_set(). */
static struct json *ramp_serve(struct api *api, const struct json *flag, struct ramp *ramp,
                               const struct json *now, const struct json *own)
{
    const char *variant = serve_on_variant(flag, now, ramp->variant);
    struct json *serve;

    if (variant == NULL) {
        (void)api_set(api, ERR_INVALID,
                      ramp->variant != NULL ? "flag '%s' has no variant '%s'"
                                            : "flag '%s' has several variants: say which with "
                                              "--variant NAME%.0s",
                      json_get_text(flag, "key", ""), ramp->variant != NULL ? ramp->variant : "");
        return NULL;
    }
    if (now != NULL) {
        (void)serve_text(flag, now, ramp->was, sizeof ramp->was);
    } else {
        snprintf(ramp->was, sizeof ramp->was, "as the rules say");
    }
    serve = serve_at_percent(flag, own, ramp->percent, variant, ramp->variant != NULL);
    (void)serve_text(flag, serve, ramp->is, sizeof ramp->is);
    return serve;
}

/* Where there are many customers: one part of them is read, and sent again. */
static bool ramp_in_set(struct api *api, struct json *flag, struct ramp *ramp)
{
    struct domain_source source = shards_source(api);
    struct domain_sink sink = shards_sink(api);
    struct json *own = NULL, *serve = NULL;
    const struct json *now;
    struct err err = {0};
    enum err_code rc = domain_set_get(flag, ramp->domain, &source, &own, &err);

    now = own;
    if (own == NULL && json_count(json_get(flag, "rules")) == 0) {
        now = json_get(flag, "fallthrough");
    }
    if (rc == ERR_OK) {
        serve = ramp_serve(api, flag, ramp, now, own);
        rc = serve != NULL ? domain_set_put(flag, ramp->domain, serve, &source, &sink, NULL, &err)
                           : ERR_OK;
    }
    if (rc != ERR_OK) {
        (void)api_set(api, rc, "%s", err.msg);
    }
    rc = serve == NULL && rc == ERR_OK ? ERR_INVALID : rc;
    json_free(own);
    json_free(serve);
    return rc == ERR_OK;
}

bool ramp_set(struct api *api, struct json *flag, struct ramp *ramp)
{
    struct json *owner = flag;
    const char *member = "fallthrough", *spelt;
    char kept[SPELT_BYTES]; /* the member's name is freed when the member is replaced */
    struct json *serve;

    if (ramp->domain != NULL && json_get(flag, "domain_set") != NULL) {
        return ramp_in_set(api, flag, ramp);
    }
    if (ramp->domain != NULL) {
        owner = json_get(flag, "domains");
        owner = owner != NULL ? owner : json_put(flag, "domains", json_object());
        spelt = flag_find_domain(flag, ramp->domain); /* perhaps in another way */
        snprintf(kept, sizeof kept, "%s", spelt != NULL ? spelt : ramp->domain);
        member = kept;
    } else if (ramp->rule != NULL) {
        owner = ramp_rule(flag, ramp->rule);
        member = "serve";
        if (owner == NULL) {
            (void)api_set(
                api, ERR_NOT_FOUND, "flag '%s' has no rule '%s'; flags show %s lists them",
                json_get_text(flag, "key", ""), ramp->rule, json_get_text(flag, "key", ""));
            return false;
        }
    }
    serve =
        ramp_serve(api, flag, ramp, served_now(flag, ramp, owner, member), json_get(owner, member));
    if (serve == NULL) {
        return false;
    }
    json_put(owner, member, serve);
    return true;
}

static bool set_percent(struct api *api, struct json *flag, void *ctx)
{
    return ramp_set(api, flag, ctx);
}

static void print_ramp(const struct api *api, const struct ramp *ramp, const struct json *before,
                       struct json *after)
{
    struct cli *cli = api->cli;
    const char *key = json_get_text(after, "key", "");
    char place[DOMAIN_BYTES + 8];
    struct json *out;

    if (ramp->rule != NULL) {
        snprintf(place, sizeof place, "rule %.240s", ramp->rule);
    } else {
        snprintf(place, sizeof place, "%s", ramp->domain != NULL ? ramp->domain : "everybody");
    }
    if (!cli_json(cli)) {
        printf("%s: %s -> %s\n", place, ramp->was, ramp->is);
        if (strcmp(json_get_text(after, "state", ""), "on") != 0) {
            printf("%s is off, so everybody still gets '%s': flags on %s%s turns it on\n", key,
                   json_get_text(after, "off_variant", ""), key, api->option);
        }
        return;
    }
    (void)before;
    out = json_object();
    json_put_text(out, "flag", key);
    json_put_text(out, "place", place);
    json_put_text(out, "before", ramp->was);
    json_put_text(out, "after", ramp->is);
    json_put_text(out, "state", json_get_text(after, "state", ""));
    json_put_number(out, "version", json_number(json_get(after, "version"), 0));
    cli_print_json(out);
}

int cmd_ramp(struct cli *cli, void *ctx)
{
    struct ramp ramp = {.domain = cli_option(cli, "domain"),
                        .rule = cli_option(cli, "rule"),
                        .variant = cli_option(cli, "variant")};
    char domain[DOMAIN_BYTES];
    struct json *before = NULL, *after = NULL;
    struct api api;
    int code;

    (void)ctx;
    if (!cli_given(cli, "to")) {
        return cli_usage(cli, "--to is needed: a percentage, as --to 25%%");
    }
    if (!serve_parse_percent(cli_option(cli, "to"), &ramp.percent)) {
        return cli_usage(cli,
                         "--to %s: must be a percentage from 0%% to 100%% with at most three "
                         "decimals",
                         cli_option(cli, "to"));
    }
    if (ramp.domain != NULL && ramp.rule != NULL) {
        return cli_usage(cli, "--domain and --rule exclude each other");
    }
    if (ramp.domain != NULL) {
        if (!plain_domain(ramp.domain, domain)) {
            return cli_usage(cli, "--domain: '%.100s' is no domain name", ramp.domain);
        }
        ramp.domain = domain;
    }
    code = api_open(&api, cli, "ramp");
    if (code == 0) {
        if (edit_flag(&api, cli_operand(cli, 0), set_percent, &ramp, &before, &after) != ERR_OK) {
            code = api_fail(&api);
        } else {
            print_ramp(&api, &ramp, before, after);
        }
    }
    json_free(before);
    json_free(after);
    api_close(&api);
    return code;
}

/* ---- rules ---- */

struct rule_change {
    struct cli *cli;
    const char *name;
    double percent;
};

static bool add_rule(struct api *api, struct json *flag, void *ctx)
{
    struct rule_change *change = ctx;
    const char *variant = serve_on_variant(flag, NULL, cli_option(change->cli, "variant"));
    struct json *rules = json_get(flag, "rules");
    struct json *rule;

    if (ramp_rule(flag, change->name) != NULL) {
        (void)api_set(api, ERR_CONFLICT, "flag '%s' has a rule '%s' already",
                      json_get_text(flag, "key", ""), change->name);
        return false;
    }
    if (variant == NULL) {
        (void)api_set(api, ERR_INVALID, "say which variant the rule gives, with --variant NAME");
        return false;
    }
    rules = rules != NULL ? rules : json_put(flag, "rules", json_array());
    rule = json_append(rules, json_object());
    json_put_text(rule, "name", change->name);
    json_put_text(rule, cli_given(change->cli, "segment") ? "segment" : "when",
                  cli_option(change->cli, cli_given(change->cli, "segment") ? "segment" : "when"));
    json_put(rule, "serve", serve_at_percent(flag, NULL, change->percent, variant, false));
    if (cli_given(change->cli, "on-error")) {
        json_put_text(rule, "on_error", cli_option(change->cli, "on-error"));
    }
    return true;
}

static bool remove_rule(struct api *api, struct json *flag, void *ctx)
{
    struct rule_change *change = ctx;
    struct json *kept = json_array();

    if (ramp_rule(flag, change->name) == NULL) {
        (void)api_set(api, ERR_NOT_FOUND, "flag '%s' has no rule '%s'",
                      json_get_text(flag, "key", ""), change->name);
        json_free(kept);
        return false;
    }
    for (const struct json *rule = json_first(json_get(flag, "rules")); rule != NULL;
         rule = json_next(rule)) {
        if (strcmp(json_get_text(rule, "name", ""), change->name) != 0) {
            json_append(kept, json_copy(rule));
        }
    }
    json_put(flag, "rules", kept);
    return true;
}

static bool set_rule(struct api *api, struct json *flag, void *ctx)
{
    struct rule_change *change = ctx;
    struct json *rule = ramp_rule(flag, change->name);

    if (rule == NULL) {
        (void)api_set(api, ERR_NOT_FOUND, "flag '%s' has no rule '%s'; flags show %s lists them",
                      json_get_text(flag, "key", ""), change->name, json_get_text(flag, "key", ""));
        return false;
    }
    if (cli_given(change->cli, "when")) {
        json_remove(rule, "segment");
        json_put_text(rule, "when", cli_option(change->cli, "when"));
    }
    if (cli_given(change->cli, "on-error")) {
        json_put_text(rule, "on_error", cli_option(change->cli, "on-error"));
    }
    return true;
}

static int change_rules(struct cli *cli, const char *command, edit_fn *edit, const char *done,
                        double percent)
{
    struct rule_change change = {cli, cli_operand(cli, 1), percent};
    struct json *before = NULL, *after = NULL;
    struct api api;
    int code = api_open(&api, cli, command);

    if (code == 0) {
        if (edit_flag(&api, cli_operand(cli, 0), edit, &change, &before, &after) != ERR_OK) {
            code = api_fail(&api);
        } else if (cli_json(cli)) {
            cli_print_json(after);
            after = NULL;
        } else {
            printf("rule %s %s\n", change.name, done);
        }
    }
    json_free(before);
    json_free(after);
    api_close(&api);
    return code;
}

int cmd_rule_add(struct cli *cli, void *ctx)
{
    const char *to = cli_option(cli, "to");
    double percent = 100;

    (void)ctx;
    if (cli_given(cli, "when") == cli_given(cli, "segment")) {
        return cli_usage(cli, "--when is needed: a condition, as --when \"plan == 'pro'\", or "
                              "--segment NAME");
    }
    if (to != NULL && !serve_parse_percent(to, &percent)) {
        return cli_usage(cli, "--to %s: must be a percentage from 0%% to 100%%", to);
    }
    return change_rules(cli, "rule-add", add_rule, "was added behind the others", percent);
}

int cmd_rule_set(struct cli *cli, void *ctx)
{
    (void)ctx;
    if (!cli_given(cli, "when") && !cli_given(cli, "on-error")) {
        return cli_usage(cli, "--when CONDITION or --on-error skip|stop is needed");
    }
    return change_rules(cli, "rule-set", set_rule, "was changed", 0);
}

int cmd_rule_remove(struct cli *cli, void *ctx)
{
    (void)ctx;
    return change_rules(cli, "rule-remove", remove_rule, "was removed", 0);
}
