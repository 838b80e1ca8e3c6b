#include "migrator/plan/plan_bounds.h"

#include <string.h>

#include "base/buf.h"
#include "database/sql_scan.h"
#include "migrator/plan/scratch.h"
#include "migrator/sql/shape.h"

struct bounding {
    const struct migrate *m; /* the database that it is for */
    struct scratch *scratch;
    const struct database_capabilities *capabilities;
    const char *migration, *phase;
    size_t number; /* of the statement */
    struct err *err;
};

static enum err_code refuse(const struct bounding *b, const char *sql, const char *why)
{
    return err_set(
        b->err, ERR_INVALID,
        "%.80s: a statement of %.40s (%zu) is none that this database (%s) takes: %.200s; "
        "make what it is made from smaller, or split it into several migrations: %.80s...",
        b->migration, b->phase, b->number, b->capabilities->engine, why, sql);
}

/* Runs what changes the schema, and only compiles the rest: the copy has no rows. */
static enum err_code play(struct bounding *b, const char *sql, struct err *err)
{
    static const char *const words[] = {"CREATE", "ALTER", "DROP"};
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token first;
    bool runs = false;

    if (sql_scan_next(&scan, &first)) {
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
            runs = runs || sql_token_is(&first, words[i]);
        }
    }
    if (runs) {
        struct database_statement statement = {sql, NULL, 0};
        return database_batch(
            b->scratch->m.db,
            &(struct database_batch){.statements = &statement, .statement_count = 1}, NULL, err);
    }
    return database_check(b->scratch->m.db, sql, err);
}

/* What fails with the bounds and works without is what they forbid. What fails either way is not their
 * business: the copy may lack something. */
static enum err_code try_one(struct bounding *b, const char *sql)
{
    struct database_capabilities loose = *b->capabilities;
    struct err bound = {0}, unused = {0};
    enum err_code rc = play(b, sql, &bound);

    if (rc == ERR_OK) {
        return ERR_OK;
    }
    if (rc == ERR_NOMEM) { /* so SQLite calls it; if it is true, it shows again below */
        (void)err_set(&bound, rc, "it compiles to more than %u instructions",
                      b->capabilities->bounds.program_ops);
    }
    loose.bounds = (struct database_bounds){0};
    database_pretend(b->scratch->m.db, &loose);
    rc = play(b, sql, &unused);
    database_pretend(b->scratch->m.db, b->capabilities);
    return rc == ERR_OK      ? refuse(b, sql, bound.msg)
           : rc == ERR_NOMEM ? err_set(b->err, rc, "out of memory")
                             : ERR_OK;
}

/* The columns of a table in the copy as "SET a = a, b = b", so that each trigger is compiled. */
static enum err_code add_assignments(struct bounding *b, const char *table, struct buf *out)
{
    struct database_value name = database_text(table);
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        b->scratch->m.db, "SELECT name FROM pragma_table_xinfo(?1) WHERE hidden = 0 ORDER BY cid",
        &name, 1, &rows, b->err);

    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        buf_text(out, i > 0 ? ", " : " SET ");
        buf_sql_name(out, str_of(database_rows_text(rows, i, 0)));
        buf_text(out, " = ");
        buf_sql_name(out, str_of(database_rows_text(rows, i, 0)));
    }
    database_rows_free(rows);
    return rc;
}

/* What the application's own statements compile to, now that their triggers are there. */
static enum err_code try_writes(struct bounding *b, const char *table)
{
    struct buf insert = {0}, update = {0}, removal = {0};
    enum err_code rc;

    buf_text(&insert, "INSERT INTO ");
    buf_sql_name(&insert, str_of(table));
    buf_text(&insert, " DEFAULT VALUES");
    buf_text(&removal, "DELETE FROM ");
    buf_sql_name(&removal, str_of(table));
    buf_text(&update, "UPDATE ");
    buf_sql_name(&update, str_of(table));
    rc = add_assignments(b, table, &update);
    rc = rc ? rc : try_one(b, buf_cstr(&insert));
    rc = rc ? rc : try_one(b, buf_cstr(&update));
    rc = rc ? rc : try_one(b, buf_cstr(&removal));
    buf_fini(&insert);
    buf_fini(&update);
    buf_fini(&removal);
    return rc;
}

static enum err_code try_phase(struct bounding *b, const struct json *phase)
{
    const struct phased *phased = b->m->folder.at[b->scratch->next].phased;
    bool triggers = false;
    enum err_code rc = ERR_OK;

    b->phase = json_get_text(phase, "phase", "");
    b->number = 0;
    for (const struct json *one = json_first(json_get(phase, "statements"));
         rc == ERR_OK && one != NULL; one = json_next(one)) {
        const char *sql = json_text(one);
        struct err why = {0};
        b->number++;
        triggers = triggers || strncmp(sql, "CREATE TRIGGER", 14) == 0;
        rc = database_check(b->m->db, sql, &why);
        rc = rc == ERR_INVALID || rc == ERR_LIMIT ? refuse(b, sql, why.msg) : try_one(b, sql);
    }
    if (rc == ERR_OK && triggers && phased != NULL) {
        rc = try_writes(b, phased->table);
        rc = rc || phased->rename_to == NULL ? rc : try_writes(b, phased->rename_to);
    }
    return rc;
}

enum err_code plan_check_bounds(const struct migrate *m, size_t index, const struct json *entry,
                                struct scratch *scratch, struct err *err)
{
    struct bounding b = {
        .m = m, .scratch = scratch, .migration = json_get_text(entry, "name", ""), .err = err};
    enum err_code rc = database_probe(m->db, &b.capabilities, err);

    rc = rc ? rc : scratch_reach(scratch, m, index, err);
    for (const struct json *phase = json_first(json_get(entry, "phases"));
         rc == ERR_OK && phase != NULL; phase = json_next(phase)) {
        rc = try_phase(&b, phase);
    }
    if (rc == ERR_OK && m->folder.at[index].phased == NULL) {
        scratch->next = index + 1; /* what it does to the schema has just been done */
    } else {
        scratch_fini(scratch); /* it stands somewhere in the middle: the next one begins anew */
    }
    return rc;
}
