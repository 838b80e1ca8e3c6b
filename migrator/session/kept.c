#include "migrator/session/kept.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "migrator/session/recovery.h"

#define KEPT_BYTES_MAX (64u << 20)
#define COLUMNS 11 /* id, at, event are the first, second, fifth */

/* NULL: this session has no folder. */
static const char *path_of(const struct migrate *m, struct arena *arena)
{
    return m->options.folder == NULL ? NULL
                                     : arena_print(arena, "%s/.lockstep-restore-%s.json",
                                                   m->options.folder, m->meta.database_id);
}

static struct json *value_of(const struct database_value *value)
{
    return value->type == DATABASE_INT    ? json_number_new((double)value->as.i)
           : value->type == DATABASE_TEXT ? json_string_n(value->as.bytes.at, value->as.bytes.len)
                                          : json_null();
}

enum err_code kept_read(struct migrate *m, int64_t last_event, const char *file, const char *undo,
                        const char *reason, struct json **out, struct err *err)
{
    struct database_value last = database_int(last_event);
    struct database_rows *rows = NULL;
    struct json *list = json_array();
    enum err_code rc = database_query(
        m->db,
        "SELECT id, at, actor, migration, event, from_state, to_state, duration_ms, rows, digest, "
        "detail FROM lockstep_history WHERE id > ?1 ORDER BY id",
        &last, 1, &rows, err);

    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        struct json *row = json_array();
        for (size_t k = 0; k < COLUMNS; k++) {
            (void)json_append(row, value_of(database_rows_at(rows, i, k)));
        }
        (void)json_append(list, row);
    }
    database_rows_free(rows);
    *out = json_object();
    (void)json_put_text(*out, "file", file);
    (void)json_put_text(*out, "undo", undo);
    if (reason != NULL) {
        (void)json_put_text(*out, "reason", reason);
    }
    (void)json_put_number(*out, "started_ms", (double)clock_wall_ms());
    (void)json_put(*out, "history", list);
    if (rc) {
        json_free(*out);
        *out = NULL;
    }
    return rc;
}

enum err_code kept_store(const struct migrate *m, const struct json *record, struct err *err)
{
    struct arena arena = {0};
    const char *path = path_of(m, &arena);
    char *text = path != NULL ? json_print_pretty(record) : NULL;
    struct err why = {0};
    enum err_code rc = ERR_OK;

    if (path != NULL) {
        rc = text != NULL ? file_write_atomic(path, text, strlen(text), 0600, &why)
                          : err_set(&why, ERR_NOMEM, "out of memory");
    }
    if (rc) {
        rc = err_set(err, ERR_CONFLICT,
                     "nothing was put back, as the history since cannot be kept meanwhile: %.300s",
                     why.msg);
    }
    free(text);
    arena_fini(&arena);
    return rc;
}

static struct database_value param_of(const struct json *value)
{
    int64_t whole;

    return json_int(value, &whole)           ? database_int(whole)
           : json_kind(value) == JSON_STRING ? database_text(json_text(value))
                                             : database_null();
}

/* Its own number, unless somebody who came between has it. */
static void add_row(const struct json *row, struct work *work)
{
    struct database_value values[COLUMNS] = {{0}};
    size_t i = 0;

    for (const struct json *one = json_first(row); one != NULL && i < COLUMNS;
         one = json_next(one)) {
        values[i++] = param_of(one);
    }
    work_sql_with(
        work,
        "INSERT INTO lockstep_history(id, at, actor, migration, event, from_state, "
        "to_state, duration_ms, rows, digest, detail) VALUES((SELECT ?1 WHERE NOT EXISTS "
        "(SELECT 1 FROM lockstep_history WHERE id = ?1)), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, "
        "?10, ?11)",
        COLUMNS, values);
}

/* Whether the first row that was kept is missing: then the database was put back. */
static enum err_code was_put_back(struct migrate *m, const struct json *record, bool *out,
                                  struct err *err)
{
    const struct json *id = json_first(json_first(json_get(record, "history")));
    const struct json *at = json_next(id), *event = json_next(json_next(json_next(at)));
    struct database_value params[] = {param_of(id), param_of(at), param_of(event)};
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        m->db, "SELECT 1 FROM lockstep_history WHERE id = ?1 AND at = ?2 AND event = ?3", params, 3,
        &rows, err);

    *out = rc == ERR_OK && database_rows_count(rows) == 0;
    database_rows_free(rows);
    return rc;
}

static enum err_code write_down(struct migrate *m, const struct json *record, struct err *err)
{
    const char *reason = json_get_text(record, "reason", NULL);
    int64_t started_ms = 0;
    struct work work = {0};
    enum err_code rc;

    for (const struct json *row = json_first(json_get(record, "history")); row != NULL;
         row = json_next(row)) {
        add_row(row, &work);
    }
    /* The flag server may know a later state, and what was verified was verified then. */
    work_sql(&work, "UPDATE lockstep_journal SET reported = NULL, verified_at = NULL");
    (void)json_int(json_get(record, "started_ms"), &started_ms);
    journal_history(
        &work,
        &(struct history){.migration = "",
                          .event = "restore",
                          .detail = arena_print(
                              &work.arena, "%s; " RECOVERY_BOOKMARK "%s leads forward again%s%s",
                              json_get_text(record, "file", ""), json_get_text(record, "undo", ""),
                              reason != NULL ? ": " : "", reason != NULL ? reason : ""),
                          .started_ms = started_ms,
                          .rows = -1,
                          .stateless = true});
    rc = work_run(&work, m->db, &m->lock, NULL, err);
    work_fini(&work);
    return rc;
}

enum err_code kept_finish(struct migrate *m, struct err *err)
{
    struct arena arena = {0};
    const char *path = path_of(m, &arena);
    struct json *record = NULL;
    char *text = NULL;
    size_t len = 0;
    bool back = false;
    enum err_code rc = ERR_OK;

    if (path == NULL || !file_exists(path)) {
        arena_fini(&arena);
        return ERR_OK;
    }
    rc = file_read(path, KEPT_BYTES_MAX, &text, &len, err);
    rc = rc ? rc : json_parse(text, len, &record, err);
    if (rc == ERR_INVALID || (rc == ERR_OK && json_count(json_get(record, "history")) == 0)) {
        rc = err_set(
            err, ERR_CONFLICT,
            "%.300s is damaged: it holds the history of before a `migrate restore` that did "
            "not end; take it away to go on without",
            path);
    }
    rc = rc ? rc : was_put_back(m, record, &back, err);
    if (rc == ERR_OK && back) {
        rc = write_down(m, record, err);
    }
    if (rc == ERR_OK) {
        (void)unlink(path);
    }
    json_free(record);
    free(text);
    arena_fini(&arena);
    return rc;
}
