/*
 * unreadable - views and triggers of the application that SQLite cannot read here: broken ones, and
 * those that call functions which only the application has.
 *
 * ALTER TABLE refuses to work while one is in the schema, whatever table it is about. So for the
 * length of one transaction they step aside, and come back word by word.
 */
#ifndef MIGRATOR_UNREADABLE_H
#define MIGRATOR_UNREADABLE_H

#include "base/arena.h"
#include "migrator/change/change.h"
#include "migrator/session/work.h"

#define UNREADABLE_MAX 16u /* more is no accident, and each is a guard */

struct unreadable {
    const char *type, *name, *sql;
    const char *why; /* in SQLite's words */
};
struct unreadable_list {
    struct unreadable at[UNREADABLE_MAX];
    size_t count;
};

/* Tries each on a copy of the schema in memory. ERR_LIMIT: more than UNREADABLE_MAX. */
MUST_USE enum err_code unreadable_find(struct database *db, struct arena *arena,
                                       struct unreadable_list *out, struct err *err);

/* If work alters a table: those that there are are dropped before its statements, and made again
 * behind them, with the demand that they still are what they were. */
MUST_USE enum err_code unreadable_step_aside(struct database *db, struct work *work,
                                             struct err *err);

/* ERR_CONFLICT: a trigger that the migration's own updates would fire, or an index of its table,
 * needs what only the application has; it is named. */
MUST_USE enum err_code unreadable_check(struct database *db, const struct change *change,
                                        struct err *err);

#endif
