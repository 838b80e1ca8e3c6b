#include "flags/diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_order.h"
#include "flags/reweigh.h"

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
    double moved;

    if (was == NULL || is == NULL || json_equal(was, is))
        return false;
    moved = split_moved(was, is);
    return moved >= 0 ? moved > 0 : !(covers(was, is) && covers(is, was));
}

const struct json *flag_same_rule(const struct json *rules, const struct json *rule, size_t index)
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

/* Whether a domain rule of the flag, in its document or in its set, has a split: of these weights, if any are
 * given. */
static bool domains_split(const struct json *flag, const struct json *weights)
{
    const struct json *serves = json_get(json_get(flag, "domain_set"), "serves");

    for (const struct json *at = json_first(serves); at != NULL; at = json_next(at)) {
        const struct json *split = split_of(json_get(at, "serve"));

        if (split != NULL && json_number(json_get(at, "count"), 0) > 0 &&
            (weights == NULL || json_equal(split, weights)))
            return true;
    }
    for (const struct json *at = json_first(json_get(flag, "domains")); at != NULL;
         at = json_next(at)) {
        const struct json *split = split_of(at);

        if (split != NULL && (weights == NULL || json_equal(split, weights)))
            return true;
    }
    return false;
}

/* Which domain of a set had which split is not in the documents: weights that no rule had are taken for
 * changed ones, if any had some. */
static bool sets_move(const struct json *before, const struct json *after)
{
    const struct json *serves = json_get(json_get(after, "domain_set"), "serves");

    if (!domains_split(before, NULL))
        return false;
    for (const struct json *at = json_first(serves); at != NULL; at = json_next(at)) {
        const struct json *split = split_of(json_get(at, "serve"));

        if (split != NULL && json_number(json_get(at, "count"), 0) > 0 &&
            !domains_split(before, split))
            return true;
    }
    for (const struct json *at = json_first(json_get(after, "domains")); at != NULL;
         at = json_next(at)) {
        if (json_get(before, "domain_set") != NULL && split_of(at) != NULL &&
            !domains_split(before, split_of(at)))
            return true;
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
        domains_move(json_get(before, "domains"), json_get(after, "domains")) ||
        sets_move(before, after))
        return true;
    for (const struct json *at = json_first(json_get(after, "rules")); at != NULL;
         at = json_next(at), index++) {
        if (serve_moves(json_get(flag_same_rule(rules, at, index), "serve"), json_get(at, "serve")))
            return true;
    }
    return false;
}

/* ---- the difference ---- */

struct difference {
    struct json *list;
    size_t max;
};

static void differ(struct difference *out, const char *member, const char *part,
                   const struct json *was, const struct json *now)
{
    struct json *one;
    char at[400];

    if (json_count(out->list) >= out->max || (was != NULL && now != NULL && json_equal(was, now)))
        return;
    snprintf(at, sizeof at, "%.80s%s%.300s", member, part != NULL ? "." : "",
             part != NULL ? part : "");
    one = json_append(out->list, json_object());
    json_put_text(one, "at", at);
    if (was != NULL)
        json_put(one, "was", json_copy(was));
    if (now != NULL)
        json_put(one, "now", json_copy(now));
}

/* Side by side, in order of their keys: a flag may have tens of thousands of domain rules. */
static void differ_by_key(struct difference *out, const char *member, const struct json *before,
                          const struct json *after)
{
    struct json_member *was = NULL, *is = NULL;
    size_t was_count = 0, is_count = 0, i = 0, j = 0;

    if (json_members_sorted(before, &was, &was_count) &&
        json_members_sorted(after, &is, &is_count)) {
        while ((i < was_count || j < is_count) && json_count(out->list) < out->max) {
            int order = i == was_count ? 1 : j == is_count ? -1 : strcmp(was[i].key, is[j].key);

            differ(out, member, order <= 0 ? was[i].key : is[j].key,
                   order <= 0 ? was[i].value : NULL, order >= 0 ? is[j].value : NULL);
            i += order <= 0;
            j += order >= 0;
        }
    }
    free(was);
    free(is);
}

static const struct json *named(const struct json *rules, const char *name)
{
    const struct json *rule = json_first(rules);

    while (rule != NULL && strcmp(json_get_text(rule, "name", ""), name) != 0)
        rule = json_next(rule);
    return rule;
}

/* By name, where all have one; a rule that only moved shows as the whole list. */
static void differ_rules(struct difference *out, const struct json *before,
                         const struct json *after)
{
    size_t found = json_count(out->list);

    if (named(before, "") != NULL || named(after, "") != NULL) {
        differ(out, "rules", NULL, before, after);
        return;
    }
    for (const struct json *rule = json_first(before); rule != NULL; rule = json_next(rule)) {
        const char *name = json_get_text(rule, "name", "");

        differ(out, "rules", name, rule, named(after, name));
    }
    for (const struct json *rule = json_first(after); rule != NULL; rule = json_next(rule)) {
        const char *name = json_get_text(rule, "name", "");

        if (named(before, name) == NULL)
            differ(out, "rules", name, NULL, rule);
    }
    if (json_count(out->list) == found)
        differ(out, "rules", NULL, before, after);
}

static void differ_member(struct difference *out, const char *key, const struct json *was,
                          const struct json *now)
{
    enum json_kind kind = json_kind(was != NULL ? was : now);

    if (was != NULL && now != NULL && json_equal(was, now))
        return;
    if (strcmp(key, "rules") == 0 && kind == JSON_ARRAY)
        differ_rules(out, was, now);
    else if (kind == JSON_OBJECT && (strcmp(key, "domains") == 0 || strcmp(key, "variants") == 0 ||
                                     strcmp(key, "individual") == 0))
        differ_by_key(out, key, was, now);
    else
        differ(out, key, NULL, was, now);
}

struct json *flag_difference(const struct json *before, const struct json *after, size_t max)
{
    struct difference out = {json_array(), max};

    for (const struct json *was = json_first(before); was != NULL; was = json_next(was))
        differ_member(&out, json_key(was), was, json_get(after, json_key(was)));
    for (const struct json *now = json_first(after); now != NULL; now = json_next(now)) {
        if (json_get(before, json_key(now)) == NULL)
            differ_member(&out, json_key(now), NULL, now);
    }
    return out.list;
}
