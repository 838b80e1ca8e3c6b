#include "flags/domain_table.h"

#include <stdatomic.h>
#include <string.h>

#include "base/digest.h"
#include "base/limits.h"
#include "condition/domain.h"

/* A slot holds the entry's number, from 1, and above it bits of its hash, so that of the slots on the
 * way only the right one (and one in four thousand) is followed into the entries. */
#define NUMBER_BITS 20
#define NUMBER_MASK ((1u << NUMBER_BITS) - 1)
_Static_assert(LIMIT_DOMAIN_RULES < NUMBER_MASK, "a slot holds the number of any entry");

/*
 * The hashes run from the last byte to the first, so that one walk over a domain gives the hash of
 * every suffix on its way. That of slots is seeded: who may write domain rules may not choose
 * collisions. One seed a process, for a look-up may go through several tables.
 */
static uint64_t hash_seed(void)
{
    static _Atomic uint64_t seed;
    uint64_t now = atomic_load_explicit(&seed, memory_order_relaxed);

    if (now == 0) {
        uint64_t fresh = (uint64_t)(random_unit() * 9007199254740992.0) | 1u << 8;

        if (atomic_compare_exchange_strong(&seed, &now, fresh))
            now = fresh;
    }
    return now;
}

static uint64_t hash_byte(uint64_t hash, char c)
{
    return (hash ^ (unsigned char)c) * UINT64_C(0x100000001b3);
}

static uint64_t hash_end(uint64_t hash, bool wild)
{
    hash ^= wild ? UINT64_C(0x9e3779b97f4a7c15) : 0;
    hash ^= hash >> 33;
    hash *= UINT64_C(0xff51afd7ed558ccd);
    return hash ^ hash >> 32;
}

#define NUMBER_START 0x811c9dc5u

static uint32_t number_byte(uint32_t hash, char c)
{
    return (hash ^ (unsigned char)c) * 0x01000193u;
}

static uint32_t number_end(uint32_t hash)
{
    hash = (hash ^ hash >> 16) * 0x85ebca6bu;
    hash = (hash ^ hash >> 13) * 0xc2b2ae35u;
    return hash ^ hash >> 16;
}

uint32_t domain_table_number(const char *name, size_t len, uint32_t tables)
{
    uint32_t hash = NUMBER_START;

    for (size_t i = len; i > 0; i--)
        hash = number_byte(hash, name[i - 1]);
    return number_end(hash) & (tables - 1);
}

/* ---- one table ---- */

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
    return ERR_OK;
}

static uint32_t slot_tag(uint64_t hash)
{
    return (uint32_t)(hash >> 32) & ~NUMBER_MASK;
}

static const struct domain_entry *probe(const struct domain_table *table, const char *names,
                                        uint64_t hash, const char *name, size_t len, bool wild,
                                        uint32_t *free_slot)
{
    for (uint32_t slot = (uint32_t)hash & table->mask;; slot = (slot + 1) & table->mask) {
        uint32_t held = table->slots[slot];
        const struct domain_entry *entry;

        if (held == 0) {
            if (free_slot != NULL)
                *free_slot = slot;
            return NULL;
        }
        if ((held & ~NUMBER_MASK) != slot_tag(hash))
            continue;
        entry = &table->entries[(held & NUMBER_MASK) - 1];
        if (entry->len == len && entry->wild == wild &&
            memcmp(names + entry->at + (wild ? 2 : 0), name, len) == 0)
            return entry;
    }
}

static uint64_t hash_of(const char *name, size_t len, bool wild)
{
    uint64_t hash = hash_seed();

    for (size_t i = len; i > 0; i--)
        hash = hash_byte(hash, name[i - 1]);
    return hash_end(hash, wild);
}

bool domain_table_add(struct domain_table *table, struct buf *names, const char *name, size_t len,
                      bool wild, uint16_t serve)
{
    uint64_t hash = hash_of(name, len, wild);
    uint32_t slot = 0;
    struct domain_entry *entry;

    if (probe(table, buf_cstr(names), hash, name, len, wild, &slot) != NULL)
        return false;
    entry = &table->entries[table->count];
    *entry = (struct domain_entry){(uint32_t)names->len, serve, (uint8_t)len, wild};
    if (wild)
        buf_add(names, "*.", 2);
    buf_add(names, name, len);
    buf_add(names, "", 1);
    if (buf_failed(names))
        return true; /* seal reports it */
    table->slots[slot] = ++table->count | slot_tag(hash);
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

const struct domain_entry *domain_table_get(const struct domain_table *table, const char *name,
                                            size_t len, bool wild)
{
    if (table->count == 0)
        return NULL;
    return probe(table, table->names, hash_of(name, len, wild), name, len, wild, NULL);
}

const char *domain_entry_pattern(const struct domain_table *table, const struct domain_entry *entry)
{
    return table->names + entry->at;
}

/* ---- all tables of a flag ---- */

/* Where the look-up for one suffix goes. */
struct suffix {
    const struct domain_table *table;
    uint64_t hash;
    size_t from;
};

struct domain_found domains_find(const struct domains *domains, const char *domain, size_t len,
                                 unsigned *probes)
{
    struct suffix suffix[DOMAIN_LABELS_MAX + 1], *at = suffix;
    struct domain_found found = {0};
    uint64_t hash = hash_seed();
    uint32_t number = NUMBER_START, mask = domains->table_count - 1;

    if (probes != NULL)
        *probes = 0;
    if (domains->count == 0 || len == 0 || len > DOMAIN_BYTES_MAX)
        return found;
    for (size_t i = len; i > 0; i--) {
        /* Here the hashes cover domain[i..]; a suffix begins behind a dot. All slots are asked for
         * before the first is read: with a million rules each is a wait for memory. */
        if (domain[i - 1] == '.' && domains->any_wild && at - suffix < (int)DOMAIN_LABELS_MAX) {
            *at = (struct suffix){domains->tables[number_end(number) & mask], hash_end(hash, true),
                                  i};
            __builtin_prefetch(&at->table->slots[at->hash & at->table->mask]);
            at++;
        }
        hash = hash_byte(hash, domain[i - 1]);
        number = number_byte(number, domain[i - 1]);
    }
    if (domains->any_exact)
        *at++ =
            (struct suffix){domains->tables[number_end(number) & mask], hash_end(hash, false), 0};
    while (at-- > suffix) {
        if (probes != NULL)
            ++*probes;
        if (at->table->count == 0)
            continue;
        found.entry = probe(at->table, at->table->names, at->hash, domain + at->from,
                            len - at->from, at->from > 0, NULL);
        if (found.entry != NULL) {
            found.table = at->table;
            break;
        }
    }
    return found;
}
