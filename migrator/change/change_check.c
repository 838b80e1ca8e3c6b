/*
 * Whether a migration fits the table it is for: everything that can be known to be wrong before
 * anything is changed.
 */
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/nearest.h"
#include "database/sql_scan.h"
#include "migrator/change/change_parts.h"
#include "migrator/change/table_change.h"
#include "migrator/sql/sql_function.h"
#include "migrator/sql/table_text.h"

#define NAMES_MAX 200u /* columns that a misspelt name is compared with */

struct checking {
    struct database *db;
    const struct change *change;
    bool expanded;
    struct arena *arena;
    struct err *err;
};

static bool is_added(const struct checking *c, const char *name)
{
    for (size_t i = 0; i < c->change->phased->add_count; i++) {
        if (strcasecmp(c->change->phased->add[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_dropped(const struct checking *c, const char *name)
{
    for (size_t i = 0; i < c->change->phased->drop_count; i++) {
        if (strcasecmp(c->change->phased->drop[i].name, name) == 0 ||
            strcasecmp(c->change->drop_now[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- added columns ---- */

static enum err_code check_type(const struct checking *c, const struct phased_add *add)
{
    struct sql_scan scan = sql_scan_start(str_of(add->type));
    struct sql_token token;
    static const char *const constraints[] = {"NOT",       "NULL",       "DEFAULT", "CHECK",
                                              "UNIQUE",    "PRIMARY",    "COLLATE", "REFERENCES",
                                              "GENERATED", "CONSTRAINT", "AS"};
    int depth = 0;

    while (sql_scan_next(&scan, &token)) {
        char mark = token.kind == SQL_PUNCT ? *token.text.at : 'a';
        bool good = token.kind == SQL_WORD || token.kind == SQL_NUMBER ||
                    (mark == '(' && depth == 0) || ((mark == ')' || mark == ',') && depth == 1);
        depth += mark == '(' ? 1 : mark == ')' ? -1 : 0;
        for (size_t i = 0; i < sizeof constraints / sizeof constraints[0]; i++) {
            good = good && !sql_token_is(&token, constraints[i]);
        }
        if (!good) {
            return err_set(c->err, ERR_INVALID,
                           "the type of \"%.60s\" is '%.60s': a type alone belongs there; "
                           "\"not_null\" and \"check\" have members of their own, and UNIQUE, "
                           "DEFAULT and references are not supported yet",
                           add->name, add->type);
        }
    }
    return scan.unterminated == NULL && depth == 0
               ? ERR_OK
               : err_set(c->err, ERR_INVALID, "the type of \"%.60s\" is broken", add->name);
}

static bool is_strict_type(const char *type)
{
    static const char *const types[] = {"INT", "INTEGER", "REAL", "TEXT", "BLOB", "ANY"};
    bool is = false;

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        is = is || strcasecmp(type, types[i]) == 0;
    }
    return is;
}

/* What only an edit of the table's text can do. */
static enum err_code check_text_edits(const struct checking *c, const char *column,
                                      const char *what)
{
    const struct database_capabilities *capabilities = NULL;
    enum err_code rc = database_probe(c->db, &capabilities, c->err);

    if (rc || capabilities->writable_schema) {
        return rc;
    }
    return err_set(c->err, ERR_INVALID,
                   "\"%.60s\" %s: this database (%s) cannot change a table's text in place; leave "
                   "that to the application",
                   column, what, capabilities->engine);
}

static enum err_code check_add(const struct checking *c, size_t i)
{
    const struct phased_add *add = &c->change->phased->add[i];
    bool there = shape_column(&c->change->shape, add->name) != NULL;

    if (strncasecmp(add->name, "lockstep_", 9) == 0 || *add->name == '\0') {
        return err_set(c->err, ERR_INVALID, "\"%.60s\" cannot be a column's name", add->name);
    }
    for (size_t j = 0; j < i; j++) {
        if (strcasecmp(c->change->phased->add[j].name, add->name) == 0) {
            return err_set(c->err, ERR_INVALID, "\"add\" names \"%.60s\" twice", add->name);
        }
    }
    if (is_dropped(c, add->name)) {
        return err_set(c->err, ERR_INVALID,
                       "\"%.60s\" is dropped and added: both live side by side for a while, so the "
                       "new one needs another name",
                       add->name);
    }
    if (there && !c->expanded) {
        return err_set(c->err, ERR_INVALID, "table \"%.60s\" has a column \"%.60s\" already",
                       c->change->shape.table, add->name);
    }
    if (!there && c->expanded) {
        return err_set(c->err, ERR_CONFLICT,
                       "table \"%.60s\" has lost the column \"%.60s\" that expand added",
                       c->change->shape.table, add->name);
    }
    if (c->change->shape.strict && (add->type == NULL || !is_strict_type(add->type))) {
        return err_set(c->err, ERR_INVALID,
                       "the table is STRICT, so the type of \"%.60s\" must be INTEGER, REAL, TEXT, "
                       "BLOB or ANY",
                       add->name);
    }
    if (change_declares(c->change, i)) {
        enum err_code rc = check_text_edits(c, add->name, "is given NOT NULL, CHECK or DEFAULT");
        if (rc) {
            return rc;
        }
    }
    return add->type != NULL ? check_type(c, add) : ERR_OK;
}

/* ---- dropped columns ---- */

static enum err_code no_rows(const struct checking *c, const char *sql, const char *table,
                             const char *column, bool *none)
{
    struct database_value params[] = {database_text(table), database_text(column)};
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(c->db, sql, params, 2, &rows, c->err);

    if (rc == ERR_OK) {
        *none = database_rows_count(rows) == 0;
        database_rows_free(rows);
    }
    return rc;
}

static enum err_code refuse_bound(const struct checking *c, const char *column, const char *why)
{
    return err_set(c->err, ERR_INVALID, "\"%.60s\" cannot be dropped by a phased migration yet: %s",
                   column, why);
}

/* A UNIQUE index whose expressions or WHERE name the column: pragma_index_info does not tell. */
static bool in_unique_expression(const struct shape *shape, const char *column)
{
    for (size_t i = 0; i < shape->object_count; i++) {
        struct sql_scan scan = sql_scan_start(str_of(shape->objects[i].sql));
        struct sql_token token;
        bool unique = false, behind = false;

        while (strcmp(shape->objects[i].type, "index") == 0 && sql_scan_next(&scan, &token)) {
            unique = unique || (!behind && sql_token_is(&token, "UNIQUE"));
            if (unique && behind && sql_token_names(&token, column)) {
                return true;
            }
            behind = behind || sql_token_punct(&token, '(');
        }
    }
    return false;
}

static enum err_code check_keys(const struct checking *c, const char *column,
                                enum err_code (*refuse)(const struct checking *, const char *,
                                                        const char *))
{
    static const struct {
        const char *sql, *why;
    } bounds[] = {
        {"SELECT 1 FROM pragma_index_list(?1) AS l, pragma_index_info(l.name) AS i WHERE "
         "l.\"unique\" AND lower(i.name) = lower(?2)",
         "it is part of a UNIQUE constraint or index, and what is kept equal to it could violate "
         "it"},
        {"SELECT 1 FROM pragma_foreign_key_list(?1) WHERE lower(\"from\") = lower(?2)",
         "it is part of a FOREIGN KEY"},
        {"SELECT 1 FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS f WHERE m.type = "
         "'table' AND substr(m.name, 1, 4) <> '_cf_' AND lower(f.\"table\") = lower(?1) AND "
         "lower(f.\"to\") = lower(?2)",
         "another table refers to it"},
    };

    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        bool none = false;
        enum err_code rc = no_rows(c, bounds[i].sql, c->change->shape.table, column, &none);
        if (rc) {
            return rc;
        }
        if (!none) {
            return refuse(c, column, bounds[i].why);
        }
    }
    return in_unique_expression(&c->change->shape, column) ? refuse(c, column, bounds[0].why)
                                                           : ERR_OK;
}

static bool is_renamed(const struct checking *c, size_t drop)
{
    const struct phased *phased = c->change->phased;

    for (size_t i = 0; i < phased->add_count; i++) {
        if (phased->add[i].renames && phased->add[i].like != NULL &&
            strcasecmp(phased->add[i].like, phased->drop[drop].name) == 0) {
            return true;
        }
    }
    return false;
}

/* New code's INSERT does not name the column: what stands there then must pass its CHECKs. */
static enum err_code check_own(const struct checking *c, const char *column, struct str definition)
{
    struct database_rows *rows = NULL;
    struct buf sql = {0}, checks = {0};
    const char *value = table_text_default(definition, c->arena);
    enum err_code rc = ERR_OK;
    bool passes = true;
    struct err why = {0};

    table_text_checks(definition, &checks);
    if (checks.len > 0) {
        buf_text(&sql, "SELECT 1 FROM (SELECT NULL AS "); /* purge may empty it, too */
        buf_sql_name(&sql, str_of(column));
        buf_text(&sql, " UNION ALL SELECT ");
        buf_text(&sql, value != NULL ? value : "NULL");
        buf_text(&sql, ") WHERE coalesce((");
        buf_text(&sql, buf_cstr(&checks));
        buf_text(&sql, "), 1)");
        rc = database_query(c->db, buf_cstr(&sql), NULL, 0, &rows, &why);
        passes = rc == ERR_OK && database_rows_count(rows) == 2;
        database_rows_free(rows);
    }
    buf_fini(&sql);
    buf_fini(&checks);
    return passes ? ERR_OK
           : rc   ? refuse_bound(c, column, "its CHECK names another column too")
                  : refuse_bound(c, column,
                                 "its CHECK refuses what stands there when it is not named in an "
                                   "INSERT, as in those of new code");
}

/* A renamed column takes its own CHECK along. */
static enum err_code check_expressions_of(const struct checking *c, size_t drop, const char *column)
{
    struct str definition;
    struct buf rest = {0};
    bool named;

    if (!is_renamed(c, drop) ||
        !table_text_column(str_of(c->change->shape.sql), column, &definition)) {
        return table_text_expression_names(str_of(c->change->shape.sql), column)
                   ? refuse_bound(c, column, "a CHECK, DEFAULT or generated column names it")
                   : ERR_OK;
    }
    table_text_remove(str_of(c->change->shape.sql), definition, &rest);
    named = buf_failed(&rest) || table_text_expression_names(str_of(buf_cstr(&rest)), column);
    buf_fini(&rest);
    return named ? refuse_bound(c, column,
                                "a CHECK or generated column outside its own definition names it")
                 : check_own(c, column, definition);
}

/* NOT NULL ON CONFLICT REPLACE or IGNORE: loosened, a NULL of old code would be stored as it is. any:
 * the other resolutions, too, which ALTER COLUMN would not give back. */
static bool resolves_null(struct str definition, bool any)
{
    struct sql_scan scan = sql_scan_start(definition);
    struct sql_token token;
    bool conflict = false;

    while (sql_scan_next(&scan, &token)) {
        if (conflict &&
            (any || sql_token_is(&token, "REPLACE") || sql_token_is(&token, "IGNORE"))) {
            return true;
        }
        conflict = sql_token_is(&token, "CONFLICT");
    }
    return false;
}

static enum err_code check_not_null(const struct checking *c, const char *column)
{
    const struct database_capabilities *capabilities = NULL;
    struct str definition = {0};
    struct buf loosened = {0};
    bool can, alters;
    enum err_code rc = database_probe(c->db, &capabilities, c->err);

    if (rc) {
        return rc;
    }
    alters = !capabilities->writable_schema && capabilities->alter_drop_not_null &&
             capabilities->alter_set_not_null;
    can = (capabilities->writable_schema || alters) &&
          table_text_column(str_of(c->change->shape.sql), column, &definition) &&
          table_text_loosen(definition, &loosened);
    buf_fini(&loosened);
    if (can && resolves_null(definition, alters)) {
        return refuse_bound(c, column,
                            "it is NOT NULL with an ON CONFLICT clause that gives old code's NULL "
                            "another value, which would be lost while both shapes live");
    }
    return can ? ERR_OK
               : err_set(
                     c->err, ERR_INVALID,
                     "\"%.60s\" is NOT NULL, and this database (%s) cannot loosen that in place; "
                     "new code could not insert rows without it: leave it out of \"drop\", and "
                     "let new code go on writing it",
                     column, capabilities->engine);
}

static enum err_code no_column(const struct checking *c, const char *name)
{
    const char *names[NAMES_MAX], *nearest;
    size_t count = 0;

    for (; count < c->change->shape.count && count < NAMES_MAX; count++) {
        names[count] = c->change->shape.columns[count].name;
    }
    nearest = nearest_name(name, names, count);
    return err_set(c->err, ERR_INVALID, "table \"%.60s\" has no column \"%.60s\"%s%.60s%s",
                   c->change->shape.table, name, nearest != NULL ? "; did you mean \"" : "",
                   nearest != NULL ? nearest : "", nearest != NULL ? "\"?" : "");
}

static enum err_code check_drop(const struct checking *c, size_t i)
{
    const char *name = c->change->drop_now[i];
    const struct shape_column *column = shape_column(&c->change->shape, name);
    enum err_code rc;

    if (column == NULL) {
        return no_column(c, name);
    }
    if (column->primary_key > 0) {
        return refuse_bound(c, name, "it is part of the primary key");
    }
    if (column->generated) {
        return refuse_bound(c, name, "it is a generated column");
    }
    rc = check_keys(c, name, refuse_bound);
    rc = rc ? rc : check_expressions_of(c, i, name);
    return rc || !column->not_null ? rc : check_not_null(c, name);
}

/* ---- columns that stay ---- */

static enum err_code refuse_fill(const struct checking *c, const char *column, const char *why)
{
    return err_set(c->err, ERR_INVALID, "NULL in \"%.60s\" cannot be filled: %s", column, why);
}

/* SQLite keeps no table without a column that is stored. */
static enum err_code check_some_left(const struct checking *c)
{
    size_t left = c->change->phased->add_count;

    for (size_t i = 0; i < c->change->shape.count; i++) {
        left += !c->change->shape.columns[i].generated;
    }
    return left > c->change->phased->drop_count + (c->expanded ? c->change->phased->add_count : 0)
               ? ERR_OK
               : err_set(c->err, ERR_INVALID,
                         "no column of \"%.60s\" would be left; \"drop_table\" drops the table",
                         c->change->shape.table);
}

static enum err_code check_filled(const struct checking *c, const struct phased_alter *alter)
{
    enum err_code rc = ERR_OK;

    if (alter->fill != NULL || alter->reverse != NULL) {
        rc = check_keys(c, alter->name, refuse_fill);
        if (rc == ERR_OK && !c->expanded && /* later our own CHECK stands there */
            table_text_expression_names(str_of(c->change->shape.sql), alter->name)) {
            rc = refuse_fill(c, alter->name, "a CHECK or generated column names it");
        }
    }
    return rc;
}

static enum err_code check_alter(const struct checking *c, const struct phased_alter *alter)
{
    const struct shape_column *column = shape_column(&c->change->shape, alter->name);
    enum err_code rc;

    if (is_added(c, alter->name) || is_dropped(c, alter->name)) {
        return err_set(c->err, ERR_INVALID, "\"%.60s\" is altered, and added or dropped",
                       alter->name);
    }
    if (column == NULL) {
        return no_column(c, alter->name);
    }
    if (column->generated || (column->primary_key > 0 && alter->null != PHASED_NULL_AS_IT_IS)) {
        return err_set(c->err, ERR_INVALID, "\"%.60s\" cannot be altered: it is %s", alter->name,
                       column->generated ? "a generated column" : "part of the primary key");
    }
    if (!c->expanded && alter->null != PHASED_NULL_AS_IT_IS &&
        column->not_null == (alter->null == PHASED_NULL_REFUSED)) {
        return err_set(c->err, ERR_INVALID, "\"%.60s\" %s", alter->name,
                       column->not_null ? "is NOT NULL already" : "is not NOT NULL");
    }
    rc = check_text_edits(c, alter->name, "is altered");
    return rc ? rc : check_filled(c, alter);
}

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
        bool wrong = new_side ? is_dropped(c, names->names[i]) : is_added(c, names->names[i]);
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

static enum err_code check_expressions(const struct checking *c)
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
        if (is_dropped(c, names->names[i]) && expression_uses(text, names->names[i])) {
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
        rc = no_rows(c,
                     "SELECT 1 FROM sqlite_master WHERE lower(name) = lower(?2) AND ?1 IS NOT NULL",
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

static enum err_code check_indexes(const struct checking *c)
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

enum err_code change_check(struct database *db, const struct change *change, bool expanded,
                           struct arena *arena, struct err *err)
{
    struct checking c = {db, change, expanded, arena, err};
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < change->phased->drop_count; i++) {
        rc = check_drop(&c, i);
    }
    for (size_t i = 0; rc == ERR_OK && i < change->phased->add_count; i++) {
        rc = check_add(&c, i);
    }
    if (rc == ERR_OK && change->phased->drop_count > 0) {
        rc = check_some_left(&c);
    }
    for (size_t i = 0; rc == ERR_OK && i < change->phased->alter_count; i++) {
        rc = check_alter(&c, &change->phased->alter[i]);
    }
    rc = rc ? rc : check_expressions(&c);
    rc = rc ? rc : check_indexes(&c);
    if (rc) {
        err_wrap(err, "%.100s", change->migration->name);
    }
    return rc;
}

const char *change_dependents(struct database *db, const struct change *change, struct arena *arena)
{
    const struct shape *shape = &change->shape;
    struct buf names = {0};
    const char *out;

    if (change->table != NULL) {
        out = table_dependents(db, change, arena);
        return out != NULL ? out : "schema, which could not be read";
    }
    for (size_t i = 0; i < shape->object_count; i++) {
        const struct shape_object *object = &shape->objects[i];
        bool named = false, table = false;
        struct sql_scan scan = sql_scan_start(str_of(object->sql));
        struct sql_token token;

        if (strcmp(object->type, "index") == 0 || strncasecmp(object->name, "lockstep_", 9) == 0) {
            continue;
        }
        while (sql_scan_next(&scan, &token)) {
            table = table || sql_token_names(&token, shape->table);
            for (size_t k = 0; k < change->phased->drop_count; k++) {
                named = named || sql_token_names(&token, change->drop_now[k]);
            }
        }
        if (named && table) {
            buf_print(&names, "%s%s %s", names.len > 0 ? ", " : "", object->type, object->name);
        }
    }
    out = arena_text(arena, buf_cstr(&names), names.len);
    buf_fini(&names);
    return out != NULL ? out : "";
}
