#include "flags/reweigh.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "condition/bucket.h"
#include "flags/diff.h"

struct span {
    uint32_t from, to;
    const char *variant; /* lent */
};

struct spans {
    struct span at[2 * LIMIT_SPLIT_RANGES];
    size_t count;
};

static int compare_spans(const void *a, const void *b)
{
    const struct span *x = a, *y = b;

    return (x->from > y->from) - (x->from < y->from);
}

static int compare_names(const void *a, const void *b)
{
    const struct json *const *x = a, *const *y = b;

    return strcmp(json_key(*x), json_key(*y));
}

static bool add(struct spans *spans, uint32_t from, uint32_t to, const char *variant)
{
    if (from == to)
        return true;
    if (spans->count == sizeof spans->at / sizeof spans->at[0])
        return false;
    spans->at[spans->count++] = (struct span){from, to, variant};
    return true;
}

static bool bucket_number(const struct json *json, uint32_t *out)
{
    double thousandths = json_number(json, -1) * 1000;

    if (json_kind(json) != JSON_NUMBER || !(thousandths >= 0 && thousandths <= BUCKET_COUNT))
        return false;
    *out = (uint32_t)lround(thousandths);
    return true;
}

static bool has_ranges(const struct json *split)
{
    return json_kind(json_first(split)) == JSON_ARRAY;
}

/* The borders of a split, in order. false: it is none. */
static bool expand(const struct json *split, struct spans *out)
{
    const struct json *members[LIMIT_VARIANTS];
    size_t count = 0;
    uint32_t end = 0, from = 0, to = 0;

    out->count = 0;
    if (json_kind(split) != JSON_OBJECT || json_count(split) > LIMIT_VARIANTS)
        return false;
    for (const struct json *at = json_first(split); at != NULL; at = json_next(at))
        members[count++] = at;
    if (count > 0)
        qsort(members, count, sizeof members[0], compare_names);
    for (size_t i = 0; i < count; i++) {
        const char *name = json_key(members[i]);

        if (!has_ranges(split)) {
            if (!bucket_number(members[i], &to) || !add(out, end, end + to, name))
                return false;
            end += to;
            continue;
        }
        for (const struct json *pair = json_first(members[i]); pair != NULL;
             pair = json_next(pair)) {
            const struct json *first = json_first(pair);

            if (json_count(pair) != 2 || !bucket_number(first, &from) ||
                !bucket_number(json_next(first), &to) || from > to || !add(out, from, to, name))
                return false;
        }
    }
    if (out->count > 0)
        qsort(out->at, out->count, sizeof out->at[0], compare_spans);
    for (size_t i = 0, at = 0; i < out->count; at = out->at[i++].to) {
        if (out->at[i].from != at)
            return false;
    }
    return out->count > 0 && out->at[out->count - 1].to == BUCKET_COUNT;
}

static uint32_t moved(const struct spans *was, const struct spans *is)
{
    uint32_t sum = 0, at = 0;

    for (size_t i = 0, j = 0; i < was->count && j < is->count;) {
        uint32_t end = was->at[i].to < is->at[j].to ? was->at[i].to : is->at[j].to;

        if (strcmp(was->at[i].variant, is->at[j].variant) != 0)
            sum += end - at;
        at = end;
        i += was->at[i].to == end;
        j += is->at[j].to == end;
    }
    return sum;
}

double split_moved(const struct json *was, const struct json *is)
{
    struct spans before, after;

    if (!expand(was, &before) || !expand(is, &after))
        return -1;
    return (double)moved(&before, &after) / 1000;
}

/* ---- fewest moves ---- */

static uint32_t weight_of(const struct json *weights, const char *variant)
{
    uint32_t weight = 0;

    return bucket_number(json_get(weights, variant), &weight) ? weight : 0;
}

/* Each variant keeps its first buckets up to its weight; the rest goes to free. */
static bool keep(const struct spans *was, const struct json *weights, struct spans *kept,
                 struct spans *freed)
{
    kept->count = freed->count = 0;
    for (size_t i = 0; i < was->count; i++) {
        const struct span *span = &was->at[i];
        uint32_t left = weight_of(weights, span->variant), size = span->to - span->from;

        for (size_t k = 0; k < kept->count; k++) {
            if (strcmp(kept->at[k].variant, span->variant) == 0)
                left -= kept->at[k].to - kept->at[k].from;
        }
        if (left > size)
            left = size;
        if (!add(kept, span->from, span->from + left, span->variant) ||
            !add(freed, span->from + left, span->to, NULL))
            return false;
    }
    return true;
}

/* What is free goes, from the lowest bucket on, to those that lack some, by name. */
static bool hand_out(const struct json *weights, struct spans *kept, struct spans *freed)
{
    const struct json *members[LIMIT_VARIANTS];
    size_t count = 0, next = 0;

    for (const struct json *at = json_first(weights); at != NULL; at = json_next(at))
        members[count++] = at;
    qsort(members, count, sizeof members[0], compare_names);
    for (size_t i = 0; i < count; i++) {
        uint32_t lacks = weight_of(weights, json_key(members[i]));

        for (size_t k = 0; k < kept->count; k++) {
            if (strcmp(kept->at[k].variant, json_key(members[i])) == 0)
                lacks -= kept->at[k].to - kept->at[k].from;
        }
        while (lacks > 0 && next < freed->count) {
            struct span *span = &freed->at[next];
            uint32_t take = span->to - span->from < lacks ? span->to - span->from : lacks;

            if (!add(kept, span->from, span->from + take, json_key(members[i])))
                return false;
            span->from += take;
            lacks -= take;
            next += span->from == span->to;
        }
    }
    qsort(kept->at, kept->count, sizeof kept->at[0], compare_spans);
    return true;
}

/* {"a": [[0, 40]], ...}; neighbours of one variant are one range. */
static struct json *ranges_json(const struct json *weights, const struct spans *spans)
{
    struct json *out = json_object();
    bool whole = out != NULL;

    for (const struct json *at = json_first(weights); at != NULL; at = json_next(at))
        whole = json_put(out, json_key(at), json_array()) != NULL && whole;
    for (size_t i = 0; whole && i < spans->count;) {
        const char *name = spans->at[i].variant;
        uint32_t from = spans->at[i].from, to = spans->at[i].to;
        struct json *pair = json_array();

        for (i++; i < spans->count && strcmp(spans->at[i].variant, name) == 0; i++)
            to = spans->at[i].to;
        whole = json_append(pair, json_number_new((double)from / 1000)) != NULL &&
                json_append(pair, json_number_new((double)to / 1000)) != NULL;
        whole = json_append(json_get(out, name), pair) != NULL && whole;
    }
    if (!whole) {
        json_free(out);
        return NULL;
    }
    return out;
}

static struct json *owner_of_split(struct json *serve)
{
    return json_get(serve, "split") != NULL ? serve : json_get(serve, "ramp");
}

static bool keep_serve(const struct json *before, struct json *after)
{
    const struct json *was_owner =
        json_get(before, "split") != NULL ? before : json_get(before, "ramp");
    struct json *owner = owner_of_split(after), *made;
    const struct json *was = json_get(was_owner, "split"), *is = json_get(owner, "split");
    struct spans old, plain, kept, freed;

    if (was == NULL || is == NULL || has_ranges(is) || !expand(was, &old) || !expand(is, &plain))
        return true; /* nothing to keep, or nothing that could be read */
    if (!keep(&old, is, &kept, &freed) || !hand_out(is, &kept, &freed))
        return true; /* too many pieces: then as the weights say */
    if (moved(&old, &plain) <= moved(&old, &kept))
        return true;
    made = ranges_json(is, &kept);
    return made != NULL && json_put(owner, "split", made) != NULL;
}

bool flag_keep_ranges(const struct json *before, struct json *after)
{
    const struct json *rules = json_get(before, "rules"), *domains = json_get(before, "domains");
    bool whole = keep_serve(json_get(before, "fallthrough"), json_get(after, "fallthrough"));
    size_t index = 0;

    for (struct json *at = json_first(json_get(after, "rules")); at != NULL && whole;
         at = json_next(at), index++)
        whole =
            keep_serve(json_get(flag_same_rule(rules, at, index), "serve"), json_get(at, "serve"));
    for (struct json *at = json_first(json_get(after, "domains")); at != NULL && whole;
         at = json_next(at)) {
        if (owner_of_split(at) != NULL && json_get(owner_of_split(at), "split") != NULL)
            whole = keep_serve(json_get(domains, json_key(at)), at);
    }
    return whole;
}
