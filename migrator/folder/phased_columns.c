/*
 * The operations on columns and indexes in a migration.json. "rename" and "retype" become what they
 * stand for: a column that is added, one that is dropped, and how each is made from the other.
 */
#include "migrator/folder/phased_read.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "database/sql_scan.h"

/* ---- what cannot be done yet ---- */

struct unsupported {
    const char *member, *instead;
};

static enum err_code refuse_members(struct phased_reader *reader, const struct json *object,
                                    const struct unsupported *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (json_get(object, list[i].member) != NULL) {
            return err_set(reader->err, ERR_INVALID, "\"%.40s\" is not supported yet: %s",
                           list[i].member, list[i].instead);
        }
    }
    return ERR_OK;
}

#define INSTEAD_UNIQUE                                                                             \
    "while two shapes live, it could refuse a write of old code, or delete a row of OR REPLACE; "  \
    "make a UNIQUE index by a plain migration behind this one's purge"
#define INSTEAD_REFERENCES                                                                         \
    "while two shapes live, it could refuse a write of old code; declare it by a plain migration " \
    "that makes the table anew, behind this one's purge"
#define INSTEAD_KEY                                                                                \
    "a row is found by it while two shapes live; make a new table and move the rows by a plain "   \
    "migration"

enum err_code phased_refuse_unsupported(struct phased_reader *reader, const struct json *json)
{
    static const struct unsupported list[] = {
        {"unique", INSTEAD_UNIQUE},
        {"create_unique_index", INSTEAD_UNIQUE},
        {"foreign_key", INSTEAD_REFERENCES},
        {"references", INSTEAD_REFERENCES},
        {"primary_key", INSTEAD_KEY},
        {"move", "an expression reads one row; make the other table and fill it by a plain "
                 "migration, with triggers of your own"},
    };

    return refuse_members(reader, json, list, sizeof list / sizeof list[0]);
}

static enum err_code refuse_in_column(struct phased_reader *reader, const struct json *column)
{
    static const struct unsupported list[] = {
        {"unique", INSTEAD_UNIQUE},
        {"references", INSTEAD_REFERENCES},
        {"foreign_key", INSTEAD_REFERENCES},
        {"primary_key", INSTEAD_KEY},
        {"generated",
         "a generated column needs no backfill: ALTER TABLE ... ADD COLUMN ... AS (...) "
         "in a plain migration"}, /* lint: not SQL */
    };

    return refuse_members(reader, column, list, sizeof list / sizeof list[0]);
}

/* ---- columns that come and go ---- */

static enum err_code add_column(struct phased_reader *reader, const char *what, const char *name,
                                struct phased_add **out)
{
    struct phased *phased = reader->phased;

    if (*name == '\0') {
        return err_set(reader->err, ERR_INVALID, "\"%s\" has a column without a name", what);
    }
    for (size_t i = 0; i < phased->add_count; i++) {
        if (phased_same_name(phased->add[i].name, name)) {
            return err_set(reader->err, ERR_INVALID, "\"%s\" names \"%.60s\" twice", what, name);
        }
    }
    if (phased->add_count == PHASED_COLUMNS_MAX) {
        return err_set(reader->err, ERR_LIMIT, "\"%s\" has more than %u columns", what,
                       PHASED_COLUMNS_MAX);
    }
    *out = &phased->add[phased->add_count];
    (*out)->name = phased_keep(reader, name);
    if ((*out)->name == NULL) {
        return err_set(reader->err, ERR_NOMEM, "out of memory");
    }
    phased->add_count++;
    return ERR_OK;
}

static enum err_code drop_column(struct phased_reader *reader, const char *what, const char *name,
                                 struct phased_drop **out)
{
    struct phased *phased = reader->phased;

    for (size_t i = 0; i < phased->drop_count; i++) {
        if (phased_same_name(phased->drop[i].name, name)) {
            return err_set(reader->err, ERR_INVALID, "\"%s\" names \"%.60s\" twice", what,
                           phased->drop[i].name);
        }
    }
    if (phased->drop_count == PHASED_COLUMNS_MAX) {
        return err_set(reader->err, ERR_LIMIT, "\"%s\" has more than %u columns", what,
                       PHASED_COLUMNS_MAX);
    }
    *out = &phased->drop[phased->drop_count];
    (*out)->name = phased_keep(reader, name);
    if ((*out)->name == NULL) {
        return err_set(reader->err, ERR_NOMEM, "out of memory");
    }
    phased->drop_count++;
    return ERR_OK;
}

static enum err_code take_bool(struct phased_reader *reader, const char *what,
                               const struct json *json, bool *out)
{
    if (json != NULL && json_kind(json) != JSON_BOOL) {
        return phased_wrong_kind(reader, what, "true or false", json);
    }
    *out = json_is_true(json);
    return ERR_OK;
}

static enum err_code take_maybe(struct phased_reader *reader, const char *what,
                                const struct json *json, const char **out)
{
    return json != NULL ? phased_take_text(reader, what, json, out) : ERR_OK;
}

/* A literal: what a row gets must not hang on when or where it is made. */
static bool is_literal(const char *text)
{
    struct sql_scan scan = sql_scan_start(str_of(text));
    struct sql_token token, more;
    bool sign = false;

    if (!sql_scan_next(&scan, &token)) {
        return false;
    }
    if (sql_token_punct(&token, '-') || sql_token_punct(&token, '+')) {
        sign = true;
        if (!sql_scan_next(&scan, &token)) {
            return false;
        }
    }
    return (token.kind == SQL_NUMBER ||
            (!sign && (token.kind == SQL_STRING || sql_token_is(&token, "TRUE") ||
                       sql_token_is(&token, "FALSE")))) &&
           !sql_scan_next(&scan, &more) && scan.unterminated == NULL;
}

/* The literal, written as SQL has it; a number or a truth value may stand there as such. */
static enum err_code take_default(struct phased_reader *reader, const struct json *json,
                                  const char *column, const char **out)
{
    if (json == NULL) {
        return ERR_OK;
    }
    if (json_kind(json) == JSON_BOOL) {
        *out = json_is_true(json) ? "1" : "0";
        return ERR_OK;
    }
    if (json_kind(json) == JSON_NUMBER) {
        char *text = json_print(json);
        *out = text != NULL ? phased_keep(reader, text) : NULL;
        free(text);
        return *out != NULL ? ERR_OK : err_set(reader->err, ERR_NOMEM, "out of memory");
    }
    if (json_kind(json) != JSON_STRING || *json_text(json) == '\0') {
        return err_set(reader->err, ERR_INVALID,
                       "the \"default\" of \"%.60s\" is %s: it is an SQL literal in a string, such "
                       "as \"0\" or \"'new'\" (without a \"default\" the column has none)",
                       column,
                       json_kind(json) == JSON_STRING ? "empty; \"''\" is the empty text"
                                                      : json_kind_name(json_kind(json)));
    }
    return phased_take_text(reader, "default", json, out);
}

static enum err_code take_constraints(struct phased_reader *reader, const struct json *column,
                                      struct phased_add *add)
{
    enum err_code rc = take_maybe(reader, "check", json_get(column, "check"), &add->check);

    rc = rc ? rc : take_bool(reader, "not_null", json_get(column, "not_null"), &add->not_null);
    rc =
        rc ? rc : take_default(reader, json_get(column, "default"), add->name, &add->default_value);
    if (rc == ERR_OK && add->default_value != NULL && !is_literal(add->default_value)) {
        rc = err_set(
            reader->err, ERR_INVALID,
            "the \"default\" of \"%.60s\" must be an SQL literal, such as \"0\" or \"'new'\" (text "
            "in quotes of its own); it is: %.60s",
            add->name, add->default_value);
    }
    return rc;
}

static enum err_code need_object(struct phased_reader *reader, const char *what, const char *wanted,
                                 const struct json *json)
{
    return json != NULL && json_kind(json) != JSON_OBJECT
               ? phased_wrong_kind(reader, what, wanted, json)
               : ERR_OK;
}

static enum err_code read_add(struct phased_reader *reader, const struct json *json)
{
    static const char *const names[] = {"type", "not_null", "check", "default", NULL};
    enum err_code rc = need_object(reader, "add", "an object", json);

    for (const struct json *column = json_first(json); column != NULL && rc == ERR_OK;
         column = json_next(column)) {
        struct phased_add *add = NULL;
        rc = add_column(reader, "add", json_key(column), &add);
        if (rc == ERR_OK && json_kind(column) != JSON_OBJECT) {
            rc = phased_wrong_kind(reader, json_key(column),
                                   "an object such as {\"type\": \"TEXT\"}", column);
        }
        rc = rc ? rc : refuse_in_column(reader, column);
        rc = rc ? rc : phased_known(reader, column, json_key(column), names);
        rc = rc ? rc : take_maybe(reader, "type", json_get(column, "type"), &add->type);
        rc = rc ? rc : take_constraints(reader, column, add);
    }
    return rc;
}

static enum err_code read_forward(struct phased_reader *reader, const struct json *json)
{
    struct phased *phased = reader->phased;
    enum err_code rc = need_object(reader, "forward", "an object", json);

    for (const struct json *member = json_first(json); member != NULL && rc == ERR_OK;
         member = json_next(member)) {
        size_t i = 0;
        while (i < phased->add_count && !phased_same_name(phased->add[i].name, json_key(member))) {
            i++;
        }
        if (i == phased->add_count) {
            return err_set(reader->err, ERR_INVALID,
                           "\"forward\" fills \"%.60s\", which is not in \"add\"",
                           json_key(member));
        }
        rc = phased_take_text(reader, json_key(member), member, &phased->add[i].forward);
    }
    return rc;
}

static enum err_code read_drop(struct phased_reader *reader, const struct json *json)
{
    enum err_code rc = ERR_OK;

    if (json != NULL && json_kind(json) != JSON_ARRAY) {
        return phased_wrong_kind(reader, "drop", "an array of column names", json);
    }
    for (const struct json *item = json_first(json); item != NULL && rc == ERR_OK;
         item = json_next(item)) {
        const char *name = NULL;
        struct phased_drop *drop = NULL;
        rc = phased_take_text(reader, "drop", item, &name);
        rc = rc ? rc : drop_column(reader, "drop", name, &drop);
    }
    return rc;
}

static enum err_code read_reverse(struct phased_reader *reader, const struct json *json)
{
    struct phased *phased = reader->phased;
    enum err_code rc = need_object(reader, "reverse", "an object", json);

    for (const struct json *member = json_first(json); member != NULL && rc == ERR_OK;
         member = json_next(member)) {
        size_t i = 0;
        while (i < phased->drop_count &&
               !phased_same_name(phased->drop[i].name, json_key(member))) {
            i++;
        }
        if (i == phased->drop_count) {
            return err_set(reader->err, ERR_INVALID,
                           "\"reverse\" restores \"%.60s\", which is not in \"drop\"",
                           json_key(member));
        }
        rc = phased_take_text(reader, json_key(member), member, &phased->drop[i].reverse);
    }
    return rc;
}

/* ---- rename and retype ---- */

/* The pair of columns, with the old one's name known to the new one. */
static enum err_code add_pair(struct phased_reader *reader, const char *what, const char *from,
                              const char *to, struct phased_add **add, struct phased_drop **drop)
{
    enum err_code rc = drop_column(reader, what, from, drop);

    rc = rc ? rc : add_column(reader, what, to, add);
    if (rc == ERR_OK && phased_same_name(from, to)) {
        rc =
            err_set(reader->err, ERR_INVALID,
                    "\"%s\": \"%.60s\" and its new form live side by side for a while, so it needs "
                    "another name",
                    what, from);
    }
    if (rc == ERR_OK) {
        (*add)->like = (*drop)->name;
    }
    return rc;
}

static enum err_code quoted(struct phased_reader *reader, const char *name, const char **out)
{
    struct buf text = {0};

    buf_sql_name(&text, str_of(name));
    *out = phased_keep(reader, buf_cstr(&text));
    buf_fini(&text);
    return *out != NULL ? ERR_OK : err_set(reader->err, ERR_NOMEM, "out of memory");
}

static enum err_code read_rename(struct phased_reader *reader, const struct json *json)
{
    enum err_code rc = need_object(reader, "rename", "an object such as {\"old\": \"new\"}", json);

    for (const struct json *member = json_first(json); member != NULL && rc == ERR_OK;
         member = json_next(member)) {
        struct phased_add *add = NULL;
        struct phased_drop *drop = NULL;
        const char *to = NULL;
        rc = phased_take_text(reader, json_key(member), member, &to);
        rc = rc ? rc : add_pair(reader, "rename", json_key(member), to, &add, &drop);
        rc = rc ? rc : quoted(reader, drop->name, &add->forward);
        rc = rc ? rc : quoted(reader, add->name, &drop->reverse);
        if (rc == ERR_OK) {
            add->renames = true;
        }
    }
    return rc;
}

/* The type's affinity, as CAST calls it. NULL: it has none that CAST could give back. */
static const char *cast_type(const char *type)
{
    static const struct {
        const char *part, *cast;
    } rules[] = {{"INT", "INTEGER"}, {"CHAR", "TEXT"}, {"CLOB", "TEXT"}, {"TEXT", "TEXT"},
                 {"BLOB", NULL},     {"REAL", "REAL"}, {"FLOA", "REAL"}, {"DOUB", "REAL"}};

    if (type == NULL || *type == '\0') {
        return NULL;
    }
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strcasestr(type, rules[i].part) != NULL) {
            return rules[i].cast;
        }
    }
    return "NUMERIC";
}

const char *phased_cast(struct arena *arena, const char *column, const char *type)
{
    const char *cast = cast_type(type), *out;
    struct buf text = {0};

    if (cast == NULL) {
        return NULL;
    }
    buf_text(&text, "CAST(");
    buf_sql_name(&text, str_of(column));
    buf_print(&text, " AS %s)", cast);
    out = arena_text(arena, buf_cstr(&text), text.len);
    buf_fini(&text);
    return out;
}

static enum err_code read_retyped(struct phased_reader *reader, const char *name,
                                  const struct json *json)
{
    static const char *const names[] = {"to",       "type",    "forward", "reverse",
                                        "not_null", "default", "check",   NULL};
    struct phased_add *add = NULL;
    struct phased_drop *drop = NULL;
    const char *to = NULL;
    enum err_code rc;

    if (json_kind(json) != JSON_OBJECT) {
        return phased_wrong_kind(
            reader, name, "an object such as {\"to\": \"new\", \"type\": \"INTEGER\"}", json);
    }
    rc = refuse_in_column(reader, json);
    rc = rc ? rc : phased_known(reader, json, name, names);
    if (rc == ERR_OK && (json_get(json, "to") == NULL || json_get(json, "type") == NULL)) {
        return err_set(
            reader->err, ERR_INVALID,
            "\"retype\" of \"%.60s\" needs \"to\", the new column's name (both live side "
            "by side for a while), and \"type\"",
            name);
    }
    rc = rc ? rc : phased_take_text(reader, "to", json_get(json, "to"), &to);
    rc = rc ? rc : add_pair(reader, "retype", name, to, &add, &drop);
    rc = rc ? rc : phased_take_text(reader, "type", json_get(json, "type"), &add->type);
    rc = rc ? rc : take_constraints(reader, json, add);
    rc = rc ? rc : take_maybe(reader, "forward", json_get(json, "forward"), &add->forward);
    rc = rc ? rc : take_maybe(reader, "reverse", json_get(json, "reverse"), &drop->reverse);
    if (rc) {
        return rc;
    }
    if (add->forward == NULL) {
        add->forward = phased_cast(reader->arena, drop->name, add->type);
        if (add->forward == NULL) {
            return err_set(reader->err, ERR_INVALID,
                           "\"retype\" of \"%.60s\" needs \"forward\": no CAST makes a '%.40s' of "
                           "every value",
                           name, add->type);
        }
    }
    drop->cast_from = drop->reverse == NULL ? add->name : NULL;
    return ERR_OK;
}

static enum err_code read_retype(struct phased_reader *reader, const struct json *json)
{
    enum err_code rc = need_object(reader, "retype", "an object", json);

    for (const struct json *member = json_first(json); member != NULL && rc == ERR_OK;
         member = json_next(member)) {
        rc = read_retyped(reader, json_key(member), member);
    }
    return rc;
}

/* ---- columns that stay ---- */

static enum err_code read_altered(struct phased_reader *reader, const char *name,
                                  const struct json *json, struct phased_alter *alter)
{
    static const char *const names[] = {"not_null", "fill", "reverse", "check", NULL};
    const struct json *not_null = json_get(json, "not_null");
    bool refused = false;
    enum err_code rc;

    if (json_kind(json) != JSON_OBJECT) {
        return phased_wrong_kind(reader, name, "an object such as {\"not_null\": true}", json);
    }
    alter->name = phased_keep(reader, name);
    rc = alter->name == NULL ? err_set(reader->err, ERR_NOMEM, "out of memory")
                             : refuse_in_column(reader, json);
    rc = rc ? rc : phased_known(reader, json, name, names);
    rc = rc ? rc : take_bool(reader, "not_null", not_null, &refused);
    rc = rc ? rc : take_maybe(reader, "fill", json_get(json, "fill"), &alter->fill);
    rc = rc ? rc : take_maybe(reader, "reverse", json_get(json, "reverse"), &alter->reverse);
    rc = rc ? rc : take_maybe(reader, "check", json_get(json, "check"), &alter->check);
    if (rc) {
        return rc;
    }
    alter->null = not_null == NULL ? PHASED_NULL_AS_IT_IS
                  : refused        ? PHASED_NULL_REFUSED
                                   : PHASED_NULL_ALLOWED;
    if (alter->fill != NULL && alter->null != PHASED_NULL_REFUSED) {
        return err_set(reader->err, ERR_INVALID,
                       "\"fill\" of \"%.60s\" belongs to \"not_null\": true", name);
    }
    if (alter->reverse != NULL && alter->null != PHASED_NULL_ALLOWED) {
        return err_set(reader->err, ERR_INVALID,
                       "\"reverse\" of \"%.60s\" belongs to \"not_null\": false", name);
    }
    return alter->null == PHASED_NULL_AS_IT_IS && alter->check == NULL
               ? err_set(reader->err, ERR_INVALID,
                         "\"alter\" changes nothing of \"%.60s\": \"not_null\" or \"check\" says "
                         "what",
                         name)
               : ERR_OK;
}

static enum err_code read_alter(struct phased_reader *reader, const struct json *json)
{
    struct phased *phased = reader->phased;
    enum err_code rc = need_object(reader, "alter", "an object", json);

    for (const struct json *member = json_first(json); member != NULL && rc == ERR_OK;
         member = json_next(member)) {
        if (phased->alter_count == PHASED_COLUMNS_MAX) {
            return err_set(reader->err, ERR_LIMIT, "\"alter\" has more than %u columns",
                           PHASED_COLUMNS_MAX);
        }
        for (size_t i = 0; i < phased->alter_count; i++) {
            if (phased_same_name(phased->alter[i].name, json_key(member))) {
                return err_set(reader->err, ERR_INVALID, "\"alter\" names \"%.60s\" twice",
                               json_key(member));
            }
        }
        rc = read_altered(reader, json_key(member), member, &phased->alter[phased->alter_count]);
        phased->alter_count++;
    }
    return rc;
}

/* ---- indexes ---- */

static const char *token_name(struct phased_reader *reader, const struct sql_token *token)
{
    struct buf text = {0};
    const char *out;
    size_t from = token->kind == SQL_QUOTED ? 1 : 0, to = token->text.len - from;

    for (size_t i = from; i < to; i++) {
        buf_char(&text, token->text.at[i]);
        if (token->kind == SQL_QUOTED && i + 1 < to && token->text.at[i] == token->text.at[0] &&
            token->text.at[i + 1] == token->text.at[0]) {
            i++;
        }
    }
    out = phased_keep(reader, buf_cstr(&text));
    buf_fini(&text);
    return out;
}

static enum err_code index_form(struct phased_reader *reader, const char *sql)
{
    return err_set(
        reader->err, ERR_INVALID, /* lint: not SQL */
        "\"create_index\" must be a statement like \"CREATE INDEX name ON %.60s(column)\", "
        "and is: %.100s",
        reader->phased->table, sql);
}

static enum err_code read_index(struct phased_reader *reader, const char *sql,
                                struct phased_index_change *out)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token = {0}, name = {0};
    bool more = sql_scan_next(&scan, &token) && sql_token_is(&token, "CREATE") &&
                sql_scan_next(&scan, &token);

    if (more && sql_token_is(&token, "UNIQUE")) {
        return err_set(reader->err, ERR_INVALID, "a UNIQUE index is not supported yet: %s",
                       INSTEAD_UNIQUE);
    }
    more = more && sql_token_is(&token, "INDEX") && sql_scan_next(&scan, &name) &&
           (name.kind == SQL_WORD || name.kind == SQL_QUOTED) && !sql_token_is(&name, "IF") &&
           sql_scan_next(&scan, &token) && sql_token_is(&token, "ON") &&
           sql_scan_next(&scan, &token);
    if (!more || !sql_token_names(&token, reader->phased->table) || !sql_scan_next(&scan, &token) ||
        !sql_token_punct(&token, '(')) {
        return index_form(reader, sql);
    }
    while (sql_scan_next(&scan, &token)) {
        if (sql_token_punct(&token, ';') || token.kind == SQL_PARAM) {
            return index_form(reader, sql);
        }
    }
    out->sql = sql;
    out->name = token_name(reader, &name);
    if (out->name == NULL) {
        return err_set(reader->err, ERR_NOMEM, "out of memory");
    }
    return strncasecmp(out->name, "lockstep_", 9) == 0 || strncasecmp(out->name, "sqlite_", 7) == 0
               ? err_set(reader->err, ERR_INVALID, "\"%.60s\" cannot be an index's name", out->name)
           : scan.unterminated != NULL ? index_form(reader, sql)
                                       : ERR_OK;
}

static enum err_code read_indexes(struct phased_reader *reader, const char *what,
                                  const struct json *json, bool create,
                                  struct phased_index_change **out, size_t *count)
{
    enum err_code rc = ERR_OK;

    if (json == NULL) {
        return ERR_OK;
    }
    if (json_kind(json) != JSON_ARRAY) {
        return phased_wrong_kind(
            reader, what, create ? "an array of CREATE INDEX statements" : "an array of names",
            json);
    }
    if (json_count(json) > PHASED_COLUMNS_MAX) {
        return err_set(reader->err, ERR_LIMIT, "\"%s\" has more than %u indexes", what,
                       PHASED_COLUMNS_MAX);
    }
    *out = arena_zero(reader->arena, json_count(json) + 1, sizeof **out);
    if (*out == NULL) {
        return err_set(reader->err, ERR_NOMEM, "out of memory");
    }
    for (const struct json *item = json_first(json); item != NULL && rc == ERR_OK;
         item = json_next(item)) {
        struct phased_index_change *index = &(*out)[*count];
        const char *text = NULL;
        rc = phased_take_text(reader, what, item, &text);
        index->name = text;
        rc = rc || !create ? rc : read_index(reader, text, index);
        for (size_t i = 0; rc == ERR_OK && i < *count; i++) {
            if (phased_same_name((*out)[i].name, index->name)) {
                rc = err_set(reader->err, ERR_INVALID, "\"%s\" names \"%.60s\" twice", what,
                             index->name);
            }
        }
        ++*count;
    }
    return rc;
}

/* ---- together ---- */

enum err_code phased_columns_read(struct phased_reader *reader, const struct json *json)
{
    struct phased *phased = reader->phased;
    enum err_code rc;

    phased->add = arena_zero(reader->arena, PHASED_COLUMNS_MAX, sizeof *phased->add);
    phased->drop = arena_zero(reader->arena, PHASED_COLUMNS_MAX, sizeof *phased->drop);
    phased->alter = arena_zero(reader->arena, PHASED_COLUMNS_MAX, sizeof *phased->alter);
    if (phased->add == NULL || phased->drop == NULL || phased->alter == NULL) {
        return err_set(reader->err, ERR_NOMEM, "out of memory");
    }
    rc = read_add(reader, json_get(json, "add"));
    rc = rc ? rc : read_forward(reader, json_get(json, "forward"));
    rc = rc ? rc : read_drop(reader, json_get(json, "drop"));
    rc = rc ? rc : read_reverse(reader, json_get(json, "reverse"));
    rc = rc ? rc : read_rename(reader, json_get(json, "rename"));
    rc = rc ? rc : read_retype(reader, json_get(json, "retype"));
    rc = rc ? rc : read_alter(reader, json_get(json, "alter"));
    rc = rc ? rc
            : read_indexes(reader, "create_index", json_get(json, "create_index"), true,
                           &phased->create_index, &phased->create_index_count);
    rc = rc ? rc
            : read_indexes(reader, "drop_index", json_get(json, "drop_index"), false,
                           &phased->drop_index, &phased->drop_index_count);
    for (size_t i = 0; rc == ERR_OK && i < phased->add_count; i++) {
        if (phased->add[i].forward == NULL) { /* rows that are there get it too */
            phased->add[i].forward = phased->add[i].default_value;
        }
    }
    return rc;
}

enum err_code phased_columns_check(struct phased_reader *reader)
{
    const struct phased *phased = reader->phased;
    bool derives = false;

    if (phased->add_count + phased->drop_count + phased->alter_count + phased->create_index_count +
            phased->drop_index_count ==
        0) {
        return err_set(reader->err, ERR_INVALID,
                       "it changes nothing: \"add\", \"drop\", \"rename\", \"retype\", \"alter\", "
                       "\"create_index\" or \"drop_index\" says what");
    }
    for (size_t i = 0; i < phased->add_count; i++) {
        derives = derives || phased->add[i].forward != NULL;
        if (phased->add[i].not_null && phased->add[i].forward == NULL) {
            return err_set(
                reader->err, ERR_INVALID,
                "\"%.60s\" shall not be NULL, but \"forward\" does not say with what the "
                "rows that are there are filled",
                phased->add[i].name);
        }
    }
    for (size_t i = 0; i < phased->drop_count; i++) {
        if (phased->drop[i].reverse != NULL || phased->drop[i].cast_from != NULL) {
            continue;
        }
        if (!phased->lossy || derives) {
            return err_set(reader->err, ERR_INVALID,
                           "\"%.60s\" is dropped, so \"reverse\" must say how it is made from the "
                           "other columns%s",
                           phased->drop[i].name,
                           phased->lossy ? " (\"lossy\" alone is enough only where nothing is "
                                           "derived from it)"
                                         : "; or \"lossy\": true gives this way back up");
        }
    }
    return ERR_OK;
}
