/*
 * identity.h, and migrate_repair().
 */
#include "migrator/session/identity.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/digest.h"
#include "migrator/session/flag_link.h"
#include "migrator/session/recovery.h"

/* ---- the file ---- */

void identity_home(const struct migrate *m, char *out, size_t size)
{
    const char *file = recovery_file_of(m);
    char *whole = file != NULL ? realpath(file, NULL) : NULL;

    out[0] = '\0';
    if (whole != NULL && strlen(whole) < size) {
        memcpy(out, whole, strlen(whole) + 1);
    }
    free(whole);
}

/* Whether another file at the old path says that it is this database. */
static bool goes_on_there(const struct migrate *m, const char *here)
{
    struct database_options options = {.read_only = true};
    struct database *there = NULL;
    struct journal_meta meta = {0};
    struct stat a, b;
    struct err unused = {0};
    bool same_file = stat(m->meta.home, &a) == 0 && stat(here, &b) == 0 && a.st_dev == b.st_dev &&
                     a.st_ino == b.st_ino; /* by another name, or a mount */
    bool same = !same_file && database_open(m->meta.home, &options, &there, &unused) == ERR_OK &&
                journal_meta_read(there, &meta, &unused) == ERR_OK &&
                strcmp(meta.database_id, m->meta.database_id) == 0;

    database_close(there);
    return same;
}

static void put_meta(struct work *work, const char *key, const char *value)
{
    work_sql_with(work, "INSERT OR REPLACE INTO lockstep_meta(key, value) VALUES(?1, ?2)", 2,
                  (struct database_value[]){database_text(key), database_text(value)});
}

enum err_code identity_check_home(struct migrate *m, struct err *err)
{
    char here[sizeof m->meta.home];
    struct work work = {0};
    enum err_code rc;

    identity_home(m, here, sizeof here);
    if (here[0] == '\0' || strcmp(here, m->meta.home) == 0) {
        return ERR_OK;
    }
    if (m->meta.home[0] != '\0' && goes_on_there(m, here)) {
        return err_set(err, ERR_CONFLICT,
                       "this is a copy of %.300s, which has the same id; to make it a database of "
                       "its own: migrate repair --new-identity --reason TEXT",
                       m->meta.home);
    }
    put_meta(&work, "home", here);
    rc = work_run(&work, m->db, &m->lock, NULL, err);
    work_fini(&work);
    memcpy(m->meta.home, here, sizeof here);
    return rc;
}

/* ---- what the flag server believes ---- */

/* Whether the history of this database knows the migration in that state. */
static enum err_code was_there(struct migrate *m, size_t index, enum mig_state state, bool *out,
                               struct err *err)
{
    struct database_value params[] = {database_text(m->folder.at[index].name),
                                      database_text(mig_state_name(state))};
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        m->db,
        "SELECT 1 FROM lockstep_history WHERE migration = ?1 AND ?2 IN (from_state, to_state)",
        params, 2, &rows, err);

    *out = rc == ERR_OK && database_rows_count(rows) > 0;
    database_rows_free(rows);
    return rc;
}

static enum err_code tell_again(struct migrate *m, size_t index, enum mig_state believed,
                                struct err *err)
{
    enum err_code rc = flag_link_report(m, index, session_state(m, index), err);

    if (rc == ERR_CONFLICT) {
        err_wrap(err,
                 "%.60s is %s, and the flag server believes %s (if it can only be told so against "
                 "its flags: migrate repair --report --reason TEXT)",
                 m->folder.at[index].name, mig_state_name(session_state(m, index)),
                 mig_state_name(believed));
    }
    return rc;
}

static enum err_code compare_one(struct migrate *m, size_t index, const struct json *beliefs,
                                 struct err *err)
{
    const struct journal_row *row = session_row(m, index);
    enum mig_state state = session_state(m, index), believed = MIG_PENDING, told = MIG_PENDING;
    bool known = flag_link_belief(m, beliefs, index, &believed), was = false;
    bool was_told = row != NULL && mig_state_parse(row->reported, &told);
    enum err_code rc;

    if (!known) { /* its store is new, or an older one was put back */
        return was_told && state != MIG_PURGED ? flag_link_report(m, index, state, err) : ERR_OK;
    }
    if (believed == state || (was_told && believed == told) ||
        (state == MIG_PENDING && believed == MIG_EXPANDED)) {
        return ERR_OK; /* a crash came between the step and its report: that is told elsewhere */
    }
    rc = was_there(m, index, believed, &was, err);
    if (rc || was || believed == MIG_PENDING) {
        return rc ? rc : tell_again(m, index, believed, err);
    }
    return err_set(err, ERR_CONFLICT,
                   "the flag server knows %.60s as %s, but this database (%s) never was: an older "
                   "copy was put back, or this is a copy of a database that goes on elsewhere. If "
                   "it was put back on purpose: migrate repair --report --reason TEXT; if it is a "
                   "copy: migrate repair --new-identity --reason TEXT",
                   m->folder.at[index].name, mig_state_name(believed), mig_state_name(state));
}

/* A hold belongs to a run at work, or to contracted. Where we have the lock and it is neither, its run
 * was killed. */
static enum err_code end_dead_hold(struct migrate *m, size_t index, const struct json *beliefs,
                                   struct err *err)
{
    struct err unused = {0};
    enum err_code rc = ERR_OK;

    if (session_state(m, index) == MIG_CONTRACTED || !flag_link_held(m, beliefs, index)) {
        return ERR_OK;
    }
    if (!m->lock.held) {
        rc = session_begin(m, &unused);
        if (rc == ERR_BUSY || session_state(m, index) == MIG_CONTRACTED) {
            return ERR_OK; /* it is at work */
        }
    }
    return rc ? rc : flag_link_release(m, index, err);
}

enum err_code identity_compare(struct migrate *m, struct err *err)
{
    struct json *beliefs = NULL;
    struct err unused = {0};
    enum err_code rc = ERR_OK;
    bool tied = false;

    for (size_t i = 0; i < m->folder.count; i++) {
        tied = tied || (m->folder.at[i].phased != NULL && m->folder.at[i].phased->flag != NULL);
    }
    if (!tied || m->options.flag_server == NULL || !m->meta.exists ||
        flag_link_beliefs(m, &beliefs, &unused) != ERR_OK) {
        return ERR_OK;
    }
    for (size_t i = 0; rc == ERR_OK && i < m->folder.count; i++) {
        const struct phased *phased = m->folder.at[i].phased;
        if (phased != NULL && phased->flag != NULL) {
            rc = compare_one(m, i, beliefs, err);
            rc = rc ? rc : end_dead_hold(m, i, beliefs, err);
        }
    }
    json_free(beliefs);
    return rc ? rc : session_reread(m, err);
}

/* ---- repair ---- */

static void note(struct work *work, const char *detail, int64_t started_ms)
{
    journal_history(work, &(struct history){.migration = "",
                                            .event = "repair",
                                            .detail = detail,
                                            .started_ms = started_ms,
                                            .rows = -1,
                                            .stateless = true});
}

static enum err_code new_identity(struct migrate *m, const char *reason, struct json *report,
                                  struct err *err)
{
    const char *environment =
        m->options.environment != NULL ? m->options.environment : m->meta.environment;
    char id[33], home[sizeof m->meta.home];
    struct work work = {0};
    enum err_code rc;

    (void)random_hex(16, id);
    identity_home(m, home, sizeof home);
    put_meta(&work, "database_id", id);
    put_meta(&work, "environment", environment);
    put_meta(&work, "home", home);
    work_sql(&work, "DELETE FROM lockstep_meta WHERE key = '" RECOVERY_KEY "'");
    work_sql(&work, "UPDATE lockstep_journal SET reported = NULL");
    note(&work,
         arena_print(&work.arena, "new identity, was %s of %s: %.300s", m->meta.database_id,
                     m->meta.environment, reason),
         clock_wall_ms());
    rc = work_run(&work, m->db, &m->lock, NULL, err);
    work_fini(&work);
    (void)json_put_text(report, "was", m->meta.database_id);
    rc = rc ? rc : journal_meta_read(m->db, &m->meta, err);
    (void)json_put_text(report, "database_id", m->meta.database_id);
    return rc;
}

static enum err_code report_again(struct migrate *m, const char *reason, struct json *report,
                                  struct err *err)
{
    struct json *told = json_array();
    struct work work = {0};
    int64_t started_ms = clock_wall_ms();
    enum err_code rc = m->options.flag_server != NULL
                           ? flag_link_report_facts(m, told, err)
                           : err_set(err, ERR_INVALID,
                                     "name the flag server by --flag-server or "
                                     "LOCKSTEP_FLAG_SERVER");

    (void)json_put(report, "told", told);
    if (rc == ERR_OK) {
        note(
            &work,
            arena_print(&work.arena, "told the flag server the states as they are: %.300s", reason),
            started_ms);
        rc = work_run(&work, m->db, &m->lock, NULL, err);
    }
    work_fini(&work);
    return rc;
}

enum err_code migrate_repair(struct migrate *m, const struct migrate_repair *what,
                             struct json **report, struct err *err)
{
    enum err_code rc;

    *report = NULL;
    if (what->reason == NULL || *what->reason == '\0' || what->new_identity == what->report) {
        return err_set(err, ERR_INVALID,
                       "say what to repair (new identity, or report) and the reason");
    }
    m->new_identity = what->new_identity;
    rc = session_write(m, err);
    if (rc == ERR_OK && !m->meta.exists) {
        rc = err_set(err, ERR_CONFLICT, "%.200s was never migrated: there is nothing to repair",
                     database_url(m->db));
    }
    rc = rc ? rc : session_begin(m, err);
    if (rc) {
        return rc;
    }
    *report = json_object();
    (void)json_put_text(*report, "database", database_url(m->db));
    (void)json_put_text(*report, "environment", m->environment);
    rc = what->new_identity ? new_identity(m, what->reason, *report, err)
                            : report_again(m, what->reason, *report, err);
    lock_give_back(m->db, &m->lock);
    if (rc) {
        json_free(*report);
        *report = NULL;
    }
    return rc;
}
