#include "migrator/change/triggers.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "database/sql_scan.h"

static const char *installed(const struct database_rows *rows, const char *name)
{
    for (size_t i = 0; i < database_rows_count(rows); i++) {
        const char *found = database_rows_text(rows, i, 0);
        if (found != NULL && strcmp(found, name) == 0) {
            return database_rows_text(rows, i, 1);
        }
    }
    return NULL;
}

enum err_code triggers_look(struct migrate *m, const struct change *change, char *which,
                            size_t size, struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        m->db, "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'", NULL, 0, &rows, err);

    which[0] = '\0';
    for (size_t i = 0; rc == ERR_OK && i < change->trigger_count; i++) {
        const struct change_trigger *trigger = &change->triggers[i];
        const char *sql = installed(rows, trigger->name);
        if (sql == NULL || !sql_same_tokens(str_of(sql), str_of(trigger->sql))) {
            (void)snprintf(which, size, "trigger \"%.100s\" %s", trigger->name,
                           sql == NULL ? "was dropped by somebody" : "was changed by somebody");
            break;
        }
    }
    database_rows_free(rows);
    return rc;
}

static void drop(struct work *work, const char *name)
{
    struct buf sql = {0};

    buf_text(&sql, "DROP TRIGGER IF EXISTS ");
    buf_sql_name(&sql, str_of(name));
    work_sql(work, buf_cstr(&sql));
    work->failed = work->failed || buf_failed(&sql);
    buf_fini(&sql);
}

enum err_code triggers_mend(struct migrate *m, size_t index, const struct change *change,
                            const char *which, struct err *err)
{
    const struct migration *migration = &m->folder.at[index];
    struct database_value name = database_text(migration->name);
    struct work work = {0};
    enum err_code rc;

    for (size_t i = 0; i < change->trigger_count; i++) {
        drop(&work, change->triggers[i].name);
        work_sql(&work, change->triggers[i].sql);
    }
    work_sql_with(&work,
                  "UPDATE lockstep_journal SET triggers_at = " DATABASE_NOW_MS
                  ", cursor = NULL, digest = NULL, rows_done = 0, backfill_done = 0, verified_at = "
                  "NULL, verify = NULL WHERE migration = ?1",
                  1, &name);
    journal_demand(&work, migration->name, MIG_DUAL_WRITING);
    journal_history(&work, &(struct history){.migration = migration->name,
                                             .event = "triggers",
                                             .digest = migration->checksum,
                                             .detail = which,
                                             .started_ms = clock_wall_ms(),
                                             .rows = -1,
                                             .stateless = true});
    rc = work_run(&work, m->db, &m->lock, NULL, err);
    work_fini(&work);
    return rc ? rc : session_reread(m, err);
}
