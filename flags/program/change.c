#include "flags/program/change.h"

#include <string.h>

#include "flags/program/ramp.h"
#include "flags/program/serve.h"

int change_ways(const struct cli *cli)
{
    return cli_given(cli, "on") + cli_given(cli, "off") + cli_given(cli, "to") +
           cli_given(cli, "change");
}

static struct json *parse_change(struct api *api, const char *text)
{
    struct json *given = NULL;
    struct err err = {0};

    if (json_parse(text, strlen(text), &given, &err) != ERR_OK) {
        (void)api_set(api, ERR_INVALID, "--change: %s", err.msg);
        return NULL;
    }
    if (json_kind(given) != JSON_OBJECT) {
        (void)api_set(api, ERR_INVALID, "--change: must be a JSON object");
        json_free(given);
        return NULL;
    }
    return given;
}

/* {"domains": {"acme.com": SERVE}}: the place alone, so that what changes until then elsewhere stays. */
static struct json *ramp_patch(struct api *api, struct cli *cli, const struct json *flag)
{
    struct ramp ramp = {.domain = cli_option(cli, "domain"),
                        .rule = cli_option(cli, "rule"),
                        .variant = cli_option(cli, "variant")};
    struct json *copy = json_copy(flag), *patch = NULL, *place;
    const char *spelt;

    if (!serve_parse_percent(cli_option(cli, "to"), &ramp.percent)) {
        (void)api_set(api, ERR_INVALID, "--to: must be a percentage from 0%% to 100%%");
    } else if (ramp.domain != NULL && ramp.rule != NULL) {
        (void)api_set(api, ERR_INVALID, "--domain and --rule exclude each other");
    } else if (ramp_set(api, copy, &ramp)) {
        patch = json_object();
        if (ramp.domain != NULL) {
            spelt = flag_find_domain(copy, ramp.domain);
            place = json_put(patch, "domains", json_object());
            json_put(place, spelt, json_copy(json_get(json_get(copy, "domains"), spelt)));
        } else if (ramp.rule != NULL) {
            place = json_put(json_put(patch, "rules", json_object()), ramp.rule, json_object());
            json_put(place, "serve", json_copy(json_get(ramp_rule(copy, ramp.rule), "serve")));
        } else {
            json_put(patch, "fallthrough", json_copy(json_get(copy, "fallthrough")));
        }
    }
    json_free(copy);
    return patch;
}

struct json *change_patch(struct api *api, struct cli *cli, const struct json *flag)
{
    struct json *patch;

    if (cli_given(cli, "change")) {
        return parse_change(api, cli_option(cli, "change"));
    }
    if (cli_given(cli, "to")) {
        return ramp_patch(api, cli, flag);
    }
    patch = json_object();
    json_put_text(patch, "state", cli_given(cli, "on") ? "on" : "off");
    return patch;
}
