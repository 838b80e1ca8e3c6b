/*
 * recovery - a copy of the whole database before something is lost, so that `migrate restore` can
 * put it back.
 *
 * A recovery point is a database like any other, with what it is for in its lockstep_meta.
 */
#ifndef MIGRATOR_RECOVERY_H
#define MIGRATOR_RECOVERY_H

#include "migrator/session/session.h"

#define RECOVERY_KEY "recovery_point" /* in the copy's lockstep_meta: {"at","migration","before"} */

/* What a recovery point is called that a service keeps by itself: "bookmark:..." */
#define RECOVERY_BOOKMARK "bookmark:"

struct recovery_where {
    const char *file; /* a new file, "none", or NULL: a name of its own */
    const char *dir;  /* for that name; NULL: beside the database */
};

/* ERR_INVALID: file and dir together, or no such folder. */
MUST_USE enum err_code recovery_check(const struct recovery_where *where, struct err *err);

/* Copies the database, checks the copy, and writes that down; or, where the service keeps its past,
 * writes down the name of this moment. before: the step ("purge"). *path lives in the arena, and is
 * NULL if none was wanted or the engine cannot (in memory). ERR_CONFLICT: the service should, and
 * does not. */
MUST_USE enum err_code recovery_make(struct migrate *m, size_t index, const char *before,
                                     const struct recovery_where *where, struct arena *arena,
                                     const char **path, struct err *err);

/* The database's file, or NULL if it is in memory or behind HTTP. */
const char *recovery_file_of(const struct migrate *m);

#endif
