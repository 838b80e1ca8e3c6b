/*
 * arena - memory with the life of one request or one command: taken piece by piece, freed at once.
 *
 *     struct arena arena = {0};
 *     char *copy = arena_text(&arena, name.at, name.len);
 *     ...
 *     arena_fini(&arena);
 *
 * One thread at a time. Every allocation is 16-byte aligned. NULL means out of memory.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

#include "base/err.h"

struct arena_block;

struct arena {
    struct arena_block *newest; /* {0} is an empty arena */
    size_t bytes;               /* handed out so far */
};

MUST_USE void *arena_take(struct arena *arena, size_t bytes); /* not zeroed */
MUST_USE void *arena_zero(struct arena *arena, size_t count, size_t size);
MUST_USE char *arena_text(struct arena *arena, const char *at, size_t len); /* copy + NUL */
MUST_USE char *arena_print(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Frees everything; the arena is empty and can be used again. */
void arena_fini(struct arena *arena);

#endif
