/*
 * "layer": what a flag has of a layer's buckets. The server writes it from the layer's own document
 * (flags/layer.h) into what clients read.
 */
#include <string.h>

#include "base/limits.h"
#include "condition/bucket.h"
#include "flags/model.h"

static enum err_code parse_ranges(struct parse *parse, const struct json *array,
                                  struct layer_part *part)
{
    size_t count = json_count(array);
    struct layer_range *ranges;

    if (json_kind(array) != JSON_ARRAY || count > LIMIT_LAYER_RANGES)
        return err_set(parse->err, ERR_INVALID,
                       "layer.ranges: must be an array of at most %u ranges, such as [[0, 25]]",
                       LIMIT_LAYER_RANGES);
    ranges = arena_zero(parse->arena, count + 1, sizeof *ranges);
    if (ranges == NULL)
        return no_memory(parse->err);
    for (const struct json *at = json_first(array); at != NULL; at = json_next(at)) {
        struct layer_range *range = &ranges[part->count];
        enum err_code rc = range_parse(parse, at, "layer.ranges", &range->from, &range->to);

        if (rc != ERR_OK)
            return rc;
        if (part->count > 0 && range->from < range[-1].to)
            return err_set(parse->err, ERR_INVALID,
                           "layer.ranges: must be in order, none over another");
        part->count++;
    }
    part->ranges = ranges;
    return ERR_OK;
}

enum err_code layer_part_parse(struct parse *parse, const struct json *document)
{
    const struct json *layer = json_get(document, "layer");
    struct layer_part *part = &parse->flag->layer;
    const char *key = json_text(json_get(layer, "key"));
    enum err_code rc;

    if (layer == NULL || json_kind(layer) == JSON_NULL)
        return ERR_OK;
    if (key == NULL || !key_is_good(key))
        return err_set(
            parse->err, ERR_INVALID,
            "layer: must be an object with the layer's \"key\"; change the layer instead");
    rc = salt_parse(parse, layer, "salt", &part->salt);
    rc = rc != ERR_OK ? rc : bucket_by_parse(parse, layer, &part->bucket_by, &part->key_index);
    rc = rc != ERR_OK ? rc : parse_ranges(parse, json_get(layer, "ranges"), part);
    if (rc != ERR_OK) {
        err_wrap(parse->err, "layer '%.60s'", key);
        return rc;
    }
    part->key = arena_text(parse->arena, key, strlen(key));
    return part->key != NULL ? ERR_OK : no_memory(parse->err);
}

bool layer_part_has(const struct layer_part *part, const struct context_key *key, int32_t *bucket)
{
    uint32_t at = bucket_salted(&part->salt, key->at, key->len);
    size_t low = 0, high = part->count;

    *bucket = (int32_t)at;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (at < part->ranges[middle].from)
            high = middle;
        else if (at >= part->ranges[middle].to)
            low = middle + 1;
        else
            return true;
    }
    return false;
}
