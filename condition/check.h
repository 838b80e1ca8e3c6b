/*
 * check - what the parts of the checker share. See check.c.
 */
#ifndef CONDITION_CHECK_H
#define CONDITION_CHECK_H

#include "condition/compiler.h"
#include "condition/types.h"

/* A binder: the variables of one macro. */
struct cel_scope {
    struct cel_scope *outer;
    struct cel_text names[2];
    const struct cel_type *types[2];
    uint32_t count, number;
};

#define PATH_PARTS_MAX 32u /* names in a chain of fields; a longer one is resolved when it runs */
#define CEL_TYPE_TEXT 100u

struct cel_overload;

/* ---- check.c ---- */
const struct cel_type *cel_dyn(void);
bool cel_typed(const struct cel_compiler *c); /* the environment asks for checks */
const char *cel_show_type(struct cel_compiler *c, const struct cel_type *type,
                          char out[CEL_TYPE_TEXT]);
const struct cel_type *cel_check_node(struct cel_compiler *c, struct cel_node *n);
/* Checks child as a part of parent: what it reads, parent reads. */
const struct cel_type *cel_check_part(struct cel_compiler *c, struct cel_node *parent,
                                      struct cel_node *child);

/* ---- check_names.c ---- */
const struct cel_scope *cel_find_local(const struct cel_compiler *c, struct cel_text name,
                                       uint32_t *which);
/* The names of a chain of plain selections, outermost first; 0 if n is no such chain. */
uint32_t cel_chain(const struct cel_node *n, struct cel_text parts[PATH_PARTS_MAX], bool *rooted);
/* Joins container[0..container_len) and count parts with dots into out. False: too long. */
bool cel_join_name(const char *container, size_t container_len, const struct cel_text *parts,
                   uint32_t count, char *out, size_t out_size, struct cel_text *joined);
/* The next shorter container: "a.b" -> "a" -> "" -> end (false). */
bool cel_shorten(const char *container, size_t *len);
const struct cel_type *cel_check_ident(struct cel_compiler *c, struct cel_node *n);
const struct cel_type *cel_check_select(struct cel_compiler *c, struct cel_node *n);

/* ---- check_calls.c ---- */
/* The result of the overload if the arguments fit, or NULL. */
const struct cel_type *cel_try_overload(struct cel_compiler *c, const struct cel_overload *o,
                                        const struct cel_type *const *args, uint32_t count);
/* What two overloads that both fit leave known. */
const struct cel_type *cel_merge_types(const struct cel_type *a, const struct cel_type *b);
const struct cel_type *cel_check_call(struct cel_compiler *c, struct cel_node *n);

#endif
