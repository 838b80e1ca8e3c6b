/*
 * Dual-write against models: an old writer must see exactly what it would see on the old table
 * alone, a new writer what it would see on the new table alone, and after every statement both
 * shapes must say the same in every row - for each kind of statement, with recursive_triggers and
 * foreign_keys off and on, on tables with and without rowid.
 */
#include "tests/migrator/unit.h"

#include "tests/migrator/play.h"

/* %s: the columns of the shape; the last %s: WITHOUT ROWID or nothing. */
#define TABLE                                                                                      \
    "CREATE TABLE team(id INTEGER PRIMARY KEY, name TEXT);"                                        \
    "CREATE TABLE person(id INTEGER NOT NULL, %s, code TEXT UNIQUE, note TEXT, team INTEGER "      \
    "REFERENCES team(id) ON DELETE CASCADE ON UPDATE CASCADE, PRIMARY KEY(id))%s;"
#define TEAMS "INSERT INTO team VALUES(1, 'a'), (2, 'b'), (3, 'c');"

static const char migration[] =
    "{\"table\": \"person\", \"add\": {\"mailbox\": {\"type\": \"TEXT\"}, \"domain\": {\"type\": "
    "\"TEXT\"}}, \"forward\": {\"mailbox\": \"substr(email, 1, instr(email, '@') - 1)\", "
    "\"domain\": \"substr(email, instr(email, '@') + 1)\"}, \"drop\": [\"email\"], \"reverse\": "
    "{\"email\": \"mailbox || '@' || domain\"}}";

/* The same write in old and new words: $E(x) is an e-mail address x@d.example in the shape at
 * hand. */
static const char *const writes[] = {
    "INSERT INTO person(id, $C, code) VALUES(10, $V(n), 'k10')",
    "INSERT INTO person(id, $C, code) VALUES(11, $V(n), 'k11'), (12, $V(m), 'k12')",
    "INSERT INTO person(id, $C) SELECT id + 20, $V(s) FROM person",
    "INSERT INTO person(id, $C, code) VALUES(1, $V(n), 'new')",
    "INSERT OR ABORT INTO person(id, $C, code) VALUES(20, $V(n), 'x'), (1, $V(m), 'y')",
    "INSERT OR FAIL INTO person(id, $C, code) VALUES(20, $V(n), 'x'), (1, $V(m), 'y')",
    "INSERT OR IGNORE INTO person(id, $C, code) VALUES(20, $V(n), 'x'), (1, $V(m), 'y')",
    "INSERT OR ROLLBACK INTO person(id, $C, code) VALUES(20, $V(n), 'x'), (1, $V(m), 'y')",
    "INSERT OR REPLACE INTO person(id, $C, code) VALUES(20, $V(n), 'x'), (1, $V(m), 'y')",
    "INSERT OR REPLACE INTO person(id, $C, code) VALUES(30, $V(n), 'k2')", /* by UNIQUE */
    "REPLACE INTO person(id, $C, code) VALUES(1, $V(n), 'k2')",            /* two rows at once */
    "INSERT INTO person(id, $C) VALUES(1, $V(n)) ON CONFLICT(id) DO NOTHING",
    "INSERT INTO person(id, $C) VALUES(1, $V(n)) ON CONFLICT(id) DO UPDATE SET $X",
    "INSERT INTO person(id, $C, code) VALUES(40, $V(n), 'k3') ON CONFLICT(code) DO UPDATE SET $X, "
    "note = 'upserted'",
    "UPDATE person SET $S(u) WHERE id = 1",
    "UPDATE person SET $S(u)",
    "UPDATE person SET $S(u), id = 50 WHERE id = 2",
    "UPDATE person SET id = 51 WHERE id = 2",
    "UPDATE person SET id = id + 100",
    "UPDATE OR REPLACE person SET id = 1, $S(u) WHERE id = 2",
    "UPDATE OR IGNORE person SET id = 1, $S(u) WHERE id = 2",
    "UPDATE OR FAIL person SET code = 'k1', $S(u) WHERE id >= 2",
    "UPDATE OR REPLACE person SET code = 'k1', $S(u) WHERE id = 3",
    "UPDATE person SET code = 'k1' WHERE id = 2",
    "UPDATE person SET note = 'only this'",
    "UPDATE person SET $S(p1) WHERE id = 1", /* the value that it has */
    "DELETE FROM person WHERE id = 1",
    "DELETE FROM person",
    "DELETE FROM team WHERE id = 1",
    "UPDATE team SET id = 9 WHERE id = 2",
    "UPDATE person SET note = 'bell' WHERE id = 3", /* another trigger writes */
    "INSERT INTO person(id, $C, note) VALUES(60, $V(n), 'bell')",
};

/* $C columns, $V(x) values, $S(x) SET list, $X SET list from excluded. */
static void spell(const char *write, bool new_words, char *out, size_t size)
{
    size_t len = 0;

    for (const char *p = write; *p != '\0'; p++) {
        char name[16] = "";
        if (*p != '$') {
            out[len++] = *p;
            continue;
        }
        p++;
        if (p[1] == '(') {
            snprintf(name, sizeof name, "%.*s", (int)strcspn(p + 2, ")"), p + 2);
        }
        switch (*p) {
        case 'C':
            len += (size_t)snprintf(out + len, size - len, new_words ? "mailbox, domain" : "email");
            break;
        case 'V':
            len += (size_t)snprintf(out + len, size - len,
                                    new_words ? "'%s', 'd.example'" : "'%s@d.example'", name);
            break;
        case 'S':
            len += (size_t)snprintf(out + len, size - len,
                                    new_words ? "mailbox = '%s', domain = 'd.example'"
                                              : "email = '%s@d.example'",
                                    name);
            break;
        default:
            len +=
                (size_t)snprintf(out + len, size - len,
                                 new_words ? "mailbox = excluded.mailbox, domain = excluded.domain"
                                           : "email = excluded.email");
        }
        if (p[1] == '(') {
            p += strlen(name) + 2;
        }
        assert_true(len < size);
    }
    out[len] = '\0';
}

static void make(const char *path, bool new_shape, bool without_rowid)
{
    static const char *const rows[2] = {
        "INSERT INTO person(id, email, code, team) VALUES(1, 'p1@d.example', 'k1', 1), (2, "
        "'p2@d.example', 'k2', 2), (3, 'p3@d.example', 'k3', 3);"
        "CREATE TRIGGER bell AFTER UPDATE OF note ON person WHEN NEW.note = 'bell' BEGIN UPDATE "
        "person SET email = 'bell@d.example' WHERE id = NEW.id; END;"
        "CREATE TRIGGER bell_in AFTER INSERT ON person WHEN NEW.note = 'bell' BEGIN UPDATE person "
        "SET email = 'bell@d.example' WHERE id = NEW.id; END;",
        "INSERT INTO person(id, mailbox, domain, code, team) VALUES(1, 'p1', 'd.example', 'k1', "
        "1), "
        "(2, 'p2', 'd.example', 'k2', 2), (3, 'p3', 'd.example', 'k3', 3);"
        "CREATE TRIGGER bell AFTER UPDATE OF note ON person WHEN NEW.note = 'bell' BEGIN UPDATE "
        "person SET mailbox = 'bell', domain = 'd.example' WHERE id = NEW.id; END;"
        "CREATE TRIGGER bell_in AFTER INSERT ON person WHEN NEW.note = 'bell' BEGIN UPDATE person "
        "SET mailbox = 'bell', domain = 'd.example' WHERE id = NEW.id; END;"};
    char sql[1200];
    sqlite3 *app;

    play_remove(path);
    app = app_open(path);
    snprintf(sql, sizeof sql, TABLE, new_shape ? "mailbox TEXT, domain TEXT" : "email TEXT",
             without_rowid ? " WITHOUT ROWID" : "");
    app_run(app, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF");
    app_run(app, sql);
    app_run(app, TEAMS);
    app_run(app, rows[new_shape]);
    app_close(app);
}

static sqlite3 *play_on(const char *path, int recursive, int keys)
{
    sqlite3 *app = app_open(path);
    char sql[100];

    snprintf(sql, sizeof sql,
             "PRAGMA recursive_triggers = %d; PRAGMA foreign_keys = %d; PRAGMA synchronous = OFF",
             recursive, keys);
    app_run(app, sql);
    return app;
}

static void same_rows(sqlite3 *got, sqlite3 *wanted, const char *columns, const char *what)
{
    char sql[200], *a, *b;

    snprintf(sql, sizeof sql, "SELECT id, %s, code, note, team FROM person ORDER BY id", columns);
    a = app_rows(got, sql);
    b = app_rows(wanted, sql);
    if (strcmp(a, b) != 0) {
        fail_msg("%s\nseen:\n%swanted:\n%s", what, a, b);
    }
    free(a);
    free(b);
}

static void consistent(sqlite3 *app, const char *what)
{
    char *rows = app_rows(app, "SELECT * FROM person WHERE email IS NOT mailbox || '@' || domain");

    if (*rows != '\0') {
        fail_msg("after %s these differ:\n%s", what, rows);
    }
    free(rows);
}

/* One statement on the migrated table and on the model. */
static void compare(const char *file, const char *model, const char *write, bool new_words,
                    int recursive, int keys)
{
    char work[512], plain[512], sql[600], what[800];
    sqlite3 *got, *wanted;
    int code_got, code_wanted;

    snprintf(work, sizeof work, "%s", scratch("got.db"));
    snprintf(plain, sizeof plain, "%s", scratch("wanted.db"));
    play_copy(file, work);
    play_copy(model, plain);
    got = play_on(work, recursive, keys);
    wanted = play_on(plain, recursive, keys);
    spell(write, new_words, sql, sizeof sql);
    snprintf(what, sizeof what, "%s [recursive_triggers %d, foreign_keys %d]", sql, recursive,
             keys);
    code_got = app_try(got, sql);
    code_wanted = app_try(wanted, sql);
    if (code_got != code_wanted) {
        fail_msg("%s: %s, and on its own table: %s", what, sqlite3_errmsg(got),
                 sqlite3_errmsg(wanted));
    }
    if (sqlite3_changes(got) != sqlite3_changes(wanted) ||
        sqlite3_last_insert_rowid(got) != sqlite3_last_insert_rowid(wanted)) {
        fail_msg("%s: changes() or last_insert_rowid() differ", what);
    }
    same_rows(got, wanted, new_words ? "mailbox, domain" : "email", what);
    consistent(got, what);
    app_close(got);
    app_close(wanted);
}

static void every_write_of_either_side(void **state)
{
    char folder[512], file[512], models[2][512];

    (void)state;
    snprintf(folder, sizeof folder, "%s", scratch("dual"));
    snprintf(file, sizeof file, "%s", scratch("dual.db"));
    snprintf(models[0], sizeof models[0], "%s", scratch("old.db"));
    snprintf(models[1], sizeof models[1], "%s", scratch("new.db"));
    play_write(scratch("dual/0001_split/migration.json"), migration);
    for (int without_rowid = 0; without_rowid < 2; without_rowid++) {
        make(file, false, without_rowid);
        make(models[0], false, without_rowid);
        make(models[1], true, without_rowid);
        PLAY(play_apply(file, folder, "in-sync", &play_err));
        for (size_t i = 0; i < COUNT(writes); i++) {
            for (int mode = 0; mode < 8; mode++) {
                compare(file, models[mode & 1], writes[i], mode & 1, (mode >> 1) & 1, mode >> 2);
            }
        }
    }
}

/* Old and new code at once, in any order: whoever wrote last is right, and nothing tears apart. */
static void any_sequence_of_both_sides(void **state)
{
    unsigned seed = 12345;
    char file[512], work[512];

    (void)state;
    snprintf(file, sizeof file, "%s", scratch("dual.db"));
    snprintf(work, sizeof work, "%s", scratch("mixed.db"));
    for (int run = 0; run < 8; run++) {
        sqlite3 *app;
        play_copy(file, work);
        app = play_on(work, run & 1, (run >> 1) & 1);
        for (int i = 0; i < 150; i++) {
            char sql[600];
            bool new_words;
            const char *write;
            seed = seed * 1664525u + 1013904223u;
            write = writes[(seed >> 8) % COUNT(writes)];
            new_words = (seed >> 20) & 1;
            if (strncmp(write, "DELETE", 6) == 0 && i % 10 != 0) {
                continue; /* rows make it interesting */
            }
            spell(write, new_words, sql, sizeof sql);
            (void)app_try(app, sql); /* a conflict is as good as a success */
            consistent(app, sql);
        }
        app_close(app);
    }
}

/* What old code wrote is recorded, and only that: new code must not hold the gate shut. */
static void only_old_code_counts_as_old(void **state)
{
    static const struct {
        const char *sql;
        bool old;
    } cases[] = {
        {"INSERT INTO person(id, email) VALUES(70, 'a@b')", true},
        {"INSERT INTO person(id, mailbox, domain) VALUES(70, 'a', 'b')", false},
        {"UPDATE person SET email = 'a@b' WHERE id = 1", true},
        {"UPDATE person SET email = email WHERE id = 1", true}, /* it names the column */
        {"UPDATE person SET mailbox = 'z', domain = 'y' WHERE id = 1", false},
        {"UPDATE person SET mailbox = mailbox WHERE id = 1", false},
        {"UPDATE person SET mailbox = 'z', domain = 'y', email = 'z@y' WHERE id = 1", false},
        {"UPDATE person SET note = 'x'", false},
        {"INSERT INTO person(id, email) VALUES(1, 'a@b') ON CONFLICT(id) DO UPDATE SET email = "
         "excluded.email",
         true},
        {"INSERT INTO person(id, mailbox, domain) VALUES(1, 'a', 'b') ON CONFLICT(id) DO UPDATE "
         "SET "
         "mailbox = excluded.mailbox, domain = excluded.domain",
         false},
        {"INSERT OR IGNORE INTO person(id, email) VALUES(71, 'a@b')", true},
        {"INSERT OR REPLACE INTO person(id, mailbox, domain) VALUES(1, 'a', 'b')", false},
    };
    char file[512], work[512];

    (void)state;
    snprintf(file, sizeof file, "%s", scratch("dual.db"));
    snprintf(work, sizeof work, "%s", scratch("noted.db"));
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (int recursive = 0; recursive < 2; recursive++) {
            sqlite3 *app;
            play_copy(file, work);
            app = play_on(work, recursive, 0);
            app_run(app, "UPDATE lockstep_activity SET written_at = 1000");
            app_run(app, cases[i].sql);
            if ((app_number(app, "SELECT written_at FROM lockstep_activity") > 1000) !=
                cases[i].old) {
                fail_msg("%s", cases[i].sql);
            }
            app_close(app);
        }
    }
}

/* The triggers run in the application's SQLite, and D1's splitter must bear them. */
static void triggers_have_a_shape_that_everyone_bears(void **state)
{
    sqlite3 *app = app_open(scratch("dual.db"));
    char *sql = app_rows(app, "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE "
                              "'lockstep%'");
    static const char *const banned[] = {" CASE ",       "iif(",        "unixepoch", "->",
                                         " OR REPLACE ", " OR IGNORE ", "\r",        "--",
                                         "/*",           " begin",      "STRICT"};
    int lines = 0;

    (void)state;
    for (const char *p = sql; *p != '\0'; p++) {
        lines += *p == '\n';
    }
    assert_int_equal(lines, 5); /* one line each */
    for (size_t i = 0; i < COUNT(banned); i++) {
        if (strstr(sql, banned[i]) != NULL) {
            fail_msg("%s in: %s", banned[i], sql);
        }
    }
    free(sql);
    app_close(app);
}

/* What old code wrote is never altered, and what does not come back is counted as lost. */
static void no_value_is_altered_by_affinity_or_collation(void **state)
{
    static const struct {
        const char *old_type, *new_type, *value, *change; /* change: what old code writes then */
        bool lost;
    } cases[] = {
        {"INTEGER", "REAL", "9007199254740993", NULL, true},
        {"REAL", "TEXT", "0.1 + 0.2", NULL, true},
        {"BLOB", "TEXT", "5", NULL, true},
        {"TEXT", "STRING", "'01234'", NULL, true},
        {"TEXT", "TEXT", "'01234'", NULL, false},
        {"TEXT COLLATE NOCASE", "TEXT", "'ann@x'", "'ANN@X'", false},
        {"TEXT COLLATE RTRIM", "TEXT", "'a'", "'a  '", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char db[512], folder[512], sql[400], *before, *after;
        struct err err = {0};
        sqlite3 *app;
        enum err_code rc;
        snprintf(db, sizeof db, "%s", scratch("value.db"));
        snprintf(folder, sizeof folder, "%s", scratch("value"));
        play_remove(db);
        snprintf(sql, sizeof sql,
                 "{\"table\": \"c\", \"add\": {\"m\": {\"type\": \"%s\"}}, \"forward\": {\"m\": "
                 "\"a\"}, \"drop\": [\"a\"], \"reverse\": {\"a\": \"m\"}}",
                 cases[i].new_type);
        play_write(scratch("value/0001_value/migration.json"), sql);
        app = app_open(db);
        snprintf(sql, sizeof sql,
                 "CREATE TABLE c(id INTEGER PRIMARY KEY, a %s); INSERT INTO c "
                 "VALUES(1, %s)",
                 cases[i].old_type, cases[i].value);
        app_run(app, sql);
        before = app_rows(app, "SELECT quote(a), typeof(a) FROM c");
        rc = play_apply(db, folder, "in-sync", &err);
        after = app_rows(app, "SELECT quote(a), typeof(a) FROM c");
        assert_string_equal(after, before);
        if ((rc != ERR_OK) != cases[i].lost) {
            fail_msg("%s to %s: %s", cases[i].old_type, cases[i].new_type, err.msg);
        }
        if (cases[i].change != NULL) {
            snprintf(sql, sizeof sql, "UPDATE c SET a = %s", cases[i].change);
            app_run(app, sql);
            assert_int_equal(app_number(app, "SELECT count(*) FROM c WHERE quote(a) = quote(m)"),
                             1);
        }
        free(before);
        free(after);
        app_close(app);
    }
}

/* Where the key's index tells apart what its column takes for equal, 'a' and 'A' are two rows. */
static void a_row_is_found_as_its_index_finds_it(void **state)
{
    char folder[512], file[512], *rows;
    sqlite3 *app;

    (void)state;
    snprintf(folder, sizeof folder, "%s", scratch("alike"));
    snprintf(file, sizeof file, "%s", scratch("alike.db"));
    play_remove(file);
    app = app_open(file);
    app_run(app, "PRAGMA synchronous = OFF; CREATE TABLE t(k TEXT COLLATE NOCASE, n INT, a TEXT, "
                 "PRIMARY KEY(k COLLATE BINARY, n)) WITHOUT ROWID; INSERT INTO t VALUES('a', 1, "
                 "'old'), ('A', 1, 'old'), ('b', 1, 'old')");
    play_write(scratch("alike/0001_up/migration.json"),
               "{\"table\": \"t\", \"add\": {\"b\": {\"type\": \"TEXT\"}}, \"forward\": {\"b\": "
               "\"upper(a)\"}, \"drop\": [\"a\"], \"reverse\": {\"a\": \"lower(b)\"}}");
    PLAY(play_apply(file, folder, "dual-writing", &play_err)); /* nothing is filled yet */
    app_run(app, "UPDATE t SET a = 'x' WHERE k = 'A' COLLATE BINARY");
    app_run(app, "INSERT INTO t(k, n, a) VALUES('B', 1, 'y')");
    app_run(app, "UPDATE t SET b = 'Z' WHERE k = 'B' COLLATE BINARY");
    rows = app_rows(app, "SELECT k, a, coalesce(b, 'none') FROM t ORDER BY k COLLATE BINARY");
    assert_string_equal(rows, "A|x|X\nB|z|Z\na|old|none\nb|old|none\n");
    free(rows);
    app_close(app);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_write_of_either_side),
        cmocka_unit_test(any_sequence_of_both_sides),
        cmocka_unit_test(only_old_code_counts_as_old),
        cmocka_unit_test(triggers_have_a_shape_that_everyone_bears),
        cmocka_unit_test(a_row_is_found_as_its_index_finds_it),
        cmocka_unit_test(no_value_is_altered_by_affinity_or_collation),
    };

    return cmocka_run_group_tests_name("dual-write", tests, NULL, NULL);
}
