/*
 * Holds: a migration keeps a flag as it is while it takes a step that relies on it.
 *
 * Whoever holds repeats POST while it is at work, which renews. A hold whose owner was killed is
 * ended by the next run of `migrate`, or by an admin with a reason; never from contracted on, where
 * the old path is gone and the flag must not move before the schema has.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/admin.h"
#include "server/route.h"

enum { OWNER_MAX_BYTES = 200 };

void admin_put_hold(struct json *out, const struct tie *tie)
{
    int64_t now_ms = clock_wall_ms();
    struct json *hold;
    char text[CLOCK_TEXT_BYTES];

    if (tie == NULL || !tie->held) {
        return;
    }
    hold = json_put(out, "hold", json_object());
    json_put_text(hold, "owner", tie->hold_owner != NULL ? tie->hold_owner : "");
    json_put_text(hold, "taken", clock_text(tie->hold_taken_ms, text));
    json_put_text(hold, "renewed", clock_text(tie->hold_renewed_ms, text));
    json_put_number(hold, "seconds_ago", (double)(now_ms - tie->hold_renewed_ms) / 1000);
    json_put_number(hold, "alive_s", (double)coupling_hold_alive_s(tie, now_ms));
}

bool admin_in_order(struct call *call, const struct tie *tie, int64_t sequence)
{
    if (coupling_in_order(tie, sequence)) {
        return true;
    }
    answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                   "a message of a run of migrate that is over came too late (it has the number "
                   "%lld, and %lld of migration %s was taken); if the database was put back to an "
                   "older copy, run: migrate repair --report",
                   (long long)sequence, (long long)tie->sequence, tie->migration);
    return false;
}

void admin_end_hold(struct tie *tie)
{
    tie->held = false;
    tie->hold_owner = "";
    tie->hold_taken_ms = tie->hold_renewed_ms = 0;
}

/* ---- taking and renewing ---- */

/* The flag whose hold is asked for, if it is as the gate saw it, and its tie. NULL: answered. */
static const struct store_flag *wanted(struct call *call, const struct json *body,
                                       const struct tie **tie)
{
    struct store *store = call->store;
    const char *key = json_get_text(body, "flag", "");
    const struct store_flag *flag = store_find(store, key);
    int64_t revision = 0, sequence = 0;

    *tie = store_tie(store, json_get_text(body, "database_id", ""),
                     json_get_text(body, "migration", ""));
    if (!json_int(json_get(body, "flag_revision"), &revision)) {
        (void)admin_invalid(call, "flag_revision: must be the revision that the gate was told");
    } else if (json_get(body, "sequence") != NULL &&
               (!json_int(json_get(body, "sequence"), &sequence) || sequence < 0)) {
        (void)admin_invalid(call, "sequence: must be a whole number");
    } else if (strlen(json_get_text(body, "owner", "")) > OWNER_MAX_BYTES) {
        (void)admin_invalid(call, "owner: has at most 200 bytes");
    } else if (flag == NULL) {
        answer_problem(call, 404, err_code_name(ERR_NOT_FOUND), "no flag '%.128s' is here", key);
    } else if (*tie == NULL || strcmp((*tie)->flag, key) != 0) {
        answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                       "the flag '%s' is not tied to this migration: its state has to be reported "
                       "first",
                       key);
    } else if (!admin_in_order(call, *tie, sequence)) {
        return NULL;
    } else if (flag->revision != revision) {
        answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                       "flag '%s' was changed (revision %lld, the gate saw %lld): look at the gate "
                       "again",
                       key, (long long)flag->revision, (long long)revision);
    } else {
        return flag;
    }
    return NULL;
}

void holds_take(struct call *call)
{
    struct json *body = answer_body(call);
    const struct store_flag *flag;
    const struct tie *now;
    const char *owner, *key;
    int64_t now_ms = clock_wall_ms(), sequence;
    struct err err = {0};

    if (body == NULL) {
        return;
    }
    flag = wanted(call, body, &now);
    if (flag == NULL) {
        json_free(body);
        return;
    }
    if (!json_int(json_get(body, "sequence"), &sequence)) {
        sequence = now->sequence;
    }
    key = answer_text(call, flag->key);
    owner = answer_text(call, json_get_text(body, "owner", call->who.name));
    if (now->held && strcmp(now->hold_owner, owner) == 0) {
        if (store_note_tie(call->store, now, now_ms, sequence, &err) != ERR_OK) {
            admin_not_changed(call, &err);
        } else {
            admin_answer_revisions(call, 201, key);
        }
    } else {
        struct tie held = *now;

        held.held = true;
        held.sequence = sequence;
        held.hold_owner = owner;
        held.hold_taken_ms = held.hold_renewed_ms = now_ms;
        if (admin_put_tie(call, &held, "hold.take", "hold-taken")) {
            admin_answer_revisions(call, 201, key);
        }
    }
    json_free(body);
}

/* ---- releasing ---- */

/* Whether an admin may end the hold of somebody else. False: answered. */
static bool may_force(struct call *call, const struct tie *tie)
{
    int64_t alive_s = coupling_hold_alive_s(tie, clock_wall_ms());

    if (call->who.role != ROLE_ADMIN) {
        answer_problem(call, 403, err_code_name(ERR_DENIED),
                       "only an admin may end a hold by force (this token's role is %s)",
                       role_name((enum role)call->who.role));
        return false;
    }
    if (call_actor(call).reason == NULL) {
        return admin_invalid(call, "a reason is needed: send X-Lockstep-Reason (--reason TEXT)");
    }
    if (alive_s > 0) {
        answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                       "the hold of migration %s is still in use by %s: stop that migrate first; "
                       "without a word from it the hold can be ended in %lld s",
                       tie->migration, tie->hold_owner, (long long)alive_s);
        return false;
    }
    return true;
}

/* False: answered. */
static bool sequence_of(struct call *call, int64_t *out)
{
    const char *text = http_query(call->request, "sequence");
    char *end = NULL;

    *out = text != NULL ? strtoll(text, &end, 10) : 0;
    if (text != NULL && (end == text || *end != '\0' || *out < 0)) {
        return admin_invalid(call, "sequence: must be a whole number");
    }
    return true;
}

void holds_release(struct call *call)
{
    const struct tie *now = store_tie(call->store, call->params[0], call->params[1]);
    const char *force = http_query(call->request, "force");
    bool forced = force != NULL && strcmp(force, "true") == 0;
    int64_t sequence = 0;

    if (!sequence_of(call, &sequence)) {
        return;
    }
    if (now == NULL || !now->held) {
        answer_empty(call, 204);
    } else if (!admin_in_order(call, now, sequence)) {
        return;
    } else if (now->state == TIE_CONTRACTED) {
        struct coupling_refusal why = {.detail = ""};

        snprintf(why.command, sizeof why.command, "migrate rollback %s --to in-sync",
                 now->migration);
        snprintf(why.migration, sizeof why.migration, "%s", now->migration);
        snprintf(why.detail, sizeof why.detail,
                 "the hold of migration %s stays while it is contracted, because flag '%s' must "
                 "not move before the schema; first run: %s",
                 now->migration, now->flag, why.command);
        answer_refusal(call, ERR_CONFLICT, &why);
    } else if (!forced || may_force(call, now)) {
        struct tie released = *now;

        admin_end_hold(&released);
        released.sequence = sequence > 0 ? sequence : now->sequence;
        if (admin_put_tie(call, &released, forced ? "hold.force" : "hold.release",
                          forced ? "hold-forced" : "hold-released")) {
            answer_empty(call, 204);
        }
    }
}
