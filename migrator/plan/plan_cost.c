#include "migrator/plan/plan_cost.h"

#include <math.h>

#include "database/d1_rules.h"
#include "migrator/walk/verify.h"

/* Seen on workerd: what a walk takes beside its ranges, the looks at gates left out. */
#define ARROW_REQUESTS 60
#define BATCH_REQUESTS 3 /* a piece is found, measured, written */
#define PASS_REQUESTS 3  /* and read: found, counted, its NULLs counted */
#define PASSES 3         /* before in-sync, before contract, before purge */

static double pieces(int64_t rows)
{
    return ceil((double)rows / VERIFY_ROWS_REMOTE) + 1;
}

struct json *plan_cost(const struct phased *phased, int64_t rows, enum mig_state from,
                       enum mig_state to)
{
    struct json *out = json_object();
    bool fills =
        from < MIG_IN_SYNC && to >= MIG_IN_SYNC && phased->add_count + phased->alter_count > 0;
    bool removes = to == MIG_PURGED && phased->drop_count > 0;
    double all = (double)rows, indexes = (double)phased->create_index_count;
    double arrows = to > from ? (double)(to - from) : 0;
    double requests = ARROW_REQUESTS * arrows + PASSES * PASS_REQUESTS * pieces(rows) +
                      (fills ? BATCH_REQUESTS * pieces(rows) : 0);
    double written = (fills ? all * (1 + indexes) : 0) + (removes ? all : 0);

    (void)json_put_number(out, "requests", requests);
    (void)json_put_number(out, "seconds", ceil(requests * 300 / D1_REQUESTS_MAX));
    (void)json_put_number(out, "rows_written", written);
    (void)json_put_number(out, "usd", written * D1_USD_PER_MILLION_WRITTEN / 1e6);
    (void)json_put_number(out, "rows_per_write",
                          phased->add_count > 0 && from < MIG_CONTRACTED ? 1 + indexes : 0);
    return out;
}
