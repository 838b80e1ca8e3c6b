/*
 * condition_json - JSON documents as condition values, and back.
 *
 * A JSON number that is integral and within +-2^53 becomes an INT, any other a DOUBLE (JSON has one
 * number type and cJSON keeps doubles: larger integers must travel as strings). Objects become
 * maps with string keys, in document order; a key that stands twice is an error.
 */
#ifndef CONDITION_JSON_H
#define CONDITION_JSON_H

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "condition/condition.h"

/* Converts json into *out; everything *out points to lives in arena (nothing stays borrowed from
 * json). ERR_NOMEM, ERR_INVALID (depth over CONDITION_JSON_DEPTH_MAX, duplicate key, bad UTF-8). */
MUST_USE enum err_code condition_from_json(const struct json *json, struct arena *arena,
                                           struct condition_value *out, struct err *err);

#define CONDITION_JSON_DEPTH_MAX 32u

/* Converts a value to plain JSON for people and scripts: bytes as base64, timestamps as RFC 3339,
 * durations as "1.5s", uint and int64 beyond 2^53 as strings. NULL when out of memory. */
struct json *condition_to_json(const struct condition_value *v);

#endif
