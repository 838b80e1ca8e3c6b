/*
 * walk_back(): a phased migration's way back, arrow by arrow.
 */
#include <string.h>

#include "base/clock.h"
#include "migrator/change/way_back.h"
#include "migrator/session/flag_link.h"
#include "migrator/walk/backfill.h"
#include "migrator/walk/hand_run.h"
#include "migrator/walk/removal.h"
#include "migrator/walk/walk_part.h"
#include "migrator/walk/walk_table.h"

/* ---- back ---- */

/* What was written since contract must be in the set-aside columns before old code gets them
 * back. */
static enum err_code back_to_in_sync(struct walk *w)
{
    struct verification v = {0};
    const char *sql = change_restore(&w->change, &w->arena);
    struct backfill_result result = {0};
    enum err_code rc = walk_check_rows(w, false, &v);

    if (rc == ERR_OK && v.mismatches > 0 && sql != NULL) {
        if (change_extras(&w->change, true) != NULL) {
            rc = walk_fill_again(w, true, MIG_CONTRACTED, &v);
        } else {
            rc = backfill_run(w->m, w->index, &w->change, sql, MIG_CONTRACTED, &result, w->err);
            verification_fini(&v);
            rc = rc ? rc : walk_check_rows(w, false, &v);
        }
    }
    if (rc == ERR_OK && v.mismatches > 0) {
        rc = walk_refuse_unclean(w, &v);
    }
    verification_fini(&v);
    rc = rc ? rc : walk_move(w, MIG_IN_SYNC, w->request->without_flag_server_reason);
    if (rc || w->request->without_flag_server_reason != NULL) {
        return rc;
    }
    rc = walk_report_moved(w);
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
                       "'%.30s'. First run: %sflags off %.60s%s",
                       w->migration->name, w->phased->flag, w->phased->flag_new,
                       session_state(w->m, w->index) == MIG_CONTRACTED
                           ? "migrate rollback --to in-sync, and then: "
                           : "",
                       w->phased->flag, w->m->flag_option);
    }
    if (flag->clients_without_lease > 0) {
        return err_set(w->err, ERR_CONFLICT,
                       "%.60s: clients that honour no lease may go on with '%.30s' for ever: "
                       "%.250s; --accept-stale CLIENT --reason TEXT accepts one",
                       w->migration->name, w->phased->flag_new, flag->stale);
    }
    return ERR_OK;
}

/* Below in-sync new code breaks: the flag must answer old to everyone, and stay so. */
static enum err_code leave_in_sync(struct walk *w)
{
    struct facts_flag flag = {0};
    enum err_code rc;

    if (w->phased->flag == NULL) {
        return walk_move(w, MIG_DUAL_WRITING, NULL);
    }
    if (w->request->without_flag_server_reason != NULL) {
        /* Nobody can say what the flag answers: who holds an old answer gives none any more by then. */
        rc = walk_wait_out_lease(w);
        return rc ? rc : walk_move(w, MIG_DUAL_WRITING, w->request->without_flag_server_reason);
    }
    rc = demand_old_everywhere(w, &flag);
    rc = rc ? rc : flag_link_hold(w->m, w->index, flag.revision, w->err);
    rc = rc ? rc : walk_wait_for_clients(w, true, flag.revision);
    rc = rc ? rc : flag_link_hold(w->m, w->index, flag.revision, w->err);
    rc = rc ? rc : walk_move(w, MIG_DUAL_WRITING, walk_insisted(w));
    if (rc == ERR_OK) {
        rc = walk_report_moved(w);
    }
    if (rc) {
        /* Not where the database has moved and the server does not know it: freed, the flag could be
         * turned on. The next run tells it. */
        walk_release_if_in_sync(w);
        return rc;
    }
    return flag_link_release(w->m, w->index, w->err);
}

/* What new code wrote goes with the added columns: a copy of the database keeps it. */
static enum err_code to_pending(struct walk *w)
{
    enum err_code rc = ERR_OK;
    const char *reason = w->request->without_flag_server_reason;

    if (w->change.restore_nulls != NULL) { /* before NOT NULL holds again */
        struct backfill_result result = {0};
        rc = backfill_run(w->m, w->index, &w->change, w->change.restore_nulls, MIG_EXPANDED,
                          &result, w->err);
    }
    if (rc == ERR_OK && w->loses) {
        rc = recovery_make(w->m, w->index, "rollback", &w->request->recovery, &w->keep,
                           &w->recovery, w->err);
    }
    if (rc == ERR_OK && w->recovery != NULL && reason == NULL) {
        reason = arena_print(&w->keep, "recovery point %s", w->recovery);
    }
    rc = rc ? rc : walk_move(w, MIG_PENDING, reason);
    if (rc == ERR_OK && w->recovery != NULL) {
        (void)json_put_text(session_last_step(w->steps), "recovery_point", w->recovery);
    }
    return rc;
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
        return rc ? rc : to_pending(w);
    }
    rc = from == MIG_EXPANDED
             ? to_pending(w)
             : walk_move(w, (enum mig_state)(from - 1), w->request->without_flag_server_reason);
    return rc || !report ? rc : walk_report_moved(w);
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
        walk_try_release(w); /* of a run that was killed between hold and contract */
    }
    /* Also from dual-writing: a failed verification may have led there while new code was running. */
    return w->request->to < MIG_IN_SYNC ? demand_old_everywhere(w, &flag) : ERR_OK;
}

enum err_code walk_back(struct migrate *m, size_t index, const struct walk_request *request,
                        struct json *steps, struct err *err)
{
    struct walk_request asked = *request;
    struct walk walk;
    const char *left = NULL;
    enum err_code rc;

    walk_init(&walk, m, index, &asked, steps, NULL, err);
    rc = check_back(&walk);
    rc = rc ? rc : hand_way_back_check(m, index, asked.to, err);
    rc = rc ? rc : walk_read_change(&walk);
    rc = rc ? rc : removal_check_back(m, index, &walk.change, &asked, &left, &walk.keep, err);
    if (rc == ERR_OK && walk.change.table != NULL) {
        rc = table_way_back_check(m, index, &walk.change, asked.to, err);
    }
    if (rc == ERR_OK && asked.to == MIG_PENDING && walk.change.table == NULL) {
        rc = way_back_check(m, index, &walk.change, err);
        rc = rc ? rc : way_back_loses(m, index, &walk.change, &walk.loses, err);
    }
    while (rc == ERR_OK && session_state(m, index) > asked.to) {
        rc = one_back(&walk);
    }
    if (rc == ERR_OK && left != NULL && session_last_step(steps) != NULL) {
        (void)json_put_text(session_last_step(steps), "stays_expanded", left);
    }
    arena_fini(&walk.arena);
    arena_fini(&walk.keep);
    return rc;
}
