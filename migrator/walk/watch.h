/*
 * watch - a condition that stops a phase while it is under way: true in three looks running means
 * that the phase does harm.
 *
 *     watch_begin(&watch, m, index, PHASED_WATCH_BACKFILL, &change);
 *     ... watch_look(m, index, err) between batches, and while a gate is waited for ...
 *     watch_end(m);
 *
 * A condition that needs a fact which was not measured is not true; how often that was so is told.
 */
#ifndef MIGRATOR_WATCH_H
#define MIGRATOR_WATCH_H

#include "migrator/change/change.h"
#include "migrator/session/session.h"

#define WATCH_LOOKS 3   /* running: one look may be an accident */
#define WATCH_US 500000 /* between two looks */

struct watch {
    const char *condition, *phase;
    const struct change *change;
    int64_t looked_us;
    int64_t looks, truths, unknown;
    int running; /* looks that were true without one between that was not */
    bool triggered;
    char why[300]; /* why the last look could not be answered */
};

/* Does nothing where the migration has no watch for the phase. The watch lives until watch_end(). */
void watch_begin(struct watch *watch, struct migrate *m, size_t index, enum phased_watch which,
                 const struct change *change);
/* ERR_CONFLICT: it was true three times running. Nothing to look at, or not yet: ERR_OK. */
MUST_USE enum err_code watch_look(struct migrate *m, size_t index, struct err *err);
void watch_end(struct migrate *m);

/* Puts "watch" {condition, looks, true, unknown, why} into a step, if it looked. */
void watch_describe(const struct watch *watch, struct json *step);

#endif
