#include "flags/serve.h"

#include "condition/bucket.h"
#include "flags/model.h"

bool serve_needs_key(const struct serve *serve)
{
    if (serve->kind != SERVE_BUCKET || serve->threshold == 0)
        return false;
    return serve->split != SPLIT_NONE || serve->threshold < BUCKET_COUNT;
}

static inline uint16_t split_pick(const struct split *split, uint32_t bucket)
{
    const struct split_range *at = split->ranges;

    /* The ranges cover every bucket and are at most LIMIT_VARIANTS: two, mostly. */
    while (bucket >= at->end)
        at++;
    return at->variant;
}

static uint16_t pick_split(const struct flag *flag, const struct serve *serve,
                           const struct context_key *key, int32_t *bucket)
{
    uint32_t part = bucket_salted(&flag->split_salt, key->at, key->len);

    if (*bucket < 0)
        *bucket = (int32_t)part;
    return split_pick(&flag->splits[serve->split], part);
}

uint16_t serve_pick(const struct flag *flag, const struct serve *serve,
                    const struct context_key *key, int32_t *bucket)
{
    uint32_t ramp = 0;

    *bucket = -1;
    if (serve->kind == SERVE_VARIANT)
        return serve->variant;
    if (serve->ramp && key->at != NULL) {
        ramp = bucket_salted(&flag->salt, key->at, key->len);
        *bucket = (int32_t)ramp;
    }
    if (serve->threshold < BUCKET_COUNT && ramp >= serve->threshold)
        return flag->off_variant;
    if (serve->split == SPLIT_NONE)
        return serve->variant;
    return pick_split(flag, serve, key, bucket);
}
