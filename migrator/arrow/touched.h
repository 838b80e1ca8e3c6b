/*
 * touched - which rows were written while all of them were being looked at.
 *
 * Contract must know that no row violates what is declared, and must not look at every row while it
 * holds the write lock. So triggers note the key of each row that is inserted or updated, then all
 * rows are verified without a lock, and the short transaction looks again at the noted ones alone: a
 * row that is not noted is still what it was when it was verified.
 *
 *     rc = touched_begin(m, index, &change, &err);     // triggers and an empty list
 *     ... verify every row ...
 *     rc = touched_catch_up(m, index, &change, condition, &err);
 *     touched_demand(&change, condition, refusal, &work);  // in the arrow
 *     touched_drop(&change, &work);                        // and in the same transaction
 *
 * The list has an end: an application that writes faster than rows can be verified stops being
 * noted, and the demand fails. Nothing here can fail an application's statement: the list has no
 * constraint.
 */
#ifndef MIGRATOR_TOUCHED_H
#define MIGRATOR_TOUCHED_H

#include "migrator/change/change.h"
#include "migrator/session/session.h"

#define TOUCHED_MIN_ROWS 20000 /* a smaller table is looked at whole: a few ms */
#define TOUCHED_MAX 200000     /* keys on the list */
#define TOUCHED_LAST 500       /* of them may be left for the transaction */

/* Whether the triggers are there, by the schema as change has read it. */
bool touched_there(const struct change *change);

/* Makes triggers and list anew. */
MUST_USE enum err_code touched_begin(struct migrate *m, size_t index, const struct change *change,
                                     struct err *err);
/* Looks at the noted rows without a lock and forgets them, until few are left. ERR_CONFLICT: one
 * fulfils the condition, or they become more and more. */
MUST_USE enum err_code touched_catch_up(struct migrate *m, size_t index,
                                        const struct change *change, const char *condition,
                                        struct err *err);

/* Adds the guard that no noted row fulfils the condition, and that every row was noted. */
void touched_demand(const struct change *change, const char *condition, const char *refusal,
                    struct work *work);
void touched_drop(const struct change *change, struct work *work);
/* Drops them where another error is already on its way; what stays is dropped by the next arrow. */
void touched_end(struct migrate *m, const struct change *change);

#endif
