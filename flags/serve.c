#include "flags/serve.h"

#include "condition/bucket.h"
#include "flags/model.h"

bool serve_needs_key(const struct serve *serve)
{
    if (serve->kind != SERVE_BUCKET || serve->threshold == 0)
        return false;
    return serve->split != SPLIT_NONE || serve->threshold < BUCKET_COUNT;
}

/* The ranges cover every bucket: the first that ends behind it is there. */
static __attribute__((noinline)) uint16_t split_search(const struct split *split, uint32_t bucket)
{
    uint32_t low = 0, high = split->count - 1;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (bucket < split->ranges[middle].end)
            high = middle;
        else
            low = middle + 1;
    }
    return split->ranges[low].variant;
}

/* Nobody can foresee a bucket, a processor neither: what follows from one is chosen without a jump where
 * it can be. */
static inline uint16_t split_pick(const struct flag *flag, const struct serve *serve,
                                  uint32_t bucket)
{
    const struct split *split = &flag->splits[serve->split];

    if (split->count == 2)
        return split->ranges[bucket >= split->ranges[0].end].variant;
    return split_search(split, bucket);
}

uint16_t serve_pick(const struct flag *flag, const struct serve *serve,
                    const struct context_key *key, int32_t *bucket)
{
    uint32_t ramp = 0, part;

    *bucket = -1;
    if (serve->kind == SERVE_VARIANT)
        return serve->variant;
    if (!serve->ramp) {
        part = bucket_salted(&flag->split_salt, key->at, key->len);
        *bucket = (int32_t)part;
        return split_pick(flag, serve, part);
    }
    if (key->at != NULL) {
        ramp = bucket_salted(&flag->salt, key->at, key->len);
        *bucket = (int32_t)ramp;
    }
    /* A threshold of BUCKET_COUNT has every bucket below it. */
    if (serve->split == SPLIT_NONE)
        return *(ramp < serve->threshold ? &serve->variant : &flag->off_variant);
    if (ramp >= serve->threshold)
        return flag->off_variant;
    part = bucket_salted(&flag->split_salt, key->at, key->len);
    return split_pick(flag, serve, part);
}
