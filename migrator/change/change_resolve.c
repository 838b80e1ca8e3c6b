/*
 * What a migration.json leaves to the table: how a renamed column is declared, to which type a
 * retyped one goes back, and how the columns that stay are defined.
 */
#include "migrator/change/change_parts.h"

#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "database/sql_scan.h"
#include "migrator/folder/phased_read.h"
#include "migrator/sql/table_text.h"

/* The table's text before expand, and its indexes (*kept, owned; NULL: as they are). From then on the
 * journal has both: NOT NULL may be loosened, and what is set aside has another name. */
static enum err_code first_text(struct database *db, const struct change *change, bool expanded,
                                struct arena *arena, const char **out, struct json **kept,
                                struct err *err)
{
    struct database_value name = database_text(change->migration->name);
    struct database_rows *rows = NULL;
    struct err unused = {0};
    const char *text = NULL, *detail;
    enum err_code rc;

    *out = change->shape.sql;
    if (!expanded) {
        return ERR_OK;
    }
    rc = database_query(db, "SELECT detail FROM lockstep_journal WHERE migration = ?1", &name, 1,
                        &rows, err);
    if (rc) {
        return rc;
    }
    detail = database_rows_count(rows) > 0 ? database_rows_text(rows, 0, 0) : NULL;
    if (detail != NULL && json_parse(detail, strlen(detail), kept, &unused) == ERR_OK) {
        text = json_get_text(*kept, "table", NULL);
    }
    if (text != NULL) {
        *out = arena_text(arena, text, strlen(text));
    }
    database_rows_free(rows);
    return *out != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

/* ---- a renamed column ---- */

/* The CHECKs of the definition under the new name, joined by AND. */
static const char *checks_of(struct str definition, const char *from, const char *to,
                             struct arena *arena)
{
    struct buf checks = {0}, text = {0};
    const char *out;

    table_text_checks(definition, &checks);
    change_add_renamed((struct str){buf_cstr(&checks), checks.len}, from, to, &text);
    out = text.len > 0 ? arena_text(arena, buf_cstr(&text), text.len) : NULL;
    buf_fini(&checks);
    buf_fini(&text);
    return out;
}

/* What stands behind a keyword that is not within parentheses; NULL: it is not there. */
static const char *behind(struct str definition, const char *keyword, struct arena *arena)
{
    struct sql_scan scan = sql_scan_start(definition);
    struct sql_token token;
    int depth = 0;

    while (sql_scan_next(&scan, &token)) {
        depth += sql_token_punct(&token, '(') ? 1 : sql_token_punct(&token, ')') ? -1 : 0;
        if (depth == 0 && sql_token_is(&token, keyword) && sql_scan_next(&scan, &token)) {
            return arena_text(arena, token.text.at, token.text.len);
        }
    }
    return NULL;
}

/* The definition with the column's name replaced at its head, and in its CHECKs: elsewhere the same
 * word is a type, a collation, a constraint or a string. */
static const char *declare_renamed(struct str definition, const char *from, const char *to,
                                   struct arena *arena)
{
    struct sql_scan scan = sql_scan_start(definition);
    struct sql_token token, before = {0};
    struct buf text = {0};
    const char *out, *at, *check = NULL;
    int depth = 0;

    (void)sql_scan_next(&scan, &token);
    buf_sql_name(&text, str_of(to));
    at = token.text.at + token.text.len;
    while (sql_scan_next(&scan, &token)) {
        bool open = sql_token_punct(&token, '(');
        depth += open ? 1 : sql_token_punct(&token, ')') ? -1 : 0;
        check = check == NULL && open && depth == 1 && sql_token_is(&before, "CHECK")
                    ? token.text.at
                    : check;
        before = token;
        if (check != NULL && depth > 0) {
            continue; /* all of it at its end */
        }
        buf_text(&text, (check != NULL ? check : token.text.at) > at ? " " : "");
        at = token.text.at + token.text.len;
        if (check != NULL) {
            change_add_renamed((struct str){check, (size_t)(at - check)}, from, to, &text);
        } else {
            buf_add(&text, token.text.at, token.text.len);
        }
        check = NULL;
    }
    out = arena_text(arena, buf_cstr(&text), text.len);
    buf_fini(&text);
    return out;
}

static bool is_not_null(struct str definition)
{
    struct buf loosened = {0};
    bool is = table_text_loosen(definition, &loosened);

    buf_fini(&loosened);
    return is;
}

/* Whether the bare column of expand is all that is declared: then contract has nothing to write into
 * the table's text, which not every engine can. */
static bool is_bare(const struct phased_add *add)
{
    struct buf bare = {0};
    bool is;

    buf_sql_name(&bare, str_of(add->name));
    buf_print(&bare, " %s", add->type != NULL ? add->type : "");
    if (add->collation != NULL) {
        buf_print(&bare, " COLLATE %s", add->collation);
    }
    is = sql_same_tokens(str_of(add->declared), str_of(buf_cstr(&bare)));
    buf_fini(&bare);
    return is;
}

static void resolve_add(const char *first, struct phased_add *add,
                        const struct shape_column *column, struct arena *arena)
{
    struct str definition;

    if (column == NULL || !table_text_column(str_of(first), add->like, &definition)) {
        return; /* change_check() says so */
    }
    add->not_null = add->not_null || is_not_null(definition);
    if (!add->renames) {
        return;
    }
    add->type = *column->type != '\0' ? column->type : NULL;
    add->collation = behind(definition, "COLLATE", arena);
    add->default_value = table_text_default(definition, arena);
    add->check = checks_of(definition, add->like, add->name, arena);
    add->declared = declare_renamed(definition, add->like, add->name, arena);
    if (add->declared != NULL && is_bare(add)) {
        add->declared = NULL;
    }
}

/* ---- columns that stay ---- */

static enum err_code resolve_alter(const char *first, struct phased_alter *alter,
                                   struct arena *arena, struct err *err)
{
    struct expression_names none = {0};
    struct str definition;
    struct buf text = {0};

    if (!table_text_column(str_of(first), alter->name, &definition)) {
        return ERR_OK; /* change_check() says so */
    }
    alter->original = arena_text(arena, definition.at, definition.len);
    alter->loosened = alter->original;
    if (alter->null == PHASED_NULL_ALLOWED && table_text_loosen(definition, &text)) {
        alter->loosened = arena_text(arena, buf_cstr(&text), text.len);
    }
    buf_fini(&text);
    if (alter->original == NULL || alter->loosened == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    buf_text(&text, alter->loosened);
    if (alter->null == PHASED_NULL_REFUSED) {
        buf_text(&text, " NOT NULL");
    }
    if (alter->check != NULL) {
        buf_text(&text, " CHECK (");
        expression_write(alter->check, &none, "", &text);
        buf_char(&text, ')');
    }
    alter->declared = change_settle(arena, &text);
    return alter->declared != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

/* ---- together ---- */

static enum err_code resolve_drop(struct phased_drop *drop, const struct shape_column *column,
                                  struct arena *arena, struct err *err)
{
    if (drop->cast_from == NULL || column == NULL) {
        return ERR_OK;
    }
    drop->reverse = phased_cast(arena, drop->cast_from, column->type);
    return drop->reverse != NULL
               ? ERR_OK
               : err_set(err, ERR_INVALID,
                         "\"retype\" of \"%.60s\" needs \"reverse\": its type '%.40s' keeps every "
                         "value as it is, so no CAST makes it again",
                         drop->name, column->type);
}

enum err_code change_resolve(struct database *db, struct change *change, bool expanded,
                             struct arena *arena, struct err *err)
{
    const struct phased *from = change->phased;
    struct phased *phased = arena_zero(arena, 1, sizeof *phased);
    const char *first = NULL;
    struct json *kept = NULL;
    enum err_code rc = first_text(db, change, expanded, arena, &first, &kept, err);

    if (rc || phased == NULL) {
        json_free(kept);
        return rc ? rc : err_set(err, ERR_NOMEM, "out of memory");
    }
    *phased = *from;
    phased->add = arena_zero(arena, from->add_count + 1, sizeof *phased->add);
    phased->drop = arena_zero(arena, from->drop_count + 1, sizeof *phased->drop);
    phased->alter = arena_zero(arena, from->alter_count + 1, sizeof *phased->alter);
    if (phased->add == NULL || phased->drop == NULL || phased->alter == NULL) {
        json_free(kept);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == ERR_OK && i < from->drop_count; i++) {
        struct str definition;
        phased->drop[i] = from->drop[i];
        phased->drop[i].not_null =
            table_text_column(str_of(first), change->drop_old[i], &definition) &&
            is_not_null(definition);
        rc = resolve_drop(&phased->drop[i], change_dropped(change, i), arena, err);
    }
    for (size_t i = 0; rc == ERR_OK && i < from->add_count; i++) {
        phased->add[i] = from->add[i];
        for (size_t k = 0; k < from->drop_count && from->add[i].like != NULL; k++) {
            if (strcasecmp(from->drop[k].name, from->add[i].like) == 0) {
                resolve_add(first, &phased->add[i], change_dropped(change, k), arena);
            }
        }
    }
    for (size_t i = 0; rc == ERR_OK && i < from->alter_count; i++) {
        phased->alter[i] = from->alter[i];
        rc = resolve_alter(first, &phased->alter[i], arena, err);
    }
    rc = rc ? rc : change_carry_indexes(change, json_get(kept, "indexes"), phased, arena, err);
    json_free(kept);
    change->phased = phased;
    return rc;
}
