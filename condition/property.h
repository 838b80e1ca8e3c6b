/*
 * property - the names that \p{...} of a regular expression knows.
 */
#ifndef CONDITION_PROPERTY_H
#define CONDITION_PROPERTY_H

#include <stdbool.h>
#include <stddef.h>

bool cel_property_known(const char *name, size_t len); /* "Greek", "Lu" */

#endif
