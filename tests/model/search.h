/*
 * search - goes through every state that can be reached, the nearest first, and keeps how each was
 * come to.
 */
#ifndef TESTS_MODEL_SEARCH_H
#define TESTS_MODEL_SEARCH_H

#include <stddef.h>

#include "tests/model/protocol.h"

struct search_result {
    size_t states, transitions;
    unsigned depth;
    double seconds;
    bool whole;                /* nothing was left out */
    bool broken;               /* a client runs a path that is not there */
    size_t taken[ACTIONS_MAX]; /* how often each action was possible */
    unsigned steps;            /* to the broken state */
    char trace[8000];
};
/* Ends at the first broken state, or when states_max are not enough. False: no memory. */
bool search_all(const struct model_config *config, size_t states_max, struct search_result *out);

#endif
