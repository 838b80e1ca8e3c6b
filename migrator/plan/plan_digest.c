/*
 * What a phase's digest covers.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "database/sql_scan.h"
#include "migrator/change/table_change.h"
#include "migrator/plan/plan.h"
#include "migrator/sql/table_text.h"

/* Each text with its end, so that two texts are not taken for one. */
static void add(struct digest *digest, const char *text)
{
    digest_add(digest, text, strlen(text) + 1);
}

static void add_tokens(struct digest *digest, const char *sql)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token;

    while (sql_scan_next(&scan, &token)) {
        digest_add(digest, token.text.at, token.text.len);
        digest_add(digest, "", 1);
    }
}

static bool is_ours(const struct change *change, const char *column)
{
    const struct phased *phased = change->phased;

    for (size_t i = 0; i < phased->add_count; i++) {
        if (strcasecmp(phased->add[i].name, column) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < phased->drop_count; i++) {
        if (strcasecmp(phased->drop[i].name, column) == 0 ||
            strcasecmp(change->drop_aside[i], column) == 0) {
            return true;
        }
    }
    return false;
}

/* The name that something set aside had before. */
static const char *name_before(const struct change *change, const struct sql_token *token)
{
    for (size_t i = 0; i < change->phased->drop_count && change->table == NULL; i++) {
        if (sql_token_names(token, change->drop_aside[i])) {
            return change->drop_old[i];
        }
    }
    return change->table != NULL && change->table->old_name != NULL &&
                   sql_token_names(token, change->table->aside)
               ? change->table->old_name
               : NULL;
}

/* The text of an object that follows our renames: names count without their quotes and case. */
static void add_object(struct digest *digest, const struct change *change, const char *sql)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token;

    while (sql_scan_next(&scan, &token)) {
        bool name = token.kind == SQL_WORD || token.kind == SQL_QUOTED;
        const char *before = name ? name_before(change, &token) : NULL;
        struct str text = before != NULL ? str_of(before) : token.text;
        if (before == NULL && token.kind == SQL_QUOTED) {
            text = (struct str){text.at + 1, text.len - 2};
        }
        for (size_t i = 0; i < text.len; i++) {
            char c = text.at[i];
            c = name && c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
            digest_add(digest, &c, 1);
        }
        digest_add(digest, "", 1);
    }
    digest_add(digest, "", 1);
}

/* The table's text without the columns that the migration makes, drops or declares anew. */
static enum err_code add_text(struct digest *digest, const struct change *change, struct err *err)
{
    const struct shape *shape = &change->shape;
    struct buf text = {0};
    bool failed;

    buf_text(&text, shape->sql);
    for (size_t i = 0; i < shape->count; i++) {
        struct buf without = {0};
        struct str definition;
        bool altered = false;
        for (size_t k = 0; k < change->phased->alter_count; k++) {
            altered =
                altered || strcasecmp(change->phased->alter[k].name, shape->columns[i].name) == 0;
        }
        if ((altered || is_ours(change, shape->columns[i].name)) &&
            table_text_column((struct str){buf_cstr(&text), text.len}, shape->columns[i].name,
                              &definition)) {
            table_text_remove((struct str){buf_cstr(&text), text.len}, definition, &without);
            buf_fini(&text);
            text = without;
        }
    }
    failed = buf_failed(&text);
    add_object(digest, change, buf_cstr(&text));
    buf_fini(&text);
    return failed ? err_set(err, ERR_NOMEM, "out of memory") : ERR_OK;
}

static bool is_own_object(const struct change *change, const struct shape_object *object)
{
    bool own = strncasecmp(object->name, "lockstep_", 9) == 0;

    for (size_t i = 0; i < change->phased->create_index_count; i++) {
        own = own || strcasecmp(change->phased->create_index[i].name, object->name) == 0;
    }
    return own;
}

/* The table without what the migration itself changes: its other columns with all that is declared
 * for them, its indexes, and the views and triggers that name it. */
static enum err_code add_table(struct digest *digest, const struct change *change, struct err *err)
{
    const struct shape *shape = &change->shape;
    enum err_code rc = ERR_OK;

    if (change->phased->kind == PHASED_HANDWRITTEN) {
        return ERR_OK; /* its files may do anything to it, and are covered themselves */
    }
    for (size_t i = 0; i < shape->count; i++) {
        const struct shape_column *column = &shape->columns[i];
        char key[16];
        if (is_ours(change, column->name)) {
            continue;
        }
        (void)snprintf(key, sizeof key, "%d%d", column->primary_key, column->generated);
        add(digest, column->name);
        add(digest, column->type != NULL ? column->type : "");
        add(digest, key);
    }
    if (shape->table == NULL || shape->sql == NULL ||
        (change->table != NULL && change->table->old_name == NULL)) {
        return ERR_OK; /* of the migration's own making */
    }
    rc = add_text(digest, change, err);
    for (size_t i = 0; rc == ERR_OK && i < shape->object_count; i++) {
        const struct shape_object *object = &shape->objects[i];
        bool index = strcmp(object->type, "index") == 0;
        if (!is_own_object(change, object) &&
            (index || session_mentions(str_of(object->sql), shape->table))) {
            add(digest, object->type);
            add_object(digest, change, object->sql);
        }
    }
    return rc;
}

/* All tables that plain SQL names. */
static enum err_code add_named(struct digest *digest, struct database *db,
                               const struct migration *migration, struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        db,
        "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 9) <> "
        "'lockstep_' AND substr(name, 1, 7) <> 'sqlite_' AND substr(name, 1, 4) <> '_cf_' ORDER BY "
        "name",
        NULL, 0, &rows, err);

    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        if (session_mentions(migration->up, database_rows_text(rows, i, 0))) {
            add_tokens(digest, database_rows_text(rows, i, 1));
        }
    }
    database_rows_free(rows);
    return rc;
}

static const char *list_digest(const struct json *list, char hex[DIGEST_HEX_BYTES])
{
    struct digest digest;

    digest_init(&digest);
    for (const struct json *text = json_first(list); text != NULL; text = json_next(text)) {
        add(&digest, json_text(text));
    }
    digest_end(&digest, hex);
    return hex;
}

static void put_phase(struct json *phase, const struct migration *migration, const char *from,
                      const char *schema)
{
    struct json *covers = json_object();
    struct digest whole, state;
    char hex[DIGEST_HEX_BYTES];

    (void)json_put_text(covers, "file", migration->checksum);
    (void)json_put_text(covers, "statements", list_digest(json_get(phase, "statements"), hex));
    (void)json_put_text(covers, "gate", list_digest(json_get(phase, "waits_for"), hex));
    digest_init(&state);
    add(&state, migration->name);
    add(&state, from);
    add(&state, json_get_text(phase, "to", ""));
    digest_end(&state, hex);
    (void)json_put_text(covers, "state", hex);
    (void)json_put_text(covers, "schema", schema);
    digest_init(&whole);
    for (const struct json *part = json_first(covers); part != NULL; part = json_next(part)) {
        add(&whole, json_key(part));
        add(&whole, json_text(part));
    }
    digest_end(&whole, hex);
    (void)json_put_text(phase, "digest", hex);
    (void)json_put(phase, "covers", covers);
}

enum err_code plan_schema_digest(struct database *db, const struct migration *migration,
                                 const struct change *change, char schema[DIGEST_HEX_BYTES],
                                 struct err *err)
{
    struct digest digest;
    enum err_code rc = ERR_OK;

    digest_init(&digest);
    if (change != NULL) {
        rc = add_table(&digest, change, err);
    } else {
        rc = add_named(&digest, db, migration, err);
    }
    digest_end(&digest, schema);
    return rc;
}

void plan_put_digests(const struct migration *migration, const char *schema, struct json *entry)
{
    const char *from = json_get_text(entry, "from", "");

    for (struct json *phase = json_first(json_get(entry, "phases")); phase != NULL;
         phase = json_next(phase)) {
        put_phase(phase, migration, from, schema);
        from = json_get_text(phase, "to", "");
    }
}
