/*
 * plan_parts - one migration while it is planned; what the sources of plan.h share. For plan*.c
 * alone.
 */
#ifndef MIGRATOR_PLAN_PARTS_H
#define MIGRATOR_PLAN_PARTS_H

#include "base/digest.h"
#include "migrator/change/change.h"
#include "migrator/session/session.h"

struct planning {
    struct migrate *m; /* whose database has the schema to plan on: today's, or a copy's */
    struct migrate *today;
    bool light;                    /* counts nothing */
    char schema[DIGEST_HEX_BYTES]; /* as the digests cover it */
    bool rests;                    /* on what others before it make of its table */
    size_t index;
    const struct migration *migration;
    struct arena arena;
    struct change change; /* of the state of the moment, then of the predicted ones */
    int64_t rows;
    double row_ms;    /* how long filling one of its longest rows alone may hold the lock */
    struct json *out; /* the migration's entry */
    struct err *err;
};

void plan_add_text(struct json *list, const char *text);

/* The change becomes what it is behind expand, and behind contract (plan_predict.c). */
MUST_USE enum err_code plan_predict_expanded(struct planning *p);
MUST_USE enum err_code plan_predict_contracted(struct planning *p);

/* Adds the notes of a walk from this state on (plan_notes.c). */
MUST_USE enum err_code plan_put_notes(struct planning *p, enum mig_state from);

#endif
