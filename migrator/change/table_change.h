/*
 * table_change - a phased migration of a whole table: what is made, set aside and kept equal.
 *
 *     create_table    made at expand; its way back asks that it is empty, or "lossy"
 *     drop_table      old code's writes are recorded; contract sets it aside by its name
 *     rename_table    the new table is made at expand, and both are mirrors of each other
 *                     (mirror.h) until contract sets the old one aside
 *
 * change_read() hands these migrations on to table_change_read(); a struct change whose member
 * table is not NULL is one of them. Nothing here writes.
 */
#ifndef MIGRATOR_TABLE_CHANGE_H
#define MIGRATOR_TABLE_CHANGE_H

#include "migrator/change/change.h"

struct table_key { /* a primary key or UNIQUE; columns with the collation it compares by */
    const char **columns, **collations;
    size_t count;
};

struct table_index {
    const char *old_name, *new_name;
    const char *sql; /* CREATE INDEX on the new table, under its new name */
};

struct table_change {
    const char *old_name;        /* of what is dropped or renamed, as it was created; NULL: none */
    const char *old_now;         /* as it is called now: so, or aside */
    const char *aside;           /* lockstep_<number>_<old_name> */
    const char *new_name;        /* of what is created or renamed to; NULL: none */
    const char *new_sql;         /* its CREATE TABLE */
    struct table_index *indexes; /* of the new table */
    size_t index_count;
    /* RENAME_TABLE alone, of the one shape that both tables have: */
    const char **columns; /* those that can be written */
    bool *blank;          /* of columns: without an affinity, so that 1 and 1.0 are different */
    size_t column_count;
    const char *rowid_alias; /* the INTEGER PRIMARY KEY, or NULL */
    struct table_key key;    /* WITHOUT ROWID alone */
    struct table_key *unique;
    size_t unique_count;
    bool autoincrement;
    bool unmirrored; /* set aside, and its purge has begun: nothing keeps it true any more */
    const char *backfill, *extras;          /* make the new table like the old one */
    const char *restore, *restore_extras;   /* the old like the new */
    const char *verify, *fault, *different; /* different: a condition, true if any row differs */
};

/* As change_read(); set_aside: the old table has its other name. */
MUST_USE enum err_code table_change_read(struct database *db, const struct migration *migration,
                                         bool expanded, bool set_aside, struct arena *arena,
                                         struct change *out, struct err *err);

/* The same change with the old table under the name that it had, or the one that it gets: the
 * triggers and statements are written anew. */
MUST_USE enum err_code table_change_named(const struct change *change, bool set_aside,
                                          struct arena *arena, struct change *out, struct err *err);

/* Whether there are rows that a fresh database does not have. */
MUST_USE enum err_code table_change_has_rows(struct database *db, const struct change *change,
                                             bool *out, struct err *err);

/* ---- table_check.c ---- */

/* Adds what a reviewer of the plan must know. */
void table_notes(const struct change *change, enum mig_state from, struct json *notes,
                 struct arena *arena);

/* ERR_INVALID, ERR_CONFLICT: what makes the operation impossible: a name that is taken, references,
 * views, triggers. Asked before expand alone. */
MUST_USE enum err_code table_check(struct database *db, const struct change *change,
                                   struct arena *arena, struct err *err);
/* What else in the schema names the old table: views, triggers, FOREIGN KEYs; "" if nothing. NULL:
 * out of memory or unreadable. */
const char *table_dependents(struct database *db, const struct change *change, struct arena *arena);

#endif
