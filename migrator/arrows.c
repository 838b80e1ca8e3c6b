#include "migrator/arrows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "database/sql_scan.h"
#include "migrator/table_text.h"

#define SMALL_TABLE 20000 /* rows that a last check may scan while the lock is held */

struct arrow {
    struct migrate *m;
    const struct migration *migration;
    const struct change *change;
    const struct journal_row *row;
    struct work *work;
    struct arena arena;
    struct err *err;
};

/* ---- pieces ---- */

static void add_statement(struct arrow *a, struct buf *sql)
{
    work_sql(a->work, buf_cstr(sql));
    a->work->failed = a->work->failed || buf_failed(sql);
    buf_fini(sql);
}

static void begin_alter(const struct arrow *a, struct buf *sql)
{
    buf_text(sql, "ALTER TABLE ");
    buf_sql_name(sql, str_of(a->change->shape.table));
}

static void drop_trigger(struct arrow *a, const char *name)
{
    struct buf sql = {0};

    buf_text(&sql, "DROP TRIGGER IF EXISTS ");
    buf_sql_name(&sql, str_of(name));
    add_statement(a, &sql);
}

static void drop_triggers(struct arrow *a, bool forward, bool reverse)
{
    for (size_t i = 0; i < a->change->trigger_count; i++) {
        if (a->change->triggers[i].forward ? forward : reverse) {
            drop_trigger(a, a->change->triggers[i].name);
        }
    }
}

static void drop_column(struct arrow *a, const char *name)
{
    struct buf sql = {0};

    begin_alter(a, &sql);
    buf_text(&sql, " DROP COLUMN ");
    buf_sql_name(&sql, str_of(name));
    add_statement(a, &sql);
}

/* Renames under the quoting that the definition has, so that the text comes back as it was. */
static void rename_column(struct arrow *a, const char *from, const char *to)
{
    struct str definition = {0};
    struct buf sql = {0};
    bool bare = table_text_column(str_of(a->change->shape.sql), from, &definition) &&
                table_text_bare_name(definition);

    for (const char *p = to; *p != '\0'; p++) {
        bare = bare && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                        (*p >= '0' && *p <= '9') || *p == '_');
    }
    begin_alter(a, &sql);
    buf_text(&sql, " RENAME COLUMN ");
    buf_sql_name(&sql, str_of(from));
    buf_text(&sql, " TO ");
    if (bare) {
        buf_text(&sql, to);
    } else {
        buf_sql_name(&sql, str_of(to));
    }
    add_statement(a, &sql);
}

/* The application may have changed its table since it was read. */
static void demand_schema(struct arrow *a)
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

struct edit {
    struct str piece; /* of the table's text */
    const char *with;
};

/* Adds one UPDATE of sqlite_master a piece, from the last to the first, so that places keep. What
 * ALTER TABLE has added behind them does not matter. */
static void edit_text(struct arrow *a, struct edit *edits, size_t count)
{
    const char *sql = a->change->shape.sql;

    for (size_t i = 1; i < count; i++) { /* few: by insertion, the last place first */
        struct edit edit = edits[i];
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
static void check_not_null(struct arrow *a, const char *column, bool wanted)
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
static void demand_no_row(struct arrow *a, const char *condition, const char *refusal)
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

static enum err_code need_text_edits(struct arrow *a, const char *why)
{
    const struct database_capabilities *capabilities = NULL;
    enum err_code rc = database_probe(a->m->db, &capabilities, a->err);

    if (rc || capabilities->writable_schema) {
        return rc;
    }
    return err_set(a->err, ERR_CONFLICT, "%s: this database cannot do that in place", why);
}

/* ---- pending <-> expanded ---- */

/* What the way back needs: how table and indexes were written. */
static const char *remember(struct arrow *a)
{
    struct json *detail = json_object(), *objects = json_array();
    const struct shape *shape = &a->change->shape;
    char *text;
    const char *kept;

    (void)json_put_text(detail, "table", shape->sql);
    for (size_t i = 0; i < shape->object_count; i++) {
        struct json *object;
        if (strcmp(shape->objects[i].type, "index") != 0 || *shape->objects[i].sql == '\0') {
            continue;
        }
        object = json_object();
        (void)json_put_text(object, "name", shape->objects[i].name);
        (void)json_put_text(object, "sql", shape->objects[i].sql);
        (void)json_append(objects, object);
    }
    (void)json_put(detail, "indexes", objects);
    text = json_print(detail);
    kept = text != NULL ? arena_text(&a->arena, text, strlen(text)) : NULL;
    free(text);
    json_free(detail);
    return kept;
}

static enum err_code loosen(struct arrow *a)
{
    struct edit edits[PHASED_COLUMNS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < a->change->phased->drop_count; i++) {
        const char *name = a->change->drop_now[i];
        const struct shape_column *column = shape_column(&a->change->shape, name);
        struct buf loosened = {0};
        if (column == NULL || !column->not_null) {
            continue;
        }
        if (!table_text_column(str_of(a->change->shape.sql), name, &edits[count].piece) ||
            !table_text_loosen(edits[count].piece, &loosened)) {
            return err_set(a->err, ERR_CONFLICT,
                           "\"%.60s\": its NOT NULL was not found in the text", name);
        }
        edits[count++].with = arena_text(&a->arena, buf_cstr(&loosened), loosened.len);
        buf_fini(&loosened);
        check_not_null(a, name, false);
    }
    edit_text(a, edits, count);
    return count > 0 ? need_text_edits(a, "loosening NOT NULL") : ERR_OK;
}

static enum err_code expand(struct arrow *a)
{
    demand_schema(a);
    for (size_t i = 0; i < a->change->phased->add_count; i++) {
        struct buf sql = {0};
        const char *bare = change_bare(a->change, i, &a->arena);
        begin_alter(a, &sql);
        buf_print(&sql, " ADD COLUMN %s", bare != NULL ? bare : "");
        add_statement(a, &sql);
    }
    return loosen(a);
}

static enum err_code remember_expand(struct arrow *a)
{
    const char *detail = remember(a);

    if (detail == NULL) {
        return err_set(a->err, ERR_NOMEM, "out of memory");
    }
    work_sql_with(
        a->work, "UPDATE lockstep_journal SET detail = ?2 WHERE migration = ?1", 2,
        (struct database_value[]){database_text(a->migration->name), database_text(detail)});
    return ERR_OK;
}

/* The table's text as it shall be again: its first text, if nobody else changed it meanwhile;
 * otherwise the text of now without our columns and with the first definitions of the dropped
 * ones. */
static const char *text_before(struct arrow *a, const char *first)
{
    const struct phased *phased = a->change->phased;
    char *now = strdup(a->change->shape.sql);
    const char *out;

    for (size_t i = 0; now != NULL && i < phased->add_count; i++) {
        struct str definition;
        struct buf edited = {0};
        if (table_text_column(str_of(now), phased->add[i].name, &definition)) {
            table_text_remove(str_of(now), definition, &edited);
            free(now);
            now = buf_take(&edited);
        }
    }
    for (size_t i = 0; now != NULL && first != NULL && i < phased->drop_count; i++) {
        struct str definition, original;
        struct buf edited = {0};
        if (table_text_column(str_of(now), a->change->drop_old[i], &definition) &&
            table_text_column(str_of(first), a->change->drop_old[i], &original)) {
            table_text_replace(str_of(now), definition, original, &edited);
            free(now);
            now = buf_take(&edited);
        }
    }
    if (now == NULL) {
        return NULL;
    }
    if (first != NULL && sql_same_tokens(str_of(now), str_of(first))) {
        free(now);
        return first;
    }
    out = arena_text(&a->arena, now, strlen(now));
    free(now);
    return out;
}

static void restore_text(struct arrow *a, const char *type, const char *name, const char *text)
{
    struct database_value params[] = {database_text(type), database_text(name),
                                      database_text(text)};

    work_sql_with(a->work, "UPDATE sqlite_master SET sql = ?3 WHERE type = ?1 AND name = ?2", 3,
                  params);
    a->work->edits_schema = true;
}

/* Indexes that followed a column's renames come back with the quotes that they had. */
static void restore_indexes(struct arrow *a, const struct json *detail)
{
    const struct shape *shape = &a->change->shape;

    for (const struct json *index = json_first(json_get(detail, "indexes")); index != NULL;
         index = json_next(index)) {
        const char *name = json_get_text(index, "name", ""), *sql = json_get_text(index, "sql", "");
        for (size_t i = 0; i < shape->object_count; i++) {
            const struct shape_object *object = &shape->objects[i];
            if (strcmp(object->type, "index") == 0 && strcmp(object->name, name) == 0 &&
                strcmp(object->sql, sql) != 0 &&
                sql_same_tokens(str_of(object->sql), str_of(sql))) {
                restore_text(a, "index", name, arena_text(&a->arena, sql, strlen(sql)));
            }
        }
    }
}

static enum err_code unexpand(struct arrow *a)
{
    const struct phased *phased = a->change->phased;
    struct json *detail = NULL;
    struct err unused = {0};
    const char *first = NULL, *text, *kept = a->row != NULL ? a->row->detail : NULL;

    if (kept != NULL && json_parse(kept, strlen(kept), &detail, &unused) == ERR_OK) {
        first = json_get_text(detail, "table", NULL);
        first = first != NULL ? arena_text(&a->arena, first, strlen(first)) : NULL;
    }
    demand_schema(a);
    for (size_t i = phased->add_count; i-- > 0;) {
        drop_column(a, phased->add[i].name);
    }
    text = text_before(a, first);
    if (text == NULL) {
        json_free(detail);
        return err_set(a->err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < phased->drop_count; i++) {
        struct str now, then;
        struct buf loosened = {0}, is_null = {0};
        if (table_text_column(str_of(text), a->change->drop_old[i], &then) &&
            table_text_column(str_of(a->change->shape.sql), a->change->drop_old[i], &now) &&
            table_text_loosen(then, &loosened)) {
            buf_sql_name(&is_null, str_of(a->change->drop_old[i]));
            buf_text(&is_null, " IS NULL");
            demand_no_row(a, buf_cstr(&is_null),
                          "a row has NULL where NOT NULL is to hold again: give it a value first");
            check_not_null(a, a->change->drop_old[i], true);
        }
        buf_fini(&loosened);
        buf_fini(&is_null);
    }
    if (phased->drop_count > 0 && need_text_edits(a, "restoring the table") == ERR_OK) {
        restore_text(a, "table", a->change->shape.table, text);
        restore_indexes(a, detail);
    }
    json_free(detail);
    return ERR_OK;
}

/* ---- expanded <-> dual-writing <-> in-sync ---- */

static void create_triggers(struct arrow *a)
{
    for (size_t i = 0; i < a->change->trigger_count; i++) {
        work_sql(a->work, a->change->triggers[i].sql);
    }
}

/* Old code's clock starts anew: what it did before was not recorded. */
static void start_activity(struct arrow *a)
{
    struct database_value name = database_text(a->migration->name);

    if (a->change->trigger_count > 0) {
        work_sql_with(a->work,
                      "INSERT OR REPLACE INTO lockstep_activity(migration, written_at) "
                      "VALUES(?1, " DATABASE_NOW_MS " / 1000)",
                      1, &name);
    }
}

static void end_activity(struct arrow *a)
{
    struct database_value name = database_text(a->migration->name);

    work_sql_with(a->work, "DELETE FROM lockstep_activity WHERE migration = ?1", 1, &name);
}

static void dual_write(struct arrow *a)
{
    struct database_value name = database_text(a->migration->name);

    demand_schema(a);
    create_triggers(a);
    start_activity(a);
    work_sql_with(a->work,
                  "UPDATE lockstep_journal SET triggers_at = " DATABASE_NOW_MS
                  ", cursor = NULL, digest = NULL, rows_done = 0, backfill_done = 0, "
                  "verified_at = NULL, verify = NULL WHERE migration = ?1",
                  1, &name);
}

static void undual_write(struct arrow *a)
{
    drop_triggers(a, true, true);
    end_activity(a);
}

/* Verified, and since the last change of triggers, and not too long ago: also in the transaction. */
static void demand_verified(struct arrow *a)
{
    struct database_value name = database_text(a->migration->name);

    work_before(a->work, ERR_CONFLICT, "the last verification does not count any more",
                "EXISTS (SELECT 1 FROM lockstep_journal WHERE migration = ?1 AND verified_at >= "
                "coalesce(triggers_at, 0) AND verified_at > " DATABASE_NOW_MS " - 3600000)",
                1, &name);
}

/* ---- in-sync <-> contracted ---- */

static enum err_code demand_consistent(struct arrow *a)
{
    const char *differs = arena_print(&a->arena, "NOT (%s)", a->change->consistent);
    int64_t rows = 0;
    enum err_code rc = shape_count_rows(a->m->db, a->change->shape.table, &rows, a->err);

    if (rc == ERR_OK && differs == NULL) {
        rc = err_set(a->err, ERR_NOMEM, "out of memory");
    }
    if (a->change->phased->drop_count == 0) {
        return rc; /* what new code wrote over a derived value is its own */
    }
    if (rc == ERR_OK && rows <= SMALL_TABLE) { /* else the triggers keep what was just verified */
        demand_no_row(a, differs, "a row does not say the same in both shapes");
    }
    return rc;
}

/* Replaces the added columns' definitions: declared (with their constraints) or bare. */
static enum err_code redefine(struct arrow *a, bool declared)
{
    const char *violated = change_violated(a->change, &a->arena);
    struct edit edits[PHASED_COLUMNS_MAX];
    size_t count = 0;

    if (violated == NULL) {
        return err_set(a->err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < a->change->phased->add_count; i++) {
        const struct phased_add *add = &a->change->phased->add[i];
        const char *with = declared ? change_declared(a->change, i, &a->arena)
                                    : change_bare(a->change, i, &a->arena);
        if (!change_declares(a->change, i)) {
            continue;
        }
        if (with == NULL ||
            !table_text_column(str_of(a->change->shape.sql), add->name, &edits[count].piece)) {
            return err_set(a->err, ERR_CONFLICT, "\"%.60s\" was not found in the table's text",
                           add->name);
        }
        edits[count++].with = with;
        check_not_null(a, add->name, declared && add->not_null);
    }
    if (declared && count > 0) {
        demand_no_row(a, violated, "a row violates what is declared for an added column");
    }
    edit_text(a, edits, count);
    return count > 0 ? need_text_edits(a, "\"not_null\" and \"check\"") : ERR_OK;
}

/* The reverse triggers must have followed the rename: they keep the set-aside column true. */
static void check_reverse_followed(struct arrow *a)
{
    for (size_t i = 0; i < a->change->trigger_count; i++) {
        struct buf sql = {0};
        if (a->change->triggers[i].forward) {
            continue;
        }
        buf_text(&sql, "SELECT 'a reverse trigger did not follow the rename' WHERE NOT EXISTS "
                       "(SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = ");
        buf_sql_text(&sql, str_of(a->change->triggers[i].name));
        for (size_t k = 0; k < a->change->phased->drop_count; k++) {
            struct buf quoted = {0}; /* as the trigger's text has it: a '"' is doubled there */
            buf_sql_name(&quoted, str_of(a->change->drop_aside[k]));
            buf_text(&sql, " AND instr(sql, ");
            buf_sql_text(&sql, (struct str){buf_cstr(&quoted), quoted.len});
            buf_text(&sql, ") > 0");
            buf_fini(&quoted);
        }
        buf_char(&sql, ')');
        work_check(a->work, buf_cstr(&sql));
        buf_fini(&sql);
    }
}

static enum err_code contract(struct arrow *a)
{
    enum err_code rc;

    demand_schema(a);
    demand_verified(a);
    rc = demand_consistent(a);
    rc = rc ? rc : redefine(a, true);
    if (rc) {
        return rc;
    }
    drop_triggers(a, true, false);
    for (size_t i = 0; i < a->change->phased->drop_count; i++) {
        rename_column(a, a->change->drop_now[i], a->change->drop_aside[i]);
    }
    check_reverse_followed(a);
    end_activity(a);
    return ERR_OK;
}

/* The triggers are those of the old names, so they are made from the change as it will be. */
static enum err_code uncontract(struct arrow *a)
{
    struct change after = *a->change;
    enum err_code rc;

    demand_schema(a);
    rc = redefine(a, false);
    if (rc) {
        return rc;
    }
    drop_triggers(a, true, true);
    for (size_t i = 0; i < a->change->phased->drop_count; i++) {
        rename_column(a, a->change->drop_aside[i], a->change->drop_old[i]);
    }
    after.set_aside = false;
    rc = change_renamed(a->change, &a->arena, &after, a->err);
    for (size_t i = 0; rc == ERR_OK && i < after.trigger_count; i++) {
        work_sql(a->work, after.triggers[i].sql);
    }
    start_activity(a);
    return rc;
}

/* ---- purge, and fresh databases ---- */

/* Whether an index names the column behind its ON: its own name may be the same word. */
static bool index_names(const struct shape_object *index, const char *column)
{
    struct sql_scan scan = sql_scan_start(str_of(index->sql));
    struct sql_token token;
    bool behind = false;

    while (sql_scan_next(&scan, &token)) {
        if (behind && sql_token_names(&token, column)) {
            return true;
        }
        behind = behind || sql_token_punct(&token, '(');
    }
    return false;
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
        struct buf sql = {0};
        if (strcmp(object->type, "index") != 0 || !index_names(object, column)) {
            continue;
        }
        buf_text(&sql, "DROP INDEX IF EXISTS ");
        buf_sql_name(&sql, str_of(object->name));
        add_statement(a, &sql);
    }
}

static void purge(struct arrow *a)
{
    demand_schema(a);
    drop_triggers(a, true, true);
    for (size_t i = 0; i < a->change->phased->drop_count; i++) {
        drop_indexes_of(a, i);
        drop_column(a, a->change->drop_now[i]);
    }
    end_activity(a);
}

static void fresh(struct arrow *a)
{
    struct buf empty = {0};

    demand_schema(a);
    buf_text(&empty, "NOT EXISTS (SELECT 1 FROM ");
    buf_sql_name(&empty, str_of(a->change->shape.table));
    buf_char(&empty, ')');
    work_before(a->work, ERR_CONFLICT, "the table has rows by now; run the command again",
                buf_cstr(&empty), 0, NULL);
    buf_fini(&empty);
    for (size_t i = 0; i < a->change->phased->add_count; i++) {
        struct buf sql = {0};
        const char *declared = change_declared(a->change, i, &a->arena);
        begin_alter(a, &sql);
        buf_print(&sql, " ADD COLUMN %s", declared != NULL ? declared : "");
        add_statement(a, &sql);
    }
    for (size_t i = 0; i < a->change->phased->drop_count; i++) {
        drop_indexes_of(a, i);
        drop_column(a, a->change->drop_now[i]);
    }
}

/* ---- put together ---- */

static enum err_code build(struct arrow *a, enum mig_state from, enum mig_state to)
{
    switch (to) {
    case MIG_PENDING: return unexpand(a);
    case MIG_EXPANDED:
        if (from == MIG_PENDING) {
            return expand(a);
        }
        undual_write(a);
        return ERR_OK;
    case MIG_DUAL_WRITING:
        if (from == MIG_EXPANDED) {
            dual_write(a);
        }
        return ERR_OK; /* from in-sync the triggers stay */
    case MIG_IN_SYNC:
        if (from == MIG_CONTRACTED) {
            return uncontract(a);
        }
        demand_verified(a);
        return ERR_OK;
    case MIG_CONTRACTED: return contract(a);
    case MIG_PURGED:
        if (from == MIG_PENDING) {
            fresh(a);
        } else {
            purge(a);
        }
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

static enum err_code run_arrow(struct migrate *m, size_t index, const struct change *change,
                               enum mig_state from, enum mig_state to, const char *reason,
                               int64_t started_ms, int64_t rows, struct json *steps,
                               struct err *err)
{
    struct work work = {0};
    struct arrow a = {.m = m,
                      .migration = &m->folder.at[index],
                      .change = change,
                      .row = session_row(m, index),
                      .work = &work,
                      .err = err};
    struct database_batch_result result = {.hold_us = -1};
    int64_t since = clock_monotonic_us();
    enum err_code rc;

    rc = build(&a, from, to);
    if (rc == ERR_OK) {
        move_journal(&a, from, to);
        rc = from == MIG_PENDING && to == MIG_EXPANDED ? remember_expand(&a) : ERR_OK;
    }
    if (rc == ERR_OK) {
        journal_history(&work, &(struct history){.migration = a.migration->name,
                                                 .event = to > from && to != MIG_PENDING
                                                              ? mig_state_phase(to)
                                                              : "rollback",
                                                 .from = from,
                                                 .to = to,
                                                 .digest = a.migration->checksum,
                                                 .detail = reason,
                                                 .started_ms = started_ms,
                                                 .rows = rows});
        rc = work_run(&work, m->db, &m->lock, &result, err);
    }
    work_fini(&work);
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
