/*
 * What a phase's failure leads to: the migration is paused, or taken back.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "migrator/walk/pace.h"
#include "migrator/walk/walk_part.h"

#define LOOK_US 250000

static enum err_code write_down(struct walk *w, const char *why)
{
    struct work work = {0};
    enum err_code rc;

    journal_history(&work, &(struct history){.migration = w->migration->name,
                                             .event = "failure",
                                             .digest = w->migration->checksum,
                                             .detail = why,
                                             .started_ms = clock_wall_ms(),
                                             .rows = -1,
                                             .stateless = true});
    rc = work_run(&work, w->m->db, &w->m->lock, NULL, w->err);
    work_fini(&work);
    return rc;
}

static enum err_code pause_it(struct walk *w, const char *why)
{
    struct json *report = NULL;
    struct err cause = {0};
    enum err_code rc = migrate_pause(w->m, w->migration->name, why, &report, &cause);

    json_free(report);
    return rc ? err_set(w->err, rc, "%.300s; and it could not be paused: %.200s", why, cause.msg)
              : err_set(
                    w->err, ERR_CONFLICT,
                    "%.300s; it is paused where it is (on_failure): `migrate resume %.60s`, then "
                    "`migrate apply`, goes on",
                    why, w->migration->name);
}

/* The failed phase alone: a backfill leaves nothing, contract leaves both shapes. */
static enum err_code take_back(struct walk *w, enum phased_watch which, const char *why)
{
    struct walk_request request = {.to = which == PHASED_WATCH_BACKFILL ? MIG_PENDING : MIG_IN_SYNC,
                                   .recovery = w->request->recovery,
                                   .reason = w->request->reason};
    struct err cause = {0};
    enum err_code rc = ERR_OK;

    if (session_state(w->m, w->index) > request.to) {
        rc = walk_back(w->m, w->index, &request, w->steps, &cause);
    }
    return rc ? err_set(w->err, rc, "%.250s; and it could not be taken back (on_failure): %.250s",
                        why, cause.msg)
              : err_set(w->err, ERR_CONFLICT, "%.300s; it is %.20s again (on_failure)", why,
                        mig_state_name(session_state(w->m, w->index)));
}

enum err_code walk_failed(struct walk *w, enum phased_watch which)
{
    enum phased_failure action = w->phased->on_failure[which];
    char why[ERR_MSG_BYTES];
    enum err_code rc;

    (void)snprintf(why, sizeof why, "%s", w->err->msg);
    rc = write_down(w, why);
    if (rc) {
        return rc; /* the lock is lost: whoever has it decides */
    }
    return action == PHASED_ROLLBACK ? take_back(w, which, why) : pause_it(w, why);
}

enum err_code walk_not_paused(struct walk *w)
{
    const struct veto_facts none = {0};
    struct pace pace = {0};
    enum err_code rc = pace_read(w->m, w->migration->name, &pace, w->err);

    return rc || !pace.paused ? rc : pace_wait(w->m, w->index, &none, &pace, w->err);
}

enum err_code walk_stay(struct walk *w)
{
    int64_t until = clock_monotonic_us() + (int64_t)w->request->watch_s * 1000000;
    enum err_code rc = walk_read_change(w);

    watch_begin(&w->watch, w->m, w->index, PHASED_WATCH_CONTRACT, &w->change);
    while (rc == ERR_OK && clock_monotonic_us() < until) {
        rc = watch_look(w->m, w->index, w->err);
        rc = rc ? rc : lock_beat(w->m->db, &w->m->lock, w->err);
        session_tell_wait(w->m, w->index, "the time to watch what was contracted");
        clock_sleep_us(session_look_us(w->m, LOOK_US));
    }
    watch_end(w->m);
    watch_describe(&w->watch, session_last_step(w->steps));
    return rc == ERR_CONFLICT && w->watch.triggered ? walk_failed(w, PHASED_WATCH_CONTRACT) : rc;
}
