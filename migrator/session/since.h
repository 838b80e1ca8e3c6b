/*
 * since - what happened behind a moment that a database is put back to: people see it first, the
 * history keeps it, and the flag server hears of it.
 */
#ifndef MIGRATOR_SINCE_H
#define MIGRATOR_SINCE_H

#include "migrator/session/session.h"

/* Puts "events" into loses: those of the history behind last_event, the oldest first. */
MUST_USE enum err_code since_list(struct database *db, int64_t last_event, struct json *loses,
                                  struct err *err);
/* Adds to work that these events are written into the history that is put back: they did happen. */
MUST_USE enum err_code since_keep(struct database *db, int64_t last_event, struct work *work,
                                  struct err *err);
/* Tells the flag server the states as they are again; says in the report whether it knows. */
MUST_USE enum err_code since_tell(struct migrate *m, struct json *report, struct err *err);

#endif
