#include "tests/database/d1_peer_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/utf8.h"

void d1_peer_need(bool good, const char *what)
{
    if (!good) {
        perror(what);
        abort();
    }
}

/* ---- the engine ---- */

static void unhex(sqlite3_context *context, int count, sqlite3_value **values)
{
    const unsigned char *text = sqlite3_value_text(values[0]);
    size_t len = text != NULL ? strlen((const char *)text) / 2 : 0;
    char *bytes = malloc(len + 1);

    (void)count;
    d1_peer_need(bytes != NULL, "malloc");
    for (size_t i = 0; i < len; i++) {
        unsigned byte = 0;
        d1_peer_need(sscanf((const char *)text + 2 * i, "%2x", &byte) == 1, "unhex");
        bytes[i] = (char)byte;
    }
    sqlite3_result_blob64(context, bytes, len, free);
}

static bool own_work, settings_denied;

/* What workerd's authorizer refuses. */
static int authorize(void *ctx, int action, const char *a, const char *b, const char *c,
                     const char *d)
{
    static const char *const allowed[] = {"table_list",          "table_info",
                                          "table_xinfo",         "foreign_key_list",
                                          "index_info",          "index_list",
                                          "index_xinfo",         "foreign_key_check",
                                          "quick_check",         "optimize",
                                          "data_version",        "foreign_keys",
                                          "defer_foreign_keys",  "recursive_triggers",
                                          "legacy_alter_table",  "ignore_check_constraints",
                                          "case_sensitive_like", "reverse_unordered_selects"};

    (void)ctx, (void)c, (void)d;
    if (own_work) {
        return SQLITE_OK;
    }
    switch (action) {
    case SQLITE_READ: return strncmp(a, "_cf_", 4) == 0 ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_VIEW:
    case SQLITE_CREATE_TEMP_INDEX: return SQLITE_DENY;
    case SQLITE_PRAGMA:
        if (b != NULL && strncmp(b, "_cf_", 4) == 0) {
            return SQLITE_DENY;
        }
        if (settings_denied && strcasecmp(a, "legacy_alter_table") == 0) {
            return SQLITE_DENY;
        }
        for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
            if (strcasecmp(a, allowed[i]) == 0) {
                return SQLITE_OK;
            }
        }
        return SQLITE_DENY;
    default: return SQLITE_OK;
    }
}

void d1_peer_open(struct d1_peer *peer)
{
    d1_peer_need(sqlite3_open(":memory:", &peer->db) == SQLITE_OK, "sqlite3_open");
    d1_peer_need(sqlite3_exec(peer->db,
                              "PRAGMA foreign_keys = ON; CREATE TABLE _cf_METADATA(key, value)",
                              NULL, NULL, NULL) == SQLITE_OK,
                 "foreign_keys");
    sqlite3_limit(peer->db, SQLITE_LIMIT_SQL_LENGTH, 100000);
    sqlite3_limit(peer->db, SQLITE_LIMIT_COLUMN, 100);
    sqlite3_limit(peer->db, SQLITE_LIMIT_EXPR_DEPTH, 100);
    sqlite3_limit(peer->db, SQLITE_LIMIT_COMPOUND_SELECT, 5);
    sqlite3_limit(peer->db, SQLITE_LIMIT_VARIABLE_NUMBER, 100);
    sqlite3_limit(peer->db, SQLITE_LIMIT_TRIGGER_DEPTH, 10);
    d1_peer_need(sqlite3_create_function(peer->db, "unhex", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC,
                                         NULL, unhex, NULL, NULL) == SQLITE_OK,
                 "unhex");
    d1_peer_need(sqlite3_set_authorizer(peer->db, authorize, NULL) == SQLITE_OK, "authorizer");
}

void d1_peer_own(struct d1_peer *peer, const char *sql)
{
    own_work = true;
    d1_peer_need(sqlite3_exec(peer->db, sql, NULL, NULL, NULL) == SQLITE_OK, sql);
    own_work = false;
}

void d1_peer_text(struct buf *out, const char *at, size_t len)
{
    struct buf whole = {0};
    char *quoted;

    for (size_t i = 0; i < len;) {
        size_t piece = utf8_sequence(at + i, len - i);
        if (piece == 1 && at[i] == '\0') {
            buf_text(&whole, "(NUL)"); /* a driver must not depend on it */
        } else if (piece > 0) {
            buf_add(&whole, at + i, piece);
        } else {
            buf_text(&whole, "\xef\xbf\xbd");
            piece = 1;
        }
        i += piece;
    }
    quoted = json_quote(buf_cstr(&whole), whole.len);
    d1_peer_need(quoted != NULL, "json_quote");
    buf_text(out, quoted);
    free(quoted);
    buf_fini(&whole);
}

static void add_column(sqlite3_stmt *stmt, int i, struct buf *out)
{
    const unsigned char *blob = sqlite3_column_blob(stmt, i);

    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
    case SQLITE_FLOAT: buf_print(out, "%.17g", sqlite3_column_double(stmt, i)); break;
    case SQLITE_TEXT:
        d1_peer_text(out, (const char *)sqlite3_column_text(stmt, i),
                     (size_t)sqlite3_column_bytes(stmt, i));
        break;
    case SQLITE_BLOB:
        buf_char(out, '[');
        for (int k = 0; k < sqlite3_column_bytes(stmt, i); k++) {
            buf_print(out, "%s%d", k > 0 ? "," : "", blob[k]);
        }
        buf_char(out, ']');
        break;
    default: buf_text(out, "null");
    }
}

static const char *bind_params(sqlite3_stmt *stmt, const struct json *params)
{
    int i = 0;

    if (sqlite3_bind_parameter_count(stmt) != (int)json_count(params)) {
        return "Wrong number of parameter bindings for SQL query.";
    }
    for (const struct json *value = json_first(params); value != NULL; value = json_next(value)) {
        i++;
        if (json_kind(value) == JSON_NUMBER) {
            d1_peer_need(sqlite3_bind_double(stmt, i, json_number(value, 0)) == SQLITE_OK, "bind");
        } else if (json_kind(value) == JSON_STRING) {
            d1_peer_need(sqlite3_bind_text(stmt, i, json_text(value), -1, SQLITE_TRANSIENT) ==
                             SQLITE_OK,
                         "bind");
        }
    }
    return NULL;
}

/* duration has the way within the service, timings what the engine took. */
static void add_meta(struct d1_peer *peer, int changes, struct buf *out)
{
    double ms = 0.25 + changes * peer->ms_per_row;

    peer->call_ms += ms;
    buf_print(out,
              "]},\"success\":true,\"meta\":{\"duration\":%.3f,\"rows_written\":%d,"
              "\"timings\":{\"sql_duration_ms\":%.3f}}}",
              ms + 7, changes * (peer->weight > 0 ? peer->weight : 1), ms);
}

/* ALTER TABLE t ALTER COLUMN c DROP|SET NOT NULL of SQLite 3.53, as an edit of the text. */
static bool plays_alter(struct d1_peer *peer, const char *sql)
{
    char table[64], column[64], what[8], find[160], with[160];
    sqlite3_stmt *stmt = NULL;
    bool done = false, drop;

    if (sscanf(sql, "ALTER TABLE %63s ALTER COLUMN %63s %7s NOT NULL", table, column, what) != 3) {
        return false;
    }
    drop = strcmp(what, "DROP") == 0;
    if (column[0] == '"') {
        memmove(column, column + 1, strlen(column));
        column[strlen(column) - 1] = '\0';
    }
    (void)snprintf(find, sizeof find, drop ? "%s TEXT NOT NULL" : "%s TEXT", column);
    (void)snprintf(with, sizeof with, drop ? "%s TEXT" : "%s TEXT NOT NULL", column);
    own_work = true;
    sqlite3_db_config(peer->db, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
    d1_peer_own(peer, "PRAGMA writable_schema = ON");
    own_work = true;
    d1_peer_need(
        sqlite3_prepare_v2(peer->db,
                           "UPDATE sqlite_master SET sql = replace(sql, ?2, ?3) WHERE type = "
                           "'table' AND name = trim(?1, '\"') AND instr(sql, ?2) > 0",
                           -1, &stmt, NULL) == SQLITE_OK,
        sqlite3_errmsg(peer->db));
    sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 2, find, -1, SQLITE_STATIC);
    sqlite3_bind_text(stmt, 3, with, -1, SQLITE_STATIC);
    d1_peer_need(sqlite3_step(stmt) == SQLITE_DONE, "ALTER COLUMN");
    done = sqlite3_changes(peer->db) == 1;
    sqlite3_finalize(stmt);
    d1_peer_own(peer, "PRAGMA writable_schema = RESET");
    return done;
}

/* One statement; false with the message in *said. */
static bool run_one(struct d1_peer *peer, const char *sql, const struct json *params,
                    struct buf *out, struct buf *said)
{
    sqlite3_stmt *stmt = NULL;
    const char *tail = NULL, *wrong;
    int rc, columns, rows = 0, before = sqlite3_total_changes(peer->db);

    if (peer->alters && plays_alter(peer, sql)) {
        add_meta(peer, 0, (buf_text(out, "{\"results\":{\"columns\":[],\"rows\":["), out));
        return true;
    }
    if (sqlite3_prepare_v2(peer->db, sql, -1, &stmt, &tail) != SQLITE_OK) {
        buf_print(said, "%s: SQLITE_ERROR", sqlite3_errmsg(peer->db));
        return false;
    }
    if (stmt == NULL) {
        buf_text(said, "No SQL statements detected.");
        return false;
    }
    peer->sent += sqlite3_stmt_readonly(stmt) == 0;
    wrong = bind_params(stmt, params);
    if (tail != NULL && *tail != '\0') {
        wrong = "params with multiple statements is not supported";
    }
    if (wrong != NULL) {
        buf_text(said, wrong);
        sqlite3_finalize(stmt);
        return false;
    }
    columns = sqlite3_column_count(stmt);
    buf_text(out, "{\"results\":{\"columns\":[");
    for (int i = 0; i < columns; i++) {
        buf_text(out, i > 0 ? "," : "");
        d1_peer_text(out, sqlite3_column_name(stmt, i), strlen(sqlite3_column_name(stmt, i)));
    }
    buf_text(out, "],\"rows\":[");
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        buf_text(out, rows++ > 0 ? ",[" : "[");
        for (int i = 0; i < columns; i++) {
            buf_text(out, i > 0 ? "," : "");
            add_column(stmt, i, out);
        }
        buf_char(out, ']');
    }
    add_meta(peer, sqlite3_total_changes(peer->db) - before, out);
    if (rc != SQLITE_DONE) {
        buf_print(said, "%s: %s", sqlite3_errmsg(peer->db),
                  (rc & 0xff) == SQLITE_CONSTRAINT ? "SQLITE_CONSTRAINT" : "SQLITE_ERROR");
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE;
}

/* A trigger whose text was cut up on its way. */
static char *with_cut_trigger(const char *sql)
{
    static const char from[] = "SELECT 2;", to[] = "";
    const char *at = strstr(sql, from);
    struct buf out = {0};

    buf_add(&out, sql, at != NULL ? (size_t)(at - sql) : strlen(sql));
    buf_text(&out, at != NULL ? to : "");
    buf_text(&out, at != NULL ? at + strlen(from) : "");
    return buf_take(&out);
}

bool d1_peer_batch(struct d1_peer *peer, const struct json *body, struct buf *out, struct buf *said)
{
    const struct json *item =
        json_get(body, "batch") != NULL ? json_first(json_get(body, "batch")) : body;
    bool good = true, first = true;
    unsigned sent = peer->sent;

    peer->call_ms = 0;
    d1_peer_own(peer, "BEGIN");
    while (good && item != NULL) {
        const char *sql = json_get_text(item, "sql", "");
        char *cut = peer->split_trigger ? with_cut_trigger(sql) : strdup(sql);
        buf_text(out, first ? "" : ",");
        good = run_one(peer, cut, json_get(item, "params"), out, said);
        free(cut);
        first = false;
        item = item != body ? json_next(item) : NULL;
    }
    if (peer->call_ms_max > 0 && peer->call_ms > peer->call_ms_max) {
        buf_clear(said);
        buf_text(said, "D1 DB storage operation exceeded timeout which caused object to be reset.");
        good = false;
    } else if (peer->call_ms > peer->longest_ms) {
        peer->longest_ms = peer->call_ms;
    }
    own_work = true;
    if (good && sqlite3_exec(peer->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        buf_print(said, "%s: SQLITE_CONSTRAINT", sqlite3_errmsg(peer->db));
        good = false;
    }
    if (!good && sqlite3_get_autocommit(peer->db) == 0) {
        d1_peer_own(peer, "ROLLBACK");
    }
    peer->sent = good ? peer->sent : sent;
    own_work = false;
    return good;
}

bool d1_peer_script(struct d1_peer *peer, const char *sql, struct buf *said)
{
    char *why = NULL;
    bool good;

    d1_peer_own(peer, "BEGIN");
    good = sqlite3_exec(peer->db, sql, NULL, NULL, &why) == SQLITE_OK;
    own_work = true;
    good = good && sqlite3_exec(peer->db, "COMMIT", NULL, NULL, &why) == SQLITE_OK;
    own_work = false;
    if (!good) {
        buf_print(said, "%s: SQLITE_ERROR", why != NULL ? why : "");
        if (sqlite3_get_autocommit(peer->db) == 0) {
            d1_peer_own(peer, "ROLLBACK");
        }
    }
    sqlite3_free(why);
    return good;
}

/* Nobody's request may leave a setting behind that the next one's statements would meet. */
void d1_peer_check_settings(struct d1_peer *peer)
{
    static const char sql[] =
        "SELECT (SELECT legacy_alter_table FROM pragma_legacy_alter_table) || (SELECT "
        "ignore_check_constraints FROM pragma_ignore_check_constraints) || (SELECT "
        "recursive_triggers FROM pragma_recursive_triggers) || (SELECT reverse_unordered_selects "
        "FROM pragma_reverse_unordered_selects) || (SELECT foreign_keys FROM pragma_foreign_keys)";
    sqlite3_stmt *stmt = NULL;

    own_work = true;
    d1_peer_need(sqlite3_prepare_v2(peer->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
                     sqlite3_step(stmt) == SQLITE_ROW,
                 sqlite3_errmsg(peer->db));
    d1_peer_need(peer->settings || strcmp((const char *)sqlite3_column_text(stmt, 0), "00001") == 0,
                 "a setting was left changed");
    sqlite3_finalize(stmt);
    own_work = false;
}

/* ---- Time Travel ---- */

void d1_peer_forget_past(struct d1_peer *peer)
{
    while (peer->past_count > 0) {
        sqlite3_free(peer->past[--peer->past_count].bytes);
    }
}

size_t d1_peer_mark_past(struct d1_peer *peer)
{
    size_t i = peer->past_count;

    d1_peer_need(i < PAST_MAX, "too many bookmarks");
    own_work = true;
    peer->past[i].bytes = sqlite3_serialize(peer->db, "main", &peer->past[i].len, 0);
    own_work = false;
    d1_peer_need(peer->past[i].bytes != NULL, "sqlite3_serialize");
    return peer->past_count++;
}

void d1_peer_travel_to(struct d1_peer *peer, size_t i)
{
    unsigned char *copy = sqlite3_malloc64((sqlite3_uint64)peer->past[i].len);

    d1_peer_need(copy != NULL, "sqlite3_malloc64");
    memcpy(copy, peer->past[i].bytes, (size_t)peer->past[i].len);
    d1_peer_need(sqlite3_close(peer->db) == SQLITE_OK, "sqlite3_close");
    d1_peer_open(peer);
    own_work = true;
    d1_peer_need(sqlite3_deserialize(peer->db, "main", copy, peer->past[i].len, peer->past[i].len,
                                     SQLITE_DESERIALIZE_FREEONCLOSE |
                                         SQLITE_DESERIALIZE_RESIZEABLE) == SQLITE_OK,
                 "sqlite3_deserialize");
    own_work = false;
}

void d1_peer_hide_settings(struct d1_peer *peer, bool hide)
{
    pthread_mutex_lock(&peer->lock);
    settings_denied = hide;
    pthread_mutex_unlock(&peer->lock);
}
