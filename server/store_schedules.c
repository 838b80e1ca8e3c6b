/*
 * The store's schedules: changes of flags that are to be made at a time. Read anew each time: they are few
 * and seldom looked at. What is known in between is when the next one is due.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/store_image.h"

enum { KEEP_DAYS = 90, LIST_MAX = 500 };

#define COLUMNS                                                                                    \
    "id, environment, flag, at_ms, not_after_ms, actor, reason, created_ms, state, ended_ms, "     \
    "result, document"

static struct store_schedule row_at(const struct database_rows *rows, size_t i)
{
    return (struct store_schedule){.id = database_rows_text(rows, i, 0),
                                   .environment = database_rows_text(rows, i, 1),
                                   .flag = database_rows_text(rows, i, 2),
                                   .at_ms = database_rows_int(rows, i, 3, 0),
                                   .not_after_ms = database_rows_int(rows, i, 4, 0),
                                   .actor = database_rows_text(rows, i, 5),
                                   .reason = database_rows_text(rows, i, 6),
                                   .created_ms = database_rows_int(rows, i, 7, 0),
                                   .state = database_rows_text(rows, i, 8),
                                   .ended_ms = database_rows_int(rows, i, 9, 0),
                                   .result = database_rows_text(rows, i, 10),
                                   .document = database_rows_text(rows, i, 11)};
}

enum err_code store_each_schedule(struct store *store, const char *flag, store_schedule_fn *each,
                                  void *ctx, struct err *err)
{
    struct database_value params[] = {database_text(store->environment), database_text(flag),
                                      database_int(LIST_MAX)};
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(store->db,
                                      "SELECT " COLUMNS " FROM schedule WHERE environment = ?1 AND "
                                      "(?2 IS NULL OR flag = ?2) ORDER BY state = 'pending' DESC, "
                                      "at_ms DESC, created_ms DESC, id LIMIT ?3",
                                      params, 3, &rows, err);

    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        struct store_schedule schedule = row_at(rows, i);

        each(ctx, &schedule);
    }
    database_rows_free(rows);
    return rc;
}

enum err_code stores_due_schedule(struct stores *stores, int64_t now_ms, store_schedule_fn *each,
                                  void *ctx, int64_t *next_ms, struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        stores->db,
        "SELECT " COLUMNS " FROM schedule WHERE state = 'pending' ORDER BY at_ms, created_ms, id "
        "LIMIT 1",
        NULL, 0, &rows, err);

    *next_ms = INT64_MAX;
    if (rc == ERR_OK && database_rows_count(rows) > 0) {
        struct store_schedule schedule = row_at(rows, 0);

        *next_ms = schedule.at_ms;
        if (schedule.at_ms <= now_ms) {
            each(ctx, &schedule);
        }
    }
    database_rows_free(rows);
    return rc;
}

/* A change that answers see as none: no revision, but an audit record. */
static enum err_code commit(struct store *store, const struct store_actor *who, const char *action,
                            const char *flag, const char *before, const char *after,
                            const struct database_guard *guard,
                            const struct database_statement *statements, size_t count,
                            struct err *err)
{
    struct store_change change = {.who = who,
                                  .action = action,
                                  .flag = flag,
                                  .before = before,
                                  .after = after,
                                  .guards = guard,
                                  .guard_count = 1,
                                  .statements = statements,
                                  .statement_count = count};

    return store_commit(store, &change, err);
}

enum err_code store_add_schedule(struct store *store, const struct store_actor *who,
                                 const struct store_schedule *schedule, struct err *err)
{
    struct database_value params[] = {
        database_text(schedule->id),
        database_text(store->environment),
        database_text(schedule->flag),
        database_int(schedule->at_ms),
        schedule->not_after_ms != 0 ? database_int(schedule->not_after_ms) : database_text(NULL),
        database_text(who->name),
        database_text(who->reason),
        database_int(clock_wall_ms()),
        database_text(schedule->document),
        database_int(LIMIT_SCHEDULES),
        database_int(clock_wall_ms() - KEEP_DAYS * INT64_C(86400000))};
    struct database_guard guard = {
        "(SELECT count(*) FROM schedule WHERE environment = ?2 AND state = 'pending') < ?10",
        params, 10, ERR_LIMIT, "so many changes are scheduled already that no more fit"};
    struct database_statement statements[] = {
        {"DELETE FROM schedule WHERE environment = ?2 AND state <> 'pending' AND ended_ms < ?11",
         params, 11},
        {"INSERT INTO schedule(id, environment, flag, at_ms, not_after_ms, actor, reason, "
         "created_ms, state, document) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'pending', ?9)",
         params, 9}};

    return commit(store, who, "schedule.create", schedule->flag, NULL, schedule->document, &guard,
                  statements, 2, err);
}

enum err_code store_end_schedule(struct store *store, const struct store_actor *who,
                                 const struct store_schedule *schedule, const char *state,
                                 const char *result, struct err *err)
{
    struct database_value params[] = {database_text(schedule->id), database_text(state),
                                      database_int(clock_wall_ms()), database_text(result)};
    struct database_guard guard = {
        "EXISTS (SELECT 1 FROM schedule WHERE id = ?1 AND state = 'pending')", params, 1,
        ERR_CONFLICT, "it is not pending any more"};
    struct database_statement statement = {
        "UPDATE schedule SET state = ?2, ended_ms = ?3, result = ?4 WHERE id = ?1", params, 4};
    char action[40];

    snprintf(action, sizeof action, "schedule.%s", state);
    return commit(store, who, action, schedule->flag, schedule->document, NULL, &guard, &statement,
                  1, err);
}

/* ---- in the batch of the change itself ---- */

void stores_ride(struct stores *stores, const char *id, int64_t now_ms)
{
    stores->rides = id != NULL;
    stores->rider[0] = database_text(id);
    stores->rider[1] = database_int(now_ms);
}

void store_add_rider(const struct stores *stores, struct database_guard *guards,
                     size_t *guard_count, struct database_statement *statements,
                     size_t *statement_count)
{
    if (!stores->rides) {
        return;
    }
    guards[(*guard_count)++] = (struct database_guard){
        "EXISTS (SELECT 1 FROM schedule WHERE id = ?1 AND state = 'pending')", stores->rider, 1,
        ERR_BUSY, "the schedule was carried out, or cancelled, by somebody else"};
    statements[(*statement_count)++] = (struct database_statement){
        "UPDATE schedule SET state = 'done', ended_ms = ?2 WHERE id = ?1", stores->rider, 2};
}
