/*
 * ranges - a table in pieces by its key, so that no statement runs over all of it.
 *
 * A place in the table is the key's values as SQL literals ("17" or "'a',3"): it can be stored, and
 * written into the next statement.
 */
#ifndef MIGRATOR_RANGES_H
#define MIGRATOR_RANGES_H

#include "base/buf.h"
#include "migrator/change.h"

struct range {
    const struct shape *shape;
    char *after; /* rows behind this place; NULL: from the first */
    char *up_to; /* and up to this one; NULL: to the last */
    bool last;   /* there is nothing behind it */
};

/* Starts behind place (NULL: at the first row). */
MUST_USE enum err_code range_start(struct range *range, const struct shape *shape,
                                   const char *place, struct err *err);
/* Takes the next piece of about rows rows; false in *more when there is none. */
MUST_USE enum err_code range_next(struct range *range, struct database *db, int64_t rows,
                                  bool *more, struct err *err);
/* Adds " AND key > ... AND key <= ..." (nothing for the whole table). */
void range_condition(const struct range *range, struct buf *sql);
void range_fini(struct range *range);

#endif
