/*
 * types - see types.h. Inference follows the reference checker: type parameters stand for the most
 * general type seen so far, dyn agrees with everything.
 */
#include "condition/types.h"

#include "condition/compiler.h"
#include "condition/value.h"

#include <string.h>

static const struct cel_type simple[] = {
    [TYPE_DYN] = {TYPE_DYN, 0, 0, "dyn", {0}},
    [TYPE_NULL] = {TYPE_NULL, 0, 0, "null_type", {0}},
    [TYPE_BOOL] = {TYPE_BOOL, 0, 0, "bool", {0}},
    [TYPE_INT] = {TYPE_INT, 0, 0, "int", {0}},
    [TYPE_UINT] = {TYPE_UINT, 0, 0, "uint", {0}},
    [TYPE_DOUBLE] = {TYPE_DOUBLE, 0, 0, "double", {0}},
    [TYPE_STRING] = {TYPE_STRING, 0, 0, "string", {0}},
    [TYPE_BYTES] = {TYPE_BYTES, 0, 0, "bytes", {0}},
    [TYPE_TIMESTAMP] = {TYPE_TIMESTAMP, 0, 0, "google.protobuf.Timestamp", {0}},
    [TYPE_DURATION] = {TYPE_DURATION, 0, 0, "google.protobuf.Duration", {0}},
    [TYPE_TYPE] = {TYPE_TYPE, 0, 0, "type", {0}},
    [TYPE_LIST] = {TYPE_LIST, 1, 0, "list", {&simple[TYPE_DYN]}},
    [TYPE_MAP] = {TYPE_MAP, 2, 0, "map", {&simple[TYPE_DYN], &simple[TYPE_DYN]}},
    [TYPE_ABSTRACT] = {TYPE_ABSTRACT, 1, 0, "optional_type", {&simple[TYPE_DYN]}},
};

const struct cel_type *cel_type_of(enum cel_type_kind kind)
{
    return &simple[kind];
}

const struct cel_type *cel_type_of_kind(enum condition_kind kind)
{
    switch (kind) {
    case CONDITION_NULL: return &simple[TYPE_NULL];
    case CONDITION_BOOL: return &simple[TYPE_BOOL];
    case CONDITION_INT: return &simple[TYPE_INT];
    case CONDITION_UINT: return &simple[TYPE_UINT];
    case CONDITION_DOUBLE: return &simple[TYPE_DOUBLE];
    case CONDITION_STRING: return &simple[TYPE_STRING];
    case CONDITION_BYTES: return &simple[TYPE_BYTES];
    case CONDITION_LIST: return &simple[TYPE_LIST];
    case CONDITION_MAP: return &simple[TYPE_MAP];
    case CONDITION_TIMESTAMP: return &simple[TYPE_TIMESTAMP];
    case CONDITION_DURATION: return &simple[TYPE_DURATION];
    case CONDITION_TYPE_VALUE: return &simple[TYPE_TYPE];
    case CONDITION_OPTIONAL: return &simple[TYPE_ABSTRACT];
    case CONDITION_ABSENT:
    case CONDITION_OPAQUE:
    case CONDITION_DYN: break;
    }
    return &simple[TYPE_DYN];
}

static const struct cel_type *make(struct cel_pool *pool, enum cel_type_kind kind, const char *name,
                                   const struct cel_type *const *params, uint8_t count)
{
    struct cel_type *type = cel_pool_take(pool, sizeof *type);

    if (!type)
        return NULL;
    type->kind = (uint8_t)kind;
    type->name = name;
    type->count = count;
    for (uint8_t i = 0; i < count; i++) {
        if (!params[i])
            return NULL;
        type->params[i] = params[i];
    }
    return type;
}

const struct cel_type *cel_type_list(struct cel_pool *pool, const struct cel_type *item)
{
    return make(pool, TYPE_LIST, "list", &item, 1);
}

const struct cel_type *cel_type_map(struct cel_pool *pool, const struct cel_type *key,
                                    const struct cel_type *value)
{
    const struct cel_type *params[] = {key, value};

    return make(pool, TYPE_MAP, "map", params, 2);
}

const struct cel_type *cel_type_optional(struct cel_pool *pool, const struct cel_type *of)
{
    return make(pool, TYPE_ABSTRACT, "optional_type", &of, 1);
}

bool cel_type_is_optional(const struct cel_type *type)
{
    return type->kind == TYPE_ABSTRACT && strcmp(type->name, "optional_type") == 0;
}

/* ---- text ---- */

static size_t word_length(const char *at)
{
    size_t len = 0;

    while ((at[len] >= 'a' && at[len] <= 'z') || (at[len] >= 'A' && at[len] <= 'Z') ||
           (at[len] >= '0' && at[len] <= '9') || at[len] == '_' || at[len] == '.')
        len++;
    return len;
}

static const struct cel_type *parse_at(struct cel_pool *pool, const char **at, unsigned depth)
{
    const struct cel_type *params[3] = {0};
    uint8_t count = 0;
    size_t len = word_length(*at);
    struct cel_text name = {*at, (uint32_t)len};
    const char *copy;

    if (len == 0 || depth == 0)
        return NULL;
    *at += len;
    if (**at == '(') {
        do {
            (*at)++;
            while (**at == ' ')
                (*at)++;
            if (count == 3 || !(params[count++] = parse_at(pool, at, depth - 1)))
                return NULL;
        } while (**at == ',');
        if (**at != ')')
            return NULL;
        (*at)++;
    }
    if (count == 0) {
        for (int kind = TYPE_DYN; kind <= TYPE_MAP; kind++)
            if (cel_text_is(name, simple[kind].name))
                return &simple[kind];
        if (cel_text_is(name, "timestamp"))
            return &simple[TYPE_TIMESTAMP];
        if (cel_text_is(name, "duration"))
            return &simple[TYPE_DURATION];
        if (cel_text_is(name, "null"))
            return &simple[TYPE_NULL];
    }
    copy = cel_pool_copy(pool, name.at, name.len);
    if (!copy)
        return NULL;
    if (count == 0 && len == 1 && *copy >= 'A' && *copy <= 'Z')
        return make(pool, TYPE_PARAM, copy, params, 0);
    if (cel_text_is(name, "list"))
        return count == 1 ? make(pool, TYPE_LIST, "list", params, 1) : NULL;
    if (cel_text_is(name, "map"))
        return count == 2 ? make(pool, TYPE_MAP, "map", params, 2) : NULL;
    if (cel_text_is(name, "type"))
        return &simple[TYPE_TYPE];
    return make(pool, TYPE_ABSTRACT, copy, params, count);
}

const struct cel_type *cel_type_parse(struct cel_pool *pool, const char **at)
{
    return parse_at(pool, at, 16);
}

static void print_type(struct cel_writer *w, const struct cel_type *type, unsigned depth)
{
    cel_write_text(w, depth ? type->name : "...");
    if (type->count && depth) {
        for (uint8_t i = 0; i < type->count; i++) {
            cel_write_text(w, i ? ", " : "(");
            print_type(w, type->params[i], depth - 1);
        }
        cel_write_text(w, ")");
    }
}

size_t cel_type_print(const struct cel_type *type, char *out, size_t out_size)
{
    struct cel_writer w = {out, out_size, 0};

    print_type(&w, type, 16);
    if (out_size)
        out[w.len < out_size ? w.len : out_size - 1] = '\0';
    return w.len;
}

bool cel_type_same(const struct cel_type *a, const struct cel_type *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind || a->count != b->count || a->id != b->id ||
        strcmp(a->name, b->name) != 0)
        return false;
    for (uint8_t i = 0; i < a->count; i++)
        if (!cel_type_same(a->params[i], b->params[i]))
            return false;
    return true;
}

/* ---- type variables ---- */

const struct cel_type *cel_type_fresh(struct cel_compiler *c)
{
    struct cel_type *type;

    if (!cel_pool_grow(&c->temp, &c->bound, c->bound_count, &c->bound_capacity, sizeof *c->bound) ||
        !(type = cel_pool_take(&c->temp, sizeof *type)))
        return &simple[TYPE_DYN]; /* the pool remembers that it failed */
    type->kind = TYPE_PARAM;
    type->name = "_";
    type->id = c->bound_count;
    c->bound[c->bound_count++] = NULL;
    return type;
}

static bool bind(struct cel_compiler *c, uint32_t id, const struct cel_type *to)
{
    if (!cel_pool_grow(&c->temp, &c->trail, c->trail_count, &c->trail_capacity, sizeof *c->trail))
        return false;
    c->trail[c->trail_count].id = id;
    c->trail[c->trail_count++].was = c->bound[id];
    c->bound[id] = to;
    return true;
}

static void undo(struct cel_compiler *c, uint32_t mark)
{
    while (c->trail_count > mark) {
        c->trail_count--;
        c->bound[c->trail[c->trail_count].id] = c->trail[c->trail_count].was;
    }
}

const struct cel_type *cel_type_instantiate(struct cel_compiler *c, const struct cel_type *type,
                                            struct cel_instance *instance)
{
    const struct cel_type *params[3] = {0};
    const struct cel_type *made;

    if (type->kind == TYPE_PARAM) {
        for (uint32_t i = 0; i < instance->count; i++)
            if (strcmp(instance->names[i], type->name) == 0)
                return instance->fresh[i];
        if (instance->count == sizeof instance->names / sizeof *instance->names)
            return &simple[TYPE_DYN];
        instance->names[instance->count] = type->name;
        return instance->fresh[instance->count++] = cel_type_fresh(c);
    }
    if (type->count == 0)
        return type;
    for (uint8_t i = 0; i < type->count; i++)
        params[i] = cel_type_instantiate(c, type->params[i], instance);
    made = make(&c->temp, type->kind, type->name, params, type->count);
    return made ? made : &simple[TYPE_DYN];
}

/* Whether variable id occurs in type, looking through what is bound. */
static bool occurs(struct cel_compiler *c, uint32_t id, const struct cel_type *type)
{
    if (type->kind == TYPE_PARAM) {
        if (type->id == id)
            return true;
        return c->bound[type->id] && occurs(c, id, c->bound[type->id]);
    }
    for (uint8_t i = 0; i < type->count; i++)
        if (occurs(c, id, type->params[i]))
            return true;
    return false;
}

static bool less_specific(const struct cel_type *a, const struct cel_type *b)
{
    if (a->kind == TYPE_DYN || a->kind == TYPE_PARAM)
        return true;
    if (b->kind == TYPE_DYN || b->kind == TYPE_PARAM)
        return false;
    if (a->kind != b->kind || a->count != b->count || strcmp(a->name, b->name) != 0)
        return a->kind == TYPE_ABSTRACT && b->kind == TYPE_NULL;
    for (uint8_t i = 0; i < a->count; i++)
        if (!less_specific(a->params[i], b->params[i]))
            return false;
    return true;
}

static const struct cel_type *most_general(const struct cel_type *a, const struct cel_type *b)
{
    return less_specific(a, b) ? a : b;
}

static bool assign(struct cel_compiler *c, const struct cel_type *to, const struct cel_type *from);

/* Whether type may be (or already is) what the variable stands for. *has_value says that the
 * variable stood for something before. */
static bool substitute(struct cel_compiler *c, const struct cel_type *type,
                       const struct cel_type *variable, bool *has_value)
{
    const struct cel_type *value = c->bound[variable->id];

    *has_value = true;
    if (type->kind == TYPE_PARAM && type->id == variable->id)
        return true;
    if (value) {
        const struct cel_type *general;
        if (value == type || cel_type_same(value, type))
            return true;
        if (!assign(c, type, value))
            return false;
        general = most_general(type, value);
        if (!occurs(c, variable->id, general))
            return bind(c, variable->id, general);
        return true;
    }
    *has_value = false;
    return !occurs(c, variable->id, type) && bind(c, variable->id, type);
}

static bool nullable(const struct cel_type *type)
{
    return type->kind == TYPE_NULL || type->kind == TYPE_ABSTRACT || type->kind == TYPE_TIMESTAMP ||
           type->kind == TYPE_DURATION;
}

static bool assign(struct cel_compiler *c, const struct cel_type *to, const struct cel_type *from)
{
    bool has_value;

    if (from->kind == TYPE_PARAM) {
        if (substitute(c, to, from, &has_value))
            return true;
        if (has_value)
            return false;
    }
    if (to->kind == TYPE_PARAM)
        return substitute(c, from, to, &has_value);
    if (to->kind == TYPE_DYN || from->kind == TYPE_DYN)
        return true;
    if (to->kind == TYPE_NULL || from->kind == TYPE_NULL)
        return nullable(to) && nullable(from);
    if (to->kind != from->kind || to->count != from->count || strcmp(to->name, from->name) != 0)
        return false;
    for (uint8_t i = 0; i < to->count; i++)
        if (!assign(c, to->params[i], from->params[i]))
            return false;
    return true;
}

bool cel_types_assignable(struct cel_compiler *c, const struct cel_type *const *to,
                          const struct cel_type *const *from, uint32_t count)
{
    uint32_t mark = c->trail_count;

    for (uint32_t i = 0; i < count; i++)
        if (!assign(c, to[i], from[i])) {
            undo(c, mark);
            return false;
        }
    return true;
}

bool cel_type_assignable(struct cel_compiler *c, const struct cel_type *to,
                         const struct cel_type *from)
{
    return cel_types_assignable(c, &to, &from, 1);
}

const struct cel_type *cel_type_join(struct cel_compiler *c, const struct cel_type *a,
                                     const struct cel_type *b)
{
    if (!a)
        return b;
    if (cel_type_assignable(c, a, b))
        return most_general(a, b);
    return &simple[TYPE_DYN];
}

const struct cel_type *cel_type_resolve(struct cel_compiler *c, const struct cel_type *type,
                                        bool free_to_dyn)
{
    const struct cel_type *params[3] = {0};
    const struct cel_type *made;
    bool changed = false;

    if (type->kind == TYPE_PARAM) {
        if (c->bound[type->id])
            return cel_type_resolve(c, c->bound[type->id], free_to_dyn);
        return free_to_dyn ? &simple[TYPE_DYN] : type;
    }
    for (uint8_t i = 0; i < type->count; i++) {
        params[i] = cel_type_resolve(c, type->params[i], free_to_dyn);
        changed |= params[i] != type->params[i];
    }
    if (!changed)
        return type;
    made = make(&c->temp, type->kind, type->name, params, type->count);
    return made ? made : &simple[TYPE_DYN];
}
