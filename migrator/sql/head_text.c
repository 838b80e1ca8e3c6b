#include "migrator/sql/head_text.h"

#include <string.h>

#include "base/buf.h"
#include "database/sql_scan.h"

static bool next_is(struct sql_scan *scan, struct sql_token *token, const char *keyword)
{
    return sql_scan_next(scan, token) && sql_token_is(token, keyword);
}

/* SQLite takes 'text' for a name where only a name can stand. */
static bool is_name(const struct sql_token *token)
{
    return token->kind == SQL_WORD || token->kind == SQL_QUOTED ||
           (token->kind == SQL_STRING && *token->text.at == '\'');
}

/* IF NOT EXISTS, and then a name without a schema. token is the first of it, then what follows. */
static bool read_name(struct sql_scan *scan, struct sql_token *token, struct head_text *out)
{
    if (sql_token_is(token, "IF")) {
        out->if_not_exists = true;
        if (!next_is(scan, token, "NOT") || !next_is(scan, token, "EXISTS") ||
            !sql_scan_next(scan, token)) {
            return false;
        }
    }
    if (!is_name(token)) {
        return false;
    }
    out->name = token->text;
    return sql_scan_next(scan, token) && !sql_token_punct(token, '.');
}

static struct str rest(struct str sql, struct str from)
{
    const char *at = from.at + from.len;

    return (struct str){at, (size_t)(sql.at + sql.len - at)};
}

bool head_text_table(struct str sql, struct head_text *out)
{
    struct sql_scan scan = sql_scan_start(sql);
    struct sql_token token;

    *out = (struct head_text){0};
    if (!next_is(&scan, &token, "CREATE") || !sql_scan_next(&scan, &token)) {
        return false;
    }
    if (sql_token_is(&token, "TEMP") || sql_token_is(&token, "TEMPORARY")) {
        out->temporary = true;
        if (!sql_scan_next(&scan, &token)) {
            return false;
        }
    }
    if (!sql_token_is(&token, "TABLE") || !sql_scan_next(&scan, &token) ||
        !read_name(&scan, &token, out)) {
        return false;
    }
    out->as_select = sql_token_is(&token, "AS");
    out->table = out->name;
    out->behind = rest(sql, out->name);
    return out->as_select || sql_token_punct(&token, '(');
}

bool head_text_index(struct str sql, struct head_text *out)
{
    struct sql_scan scan = sql_scan_start(sql);
    struct sql_token token;

    *out = (struct head_text){0};
    if (!next_is(&scan, &token, "CREATE") || !sql_scan_next(&scan, &token)) {
        return false;
    }
    if (sql_token_is(&token, "UNIQUE")) {
        out->unique = true;
        if (!sql_scan_next(&scan, &token)) {
            return false;
        }
    }
    if (!sql_token_is(&token, "INDEX") || !sql_scan_next(&scan, &token) ||
        !read_name(&scan, &token, out) || !sql_token_is(&token, "ON") ||
        !sql_scan_next(&scan, &token) || !is_name(&token)) {
        return false;
    }
    out->table = token.text;
    out->behind = rest(sql, out->table);
    return sql_scan_next(&scan, &token) && sql_token_punct(&token, '(');
}

const char *head_text_plain(struct str written, struct arena *arena)
{
    char first = written.len > 0 ? *written.at : '\0';
    char *out, *to;

    if (strchr("\"`['", first) == NULL || first == '\0' || written.len < 2) {
        return arena_text(arena, written.at, written.len);
    }
    out = to = arena_text(arena, written.at + 1, written.len - 2);
    for (size_t i = 1; out != NULL && i + 1 < written.len; i++) {
        *to++ = written.at[i];
        i += written.at[i] == first && first != '[';
    }
    if (out != NULL) {
        *to = '\0';
    }
    return out;
}

static const char *settle(struct buf *text, struct arena *arena)
{
    const char *out = buf_failed(text) ? NULL : arena_text(arena, buf_cstr(text), text->len);

    buf_fini(text);
    return out;
}

const char *head_text_table_as(const char *sql, const char *name, struct arena *arena)
{
    struct head_text head;
    struct buf text = {0};

    if (!head_text_table(str_of(sql), &head)) {
        return NULL;
    }
    buf_add(&text, sql, (size_t)(head.name.at - sql));
    buf_sql_name(&text, str_of(name));
    buf_add(&text, head.behind.at, head.behind.len);
    return settle(&text, arena);
}

const char *head_text_index_as(const char *sql, const char *name, const char *table,
                               struct arena *arena)
{
    struct head_text head;
    struct buf text = {0};

    if (!head_text_index(str_of(sql), &head)) {
        return NULL;
    }
    buf_add(&text, sql, (size_t)(head.name.at - sql));
    buf_sql_name(&text, str_of(name));
    buf_add(&text, head.name.at + head.name.len,
            (size_t)(head.table.at - (head.name.at + head.name.len)));
    buf_sql_name(&text, str_of(table));
    buf_add(&text, head.behind.at, head.behind.len);
    return settle(&text, arena);
}

bool head_text_speaks_of(struct str behind, const char *table)
{
    struct sql_scan scan = sql_scan_start(behind);
    struct sql_token token, before = {0};
    bool named = false;

    while (sql_scan_next(&scan, &token)) {
        if (named && sql_token_punct(&token, '.')) {
            return true;
        }
        named = sql_token_names(&token, table);
        if (named && sql_token_is(&before, "REFERENCES")) {
            return true;
        }
        before = token;
    }
    return false;
}
