/*
 * pool - memory of one compilation or one program: taken piece by piece, freed at once.
 *
 * Every piece is zeroed and 16-byte aligned. The first failure is remembered, so that a caller may
 * check once. One thread at a time. Knows nothing of CEL.
 */
#ifndef CONDITION_POOL_H
#define CONDITION_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cel_pool_block;

struct cel_pool {
    struct cel_pool_block *newest; /* {0} is an empty pool */
    bool failed;
};

/* A string with its length; NUL ends nothing. */
struct cel_text {
    const char *at;
    uint32_t len;
};

void *cel_pool_take(struct cel_pool *pool, size_t bytes); /* NULL when out of memory */
/* A copy with a NUL behind it; NULL when out of memory. */
char *cel_pool_copy(struct cel_pool *pool, const char *at, size_t len);
void cel_pool_fini(struct cel_pool *pool);
/* Moves all memory of from into pool; from is empty then. */
void cel_pool_adopt(struct cel_pool *pool, struct cel_pool *from);

/* Makes room for one more element of size bytes in a growing array inside the pool; the old array
 * is left to the pool. False when out of memory. */
bool cel_pool_grow(struct cel_pool *pool, void *array, uint32_t count, uint32_t *capacity,
                   size_t size);

bool cel_text_is(struct cel_text text, const char *nul_terminated);
bool cel_text_same(struct cel_text a, struct cel_text b);

/* ---- UTF-8 ---- */

/* Decodes the code point at *at (before end) and moves *at behind it. Bad bytes count as one code
 * point each and give 0xFFFD; *valid, if given, becomes false then. */
uint32_t cel_utf8_next(const char **at, const char *end, bool *valid);
bool cel_utf8_valid(const char *at, size_t len);
size_t cel_utf8_count(const char *at, size_t len);       /* code points */
unsigned cel_utf8_put(char out[4], uint32_t code_point); /* returns the bytes written */

#endif
