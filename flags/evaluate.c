/*
 * The order of an evaluation:
 *
 *     off -> prerequisites -> layer -> individual -> domain rule -> rules, first match -> fall-through
 *
 * Prerequisites and layer only take away: who is not met by the one or not in the other gets the off
 * variant, pinned or not, so that flags of one layer never share a subject.
 *
 * A step that needs the bucket key and has none is passed over (a rule) or answers with the off
 * variant and an error (a domain rule, the fall-through: nothing stands behind them).
 */
#include "flags/evaluate.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/lease.h"
#include "flags/model.h"

const char *flag_reason_name(enum flag_reason reason)
{
    static const char *const names[] = {"STATIC", "DEFAULT", "TARGETING_MATCH", "SPLIT", "DISABLED",
                                        "STALE",  "ERROR"};

    return names[reason];
}

const char *flag_error_name(enum flag_error error)
{
    static const char *const names[] = {"",
                                        "FLAG_NOT_FOUND",
                                        "TARGETING_KEY_MISSING",
                                        "INVALID_CONTEXT",
                                        "PARSE_ERROR",
                                        "TYPE_MISMATCH",
                                        "PROVIDER_NOT_READY",
                                        "GENERAL"};

    return names[error];
}

static void begin(struct decision *out)
{
    out->variant = NULL;
    out->value_json = NULL;
    out->value = NULL;
    out->reason = FLAG_ERROR;
    out->error = FLAG_NO_ERROR;
    out->where = "";
    out->rule = NULL;
    out->rule_index = -1;
    out->bucket = -1;
    out->message[0] = '\0';
}

static void give(const struct flag *flag, uint16_t variant, enum flag_reason reason,
                 struct decision *out)
{
    out->variant = flag->variants[variant].name;
    out->value = &flag->variants[variant].value;
    out->value_json = out->value->json;
    out->reason = reason;
}

static void give_served(const struct flag *flag, const struct serve *serve,
                        const struct context_key *key, enum flag_reason plain, struct decision *out)
{
    uint16_t variant = serve_pick(flag, serve, key, &out->bucket);

    give(flag, variant, serve->kind == SERVE_BUCKET ? FLAG_SPLIT : plain, out);
}

/* Seldom, and kept out of the way of those that are often. */
static __attribute__((noinline, cold)) void
give_keyless(const struct flag *flag, const char *bucket_by, struct decision *out)
{
    give(flag, flag->off_variant, FLAG_ERROR, out);
    out->error = FLAG_TARGETING_KEY_MISSING;
    snprintf(out->message, sizeof out->message,
             "the context has no \"%.80s\" (a string or a whole number), which this %s buckets by",
             bucket_by, strcmp(out->where, "layer") == 0 ? "flag's layer" : "flag");
}

const struct individual *individual_find(const struct individual *all, size_t count,
                                         const struct context_key *key)
{
    size_t low = 0, high = count;

    if (key->at == NULL)
        return NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct individual *at = &all[middle];
        int order = memcmp(at->key, key->at, at->len < key->len ? at->len : key->len);

        if (order == 0)
            order = (at->len > key->len) - (at->len < key->len);
        if (order == 0)
            return at;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

enum condition_status rule_run(const struct rule *rule, struct context *ctx, bool *matched,
                               struct condition_diag *diag)
{
    struct condition_value value;
    enum condition_status status = condition_run(rule->when, &ctx->in, &value, diag);

    if (status != CONDITION_OK)
        return status;
    if (value.kind != CONDITION_BOOL) {
        if (diag != NULL)
            snprintf(diag->msg, sizeof diag->msg, "gives %s, not true or false",
                     condition_type_name(&value));
        return CONDITION_EVAL;
    }
    *matched = value.as.truth;
    return CONDITION_OK;
}

/* The condition failed and says "stop". It runs again for the message, so that runs that succeed
 * or are skipped never pay for one. */
static __attribute__((noinline, cold)) void give_failed(const struct flag *flag,
                                                        const struct rule *rule,
                                                        struct context *ctx, struct decision *out)
{
    struct condition_diag diag = {0};
    bool matched;

    (void)rule_run(rule, ctx, &matched, &diag);
    give(flag, flag->off_variant, FLAG_ERROR, out);
    out->error = FLAG_GENERAL;
    snprintf(out->message, sizeof out->message, "%.60s: %.120s", rule->label, diag.msg);
}

/* Whether the rules decided. */
static bool evaluate_rules(const struct flag *flag, struct context *ctx,
                           const struct context_key *key, struct decision *out)
{
    for (size_t i = 0; i < flag->rule_count; i++) {
        const struct rule *rule = &flag->rules[i];
        bool matched = false;
        enum condition_status status = rule_run(rule, ctx, &matched, NULL);

        if (status != CONDITION_OK ? rule->skip_on_error : !matched)
            continue;
        if (status == CONDITION_OK && key->at == NULL && serve_needs_key(&rule->serve)) {
            out->error = FLAG_TARGETING_KEY_MISSING;
            continue;
        }
        out->where = "rule";
        out->rule = rule->name;
        out->rule_index = (int)i;
        if (status != CONDITION_OK)
            give_failed(flag, rule, ctx, out);
        else
            give_served(flag, &rule->serve, key, FLAG_TARGETING_MATCH, out);
        return true;
    }
    return false;
}

/* Whether a domain rule decided. */
static bool evaluate_domain(const struct flag *flag, const struct context *ctx,
                            const struct context_key *key, struct decision *out)
{
    struct domain_found found;
    const struct serve *serve;

    if (ctx->domain == NULL)
        return false;
    found = domains_find(&flag->domains, ctx->domain, ctx->domain_len, NULL);
    if (found.entry == NULL)
        return false;
    serve = &flag->domains.serves[found.entry->serve];
    if (serve->kind == SERVE_RULES)
        return false;
    out->where = "domain";
    out->rule = domain_entry_pattern(found.table, found.entry);
    if (key->at == NULL && serve_needs_key(serve))
        give_keyless(flag, flag->bucket_by, out);
    else
        give_served(flag, serve, key, FLAG_TARGETING_MATCH, out);
    return true;
}

static __attribute__((noinline)) bool
evaluate_individual(const struct flag *flag, const struct context *ctx, struct decision *out)
{
    const struct individual *found =
        individual_find(flag->individuals, flag->individual_count, &ctx->keys[0]);

    if (found == NULL)
        return false;
    out->where = "individual";
    give(flag, found->variant, FLAG_TARGETING_MATCH, out);
    return true;
}

/* What a flag answers whose answer decides about another. Past its lease a tied one is answered as the
 * client that asks for it is: with the safe variant, then with nothing. */
static void evaluate_needed(const struct ruleset *rules, const struct flag *flag,
                            struct context *ctx, struct decision *out)
{
    enum lease_answer may = LEASE_RULES;

    if (flag->tied && (ctx->age_us != 0 || ctx->from_cache)) {
        struct lease_terms terms = lease_terms_of(flag->lease_s);

        may = lease_answer(&terms, ctx->age_us, ctx->from_cache);
    }
    if (may == LEASE_RULES) {
        evaluate_flag(rules, flag, ctx, out);
    } else if (may == LEASE_NONE || !evaluate_safe(flag, out)) {
        begin(out);
        out->error = FLAG_NOT_READY;
        out->where = "lease";
    }
}

const struct prerequisite *prerequisite_unmet(const struct ruleset *rules, const struct flag *flag,
                                              struct context *ctx, struct decision *found)
{
    for (size_t i = 0; i < flag->prerequisite_count; i++) {
        const struct prerequisite *at = &flag->prerequisites[i];
        bool met = false;

        evaluate_needed(rules, at->needs, ctx, found);
        for (size_t v = 0; v < at->count && !met; v++)
            met = found->value == &at->needs->variants[at->variants[v]].value;
        if (!met)
            return at;
    }
    return NULL;
}

/* Whether a prerequisite keeps everything behind it from being asked. */
static bool evaluate_prerequisites(const struct ruleset *rules, const struct flag *flag,
                                   struct context *ctx, struct decision *out)
{
    struct decision found;
    const struct prerequisite *unmet;

    if (flag->prerequisite_count == 0)
        return false;
    unmet = prerequisite_unmet(rules, flag, ctx, &found);
    if (unmet == NULL)
        return false;
    out->where = "prerequisite";
    out->rule = unmet->key;
    give(flag, flag->off_variant, FLAG_DISABLED, out);
    return true;
}

/* Whether the subject is outside what the flag has of its layer. */
static __attribute__((noinline)) bool
evaluate_layer(const struct flag *flag, const struct context *ctx, struct decision *out)
{
    const struct context_key *key;

    if (flag->layer.key == NULL)
        return false;
    key = &ctx->keys[flag->layer.key_index];
    if (key->at != NULL && layer_part_has(&flag->layer, key, &out->bucket)) {
        out->bucket = -1;
        return false;
    }
    out->where = "layer";
    out->rule = flag->layer.key;
    if (key->at == NULL)
        give_keyless(flag, flag->layer.bucket_by, out);
    else
        give(flag, flag->off_variant, FLAG_SPLIT, out);
    return true;
}

/* Whether something that stands before the rules decided; most flags have none of it. */
static __attribute__((noinline)) bool evaluate_before_rules(const struct ruleset *rules,
                                                            const struct flag *flag,
                                                            struct context *ctx,
                                                            struct decision *out)
{
    return (flag->prerequisite_count > 0 && evaluate_prerequisites(rules, flag, ctx, out)) ||
           (flag->layer.key != NULL && evaluate_layer(flag, ctx, out)) ||
           (flag->individual_count > 0 && evaluate_individual(flag, ctx, out)) ||
           (flag->domains.count > 0 &&
            evaluate_domain(flag, ctx, &ctx->keys[flag->key_index], out));
}

void evaluate_flag(const struct ruleset *rules, const struct flag *flag, struct context *ctx,
                   struct decision *out)
{
    const struct context_key *key;

    CHECK(ctx->rules == rules);
    begin(out);
    if (flag->unusable != NULL) {
        out->error = FLAG_PARSE_ERROR;
        snprintf(out->message, sizeof out->message, "%s", flag->unusable);
        return;
    }
    if (!flag->on) {
        out->where = "off";
        give(flag, flag->off_variant, FLAG_DISABLED, out);
        return;
    }
    key = &ctx->keys[flag->key_index];
    if ((flag->before_rules && evaluate_before_rules(rules, flag, ctx, out)) ||
        evaluate_rules(flag, ctx, key, out))
        return;
    out->where = "fallthrough";
    if (key->at == NULL && serve_needs_key(&flag->fallthrough))
        give_keyless(flag, flag->bucket_by, out);
    else
        give_served(flag, &flag->fallthrough, key, flag->targeted ? FLAG_DEFAULT : FLAG_STATIC,
                    out);
}

bool evaluate_safe(const struct flag *flag, struct decision *out)
{
    if (!flag->tied)
        return false;
    begin(out);
    out->where = "lease";
    give(flag, flag->safe_variant, FLAG_STALE, out);
    return true;
}
