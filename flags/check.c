/*
 * A flag's document before it is stored: what a new one may leave out, and every mistake, said to
 * the person who made it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/digest.h"
#include "base/limits.h"
#include "flags/judge.h"

#define SALT_BYTES 8

/* ---- filling in ---- */

static enum err_code put(struct json *flag, const char *member, struct json *value, struct err *err)
{
    if (json_get(flag, member) != NULL) {
        json_free(value);
        return ERR_OK;
    }
    if (json_put(flag, member, value) == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    return ERR_OK;
}

static struct json *serve_variant(const char *variant)
{
    struct json *serve = json_object();

    if (serve != NULL && json_put_text(serve, "variant", variant) == NULL) {
        json_free(serve);
        return NULL;
    }
    return serve;
}

static struct json *on_and_off(void)
{
    struct json *variants = json_object();

    if (variants != NULL && (json_put_bool(variants, "on", true) == NULL ||
                             json_put_bool(variants, "off", false) == NULL)) {
        json_free(variants);
        return NULL;
    }
    return variants;
}

/* The variant to be off by: of a boolean the one that is false, else "off" or the only one. NULL:
 * nobody can tell. */
static const char *natural_off(const struct json *flag)
{
    const struct json *variants = json_get(flag, "variants");
    const struct json *first = json_first(variants);

    for (const struct json *at = first; at != NULL; at = json_next(at)) {
        if (json_is_false(at))
            return json_key(at);
    }
    if (json_get(variants, "off") != NULL)
        return "off";
    return first != NULL && json_next(first) == NULL ? json_key(first) : NULL;
}

enum err_code flag_complete(struct json *flag, struct err *err)
{
    const char *off;
    char hex[2 * SALT_BYTES + 1];
    enum err_code rc;

    if (json_kind(flag) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "a flag must be an object, not %s", kind_of(flag));
    rc = put(flag, "type", json_string("boolean"), err);
    if (rc == ERR_OK && strcmp(json_get_text(flag, "type", ""), "boolean") == 0)
        rc = put(flag, "variants", on_and_off(), err);
    if (rc != ERR_OK)
        return rc;
    off = natural_off(flag);
    if (json_get(flag, "off_variant") == NULL && off == NULL)
        return err_set(err, ERR_INVALID,
                       "off_variant: missing; say which variant the flag gives while it is off");
    if (off != NULL)
        rc = put(flag, "off_variant", json_string(off), err);
    if (rc == ERR_OK)
        rc = put(flag, "state", json_string("off"), err);
    if (rc == ERR_OK)
        rc = put(flag, "salt", json_string(random_hex(SALT_BYTES, hex)), err);
    if (rc == ERR_OK)
        rc = put(flag, "split_salt", json_string(random_hex(SALT_BYTES, hex)), err);
    if (rc == ERR_OK)
        rc = put(flag, "fallthrough", serve_variant(json_get_text(flag, "off_variant", "")), err);
    return rc;
}

/* ---- checking ---- */

static const char *const known_members[] = {
    "key",  "type",       "description",   "tags",       "state",   "variants",     "off_variant",
    "salt", "split_salt", "bucket_by",     "individual", "domains", "rules",        "fallthrough",
    "tie",  "uses",       "prerequisites", "layer",      "owner",   "expected_end", "domain_set"};

/* Whether b comes from a by at most one letter missing, added, changed, or two swapped. */
static bool one_slip(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b), same = 0;

    while (a[same] != '\0' && a[same] == b[same])
        same++;
    if (a_len == b_len) {
        return strcmp(a + same + 1, b + same + 1) == 0 ||
               (a[same + 1] != '\0' && a[same] == b[same + 1] && a[same + 1] == b[same] &&
                strcmp(a + same + 2, b + same + 2) == 0);
    }
    if (a_len + 1 == b_len)
        return strcmp(a + same, b + same + 1) == 0;
    return b_len + 1 == a_len && strcmp(a + same + 1, b + same) == 0;
}

/* Unknown members are kept and ignored, so that a newer program's flags pass. One that is a slip
 * of the pen away from a known member would be ignored in silence, so it is refused; so is a member
 * that stands twice. */
enum err_code members_check(const struct json *object, const char *const *known, size_t count,
                            struct err *err)
{
    bool seen[32] = {false};

    CHECK(count <= sizeof seen);
    for (const struct json *at = json_first(object); at != NULL; at = json_next(at)) {
        const char *key = json_key(at), *near = NULL;
        size_t i;

        for (i = 0; i < count && strcmp(key, known[i]) != 0; i++) {
            if (one_slip(key, known[i]))
                near = known[i];
        }
        if (i < count && seen[i])
            return err_set(err, ERR_INVALID, "%s: stands there twice", key);
        if (i < count)
            seen[i] = true;
        else if (near != NULL)
            return err_set(err, ERR_INVALID, "%.60s: no such member; did you mean '%s'?", key,
                           near);
    }
    return ERR_OK;
}

/* "2027-01-31", a day that there is. */
static bool is_date(const char *text)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year, month, day;
    bool leap;

    if (text == NULL || strlen(text) != 10 || text[4] != '-' || text[7] != '-' ||
        strspn(text, "0123456789-") != 10 || sscanf(text, "%4d-%2d-%2d", &year, &month, &day) != 3)
        return false;
    leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return year >= 1970 && month >= 1 && month <= 12 && day >= 1 &&
           day <= days[month - 1] + (month == 2 && leap);
}

static enum err_code check_keeping(const struct json *flag, struct err *err)
{
    const struct json *owner = json_get(flag, "owner"), *end = json_get(flag, "expected_end");

    if (owner != NULL && (json_text(owner) == NULL || strlen(json_text(owner)) > LIMIT_KEY_BYTES))
        return err_set(err, ERR_INVALID, "owner: must be a string of at most %u bytes",
                       LIMIT_KEY_BYTES);
    if (end != NULL && !is_date(json_text(end)) &&
        (json_text(end) == NULL || strcmp(json_text(end), "never") != 0))
        return err_set(
            err, ERR_INVALID,
            "expected_end: must be the day on which a temporary flag shall be gone, such "
            "as \"2027-01-31\", or \"never\" of one that shall stay");
    return ERR_OK;
}

static enum err_code check_text(const struct json *flag, struct err *err)
{
    const struct json *description = json_get(flag, "description"), *tags = json_get(flag, "tags");

    if (description != NULL && json_text(description) == NULL)
        return err_set(err, ERR_INVALID, "description: must be a string, not %s",
                       kind_of(description));
    if (tags != NULL && json_kind(tags) != JSON_ARRAY)
        return err_set(err, ERR_INVALID, "tags: must be an array of strings, not %s",
                       kind_of(tags));
    for (const struct json *at = json_first(tags); at != NULL; at = json_next(at)) {
        if (json_text(at) == NULL)
            return err_set(err, ERR_INVALID, "tags: must hold strings, not %s", kind_of(at));
    }
    return ERR_OK;
}

/* A member that stands twice anywhere below, as in a rule or in a variant's value: readers do not agree
 * on which of the two counts. */
static enum err_code check_twice(const struct json *json, const char *below, struct err *err)
{
    const char *twice = NULL;

    if (json_has_duplicate_keys(json, &twice))
        return err_set(err, ERR_INVALID, "%.60s: '%.60s' stands there twice", below, twice);
    for (const struct json *at = json_first(json); at != NULL; at = json_next(at)) {
        enum err_code rc = json_first(at) != NULL ? check_twice(at, below, err) : ERR_OK;

        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

/* Below the members that flag_parse() has words of its own for. */
static enum err_code check_nested(const struct json *flag, struct err *err)
{
    for (const struct json *member = json_first(flag); member != NULL; member = json_next(member)) {
        for (const struct json *at = json_first(member); at != NULL; at = json_next(at)) {
            char below[200];
            enum err_code rc;

            if (json_first(at) == NULL)
                continue;
            if (json_kind(member) == JSON_OBJECT)
                snprintf(below, sizeof below, "%.60s.%.100s", json_key(member), json_key(at));
            else
                snprintf(below, sizeof below, "%.60s", json_key(member));
            rc = check_twice(at, below, err);
            if (rc != ERR_OK)
                return rc;
        }
    }
    return ERR_OK;
}

enum err_code flag_check_in(const struct json *flag, const struct flag_world *world,
                            struct err *err)
{
    struct judge judge;
    enum err_code rc;

    if (json_kind(flag) != JSON_OBJECT)
        return err_set(err, ERR_INVALID, "a flag must be an object, not %s", kind_of(flag));
    rc = members_check(flag, known_members, sizeof known_members / sizeof known_members[0], err);
    if (rc == ERR_OK)
        rc = check_text(flag, err);
    if (rc == ERR_OK)
        rc = check_keeping(flag, err);
    if (rc == ERR_OK)
        rc = judge_init(&judge, flag, world, err);
    if (rc != ERR_OK)
        return rc;
    rc = check_nested(flag, err);
    judge_fini(&judge);
    return rc;
}

enum err_code flag_check(const struct json *flag, struct err *err)
{
    return flag_check_in(flag, NULL, err);
}
