/*
 * quick - the short way through a condition of simple tests on attributes, joined by &&, ||, !, ?:
 *
 *     domain in ["acme.com", "globex.com"] && plan == "pro" && version >= 42
 *
 * becomes a graph of tests. Each looks at one slot and says which test is next, up to true or
 * false. It answers only where nothing is out of the ordinary: where a slot is absent or of another
 * kind than the test is about, or a limit is near, it gives up, and the bytecode, which is complete
 * in itself, finds the result or the error from the start. So this has no meaning of its own: the
 * graph is read off the bytecode, and what it answers is what the bytecode answers.
 *
 * Immutable once made, part of the program's pool. No allocation, no lock, no system call in a run,
 * and no loop: at most QUICK_TESTS_MAX tests. Where bytes count as steps (contains, matches) a test
 * takes its share of the step budget at most.
 */
#ifndef CONDITION_QUICK_H
#define CONDITION_QUICK_H

#include "condition/condition.h"
#include "condition/limits.h"

struct cel_quick;

/* A test ends by calling the next, so that the processor can foresee each turn by itself. All of
 * condition_run()'s arguments come along, in registers, for the last one to answer or give up. */
typedef enum condition_status cel_quick_fn(const struct cel_quick *t,
                                           const struct condition_value *slots,
                                           struct condition_value *out, struct condition_diag *diag,
                                           const struct condition_input *in,
                                           const struct condition *cond);

struct cel_quick {
    cel_quick_fn *test;
    const struct cel_quick *yes;
    uint32_t at;   /* of the slot, in bytes */
    uint32_t size; /* of text; or an operator */
    union {
        uint64_t head;  /* the first 8 bytes of a string of that size */
        uint64_t bound; /* bytes that are within this test's share of the steps */
    };
    union {
        uint64_t text[2]; /* its first and last bytes, which may overlap */
        int64_t number;
        const struct condition_value *value;
        const void *table; /* a pattern, a set, text too long for the above */
        uint32_t parent;   /* of the slot, in bytes */
    } as;
    const struct cel_quick *no; /* NULL: the answer is false, as it mostly is */
    uint32_t more;              /* 1: behind it stands another text of the same list and width */
};

/* Runs the bytecode (condition.c). Not to be inlined: a test that calls it by its own arguments
 * leaves them where they are. */
cel_quick_fn cel_quick_give_up;

/* Makes program->quick: the first test, or one that gives up at once where the program is not of
 * this kind. False when out of memory. */
bool cel_quick_make(struct condition *program);

#endif
