/*
 * migrate_restore(): a recovery point in the place of the database.
 *
 * The file that goes there is prepared first, beside the database: the copy, with the history of
 * what happened since, and our lock. Then one transaction of the database that is there replaces
 * every page, so that a crash leaves it as it was or as it shall be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "migrator/rewind.h"
#include "migrator/session/recovery.h"
#include "migrator/session/since.h"

#define TABLES_SHOWN 50

struct restoring {
    struct migrate *m;
    const struct migrate_restore *what;
    struct database *copy;
    struct journal_meta meta; /* of the copy */
    int64_t last_event;       /* of its history */
    struct json *report, *loses;
    char prepared[1100];
    struct err *err;
};

/* ---- is it ours, and sound ---- */

static enum err_code check_identity(struct restoring *r)
{
    const struct journal_meta *live = &r->m->meta, *copy = &r->meta;

    if (!live->exists || !copy->exists) {
        return err_set(r->err, ERR_CONFLICT, "%.300s was never migrated, so it is no %s",
                       copy->exists ? database_url(r->m->db) : r->what->file,
                       copy->exists ? "database that a recovery point can be of"
                                    : "recovery point");
    }
    if (copy->format > JOURNAL_FORMAT) {
        return err_set(r->err, ERR_CONFLICT, "%.300s was made by a newer program: use that one",
                       r->what->file);
    }
    if (strcmp(live->database_id, copy->database_id) != 0 ||
        strcmp(live->environment, copy->environment) != 0) {
        return err_set(r->err, ERR_CONFLICT,
                       "%.200s is a copy of another database (%s of environment '%s'; this one is "
                       "%s of '%s')",
                       r->what->file, copy->database_id, copy->environment, live->database_id,
                       live->environment);
    }
    return ERR_OK;
}

static enum err_code check_file(struct restoring *r)
{
    const char *file = recovery_file_of(r->m);
    struct stat live, copy;

    if (file == NULL) {
        return err_set(r->err, ERR_CONFLICT, "%.200s is no file that a copy could replace",
                       r->m->options.database);
    }
    if (stat(file, &live) == 0 && stat(r->what->file, &copy) == 0 && live.st_dev == copy.st_dev &&
        live.st_ino == copy.st_ino) {
        return err_set(r->err, ERR_INVALID, "%.300s is the database itself", r->what->file);
    }
    return ERR_OK;
}

static enum err_code check_sound(struct restoring *r)
{
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(r->copy, "PRAGMA quick_check(1)", NULL, 0, &rows, r->err);
    const char *text;

    if (rc) {
        err_wrap(r->err, "%.200s", r->what->file);
        return rc;
    }
    text = database_rows_text(rows, 0, 0);
    if (text == NULL || strcmp(text, "ok") != 0) {
        rc = err_set(r->err, ERR_CONFLICT, "%.200s is damaged (%.200s): nothing was changed",
                     r->what->file, text != NULL ? text : "");
    }
    database_rows_free(rows);
    return rc;
}

/* ---- what would be lost ---- */

static enum err_code newest_event(struct restoring *r)
{
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(r->copy, "SELECT coalesce(max(id), 0) FROM lockstep_history",
                                      NULL, 0, &rows, r->err);

    if (rc == ERR_OK) {
        r->last_event = database_rows_int(rows, 0, 0, 0);
        database_rows_free(rows);
    }
    return rc;
}

static enum err_code count_in(struct database *db, const char *table, int64_t *out)
{
    struct database_rows *rows = NULL;
    struct err unused = {0};
    struct buf sql = {0};
    enum err_code rc;

    buf_text(&sql, "SELECT count(*) FROM ");
    buf_sql_name(&sql, str_of(table));
    rc = database_query(db, buf_cstr(&sql), NULL, 0, &rows, &unused);
    buf_fini(&sql);
    *out = rc == ERR_OK ? database_rows_int(rows, 0, 0, 0) : -1; /* the table is not there */
    database_rows_free(rows);
    return rc;
}

/* Tables whose number of rows differs. Rows that were changed in place are not seen: that is said by
 * the time since which writes are lost. */
static enum err_code list_tables(struct restoring *r)
{
    struct json *list = json_array();
    struct database_rows *tables = NULL;
    enum err_code rc = database_query(
        r->m->db,
        "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' "
        "AND substr(name, 1, 9) <> 'lockstep_' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name",
        NULL, 0, &tables, r->err);

    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(tables) && i < TABLES_SHOWN; i++) {
        const char *name = database_rows_text(tables, i, 0);
        int64_t now = 0, then = 0;
        enum err_code here = count_in(r->m->db, name, &now);
        enum err_code there = count_in(r->copy, name, &then);
        if (here != there || now != then) {
            struct json *table = json_object();
            (void)json_put_text(table, "table", name);
            (void)json_put_number(table, "rows_now", (double)now);
            (void)json_put(table, "rows_then",
                           then < 0 ? json_null() : json_number_new((double)then));
            (void)json_append(list, table);
        }
    }
    database_rows_free(tables);
    (void)json_put(r->loses, "tables", list);
    return rc;
}

static void describe(struct restoring *r)
{
    struct json *made = NULL;
    struct err unused = {0};

    (void)json_put_text(r->report, "database", database_url(r->m->db));
    (void)json_put_text(r->report, "environment", r->m->environment);
    (void)json_put_text(r->report, "database_id", r->m->meta.database_id);
    (void)json_put_text(r->report, "file", r->what->file);
    if (r->meta.recovery[0] != '\0' &&
        json_parse(r->meta.recovery, strlen(r->meta.recovery), &made, &unused) == ERR_OK) {
        (void)json_put(r->report, "made", made);
    }
    (void)json_put(r->report, "loses", r->loses);
}

/* ---- the file that goes there ---- */

static enum err_code edit_prepared(struct restoring *r, struct database *db, int64_t started_ms)
{
    struct work work = {0};
    const char *detail =
        arena_print(&work.arena, "%.300s: %zu later events are undone%s%.200s", r->what->file,
                    json_count(json_get(r->loses, "events")), r->what->reason != NULL ? ": " : "",
                    r->what->reason != NULL ? r->what->reason : "");
    enum err_code rc = since_keep(r->m->db, r->last_event, &work, r->err);

    work_sql(&work, "DELETE FROM lockstep_meta WHERE key = '" RECOVERY_KEY "'");
    work_sql_with(&work,
                  "UPDATE lockstep_lock SET epoch = ?1, owner = ?2, taken_at = " DATABASE_NOW_MS
                  ", expires_at = " DATABASE_NOW_MS " + ?3 WHERE id = 1",
                  3,
                  (struct database_value[]){database_int(r->m->lock.epoch),
                                            database_text(r->m->lock.owner),
                                            database_int(LOCK_LIFE_MS)});
    /* The flag server may know a later state, and what was verified was verified then. */
    work_sql(&work, "UPDATE lockstep_journal SET reported = NULL, verified_at = NULL");
    journal_history(&work, &(struct history){.migration = "",
                                             .event = "restore",
                                             .detail = detail,
                                             .started_ms = started_ms,
                                             .rows = -1,
                                             .stateless = true});
    rc = rc ? rc : work_run(&work, db, NULL, NULL, r->err);
    work_fini(&work);
    return rc;
}

static enum err_code prepare(struct restoring *r, int64_t started_ms)
{
    struct database_options options = {.must_exist = true};
    struct database *db = NULL;
    enum err_code rc;

    (void)snprintf(r->prepared, sizeof r->prepared, "%.1000s.restoring", recovery_file_of(r->m));
    (void)unlink(r->prepared); /* of a run that was killed: we have the lock */
    rc = database_snapshot(r->copy, r->prepared, NULL, r->err);
    rc = rc ? rc : database_open(r->prepared, &options, &db, r->err);
    rc = rc ? rc : edit_prepared(r, db, started_ms);
    database_close(db);
    return rc;
}

static void remove_prepared(const struct restoring *r)
{
    static const char *const ends[] = {"", "-journal", "-wal", "-shm"};
    char name[1120];

    for (size_t i = 0; r->prepared[0] != '\0' && i < sizeof ends / sizeof ends[0]; i++) {
        (void)snprintf(name, sizeof name, "%s%s", r->prepared, ends[i]);
        (void)unlink(name);
    }
}

/* ---- putting it there ---- */

static enum err_code swap(struct restoring *r)
{
    struct migrate *m = r->m;
    struct err again = {0};
    struct buf condition = {0};
    enum err_code rc, reopened;

    buf_print(&condition,
              "EXISTS (SELECT 1 FROM lockstep_lock WHERE id = 1 AND epoch = %lld AND owner = ",
              (long long)m->lock.epoch);
    buf_sql_text(&condition, str_of(m->lock.owner));
    buf_char(&condition, ')');
    database_close(m->db); /* this process may not have it open either */
    m->db = NULL;
    rc = buf_failed(&condition)
             ? err_set(r->err, ERR_NOMEM, "out of memory")
             : database_restore(m->options.database, r->prepared, buf_cstr(&condition), r->err);
    buf_fini(&condition);
    reopened = session_write(m, rc == ERR_OK ? r->err : &again);
    return rc ? rc : reopened;
}

static enum err_code put_back(struct restoring *r)
{
    int64_t started_ms = clock_wall_ms();
    enum err_code rc = session_begin(r->m, r->err);

    rc = rc ? rc : lock_prolong(r->m->db, &r->m->lock, 3600 * 1000, r->err);
    rc = rc ? rc : prepare(r, started_ms);
    rc = rc ? rc : swap(r);
    remove_prepared(r);
    if (rc == ERR_OK) {
        (void)json_put_bool(r->report, "restored", true);
        rc = since_tell(r->m, r->report, r->err);
    }
    if (r->m->db != NULL) {
        lock_give_back(r->m->db, &r->m->lock);
    }
    return rc;
}

static enum err_code look(struct restoring *r)
{
    struct database_options options = {.read_only = true};
    enum err_code rc = check_file(r);

    rc = rc ? rc : database_open(r->what->file, &options, &r->copy, r->err);
    rc = rc ? rc : journal_meta_read(r->copy, &r->meta, r->err);
    rc = rc ? rc : check_identity(r);
    rc = rc ? rc : check_sound(r);
    rc = rc ? rc : newest_event(r);
    rc = rc ? rc : since_list(r->m->db, r->last_event, r->loses, r->err);
    return rc ? rc : list_tables(r);
}

enum err_code migrate_restore(struct migrate *m, const struct migrate_restore *what,
                              struct json **report, struct err *err)
{
    struct restoring r = {.m = m, .what = what, .err = err};
    enum err_code rc = session_write(m, err);

    *report = NULL;
    if (rc) {
        return rc;
    }
    if (strncmp(what->file, RECOVERY_BOOKMARK, strlen(RECOVERY_BOOKMARK)) == 0) {
        return rewind_restore(m, what, report, err);
    }
    r.loses = json_object();
    r.report = json_object();
    rc = look(&r);
    describe(&r);
    if (rc == ERR_OK && !what->yes) {
        rc =
            err_set(err, ERR_CONFLICT,
                    "what was written since this copy was made would be lost: nothing was changed; "
                    "--yes puts it back");
        *report = r.report;
    } else {
        rc = rc ? rc : put_back(&r);
        if (rc == ERR_OK) {
            *report = r.report;
        } else {
            json_free(r.report);
        }
    }
    database_close(r.copy);
    return rc;
}
