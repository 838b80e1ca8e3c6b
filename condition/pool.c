/*
 * pool - see pool.h. Blocks double so that a program of any size takes few of them.
 */
#include "condition/pool.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_MIN 1024u
#define BLOCK_MAX (256u << 10)

struct cel_pool_block {
    struct cel_pool_block *older;
    size_t used, size;
    size_t pad; /* keeps data 16-byte aligned */
    char data[];
};

void *cel_pool_take(struct cel_pool *pool, size_t bytes)
{
    struct cel_pool_block *block = pool->newest;
    size_t rounded = (bytes + 15u) & ~(size_t)15u;

    if (rounded < bytes) {
        pool->failed = true;
        return NULL;
    }
    if (!block || block->size - block->used < rounded) {
        size_t size = block ? block->size * 2 : BLOCK_MIN;
        if (size > BLOCK_MAX)
            size = BLOCK_MAX;
        if (size < rounded)
            size = rounded;
        block = malloc(sizeof *block + size);
        if (!block) {
            pool->failed = true;
            return NULL;
        }
        block->older = pool->newest;
        block->used = 0;
        block->size = size;
        pool->newest = block;
    }
    block->used += rounded;
    return memset(block->data + block->used - rounded, 0, rounded);
}

char *cel_pool_copy(struct cel_pool *pool, const char *at, size_t len)
{
    char *copy = cel_pool_take(pool, len + 1);

    if (copy && len)
        memcpy(copy, at, len);
    return copy;
}

void cel_pool_fini(struct cel_pool *pool)
{
    struct cel_pool_block *block = pool->newest;

    while (block) {
        struct cel_pool_block *older = block->older;
        free(block);
        block = older;
    }
    pool->newest = NULL;
    pool->failed = false;
}

void cel_pool_adopt(struct cel_pool *pool, struct cel_pool *from)
{
    struct cel_pool_block *oldest = pool->newest;

    pool->failed |= from->failed;
    if (!oldest) {
        pool->newest = from->newest;
    } else { /* behind the others, so that the newest block's room stays in use */
        while (oldest->older)
            oldest = oldest->older;
        oldest->older = from->newest;
    }
    from->newest = NULL;
}

bool cel_pool_grow(struct cel_pool *pool, void *array, uint32_t count, uint32_t *capacity,
                   size_t size)
{
    void *old, *fresh;
    uint32_t wanted;

    if (count < *capacity)
        return true;
    memcpy(&old, array, sizeof old); /* array is a pointer to some T *, read without aliasing */
    wanted = *capacity ? *capacity * 2 : 8;
    fresh = cel_pool_take(pool, (size_t)wanted * size);
    if (!fresh)
        return false;
    if (count)
        memcpy(fresh, old, (size_t)count * size);
    memcpy(array, &fresh, sizeof fresh);
    *capacity = wanted;
    return true;
}

bool cel_text_is(struct cel_text text, const char *nul_terminated)
{
    /* Mostly the first byte decides: not worth two calls. */
    for (uint32_t i = 0; i < text.len; i++)
        if (nul_terminated[i] == '\0' || nul_terminated[i] != text.at[i])
            return false;
    return nul_terminated[text.len] == '\0';
}

bool cel_text_same(struct cel_text a, struct cel_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* ---- UTF-8 ---- */

static uint32_t bad_byte(const char **at, bool *valid)
{
    (*at)++;
    if (valid)
        *valid = false;
    return 0xFFFD;
}

uint32_t cel_utf8_next(const char **at, const char *end, bool *valid)
{
    const unsigned char *p = (const unsigned char *)*at;
    size_t left = (size_t)(end - *at);
    uint32_t point;
    unsigned extra;

    if (p[0] < 0x80) {
        (*at)++;
        return p[0];
    }
    if (p[0] >= 0xC2 && p[0] <= 0xDF) {
        extra = 1;
        point = p[0] & 0x1Fu;
    } else if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        extra = 2;
        point = p[0] & 0x0Fu;
    } else if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        extra = 3;
        point = p[0] & 0x07u;
    } else {
        return bad_byte(at, valid);
    }
    if (left <= extra)
        return bad_byte(at, valid);
    for (unsigned i = 1; i <= extra; i++) {
        if ((p[i] & 0xC0u) != 0x80u)
            return bad_byte(at, valid);
        point = point << 6 | (p[i] & 0x3Fu);
    }
    if ((extra == 2 && (point < 0x800 || (point >= 0xD800 && point <= 0xDFFF))) ||
        (extra == 3 && (point < 0x10000 || point > 0x10FFFF)))
        return bad_byte(at, valid);
    *at += extra + 1;
    return point;
}

bool cel_utf8_valid(const char *at, size_t len)
{
    const char *end = at + len;
    bool valid = true;

    while (at < end && valid)
        cel_utf8_next(&at, end, &valid);
    return valid;
}

size_t cel_utf8_count(const char *at, size_t len)
{
    size_t count = 0;

    for (size_t i = 0; i < len; i++)
        count += ((unsigned char)at[i] & 0xC0u) != 0x80u;
    return count;
}

unsigned cel_utf8_put(char out[4], uint32_t point)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xC0u | point >> 6);
        out[1] = (char)(0x80u | (point & 0x3Fu));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xE0u | point >> 12);
        out[1] = (char)(0x80u | (point >> 6 & 0x3Fu));
        out[2] = (char)(0x80u | (point & 0x3Fu));
        return 3;
    }
    out[0] = (char)(0xF0u | point >> 18);
    out[1] = (char)(0x80u | (point >> 12 & 0x3Fu));
    out[2] = (char)(0x80u | (point >> 6 & 0x3Fu));
    out[3] = (char)(0x80u | (point & 0x3Fu));
    return 4;
}
