/*
 * judge - one flag's document, parsed with what it names beside itself; for the files of this room
 * that check it or say what it can answer.
 */
#ifndef FLAGS_JUDGE_H
#define FLAGS_JUDGE_H

#include "flags/model.h"
#include "flags/world.h"

struct judge {
    struct ruleset *around; /* the flags and segments it asks for; its memory holds flag's parts */
    struct flag flag;
};

/* ERR_INVALID, ERR_LIMIT: the flag cannot be used, and why. On failure nothing is kept. */
MUST_USE enum err_code judge_init(struct judge *judge, const struct json *flag,
                                  const struct flag_world *world, struct err *err);
void judge_fini(struct judge *judge);

/* Refuses a member that is a slip of the pen away from one of these, or that stands twice. */
MUST_USE enum err_code members_check(const struct json *object, const char *const *known,
                                     size_t count, struct err *err);

#endif
