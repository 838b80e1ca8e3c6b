/*
 * snapshot - all tables of a database in a new SQLite file, read by key range: for a service that no
 * file can be copied from. Nobody waits for it: each range is one short query, and is as it was at
 * that moment; rows that are written meanwhile come as they are when their range is read.
 *
 * Values keep their type and every bit. Virtual tables, and what this SQLite cannot make again, are
 * left out and named.
 */
#ifndef MIGRATOR_SNAPSHOT_H
#define MIGRATOR_SNAPSHOT_H

#include "base/json.h"
#include "database/database.h"
#include "migrator/migrate.h"

struct snapshot_told {
    int64_t tables, rows, bytes; /* bytes: of texts and blobs */
    struct json *left_out;       /* names with their reason; owned by the caller */
};

/* path must not exist (ERR_CONFLICT). On failure what was written is the caller's to remove. progress
 * may be NULL; its phase is "snapshot". */
MUST_USE enum err_code snapshot_read(struct database *from, const char *path,
                                     migrate_progress_fn *progress, void *ctx,
                                     struct snapshot_told *out, struct err *err);

#endif
