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

/* The condition with the values of its parts. */
static void put_condition(struct explain *explain, struct json *made, const struct condition *when)
{
    struct context *ctx = explain->ctx;
    struct condition_input in = {ctx->slots, ctx->slot_count, ctx->scratch, sizeof ctx->scratch,
                                 ctx};
    struct json *array = json_array();
    struct nodes nodes = {explain, condition_source(when), array};
    struct condition_value value;

    put(explain, made, "when", json_string(nodes.source));
    put(explain, made, "condition", array);
    if (!explain->failed &&
        condition_explain(when, &in, add_node, &nodes, &value, NULL) == CONDITION_NOMEM)
        explain->failed = true;
}

/* Whether evaluation ends at this rule. */
static bool explain_rule(struct explain *explain, const struct rule *rule)
{
    struct condition_diag diag = {0};
    bool matched = false;
    enum condition_status status = rule_run(rule, explain->ctx, &matched, &diag);
    struct json *made = step(explain, rule->label, matched);

    put_condition(explain, made, rule->when);
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

/* Whether evaluation ends at a prerequisite that is not met. */
static bool explain_prerequisites(struct explain *explain)
{
    const struct flag *flag = explain->flag;
    struct decision found;
    const struct prerequisite *unmet =
        prerequisite_unmet(explain->ctx->rules, flag, explain->ctx, &found);

    for (size_t i = 0; i < flag->prerequisite_count; i++) {
        const struct prerequisite *at = &flag->prerequisites[i];
        struct json *wanted = json_array(), *made = append(explain, explain->steps);

        put(explain, made, "step", json_string("prerequisite"));
        put(explain, made, "matched", json_bool(at == unmet));
        put(explain, made, "flag", json_string(at->key));
        put(explain, made, "met", json_bool(at != unmet));
        for (size_t v = 0; v < at->count; v++)
            explain->failed |= json_append(wanted, json_string(at->names[v])) == NULL;
        put(explain, made, "wanted", wanted);
        if (at != unmet)
            continue;
        if (found.variant != NULL)
            put(explain, made, "answers", json_string(found.variant));
        put(explain, made, "because", json_string(found.rule != NULL ? found.rule : found.where));
        put(explain, made, "variant", json_string(flag->variants[flag->off_variant].name));
        return true;
    }
    return false;
}

/* Whether the subject is outside what the flag has of its layer. */
static bool explain_layer(struct explain *explain)
{
    const struct flag *flag = explain->flag;
    const struct context_key *key;
    struct json *made;
    int32_t bucket = 0;
    bool inside;

    if (flag->layer.key == NULL)
        return false;
    key = &explain->ctx->keys[flag->layer.key_index];
    inside = key->at != NULL && layer_part_has(&flag->layer, key, &bucket);
    made = step(explain, "layer", !inside);
    put(explain, made, "layer", json_string(flag->layer.key));
    put(explain, made, "bucket_by", json_string(flag->layer.bucket_by));
    if (key->at == NULL)
        put(explain, made, "error", json_string("TARGETING_KEY_MISSING"));
    else
        put(explain, made, "bucket", json_number_new((double)bucket / 1000));
    put(explain, made, "inside", json_bool(inside));
    if (!inside)
        put(explain, made, "variant", json_string(flag->variants[flag->off_variant].name));
    return !inside;
}

static void explain_segment(struct explain *explain, struct json *list,
                            const struct segment *segment)
{
    struct context *ctx = explain->ctx;
    enum segment_answer answer = segment_decide(segment, ctx);
    struct domain_found found = {0};
    struct json *made = append(explain, list);

    put(explain, made, "segment", json_string(segment->key));
    if (answer == SEGMENT_FAILED)
        put(explain, made, "error", json_string("its condition failed"));
    else
        put(explain, made, "inside", json_bool(answer == SEGMENT_IN));
    if (ctx->domain != NULL && segment->domains.count > 0)
        found = domains_find(&segment->domains, ctx->domain, ctx->domain_len, NULL);
    if (individual_find(segment->keys, segment->key_count, &ctx->keys[0]) != NULL) {
        put(explain, made, "by", json_string("keys"));
    } else if (found.entry != NULL) {
        put(explain, made, "by", json_string("domains"));
        put(explain, made, "pattern", json_string(domain_entry_pattern(found.table, found.entry)));
    } else if (segment->when != NULL) {
        put(explain, made, "by", json_string("when"));
        put_condition(explain, made, segment->when);
    }
}

/* Those that the decision asked for, and those that explaining these asks for. */
static void explain_segments(struct explain *explain, struct json *root)
{
    const struct segments *segments = &explain->ctx->rules->segments;
    struct json *list = NULL;

    for (size_t i = 0; i < segments->count; i++) {
        if (explain->ctx->segments[i] == SEGMENT_UNASKED)
            continue;
        list = list != NULL ? list : json_array();
        explain_segment(explain, list, &segments->at[i]);
    }
    if (list != NULL)
        put(explain, root, "segments", list);
}

static void explain_steps(struct explain *explain)
{
    const struct flag *flag = explain->flag;

    if (flag->unusable != NULL)
        return;
    put(explain, step(explain, "state", !flag->on), "state", json_string(flag->on ? "on" : "off"));
    if (!flag->on || explain_prerequisites(explain) || explain_layer(explain))
        return;
    if (flag->individual_count > 0) {
        const struct individual *found =
            individual_find(flag->individuals, flag->individual_count, &explain->ctx->keys[0]);
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
    explain_segments(&explain, root);
    if (explain.failed) {
        json_free(root);
        return NULL;
    }
    return root;
}
