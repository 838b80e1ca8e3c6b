/*
 * fuzz - what the fuzz targets of this folder share.
 *
 * A target is fuzz_NAME.c with one LLVMFuzzerTestOneInput(). `make fuzz` links it with libFuzzer;
 * `make check` links it with replay.c, which runs the files of corpus/NAME. A target ends the
 * process (fuzz_fail, CHECK) where a promise of a header is broken.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/str.h"
#include "condition/condition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Says what is broken and aborts. */
void fuzz_fail(const char *fmt, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));

/* The input up to the last byte 0xff, which stands in no UTF-8, and what follows it ("" if there is
 * none). */
void fuzz_halves(const uint8_t *data, size_t size, struct str *first, struct str *second);

/* ---- values from bytes ---- */

struct fuzz_bytes {
    const unsigned char *at;
    size_t left; /* behind the end every byte is 0 */
};

unsigned fuzz_byte(struct fuzz_bytes *in);
/* A value that a host may put into a slot: of that kind, or for CONDITION_DYN of the kind that the
 * next byte names. What it points to is in arena, or made by fuzz_exact(). */
struct condition_value fuzz_value(struct fuzz_bytes *in, enum condition_kind kind,
                                  struct arena *arena);
/* A copy without a byte to spare behind it, so that a read past its end is found. */
char *fuzz_exact(struct str text);
void fuzz_release(void); /* frees all copies */

#endif
