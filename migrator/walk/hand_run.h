/*
 * hand_run - hand-written SQL at work: checked before, shown by plan, asked by verification.
 */
#ifndef MIGRATOR_HAND_RUN_H
#define MIGRATOR_HAND_RUN_H

#include "migrator/change/change.h"
#include "migrator/session/session.h"

/* Looks at every statement as at a plain migration's (plain_analyse()). */
MUST_USE enum err_code hand_validate(struct migrate *m, size_t index, struct err *err);

/* Adds what a reviewer of the plan must know: what has no way back, what is not recorded. */
MUST_USE enum err_code hand_notes(struct migrate *m, const struct migration *migration,
                                  enum mig_state from, struct json *notes, struct err *err);

/* ERR_CONFLICT: an arrow on the way back has no .down.sql; the message names the file. */
MUST_USE enum err_code hand_way_back_check(struct migrate *m, size_t index, enum mig_state to,
                                           struct err *err);

/* How many rows verify.sql finds (at most HAND_FAULTS_MAX are looked at); the first columns of a few
 * of them are appended to samples. 0 without verify.sql, and from contract on, when what it asks for
 * may be gone. */
#define HAND_FAULTS_MAX 1000
MUST_USE enum err_code hand_verify(struct migrate *m, size_t index, const struct change *change,
                                   int64_t *faults, struct json *samples, struct err *err);

#endif
