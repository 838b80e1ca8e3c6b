/*
 * plan_cost - what a phased migration costs on a service that counts requests and rows written.
 */
#ifndef MIGRATOR_PLAN_COST_H
#define MIGRATOR_PLAN_COST_H

#include <stdint.h>

#include "base/json.h"
#include "migrator/folder/phased.h"
#include "migrator/folder/state.h"

/* {"requests", "seconds" (at the permitted rate), "rows_written", "usd", "rows_per_write": what the
 * triggers add to each insert and update of the application}; estimates, on workerd
 * within 10 % of what is counted. */
struct json *plan_cost(const struct phased *phased, int64_t rows, enum mig_state from,
                       enum mig_state to);

#endif
