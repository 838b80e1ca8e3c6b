/*
 * reweigh - other weights for a split, moving the fewest subjects: each variant keeps what it has, as
 * far as its weight goes, and only what is too much for one goes to those that shall have more.
 */
#ifndef FLAGS_REWEIGH_H
#define FLAGS_REWEIGH_H

#include <stdbool.h>

#include "base/json.h"

/* How many of a hundred subjects get another variant by split `is` than by split `was` (both as in
 * SERVE); -1: one of them is no split. */
double split_moved(const struct json *was, const struct json *is);

/* Gives each split of after that has weights the ranges that move the fewest subjects of the split that
 * before has at the same place (fall-through, rule, domain). Where the borders that the weights alone give
 * move no more, they stay unwritten. false: no memory, and after may be half changed. */
bool flag_keep_ranges(const struct json *before, struct json *after);

#endif
