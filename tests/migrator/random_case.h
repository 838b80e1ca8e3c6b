/*
 * random_case - a random table and a random migration of it, from a seed, and the writes of old and
 * new code in its words.
 *
 *     struct random_case c;
 *     random_start(17);
 *     random_case_make(&c);
 *     random_case_table(app, &c, false, false);
 *     app_try(app, random_case_write(&c, false));
 *
 * One migration has one to three operations over columns of their own, and indexes; or it makes,
 * drops or renames the whole table. Of each operation random_operations.c lists values in pairs, as
 * old code and as new code would write the same thing.
 */
#ifndef TESTS_MIGRATOR_RANDOM_CASE_H
#define TESTS_MIGRATOR_RANDOM_CASE_H

#include <stdbool.h>

#include <sqlite3.h>

#include "base/buf.h"

#define RANDOM_OPERATIONS 3u

/* ---- chance ---- */
void random_start(unsigned seed);
unsigned random_below(unsigned below);
#define RANDOM_PICK(array) ((array)[random_below(sizeof(array) / sizeof((array)[0]))])

enum random_key {
    KEY_INTEGER,
    KEY_AUTOINCREMENT,
    KEY_NONE,
    KEY_COMPOSITE,
    KEY_WITHOUT_ROWID,
    KEY_KINDS
};

enum random_kind {
    KIND_COLUMNS,
    KIND_RENAME_TABLE,
    KIND_DROP_TABLE,   /* new code has no table */
    KIND_CREATE_TABLE, /* old code has none */
    KIND_KINDS
};

/* How migration.json says it. */
enum random_spelling {
    SPELLED_ADD, /* add, drop, forward, reverse */
    SPELLED_RENAME,
    SPELLED_RETYPE,
    SPELLED_RETYPE_BY_WORDS, /* with forward and reverse */
    SPELLED_ALTER,
    SPELLED_NOTHING /* the column is there, and stays as it is */
};

/* $0 $1 the old columns, $2 $3 the new ones. */
struct operation {
    const char *name;
    enum random_spelling spelled;
    unsigned olds, news;
    const char *type, *new_type; /* NULL: one of a list; new_type NULL: the same */
    const char *forward[2], *reverse[2];
    const char *valid;       /* NULL: every old value */
    const char *invalid;     /* an old value outside it */
    const char *pairs[8][2]; /* the last may be NULL on both sides */
    bool lossy;
    bool kept;            /* the old columns stay */
    bool forgets;         /* what old code wrote there is lost */
    const char *fallback; /* the DEFAULT of a new column */
    /* ALTER: what a column that stays becomes */
    bool strict_null, allows_null; /* NOT NULL comes, or goes; reverse fills on the way back */
    const char *fill, *check;
};

struct random_operation {
    const struct operation *is;
    char columns[4][48];                                /* two old, two new */
    const char *type, *new_type, *collation, *fallback; /* the DEFAULT, or NULL */
    bool not_null;
    bool no_null; /* nobody writes NULL there */
};

struct random_case {
    enum random_kind kind;
    char table[48], new_table[48];
    enum random_key key;
    bool strict, utf16, shape_first, triggers, stored;
    struct random_operation operations[RANDOM_OPERATIONS];
    unsigned operation_count;
    bool adds;          /* there is a new column */
    bool make_index;    /* "made", of the new shape */
    bool drop_index;    /* "by_note" */
    bool may_leave_out; /* an INSERT may name none of the columns */
};

void random_case_make(struct random_case *c);
/* In one line, for a failure. */
void random_case_describe(const struct random_case *c, struct buf *out);
/* The migration, as JSON; free(). */
char *random_case_json(const struct random_case *c);
/* The table as one shape alone has it, with indexes, triggers and what an application has besides.
 * loose: as it is while both shapes live. */
void random_case_table(sqlite3 *app, const struct random_case *c, bool new_side, bool loose);
/* From here on the table fills NULL as it does from dual-write to contract. */
void random_case_fill(sqlite3 *app, const struct random_case *c);
/* A statement of one side's code; lent until the next call. */
const char *random_case_write(const struct random_case *c, bool new_side);

/* Columns of a side's shape, quoted, comma-separated; those that stay are in both. */
void random_case_columns(const struct random_case *c, bool new_side, struct buf *out);
/* Conditions for a row: its shapes say the same; valid_old. aside: the prefix of the set-aside
 * columns, or "". */
void random_case_consistent(const struct random_case *c, const char *aside, struct buf *out);
/* Statements of old code after which every row can be contracted; or at least be in sync. */
void random_case_mend(const struct random_case *c, bool violators_alone, struct buf *out);
/* Text with $t for the table, and $0 to $3 for the columns of operation at. */
void random_case_spell(const struct random_case *c, unsigned at, const char *text, struct buf *out);
/* What the last step back changes in old code's rows; "" if nothing. */
void random_case_way_back(const struct random_case *c, struct buf *out);
/* As one side sees it: its table's name. */
struct random_case random_case_of(const struct random_case *c, bool new_side);
/* Whether code of that side has the table at all. */
bool random_case_has(const struct random_case *c, bool new_side);

#endif
