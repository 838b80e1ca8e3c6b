#include "migrator/arrow/plain.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/clock.h"
#include "database/sql_scan.h"

#define TOKENS 6 /* enough to see what a statement is about */
#define NAMES_MAX 64

/* ---- analysis ---- */

struct head { /* a statement's first tokens */
    struct sql_token at[TOKENS];
    size_t count;
};

struct analysis {
    struct database *db;
    const char *name;
    size_t number; /* of the statement, from 1 */
    struct arena arena;
    const char *dropped[NAMES_MAX]; /* tables that this file dropped before */
    size_t dropped_count;
    const char *renamed[NAMES_MAX][2]; /* {new name, old name} */
    size_t renamed_count;
    struct err *err;
};

static struct head head_of(struct str statement)
{
    struct sql_scan scan = sql_scan_start(statement);
    struct head head = {0};

    while (head.count < TOKENS && sql_scan_next(&scan, &head.at[head.count])) {
        head.count++;
    }
    return head;
}

static bool is(const struct head *head, size_t i, const char *keyword)
{
    return i < head->count && sql_token_is(&head->at[i], keyword);
}

/* Why a statement has no place in a migration, or NULL. */
static const char *misplaced(const struct head *head)
{
    static const char *const transaction[] = {"BEGIN",    "COMMIT",    "END",
                                              "ROLLBACK", "SAVEPOINT", "RELEASE"};

    for (size_t i = 0; i < sizeof transaction / sizeof transaction[0]; i++) {
        if (is(head, 0, transaction[i])) {
            return "each migration is one transaction already: take it out";
        }
    }
    if (is(head, 0, "PRAGMA") && !is(head, 1, "defer_foreign_keys")) {
        return is(head, 1, "foreign_keys")
                   ? "foreign_keys cannot change inside a transaction, and a migration is one: it "
                     "would do nothing"
                   : "a setting is no change of the schema: take it out";
    }
    if (is(head, 0, "ATTACH") || is(head, 0, "DETACH")) {
        return "a migration changes one database";
    }
    return is(head, 0, "VACUUM") ? "it cannot run inside a transaction; run it by hand" : NULL;
}

/* The name that a token holds, without its quotes. */
static const char *name_of(struct arena *arena, const struct sql_token *token)
{
    struct str text = token->text;
    char *out, *to;

    if (token->kind != SQL_QUOTED) {
        return arena_text(arena, text.at, text.len);
    }
    out = to = arena_text(arena, text.at + 1, text.len - 2);
    for (size_t i = 1; out != NULL && i + 1 < text.len; i++) {
        *to++ = text.at[i];
        i += text.at[i] == text.at[text.len - 1] && text.at[i] != ']';
    }
    if (out != NULL) {
        *to = '\0';
    }
    return out;
}

/* The table that tokens[i] names, past "schema."; i moves behind it. */
static const char *table_at(struct analysis *a, const struct head *head, size_t *i)
{
    const char *name;

    if (*i + 2 < head->count && sql_token_punct(&head->at[*i + 1], '.')) {
        *i += 2;
    }
    if (*i >= head->count) {
        return NULL;
    }
    name = name_of(&a->arena, &head->at[(*i)++]);
    return name;
}

static bool was_dropped(const struct analysis *a, const char *table)
{
    for (size_t i = 0; i < a->dropped_count; i++) {
        if (strcasecmp(a->dropped[i], table) == 0) {
            return true;
        }
    }
    return false;
}

static const char *first_name(const struct analysis *a, const char *table)
{
    for (size_t i = a->renamed_count; i-- > 0;) {
        if (strcasecmp(a->renamed[i][0], table) == 0) {
            table = a->renamed[i][1];
        }
    }
    return table;
}

/* Rows of a child that a dropped parent would take along, or whose link it would cut. */
static enum err_code child_rows(struct analysis *a, const char *child, const char *column,
                                int64_t *out)
{
    struct database_rows *rows = NULL;
    struct buf sql = {0};
    enum err_code rc;

    buf_text(&sql, "SELECT count(*) FROM ");
    buf_sql_name(&sql, str_of(child));
    buf_text(&sql, " WHERE ");
    buf_sql_name(&sql, str_of(column));
    buf_text(&sql, " IS NOT NULL");
    rc = database_query(a->db, buf_cstr(&sql), NULL, 0, &rows, a->err);
    buf_fini(&sql);
    if (rc == ERR_OK) {
        *out = database_rows_int(rows, 0, 0, 0);
        database_rows_free(rows);
    }
    return rc;
}

/* DROP TABLE deletes the rows first, and that fires ON DELETE actions: whole children vanish while
 * the migration reports success. */
static enum err_code analyse_drop(struct analysis *a, const char *table)
{
    const char *original = first_name(a, table);
    struct database_value param = database_text(original);
    struct database_rows *rows = NULL;
    struct buf harm = {0};
    enum err_code rc = database_query(
        a->db,
        "SELECT m.name, f.\"from\", f.on_delete FROM sqlite_master AS m, "
        "pragma_foreign_key_list(m.name) AS f WHERE m.type = 'table' AND substr(m.name, 1, 4) <> "
        "'_cf_' AND lower(f.\"table\") = "
        "lower(?1) AND lower(m.name) <> lower(?1) AND f.on_delete IN ('CASCADE', 'SET NULL', 'SET "
        "DEFAULT') AND f.seq = 0 ORDER BY m.name",
        &param, 1, &rows, a->err);

    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        const char *child = database_rows_text(rows, i, 0);
        int64_t count = 0;
        if (was_dropped(a, child)) {
            continue;
        }
        rc = child_rows(a, child, database_rows_text(rows, i, 1), &count);
        if (rc == ERR_OK && count > 0) {
            buf_print(&harm, "%s%.60s (%lld rows, %s)", harm.len > 0 ? ", " : "", child,
                      (long long)count, database_rows_text(rows, i, 2));
        }
    }
    database_rows_free(rows);
    if (rc == ERR_OK && harm.len > 0) {
        rc = err_set(a->err, ERR_CONFLICT,
                     "%.80s: dropping table %.50s would take rows of others along: %.110s. Change "
                     "columns in place (a phased migration) instead of rebuilding it",
                     a->name, table, buf_cstr(&harm));
    }
    buf_fini(&harm);
    return rc;
}

/* A name of ours in a statement, or NULL: who writes our tables makes a journal that lies. */
static const char *names_ours(struct analysis *a, struct str statement)
{
    struct sql_scan scan = sql_scan_start(statement);
    struct sql_token token;

    while (sql_scan_next(&scan, &token)) {
        size_t quote = token.kind == SQL_QUOTED ? 1 : 0;
        if ((token.kind == SQL_WORD || quote == 1) && token.text.len > 9 + quote &&
            strncasecmp(token.text.at + quote, "lockstep_", 9) == 0) {
            const char *name = name_of(&a->arena, &token);
            return name != NULL ? name : "lockstep_";
        }
    }
    return NULL;
}

static enum err_code analyse_statement(struct analysis *a, struct str statement)
{
    struct head head = head_of(statement);
    const char *why = misplaced(&head), *table;
    size_t i = 2;
    enum err_code rc = ERR_OK;

    if (why != NULL) {
        return err_set(a->err, ERR_INVALID, "%.80s: statement %zu (%.20s): %s", a->name, a->number,
                       name_of(&a->arena, &head.at[0]), why);
    }
    table = names_ours(a, statement);
    if (table != NULL) {
        return err_set(
            a->err, ERR_INVALID,
            "%.80s: statement %zu names \"%.60s\": what begins with lockstep_ belongs to "
            "the migrator, and nobody else writes it",
            a->name, a->number, table);
    }
    if (is(&head, 0, "DROP") && is(&head, 1, "TABLE")) {
        i += is(&head, 2, "IF") ? 2 : 0;
        table = table_at(a, &head, &i);
        if (table != NULL) {
            rc = analyse_drop(a, table);
            if (a->dropped_count < NAMES_MAX) {
                a->dropped[a->dropped_count++] = first_name(a, table);
            }
        }
    } else if (is(&head, 0, "ALTER") && is(&head, 1, "TABLE")) {
        table = table_at(a, &head, &i);
        if (table != NULL && is(&head, i, "RENAME") && is(&head, i + 1, "TO") &&
            i + 2 < head.count && a->renamed_count < NAMES_MAX) {
            a->renamed[a->renamed_count][0] = name_of(&a->arena, &head.at[i + 2]);
            a->renamed[a->renamed_count++][1] = table;
        }
    }
    return rc;
}

enum err_code plain_analyse(struct database *db, const char *name, struct str sql, struct err *err)
{
    struct analysis a = {.db = db, .name = name, .err = err};
    struct str *statements = NULL;
    size_t count = 0;
    enum err_code rc = database_split(sql, &statements, &count, err);

    if (rc) {
        err_wrap(err, "%.100s", name);
        return rc;
    }
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        a.number = i + 1;
        rc = analyse_statement(&a, statements[i]);
    }
    free(statements);
    arena_fini(&a.arena);
    return rc;
}

/* ---- running ---- */

static enum err_code add_statements(struct work *work, struct str sql, struct err *err)
{
    struct str *statements = NULL;
    size_t count = 0;
    enum err_code rc = database_split(sql, &statements, &count, err);

    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        work_sql_n(work, statements[i]);
    }
    free(statements);
    return rc;
}

static enum err_code run(struct migrate *m, size_t index, struct str sql, struct work *work,
                         enum mig_state from, enum mig_state to, struct json *steps,
                         struct err *err)
{
    const struct migration *migration = &m->folder.at[index];
    struct database_batch_result result = {0};
    int64_t since = clock_monotonic_us();
    enum err_code rc = plain_import(m, index, sql, work, err);

    if (rc) {
        return rc;
    }
    journal_history(work, &(struct history){.migration = migration->name,
                                            .event = to == MIG_APPLIED ? "apply" : "rollback",
                                            .from = from,
                                            .to = to,
                                            .digest = migration->checksum,
                                            .started_ms = clock_wall_ms(),
                                            .rows = -1});
    rc = work_run(work, m->db, &m->lock, &result, err);
    if (rc) {
        plain_import_hint(m, sql, rc, err);
        err_wrap(err, "%.100s", migration->name);
        return rc;
    }
    session_report_step(steps, migration->name, from, to, clock_monotonic_us() - since,
                        result.hold_us, -1);
    return ERR_OK;
}

enum err_code plain_apply(struct migrate *m, size_t index, struct json *steps, struct err *err)
{
    const struct migration *migration = &m->folder.at[index];
    struct work work = {0};
    enum err_code rc = plain_analyse(m->db, migration->name, migration->up, err);

    rc = rc ? rc : add_statements(&work, migration->up, err);
    if (rc == ERR_OK) {
        journal_move(&work, migration->name, migration_kind_name(migration->kind),
                     migration->checksum, MIG_PENDING, MIG_APPLIED);
        if (migration->kind == MIGRATION_PLAIN) {
            journal_ledger(&work, m->options.ledger, migration->name);
        }
        rc = run(m, index, migration->up, &work, MIG_PENDING, MIG_APPLIED, steps, err);
    }
    work_fini(&work);
    return rc;
}

enum err_code plain_rollback(struct migrate *m, size_t index, struct json *steps, struct err *err)
{
    const struct migration *migration = &m->folder.at[index];
    struct work work = {0};
    enum err_code rc;

    if (migration->down.at == NULL) {
        return err_set(
            err, ERR_CONFLICT,
            "%.100s has no way back: only a folder with up.sql and down.sql, or a phased "
            "migration, has one",
            migration->name);
    }
    rc = plain_analyse(m->db, migration->name, migration->down, err);
    rc = rc ? rc : add_statements(&work, migration->down, err);
    if (rc == ERR_OK) {
        journal_move(&work, migration->name, migration_kind_name(migration->kind),
                     migration->checksum, MIG_APPLIED, MIG_PENDING);
        rc = run(m, index, migration->down, &work, MIG_APPLIED, MIG_PENDING, steps, err);
    }
    work_fini(&work);
    return rc;
}
