/*
 * env - see env.h and condition.h.
 */
#include "condition/env.h"

#include "condition/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct condition_env *condition_env_new(void)
{
    struct condition_env *env = calloc(1, sizeof *env);

    if (!env)
        return NULL;
    env->check = true;
    env->container = "";
    if (!cel_library_declare(env)) {
        condition_env_free(env);
        return NULL;
    }
    return env;
}

void condition_env_free(struct condition_env *env)
{
    if (!env)
        return;
    for (struct cel_env_zone *z = env->zones; z; z = z->next)
        cel_zone_free(z->zone);
    cel_pool_fini(&env->pool);
    free(env);
}

void condition_env_set_open(struct condition_env *env, bool open)
{
    env->open = open;
}

void condition_env_set_dynamic_patterns(struct condition_env *env, bool allowed)
{
    env->dynamic_patterns = allowed;
}

void condition_env_set_check(struct condition_env *env, bool check)
{
    env->check = check;
}

enum condition_status condition_env_set_container(struct condition_env *env, const char *container)
{
    const char *copy = "";

    if (container && *container) {
        copy = cel_pool_copy(&env->pool, container, strlen(container));
        if (!copy)
            return CONDITION_NOMEM;
    }
    env->container = copy;
    return CONDITION_OK;
}

void condition_env_set_segments(struct condition_env *env, condition_segment_known *known,
                                void *known_ctx, condition_segment_fn *fn)
{
    env->segment_known = known;
    env->segment_ctx = known_ctx;
    env->segment_fn = fn;
}

/* ---- variables ---- */

const struct cel_variable *cel_env_variable(const struct condition_env *env, struct cel_text path)
{
    for (uint32_t i = 0; i < env->variable_count; i++)
        if (cel_text_same(env->variables[i].path, path))
            return &env->variables[i];
    return NULL;
}

static enum condition_status declare(struct condition_env *env, const char *path,
                                     const struct cel_type *type)
{
    struct cel_text name = {path, (uint32_t)strlen(path)};
    const struct cel_variable *old = cel_env_variable(env, name);
    struct cel_variable *variable;

    if (old)
        return cel_type_same(old->type, type) ? CONDITION_OK : CONDITION_TYPE;
    if (!cel_pool_grow(&env->pool, &env->variables, env->variable_count, &env->variable_capacity,
                       sizeof *env->variables))
        return CONDITION_NOMEM;
    name.at = cel_pool_copy(&env->pool, path, name.len);
    if (!name.at)
        return CONDITION_NOMEM;
    variable = &env->variables[env->variable_count++];
    variable->path = name;
    variable->type = type;
    return CONDITION_OK;
}

enum condition_status condition_env_declare(struct condition_env *env, const char *path,
                                            enum condition_kind type)
{
    return declare(env, path, cel_type_of_kind(type));
}

enum condition_status condition_env_declare_type(struct condition_env *env, const char *path,
                                                 const char *type)
{
    const char *at = type;
    const struct cel_type *parsed = cel_type_parse(&env->pool, &at);

    if (env->pool.failed)
        return CONDITION_NOMEM;
    if (!parsed || *at)
        return CONDITION_TYPE;
    return declare(env, path, parsed);
}

/* ---- functions ---- */

static uint32_t bucket_of_name(struct cel_text name)
{
    uint32_t hash = 2166136261u;

    for (uint32_t i = 0; i < name.len; i++)
        hash = (hash ^ (unsigned char)name.at[i]) * 16777619u;
    return hash % CEL_FUNCTION_BUCKETS;
}

struct cel_function *cel_env_find_function(const struct condition_env *env, struct cel_text name)
{
    struct cel_function *f = env->functions[bucket_of_name(name)];

    while (f && !cel_text_same(f->name, name))
        f = f->next;
    return f;
}

struct cel_function *cel_env_function(struct condition_env *env, const char *name)
{
    struct cel_text text = {name, (uint32_t)strlen(name)};
    struct cel_function *f = cel_env_find_function(env, text);
    uint32_t bucket;

    if (f)
        return f;
    f = cel_pool_take(&env->pool, sizeof *f);
    text.at = cel_pool_copy(&env->pool, name, text.len);
    if (!f || !text.at)
        return NULL;
    bucket = bucket_of_name(text);
    f->name = text;
    f->next = env->functions[bucket];
    env->functions[bucket] = f;
    return f;
}

static enum condition_status add_overload(struct condition_env *env, const char *name,
                                          const struct cel_overload *overload)
{
    struct cel_function *f = cel_env_function(env, name);
    struct cel_overload *copy = cel_pool_take(&env->pool, sizeof *copy);
    struct cel_overload **end;

    if (!f || !copy)
        return CONDITION_NOMEM;
    if (f->builtin)
        return CONDITION_TYPE; /* CEL's own functions mean what CEL says */
    f->impure = true;
    *copy = *overload;
    for (end = &f->overloads; *end; end = &(*end)->next)
        ;
    *end = copy;
    return CONDITION_OK;
}

enum condition_status condition_env_function(struct condition_env *env, const char *name,
                                             bool member, const enum condition_kind *params,
                                             size_t param_count, enum condition_kind result,
                                             condition_function *fn, void *ctx)
{
    struct cel_overload o = {.param_count = (uint32_t)param_count,
                             .member = member,
                             .host = fn,
                             .host_ctx = ctx,
                             .result = cel_type_of_kind(result)};
    enum condition_kind *kinds;

    if (param_count > CONDITION_ARGUMENTS_MAX || (member && param_count == 0))
        return CONDITION_TYPE;
    o.params = cel_pool_take(&env->pool, (param_count + 1) * sizeof *o.params);
    kinds = cel_pool_take(&env->pool, (param_count + 1) * sizeof *kinds);
    if (!o.params || !kinds)
        return CONDITION_NOMEM;
    for (size_t i = 0; i < param_count; i++) {
        o.params[i] = cel_type_of_kind(params[i]);
        kinds[i] = params[i];
    }
    o.kinds = kinds;
    return add_overload(env, name, &o);
}

enum condition_status condition_env_declare_function(struct condition_env *env, const char *name,
                                                     bool member, const char *const *params,
                                                     size_t param_count, const char *result,
                                                     condition_function *fn, void *ctx)
{
    struct cel_overload o = {
        .param_count = (uint32_t)param_count, .member = member, .host = fn, .host_ctx = ctx};
    const char *at = result;

    if (param_count > CONDITION_ARGUMENTS_MAX || (member && param_count == 0))
        return CONDITION_TYPE;
    o.params = cel_pool_take(&env->pool, (param_count + 1) * sizeof *o.params);
    o.result = cel_type_parse(&env->pool, &at);
    for (size_t i = 0; o.params && o.result && !*at && i < param_count; i++) {
        at = params[i];
        o.params[i] = cel_type_parse(&env->pool, &at);
        if (!o.params[i])
            o.result = NULL;
    }
    if (env->pool.failed)
        return CONDITION_NOMEM;
    if (!o.result || *at)
        return CONDITION_TYPE;
    return add_overload(env, name, &o);
}

/* ---- slots ---- */

size_t condition_env_slot_count(const struct condition_env *env)
{
    return env->slot_count;
}

const char *condition_env_slot_path(const struct condition_env *env, size_t slot)
{
    return slot < env->slot_count ? env->slots[slot].path : NULL;
}

size_t condition_env_slot_parts(const struct condition_env *env, size_t slot,
                                const char *const **parts)
{
    if (slot >= env->slot_count)
        return 0;
    *parts = env->slots[slot].parts;
    return env->slots[slot].part_count;
}

static bool slot_is(const struct cel_slot *slot, const struct cel_text *parts, uint32_t count)
{
    if (slot->part_count != count)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (slot->part_bytes[i] != parts[i].len ||
            memcmp(slot->parts[i], parts[i].at, parts[i].len) != 0)
            return false;
    return true;
}

uint32_t cel_env_slot(struct condition_env *env, const struct cel_text *parts, uint32_t count)
{
    const char **names;
    uint32_t *bytes, *prefixes;
    struct cel_slot *slot;
    struct cel_pool *pool = &env->pool;
    size_t len = 0, at = 0;
    char *path;
    bool dotted = false;

    for (uint32_t i = 0; i < env->slot_count; i++)
        if (slot_is(&env->slots[i], parts, count))
            return i;
    for (uint32_t i = 0; i < count; i++)
        len += parts[i].len + 1u;
    names = cel_pool_take(pool, count * sizeof *names);
    bytes = cel_pool_take(pool, count * sizeof *bytes);
    prefixes = cel_pool_take(pool, count * sizeof *prefixes);
    path = cel_pool_take(pool, len + 1);
    if (!names || !bytes || !prefixes || !path ||
        !cel_pool_grow(pool, &env->slots, env->slot_count, &env->slot_capacity, sizeof *slot))
        return UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        char *name = cel_pool_copy(pool, parts[i].at, parts[i].len);
        if (!name)
            return UINT32_MAX;
        names[i] = name;
        bytes[i] = parts[i].len;
        dotted |= parts[i].len && memchr(parts[i].at, '.', parts[i].len) != NULL;
        if (i)
            path[at++] = '.';
        memcpy(path + at, parts[i].at, parts[i].len);
        at += parts[i].len;
        prefixes[i] = (uint32_t)at;
    }
    slot = &env->slots[env->slot_count];
    slot->path = path;
    slot->parts = names;
    slot->part_bytes = bytes;
    slot->prefix_bytes = prefixes;
    slot->part_count = count;
    slot->dotted = dotted;
    return env->slot_count++;
}

/* CEL binds the longest name: a root entry "a.b" comes before the field b of a. */
static struct condition_value slot_value(const struct cel_slot *slot,
                                         const struct condition_value *root)
{
    struct condition_value absent = {CONDITION_ABSENT, 0, 0, 0, {0}};

    for (uint32_t names = slot->dotted ? 1 : slot->part_count; names > 0; names--) {
        const struct condition_entry *entry =
            cel_map_find_text(root, slot->path, slot->prefix_bytes[names - 1]);
        if (!entry)
            continue;
        for (uint32_t i = names; i < slot->part_count; i++) {
            if (entry->value.kind != CONDITION_MAP)
                return absent;
            entry = cel_map_find_text(&entry->value, slot->parts[i], slot->part_bytes[i]);
            if (!entry)
                return absent;
        }
        return entry->value;
    }
    return absent;
}

void condition_slots_fill(const struct condition_env *env, const struct condition_value *root,
                          struct condition_value *slots, size_t slot_count)
{
    struct condition_value absent = {CONDITION_ABSENT, 0, 0, 0, {0}};

    for (size_t i = 0; i < slot_count; i++)
        slots[i] = i < env->slot_count && root->kind == CONDITION_MAP
                       ? slot_value(&env->slots[i], root)
                       : absent;
}

/* ---- zones ---- */

const struct cel_zone *cel_env_zone(struct condition_env *env, const char *name, uint32_t len)
{
    struct cel_text text = {name, len};
    struct cel_env_zone *z;
    bool nomem;

    for (z = env->zones; z; z = z->next)
        if (cel_text_same(z->name, text))
            return z->zone;
    z = cel_pool_take(&env->pool, sizeof *z);
    text.at = cel_pool_copy(&env->pool, name, len);
    if (!z || !text.at)
        return NULL;
    z->zone = cel_zone_load(name, len, &nomem);
    env->pool.failed |= nomem;
    if (!z->zone)
        return NULL;
    z->name = text;
    z->next = env->zones;
    env->zones = z;
    return z->zone;
}

const struct cel_env_zone *cel_env_all_zones(struct condition_env *env)
{
    static const char list[] = "/usr/share/zoneinfo/tzdata.zi";
    char line[512];
    FILE *file;

    if (env->all_zones)
        return env->all_zones;
    file = fopen(list, "r");
    while (file && fgets(line, (int)sizeof line, file)) {
        char kind = line[0], *name = line + 2;
        if ((kind != 'Z' && kind != 'L') || line[1] != ' ')
            continue;
        if (kind == 'L') { /* L target name */
            name = strchr(name, ' ');
            if (!name)
                continue;
            name++;
        }
        name[strcspn(name, " \r\n")] = '\0';
        (void)cel_env_zone(env, name, (uint32_t)strlen(name)); /* one that is missing is unknown */
    }
    if (file)
        fclose(file);
    env->all_zones = env->zones;
    return env->all_zones;
}
