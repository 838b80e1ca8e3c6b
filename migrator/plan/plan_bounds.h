/*
 * plan_bounds - whether an engine takes what a plan would send it, known before anything is sent.
 *
 * Each statement of the plan's entry is played, in its order, on a copy of the schema in memory that
 * has the engine's bounds set: sizes, columns, depth of expressions, terms, arguments, instructions of
 * the compiled statement with its triggers. What only a run can tell (how deep triggers fire each
 * other) stays open.
 */
#ifndef MIGRATOR_PLAN_BOUNDS_H
#define MIGRATOR_PLAN_BOUNDS_H

#include "base/json.h"
#include "migrator/plan/scratch.h"
#include "migrator/session/session.h"

/* entry: of migration index, with its phases. scratch: zeroed at first, the same for all entries in
 * their order; the caller's to end. ERR_INVALID: the engine would not take a statement, with
 * the phase and what to do. */
MUST_USE enum err_code plan_check_bounds(const struct migrate *m, size_t index,
                                         const struct json *entry, struct scratch *scratch,
                                         struct err *err);

#endif
