/*
 * eval, audit, clients, token.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_order.h"
#include "flags/program/commands.h"
#include "flags/program/serve.h"
#include "flags/program/table.h"

/* ---- eval ---- */

/* The context: --context, and over it --domain and --key. NULL after api_set(). */
static struct json *make_context(struct api *api, struct cli *cli)
{
    const char *text = cli_option(cli, "context");
    struct json *context = NULL;
    struct err err = {0};

    if (text == NULL) {
        context = json_object();
    } else if (json_parse(text, strlen(text), &context, &err) != ERR_OK) {
        (void)api_set(api, ERR_INVALID, "--context: %s", err.msg);
        return NULL;
    } else if (json_kind(context) != JSON_OBJECT) {
        (void)api_set(api, ERR_INVALID, "--context: must be an object, as {\"plan\": \"pro\"}");
        json_free(context);
        return NULL;
    }
    if (cli_given(cli, "domain")) {
        json_put_text(context, "domain", cli_option(cli, "domain"));
    }
    if (cli_given(cli, "key")) {
        json_put_text(context, "targetingKey", cli_option(cli, "key"));
    }
    return context;
}

static void print_value(const char *label, const struct json *value)
{
    char *text = json_print(value);

    if (text != NULL) {
        printf("%s%s", label, text);
    }
    free(text);
}

static void print_nodes(const struct json *condition)
{
    for (const struct json *node = json_first(condition); node != NULL; node = json_next(node)) {
        printf("         %*s%s", 2 * (int)json_number(json_get(node, "depth"), 0), "",
               json_get_text(node, "text", ""));
        if (json_get(node, "value") != NULL) {
            print_value(" = ", json_get(node, "value"));
        } else {
            printf(": %s", json_get_text(node, "note", ""));
        }
        printf("\n");
    }
}

static void print_step(const struct json *step, bool conditions)
{
    const struct json *percent = json_get(step, "percent");

    if (strcmp(json_get_text(step, "step", ""), "state") == 0 &&
        !json_is_true(json_get(step, "matched"))) {
        return; /* that a flag is on needs no line */
    }
    printf("  %-4s %s", json_is_true(json_get(step, "matched")) ? "yes" : "no",
           json_get_text(step, "step", ""));
    if (json_get_text(step, "flag", NULL) != NULL) {
        printf(" %s", json_get_text(step, "flag", ""));
    }
    if (json_get_text(step, "layer", NULL) != NULL) {
        printf(" %s", json_get_text(step, "layer", ""));
    }
    if (json_get_text(step, "answers", NULL) != NULL) {
        printf(", which gives '%s' here (%s)", json_get_text(step, "answers", ""),
               json_get_text(step, "because", ""));
    }
    if (json_get_text(step, "pattern", NULL) != NULL) {
        printf(" %s", json_get_text(step, "pattern", ""));
    }
    if (percent != NULL) {
        printf(", %g %%", json_number(percent, 0));
    }
    if (json_get(step, "bucket") != NULL) {
        printf(", bucket %g", json_number(json_get(step, "bucket"), 0));
    }
    if ((percent != NULL || json_get(step, "layer") != NULL) &&
        json_get(step, "inside") != NULL) { /* a split alone has no inside */
        printf(": %s", json_is_true(json_get(step, "inside")) ? "inside" : "outside");
    }
    if (json_get_text(step, "error", NULL) != NULL) {
        printf(", error: %s", json_get_text(step, "error", ""));
    }
    if (json_get_text(step, "variant", NULL) != NULL) {
        printf(" -> %s", json_get_text(step, "variant", ""));
    }
    printf("\n");
    if (conditions) {
        print_nodes(json_get(step, "condition"));
    }
}

static void print_segment(const struct json *segment)
{
    const char *error = json_get_text(segment, "error", NULL);

    printf("  segment %s: %s", json_get_text(segment, "segment", ""),
           error != NULL                               ? error
           : json_is_true(json_get(segment, "inside")) ? "inside"
                                                       : "outside");
    if (json_get_text(segment, "by", NULL) != NULL) {
        printf(", by its %s", json_get_text(segment, "by", ""));
    }
    if (json_get_text(segment, "pattern", NULL) != NULL) {
        printf(" (%s)", json_get_text(segment, "pattern", ""));
    }
    printf("\n");
    print_nodes(json_get(segment, "condition"));
}

static void print_decision(const struct json *decision, const char *key, bool explain)
{
    print_value("", json_get(decision, "value"));
    printf("  (%s: variant %s, %s", key, json_get_text(decision, "variant", "none"),
           json_get_text(decision, "reason", ""));
    if (json_get_text(decision, "error", NULL) != NULL) {
        printf(", %s", json_get_text(decision, "error", ""));
    }
    if (json_get_text(decision, "message", NULL) != NULL) {
        printf(": %s", json_get_text(decision, "message", ""));
    }
    printf(")\n");
    for (const struct json *step = json_first(json_get(decision, "steps")); step != NULL && explain;
         step = json_next(step)) {
        print_step(step, true);
    }
    for (const struct json *one = json_first(json_get(decision, "segments"));
         one != NULL && explain; one = json_next(one)) {
        print_segment(one);
    }
}

/* What a schema has to say: "schema: 0002_split (in-sync) allows 'off' 'on'". */
static void print_schema(const struct json *tie)
{
    printf("schema: %s (%s%s) allows", json_get_text(tie, "migration", ""),
           json_get_text(tie, "state", ""), json_is_true(json_get(tie, "held")) ? ", held" : "");
    for (const struct json *v = json_first(json_get(tie, "allowed")); v != NULL; v = json_next(v)) {
        printf(" '%s'", json_text(v));
    }
    printf("\n");
}

/* Asks for the decision, and (why) for the flag's tie. NULL after setting the failure. */
static struct json *ask_decision(struct api *api, struct cli *cli, const char *key, bool why)
{
    struct json *body = json_object(), *context = make_context(api, cli);
    struct json *decision = NULL, *flag = NULL;
    char *path = api_path("/api/v1/flags/", key, "/evaluate");

    json_put(body, "context", context);
    if (context == NULL || path == NULL ||
        api_call(api, "POST", path, body, NULL, &decision, NULL) != ERR_OK) {
        if (api->code == ERR_NOT_FOUND) { /* for the nearest key */
            (void)api_get_flag(api, key, &flag, NULL);
        }
    } else if (why && api_get_flag(api, key, &flag, NULL) != ERR_OK) {
        json_free(decision);
        decision = NULL;
    } else if (json_get(flag, "tie") != NULL) {
        json_put(decision, "tie", json_copy(json_get(flag, "tie")));
    }
    json_free(flag);
    json_free(body);
    free(path);
    return decision;
}

static int decide(struct cli *cli, const char *command, bool why)
{
    const char *key = cli_operand(cli, 0);
    bool explain = why || cli_given(cli, "explain");
    struct json *decision;
    struct api api;
    int code = api_open(&api, cli, command);

    if (code == 0) {
        decision = ask_decision(&api, cli, key, why);
        if (decision == NULL) {
            code = api_fail(&api);
        } else if (cli_json(cli)) {
            if (!explain) {
                json_remove(decision, "steps");
            }
            cli_print_json(decision);
        } else {
            print_decision(decision, key, explain);
            if (json_get(decision, "tie") != NULL) {
                print_schema(json_get(decision, "tie"));
            }
            json_free(decision);
        }
    }
    api_close(&api);
    return code;
}

int cmd_eval(struct cli *cli, void *ctx)
{
    (void)ctx;
    return decide(cli, "eval", false);
}

int cmd_why(struct cli *cli, void *ctx)
{
    (void)ctx;
    return decide(cli, "why", true);
}

/* ---- audit ---- */

static void add_part(char *out, size_t size, const char *name, const char *was, const char *is)
{
    size_t len = strlen(out);

    snprintf(out + len, size - len, "%s%s: %s -> %s", len > 0 ? "; " : "", name, was, is);
}

static void add_serve(char *out, size_t size, const struct json *before, const struct json *after,
                      const struct json *was, const struct json *is, const char *name)
{
    char left[160] = "none", right[160] = "none";

    if (json_equal(was, is)) {
        return;
    }
    if (was != NULL) {
        (void)serve_text(before, was, left, sizeof left);
    }
    if (is != NULL) {
        (void)serve_text(after, is, right, sizeof right);
    }
    add_part(out, size, name, left, right);
}

/* Goes through both lists side by side: each may have many thousands. */
static void add_domains(char *out, size_t size, const struct json *before, const struct json *after)
{
    struct json_member *was = NULL, *is = NULL;
    size_t was_count = 0, is_count = 0, i = 0, j = 0;

    if (json_members_sorted(json_get(before, "domains"), &was, &was_count) &&
        json_members_sorted(json_get(after, "domains"), &is, &is_count)) {
        while ((i < was_count || j < is_count) && strlen(out) + 1 < size) {
            int order = i == was_count ? 1 : j == is_count ? -1 : strcmp(was[i].key, is[j].key);
            const char *name = order <= 0 ? was[i].key : is[j].key;

            add_serve(out, size, before, after, order <= 0 ? was[i].value : NULL,
                      order >= 0 ? is[j].value : NULL, name);
            i += order <= 0;
            j += order >= 0;
        }
    }
    free(was);
    free(is);
}

/* What a change of a flag changed, in a line. */
static const char *describe(const struct json *event, char *out, size_t size)
{
    const struct json *before = json_get(event, "before"), *after = json_get(event, "after");
    const char *action = json_get_text(event, "action", "");

    out[0] = '\0';
    if (strncmp(action, "segment.", 8) == 0 || strncmp(action, "layer.", 6) == 0) {
        snprintf(out, size, "%s",
                 json_get_text(json_kind(after) == JSON_OBJECT ? after : before, "key", ""));
        return out;
    }
    if (json_get_text(after, "migration", NULL) != NULL) {
        snprintf(out, size, "%s: %s%s", json_get_text(after, "migration", ""),
                 json_get_text(after, "state", ""),
                 json_is_true(json_get(after, "held")) ? ", held" : "");
        return out;
    }
    if (json_kind(before) != JSON_OBJECT || json_kind(after) != JSON_OBJECT) {
        return out;
    }
    if (strcmp(json_get_text(before, "state", ""), json_get_text(after, "state", "")) != 0) {
        add_part(out, size, "state", json_get_text(before, "state", ""),
                 json_get_text(after, "state", ""));
    }
    add_domains(out, size, before, after);
    add_serve(out, size, before, after, json_get(before, "fallthrough"),
              json_get(after, "fallthrough"), "everybody");
    if (!json_equal(json_get(before, "rules"), json_get(after, "rules"))) {
        size_t len = strlen(out);

        snprintf(out + len, size - len, "%srules", len > 0 ? "; " : "");
    }
    for (const char *const *member = (const char *const[]){"individual", "prerequisites", NULL};
         *member != NULL; member++) {
        const struct json *was = json_get(before, *member), *is = json_get(after, *member);
        size_t len = strlen(out);

        if ((was == NULL) != (is == NULL) || (was != NULL && !json_equal(was, is))) {
            snprintf(out + len, size - len, "%s%s", len > 0 ? "; " : "",
                     strcmp(*member, "individual") == 0 ? "pins" : *member);
        }
    }
    return out;
}

static void print_audit(const struct json *audit)
{
    struct table *table =
        table_new("ID", "WHEN", "WHO", "WHAT", "FLAG", "REVISION", "CHANGE", "REASON", NULL);

    for (const struct json *event = json_first(json_get(audit, "events")); event != NULL;
         event = json_next(event)) {
        char id[24], revision[24], change[600];

        snprintf(id, sizeof id, "%.0f", json_number(json_get(event, "id"), 0));
        snprintf(revision, sizeof revision, "%.0f", json_number(json_get(event, "revision"), 0));
        table_add(table, id, json_get_text(event, "at", ""), json_get_text(event, "actor", ""),
                  json_get_text(event, "action", ""), json_get_text(event, "flag", ""), revision,
                  describe(event, change, sizeof change), json_get_text(event, "reason", ""));
    }
    table_print(table);
    if (json_is_true(json_get(audit, "more"))) {
        fprintf(stderr, "older ones are left out, because the flags of those above are very large: "
                        "--before ID goes on\n");
    }
}

/* A whole number of 1 and up, as it goes into an address. */
static bool counts(const char *text)
{
    return strlen(text) <= 15 && text[0] != '\0' && text[0] != '0' &&
           strspn(text, "0123456789") == strlen(text);
}

int cmd_audit(struct cli *cli, void *ctx)
{
    const char *key = cli_operand(cli, 0), *limit = cli_option(cli, "limit");
    const char *before = cli_option(cli, "before");
    struct json *audit = NULL;
    struct api api;
    char *path;
    char query[80];
    int code;

    (void)ctx;
    limit = limit != NULL ? limit : "50";
    if (!counts(limit) || (before != NULL && !counts(before))) {
        return cli_usage(cli, "--limit and --before must be whole numbers from 1");
    }
    snprintf(query, sizeof query, "%climit=%s%s%s", key != NULL ? '&' : '?', limit,
             before != NULL ? "&before=" : "", before != NULL ? before : "");
    path = key != NULL ? api_path("/api/v1/audit?flag=", key, query)
                       : api_path("/api/v1/audit", "", query);
    code = api_open(&api, cli, "audit");
    if (code == 0) {
        if (path == NULL || api_call(&api, "GET", path, NULL, NULL, &audit, NULL) != ERR_OK) {
            code = api_fail(&api);
        } else if (cli_json(cli)) {
            cli_print_json(audit);
            audit = NULL;
        } else {
            print_audit(audit);
        }
    }
    json_free(audit);
    free(path);
    api_close(&api);
    return code;
}

/* ---- clients ---- */

/* "new-search, others": flags that use what the client is too old for. */
static const char *cannot_text(const struct json *client, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (const struct json *at = json_first(json_get(client, "cannot_evaluate"));
         at != NULL && len < size; at = json_next(at)) {
        len += (size_t)snprintf(out + len, size - len, "%s%s", len > 0 ? ", " : "",
                                strcmp(json_text(at), "*") == 0 ? "others" : json_text(at));
    }
    return out;
}

static void print_clients(const struct json *list)
{
    struct table *table =
        table_new("CLIENT", "INSTANCE", "SERVES", "SEEN", "LEASE", "CANNOT EVALUATE", NULL);
    double epoch = json_number(json_get(list, "epoch"), 0);
    double revision = json_number(json_get(list, "revision"), 0);

    for (const struct json *one = json_first(json_get(list, "clients")); one != NULL;
         one = json_next(one)) {
        char serves[60], seen[40], cannot[320];
        double has = json_number(json_get(one, "revision"), 0);

        if (strcmp(json_get_text(one, "kind", ""), "ofrep") == 0) {
            snprintf(serves, sizeof serves, "what the server answers (OFREP)");
        } else if (has <= 0) {
            snprintf(serves, sizeof serves, "nothing yet");
        } else if (json_number(json_get(one, "epoch"), 0) != epoch) {
            snprintf(serves, sizeof serves, "revision %.0f of another epoch", has);
        } else {
            snprintf(serves, sizeof serves, "revision %.0f%s", has,
                     has < revision ? " (behind)" : "");
        }
        snprintf(seen, sizeof seen, "%.0f s ago", json_number(json_get(one, "seconds_ago"), 0));
        table_add(table, json_get_text(one, "name", ""), json_get_text(one, "instance", ""), serves,
                  seen, json_is_true(json_get(one, "lease")) ? "yes" : "no",
                  cannot_text(one, cannot, sizeof cannot));
    }
    table_print(table);
}

int cmd_clients(struct cli *cli, void *ctx)
{
    struct json *list = NULL;
    struct api api;
    int code = api_open(&api, cli, "clients");

    (void)ctx;
    if (code == 0) {
        if (api_call(&api, "GET", "/api/v1/clients", NULL, NULL, &list, NULL) != ERR_OK) {
            code = api_fail(&api);
        } else if (cli_json(cli)) {
            cli_print_json(list);
            list = NULL;
        } else if (json_count(json_get(list, "clients")) == 0) {
            printf("no client was here within a day\n");
        } else {
            print_clients(list);
        }
    }
    json_free(list);
    api_close(&api);
    return code;
}

/* ---- token ---- */

static int token_create(struct cli *cli, struct api *api)
{
    struct json *body = json_object(), *made = NULL;
    const char *role = cli_option(cli, "role"), *name = cli_option(cli, "name");
    int code = 0;

    json_put_text(body, "role", role);
    json_put_text(body, "name", name != NULL ? name : role);
    if (cli_given(cli, "everywhere")) {
        json_put_text(body, "environment", "*");
    }
    if (api_call(api, "POST", "/api/v1/tokens", body, NULL, &made, NULL) != ERR_OK) {
        code = api_fail(api);
    } else if (cli_json(cli)) {
        cli_print_json(made);
        made = NULL;
    } else {
        printf("%s\n", json_get_text(made, "token", ""));
    }
    json_free(body);
    json_free(made);
    return code;
}

static int token_list(struct cli *cli, struct api *api)
{
    struct json *list = NULL;
    struct table *table;

    if (api_call(api, "GET", "/api/v1/tokens", NULL, NULL, &list, NULL) != ERR_OK) {
        return api_fail(api);
    }
    if (cli_json(cli)) {
        cli_print_json(list);
        return 0;
    }
    table = table_new("ID", "ROLE", "ENVIRONMENT", "NAME", "MADE", NULL);
    for (const struct json *one = json_first(json_get(list, "tokens")); one != NULL;
         one = json_next(one)) {
        const char *environment = json_get_text(one, "environment", "");

        table_add(table, json_get_text(one, "id", ""), json_get_text(one, "role", ""),
                  strcmp(environment, "*") == 0 ? "all" : environment,
                  json_get_text(one, "name", ""), json_get_text(one, "created", ""));
    }
    table_print(table);
    json_free(list);
    return 0;
}

static int token_revoke(struct cli *cli, struct api *api)
{
    const char *id = cli_operand(cli, 1);
    char *path = api_path("/api/v1/tokens/", id, "");
    int code = 0;

    if (path == NULL || api_call(api, "DELETE", path, NULL, NULL, NULL, NULL) != ERR_OK) {
        code = api_fail(api);
    } else if (cli_json(cli)) {
        struct json *out = json_object();

        json_put_text(out, "id", id);
        json_put_bool(out, "revoked", true);
        cli_print_json(out);
    } else {
        printf("token %s was revoked\n", id);
    }
    free(path);
    return code;
}

int cmd_token(struct cli *cli, void *ctx)
{
    const char *what = cli_operand(cli, 0);
    int (*run)(struct cli *, struct api *) = NULL;
    struct api api;
    int code;

    (void)ctx;
    if (strcmp(what, "create") == 0) {
        if (!cli_given(cli, "role")) {
            return cli_usage(cli, "--role is needed: admin, sdk-server, sdk-client, viewer, "
                                  "editor or pipeline");
        }
        run = token_create;
    } else if (strcmp(what, "list") == 0) {
        run = token_list;
    } else if (strcmp(what, "revoke") == 0) {
        if (cli_operand(cli, 1) == NULL) {
            return cli_usage(cli, "the id of the token is needed: flags token list shows it");
        }
        run = token_revoke;
    } else {
        return cli_usage(cli, "token %s: must be create, list or revoke", what);
    }
    code = api_open(&api, cli, "token");
    code = code == 0 ? run(cli, &api) : code;
    api_close(&api);
    return code;
}
