/*
 * ranges - a table in pieces by its key, so that no statement runs over all of it.
 *
 *     rc = range_start(&range, &shape, place, &err);
 *     for (rc = range_next(&range, db, 500, &more, &err); rc == ERR_OK && more; ...) {
 *         size_t count = range_condition(&range, &sql, params);
 *         ... "UPDATE t SET a = b WHERE 1" + sql, with params ...
 *     }
 *     range_fini(&range);
 *
 * The text of the condition is the same for all pieces but the first and the last, so that a
 * statement is compiled once. Keys are compared in the order of the table's own index, whatever its
 * collations and directions, so that no piece is sorted.
 */
#ifndef MIGRATOR_RANGES_H
#define MIGRATOR_RANGES_H

#include "base/buf.h"
#include "migrator/change/change.h"
#include "migrator/walk/place.h"

#define RANGE_KEY_MAX 32u /* columns of a key; twice that are parameters, and D1 allows 100 */
#define RANGE_PARAMS_MAX (2u * RANGE_KEY_MAX)

struct range {
    const struct shape *shape;
    struct place *after; /* rows behind this place; NULL: from the first */
    struct place *up_to; /* and up to this one; NULL: to the last */
    bool last;           /* there is nothing behind it */
};

/* Starts behind place (place_text(); NULL, or what is none: at the first row). ERR_INVALID: a key
 * of more than RANGE_KEY_MAX columns. */
MUST_USE enum err_code range_start(struct range *range, const struct shape *shape,
                                   const char *place, struct err *err);
/* Takes the next piece of about rows rows; false in *more when there is none. */
MUST_USE enum err_code range_next(struct range *range, struct database *db, int64_t rows,
                                  bool *more, struct err *err);
/* Takes a smaller piece that begins where the present one does. */
MUST_USE enum err_code range_shrink(struct range *range, struct database *db, int64_t rows,
                                    struct err *err);
/* Reads the piece: how many rows it has, and about how many bytes they hold. */
MUST_USE enum err_code range_measure(const struct range *range, struct database *db, int64_t *rows,
                                     int64_t *bytes, struct err *err);

/* Adds " AND key > ?1 ... AND key <= ?2 ..." (nothing for the whole table), and lends the values
 * for ?1 and on to params; returns how many. */
size_t range_condition(const struct range *range, struct buf *sql,
                       struct database_value params[RANGE_PARAMS_MAX]);
void range_fini(struct range *range);

/* Adds the key as a list of columns for SELECT. */
void range_key_columns(const struct shape *shape, struct buf *sql);

#endif
