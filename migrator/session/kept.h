/*
 * kept - what a database that a service puts back to an earlier moment would not know: the history
 * since, and that it was put back. It is written beside the migrations before, as
 * .lockstep-restore-<database id>.json, and into the database behind; a run that died in between is
 * finished by the next one that takes the lock.
 */
#ifndef MIGRATOR_KEPT_H
#define MIGRATOR_KEPT_H

#include "migrator/session/session.h"

/* The history behind last_event, and how the database was put back. undo: the bookmark that leads
 * forward again. Free with json_free(). */
MUST_USE enum err_code kept_read(struct migrate *m, int64_t last_event, const char *file,
                                 const char *undo, const char *reason, struct json **out,
                                 struct err *err);
/* ERR_CONFLICT: it cannot be written, so nothing should be put back. No folder: does nothing. */
MUST_USE enum err_code kept_store(const struct migrate *m, const struct json *record,
                                  struct err *err);
/* With the lock held: writes what is kept into a database that was put back, and forgets it; forgets it
 * as well where nothing was put back. Nothing kept: does nothing. */
MUST_USE enum err_code kept_finish(struct migrate *m, struct err *err);

#endif
