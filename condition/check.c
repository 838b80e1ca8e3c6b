/*
 * check - names and types. Every name becomes a local, a slot or a constant; every call its
 * function; every node a type. Where the environment asks for no check, names are resolved all the
 * same, everything is dyn, and what would be an error here is one when it runs.
 *
 * A chain of plain field selections (user.address.city) is one slot: the host resolves it once.
 */
#include "condition/compiler.h"
#include "condition/env.h"
#include "condition/limits.h"
#include "condition/value.h"

#include <stdio.h>
#include <string.h>

/* A binder: the variables of one macro. */
struct cel_scope {
    struct cel_scope *outer;
    struct cel_text names[2];
    const struct cel_type *types[2];
    uint32_t count, number;
};

#define PATH_PARTS_MAX 32u

static const struct cel_type *check(struct cel_compiler *c, struct cel_node *n);

static const struct cel_type *dyn(void)
{
    return cel_type_of(TYPE_DYN);
}

static const char *show(struct cel_compiler *c, const struct cel_type *type, char out[100])
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
static const struct cel_type *part(struct cel_compiler *c, struct cel_node *parent,
                                   struct cel_node *child)
{
    const struct cel_type *type = check(c, child);

    inherit(parent, child);
    return type;
}

static bool typed(const struct cel_compiler *c)
{
    return c->env->check;
}

/* ---- names ---- */

static const struct cel_scope *find_local(const struct cel_compiler *c, struct cel_text name,
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
static uint32_t chain(const struct cel_node *n, struct cel_text parts[PATH_PARTS_MAX], bool *rooted)
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
static bool join(const char *container, size_t container_len, const struct cel_text *parts,
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
static bool shorten(const char *container, size_t *len)
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
            if (!join(c->env->container, container, parts, names, name, sizeof name, &joined))
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
        } while (shorten(c->env->container, &container));
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
        shorten(c->env->container, &container);
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
    if (!join("", 0, parts, names, name, sizeof name, &joined))
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
             show(c, type, text));
    return dyn();
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
    if (type->kind == TYPE_DYN || type->kind == TYPE_PARAM || !typed(c))
        return dyn();
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
    uint32_t count = chain(n, parts, &rooted), which;

    *done = false;
    if (count == 0 || (!rooted && find_local(c, parts[0], &which)))
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
    if (typed(c) && !c->env->open) {
        fail_undeclared(c, n, parts, count);
        return dyn();
    }
    open_attribute(c, n, parts, count, rooted);
    return dyn();
}

static const struct cel_type *check_ident(struct cel_compiler *c, struct cel_node *n)
{
    uint32_t which;
    const struct cel_scope *scope = n->rooted ? NULL : find_local(c, n->name, &which);
    const struct cel_type *type;
    bool done;

    if (scope) {
        n->reference = REFERENCE_LOCAL;
        n->binder = n->binder_least = scope->number;
        n->slot = which;
        return scope->types[which];
    }
    type = check_chain(c, n, &done);
    return type ? type : dyn();
}

/* has(a.b.c): the slot itself, and the one that must hold a map if it is absent. */
static const struct cel_type *check_has(struct cel_compiler *c, struct cel_node *n)
{
    const struct cel_type *type;
    bool done;

    n->test = false;
    type = check_chain(c, n, &done);
    n->test = true;
    if (done && n->reference == REFERENCE_SLOT && n->slots_count == 0) {
        if (!n->declared) {
            type = check(c, n->target);
            if (n->target->reference != REFERENCE_SLOT) {
                n->reference = REFERENCE_NONE; /* the target is a type's name: no field there */
                fail_field(c, n, type);
            }
            n->parent_slot = n->target->slot;
        }
    } else {
        n->reference = REFERENCE_NONE;
        type = part(c, n, n->target);
        if (type)
            field_type(c, n, type);
    }
    return cel_type_of(TYPE_BOOL);
}

static const struct cel_type *check_select(struct cel_compiler *c, struct cel_node *n)
{
    const struct cel_type *type;
    bool done = false;

    if (n->test)
        return check_has(c, n);
    if (!n->optional) {
        type = check_chain(c, n, &done);
        if (done)
            return type ? type : dyn();
    }
    type = field_type(c, n, part(c, n, n->target));
    if (n->optional && !cel_type_is_optional(cel_type_resolve(c, type, false)))
        return cel_type_optional(&c->temp, type);
    return type;
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

    show(c, types[0], left);
    if (n->arg_count == 1) {
        cel_fail(c, CONDITION_TYPE, n->from, n->to, "there is no '%s' for a value of type %s",
                 operator_text(n->op), left);
        return dyn();
    }
    show(c, types[1], right);
    cel_fail(c, CONDITION_TYPE, n->from, n->to, "there is no '%s' between %s and %s",
             operator_text(n->op), left, right);
    if (n->op <= OPERATOR_MOD && strcmp(left, right) != 0)
        cel_fail_hint(c, "convert one side, for example with %s(...)", left);
    return dyn();
}

/* The result of the signature if it fits, or NULL. */
static const struct cel_type *try_signature(struct cel_compiler *c, const struct cel_overload *o,
                                            const struct cel_type *const *args, uint32_t count)
{
    struct cel_instance instance = {.count = 0};
    const struct cel_type *params[CONDITION_ARGUMENTS_MAX];

    for (uint32_t i = 0; i < count && i < CONDITION_ARGUMENTS_MAX; i++)
        params[i] = cel_type_instantiate(c, o->params[o->variadic ? 0 : i], &instance);
    if (!cel_types_assignable(c, params, args, count))
        return NULL;
    return cel_type_resolve(c, cel_type_instantiate(c, o->result, &instance), false);
}

/* What two overloads that both fit leave known. */
static const struct cel_type *merge(const struct cel_type *a, const struct cel_type *b)
{
    return !a || cel_type_same(a, b) ? b : dyn();
}

static const struct cel_type *check_operator(struct cel_compiler *c, struct cel_node *n)
{
    const struct cel_type *types[2] = {0}, *result = NULL;
    uint8_t op = n->op == OPERATOR_NE ? OPERATOR_EQ : n->op;

    for (uint32_t i = 0; i < n->arg_count; i++)
        types[i] = cel_type_resolve(c, part(c, n, n->args[i]), false);
    if (!typed(c) || c->status)
        return dyn();
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
            return dyn();
        }
        found = try_signature(c, &o, types, n->arg_count);
        if (found)
            result = merge(result, found);
    }
    return result ? result : fail_operator(c, n, types);
}

static const struct cel_type *check_bools(struct cel_compiler *c, struct cel_node *n)
{
    for (uint32_t i = 0; i < n->arg_count; i++) {
        const struct cel_type *type = part(c, n, n->args[i]);
        char text[100];
        if (typed(c) && !c->status && !cel_type_assignable(c, cel_type_of(TYPE_BOOL), type)) {
            cel_fail(c, CONDITION_TYPE, n->args[i]->from, n->args[i]->to,
                     "each side of '%s' must be a bool, this one is of type %s",
                     n->kind == NODE_AND ? "&&" : "||", show(c, type, text));
        }
    }
    return cel_type_of(TYPE_BOOL);
}

static const struct cel_type *check_ternary(struct cel_compiler *c, struct cel_node *n)
{
    const struct cel_type *types[3], *joined;
    char left[100], right[100];

    for (uint32_t i = 0; i < 3; i++)
        types[i] = part(c, n, n->args[i]);
    if (!typed(c) || c->status)
        return dyn();
    if (!cel_type_assignable(c, cel_type_of(TYPE_BOOL), types[0])) {
        cel_fail(c, CONDITION_TYPE, n->args[0]->from, n->args[0]->to,
                 "what stands before '?' must be a bool, this is of type %s",
                 show(c, types[0], left));
        return dyn();
    }
    if (cel_type_assignable(c, types[1], types[2])) {
        joined = cel_type_join(c, types[1], types[2]);
        return cel_type_resolve(c, joined, false);
    }
    cel_fail(c, CONDITION_TYPE, n->from, n->to,
             "both results of '?:' must be of one type, these are %s and %s",
             show(c, types[1], left), show(c, types[2], right));
    cel_fail_hint(c, "dyn(...) around one of them leaves the type open");
    return dyn();
}

static const struct cel_type *check_index(struct cel_compiler *c, struct cel_node *n)
{
    const struct cel_type *container = cel_type_resolve(c, part(c, n, n->args[0]), false);
    const struct cel_type *key = part(c, n, n->args[1]), *result;
    char text[100], key_text[100];
    bool optional = cel_type_is_optional(container);

    if (!typed(c) || c->status)
        return dyn();
    if (optional)
        container = cel_type_resolve(c, container->params[0], false);
    if (container->kind == TYPE_LIST && cel_type_assignable(c, cel_type_of(TYPE_INT), key)) {
        result = container->params[0];
    } else if (container->kind == TYPE_MAP && cel_type_assignable(c, container->params[0], key)) {
        result = container->params[1];
    } else if (container->kind == TYPE_DYN || container->kind == TYPE_PARAM) {
        result = dyn();
    } else {
        cel_fail(c, CONDITION_TYPE, n->at, n->at_to, "a value of type %s has no index of type %s",
                 show(c, container, text), show(c, key, key_text));
        return dyn();
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
    if (!typed(c) || !wanted || type->kind == TYPE_DYN)
        return dyn();
    if (!cel_type_assignable(c, wanted, type))
        cel_fail(c, CONDITION_TYPE, n->from, n->to,
                 "an entry with ? needs an optional value, this is of type %s",
                 show(c, type, text));
    return inner;
}

static const struct cel_type *check_list(struct cel_compiler *c, struct cel_node *n)
{
    const struct cel_type *item = NULL, *list;

    for (uint32_t i = 0; i < n->arg_count && !c->status; i++) {
        const struct cel_type *type = part(c, n, n->args[i]);
        if (n->marks[i])
            type = marked(c, n->args[i], type);
        item = cel_type_join(c, item, type);
    }
    list = cel_type_list(&c->temp, item ? item : cel_type_fresh(c));
    return list ? list : dyn();
}

static const struct cel_type *check_map(struct cel_compiler *c, struct cel_node *n)
{
    const struct cel_type *key = NULL, *value = NULL, *map;
    char text[100];

    for (uint32_t i = 0; i + 1 < n->arg_count && !c->status; i += 2) {
        const struct cel_type *k = part(c, n, n->args[i]), *v = part(c, n, n->args[i + 1]);
        const struct cel_type *plain = cel_type_resolve(c, k, false);
        if (typed(c) && plain->kind != TYPE_DYN && plain->kind != TYPE_PARAM &&
            plain->kind != TYPE_BOOL && plain->kind != TYPE_INT && plain->kind != TYPE_UINT &&
            plain->kind != TYPE_STRING)
            cel_fail(c, CONDITION_TYPE, n->args[i]->from, n->args[i]->to,
                     "a map's key must be int, uint, bool or string, this is of type %s",
                     show(c, k, text));
        if (n->marks[i / 2])
            v = marked(c, n->args[i + 1], v);
        key = cel_type_join(c, key, k);
        value = cel_type_join(c, value, v);
    }
    map = cel_type_map(&c->temp, key ? key : cel_type_fresh(c), value ? value : cel_type_fresh(c));
    return map ? map : dyn();
}

/* ---- binders ---- */

static bool open_scope(struct cel_compiler *c, struct cel_scope *scope, const struct cel_node *n)
{
    scope->outer = c->scope;
    scope->count = n->variable_count;
    scope->number = c->scope_depth;
    for (uint32_t i = 0; i < scope->count; i++) {
        scope->names[i] = n->variables[i];
        scope->types[i] = dyn();
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

    if (!typed(c) || c->status || cel_type_assignable(c, cel_type_of(TYPE_BOOL), type))
        return true;
    return cel_fail(c, CONDITION_TYPE, n->from, n->to,
                    "this condition must be a bool, it is of type %s", show(c, type, text));
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
    } else if (typed(c) && !c->status && range->kind != TYPE_DYN && range->kind != TYPE_PARAM) {
        cel_fail(c, CONDITION_TYPE, n->target->from, n->target->to,
                 "%.*s() works on lists and maps, this is of type %s", (int)n->name.len, n->name.at,
                 show(c, range, text));
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
    return type ? type : dyn();
}

static const struct cel_type *check_fold(struct cel_compiler *c, struct cel_node *n)
{
    const struct cel_type *range = cel_type_resolve(c, part(c, n, n->target), false), *type;
    struct cel_scope scope;

    if (c->status || !open_scope(c, &scope, n))
        return dyn();
    bind_range(c, n, range, &scope);
    if (n->args[0])
        must_be_bool(c, n->args[0], part(c, n, n->args[0]));
    type = c->status ? dyn() : part(c, n, n->args[1]);
    if (!c->status)
        type = fold_result(c, n, &scope, type);
    close_scope(c, n);
    return type;
}

/* cel.bind and optMap: one variable, one body. */
static const struct cel_type *check_binding(struct cel_compiler *c, struct cel_node *n)
{
    const struct cel_type *value = cel_type_resolve(c, part(c, n, n->args[0]), false), *type;
    struct cel_scope scope;
    char text[100];

    if (c->status || !open_scope(c, &scope, n))
        return dyn();
    if (n->kind == NODE_BIND) {
        scope.types[0] = value;
    } else if (cel_type_is_optional(value)) {
        scope.types[0] = value->params[0];
    } else if (typed(c) && value->kind != TYPE_DYN && value->kind != TYPE_PARAM) {
        cel_fail(c, CONDITION_TYPE, n->args[0]->from, n->args[0]->to,
                 "%.*s() works on optionals, this is of type %s", (int)n->name.len, n->name.at,
                 show(c, value, text));
    }
    type = c->status ? dyn() : part(c, n, n->args[1]);
    close_scope(c, n);
    if (n->kind == NODE_OPTMAP && !n->flat)
        type = cel_type_optional(&c->temp, type);
    return type ? type : dyn();
}

/* ---- calls ---- */

/* Looks name up as a function in the containers. */
static const struct cel_function *
find_function(struct cel_compiler *c, const struct cel_text *parts, uint32_t count, bool rooted)
{
    char name[512];
    struct cel_text joined;
    size_t container = rooted ? 0 : strlen(c->env->container);
    const struct cel_function *f;

    do {
        if (join(c->env->container, container, parts, count, name, sizeof name, &joined) &&
            (f = cel_env_find_function(c->env, joined)))
            return f;
    } while (shorten(c->env->container, &container));
    return NULL;
}

static void fail_function(struct cel_compiler *c, const struct cel_node *n)
{
    static const char *const macros[] = {"has",        "all",    "exists",        "exists_one",
                                         "map",        "filter", "transformList", "transformMap",
                                         "optFlatMap", "optMap"};
    struct cel_nearest nearest;
    char name[80];

    snprintf(name, sizeof name, "%.*s", (int)n->name.len, n->name.at);
    cel_fail(c, CONDITION_TYPE, n->at, n->at_to, "there is no function '%s'", name);
    cel_nearest_init(&nearest, name);
    for (size_t i = 0; i < sizeof macros / sizeof *macros; i++) {
        if (strcmp(name, macros[i]) == 0) {
            snprintf(c->diag->msg, sizeof c->diag->msg,
                     "%s() takes another number of arguments, or stands behind a list", name);
            c->diag->hint[0] = '\0';
            return;
        }
        cel_nearest_offer(&nearest, macros[i]);
    }
    for (size_t i = 0; i < CEL_FUNCTION_BUCKETS; i++)
        for (const struct cel_function *f = c->env->functions[i]; f; f = f->next) {
            const char *dot = strrchr(f->name.at, '.');
            cel_nearest_offer(&nearest, f->name.at);
            if (dot && cel_text_is(n->name, dot + 1))
                snprintf(nearest.best, sizeof nearest.best, "%.*s", (int)f->name.len, f->name.at);
        }
    if (*nearest.best)
        cel_fail_hint(c, "did you mean '%s'?", nearest.best);
}

static void fail_overload(struct cel_compiler *c, const struct cel_node *n,
                          const struct cel_type *const *types, uint32_t count, bool member)
{
    char list[120] = "", text[100];
    struct cel_writer w = {list, sizeof list - 1, 0};
    const struct cel_overload *other = n->function->overloads;

    while (other->next && other->member != member)
        other = other->next;
    for (uint32_t i = member; i < count; i++) {
        if (i > (uint32_t)member)
            cel_write_text(&w, ", ");
        cel_write_text(&w, show(c, types[i], text));
    }
    list[w.len < sizeof list ? w.len : sizeof list - 1] = '\0';
    if (member)
        cel_fail(c, CONDITION_TYPE, n->at, n->to, "there is no %s.%.*s(%s)",
                 show(c, types[0], text), (int)n->name.len, n->name.at, list);
    else
        cel_fail(c, CONDITION_TYPE, n->from, n->to, "there is no %.*s(%s)",
                 (int)n->function->name.len, n->function->name.at, list);
    if (other) {
        char params[100] = "";
        struct cel_writer p = {params, sizeof params - 1, 0};
        for (uint32_t i = other->member; i < other->param_count; i++) {
            if (i > (uint32_t)other->member)
                cel_write_text(&p, ", ");
            cel_type_print(other->params[i], text, sizeof text);
            cel_write_text(&p, text);
        }
        params[p.len < sizeof params ? p.len : sizeof params - 1] = '\0';
        if (other->member)
            cel_type_print(other->params[0], text, sizeof text);
        cel_fail_hint(c, "it is %s%s%.*s(%s)", other->member ? text : "", other->member ? "." : "",
                      (int)n->function->name.len, n->function->name.at, params);
    }
}

/* A constant argument whose value can already be judged. */
static void check_constants(struct cel_compiler *c, const struct cel_node *n)
{
    const struct cel_node *arg;

    if (n->arg_count == 1 && !n->target && cel_text_is(n->name, "segment") &&
        c->env->segment_known) {
        arg = n->args[0];
        if (arg->kind == NODE_CONST && arg->value.kind == CONDITION_STRING &&
            !c->env->segment_known(c->env->segment_ctx, arg->value.as.bytes, arg->value.size))
            cel_fail(c, CONDITION_TYPE, arg->from, arg->to, "there is no segment of this name");
    }
}

static const struct cel_type *check_overloads(struct cel_compiler *c, struct cel_node *n,
                                              const struct cel_type *const *types, uint32_t count,
                                              bool member)
{
    const struct cel_type *result = NULL;

    for (const struct cel_overload *o = n->function->overloads; o; o = o->next) {
        const struct cel_type *found;
        if (o->member != member || (o->variadic ? count == 0 : o->param_count != count))
            continue;
        found = try_signature(c, o, types, count);
        if (found)
            result = merge(result, found);
    }
    if (!result) {
        fail_overload(c, n, types, count, member);
        return dyn();
    }
    return result;
}

static const struct cel_type *check_call(struct cel_compiler *c, struct cel_node *n)
{
    struct cel_text parts[PATH_PARTS_MAX + 1];
    const struct cel_type *types[CONDITION_ARGUMENTS_MAX];
    bool rooted = n->rooted, member = false;
    uint32_t count = 0, names, which;

    if (n->arg_count + 1 > CONDITION_ARGUMENTS_MAX) {
        cel_fail(c, CONDITION_EXHAUSTED, n->from, n->to, "a call takes at most %u arguments",
                 CONDITION_ARGUMENTS_MAX - 1);
        return dyn();
    }
    if (n->target) {
        names = chain(n->target, parts, &rooted);
        if (names && names < PATH_PARTS_MAX && (rooted || !find_local(c, parts[0], &which))) {
            parts[names] = n->name;
            n->function = find_function(c, parts, names + 1, rooted);
        }
        if (n->function) {
            n->target = NULL; /* it was the function's namespace */
        } else {
            member = true;
            n->function = find_function(c, &n->name, 1, true);
            types[count++] = part(c, n, n->target);
        }
    } else {
        n->function = find_function(c, &n->name, 1, rooted);
    }
    if (c->status)
        return dyn();
    if (!n->function && typed(c)) {
        fail_function(c, n);
        return dyn();
    }
    n->impure |= !n->function || n->function->impure;
    for (uint32_t i = 0; i < n->arg_count; i++)
        types[count++] = part(c, n, n->args[i]);
    if (c->status)
        return dyn();
    check_constants(c, n);
    if (!typed(c))
        return dyn();
    return check_overloads(c, n, types, count, member);
}

static const struct cel_type *check_kind(struct cel_compiler *c, struct cel_node *n)
{
    switch (n->kind) {
    case NODE_CONST: return cel_type_of_kind(n->value.kind);
    case NODE_IDENT: return check_ident(c, n);
    case NODE_SELECT: return check_select(c, n);
    case NODE_INDEX: return check_index(c, n);
    case NODE_CALL: return check_call(c, n);
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

static const struct cel_type *check(struct cel_compiler *c, struct cel_node *n)
{
    n->binder_depth = c->scope_depth;
    n->type = c->status ? dyn() : check_kind(c, n);
    if (!n->type) {
        if (!c->status)
            cel_fail_memory(c);
        n->type = dyn();
    }
    return n->type;
}

bool cel_check(struct cel_compiler *c, struct cel_node *root)
{
    check(c, root);
    if (c->temp.failed || c->env->pool.failed)
        return cel_fail_memory(c);
    return c->status == CONDITION_OK;
}
