/*
 * arrow_parts - what the sources of arrows.h share: an arrow in the making, and the statements and
 * demands that it is put together from. For arrow*.c,
 * and for what removes a whole table in batches (walk/walk_table.c).
 */
#ifndef MIGRATOR_ARROW_PARTS_H
#define MIGRATOR_ARROW_PARTS_H

#include "base/buf.h"
#include "migrator/arrow/arrows.h"

struct arrow {
    struct migrate *m;
    const struct migration *migration;
    const struct change *change;
    const struct journal_row *row;
    struct work *work;
    struct arena arena;
    struct err *err;
};

/* Adds the statement and empties sql. */
void arrow_statement(struct arrow *a, struct buf *sql);
void arrow_begin_alter(const struct arrow *a, struct buf *sql); /* "ALTER TABLE t" */
/* Has the engine read the triggers that were just made: two statements that touch no row fire them
 * all, and one that does not compile undoes the arrow, not the application's next write. */
void arrow_compile_triggers(struct arrow *a, const struct change *change);
/* before "name" after "other": one statement, the names quoted; other may be NULL. */
void arrow_on_name(struct arrow *a, const char *before, const char *name, const char *after,
                   const char *other);
void arrow_create_triggers(struct arrow *a, const struct change *change);
void arrow_drop_triggers(struct arrow *a, bool forward, bool reverse);
void arrow_drop_column(struct arrow *a, const char *name);
/* Renames under the quoting that the definition has, so that the text comes back as it was. */
void arrow_rename_column(struct arrow *a, const char *from, const char *to);

/* The application may have changed its table since it was read. */
void arrow_demand_schema(struct arrow *a);
/* Before an edit, not after: where a column is NOT NULL, SQLite takes IS NULL for false without
 * looking. condition: what no row may fulfil. */
void arrow_demand_no_row(struct arrow *a, const char *condition, const char *refusal);
void arrow_demand_empty(struct arrow *a, const char *table, const char *refusal);
/* A check that a column is (not) NOT NULL by the engine's own reading of the edited text. */
void arrow_check_not_null(struct arrow *a, const char *column, bool wanted);

/* Edits of the table's text. */
struct arrow_edit {
    struct str piece; /* of the table's text */
    const char *with;
};

/* Adds one UPDATE of sqlite_master a piece, from the last to the first, so that places keep. What
 * ALTER TABLE has added behind them does not matter. Sorts edits. */
void arrow_edit_text(struct arrow *a, struct arrow_edit *edits, size_t count);
/* ERR_CONFLICT: this database cannot have its table's text edited. */
MUST_USE enum err_code arrow_need_text_edits(struct arrow *a, const char *why);

void arrow_start_activity(struct arrow *a);
void arrow_end_activity(struct arrow *a);
/* The triggers are new: nothing counts as filled or verified from before. */
void arrow_forget_progress(struct arrow *a);
/* Verified, and since the last change of triggers, and not too long ago: also in the transaction. */
void arrow_demand_verified(struct arrow *a);

/* The arrows themselves. */
MUST_USE enum err_code arrow_expand(struct arrow *a);
MUST_USE enum err_code arrow_remember(struct arrow *a); /* with expand: what the way back needs */
MUST_USE enum err_code arrow_unexpand(struct arrow *a);
/* For a fresh database: altered columns as they are in the end. */
MUST_USE enum err_code arrow_alter_text(struct arrow *a);
MUST_USE enum err_code arrow_contract(struct arrow *a);
MUST_USE enum err_code arrow_uncontract(struct arrow *a);
/* What each arrow of one kind of migration does; which of them leads from state to state is the same
 * for all, and is said once (arrows.c). */
struct arrow_moves {
    enum err_code (*expand)(struct arrow *a), (*unexpand)(struct arrow *a);
    void (*dual_write)(struct arrow *a), (*undual_write)(struct arrow *a);
    void (*verified)(struct arrow *a); /* dual-writing to in-sync */
    enum err_code (*contract)(struct arrow *a), (*uncontract)(struct arrow *a);
    void (*purge)(struct arrow *a);
    enum err_code (*fresh)(struct arrow *a); /* from pending to the end at once */
};
extern const struct arrow_moves arrow_table_moves; /* of a whole table: arrow_table.c */
/* All arrows of a hand-written migration (arrow_by_hand.c), whose states mean what its files say. */
MUST_USE enum err_code arrow_by_hand(struct arrow *a, enum mig_state from, enum mig_state to);

#endif
