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
