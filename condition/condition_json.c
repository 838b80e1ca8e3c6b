/*
 * condition_json - see condition_json.h.
 */
#include "condition/condition_json.h"

#include "condition/moment.h"
#include "condition/number.h"
#include "condition/pool.h"
#include "condition/value.h"

#include <stdlib.h>
#include <string.h>

#define EXACT_MAX INT64_C(9007199254740992) /* 2^53: up to here a double holds every integer */

static enum err_code convert(const struct json *json, struct arena *arena, unsigned depth,
                             struct condition_value *out, struct err *err);

static enum err_code convert_text(const char *text, struct arena *arena,
                                  struct condition_value *out, struct err *err)
{
    size_t len = strlen(text);
    char *copy;

    if (!cel_utf8_valid(text, len))
        return err_set(err, ERR_INVALID, "a string is not valid UTF-8");
    copy = arena_text(arena, text, len);
    if (!copy)
        return err_set(err, ERR_NOMEM, "out of memory");
    *out = condition_string(copy, len);
    return ERR_OK;
}

static enum err_code convert_list(const struct json *json, struct arena *arena, unsigned depth,
                                  struct condition_value *out, struct err *err)
{
    size_t count = json_count(json), i = 0;
    struct condition_value *items = arena_zero(arena, count + 1, sizeof *items);

    if (!items)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (const struct json *at = json_first(json); at && i < count; at = json_next(at)) {
        enum err_code code = convert(at, arena, depth - 1, &items[i++], err);
        if (code)
            return code;
    }
    memset(out, 0, sizeof *out);
    out->kind = CONDITION_LIST;
    out->size = (uint32_t)i;
    out->as.items = items;
    return ERR_OK;
}

static int by_key(const void *a, const void *b)
{
    return cel_compare(*(const struct condition_value *const *)a,
                       *(const struct condition_value *const *)b);
}

/* Looks for a key that stands twice, by sorting: an object may have very many members. */
static enum err_code check_keys(const struct condition_entry *entries, size_t count,
                                struct err *err)
{
    const struct condition_value **keys;
    enum err_code code = ERR_OK;

    if (count < 2)
        return ERR_OK;
    keys = malloc(count * sizeof *keys);
    if (!keys)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++)
        keys[i] = &entries[i].key;
    qsort(keys, count, sizeof *keys, by_key);
    for (size_t i = 1; i < count && !code; i++)
        if (condition_equal(keys[i - 1], keys[i]))
            code = err_set(err, ERR_INVALID, "the key \"%.*s\" stands twice in an object",
                           (int)(keys[i]->size > 60 ? 60 : keys[i]->size), keys[i]->as.bytes);
    free(keys);
    return code;
}

static enum err_code convert_object(const struct json *json, struct arena *arena, unsigned depth,
                                    struct condition_value *out, struct err *err)
{
    size_t count = json_count(json), i = 0;
    struct condition_entry *entries = arena_zero(arena, count + 1, sizeof *entries);
    enum err_code code = ERR_OK;

    if (!entries)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (const struct json *at = json_first(json); at && i < count; at = json_next(at), i++) {
        const char *key = json_key(at);
        code = convert_text(key ? key : "", arena, &entries[i].key, err);
        if (!code)
            code = convert(at, arena, depth - 1, &entries[i].value, err);
        if (code)
            return code;
    }
    memset(out, 0, sizeof *out);
    out->kind = CONDITION_MAP;
    out->size = (uint32_t)i;
    out->as.entries = entries;
    return check_keys(entries, i, err);
}

static enum err_code convert(const struct json *json, struct arena *arena, unsigned depth,
                             struct condition_value *out, struct err *err)
{
    int64_t whole;

    if (depth == 0)
        return err_set(err, ERR_INVALID, "JSON is nested deeper than %u levels",
                       CONDITION_JSON_DEPTH_MAX);
    switch (json_kind(json)) {
    case JSON_NULL:
        memset(out, 0, sizeof *out);
        out->kind = CONDITION_NULL;
        return ERR_OK;
    case JSON_BOOL: *out = condition_bool(json_is_true(json)); return ERR_OK;
    case JSON_NUMBER:
        *out = json_int(json, &whole) ? condition_int(whole)
                                      : condition_double(json_number(json, 0.0));
        return ERR_OK;
    case JSON_STRING: return convert_text(json_text(json), arena, out, err);
    case JSON_ARRAY: return convert_list(json, arena, depth, out, err);
    case JSON_OBJECT: break;
    }
    return convert_object(json, arena, depth, out, err);
}

enum err_code condition_from_json(const struct json *json, struct arena *arena,
                                  struct condition_value *out, struct err *err)
{
    struct condition_value made;
    enum err_code code = convert(json, arena, CONDITION_JSON_DEPTH_MAX, &made, err);

    if (!code)
        *out = made;
    return code;
}

/* ---- back ---- */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static struct json *base64(const struct condition_value *v)
{
    const unsigned char *in = (const unsigned char *)v->as.bytes;
    size_t len = v->size, at = 0;
    char *out = malloc((len + 2) / 3 * 4 + 1);
    struct json *json;

    if (!out)
        return NULL;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = (uint32_t)in[i] << 16 | (i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0) |
                        (i + 2 < len ? in[i + 2] : 0);
        out[at++] = digits[bits >> 18];
        out[at++] = digits[bits >> 12 & 63];
        out[at++] = i + 1 < len ? digits[bits >> 6 & 63] : '=';
        out[at++] = i + 2 < len ? digits[bits & 63] : '=';
    }
    json = json_string_n(out, at);
    free(out);
    return json;
}

/* A NUL inside a string cannot stand in JSON text here: such a string is cut into its CEL form. */
static struct json *string_or_source(const struct condition_value *v)
{
    char *text;
    size_t len;
    struct json *json;

    if (v->kind == CONDITION_STRING && (v->size == 0 || !memchr(v->as.bytes, '\0', v->size)))
        return json_string_n(v->size ? v->as.bytes : "", v->size);
    len = condition_value_print(v, NULL, 0);
    text = malloc(len + 1);
    if (!text)
        return NULL;
    condition_value_print(v, text, len + 1);
    json = json_string_n(text, len);
    free(text);
    return json;
}

static struct json *to_json(const struct condition_value *v, unsigned depth);

static struct json *map_to_json(const struct condition_value *v, unsigned depth)
{
    struct json *object = json_object();

    for (uint32_t i = 0; object && i < v->size; i++) {
        const struct condition_value *key = &v->as.entries[i].key;
        struct json *name = string_or_source(key);
        struct json *value = to_json(&v->as.entries[i].value, depth - 1);
        if (!name || !value || !json_put(object, json_text(name), value)) {
            if (!name)
                json_free(value);
            json_free(object);
            object = NULL;
        }
        json_free(name);
    }
    return object;
}

static struct json *list_to_json(const struct condition_value *v, unsigned depth)
{
    struct json *array = json_array();

    for (uint32_t i = 0; array && i < v->size; i++) {
        struct json *item = to_json(&v->as.items[i], depth - 1);
        if (!item || !json_append(array, item)) {
            json_free(array);
            array = NULL;
        }
    }
    return array;
}

static struct json *number_to_json(const struct condition_value *v)
{
    char text[72];

    if (v->kind == CONDITION_DOUBLE) {
        size_t len = cel_print_double(v->as.d, text);
        return strpbrk(text, "Nn") ? json_string_n(text, len) : json_number_new(v->as.d);
    }
    if (v->kind == CONDITION_INT && v->as.i >= -EXACT_MAX && v->as.i <= EXACT_MAX)
        return json_number_new((double)v->as.i);
    if (v->kind == CONDITION_UINT && v->as.u <= (uint64_t)EXACT_MAX)
        return json_number_new((double)v->as.u);
    return v->kind == CONDITION_INT ? json_string_n(text, cel_print_int(v->as.i, text))
                                    : json_string_n(text, cel_print_uint(v->as.u, 10, text));
}

static struct json *to_json(const struct condition_value *v, unsigned depth)
{
    char text[CEL_MOMENT_TEXT];

    if (depth == 0)
        return json_string("...");
    switch (v->kind) {
    case CONDITION_ABSENT:
    case CONDITION_NULL: return json_null();
    case CONDITION_BOOL: return json_bool(v->as.truth);
    case CONDITION_INT:
    case CONDITION_UINT:
    case CONDITION_DOUBLE: return number_to_json(v);
    case CONDITION_BYTES: return base64(v);
    case CONDITION_LIST: return list_to_json(v, depth);
    case CONDITION_MAP: return map_to_json(v, depth);
    case CONDITION_TIMESTAMP:
    case CONDITION_DURATION: return json_string_n(text, cel_moment_print(v, text));
    case CONDITION_OPTIONAL: return v->as.items ? to_json(v->as.items, depth - 1) : json_null();
    default: return string_or_source(v);
    }
}

struct json *condition_to_json(const struct condition_value *v)
{
    return to_json(v, 64);
}
