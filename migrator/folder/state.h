/*
 * state - how far a migration has come, and which moves there are. Pure.
 *
 *     pending <-> expanded <-> dual-writing <-> in-sync <-> contracted -> purged     (phased)
 *     pending <-> applied                                                       (plain, up/down)
 *
 * Every move but the last has a way back (a plain file's, only if it has a down half).
 */
#ifndef MIGRATOR_STATE_H
#define MIGRATOR_STATE_H

#include <stdbool.h>

enum mig_state {
    MIG_PENDING,
    MIG_EXPANDED,
    MIG_DUAL_WRITING,
    MIG_IN_SYNC,
    MIG_CONTRACTED,
    MIG_PURGED,
    MIG_APPLIED,
    MIG_STATE_COUNT
};

/* The state's name as users see it; lent. */
const char *mig_state_name(enum mig_state state);
/* The arrow that leads into a state: "expand", "dual-write", ...; lent. */
const char *mig_state_phase(enum mig_state state);
/* false if text names no state. */
bool mig_state_parse(const char *text, enum mig_state *out);
/* All names, NULL-terminated; lent. */
const char *const *mig_state_names(void);

bool mig_state_may_move(enum mig_state from, enum mig_state to);
/* Whether a migration in this state keeps its table to itself. */
bool mig_state_in_flight(enum mig_state state);

#endif
