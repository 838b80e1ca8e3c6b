/*
 * words - one write in the words of old code, of new code, or of code that writes both shapes.
 *
 * Templates: $C the shape's columns, $V(x) values for them made from the token x, $S(x) a SET list,
 * $X one from excluded, $K the columns of the table's key. Everything else stands as it is.
 */
#ifndef TESTS_MIGRATOR_WORDS_H
#define TESTS_MIGRATOR_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* What a migration of the matrix does to the columns of table person. */
struct change_kind {
    const char *name;
    const char *json;                          /* members of migration.json */
    const char *old_columns[3];                /* NULL-terminated */
    const char *new_columns[3];                /* of new code's table; NULL-terminated */
    const char *old_types, *new_types;         /* as CREATE TABLE has them */
    const char *old_value, *new_value;         /* % is the token */
    const char *new_of_old, *old_of_new;       /* one shape computed from the other */
    const char *forward_holds, *reverse_holds; /* conditions; reverse NULL: there is none */
    const char *unfilled;                      /* what only new code has is still empty */
    const char *aside[2];                      /* the dropped columns; NULL: nothing is dropped */
};

extern const struct change_kind change_kinds[];
extern const size_t change_kind_count;

enum words {
    WORDS_OLD,
    WORDS_NEW,
    WORDS_BOTH,  /* both shapes, saying the same */
    WORDS_CLASH, /* both shapes, and the old one says something else: the new one counts */
};

struct wording {
    const struct change_kind *kind;
    enum words words;
    const char *key; /* $K */
};

/* Appends the template in these words. */
void words_add(const struct wording *wording, const char *text, struct buf *out);
/* Whether it comes out the same in all words. */
bool words_neutral(const char *text);

#endif
