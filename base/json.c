#include "base/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/json_scan.h"

#define INT_MAX_EXACT 9007199254740992.0 /* 2^53: past it a double skips whole numbers */

/* struct json is never defined: it is cJSON's node under a name of our own. */
static cJSON *node(const struct json *json)
{
    union {
        const struct json *lent;
        cJSON *own;
    } cast = {.lent = json};

    return cast.own;
}

static struct json *from_node(cJSON *item)
{
    return (struct json *)(void *)item;
}

static int type_of(const struct json *json)
{
    return json != NULL ? node(json)->type & 0xFF : cJSON_NULL;
}

enum err_code json_parse(const char *text, size_t len, struct json **out, struct err *err)
{
    enum err_code rc = json_scan(text, len, err);
    cJSON *root;

    if (rc != ERR_OK) {
        return rc;
    }
    root = cJSON_ParseWithLengthOpts(text, len, NULL, 0);
    if (root == NULL) { /* the text itself was found good */
        return err_set(err, ERR_NOMEM, "not enough memory for a JSON document of %zu bytes", len);
    }
    *out = from_node(root);
    return ERR_OK;
}

void json_free(struct json *root)
{
    cJSON_Delete(node(root));
}

struct json *json_copy(const struct json *json)
{
    return from_node(cJSON_Duplicate(node(json), 1));
}

/* ---- read ---- */

enum json_kind json_kind(const struct json *json)
{
    switch (type_of(json)) {
    case cJSON_False:
    case cJSON_True: return JSON_BOOL;
    case cJSON_Number: return JSON_NUMBER;
    case cJSON_String: return JSON_STRING;
    case cJSON_Array: return JSON_ARRAY;
    case cJSON_Object: return JSON_OBJECT;
    default: return JSON_NULL;
    }
}

const char *json_kind_name(enum json_kind kind)
{
    switch (kind) {
    case JSON_NULL: return "null";
    case JSON_BOOL: return "a boolean";
    case JSON_NUMBER: return "a number";
    case JSON_STRING: return "a string";
    case JSON_ARRAY: return "an array";
    case JSON_OBJECT: return "an object";
    }
    return "null";
}

struct json *json_get(const struct json *object, const char *key)
{
    if (type_of(object) != cJSON_Object) {
        return NULL;
    }
    return from_node(cJSON_GetObjectItemCaseSensitive(node(object), key));
}

struct json *json_first(const struct json *parent)
{
    int type = type_of(parent);

    if (type != cJSON_Object && type != cJSON_Array) {
        return NULL;
    }
    return from_node(node(parent)->child);
}

struct json *json_next(const struct json *child)
{
    return child != NULL ? from_node(node(child)->next) : NULL;
}

const char *json_key(const struct json *child)
{
    return child != NULL ? node(child)->string : NULL;
}

size_t json_count(const struct json *parent)
{
    size_t n = 0;

    for (const struct json *child = json_first(parent); child != NULL; child = json_next(child)) {
        n++;
    }
    return n;
}

const char *json_text(const struct json *json)
{
    return type_of(json) == cJSON_String ? node(json)->valuestring : NULL;
}

bool json_is_true(const struct json *json)
{
    return type_of(json) == cJSON_True;
}

bool json_is_false(const struct json *json)
{
    return type_of(json) == cJSON_False;
}

double json_number(const struct json *json, double otherwise)
{
    return type_of(json) == cJSON_Number ? node(json)->valuedouble : otherwise;
}

const char *json_raw_text(const struct json *json)
{
    return type_of(json) == cJSON_Raw ? node(json)->valuestring : NULL;
}

bool json_int(const struct json *json, int64_t *out)
{
    double number = json_number(json, NAN);

    if (!(number >= -INT_MAX_EXACT && number <= INT_MAX_EXACT) || floor(number) != number) {
        return false;
    }
    *out = (int64_t)number;
    return true;
}

const char *json_get_text(const struct json *object, const char *key, const char *otherwise)
{
    const char *text = json_text(json_get(object, key));

    return text != NULL ? text : otherwise;
}

/* ---- make ---- */

struct json *json_object(void)
{
    return from_node(cJSON_CreateObject());
}

struct json *json_array(void)
{
    return from_node(cJSON_CreateArray());
}

struct json *json_string(const char *nul_terminated)
{
    return nul_terminated != NULL ? from_node(cJSON_CreateString(nul_terminated)) : NULL;
}

struct json *json_string_n(const char *at, size_t len)
{
    char *copy = strndup(len > 0 ? at : "", len);
    struct json *json = json_string(copy);

    free(copy);
    return json;
}

struct json *json_number_new(double number)
{
    return from_node(cJSON_CreateNumber(number));
}

struct json *json_bool(bool truth)
{
    return from_node(cJSON_CreateBool(truth));
}

struct json *json_null(void)
{
    return from_node(cJSON_CreateNull());
}

struct json *json_raw(const char *printed)
{
    return printed != NULL ? from_node(cJSON_CreateRaw(printed)) : NULL;
}

struct json *json_put_new(struct json *object, const char *key, struct json *value)
{
    if (value == NULL || type_of(object) != cJSON_Object ||
        !cJSON_AddItemToObject(node(object), key, node(value))) {
        json_free(value);
        return NULL;
    }
    return value;
}

struct json *json_put(struct json *object, const char *key, struct json *value)
{
    if (value == NULL || json_get(object, key) == NULL) {
        return json_put_new(object, key, value);
    }
    if (!cJSON_ReplaceItemInObjectCaseSensitive(node(object), key, node(value))) {
        json_free(value);
        return NULL;
    }
    return value;
}

struct json *json_put_text(struct json *object, const char *key, const char *text)
{
    return json_put(object, key, json_string(text));
}

struct json *json_put_number(struct json *object, const char *key, double number)
{
    return json_put(object, key, json_number_new(number));
}

struct json *json_put_bool(struct json *object, const char *key, bool truth)
{
    return json_put(object, key, json_bool(truth));
}

struct json *json_append(struct json *array, struct json *value)
{
    if (value == NULL || type_of(array) != cJSON_Array ||
        !cJSON_AddItemToArray(node(array), node(value))) {
        json_free(value);
        return NULL;
    }
    return value;
}

struct json *json_append_lent(struct json *array, const struct json *value)
{
    if (type_of(array) != cJSON_Array ||
        (type_of(value) != cJSON_Array && type_of(value) != cJSON_Object) ||
        !cJSON_AddItemReferenceToArray(node(array), node(value))) {
        return NULL;
    }
    return array;
}

void json_remove(struct json *object, const char *key)
{
    if (type_of(object) == cJSON_Object) {
        cJSON_DeleteItemFromObjectCaseSensitive(node(object), key);
    }
}
