/*
 * bucket - see bucket.h. MurmurHash3_x86_32 as published by its author, fed in pieces.
 */
#include "condition/bucket.h"

#include <string.h>

static uint32_t rotl(uint32_t x, unsigned r)
{
    return x << r | x >> (32 - r);
}

static uint32_t scramble(uint32_t k)
{
    return rotl(k * 0xcc9e2d51u, 15) * 0x1b873593u;
}

static uint32_t block(uint32_t hash, uint32_t k)
{
    return rotl(hash ^ scramble(k), 13) * 5 + 0xe6546b64u;
}

/* Goes on behind what was fed already: in *tail lie its last tail_bits bits, less than a block. A
 * block is then made of those and the front of the next four bytes, whose back is the next tail. */
static inline __attribute__((always_inline)) uint32_t
feed(uint32_t hash, uint64_t *tail, unsigned *tail_bits, const unsigned char *at, size_t len)
{
    uint32_t rest = 0;
    uint64_t carry = *tail;
    unsigned bits = *tail_bits;

    for (; len >= 4; at += 4, len -= 4) {
        carry |= (uint64_t)((uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                            (uint32_t)at[3] << 24)
                 << bits;
        hash = block(hash, (uint32_t)carry);
        carry >>= 32;
    }
    if (len > 0) { /* 1 to 3: the first, the middle and the last, which may be the same byte */
        size_t half = len >> 1, last = len - 1;

        rest =
            (uint32_t)at[0] | (uint32_t)at[half] << (8 * half) | (uint32_t)at[last] << (8 * last);
    }
    carry |= (uint64_t)rest << bits;
    bits += 8 * (unsigned)len;
    if (bits >= 32) {
        hash = block(hash, (uint32_t)carry);
        carry >>= 32;
        bits -= 32;
    }
    *tail = carry;
    *tail_bits = bits;
    return hash;
}

static inline uint32_t finish(uint32_t h, uint64_t tail, size_t len)
{
    h ^= scramble((uint32_t)tail); /* of no bytes it is 0 */
    h ^= (uint32_t)len;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

uint32_t murmur3_x86_32(const void *data, size_t len, uint32_t seed)
{
    uint64_t tail = 0;
    unsigned bits = 0;

    seed = feed(seed, &tail, &bits, data, len);
    return finish(seed, tail, len);
}

void bucket_salt_init(struct bucket_salt *salt, const char *text, size_t len)
{
    *salt = (struct bucket_salt){.len = len + 1};
    salt->hash = feed(0, &salt->tail, &salt->tail_bits, (const unsigned char *)text, len);
    salt->hash = feed(salt->hash, &salt->tail, &salt->tail_bits, (const unsigned char *)":", 1);
}

uint32_t bucket_salted(const struct bucket_salt *salt, const char *key, size_t key_len)
{
    uint64_t tail = salt->tail;
    unsigned bits = salt->tail_bits;
    uint32_t hash = feed(salt->hash, &tail, &bits, (const unsigned char *)key, key_len);

    return (uint32_t)(((uint64_t)finish(hash, tail, salt->len + key_len) * BUCKET_COUNT) >> 32);
}

uint32_t bucket_of(const char *salt, size_t salt_len, const char *key, size_t key_len)
{
    struct bucket_salt fed;

    bucket_salt_init(&fed, salt, salt_len);
    return bucket_salted(&fed, key, key_len);
}
