#include "migrator/arrow/arrow_parts.h"

#include <strings.h>

#include "base/buf.h"
#include "migrator/arrow/touched.h"
#include "migrator/sql/table_text.h"

/* ---- pieces ---- */

void arrow_statement(struct arrow *a, struct buf *sql)
{
    work_sql(a->work, buf_cstr(sql));
    a->work->failed = a->work->failed || buf_failed(sql);
    buf_fini(sql);
}

void arrow_begin_alter(const struct arrow *a, struct buf *sql)
{
    buf_text(sql, "ALTER TABLE ");
    buf_sql_name(sql, str_of(a->change->shape.table));
}

static void drop_trigger(struct arrow *a, const char *name)
{
    struct buf sql = {0};

    buf_text(&sql, "DROP TRIGGER IF EXISTS ");
    buf_sql_name(&sql, str_of(name));
    arrow_statement(a, &sql);
}

/* The name that a column of the table has in change. */
static const char *name_in(const struct change *change, const char *column)
{
    for (size_t i = 0; i < change->phased->drop_count; i++) {
        if (strcasecmp(column, change->drop_aside[i]) == 0) {
            return change->drop_now[i];
        }
    }
    return column;
}

/* SQLite notes the number 0 for an AUTOINCREMENT table into which no row was inserted. A note that
 * the application has is put out of the way meanwhile, so that ours can be told from it. */
#define NOBODYS_NUMBER "-9223372036854775807"

static void arrow_sequence(struct arrow *a, const struct shape *shape, const char *what,
                           const char *number)
{
    struct buf sql = {0};

    buf_text(&sql, what);
    buf_text(&sql, " WHERE name = ");
    buf_sql_text(&sql, str_of(shape->table));
    buf_text(&sql, " AND seq = ");
    buf_text(&sql, number);
    arrow_statement(a, &sql);
}

void arrow_compile_triggers(struct arrow *a, const struct change *change)
{
    const struct shape *shape = &change->shape;
    struct buf update = {0}, insert = {0};
    bool numbered = shape_is_autoincrement(shape);
    const char *any = NULL;

    buf_text(&update, "UPDATE ");
    buf_sql_name(&update, str_of(shape->table));
    buf_text(&update, " SET ");
    for (size_t i = 0; i < shape->count; i++) {
        const char *name = name_in(change, shape->columns[i].name);
        if (shape->columns[i].generated) {
            continue;
        }
        buf_text(&update, any != NULL ? ", " : "");
        buf_sql_name(&update, str_of(name));
        buf_text(&update, " = ");
        buf_sql_name(&update, str_of(name));
        any = name;
    }
    if (change->trigger_count == 0 || any == NULL) {
        buf_fini(&update);
        return;
    }
    buf_text(&update, " WHERE 0");
    arrow_statement(a, &update);
    if (numbered) {
        arrow_sequence(a, shape, "UPDATE sqlite_sequence SET seq = " NOBODYS_NUMBER, "0");
    }
    buf_text(&insert, "INSERT INTO ");
    buf_sql_name(&insert, str_of(shape->table));
    buf_char(&insert, '(');
    buf_sql_name(&insert, str_of(any));
    buf_text(&insert, ") SELECT ");
    buf_sql_name(&insert, str_of(any));
    buf_text(&insert, " FROM ");
    buf_sql_name(&insert, str_of(shape->table));
    buf_text(&insert, " WHERE 0");
    arrow_statement(a, &insert);
    if (numbered) {
        arrow_sequence(a, shape, "DELETE FROM sqlite_sequence", "0");
        arrow_sequence(a, shape, "UPDATE sqlite_sequence SET seq = 0", NOBODYS_NUMBER);
    }
}

void arrow_on_name(struct arrow *a, const char *before, const char *name, const char *after,
                   const char *other)
{
    struct buf sql = {0};

    buf_text(&sql, before);
    buf_sql_name(&sql, str_of(name));
    buf_text(&sql, after);
    if (other != NULL) {
        buf_sql_name(&sql, str_of(other));
    }
    arrow_statement(a, &sql);
}

void arrow_create_triggers(struct arrow *a, const struct change *change)
{
    for (size_t i = 0; i < change->trigger_count; i++) {
        work_sql(a->work, change->triggers[i].sql);
    }
}

void arrow_drop_triggers(struct arrow *a, bool forward, bool reverse)
{
    for (size_t i = 0; i < a->change->trigger_count; i++) {
        if (a->change->triggers[i].forward ? forward : reverse) {
            drop_trigger(a, a->change->triggers[i].name);
        }
    }
    if (forward && reverse && touched_there(a->change)) { /* of a contract that was killed */
        touched_drop(a->change, a->work);
    }
}

void arrow_drop_column(struct arrow *a, const char *name)
{
    struct buf sql = {0};

    arrow_begin_alter(a, &sql);
    buf_text(&sql, " DROP COLUMN ");
    buf_sql_name(&sql, str_of(name));
    arrow_statement(a, &sql);
}

/* Renames under the quoting that the definition has, so that the text comes back as it was. */
void arrow_rename_column(struct arrow *a, const char *from, const char *to)
{
    struct str definition = {0};
    struct buf sql = {0};
    bool bare = table_text_column(str_of(a->change->shape.sql), from, &definition) &&
                table_text_bare_name(definition);

    for (const char *p = to; *p != '\0'; p++) {
        bare = bare && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                        (*p >= '0' && *p <= '9') || *p == '_');
    }
    arrow_begin_alter(a, &sql);
    buf_text(&sql, " RENAME COLUMN ");
    buf_sql_name(&sql, str_of(from));
    buf_text(&sql, " TO ");
    if (bare) {
        buf_text(&sql, to);
    } else {
        buf_sql_name(&sql, str_of(to));
    }
    arrow_statement(a, &sql);
}

/* The application may have changed its table since it was read. */
void arrow_demand_schema(struct arrow *a)
{
    struct database_value params[] = {database_text(a->change->shape.table),
                                      database_text(a->change->shape.sql)};

    work_before(a->work, ERR_CONFLICT,
                "the table was changed by somebody else meanwhile; nothing was changed; run the "
                "command again",
                "(SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?1) = ?2", 2,
                params);
}

/* ---- edits of the table's text ---- */

void arrow_edit_text(struct arrow *a, struct arrow_edit *edits, size_t count)
{
    const char *sql = a->change->shape.sql;

    for (size_t i = 1; i < count; i++) { /* few: by insertion, the last place first */
        struct arrow_edit edit = edits[i];
        size_t k = i;
        for (; k > 0 && edits[k - 1].piece.at < edit.piece.at; k--) {
            edits[k] = edits[k - 1];
        }
        edits[k] = edit;
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = table_text_characters(sql, (size_t)(edits[i].piece.at - sql));
        size_t len = table_text_characters(edits[i].piece.at, edits[i].piece.len);
        struct database_value params[] = {database_text(a->change->shape.table),
                                          database_int((int64_t)at), database_text(edits[i].with),
                                          database_int((int64_t)(at + len + 1))};
        work_sql_with(a->work,
                      "UPDATE sqlite_master SET sql = substr(sql, 1, ?2) || ?3 || substr(sql, ?4) "
                      "WHERE type = 'table' AND name = ?1",
                      4, params);
    }
    a->work->edits_schema = a->work->edits_schema || count > 0;
}

/* A check that a column is (not) NOT NULL by the engine's own reading of the edited text. */
void arrow_check_not_null(struct arrow *a, const char *column, bool wanted)
{
    struct buf sql = {0};

    buf_text(&sql, "SELECT 'the edited table is not as it should be' WHERE NOT EXISTS (SELECT 1 "
                   "FROM pragma_table_xinfo(");
    buf_sql_text(&sql, str_of(a->change->shape.table));
    buf_text(&sql, ") WHERE name = ");
    buf_sql_text(&sql, str_of(column));
    buf_print(&sql, " COLLATE NOCASE AND \"notnull\" = %d)", wanted ? 1 : 0);
    work_check(a->work, buf_cstr(&sql));
    buf_fini(&sql);
}

/* Before the edit, not after: where a column is NOT NULL, SQLite takes IS NULL for false without
 * looking. condition: what no row may fulfil. */
void arrow_demand_no_row(struct arrow *a, const char *condition, const char *refusal)
{
    struct buf sql = {0};

    buf_text(&sql, "NOT EXISTS (SELECT 1 FROM ");
    buf_sql_name(&sql, str_of(a->change->shape.table));
    buf_text(&sql, " WHERE ");
    buf_text(&sql, condition);
    buf_char(&sql, ')');
    work_before(a->work, ERR_CONFLICT, refusal, buf_cstr(&sql), 0, NULL);
    a->work->failed = a->work->failed || buf_failed(&sql);
    buf_fini(&sql);
}

void arrow_demand_empty(struct arrow *a, const char *table, const char *refusal)
{
    struct buf sql = {0};

    buf_text(&sql, "NOT EXISTS (SELECT 1 FROM ");
    buf_sql_name(&sql, str_of(table));
    buf_char(&sql, ')');
    work_before(a->work, ERR_CONFLICT, refusal, buf_cstr(&sql), 0, NULL);
    a->work->failed = a->work->failed || buf_failed(&sql);
    buf_fini(&sql);
}

enum err_code arrow_need_text_edits(struct arrow *a, const char *why)
{
    const struct database_capabilities *capabilities = NULL;
    enum err_code rc = database_probe(a->m->db, &capabilities, a->err);

    if (rc || capabilities->writable_schema) {
        return rc;
    }
    return err_set(a->err, ERR_CONFLICT, "%s: this database cannot do that in place", why);
}

void arrow_forget_progress(struct arrow *a)
{
    struct database_value name = database_text(a->migration->name);

    work_sql_with(a->work,
                  "UPDATE lockstep_journal SET triggers_at = " DATABASE_NOW_MS
                  ", cursor = NULL, digest = NULL, rows_done = 0, backfill_done = 0, "
                  "verified_at = NULL, verify = NULL WHERE migration = ?1",
                  1, &name);
}
