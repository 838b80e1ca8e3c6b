/*
 * schedule, schedules, unschedule: changes that the server makes at a time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "flags/program/change.h"
#include "flags/program/commands.h"
#include "flags/program/serve.h"
#include "flags/program/table.h"

/* "2027-01-31T18:00:00Z", or from now on: "+90m", "+2h", "+7d". */
static bool read_time(const char *text, char out[CLOCK_TEXT_BYTES])
{
    int64_t at_ms, unit_ms;
    char *end = NULL;
    long count;

    if (text[0] != '+') {
        return clock_parse(text, &at_ms) && (clock_text(at_ms, out), true);
    }
    count = strtol(text + 1, &end, 10);
    unit_ms = *end == 's' ? 1000 : *end == 'm' ? 60000 : *end == 'h' ? 3600000 : 86400000;
    if (end == text + 1 || strchr("smhd", *end) == NULL || *end == '\0' || end[1] != '\0' ||
        count < 0 || count > 100000) {
        return false;
    }
    (void)clock_text(clock_wall_ms() + count * unit_ms, out);
    return true;
}

static struct json *promotion(struct cli *cli)
{
    struct json *out = json_object();

    json_put_text(out, "from", cli_option(cli, "from"));
    return out;
}

/* "state: on", "fallthrough: 50 %": what shall change, in a line. */
static void describe(const struct json *schedule, char *out, size_t size)
{
    const struct json *change = json_get(schedule, "change");
    const struct json *promote = json_get(schedule, "promote");
    char *text;

    if (promote != NULL) {
        snprintf(out, size, "as in %s", json_get_text(promote, "from", ""));
        return;
    }
    if (json_count(change) == 1 && json_get(change, "state") != NULL) {
        snprintf(out, size, "%s", json_get_text(change, "state", ""));
        return;
    }
    text = json_print(change);
    snprintf(out, size, "%s", text != NULL ? text : "");
    free(text);
}

static void print_made(const struct json *made)
{
    char what[300], line[600];

    describe(made, what, sizeof what);
    snprintf(line, sizeof line, "%s: %s at %s (id %s)", json_get_text(made, "flag", ""), what,
             json_get_text(made, "at", ""), json_get_text(made, "id", ""));
    table_print_line(line);
}

static enum err_code send(struct api *api, struct cli *cli, struct json *body, struct json **made)
{
    const char *key = cli_operand(cli, 0);
    struct json *flag = NULL, *patch;
    char *path = api_path("/api/v1/flags/", key, "/schedules");
    enum err_code rc = api_get_flag(api, key, &flag, NULL);

    if (rc == ERR_OK && cli_given(cli, "from")) {
        json_put(body, "promote", promotion(cli));
    } else if (rc == ERR_OK) {
        patch = change_patch(api, cli, flag);
        rc = patch != NULL ? ERR_OK : api->code;
        if (patch != NULL) {
            json_put(body, "change", patch);
        }
    }
    if (rc == ERR_OK && path == NULL) {
        rc = api_set(api, ERR_NOMEM, "out of memory");
    }
    rc = rc ? rc : api_call(api, "POST", path, body, NULL, made, NULL);
    json_free(flag);
    free(path);
    return rc;
}

int cmd_schedule(struct cli *cli, void *ctx)
{
    const char *at = cli_option(cli, "at"), *until = cli_option(cli, "not-after");
    char text[CLOCK_TEXT_BYTES];
    struct json *body, *made = NULL;
    struct api api;
    int code;

    (void)ctx;
    if (change_ways(cli) + cli_given(cli, "from") != 1) {
        return cli_usage(cli, "what shall change? one of --on, --off, --to PERCENT, --from "
                              "ENVIRONMENT and --change JSON");
    }
    if (at == NULL || !read_time(at, text)) {
        return cli_usage(cli, "--at is needed: a time such as 2027-01-31T18:00:00Z, or +2h");
    }
    body = json_object();
    json_put_text(body, "at", text);
    if (until != NULL && !read_time(until, text)) {
        json_free(body);
        return cli_usage(cli, "--not-after: must be a time such as 2027-01-31T18:00:00Z, or +2h");
    }
    if (until != NULL) {
        json_put_text(body, "not_after", text);
    }
    code = api_open(&api, cli, "schedule");
    if (code == 0) {
        if (send(&api, cli, body, &made) != ERR_OK) {
            code = api_fail(&api);
        } else if (cli_json(cli)) {
            cli_print_json(made);
        } else {
            print_made(made);
            json_free(made);
        }
    }
    json_free(body);
    api_close(&api);
    return code;
}

static void print_list(const struct json *list)
{
    struct table *table = table_new("ID", "FLAG", "AT", "WHAT", "STATE", "BY", "RESULT", NULL);

    for (const struct json *at = json_first(json_get(list, "schedules")); at != NULL;
         at = json_next(at)) {
        char what[300];

        describe(at, what, sizeof what);
        table_add(table, json_get_text(at, "id", ""), json_get_text(at, "flag", ""),
                  json_get_text(at, "at", ""), what, json_get_text(at, "state", ""),
                  json_get_text(at, "by", ""), json_get_text(at, "result", ""));
    }
    if (json_first(json_get(list, "schedules")) == NULL) {
        printf("nothing is scheduled\n");
        table_free(table);
    } else {
        table_print(table);
    }
}

int cmd_schedules(struct cli *cli, void *ctx)
{
    const char *key = cli_operand(cli, 0);
    char *path =
        key != NULL ? api_path("/api/v1/schedules?flag=", key, "") : strdup("/api/v1/schedules");
    struct json *list = NULL;
    struct api api;
    int code = api_open(&api, cli, "schedules");

    (void)ctx;
    if (code == 0) {
        if (path == NULL || api_call(&api, "GET", path, NULL, NULL, &list, NULL) != ERR_OK) {
            code = api_fail(&api);
        } else if (cli_json(cli)) {
            cli_print_json(list);
        } else {
            print_list(list);
            json_free(list);
        }
    }
    free(path);
    api_close(&api);
    return code;
}

int cmd_unschedule(struct cli *cli, void *ctx)
{
    char *path = api_path("/api/v1/schedules/", cli_operand(cli, 0), "");
    struct json *reply = NULL;
    struct api api;
    int code = api_open(&api, cli, "unschedule");

    (void)ctx;
    if (code == 0) {
        if (path == NULL || api_call(&api, "DELETE", path, NULL, NULL, &reply, NULL) != ERR_OK) {
            code = api_fail(&api);
        } else if (cli_json(cli)) {
            cli_print_json(json_object());
        } else {
            printf("cancelled: nothing happens then\n");
        }
    }
    json_free(reply);
    free(path);
    api_close(&api);
    return code;
}
