/*
 * program - a compiled condition: bytecode and the tables that it refers to. Immutable.
 *
 * A stack machine. An instruction is 8 bytes: the operation, a byte a, 16 bits b and 32 bits k.
 * The height of the stack at each instruction is known when it is generated. Where a fault happens,
 * the first handler (innermost first) whose range holds the instruction gets it: the stack is cut
 * to the handler's height, the fault is pushed as a value of kind CEL_KIND_ERROR, and execution
 * goes on at the target, an instruction that knows what to do with it. Without a handler the run
 * ends. So no instruction on the way pays for errors.
 */
#ifndef CONDITION_PROGRAM_H
#define CONDITION_PROGRAM_H

#include "condition/condition.h"
#include "condition/env.h"
#include "condition/eval.h"
#include "condition/pool.h"
#include "condition/quick.h"
#include "condition/regex.h"

/* name, operands and effect. In the table: s the slot, c a constant, t the target of a jump. */
/* clang-format off */
#define CEL_OPS(X) \
    X(CONST)      /* k: constant; push it */ \
    X(SLOT)       /* k: slot; push its value, or FAULT_ABSENT */ \
    X(SLOT_OR)    /* k: slot, b: instructions to skip; if present push it and skip */ \
    X(LOCAL)      /* k: stack index; push a copy */ \
    X(BOUND)      /* as LOCAL, of cel.bind: raises it if it is an error that waits there */ \
    X(HAS_SLOT)   /* k: slot, b: slot of its parent; a: 1 if a declared variable */ \
    X(SELECT)     /* k: constant name; a field of the top, which may be an optional */ \
    X(SELECT_OPT) /* k: constant name; optional field */ \
    X(HAS)        /* k: constant name */ \
    X(INDEX)      /* [container, key] -> value */ \
    X(INDEX_OPT) \
    X(ADD) \
    X(SUB) \
    X(MUL) \
    X(DIV) \
    X(MOD) \
    X(NEG) \
    X(NOT) \
    X(EQ) \
    X(NE) \
    X(LT) \
    X(LE) \
    X(GT) \
    X(GE) \
    X(IN) \
    X(SLOT_EQ)    /* k: slot, b: constant, a: 1 to negate */ \
    X(SLOT_ORDER) /* k: slot, b: constant, a: enum cel_operator */ \
    X(SLOT_IN)    /* k: slot, b: constant list, a: 1 if all of it is strings */ \
    X(SLOT_TEXT)  /* k: slot, b: constant, a: 0 contains, 1 startsWith, 2 endsWith, 3 equals, + 4 */ \
    X(SLOT_MATCH) /* k: slot, b: pattern */ \
    X(IN_SET)     /* k: set of strings; top in it */ \
    X(TEXT)       /* k: constant, a as in SLOT_TEXT: about the top */ \
    X(MATCH)      /* k: pattern; the top against it */ \
    X(CALL)       /* k: call, a: arguments */ \
    X(CALL_HOST)  /* k: call, a: arguments */ \
    X(UNKNOWN)    /* k: call: no such function; raises */ \
    X(LIST)       /* k: items on the stack; a: 1 if some may be optional (b: constant mask) */ \
    X(MAP)        /* k: entries on the stack, key and value by turns; a, b as LIST */ \
    X(JUMP)       /* k: target */ \
    X(BRANCH)     /* k: target if the top is false; pops it */ \
    X(AND_FIRST)  /* k: end; false goes there */ \
    X(AND_NEXT)   /* k: end; [acc, value]: false goes there as acc */ \
    X(AND_LAST) \
    X(OR_FIRST) \
    X(OR_NEXT) \
    X(OR_LAST) \
    X(LOOP)       /* a: enum cel_fold, b: variables; [range] -> [range, acc, at, variables] */ \
    X(NEXT)       /* k: end, a: variables, b: instructions of the body */ \
    X(WHERE)      /* k: the loop's NEXT; pops a bool, goes there if it is false */ \
    X(STEP_ALL) \
    X(STEP_EXISTS) \
    X(STEP_ONE)   /* k: the loop's NEXT */ \
    X(STEP_LIST) \
    X(STEP_MAP) \
    X(STEP_ENTRY) \
    X(END_LOOP)   /* a: enum cel_fold, b: variables; leaves the result */ \
    X(SLIDE)      /* [x, y] -> [y] */ \
    X(OTHERWISE)  /* k: end, a: 1 to unwrap; an optional that has a value is the result, goes there */ \
    X(UNWRAP)     /* k: end; [optional] -> [value], or goes there if it is none */ \
    X(WRAP)       /* [x, y] -> [optional.of(y)] */ \
    X(FLAT)       /* [x, y] -> [y], which must be an optional */ \
    X(NOTE)       /* k: node; the top is its value */ \
    X(RETURN)
/* clang-format on */

enum cel_op {
#define X(name) CEL_##name,
    CEL_OPS(X)
#undef X
};

struct cel_instruction {
    uint8_t op, a;
    uint16_t b;
    uint32_t k;
};

struct cel_span {
    uint32_t from, to;
    uint32_t slot_from, slot_to; /* of the attribute that a fused instruction reads */
};

struct cel_handler {
    uint32_t from, to; /* instructions [from, to) */
    uint32_t target;
    uint32_t height;
};

struct cel_call {
    const struct cel_function *function; /* NULL: none of that name */
    cel_builtin *builtin;
    struct cel_text name;
};

/* A constant list of strings as a hash table: in for long lists. */
struct cel_string_set {
    uint32_t mask;          /* slots - 1 */
    const uint32_t *places; /* index + 1 into items, or 0 */
    const struct condition_value *items;
};

struct cel_read {
    uint32_t slot;
    const char *path;
};

struct condition {
    const struct cel_quick *quick; /* the short way; see quick.h */
    uint32_t slot_limit;           /* one more than the highest slot read */
    struct cel_pool pool;
    struct condition_env *env; /* for condition_explain() alone */
    const char *source;
    uint32_t source_len;
    const char *result_type;

    struct cel_instruction *code;
    struct cel_span *spans; /* one an instruction */
    uint32_t code_count, code_capacity, span_capacity;
    struct condition_value *consts;
    uint32_t const_count, const_capacity;
    struct cel_handler *handlers; /* inner before outer */
    uint32_t handler_count, handler_capacity;
    struct cel_call *calls;
    uint32_t call_count, call_capacity;
    struct cel_regex **patterns;
    uint32_t pattern_count, pattern_capacity;
    struct cel_string_set *sets;
    uint32_t set_count, set_capacity;
    struct cel_read *reads;
    uint32_t read_count, read_capacity;
    uint32_t stack_max;

    condition_segment_fn *segment_fn;
    const struct cel_env_zone *zones; /* not NULL where a zone is not constant */
    bool may_allocate;
};

/* What explanation saw of one node: its first value. */
struct cel_note {
    uint32_t from, to;
    unsigned depth;
    bool seen;
    struct condition_value value;
    char error[sizeof((struct condition_diag *)0)->msg]; /* that && or || took up; or "" */
};
/* Keeps the error that f just met at pc (explain.c). */
void cel_note_error(struct cel_note *note, const struct cel_frame *f, enum cel_fault fault,
                    uint32_t pc);

const char *cel_op_name(unsigned op);
/* Looks text up in a set. */
bool cel_set_has(const struct cel_string_set *set, const char *at, uint32_t len);
uint32_t cel_set_hash(const char *at, uint32_t len);

#endif
