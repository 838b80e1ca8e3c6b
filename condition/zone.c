/*
 * zone - time zones: fixed offsets, and the system's zoneinfo files (RFC 8536, version 2 and
 * later, with the POSIX rule in the footer for times after the table).
 */
#include "condition/moment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ZONE_FILE_MAX (1u << 20)
#define ZONE_DIRECTORY "/usr/share/zoneinfo/"
#define ZONE_NAME_MAX 63u

/* A rule of the footer: the n-th (5: last) weekday of a month, a Julian day, a day of the year. */
struct rule {
    char form; /* 'M', 'J', 'N' */
    int month, week, day;
    int32_t seconds; /* local time of day */
};

struct cel_zone {
    uint32_t count;
    int64_t *times; /* ascending; from times[i] on offsets[i] holds */
    int32_t *offsets;
    int32_t first; /* before times[0] */
    bool has_rule, has_dst;
    bool nomem; /* why it could not be read */
    int32_t standard, summer;
    struct rule start, end;
};

bool cel_zone_fixed(const char *text, size_t len, int32_t *offset)
{
    size_t at = 0, digits = 0;
    int32_t hours = 0, minutes = 0, sign = 1;

    *offset = 0;
    if (len == 0 || (len == 3 && memcmp(text, "UTC", 3) == 0))
        return true;
    if (text[0] == '+' || text[0] == '-')
        sign = text[at++] == '-' ? -1 : 1;
    for (; at < len && text[at] >= '0' && text[at] <= '9' && digits < 2; at++, digits++)
        hours = hours * 10 + (text[at] - '0');
    if (digits == 0 || len - at != 3 || text[at] != ':' || text[at + 1] < '0' ||
        text[at + 1] > '5' || text[at + 2] < '0' || text[at + 2] > '9' || hours > 23)
        return false;
    minutes = (text[at + 1] - '0') * 10 + (text[at + 2] - '0');
    *offset = sign * (hours * 3600 + minutes * 60);
    return true;
}

/* ---- the footer: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

static bool number(const char **at, int32_t *out)
{
    int32_t n = 0;
    const char *from = *at;

    while (**at >= '0' && **at <= '9' && n < 100000)
        n = n * 10 + (*(*at)++ - '0');
    *out = n;
    return *at > from;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool clock_time(const char **at, int32_t *out)
{
    int32_t sign = 1, part, scale = 3600;

    if (**at == '+' || **at == '-')
        sign = *(*at)++ == '-' ? -1 : 1;
    *out = 0;
    for (;;) {
        if (!number(at, &part) || part > 167 * 3600 / scale)
            return false;
        *out += part * scale;
        if (**at != ':' || scale == 1)
            break;
        (*at)++;
        scale /= 60;
    }
    *out *= sign;
    return true;
}

static bool zone_name(const char **at)
{
    const char *from = *at;

    if (**at == '<') {
        const char *close = strchr(*at, '>');
        if (!close)
            return false;
        *at = close + 1;
        return true;
    }
    while ((**at >= 'a' && **at <= 'z') || (**at >= 'A' && **at <= 'Z'))
        (*at)++;
    return *at > from;
}

static bool read_rule(const char **at, struct rule *out)
{
    int32_t n;

    if (**at != ',')
        return false;
    (*at)++;
    out->form = **at == 'M' || **at == 'J' ? *(*at)++ : 'N';
    if (!number(at, &n))
        return false;
    out->day = n;
    if (out->form == 'M') {
        out->month = n;
        if (n < 1 || n > 12 || *(*at)++ != '.' || !number(at, &n) || n < 1 || n > 5)
            return false;
        out->week = n;
        if (*(*at)++ != '.' || !number(at, &n) || n > 6)
            return false;
        out->day = n;
    }
    out->seconds = 7200;
    if (**at == '/') {
        (*at)++;
        return clock_time(at, &out->seconds);
    }
    return true;
}

static void read_footer(struct cel_zone *zone, const char *at)
{
    int32_t west;

    if (!zone_name(&at) || !clock_time(&at, &west))
        return;
    zone->standard = -west;
    zone->summer = zone->standard + 3600;
    zone->has_rule = true;
    if (!*at)
        return;
    if (!zone_name(&at))
        return;
    if (*at != ',') {
        if (!clock_time(&at, &west))
            return;
        zone->summer = -west;
    }
    zone->has_dst = read_rule(&at, &zone->start) && read_rule(&at, &zone->end);
}

/* Seconds of local time since 1970 at which the rule takes effect in year. */
static int64_t rule_time(const struct rule *rule, int64_t year)
{
    int64_t days = cel_days_from_civil(year, 1, 1);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    if (rule->form == 'M') {
        int64_t first = cel_days_from_civil(year, rule->month, 1);
        int64_t next = rule->month == 12 ? cel_days_from_civil(year + 1, 1, 1)
                                         : cel_days_from_civil(year, rule->month + 1, 1);
        int weekday = (int)(((first + 4) % 7 + 7) % 7);
        days = first + (rule->day - weekday + 7) % 7 + (rule->week - 1) * 7;
        while (days >= next)
            days -= 7;
    } else if (rule->form == 'J') { /* 1..365, 29 February is not counted */
        days += rule->day - 1 + (leap && rule->day >= 60);
    } else {
        days += rule->day;
    }
    return days * 86400 + rule->seconds;
}

static int32_t rule_offset(const struct cel_zone *zone, int64_t seconds)
{
    struct cel_calendar c;
    int64_t start, end;

    if (!zone->has_dst)
        return zone->standard;
    cel_calendar_of(seconds + zone->standard, &c);
    start = rule_time(&zone->start, c.year) - zone->standard;
    end = rule_time(&zone->end, c.year) - zone->summer;
    if (start < end)
        return seconds >= start && seconds < end ? zone->summer : zone->standard;
    return seconds >= end && seconds < start ? zone->standard : zone->summer;
}

int32_t cel_zone_offset(const struct cel_zone *zone, int64_t seconds)
{
    uint32_t low = 0, high = zone->count;

    if (zone->count == 0 || seconds >= zone->times[zone->count - 1]) {
        if (zone->has_rule)
            return rule_offset(zone, seconds);
        return zone->count ? zone->offsets[zone->count - 1] : zone->first;
    }
    while (low < high) { /* the first transition after seconds */
        uint32_t middle = low + (high - low) / 2;
        if (zone->times[middle] <= seconds)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? zone->offsets[low - 1] : zone->first;
}

/* ---- the file ---- */

static uint32_t be32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

struct header {
    uint32_t isutc, isstd, leap, time, type, chars;
};

static bool read_header(const unsigned char *at, size_t left, struct header *h)
{
    if (left < 44 || memcmp(at, "TZif", 4) != 0)
        return false;
    h->isutc = be32(at + 20);
    h->isstd = be32(at + 24);
    h->leap = be32(at + 28);
    h->time = be32(at + 32);
    h->type = be32(at + 36);
    h->chars = be32(at + 40);
    return h->isutc <= 256 && h->isstd <= 256 && h->leap <= 1000 && h->time <= 20000 &&
           h->type >= 1 && h->type <= 256 && h->chars <= 4096;
}

static size_t body_bytes(const struct header *h, size_t time_bytes)
{
    return h->time * time_bytes + h->time + h->type * 6u + h->chars + h->leap * (time_bytes + 4u) +
           h->isstd + h->isutc;
}

static bool fill(struct cel_zone *zone, const unsigned char *at, const struct header *h)
{
    const unsigned char *indexes = at + (size_t)h->time * 8, *types = indexes + h->time;

    zone->times = calloc(h->time + 1u, sizeof *zone->times);
    zone->offsets = calloc(h->time + 1u, sizeof *zone->offsets);
    if (!zone->times || !zone->offsets) {
        zone->nomem = true;
        return false;
    }
    zone->count = h->time;
    zone->first = (int32_t)be32(types);
    for (uint32_t i = 0; i < h->time; i++) {
        uint64_t time = (uint64_t)be32(at + (size_t)i * 8) << 32 | be32(at + (size_t)i * 8 + 4);
        if (indexes[i] >= h->type)
            return false;
        zone->times[i] = (int64_t)time;
        zone->offsets[i] = (int32_t)be32(types + indexes[i] * 6u);
    }
    return true;
}

static bool parse_zone(struct cel_zone *zone, const unsigned char *data, size_t len)
{
    struct header h;
    size_t skip, body;
    char footer[128];

    if (!read_header(data, len, &h) || data[4] < '2')
        return false;
    skip = 44 + body_bytes(&h, 4); /* the part for 32 bits is passed over */
    if (skip > len || !read_header(data + skip, len - skip, &h))
        return false;
    skip += 44;
    body = body_bytes(&h, 8);
    if (len - skip < body || !fill(zone, data + skip, &h))
        return false;
    skip += body;
    if (skip < len && data[skip] == '\n') {
        size_t n = 0;
        while (skip + 1 + n < len && data[skip + 1 + n] != '\n' && n + 1 < sizeof footer) {
            footer[n] = (char)data[skip + 1 + n];
            n++;
        }
        footer[n] = '\0';
        read_footer(zone, footer);
    }
    return true;
}

/* The file's path; false where the name could lead out of the directory: no dots at all. */
static bool zone_path(const char *name, size_t len,
                      char path[sizeof ZONE_DIRECTORY + ZONE_NAME_MAX])
{
    if (len == 0 || len > ZONE_NAME_MAX)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= 'A' && name[i] <= 'Z') ||
              (name[i] >= '0' && name[i] <= '9') || name[i] == '_' || name[i] == '-' ||
              name[i] == '+' || (name[i] == '/' && i > 0)))
            return false;
    memcpy(path, ZONE_DIRECTORY, sizeof ZONE_DIRECTORY - 1);
    memcpy(path + sizeof ZONE_DIRECTORY - 1, name, len);
    path[sizeof ZONE_DIRECTORY - 1 + len] = '\0';
    return true;
}

/* The bytes of a file that is no larger than a zone's may be; 0 for anything else. */
static size_t zone_bytes(FILE *file)
{
    struct stat st;

    return fstat(fileno(file), &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 &&
                   st.st_size <= (off_t)ZONE_FILE_MAX
               ? (size_t)st.st_size
               : 0;
}

struct cel_zone *cel_zone_load(const char *name, size_t len, bool *nomem)
{
    char path[sizeof ZONE_DIRECTORY + ZONE_NAME_MAX];
    struct cel_zone *zone = NULL;
    unsigned char *data = NULL;
    size_t bytes = 0;
    FILE *file;

    *nomem = false;
    if (!zone_path(name, len, path))
        return NULL;
    file = fopen(path, "rb");
    if (file)
        bytes = zone_bytes(file);
    if (bytes) {
        data = malloc(bytes);
        zone = calloc(1, sizeof *zone);
    }
    *nomem = (bytes && (!data || !zone)) || (!file && errno == ENOMEM);
    if (*nomem || !bytes || !parse_zone(zone, data, fread(data, 1, bytes, file))) {
        *nomem |= zone && zone->nomem;
        cel_zone_free(zone);
        zone = NULL;
    }
    if (file)
        fclose(file);
    free(data);
    return zone;
}

void cel_zone_free(struct cel_zone *zone)
{
    if (!zone)
        return;
    free(zone->times);
    free(zone->offsets);
    free(zone);
}
