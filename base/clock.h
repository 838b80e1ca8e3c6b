/*
 * clock - time. Wall time for people and records, monotonic time for waits. Any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>

int64_t clock_wall_ms(void);      /* since 1970 UTC */
int64_t clock_monotonic_us(void); /* since an arbitrary start; never goes back */
void clock_sleep_us(int64_t us);  /* at least; goes on after a signal */

#define CLOCK_TEXT_BYTES 32
/* RFC 3339 in UTC with milliseconds, "2026-11-21T08:30:00.250Z"; returns out. */
const char *clock_text(int64_t wall_ms, char out[CLOCK_TEXT_BYTES]);

/* The time of "2026-01-31T18:00:00Z", "2026-01-31T18:00+01:00" (RFC 3339, seconds and their parts may be left
 * out) or "2026-01-31" (its first moment, UTC). false: it is none. */
bool clock_parse(const char *text, int64_t *wall_ms);
/* "850 ms", "12.3 s", "4 min 10 s", "3 h 5 min"; returns out. */
const char *clock_span_text(int64_t us, char out[CLOCK_TEXT_BYTES]);

#endif
