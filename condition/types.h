/*
 * types - what the checker knows about a value: int, list(string), map(string, A), dyn ...
 *
 * Types are immutable and live in a pool (the environment's or the compiler's). Those without
 * parameters are shared; compare them with cel_type_same(), not by address.
 */
#ifndef CONDITION_TYPES_H
#define CONDITION_TYPES_H

#include "condition/condition.h"
#include "condition/pool.h"

enum cel_type_kind {
    TYPE_DYN,
    TYPE_NULL,
    TYPE_BOOL,
    TYPE_INT,
    TYPE_UINT,
    TYPE_DOUBLE,
    TYPE_STRING,
    TYPE_BYTES,
    TYPE_TIMESTAMP,
    TYPE_DURATION,
    TYPE_TYPE,
    TYPE_LIST,
    TYPE_MAP,
    TYPE_ABSTRACT, /* by name: optional_type(A), net.IP, what a host declares */
    TYPE_PARAM     /* A; in the checker with a number of its own */
};

struct cel_type {
    uint8_t kind;
    uint8_t count;
    uint32_t id; /* PARAM in the checker: index into compiler.bound */
    const char *name;
    const struct cel_type *params[3];
};

/* The shared type of a kind that takes no parameters (LIST, MAP: of dyn). */
const struct cel_type *cel_type_of(enum cel_type_kind kind);
const struct cel_type *cel_type_of_kind(enum condition_kind kind);
const struct cel_type *cel_type_list(struct cel_pool *pool, const struct cel_type *item);
const struct cel_type *cel_type_map(struct cel_pool *pool, const struct cel_type *key,
                                    const struct cel_type *value);
const struct cel_type *cel_type_optional(struct cel_pool *pool, const struct cel_type *of);
bool cel_type_is_optional(const struct cel_type *type);

/* Reads a type as cel_type_print() writes it, from *at on, and moves *at behind it. A single
 * capital letter is a type parameter. NULL if there is none (or no memory). */
const struct cel_type *cel_type_parse(struct cel_pool *pool, const char **at);
bool cel_type_same(const struct cel_type *a, const struct cel_type *b);
/* Writes "map(string, int)"; cut to out_size, NUL-terminated. Returns what snprintf would. */
size_t cel_type_print(const struct cel_type *type, char *out, size_t out_size);

/* ---- inference, within one compilation; failed assignments leave no trace ---- */

struct cel_compiler;

/* A type variable of its own. */
const struct cel_type *cel_type_fresh(struct cel_compiler *c);
/* Copies type with each parameter replaced by a fresh variable; names[i] maps to fresh[i]. */
struct cel_instance {
    const char *names[8];
    const struct cel_type *fresh[8];
    uint32_t count;
};
const struct cel_type *cel_type_instantiate(struct cel_compiler *c, const struct cel_type *type,
                                            struct cel_instance *instance);
/* Whether a value of type from may stand where to is asked for; binds type variables. */
bool cel_type_assignable(struct cel_compiler *c, const struct cel_type *to,
                         const struct cel_type *from);
/* All count pairs, or none. */
bool cel_types_assignable(struct cel_compiler *c, const struct cel_type *const *to,
                          const struct cel_type *const *from, uint32_t count);
/* What both are: of the list [a, b]. dyn where they do not agree. a may be NULL. */
const struct cel_type *cel_type_join(struct cel_compiler *c, const struct cel_type *a,
                                     const struct cel_type *b);
/* Replaces bound variables; with free_to_dyn the others become dyn. */
const struct cel_type *cel_type_resolve(struct cel_compiler *c, const struct cel_type *type,
                                        bool free_to_dyn);

#endif
