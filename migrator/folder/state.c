#include "migrator/folder/state.h"

#include <stddef.h>
#include <string.h>

#include "base/check.h"

#define TO(state) (1u << MIG_##state)

/* The only place that knows the arrows; the CHECK on the journal table knows the names alone. */
static const struct {
    const char *name, *phase;
    unsigned next; /* set of the states this one may move to */
} states[MIG_STATE_COUNT] = {
    [MIG_PENDING] = {"pending", "pending", TO(EXPANDED) | TO(APPLIED)},
    [MIG_EXPANDED] = {"expanded", "expand", TO(DUAL_WRITING) | TO(PENDING)},
    [MIG_DUAL_WRITING] = {"dual-writing", "dual-write", TO(IN_SYNC) | TO(EXPANDED)},
    [MIG_IN_SYNC] = {"in-sync", "backfill", TO(CONTRACTED) | TO(DUAL_WRITING)},
    [MIG_CONTRACTED] = {"contracted", "contract", TO(PURGED) | TO(IN_SYNC)},
    [MIG_PURGED] = {"purged", "purge", 0},
    [MIG_APPLIED] = {"applied", "apply", TO(PENDING)},
};

const char *mig_state_name(enum mig_state state)
{
    CHECK((unsigned)state < MIG_STATE_COUNT);
    return states[state].name;
}

const char *mig_state_phase(enum mig_state state)
{
    CHECK((unsigned)state < MIG_STATE_COUNT);
    return states[state].phase;
}

bool mig_state_parse(const char *text, enum mig_state *out)
{
    for (int i = 0; text != NULL && i < MIG_STATE_COUNT; i++) {
        if (strcmp(states[i].name, text) == 0) {
            *out = (enum mig_state)i;
            return true;
        }
    }
    return false;
}

const char *const *mig_state_names(void)
{
    static const char *const names[] = {
        "pending", "expanded", "dual-writing", "in-sync", "contracted", "purged", NULL};
    return names;
}

bool mig_state_may_move(enum mig_state from, enum mig_state to)
{
    CHECK((unsigned)from < MIG_STATE_COUNT && (unsigned)to < MIG_STATE_COUNT);
    return (states[from].next & (1u << to)) != 0;
}

bool mig_state_in_flight(enum mig_state state)
{
    return state > MIG_PENDING && state < MIG_PURGED;
}
