/*
 * plan_file - a plan that was looked at and written down, and apply held to it.
 */
#ifndef MIGRATOR_PLAN_FILE_H
#define MIGRATOR_PLAN_FILE_H

#include "migrator/plan/plan.h"

/* Writes a plan's report with what it was asked for. */
MUST_USE enum err_code plan_file_write(const struct migrate *m, const char *path,
                                       const char *target, const char *to_state,
                                       const struct json *report, struct err *err);
/* ERR_INVALID: no plan. *out is the caller's. */
MUST_USE enum err_code plan_file_read(const char *path, struct json **out, struct err *err);

/* What the plan was asked for; NULL: all, or as far as is safe. Lent. */
const char *plan_file_target(const struct json *plan);
const char *plan_file_to(const struct json *plan);

/* ERR_CONFLICT, naming the migration, the phase and what changed (file, statements, gate, state,
 * schema), unless the plan has each phase that is wanted as it would be done now. */
MUST_USE enum err_code plan_file_check(struct migrate *m, const struct json *plan,
                                       const struct plan_wanted *wanted, struct err *err);
/* The same for one phase, as a walk asks (walk_hold_fn). */
MUST_USE enum err_code plan_file_hold(struct migrate *m, const struct json *plan, size_t index,
                                      enum mig_state to, bool fresh, struct err *err);

#endif
