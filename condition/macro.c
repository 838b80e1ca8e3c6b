/*
 * macro - calls that are not functions: has, all, exists, exists_one, map, filter, the two-variable
 * forms, cel.bind, optMap and optFlatMap. A call with the name of a macro and another number of
 * arguments is an ordinary call.
 */
#include "condition/compiler.h"

#include <string.h>

static const struct macro {
    const char *name;
    uint8_t args;      /* in the parentheses */
    uint8_t variables; /* how many of them are names */
    bool filter;       /* a condition stands before the body */
    uint8_t fold;
} macros[] = {
    {"all", 2, 1, false, FOLD_ALL},
    {"all", 3, 2, false, FOLD_ALL},
    {"exists", 2, 1, false, FOLD_EXISTS},
    {"exists", 3, 2, false, FOLD_EXISTS},
    {"exists_one", 2, 1, false, FOLD_EXISTS_ONE},
    {"existsOne", 2, 1, false, FOLD_EXISTS_ONE},
    {"exists_one", 3, 2, false, FOLD_EXISTS_ONE},
    {"existsOne", 3, 2, false, FOLD_EXISTS_ONE},
    {"map", 2, 1, false, FOLD_MAP},
    {"map", 3, 1, true, FOLD_MAP},
    {"filter", 2, 1, false, FOLD_FILTER},
    {"transformList", 3, 2, false, FOLD_MAP},
    {"transformList", 4, 2, true, FOLD_MAP},
    {"transformMap", 3, 2, false, FOLD_TRANSFORM_MAP},
    {"transformMap", 4, 2, true, FOLD_TRANSFORM_MAP},
    {"transformMapEntry", 3, 2, false, FOLD_TRANSFORM_ENTRY},
    {"transformMapEntry", 4, 2, true, FOLD_TRANSFORM_ENTRY},
};

/* Takes the name that argument i is into n's variables. */
static bool take_variable(struct cel_compiler *c, struct cel_node *n, const struct cel_node *arg)
{
    if (arg->kind != NODE_IDENT || arg->rooted || arg->parenthesized)
        return cel_fail(c, CONDITION_SYNTAX, arg->from, arg->to,
                        "a macro's variable must be a simple name");
    for (uint8_t i = 0; i < n->variable_count; i++)
        if (cel_text_same(n->variables[i], arg->name))
            return cel_fail(c, CONDITION_SYNTAX, arg->from, arg->to,
                            "the two variables of a macro need different names");
    n->variables[n->variable_count++] = arg->name;
    return true;
}

static struct cel_node *shell(struct cel_compiler *c, const struct cel_node *call,
                              enum cel_node_kind kind, uint32_t args)
{
    struct cel_node *n = cel_node_new(c, kind, call->from, call->to, args);

    if (n) {
        n->at = call->at;
        n->at_to = call->at_to;
        n->height = call->height;
        n->name = call->name;
    }
    return n;
}

static struct cel_node *expand_fold(struct cel_compiler *c, struct cel_node *call,
                                    const struct macro *m)
{
    struct cel_node *n = shell(c, call, NODE_FOLD, 2);

    if (!n)
        return NULL;
    n->fold = m->fold;
    n->target = call->target;
    for (uint32_t i = 0; i < m->variables; i++)
        if (!take_variable(c, n, call->args[i]))
            return NULL;
    n->args[0] = m->filter ? call->args[m->variables] : NULL;
    n->args[1] = call->args[call->arg_count - 1];
    return n;
}

static struct cel_node *expand_has(struct cel_compiler *c, struct cel_node *call)
{
    struct cel_node *field = call->args[0];

    if (field->kind != NODE_SELECT || field->test) {
        cel_fail(c, CONDITION_SYNTAX, field->from, field->to,
                 "has() needs a field to ask for, as in has(user.plan)");
        return NULL;
    }
    field->test = true;
    field->from = field->open = call->from;
    field->to = field->close = call->to;
    return field;
}

static struct cel_node *expand_binding(struct cel_compiler *c, struct cel_node *call)
{
    struct cel_node *n;

    if (call->target->kind == NODE_IDENT && cel_text_is(call->target->name, "cel") &&
        cel_text_is(call->name, "bind") && call->arg_count == 3) {
        n = shell(c, call, NODE_BIND, 2);
        if (!n || !take_variable(c, n, call->args[0]))
            return NULL;
        n->args[0] = call->args[1];
        n->args[1] = call->args[2];
        return n;
    }
    if (call->arg_count == 2 &&
        (cel_text_is(call->name, "optMap") || cel_text_is(call->name, "optFlatMap"))) {
        n = shell(c, call, NODE_OPTMAP, 2);
        if (!n || !take_variable(c, n, call->args[0]))
            return NULL;
        n->flat = cel_text_is(call->name, "optFlatMap");
        n->args[0] = call->target;
        n->args[1] = call->args[1];
        return n;
    }
    return call;
}

struct cel_node *cel_expand_macro(struct cel_compiler *c, struct cel_node *call)
{
    if (!call->target)
        return cel_text_is(call->name, "has") && call->arg_count == 1 ? expand_has(c, call) : call;
    for (size_t i = 0; i < sizeof macros / sizeof *macros; i++)
        if (call->arg_count == macros[i].args && cel_text_is(call->name, macros[i].name))
            return expand_fold(c, call, &macros[i]);
    return expand_binding(c, call);
}
