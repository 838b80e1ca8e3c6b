#include "base/digest.h"

#include <pthread.h>
#include <sodium.h>
#include <stdint.h>
#include <string.h>

#include "base/check.h"

_Static_assert(sizeof(crypto_hash_sha256_state) <= sizeof(struct digest), "the state must fit");
_Static_assert(_Alignof(crypto_hash_sha256_state) <= _Alignof(struct digest), "and lie straight");

#define RANDOM_BYTES_MAX 64u

static void start(void)
{
    CHECK(sodium_init() >= 0); /* fails only where the system has no randomness at all */
}

static void ready(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, start);
}

static crypto_hash_sha256_state *state_of(struct digest *digest)
{
    return (crypto_hash_sha256_state *)(void *)digest->state;
}

const char *digest_hex(const void *data, size_t len, char out[DIGEST_HEX_BYTES])
{
    unsigned char hash[crypto_hash_sha256_BYTES];

    crypto_hash_sha256(hash, data, len);
    return sodium_bin2hex(out, DIGEST_HEX_BYTES, hash, sizeof hash);
}

void digest_raw(const void *data, size_t len, unsigned char out[DIGEST_BYTES])
{
    crypto_hash_sha256(out, data, len);
}

void digest_hmac(const unsigned char key[DIGEST_BYTES], const void *data, size_t len,
                 unsigned char out[DIGEST_BYTES])
{
    crypto_auth_hmacsha256(out, data, len, key);
}

void digest_init(struct digest *digest)
{
    crypto_hash_sha256_init(state_of(digest));
}

void digest_add(struct digest *digest, const void *data, size_t len)
{
    unsigned char frame[8];

    for (unsigned i = 0; i < sizeof frame; i++) {
        frame[i] = (unsigned char)((uint64_t)len >> (8 * i));
    }
    crypto_hash_sha256_update(state_of(digest), frame, sizeof frame);
    crypto_hash_sha256_update(state_of(digest), data, len);
}

void digest_end(struct digest *digest, char out[DIGEST_HEX_BYTES])
{
    unsigned char hash[crypto_hash_sha256_BYTES];

    crypto_hash_sha256_final(state_of(digest), hash);
    sodium_bin2hex(out, DIGEST_HEX_BYTES, hash, sizeof hash);
}

const char *random_hex(size_t bytes, char *out)
{
    unsigned char random[RANDOM_BYTES_MAX];

    CHECK(bytes <= sizeof random);
    ready();
    randombytes_buf(random, bytes);
    sodium_bin2hex(out, 2 * bytes + 1, random, bytes);
    sodium_memzero(random, sizeof random);
    return out;
}

double random_unit(void)
{
    uint64_t bits;

    ready();
    randombytes_buf(&bits, sizeof bits);
    return (double)(bits >> 11) * 0x1p-53; /* the 53 bits that a double holds */
}

bool secret_equal(const char *a, size_t a_len, const char *b, size_t b_len)
{
    unsigned char hash_a[crypto_hash_sha256_BYTES], hash_b[crypto_hash_sha256_BYTES];

    /* Digests have one length, so that the comparison does not tell the secret's either. */
    crypto_hash_sha256(hash_a, (const unsigned char *)a, a_len);
    crypto_hash_sha256(hash_b, (const unsigned char *)b, b_len);
    return sodium_memcmp(hash_a, hash_b, sizeof hash_a) == 0 && a_len == b_len;
}
