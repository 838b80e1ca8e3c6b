/*
 * Indexes of renamed columns: a rename makes a new column, and the user expects its indexes there
 * too. Each becomes one more "create_index" under a name of its own, because names of indexes are
 * unique in a database and the old one must stay until purge. UNIQUE ones are refused elsewhere.
 */
#include "migrator/change/change_parts.h"

#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "database/sql_scan.h"
#include "migrator/sql/head_text.h"

struct carrying {
    const struct change *change;
    struct phased *phased;
    struct phased_index_change *list; /* what is declared, and then what is carried */
    size_t count;
    struct arena *arena;
    struct err *err;
};

/* ---- names ---- */

static bool is_letter(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Where a name has a column's name as a word of its own, the last one; NULL: nowhere. */
static const char *word_in(const char *name, const char *word)
{
    const char *found = NULL;

    for (const char *at = strcasestr(name, word); at != NULL; at = strcasestr(at + 1, word)) {
        bool begins = at == name || !is_letter(at[-1]), ends = !is_letter(at[strlen(word)]);
        found = begins && ends ? at : found;
    }
    return found;
}

static const char *given_name(const struct carrying *c, const char *old)
{
    for (size_t i = 0; i < c->phased->index_count; i++) {
        if (strcasecmp(c->phased->indexes[i].old_name, old) == 0) {
            return c->phased->indexes[i].new_name;
        }
    }
    return NULL;
}

/* The old name with the column's name in it replaced, or with the new one's behind it. */
static const char *name_for(const struct carrying *c, const char *name, const char *from,
                            const char *to)
{
    const char *at = word_in(name, from);

    return at != NULL
               ? arena_print(c->arena, "%.*s%s%s", (int)(at - name), name, to, at + strlen(from))
               : arena_print(c->arena, "%s_%s", name, to);
}

/* ---- text ---- */

/* Whether a token of an expression stands for the column: not for a function or a collation. */
static bool names_column(const struct sql_token *token, const struct sql_token *before,
                         const struct sql_scan *behind, const char *column)
{
    struct sql_scan ahead = *behind;
    struct sql_token next;

    return sql_token_names(token, column) && !sql_token_is(before, "COLLATE") &&
           !(sql_scan_next(&ahead, &next) && sql_token_punct(&next, '('));
}

static bool uses_column(struct str text, const char *column)
{
    struct sql_scan scan = sql_scan_start(text);
    struct sql_token token, before = {0};

    while (sql_scan_next(&scan, &token)) {
        if (names_column(&token, &before, &scan, column)) {
            return true;
        }
        before = token;
    }
    return false;
}

void change_add_renamed(struct str expression, const char *from, const char *to, struct buf *out)
{
    struct sql_scan scan = sql_scan_start(expression);
    struct sql_token token, before = {0};
    const char *at = expression.at;

    while (sql_scan_next(&scan, &token)) {
        buf_text(out, token.text.at > at ? " " : "");
        if (names_column(&token, &before, &scan, from)) {
            buf_sql_name(out, str_of(to));
        } else {
            buf_add(out, token.text.at, token.text.len);
        }
        at = token.text.at + token.text.len;
        before = token;
    }
}

static const char *with_renamed(struct str text, const char *from, const char *to,
                                struct arena *arena)
{
    struct buf out = {0};

    change_add_renamed(text, from, to, &out);
    return change_settle(arena, &out);
}

/* ---- one index ---- */

static bool is_unwanted(const struct carrying *c, const char *name)
{
    for (size_t i = 0; i < c->phased->drop_index_count; i++) {
        if (strcasecmp(c->phased->drop_index[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the migration declares an index of the same columns. */
static bool is_declared(const struct carrying *c, const char *behind)
{
    for (size_t i = 0; i < c->phased->create_index_count; i++) {
        struct head_text head;
        if (head_text_index(str_of(c->phased->create_index[i].sql), &head) &&
            sql_same_tokens(head.behind, str_of(behind))) {
            return true;
        }
    }
    return false;
}

static enum err_code check_free(const struct carrying *c, const char *old, const char *name)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcasecmp(c->list[i].name, name) == 0) {
            return err_set(c->err, ERR_INVALID,
                           "index \"%.60s\" is made again over the renamed column as \"%.60s\", "
                           "which another one is called too; \"rename_indexes\": {\"%.60s\": "
                           "\"...\"} gives it another name",
                           old, name, old);
        }
    }
    return ERR_OK;
}

static enum err_code carry(struct carrying *c, const char *name, const char *sql)
{
    const struct phased *phased = c->phased;
    const char *new_name = name, *behind, *given = given_name(c, name), *whole;
    struct head_text head;
    bool renamed = false;
    enum err_code rc;

    if (!head_text_index(str_of(sql), &head) || head.unique || is_unwanted(c, name)) {
        return ERR_OK;
    }
    behind = arena_text(c->arena, head.behind.at, head.behind.len);
    for (size_t i = 0; i < phased->drop_count && behind != NULL; i++) {
        const char *from = phased->drop[i].name, *to = NULL;
        for (size_t k = 0; k < phased->add_count; k++) {
            const struct phased_add *add = &phased->add[k];
            to = add->renames && strcasecmp(add->like, from) == 0 ? add->name : to;
        }
        if (!uses_column(str_of(behind), from)) {
            continue;
        }
        if (to == NULL) {
            return ERR_OK; /* it goes with a column that has no new name */
        }
        behind = with_renamed(str_of(behind), from, to, c->arena);
        new_name = new_name != NULL ? name_for(c, new_name, from, to) : NULL;
        renamed = true;
    }
    if (!renamed || (behind != NULL && is_declared(c, behind))) {
        return ERR_OK;
    }
    new_name = given != NULL ? given : new_name;
    whole = new_name != NULL && behind != NULL
                ? head_text_index_as(sql, new_name, c->change->shape.table, c->arena)
                : NULL;
    if (whole == NULL || !head_text_index(str_of(whole), &head)) {
        return err_set(c->err, ERR_NOMEM, "out of memory");
    }
    rc = check_free(c, name, new_name);
    c->list[c->count++] = (struct phased_index_change){
        .name = new_name,
        .sql = arena_print(c->arena, "%.*s%s", (int)(head.behind.at - whole), whole, behind),
        .carried = name};
    return rc                                  ? rc
           : c->list[c->count - 1].sql != NULL ? ERR_OK
                                               : err_set(c->err, ERR_NOMEM, "out of memory");
}

/* ---- together ---- */

static enum err_code check_given(const struct carrying *c)
{
    for (size_t i = 0; i < c->phased->index_count; i++) {
        bool found = false;
        for (size_t k = 0; k < c->count; k++) {
            found = found || (c->list[k].carried != NULL &&
                              strcasecmp(c->list[k].carried, c->phased->indexes[i].old_name) == 0);
        }
        if (!found) {
            return err_set(c->err, ERR_INVALID,
                           "\"rename_indexes\" names \"%.60s\", which is no index of a renamed "
                           "column that is made again",
                           c->phased->indexes[i].old_name);
        }
    }
    return ERR_OK;
}

enum err_code change_carry_indexes(const struct change *change, const struct json *kept,
                                   struct phased *phased, struct arena *arena, struct err *err)
{
    const struct shape *shape = &change->shape;
    struct carrying c = {change, phased, NULL, phased->create_index_count, arena, err};
    size_t room = c.count + shape->object_count + json_count(kept);
    enum err_code rc = ERR_OK;

    c.list = arena_zero(arena, room + 1, sizeof *c.list);
    if (c.list == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < c.count; i++) {
        c.list[i] = phased->create_index[i];
    }
    /* As they were before expand: purge drops them, and contract renames what they are of. */
    for (const struct json *index = json_first(kept); rc == ERR_OK && index != NULL;
         index = json_next(index)) {
        const char *name = json_get_text(index, "name", ""), *sql = json_get_text(index, "sql", "");
        name = arena_text(arena, name, strlen(name));
        rc = name != NULL ? carry(&c, name, sql) : err_set(err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == ERR_OK && kept == NULL && i < shape->object_count; i++) {
        const struct shape_object *object = &shape->objects[i];
        if (strcmp(object->type, "index") == 0) {
            rc = carry(&c, object->name, object->sql);
        }
    }
    rc = rc ? rc : check_given(&c);
    phased->create_index = c.list;
    phased->create_index_count = c.count;
    return rc;
}
