#include "flags/domain_shard.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "condition/domain.h"

struct domain_shard {
    atomic_uint holders;
    char hash[DIGEST_HEX_BYTES];
    struct arena arena;
    struct domain_table table;
    uint32_t serves;
    size_t text_len;
};

/* ---- from text ---- */

/* Decimal without leading zeros, below LIMIT_DOMAIN_SERVES. */
static bool read_number(const char *at, size_t len, uint16_t *out)
{
    uint32_t number = 0;

    if (len == 0 || len > 4 || (len > 1 && at[0] == '0'))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        number = number * 10 + (uint32_t)(at[i] - '0');
    }
    *out = (uint16_t)number;
    return number < LIMIT_DOMAIN_SERVES;
}

static bool canonical(const char *name, size_t len)
{
    char same[DOMAIN_BYTES_MAX + 1];

    return len > 0 && len <= DOMAIN_BYTES_MAX &&
           domain_canonical_ascii(name, len, same, sizeof same) == len &&
           memcmp(name, same, len) == 0;
}

static bool sorted(const char *before, size_t before_len, const char *at, size_t len)
{
    int order = memcmp(before, at, before_len < len ? before_len : len);

    return order < 0 || (order == 0 && before_len < len);
}

/* One line: what is wrong with it, or NULL. */
static const char *read_line(struct domain_shard *shard, struct buf *names, const char *line,
                             size_t len, const char *before, size_t before_len)
{
    const char *blank = memchr(line, ' ', len);
    size_t pattern_len = blank != NULL ? (size_t)(blank - line) : 0;
    bool wild = pattern_len > 2 && memcmp(line, "*.", 2) == 0;
    size_t skip = wild ? 2 : 0;
    uint16_t serve;

    if (blank == NULL || !canonical(line + skip, pattern_len - skip))
        return "is no canonical domain and a number";
    if (!read_number(blank + 1, len - pattern_len - 1, &serve))
        return "has no number below 4,096";
    if (before != NULL && !sorted(before, before_len, line, pattern_len))
        return "is out of order, or there twice";
    if (!domain_table_add(&shard->table, names, line + skip, pattern_len - skip, wild, serve))
        return "is there twice";
    if (serve >= shard->serves)
        shard->serves = serve + 1u;
    return NULL;
}

static enum err_code read_lines(struct domain_shard *shard, struct buf *names, const char *text,
                                size_t len, struct err *err)
{
    const char *at = text, *end = text + len, *before = NULL;
    size_t before_len = 0, number = 0;

    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        const char *wrong = line_end == NULL ? "does not end"
                                             : read_line(shard, names, at, (size_t)(line_end - at),
                                                         before, before_len);

        number++;
        if (wrong != NULL)
            return err_set(err, ERR_INVALID, "domain rules: line %zu %s", number, wrong);
        before = at;
        before_len = (size_t)((const char *)memchr(at, ' ', (size_t)(line_end - at)) - at);
        at = line_end + 1;
    }
    return domain_table_seal(&shard->table, &shard->arena, names, err);
}

enum err_code domain_shard_parse(const char *text, size_t len, struct domain_shard **out,
                                 struct err *err)
{
    struct domain_shard *shard = calloc(1, sizeof *shard);
    struct buf names = {0};
    size_t lines = 0;
    enum err_code rc;

    if (shard == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (const char *at = text; (at = memchr(at, '\n', (size_t)(text + len - at))) != NULL; at++)
        lines++;
    atomic_init(&shard->holders, 1);
    shard->text_len = len;
    rc = domain_table_init(&shard->table, &shard->arena, lines, err);
    if (rc == ERR_OK)
        rc = read_lines(shard, &names, text, len, err);
    buf_fini(&names);
    if (rc != ERR_OK) {
        domain_shard_drop(shard);
        return rc;
    }
    (void)digest_hex(text, len, shard->hash);
    *out = shard;
    return ERR_OK;
}

struct domain_shard *domain_shard_keep(struct domain_shard *shard)
{
    atomic_fetch_add(&shard->holders, 1);
    return shard;
}

void domain_shard_drop(struct domain_shard *shard)
{
    if (shard != NULL && atomic_fetch_sub(&shard->holders, 1) == 1) {
        arena_fini(&shard->arena);
        free(shard);
    }
}

/* ---- reading ---- */

const char *domain_shard_hash(const struct domain_shard *shard)
{
    return shard->hash;
}

const struct domain_table *domain_shard_table(const struct domain_shard *shard)
{
    return &shard->table;
}

uint32_t domain_shard_serves(const struct domain_shard *shard)
{
    return shard->serves;
}

char *domain_shard_print(const struct domain_shard *shard, size_t *len)
{
    const struct domain_table *table = &shard->table;
    struct buf text = {0};

    buf_text(&text, "");
    for (uint32_t i = 0; i < table->count; i++) {
        const struct domain_entry *entry = &table->entries[i];

        buf_text(&text, domain_entry_pattern(table, entry));
        buf_print(&text, " %u\n", (unsigned)entry->serve);
    }
    *len = text.len;
    return buf_take(&text);
}

bool domain_shard_idle(const struct domain_shard *shard)
{
    return atomic_load(&shard->holders) == 1;
}

/* ---- the pool: sorted by hash ---- */

struct domain_pool {
    struct domain_shard **at;
    size_t count, room;
};

struct domain_pool *domain_pool_new(void)
{
    return calloc(1, sizeof(struct domain_pool));
}

void domain_pool_free(struct domain_pool *pool)
{
    if (pool == NULL)
        return;
    for (size_t i = 0; i < pool->count; i++)
        domain_shard_drop(pool->at[i]);
    free(pool->at);
    free(pool);
}

static size_t place(const struct domain_pool *pool, const char *hash, bool *found)
{
    size_t low = 0, high = pool->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(pool->at[middle]->hash, hash) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < pool->count && strcmp(pool->at[low]->hash, hash) == 0;
    return low;
}

struct domain_shard *domain_pool_find(const struct domain_pool *pool, const char *hash)
{
    bool found;
    size_t at = place(pool, hash, &found);

    return found ? pool->at[at] : NULL;
}

enum err_code domain_pool_add(struct domain_pool *pool, struct domain_shard *shard, struct err *err)
{
    bool found;
    size_t at = place(pool, shard->hash, &found);

    if (found)
        return ERR_OK;
    if (pool->count == pool->room) {
        size_t room = pool->room * 2 + 16;
        struct domain_shard **more = realloc(pool->at, room * sizeof(struct domain_shard *));

        if (more == NULL)
            return err_set(err, ERR_NOMEM, "out of memory");
        pool->at = more;
        pool->room = room;
    }
    memmove(&pool->at[at + 1], &pool->at[at], (pool->count - at) * sizeof(struct domain_shard *));
    pool->at[at] = domain_shard_keep(shard);
    pool->count++;
    return ERR_OK;
}

void domain_pool_sweep(struct domain_pool *pool, domain_pool_fn *stays, void *ctx)
{
    size_t count = 0;

    for (size_t i = 0; i < pool->count; i++) {
        if (stays(ctx, pool->at[i]))
            pool->at[count++] = pool->at[i];
        else
            domain_shard_drop(pool->at[i]);
    }
    pool->count = count;
}

size_t domain_pool_count(const struct domain_pool *pool)
{
    return pool->count;
}
