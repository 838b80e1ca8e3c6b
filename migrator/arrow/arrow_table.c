#include "migrator/arrow/arrow_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "migrator/change/table_change.h"

#define SMALL_TABLE 20000 /* rows that a last check may scan while the lock is held */
#define PURGING "{\"purging\":true}"

/* ---- pieces ---- */

static void drop_table(struct arrow *a, const char *name)
{
    arrow_on_name(a, "DROP TABLE ", name, "", NULL);
}

/* Old code's clock, for the triggers of another change than the arrow's own. */
static void start_activity(struct arrow *a, const struct change *change)
{
    struct arrow of = *a;

    of.change = change;
    arrow_start_activity(&of);
}

static bool renames(const struct arrow *a)
{
    return a->change->phased->kind == PHASED_RENAME_TABLE;
}

/* ---- the new table ---- */

static void make_new(struct arrow *a)
{
    work_sql(a->work, a->change->table->new_sql);
    for (size_t i = 0; i < a->change->table->index_count; i++) {
        work_sql(a->work, a->change->table->indexes[i].sql);
    }
}

/* Numbers that were given before are not given again, in whichever table the next row comes. */
static void carry_sequence(struct arrow *a)
{
    struct database_value names[] = {database_text(a->change->table->new_name),
                                     database_text(a->change->table->old_now)};

    if (a->change->table->autoincrement) {
        work_sql_with(a->work, "DELETE FROM sqlite_sequence WHERE name = ?1", 1, names);
        work_sql_with(a->work,
                      "INSERT INTO sqlite_sequence(name, seq) SELECT ?1, seq FROM sqlite_sequence "
                      "WHERE name = ?2",
                      2, names);
    }
}

/* ---- what the way back from contract needs ---- */

static void add_objects(struct json *list, const struct database_rows *rows)
{
    for (size_t i = 0; i < database_rows_count(rows); i++) {
        struct json *object = json_object();
        (void)json_put_text(object, "type", database_rows_text(rows, i, 0));
        (void)json_put_text(object, "name", database_rows_text(rows, i, 1));
        (void)json_put_text(object, "sql", database_rows_text(rows, i, 2));
        (void)json_append(list, object);
    }
}

/* Renaming writes the texts of a table, its indexes and triggers anew, with other quotes. */
static enum err_code remember(struct arrow *a)
{
    struct database_value table = database_text(a->change->table->old_now);
    struct database_rows *rows = NULL;
    struct json *detail, *objects;
    char *text;
    enum err_code rc = database_query(
        a->m->db,
        "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = ?1 AND sql IS NOT NULL AND "
        "(type <> 'trigger' OR substr(name, 1, 9) <> 'lockstep_') ORDER BY type, name",
        &table, 1, &rows, a->err);

    if (rc) {
        return rc;
    }
    detail = json_object();
    objects = json_array();
    add_objects(objects, rows);
    database_rows_free(rows);
    (void)json_put(detail, "objects", objects);
    text = json_print(detail);
    json_free(detail);
    if (text == NULL) {
        return err_set(a->err, ERR_NOMEM, "out of memory");
    }
    work_sql_with(
        a->work, "UPDATE lockstep_journal SET detail = ?2 WHERE migration = ?1", 2,
        (struct database_value[]){database_text(a->migration->name), database_text(text)});
    free(text);
    return ERR_OK;
}

static enum err_code restore_texts(struct arrow *a)
{
    const struct database_capabilities *capabilities = NULL;
    struct json *detail = NULL;
    struct err unused = {0};
    enum err_code rc = database_probe(a->m->db, &capabilities, a->err);

    if (rc || !capabilities->writable_schema || a->row == NULL || a->row->detail == NULL ||
        json_parse(a->row->detail, strlen(a->row->detail), &detail, &unused) != ERR_OK) {
        return rc; /* the texts are equal token by token as they are */
    }
    for (const struct json *o = json_first(json_get(detail, "objects")); o; o = json_next(o)) {
        bool table = strcmp(json_get_text(o, "type", ""), "table") == 0;
        work_sql_with(a->work,
                      "UPDATE sqlite_master SET sql = ?3 WHERE type = ?1 AND name = ?2 AND "
                      "tbl_name = ?4 AND sql IS NOT NULL",
                      4,
                      (struct database_value[]){database_text(json_get_text(o, "type", "")),
                                                database_text(table ? a->change->table->old_name
                                                                    : json_get_text(o, "name", "")),
                                                database_text(json_get_text(o, "sql", "")),
                                                database_text(a->change->table->old_name)});
        a->work->edits_schema = true;
    }
    json_free(detail);
    return ERR_OK;
}

/* ---- arrows ---- */

static enum err_code expand(struct arrow *a)
{
    if (renames(a)) {
        arrow_demand_schema(a);
    }
    if (a->change->table->new_name != NULL) {
        make_new(a);
    }
    return ERR_OK;
}

static enum err_code unexpand(struct arrow *a)
{
    if (a->change->table->new_name != NULL) {
        arrow_demand_empty(a, a->change->table->new_name,
                           renames(a)
                               ? "the new table has rows, and nothing carried them over to the old "
                                 "one; move or delete them first"
                               : "the table has rows by now; run the command again");
        drop_table(a, a->change->table->new_name);
    }
    return ERR_OK;
}

static void dual_write(struct arrow *a)
{
    if (a->change->table->old_name != NULL) {
        arrow_demand_schema(a);
    }
    if (renames(a)) {
        arrow_demand_empty(
            a, a->change->table->new_name,
            "the new table has rows already, which nobody may write before dual-write; "
            "move or delete them first");
        carry_sequence(a);
    }
    arrow_create_triggers(a, a->change);
    arrow_start_activity(a);
    arrow_forget_progress(a);
}

static enum err_code check_dependents(struct arrow *a)
{
    const char *names = table_dependents(a->m->db, a->change, &a->arena);

    if (names == NULL || *names == '\0') {
        return names != NULL ? ERR_OK : err_set(a->err, ERR_INVALID, "the schema is unreadable");
    }
    return err_set(a->err, ERR_CONFLICT,
                   "\"%.60s\" cannot be set aside, because it is named by: %.200s; change those "
                   "first",
                   a->change->table->old_now, names);
}

/* Else the triggers keep what was just verified. */
static enum err_code demand_equal(struct arrow *a)
{
    int64_t rows = 0;
    enum err_code rc = shape_count_rows(a->m->db, a->change->table->old_now, &rows, a->err);

    if (rc == ERR_OK && rows <= SMALL_TABLE) {
        const char *equal = arena_print(&a->arena, "NOT %s", a->change->table->different);
        if (equal == NULL) {
            return err_set(a->err, ERR_NOMEM, "out of memory");
        }
        work_before(a->work, ERR_CONFLICT, "a row is not the same in both tables", equal, 0, NULL);
    }
    return rc;
}

static enum err_code contract(struct arrow *a)
{
    struct change after;
    enum err_code rc;

    arrow_demand_verified(a);
    if (a->change->table->old_name == NULL) {
        return ERR_OK;
    }
    arrow_demand_schema(a);
    rc = check_dependents(a);
    if (rc == ERR_OK && renames(a)) {
        rc = demand_equal(a);
    }
    rc = rc ? rc : remember(a);
    rc = rc ? rc : table_change_named(a->change, true, &a->arena, &after, a->err);
    if (rc) {
        return rc;
    }
    arrow_drop_triggers(a, true, true);
    arrow_on_name(a, "ALTER TABLE ", a->change->table->old_now, " RENAME TO ",
                  a->change->table->aside);
    arrow_create_triggers(a, &after);
    arrow_end_activity(a);
    return ERR_OK;
}

static enum err_code uncontract(struct arrow *a)
{
    struct change after;
    enum err_code rc;

    if (a->change->table->old_name == NULL) {
        return ERR_OK;
    }
    arrow_demand_schema(a);
    rc = table_change_named(a->change, false, &a->arena, &after, a->err);
    if (rc) {
        return rc;
    }
    arrow_drop_triggers(a, true, true);
    arrow_on_name(a, "ALTER TABLE ", a->change->table->aside, " RENAME TO ",
                  a->change->table->old_name);
    rc = restore_texts(a);
    arrow_create_triggers(a, &after);
    start_activity(a, &after);
    return rc;
}

static void purge(struct arrow *a)
{
    if (a->change->table->old_name == NULL) {
        return;
    }
    arrow_demand_empty(a, a->change->table->old_now,
                       "the table that was set aside has rows; run the command again");
    arrow_drop_triggers(a, true, true);
    drop_table(a, a->change->table->old_now);
    arrow_end_activity(a);
}

static enum err_code fresh(struct arrow *a)
{
    enum err_code rc = ERR_OK;

    if (a->change->table->old_name != NULL) {
        rc = check_dependents(a);
        arrow_demand_schema(a);
        arrow_demand_empty(a, a->change->table->old_now,
                           "the table has rows by now; run the command again");
    }
    if (a->change->table->new_name != NULL) {
        make_new(a);
    }
    if (a->change->table->old_name != NULL) {
        drop_table(a, a->change->table->old_now);
    }
    return rc;
}

static void undual_write(struct arrow *a)
{
    arrow_drop_triggers(a, true, true);
    arrow_end_activity(a);
}

const struct arrow_moves arrow_table_moves = {
    .expand = expand,
    .unexpand = unexpand,
    .dual_write = dual_write,
    .undual_write = undual_write,
    .verified = arrow_demand_verified,
    .contract = contract,
    .uncontract = uncontract,
    .purge = purge,
    .fresh = fresh,
};
