#include "database/d1.h"

#include <ctype.h>
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
    if (out->batch->as_file) {
        return d1_wire_script(sql, params, count, &out->body, out->err);
    }
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

/* "CREATE UNIQUE INDEX name ...": up to the name. false: no object whose text the schema keeps as it
 * was sent (IF NOT EXISTS may find another one there, AS SELECT leaves a text of its own). */
static bool read_create(const char *sql, struct sql_token *kind, struct sql_token *name,
                        bool *unique, struct str *rest)
{
    static const char *const kinds[] = {"TABLE", "INDEX", "VIEW", "TRIGGER"};
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token;
    bool known = false;

    if (!sql_scan_next(&scan, &token) || !sql_token_is(&token, "CREATE") ||
        !sql_scan_next(&scan, kind)) {
        return false;
    }
    *unique = sql_token_is(kind, "UNIQUE");
    if (*unique && !sql_scan_next(&scan, kind)) {
        return false;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        known = known || sql_token_is(kind, kinds[i]);
    }
    if (!known || !sql_scan_next(&scan, name) || sql_token_is(name, "IF")) {
        return false;
    }
    rest->at = name->text.at;
    for (bool first = true; sql_scan_next(&scan, &token); first = false) {
        if (first && (sql_token_punct(&token, '.') ||
                      (sql_token_is(kind, "TABLE") && sql_token_is(&token, "AS")))) {
            return false;
        }
        rest->len = (size_t)(token.text.at + token.text.len - rest->at);
    }
    return rest->len > 0;
}

static void add_bare_name(const struct sql_token *name, struct buf *out)
{
    for (size_t i = 0; i < name->text.len; i++) {
        bool quote = name->kind == SQL_QUOTED && (i == 0 || i + 1 == name->text.len);
        if (!quote) {
            buf_char(out, name->text.at[i]);
            i += name->kind == SQL_QUOTED && name->text.at[i] == '"' ? 1 : 0;
        }
    }
}

/* What a CREATE left in the schema must be what was sent: the service takes scripts apart by rules
 * of its own, and has cut triggers in two. */
static enum err_code add_read_back(struct outgoing *out, const char *sql, size_t number)
{
    struct sql_token kind, name;
    struct str rest = {0};
    struct database_value params[2];
    struct buf bare = {0}, text = {0};
    bool unique = false;
    enum err_code rc;

    if (!read_create(sql, &kind, &name, &unique, &rest)) {
        return ERR_OK;
    }
    add_bare_name(&name, &bare);
    buf_text(&text, unique ? "CREATE UNIQUE " : "CREATE ");
    for (size_t i = 0; i < kind.text.len; i++) {
        buf_char(&text, (char)toupper((unsigned char)kind.text.at[i]));
    }
    buf_char(&text, ' ');
    buf_add(&text, rest.at, rest.len);
    params[0] = database_text(buf_cstr(&bare));
    params[1] = database_text_n(buf_cstr(&text), text.len);
    rc = buf_failed(&bare) || buf_failed(&text)
             ? err_set(out->err, ERR_NOMEM, "out of memory")
             : add_guard(out, "read-back", number,
                         "(SELECT substr(sql, 1, length(?2)) FROM sqlite_master WHERE lower(name) "
                         "= lower(?1)) = ?2",
                         params, 2);
    buf_fini(&bare);
    buf_fini(&text);
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
        if (rc == ERR_OK && changes_rows(statement->sql) && !out->batch->as_file) {
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
    struct database_value next[] = {counted[0], database_int(++out->d1->given)};
    const struct database_batch *batch = out->batch;
    enum err_code rc;

    buf_text(&out->body, batch->as_file ? "" : "{\"batch\":[");
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
    buf_text(&out->body, batch->as_file ? "" : "]}");
    return rc;
}

/* A setting that somebody switched on stands for whoever comes next, until D1 happens to restart the
 * database: a rename would leave triggers behind that name the old column, a CHECK would say nothing. */
static enum err_code check_settings(const struct json *reply, struct err *err)
{
    for (const struct json *one = json_first(json_get(reply, "result")); one != NULL;
         one = json_next(one)) {
        const struct json *table = json_get(one, "results");
        const char *name = json_text(json_first(json_get(table, "columns")));
        int64_t value = 0;
        if (name != NULL && json_int(json_first(json_first(json_get(table, "rows"))), &value) &&
            value != 0) {
            return err_set(err, ERR_CONFLICT, /* lint: not SQL */
                           "somebody has left PRAGMA %.40s = ON in this database, and nothing is "
                           "safe to change meanwhile: switch it off (wrangler d1 execute ... "
                           "--command \"PRAGMA %.40s = OFF\")",
                           name, name);
        }
    }
    return ERR_OK;
}

/* Where sessions are counted, and what guards are run on. May be sent twice. */
static enum err_code prepare_by(struct d1 *d1, const char *const *statements, struct err *err)
{
    struct buf body = {0};
    struct json *reply = NULL;
    enum err_code rc = ERR_OK;

    buf_text(&body, "{\"batch\":[");
    for (size_t i = 0; statements[i] != NULL && rc == ERR_OK; i++) {
        buf_text(&body, i > 0 ? "," : "");
        rc = d1_wire_item(statements[i], NULL, 0, &body, err);
    }
    buf_text(&body, "]}");
    rc = rc ? rc : d1_call_again(&d1->call, "POST", d1->path, &body, &reply, err);
    buf_fini(&body);
    rc = rc ? rc : check_settings(reply, err);
    json_free(reply);
    d1->prepared = d1->prepared || rc == ERR_OK;
    return rc;
}

static enum err_code prepare(struct d1 *d1, struct err *err)
{
#define TABLES                                                                                     \
    "CREATE TABLE IF NOT EXISTS lockstep_guard(ok INTEGER NOT NULL)",                              \
        "CREATE TABLE IF NOT EXISTS lockstep_session(session TEXT PRIMARY KEY, number INTEGER "    \
        "NOT NULL, at INTEGER NOT NULL)",                                                          \
        "DELETE FROM lockstep_session WHERE at < " NOW_MS " - " SESSION_DAYS_MS
    static const char *const all[] = {TABLES, "PRAGMA legacy_alter_table",
                                      "PRAGMA ignore_check_constraints", NULL};
    static const char *const tables[] = {TABLES, NULL};
#undef TABLES
    enum err_code rc = prepare_by(d1, all, err);

    /* A release that does not show its settings is no worse than it was. */
    return rc == ERR_INVALID ? prepare_by(d1, tables, err) : rc;
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
                       "D1 has taken a statement apart: what its schema holds is not what was "
                       "sent; nothing was changed: %.120s",
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

/* What the engine itself took, where that is told; duration has the way within the service, too. */
static double duration_of(const struct json *meta)
{
    double duration_ms = json_number(json_get(meta, "duration"), 0);

    return json_number(json_get(json_get(meta, "timings"), "sql_duration_ms"), duration_ms);
}

static void take_result(const struct outgoing *out, const struct json *reply,
                        struct database_batch_result *result)
{
    const struct json *list = json_get(reply, "result");
    double duration_ms = 0, written = 0;
    size_t item = 0, statement = 0;

    result->changes = 0;
    for (const struct json *one = json_first(list); one != NULL; one = json_next(one), item++) {
        int64_t changes = 0;
        duration_ms += duration_of(json_get(one, "meta"));
        written += json_number(json_get(json_get(one, "meta"), "rows_written"), 0);
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
    result->rows_written = (int64_t)written;
}

/* Carried out by a request whose answer was lost, and so were the counts with it. */
static void result_unknown(const struct outgoing *out, struct database_batch_result *result)
{
    result->changes = -1;
    result->hold_us = -1;
    result->rows_written = -1;
    for (size_t i = 0; result->statement_changes != NULL && i < out->batch->statement_count; i++) {
        result->statement_changes[i] = -1;
    }
}

/* The number of the last batch of this session that was carried out. Where the way is known to be
 * broken it is asked once only. */
static bool ask_number(struct d1 *d1, bool broken, int64_t *number)
{
    struct database_value session = database_text(d1->session);
    struct buf body = {0};
    struct json *reply = NULL;
    struct err unused = {0};
    enum d1_fate fate;
    int64_t wait_ms;
    enum err_code rc = d1_wire_item("SELECT max(number) FROM lockstep_session WHERE session = ?1",
                                    &session, 1, &body, &unused);
    bool told;

    if (rc == ERR_OK && broken) {
        rc = d1_call_once(&d1->call, "POST", d1->path, &body, &reply, &fate, &wait_ms, &unused);
    } else if (rc == ERR_OK) {
        rc = d1_call_again(&d1->call, "POST", d1->path, &body, &reply, &unused);
    }
    told = rc == ERR_OK &&
           json_int(json_first(json_first(json_get(
                        json_get(json_first(json_get(reply, "result")), "results"), "rows"))),
                    number);
    buf_fini(&body);
    json_free(reply);
    return told;
}

/* The answer of a batch that may have been carried out is lost, or a copy of it was refused: what
 * does the database say? */
static enum err_code find_out(struct outgoing *out, bool broken,
                              struct database_batch_result *result)
{
    struct d1 *d1 = out->d1;
    int64_t number = 0;

    if (!ask_number(d1, broken, &number)) {
        return ERR_BUSY; /* nobody can say */
    }
    if (number == d1->given) {
        result_unknown(out, result);
        d1->number = number;
        return ERR_OK;
    }
    if (number != d1->number) { /* one that was given up came late, and before this one */
        d1->number = number;
        return err_set(out->err, ERR_CONFLICT,
                       "a request that D1 had not answered was carried out late, and this one was "
                       "not; run the command again: it goes on from what the database says");
    }
    return ERR_STALE; /* it was not */
}

/* rc: what the last try said. too_long: the service broke it off. */
static enum err_code settle(struct outgoing *out, enum err_code rc, bool too_long,
                            struct database_batch_result *result)
{
    struct err said = *out->err;
    enum err_code found = find_out(out, d1_call_passing(rc) && !too_long, result);

    if (found == ERR_OK || found == ERR_CONFLICT) {
        return found;
    }
    *out->err = said;
    if (too_long && found == ERR_STALE) {
        out->err->code = ERR_TIMEOUT;
        return ERR_TIMEOUT;
    }
    err_wrap(out->err, "whether the last step was carried out is not known; run the command "
                       "again: it goes on from what the database says");
    out->err->code = d1_call_passing(rc) ? rc : ERR_IO;
    return out->err->code;
}

static enum err_code send_batch(struct outgoing *out, struct database_batch_result *result)
{
    struct d1 *d1 = out->d1;
    bool unknown = false, repeated = false, too_long = false;
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
            d1->number = d1->given;
            return ERR_OK;
        }
        if (!d1_call_passing(rc)) {
            rc = explain_refusal(out, rc, &repeated, out->err);
            break;
        }
        unknown = unknown || fate != D1_ANSWERED;
        too_long = fate == D1_TOO_LONG && out->batch->hold_max_us > 0;
        if (too_long) {
            break; /* as it is it would take as long again: whoever made it can make it smaller */
        }
        if (try < D1_TRIES) {
            d1_call_wait(try + 1, wait_ms);
        }
    }
    return repeated || (unknown && d1_call_passing(rc)) ? settle(out, rc, too_long, result) : rc;
}

/* The file has the same guards and the same count of itself, so the database knows what became of it. */
static enum err_code send_file(struct outgoing *out, struct database_batch_result *result)
{
    bool known = true, repeated = false;
    enum err_code rc = d1_import(out->d1, &out->body, &known, out->err), found;

    if (rc != ERR_OK && known) {
        rc = explain_refusal(out, rc, &repeated, out->err);
        return repeated ? settle(out, rc, false, result) : rc;
    }
    if (rc != ERR_OK) {
        return settle(out, ERR_INVALID, false, result); /* the way may be whole again */
    }
    found = find_out(out, false, result);
    return found != ERR_STALE
               ? found
               : err_set(out->err, ERR_IO,
                         "D1 says that the import is done, and nothing of it is there");
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
    if (rc == ERR_OK) {
        rc = batch->as_file ? send_file(&out, result) : send_batch(&out, result);
    }
    d1_forget_queries(out.d1); /* a statement may have changed a table's columns */
    buf_fini(&out.body);
    free(out.changes_of);
    return rc;
}
