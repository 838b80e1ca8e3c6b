/*
 * The context of one request: JSON attributes as condition values, the domain in canonical form,
 * the slots of all conditions and the keys of all bucketing, resolved once.
 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "condition/condition_json.h"
#include "condition/domain.h"
#include "flags/model.h"

/* About the bytes that attributes take as text; stops counting at the limit. */
static size_t weigh(const struct json *json, size_t weight)
{
    weight += 2;
    if (json_text(json) != NULL)
        weight += strlen(json_text(json));
    for (const struct json *at = json_first(json); at != NULL && weight <= LIMIT_CONTEXT_BYTES;
         at = json_next(at)) {
        if (json_kind(json) == JSON_OBJECT)
            weight += strlen(json_key(at)) + 1;
        weight = weigh(at, weight);
    }
    return weight;
}

/* What is no domain name counts as absent: one bad attribute must not take every flag from whoever sent
 * it, and an answer of its own would be one that nobody has proved a tied flag to bear. */
static enum err_code find_domain(struct context *ctx, const struct json *attributes,
                                 struct err *err)
{
    const struct json *domain = json_get(attributes, "domain");
    const char *email = json_text(json_get(attributes, "email"));
    const char *text = json_text(domain);
    bool given =
        domain != NULL && json_kind(domain) != JSON_NULL && (text == NULL || text[0] != '\0');
    char canonical[DOMAIN_BYTES_MAX + 1];
    size_t len = 0;

    if (given) {
        len = text != NULL ? domain_canonical(text, strlen(text), canonical, sizeof canonical) : 0;
        ctx->domain_unfit = len == 0;
    } else if (email != NULL && strrchr(email, '@') != NULL) {
        len = domain_canonical(email, strlen(email), canonical, sizeof canonical);
    }
    if (len == 0)
        return ERR_OK;
    ctx->domain = arena_text(&ctx->arena, canonical, len);
    if (ctx->domain == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    ctx->domain_len = len;
    return ERR_OK;
}

static bool entry_is(const struct condition_entry *entry, const char *name, size_t len)
{
    return entry->key.kind == CONDITION_STRING && entry->key.size == len &&
           memcmp(entry->key.as.bytes, name, len) == 0;
}

/* The root: what was sent, with "domain" and "now" as the product knows them. */
static enum err_code make_root(struct context *ctx, const struct json *attributes, struct err *err)
{
    struct condition_value sent = {.kind = CONDITION_MAP};
    struct condition_entry *entries;
    uint32_t count = 0;
    int64_t seconds = ctx->now_ms / 1000, left = ctx->now_ms % 1000;

    if (attributes != NULL) {
        enum err_code rc = condition_from_json(attributes, &ctx->arena, &sent, err);

        if (rc != ERR_OK) {
            err_wrap(err, "context");
            return rc;
        }
    }
    entries = arena_take(&ctx->arena, (sent.size + 2u) * sizeof *entries);
    if (entries == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (uint32_t i = 0; i < sent.size; i++) {
        if (!entry_is(&sent.as.entries[i], "domain", 6) && !entry_is(&sent.as.entries[i], "now", 3))
            entries[count++] = sent.as.entries[i];
    }
    if (ctx->domain != NULL) {
        entries[count].key = condition_string("domain", 6);
        entries[count++].value = condition_string(ctx->domain, ctx->domain_len);
    }
    if (left < 0) {
        left += 1000;
        seconds--;
    }
    entries[count].key = condition_string("now", 3);
    entries[count++].value = condition_timestamp(seconds, (int32_t)(left * 1000000));
    ctx->root = (struct condition_value){.kind = CONDITION_MAP, .size = count};
    ctx->root.as.entries = entries;
    return ERR_OK;
}

static const struct condition_value *walk(const struct condition_value *value,
                                          const struct key_path *path)
{
    for (size_t part = 0; part < path->count; part++) {
        const struct condition_value *found = NULL;

        for (uint32_t i = 0; value->kind == CONDITION_MAP && i < value->size; i++) {
            if (entry_is(&value->as.entries[i], path->parts[part], path->lens[part])) {
                found = &value->as.entries[i].value;
                break;
            }
        }
        if (found == NULL)
            return NULL;
        value = found;
    }
    return value;
}

/* A string's bytes or an integer's decimal; anything else, and the empty string, is no key: it
 * would put unrelated subjects into one bucket. */
static enum err_code make_key(struct context *ctx, const struct condition_value *value,
                              struct context_key *key, struct err *err)
{
    key->at = NULL;
    key->len = 0;
    if (value == NULL)
        return ERR_OK;
    if (value->kind == CONDITION_STRING && value->size > 0) {
        key->at = value->as.bytes;
        key->len = value->size;
    } else if (value->kind == CONDITION_INT) {
        char *text = arena_print(&ctx->arena, "%lld", (long long)value->as.i);

        if (text == NULL)
            return err_set(err, ERR_NOMEM, "out of memory");
        key->at = text;
        key->len = strlen(text);
    }
    return ERR_OK;
}

static enum err_code resolve(struct context *ctx, struct err *err)
{
    const struct ruleset *rules = ctx->rules;

    ctx->slot_count = condition_env_slot_count(rules->env);
    ctx->slots = arena_zero(&ctx->arena, ctx->slot_count + 1, sizeof *ctx->slots);
    ctx->keys = arena_zero(&ctx->arena, rules->paths.count, sizeof *ctx->keys);
    ctx->segments = arena_zero(&ctx->arena, rules->segments.count + 1, sizeof *ctx->segments);
    if (ctx->slots == NULL || ctx->keys == NULL || ctx->segments == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    condition_slots_fill(rules->env, &ctx->root, ctx->slots, ctx->slot_count);
    ctx->in = (struct condition_input){ctx->slots, ctx->slot_count, ctx->scratch,
                                       sizeof ctx->scratch, ctx};
    for (size_t i = 0; i < rules->paths.count; i++) {
        enum err_code rc = make_key(ctx, walk(&ctx->root, &rules->paths.at[i]), &ctx->keys[i], err);

        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

enum err_code context_init(struct context *ctx, const struct ruleset *rules,
                           const struct json *attributes, int64_t now_ms, struct err *err)
{
    enum err_code rc;

    /* All but the scratch, which needs no first value. */
    memset(ctx, 0, offsetof(struct context, scratch));
    ctx->rules = rules;
    ctx->now_ms = now_ms;
    if (attributes != NULL && json_kind(attributes) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "context: must be an object, not %s", kind_of(attributes));
    if (attributes != NULL && weigh(attributes, 0) > LIMIT_CONTEXT_BYTES)
        return err_set(err, ERR_INVALID, "context: larger than %u bytes", LIMIT_CONTEXT_BYTES);
    rc = find_domain(ctx, attributes, err);
    if (rc == ERR_OK)
        rc = make_root(ctx, attributes, err);
    if (rc == ERR_OK)
        rc = resolve(ctx, err);
    if (rc != ERR_OK)
        context_fini(ctx);
    return rc;
}

void context_fini(struct context *ctx)
{
    arena_fini(&ctx->arena);
    ctx->slots = NULL;
    ctx->keys = NULL;
    ctx->domain = NULL;
}
