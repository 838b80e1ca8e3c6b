#include "migrator/session/since.h"

#include "base/clock.h"
#include "migrator/session/flag_link.h"

#define EVENTS_SHOWN 100

enum err_code since_list(struct database *db, int64_t last_event, struct json *loses,
                         struct err *err)
{
    struct database_value last = database_int(last_event);
    struct json *list = json_array();
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        db, "SELECT at, migration, event, to_state FROM lockstep_history WHERE id > ?1 ORDER BY id",
        &last, 1, &rows, err);

    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows) && i < EVENTS_SHOWN; i++) {
        struct json *event = json_object();
        char at[CLOCK_TEXT_BYTES];
        (void)json_put_text(event, "at", clock_text(database_rows_int(rows, i, 0, 0), at));
        (void)json_put_text(event, "migration", database_rows_text(rows, i, 1));
        (void)json_put_text(event, "event", database_rows_text(rows, i, 2));
        if (database_rows_text(rows, i, 3) != NULL) {
            (void)json_put_text(event, "to", database_rows_text(rows, i, 3));
        }
        (void)json_append(list, event);
    }
    database_rows_free(rows);
    (void)json_put(loses, "events", list);
    return rc;
}

enum err_code since_keep(struct database *db, int64_t last_event, struct work *work,
                         struct err *err)
{
    struct database_value last = database_int(last_event);
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        db,
        "SELECT id, at, actor, migration, event, from_state, to_state, duration_ms, rows, digest, "
        "detail FROM lockstep_history WHERE id > ?1 ORDER BY id",
        &last, 1, &rows, err);

    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        struct database_value values[11];
        for (size_t k = 0; k < 11; k++) {
            values[k] = *database_rows_at(rows, i, k);
        }
        work_sql_with(work,
                      "INSERT INTO lockstep_history(id, at, actor, migration, event, from_state, "
                      "to_state, duration_ms, rows, digest, detail) VALUES(?1, ?2, ?3, ?4, ?5, ?6, "
                      "?7, ?8, ?9, ?10, ?11)",
                      11, values);
    }
    database_rows_free(rows);
    return rc;
}

/* The flag server may know states that are undone now; it must take them, whatever its flags. */
enum err_code since_tell(struct migrate *m, struct json *report, struct err *err)
{
    struct err why = {0};
    enum err_code rc = ERR_OK;
    bool tied = false;

    for (size_t i = 0; i < m->folder.count; i++) {
        const struct phased *phased = m->folder.at[i].phased;
        tied = tied || (phased != NULL && phased->flag != NULL);
    }
    if (!tied) {
        return ERR_OK;
    }
    rc = flag_link_report_facts(m, NULL, &why);
    (void)json_put_bool(report, "flag_server_knows", rc == ERR_OK);
    if (rc) {
        (void)json_put_text(report, "note", why.msg);
    }
    return rc == ERR_NOMEM ? err_set(err, rc, "out of memory") : ERR_OK;
}
