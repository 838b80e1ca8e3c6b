#include "migrator/change/aside.h"

#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "migrator/change/aside_parts.h"
#include "migrator/change/unreadable.h"

/* The same rows at the same places: a trigger made anew would be fired in another order. */
static void step_aside(struct aside *a)
{
    struct buf sql = {0};
    const char *comma = "";

    buf_text(&sql, "CREATE TEMP TABLE lockstep_aside AS SELECT rowid AS place, type, name, "
                   "tbl_name, rootpage, sql FROM main.sqlite_master WHERE rowid IN (");
    for (size_t i = 0; i < a->count; i++) {
        if (!a->objects[i].stays) {
            buf_print(&sql, "%s%lld", comma, (long long)a->objects[i].place);
            comma = ", ";
        }
    }
    buf_char(&sql, ')');
    work_sql(a->work, buf_cstr(&sql));
    a->work->failed = a->work->failed || buf_failed(&sql);
    buf_fini(&sql);
    work_sql(a->work, "DELETE FROM sqlite_master WHERE rowid IN (SELECT place FROM "
                      "temp.lockstep_aside)");
}

static void come_back(struct aside *a)
{
    work_sql(a->work, "INSERT INTO sqlite_master(rowid, type, name, tbl_name, rootpage, sql) "
                      "SELECT place, type, name, tbl_name, rootpage, sql FROM "
                      "temp.lockstep_aside ORDER BY place");
    work_sql(a->work, "DROP TABLE temp.lockstep_aside");
}

/* After each ALTER TABLE and each edit the schema is read anew: as many of them as can be, while it
 * is short. Nothing else of what arrows do is indifferent to who is away. */
static bool may_be_inside(const char *sql, bool *alters)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token first = {0}, second = {0};

    if (!sql_scan_next(&scan, &first) || !sql_scan_next(&scan, &second)) {
        return false;
    }
    if (sql_token_is(&first, "ALTER")) {
        *alters = true;
        return true;
    }
    return (sql_token_is(&first, "UPDATE") && sql_token_names(&second, "sqlite_master")) ||
           (sql_token_is(&first, "DROP") &&
            (sql_token_is(&second, "TRIGGER") || sql_token_is(&second, "INDEX")));
}

/* How many statements from here on may be inside; none if no ALTER TABLE is among them. */
static size_t run_length(const struct database_statement *statements, size_t count)
{
    bool alters = false;
    size_t i = 0;

    while (i < count && may_be_inside(statements[i].sql, &alters)) {
        i++;
    }
    return alters ? i : 0;
}

static void rebuild(struct aside *a)
{
    struct work *work = a->work;
    const struct database_statement *statements = work->statements;
    struct database_value version = database_int(a->version);
    size_t count = work->count, end = 0;
    bool away = false;

    work->statements = NULL;
    work->count = work->room = 0;
    for (size_t i = 0; i < count && !work->failed; i++) {
        if (i == end) {
            end = i + run_length(&statements[i], count - i);
            away = end > i;
            end += !away; /* looked at again at the next */
            if (away) {
                step_aside(a);
            }
        }
        work_sql_with(work, statements[i].sql, statements[i].param_count, statements[i].params);
        if (away && i + 1 == end) {
            come_back(a);
        }
    }
    work->edits_schema = true;
    work->schema_version = a->version;
    work_before(work, ERR_CONFLICT,
                "the schema was changed by somebody else meanwhile; nothing was changed; run the "
                "command again",
                "(SELECT schema_version FROM pragma_schema_version) = ?1", 1, &version);
}

enum err_code aside_around(struct database *db, struct work *work, struct err *err)
{
    struct aside a = {.db = db, .work = work, .err = err};
    bool some = false;
    enum err_code rc = aside_read_statements(&a);

    if (rc == ERR_OK && a.sources.count > 0) {
        rc = aside_read_objects(&a, true);
        rc = rc ? rc : aside_judge(&a);
    }
    for (size_t i = 0; i < a.count; i++) {
        some = some || !a.objects[i].stays;
    }
    if (rc == ERR_OK && some) {
        rebuild(&a);
    }
    for (size_t i = 0; rc == ERR_OK && i < a.count; i++) {
        if (a.objects[i].compiles && a.objects[i].again) {
            work_sql(work, a.objects[i].check);
        }
    }
    arena_fini(&a.arena);
    return rc;
}

enum err_code aside_step(struct database *db, struct work *work, struct err *err)
{
    const struct database_capabilities *capabilities = NULL;
    enum err_code rc = database_probe(db, &capabilities, err);

    if (rc) {
        return rc;
    }
    return capabilities->writable_schema ? aside_around(db, work, err)
                                         : unreadable_step_aside(db, work, err);
}

/* ---- how long that holds the lock ---- */

/* Measured on SQLite 3.40, PROJ's 165 kB of views and triggers: 13 to 15 ms for a renamed and a
 * redefined column, and 0.3 to 0.6 s for an ALTER TABLE that compares a trigger of 121 kB. */
#define SCHEMA_BYTES_PER_MS 12500.0
#define COMPARED_SQUARE_BYTES_PER_MS 3e7

/* How often the statements have the engine read all: at each ALTER, or once, as it steps aside. */
static int readings(const struct work *work, bool aside)
{
    int alters = 0;

    for (size_t i = 0; i < work->count; i++) {
        bool alter = false;
        (void)may_be_inside(work->statements[i].sql, &alter);
        alters += alter;
    }
    return aside ? alters > 0 || work->edits_schema : alters;
}

enum err_code aside_estimate(struct database *db, const struct work *work, double *out,
                             struct err *err)
{
    const struct database_capabilities *capabilities = NULL;
    struct work read = *work; /* of which nothing is changed */
    struct aside a = {.db = db, .work = &read, .err = err};
    double bytes = 0, compared = 0;
    bool aside;
    enum err_code rc = database_probe(db, &capabilities, err);

    *out = 0;
    aside = rc == ERR_OK && capabilities->writable_schema;
    if (rc || readings(work, aside) == 0) {
        return rc;
    }
    rc = aside_read_statements(&a);
    rc = rc ? rc : aside_read_objects(&a, false);
    if (rc == ERR_OK) {
        aside_find_compared(&a, aside);
    }
    for (size_t i = 0; rc == ERR_OK && i < a.count; i++) {
        double len = (double)strlen(a.objects[i].sql);
        bytes += len;
        compared += a.objects[i].stays ? len * len : 0;
    }
    *out = floor(bytes * readings(work, aside) / SCHEMA_BYTES_PER_MS) +
           floor(compared * (double)a.rewrites / COMPARED_SQUARE_BYTES_PER_MS);
    arena_fini(&a.arena);
    return rc;
}

bool aside_is_stale(struct database *db, const struct work *work)
{
    int64_t version = 0;
    struct err unused = {0};

    return work->schema_version > 0 && aside_read_version(db, &version, &unused) == ERR_OK &&
           version != work->schema_version;
}
