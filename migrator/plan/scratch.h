/*
 * scratch - a copy of a database's schema in memory, without a row, in which the migrations that
 * are not done yet are played through, so that a plan knows the tables that a later one will find.
 *
 *     rc = scratch_reach(&scratch, m, index, err);  // all before index are played
 *     ... change_read(scratch.m.db, ...) ...
 *     scratch_fini(&scratch);
 *
 * The real database is only read. Statements that move rows are left out; there are none.
 */
#ifndef MIGRATOR_SCRATCH_H
#define MIGRATOR_SCRATCH_H

#include "migrator/session/session.h"

struct scratch {
    struct migrate m; /* the session as it is, but with the copy as its database; lent otherwise */
    size_t next;      /* what comes before it in the folder is in the copy */
    bool whole;       /* every object of the schema could be copied */
    char why[200];    /* why what rests on more than the copy holds cannot be planned; "" */
};

/* Makes the copy at the first call, and plays what comes before index. A plain migration whose
 * statement cannot run is an error as it would be in apply (ERR_INVALID, with the statement's
 * number), unless the copy is not whole; what cannot be played for another reason is noted in
 * scratch->why. A zeroed struct is ready for use. */
MUST_USE enum err_code scratch_reach(struct scratch *scratch, const struct migrate *m, size_t index,
                                     struct err *err);
void scratch_fini(struct scratch *scratch);

#endif
