#include "migrator/arrow_parts.h"

#include <string.h>

#include "base/buf.h"
#include "migrator/table_text.h"
#include "migrator/touched.h"

#define VIOLATED "a row violates what is declared for an added column"
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

/* Replaces the added columns' definitions: declared (with their constraints) or bare. */
static enum err_code redefine(struct arrow *a, bool declared)
{
    const char *violated = change_violated(a->change, &a->arena);
    struct arrow_edit edits[PHASED_COLUMNS_MAX];
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
        arrow_check_not_null(a, add->name, declared && add->not_null);
    }
    if (declared && count > 0 && touched_there(a->change)) {
        touched_demand(a->change, violated, VIOLATED, a->work);
    } else if (declared && count > 0) {
        arrow_demand_no_row(a, violated, VIOLATED);
    }
    arrow_edit_text(a, edits, count);
    return count > 0 ? arrow_need_text_edits(a, "\"not_null\" and \"check\"") : ERR_OK;
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
    check_reverse_followed(a);
    if (touched_there(a->change)) {
        touched_drop(a->change, a->work);
    }
    arrow_end_activity(a);
    return ERR_OK;
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
    for (size_t i = 0; rc == ERR_OK && i < after.trigger_count; i++) {
        work_sql(a->work, after.triggers[i].sql);
    }
    if (rc == ERR_OK) {
        arrow_compile_triggers(a, &after);
    }
    arrow_start_activity(a);
    return rc;
}
