/*
 * cases - runs a file of test cases in the format of the CEL conformance file: a document with a
 * list "tests", each with expr, expect and what it needs (bindings, type_env, container, ...).
 */
#ifndef CONDITION_PROGRAM_CASES_H
#define CONDITION_PROGRAM_CASES_H

#include <stddef.h>
#include <stdio.h>

#include "base/err.h"

struct cases_result {
    size_t passed, failed;
};

/* Runs every case of the file whose tier is tier (0: all). Each failure is a line on out. */
MUST_USE enum err_code cases_run(const char *path, int tier, FILE *out, struct cases_result *result,
                                 struct err *err);

#endif
