#include "migrator/sql/expression_tokens.h"

#include <string.h>
#include <strings.h>

/* ---- tokens ---- */

void expression_tokens_read(const char *text, struct expression_tokens *out)
{
    struct sql_scan scan = sql_scan_start(str_of(text));
    struct sql_token token;

    out->count = 0;
    out->too_many = false;
    while (sql_scan_next(&scan, &token)) {
        if (out->count == EXPRESSION_TOKENS_MAX) {
            out->too_many = true;
            break;
        }
        out->at[out->count++] = token;
    }
    out->unclosed = scan.unterminated != NULL;
}

static bool opens(const struct expression_tokens *t, size_t i)
{
    return i < t->count && sql_token_punct(&t->at[i], '(');
}

bool expression_may_be_column(const struct expression_tokens *t, size_t i)
{
    const struct sql_token *token = &t->at[i];

    if (token->kind != SQL_WORD && token->kind != SQL_QUOTED) {
        return false;
    }
    if (token->kind == SQL_WORD && opens(t, i + 1)) {
        return false;
    }
    return i == 0 || !(sql_token_is(&t->at[i - 1], "AS") || sql_token_is(&t->at[i - 1], "COLLATE"));
}

size_t expression_find(const struct expression_names *names, const struct sql_token *token)
{
    for (size_t i = 0; i < names->count; i++) {
        if (sql_token_names(token, names->names[i])) {
            return i;
        }
    }
    return EXPRESSION_NO_NAME;
}

bool expression_is_call(const struct expression_tokens *t, size_t i)
{
    static const char *const words[] = {"AND",  "OR",       "NOT",    "IN",   "IS",    "BETWEEN",
                                        "CASE", "WHEN",     "THEN",   "ELSE", "CAST",  "LIKE",
                                        "GLOB", "AS",       "ESCAPE", "END",  "MATCH", "REGEXP",
                                        "NULL", "DISTINCT", "FROM"};

    if (t->at[i].kind != SQL_WORD || !opens(t, i + 1) ||
        (i > 0 && sql_token_is(&t->at[i - 1], "AS"))) { /* CAST(x AS DECIMAL(10, 2)) */
        return false;
    }
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++) {
        if (sql_token_is(&t->at[i], words[k])) {
            return false;
        }
    }
    return true;
}

size_t expression_close(const struct expression_tokens *t, size_t open)
{
    size_t depth = 0, i = open;

    for (; i < t->count; i++) {
        depth += sql_token_punct(&t->at[i], '(');
        if (sql_token_punct(&t->at[i], ')') && --depth == 0) {
            break;
        }
    }
    return i;
}

size_t expression_argument_end(const struct expression_tokens *t, size_t from, size_t close)
{
    size_t i = from;

    while (i < close && !sql_token_punct(&t->at[i], ',')) {
        i = opens(t, i) ? expression_close(t, i) + 1 : i + 1;
    }
    return i < close ? i : close;
}

bool expression_pair(const struct expression_tokens *t, size_t i, char first, char second)
{
    return i + 1 < t->count && sql_token_punct(&t->at[i], first) &&
           sql_token_punct(&t->at[i + 1], second) && t->at[i + 1].text.at == t->at[i].text.at + 1;
}

/* ---- questions ---- */

bool expression_uses(const char *text, const char *column)
{
    struct expression_tokens t;

    expression_tokens_read(text, &t);
    for (size_t i = 0; i < t.count; i++) {
        if (expression_may_be_column(&t, i) && sql_token_names(&t.at[i], column)) {
            return true;
        }
    }
    return false;
}

bool expression_is(const char *text, const char *column)
{
    struct expression_tokens t;

    expression_tokens_read(text, &t);
    return t.count == 1 && !t.unclosed && expression_may_be_column(&t, 0) &&
           sql_token_names(&t.at[0], column);
}

bool expression_may_fail(const char *text)
{
    struct expression_tokens t;

    expression_tokens_read(text, &t);
    for (size_t i = 0; i < t.count; i++) {
        const struct sql_function *f =
            expression_is_call(&t, i) ? sql_function_find(t.at[i].text) : NULL;
        if (f != NULL && f->guard != SQL_GUARD_NONE) {
            return true;
        }
    }
    return false;
}

/* ---- writing ---- */

struct writing {
    const struct expression_tokens *t;
    const struct expression_names *names;
    const char *prefix;
    struct buf *out;
    const char *end; /* of the token before, where one follows it without a blank */
};

static void write_range(struct writing *w, size_t from, size_t to);

static void write_guarded(struct writing *w, enum sql_guard guard, size_t from, size_t to)
{
    static const char *const times[] = {"now", "subsec", "subsecond"};

    w->end = NULL;
    switch (guard) {
    case SQL_GUARD_JSON: /* appended: nothing, or NULL, which takes the rest with it */
        buf_text(w->out, "((");
        write_range(w, from, to);
        buf_text(w->out, ") || substr(nullif(json_valid(");
        w->end = NULL;
        write_range(w, from, to);
        buf_text(w->out, "), 0), 2))");
        break;
    case SQL_GUARD_MIN:
        buf_text(w->out, "nullif(");
        write_range(w, from, to);
        buf_text(w->out, ", -9223372036854775808)");
        break;
    case SQL_GUARD_TIME:
        for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
            buf_text(w->out, "nullif((");
        }
        write_range(w, from, to);
        for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
            buf_print(w->out, ") COLLATE NOCASE, '%s')", times[i]);
        }
        break;
    case SQL_GUARD_NONE: write_range(w, from, to); break;
    }
    w->end = NULL;
}

/* The call at token i; returns its ')'. */
static size_t write_call(struct writing *w, size_t i, const struct sql_function *f)
{
    size_t close = expression_close(w->t, i + 1), at = i + 2;

    buf_add(w->out, w->t->at[i].text.at, w->t->at[i].text.len);
    buf_char(w->out, '(');
    w->end = NULL;
    for (size_t k = 0; at < close; k++) {
        size_t end = expression_argument_end(w->t, at, close);
        bool literal =
            end == at + 1 && (w->t->at[at].kind == SQL_STRING || w->t->at[at].kind == SQL_NUMBER);
        bool guarded = k >= f->guarded_from && k < f->guarded_to;
        buf_text(w->out, k > 0 ? ", " : "");
        w->end = NULL;
        write_guarded(
            w, guarded && !(literal && f->guard != SQL_GUARD_JSON) ? f->guard : SQL_GUARD_NONE, at,
            end);
        at = end + 1;
    }
    buf_char(w->out, ')');
    w->end = close < w->t->count ? w->t->at[close].text.at + 1 : NULL;
    return close;
}

static void write_range(struct writing *w, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        const struct sql_token *token = &w->t->at[i];
        const struct sql_function *f =
            expression_is_call(w->t, i) ? sql_function_find(token->text) : NULL;
        size_t name = expression_may_be_column(w->t, i) ? expression_find(w->names, token)
                                                        : EXPRESSION_NO_NAME;

        if (w->end != NULL && w->end != token->text.at) {
            buf_char(w->out, ' '); /* blanks, line ends and comments: one line, LF, no comments */
        }
        w->end = token->text.at + token->text.len;
        if (f != NULL && f->guard != SQL_GUARD_NONE) {
            i = write_call(w, i, f);
        } else if (name == EXPRESSION_NO_NAME) {
            buf_add(w->out, token->text.at, token->text.len);
        } else {
            const char *const *written = w->names->written;
            buf_text(w->out, w->prefix);
            buf_sql_name(w->out,
                         str_of(written != NULL && written[name] != NULL ? written[name]
                                                                         : w->names->names[name]));
        }
    }
}

void expression_write(const char *text, const struct expression_names *names, const char *prefix,
                      struct buf *out)
{
    struct expression_tokens t;
    struct writing w = {&t, names, prefix, out, NULL};

    expression_tokens_read(text, &t);
    write_range(&w, 0, t.count);
}
