/*
 * What the ALTER TABLE statements of a work speak of.
 */
#include "migrator/change/aside_parts.h"

#define NAMES_MAX 3u /* its table, and one or two names more */

enum verb { OTHER, ADD, DROP, RENAME };

struct alter {
    enum verb verb;
    const char *names[NAMES_MAX]; /* the table first */
    size_t count;
};

bool aside_token_names(struct sql_token token, const char *name)
{
    if (token.kind == SQL_STRING && *token.text.at == '\'') {
        token.kind = SQL_QUOTED;
    }
    return sql_token_names(&token, name);
}

/* The name that a token is, without its quotes. */
static enum err_code add_plain(struct aside *a, const struct sql_token *token, struct alter *alter)
{
    struct str text = token->text;
    bool quoted = token->kind == SQL_QUOTED || token->kind == SQL_STRING;
    char close = text.at[text.len - 1];
    char *name = quoted ? arena_text(&a->arena, text.at + 1, text.len - 2)
                        : arena_text(&a->arena, text.at, text.len);
    char *to = name;

    if (name == NULL) {
        return err_set(a->err, ERR_NOMEM, "out of memory");
    }
    for (const char *from = name; quoted && *from != '\0'; from++) { /* doubled quotes count once */
        *to++ = *from;
        from += *from == close && from[1] == close && close != ']';
    }
    *(quoted ? to : name + text.len) = '\0';
    alter->names[alter->count++] = name;
    return ERR_OK;
}

/* ALTER TABLE t: RENAME TO u, RENAME [COLUMN] a TO b, DROP [COLUMN] a, ADD ... */
static enum err_code read_alter(struct aside *a, const char *sql, struct alter *out)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token, table;
    enum err_code rc;

    *out = (struct alter){.verb = OTHER};
    if (!sql_scan_next(&scan, &token) || !sql_token_is(&token, "ALTER") ||
        !sql_scan_next(&scan, &token) || !sql_token_is(&token, "TABLE") ||
        !sql_scan_next(&scan, &table)) {
        return ERR_OK;
    }
    while (sql_scan_next(&scan, &token) && sql_token_punct(&token, '.')) { /* main.t */
        (void)sql_scan_next(&scan, &table);
    }
    out->verb = sql_token_is(&token, "RENAME") ? RENAME
                : sql_token_is(&token, "DROP") ? DROP
                : sql_token_is(&token, "ADD")  ? ADD
                                               : OTHER;
    rc = out->verb != OTHER ? add_plain(a, &table, out) : ERR_OK;
    while (rc == ERR_OK && out->verb > ADD && out->count < NAMES_MAX &&
           sql_scan_next(&scan, &token)) {
        if (!sql_token_is(&token, "COLUMN") && !sql_token_is(&token, "TO")) {
            rc = add_plain(a, &token, out);
        }
    }
    return rc;
}

static void add_name(struct aside_names *list, const char *name)
{
    list->at[list->count++] = name;
}

static void note(struct aside *a, const struct alter *alter)
{
    bool table = alter->verb == RENAME && alter->count == 2; /* RENAME TO */

    a->adds = a->adds || alter->verb == ADD;
    a->rewrites += alter->verb > ADD;
    for (size_t i = 0; i < alter->count; i++) {
        if (i == 0 || table) {
            add_name(&a->sources, alter->names[i]);
        }
        if (i > 0 || table) {
            add_name(&a->altered, alter->names[i]);
        }
        if ((i > 0 || table) && alter->verb == RENAME) {
            add_name(&a->renamed, alter->names[i]);
        }
    }
}

enum err_code aside_read_statements(struct aside *a)
{
    size_t room = a->work->count * NAMES_MAX + 1;
    enum err_code rc = ERR_OK;

    a->sources.at = arena_zero(&a->arena, room, sizeof *a->sources.at);
    a->renamed.at = arena_zero(&a->arena, room, sizeof *a->renamed.at);
    a->altered.at = arena_zero(&a->arena, room, sizeof *a->altered.at);
    if (a->sources.at == NULL || a->renamed.at == NULL || a->altered.at == NULL) {
        return err_set(a->err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == ERR_OK && i < a->work->count; i++) {
        struct alter alter;
        rc = read_alter(a, a->work->statements[i].sql, &alter);
        if (rc == ERR_OK) {
            note(a, &alter);
        }
    }
    return rc;
}
