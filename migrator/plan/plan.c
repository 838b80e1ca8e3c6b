/*
 * migrate_plan(): what apply would do, computed without touching anything.
 *
 * The statements are built by the same code that runs them. An arrow that starts from a later state
 * is built from the table as it will be then, which is predicted from its text; a migration that
 * follows others that are not done is built on a copy of the schema in which those were played.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "database/sql_scan.h"
#include "migrator/arrow/arrows.h"
#include "migrator/arrow/plain.h"
#include "migrator/arrow/touched.h"
#include "migrator/change/aside.h"
#include "migrator/change/table_change.h"
#include "migrator/plan/plan_bounds.h"
#include "migrator/folder/handwritten.h"
#include "migrator/plan/plan_cost.h"
#include "migrator/plan/plan_file.h"
#include "migrator/plan/plan_parts.h"
#include "migrator/plan/scratch.h"
#include "migrator/walk/backfill.h"
#include "migrator/walk/hand_run.h"
#include "migrator/walk/removal.h"
#include "migrator/walk/walk.h"
#include "migrator/walk/walk_table.h"

/* Measured on SQLite 3.40, WAL, one million rows of 200 bytes: a scan for NULL 0.1 s, DROP COLUMN
 * 1.0 s. A file that is not cached takes longer. */
#define SCAN_ROWS_PER_MS 10000.0
#define SHORT_MS 2.0

/* ---- statements as text ---- */

static void add_value(struct buf *text, const struct database_value *value)
{
    if (value->type == DATABASE_INT) {
        buf_print(text, "%lld", (long long)value->as.i);
    } else if (value->type == DATABASE_TEXT) {
        buf_sql_text(text, value->as.bytes);
    } else {
        buf_text(text, "NULL");
    }
}

/* The statement with its parameters written out. */
static struct json *shown(const struct database_statement *statement)
{
    struct buf text = {0};
    struct json *out;

    for (const char *p = statement->sql; *p != '\0'; p++) {
        if (*p == '?' && p[1] >= '1' && p[1] <= '9' && statement->param_count > 0) {
            size_t number = (size_t)strtoul(p + 1, NULL, 10);
            if (number <= statement->param_count) {
                add_value(&text, &statement->params[number - 1]);
                while (p[1] >= '0' && p[1] <= '9') {
                    p++;
                }
                continue;
            }
        }
        buf_char(&text, *p);
    }
    out = json_string(buf_cstr(&text));
    buf_fini(&text);
    return out;
}

/* Our own bookkeeping is the same in every phase, and not what a reviewer looks for. */
static bool is_bookkeeping(const char *sql)
{
    size_t len = strlen(sql);

    if ((len > 8 && strcmp(sql + len - 8, " WHERE 0") == 0) ||
        (strstr(sql, " sqlite_sequence") != NULL && strstr(sql, " AND seq = ") != NULL)) {
        return true; /* that the triggers compile */
    }
    return strstr(sql, "lockstep_journal") != NULL || strstr(sql, "lockstep_lock") != NULL ||
           strncmp(sql, "DELETE FROM lockstep_activity", 29) == 0 ||
           strncmp(sql, "INSERT OR REPLACE INTO lockstep_activity", 40) == 0;
}

static struct json *phase_new(struct planning *p, const char *phase, enum mig_state to, double rows,
                              double hold_ms)
{
    struct json *out = json_object();

    (void)json_put_text(out, "phase", phase);
    (void)json_put_text(out, "to", mig_state_name(to));
    (void)json_put_number(out, "rows", rows);
    (void)json_put_number(out, "longest_hold_ms", ceil(hold_ms));
    (void)json_append(json_get(p->out, "phases"), out);
    return out;
}

/* Adds the phase of an arrow; hold_ms is what its rows take. phase may be NULL. */
static enum err_code put_arrow(struct planning *p, const char *name, double rows, double hold_ms,
                               enum mig_state from, enum mig_state to, struct json **phase)
{
    struct json *statements = json_array(), *made;
    struct work work = {0};
    double schema_ms = 0;
    enum err_code rc = arrow_build(p->m, p->index, &p->change, from, to, &work, p->err);

    for (size_t i = 0; rc == ERR_OK && i < work.count; i++) {
        if (!is_bookkeeping(work.statements[i].sql)) {
            (void)json_append(statements, shown(&work.statements[i]));
        }
    }
    if (rc == ERR_OK && !p->light) {
        rc = aside_estimate(p->m->db, &work, &schema_ms, p->err);
    }
    work_fini(&work);
    made = phase_new(p, name, to, rows, hold_ms + schema_ms);
    (void)json_put(made, "statements", statements);
    if (phase != NULL) {
        *phase = made;
    }
    return rc;
}

/* ---- phases ---- */

static enum err_code plan_backfill(struct planning *p)
{
    double index_ms = change_index_hold_ms(&p->change, p->rows);
    double hold_ms = fmax(BACKFILL_HOLD_MAX_US / 1000.0, fmax(index_ms, p->row_ms));
    struct json *phase = phase_new(p, "backfill and verify", MIG_IN_SYNC, (double)p->rows, hold_ms);
    struct json *statements = json_array();
    const char *fill = change_backfill(&p->change, &p->arena);
    const char *check = change_verify(&p->change, &p->arena);

    if (fill != NULL) {
        plan_add_text(statements, fill);
    }
    if (p->change.fill_nulls != NULL) {
        plan_add_text(statements, p->change.fill_nulls);
    }
    plan_add_text(statements, check != NULL ? check : "");
    for (size_t i = 0; i < p->change.phased->create_index_count; i++) {
        const struct phased_index_change *index = &p->change.phased->create_index[i];
        if (!change_has_index(&p->change, index->name)) {
            plan_add_text(statements, index->sql);
        }
    }
    if (p->migration->hand != NULL && p->migration->hand->verify != NULL) {
        plan_add_text(statements, p->migration->hand->verify);
    }
    (void)json_put(phase, "statements", statements);
    return ERR_OK;
}

static void put_waits(struct planning *p, struct json *phase, bool contract)
{
    const struct phased *phased = p->change.phased;
    const char *declared = phased->gates[contract ? PHASED_GATE_CONTRACT : PHASED_GATE_DUAL_WRITE];
    struct json *waits = json_array();
    char line[300];

    if (contract) {
        plan_add_text(waits, "verified: every row says the same in both shapes");
        if (phased->flag != NULL) {
            (void)snprintf(line, sizeof line,
                           "flag %.100s answers '%.60s' to everyone, and every "
                           "client has confirmed it",
                           phased->flag, phased->flag_new);
            plan_add_text(waits, line);
        }
        if (p->change.trigger_count > 0) {
            char span[CLOCK_TEXT_BYTES];
            (void)snprintf(line, sizeof line, "no write by old code for %s",
                           clock_span_text(phased->old_writes_idle_ms * 1000, span));
            plan_add_text(waits, line);
        }
    }
    if (declared != NULL) {
        plan_add_text(waits, declared);
    }
    (void)json_put(phase, "waits_for", waits);
}

static enum err_code plan_purge_table(struct planning *p)
{
    bool empties = change_sets_aside(&p->change);
    const char *emptying = empties ? table_emptying(&p->change, &p->arena) : NULL;

    if (emptying != NULL) {
        (void)json_append(json_get(p->out, "notes"),
                          json_string(arena_print(&p->arena,
                                                  "purge first empties %s in batches, and from "
                                                  "then on there is no way back",
                                                  p->change.table->aside)));
    }
    return put_arrow(p, "purge", empties ? (double)p->rows : 0,
                     empties ? BACKFILL_HOLD_MAX_US / 1000.0 : SHORT_MS, MIG_CONTRACTED, MIG_PURGED,
                     NULL);
}

/* On a large table the set-aside columns are emptied in batches, and stay. */
static enum err_code plan_purge(struct planning *p)
{
    bool stay = p->change.phased->drop_count > 0 && removal_is_long(p->rows);
    double hold_ms = stay ? BACKFILL_HOLD_MAX_US / 1000.0 : removal_hold_ms(p->rows);
    char span[CLOCK_TEXT_BYTES];
    enum err_code rc;

    p->m->keep_aside = stay;
    rc = put_arrow(p, "purge", (double)p->rows, hold_ms, MIG_CONTRACTED, MIG_PURGED, NULL);
    p->m->keep_aside = false;
    if (stay) {
        plan_add_text(
            json_get(p->out, "notes"),
            arena_print(&p->arena,
                        "purge empties the set-aside columns in batches and leaves them in "
                        "the table; --reclaim removes them, with the write lock held for "
                        "about %s",
                        clock_span_text((int64_t)(removal_hold_ms(p->rows) * 1000.0), span)));
    }
    return rc;
}

static enum err_code plan_arrow(struct planning *p, enum mig_state from)
{
    enum mig_state to = (enum mig_state)(from + 1);
    double rows = (double)p->rows;
    struct json *phase;
    enum err_code rc;

    switch (from) {
    case MIG_PENDING:
        rc = put_arrow(p, "expand", 0, SHORT_MS, from, to, NULL);
        return rc ? rc : plan_predict_expanded(p);
    case MIG_EXPANDED:
        rc = put_arrow(p, "dual-write", 0, SHORT_MS, from, to, &phase);
        put_waits(p, phase, false);
        return rc;
    case MIG_DUAL_WRITING: return plan_backfill(p);
    case MIG_IN_SYNC:
        rc =
            put_arrow(p, "contract", rows,
                      SHORT_MS + fmin(rows, TOUCHED_MIN_ROWS) / SCAN_ROWS_PER_MS, from, to, &phase);
        put_waits(p, phase, true);
        return rc ? rc : plan_predict_contracted(p);
    case MIG_CONTRACTED:
        if (p->change.table != NULL) {
            return plan_purge_table(p);
        }
        return plan_purge(p);
    default: return ERR_OK;
    }
}

/* Rows of the table today; none if it is not there yet. */
static enum err_code count_today(struct planning *p)
{
    struct database_value table = database_text(p->change.shape.table);
    struct database_rows *rows = NULL;
    enum err_code rc =
        database_query(p->today->db,
                       "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1 COLLATE "
                       "NOCASE",
                       &table, 1, &rows, p->err);
    bool there = rc == ERR_OK && database_rows_count(rows) > 0;

    database_rows_free(rows);
    p->rows = 0;
    if (there && p->light) {
        return rc;
    }
    if (there) {
        return shape_count_rows(p->today->db, p->change.shape.table, &p->rows, p->err);
    }
    if (rc == ERR_OK) {
        plan_add_text(
            json_get(p->out, "notes"),
            "its table is made by a migration before it: planned on the schema that those "
            "leave behind");
    }
    return rc;
}

/* Whether a migration before it, not done yet, puts rows into its table. */
static enum err_code filled_before(struct planning *p, bool *out)
{
    enum err_code rc = ERR_OK;

    *out = false;
    for (size_t j = 0; j < p->index && rc == ERR_OK && !*out; j++) {
        const struct migration *before = &p->today->folder.at[j];
        struct str *pieces = NULL;
        size_t count = 0;
        if (before->phased != NULL || session_state(p->today, j) != MIG_PENDING) {
            continue;
        }
        rc = database_split(before->up, &pieces, &count, p->err);
        for (size_t i = 0; rc == ERR_OK && i < count; i++) {
            struct sql_scan scan = sql_scan_start(pieces[i]);
            struct sql_token first;
            *out = *out || (sql_scan_next(&scan, &first) &&
                            (sql_token_is(&first, "INSERT") || sql_token_is(&first, "REPLACE") ||
                             sql_token_is(&first, "WITH")) &&
                            session_mentions(pieces[i], p->change.shape.table));
        }
        free(pieces);
    }
    return rc;
}

/* fresh: whether nobody migrated this database yet; tells whether it goes to the end at once. */
static enum err_code plan_phased(struct planning *p, enum mig_state from, enum mig_state to,
                                 bool *fresh)
{
    bool filled = false;
    enum err_code rc = change_read(p->m->db, p->migration, from != MIG_PENDING,
                                   from >= MIG_CONTRACTED, &p->arena, &p->change, p->err);

    rc = rc ? rc : plan_schema_digest(p->m->db, p->migration, &p->change, p->schema, p->err);
    rc = rc ? rc : count_today(p);
    if (rc == ERR_OK && *fresh) {
        rc = filled_before(p, &filled);
    }
    *fresh = *fresh && rc == ERR_OK && p->rows == 0 && !filled;
    if (*fresh) {
        const char *dependents = change_dependents(p->m->db, &p->change, &p->arena);
        if (*dependents != '\0') {
            plan_add_text(json_get(p->out, "notes"),
                          arena_print(&p->arena, "fails until these change: %s", dependents));
        }
        return put_arrow(p, "fresh", 0, SHORT_MS, MIG_PENDING, MIG_PURGED, NULL);
    }
    if (rc == ERR_OK && p->rests && p->rows > 0) {
        plan_add_text(
            json_get(p->out, "notes"),
            "planned on the schema that the migrations before it leave behind; row counts and "
            "times come from today's table");
    }
    rc = rc ? rc : plan_put_notes(p, from);
    for (; rc == ERR_OK && from < to; from = (enum mig_state)(from + 1)) {
        rc = plan_arrow(p, from);
    }
    return rc;
}

static enum err_code plan_plain(struct planning *p)
{
    struct str *pieces = NULL;
    size_t count = 0;
    struct json *phase = json_object(), *statements = json_array();
    enum err_code rc = database_split(p->migration->up, &pieces, &count, p->err);

    (void)json_put_text(phase, "phase", "apply");
    (void)json_put_text(phase, "to", "applied");
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        (void)json_append(statements, json_string_n(pieces[i].at, pieces[i].len));
    }
    free(pieces);
    (void)json_put(phase, "statements", statements);
    (void)json_append(json_get(p->out, "phases"), phase);
    rc = rc ? rc : plain_analyse(p->today->db, p->migration->name, p->migration->up, p->err);
    rc = rc ? rc : plain_notes(p->today->db, p->migration->up, json_get(p->out, "notes"), p->err);
    return rc ? rc
              : plain_hazard_notes(p->today->db, p->migration->up, json_get(p->out, "notes"),
                                   p->err);
}

/* ---- all of them ---- */

struct plan {
    struct migrate *m;
    struct scratch scratch;
    struct scratch bounds; /* another, that is played on under an engine's bounds */
    enum mig_state to;
    bool fresh; /* nobody migrated this database, and nobody asks for less than the end */
    bool light;
    bool *purged; /* of the folder: goes to its end at once */
    struct json *list;
    struct err *err;
};

/* The migration before index that keeps its table to itself until it is purged, or NULL. */
static const struct migration *in_the_way(const struct plan *plan, size_t index)
{
    for (size_t j = 0; j < index; j++) {
        if (!plan->purged[j] && session_state(plan->m, j) != MIG_PURGED &&
            session_shares_table(plan->m, j, index)) {
            return &plan->m->folder.at[j];
        }
    }
    return NULL;
}

/* On which schema a migration is planned. *on NULL: it cannot be known; a note says why. */
static enum err_code choose_schema(struct plan *plan, struct planning *p, struct migrate **on)
{
    const struct migrate *m = plan->m;
    bool follows = false;
    enum err_code rc;

    *on = plan->m;
    if (session_state(m, p->index) != MIG_PENDING) {
        return ERR_OK;
    }
    for (size_t j = 0; j < p->index; j++) {
        follows = follows || session_state(m, j) == MIG_PENDING ||
                  mig_state_in_flight(session_state(m, j));
    }
    p->rests = session_rests_on_pending(m, p->index) || session_in_the_way(m, p->index) != NULL;
    rc = follows ? scratch_reach(&plan->scratch, m, p->index, plan->err) : ERR_OK;
    if (rc || !follows) {
        return rc;
    }
    if (plan->scratch.why[0] == '\0') {
        *on = &plan->scratch.m;
    } else if (p->rests) {
        *on = NULL;
        plan_add_text(
            json_get(p->out, "notes"),
            arena_print(&p->arena,
                        "its phases can be planned after the migrations before it: on a copy "
                        "of the schema these fail (%s)",
                        plan->scratch.why));
    }
    return ERR_OK;
}

static enum err_code plan_one(struct plan *plan, size_t index)
{
    struct planning p = {.today = plan->m,
                         .m = plan->m,
                         .light = plan->light,
                         .index = index,
                         .migration = &plan->m->folder.at[index],
                         .err = plan->err};
    enum mig_state from = session_state(plan->m, index);
    const struct migration *first = from == MIG_PENDING ? in_the_way(plan, index) : NULL;
    enum err_code rc;

    p.out = json_object();
    (void)json_put_text(p.out, "name", p.migration->name);
    (void)json_put_text(p.out, "kind", migration_kind_name(p.migration->kind));
    (void)json_put_text(p.out, "from", mig_state_name(from));
    (void)json_put(p.out, "phases", json_array());
    (void)json_put(p.out, "notes", json_array());
    if (first != NULL) {
        plan_add_text(json_get(p.out, "notes"),
                      arena_print(&p.arena,
                                  "waits until %s is purged, which has the same table in hand",
                                  first->name));
    }
    first = from == MIG_PENDING ? session_needed(plan->m, index) : NULL;
    if (first != NULL && !plan->purged[first - plan->m->folder.at]) {
        plan_add_text(json_get(p.out, "notes"),
                      arena_print(&p.arena, "waits until %s is %s, which it needs", first->name,
                                  first->phased != NULL ? "contracted" : "applied"));
    }
    rc = session_check_needs(plan->m, index, plan->err);
    if (rc) {
        json_free(p.out);
        arena_fini(&p.arena);
        return rc;
    }
    if (p.migration->phased == NULL) {
        rc = plan_plain(&p);
        rc = rc ? rc : scratch_reach(&plan->scratch, plan->m, index, plan->err);
        rc = rc ? rc
                : plan_schema_digest(plan->scratch.m.db, p.migration, NULL, p.schema, plan->err);
        rc = rc ? rc : scratch_reach(&plan->scratch, plan->m, index + 1, plan->err);
    } else {
        (void)json_put_text(p.out, "description", p.migration->phased->description);
        rc = choose_schema(plan, &p, &p.m);
        if (rc == ERR_OK && p.m != NULL) {
            plan->purged[index] = plan->fresh && from == MIG_PENDING;
            rc = plan_phased(&p, from, plan->to, &plan->purged[index]);
            if (rc == ERR_OK && !plan->light && database_remote(plan->m->db)) {
                (void)json_put(p.out, "cost",
                               plan_cost(p.migration->phased, p.rows, from, plan->to));
            }
        }
    }
    if (rc == ERR_OK && database_remote(plan->m->db)) {
        rc = plan_check_bounds(plan->m, index, p.out, &plan->bounds, plan->err);
    }
    plan_put_digests(p.migration, p.schema, p.out);
    (void)json_append(plan->list, p.out);
    arena_fini(&p.arena);
    return rc;
}

static enum err_code plan_folder(struct plan *plan, bool only, size_t one)
{
    enum err_code rc = ERR_OK;

    plan->purged = calloc(plan->m->folder.count + 1, sizeof *plan->purged);
    if (plan->purged == NULL) {
        return err_set(plan->err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == ERR_OK && i < plan->m->folder.count; i++) {
        enum mig_state state = session_state(plan->m, i);
        bool done = plan->m->folder.at[i].phased == NULL ? state != MIG_PENDING : state >= plan->to;
        if (!done && (!only || i == one)) {
            rc = plan_one(plan, i);
        }
    }
    free(plan->purged);
    scratch_fini(&plan->scratch);
    scratch_fini(&plan->bounds);
    return rc;
}

enum err_code plan_list(struct migrate *m, const struct plan_wanted *wanted, struct json **list,
                        struct err *err)
{
    struct plan plan = {.m = m,
                        .to = wanted->to,
                        .fresh = wanted->fresh,
                        .light = wanted->light,
                        .list = json_array(),
                        .err = err};
    enum err_code rc = plan_folder(&plan, wanted->one, wanted->index);

    *list = plan.list;
    if (rc) {
        json_free(plan.list);
        *list = NULL;
    }
    return rc;
}

/* What each digest covers is for a plan that is written down. */
static void drop_covers(struct json *list)
{
    for (struct json *entry = json_first(list); entry != NULL; entry = json_next(entry)) {
        for (struct json *phase = json_first(json_get(entry, "phases")); phase != NULL;
             phase = json_next(phase)) {
            json_remove(phase, "covers");
        }
    }
}

enum err_code migrate_plan(struct migrate *m, const struct migrate_apply *what,
                           struct json **report, struct err *err)
{
    struct plan_wanted wanted = {.one = what->target != NULL, .to = MIG_CONTRACTED};
    struct json *list = NULL;
    enum err_code rc = session_read(m, err);

    *report = NULL;
    rc = rc ? rc : session_check_drift(m, err);
    if (rc == ERR_OK && what->target != NULL) {
        rc = folder_find(&m->folder, what->target, &wanted.index, err);
    }
    if (rc == ERR_OK && what->to_state != NULL) {
        rc = walk_parse_state(what->to_state, &wanted.to, err);
    }
    if (rc == ERR_OK && wanted.to >= MIG_CONTRACTED) {
        rc = session_is_fresh(m, &wanted.fresh, err);
        wanted.fresh = wanted.fresh || what->fresh;
    }
    rc = rc ? rc : plan_list(m, &wanted, &list, err);
    if (rc) {
        return rc;
    }
    *report = json_object();
    (void)json_put_text(*report, "database", database_url(m->db));
    (void)json_put_text(*report, "environment", m->environment);
    (void)json_put_number(*report, "changes", (double)json_count(list));
    (void)json_put(*report, "migrations", list);
    if (what->plan_file != NULL && !what->dry_run) {
        rc = plan_file_write(m, what->plan_file, what->target, what->to_state, *report, err);
    }
    drop_covers(list);
    return rc;
}
