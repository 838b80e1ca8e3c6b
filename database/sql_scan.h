/*
 * sql_scan - SQL text as tokens: enough to split a script, to find a column's definition and to
 * see which names an expression uses. It is no parser.
 *
 *     struct sql_scan scan = sql_scan_start(text);
 *     struct sql_token token;
 *     while (sql_scan_next(&scan, &token)) { ... token.kind, token.text ... }
 *     if (scan.unterminated != NULL) ...
 *
 * Pure functions; any thread.
 */
#ifndef DATABASE_SQL_SCAN_H
#define DATABASE_SQL_SCAN_H

#include <stdbool.h>

#include "base/str.h"

enum sql_token_kind {
    SQL_WORD,   /* keyword or bare name */
    SQL_QUOTED, /* "name", `name` or [name], quotes included */
    SQL_STRING, /* 'text' and x'00', quotes included */
    SQL_NUMBER,
    SQL_PARAM, /* ?1 :name @name $name */
    SQL_PUNCT  /* one character */
};

struct sql_token {
    enum sql_token_kind kind;
    struct str text; /* borrowed from the scanned text */
};

struct sql_scan {
    const char *at, *end;
    const char *unterminated;      /* where an unclosed string, name or comment begins, or NULL */
    const char *unterminated_kind; /* "string", "quoted name", "comment" */
};

struct sql_scan sql_scan_start(struct str text);
/* The next token, blanks and comments passed over. false at the end or at something unclosed. */
bool sql_scan_next(struct sql_scan *scan, struct sql_token *token);

/* Whether the token is this keyword, in any case ("NOT"). */
bool sql_token_is(const struct sql_token *token, const char *keyword);
/* Whether the token is this one character. */
bool sql_token_punct(const struct sql_token *token, char c);
/* Whether the token names what name names: quotes taken off, ASCII case ignored. */
bool sql_token_names(const struct sql_token *token, const char *name);

/* Whether two texts have the same tokens (blanks and comments do not count, case of bare words
 * does not, quotes around names do not). */
bool sql_same_tokens(struct str a, struct str b);

#endif
