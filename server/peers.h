/*
 * peers - the connections of one event loop, by what each waits for; and who has to go so that
 * others get in.
 *
 *     accepted -> PEER_HEAD -> PEER_BODY -> PEER_BUSY -> PEER_IDLE -> PEER_BODY -> ...
 *
 * A client that never finishes its request must not keep others out. So a request has a deadline: its
 * head in all, its body by a smallest rate, and whoever is past it is shut down. Where connections
 * become scarce, those that are half sent go before they are due, the oldest first, then idle ones.
 * One address has a bound of its own. To go is shutdown(2): the HTTP library then sees an end and
 * closes the connection as it always does.
 *
 * The thread of the loop alone uses a struct peers; the table of addresses is shared by all loops.
 * This module knows nothing of HTTP.
 */
#ifndef SERVER_PEERS_H
#define SERVER_PEERS_H

#include <stdint.h>
#include <sys/socket.h>

enum peer_phase {
    PEER_HEAD, /* of the first request: nothing, or a part of it, has come */
    PEER_BODY,
    PEER_BUSY, /* the request is whole; its answer is made or sent */
    PEER_IDLE, /* between two requests, or in the head of the next */
    PEER_GOING /* shut down */
};

#define PEER_BODY_RATE 4096    /* bytes a second that a body must come with at least */
#define PEER_BUSY_S 600        /* so long an answer may be read */
#define PEER_BUSY_CROWDED_S 30 /* and so long where connections are scarce */
#define PEER_ADDRESS_SHARE 4   /* one address may have one connection in so many */

struct addresses; /* how many connections each address has; any thread */
/* per_address: 0 is the default, connections_max / PEER_ADDRESS_SHARE, from which loopback is exempt
 * (a proxy on this machine is everybody). NULL: no memory. */
struct addresses *addresses_new(unsigned per_address, unsigned connections_max);
void addresses_free(struct addresses *addresses); /* NULL allowed */

struct peers_options {
    unsigned connections_max; /* of this loop */
    int64_t head_us;          /* for a head; also the grace of a body before its rate counts */
    int64_t idle_us;
    struct addresses *addresses;
};

struct peers_counts {
    unsigned slow, crowded, address; /* shut down because of each, since the last call */
};

struct peer;
struct peers;
struct peers *peers_new(const struct peers_options *options); /* NULL: no memory */
void peers_free(struct peers *peers); /* NULL allowed; no peer may be left */

/* A connection was accepted. Makes room where it is scarce. address may be NULL. NULL: no memory. */
struct peer *peers_add(struct peers *peers, int fd, const struct sockaddr *address, int64_t now_us);
void peers_remove(struct peers *peers, struct peer *peer); /* it is closed; NULL allowed */

void peers_enter(struct peers *peers, struct peer *peer, enum peer_phase phase, int64_t now_us);
void peers_took(struct peer *peer, uint64_t body_bytes); /* so many more bytes of its body came */

/* Shuts down whoever is overdue. Returns after how many ms to call it again; -1: nobody waits. */
int peers_expire(struct peers *peers, int64_t now_us);
/* What was shut down since the last call, for a line in the log. */
struct peers_counts peers_counts(struct peers *peers);

#endif
