#include "tests/migrator/random_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tests/migrator/play.h"
#include "tests/migrator/random_parts.h"
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

static const char *const types[] = {"TEXT",        "BLOB",         "INTEGER", "REAL",
                                    "VARCHAR(20)", "DECIMAL(9,2)", "",        "STRING"};
static const char *const strict_types[] = {"ANY", "ANY", "TEXT", "INTEGER"};
static const char *const odd[] = {"plain", "two words", "it's",  "select", "naïve", "Case",
                                  "x]y",   "`tick",     "a-b.c", "1st",    "日本",  "quo\"te"};
static const char *const collations[] = {"", "", "", " COLLATE NOCASE", " COLLATE RTRIM"};

static void name_columns(struct random_operation *op, unsigned at, unsigned first)
{
    static const char *const ends[] = {"_a", "_b", "_m", "_n"};

    for (unsigned i = 0; i < 4; i++) {
        snprintf(op->columns[i], sizeof op->columns[i], "%s%s%s",
                 odd[(first + at * 4 + i * 3) % COUNT(odd)], ends[i],
                 at == 0   ? ""
                 : at == 1 ? "2"
                           : "3");
    }
}

/* is: NULL for one that is not there yet. */
static void choose_operation(struct random_case *c, const struct operation *is, unsigned first)
{
    unsigned at = c->operation_count;
    struct random_operation *op = &c->operations[at];

    for (bool twice = is == NULL; twice;) {
        is = &random_operations[random_below(random_operation_count)];
        twice = false;
        for (unsigned i = 0; i < at; i++) { /* what loses, goes alone */
            twice = twice || is->lossy || c->operations[i].is->lossy || is == c->operations[i].is;
        }
    }
    op->is = is;
    op->type = is->type;
    if (op->type == NULL) {
        op->type = !c->strict                     ? RANDOM_PICK(types)
                   : is->spelled == SPELLED_ALTER ? "ANY"
                                                  : RANDOM_PICK(strict_types);
    }
    op->new_type = is->new_type != NULL ? is->new_type : op->type;
    op->collation = RANDOM_PICK(collations);
    op->fallback = is->fallback;
    if (is->spelled == SPELLED_RENAME && !c->strict && random_below(3) == 0) {
        op->fallback = "'by default'";
    }
    /* New code leaves out what is forgotten; ALTER says it for itself. */
    op->not_null = random_below(2) && !is->forgets && is->spelled != SPELLED_ALTER;
    name_columns(op, at, first);
    c->adds = c->adds || is->news > 0;
    c->operation_count++;
}

/* Neither side may be without any column of the case. */
static void choose_beside(struct random_case *c, unsigned first)
{
    struct buf columns = {0};
    bool both = random_add_columns(c, c->operation_count, false, "", &columns) &&
                random_add_columns(c, c->operation_count, true, "", &columns);

    buf_fini(&columns);
    if (!both) {
        assert_true(c->operation_count < RANDOM_OPERATIONS);
        choose_operation(c, &random_beside, first);
    }
}

static void say_what_follows(struct random_case *c)
{
    c->may_leave_out = true;
    for (unsigned i = 0; i < c->operation_count; i++) {
        struct random_operation *op = &c->operations[i];
        bool taken_for_new = op->is->forgets && !c->adds;
        op->no_null = op->not_null || op->fallback != NULL || taken_for_new;
        c->may_leave_out = c->may_leave_out && !taken_for_new &&
                           (op->fallback != NULL || (op->is->olds > 0 && !op->not_null));
        /* SQLite 3.40.1 takes "excluded" behind a VIRTUAL column for its neighbour: an integer
         * beside a REAL loses digits, on any table. */
        c->stored = c->stored || strcmp(op->type, "REAL") == 0;
    }
}

void random_case_make(struct random_case *c)
{
    unsigned first = random_below(COUNT(odd)), count;
    bool rowid;

    *c = (struct random_case){.key = (enum random_key)random_below(KEY_KINDS),
                              .strict = random_below(6) == 0,
                              .utf16 = random_below(4) == 0,
                              .shape_first = random_below(2),
                              .triggers = random_below(2),
                              .stored = random_below(2)};
    c->kind = random_below(6) > 0 ? KIND_COLUMNS : (enum random_kind)random_below(KIND_KINDS);
    c->triggers = c->triggers && c->kind != KIND_RENAME_TABLE && c->kind != KIND_CREATE_TABLE;
    snprintf(c->table, sizeof c->table, "%s", odd[first]);
    snprintf(c->new_table, sizeof c->new_table, "%s%s", odd[(first + 5) % COUNT(odd)],
             c->kind == KIND_RENAME_TABLE ? "_t" : "");
    count = 1 + (random_below(3) == 0 ? 1 + random_below(2) : 0);
    for (unsigned i = 0; i < count; i++) {
        choose_operation(c, c->kind != KIND_COLUMNS ? &random_beside : NULL, first);
        if (c->operations[i].is->lossy) {
            break;
        }
    }
    choose_beside(c, first);
    say_what_follows(c);
    /* WITHOUT ROWID, NOT INDEXED does not keep a scan off an index. */
    rowid = c->kind == KIND_COLUMNS && c->key != KEY_WITHOUT_ROWID;
    c->make_index = rowid && random_below(3) == 0;
    c->drop_index = rowid && random_below(3) == 0;
}

struct random_case random_case_of(const struct random_case *c, bool new_side)
{
    struct random_case own = *c;

    if (new_side && c->kind == KIND_RENAME_TABLE) {
        memcpy(own.table, c->new_table, sizeof own.table);
    }
    return own;
}

bool random_case_has(const struct random_case *c, bool new_side)
{
    return c->kind != (new_side ? KIND_DROP_TABLE : KIND_CREATE_TABLE);
}

void random_case_describe(const struct random_case *c, struct buf *out)
{
    static const char *const keys[] = {"INTEGER PRIMARY KEY", "AUTOINCREMENT", "no key",
                                       "composite key", "WITHOUT ROWID"};
    static const char *const kinds[] = {"", "rename of the table, ", "drop of the table, ",
                                        "making of the table, "};

    buf_print(out, "%s%s%s%s%s%s%s", kinds[c->kind], keys[c->key],
              c->make_index ? ", makes an index" : "", c->drop_index ? ", drops an index" : "",
              c->strict ? ", STRICT" : "", c->utf16 ? ", UTF-16" : "",
              c->triggers ? ", triggers" : "");
    for (unsigned i = 0; i < c->operation_count; i++) {
        const struct random_operation *op = &c->operations[i];
        buf_print(out, "; %s of %s%s%s%s", op->is->name, op->type, op->collation,
                  op->not_null ? " NOT NULL" : "", op->fallback != NULL ? " DEFAULT" : "");
    }
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

bool random_add_columns(const struct random_case *c, unsigned at, bool new_side, const char *prefix,
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
    (void)random_add_columns(c, c->operation_count, new_side, "", out);
}

/* Seldom what cannot be carried over; then the pair is of no use to new code. */
static const char *any_value(const struct random_operation *op, bool new_side)
{
    bool may_be_wrong = !new_side || op->is->check != NULL;

    if (may_be_wrong && op->is->invalid != NULL && random_below(12) == 0) {
        return op->is->invalid;
    }
    return op->is->pairs[random_below(op->no_null ? 7 : 8)][new_side];
}

void random_add_values(const struct random_case *c, unsigned at, bool new_side, struct buf *out)
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

/* One column as its side has it; loose: as while both shapes live. */
static void add_definition(const struct random_case *c, unsigned at, unsigned column, bool new_side,
                           bool loose, struct buf *sql)
{
    const struct random_operation *op = &c->operations[at];
    bool old = column < 2, alters = op->is->spelled == SPELLED_ALTER;
    bool as_old = old || op->is->spelled == SPELLED_RENAME;
    bool not_null = op->not_null && (!loose || (old && op->is->kept));

    if (alters) {
        not_null = !loose && (new_side ? op->is->strict_null : op->is->allows_null);
    }
    buf_sql_name(sql, str_of(op->columns[column]));
    buf_print(sql, " %s%s", old ? op->type : op->new_type, as_old ? op->collation : "");
    if (op->fallback != NULL) {
        buf_print(sql, " DEFAULT %s", op->fallback);
    }
    buf_print(sql, " /* between, ( and ' */\n%s", not_null ? " CONSTRAINT filled NOT NULL" : "");
    if (alters && op->is->check != NULL && new_side && !loose) {
        buf_text(sql, " CHECK (");
        random_case_spell(c, at, op->is->check, sql);
        buf_char(sql, ')');
    }
}

/* Old columns are as they were declared; new ones as a migration can declare them. */
static void add_definitions(const struct random_case *c, bool new_side, bool loose, struct buf *sql)
{
    for (unsigned i = 0; i < c->operation_count; i++) {
        const struct random_operation *op = &c->operations[i];
        const char *names[4];
        unsigned count = side_columns(op, new_side, names);
        for (unsigned k = 0; k < count; k++) {
            buf_text(sql, ", ");
            for (unsigned column = 0; column < 4; column++) {
                if (names[k] == op->columns[column]) {
                    add_definition(c, i, column, new_side, loose, sql);
                }
            }
        }
    }
}

/* What SQLite does differently as soon as a table has any trigger is not ours. */
static const char idle[] = "CREATE TRIGGER idle_delete AFTER DELETE ON $t BEGIN SELECT 1; END; "
                           "CREATE TRIGGER idle_update AFTER UPDATE ON $t BEGIN SELECT 1; END; "
                           "CREATE TRIGGER idle_insert AFTER INSERT ON $t BEGIN SELECT 1; END; ";

/* NULL is filled in a row of which one of these columns is written, from dual-write to contract. */
static void add_fill(const struct random_case *c, unsigned at, struct buf *sql)
{
    const char *key =
        c->key == KEY_WITHOUT_ROWID ? "id = NEW.id AND part = NEW.part" : "rowid = NEW.rowid";
    struct buf columns = {0};

    for (unsigned i = 0; i < c->operation_count; i++) {
        if (c->operations[i].is->fill != NULL) {
            random_case_spell(c, i, columns.len > 0 ? ", $0" : "$0", &columns);
        }
    }
    for (int update = 0; update < 2; update++) {
        buf_print(sql, "CREATE TRIGGER fill_%u_%d AFTER %s%s", at, update,
                  update ? "UPDATE OF " : "INSERT", update ? buf_cstr(&columns) : "");
        random_case_spell(c, at, " ON $t WHEN NEW.$0 IS NULL BEGIN UPDATE $t SET $0 = ", sql);
        buf_print(sql, "%s WHERE %s; END; ", c->operations[at].is->fill, key);
    }
    buf_fini(&columns);
}

static void add_index(const struct random_case *c, const char *name, bool new_side, struct buf *sql)
{
    if (c->key == KEY_WITHOUT_ROWID) {
        return; /* NOT INDEXED does not keep a scan off an index there */
    }
    buf_print(sql, "CREATE INDEX %s ON ", name);
    random_case_spell(c, 0, "$t(", sql);
    random_case_columns(c, new_side, sql);
    buf_text(sql, ", note)");
}

static void add_triggers(sqlite3 *app, const struct random_case *c, bool new_side, bool loose)
{
    static const char *const triggers[] = {
        "CREATE TRIGGER bell AFTER UPDATE OF note ON $t WHEN NEW.note = 'bell' BEGIN UPDATE $t SET "
        "code = NULL WHERE id = NEW.id; INSERT INTO log VALUES('bell', NEW.id); END",
        "CREATE TRIGGER came BEFORE INSERT ON $t BEGIN INSERT INTO log VALUES('came', NEW.id); END",
        "CREATE TRIGGER went AFTER DELETE ON $t BEGIN INSERT INTO log VALUES('went', OLD.id); END",
        "CREATE TRIGGER moved AFTER UPDATE OF id, code ON $t WHEN NEW.id IS NOT OLD.id BEGIN "
        "INSERT INTO log VALUES('moved', NEW.id); END"};
    struct buf sql = {0};

    for (size_t i = 0; c->triggers && i < COUNT(triggers); i++) {
        random_case_spell(c, 0, triggers[i], &sql);
        buf_text(&sql, "; ");
    }
    random_case_spell(c, 0, loose && c->kind != KIND_COLUMNS ? idle : "", &sql);
    random_case_spell(c, 0, c->drop_index && !new_side ? "CREATE INDEX by_note ON $t(note); " : "",
                      &sql);
    add_index(c, "by_shape", new_side, &sql);
    app_run(app, buf_cstr(&sql));
    buf_fini(&sql);
}

static void add_table(const struct random_case *c, bool new_side, bool loose, struct buf *sql)
{
    static const char *const keys[] = {"INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT",
                                       "INTEGER UNIQUE NOT NULL", "INTEGER NOT NULL",
                                       "INTEGER NOT NULL"};

    random_case_spell(c, 0, "CREATE TABLE $t(", sql);
    buf_print(sql, "id %s -- the key\n", keys[c->key]);
    if (c->shape_first) {
        add_definitions(c, new_side, loose, sql);
    }
    buf_print(sql,
              ", code TEXT COLLATE NOCASE UNIQUE, note TEXT CHECK (note <> 'no'), part TEXT NOT "
              "NULL DEFAULT 'p', gen INTEGER AS (id / 2)%s",
              c->stored ? " STORED" : "");
    if (!c->shape_first) {
        add_definitions(c, new_side, loose, sql);
    }
    if (c->key < KEY_COMPOSITE && c->kind == KIND_RENAME_TABLE) {
        buf_text(sql, ", ref INTEGER"); /* a reference would be refused */
    } else if (c->key < KEY_COMPOSITE) {
        random_case_spell(
            c, 0, ", ref INTEGER REFERENCES $t(id) ON DELETE CASCADE ON UPDATE SET NULL", sql);
    } else {
        buf_print(sql, ", ref INTEGER, PRIMARY KEY(part DESC, id)");
    }
    buf_print(sql, ")%s%s%s", c->key == KEY_WITHOUT_ROWID ? " WITHOUT ROWID" : "",
              c->key == KEY_WITHOUT_ROWID && c->strict ? "," : "", c->strict ? " STRICT" : "");
}

void random_case_table(sqlite3 *app, const struct random_case *given, bool new_side, bool loose)
{
    struct random_case own = random_case_of(given, new_side);
    struct buf sql = {0};

    buf_text(&sql, "CREATE TABLE log(what TEXT, id INTEGER); ");
    if (random_case_has(&own, new_side)) {
        add_table(&own, new_side, loose, &sql);
    }
    app_run(app, buf_cstr(&sql));
    buf_fini(&sql);
    if (random_case_has(&own, new_side)) {
        add_triggers(app, &own, new_side, loose);
    }
}

void random_case_fill(sqlite3 *app, const struct random_case *c)
{
    struct buf sql = {0};

    buf_text(&sql, "");
    for (unsigned at = 0; at < c->operation_count; at++) {
        if (c->operations[at].is->fill != NULL) {
            add_fill(c, at, &sql);
        }
    }
    app_run(app, buf_cstr(&sql));
    buf_fini(&sql);
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

/* A member of root, made when it is first asked for. */
static struct json *part(struct json *root, const char *name, bool array)
{
    struct json *found = json_get(root, name);

    if (found == NULL) {
        found = array ? json_array() : json_object();
        (void)json_put(root, name, found);
        found = json_get(root, name);
    }
    return found;
}

static void put_alter(struct json *root, const struct random_case *c, unsigned at)
{
    const struct random_operation *op = &c->operations[at];
    struct json *column = json_object();

    if (op->is->strict_null || op->is->allows_null) {
        (void)json_put_bool(column, "not_null", op->is->strict_null);
    }
    if (op->is->fill != NULL) {
        (void)json_put_text(column, "fill", op->is->fill);
    }
    if (op->is->check != NULL) {
        put_spelled(column, "check", c, at, op->is->check);
    }
    if (op->is->reverse[0] != NULL) {
        put_spelled(column, "reverse", c, at, op->is->reverse[0]);
    }
    (void)json_put(part(root, "alter", false), op->columns[0], column);
}

static void put_retype(struct json *root, const struct random_case *c, unsigned at)
{
    const struct random_operation *op = &c->operations[at];
    struct json *column = json_object();

    (void)json_put_text(column, "to", op->columns[2]);
    (void)json_put_text(column, "type", op->new_type);
    if (op->is->spelled == SPELLED_RETYPE_BY_WORDS) {
        put_spelled(column, "forward", c, at, op->is->forward[0]);
        put_spelled(column, "reverse", c, at, op->is->reverse[0]);
    }
    (void)json_put(part(root, "retype", false), op->columns[0], column);
}

static void put_add_and_drop(struct json *root, const struct random_case *c, unsigned at)
{
    const struct random_operation *op = &c->operations[at];

    for (unsigned i = 0; i < op->is->news; i++) {
        struct json *column = json_object();
        if (*op->new_type != '\0') {
            (void)json_put_text(column, "type", op->new_type);
        }
        (void)json_put_bool(column, "not_null", op->not_null);
        if (op->fallback != NULL) {
            (void)json_put_text(column, "default", op->fallback);
        } else {
            put_spelled(part(root, "forward", false), op->columns[2 + i], c, at,
                        op->is->forward[i]);
        }
        (void)json_put(part(root, "add", false), op->columns[2 + i], column);
    }
    for (unsigned i = 0; i < op->is->olds && !op->is->kept; i++) {
        (void)json_append(part(root, "drop", true), json_string(op->columns[i]));
        if (op->is->reverse[i] != NULL) {
            put_spelled(part(root, "reverse", false), op->columns[i], c, at, op->is->reverse[i]);
        }
    }
}

static void put_columns(struct json *root, const struct random_case *c)
{
    struct buf valid = {0}, index = {0};

    for (unsigned at = 0; at < c->operation_count; at++) {
        const struct random_operation *op = &c->operations[at];
        switch (op->is->spelled) {
        case SPELLED_ADD: put_add_and_drop(root, c, at); break;
        case SPELLED_RENAME:
            (void)json_put_text(part(root, "rename", false), op->columns[0], op->columns[2]);
            break;
        case SPELLED_RETYPE:
        case SPELLED_RETYPE_BY_WORDS: put_retype(root, c, at); break;
        case SPELLED_ALTER: put_alter(root, c, at); break;
        case SPELLED_NOTHING: break;
        }
        if (op->is->valid != NULL) {
            buf_text(&valid, valid.len > 0 ? " AND coalesce(" : "coalesce(");
            random_case_spell(c, at, op->is->valid, &valid);
            buf_text(&valid, ", 1)"); /* NULL in one must not hide what another says */
        }
        if (op->is->lossy) {
            (void)json_put_bool(root, "lossy", true);
        }
    }
    if (valid.len > 0) {
        (void)json_put_text(root, "valid_old", buf_cstr(&valid));
    }
    if (c->make_index) {
        add_index(c, "made", true, &index);
        (void)json_append(part(root, "create_index", true), json_string(buf_cstr(&index)));
    }
    if (c->drop_index) {
        (void)json_append(part(root, "drop_index", true), json_string("by_note"));
    }
    buf_fini(&valid);
    buf_fini(&index);
}

static void put_create_table(struct json *root, const struct random_case *c)
{
    struct buf sql = {0};

    add_table(c, true, false, &sql);
    (void)json_append(part(root, "create_table", true), json_string(buf_cstr(&sql)));
    buf_fini(&sql);
    if (c->key != KEY_WITHOUT_ROWID) {
        sql = (struct buf){0};
        add_index(c, "by_shape", true, &sql);
        (void)json_append(part(root, "create_table", true), json_string(buf_cstr(&sql)));
        buf_fini(&sql);
    }
    (void)json_put_bool(root, "lossy", true); /* the way back drops it with its rows */
}

char *random_case_json(const struct random_case *c)
{
    struct json *root = json_object();
    char *text;

    switch (c->kind) {
    case KIND_DROP_TABLE: (void)json_put_text(root, "drop_table", c->table); break;
    case KIND_CREATE_TABLE: put_create_table(root, c); break;
    case KIND_RENAME_TABLE:
        (void)json_put_text(root, "table", c->table);
        (void)json_put_text(root, "rename_table", c->new_table);
        break;
    default: (void)json_put_text(root, "table", c->table); put_columns(root, c);
    }
    text = json_print(root);
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
    if (is->fill != NULL) {
        random_case_spell(c, at, " AND $0 IS NOT NULL", out);
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

static void add_mending(const struct random_case *c, unsigned at, const char *wrong,
                        struct buf *out)
{
    const struct operation *is = c->operations[at].is;

    random_case_spell(c, at, "UPDATE $t SET ($0", out);
    random_case_spell(c, at, is->olds == 2 ? ", $1) = (" : ") = (", out);
    buf_print(out, "%s) WHERE ", is->pairs[0][0]);
    random_case_spell(c, at, wrong, out);
    buf_text(out, "; ");
}

void random_case_mend(const struct random_case *c, bool violators_alone, struct buf *out)
{
    char wrong[200];

    for (unsigned at = 0; at < c->operation_count; at++) {
        const struct operation *is = c->operations[at].is;
        const char *right = is->valid == NULL || violators_alone ? is->check : is->valid;
        if (right != NULL) {
            snprintf(wrong, sizeof wrong, "NOT coalesce(%s, 1)", right);
            add_mending(c, at, wrong, out);
        }
        if (is->strict_null && is->fill == NULL) {
            add_mending(c, at, "$0 IS NULL", out);
        }
    }
}

void random_case_way_back(const struct random_case *c, struct buf *out)
{
    for (unsigned at = 0; at < c->operation_count; at++) {
        const struct operation *is = c->operations[at].is;
        if (is->allows_null) {
            random_case_spell(c, at, "UPDATE $t SET $0 = ", out);
            random_case_spell(c, at, is->reverse[0], out);
            random_case_spell(c, at, " WHERE $0 IS NULL; ", out);
        }
    }
}
