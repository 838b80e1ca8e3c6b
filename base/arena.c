#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 16u
#define BLOCK_BYTES 4000u /* the first block; later ones double up to BLOCK_BYTES_MAX */
#define BLOCK_BYTES_MAX (1u << 20)

struct arena_block {
    struct arena_block *older;
    size_t used, room;
    _Alignas(ALIGNMENT) unsigned char bytes[];
};

static struct arena_block *block_new(struct arena *arena, size_t bytes)
{
    size_t room = BLOCK_BYTES;
    struct arena_block *block;

    if (arena->newest != NULL) {
        room = arena->newest->room * 2;
        room = room > BLOCK_BYTES_MAX ? BLOCK_BYTES_MAX : room;
    }
    room = room < bytes ? bytes : room;
    block = malloc(sizeof *block + room);
    if (block == NULL) {
        return NULL;
    }
    block->older = arena->newest;
    block->used = 0;
    block->room = room;
    arena->newest = block;
    return block;
}

void *arena_take(struct arena *arena, size_t bytes)
{
    struct arena_block *block = arena->newest;
    size_t rounded = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    void *at;

    if (bytes > SIZE_MAX / 2) {
        return NULL;
    }
    rounded = rounded == 0 ? ALIGNMENT : rounded;
    if (block == NULL || block->room - block->used < rounded) {
        block = block_new(arena, rounded);
        if (block == NULL) {
            return NULL;
        }
    }
    at = block->bytes + block->used;
    block->used += rounded;
    arena->bytes += rounded;
    return at;
}

void *arena_zero(struct arena *arena, size_t count, size_t size)
{
    void *at;

    if (size != 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    at = arena_take(arena, count * size);
    return at != NULL ? memset(at, 0, count * size) : NULL;
}

char *arena_text(struct arena *arena, const char *at, size_t len)
{
    char *copy = len < SIZE_MAX ? arena_take(arena, len + 1) : NULL;

    if (copy == NULL) {
        return NULL;
    }
    if (len > 0) {
        memcpy(copy, at, len);
    }
    copy[len] = '\0';
    return copy;
}

char *arena_print(struct arena *arena, const char *fmt, ...)
{
    va_list ap, again;
    char *text = NULL;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    if (n >= 0) {
        text = arena_take(arena, (size_t)n + 1);
    }
    if (text != NULL) {
        vsnprintf(text, (size_t)n + 1, fmt, again);
    }
    va_end(again);
    va_end(ap);
    return text;
}

void arena_fini(struct arena *arena)
{
    struct arena_block *block = arena->newest;

    while (block != NULL) {
        struct arena_block *older = block->older;
        free(block);
        block = older;
    }
    *arena = (struct arena){0};
}
