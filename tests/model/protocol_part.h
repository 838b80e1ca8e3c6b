/*
 * protocol_part - what the two halves of the transition system share: the world (protocol.c) and the
 * migrator (migrator.c).
 */
#ifndef TESTS_MODEL_PROTOCOL_PART_H
#define TESTS_MODEL_PROTOCOL_PART_H

#include "tests/model/decisions.h"

enum action {
    DO_TICK,
    DO_POLL,
    DO_POLL_OLD,
    DO_RECEIVE,
    DO_RECEIVE_YOUNG,
    DO_LOSE_REPLY,
    DO_POLL_AGAIN,
    DO_RESTART,
    DO_RESTART_BARE,
    DO_SERVER_RESTART,
    DO_SERVER_LOST,
    DO_FLAG,
    DO_LATE,
    DO_MIGRATOR_CRASH,
    DO_FACTS,
    DO_FACTS_CLOSED,
    DO_SEND,
    DO_SEND_UNANSWERED,
    DO_SEND_REFUSED,
    DO_SEND_LOST,
    DO_MOVE_SYNC,
    DO_MOVE_CONTRACTED,
    DO_MOVE_BACK_SYNC,
    DO_MOVE_BACK_DUAL,
    DO_WAIT_ALONE,
    DO_MOVE_ALONE,
    DO_COUNT
};

enum message { SAY_DUAL = 1, SAY_SYNC, SAY_CONTRACTED, SAY_HOLD, SAY_RELEASE };

/* Where the migrator is. Each of these is a moment between two of its steps. */
enum place {
    IDLE,
    SYNC_MOVE,
    SYNC_REPORT,
    CONTRACT_HOLD,
    CONTRACT_WAIT,
    CONTRACT_HOLD_AGAIN,
    CONTRACT_MOVE,
    CONTRACT_REPORT,
    BACK_REPORT,
    BACK_RELEASE,
    LEAVE_FACTS,
    LEAVE_HOLD,
    LEAVE_WAIT,
    LEAVE_HOLD_AGAIN,
    LEAVE_MOVE,
    LEAVE_REPORT,
    LEAVE_RELEASE,
    GIVE_UP, /* a release whose answer does not matter */
    ALONE,   /* without flag server: so many steps waited */
    ALONE_END = ALONE + SAFE_STEPS + MARGIN_STEPS
};

struct walker {
    const struct model_config *config;
    const struct decisions *decisions;
    const struct model_state *state;
    protocol_emit *emit;
    void *ctx;
};

void walk_emit(const struct walker *walker, const struct model_state *next, int action);
int walk_behind(const struct walker *walker, const struct model_state *state);
void migrator_next(const struct walker *walker);
/* The server gets a message; false: it refuses. *noted: it writes down that it had this one, and takes
 * none any more that was sent before. */
bool server_takes(const struct walker *walker, struct model_state *state, int message, bool *noted);

#endif
