/*
 * The table as a later state finds it, predicted from its text: the statements of the arrows behind
 * the next one are built from that.
 */
#include "migrator/plan/plan_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "database/sql_scan.h"
#include "migrator/change/table_change.h"
#include "migrator/sql/table_text.h"

/* Bytes between a definition and the ',' or ')' behind it: ALTER TABLE leaves them before its own. */
static size_t blank_behind(const char *text, struct str definition)
{
    const char *end = definition.at + definition.len;
    struct sql_scan scan = sql_scan_start((struct str){end, strlen(text) - (size_t)(end - text)});
    struct sql_token token;

    return sql_scan_next(&scan, &token) ? (size_t)(token.text.at - end) : 0;
}

/* The text with a column's definition behind the last one, where ALTER TABLE puts it. */
static char *with_column(const struct shape *shape, const char *text, const char *definition)
{
    struct str last = {0};
    struct buf out = {0}, both = {0};

    for (size_t i = shape->count; i-- > 0;) {
        if (table_text_column(str_of(text), shape->columns[i].name, &last)) {
            break;
        }
    }
    if (last.at == NULL) {
        return strdup(text);
    }
    last.len += blank_behind(text, last);
    buf_add(&both, last.at, last.len);
    buf_print(&both, ", %s", definition);
    table_text_replace(str_of(text), last, (struct str){buf_cstr(&both), both.len}, &out);
    buf_fini(&both);
    return buf_take(&out);
}

/* Takes text. */
static char *without_not_null(char *text, const char *column)
{
    struct str definition;
    struct buf loosened = {0}, edited = {0};

    if (table_text_column(str_of(text), column, &definition) &&
        table_text_loosen(definition, &loosened)) {
        table_text_replace(str_of(text), definition,
                           (struct str){buf_cstr(&loosened), loosened.len}, &edited);
        free(text);
        text = buf_take(&edited);
    }
    buf_fini(&loosened);
    return text;
}

enum err_code plan_predict_expanded(struct planning *p)
{
    if (p->change.table != NULL) {
        return ERR_OK; /* what is generated for a table names nothing that expand makes */
    }
    const struct phased *phased = p->change.phased;
    struct shape *shape = &p->change.shape;
    struct shape_column *columns =
        arena_zero(&p->arena, shape->count + phased->add_count + 1, sizeof *columns);
    char *text = strdup(shape->sql);

    if (columns == NULL) {
        free(text);
        return err_set(p->err, ERR_NOMEM, "out of memory");
    }
    memcpy(columns, shape->columns, shape->count * sizeof *columns);
    shape->columns = columns;
    for (size_t i = 0; text != NULL && i < phased->add_count; i++) {
        const char *bare = change_bare(&p->change, i, &p->arena);
        char *more = bare != NULL ? with_column(shape, text, bare) : NULL;
        free(text);
        text = more;
        columns[shape->count++] =
            (struct shape_column){.name = phased->add[i].name, .type = phased->add[i].type};
    }
    for (size_t i = 0; text != NULL && i < phased->drop_count; i++) {
        text = without_not_null(text, p->change.drop_old[i]);
    }
    for (size_t i = 0; text != NULL && i < phased->alter_count; i++) {
        if (phased->alter[i].null == PHASED_NULL_ALLOWED) {
            text = without_not_null(text, phased->alter[i].name);
        }
    }
    shape->sql = text != NULL ? arena_text(&p->arena, text, strlen(text)) : NULL;
    free(text);
    return shape->sql != NULL ? ERR_OK : err_set(p->err, ERR_NOMEM, "out of memory");
}

enum err_code plan_predict_contracted(struct planning *p)
{
    if (p->change.table != NULL) {
        struct change now = p->change;
        return table_change_named(&now, true, &p->arena, &p->change, p->err);
    }
    p->change.set_aside = true;
    for (size_t i = 0; i < p->change.phased->drop_count; i++) {
        p->change.drop_now[i] = p->change.drop_aside[i];
    }
    return ERR_OK;
}
