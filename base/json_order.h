/*
 * json_order - the members of an object sorted by the bytes of their keys, for base/json's
 * printing and comparing. Members of one key stay in their order.
 */
#ifndef BASE_JSON_ORDER_H
#define BASE_JSON_ORDER_H

#include <stddef.h>

#include "base/json.h"

struct json_member {
    const char *key;
    const struct json *value;
    size_t index; /* among the members as they stand */
};

/* Sets *out to a new array (free()) of *count members; NULL for none. False: out of memory. */
MUST_USE bool json_members_sorted(const struct json *object, struct json_member **out,
                                  size_t *count);

#endif
