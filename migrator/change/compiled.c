#include "migrator/change/compiled.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"

static void begin(struct buf *sql, const char *verb, const char *table)
{
    /* Compiles all of it, and runs nothing; the comment is for who reads the error. */
    buf_text(sql, "EXPLAIN QUERY PLAN /* the application's */ ");
    buf_text(sql, verb);
    buf_sql_name(sql, str_of(table));
}

static bool is_in(const char *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasecmp(name, list[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Every column that keeps its name: what a trigger does for the others alone, it names. */
static void write_update(struct database *db, const char *table, const char *const *except,
                         size_t except_count, struct buf *sql)
{
    struct database_value param = database_text(table);
    struct database_rows *rows = NULL;
    struct err unreadable = {0};
    const char *comma = " SET ";

    begin(sql, "UPDATE ", table);
    if (database_query(db, "SELECT name FROM pragma_table_info(?1)", &param, 1, &rows,
                       &unreadable) != ERR_OK) {
        return; /* of a view that is broken: the check fails, too */
    }
    for (size_t i = 0; i < database_rows_count(rows); i++) {
        const char *column = database_rows_text(rows, i, 0);
        if (!is_in(except, except_count, column)) {
            buf_text(sql, comma);
            buf_sql_name(sql, str_of(column));
            buf_text(sql, " = NULL");
            comma = ", ";
        }
    }
    database_rows_free(rows);
}

/* The first of the three, which are no names unless they are quoted. */
struct sql_token compiled_event(const char *sql, struct sql_scan *scan)
{
    struct sql_token token = {0};

    *scan = sql_scan_start(str_of(sql));
    while (sql_scan_next(scan, &token)) {
        if (sql_token_is(&token, "INSERT") || sql_token_is(&token, "DELETE") ||
            sql_token_is(&token, "UPDATE")) {
            break;
        }
    }
    return token;
}

const char *compiled_check(struct database *db, const char *type, const char *name,
                           const char *table, const char *sql, const char *const *except,
                           size_t except_count, struct arena *arena)
{
    struct sql_scan scan;
    struct sql_token event = compiled_event(sql, &scan);
    struct buf check = {0};
    const char *out;

    if (strcmp(type, "view") == 0) {
        begin(&check, "SELECT * FROM ", name);
    } else if (sql_token_is(&event, "INSERT")) {
        begin(&check, "INSERT INTO ", table);
        buf_text(&check, " DEFAULT VALUES");
    } else if (sql_token_is(&event, "DELETE")) {
        begin(&check, "DELETE FROM ", table);
    } else {
        write_update(db, table, except, except_count, &check);
    }
    out = buf_failed(&check) ? NULL : arena_text(arena, buf_cstr(&check), check.len);
    buf_fini(&check);
    return out;
}
