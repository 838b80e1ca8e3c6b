#include "tests/model/decisions.h"

#include <stdio.h>
#include <string.h>

#include "base/lease.h"
#include "migrator/folder/facts.h"
#include "server/clients.h"
#include "server/coupling.h"

static const char *const documents[4] = {
    [CAN_OLD] = "\"state\":\"off\",\"fallthrough\":{\"variant\":\"on\"}",
    [CAN_BOTH] = "\"state\":\"on\",\"fallthrough\":{\"ramp\":{\"percent\":25,\"variant\":\"on\"}}",
    [CAN_NEW] = "\"state\":\"on\",\"fallthrough\":{\"variant\":\"on\"}",
};

static const enum tie_state tie_states[SCHEMA_COUNT] = {TIE_DUAL_WRITING, TIE_IN_SYNC,
                                                        TIE_CONTRACTED};

static struct json *flag_of(int can)
{
    char text[600];
    struct json *json = NULL;

    snprintf(text, sizeof text,
             "{\"key\":\"f\",\"type\":\"boolean\",\"variants\":{\"off\":false,\"on\":true},"
             "\"off_variant\":\"off\",\"salt\":\"s\",\"split_salt\":\"t\",%s}",
             documents[can]);
    return json_parse(text, strlen(text), &json, NULL) == ERR_OK ? json : NULL;
}

static struct tie tie_of(int schema, bool held)
{
    return (struct tie){.flag = "f",
                        .database_id = "d",
                        .migration = "0002_split",
                        .label = "",
                        .old_variant = "off",
                        .new_variant = "on",
                        .state = tie_states[schema],
                        .lease_s = 300,
                        .held = held,
                        .hold_owner = "host pid 7"};
}

static void ask_coupling(struct decisions *out, struct json *const flags[4], int from, int schema)
{
    struct tie tie = tie_of(schema, false);
    struct coupling_change report = {
        .before = flags[from], .after = flags[from], .ties = &tie, .tie_count = 1, .report = true};
    struct coupling_refusal why;
    struct json *seen = coupling_tie_json(flags[from], NULL, &tie, 1);

    out->report[from][schema] = coupling_check(&report, &why) == ERR_OK;
    out->safe_new[from][schema] = strcmp(json_get_text(seen, "safe", "?"), "on") == 0;
    json_free(seen);
    for (int to = CAN_OLD; to <= CAN_NEW; to++) {
        for (int held = 0; held < 2; held++) {
            struct tie now = tie_of(schema, held != 0);
            struct coupling_change change = {
                .before = flags[from], .after = flags[to], .ties = &now, .tie_count = 1};

            out->change[from][to][schema][held] = coupling_check(&change, &why) == ERR_OK;
        }
    }
}

bool decisions_make(struct decisions *out)
{
    struct json *flags[4] = {NULL};
    bool good = true;

    memset(out, 0, sizeof *out);
    for (int can = CAN_OLD; can <= CAN_NEW; can++) {
        flags[can] = flag_of(can);
        good = good && flags[can] != NULL;
    }
    for (int can = CAN_OLD; can <= CAN_NEW && good; can++) {
        struct json *facts = coupling_facts(flags[can], NULL, "off", "on");

        out->all_old[can] = json_is_true(json_get(facts, "disabled_everywhere"));
        out->all_new[can] = json_is_true(json_get(facts, "enabled_everywhere"));
        json_free(facts);
        for (int schema = 0; schema < SCHEMA_COUNT; schema++) {
            ask_coupling(out, flags, can, schema);
        }
    }
    for (int can = CAN_OLD; can <= CAN_NEW; can++) {
        json_free(flags[can]);
    }
    return good;
}

static struct lease_terms terms_of(enum fault fault)
{
    struct lease_terms terms = {(int64_t)LEASE_STEPS * STEP_US, (int64_t)SAFE_STEPS * STEP_US,
                                (int64_t)MARGIN_STEPS * STEP_US};

    if (fault == FAULT_FORGET_AFTER_LEASE) {
        terms.safe_us = terms.lease_us;
        terms.margin_us = 0;
    }
    if (fault == FAULT_NO_MARGIN) {
        terms.margin_us = 0;
    }
    return terms;
}

int decide_answer(int age_steps, bool from_cache)
{
    struct lease_terms terms = terms_of(FAULT_NONE);

    switch (lease_answer(&terms, (int64_t)age_steps * STEP_US, from_cache)) {
    case LEASE_RULES: return 1;
    case LEASE_SAFE: return 2;
    case LEASE_NONE: break;
    }
    return 0;
}

bool decide_gone(int silent_steps, enum fault fault)
{
    struct lease_terms terms = terms_of(fault);

    return lease_is_gone(&terms, (int64_t)silent_steps * STEP_US);
}

bool decide_behind(bool confirmed, int silent_steps, enum fault fault)
{
    struct lease_terms terms = terms_of(fault);
    struct client client = {
        .kind = CLIENT_SDK, .epoch = 1, .revision = confirmed ? 7 : 6, .lease = true};

    return client_is_behind(&client, 1, 7, &terms, (int64_t)silent_steps * STEP_US);
}

int decide_step(const struct decisions *decisions, int flag, bool old_everywhere, int behind)
{
    struct facts_flag facts = {.known = true,
                               .exists = true,
                               .enabled_everywhere = decisions->all_new[flag],
                               .disabled_everywhere = decisions->all_old[flag],
                               .clients_behind = behind};

    switch (facts_flag_judge(&facts, old_everywhere)) {
    case FACTS_STEP: return 1;
    case FACTS_WAIT: return 0;
    case FACTS_REFUSE: break;
    }
    return -1;
}
