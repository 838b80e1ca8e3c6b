/*
 * A split: {"a": 50, "b": 50}, or with its borders {"a": [[0, 50]], "b": [[50, 100]]}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "condition/bucket.h"
#include "flags/model.h"

static int compare_members(const void *a, const void *b)
{
    const struct json *const *x = a, *const *y = b;

    return strcmp(json_key(*x), json_key(*y));
}

static bool splits_equal(const struct split *a, const struct split *b)
{
    if (a->count != b->count)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        if (a->ranges[i].end != b->ranges[i].end || a->ranges[i].variant != b->ranges[i].variant)
            return false;
    }
    return true;
}

/* Splits are shared: thousands of domain rules with one split keep it once. Looking at the newest
 * few is enough for that. */
static enum err_code keep_split(struct parse *parse, const struct split *split, uint32_t *out)
{
    struct flag *flag = parse->flag;
    uint32_t count = flag->split_count;

    for (uint32_t i = count; i > 0 && count - i < 16; i--) {
        if (splits_equal(&flag->splits[i - 1], split)) {
            *out = i - 1;
            return ERR_OK;
        }
    }
    if ((count & (count - 1)) == 0) { /* full at every power of two */
        struct split *grown =
            arena_take(parse->arena, (count == 0 ? 1 : 2 * (size_t)count) * sizeof *grown);

        if (grown == NULL)
            return no_memory(parse->err);
        if (count > 0)
            memcpy(grown, flag->splits, count * sizeof *grown);
        flag->splits = grown;
    }
    flag->splits[count] = *split;
    *out = flag->split_count++;
    return ERR_OK;
}

/* ---- by weights ---- */

static enum err_code twice(struct parse *parse, const char *name, const char *at)
{
    return err_set(parse->err, ERR_INVALID, "%s: '%.60s' stands there twice", at, name);
}

static enum err_code parse_weights(struct parse *parse, const struct json **members, size_t count,
                                   const char *at, struct split_range *ranges, struct split *split)
{
    uint32_t end = 0;
    char where[160];

    for (size_t i = 0; i < count; i++) {
        uint32_t weight = 0;
        uint16_t variant;
        enum err_code rc;

        if (!variant_named(parse->flag, json_key(members[i]), &variant))
            return no_variant(parse, json_key(members[i]), "", at);
        if (i > 0 && compare_members(&members[i - 1], &members[i]) == 0)
            return twice(parse, json_key(members[i]), at);
        snprintf(where, sizeof where, "%s.%.60s", at, json_key(members[i]));
        rc = percent_parse(parse, members[i], where, &weight);
        if (rc != ERR_OK)
            return rc;
        end += weight;
        if (weight > 0)
            ranges[split->count++] = (struct split_range){end, variant};
    }
    if (end != BUCKET_COUNT)
        return err_set(parse->err, ERR_INVALID, "%s: the percentages sum to %g, not to 100", at,
                       (double)end / 1000);
    return ERR_OK;
}

/* ---- by ranges ---- */

struct piece {
    uint32_t from, to;
    uint16_t variant;
};

static int compare_pieces(const void *a, const void *b)
{
    const struct piece *x = a, *y = b;

    return (x->from > y->from) - (x->from < y->from);
}

enum err_code range_parse(struct parse *parse, const struct json *pair, const char *at,
                          uint32_t *from, uint32_t *to)
{
    enum err_code rc;

    if (json_kind(pair) != JSON_ARRAY || json_count(pair) != 2)
        return err_set(parse->err, ERR_INVALID,
                       "%s: a range is two percentages, from and to, such as [0, 25]", at);
    rc = percent_parse(parse, json_first(pair), at, from);
    rc = rc != ERR_OK ? rc : percent_parse(parse, json_next(json_first(pair)), at, to);
    if (rc == ERR_OK && *from >= *to)
        return err_set(parse->err, ERR_INVALID, "%s: [%g, %g] is empty; from must be below to", at,
                       (double)*from / 1000, (double)*to / 1000);
    return rc;
}

static enum err_code take_pieces(struct parse *parse, const struct json *member, const char *at,
                                 struct piece *pieces, size_t *count)
{
    uint16_t variant;
    char where[160];

    if (!variant_named(parse->flag, json_key(member), &variant))
        return no_variant(parse, json_key(member), "", at);
    snprintf(where, sizeof where, "%s.%.60s", at, json_key(member));
    if (json_kind(member) != JSON_ARRAY)
        return err_set(parse->err, ERR_INVALID,
                       "%s: %s beside a list of ranges; give all variants percentages, or all of "
                       "them ranges",
                       where, kind_of(member));
    for (const struct json *pair = json_first(member); pair != NULL; pair = json_next(pair)) {
        struct piece *piece = &pieces[*count];
        enum err_code rc;

        if (*count == LIMIT_SPLIT_RANGES)
            return err_set(parse->err, ERR_LIMIT, "%s: more than %u ranges", at,
                           LIMIT_SPLIT_RANGES);
        rc = range_parse(parse, pair, where, &piece->from, &piece->to);
        if (rc != ERR_OK)
            return rc;
        piece->variant = variant;
        ++*count;
    }
    return ERR_OK;
}

/* The pieces must cover every bucket once. */
static enum err_code parse_ranges(struct parse *parse, const struct json **members, size_t count,
                                  const char *at, struct split_range *ranges, struct split *split)
{
    struct piece pieces[LIMIT_SPLIT_RANGES];
    size_t n = 0;
    uint32_t end = 0;

    for (size_t i = 0; i < count; i++) {
        enum err_code rc = ERR_OK;

        if (i > 0 && compare_members(&members[i - 1], &members[i]) == 0)
            rc = twice(parse, json_key(members[i]), at);
        rc = rc != ERR_OK ? rc : take_pieces(parse, members[i], at, pieces, &n);
        if (rc != ERR_OK)
            return rc;
    }
    qsort(pieces, n, sizeof pieces[0], compare_pieces);
    for (size_t i = 0; i < n; i++) {
        if (pieces[i].from != end)
            return err_set(parse->err, ERR_INVALID, "%s: %g %% to %g %% has %s variant", at,
                           (double)(pieces[i].from < end ? pieces[i].from : end) / 1000,
                           (double)(pieces[i].from < end ? end : pieces[i].from) / 1000,
                           pieces[i].from < end ? "more than one" : "no");
        end = pieces[i].to;
        if (split->count > 0 && ranges[split->count - 1].variant == pieces[i].variant)
            ranges[split->count - 1].end = end;
        else
            ranges[split->count++] = (struct split_range){end, pieces[i].variant};
    }
    if (end != BUCKET_COUNT)
        return err_set(parse->err, ERR_INVALID, "%s: %g %% to 100 %% has no variant", at,
                       (double)end / 1000);
    return ERR_OK;
}

enum err_code split_parse(struct parse *parse, const struct json *object, const char *at,
                          uint32_t *out)
{
    const struct json *members[LIMIT_VARIANTS];
    struct split_range ranges[LIMIT_SPLIT_RANGES], *kept;
    struct split split = {0};
    size_t count = json_count(object), n = 0;
    bool by_ranges = false;
    enum err_code rc;

    if (json_kind(object) != JSON_OBJECT || count == 0 || count > LIMIT_VARIANTS)
        return err_set(parse->err, ERR_INVALID,
                       "%s: must be an object of variants and percentages that sum to 100, such as "
                       "{\"a\": 50, \"b\": 50}",
                       at);
    for (const struct json *m = json_first(object); m != NULL; m = json_next(m)) {
        by_ranges = by_ranges || json_kind(m) == JSON_ARRAY;
        members[n++] = m;
    }
    qsort(members, n, sizeof members[0], compare_members);
    rc = by_ranges ? parse_ranges(parse, members, n, at, ranges, &split)
                   : parse_weights(parse, members, n, at, ranges, &split);
    if (rc != ERR_OK)
        return rc;
    kept = arena_take(parse->arena, split.count * sizeof *kept);
    if (kept == NULL)
        return no_memory(parse->err);
    memcpy(kept, ranges, split.count * sizeof *kept);
    split.ranges = kept;
    return keep_split(parse, &split, out);
}
