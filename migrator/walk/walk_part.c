/*
 * Gates, verification and waits, for both ways.
 */
#include "migrator/walk/backfill.h"
#include "migrator/walk/walk_part.h"
#include "migrator/walk/walk_table.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/lease.h"
#include "migrator/change/triggers.h"
#include "migrator/session/flag_link.h"

#define POLL_US 500000          /* how often a closed gate is looked at again */
#define VERIFY_FRESH_MS 20000LL /* a gate's facts must not be older than 30 s */
#define HOLD_RENEW_US 20000000  /* a hold that is not renewed is taken for a dead one's */

void walk_init(struct walk *w, struct migrate *m, size_t index, const struct walk_request *request,
               struct json *steps, struct json *waits, struct err *err)
{
    *w = (struct walk){.m = m,
                       .index = index,
                       .migration = &m->folder.at[index],
                       .phased = m->folder.at[index].phased,
                       .request = request,
                       .steps = steps,
                       .waits = waits,
                       .err = err};
}

enum err_code walk_read_change(struct walk *w)
{
    enum mig_state state = session_state(w->m, w->index);

    arena_fini(&w->arena);
    return change_read(w->m->db, w->migration, state != MIG_PENDING, state >= MIG_CONTRACTED,
                       &w->arena, &w->change, w->err);
}

enum err_code walk_move(struct walk *w, enum mig_state to, const char *reason)
{
    enum mig_state from = session_state(w->m, w->index);
    enum err_code rc = table_prepare(w->m, w->index, &w->change, from, to, w->err);

    rc = rc ? rc : arrow_run(w->m, w->index, &w->change, from, to, reason, w->steps, w->err);
    return rc ? rc : walk_read_change(w);
}

/* Says the state after the database has moved; a failure here leaves the database right. */
enum err_code walk_report_moved(struct walk *w)
{
    enum mig_state state = session_state(w->m, w->index);
    enum err_code rc = flag_link_report(w->m, w->index, state, w->err);

    if (rc) {
        err_wrap(w->err,
                 "%.60s is %s now, but the flag server does not know it; run `migrate apply` "
                 "again",
                 w->migration->name, mig_state_name(state));
    }
    return rc ? rc : session_reread(w->m, w->err);
}

/* Gives a hold back where another error is already on its way. */
void walk_try_release(struct walk *w)
{
    struct err unused = {0};
    enum err_code rc = flag_link_release(w->m, w->index, &unused);

    (void)rc; /* a hold that stays is released by the next rollback, and keeps the flag safe */
}

/* The arrow may have been committed before it failed: where old code's columns are gone already,
 * or nobody can say so, the flag must not move. */
void walk_release_if_in_sync(struct walk *w)
{
    struct err unused = {0};

    if (session_reread(w->m, &unused) == ERR_OK && session_state(w->m, w->index) == MIG_IN_SYNC) {
        walk_try_release(w);
    }
}

/* ---- gates ---- */

static enum err_code closed(struct walk *w, const struct gate *gate, enum phased_gate which)
{
    char said[200];
    enum mig_state state = session_state(w->m, w->index);

    if (w->waits != NULL) {
        session_report_wait(w->waits, w->migration->name, state, gate_reasons(gate));
    }
    if (!w->request->explicit_to) {
        w->stop = true;
        return ERR_OK;
    }
    gate_say(gate, said, sizeof said);
    return err_set(w->err, ERR_CONFLICT, "%.60s stays %s; %s waits for: %s", w->migration->name,
                   mig_state_name(state), phased_gate_name(which), said);
}

/* Evaluates the gate until it is open or the time is over. *revision: what it was decided on. */
enum err_code walk_pass_gate(struct walk *w, enum phased_gate which, walk_reverify_fn *reverify,
                             int64_t *revision)
{
    int64_t until = clock_monotonic_us() + (int64_t)w->request->wait_s * 1000000;
    struct verification v = {0};
    int64_t verified_us = clock_monotonic_us(); /* the wall's clock may be set back meanwhile */
    enum err_code rc = reverify != NULL ? reverify(w, &v) : ERR_OK;

    while (rc == ERR_OK) {
        struct gate gate = {0};
        bool open;
        if (reverify != NULL && clock_monotonic_us() - verified_us > VERIFY_FRESH_MS * 1000) {
            verification_fini(&v);
            verified_us = clock_monotonic_us();
            rc = reverify(w, &v);
        }
        rc = rc ? rc
                : gate_evaluate(w->m, w->index, which, &w->change, reverify != NULL ? &v : NULL,
                                w->request->override_gate, &gate, w->err);
        if (rc) {
            break;
        }
        open = gate.open;
        if (!open && w->request->wait_s > 0) {
            char said[300];
            gate_say(&gate, said, sizeof said);
            session_tell_wait(w->m, w->index, said);
        }
        *revision = gate.flag_revision;
        if (open || clock_monotonic_us() >= until) {
            rc = open ? ERR_OK : closed(w, &gate, which);
            gate_fini(&gate);
            break;
        }
        gate_fini(&gate);
        clock_sleep_us(session_look_us(w->m, POLL_US));
        rc = lock_beat(w->m->db, &w->m->lock, w->err);
        rc = rc ? rc : watch_look(w->m, w->index, w->err);
    }
    verification_fini(&v);
    return rc;
}

/* ---- verification ---- */

enum err_code walk_check_rows(struct walk *w, bool deep, struct verification *v)
{
    enum err_code rc = verify_run(w->m, w->index, &w->change, deep, v, w->err);

    rc = rc ? rc : verify_store(w->m, w->index, v, w->err);
    return rc;
}

enum err_code walk_fill_again(struct walk *w, bool back, enum mig_state state,
                              struct verification *v)
{
    const char *fill =
        back ? change_restore(&w->change, &w->arena) : change_backfill(&w->change, &w->arena);
    struct backfill_result result = {0};
    enum err_code rc = backfill_run(w->m, w->index, &w->change, change_extras(&w->change, back),
                                    state, &result, w->err);

    rc = rc ? rc : backfill_run(w->m, w->index, &w->change, fill, state, &result, w->err);
    verification_fini(v);
    return rc ? rc : walk_check_rows(w, true, v);
}

enum err_code walk_refuse_unclean(struct walk *w, const struct verification *v)
{
    char said[200];
    struct json *reasons = json_array();

    w->unclean = true;
    verify_say(v, said, sizeof said);
    (void)json_append(reasons, json_copy(v->document));
    if (w->waits != NULL) {
        session_report_wait(w->waits, w->migration->name, session_state(w->m, w->index), reasons);
    } else {
        json_free(reasons);
    }
    if (w->fell_back) {
        return err_set(w->err, ERR_CONFLICT, "%.60s fell back to dual-writing: %.100s; %s%.60s%s%s",
                       w->migration->name, said,
                       w->phased->flag != NULL ? "new code must stop reading it: flags off " : "",
                       w->phased->flag != NULL ? w->phased->flag : "",
                       w->phased->flag != NULL ? w->m->flag_option : "",
                       w->phased->flag != NULL ? ", then migrate apply"
                                               : "migrate apply repairs it");
    }
    return err_set(w->err, ERR_CONFLICT, "%.60s stays %s: %s", w->migration->name,
                   mig_state_name(session_state(w->m, w->index)), said);
}

/* In-sync is held only as long as it is true: a mismatch falls back to dual-writing. */
enum err_code walk_fall_back(struct walk *w, const char *why)
{
    struct err unused = {0};
    enum err_code rc = walk_move(w, MIG_DUAL_WRITING, why), told;

    if (rc == ERR_OK) {
        w->fell_back = true;
        told = flag_link_report(w->m, w->index, MIG_DUAL_WRITING, &unused);
        (void)told; /* a server that is away is told by the next run, and keeps the gate closed */
        rc = session_reread(w->m, w->err);
    }
    return rc;
}

enum err_code walk_demand_triggers(struct walk *w)
{
    char which[200];
    enum err_code rc = triggers_look(w->m, &w->change, which, sizeof which, w->err);

    if (rc || which[0] == '\0') {
        return rc;
    }
    rc = walk_fall_back(w, which);
    return rc ? rc
              : err_set(
                    w->err, ERR_CONFLICT,
                    "%.60s fell back to dual-writing: %.150s, so writes were not carried over; "
                    "%s%.60s%s%s `migrate apply` makes it again and looks at every row%s",
                    w->migration->name, which, w->phased->flag != NULL ? "flags off " : "",
                    w->phased->flag != NULL ? w->phased->flag : "",
                    w->phased->flag != NULL ? w->m->flag_option : "",
                    w->phased->flag != NULL ? ", then" : "",
                    w->phased->drop_count == 0
                        ? " (what the old columns became meanwhile it cannot tell from what new "
                          "code wrote: `migrate rollback` and apply fills all anew)"
                        : "");
}

enum err_code walk_reverify_in_sync(struct walk *w, struct verification *v)
{
    enum err_code rc = walk_check_rows(w, true, v);

    if (rc || v->mismatches == 0) {
        return rc ? rc : walk_demand_triggers(w);
    }
    rc = walk_fall_back(w, "verification failed");
    rc = rc ? rc : walk_refuse_unclean(w, v);
    return rc;
}

enum err_code walk_reverify_contracted(struct walk *w, struct verification *v)
{
    return walk_check_rows(w, true, v);
}

const char *walk_insisted(struct walk *w)
{
    struct buf text = {0};
    const char *out = NULL;

    if (w->request->override_gate != NULL) {
        buf_print(&text, "override %s", w->request->override_gate);
    }
    for (size_t i = 0; i < w->m->accept_stale_count; i++) {
        buf_print(&text, "%saccept stale %s", text.len > 0 ? ", " : "", w->m->accept_stale[i]);
    }
    if (text.len > 0) {
        buf_print(&text, ": %s", w->request->reason != NULL ? w->request->reason : "");
        out = arena_text(&w->keep, buf_cstr(&text), text.len);
    }
    buf_fini(&text);
    return out;
}

enum err_code walk_wait_for_clients(struct walk *w, bool old_everywhere, int64_t revision)
{
    int64_t held_us = clock_monotonic_us();
    int64_t until = clock_monotonic_us() + (w->phased->lease_s + LEASE_MARGIN_S) * (int64_t)1000000;
    struct facts_flag flag = {0};

    for (;;) {
        enum err_code rc = flag_link_facts(w->m, w->index, &flag, w->err);
        enum facts_verdict verdict = facts_flag_judge(&flag, old_everywhere);
        if (rc) {
            return rc;
        }
        if (verdict == FACTS_REFUSE) {
            return err_set(w->err, ERR_CONFLICT, "%.60s: flag %.60s: %.100s", w->migration->name,
                           w->phased->flag,
                           flag.known ? "it moved while the step was being prepared" : flag.why);
        }
        if (verdict == FACTS_STEP) {
            return ERR_OK;
        }
        if (clock_monotonic_us() >= until) {
            char gone[CLOCK_TEXT_BYTES];

            return err_set(
                w->err, ERR_CONFLICT,
                "%.60s: clients have not confirmed flag %.60s within their lease: %.100s; one that "
                "stays silent counts until %s after its last word, unless --accept-stale CLIENT "
                "--reason TEXT says that it is gone",
                w->migration->name, w->phased->flag, flag.who,
                clock_span_text(lease_gone_s(w->phased->lease_s) * 1000000, gone));
        }
        session_tell_wait(w->m, w->index, "clients that have not confirmed the flag yet");
        clock_sleep_us(session_look_us(w->m, POLL_US));
        rc = lock_beat(w->m->db, &w->m->lock, w->err);
        if (rc == ERR_OK && clock_monotonic_us() - held_us > HOLD_RENEW_US) {
            rc = flag_link_hold(w->m, w->index, revision, w->err);
            held_us = clock_monotonic_us();
        }
        if (rc) {
            return rc;
        }
    }
}

enum err_code walk_wait_out_lease(struct walk *w)
{
    int64_t until = clock_monotonic_us() + lease_gone_s(w->phased->lease_s) * 1000000;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && clock_monotonic_us() < until) {
        session_tell_wait(w->m, w->index,
                          "the end of what clients may answer that saw the flag on");
        clock_sleep_us(session_look_us(w->m, POLL_US));
        rc = lock_beat(w->m->db, &w->m->lock, w->err);
    }
    return rc;
}
