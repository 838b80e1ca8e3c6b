#include "migrator/expression.h"

#include <string.h>
#include <strings.h>

#include "database/sql_scan.h"

#define NOT_FOUND ((size_t)-1)

/* Whether the token may name a column: not a function, nor what follows AS in CAST, COLLATE or a
 * dot. */
struct context {
    struct sql_token before, token, after;
    bool has_after;
};

/* Walks with one token of sight to both sides. */
struct walk {
    struct sql_scan scan;
    struct context now;
    bool started, more;
};

static bool walk_next(struct walk *walk)
{
    if (!walk->started) {
        walk->started = true;
        walk->more = sql_scan_next(&walk->scan, &walk->now.token);
        if (!walk->more) {
            return false;
        }
    } else {
        if (!walk->now.has_after) {
            return false;
        }
        walk->now.before = walk->now.token;
        walk->now.token = walk->now.after;
    }
    walk->now.has_after = sql_scan_next(&walk->scan, &walk->now.after);
    return true;
}

static bool may_be_column(const struct context *now)
{
    if (now->token.kind != SQL_WORD && now->token.kind != SQL_QUOTED) {
        return false;
    }
    if (now->has_after && sql_token_punct(&now->after, '(') && now->token.kind == SQL_WORD) {
        return false;
    }
    return now->before.text.at == NULL ||
           !(sql_token_is(&now->before, "AS") || sql_token_is(&now->before, "COLLATE"));
}

static size_t find(const struct expression_names *names, const struct sql_token *token)
{
    for (size_t i = 0; i < names->count; i++) {
        if (sql_token_names(token, names->names[i])) {
            return i;
        }
    }
    return NOT_FOUND;
}

static const char *forbidden(const struct context *now)
{
    static const struct {
        const char *word;
        bool function; /* a column may be called so */
    } unsteady[] = {{"CURRENT_TIME", false},      {"CURRENT_DATE", false},
                    {"CURRENT_TIMESTAMP", false}, {"random", true},
                    {"randomblob", true},         {"changes", true},
                    {"total_changes", true},      {"last_insert_rowid", true}};
    const struct sql_token *token = &now->token;

    if (sql_token_punct(token, ';')) {
        return "it must be one expression, without ';'";
    }
    if (token->kind == SQL_PARAM) {
        return "it must not hold parameters";
    }
    if (sql_token_is(token, "SELECT") || sql_token_is(token, "EXISTS")) {
        return "it must read this row alone, without a sub-query";
    }
    if (sql_token_punct(token, '.')) {
        return "it must name columns without the table's name";
    }
    for (size_t i = 0; i < sizeof unsteady / sizeof unsteady[0]; i++) {
        if (sql_token_is(token, unsteady[i].word) &&
            (!unsteady[i].function || !may_be_column(now))) {
            return "it must give the same value for the same row every time";
        }
    }
    if ((sql_token_is(token, "iif") || sql_token_is(token, "floor") ||
         sql_token_is(token, "unixepoch")) &&
        !may_be_column(now)) {
        return "an application's older SQLite may not have that function";
    }
    if (sql_token_is(token, "VALUES")) {
        return "it must read this row alone, without a sub-query";
    }
    if (now->before.text.at != NULL && sql_token_is(&now->before, "IN") &&
        !sql_token_punct(token, '(')) {
        return "it must read this row alone, without another table";
    }
    if (token->kind == SQL_STRING && token->text.len == 11 &&
        strncasecmp(token->text.at, "'localtime'", 11) == 0) {
        return "it must give the same value for the same row every time";
    }
    if (sql_token_punct(token, '(') && now->has_after && sql_token_punct(&now->after, ')') &&
        (sql_token_is(&now->before, "datetime") || sql_token_is(&now->before, "date") ||
         sql_token_is(&now->before, "time") || sql_token_is(&now->before, "julianday"))) {
        return "it must give the same value for the same row every time";
    }
    if (token->kind == SQL_STRING && token->text.len == 5 &&
        strncasecmp(token->text.at, "'now'", 5) == 0) {
        return "it must give the same value for the same row every time";
    }
    return NULL;
}

enum err_code expression_check(const char *text, const struct expression_names *names,
                               struct err *err)
{
    struct walk walk = {.scan = sql_scan_start(str_of(text))};
    int depth = 0;
    bool any = false;

    while (walk_next(&walk)) {
        const struct sql_token *token = &walk.now.token;
        const char *why = forbidden(&walk.now);
        any = true;
        depth += sql_token_punct(token, '(') ? 1 : sql_token_punct(token, ')') ? -1 : 0;
        if (why == NULL && depth < 0) {
            why = "a ')' without its '('";
        }
        if (why == NULL && token->kind == SQL_QUOTED && find(names, token) == NOT_FOUND) {
            return err_set(err, ERR_INVALID, "%.*s is no column of the table, in: %.100s",
                           (int)(token->text.len < 60 ? token->text.len : 60), token->text.at,
                           text);
        }
        if (why != NULL) {
            return err_set(err, ERR_INVALID, "%s, in: %.100s", why, text);
        }
    }
    if (walk.scan.unterminated != NULL || depth != 0 || !any) {
        return err_set(err, ERR_INVALID, "%s, in: %.100s",
                       walk.scan.unterminated != NULL ? "something quoted is never closed"
                       : any                          ? "a '(' is never closed"
                                                      : "it is empty",
                       text);
    }
    return ERR_OK;
}

bool expression_uses(const char *text, const char *column)
{
    struct walk walk = {.scan = sql_scan_start(str_of(text))};

    while (walk_next(&walk)) {
        if (may_be_column(&walk.now) && sql_token_names(&walk.now.token, column)) {
            return true;
        }
    }
    return false;
}

void expression_write(const char *text, const struct expression_names *names, const char *prefix,
                      struct buf *out)
{
    struct walk walk = {.scan = sql_scan_start(str_of(text))};
    const char *end = NULL;

    while (walk_next(&walk)) {
        const struct sql_token *token = &walk.now.token;
        size_t i = may_be_column(&walk.now) ? find(names, token) : NOT_FOUND;

        if (end != NULL && end != token->text.at) {
            buf_char(out, ' '); /* blanks, line ends and comments: one line, LF, no comments */
        }
        end = token->text.at + token->text.len;
        if (i == NOT_FOUND) {
            buf_add(out, token->text.at, token->text.len);
            continue;
        }
        buf_text(out, prefix);
        buf_sql_name(out,
                     str_of(names->written != NULL && names->written[i] != NULL ? names->written[i]
                                                                                : names->names[i]));
    }
}
