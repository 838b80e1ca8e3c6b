/*
 * work - one guarded batch being put together, and run under the migrator's lock.
 *
 *     struct work work = {0};
 *     work_sql(&work, "DROP TRIGGER x");
 *     work_sql_with(&work, "UPDATE t SET a = ?1", 1, (struct database_value[]){database_int(7)});
 *     rc = work_run(&work, db, lock, &result, err);
 *     work_fini(&work);
 *
 * Everything given is copied. A failed allocation is remembered and reported by work_run().
 */
#ifndef MIGRATOR_WORK_H
#define MIGRATOR_WORK_H

#include "base/arena.h"
#include "database/database.h"

#define WORK_CHECKS_MAX 160u /* a few for each column that a migration may have */
#define WORK_GUARDS_MAX                                                                            \
    (WORK_CHECKS_MAX + 16u) /* checks are such in an ordinary batch; and a few */

struct lock;

struct work {
    struct arena arena;
    struct database_statement *statements;
    size_t count, room;
    struct database_guard before[WORK_GUARDS_MAX], after[WORK_GUARDS_MAX];
    size_t before_count, after_count;
    const char *checks[WORK_CHECKS_MAX + 1]; /* queries that must return no row; a maintenance */
    size_t check_count;
    int64_t hold_max_us;    /* undone with ERR_TIMEOUT if it runs for longer; 0: no bound */
    bool relaxed;           /* one of many that can be done again (struct database_batch) */
    bool as_file;           /* struct database_batch */
    bool edits_schema;      /* runs as a maintenance that may write sqlite_master */
    int64_t schema_version; /* which alone it is made for; 0: any */
    bool failed;
};

void work_sql(struct work *work, const char *sql);
void work_sql_n(struct work *work, struct str sql);
void work_sql_first(struct work *work, const char *sql); /* before all that are there */
void work_sql_with(struct work *work, const char *sql, size_t count,
                   const struct database_value *params);
/* Guards: condition must hold before (after) the statements, else the work is refused. */
void work_before(struct work *work, enum err_code code, const char *refusal, const char *condition,
                 size_t count, const struct database_value *params);
void work_after(struct work *work, enum err_code code, const char *refusal, const char *condition,
                size_t count, const struct database_value *params);
/* A query that must return no row before COMMIT, whichever way the work is run; its first column
 * says what is wrong. */
void work_check(struct work *work, const char *query);

/* Runs it: all or nothing, only while the lock is ours, which it also keeps alive. lock NULL: none
 * is asked for. result may be NULL. */
MUST_USE enum err_code work_run(struct work *work, struct database *db, struct lock *lock,
                                struct database_batch_result *result, struct err *err);
void work_fini(struct work *work);

#endif
