#include "flags/diff.h"

#include <string.h>

static const char *bucket_by(const struct json *flag)
{
    return json_get_text(flag, "bucket_by", "targetingKey");
}

/* The weights of SERVE, or NULL if it has no split. */
static const struct json *split_of(const struct json *serve)
{
    const struct json *split = json_get(serve, "split");

    return split != NULL ? split : json_get(json_get(serve, "ramp"), "split");
}

static bool covers(const struct json *weights, const struct json *other)
{
    for (const struct json *at = json_first(weights); at != NULL; at = json_next(at)) {
        double same = json_number(json_get(other, json_key(at)), 0);

        if (json_number(at, 0) != same)
            return false;
    }
    return true;
}

static bool serve_moves(const struct json *before, const struct json *after)
{
    const struct json *was = split_of(before), *is = split_of(after);

    return was != NULL && is != NULL && !(covers(was, is) && covers(is, was));
}

/* The rule of before that is rule `index` of after: by name, else by place. */
static const struct json *same_rule(const struct json *rules, const struct json *rule, size_t index)
{
    const char *name = json_get_text(rule, "name", NULL);
    size_t i = 0;

    for (const struct json *at = json_first(rules); at != NULL; at = json_next(at), i++) {
        const char *other = json_get_text(at, "name", NULL);

        if (name != NULL ? other != NULL && strcmp(other, name) == 0 : i == index && other == NULL)
            return at;
    }
    return NULL;
}

/* Both tables sorted by the same document order cost one walk; else a member is looked up. */
static bool domains_move(const struct json *before, const struct json *after)
{
    const struct json *was = json_first(before);

    for (const struct json *is = json_first(after); is != NULL; is = json_next(is)) {
        const struct json *match = was;

        if (match == NULL || strcmp(json_key(match), json_key(is)) != 0)
            match = split_of(is) != NULL ? json_get(before, json_key(is)) : NULL;
        if (serve_moves(match, is))
            return true;
        if (match != NULL)
            was = json_next(match);
    }
    return false;
}

bool flag_reassigns(const struct json *before, const struct json *after)
{
    const struct json *rules = json_get(before, "rules");
    size_t index = 0;

    if (strcmp(json_get_text(before, "salt", ""), json_get_text(after, "salt", "")) != 0 ||
        strcmp(json_get_text(before, "split_salt", ""), json_get_text(after, "split_salt", "")) !=
            0 ||
        strcmp(bucket_by(before), bucket_by(after)) != 0)
        return true;
    if (serve_moves(json_get(before, "fallthrough"), json_get(after, "fallthrough")) ||
        domains_move(json_get(before, "domains"), json_get(after, "domains")))
        return true;
    for (const struct json *at = json_first(json_get(after, "rules")); at != NULL;
         at = json_next(at), index++) {
        if (serve_moves(json_get(same_rule(rules, at, index), "serve"), json_get(at, "serve")))
            return true;
    }
    return false;
}
