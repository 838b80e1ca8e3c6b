/*
 * What an expression may say: nothing that reads more than this row, differs from one evaluation to
 * the next, or can fail.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "migrator/sql/expression_tokens.h"

#define GLOB_BYTES_MAX 52u /* quotes included: D1 bears patterns of 50 */
#define REPLACE_FACTOR 16u /* how much longer a replacement may be than what it replaces */

static bool is_literal(const struct expression_tokens *t, size_t from, size_t to)
{
    return to == from + 1 && (t->at[from].kind == SQL_STRING || t->at[from].kind == SQL_NUMBER);
}

/* Compares what is between the quotes, in any case. */
static bool string_is(const struct sql_token *token, const char *word)
{
    size_t len = strlen(word);

    return token->kind == SQL_STRING && token->text.len == len + 2 &&
           strncasecmp(token->text.at + 1, word, len) == 0;
}

/* ---- calls ---- */

/* '$.a.b[3]."c d"[#-1]': what every version reads in the same way. */
static bool is_simple_path(const struct sql_token *token)
{
    const char *p = token->text.at + 1, *end = token->text.at + token->text.len - 1;
    bool good =
        token->kind == SQL_STRING && token->text.len > 2 && token->text.at[0] == '\'' && *p == '$';

    for (p++; good && p < end;) {
        size_t len = 0;
        if (*p == '.' && p + 1 < end && p[1] == '"') {
            const char *close = memchr(p + 2, '"', (size_t)(end - p - 2));
            good = close != NULL && memchr(p + 2, '\\', (size_t)(close - p - 2)) == NULL;
            p = good ? close + 1 : end;
        } else if (*p == '.') {
            for (p++; p < end && (strchr(".[\"']\\", *p) == NULL); p++) {
                len++;
            }
            good = len > 0;
        } else if (*p == '[') {
            p += p + 2 < end && p[1] == '#' && p[2] == '-' ? 3 : 1;
            for (; p < end && *p >= '0' && *p <= '9'; p++) {
                len++;
            }
            good = len > 0 && len < 9 && p < end && *p == ']';
            p++;
        } else {
            good = false;
        }
    }
    return good;
}

static const char *json_value_fault(const struct expression_tokens *t, size_t from, size_t to,
                                    const struct expression_names *names)
{
    return expression_range_classes(t, from, to, names) & SQL_BLOB
               ? "a value for JSON must not be a BLOB: write CAST(... AS TEXT), or AS INTEGER"
               : NULL;
}

static const char *date_fault(const struct sql_token *token)
{
    if (token->kind != SQL_STRING && token->kind != SQL_NUMBER) {
        return "what follows the time in a date function must be literals";
    }
    return string_is(token, "localtime") || string_is(token, "utc") || string_is(token, "auto") ||
                   string_is(token, "now")
               ? "it must give the same value for the same row every time, wherever it runs"
               : NULL;
}

static const char *printf_fault(const struct sql_token *format)
{
    int digits = 0;

    if (format->kind != SQL_STRING) {
        return "the format of printf() must be a literal";
    }
    for (size_t i = 0; i < format->text.len; i++) {
        char c = format->text.at[i];
        digits = c >= '0' && c <= '9' ? digits + 1 : 0;
        if (c == '*' || digits > 3) {
            return "the format of printf() must hold no '*' and no width above 999";
        }
    }
    return NULL;
}

static const char *replace_fault(const struct expression_tokens *t, const size_t *from,
                                 const size_t *to)
{
    bool literal = is_literal(t, from[1], to[1]) && is_literal(t, from[2], to[2]);

    if (!literal || t->at[from[1]].text.len * REPLACE_FACTOR < t->at[from[2]].text.len) {
        return "what replace() looks for and puts in must be literals, and what it puts in at most "
               "16 times as long: a value that grows out of bounds would fail";
    }
    return NULL;
}

static const char *argument_fault(const struct expression_tokens *t, const struct sql_function *f,
                                  size_t k, size_t from, size_t to,
                                  const struct expression_names *names)
{
    bool first = k < (f->guarded_to > 0 ? f->guarded_to : 0);

    switch (f->rule) {
    case SQL_RULE_DATE:
        if (k < f->guarded_from) {
            return is_literal(t, from, to) ? NULL : "the format of strftime() must be a literal";
        }
        if (first) {
            return is_literal(t, from, to) ? date_fault(&t->at[from]) : NULL;
        }
        return to == from + 1 ? date_fault(&t->at[from])
                              : "what follows the time in a date function must be literals";
    case SQL_RULE_PATHS:
        return first || (to == from + 1 && is_simple_path(&t->at[from]))
                   ? NULL
                   : "a JSON path must be a literal such as '$.a.b[0]'";
    case SQL_RULE_SET:
        if (first) {
            return NULL;
        }
        if (k % 2 == 1) {
            return to == from + 1 && is_simple_path(&t->at[from])
                       ? NULL
                       : "a JSON path must be a literal such as '$.a.b[0]'";
        }
        return json_value_fault(t, from, to, names);
    case SQL_RULE_VALUES: return json_value_fault(t, from, to, names);
    case SQL_RULE_OBJECT:
        if (k % 2 == 0) {
            return to == from + 1 && t->at[from].kind == SQL_STRING
                       ? NULL
                       : "a label of json_object() must be a string";
        }
        return json_value_fault(t, from, to, names);
    case SQL_RULE_PRINTF:
        return k > 0            ? NULL
               : to == from + 1 ? printf_fault(&t->at[from])
                                : "the format of printf() must be a literal";
    case SQL_RULE_REPLACE:
    case SQL_RULE_NONE: break;
    }
    return NULL;
}

const char *expression_call_fault(const struct expression_tokens *t, size_t i,
                                  const struct sql_function *f,
                                  const struct expression_names *names)
{
    size_t close = expression_close(t, i + 1), at = i + 2, count = 0, from[3] = {0}, to[3] = {0};

    while (at < close) {
        size_t end = expression_argument_end(t, at, close);
        const char *why = argument_fault(t, f, count, at, end, names);
        if (why != NULL) {
            return why;
        }
        if (count < 3) {
            from[count] = at;
            to[count] = end;
        }
        count++;
        at = end + 1;
    }
    if (count < f->args_min && f->rule == SQL_RULE_DATE) {
        return "without a time a date function means now: it must give the same value for the same "
               "row every time";
    }
    if (count < f->args_min || count > f->args_max ||
        (f->rule == SQL_RULE_OBJECT && count % 2 != 0) ||
        (f->rule == SQL_RULE_SET && count % 2 != 1)) {
        return f->args_min == 2 && count == 1 ? "that function over one argument is an aggregate, "
                                                "or lacks an argument"
                                              : "a function has a wrong number of arguments";
    }
    return f->rule == SQL_RULE_REPLACE ? replace_fault(t, from, to) : NULL;
}

/* ---- tokens ---- */

static const char *operator_fault(const struct expression_tokens *t, size_t i, bool constraint)
{
    const struct sql_token *token = &t->at[i];

    if (sql_token_is(token, "LIKE") && !constraint) {
        return "LIKE hangs on a pragma of the connection: use instr(), substr() or lower()";
    }
    if (sql_token_is(token, "GLOB") && !constraint &&
        !(i + 1 < t->count && t->at[i + 1].kind == SQL_STRING &&
          t->at[i + 1].text.len <= GLOB_BYTES_MAX)) {
        return "the pattern of GLOB must be a literal of at most 50 bytes";
    }
    if (sql_token_is(token, "REGEXP") || sql_token_is(token, "MATCH")) {
        return "REGEXP and MATCH are functions that not every connection has";
    }
    if (expression_pair(t, i, '-', '>') || sql_token_is(token, "DISTINCT")) {
        return "an application's older SQLite may not have that operator";
    }
    if (sql_token_is(token, "OVER") || sql_token_is(token, "FILTER")) {
        return "it must read this row alone, without a window or an aggregate";
    }
    return NULL;
}

static const char *forbidden(const struct expression_tokens *t, size_t i)
{
    const struct sql_token *token = &t->at[i];

    if (sql_token_punct(token, ';')) {
        return "it must be one expression, without ';'";
    }
    if (token->kind == SQL_PARAM) {
        return "it must not hold parameters";
    }
    if (sql_token_is(token, "SELECT") || sql_token_is(token, "EXISTS") ||
        sql_token_is(token, "VALUES")) {
        return "it must read this row alone, without a sub-query";
    }
    if (sql_token_punct(token, '.')) {
        return "it must name columns without the table's name";
    }
    if (sql_token_is(token, "CURRENT_TIME") || sql_token_is(token, "CURRENT_DATE") ||
        sql_token_is(token, "CURRENT_TIMESTAMP") || string_is(token, "now") ||
        string_is(token, "localtime")) {
        return "it must give the same value for the same row every time";
    }
    if (i > 0 && sql_token_is(&t->at[i - 1], "IN") && !sql_token_punct(token, '(')) {
        return "it must read this row alone, without another table";
    }
    if (token->kind == SQL_QUOTED && i + 1 < t->count && sql_token_punct(&t->at[i + 1], '(')) {
        return "a function's name must stand without quotes";
    }
    return NULL;
}

static enum err_code check_call(const struct expression_tokens *t, size_t i,
                                const struct expression_names *names, const char *text,
                                struct err *err)
{
    const struct str word = t->at[i].text;
    const struct sql_function *f = sql_function_find(word);
    const char *nearest = sql_function_nearest(word), *why;

    if (f == NULL) {
        return err_set(err, ERR_INVALID,
                       "%.*s() cannot be used%s%s%s: only functions that every SQLite since 3.31 "
                       "has, that give the same value for the same row every time, and that never "
                       "fail, in: %.100s",
                       (int)(word.len < 40 ? word.len : 40), word.at,
                       nearest != NULL ? " (did you mean " : "", nearest != NULL ? nearest : "",
                       nearest != NULL ? "?)" : "", text);
    }
    why = expression_call_fault(t, i, f, names);
    return why != NULL ? err_set(err, ERR_INVALID, "%s: %s, in: %.100s", f->name, why, text)
                       : ERR_OK;
}

static enum err_code check_name(const struct expression_tokens *t, size_t i,
                                const struct expression_names *names, const char *text,
                                struct err *err)
{
    static const char *const rowids[] = {"rowid", "_rowid_", "oid"};
    const struct sql_token *token = &t->at[i];

    if (!expression_may_be_column(t, i) || expression_find(names, token) != EXPRESSION_NO_NAME) {
        return ERR_OK;
    }
    for (size_t k = 0; k < 3; k++) {
        if (sql_token_names(token, rowids[k])) {
            return err_set(err, ERR_INVALID, "%s is no column: name the key, in: %.100s", rowids[k],
                           text);
        }
    }
    return token->kind == SQL_QUOTED
               ? err_set(err, ERR_INVALID, "%.*s is no column of the table, in: %.100s",
                         (int)(token->text.len < 60 ? token->text.len : 60), token->text.at, text)
               : ERR_OK;
}

static enum err_code check(const char *text, const struct expression_names *names, bool constraint,
                           struct err *err)
{
    struct expression_tokens t;
    const char *why = NULL;
    int depth = 0;
    enum err_code rc = ERR_OK;

    expression_tokens_read(text, &t);
    if (t.too_many) {
        return err_set(err, ERR_LIMIT, "it has more than %u words and signs, in: %.100s",
                       EXPRESSION_TOKENS_MAX, text);
    }
    for (size_t i = 0; i < t.count && why == NULL && rc == ERR_OK; i++) {
        const struct sql_token *token = &t.at[i];
        depth += sql_token_punct(token, '(') ? 1 : sql_token_punct(token, ')') ? -1 : 0;
        why = forbidden(&t, i);
        why = why != NULL ? why : operator_fault(&t, i, constraint);
        why = why != NULL ? why : depth < 0 ? "a ')' without its '('" : NULL;
        if (why == NULL && expression_is_call(&t, i)) {
            rc = check_call(&t, i, names, text, err);
        } else if (why == NULL) {
            rc = check_name(&t, i, names, text, err);
        }
    }
    if (rc == ERR_OK && why == NULL && (t.unclosed || depth != 0 || t.count == 0)) {
        why = t.unclosed    ? "something quoted is never closed"
              : t.count > 0 ? "a '(' is never closed"
                            : "it is empty";
    }
    return rc || why == NULL ? rc : err_set(err, ERR_INVALID, "%s, in: %.100s", why, text);
}

enum err_code expression_check(const char *text, const struct expression_names *names,
                               struct err *err)
{
    return check(text, names, false, err);
}

enum err_code expression_check_constraint(const char *text, const struct expression_names *names,
                                          struct err *err)
{
    return check(text, names, true, err);
}
