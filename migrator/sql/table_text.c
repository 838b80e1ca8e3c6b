#include "migrator/sql/table_text.h"

#include "database/sql_scan.h"

/* ---- items: what stands between the commas of CREATE TABLE x( ... ) ---- */

static bool starts_constraint(const struct sql_token *token)
{
    static const char *const words[] = {"CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (sql_token_is(token, words[i])) {
            return true;
        }
    }
    return false;
}

static int depth_after(const struct sql_token *token, int depth)
{
    return sql_token_punct(token, '(')   ? depth + 1
           : sql_token_punct(token, ')') ? depth - 1
                                         : depth;
}

/* SQLite takes 'text' for a name where only a name can stand. */
static bool names_column(struct sql_token token, const char *column)
{
    if (token.kind == SQL_STRING && token.text.at[0] == '\'') {
        token.kind = SQL_QUOTED;
    }
    return sql_token_names(&token, column);
}

bool table_text_column(struct str sql, const char *column, struct str *definition)
{
    struct sql_scan scan = sql_scan_start(sql);
    struct sql_token token;
    const char *from = NULL, *to = NULL;
    bool first = false, wanted = false;
    int depth = 0;

    while (sql_scan_next(&scan, &token)) {
        bool ends = depth == 1 && (sql_token_punct(&token, ',') || sql_token_punct(&token, ')'));
        if (ends && wanted) {
            *definition = (struct str){from, (size_t)(to - from)};
            return true;
        }
        if (ends || (depth == 0 && sql_token_punct(&token, '('))) {
            first = true;
            wanted = false;
        } else if (depth >= 1 && first) {
            first = false;
            wanted = !starts_constraint(&token) && names_column(token, column);
            from = token.text.at;
        }
        to = token.text.at + token.text.len;
        depth = depth_after(&token, depth);
        if (depth == 0 && first && ends) {
            break;
        }
    }
    return false;
}

bool table_text_bare_name(struct str definition)
{
    struct sql_scan scan = sql_scan_start(definition);
    struct sql_token token;

    return sql_scan_next(&scan, &token) && token.kind == SQL_WORD;
}

/* ---- NOT NULL ---- */

struct span {
    const char *from, *to;
};

/* The constraint NOT NULL with its name and conflict clause. */
static bool find_not_null(struct str definition, struct span *out)
{
    struct sql_scan scan = sql_scan_start(definition);
    struct sql_token token, before = {0}, named = {0}, name = {0};
    bool found = false;
    int depth = 0, conflict = 0;

    while (sql_scan_next(&scan, &token)) {
        if (found) {
            /* ON CONFLICT word */
            bool goes_on = (conflict == 0 && sql_token_is(&token, "ON")) ||
                           (conflict == 1 && sql_token_is(&token, "CONFLICT")) || conflict == 2;
            if (!goes_on) {
                return true;
            }
            if (++conflict == 3) {
                out->to = token.text.at + token.text.len;
                return true;
            }
            continue;
        }
        if (depth == 0 && sql_token_is(&token, "NULL") && sql_token_is(&before, "NOT")) {
            bool has_name =
                named.text.at != NULL && name.text.at != NULL && named.text.at < before.text.at;
            out->from = has_name ? named.text.at : before.text.at;
            out->to = token.text.at + token.text.len;
            found = true;
        }
        if (depth == 0 && sql_token_is(&token, "CONSTRAINT")) {
            named = token;
            name = (struct sql_token){0};
        } else if (named.text.at != NULL && name.text.at == NULL) {
            name = token;
        } else if (!sql_token_is(&token, "NOT")) {
            named = (struct sql_token){0}; /* the name was another constraint's */
        }
        before = token;
        depth = depth_after(&token, depth);
    }
    return found;
}

bool table_text_loosen(struct str definition, struct buf *out)
{
    struct span span = {0};
    const char *end = definition.at + definition.len;

    if (!find_not_null(definition, &span)) {
        return false;
    }
    while (span.from > definition.at && (span.from[-1] == ' ' || span.from[-1] == '\t')) {
        span.from--;
    }
    buf_add(out, definition.at, (size_t)(span.from - definition.at));
    buf_add(out, span.to, (size_t)(end - span.to));
    return true;
}

/* ---- DEFAULT and CHECK ---- */

const char *table_text_default(struct str definition, struct arena *arena)
{
    struct sql_scan scan = sql_scan_start(definition);
    struct sql_token token;
    const char *from = NULL;
    int depth = 0;

    while (sql_scan_next(&scan, &token)) {
        bool sign = sql_token_punct(&token, '-') || sql_token_punct(&token, '+');
        depth = depth_after(&token, depth);
        if (from == NULL && depth == 0 && sql_token_is(&token, "DEFAULT")) {
            from = token.text.at + token.text.len;
        } else if (from != NULL && depth == 0 && !sign) { /* a literal, or the ')' */
            return arena_text(arena, from, (size_t)(token.text.at + token.text.len - from));
        }
    }
    return NULL;
}

void table_text_checks(struct str definition, struct buf *out)
{
    struct sql_scan scan = sql_scan_start(definition);
    struct sql_token token, before = {0};
    const char *from = NULL;
    int depth = 0, inside = 0;

    while (sql_scan_next(&scan, &token)) {
        depth = depth_after(&token, depth);
        if (inside == 0 && sql_token_punct(&token, '(') && sql_token_is(&before, "CHECK")) {
            inside = depth;
            from = token.text.at;
        } else if (inside > 0 && depth < inside) {
            buf_text(out, out->len > 0 ? " AND " : "");
            buf_add(out, from, (size_t)(token.text.at + 1 - from));
            inside = 0;
        }
        before = token;
    }
}

/* ---- edits ---- */

void table_text_replace(struct str sql, struct str piece, struct str with, struct buf *out)
{
    const char *behind = piece.at + piece.len;

    buf_add(out, sql.at, (size_t)(piece.at - sql.at));
    buf_add(out, with.at, with.len);
    buf_add(out, behind, (size_t)(sql.at + sql.len - behind));
}

void table_text_remove(struct str sql, struct str definition, struct buf *out)
{
    struct sql_scan scan = sql_scan_start(sql);
    struct sql_token token;
    const char *end = definition.at + definition.len;
    struct str piece = definition;
    const char *comma_before = NULL;

    while (sql_scan_next(&scan, &token) && token.text.at < definition.at) {
        comma_before = sql_token_punct(&token, ',') ? token.text.at : NULL;
    }
    if (comma_before != NULL) {
        piece = (struct str){comma_before, (size_t)(end - comma_before)};
    } else {
        scan = sql_scan_start((struct str){end, (size_t)(sql.at + sql.len - end)});
        if (sql_scan_next(&scan, &token) && sql_token_punct(&token, ',')) {
            piece.len = (size_t)(token.text.at + 1 - piece.at);
        }
    }
    table_text_replace(sql, piece, (struct str){"", 0}, out);
}

/* ---- questions ---- */

/* Whether word stands behind the columns, where a table's options are. */
static bool has_option(struct str sql, const char *before, const char *word)
{
    struct sql_scan scan = sql_scan_start(sql);
    struct sql_token token;
    bool opened = false, ready = before == NULL;
    int depth = 0;

    while (sql_scan_next(&scan, &token)) {
        if (depth == 0 && opened && ready && sql_token_is(&token, word)) {
            return true;
        }
        ready = before == NULL || sql_token_is(&token, before);
        opened = opened || sql_token_punct(&token, '(');
        depth = depth_after(&token, depth);
    }
    return false;
}

bool table_text_without_rowid(struct str sql)
{
    return has_option(sql, "WITHOUT", "ROWID");
}

bool table_text_strict(struct str sql)
{
    return has_option(sql, NULL, "STRICT");
}

bool table_text_expression_names(struct str sql, const char *column)
{
    struct sql_scan scan = sql_scan_start(sql);
    struct sql_token token, before = {0};
    int depth = 0, inside = 0; /* inside: the depth of the expression's parenthesis */

    while (sql_scan_next(&scan, &token)) {
        bool opens = sql_token_punct(&token, '(');
        depth = depth_after(&token, depth);
        if (opens && inside == 0 && depth > 1 &&
            (sql_token_is(&before, "CHECK") || sql_token_is(&before, "AS") ||
             sql_token_is(&before, "DEFAULT"))) {
            inside = depth;
        } else if (inside > 0 && depth < inside) {
            inside = 0;
        } else if (inside > 0 && sql_token_names(&token, column)) {
            struct sql_scan ahead = scan;
            struct sql_token next;
            if (!sql_scan_next(&ahead, &next) || !sql_token_punct(&next, '(')) {
                return true; /* else it is a function */
            }
        }
        before = token;
    }
    return false;
}

size_t table_text_characters(const char *at, size_t bytes)
{
    size_t count = 0;

    for (size_t i = 0; i < bytes; i++) {
        count += ((unsigned char)at[i] & 0xc0) != 0x80;
    }
    return count;
}
