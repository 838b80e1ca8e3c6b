/*
 * domain_table - many domain rules, found by a few probes: the exact name first, then the longest
 * "*.suffix". A look-up makes at most one probe a label and one more, however many rules there are.
 *
 * Rules lie in one table or, where they are many, in several (a power of two): which one is said by
 * domain_table_number() of the name alone, so that a change of one rule is a change of one table
 * and the others are shared by the ruleset before and the one after.
 *
 * Memory: 8 bytes an entry, 6 to 12 for the hash, and the pattern's text once. Built by one
 * thread, then read by any number.
 */
#ifndef FLAGS_DOMAIN_TABLE_H
#define FLAGS_DOMAIN_TABLE_H

#include "base/arena.h"
#include "base/buf.h"
#include "flags/serve.h"

struct domain_entry {
    uint32_t at;    /* the pattern's offset in names; NUL-terminated there */
    uint16_t serve; /* which of the ways that the flag serves domains */
    uint8_t len;    /* of the name, without a leading "*." */
    bool wild;
};

struct domain_table {
    struct domain_entry *entries;
    uint32_t *slots; /* index + 1, and above it a few bits of the hash; 0 is empty */
    const char *names;
    uint32_t mask, count, room;
    bool any_exact, any_wild;
};

/* Makes room for count entries in arena. */
MUST_USE enum err_code domain_table_init(struct domain_table *table, struct arena *arena,
                                         size_t count, struct err *err);
/* Adds a canonical name; its text is collected in names until domain_table_seal() moves it into
 * the arena. false if (name, wild) is there already. */
bool domain_table_add(struct domain_table *table, struct buf *names, const char *name, size_t len,
                      bool wild, uint16_t serve);
MUST_USE enum err_code domain_table_seal(struct domain_table *table, struct arena *arena,
                                         struct buf *names, struct err *err);
/* The rule for exactly this pattern, or NULL. */
const struct domain_entry *domain_table_get(const struct domain_table *table, const char *name,
                                            size_t len, bool wild);
/* "acme.com" or "*.acme.com"; lent. */
const char *domain_entry_pattern(const struct domain_table *table,
                                 const struct domain_entry *entry);

/* In which of `tables` (a power of two) tables the rules for a canonical name lie. The same in every
 * process, as it is part of the wire format (docs/ruleset.md): FNV-1a of 32 bits over the name's
 * bytes from the last to the first, its bits mixed as at the end of MurmurHash3. */
uint32_t domain_table_number(const char *name, size_t len, uint32_t tables);

/* All rules of one flag. */
struct domains {
    const struct domain_table *const *tables;
    uint32_t table_count; /* a power of two, or 0 */
    uint32_t count;       /* rules in all of them */
    bool any_exact, any_wild;
    const struct serve *serves; /* what entries' `serve` counts */
    uint32_t serve_count;
    const uint32_t *serve_rules; /* of a set: how many rules name each; else NULL */
};

struct domain_found {
    const struct domain_table *table;
    const struct domain_entry *entry; /* NULL: no rule */
};

/* The rule for a canonical domain. *probes, if given, is how many look-ups it took. */
struct domain_found domains_find(const struct domains *domains, const char *domain, size_t len,
                                 unsigned *probes);

#endif
