/*
 * explain - the value of every subexpression of a run. The inside of condition_explain().
 */
#ifndef CONDITION_EXPLAIN_H
#define CONDITION_EXPLAIN_H

#include "condition/compiler.h"
#include "condition/program.h"

struct cel_notes {
    struct cel_note *notes; /* by node number */
    uint32_t *order;        /* node numbers in source order, outermost first */
    uint32_t count;         /* of order */
};

/* Makes the notes of a tree in the program's pool; false when out of memory. */
bool cel_notes_make(struct cel_compiler *c, const struct cel_node *root, struct cel_notes *notes);

/* condition_compile() without folding, every subexpression noted. */
enum condition_status cel_compile_explaining(struct condition_env *env, const char *source,
                                             size_t len, struct condition **out,
                                             struct condition_diag *diag, struct cel_notes *notes);
enum condition_status cel_run_noting(const struct condition *cond, const struct condition_input *in,
                                     struct condition_value *out, struct condition_diag *diag,
                                     struct cel_note *notes);

#endif
