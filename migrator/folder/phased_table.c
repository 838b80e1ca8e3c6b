#include "migrator/folder/phased_table.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "database/database.h"
#include "migrator/sql/head_text.h"

#define STATEMENTS_MAX 33u /* a table and its indexes */
#define NEEDS_MAX 32u

struct reading {
    const struct json *json;
    struct arena *arena;
    struct phased *phased;
    struct err *err;
};

static enum err_code no_memory(const struct reading *r)
{
    return err_set(r->err, ERR_NOMEM, "out of memory");
}

static enum err_code take(const struct reading *r, const char *what, const struct json *json,
                          const char **out)
{
    const char *text = json_text(json);

    if (text == NULL || *text == '\0') {
        return err_set(r->err, ERR_INVALID, "\"%s\" must be a string that is not empty%s%s", what,
                       text == NULL ? ", and is " : "",
                       text == NULL ? json_kind_name(json_kind(json)) : "");
    }
    *out = arena_text(r->arena, text, strlen(text));
    return *out != NULL ? ERR_OK : no_memory(r);
}

/* An array of strings, or one string. */
static enum err_code take_list(const struct reading *r, const char *what, const struct json *json,
                               size_t max, const char *const **out, size_t *count)
{
    bool array = json_kind(json) == JSON_ARRAY;
    size_t wanted = array ? json_count(json) : 1;
    const char **list = arena_zero(r->arena, wanted + 1, sizeof *list);
    enum err_code rc = ERR_OK;

    if (wanted > max) {
        return err_set(r->err, ERR_LIMIT, "\"%s\" has more than %zu entries", what, max);
    }
    if (list == NULL) {
        return no_memory(r);
    }
    *count = 0;
    for (const struct json *item = array ? json_first(json) : json; item != NULL && rc == ERR_OK;
         item = array ? json_next(item) : NULL) {
        rc = take(r, what, item, &list[(*count)++]);
    }
    *out = list;
    return rc;
}

static bool is_reserved(const char *name)
{
    return strncasecmp(name, "lockstep_", 9) == 0 || strncasecmp(name, "sqlite_", 7) == 0;
}

/* ---- create_table ---- */

/* Without the ';' at its end; one statement alone. */
static enum err_code one_statement(const struct reading *r, const char **sql)
{
    struct str *pieces = NULL;
    size_t count = 0;
    enum err_code rc = database_split(str_of(*sql), &pieces, &count, r->err);

    if (rc == ERR_OK && count != 1) {
        rc = err_set(r->err, ERR_INVALID,
                     "each entry of \"create_table\" is one statement, and '%.60s' holds %zu", *sql,
                     count);
    } else if (rc == ERR_OK) {
        *sql = arena_text(r->arena, pieces[0].at, pieces[0].len);
        rc = *sql != NULL ? ERR_OK : no_memory(r);
    }
    free(pieces);
    return rc;
}

static enum err_code check_table(const struct reading *r, const char *sql)
{
    struct head_text head;

    if (!head_text_table(str_of(sql), &head) || head.temporary || head.if_not_exists ||
        head.as_select) {
        return err_set(r->err, ERR_INVALID, /* lint: not SQL */
                       "\"create_table\" begins with CREATE TABLE name(...), without a schema, "
                       "TEMP, IF NOT EXISTS and AS SELECT, and not with '%.60s'",
                       sql);
    }
    r->phased->table = head_text_plain(head.name, r->arena);
    if (r->phased->table == NULL) {
        return no_memory(r);
    }
    return is_reserved(r->phased->table)
               ? err_set(r->err, ERR_INVALID, "\"%.60s\" cannot be a table's name",
                         r->phased->table)
               : ERR_OK;
}

static enum err_code check_index(const struct reading *r, const char *sql)
{
    struct head_text head;
    const char *name, *table;

    if (!head_text_index(str_of(sql), &head) || head.if_not_exists) {
        return err_set(r->err, ERR_INVALID, /* lint: not SQL */
                       "behind its table \"create_table\" has CREATE INDEX name ON table(...), "
                       "without a schema and IF NOT EXISTS, and not '%.60s'",
                       sql);
    }
    name = head_text_plain(head.name, r->arena);
    table = head_text_plain(head.table, r->arena);
    if (name == NULL || table == NULL) {
        return no_memory(r);
    }
    if (strcasecmp(table, r->phased->table) != 0 || is_reserved(name)) {
        return err_set(r->err, ERR_INVALID,
                       strcasecmp(table, r->phased->table) != 0
                           ? "index \"%.60s\" is not on the table that \"create_table\" makes"
                           : "\"%.60s\" cannot be an index's name",
                       name);
    }
    return ERR_OK;
}

static enum err_code read_create(const struct reading *r)
{
    struct phased *phased = r->phased;
    const char *const *given = NULL;
    const char **kept;
    enum err_code rc = take_list(r, "create_table", json_get(r->json, "create_table"),
                                 STATEMENTS_MAX, &given, &phased->create_count);

    kept = rc == ERR_OK ? arena_zero(r->arena, phased->create_count + 1, sizeof *kept) : NULL;
    if (rc == ERR_OK && kept == NULL) {
        rc = no_memory(r);
    }
    if (rc == ERR_OK && phased->create_count == 0) {
        rc = err_set(r->err, ERR_INVALID, "\"create_table\" is empty");
    }
    for (size_t i = 0; rc == ERR_OK && i < phased->create_count; i++) {
        kept[i] = given[i];
        rc = one_statement(r, &kept[i]);
        rc = rc ? rc : i == 0 ? check_table(r, kept[i]) : check_index(r, kept[i]);
    }
    phased->create = kept;
    return rc;
}

/* ---- rename_table ---- */

static enum err_code read_indexes(const struct reading *r)
{
    const struct json *json = json_get(r->json, "rename_indexes");
    struct phased *phased = r->phased;
    enum err_code rc = ERR_OK;

    if (json == NULL) {
        return ERR_OK;
    }
    if ((phased->kind != PHASED_RENAME_TABLE && json_get(r->json, "rename") == NULL) ||
        json_kind(json) != JSON_OBJECT) {
        return err_set(r->err, ERR_INVALID,
                       "\"rename_indexes\" belongs to \"rename_table\" or \"rename\", and is an "
                       "object such as {\"old_name\": \"new_name\"}");
    }
    if (json_count(json) > STATEMENTS_MAX) {
        return err_set(r->err, ERR_LIMIT, "\"rename_indexes\" has more than %u entries",
                       STATEMENTS_MAX);
    }
    phased->indexes = arena_zero(r->arena, json_count(json) + 1, sizeof *phased->indexes);
    if (phased->indexes == NULL) {
        return no_memory(r);
    }
    for (const struct json *item = json_first(json); item != NULL && rc == ERR_OK;
         item = json_next(item)) {
        struct phased_index *index = &phased->indexes[phased->index_count++];
        index->old_name = arena_text(r->arena, json_key(item), strlen(json_key(item)));
        rc = index->old_name != NULL ? take(r, "rename_indexes", item, &index->new_name)
                                     : no_memory(r);
        if (rc == ERR_OK && is_reserved(index->new_name)) {
            rc = err_set(r->err, ERR_INVALID, "\"%.60s\" cannot be an index's name",
                         index->new_name);
        }
    }
    return rc;
}

static enum err_code read_rename(const struct reading *r)
{
    struct phased *phased = r->phased;
    enum err_code rc;

    if (json_get(r->json, "table") == NULL) {
        return err_set(r->err, ERR_INVALID,
                       "\"rename_table\" says the new name, and \"table\" is "
                       "missing, which says the old one");
    }
    rc = take(r, "table", json_get(r->json, "table"), &phased->table);
    rc = rc ? rc : take(r, "rename_table", json_get(r->json, "rename_table"), &phased->rename_to);
    if (rc == ERR_OK && strcasecmp(phased->table, phased->rename_to) == 0) {
        rc = err_set(r->err, ERR_INVALID,
                     "\"%.60s\" and \"%.60s\" are one name to SQLite: both tables live side by "
                     "side for a while",
                     phased->table, phased->rename_to);
    }
    if (rc == ERR_OK && is_reserved(phased->rename_to)) {
        rc = err_set(r->err, ERR_INVALID, "\"%.60s\" cannot be a table's name", phased->rename_to);
    }
    return rc;
}

/* ---- the whole ---- */

/* A table's operation stands alone; other members would be silently without effect. */
static enum err_code refuse_others(const struct reading *r, const char *operation)
{
    static const char *const others[] = {"add",          "forward",     "drop",   "reverse",
                                         "valid_old",    "rename",      "retype", "alter",
                                         "create_index", "drop_index",  "table",  "create_table",
                                         "drop_table",   "rename_table"};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        bool own = strcmp(others[i], operation) == 0 ||
                   (strcmp(others[i], "table") == 0 && (r->phased->kind == PHASED_RENAME_TABLE ||
                                                        r->phased->kind == PHASED_HANDWRITTEN));
        if (!own && json_get(r->json, others[i]) != NULL) {
            return err_set(r->err, ERR_INVALID,
                           "\"%s\" and \"%s\" do not go together: \"%s\" is a migration of its own "
                           "(\"needs\" can order two)",
                           operation, others[i], operation);
        }
    }
    return ERR_OK;
}

static enum err_code read_handwritten(const struct reading *r)
{
    if (!json_is_true(json_get(r->json, "handwritten"))) {
        return err_set(r->err, ERR_INVALID, "\"handwritten\" can only be true");
    }
    if (json_get(r->json, "table") == NULL) {
        return err_set(r->err, ERR_INVALID,
                       "\"table\" is missing: whose keys backfill.sql goes by, "
                       "and which no other migration may have in hand");
    }
    return take(r, "table", json_get(r->json, "table"), &r->phased->table);
}

static enum err_code read_operation(const struct reading *r)
{
    static const struct {
        const char *member;
        enum phased_kind kind;
    } operations[] = {{"create_table", PHASED_CREATE_TABLE},
                      {"drop_table", PHASED_DROP_TABLE},
                      {"rename_table", PHASED_RENAME_TABLE},
                      {"handwritten", PHASED_HANDWRITTEN}};
    const char *operation = NULL;
    enum err_code rc;

    for (size_t i = 0; i < 4 && operation == NULL; i++) {
        if (json_get(r->json, operations[i].member) != NULL) {
            operation = operations[i].member;
            r->phased->kind = operations[i].kind;
        }
    }
    if (operation == NULL) {
        return ERR_OK;
    }
    rc = refuse_others(r, operation);
    if (rc == ERR_OK && r->phased->kind == PHASED_HANDWRITTEN) {
        return read_handwritten(r);
    }
    if (rc == ERR_OK && r->phased->kind == PHASED_CREATE_TABLE) {
        rc = read_create(r);
    } else if (rc == ERR_OK && r->phased->kind == PHASED_RENAME_TABLE) {
        rc = read_rename(r);
    } else if (rc == ERR_OK) {
        rc = take(r, "drop_table", json_get(r->json, "drop_table"), &r->phased->table);
    }
    return rc;
}

enum err_code phased_table_read(const struct json *json, struct arena *arena, struct phased *phased,
                                struct err *err)
{
    struct reading r = {json, arena, phased, err};
    enum err_code rc = read_operation(&r);

    rc = rc ? rc : read_indexes(&r);
    if (rc == ERR_OK && json_get(json, "needs") != NULL) {
        rc = take_list(&r, "needs", json_get(json, "needs"), NEEDS_MAX, &phased->needs,
                       &phased->needs_count);
    }
    return rc;
}

bool phased_touches(const struct phased *phased, const char *table)
{
    return strcasecmp(phased->table, table) == 0 ||
           (phased->rename_to != NULL && strcasecmp(phased->rename_to, table) == 0);
}

bool phased_share_table(const struct phased *a, const struct phased *b)
{
    return phased_touches(a, b->table) || (b->rename_to != NULL && phased_touches(a, b->rename_to));
}
