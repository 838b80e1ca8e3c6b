/*
 * moment - timestamps and durations: text forms, calendar fields, time zones.
 *
 * A timestamp is seconds since 1970 and 0..999,999,999 nanoseconds, from year 1 to year 9999. A
 * duration is what an int64 of nanoseconds holds (about 292 years), kept as seconds and
 * nanoseconds of one sign. Pure functions; any thread; loading a zone is the exception.
 */
#ifndef CONDITION_MOMENT_H
#define CONDITION_MOMENT_H

#include "condition/condition.h"

#define CEL_MOMENT_TEXT 72u                     /* bytes that any printed moment needs */
#define CEL_TIMESTAMP_MIN INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define CEL_TIMESTAMP_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */

/* RFC 3339, with any offset. False if it is none; *range then says that only its year is wrong. */
bool cel_timestamp_parse(const char *text, size_t len, struct condition_value *out, bool *range);
/* "1h30m", "-1.5s", "3us", "0"; false if it is none or does not fit. */
bool cel_duration_parse(const char *text, size_t len, struct condition_value *out);
/* RFC 3339 in UTC, or "1.5s". NUL-terminated; returns the length. */
size_t cel_moment_print(const struct condition_value *v, char out[CEL_MOMENT_TEXT]);

bool cel_duration_nanos(const struct condition_value *v, int64_t *nanos); /* false: does not fit */
struct condition_value cel_duration_make(int64_t nanos);
/* Makes a timestamp of seconds and any number of nanoseconds; false if out of range. */
bool cel_timestamp_make(int64_t seconds, int64_t nanos, struct condition_value *out);

struct cel_calendar {
    int64_t year;
    int month, day; /* from 1 */
    int hour, minute, second;
    int weekday;  /* Sunday is 0 */
    int year_day; /* from 0 */
};
void cel_calendar_of(int64_t seconds, struct cel_calendar *out); /* seconds of local time */
int64_t cel_days_from_civil(int64_t year, int month, int day);

/* ---- zones ---- */

struct cel_zone;

/* "UTC", "", "+02:00", "-2:30", "02:00" to seconds east of UTC; false if text is no fixed offset. */
bool cel_zone_fixed(const char *text, size_t len, int32_t *offset);
/* Reads an IANA zone from the system's zoneinfo. NULL if there is none of that name, or *nomem.
 * Does system calls: at compile time only. */
struct cel_zone *cel_zone_load(const char *name, size_t len, bool *nomem);
void cel_zone_free(struct cel_zone *zone);
int32_t cel_zone_offset(const struct cel_zone *zone, int64_t seconds); /* east of UTC */

#endif
