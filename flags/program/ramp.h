/*
 * ramp - what a place of a flag's document gives: a percentage for everybody, a customer or a rule.
 */
#ifndef FLAGS_PROGRAM_RAMP_H
#define FLAGS_PROGRAM_RAMP_H

#include "flags/program/api.h"
#include "flags/ruleset.h"

struct ramp {
    const char *domain, *rule; /* at most one of them; neither: everybody else */
    const char *variant;       /* by name, or NULL */
    double percent;
    char was[160], is[160]; /* set: for people */
};

/* Puts the percentage into the flag's document. false after api_set(). */
bool ramp_set(struct api *api, struct json *flag, struct ramp *ramp);
/* The rule of that name, or NULL. */
struct json *ramp_rule(const struct json *flag, const char *name);

#endif
