/*
 * lease - for how long an answer of the flag server may be relied on, once it cannot be asked.
 *
 *     confirmed |---- rules ----| lease |---- safe variant ----| 12 leases |---- no answer ----
 *     last seen |------------- whoever has not confirmed is waited for -----------| + 30 s | gone
 *
 * A variant that is safe today is not safe for ever: in in-sync the schema can go either way. So a
 * client that stays cut off stops answering a tied flag at all, and whoever takes a path away waits
 * until that is certain of everybody who has not confirmed the flag as it is now. Client, server and
 * migrator reckon by these functions alone; they know nothing of flags.
 */
#ifndef BASE_LEASE_H
#define BASE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

#define LEASE_SAFE_TIMES 12    /* with the default lease of 5 min an hour */
#define LEASE_SAFE_MAX_S 86400 /* beyond the lease, for leases of hours */
#define LEASE_MARGIN_S 30      /* for clocks that go differently, slow polls, work under way */
#define LEASE_SKEW_S 10 /* how far a wall clock may be put back between two runs of a client */

struct lease_terms {
    int64_t lease_us, safe_us, margin_us;
};
struct lease_terms lease_terms_of(int64_t lease_s);

enum lease_answer {
    LEASE_RULES, /* by the ruleset */
    LEASE_SAFE,  /* the variant that is safe in the state that was seen last */
    LEASE_NONE   /* nothing: which path the schema still bears is not known */
};
/* What a client may answer whose ruleset was confirmed age_us ago; by a request of this process, or
 * (from_cache) of one before it: the rules themselves are then never relied on. Negative ages are
 * ages that cannot be known: a cache from the future. */
enum lease_answer lease_answer(const struct lease_terms *terms, int64_t age_us, bool from_cache);

/* Whether a client that was last heard of silent_us ago answers nothing any more, by its own
 * clock. */
bool lease_is_gone(const struct lease_terms *terms, int64_t silent_us);

/* The time after which everybody is gone who hears of nothing from now on. */
int64_t lease_gone_s(int64_t lease_s);

#endif
