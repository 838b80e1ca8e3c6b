#include "flags/layer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/limits.h"
#include "condition/bucket.h"
#include "flags/judge.h"

#define SALT_BYTES 8

struct owned {
    uint32_t from, to;
    const char *flag; /* lent */
};

struct map {
    struct owned at[LIMIT_LAYER_RANGES];
    size_t count;
};

static int compare(const void *a, const void *b)
{
    const struct owned *x = a, *y = b;

    return (x->from > y->from) - (x->from < y->from);
}

/* ---- checking ---- */

static enum err_code map_flag(const struct json *ranges, struct map *map, struct err *err)
{
    struct parse parse = {.err = err};
    char at[160];

    snprintf(at, sizeof at, "flags.%.128s", json_key(ranges));
    if (!key_is_good(json_key(ranges)))
        return err_set(err, ERR_INVALID, "%s: is no flag's key", at);
    if (json_kind(ranges) != JSON_ARRAY)
        return err_set(err, ERR_INVALID, "%s: must be an array of ranges such as [[0, 25]]", at);
    for (const struct json *pair = json_first(ranges); pair != NULL; pair = json_next(pair)) {
        struct owned *owned = &map->at[map->count];
        enum err_code rc;

        if (map->count == LIMIT_LAYER_RANGES)
            return err_set(err, ERR_LIMIT, "flags: more than %u ranges", LIMIT_LAYER_RANGES);
        rc = range_parse(&parse, pair, at, &owned->from, &owned->to);
        if (rc != ERR_OK)
            return rc;
        owned->flag = json_key(ranges);
        map->count++;
    }
    return ERR_OK;
}

/* The ranges of all flags, in order. */
static enum err_code map_layer(const struct json *layer, struct map *map, struct err *err)
{
    const struct json *flags = json_get(layer, "flags");

    map->count = 0;
    if (json_kind(flags) != JSON_OBJECT)
        return err_set(err, ERR_INVALID,
                       "flags: must be an object of flags and their ranges, such as {\"new-cart\": "
                       "[[0, 25]]}");
    for (const struct json *at = json_first(flags); at != NULL; at = json_next(at)) {
        enum err_code rc = map_flag(at, map, err);

        if (rc != ERR_OK)
            return rc;
    }
    if (map->count > 0)
        qsort(map->at, map->count, sizeof map->at[0], compare);
    for (size_t i = 1; i < map->count; i++) {
        if (map->at[i].from < map->at[i - 1].to)
            return err_set(
                err, ERR_INVALID,
                "flags: '%.60s' and '%.60s' would share the subjects of %g %% to %g %%",
                map->at[i - 1].flag, map->at[i].flag, (double)map->at[i].from / 1000,
                (double)(map->at[i].to < map->at[i - 1].to ? map->at[i].to : map->at[i - 1].to) /
                    1000);
    }
    return ERR_OK;
}

static enum err_code check_members(const struct json *layer, struct err *err)
{
    static const char *const members[] = {"key",       "description", "salt",
                                          "bucket_by", "flags",       "uses"};
    const char *key = json_text(json_get(layer, "key")), *twice = NULL;
    const struct json *description = json_get(layer, "description");
    enum err_code rc;

    if (json_kind(layer) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "a layer must be an object, not %s", kind_of(layer));
    rc = members_check(layer, members, sizeof members / sizeof members[0], err);
    if (rc != ERR_OK)
        return rc;
    if (key == NULL || !key_is_good(key))
        return err_set(
            err, ERR_INVALID, "key: %s; use 1 to %u of a-z 0-9 . _ -, the first a letter or digit",
            key == NULL ? kind_of(json_get(layer, "key")) : "not allowed", LIMIT_KEY_BYTES);
    if (description != NULL && json_text(description) == NULL)
        return err_set(err, ERR_INVALID, "description: must be a string, not %s",
                       kind_of(description));
    if (json_has_duplicate_keys(json_get(layer, "flags"), &twice))
        return err_set(err, ERR_INVALID, "flags: '%.60s' stands there twice", twice);
    return ERR_OK;
}

enum err_code layer_check(const struct json *layer, struct err *err)
{
    struct arena arena = {0};
    struct key_paths paths = {0};
    struct parse parse = {.arena = &arena, .paths = &paths, .err = err};
    struct map map;
    struct bucket_salt salt;
    const char *path;
    size_t index;
    enum err_code rc = check_members(layer, err);

    rc = rc != ERR_OK ? rc : uses_parse(&parse, layer);
    rc = rc != ERR_OK ? rc : salt_parse(&parse, layer, "salt", &salt);
    rc = rc != ERR_OK ? rc : bucket_by_parse(&parse, layer, &path, &index);
    key_paths_fini(&paths);
    arena_fini(&arena);
    return rc != ERR_OK ? rc : map_layer(layer, &map, err);
}

enum err_code layer_complete(struct json *layer, struct err *err)
{
    char hex[2 * SALT_BYTES + 1];
    bool whole = true;

    if (json_kind(layer) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "a layer must be an object, not %s", kind_of(layer));
    if (json_get(layer, "salt") == NULL)
        whole = json_put_text(layer, "salt", random_hex(SALT_BYTES, hex)) != NULL;
    if (json_get(layer, "flags") == NULL)
        whole = json_put(layer, "flags", json_object()) != NULL && whole;
    return whole ? ERR_OK : no_memory(err);
}

/* ---- a flag's part ---- */

static struct json *ranges_json(const struct map *map, const char *flag)
{
    struct json *out = json_array();
    bool whole = out != NULL;

    for (size_t i = 0; whole && i < map->count;) {
        uint32_t from = map->at[i].from, to = map->at[i].to;
        struct json *pair;

        if (strcmp(map->at[i++].flag, flag) != 0)
            continue;
        for (; i < map->count && map->at[i].from == to && strcmp(map->at[i].flag, flag) == 0; i++)
            to = map->at[i].to;
        pair = json_array();
        whole = json_append(pair, json_number_new((double)from / 1000)) != NULL &&
                json_append(pair, json_number_new((double)to / 1000)) != NULL;
        whole = json_append(out, pair) != NULL && whole;
    }
    if (!whole) {
        json_free(out);
        return NULL;
    }
    return out;
}

struct json *layer_part_json(const struct json *layer, const char *flag)
{
    const struct json *by = json_get(layer, "bucket_by");
    struct json *out, *ranges;
    struct map map;
    bool whole;

    if (json_get(json_get(layer, "flags"), flag) == NULL || map_layer(layer, &map, NULL) != ERR_OK)
        return NULL;
    out = json_object();
    ranges = ranges_json(&map, flag);
    whole = json_put_text(out, "key", json_get_text(layer, "key", "")) != NULL;
    whole = json_put_text(out, "salt", json_get_text(layer, "salt", "")) != NULL && whole;
    if (by != NULL)
        whole = json_put(out, "bucket_by", json_copy(by)) != NULL && whole;
    whole = json_put(out, "ranges", ranges) != NULL && whole;
    if (!whole) {
        json_free(out);
        return NULL;
    }
    return out;
}

/* ---- changing ---- */

double layer_moved(const struct json *before, const struct json *after)
{
    struct map was, is;
    uint32_t sum = 0;

    if (map_layer(before, &was, NULL) != ERR_OK || map_layer(after, &is, NULL) != ERR_OK)
        return 100;
    if (was.count > 0 &&
        (strcmp(json_get_text(before, "salt", ""), json_get_text(after, "salt", "")) != 0 ||
         strcmp(json_get_text(before, "bucket_by", "targetingKey"),
                json_get_text(after, "bucket_by", "targetingKey")) != 0))
        return 100;
    for (size_t i = 0; i < was.count; i++) {
        for (size_t j = 0; j < is.count; j++) {
            uint32_t from = was.at[i].from > is.at[j].from ? was.at[i].from : is.at[j].from;
            uint32_t to = was.at[i].to < is.at[j].to ? was.at[i].to : is.at[j].to;

            if (from < to && strcmp(was.at[i].flag, is.at[j].flag) != 0)
                sum += to - from;
        }
    }
    return (double)sum / 1000;
}

static uint32_t size_of(const struct map *map, const char *flag)
{
    uint32_t sum = 0;

    for (size_t i = 0; i < map->count; i++) {
        if (strcmp(map->at[i].flag, flag) == 0)
            sum += map->at[i].to - map->at[i].from;
    }
    return sum;
}

/* From the end of the last range on. */
static void give_back(struct map *map, const char *flag, uint32_t buckets)
{
    for (size_t i = map->count; i > 0 && buckets > 0; i--) {
        struct owned *owned = &map->at[i - 1];
        uint32_t take = owned->to - owned->from < buckets ? owned->to - owned->from : buckets;

        if (strcmp(owned->flag, flag) != 0)
            continue;
        owned->to -= take;
        buckets -= take;
        if (owned->from == owned->to) {
            memmove(owned, owned + 1, (map->count - i) * sizeof *owned);
            map->count--;
        }
    }
}

static enum err_code take_free(struct map *map, const char *flag, uint32_t buckets, struct err *err)
{
    uint32_t at = 0;
    size_t count = map->count;

    for (size_t i = 0; i <= count && buckets > 0; i++) {
        uint32_t end = i < count ? map->at[i].from : BUCKET_COUNT;
        uint32_t take = end - at < buckets ? end - at : buckets;

        if (take > 0 && map->count == LIMIT_LAYER_RANGES)
            return err_set(err, ERR_LIMIT, "the layer would have more than %u ranges",
                           LIMIT_LAYER_RANGES);
        if (take > 0)
            map->at[map->count++] = (struct owned){at, at + take, flag};
        buckets -= take;
        at = i < count ? map->at[i].to : end;
    }
    qsort(map->at, map->count, sizeof map->at[0], compare);
    return ERR_OK;
}

enum err_code layer_resize(struct json *layer, const char *flag, double percent, struct err *err)
{
    uint32_t wanted = (uint32_t)lround(percent * 1000), has, used = 0;
    struct json *ranges;
    struct map map;
    enum err_code rc = map_layer(layer, &map, err);

    if (rc != ERR_OK)
        return rc;
    for (size_t i = 0; i < map.count; i++)
        used += map.at[i].to - map.at[i].from;
    has = size_of(&map, flag);
    if (wanted > has && wanted - has > BUCKET_COUNT - used)
        return err_set(err, ERR_CONFLICT,
                       "layer '%s' has %g %% free, and '%s' would need %g %% more: make another "
                       "flag's part smaller first",
                       json_get_text(layer, "key", ""), (double)(BUCKET_COUNT - used) / 1000, flag,
                       (double)(wanted - has) / 1000);
    if (wanted < has)
        give_back(&map, flag, has - wanted);
    else
        rc = take_free(&map, flag, wanted - has, err);
    if (rc != ERR_OK)
        return rc;
    ranges = ranges_json(&map, flag);
    return json_put(json_get(layer, "flags"), flag, ranges) != NULL ? ERR_OK : no_memory(err);
}
