/*
 * Random tables, random migrations and random writers, from fixed seeds. In every state a writer of
 * the old shape must see what it would see on the old table alone, and one of the new shape what it
 * would see on the new table alone; what a statement did not change must be as it was in the other
 * shape too; both shapes must say the same in every row; the way back must give schema and rows
 * back; and a fresh database must get the schema of the walked one.
 *
 * PROPERTY_SEED=n runs one case, PROPERTY_CASES=n that many, PROPERTY_FROM=n those from seed n on.
 * The seed told last is the one that failed; a case is small enough to be read as it is.
 */
#include "tests/migrator/unit.h"

#include "base/buf.h"
#include "tests/migrator/play.h"
#include "tests/migrator/random_case.h"

#define CASES 60u
#define CASES_SLOW 30u /* with sanitizers */
#define CASES_FULL 5000u
#define CASES_FULL_SLOW 400u
#define BATCH 6 /* statements of one side before the other may come */
#define FOLDER "property"
#define NAME "0007_change"
#define ROWS_MAX 400u

/* ---- rows, as bytes ---- */

struct row {
    struct buf writer, other;
};

struct rows {
    struct row at[ROWS_MAX];
    size_t count;
};

static void rows_free(struct rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        buf_fini(&rows->at[i].writer);
        buf_fini(&rows->at[i].other);
    }
    rows->count = 0;
}

static void add_value(sqlite3_stmt *query, int column, struct buf *out)
{
    double real = sqlite3_column_double(query, column);
    int type = sqlite3_column_type(query, column), len;
    const char *bytes;

    buf_char(out, (char)('0' + type));
    if (type == SQLITE_FLOAT) {
        buf_add(out, (const char *)&real, sizeof real);
        return;
    }
    bytes = sqlite3_column_blob(query, column);
    len = sqlite3_column_bytes(query, column);
    buf_print(out, "%d:", len);
    buf_add(out, bytes != NULL ? bytes : "", (size_t)len);
}

static sqlite3_stmt *prepare(sqlite3 *app, const char *sql)
{
    sqlite3_stmt *query = NULL;

    if (sqlite3_prepare_v2(app, sql, -1, &query, NULL) != SQLITE_OK) {
        fail_msg("%s: %s", sql, sqlite3_errmsg(app));
    }
    return query;
}

/* What both sides read besides their shapes; a rowid where it says more than id. */
static int add_plain(const struct random_case *c, struct buf *out)
{
    bool rowid = c->key == KEY_NONE || c->key == KEY_COMPOSITE;

    buf_text(out, rowid ? "rowid, id, code, note, part, ref" : "id, code, note, part, ref");
    return rowid ? 6 : 5;
}

/* The writer's columns, and the other side's behind them if other is set. */
static void read_rows(sqlite3 *app, const struct random_case *given, bool new_side, bool other,
                      struct rows *out)
{
    struct random_case own = random_case_of(given, new_side);
    const struct random_case *c = &own;
    struct buf sql = {0}, writer = {0};
    sqlite3_stmt *query;
    int split;

    buf_text(&writer, "SELECT ");
    (void)add_plain(c, &writer);
    buf_text(&writer, ", ");
    random_case_columns(c, new_side, &writer);
    buf_text(&sql, buf_cstr(&writer));
    random_case_spell(c, 0, " FROM $t", &writer);
    query = prepare(app, buf_cstr(&writer));
    split = sqlite3_column_count(query);
    sqlite3_finalize(query);
    if (other) {
        buf_text(&sql, ", ");
        random_case_columns(c, !new_side, &sql);
    }
    random_case_spell(c, 0, " FROM $t ORDER BY id, part", &sql);
    query = prepare(app, buf_cstr(&sql));
    out->count = 0;
    while (sqlite3_step(query) == SQLITE_ROW) {
        struct row *row = &out->at[out->count++];
        *row = (struct row){0};
        assert_true(out->count < ROWS_MAX);
        for (int i = 0; i < sqlite3_column_count(query); i++) {
            add_value(query, i, i < split ? &row->writer : &row->other);
        }
    }
    assert_int_equal(sqlite3_finalize(query), SQLITE_OK);
    buf_fini(&sql);
    buf_fini(&writer);
}

static bool same_bytes(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->at, b->at, a->len) == 0);
}

static bool same_rows(const struct rows *a, const struct rows *b)
{
    bool same = a->count == b->count;

    for (size_t i = 0; same && i < a->count; i++) {
        same = same_bytes(&a->at[i].writer, &b->at[i].writer);
    }
    return same;
}

/* For people: what a failure shows. */
static void show(sqlite3 *app, const struct random_case *c, struct buf *out)
{
    for (int side = 0; side < 2; side++) {
        struct random_case own = random_case_of(c, side);
        struct buf sql = {0}, find = {0};
        char *rows;
        buf_text(&find, "SELECT count(*) FROM sqlite_master WHERE name = ");
        buf_sql_text(&find, str_of(own.table));
        if ((side == 0 || c->kind == KIND_RENAME_TABLE) && app_number(app, buf_cstr(&find)) > 0) {
            random_case_spell(&own, 0, "SELECT * FROM $t ORDER BY id, part", &sql);
            rows = app_rows(app, buf_cstr(&sql));
            buf_text(out, rows);
            free(rows);
        }
        buf_fini(&find);
        buf_fini(&sql);
    }
}

static void fail_case(sqlite3 *app, sqlite3 *model, const struct random_case *c, const char *sql,
                      const char *why)
{
    struct buf text = {0};

    buf_print(&text, "%s\n%s\n[", why, sql);
    random_case_describe(c, &text);
    buf_text(&text, "]\nseen:\n");
    show(app, c, &text);
    if (model != NULL) {
        buf_text(&text, "wanted:\n");
        show(model, c, &text);
    }
    fail_msg("%s", buf_cstr(&text));
}

/* ---- models ---- */

static void set_pragmas(sqlite3 *app, bool recursive, bool keys)
{
    char sql[120];

    snprintf(sql, sizeof sql,
             "PRAGMA recursive_triggers = %d; PRAGMA foreign_keys = %d; PRAGMA synchronous = OFF",
             recursive, keys);
    app_run(app, sql);
}

static void copy_values(sqlite3 *from, const char *select, sqlite3 *to, const char *insert)
{
    sqlite3_stmt *query = prepare(from, select), *put = prepare(to, insert);

    while (sqlite3_step(query) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(query); i++) {
            assert_int_equal(sqlite3_bind_value(put, i + 1, sqlite3_column_value(query, i)),
                             SQLITE_OK);
        }
        if (sqlite3_step(put) != SQLITE_DONE) {
            fail_msg("%s: %s", insert, sqlite3_errmsg(to));
        }
        assert_int_equal(sqlite3_reset(put), SQLITE_OK);
    }
    sqlite3_finalize(query);
    sqlite3_finalize(put);
}

/* The same rows in a table that never had another shape. */
static sqlite3 *model_of(sqlite3 *app, const struct random_case *given, bool new_side, bool loose)
{
    struct random_case own = random_case_of(given, new_side);
    const struct random_case *c = &own;
    sqlite3 *model = app_open(":memory:");
    struct buf columns = {0}, select = {0}, insert = {0};
    sqlite3_stmt *count;
    int values;

    app_run(model, c->utf16 ? "PRAGMA encoding = 'UTF-16le'" : "PRAGMA encoding = 'UTF-8'");
    random_case_table(model, given, new_side, loose);
    (void)add_plain(c, &columns);
    buf_text(&columns, ", ");
    random_case_columns(c, new_side, &columns);
    buf_print(&select, "SELECT %s", buf_cstr(&columns));
    random_case_spell(c, 0, " FROM $t ORDER BY 1", &select);
    count = prepare(app, buf_cstr(&select));
    values = sqlite3_column_count(count);
    sqlite3_finalize(count);
    random_case_spell(c, 0, "INSERT INTO $t(", &insert);
    buf_print(&insert, "%s) VALUES(?", buf_cstr(&columns));
    for (int i = 1; i < values; i++) {
        buf_text(&insert, ", ?");
    }
    buf_char(&insert, ')');
    copy_values(app, buf_cstr(&select), model, buf_cstr(&insert));
    app_run(model, "DELETE FROM log");
    if (loose) {
        random_case_fill(model, c);
    }
    if (c->key == KEY_AUTOINCREMENT) {
        app_run(model, "DELETE FROM sqlite_sequence");
        buf_clear(&select);
        buf_text(&select, "SELECT * FROM sqlite_sequence WHERE name = ");
        buf_sql_text(&select, str_of(c->table));
        copy_values(app, buf_cstr(&select), model, "INSERT INTO sqlite_sequence VALUES(?, ?)");
    }
    app_run(app, "DELETE FROM log");
    buf_fini(&columns);
    buf_fini(&select);
    buf_fini(&insert);
    return model;
}

/* ---- writes ---- */

/* Where the writer's table stands: alone, with the other shape beside it, or with the old one set
 * aside. */
enum stage { ALONE, FILLING, TOGETHER, ASIDE };

static void check_consistent(sqlite3 *app, const struct random_case *c, enum stage stage,
                             const char *sql)
{
    struct buf query = {0};

    random_case_spell(c, 0, "SELECT count(*) FROM $t WHERE NOT (", &query);
    random_case_consistent(c, stage == ASIDE ? "lockstep_7_" : "", &query);
    buf_char(&query, ')');
    if (app_number(app, buf_cstr(&query)) != 0) {
        fail_case(app, NULL, c, sql, "the shapes differ");
    }
    buf_fini(&query);
}

/* A renamed table and the other one hold the same rows, also when the old one is set aside. */
static void check_mirror(sqlite3 *app, const struct random_case *c, bool new_side, enum stage stage,
                         const struct rows *after, const char *sql)
{
    static struct rows other;
    struct random_case own = random_case_of(c, !new_side);

    if (stage == ASIDE) {
        snprintf(own.table, sizeof own.table, "lockstep_7_%.30s", c->table);
    }
    read_rows(app, &own, false, false, &other);
    if (!same_rows(after, &other)) {
        fail_case(app, NULL, c, sql, "the two tables differ");
    }
    rows_free(&other);
}

/* What the writer's side did not change is as it was in the other. */
static void check_untouched(sqlite3 *app, const struct random_case *c, const struct rows *before,
                            const struct rows *after, const char *sql)
{
    if (strstr(sql, "REPLACE") != NULL || strstr(sql, "SET id") != NULL ||
        strstr(sql, "SET part") != NULL) {
        return; /* another row may look like this one did */
    }
    for (size_t i = 0; i < before->count; i++) {
        for (size_t k = 0; k < after->count; k++) {
            if (same_bytes(&before->at[i].writer, &after->at[k].writer) &&
                !same_bytes(&before->at[i].other, &after->at[k].other)) {
                fail_case(app, NULL, c, sql, "the other shape of an unchanged row changed");
            }
        }
    }
}

static void compare(sqlite3 *app, sqlite3 *model, const struct random_case *c, bool new_side,
                    enum stage stage, const char *sql)
{
    static struct rows before, after, wanted;
    bool columns = c->kind == KIND_COLUMNS, other = columns && stage == TOGETHER;
    int code, code_wanted;

    read_rows(app, c, new_side, other, &before);
    code = app_try(app, sql);
    code_wanted = app_try(model, sql);
    if (code != code_wanted) {
        struct buf why = {0};
        buf_print(&why, "%s; on a table of its own: %s", sqlite3_errmsg(app),
                  sqlite3_errmsg(model));
        fail_case(app, model, c, sql, buf_cstr(&why));
    }
    if (sqlite3_changes(app) != sqlite3_changes(model) ||
        (strncmp(sql, "INSERT", 6) == 0 && code == SQLITE_OK && sqlite3_changes(app) > 0 &&
         strstr(sql, "ON CONFLICT") == NULL && c->key != KEY_WITHOUT_ROWID &&
         sqlite3_last_insert_rowid(app) != sqlite3_last_insert_rowid(model))) {
        fail_case(app, model, c, sql, "changes() or last_insert_rowid() differs");
    }
    read_rows(app, c, new_side, other, &after);
    read_rows(model, c, new_side, false, &wanted);
    if (!same_rows(&after, &wanted)) {
        fail_case(app, model, c, sql, "the rows differ");
    }
    if (other) {
        check_untouched(app, c, &before, &after, sql);
    }
    if (columns && (stage == TOGETHER || stage == ASIDE)) {
        check_consistent(app, c, stage, sql);
    } else if (c->kind == KIND_RENAME_TABLE && (stage == TOGETHER || stage == ASIDE)) {
        check_mirror(app, c, new_side, stage, &after, sql);
    }
    rows_free(&before);
    rows_free(&after);
    rows_free(&wanted);
}

enum side { OLD, NEW, BOTH };

static void same_text(sqlite3 *a, sqlite3 *b, const struct random_case *c, const char *sql)
{
    char *one = app_rows(a, sql), *two = app_rows(b, sql);

    if (strcmp(one, two) != 0) {
        fail_case(a, b, c, sql, "what the triggers wrote differs");
    }
    free(one);
    free(two);
}

/* No row may be left that contract would refuse. */
static void mend(sqlite3 *app, const struct random_case *c, bool violators_alone)
{
    struct buf sql = {0};

    random_case_mend(c, violators_alone, &sql);
    app_run(app, "PRAGMA recursive_triggers = 0");
    app_run(app, buf_cstr(&sql));
    buf_fini(&sql);
}

static void write_for_a_while(sqlite3 *app, const struct random_case *c, enum side side,
                              enum stage stage, unsigned batches)
{
    for (unsigned i = 0; i < batches; i++) {
        bool new_side = side == BOTH ? random_below(2) : side == NEW;
        bool loose = stage == TOGETHER || stage == FILLING ||
                     (stage == ASIDE && c->kind == KIND_RENAME_TABLE);
        bool recursive = random_below(2), keys = random_below(2);
        sqlite3 *model;
        if (!random_case_has(c, new_side)) {
            if (side != BOTH) {
                return; /* code of that side has no table to write */
            }
            new_side = !new_side;
        }
        if (new_side && stage == TOGETHER && c->operation_count > 1) {
            mend(app, c,
                 false); /* else one operation's new columns come back when another's are mended */
        }
        model = model_of(app, c, new_side, loose && c->kind != KIND_CREATE_TABLE);
        set_pragmas(app, recursive, keys);
        set_pragmas(model, recursive, keys);
        for (unsigned k = 0; k < BATCH; k++) {
            compare(app, model, c, new_side, stage, random_case_write(c, new_side));
        }
        same_text(app, model, c, "SELECT * FROM log");
        app_close(model);
        set_pragmas(app, false, false);
    }
}

/* ---- the walk ---- */

struct walk {
    const struct random_case *c;
    sqlite3 *app;
    const char *db;
};

static void move(const struct walk *w, bool forward, const char *to)
{
    const char *folder = scratch(FOLDER);
    struct err err = {0};
    enum err_code rc;

    if (strcmp(to, "contracted") == 0) { /* as if old code had been silent for long */
        app_run(w->app, "UPDATE lockstep_activity SET written_at = 0");
    }
    rc = forward ? play_apply(w->db, folder, to, &err) : play_rollback(w->db, folder, to, &err);
    if (rc != ERR_OK) {
        fail_case(w->app, NULL, w->c, to, err.msg);
    }
    assert_string_equal(play_state(w->db, folder, NAME), to);
}

static char *rows_text(sqlite3 *app, const struct random_case *c, bool new_side)
{
    static struct rows rows;
    struct buf out = {0};

    buf_text(&out, "");
    if (!random_case_has(c, new_side)) {
        return buf_take(&out);
    }
    read_rows(app, c, new_side, false, &rows);
    for (size_t i = 0; i < rows.count; i++) {
        for (size_t k = 0; k < rows.at[i].writer.len; k++) {
            buf_print(&out, "%02x", (unsigned char)rows.at[i].writer.at[k]);
        }
        buf_char(&out, '\n');
    }
    rows_free(&rows);
    return buf_take(&out);
}

static char *side_rows(const struct walk *w, bool new_side)
{
    return rows_text(w->app, w->c, new_side);
}

/* Old code's rows as they must be behind the last step back. */
static char *rows_to_come(const struct walk *w)
{
    struct buf sql = {0};
    sqlite3 *model;
    char *rows;

    if (!random_case_has(w->c, false)) {
        return rows_text(w->app, w->c, false);
    }
    model = model_of(w->app, w->c, false, true);
    random_case_way_back(w->c, &sql);
    app_run(model, "PRAGMA foreign_keys = 0");
    app_run(model, buf_cstr(&sql));
    rows = rows_text(model, w->c, false);
    app_close(model);
    buf_fini(&sql);
    return rows;
}

static void same_taken(const struct walk *w, const char *what, char *got, char *wanted)
{
    if (strcmp(got, wanted) != 0) {
        struct buf why = {0};
        buf_print(&why, "%s\nbefore:\n%s\nafter:\n%s", what, wanted, got);
        fail_case(w->app, NULL, w->c, what, buf_cstr(&why));
    }
    free(got);
    free(wanted);
}

/* An index of the application on the new columns, made while they are new. */
static void index_new(const struct walk *w, bool make)
{
    struct buf sql = {0}, columns = {0};

    if (w->c->kind != KIND_COLUMNS) {
        return;
    }
    random_case_columns(w->c, true, &columns);
    random_case_spell(w->c, 0, make ? "CREATE INDEX by_new ON $t(" : "DROP INDEX IF EXISTS by_new",
                      &sql);
    if (make) {
        buf_print(&sql, "%s)", buf_cstr(&columns));
    }
    app_run(w->app, buf_cstr(&sql));
    buf_fini(&sql);
    buf_fini(&columns);
}

static void check_index(const struct walk *w, const char *name, bool wanted)
{
    char sql[120];

    snprintf(sql, sizeof sql, "SELECT count(*) FROM sqlite_master WHERE name = '%s'", name);
    if ((app_number(w->app, sql) > 0) != wanted) {
        fail_case(w->app, NULL, w->c, name, wanted ? "this index is missing" : "it is still there");
    }
}

static void forth_and_back(const struct walk *w, char *schema)
{
    char *rows;

    move(w, true, "dual-writing");
    write_for_a_while(w->app, w->c, OLD, FILLING, 1);
    mend(w->app, w->c, true);
    move(w, true, "in-sync");
    check_index(w, "made", w->c->make_index);
    check_index(w, "by_note", w->c->drop_index);
    if (random_below(2) &&
        w->c->key != KEY_WITHOUT_ROWID) { /* there the order of a scan hangs on it */
        index_new(w, true);
    }
    write_for_a_while(w->app, w->c, BOTH, TOGETHER, 4);
    mend(w->app, w->c, false);
    move(w, true, "contracted");
    write_for_a_while(w->app, w->c, NEW, ASIDE, 2);
    move(w, false, "in-sync");
    write_for_a_while(w->app, w->c, BOTH, TOGETHER, 1);
    index_new(w, false);
    rows = rows_to_come(w);
    move(w, false, "pending");
    same_taken(w, "rows of old code after the way back", side_rows(w, false), rows);
    same_taken(w, "schema after the way back", app_schema(w->app), schema);
}

static void to_the_end(const struct walk *w)
{
    char *rows, *text, *log;

    write_for_a_while(w->app, w->c, OLD, ALONE, 1);
    mend(w->app, w->c, false);
    move(w, true, "in-sync");
    move(w, true, "contracted");
    write_for_a_while(w->app, w->c, NEW, ASIDE, 1);
    rows = side_rows(w, true);
    log = app_rows(w->app, "SELECT * FROM log");
    move(w, true, "purged");
    same_taken(w, "rows of new code after purge", side_rows(w, true), rows);
    same_taken(w, "what triggers wrote during purge", app_rows(w->app, "SELECT * FROM log"), log);
    check_index(w, "made", w->c->make_index);
    check_index(w, "by_note", false);
    text = app_rows(w->app, "SELECT count(*) FROM sqlite_master WHERE name LIKE 'lockstep_7_%'");
    assert_string_equal(text, "0\n");
    free(text);
    text = app_rows(w->app, "PRAGMA integrity_check");
    assert_string_equal(text, "ok\n");
    free(text);
}

static void remove_file(const char *db)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};

    for (size_t i = 0; i < COUNT(ends); i++) {
        char path[560];
        snprintf(path, sizeof path, "%s%s", db, ends[i]);
        play_remove(path);
    }
}

/* A database without rows goes straight to the end, and arrives at the same schema. */
static void check_fresh(const struct walk *w)
{
    char db[512];
    sqlite3 *app;

    snprintf(db, sizeof db, "%s", scratch("fresh.db"));
    remove_file(db);
    app = app_open(db);
    random_case_table(app, w->c, false, false);
    app_run(app, "CREATE TABLE keep(n INTEGER)");
    PLAY(play_apply(db, scratch(FOLDER), NULL, &play_err));
    assert_string_equal(play_state(db, scratch(FOLDER), NAME), "purged");
    same_taken(w, "schema of a fresh database", app_schema(app), app_schema(w->app));
    app_close(app);
}

/* How often each operation was walked. */
static struct {
    const char *name;
    unsigned walked;
} tally[64];

static void count_walked(const char *name)
{
    size_t i = 0;

    while (i < COUNT(tally) - 1 && tally[i].name != NULL && strcmp(tally[i].name, name) != 0) {
        i++;
    }
    tally[i].name = name;
    tally[i].walked++;
}

static void count_case(const struct random_case *c)
{
    static const char *const kinds[] = {NULL, "rename of a table", "drop of a table",
                                        "making of a table"};

    if (c->kind != KIND_COLUMNS) {
        count_walked(kinds[c->kind]);
        return;
    }
    for (unsigned i = 0; i < c->operation_count; i++) {
        if (c->operations[i].is->spelled != SPELLED_NOTHING) {
            count_walked(c->operations[i].is->name);
        }
    }
    if (c->make_index) {
        count_walked("making of an index");
    }
    if (c->drop_index) {
        count_walked("drop of an index");
    }
}

/* false: the migration was refused, and nothing was changed. */
static bool one_case(unsigned number)
{
    static const char *const files[] = {"PRAGMA journal_mode = DELETE",
                                        "PRAGMA page_size = 512; PRAGMA journal_mode = WAL",
                                        "PRAGMA auto_vacuum = FULL; PRAGMA journal_mode = WAL"};
    struct random_case c;
    struct err err = {0};
    struct walk w = {.c = &c};
    char db[512], *json, *schema;
    enum err_code rc;

    random_start(number);
    random_case_make(&c);
    play_remove(scratch(FOLDER));
    snprintf(db, sizeof db, "%s", scratch("property.db"));
    remove_file(db);
    json = random_case_json(&c);
    play_write(scratch(FOLDER "/" NAME "/migration.json"), json);
    free(json);
    w.db = db;
    w.app = app_open(db);
    app_run(w.app, c.utf16 ? "PRAGMA encoding = 'UTF-16le'" : "PRAGMA encoding = 'UTF-8'");
    app_run(w.app, RANDOM_PICK(files));
    random_case_table(w.app, &c, false, false);
    app_run(w.app,
            "CREATE TABLE keep(n INTEGER); INSERT INTO keep VALUES(1)"); /* it is not fresh */
    write_for_a_while(w.app, &c, OLD, ALONE, 1);
    schema = app_schema(w.app);
    rc = play_apply(db, scratch(FOLDER), "expanded", &err);
    if (rc == ERR_INVALID || rc == ERR_CONFLICT) {
        same_taken(&w, "schema after a refusal", app_schema(w.app), schema);
        app_close(w.app);
        print_message("refused: %s\n", err.msg);
        return false;
    }
    if (rc != ERR_OK) {
        fail_case(w.app, NULL, &c, "expand", err.msg);
    }
    forth_and_back(&w, schema);
    to_the_end(&w);
    check_fresh(&w);
    app_close(w.app);
    count_case(&c);
    return true;
}

static void any_table_migration_and_writer(void **state)
{
    const char *one = getenv("PROPERTY_SEED"), *some = getenv("PROPERTY_CASES"),
               *from = getenv("PROPERTY_FROM"), *san = getenv("SAN");
    bool slow = san != NULL && *san != '\0';
    unsigned cases = getenv("CHECK_FULL") == NULL ? (slow ? CASES_SLOW : CASES)
                     : slow                       ? CASES_FULL_SLOW
                                                  : CASES_FULL;
    unsigned walked = 0, refused = 0;

    (void)state;
    if (one != NULL) {
        (void)one_case((unsigned)strtoul(one, NULL, 10));
        return;
    }
    if (some != NULL) {
        cases = (unsigned)strtoul(some, NULL, 10);
    }
    for (unsigned i = from != NULL ? (unsigned)strtoul(from, NULL, 10) : 1; walked < cases; i++) {
        print_message("PROPERTY_SEED=%u\n", i);
        if (one_case(i)) {
            walked++;
        } else {
            refused++;
        }
        assert_true(refused <= 20 + walked);
    }
    for (size_t i = 0; i < COUNT(tally) && tally[i].name != NULL; i++) {
        print_message("proof: %-22s %5u\n", tally[i].name, tally[i].walked);
        assert_true(cases < CASES_FULL || tally[i].walked >= 50);
    }
    print_message("proof: %u random cases walked, %u refused\n", walked, refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_table_migration_and_writer)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
