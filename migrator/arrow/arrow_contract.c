#include "migrator/arrow/arrow_parts.h"

#include <string.h>

#include "base/buf.h"
#include "database/sql_scan.h"
#include "migrator/arrow/touched.h"
#include "migrator/sql/table_text.h"

#define VIOLATED "a row violates what is declared for a column"
#define SMALL_TABLE 20000 /* rows that a last check may scan while the lock is held */

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
    if (rc == ERR_OK && touched_there(a->change)) {
        touched_demand(a->change, differs, "a row does not say the same in both shapes", a->work);
    } else if (rc == ERR_OK && rows <= SMALL_TABLE) { /* else the triggers keep what was verified */
        arrow_demand_no_row(a, differs, "a row does not say the same in both shapes");
    }
    return rc;
}

static enum err_code redefine_add(struct arrow *a, size_t i, bool declared, struct arrow_edit *edit)
{
    const struct phased_add *add = &a->change->phased->add[i];

    edit->with =
        declared ? change_declared(a->change, i, &a->arena) : change_bare(a->change, i, &a->arena);
    if (edit->with == NULL ||
        !table_text_column(str_of(a->change->shape.sql), add->name, &edit->piece)) {
        return err_set(a->err, ERR_CONFLICT, "\"%.60s\" was not found in the table's text",
                       add->name);
    }
    arrow_check_not_null(a, add->name, declared && add->not_null);
    return ERR_OK;
}

/* An altered column's text is made from what it was at first, so nobody may have changed it. */
static enum err_code redefine_alter(struct arrow *a, const struct phased_alter *alter,
                                    bool declared, struct arrow_edit *edit)
{
    const char *now = declared ? alter->loosened : alter->declared;

    edit->with = declared ? alter->declared : alter->loosened;
    if (edit->with == NULL || now == NULL ||
        !table_text_column(str_of(a->change->shape.sql), alter->name, &edit->piece) ||
        !sql_same_tokens(edit->piece, str_of(now))) {
        return err_set(a->err, ERR_CONFLICT,
                       "\"%.60s\" is not defined any more as this migration knows it", alter->name);
    }
    if (alter->null == PHASED_NULL_REFUSED) {
        arrow_check_not_null(a, alter->name, declared);
    }
    return ERR_OK;
}

/* Replaces the definitions of added and altered columns: declared (with their constraints) or
 * not. */
static enum err_code redefine(struct arrow *a, bool declared)
{
    const struct phased *phased = a->change->phased;
    const char *violated = change_violated(a->change, &a->arena);
    struct arrow_edit edits[2 * PHASED_COLUMNS_MAX];
    size_t count = 0;
    enum err_code rc = ERR_OK;

    if (violated == NULL) {
        return err_set(a->err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == ERR_OK && i < phased->add_count; i++) {
        if (change_declares(a->change, i)) {
            rc = redefine_add(a, i, declared, &edits[count++]);
        }
    }
    for (size_t i = 0; rc == ERR_OK && i < phased->alter_count; i++) {
        if (phased->alter[i].null == PHASED_NULL_REFUSED || phased->alter[i].check != NULL) {
            rc = redefine_alter(a, &phased->alter[i], declared, &edits[count++]);
        }
    }
    if (rc || count == 0) {
        return rc;
    }
    if (declared && strcmp(violated, "0") != 0 && touched_there(a->change)) {
        touched_demand(a->change, violated, VIOLATED, a->work);
    } else if (declared && strcmp(violated, "0") != 0) {
        arrow_demand_no_row(a, violated, VIOLATED);
    }
    arrow_edit_text(a, edits, count);
    return arrow_need_text_edits(a, "what is declared for columns");
}

enum err_code arrow_alter_text(struct arrow *a)
{
    const struct phased *phased = a->change->phased;
    struct arrow_edit edits[PHASED_COLUMNS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < phased->alter_count; i++) {
        const struct phased_alter *alter = &phased->alter[i];
        if (alter->declared == NULL ||
            !table_text_column(str_of(a->change->shape.sql), alter->name, &edits[count].piece)) {
            return err_set(a->err, ERR_CONFLICT, "\"%.60s\" was not found in the table's text",
                           alter->name);
        }
        edits[count++].with = alter->declared;
        if (alter->null != PHASED_NULL_AS_IT_IS) {
            arrow_check_not_null(a, alter->name, alter->null == PHASED_NULL_REFUSED);
        }
    }
    arrow_edit_text(a, edits, count);
    return count > 0 ? arrow_need_text_edits(a, "what is declared for columns") : ERR_OK;
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
            struct buf now = {0}, quoted = {0}; /* as the text has it: a '"' is doubled there */
            buf_sql_name(&now, str_of(a->change->drop_now[k]));
            buf_sql_name(&quoted, str_of(a->change->drop_aside[k]));
            if (strstr(a->change->triggers[i].sql, buf_cstr(&now)) != NULL) {
                buf_text(&sql, " AND instr(sql, ");
                buf_sql_text(&sql, (struct str){buf_cstr(&quoted), quoted.len});
                buf_text(&sql, ") > 0");
            }
            buf_fini(&now);
            buf_fini(&quoted);
        }
        buf_char(&sql, ')');
        work_check(a->work, buf_cstr(&sql));
        buf_fini(&sql);
    }
}

/* A set-aside column with a DEFAULT needs reverse triggers of its own (change_triggers.c). */
static enum err_code aside_triggers(struct arrow *a)
{
    struct change after;
    enum err_code rc = change_aside(a->change, &a->arena, &after, a->err);

    for (size_t i = 0; rc == ERR_OK && change_needs_aside(a->change) && i < after.trigger_count;
         i++) {
        if (!after.triggers[i].forward) {
            struct buf sql = {0};
            buf_text(&sql, "DROP TRIGGER IF EXISTS ");
            buf_sql_name(&sql, str_of(after.triggers[i].name));
            arrow_statement(a, &sql);
            work_sql(a->work, after.triggers[i].sql);
        }
    }
    return rc;
}

enum err_code arrow_contract(struct arrow *a)
{
    enum err_code rc;

    arrow_demand_schema(a);
    arrow_demand_verified(a);
    rc = demand_consistent(a);
    rc = rc ? rc : redefine(a, true);
    if (rc) {
        return rc;
    }
    arrow_drop_triggers(a, true, false);
    for (size_t i = 0; i < a->change->phased->drop_count; i++) {
        arrow_rename_column(a, a->change->drop_now[i], a->change->drop_aside[i]);
    }
    rc = aside_triggers(a);
    check_reverse_followed(a);
    if (touched_there(a->change)) {
        touched_drop(a->change, a->work);
    }
    arrow_end_activity(a);
    return rc;
}

/* The triggers are those of the old names, so they are made from the change as it will be. */
enum err_code arrow_uncontract(struct arrow *a)
{
    struct change after = *a->change;
    enum err_code rc;

    arrow_demand_schema(a);
    rc = redefine(a, false);
    if (rc) {
        return rc;
    }
    arrow_drop_triggers(a, true, true);
    for (size_t i = 0; i < a->change->phased->drop_count; i++) {
        arrow_rename_column(a, a->change->drop_aside[i], a->change->drop_old[i]);
    }
    after.set_aside = false;
    rc = change_renamed(a->change, &a->arena, &after, a->err);
    if (rc == ERR_OK) {
        arrow_create_triggers(a, &after);
        arrow_compile_triggers(a, &after);
    }
    arrow_start_activity(a);
    return rc;
}
