/*
 * check - names and types. Every name becomes a local, a slot or a constant; every call its
 * function; every node a type. Where the environment asks for no check, names are resolved all the
 * same, everything is dyn, and what would be an error here is one when it runs.
 *
 * A chain of plain field selections (user.address.city) is one slot: the host resolves it once.
 */
#include "condition/check.h"

#include "condition/env.h"
#include "condition/limits.h"
#include "condition/value.h"

#include <stdio.h>
#include <string.h>

const struct cel_type *cel_dyn(void)
{
    return cel_type_of(TYPE_DYN);
}

const char *cel_show_type(struct cel_compiler *c, const struct cel_type *type, char out[100])
{
    cel_type_print(cel_type_resolve(c, type, true), out, 100);
    return out;
}

/* Notes in parent what is below it: impurity and the outermost binder referred to. */
static void inherit(struct cel_node *parent, const struct cel_node *child)
{
    parent->impure |= child->impure;
    if (child->binder_least < parent->binder_least)
        parent->binder_least = child->binder_least;
}

/* Checks child as part of parent. */
const struct cel_type *cel_check_part(struct cel_compiler *c, struct cel_node *parent,
                                      struct cel_node *child)
{
    const struct cel_type *type = cel_check_node(c, child);

    inherit(parent, child);
    return type;
}

bool cel_typed(const struct cel_compiler *c)
{
    return c->env->check;
}

/* ---- operators ---- */

struct signature {
    uint8_t op;
    const char *params[2];
    const char *result;
};

static const struct signature signatures[] = {
    {OPERATOR_ADD, {"int", "int"}, "int"},
    {OPERATOR_ADD, {"uint", "uint"}, "uint"},
    {OPERATOR_ADD, {"double", "double"}, "double"},
    {OPERATOR_ADD, {"string", "string"}, "string"},
    {OPERATOR_ADD, {"bytes", "bytes"}, "bytes"},
    {OPERATOR_ADD, {"list(A)", "list(A)"}, "list(A)"},
    {OPERATOR_ADD, {"timestamp", "duration"}, "timestamp"},
    {OPERATOR_ADD, {"duration", "timestamp"}, "timestamp"},
    {OPERATOR_ADD, {"duration", "duration"}, "duration"},
    {OPERATOR_SUB, {"int", "int"}, "int"},
    {OPERATOR_SUB, {"uint", "uint"}, "uint"},
    {OPERATOR_SUB, {"double", "double"}, "double"},
    {OPERATOR_SUB, {"timestamp", "timestamp"}, "duration"},
    {OPERATOR_SUB, {"timestamp", "duration"}, "timestamp"},
    {OPERATOR_SUB, {"duration", "duration"}, "duration"},
    {OPERATOR_MUL, {"int", "int"}, "int"},
    {OPERATOR_MUL, {"uint", "uint"}, "uint"},
    {OPERATOR_MUL, {"double", "double"}, "double"},
    {OPERATOR_DIV, {"int", "int"}, "int"},
    {OPERATOR_DIV, {"uint", "uint"}, "uint"},
    {OPERATOR_DIV, {"double", "double"}, "double"},
    {OPERATOR_MOD, {"int", "int"}, "int"},
    {OPERATOR_MOD, {"uint", "uint"}, "uint"},
    {OPERATOR_EQ, {"A", "A"}, "bool"},
    {OPERATOR_IN, {"A", "list(A)"}, "bool"},
    {OPERATOR_IN, {"A", "map(A,B)"}, "bool"},
    {OPERATOR_NOT, {"bool", NULL}, "bool"},
    {OPERATOR_NEG, {"int", NULL}, "int"},
    {OPERATOR_NEG, {"double", NULL}, "double"},
};

static const char *operator_text(unsigned op)
{
    static const char *const texts[] = {
        "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "in", "!", "-"};

    return texts[op];
}

/* <, <=, >, >= over every ordered type; numbers of unlike types too. */
static bool ordered(struct cel_compiler *c, const struct cel_type *a, const struct cel_type *b)
{
    static const uint8_t kinds[] = {TYPE_BOOL,   TYPE_INT,   TYPE_UINT,      TYPE_DOUBLE,
                                    TYPE_STRING, TYPE_BYTES, TYPE_TIMESTAMP, TYPE_DURATION};
    const struct cel_type *from[] = {a, b};

    for (size_t i = 0; i < sizeof kinds; i++) {
        const struct cel_type *to[] = {cel_type_of(kinds[i]), cel_type_of(kinds[i])};
        if (cel_types_assignable(c, to, from, 2))
            return true;
    }
    return (a->kind == TYPE_INT || a->kind == TYPE_UINT || a->kind == TYPE_DOUBLE) &&
           (b->kind == TYPE_INT || b->kind == TYPE_UINT || b->kind == TYPE_DOUBLE);
}

static const struct cel_type *fail_operator(struct cel_compiler *c, const struct cel_node *n,
                                            const struct cel_type *const *types)
{
    char left[100], right[100];

    cel_show_type(c, types[0], left);
    if (n->arg_count == 1) {
        cel_fail(c, CONDITION_TYPE, n->from, n->to, "there is no '%s' for a value of type %s",
                 operator_text(n->op), left);
        return cel_dyn();
    }
    cel_show_type(c, types[1], right);
    cel_fail(c, CONDITION_TYPE, n->from, n->to, "there is no '%s' between %s and %s",
             operator_text(n->op), left, right);
    if (n->op <= OPERATOR_MOD && strcmp(left, right) != 0)
        cel_fail_hint(c, "convert one side, for example with %s(...)", left);
    return cel_dyn();
}

static const struct cel_type *check_operator(struct cel_compiler *c, struct cel_node *n)
{
    const struct cel_type *types[2] = {0}, *result = NULL;
    uint8_t op = n->op == OPERATOR_NE ? OPERATOR_EQ : n->op;

    for (uint32_t i = 0; i < n->arg_count; i++)
        types[i] = cel_type_resolve(c, cel_check_part(c, n, n->args[i]), false);
    if (!cel_typed(c) || c->status)
        return cel_dyn();
    if (op >= OPERATOR_LT && op <= OPERATOR_GE)
        return ordered(c, types[0], types[1]) ? cel_type_of(TYPE_BOOL) : fail_operator(c, n, types);
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
        struct cel_overload o = {.param_count = n->arg_count};
        const struct cel_type *params[2] = {0}, *found;
        const char *at;
        if (signatures[i].op != op)
            continue;
        for (uint32_t p = 0; p < n->arg_count; p++) {
            at = signatures[i].params[p];
            params[p] = cel_type_parse(&c->temp, &at);
        }
        at = signatures[i].result;
        o.result = cel_type_parse(&c->temp, &at);
        o.params = params;
        if (c->temp.failed) {
            cel_fail_memory(c);
            return cel_dyn();
        }
        found = cel_try_overload(c, &o, types, n->arg_count);
        if (found)
            result = cel_merge_types(result, found);
    }
    return result ? result : fail_operator(c, n, types);
}

static const struct cel_type *check_bools(struct cel_compiler *c, struct cel_node *n)
{
    for (uint32_t i = 0; i < n->arg_count; i++) {
        const struct cel_type *type = cel_check_part(c, n, n->args[i]);
        char text[100];
        if (cel_typed(c) && !c->status && !cel_type_assignable(c, cel_type_of(TYPE_BOOL), type)) {
            cel_fail(c, CONDITION_TYPE, n->args[i]->from, n->args[i]->to,
                     "each side of '%s' must be a bool, this one is of type %s",
                     n->kind == NODE_AND ? "&&" : "||", cel_show_type(c, type, text));
        }
    }
    return cel_type_of(TYPE_BOOL);
}

static const struct cel_type *check_ternary(struct cel_compiler *c, struct cel_node *n)
{
    const struct cel_type *types[3], *joined;
    char left[100], right[100];

    for (uint32_t i = 0; i < 3; i++)
        types[i] = cel_check_part(c, n, n->args[i]);
    if (!cel_typed(c) || c->status)
        return cel_dyn();
    if (!cel_type_assignable(c, cel_type_of(TYPE_BOOL), types[0])) {
        cel_fail(c, CONDITION_TYPE, n->args[0]->from, n->args[0]->to,
                 "what stands before '?' must be a bool, this is of type %s",
                 cel_show_type(c, types[0], left));
        return cel_dyn();
    }
    if (cel_type_assignable(c, types[1], types[2])) {
        joined = cel_type_join(c, types[1], types[2]);
        return cel_type_resolve(c, joined, false);
    }
    cel_fail(c, CONDITION_TYPE, n->from, n->to,
             "both results of '?:' must be of one type, these are %s and %s",
             cel_show_type(c, types[1], left), cel_show_type(c, types[2], right));
    cel_fail_hint(c, "dyn(...) around one of them leaves the type open");
    return cel_dyn();
}

static const struct cel_type *check_index(struct cel_compiler *c, struct cel_node *n)
{
    const struct cel_type *container = cel_type_resolve(c, cel_check_part(c, n, n->args[0]), false);
    const struct cel_type *key = cel_check_part(c, n, n->args[1]), *result;
    char text[100], key_text[100];
    bool optional = cel_type_is_optional(container);

    if (!cel_typed(c) || c->status)
        return cel_dyn();
    if (optional)
        container = cel_type_resolve(c, container->params[0], false);
    if (container->kind == TYPE_LIST && cel_type_assignable(c, cel_type_of(TYPE_INT), key)) {
        result = container->params[0];
    } else if (container->kind == TYPE_MAP && cel_type_assignable(c, container->params[0], key)) {
        result = container->params[1];
    } else if (container->kind == TYPE_DYN || container->kind == TYPE_PARAM) {
        result = cel_dyn();
    } else {
        cel_fail(c, CONDITION_TYPE, n->at, n->at_to, "a value of type %s has no index of type %s",
                 cel_show_type(c, container, text), cel_show_type(c, key, key_text));
        return cel_dyn();
    }
    return optional || n->optional ? cel_type_optional(&c->temp, result) : result;
}

/* ---- literals ---- */

/* The type inside an entry that is marked with ?, which must be an optional. */
static const struct cel_type *marked(struct cel_compiler *c, const struct cel_node *n,
                                     const struct cel_type *type)
{
    const struct cel_type *inner, *wanted;
    char text[100];

    type = cel_type_resolve(c, type, false);
    if (cel_type_is_optional(type))
        return type->params[0];
    inner = cel_type_fresh(c);
    wanted = cel_type_optional(&c->temp, inner);
    if (!cel_typed(c) || !wanted || type->kind == TYPE_DYN)
        return cel_dyn();
    if (!cel_type_assignable(c, wanted, type))
        cel_fail(c, CONDITION_TYPE, n->from, n->to,
                 "an entry with ? needs an optional value, this is of type %s",
                 cel_show_type(c, type, text));
    return inner;
}

static const struct cel_type *check_list(struct cel_compiler *c, struct cel_node *n)
{
    const struct cel_type *item = NULL, *list;

    for (uint32_t i = 0; i < n->arg_count && !c->status; i++) {
        const struct cel_type *type = cel_check_part(c, n, n->args[i]);
        if (n->marks[i])
            type = marked(c, n->args[i], type);
        item = cel_type_join(c, item, type);
    }
    list = cel_type_list(&c->temp, item ? item : cel_type_fresh(c));
    return list ? list : cel_dyn();
}

static const struct cel_type *check_map(struct cel_compiler *c, struct cel_node *n)
{
    const struct cel_type *key = NULL, *value = NULL, *map;
    char text[100];

    for (uint32_t i = 0; i + 1 < n->arg_count && !c->status; i += 2) {
        const struct cel_type *k = cel_check_part(c, n, n->args[i]),
                              *v = cel_check_part(c, n, n->args[i + 1]);
        const struct cel_type *plain = cel_type_resolve(c, k, false);
        if (cel_typed(c) && plain->kind != TYPE_DYN && plain->kind != TYPE_PARAM &&
            plain->kind != TYPE_BOOL && plain->kind != TYPE_INT && plain->kind != TYPE_UINT &&
            plain->kind != TYPE_STRING)
            cel_fail(c, CONDITION_TYPE, n->args[i]->from, n->args[i]->to,
                     "a map's key must be int, uint, bool or string, this is of type %s",
                     cel_show_type(c, k, text));
        if (n->marks[i / 2])
            v = marked(c, n->args[i + 1], v);
        key = cel_type_join(c, key, k);
        value = cel_type_join(c, value, v);
    }
    map = cel_type_map(&c->temp, key ? key : cel_type_fresh(c), value ? value : cel_type_fresh(c));
    return map ? map : cel_dyn();
}

/* ---- binders ---- */

static bool open_scope(struct cel_compiler *c, struct cel_scope *scope, const struct cel_node *n)
{
    scope->outer = c->scope;
    scope->count = n->variable_count;
    scope->number = c->scope_depth;
    for (uint32_t i = 0; i < scope->count; i++) {
        scope->names[i] = n->variables[i];
        scope->types[i] = cel_dyn();
    }
    if (c->scope_depth >= CEL_LOOPS_MAX)
        return cel_fail(c, CONDITION_EXHAUSTED, n->from, n->to,
                        "macros are nested too deeply (at most %u)", CEL_LOOPS_MAX);
    c->scope = scope;
    c->scope_depth++;
    return true;
}

static void close_scope(struct cel_compiler *c, struct cel_node *n)
{
    c->scope = c->scope->outer;
    c->scope_depth--;
    /* What refers to this binder's own variables is closed at n. */
    if (n->binder_least != UINT32_MAX && n->binder_least >= c->scope_depth)
        n->binder_least = UINT32_MAX;
}

static bool must_be_bool(struct cel_compiler *c, const struct cel_node *n,
                         const struct cel_type *type)
{
    char text[100];

    if (!cel_typed(c) || c->status || cel_type_assignable(c, cel_type_of(TYPE_BOOL), type))
        return true;
    return cel_fail(c, CONDITION_TYPE, n->from, n->to,
                    "this condition must be a bool, it is of type %s",
                    cel_show_type(c, type, text));
}

static void bind_range(struct cel_compiler *c, const struct cel_node *n,
                       const struct cel_type *range, struct cel_scope *scope)
{
    char text[100];

    if (range->kind == TYPE_LIST) {
        scope->types[scope->count - 1] = range->params[0];
        if (scope->count == 2)
            scope->types[0] = cel_type_of(TYPE_INT);
    } else if (range->kind == TYPE_MAP) {
        scope->types[0] = range->params[0];
        if (scope->count == 2)
            scope->types[1] = range->params[1];
    } else if (cel_typed(c) && !c->status && range->kind != TYPE_DYN && range->kind != TYPE_PARAM) {
        cel_fail(c, CONDITION_TYPE, n->target->from, n->target->to,
                 "%.*s() works on lists and maps, this is of type %s", (int)n->name.len, n->name.at,
                 cel_show_type(c, range, text));
    }
}

static const struct cel_type *fold_result(struct cel_compiler *c, const struct cel_node *n,
                                          const struct cel_scope *scope,
                                          const struct cel_type *body)
{
    const struct cel_type *type;

    switch (n->fold) {
    case FOLD_ALL:
    case FOLD_EXISTS:
    case FOLD_EXISTS_ONE: must_be_bool(c, n->args[1], body); return cel_type_of(TYPE_BOOL);
    case FOLD_FILTER:
        must_be_bool(c, n->args[1], body);
        type = cel_type_list(&c->temp, scope->types[0]);
        break;
    case FOLD_MAP: type = cel_type_list(&c->temp, body); break;
    case FOLD_TRANSFORM_MAP: type = cel_type_map(&c->temp, scope->types[0], body); break;
    default: type = body;
    }
    return type ? type : cel_dyn();
}

static const struct cel_type *check_fold(struct cel_compiler *c, struct cel_node *n)
{
    const struct cel_type *range = cel_type_resolve(c, cel_check_part(c, n, n->target), false),
                          *type;
    struct cel_scope scope;

    if (c->status || !open_scope(c, &scope, n))
        return cel_dyn();
    bind_range(c, n, range, &scope);
    if (n->args[0])
        must_be_bool(c, n->args[0], cel_check_part(c, n, n->args[0]));
    type = c->status ? cel_dyn() : cel_check_part(c, n, n->args[1]);
    if (!c->status)
        type = fold_result(c, n, &scope, type);
    close_scope(c, n);
    return type;
}

/* cel.bind and optMap: one variable, one body. */
static const struct cel_type *check_binding(struct cel_compiler *c, struct cel_node *n)
{
    const struct cel_type *value = cel_type_resolve(c, cel_check_part(c, n, n->args[0]), false),
                          *type;
    struct cel_scope scope;
    char text[100];

    if (c->status || !open_scope(c, &scope, n))
        return cel_dyn();
    if (n->kind == NODE_BIND) {
        scope.types[0] = value;
    } else if (cel_type_is_optional(value)) {
        scope.types[0] = value->params[0];
    } else if (cel_typed(c) && value->kind != TYPE_DYN && value->kind != TYPE_PARAM) {
        cel_fail(c, CONDITION_TYPE, n->args[0]->from, n->args[0]->to,
                 "%.*s() works on optionals, this is of type %s", (int)n->name.len, n->name.at,
                 cel_show_type(c, value, text));
    }
    type = c->status ? cel_dyn() : cel_check_part(c, n, n->args[1]);
    close_scope(c, n);
    if (n->kind == NODE_OPTMAP && !n->flat)
        type = cel_type_optional(&c->temp, type);
    return type ? type : cel_dyn();
}

static const struct cel_type *check_kind(struct cel_compiler *c, struct cel_node *n)
{
    switch (n->kind) {
    case NODE_CONST: return cel_type_of_kind(n->value.kind);
    case NODE_IDENT: return cel_check_ident(c, n);
    case NODE_SELECT: return cel_check_select(c, n);
    case NODE_INDEX: return check_index(c, n);
    case NODE_CALL: return cel_check_call(c, n);
    case NODE_OPERATOR: return check_operator(c, n);
    case NODE_AND:
    case NODE_OR: return check_bools(c, n);
    case NODE_TERNARY: return check_ternary(c, n);
    case NODE_LIST: return check_list(c, n);
    case NODE_MAP: return check_map(c, n);
    case NODE_FOLD: return check_fold(c, n);
    default: return check_binding(c, n);
    }
}

const struct cel_type *cel_check_node(struct cel_compiler *c, struct cel_node *n)
{
    n->binder_depth = c->scope_depth;
    n->type = c->status ? cel_dyn() : check_kind(c, n);
    if (!n->type) {
        if (!c->status)
            cel_fail_memory(c);
        n->type = cel_dyn();
    }
    return n->type;
}

bool cel_check(struct cel_compiler *c, struct cel_node *root)
{
    cel_check_node(c, root);
    if (c->temp.failed || c->env->pool.failed)
        return cel_fail_memory(c);
    return c->status == CONDITION_OK;
}
