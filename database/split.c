/*
 * database_split() - a script as statements.
 *
 * A trigger's body holds semicolons. As sqlite3_complete() does, a CREATE TRIGGER ends at an END
 * that directly follows a semicolon: an END of CASE never does.
 */
#include <stdlib.h>

#include "database/database.h"
#include "database/sql_scan.h"

struct pieces {
    struct str *at;
    size_t count, room;
};

static bool pieces_add(struct pieces *pieces, const char *from, const char *to)
{
    if (pieces->count == pieces->room) {
        size_t room = pieces->room == 0 ? 16 : pieces->room * 2;
        struct str *grown = realloc(pieces->at, room * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        pieces->at = grown;
        pieces->room = room;
    }
    pieces->at[pieces->count++] = (struct str){from, (size_t)(to - from)};
    return true;
}

/* How far a statement's first tokens are those of [EXPLAIN ...] CREATE [TEMP] TRIGGER. */
enum opening { OPENS_NOTHING_YET, OPENS_EXPLAIN, OPENS_CREATE, OPENS_TRIGGER, OPENS_OTHERWISE };

/* What is known of the statement being read. */
struct progress_of_statement {
    const char *from, *to; /* first token's begin, last token's end; from NULL: no token yet */
    enum opening opening;
    bool after_semicolon;     /* the token before was ';' */
    bool after_semicolon_end; /* the two before were '; END' */
};

static bool is_one_of(const struct sql_token *token, const char *const *words)
{
    while (*words != NULL && !sql_token_is(token, *words)) {
        words++;
    }
    return *words != NULL;
}

static enum opening opening_after(enum opening opening, const struct sql_token *token)
{
    static const char *const temp[] = {"TEMP", "TEMPORARY", NULL};
    static const char *const not_behind_explain[] = {"TEMP", "TEMPORARY", "TRIGGER",
                                                     "END",  "EXPLAIN",   NULL};

    switch (opening) {
    case OPENS_NOTHING_YET:
        return sql_token_is(token, "CREATE")    ? OPENS_CREATE
               : sql_token_is(token, "EXPLAIN") ? OPENS_EXPLAIN
                                                : OPENS_OTHERWISE;
    case OPENS_EXPLAIN:
        return sql_token_is(token, "CREATE")          ? OPENS_CREATE
               : is_one_of(token, not_behind_explain) ? OPENS_OTHERWISE
                                                      : OPENS_EXPLAIN;
    case OPENS_CREATE:
        return sql_token_is(token, "TRIGGER") ? OPENS_TRIGGER
               : is_one_of(token, temp)       ? OPENS_CREATE
                                              : OPENS_OTHERWISE;
    case OPENS_TRIGGER:
    case OPENS_OTHERWISE: break;
    }
    return opening;
}

static void note_token(struct progress_of_statement *now, const struct sql_token *token)
{
    bool semicolon = sql_token_punct(token, ';');

    if (now->from == NULL) {
        now->from = token->text.at;
    }
    now->opening = opening_after(now->opening, token);
    now->after_semicolon_end = now->after_semicolon && sql_token_is(token, "END");
    now->after_semicolon = semicolon;
    now->to = token->text.at + token->text.len;
}

static int line_of(struct str text, const char *at)
{
    int line = 1;

    for (const char *p = text.at; p < at; p++) {
        line += *p == '\n';
    }
    return line;
}

enum err_code database_split(struct str text, struct str **out, size_t *count, struct err *err)
{
    struct sql_scan scan = sql_scan_start(text);
    struct progress_of_statement now = {0};
    struct pieces pieces = {0};
    struct sql_token token;

    while (sql_scan_next(&scan, &token)) {
        bool ends = sql_token_punct(&token, ';') &&
                    (now.opening != OPENS_TRIGGER || now.after_semicolon_end);
        if (!ends) {
            note_token(&now, &token);
            continue;
        }
        if (now.from != NULL && !pieces_add(&pieces, now.from, now.to)) {
            goto no_memory;
        }
        now = (struct progress_of_statement){0};
    }
    if (scan.unterminated != NULL) {
        free(pieces.at);
        return err_set(err, ERR_INVALID, "line %d: this %s is never closed",
                       line_of(text, scan.unterminated), scan.unterminated_kind);
    }
    if (now.from != NULL && !pieces_add(&pieces, now.from, now.to)) {
        goto no_memory;
    }
    *out = pieces.at;
    *count = pieces.count;
    return ERR_OK;

no_memory:
    free(pieces.at);
    return err_set(err, ERR_NOMEM, "out of memory");
}
