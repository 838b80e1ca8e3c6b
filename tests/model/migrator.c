/*
 * The migrator's half: the order of walk.c's forward_in_sync() and forward_contract() and of
 * walk_back.c's back_to_in_sync() and leave_in_sync().
 */
#include "tests/model/protocol_part.h"

static bool takes_report(const struct walker *w, struct model_state *s, enum schema schema)
{
    /* In-sync was told before, so that this report says "fell_back". */
    if (schema == DUAL_WRITING && s->tie != CONTRACTED) {
        s->held = false;
    } else if (!w->decisions->report[s->flag][schema]) {
        return false;
    }
    s->tie = (uint8_t)schema;
    return true;
}

bool server_takes(const struct walker *w, struct model_state *s, int message, bool *noted)
{
    *noted = w->config->fault != FAULT_ANY_ORDER;
    switch (message) {
    case SAY_DUAL: return takes_report(w, s, DUAL_WRITING);
    case SAY_SYNC: return takes_report(w, s, IN_SYNC);
    case SAY_CONTRACTED: return takes_report(w, s, CONTRACTED);
    case SAY_HOLD: s->held = w->config->fault != FAULT_NO_HOLD; return true;
    default: break;
    }
    *noted = *noted && s->held; /* nothing to release: nothing is written */
    if (s->held && s->tie == CONTRACTED) {
        return false;
    }
    s->held = false;
    return true;
}

/* Of more than there is room for the oldest is forgotten: this is where the model is bounded. */
static void becomes_late(struct model_state *s, int message)
{
    if (s->late[0] == message) {
        return;
    }
    for (int i = LATE_MAX - 1; i > 0; i--) {
        s->late[i] = s->late[i - 1];
    }
    s->late[0] = (uint8_t)message;
}

static void go(const struct walker *w, const struct model_state *from, enum place at, int action)
{
    struct model_state next = *from;

    next.at = (uint8_t)at;
    walk_emit(w, &next, action);
}

/* An answer and no answer; either with a copy of the message on its way still. */
static void taken(const struct walker *w, struct model_state *s, int message, enum place good,
                  enum place bad)
{
    bool report = message < SAY_HOLD, was = s->reported;

    for (int copy = 0; copy < (w->config->messages_late ? 2 : 1); copy++) {
        if (copy) {
            becomes_late(s, message);
        }
        s->reported = was || report;
        go(w, s, good, DO_SEND);
        s->reported = was;
        go(w, s, bad, DO_SEND_UNANSWERED);
    }
}

static void say(const struct walker *w, int message, enum place good, enum place bad)
{
    struct model_state s = *w->state;
    bool noted = false;

    go(w, &s, bad, DO_SEND_LOST);
    if (s.lost) {
        return;
    }
    if (w->config->messages_late) {
        becomes_late(&s, message);
        go(w, &s, bad, DO_SEND_LOST);
        s = *w->state;
    }
    if ((message == SAY_HOLD && !s.saw_current) || !server_takes(w, &s, message, &noted)) {
        go(w, w->state, bad, DO_SEND_REFUSED);
        return;
    }
    for (int i = 0; i < LATE_MAX && noted; i++) {
        s.late[i] = 0;
    }
    taken(w, &s, message, good, bad);
}

/* Facts are asked for; the revision that they are of goes along. */
static void ask(const struct walker *w, bool old_everywhere, bool heed_clients, enum place good,
                enum place wait, enum place bad)
{
    struct model_state s = *w->state;
    int verdict;

    go(w, &s, bad, DO_SEND_LOST);
    if (s.lost) {
        return;
    }
    verdict =
        decide_step(w->decisions, s.flag, old_everywhere, heed_clients ? walk_behind(w, &s) : 0);
    if (verdict > 0) {
        s.saw_current = true;
        go(w, &s, good, DO_FACTS);
    } else {
        go(w, &s, verdict == 0 ? wait : bad, DO_FACTS_CLOSED);
    }
}

/* The revision of a wait is the one of the hold, so it is not taken anew. */
static void ask_again(const struct walker *w, bool old_everywhere, enum place good, enum place wait,
                      enum place bad)
{
    struct model_state s = *w->state;
    int verdict;

    go(w, &s, bad, DO_SEND_LOST);
    if (s.lost) {
        return;
    }
    verdict = decide_step(w->decisions, s.flag, old_everywhere, walk_behind(w, &s));
    go(w, &s,
       verdict > 0    ? good
       : verdict == 0 ? wait
                      : bad,
       verdict > 0 ? DO_FACTS : DO_FACTS_CLOSED);
}

static void move(const struct walker *w, enum schema schema, enum place then, int action)
{
    struct model_state s = *w->state;

    s.schema = (uint8_t)schema;
    s.reported = s.tie == schema && w->config->fault == FAULT_REPORT_FIRST;
    go(w, &s, then, action);
}

static void begin_back(const struct walker *w)
{
    if (w->state->schema == CONTRACTED) {
        move(w, IN_SYNC, BACK_REPORT, DO_MOVE_BACK_SYNC);
    } else if (w->state->schema == IN_SYNC) {
        say(w, SAY_RELEASE, LEAVE_FACTS, LEAVE_FACTS);
    }
}

/* A new run: first it tells what the server did not acknowledge (flag_link_report_all()). The way back
 * goes on where that fails; the way forward does not. */
static void begin(const struct walker *w)
{
    static const int told[SCHEMA_COUNT] = {SAY_DUAL, SAY_SYNC, SAY_CONTRACTED};
    bool first = w->config->fault == FAULT_REPORT_FIRST;
    const struct model_state *s = w->state;

    if (s->lost) {
        if (s->schema == IN_SYNC) {
            go(w, s, ALONE, DO_WAIT_ALONE);
        }
        return;
    }
    if (!s->reported) {
        say(w, told[s->schema], IDLE, IDLE);
        begin_back(w);
        return;
    }
    switch (s->schema) {
    case DUAL_WRITING: ask(w, true, false, first ? SYNC_REPORT : SYNC_MOVE, IDLE, IDLE); break;
    case IN_SYNC: ask(w, false, true, CONTRACT_HOLD, GIVE_UP, GIVE_UP); break;
    case CONTRACTED: break;
    }
    begin_back(w);
}

static void forward(const struct walker *w)
{
    bool first = w->config->fault == FAULT_REPORT_FIRST;
    enum place hold_failed = GIVE_UP;

    switch ((enum place)w->state->at) {
    case SYNC_MOVE: move(w, IN_SYNC, first ? IDLE : SYNC_REPORT, DO_MOVE_SYNC); break;
    case SYNC_REPORT: say(w, SAY_SYNC, first ? SYNC_MOVE : IDLE, IDLE); break;
    case CONTRACT_HOLD: say(w, SAY_HOLD, CONTRACT_WAIT, hold_failed); break;
    case CONTRACT_WAIT: ask_again(w, false, CONTRACT_HOLD_AGAIN, CONTRACT_WAIT, GIVE_UP); break;
    case CONTRACT_HOLD_AGAIN: say(w, SAY_HOLD, CONTRACT_MOVE, hold_failed); break;
    case CONTRACT_MOVE: move(w, CONTRACTED, CONTRACT_REPORT, DO_MOVE_CONTRACTED); break;
    case CONTRACT_REPORT: say(w, SAY_CONTRACTED, IDLE, IDLE); break;
    default: break;
    }
}

static void back(const struct walker *w)
{
    bool frees = w->config->fault == FAULT_RELEASE_UNREPORTED;

    switch ((enum place)w->state->at) {
    case BACK_REPORT: say(w, SAY_SYNC, BACK_RELEASE, IDLE); break;
    case BACK_RELEASE: say(w, SAY_RELEASE, IDLE, IDLE); break;
    case LEAVE_FACTS: ask(w, true, false, LEAVE_HOLD, IDLE, IDLE); break;
    case LEAVE_HOLD: say(w, SAY_HOLD, LEAVE_WAIT, GIVE_UP); break;
    case LEAVE_WAIT: ask_again(w, true, LEAVE_HOLD_AGAIN, LEAVE_WAIT, GIVE_UP); break;
    case LEAVE_HOLD_AGAIN: say(w, SAY_HOLD, LEAVE_MOVE, GIVE_UP); break;
    case LEAVE_MOVE: move(w, DUAL_WRITING, LEAVE_REPORT, DO_MOVE_BACK_DUAL); break;
    case LEAVE_REPORT: say(w, SAY_DUAL, LEAVE_RELEASE, frees ? GIVE_UP : IDLE); break;
    case LEAVE_RELEASE: say(w, SAY_RELEASE, IDLE, IDLE); break;
    default: break;
    }
}

void migrator_next(const struct walker *w)
{
    int at = w->state->at;

    if (at == IDLE) {
        begin(w);
        return;
    }
    go(w, w->state, IDLE, DO_MIGRATOR_CRASH);
    if (at == GIVE_UP) {
        say(w, SAY_RELEASE, IDLE, IDLE);
    } else if (at == ALONE_END) {
        move(w, DUAL_WRITING, IDLE, DO_MOVE_ALONE);
    } else if (at < ALONE) {
        forward(w);
        back(w);
    }
}
