/*
 * change_parts - what the sources of change.h share: the predicates and pieces of SQL that
 * triggers and statements are put together from. For change*.c alone.
 */
#ifndef MIGRATOR_CHANGE_PARTS_H
#define MIGRATOR_CHANGE_PARTS_H

#include "base/buf.h"
#include "migrator/change/change.h"
#include "migrator/sql/expression.h"

/* Every column that an expression may name, and what it is called now. */
struct change_names {
    struct expression_names list;
    const char **names, **written;
    unsigned *classes;
};

MUST_USE enum err_code change_names_of(const struct change *change, struct arena *arena,
                                       struct change_names *out, struct err *err);
/* A dropped column under whichever of its names the table has it; NULL: it is not there. */
const struct shape_column *change_dropped(const struct change *change, size_t drop);
/* Whether an expression names any column at all. */
bool change_reads_columns(const char *text, const struct change_names *names);

/* Moves what buf built into the arena and empties it. NULL: out of memory. */
const char *change_settle(struct arena *arena, struct buf *buf);
void change_add_name(struct buf *out, const char *prefix, const char *name);
/* R and C over the row that prefix names. */
void change_add_reverse(const struct change *change, const struct change_names *names,
                        const char *prefix, struct buf *out);
void change_add_consistent(const struct change *change, const struct change_names *names,
                           const char *prefix, struct buf *out);
/* "a1 <test> joint a2 <test>" over the added columns that are derived. */
void change_add_each_new(const struct change *change, const char *prefix, const char *test,
                         const char *other_prefix, const char *joint, struct buf *out);

/* The same over the dropped columns that are restored. */
void change_add_each_dropped(const struct change *change, const char *prefix, const char *test,
                             const char *joint, struct buf *out);
/* Sets phased anew: with what the table says of columns that are renamed, retyped or altered. */
MUST_USE enum err_code change_resolve(struct database *db, struct change *change, bool expanded,
                                      struct arena *arena, struct err *err);
/* Adds an expression with one column under its new name, blanks and comments as one blank. */
void change_add_renamed(struct str expression, const char *from, const char *to, struct buf *out);
/* Part of it, in change_carry.c: adds the indexes of renamed columns to phased->create_index. kept: as
 * expand remembered them; NULL: the table has them as they are. */
MUST_USE enum err_code change_carry_indexes(const struct change *change, const struct json *kept,
                                            struct phased *phased, struct arena *arena,
                                            struct err *err);
/* For columns that stay: the statements over many rows, and the triggers, behind the others. */
MUST_USE enum err_code change_alterations(struct change *change, const struct change_names *names,
                                          struct arena *arena, struct err *err);
/* The triggers that put a value where old code writes NULL; columns, SET list and conditions as
 * change_alterations() makes them. */
MUST_USE enum err_code change_null_triggers(struct change *change, const char *columns,
                                            const char *set, const char *where, const char *is_null,
                                            struct arena *arena, struct err *err);

/* Set the predicates, and then the triggers, of a change whose names are known. */
MUST_USE enum err_code change_predicates(struct change *change, const struct change_names *names,
                                         struct arena *arena, struct err *err);
MUST_USE enum err_code change_triggers(struct change *change, const struct change_names *names,
                                       struct arena *arena, struct err *err);
/* Adds the trigger that records old code's inserts for all groups. */
MUST_USE enum err_code change_note_inserts(struct change *change, struct arena *arena,
                                           struct err *err);
/* SET lists for the whole migration: what of this group is made or consistent already stays. */
const char *change_fill_unmade(const struct change *group, const struct change_names *names,
                               struct arena *arena);
const char *change_restore_differing(const struct change *group, const struct change_names *names,
                                     struct arena *arena);
/* Both for a whole migration, in groups where it has several. */
MUST_USE enum err_code change_generate(struct change *change, const struct change_names *names,
                                       struct arena *arena, struct err *err);

#endif
