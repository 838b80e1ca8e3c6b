/*
 * bucket - where a key falls in a rollout: a number from 0 to 99,999, the same on every machine.
 *
 * Formula (flagd's fractional v2, with a salt): the UTF-8 of salt ":" key through
 * MurmurHash3_x86_32 with seed 0, then (u64(hash) * 100000) >> 32. Pure functions; any thread.
 */
#ifndef CONDITION_BUCKET_H
#define CONDITION_BUCKET_H

#include <stddef.h>
#include <stdint.h>

#define BUCKET_COUNT 100000u /* thousandths of a percent */

/* MurmurHash3_x86_32 (Austin Appleby, public domain) of data[len]. */
uint32_t murmur3_x86_32(const void *data, size_t len, uint32_t seed);

/* The bucket of key under salt, 0 .. BUCKET_COUNT - 1. Streams; no length limit, no allocation. */
uint32_t bucket_of(const char *salt, size_t salt_len, const char *key, size_t key_len);

/* The same for many keys under one salt, which is hashed once. */
struct bucket_salt {
    uint64_t tail; /* what is left of salt ":" behind its last block of four bytes */
    size_t len;
    uint32_t hash;
    unsigned tail_bits;
};
void bucket_salt_init(struct bucket_salt *salt, const char *text, size_t len);
uint32_t bucket_salted(const struct bucket_salt *salt, const char *key, size_t key_len);

#endif
