#include "migrator/backfill.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "migrator/ranges.h"

#define BUSY_TRIES 12 /* each waits for the driver's own busy timeout first */

struct backfill {
    struct migrate *m;
    const struct migration *migration;
    const char *sql;
    enum mig_state state;
    char digest[DIGEST_HEX_BYTES];
    int64_t done, total, batch;
    struct backfill_result *result;
    struct err *err;
};

static void show(const struct backfill *b, int64_t done, bool last)
{
    int64_t total = b->total > done ? b->total : done + 1;

    if (b->m->options.progress != NULL) {
        b->m->options.progress(b->m->options.progress_ctx, b->migration->name, "backfill",
                               (uint64_t)(done < 0 ? 0 : done), (uint64_t)(last ? done : total));
    }
}

/* Where an earlier run of the same statement came to, or NULL. */
static const char *resume_at(struct backfill *b, const struct journal_row *row)
{
    if (row == NULL || row->backfill_done || row->digest == NULL ||
        strcmp(row->digest, b->digest) != 0) {
        return NULL;
    }
    b->done = row->rows_done;
    return row->cursor;
}

static enum err_code run_batch(struct backfill *b, const struct range *range,
                               struct database_batch_result *out)
{
    struct database_value progress[] = {
        database_text(b->migration->name),
        database_text(range->up_to),
        database_text(b->digest),
        database_int(b->done + b->batch < b->total && !range->last ? b->done + b->batch : b->total),
        database_int(b->total),
        database_int(range->last),
    };
    struct work work = {0};
    struct buf sql = {0};
    int64_t changes[8] = {0};
    enum err_code rc;

    buf_text(&sql, b->sql);
    range_condition(range, &sql);
    work_sql(&work, buf_cstr(&sql));
    work.failed = work.failed || buf_failed(&sql);
    buf_fini(&sql);
    journal_demand(&work, b->migration->name, b->state);
    work_sql_with(&work,
                  "UPDATE lockstep_journal SET cursor = ?2, digest = ?3, rows_done = ?4, "
                  "rows_total = ?5, backfill_done = ?6 WHERE migration = ?1",
                  6, progress);
    out->statement_changes = changes;
    for (int try = 0;; try++) {
        rc = work_run(&work, b->m->db, try == 0 ? &b->m->lock : NULL, out, b->err);
        if (rc != ERR_BUSY || try == BUSY_TRIES) {
            break;
        }
        clock_sleep_us(50000);
    }
    b->result->changed += rc == ERR_OK ? changes[0] : 0;
    work_fini(&work);
    return rc;
}

/* The pause that other writers need, longer while the log grows faster than it is taken over. */
static void rest(const struct backfill *b, int64_t hold_us)
{
    clock_sleep_us(hold_us > BACKFILL_PAUSE_MIN_US ? hold_us : BACKFILL_PAUSE_MIN_US);
    for (int i = 0; i < 20 && database_log_bytes(b->m->db) > BACKFILL_LOG_BYTES; i++) {
        database_checkpoint(b->m->db);
        clock_sleep_us(20000);
    }
}

static void adapt(struct backfill *b, int64_t hold_us)
{
    if (hold_us > BACKFILL_HOLD_MAX_US) {
        b->batch /= 2;
    } else if (hold_us < BACKFILL_HOLD_US) {
        b->batch += b->batch / 2;
    }
    b->batch = b->batch < BACKFILL_ROWS_MIN   ? BACKFILL_ROWS_MIN
               : b->batch > BACKFILL_ROWS_MAX ? BACKFILL_ROWS_MAX
                                              : b->batch;
}

static enum err_code run(struct backfill *b, struct range *range)
{
    bool more = true;
    enum err_code rc = range_next(range, b->m->db, b->batch, &more, b->err);

    while (rc == ERR_OK && more) {
        struct database_batch_result out = {0};
        rc = run_batch(b, range, &out);
        if (rc) {
            break;
        }
        b->done += b->batch;
        b->result->batches++;
        if (out.hold_us > b->result->longest_hold_us) {
            b->result->longest_hold_us = out.hold_us;
        }
        show(b, range->last ? b->total : b->done, range->last);
        adapt(b, out.hold_us);
        if (!range->last) {
            rest(b, out.hold_us);
        }
        rc = range_next(range, b->m->db, b->batch, &more, b->err);
    }
    return rc;
}

enum err_code backfill_run(struct migrate *m, size_t index, const struct change *change,
                           const char *sql, enum mig_state state, struct backfill_result *result,
                           struct err *err)
{
    struct backfill b = {.m = m,
                         .migration = &m->folder.at[index],
                         .sql = sql,
                         .state = state,
                         .batch = 2 * BACKFILL_ROWS_MIN,
                         .result = result,
                         .err = err};
    struct range range;
    enum err_code rc;

    *result = (struct backfill_result){0};
    digest_hex(sql, strlen(sql), b.digest);
    rc = shape_count_rows(m->db, change->shape.table, &b.total, err);
    rc = rc ? rc : range_start(&range, &change->shape, resume_at(&b, session_row(m, index)), err);
    if (rc) {
        return rc;
    }
    result->rows = b.total;
    show(&b, b.done, false);
    rc = run(&b, &range);
    range_fini(&range);
    return rc ? rc : session_reread(m, err);
}
