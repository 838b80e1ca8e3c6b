/*
 * migrate_status(): where every migration stands. Reads only, also where our tables are not there
 * yet.
 */
#include <string.h>

#include "base/clock.h"
#include "migrator/session.h"

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
    return ERR_OK;
}
