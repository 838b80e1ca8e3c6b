/*
 * layer - flags that never share a subject: each owns ranges of the layer's buckets, and a subject whose
 * bucket is in none of a flag's ranges gets that flag's off variant.
 *
 *     {"key": "checkout", "salt": "...", "bucket_by": "targetingKey",
 *      "flags": {"new-cart": [[0, 30]], "new-payment": [[30, 50]]}}
 *
 * Ranges are percentages, from and to. The server keeps layers, and gives each flag its part of one
 * ("layer" in docs/ruleset.md), which is what evaluation reads. Functions over documents; any thread.
 */
#ifndef FLAGS_LAYER_H
#define FLAGS_LAYER_H

#include <stdbool.h>

#include "base/err.h"
#include "base/json.h"

/* Fills in what a new layer may leave out: salt, flags. */
MUST_USE enum err_code layer_complete(struct json *layer, struct err *err);

/* ERR_INVALID, ERR_LIMIT with the member and what would be right: two flags that share a bucket, too. */
MUST_USE enum err_code layer_check(const struct json *layer, struct err *err);

/* The "layer" member of a flag. New; NULL: the flag is not in it, or no memory. */
struct json *layer_part_json(const struct json *layer, const char *flag);

/* How many of a hundred subjects were one flag's and would be another's: 100 where salt or bucket_by
 * change. What a flag gets of free buckets, or gives back, does not count. */
double layer_moved(const struct json *before, const struct json *after);

/* Gives flag that many percent: what it has stays, more is taken from the free buckets with the lowest
 * first, less is given back from its end. Adds flag if it is not in. ERR_CONFLICT: not enough is free;
 * ERR_NOMEM. layer must pass layer_check(). */
MUST_USE enum err_code layer_resize(struct json *layer, const char *flag, double percent,
                                    struct err *err);

#endif
