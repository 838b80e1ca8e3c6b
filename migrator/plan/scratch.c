#include "migrator/plan/scratch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "database/sql_scan.h"
#include "migrator/arrow/arrows.h"
#include "migrator/change/aside.h"

static enum err_code run_one(struct database *db, const char *sql, struct err *err)
{
    struct database_statement statement = {sql, NULL, 0};

    return database_batch(
        db, &(struct database_batch){.statements = &statement, .statement_count = 1}, NULL, err);
}

/* ---- the copy ---- */

/* An object that this SQLite cannot make again (a collation, a module of the application) is left
 * out. Virtual tables come first: they make their shadow tables themselves. */
static enum err_code copy_schema(struct scratch *scratch, struct database *from, struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        from,
        "SELECT sql, name FROM sqlite_master AS o WHERE sql IS NOT NULL AND substr(name, 1, 7) <> "
        "'sqlite_' AND substr(name, 1, 4) <> '_cf_' AND NOT (type = 'table' AND EXISTS (SELECT 1 "
        "FROM sqlite_master AS v WHERE "
        "v.sql LIKE 'CREATE VIRTUAL%' AND v.name <> o.name AND substr(o.name, 1, length(v.name) + "
        "1) = v.name || '_')) ORDER BY sql NOT LIKE 'CREATE VIRTUAL%', type <> 'table', type <> "
        "'index', type <> 'view', rowid",
        NULL, 0, &rows, err);

    if (rc) {
        return rc;
    }
    scratch->whole = true;
    for (size_t i = 0; i < database_rows_count(rows); i++) {
        struct err why = {0};
        if (run_one(scratch->m.db, database_rows_text(rows, i, 0), &why) != ERR_OK) {
            scratch->whole = false;
        }
    }
    database_rows_free(rows);
    return ERR_OK;
}

/* What expand remembered of tables: a change that is under way is read with it. */
static enum err_code copy_journal(struct scratch *scratch, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < scratch->m.folder.count; i++) {
        const struct journal_row *row = session_row(&scratch->m, i);
        struct buf sql = {0};
        if (row == NULL || row->detail == NULL || row->ledger_only) {
            continue;
        }
        buf_text(&sql, "INSERT INTO lockstep_journal(migration, kind, state, checksum, since, "
                       "detail) VALUES(");
        buf_sql_text(&sql, str_of(row->migration));
        buf_text(&sql, ", 'phased', ");
        buf_sql_text(&sql, str_of(mig_state_name(row->state)));
        buf_text(&sql, ", '', 0, ");
        buf_sql_text(&sql, str_of(row->detail));
        buf_char(&sql, ')');
        rc = buf_failed(&sql) ? err_set(err, ERR_NOMEM, "out of memory")
                              : run_one(scratch->m.db, buf_cstr(&sql), err);
        buf_fini(&sql);
    }
    return rc;
}

static enum err_code make(struct scratch *scratch, const struct migrate *m, struct err *err)
{
    const struct database_capabilities *capabilities = NULL;
    struct database *db = NULL;
    enum err_code rc = database_probe(m->db, &capabilities, err);

    rc = rc ? rc : database_open("sqlite::memory:", NULL, &db, err);
    if (rc) {
        return rc;
    }
    database_pretend(db, capabilities);
    scratch->m = *m;
    scratch->m.db = db;
    rc = copy_schema(scratch, m->db, err);
    return rc ? rc : copy_journal(scratch, err);
}

/* ---- playing ---- */

static bool changes_schema(struct str statement)
{
    struct sql_scan scan = sql_scan_start(statement);
    struct sql_token token;

    return sql_scan_next(&scan, &token) &&
           (sql_token_is(&token, "CREATE") || sql_token_is(&token, "ALTER") ||
            sql_token_is(&token, "DROP"));
}

static enum err_code play_plain(struct scratch *scratch, const struct migration *migration,
                                struct err *err)
{
    struct str *pieces = NULL;
    size_t count = 0;
    enum err_code rc = database_split(migration->up, &pieces, &count, err);

    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        char *sql;
        if (!changes_schema(pieces[i])) {
            continue;
        }
        sql = strndup(pieces[i].at, pieces[i].len);
        rc = sql != NULL ? run_one(scratch->m.db, sql, err)
                         : err_set(err, ERR_NOMEM, "out of memory");
        free(sql);
        if (rc) {
            err_wrap(err, "%.100s: statement %zu of %zu", migration->name, i + 1, count);
        }
    }
    free(pieces);
    return rc;
}

/* One arrow's statements without its guards: those ask for a journal and for verified rows. */
static enum err_code play_arrow(struct scratch *scratch, size_t index, enum mig_state from,
                                enum mig_state to, struct err *err)
{
    struct arena arena = {0};
    struct change change;
    struct work work = {0};
    enum err_code rc = change_read(scratch->m.db, &scratch->m.folder.at[index], from != MIG_PENDING,
                                   from >= MIG_CONTRACTED, &arena, &change, err);

    rc = rc ? rc : arrow_build(&scratch->m, index, &change, from, to, &work, err);
    if (rc == ERR_OK && work.failed) {
        rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    rc = rc ? rc : aside_around(scratch->m.db, &work, err);
    if (rc == ERR_OK) {
        rc = database_maintenance(scratch->m.db,
                                  &(struct database_maintenance){
                                      .writable_schema = work.edits_schema,
                                      .statements = work.statements,
                                      .statement_count = work.count,
                                      .checks = work.checks,
                                  },
                                  err);
    }
    work_fini(&work);
    arena_fini(&arena);
    return rc;
}

/* To the end: what comes later on the same table waits until this one is purged. */
static enum err_code play_phased(struct scratch *scratch, size_t index, struct err *err)
{
    enum mig_state state = session_state(&scratch->m, index);
    enum err_code rc = ERR_OK;

    if (state == MIG_PENDING) {
        return play_arrow(scratch, index, MIG_PENDING, MIG_PURGED, err);
    }
    for (; rc == ERR_OK && state < MIG_PURGED; state = (enum mig_state)(state + 1)) {
        rc = play_arrow(scratch, index, state, (enum mig_state)(state + 1), err);
    }
    return rc;
}

enum err_code scratch_reach(struct scratch *scratch, const struct migrate *m, size_t index,
                            struct err *err)
{
    enum err_code rc = scratch->m.db == NULL ? make(scratch, m, err) : ERR_OK;

    for (; rc == ERR_OK && scratch->next < index; scratch->next++) {
        const struct migration *migration = &m->folder.at[scratch->next];
        enum mig_state state = session_state(m, scratch->next);
        struct err why = {0};
        enum err_code played = ERR_OK;

        if (migration->phased != NULL && state < MIG_PURGED) {
            played = play_phased(scratch, scratch->next, &why);
        } else if (migration->phased == NULL && state == MIG_PENDING) {
            played = play_plain(scratch, migration, &why);
        }
        if (played == ERR_NOMEM || (played != ERR_OK && migration->phased == NULL &&
                                    scratch->whole && scratch->why[0] == '\0')) {
            if (err != NULL) {
                *err = why;
            }
            rc = played;
        } else if (played != ERR_OK && scratch->why[0] == '\0') {
            (void)snprintf(scratch->why, sizeof scratch->why, "%s%s%.150s",
                           migration->phased != NULL ? migration->name : "",
                           migration->phased != NULL ? ": " : "", why.msg);
        }
    }
    return rc;
}

void scratch_fini(struct scratch *scratch)
{
    database_close(scratch->m.db);
    *scratch = (struct scratch){0};
}
