/*
 * digest - SHA-256, random tokens, constant-time comparison (libsodium behind it). Any thread.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#define DIGEST_HEX_BYTES 65 /* 64 digits and NUL */

/* SHA-256 of data as lower-case hex; returns out. */
const char *digest_hex(const void *data, size_t len, char out[DIGEST_HEX_BYTES]);

#define DIGEST_BYTES 32
/* The same as bytes, and HMAC-SHA256 with a key of as many. */
void digest_raw(const void *data, size_t len, unsigned char out[DIGEST_BYTES]);
void digest_hmac(const unsigned char key[DIGEST_BYTES], const void *data, size_t len,
                 unsigned char out[DIGEST_BYTES]);

/* Several pieces as one: start, add, end. Each piece is framed by its length, so that ("ab","c")
 * and ("a","bc") differ. */
struct digest {
    unsigned long long state[32]; /* crypto_hash_sha256_state fits; checked in digest.c */
};
void digest_init(struct digest *digest);
void digest_add(struct digest *digest, const void *data, size_t len);
void digest_end(struct digest *digest, char out[DIGEST_HEX_BYTES]);

/* bytes (<= 64) of randomness as lower-case hex into out[2 * bytes + 1]; returns out. */
const char *random_hex(size_t bytes, char *out);
double random_unit(void); /* in [0, 1), for jitter */
/* Compares without telling by its time where they differ. */
bool secret_equal(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
