/*
 * Whether what a migration says in SQL can be run: its expressions, and its indexes.
 */
#include "migrator/change/change_check_parts.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "database/sql_scan.h"
#include "migrator/sql/sql_function.h"

/* ---- expressions ---- */

/* "SELECT 1 FROM " a table with the added columns. */
static void from_new_shape(const struct checking *c, struct buf *sql)
{
    buf_text(sql, "SELECT 1 FROM (SELECT *");
    for (size_t i = 0; !c->expanded && i < c->change->phased->add_count; i++) {
        buf_text(sql, ", NULL AS ");
        buf_sql_name(sql, str_of(c->change->phased->add[i].name));
    }
    buf_text(sql, " FROM ");
    buf_sql_name(sql, str_of(c->change->shape.table));
    buf_char(sql, ')');
}

static enum err_code compiles(const struct checking *c, const char *text,
                              const struct expression_names *names)
{
    struct database_rows *rows = NULL;
    struct buf sql = {0};
    enum err_code rc;

    from_new_shape(c, &sql);
    buf_text(&sql, " WHERE ("); /* where aggregates and windows are misuse, as in a trigger */
    expression_write(text, names, "", &sql);
    buf_text(&sql, ") LIMIT 0");
    rc = database_query(c->db, buf_cstr(&sql), NULL, 0, &rows, c->err);
    database_rows_free(rows);
    buf_fini(&sql);
    return rc;
}

/* new_side: it is made from the new columns, else from the old ones. */
static enum err_code check_expression(const struct checking *c, const char *what, const char *text,
                                      const struct expression_names *names, bool new_side,
                                      bool constraint)
{
    enum err_code rc = constraint ? expression_check_constraint(text, names, c->err)
                                  : expression_check(text, names, c->err);

    for (size_t i = 0; rc == ERR_OK && i < names->count; i++) {
        bool wrong =
            new_side ? check_is_dropped(c, names->names[i]) : check_is_added(c, names->names[i]);
        if (wrong && expression_uses(text, names->names[i])) {
            rc = err_set(c->err, ERR_INVALID, "it reads \"%.60s\", which is %s", names->names[i],
                         new_side ? "dropped" : "only just added");
        }
    }
    rc = rc ? rc : compiles(c, text, names);
    if (rc) {
        err_wrap(c->err, "%s", what);
    }
    return rc;
}

/* What the expression gives must fit the column of a STRICT table, or the trigger that stores it
 * fails with the application's statement. */
static enum err_code check_strict(const struct checking *c, const char *what, const char *text,
                                  const struct expression_names *names, const char *type)
{
    unsigned holds = shape_classes(&c->change->shape, type);
    unsigned takes = holds == SQL_REAL   ? SQL_REAL | SQL_INTEGER
                     : holds == SQL_TEXT ? SQL_TEXT | SQL_REAL | SQL_INTEGER
                                         : holds;

    if ((expression_classes(text, names) & ~takes) == 0) {
        return ERR_OK;
    }
    return err_set(c->err, ERR_INVALID,
                   "%s: the table is STRICT, and this may give a value that %s cannot hold; write "
                   "CAST(... AS %s) around it, in: %.100s",
                   what, type, type, text);
}

static enum err_code check_made(const struct checking *c, const char *what, const char *name,
                                const char *text, const struct expression_names *names,
                                const char *type, bool new_side)
{
    const char *where = arena_print(c->arena, "%s of \"%s\"", what, name);
    enum err_code rc;

    if (text == NULL) {
        return ERR_OK;
    }
    if (where == NULL) {
        return err_set(c->err, ERR_NOMEM, "out of memory");
    }
    rc = check_expression(c, where, text, names, new_side, false);
    return rc ? rc : check_strict(c, where, text, names, type);
}

static enum err_code check_alter_expressions(const struct checking *c,
                                             const struct phased_alter *alter,
                                             const struct expression_names *names)
{
    const struct shape_column *column = shape_column(&c->change->shape, alter->name);
    const char *type = column != NULL ? column->type : NULL;
    enum err_code rc = check_made(c, "fill", alter->name, alter->fill, names, type, false);

    rc = rc ? rc : check_made(c, "reverse", alter->name, alter->reverse, names, type, true);
    for (size_t i = 0; rc == ERR_OK && alter->check != NULL && i < c->change->phased->add_count;
         i++) {
        if (expression_uses(alter->check, c->change->phased->add[i].name)) {
            rc = err_set(c->err, ERR_INVALID,
                         "check of \"%.60s\": it reads \"%.60s\", which is only just added: give "
                         "that column the \"check\"",
                         alter->name, c->change->phased->add[i].name);
        }
    }
    return rc || alter->check == NULL
               ? rc
               : check_expression(c, arena_print(c->arena, "check of \"%s\"", alter->name),
                                  alter->check, names, true, true);
}

enum err_code check_expressions(const struct checking *c)
{
    const struct phased *phased = c->change->phased;
    struct change_names names;
    enum err_code rc = change_names_of(c->change, c->arena, &names, c->err);

    for (size_t i = 0; rc == ERR_OK && i < phased->add_count; i++) {
        const struct phased_add *add = &phased->add[i];
        rc = check_made(c, "forward", add->name, add->forward, &names.list, add->type, false);
        if (rc == ERR_OK && add->check != NULL && !add->renames) {
            rc = check_expression(c, arena_print(c->arena, "check of \"%s\"", add->name),
                                  add->check, &names.list, true, true);
        }
    }
    for (size_t i = 0; rc == ERR_OK && i < phased->drop_count; i++) {
        const struct shape_column *column = change_dropped(c->change, i);
        rc = check_made(c, "reverse", phased->drop[i].name, phased->drop[i].reverse, &names.list,
                        column != NULL ? column->type : NULL, true);
    }
    for (size_t i = 0; rc == ERR_OK && i < phased->alter_count; i++) {
        rc = check_alter_expressions(c, &phased->alter[i], &names.list);
    }
    if (rc == ERR_OK && phased->valid_old != NULL) {
        rc = check_expression(c, "valid_old", phased->valid_old, &names.list, false, false);
    }
    return rc;
}

/* ---- indexes ---- */

/* What is between the parentheses, and what follows WHERE ("" if nothing), of CREATE INDEX. */
static void index_parts(const char *sql, struct str *list, struct str *where)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token;
    int depth = 0;

    *list = *where = (struct str){"", 0};
    while (sql_scan_next(&scan, &token)) {
        if (sql_token_punct(&token, '(') && depth++ == 0 && list->len == 0) {
            list->at = token.text.at + 1;
        } else if (sql_token_punct(&token, ')') && --depth == 0 && list->len == 0) {
            list->len = (size_t)(token.text.at - list->at);
        } else if (depth == 0 && sql_token_is(&token, "WHERE")) {
            where->at = token.text.at + token.text.len;
            where->len = strlen(where->at);
            return;
        }
    }
}

/* An index evaluates its expressions in the application's statements, too. */
static enum err_code check_index_part(const struct checking *c,
                                      const struct phased_index_change *index, struct str part,
                                      const struct expression_names *names)
{
    const char *what = arena_print(c->arena, "create_index \"%s\"", index->name);
    const char *text = arena_text(c->arena, part.at, part.len);
    enum err_code rc = ERR_OK;

    if (what == NULL || text == NULL) {
        return err_set(c->err, ERR_NOMEM, "out of memory");
    }
    rc = expression_check_constraint(text, names, c->err);
    if (rc == ERR_OK && expression_may_fail(text)) {
        rc = err_set(c->err, ERR_INVALID,
                     "a function there fails on some values, and every write of them with it: put "
                     "its value into a column, and index that, in: %.100s",
                     text);
    }
    for (size_t i = 0; rc == ERR_OK && i < names->count; i++) {
        if (check_is_dropped(c, names->names[i]) && expression_uses(text, names->names[i])) {
            rc = err_set(c->err, ERR_INVALID, "it reads \"%.60s\", which is dropped",
                         names->names[i]);
        }
    }
    if (rc) {
        err_wrap(c->err, "%s", what);
    }
    return rc;
}

static enum err_code check_created(const struct checking *c,
                                   const struct phased_index_change *index,
                                   const struct expression_names *names)
{
    struct database_rows *rows = NULL;
    struct buf sql = {0};
    struct str list, where;
    bool none = false;
    enum err_code rc = ERR_OK;

    index_parts(index->sql, &list, &where);
    if (index->carried == NULL) { /* else it is there already, over the same values */
        rc = check_index_part(c, index, list, names);
        rc = rc || where.len == 0 ? rc : check_index_part(c, index, where, names);
    }
    if (rc == ERR_OK && !c->expanded) {
        rc = check_no_rows(
            c, "SELECT 1 FROM sqlite_master WHERE lower(name) = lower(?2) AND ?1 IS NOT NULL",
            c->change->shape.table, index->name, &none);
        if (rc == ERR_OK && !none) {
            rc =
                err_set(c->err, ERR_INVALID, "there is something called \"%.60s\" already%s%.60s%s",
                        index->name, index->carried != NULL ? "; \"rename_indexes\": {\"" : "",
                        index->carried != NULL ? index->carried : "",
                        index->carried != NULL ? "\": \"...\"} gives it another name" : "");
        }
    }
    if (rc) {
        return rc;
    }
    from_new_shape(c, &sql);
    buf_text(&sql, " WHERE (");
    buf_add(&sql, where.len > 0 ? where.at : "1", where.len > 0 ? where.len : 1);
    buf_text(&sql, ") ORDER BY ");
    buf_add(&sql, list.at, list.len);
    buf_text(&sql, " LIMIT 0");
    rc = database_query(c->db, buf_cstr(&sql), NULL, 0, &rows, c->err);
    database_rows_free(rows);
    buf_fini(&sql);
    if (rc) {
        err_wrap(c->err, "create_index \"%s\"", index->name);
    }
    return rc;
}

static enum err_code check_removed(const struct checking *c,
                                   const struct phased_index_change *index)
{
    const struct shape *shape = &c->change->shape;

    for (size_t i = 0; i < shape->object_count; i++) {
        const struct shape_object *object = &shape->objects[i];
        struct sql_scan scan = sql_scan_start(str_of(object->sql));
        struct sql_token token = {0};
        if (strcmp(object->type, "index") != 0 || strcasecmp(object->name, index->name) != 0) {
            continue;
        }
        if (sql_scan_next(&scan, &token)) { /* CREATE */
            (void)sql_scan_next(&scan, &token);
        }
        if (!sql_token_is(&token, "UNIQUE")) {
            return ERR_OK;
        }
        return err_set(c->err, ERR_INVALID,
                       "index \"%.60s\" makes values unique, and new code may need it gone before "
                       "purge: drop it by a plain migration",
                       index->name);
    }
    return c->expanded ? ERR_OK
                       : err_set(c->err, ERR_INVALID, "table \"%.60s\" has no index \"%.60s\"",
                                 shape->table, index->name);
}

enum err_code check_indexes(const struct checking *c)
{
    const struct phased *phased = c->change->phased;
    struct change_names names;
    enum err_code rc = change_names_of(c->change, c->arena, &names, c->err);

    for (size_t i = 0; rc == ERR_OK && i < phased->create_index_count; i++) {
        rc = check_created(c, &phased->create_index[i], &names.list);
    }
    for (size_t i = 0; rc == ERR_OK && i < phased->drop_index_count; i++) {
        rc = check_removed(c, &phased->drop_index[i]);
    }
    return rc;
}
