/*
 * fold - replaces subexpressions that read nothing by their values. The evaluator itself computes
 * them, so that a folded expression cannot mean anything else; what ends in an error or grows too
 * large is left as it is, and errs when it runs (or is absorbed).
 */
#include "condition/compiler.h"
#include "condition/limits.h"
#include "condition/program.h"
#include "condition/value.h"

#include <string.h>

static bool is_const(const struct cel_node *n)
{
    return n->kind == NODE_CONST;
}

static void become(struct cel_node *n, struct condition_value value)
{
    n->kind = NODE_CONST;
    n->value = value;
    n->impure = false;
    n->binder_least = UINT32_MAX;
}

/* A literal of constants needs no evaluator, and may be larger than its stack. */
static bool fold_list(struct cel_compiler *c, struct cel_node *n)
{
    struct condition_value list = {CONDITION_LIST, 0, 0, n->arg_count, {0}};
    struct condition_value *items;

    for (uint32_t i = 0; i < n->arg_count; i++)
        if (!is_const(n->args[i]) || n->marks[i])
            return false;
    items = cel_pool_take(&c->temp, n->arg_count * sizeof *items + 1);
    if (!items)
        return cel_fail_memory(c);
    for (uint32_t i = 0; i < n->arg_count; i++)
        items[i] = n->args[i]->value;
    list.as.items = items;
    become(n, list);
    return true;
}

/* Runs n by itself. False: it stays. */
static bool evaluate(struct cel_compiler *c, struct cel_node *n)
{
    struct condition *outer = c->program;
    struct condition_diag diag, *outer_diag = c->diag;
    struct condition program = {.env = c->env, .source = c->source, .source_len = c->source_len};
    struct cel_frame f;
    struct condition_value value;
    uint32_t pc;
    bool done = false;

    c->fold_steps -= 50; /* an attempt costs, even where it fails at once */
    c->program = &program;
    c->diag = &diag;
    done = cel_generate(c, n);
    c->program = outer;
    c->diag = outer_diag;
    if (c->status != CONDITION_NOMEM)
        c->status = CONDITION_OK; /* the same error is found again where it belongs */
    if (done) {
        memset(&f, 0, offsetof(struct cel_frame, texts));
        if (!c->fold_scratch)
            c->fold_scratch = cel_pool_take(&c->temp, CEL_FOLD_SCRATCH);
        f.scratch = c->fold_scratch;
        f.scratch_end = f.scratch ? f.scratch + CEL_FOLD_SCRATCH : NULL;
        f.steps = c->fold_steps < (int64_t)CONDITION_STEPS_MAX ? c->fold_steps
                                                               : (int64_t)CONDITION_STEPS_MAX;
        f.program = &program;
        f.may_allocate = true;
        int64_t before = f.steps;
        done = f.scratch && f.steps > 0 && cel_execute(&f, &value, &pc, NULL) == FAULT_NONE;
        c->fold_steps -= before - (f.steps < 0 ? 0 : f.steps) + program.code_count;
        if (done && f.scratch != c->fold_scratch)
            c->fold_scratch = NULL; /* the value may lie in it */
        if (done)
            become(n, value);
    }
    for (uint32_t i = 0; i < program.pattern_count; i++)
        cel_regex_free(program.patterns[i]);
    /* Constants of the little program may be part of the value. */
    if (done)
        cel_pool_adopt(&c->temp, &program.pool);
    else
        cel_pool_fini(&program.pool);
    return done;
}

static bool fold(struct cel_compiler *c, struct cel_node *n);

static bool fold_children(struct cel_compiler *c, struct cel_node *n)
{
    if (n->target && !fold(c, n->target))
        return false;
    for (uint32_t i = 0; i < n->arg_count; i++)
        if (n->args[i] && !fold(c, n->args[i]))
            return false;
    return true;
}

/* Whether n reads neither attributes nor variables of a macro around it. */
static bool worth(const struct cel_node *n)
{
    return !n->impure && n->binder_least == UINT32_MAX;
}

static bool fold(struct cel_compiler *c, struct cel_node *n)
{
    if (is_const(n))
        return true;
    if ((n->kind == NODE_IDENT || n->kind == NODE_SELECT) && n->reference == REFERENCE_CONST) {
        become(n, n->value);
        return true;
    }
    if ((n->kind == NODE_IDENT || n->kind == NODE_SELECT) && n->reference == REFERENCE_SLOT)
        return true;
    if (n->kind == NODE_LIST && !n->impure) {
        if (!fold_children(c, n) || c->status)
            return false;
        if (fold_list(c, n) || c->status)
            return c->status == CONDITION_OK;
    }
    if (worth(n) && c->fold_steps > 0 && evaluate(c, n))
        return true;
    if (c->status)
        return false;
    return n->kind == NODE_LIST && !n->impure ? true : fold_children(c, n);
}

bool cel_fold(struct cel_compiler *c, struct cel_node **root)
{
    c->fold_steps = CEL_FOLD_STEPS;
    return fold(c, *root);
}

/* The argument of a call that must be constant, or means more where it is; or NULL. */
static struct cel_node *constant_argument(const struct cel_node *n)
{
    cel_builtin *fn = n->kind == NODE_CALL && n->function ? n->function->builtin : NULL;

    if (n->arg_count + (n->target != NULL) != 2)
        return NULL;
    return fn == cel_fn_matches || fn == cel_fn_under || fn == cel_fn_matches_domain
               ? n->args[n->arg_count - 1]
               : NULL;
}

static bool fold_needed(struct cel_compiler *c, struct cel_node *n)
{
    struct cel_node *constant = constant_argument(n);

    if (n->target && n->reference == REFERENCE_NONE && !fold_needed(c, n->target))
        return false;
    for (uint32_t i = 0; i < n->arg_count; i++)
        if (n->args[i] && n->args[i] != constant && !fold_needed(c, n->args[i]))
            return false;
    return !constant || fold(c, constant);
}

bool cel_fold_needed(struct cel_compiler *c, struct cel_node *root)
{
    bool explaining = c->explaining, done;

    c->fold_steps = CEL_FOLD_STEPS;
    c->explaining = false; /* nobody asks for the values of its parts */
    done = fold_needed(c, root);
    c->explaining = explaining;
    return done;
}
