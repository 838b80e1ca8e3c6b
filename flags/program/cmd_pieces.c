/*
 * segments and layers: what flags of an environment share.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/limits.h"
#include "flags/layer.h"
#include "flags/program/commands.h"
#include "flags/program/serve.h"
#include "flags/program/table.h"

/* ---- what both do ---- */

static enum err_code fetch_list(struct api *api, const char *base, struct json **out)
{
    return api_call(api, "GET", base, NULL, NULL, out, NULL);
}

static int print_or_fail(struct cli *cli, struct api *api, enum err_code rc, struct json *reply,
                         void (*print)(const struct json *))
{
    if (rc != ERR_OK) {
        return api_fail(api);
    }
    if (cli_json(cli)) {
        cli_print_json(reply);
    } else {
        print(reply);
        json_free(reply);
    }
    return 0;
}

static enum err_code drop(struct api *api, const char *base, const char *key)
{
    char etag[API_ETAG_BYTES], *path = api_path(base, key, "");
    struct json *now = NULL, *reply = NULL;
    enum err_code rc = path != NULL ? api_call(api, "GET", path, NULL, NULL, &now, etag)
                                    : api_set(api, ERR_NOMEM, "out of memory");

    rc = rc ? rc : api_call(api, "DELETE", path, NULL, etag, &reply, NULL);
    json_free(now);
    json_free(reply);
    free(path);
    return rc;
}

static enum err_code edit_piece(struct api *api, const char *base, const char *key, edit_fn *edit,
                                void *ctx, struct json **after)
{
    char *path = api_path(base, key, "");
    struct json *before = NULL;
    enum err_code rc = path != NULL ? edit_at(api, path, edit, ctx, &before, after)
                                    : api_set(api, ERR_NOMEM, "out of memory");

    json_free(before);
    free(path);
    return rc;
}

/* ---- segments ---- */

#define SEGMENTS "/api/v1/segments"

static void join(const struct json *list, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (const struct json *at = json_first(list); at != NULL && len < size; at = json_next(at)) {
        len += (size_t)snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "", json_text(at));
    }
}

static void print_segments(const struct json *reply)
{
    struct table *table = table_new("SEGMENT", "KEYS", "DOMAINS", "WHEN", "USED BY", NULL);

    if (json_first(json_get(reply, "segments")) == NULL) {
        printf("no segments yet; flags segments create KEY makes one\n");
    }
    for (const struct json *at = json_first(json_get(reply, "segments")); at != NULL;
         at = json_next(at)) {
        char keys[24], domains[24], flags[300], others[300], users[620];

        snprintf(keys, sizeof keys, "%zu", json_count(json_get(at, "keys")));
        snprintf(domains, sizeof domains, "%zu", json_count(json_get(at, "domains")));
        join(json_get(at, "used_by_flags"), flags, sizeof flags);
        join(json_get(at, "used_by_segments"), others, sizeof others);
        snprintf(users, sizeof users, "%s%s%s", flags,
                 flags[0] != '\0' && others[0] != '\0' ? "; segments "
                 : others[0] != '\0'                   ? "segments "
                                                       : "",
                 others);
        table_add(table, json_get_text(at, "key", ""), keys, domains, json_get_text(at, "when", ""),
                  users);
    }
    if (json_first(json_get(reply, "segments")) != NULL) {
        table_print(table);
    } else {
        table_free(table);
    }
}

static void print_names(const char *label, const struct json *list)
{
    for (const struct json *at = json_first(list); at != NULL; at = json_next(at)) {
        char line[600];

        snprintf(line, sizeof line, "%s %.500s", label, json_text(at));
        table_print_line(line);
    }
}

static void print_segment(const struct json *segment)
{
    char line[700];

    snprintf(line, sizeof line, "%s%s%.500s", json_get_text(segment, "key", ""),
             json_get(segment, "description") != NULL ? ": " : "",
             json_get_text(segment, "description", ""));
    table_print_line(line);
    if (json_get(segment, "when") != NULL) {
        snprintf(line, sizeof line, "  when %.600s", json_get_text(segment, "when", ""));
        table_print_line(line);
    }
    print_names("  key", json_get(segment, "keys"));
    print_names("  domain", json_get(segment, "domains"));
    print_names("  used by flag", json_get(segment, "used_by_flags"));
    print_names("  used by segment", json_get(segment, "used_by_segments"));
}

/* Adds each value of an option that is not in the list yet. */
static void add_all(struct cli *cli, const char *option, struct json *segment, const char *member)
{
    struct json *list = json_get(segment, member);
    const char *value;

    for (size_t i = 0; (value = cli_option_at(cli, option, i)) != NULL; i++) {
        bool known = false;

        list = list != NULL ? list : json_put(segment, member, json_array());
        for (const struct json *at = json_first(list); at != NULL; at = json_next(at)) {
            known = known || (json_text(at) != NULL && strcmp(json_text(at), value) == 0);
        }
        if (!known) {
            json_append(list, json_string(value));
        }
    }
}

static bool remove_all(struct api *api, struct cli *cli, const char *option, struct json *segment,
                       const char *member)
{
    const char *value;

    for (size_t i = 0; (value = cli_option_at(cli, option, i)) != NULL; i++) {
        struct json *kept = json_array();

        for (const struct json *at = json_first(json_get(segment, member)); at != NULL;
             at = json_next(at)) {
            if (json_text(at) == NULL || strcmp(json_text(at), value) != 0) {
                json_append(kept, json_copy(at));
            }
        }
        if (json_count(kept) == json_count(json_get(segment, member))) {
            (void)api_set(api, ERR_NOT_FOUND, "--%s: '%.200s' is not in it", option, value);
            json_free(kept);
            return false;
        }
        json_put(segment, member, kept);
    }
    return true;
}

/* A file with one name a line takes the place of the list. */
static bool read_list(struct api *api, struct cli *cli, const char *option, struct json *segment,
                      const char *member)
{
    const char *path = cli_option(cli, option);
    struct json *list;
    struct err err = {0};
    char *text = NULL, *rest = NULL;
    size_t len = 0;

    if (path == NULL) {
        return true;
    }
    if (file_read(path, LIMIT_BODY_BYTES, &text, &len, &err) != ERR_OK) {
        (void)api_set(api, err.code, "%s", err.msg);
        return false;
    }
    list = json_put(segment, member, json_array());
    for (char *line = strtok_r(text, "\r\n", &rest); line != NULL;
         line = strtok_r(NULL, "\r\n", &rest)) {
        line += strspn(line, " \t");
        if (line[0] != '\0') {
            json_append(list, json_string(line));
        }
    }
    free(text);
    return true;
}

static bool set_segment(struct api *api, struct json *segment, void *ctx)
{
    struct cli *cli = ctx;

    for (const char *const *member = (const char *const[]){"when", "description", NULL};
         *member != NULL; member++) {
        const char *text = cli_option(cli, *member);

        if (text != NULL && text[0] == '\0') {
            json_remove(segment, *member);
        } else if (text != NULL) {
            json_put_text(segment, *member, text);
        }
    }
    if (!read_list(api, cli, "keys", segment, "keys") ||
        !read_list(api, cli, "domains", segment, "domains") ||
        !remove_all(api, cli, "remove-key", segment, "keys") ||
        !remove_all(api, cli, "remove-domain", segment, "domains")) {
        return false;
    }
    add_all(cli, "key", segment, "keys");
    add_all(cli, "domain", segment, "domains");
    return true;
}

static int make_segment(struct cli *cli, struct api *api, const char *key)
{
    struct json *segment = json_object(), *made = NULL;
    enum err_code rc = ERR_INVALID;

    json_put_text(segment, "key", key);
    if (set_segment(api, segment, cli)) {
        rc = api_call(api, "POST", SEGMENTS, segment, NULL, &made, NULL);
    }
    json_free(segment);
    return print_or_fail(cli, api, rc, made, print_segment);
}

static int segments(struct cli *cli, struct api *api, const char *verb, const char *key)
{
    struct json *reply = NULL;
    char *path;
    enum err_code rc;

    if (strcmp(verb, "list") == 0) {
        rc = fetch_list(api, SEGMENTS, &reply);
        return print_or_fail(cli, api, rc, reply, print_segments);
    }
    if (strcmp(verb, "create") == 0) {
        return make_segment(cli, api, key);
    }
    if (strcmp(verb, "set") == 0) {
        rc = edit_piece(api, SEGMENTS "/", key, set_segment, cli, &reply);
        return print_or_fail(cli, api, rc, reply, print_segment);
    }
    if (strcmp(verb, "delete") == 0) {
        rc = drop(api, SEGMENTS "/", key);
        if (rc == ERR_OK && !cli_json(cli)) {
            printf("segment %s is gone\n", key);
        } else if (rc == ERR_OK) {
            cli_print_json(json_object());
        }
        return rc ? api_fail(api) : 0;
    }
    path = api_path(SEGMENTS "/", key, "");
    rc = path != NULL ? api_call(api, "GET", path, NULL, NULL, &reply, NULL)
                      : api_set(api, ERR_NOMEM, "out of memory");
    free(path);
    return print_or_fail(cli, api, rc, reply, print_segment);
}

static bool is_verb(const char *verb, const char *const *verbs)
{
    while (*verbs != NULL && strcmp(*verbs, verb) != 0) {
        verbs++;
    }
    return *verbs != NULL;
}

int cmd_segments(struct cli *cli, void *ctx)
{
    static const char *const verbs[] = {"list", "show", "create", "set", "delete", NULL};
    const char *verb = cli_operand_count(cli) > 0 ? cli_operand(cli, 0) : "list";
    const char *key = cli_operand(cli, 1);
    struct api api;
    int code;

    (void)ctx;
    if (!is_verb(verb, verbs)) {
        return cli_usage(cli, "'%.60s' is none of list, show, create, set and delete", verb);
    }
    if ((key == NULL) != (strcmp(verb, "list") == 0)) {
        return cli_usage(cli, key == NULL ? "which segment?" : "list takes no segment");
    }
    code = api_open(&api, cli, "segments");
    code = code != 0 ? code : segments(cli, &api, verb, key);
    api_close(&api);
    return code;
}

/* ---- layers ---- */

#define LAYERS "/api/v1/layers"

static double size_of(const struct json *ranges)
{
    double sum = 0;

    for (const struct json *pair = json_first(ranges); pair != NULL; pair = json_next(pair)) {
        const struct json *from = json_first(pair);

        sum += json_number(json_next(from), 0) - json_number(from, 0);
    }
    return sum;
}

static void add_layer(struct table *table, const struct json *layer)
{
    const char *key = json_get_text(layer, "key", "");
    double left = 100;
    char text[40], where[300];

    for (const struct json *flag = json_first(json_get(layer, "flags")); flag != NULL;
         flag = json_next(flag)) {
        size_t len = 0;

        where[0] = '\0';
        for (const struct json *pair = json_first(flag); pair != NULL && len < sizeof where;
             pair = json_next(pair)) {
            len += (size_t)snprintf(where + len, sizeof where - len, "%s%g-%g", len > 0 ? ", " : "",
                                    json_number(json_first(pair), 0),
                                    json_number(json_next(json_first(pair)), 0));
        }
        left -= size_of(flag);
        snprintf(text, sizeof text, "%g %%", size_of(flag));
        table_add(table, key, json_key(flag), text, where);
    }
    snprintf(text, sizeof text, "%g %%", left < 0.0005 ? 0 : left);
    table_add(table, key, "(free)", text, "");
}

static void print_layer(const struct json *layer)
{
    struct table *table = table_new("LAYER", "FLAG", "OWNS", "BUCKETS", NULL);

    add_layer(table, layer);
    table_print(table);
}

static void print_layers(const struct json *reply)
{
    struct table *table = table_new("LAYER", "FLAG", "OWNS", "BUCKETS", NULL);

    for (const struct json *at = json_first(json_get(reply, "layers")); at != NULL;
         at = json_next(at)) {
        add_layer(table, at);
    }
    if (json_first(json_get(reply, "layers")) == NULL) {
        printf("no layers yet; flags layers create LAYER makes one\n");
        table_free(table);
    } else {
        table_print(table);
    }
}

struct resize {
    const char *flag;
    double percent; /* below 0: out of the layer */
};

static bool resize(struct api *api, struct json *layer, void *ctx)
{
    struct resize *to = ctx;
    struct err err = {0};

    if (to->percent < 0) {
        if (json_get(json_get(layer, "flags"), to->flag) == NULL) {
            (void)api_set(api, ERR_NOT_FOUND, "flag '%.128s' is not in layer '%s'", to->flag,
                          json_get_text(layer, "key", ""));
            return false;
        }
        json_remove(json_get(layer, "flags"), to->flag);
        return true;
    }
    if (layer_resize(layer, to->flag, to->percent, &err) != ERR_OK) {
        (void)api_set(api, err.code, "%s", err.msg);
        return false;
    }
    return true;
}

static enum err_code make_layer(struct api *api, struct cli *cli, const char *key,
                                struct json **made)
{
    struct json *layer = json_object();
    enum err_code rc;

    json_put_text(layer, "key", key);
    if (cli_given(cli, "bucket-by")) {
        json_put_text(layer, "bucket_by", cli_option(cli, "bucket-by"));
    }
    if (cli_given(cli, "description")) {
        json_put_text(layer, "description", cli_option(cli, "description"));
    }
    rc = api_call(api, "POST", LAYERS, layer, NULL, made, NULL);
    json_free(layer);
    return rc;
}

static int layers(struct cli *cli, struct api *api, const char *verb, struct resize *to)
{
    const char *key = cli_operand(cli, 1);
    struct json *reply = NULL;
    char *path;
    enum err_code rc;

    if (strcmp(verb, "list") == 0) {
        rc = fetch_list(api, LAYERS, &reply);
        return print_or_fail(cli, api, rc, reply, print_layers);
    }
    if (strcmp(verb, "delete") == 0) {
        rc = drop(api, LAYERS "/", key);
        if (rc == ERR_OK && !cli_json(cli)) {
            printf("layer %s is gone\n", key);
        } else if (rc == ERR_OK) {
            cli_print_json(json_object());
        }
        return rc ? api_fail(api) : 0;
    }
    if (strcmp(verb, "create") == 0) {
        rc = make_layer(api, cli, key, &reply);
    } else if (to->flag != NULL) {
        rc = edit_piece(api, LAYERS "/", key, resize, to, &reply);
    } else {
        path = api_path(LAYERS "/", key, "");
        rc = path != NULL ? api_call(api, "GET", path, NULL, NULL, &reply, NULL)
                          : api_set(api, ERR_NOMEM, "out of memory");
        free(path);
    }
    return print_or_fail(cli, api, rc, reply, print_layer);
}

int cmd_layers(struct cli *cli, void *ctx)
{
    static const char *const verbs[] = {"list",   "show",   "create", "resize",
                                        "remove", "delete", NULL};
    const char *verb = cli_operand_count(cli) > 0 ? cli_operand(cli, 0) : "list";
    bool resizes = strcmp(verb, "resize") == 0, removes = strcmp(verb, "remove") == 0;
    int wanted = strcmp(verb, "list") == 0 ? 1 : resizes || removes ? 3 : 2;
    struct resize to = {cli_operand(cli, 2), -1};
    struct api api;
    int code;

    (void)ctx;
    if (!is_verb(verb, verbs)) {
        return cli_usage(cli, "'%.60s' is none of list, show, create, resize, remove and delete",
                         verb);
    }
    if (cli_operand_count(cli) != wanted && cli_operand_count(cli) > 0) {
        return cli_usage(cli, "%s takes %s", verb,
                         wanted == 1   ? "no layer"
                         : wanted == 2 ? "a layer"
                                       : "a layer and a flag");
    }
    if (resizes &&
        (!cli_given(cli, "to") || !serve_parse_percent(cli_option(cli, "to"), &to.percent))) {
        return cli_usage(cli, "--to is needed: how much of the layer the flag owns, as --to 20%%");
    }
    code = api_open(&api, cli, "layers");
    api.reassign = cli_given(cli, "reassign");
    code = code != 0 ? code : layers(cli, &api, verb, &to);
    api_close(&api);
    return code;
}
