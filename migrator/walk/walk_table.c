#include "migrator/walk/walk_table.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "migrator/arrow/arrow_parts.h"
#include "migrator/change/table_change.h"
#include "migrator/walk/backfill.h"

#define PURGING "{\"purging\":true}"

static const char *emptying(const char *table, struct arena *arena)
{
    struct buf sql = {0};
    const char *out;

    buf_text(&sql, "DELETE FROM ");
    buf_sql_name(&sql, str_of(table));
    buf_text(&sql, " WHERE 1");
    out = buf_failed(&sql) ? NULL : arena_text(arena, buf_cstr(&sql), sql.len);
    buf_fini(&sql);
    return out;
}

const char *table_emptying(const struct change *change, struct arena *arena)
{
    return change->table->old_name != NULL ? emptying(change->table->aside, arena) : NULL;
}

static enum err_code empty(struct migrate *m, size_t index, const struct change *change,
                           const char *table, enum mig_state state, struct err *err)
{
    struct change of = *change; /* whose keys give the ranges */
    struct arena arena = {0};
    const char *sql = emptying(table, &arena);
    struct backfill_result result = {0};
    enum err_code rc;

    of.shape.table = table;
    rc = sql != NULL ? backfill_run(m, index, &of, sql, state, &result, err)
                     : err_set(err, ERR_NOMEM, "out of memory");
    arena_fini(&arena);
    return rc;
}

bool table_purge_begun(const struct migrate *m, size_t index)
{
    const struct journal_row *row = session_row(m, index);

    return row != NULL && row->state == MIG_CONTRACTED && row->detail != NULL &&
           strcmp(row->detail, PURGING) == 0;
}

/* From here on nothing keeps the set-aside table true, and none of its own triggers may see how it
 * is emptied. */
static enum err_code begin_purge(struct migrate *m, size_t index, const struct change *change,
                                 struct err *err)
{
    struct database_value table = database_text(change->table->old_now);
    struct database_rows *rows = NULL;
    struct work work = {0};
    struct arrow a = {
        .m = m, .migration = &m->folder.at[index], .change = change, .work = &work, .err = err};
    enum err_code rc = database_query(
        m->db, "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?1", &table, 1,
        &rows, err);

    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        arrow_on_name(&a, "DROP TRIGGER ", database_rows_text(rows, i, 0), "", NULL);
    }
    database_rows_free(rows);
    if (rc == ERR_OK) {
        arrow_demand_schema(&a);
        journal_demand(&work, a.migration->name, MIG_CONTRACTED);
        arrow_drop_triggers(&a, true, true);
        work_sql_with(
            &work,
            "UPDATE lockstep_journal SET detail = ?2, cursor = NULL, digest = NULL WHERE "
            "migration = ?1",
            2, (struct database_value[]){database_text(a.migration->name), database_text(PURGING)});
        journal_history(&work, &(struct history){.migration = a.migration->name,
                                                 .event = "purge begins",
                                                 .from = MIG_CONTRACTED,
                                                 .to = MIG_PURGED,
                                                 .digest = a.migration->checksum,
                                                 .started_ms = clock_wall_ms(),
                                                 .rows = -1});
        rc = work_run(&work, m->db, &m->lock, NULL, err);
    }
    work_fini(&work);
    arena_fini(&a.arena);
    return rc ? rc : session_reread(m, err);
}

enum err_code table_prepare(struct migrate *m, size_t index, const struct change *change,
                            enum mig_state from, enum mig_state to, struct err *err)
{
    const struct journal_row *row = session_row(m, index);
    const struct table_change *t = change->table;
    bool mirrored = row != NULL && row->triggers_ms > 0;
    enum err_code rc = ERR_OK;

    if (t == NULL) {
        return ERR_OK;
    }
    if (to == MIG_PURGED && from == MIG_CONTRACTED && t->old_name != NULL) {
        rc = table_purge_begun(m, index) ? ERR_OK : begin_purge(m, index, change, err);
        return rc ? rc : empty(m, index, change, t->old_now, MIG_CONTRACTED, err);
    }
    if (from != MIG_EXPANDED) {
        return ERR_OK;
    }
    if (change->phased->kind == PHASED_RENAME_TABLE && mirrored) {
        /* Dual-write was on before: what is there are the mirror's rows. */
        return empty(m, index, change, t->new_name, MIG_EXPANDED, err);
    }
    if (change->phased->kind == PHASED_CREATE_TABLE && to == MIG_PENDING && change->phased->lossy) {
        return empty(m, index, change, t->new_name, MIG_EXPANDED, err);
    }
    return ERR_OK;
}

enum err_code table_way_back_check(struct migrate *m, size_t index, const struct change *change,
                                   enum mig_state to, struct err *err)
{
    const struct migration *migration = &m->folder.at[index];
    int64_t rows = 0;
    enum err_code rc = ERR_OK;

    if (table_purge_begun(m, index)) {
        return err_set(err, ERR_CONFLICT,
                       "%.80s: its purge has begun, and what was set aside is being removed: there "
                       "is no way back (a recovery point was made before, see lockstep_history); "
                       "`migrate apply %.60s --to purged` finishes it",
                       migration->name, migration->name);
    }
    if (to != MIG_PENDING || change->phased->kind != PHASED_CREATE_TABLE || change->phased->lossy) {
        return ERR_OK;
    }
    rc = shape_count_rows(m->db, change->table->new_name, &rows, err);
    if (rc == ERR_OK && rows > 0) {
        rc = err_set(err, ERR_CONFLICT,
                     "%.80s: \"%.60s\" has %lld rows, which its way back would delete; nothing was "
                     "changed; move or delete them first, or stop at `migrate rollback --to "
                     "expanded`, which leaves the table (\"lossy\": true gives them up)",
                     migration->name, change->table->new_name, (long long)rows);
    }
    return rc;
}
