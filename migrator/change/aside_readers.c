/*
 * The views and triggers of a schema: which of them read what is altered, which have to be there
 * while it is, and how the others are compiled afterwards.
 */
#include "migrator/change/aside_parts.h"

#include <string.h>
#include <strings.h>

#include "migrator/change/compiled.h"
#include "migrator/change/unreadable.h"

/* ---- the application's views and triggers ---- */

static const char *keep(struct aside *a, const struct database_rows *rows, size_t i, size_t column)
{
    const char *text = database_rows_text(rows, i, column);

    return arena_text(&a->arena, text, strlen(text));
}

enum err_code aside_read_version(struct database *db, int64_t *out, struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc =
        database_query(db, "SELECT schema_version FROM pragma_schema_version", NULL, 0, &rows, err);

    if (rc == ERR_OK) {
        *out = database_rows_int(rows, 0, 0, -1);
        database_rows_free(rows);
    }
    return rc;
}

/* The version first: whatever changes the schema from now on is found out in the transaction. */
enum err_code aside_read_objects(struct aside *a, bool version)
{
    struct database_rows *rows = NULL;
    const char **sources;
    enum err_code rc = version ? aside_read_version(a->db, &a->version, a->err) : ERR_OK;

    rc = rc ? rc
            : database_query(a->db,
                             "SELECT rowid, type, name, tbl_name, sql FROM sqlite_master WHERE "
                             "type IN ('view', 'trigger') AND sql IS NOT NULL ORDER BY rowid",
                             NULL, 0, &rows, a->err);
    if (rc) {
        return rc;
    }
    a->count = database_rows_count(rows);
    a->objects = arena_zero(&a->arena, a->count + 1, sizeof *a->objects);
    sources = arena_zero(&a->arena, a->sources.count + a->count + 1, sizeof *sources);
    if (a->objects == NULL || sources == NULL) {
        database_rows_free(rows);
        return err_set(a->err, ERR_NOMEM, "out of memory");
    }
    memcpy(sources, a->sources.at, a->sources.count * sizeof *sources);
    a->sources.at = sources;
    for (size_t i = 0; rc == ERR_OK && i < a->count; i++) {
        struct aside_object *object = &a->objects[i];
        *object = (struct aside_object){.place = database_rows_int(rows, i, 0, 0),
                                        .type = keep(a, rows, i, 1),
                                        .name = keep(a, rows, i, 2),
                                        .table = keep(a, rows, i, 3),
                                        .sql = keep(a, rows, i, 4)};
        if (object->type == NULL || object->name == NULL || object->table == NULL ||
            object->sql == NULL) {
            rc = err_set(a->err, ERR_NOMEM, "out of memory");
        }
    }
    database_rows_free(rows);
    return rc;
}

static bool is_view(const struct aside_object *object)
{
    return strcmp(object->type, "view") == 0;
}

static bool speaks_of(const char *sql, const struct aside_names *list)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token;

    while (sql_scan_next(&scan, &token)) {
        for (size_t i = 0; i < list->count; i++) {
            if (aside_token_names(token, list->at[i])) {
                return true;
            }
        }
    }
    return scan.unterminated != NULL;
}

/* Who reads an altered table; through a view, too, which may show its columns under "*". */
static void find_readers(struct aside *a)
{
    bool more = true;

    while (more) {
        more = false;
        for (size_t i = 0; i < a->count; i++) {
            struct aside_object *object = &a->objects[i];
            if (!object->reads && speaks_of(object->sql, &a->sources)) {
                object->reads = true;
                if (is_view(object)) {
                    a->sources.at[a->sources.count++] = object->name;
                    more = true;
                }
            }
        }
    }
}

/* ---- that they still compile ---- */

static bool is_altered(const struct aside *a, const char *name)
{
    for (size_t i = 0; i < a->altered.count; i++) {
        if (strcasecmp(name, a->altered.at[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Triggers of one table are compiled together. */
static const struct aside_object *checked_before(const struct aside *a,
                                                 const struct aside_object *object)
{
    for (const struct aside_object *before = a->objects; before < object; before++) {
        if (before->check != NULL && strcmp(before->check, object->check) == 0) {
            return before;
        }
    }
    return NULL;
}

static enum err_code compile(struct aside *a, struct aside_object *object, bool *all)
{
    struct err unused = {0};
    const struct aside_object *before;

    object->check = compiled_check(a->db, object->type, object->name, object->table, object->sql,
                                   a->altered.at, a->altered.count, &a->arena);
    if (object->check == NULL) {
        return err_set(a->err, ERR_NOMEM, "out of memory");
    }
    before = checked_before(a, object);
    object->again = before == NULL;
    object->compiles =
        before != NULL ? before->compiles : database_check(a->db, object->check, &unused) == ERR_OK;
    *all = *all && object->compiles;
    return ERR_OK;
}

/* What cannot be compiled here because of what it sets off elsewhere can be read by itself. */
static enum err_code keep_doubtful(struct aside *a)
{
    struct unreadable_list list = {.count = 0};
    enum err_code rc = unreadable_find(a->db, &a->arena, &list, a->err);

    for (size_t i = 0; rc == ERR_OK && i < a->count; i++) {
        struct aside_object *object = &a->objects[i];
        bool readable = true;
        for (size_t k = 0; k < list.count; k++) {
            readable = readable && (strcmp(list.at[k].name, object->name) != 0 ||
                                    strcmp(list.at[k].type, object->type) != 0);
        }
        if (object->check != NULL && !object->compiles) {
            object->stays = readable;
        }
    }
    return rc;
}

/* ---- what stays ---- */

/* Ours are short, and are to follow. */
static bool is_ours(const struct aside_object *object)
{
    return strncasecmp(object->name, "lockstep_", 9) == 0;
}

/* UPDATE OF an altered column: no check could set it off. */
static bool waits_for_altered(const struct aside *a, const struct aside_object *object)
{
    struct sql_scan scan;
    struct sql_token token = compiled_event(object->sql, &scan);

    if (is_view(object) || !sql_token_is(&token, "UPDATE")) {
        return false;
    }
    while (sql_scan_next(&scan, &token) && !sql_token_is(&token, "ON")) {
        for (size_t i = 0; i < a->altered.count; i++) {
            if (aside_token_names(token, a->altered.at[i])) {
                return true;
            }
        }
    }
    return false;
}

static void keep_views_of(struct aside *a, const char *sql)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token;

    while (sql_scan_next(&scan, &token)) {
        for (size_t i = 0; i < a->count; i++) {
            struct aside_object *object = &a->objects[i];
            if (!object->stays && is_view(object)) {
                object->stays = aside_token_names(token, object->name);
            }
        }
    }
}

bool aside_compiles(const struct aside *a)
{
    return !a->adds || a->altered.count == 0;
}

static bool names_renamed(const struct aside *a, const struct aside_object *object)
{
    return object->reads && (speaks_of(object->sql, a->adds ? &a->altered : &a->renamed) ||
                             waits_for_altered(a, object));
}

void aside_find_compared(struct aside *a, bool aside)
{
    find_readers(a);
    for (size_t i = 0; i < a->count; i++) {
        struct aside_object *object = &a->objects[i];
        object->stays = !is_ours(object) && (!aside || names_renamed(a, object));
    }
}

/* What stays, and the views without which that could not be read. */
enum err_code aside_judge(struct aside *a)
{
    bool all = true, more = true;
    enum err_code rc = ERR_OK;

    find_readers(a);
    for (size_t i = 0; rc == ERR_OK && i < a->count; i++) {
        struct aside_object *object = &a->objects[i];
        object->stays = is_ours(object) || names_renamed(a, object);
        if (object->reads && aside_compiles(a) && !is_ours(object) &&
            !is_altered(a, object->table)) {
            rc = compile(a, object, &all);
        }
    }
    rc = rc || all || a->rewrites == 0 ? rc : keep_doubtful(a);
    while (rc == ERR_OK && more) {
        more = false;
        for (size_t i = 0; i < a->count; i++) {
            if (a->objects[i].stays && !a->objects[i].followed) {
                a->objects[i].followed = true;
                more = true;
                keep_views_of(a, a->objects[i].sql);
            }
        }
    }
    return rc;
}
