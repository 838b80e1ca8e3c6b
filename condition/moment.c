/*
 * moment - see moment.h. The calendar is the proleptic Gregorian one.
 */
#include "condition/moment.h"

#include "condition/number.h"

#include <stdio.h>
#include <string.h>

#define NANOS 1000000000

/* Days since 1970-01-01. Years are counted from March, so that the leap day comes last. */
int64_t cel_days_from_civil(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

void cel_calendar_of(int64_t seconds, struct cel_calendar *out)
{
    int64_t days = seconds / 86400, rest = seconds % 86400;
    int64_t z, era, day_of_era, year_of_era, day_of_year, shifted;

    if (rest < 0) {
        rest += 86400;
        days--;
    }
    out->hour = (int)(rest / 3600);
    out->minute = (int)(rest / 60 % 60);
    out->second = (int)(rest % 60);
    out->weekday = (int)(((days + 4) % 7 + 7) % 7);
    z = days + 719468;
    era = (z >= 0 ? z : z - 146096) / 146097;
    day_of_era = z - era * 146097;
    year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    shifted = (5 * day_of_year + 2) / 153;
    out->day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
    out->month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    out->year = year_of_era + era * 400 + (out->month <= 2);
    out->year_day = (int)(days - cel_days_from_civil(out->year, 1, 1));
}

/* ---- timestamps ---- */

static bool digits(const char **at, const char *end, unsigned count, int *out)
{
    int n = 0;

    for (unsigned i = 0; i < count; i++) {
        if (*at >= end || **at < '0' || **at > '9')
            return false;
        n = n * 10 + (**at - '0');
        (*at)++;
    }
    *out = n;
    return true;
}

static bool literal(const char **at, const char *end, char upper)
{
    if (*at >= end || (**at != upper && **at != (upper | 0x20)))
        return false;
    (*at)++;
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

static bool parse_fraction(const char **at, const char *end, int32_t *nanos)
{
    int32_t scale = 100000000;
    const char *start;

    *nanos = 0;
    if (*at >= end || **at != '.')
        return true;
    start = ++*at;
    while (*at < end && **at >= '0' && **at <= '9') {
        *nanos += (**at - '0') * scale; /* digits past the ninth are cut: scale is 0 */
        scale /= 10;
        (*at)++;
    }
    return *at > start;
}

static bool parse_offset(const char **at, const char *end, int *offset)
{
    int hours, minutes, sign;

    *offset = 0;
    if (literal(at, end, 'Z'))
        return true;
    if (*at >= end || (**at != '+' && **at != '-'))
        return false;
    sign = **at == '-' ? -1 : 1;
    (*at)++;
    if (!digits(at, end, 2, &hours) || !literal(at, end, ':') || !digits(at, end, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *offset = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool cel_timestamp_parse(const char *text, size_t len, struct condition_value *out, bool *range)
{
    const char *at = text, *end = text + len;
    int year, month, day, hour, minute, second, offset;
    int32_t nanos;
    int64_t seconds;

    *range = false;
    if (!digits(&at, end, 4, &year))
        return false;
    if (at < end && *at >= '0' && *at <= '9') { /* year 10000 and after */
        *range = true;
        return false;
    }
    if (!literal(&at, end, '-') || !digits(&at, end, 2, &month) || !literal(&at, end, '-') ||
        !digits(&at, end, 2, &day) || !literal(&at, end, 'T') || !digits(&at, end, 2, &hour) ||
        !literal(&at, end, ':') || !digits(&at, end, 2, &minute) || !literal(&at, end, ':') ||
        !digits(&at, end, 2, &second) || !parse_fraction(&at, end, &nanos) ||
        !parse_offset(&at, end, &offset) || at != end)
        return false;
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || hour > 23 ||
        minute > 59 || second > 59)
        return false;
    seconds =
        cel_days_from_civil(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
    *range = !cel_timestamp_make(seconds, nanos, out);
    return !*range;
}

bool cel_timestamp_make(int64_t seconds, int64_t nanos, struct condition_value *out)
{
    int64_t carry = nanos / NANOS;
    int32_t rest = (int32_t)(nanos % NANOS);

    if (rest < 0) {
        rest += NANOS;
        carry--;
    }
    if (__builtin_add_overflow(seconds, carry, &seconds) || seconds < CEL_TIMESTAMP_MIN ||
        seconds > CEL_TIMESTAMP_MAX)
        return false;
    *out = condition_timestamp(seconds, rest);
    return true;
}

/* ---- durations ---- */

struct condition_value cel_duration_make(int64_t nanos)
{
    return condition_duration(nanos / NANOS, (int32_t)(nanos % NANOS));
}

bool cel_duration_nanos(const struct condition_value *v, int64_t *nanos)
{
    return !__builtin_mul_overflow(v->as.i, (int64_t)NANOS, nanos) &&
           !__builtin_add_overflow(*nanos, (int64_t)(int32_t)v->size, nanos);
}

static int64_t unit_nanos(const char **at, const char *end)
{
    static const struct {
        const char *name;
        int64_t nanos;
    } units[] = {
        {"ns", 1},       {"us", 1000}, {"\xC2\xB5s", 1000},        {"\xCE\xBCs", 1000},
        {"ms", 1000000}, {"s", NANOS}, {"m", INT64_C(60) * NANOS}, {"h", INT64_C(3600) * NANOS}};

    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t n = strlen(units[i].name);
        if ((size_t)(end - *at) >= n && memcmp(*at, units[i].name, n) == 0) {
            *at += n;
            return units[i].nanos;
        }
    }
    return 0;
}

bool cel_duration_parse(const char *text, size_t len, struct condition_value *out)
{
    const char *at = text, *end = text + len;
    bool negative = false;
    int64_t total = 0;

    if (at < end && (*at == '-' || *at == '+'))
        negative = *at++ == '-';
    if (at == end)
        return false;
    if (end - at == 1 && *at == '0') {
        *out = condition_duration(0, 0);
        return true;
    }
    while (at < end) {
        int64_t whole = 0, unit, part;
        const char *point = NULL;
        unsigned digit_count = 0;
        for (; at < end && *at >= '0' && *at <= '9'; at++, digit_count++)
            if (__builtin_mul_overflow(whole, 10, &whole) ||
                __builtin_add_overflow(whole, *at - '0', &whole))
                return false;
        if (at < end && *at == '.') {
            point = ++at;
            for (; at < end && *at >= '0' && *at <= '9'; at++)
                digit_count++;
        }
        if (digit_count == 0)
            return false;
        const char *fraction_end = at;
        unit = unit_nanos(&at, end);
        if (unit == 0 || __builtin_mul_overflow(whole, unit, &part))
            return false;
        int64_t scale = unit;
        for (; point && point < fraction_end && scale > 1; point++) {
            /* each digit is worth a tenth of what the one before it was; units are no powers of
             * ten (60, 3600), but divide by ten often enough for nanoseconds */
            scale /= 10;
            if (__builtin_add_overflow(part, scale * (*point - '0'), &part))
                return false;
        }
        if (__builtin_sub_overflow(total, part, &total)) /* negative: reaches INT64_MIN */
            return false;
    }
    if (!negative && __builtin_sub_overflow((int64_t)0, total, &total))
        return false;
    *out = cel_duration_make(total);
    return true;
}

/* ---- printing ---- */

/* ".5" for 500,000,000; nothing for 0. */
static size_t print_fraction(uint32_t nanos, char *out)
{
    size_t len = 0;

    if (nanos) {
        out[len++] = '.';
        for (uint32_t scale = 100000000; nanos; scale /= 10) {
            out[len++] = (char)('0' + nanos / scale);
            nanos %= scale;
        }
    }
    return len;
}

size_t cel_moment_print(const struct condition_value *v, char out[CEL_MOMENT_TEXT])
{
    size_t len = 0;
    int32_t nanos = (int32_t)v->size;

    if (v->kind == CONDITION_DURATION) {
        uint64_t seconds = v->as.i < 0 ? 0 - (uint64_t)v->as.i : (uint64_t)v->as.i;
        if (v->as.i < 0 || nanos < 0)
            out[len++] = '-';
        len += cel_print_uint(seconds, 10, out + len);
        len += print_fraction((uint32_t)(nanos < 0 ? -nanos : nanos) % NANOS, out + len);
        out[len++] = 's';
    } else {
        struct cel_calendar c;
        cel_calendar_of(v->as.i, &c);
        int n = snprintf(out, CEL_MOMENT_TEXT, "%04d-%02d-%02dT%02d:%02d:%02d", (int)c.year,
                         c.month, c.day, c.hour, c.minute, c.second);
        len = (size_t)n;
        len += print_fraction((uint32_t)(nanos < 0 ? 0 : nanos) % NANOS, out + len);
        out[len++] = 'Z';
    }
    out[len] = '\0';
    return len;
}
