/*
 * folder - the migrations of a project: read from a folder or handed over in memory, in order.
 *
 *     0001_name.sql            plain SQL, one step
 *     0002_name/up.sql         one step, with down.sql a way back
 *     0003_name/migration.json a phased migration (phased.h), with or without hand-written files
 *
 * Knows nothing of the database.
 */
#ifndef MIGRATOR_FOLDER_H
#define MIGRATOR_FOLDER_H

#include <stddef.h>

#include "base/arena.h"
#include "base/digest.h"
#include "base/err.h"
#include "base/str.h"
#include "migrator/folder/phased.h"
#include "migrator/migrate.h"

struct handwritten;

enum migration_kind { MIGRATION_PLAIN, MIGRATION_UP_DOWN, MIGRATION_PHASED };

struct migration {
    const char *name; /* as the ledger has it: with ".sql" for a plain file */
    long number;
    enum migration_kind kind;
    struct str up, down;             /* down.at NULL: no way back */
    const struct phased *phased;     /* PHASED alone */
    const struct handwritten *hand;  /* PHASED with files of its own, or NULL */
    char checksum[DIGEST_HEX_BYTES]; /* line endings and trailing blanks do not count */
};

struct folder {
    struct arena arena; /* owns all of it */
    struct migration *at;
    size_t count, room;
};

const char *migration_kind_name(enum migration_kind kind); /* "plain", "up-down", "phased" */

/* ERR_NOT_FOUND: no such folder. ERR_INVALID: equal numbers, a half-written migration, another
 * tool's folder; the message names the file. Free with folder_fini() in any case. */
MUST_USE enum err_code folder_read(const char *path, struct folder *out, struct err *err);
MUST_USE enum err_code folder_take(const struct migrate_file *files, struct folder *out,
                                   struct err *err);
void folder_fini(struct folder *folder);

/* The migration called "0002", "2", "0002_name" or by its whole name. ERR_NOT_FOUND with the
 * nearest name. */
MUST_USE enum err_code folder_find(const struct folder *folder, const char *name, size_t *index,
                                   struct err *err);

#endif
