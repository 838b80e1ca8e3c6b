/*
 * phased - a migration.json: what shall become of one table's columns, and on what terms.
 *
 * Parsed and checked as far as that goes without the database (change.h checks the rest against
 * the table). Everything lives in the arena that phased_parse() was given.
 */
#ifndef MIGRATOR_PHASED_H
#define MIGRATOR_PHASED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define PHASED_COLUMNS_MAX 32u /* added or dropped by one migration: what a reviewer can follow */

struct phased_add {
    const char *name;
    const char *type; /* as declared, "TEXT"; NULL: none */
    bool not_null;
    const char *check;         /* SQL expression, or NULL */
    const char *default_value; /* SQL literal, or NULL */
    const char *forward;       /* SQL expression over the row, or NULL: nobody fills it */
    const char *like;          /* the dropped column that it is made from, or NULL */
    bool renames;              /* it shall be declared as that column is */
    /* Known when the table has been read: */
    const char *collation; /* as written, or NULL */
    const char *declared;  /* the whole definition from contract on; NULL: from what is above */
};

struct phased_drop {
    const char *name;
    const char *reverse;   /* SQL expression over the row, or NULL: this way back is lost */
    const char *cast_from; /* reverse is CAST of this added column to the type that it has */
    bool not_null;         /* at first; known when the table has been read */
};

enum phased_null { PHASED_NULL_AS_IT_IS, PHASED_NULL_REFUSED, PHASED_NULL_ALLOWED };

/* A column that stays and gets other constraints. */
struct phased_alter {
    const char *name;
    enum phased_null null;
    const char *fill;    /* in the place of NULL, where NULL shall be refused; or NULL */
    const char *reverse; /* in the place of NULL on the way back, where it shall be allowed */
    const char *check;   /* one more CHECK, or NULL */
    /* Known when the table has been read: */
    const char *original, *loosened, *declared; /* its definition: at first, from expand, at last */
};

struct phased_index_change {
    const char *name;
    const char *sql;     /* CREATE INDEX, as written; NULL: it is dropped */
    const char *carried; /* the index of a renamed column that it is made after; or NULL */
};

enum phased_gate { PHASED_GATE_DUAL_WRITE, PHASED_GATE_CONTRACT, PHASED_GATE_PURGE, PHASED_GATES };

/* What becomes of the table: a migration of a whole table changes no columns. */
enum phased_kind {
    PHASED_COLUMNS,
    PHASED_CREATE_TABLE,
    PHASED_DROP_TABLE,
    PHASED_RENAME_TABLE,
    PHASED_HANDWRITTEN /* nothing is generated (handwritten.h) */
};

struct phased_index { /* of a renamed table or column: names of indexes are unique in a database */
    const char *old_name, *new_name;
};

/* What a phase's failure, or its watch, leads to. */
enum phased_watch { PHASED_WATCH_BACKFILL, PHASED_WATCH_CONTRACT, PHASED_WATCHES };
enum phased_failure { PHASED_STAY, PHASED_PAUSE, PHASED_ROLLBACK };

struct phased {
    const char *description; /* "" if none */
    enum phased_kind kind;
    const char *table;
    const char *rename_to;     /* RENAME_TABLE alone */
    const char *const *create; /* CREATE_TABLE: its statement, then those of its indexes */
    size_t create_count;
    struct phased_index *indexes; /* of what is renamed: those that are named by hand */
    size_t index_count;
    const char *const *needs; /* migrations that must be purged (or applied) before, as written */
    size_t needs_count;
    struct phased_add *add;
    size_t add_count;
    struct phased_drop *drop;
    size_t drop_count;
    struct phased_alter *alter;
    size_t alter_count;
    struct phased_index_change *create_index, *drop_index;
    size_t create_index_count, drop_index_count;
    const char *valid_old; /* SQL condition, or NULL: every row is valid */
    bool lossy;
    const char *flag, *flag_old, *flag_new; /* flag NULL: none */
    const char *gates[PHASED_GATES];        /* CEL, or NULL */
    const char *watch[PHASED_WATCHES];      /* CEL, or NULL */
    enum phased_failure on_failure[PHASED_WATCHES];
    int64_t old_writes_idle_ms;
    int64_t lease_s;
};

const char *phased_watch_name(enum phased_watch watch); /* "backfill", "contract" */
const char *phased_gate_name(enum phased_gate gate);    /* "dual-write", "contract", "purge" */

/* "1h", "90s", "250ms", "1h30m" as milliseconds; false if it is none. */
bool phased_duration(const char *text, int64_t *ms);

/* ERR_INVALID: no JSON, an unknown or missing member (with the nearest name), a wrong type, a gate
 * that is no condition. */
MUST_USE enum err_code phased_parse(struct str text, struct arena *arena, struct phased **out,
                                    struct err *err);

#endif
