/*
 * Capabilities, found by trying on scratch objects. What ALTER TABLE can do depends on the library
 * alone, so it is tried in memory: in a file it would read the whole schema under the write lock.
 */
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "database/sqlite_handle.h"

/* DROP COLUMN before this version "could corrupt the database file" (sqlite.org/changes.html,
 * 3.35.5): the one thing that trying cannot find. */
#define DROP_COLUMN_SOUND 3035005

static bool works(sqlite3 *sqlite, const char *sql)
{
    return sqlite3_exec(sqlite, sql, NULL, NULL, NULL) == SQLITE_OK;
}

static enum err_code try_forms(struct database_capabilities *out, struct err *err)
{
    sqlite3 *memory = NULL;
    enum err_code rc = ERR_OK;

    if (sqlite3_open_v2(":memory:", &memory,
                        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                        NULL) != SQLITE_OK ||
        !works(memory, "CREATE TABLE lockstep_probe(a INTEGER, b TEXT NOT NULL, c TEXT)")) {
        rc = memory != NULL ? sqlite_error(memory, "a database in memory", err)
                            : err_set(err, ERR_NOMEM, "out of memory");
    } else {
        out->rename_column = works(memory, "ALTER TABLE lockstep_probe RENAME COLUMN a TO d");
        out->drop_column = works(memory, "ALTER TABLE lockstep_probe DROP COLUMN c") &&
                           sqlite3_libversion_number() >= DROP_COLUMN_SOUND;
        out->alter_drop_not_null =
            works(memory, "ALTER TABLE lockstep_probe ALTER COLUMN b DROP NOT NULL");
        out->alter_set_not_null =
            out->alter_drop_not_null &&
            works(memory, "ALTER TABLE lockstep_probe ALTER COLUMN b SET NOT NULL");
    }
    (void)sqlite3_close(memory);
    return rc;
}

/* Without a write-ahead log a reader's lock keeps a writer from its COMMIT. */
static bool readers_block(struct sqlite_handle *handle)
{
    sqlite3_stmt *stmt = NULL;
    bool wal =
        sqlite3_prepare_v2(handle->sqlite, "PRAGMA journal_mode", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW &&
        strcmp((const char *)sqlite3_column_text(stmt, 0), "wal") == 0;

    sqlite3_finalize(stmt);
    return !wal;
}

/* Which bound of ours is which of SQLite's. Texts and rows are bound by one number there. */
static const struct {
    size_t offset;
    int limit;
} limits[] = {
#define LIMIT(field, limit)                                                                        \
    {                                                                                              \
        offsetof(struct database_bounds, field), SQLITE_LIMIT_##limit                              \
    }
    LIMIT(params, VARIABLE_NUMBER),
    LIMIT(statement_bytes, SQL_LENGTH),
    LIMIT(columns, COLUMN),
    LIMIT(value_bytes, LENGTH),
    LIMIT(expression_depth, EXPR_DEPTH),
    LIMIT(compound_select, COMPOUND_SELECT),
    LIMIT(function_args, FUNCTION_ARG),
    LIMIT(program_ops, VDBE_OP),
    LIMIT(trigger_depth, TRIGGER_DEPTH),
    LIMIT(like_pattern_bytes, LIKE_PATTERN_LENGTH),
#undef LIMIT
};

static struct database_bounds bounds_of(sqlite3 *sqlite)
{
    struct database_bounds out = {0};

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        *(unsigned *)((char *)&out + limits[i].offset) =
            (unsigned)sqlite3_limit(sqlite, limits[i].limit, -1);
    }
    return out;
}

void sqlite_bound(struct database *db, const struct database_bounds *bounds)
{
    struct sqlite_handle *handle = (struct sqlite_handle *)db;

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        unsigned most = *(const unsigned *)((const char *)bounds + limits[i].offset);
        bool own = most == 0 || most > INT_MAX; /* SQLite takes no more than it was built for */
        (void)sqlite3_limit(handle->sqlite, limits[i].limit, own ? INT_MAX : (int)most);
    }
}

enum err_code sqlite_check(struct database *db, const char *sql, struct err *err)
{
    struct sqlite_handle *handle = (struct sqlite_handle *)db;
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(handle->sqlite, sql, -1, &stmt, NULL);

    sqlite3_finalize(stmt);
    return rc == SQLITE_OK ? ERR_OK : sqlite_error(handle->sqlite, NULL, err);
}

enum err_code sqlite_probe(struct database *db, struct database_capabilities *out, struct err *err)
{
    struct sqlite_handle *handle = (struct sqlite_handle *)db;
    const char *path = sqlite3_db_filename(handle->sqlite, "main");
    bool file = path != NULL && *path != '\0';

    *out = (struct database_capabilities){
        .engine = "sqlite",
        .engine_version = sqlite3_libversion_number(),
        .pragmas = works(handle->sqlite, "PRAGMA schema_version"),
        .snapshot = file,
        .maintenance = true,
        .writable_schema = true,
        .own_collations = true,
        .readers_block = readers_block(handle),
        .bounds = bounds_of(handle->sqlite),
    };
    return try_forms(out, err);
}
