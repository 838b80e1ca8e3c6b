/*
 * allocations - an allocator that counts. It defines malloc and its kin for the whole program,
 * shared libraries included, so one source file of a program includes it. Under sanitizers, which
 * have an allocator of their own, ALLOCATIONS_COUNTED is 0 and nothing is counted.
 */
#ifndef TESTS_CONDITION_BENCH_ALLOCATIONS_H
#define TESTS_CONDITION_BENCH_ALLOCATIONS_H

#include <stddef.h>

static unsigned long allocations;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)
#define ALLOCATIONS_COUNTED 1

extern void *__libc_malloc(size_t bytes);
extern void *__libc_calloc(size_t count, size_t bytes);
extern void *__libc_memalign(size_t alignment, size_t bytes);
extern void *__libc_realloc(void *at, size_t bytes);

/* Seen by the shared libraries too, although the build hides everything else. */
#define ALLOCATIONS_SEEN __attribute__((visibility("default")))

ALLOCATIONS_SEEN void *malloc(size_t bytes);
ALLOCATIONS_SEEN void *calloc(size_t count, size_t bytes);
ALLOCATIONS_SEEN void *aligned_alloc(size_t alignment, size_t bytes);
ALLOCATIONS_SEEN void *realloc(void *before, size_t bytes);

void *malloc(size_t bytes)
{
    allocations++;
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    allocations++;
    return __libc_calloc(count, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    allocations++;
    return __libc_memalign(alignment, bytes);
}

void *realloc(void *before, size_t bytes)
{
    allocations++;
    return __libc_realloc(before, bytes);
}

#else
#define ALLOCATIONS_COUNTED 0
#endif

#endif
