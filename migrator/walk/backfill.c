#include "migrator/walk/backfill.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "migrator/walk/pace.h"
#include "migrator/walk/ranges.h"
#include "migrator/walk/watch.h"

#define BUSY_TRIES 12 /* each waits for the driver's own busy timeout first */
#define LOG_WAIT_US 50000

struct backfill {
    struct migrate *m;
    size_t index;
    const struct migration *migration;
    const char *sql;
    enum mig_state state;
    char digest[DIGEST_HEX_BYTES];
    int64_t done, total;
    int64_t batch;         /* rows that the next one may have */
    int64_t free_since_us; /* when the lock was given back */
    bool remote;
    int64_t looked_us, bytes_max;
    int64_t left_today; /* rows that may be written yet, if there is a bound */
    double each; /* that the last batch wrote for one of ours: indexes and triggers are paid, too */
    int64_t owed; /* written, and not counted yet */
    bool learnt;
    struct backfill_result *result;
    struct err *err;
};

static void show(const struct backfill *b, int64_t done, bool last)
{
    int64_t total = b->total > done ? b->total : done + 1;

    if (b->m->options.progress != NULL) {
        b->m->options.progress(b->m->options.progress_ctx, b->migration->name, "backfill",
                               (uint64_t)done, (uint64_t)(last ? done : total));
    }
}

/* Where an earlier run of the same statement came to, or NULL. */
static const char *resume_at(struct backfill *b, const struct journal_row *row)
{
    if (row == NULL || row->backfill_done || row->digest == NULL ||
        strcmp(row->digest, b->digest) != 0) {
        return NULL;
    }
    b->done = row->cursor != NULL ? row->rows_done : 0;
    return row->cursor;
}

/* ---- a service that counts rows written by the day ---- */

#define WRITTEN_TODAY                                                                              \
    "coalesce((SELECT CAST(substr(value, 12) AS INTEGER) FROM lockstep_meta WHERE key = "          \
    "'written' AND substr(value, 1, 10) = date('now')), 0)"
#define OWN_ROWS 6    /* of a batch: journal, lock, this count */
#define LEARN_ROWS 50 /* of the first, of which nobody knows what a row costs */

static enum err_code read_written(struct backfill *b)
{
    struct database_rows *rows = NULL;
    enum err_code rc = b->m->rows_per_day == 0 ? ERR_OK
                                               : database_query(b->m->db, "SELECT " WRITTEN_TODAY,
                                                                NULL, 0, &rows, b->err);

    if (rc == ERR_OK && rows != NULL) {
        b->left_today = b->m->rows_per_day - database_rows_int(rows, 0, 0, 0) - b->owed;
        database_rows_free(rows);
    }
    return rc;
}

static int64_t written_by(const struct backfill *b, int64_t rows)
{
    return (int64_t)ceil((double)rows * b->each) + OWN_ROWS;
}

/* What the batch really wrote is known behind it: the next one counts what is missing. */
static void learn_written(struct backfill *b, int64_t rows, int64_t written)
{
    int64_t counted = written_by(b, rows);

    b->left_today -= counted;
    b->owed = 0; /* it was counted with this one */
    if (written < 0 || rows == 0) {
        return; /* the answer was lost */
    }
    if (written > counted) {
        b->owed = written - counted;
        b->left_today -= b->owed;
    }
    b->each = (double)(written - OWN_ROWS) / (double)rows;
    b->each = b->each > 1 ? b->each : 1;
    b->learnt = true;
}

static void count_written(const struct backfill *b, int64_t rows, struct work *work)
{
    struct database_value param = database_int(written_by(b, rows) + b->owed);

    if (b->m->rows_per_day > 0) {
        work_sql_with(work,
                      "INSERT OR REPLACE INTO lockstep_meta(key, value) VALUES('written', "
                      "date('now') || ' ' || (?1 + " WRITTEN_TODAY "))",
                      1, &param);
    }
}

/* How many rows the next batch may have; ERR_CONFLICT: none today. */
static enum err_code bound_batch(struct backfill *b)
{
    enum err_code rc = ERR_OK;

    if (b->m->rows_per_day == 0) {
        return ERR_OK;
    }
    if (b->left_today <= OWN_ROWS) {
        rc = read_written(b); /* it may be another day by now */
    }
    if (rc == ERR_OK && b->left_today <= OWN_ROWS) {
        rc = err_set(b->err, ERR_CONFLICT,
                     "%.80s: %lld rows were written today (UTC), and --rows-written-per-day allows "
                     "%lld; what was done is kept; run the command again tomorrow",
                     b->migration->name, (long long)(b->m->rows_per_day - b->left_today),
                     (long long)b->m->rows_per_day);
    }
    if (rc == ERR_OK) {
        int64_t most = (int64_t)((double)(b->left_today - OWN_ROWS) / b->each);
        most = !b->learnt && most > LEARN_ROWS ? LEARN_ROWS : most;
        b->batch = b->batch < most ? b->batch : most > 0 ? most : 1;
    }
    return rc;
}

/* ---- one batch ---- */

/* Takes the next piece, as large as rows and bytes allow; and reads it, so that no page has to come
 * from the disk while the lock is held. */
static enum err_code choose(struct backfill *b, struct range *range, bool *more, int64_t *rows)
{
    int64_t bytes = 0, wanted;
    enum err_code rc = range->last ? ERR_OK : bound_batch(b);

    wanted = b->batch;
    rc = rc ? rc : range_next(range, b->m->db, wanted, more, b->err);

    while (rc == ERR_OK && *more) {
        rc = range_measure(range, b->m->db, rows, &bytes, b->err);
        if (rc || bytes <= b->bytes_max || *rows <= 1) {
            break;
        }
        wanted = *rows * b->bytes_max / bytes;
        wanted = wanted < 1 ? 1 : wanted >= *rows ? *rows - 1 : wanted;
        rc = range_shrink(range, b->m->db, wanted, b->err);
    }
    return rc;
}

static void build(struct backfill *b, const struct range *range, int64_t rows, struct work *work)
{
    struct database_value params[RANGE_PARAMS_MAX];
    char *place = range->up_to != NULL ? place_text(range->up_to) : NULL;
    struct database_value progress[] = {
        database_text(b->migration->name),
        database_text(place),
        database_text(b->digest),
        database_int(b->done + rows),
        database_int(b->total > b->done + rows && !range->last ? b->total : b->done + rows),
        database_int(range->last),
    };
    struct buf sql = {0};
    size_t count;

    buf_text(&sql, b->sql);
    count = range_condition(range, &sql, params);
    work_sql_with(work, buf_cstr(&sql), count, params);
    work->failed = work->failed || buf_failed(&sql) || (range->up_to != NULL && place == NULL);
    buf_fini(&sql);
    journal_demand(work, b->migration->name, b->state);
    count_written(b, rows, work);
    work_sql_with(work,
                  "UPDATE lockstep_journal SET cursor = ?2, digest = ?3, rows_done = ?4, "
                  "rows_total = ?5, backfill_done = ?6 WHERE migration = ?1",
                  6, progress);
    free(place);
}

/* ERR_TIMEOUT: it was too long, and nothing of it was done. */
static enum err_code run_batch(struct backfill *b, const struct range *range, int64_t rows,
                               struct database_batch_result *out)
{
    int64_t changes[8] = {0};
    struct work work = {.hold_max_us = rows > 1 ? BACKFILL_CUT_US : 0, .relaxed = true};
    enum err_code rc;

    *out = (struct database_batch_result){.statement_changes = changes};
    build(b, range, rows, &work);
    for (int try = 0;; try++) {
        rc = work_run(&work, b->m->db, try == 0 ? &b->m->lock : NULL, out, b->err);
        b->free_since_us = clock_monotonic_us();
        if (rc != ERR_BUSY || try == BUSY_TRIES) {
            break;
        }
        session_tell_wait(b->m, b->index, b->err->msg);
        clock_sleep_us(50000);
    }
    b->result->failed = rc == ERR_CONFLICT || rc == ERR_INVALID || rc == ERR_LIMIT;
    b->result->held_us += out->hold_us;
    b->result->changed += rc == ERR_OK && changes[0] > 0 ? changes[0] : 0; /* -1: nobody knows */
    if (out->hold_us > b->result->longest_hold_us) {
        b->result->longest_hold_us = out->hold_us;
    }
    out->statement_changes = NULL;
    work_fini(&work);
    return rc;
}

/* Slowly up (but for the first steps, as nothing is known at first), down at once. A COMMIT takes what the disk takes: what is left is for the rows. */
static void adapt(struct backfill *b, int64_t rows, const struct database_batch_result *out)
{
    int64_t aim = (b->remote ? BACKFILL_REMOTE_HOLD_US : BACKFILL_HOLD_US) - out->commit_us;
    int64_t work_us = out->hold_us - out->commit_us;

    if (out->hold_us < 0) {
        return; /* the answer was lost, and with it how long it took */
    }
    aim = aim > BACKFILL_WORK_US ? aim : BACKFILL_WORK_US;
    if (work_us > aim + aim / 2) {
        b->batch = rows * aim / work_us;
    } else if (work_us > aim) {
        b->batch -= b->batch / 8;
    } else if (rows >= b->batch && work_us < aim / 4) {
        b->batch *= 2;
    } else if (rows >= b->batch) { /* a batch that its bytes cut short says nothing of its rows */
        b->batch += (b->remote ? b->batch : b->batch / 4) + 1;
    }
    b->batch = b->batch < 1 ? 1 : b->batch > BACKFILL_ROWS_MAX ? BACKFILL_ROWS_MAX : b->batch;
}

/* ---- between batches ---- */

/* While a reader keeps the log from being taken over, each batch would make it longer still. */
static enum err_code wait_for_log(struct backfill *b)
{
    struct database_log log;
    enum err_code rc = ERR_OK;

    if (database_log_bytes(b->m->db) <= BACKFILL_LOG_BYTES) {
        return ERR_OK;
    }
    for (database_checkpoint(b->m->db, &log);
         rc == ERR_OK && log.bytes > BACKFILL_LOG_BYTES && log.left > 0;
         database_checkpoint(b->m->db, &log)) {
        session_tell_wait(b->m, b->index,
                          "a reader that keeps the write-ahead log from being taken over");
        clock_sleep_us(LOG_WAIT_US);
        rc = lock_beat(b->m->db, &b->m->lock, b->err);
    }
    return rc;
}

/* Whether somebody holds it up. Nobody does so on the way back, which may be the way out. */
static enum err_code may_go_on(struct backfill *b)
{
    struct veto_facts facts = {.migration = b->migration->name,
                               .environment = b->m->environment,
                               .database = database_url(b->m->db),
                               .wal_bytes = database_log_bytes(b->m->db),
                               .rows_done = b->done,
                               .rows_total = b->total};
    struct pace pace;

    return b->state == MIG_CONTRACTED ? ERR_OK : pace_wait(b->m, b->index, &facts, &pace, b->err);
}

/* The pause that other writers need. What was read meanwhile counts: the lock was free. */
static enum err_code rest(const struct backfill *b, int64_t hold_us)
{
    return b->free_since_us == 0 ? ERR_OK
                                 : pace_rest(b->m, b->index, hold_us, b->free_since_us,
                                             BACKFILL_PAUSE_MIN_US, b->err);
}

/* What goes on between two batches. */
static enum err_code between(struct backfill *b, int64_t hold_us)
{
    int64_t now_us = clock_monotonic_us();
    enum err_code rc;

    if (b->remote && b->looked_us != 0 && now_us - b->looked_us < BACKFILL_REMOTE_LOOK_US) {
        return watch_look(b->m, b->index, b->err); /* to look would be a request, and is a rest */
    }
    rc = rest(b, hold_us);
    b->looked_us = now_us;
    return rc ? rc : may_go_on(b);
}

static enum err_code run(struct backfill *b, struct range *range)
{
    bool more = true;
    struct database_batch_result out = {0};
    int64_t rows = 0;
    enum err_code rc = choose(b, range, &more, &rows);

    while (rc == ERR_OK && more) {
        rc = between(b, out.hold_us);
        rc = rc ? rc : run_batch(b, range, rows, &out);
        if (rc == ERR_TIMEOUT && rows > 1) {
            int64_t bytes = 0;
            b->batch = rows / 4 > 0 ? rows / 4 : 1;
            rc = range_shrink(range, b->m->db, b->batch, b->err);
            rc = rc ? rc : range_measure(range, b->m->db, &rows, &bytes, b->err);
            continue;
        }
        if (rc) {
            break;
        }
        b->done += rows;
        learn_written(b, rows, out.rows_written);
        b->result->batches++;
        show(b, b->done, range->last);
        adapt(b, rows, &out);
        rc = wait_for_log(b);
        rc = rc ? rc : choose(b, range, &more, &rows);
    }
    return rc;
}

enum err_code backfill_run(struct migrate *m, size_t index, const struct change *change,
                           const char *sql, enum mig_state state, struct backfill_result *result,
                           struct err *err)
{
    struct backfill b = {.m = m,
                         .index = index,
                         .migration = &m->folder.at[index],
                         .sql = sql,
                         .state = state,
                         .remote = database_remote(m->db),
                         .bytes_max = BACKFILL_BYTES_MAX,
                         .batch = BACKFILL_ROWS_FIRST,
                         .each = 1,
                         .result = result,
                         .err = err};
    struct range range;
    enum err_code rc;

    *result = (struct backfill_result){0};
    if (b.remote) {
        b.bytes_max = BACKFILL_REMOTE_BYTES_MAX;
        b.batch = BACKFILL_REMOTE_ROWS_FIRST;
    }
    digest_hex(sql, strlen(sql), b.digest);
    rc = shape_count_rows(m->db, change->shape.table, &b.total, err);
    rc = rc ? rc : range_start(&range, &change->shape, resume_at(&b, session_row(m, index)), err);
    if (rc) {
        return rc;
    }
    rc = read_written(&b);
    b.done = range.up_to != NULL ? b.done : 0;
    result->rows = b.total;
    show(&b, b.done, false);
    rc = rc ? rc : run(&b, &range);
    range_fini(&range);
    if (result->failed) {
        err_wrap(err, "%.80s: a batch of the backfill failed, and nothing of it was done",
                 b.migration->name);
    }
    return rc ? rc : session_reread(m, err);
}
