/*
 * bucket - see bucket.h. MurmurHash3_x86_32 as published by its author, fed in pieces.
 */
#include "condition/bucket.h"

#include <string.h>

struct murmur {
    uint32_t hash;
    uint32_t tail, tail_bytes;
    size_t len;
};

static uint32_t rotl(uint32_t x, unsigned r)
{
    return x << r | x >> (32 - r);
}

static uint32_t scramble(uint32_t k)
{
    return rotl(k * 0xcc9e2d51u, 15) * 0x1b873593u;
}

static void murmur_block(struct murmur *m, uint32_t k)
{
    m->hash = rotl(m->hash ^ scramble(k), 13) * 5 + 0xe6546b64u;
}

static void murmur_feed(struct murmur *m, const unsigned char *at, size_t len)
{
    m->len += len;
    while (len && m->tail_bytes) { /* fill up the block that was begun */
        m->tail |= (uint32_t)*at++ << (8 * m->tail_bytes++);
        len--;
        if (m->tail_bytes == 4) {
            murmur_block(m, m->tail);
            m->tail = m->tail_bytes = 0;
        }
    }
    for (; len >= 4; at += 4, len -= 4)
        murmur_block(m, (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
                            (uint32_t)at[3] << 24);
    for (; len; len--)
        m->tail |= (uint32_t)*at++ << (8 * m->tail_bytes++);
}

static uint32_t murmur_end(const struct murmur *m)
{
    uint32_t h = m->hash;

    if (m->tail_bytes)
        h ^= scramble(m->tail);
    h ^= (uint32_t)m->len;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

uint32_t murmur3_x86_32(const void *data, size_t len, uint32_t seed)
{
    struct murmur m = {.hash = seed};

    murmur_feed(&m, data, len);
    return murmur_end(&m);
}

uint32_t bucket_of(const char *salt, size_t salt_len, const char *key, size_t key_len)
{
    struct murmur m = {.hash = 0};

    murmur_feed(&m, (const unsigned char *)salt, salt_len);
    murmur_feed(&m, (const unsigned char *)":", 1);
    murmur_feed(&m, (const unsigned char *)key, key_len);
    return (uint32_t)(((uint64_t)murmur_end(&m) * BUCKET_COUNT) >> 32);
}
