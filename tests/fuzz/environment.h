/*
 * environment - the environments of the condition targets, made once and lent to one input after
 * the other: making one costs more than most inputs do.
 */
#ifndef TESTS_FUZZ_ENVIRONMENT_H
#define TESTS_FUZZ_ENVIRONMENT_H

#include "tests/fuzz/fuzz.h"

enum fuzz_env {
    FUZZ_ENV_CHECKED,   /* the variables of fuzz_variables[], any other name is dyn */
    FUZZ_ENV_UNCHECKED, /* the same without the checker */
    FUZZ_ENV_BARE,      /* no variables, no checker */
    FUZZ_ENV_TEXTS,     /* the strings s and p; patterns are constant */
    FUZZ_ENV_PATTERNS,  /* the strings s and p; a pattern may be an attribute */
    FUZZ_ENVS
};

struct fuzz_variable {
    const char *name;
    enum condition_kind kind;
};

extern const struct fuzz_variable fuzz_variables[];
extern const size_t fuzz_variable_count;

/* Lent, without a slot, until the next call for the same. */
struct condition_env *fuzz_env(enum fuzz_env which);

/* What condition.h promises of a message about source. */
void fuzz_check_diag(const struct condition_diag *diag, struct str source);

#endif
