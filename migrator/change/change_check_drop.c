/*
 * Whether a column can be set aside and removed: what the table and its keys, CHECKs and references
 * say of it.
 */
#include "migrator/change/change_check_parts.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/nearest.h"
#include "database/sql_scan.h"
#include "migrator/sql/table_text.h"

#define NAMES_MAX 200u /* columns that a misspelt name is compared with */

enum err_code check_no_rows(const struct checking *c, const char *sql, const char *table,
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

enum err_code check_keys(const struct checking *c, const char *column,
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
        enum err_code rc = check_no_rows(c, bounds[i].sql, c->change->shape.table, column, &none);
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

enum err_code check_no_column(const struct checking *c, const char *name)
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

enum err_code check_drop(const struct checking *c, size_t i)
{
    const char *name = c->change->drop_now[i];
    const struct shape_column *column = shape_column(&c->change->shape, name);
    enum err_code rc;

    if (column == NULL) {
        return check_no_column(c, name);
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
