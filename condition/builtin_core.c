/*
 * builtin_core - sizes, tests on texts, conversions, types.
 */
#include "condition/limits.h"
#include "condition/moment.h"
#include "condition/number.h"
#include "condition/operate.h"
#include "condition/program.h"
#include "condition/value.h"

#include <math.h>
#include <string.h>

/* In the place of a function that takes another number of arguments. */
enum cel_fault cel_fn_no_overload(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    return cel_fault_overload(f, args, count);
}

enum cel_fault cel_fn_size(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    int64_t size;

    switch (args[0].kind) {
    case CONDITION_STRING:
        if (!cel_charge(f, args[0].size))
            return FAULT_STEPS;
        size = (int64_t)cel_utf8_count(args[0].as.bytes, args[0].size);
        break;
    case CONDITION_BYTES:
    case CONDITION_LIST:
    case CONDITION_MAP: size = args[0].size; break;
    default: return cel_fault_overload(f, args, count);
    }
    args[0] = condition_int(size);
    return FAULT_NONE;
}

/* Both arguments of a test on texts. */
static bool two_strings(const struct condition_value *args, uint32_t count)
{
    return count == 2 && args[0].kind == CONDITION_STRING && args[1].kind == CONDITION_STRING;
}

enum cel_fault cel_fn_contains(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    if (!two_strings(args, count))
        return cel_fault_overload(f, args, count);
    /* each place may be compared in full */
    if (!cel_charge(f, (size_t)args[0].size * (args[1].size / 16u + 1u)))
        return FAULT_STEPS;
    args[0] = condition_bool(
        cel_find(args[0].as.bytes, args[0].size, args[1].as.bytes, args[1].size) != NULL);
    return FAULT_NONE;
}

static enum cel_fault test_end(struct cel_frame *f, struct condition_value *args, uint32_t count,
                               bool front)
{
    uint32_t skip, n;

    if (!two_strings(args, count))
        return cel_fault_overload(f, args, count);
    n = args[1].size;
    if (!cel_charge(f, n))
        return FAULT_STEPS;
    skip = front || n > args[0].size ? 0 : args[0].size - n;
    args[0] = condition_bool(n <= args[0].size &&
                             (n == 0 || memcmp(args[0].as.bytes + skip, args[1].as.bytes, n) == 0));
    return FAULT_NONE;
}

enum cel_fault cel_fn_starts_with(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    return test_end(f, args, count, true);
}

enum cel_fault cel_fn_ends_with(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    return test_end(f, args, count, false);
}

/* A pattern that is not constant: only where the host allowed it. */
enum cel_fault cel_fn_matches(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    struct cel_regex *regex;
    enum cel_fault fault;
    char msg[120];
    size_t at;

    if (!two_strings(args, count))
        return cel_fault_overload(f, args, count);
    switch (cel_regex_compile(args[1].as.bytes, args[1].size, &regex, msg, sizeof msg, &at)) {
    case REGEX_OK: break;
    case REGEX_NOMEM: return cel_fault_text(f, "out of memory");
    default: return cel_fault_text(f, "bad regular expression: %s", msg);
    }
    fault = cel_charge(f, 1000) ? cel_match(f, args, regex) : FAULT_STEPS;
    cel_regex_free(regex);
    return fault;
}

/* ---- conversions ---- */

static enum cel_fault no_conversion(struct cel_frame *f, const struct condition_value *v,
                                    const char *to)
{
    char text[60];

    if (f->wants_text)
        condition_value_print(v, text, sizeof text);
    else
        *text = '\0';
    return cel_fault_text(f, "%s is no %s", text, to);
}

static enum cel_fault out_of_range(struct cel_frame *f, const struct condition_value *v,
                                   const char *to)
{
    char text[60];

    if (f->wants_text)
        condition_value_print(v, text, sizeof text);
    else
        *text = '\0';
    return cel_fault_text(f, "%s is out of the range of %s", text, to);
}

enum cel_fault cel_fn_to_bool(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    static const char *const yes[] = {"1", "t", "T", "TRUE", "true", "True"};
    static const char *const no[] = {"0", "f", "F", "FALSE", "false", "False"};
    struct cel_text text = {args[0].as.bytes, args[0].size};

    if (count == 1 && args[0].kind == CONDITION_BOOL)
        return FAULT_NONE;
    if (count != 1 || args[0].kind != CONDITION_STRING)
        return cel_fault_overload(f, args, count);
    for (size_t i = 0; i < 6; i++)
        if (cel_text_is(text, yes[i]) || cel_text_is(text, no[i])) {
            args[0] = condition_bool(cel_text_is(text, yes[i]));
            return FAULT_NONE;
        }
    return no_conversion(f, args, "bool");
}

enum cel_fault cel_fn_to_int(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    int64_t i;

    if (count != 1)
        return cel_fault_overload(f, args, count);
    switch (args[0].kind) {
    case CONDITION_INT: return FAULT_NONE;
    case CONDITION_UINT:
        if (args[0].as.u > INT64_MAX)
            return out_of_range(f, args, "int");
        i = (int64_t)args[0].as.u;
        break;
    case CONDITION_DOUBLE: /* 2^63 and -2^63 are excluded: they may have been rounded to */
        if (!(args[0].as.d > -9223372036854775808.0 && args[0].as.d < 9223372036854775808.0))
            return out_of_range(f, args, "int");
        i = (int64_t)args[0].as.d;
        break;
    case CONDITION_STRING:
        if (!cel_parse_int(args[0].as.bytes, args[0].size, &i))
            return no_conversion(f, args, "int");
        break;
    case CONDITION_TIMESTAMP: i = args[0].as.i; break;
    default: return cel_fault_overload(f, args, count);
    }
    args[0] = condition_int(i);
    return FAULT_NONE;
}

enum cel_fault cel_fn_to_uint(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    uint64_t u;

    if (count != 1)
        return cel_fault_overload(f, args, count);
    switch (args[0].kind) {
    case CONDITION_UINT: return FAULT_NONE;
    case CONDITION_INT:
        if (args[0].as.i < 0)
            return out_of_range(f, args, "uint");
        u = (uint64_t)args[0].as.i;
        break;
    case CONDITION_DOUBLE:
        if (!(args[0].as.d >= 0.0 && args[0].as.d < 18446744073709551616.0))
            return out_of_range(f, args, "uint");
        u = (uint64_t)args[0].as.d;
        break;
    case CONDITION_STRING:
        if (!cel_parse_uint(args[0].as.bytes, args[0].size, &u))
            return no_conversion(f, args, "uint");
        break;
    default: return cel_fault_overload(f, args, count);
    }
    memset(&args[0], 0, sizeof args[0]);
    args[0].kind = CONDITION_UINT;
    args[0].as.u = u;
    return FAULT_NONE;
}

enum cel_fault cel_fn_to_double(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    double d;

    if (count != 1)
        return cel_fault_overload(f, args, count);
    switch (args[0].kind) {
    case CONDITION_DOUBLE: return FAULT_NONE;
    case CONDITION_INT: d = (double)args[0].as.i; break;
    case CONDITION_UINT: d = (double)args[0].as.u; break;
    case CONDITION_STRING:
        if (!cel_parse_double(args[0].as.bytes, args[0].size, &d))
            return no_conversion(f, args, "double");
        break;
    default: return cel_fault_overload(f, args, count);
    }
    args[0] = condition_double(d);
    return FAULT_NONE;
}

enum cel_fault cel_fn_to_string(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    char text[CEL_MOMENT_TEXT];
    const struct cel_semver *semver = args[0].as.opaque;
    size_t len;

    if (count != 1)
        return cel_fault_overload(f, args, count);
    switch (args[0].kind) {
    case CONDITION_STRING: return FAULT_NONE;
    case CONDITION_BOOL:
        args[0] = args[0].as.truth ? condition_string("true", 4) : condition_string("false", 5);
        return FAULT_NONE;
    case CONDITION_BYTES:
        if (!cel_charge(f, args[0].size))
            return FAULT_STEPS;
        if (!cel_utf8_valid(args[0].as.bytes, args[0].size))
            return cel_fault_text(f, "these bytes are not valid UTF-8");
        args[0].kind = CONDITION_STRING;
        return FAULT_NONE;
    case CONDITION_INT: len = cel_print_int(args[0].as.i, text); break;
    case CONDITION_UINT: len = cel_print_uint(args[0].as.u, 10, text); break;
    case CONDITION_DOUBLE: len = cel_print_double(args[0].as.d, text); break;
    case CONDITION_TIMESTAMP:
    case CONDITION_DURATION: len = cel_moment_print(args, text); break;
    case CONDITION_OPAQUE:
        if (args[0].sub == OPAQUE_SEMVER) {
            args[0] = condition_string(semver->text.at, semver->text.len);
            return FAULT_NONE;
        }
        if (args[0].sub != OPAQUE_IP && args[0].sub != OPAQUE_CIDR)
            return cel_fault_overload(f, args, count);
        len = cel_address_print(args[0].as.opaque, args[0].sub == OPAQUE_CIDR, text);
        break;
    default: return cel_fault_overload(f, args, count);
    }
    return cel_make_string(f, text, len, &args[0]);
}

enum cel_fault cel_fn_to_bytes(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    if (count != 1 || !cel_is_text(&args[0]))
        return cel_fault_overload(f, args, count);
    args[0].kind = CONDITION_BYTES;
    return FAULT_NONE;
}

enum cel_fault cel_fn_to_timestamp(struct cel_frame *f, struct condition_value *args,
                                   uint32_t count)
{
    bool range;

    if (count != 1)
        return cel_fault_overload(f, args, count);
    switch (args[0].kind) {
    case CONDITION_TIMESTAMP: return FAULT_NONE;
    case CONDITION_INT:
        if (!cel_timestamp_make(args[0].as.i, 0, &args[0]))
            return out_of_range(f, args, "timestamp (years 1 to 9999)");
        return FAULT_NONE;
    case CONDITION_STRING: {
        struct condition_value made;
        if (!cel_timestamp_parse(args[0].as.bytes, args[0].size, &made, &range))
            return range ? out_of_range(f, args, "timestamp (years 1 to 9999)")
                         : no_conversion(f, args, "timestamp (2006-01-02T15:04:05Z)");
        args[0] = made;
        return FAULT_NONE;
    }
    default: return cel_fault_overload(f, args, count);
    }
}

enum cel_fault cel_fn_to_duration(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    struct condition_value made;

    if (count == 1 && args[0].kind == CONDITION_DURATION)
        return FAULT_NONE;
    if (count != 1 || args[0].kind != CONDITION_STRING)
        return cel_fault_overload(f, args, count);
    if (!cel_duration_parse(args[0].as.bytes, args[0].size, &made))
        return no_conversion(f, args, "duration (1h30m, 1.5s, 20ms; at most 292 years)");
    args[0] = made;
    return FAULT_NONE;
}

enum cel_fault cel_fn_type(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    if (count != 1)
        return cel_fault_overload(f, args, count);
    args[0] = cel_type_value(condition_type_name(&args[0]));
    return FAULT_NONE;
}

enum cel_fault cel_fn_dyn(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    return count == 1 ? FAULT_NONE : cel_fault_overload(f, args, count);
}

/* ---- optionals ---- */

enum cel_fault cel_fn_optional_of(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    if (count != 1)
        return cel_fault_overload(f, args, count);
    return cel_make_optional(f, &args[0], &args[0]);
}

static bool is_zero(const struct condition_value *v)
{
    switch (v->kind) {
    case CONDITION_NULL: return true;
    case CONDITION_BOOL: return !v->as.truth;
    case CONDITION_INT:
    case CONDITION_UINT: return v->as.u == 0;
    case CONDITION_DOUBLE: return v->as.d == 0.0;
    case CONDITION_STRING:
    case CONDITION_BYTES:
    case CONDITION_LIST:
    case CONDITION_MAP: return v->size == 0;
    case CONDITION_TIMESTAMP:
    case CONDITION_DURATION: return v->as.i == 0 && v->size == 0;
    case CONDITION_OPTIONAL: return v->as.items == NULL;
    default: return false;
    }
}

enum cel_fault cel_fn_optional_of_non_zero(struct cel_frame *f, struct condition_value *args,
                                           uint32_t count)
{
    if (count != 1)
        return cel_fault_overload(f, args, count);
    if (!is_zero(&args[0]))
        return cel_make_optional(f, &args[0], &args[0]);
    args[0] = cel_none();
    return FAULT_NONE;
}

enum cel_fault cel_fn_optional_none(struct cel_frame *f, struct condition_value *args,
                                    uint32_t count)
{
    if (count != 0)
        return cel_fault_overload(f, args, count);
    args[0] = cel_none();
    return FAULT_NONE;
}

static bool all_optional(const struct condition_value *args, uint32_t count, uint32_t wanted)
{
    for (uint32_t i = 0; i < count; i++)
        if (args[i].kind != CONDITION_OPTIONAL)
            return false;
    return count == wanted;
}

enum cel_fault cel_fn_optional_has_value(struct cel_frame *f, struct condition_value *args,
                                         uint32_t count)
{
    if (!all_optional(args, count, 1))
        return cel_fault_overload(f, args, count);
    args[0] = condition_bool(args[0].as.items != NULL);
    return FAULT_NONE;
}

enum cel_fault cel_fn_optional_value(struct cel_frame *f, struct condition_value *args,
                                     uint32_t count)
{
    if (!all_optional(args, count, 1))
        return cel_fault_overload(f, args, count);
    if (!args[0].as.items)
        return cel_fault_text(f, "optional.none() has no value");
    args[0] = *args[0].as.items;
    return FAULT_NONE;
}

enum cel_fault cel_fn_optional_or(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    if (!all_optional(args, count, 2))
        return cel_fault_overload(f, args, count);
    if (!args[0].as.items)
        args[0] = args[1];
    return FAULT_NONE;
}

enum cel_fault cel_fn_optional_or_value(struct cel_frame *f, struct condition_value *args,
                                        uint32_t count)
{
    if (count != 2 || args[0].kind != CONDITION_OPTIONAL)
        return cel_fault_overload(f, args, count);
    args[0] = args[0].as.items ? *args[0].as.items : args[1];
    return FAULT_NONE;
}
