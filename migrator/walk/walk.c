#include "migrator/change/table_change.h"
#include "migrator/walk/hand_run.h"
#include "migrator/walk/walk_part.h"
#include "migrator/walk/walk_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/nearest.h"
#include "migrator/arrow/touched.h"
#include "migrator/change/triggers.h"
#include "migrator/change/unreadable.h"
#include "migrator/change/way_back.h"
#include "migrator/session/flag_link.h"
#include "migrator/session/recovery.h"
#include "migrator/walk/backfill.h"
#include "migrator/walk/removal.h"

enum err_code walk_validate(struct migrate *m, size_t index, struct err *err)
{
    struct arena arena = {0};
    struct change change;
    enum err_code rc = change_read(m->db, &m->folder.at[index], false, false, &arena, &change, err);

    rc = rc || change.table != NULL ? rc : way_check_triggers(&change, err);
    rc = rc ? rc : unreadable_check(m->db, &change, err);
    rc = rc ? rc : hand_validate(m, index, err);
    arena_fini(&arena);
    return rc;
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
        rc = w->change.table != NULL
                 ? table_change_has_rows(w->m->db, &w->change, &rows, w->err)
                 : shape_has_rows(w->m->db, w->change.shape.table, &rows, w->err);
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
    rc = rc ? rc : walk_move(w, MIG_EXPANDED, NULL);
    return rc ? rc : walk_report_moved(w);
}

static enum err_code forward_dual_write(struct walk *w)
{
    int64_t revision = 0;
    enum err_code rc = walk_pass_gate(w, PHASED_GATE_DUAL_WRITE, NULL, &revision);

    if (rc || w->stop) {
        return rc;
    }
    rc = walk_move(w, MIG_DUAL_WRITING, NULL);
    return rc ? rc : walk_report_moved(w);
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
            "everyone: %.60s; first run: flags off %.60s%s",
            w->migration->name, w->phased->flag_old, flag.known ? "it does not" : flag.why,
            w->phased->flag, w->m->flag_option);
    }
    return rc;
}

/* CREATE INDEX reads the table while it holds the write lock. */
static enum err_code check_index_hold(struct walk *w)
{
    struct json *reasons;
    int64_t rows = 0;
    double ms, bar;
    char why[200];
    enum err_code rc;

    if (w->request->maintenance || !change_makes_indexes(&w->change)) {
        return ERR_OK;
    }
    rc = shape_count_rows(w->m->db, w->change.shape.table, &rows, w->err);
    ms = change_index_hold_ms(&w->change, rows);
    bar = WALK_HOLD_MS + (double)rows / WALK_HOLD_ROWS_PER_MS;
    if (rc || ms <= bar) {
        return rc;
    }
    (void)snprintf(why, sizeof why,
                   "making the index would keep other writers out for about %.0f ms (%.0f are "
                   "allowed); --maintenance permits it",
                   ms, bar);
    if (w->request->explicit_to || w->waits == NULL) {
        return err_set(w->err, ERR_CONFLICT, "%.60s stays dual-writing: %s", w->migration->name,
                       why);
    }
    reasons = json_array();
    (void)json_append(reasons, json_string(why));
    session_report_wait(w->waits, w->migration->name, MIG_DUAL_WRITING, reasons);
    w->stop = true;
    return ERR_OK;
}

static enum err_code forward_in_sync(struct walk *w)
{
    const char *sql = change_backfill(&w->change, &w->arena);
    int64_t since = clock_monotonic_us(), since_wall = clock_wall_ms();
    struct backfill_result result = {0};
    struct verification v = {0};
    char which[200] = "";
    enum err_code rc = demand_flag_off(w);

    if (rc) {
        return rc;
    }
    rc = triggers_look(w->m, &w->change, which, sizeof which, w->err);
    if (rc == ERR_OK && which[0] != '\0') {
        rc = triggers_mend(w->m, w->index, &w->change, which, w->err);
    }
    if (rc == ERR_OK && sql != NULL) {
        rc = backfill_run(w->m, w->index, &w->change, sql, MIG_DUAL_WRITING, &result, w->err);
    }
    if (rc == ERR_OK && w->change.fill_nulls != NULL) {
        struct backfill_result nulls = {0};
        rc = backfill_run(w->m, w->index, &w->change, w->change.fill_nulls, MIG_DUAL_WRITING,
                          &nulls, w->err);
        result.failed = result.failed || nulls.failed;
        result.changed += nulls.changed;
        result.batches += nulls.batches;
        result.held_us += nulls.held_us;
        result.longest_hold_us = nulls.longest_hold_us > result.longest_hold_us
                                     ? nulls.longest_hold_us
                                     : result.longest_hold_us;
    }
    w->batch_failed = result.failed;
    rc = rc ? rc : check_index_hold(w); /* all that is long and holds nobody up is done by now */
    if (rc || w->stop) {
        return rc;
    }
    rc = walk_check_rows(w, true, &v);
    if (rc == ERR_OK && v.mismatches > 0 && change_extras(&w->change, false) != NULL) {
        rc = walk_fill_again(w, false, MIG_DUAL_WRITING, &v);
    }
    if (rc == ERR_OK && !v.clean) {
        rc = walk_refuse_unclean(w, &v);
    }
    if (rc == ERR_OK) {
        rc = arrow_run_long(w->m, w->index, &w->change, MIG_DUAL_WRITING, MIG_IN_SYNC, since_wall,
                            result.changed, w->steps, w->err);
    }
    if (rc == ERR_OK) { /* the arrow itself is short: what took long is told with it */
        struct json *step = session_last_step(w->steps);
        (void)json_put_number(step, "duration_ms", (double)(clock_monotonic_us() - since) / 1000.0);
        (void)json_put_number(step, "rows", (double)v.rows);
        (void)json_put_number(step, "backfilled", (double)result.changed);
        (void)json_put_number(step, "batches", (double)result.batches);
        (void)json_put_number(step, "longest_hold_ms", (double)result.longest_hold_us / 1000.0);
        (void)json_put_number(step, "held_ms", (double)result.held_us / 1000.0);
        (void)json_put(step, "verify", json_copy(v.document));
    }
    verification_fini(&v);
    rc = rc ? rc : walk_read_change(w);
    return rc ? rc : walk_report_moved(w);
}

/* What no row may be from contract on; NULL: no memory. */
static const char *contract_fault(struct walk *w)
{
    const char *violated = change_violated(&w->change, &w->keep);

    return violated == NULL ? NULL
           : w->phased->drop_count > 0
               ? arena_print(&w->keep, "(%s) OR NOT (%s)", violated, w->change.consistent)
               : violated;
}

/* On a large table no transaction looks at every row: all are verified once more without a lock,
 * while those that are written meanwhile are noted. *fault NULL: the table is small. */
static enum err_code look_before_contract(struct walk *w, const char **fault)
{
    struct verification v = {0};
    int64_t rows = 0;
    enum err_code rc = ERR_OK;

    *fault = NULL;
    if (w->change.table != NULL) {
        return ERR_OK; /* a whole table is renamed: nothing is declared anew */
    }
    rc = shape_count_rows(w->m->db, w->change.shape.table, &rows, w->err);
    if (rc || rows <= TOUCHED_MIN_ROWS) {
        return rc;
    }
    *fault = contract_fault(w);
    rc = *fault != NULL ? touched_begin(w->m, w->index, &w->change, w->err)
                        : err_set(w->err, ERR_NOMEM, "out of memory");
    rc = rc ? rc : walk_read_change(w);
    rc = rc ? rc : walk_reverify_in_sync(w, &v);
    if (rc == ERR_OK && !v.clean) {
        rc = walk_refuse_unclean(w, &v);
    }
    verification_fini(&v);
    return rc ? rc : touched_catch_up(w->m, w->index, &w->change, *fault, w->err);
}

static enum err_code forward_contract(struct walk *w)
{
    const char *fault = NULL;
    const char *reason = walk_insisted(w);
    bool tied = w->phased->flag != NULL;
    bool overrides_flag = w->request->override_gate != NULL &&
                          strcmp(w->request->override_gate, "flag-on-everywhere") == 0;
    bool overrides_clients = w->request->override_gate != NULL &&
                             strcmp(w->request->override_gate, "no-client-behind") == 0;
    int64_t revision = 0;
    enum err_code rc = walk_pass_gate(w, PHASED_GATE_CONTRACT, walk_reverify_in_sync, &revision);

    if (rc || w->stop) {
        if (tied && session_state(w->m, w->index) == MIG_IN_SYNC) {
            walk_try_release(w); /* of a run that was killed between hold and contract */
        }
        return rc;
    }
    rc = look_before_contract(w, &fault);
    if (rc == ERR_OK && tied && !overrides_flag) {
        rc = flag_link_hold(w->m, w->index, revision, w->err);
        rc = rc || overrides_clients ? rc : walk_wait_for_clients(w, false, revision);
        /* Renewed right before the step: whoever was asleep meanwhile finds out here. */
        rc = rc ? rc : flag_link_hold(w->m, w->index, revision, w->err);
    }
    if (rc == ERR_OK && fault != NULL) {
        rc = touched_catch_up(w->m, w->index, &w->change, fault, w->err);
    }
    if (rc) {
        if (fault != NULL) {
            touched_end(w->m, &w->change);
        }
        walk_try_release(w);
        return rc;
    }
    rc = walk_move(w, MIG_CONTRACTED, reason);
    if (rc) {
        if (fault != NULL) {
            touched_end(w->m, &w->change);
        }
        walk_release_if_in_sync(w);
        return rc;
    }
    return walk_report_moved(w);
}

/* ---- purge ---- */

static enum err_code forward_purge(struct walk *w)
{
    struct backfill_result emptied = {0};
    const char *reason;
    int64_t revision = 0;
    bool begun =
        w->change.table != NULL ? table_purge_begun(w->m, w->index) : removal_begun(w->m, w->index);
    enum err_code rc =
        begun ? ERR_OK /* by a run that did not come to its end */
              : walk_pass_gate(w, PHASED_GATE_PURGE, walk_reverify_contracted, &revision);

    if (rc || w->stop) {
        return rc;
    }
    if (change_sets_aside(&w->change) && !begun) {
        rc = recovery_make(w->m, w->index, "purge", &w->request->recovery, &w->keep, &w->recovery,
                           w->err);
    }
    rc = rc ? rc : table_prepare(w->m, w->index, &w->change, MIG_CONTRACTED, MIG_PURGED, w->err);
    rc = rc ? rc
            : removal_prepare(w->m, w->index, &w->change, w->request->rewrite, &w->m->keep_aside,
                              &emptied, w->err);
    if (rc) {
        return rc;
    }
    reason = w->recovery != NULL ? arena_print(&w->keep, "recovery point %s", w->recovery) : NULL;
    rc =
        arrow_run(w->m, w->index, &w->change, MIG_CONTRACTED, MIG_PURGED, reason, w->steps, w->err);
    if (rc == ERR_OK && w->recovery != NULL) {
        (void)json_put_text(session_last_step(w->steps), "recovery_point", w->recovery);
    }
    if (rc == ERR_OK && w->m->keep_aside) {
        struct json *step = session_last_step(w->steps);
        (void)json_put_bool(step, "columns_left", true);
        (void)json_put_number(step, "batches", (double)emptied.batches);
        (void)json_put_number(step, "longest_hold_ms", (double)emptied.longest_hold_us / 1000.0);
        (void)json_put_number(step, "held_ms", (double)emptied.held_us / 1000.0);
    }
    w->m->keep_aside = false;
    return rc ? rc : walk_report_moved(w);
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

/* One arrow, with the watch that its phase has. */
static enum err_code watched_forward(struct walk *w)
{
    enum mig_state from = session_state(w->m, w->index);
    enum phased_watch which =
        from == MIG_DUAL_WRITING ? PHASED_WATCH_BACKFILL : PHASED_WATCH_CONTRACT;
    enum err_code rc = walk_not_paused(w);

    if (rc || from < MIG_DUAL_WRITING) {
        return rc ? rc : one_forward(w);
    }
    watch_begin(&w->watch, w->m, w->index, which, &w->change);
    rc = one_forward(w);
    watch_end(w->m);
    if (rc == ERR_OK && session_state(w->m, w->index) != from) {
        watch_describe(&w->watch, session_last_step(w->steps));
    }
    if (w->phased->on_failure[which] != PHASED_STAY &&
        ((rc == ERR_CONFLICT && w->watch.triggered) ||
         (rc != ERR_OK && (w->unclean || w->batch_failed) && which == PHASED_WATCH_BACKFILL))) {
        rc = walk_failed(w, which);
    }
    return rc;
}

/* Each phase is looked at again right before it: the walk may have taken days. */
static enum err_code hold_to_plan(const struct walk *w)
{
    bool fresh = w->m->fresh && w->request->to >= MIG_CONTRACTED;
    enum mig_state to = (enum mig_state)(session_state(w->m, w->index) + 1);

    if (w->request->hold == NULL) {
        return ERR_OK;
    }
    to = fresh && to == MIG_EXPANDED ? w->request->to : to;
    return w->request->hold(w->m, w->request->plan, w->index, to, fresh, w->err);
}

enum err_code walk_forward(struct migrate *m, size_t index, const struct walk_request *request,
                           struct json *steps, struct json *waits, struct err *err)
{
    struct walk walk;
    enum mig_state began = session_state(m, index);
    enum err_code rc;

    walk_init(&walk, m, index, request, steps, waits, err);
    rc = walk_read_change(&walk);
    while (rc == ERR_OK && !walk.stop && session_state(m, index) < request->to) {
        rc = hold_to_plan(&walk);
        rc = rc ? rc : watched_forward(&walk);
    }
    if (rc == ERR_OK && request->watch_s > 0 && began < MIG_CONTRACTED &&
        session_state(m, index) == MIG_CONTRACTED) {
        rc = walk_stay(&walk);
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
    rc = walk_read_change(&walk);
    rc = rc ? rc : walk_check_rows(&walk, true, &v);
    if (rc == ERR_OK) {
        *document = json_copy(v.document);
        if (session_state(m, index) == MIG_IN_SYNC) {
            rc = v.mismatches > 0 ? walk_fall_back(&walk, "verification failed")
                                  : walk_demand_triggers(&walk);
        }
    }
    if (rc == ERR_OK && !v.clean) {
        rc = walk_refuse_unclean(&walk, &v);
    }
    verification_fini(&v);
    json_free(steps);
    arena_fini(&walk.arena);
    return rc;
}
