/*
 * diff - what differs between two documents of a flag, and whether the change moves subjects who were not
 * asked to move.
 */
#ifndef FLAGS_DIFF_H
#define FLAGS_DIFF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/json.h"

/* Whether after puts subjects into other buckets or other parts of a split than before: another
 * salt, split_salt or bucket_by, or other weights of a split that both have. Raising or lowering a
 * percentage, and adding or removing a rule, does not count. Weights that own nothing (0) do not
 * either. Both may be documents that flag_check() refuses. */
bool flag_reassigns(const struct json *before, const struct json *after);

/* The one of rules that is rule, which stands at index elsewhere: by name, else by place. Lent. */
const struct json *flag_same_rule(const struct json *rules, const struct json *rule, size_t index);

/* What differs, as an array of {"at", "was", "now"}: at is "state", "domains.acme.com", "rules.staff";
 * was or now is left out where there is nothing. At most max of them. New; NULL when out of memory. */
struct json *flag_difference(const struct json *before, const struct json *after, size_t max);

#endif
