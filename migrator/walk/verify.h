/*
 * verify - whether both shapes say the same in every row: the gate that nobody can override.
 */
#ifndef MIGRATOR_VERIFY_H
#define MIGRATOR_VERIFY_H

#include "migrator/change/change.h"
#include "migrator/session/session.h"

#define VERIFY_ROWS_FIRST 500         /* rows a reading statement; then by the time it takes */
#define VERIFY_ROWS 20000             /* and never more */
#define VERIFY_READ_US 50000          /* a longer reader keeps the write-ahead log from going */
#define VERIFY_ROWS_REMOTE 5000       /* no fewer, where each piece is a request or two */
#define VERIFY_READ_REMOTE_US 1000000 /* the way there and back included */
#define VERIFY_CHECK_REMOTE_ROWS 200000
#define VERIFY_ROWS_BLOCKING 2000       /* where readers keep writers out */
#define VERIFY_READ_BLOCKING_US 5000    /* there a few ms, then a pause */
#define VERIFY_AGE_MAX_MS (3600 * 1000) /* older results count for nothing */
#define VERIFY_SAMPLES 10
#define VERIFY_SAMPLE_CHARACTERS 80 /* of each value */

struct verification {
    int64_t rows, mismatches;  /* neither does new follow from old nor old from new */
    int64_t invalid;           /* outside valid_old */
    int64_t lost;              /* old cannot be made from new again */
    bool lost_accepted;        /* "lossy" */
    int64_t violators;         /* of the constraints that the added columns shall get */
    int64_t broken_references; /* rows of this table whose foreign key finds nothing; for people */
    bool sound;                /* by the engine's own quick check; true where it was not asked */
    bool file_checked;
    bool clean; /* what in-sync demands */
    int64_t at_ms, duration_ms;
    struct json *document; /* all of it, with samples; owned */
};

/* Reads every row. deep: and has the engine check the file. */
MUST_USE enum err_code verify_run(struct migrate *m, size_t index, const struct change *change,
                                  bool deep, struct verification *out, struct err *err);
/* Stores the result with the migration (under the lock). */
MUST_USE enum err_code verify_store(struct migrate *m, size_t index,
                                    const struct verification *result, struct err *err);
/* "3 of 59 rows differ (rowid 7, 9, 12)": what is wrong, for people; "" if nothing. */
void verify_say(const struct verification *result, char *out, size_t size);
void verification_fini(struct verification *result);

#endif
