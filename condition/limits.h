/*
 * limits - the bounds of the condition engine, each with its reason. Each has a test at the bound
 * and one past it (tests/condition/test_limits.c).
 */
#ifndef CONDITION_LIMITS_H
#define CONDITION_LIMITS_H

#define CEL_SOURCE_MAX (16u << 10) /* bytes of one condition: more than a page that people read */
#define CEL_NESTING_MAX 100u       /* brackets and ternaries in each other: parser recursion */
#define CEL_HEIGHT_MAX 250u        /* of the tree: a + b + c ... leans to the left */
#define CEL_CODE_MAX 16384u        /* instructions; jumps and tables count in 16 bits */
#define CEL_CONSTS_MAX 16384u
#define QUICK_TESTS_MAX 64u  /* of the short way: each calls the next, and takes 56 bytes */
#define CEL_STACK_MAX 256u   /* values: 4 KiB of the C stack in condition_run() */
#define CEL_LOOPS_MAX 8u     /* macros in each other */
#define CEL_FOLD_STEPS 20000 /* all folding of one compilation, so that compiling ends soon */
#define CEL_FOLD_SCRATCH (16u << 10)
#define CEL_PATTERN_MAX 1024u       /* bytes of a regular expression */
#define CEL_PATTERN_NESTING_MAX 50u /* groups in each other: PCRE2's compiler recurses */
#define CEL_SUBJECT_MAX 4096u       /* bytes that a regular expression is matched against */
#define CEL_FORMAT_PRECISION_MAX 100u

#endif
