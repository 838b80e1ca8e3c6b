/*
 * diff - whether a change of a flag's document moves subjects who were not asked to move.
 */
#ifndef FLAGS_DIFF_H
#define FLAGS_DIFF_H

#include <stdbool.h>

#include "base/json.h"

/* Whether after puts subjects into other buckets or other parts of a split than before: another
 * salt, split_salt or bucket_by, or other weights of a split that both have. Raising or lowering a
 * percentage, and adding or removing a rule, does not count. Weights that own nothing (0) do not
 * either. Both may be documents that flag_check() refuses. */
bool flag_reassigns(const struct json *before, const struct json *after);

#endif
