/*
 * Random tables, random migrations and random writers, from fixed seeds. In every state a writer of
 * the old shape must see what it would see on the old table alone, and one of the new shape what it
 * would see on the new table alone; both shapes must say the same in every row; and the way back
 * must give schema and rows back. PROPERTY_SEED=n runs one case, PROPERTY_CASES=n that many.
 */
#include "tests/migrator/unit.h"

#include "base/buf.h"
#include "tests/migrator/play.h"

#define CASES 16u
#define CASES_FULL 120u
#define WRITES 40
#define FOLDER "property"
#define NAME "0007_change"

/* ---- chance ---- */

static uint64_t seed;

static unsigned chance(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

#define PICK(array) ((array)[chance(COUNT(array))])

/* ---- kinds of migrations; $a $b old columns, $m $n new ones ---- */

struct kind {
    const char *name;
    bool old_two, new_two, lossy;
    const char *type; /* NULL: one of the list, the same on both sides */
    const char *forward_m, *forward_n, *reverse_a, *reverse_b;
    const char *values[8][2]; /* of one row: as old code writes it, and as new code does */
};

static const struct kind kinds[] = {
    {"rename",
     false,
     false,
     false,
     NULL,
     "$a",
     NULL,
     "$m",
     NULL,
     {{"'Zed'", "'Zed'"},
      {"''", "''"},
      {"'it''s ü€𝄞'", "'it''s ü€𝄞'"},
      {"x'00ff'", "x'00ff'"},
      {"-7", "-7"},
      {"0.5", "0.5"},
      {"4611686018427387904", "4611686018427387904"},
      {"NULL", "NULL"}}},
    {"split",
     false,
     true,
     false,
     "TEXT",
     "substr($a, 1, instr($a, '@') - 1)",
     "substr($a, instr($a, '@') + 1)",
     "$m || '@' || $n",
     NULL,
     {{"'ann@x'", "'ann', 'x'"},
      {"'@'", "'', ''"},
      {"'bob@a@b'", "'bob', 'a@b'"},
      {"'ü@€'", "'ü', '€'"},
      {"'Ann@X'", "'Ann', 'X'"},
      {"'1@2'", "'1', '2'"},
      {"' @ '", "' ', ' '"},
      {"NULL", "NULL, NULL"}}},
    {"merge",
     true,
     false,
     false,
     "TEXT",
     "$a || '-' || $b",
     NULL,
     "substr($m, 1, instr($m, '-') - 1)",
     "substr($m, instr($m, '-') + 1)",
     {{"'a', 'b'", "'a-b'"},
      {"'', ''", "'-'"},
      {"'1', '2-3'", "'1-2-3'"},
      {"'ü', '€'", "'ü-€'"},
      {"'A', 'B'", "'A-B'"},
      {"'it''s', 'x'", "'it''s-x'"},
      {"' ', ' '", "' - '"},
      {"NULL, NULL", "NULL"}}},
    {"negate",
     false,
     false,
     false,
     "INTEGER",
     "-$a",
     NULL,
     "-$m",
     NULL,
     {{"1", "-1"},
      {"0", "0"},
      {"-5", "5"},
      {"9007199254740993", "-9007199254740993"},
      {"9223372036854775807", "-9223372036854775807"},
      {"42", "-42"},
      {"43", "-43"},
      {"NULL", "NULL"}}},
    {"not inverse",
     false,
     false,
     true,
     "TEXT",
     "lower($a)",
     NULL,
     "$m",
     NULL,
     {{"'Zed'", "'Zed'"},
      {"'zed'", "'zed'"},
      {"'ZED'", "'ZED'"},
      {"''", "''"},
      {"'a'", "'a'"},
      {"'A'", "'A'"},
      {"'b'", "'b'"},
      {"NULL", "NULL"}}},
};

static const char *const types[] = {"TEXT", "BLOB", "INTEGER", "REAL", "VARCHAR(20)", "NUMERIC"};
static const char *const odd[] = {"plain", "two words", "it's",  "select", "naïve", "Case",
                                  "x]y",   "`tick",     "a-b.c", "1st",    "日本"};

enum key { KEY_ROWID, KEY_AUTO, KEY_NONE, KEY_WITHOUT };

struct table {
    const struct kind *kind;
    enum key key;
    bool not_null;
    char name[64], a[64], b[64], m[64], n[64], type[20];
};

/* ---- spelling ---- */

static void add_name(struct buf *out, const char *name)
{
    buf_sql_name(out, str_of(name));
}

/* $t the table, $a $b $m $n its columns, $C a shape's columns, $V values for them, $S a SET list,
 * $X one from excluded. */
static void add_shape(const struct table *t, bool new_side, const char *prefix, struct buf *out)
{
    buf_text(out, prefix);
    add_name(out, new_side ? t->m : t->a);
    if (new_side ? t->kind->new_two : t->kind->old_two) {
        buf_print(out, ", %s", prefix);
        add_name(out, new_side ? t->n : t->b);
    }
}

static const char *any_value(const struct table *t, bool new_side)
{
    return t->kind->values[chance(t->not_null ? 7 : 8)][new_side];
}

static void spell(const struct table *t, bool new_side, const char *text, struct buf *out)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p != '$') {
            buf_char(out, *p);
            continue;
        }
        switch (*++p) {
        case 't': add_name(out, t->name); break;
        case 'a': add_name(out, t->a); break;
        case 'b': add_name(out, t->b); break;
        case 'm': add_name(out, t->m); break;
        case 'n': add_name(out, t->n); break;
        case 'C': add_shape(t, new_side, "", out); break;
        case 'V': buf_text(out, any_value(t, new_side)); break;
        default:
            buf_char(out, '(');
            add_shape(t, new_side, "", out);
            buf_text(out, ") = (");
            if (*p == 'S') {
                buf_text(out, any_value(t, new_side));
            } else {
                add_shape(t, new_side, "excluded.", out);
            }
            buf_char(out, ')');
        }
    }
}

/* Spelled text, lent until the fourth next call. */
static const char *spelled(const struct table *t, bool new_side, const char *text)
{
    static char kept[4][2000];
    static unsigned next;
    struct buf out = {0};
    char *to = kept[next++ % 4];

    spell(t, new_side, text, &out);
    assert_true(snprintf(to, sizeof kept[0], "%s", buf_cstr(&out)) < (int)sizeof kept[0]);
    buf_fini(&out);
    return to;
}

/* ---- tables ---- */

static void choose(struct table *t)
{
    unsigned first = chance(COUNT(odd));
    char *names[] = {t->name, t->a, t->b, t->m, t->n};
    static const char *const ends[] = {"", "_a", "_b", "_m", "_n"};

    t->kind = &kinds[chance(COUNT(kinds))];
    t->key = (enum key)chance(4);
    t->not_null = chance(2);
    snprintf(t->type, sizeof t->type, "%s", t->kind->type != NULL ? t->kind->type : PICK(types));
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(names[i], sizeof t->name, "%s%s", odd[(first + i * 3) % COUNT(odd)],
                 chance(2) ? ends[i] : "");
    }
}

/* loose: as the table is while both shapes live. */
static void add_column(const struct table *t, const char *name, bool loose, struct buf *sql)
{
    add_name(sql, name);
    buf_print(sql, " %s%s, /* between, ( and ' */\n", t->type,
              t->not_null && !loose ? " CONSTRAINT filled NOT NULL" : "");
}

/* One shape alone, with what an application has besides: a UNIQUE, a CHECK, a generated column, a
 * reference to itself, indexes and a trigger. */
static void make_table(sqlite3 *app, const struct table *t, bool new_side, bool loose)
{
    static const char *const keys[] = {"INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT",
                                       "INTEGER UNIQUE NOT NULL", "INTEGER NOT NULL"};
    struct buf sql = {0};

    buf_text(&sql, "CREATE TABLE ");
    add_name(&sql, t->name);
    buf_print(&sql, "(id %s, -- the key\n", keys[t->key]);
    add_column(t, new_side ? t->m : t->a, loose, &sql);
    if (new_side ? t->kind->new_two : t->kind->old_two) {
        add_column(t, new_side ? t->n : t->b, loose, &sql);
    }
    buf_text(&sql, "code TEXT COLLATE NOCASE UNIQUE, note CHECK (note <> 'no'), gen AS (id + 1)");
    if (t->key == KEY_WITHOUT) {
        buf_text(&sql,
                 ", part TEXT NOT NULL DEFAULT 'p', PRIMARY KEY(part DESC, id)) WITHOUT ROWID");
    } else {
        buf_text(&sql, ", ref INTEGER REFERENCES ");
        add_name(&sql, t->name);
        buf_text(&sql, "(id) ON DELETE CASCADE ON UPDATE SET NULL)");
    }
    app_run(app, buf_cstr(&sql));
    buf_fini(&sql);
    app_run(app,
            spelled(t, false,
                    "CREATE TRIGGER bell AFTER UPDATE OF note ON $t WHEN NEW.note = 'bell' BEGIN "
                    "UPDATE $t SET code = NULL WHERE id = NEW.id; END"));
    app_run(app, spelled(t, new_side, "CREATE INDEX by_shape ON $t($C, note)"));
}

static void write_migration(const struct table *t)
{
    const struct kind *kind = t->kind;
    struct json *root = json_object(), *add = json_object(), *forward = json_object();
    struct json *reverse = json_object(), *drop = json_array();
    const char *const added[] = {t->m, t->n}, *const dropped[] = {t->a, t->b};
    const char *const forwards[] = {kind->forward_m, kind->forward_n};
    const char *const reverses[] = {kind->reverse_a, kind->reverse_b};
    char *text;

    for (int i = 0; i < 2; i++) {
        if (forwards[i] != NULL) {
            struct json *column = json_object();
            (void)json_put_text(column, "type", t->type);
            (void)json_put_bool(column, "not_null", t->not_null);
            (void)json_put(add, added[i], column);
            (void)json_put_text(forward, added[i], spelled(t, false, forwards[i]));
        }
        if (reverses[i] != NULL) {
            (void)json_append(drop, json_string(dropped[i]));
            (void)json_put_text(reverse, dropped[i], spelled(t, true, reverses[i]));
        }
    }
    (void)json_put_text(root, "table", t->name);
    (void)json_put(root, "add", add);
    (void)json_put(root, "forward", forward);
    (void)json_put(root, "drop", drop);
    (void)json_put(root, "reverse", reverse);
    (void)json_put_bool(root, "lossy", kind->lossy);
    text = json_print(root);
    play_write(scratch(FOLDER "/" NAME "/migration.json"), text);
    free(text);
    json_free(root);
}

/* ---- models ---- */

static const char *rows_of(const struct table *t, bool new_side)
{
    const char *rowid = t->key == KEY_WITHOUT ? "part" : "rowid";
    static char sql[1500];
    const char *first = new_side ? t->m : t->a, *second = new_side ? t->n : t->b;
    bool two = new_side ? t->kind->new_two : t->kind->old_two;
    struct buf out = {0};

    buf_print(&out, "SELECT quote(%s) || ',' || quote(id) || ',' || quote(", rowid);
    add_name(&out, first);
    if (two) {
        buf_text(&out, ") || ',' || quote(");
        add_name(&out, second);
    }
    buf_print(&out, ") || ',' || quote(code) || ',' || quote(note)%s FROM ",
              t->key == KEY_WITHOUT ? "" : " || ',' || quote(ref)");
    add_name(&out, t->name);
    buf_print(&out, " ORDER BY id, %s", rowid);
    snprintf(sql, sizeof sql, "%s", buf_cstr(&out));
    buf_fini(&out);
    return sql;
}

/* The same rows in a table that never had another shape. */
static sqlite3 *model_of(sqlite3 *app, const struct table *t, bool new_side, bool loose)
{
    char *rows = app_rows(app, rows_of(t, new_side)), *save = NULL;
    sqlite3 *model = app_open(":memory:");
    struct buf into = {0};

    make_table(model, t, new_side, loose);
    buf_print(&into, "INSERT INTO $t(%s, id, $C, code, note%s) VALUES(",
              t->key == KEY_WITHOUT ? "part" : "rowid", t->key == KEY_WITHOUT ? "" : ", ref");
    for (char *row = strtok_r(rows, "\n", &save); row != NULL; row = strtok_r(NULL, "\n", &save)) {
        struct buf sql = {0};
        spell(t, new_side, buf_cstr(&into), &sql);
        buf_print(&sql, "%s)", row);
        app_run(model, buf_cstr(&sql));
        buf_fini(&sql);
    }
    if (t->key == KEY_AUTO) {
        char sql[100];
        snprintf(sql, sizeof sql, "UPDATE sqlite_sequence SET seq = %lld",
                 app_number(app, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence"));
        app_run(model, sql);
    }
    buf_fini(&into);
    free(rows);
    return model;
}

static void set_pragmas(sqlite3 *app, int recursive, int keys)
{
    char sql[120];

    snprintf(sql, sizeof sql,
             "PRAGMA recursive_triggers = %d; PRAGMA foreign_keys = %d; PRAGMA synchronous = OFF",
             recursive, keys);
    app_run(app, sql);
}

/* ---- writes ---- */

/* NOT INDEXED: which row is in the way depends on the order in which a plan takes them. */
static const char *const writes[] = {
    "INSERT #INTO $t(id, $C, code) VALUES(@, $V, '~')",
    "INSERT #INTO $t(id, $C, code) VALUES(@, $V, '~'), (@, $V, '~'), (@, $V, NULL)",
    "INSERT #INTO $t(id, $C, note) SELECT id + @, $V, note FROM $t ORDER BY id LIMIT 3",
    "INSERT INTO $t(id, $C, code) VALUES(@, $V, '~') ON CONFLICT DO NOTHING",
    "INSERT INTO $t(id, $C, code) VALUES(@, $V, '~') ON CONFLICT(code) DO UPDATE SET note = 9, $X",
    "INSERT INTO $t(id, $C, code) VALUES(@, $V, '~') ON CONFLICT(code) DO UPDATE SET id = @, $S",
    "UPDATE #$t NOT INDEXED SET $S WHERE id = @",
    "UPDATE #$t NOT INDEXED SET $S WHERE id % 2 = 0",
    "UPDATE #$t NOT INDEXED SET $S",
    "UPDATE #$t NOT INDEXED SET $S, code = '~' WHERE id < @",
    "UPDATE #$t NOT INDEXED SET id = id + @, $S WHERE id > @",
    "UPDATE #$t NOT INDEXED SET id = @ WHERE id = @",
    "UPDATE #$t NOT INDEXED SET id = -id",
    "UPDATE #$t NOT INDEXED SET note = 'bell', $S WHERE id = @",
    "UPDATE #$t NOT INDEXED SET note = 'no', $S WHERE id < @",
    "UPDATE #$t NOT INDEXED SET code = '~' WHERE id = @",
    "REPLACE INTO $t(id, $C, code) VALUES(@, $V, '~'), (@, $V, '~')",
    "DELETE FROM $t WHERE id = @",
    "DELETE FROM $t WHERE code = '~' OR id > 40",
    "INSERT #INTO $t(id, $C) VALUES(@, $V), (9223372036854775807, $V), (-9223372036854775808, $V)",
};

/* # a conflict clause, @ a key, ~ a code: few, so that they meet. */
static const char *fill_in(const char *write)
{
    static const char *const clauses[] = {
        "", "", "OR ABORT ", "OR FAIL ", "OR IGNORE ", "OR REPLACE ", "OR ROLLBACK "};
    static char out[600];
    size_t len = 0;

    for (const char *p = write; *p != '\0'; p++) {
        size_t room = sizeof out - len;
        len += (size_t)(*p == '#'   ? snprintf(out + len, room, "%s", PICK(clauses))
                        : *p == '@' ? snprintf(out + len, room, "%u", 1 + chance(12))
                        : *p == '~' ? snprintf(out + len, room, "%c", "kKlLmMn"[chance(7)])
                                    : snprintf(out + len, room, "%c", *p));
        assert_true(len < sizeof out);
    }
    return out;
}

static void same(sqlite3 *got, sqlite3 *wanted, const char *sql, const char *what)
{
    char *a = app_rows(got, sql), *b = app_rows(wanted, sql);

    if (strcmp(a, b) != 0) {
        fail_msg("%s\nseen:\n%swanted:\n%s", what, a, b);
    }
    free(a);
    free(b);
}

static void consistent(sqlite3 *app, const struct table *t, const char *a, const char *b,
                       const char *what)
{
    struct table now = *t;
    struct buf sql = {0};
    char *rows;

    snprintf(now.a, sizeof now.a, "%s", a);
    snprintf(now.b, sizeof now.b, "%s", b);
    buf_text(&sql, "SELECT * FROM $t WHERE NOT ((");
    buf_print(&sql, "$m IS (%s)", t->kind->forward_m);
    if (t->kind->forward_n != NULL) {
        buf_print(&sql, " AND $n IS (%s)", t->kind->forward_n);
    }
    buf_print(&sql, ") OR ($a IS (%s)", t->kind->reverse_a);
    if (t->kind->reverse_b != NULL) {
        buf_print(&sql, " AND $b IS (%s)", t->kind->reverse_b);
    }
    buf_text(&sql, "))");
    rows = app_rows(app, spelled(&now, false, buf_cstr(&sql)));
    if (*rows != '\0') {
        fail_msg("after %s these differ:\n%s", what, rows);
    }
    free(rows);
    buf_fini(&sql);
}

/* Where the writer's table stands: alone, with the other shape beside it, or with the old one set
 * aside. */
enum stage { ALONE, TOGETHER, ASIDE };

/* A statement on the migrated table, and what it is on a table of the writer's shape alone. */
static void compare(sqlite3 *app, const struct table *t, bool new_side, enum stage stage,
                    const char *sql, const char *sql_alone, const char *what)
{
    sqlite3 *model = model_of(app, t, new_side, stage == TOGETHER);
    char a[64], b[64];
    int code, code_wanted;

    app_run(model, app_number(app, "PRAGMA recursive_triggers") != 0
                       ? "PRAGMA recursive_triggers = 1"
                       : "PRAGMA recursive_triggers = 0");
    app_run(model, app_number(app, "PRAGMA foreign_keys") != 0 ? "PRAGMA foreign_keys = 1"
                                                               : "PRAGMA foreign_keys = 0");
    code = app_try(app, sql);
    code_wanted = app_try(model, sql_alone);
    if (code != code_wanted) {
        fail_msg("%s: %s, and on a table of its own: %s", what, sqlite3_errmsg(app),
                 sqlite3_errmsg(model));
    }
    if (code == SQLITE_OK && sqlite3_changes(app) != sqlite3_changes(model)) {
        fail_msg("%s: changes() is %d, and not %d", what, sqlite3_changes(app),
                 sqlite3_changes(model));
    }
    if (code == SQLITE_OK && sqlite3_changes(app) > 0 && t->key != KEY_WITHOUT &&
        strncmp(sql, "INSERT", 6) == 0 && strstr(sql, "ON CONFLICT") == NULL &&
        sqlite3_last_insert_rowid(app) != sqlite3_last_insert_rowid(model)) {
        fail_msg("%s: last_insert_rowid() differs", what);
    }
    same(app, model, rows_of(t, new_side), what);
    app_close(model);
    if (stage != ALONE) {
        const char *prefix = stage == ASIDE ? "lockstep_7_" : "";
        snprintf(a, sizeof a, "%s%.50s", prefix, t->a);
        snprintf(b, sizeof b, "%s%.50s", prefix, t->b);
        consistent(app, t, a, b, what);
    }
}

/* Both shapes in one statement: what changes the new one counts. */
static void write_both(const struct table *t, char *sql, char *alone, size_t size)
{
    const char *value = any_value(t, true), *old = any_value(t, false);
    struct buf columns = {0}, olds = {0};
    unsigned key = 1 + chance(12);

    add_shape(t, true, "", &columns);
    add_shape(t, false, "", &olds);
    if (chance(2) && strncmp(value, "NULL", 4) != 0) {
        const char *into = spelled(t, false, "INSERT OR REPLACE INTO $t");
        snprintf(sql, size, "%s(id, %s, %s) VALUES(%u, %s, %s)", into, buf_cstr(&columns),
                 buf_cstr(&olds), key, value, old);
        snprintf(alone, size, "%s(id, %s) VALUES(%u, %s)", into, buf_cstr(&columns), key, value);
    } else {
        const char *update = spelled(t, false, "UPDATE $t NOT INDEXED");
        snprintf(sql, size, "%s SET (%s) = (%s), (%s) = (%s) WHERE id <= %u AND (%s) IS NOT (%s)",
                 update, buf_cstr(&columns), value, buf_cstr(&olds), old, key, buf_cstr(&columns),
                 value);
        snprintf(alone, size, "%s SET (%s) = (%s) WHERE id <= %u AND (%s) IS NOT (%s)", update,
                 buf_cstr(&columns), value, key, buf_cstr(&columns), value);
    }
    buf_fini(&columns);
    buf_fini(&olds);
}

enum side { OLD, NEW, BOTH };

static void write_for_a_while(sqlite3 *app, const struct table *t, enum side side, enum stage stage)
{
    int recursive = (int)chance(2), keys = (int)chance(2);
    char sql[2000], alone[2000], what[2400];

    set_pragmas(app, recursive, keys);
    for (int i = 0; i < WRITES; i++) {
        bool new_side = side == BOTH ? chance(2) : side == NEW;
        if (side == BOTH && chance(6) == 0) {
            new_side = true;
            write_both(t, sql, alone, sizeof sql);
        } else {
            snprintf(sql, sizeof sql, "%s", spelled(t, new_side, fill_in(PICK(writes))));
            snprintf(alone, sizeof alone, "%s", sql);
        }
        snprintf(what, sizeof what,
                 "%s (%s, key %d, not_null %d, recursive_triggers %d, foreign_keys %d)", sql,
                 t->kind->name, (int)t->key, t->not_null, recursive, keys);
        compare(app, t, new_side, stage, sql, alone, what);
    }
}

/* ---- the walk ---- */

static void move(sqlite3 *app, const char *db, bool forward, const char *to)
{
    const char *folder = scratch(FOLDER);

    if (strcmp(to, "contracted") == 0) { /* as if old code had been silent for long */
        app_run(app, "UPDATE lockstep_activity SET written_at = 0");
    }
    if (forward) {
        PLAY(play_apply(db, folder, to, &play_err));
    } else {
        PLAY(play_rollback(db, folder, to, &play_err));
    }
    assert_string_equal(play_state(db, folder, NAME), to);
}

static void walk(const struct table *t, sqlite3 *app, const char *db)
{
    char *schema, *rows, *late;

    write_for_a_while(app, t, OLD, ALONE);
    schema = app_schema(app);
    move(app, db, true, "expanded");
    move(app, db, true, "dual-writing");
    for (int i = 0; i < WRITES; i++) {
        app_try(app, spelled(t, false, fill_in(PICK(writes))));
    }
    move(app, db, true, "in-sync");
    write_for_a_while(app, t, BOTH, TOGETHER);
    move(app, db, true, "contracted");
    write_for_a_while(app, t, NEW, ASIDE);
    move(app, db, false, "in-sync");
    write_for_a_while(app, t, BOTH, TOGETHER);
    rows = app_rows(app, rows_of(t, false));
    move(app, db, false, "pending");
    late = app_rows(app, rows_of(t, false));
    assert_string_equal(late, rows);
    free(late);
    free(rows);
    late = app_schema(app);
    assert_string_equal(late, schema);
    free(late);
    free(schema);
    move(app, db, true, "in-sync");
    move(app, db, true, "contracted");
    write_for_a_while(app, t, NEW, ASIDE);
    rows = app_rows(app, rows_of(t, true));
    move(app, db, true, "purged");
    late = app_rows(app, rows_of(t, true));
    assert_string_equal(late, rows);
    free(late);
    free(rows);
    late = app_rows(app, "PRAGMA integrity_check");
    assert_string_equal(late, "ok\n");
    free(late);
}

static void one_case(unsigned number)
{
    static const char *const files[] = {"PRAGMA journal_mode = DELETE",
                                        "PRAGMA page_size = 512; PRAGMA journal_mode = WAL",
                                        "PRAGMA encoding = 'UTF-16le'; PRAGMA auto_vacuum = FULL",
                                        "PRAGMA encoding = 'UTF-16be'; PRAGMA journal_mode = WAL"};
    struct table t = {0};
    char db[512];
    sqlite3 *app;

    seed = number * 0x9e3779b97f4a7c15u + 1;
    (void)chance(2);
    play_remove(scratch(FOLDER));
    snprintf(db, sizeof db, "%s", scratch("property.db"));
    for (int i = 0; i < 4; i++) {
        static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
        char path[560];
        snprintf(path, sizeof path, "%s%s", db, ends[i]);
        play_remove(path);
    }
    choose(&t);
    write_migration(&t);
    app = app_open(db);
    app_run(app, PICK(files));
    make_table(app, &t, false, false);
    walk(&t, app, db);
    app_close(app);
}

static void any_table_migration_and_writer(void **state)
{
    const char *one = getenv("PROPERTY_SEED"), *some = getenv("PROPERTY_CASES");
    unsigned cases = getenv("CHECK_FULL") != NULL ? CASES_FULL : CASES;

    (void)state;
    if (one != NULL) {
        one_case((unsigned)strtoul(one, NULL, 10));
        return;
    }
    if (some != NULL) {
        cases = (unsigned)strtoul(some, NULL, 10);
    }
    for (unsigned i = 1; i <= cases; i++) {
        print_message("PROPERTY_SEED=%u\n", i); /* the last one told is the one that failed */
        one_case(i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(any_table_migration_and_writer)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
