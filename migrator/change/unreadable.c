#include "migrator/change/unreadable.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "database/sql_scan.h"
#include "migrator/change/compiled.h"
#include "migrator/change/way_back.h"

struct trial {
    struct database *db; /* in memory */
    bool renamed;        /* the probe's column is called b now */
};

static enum err_code run(struct database *db, const char *sql, struct err *why)
{
    struct database_statement statement = {sql, NULL, 0};

    return database_batch(
        db, &(struct database_batch){.statements = &statement, .statement_count = 1}, NULL, why);
}

/* ALTER TABLE reads the whole schema: that is the engine's own test. */
static bool reads(struct trial *trial, struct err *why)
{
    bool good = run(trial->db,
                    trial->renamed ? "ALTER TABLE lockstep_probe RENAME COLUMN b TO a"
                                   : "ALTER TABLE lockstep_probe RENAME COLUMN a TO b",
                    why) == ERR_OK;

    trial->renamed = trial->renamed != good;
    return good;
}

static bool is_code(const struct database_rows *rows, size_t i)
{
    const char *type = database_rows_text(rows, i, 0);

    return strcmp(type, "view") == 0 || strcmp(type, "trigger") == 0;
}

static enum err_code begin(struct trial *trial, const struct database_rows *rows, bool code,
                           struct err *err)
{
    struct err unused = {0};
    enum err_code rc = database_open("sqlite::memory:", NULL, &trial->db, err);

    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        if (code || !is_code(rows, i)) {
            (void)!run(trial->db, database_rows_text(rows, i, 2), &unused);
        }
    }
    return rc ? rc : run(trial->db, "CREATE TABLE lockstep_probe(a)", err);
}

static void end(struct trial *trial)
{
    database_close(trial->db);
    *trial = (struct trial){0};
}

static void write_drop(const char *type, const char *name, struct buf *sql)
{
    buf_text(sql, strcmp(type, "view") == 0 ? "DROP VIEW IF EXISTS " : "DROP TRIGGER IF EXISTS ");
    buf_sql_name(sql, str_of(name));
}

/* Whether the object can be read beside those that are there; it stays then. */
static bool joins(struct trial *trial, const struct database_rows *rows, size_t i, struct err *why)
{
    struct buf drop = {0};
    struct err unused = {0};
    bool good = run(trial->db, database_rows_text(rows, i, 2), why) == ERR_OK && reads(trial, why);

    if (!good) {
        write_drop(database_rows_text(rows, i, 0), database_rows_text(rows, i, 1), &drop);
        (void)!run(trial->db, buf_cstr(&drop), &unused);
        buf_fini(&drop);
    }
    return good;
}

static enum err_code add(struct unreadable_list *out, const struct database_rows *rows, size_t i,
                         const char *why, struct arena *arena, struct err *err)
{
    struct unreadable *one = &out->at[out->count];
    const char *texts[3], *copies[3];

    if (out->count == UNREADABLE_MAX) {
        return err_set(err, ERR_LIMIT,
                       "more than %u views and triggers of the application cannot be read here: "
                       "%.60s %.80s: %.150s",
                       UNREADABLE_MAX, database_rows_text(rows, i, 0),
                       database_rows_text(rows, i, 1), why);
    }
    for (size_t k = 0; k < 3; k++) {
        texts[k] = database_rows_text(rows, i, k);
        copies[k] = arena_text(arena, texts[k], strlen(texts[k]));
    }
    *one =
        (struct unreadable){copies[0], copies[1], copies[2], arena_text(arena, why, strlen(why))};
    out->count++;
    return copies[0] != NULL && copies[1] != NULL && copies[2] != NULL && one->why != NULL
               ? ERR_OK
               : err_set(err, ERR_NOMEM, "out of memory");
}

/* One after the other; again while that helps, because a view may use a later one. in: those that are
 * known to be good; of them the views alone are needed, as nothing else is read by others. */
static enum err_code single_out(const struct database_rows *rows, bool *in, struct arena *arena,
                                struct unreadable_list *out, struct err *err)
{
    size_t count = database_rows_count(rows);
    bool progress = true;
    struct trial trial = {0};
    struct err unused = {0};
    enum err_code rc = begin(&trial, rows, false, err);

    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        if (in[i] && strcmp(database_rows_text(rows, i, 0), "view") == 0) {
            (void)!run(trial.db, database_rows_text(rows, i, 2), &unused);
        }
    }
    while (rc == ERR_OK && progress) {
        progress = false;
        for (size_t i = 0; i < count; i++) {
            struct err why = {0};
            if (is_code(rows, i) && !in[i]) {
                in[i] = joins(&trial, rows, i, &why);
                progress = progress || in[i];
            }
        }
    }
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        struct err why = {0};
        if (is_code(rows, i) && !in[i]) {
            (void)!joins(&trial, rows, i, &why);
            rc = add(out, rows, i, why.msg, arena, err);
        }
    }
    end(&trial);
    return rc;
}

static enum err_code read_schema(struct database *db, struct database_rows **rows, struct err *err)
{
    return database_query(
        db,
        "SELECT type, name, sql, tbl_name FROM sqlite_master WHERE sql IS NOT NULL AND "
        "substr(name, 1, 7) <> "
        "'sqlite_' AND substr(name, 1, 4) <> '_cf_' ORDER BY type <> 'table', type <> 'index', "
        "type <> 'view', rowid",
        NULL, 0, rows, err);
}

/* What can be compiled can be read, and that is found out far sooner. good: a flag for each row. */
static bool all_compile(struct trial *trial, const struct database_rows *rows, bool *good,
                        struct arena *arena)
{
    size_t count = database_rows_count(rows);
    const char **checks = arena_zero(arena, count + 1, sizeof *checks);
    struct err unused = {0};
    bool all = checks != NULL;

    for (size_t i = 0; checks != NULL && i < count; i++) {
        size_t k = 0;
        if (!is_code(rows, i)) {
            continue;
        }
        checks[i] = compiled_check(trial->db, database_rows_text(rows, i, 0),
                                   database_rows_text(rows, i, 1), database_rows_text(rows, i, 3),
                                   database_rows_text(rows, i, 2), NULL, 0, arena);
        while (checks[i] != NULL && (checks[k] == NULL || strcmp(checks[k], checks[i]) != 0)) {
            k++;
        }
        good[i] = checks[i] != NULL &&
                  (k < i ? good[k] : database_check(trial->db, checks[i], &unused) == ERR_OK);
        all = all && good[i];
    }
    return all;
}

enum err_code unreadable_find(struct database *db, struct arena *arena, struct unreadable_list *out,
                              struct err *err)
{
    struct database_rows *rows = NULL;
    struct trial whole = {0};
    bool *good = NULL;
    enum err_code rc = read_schema(db, &rows, err);

    out->count = 0;
    rc = rc ? rc : begin(&whole, rows, true, err);
    if (rc == ERR_OK) {
        good = arena_zero(arena, database_rows_count(rows) + 1, sizeof *good);
        rc = good != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
    }
    if (rc == ERR_OK && !all_compile(&whole, rows, good, arena)) {
        rc = single_out(rows, good, arena, out, err);
    }
    end(&whole);
    database_rows_free(rows);
    return rc;
}

/* ---- around an arrow ---- */

static bool alters(const struct work *work)
{
    for (size_t i = 0; i < work->count; i++) {
        struct sql_scan scan = sql_scan_start(str_of(work->statements[i].sql));
        struct sql_token token;
        if (sql_scan_next(&scan, &token) && sql_token_is(&token, "ALTER")) {
            return true;
        }
    }
    return false;
}

enum err_code unreadable_step_aside(struct database *db, struct work *work, struct err *err)
{
    struct unreadable_list list = {.count = 0};
    struct arena arena = {0};
    enum err_code rc = alters(work) ? unreadable_find(db, &arena, &list, err) : ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < list.count; i++) {
        const struct unreadable *one = &list.at[i];
        struct database_value params[] = {database_text(one->type), database_text(one->name),
                                          database_text(one->sql)};
        struct buf drop = {0};
        work_before(work, ERR_CONFLICT,
                    "a view or trigger of the application was changed meanwhile; nothing was "
                    "changed; run the command again",
                    "(SELECT sql FROM sqlite_master WHERE type = ?1 AND name = ?2) = ?3", 3,
                    params);
        write_drop(one->type, one->name, &drop);
        work_sql_first(work, buf_cstr(&drop));
        work->failed = work->failed || buf_failed(&drop);
        buf_fini(&drop);
        work_sql(work, one->sql); /* views before the triggers on them, as they are listed */
    }
    arena_fini(&arena);
    return rc;
}

/* ---- before a walk ---- */

static enum err_code check_collations(struct database *db, const struct change *change,
                                      struct err *err)
{
    struct database_value table = database_text(change->shape.table);
    const struct database_capabilities *capabilities = NULL;
    struct database_rows *rows = NULL;
    enum err_code rc = database_probe(db, &capabilities, err);

    if (rc || !capabilities->own_collations) {
        return rc;
    }
    rc = database_query(
        db,
        "SELECT l.name, x.coll FROM pragma_index_list(?1) AS l, pragma_index_xinfo(l.name) AS x "
        "WHERE x.coll IS NOT NULL AND x.coll COLLATE NOCASE NOT IN "
        "(SELECT name FROM pragma_collation_list) LIMIT 1",
        &table, 1, &rows, err);

    if (rc == ERR_OK && database_rows_count(rows) > 0) {
        rc = err_set(err, ERR_CONFLICT,
                     "index \"%.80s\" of \"%.80s\" compares by \"%.60s\", which only the "
                     "application has: no row of the table can be changed here",
                     database_rows_text(rows, 0, 0), change->shape.table,
                     database_rows_text(rows, 0, 1));
    }
    database_rows_free(rows);
    return rc;
}

/* An update of every column, of no row: it compiles what it would fire. */
static void write_update(const struct change *change, struct buf *sql)
{
    const struct shape *shape = &change->shape;
    const char *comma = " SET ";

    buf_text(sql, "UPDATE ");
    buf_sql_name(sql, str_of(shape->table));
    for (size_t i = 0; i < shape->count; i++) {
        if (!shape->columns[i].generated) {
            buf_text(sql, comma);
            buf_sql_name(sql, str_of(shape->columns[i].name));
            buf_text(sql, " = ");
            buf_sql_name(sql, str_of(shape->columns[i].name));
            comma = ", ";
        }
    }
    buf_text(sql, " WHERE 0");
}

static enum err_code check_trigger(const struct database_rows *rows, const struct change *change,
                                   const struct shape_object *object, struct err *err)
{
    struct trial trial = {0};
    struct buf update = {0};
    struct err why = {0};
    enum err_code rc = begin(&trial, rows, false, err);

    write_update(change, &update);
    if (rc == ERR_OK && run(trial.db, buf_cstr(&update), &why) == ERR_OK &&
        (run(trial.db, object->sql, &why) != ERR_OK ||
         run(trial.db, buf_cstr(&update), &why) != ERR_OK)) {
        rc = err_set(err, ERR_CONFLICT,
                     "trigger \"%.80s\" cannot run here (%.200s), and the updates of this "
                     "migration would fire it; drop it first, and create it again behind the "
                     "migration",
                     object->name, why.msg);
    }
    buf_fini(&update);
    end(&trial);
    return rc;
}

enum err_code unreadable_check(struct database *db, const struct change *change, struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc = ERR_OK;

    if (change->table != NULL || change->shape.table == NULL) {
        return ERR_OK; /* its own statements name what they need */
    }
    for (size_t i = 0; rc == ERR_OK && i < change->shape.object_count; i++) {
        if (!way_fires(change, &change->shape.objects[i])) {
            continue;
        }
        rc = rows != NULL ? ERR_OK : read_schema(db, &rows, err);
        rc = rc ? rc : check_trigger(rows, change, &change->shape.objects[i], err);
    }
    database_rows_free(rows);
    return rc ? rc : check_collations(db, change, err);
}
