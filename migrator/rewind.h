/*
 * rewind - migrate_restore() where the service keeps its past by itself: a bookmark instead of a
 * copy.
 */
#ifndef MIGRATOR_REWIND_H
#define MIGRATOR_REWIND_H

#include "migrator/session/session.h"

/* what->file: "bookmark:..." as the history has it. Reports as migrate_restore() does, with "undo":
 * the bookmark that leads forward again. */
MUST_USE enum err_code rewind_restore(struct migrate *m, const struct migrate_restore *what,
                                      struct json **report, struct err *err);

#endif
