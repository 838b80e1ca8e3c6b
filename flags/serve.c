#include "flags/serve.h"

#include "condition/bucket.h"
#include "flags/model.h"

bool serve_needs_key(const struct serve *serve)
{
    if (serve->kind != SERVE_BUCKET || serve->threshold == 0)
        return false;
    return serve->split != SPLIT_NONE || serve->threshold < BUCKET_COUNT;
}

static uint16_t split_pick(const struct split *split, uint32_t bucket)
{
    uint32_t low = 0, high = split->count - 1;

    /* The ranges cover every bucket, so the first one that ends behind it is there. */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (bucket < split->ranges[middle].end)
            high = middle;
        else
            low = middle + 1;
    }
    return split->ranges[low].variant;
}

uint16_t serve_pick(const struct flag *flag, const struct serve *serve,
                    const struct context_key *key, int32_t *bucket)
{
    uint32_t ramp = 0;

    *bucket = -1;
    if (serve->kind == SERVE_VARIANT)
        return serve->variant;
    if (serve->ramp && key->at != NULL) {
        ramp = bucket_of(flag->salt, flag->salt_len, key->at, key->len);
        *bucket = (int32_t)ramp;
    }
    if (serve->threshold < BUCKET_COUNT && ramp >= serve->threshold)
        return flag->off_variant;
    if (serve->split == SPLIT_NONE)
        return serve->variant;
    ramp = bucket_of(flag->split_salt, flag->split_salt_len, key->at, key->len);
    if (*bucket < 0)
        *bucket = (int32_t)ramp;
    return split_pick(&flag->splits[serve->split], ramp);
}
