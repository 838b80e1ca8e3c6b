/*
 * Which storage classes an expression's values can have: what a STRICT table must know before it
 * stores one, and JSON before it takes one.
 */
#include <string.h>
#include <strings.h>

#include "migrator/sql/expression_tokens.h"

/* Of CAST(x AS type), by the rules of affinity. */
static unsigned cast_classes(const struct expression_tokens *t, size_t from, size_t to)
{
    static const struct {
        const char *part;
        unsigned classes;
    } rules[] = {{"INT", SQL_INTEGER}, {"CHAR", SQL_TEXT}, {"CLOB", SQL_TEXT}, {"TEXT", SQL_TEXT},
                 {"BLOB", SQL_BLOB},   {"REAL", SQL_REAL}, {"FLOA", SQL_REAL}, {"DOUB", SQL_REAL}};

    for (size_t r = 0; r < sizeof rules / sizeof rules[0]; r++) {
        for (size_t i = from; i < to; i++) {
            const struct str word = t->at[i].text;
            size_t len = strlen(rules[r].part);
            for (size_t k = 0; k + len <= word.len; k++) {
                if (strncasecmp(word.at + k, rules[r].part, len) == 0) {
                    return rules[r].classes;
                }
            }
        }
    }
    return SQL_INTEGER | SQL_REAL;
}

static unsigned call_classes(const struct expression_tokens *t, size_t i,
                             const struct expression_names *names)
{
    const struct sql_function *f = sql_function_find(t->at[i].text);
    size_t close = expression_close(t, i + 1), at = i + 2;
    unsigned classes = 0;

    if (f == NULL) {
        return SQL_ANY;
    }
    if (f->result != SQL_OF_ARGUMENTS) {
        return f->result;
    }
    while (at < close) {
        size_t end = expression_argument_end(t, at, close);
        classes |= expression_range_classes(t, at, end, names);
        at = end + 1;
    }
    return classes;
}

/* One token, or one call. */
static unsigned operand_classes(const struct expression_tokens *t, size_t from, size_t to,
                                const struct expression_names *names)
{
    const struct sql_token *token = &t->at[from];

    if (to > from + 1) {
        if (sql_token_is(token, "CAST") && sql_token_punct(&t->at[from + 1], '(') &&
            expression_close(t, from + 1) == to - 1) {
            size_t as = to - 1;
            while (as > from && !sql_token_is(&t->at[as], "AS")) {
                as--;
            }
            return cast_classes(t, as + 1, to - 1);
        }
        return expression_is_call(t, from) && expression_close(t, from + 1) == to - 1
                   ? call_classes(t, from, names)
                   : SQL_ANY;
    }
    if (token->kind == SQL_STRING) {
        return token->text.at[0] == '\'' ? SQL_TEXT : SQL_BLOB;
    }
    if (token->kind == SQL_NUMBER) {
        for (size_t i = 0; i < token->text.len; i++) {
            if (token->text.at[i] < '0' || token->text.at[i] > '9') {
                return SQL_INTEGER | SQL_REAL;
            }
        }
        return token->text.len < 19 ? SQL_INTEGER : SQL_INTEGER | SQL_REAL;
    }
    if (sql_token_is(token, "NULL")) {
        return 0;
    }
    if (expression_may_be_column(t, from)) {
        size_t name = expression_find(names, token);
        return name != EXPRESSION_NO_NAME && names->classes != NULL ? names->classes[name]
                                                                    : SQL_ANY;
    }
    return SQL_ANY;
}

unsigned expression_range_classes(const struct expression_tokens *t, size_t from, size_t to,
                                  const struct expression_names *names)
{
    static const char *const logical[] = {"AND",     "OR",     "NOT",     "IS",   "IN",
                                          "BETWEEN", "ISNULL", "NOTNULL", "GLOB", "LIKE"};
    bool truth = false, bits = false, sums = false, joins = false;

    while (to > from + 1 && sql_token_punct(&t->at[from], '(') &&
           expression_close(t, from) == to - 1) {
        from++;
        to--;
    }
    if (to > from + 2 && sql_token_is(&t->at[to - 2], "COLLATE")) {
        to -= 2;
    }
    if (from >= to) {
        return SQL_ANY;
    }
    for (size_t i = from; i < to; i++) {
        const struct sql_token *token = &t->at[i];
        if (sql_token_punct(token, '(')) {
            i = expression_close(t, i);
            continue;
        }
        if (sql_token_is(token, "CASE")) {
            return SQL_ANY;
        }
        for (size_t k = 0; k < sizeof logical / sizeof logical[0]; k++) {
            truth = truth || sql_token_is(token, logical[k]);
        }
        if (expression_pair(t, i, '|', '|')) {
            joins = true;
            i++;
        } else if (expression_pair(t, i, '<', '<') || expression_pair(t, i, '>', '>')) {
            bits = true;
            i++;
        } else if (token->kind == SQL_PUNCT) {
            truth = truth || strchr("=<>!", *token->text.at) != NULL;
            bits = bits || strchr("&|~", *token->text.at) != NULL;
            sums = sums || strchr("+-*/%", *token->text.at) != NULL;
        }
    }
    if (truth || bits) {
        return SQL_INTEGER;
    }
    if (sums && !joins) { /* a '+' in front leaves what it finds */
        return sql_token_punct(&t->at[from], '+') ? SQL_ANY : SQL_INTEGER | SQL_REAL;
    }
    if (joins && !sums) {
        return SQL_TEXT;
    }
    return sums ? SQL_ANY : operand_classes(t, from, to, names);
}

unsigned expression_classes(const char *text, const struct expression_names *names)
{
    struct expression_tokens t;

    expression_tokens_read(text, &t);
    return expression_range_classes(&t, 0, t.count, names);
}
