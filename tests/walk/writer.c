#include "tests/walk/writer.h"

#include "tests/migrator/unit.h"

#include "base/buf.h"
#include "base/file.h"
#include "database/database.h"
#include "tests/migrator/play.h"

/* ---- a shape ---- */

static void add(struct buf *list, const char *name, const char *after)
{
    if (buf_cstr(list)[0] != '\0') {
        buf_text(list, ", ");
    }
    buf_sql_name(list, str_of(name));
    buf_text(list, after);
}

static char *take(struct buf *list)
{
    char *out;

    buf_text(list, "");
    out = list->at != NULL ? buf_take(list) : strdup("");
    assert_non_null(out);
    return out;
}

/* The key of one INTEGER column numbers itself; any other is made new from the number of a write. */
static void read_columns(struct writer *w, sqlite3 *app)
{
    struct buf columns = {0}, into = {0}, insert = {0}, key = {0}, rest = {0};
    sqlite3_stmt *stmt = NULL;
    int keys, last_key;
    char sql[300];

    snprintf(sql, sizeof sql,
             "SELECT sum(pk > 0), max(pk) FROM pragma_table_xinfo(%s) WHERE hidden = 0", w->table);
    keys = (int)app_number(app, sql);
    last_key = keys;
    snprintf(sql, sizeof sql,
             "SELECT name, upper(type), pk FROM pragma_table_xinfo(%s) WHERE hidden = 0", w->table);
    assert_int_equal(sqlite3_prepare_v2(app, sql, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        const char *type = (const char *)sqlite3_column_text(stmt, 1);
        int pk = sqlite3_column_int(stmt, 2);
        bool integer = strstr(type, "INT") != NULL;
        add(&columns, name, "");
        add(pk > 0 ? &key : &rest, name, "");
        if (pk == last_key && pk > 0 && !(keys == 1 && strcmp(type, "INTEGER") == 0)) {
            add(&into, name, "");
            add(&insert, name, integer ? " + 100000 + $n" : " || '~' || $n");
        } else if (pk != last_key || pk == 0) {
            add(&into, name, "");
            add(&insert, name, "");
        }
    }
    sqlite3_finalize(stmt);
    if (keys == 0) {
        buf_text(&key, "_rowid_");
    }
    w->columns = take(&columns);
    w->insert_columns = take(&into);
    w->insert = take(&insert);
    w->key = take(&key);
    w->rest = take(&rest);
}

static void read_statements(struct writer *w, const char *file)
{
    struct err err = {0};
    struct str *pieces = NULL;
    size_t count = 0;
    char *text = file_exists(file) && !file_is_folder(file) ? play_read(file) : strdup("");

    assert_int_equal(database_split(str_of(text), &pieces, &count, &err), ERR_OK);
    for (size_t i = 0; i < count && w->count < COUNT(w->statements); i++) {
        w->statements[w->count++] = strndup(pieces[i].at, pieces[i].len);
    }
    free(pieces);
    free(text);
}

void writer_init(struct writer *writer, sqlite3 *app, const char *table, const char *file)
{
    struct buf quoted = {0}, find = {0};

    *writer = (struct writer){0};
    read_statements(writer, file);
    buf_text(&find,
             "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND lower(name) = lower(");
    buf_sql_text(&find, str_of(table != NULL ? table : ""));
    buf_text(&find, ")");
    if (app_number(app, buf_cstr(&find)) > 0) {
        buf_sql_name(&quoted, str_of(table));
        writer->table = take(&quoted);
        read_columns(writer, app);
    }
    buf_fini(&find);
}

void writer_fini(struct writer *writer)
{
    char *all[] = {writer->table,  writer->columns, writer->insert_columns,
                   writer->insert, writer->key,     writer->rest};

    for (size_t i = 0; i < COUNT(all); i++) {
        free(all[i]);
    }
    for (size_t i = 0; i < writer->count; i++) {
        free(writer->statements[i]);
    }
    *writer = (struct writer){0};
}

/* ---- writing ---- */

/* $n of a statement of the folder; $.member stays. */
static void spell_number(const char *text, int n, struct buf *out)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (p[0] == '$' && p[1] == 'n') {
            buf_print(out, "%d", n);
            p++;
        } else {
            buf_char(out, *p);
        }
    }
}

/* $t table, $c columns, $i those that an INSERT names, $v their values, $k key, $r the rest, $n the
 * number. */
static void spell(const struct writer *w, int n, const char *text, struct buf *out)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p != '$') {
            buf_char(out, *p);
            continue;
        }
        switch (*++p) {
        case 't': buf_text(out, w->table); break;
        case 'c': buf_text(out, w->columns); break;
        case 'i': buf_text(out, w->insert_columns); break;
        case 'v': spell(w, n, w->insert, out); break; /* it has the number in it */
        case 'k': buf_text(out, w->key); break;
        case 'r': buf_text(out, w->rest); break;
        default: buf_print(out, "%d", n);
        }
    }
}

void writer_statement(const struct writer *writer, int n, char sql[WRITE_BYTES])
{
#define ROW(number) "ORDER BY $k LIMIT 1 OFFSET (SELECT (" number ") % max(1, count(*)) FROM $t)"
    static const char *const any[] = {
        "INSERT INTO $t($i) SELECT $v FROM $t " ROW("$n"),
        "UPDATE $t SET ($r) = (SELECT $r FROM $t " ROW(
            "$n * 7") ") WHERE ($k) = (SELECT $k FROM $t " ROW("$n * 5 + 3") ")",
        "INSERT INTO $t($i) SELECT $v FROM $t " ROW("$n + 1"),
        "DELETE FROM $t WHERE ($k) = (SELECT $k FROM $t " ROW("$n * 3") ")",
    };
    struct buf out = {0};

    if (writer->count > 0 && (n % 5 == 4 || writer->table == NULL)) {
        size_t at = (size_t)(writer->table == NULL ? n : n / 5) % writer->count;
        spell_number(writer->statements[at], n, &out);
    } else if (writer->table == NULL) {
        buf_text(&out, "SELECT 1");
    } else {
        spell(writer, n, any[n % 4 == 1 && writer->rest[0] == '\0' ? 0 : n % 4], &out);
    }
    assert_true(snprintf(sql, WRITE_BYTES, "%s", buf_cstr(&out)) < WRITE_BYTES);
    buf_fini(&out);
}

static int take_number(void *ctx, int count, char **values, char **names)
{
    (void)names;
    *(int *)ctx = (int)strtol(values[count - 1], NULL, 10);
    return 0;
}

static int write_by_state(sqlite3 *app, int at, enum write_rule rule, struct write_log *log)
{
    int contracted = 0, code = sqlite3_exec(app, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    if (code != SQLITE_OK) {
        return code;
    }
    /* It fails while there is no journal: then nothing is contracted either. */
    (void)sqlite3_exec(app,
                       "SELECT count(*) FROM lockstep_journal WHERE state IN ('contracted', "
                       "'purged')",
                       take_number, &contracted, NULL);
    if (contracted > 0 && rule == WRITE_ENDS_AT_CONTRACT) {
        snprintf(log->at[at].sql, WRITE_BYTES, "SELECT 1");
    } else {
        log->at[at].contracted = contracted > 0;
    }
    code = sqlite3_exec(app, log->at[at].sql, NULL, NULL, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_exec(app, "COMMIT", NULL, NULL, NULL);
    }
    if (!sqlite3_get_autocommit(app)) {
        (void)sqlite3_exec(app, "ROLLBACK", NULL, NULL, NULL);
    }
    return code;
}

void writer_write(const struct writer *writer, sqlite3 *app, int n, enum write_rule rule,
                  struct write_log *log)
{
    int at = log->begun, code;

    if (at >= WRITES_MAX) {
        return;
    }
    writer_statement(writer, n, log->at[at].sql);
    log->begun = at + 1;
    code = rule == WRITE_ANY ? sqlite3_exec(app, log->at[at].sql, NULL, NULL, NULL)
                             : write_by_state(app, at, rule, log);
    log->at[at].code = code & 0xff;
    log->acked = at + 1;
}
