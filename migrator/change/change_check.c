/*
 * Whether a migration fits the table it is for: everything that can be known to be wrong before
 * anything is changed.
 */
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "database/sql_scan.h"
#include "migrator/change/change_check_parts.h"
#include "migrator/change/table_change.h"
#include "migrator/sql/table_text.h"

bool check_is_added(const struct checking *c, const char *name)
{
    for (size_t i = 0; i < c->change->phased->add_count; i++) {
        if (strcasecmp(c->change->phased->add[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

bool check_is_dropped(const struct checking *c, const char *name)
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
    if (check_is_dropped(c, add->name)) {
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

    if (check_is_added(c, alter->name) || check_is_dropped(c, alter->name)) {
        return err_set(c->err, ERR_INVALID, "\"%.60s\" is altered, and added or dropped",
                       alter->name);
    }
    if (column == NULL) {
        return check_no_column(c, alter->name);
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

static bool is_called(const struct sql_scan *behind)
{
    struct sql_scan ahead = *behind;
    struct sql_token next;

    return sql_scan_next(&ahead, &next) && sql_token_punct(&next, '(');
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
                named = named || (sql_token_names(&token, change->drop_now[k]) &&
                                  !is_called(&scan)); /* or it is the function of that name */
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
