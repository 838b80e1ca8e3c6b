/*
 * SQL text: the scanner, database_split() and migrator/sql/table_text.h, the last two against SQLite
 * itself: where SQLite takes the text as a table, so it takes what the edits make of it.
 */
#include "tests/fuzz/fuzz.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "database/database.h"
#include "database/sql_scan.h"
#include "migrator/sql/table_text.h"

#define TOKENS_MAX 4096u
#define COLUMNS_MAX 16u

/* ---- tokens ---- */

struct tokens {
    struct sql_token at[TOKENS_MAX];
    size_t count;
    bool whole; /* nothing is unclosed */
};

static void scan_all(struct str text, struct tokens *out)
{
    struct sql_scan scan = sql_scan_start(text);
    const char *behind = text.at;

    out->count = 0;
    while (out->count < TOKENS_MAX && sql_scan_next(&scan, &out->at[out->count])) {
        struct str token = out->at[out->count++].text;

        CHECK(token.len > 0 && token.at >= behind && token.at + token.len <= text.at + text.len);
        behind = token.at + token.len;
    }
    out->whole = scan.unterminated == NULL;
    CHECK(out->whole || (scan.unterminated >= text.at && scan.unterminated < text.at + text.len &&
                         scan.unterminated_kind != NULL));
}

/* Whether edited is original without one run of tokens that begins at or behind from. */
static bool is_without_run(const struct tokens *original, const struct tokens *edited)
{
    size_t head = 0, tail = 0;

    if (!edited->whole || edited->count > original->count) {
        return false;
    }
    while (head < edited->count && str_equal(original->at[head].text, edited->at[head].text)) {
        head++;
    }
    while (tail < edited->count && str_equal(original->at[original->count - 1 - tail].text,
                                             edited->at[edited->count - 1 - tail].text)) {
        tail++;
    }
    return head + tail >= edited->count;
}

/* ---- statements ---- */

static void check_split(struct str text)
{
    struct str *pieces = NULL, *again = NULL;
    size_t count = 0, count_again = 0;
    struct err err = {0};
    const char *behind = text.at;

    if (database_split(text, &pieces, &count, &err) != ERR_OK) {
        CHECK(err.code == ERR_INVALID && strstr(err.msg, "line ") != NULL);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct str piece = pieces[i];
        struct buf buf = {0};

        CHECK(piece.len > 0 && piece.at >= behind && piece.at + piece.len <= text.at + text.len);
        behind = piece.at + piece.len;
        if (database_split(piece, &again, &count_again, &err) != ERR_OK || count_again != 1 ||
            !str_equal(again[0], piece)) {
            fuzz_fail("a statement is split again: %.*s", (int)piece.len, piece.at);
        }
        free(again);
        /* What SQLite would wait for more text of, the next ';' has not ended either. */
        buf_add(&buf, piece.at, piece.len);
        buf_text(&buf, "\n;");
        if (i + 1 < count && memchr(piece.at, '\0', piece.len) == NULL &&
            sqlite3_complete(buf_cstr(&buf)) != 1) {
            fuzz_fail("SQLite does not see its end: %.*s", (int)piece.len, piece.at);
        }
        buf_fini(&buf);
    }
    free(pieces);
}

/* ---- tables ---- */

struct column {
    char name[80];
    bool not_null;
    int key;
};

struct table {
    struct column at[COLUMNS_MAX];
    size_t count;
};

/* Creates the table in an empty database, and reads its columns. False: SQLite does not take it, or it
 * is none of the kind that is asked here. */
static bool create(const char *sql, struct table *out)
{
    static const char *const columns =
        "SELECT name, \"notnull\", pk, (SELECT count(*) FROM sqlite_master) "
        "FROM pragma_table_xinfo((SELECT name FROM sqlite_master WHERE type = 'table' LIMIT 1)) "
        "WHERE hidden IN (0, 2, 3)";
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    bool ok = false;

    CHECK(sqlite3_open(":memory:", &db) == SQLITE_OK);
    sqlite3_limit(db, SQLITE_LIMIT_EXPR_DEPTH, 100);
    out->count = 0;
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(db, columns, -1, &statement, NULL) == SQLITE_OK) {
        while (sqlite3_step(statement) == SQLITE_ROW) {
            struct column *column = &out->at[out->count];
            int bytes = sqlite3_column_bytes(statement, 0);

            ok = out->count < COLUMNS_MAX && bytes < (int)sizeof column->name;
            if (!ok) {
                break;
            }
            memcpy(column->name, sqlite3_column_text(statement, 0), (size_t)bytes + 1);
            column->not_null = sqlite3_column_int(statement, 1) != 0;
            column->key = sqlite3_column_int(statement, 2);
            out->count++;
        }
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return ok;
}

/* Whether the text is one CREATE TABLE with a list of columns: what sqlite_master holds. */
static bool is_create_table(const struct tokens *tokens)
{
    size_t at = 2;

    if (tokens->count < 5 || !tokens->whole || !sql_token_is(&tokens->at[0], "CREATE") ||
        !sql_token_is(&tokens->at[1], "TABLE")) {
        return false;
    }
    for (size_t i = 0; i < tokens->count; i++) {
        if (sql_token_punct(&tokens->at[i], ';')) {
            return false;
        }
    }
    if (sql_token_is(&tokens->at[2], "IF")) {
        at = 5;
    }
    return at + 1 < tokens->count && sql_token_punct(&tokens->at[at + 1], '(');
}

static void check_column(struct str sql, const struct tokens *tokens, const struct table *table,
                         size_t index)
{
    static struct tokens edited;
    const struct column *column = &table->at[index];
    struct table after;
    struct buf loose = {0}, text = {0};
    struct str definition;

    if (!table_text_column(sql, column->name, &definition)) {
        fuzz_fail("column \"%s\" is not found", column->name);
    }
    if (table_text_loosen(definition, &loose)) {
        table_text_replace(sql, definition, (struct str){loose.at, loose.len}, &text);
        scan_all((struct str){text.at, text.len}, &edited);
        if (!is_without_run(tokens, &edited) || !create(buf_cstr(&text), &after) ||
            after.count != table->count) {
            fuzz_fail("loosening \"%s\" breaks the table: %s", column->name, buf_cstr(&text));
        }
        for (size_t i = 0; i < after.count; i++) {
            CHECK(strcmp(after.at[i].name, table->at[i].name) == 0);
            CHECK(i == index || after.at[i].not_null == table->at[i].not_null);
        }
    } else if (column->not_null && column->key == 0) {
        fuzz_fail("NOT NULL of \"%s\" is not found", column->name);
    }
    buf_clear(&text);
    table_text_remove(sql, definition, &text);
    scan_all((struct str){text.at, text.len}, &edited);
    if (!is_without_run(tokens, &edited)) {
        fuzz_fail("removing \"%s\" breaks the text: %s", column->name, buf_cstr(&text));
    }
    if (create(buf_cstr(&text), &after) && after.count + 1 != table->count) {
        fuzz_fail("removing \"%s\" removes something else: %s", column->name, buf_cstr(&text));
    }
    buf_fini(&text);
    buf_fini(&loose);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tokens tokens;
    struct table table;
    struct str sql = {fuzz_exact((struct str){(const char *)data, size}), size}, definition;
    struct buf text = {0};

    scan_all(sql, &tokens);
    CHECK(sql_same_tokens(sql, sql) == tokens.whole || tokens.count == TOKENS_MAX);
    check_split(sql);
    (void)table_text_without_rowid(sql);
    for (size_t i = 0; i < tokens.count && i < 12; i++) { /* any text: nothing may be overrun */
        struct buf name = {0};

        buf_add(&name, tokens.at[i].text.at, tokens.at[i].text.len);
        (void)table_text_expression_names(sql, buf_cstr(&name));
        if (table_text_column(sql, buf_cstr(&name), &definition)) {
            CHECK(definition.at >= sql.at && definition.at + definition.len <= sql.at + sql.len);
            (void)table_text_loosen(definition, &text);
            table_text_remove(sql, definition, &text);
        }
        buf_fini(&name);
    }
    buf_clear(&text);
    buf_add(&text, sql.at, sql.len);
    if (size < 4096 && (size == 0 || memchr(sql.at, '\0', size) == NULL) &&
        is_create_table(&tokens) && create(buf_cstr(&text), &table)) {
        for (size_t i = 0; i < table.count; i++) {
            check_column(sql, &tokens, &table, i);
        }
    }
    buf_fini(&text);
    fuzz_release();
    return 0;
}
