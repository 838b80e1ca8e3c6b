/*
 * advice - the command of the program `flags` that takes one answer out of a flag, so that whoever is
 * refused can go on. Pure functions over documents; any thread.
 */
#ifndef SERVER_ADVICE_H
#define SERVER_ADVICE_H

#include <stddef.h>

#include "base/json.h"

/* flag gives something else than target at where (as flag_outcomes() says it): the command that makes
 * that place give target alone. "" where no command does, or it does not fit. Words that a shell would
 * take apart are quoted. */
void advice_for_flag(const struct json *flag, const char *where, const char *target, char *command,
                     size_t size);

#endif
