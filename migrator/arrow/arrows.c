#include "migrator/arrow/arrows.h"

#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "database/sql_scan.h"
#include "migrator/arrow/arrow_parts.h"
#include "migrator/change/aside.h"
#include "migrator/change/unreadable.h"
#include "migrator/sql/expression.h"
#include "migrator/sql/head_text.h"

#define SCHEMA_MS_MAX 50.0 /* of the hold that others are promised at most */
#define ATTEMPTS_MAX 4 /* before an application that changes its schema all the time is told so */

/* ---- expanded <-> dual-writing <-> in-sync ---- */

/* Old code's clock starts anew: what it did before was not recorded. */
void arrow_start_activity(struct arrow *a)
{
    struct database_value name = database_text(a->migration->name);

    if (a->change->trigger_count > 0) {
        work_sql_with(a->work,
                      "INSERT OR REPLACE INTO lockstep_activity(migration, written_at) "
                      "VALUES(?1, " DATABASE_NOW_MS " / 1000)",
                      1, &name);
    }
}

void arrow_end_activity(struct arrow *a)
{
    struct database_value name = database_text(a->migration->name);

    work_sql_with(a->work, "DELETE FROM lockstep_activity WHERE migration = ?1", 1, &name);
}

static void dual_write(struct arrow *a)
{
    arrow_demand_schema(a);
    arrow_create_triggers(a, a->change);
    arrow_compile_triggers(a, a->change);
    arrow_start_activity(a);
    arrow_forget_progress(a);
}

static void drop_index(struct arrow *a, const char *name)
{
    struct buf sql = {0};

    buf_text(&sql, "DROP INDEX IF EXISTS ");
    buf_sql_name(&sql, str_of(name));
    arrow_statement(a, &sql);
}

/* Behind the backfill, which would have to keep them, and before new code reads. They stay while
 * verification takes the migration back to dual-writing. */
static void create_indexes(struct arrow *a)
{
    for (size_t i = 0; i < a->change->phased->create_index_count; i++) {
        const struct phased_index_change *index = &a->change->phased->create_index[i];
        if (!change_has_index(a->change, index->name)) {
            work_sql(a->work, index->sql);
        }
    }
}

static void undual_write(struct arrow *a)
{
    arrow_drop_triggers(a, true, true);
    for (size_t i = 0; i < a->change->phased->create_index_count; i++) {
        drop_index(a, a->change->phased->create_index[i].name);
    }
    arrow_end_activity(a);
}

/* Verified, and since the last change of triggers, and not too long ago: also in the transaction. */
void arrow_demand_verified(struct arrow *a)
{
    struct database_value name = database_text(a->migration->name);

    work_before(a->work, ERR_CONFLICT, "the last verification does not count any more",
                "EXISTS (SELECT 1 FROM lockstep_journal WHERE migration = ?1 AND verified_at >= "
                "coalesce(triggers_at, 0) AND verified_at > " DATABASE_NOW_MS " - 3600000)",
                1, &name);
}

/* ---- purge, and fresh databases ---- */

/* Whether an index is made over the column: its own name may be the same word, or a function's. */
static bool index_names(const struct shape_object *index, const char *column)
{
    struct head_text head;

    return head_text_index(str_of(index->sql), &head) && expression_uses(head.behind.at, column);
}

static void drop_indexes_of(struct arrow *a, size_t drop)
{
    const struct shape *shape = &a->change->shape;
    const char *column = a->change->drop_now[drop];

    if (shape_column(shape, column) == NULL) { /* a plan: it is not renamed yet */
        column = a->change->drop_old[drop];
    }
    for (size_t i = 0; i < shape->object_count; i++) {
        const struct shape_object *object = &shape->objects[i];
        if (strcmp(object->type, "index") == 0 && index_names(object, column)) {
            drop_index(a, object->name);
        }
    }
}

static void drop_unwanted_indexes(struct arrow *a)
{
    for (size_t i = 0; i < a->change->phased->drop_index_count; i++) {
        drop_index(a, a->change->phased->drop_index[i].name);
    }
}

static void purge(struct arrow *a)
{
    arrow_demand_schema(a);
    arrow_drop_triggers(a, true, true);
    drop_unwanted_indexes(a);
    for (size_t i = 0; i < a->change->phased->drop_count; i++) {
        drop_indexes_of(a, i);
    }
    for (size_t i = 0; i < a->change->phased->drop_count && !a->m->keep_aside; i++) {
        arrow_drop_column(a, a->change->drop_now[i]);
    }
    arrow_end_activity(a);
}

static enum err_code fresh(struct arrow *a)
{
    enum err_code rc;

    arrow_demand_schema(a);
    arrow_demand_empty(a, a->change->shape.table,
                       "the table has rows by now; run the command again");
    for (size_t i = 0; i < a->change->phased->add_count; i++) {
        struct buf sql = {0};
        const char *declared = change_declared(a->change, i, &a->arena);
        arrow_begin_alter(a, &sql);
        buf_print(&sql, " ADD COLUMN %s", declared != NULL ? declared : "");
        arrow_statement(a, &sql);
    }
    rc = arrow_alter_text(a); /* places in the text keep until a column before them goes */
    drop_unwanted_indexes(a);
    for (size_t i = 0; i < a->change->phased->drop_count; i++) {
        drop_indexes_of(a, i);
    }
    for (size_t i = 0; i < a->change->phased->drop_count; i++) {
        arrow_drop_column(a, a->change->drop_now[i]);
    }
    create_indexes(a);
    return rc;
}

/* ---- put together ---- */

static void verified(struct arrow *a)
{
    arrow_demand_verified(a);
    create_indexes(a);
}

static const struct arrow_moves column_moves = {
    .expand = arrow_expand,
    .unexpand = arrow_unexpand,
    .dual_write = dual_write,
    .undual_write = undual_write,
    .verified = verified,
    .contract = arrow_contract,
    .uncontract = arrow_uncontract,
    .purge = purge,
    .fresh = fresh,
};

static enum err_code build(struct arrow *a, enum mig_state from, enum mig_state to)
{
    const struct arrow_moves *moves = a->change->table != NULL ? &arrow_table_moves : &column_moves;

    if (a->change->phased->kind == PHASED_HANDWRITTEN) {
        return arrow_by_hand(a, from, to);
    }
    switch (to) {
    case MIG_PENDING: return moves->unexpand(a);
    case MIG_EXPANDED:
        if (from == MIG_PENDING) {
            return moves->expand(a);
        }
        moves->undual_write(a);
        return ERR_OK;
    case MIG_DUAL_WRITING:
        if (from == MIG_EXPANDED) {
            moves->dual_write(a);
        }
        return ERR_OK; /* from in-sync the triggers stay */
    case MIG_IN_SYNC:
        if (from == MIG_CONTRACTED) {
            return moves->uncontract(a);
        }
        moves->verified(a);
        return ERR_OK;
    case MIG_CONTRACTED: return moves->contract(a);
    case MIG_PURGED:
        if (from == MIG_PENDING) {
            return moves->fresh(a);
        }
        moves->purge(a);
        return ERR_OK;
    case MIG_APPLIED:
    case MIG_STATE_COUNT: break;
    }
    CHECK(!"an arrow of phased migrations");
    return ERR_INVALID;
}

enum err_code arrow_build(struct migrate *m, size_t index, const struct change *change,
                          enum mig_state from, enum mig_state to, struct work *work,
                          struct err *err)
{
    struct arrow a = {.m = m,
                      .migration = &m->folder.at[index],
                      .change = change,
                      .row = session_row(m, index),
                      .work = work,
                      .err = err};
    enum err_code rc = build(&a, from, to);

    arena_fini(&a.arena);
    return rc;
}

static void move_journal(struct arrow *a, enum mig_state from, enum mig_state to)
{
    if (from == MIG_PENDING && to == MIG_PURGED) { /* a fresh database: nothing to walk through */
        journal_demand(a->work, a->migration->name, from);
        work_sql_with(a->work,
                      "INSERT INTO lockstep_journal(migration, kind, state, checksum, since, "
                      "reported) VALUES(?1, 'phased', 'purged', ?2, " DATABASE_NOW_MS ", 'purged')",
                      2,
                      (struct database_value[]){database_text(a->migration->name),
                                                database_text(a->migration->checksum)});
        return;
    }
    journal_move(a->work, a->migration->name, "phased", a->migration->checksum, from, to);
}

/* What is written by hand may make and drop views and triggers itself. */
static enum err_code step_aside(struct arrow *a)
{
    return a->change->phased->kind == PHASED_HANDWRITTEN
               ? unreadable_step_aside(a->m->db, a->work, a->err)
               : aside_step(a->m->db, a->work, a->err);
}

/* Nobody waits for a fresh database. */
static enum err_code check_hold(struct arrow *a, enum mig_state from, enum mig_state to)
{
    double ms = 0;
    enum err_code rc = ERR_OK;

    if (!a->m->maintenance && !(from == MIG_PENDING && to == MIG_PURGED)) {
        rc = aside_estimate(a->m->db, a->work, &ms, a->err);
    }
    return rc || ms <= SCHEMA_MS_MAX
               ? rc
               : err_set(
                     a->err, ERR_CONFLICT,
                     "it would keep other writers out for about %.0f ms, because of the views "
                     "and triggers that SQLite reads on the way (%.0f are allowed); nothing was "
                     "changed; --maintenance permits it",
                     ms, SCHEMA_MS_MAX);
}

static enum err_code attempt(struct arrow *a, enum mig_state from, enum mig_state to,
                             const struct history *history, struct database_batch_result *result,
                             bool *again)
{
    enum err_code rc = build(a, from, to);

    if (rc == ERR_OK) {
        move_journal(a, from, to);
        rc = from == MIG_PENDING && to == MIG_EXPANDED && a->change->phased->kind == PHASED_COLUMNS
                 ? arrow_remember(a)
                 : ERR_OK;
    }
    rc = rc ? rc : check_hold(a, from, to);
    rc = rc ? rc : step_aside(a);
    if (rc == ERR_OK) {
        journal_history(a->work, history);
        rc = work_run(a->work, a->m->db, &a->m->lock, result, a->err);
    }
    *again = rc == ERR_CONFLICT && aside_is_stale(a->m->db, a->work);
    return rc;
}

static enum err_code run_arrow(struct migrate *m, size_t index, const struct change *change,
                               enum mig_state from, enum mig_state to, const char *reason,
                               int64_t started_ms, int64_t rows, struct json *steps,
                               struct err *err)
{
    struct arrow a = {.m = m,
                      .migration = &m->folder.at[index],
                      .change = change,
                      .row = session_row(m, index),
                      .err = err};
    struct history history = {.migration = a.migration->name,
                              .event =
                                  to > from && to != MIG_PENDING ? mig_state_phase(to) : "rollback",
                              .from = from,
                              .to = to,
                              .digest = a.migration->checksum,
                              .detail = reason,
                              .started_ms = started_ms,
                              .rows = rows};
    struct database_batch_result result = {.hold_us = -1};
    int64_t since = clock_monotonic_us();
    bool again = true; /* somebody made a view between our look at the schema and our lock */
    enum err_code rc = ERR_OK;

    for (int i = 0; again && i < ATTEMPTS_MAX; i++) {
        struct work work = {0};
        a.work = &work;
        rc = attempt(&a, from, to, &history, &result, &again);
        work_fini(&work);
    }
    arena_fini(&a.arena);
    if (rc) {
        err_wrap(err, "%.80s, %s to %s", m->folder.at[index].name, mig_state_name(from),
                 mig_state_name(to));
        return rc;
    }
    session_report_step(steps, m->folder.at[index].name, from, to, clock_monotonic_us() - since,
                        result.hold_us, -1);
    return session_reread(m, err);
}

enum err_code arrow_run(struct migrate *m, size_t index, const struct change *change,
                        enum mig_state from, enum mig_state to, const char *reason,
                        struct json *steps, struct err *err)
{
    return run_arrow(m, index, change, from, to, reason, clock_wall_ms(), -1, steps, err);
}

enum err_code arrow_run_long(struct migrate *m, size_t index, const struct change *change,
                             enum mig_state from, enum mig_state to, int64_t started_ms,
                             int64_t rows, struct json *steps, struct err *err)
{
    return run_arrow(m, index, change, from, to, NULL, started_ms, rows, steps, err);
}
