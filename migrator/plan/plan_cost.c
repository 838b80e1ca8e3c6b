#include "migrator/plan/plan_cost.h"

#include <math.h>

#include "database/d1_rules.h"
#include "migrator/walk/verify.h"

/* A walk of a small table, each phase by a command of its own, as it was counted on workerd: all
 * five arrows, and what makes them more. tests/d1/counts.mjs holds this to 10 %. */
#define WALK_REQUESTS 203
#define ADD_REQUESTS 10
#define FILL_REQUESTS 10
#define DROP_REQUESTS 33
#define BOTH_REQUESTS 10 /* adds and drops: triggers both ways */
#define INDEX_REQUESTS 13
#define CREATE_TABLE_REQUESTS 197
#define DROP_TABLE_REQUESTS 219
#define RENAME_TABLE_REQUESTS 275
static const double arrow_share[] = {0.18, 0.16, 0.25, 0.225, 0.185};

/* And what the rows add. A range is found and read; ranges grow as fast as they are answered. */
#define RANGE_ROWS 10000.0
#define FILL_RANGE_ROWS 6600.0
#define LARGE_ROWS 20000 /* above, contract reads all of them once more without the lock */
#define LARGE_REQUESTS 18

/* The journal, the history, the lock and the schema are rows too. */
#define ARROW_ROWS 14.0
#define DROP_ROWS 38.0
#define DROP_TABLE_ROWS 16.0
#define RENAME_TABLE_ROWS 28.0

static double fixed_requests(const struct phased *phased, bool fills)
{
    switch (phased->kind) {
    case PHASED_CREATE_TABLE: return CREATE_TABLE_REQUESTS;
    case PHASED_DROP_TABLE: return DROP_TABLE_REQUESTS;
    case PHASED_RENAME_TABLE: return RENAME_TABLE_REQUESTS;
    default: break;
    }
    return WALK_REQUESTS + ADD_REQUESTS * (double)phased->add_count + (fills ? FILL_REQUESTS : 0) +
           DROP_REQUESTS * (double)phased->drop_count +
           (phased->add_count > 0 && phased->drop_count > 0 ? BOTH_REQUESTS : 0) +
           INDEX_REQUESTS * (double)phased->create_index_count;
}

/* One reading of all rows: a few ranges are there at once, the rest come with the rows. */
static double pass(double rows, double each)
{
    double few = rows < VERIFY_ROWS_REMOTE ? rows / VERIFY_ROWS_REMOTE : 1;

    return rows / each + 2 * few;
}

static bool reaches(enum mig_state from, enum mig_state to, enum mig_state state)
{
    return from < state && to >= state;
}

struct json *plan_cost(const struct phased *phased, int64_t rows, enum mig_state from,
                       enum mig_state to)
{
    struct json *out = json_object();
    bool table = phased->kind == PHASED_DROP_TABLE || phased->kind == PHASED_RENAME_TABLE;
    bool fills = phased->add_count + phased->alter_count > 0 || phased->kind == PHASED_RENAME_TABLE;
    bool in_sync = reaches(from, to, MIG_IN_SYNC), purged = reaches(from, to, MIG_PURGED);
    bool contracted = reaches(from, to, MIG_CONTRACTED), drops = phased->drop_count > 0;
    double all = phased->kind == PHASED_CREATE_TABLE ? 0 : (double)rows, requests = 0;
    double written = 0, indexes = (double)phased->create_index_count;

    for (enum mig_state s = from; s < to; s = (enum mig_state)(s + 1)) {
        requests += fixed_requests(phased, fills) * arrow_share[s - MIG_PENDING];
        written += ARROW_ROWS;
    }
    requests += (in_sync ? pass(all, RANGE_ROWS) : 0) + (contracted ? pass(all, RANGE_ROWS) : 0) +
                (in_sync && fills ? 3 * pass(all, FILL_RANGE_ROWS * 3) : 0) +
                (contracted && rows > LARGE_ROWS ? pass(all, RANGE_ROWS) + LARGE_REQUESTS : 0) +
                (purged ? pass(all, table ? RANGE_ROWS / 5 : RANGE_ROWS) : 0);
    written += (in_sync ? all * ((fills ? 1 : 0) + indexes) : 0) +
               (purged && (drops || table) ? all : 0) + (contracted && drops ? DROP_ROWS : 0) +
               (contracted && phased->kind == PHASED_DROP_TABLE ? DROP_TABLE_ROWS : 0) +
               (contracted && phased->kind == PHASED_RENAME_TABLE ? RENAME_TABLE_ROWS : 0);
    requests = ceil(requests);

    (void)json_put_number(out, "requests", requests);
    (void)json_put_number(out, "seconds", ceil(requests * 300 / D1_REQUESTS_MAX));
    (void)json_put_number(out, "rows_written", written);
    (void)json_put_number(out, "usd", written * D1_USD_PER_MILLION_WRITTEN / 1e6);
    (void)json_put_number(out, "rows_per_write",
                          phased->add_count > 0 && from < MIG_CONTRACTED ? 1 + indexes : 0);
    return out;
}
