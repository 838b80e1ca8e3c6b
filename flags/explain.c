/*
 * "Why is this off for acme.com?": the decision, and every step on the way to it with the values of
 * the conditions.
 */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "condition/bucket.h"
#include "condition/condition_json.h"
#include "flags/model.h"

/* A whole step's JSON is built even when memory runs out on the way (json_put frees what it cannot
 * add); `failed` then drops the document at the end. */
struct explain {
    const struct flag *flag;
    struct context *ctx;
    const struct decision *decision;
    const struct context_key *key;
    struct json *steps;
    bool failed;
};

static void put(struct explain *explain, struct json *object, const char *key, struct json *value)
{
    if (json_put(object, key, value) == NULL)
        explain->failed = true;
}

static struct json *append(struct explain *explain, struct json *array)
{
    struct json *object = json_object();

    object = json_append(array, object) != NULL ? object : NULL;
    if (object == NULL)
        explain->failed = true;
    return object;
}

static struct json *step(struct explain *explain, const char *name, bool matched)
{
    struct json *made = append(explain, explain->steps);

    put(explain, made, "step", json_string(name));
    put(explain, made, "matched", json_bool(matched));
    return made;
}

/* Ramp and split in numbers: why this subject is in or out. */
static void put_served(struct explain *explain, struct json *made, const struct serve *serve)
{
    const struct flag *flag = explain->flag;
    const struct context_key *key = explain->key;
    uint16_t variant;
    int32_t bucket;

    if (serve->kind == SERVE_BUCKET && serve->ramp)
        put(explain, made, "percent", json_number_new((double)serve->threshold / 1000));
    if (serve->kind == SERVE_BUCKET)
        put(explain, made, "bucket_by", json_string(flag->bucket_by));
    if (key->at == NULL && serve_needs_key(serve)) {
        put(explain, made, "error", json_string("TARGETING_KEY_MISSING"));
        return;
    }
    variant = serve_pick(flag, serve, key, &bucket);
    if (bucket >= 0)
        put(explain, made, "bucket", json_number_new((double)bucket / 1000));
    if (serve->ramp)
        put(explain, made, "inside",
            json_bool(serve->threshold == BUCKET_COUNT || bucket < (int32_t)serve->threshold));
    put(explain, made, "variant", json_string(flag->variants[variant].name));
}

struct nodes {
    struct explain *explain;
    const char *source;
    struct json *array;
};

static void add_node(void *ctx, uint32_t from, uint32_t to, unsigned depth,
                     const struct condition_value *value, const char *text)
{
    struct nodes *nodes = ctx;
    struct json *node = append(nodes->explain, nodes->array);

    put(nodes->explain, node, "text", json_string_n(nodes->source + from, to - from));
    if (value != NULL)
        put(nodes->explain, node, "value", condition_to_json(value));
    else
        put(nodes->explain, node, "note", json_string(text));
    put(nodes->explain, node, "depth", json_number_new(depth));
}

/* Whether evaluation ends at this rule. */
static bool explain_rule(struct explain *explain, const struct rule *rule)
{
    struct context *ctx = explain->ctx;
    struct condition_input in = {ctx->slots, ctx->slot_count, ctx->scratch, sizeof ctx->scratch,
                                 NULL};
    struct condition_diag diag = {0};
    struct condition_value value;
    bool matched = false;
    enum condition_status status = rule_run(rule, ctx, &matched, &diag);
    struct json *made = step(explain, rule->label, matched);
    struct json *array = json_array();
    struct nodes nodes = {explain, condition_source(rule->when), array};

    put(explain, made, "when", json_string(nodes.source));
    put(explain, made, "condition", array);
    if (!explain->failed &&
        condition_explain(rule->when, &in, add_node, &nodes, &value, NULL) == CONDITION_NOMEM)
        explain->failed = true;
    if (status != CONDITION_OK) {
        put(explain, made, "error", json_string(diag.msg));
        put(explain, made, "on_error", json_string(rule->skip_on_error ? "skip" : "stop"));
        return !rule->skip_on_error;
    }
    if (!matched)
        return false;
    put_served(explain, made, &rule->serve);
    return explain->key->at != NULL || !serve_needs_key(&rule->serve);
}

/* Whether evaluation ends at the domain rule. */
static bool explain_domain(struct explain *explain)
{
    const struct flag *flag = explain->flag;
    const struct context *ctx = explain->ctx;
    struct domain_found found = {0};
    const struct serve *serve;
    struct json *made;

    if (flag->domains.count == 0)
        return false;
    if (ctx->domain != NULL)
        found = domains_find(&flag->domains, ctx->domain, ctx->domain_len, NULL);
    made = step(explain, "domain", found.entry != NULL);
    put(explain, made, "domain", ctx->domain != NULL ? json_string(ctx->domain) : json_null());
    if (ctx->domain_unfit)
        put(explain, made, "error",
            json_string("context.domain is no domain name, so there is none"));
    if (found.entry == NULL)
        return false;
    put(explain, made, "pattern", json_string(domain_entry_pattern(found.table, found.entry)));
    serve = &flag->domains.serves[found.entry->serve];
    if (serve->kind == SERVE_RULES) {
        put(explain, made, "as", json_string("the rules say"));
        return false;
    }
    put_served(explain, made, serve);
    return true;
}

static void explain_steps(struct explain *explain)
{
    const struct flag *flag = explain->flag;

    if (flag->unusable != NULL)
        return;
    put(explain, step(explain, "state", !flag->on), "state", json_string(flag->on ? "on" : "off"));
    if (!flag->on)
        return;
    if (flag->individual_count > 0) {
        const struct individual *found = individual_find(flag, &explain->ctx->keys[0]);
        struct json *made = step(explain, "individual", found != NULL);

        if (found != NULL) {
            put(explain, made, "variant", json_string(flag->variants[found->variant].name));
            return;
        }
    }
    if (explain_domain(explain))
        return;
    for (size_t i = 0; i < flag->rule_count; i++) {
        if (explain_rule(explain, &flag->rules[i]))
            return;
    }
    put_served(explain, step(explain, "fallthrough", true), &flag->fallthrough);
}

struct json *evaluate_explain(const struct ruleset *rules, const struct flag *flag,
                              struct context *ctx)
{
    struct decision decision;
    struct json *root = json_object();
    struct explain explain = {flag, ctx, &decision, NULL, json_array(), false};

    evaluate_flag(rules, flag, ctx, &decision);
    explain.key = flag->unusable == NULL ? &ctx->keys[flag->key_index] : NULL;
    put(&explain, root, "flag", json_string(flag->key));
    if (decision.variant != NULL) {
        put(&explain, root, "variant", json_string(decision.variant));
        put(&explain, root, "value", json_raw(decision.value_json));
    }
    put(&explain, root, "reason", json_string(flag_reason_name(decision.reason)));
    put(&explain, root, "where", json_string(decision.where));
    if (decision.rule != NULL)
        put(&explain, root, "rule", json_string(decision.rule));
    if (decision.error != FLAG_NO_ERROR)
        put(&explain, root, "error", json_string(flag_error_name(decision.error)));
    if (decision.message[0] != '\0')
        put(&explain, root, "message", json_string(decision.message));
    if (ctx->domain != NULL)
        put(&explain, root, "domain", json_string(ctx->domain));
    explain_steps(&explain);
    put(&explain, root, "steps", explain.steps);
    if (explain.failed) {
        json_free(root);
        return NULL;
    }
    return root;
}
