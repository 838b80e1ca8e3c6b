#include "migrator/session/work.h"

#include <string.h>

#include "base/check.h"
#include "migrator/session/lock.h"

static const struct database_value *copy_params(struct work *work, size_t count,
                                                const struct database_value *params)
{
    struct database_value *copy = arena_zero(&work->arena, count + 1, sizeof *copy);

    for (size_t i = 0; copy != NULL && i < count; i++) {
        copy[i] = params[i];
        if (params[i].type == DATABASE_TEXT || params[i].type == DATABASE_BLOB) {
            copy[i].as.bytes.at =
                arena_text(&work->arena, params[i].as.bytes.at, params[i].as.bytes.len);
            work->failed = work->failed || copy[i].as.bytes.at == NULL;
        }
    }
    work->failed = work->failed || copy == NULL;
    return copy;
}

static void add(struct work *work, struct str sql, size_t count,
                const struct database_value *params)
{
    const char *copy = arena_text(&work->arena, sql.at, sql.len);

    if (work->count == work->room) {
        size_t room = work->room == 0 ? 16 : work->room * 2;
        struct database_statement *grown = arena_zero(&work->arena, room, sizeof *grown);
        if (grown == NULL) {
            work->failed = true;
            return;
        }
        if (work->count > 0) {
            memcpy(grown, work->statements, work->count * sizeof *grown);
        }
        work->statements = grown;
        work->room = room;
    }
    work->failed = work->failed || copy == NULL;
    work->statements[work->count++] =
        (struct database_statement){copy, copy_params(work, count, params), count};
}

void work_sql(struct work *work, const char *sql)
{
    add(work, str_of(sql), 0, NULL);
}

void work_sql_n(struct work *work, struct str sql)
{
    add(work, sql, 0, NULL);
}

void work_sql_first(struct work *work, const char *sql)
{
    struct database_statement last;

    add(work, str_of(sql), 0, NULL);
    if (!work->failed) {
        last = work->statements[work->count - 1];
        memmove(&work->statements[1], work->statements, (work->count - 1) * sizeof last);
        work->statements[0] = last;
    }
}

void work_sql_with(struct work *work, const char *sql, size_t count,
                   const struct database_value *params)
{
    add(work, str_of(sql), count, params);
}

static void add_guard(struct work *work, struct database_guard *guards, size_t *guard_count,
                      enum err_code code, const char *refusal, const char *condition, size_t count,
                      const struct database_value *params)
{
    CHECK(*guard_count < WORK_GUARDS_MAX);
    guards[(*guard_count)++] = (struct database_guard){
        .condition = arena_text(&work->arena, condition, strlen(condition)),
        .params = copy_params(work, count, params),
        .param_count = count,
        .code = code,
        .refusal = arena_text(&work->arena, refusal, strlen(refusal)),
    };
}

void work_before(struct work *work, enum err_code code, const char *refusal, const char *condition,
                 size_t count, const struct database_value *params)
{
    add_guard(work, work->before, &work->before_count, code, refusal, condition, count, params);
}

void work_after(struct work *work, enum err_code code, const char *refusal, const char *condition,
                size_t count, const struct database_value *params)
{
    add_guard(work, work->after, &work->after_count, code, refusal, condition, count, params);
}

void work_check(struct work *work, const char *query)
{
    CHECK(work->check_count < WORK_CHECKS_MAX);
    work->checks[work->check_count] = arena_text(&work->arena, query, strlen(query));
    work->failed = work->failed || work->checks[work->check_count] == NULL;
    work->check_count++;
}

/* An ordinary batch has guards where a maintenance has queries. */
static void checks_as_guards(struct work *work)
{
    for (size_t i = 0; i < work->check_count && !work->failed; i++) {
        const char *condition = arena_print(&work->arena, "NOT EXISTS (%s)", work->checks[i]);
        if (condition == NULL) {
            work->failed = true;
            return;
        }
        work_after(work, ERR_CONFLICT, "a check before COMMIT failed", condition, 0, NULL);
    }
}

static enum err_code run_maintenance(struct work *work, struct database *db,
                                     struct database_batch_result *result, struct err *err)
{
    CHECK(work->after_count == 0);
    work->checks[work->check_count] = NULL;
    return database_maintenance(db,
                                &(struct database_maintenance){
                                    .writable_schema = true,
                                    .before = work->before,
                                    .before_count = work->before_count,
                                    .statements = work->statements,
                                    .statement_count = work->count,
                                    .checks = work->checks,
                                    .hold_us = result != NULL ? &result->hold_us : NULL,
                                },
                                err);
}

enum err_code work_run(struct work *work, struct database *db, struct lock *lock,
                       struct database_batch_result *result, struct err *err)
{
    if (lock != NULL) {
        lock_guard(lock, work);
    }
    if (!work->edits_schema) {
        checks_as_guards(work);
    }
    if (work->failed) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    if (work->edits_schema) {
        return run_maintenance(work, db, result, err);
    }
    return database_batch(db,
                          &(struct database_batch){
                              .before = work->before,
                              .before_count = work->before_count,
                              .statements = work->statements,
                              .statement_count = work->count,
                              .after = work->after,
                              .after_count = work->after_count,
                              .hold_max_us = work->hold_max_us,
                              .relaxed = work->relaxed,
                              .as_file = work->as_file,
                          },
                          result, err);
}

void work_fini(struct work *work)
{
    arena_fini(&work->arena);
    *work = (struct work){0};
}
