/*
 * operate - the operators on values that the evaluator's instructions and the built-ins share.
 * Conventions as for cel_builtin: operands in place, a fault or FAULT_NONE.
 */
#ifndef CONDITION_OPERATE_H
#define CONDITION_OPERATE_H

#include "condition/ast.h"
#include "condition/eval.h"
#include "condition/regex.h"

/* What cel_compare() said, asked with op: < <= > >=. */
static inline bool cel_order_is(unsigned op, int order)
{
    switch (op) {
    case OPERATOR_LT: return order == -1;
    case OPERATOR_LE: return order == -1 || order == 0;
    case OPERATOR_GT: return order == 1;
    default: return order == 1 || order == 0;
    }
}

/* pair[0] := pair[0] op pair[1] */
enum cel_fault cel_add(struct cel_frame *f, struct condition_value *pair);
enum cel_fault cel_subtract(struct cel_frame *f, struct condition_value *pair);
enum cel_fault cel_multiply(struct cel_frame *f, struct condition_value *pair);
enum cel_fault cel_divide(struct cel_frame *f, struct condition_value *pair);
enum cel_fault cel_modulus(struct cel_frame *f, struct condition_value *pair);
enum cel_fault cel_negate(struct cel_frame *f, struct condition_value *v);
enum cel_fault cel_in(struct cel_frame *f, struct condition_value *pair);

/* v := v.name, v.?name, has(v.name) */
enum cel_fault cel_select(struct cel_frame *f, struct condition_value *v,
                          const struct condition_value *name, bool optional);
enum cel_fault cel_has(struct cel_frame *f, struct condition_value *v,
                       const struct condition_value *name);
/* v := v[key], v[?key] */
enum cel_fault cel_index(struct cel_frame *f, struct condition_value *v,
                         const struct condition_value *key, bool optional);

/* items[0] := the list of items[0..count), or the map of count entries. marks, if not NULL, has a
 * byte for each: 1 if it is an optional whose value, if any, is meant. */
enum cel_fault cel_make_list(struct cel_frame *f, struct condition_value *items, uint32_t count,
                             const struct condition_value *marks);
enum cel_fault cel_make_map(struct cel_frame *f, struct condition_value *items, uint32_t count,
                            const struct condition_value *marks);

/* v := v.matches(regex) */
enum cel_fault cel_match(struct cel_frame *f, struct condition_value *v,
                         const struct cel_regex *regex);
/* The first needle in text, or NULL; an empty needle is found at once. */
const char *cel_find(const char *text, size_t len, const char *needle, size_t needle_len);
/* Charges what comparing the two may cost; false: FAULT_STEPS. */
bool cel_charge_compare(struct cel_frame *f, const struct condition_value *a,
                        const struct condition_value *b);

#endif
