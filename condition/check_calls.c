/*
 * check_calls - which function a call means, and which of its overloads fits.
 */
#include "condition/check.h"

#include "condition/env.h"
#include "condition/value.h"

#include <stdio.h>
#include <string.h>

/* The result of the signature if it fits, or NULL. */
const struct cel_type *cel_try_overload(struct cel_compiler *c, const struct cel_overload *o,
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
const struct cel_type *cel_merge_types(const struct cel_type *a, const struct cel_type *b)
{
    return !a || cel_type_same(a, b) ? b : cel_dyn();
}

/* Looks name up as a function in the containers. */
static const struct cel_function *
find_function(struct cel_compiler *c, const struct cel_text *parts, uint32_t count, bool rooted)
{
    char name[512];
    struct cel_text joined;
    size_t container = rooted ? 0 : strlen(c->env->container);
    const struct cel_function *f;

    do {
        if (cel_join_name(c->env->container, container, parts, count, name, sizeof name, &joined) &&
            (f = cel_env_find_function(c->env, joined)))
            return f;
    } while (cel_shorten(c->env->container, &container));
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

/* "string, int" into out: the types, without the receiver. */
static void list_types(struct cel_compiler *c, const struct cel_type *const *types, uint32_t count,
                       bool member, bool declared, char *out, size_t out_size)
{
    struct cel_writer w = {out, out_size - 1, 0};
    char text[CEL_TYPE_TEXT];

    for (uint32_t i = member; i < count; i++) {
        if (i > (uint32_t)member)
            cel_write_text(&w, ", ");
        if (declared) /* type parameters as they were declared: A */
            cel_type_print(types[i], text, sizeof text);
        else
            cel_show_type(c, types[i], text);
        cel_write_text(&w, text);
    }
    out[w.len < out_size ? w.len : out_size - 1] = '\0';
}

static void fail_overload(struct cel_compiler *c, const struct cel_node *n,
                          const struct cel_type *const *types, uint32_t count, bool member)
{
    const struct cel_overload *other = n->function->overloads;
    const char *name = n->function->name.at;
    char list[100], text[CEL_TYPE_TEXT];

    list_types(c, types, count, member, false, list, sizeof list);
    if (member)
        cel_fail(c, CONDITION_TYPE, n->at, n->to, "there is no %s.%s(%s)",
                 cel_show_type(c, types[0], text), name, list);
    else
        cel_fail(c, CONDITION_TYPE, n->from, n->to, "there is no %s(%s)", name, list);
    if (!other)
        return;
    while (other->next && other->member != member)
        other = other->next;
    list_types(c, other->params, other->param_count, other->member, true, list, sizeof list);
    if (other->member)
        cel_type_print(other->params[0], text, sizeof text);
    cel_fail_hint(c, "it is %s%s%s(%s)", other->member ? text : "", other->member ? "." : "", name,
                  list);
}

/* A constant argument whose value can already be judged. */
static void check_constants(struct cel_compiler *c, const struct cel_node *n)
{
    const struct cel_node *arg;

    if (n->arg_count == 1 && !n->target && cel_text_is(n->name, "segment") &&
        c->env->segment_known) {
        arg = n->args[0];
        if (arg->kind != NODE_CONST || arg->value.kind != CONDITION_STRING) {
            if (!c->env->segment_known(c->env->segment_ctx, NULL, 0))
                cel_fail(c, CONDITION_TYPE, arg->from, arg->to,
                         "the name of a segment must be a constant string here");
        } else if (!c->env->segment_known(c->env->segment_ctx, arg->value.as.bytes,
                                          arg->value.size)) {
            cel_fail(c, CONDITION_TYPE, arg->from, arg->to, "there is no segment of this name");
        }
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
        found = cel_try_overload(c, o, types, count);
        if (found)
            result = cel_merge_types(result, found);
    }
    if (!result) {
        fail_overload(c, n, types, count, member);
        return cel_dyn();
    }
    return result;
}

const struct cel_type *cel_check_call(struct cel_compiler *c, struct cel_node *n)
{
    struct cel_text parts[PATH_PARTS_MAX + 1];
    const struct cel_type *types[CONDITION_ARGUMENTS_MAX];
    bool rooted = n->rooted, member = false;
    uint32_t count = 0, names, which;

    if (n->arg_count + 1 > CONDITION_ARGUMENTS_MAX) {
        cel_fail(c, CONDITION_EXHAUSTED, n->from, n->to, "a call takes at most %u arguments",
                 CONDITION_ARGUMENTS_MAX - 1);
        return cel_dyn();
    }
    if (n->target) {
        names = cel_chain(n->target, parts, &rooted);
        if (names && names < PATH_PARTS_MAX && (rooted || !cel_find_local(c, parts[0], &which))) {
            parts[names] = n->name;
            n->function = find_function(c, parts, names + 1, rooted);
        }
        if (n->function) {
            n->target = NULL; /* it was the function's namespace */
        } else {
            member = true;
            n->function = find_function(c, &n->name, 1, true);
            types[count++] = cel_check_part(c, n, n->target);
        }
    } else {
        n->function = find_function(c, &n->name, 1, rooted);
    }
    if (c->status)
        return cel_dyn();
    if (!n->function && cel_typed(c)) {
        fail_function(c, n);
        return cel_dyn();
    }
    n->impure |= !n->function || n->function->impure;
    for (uint32_t i = 0; i < n->arg_count; i++)
        types[count++] = cel_check_part(c, n, n->args[i]);
    if (c->status)
        return cel_dyn();
    check_constants(c, n);
    if (!cel_typed(c) || !n->function)
        return cel_dyn();
    return check_overloads(c, n, types, count, member);
}
