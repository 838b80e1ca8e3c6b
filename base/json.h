/*
 * json - JSON documents (cJSON behind it). A tree is owned by its root; children are lent.
 *
 * Parsing refuses: depth over JSON_DEPTH_MAX, \u0000 in a string (text here is NUL-terminated,
 * and nothing may end early), invalid UTF-8, a number past a double's range or of more than 63
 * characters, anything behind the document. Numbers are doubles; each is printed with the fewest
 * digits that read back as the same double. Printing turns invalid UTF-8 into U+FFFD, and a number
 * that JSON does not have (NaN) into null.
 * A tree may be read by many threads, changed by one.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct json;

#define JSON_DEPTH_MAX 64u

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* Parses len bytes. On failure ERR_INVALID with line and column in the message; *out untouched. */
MUST_USE enum err_code json_parse(const char *text, size_t len, struct json **out, struct err *err);
void json_free(struct json *root);               /* NULL allowed */
struct json *json_copy(const struct json *json); /* deep; NULL when out of memory */

/* ---- read; each takes NULL for json and then answers like a value of another kind ---- */
enum json_kind json_kind(const struct json *json); /* NULL: JSON_NULL */
const char *json_kind_name(enum json_kind kind);   /* "an object", for messages */
struct json *json_get(const struct json *object,
                      const char *key);             /* case-sensitive; lent or NULL */
struct json *json_first(const struct json *parent); /* first child of an array or object, or NULL */
struct json *json_next(const struct json *child);
const char *json_key(const struct json *child); /* of an object's member; lent */
size_t json_count(const struct json *parent);   /* O(n) */
const char *json_text(const struct json *json); /* the string, lent; NULL if it is none */
bool json_is_true(const struct json *json);
bool json_is_false(const struct json *json);
double json_number(const struct json *json, double otherwise);
const char *json_raw_text(const struct json *json); /* what json_raw() was given, or NULL */
/* A whole number within +-2^53, or false. */
bool json_int(const struct json *json, int64_t *out);
/* Whether two members of object have one key; then *key, if given, is it (lent). O(n log n). */
bool json_has_duplicate_keys(const struct json *object, const char **key);
/* The string member key of object, or otherwise. */
const char *json_get_text(const struct json *object, const char *key, const char *otherwise);
bool json_equal(const struct json *a, const struct json *b); /* objects: in any order of members */

/* ---- make; NULL when out of memory; adding NULL or to NULL frees what was to be added and
 * returns NULL, so that a build needs one check at its end (the root's) only where it matters ---- */
struct json *json_object(void);
struct json *json_array(void);
struct json *json_string(const char *nul_terminated);
struct json *json_string_n(const char *at, size_t len);
struct json *json_number_new(double number);
struct json *json_bool(bool truth);
struct json *json_null(void);
struct json *json_raw(const char *printed); /* already JSON; printed as it is */
/* Replaces an older member of this key; returns value. */
struct json *json_put(struct json *object, const char *key, struct json *value);
/* Appends without looking for an older member: for objects too large to search at each addition. The
 * caller knows that key is not there yet. */
struct json *json_put_new(struct json *object, const char *key, struct json *value);
struct json *json_put_text(struct json *object, const char *key, const char *text);
struct json *json_put_number(struct json *object, const char *key, double number);
struct json *json_put_bool(struct json *object, const char *key, bool truth);
struct json *json_append(struct json *array, struct json *value);
/* Appends an array or object that stays the caller's: it must outlive array, unchanged. Returns
 * array, or NULL when out of memory. */
struct json *json_append_lent(struct json *array, const struct json *value);
void json_remove(struct json *object, const char *key);

/* ---- print; malloc'd, free() it; NULL when out of memory ---- */
char *json_print(const struct json *json);           /* one line */
char *json_print_pretty(const struct json *json);    /* indented by two blanks, ends with \n */
char *json_print_canonical(const struct json *json); /* one line, members sorted by byte order */
/* Quotes and escapes text as a JSON string into a new malloc'd string. */
char *json_quote(const char *at, size_t len);

#endif
