/*
 * ast - the tree of one expression, between the parser and the code generator.
 *
 * Nodes live in the compiler's temporary pool. Each has the span of its text, [from, to), and a
 * second span, [at, at_to), of the token that a message points to (an operator, a field's name).
 */
#ifndef CONDITION_AST_H
#define CONDITION_AST_H

#include "condition/condition.h"
#include "condition/pool.h"

struct cel_type;
struct cel_function;

enum cel_node_kind {
    NODE_CONST,
    NODE_IDENT,    /* name; rooted if it began with a dot */
    NODE_SELECT,   /* target.name; optional: target.?name; test: has(target.name) */
    NODE_INDEX,    /* args[0] [ args[1] ]; optional: [? ] */
    NODE_CALL,     /* name(args) or target.name(args) */
    NODE_OPERATOR, /* op over args */
    NODE_AND,      /* two or more args */
    NODE_OR,
    NODE_TERNARY, /* args[0] ? args[1] : args[2] */
    NODE_LIST,    /* args; marks[i]: ?item */
    NODE_MAP,     /* key and value by turns; marks[i]: the i-th entry is ?key: value */
    NODE_FOLD,    /* a macro over target: fold says which, args: the filter (may be NULL), body */
    NODE_BIND,    /* cel.bind(variables[0], args[0], args[1]) */
    NODE_OPTMAP   /* args[0].optMap(variables[0], args[1]); flat: optFlatMap */
};

enum cel_operator {
    OPERATOR_ADD,
    OPERATOR_SUB,
    OPERATOR_MUL,
    OPERATOR_DIV,
    OPERATOR_MOD,
    OPERATOR_EQ,
    OPERATOR_NE,
    OPERATOR_LT,
    OPERATOR_LE,
    OPERATOR_GT,
    OPERATOR_GE,
    OPERATOR_IN,
    OPERATOR_NOT,
    OPERATOR_NEG
};

enum cel_fold {
    FOLD_ALL,
    FOLD_EXISTS,
    FOLD_EXISTS_ONE,
    FOLD_MAP, /* transformList too */
    FOLD_FILTER,
    FOLD_TRANSFORM_MAP,
    FOLD_TRANSFORM_ENTRY
};

/* What a name turned out to be. */
enum cel_reference { REFERENCE_NONE, REFERENCE_LOCAL, REFERENCE_SLOT, REFERENCE_CONST };

struct cel_node {
    uint8_t kind, op, fold;
    uint8_t variable_count;
    bool optional, test, rooted, flat, quoted;
    bool parenthesized;
    uint8_t reference;     /* IDENT, SELECT: after resolution */
    bool declared;         /* the slot is a declared variable as it stands */
    bool impure;           /* reads attributes or asks the host */
    uint32_t binder;       /* REFERENCE_LOCAL: number of the binder, outermost is 0 */
    uint32_t binder_least; /* least binder that this tree refers to; UINT32_MAX: none */
    uint32_t binder_depth; /* binders around this node */
    uint32_t from, to, at, at_to;
    uint32_t open, close; /* from and to with the parentheses around it */
    uint32_t height;      /* of the tree below, for CONDITION_HEIGHT_MAX */
    uint32_t index;       /* for explain: the number of this node, in source order */
    struct cel_text name;
    struct cel_text variables[2];
    struct condition_value value; /* CONST */
    struct cel_node *target;
    struct cel_node **args;
    bool *marks;
    uint32_t arg_count;
    uint32_t slot;   /* REFERENCE_SLOT */
    uint32_t *slots; /* further candidates of a container, tried before slot */
    uint32_t slots_count;
    uint32_t parent_slot;                /* has(): the slot of what the field is looked up in */
    const struct cel_function *function; /* CALL */
    const struct cel_type *type;
};

#endif
