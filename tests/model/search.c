#include "tests/model/search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define NO_STATE UINT32_MAX

struct key {
    uint64_t clients;
    uint32_t rest;
};

struct search {
    const struct model_config *config;
    struct search_result *result;
    struct key *keys; /* in the order in which they were found */
    uint32_t *from;
    uint8_t *action;
    uint32_t *slots; /* index + 1 */
    size_t mask, count, room;
    uint32_t now;
    uint32_t broken;
    bool full;
};

/* ---- a state as a number: clients are alike, so their order does not count ---- */

static uint32_t pack_client(const struct model_client *c)
{
    return (uint32_t)(c->rules | c->safe_new << 2 | c->current << 3 | c->known << 4 | c->age << 5 |
                      c->entry << 8 | c->silent << 10 | c->reply << 13 | c->reply_safe_new << 15 |
                      c->reply_current << 16 | c->reply_age << 17);
}

static void unpack_client(uint32_t bits, struct model_client *c)
{
    *c = (struct model_client){.rules = bits & 3,
                               .safe_new = bits >> 2 & 1,
                               .current = bits >> 3 & 1,
                               .known = bits >> 4 & 1,
                               .age = bits >> 5 & 7,
                               .entry = bits >> 8 & 3,
                               .silent = bits >> 10 & 7,
                               .reply = bits >> 13 & 3,
                               .reply_safe_new = bits >> 15 & 1,
                               .reply_current = bits >> 16 & 1,
                               .reply_age = bits >> 17 & 1};
}

static struct key pack(const struct model_state *s)
{
    uint32_t c[CLIENTS_OF_MODEL];
    struct key key;

    for (int i = 0; i < CLIENTS_OF_MODEL; i++) {
        uint32_t bits = pack_client(&s->clients[i]);
        int at = i;

        for (; at > 0 && c[at - 1] < bits; at--) {
            c[at] = c[at - 1];
        }
        c[at] = bits;
    }
    key.clients = (uint64_t)c[0] | (uint64_t)c[1] << 18 | (uint64_t)c[2] << 36;
    key.rest = (uint32_t)(s->flag | s->tie << 2 | s->held << 4 | s->schema << 5 | s->reported << 7 |
                          s->at << 8 | s->saw_current << 13 | s->lost << 14 | s->late[0] << 15 |
                          s->late[1] << 18);
    return key;
}

static void unpack(struct key key, struct model_state *s)
{
    for (int i = 0; i < CLIENTS_OF_MODEL; i++) {
        unpack_client((uint32_t)(key.clients >> (18 * i)) & 0x3ffff, &s->clients[i]);
    }
    s->flag = key.rest & 3;
    s->tie = key.rest >> 2 & 3;
    s->held = key.rest >> 4 & 1;
    s->schema = key.rest >> 5 & 3;
    s->reported = key.rest >> 7 & 1;
    s->at = key.rest >> 8 & 31;
    s->saw_current = key.rest >> 13 & 1;
    s->lost = key.rest >> 14 & 1;
    s->late[0] = key.rest >> 15 & 7;
    s->late[1] = key.rest >> 18 & 7;
}

static size_t hash(struct key key)
{
    uint64_t h = (key.clients ^ (uint64_t)key.rest << 43) * UINT64_C(0x9e3779b97f4a7c15);

    h = (h ^ h >> 32 ^ key.rest) * UINT64_C(0xd6e8feb86659fd93);
    return (size_t)(h ^ h >> 29);
}

/* ---- the search ---- */

static void see(void *ctx, const struct model_state *state, int action)
{
    struct search *s = ctx;
    struct key key = pack(state);
    size_t slot = hash(key) & s->mask;

    s->result->transitions++;
    s->result->taken[action]++;
    for (; s->slots[slot] != 0; slot = (slot + 1) & s->mask) {
        struct key *other = &s->keys[s->slots[slot] - 1];

        if (other->clients == key.clients && other->rest == key.rest) {
            return;
        }
    }
    if (s->count == s->room) {
        s->full = true;
        return;
    }
    s->keys[s->count] = key;
    s->from[s->count] = s->now;
    s->action[s->count] = (uint8_t)action;
    if (s->broken == NO_STATE && protocol_broken(s->config, state) >= 0) {
        s->broken = (uint32_t)s->count;
    }
    s->slots[slot] = (uint32_t)++s->count;
}

static bool make_room(struct search *s, size_t states_max)
{
    size_t slots = 1024;

    while (slots < states_max + states_max / 2) {
        slots *= 2;
    }
    s->mask = slots - 1;
    s->room = states_max;
    s->keys = malloc(states_max * sizeof *s->keys);
    s->from = malloc(states_max * sizeof *s->from);
    s->action = malloc(states_max);
    s->slots = calloc(slots, sizeof *s->slots);
    return s->keys != NULL && s->from != NULL && s->action != NULL && s->slots != NULL;
}

static void say_state(const struct model_state *state, int clients, char *out, size_t size)
{
    static const char *const can[] = {"-", "old", "both", "new"};
    static const char *const schema[] = {"dual-writing", "in-sync", "contracted"};
    size_t len =
        (size_t)snprintf(out, size, "schema %s, server: %s, flag %s%s", schema[state->schema],
                         schema[state->tie], can[state->flag], state->held ? " held" : "");

    for (int i = 0; i < clients && len < size; i++) {
        const struct model_client *c = &state->clients[i];

        len += (size_t)snprintf(out + len, size - len, "; client: rules %s safe %s age %d%s",
                                can[c->rules], c->safe_new ? "new" : "old", c->age - 1,
                                c->known ? "" : " (cache)");
    }
}

/* How the broken state was come to, from the beginning. */
static void tell(const struct search *s, struct search_result *out)
{
    uint32_t path[400];
    size_t count = 0, len = 0;

    for (uint32_t at = s->broken; at != 0 && count < 400; at = s->from[at]) {
        path[count++] = at;
    }
    out->steps = (unsigned)count;
    while (count > 0 && len < sizeof out->trace) {
        struct model_state state = {0};
        char text[500];

        unpack(s->keys[path[--count]], &state);
        say_state(&state, s->config->clients, text, sizeof text);
        len += (size_t)snprintf(out->trace + len, sizeof out->trace - len, "  %s\n      -> %s\n",
                                protocol_say(s->action[path[count]]), text);
    }
}

static unsigned depth_of(const struct search *s)
{
    unsigned depth = 0;

    for (uint32_t at = (uint32_t)s->count - 1; at != 0; at = s->from[at]) {
        depth++;
    }
    return depth;
}

bool search_all(const struct model_config *config, size_t states_max, struct search_result *out)
{
    struct search s = {.config = config, .result = out, .broken = NO_STATE};
    struct model_state state;
    int64_t began = clock_monotonic_us();
    bool good = protocol_prepare() && make_room(&s, states_max);

    memset(out, 0, sizeof *out);
    if (good) {
        memset(&state, 0, sizeof state);
        protocol_begin(&state);
        see(&s, &state, 0);
        for (s.now = 0; s.now < s.count && !s.full && s.broken == NO_STATE; s.now++) {
            unpack(s.keys[s.now], &state);
            protocol_next(config, &state, see, &s);
        }
        out->states = s.count;
        out->whole = !s.full && s.broken == NO_STATE;
        out->broken = s.broken != NO_STATE;
        out->depth = depth_of(&s);
        if (out->broken) {
            tell(&s, out);
        }
    }
    out->seconds = (double)(clock_monotonic_us() - began) / 1e6;
    free(s.keys);
    free(s.from);
    free(s.action);
    free(s.slots);
    return good;
}
