#include "flags/domain_table.h"

#include <string.h>

#include "base/digest.h"
#include "base/limits.h"
#include "condition/domain.h"

/*
 * The hash runs from the last byte to the first, so that one walk over a domain gives the hash of
 * every suffix on its way. Seeded: who may write domain rules may not choose collisions.
 */
static uint64_t hash_byte(uint64_t hash, char c)
{
    return (hash ^ (unsigned char)c) * UINT64_C(0x100000001b3);
}

static uint32_t hash_end(uint64_t hash, bool wild)
{
    hash ^= wild ? UINT64_C(0x9e3779b97f4a7c15) : 0;
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    hash ^= hash >> 33;
    return (uint32_t)(hash ^ (hash >> 32));
}

enum err_code domain_table_init(struct domain_table *table, struct arena *arena, size_t count,
                                struct err *err)
{
    uint32_t size = 4;

    memset(table, 0, sizeof *table);
    if (count > LIMIT_DOMAIN_RULES)
        return err_set(err, ERR_LIMIT, "domains: %zu rules; at most %u fit into one flag", count,
                       LIMIT_DOMAIN_RULES);
    if (count == 0)
        return ERR_OK;
    while (size < count + count / 2)
        size *= 2;
    table->entries = arena_take(arena, count * sizeof *table->entries);
    table->slots = arena_zero(arena, size, sizeof *table->slots);
    if (table->entries == NULL || table->slots == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    table->mask = size - 1;
    table->room = (uint32_t)count;
    table->seed = (uint64_t)(random_unit() * 9007199254740992.0) | 1u << 8;
    return ERR_OK;
}

static const struct domain_entry *probe(const struct domain_table *table, const char *names,
                                        uint32_t hash, const char *name, size_t len, bool wild,
                                        uint32_t *free_slot)
{
    for (uint32_t slot = hash & table->mask;; slot = (slot + 1) & table->mask) {
        const struct domain_entry *entry;

        if (table->slots[slot] == 0) {
            if (free_slot != NULL)
                *free_slot = slot;
            return NULL;
        }
        entry = &table->entries[table->slots[slot] - 1];
        if (entry->len == len && entry->wild == wild &&
            memcmp(names + entry->at + (wild ? 2 : 0), name, len) == 0)
            return entry;
    }
}

bool domain_table_add(struct domain_table *table, struct buf *names, const char *name, size_t len,
                      bool wild, const struct serve *serve)
{
    uint64_t hash = table->seed;
    uint32_t slot = 0;
    struct domain_entry *entry;

    for (size_t i = len; i > 0; i--)
        hash = hash_byte(hash, name[i - 1]);
    if (probe(table, buf_cstr(names), hash_end(hash, wild), name, len, wild, &slot) != NULL)
        return false;
    entry = &table->entries[table->count];
    *entry = (struct domain_entry){(uint32_t)names->len, *serve, (uint8_t)len, wild};
    if (wild)
        buf_add(names, "*.", 2);
    buf_add(names, name, len);
    buf_add(names, "", 1);
    if (buf_failed(names))
        return true; /* seal reports it */
    table->slots[slot] = ++table->count;
    if (wild)
        table->any_wild = true;
    else
        table->any_exact = true;
    return true;
}

enum err_code domain_table_seal(struct domain_table *table, struct arena *arena, struct buf *names,
                                struct err *err)
{
    char *text;

    if (buf_failed(names))
        return err_set(err, ERR_NOMEM, "out of memory");
    if (names->len == 0)
        return ERR_OK;
    text = arena_take(arena, names->len);
    if (text == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    memcpy(text, names->at, names->len);
    table->names = text;
    return ERR_OK;
}

const struct domain_entry *domain_table_find(const struct domain_table *table, const char *domain,
                                             size_t len, unsigned *probes)
{
    struct {
        uint64_t hash;
        size_t from;
    } suffix[DOMAIN_LABELS_MAX + 1];
    size_t suffixes = 0;
    uint64_t hash = table->seed;
    const struct domain_entry *entry;
    unsigned count = 0;

    if (probes != NULL)
        *probes = 0;
    if (table->count == 0 || len == 0 || len > DOMAIN_BYTES_MAX)
        return NULL;
    for (size_t i = len; i > 0; i--) {
        /* Here hash covers domain[i..]; a suffix begins behind a dot. */
        if (domain[i - 1] == '.' && suffixes <= DOMAIN_LABELS_MAX) {
            suffix[suffixes].hash = hash;
            suffix[suffixes++].from = i;
        }
        hash = hash_byte(hash, domain[i - 1]);
    }
    entry = NULL;
    if (table->any_exact) {
        count++;
        entry = probe(table, table->names, hash_end(hash, false), domain, len, false, NULL);
    }
    for (size_t i = suffixes; entry == NULL && table->any_wild && i > 0; i--) {
        count++;
        entry = probe(table, table->names, hash_end(suffix[i - 1].hash, true),
                      domain + suffix[i - 1].from, len - suffix[i - 1].from, true, NULL);
    }
    if (probes != NULL)
        *probes = count;
    return entry;
}

const char *domain_entry_pattern(const struct domain_table *table, const struct domain_entry *entry)
{
    return table->names + entry->at;
}
