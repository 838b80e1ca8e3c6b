/*
 * "domain_set": {"count": N, "serves": [{"count": N, "serve": SERVE}, ...], "shards": [HASH, ...]}: domain
 * rules that lie beside the document. Whether the numbers are right is asked once, before it is stored
 * (domain_set_check()); here they need only be such that nothing goes wrong.
 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "flags/domain_set.h"
#include "flags/model.h"

void domain_set_fini(struct flag *flag)
{
    for (uint32_t i = 0; i < flag->shard_count; i++)
        domain_shard_drop(flag->shards[i]);
    flag->shard_count = 0;
}

static bool read_count(const struct json *json, uint32_t *out)
{
    int64_t count;

    if (!json_int(json_get(json, "count"), &count) || count < 0 || count > LIMIT_DOMAIN_RULES)
        return false;
    *out = (uint32_t)count;
    return true;
}

static enum err_code parse_serves(struct parse *parse, const struct json *array,
                                  struct domains *domains)
{
    size_t count = json_count(array);
    struct serve *serves;
    uint32_t *rules;

    if (json_kind(array) != JSON_ARRAY || count == 0 || count > LIMIT_DOMAIN_SERVES)
        return err_set(parse->err, ERR_INVALID, "domain_set.serves: must be an array of 1 to %u",
                       LIMIT_DOMAIN_SERVES);
    serves = arena_take(parse->arena, count * sizeof *serves);
    rules = arena_take(parse->arena, count * sizeof *rules);
    if (serves == NULL || rules == NULL)
        return no_memory(parse->err);
    domains->serves = serves;
    domains->serve_rules = rules;
    for (const struct json *at = json_first(array); at != NULL; at = json_next(at)) {
        char where[60];
        enum err_code rc;

        snprintf(where, sizeof where, "domain_set.serves[%u]", domains->serve_count);
        rc = serve_parse(parse, json_get(at, "serve"), where, true, &serves[domains->serve_count]);
        if (rc != ERR_OK)
            return rc;
        if (!read_count(at, &rules[domains->serve_count]))
            return err_set(parse->err, ERR_INVALID, "%s.count: must be a whole number from 0",
                           where);
        domains->serve_count++;
    }
    return ERR_OK;
}

static bool is_hash(const char *text)
{
    return text != NULL && strlen(text) == DIGEST_HEX_BYTES - 1 &&
           strspn(text, "0123456789abcdef") == DIGEST_HEX_BYTES - 1;
}

/* Keeps one shard for the flag. */
static enum err_code take_shard(struct parse *parse, const char *hash, struct domains *domains,
                                const struct domain_table **table)
{
    struct flag *flag = parse->flag;
    struct domain_shard *shard = parse->pool != NULL ? domain_pool_find(parse->pool, hash) : NULL;

    if (shard == NULL)
        return err_set(parse->err, ERR_INVALID,
                       "domain_set.shards: the domain rules %.16s... are not here", hash);
    if (domain_shard_serves(shard) > domains->serve_count)
        return err_set(parse->err, ERR_INVALID,
                       "domain_set.serves: %u are there, and a rule names number %u",
                       domains->serve_count, domain_shard_serves(shard) - 1);
    flag->shards[flag->shard_count++] = domain_shard_keep(shard);
    *table = domain_shard_table(shard);
    domains->any_exact = domains->any_exact || (*table)->any_exact;
    domains->any_wild = domains->any_wild || (*table)->any_wild;
    return ERR_OK;
}

static enum err_code parse_shards(struct parse *parse, const struct json *array,
                                  struct domains *domains)
{
    size_t count = json_count(array), i = 0;
    const struct domain_table **tables;

    if (json_kind(array) != JSON_ARRAY || count == 0 || count > DOMAIN_SHARDS_MAX ||
        (count & (count - 1)) != 0)
        return err_set(parse->err, ERR_INVALID,
                       "domain_set.shards: must be an array of 1, 2, 4, ... %u hashes",
                       DOMAIN_SHARDS_MAX);
    tables = arena_take(parse->arena, count * sizeof(struct domain_table *));
    parse->flag->shards = arena_take(parse->arena, count * sizeof(struct domain_shard *));
    if (tables == NULL || parse->flag->shards == NULL)
        return no_memory(parse->err);
    for (const struct json *at = json_first(array); at != NULL; at = json_next(at), i++) {
        enum err_code rc = ERR_OK;

        if (!is_hash(json_text(at)))
            return err_set(parse->err, ERR_INVALID,
                           "domain_set.shards[%zu]: must be a SHA-256 of 64 digits", i);
        if (parse->evaluates)
            rc = take_shard(parse, json_text(at), domains, &tables[i]);
        if (rc != ERR_OK)
            return rc;
    }
    if (parse->evaluates) {
        domains->tables = tables;
        domains->table_count = (uint32_t)count;
    }
    return ERR_OK;
}

static bool named_in_uses(const struct json *uses)
{
    const struct json *at = json_first(uses);

    while (at != NULL && (json_text(at) == NULL || strcmp(json_text(at), DOMAIN_SET_FEATURE) != 0))
        at = json_next(at);
    return at != NULL;
}

enum err_code domain_set_parse(struct parse *parse, const struct json *document)
{
    const struct json *set = json_get(document, "domain_set");
    struct domains domains = {0};
    enum err_code rc;

    if (set == NULL)
        return ERR_OK;
    if (json_kind(set) != JSON_OBJECT || !read_count(set, &domains.count))
        return err_set(parse->err, ERR_INVALID,
                       "domain_set: must be an object with \"count\", \"serves\" and \"shards\"");
    if (!named_in_uses(json_get(document, "uses")))
        return err_set(parse->err, ERR_INVALID,
                       "uses: must name \"" DOMAIN_SET_FEATURE "\", else readers that do not know "
                       "domain sets would answer as if there were none");
    if (parse->flag->domains.count > 0)
        return err_set(parse->err, ERR_INVALID,
                       "domain_set: a flag has either it or \"domains\", and this one has both");
    rc = parse_serves(parse, json_get(set, "serves"), &domains);
    if (rc == ERR_OK)
        rc = parse_shards(parse, json_get(set, "shards"), &domains);
    if (rc == ERR_OK)
        parse->flag->domains = domains;
    return rc;
}
