/*
 * compiler - the state of one compilation, and its passes in the order they run:
 *
 *     cel_parse -> cel_check (names and types) -> cel_fold (constants) -> cel_generate (bytecode)
 *
 * A pass returns false (or NULL) after the first error, which stands in status and *diag.
 */
#ifndef CONDITION_COMPILER_H
#define CONDITION_COMPILER_H

#include "condition/ast.h"
#include "condition/condition.h"
#include "condition/lexer.h"
#include "condition/pool.h"

struct cel_type;

struct cel_compiler {
    struct condition_env *env;
    const char *source;
    uint32_t source_len;
    struct cel_pool temp; /* the tree; gone when compilation ends */
    struct condition *program;
    enum condition_status status;
    struct condition_diag *diag; /* never NULL */
    bool explaining;             /* every subexpression keeps its own value: no folding */

    /* parser */
    struct cel_lexer lexer;
    uint32_t depth;
    uint32_t node_count;

    /* checker */
    const struct cel_type **bound; /* what each type variable stands for, or NULL */
    uint32_t bound_count, bound_capacity;
    struct cel_undo {
        uint32_t id;
        const struct cel_type *was;
    } * trail;
    uint32_t trail_count, trail_capacity;
    struct cel_scope *scope; /* innermost binder, or NULL */
    uint32_t scope_depth;

    /* folding */
    int64_t fold_steps; /* left for all folding of this program */
    char *fold_scratch; /* one that nothing points into yet, or NULL */
};

/* Records the first error and returns false. */
bool cel_fail(struct cel_compiler *c, enum condition_status status, uint32_t from, uint32_t to,
              const char *fmt, ...) __attribute__((format(printf, 5, 6)));
bool cel_fail_memory(struct cel_compiler *c);
/* Adds "did you mean '...'?" to the error just recorded; NULL or "" adds nothing. */
void cel_fail_hint(struct cel_compiler *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

struct cel_node *cel_parse(struct cel_compiler *c);
/* A node of kind with room for args arguments; NULL when out of memory (recorded). */
struct cel_node *cel_node_new(struct cel_compiler *c, enum cel_node_kind kind, uint32_t from,
                              uint32_t to, uint32_t args);
/* Turns a call that is a macro into its node; returns call itself if it is none, NULL after an
 * error. */
struct cel_node *cel_expand_macro(struct cel_compiler *c, struct cel_node *call);

bool cel_check(struct cel_compiler *c, struct cel_node *root);
bool cel_fold(struct cel_compiler *c, struct cel_node **root);
/* For an explanation, which keeps everything else: what must be constant where it stands. */
bool cel_fold_needed(struct cel_compiler *c, struct cel_node *root);
bool cel_generate(struct cel_compiler *c, struct cel_node *root);

/* ---- diag.c ---- */

/* Sets line and column of diag from diag->from. */
void cel_diag_place(struct condition_diag *diag, const char *source, size_t len);

/* The nearest of the names offered so far to the one wanted, for hints. */
struct cel_nearest {
    const char *wanted;
    uint32_t distance; /* of best */
    char best[80];     /* "" if nothing is near enough */
};
void cel_nearest_init(struct cel_nearest *nearest, const char *wanted);
void cel_nearest_offer(struct cel_nearest *nearest, const char *name);

#endif
