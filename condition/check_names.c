/*
 * check_names - what an identifier or a chain of fields means: a local of a macro, a slot, a type.
 *
 * A chain of plain field selections (user.address.city) is one slot: the host resolves it once.
 */
#include "condition/check.h"

#include "condition/env.h"
#include "condition/value.h"

#include <stdio.h>
#include <string.h>

const struct cel_scope *cel_find_local(const struct cel_compiler *c, struct cel_text name,
                                       uint32_t *which)
{
    for (const struct cel_scope *s = c->scope; s; s = s->outer)
        for (uint32_t i = s->count; i-- > 0;)
            if (cel_text_same(s->names[i], name)) {
                *which = i;
                return s;
            }
    return NULL;
}

/* The names of a chain of plain selections, outermost name first; 0 if n is no such chain. */
uint32_t cel_chain(const struct cel_node *n, struct cel_text parts[PATH_PARTS_MAX], bool *rooted)
{
    uint32_t count = 0;
    const struct cel_node *at;

    for (at = n; at->kind == NODE_SELECT && !at->optional && !at->test; at = at->target)
        count++;
    if (at->kind != NODE_IDENT || count + 1 > PATH_PARTS_MAX)
        return 0;
    *rooted = at->rooted;
    parts[0] = at->name;
    for (at = n; at->kind == NODE_SELECT; at = at->target, count--)
        parts[count] = at->name;
    count = 1;
    for (at = n; at->kind == NODE_SELECT; at = at->target)
        count++;
    return count;
}

/* Joins container[0..container_len) and count parts with dots into out. False: too long. */
bool cel_join_name(const char *container, size_t container_len, const struct cel_text *parts,
                   uint32_t count, char *out, size_t out_size, struct cel_text *joined)
{
    struct cel_writer w = {out, out_size, 0};

    cel_write(&w, container, container_len);
    for (uint32_t i = 0; i < count; i++) {
        if (w.len)
            cel_write_text(&w, ".");
        cel_write(&w, parts[i].at, parts[i].len);
    }
    joined->at = out;
    joined->len = (uint32_t)w.len;
    return w.len < out_size;
}

/* The next shorter container: "a.b" -> "a" -> "" -> end (false). */
bool cel_shorten(const char *container, size_t *len)
{
    if (*len == 0)
        return false;
    do
        (*len)--;
    while (*len && container[*len] != '.');
    return true;
}

static const char *const type_names[] = {"bool",
                                         "int",
                                         "uint",
                                         "double",
                                         "string",
                                         "bytes",
                                         "list",
                                         "map",
                                         "null_type",
                                         "type",
                                         "optional_type",
                                         "google.protobuf.Timestamp",
                                         "google.protobuf.Duration",
                                         "net.IP",
                                         "net.CIDR"};

struct resolution {
    uint32_t names;                      /* parts that the variable's name took */
    const struct cel_variable *variable; /* or */
    const char *type_name;
};

/* Looks a chain up: the longest name first, each in every container from the inside out. */
static bool resolve(struct cel_compiler *c, const struct cel_text *parts, uint32_t count,
                    bool rooted, struct resolution *out)
{
    char name[512];
    struct cel_text joined;

    for (uint32_t names = count; names > 0; names--) {
        size_t container = rooted ? 0 : strlen(c->env->container);
        do {
            if (!cel_join_name(c->env->container, container, parts, names, name, sizeof name,
                               &joined))
                continue;
            out->names = names;
            out->variable = cel_env_variable(c->env, joined);
            if (out->variable)
                return true;
            for (size_t i = 0; i < sizeof type_names / sizeof *type_names; i++)
                if (cel_text_is(joined, type_names[i])) {
                    out->type_name = type_names[i];
                    return true;
                }
        } while (cel_shorten(c->env->container, &container));
    }
    return false;
}

/* The slot for what stands at the variable (a dotted path) and the fields behind it. */
static bool take_slot(struct cel_compiler *c, struct cel_text variable,
                      const struct cel_text *fields, uint32_t count, uint32_t *slot)
{
    struct cel_text parts[2 * PATH_PARTS_MAX];
    uint32_t n = 0;

    for (uint32_t from = 0, at = 0; at <= variable.len; at++)
        if (at == variable.len || variable.at[at] == '.') {
            if (n == PATH_PARTS_MAX)
                break;
            parts[n].at = variable.at + from;
            parts[n++].len = at - from;
            from = at + 1;
        }
    for (uint32_t i = 0; i < count; i++)
        parts[n++] = fields[i];
    *slot = cel_env_slot(c->env, parts, n);
    return *slot != UINT32_MAX || cel_fail_memory(c);
}

static void hint_name(struct cel_compiler *c, const char *wanted)
{
    struct cel_nearest nearest;
    char name[80];

    cel_nearest_init(&nearest, wanted);
    for (uint32_t i = 0; i < c->env->variable_count; i++)
        cel_nearest_offer(&nearest, c->env->variables[i].path.at);
    for (const struct cel_scope *s = c->scope; s; s = s->outer)
        for (uint32_t i = 0; i < s->count; i++) {
            snprintf(name, sizeof name, "%.*s", (int)s->names[i].len, s->names[i].at);
            cel_nearest_offer(&nearest, name);
        }
    if (*nearest.best)
        cel_fail_hint(c, "did you mean '%s'?", nearest.best);
}

/* An attribute that was not declared: a slot for each container that it may belong to. */
static bool open_attribute(struct cel_compiler *c, struct cel_node *n, const struct cel_text *parts,
                           uint32_t count, bool rooted)
{
    size_t container = rooted ? 0 : strlen(c->env->container);
    uint32_t capacity = 0;
    struct cel_text none = {"", 0};

    n->reference = REFERENCE_SLOT;
    n->impure = true;
    while (container) {
        struct cel_text prefix = {c->env->container, (uint32_t)container};
        if (!cel_pool_grow(&c->temp, &n->slots, n->slots_count, &capacity, sizeof *n->slots))
            return cel_fail_memory(c);
        if (!take_slot(c, prefix, parts, count, &n->slots[n->slots_count++]))
            return false;
        cel_shorten(c->env->container, &container);
    }
    (void)none;
    n->slot = cel_env_slot(c->env, parts, count);
    return n->slot != UINT32_MAX || cel_fail_memory(c);
}

static bool fail_undeclared(struct cel_compiler *c, const struct cel_node *n,
                            const struct cel_text *parts, uint32_t count)
{
    char name[120];
    struct cel_text joined;
    uint32_t names = 1;

    /* A first part that begins declared paths (flag in flag.stable_for) is not what is wrong. */
    for (uint32_t i = 0; i < c->env->variable_count; i++) {
        struct cel_text path = c->env->variables[i].path;
        if (path.len > parts[0].len && path.at[parts[0].len] == '.' &&
            memcmp(path.at, parts[0].at, parts[0].len) == 0)
            names = count;
    }
    if (!cel_join_name("", 0, parts, names, name, sizeof name, &joined))
        joined.len = (uint32_t)sizeof name - 1;
    name[joined.len] = '\0';
    cel_fail(c, CONDITION_TYPE, n->from, n->to, "'%s' is not declared", name);
    hint_name(c, name);
    return false;
}

static const struct cel_type *fail_field(struct cel_compiler *c, const struct cel_node *n,
                                         const struct cel_type *type)
{
    char text[100];

    cel_fail(c, CONDITION_TYPE, n->at, n->at_to, "a value of type %s has no fields",
             cel_show_type(c, type, text));
    return cel_dyn();
}

/* The type of a field of a value of type. */
static const struct cel_type *field_type(struct cel_compiler *c, const struct cel_node *n,
                                         const struct cel_type *type)
{
    type = cel_type_resolve(c, type, false);
    if (cel_type_is_optional(type))
        return cel_type_optional(&c->temp, field_type(c, n, type->params[0]));
    if (type->kind == TYPE_MAP)
        return type->params[1];
    if (type->kind == TYPE_DYN || type->kind == TYPE_PARAM || !cel_typed(c))
        return cel_dyn();
    return fail_field(c, n, type);
}

/* Makes n, an identifier or a chain of plain selections, a slot or a constant, if it is no chain
 * from a local. *done is false where n is an ordinary selection. */
static const struct cel_type *check_chain(struct cel_compiler *c, struct cel_node *n, bool *done)
{
    struct cel_text parts[PATH_PARTS_MAX];
    struct resolution found = {0};
    const struct cel_type *type;
    bool rooted = false;
    uint32_t count = cel_chain(n, parts, &rooted), which;

    *done = false;
    if (count == 0 || (!rooted && cel_find_local(c, parts[0], &which)))
        return NULL;
    if (resolve(c, parts, count, rooted, &found)) {
        if (found.type_name) {
            if (found.names < count)
                return NULL;
            *done = true;
            n->reference = REFERENCE_CONST;
            n->value = cel_type_value(found.type_name);
            return cel_type_of(TYPE_TYPE);
        }
        *done = true;
        n->reference = REFERENCE_SLOT;
        n->impure = true;
        n->declared = found.names == count;
        type = found.variable->type;
        for (uint32_t i = found.names; i < count; i++)
            type = field_type(c, n, type);
        if (cel_type_is_optional(found.variable->type) && found.names < count) {
            *done = false; /* a field of an optional is no plain field */
            n->reference = REFERENCE_NONE;
            return NULL;
        }
        if (!take_slot(c, found.variable->path, parts + found.names, count - found.names, &n->slot))
            return NULL;
        return type;
    }
    *done = true;
    if (cel_typed(c) && !c->env->open) {
        fail_undeclared(c, n, parts, count);
        return cel_dyn();
    }
    open_attribute(c, n, parts, count, rooted);
    return cel_dyn();
}

const struct cel_type *cel_check_ident(struct cel_compiler *c, struct cel_node *n)
{
    uint32_t which;
    const struct cel_scope *scope = n->rooted ? NULL : cel_find_local(c, n->name, &which);
    const struct cel_type *type;
    bool done;

    if (scope) {
        n->reference = REFERENCE_LOCAL;
        n->binder = n->binder_least = scope->number;
        n->slot = which;
        return scope->types[which];
    }
    type = check_chain(c, n, &done);
    return type ? type : cel_dyn();
}

/* has(a.b.c): the slot itself, and the one that must hold a map if it is absent. */
static const struct cel_type *check_has(struct cel_compiler *c, struct cel_node *n)
{
    bool done;

    n->test = false;
    (void)check_chain(c, n, &done);
    n->test = true;
    if (!done || n->reference != REFERENCE_SLOT || n->slots_count) {
        n->reference = REFERENCE_NONE;
        (void)field_type(c, n, cel_check_part(c, n, n->target));
    } else if (!n->declared) {
        const struct cel_type *type = cel_check_node(c, n->target);
        if (n->target->reference != REFERENCE_SLOT) { /* the name of a type: no fields there */
            n->reference = REFERENCE_NONE;
            fail_field(c, n, type);
        }
        n->parent_slot = n->target->slot;
    }
    return cel_type_of(TYPE_BOOL);
}

const struct cel_type *cel_check_select(struct cel_compiler *c, struct cel_node *n)
{
    const struct cel_type *type;
    bool done = false;

    if (n->test)
        return check_has(c, n);
    if (!n->optional) {
        type = check_chain(c, n, &done);
        if (done)
            return type ? type : cel_dyn();
    }
    type = field_type(c, n, cel_check_part(c, n, n->target));
    if (n->optional && !cel_type_is_optional(cel_type_resolve(c, type, false)))
        return cel_type_optional(&c->temp, type);
    return type;
}
