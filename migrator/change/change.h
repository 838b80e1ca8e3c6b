/*
 * change - a phased migration against its table: everything that is generated, as SQL.
 *
 *     F (forward)     every added column IS its forward expression
 *     R (reverse)     every dropped column IS its reverse expression
 *     C (consistent)  F OR R: the two shapes of this row say the same; of each group of columns that
 *                     are made from each other by itself
 *     V (valid)       the row's old shape can be carried over (valid_old)
 *
 * An added column whose forward names no column (a constant) may be changed by new code at will, so
 * for it F only asks that it is filled. All SQL is one line, LF, without CASE, and uses nothing
 * newer than SQLite 3.31, because triggers live in the application's file and run in its SQLite.
 */
#ifndef MIGRATOR_CHANGE_H
#define MIGRATOR_CHANGE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "migrator/folder/folder.h"
#include "migrator/folder/state.h"
#include "migrator/sql/shape.h"

#define CHANGE_TRIGGERS_MAX (5u * PHASED_COLUMNS_MAX + 8u) /* five for each group, and a few */

struct change_trigger {
    const char *name, *sql;
    bool forward; /* installed for old code: gone from contract on */
};

struct table_change;

struct change {
    const struct migration *migration;
    const struct phased *phased; /* with what the table says of renamed and altered columns */
    struct table_change *table;  /* of a whole table (table_change.h); NULL: of columns */
    struct shape shape; /* of a renamed table: the old one; a created one's before it is there */
    bool set_aside;     /* the dropped columns (or table) have their set-aside names now */
    const char *drop_old[PHASED_COLUMNS_MAX]; /* the dropped columns' names as they were created */
    const char *drop_now[PHASED_COLUMNS_MAX]; /* and as they are now: old or set aside */
    const char *drop_aside[PHASED_COLUMNS_MAX]; /* lockstep_<number>_<name> */
    const char *forward;                        /* F, or NULL: nothing is derived */
    const char *reverse;                        /* R, or NULL: nothing is restored */
    const char *consistent;                     /* C; "1" if there is neither */
    const char *valid;                          /* V; "1" without valid_old */
    const char *fill;     /* SET list: added columns from the old ones; NULL: nothing */
    const char *restore;  /* SET list: dropped columns from the new ones; NULL: nothing */
    const char *unfilled; /* every added column that has a forward IS NULL; NULL: nothing */
    const char *unmade;   /* V, and the backfill has work with this row; NULL: nothing is filled */
    const char *mismatch; /* V, and not C */
    const char *invalid;  /* neither V nor R; NULL without valid_old */
    const char *lost;     /* V and F, and not R; NULL: there are not both */
    const char *fill_nulls; /* UPDATE of rows with NULL where it shall be refused; NULL: nothing */
    const char *restore_nulls;  /* the same before it is refused again; NULL: nothing */
    unsigned group;             /* 0: the whole migration; else which of its groups, from 1 */
    const struct change *whole; /* of a group: what it is a group of; else NULL */
    struct change_trigger triggers[CHANGE_TRIGGERS_MAX];
    size_t trigger_count;
    int64_t granularity_s; /* of the record of old code's writes */
};

/* Reads the table and generates. set_aside: from contract on. ERR_INVALID: the migration does not
 * fit the table (unknown or existing column, bad expression, a column in a key, a UNIQUE, a CHECK,
 * a FOREIGN KEY). Everything lives in the arena. */
MUST_USE enum err_code change_read(struct database *db, const struct migration *migration,
                                   bool expanded, bool set_aside, struct arena *arena,
                                   struct change *out, struct err *err);

/* Part of change_read(), in change_check.c: whether the migration fits the table. */
MUST_USE enum err_code change_check(struct database *db, const struct change *change, bool expanded,
                                    struct arena *arena, struct err *err);

/* The same change as it is when the set-aside columns have their old names again: only names,
 * predicates and triggers of *out are set anew; its shape stays what was read. */
MUST_USE enum err_code change_renamed(const struct change *change, struct arena *arena,
                                      struct change *out, struct err *err);

/* Whether what is set aside has a DEFAULT, so that its triggers differ from those before. */
bool change_needs_aside(const struct change *change);
/* The same as it will be when they are set aside. */
MUST_USE enum err_code change_aside(const struct change *change, struct arena *arena,
                                    struct change *out, struct err *err);

/* "\"Mailbox\" TEXT": the added column as it is while both shapes live. */
const char *change_bare(const struct change *change, size_t add, struct arena *arena);
/* The same with the constraints that it gets at contract. */
const char *change_declared(const struct change *change, size_t add, struct arena *arena);
/* Whether that is more than the bare form. */
bool change_declares(const struct change *change, size_t add);

/* The batched statements (fill_nulls and restore_nulls are such too); behind each comes a key range. NULL if there is nothing to do. */
const char *change_backfill(const struct change *change, struct arena *arena);
const char *change_restore(const struct change *change, struct arena *arena);
/* SELECT of rows, mismatches, invalid, lost, and then for each added and each altered column the
 * violators of what is declared for it, without a range. */
const char *change_verify(const struct change *change, struct arena *arena);
/* Rows that came into the mirror and have no counterpart; like the two above, which run behind it.
 * NULL: there are none to look for. back: in the old table. */
const char *change_extras(const struct change *change, bool back);
/* Whether contract sets something aside that purge removes. */
bool change_sets_aside(const struct change *change);
/* How exactly old code's writes are recorded; and the statement that records one. */
int64_t change_granularity_s(const struct phased *phased);
void change_add_note(const struct change *change, struct buf *out);
/* A condition for rows that violate what is declared for a column; "0" if nothing is. */
const char *change_violated(const struct change *change, struct arena *arena);
/* A condition for rows that verification finds fault with. */
const char *change_fault(const struct change *change, struct arena *arena);

/* Whether the table has an index of this name. */
bool change_has_index(const struct change *change, const char *name);
/* Whether indexes are still to be made. */
bool change_makes_indexes(const struct change *change);
/* How long making them holds the write lock, about. */
double change_index_hold_ms(const struct change *change, int64_t rows);
/* Adds to notes what the application would notice of it, from state from on. */
void change_notes(const struct change *change, enum mig_state from, struct json *notes,
                  struct arena *arena);
/* The objects of the application that name a dropped column: they would follow its rename, and
 * hinder its removal. Comma-separated; "" if none. */
const char *change_dependents(struct database *db, const struct change *change,
                              struct arena *arena);

#endif
