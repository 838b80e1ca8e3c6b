/*
 * walk - a phased migration's way forward and back, arrow by arrow. Each arrow is one transaction
 * that also moves the journal, so that a crash leaves it before or behind an arrow, never on it.
 */
#ifndef MIGRATOR_WALK_H
#define MIGRATOR_WALK_H

#include "migrator/session/recovery.h"
#include "migrator/session/session.h"

/* No step holds the write lock longer, unless it is permitted. */
#define WALK_HOLD_MS 50.0
#define WALK_HOLD_ROWS_PER_MS 100000.0 /* and for each so many rows that it reads, 1 ms more */

/* Asked right before each phase: ERR_CONFLICT if it is not the one that plan shows (plan_file.h).
 * fresh: the whole way to `to` in one. */
typedef enum err_code walk_hold_fn(struct migrate *m, const struct json *plan, size_t index,
                                   enum mig_state to, bool fresh, struct err *err);

struct walk_request {
    enum mig_state to; /* where to stop */
    bool explicit_to;  /* the caller named it: a closed gate is a refusal, not a wait */
    const char *override_gate, *reason;
    int wait_s;
    int watch_s;      /* how long to stay behind contract and look */
    bool maintenance; /* the write lock may be held for as long as a step takes */
    struct recovery_where recovery;
    walk_hold_fn *hold;                     /* or NULL */
    const struct json *plan;                /* what hold is called with */
    bool rewrite;                           /* a large table may be written anew under the lock */
    const char *without_flag_server_reason; /* way back alone */
};

/* Checks a migration against the schema of the moment; reads only. */
MUST_USE enum err_code walk_validate(struct migrate *m, size_t index, struct err *err);

/* Walks on as far as request->to or the next closed gate. Steps and waits are reported. */
MUST_USE enum err_code walk_forward(struct migrate *m, size_t index,
                                    const struct walk_request *request, struct json *steps,
                                    struct json *waits, struct err *err);
MUST_USE enum err_code walk_back(struct migrate *m, size_t index,
                                 const struct walk_request *request, struct json *steps,
                                 struct err *err);

/* ERR_INVALID with the nearest name if text is no state of a phased migration. */
MUST_USE enum err_code walk_parse_state(const char *text, enum mig_state *out, struct err *err);

/* Verifies a migration that keeps two shapes, and stores the result; falls back from in-sync on a
 * mismatch. ERR_CONFLICT if it is not clean; *document is set whenever every row was read. */
MUST_USE enum err_code walk_verify(struct migrate *m, size_t index, struct json **document,
                                   struct err *err);

#endif
