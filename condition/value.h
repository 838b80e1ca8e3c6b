/*
 * value - equality, order, names and printing of values, and the moments (timestamps, durations)
 * among them. Pure functions; any thread.
 */
#ifndef CONDITION_VALUE_H
#define CONDITION_VALUE_H

#include "condition/condition.h"
#include "condition/pool.h"

/* Kinds that only the evaluator's stack knows. */
#define CEL_KIND_ERROR 255u /* an error waiting for && or || to absorb it */

/* The sub of CONDITION_OPAQUE. */
enum cel_opaque { OPAQUE_NONE, OPAQUE_IP, OPAQUE_CIDR, OPAQUE_SEMVER, OPAQUE_ZONE };

/* What as.opaque points to. */
struct cel_address { /* OPAQUE_IP; OPAQUE_CIDR with prefix */
    uint8_t bytes[16];
    uint8_t family; /* 4 or 6 */
    uint8_t prefix;
};
struct cel_semver {
    uint64_t major, minor, patch;
    struct cel_text prerelease, build, text;
};

static inline bool cel_is_number(const struct condition_value *v)
{
    return v->kind >= CONDITION_INT && v->kind <= CONDITION_DOUBLE;
}
static inline bool cel_is_text(const struct condition_value *v)
{
    return v->kind == CONDITION_STRING || v->kind == CONDITION_BYTES;
}
static inline int32_t cel_nanos(const struct condition_value *v)
{
    return (int32_t)v->size;
}

/* -1, 0, 1; 2 unordered (NaN); 3 these kinds have no order. */
int cel_compare(const struct condition_value *a, const struct condition_value *b);

/* The entry of map whose key equals key, or NULL. */
const struct condition_entry *cel_map_find(const struct condition_value *map,
                                           const struct condition_value *key);
/* The entry with a string key. */
const struct condition_entry *cel_map_find_text(const struct condition_value *map, const char *at,
                                                uint32_t len);

/* The CEL type name of a kind; for CONDITION_OPAQUE use condition_type_name(). */
const char *cel_kind_name(unsigned kind);
/* A CONDITION_TYPE_VALUE of that name, which is lent for ever. */
struct condition_value cel_type_value(const char *name);

/* Writes into a bounded buffer, counting what does not fit. */
struct cel_writer {
    char *out;
    size_t size, len;
};
void cel_write(struct cel_writer *w, const char *at, size_t len);
void cel_write_text(struct cel_writer *w, const char *nul_terminated);
/* A CEL string or bytes literal. */
void cel_write_quoted(struct cel_writer *w, const char *at, size_t len, bool bytes);

/* The text of an address ("2001:db8::1") or a network ("10.0.0.0/8"); returns its length. */
size_t cel_address_print(const struct cel_address *address, bool network, char out[64]);
int cel_semver_compare(const struct cel_semver *a, const struct cel_semver *b);

#endif
