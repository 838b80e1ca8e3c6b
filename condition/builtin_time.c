/*
 * builtin_time - the fields of timestamps and durations.
 */
#include "condition/moment.h"
#include "condition/program.h"
#include "condition/value.h"

#include <string.h>

/* The offset that the zone argument means at that moment. */
static enum cel_fault zone_offset(struct cel_frame *f, const struct condition_value *zone,
                                  int64_t seconds, int32_t *offset)
{
    struct cel_text name = {zone->as.bytes, zone->size};

    if (zone->kind == CONDITION_OPAQUE && zone->sub == OPAQUE_ZONE) {
        *offset = cel_zone_offset(zone->as.opaque, seconds);
        return FAULT_NONE;
    }
    if (cel_zone_fixed(name.at, name.len, offset))
        return FAULT_NONE;
    for (const struct cel_env_zone *z = f->program->zones; z; z = z->next)
        if (cel_text_same(z->name, name)) {
            *offset = cel_zone_offset(z->zone, seconds);
            return FAULT_NONE;
        }
    return cel_fault_text(f, "there is no time zone '%.*s'", (int)(name.len > 60 ? 60 : name.len),
                          name.at);
}

static enum cel_fault calendar(struct cel_frame *f, const struct condition_value *args,
                               uint32_t count, struct cel_calendar *out)
{
    int32_t offset = 0;
    enum cel_fault fault;

    if (count < 1 || count > 2 || args[0].kind != CONDITION_TIMESTAMP ||
        (count == 2 && args[1].kind != CONDITION_STRING &&
         !(args[1].kind == CONDITION_OPAQUE && args[1].sub == OPAQUE_ZONE)))
        return cel_fault_overload(f, args, count);
    if (count == 2) {
        fault = zone_offset(f, &args[1], args[0].as.i, &offset);
        if (fault)
            return fault;
    }
    cel_calendar_of(args[0].as.i + offset, out);
    return FAULT_NONE;
}

#define FIELD(name, expression)                                                                    \
    enum cel_fault cel_fn_##name(struct cel_frame *f, struct condition_value *args,                \
                                 uint32_t count)                                                   \
    {                                                                                              \
        struct cel_calendar c;                                                                     \
        enum cel_fault fault = calendar(f, args, count, &c);                                       \
        if (!fault)                                                                                \
            args[0] = condition_int(expression);                                                   \
        return fault;                                                                              \
    }

FIELD(get_full_year, c.year)
FIELD(get_month, c.month - 1)
FIELD(get_date, c.day)
FIELD(get_day_of_month, c.day - 1)
FIELD(get_day_of_week, c.weekday)
FIELD(get_day_of_year, c.year_day)

/* A duration in whole units; milliseconds are what is left beside the seconds. */
static bool of_duration(struct condition_value *args, uint32_t count, int64_t seconds)
{
    if (count != 1 || args[0].kind != CONDITION_DURATION)
        return false;
    args[0] = condition_int(args[0].as.i / seconds);
    return true;
}

enum cel_fault cel_fn_get_hours(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    struct cel_calendar c;
    enum cel_fault fault = FAULT_NONE;

    if (!of_duration(args, count, 3600) && !(fault = calendar(f, args, count, &c)))
        args[0] = condition_int(c.hour);
    return fault;
}

enum cel_fault cel_fn_get_minutes(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    struct cel_calendar c;
    enum cel_fault fault = FAULT_NONE;

    if (!of_duration(args, count, 60) && !(fault = calendar(f, args, count, &c)))
        args[0] = condition_int(c.minute);
    return fault;
}

enum cel_fault cel_fn_get_seconds(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    struct cel_calendar c;
    enum cel_fault fault = FAULT_NONE;

    if (!of_duration(args, count, 1) && !(fault = calendar(f, args, count, &c)))
        args[0] = condition_int(c.second);
    return fault;
}

enum cel_fault cel_fn_get_milliseconds(struct cel_frame *f, struct condition_value *args,
                                       uint32_t count)
{
    struct cel_calendar c;
    enum cel_fault fault = FAULT_NONE;
    int32_t millis = cel_nanos(&args[0]) / 1000000;

    if (count == 1 && args[0].kind == CONDITION_DURATION)
        args[0] = condition_int(millis);
    else if (!(fault = calendar(f, args, count, &c)))
        args[0] = condition_int(millis);
    return fault;
}
