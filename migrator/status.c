/*
 * migrate_status() and migrate_history(): where every migration stands, and how it came there. They
 * read only, also where our tables are not there yet. And migrate_unlock(), for who reads there that
 * a migrator was killed.
 */
#include <string.h>

#include "base/clock.h"
#include "migrator/session/session.h"
#include "migrator/walk/pace.h"

static void put_json_text(struct json *object, const char *key, const char *text)
{
    struct json *value = NULL;
    struct err unused = {0};

    if (text != NULL && json_parse(text, strlen(text), &value, &unused) == ERR_OK) {
        (void)json_put(object, key, value);
    }
}

static void describe_row(struct json *out, const struct migration *migration,
                         const struct journal_row *row)
{
    char since[CLOCK_TEXT_BYTES];

    if (row->ledger_only) {
        (void)json_put_text(out, "note", "applied by another tool; no checksum is known");
        return;
    }
    (void)json_put_text(out, "since", clock_text(row->since_ms, since));
    (void)json_put_bool(out, "edited", strcmp(row->checksum, migration->checksum) != 0);
    if (migration->phased == NULL) {
        return;
    }
    if (row->state >= MIG_DUAL_WRITING) {
        struct json *backfill = json_object();
        (void)json_put_bool(backfill, "done", row->backfill_done);
        (void)json_put_number(backfill, "rows_done", (double)row->rows_done);
        (void)json_put_number(backfill, "rows_total", (double)row->rows_total);
        (void)json_put(out, "backfill", backfill);
    }
    put_json_text(out, "verify", row->verify);
    if (migration->phased->flag != NULL) {
        (void)json_put_bool(out, "flag_server_knows",
                            row->reported != NULL &&
                                strcmp(row->reported, mig_state_name(row->state)) == 0);
    }
}

static struct json *describe(const struct migrate *m, size_t index, size_t *pending)
{
    const struct migration *migration = &m->folder.at[index];
    const struct journal_row *row = session_row(m, index);
    enum mig_state state = session_state(m, index);
    struct json *out = json_object();

    (void)json_put_text(out, "name", migration->name);
    (void)json_put_text(out, "kind", migration_kind_name(migration->kind));
    (void)json_put_text(out, "state", mig_state_name(state));
    if (migration->phased != NULL) {
        (void)json_put_text(out, "table", migration->phased->table);
        if (migration->phased->flag != NULL) {
            (void)json_put_text(out, "flag", migration->phased->flag);
        }
        if (state < MIG_PURGED) {
            (void)json_put_text(out, "next", mig_state_name((enum mig_state)(state + 1)));
        }
    }
    if (row != NULL) {
        describe_row(out, migration, row);
    }
    *pending += state == MIG_PENDING || (migration->phased != NULL && state < MIG_CONTRACTED);
    return out;
}

static struct json *missing_files(const struct migrate *m)
{
    struct json *out = json_array();

    for (size_t i = 0; i < m->journal.count; i++) {
        size_t index;
        struct err unused;
        if (folder_find(&m->folder, m->journal.at[i].migration, &index, &unused) != ERR_OK) {
            (void)json_append(out, json_string(m->journal.at[i].migration));
        }
    }
    return out;
}

static void put_time(struct json *out, const char *key, int64_t ms)
{
    char text[CLOCK_TEXT_BYTES];

    (void)json_put_text(out, key, clock_text(ms, text));
}

/* What people said of the pace: of all, and of each. */
static enum err_code put_pace(struct migrate *m, struct json *report, struct err *err)
{
    const struct json *list = json_get(report, "migrations");
    struct json *one = json_first(list);
    struct pace all, pace;
    enum err_code rc = pace_read(m, NULL, &all, err);

    if (rc) {
        return rc;
    }
    pace_describe(&all, report);
    if (all.ratio < 1) {
        (void)json_put_number(report, "throttle", all.ratio);
    }
    for (size_t i = 0; rc == ERR_OK && one != NULL; one = json_next(one), i++) {
        rc = pace_read(m, m->folder.at[i].name, &pace, err);
        if (rc == ERR_OK && !all.paused) {
            pace_describe(&pace, one);
        }
    }
    return rc;
}

/* Who is at work, or was killed while it was. */
static enum err_code put_lock(struct migrate *m, struct json *report, struct err *err)
{
    struct lock_seen seen = {0};
    struct json *lock;
    enum err_code rc = m->meta.exists ? lock_look(m->db, &seen, err) : ERR_OK;

    if (rc || seen.owner[0] == '\0') {
        return rc;
    }
    lock = json_object();
    lock_short_owner(seen.owner);
    (void)json_put_text(lock, "owner", seen.owner);
    put_time(lock, "taken_at", seen.taken_ms);
    (void)json_put_number(lock, "expires_in_ms", (double)(seen.left_ms > 0 ? seen.left_ms : 0));
    (void)json_put_bool(lock, "living", seen.living);
    (void)json_put(report, "lock", lock);
    return ERR_OK;
}

enum err_code migrate_status(struct migrate *m, struct json **report, struct err *err)
{
    enum err_code rc = session_read(m, err);
    struct json *list;
    size_t pending = 0;

    *report = NULL;
    if (rc) {
        return rc;
    }
    list = json_array();
    for (size_t i = 0; i < m->folder.count; i++) {
        (void)json_append(list, describe(m, i, &pending));
    }
    *report = json_object();
    (void)json_put_text(*report, "database", database_url(m->db));
    (void)json_put_text(*report, "environment", m->environment);
    if (m->meta.exists) {
        (void)json_put_text(*report, "database_id", m->meta.database_id);
    }
    (void)json_put_number(*report, "unfinished", (double)pending);
    (void)json_put(*report, "migrations", list);
    (void)json_put(*report, "missing", missing_files(m));
    rc = put_lock(m, *report, err);
    rc = rc ? rc : put_pace(m, *report, err);
    if (rc) {
        json_free(*report);
        *report = NULL;
    }
    return rc;
}

/* ---- history ---- */

static void put_text(struct json *out, const char *key, const struct database_rows *rows, size_t i,
                     size_t column)
{
    const char *text = database_rows_text(rows, i, column);

    if (text != NULL) {
        (void)json_put_text(out, key, text);
    }
}

static struct json *events(const struct database_rows *rows)
{
    struct json *list = json_array();

    for (size_t i = 0; i < database_rows_count(rows); i++) {
        struct json *event = json_object();
        int64_t count = database_rows_int(rows, i, 7, -1);

        put_time(event, "at", database_rows_int(rows, i, 0, 0));
        put_text(event, "actor", rows, i, 1);
        put_text(event, "migration", rows, i, 2);
        put_text(event, "event", rows, i, 3);
        put_text(event, "from", rows, i, 4);
        put_text(event, "to", rows, i, 5);
        (void)json_put_number(event, "duration_ms", (double)database_rows_int(rows, i, 6, 0));
        if (count >= 0) {
            (void)json_put_number(event, "rows", (double)count);
        }
        put_text(event, "digest", rows, i, 8);
        put_text(event, "detail", rows, i, 9);
        (void)json_append(list, event);
    }
    return list;
}

enum err_code migrate_history(struct migrate *m, const char *target, struct json **report,
                              struct err *err)
{
    struct database_value name = database_null();
    struct database_rows *rows = NULL;
    struct err unused = {0};
    size_t index = 0;
    enum err_code rc = session_read(m, err);

    *report = NULL;
    if (rc == ERR_OK && target != NULL) { /* its file may be gone: then by its whole name */
        bool there = folder_find(&m->folder, target, &index, &unused) == ERR_OK;
        name = database_text(there ? m->folder.at[index].name : target);
        if (!there && journal_find(&m->journal, target) == NULL) {
            rc = folder_find(&m->folder, target, &index, err);
        }
    }
    if (rc == ERR_OK && m->meta.exists) {
        rc = database_query(m->db,
                            "SELECT at, actor, migration, event, from_state, to_state, "
                            "duration_ms, rows, digest, detail FROM lockstep_history WHERE ?1 IS "
                            "NULL OR migration = ?1 ORDER BY id",
                            &name, 1, &rows, err);
    }
    if (rc) {
        return rc;
    }
    *report = json_object();
    (void)json_put_text(*report, "database", database_url(m->db));
    (void)json_put_text(*report, "environment", m->environment);
    (void)json_put(*report, "events", rows != NULL ? events(rows) : json_array());
    database_rows_free(rows);
    return ERR_OK;
}

/* ---- unlock ---- */

static enum err_code break_lock(struct migrate *m, const struct lock_seen *seen, const char *owner,
                                const char *reason, struct err *err)
{
    struct work work = {0};
    const char *detail = arena_print(&work.arena, "taken from %s: %s", owner, reason);
    enum err_code rc;

    lock_break(seen, &work);
    journal_history(&work, &(struct history){.migration = "",
                                             .event = "unlock",
                                             .detail = detail,
                                             .started_ms = clock_wall_ms(),
                                             .rows = -1,
                                             .stateless = true});
    rc = work_run(&work, m->db, NULL, NULL, err);
    work_fini(&work);
    return rc;
}

enum err_code migrate_unlock(struct migrate *m, const char *reason, struct json **report,
                             struct err *err)
{
    struct lock_seen seen = {0};
    char until[CLOCK_TEXT_BYTES], owner[sizeof seen.owner];
    enum err_code rc = session_write(m, err);

    *report = NULL;
    if (rc == ERR_OK && m->meta.exists) {
        rc = lock_look(m->db, &seen, err);
    }
    memcpy(owner, seen.owner, sizeof owner);
    lock_short_owner(owner);
    if (rc == ERR_OK && seen.living) {
        return err_set(err, ERR_BUSY,
                       "%.80s is at work; its lock holds until %s unless it is prolonged: wait for "
                       "it, or end that process",
                       owner, clock_text(clock_wall_ms() + seen.left_ms, until));
    }
    if (rc == ERR_OK && owner[0] != '\0') {
        rc = break_lock(m, &seen, owner, reason, err);
    }
    if (rc) {
        return rc;
    }
    *report = json_object();
    (void)json_put_text(*report, "database", database_url(m->db));
    if (owner[0] != '\0') {
        (void)json_put_text(*report, "owner", owner);
    }
    return ERR_OK;
}
