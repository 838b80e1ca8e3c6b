/*
 * protocol - how migrator, flag server and clients wait for each other, as a transition system that
 * search.c goes through wholly.
 *
 * What decides is the project's own code: coupling_check(), coupling_tie_json() and
 * coupling_facts() for the server, client_is_behind() for its gates, facts_flag_judge() for the
 * migrator, lease_answer() for the clients. What is written anew here is the order in which each
 * side does things (walk.c, walk_back.c, poll.c) and the world around them:
 *
 *   - a poll may be lost on either way, come late, or twice; so may the migrator's messages, which
 *     can also be carried out long after it gave them up;
 *   - client, server and migrator crash between any two steps; a client comes back with its cache or
 *     without; the flag server may be lost for good;
 *   - somebody changes the flag whenever the server allows it;
 *   - clocks: a client may take its ruleset for one step younger than it is.
 *
 * Time goes in steps. A lease is one step, the safe variant ends after two, the margin is two; what
 * is real are 10 s of skew in a margin of 30 s.
 */
#ifndef TESTS_MODEL_PROTOCOL_H
#define TESTS_MODEL_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

enum { CLIENTS_OF_MODEL = 3, LATE_MAX = 2 };

/* What the flag can answer: old alone, both, new alone. */
enum flag_can { CAN_NONE, CAN_OLD, CAN_BOTH, CAN_NEW };
/* Of the schema: the states of a migration that differ in what they bear. */
enum schema { DUAL_WRITING, IN_SYNC, CONTRACTED, SCHEMA_COUNT };

struct model_client {
    uint8_t rules; /* enum flag_can of the ruleset that it serves */
    bool safe_new; /* the ruleset's safe variant is the new one */
    bool current;  /* the ruleset has the flag's last change */
    bool known;    /* confirmed in this process; else it is from the cache */
    uint8_t age;   /* since then, by its own clock, and one more */
    uint8_t entry; /* the server: 0 does not know it, 1 it has not confirmed, 2 it has */
    uint8_t silent;
    uint8_t reply; /* on its way: enum flag_can, or 0 */
    bool reply_safe_new, reply_current;
    uint8_t reply_age; /* since it was asked for */
};

struct model_state {
    struct model_client clients[CLIENTS_OF_MODEL];
    uint8_t flag; /* enum flag_can, at the server */
    uint8_t tie;  /* enum schema, as the server knows it */
    bool held;
    uint8_t schema;         /* enum schema: as it is */
    bool reported;          /* the journal says that the server was told */
    uint8_t at;             /* where the migrator is */
    bool saw_current;       /* the revision it was told is the flag's last */
    bool lost;              /* the flag server is gone for good */
    uint8_t late[LATE_MAX]; /* messages of the migrator that may still be carried out, newest first;
                               0: none */
};

/* What is done wrong on purpose. */
enum fault {
    FAULT_NONE,
    FAULT_NO_HOLD,            /* the migrator takes none */
    FAULT_LEASE_NOT_HONOURED, /* a client goes by its ruleset for ever */
    FAULT_ACK_BEFORE_SWAP,    /* what was sent counts as confirmed */
    FAULT_SAFE_FOR_EVER,      /* a client past its lease answers the safe variant for ever */
    FAULT_FORGET_AFTER_LEASE, /* the server waits for nobody silent for longer than a lease */
    FAULT_NO_MARGIN,          /* and with the right time, but for the margin */
    FAULT_CACHE_IS_YOUNG,     /* a cache counts from when it was read */
    FAULT_STALE_CACHE,        /* a ruleset is confirmed that could not be kept */
    FAULT_RELEASE_UNREPORTED, /* a hold is given back although the report was lost */
    FAULT_REPORT_FIRST,       /* in-sync is told before it is so */
    FAULT_ANY_ORDER,          /* the server takes messages in whatever order they come */
    FAULT_COUNT
};
extern const char *const fault_names[FAULT_COUNT];

struct model_config {
    int clients;
    int replies_max; /* on their way at once; 0: each poll is answered in the same moment, or lost */
    bool messages_late; /* the migrator's, too: after it gave them up, and twice */
    bool server_lost;
    bool even; /* all clocks are right, and no poll is twice or older than it seems */
    enum fault fault;
};

/* The tables of what the project's own functions decide; false: a function has failed. */
bool protocol_prepare(void);
void protocol_begin(struct model_state *out);
/* Calls emit for each state that may come next, with what was done (protocol_say()). */
typedef void protocol_emit(void *ctx, const struct model_state *next, int action);
void protocol_next(const struct model_config *config, const struct model_state *state,
                   protocol_emit *emit, void *ctx);
/* The client that runs a path whose schema is gone or not yet there; -1: all is well. */
int protocol_broken(const struct model_config *config, const struct model_state *state);

#define ACTIONS_MAX 64
const char *protocol_say(int action);

#endif
