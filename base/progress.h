/*
 * progress - how far long work has come, on stderr: on a terminal one line that redraws, in a log
 * one line every few seconds. Quiet with --json unless stderr is a terminal. One thread.
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *what; /* "backfill 0002_split" */
    int64_t started_us, shown_us;
    uint64_t first_done; /* done at the start, so that a resumed run shows its own rate */
    bool terminal, quiet, drawn;
};

void progress_init(struct progress *progress, const char *what, uint64_t done, bool quiet);
/* Shows rows done of total (0: unknown), rate and time left, if it is time to. */
void progress_show(struct progress *progress, uint64_t done, uint64_t total);
void progress_end(struct progress *progress, uint64_t done); /* final line, with the time taken */

#endif
