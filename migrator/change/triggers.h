/*
 * triggers - whether the triggers that keep both shapes equal are still there, as they were made.
 *
 * Nobody but the migrator may touch them, but nothing keeps an application from it; where nothing is
 * derived back, the rows alone do not show it.
 */
#ifndef MIGRATOR_TRIGGERS_H
#define MIGRATOR_TRIGGERS_H

#include "migrator/change/change.h"
#include "migrator/session/session.h"

/* Names the first that is gone or was changed; "" if all are there. For the states from dual-writing to
 * in-sync. */
MUST_USE enum err_code triggers_look(struct migrate *m, const struct change *change, char *which,
                                     size_t size, struct err *err);
/* Makes them anew, and has the backfill and the verification begin again. */
MUST_USE enum err_code triggers_mend(struct migrate *m, size_t index, const struct change *change,
                                     const char *which, struct err *err);

#endif
