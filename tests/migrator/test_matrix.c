/*
 * Dual-write, the whole matrix: {old code, new code, code that writes both} x every kind of
 * statement under every conflict clause x {recursive_triggers} x {foreign_keys} x kinds of tables x
 * kinds of changes x {alone, RETURNING, in a transaction, rolled back, in a savepoint}.
 *
 * Each combination runs on a walked file and on a model: a file of the writer's shape alone, without
 * our triggers. What the statement reports (result code, changes(), last_insert_rowid(), RETURNING,
 * whether a transaction is still open) must be the same, so must be every row of every table as the
 * writer's side reads it; the other side must read what the change says of it; and C must hold.
 *
 * make check takes one combination in SAMPLE, make check-full one in SAMPLE_FULL. MATRIX=n runs
 * combination n alone, MATRIX_SAMPLE=1 each.
 */
#include "tests/migrator/unit.h"

#include "tests/migrator/play.h"
#include "tests/migrator/words.h"

/* Primes: no axis is left out. */
#define SAMPLE 149u
#define SAMPLE_FULL 7u

/* ---- tables ---- */

struct table_kind {
    const char *name, *id, *constraint, *tail, *key, *child_key;
    bool rowid;
};

static const struct table_kind tables[] = {
    {"INTEGER PRIMARY KEY", "id INTEGER PRIMARY KEY", "", "", "id", "person", true},
    {"AUTOINCREMENT", "id INTEGER PRIMARY KEY AUTOINCREMENT", "", "", "id", "person", true},
    {"rowid", "id INT NOT NULL", ", PRIMARY KEY(id)", "", "id", "person", true},
    {"rowid without key", "id INT NOT NULL UNIQUE", "", "", "id", "person", true},
    {"rowid, composite key", "id INT NOT NULL", ", PRIMARY KEY(id, part)", "", "id, part",
     "person, part", true},
    {"WITHOUT ROWID", "id INT NOT NULL", ", PRIMARY KEY(id)", " WITHOUT ROWID", "id", "person",
     false},
    {"WITHOUT ROWID, composite key", "id INT NOT NULL", ", PRIMARY KEY(part DESC, id)",
     " WITHOUT ROWID", "id, part", "person, part", false},
};

/* The application's triggers write the shape that the application knows. */
static const char *const triggers[] = {
    "CREATE TRIGGER bell AFTER UPDATE OF note ON person WHEN NEW.note = 'bell' BEGIN UPDATE person "
    "SET $S(bell) WHERE id = NEW.id; END",
    "CREATE TRIGGER bell_in AFTER INSERT ON person WHEN NEW.note = 'bell' BEGIN UPDATE person SET "
    "$S(bell) WHERE id = NEW.id; END",
    "CREATE TRIGGER early BEFORE UPDATE OF note ON person WHEN NEW.note = 'early' BEGIN UPDATE "
    "person SET $S(early) WHERE id = 4; END",
    "CREATE TRIGGER early_in BEFORE INSERT ON person WHEN NEW.note = 'early' BEGIN DELETE FROM "
    "person WHERE id = 4; END",
    "CREATE TRIGGER gone AFTER DELETE ON person WHEN OLD.note = 'tell' BEGIN UPDATE person SET "
    "$S(told) WHERE id = 4; END",
    "CREATE TRIGGER on_ins AFTER INSERT ON event WHEN NEW.kind = 'ins' BEGIN INSERT INTO "
    "person(id, $C) VALUES(NEW.id, $V(ev)); END",
    "CREATE TRIGGER on_rep AFTER INSERT ON event WHEN NEW.kind = 'rep' BEGIN INSERT OR REPLACE "
    "INTO person(id, $C, code) VALUES(NEW.id, $V(ev), 'k2'); END",
    "CREATE TRIGGER on_ign AFTER INSERT ON event WHEN NEW.kind = 'ign' BEGIN INSERT OR IGNORE INTO "
    "person(id, $C, code) VALUES(NEW.id, $V(ev), 'k2'); END",
    "CREATE TRIGGER on_upd AFTER INSERT ON event WHEN NEW.kind = 'upd' BEGIN UPDATE person SET "
    "$S(ev) WHERE id = NEW.id; END",
    "CREATE TRIGGER on_ups AFTER INSERT ON event WHEN NEW.kind = 'ups' BEGIN INSERT INTO "
    "person(id, $C) VALUES(NEW.id, $V(ev)) ON CONFLICT($K) DO UPDATE SET $X, note = 'ups'; END",
    "CREATE TRIGGER on_del AFTER INSERT ON event WHEN NEW.kind = 'del' BEGIN DELETE FROM person "
    "WHERE id = NEW.id; END",
    "CREATE VIEW people AS SELECT id, $C, note FROM person",
    "CREATE TRIGGER people_in INSTEAD OF INSERT ON people BEGIN INSERT INTO person(id, $C, note) "
    "SELECT NEW.id, $V(view), NEW.note; END",
    "CREATE TRIGGER people_up INSTEAD OF UPDATE ON people BEGIN UPDATE person SET $S(view), note = "
    "NEW.note WHERE id = OLD.id; END",
};

/* ---- writes ---- */

/* # is each conflict clause in turn; a ! in front: with rows that RESTRICT, and that a deferred key
 * refers to. Templates as in words.h. */
static const char *const writes[] = {
    "INSERT #INTO person(id, $C, code) VALUES(10, $V(n), 'k10')",
    "INSERT #INTO person(id, $C, code) VALUES(11, $V(n), 'k11'), (12, $V(m), 'k12')",
    "INSERT #INTO person(id, $C, code) VALUES(1, $V(n), 'k10')",
    "INSERT #INTO person(id, $C, code) VALUES(20, $V(n), 'x'), (1, $V(m), 'y'), (21, $V(l), 'z')",
    "INSERT #INTO person(id, $C, code) VALUES(30, $V(n), 'k2')",
    "INSERT #INTO person(id, $C, code) VALUES(1, $V(n), 'k2')",
    "INSERT #INTO person(id, $C, code) VALUES(4, $V(n), 'k1'), (5, $V(m), 'k2')",
    "INSERT #INTO person(id, $C, note) VALUES(31, $V(n), 'yes'), (32, $V(n), 'no')",
    "INSERT #INTO person(id, $C, must) VALUES(33, $V(n), 'yes'), (34, $V(n), NULL)",
    "INSERT #INTO person(id, $C, team) VALUES(35, $V(n), 1), (36, $V(n), 77)",
    "INSERT #INTO person(id, $C) SELECT id + 20, $V(s) FROM person ORDER BY id",
    "INSERT #INTO person(id, $C) SELECT id + 2, $V(s) FROM person ORDER BY id",
    "INSERT #INTO person(id, $C, note) VALUES(37, $V(n), 'bell')",
    "INSERT #INTO person(id, $C, note) VALUES(38, $V(n), 'early')",
    "WITH w(x) AS (VALUES(40), (2)) INSERT #INTO person(id, $C) SELECT x, $V(w) FROM w",
    "!REPLACE INTO person(id, $C, code) VALUES(1, $V(n), 'k2')",
    "!REPLACE INTO person(id, $C, code) VALUES(3, $V(n), 'k3')",
    "INSERT INTO person(id, $C) VALUES(1, $V(n)) ON CONFLICT($K) DO NOTHING",
    "INSERT INTO person(id, $C, code) VALUES(50, $V(n), 'k2'), (51, $V(m), 'k51') ON CONFLICT DO "
    "NOTHING",
    "INSERT INTO person(id, $C) VALUES(1, $V(n)) ON CONFLICT($K) DO UPDATE SET $X",
    "INSERT INTO person(id, $C) VALUES(1, $V(n)), (52, $V(m)), (52, $V(l)) ON CONFLICT($K) DO "
    "UPDATE SET $X",
    "INSERT INTO person(id, $C) VALUES(1, $V(n)) ON CONFLICT($K) DO UPDATE SET note = 'met'",
    "INSERT INTO person(id, $C) VALUES(1, $V(n)), (2, $V(m)) ON CONFLICT($K) DO UPDATE SET $X "
    "WHERE "
    "person.id > 1",
    "INSERT INTO person(id, $C, code) VALUES(40, $V(n), 'k3') ON CONFLICT(code) DO UPDATE SET $X, "
    "note = 'upserted'",
    "INSERT INTO person(id, $C, code) VALUES(40, $V(n), 'k3') ON CONFLICT(code) DO UPDATE SET id = "
    "41, $X",
    "INSERT INTO person(id, $C, code) VALUES(40, $V(n), 'k3') ON CONFLICT(code) DO UPDATE SET id = "
    "1, $X",
    "INSERT INTO person(id, $C, code) VALUES(40, $V(n), 'k3') ON CONFLICT(code) DO UPDATE SET code "
    "= 'k1', $S(u)",
    "INSERT INTO person(id, $C, code) VALUES(1, $V(n), 'k3') ON CONFLICT($K) DO UPDATE SET $X ON "
    "CONFLICT(code) DO NOTHING",
    "INSERT INTO person(id, $C, note) VALUES(1, $V(n), 'x') ON CONFLICT($K) DO UPDATE SET note = "
    "'bell', $X",
    "UPDATE #person NOT INDEXED SET $S(u) WHERE id = 1",
    "UPDATE #person NOT INDEXED SET $S(u)",
    "UPDATE #person NOT INDEXED SET $S(u), id = 50 WHERE id = 2",
    "UPDATE #person NOT INDEXED SET id = 51 WHERE id = 4",
    "UPDATE #person NOT INDEXED SET id = id + 100",
    "UPDATE #person NOT INDEXED SET id = id + 1, $S(u)",
    "UPDATE #person NOT INDEXED SET id = 1, $S(u) WHERE id = 2",
    "UPDATE #person NOT INDEXED SET part = 'r', $S(u) WHERE id = 1",
    "UPDATE #person NOT INDEXED SET part = 'p', $S(u) WHERE id = 1",
    "UPDATE #person NOT INDEXED SET code = 'k1', $S(u) WHERE id >= 2",
    "UPDATE #person NOT INDEXED SET code = 'k1' WHERE id = 2",
    "UPDATE #person NOT INDEXED SET note = 'no', $S(u) WHERE id >= 3",
    "UPDATE #person NOT INDEXED SET must = NULL, $S(u) WHERE id >= 3",
    "UPDATE #person NOT INDEXED SET team = 77, $S(u) WHERE id = 4",
    "UPDATE #person NOT INDEXED SET note = 'bell' WHERE id = 3",
    "UPDATE #person NOT INDEXED SET note = 'bell', $S(u) WHERE id <= 2",
    "UPDATE #person NOT INDEXED SET note = 'early', $S(u) WHERE id = 2",
    "UPDATE #person NOT INDEXED SET note = 'early' WHERE id >= 3",
    "UPDATE #person NOT INDEXED SET $S(u), boss = 1 WHERE id = 5",
    "UPDATE #person SET $S(u) FROM team WHERE team.id = person.team AND team.name > 'a'",
    "UPDATE #person SET id = person.id + 60, $S(u) FROM team WHERE team.id = person.team",
    "UPDATE person SET note = 'only this'",
    "UPDATE person SET $S(p1) WHERE id = 1",
    "!UPDATE person SET id = id + 100",
    "!UPDATE person SET id = 53, $S(u) WHERE id = 2",
    "DELETE FROM person WHERE id = 1",
    "DELETE FROM person WHERE id IN (SELECT team FROM person WHERE code > 'k1')",
    "DELETE FROM person",
    "UPDATE person SET note = 'tell', $S(u) WHERE id = 1; DELETE FROM person WHERE id = 1",
    "!DELETE FROM person WHERE id = 2",
    "!DELETE FROM person WHERE id = 3",
    "!DELETE FROM person",
    "DELETE FROM team WHERE id = 1",
    "DELETE FROM team",
    "UPDATE team SET id = 9 WHERE id = 2",
    "UPDATE team SET id = id + 10",
    "REPLACE INTO team(id, name) VALUES(1, 'again')",
    "DELETE FROM club",
    "UPDATE club SET id = 9 WHERE id = 1",
    "INSERT #INTO event VALUES('ins', 70)",
    "INSERT #INTO event VALUES('ins', 1)",
    "INSERT #INTO event VALUES('rep', 1)",
    "INSERT #INTO event VALUES('ign', 71), ('ign', 1)",
    "INSERT #INTO event VALUES('upd', 1), ('upd', 99)",
    "INSERT #INTO event VALUES('ups', 1), ('ups', 72)",
    "INSERT #INTO event VALUES('del', 1), ('del', 5)",
    "INSERT INTO people(id, note) VALUES(80, 'seen'), (81, 'bell')",
    "UPDATE people SET note = 'seen' WHERE id <= 2",
};

static const char *const clauses[] = {"",           "OR ABORT ",   "OR FAIL ",
                                      "OR IGNORE ", "OR REPLACE ", "OR ROLLBACK "};

enum form { FORM_ALONE, FORM_RETURNING, FORM_COMMIT, FORM_ROLLBACK, FORM_SAVEPOINT, FORMS };

/* ---- files ---- */

/* Where the walk stands. */
enum stage { STAGE_DUAL_WRITING, STAGE_IN_SYNC, STAGE_CONTRACTED, STAGES };

static const char *const stage_names[] = {"dual-writing", "in-sync", "contracted"};

#define ROOM_BYTES (1u << 20)

/* A database in memory, and its bytes as they were. */
struct file {
    sqlite3 *app;
    unsigned char *live, *bytes;
    size_t size;
    bool recursive, keys; /* as the connection is set */
    struct {
        char sql[400];
        sqlite3_stmt *prepared;
    } reads[5]; /* what is read after each statement */
};

/* One table and one change: the walked file at each stage, and the models of either shape, with the
 * application's triggers and without. */
struct place {
    const struct table_kind *table;
    const struct change_kind *change;
    struct file walked[STAGES];
    struct file models[2][2]; /* [new shape][contracted] */
};

/* A copy in memory. */
static void file_of(sqlite3 *from, struct file *out)
{
    sqlite3_int64 bytes = 0;

    out->bytes = sqlite3_serialize(from, "main", &bytes, 0);
    assert_non_null(out->bytes);
    out->size = (size_t)bytes;
    assert_true(out->size <= ROOM_BYTES);
    out->live = sqlite3_malloc64(ROOM_BYTES);
    assert_non_null(out->live);
    memcpy(out->live, out->bytes, out->size);
    out->app = app_open(":memory:");
    assert_int_equal(sqlite3_deserialize(out->app, "main", out->live, bytes, ROOM_BYTES,
                                         SQLITE_DESERIALIZE_FREEONCLOSE),
                     SQLITE_OK);
    app_run(out->app, "PRAGMA journal_mode = MEMORY; PRAGMA foreign_keys = 0");
}

/* As it was before. The schema is the same, so the connection need not read it again; the change
 * counter is not, if anything was written. */
static struct file *fresh(struct file *file)
{
    if (!sqlite3_get_autocommit(file->app)) { /* a deferred key may have refused the COMMIT */
        app_run(file->app, "ROLLBACK");
    }
    memcpy(file->live, file->bytes, file->size);
    sqlite3_set_last_insert_rowid(file->app, 0);
    app_run(file->app, "DELETE FROM event"); /* changes() is 0 */
    return file;
}

static void close_file(struct file *file)
{
    for (size_t i = 0; i < COUNT(file->reads); i++) {
        sqlite3_finalize(file->reads[i].prepared);
    }
    app_close(file->app);
    sqlite3_free(file->bytes);
    *file = (struct file){0};
}

static void set_pragmas(struct file *file, bool recursive, bool keys)
{
    if (file->recursive != recursive) { /* each makes every prepared statement expire */
        app_run(file->app,
                recursive ? "PRAGMA recursive_triggers = 1" : "PRAGMA recursive_triggers = 0");
    }
    if (file->keys != keys) {
        app_run(file->app, keys ? "PRAGMA foreign_keys = 1" : "PRAGMA foreign_keys = 0");
    }
    file->recursive = recursive;
    file->keys = keys;
}

static void run_words(sqlite3 *app, const struct place *p, bool new_words, const char *text)
{
    struct wording wording = {p->change, new_words ? WORDS_NEW : WORDS_OLD, p->table->key};
    struct buf sql = {0};

    words_add(&wording, text, &sql);
    app_run(app, buf_cstr(&sql));
    buf_fini(&sql);
}

static void make_tables(sqlite3 *app, const struct place *p, bool new_shape, bool with_triggers)
{
    const struct table_kind *t = p->table;
    const char *boss = strchr(t->key, ',') != NULL ? "boss, boss_part" : "boss";
    struct buf sql = {0};

    buf_print(&sql,
              "CREATE TABLE team(id INTEGER PRIMARY KEY, name TEXT);"
              "CREATE TABLE club(id INTEGER PRIMARY KEY);"
              "CREATE TABLE event(kind TEXT, id INTEGER);"
              "CREATE TABLE person(%s, part TEXT DEFAULT 'p' NOT NULL, %s, code TEXT UNIQUE, note "
              "TEXT CHECK(note <> 'no'), must TEXT NOT NULL DEFAULT 'm', boss INT, boss_part TEXT "
              "DEFAULT 'p', team INTEGER REFERENCES team(id) ON DELETE CASCADE ON UPDATE CASCADE, "
              "club INTEGER REFERENCES club(id) ON DELETE SET NULL ON UPDATE SET NULL, FOREIGN "
              "KEY(%s) REFERENCES person(%s) ON DELETE CASCADE ON UPDATE CASCADE%s)%s;",
              t->id, new_shape ? p->change->new_types : p->change->old_types, boss, t->key,
              t->constraint, t->tail);
    static const char *const children[][2] = {
        {"badge", "ON DELETE CASCADE ON UPDATE CASCADE"},
        {"medal", "ON DELETE SET NULL ON UPDATE SET NULL"},
        {"lock", "ON DELETE RESTRICT ON UPDATE RESTRICT"},
        {"seat", "DEFERRABLE INITIALLY DEFERRED"},
    };
    for (size_t i = 0; i < COUNT(children); i++) {
        buf_print(&sql,
                  "CREATE TABLE %s(person INT, part TEXT DEFAULT 'p', FOREIGN KEY(%s) REFERENCES "
                  "person(%s) %s);",
                  children[i][0], t->child_key, t->key, children[i][1]);
    }
    app_run(app, buf_cstr(&sql));
    buf_fini(&sql);
    run_words(app, p, new_shape,
              "INSERT INTO team VALUES(1, 'a'), (2, 'b'), (3, 'c'); INSERT INTO club VALUES(1), "
              "(2); INSERT INTO person(id, $C, code, team, club) VALUES(1, $V(p1), 'k1', 1, 1), "
              "(2, $V(p2), 'k2', 2, 1), (3, $V(p3), 'k3', 3, 2), (4, $V(p4), 'k4', 1, NULL), "
              "(5, $V(p5), NULL, NULL, 2); UPDATE person SET boss = 4 WHERE id = 5; INSERT INTO "
              "badge(person) VALUES(1), (2), (1); INSERT INTO medal(person) VALUES(1), (3)");
    if (strchr(t->key, ',') != NULL) {
        run_words(app, p, new_shape,
                  "INSERT INTO person(id, part, $C) VALUES(1, 'q', $V(q1)), (2, 'q', $V(q2))");
    }
    for (size_t i = 0; with_triggers && i < COUNT(triggers); i++) {
        run_words(app, p, new_shape, triggers[i]);
    }
}

/* Contract waits until no trigger and no view names the old columns. */
static void drop_triggers(sqlite3 *app)
{
    char *drops = app_rows(app, "SELECT 'DROP ' || type || ' ' || name || ';' FROM sqlite_master "
                                "WHERE type IN ('trigger', 'view') AND name NOT LIKE 'lockstep%' "
                                "ORDER BY type");

    app_run(app, drops);
    free(drops);
}

static void open_place(struct place *p)
{
    char file[512], folder[512], json[1000];
    sqlite3 *app;

    snprintf(file, sizeof file, "%s", scratch("matrix.db"));
    snprintf(folder, sizeof folder, "%s", scratch("matrix"));
    play_remove(file);
    snprintf(json, sizeof json, "{\"table\": \"person\", %s, \"old_writes_idle\": \"0s\"}",
             p->change->json);
    play_write(scratch("matrix/0007_matrix/migration.json"), json);
    for (int mode = 0; mode < 4; mode++) {
        sqlite3 *model = app_open(":memory:");
        make_tables(model, p, mode & 1, mode < 2);
        file_of(model, &p->models[mode & 1][mode >> 1]);
        app_close(model);
    }
    app = app_open(file);
    app_run(app, "PRAGMA page_size = 1024; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF");
    make_tables(app, p, false, true);
    for (int stage = 0; stage < STAGES; stage++) {
        if (stage == STAGE_CONTRACTED) {
            drop_triggers(app);
        }
        PLAY(play_apply(file, folder, stage_names[stage], &play_err));
        file_of(app, &p->walked[stage]);
    }
    app_close(app);
}

static void close_place(struct place *p)
{
    for (int stage = 0; stage < STAGES; stage++) {
        close_file(&p->walked[stage]);
    }
    for (int mode = 0; mode < 4; mode++) {
        close_file(&p->models[mode & 1][mode >> 1]);
    }
}

/* ---- one combination ---- */

struct combination {
    struct place *place;
    enum stage stage;
    const char *write, *clause;
    enum words words;
    bool recursive, keys;
    enum form form;
};

/* What the connection reports after a statement. */
static void run_step(sqlite3 *app, const char *sql, struct buf *report)
{
    char *message = NULL;
    sqlite3_stmt *statement = NULL;
    const char *rest = sql;
    int rc = SQLITE_OK;

    while (rc == SQLITE_OK && *rest != '\0') {
        rc = sqlite3_prepare_v2(app, rest, -1, &statement, &rest);
        while (rc == SQLITE_OK && statement != NULL && sqlite3_step(statement) == SQLITE_ROW) {
            for (int i = 0; i < sqlite3_column_count(statement); i++) {
                const char *value = (const char *)sqlite3_column_text(statement, i);
                buf_print(report, "%s|", value != NULL ? value : "~");
            }
            buf_char(report, '\n');
        }
        rc = statement != NULL ? sqlite3_finalize(statement) : rc;
    }
    sqlite3_free(message);
    buf_print(report, "code %d, changes() %d, last_insert_rowid() %lld, transaction %d\n", rc,
              sqlite3_changes(app), (long long)sqlite3_last_insert_rowid(app),
              !sqlite3_get_autocommit(app));
}

static const char *columns_of(const struct change_kind *kind, bool new_side, struct buf *out)
{
    const char *const *list = new_side ? kind->new_columns : kind->old_columns;

    for (size_t i = 0; list[i] != NULL; i++) {
        buf_print(out, "%s%s", i > 0 ? ", " : "", list[i]);
    }
    return buf_cstr(out);
}

static bool on_person(const char *write)
{
    return strstr(write, "person") != NULL && strstr(write, ";") == NULL &&
           strncmp(write, "WITH", 4) != 0;
}

/* Runs the write in these words, in its form; the report has what was seen. */
static void run_write(struct file *file, const struct combination *c, enum words words,
                      const char *returning, struct buf *report)
{
    sqlite3 *app = file->app;
    struct wording wording = {c->place->change, words, c->place->table->key};
    static const char *const before[FORMS] = {
        NULL, NULL, "BEGIN", "BEGIN",
        "SAVEPOINT outer_one; INSERT INTO event VALUES('upd', 3); "
        "SAVEPOINT inner_one"};
    static const char *const after[FORMS][2] = {
        {NULL},
        {NULL},
        {"COMMIT", NULL},
        {"ROLLBACK", NULL},
        {"ROLLBACK TO inner_one; INSERT INTO event VALUES('other', 5)", "RELEASE outer_one"}};
    struct buf text = {0}, sql = {0};
    bool locked = *c->write == '!';

    set_pragmas(file, c->recursive, c->keys);
    if (locked) {
        app_run(app, "INSERT INTO lock(person) VALUES(3); INSERT INTO seat(person) VALUES(2)");
    }
    for (const char *p = c->write + locked; *p != '\0'; p++) {
        if (*p == '#') {
            buf_text(&text, c->clause);
        } else {
            buf_char(&text, *p);
        }
    }
    words_add(&wording, buf_cstr(&text), &sql);
    if (c->form == FORM_RETURNING && on_person(c->write)) {
        buf_print(&sql, " RETURNING id, part, note, %s", returning);
    }
    if (before[c->form] != NULL) {
        run_step(app, before[c->form], report);
    }
    run_step(app, buf_cstr(&sql), report);
    for (size_t i = 0; i < 2 && after[c->form][i] != NULL; i++) {
        run_step(app, after[c->form][i], report);
    }
    buf_fini(&text);
    buf_fini(&sql);
}

static void add_rows(struct file *file, const char *sql, struct buf *out)
{
    sqlite3_stmt *read;
    size_t i = 0;

    while (i + 1 < COUNT(file->reads) && file->reads[i].prepared != NULL &&
           strcmp(file->reads[i].sql, sql) != 0) {
        i++;
    }
    if (file->reads[i].prepared == NULL) {
        assert_true(snprintf(file->reads[i].sql, sizeof file->reads[i].sql, "%s", sql) <
                    (int)sizeof file->reads[i].sql);
        if (sqlite3_prepare_v2(file->app, sql, -1, &file->reads[i].prepared, NULL) != SQLITE_OK) {
            fail_msg("%s: %s", sql, sqlite3_errmsg(file->app));
        }
    }
    assert_string_equal(file->reads[i].sql, sql);
    read = file->reads[i].prepared;
    while (sqlite3_step(read) == SQLITE_ROW) {
        for (int c = 0; c < sqlite3_column_count(read); c++) {
            const char *value = (const char *)sqlite3_column_text(read, c);
            buf_text(out, value != NULL ? value : "~");
            buf_char(out, '|');
        }
        buf_char(out, '\n');
    }
    assert_int_equal(sqlite3_reset(read), SQLITE_OK);
}

/* Every row of every table, with these columns of the shape. */
static char *all_rows(struct file *file, const struct place *p, const char *columns)
{
    struct buf sql = {0}, rows = {0};

    buf_print(&sql,
              "SELECT %s, id, part, code, note, must, boss, team, club, %s FROM person ORDER BY "
              "id, part",
              p->table->rowid ? "rowid" : "''", columns);
    add_rows(file, buf_cstr(&sql), &rows);
    buf_fini(&sql);
    add_rows(file,
             "SELECT 'team', id, name FROM team UNION ALL SELECT 'club', id, '' FROM club UNION "
             "ALL SELECT kind, id, '' FROM event UNION ALL SELECT 'badge', person, part FROM "
             "badge UNION ALL SELECT 'medal', person, part FROM medal UNION ALL SELECT 'lock', "
             "person, part FROM lock UNION ALL SELECT 'seat', person, part FROM seat",
             &rows);
    return buf_take(&rows);
}

static void fail_on(const struct combination *c, unsigned long number, const char *what,
                    const char *got, const char *wanted)
{
    static const char *const forms[] = {"alone", "RETURNING", "COMMIT", "ROLLBACK", "SAVEPOINT"};
    static const char *const words[] = {"old", "new", "both", "clash"};

    fail_msg(
        "MATRIX=%lu: %s\n%s (%s)\n%s code, %s, %s, %s, recursive_triggers %d, foreign_keys %d, "
        "%s\nseen:\n%s\nwanted:\n%s",
        number, what, c->write, c->clause, words[c->words], stage_names[c->stage],
        c->place->change->name, c->place->table->name, c->recursive, c->keys, forms[c->form], got,
        wanted);
}

static void same(const struct combination *c, unsigned long number, const char *what, char *got,
                 char *wanted)
{
    if (strcmp(got, wanted) != 0) {
        fail_on(c, number, what, got, wanted);
    }
    free(got);
    free(wanted);
}

/* C, or a row that was not filled yet. */
static void check_consistent(const struct combination *c, unsigned long number, struct file *file)
{
    const struct change_kind *kind = c->place->change;
    struct buf sql = {0}, rows = {0};

    buf_print(&sql, "SELECT * FROM person WHERE NOT ((%s) OR (%s))", kind->forward_holds,
              kind->reverse_holds != NULL ? kind->reverse_holds : "0");
    if (c->stage == STAGE_DUAL_WRITING) {
        buf_print(&sql, " AND NOT (%s)", kind->unfilled);
    }
    add_rows(file, buf_cstr(&sql), &rows);
    if (rows.len > 0) {
        fail_on(c, number, "the shapes differ", buf_cstr(&rows), "");
    }
    buf_fini(&rows);
    buf_fini(&sql);
}

/* What the other side reads is what the change says of the writer's side. */
static void check_other_side(const struct combination *c, unsigned long number, struct file *got,
                             struct file *model, bool by_new)
{
    const struct change_kind *kind = c->place->change;
    const char *computed = by_new ? kind->old_of_new : kind->new_of_old;
    struct buf columns = {0};

    if (computed == NULL) { /* whatever comes to the same: that of the old value must be the new */
        same(c, number, "what old code reads", all_rows(got, c->place, kind->new_of_old),
             all_rows(model, c->place, columns_of(kind, true, &columns)));
    } else {
        same(c, number, by_new ? "what old code reads" : "what new code reads",
             all_rows(got, c->place, columns_of(kind, !by_new, &columns)),
             all_rows(model, c->place, computed));
    }
    buf_fini(&columns);
}

static void run_combination(const struct combination *c, unsigned long number)
{
    struct place *p = c->place;
    bool by_new = c->words == WORDS_NEW || c->words == WORDS_CLASH;
    struct file *got = fresh(&p->walked[c->stage]);
    struct file *model = fresh(&p->models[by_new][c->stage == STAGE_CONTRACTED]);
    struct buf columns = {0}, reported = {0}, wanted = {0};
    const char *read = columns_of(p->change, by_new, &columns);

    run_write(got, c, c->words, read, &reported);
    run_write(model, c, by_new ? WORDS_NEW : WORDS_OLD, read, &wanted);
    if (strcmp(buf_cstr(&reported), buf_cstr(&wanted)) != 0) {
        fail_on(c, number, "what the statement reports", buf_cstr(&reported), buf_cstr(&wanted));
    }
    same(c, number, "what the writer reads", all_rows(got, p, read), all_rows(model, p, read));
    if (c->stage != STAGE_CONTRACTED) {
        check_consistent(c, number, got);
    }
    if (c->stage == STAGE_IN_SYNC) {
        check_other_side(c, number, got, model, by_new);
    }
    buf_fini(&columns);
    buf_fini(&reported);
    buf_fini(&wanted);
}

/* ---- all of them ---- */

struct counting {
    unsigned long number, run, one, sample;
};

/* Whether these words mean something for this write, here. */
static bool applies(const struct combination *c)
{
    const struct change_kind *kind = c->place->change;
    bool neutral = words_neutral(c->write),
         by_trigger = strstr(c->write, "event") != NULL || strstr(c->write, "people") != NULL;

    if (c->stage == STAGE_CONTRACTED) {
        return c->words == WORDS_NEW && !by_trigger && kind->aside[0] != NULL;
    }
    if (neutral || c->stage == STAGE_DUAL_WRITING) {
        return c->words == WORDS_OLD;
    }
    if (c->words == WORDS_CLASH && (strstr(c->write, "$S(p1)") || strstr(c->write, "'p', $S") ||
                                    strstr(c->write, "id + 1, $S"))) {
        return false; /* where the new shape does not change (again), the old one counts */
    }
    return kind->reverse_holds != NULL || c->words == WORDS_OLD || c->words == WORDS_NEW;
}

static void run_settings(struct combination *c, struct counting *count)
{
    for (unsigned setting = 0; setting < 4 * FORMS; setting++) {
        c->form = (enum form)(setting % FORMS);
        c->recursive = (setting / FORMS) & 1;
        c->keys = (setting / FORMS) >> 1;
        count->number++;
        if (count->one != 0 ? count->number == count->one : count->number % count->sample == 0) {
            run_combination(c, count->number);
            count->run++;
        }
    }
}

static void run_place(struct place *p, struct counting *count)
{
    struct combination c = {.place = p};

    for (size_t w = 0; w < COUNT(writes); w++) {
        c.write = writes[w];
        for (size_t k = 0; k < (strchr(c.write, '#') != NULL ? COUNT(clauses) : 1u); k++) {
            c.clause = clauses[k];
            for (int at = 0; at < STAGES * 4; at++) {
                c.stage = (enum stage)(at / 4);
                c.words = (enum words)(at % 4);
                if (applies(&c)) {
                    run_settings(&c, count);
                }
            }
        }
    }
}

static void every_combination(void **state)
{
    const char *one = getenv("MATRIX"), *sample = getenv("MATRIX_SAMPLE");
    struct counting count = {.one = one != NULL ? strtoul(one, NULL, 10) : 0,
                             .sample = sample != NULL                 ? strtoul(sample, NULL, 10)
                                       : getenv("CHECK_FULL") != NULL ? SAMPLE_FULL
                                                                      : SAMPLE};

    (void)state;
    assert_true(count.sample > 0);
    for (size_t t = 0; t < COUNT(tables); t++) {
        for (size_t k = 0; k < change_kind_count; k++) {
            struct place p = {.table = &tables[t], .change = &change_kinds[k]};
            open_place(&p);
            run_place(&p, &count);
            close_place(&p);
        }
    }
    print_message("proof: %lu of %lu combinations of writer, statement and setting\n", count.run,
                  count.number);
    assert_true(count.run > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_combination)};

    return cmocka_run_group_tests_name("matrix", tests, NULL, NULL);
}
