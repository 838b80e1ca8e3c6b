#include "migrator/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/nearest.h"
#include "migrator/arrows.h"
#include "migrator/backfill.h"
#include "migrator/flag_link.h"
#include "migrator/gate.h"
#include "migrator/verify.h"
#include "migrator/way_back.h"

#define POLL_US 500000        /* how often a closed gate is looked at again */
#define VERIFY_FRESH_MS 20000 /* a gate's facts must not be older than 30 s */
#define LEASE_MARGIN_S 30     /* beyond a client's lease, for clocks and slow polls */

struct walk {
    struct migrate *m;
    size_t index;
    const struct migration *migration;
    const struct phased *phased;
    const struct walk_request *request;
    struct json *steps, *waits;
    struct arena arena; /* the change of the state of the moment */
    struct change change;
    struct arena keep;    /* what outlives that */
    const char *recovery; /* the file of the recovery point, or NULL */
    bool stop;            /* a gate is closed, and nobody insisted */
    bool fell_back;       /* a verification failed in in-sync */
    struct err *err;
};

static void walk_init(struct walk *w, struct migrate *m, size_t index,
                      const struct walk_request *request, struct json *steps, struct json *waits,
                      struct err *err)
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

static enum err_code read_change(struct walk *w)
{
    enum mig_state state = session_state(w->m, w->index);

    arena_fini(&w->arena);
    return change_read(w->m->db, w->migration, state != MIG_PENDING, state >= MIG_CONTRACTED,
                       &w->arena, &w->change, w->err);
}

static enum err_code move(struct walk *w, enum mig_state to, const char *reason)
{
    enum mig_state from = session_state(w->m, w->index);
    enum err_code rc = arrow_run(w->m, w->index, &w->change, from, to, reason, w->steps, w->err);

    return rc ? rc : read_change(w);
}

/* Says the state after the database has moved; a failure here leaves the database right. */
static enum err_code report_moved(struct walk *w)
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

enum err_code walk_validate(struct migrate *m, size_t index, struct err *err)
{
    struct arena arena = {0};
    struct change change;
    enum err_code rc = change_read(m->db, &m->folder.at[index], false, false, &arena, &change, err);

    rc = rc ? rc : way_check_triggers(&change, err);
    arena_fini(&arena);
    return rc;
}

/* Gives a hold back where another error is already on its way. */
static void try_release(struct walk *w)
{
    struct err unused = {0};
    enum err_code rc = flag_link_release(w->m, w->index, &unused);

    (void)rc; /* a hold that stays is released by the next rollback, and keeps the flag safe */
}

/* The arrow may have been committed before it failed: where old code's columns are gone already,
 * or nobody can say so, the flag must not move. */
static void release_if_in_sync(struct walk *w)
{
    struct err unused = {0};

    if (session_reread(w->m, &unused) == ERR_OK && session_state(w->m, w->index) == MIG_IN_SYNC) {
        try_release(w);
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
static enum err_code pass_gate(struct walk *w, enum phased_gate which,
                               enum err_code (*reverify)(struct walk *, struct verification *),
                               int64_t *revision)
{
    int64_t until = clock_monotonic_us() + (int64_t)w->request->wait_s * 1000000;
    struct verification v = {0};
    enum err_code rc = reverify != NULL ? reverify(w, &v) : ERR_OK;

    while (rc == ERR_OK) {
        struct gate gate = {0};
        bool open;
        if (reverify != NULL && clock_wall_ms() - v.at_ms > VERIFY_FRESH_MS) {
            verification_fini(&v);
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
        clock_sleep_us(POLL_US);
        rc = lock_beat(w->m->db, &w->m->lock, w->err);
    }
    verification_fini(&v);
    return rc;
}

/* ---- verification ---- */

static enum err_code verify(struct walk *w, bool deep, struct verification *v)
{
    enum err_code rc = verify_run(w->m, w->index, &w->change, deep, v, w->err);

    rc = rc ? rc : verify_store(w->m, w->index, v, w->err);
    return rc;
}

static enum err_code refuse_unclean(struct walk *w, const struct verification *v)
{
    char said[200];
    struct json *reasons = json_array();

    verify_say(v, said, sizeof said);
    (void)json_append(reasons, json_copy(v->document));
    if (w->waits != NULL) {
        session_report_wait(w->waits, w->migration->name, session_state(w->m, w->index), reasons);
    } else {
        json_free(reasons);
    }
    if (w->fell_back) {
        return err_set(w->err, ERR_CONFLICT, "%.60s fell back to dual-writing: %.100s; %s%.60s%s",
                       w->migration->name, said,
                       w->phased->flag != NULL ? "new code must stop reading it: flags off " : "",
                       w->phased->flag != NULL ? w->phased->flag : "",
                       w->phased->flag != NULL ? ", then migrate apply"
                                               : "migrate apply repairs it");
    }
    return err_set(w->err, ERR_CONFLICT, "%.60s stays %s: %s", w->migration->name,
                   mig_state_name(session_state(w->m, w->index)), said);
}

/* In-sync is held only as long as it is true: a mismatch falls back to dual-writing. */
static enum err_code fall_back(struct walk *w)
{
    struct err unused = {0};
    enum err_code rc = move(w, MIG_DUAL_WRITING, "verification failed"), told;

    if (rc == ERR_OK) {
        w->fell_back = true;
        told = flag_link_report(w->m, w->index, MIG_DUAL_WRITING, &unused);
        (void)told; /* a server that is away is told by the next run, and keeps the gate closed */
        rc = session_reread(w->m, w->err);
    }
    return rc;
}

static enum err_code reverify_in_sync(struct walk *w, struct verification *v)
{
    enum err_code rc = verify(w, true, v);

    if (rc || v->mismatches == 0) {
        return rc;
    }
    rc = fall_back(w);
    rc = rc ? rc : refuse_unclean(w, v);
    return rc;
}

static enum err_code reverify_contracted(struct walk *w, struct verification *v)
{
    return verify(w, true, v);
}

/* ---- forward ---- */

static enum err_code go_fresh(struct walk *w)
{
    return arrow_run(w->m, w->index, &w->change, MIG_PENDING, MIG_PURGED, "a fresh database",
                     w->steps, w->err);
}

/* A database that nobody used yet has nothing to walk for. */
static enum err_code is_fresh(struct walk *w, bool *out)
{
    bool rows = true;
    enum err_code rc = ERR_OK;

    *out = w->m->fresh && (!w->request->explicit_to || w->request->to >= MIG_CONTRACTED);
    if (*out) {
        rc = shape_has_rows(w->m->db, w->change.shape.table, &rows, w->err);
        *out = !rows;
    }
    return rc;
}

static enum err_code forward_expand(struct walk *w)
{
    bool fresh = false;
    enum err_code rc = is_fresh(w, &fresh);

    if (rc || fresh) {
        return rc ? rc : go_fresh(w);
    }
    rc = flag_link_check_flag(w->m, w->index, w->err);
    /* First the server: from now on the flag may only answer old, and it must be able to. */
    rc = rc ? rc : flag_link_report(w->m, w->index, MIG_EXPANDED, w->err);
    rc = rc ? rc : move(w, MIG_EXPANDED, NULL);
    return rc ? rc : report_moved(w);
}

static enum err_code forward_dual_write(struct walk *w)
{
    int64_t revision = 0;
    enum err_code rc = pass_gate(w, PHASED_GATE_DUAL_WRITE, NULL, &revision);

    if (rc || w->stop) {
        return rc;
    }
    rc = move(w, MIG_DUAL_WRITING, NULL);
    return rc ? rc : report_moved(w);
}

/* The backfill believes the old shape, so no new code may have written yet. */
static enum err_code demand_flag_off(struct walk *w)
{
    struct facts_flag flag = {0};
    enum err_code rc;

    if (w->phased->flag == NULL) {
        return ERR_OK;
    }
    rc = flag_link_facts(w->m, w->index, &flag, w->err);
    if (rc == ERR_OK && (!flag.known || !flag.disabled_everywhere)) {
        rc = err_set(
            w->err, ERR_CONFLICT,
            "%.60s: the backfill believes the old shape, so the flag must answer '%.40s' to "
            "everyone: %.60s; first run: flags off %.60s",
            w->migration->name, w->phased->flag_old, flag.known ? "it does not" : flag.why,
            w->phased->flag);
    }
    return rc;
}

static enum err_code forward_in_sync(struct walk *w)
{
    const char *sql = change_backfill(&w->change, &w->arena);
    int64_t since = clock_monotonic_us(), since_wall = clock_wall_ms();
    struct backfill_result result = {0};
    struct verification v = {0};
    enum err_code rc = demand_flag_off(w);

    if (rc == ERR_OK && sql != NULL) {
        rc = backfill_run(w->m, w->index, &w->change, sql, MIG_DUAL_WRITING, &result, w->err);
    }
    rc = rc ? rc : verify(w, true, &v);
    if (rc == ERR_OK && !v.clean) {
        rc = refuse_unclean(w, &v);
    }
    if (rc == ERR_OK) {
        rc = arrow_run_long(w->m, w->index, &w->change, MIG_DUAL_WRITING, MIG_IN_SYNC, since_wall,
                            result.changed, w->steps, w->err);
    }
    if (rc == ERR_OK) { /* the arrow itself is short: what took long is told with it */
        struct json *step = json_first(w->steps);
        while (json_next(step) != NULL) {
            step = json_next(step);
        }
        (void)json_put_number(step, "duration_ms", (double)(clock_monotonic_us() - since) / 1000.0);
        (void)json_put_number(step, "rows", (double)v.rows);
        (void)json_put_number(step, "backfilled", (double)result.changed);
        (void)json_put_number(step, "batches", (double)result.batches);
        (void)json_put_number(step, "longest_hold_ms", (double)result.longest_hold_us / 1000.0);
        (void)json_put(step, "verify", json_copy(v.document));
    }
    verification_fini(&v);
    rc = rc ? rc : read_change(w);
    return rc ? rc : report_moved(w);
}

/* Waits until every client has confirmed the flag as it is held now; who is silent for longer than
 * its lease answers the safe variant by itself. */
static enum err_code wait_for_clients(struct walk *w, bool old_everywhere)
{
    int64_t until = clock_monotonic_us() + (w->phased->lease_s + LEASE_MARGIN_S) * (int64_t)1000000;
    struct facts_flag flag = {0};

    for (;;) {
        enum err_code rc = flag_link_facts(w->m, w->index, &flag, w->err);
        bool right = old_everywhere ? flag.disabled_everywhere : flag.enabled_everywhere;
        if (rc) {
            return rc;
        }
        if (!flag.known || !right) {
            return err_set(w->err, ERR_CONFLICT, "%.60s: flag %.60s: %.100s", w->migration->name,
                           w->phased->flag,
                           flag.known ? "it moved while the step was being prepared" : flag.why);
        }
        if (flag.clients_behind == 0) {
            return ERR_OK;
        }
        if (clock_monotonic_us() >= until) {
            return err_set(
                w->err, ERR_CONFLICT,
                "%.60s: clients have not confirmed flag %.60s within their lease: %.100s",
                w->migration->name, w->phased->flag, flag.who);
        }
        session_tell_wait(w->m, w->index, "clients that have not confirmed the flag yet");
        clock_sleep_us(POLL_US);
        rc = lock_beat(w->m->db, &w->m->lock, w->err);
        if (rc) {
            return rc;
        }
    }
}

static enum err_code forward_contract(struct walk *w)
{
    const char *reason = w->request->override_gate != NULL
                             ? arena_print(&w->arena, "override %s: %s", w->request->override_gate,
                                           w->request->reason)
                             : NULL;
    bool tied = w->phased->flag != NULL;
    bool overrides_flag = w->request->override_gate != NULL &&
                          strcmp(w->request->override_gate, "flag-on-everywhere") == 0;
    bool overrides_clients = w->request->override_gate != NULL &&
                             strcmp(w->request->override_gate, "no-client-behind") == 0;
    int64_t revision = 0;
    enum err_code rc = pass_gate(w, PHASED_GATE_CONTRACT, reverify_in_sync, &revision);

    if (rc || w->stop) {
        if (tied && session_state(w->m, w->index) == MIG_IN_SYNC) {
            try_release(w); /* of a run that was killed between hold and contract */
        }
        return rc;
    }
    if (tied && !overrides_flag) {
        rc = flag_link_hold(w->m, w->index, revision, w->err);
        rc = rc || overrides_clients ? rc : wait_for_clients(w, false);
    }
    if (rc) {
        try_release(w);
        return rc;
    }
    rc = move(w, MIG_CONTRACTED, reason);
    if (rc) {
        release_if_in_sync(w);
        return rc;
    }
    return report_moved(w);
}

/* ---- purge ---- */

static enum err_code recovery_point(struct walk *w)
{
    const char *url = database_url(w->m->db), *path = strchr(url, ':');
    const char *given = w->request->recovery_point;
    const struct database_capabilities *capabilities = NULL;
    char stamp[CLOCK_TEXT_BYTES], compact[CLOCK_TEXT_BYTES], *to = compact;
    enum err_code rc = database_probe(w->m->db, &capabilities, w->err);

    if (rc || !capabilities->snapshot || (given != NULL && strcmp(given, "none") == 0)) {
        return rc;
    }
    (void)clock_text(clock_wall_ms(), stamp);
    for (const char *p = stamp; *p != '\0' && *p != '.'; p++) {
        if (*p != '-' && *p != ':') {
            *to++ = *p;
        }
    }
    *to = '\0';
    w->recovery = given != NULL
                      ? given
                      : arena_print(&w->keep, "%s.before-purge-%ld-%sZ",
                                    path != NULL ? path + 1 : url, w->migration->number, compact);
    return w->recovery != NULL ? database_snapshot(w->m->db, w->recovery, w->err)
                               : err_set(w->err, ERR_NOMEM, "out of memory");
}

static enum err_code forward_purge(struct walk *w)
{
    const char *reason;
    int64_t revision = 0;
    enum err_code rc = pass_gate(w, PHASED_GATE_PURGE, reverify_contracted, &revision);

    if (rc || w->stop) {
        return rc;
    }
    rc = w->phased->drop_count > 0 ? recovery_point(w) : ERR_OK;
    if (rc) {
        return rc;
    }
    reason = w->recovery != NULL ? arena_print(&w->keep, "recovery point %s", w->recovery) : NULL;
    rc =
        arrow_run(w->m, w->index, &w->change, MIG_CONTRACTED, MIG_PURGED, reason, w->steps, w->err);
    if (rc == ERR_OK && w->recovery != NULL) {
        struct json *step = json_first(w->steps);
        while (json_next(step) != NULL) {
            step = json_next(step);
        }
        (void)json_put_text(step, "recovery_point", w->recovery);
    }
    return rc ? rc : report_moved(w);
}

static enum err_code one_forward(struct walk *w)
{
    switch (session_state(w->m, w->index)) {
    case MIG_PENDING: return forward_expand(w);
    case MIG_EXPANDED: return forward_dual_write(w);
    case MIG_DUAL_WRITING: return forward_in_sync(w);
    case MIG_IN_SYNC: return forward_contract(w);
    case MIG_CONTRACTED: return forward_purge(w);
    default: break;
    }
    w->stop = true;
    return ERR_OK;
}

enum err_code walk_forward(struct migrate *m, size_t index, const struct walk_request *request,
                           struct json *steps, struct json *waits, struct err *err)
{
    struct walk walk;
    enum err_code rc;

    walk_init(&walk, m, index, request, steps, waits, err);
    rc = read_change(&walk);
    while (rc == ERR_OK && !walk.stop && session_state(m, index) < request->to) {
        rc = one_forward(&walk);
    }
    arena_fini(&walk.arena);
    arena_fini(&walk.keep);
    return rc;
}

/* ---- back ---- */

/* What was written since contract must be in the set-aside columns before old code gets them
 * back. */
static enum err_code back_to_in_sync(struct walk *w)
{
    struct verification v = {0};
    const char *sql = change_restore(&w->change, &w->arena);
    struct backfill_result result = {0};
    enum err_code rc = verify(w, false, &v);

    if (rc == ERR_OK && v.mismatches > 0 && sql != NULL) {
        rc = backfill_run(w->m, w->index, &w->change, sql, MIG_CONTRACTED, &result, w->err);
        verification_fini(&v);
        rc = rc ? rc : verify(w, false, &v);
    }
    if (rc == ERR_OK && v.mismatches > 0) {
        rc = refuse_unclean(w, &v);
    }
    verification_fini(&v);
    rc = rc ? rc : move(w, MIG_IN_SYNC, w->request->without_flag_server_reason);
    if (rc || w->request->without_flag_server_reason != NULL) {
        return rc;
    }
    rc = report_moved(w);
    return rc ? rc : flag_link_release(w->m, w->index, w->err);
}

static enum err_code demand_old_everywhere(struct walk *w, struct facts_flag *flag)
{
    enum err_code rc = flag_link_facts(w->m, w->index, flag, w->err);

    if (rc) {
        return rc;
    }
    if (!flag->known) {
        return err_set(w->err, ERR_CONFLICT,
                       "%.60s: %.100s; if the flag server is lost for good, `migrate rollback "
                       "--without-flag-server --reason TEXT` waits out the lease instead",
                       w->migration->name, flag->why);
    }
    if (!flag->disabled_everywhere) {
        return err_set(w->err, ERR_CONFLICT,
                       "%.60s: below in-sync new code breaks, and flag %.60s can still answer "
                       "'%.30s'. First run: %sflags off %.60s",
                       w->migration->name, w->phased->flag, w->phased->flag_new,
                       session_state(w->m, w->index) == MIG_CONTRACTED
                           ? "migrate rollback --to in-sync, and then: "
                           : "",
                       w->phased->flag);
    }
    return ERR_OK;
}

/* Below in-sync new code breaks: the flag must answer old to everyone, and stay so. */
static enum err_code leave_in_sync(struct walk *w)
{
    struct facts_flag flag = {0};
    enum err_code rc;

    if (w->phased->flag == NULL) {
        return move(w, MIG_DUAL_WRITING, NULL);
    }
    if (w->request->without_flag_server_reason != NULL) {
        /* Nobody can say what the flag answers: whoever holds an old answer forgets it by then. */
        int64_t until =
            clock_monotonic_us() + (w->phased->lease_s + LEASE_MARGIN_S) * (int64_t)1000000;
        for (rc = ERR_OK; rc == ERR_OK && clock_monotonic_us() < until;) {
            session_tell_wait(w->m, w->index, "the lease of clients that saw the flag on");
            clock_sleep_us(POLL_US);
            rc = lock_beat(w->m->db, &w->m->lock, w->err);
        }
        return rc ? rc : move(w, MIG_DUAL_WRITING, w->request->without_flag_server_reason);
    }
    rc = demand_old_everywhere(w, &flag);
    rc = rc ? rc : flag_link_hold(w->m, w->index, flag.revision, w->err);
    rc = rc ? rc : wait_for_clients(w, true);
    rc = rc ? rc : move(w, MIG_DUAL_WRITING, NULL);
    if (rc == ERR_OK) {
        rc = report_moved(w);
    }
    if (rc) {
        try_release(w);
        return rc;
    }
    return flag_link_release(w->m, w->index, w->err);
}

static enum err_code one_back(struct walk *w)
{
    enum mig_state from = session_state(w->m, w->index);
    bool report = w->request->without_flag_server_reason == NULL;
    enum err_code rc;

    if (from == MIG_CONTRACTED) {
        return back_to_in_sync(w);
    }
    if (from == MIG_IN_SYNC) {
        return leave_in_sync(w);
    }
    if (from == MIG_EXPANDED && report) {
        /* Told first: afterwards there is no row that would remember to tell it. Both states bear
         * the same answers. */
        rc = flag_link_report(w->m, w->index, MIG_PENDING, w->err);
        return rc ? rc : move(w, MIG_PENDING, NULL);
    }
    rc = move(w, (enum mig_state)(from - 1), w->request->without_flag_server_reason);
    return rc || !report ? rc : report_moved(w);
}

/* What would stop the way back half-way is said before the first step. */
static enum err_code check_back(struct walk *w)
{
    enum mig_state state = session_state(w->m, w->index);
    struct facts_flag flag = {0};

    if (state == MIG_PURGED) {
        return err_set(w->err, ERR_CONFLICT,
                       "%.80s is purged: what was set aside is gone, and there is no way back (a "
                       "recovery point was made before, see lockstep_history)",
                       w->migration->name);
    }
    if (w->phased->flag == NULL || w->request->without_flag_server_reason != NULL) {
        return ERR_OK;
    }
    if (w->m->options.flag_server == NULL) {
        return flag_link_check_flag(w->m, w->index, w->err);
    }
    if (state == MIG_IN_SYNC) {
        try_release(w); /* of a run that was killed between hold and contract */
    }
    /* Also from dual-writing: a failed verification may have led there while new code was running. */
    return w->request->to < MIG_IN_SYNC ? demand_old_everywhere(w, &flag) : ERR_OK;
}

enum err_code walk_back(struct migrate *m, size_t index, const struct walk_request *request,
                        struct json *steps, struct err *err)
{
    struct walk walk;
    enum err_code rc;

    walk_init(&walk, m, index, request, steps, NULL, err);
    rc = check_back(&walk);
    rc = rc ? rc : read_change(&walk);
    if (rc == ERR_OK && request->to == MIG_PENDING) {
        rc = way_back_check(m, index, &walk.change, err);
    }
    while (rc == ERR_OK && session_state(m, index) > request->to) {
        rc = one_back(&walk);
    }
    arena_fini(&walk.arena);
    arena_fini(&walk.keep);
    return rc;
}

/* ---- for others ---- */

enum err_code walk_parse_state(const char *text, enum mig_state *out, struct err *err)
{
    const char *const *names = mig_state_names();
    const char *nearest;
    size_t count = 0;

    if (mig_state_parse(text, out) && *out != MIG_APPLIED) {
        return ERR_OK;
    }
    while (names[count] != NULL) {
        count++;
    }
    nearest = nearest_name(text, names, count);
    return err_set(
        err, ERR_INVALID,
        "'%.40s' is no state%s%s%s (pending, expanded, dual-writing, in-sync, contracted, "
        "purged)",
        text, nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
        nearest != NULL ? "'?" : "");
}

enum err_code walk_verify(struct migrate *m, size_t index, struct json **document, struct err *err)
{
    struct walk walk;
    struct verification v = {0};
    struct json *steps = json_array();
    enum err_code rc;

    walk_init(&walk, m, index, NULL, steps, NULL, err);
    rc = read_change(&walk);
    rc = rc ? rc : verify(&walk, true, &v);
    if (rc == ERR_OK) {
        *document = json_copy(v.document);
        if (v.mismatches > 0 && session_state(m, index) == MIG_IN_SYNC) {
            rc = fall_back(&walk);
        }
    }
    if (rc == ERR_OK && !v.clean) {
        rc = refuse_unclean(&walk, &v);
    }
    verification_fini(&v);
    json_free(steps);
    arena_fini(&walk.arena);
    return rc;
}
