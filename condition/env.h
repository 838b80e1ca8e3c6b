/*
 * env - the inside of an environment: declared variables, functions and slots.
 */
#ifndef CONDITION_ENV_H
#define CONDITION_ENV_H

#include "condition/condition.h"
#include "condition/eval.h"
#include "condition/moment.h"
#include "condition/pool.h"
#include "condition/types.h"

struct cel_overload {
    struct cel_overload *next; /* in the order of declaration */
    const struct cel_type **params;
    const struct cel_type *result;
    uint32_t param_count;
    bool member;                      /* a method of its first parameter */
    bool variadic;                    /* one parameter, any number of arguments from one on */
    const enum condition_kind *kinds; /* of host functions; else NULL */
    condition_function *host;
    void *host_ctx;
};

/* All functions of one name. */
struct cel_function {
    struct cel_function *next; /* in the hash chain */
    struct cel_text name;
    cel_builtin *builtin; /* NULL: the overloads are the host's */
    bool impure;          /* asks the host: never folded */
    bool zone;            /* its last argument may be a time zone */
    struct cel_overload *overloads;
};

struct cel_variable {
    struct cel_text path;
    const struct cel_type *type;
};

struct cel_slot {
    const char *path;         /* joined with '.' */
    const char *const *parts; /* part_count of them, NUL-terminated */
    const uint32_t *part_bytes;
    const uint32_t *prefix_bytes; /* of path, up to the end of the i-th part */
    uint32_t part_count;
    bool dotted; /* a part holds a dot: path does not tell the parts */
};

struct cel_env_zone {
    struct cel_env_zone *next;
    struct cel_text name;
    struct cel_zone *zone;
};

#define CEL_FUNCTION_BUCKETS 256u

struct condition_env {
    struct cel_pool pool;
    struct cel_function *functions[CEL_FUNCTION_BUCKETS];
    struct cel_variable *variables;
    uint32_t variable_count, variable_capacity;
    struct cel_slot *slots;
    uint32_t slot_count, slot_capacity;
    struct cel_env_zone *zones;           /* loaded so far */
    const struct cel_env_zone *all_zones; /* not NULL once every zone was asked for */
    const char *container;                /* "" for none */
    bool open, check, dynamic_patterns;
    condition_segment_known *segment_known;
    void *segment_ctx;
    condition_segment_fn *segment_fn;
};

const struct cel_variable *cel_env_variable(const struct condition_env *env, struct cel_text path);
struct cel_function *cel_env_find_function(const struct condition_env *env, struct cel_text name);
/* Finds or makes a function's entry; NULL when out of memory. */
struct cel_function *cel_env_function(struct condition_env *env, const char *name);
/* Finds or makes the slot of a path; UINT32_MAX when out of memory. */
uint32_t cel_env_slot(struct condition_env *env, const struct cel_text *parts, uint32_t count);
/* The zone, loaded if need be; NULL if there is none of that name, or env->pool.failed. */
const struct cel_zone *cel_env_zone(struct condition_env *env, const char *name, uint32_t len);
/* Loads every zone of the system once, for programs whose zone is not constant. */
const struct cel_env_zone *cel_env_all_zones(struct condition_env *env);

/* Declares CEL's own functions; false when out of memory. */
bool cel_library_declare(struct condition_env *env);

#endif
