/*
 * simulate: who would get another variant, before a change is made. Evaluates here, with the code that
 * the server and the SDK evaluate with.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/limits.h"
#include "flags/evaluate.h"
#include "flags/patch.h"
#include "flags/program/change.h"
#include "flags/program/commands.h"
#include "flags/program/domain_shards.h"
#include "flags/program/table.h"
#include "flags/reweigh.h"
#include "flags/world.h"

enum { LIMIT_DEFAULT = 20, LIMIT_MAX = 100000, WAYS_MAX = 256, NAME_BYTES = 140 };

/* How many go from one answer to another. */
struct way {
    char from[NAME_BYTES], to[NAME_BYTES];
    size_t count;
};

struct simulation {
    struct api *api;
    struct ruleset *before, *after;
    const struct flag *was, *is;
    int64_t now_ms;
    size_t contexts, changed, limit;
    struct way ways[WAYS_MAX];
    size_t way_count;
    struct json *list;                          /* of those who change, limit at most */
    struct json *flags, *segments;              /* all that the server has */
    char refused[API_MESSAGE_BYTES], hint[480]; /* by the server, "" if it would take it */
};

/* ---- the flag as it would be ---- */

static enum err_code read_json(struct api *api, const char *text, size_t len, struct json **out)
{
    struct err err = {0};

    if (json_parse(text, len, out, &err) != ERR_OK) {
        return api_set(api, ERR_INVALID, "--file: %s", err.msg);
    }
    return json_kind(*out) == JSON_OBJECT
               ? ERR_OK
               : api_set(api, ERR_INVALID, "--file: must be a JSON object");
}

static enum err_code change_of(struct api *api, struct cli *cli, const struct json *flag,
                               struct json **out)
{
    const char *path = cli_option(cli, "file");
    struct json *given = NULL;
    struct err err = {0};
    char *body = NULL;
    size_t len = 0;
    enum err_code rc;

    if (path != NULL) {
        if (file_read(path, LIMIT_BODY_BYTES, &body, &len, &err) != ERR_OK) {
            return api_set(api, err.code, "%s", err.msg);
        }
        rc = read_json(api, body, len, &given);
        free(body);
        *out = given;
        return rc;
    }
    given = change_patch(api, cli, flag);
    if (given == NULL) {
        return api->code;
    }
    *out = json_copy(flag);
    rc = flag_patch(*out, given, &err) != ERR_OK ? api_set(api, err.code, "%s", err.msg) : ERR_OK;
    json_free(given);
    return rc;
}

/* What only the server makes, where the change does not say it. */
static void keep_made(struct json *flag, const struct json *stored)
{
    static const char *const members[] = {"salt", "split_salt", "layer"};

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (json_get(flag, members[i]) == NULL && json_get(stored, members[i]) != NULL) {
            json_put(flag, members[i], json_copy(json_get(stored, members[i])));
        }
    }
}

/* ---- what it stands beside ---- */

static const struct json *find_flag(void *ctx, const char *key)
{
    const struct json *list = ctx;

    for (const struct json *at = json_first(list); at != NULL; at = json_next(at)) {
        if (strcmp(json_get_text(at, "key", ""), key) == 0) {
            return at;
        }
    }
    return NULL;
}

/* The ruleset with this flag in place of the one that is served. */
/* Its domain rules stand in the document now. */
static void drop_set_from_uses(struct json *flag)
{
    struct json *uses = json_array();

    for (const struct json *at = json_first(json_get(flag, "uses")); at != NULL;
         at = json_next(at)) {
        if (json_text(at) != NULL && strcmp(json_text(at), DOMAIN_SET_FEATURE) != 0) {
            json_append(uses, json_copy(at));
        }
    }
    json_put(flag, "uses", uses);
}

static enum err_code build(struct simulation *s, const struct json *flag, struct ruleset **out)
{
    struct json *document = json_object(), *flags = json_put(document, "flags", json_array());
    struct flag_world world = {.segments = json_get(s->segments, "segments"),
                               .flag = find_flag,
                               .ctx = json_get(s->flags, "flags")};
    const char *key = json_get_text(flag, "key", "");
    struct json *copy = json_copy(flag);
    struct err err = {0};
    enum err_code rc;

    json_remove(copy, "version");
    json_remove(copy, "tie");
    rc = flag_check_in(copy, &world, &err);
    if (rc == ERR_OK && shards_expand(s->api, copy) != ERR_OK) {
        rc = err_set(&err, s->api->code, "%s", s->api->message);
    }
    if (json_get(copy, "uses") != NULL) {
        drop_set_from_uses(copy);
    }
    json_put_number(document, "format", RULESET_FORMAT);
    json_put_text(document, "environment", "simulation");
    json_put_number(document, "epoch", 1);
    json_put_number(document, "revision", 1);
    json_put(document, "segments", json_copy(world.segments));
    for (const struct json *at = json_first(world.ctx); at != NULL; at = json_next(at)) {
        if (strcmp(json_get_text(at, "key", ""), key) != 0) {
            (void)json_append_lent(flags, at);
        }
    }
    (void)json_append(flags, copy);
    rc = rc ? rc : ruleset_build(document, out, &err);
    json_free(document);
    return rc ? api_set(s->api, rc, "%s", err.msg) : ERR_OK;
}

/* Whether the server would take it: a schema may not bear it. A token that may not change flags is not told. */
static void ask_server(struct simulation *s, const struct json *changed, const char *etag)
{
    char *path = api_path("/api/v1/flags/", json_get_text(changed, "key", ""),
                          "?dry_run=true&reassign=true");
    struct json *reply = NULL;
    enum err_code rc =
        path != NULL ? api_call(s->api, "PUT", path, changed, etag, &reply, NULL) : ERR_NOMEM;

    if (rc == ERR_CONFLICT) {
        snprintf(s->refused, sizeof s->refused, "%s", s->api->message);
        snprintf(s->hint, sizeof s->hint, "%s", s->api->hint);
    }
    json_free(reply);
    free(path);
}

/* ---- the contexts ---- */

static const char *answer_of(const struct decision *decision)
{
    return decision->variant != NULL ? decision->variant : "(none)";
}

static void count_way(struct simulation *s, const char *from, const char *to)
{
    size_t i = 0;

    while (i < s->way_count &&
           (strcmp(s->ways[i].from, from) != 0 || strcmp(s->ways[i].to, to) != 0)) {
        i++;
    }
    if (i == WAYS_MAX) {
        return;
    }
    if (i == s->way_count) {
        snprintf(s->ways[i].from, NAME_BYTES, "%s", from);
        snprintf(s->ways[i].to, NAME_BYTES, "%s", to);
        s->way_count++;
    }
    s->ways[i].count++;
}

static void list_one(struct simulation *s, const struct json *attributes,
                     const struct decision *was, const struct decision *is)
{
    struct json *one = json_append(s->list, json_object());

    json_put_number(one, "line", (double)s->contexts);
    json_put(one, "context", json_copy(attributes));
    json_put_text(one, "was", answer_of(was));
    json_put_text(one, "now", answer_of(is));
    json_put_text(one, "because", is->rule != NULL ? is->rule : is->where != NULL ? is->where : "");
}

static enum err_code evaluate(struct simulation *s, const struct json *attributes)
{
    struct context before, after;
    struct decision was, is;
    struct err err = {0};

    if (context_init(&before, s->before, attributes, s->now_ms, &err) != ERR_OK) {
        return api_set(s->api, err.code, "line %zu: %s", s->contexts, err.msg);
    }
    if (context_init(&after, s->after, attributes, s->now_ms, &err) != ERR_OK) {
        context_fini(&before);
        return api_set(s->api, err.code, "line %zu: %s", s->contexts, err.msg);
    }
    evaluate_flag(s->before, s->was, &before, &was);
    evaluate_flag(s->after, s->is, &after, &is);
    if (strcmp(answer_of(&was), answer_of(&is)) != 0) {
        s->changed++;
        count_way(s, answer_of(&was), answer_of(&is));
        if (json_count(s->list) < s->limit) {
            list_one(s, attributes, &was, &is);
        }
    }
    context_fini(&after);
    context_fini(&before);
    return ERR_OK;
}

static enum err_code one_line(struct simulation *s, const char *text, size_t len)
{
    struct json *attributes = NULL;
    struct err err = {0};
    enum err_code rc;

    if (strspn(text, " \t\r\n") == len) {
        return ERR_OK;
    }
    s->contexts++;
    if (len > LIMIT_CONTEXT_BYTES) {
        return api_set(s->api, ERR_INVALID, "line %zu: is larger than %u bytes", s->contexts,
                       LIMIT_CONTEXT_BYTES);
    }
    if (json_parse(text, len, &attributes, &err) != ERR_OK) {
        return api_set(s->api, ERR_INVALID, "line %zu: %s", s->contexts, err.msg);
    }
    rc = evaluate(s, attributes);
    json_free(attributes);
    return rc;
}

static enum err_code go_through(struct simulation *s, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    enum err_code rc = ERR_OK;
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    if (file == NULL) {
        return api_set(s->api, ERR_INVALID, "%s: %s", path, strerror(errno));
    }
    while (rc == ERR_OK && (len = getline(&line, &room, file)) >= 0) {
        rc = one_line(s, line, (size_t)len);
    }
    if (rc == ERR_OK && ferror(file)) {
        rc = api_set(s->api, ERR_IO, "%s: cannot be read", path);
    }
    free(line);
    if (file != stdin) {
        (void)fclose(file);
    }
    return rc;
}

/* ---- what came of it ---- */

static void print_text(const struct simulation *s, const char *key)
{
    struct table *table;

    printf("%zu of %zu contexts would get something else from %s\n", s->changed, s->contexts, key);
    for (size_t i = 0; i < s->way_count; i++) {
        printf("  %s -> %s: %zu\n", s->ways[i].from, s->ways[i].to, s->ways[i].count);
    }
    if (s->refused[0] != '\0') {
        printf("but now it would be refused: ");
        table_print_line(s->refused);
    }
    if (json_count(s->list) == 0) {
        return;
    }
    table = table_new("LINE", "WAS", "NOW", "BECAUSE", "CONTEXT", NULL);
    for (const struct json *one = json_first(s->list); one != NULL; one = json_next(one)) {
        char *context = json_print(json_get(one, "context"));
        char line[24];

        snprintf(line, sizeof line, "%.0f", json_number(json_get(one, "line"), 0));
        table_add(table, line, json_get_text(one, "was", ""), json_get_text(one, "now", ""),
                  json_get_text(one, "because", ""), context != NULL ? context : "");
        free(context);
    }
    table_print(table);
    if (json_count(s->list) < s->changed) {
        printf("and %zu more (--limit)\n", s->changed - json_count(s->list));
    }
}

static void print(struct cli *cli, struct simulation *s, const char *key)
{
    struct json *out, *ways;

    if (!cli_json(cli)) {
        print_text(s, key);
        return;
    }
    out = json_object();
    json_put_text(out, "flag", key);
    json_put_number(out, "contexts", (double)s->contexts);
    json_put_number(out, "changed", (double)s->changed);
    ways = json_put(out, "ways", json_array());
    for (size_t i = 0; i < s->way_count; i++) {
        struct json *way = json_append(ways, json_object());

        json_put_text(way, "was", s->ways[i].from);
        json_put_text(way, "now", s->ways[i].to);
        json_put_number(way, "count", (double)s->ways[i].count);
    }
    if (s->refused[0] != '\0') {
        json_put_text(out, "refused", s->refused);
    }
    if (s->hint[0] != '\0') {
        json_put_text(out, "command", s->hint);
    }
    json_put(out, "who", json_copy(s->list));
    cli_print_json(out);
}

static enum err_code read_all(struct simulation *s)
{
    enum err_code rc = api_call(s->api, "GET", "/api/v1/flags", NULL, NULL, &s->flags, NULL);

    return rc ? rc : api_call(s->api, "GET", "/api/v1/segments", NULL, NULL, &s->segments, NULL);
}

static enum err_code simulate(struct simulation *s, struct cli *cli)
{
    struct json *flag = NULL, *changed = NULL;
    char etag[API_ETAG_BYTES];
    enum err_code rc = api_get_flag(s->api, cli_operand(cli, 0), &flag, etag);

    rc = rc ? rc : read_all(s);
    rc = rc ? rc : change_of(s->api, cli, flag, &changed);
    if (rc == ERR_OK) {
        keep_made(changed, flag);
        json_put_text(changed, "key", json_get_text(flag, "key", ""));
        rc = flag_keep_ranges(flag, changed) ? build(s, flag, &s->before)
                                             : api_set(s->api, ERR_NOMEM, "out of memory");
    }
    rc = rc ? rc : build(s, changed, &s->after);
    if (rc == ERR_OK) {
        s->was = ruleset_find(s->before, cli_operand(cli, 0));
        s->is = ruleset_find(s->after, cli_operand(cli, 0));
        rc = go_through(s, cli_option(cli, "contexts"));
    }
    if (rc == ERR_OK) {
        ask_server(s, changed, etag);
    }
    json_free(changed);
    json_free(flag);
    return rc;
}

static bool read_limit(struct cli *cli, size_t *out)
{
    const char *text = cli_option(cli, "limit");
    char *end = NULL;
    long value = text != NULL ? strtol(text, &end, 10) : LIMIT_DEFAULT;

    *out = (size_t)value;
    return text == NULL || (end != text && *end == '\0' && value >= 0 && value <= LIMIT_MAX);
}

int cmd_simulate(struct cli *cli, void *ctx)
{
    struct simulation s = {.now_ms = clock_wall_ms()};
    struct api api;
    int code;

    (void)ctx;
    if (change_ways(cli) + cli_given(cli, "file") != 1) {
        return cli_usage(cli, "what would change? one of --on, --off, --to PERCENT, --change JSON, "
                              "and --file FILE with the flag");
    }
    if (!cli_given(cli, "contexts")) {
        return cli_usage(cli, "--contexts FILE is needed: a JSON object a line");
    }
    if (!read_limit(cli, &s.limit)) {
        return cli_usage(cli, "--limit: must be a whole number from 0 to %d", LIMIT_MAX);
    }
    code = api_open(&api, cli, "simulate");
    if (code == 0) {
        s.api = &api;
        s.list = json_array();
        if (simulate(&s, cli) == ERR_OK) {
            print(cli, &s, cli_operand(cli, 0));
        } else {
            code = api_fail(&api);
        }
    }
    json_free(s.list);
    json_free(s.flags);
    json_free(s.segments);
    ruleset_free(s.before);
    ruleset_free(s.after);
    api_close(&api);
    return code;
}
