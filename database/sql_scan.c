#include "database/sql_scan.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool is_word_start(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(unsigned char c)
{
    return is_word_start(c) || is_digit(c) || c == '$';
}

static bool is_blank(unsigned char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

struct sql_scan sql_scan_start(struct str text)
{
    const char *at = text.at != NULL ? text.at : "";

    return (struct sql_scan){at, at + text.len, NULL, NULL};
}

static bool unclosed(struct sql_scan *scan, const char *from, const char *kind)
{
    scan->unterminated = from;
    scan->unterminated_kind = kind;
    scan->at = scan->end;
    return false;
}

/* Passes over blanks and comments; false at something unclosed. */
static bool skip_blank(struct sql_scan *scan)
{
    while (scan->at < scan->end) {
        if (is_blank((unsigned char)*scan->at)) {
            scan->at++;
        } else if (scan->end - scan->at >= 2 && scan->at[0] == '-' && scan->at[1] == '-') {
            while (scan->at < scan->end && *scan->at != '\n') {
                scan->at++;
            }
        } else if (scan->end - scan->at >= 2 && scan->at[0] == '/' && scan->at[1] == '*') {
            const char *from = scan->at;
            scan->at += 2;
            while (scan->end - scan->at >= 2 && !(scan->at[0] == '*' && scan->at[1] == '/')) {
                scan->at++;
            }
            if (scan->end - scan->at < 2) {
                return unclosed(scan, from, "comment");
            }
            scan->at += 2;
        } else {
            break;
        }
    }
    return true;
}

/* Passes over a quoted piece; a doubled closing quote is part of it (not in [brackets]). */
static bool skip_quoted(struct sql_scan *scan, char close, const char *kind)
{
    const char *from = scan->at;

    scan->at++;
    while (scan->at < scan->end) {
        if (*scan->at++ != close) {
            continue;
        }
        if (close != ']' && scan->at < scan->end && *scan->at == close) {
            scan->at++;
            continue;
        }
        return true;
    }
    return unclosed(scan, from, kind);
}

static void skip_number(struct sql_scan *scan)
{
    const char *at = scan->at;

    while (at < scan->end && (is_word((unsigned char)*at) || *at == '.' ||
                              ((*at == '+' || *at == '-') && (at[-1] == 'e' || at[-1] == 'E') &&
                               scan->at[0] != '0'))) {
        at++;
    }
    scan->at = at;
}

static enum sql_token_kind kind_at(const struct sql_scan *scan)
{
    unsigned char c = (unsigned char)*scan->at;
    unsigned char next = scan->end - scan->at > 1 ? (unsigned char)scan->at[1] : 0;

    if (c == '\'' || ((c == 'x' || c == 'X') && next == '\'')) {
        return SQL_STRING;
    }
    if (c == '"' || c == '`' || c == '[') {
        return SQL_QUOTED;
    }
    if (is_word_start(c)) {
        return SQL_WORD;
    }
    if (is_digit(c) || (c == '.' && is_digit(next))) {
        return SQL_NUMBER;
    }
    if (c == '?' || ((c == ':' || c == '@' || c == '$') && is_word(next))) {
        return SQL_PARAM;
    }
    return SQL_PUNCT;
}

bool sql_scan_next(struct sql_scan *scan, struct sql_token *token)
{
    const char *from;
    bool whole = true;

    if (scan->unterminated != NULL || !skip_blank(scan) || scan->at >= scan->end) {
        return false;
    }
    from = scan->at;
    token->kind = kind_at(scan);
    switch (token->kind) {
    case SQL_STRING:
        scan->at += *from != '\''; /* x'..' */
        whole = skip_quoted(scan, '\'', "string");
        break;
    case SQL_QUOTED: whole = skip_quoted(scan, *from == '[' ? ']' : *from, "quoted name"); break;
    case SQL_NUMBER: skip_number(scan); break;
    case SQL_WORD:
    case SQL_PARAM:
        scan->at++;
        while (scan->at < scan->end && is_word((unsigned char)*scan->at)) {
            scan->at++;
        }
        break;
    case SQL_PUNCT: scan->at++; break;
    }
    token->text = (struct str){from, (size_t)(scan->at - from)};
    return whole;
}

bool sql_token_is(const struct sql_token *token, const char *keyword)
{
    return token->kind == SQL_WORD && strlen(keyword) == token->text.len &&
           strncasecmp(token->text.at, keyword, token->text.len) == 0;
}

bool sql_token_punct(const struct sql_token *token, char c)
{
    return token->kind == SQL_PUNCT && *token->text.at == c;
}

/* Compares a quoted name with plain text: doubled quotes count once. */
static bool quoted_names(struct str quoted, const char *name, size_t len)
{
    char close = quoted.at[quoted.len - 1];
    size_t at = 0;

    for (size_t i = 1; i + 1 < quoted.len; i++, at++) {
        if (at >= len || strncasecmp(&quoted.at[i], &name[at], 1) != 0) {
            return false;
        }
        i += quoted.at[i] == close && close != ']';
    }
    return at == len;
}

static bool names(const struct sql_token *token, const char *name, size_t len)
{
    if (token->kind == SQL_WORD) {
        return len == token->text.len && strncasecmp(token->text.at, name, len) == 0;
    }
    return token->kind == SQL_QUOTED && token->text.len >= 2 &&
           quoted_names(token->text, name, len);
}

bool sql_token_names(const struct sql_token *token, const char *name)
{
    return names(token, name, strlen(name));
}

static bool same_token(const struct sql_token *a, const struct sql_token *b)
{
    if (a->kind == SQL_WORD) {
        return names(b, a->text.at, a->text.len);
    }
    if (b->kind == SQL_WORD) {
        return names(a, b->text.at, b->text.len);
    }
    if (a->kind == SQL_QUOTED && b->kind == SQL_QUOTED && a->text.at[0] != b->text.at[0]) {
        return a->text.len == b->text.len && a->text.len >= 2 &&
               memcmp(a->text.at + 1, b->text.at + 1, a->text.len - 2) == 0;
    }
    return a->kind == b->kind && str_equal(a->text, b->text);
}

bool sql_same_tokens(struct str a, struct str b)
{
    struct sql_scan scan_a = sql_scan_start(a), scan_b = sql_scan_start(b);
    struct sql_token token_a, token_b;

    for (;;) {
        bool more_a = sql_scan_next(&scan_a, &token_a);
        bool more_b = sql_scan_next(&scan_b, &token_b);
        if (!more_a || !more_b) {
            return !more_a && !more_b && scan_a.unterminated == NULL && scan_b.unterminated == NULL;
        }
        if (!same_token(&token_a, &token_b)) {
            return false;
        }
    }
}
