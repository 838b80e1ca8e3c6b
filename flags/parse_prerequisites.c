/*
 * "prerequisites": what other flags have to answer before this one is asked. Parsed with the flag,
 * linked when all flags are there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "flags/model.h"

/* ---- parsing ---- */

static enum err_code parse_names(struct parse *parse, const struct json *array, const char *at,
                                 struct prerequisite *out)
{
    size_t count = json_count(array);
    const char **names;

    if (json_kind(array) != JSON_ARRAY || count == 0 || count > LIMIT_VARIANTS)
        return err_set(parse->err, ERR_INVALID,
                       "%s.variants: must be an array of the variants that will do, such as "
                       "[\"on\"]",
                       at);
    names = arena_zero(parse->arena, count, sizeof *names);
    if (names == NULL)
        return no_memory(parse->err);
    for (const struct json *name = json_first(array); name != NULL; name = json_next(name)) {
        const char *text = json_text(name);

        if (text == NULL || !name_is_good(text))
            return err_set(parse->err, ERR_INVALID, "%s.variants: %s; they are variants' names", at,
                           kind_of(name));
        names[out->count] = arena_text(parse->arena, text, strlen(text));
        if (names[out->count++] == NULL)
            return no_memory(parse->err);
    }
    out->names = names;
    return ERR_OK;
}

static enum err_code parse_one(struct parse *parse, const struct json *json, size_t index,
                               struct prerequisite *out)
{
    const char *key = json_text(json_get(json, "flag"));
    char at[40];

    snprintf(at, sizeof at, "prerequisites[%zu]", index);
    if (json_kind(json) != JSON_OBJECT || key == NULL || !key_is_good(key))
        return err_set(parse->err, ERR_INVALID,
                       "%s: must be an object such as {\"flag\": \"new-database\", \"variants\": "
                       "[\"on\"]}",
                       at);
    for (size_t i = 0; i < index; i++) {
        if (strcmp(parse->flag->prerequisites[i].key, key) == 0)
            return err_set(parse->err, ERR_INVALID, "%s: flag '%.80s' stands there twice", at, key);
    }
    out->key = arena_text(parse->arena, key, strlen(key));
    if (out->key == NULL)
        return no_memory(parse->err);
    return parse_names(parse, json_get(json, "variants"), at, out);
}

enum err_code prerequisites_parse(struct parse *parse, const struct json *document)
{
    const struct json *array = json_get(document, "prerequisites");
    size_t count = json_count(array), n = 0;

    if (array == NULL)
        return ERR_OK;
    if (json_kind(array) != JSON_ARRAY)
        return err_set(parse->err, ERR_INVALID, "prerequisites: must be an array, not %s",
                       kind_of(array));
    if (count > LIMIT_PREREQUISITES)
        return err_set(parse->err, ERR_LIMIT, "prerequisites: %zu of them; at most %u are allowed",
                       count, LIMIT_PREREQUISITES);
    parse->flag->prerequisites =
        arena_zero(parse->arena, count + 1, sizeof *parse->flag->prerequisites);
    if (parse->flag->prerequisites == NULL)
        return no_memory(parse->err);
    for (const struct json *at = json_first(array); at != NULL; at = json_next(at), n++) {
        enum err_code rc = parse_one(parse, at, n, &parse->flag->prerequisites[n]);

        if (rc != ERR_OK)
            return rc;
        parse->flag->prerequisite_count = n + 1;
    }
    return ERR_OK;
}

/* ---- linking ---- */

char *cycle_print(struct arena *arena, const char *const *path, size_t count, const char *again)
{
    size_t first = 0, len = strlen(again) + 1, used = 0;
    char *text;

    while (first < count && strcmp(path[first], again) != 0)
        first++;
    for (size_t i = first; i < count; i++)
        len += strlen(path[i]) + 4;
    text = arena_take(arena, len);
    for (size_t i = first; text != NULL && i < count; i++)
        used += (size_t)snprintf(text + used, len - used, "%s -> ", path[i]);
    if (text != NULL)
        snprintf(text + used, len - used, "%s", again);
    return text;
}

enum { NEW, OPEN, DONE };

struct link {
    struct ruleset *rules;
    struct flag *extra;
    uint8_t *states; /* of the ruleset's flags, the extra one behind them */
    uint32_t *works; /* how many evaluations one of each may ask for */
    const char *path[LIMIT_PREREQUISITE_FLAGS + 1];
    size_t depth;
    bool failed; /* no memory */
};

static size_t place_of(const struct link *link, const struct flag *flag)
{
    return flag == link->extra ? link->rules->count : (size_t)(flag - link->rules->flags);
}

/* What was parsed is dropped; why is kept. */
static void disable(struct link *link, struct flag *flag, const char *why)
{
    const char *key = flag->key;
    enum flag_type type = flag->type;

    if (why == NULL) {
        link->failed = true;
        why = "out of memory";
    }
    flag_fini(flag);
    memset(flag, 0, sizeof *flag);
    flag->key = key;
    flag->type = type;
    flag->unusable = why;
}

static void visit(struct link *link, struct flag *flag);

static const char circle[] = "prerequisites: they go in a circle: ";

/* "", or why it cannot be linked; NULL: no memory. */
static const char *link_one(struct link *link, struct flag *flag, struct prerequisite *at,
                            uint32_t *work)
{
    struct arena *arena = &link->rules->arena;
    bool itself = link->extra != NULL && strcmp(at->key, link->extra->key) == 0;
    const struct flag *found = itself ? link->extra : ruleset_find(link->rules, at->key);
    struct flag *needs = itself ? link->extra : NULL;
    uint16_t *variants = arena_zero(arena, at->count, sizeof *variants);

    if (variants == NULL)
        return NULL;
    if (found == NULL)
        return arena_print(arena, "prerequisites: there is no flag '%s'", at->key);
    if (needs == NULL)
        needs = &link->rules->flags[found - link->rules->flags];
    if (link->states[place_of(link, needs)] == OPEN) {
        char *cycle = cycle_print(arena, link->path, link->depth, needs->key);

        return cycle != NULL ? arena_print(arena, "%s%s", circle, cycle) : NULL;
    }
    visit(link, needs);
    if (needs->unusable != NULL && strncmp(needs->unusable, circle, sizeof circle - 1) == 0)
        return needs->unusable;
    if (needs->unusable != NULL)
        return arena_print(arena, "prerequisites: flag '%s' cannot be used: %.300s", at->key,
                           needs->unusable);
    for (size_t i = 0; i < at->count; i++) {
        if (!variant_named(needs, at->names[i], &variants[i]))
            return arena_print(arena, "prerequisites: flag '%s' has no variant '%s'", at->key,
                               at->names[i]);
    }
    at->needs = needs;
    at->variants = variants;
    flag->reads_now = flag->reads_now || needs->reads_now;
    *work += link->works[place_of(link, needs)];
    return "";
}

static void visit(struct link *link, struct flag *flag)
{
    size_t place = place_of(link, flag);
    uint32_t work = 1;

    if (link->states[place] != NEW)
        return;
    link->states[place] = OPEN;
    if (flag->prerequisite_count > 0 && link->depth == LIMIT_PREREQUISITE_FLAGS) {
        disable(link, flag, "prerequisites: too many, one behind the other");
    } else if (flag->prerequisite_count > 0) {
        link->path[link->depth++] = flag->key;
        for (size_t i = 0; i < flag->prerequisite_count; i++) {
            const char *why = link_one(link, flag, &flag->prerequisites[i], &work);

            if (why == NULL || why[0] != '\0') {
                disable(link, flag, why);
                break;
            }
        }
        link->depth--;
    }
    if (flag->unusable == NULL && work > LIMIT_PREREQUISITE_FLAGS)
        disable(link, flag,
                arena_print(&link->rules->arena,
                            "prerequisites: one evaluation would take %u; at most %u are allowed",
                            work, LIMIT_PREREQUISITE_FLAGS));
    link->works[place] = work;
    link->states[place] = DONE;
}

enum err_code prerequisites_link(struct ruleset *rules, struct flag *extra, struct err *err)
{
    size_t count = rules->count + 1;
    struct link *link;
    bool any = extra != NULL && extra->prerequisite_count > 0;
    bool failed;

    for (size_t i = 0; i < rules->count && !any; i++)
        any = rules->flags[i].prerequisite_count > 0;
    if (!any)
        return ERR_OK;
    link = calloc(1, sizeof *link + count * (sizeof *link->works + sizeof *link->states));
    if (link == NULL)
        return no_memory(err);
    link->works = (uint32_t *)(void *)(link + 1);
    link->states = (uint8_t *)(link->works + count);
    link->rules = rules;
    link->extra = extra;
    if (extra != NULL)
        visit(link, extra);
    for (size_t i = 0; i < rules->count; i++)
        visit(link, &rules->flags[i]);
    failed = link->failed;
    free(link);
    return failed ? no_memory(err) : ERR_OK;
}
