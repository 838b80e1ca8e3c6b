/*
 * A set of domain rules as a document has it: is it whole, and the change of one rule of it.
 */
#include "flags/domain_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

static enum err_code nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory");
}

/* ---- the whole set ---- */

size_t domain_rules_count(const struct json *flag)
{
    int64_t count = 0;

    if (!json_int(json_get(json_get(flag, "domain_set"), "count"), &count) || count < 0)
        count = 0;
    return json_count(json_get(flag, "domains")) + (size_t)count;
}

static enum err_code check_shard(const struct domain_shard *shard, uint32_t number, uint32_t shards,
                                 uint32_t *rules, size_t serves, struct err *err)
{
    const struct domain_table *table = domain_shard_table(shard);

    if (domain_shard_serves(shard) > serves)
        return err_set(err, ERR_INVALID, "domain_set: a rule of shard %u names serve %u of %zu",
                       number, domain_shard_serves(shard) - 1, serves);
    for (uint32_t i = 0; i < table->count; i++) {
        const char *pattern = domain_entry_pattern(table, &table->entries[i]);

        if (domain_pattern_number(pattern, shards) != number)
            return err_set(err, ERR_INVALID,
                           "domain_set: '%s' lies in shard %u, and belongs into %u", pattern,
                           number, domain_pattern_number(pattern, shards));
        rules[table->entries[i].serve]++;
    }
    return ERR_OK;
}

enum err_code domain_set_check(const struct json *flag, const struct domain_source *source,
                               struct err *err)
{
    const struct json *set = json_get(flag, "domain_set"), *shards = json_get(set, "shards");
    uint32_t *rules, number = 0, shard_count = (uint32_t)json_count(shards);
    size_t serves = json_count(json_get(set, "serves")), i = 0, sum = 0;
    enum err_code rc = ERR_OK;

    if (set == NULL)
        return ERR_OK;
    rules = calloc(LIMIT_DOMAIN_SERVES, sizeof *rules);
    if (rules == NULL)
        return nomem(err);
    for (const struct json *at = json_first(shards); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        struct domain_shard *shard = NULL;

        rc = source->get(source->ctx, json_text(at) != NULL ? json_text(at) : "", &shard, err);
        if (rc == ERR_OK)
            rc = check_shard(shard, number++, shard_count, rules, serves, err);
        domain_shard_drop(shard);
    }
    for (const struct json *at = json_first(json_get(set, "serves")); rc == ERR_OK && at != NULL;
         at = json_next(at), i++) {
        sum += rules[i];
        if (json_number(json_get(at, "count"), -1) != (double)rules[i])
            rc = err_set(err, ERR_INVALID, "domain_set: serve %zu is that of %u rules, not of %g",
                         i, rules[i], json_number(json_get(at, "count"), -1));
    }
    free(rules);
    if (rc == ERR_OK && sum != domain_rules_count(flag))
        rc = err_set(err, ERR_INVALID, "domain_set: there are %zu rules, not %zu", sum,
                     domain_rules_count(flag));
    return rc;
}

/* ---- one rule ---- */

/* Rewrites all of it. */
static enum err_code put_in_list(struct json *flag, const char *pattern, const struct json *serve,
                                 const struct domain_source *source, const struct domain_sink *sink,
                                 struct err *err)
{
    struct domain_list list = {0};
    uint16_t number;
    size_t kept = 0;
    enum err_code rc = domain_list_read(&list, flag, source, err);

    for (size_t i = 0; rc == ERR_OK && i < list.count; i++) {
        if (strcmp(list.rules[i].pattern, pattern) != 0)
            list.rules[kept++] = list.rules[i];
    }
    list.count = kept;
    if (rc == ERR_OK && serve != NULL)
        rc = domain_list_serve(&list, serve, &number, err);
    if (rc == ERR_OK && serve != NULL)
        rc = domain_list_add(&list, pattern, number, 1, err);
    if (rc == ERR_OK)
        rc = domain_list_settle(&list, NULL, NULL, err);
    if (rc == ERR_OK)
        rc = domain_list_write(&list, flag, sink, err);
    domain_list_fini(&list);
    return rc;
}

/* The set's own number of a SERVE: one that it has, one that no rule has any more, or a new one. */
static enum err_code own_number(struct json *set, const struct json *serve, uint16_t *number,
                                struct err *err)
{
    struct json *serves = json_get(set, "serves"), *unused = NULL, *made;
    size_t i = 0, unused_at = 0;

    for (struct json *at = json_first(serves); at != NULL; at = json_next(at), i++) {
        if (json_equal(json_get(at, "serve"), serve)) {
            *number = (uint16_t)i;
            return ERR_OK;
        }
        if (unused == NULL && json_number(json_get(at, "count"), 1) == 0) {
            unused = at;
            unused_at = i;
        }
    }
    if (unused != NULL) {
        *number = (uint16_t)unused_at;
        return json_put(unused, "serve", json_copy(serve)) != NULL ? ERR_OK : nomem(err);
    }
    if (i == LIMIT_DOMAIN_SERVES)
        return err_set(err, ERR_LIMIT, "domains: more than %u different ways to serve",
                       LIMIT_DOMAIN_SERVES);
    made = json_object();
    *number = (uint16_t)i;
    if (json_put_number(made, "count", 0) == NULL ||
        json_put(made, "serve", json_copy(serve)) == NULL || json_append(serves, made) == NULL)
        return nomem(err);
    return ERR_OK;
}

static struct json *child(struct json *array, size_t index)
{
    struct json *at = json_first(array);

    while (at != NULL && index-- > 0)
        at = json_next(at);
    return at;
}

static bool add_to_count(struct json *object, int by)
{
    double count = json_number(json_get(object, "count"), 0);

    return json_put_number(object, "count", count + by) != NULL;
}

/* The shard's text with the rule put in, put in place of another, or left out (serve < 0). */
static void change_text(const struct domain_table *table, const char *pattern, int serve,
                        struct buf *text)
{
    bool done = serve < 0;

    for (uint32_t i = 0; i < table->count; i++) {
        const char *at = domain_entry_pattern(table, &table->entries[i]);
        int order = strcmp(at, pattern);

        if (!done && order >= 0) {
            buf_print(text, "%s %d\n", pattern, serve);
            done = true;
        }
        if (order != 0) {
            buf_text(text, at);
            buf_print(text, " %u\n", (unsigned)table->entries[i].serve);
        }
    }
    if (!done)
        buf_print(text, "%s %d\n", pattern, serve);
}

/* Changes the one shard. What the set says of its rules is changed with it. */
static enum err_code put_in_shard(struct json *set, struct json *hash,
                                  const struct domain_table *table, const char *pattern,
                                  const struct domain_entry *old, const struct json *serve,
                                  const struct domain_sink *sink, struct err *err)
{
    struct json *shards = json_array(), *serves = json_get(set, "serves");
    struct buf text = {0};
    uint16_t number = 0;
    bool whole = true;
    enum err_code rc = ERR_OK;

    if (old != NULL) /* first, so that its serve may be the new one's place */
        whole = add_to_count(set, -1) && add_to_count(child(serves, old->serve), -1);
    if (serve != NULL) {
        rc = own_number(set, serve, &number, err);
        whole =
            whole && rc == ERR_OK && add_to_count(set, 1) && add_to_count(child(serves, number), 1);
    }
    if (rc == ERR_OK && !whole)
        rc = nomem(err);
    change_text(table, pattern, serve != NULL ? number : -1, &text);
    if (rc == ERR_OK)
        rc = domain_shard_give(&text, shards, sink, err);
    if (rc == ERR_OK) {
        struct json *all = json_array();

        for (struct json *at = json_first(json_get(set, "shards")); at != NULL; at = json_next(at))
            whole =
                json_append(all, json_copy(at == hash ? json_first(shards) : at)) != NULL && whole;
        whole = json_put(set, "shards", all) != NULL && whole;
        rc = whole ? ERR_OK : nomem(err);
    }
    buf_fini(&text);
    json_free(shards);
    return rc;
}

static enum err_code not_there(const char *pattern, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, "there is no domain rule for '%s'", pattern);
}

enum err_code domain_set_get(const struct json *flag, const char *text,
                             const struct domain_source *source, struct json **serve,
                             struct err *err)
{
    struct json *set = json_get(flag, "domain_set"), *shards = json_get(set, "shards"), *hash;
    char pattern[DOMAIN_PATTERN_BYTES];
    struct domain_shard *shard = NULL;
    const struct domain_entry *entry = NULL;
    enum err_code rc;

    *serve = NULL;
    if (domain_pattern_canonical(text, pattern) == 0)
        return err_set(err, ERR_INVALID, "'%.80s' is no domain", text);
    if (shards == NULL)
        return ERR_OK;
    hash = child(shards, domain_pattern_number(pattern, (uint32_t)json_count(shards)));
    rc = source->get(source->ctx, json_text(hash) != NULL ? json_text(hash) : "", &shard, err);
    if (rc == ERR_OK) {
        const char *name = pattern + (pattern[0] == '*' ? 2 : 0);

        entry = domain_table_get(domain_shard_table(shard), name, strlen(name), pattern[0] == '*');
    }
    if (entry != NULL)
        *serve = json_copy(json_get(child(json_get(set, "serves"), entry->serve), "serve"));
    domain_shard_drop(shard);
    return rc;
}

static enum err_code put_in_set(struct json *flag, const char *pattern, const struct json *serve,
                                const struct domain_source *source, const struct domain_sink *sink,
                                struct json **was, struct err *err)
{
    struct json *set = json_get(flag, "domain_set"), *shards = json_get(set, "shards");
    size_t count = json_count(shards);
    bool wild = pattern[0] == '*';
    const char *name = pattern + (wild ? 2 : 0);
    struct json *hash = child(shards, domain_pattern_number(pattern, (uint32_t)count));
    struct domain_shard *shard = NULL;
    const struct domain_entry *old = NULL;
    enum err_code rc;

    rc = source->get(source->ctx, json_text(hash) != NULL ? json_text(hash) : "", &shard, err);
    if (rc == ERR_OK)
        old = domain_table_get(domain_shard_table(shard), name, strlen(name), wild);
    if (rc == ERR_OK && old != NULL && was != NULL)
        *was = json_copy(json_get(child(json_get(set, "serves"), old->serve), "serve"));
    if (rc == ERR_OK && old == NULL && serve == NULL)
        rc = not_there(pattern, err);
    else if (rc == ERR_OK && (domain_rules_count(flag) <= DOMAIN_INLINE_MAX ||
                              domain_rules_count(flag) / count > 2 * DOMAIN_SHARD_RULES))
        rc = put_in_list(flag, pattern, serve, source, sink, err);
    else if (rc == ERR_OK)
        rc = put_in_shard(set, hash, domain_shard_table(shard), pattern, old, serve, sink, err);
    domain_shard_drop(shard);
    return rc;
}

/* The others stay as they are written. */
static enum err_code put_in_document(struct json *flag, const char *pattern, const struct json *old,
                                     const struct json *serve, struct err *err)
{
    struct json *domains = json_get(flag, "domains");

    if (serve == NULL) {
        json_remove(domains, json_key(old));
        return ERR_OK;
    }
    if (domains == NULL)
        domains = json_put(flag, "domains", json_object());
    if (json_put(domains, old != NULL ? json_key(old) : pattern, json_copy(serve)) == NULL)
        return nomem(err);
    return ERR_OK;
}

enum err_code domain_set_put(struct json *flag, const char *text, const struct json *serve,
                             const struct domain_source *source, const struct domain_sink *sink,
                             struct json **was, struct err *err)
{
    char pattern[DOMAIN_PATTERN_BYTES], other[DOMAIN_PATTERN_BYTES];
    const struct json *old = NULL;

    if (was != NULL)
        *was = NULL;
    if (domain_pattern_canonical(text, pattern) == 0)
        return err_set(
            err, ERR_INVALID,
            "'%.80s' is no domain; write \"acme.com\" for itself or \"*.acme.com\" for its "
            "sub-domains",
            text);
    if (json_get(flag, "domain_set") != NULL)
        return put_in_set(flag, pattern, serve, source, sink, was, err);
    for (const struct json *at = json_first(json_get(flag, "domains")); at != NULL;
         at = json_next(at)) {
        if (domain_pattern_canonical(json_key(at), other) > 0 && strcmp(other, pattern) == 0)
            old = at;
    }
    if (old == NULL && serve == NULL)
        return not_there(pattern, err);
    if (old != NULL && was != NULL)
        *was = json_copy(old);
    if (old == NULL && domain_rules_count(flag) >= DOMAIN_INLINE_MAX)
        return put_in_list(flag, pattern, serve, source, sink, err);
    return put_in_document(flag, pattern, old, serve, err);
}
