#include "migrator/session/session.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "database/sql_scan.h"
#include "migrator/folder/handwritten.h"
#include "migrator/folder/phased_table.h"
#include "migrator/session/identity.h"
#include "migrator/session/kept.h"
#include "migrator/sql/shape.h"

#define ENVIRONMENT_DEFAULT "development"
#define LOOK_REMOTE_US 5000000 /* a look at a gate is about ten requests, of 1,200 in 5 minutes */

static enum err_code check_meta(struct migrate *m, struct err *err)
{
    const char *wanted = m->options.environment;

    if (m->meta.exists && m->meta.format > JOURNAL_FORMAT) {
        return err_set(err, ERR_CONFLICT,
                       "%s was migrated by a newer program (format %lld, this one knows %d): use "
                       "that one",
                       database_url(m->db), (long long)m->meta.format, JOURNAL_FORMAT);
    }
    if (m->meta.exists && wanted != NULL && strcmp(wanted, m->meta.environment) != 0 &&
        !m->new_identity) {
        return err_set(err, ERR_CONFLICT,
                       "%s belongs to environment '%s', not to '%.60s': name the right database or "
                       "the right --environment; if it is a copy, make it a database of its own: "
                       "migrate repair --new-identity --environment %.60s --reason TEXT",
                       database_url(m->db), m->meta.environment, wanted, wanted);
    }
    if (m->writable && m->meta.recovery[0] != '\0' && !m->new_identity) {
        return err_set(err, ERR_CONFLICT,
                       "%s is a recovery point (%.200s): put it in the place of its database by "
                       "`migrate restore`, or make it one of its own: migrate repair "
                       "--new-identity --reason TEXT",
                       database_url(m->db), m->meta.recovery);
    }
    m->environment = m->meta.exists   ? m->meta.environment
                     : wanted != NULL ? wanted
                                      : ENVIRONMENT_DEFAULT;
    return ERR_OK;
}

static enum err_code open_database(struct migrate *m, bool writable, struct err *err)
{
    struct database_options options = {.read_only = !writable,
                                       .must_exist = !m->options.create,
                                       .token = m->options.database_token,
                                       .api = m->options.database_api};
    enum err_code rc;

    if (m->db != NULL && (m->writable || !writable)) {
        return ERR_OK;
    }
    database_close(m->db);
    m->db = NULL;
    m->writable = writable;
    rc = database_open(m->options.database, &options, &m->db, err);
    if (rc == ERR_NOT_FOUND && !writable && m->options.create) {
        rc = database_open("sqlite::memory:", NULL, &m->db, err); /* as empty as it will be */
    }
    return rc;
}

enum err_code session_reread(struct migrate *m, struct err *err)
{
    journal_fini(&m->journal);
    return journal_read(m->db, m->options.ledger, &m->journal, err);
}

static enum err_code begin(struct migrate *m, bool writable, struct err *err)
{
    enum err_code rc = open_database(m, writable, err);

    rc = rc ? rc : journal_meta_read(m->db, &m->meta, err);
    rc = rc ? rc : check_meta(m, err);
    return rc ? rc : session_reread(m, err);
}

enum err_code session_read(struct migrate *m, struct err *err)
{
    return begin(m, false, err);
}

enum err_code session_write(struct migrate *m, struct err *err)
{
    return begin(m, true, err);
}

/* ERR_BUSY: somebody else makes them, or the file is locked. */
static enum err_code make_tables(struct migrate *m, struct err *err)
{
    struct journal_meta meta = {0};
    char id[33];
    enum err_code rc = ERR_OK;

    (void)snprintf(meta.environment, sizeof meta.environment, "%s", m->environment);
    (void)snprintf(meta.database_id, sizeof meta.database_id, "%s", random_hex(16, id));
    identity_home(m, meta.home, sizeof meta.home);
    if (m->folder.count >= SESSION_MANY) {
        rc = database_write_ahead(m->db, true, &meta.write_ahead, err);
    }
    rc = rc ? rc : database_prepare_guards(m->db, err);
    return rc ? rc : journal_make(m->db, &meta, m->options.ledger, err);
}

enum err_code session_begin(struct migrate *m, struct err *err)
{
    enum err_code rc, made;

    if (!m->meta.exists) {
        made = make_tables(m, err);
        if (made != ERR_OK && made != ERR_BUSY) {
            return made;
        }
        rc = journal_meta_read(m->db, &m->meta, err);
        if (rc == ERR_OK && !m->meta.exists && made == ERR_BUSY) {
            return made; /* nobody made them: the file is locked, as the message says */
        }
        rc = rc ? rc : check_meta(m, err);
        if (rc) {
            return rc;
        }
    }
    rc = lock_take(m->db, &m->lock, err);
    rc = rc || m->new_identity ? rc : identity_check_home(m, err);
    rc = rc || !database_remote(m->db) ? rc : kept_finish(m, err);
    return rc ? rc : session_reread(m, err);
}

void session_end(struct migrate *m)
{
    struct err unused = {0};
    bool done = false;

    lock_give_back(m->db, &m->lock);
    if (m->meta.write_ahead && database_write_ahead(m->db, false, &done, &unused) == ERR_OK &&
        done) {
        m->meta.write_ahead = journal_wrote_ahead(m->db, &unused) != ERR_OK;
    }
}

enum err_code session_is_fresh(struct migrate *m, bool *out, struct err *err)
{
    struct database_rows *tables = NULL;
    enum err_code rc;

    *out = false;
    if (m->meta.exists || m->journal.count > 0) {
        return ERR_OK;
    }
    rc = database_query(m->db,
                        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB "
                        "'sqlite_*' AND name NOT GLOB 'lockstep_*' AND name NOT GLOB '_cf_*' AND "
                        "sql NOT LIKE 'CREATE "
                        "VIRTUAL%'",
                        NULL, 0, &tables, err);
    if (rc) {
        return rc;
    }
    *out = true;
    for (size_t i = 0; rc == ERR_OK && *out && i < database_rows_count(tables); i++) {
        bool rows = true;
        rc = shape_has_rows(m->db, database_rows_text(tables, i, 0), &rows, err);
        *out = rc == ERR_OK && !rows;
    }
    database_rows_free(tables);
    return rc;
}

const struct journal_row *session_row(const struct migrate *m, size_t index)
{
    return journal_find(&m->journal, m->folder.at[index].name);
}

enum mig_state session_state(const struct migrate *m, size_t index)
{
    const struct journal_row *row = session_row(m, index);

    return row != NULL ? row->state : MIG_PENDING;
}

enum err_code session_check_drift(const struct migrate *m, struct err *err)
{
    const char *first = NULL;
    size_t count = 0;

    for (size_t i = 0; i < m->folder.count; i++) {
        const struct journal_row *row = session_row(m, i);
        if (row != NULL && *row->checksum != '\0' &&
            strcmp(row->checksum, m->folder.at[i].checksum) != 0) {
            first = first != NULL ? first : m->folder.at[i].name;
            count++;
        }
    }
    for (size_t i = 0; i < m->journal.count; i++) {
        const struct journal_row *row = &m->journal.at[i];
        size_t index;
        struct err unused;
        if (strcmp(row->kind, "phased") == 0 && mig_state_in_flight(row->state) &&
            folder_find(&m->folder, row->migration, &index, &unused) != ERR_OK) {
            return err_set(err, ERR_CONFLICT,
                           "%.100s is in flight (%s), and its folder is gone: put it back",
                           row->migration, mig_state_name(row->state));
        }
    }
    return count == 0
               ? ERR_OK
               : err_set(err, ERR_CONFLICT,
                         "%.100s was edited after it was applied%s: put the file back as it was, "
                         "and write the change as a new migration (`migrate status` lists all)",
                         first, count > 1 ? ", and others too" : "");
}

bool session_mentions(struct str sql, const char *table)
{
    struct sql_scan scan = sql_scan_start(sql);
    struct sql_token token;

    while (sql_scan_next(&scan, &token)) {
        if (sql_token_names(&token, table)) {
            return true;
        }
    }
    return false;
}

bool session_mentions_any(struct str sql, const struct phased *phased)
{
    return session_mentions(sql, phased->table) ||
           (phased->rename_to != NULL && session_mentions(sql, phased->rename_to));
}

static bool hand_mentions_any(const struct migration *migration, const struct phased *phased)
{
    return migration->hand != NULL && (handwritten_mentions(migration->hand, phased->table) ||
                                       (phased->rename_to != NULL &&
                                        handwritten_mentions(migration->hand, phased->rename_to)));
}

bool session_share_table(const struct migration *a, const struct migration *b)
{
    if (a->phased != NULL && b->phased != NULL) {
        return phased_share_table(a->phased, b->phased) || hand_mentions_any(a, b->phased) ||
               hand_mentions_any(b, a->phased);
    }
    return a->phased != NULL   ? session_mentions_any(b->up, a->phased)
           : b->phased != NULL ? session_mentions_any(a->up, b->phased)
                               : false;
}

bool session_shares_table(const struct migrate *m, size_t before, size_t index)
{
    return m->folder.at[before].phased != NULL &&
           session_share_table(&m->folder.at[before], &m->folder.at[index]);
}

const struct migration *session_in_the_way(const struct migrate *m, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (session_shares_table(m, i, index) && session_state(m, i) != MIG_PURGED) {
            return &m->folder.at[i];
        }
    }
    return NULL;
}

enum err_code session_check_needs(const struct migrate *m, size_t index, struct err *err)
{
    const struct migration *migration = &m->folder.at[index];

    for (size_t i = 0; migration->phased != NULL && i < migration->phased->needs_count; i++) {
        size_t needed = 0;
        enum err_code rc = folder_find(&m->folder, migration->phased->needs[i], &needed, err);
        if (rc == ERR_NOT_FOUND) { /* the file is wrong, not what was asked for */
            rc = err_set(err, ERR_INVALID, "there is no migration '%.80s'",
                         migration->phased->needs[i]);
        } else if (rc == ERR_OK && needed >= index) {
            rc = err_set(err, ERR_INVALID, "it needs %.80s, which does not come before it",
                         m->folder.at[needed].name);
        }
        if (rc) {
            err_wrap(err, "%.80s: \"needs\"", migration->name);
            return rc;
        }
    }
    return ERR_OK;
}

static bool needs(const struct migrate *m, size_t index, size_t other)
{
    const struct phased *phased = m->folder.at[index].phased;
    struct err unused;
    size_t needed = 0;

    for (size_t i = 0; phased != NULL && i < phased->needs_count; i++) {
        if (folder_find(&m->folder, phased->needs[i], &needed, &unused) == ERR_OK &&
            needed == other) {
            return true;
        }
    }
    return false;
}

const struct migration *session_needed(const struct migrate *m, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (needs(m, index, i) && session_state(m, i) < MIG_CONTRACTED) {
            return &m->folder.at[i];
        }
    }
    return NULL;
}

const struct migration *session_needed_by(const struct migrate *m, size_t index)
{
    for (size_t i = index + 1; i < m->folder.count; i++) {
        if (session_state(m, i) != MIG_PENDING && needs(m, i, index)) {
            return &m->folder.at[i];
        }
    }
    return NULL;
}

bool session_rests_on_pending(const struct migrate *m, size_t index)
{
    const struct phased *phased = m->folder.at[index].phased;

    for (size_t i = 0; phased != NULL && i < index; i++) {
        const struct migration *before = &m->folder.at[i];
        if (session_state(m, i) == MIG_PENDING &&
            session_share_table(before, &m->folder.at[index])) {
            return true;
        }
    }
    return false;
}

int64_t session_look_us(const struct migrate *m, int64_t local_us)
{
    return m->db != NULL && database_remote(m->db) && local_us < LOOK_REMOTE_US ? LOOK_REMOTE_US
                                                                                : local_us;
}

void session_tell_wait(const struct migrate *m, size_t index, const char *why)
{
    if (m->options.waiting != NULL) {
        m->options.waiting(m->options.progress_ctx, m->folder.at[index].name, why);
    }
}

void session_report_step(struct json *steps, const char *migration, enum mig_state from,
                         enum mig_state to, int64_t duration_us, int64_t hold_us, int64_t rows)
{
    struct json *step = json_object();

    (void)json_put_text(step, "migration", migration);
    (void)json_put_text(step, "phase", mig_state_phase(to == MIG_PENDING || to < from ? from : to));
    (void)json_put_text(step, "from", mig_state_name(from));
    (void)json_put_text(step, "to", mig_state_name(to));
    (void)json_put_number(step, "duration_ms", (double)duration_us / 1000.0);
    if (hold_us >= 0) {
        (void)json_put_number(step, "hold_ms", (double)hold_us / 1000.0);
    }
    if (rows >= 0) {
        (void)json_put_number(step, "rows", (double)rows);
    }
    (void)json_append(steps, step);
}

struct json *session_last_step(struct json *steps)
{
    struct json *step = json_first(steps);

    while (step != NULL && json_next(step) != NULL) {
        step = json_next(step);
    }
    return step;
}

void session_report_wait(struct json *waits, const char *migration, enum mig_state state,
                         struct json *reasons)
{
    struct json *wait = json_object();

    (void)json_put_text(wait, "migration", migration);
    (void)json_put_text(wait, "state", mig_state_name(state));
    (void)json_put(wait, "for", reasons);
    (void)json_append(waits, wait);
}
