#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

int64_t clock_wall_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_monotonic_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void clock_sleep_us(int64_t us)
{
    struct timespec end;

    if (us <= 0) {
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)(us / 1000000);
    end.tv_nsec += (long)(us % 1000000) * 1000;
    if (end.tv_nsec >= 1000000000L) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000L;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR) {
    }
}

const char *clock_text(int64_t wall_ms, char out[CLOCK_TEXT_BYTES])
{
    int64_t ms = wall_ms % 1000;
    time_t seconds;
    struct tm tm;

    ms = ms < 0 ? ms + 1000 : ms;
    seconds = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0)); /* rounded down */
    if (gmtime_r(&seconds, &tm) == NULL || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900) {
        snprintf(out, CLOCK_TEXT_BYTES, "out of range"); /* RFC 3339 has four digits for a year */
        return out;
    }
    snprintf(out, CLOCK_TEXT_BYTES, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
             (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
             (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
             (unsigned)tm.tm_sec % 100, (unsigned)ms % 1000);
    return out;
}

static int64_t rounded(int64_t us, int64_t unit_us)
{
    return us < 0 ? 0 : us / unit_us + (us % unit_us >= unit_us / 2);
}

const char *clock_span_text(int64_t us, char out[CLOCK_TEXT_BYTES])
{
    /* The unit is chosen by the rounded value, so that nothing reads "60.0 s". */
    int64_t ms = rounded(us, 1000), tenths = rounded(us, 100000);
    int64_t s = rounded(us, 1000000), min = rounded(us, 60000000);

    if (ms < 1000) {
        snprintf(out, CLOCK_TEXT_BYTES, "%d ms", (int)ms);
    } else if (tenths < 600) {
        snprintf(out, CLOCK_TEXT_BYTES, "%d.%d s", (int)(tenths / 10), (int)(tenths % 10));
    } else if (s < 3600) {
        snprintf(out, CLOCK_TEXT_BYTES, "%d min %d s", (int)(s / 60), (int)(s % 60));
    } else {
        snprintf(out, CLOCK_TEXT_BYTES, "%lld h %d min", (long long)(min / 60), (int)(min % 60));
    }
    return out;
}

/* ---- reading ---- */

/* So many digits, as a number; false: there are others. */
static bool take_digits(const char **at, int count, int *out)
{
    *out = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9') {
            return false;
        }
        *out = *out * 10 + (**at - '0');
    }
    return true;
}

static bool take_char(const char **at, char wanted)
{
    if (**at != wanted) {
        return false;
    }
    (*at)++;
    return true;
}

/* Days since 1970 of a date of the Gregorian calendar; false: there is none such. */
static bool days_of(int year, int month, int day, int64_t *out)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    int64_t before = year - 1, days;

    if (year < 1 || month < 1 || month > 12 || day < 1 ||
        day > lengths[month - 1] + (month == 2 && leap)) {
        return false;
    }
    days = before * 365 + before / 4 - before / 100 + before / 400 - 719162;
    for (int m = 1; m < month; m++) {
        days += lengths[m - 1] + (m == 2 && leap);
    }
    *out = days + day - 1;
    return true;
}

/* "Z", "+01:00": in minutes. */
static bool take_offset(const char **at, int *out)
{
    int hours, minutes, sign = **at == '-' ? -1 : 1;

    *out = 0;
    if (take_char(at, 'Z')) {
        return true;
    }
    if (!take_char(at, '+') && !take_char(at, '-')) {
        return false;
    }
    if (!take_digits(at, 2, &hours) || !take_char(at, ':') || !take_digits(at, 2, &minutes) ||
        hours > 23 || minutes > 59) {
        return false;
    }
    *out = sign * (hours * 60 + minutes);
    return true;
}

bool clock_parse(const char *text, int64_t *wall_ms)
{
    int year, month, day, hour, minute, second = 0, offset, ms = 0;
    int64_t days;

    if (!take_digits(&text, 4, &year) || !take_char(&text, '-') || !take_digits(&text, 2, &month) ||
        !take_char(&text, '-') || !take_digits(&text, 2, &day) ||
        !days_of(year, month, day, &days)) {
        return false;
    }
    if (*text == '\0') {
        *wall_ms = days * 86400000;
        return true;
    }
    if (!take_char(&text, 'T') || !take_digits(&text, 2, &hour) || !take_char(&text, ':') ||
        !take_digits(&text, 2, &minute)) {
        return false;
    }
    if (take_char(&text, ':') && !take_digits(&text, 2, &second)) {
        return false;
    }
    if (take_char(&text, '.')) {
        for (int scale = 100; *text >= '0' && *text <= '9'; text++, scale /= 10) {
            ms += scale * (*text - '0');
        }
    }
    if (hour > 23 || minute > 59 || second > 59 || !take_offset(&text, &offset) || *text != '\0') {
        return false;
    }
    *wall_ms = ((days * 24 + hour) * 60 + minute - offset) * 60000 + second * 1000 + ms;
    return true;
}
