/*
 * The public functions but plan, status and verify: open, apply, rollback.
 */
#include "migrator/migrate.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/clock.h"
#include "migrator/arrow/plain.h"
#include "migrator/folder/phased_table.h"
#include "migrator/plan/plan_file.h"
#include "migrator/session/flag_link.h"
#include "migrator/session/identity.h"
#include "migrator/session/session.h"
#include "migrator/sql/shape.h"
#include "migrator/walk/gate.h"
#include "migrator/walk/reclaim.h"
#include "migrator/walk/veto.h"
#include "migrator/walk/walk.h"

/* ---- open and close ---- */

static const char *keep(struct migrate *m, const char *text)
{
    return text != NULL ? arena_text(&m->arena, text, strlen(text)) : NULL;
}

/* What stands in the ledger is known by these names alone. */
static enum err_code check_ledger(const struct migrate *m, struct err *err)
{
    for (size_t i = 0; i < m->folder.count; i++) {
        const struct phased *phased = m->folder.at[i].phased;
        if (phased != NULL && phased_touches(phased, m->options.ledger)) {
            return err_set(err, ERR_INVALID,
                           "%.80s: \"%.80s\" is the ledger of migrations; it stays as it is",
                           m->folder.at[i].name, m->options.ledger);
        }
    }
    return ERR_OK;
}

enum err_code migrate_open(const struct migrate_options *options, struct migrate **out,
                           struct err *err)
{
    struct migrate *m;
    enum err_code rc;

    CHECK(options != NULL && options->database != NULL);
    m = calloc(1, sizeof *m);
    if (m == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    m->options = *options;
    m->options.database = keep(m, options->database);
    m->options.database_token = keep(m, options->database_token);
    m->options.database_api = keep(m, options->database_api);
    m->options.ledger = keep(m, options->ledger != NULL ? options->ledger : JOURNAL_LEDGER);
    m->options.environment = keep(m, options->environment);
    m->options.folder = keep(m, options->folder);
    m->options.flag_server = keep(m, options->flag_server);
    m->options.flag_token = keep(m, options->flag_token);
    rc = options->environment != NULL &&
                 (strlen(options->environment) > 63 || *options->environment == '\0')
             ? err_set(err, ERR_INVALID, "an environment's name has 1 to 63 letters")
             : ERR_OK;
    rc = rc ? rc : flag_link_check_url(m, err);
    rc = rc                        ? rc
         : options->folder != NULL ? folder_read(options->folder, &m->folder, err)
                                   : folder_take(options->files, &m->folder, err);
    rc = rc ? rc : check_ledger(m, err);
    if (rc) {
        migrate_close(m);
        return rc;
    }
    *out = m;
    return ERR_OK;
}

void migrate_close(struct migrate *m)
{
    if (m == NULL) {
        return;
    }
    if (m->db != NULL) {
        lock_give_back(m->db, &m->lock);
        database_close(m->db);
    }
    fetch_free(m->fetch);
    veto_free(m->veto);
    journal_fini(&m->journal);
    folder_fini(&m->folder);
    arena_fini(&m->arena);
    free(m);
}

/* ---- what a caller asked for ---- */

static void accept_stale(struct migrate *m, const char *const *names)
{
    m->accept_stale = names;
    m->accept_stale_count = 0;
    while (names != NULL && names[m->accept_stale_count] != NULL) {
        m->accept_stale_count++;
    }
}

struct asked {
    struct json *plan; /* what was written down, or NULL; owned */
    bool one;          /* a target was named */
    size_t index;      /* of it; of several: the newest that stays */
    bool several;      /* a rollback of all that came behind index */
    struct walk_request request;
};

/* A name that no gate knows, or none of those that are asked for, is a slip of the pen: found out
 * before anything is done. */
static enum err_code check_override(const struct migrate *m, const struct asked *asked,
                                    const char *name, struct err *err)
{
    enum err_code rc = name != NULL ? gate_check_override(name, NULL, err) : ERR_OK;
    struct err why = {0};
    size_t lack = 0, have = 0;

    for (size_t i = 0; rc == ERR_OK && name != NULL && i < m->folder.count; i++) {
        const struct phased *phased = m->folder.at[i].phased;
        if (phased != NULL && (!asked->one || i == asked->index)) {
            bool has = gate_check_override(name, phased, &why) == ERR_OK;
            have += has;
            lack += !has;
        }
    }
    return lack > 0 && have == 0 ? err_set(err, ERR_INVALID, "%s", why.msg) : rc;
}

static enum err_code read_apply(const struct migrate *m, const struct migrate_apply *what,
                                struct asked *asked, struct err *err)
{
    const char *target = what->target, *to_state = what->to_state;
    enum err_code rc = ERR_OK;

    *asked = (struct asked){.request = {.to = MIG_CONTRACTED,
                                        .override_gate = what->override_gate,
                                        .reason = what->reason,
                                        .maintenance = what->maintenance,
                                        .wait_s = what->wait_s,
                                        .watch_s = what->watch_s,
                                        .rewrite = what->reclaim,
                                        .recovery = {what->recovery_point, what->recovery_dir}}};
    if (what->plan_file != NULL) {
        rc = plan_file_read(what->plan_file, &asked->plan, err);
        asked->request.plan = asked->plan;
        asked->request.hold = plan_file_hold;
        target = target != NULL ? target : plan_file_target(asked->plan);
        to_state = to_state != NULL ? to_state : plan_file_to(asked->plan);
    }
    if (rc == ERR_OK && target != NULL) {
        asked->one = true;
        rc = folder_find(&m->folder, target, &asked->index, err);
    }
    if (rc == ERR_OK && to_state != NULL) {
        asked->request.explicit_to = true;
        rc = walk_parse_state(to_state, &asked->request.to, err);
        if (rc == ERR_OK && asked->request.to == MIG_PENDING) {
            rc = err_set(err, ERR_INVALID, "back to pending is `migrate rollback`");
        }
    }
    if (rc == ERR_OK &&
        (what->override_gate != NULL || what->accept_stale != NULL) != (what->reason != NULL)) {
        rc = err_set(err, ERR_INVALID,
                     "--override-gate or --accept-stale, and --reason, belong together");
    }
    rc = rc ? rc : check_override(m, asked, what->override_gate, err);
    return rc ? rc : recovery_check(&asked->request.recovery, err);
}

/* ---- apply ---- */

/* A migration that was written before one that is applied already would run in another order than
 * everywhere else. */
static enum err_code check_order(const struct migrate *m, struct err *err)
{
    const struct migration *pending = NULL;

    for (size_t i = 0; i < m->folder.count; i++) {
        if (session_row(m, i) == NULL) {
            pending = pending != NULL ? pending : &m->folder.at[i];
        } else if (pending != NULL) {
            return err_set(err, ERR_CONFLICT,
                           "%.80s comes before %.80s, which is applied already: `migrate apply "
                           "%.60s` applies it out of order, if that is right",
                           pending->name, m->folder.at[i].name, pending->name);
        }
    }
    return ERR_OK;
}

/* Whether a migration will find a fresh database, and so no flag to wait for. */
static enum err_code skips_walk(struct migrate *m, size_t index, bool *out, struct err *err)
{
    struct database_value table = database_text(m->folder.at[index].phased->table);
    struct database_rows *rows = NULL;
    enum err_code rc;

    *out = false;
    if (!m->fresh) {
        return ERR_OK;
    }
    rc = database_query(
        m->db, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND lower(name) = lower(?1)",
        &table, 1, &rows, err);
    if (rc) {
        return rc;
    }
    *out = database_rows_count(rows) == 0;
    database_rows_free(rows);
    if (!*out) {
        bool has_rows = true;
        rc = shape_has_rows(m->db, m->folder.at[index].phased->table, &has_rows, err);
        *out = !has_rows;
    }
    return rc;
}

static bool is_done(const struct migrate *m, size_t index, const struct asked *asked)
{
    enum mig_state state = session_state(m, index);

    return m->folder.at[index].phased == NULL ? state != MIG_PENDING : state >= asked->request.to;
}

/* Everything that can be known to be wrong before anything is changed. */
static enum err_code check_all(struct migrate *m, const struct asked *asked, struct err *err)
{
    enum err_code rc = session_check_drift(m, err);

    rc = rc || asked->one ? rc : check_order(m, err);
    for (size_t i = 0; rc == ERR_OK && i < m->folder.count; i++) {
        const struct migration *migration = &m->folder.at[i];
        bool skips = false;
        if ((asked->one && i != asked->index) || migration->phased == NULL ||
            session_state(m, i) != MIG_PENDING) {
            continue; /* in flight: a flag server that is away closes the gate, no more */
        }
        rc = session_check_needs(m, i, err);
        if (rc == ERR_OK && !session_rests_on_pending(m, i)) {
            rc = walk_validate(m, i, err);
        }
        rc = rc ? rc : skips_walk(m, i, &skips, err);
        rc = rc || skips ? rc : flag_link_check_flag(m, i, err);
    }
    return rc;
}

/* Files that wrangler applied get their checksum now, so that later edits are seen. */
static enum err_code adopt_ledger(struct migrate *m, struct err *err)
{
    struct work work = {0};
    enum err_code rc = ERR_OK;
    size_t count = 0;

    for (size_t i = 0; i < m->folder.count; i++) {
        const struct journal_row *row = session_row(m, i);
        if (row != NULL && row->ledger_only && m->folder.at[i].kind == MIGRATION_PLAIN) {
            work_sql_with(&work,
                          "INSERT INTO lockstep_journal(migration, kind, state, checksum, since) "
                          "VALUES(?1, 'plain', 'applied', ?2, " DATABASE_NOW_MS ")",
                          2,
                          (struct database_value[]){database_text(m->folder.at[i].name),
                                                    database_text(m->folder.at[i].checksum)});
            count++;
        }
    }
    if (count > 0) {
        rc = work_run(&work, m->db, &m->lock, NULL, err);
    }
    work_fini(&work);
    return rc || count == 0 ? rc : session_reread(m, err);
}

static enum err_code wait_behind(const struct migrate *m, size_t index,
                                 const struct migration *first, struct json *waits, struct err *err)
{
    const char *name = m->folder.at[index].name;
    struct json *reasons = json_array();

    (void)json_append(reasons, json_string(first->name));
    session_report_wait(waits, name, session_state(m, index), reasons);
    return err_set(err, ERR_CONFLICT,
                   "%.80s waits for %.80s, which has the same table in hand: finish that one "
                   "(`migrate apply %.60s --to purged`) or take it back",
                   name, first->name, first->name);
}

static enum err_code wait_for_needed(const struct migrate *m, size_t index,
                                     const struct migration *needed, struct json *waits,
                                     struct err *err)
{
    const char *name = m->folder.at[index].name;
    struct json *reasons = json_array();

    (void)json_append(reasons, json_string(needed->name));
    session_report_wait(waits, name, session_state(m, index), reasons);
    return err_set(err, ERR_CONFLICT, "%.80s needs %.80s, which is not %s yet: it waits for it",
                   name, needed->name, needed->phased != NULL ? "contracted" : "applied");
}

/* index: one migration, or the folder's count for all that is asked for. */
static enum err_code check_plan(struct migrate *m, const struct asked *asked, size_t index,
                                struct err *err)
{
    bool all = index == m->folder.count;
    struct plan_wanted wanted = {.one = !all || asked->one,
                                 .index = all ? asked->index : index,
                                 .to = asked->request.to,
                                 .fresh = m->fresh && asked->request.to >= MIG_CONTRACTED,
                                 .light = !m->fresh};

    return asked->plan != NULL ? plan_file_check(m, asked->plan, &wanted, err) : ERR_OK;
}

static enum err_code apply_one(struct migrate *m, size_t index, const struct asked *asked,
                               struct json *steps, struct json *waits, struct err *err)
{
    const struct migration *first;

    if (is_done(m, index, asked)) {
        return ERR_OK;
    }
    first = session_state(m, index) == MIG_PENDING ? session_in_the_way(m, index) : NULL;
    if (first != NULL) {
        return wait_behind(m, index, first, waits, err);
    }
    first = session_state(m, index) == MIG_PENDING ? session_needed(m, index) : NULL;
    if (first != NULL) {
        return wait_for_needed(m, index, first, waits, err);
    }
    if (m->folder.at[index].phased == NULL && asked->plan != NULL) {
        enum err_code rc = check_plan(m, asked, index, err);
        if (rc) {
            return rc;
        }
    }
    return m->folder.at[index].phased == NULL
               ? plain_apply(m, index, steps, err)
               : walk_forward(m, index, &asked->request, steps, waits, err);
}

static bool is_asked_for(const struct asked *asked, size_t index)
{
    return !asked->one || index == asked->index;
}

/* Whether there is something to do, and be it that columns of an earlier purge are to go. */
static enum err_code look_for_work(struct migrate *m, const struct asked *asked, bool *anything,
                                   struct err *err)
{
    enum err_code rc = ERR_OK;

    *anything = false;
    for (size_t i = 0; rc == ERR_OK && i < m->folder.count && !*anything; i++) {
        if (is_asked_for(asked, i)) {
            *anything = !is_done(m, i, asked);
            rc =
                *anything || !asked->request.rewrite ? ERR_OK : reclaim_is_due(m, i, anything, err);
        }
    }
    return rc;
}

static enum err_code apply_all(struct migrate *m, const struct asked *asked, struct json *steps,
                               struct json *waits, struct err *err)
{
    bool anything = false;
    enum err_code rc = look_for_work(m, asked, &anything, err);

    if (rc) {
        return rc;
    }
    if (!anything) {
        rc = identity_compare(m, err);
        if (rc || !flag_link_owes(m)) {
            return rc;
        }
        rc = session_begin(m, err);
        return rc ? rc : flag_link_report_all(m, err);
    }
    rc = session_begin(m, err);
    rc = rc ? rc : session_check_drift(m, err);
    rc = rc ? rc : adopt_ledger(m, err);
    rc = rc ? rc : identity_compare(m, err);
    rc = rc ? rc : flag_link_report_all(m, err);
    for (size_t i = 0; rc == ERR_OK && i < m->folder.count; i++) {
        if (is_asked_for(asked, i)) {
            rc = apply_one(m, i, asked, steps, waits, err);
            rc = rc || !asked->request.rewrite ? rc : reclaim_run(m, i, steps, err);
        }
    }
    return rc;
}

static struct json *report_new(const struct migrate *m, struct json *steps, struct json *waits)
{
    struct json *report = json_object();

    (void)json_put_text(report, "database", database_url(m->db));
    (void)json_put_text(report, "environment", m->environment);
    (void)json_put_text(report, "database_id", m->meta.database_id);
    (void)json_put(report, "steps", steps);
    (void)json_put(report, "waits", waits);
    return report;
}

/* What may hold up the long work of this run. */
static enum err_code set_pace(struct migrate *m, const struct migrate_apply *what, struct err *err)
{
    m->patience_until_us = clock_monotonic_us() + (int64_t)what->wait_s * 1000000;
    veto_free(m->veto);
    m->veto = NULL;
    return what->throttle_while != NULL || what->throttle_url != NULL
               ? veto_new(what->throttle_while, what->throttle_url, &m->veto, err)
               : ERR_OK;
}

enum err_code migrate_apply(struct migrate *m, const struct migrate_apply *what,
                            struct json **report, struct err *err)
{
    struct json *steps, *waits;
    struct asked asked;
    enum err_code rc;

    *report = NULL;
    rc = read_apply(m, what, &asked, err);
    if (rc == ERR_OK && what->dry_run) {
        json_free(asked.plan);
        return migrate_plan(m, what, report, err);
    }
    rc = rc ? rc : set_pace(m, what, err);
    rc = rc ? rc : session_write(m, err);
    rc = rc ? rc : session_is_fresh(m, &m->fresh, err);
    m->fresh = m->fresh || what->fresh;
    rc = rc ? rc : check_all(m, &asked, err);
    rc = rc ? rc : check_plan(m, &asked, m->folder.count, err);
    if (rc) {
        json_free(asked.plan);
        return rc;
    }
    accept_stale(m, what->accept_stale);
    m->rows_per_day = what->rows_written_per_day;
    m->maintenance = what->maintenance;
    steps = json_array();
    waits = json_array();
    rc = apply_all(m, &asked, steps, waits, err);
    session_end(m);
    json_free(asked.plan);
    *report = report_new(m, steps, waits);
    return rc;
}

/* ---- rollback ---- */

/* The newest migration that has a way back: in flight, or of one step with a down half. */
static bool find_newest(const struct migrate *m, size_t *index)
{
    for (size_t i = m->folder.count; i-- > 0;) {
        enum mig_state state = session_state(m, i);
        if (mig_state_in_flight(state) ||
            (state == MIG_APPLIED && m->folder.at[i].down.at != NULL)) {
            *index = i;
            return true;
        }
    }
    return false;
}

/* Everything behind index must have a way back, before the first step is taken. */
static enum err_code check_several(const struct migrate *m, size_t index, struct err *err)
{
    size_t count = 0;

    for (size_t i = index + 1; i < m->folder.count; i++) {
        enum mig_state state = session_state(m, i);
        if (state == MIG_PURGED || (state == MIG_APPLIED && m->folder.at[i].down.at == NULL)) {
            return err_set(err, ERR_CONFLICT,
                           "%.80s is %s and has no way back, so nothing was taken back to %.80s",
                           m->folder.at[i].name, mig_state_name(state), m->folder.at[index].name);
        }
        count += state != MIG_PENDING;
    }
    return count > 0 ? ERR_OK
                     : err_set(err, ERR_CONFLICT, "nothing behind %.80s is applied",
                               m->folder.at[index].name);
}

static enum err_code read_rollback(const struct migrate *m, const struct migrate_rollback *what,
                                   struct asked *asked, struct err *err)
{
    enum err_code rc = ERR_OK;
    enum mig_state state;

    *asked =
        (struct asked){.request = {.to = MIG_PENDING,
                                   .rewrite = what->maintenance,
                                   .explicit_to = what->to_state != NULL,
                                   .recovery = {what->recovery_point, what->recovery_dir},
                                   .reason = what->reason,
                                   .without_flag_server_reason = what->without_flag_server_reason}};
    rc = recovery_check(&asked->request.recovery, err);
    if (rc) {
        return rc;
    }
    if (what->target == NULL && what->to_state != NULL && what->to_state[0] >= '0' &&
        what->to_state[0] <= '9') {
        asked->several = true;
        rc = folder_find(&m->folder, what->to_state, &asked->index, err);
        return rc ? rc : check_several(m, asked->index, err);
    }
    if (what->target != NULL) {
        rc = folder_find(&m->folder, what->target, &asked->index, err);
    } else if (!find_newest(m, &asked->index)) {
        rc = err_set(err, ERR_CONFLICT,
                     "nothing to roll back: no migration is in flight, and what is purged or plain "
                     "SQL has no way back");
    }
    if (rc == ERR_OK && what->to_state != NULL) {
        rc = walk_parse_state(what->to_state, &asked->request.to, err);
    }
    if (rc) {
        return rc;
    }
    state = session_state(m, asked->index);
    if (state == MIG_PENDING) {
        return err_set(err, ERR_CONFLICT, "%.100s is pending already",
                       m->folder.at[asked->index].name);
    }
    if (what->one_phase) {
        asked->request.to = state == MIG_APPLIED ? MIG_PENDING : (enum mig_state)(state - 1);
    }
    if (state != MIG_APPLIED && asked->request.to >= state) {
        return err_set(err, ERR_CONFLICT, "%.100s is %s; %s is not behind it",
                       m->folder.at[asked->index].name, mig_state_name(state),
                       mig_state_name(asked->request.to));
    }
    return ERR_OK;
}

/* A later migration on the same table stands on this one. */
static enum err_code check_later(const struct migrate *m, size_t index, enum mig_state to,
                                 struct err *err)
{
    const struct phased *phased = m->folder.at[index].phased;
    const struct migration *user = to < MIG_CONTRACTED ? session_needed_by(m, index) : NULL;

    if (user != NULL) {
        return err_set(err, ERR_CONFLICT, "%.80s has begun and needs this one: take it back first",
                       user->name);
    }

    for (size_t i = index + 1; i < m->folder.count && phased != NULL; i++) {
        const struct migration *later = &m->folder.at[i];
        if (session_state(m, i) != MIG_PENDING &&
            session_share_table(&m->folder.at[index], later)) {
            return err_set(err, ERR_CONFLICT,
                           "%.80s came later on the same table: take that one back first",
                           later->name);
        }
    }
    return ERR_OK;
}

static enum err_code rollback_one(struct migrate *m, size_t index,
                                  const struct walk_request *request, struct json *steps,
                                  struct err *err)
{
    enum err_code rc = check_later(m, index, request->to, err);

    rc = rc                                   ? rc
         : m->folder.at[index].phased == NULL ? plain_rollback(m, index, steps, err)
                                              : walk_back(m, index, request, steps, err);
    return rc ? rc : session_reread(m, err);
}

static enum err_code rollback_several(struct migrate *m, size_t keep_index,
                                      const struct walk_request *request, struct json *steps,
                                      struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = m->folder.count; rc == ERR_OK && i-- > keep_index + 1;) {
        if (session_state(m, i) != MIG_PENDING) {
            rc = rollback_one(m, i, request, steps, err);
        }
    }
    return rc;
}

enum err_code migrate_rollback(struct migrate *m, const struct migrate_rollback *what,
                               struct json **report, struct err *err)
{
    struct json *steps;
    struct asked asked;
    enum err_code rc;

    *report = NULL;
    m->maintenance = what->maintenance;
    rc = session_write(m, err);
    rc = rc ? rc : session_check_drift(m, err);
    rc = rc ? rc : read_rollback(m, what, &asked, err);
    rc = rc || asked.several ? rc : check_later(m, asked.index, asked.request.to, err);
    rc = rc ? rc : session_begin(m, err);
    if (rc == ERR_OK && what->without_flag_server_reason == NULL) {
        /* What a crash kept from the server; if it does not take it, the walk itself finds out. */
        struct err unused = {0};
        enum err_code told;
        rc = identity_compare(m, err);
        told = flag_link_report_all(m, &unused);
        (void)told;
        rc = rc ? rc : session_reread(m, err);
    }
    if (rc) {
        return rc;
    }
    accept_stale(m, what->accept_stale);
    steps = json_array();
    rc = asked.several ? rollback_several(m, asked.index, &asked.request, steps, err)
                       : rollback_one(m, asked.index, &asked.request, steps, err);
    lock_give_back(m->db, &m->lock);
    *report = report_new(m, steps, json_array());
    return rc;
}
