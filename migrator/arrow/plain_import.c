/*
 * Plain SQL that a service takes apart by rules of its own: sent as a file (D1: import), where that
 * was allowed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "migrator/arrow/plain.h"
#include "migrator/session/recovery.h"

#define IMPORT_LOCK_MS 120000 /* the lock cannot be prolonged while nobody is answered */

/* The first statement that may be taken apart, from *at on: its hazard, or NULL. */
static const char *next_hazard(const struct database *db, const struct str *pieces, size_t count,
                               size_t *at)
{
    for (; *at < count; ++*at) {
        char *sql = strndup(pieces[*at].at, pieces[*at].len);
        const char *hazard = sql != NULL ? database_hazard(db, sql) : NULL;
        free(sql);
        if (hazard != NULL) {
            return hazard;
        }
    }
    return NULL;
}

static const char *first_hazard(const struct database *db, struct str sql)
{
    struct str *pieces = NULL;
    size_t count = 0, at = 0;
    struct err unused = {0};
    const char *hazard = NULL;

    if (database_split(sql, &pieces, &count, &unused) == ERR_OK) {
        hazard = next_hazard(db, pieces, count, &at);
    }
    free(pieces);
    return hazard;
}

enum err_code plain_hazard_notes(struct database *db, struct str sql, struct json *notes,
                                 struct err *err)
{
    struct str *pieces = NULL;
    size_t count = 0, at = 0;
    const char *hazard;
    enum err_code rc = database_split(sql, &pieces, &count, err);

    while (rc == ERR_OK && (hazard = next_hazard(db, pieces, count, &at)) != NULL) {
        char line[300];
        at++;
        (void)snprintf(
            line, sizeof line,
            "statement %zu has %.60s, which some releases of the service take apart: "
            "apply reads back what was made of it, and undoes all if it is not the same; "
            "--maintenance sends the file as an import, during which the database "
            "answers nobody",
            at, hazard);
        (void)json_append(notes, json_string(line));
    }
    free(pieces);
    return rc;
}

void plain_import_hint(const struct migrate *m, struct str sql, enum err_code rc, struct err *err)
{
    const char *hazard = m->maintenance ? NULL : first_hazard(m->db, sql);

    if (hazard != NULL && (rc == ERR_CONFLICT || rc == ERR_INVALID)) {
        struct err said = *err;
        (void)err_set(
            err, rc,
            "%.300s (it has %.60s; --maintenance sends the file as an import, during which "
            "the database answers nobody)",
            said.msg, hazard);
    }
}

/* A moment to go back to, if the service keeps any. */
static enum err_code add_bookmark(struct migrate *m, size_t index, struct work *work,
                                  struct err *err)
{
    char bookmark[DATABASE_BOOKMARK_BYTES];
    struct err why = {0};
    enum err_code rc = database_bookmark(m->db, bookmark, &why);

    if (rc == ERR_NOT_FOUND || rc == ERR_CONFLICT) {
        return ERR_OK;
    }
    if (rc) {
        *err = why;
        return rc;
    }
    journal_history(
        work, &(struct history){.migration = m->folder.at[index].name,
                                .event = "recovery-point",
                                .digest = m->folder.at[index].checksum,
                                .detail = arena_print(
                                    &work->arena, RECOVERY_BOOKMARK "%s, before import", bookmark),
                                .started_ms = clock_wall_ms(),
                                .rows = -1,
                                .stateless = true});
    return ERR_OK;
}

enum err_code plain_import(struct migrate *m, size_t index, struct str sql, struct work *work,
                           struct err *err)
{
    const char *hazard = m->maintenance ? first_hazard(m->db, sql) : NULL;
    struct work before = {0};
    enum err_code rc;

    if (hazard == NULL) {
        return ERR_OK;
    }
    rc = add_bookmark(m, index, &before, err);
    journal_history(&before,
                    &(struct history){.migration = m->folder.at[index].name,
                                      .event = "import",
                                      .digest = m->folder.at[index].checksum,
                                      .detail = arena_print(&before.arena,
                                                            "begins, because of %s; if nothing "
                                                            "follows, nothing of it was done",
                                                            hazard),
                                      .started_ms = clock_wall_ms(),
                                      .rows = -1,
                                      .stateless = true});
    rc = rc ? rc : work_run(&before, m->db, &m->lock, NULL, err);
    rc = rc ? rc : lock_prolong(m->db, &m->lock, IMPORT_LOCK_MS, err);
    work_fini(&before);
    if (rc) {
        err_wrap(err, "%.100s", m->folder.at[index].name);
        return rc;
    }
    session_tell_wait(m, index, "D1's import: the database answers nobody until it is done");
    work->as_file = true;
    return ERR_OK;
}
