/*
 * pin, unpin, pins, require, unrequire, split: who is taken out of what the rules say, what must be on first,
 * and which part of the subjects gets which variant.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "flags/program/commands.h"
#include "flags/program/serve.h"
#include "flags/program/table.h"

/* Runs one edit of operand 0 and says what it did. */
static int change(struct cli *cli, const char *command, edit_fn *edit, void *ctx, const char *who,
                  const char *does, const char *what, const char *rest)
{
    struct json *before = NULL, *after = NULL;
    struct api api;
    int code = api_open(&api, cli, command);

    api.reassign = cli_given(cli, "reassign");
    if (code == 0) {
        if (edit_flag(&api, cli_operand(cli, 0), edit, ctx, &before, &after) != ERR_OK) {
            code = api_fail(&api);
        } else if (cli_json(cli)) {
            cli_print_json(after);
            after = NULL;
        } else {
            char line[600];

            snprintf(line, sizeof line, "%.250s%s%.130s%s", who, does, what, rest);
            table_print_line(line);
        }
    }
    json_free(before);
    json_free(after);
    api_close(&api);
    return code;
}

/* ---- pins ---- */

struct pin {
    const char *subject, *variant;
};

static bool set_pin(struct api *api, struct json *flag, void *ctx)
{
    struct pin *pin = ctx;
    struct json *all = json_get(flag, "individual");

    if (json_get(json_get(flag, "variants"), pin->variant) == NULL) {
        (void)api_set(api, ERR_INVALID, "flag '%s' has no variant '%s'",
                      json_get_text(flag, "key", ""), pin->variant);
        return false;
    }
    all = all != NULL ? all : json_put(flag, "individual", json_object());
    json_put_text(all, pin->subject, pin->variant);
    return true;
}

static bool remove_pin(struct api *api, struct json *flag, void *ctx)
{
    struct pin *pin = ctx;
    struct json *all = json_get(flag, "individual");

    if (json_get(all, pin->subject) == NULL) {
        (void)api_set(api, ERR_NOT_FOUND,
                      "flag '%s' has no pin for '%.200s'; flags pins %s lists "
                      "those that it has",
                      json_get_text(flag, "key", ""), pin->subject, json_get_text(flag, "key", ""));
        return false;
    }
    json_remove(all, pin->subject);
    if (json_first(all) == NULL) {
        json_remove(flag, "individual");
    }
    return true;
}

int cmd_pin(struct cli *cli, void *ctx)
{
    struct pin pin = {cli_option(cli, "subject"), cli_option(cli, "variant")};

    (void)ctx;
    if (pin.subject == NULL || pin.variant == NULL) {
        return cli_usage(cli, "--subject KEY and --variant NAME are needed");
    }
    return change(cli, "pin", set_pin, &pin, pin.subject, " always gets '", pin.variant,
                  "' while the flag is on");
}

int cmd_unpin(struct cli *cli, void *ctx)
{
    struct pin pin = {cli_option(cli, "subject"), NULL};

    (void)ctx;
    if (pin.subject == NULL) {
        return cli_usage(cli, "--subject KEY is needed");
    }
    return change(cli, "unpin", remove_pin, &pin, pin.subject, " gets what the rules say", "", "");
}

int cmd_pins(struct cli *cli, void *ctx)
{
    struct json *flag = NULL, *out;
    struct api api;
    int code = api_open(&api, cli, "pins");

    (void)ctx;
    if (code == 0 && api_get_flag(&api, cli_operand(cli, 0), &flag, NULL) != ERR_OK) {
        code = api_fail(&api);
    } else if (code == 0 && cli_json(cli)) {
        out = json_object();
        json_put_text(out, "flag", cli_operand(cli, 0));
        json_put(out, "pins",
                 json_get(flag, "individual") != NULL ? json_copy(json_get(flag, "individual"))
                                                      : json_object());
        cli_print_json(out);
    } else if (code == 0 && json_first(json_get(flag, "individual")) == NULL) {
        printf("nobody is pinned\n");
    } else if (code == 0) {
        struct table *table = table_new("SUBJECT", "VARIANT", NULL);

        for (const struct json *one = json_first(json_get(flag, "individual")); one != NULL;
             one = json_next(one)) {
            table_add(table, json_key(one), json_text(one));
        }
        table_print(table);
    }
    json_free(flag);
    api_close(&api);
    return code;
}

/* ---- prerequisites ---- */

struct need {
    const char *key;
    struct cli *cli;
};

/* The list without the flag of that name. */
static struct json *others(const struct json *flag, const char *key)
{
    struct json *kept = json_array();

    for (const struct json *at = json_first(json_get(flag, "prerequisites")); at != NULL;
         at = json_next(at)) {
        if (strcmp(json_get_text(at, "flag", ""), key) != 0) {
            json_append(kept, json_copy(at));
        }
    }
    return kept;
}

static bool add_need(struct api *api, struct json *flag, void *ctx)
{
    struct need *need = ctx;
    struct json *list = others(flag, need->key), *one = json_append(list, json_object());
    struct json *variants = json_array();
    const char *name;

    (void)api;
    for (size_t i = 0; (name = cli_option_at(need->cli, "variant", i)) != NULL; i++) {
        json_append(variants, json_string(name));
    }
    if (json_first(variants) == NULL) {
        json_append(variants, json_string("on"));
    }
    json_put_text(one, "flag", need->key);
    json_put(one, "variants", variants);
    json_put(flag, "prerequisites", list);
    return true;
}

static bool remove_need(struct api *api, struct json *flag, void *ctx)
{
    struct need *need = ctx;
    struct json *kept = others(flag, need->key);

    if (json_count(kept) == json_count(json_get(flag, "prerequisites"))) {
        (void)api_set(api, ERR_NOT_FOUND, "flag '%s' does not wait for flag '%.128s'",
                      json_get_text(flag, "key", ""), need->key);
        json_free(kept);
        return false;
    }
    if (json_first(kept) == NULL) {
        json_free(kept);
        json_remove(flag, "prerequisites");
    } else {
        json_put(flag, "prerequisites", kept);
    }
    return true;
}

int cmd_require(struct cli *cli, void *ctx)
{
    struct need need = {cli_operand(cli, 1), cli};

    (void)ctx;
    return change(cli, "require", add_need, &need, cli_operand(cli, 0),
                  " gives anything but its off variant only where ", need.key,
                  " gives what it shall");
}

int cmd_unrequire(struct cli *cli, void *ctx)
{
    struct need need = {cli_operand(cli, 1), cli};

    (void)ctx;
    return change(cli, "unrequire", remove_need, &need, cli_operand(cli, 0), " does not wait for ",
                  need.key, " any more");
}

/* ---- split ---- */

struct split {
    struct cli *cli;
    struct json *weights; /* lent */
};

/* "blue=40" into weights; false: it is none. */
static bool add_weight(struct json *weights, const char *text)
{
    const char *equals = strrchr(text, '=');
    char name[LIMIT_KEY_BYTES + 1];
    double percent;

    if (equals == NULL || equals == text || (size_t)(equals - text) >= sizeof name ||
        !serve_parse_percent(equals + 1, &percent)) {
        return false;
    }
    memcpy(name, text, (size_t)(equals - text));
    name[equals - text] = '\0';
    json_put_number(weights, name, percent);
    return true;
}

static bool set_split(struct api *api, struct json *flag, void *ctx)
{
    struct split *split = ctx;
    const char *domain = cli_option(split->cli, "domain"), *rule = cli_option(split->cli, "rule");
    struct json *owner = flag, *serve = json_object(), *ramp;
    const char *member = "fallthrough";
    const struct json *now;

    if (domain != NULL) {
        owner = json_get(flag, "domains");
        owner = owner != NULL ? owner : json_put(flag, "domains", json_object());
        member = domain;
    } else if (rule != NULL) {
        owner = json_first(json_get(flag, "rules"));
        while (owner != NULL && strcmp(json_get_text(owner, "name", ""), rule) != 0) {
            owner = json_next(owner);
        }
        member = "serve";
    }
    if (owner == NULL) {
        (void)api_set(api, ERR_NOT_FOUND, "flag '%s' has no rule '%.128s'",
                      json_get_text(flag, "key", ""), rule);
        json_free(serve);
        return false;
    }
    now = json_get(json_get(owner, member), "ramp");
    if (now != NULL) { /* who is in stays in */
        ramp = json_put(serve, "ramp", json_object());
        json_put(ramp, "percent", json_copy(json_get(now, "percent")));
        json_put(ramp, "split", json_copy(split->weights));
    } else {
        json_put(serve, "split", json_copy(split->weights));
    }
    json_put(owner, member, serve);
    return true;
}

int cmd_split(struct cli *cli, void *ctx)
{
    struct split split = {cli, json_object()};
    int code;

    (void)ctx;
    for (int i = 1; i < cli_operand_count(cli); i++) {
        if (!add_weight(split.weights, cli_operand(cli, i))) {
            json_free(split.weights);
            return cli_usage(cli, "'%.100s' is no weight: write VARIANT=PERCENT, as blue=40",
                             cli_operand(cli, i));
        }
    }
    if (cli_given(cli, "domain") && cli_given(cli, "rule")) {
        json_free(split.weights);
        return cli_usage(cli, "--domain and --rule exclude each other");
    }
    code = change(cli, "split", set_split, &split, cli_operand(cli, 0), " is split", "", "");
    json_free(split.weights);
    return code;
}
