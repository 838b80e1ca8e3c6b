/*
 * domain_shard - a part of a large set of domain rules: immutable, named by the hash of its text,
 * shared by as many rulesets as hold it.
 *
 *     rc = domain_shard_parse(text, len, &shard, &err);      // holds 1
 *     domain_pool_add(pool, shard);                          // the pool holds it too
 *     domain_shard_drop(shard);
 *
 * Its text (docs/ruleset.md) is a line a rule, "*.acme.com 3": the pattern in canonical form, a blank,
 * and which of the flag's ways to serve; sorted by the pattern's bytes. A rule lies in the shard that
 * domain_table_number() says.
 *
 * A shard may be read, kept and dropped by any thread; a pool belongs to one.
 */
#ifndef FLAGS_DOMAIN_SHARD_H
#define FLAGS_DOMAIN_SHARD_H

#include "base/digest.h"
#include "flags/domain_table.h"

struct domain_shard;

/* ERR_INVALID: not such a text, with the line. */
MUST_USE enum err_code domain_shard_parse(const char *text, size_t len, struct domain_shard **out,
                                          struct err *err);
struct domain_shard *domain_shard_keep(struct domain_shard *shard); /* returns it */
void domain_shard_drop(struct domain_shard *shard);                 /* NULL allowed */

const char *domain_shard_hash(const struct domain_shard *shard); /* of its text, 64 digits */
const struct domain_table *domain_shard_table(const struct domain_shard *shard);
uint32_t domain_shard_serves(const struct domain_shard *shard); /* the largest number and one */
/* Its text again; free() it. NULL when out of memory. */
char *domain_shard_print(const struct domain_shard *shard, size_t *len);

/* ---- those that are at hand, by hash ---- */

struct domain_pool;

struct domain_pool *domain_pool_new(void); /* NULL when out of memory */
void domain_pool_free(struct domain_pool *pool);
struct domain_shard *domain_pool_find(const struct domain_pool *pool, const char *hash); /* lent */
/* Keeps it, if one of its hash is not there yet. */
MUST_USE enum err_code domain_pool_add(struct domain_pool *pool, struct domain_shard *shard,
                                       struct err *err);
/* Drops all for which stays() is false. */
typedef bool domain_pool_fn(void *ctx, const struct domain_shard *shard);
void domain_pool_sweep(struct domain_pool *pool, domain_pool_fn *stays, void *ctx);
/* Whether nobody but the pool holds it. */
bool domain_shard_idle(const struct domain_shard *shard);
size_t domain_pool_count(const struct domain_pool *pool);

#endif
