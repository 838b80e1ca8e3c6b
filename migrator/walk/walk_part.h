/*
 * walk_part - what the way forward (walk.c) and the way back (walk_back.c) share. Nobody else
 * includes it.
 */
#ifndef MIGRATOR_WALK_PART_H
#define MIGRATOR_WALK_PART_H

#include "migrator/arrow/arrows.h"
#include "migrator/walk/gate.h"
#include "migrator/walk/verify.h"
#include "migrator/walk/walk.h"
#include "migrator/walk/watch.h"

struct walk {
    struct migrate *m;
    size_t index;
    const struct migration *migration;
    const struct phased *phased;
    const struct walk_request *request;
    struct json *steps, *waits;
    struct arena arena; /* the change of the state of the moment */
    struct change change;
    struct arena keep;    /* what outlives that */
    const char *recovery; /* the file of the recovery point, or NULL */
    bool loses;           /* the way back loses what new code wrote */
    bool stop;            /* a gate is closed, and nobody insisted */
    bool fell_back;       /* a verification failed in in-sync */
    bool unclean;         /* a verification failed */
    bool batch_failed;    /* of the backfill, and would again */
    struct watch watch;   /* of the phase under way */
    struct err *err;
};

void walk_init(struct walk *w, struct migrate *m, size_t index, const struct walk_request *request,
               struct json *steps, struct json *waits, struct err *err);
/* Generates for the state of the moment. */
MUST_USE enum err_code walk_read_change(struct walk *w);
/* Runs the arrow to a neighbouring state. */
MUST_USE enum err_code walk_move(struct walk *w, enum mig_state to, const char *reason);
/* Says the state after the database has moved; a failure here leaves the database right. */
MUST_USE enum err_code walk_report_moved(struct walk *w);

/* Gives a hold back where another error is already on its way. */
void walk_try_release(struct walk *w);
void walk_release_if_in_sync(struct walk *w);

/* Evaluates the gate until it is open or the time is over. *revision: of the flag, as it was decided
 * on. reverify may be NULL. */
typedef enum err_code walk_reverify_fn(struct walk *w, struct verification *v);
MUST_USE enum err_code walk_pass_gate(struct walk *w, enum phased_gate which,
                                      walk_reverify_fn *reverify, int64_t *revision);
walk_reverify_fn walk_reverify_in_sync, walk_reverify_contracted;

/* Reads every row, and stores the result. */
MUST_USE enum err_code walk_check_rows(struct walk *w, bool deep, struct verification *v);
/* A mirror that is not equal: what has no counterpart goes, the rest is copied; then all rows are
 * read again. back: the old table from the new one. */
MUST_USE enum err_code walk_fill_again(struct walk *w, bool back, enum mig_state state,
                                       struct verification *v);
MUST_USE enum err_code walk_refuse_unclean(struct walk *w, const struct verification *v);
/* ERR_CONFLICT: a trigger is gone, so that old code's or new code's writes were not carried over; the
 * migration is in dual-writing then, and the next apply mends it. */
MUST_USE enum err_code walk_demand_triggers(struct walk *w);
/* From in-sync to dual-writing; why is for the history. */
MUST_USE enum err_code walk_fall_back(struct walk *w, const char *why);

/* Does what "on_failure" says, after w->err was set; the message then says what was done. */
MUST_USE enum err_code walk_failed(struct walk *w, enum phased_watch which);
/* ERR_CONFLICT: somebody paused the migration, for longer than this run waits. */
MUST_USE enum err_code walk_not_paused(struct walk *w);
/* Stays behind contract for request->watch_s, and looks. */
MUST_USE enum err_code walk_stay(struct walk *w);

/* What is written into the history with a step that was insisted on, or NULL. */
const char *walk_insisted(struct walk *w);

/* Waits until every client has confirmed the flag as it is held now, or is gone as lease.h has it; not
 * longer than a lease: ERR_CONFLICT with who is behind then. Keeps the hold on that revision alive. */
MUST_USE enum err_code walk_wait_for_clients(struct walk *w, bool old_everywhere, int64_t revision);
/* Waits until nobody gives an answer any more who hears nothing from the flag server (lease.h). */
MUST_USE enum err_code walk_wait_out_lease(struct walk *w);

#endif
