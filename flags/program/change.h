/*
 * change - a change of a flag as options say it, for the commands that do not make it now: simulate and
 * schedule.
 *
 *     --on | --off | --to PERCENT [--domain D | --rule R] [--variant V] | --change JSON
 */
#ifndef FLAGS_PROGRAM_CHANGE_H
#define FLAGS_PROGRAM_CHANGE_H

#include "flags/program/api.h"

#define CHANGE_OPTIONS                                                                             \
    {"on", 0, NULL, "turn it on", false}, {"off", 0, NULL, "turn it off", false},                  \
        {"to", 0, "PERCENT", "ramp it to this percentage", false},                                 \
        {"domain", 'd', "DOMAIN", "--to: for this customer", false},                               \
        {"rule", 0, "NAME", "--to: for whom this rule matches", false},                            \
        {"variant", 0, "NAME", "--to: which variant, where there are more than two", false},       \
    {                                                                                              \
        "change", 0, "JSON", "members to change: '{\"state\": \"off\"}'; null removes one", false  \
    }

/* How many of the ways to say a change are given. */
int change_ways(const struct cli *cli);

/* The patch (flags/patch.h) that the options make of this flag. New; NULL after api_set(). */
struct json *change_patch(struct api *api, struct cli *cli, const struct json *flag);

#endif
