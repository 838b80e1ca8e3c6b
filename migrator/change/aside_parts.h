/*
 * aside_parts - what the sources of aside.h share. For aside*.c.
 */
#ifndef MIGRATOR_ASIDE_PARTS_H
#define MIGRATOR_ASIDE_PARTS_H

#include "base/arena.h"
#include "database/sql_scan.h"
#include "migrator/session/work.h"

struct aside_object { /* a view or trigger */
    int64_t place;    /* its rowid in sqlite_master */
    const char *type, *name, *table, *sql;
    bool reads; /* an altered table, itself or through views */
    bool stays, followed;
    const char *check; /* compiles it; what went aside and can be compiled is compiled again */
    bool compiles, again;
};

struct aside_names {
    const char **at;
    size_t count;
};

struct aside {
    struct database *db;
    struct work *work;
    struct arena arena;
    struct aside_object *objects;
    size_t count;
    struct aside_names sources; /* the altered tables, and the views that read them */
    struct aside_names renamed; /* what any RENAME speaks of */
    struct aside_names altered; /* and DROP COLUMN */
    size_t rewrites;            /* statements that compare every view and trigger: RENAME, DROP */
    bool adds;                  /* a column */
    int64_t version;
    struct err *err;
};

/* 'text' is a name where SQLite wants one. */
bool aside_token_names(struct sql_token token, const char *name);

/* Whether what reads the table is compiled behind it. Not where a column is added and another one
 * dropped in one work, on a fresh database: what counts columns may break between, and need not. */
bool aside_compiles(const struct aside *a);

/* aside_alter.c: the tables and columns that the work's ALTER TABLEs speak of. */
MUST_USE enum err_code aside_read_statements(struct aside *a);

/* aside_readers.c */
MUST_USE enum err_code aside_read_version(struct database *db, int64_t *out, struct err *err);
/* The views and triggers, and the version of the schema that they are from, if asked for. */
MUST_USE enum err_code aside_read_objects(struct aside *a, bool version);
/* Who reads an altered table, who of them stays, and how the others are compiled. */
MUST_USE enum err_code aside_judge(struct aside *a);

/* Whom the engine compares, without compiling anything: for an estimate. aside: false where nobody
 * can step aside. */
void aside_find_compared(struct aside *a, bool aside);

#endif
