#include "server/peers.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum {
    SECOND_US = 1000000,
    RESERVE_SHARE = 16, /* so much of all connections is kept free for newcomers */
    RESERVE_MIN = 4,
    ADDRESS_BUCKETS = 1024,
    KEY_BYTES = 16
};

/* ---- addresses ---- */

struct address {
    unsigned char key[KEY_BYTES];
    unsigned count;
    struct address *next;
};

struct addresses {
    pthread_mutex_t mutex;
    unsigned per_address;
    bool loopback_exempt;
    struct address *buckets[ADDRESS_BUCKETS];
};

struct addresses *addresses_new(unsigned per_address, unsigned connections_max)
{
    struct addresses *addresses = calloc(1, sizeof *addresses);
    unsigned share = connections_max / PEER_ADDRESS_SHARE;

    if (addresses == NULL) {
        return NULL;
    }
    pthread_mutex_init(&addresses->mutex, NULL);
    addresses->loopback_exempt = per_address == 0;
    addresses->per_address = per_address != 0 ? per_address : share > 0 ? share : 1;
    return addresses;
}

void addresses_free(struct addresses *addresses)
{
    if (addresses == NULL) {
        return;
    }
    for (size_t i = 0; i < ADDRESS_BUCKETS; i++) {
        while (addresses->buckets[i] != NULL) {
            struct address *gone = addresses->buckets[i];

            addresses->buckets[i] = gone->next;
            free(gone);
        }
    }
    pthread_mutex_destroy(&addresses->mutex);
    free(addresses);
}

/* What counts as one address: of IPv6 the first 64 bits, which is what one customer gets. */
static bool make_key(const struct addresses *addresses, const struct sockaddr *address,
                     unsigned char key[KEY_BYTES])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

    memset(key, 0, KEY_BYTES);
    if (address == NULL) {
        return false;
    }
    if (address->sa_family == AF_INET) {
        memcpy(key, mapped, sizeof mapped);
        memcpy(key + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        const struct in6_addr *six =
            &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

        if (addresses->loopback_exempt && IN6_IS_ADDR_LOOPBACK(six)) {
            return false;
        }
        memcpy(key, six, IN6_IS_ADDR_V4MAPPED(six) ? 16 : 8);
    } else {
        return false;
    }
    return !(addresses->loopback_exempt && memcmp(key, mapped, sizeof mapped) == 0 &&
             key[12] == 127);
}

static struct address **address_place(struct addresses *addresses,
                                      const unsigned char key[KEY_BYTES])
{
    uint32_t hash = 2166136261u;
    struct address **at;

    for (size_t i = 0; i < KEY_BYTES; i++) {
        hash = (hash ^ key[i]) * 16777619u;
    }
    at = &addresses->buckets[hash % ADDRESS_BUCKETS];
    while (*at != NULL && memcmp((*at)->key, key, KEY_BYTES) != 0) {
        at = &(*at)->next;
    }
    return at;
}

/* Counts one more; *over: that is more than one address may have. False: no memory. */
static bool address_take(struct addresses *addresses, const unsigned char key[KEY_BYTES],
                         bool *over)
{
    struct address **at;
    bool taken;

    pthread_mutex_lock(&addresses->mutex);
    at = address_place(addresses, key);
    if (*at == NULL) {
        *at = calloc(1, sizeof **at);
        if (*at != NULL) {
            memcpy((*at)->key, key, KEY_BYTES);
        }
    }
    taken = *at != NULL;
    *over = taken && ++(*at)->count > addresses->per_address;
    pthread_mutex_unlock(&addresses->mutex);
    return taken;
}

static void address_give_back(struct addresses *addresses, const unsigned char key[KEY_BYTES])
{
    struct address **at;

    pthread_mutex_lock(&addresses->mutex);
    at = address_place(addresses, key);
    CHECK(*at != NULL && (*at)->count > 0);
    if (--(*at)->count == 0) {
        struct address *gone = *at;

        *at = gone->next;
        free(gone);
    }
    pthread_mutex_unlock(&addresses->mutex);
}

/* ---- connections ---- */

struct peer {
    struct peer *previous, *next; /* in the list of its phase, which is in order of since_us */
    enum peer_phase phase;
    int fd;
    bool counted; /* in addresses */
    unsigned char key[KEY_BYTES];
    int64_t since_us;
    uint64_t body_bytes;
};

struct list {
    struct peer *first, *last;
};

struct peers {
    struct peers_options options;
    struct list lists[PEER_GOING + 1];
    unsigned count, going;
    struct peers_counts counts;
};

struct peers *peers_new(const struct peers_options *options)
{
    struct peers *peers = calloc(1, sizeof *peers);

    if (peers != NULL) {
        peers->options = *options;
    }
    return peers;
}

void peers_free(struct peers *peers)
{
    CHECK(peers == NULL || peers->count == 0);
    free(peers);
}

static void unlink_peer(struct peers *peers, struct peer *peer)
{
    struct list *list = &peers->lists[peer->phase];

    if (peer->previous != NULL) {
        peer->previous->next = peer->next;
    } else {
        list->first = peer->next;
    }
    if (peer->next != NULL) {
        peer->next->previous = peer->previous;
    } else {
        list->last = peer->previous;
    }
}

static void link_last(struct peers *peers, struct peer *peer, enum peer_phase phase)
{
    struct list *list = &peers->lists[phase];

    peer->phase = phase;
    peer->next = NULL;
    peer->previous = list->last;
    if (list->last != NULL) {
        list->last->next = peer;
    } else {
        list->first = peer;
    }
    list->last = peer;
}

void peers_enter(struct peers *peers, struct peer *peer, enum peer_phase phase, int64_t now_us)
{
    if (peer == NULL || peer->phase == PEER_GOING) {
        return; /* what was shut down stays so, whatever had come before */
    }
    unlink_peer(peers, peer);
    link_last(peers, peer, phase);
    peer->since_us = now_us;
    peer->body_bytes = 0;
}

void peers_took(struct peer *peer, uint64_t body_bytes)
{
    if (peer != NULL) {
        peer->body_bytes += body_bytes;
    }
}

static void shut(struct peers *peers, struct peer *peer, unsigned *count)
{
    unlink_peer(peers, peer);
    link_last(peers, peer, PEER_GOING);
    peers->going++;
    (*count)++;
    (void)shutdown(peer->fd, SHUT_RDWR);
}

/* ---- room ---- */

/* The one that has been half sent for longest: its head before another's body, which moves. */
static struct peer *oldest_half_sent(const struct peers *peers)
{
    struct peer *head = peers->lists[PEER_HEAD].first;

    return head != NULL ? head : peers->lists[PEER_BODY].first;
}

static struct peer *half_sent_of(const struct peers *peers, const struct peer *newcomer)
{
    for (enum peer_phase phase = PEER_HEAD; phase <= PEER_BODY; phase++) {
        for (struct peer *peer = peers->lists[phase].first; peer != NULL; peer = peer->next) {
            if (peer != newcomer && peer->counted &&
                memcmp(peer->key, newcomer->key, KEY_BYTES) == 0) {
                return peer;
            }
        }
    }
    return NULL;
}

static void make_room(struct peers *peers, const struct peer *newcomer, int64_t now_us)
{
    unsigned max = peers->options.connections_max;
    unsigned reserve = max / RESERVE_SHARE > RESERVE_MIN ? max / RESERVE_SHARE : RESERVE_MIN;
    struct peer *busy = peers->lists[PEER_BUSY].first;
    struct peer *victim = oldest_half_sent(peers);

    if (peers->count - peers->going + reserve <= max) {
        return;
    }
    if (victim == NULL || victim == newcomer) {
        victim = peers->lists[PEER_IDLE].first;
    }
    if (victim == NULL && busy != NULL &&
        now_us - busy->since_us > (int64_t)PEER_BUSY_CROWDED_S * SECOND_US) {
        victim = busy;
    }
    if (victim != NULL) {
        shut(peers, victim, &peers->counts.crowded);
    }
}

struct peer *peers_add(struct peers *peers, int fd, const struct sockaddr *address, int64_t now_us)
{
    struct peer *peer = calloc(1, sizeof *peer);
    bool over = false;

    if (peer == NULL) {
        return NULL;
    }
    peer->fd = fd;
    peer->since_us = now_us;
    peer->counted = make_key(peers->options.addresses, address, peer->key) &&
                    address_take(peers->options.addresses, peer->key, &over);
    link_last(peers, peer, PEER_HEAD);
    peers->count++;
    if (over) {
        struct peer *other = half_sent_of(peers, peer);

        shut(peers, other != NULL ? other : peer, &peers->counts.address);
    }
    make_room(peers, peer, now_us);
    return peer;
}

void peers_remove(struct peers *peers, struct peer *peer)
{
    if (peer == NULL) {
        return;
    }
    peers->going -= peer->phase == PEER_GOING;
    peers->count--;
    unlink_peer(peers, peer);
    if (peer->counted) {
        address_give_back(peers->options.addresses, peer->key);
    }
    free(peer);
}

/* ---- deadlines ---- */

/* Shuts the front of a list down while it is older than limit_us; returns when the next one is due,
 * in us from now, or -1. */
static int64_t expire_front(struct peers *peers, enum peer_phase phase, int64_t limit_us,
                            int64_t now_us)
{
    struct peer *first;

    while ((first = peers->lists[phase].first) != NULL) {
        int64_t left_us = first->since_us + limit_us - now_us;

        if (left_us > 0) {
            return left_us;
        }
        shut(peers, first, &peers->counts.slow);
    }
    return -1;
}

/* Bodies are late when less than the rate has come; the list is not in that order, so all are looked
 * at, once a second. */
static int64_t expire_bodies(struct peers *peers, int64_t now_us)
{
    struct peer *peer = peers->lists[PEER_BODY].first;

    while (peer != NULL) {
        struct peer *next = peer->next;
        int64_t counted_us = now_us - peer->since_us - peers->options.head_us;

        if (counted_us > 0 &&
            peer->body_bytes < (uint64_t)(counted_us / SECOND_US + 1) * PEER_BODY_RATE) {
            shut(peers, peer, &peers->counts.slow);
        }
        peer = next;
    }
    return peers->lists[PEER_BODY].first != NULL ? SECOND_US : -1;
}

int peers_expire(struct peers *peers, int64_t now_us)
{
    const int64_t due[] = {
        expire_front(peers, PEER_HEAD, peers->options.head_us, now_us),
        expire_front(peers, PEER_IDLE, peers->options.idle_us + peers->options.head_us, now_us),
        expire_front(peers, PEER_BUSY, (int64_t)PEER_BUSY_S * SECOND_US, now_us),
        expire_bodies(peers, now_us),
    };
    int64_t soonest = -1;

    for (size_t i = 0; i < sizeof due / sizeof due[0]; i++) {
        soonest = due[i] >= 0 && (soonest < 0 || due[i] < soonest) ? due[i] : soonest;
    }
    return soonest < 0 ? -1 : (int)((soonest + 999) / 1000);
}

struct peers_counts peers_counts(struct peers *peers)
{
    struct peers_counts counts = peers->counts;

    peers->counts = (struct peers_counts){0};
    return counts;
}
