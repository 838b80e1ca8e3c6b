/*
 * facts - what a gate's condition may speak of, and the values of the moment.
 *
 * A fact that was not measured is absent, so that a condition that needs it errs and the gate stays
 * closed.
 */
#ifndef MIGRATOR_FACTS_H
#define MIGRATOR_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "condition/condition.h"

struct facts_flag {
    bool known; /* the flag server answered */
    bool exists, enabled_everywhere, disabled_everywhere, held;
    double stable_for_s;
    int64_t clients, clients_behind, revision;
    int64_t environment_revision;
    char why[200]; /* what is not on everywhere, for people; "" if nothing */
    char who[200]; /* the clients that are behind; "" if none */
    /* Clients that may go on with an old answer for ever, and nobody accepted: how many, and who. */
    int64_t clients_without_lease;
    char stale[300];
};

/* Whether a step may be taken that relies on the flag answering the old variant to everybody
 * (old_everywhere), or the new one, while its flag is held. */
enum facts_verdict {
    FACTS_STEP,
    FACTS_WAIT,  /* for clients that may still answer as before */
    FACTS_REFUSE /* the flag is not as it must be, or nobody knows how it is */
};
enum facts_verdict facts_flag_judge(const struct facts_flag *flag, bool old_everywhere);

struct facts {
    struct facts_flag flag;
    int64_t old_idle_ms; /* -1: not measured */
    bool backfill_done;
    int64_t backfill_rows;
    bool verified; /* the five below hold */
    bool verify_clean;
    int64_t verify_age_ms, verify_mismatches, verify_rows;
    const char *phase, *environment, *database;
    int64_t now_ms;
};

/* ERR_INVALID with the place and a hint if source is no condition over facts. */
MUST_USE enum err_code facts_check(const char *source, struct err *err);

/* Whether the condition holds. On false, parts (an array, not NULL) gets each part with its value:
 * {"part","value"}; an error in the condition is false too, and sets *unknown (may be NULL). */
MUST_USE enum err_code facts_hold(const char *source, const struct facts *facts, bool *out,
                                  bool *unknown, struct json *parts, struct err *err);

#endif
