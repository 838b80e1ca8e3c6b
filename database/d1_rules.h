/*
 * d1_rules - what Cloudflare D1 bears: its bounds in one table, and what it refuses, so that both
 * are known before anything is sent. Seen on workerd's engine, or documented by Cloudflare
 * (developers.cloudflare.com/d1/platform/limits; workerd src/workerd/util/sqlite.c++).
 *
 * Pure functions; any thread.
 */
#ifndef DATABASE_D1_RULES_H
#define DATABASE_D1_RULES_H

#include <stdbool.h>

#include "base/err.h"
#include "database/database.h"

/* Of a statement. d1_bounds has all of them, as a plan asks for them. */
#define D1_PARAMS_MAX 100u             /* bound parameters */
#define D1_STATEMENT_BYTES_MAX 100000u /* text */
#define D1_COLUMNS_MAX 100u            /* of a table or a result */
#define D1_VALUE_BYTES_MAX 2000000u /* of a row, a text or a blob; workerd's engine bears 4 MiB */
#define D1_EXPRESSION_DEPTH_MAX 100u
#define D1_COMPOUND_SELECT_MAX 5u
#define D1_FUNCTION_ARGS_MAX 32u /* workerd's engine bears 127 */
#define D1_PROGRAM_OPS_MAX 25000u
#define D1_TRIGGER_DEPTH_MAX 10u
#define D1_LIKE_PATTERN_BYTES_MAX 50u
extern const struct database_bounds d1_bounds;

/* Of the service. */
#define D1_CALL_S 30u         /* a whole call, batch or not */
#define D1_REQUESTS_MAX 1200u /* in five minutes, for all tools of one token */
#define D1_USD_PER_MILLION_WRITTEN 1.0

/* Whether D1 would run this one statement: no transaction words, no TEMP, no ATTACH, no VACUUM, no PRAGMA
 * but those it allows, and none that stays set behind the request; no module, function or name that it
 * keeps to itself; no pattern that is too long. reading: it must only read.
 * ERR_INVALID with the reason and what to do instead. */
MUST_USE enum err_code d1_rules_check(const char *sql, bool reading, struct err *err);

/* What in this statement some releases of D1's splitter stumble over, or NULL
 * (github.com/cloudflare/workers-sdk issues 4326, 4713, 4998, 10998, 14991). */
const char *d1_rules_hazard(const char *sql);

#endif
