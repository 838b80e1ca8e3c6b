#include "base/json_order.h"

#include <stdlib.h>
#include <string.h>

static int by_key(const void *a, const void *b)
{
    const struct json_member *one = a, *other = b;
    int order = strcmp(one->key, other->key);

    if (order != 0) {
        return order;
    }
    return one->index < other->index ? -1 : one->index > other->index;
}

bool json_members_sorted(const struct json *object, struct json_member **out, size_t *count)
{
    struct json_member *members;
    size_t n = json_kind(object) == JSON_OBJECT ? json_count(object) : 0, i = 0;

    *out = NULL;
    *count = 0;
    if (n == 0) {
        return true;
    }
    members = malloc(n * sizeof *members);
    if (members == NULL) {
        return false;
    }
    for (const struct json *child = json_first(object); child != NULL; child = json_next(child)) {
        members[i] = (struct json_member){json_key(child), child, i};
        i++;
    }
    qsort(members, n, sizeof *members, by_key);
    *out = members;
    *count = n;
    return true;
}

/* The slow way, for when there is no memory to sort in. */
static bool duplicate_by_search(const struct json *object, const char **key)
{
    for (const struct json *one = json_first(object); one != NULL; one = json_next(one)) {
        for (const struct json *other = json_next(one); other != NULL; other = json_next(other)) {
            if (strcmp(json_key(one), json_key(other)) == 0) {
                *key = json_key(one);
                return true;
            }
        }
    }
    return false;
}

bool json_has_duplicate_keys(const struct json *object, const char **key)
{
    struct json_member *members;
    const char *ignored = NULL;
    size_t count;
    bool found = false;

    key = key != NULL ? key : &ignored;
    if (json_kind(object) != JSON_OBJECT) {
        return false;
    }
    if (!json_members_sorted(object, &members, &count)) {
        return duplicate_by_search(object, key);
    }
    for (size_t i = 1; i < count && !found; i++) {
        if (strcmp(members[i - 1].key, members[i].key) == 0) {
            *key = members[i].key;
            found = true;
        }
    }
    free(members);
    return found;
}

static bool equal_in_order(const struct json *a, const struct json *b)
{
    const struct json *one = json_first(a), *other = json_first(b);

    while (one != NULL && other != NULL && json_equal(one, other)) {
        one = json_next(one);
        other = json_next(other);
    }
    return one == NULL && other == NULL;
}

static bool equal_by_search(const struct json *a, const struct json *b)
{
    for (const struct json *one = json_first(a); one != NULL; one = json_next(one)) {
        const struct json *other = json_get(b, json_key(one));
        if (other == NULL || !json_equal(one, other)) {
            return false;
        }
    }
    return json_count(a) == json_count(b);
}

static bool objects_equal(const struct json *a, const struct json *b)
{
    struct json_member *as = NULL, *bs = NULL;
    size_t a_count, b_count;
    bool equal;

    if (!json_members_sorted(a, &as, &a_count) || !json_members_sorted(b, &bs, &b_count)) {
        equal = equal_by_search(a, b);
    } else {
        equal = a_count == b_count;
        for (size_t i = 0; equal && i < a_count; i++) {
            equal = strcmp(as[i].key, bs[i].key) == 0 && json_equal(as[i].value, bs[i].value);
        }
    }
    free(as);
    free(bs);
    return equal;
}

bool json_equal(const struct json *a, const struct json *b)
{
    if (json_kind(a) != json_kind(b)) {
        return false;
    }
    switch (json_kind(a)) {
    case JSON_NULL: return true;
    case JSON_BOOL: return json_is_true(a) == json_is_true(b);
    case JSON_NUMBER: return json_number(a, 0) == json_number(b, 0);
    case JSON_STRING: return strcmp(json_text(a), json_text(b)) == 0;
    case JSON_ARRAY: return equal_in_order(a, b);
    case JSON_OBJECT: return objects_equal(a, b);
    }
    return false;
}
