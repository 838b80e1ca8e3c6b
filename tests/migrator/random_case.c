#include "tests/migrator/random_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tests/migrator/play.h"
#include "tests/migrator/unit.h"

/* ---- chance ---- */

static uint64_t seed;

void random_start(unsigned number)
{
    seed = number * 0x9e3779b97f4a7c15u + 1;
    (void)random_below(2);
}

unsigned random_below(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

/* ---- operations ---- */

#define MOST "9223372036854775807"

static const struct operation operations[] = {
    {.name = "rename",
     .olds = 1,
     .news = 1,
     .forward = {"$0"},
     .reverse = {"$2"},
     .pairs = {{"'Zed'", "'Zed'"},
               {"CAST(x'610062ff' AS TEXT)", "CAST(x'610062ff' AS TEXT)"}, /* NUL, no UTF-8 */
               {"'it''s ü€𝄞'", "'it''s ü€𝄞'"},
               {"x'00ff'", "x'00ff'"},
               {"-" MOST, "-" MOST},
               {"0.5e300", "0.5e300"},
               {"'012'", "'012'"},
               {"NULL", "NULL"}}},
    {.name = "split",
     .olds = 1,
     .news = 2,
     .type = "TEXT",
     .forward = {"CAST(substr($0, 1, instr($0, '@') - 1) AS TEXT)",
                 "CAST(substr($0, instr($0, '@') + 1) AS TEXT)"},
     .reverse = {"$2 || '@' || $3"},
     .valid = "instr($0, '@') > 0",
     .invalid = "'nowhere'",
     .pairs = {{"'ann@x'", "'ann', 'x'"},
               {"'@'", "'', ''"},
               {"'bob@a@b'", "'bob', 'a@b'"},
               {"'ü@€'", "'ü', '€'"},
               {"'Ann@X'", "'Ann', 'X'"},
               {"'1@2'", "'1', '2'"},
               {"' @ '", "' ', ' '"},
               {"NULL", "NULL, NULL"}}},
    {.name = "merge",
     .olds = 2,
     .news = 1,
     .type = "TEXT",
     .forward = {"$0 || '-' || $1"},
     .reverse = {"CAST(substr($2, 1, instr($2, '-') - 1) AS TEXT)",
                 "CAST(substr($2, instr($2, '-') + 1) AS TEXT)"},
     .pairs = {{"'a', 'b'", "'a-b'"},
               {"'', ''", "'-'"},
               {"'1', '2-3'", "'1-2-3'"},
               {"'ü', '€'", "'ü-€'"},
               {"'A', 'B'", "'A-B'"},
               {"'it''s', 'x'", "'it''s-x'"},
               {"' ', ' '", "' - '"},
               {"NULL, NULL", "NULL"}}},
    {.name = "negate",
     .olds = 1,
     .news = 1,
     .type = "INTEGER",
     .forward = {"CAST(-$0 AS INTEGER)"},
     .reverse = {"CAST(-$2 AS INTEGER)"},
     .valid = "typeof($0) = 'integer' AND $0 >= -" MOST,
     .invalid = "(-" MOST " - 1)",
     .pairs = {{"1", "-1"},
               {"0", "0"},
               {"-5", "5"},
               {"9007199254740993", "-9007199254740993"},
               {MOST, "-" MOST},
               {"42", "-42"},
               {"-9007199254740993", "9007199254740993"},
               {"NULL", "NULL"}}},
    {.name = "text to number",
     .olds = 1,
     .news = 1,
     .type = "TEXT",
     .new_type = "INTEGER",
     .forward = {"CAST($0 AS INTEGER)"},
     .reverse = {"CAST($2 AS TEXT)"},
     .valid = "CAST(CAST($0 AS INTEGER) AS TEXT) = $0",
     .invalid = "'007'",
     .pairs = {{"'1'", "1"},
               {"'0'", "0"},
               {"'-5'", "-5"},
               {"'" MOST "'", MOST},
               {"'-" MOST "'", "-" MOST},
               {"'42'", "42"},
               {"'9007199254740993'", "9007199254740993"},
               {"NULL", "NULL"}}},
    {.name = "number to text",
     .olds = 1,
     .news = 1,
     .type = "INTEGER",
     .new_type = "TEXT",
     .forward = {"CAST($0 AS TEXT)"},
     .reverse = {"CAST($2 AS INTEGER)"},
     .valid = "typeof($0) = 'integer'",
     .invalid = "'seven'",
     .pairs = {{"1", "'1'"},
               {"0", "'0'"},
               {"-5", "'-5'"},
               {MOST, "'" MOST "'"},
               {"-" MOST, "'-" MOST "'"},
               {"42", "'42'"},
               {"9007199254740993", "'9007199254740993'"},
               {"NULL", "NULL"}}},
    {.name = "out of JSON", /* what is not JSON makes the expression fail */
     .olds = 1,
     .news = 1,
     .type = "TEXT",
     .forward = {"CAST(json_extract($0, '$.a') AS TEXT)"},
     .reverse = {"json_object('a', CAST($2 AS TEXT))"},
     .valid = "$0 IS NULL OR json_valid($0)",
     .invalid = "'junk'",
     .pairs = {{"'{\"a\":\"x\"}'", "'x'"},
               {"'{\"a\":\"\"}'", "''"},
               {"'{\"a\":\"ü€\"}'", "'ü€'"},
               {"'{\"a\":\"it''s\"}'", "'it''s'"},
               {"'{\"a\":\"X\"}'", "'X'"},
               {"'{\"a\":\"\\\\\"}'", "'\\'"},
               {"'{\"a\":\"1\"}'", "'1'"},
               {"NULL", "NULL"}},
     .lossy = true}, /* of NULL it makes {"a":null} */
    {.name = "abs",  /* of the least integer it fails */
     .olds = 1,
     .news = 1,
     .type = "INTEGER",
     .forward = {"CAST(abs($0) AS INTEGER)"},
     .reverse = {"$2"},
     .valid = "typeof($0) = 'integer' AND $0 >= -" MOST,
     .invalid = "(-" MOST " - 1)",
     .pairs = {{"1", "1"},
               {"-1", "1"},
               {"0", "0"},
               {"-" MOST, MOST},
               {MOST, MOST},
               {"42", "42"},
               {"-42", "42"},
               {"NULL", "NULL"}},
     .lossy = true},
    {.name = "not inverse",
     .olds = 1,
     .news = 1,
     .type = "TEXT",
     .forward = {"lower($0)"},
     .reverse = {"$2"},
     .pairs = {{"'Zed'", "'Zed'"},
               {"'zed'", "'zed'"},
               {"'ZED'", "'ZED'"},
               {"''", "''"},
               {"'a'", "'a'"},
               {"'A'", "'A'"},
               {"'b'", "'b'"},
               {"NULL", "NULL"}},
     .lossy = true},
    {.name = "derive", /* new code writes both */
     .olds = 1,
     .news = 1,
     .type = "TEXT",
     .new_type = "INTEGER",
     .forward = {"length($0)"},
     .pairs = {{"'a'", "'a', 1"},
               {"''", "'', 0"},
               {"'ü€'", "'ü€', 2"},
               {"'1234'", "'1234', 4"},
               {"'Ab'", "'Ab', 2"},
               {"'aB'", "'aB', 2"},
               {"' '", "' ', 1"},
               {"NULL", "NULL, NULL"}},
     .kept = true},
    {.name = "constant",
     .news = 1,
     .new_type = "INTEGER",
     .forward = {"7"},
     .pairs = {{NULL, "7"},
               {NULL, "8"},
               {NULL, "-1"},
               {NULL, "0"},
               {NULL, MOST},
               {NULL, "9"},
               {NULL, "10"},
               {NULL, "11"}}},
    {.name = "drop",
     .olds = 1,
     .pairs = {{"'a'", NULL},
               {"x'00'", NULL},
               {"7", NULL},
               {"0.5", NULL},
               {"''", NULL},
               {"'A'", NULL},
               {"-1", NULL},
               {"NULL", NULL}},
     .reverse = {"'gone'"},
     .forgets = true},
};

static const char *const types[] = {"TEXT",        "BLOB",         "INTEGER", "REAL",
                                    "VARCHAR(20)", "DECIMAL(9,2)", "",        "STRING"};
static const char *const strict_types[] = {"ANY", "ANY", "TEXT", "INTEGER"};
static const char *const odd[] = {"plain", "two words", "it's",  "select", "naïve", "Case",
                                  "x]y",   "`tick",     "a-b.c", "1st",    "日本",  "quo\"te"};
static const char *const collations[] = {"", "", "", " COLLATE NOCASE", " COLLATE RTRIM"};

static void choose_operation(struct random_case *c, unsigned at, unsigned first)
{
    struct random_operation *op = &c->operations[at];
    bool twice;

    do {
        op->is = &RANDOM_PICK(operations);
        twice = false;
        for (unsigned i = 0; i < at; i++) { /* one C for all: what loses, goes alone */
            twice = twice || op->is->lossy || c->operations[i].is->lossy ||
                    op->is == c->operations[i].is;
        }
    } while (twice || (at == 0 && op->is->olds == 0) || (at == 0 && op->is->news == 0));
    op->type = op->is->type;
    if (op->type == NULL) {
        op->type = c->strict ? RANDOM_PICK(strict_types) : RANDOM_PICK(types);
    }
    op->new_type = op->is->new_type != NULL ? op->is->new_type : op->type;
    op->collation = RANDOM_PICK(collations);
    op->not_null = random_below(2) && !op->is->forgets; /* new code leaves it out */
    for (unsigned i = 0; i < 4; i++) {
        static const char *const ends[] = {"_a", "_b", "_m", "_n"};
        snprintf(op->columns[i], sizeof op->columns[i], "%s%s%s",
                 odd[(first + at * 4 + i * 3) % COUNT(odd)], ends[i],
                 at == 0   ? ""
                 : at == 1 ? "2"
                           : "3");
    }
}

void random_case_make(struct random_case *c)
{
    unsigned first = random_below(COUNT(odd));

    *c = (struct random_case){.key = (enum random_key)random_below(KEY_KINDS),
                              .strict = random_below(6) == 0,
                              .utf16 = random_below(4) == 0,
                              .shape_first = random_below(2),
                              .triggers = random_below(2),
                              .stored = random_below(2)};
    snprintf(c->table, sizeof c->table, "%s", odd[first]);
    c->operation_count = 1 + (random_below(3) == 0 ? 1 + random_below(2) : 0);
    for (unsigned i = 0; i < c->operation_count; i++) {
        choose_operation(c, i, first);
        if (c->operations[i].is->lossy) {
            c->operation_count = i + 1;
        }
        /* SQLite 3.40.1 takes "excluded" behind a VIRTUAL column for its neighbour: an integer
         * beside a REAL loses digits, on any table. */
        c->stored = c->stored || strcmp(c->operations[i].type, "REAL") == 0;
    }
}

void random_case_describe(const struct random_case *c, struct buf *out)
{
    static const char *const keys[] = {"INTEGER PRIMARY KEY", "AUTOINCREMENT", "no key",
                                       "composite key", "WITHOUT ROWID"};

    buf_print(out, "%s%s%s%s", keys[c->key], c->strict ? ", STRICT" : "",
              c->utf16 ? ", UTF-16" : "", c->triggers ? ", triggers" : "");
    for (unsigned i = 0; i < c->operation_count; i++) {
        const struct random_operation *op = &c->operations[i];
        buf_print(out, "; %s of %s%s%s", op->is->name, op->type, op->collation,
                  op->not_null ? " NOT NULL" : "");
    }
}

bool random_case_drops(const struct random_case *c)
{
    for (unsigned i = 0; i < c->operation_count; i++) {
        if (c->operations[i].is->olds > 0 && !c->operations[i].is->kept) {
            return true;
        }
    }
    return false;
}

/* ---- spelling ---- */

void random_case_spell(const struct random_case *c, unsigned at, const char *text, struct buf *out)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '$' && p[1] >= '0' && p[1] <= '3') {
            buf_sql_name(out, str_of(c->operations[at].columns[*++p - '0']));
        } else if (*p == '$' && p[1] == 't') {
            buf_sql_name(out, str_of(c->table));
            p++;
        } else {
            buf_char(out, *p);
        }
    }
}

/* Calls back the names of a side's columns of an operation: first <= i < end in columns[]. */
static unsigned side_columns(const struct random_operation *op, bool new_side, const char *names[4])
{
    unsigned count = 0;

    for (unsigned i = 0; i < op->is->olds && (!new_side || op->is->kept); i++) {
        names[count++] = op->columns[i];
    }
    for (unsigned i = 0; i < op->is->news && new_side; i++) {
        names[count++] = op->columns[2 + i];
    }
    return count;
}

/* Prefixed names of one operation, or of all (at = operation_count). */
static bool add_columns(const struct random_case *c, unsigned at, bool new_side, const char *prefix,
                        struct buf *out)
{
    bool any = false;

    for (unsigned i = 0; i < c->operation_count; i++) {
        const char *names[4];
        unsigned count = side_columns(&c->operations[i], new_side, names);
        for (unsigned k = 0; k < count && (at == c->operation_count || at == i); k++) {
            buf_print(out, "%s%s", any ? ", " : "", prefix);
            buf_sql_name(out, str_of(names[k]));
            any = true;
        }
    }
    return any;
}

void random_case_columns(const struct random_case *c, bool new_side, struct buf *out)
{
    (void)add_columns(c, c->operation_count, new_side, "", out);
}

/* Seldom what cannot be carried over; then the pair is of no use to new code. */
static const char *any_value(const struct random_operation *op, bool new_side)
{
    bool no_null = op->not_null;

    if (!new_side && op->is->invalid != NULL && random_below(12) == 0) {
        return op->is->invalid;
    }
    return op->is->pairs[random_below(no_null ? 7 : 8)][new_side];
}

static void add_values(const struct random_case *c, unsigned at, bool new_side, struct buf *out)
{
    bool any = false;

    for (unsigned i = 0; i < c->operation_count; i++) {
        const char *names[4];
        if ((at == c->operation_count || at == i) &&
            side_columns(&c->operations[i], new_side, names) > 0) {
            buf_print(out, "%s%s", any ? ", " : "", any_value(&c->operations[i], new_side));
            any = true;
        }
    }
}

/* ---- the table ---- */

/* Old columns are as they were declared; new ones as a migration can declare them. */
static void add_definitions(const struct random_case *c, bool new_side, bool loose, struct buf *sql)
{
    for (unsigned i = 0; i < c->operation_count; i++) {
        const struct random_operation *op = &c->operations[i];
        const char *names[4];
        unsigned count = side_columns(op, new_side, names);
        for (unsigned k = 0; k < count; k++) {
            bool old = names[k] == op->columns[0] || names[k] == op->columns[1];
            bool kept = old && op->is->kept;
            buf_text(sql, ", ");
            buf_sql_name(sql, str_of(names[k]));
            buf_print(sql, " %s%s%s /* between, ( and ' */\n", old ? op->type : op->new_type,
                      old ? op->collation : "",
                      op->not_null && (!loose || kept) ? " CONSTRAINT filled NOT NULL" : "");
        }
    }
}

static void add_triggers(sqlite3 *app, const struct random_case *c, bool new_side)
{
    static const char *const triggers[] = {
        "CREATE TRIGGER bell AFTER UPDATE OF note ON $t WHEN NEW.note = 'bell' BEGIN UPDATE $t SET "
        "code = NULL WHERE id = NEW.id; INSERT INTO log VALUES('bell', NEW.id); END",
        "CREATE TRIGGER came BEFORE INSERT ON $t BEGIN INSERT INTO log VALUES('came', NEW.id); END",
        "CREATE TRIGGER went AFTER DELETE ON $t BEGIN INSERT INTO log VALUES('went', OLD.id); END",
        "CREATE TRIGGER moved AFTER UPDATE OF id, code ON $t WHEN NEW.id IS NOT OLD.id BEGIN "
        "INSERT INTO log VALUES('moved', NEW.id); END"};
    struct buf sql = {0}, columns = {0};

    for (size_t i = 0; c->triggers && i < COUNT(triggers); i++) {
        random_case_spell(c, 0, triggers[i], &sql);
        buf_text(&sql, "; ");
    }
    random_case_columns(c, new_side, &columns);
    if (c->key != KEY_WITHOUT_ROWID) { /* where NOT INDEXED does not keep a scan off an index */
        random_case_spell(c, 0, "CREATE INDEX by_shape ON $t(", &sql);
        buf_print(&sql, "%s, note)", buf_cstr(&columns));
    }
    app_run(app, buf_cstr(&sql));
    buf_fini(&sql);
    buf_fini(&columns);
}

void random_case_table(sqlite3 *app, const struct random_case *c, bool new_side, bool loose)
{
    static const char *const keys[] = {"INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT",
                                       "INTEGER UNIQUE NOT NULL", "INTEGER NOT NULL",
                                       "INTEGER NOT NULL"};
    struct buf sql = {0};

    random_case_spell(c, 0, "CREATE TABLE log(what TEXT, id INTEGER); CREATE TABLE $t(", &sql);
    buf_print(&sql, "id %s -- the key\n", keys[c->key]);
    if (c->shape_first) {
        add_definitions(c, new_side, loose, &sql);
    }
    buf_print(&sql,
              ", code TEXT COLLATE NOCASE UNIQUE, note TEXT CHECK (note <> 'no'), part TEXT NOT "
              "NULL DEFAULT 'p', gen INTEGER AS (id / 2)%s",
              c->stored ? " STORED" : "");
    if (!c->shape_first) {
        add_definitions(c, new_side, loose, &sql);
    }
    if (c->key < KEY_COMPOSITE) {
        random_case_spell(
            c, 0, ", ref INTEGER REFERENCES $t(id) ON DELETE CASCADE ON UPDATE SET NULL", &sql);
    } else {
        buf_print(&sql, ", ref INTEGER, PRIMARY KEY(part DESC, id)");
    }
    buf_print(&sql, ")%s%s%s", c->key == KEY_WITHOUT_ROWID ? " WITHOUT ROWID" : "",
              c->key == KEY_WITHOUT_ROWID && c->strict ? "," : "", c->strict ? " STRICT" : "");
    app_run(app, buf_cstr(&sql));
    buf_fini(&sql);
    add_triggers(app, c, new_side);
}

/* ---- the migration ---- */

static void put_spelled(struct json *to, const char *name, const struct random_case *c, unsigned at,
                        const char *text)
{
    struct buf out = {0};

    random_case_spell(c, at, text, &out);
    (void)json_put_text(to, name, buf_cstr(&out));
    buf_fini(&out);
}

char *random_case_json(const struct random_case *c)
{
    struct json *root = json_object(), *add = json_object(), *forward = json_object();
    struct json *reverse = json_object(), *drop = json_array();
    struct buf valid = {0};
    bool lossy = false;
    char *text;

    for (unsigned at = 0; at < c->operation_count; at++) {
        const struct random_operation *op = &c->operations[at];
        for (unsigned i = 0; i < op->is->news; i++) {
            struct json *column = json_object();
            if (*op->new_type != '\0') {
                (void)json_put_text(column, "type", op->new_type);
            }
            (void)json_put_bool(column, "not_null", op->not_null);
            (void)json_put(add, op->columns[2 + i], column);
            put_spelled(forward, op->columns[2 + i], c, at, op->is->forward[i]);
        }
        for (unsigned i = 0; i < op->is->olds && !op->is->kept; i++) {
            (void)json_append(drop, json_string(op->columns[i]));
            if (op->is->reverse[i] != NULL) {
                put_spelled(reverse, op->columns[i], c, at, op->is->reverse[i]);
            }
        }
        if (op->is->valid != NULL) {
            buf_text(&valid, valid.len > 0 ? " AND coalesce(" : "coalesce(");
            random_case_spell(c, at, op->is->valid, &valid);
            buf_text(&valid, ", 1)"); /* NULL in one must not hide what another says */
        }
        lossy = lossy || op->is->lossy;
    }
    (void)json_put_text(root, "table", c->table);
    (void)json_put(root, "add", add);
    (void)json_put(root, "forward", forward);
    (void)json_put(root, "drop", drop);
    (void)json_put(root, "reverse", reverse);
    (void)json_put_bool(root, "lossy", lossy);
    if (valid.len > 0) {
        (void)json_put_text(root, "valid_old", buf_cstr(&valid));
    }
    text = json_print(root);
    buf_fini(&valid);
    json_free(root);
    return text;
}

/* ---- what must hold ---- */

static void add_operation_consistent(const struct random_case *c, unsigned at, struct buf *out)
{
    const struct operation *is = c->operations[at].is;
    char test[200];

    buf_text(out, " AND (1");
    for (unsigned i = 0; i < is->news && is->olds > 0; i++) {
        snprintf(test, sizeof test, " AND $%u COLLATE BINARY IS (+(%s))", 2 + i, is->forward[i]);
        random_case_spell(c, at, test, out);
    }
    if (is->olds == 0) {
        random_case_spell(c, at, " AND $2 IS NOT NULL", out);
    }
    buf_text(out, is->olds > 0 && !is->kept ? " OR 1" : "");
    for (unsigned i = 0; i < is->olds && !is->kept && !is->forgets; i++) {
        snprintf(test, sizeof test, " AND $%u COLLATE BINARY IS (+(%s))", i, is->reverse[i]);
        random_case_spell(c, at, test, out);
    }
    buf_char(out, ')');
}

/* Each operation by itself, over the columns as they are called now. A raising expression is not
 * evaluated where valid_old says no. */
void random_case_consistent(const struct random_case *c, const char *aside, struct buf *out)
{
    struct random_case now = *c;

    for (unsigned at = 0; at < c->operation_count; at++) {
        const struct random_operation *op = &now.operations[at];
        for (unsigned i = 0; i < op->is->olds && !op->is->kept; i++) {
            snprintf(now.operations[at].columns[i], sizeof op->columns[i], "%.15s%.30s", aside,
                     c->operations[at].columns[i]);
        }
    }
    buf_text(out, "CASE WHEN 0");
    for (unsigned at = 0; at < c->operation_count; at++) { /* valid_old is one */
        if (now.operations[at].is->valid != NULL) {
            buf_text(out, " OR NOT coalesce(");
            random_case_spell(&now, at, now.operations[at].is->valid, out);
            buf_text(out, ", 1)");
        }
    }
    buf_text(out, " THEN 1 ELSE 1");
    for (unsigned at = 0; at < c->operation_count; at++) {
        if (now.operations[at].is->valid != NULL) {
            add_operation_consistent(&now, at, out);
        }
    }
    buf_text(out, " END");
    for (unsigned at = 0; at < c->operation_count; at++) {
        if (now.operations[at].is->valid == NULL) { /* that of others is nothing to it */
            add_operation_consistent(&now, at, out);
        }
    }
}

void random_case_mend(const struct random_case *c, struct buf *out)
{
    for (unsigned at = 0; at < c->operation_count; at++) {
        const struct operation *is = c->operations[at].is;
        if (is->valid == NULL) {
            continue;
        }
        random_case_spell(c, at, "UPDATE $t SET ($0", out);
        random_case_spell(c, at, is->olds == 2 ? ", $1) = (" : ") = (", out);
        buf_print(out, "%s) WHERE NOT coalesce(", is->pairs[0][0]);
        random_case_spell(c, at, is->valid, out);
        buf_text(out, ", 1); ");
    }
}

/* ---- writes ---- */

/* # a conflict clause, @ a key, ~ a code: few, so that they meet. $C a side's columns, $V values,
 * $S a SET list, $O one of a single operation, $X one from excluded. NOT INDEXED: which row is in
 * the way depends on the order in which a plan takes them. */
static const char *const writes[] = {
    "INSERT #INTO $t(id, $C, code) VALUES(@, $V, '~')",
    "INSERT #INTO $t(id, $C, code) VALUES(@, $V, '~'), (@, $V, '~'), (@, $V, NULL)",
    "INSERT #INTO $t(id, $C, note) SELECT id + @, $V, note FROM $t ORDER BY id LIMIT 3",
    "INSERT INTO $t(id, $C, code) VALUES(@, $V, '~') ON CONFLICT DO NOTHING",
    "INSERT INTO $t(id, $C, code) VALUES(@, $V, '~') ON CONFLICT(code) DO UPDATE SET note = 9, $X",
    "INSERT INTO $t(id, $C, code) VALUES(@, $V, '~') ON CONFLICT(code) DO UPDATE SET id = @, $S",
    "UPDATE #$t NOT INDEXED SET $S WHERE id = @",
    "UPDATE #$t NOT INDEXED SET $O WHERE id < @",
    "UPDATE #$t NOT INDEXED SET $S WHERE id % 2 = 0",
    "UPDATE #$t NOT INDEXED SET $S",
    "UPDATE #$t NOT INDEXED SET $O, code = '~' WHERE id < @",
    "UPDATE #$t NOT INDEXED SET id = id + @, $S WHERE id > @",
    "UPDATE #$t NOT INDEXED SET id = @, $S WHERE id = @",
    "UPDATE #$t NOT INDEXED SET id = @ WHERE id = @",
    "UPDATE #$t NOT INDEXED SET id = -id",
    "UPDATE #$t NOT INDEXED SET part = '~', $S WHERE id = @",
    "UPDATE #$t NOT INDEXED SET note = 'bell', $S WHERE id = @",
    "UPDATE #$t NOT INDEXED SET note = 'no', $S WHERE id < @",
    "UPDATE #$t NOT INDEXED SET code = '~' WHERE id = @",
    "UPDATE #$t NOT INDEXED SET ref = @, $O WHERE id = @",
    "REPLACE INTO $t(id, $C, code) VALUES(@, $V, '~'), (@, $V, '~')",
    "DELETE FROM $t WHERE id = @",
    "DELETE FROM $t WHERE code = '~' OR id > 40",
    "INSERT #INTO $t(id, $C) VALUES(@, $V), (9223372036854775807, $V), (-9223372036854775808, $V)",
};

static void add_set(const struct random_case *c, unsigned at, bool new_side, bool excluded,
                    struct buf *out)
{
    struct buf columns = {0};

    if (!add_columns(c, at, new_side, "", &columns)) {
        buf_text(out, "note = 'none'");
        buf_fini(&columns);
        return;
    }
    buf_print(out, "(%s) = (", buf_cstr(&columns));
    if (excluded) {
        (void)add_columns(c, at, new_side, "excluded.", out);
    } else {
        add_values(c, at, new_side, out);
    }
    buf_char(out, ')');
    buf_fini(&columns);
}

const char *random_case_write(const struct random_case *c, bool new_side)
{
    static const char *const clauses[] = {
        "", "", "OR ABORT ", "OR FAIL ", "OR IGNORE ", "OR REPLACE ", "OR ROLLBACK "};
    static char kept[4000];
    struct buf out = {0};
    unsigned all = c->operation_count;
    const char *start = RANDOM_PICK(writes);

    for (const char *p = start; *p != '\0'; p++) {
        p += *p == '$';
        switch (p > start && p[-1] == '$' ? *p : *p == '#' || *p == '@' || *p == '~' ? *p : 0) {
        case '#': buf_text(&out, RANDOM_PICK(clauses)); break;
        case '@': buf_print(&out, "%u", 1 + random_below(12)); break;
        case '~': buf_char(&out, "kKlLmMn"[random_below(7)]); break;
        case 0: buf_char(&out, *p); break;
        case 't': buf_sql_name(&out, str_of(c->table)); break;
        case 'C': (void)add_columns(c, all, new_side, "", &out); break;
        case 'V': add_values(c, all, new_side, &out); break;
        case 'S': add_set(c, all, new_side, false, &out); break;
        case 'O': add_set(c, random_below(all), new_side, false, &out); break;
        default: add_set(c, all, new_side, true, &out);
        }
    }
    assert_true(out.len < sizeof kept);
    snprintf(kept, sizeof kept, "%s", buf_cstr(&out));
    buf_fini(&out);
    return kept;
}
