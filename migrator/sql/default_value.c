#include "migrator/sql/default_value.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "database/sql_scan.h"

const char *default_value_affinity(const char *type)
{
    static const struct {
        const char *part, *name;
    } rules[] = {{"INT", "INTEGER"}, {"CHAR", "TEXT"}, {"CLOB", "TEXT"}, {"TEXT", "TEXT"},
                 {"BLOB", "BLOB"},   {"REAL", "REAL"}, {"FLOA", "REAL"}, {"DOUB", "REAL"}};

    if (type == NULL || *type == '\0') {
        return "BLOB";
    }
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strcasestr(type, rules[i].part) != NULL) {
            return rules[i].name;
        }
    }
    return "NUMERIC";
}

/* The text between a string's or a name's quotes. */
static void add_unquoted(struct str quoted, struct buf *out)
{
    char quote = *quoted.at == '[' ? ']' : *quoted.at;

    for (size_t i = 1; i + 1 < quoted.len; i++) {
        buf_char(out, quoted.at[i]);
        i += quoted.at[i] == quote; /* it is doubled inside */
    }
}

static const char *settle(struct buf *text, struct arena *arena)
{
    const char *out = buf_failed(text) ? NULL : arena_text(arena, buf_cstr(text), text->len);

    buf_fini(text);
    return out;
}

/* A bare or quoted name is a string where a DEFAULT is, and a column elsewhere. */
static const char *name_as_text(const struct sql_token *name, struct arena *arena)
{
    struct buf plain = {0}, text = {0};

    if (name->kind == SQL_QUOTED) {
        add_unquoted(name->text, &plain);
    } else {
        buf_add(&plain, name->text.at, name->text.len);
    }
    buf_sql_text(&text, (struct str){buf_cstr(&plain), plain.len});
    buf_fini(&plain);
    return settle(&text, arena);
}

static bool is_constant_word(const struct sql_token *token)
{
    static const char *const words[] = {"TRUE",         "FALSE",       "NULL", "CURRENT_TIMESTAMP",
                                        "CURRENT_DATE", "CURRENT_TIME"};
    bool is = false;

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        is = is || sql_token_is(token, words[i]);
    }
    return is;
}

/* The one value in text, between signs and parentheses; false if there is more than that. */
static bool only_value(const char *text, struct sql_token *value)
{
    struct sql_scan scan = sql_scan_start(str_of(text));
    struct sql_token token;
    size_t values = 0;

    while (sql_scan_next(&scan, &token)) {
        if (token.kind != SQL_PUNCT) {
            *value = token;
            values++;
        } else if (strchr("()+-", *token.text.at) == NULL) {
            return false;
        }
    }
    return values == 1 && scan.unterminated == NULL;
}

/* Whether a column of numbers makes a number of the string. */
static bool is_numeric_text(struct str quoted)
{
    struct buf text = {0};
    char *end = NULL;
    bool is;

    if (*quoted.at != '\'') {
        return false; /* x'00' */
    }
    add_unquoted(quoted, &text);
    (void)strtod(buf_cstr(&text), &end);
    is = text.len > 0 && strspn(end, " \t\r\n\f\v") == strlen(end) && end != buf_cstr(&text) &&
         strspn(buf_cstr(&text), " \t\r\n\f\v+-.0123456789eE") == text.len;
    buf_fini(&text);
    return is;
}

const char *default_value_stored(const char *text, const char *type, struct arena *arena)
{
    const char *affinity = default_value_affinity(type), *value;
    struct sql_token token = {0};

    if (text == NULL || !only_value(text, &token)) {
        return NULL;
    }
    if (token.kind == SQL_WORD ? !is_constant_word(&token) : token.kind == SQL_QUOTED) {
        bool alone = token.text.len == strlen(text); /* random() is no name */
        return alone ? name_as_text(&token, arena) : NULL;
    }
    value = arena_text(arena, text, strlen(text));
    if (value == NULL || token.kind == SQL_PARAM || sql_token_is(&token, "NULL")) {
        return token.kind == SQL_PARAM ? NULL : value;
    }
    if (strcmp(affinity, "TEXT") == 0 && token.kind != SQL_STRING) {
        return arena_print(arena, "CAST(%s AS TEXT)", value);
    }
    if (strcmp(affinity, "TEXT") != 0 && strcmp(affinity, "BLOB") != 0 &&
        token.kind == SQL_STRING && is_numeric_text(token.text)) {
        return arena_print(arena, "CAST(%s AS NUMERIC)", value);
    }
    return value;
}
