#include "database/d1.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database/d1_rules.h"
#include "database/d1_wire.h"
#include "database/sql_scan.h"

/* The service's clock, not ours. */
#define NOW_MS "CAST((julianday('now') - 2440587.5) * 86400000.0 AS INTEGER)"
#define SESSION_DAYS_MS "604800000"

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

enum err_code d1_batch(struct database *db, const struct database_batch *batch,
                       struct database_batch_result *result, struct err *err)
{
    struct outgoing out = {.d1 = (struct d1 *)db, .batch = batch, .err = err};
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
    d1_forget_queries(out.d1); /* a statement may have changed a table's columns */
    buf_fini(&out.body);
    free(out.changes_of);
    return rc;
}
