#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/limits.h"
#include "condition/bucket.h"
#include "flags/model.h"

/* ---- the flag of a key ---- */

static uint32_t key_hash(const struct ruleset *rules, const char *key, size_t len)
{
    return murmur3_x86_32(key, len, rules->seed);
}

static enum err_code index_flags(struct ruleset *rules, struct err *err)
{
    uint32_t size = 4;

    while (size < 2 * rules->count)
        size *= 2;
    rules->slots = arena_zero(&rules->arena, size, sizeof *rules->slots);
    if (rules->slots == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    rules->mask = size - 1;
    for (size_t i = 0; i < rules->count; i++) {
        const char *key = rules->flags[i].key;
        uint32_t slot = key_hash(rules, key, strlen(key)) & rules->mask;

        while (rules->slots[slot] != 0)
            slot = (slot + 1) & rules->mask;
        rules->slots[slot] = (uint32_t)i + 1;
    }
    return ERR_OK;
}

const struct flag *ruleset_find(const struct ruleset *rules, const char *key)
{
    uint32_t slot = key_hash(rules, key, strlen(key)) & rules->mask;

    for (; rules->slots[slot] != 0; slot = (slot + 1) & rules->mask) {
        const struct flag *flag = &rules->flags[rules->slots[slot] - 1];

        if (strcmp(flag->key, key) == 0)
            return flag;
    }
    return NULL;
}

static int compare_flags(const void *a, const void *b)
{
    const struct flag *x = a, *y = b;

    return strcmp(x->key, y->key);
}

static enum err_code sort_flags(struct ruleset *rules, struct err *err)
{
    qsort(rules->flags, rules->count, sizeof *rules->flags, compare_flags);
    for (size_t i = 1; i < rules->count; i++) {
        if (compare_flags(&rules->flags[i - 1], &rules->flags[i]) == 0)
            return err_set(err, ERR_INVALID, "ruleset: two flags have the key '%s'",
                           rules->flags[i].key);
    }
    return ERR_OK;
}

/* ---- building ---- */

/* One flag. What cannot be used is kept with the reason, if it has at least a key to be asked by;
 * without one it is passed over. */
static enum err_code add_flag(struct ruleset *rules, const struct json *document, struct err *err)
{
    struct flag *flag = &rules->flags[rules->count];
    struct err why = {0};
    struct parse parse = {.arena = &rules->arena,
                          .env = rules->env,
                          .paths = &rules->paths,
                          .segments = &rules->segments,
                          .flag = flag,
                          .err = &why,
                          .evaluates = rules->evaluates,
                          .pool = rules->pool};
    enum err_code rc = flag_parse(&parse, document);
    const char *key = json_text(json_get(document, "key"));

    if (rc == ERR_NOMEM)
        return err_set(err, rc, "%s", why.msg);
    if (rc != ERR_OK) {
        enum flag_type type = flag->type;

        if (key == NULL)
            return ERR_OK;
        memset(flag, 0, sizeof *flag);
        flag->type = type;
        flag->key = arena_text(&rules->arena, key, strlen(key));
        flag->unusable = arena_text(&rules->arena, why.msg, strlen(why.msg));
        if (flag->key == NULL || flag->unusable == NULL)
            return err_set(err, ERR_NOMEM, "out of memory");
    }
    rules->count++;
    return ERR_OK;
}

static enum err_code read_number(const struct json *document, const char *member, uint64_t *out,
                                 struct err *err)
{
    int64_t number;

    if (!json_int(json_get(document, member), &number) || number < 0)
        return err_set(err, ERR_INVALID, "ruleset: %s must be a whole number from 0", member);
    *out = (uint64_t)number;
    return ERR_OK;
}

static enum err_code read_header(struct ruleset *rules, const struct json *document,
                                 struct err *err)
{
    const char *environment = json_get_text(document, "environment", "");
    uint64_t format = 0;
    enum err_code rc;

    if (json_kind(document) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "ruleset: must be an object, not %s", kind_of(document));
    rc = read_number(document, "format", &format, err);
    if (rc == ERR_OK && format != RULESET_FORMAT)
        return err_set(err, ERR_INVALID,
                       "ruleset: format %llu; this version reads %d, so a newer one is needed",
                       (unsigned long long)format, RULESET_FORMAT);
    if (rc == ERR_OK)
        rc = read_number(document, "epoch", &rules->epoch, err);
    if (rc == ERR_OK)
        rc = read_number(document, "revision", &rules->revision, err);
    if (rc != ERR_OK)
        return rc;
    if (json_kind(json_get(document, "flags")) != JSON_ARRAY)
        return err_set(err, ERR_INVALID, "ruleset: flags must be an array, not %s",
                       kind_of(json_get(document, "flags")));
    rules->environment = arena_text(&rules->arena, environment, strlen(environment));
    return rules->environment != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

static enum err_code build(struct ruleset *rules, const struct json *document, bool whole,
                           struct err *err)
{
    const struct json *flags = json_get(document, "flags");
    size_t count, targeting;
    enum err_code rc = read_header(rules, document, err);

    if (rc != ERR_OK)
        return rc;
    count = json_count(flags);
    if (count > LIMIT_FLAGS)
        return err_set(err, ERR_LIMIT, "ruleset: %zu flags; at most %u are allowed", count,
                       LIMIT_FLAGS);
    rules->env = flag_condition_env(segment_known, &rules->segments, segment_ask);
    rules->flags = arena_zero(&rules->arena, count + 1, sizeof *rules->flags);
    rules->used = arena_zero(&rules->arena, count + 1, sizeof *rules->used);
    if (rules->env == NULL || rules->flags == NULL || rules->used == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    rules->seed = (uint32_t)(random_unit() * 4294967296.0);
    rc = key_paths_add(&rules->paths, &rules->arena, "targetingKey", &targeting, err);
    if (rc == ERR_OK)
        rc = segments_parse(rules, json_get(document, "segments"), err);
    for (const struct json *at = json_first(flags); rc == ERR_OK && at != NULL; at = json_next(at))
        rc = add_flag(rules, at, err);
    if (rc == ERR_OK)
        rc = sort_flags(rules, err);
    if (rc == ERR_OK)
        rc = index_flags(rules, err);
    if (rc == ERR_OK && whole)
        rc = prerequisites_link(rules, NULL, err);
    return rc;
}

static enum err_code make(const struct json *document, bool whole, const struct domain_pool *pool,
                          struct ruleset **out, struct err *err)
{
    struct ruleset *rules = calloc(1, sizeof *rules);
    enum err_code rc;

    if (rules == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    rules->evaluates = whole;
    rules->pool = pool;
    rc = build(rules, document, whole, err);
    rules->pool = NULL;
    if (rc != ERR_OK) {
        ruleset_free(rules);
        return rc;
    }
    *out = rules;
    return ERR_OK;
}

enum err_code ruleset_build(const struct json *document, struct ruleset **out, struct err *err)
{
    return make(document, true, NULL, out, err);
}

enum err_code ruleset_build_with(const struct json *document, const struct domain_pool *pool,
                                 struct ruleset **out, struct err *err)
{
    return make(document, true, pool, out, err);
}

enum err_code ruleset_build_unlinked(const struct json *document, struct ruleset **out,
                                     struct err *err)
{
    return make(document, false, NULL, out, err);
}

void ruleset_free(struct ruleset *rules)
{
    if (rules == NULL)
        return;
    for (size_t i = 0; i < rules->count; i++)
        flag_fini(&rules->flags[i]);
    segments_fini(&rules->segments);
    condition_env_free(rules->env);
    key_paths_fini(&rules->paths);
    arena_fini(&rules->arena);
    free(rules);
}

/* ---- reading ---- */

uint64_t ruleset_epoch(const struct ruleset *rules)
{
    return rules->epoch;
}

uint64_t ruleset_revision(const struct ruleset *rules)
{
    return rules->revision;
}

const char *ruleset_environment(const struct ruleset *rules)
{
    return rules->environment;
}

size_t ruleset_count(const struct ruleset *rules)
{
    return rules->count;
}

const struct flag *ruleset_at(const struct ruleset *rules, size_t index)
{
    return &rules->flags[index];
}

const char *flag_key(const struct flag *flag)
{
    return flag->key;
}

enum flag_type flag_type(const struct flag *flag)
{
    return flag->type;
}

bool flag_reads_now(const struct flag *flag)
{
    return flag->reads_now;
}

const char *flag_unusable(const struct flag *flag)
{
    return flag->unusable;
}

unsigned flag_lease_s(const struct flag *flag)
{
    return flag->tied ? flag->lease_s : 0;
}
