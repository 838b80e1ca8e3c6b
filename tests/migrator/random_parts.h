/*
 * random_parts - what the files of random_case share.
 */
#ifndef TESTS_MIGRATOR_RANDOM_PARTS_H
#define TESTS_MIGRATOR_RANDOM_PARTS_H

#include "tests/migrator/random_case.h"

extern const struct operation random_operations[];
extern const unsigned random_operation_count;
/* A column that the migration has nothing to do with. */
extern const struct operation random_beside;

/* Prefixed names of the columns of one operation, or of all (at = operation_count); false: none. */
bool random_add_columns(const struct random_case *c, unsigned at, bool new_side, const char *prefix,
                        struct buf *out);
/* Values for the same columns. */
void random_add_values(const struct random_case *c, unsigned at, bool new_side, struct buf *out);

#endif
