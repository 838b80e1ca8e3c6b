/*
 * serve - what a rule, a domain rule or the fall-through gives: one variant, a ramp, a split.
 *
 * Two buckets, by two salts, so that who is inside a ramp says nothing about which side of the
 * split they get: with one salt the first percent of every ramp would all land in the first
 * variant.
 */
#ifndef FLAGS_SERVE_H
#define FLAGS_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct flag;
struct context_key;

enum serve_kind {
    SERVE_VARIANT, /* one variant for everybody */
    SERVE_BUCKET,  /* by ramp, by split, or both */
    SERVE_RULES    /* a domain rule that leaves it to the rules */
};

#define SPLIT_NONE UINT32_MAX

struct serve {
    uint32_t threshold; /* BUCKET: buckets below are inside the ramp; BUCKET_COUNT: all */
    uint32_t split;     /* index of the flag's split for those inside, or SPLIT_NONE */
    uint16_t variant;   /* VARIANT; inside a ramp without a split */
    uint8_t kind;       /* enum serve_kind */
    bool ramp;          /* there is a ramp */
};

/* Whether an answer needs the bucket key. A ramp of 0 or 100 percent does not: there is nothing to
 * decide, so that 100 percent means everybody, known or not. */
bool serve_needs_key(const struct serve *serve);

/* The variant for key, which must be there if serve_needs_key(). *bucket: the ramp's (else the
 * split's), -1 if there is no key. */
uint16_t serve_pick(const struct flag *flag, const struct serve *serve,
                    const struct context_key *key, int32_t *bucket);

#endif
