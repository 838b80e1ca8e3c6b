#include "database/d1_wire.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "database/d1_call.h"
#include "database/sql_scan.h"

/* ---- to D1 ---- */

static bool is_plain(struct str text)
{
    return memchr(text.at, '\0', text.len) == NULL && utf8_valid(text.at, text.len);
}

/* The parameter as an expression of the type that the caller gave it. A plus takes a CAST's
 * affinity away: a parameter has none, and must not make numbers of the text it is compared to. */
static void add_param(const struct database_value *value, struct str name, struct buf *sql)
{
    const char *before = "", *behind = "";

    switch (value->type) {
    case DATABASE_INT:
        before = "(+CAST(";
        behind = " AS INTEGER))";
        break;
    case DATABASE_REAL:
        if (isinf(value->as.d)) {
            before = "(+CAST(";
            behind = " AS REAL))";
        }
        break;
    case DATABASE_TEXT:
        if (!is_plain(value->as.bytes)) {
            before = "(+CAST(unhex(";
            behind = ") AS TEXT))";
        }
        break;
    case DATABASE_BLOB:
        before = "unhex(";
        behind = ")";
        break;
    case DATABASE_NULL: break;
    }
    buf_text(sql, before);
    buf_add(sql, name.at, name.len);
    buf_text(sql, behind);
}

static void add_hex(struct str bytes, struct buf *out)
{
    static const char digits[] = "0123456789ABCDEF";

    buf_char(out, '"');
    for (size_t i = 0; i < bytes.len; i++) {
        buf_char(out, digits[(unsigned char)bytes.at[i] >> 4]);
        buf_char(out, digits[(unsigned char)bytes.at[i] & 15]);
    }
    buf_char(out, '"');
}

static void add_quoted(struct str text, struct buf *out)
{
    char *quoted = json_quote(text.at, text.len);

    if (quoted == NULL) {
        out->failed = true;
        return;
    }
    buf_text(out, quoted);
    free(quoted);
}

static void add_value(const struct database_value *value, struct buf *out)
{
    switch (value->type) {
    case DATABASE_NULL: buf_text(out, "null"); break;
    case DATABASE_INT: buf_print(out, "\"%lld\"", (long long)value->as.i); break;
    case DATABASE_REAL:
        if (isnan(value->as.d)) {
            buf_text(out, "null"); /* as SQLite binds it */
        } else if (isinf(value->as.d)) {
            buf_text(out, value->as.d > 0 ? "\"9e999\"" : "\"-9e999\"");
        } else {
            buf_print(out, "%.17g", value->as.d);
        }
        break;
    case DATABASE_TEXT:
        if (is_plain(value->as.bytes)) {
            add_quoted(value->as.bytes, out);
        } else {
            add_hex(value->as.bytes, out);
        }
        break;
    case DATABASE_BLOB: add_hex(value->as.bytes, out); break;
    }
}

/* The value as SQL that has its type, and no affinity. */
static void add_literal(const struct database_value *value, struct buf *out)
{
    bool blob = value->type == DATABASE_BLOB;

    switch (value->type) {
    case DATABASE_NULL: buf_text(out, "NULL"); break;
    case DATABASE_INT: buf_print(out, "(%lld)", (long long)value->as.i); break;
    case DATABASE_REAL:
        if (isnan(value->as.d)) {
            buf_text(out, "NULL");
        } else if (isinf(value->as.d)) {
            buf_text(out, value->as.d > 0 ? "9e999" : "(-9e999)");
        } else {
            buf_print(out, "(+CAST(%.17g AS REAL))", value->as.d);
        }
        break;
    case DATABASE_TEXT:
    case DATABASE_BLOB:
        buf_text(out, blob ? "x'" : "(+CAST(x'");
        for (size_t i = 0; i < value->as.bytes.len; i++) {
            buf_print(out, "%02X", (unsigned char)value->as.bytes.at[i]);
        }
        buf_text(out, blob ? "'" : "' AS TEXT))");
        break;
    }
}

/* The statement with its parameters dressed, or written out; *used: the highest number in it. */
static enum err_code dress(const char *sql, const struct database_value *params, size_t param_count,
                           bool written_out, struct buf *out, size_t *used, struct err *err)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token;
    const char *from = sql;

    *used = 0;
    while (sql_scan_next(&scan, &token)) {
        size_t number;
        if (token.kind != SQL_PARAM) {
            continue;
        }
        number = token.text.len > 1 ? (size_t)strtoul(token.text.at + 1, NULL, 10) : 0;
        if (*token.text.at != '?' || number == 0 || number > param_count) {
            return err_set(err, ERR_INVALID, "the statement's parameter %.*s was not given",
                           (int)(token.text.len < 20 ? token.text.len : 20), token.text.at);
        }
        *used = number > *used ? number : *used;
        buf_add(out, from, (size_t)(token.text.at - from));
        if (written_out) {
            add_literal(&params[number - 1], out);
        } else {
            add_param(&params[number - 1], token.text, out);
        }
        from = token.text.at + token.text.len;
    }
    buf_text(out, from);
    return ERR_OK;
}

enum err_code d1_wire_item(const char *sql, const struct database_value *params, size_t param_count,
                           struct buf *out, struct err *err)
{
    struct buf dressed = {0};
    size_t used = 0;
    enum err_code rc = dress(sql, params, param_count, false, &dressed, &used, err);

    if (rc == ERR_OK && used > D1_PARAMS_MAX) {
        rc =
            err_set(err, ERR_LIMIT, "%zu parameters; D1 takes %u a statement", used, D1_PARAMS_MAX);
    }
    if (rc == ERR_OK && dressed.len > D1_STATEMENT_BYTES_MAX) {
        rc = err_set(err, ERR_LIMIT, "a statement of %zu bytes; D1 takes %u", dressed.len,
                     D1_STATEMENT_BYTES_MAX);
    }
    if (rc == ERR_OK) {
        buf_text(out, "{\"sql\":");
        add_quoted((struct str){buf_cstr(&dressed), dressed.len}, out);
        buf_text(out, used > 0 ? ",\"params\":[" : "}");
        for (size_t i = 0; i < used; i++) {
            buf_text(out, i > 0 ? "," : "");
            add_value(&params[i], out);
        }
        buf_text(out, used > 0 ? "]}" : "");
        out->failed = out->failed || buf_failed(&dressed);
    }
    buf_fini(&dressed);
    return rc;
}

enum err_code d1_wire_script(const char *sql, const struct database_value *params,
                             size_t param_count, struct buf *out, struct err *err)
{
    size_t used = 0;
    enum err_code rc = dress(sql, params, param_count, true, out, &used, err);

    buf_text(out, "\n;\n"); /* a comment may end the statement */
    return rc;
}

/* ---- from D1 ---- */

bool d1_wire_wraps(const char *sql)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token;

    return sql_scan_next(&scan, &token) &&
           (sql_token_is(&token, "SELECT") || sql_token_is(&token, "WITH") ||
            sql_token_is(&token, "VALUES"));
}

size_t d1_wire_columns(const char *sql)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token;
    size_t columns = 0, tokens = 0;
    int depth = 0;
    bool operand = false; /* a '*' here multiplies */

    while (sql_scan_next(&scan, &token)) {
        depth += sql_token_punct(&token, '(') - sql_token_punct(&token, ')');
        if (depth > 0 || (depth == 0 && sql_token_punct(&token, ')'))) {
            operand = true;
            tokens++;
            continue;
        }
        if (columns == 0) {
            columns = sql_token_is(&token, "SELECT");
            continue;
        }
        if (sql_token_is(&token, "FROM") || sql_token_is(&token, "UNION")) {
            break;
        }
        if (sql_token_punct(&token, '*') && !operand) {
            return 0;
        }
        operand = token.kind != SQL_PUNCT && !sql_token_is(&token, "DISTINCT");
        columns += sql_token_punct(&token, ',');
        tokens++;
    }
    return tokens > 0 ? columns : 0;
}

char *d1_wire_select(const char *sql, size_t columns, bool exact)
{
    struct buf out = {0};

    buf_text(&out, "WITH q(");
    for (size_t i = 0; i < columns; i++) {
        buf_print(&out, "%sc%zu", i > 0 ? ", " : "", i);
    }
    buf_text(&out, ") AS MATERIALIZED (");
    buf_text(&out, sql);
    buf_text(&out, ") SELECT ");
    for (size_t i = 0; i < columns; i++) {
        char c[24];
        (void)snprintf(c, sizeof c, "c%zu", i);
        buf_text(&out, i > 0 ? ", " : "");
        if (exact) {
            buf_print(&out, "iif(typeof(%s) = 'text', 'h' || hex(%s), ", c, c);
        } else {
            buf_print(&out,
                      "iif(typeof(%s) = 'text', iif(instr(CAST(%s AS BLOB), x'00') > 0, 'h' || "
                      "hex(%s), 't' || length(CAST(%s AS BLOB)) || ':' || %s), ",
                      c, c, c, c, c);
        }
        buf_print(&out,
                  "iif(typeof(%s) = 'integer', 'i' || %s, iif(typeof(%s) = 'real', iif(abs(%s) < "
                  "9e999, %s, iif(%s > 0, 'r9e999', 'r-9e999')), iif(typeof(%s) = 'blob', 'b' || "
                  "hex(%s), 'n'))))",
                  c, c, c, c, c, c, c, c);
    }
    buf_text(&out, " FROM q");
    return buf_take(&out);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum err_code strange(const char *text, struct err *err)
{
    return err_set(err, ERR_IO, "D1 answered a value that was not asked for: '%.40s'", text);
}

static enum err_code take_hex(struct database_rows *rows, const char *text, enum database_type type,
                              struct database_value *out, struct err *err)
{
    size_t len = strlen(text) / 2;
    char *bytes = malloc(len + 1);
    enum err_code rc = ERR_OK;

    if (bytes == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < len && rc == ERR_OK; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        bytes[i] = (char)(high * 16 + low);
        rc = high < 0 || low < 0 ? strange(text, err) : ERR_OK;
    }
    rc = rc ? rc : database_rows_bytes(rows, out, type, bytes, len, err);
    free(bytes);
    return rc;
}

/* 't' BYTES ':' TEXT: the count tells whether bytes were replaced on the way. */
static enum err_code take_text(struct database_rows *rows, const char *text, bool *odd,
                               struct database_value *out, struct err *err)
{
    char *end = NULL;
    unsigned long long bytes = strtoull(text, &end, 10);

    if (end == text || *end != ':') {
        return strange(text, err);
    }
    end++;
    if (strlen(end) != bytes || strstr(end, "\xef\xbf\xbd") != NULL) {
        *odd = true; /* U+FFFD: perhaps what the text holds, perhaps what stands for bytes */
    }
    return database_rows_bytes(rows, out, DATABASE_TEXT, end, strlen(end), err);
}

/* A REAL is the one thing that JSON's numbers are good for: what printf() makes of it in the engine is not
 * always the same number again, with 17 digits and in workerd's SQLite seldom enough to be found late. */
static enum err_code take_typed(struct database_rows *rows, const struct json *json, bool *odd,
                                struct database_value *out, struct err *err)
{
    const char *text = json_text(json);
    char *end = NULL;

    if (json_kind(json) == JSON_NUMBER) {
        *out = database_real(json_number(json, 0));
        return ERR_OK;
    }
    switch (text != NULL ? *text : '\0') {
    case 'n': *out = database_null(); return ERR_OK;
    case 'i':
        errno = 0;
        *out = database_int(strtoll(text + 1, &end, 10));
        return end != text + 1 && *end == '\0' && errno == 0 ? ERR_OK : strange(text, err);
    case 'r':
        *out = database_real(strtod(text + 1, &end));
        return end != text + 1 && *end == '\0' ? ERR_OK : strange(text, err);
    case 'h': return take_hex(rows, text + 1, DATABASE_TEXT, out, err);
    case 'b': return take_hex(rows, text + 1, DATABASE_BLOB, out, err);
    case 't': return take_text(rows, text + 1, odd, out, err);
    default: return strange(text != NULL ? text : "no text", err);
    }
}

static enum err_code take_plain(struct database_rows *rows, const struct json *json,
                                struct database_value *out, struct err *err)
{
    int64_t whole;

    switch (json_kind(json)) {
    case JSON_NUMBER:
        *out = json_int(json, &whole) ? database_int(whole) : database_real(json_number(json, 0));
        return ERR_OK;
    case JSON_STRING:
        return database_rows_bytes(rows, out, DATABASE_TEXT, json_text(json),
                                   strlen(json_text(json)), err);
    case JSON_BOOL: *out = database_int(json_is_true(json)); return ERR_OK;
    case JSON_NULL: *out = database_null(); return ERR_OK;
    default: return strange("an array or object", err);
    }
}

static enum err_code name_columns(const struct json *list, const char *const *names, size_t columns,
                                  struct database_rows *rows, struct err *err)
{
    const struct json *name = json_first(list);
    enum err_code rc = database_rows_start(rows, columns, err);

    for (size_t i = 0; i < columns && rc == ERR_OK; i++) {
        rc = database_rows_set_name(rows, i, names != NULL ? names[i] : json_text(name), err);
        name = name != NULL ? json_next(name) : NULL;
    }
    return rc;
}

enum err_code d1_wire_rows(const struct json *result, const char *const *names, size_t columns,
                           bool typed, struct database_rows *rows, bool *odd, struct err *err)
{
    const struct json *table = json_get(result, "results");
    enum err_code rc = name_columns(json_get(table, "columns"), names, columns, rows, err);

    for (const struct json *row = json_first(json_get(table, "rows")); row != NULL && rc == ERR_OK;
         row = json_next(row)) {
        struct database_value *values = NULL;
        const struct json *value = json_first(row);
        rc = database_rows_add(rows, &values, err);
        for (size_t i = 0; i < columns && rc == ERR_OK; i++) {
            rc = value == NULL ? strange("a row with fewer columns", err)
                 : typed       ? take_typed(rows, value, odd, &values[i], err)
                               : take_plain(rows, value, &values[i], err);
            value = value != NULL ? json_next(value) : NULL;
        }
    }
    return rc;
}
