/*
 * Cloudflare D1 over its REST API. A database is named d1://ACCOUNT/DATABASE, the latter by its id
 * or its name.
 *
 * One request is one transaction: a batch goes out as one array of statements. Each batch also
 * counts itself in lockstep_session, so that a request whose answer was lost can be sent again: if
 * it had been carried out, its own count refuses the second one.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "database/d1_call.h"
#include "database/d1_probe.h"
#include "database/d1_rules.h"
#include "database/d1_travel.h"
#include "database/d1_wire.h"
#include "database/sql_scan.h"

#define D1_API "https://api.cloudflare.com/client/v4"
#define KNOWN_QUERIES 128u
#define SESSION_BYTES 33
/* The service's clock, not ours. */
#define NOW_MS "CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)"
#define SESSION_DAYS_MS "604800000"

struct known_query { /* what columns a query has */
    char *sql;
    char **names;
    size_t count;
};

struct d1 {
    struct database db; /* first: the dispatcher sees this */
    struct d1_call call;
    char *id;   /* of the database */
    char *path; /* "/ID/raw" */
    bool read_only, prepared;
    char session[SESSION_BYTES];
    int64_t number; /* of the last batch that was carried out */
    struct known_query known[KNOWN_QUERIES];
    size_t known_count;
};

static struct d1 *d1_of(struct database *db)
{
    return (struct d1 *)db;
}

/* ---- open ---- */

static char *join(const char *a, const char *b, const char *c)
{
    struct buf text = {0};

    buf_text(&text, a);
    buf_text(&text, b);
    buf_text(&text, c);
    return buf_take(&text);
}

static void forget_queries(struct d1 *d1)
{
    for (size_t i = 0; i < d1->known_count; i++) {
        for (size_t k = 0; k < d1->known[i].count; k++) {
            free(d1->known[i].names[k]);
        }
        free(d1->known[i].names);
        free(d1->known[i].sql);
    }
    d1->known_count = 0;
}

static void d1_close(struct database *db)
{
    struct d1 *d1 = d1_of(db);

    forget_queries(d1);
    fetch_free(d1->call.fetch);
    free(d1->call.base);
    free(d1->call.token);
    free(d1->id);
    free(d1->path);
    free(d1);
}

static bool is_id(const char *text)
{
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i])) {
            return false;
        }
    }
    return text[36] == '\0';
}

/* A database that is named by its name: the API's list knows the id. */
static enum err_code find_by_name(struct d1 *d1, const char *name, struct err *err)
{
    char *escaped = fetch_url_escape(name);
    char *path = escaped != NULL ? join("?name=", escaped, "&per_page=100") : NULL;
    struct json *reply = NULL;
    enum err_code rc = path != NULL ? d1_call_again(&d1->call, "GET", path, NULL, &reply, err)
                                    : err_set(err, ERR_NOMEM, "out of memory");

    free(escaped);
    free(path);
    if (rc) {
        return rc;
    }
    for (const struct json *one = json_first(json_get(reply, "result")); one != NULL;
         one = json_next(one)) {
        if (strcmp(json_get_text(one, "name", ""), name) == 0) {
            d1->id = strdup(json_get_text(one, "uuid", ""));
        }
    }
    json_free(reply);
    return d1->id != NULL ? ERR_OK
                          : err_set(err, ERR_NOT_FOUND,
                                    "this account has no D1 database '%.80s'; `wrangler d1 list` "
                                    "shows what it has",
                                    name);
}

/* It is there, and the token may see it. */
static enum err_code greet(struct d1 *d1, struct err *err)
{
    char *path = join("/", d1->id, "");
    struct json *reply = NULL;
    enum err_code rc = path != NULL ? d1_call_again(&d1->call, "GET", path, NULL, &reply, err)
                                    : err_set(err, ERR_NOMEM, "out of memory");

    free(path);
    json_free(reply);
    return rc;
}

static enum err_code split_name(const char *name, char **account, const char **database,
                                struct err *err)
{
    const char *slash = strncmp(name, "//", 2) == 0 ? strchr(name + 2, '/') : NULL;

    if (slash == NULL || slash == name + 2 || slash[1] == '\0' || strchr(slash + 1, '/') != NULL) {
        return err_set(
            err, ERR_INVALID,
            "d1:%.100s: a D1 database is named d1://ACCOUNT/DATABASE (the account's id, and "
            "the database's id or name)",
            name);
    }
    *account = strndup(name + 2, (size_t)(slash - name - 2));
    *database = slash + 1;
    return *account != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

static enum err_code set_up(struct d1 *d1, const struct database_options *options,
                            const char *account, const char *database, struct err *err)
{
    const char *api = options->api != NULL ? options->api : D1_API;
    size_t api_len = strlen(api);
    struct buf base = {0};
    char *escaped = fetch_url_escape(account);
    enum err_code rc;

    while (api_len > 0 && api[api_len - 1] == '/') {
        api_len--;
    }
    buf_add(&base, api, api_len);
    buf_text(&base, "/accounts/");
    buf_text(&base, escaped != NULL ? escaped : "");
    buf_text(&base, "/d1/database");
    free(escaped);
    d1->call.fetch = fetch_new();
    d1->call.token = strdup(options->token != NULL ? options->token : "");
    d1->call.base = buf_take(&base);
    d1->read_only = options->read_only;
    (void)random_hex((SESSION_BYTES - 1) / 2, d1->session);
    if (d1->call.fetch == NULL || d1->call.token == NULL || d1->call.base == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    if (is_id(database)) {
        d1->id = strdup(database);
        rc = d1->id != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
    } else {
        rc = find_by_name(d1, database, err);
    }
    if (rc == ERR_OK) {
        d1->path = join("/", d1->id, "/raw");
        rc = d1->path != NULL ? greet(d1, err) : err_set(err, ERR_NOMEM, "out of memory");
    }
    return rc;
}

static enum err_code d1_open(const char *name, const struct database_options *options,
                             struct database **out, struct err *err)
{
    struct d1 *d1 = NULL;
    char *account = NULL;
    const char *database = NULL;
    enum err_code rc = split_name(name, &account, &database, err);

    if (rc == ERR_OK && (options->token == NULL || *options->token == '\0')) {
        rc =
            err_set(err, ERR_DENIED,
                    "a D1 database needs an API token: put it into CLOUDFLARE_API_TOKEN, or name a "
                    "file that holds it");
    }
    if (rc == ERR_OK) {
        d1 = calloc(1, sizeof *d1);
        rc = d1 != NULL ? set_up(d1, options, account, database, err)
                        : err_set(err, ERR_NOMEM, "out of memory");
    }
    free(account);
    if (rc) {
        if (d1 != NULL) {
            d1_close(&d1->db);
        }
        return rc;
    }
    *out = &d1->db;
    return ERR_OK;
}

/* ---- queries ---- */

static enum err_code read_once(struct d1 *d1, const char *sql, const struct database_value *params,
                               size_t param_count, struct json **reply, struct err *err)
{
    struct buf body = {0};
    enum err_code rc = d1_wire_item(sql, params, param_count, &body, err);

    rc = rc ? rc : d1_call_again(&d1->call, "POST", d1->path, &body, reply, err);
    buf_fini(&body);
    return rc;
}

static enum err_code learn(struct d1 *d1, const char *sql, const struct json *columns,
                           struct known_query **out, struct err *err)
{
    struct known_query query = {strdup(sql), NULL, json_count(columns)};
    size_t i = 0;
    bool good = query.sql != NULL && query.count > 0;

    query.names = calloc(query.count + 1, sizeof *query.names);
    for (const struct json *name = json_first(columns); query.names != NULL && name != NULL;
         name = json_next(name)) {
        query.names[i] = strdup(json_text(name) != NULL ? json_text(name) : "");
        good = good && query.names[i++] != NULL;
    }
    if (d1->known_count == KNOWN_QUERIES) {
        forget_queries(d1);
    }
    *out = &d1->known[d1->known_count++];
    **out = query;
    if (query.names == NULL || !good) {
        forget_queries(d1);
        return query.count == 0 ? err_set(err, ERR_IO, "D1 named no column of the query")
                                : err_set(err, ERR_NOMEM, "out of memory");
    }
    return ERR_OK;
}

/* A query that gives the columns alone: of a result without rows they are not always told. */
static void write_shape(const char *sql, struct buf *out)
{
    buf_text(out, "SELECT q.* FROM (SELECT 1) LEFT JOIN (SELECT * FROM (");
    buf_text(out, sql);
    buf_text(out, ") LIMIT 0) AS q");
}

static struct known_query *find_known(struct d1 *d1, const char *sql)
{
    for (size_t i = 0; i < d1->known_count; i++) {
        if (strcmp(d1->known[i].sql, sql) == 0) {
            return &d1->known[i];
        }
    }
    return NULL;
}

/* The query's columns, asked for once. */
static enum err_code know(struct d1 *d1, const char *sql, const struct database_value *params,
                          size_t param_count, struct known_query **out, struct err *err)
{
    struct buf shape = {0};
    struct json *reply = NULL;
    const struct json *columns;
    enum err_code rc;

    *out = find_known(d1, sql);
    if (*out != NULL) {
        return ERR_OK;
    }
    write_shape(sql, &shape);
    rc = buf_failed(&shape) ? err_set(err, ERR_NOMEM, "out of memory")
                            : read_once(d1, buf_cstr(&shape), params, param_count, &reply, err);
    buf_fini(&shape);
    if (rc) {
        return rc;
    }
    columns = json_get(json_get(json_first(json_get(reply, "result")), "results"), "columns");
    rc = learn(d1, sql, columns, out, err);
    json_free(reply);
    return rc;
}

static void empty_rows(struct database_rows *rows)
{
    arena_fini(&rows->arena);
    free(rows->values);
    *rows = (struct database_rows){0};
}

static enum err_code query_plain(struct d1 *d1, const char *sql,
                                 const struct database_value *params, size_t param_count,
                                 struct database_rows *rows, struct err *err)
{
    struct json *reply = NULL;
    const struct json *result;
    bool odd = false;
    enum err_code rc = read_once(d1, sql, params, param_count, &reply, err);

    if (rc) {
        return rc;
    }
    result = json_first(json_get(reply, "result"));
    rc = d1_wire_rows(result, NULL, json_count(json_get(json_get(result, "results"), "columns")),
                      false, rows, &odd, err);
    json_free(reply);
    return rc;
}

/* Asks for columns and rows at once, where the query's text tells how many columns there are. *odd: it
 * has to be asked another way. */
static enum err_code query_first(struct d1 *d1, const char *sql,
                                 const struct database_value *params, size_t param_count,
                                 struct database_rows *rows, bool *odd, struct err *err)
{
    struct known_query *query = NULL;
    size_t columns = d1_wire_columns(sql);
    char *wrapped = columns > 0 ? d1_wire_select(sql, columns, false) : NULL;
    struct buf body = {0}, shape = {0};
    struct json *reply = NULL;
    const struct json *first;
    enum err_code rc;

    *odd = true;
    if (wrapped == NULL) {
        return ERR_OK;
    }
    write_shape(sql, &shape);
    buf_text(&body, "{\"batch\":[");
    rc = d1_wire_item(buf_cstr(&shape), params, param_count, &body, err);
    buf_char(&body, ',');
    rc = rc ? rc : d1_wire_item(wrapped, params, param_count, &body, err);
    buf_text(&body, "]}");
    rc = rc ? rc : d1_call_again(&d1->call, "POST", d1->path, &body, &reply, err);
    first = json_first(json_get(reply, "result"));
    rc = rc ? rc : learn(d1, sql, json_get(json_get(first, "results"), "columns"), &query, err);
    if (rc == ERR_OK && query->count == columns) {
        *odd = false;
        rc = d1_wire_rows(json_next(first), (const char *const *)query->names, columns, true, rows,
                          odd, err);
    }
    json_free(reply);
    buf_fini(&shape);
    buf_fini(&body);
    free(wrapped);
    return rc == ERR_INVALID || rc == ERR_LIMIT ? ERR_OK : rc; /* perhaps the guess was wrong */
}

static enum err_code d1_query(struct database *db, const char *sql,
                              const struct database_value *params, size_t param_count,
                              struct database_rows *rows, struct err *err)
{
    struct d1 *d1 = d1_of(db);
    struct known_query *query = NULL;
    bool odd = true;
    enum err_code rc = d1_rules_check(sql, true, err);

    if (rc) {
        return rc;
    }
    if (!d1_wire_wraps(sql)) {
        return query_plain(d1, sql, params, param_count, rows, err);
    }
    if (find_known(d1, sql) == NULL) {
        rc = query_first(d1, sql, params, param_count, rows, &odd, err);
        if (rc || !odd) {
            return rc;
        }
    }
    rc = know(d1, sql, params, param_count, &query, err);
    for (int exact = 0; rc == ERR_OK && odd && exact < 2; exact++) {
        char *wrapped = d1_wire_select(sql, query->count, exact == 1);
        struct json *reply = NULL;
        odd = false;
        empty_rows(rows);
        rc = wrapped != NULL ? read_once(d1, wrapped, params, param_count, &reply, err)
                             : err_set(err, ERR_NOMEM, "out of memory");
        rc = rc ? rc
                : d1_wire_rows(json_first(json_get(reply, "result")),
                               (const char *const *)query->names, query->count, true, rows, &odd,
                               err);
        json_free(reply);
        free(wrapped);
    }
    if (rc && query != NULL) {
        forget_queries(d1); /* the table may have other columns by now */
    }
    return rc;
}

/* ---- batches ---- */

struct outgoing {
    struct d1 *d1;
    const struct database_batch *batch;
    struct buf body;
    size_t items;
    size_t *changes_of; /* by statement: the item that tells its changes, or SIZE_MAX */
    struct err *err;
};

static enum err_code add_item(struct outgoing *out, const char *sql,
                              const struct database_value *params, size_t count)
{
    buf_text(&out->body, out->items++ > 0 ? "," : "");
    return d1_wire_item(sql, params, count, &out->body, out->err);
}

/* Refuses the batch with a message of our own: an error in the middle of a statement; and where an
 * engine would not take the path for an error, by the NULL that comes of it. */
static enum err_code add_guard(struct outgoing *out, const char *mark, size_t number,
                               const char *condition, const struct database_value *params,
                               size_t count)
{
    struct buf sql = {0};
    enum err_code rc;

    buf_text(&sql, "INSERT INTO lockstep_guard(ok) SELECT nullif(json_extract('{}', ");
    buf_print(&sql, "'lockstep %s %zu'", mark, number);
    buf_text(&sql, "), 1) WHERE NOT coalesce((");
    buf_text(&sql, condition);
    buf_text(&sql, "), 0)");
    rc = buf_failed(&sql) ? err_set(out->err, ERR_NOMEM, "out of memory")
                          : add_item(out, buf_cstr(&sql), params, count);
    buf_fini(&sql);
    return rc;
}

static bool changes_rows(const char *sql)
{
    static const char *const words[] = {"INSERT", "UPDATE", "DELETE", "REPLACE", "WITH"};
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token;
    bool first = sql_scan_next(&scan, &token);

    for (size_t i = 0; first && i < sizeof words / sizeof words[0]; i++) {
        if (sql_token_is(&token, words[i])) {
            return true;
        }
    }
    return false;
}

/* What a CREATE left in the schema must be what was sent: the service takes scripts apart by rules
 * of its own, and has cut triggers in two. */
static enum err_code add_read_back(struct outgoing *out, const char *sql, size_t number)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token create, kind, name;
    struct database_value params[2];
    struct buf bare = {0};
    enum err_code rc;

    if (!sql_scan_next(&scan, &create) || !sql_token_is(&create, "CREATE") ||
        !sql_scan_next(&scan, &kind) || !sql_token_is(&kind, "TRIGGER") ||
        !sql_scan_next(&scan, &name) || sql_token_is(&name, "IF")) {
        return ERR_OK;
    }
    for (size_t i = 0; i < name.text.len; i++) {
        bool quote = name.kind == SQL_QUOTED && (i == 0 || i + 1 == name.text.len);
        if (!quote) {
            buf_char(&bare, name.text.at[i]);
            i += name.kind == SQL_QUOTED && name.text.at[i] == '"' ? 1 : 0;
        }
    }
    params[0] = database_text(buf_cstr(&bare));
    params[1] = database_text_n(name.text.at, strlen(name.text.at));
    rc = buf_failed(&bare)
             ? err_set(out->err, ERR_NOMEM, "out of memory")
             : add_guard(out, "read-back", number,
                         "(SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = ?1) = "
                         "'CREATE TRIGGER ' || ?2",
                         params, 2);
    buf_fini(&bare);
    return rc;
}

static enum err_code add_statements(struct outgoing *out)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < out->batch->statement_count && rc == ERR_OK; i++) {
        const struct database_statement *statement = &out->batch->statements[i];
        rc = d1_rules_check(statement->sql, false, out->err);
        rc = rc ? rc : add_item(out, statement->sql, statement->params, statement->param_count);
        out->changes_of[i] = SIZE_MAX;
        if (rc == ERR_OK && changes_rows(statement->sql)) {
            out->changes_of[i] = out->items;
            rc = add_item(out, "SELECT changes()", NULL, 0); /* meta.changes counts triggers too */
        } else if (rc == ERR_OK) {
            rc = add_read_back(out, statement->sql, i);
        }
        if (rc && out->batch->statement_count > 1) {
            err_wrap(out->err, "statement %zu of %zu", i + 1, out->batch->statement_count);
        }
    }
    return rc;
}

static enum err_code add_guards(struct outgoing *out, const struct database_guard *guards,
                                size_t count, size_t from)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < count && rc == ERR_OK; i++) {
        rc = add_guard(out, "guard", from + i, guards[i].condition, guards[i].params,
                       guards[i].param_count);
    }
    return rc;
}

static enum err_code build_body(struct outgoing *out)
{
    struct database_value counted[] = {database_text(out->d1->session),
                                       database_int(out->d1->number)};
    struct database_value next[] = {counted[0], database_int(out->d1->number + 1)};
    const struct database_batch *batch = out->batch;
    enum err_code rc;

    buf_text(&out->body, "{\"batch\":[");
    rc = add_guard(out, "request", 0,
                   "coalesce((SELECT number FROM lockstep_session WHERE session = ?1), 0) = ?2",
                   counted, 2);
    rc = rc ? rc : add_guards(out, batch->before, batch->before_count, 0);
    rc = rc ? rc : add_statements(out);
    rc = rc ? rc : add_guards(out, batch->after, batch->after_count, batch->before_count);
    rc = rc ? rc
            : add_item(out,
                       "INSERT OR REPLACE INTO lockstep_session(session, number, at) VALUES(?1, "
                       "?2, " NOW_MS ")",
                       next, 2);
    buf_text(&out->body, "]}");
    return rc;
}

/* Where sessions are counted, and what guards are run on. May be sent twice. */
static enum err_code prepare(struct d1 *d1, struct err *err)
{
    static const char *const statements[] = {
        "CREATE TABLE IF NOT EXISTS lockstep_guard(ok INTEGER NOT NULL)",
        "CREATE TABLE IF NOT EXISTS lockstep_session(session TEXT PRIMARY KEY, number INTEGER NOT "
        "NULL, at INTEGER NOT NULL)",
        "DELETE FROM lockstep_session WHERE at < " NOW_MS " - " SESSION_DAYS_MS,
    };
    struct buf body = {0};
    struct json *reply = NULL;
    enum err_code rc = ERR_OK;

    buf_text(&body, "{\"batch\":[");
    for (size_t i = 0; i < sizeof statements / sizeof statements[0] && rc == ERR_OK; i++) {
        buf_text(&body, i > 0 ? "," : "");
        rc = d1_wire_item(statements[i], NULL, 0, &body, err);
    }
    buf_text(&body, "]}");
    rc = rc ? rc : d1_call_again(&d1->call, "POST", d1->path, &body, &reply, err);
    buf_fini(&body);
    json_free(reply);
    d1->prepared = d1->prepared || rc == ERR_OK;
    return rc;
}

static bool marked(const char *message, const char *mark, size_t *number)
{
    char text[40];
    const char *at;

    (void)snprintf(text, sizeof text, "lockstep %s ", mark);
    at = strstr(message, text);
    if (at != NULL) {
        *number = (size_t)strtoul(at + strlen(text), NULL, 10);
    }
    return at != NULL;
}

/* What a refusal by one of our own guards means. */
static enum err_code explain_refusal(const struct outgoing *out, enum err_code rc, bool *repeated,
                                     struct err *err)
{
    const struct database_batch *batch = out->batch;
    const struct database_guard *guard;
    size_t number = 0;

    /* Nobody else has this session: it counts because an earlier copy of this very request was
     * carried out, one that we sent, or the HTTP client, or something between. */
    *repeated = marked(err->msg, "request", &number);
    if (*repeated) {
        return rc;
    }
    if (marked(err->msg, "read-back", &number) && number < batch->statement_count) {
        return err_set(err, ERR_CONFLICT,
                       "D1 has taken a trigger apart: what its schema holds is not what was sent; "
                       "nothing was changed: %.120s",
                       batch->statements[number].sql);
    }
    if (!marked(err->msg, "guard", &number) || number >= batch->before_count + batch->after_count) {
        return rc;
    }
    guard = number < batch->before_count ? &batch->before[number]
                                         : &batch->after[number - batch->before_count];
    return err_set(err, guard->code != ERR_OK ? guard->code : ERR_CONFLICT, "%s",
                   guard->refusal != NULL ? guard->refusal : guard->condition);
}

static void take_result(const struct outgoing *out, const struct json *reply,
                        struct database_batch_result *result)
{
    const struct json *list = json_get(reply, "result");
    double duration_ms = 0;
    size_t item = 0, statement = 0;

    result->changes = 0;
    for (const struct json *one = json_first(list); one != NULL; one = json_next(one), item++) {
        int64_t changes = 0;
        duration_ms += json_number(json_get(json_get(one, "meta"), "duration"), 0);
        while (statement < out->batch->statement_count && out->changes_of[statement] == SIZE_MAX) {
            if (result->statement_changes != NULL) {
                result->statement_changes[statement] = 0;
            }
            statement++;
        }
        if (statement < out->batch->statement_count && out->changes_of[statement] == item &&
            json_int(json_first(json_first(json_get(json_get(one, "results"), "rows"))),
                     &changes)) {
            result->changes += changes;
            if (result->statement_changes != NULL) {
                result->statement_changes[statement] = changes;
            }
            statement++;
        }
    }
    result->hold_us = (int64_t)(duration_ms * 1000.0);
}

/* Carried out by a request whose answer was lost, and so were the counts with it. */
static void result_unknown(const struct outgoing *out, struct database_batch_result *result)
{
    result->changes = -1;
    result->hold_us = -1;
    for (size_t i = 0; result->statement_changes != NULL && i < out->batch->statement_count; i++) {
        result->statement_changes[i] = -1;
    }
}

/* After all tries: was the batch carried out? false: no, or nobody can say. Asked once only. */
static bool was_carried_out(struct d1 *d1)
{
    struct database_value session = database_text(d1->session);
    struct buf body = {0};
    struct json *reply = NULL;
    struct err unused = {0};
    enum d1_fate fate;
    int64_t wait_ms, number = -1;
    bool done = d1_wire_item("SELECT number FROM lockstep_session WHERE session = ?1", &session, 1,
                             &body, &unused) == ERR_OK &&
                d1_call_once(&d1->call, "POST", d1->path, &body, &reply, &fate, &wait_ms,
                             &unused) == ERR_OK &&
                json_int(json_first(json_first(json_get(
                             json_get(json_first(json_get(reply, "result")), "results"), "rows"))),
                         &number) &&
                number == d1->number + 1;

    buf_fini(&body);
    json_free(reply);
    return done;
}

static enum err_code send_batch(struct outgoing *out, struct database_batch_result *result)
{
    struct d1 *d1 = out->d1;
    bool unknown = false, repeated = false;
    enum err_code rc = ERR_OK;

    for (unsigned try = 1; try <= D1_TRIES; try++) {
        struct json *reply = NULL;
        enum d1_fate fate = D1_ANSWERED;
        int64_t wait_ms = 0;
        rc = d1_call_once(&d1->call, "POST", d1->path, &out->body, &reply, &fate, &wait_ms,
                          out->err);
        if (rc == ERR_OK) {
            take_result(out, reply, result);
            json_free(reply);
            d1->number++;
            return ERR_OK;
        }
        if (!d1_call_passing(rc)) {
            rc = explain_refusal(out, rc, &repeated, out->err);
            break;
        }
        unknown = unknown || fate == D1_UNKNOWN;
        if (try < D1_TRIES) {
            d1_call_wait(try + 1, wait_ms);
        }
    }
    if (repeated || (unknown && d1_call_passing(rc) && was_carried_out(d1))) {
        result_unknown(out, result);
        d1->number++;
        return ERR_OK;
    }
    if (unknown && d1_call_passing(rc)) { /* a refusal is none of a batch that was carried out */
        err_wrap(out->err, "whether the last step was carried out is not known; run the command "
                           "again: it goes on from what the database says");
    }
    return rc;
}

static enum err_code d1_batch(struct database *db, const struct database_batch *batch,
                              struct database_batch_result *result, struct err *err)
{
    struct outgoing out = {.d1 = d1_of(db), .batch = batch, .err = err};
    enum err_code rc;

    if (out.d1->read_only) {
        return err_set(err, ERR_DENIED, "%s was opened to read only", database_url(db));
    }
    rc = out.d1->prepared ? ERR_OK : prepare(out.d1, err);
    if (rc) {
        return rc;
    }
    out.changes_of = calloc(batch->statement_count + 1, sizeof *out.changes_of);
    rc = out.changes_of != NULL ? build_body(&out) : err_set(err, ERR_NOMEM, "out of memory");
    if (rc == ERR_OK && buf_failed(&out.body)) {
        rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    rc = rc ? rc : send_batch(&out, result);
    forget_queries(out.d1); /* a statement may have changed a table's columns */
    buf_fini(&out.body);
    free(out.changes_of);
    return rc;
}

/* ---- capabilities ---- */

static enum err_code d1_probe(struct database *db, struct database_capabilities *out,
                              struct err *err)
{
    *out = (struct database_capabilities){
        .engine = "d1",
        .bookmarks = true,
        .params_max = D1_PARAMS_MAX,
        .statement_bytes_max = D1_STATEMENT_BYTES_MAX,
        .columns_max = D1_COLUMNS_MAX,
    };
    return d1_probe_alters(&d1_of(db)->call, d1_of(db)->path, out, err);
}

static enum err_code d1_bookmark(struct database *db, char *out, size_t size, struct err *err)
{
    return d1_travel_bookmark(&d1_of(db)->call, d1_of(db)->id, out, size, err);
}

static enum err_code d1_rewind(struct database *db, const char *bookmark, char *undo, size_t size,
                               struct err *err)
{
    forget_queries(d1_of(db));
    return d1_of(db)->read_only
               ? err_set(err, ERR_DENIED, "%s was opened to read only", database_url(db))
               : d1_travel_back(&d1_of(db)->call, d1_of(db)->id, bookmark, undo, size, err);
}

const struct database_engine database_engine_d1 = {
    .scheme = "d1",
    .remote = true,
    .open = d1_open,
    .close = d1_close,
    .probe = d1_probe,
    .query = d1_query,
    .batch = d1_batch,
    .bookmark = d1_bookmark,
    .rewind = d1_rewind,
};
