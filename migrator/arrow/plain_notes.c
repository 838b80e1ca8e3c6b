/*
 * What plain SQL does besides what it says: rows of other tables that go along with deleted ones.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "database/sql_scan.h"
#include "migrator/arrow/plain.h"
#include "migrator/sql/head_text.h"

/* The table that a statement deletes rows from, as written: DELETE FROM t, REPLACE INTO t, INSERT OR
 * REPLACE INTO t, UPDATE OR REPLACE t; behind a WITH too. len 0: none. */
static struct str deletes_from(struct str statement)
{
    struct sql_scan scan = sql_scan_start(statement);
    struct sql_token token, before = {0}, before_that = {0};
    bool named = false;

    while (sql_scan_next(&scan, &token)) {
        if (named && !sql_token_is(&token, "INTO")) {
            return token.text;
        }
        named = named || (sql_token_is(&before, "DELETE") && sql_token_is(&token, "FROM")) ||
                (sql_token_is(&token, "REPLACE") &&
                 (before.text.at == NULL || sql_token_is(&before, "OR") ||
                  sql_token_punct(&before, ')'))) ||
                (sql_token_is(&before_that, "UPDATE") && sql_token_is(&before, "OR") &&
                 sql_token_is(&token, "REPLACE"));
        before_that = before;
        before = token;
    }
    return (struct str){0};
}

static enum err_code count_rows(struct database *db, const char *table, const char *column,
                                int64_t *out, struct err *err)
{
    struct database_rows *rows = NULL;
    struct buf sql = {0};
    enum err_code rc;

    buf_text(&sql, "SELECT count(");
    buf_sql_name(&sql, str_of(column));
    buf_text(&sql, ") FROM ");
    buf_sql_name(&sql, str_of(table));
    rc = database_query(db, buf_cstr(&sql), NULL, 0, &rows, err);
    buf_fini(&sql);
    if (rc == ERR_OK) {
        *out = database_rows_int(rows, 0, 0, 0);
        database_rows_free(rows);
    }
    return rc;
}

static enum err_code note_children(struct database *db, const char *parent, size_t number,
                                   struct json *notes, struct err *err)
{
    struct database_value param = database_text(parent);
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        db,
        "SELECT m.name, f.\"from\", f.on_delete FROM sqlite_master AS m, "
        "pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table' AND substr(m.name, 1, 4) <> "
        "'_cf_' AND lower(f.\"table\") = "
        "lower(?1) AND f.on_delete IN ('CASCADE', 'SET NULL', 'SET DEFAULT') AND f.seq = 0 ORDER "
        "BY "
        "m.name",
        &param, 1, &rows, err);

    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        const char *child = database_rows_text(rows, i, 0);
        struct buf line = {0};
        int64_t count = 0;
        rc = count_rows(db, child, database_rows_text(rows, i, 1), &count, err);
        if (rc == ERR_OK && count > 0) {
            buf_print(&line, /* lint: not SQL */
                      "statement %zu takes rows away from %s, and %s has %lld rows that refer to "
                      "it (ON DELETE %s)",
                      number, parent, child, (long long)count, database_rows_text(rows, i, 2));
            (void)json_append(notes, json_string(buf_cstr(&line)));
            buf_fini(&line);
        }
    }
    database_rows_free(rows);
    return rc;
}

enum err_code plain_notes(struct database *db, struct str sql, struct json *notes, struct err *err)
{
    struct arena arena = {0};
    struct str *pieces = NULL;
    size_t count = 0;
    enum err_code rc = database_split(sql, &pieces, &count, err);

    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        struct sql_scan scan = sql_scan_start(pieces[i]);
        struct sql_token first;
        struct str table = deletes_from(pieces[i]);
        const char *parent;
        if (table.len == 0 || !sql_scan_next(&scan, &first) || sql_token_is(&first, "CREATE")) {
            continue; /* a trigger's body does nothing yet */
        }
        parent = head_text_plain(table, &arena);
        rc = parent != NULL ? note_children(db, parent, i + 1, notes, err)
                            : err_set(err, ERR_NOMEM, "out of memory");
    }
    free(pieces);
    arena_fini(&arena);
    return rc;
}
