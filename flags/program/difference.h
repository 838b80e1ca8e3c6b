/*
 * difference - what differs between two flags, as lines for people.
 */
#ifndef FLAGS_PROGRAM_DIFFERENCE_H
#define FLAGS_PROGRAM_DIFFERENCE_H

#include "base/json.h"

/* Prints [{"at", "was", "now"}, ...] to stdout, a line each; long values are cut. NULL: nothing. */
void difference_print(const struct json *difference);

#endif
