/*
 * veto - what from outside may hold up a backfill: a condition in CEL over what can be measured
 * here, or a URL that must answer 200. Both fail closed: a condition that errs and a server that is
 * silent hold it up too.
 */
#ifndef MIGRATOR_VETO_H
#define MIGRATOR_VETO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/fetch.h"

struct veto;

struct veto_facts {
    const char *migration, *environment, *database;
    int64_t wal_bytes; /* -1: not measured */
    int64_t rows_done, rows_total;
};

/* Either text may be NULL, not both. ERR_INVALID: no condition over the facts (wal_bytes, load,
 * rows_done, rows_total, migration, environment, database, now), or no URL. */
MUST_USE enum err_code veto_new(const char *condition, const char *url, struct veto **out,
                                struct err *err);
void veto_free(struct veto *veto); /* NULL allowed */

/* Whether it may go on; else why not, for people. The URL is asked once a second at most. */
bool veto_allows(struct veto *veto, struct fetch *fetch, const struct veto_facts *facts, char *why,
                 size_t size);

#endif
