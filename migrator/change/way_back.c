#include "migrator/change/way_back.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/json.h"
#include "database/sql_scan.h"
#include "migrator/sql/expression.h"
#include "migrator/sql/table_text.h"

/* ---- what names an added column ---- */

static bool names_added(const struct change *change, const char *sql, const char **column)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token;

    while (sql_scan_next(&scan, &token)) {
        for (size_t i = 0; i < change->phased->add_count; i++) {
            if (sql_token_names(&token, change->phased->add[i].name)) {
                *column = change->phased->add[i].name;
                return true;
            }
        }
    }
    return false;
}

static bool names_table(const char *sql, const char *table)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token;

    while (sql_scan_next(&scan, &token)) {
        if (sql_token_names(&token, table)) {
            return true;
        }
    }
    return false;
}

/* An index's own name may be the same word as a column: only what is behind its ON counts. */
static const char *behind_on(const char *sql)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token;

    while (sql_scan_next(&scan, &token)) {
        if (sql_token_is(&token, "ON")) {
            return token.text.at + token.text.len;
        }
    }
    return sql;
}

/* One that the migration made, and takes away itself. */
static bool is_own_index(const struct change *change, const char *name)
{
    for (size_t i = 0; i < change->phased->create_index_count; i++) {
        if (strcasecmp(change->phased->create_index[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static enum err_code check_objects(const struct change *change, struct err *err)
{
    const struct shape *shape = &change->shape;

    for (size_t i = 0; i < shape->object_count; i++) {
        const struct shape_object *object = &shape->objects[i];
        bool index = strcmp(object->type, "index") == 0;
        const char *column = NULL, *sql = index ? behind_on(object->sql) : object->sql;
        if ((index && is_own_index(change, object->name)) ||
            strncasecmp(object->name, "lockstep_", 9) == 0 || !names_table(sql, shape->table) ||
            !names_added(change, sql, &column)) {
            continue;
        }
        return err_set(err, ERR_CONFLICT, /* lint: not SQL */
                       "%s \"%.60s\" names the added column \"%.60s\", which the way back removes; "
                       "nothing was changed; first run: DROP %s \"%.60s\"",
                       object->type, object->name, column,
                       index                               ? "INDEX"
                       : strcmp(object->type, "view") == 0 ? "VIEW"
                                                           : "TRIGGER",
                       object->name);
    }
    return ERR_OK;
}

/* Generated columns and CHECKs of the table itself, our own definitions left out. */
static enum err_code check_table(const struct change *change, struct err *err)
{
    const struct phased *phased = change->phased;
    char *text = strdup(change->shape.sql);
    enum err_code rc = ERR_OK;

    for (size_t i = 0; text != NULL && i < phased->add_count; i++) {
        struct str definition;
        struct buf edited = {0};
        if (table_text_column(str_of(text), phased->add[i].name, &definition)) {
            table_text_remove(str_of(text), definition, &edited);
            free(text);
            text = buf_take(&edited);
        }
    }
    if (text == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == ERR_OK && i < phased->add_count; i++) {
        if (table_text_expression_names(str_of(text), phased->add[i].name)) {
            rc = err_set(err, ERR_CONFLICT, /* lint: not SQL */
                         "a generated column or CHECK of \"%.60s\" names the added column "
                         "\"%.60s\", which the way back removes; nothing was changed; remove that "
                         "first (ALTER TABLE ... DROP COLUMN)",
                         change->shape.table, phased->add[i].name);
        }
    }
    free(text);
    return rc;
}

/* ---- NULL where NOT NULL was ---- */

static bool is_restored(const struct change *change, size_t drop)
{
    const struct phased *phased = change->phased;

    return phased->drop[drop].reverse != NULL;
}

const char *way_back_nulls(const struct migrate *m, size_t index, const struct change *change,
                           bool restorable, struct arena *arena)
{
    const struct journal_row *row = session_row(m, index);
    const char *kept = row != NULL ? row->detail : NULL, *first = NULL, *out;
    struct json *detail = NULL;
    struct err unused = {0};
    struct buf sql = {0};

    if (kept != NULL && json_parse(kept, strlen(kept), &detail, &unused) == ERR_OK) {
        first = json_get_text(detail, "table", NULL);
    }
    for (size_t i = 0; first != NULL && i < change->phased->drop_count; i++) {
        struct buf loosened = {0};
        struct str definition;
        if ((!restorable || is_restored(change, i)) &&
            table_text_column(str_of(first), change->drop_old[i], &definition) &&
            table_text_loosen(definition, &loosened)) {
            buf_text(&sql, sql.len > 0 ? " OR " : "");
            buf_sql_name(&sql, str_of(change->drop_now[i]));
            buf_text(&sql, " IS NULL");
        }
        buf_fini(&loosened);
    }
    for (size_t i = 0; !restorable && i < change->phased->alter_count; i++) {
        const struct phased_alter *alter = &change->phased->alter[i];
        if (alter->null == PHASED_NULL_ALLOWED && alter->reverse == NULL) {
            buf_text(&sql, sql.len > 0 ? " OR " : "");
            buf_sql_name(&sql, str_of(alter->name));
            buf_text(&sql, " IS NULL");
        }
    }
    out = buf_failed(&sql) ? NULL : arena_text(arena, buf_cstr(&sql), sql.len);
    buf_fini(&sql);
    json_free(detail);
    return out;
}

static enum err_code check_nulls(struct migrate *m, size_t index, const struct change *change,
                                 struct err *err)
{
    struct arena arena = {0};
    const char *nulls = way_back_nulls(m, index, change, false, &arena);
    struct database_rows *rows = NULL;
    struct buf sql = {0};
    enum err_code rc = ERR_OK;

    if (nulls == NULL) {
        rc = err_set(err, ERR_NOMEM, "out of memory");
    } else if (*nulls != '\0') {
        buf_text(&sql, "SELECT count(*) FROM ");
        buf_sql_name(&sql, str_of(change->shape.table));
        buf_text(&sql, " WHERE ");
        buf_text(&sql, nulls);
        rc = database_query(m->db, buf_cstr(&sql), NULL, 0, &rows, err);
    }
    if (rc == ERR_OK && rows != NULL && database_rows_int(rows, 0, 0, 0) > 0) {
        rc = err_set(err, ERR_CONFLICT,
                     "%lld rows of \"%.60s\" have NULL where NOT NULL is to hold again (%.100s); "
                     "nothing was changed; give them a value first",
                     (long long)database_rows_int(rows, 0, 0, 0), change->shape.table, nulls);
    }
    database_rows_free(rows);
    buf_fini(&sql);
    arena_fini(&arena);
    return rc;
}

enum err_code way_back_check(struct migrate *m, size_t index, const struct change *change,
                             struct err *err)
{
    enum err_code rc = check_objects(change, err);

    rc = rc ? rc : check_table(change, err);
    rc = rc ? rc : check_nulls(m, index, change, err);
    if (rc) {
        err_wrap(err, "%.80s", m->folder.at[index].name);
    }
    return rc;
}

/* ---- what new code wrote ---- */

static bool is_constant(const struct change *change, const char *expression)
{
    for (size_t i = 0; i < change->shape.count; i++) {
        if (expression_uses(expression, change->shape.columns[i].name)) {
            return false;
        }
    }
    for (size_t i = 0; i < change->phased->drop_count;
         i++) { /* set aside, it is called otherwise */
        if (expression_uses(expression, change->phased->drop[i].name)) {
            return false;
        }
    }
    return true;
}

/* Rows whose added column holds what nobody could make again. With triggers, derived columns are
 * judged by F; without, whatever is there may be older than the old columns. */
static void add_lost(const struct change *change, bool triggers, struct buf *sql)
{
    const struct phased *phased = change->phased;

    if (triggers && change->forward != NULL) {
        buf_print(sql, "(NOT (%s)", change->forward);
        buf_print(sql, change->unfilled != NULL ? " AND NOT (%s))" : ")",
                  change->unfilled != NULL ? change->unfilled : "");
    }
    for (size_t i = 0; i < phased->add_count; i++) {
        const struct phased_add *add = &phased->add[i];
        bool constant = add->forward != NULL && is_constant(change, add->forward);
        if (triggers && add->forward != NULL && !constant) {
            continue;
        }
        buf_text(sql, sql->len > 0 ? " OR (" : "(");
        buf_sql_name(sql, str_of(add->name));
        buf_text(sql, " IS NOT NULL");
        if (constant) {
            buf_text(sql, " AND +");
            buf_sql_name(sql, str_of(add->name));
            buf_print(sql, " IS NOT (%s)", add->forward);
        }
        buf_char(sql, ')');
    }
}

enum err_code way_back_loses(struct migrate *m, size_t index, const struct change *change,
                             bool *out, struct err *err)
{
    bool triggers = session_state(m, index) > MIG_EXPANDED;
    struct database_rows *rows = NULL;
    struct buf lost = {0}, sql = {0};
    struct err cause = {0};
    enum err_code rc = ERR_OK;

    *out = false;
    add_lost(change, triggers, &lost);
    if (lost.len == 0) {
        return ERR_OK;
    }
    buf_text(&sql, "SELECT 1 FROM ");
    buf_sql_name(&sql, str_of(change->shape.table));
    buf_print(&sql, " WHERE %s LIMIT 1", buf_cstr(&lost));
    if (buf_failed(&lost) || buf_failed(&sql)) {
        rc = err_set(err, ERR_NOMEM, "out of memory");
    } else if (database_query(m->db, buf_cstr(&sql), NULL, 0, &rows, &cause) == ERR_OK) {
        *out = database_rows_count(rows) > 0;
        database_rows_free(rows);
    } else {
        *out = true;
    }
    buf_fini(&lost);
    buf_fini(&sql);
    return rc;
}

/* ---- the application's triggers ---- */

bool way_fires(const struct change *change, const struct shape_object *object)
{
    struct sql_scan scan = sql_scan_start(str_of(object->sql));
    struct sql_token token;
    bool update = false, of = false, named = false;

    if (strcmp(object->type, "trigger") != 0 || strncasecmp(object->name, "lockstep_", 9) == 0) {
        return false;
    }
    while (sql_scan_next(&scan, &token) && !sql_token_is(&token, "BEGIN")) {
        if (update && sql_token_is(&token, "ON")) {
            return sql_scan_next(&scan, &token) && sql_token_names(&token, change->shape.table) &&
                   (!of || named);
        }
        of = of || (update && sql_token_is(&token, "OF"));
        for (size_t i = 0; of && i < change->phased->drop_count; i++) {
            named = named || sql_token_names(&token, change->drop_now[i]);
        }
        for (size_t i = 0; of && i < change->phased->add_count; i++) {
            named = named || sql_token_names(&token, change->phased->add[i].name);
        }
        for (size_t i = 0; of && i < change->phased->alter_count; i++) {
            named = named || ((change->phased->alter[i].fill != NULL ||
                               change->phased->alter[i].reverse != NULL) &&
                              sql_token_names(&token, change->phased->alter[i].name));
        }
        update = update || sql_token_is(&token, "UPDATE");
    }
    return false;
}

enum err_code way_check_triggers(const struct change *change, struct err *err)
{
    for (size_t i = 0; i < change->shape.object_count; i++) {
        const struct shape_object *object = &change->shape.objects[i];
        struct sql_scan scan = sql_scan_start(str_of(object->sql));
        struct sql_token token;
        if (!way_fires(change, object)) {
            continue;
        }
        while (sql_scan_next(&scan, &token)) {
            if (sql_token_is(&token, "RAISE")) {
                return err_set(err, ERR_CONFLICT, /* lint: not SQL */
                               "trigger \"%.60s\" on UPDATE of \"%.60s\" can RAISE, and the "
                               "backfill's updates fire it; drop it first, and create it again "
                               "behind this migration",
                               object->name, change->shape.table);
            }
        }
    }
    return ERR_OK;
}
