/*
 * plain - migrations of one step: a plain SQL file, or up.sql with a down.sql.
 */
#ifndef MIGRATOR_PLAIN_H
#define MIGRATOR_PLAIN_H

#include "migrator/session/session.h"

/* Looks at the SQL before it runs, against the schema of the moment. ERR_INVALID: own BEGIN, a
 * PRAGMA, ATTACH, VACUUM, nothing at all. ERR_CONFLICT: it would drop a table whose references
 * would then delete or empty rows of other tables; they are named with their counts. */
MUST_USE enum err_code plain_analyse(struct database *db, const char *name, struct str sql,
                                     struct err *err);

/* Adds to notes whose rows a DELETE or REPLACE would take along or cut off, with their number: what
 * nobody sees in the SQL itself. In plain_notes.c. */
MUST_USE enum err_code plain_notes(struct database *db, struct str sql, struct json *notes,
                                   struct err *err);

/* What the engine may take apart, in plain_import.c. Adds a note for each such statement. */
MUST_USE enum err_code plain_hazard_notes(struct database *db, struct str sql, struct json *notes,
                                          struct err *err);
/* Where a statement may be taken apart and everybody may be kept out: the work goes as a file. What was
 * there, and that it began, is in the history before; what it became, in the file's own transaction. */
MUST_USE enum err_code plain_import(struct migrate *m, size_t index, struct str sql,
                                    struct work *work, struct err *err);
/* Says in the error how it may go after all, where that is so. */
void plain_import_hint(const struct migrate *m, struct str sql, enum err_code rc, struct err *err);

/* Runs up (or down) and records it, as one batch; adds to steps. */
MUST_USE enum err_code plain_apply(struct migrate *m, size_t index, struct json *steps,
                                   struct err *err);
MUST_USE enum err_code plain_rollback(struct migrate *m, size_t index, struct json *steps,
                                      struct err *err);

#endif
