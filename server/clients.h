/*
 * clients - who gets answers, and which ruleset each has confirmed to serve. Any thread.
 *
 * A client that reads rulesets is a name and an instance (one process); its If-None-Match is its
 * confirmation. A client that evaluates here over OFREP is a token: its name and id, for any number
 * of processes and pages; it confirms nothing and honours no lease, because nobody knows for how
 * long an OFREP provider goes on with the last answer once it is cut off. What a
 * restart of the server must not forget is that a client exists: the caller records new ones in the
 * store before their first answer, and restores them with the confirmation they had then, which
 * can only be too old: a gate then waits too long, never too short.
 */
#ifndef SERVER_CLIENTS_H
#define SERVER_CLIENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/lease.h"

#define CLIENT_NAME_BYTES 129
#define CLIENT_CANNOT_BYTES 300
#define CLIENTS_MAX 10000         /* of one server; the one not seen for longest makes room */
#define CLIENT_WINDOW_MIN_S 60    /* a gate waits for everybody seen within this, at least */
#define CLIENT_RECORD_MS 86400000 /* a client is recorded again after this time */
#define CLIENT_FORGET_MS (4 * (int64_t)CLIENT_RECORD_MS) /* after the longest lease.h knows */

enum client_kind { CLIENT_SDK, CLIENT_OFREP };
const char *client_kind_name(enum client_kind kind); /* "sdk" */

struct client {
    enum client_kind kind;
    char name[CLIENT_NAME_BYTES];
    char instance[CLIENT_NAME_BYTES];
    int64_t epoch, revision; /* confirmed (0: it has none yet, and serves its fallbacks); of OFREP
                                the one that answered last */
    bool lease;              /* it stops relying on a ruleset that it cannot confirm */
    char cannot[CLIENT_CANNOT_BYTES]; /* keys of flags that it cannot evaluate, with commas between;
                                         "*": and others */
};

struct clients;
struct clients *clients_new(void);
void clients_free(struct clients *clients);

/* A poll or an evaluation arrived. Returns whether the client has to be recorded (clients_recorded() then). */
bool clients_seen(struct clients *clients, const struct client *client);
void clients_recorded(struct clients *clients, const struct client *client);
/* Recording failed: nobody is to be recorded for a while, so that a store that hangs costs little. */
void clients_not_recorded(struct clients *clients);
/* Puts a recorded client back, as if it had just been seen. */
void clients_restore(struct clients *clients, const struct client *client);

/* How many were seen within the last so many seconds. */
size_t clients_within(struct clients *clients, int64_t s);

/* {"clients": [...]}, seen last first; who was not seen for a day is left out. */
struct json *clients_json(struct clients *clients);
/* Whether a gate has to wait for a client that was last heard of silent_us ago, for a flag that last
 * changed at (epoch, revision): it reads rulesets, has not confirmed that change, and may still give
 * answers of before: so for as long as lease.h says, whether it goes by the lease or not. */
bool client_is_behind(const struct client *client, int64_t epoch, int64_t revision,
                      const struct lease_terms *terms, int64_t silent_us);

/* Whether it said that it cannot evaluate the flag: it is not ready, whatever it has confirmed. */
bool client_cannot(const struct client *client, const char *flag);

/* Adds to a gate's facts, for this flag that last changed at (epoch, revision): "clients" (how many
 * ruleset readers may still give answers), "clients_behind" (those of them that a gate waits for)
 * and "clients_without_lease": whoever was seen within CLIENT_RECORD_MS and may go on with an old
 * answer for ever once it is cut off. Its "confirmed" says whether it has this flag as it is now;
 * never so with OFREP. */
void clients_facts(struct clients *clients, const char *flag, int64_t epoch, int64_t revision,
                   int64_t lease_s, struct json *facts);

#endif
