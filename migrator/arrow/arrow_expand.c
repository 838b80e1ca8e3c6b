#include "migrator/arrow/arrow_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "database/sql_scan.h"
#include "migrator/sql/table_text.h"

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

static enum err_code loosen_one(struct arrow *a, const char *name, struct arrow_edit *edit)
{
    struct buf loosened = {0};

    if (!table_text_column(str_of(a->change->shape.sql), name, &edit->piece) ||
        !table_text_loosen(edit->piece, &loosened)) {
        return err_set(a->err, ERR_CONFLICT, "\"%.60s\": its NOT NULL was not found in the text",
                       name);
    }
    edit->with = arena_text(&a->arena, buf_cstr(&loosened), loosened.len);
    buf_fini(&loosened);
    arrow_check_not_null(a, name, false);
    return edit->with != NULL ? ERR_OK : err_set(a->err, ERR_NOMEM, "out of memory");
}

/* *can: this engine has ALTER COLUMN ... NOT NULL both ways, and nothing better. */
static enum err_code can_alter(struct arrow *a, bool *can)
{
    const struct database_capabilities *capabilities = NULL;
    enum err_code rc = database_probe(a->m->db, &capabilities, a->err);

    *can = rc == ERR_OK && !capabilities->writable_schema && capabilities->alter_drop_not_null &&
           capabilities->alter_set_not_null;
    return rc;
}

static void alter_not_null(struct arrow *a, const char *column, bool set)
{
    struct buf sql = {0};

    arrow_begin_alter(a, &sql);
    buf_text(&sql, " ALTER COLUMN ");
    buf_sql_name(&sql, str_of(column));
    buf_text(&sql, set ? " SET NOT NULL" : " DROP NOT NULL");
    arrow_statement(a, &sql);
    arrow_check_not_null(a, column, set);
}

/* Columns that are to go; those that stay and allow NULL from now on need more than this. */
static void loosen_by_alter(struct arrow *a)
{
    for (size_t i = 0; i < a->change->phased->drop_count; i++) {
        const char *name = a->change->drop_now[i];
        const struct shape_column *column = shape_column(&a->change->shape, name);
        if (column != NULL && column->not_null) {
            alter_not_null(a, name, false);
        }
    }
}

static enum err_code loosen(struct arrow *a)
{
    const struct phased *phased = a->change->phased;
    struct arrow_edit edits[2 * PHASED_COLUMNS_MAX];
    size_t count = 0;
    bool alters = false;
    enum err_code rc = can_alter(a, &alters);

    if (rc == ERR_OK && alters) {
        loosen_by_alter(a);
        return ERR_OK;
    }
    for (size_t i = 0; rc == ERR_OK && i < phased->drop_count; i++) {
        const char *name = a->change->drop_now[i];
        const struct shape_column *column = shape_column(&a->change->shape, name);
        if (column != NULL && column->not_null) {
            rc = loosen_one(a, name, &edits[count++]);
        }
    }
    for (size_t i = 0; rc == ERR_OK && i < phased->alter_count; i++) {
        if (phased->alter[i].null == PHASED_NULL_ALLOWED) {
            rc = loosen_one(a, phased->alter[i].name, &edits[count++]);
        }
    }
    if (rc || count == 0) {
        return rc;
    }
    arrow_edit_text(a, edits, count);
    return arrow_need_text_edits(a, "loosening NOT NULL");
}

enum err_code arrow_expand(struct arrow *a)
{
    arrow_demand_schema(a);
    for (size_t i = 0; i < a->change->phased->add_count; i++) {
        struct buf sql = {0};
        const char *bare = change_bare(a->change, i, &a->arena);
        arrow_begin_alter(a, &sql);
        buf_print(&sql, " ADD COLUMN %s", bare != NULL ? bare : "");
        arrow_statement(a, &sql);
    }
    return loosen(a);
}

enum err_code arrow_remember(struct arrow *a)
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

/* The text with the column defined as it was at first. Takes now. */
static char *with_first(char *now, const char *first, const char *column)
{
    struct str definition, original;
    struct buf edited = {0};
    char *out;

    if (!table_text_column(str_of(now), column, &definition) ||
        !table_text_column(str_of(first), column, &original)) {
        return now;
    }
    table_text_replace(str_of(now), definition, original, &edited);
    out = buf_take(&edited);
    free(now);
    return out;
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
        now = with_first(now, first, a->change->drop_old[i]);
    }
    for (size_t i = 0; now != NULL && first != NULL && i < phased->alter_count; i++) {
        now = with_first(now, first, phased->alter[i].name);
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

/* Where the column is NOT NULL in the text that comes back, no row may have NULL. */
static void demand_not_null(struct arrow *a, const char *text, const char *column, bool by_alter)
{
    struct str now, then;
    struct buf loosened = {0}, is_null = {0}, bare = {0};

    if (table_text_column(str_of(text), column, &then) &&
        table_text_column(str_of(a->change->shape.sql), column, &now) &&
        table_text_loosen(then, &loosened)) {
        buf_sql_name(&is_null, str_of(column));
        buf_text(&is_null, " IS NULL");
        arrow_demand_no_row(
            a, buf_cstr(&is_null),
            "a row has NULL where NOT NULL is to hold again: give it a value first");
        if (by_alter && !table_text_loosen(now, &bare)) {
            alter_not_null(a, column, true);
        } else {
            arrow_check_not_null(a, column, true);
        }
    }
    buf_fini(&bare);
    buf_fini(&loosened);
    buf_fini(&is_null);
}

enum err_code arrow_unexpand(struct arrow *a)
{
    const struct phased *phased = a->change->phased;
    struct json *detail = NULL;
    struct err unused = {0};
    bool alters = false;
    enum err_code rc = can_alter(a, &alters);
    const char *first = NULL, *text, *kept = a->row != NULL ? a->row->detail : NULL;

    if (rc) {
        return rc;
    }
    if (kept != NULL && json_parse(kept, strlen(kept), &detail, &unused) == ERR_OK) {
        first = json_get_text(detail, "table", NULL);
        first = first != NULL ? arena_text(&a->arena, first, strlen(first)) : NULL;
    }
    arrow_demand_schema(a);
    for (size_t i = phased->add_count; i-- > 0;) {
        arrow_drop_column(a, phased->add[i].name);
    }
    text = text_before(a, first);
    if (text == NULL) {
        json_free(detail);
        return err_set(a->err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < phased->drop_count; i++) {
        demand_not_null(a, text, a->change->drop_old[i], alters);
    }
    for (size_t i = 0; i < phased->alter_count; i++) {
        if (phased->alter[i].null == PHASED_NULL_ALLOWED) {
            demand_not_null(a, text, phased->alter[i].name, false);
        }
    }
    rc = phased->drop_count + phased->alter_count > 0
             ? arrow_need_text_edits(a, "restoring the table")
             : ERR_CONFLICT;
    if (rc == ERR_OK) {
        restore_text(a, "table", a->change->shape.table, text);
        restore_indexes(a, detail);
    }
    json_free(detail);
    return rc == ERR_CONFLICT ? ERR_OK : rc; /* where texts cannot be edited they stay */
}
