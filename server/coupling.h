/*
 * coupling - what a flag may answer while a schema is on its way, and the refusals.
 *
 * A migration reports its state; a flag tied to it has an allowed range:
 *
 *     pending, expanded, dual-writing   the old variant alone: the new shape is not true yet
 *     in-sync                           old and new: the only state in which the flag may ramp
 *     contracted, purged                the new variant alone: the old shape is gone
 *
 * With several migrations tied to one flag the intersection holds. coupling_check() is the one
 * function that every route of change asks. Pure functions over documents; any thread. They know
 * nothing of HTTP or of the store.
 */
#ifndef SERVER_COUPLING_H
#define SERVER_COUPLING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

struct flag_world; /* flags/world.h */

enum tie_state {
    TIE_PENDING,
    TIE_EXPANDED,
    TIE_DUAL_WRITING,
    TIE_IN_SYNC,
    TIE_CONTRACTED,
    TIE_PURGED,
    TIE_STATE_COUNT
};
const char *tie_state_name(enum tie_state state); /* "dual-writing" */
bool tie_state_of(const char *name, enum tie_state *out);

enum { TIE_OLD = 1, TIE_NEW = 2 };
unsigned tie_state_range(enum tie_state state); /* a set of TIE_OLD and TIE_NEW */

/* One migration of one database and the flag that waits for it. All text is lent. */
struct tie {
    const char *flag;
    const char *database_id;
    const char *migration;
    const char *label; /* the database as people know it, or "" */
    const char *old_variant, *new_variant;
    enum tie_state state;
    int64_t lease_s;
    bool held; /* the migrator is about to take a step that relies on the flag as it is */
    const char *hold_owner; /* who took the hold; "" unless held */
    int64_t hold_taken_ms, hold_renewed_ms;
    int64_t sequence; /* of the migrator's last message that was taken; 0: none had one */
};

/* How long a hold's owner counts as being at work, in seconds from now_ms on; 0: it gave no sign of
 * life for COUPLING_RENEW_S (an owner that never renews: for the lease and as long, which is all
 * that it may wait), so somebody has to look after it. */
#define COUPLING_RENEW_S 60
int64_t coupling_hold_alive_s(const struct tie *tie, int64_t now_ms);

struct coupling_refusal {
    char detail[1200]; /* for people: what, why, and the command that goes first */
    char command[480]; /* that command alone; "" if there is none */
    char migration[140];
};

struct coupling_change {
    const struct json *before; /* the flag as it is; NULL: it is being made */
    const struct json *after;  /* as it would be; NULL: it is being archived */
    const struct tie *ties;
    size_t tie_count;
    /* A migration's report, not a change of the flag: before and after are the same document, holds
     * do not matter, and the advice is for the migrator. */
    bool report;
    int64_t now_ms; /* wall time, for the age of a hold */
    const struct flag_world
        *world; /* what after names beside itself (flags/world.h); NULL: nothing */
};

/* ERR_OK, or ERR_CONFLICT with *why filled; ERR_INVALID or ERR_NOMEM with the reason in why->detail
 * when the document cannot be judged. */
MUST_USE enum err_code coupling_check(const struct coupling_change *change,
                                      struct coupling_refusal *why);

/* Whether a message of the migrator may still be taken: not if one was that it sent later, or another
 * run after it. sequence 0: it does not say, as a person who calls the API by hand. The same message
 * may come twice. */
bool coupling_in_order(const struct tie *tie, int64_t sequence);

/* Whether the flag with these ties may be archived and its ties go with it. */
bool coupling_releasable(const struct tie *ties, size_t count);

/* The "tie" member that clients see, from all ties of one flag; NULL when out of memory. count > 0.
 * safe is the old variant, but the new one where the flag can answer nothing else. */
struct json *coupling_tie_json(const struct json *flag, const struct flag_world *world,
                               const struct tie *ties, size_t count);

/* What a gate asks: {"exists","enabled_everywhere","disabled_everywhere","outcomes","behind"}, where
 * behind lists at most COUPLING_BEHIND_MAX places that can give anything but the new variant. */
#define COUPLING_BEHIND_MAX 20
struct json *coupling_facts(const struct json *flag, const struct flag_world *world,
                            const char *old_variant, const char *new_variant);

#endif
