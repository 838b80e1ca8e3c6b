/*
 * head_text - the heads of CREATE TABLE and CREATE INDEX: which names stand there, and the same
 * text under other names. Everything behind the head is kept byte by byte. Pure.
 */
#ifndef MIGRATOR_HEAD_TEXT_H
#define MIGRATOR_HEAD_TEXT_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"

struct head_text {
    bool unique, temporary, if_not_exists, as_select;
    struct str name;   /* as written, quotes included; borrowed */
    struct str table;  /* of an index: behind ON; of a table: as name */
    struct str behind; /* what follows the last of them */
};

/* false: it is no such statement, or names a schema. */
bool head_text_table(struct str sql, struct head_text *out);
bool head_text_index(struct str sql, struct head_text *out);

/* A name without its quotes. NULL: out of memory. */
const char *head_text_plain(struct str written, struct arena *arena);

/* The statement under other names, which are quoted. NULL: out of memory, or no such statement. */
const char *head_text_table_as(const char *sql, const char *name, struct arena *arena);
const char *head_text_index_as(const char *sql, const char *name, const char *table,
                               struct arena *arena);

/* Whether the text behind the head speaks of the table itself: "table." or REFERENCES table. A
 * column may have the table's name. */
bool head_text_speaks_of(struct str behind, const char *table);

#endif
