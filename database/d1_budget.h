/*
 * d1_budget - how many requests may still go: Cloudflare's API allows 1,200 in five minutes for all
 * that use one token, and over them refuses every call for as long.
 *
 *     wait_us = d1_budget_take(d1_budget_of(token, 0), clock_monotonic_us());
 *
 * A bucket that fills steadily, not a window that is used up and then shut: a run that waits minutes
 * at a time would lose its lock meanwhile. Each process has one bucket a token, whichever of its
 * databases asks. Any thread. Only the files of the D1 driver include it.
 */
#ifndef DATABASE_D1_BUDGET_H
#define DATABASE_D1_BUDGET_H

#include <stdint.h>

#define D1_BUDGET_WINDOW_S 300
#define D1_BUDGET_REQUESTS 1100u /* of 1,200: other tools use the token, too */
#define D1_BUDGET_AT_ONCE 300u   /* a walk of a small table needs about so many */

struct d1_budget;

/* The token's bucket, made at the first call; never freed. requests: in five minutes, 0 means
 * D1_BUDGET_REQUESTS; the first call decides. NULL: no memory. */
struct d1_budget *d1_budget_of(const char *token, unsigned requests);

/* Takes one request, and says how long to wait before it is sent. Within any five minutes no more
 * go than the bucket was made for. */
int64_t d1_budget_take(struct d1_budget *budget, int64_t now_us);

#endif
