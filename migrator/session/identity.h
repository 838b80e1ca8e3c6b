/*
 * identity - whether this database is the one that it says, and the one that the flag server knows.
 *
 * A copied file keeps its id. Where the original goes on, or the flag server knows a later state than
 * the copy ever had, a person must say which is which (`migrate repair`).
 */
#ifndef MIGRATOR_IDENTITY_H
#define MIGRATOR_IDENTITY_H

#include "migrator/session/session.h"

/* ERR_CONFLICT: the file at the path where this database last was has the same id, and is another
 * file. Else notes the path of today. Needs the lock. */
MUST_USE enum err_code identity_check_home(struct migrate *m, struct err *err);
/* The path of today, or "". */
void identity_home(const struct migrate *m, char *out, size_t size);

/* Compares what the flag server believes with the journal. Tells it again where it only forgot;
 * ERR_CONFLICT where it knows a state that this database never had. Ends the hold of a run that was
 * killed (takes the lock for that, if it is free). A server that is away is no error: gates stay
 * closed. */
MUST_USE enum err_code identity_compare(struct migrate *m, struct err *err);

#endif
