/*
 * plan - what apply would do, as a value: the entries of migrate_plan()'s report, and their digests.
 *
 * A phase's digest covers the migration's file, the generated statements, the gate's text, the states
 * it leads from and to, and the schema of the table as the application has it: with its constraints,
 * indexes, and the views and triggers that name it. It does not cover
 * counts, times, or what a flag answers. "covers" has a digest of each, so that a difference has a
 * name.
 */
#ifndef MIGRATOR_PLAN_H
#define MIGRATOR_PLAN_H

#include "migrator/change/change.h"
#include "migrator/session/session.h"

struct plan_wanted {
    bool one;     /* one migration: */
    size_t index; /* this */
    enum mig_state to;
    bool fresh; /* nobody migrated this database, and nobody asks for less than the end */
    bool light; /* no rows are counted: for the digests alone */
};

/* The entries of all that is not done yet, in order; the caller's. Only reads. */
MUST_USE enum err_code plan_list(struct migrate *m, const struct plan_wanted *wanted,
                                 struct json **list, struct err *err);

/* The schema as a phase's digest covers it: the table of change without what the migration itself
 * changes, or (change NULL) every table of db that the plain SQL names. */
MUST_USE enum err_code plan_schema_digest(struct database *db, const struct migration *migration,
                                          const struct change *change,
                                          char schema[DIGEST_HEX_BYTES], struct err *err);
/* Adds "digest" and "covers" to each of the entry's phases. */
void plan_put_digests(const struct migration *migration, const char *schema, struct json *entry);

#endif
