/*
 * decisions - what the project's own functions decide, asked once for each case.
 */
#ifndef TESTS_MODEL_DECISIONS_H
#define TESTS_MODEL_DECISIONS_H

#include "tests/model/protocol.h"

enum { STEP_US = 1000000000, LEASE_STEPS = 1, SAFE_STEPS = 2, MARGIN_STEPS = 2 };

struct decisions {
    bool change[4][4][SCHEMA_COUNT][2]; /* from, to, tie, held: the server lets it be */
    bool report[4][SCHEMA_COUNT];       /* flag, tie: the server takes the report */
    bool safe_new[4][SCHEMA_COUNT];     /* the ruleset's safe variant */
    bool all_old[4], all_new[4];        /* a gate's facts */
};
bool decisions_make(struct decisions *out);

/* 0 nothing, 1 by the rules, 2 the safe variant. */
int decide_answer(int age_steps, bool from_cache);
bool decide_gone(int silent_steps, enum fault fault);
bool decide_behind(bool confirmed, int silent_steps, enum fault fault);
/* Whether the migrator may step: 1; has to wait: 0; must not: -1. */
int decide_step(const struct decisions *decisions, int flag, bool old_everywhere, int behind);

#endif
