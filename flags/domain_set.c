#include "flags/domain_set.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "condition/domain.h"

static enum err_code nomem(struct err *err)
{
    return err_set(err, ERR_NOMEM, "out of memory");
}

size_t domain_pattern_canonical(const char *text, char out[DOMAIN_PATTERN_BYTES])
{
    size_t skip = strncmp(text, "*.", 2) == 0 ? 2 : 0, len;

    if (strpbrk(text + skip, "@:/*") != NULL)
        return 0;
    out[0] = '*';
    out[1] = '.';
    len = domain_canonical(text + skip, strlen(text + skip), out + skip, DOMAIN_BYTES_MAX + 1);
    return len > 0 ? len + skip : 0;
}

uint32_t domain_pattern_number(const char *pattern, uint32_t shards)
{
    pattern += pattern[0] == '*' ? 2 : 0;
    return domain_table_number(pattern, strlen(pattern), shards);
}

/* ---- the list ---- */

void domain_list_fini(struct domain_list *list)
{
    free(list->rules);
    free(list->serves);
    arena_fini(&list->arena);
    *list = (struct domain_list){0};
}

enum err_code domain_list_serve(struct domain_list *list, const struct json *serve,
                                uint16_t *number, struct err *err)
{
    char *text = json_print_canonical(serve);
    const char *kept;

    if (text == NULL)
        return nomem(err);
    for (size_t i = list->serve_count; i-- > 0;) {
        if (strcmp(list->serves[i].text, text) == 0) {
            *number = (uint16_t)i;
            free(text);
            return ERR_OK;
        }
    }
    if (list->serve_count == LIMIT_DOMAIN_SERVES) {
        free(text);
        return err_set(err, ERR_LIMIT, "domains: more than %u different ways to serve",
                       LIMIT_DOMAIN_SERVES);
    }
    if (list->serves == NULL)
        list->serves = calloc(LIMIT_DOMAIN_SERVES, sizeof *list->serves);
    kept = arena_text(&list->arena, text, strlen(text));
    free(text);
    if (kept == NULL || list->serves == NULL)
        return nomem(err);
    *number = (uint16_t)list->serve_count;
    list->serves[list->serve_count++].text = kept;
    return ERR_OK;
}

static enum err_code append(struct domain_list *list, const char *pattern, size_t len,
                            uint16_t serve, uint32_t line, struct err *err)
{
    const char *kept;

    if (list->count == list->room) {
        size_t room = list->room * 2 + 1024;
        struct domain_rule *more = realloc(list->rules, room * sizeof *more);

        if (more == NULL)
            return nomem(err);
        list->rules = more;
        list->room = room;
    }
    kept = arena_text(&list->arena, pattern, len);
    if (kept == NULL)
        return nomem(err);
    list->rules[list->count++] = (struct domain_rule){kept, line, serve};
    return ERR_OK;
}

enum err_code domain_list_add(struct domain_list *list, const char *text, uint16_t serve,
                              uint32_t line, struct err *err)
{
    char pattern[DOMAIN_PATTERN_BYTES];
    size_t len = domain_pattern_canonical(text, pattern);

    if (len == 0)
        return err_set(
            err, ERR_INVALID,
            "'%.80s' is no domain; write \"acme.com\" for itself or \"*.acme.com\" for its "
            "sub-domains",
            text);
    return append(list, pattern, len, serve, line, err);
}

static enum err_code add_shard(struct domain_list *list, const struct domain_shard *shard,
                               const uint16_t *numbers, size_t number_count, struct err *err)
{
    const struct domain_table *table = domain_shard_table(shard);
    enum err_code rc = ERR_OK;

    if (domain_shard_serves(shard) > number_count)
        return err_set(err, ERR_INVALID, "domain_set: a rule names a serve that is not there");
    for (uint32_t i = 0; rc == ERR_OK && i < table->count; i++) {
        const struct domain_entry *entry = &table->entries[i];

        rc = append(list, domain_entry_pattern(table, entry), entry->len + (entry->wild ? 2u : 0),
                    numbers[entry->serve], 0, err);
    }
    return rc;
}

static enum err_code read_set(struct domain_list *list, const struct json *set,
                              const struct domain_source *source, struct err *err)
{
    uint16_t numbers[LIMIT_DOMAIN_SERVES];
    size_t count = 0;
    enum err_code rc = ERR_OK;

    for (const struct json *at = json_first(json_get(set, "serves"));
         rc == ERR_OK && at != NULL && count < LIMIT_DOMAIN_SERVES; at = json_next(at))
        rc = domain_list_serve(list, json_get(at, "serve"), &numbers[count++], err);
    for (const struct json *at = json_first(json_get(set, "shards")); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        struct domain_shard *shard = NULL;

        rc = source->get(source->ctx, json_text(at) != NULL ? json_text(at) : "", &shard, err);
        if (rc == ERR_OK)
            rc = add_shard(list, shard, numbers, count, err);
        domain_shard_drop(shard);
    }
    return rc;
}

enum err_code domain_list_read(struct domain_list *list, const struct json *flag,
                               const struct domain_source *source, struct err *err)
{
    const struct json *set = json_get(flag, "domain_set");
    enum err_code rc = ERR_OK;

    for (const struct json *at = json_first(json_get(flag, "domains")); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        uint16_t number;

        rc = domain_list_serve(list, at, &number, err);
        if (rc == ERR_OK)
            rc = domain_list_add(list, json_key(at), number, 0, err);
    }
    return rc == ERR_OK && set != NULL ? read_set(list, set, source, err) : rc;
}

static int compare_rules(const void *a, const void *b)
{
    const struct domain_rule *x = a, *y = b;
    int order = strcmp(x->pattern, y->pattern);

    /* What the flag had comes behind what a file says. */
    if (order == 0)
        order = (x->line - 1 > y->line - 1) - (x->line - 1 < y->line - 1);
    return order;
}

enum err_code domain_list_settle(struct domain_list *list, domain_twice_fn *twice, void *ctx,
                                 struct err *err)
{
    size_t kept = 0;

    if (list->count > 0)
        qsort(list->rules, list->count, sizeof *list->rules, compare_rules);
    for (size_t i = 0; i < list->count; i++) {
        struct domain_rule *rule = &list->rules[i];

        if (kept > 0 && strcmp(list->rules[kept - 1].pattern, rule->pattern) == 0) {
            if (rule->line > 0 && twice != NULL)
                twice(ctx, &list->rules[kept - 1], rule);
            continue;
        }
        list->rules[kept++] = *rule;
    }
    list->count = kept;
    if (kept > LIMIT_DOMAIN_RULES)
        return err_set(err, ERR_LIMIT, "domains: %zu rules; at most %u fit into one flag", kept,
                       LIMIT_DOMAIN_RULES);
    for (size_t i = 0; i < list->serve_count; i++)
        list->serves[i].rules = 0;
    for (size_t i = 0; i < kept; i++)
        list->serves[list->rules[i].serve].rules++;
    return ERR_OK;
}

/* ---- writing ---- */

/* Names the feature in "uses", for readers that do not know it, or no more. */
static bool put_uses(struct json *flag, bool used)
{
    struct json *list = json_array();
    const struct json *before = json_get(flag, "uses");
    bool whole = list != NULL;

    for (const struct json *at = json_first(before); whole && at != NULL; at = json_next(at)) {
        if (json_text(at) == NULL || strcmp(json_text(at), DOMAIN_SET_FEATURE) != 0)
            whole = json_append(list, json_copy(at)) != NULL;
    }
    if (used && whole)
        whole = json_append(list, json_string(DOMAIN_SET_FEATURE)) != NULL;
    if (whole && json_first(list) != NULL)
        return json_put(flag, "uses", list) != NULL;
    json_free(list);
    json_remove(flag, "uses");
    return whole;
}

static enum err_code write_inline(const struct domain_list *list, struct json *flag,
                                  struct err *err)
{
    struct json *domains = json_object();
    bool whole = domains != NULL;

    for (size_t i = 0; whole && i < list->count; i++)
        whole = json_put_new(domains, list->rules[i].pattern,
                             json_raw(list->serves[list->rules[i].serve].text)) != NULL;
    json_remove(flag, "domain_set");
    if (whole && list->count > 0) {
        char *text = json_print(domains); /* what json_raw() made can be printed, not read */

        json_free(domains);
        domains = NULL;
        whole = text != NULL && json_parse(text, strlen(text), &domains, err) == ERR_OK;
        free(text);
        whole = whole && json_put(flag, "domains", domains) != NULL;
    } else {
        json_free(domains);
        json_remove(flag, "domains");
    }
    return whole && put_uses(flag, false) ? ERR_OK : nomem(err);
}

static uint32_t shards_for(const struct domain_list *list)
{
    size_t bytes = 0;
    uint32_t shards = 1;

    for (size_t i = 0; i < list->count; i++)
        bytes += strlen(list->rules[i].pattern) + 6;
    while (shards < DOMAIN_SHARDS_MAX &&
           (list->count / shards > DOMAIN_SHARD_RULES || bytes / shards > DOMAIN_SHARD_BYTES))
        shards *= 2;
    return shards;
}

enum err_code domain_shard_give(const struct buf *text, struct json *shards,
                                const struct domain_sink *sink, struct err *err)
{
    struct domain_shard *shard;
    enum err_code rc;

    if (buf_failed(text))
        return nomem(err);
    rc = domain_shard_parse(buf_cstr(text), text->len, &shard, err);
    if (rc != ERR_OK)
        return rc;
    rc = sink->put(sink->ctx, shard, err);
    if (rc == ERR_OK && json_append(shards, json_string(domain_shard_hash(shard))) == NULL)
        rc = nomem(err);
    domain_shard_drop(shard);
    return rc;
}

static enum err_code write_shards(const struct domain_list *list, uint32_t count,
                                  struct json *shards, const struct domain_sink *sink,
                                  struct err *err)
{
    struct buf *texts = calloc(count, sizeof *texts);
    char number[16];
    enum err_code rc = ERR_OK;

    if (texts == NULL)
        return nomem(err);
    for (size_t i = 0; i < list->count; i++) {
        struct buf *text = &texts[domain_pattern_number(list->rules[i].pattern, count)];
        unsigned left = list->rules[i].serve;
        size_t at = sizeof number;

        number[--at] = '\n';
        do {
            number[--at] = (char)('0' + left % 10);
            left /= 10;
        } while (left > 0);
        number[--at] = ' ';
        buf_text(text, list->rules[i].pattern);
        buf_add(text, number + at, sizeof number - at);
    }
    for (uint32_t i = 0; rc == ERR_OK && i < count; i++)
        rc = domain_shard_give(&texts[i], shards, sink, err);
    for (uint32_t i = 0; i < count; i++)
        buf_fini(&texts[i]);
    free(texts);
    return rc;
}

static struct json *serve_json(const char *text, uint32_t rules)
{
    struct json *out = json_object(), *serve = NULL;

    if (json_parse(text, strlen(text), &serve, NULL) != ERR_OK ||
        json_put_number(out, "count", rules) == NULL || json_put(out, "serve", serve) == NULL) {
        json_free(out);
        return NULL;
    }
    return out;
}

enum err_code domain_list_write(struct domain_list *list, struct json *flag,
                                const struct domain_sink *sink, struct err *err)
{
    struct json *set, *serves, *shards;
    enum err_code rc;
    bool whole = true;

    if (list->count <= DOMAIN_INLINE_MAX)
        return write_inline(list, flag, err);
    set = json_object();
    serves = json_array();
    shards = json_array();
    rc = set != NULL && serves != NULL && shards != NULL
             ? write_shards(list, shards_for(list), shards, sink, err)
             : nomem(err);
    for (size_t i = 0; rc == ERR_OK && whole && i < list->serve_count; i++)
        whole =
            json_append(serves, serve_json(list->serves[i].text, list->serves[i].rules)) != NULL;
    if (rc != ERR_OK || !whole) {
        json_free(set);
        json_free(serves);
        json_free(shards);
        return rc != ERR_OK ? rc : nomem(err);
    }
    whole = json_put_number(set, "count", (double)list->count) != NULL;
    whole = json_put(set, "serves", serves) != NULL && whole;
    whole = json_put(set, "shards", shards) != NULL && whole;
    json_remove(flag, "domains");
    whole = json_put(flag, "domain_set", set) != NULL && whole;
    return whole && put_uses(flag, true) ? ERR_OK : nomem(err);
}
