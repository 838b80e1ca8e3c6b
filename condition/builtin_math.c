/*
 * builtin_math - the math extension and base64.
 */
#include "condition/number.h"
#include "condition/operate.h"
#include "condition/value.h"

#include <math.h>
#include <string.h>

/* The greatest (sign 1) or least (-1) of numbers, or of the one list of them. */
static enum cel_fault extreme(struct cel_frame *f, struct condition_value *args, uint32_t count,
                              int sign)
{
    const struct condition_value *items = args;
    struct condition_value best;
    uint32_t n = count;

    if (count == 1 && args[0].kind == CONDITION_LIST) {
        items = args[0].as.items;
        n = args[0].size;
        if (n == 0)
            return cel_fault_text(f, "an empty list has no greatest or least number");
        if (!cel_charge(f, (size_t)n * 10))
            return FAULT_STEPS;
    }
    if (n == 0)
        return cel_fault_overload(f, args, count);
    best = items[0];
    for (uint32_t i = 0; i < n; i++) {
        if (!cel_is_number(&items[i]))
            return cel_fault_overload(f, &items[i], 1);
        if (items[i].kind == CONDITION_DOUBLE && isnan(items[i].as.d))
            return cel_fault_text(f, "NaN is neither greater nor less than another number");
        if (cel_compare_numbers(&items[i], &best) == sign)
            best = items[i];
    }
    args[0] = best;
    return FAULT_NONE;
}

enum cel_fault cel_fn_greatest(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    return extreme(f, args, count, 1);
}

enum cel_fault cel_fn_least(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    return extreme(f, args, count, -1);
}

#define DOUBLE_FUNCTION(name, function)                                                            \
    enum cel_fault cel_fn_##name(struct cel_frame *f, struct condition_value *args,                \
                                 uint32_t count)                                                   \
    {                                                                                              \
        if (count != 1 || args[0].kind != CONDITION_DOUBLE)                                        \
            return cel_fault_overload(f, args, count);                                             \
        args[0].as.d = function(args[0].as.d);                                                     \
        return FAULT_NONE;                                                                         \
    }

DOUBLE_FUNCTION(ceil, ceil)
DOUBLE_FUNCTION(floor, floor)
DOUBLE_FUNCTION(round, round)
DOUBLE_FUNCTION(trunc, trunc)

enum cel_fault cel_fn_sqrt(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    double d;

    if (count != 1 || !cel_is_number(&args[0]))
        return cel_fault_overload(f, args, count);
    d = args[0].kind == CONDITION_INT
            ? (double)args[0].as.i
            : (args[0].kind == CONDITION_UINT ? (double)args[0].as.u : args[0].as.d);
    args[0] = condition_double(d < 0 ? (double)NAN : sqrt(d));
    return FAULT_NONE;
}

enum cel_fault cel_fn_abs(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    if (count != 1 || !cel_is_number(&args[0]))
        return cel_fault_overload(f, args, count);
    if (args[0].kind == CONDITION_DOUBLE)
        args[0].as.d = fabs(args[0].as.d);
    else if (args[0].kind == CONDITION_INT && args[0].as.i < 0)
        return cel_negate(f, args);
    return FAULT_NONE;
}

enum cel_fault cel_fn_sign(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    if (count != 1 || !cel_is_number(&args[0]))
        return cel_fault_overload(f, args, count);
    switch (args[0].kind) {
    case CONDITION_INT: args[0].as.i = (args[0].as.i > 0) - (args[0].as.i < 0); break;
    case CONDITION_UINT: args[0].as.u = args[0].as.u > 0; break;
    default:
        if (!isnan(args[0].as.d))
            args[0].as.d =
                (double)((args[0].as.d > 0) - (args[0].as.d < 0)); /* of -0.0 it is 0.0 */
    }
    return FAULT_NONE;
}

#define DOUBLE_TEST(name, test)                                                                    \
    enum cel_fault cel_fn_##name(struct cel_frame *f, struct condition_value *args,                \
                                 uint32_t count)                                                   \
    {                                                                                              \
        if (count != 1 || args[0].kind != CONDITION_DOUBLE)                                        \
            return cel_fault_overload(f, args, count);                                             \
        args[0] = condition_bool(test(args[0].as.d));                                              \
        return FAULT_NONE;                                                                         \
    }

DOUBLE_TEST(is_nan, isnan)
DOUBLE_TEST(is_inf, isinf)
DOUBLE_TEST(is_finite, isfinite)

static bool integers(const struct condition_value *args, uint32_t count, uint32_t wanted)
{
    return count == wanted && (args[0].kind == CONDITION_INT || args[0].kind == CONDITION_UINT) &&
           (wanted == 1 || args[1].kind == args[0].kind);
}

#define BIT_FUNCTION(name, operator)                                                               \
    enum cel_fault cel_fn_##name(struct cel_frame *f, struct condition_value *args,                \
                                 uint32_t count)                                                   \
    {                                                                                              \
        if (!integers(args, count, 2))                                                             \
            return cel_fault_overload(f, args, count);                                             \
        args[0].as.u = args[0].as.u operator args[1].as.u;                                         \
        return FAULT_NONE;                                                                         \
    }

BIT_FUNCTION(bit_and, &)
BIT_FUNCTION(bit_or, |)
BIT_FUNCTION(bit_xor, ^)

enum cel_fault cel_fn_bit_not(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    if (!integers(args, count, 1))
        return cel_fault_overload(f, args, count);
    args[0].as.u = ~args[0].as.u;
    return FAULT_NONE;
}

/* Shifts move bits, whatever the sign; 64 and more leave nothing. */
static enum cel_fault shift(struct cel_frame *f, struct condition_value *args, uint32_t count,
                            bool left)
{
    int64_t by;

    if (count != 2 || !integers(args, 1, 1) || args[1].kind != CONDITION_INT)
        return cel_fault_overload(f, args, count);
    by = args[1].as.i;
    if (by < 0)
        return cel_fault_text(f, "a shift by a negative number of bits");
    if (by > 63)
        args[0].as.u = 0;
    else
        args[0].as.u = left ? args[0].as.u << by : args[0].as.u >> by;
    return FAULT_NONE;
}

enum cel_fault cel_fn_shift_left(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    return shift(f, args, count, true);
}

enum cel_fault cel_fn_shift_right(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    return shift(f, args, count, false);
}

/* ---- base64 (RFC 4648) ---- */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

enum cel_fault cel_fn_base64_encode(struct cel_frame *f, struct condition_value *args,
                                    uint32_t count)
{
    const unsigned char *in = (const unsigned char *)args[0].as.bytes;
    size_t len = args[0].size, at = 0;
    char *out;

    if (count != 1 || args[0].kind != CONDITION_BYTES)
        return cel_fault_overload(f, args, count);
    if (!cel_charge(f, len))
        return FAULT_STEPS;
    out = cel_scratch(f, (len + 2) / 3 * 4);
    if (!out)
        return FAULT_SCRATCH;
    for (size_t i = 0; i < len; i += 3) {
        uint32_t v = (uint32_t)in[i] << 16 | (i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0) |
                     (i + 2 < len ? in[i + 2] : 0);
        out[at++] = base64_digits[v >> 18];
        out[at++] = base64_digits[v >> 12 & 63];
        out[at++] = i + 1 < len ? base64_digits[v >> 6 & 63] : '=';
        out[at++] = i + 2 < len ? base64_digits[v & 63] : '=';
    }
    args[0] = condition_string(out, at);
    return FAULT_NONE;
}

/* Padding may be left out; anything behind it may not be there. */
enum cel_fault cel_fn_base64_decode(struct cel_frame *f, struct condition_value *args,
                                    uint32_t count)
{
    const char *in = args[0].as.bytes;
    size_t len = args[0].size, at = 0;
    uint32_t bits = 0, held = 0;
    unsigned char *out;

    if (count != 1 || args[0].kind != CONDITION_STRING)
        return cel_fault_overload(f, args, count);
    if (!cel_charge(f, len))
        return FAULT_STEPS;
    if (len % 4 == 0)
        for (int i = 0; i < 2 && len && in[len - 1] == '='; i++)
            len--;
    out = cel_scratch(f, len / 4 * 3 + 3);
    if (!out)
        return FAULT_SCRATCH;
    for (size_t i = 0; i < len; i++) {
        const char *digit = in[i] ? strchr(base64_digits, in[i]) : NULL;
        if (!digit || len % 4 == 1)
            return cel_fault_text(f, "this string is not base64");
        held = held << 6 | (uint32_t)(digit - base64_digits);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[at++] = (unsigned char)(held >> bits);
            held &= (1u << bits) - 1;
        }
    }
    args[0] = condition_string((const char *)out, at);
    args[0].kind = CONDITION_BYTES;
    return FAULT_NONE;
}
