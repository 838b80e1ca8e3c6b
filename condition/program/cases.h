/*
 * cases - runs a file of test cases in the format of the CEL conformance file: a document with a
 * list "tests", each with expr, expect and what it needs (bindings, type_env, container, ...).
 */
#ifndef CONDITION_PROGRAM_CASES_H
#define CONDITION_PROGRAM_CASES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "condition/condition.h"

/* Roomy: the cases are about results, not about limits. */
#define CASES_SCRATCH_BYTES (64u << 10)

struct cases_result {
    size_t passed, failed;
};

/* Runs every case of the file whose tier is tier (0: all), or with printed the canonical source of
 * every case, which must be printed the same again. Each failure is a line on out. */
MUST_USE enum err_code cases_run(const char *path, int tier, bool printed, FILE *out,
                                 struct cases_result *result, struct err *err);

/* ---- the same in steps, case by case ---- */

/* Reads the file; json_free() the document after the last case of it was closed. */
MUST_USE enum err_code cases_read(const char *path, struct json **document, struct err *err);

/* One case, ready to run. */
struct cases_case {
    const struct json *test;
    const char *source; /* not NUL-terminated: CEL's strings may hold one */
    size_t source_len;
    struct condition_env *env;
    struct condition *cond; /* NULL: it does not compile, see status and diag */
    struct condition_input in;
    struct condition_value wanted, value;
    enum condition_status status;
    struct condition_diag diag;
    struct arena arena;
};

/* Compiles one of the document's "tests" and fills its slots. False: the case itself is bad, with
 * a reason in diag. cases_close() either way. */
MUST_USE bool cases_open(struct cases_case *c, const struct json *test);
/* Replaces the program by its canonical source's; false with a reason in diag. */
MUST_USE bool cases_reprint(struct cases_case *c);
/* Runs the case and says whether the outcome is what it expects; allocates nothing. */
MUST_USE bool cases_check(struct cases_case *c, char *scratch, size_t scratch_bytes);
void cases_report(const struct cases_case *c, FILE *out);
void cases_close(struct cases_case *c);

#endif
