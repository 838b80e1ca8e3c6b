/*
 * What code that is not ours would notice of a migration, and what a reviewer must know.
 */
#include "migrator/plan/plan_parts.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "database/sql_scan.h"
#include "migrator/change/table_change.h"
#include "migrator/change/unreadable.h"
#include "migrator/folder/handwritten.h"
#include "migrator/walk/backfill.h"
#include "migrator/walk/hand_run.h"
#include "migrator/walk/removal.h"

#define SAMPLE_ROWS 20
/* Measured on SQLite 3.40 with a write-ahead log: an UPDATE of a row of 20 MB, 120 ms. */
#define ROW_MS_PER_MB 6.0

void plan_add_text(struct json *list, const char *text)
{
    (void)json_append(list, json_string(text));
}

/* An UPDATE trigger of the application on this table that names no columns. */
static bool fires_on_any_update(const struct shape_object *object, const char *table)
{
    struct sql_scan scan = sql_scan_start(str_of(object->sql));
    struct sql_token token;
    bool update = false, on = false;

    if (strcmp(object->type, "trigger") != 0 || strncasecmp(object->name, "lockstep_", 9) == 0) {
        return false;
    }
    while (sql_scan_next(&scan, &token) && !sql_token_is(&token, "BEGIN")) {
        if (on) {
            return sql_token_names(&token, table);
        }
        on = update && sql_token_is(&token, "ON");
        if (update && !on) {
            return false; /* UPDATE OF */
        }
        update = sql_token_is(&token, "UPDATE");
    }
    return false;
}

/* The application's objects that nobody can read here, and so nobody has looked at. */
static enum err_code note_unreadable(struct planning *p)
{
    struct unreadable_list *list = arena_zero(&p->arena, 1, sizeof *list);
    enum err_code rc = list != NULL ? unreadable_find(p->today->db, &p->arena, list, p->err)
                                    : err_set(p->err, ERR_NOMEM, "out of memory");

    for (size_t i = 0; rc == ERR_OK && i < list->count; i++) {
        const char *why = list->at[i].why, *in = strstr(why, ", in: ");
        int length = in != NULL && in - why < 150 ? (int)(in - why) : 150;
        plan_add_text(
            json_get(p->out, "notes"),
            arena_print(&p->arena,
                        "%s %s cannot be read here (%.*s): whether it names what changes is "
                        "for you to see; it steps aside while a step runs, and comes back as "
                        "it is",
                        list->at[i].type, list->at[i].name, length, why));
    }
    return rc;
}

/* Bytes of the longest of some rows, those that come first or the newest. */
static enum err_code sample(struct planning *p, bool newest, int64_t *longest)
{
    const struct shape *shape = &p->change.shape;
    struct database_rows *rows = NULL;
    struct buf sql = {0};
    enum err_code rc;

    buf_text(&sql, "SELECT coalesce(max(n), 0) FROM (SELECT 0");
    for (size_t i = 0; i < shape->count; i++) {
        if (!shape->columns[i].generated) {
            buf_text(&sql, " + coalesce(length(CAST(");
            buf_sql_name(&sql, str_of(shape->columns[i].name));
            buf_text(&sql, " AS BLOB)), 0)");
        }
    }
    buf_text(&sql, " AS n FROM ");
    buf_sql_name(&sql, str_of(shape->table));
    if (newest) {
        buf_text(&sql, " ORDER BY ");
        buf_sql_name(&sql, str_of(shape->key[0]));
        buf_text(&sql, " DESC");
    }
    buf_print(&sql, " LIMIT %d)", SAMPLE_ROWS);
    rc = buf_failed(&sql) ? err_set(p->err, ERR_NOMEM, "out of memory")
                          : database_query(p->today->db, buf_cstr(&sql), NULL, 0, &rows, p->err);
    if (rc == ERR_OK && database_rows_int(rows, 0, 0, 0) > *longest) {
        *longest = database_rows_int(rows, 0, 0, 0);
    }
    database_rows_free(rows);
    buf_fini(&sql);
    return rc;
}

/* A row is written as a whole, however small the batch: which is the longest, only a look at all of
 * them could tell. */
static enum err_code note_long_rows(struct planning *p, enum mig_state from)
{
    const struct phased *phased = p->change.phased;
    int64_t longest = 0;
    enum err_code rc;

    if (p->light || p->rests || p->rows == 0 || from >= MIG_IN_SYNC || p->change.table != NULL ||
        phased->add_count + phased->alter_count == 0 || database_remote(p->today->db)) {
        return ERR_OK; /* a service bounds its rows */
    }
    rc = sample(p, false, &longest);
    rc = rc || p->change.shape.without_rowid ? rc : sample(p, true, &longest);
    p->row_ms = (double)longest / 1e6 * ROW_MS_PER_MB;
    if (rc == ERR_OK && p->row_ms > BACKFILL_HOLD_MAX_US / 1000.0) {
        plan_add_text(json_get(p->out, "notes"),
                      arena_print(&p->arena,
                                  "%s has rows of %.0f MB, and longer ones perhaps (%d were looked "
                                  "at): filling such a row holds the lock for about %.0f ms, and "
                                  "smaller batches do not help",
                                  p->change.shape.table, (double)longest / 1e6, 2 * SAMPLE_ROWS,
                                  p->row_ms));
    }
    return rc;
}

/* What code that is not ours would notice. */
enum err_code plan_put_notes(struct planning *p, enum mig_state from)
{
    const struct phased *phased = p->change.phased;
    const char *dependents = change_dependents(p->m->db, &p->change, &p->arena);
    struct json *notes = json_get(p->out, "notes");
    struct database_rows *rows = NULL;
    struct buf sql = {0};
    enum err_code rc = ERR_OK;

    if (p->change.table != NULL) {
        table_notes(&p->change, from, notes, &p->arena);
    }
    rc = hand_notes(p->today, p->migration, from, notes, p->err);
    if (rc) {
        return rc;
    }
    if (from == MIG_PENDING && phased->add_count > 0) {
        plan_add_text(notes,
                      arena_print(&p->arena,
                                  "from expand on, an insert of %s rows without column names fails",
                                  p->change.shape.table));
        plan_add_text(notes,
                      "while both shapes live, total_changes() counts the triggers' work, and "
                      "RETURNING shows a row as it was before them");
    }
    if (from < MIG_PURGED && phased->add_count > 0 && removal_is_long(p->rows)) {
        char span[CLOCK_TEXT_BYTES];
        plan_add_text(
            notes,
            arena_print(&p->arena,
                        "the way back to pending removes the added columns, with the write "
                        "lock held for about %s: it asks for --maintenance",
                        clock_span_text((int64_t)(removal_hold_ms(p->rows) * 1000.0), span)));
    }
    for (size_t i = 0; i < phased->drop_count && from < MIG_CONTRACTED; i++) {
        plan_add_text(notes, arena_print(&p->arena, "from contract on, code that names %s fails",
                                         p->change.drop_old[i]));
    }
    for (size_t i = 0; i < p->change.shape.object_count && from < MIG_IN_SYNC; i++) {
        const struct shape_object *object = &p->change.shape.objects[i];
        if (fires_on_any_update(object, p->change.shape.table)) {
            plan_add_text(notes,
                          arena_print(&p->arena,
                                      "the application's trigger %s fires for each row that the "
                                      "backfill fills, and for what keeps the shapes equal",
                                      object->name));
        }
    }
    change_notes(&p->change, from, notes, &p->arena);
    if (*dependents != '\0') {
        plan_add_text(notes,
                      arena_print(&p->arena, "contract waits until these change: %s", dependents));
    }
    rc = p->light ? ERR_OK : note_unreadable(p);
    rc = rc ? rc : note_long_rows(p, from);
    if (rc) {
        return rc;
    }
    if (p->light || phased->valid_old == NULL || from >= MIG_CONTRACTED || p->rests) {
        return ERR_OK; /* today's rows may not have the columns that it asks for */
    }
    buf_text(&sql, "SELECT count(*) FROM ");
    buf_sql_name(&sql, str_of(p->change.shape.table));
    buf_print(&sql, " WHERE NOT %s", p->change.valid);
    rc = database_query(p->today->db, buf_cstr(&sql), NULL, 0, &rows, p->err);
    buf_fini(&sql);
    if (rc == ERR_OK && database_rows_int(rows, 0, 0, 0) > 0) {
        plan_add_text(notes, arena_print(&p->arena,
                                         "%lld rows are outside valid_old and close the "
                                         "contract gate",
                                         (long long)database_rows_int(rows, 0, 0, 0)));
    }
    database_rows_free(rows);
    return rc;
}
