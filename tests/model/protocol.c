#include "tests/model/protocol_part.h"

#include <string.h>

enum { AGE_MAX = SAFE_STEPS + 2, REPLY_AGE_MAX = 1 };

const char *const fault_names[FAULT_COUNT] = {
    [FAULT_NONE] = "none",
    [FAULT_NO_HOLD] = "no hold",
    [FAULT_LEASE_NOT_HONOURED] = "lease not honoured",
    [FAULT_ACK_BEFORE_SWAP] = "acknowledgement before swap",
    [FAULT_SAFE_FOR_EVER] = "the safe variant for ever",
    [FAULT_FORGET_AFTER_LEASE] = "clients forgotten after their lease",
    [FAULT_NO_MARGIN] = "no margin for clocks",
    [FAULT_CACHE_IS_YOUNG] = "a cache counts from when it was read",
    [FAULT_STALE_CACHE] = "confirmed, but not kept in the cache",
    [FAULT_RELEASE_UNREPORTED] = "hold given back after a lost report",
    [FAULT_REPORT_FIRST] = "in-sync told before it is so",
    [FAULT_ANY_ORDER] = "messages of dead runs are carried out",
};

static const char *const action_names[DO_COUNT] = {
    [DO_TICK] = "time goes on",
    [DO_POLL] = "a client polls",
    [DO_POLL_OLD] = "a client polls, with an older tag",
    [DO_RECEIVE] = "a client takes the reply",
    [DO_RECEIVE_YOUNG] = "a client takes the reply, its clock behind",
    [DO_LOSE_REPLY] = "a reply is lost",
    [DO_POLL_AGAIN] = "an older poll arrives again",
    [DO_RESTART] = "a client starts anew from its cache",
    [DO_RESTART_BARE] = "a client starts anew without a cache",
    [DO_SERVER_RESTART] = "the server starts anew",
    [DO_SERVER_LOST] = "the server is lost for good",
    [DO_FLAG] = "the flag is changed",
    [DO_LATE] = "a late message of the migrator is carried out",
    [DO_MIGRATOR_CRASH] = "the migrator is killed",
    [DO_FACTS] = "the migrator is told good facts",
    [DO_FACTS_CLOSED] = "the migrator is told that it must not yet",
    [DO_SEND] = "the migrator's message is taken",
    [DO_SEND_UNANSWERED] = "the migrator's message is taken, the answer lost",
    [DO_SEND_REFUSED] = "the migrator's message is refused",
    [DO_SEND_LOST] = "the migrator's message is lost or late",
    [DO_MOVE_SYNC] = "the schema becomes in-sync",
    [DO_MOVE_CONTRACTED] = "the schema becomes contracted",
    [DO_MOVE_BACK_SYNC] = "the schema goes back to in-sync",
    [DO_MOVE_BACK_DUAL] = "the schema goes back to dual-writing",
    [DO_WAIT_ALONE] = "the migrator goes on without flag server",
    [DO_MOVE_ALONE] = "the schema goes back, without flag server",
};

static struct decisions decisions;
static bool prepared;

/* A decision of pure functions for each small number; asked once. */
static int answers[AGE_MAX + 1][2];
static bool gone[FAULT_COUNT][AGE_MAX + MARGIN_STEPS + 2];
static bool behind[FAULT_COUNT][2][AGE_MAX + MARGIN_STEPS + 2];

bool protocol_prepare(void)
{
    if (prepared) {
        return true;
    }
    for (int age = 0; age <= AGE_MAX; age++) {
        for (int cache = 0; cache < 2; cache++) {
            answers[age][cache] = decide_answer(age, cache != 0);
        }
    }
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        for (int silent = 0; silent < AGE_MAX + MARGIN_STEPS + 2; silent++) {
            gone[fault][silent] = decide_gone(silent, (enum fault)fault);
            for (int confirmed = 0; confirmed < 2; confirmed++) {
                behind[fault][confirmed][silent] =
                    decide_behind(confirmed != 0, silent, (enum fault)fault);
            }
        }
    }
    prepared = decisions_make(&decisions);
    return prepared;
}

const char *protocol_say(int action)
{
    return action_names[action];
}

void protocol_begin(struct model_state *out)
{
    memset(out, 0, sizeof *out);
    out->flag = CAN_OLD;
    out->reported = true; /* dual-writing, and the server knows it */
}

void walk_emit(const struct walker *w, const struct model_state *next, int action)
{
    w->emit(w->ctx, next, action);
}

int walk_behind(const struct walker *w, const struct model_state *s)
{
    int count = 0;

    for (int i = 0; i < w->config->clients; i++) {
        const struct model_client *c = &s->clients[i];

        count += c->entry > 0 && behind[w->config->fault][c->entry == 2][c->silent];
    }
    return count;
}

/* ---- time ---- */

static void tick(const struct walker *w)
{
    struct model_state s = *w->state;

    for (int i = 0; i < w->config->clients; i++) {
        struct model_client *c = &s.clients[i];

        if (c->rules != CAN_NONE && c->age <= AGE_MAX) {
            c->age++;
        }
        if (c->reply != 0 && c->reply_age++ == REPLY_AGE_MAX) {
            c->reply = 0; /* the exchange has timed out */
            c->reply_age = 0;
            c->reply_safe_new = c->reply_current = false;
        }
        if (c->entry > 0 && gone[w->config->fault][++c->silent]) {
            c->entry = c->silent = 0;
        }
    }
    if (s.at >= ALONE && s.at < ALONE_END) {
        s.at++;
    }
    walk_emit(w, &s, DO_TICK);
}

/* ---- clients and server ---- */

static int replies(const struct walker *w)
{
    int count = 0;

    for (int i = 0; i < w->config->clients; i++) {
        count += w->state->clients[i].reply != 0;
    }
    return count;
}

static void take_reply(const struct walker *w, const struct model_state *from, int i, bool young)
{
    struct model_state s = *from;
    struct model_client *c = &s.clients[i];

    c->rules = c->reply;
    c->safe_new = c->reply_safe_new;
    c->current = c->reply_current;
    c->known = true;
    c->age = (uint8_t)(c->reply_age + (young ? 0 : 1));
    c->reply = c->reply_age = 0;
    c->reply_safe_new = c->reply_current = false;
    walk_emit(w, &s, young ? DO_RECEIVE_YOUNG : DO_RECEIVE);
}

static void lose_reply(const struct walker *w, const struct model_state *from, int i)
{
    struct model_state s = *from;
    struct model_client *c = &s.clients[i];

    c->reply = c->reply_age = 0;
    c->reply_safe_new = c->reply_current = false;
    walk_emit(w, &s, DO_LOSE_REPLY);
}

/* The server has a poll: what it was asked with counts as confirmed, and a reply is on its way. */
static void poll_one(const struct walker *w, int i, bool old_tag)
{
    for (uint8_t late = 0; late <= (w->config->even ? 0 : REPLY_AGE_MAX); late++) {
        struct model_state s = *w->state;
        struct model_client *c = &s.clients[i];
        bool confirms = c->known && c->current && !old_tag;

        if (w->config->fault == FAULT_ACK_BEFORE_SWAP) {
            confirms = true;
        }
        c->entry = confirms ? 2 : 1;
        c->silent = 0;
        c->reply = s.flag;
        c->reply_safe_new = decisions.safe_new[s.flag][s.tie];
        c->reply_current = true;
        c->reply_age = late;
        if (w->config->replies_max > 0) {
            walk_emit(w, &s, old_tag ? DO_POLL_OLD : DO_POLL);
            continue;
        }
        take_reply(w, &s, i, false);
        if (!w->config->even) {
            take_reply(w, &s, i, true);
        }
        lose_reply(w, &s, i);
    }
}

static void poll_again(const struct walker *w, int i)
{
    struct model_state s = *w->state;

    s.clients[i].silent = 0;
    walk_emit(w, &s, DO_POLL_AGAIN);
    s.clients[i].entry = 1;
    walk_emit(w, &s, DO_POLL_AGAIN);
}

/* The server goes on knowing the process that is no more; of the new one it hears with its poll. */
static void restart(const struct walker *w, int i, bool bare)
{
    struct model_state s = *w->state;
    struct model_client *c = &s.clients[i];
    struct model_client fresh = {.entry = c->entry, .silent = c->silent};

    if (!bare) {
        fresh.rules = c->rules;
        fresh.safe_new = c->safe_new;
        fresh.current = c->current;
        fresh.age = w->config->fault == FAULT_CACHE_IS_YOUNG && c->rules != 0 ? 1 : c->age;
    }
    if (!bare && w->config->fault == FAULT_STALE_CACHE && c->rules != CAN_NONE) {
        fresh.rules = CAN_OLD;
        fresh.safe_new = fresh.current = false;
    }
    *c = fresh;
    walk_emit(w, &s, bare ? DO_RESTART_BARE : DO_RESTART);
}

static void client_next(const struct walker *w, int i)
{
    const struct model_client *c = &w->state->clients[i];

    if (!w->state->lost) {
        if (c->reply == 0 && (w->config->replies_max == 0 || replies(w) < w->config->replies_max)) {
            poll_one(w, i, false);
            if (c->known && c->current && !w->config->even) {
                poll_one(w, i, true);
            }
        }
        if (c->entry > 0 && !w->config->even) {
            poll_again(w, i);
        }
    }
    if (c->reply != 0) {
        take_reply(w, w->state, i, false);
        if (!w->config->even) {
            take_reply(w, w->state, i, true);
        }
        lose_reply(w, w->state, i);
    }
    if (c->rules != CAN_NONE || c->reply != 0) {
        restart(w, i, true);
        restart(w, i, false);
    }
}

static void change_flag(const struct walker *w, int to)
{
    struct model_state s = *w->state;

    s.flag = (uint8_t)to;
    s.saw_current = false;
    for (int k = 0; k < LATE_MAX; k++) {
        s.late[k] = s.late[k] == SAY_HOLD ? 0 : s.late[k]; /* of another revision: refused */
    }
    for (int i = 0; i < w->config->clients; i++) {
        struct model_client *c = &s.clients[i];

        c->current = c->reply_current = false;
        c->entry = c->entry > 0 ? 1 : 0;
    }
    walk_emit(w, &s, DO_FLAG);
}

/* A server that starts anew has in its store who there is, but not what they confirmed. */
static void server_next(const struct walker *w)
{
    struct model_state s = *w->state;

    for (int to = CAN_OLD; to <= CAN_NEW; to++) {
        if (to != s.flag && decisions.change[s.flag][to][s.tie][s.held]) {
            change_flag(w, to);
        }
    }
    for (int k = 0; k < LATE_MAX; k++) {
        bool noted = false;

        if (s.late[k] != 0 && server_takes(w, &s, s.late[k], &noted)) {
            for (int older = k + 1; older < LATE_MAX && noted; older++) {
                s.late[older] = 0;
            }
            walk_emit(w, &s, DO_LATE); /* and it may come once more */
        }
        s = *w->state;
    }
    for (int i = 0; i < w->config->clients; i++) {
        s.clients[i].entry = s.clients[i].entry > 0 ? 1 : 0;
        s.clients[i].silent = 0;
    }
    walk_emit(w, &s, DO_SERVER_RESTART);
    if (w->config->server_lost) {
        s = *w->state;
        s.lost = true;
        memset(s.late, 0, sizeof s.late);
        s.held = s.saw_current = false; /* what it knew matters to nobody any more */
        for (int i = 0; i < w->config->clients; i++) {
            s.clients[i].entry = s.clients[i].silent = 0;
        }
        walk_emit(w, &s, DO_SERVER_LOST);
    }
}

void protocol_next(const struct model_config *config, const struct model_state *state,
                   protocol_emit *emit, void *ctx)
{
    struct walker w = {config, &decisions, state, emit, ctx};

    tick(&w);
    for (int i = 0; i < config->clients; i++) {
        client_next(&w, i);
    }
    if (!state->lost) {
        server_next(&w);
    }
    migrator_next(&w);
}

/* ---- what must hold ---- */

static bool may_run(const struct model_config *config, const struct model_client *c, bool new_path)
{
    int age = c->age > 0 ? c->age - 1 : 0;
    int answer = c->rules == CAN_NONE ? 0 : answers[age > AGE_MAX ? AGE_MAX : age][!c->known];

    if (config->fault == FAULT_LEASE_NOT_HONOURED && c->rules != CAN_NONE) {
        answer = 1;
    }
    if (config->fault == FAULT_SAFE_FOR_EVER && c->rules != CAN_NONE && answer == 0) {
        answer = 2;
    }
    if (answer == 1) {
        return c->rules == CAN_BOTH || c->rules == (new_path ? CAN_NEW : CAN_OLD);
    }
    return answer == 2 && c->safe_new == new_path;
}

int protocol_broken(const struct model_config *config, const struct model_state *state)
{
    for (int i = 0; i < config->clients; i++) {
        if ((state->schema == CONTRACTED && may_run(config, &state->clients[i], false)) ||
            (state->schema == DUAL_WRITING && may_run(config, &state->clients[i], true))) {
            return i;
        }
    }
    return -1;
}
