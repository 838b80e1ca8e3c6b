/*
 * SERVE: {"variant": V} | {"ramp": {"percent": P, "variant": V}} | {"ramp": {"percent": P, "split":
 * {V: W, ...}}} | {"split": {V: W, ...}}, and {"rules": true} in a domain rule.
 *
 * The ranges of a split lie in byte order of the variants' names, not in the order of the document:
 * the wire form of a ruleset sorts members, and server and SDK must draw the same borders.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "condition/bucket.h"
#include "condition/domain.h"
#include "flags/model.h"

static bool variant_named(const struct flag *flag, const char *name, uint16_t *out)
{
    for (uint16_t i = 0; i < flag->variant_count; i++) {
        if (strcmp(flag->variants[i].name, name) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* No variant has this name (NULL: what stands there is no string): says which there are. */
static enum err_code no_variant(struct parse *parse, const char *text, const char *kind,
                                const char *at)
{
    const struct flag *flag = parse->flag;
    char known[120] = "";
    size_t used = 0;

    for (uint16_t i = 0; i < flag->variant_count && used < sizeof known; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                 flag->variants[i].name);
    if (text == NULL)
        return err_set(parse->err, ERR_INVALID, "%s: %s; it must name a variant (%s)", at, kind,
                       known);
    return err_set(parse->err, ERR_INVALID, "%s: '%.60s' is no variant of this flag (%s)", at, text,
                   known);
}

enum err_code variant_index(struct parse *parse, const struct json *name, const char *at,
                            uint16_t *out)
{
    const char *text = json_text(name);

    if (text != NULL && variant_named(parse->flag, text, out))
        return ERR_OK;
    return no_variant(parse, text, kind_of(name), at);
}

/* A percentage as thousandths, exactly: 12.345 -> 12345. */
static enum err_code parse_percent(struct parse *parse, const struct json *json, const char *at,
                                   uint32_t *out)
{
    double thousandths;

    if (json_kind(json) != JSON_NUMBER)
        return err_set(parse->err, ERR_INVALID, "%s: %s; it must be a number from 0 to 100", at,
                       kind_of(json));
    thousandths = json_number(json, -1) * 1000;
    if (!(thousandths >= 0 && thousandths <= BUCKET_COUNT))
        return err_set(parse->err, ERR_INVALID, "%s: %g is not from 0 to 100", at,
                       json_number(json, -1));
    if (fabs(thousandths - round(thousandths)) > 1e-6)
        return err_set(parse->err, ERR_INVALID, "%s: %.10g has more than three decimals", at,
                       json_number(json, -1));
    *out = (uint32_t)lround(thousandths);
    return ERR_OK;
}

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

static enum err_code parse_split(struct parse *parse, const struct json *object, const char *at,
                                 uint32_t *out)
{
    const struct json *members[LIMIT_VARIANTS];
    struct split split = {0};
    struct split_range ranges[LIMIT_VARIANTS], *kept;
    size_t count = json_count(object), n = 0;
    uint32_t end = 0;
    char where[160];

    if (json_kind(object) != JSON_OBJECT || count == 0 || count > LIMIT_VARIANTS)
        return err_set(parse->err, ERR_INVALID,
                       "%s: must be an object of variants and percentages that sum to 100, such as "
                       "{\"a\": 50, \"b\": 50}",
                       at);
    for (const struct json *m = json_first(object); m != NULL; m = json_next(m))
        members[n++] = m;
    qsort(members, n, sizeof members[0], compare_members);
    for (size_t i = 0; i < n; i++) {
        uint32_t weight = 0;
        uint16_t variant;
        enum err_code rc;

        if (!variant_named(parse->flag, json_key(members[i]), &variant))
            return no_variant(parse, json_key(members[i]), "", at);
        if (i > 0 && compare_members(&members[i - 1], &members[i]) == 0)
            return err_set(parse->err, ERR_INVALID, "%s: '%.60s' stands there twice", at,
                           json_key(members[i]));
        snprintf(where, sizeof where, "%s.%.60s", at, json_key(members[i]));
        rc = parse_percent(parse, members[i], where, &weight);
        if (rc != ERR_OK)
            return rc;
        end += weight;
        if (weight > 0)
            ranges[split.count++] = (struct split_range){end, variant};
    }
    if (end != BUCKET_COUNT)
        return err_set(parse->err, ERR_INVALID, "%s: the percentages sum to %g, not to 100", at,
                       (double)end / 1000);
    kept = arena_take(parse->arena, split.count * sizeof *kept);
    if (kept == NULL)
        return no_memory(parse->err);
    memcpy(kept, ranges, split.count * sizeof *kept);
    split.ranges = kept;
    return keep_split(parse, &split, out);
}

static enum err_code parse_ramp(struct parse *parse, const struct json *ramp, const char *at,
                                struct serve *out)
{
    const struct json *variant = json_get(ramp, "variant"), *split = json_get(ramp, "split");
    char where[160];
    enum err_code rc;

    if (json_kind(ramp) != JSON_OBJECT)
        return err_set(parse->err, ERR_INVALID,
                       "%s.ramp: must be an object such as {\"percent\": 25, \"variant\": \"on\"}",
                       at);
    if ((variant == NULL) == (split == NULL))
        return err_set(parse->err, ERR_INVALID,
                       "%s.ramp: needs either \"variant\" or \"split\", not %s", at,
                       variant == NULL ? "neither" : "both");
    snprintf(where, sizeof where, "%s.ramp.percent", at);
    rc = parse_percent(parse, json_get(ramp, "percent"), where, &out->threshold);
    if (rc != ERR_OK)
        return rc;
    if (variant != NULL) {
        snprintf(where, sizeof where, "%s.ramp.variant", at);
        return variant_index(parse, variant, where, &out->variant);
    }
    snprintf(where, sizeof where, "%s.ramp.split", at);
    return parse_split(parse, split, where, &out->split);
}

enum err_code serve_parse(struct parse *parse, const struct json *document, const char *at,
                          bool in_domain, struct serve *out)
{
    const struct json *only = json_first(document);
    const char *what = only != NULL && json_kind(document) == JSON_OBJECT ? json_key(only) : "";
    char where[160];

    *out = (struct serve){BUCKET_COUNT, SPLIT_NONE, 0, SERVE_BUCKET, false};
    if (json_kind(document) != JSON_OBJECT || only == NULL || json_next(only) != NULL)
        return err_set(parse->err, ERR_INVALID,
                       "%s: %s; it must have exactly one of \"variant\", \"ramp\", \"split\"%s", at,
                       document == NULL ? "missing" : "not one choice",
                       in_domain ? ", \"rules\"" : "");
    snprintf(where, sizeof where, "%s.%.20s", at, what);
    if (strcmp(what, "variant") == 0) {
        out->kind = SERVE_VARIANT;
        return variant_index(parse, only, where, &out->variant);
    }
    if (strcmp(what, "ramp") == 0) {
        out->ramp = true;
        return parse_ramp(parse, only, at, out);
    }
    if (strcmp(what, "split") == 0)
        return parse_split(parse, only, where, &out->split);
    if (in_domain && strcmp(what, "rules") == 0 && json_is_true(only)) {
        out->kind = SERVE_RULES;
        return ERR_OK;
    }
    return err_set(parse->err, ERR_INVALID,
                   "%s: '%.40s' is not known here; use \"variant\", \"ramp\", \"split\"%s", at,
                   what, in_domain ? " or {\"rules\": true}" : "");
}
