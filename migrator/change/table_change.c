#include "migrator/change/table_change.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "database/sql_scan.h"
#include "migrator/change/mirror.h"
#include "migrator/sql/head_text.h"

struct reading {
    struct database *db;
    struct change *change;
    struct table_change *t;
    struct arena *arena;
    struct err *err;
};

static enum err_code no_memory(const struct reading *r)
{
    return err_set(r->err, ERR_NOMEM, "out of memory");
}

/* ---- names of the new table's indexes ---- */

/* The old name with the old table's name in it replaced, or with the new one's in front. */
static const char *derived_name(const struct reading *r, const char *old)
{
    const char *table = r->t->old_name, *at = strcasestr(old, table);

    return at != NULL ? arena_print(r->arena, "%.*s%s%s", (int)(at - old), old, r->t->new_name,
                                    at + strlen(table))
                      : arena_print(r->arena, "%s_%s", r->t->new_name, old);
}

static const char *new_index_name(const struct reading *r, const char *old)
{
    const struct phased *phased = r->change->phased;

    for (size_t i = 0; i < phased->index_count; i++) {
        if (strcasecmp(phased->indexes[i].old_name, old) == 0) {
            return phased->indexes[i].new_name;
        }
    }
    return derived_name(r, old);
}

static enum err_code read_indexes(const struct reading *r)
{
    const struct shape *shape = &r->change->shape;

    r->t->indexes = arena_zero(r->arena, shape->object_count + 1, sizeof *r->t->indexes);
    if (r->t->indexes == NULL) {
        return no_memory(r);
    }
    for (size_t i = 0; i < shape->object_count; i++) {
        const struct shape_object *object = &shape->objects[i];
        struct table_index *index = &r->t->indexes[r->t->index_count];
        if (strcmp(object->type, "index") != 0 || *object->sql == '\0') {
            continue;
        }
        index->old_name = object->name;
        index->new_name = new_index_name(r, object->name);
        index->sql = index->new_name != NULL ? head_text_index_as(object->sql, index->new_name,
                                                                  r->t->new_name, r->arena)
                                             : NULL;
        if (index->sql == NULL) {
            return err_set(r->err, ERR_INVALID, "index \"%.60s\" could not be read", object->name);
        }
        r->t->index_count++;
    }
    return ERR_OK;
}

/* ---- columns and keys ---- */

/* Whether a column of this type stores every value as it comes. */
static bool is_blank(const char *type)
{
    return *type == '\0' || (strcasestr(type, "BLOB") != NULL && strcasestr(type, "INT") == NULL &&
                             strcasestr(type, "CHAR") == NULL && strcasestr(type, "CLOB") == NULL &&
                             strcasestr(type, "TEXT") == NULL);
}

static enum err_code read_columns(const struct reading *r)
{
    const struct shape *shape = &r->change->shape;

    r->t->columns = arena_zero(r->arena, shape->count + 1, sizeof *r->t->columns);
    r->t->blank = arena_zero(r->arena, shape->count + 1, sizeof *r->t->blank);
    if (r->t->columns == NULL || r->t->blank == NULL) {
        return no_memory(r);
    }
    for (size_t i = 0; i < shape->count; i++) {
        if (!shape->columns[i].generated) {
            r->t->columns[r->t->column_count] = shape->columns[i].name;
            r->t->blank[r->t->column_count++] = is_blank(shape->columns[i].type);
        }
    }
    return ERR_OK;
}

static enum err_code read_key(const struct reading *r, const char *index, struct table_key *out)
{
    struct database_value param = database_text(index);
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        r->db, "SELECT name, coll FROM pragma_index_xinfo(?1) WHERE \"key\" ORDER BY seqno", &param,
        1, &rows, r->err);

    if (rc) {
        return rc;
    }
    out->count = database_rows_count(rows);
    out->columns = arena_zero(r->arena, out->count + 1, sizeof *out->columns);
    out->collations = arena_zero(r->arena, out->count + 1, sizeof *out->collations);
    for (size_t i = 0; rc == ERR_OK && i < out->count; i++) {
        const char *name = database_rows_text(rows, i, 0);
        const char *collation = database_rows_text(rows, i, 1);
        struct buf quoted = {0};
        if (name == NULL) {
            rc = err_set(r->err, ERR_INVALID,
                         "the UNIQUE index \"%.60s\" has an expression: a mirror cannot tell which "
                         "rows conflict",
                         index);
            break;
        }
        buf_sql_name(&quoted, str_of(collation != NULL ? collation : "BINARY"));
        if (out->columns == NULL || out->collations == NULL || buf_failed(&quoted)) {
            rc = no_memory(r);
        } else {
            out->columns[i] = arena_text(r->arena, name, strlen(name));
            out->collations[i] = arena_text(r->arena, buf_cstr(&quoted), quoted.len);
            rc = out->columns[i] && out->collations[i] ? ERR_OK : no_memory(r);
        }
        buf_fini(&quoted);
    }
    database_rows_free(rows);
    return rc;
}

static enum err_code read_unique(const struct reading *r, const struct database_rows *rows,
                                 bool *pk_index)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        const char *index = database_rows_text(rows, i, 0);
        bool pk = strcmp(database_rows_text(rows, i, 1), "pk") == 0;
        *pk_index = *pk_index || pk;
        if (database_rows_int(rows, i, 2, 0) != 0) {
            rc = err_set(r->err, ERR_INVALID,
                         "the UNIQUE index \"%.60s\" has a WHERE: a mirror cannot tell which rows "
                         "conflict",
                         index);
        } else if (pk && r->change->shape.without_rowid) {
            rc = read_key(r, index, &r->t->key);
        } else {
            rc = read_key(r, index, &r->t->unique[r->t->unique_count++]);
        }
    }
    return rc;
}

static enum err_code read_keys(const struct reading *r)
{
    const struct shape *shape = &r->change->shape;
    struct database_value table = database_text(shape->table);
    struct database_rows *rows = NULL;
    bool pk_index = false;
    enum err_code rc = database_query(
        r->db, "SELECT name, origin, partial FROM pragma_index_list(?1) WHERE \"unique\"", &table,
        1, &rows, r->err);

    if (rc) {
        return rc;
    }
    r->t->unique = arena_zero(r->arena, database_rows_count(rows) + 1, sizeof *r->t->unique);
    rc = r->t->unique != NULL ? read_unique(r, rows, &pk_index) : no_memory(r);
    database_rows_free(rows);
    for (size_t i = 0; i < shape->count && !shape->without_rowid && !pk_index; i++) {
        if (shape->columns[i].primary_key > 0) { /* without an index it is the rowid itself */
            r->t->rowid_alias = shape->columns[i].name;
        }
    }
    return rc;
}

/* ---- the three operations ---- */

static enum err_code exists(const struct reading *r, const char *type, const char *name, bool *out)
{
    struct database_value params[] = {database_text(name), database_text(type)};
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        r->db, "SELECT 1 FROM sqlite_master WHERE lower(name) = lower(?1) AND type = ?2", params, 2,
        &rows, r->err);

    *out = rc == ERR_OK && database_rows_count(rows) > 0;
    database_rows_free(rows);
    return rc;
}

/* Before it is there, its shape is read in a database of its own, which also says what is wrong with
 * the statements. */
static enum err_code try_create(const struct reading *r)
{
    const struct phased *phased = r->change->phased;
    struct database *memory = NULL;
    enum err_code rc = database_open("sqlite::memory:", NULL, &memory, r->err);

    for (size_t i = 0; rc == ERR_OK && i < phased->create_count; i++) {
        struct database_statement statement = {phased->create[i], NULL, 0};
        rc = database_batch(
            memory, &(struct database_batch){.statements = &statement, .statement_count = 1}, NULL,
            r->err);
    }
    rc = rc ? rc : shape_read(memory, phased->table, r->arena, &r->change->shape, r->err);
    database_close(memory);
    return rc;
}

static enum err_code create_read(const struct reading *r, bool expanded)
{
    const struct phased *phased = r->change->phased;
    bool there = false;
    enum err_code rc = exists(r, "table", phased->table, &there);

    if (rc == ERR_OK && expanded && !there) {
        return err_set(r->err, ERR_CONFLICT, "the table \"%.60s\" that expand made is gone",
                       phased->table);
    }
    if (rc == ERR_OK) {
        rc = expanded ? shape_read(r->db, phased->table, r->arena, &r->change->shape, r->err)
                      : try_create(r);
    }
    if (rc) {
        return rc;
    }
    r->t->new_name = phased->table;
    r->t->new_sql = phased->create[0];
    r->t->indexes = arena_zero(r->arena, phased->create_count, sizeof *r->t->indexes);
    if (r->t->indexes == NULL) {
        return no_memory(r);
    }
    for (size_t i = 1; i < phased->create_count; i++) {
        struct table_index *index = &r->t->indexes[r->t->index_count++];
        struct head_text head;
        index->sql = phased->create[i];
        index->new_name = head_text_index(str_of(index->sql), &head)
                              ? head_text_plain(head.name, r->arena)
                              : NULL;
        if (index->new_name == NULL) {
            return no_memory(r);
        }
    }
    return ERR_OK;
}

/* The old table, under the name that it has now. */
static enum err_code read_old(const struct reading *r, bool set_aside)
{
    const struct phased *phased = r->change->phased;
    const char *prefix = arena_print(r->arena, "lockstep_%ld_", r->change->migration->number);
    const char *aside =
        prefix != NULL ? arena_print(r->arena, "%s%s", prefix, phased->table) : NULL;
    enum err_code rc;

    if (aside == NULL) {
        return no_memory(r);
    }
    rc = set_aside ? shape_read_aside(r->db, aside, r->arena, &r->change->shape, r->err)
                   : shape_read(r->db, phased->table, r->arena, &r->change->shape, r->err);
    if (rc) {
        return rc;
    }
    r->change->set_aside = set_aside;
    r->t->old_now = r->change->shape.table; /* in the letters that it was created with */
    r->t->old_name = set_aside ? r->t->old_now + strlen(prefix) : r->t->old_now;
    r->t->aside = arena_print(r->arena, "%s%s", prefix, r->t->old_name);
    return r->t->aside != NULL ? ERR_OK : no_memory(r);
}

/* Both tables must be what expand left: the triggers name every column. */
static enum err_code demand_new(const struct reading *r)
{
    struct shape shape;
    bool there = false;
    enum err_code rc = exists(r, "table", r->t->new_name, &there);

    if (rc == ERR_OK && there) {
        rc = shape_read(r->db, r->t->new_name, r->arena, &shape, r->err);
    }
    if (rc == ERR_OK && (!there || !sql_same_tokens(str_of(shape.sql), str_of(r->t->new_sql)))) {
        rc = err_set(r->err, ERR_CONFLICT,
                     "\"%.60s\" and \"%.60s\" have not the same shape any more: one of them was "
                     "changed since expand; take that change back",
                     r->t->old_now, r->t->new_name);
    }
    return rc;
}

static enum err_code rename_read(const struct reading *r, bool expanded, bool set_aside)
{
    bool mirrored = false;
    const char *trigger =
        arena_print(r->arena, "lockstep_%ld_reverse_insert", r->change->migration->number);
    enum err_code rc = read_old(r, set_aside);

    if (rc || trigger == NULL) {
        return rc ? rc : no_memory(r);
    }
    r->t->new_name = r->change->phased->rename_to;
    r->t->new_sql = head_text_table_as(r->change->shape.sql, r->t->new_name, r->arena);
    if (r->t->new_sql == NULL) {
        return no_memory(r);
    }
    r->t->autoincrement = shape_is_autoincrement(&r->change->shape);
    rc = read_indexes(r);
    rc = rc ? rc : read_columns(r);
    rc = rc ? rc : read_keys(r);
    if (rc == ERR_OK && expanded) {
        rc = demand_new(r);
    }
    if (rc == ERR_OK && set_aside) {
        rc = exists(r, "trigger", trigger, &mirrored);
        r->t->unmirrored = !mirrored;
    }
    return rc;
}

/* ---- generated text ---- */

static enum err_code count_alone(const struct reading *r)
{
    struct buf text = {0};

    buf_text(&text, "SELECT count(*), 0, 0, 0 FROM ");
    buf_sql_name(&text, str_of(r->change->shape.table));
    r->t->verify = arena_text(r->arena, buf_cstr(&text), text.len);
    r->t->fault = "0";
    buf_fini(&text);
    return r->t->verify != NULL ? ERR_OK : no_memory(r);
}

static enum err_code write_all(const struct reading *r)
{
    r->change->consistent = r->change->valid = "1";
    r->change->granularity_s = change_granularity_s(r->change->phased);
    if (r->change->phased->kind == PHASED_RENAME_TABLE && !r->t->unmirrored) {
        return mirror_write(r->change, r->arena, r->err);
    }
    if (r->change->phased->kind == PHASED_DROP_TABLE && !r->change->set_aside) {
        enum err_code rc = mirror_record(r->change, r->arena, r->err);
        if (rc) {
            return rc;
        }
    }
    return count_alone(r);
}

enum err_code table_change_read(struct database *db, const struct migration *migration,
                                bool expanded, bool set_aside, struct arena *arena,
                                struct change *out, struct err *err)
{
    struct reading r = {db, out, arena_zero(arena, 1, sizeof(struct table_change)), arena, err};
    enum err_code rc;

    *out = (struct change){.migration = migration, .phased = migration->phased, .table = r.t};
    if (r.t == NULL) {
        return no_memory(&r);
    }
    switch (migration->phased->kind) {
    case PHASED_CREATE_TABLE: rc = create_read(&r, expanded); break;
    case PHASED_DROP_TABLE: rc = read_old(&r, set_aside); break;
    default: rc = rename_read(&r, expanded, set_aside); break;
    }
    if (rc == ERR_OK && !expanded) {
        rc = table_check(db, out, arena, err);
    }
    rc = rc ? rc : write_all(&r);
    if (rc) {
        err_wrap(err, "%.100s", migration->name);
    }
    return rc;
}

enum err_code table_change_named(const struct change *change, bool set_aside, struct arena *arena,
                                 struct change *out, struct err *err)
{
    struct reading r = {NULL, out, arena_zero(arena, 1, sizeof(struct table_change)), arena, err};

    if (r.t == NULL) {
        return no_memory(&r);
    }
    *r.t = *change->table;
    *out = (struct change){.migration = change->migration,
                           .phased = change->phased,
                           .shape = change->shape,
                           .table = r.t,
                           .set_aside = set_aside};
    r.t->old_now = set_aside ? r.t->aside : r.t->old_name;
    if (r.t->old_name != NULL) {
        out->shape.table = r.t->old_now;
    }
    return write_all(&r);
}

enum err_code table_change_has_rows(struct database *db, const struct change *change, bool *out,
                                    struct err *err)
{
    *out = false;
    return change->phased->kind == PHASED_CREATE_TABLE
               ? ERR_OK /* it is not there yet */
               : shape_has_rows(db, change->shape.table, out, err);
}
