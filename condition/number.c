/*
 * number - see number.h.
 */
#include "condition/number.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The longest decimal text that is looked at; what follows the first 400 digits cannot matter to a
 * double printed by people, and a fixed buffer keeps malloc away. */
#define DOUBLE_TEXT_MAX 400u

static bool parse_special(const char *text, size_t len, double *out)
{
    static const char *const names[] = {"nan", "inf", "infinity"};
    double sign = 1.0;

    if (len && (*text == '-' || *text == '+')) {
        sign = *text == '-' ? -1.0 : 1.0;
        text++;
        len--;
    }
    for (size_t n = 0; n < 3; n++) {
        size_t i = 0;
        while (i < len && names[n][i] && (text[i] | 0x20) == names[n][i])
            i++;
        if (i == len && !names[n][i]) {
            *out = n == 0 ? (double)NAN : sign * (double)INFINITY;
            return true;
        }
    }
    return false;
}

bool cel_parse_double(const char *text, size_t len, double *out)
{
    char copy[DOUBLE_TEXT_MAX + 1];
    const char *point = localeconv()->decimal_point;
    size_t at = 0, digits = 0;
    char *end;

    if (len == 0 || len >= DOUBLE_TEXT_MAX)
        return false;
    if (parse_special(text, len, out))
        return true;
    for (size_t i = 0; i < len; i++) {
        char ch = text[i];
        digits += ch >= '0' && ch <= '9';
        if (ch == '.') {
            size_t n = strlen(point);
            if (at + n >= DOUBLE_TEXT_MAX)
                return false;
            memcpy(copy + at, point, n);
            at += n;
        } else if ((ch >= '0' && ch <= '9') || ch == 'e' || ch == 'E' || ch == '+' || ch == '-') {
            copy[at++] = ch;
        } else {
            return false;
        }
    }
    copy[at] = '\0';
    if (digits == 0)
        return false;
    *out = strtod(copy, &end);
    return end == copy + at && isfinite(*out);
}

/* Replaces the locale's decimal point, which may be several bytes, by '.'. */
static size_t plain_point(char *text, size_t len)
{
    const char *point = localeconv()->decimal_point;
    size_t n = strlen(point);
    char *found;

    if (n == 1 && *point == '.')
        return len;
    found = n ? strstr(text, point) : NULL;
    if (!found)
        return len;
    *found = '.';
    memmove(found + 1, found + n, strlen(found + n) + 1);
    return len - (n - 1);
}

static size_t print_special(double d, char *out, size_t out_size)
{
    int n = snprintf(out, out_size, "%s", isnan(d) ? "NaN" : (d > 0 ? "Infinity" : "-Infinity"));

    return (size_t)n;
}

size_t cel_print_double(double d, char out[CEL_NUMBER_TEXT])
{
    int len = 0;

    if (!isfinite(d))
        return print_special(d, out, CEL_NUMBER_TEXT);
    /* Fifteen digits are always exact and %g drops their zeros; what is smaller than normal has less. */
    for (int precision = fabs(d) < DBL_MIN ? 1 : 15; precision <= 17; precision++) {
        len = snprintf(out, CEL_NUMBER_TEXT, "%.*g", precision, d);
        if (strtod(out, NULL) == d)
            break;
    }
    return plain_point(out, (size_t)len);
}

size_t cel_print_fixed(double d, char form, unsigned precision, char *out, size_t out_size)
{
    int len;

    if (!isfinite(d))
        return print_special(d, out, out_size);
    len = form == 'f' ? snprintf(out, out_size, "%.*f", (int)precision, d)
                      : snprintf(out, out_size, "%.*e", (int)precision, d);
    if (len < 0 || (size_t)len >= out_size)
        return (size_t)(len < 0 ? 0 : len);
    return plain_point(out, (size_t)len);
}

size_t cel_print_uint(uint64_t u, unsigned base, char *out)
{
    char digits[72];
    size_t n = 0;

    do {
        digits[n++] = "0123456789abcdef"[u % base];
        u /= base;
    } while (u);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    out[n] = '\0';
    return n;
}

size_t cel_print_int(int64_t i, char out[CEL_NUMBER_TEXT])
{
    char digits[72];
    uint64_t magnitude = i < 0 ? 0 - (uint64_t)i : (uint64_t)i;
    size_t n = cel_print_uint(magnitude, 10, digits);
    size_t sign = i < 0;

    if (sign)
        out[0] = '-';
    memcpy(out + sign, digits, n + 1);
    return n + sign;
}

bool cel_parse_uint(const char *text, size_t len, uint64_t *out)
{
    uint64_t n = 0;

    if (len && *text == '+') {
        text++;
        len--;
    }
    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(n, 10u, &n) ||
            __builtin_add_overflow(n, (uint64_t)(text[i] - '0'), &n))
            return false;
    }
    *out = n;
    return true;
}

bool cel_parse_int(const char *text, size_t len, int64_t *out)
{
    bool negative = len && *text == '-';
    uint64_t magnitude;

    if (negative && len > 1 && text[1] == '+')
        return false;
    if (!cel_parse_uint(text + negative, len - negative, &magnitude))
        return false;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

/* ---- one number line ---- */

static int compare_doubles(double a, double b)
{
    if (a < b)
        return -1;
    if (a > b)
        return 1;
    return a == b ? 0 : 2;
}

static int compare_double(double a, const struct condition_value *b)
{
    switch (b->kind) {
    case CONDITION_INT:
        if (a < -9223372036854775808.0)
            return -1;
        if (a > 9223372036854775808.0)
            return 1;
        return compare_doubles(a, (double)b->as.i);
    case CONDITION_UINT:
        if (a < 0.0)
            return -1;
        if (a > 18446744073709551616.0)
            return 1;
        return compare_doubles(a, (double)b->as.u);
    default: return compare_doubles(a, b->as.d);
    }
}

int cel_compare_numbers(const struct condition_value *a, const struct condition_value *b)
{
    int order;

    if (a->kind == CONDITION_INT && b->kind == CONDITION_INT)
        return a->as.i < b->as.i ? -1 : a->as.i > b->as.i;
    if (a->kind == CONDITION_DOUBLE)
        return compare_double(a->as.d, b);
    if (b->kind == CONDITION_DOUBLE) {
        order = compare_double(b->as.d, a);
        return order == 2 ? 2 : -order;
    }
    if (a->kind == CONDITION_INT && a->as.i < 0)
        return -1; /* b is a uint */
    if (b->kind == CONDITION_INT && b->as.i < 0)
        return 1;
    return a->as.u < b->as.u ? -1 : a->as.u > b->as.u; /* none is negative: the bits agree */
}
