/*
 * domain_table - many domain rules, found by a few probes: the exact name first, then the longest
 * "*.suffix". A look-up makes at most one probe a label and one more, however many rules there are.
 *
 * Memory: 20 bytes an entry, 4 to 12 for the hash, and the pattern's text once. Built by one
 * thread, then read by any number.
 */
#ifndef FLAGS_DOMAIN_TABLE_H
#define FLAGS_DOMAIN_TABLE_H

#include "base/arena.h"
#include "base/buf.h"
#include "flags/serve.h"

struct domain_entry {
    uint32_t at; /* the pattern's offset in names; NUL-terminated there */
    struct serve serve;
    uint8_t len; /* of the name, without a leading "*." */
    bool wild;
};

struct domain_table {
    struct domain_entry *entries;
    uint32_t *slots; /* index + 1; 0 is empty */
    const char *names;
    uint64_t seed;
    uint32_t mask, count, room;
    bool any_exact, any_wild;
};

/* Makes room for count entries in arena. */
MUST_USE enum err_code domain_table_init(struct domain_table *table, struct arena *arena,
                                         size_t count, struct err *err);
/* Adds a canonical name; its text is collected in names until domain_table_seal() moves it into
 * the arena. false if (name, wild) is there already. */
bool domain_table_add(struct domain_table *table, struct buf *names, const char *name, size_t len,
                      bool wild, const struct serve *serve);
MUST_USE enum err_code domain_table_seal(struct domain_table *table, struct arena *arena,
                                         struct buf *names, struct err *err);

/* The rule for a canonical domain, or NULL. *probes, if given, is how many look-ups it took. */
const struct domain_entry *domain_table_find(const struct domain_table *table, const char *domain,
                                             size_t len, unsigned *probes);
/* "acme.com" or "*.acme.com"; lent. */
const char *domain_entry_pattern(const struct domain_table *table,
                                 const struct domain_entry *entry);

#endif
