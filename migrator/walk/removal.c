#include "migrator/walk/removal.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "migrator/walk/backfill.h"

#define SHORT_MS 2.0
#define BAR_MS 50.0
#define BAR_ROWS_PER_MS 100000.0
#define PURGING "{\"purging\":\"columns\"}"

double removal_hold_ms(int64_t rows)
{
    return SHORT_MS + (double)rows / REMOVAL_ROWS_PER_MS;
}

bool removal_is_long(int64_t rows)
{
    return removal_hold_ms(rows) > BAR_MS + (double)rows / BAR_ROWS_PER_MS;
}

bool removal_begun(const struct migrate *m, size_t index)
{
    const struct journal_row *row = session_row(m, index);

    return row != NULL && row->state == MIG_CONTRACTED && row->detail != NULL &&
           strcmp(row->detail, PURGING) == 0;
}

/* From here on nothing keeps the set-aside columns true. */
static enum err_code begin(struct migrate *m, size_t index, const struct change *change,
                           struct err *err)
{
    struct work work = {0};
    enum err_code rc;

    for (size_t i = 0; i < change->trigger_count; i++) {
        struct buf sql = {0};
        buf_text(&sql, "DROP TRIGGER IF EXISTS ");
        buf_sql_name(&sql, str_of(change->triggers[i].name));
        work_sql(&work, buf_cstr(&sql));
        work.failed = work.failed || buf_failed(&sql);
        buf_fini(&sql);
    }
    journal_demand(&work, m->folder.at[index].name, MIG_CONTRACTED);
    work_sql_with(
        &work, "UPDATE lockstep_journal SET detail = ?2 WHERE migration = ?1", 2,
        (struct database_value[]){database_text(m->folder.at[index].name), database_text(PURGING)});
    rc = work_run(&work, m->db, &m->lock, NULL, err);
    work_fini(&work);
    return rc ? rc : session_reread(m, err);
}

/* "UPDATE t SET a = NULL, b = NULL WHERE (a IS NOT NULL OR b IS NOT NULL)" */
static void empty_sql(const struct change *change, struct buf *sql)
{
    size_t count = change->phased->drop_count;

    buf_text(sql, "UPDATE ");
    buf_sql_name(sql, str_of(change->shape.table));
    for (size_t i = 0; i < count; i++) {
        buf_text(sql, i > 0 ? ", " : " SET ");
        buf_sql_name(sql, str_of(change->drop_now[i]));
        buf_text(sql, " = NULL");
    }
    for (size_t i = 0; i < count; i++) {
        buf_text(sql, i > 0 ? " OR " : " WHERE (");
        buf_sql_name(sql, str_of(change->drop_now[i]));
        buf_text(sql, " IS NOT NULL");
    }
    buf_char(sql, ')');
}

enum err_code removal_prepare(struct migrate *m, size_t index, const struct change *change,
                              bool rewrite, bool *stay, struct backfill_result *result,
                              struct err *err)
{
    struct buf sql = {0};
    int64_t rows = 0;
    enum err_code rc;

    *stay = false;
    *result = (struct backfill_result){0};
    if (change->table != NULL || change->phased->drop_count == 0 || rewrite) {
        return ERR_OK;
    }
    rc = shape_count_rows(m->db, change->shape.table, &rows, err);
    if (rc || !removal_is_long(rows)) {
        return rc;
    }
    *stay = true;
    rc = removal_begun(m, index) ? ERR_OK : begin(m, index, change, err);
    empty_sql(change, &sql);
    if (rc == ERR_OK && buf_failed(&sql)) {
        rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    rc = rc ? rc : backfill_run(m, index, change, buf_cstr(&sql), MIG_CONTRACTED, result, err);
    buf_fini(&sql);
    return rc;
}

enum err_code removal_check_back(struct migrate *m, size_t index, const struct change *change,
                                 struct walk_request *request, const char **left,
                                 struct arena *arena, struct err *err)
{
    const char *name = m->folder.at[index].name, *why;
    char span[CLOCK_TEXT_BYTES];
    int64_t rows = 0;
    enum err_code rc;

    if (removal_begun(m, index)) {
        return err_set(err, ERR_CONFLICT,
                       "%.80s: its purge has begun, and what was set aside is being emptied: there "
                       "is no way back (a recovery point was made before, see lockstep_history); "
                       "`migrate apply %.60s --to purged` finishes it",
                       name, name);
    }
    if (request->to != MIG_PENDING || request->rewrite || change->table != NULL ||
        change->phased->add_count == 0) {
        return ERR_OK;
    }
    rc = shape_count_rows(m->db, change->shape.table, &rows, err);
    if (rc || !removal_is_long(rows)) {
        return rc;
    }
    why = arena_print(arena,
                      "to remove its columns %lld rows are written anew, and the write lock is "
                      "held for about %s; `migrate rollback %.60s --maintenance` does so",
                      (long long)rows,
                      clock_span_text((int64_t)(removal_hold_ms(rows) * 1000.0), span), name);
    if (why == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    if (request->explicit_to || session_state(m, index) == MIG_EXPANDED) {
        return err_set(
            err, ERR_CONFLICT,
            "%.60s: %s; nothing was changed; in the state expanded the columns are in the "
            "table, and old code does not see them",
            name, why);
    }
    request->to = MIG_EXPANDED;
    *left = why;
    return ERR_OK;
}
