#include "migrator/change/change_parts.h"

#include <string.h>
#include <strings.h>

#include "migrator/change/table_change.h"
#include "migrator/folder/handwritten.h"
#include "migrator/sql/expression.h"

/* ---- columns ---- */

bool change_declares(const struct change *change, size_t add)
{
    const struct phased_add *column = &change->phased->add[add];

    return column->not_null || column->check != NULL || column->default_value != NULL ||
           column->declared != NULL;
}

static const char *definition(const struct change *change, size_t i, bool declared,
                              struct arena *arena)
{
    const struct phased_add *add = &change->phased->add[i];
    struct expression_names none = {0};
    struct buf text = {0};

    if (declared && add->declared != NULL) {
        return add->declared;
    }
    buf_sql_name(&text, str_of(add->name));
    if (add->type != NULL) {
        buf_print(&text, " %s", add->type);
    }
    if (add->collation != NULL) {
        buf_print(&text, " COLLATE %s", add->collation);
    }
    if (declared && add->not_null) {
        buf_text(&text, " NOT NULL");
    }
    if (declared && add->default_value != NULL) {
        buf_print(&text, " DEFAULT %s", add->default_value);
    }
    if (declared && add->check != NULL) {
        buf_text(&text, " CHECK (");
        expression_write(add->check, &none, "", &text);
        buf_char(&text, ')');
    }
    return change_settle(arena, &text);
}

const char *change_bare(const struct change *change, size_t add, struct arena *arena)
{
    return definition(change, add, false, arena);
}

const char *change_declared(const struct change *change, size_t add, struct arena *arena)
{
    return definition(change, add, true, arena);
}

/* ---- statements over many rows ---- */

const char *change_backfill(const struct change *change, struct arena *arena)
{
    struct buf text = {0};

    if (change->table != NULL) {
        return change->table->backfill;
    }
    if (change->migration->hand != NULL && change->migration->hand->backfill != NULL) {
        return change->migration->hand->backfill;
    }
    if (change->fill == NULL) {
        return NULL;
    }
    buf_text(&text, "UPDATE ");
    buf_sql_name(&text, str_of(change->shape.table));
    buf_print(&text, " SET %s WHERE %s", change->fill, change->unmade);
    return change_settle(arena, &text);
}

const char *change_restore(const struct change *change, struct arena *arena)
{
    struct buf text = {0};

    if (change->table != NULL) {
        return change->table->restore;
    }
    if (change->restore == NULL) {
        return NULL;
    }
    buf_text(&text, "UPDATE ");
    buf_sql_name(&text, str_of(change->shape.table));
    buf_print(&text, " SET %s WHERE NOT (%s)", change->restore, change->consistent);
    return change_settle(arena, &text);
}

const char *change_extras(const struct change *change, bool back)
{
    return change->table == NULL ? NULL
           : back                ? change->table->restore_extras
                                 : change->table->extras;
}

/* "col IS NULL OR NOT coalesce((check), 1)", joined by OR behind what is there already. */
static void add_violated(const struct change *change, size_t i, struct buf *text)
{
    const struct phased_add *add = &change->phased->add[i];
    struct expression_names none = {0};

    if (add->not_null) {
        buf_text(text, " OR ");
        change_add_name(text, "", add->name);
        buf_text(text, " IS NULL");
    }
    if (add->check != NULL) {
        buf_text(text, " OR NOT coalesce((");
        expression_write(add->check, &none, "", text);
        buf_text(text, "), 1)");
    }
}

static void add_violated_alter(const struct change *change, size_t i, struct buf *text)
{
    const struct phased_alter *alter = &change->phased->alter[i];
    struct expression_names none = {0};

    if (alter->null == PHASED_NULL_REFUSED) {
        buf_text(text, " OR ");
        change_add_name(text, "", alter->name);
        buf_text(text, " IS NULL");
    }
    if (alter->check != NULL) {
        buf_text(text, " OR NOT coalesce((");
        expression_write(alter->check, &none, "", text);
        buf_text(text, "), 1)");
    }
}

static void add_all_violated(const struct change *change, struct buf *text)
{
    for (size_t i = 0; i < change->phased->add_count; i++) {
        add_violated(change, i, text);
    }
    for (size_t i = 0; i < change->phased->alter_count; i++) {
        add_violated_alter(change, i, text);
    }
}

const char *change_violated(const struct change *change, struct arena *arena)
{
    struct buf text = {0};

    buf_char(&text, '0');
    add_all_violated(change, &text);
    return change_settle(arena, &text);
}

static const char *count_alone(const struct change *change, struct arena *arena)
{
    struct buf text = {0};

    buf_text(&text, "SELECT count(*), 0, 0, 0");
    for (size_t i = 0; i < change->phased->add_count; i++) {
        buf_text(&text, ", coalesce(sum(0");
        add_violated(change, i, &text);
        buf_text(&text, "), 0)");
    }
    buf_text(&text, " FROM ");
    buf_sql_name(&text, str_of(change->shape.table));
    return change_settle(arena, &text);
}

const char *change_verify(const struct change *change, struct arena *arena)
{
    struct buf text = {0};

    if (change->table != NULL) {
        return change->table->verify;
    }
    if (change->migration->hand != NULL && change->migration->hand->verify != NULL) {
        return count_alone(change, arena); /* and verify.sql is asked besides (hand_run.h) */
    }
    buf_text(&text, "SELECT count(*)");
    buf_print(&text, ", coalesce(sum(%s), 0), ", change->mismatch);
    if (change->invalid != NULL) {
        buf_print(&text, "coalesce(sum(%s), 0), ", change->invalid);
    } else {
        buf_text(&text, "0, ");
    }
    if (change->lost != NULL) {
        buf_print(&text, "coalesce(sum(%s), 0)", change->lost);
    } else {
        buf_char(&text, '0');
    }
    for (size_t i = 0; i < change->phased->add_count; i++) {
        buf_text(&text, ", ");
        if (!change_declares(change, i)) {
            buf_char(&text, '0');
            continue;
        }
        buf_print(&text, "coalesce(sum(%s AND (0", change->valid);
        add_violated(change, i, &text);
        buf_text(&text, ")), 0)");
    }
    for (size_t i = 0; i < change->phased->alter_count; i++) {
        buf_text(&text, ", coalesce(sum(0");
        add_violated_alter(change, i, &text);
        buf_text(&text, "), 0)");
    }
    buf_text(&text, " FROM ");
    buf_sql_name(&text, str_of(change->shape.table));
    return change_settle(arena, &text);
}

const char *change_fault(const struct change *change, struct arena *arena)
{
    struct buf text = {0};

    if (change->table != NULL) {
        return change->table->fault;
    }
    buf_print(&text, "(%s)", change->mismatch);
    if (change->invalid != NULL) {
        buf_print(&text, " OR (%s)", change->invalid);
    }
    add_all_violated(change, &text);
    return change_settle(arena, &text);
}

/* ---- indexes ---- */

bool change_has_index(const struct change *change, const char *name)
{
    for (size_t i = 0; i < change->shape.object_count; i++) {
        const struct shape_object *object = &change->shape.objects[i];
        if (strcmp(object->type, "index") == 0 && strcasecmp(object->name, name) == 0) {
            return true;
        }
    }
    return false;
}

bool change_makes_indexes(const struct change *change)
{
    for (size_t i = 0; i < change->phased->create_index_count; i++) {
        if (!change_has_index(change, change->phased->create_index[i].name)) {
            return true;
        }
    }
    return false;
}

/* Measured on SQLite 3.40, one million rows of 200 bytes: 0.56 s an index. */
#define INDEX_ROWS_PER_MS 1800.0

double change_index_hold_ms(const struct change *change, int64_t rows)
{
    double ms = 0;

    for (size_t i = 0; i < change->phased->create_index_count; i++) {
        if (!change_has_index(change, change->phased->create_index[i].name)) {
            ms += (double)rows / INDEX_ROWS_PER_MS;
        }
    }
    return ms;
}
