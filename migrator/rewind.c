#include "migrator/rewind.h"

#include <string.h>

#include "base/clock.h"
#include "migrator/session/kept.h"
#include "migrator/session/recovery.h"
#include "migrator/session/since.h"

struct rewinding {
    struct migrate *m;
    const struct migrate_restore *what;
    int64_t last_event; /* of the history as it was then */
    struct json *report, *loses;
    struct err *err;
};

/* Only what a migration of this database wrote down: any other moment is for the service's own
 * tools. */
static enum err_code find_moment(struct rewinding *r)
{
    struct database_value mark = database_text(r->what->file);
    struct database_rows *rows = NULL;
    struct json *made = json_object();
    char at[CLOCK_TEXT_BYTES];
    enum err_code rc = database_query(
        r->m->db,
        "SELECT id, at, migration, substr(detail, length(?1) + 10) FROM lockstep_history WHERE "
        "event = 'recovery-point' AND substr(detail, 1, length(?1) + 9) = ?1 || ', before '",
        &mark, 1, &rows, r->err);

    if (rc == ERR_OK && database_rows_count(rows) == 0) {
        rc = err_set(r->err, ERR_NOT_FOUND,
                     "%.200s is no recovery point of %.100s: `migrate history` lists them",
                     r->what->file, database_url(r->m->db));
    }
    if (rc) {
        database_rows_free(rows);
        json_free(made);
        return rc;
    }
    r->last_event = database_rows_int(rows, 0, 0, 1) - 1; /* written behind the moment itself */
    (void)json_put_text(made, "at", clock_text(database_rows_int(rows, 0, 1, 0), at));
    (void)json_put_text(made, "migration", database_rows_text(rows, 0, 2));
    (void)json_put_text(made, "before", database_rows_text(rows, 0, 3));
    (void)json_put(r->report, "made", made);
    database_rows_free(rows);
    return since_list(r->m->db, r->last_event, r->loses, r->err);
}

/* What would be lost is written down before; session_begin() puts it into the database behind, this run's
 * or, if it dies in between, the next one's. */
static enum err_code put_back(struct rewinding *r)
{
    struct migrate *m = r->m;
    char before[DATABASE_BOOKMARK_BYTES], undo[DATABASE_BOOKMARK_BYTES];
    struct json *record = NULL;
    struct err unused = {0};
    enum err_code rc = session_begin(m, r->err), kept;

    rc = rc ? rc : database_bookmark(m->db, before, r->err);
    rc = rc ? rc
            : kept_read(m, r->last_event, r->what->file, before, r->what->reason, &record, r->err);
    rc = rc ? rc : kept_store(m, record, r->err);
    rc = rc ? rc : database_rewind(m->db, r->what->file + strlen(RECOVERY_BOOKMARK), undo, r->err);
    if (rc) {
        json_free(record);
        lock_give_back(m->db, &m->lock);
        return rc;
    }
    if (*undo == '\0') {
        memcpy(undo, before, sizeof undo);
    }
    (void)json_put_text(record, "undo", undo); /* what was written meanwhile is before this one */
    kept = kept_store(m, record, &unused);     /* if not, the bookmark from before stands there */
    (void)kept;
    json_free(record);
    (void)json_put_text(r->report, "undo", undo);
    (void)json_put_bool(r->report, "restored", true);
    database_close(m->db); /* what it knew of the database is of the other time */
    m->db = NULL;
    m->lock.held = false;
    rc = session_write(m, r->err);
    rc = rc ? rc : session_begin(m, r->err);
    rc = rc ? rc : since_tell(m, r->report, r->err);
    if (rc) {
        err_wrap(r->err, "the database is what it was then, but");
    }
    if (m->db != NULL) {
        lock_give_back(m->db, &m->lock);
    }
    return rc;
}

enum err_code rewind_restore(struct migrate *m, const struct migrate_restore *what,
                             struct json **report, struct err *err)
{
    struct rewinding r = {.m = m, .what = what, .err = err};
    enum err_code rc;

    *report = NULL;
    if (!m->meta.exists) {
        return err_set(err, ERR_CONFLICT, "%.200s was never migrated", database_url(m->db));
    }
    r.report = json_object();
    r.loses = json_object();
    (void)json_put_text(r.report, "database", database_url(m->db));
    (void)json_put_text(r.report, "environment", m->environment);
    (void)json_put_text(r.report, "database_id", m->meta.database_id);
    (void)json_put_text(r.report, "file", what->file);
    rc = find_moment(&r);
    (void)json_put(r.report, "loses", r.loses);
    if (rc == ERR_OK && !what->yes) {
        rc = err_set(err, ERR_CONFLICT,
                     "everything that anybody wrote since would be lost: nothing was changed; "
                     "--yes puts it back");
    } else {
        rc = rc ? rc : put_back(&r);
    }
    if (rc == ERR_OK || json_get(r.report, "restored") != NULL || !what->yes) {
        *report = r.report;
    } else {
        json_free(r.report);
    }
    return rc;
}
