/*
 * What stands in the way of an operation on a whole table.
 */
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "migrator/change/table_change.h"
#include "migrator/session/session.h"
#include "migrator/sql/head_text.h"

struct checking {
    struct database *db;
    const struct change *change;
    const struct table_change *t;
    struct err *err;
};

/* ---- names that are taken ---- */

static enum err_code demand_free(const struct checking *c, const char *name)
{
    struct database_value param = database_text(name);
    struct database_rows *rows = NULL;
    enum err_code rc =
        database_query(c->db, "SELECT type FROM sqlite_master WHERE lower(name) = lower(?1)",
                       &param, 1, &rows, c->err);

    if (rc == ERR_OK && database_rows_count(rows) > 0) {
        rc = err_set(c->err, ERR_INVALID, "there is a %s \"%.60s\" already%s",
                     database_rows_text(rows, 0, 0), name,
                     c->change->phased->kind == PHASED_RENAME_TABLE && c->t->new_name != NULL &&
                             strcasecmp(name, c->t->new_name) != 0
                         ? "; \"rename_indexes\" can name another"
                         : "");
    }
    database_rows_free(rows);
    return rc;
}

static enum err_code check_names(const struct checking *c)
{
    enum err_code rc = c->t->new_name != NULL ? demand_free(c, c->t->new_name) : ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < c->t->index_count; i++) {
        rc = demand_free(c, c->t->indexes[i].new_name);
        for (size_t k = 0; rc == ERR_OK && k < i; k++) {
            if (strcasecmp(c->t->indexes[k].new_name, c->t->indexes[i].new_name) == 0) {
                rc = err_set(c->err, ERR_INVALID,
                             "two indexes would be called \"%.60s\"; \"rename_indexes\" can name "
                             "another",
                             c->t->indexes[i].new_name);
            }
        }
    }
    return rc;
}

static enum err_code check_named_indexes(const struct checking *c)
{
    const struct phased *phased = c->change->phased;

    for (size_t i = 0; i < phased->index_count; i++) {
        bool found = false;
        for (size_t k = 0; k < c->t->index_count; k++) {
            found =
                found || strcasecmp(phased->indexes[i].old_name, c->t->indexes[k].old_name) == 0;
        }
        if (!found) {
            return err_set(c->err, ERR_INVALID,
                           "\"rename_indexes\": \"%.60s\" has no index \"%.60s\"",
                           c->change->shape.table, phased->indexes[i].old_name);
        }
    }
    return ERR_OK;
}

/* ---- references ---- */

static void add_named(struct buf *out, const char *type, const char *name)
{
    buf_print(out, "%s%s %s", out->len > 0 ? ", " : "", type, name);
}

/* FOREIGN KEYs of other tables to the old one; for a rename its own to itself too. */
static enum err_code add_children(struct database *db, const struct change *change, struct buf *out,
                                  struct err *err)
{
    struct database_value params[] = {
        database_text(change->table->old_now),
        database_int(change->phased->kind == PHASED_RENAME_TABLE),
    };
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        db,
        "SELECT DISTINCT m.name FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS f "
        "WHERE m.type = 'table' AND substr(m.name, 1, 4) <> '_cf_' AND lower(f.\"table\") = "
        "lower(?1) AND (?2 OR lower(m.name) <> "
        "lower(?1)) ORDER BY 1",
        params, 2, &rows, err);

    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        add_named(out, "FOREIGN KEY of", database_rows_text(rows, i, 0));
    }
    database_rows_free(rows);
    return rc;
}

/* Views and triggers that name it; a table that is dropped takes its own triggers along. */
static enum err_code add_objects(struct database *db, const struct change *change, struct buf *out,
                                 struct err *err)
{
    const char *table = change->table->old_now;
    bool own_too = change->phased->kind == PHASED_RENAME_TABLE;
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        db,
        "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE type IN ('trigger', 'view') AND "
        "substr(name, 1, 9) <> 'lockstep_' ORDER BY type, name",
        NULL, 0, &rows, err);

    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        const char *type = database_rows_text(rows, i, 0), *sql = database_rows_text(rows, i, 3);
        bool own =
            strcmp(type, "trigger") == 0 && strcasecmp(database_rows_text(rows, i, 2), table) == 0;
        if ((!own || own_too) && sql != NULL && session_mentions(str_of(sql), table)) {
            add_named(out, type, database_rows_text(rows, i, 1));
        }
    }
    database_rows_free(rows);
    return rc;
}

const char *table_dependents(struct database *db, const struct change *change, struct arena *arena)
{
    struct buf out = {0};
    struct err unused = {0};
    const char *text = NULL;

    if (change->table->old_name == NULL || change->set_aside) {
        return "";
    }
    if (add_children(db, change, &out, &unused) == ERR_OK &&
        add_objects(db, change, &out, &unused) == ERR_OK && !buf_failed(&out)) {
        text = arena_text(arena, buf_cstr(&out), out.len);
    }
    buf_fini(&out);
    return text;
}

static enum err_code check_dependents(const struct checking *c, struct arena *arena)
{
    const char *names = table_dependents(c->db, c->change, arena);

    if (names == NULL) {
        return err_set(c->err, ERR_INVALID, "the schema could not be read");
    }
    return *names == '\0'
               ? ERR_OK
               : err_set(c->err, ERR_INVALID,
                         "\"%.60s\" cannot be set aside, because it is named by: %.200s; change "
                         "those first",
                         c->t->old_now, names);
}

/* Its own references: what is set aside must not refuse a statement of new code. */
static enum err_code check_parents(const struct checking *c)
{
    bool mirrored = c->change->phased->kind == PHASED_RENAME_TABLE;
    struct database_value table = database_text(c->t->old_now);
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        c->db,
        "SELECT \"table\", on_delete, on_update FROM pragma_foreign_key_list(?1) WHERE "
        "lower(\"table\") <> lower(?1) ORDER BY id, seq",
        &table, 1, &rows, c->err);

    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        const char *parent = database_rows_text(rows, i, 0);
        const char *on_delete = database_rows_text(rows, i, 1);
        bool follows = strcmp(on_delete, "CASCADE") == 0 || strcmp(on_delete, "SET NULL") == 0;
        if (mirrored) {
            rc = err_set(c->err, ERR_INVALID,
                         "\"%.60s\" has a FOREIGN KEY to \"%.60s\": mirrors of tables with "
                         "references are not supported yet",
                         c->t->old_now, parent);
        } else if (!follows) {
            rc = err_set(c->err, ERR_INVALID, /* lint: not SQL */
                         "\"%.60s\" has a FOREIGN KEY to \"%.60s\" with ON DELETE %s: while it is "
                         "set aside, its rows would refuse what new code deletes there; rebuild it "
                         "without the reference (or ON DELETE CASCADE) first",
                         c->t->old_now, parent, on_delete);
        }
    }
    database_rows_free(rows);
    return rc;
}

/* The same text under another name must mean the same. */
static enum err_code check_text(const struct checking *c)
{
    struct head_text head;

    if (!head_text_table(str_of(c->change->shape.sql), &head)) {
        return err_set(c->err, ERR_INVALID, "the text of \"%.60s\" could not be read",
                       c->t->old_now);
    }
    if (head_text_speaks_of(head.behind, c->t->old_now)) {
        return err_set(c->err, ERR_INVALID,
                       "\"%.60s\" names itself in its own constraints, so that they would mean the "
                       "old table in the new one",
                       c->t->old_now);
    }
    for (size_t i = 0; i < c->t->index_count; i++) {
        if (head_text_index(str_of(c->t->indexes[i].sql), &head) &&
            head_text_speaks_of(head.behind, c->t->old_now)) {
            return err_set(c->err, ERR_INVALID,
                           "index \"%.60s\" names the table behind its ON, so that it cannot be "
                           "made on another",
                           c->t->indexes[i].old_name);
        }
    }
    return ERR_OK;
}

enum err_code table_check(struct database *db, const struct change *change, struct arena *arena,
                          struct err *err)
{
    struct checking c = {db, change, change->table, err};
    enum err_code rc = check_names(&c);

    if (rc == ERR_OK && c.t->old_name != NULL) {
        rc = demand_free(&c, c.t->aside);
        rc = rc ? rc : check_dependents(&c, arena);
        rc = rc ? rc : check_parents(&c);
    }
    if (rc == ERR_OK && change->phased->kind == PHASED_RENAME_TABLE) {
        rc = check_named_indexes(&c);
        rc = rc ? rc : check_text(&c);
    }
    return rc;
}

/* ---- what a plan says ---- */

static void add_note(struct json *notes, const char *text)
{
    (void)json_append(notes, json_string(text != NULL ? text : ""));
}

void table_notes(const struct change *change, enum mig_state from, struct json *notes,
                 struct arena *arena)
{
    const struct table_change *t = change->table;

    if (t->old_name != NULL && from < MIG_CONTRACTED) {
        add_note(notes,
                 arena_print(arena, "from contract on, code that names %s fails", t->old_name));
    }
    if (change->phased->kind == PHASED_CREATE_TABLE) {
        add_note(notes, change->phased->lossy
                            ? "the way back drops the table with its rows"
                            : "the way back drops the table only while it has no rows");
    }
    if (change->phased->kind != PHASED_RENAME_TABLE || from >= MIG_CONTRACTED) {
        return;
    }
    add_note(notes, "while both tables live, every write is made in both, and total_changes() "
                    "counts both");
    for (size_t i = 0; i < t->index_count; i++) {
        add_note(notes, arena_print(arena, "index %s is %s on the new table",
                                    t->indexes[i].old_name, t->indexes[i].new_name));
    }
}
