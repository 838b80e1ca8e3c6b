#include "database/d1.h"

#include <stdlib.h>
#include <string.h>

#include "database/d1_rules.h"
#include "database/d1_wire.h"

void d1_forget_queries(struct d1 *d1)
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
    if (d1->known_count == D1_KNOWN_QUERIES) {
        d1_forget_queries(d1);
    }
    *out = &d1->known[d1->known_count++];
    **out = query;
    if (query.names == NULL || !good) {
        d1_forget_queries(d1);
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

enum err_code d1_query(struct database *db, const char *sql, const struct database_value *params,
                       size_t param_count, struct database_rows *rows, struct err *err)
{
    struct d1 *d1 = (struct d1 *)db;
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
        d1_forget_queries(d1); /* the table may have other columns by now */
    }
    return rc;
}
