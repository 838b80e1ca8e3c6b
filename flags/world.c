#include "flags/world.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "flags/judge.h"
#include "flags/model.h"

/* ---- which segments, which flags ---- */

/* Whether a condition of the document has the text in it. */
static bool mentions(const struct json *document, const char *text)
{
    const char *when = json_get_text(document, "when", "");

    if (strstr(when, text) != NULL)
        return true;
    for (const struct json *rule = json_first(json_get(document, "rules")); rule != NULL;
         rule = json_next(rule)) {
        if (strstr(json_get_text(rule, "when", ""), text) != NULL ||
            strstr(json_get_text(rule, "segment", ""), text) != NULL)
            return true;
    }
    return false;
}

static bool has_key(const struct json *array, const char *key)
{
    for (const struct json *at = json_first(array); at != NULL; at = json_next(at)) {
        if (strcmp(json_get_text(at, "key", ""), key) == 0)
            return true;
    }
    return false;
}

/* The flags that document asks for, and those that they ask for. More than may be asked for are not
 * needed: then the flag is refused anyway. */
static bool take_flags(const struct json *document, const struct flag_world *world,
                       const char *own_key, struct json *flags)
{
    for (const struct json *at = json_first(json_get(document, "prerequisites")); at != NULL;
         at = json_next(at)) {
        const char *key = json_get_text(at, "flag", "");
        const struct json *found;

        if (strcmp(key, own_key) == 0 || has_key(flags, key) ||
            json_count(flags) > 2u * LIMIT_PREREQUISITE_FLAGS)
            continue;
        found = world->flag != NULL ? world->flag(world->ctx, key) : NULL;
        if (found != NULL &&
            (json_append_lent(flags, found) == NULL || !take_flags(found, world, own_key, flags)))
            return false;
    }
    return true;
}

/* The segments whose names stand somewhere in the conditions: often more than are asked for, never
 * fewer, since a name must be a constant. */
static bool take_segments(const struct json *document, const struct json *flags,
                          const struct flag_world *world, struct json *segments)
{
    size_t before;

    do {
        before = json_count(segments);
        for (const struct json *at = json_first(world->segments); at != NULL; at = json_next(at)) {
            const char *key = json_get_text(at, "key", "");
            bool wanted = mentions(document, key);

            if (has_key(segments, key))
                continue;
            for (const struct json *f = json_first(flags); f != NULL && !wanted; f = json_next(f))
                wanted = mentions(f, key);
            for (const struct json *s = json_first(segments); s != NULL && !wanted;
                 s = json_next(s))
                wanted = mentions(s, key);
            if (wanted && json_append_lent(segments, at) == NULL)
                return false;
        }
    } while (json_count(segments) > before);
    return true;
}

static enum err_code around(const struct json *document, const struct flag_world *world,
                            struct json *segments, struct ruleset **out, struct err *err)
{
    static const struct flag_world nothing = {0};
    const char *key = json_get_text(document, "key", "");
    struct json *ruleset = json_object(), *flags = json_array();
    bool whole;
    enum err_code rc;

    world = world != NULL ? world : &nothing;
    whole = ruleset != NULL && flags != NULL && segments != NULL &&
            take_flags(document, world, key, flags) &&
            take_segments(document, flags, world, segments);
    whole = json_put_number(ruleset, "format", RULESET_FORMAT) != NULL && whole;
    whole = json_put_number(ruleset, "epoch", 0) != NULL && whole;
    whole = json_put_number(ruleset, "revision", 0) != NULL && whole;
    whole = json_put(ruleset, "flags", flags) != NULL && whole;
    whole = json_put(ruleset, "segments", segments) != NULL && whole;
    rc = whole ? ruleset_build_unlinked(ruleset, out, err) : no_memory(err);
    json_free(ruleset);
    return rc;
}

/* ---- one flag in its world ---- */

enum err_code judge_init(struct judge *judge, const struct json *flag,
                         const struct flag_world *world, struct err *err)
{
    struct parse parse;
    enum err_code rc;

    *judge = (struct judge){0};
    rc = around(flag, world, json_array(), &judge->around, err);
    if (rc != ERR_OK)
        return rc;
    parse = (struct parse){.arena = &judge->around->arena,
                           .env = judge->around->env,
                           .paths = &judge->around->paths,
                           .segments = &judge->around->segments,
                           .flag = &judge->flag,
                           .err = err};
    rc = flag_parse(&parse, flag);
    if (rc == ERR_OK)
        rc = prerequisites_link(judge->around, &judge->flag, err);
    if (rc == ERR_OK && judge->flag.unusable != NULL)
        rc = err_set(err, ERR_INVALID, "%s", judge->flag.unusable);
    if (rc != ERR_OK)
        judge_fini(judge);
    return rc;
}

void judge_fini(struct judge *judge)
{
    flag_fini(&judge->flag);
    ruleset_free(judge->around);
    judge->around = NULL;
}

/* ---- segments ---- */

static enum err_code check_shape(const struct json *segment, struct err *err)
{
    static const char *const members[] = {"key", "description", "when", "keys", "domains", "uses"};
    const char *key = json_text(json_get(segment, "key"));
    const struct json *description = json_get(segment, "description");
    enum err_code rc;

    if (json_kind(segment) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "a segment must be an object, not %s", kind_of(segment));
    rc = members_check(segment, members, sizeof members / sizeof members[0], err);
    if (rc != ERR_OK)
        return rc;
    if (key == NULL || !key_is_good(key))
        return err_set(
            err, ERR_INVALID, "key: %s; use 1 to %u of a-z 0-9 . _ -, the first a letter or digit",
            key == NULL ? kind_of(json_get(segment, "key")) : "not allowed", LIMIT_KEY_BYTES);
    if (description != NULL && json_text(description) == NULL)
        return err_set(err, ERR_INVALID, "description: must be a string, not %s",
                       kind_of(description));
    return ERR_OK;
}

enum err_code segment_check(const struct json *segment, const struct flag_world *world,
                            struct err *err)
{
    struct ruleset *rules = NULL;
    const struct segment *found;
    const char *key;
    struct json *segments;
    enum err_code rc = check_shape(segment, err);

    if (rc != ERR_OK)
        return rc;
    key = json_get_text(segment, "key", "");
    segments = json_array();
    if (json_append_lent(segments, segment) == NULL) {
        json_free(segments);
        return no_memory(err);
    }
    rc = around(segment, world, segments, &rules, err);
    if (rc != ERR_OK)
        return rc;
    found = segment_find(&rules->segments, key, strlen(key));
    if (found != NULL && found->unusable != NULL)
        rc = err_set(err, ERR_INVALID, "%s", found->unusable);
    ruleset_free(rules);
    return rc;
}

/* ---- names ---- */

struct names {
    flag_name_fn *seen;
    void *ctx;
};

static bool take_name(void *ctx, const char *name, size_t len)
{
    struct names *names = ctx;
    char key[LIMIT_KEY_BYTES + 1];

    if (name != NULL && len <= LIMIT_KEY_BYTES) {
        memcpy(key, name, len);
        key[len] = '\0';
        names->seen(names->ctx, NAMES_SEGMENT, key);
    }
    return name != NULL;
}

/* Compiling is what finds a name; the program is not needed. */
static void names_of(struct condition_env *env, const char *when)
{
    struct condition_diag diag;
    struct condition *condition = NULL;

    if (strstr(when, "segment") != NULL &&
        condition_compile(env, when, strlen(when), &condition, &diag) == CONDITION_OK)
        condition_free(condition);
}

enum err_code flag_names(const struct json *document, flag_name_fn *seen, void *ctx,
                         struct err *err)
{
    struct names names = {seen, ctx};
    const struct json *rules = json_get(document, "rules");
    struct condition_env *env = NULL;

    for (const struct json *at = json_first(json_get(document, "prerequisites")); at != NULL;
         at = json_next(at)) {
        if (json_text(json_get(at, "flag")) != NULL)
            seen(ctx, NAMES_FLAG, json_get_text(at, "flag", ""));
    }
    for (const struct json *rule = json_first(rules); rule != NULL; rule = json_next(rule)) {
        if (json_text(json_get(rule, "segment")) != NULL)
            seen(ctx, NAMES_SEGMENT, json_get_text(rule, "segment", ""));
    }
    if (!mentions(document, "segment"))
        return ERR_OK;
    env = flag_condition_env(take_name, &names, segment_ask);
    if (env == NULL)
        return no_memory(err);
    names_of(env, json_get_text(document, "when", ""));
    for (const struct json *rule = json_first(rules); rule != NULL; rule = json_next(rule))
        names_of(env, json_get_text(rule, "when", ""));
    condition_env_free(env);
    return ERR_OK;
}

static bool has_segment(const struct json *rules)
{
    for (const struct json *rule = json_first(rules); rule != NULL; rule = json_next(rule)) {
        if (json_get(rule, "segment") != NULL ||
            strstr(json_get_text(rule, "when", ""), "segment") != NULL)
            return true;
    }
    return false;
}

struct json *flag_features(const struct json *flag)
{
    const struct json *layer = json_get(flag, "layer");
    struct json *list = NULL;
    const bool has[] = {json_kind(layer) == JSON_OBJECT,
                        json_count(json_get(flag, "prerequisites")) > 0,
                        has_segment(json_get(flag, "rules"))};
    static const char *const names[] = {"layer", "prerequisites", "segments"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (!has[i])
            continue;
        list = list != NULL ? list : json_array();
        if (json_append(list, json_string(names[i])) == NULL) {
            json_free(list);
            return NULL;
        }
    }
    return list;
}
