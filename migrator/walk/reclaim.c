#include "migrator/walk/reclaim.h"

#include "base/buf.h"
#include "base/clock.h"
#include "migrator/change/aside.h"

struct left {
    struct arena arena;
    const char *table;
    const char *names[PHASED_COLUMNS_MAX];
    size_t count;
};

static enum err_code is_there(struct migrate *m, const char *table, const char *column, bool *out,
                              struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        m->db, "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2 COLLATE NOCASE",
        (struct database_value[]){database_text(table), database_text(column)}, 2, &rows, err);

    *out = rc == ERR_OK && database_rows_count(rows) > 0;
    database_rows_free(rows);
    return rc;
}

static enum err_code find(struct migrate *m, size_t index, struct left *out, struct err *err)
{
    const struct migration *migration = &m->folder.at[index];
    const struct phased *phased = migration->phased;
    enum err_code rc = ERR_OK;

    *out = (struct left){0};
    if (phased == NULL || phased->kind != PHASED_COLUMNS || session_state(m, index) != MIG_PURGED) {
        return ERR_OK;
    }
    out->table = phased->table;
    for (size_t i = 0; rc == ERR_OK && i < phased->drop_count; i++) {
        bool there = false;
        const char *name =
            arena_print(&out->arena, "lockstep_%ld_%s", migration->number, phased->drop[i].name);
        rc = name != NULL ? is_there(m, out->table, name, &there, err)
                          : err_set(err, ERR_NOMEM, "out of memory");
        if (rc == ERR_OK && there) {
            out->names[out->count++] = name;
        }
    }
    return rc;
}

enum err_code reclaim_is_due(struct migrate *m, size_t index, bool *out, struct err *err)
{
    struct left left;
    enum err_code rc = find(m, index, &left, err);

    *out = rc == ERR_OK && left.count > 0;
    arena_fini(&left.arena);
    return rc;
}

/* What another migration has read of the table must stay as it is. */
static enum err_code check(struct migrate *m, size_t index, struct err *err)
{
    const struct database_capabilities *can = NULL;
    const struct migration *migration = &m->folder.at[index];
    enum err_code rc = database_probe(m->db, &can, err);

    if (rc == ERR_OK && !can->drop_column) {
        rc = err_set(err, ERR_CONFLICT,
                     "%.80s: this engine cannot remove columns safely; they stay, and are empty",
                     migration->name);
    }
    for (size_t i = 0; rc == ERR_OK && i < m->folder.count; i++) {
        if (i != index && mig_state_in_flight(session_state(m, i)) &&
            session_share_table(&m->folder.at[i], migration)) {
            rc = err_set(err, ERR_CONFLICT,
                         "%.80s: its set-aside columns stay as long as %.80s has the table in "
                         "hand: finish that one, or take it back",
                         migration->name, m->folder.at[i].name);
        }
    }
    return rc;
}

static void build(const struct migrate *m, size_t index, const struct left *left, struct work *work)
{
    const struct migration *migration = &m->folder.at[index];
    struct buf filled = {0};

    buf_text(&filled, "NOT EXISTS (SELECT 1 FROM ");
    buf_sql_name(&filled, str_of(left->table));
    for (size_t i = 0; i < left->count; i++) {
        struct buf sql = {0};
        buf_text(&filled, i > 0 ? " OR " : " WHERE ");
        buf_sql_name(&filled, str_of(left->names[i]));
        buf_text(&filled, " IS NOT NULL");
        buf_text(&sql, "ALTER TABLE ");
        buf_sql_name(&sql, str_of(left->table));
        buf_text(&sql, " DROP COLUMN ");
        buf_sql_name(&sql, str_of(left->names[i]));
        work_sql(work, buf_cstr(&sql));
        work->failed = work->failed || buf_failed(&sql);
        buf_fini(&sql);
    }
    buf_char(&filled, ')');
    work_before(work, ERR_CONFLICT,
                "somebody has written into a set-aside column that purge had emptied: nothing was "
                "removed",
                buf_cstr(&filled), 0, NULL);
    work->failed = work->failed || buf_failed(&filled);
    buf_fini(&filled);
    journal_demand(work, migration->name, MIG_PURGED);
    journal_history(work, &(struct history){.migration = migration->name,
                                            .event = "reclaim",
                                            .digest = migration->checksum,
                                            .started_ms = clock_wall_ms(),
                                            .rows = -1,
                                            .stateless = true});
}

enum err_code reclaim_run(struct migrate *m, size_t index, struct json *steps, struct err *err)
{
    int64_t since = clock_monotonic_us();
    struct database_batch_result result = {0};
    struct work work = {0};
    struct left left;
    enum err_code rc = find(m, index, &left, err);

    if (rc == ERR_OK && left.count > 0) {
        rc = check(m, index, err);
        if (rc == ERR_OK) {
            build(m, index, &left, &work);
            rc = aside_step(m->db, &work, err);
            rc = rc ? rc : work_run(&work, m->db, &m->lock, &result, err);
        }
        if (rc == ERR_OK) {
            session_report_step(steps, m->folder.at[index].name, MIG_PURGED, MIG_PURGED,
                                clock_monotonic_us() - since, result.hold_us, -1);
            (void)json_put_text(session_last_step(steps), "phase", "reclaim");
            (void)json_put_number(session_last_step(steps), "columns_removed", (double)left.count);
        }
    }
    work_fini(&work);
    arena_fini(&left.arena);
    return rc;
}
