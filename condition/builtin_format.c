/*
 * builtin_format - string.format(list): %s %d %f %e %x %X %o %b %%, with a precision where digits
 * follow a point.
 */
#include "condition/limits.h"
#include "condition/moment.h"
#include "condition/number.h"
#include "condition/operate.h"
#include "condition/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT_DEPTH_MAX 32u

struct format {
    struct cel_frame *f;
    struct cel_writer out;
    bool bytes; /* some were written: as a text they must be UTF-8 */
};

/* Bytes that %f of the greatest double with the greatest precision takes. */
#define FIXED_TEXT (330u + CEL_FORMAT_PRECISION_MAX)

static void write_string_form(struct format *s, const struct condition_value *v, unsigned depth);

static int compare_entries(const struct condition_entry *a, const struct condition_entry *b)
{
    char left[CEL_MOMENT_TEXT], right[CEL_MOMENT_TEXT];
    struct cel_writer w;

    if (a->key.kind == b->key.kind)
        return cel_compare(&a->key, &b->key);
    for (int i = 0; i < 2; i++) {
        const struct condition_value *key = i ? &b->key : &a->key;
        w.out = i ? right : left;
        w.size = CEL_MOMENT_TEXT - 1;
        w.len = 0;
        if (key->kind == CONDITION_STRING)
            cel_write(&w, key->as.bytes, key->size);
        else if (key->kind == CONDITION_BOOL)
            cel_write_text(&w, key->as.truth ? "true" : "false");
        else if (key->kind == CONDITION_UINT)
            w.len = cel_print_uint(key->as.u, 10, w.out);
        else
            w.len = cel_print_int(key->as.i, w.out);
        w.out[w.len < w.size ? w.len : w.size] = '\0';
    }
    return strcmp(left, right);
}

/* Entries by key, so that the text of a map does not hang on the order it was made in. */
static void write_map(struct format *s, const struct condition_value *v, unsigned depth)
{
    const struct condition_entry *last = NULL;

    cel_write_text(&s->out, "{");
    for (uint32_t done = 0; done < v->size; done++) {
        const struct condition_entry *next = NULL;
        s->f->steps -= v->size;
        if (s->f->steps < 0)
            return;
        for (uint32_t i = 0; i < v->size; i++) {
            const struct condition_entry *e = &v->as.entries[i];
            if ((!last || compare_entries(e, last) > 0) && (!next || compare_entries(e, next) < 0))
                next = e;
        }
        if (!next)
            break;
        if (done)
            cel_write_text(&s->out, ", ");
        write_string_form(s, &next->key, depth - 1);
        cel_write_text(&s->out, ": ");
        write_string_form(s, &next->value, depth - 1);
        last = next;
    }
    cel_write_text(&s->out, "}");
}

/* A double without an exponent, whatever its size: 1e21 is 1000000000000000000000. */
static void write_plain_double(struct format *s, double d)
{
    char text[CEL_NUMBER_TEXT];
    size_t len = cel_print_double(d, text), digits = 0;
    char *mark = memchr(text, 'e', len);
    char *at = text;
    int exponent;

    if (!mark) {
        cel_write(&s->out, text, len);
        return;
    }
    exponent = (int)strtol(mark + 1, NULL, 10);
    if (*at == '-')
        cel_write(&s->out, at++, 1);
    text[0] = *at; /* the digits alone: one, a point, the rest */
    digits = 1;
    for (at += at[1] == '.' ? 2 : 1; at < mark; at++)
        text[digits++] = *at;
    if (exponent < 0) {
        cel_write_text(&s->out, "0.");
        while (++exponent < 0)
            cel_write_text(&s->out, "0");
        cel_write(&s->out, text, digits);
        return;
    }
    for (size_t i = 0; i <= (size_t)exponent; i++)
        cel_write(&s->out, i < digits ? text + i : "0", 1);
    if (digits > (size_t)exponent + 1) {
        cel_write_text(&s->out, ".");
        cel_write(&s->out, text + exponent + 1, digits - (size_t)exponent - 1);
    }
}

static void write_string_form(struct format *s, const struct condition_value *v, unsigned depth)
{
    char text[CEL_MOMENT_TEXT];

    if (depth == 0)
        return;
    switch (v->kind) {
    case CONDITION_NULL: cel_write_text(&s->out, "null"); break;
    case CONDITION_BOOL: cel_write_text(&s->out, v->as.truth ? "true" : "false"); break;
    case CONDITION_INT: cel_write(&s->out, text, cel_print_int(v->as.i, text)); break;
    case CONDITION_UINT: cel_write(&s->out, text, cel_print_uint(v->as.u, 10, text)); break;
    case CONDITION_DOUBLE: write_plain_double(s, v->as.d); break;
    case CONDITION_BYTES:
        s->bytes = true;
        cel_write(&s->out, v->as.bytes, v->size);
        break;
    case CONDITION_STRING:
    case CONDITION_TYPE_VALUE: cel_write(&s->out, v->as.bytes, v->size); break;
    case CONDITION_TIMESTAMP:
    case CONDITION_DURATION: cel_write(&s->out, text, cel_moment_print(v, text)); break;
    case CONDITION_LIST:
        cel_write_text(&s->out, "[");
        for (uint32_t i = 0; i < v->size; i++) {
            if (i)
                cel_write_text(&s->out, ", ");
            write_string_form(s, &v->as.items[i], depth - 1);
        }
        cel_write_text(&s->out, "]");
        break;
    case CONDITION_MAP: write_map(s, v, depth); break;
    default: { /* straight into the room that is left, cut to it */
        size_t room = s->out.len < s->out.size ? s->out.size - s->out.len : 0;
        s->out.len += condition_value_print(v, room ? s->out.out + s->out.len : NULL, room);
    }
    }
}

static enum cel_fault wrong(struct format *s, char verb, const char *wants,
                            const struct condition_value *v)
{
    return cel_fault_text(s->f, "%%%c formats %s, this is of type %s", verb, wants,
                          condition_type_name(v));
}

static void write_signed(struct format *s, const struct condition_value *v, unsigned base,
                         bool upper)
{
    char text[72];
    bool negative = v->kind == CONDITION_INT && v->as.i < 0;
    uint64_t magnitude = negative ? 0 - (uint64_t)v->as.i : v->as.u;
    size_t len = cel_print_uint(magnitude, base, text);

    for (size_t i = 0; upper && i < len; i++)
        if (text[i] >= 'a')
            text[i] = (char)(text[i] ^ 0x20);
    if (negative)
        cel_write_text(&s->out, "-");
    cel_write(&s->out, text, len);
}

static enum cel_fault write_hex(struct format *s, const struct condition_value *v, char verb)
{
    const char *digits = verb == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";

    if (v->kind == CONDITION_INT || v->kind == CONDITION_UINT) {
        write_signed(s, v, 16, verb == 'X');
        return FAULT_NONE;
    }
    if (!cel_is_text(v))
        return wrong(s, verb, "int, uint, string and bytes", v);
    for (uint32_t i = 0; i < v->size; i++) {
        unsigned char ch = (unsigned char)v->as.bytes[i];
        char pair[2] = {digits[ch >> 4], digits[ch & 15u]};
        cel_write(&s->out, pair, 2);
    }
    return FAULT_NONE;
}

static enum cel_fault write_float(struct format *s, const struct condition_value *v, char verb,
                                  int precision)
{
    char text[FIXED_TEXT];
    double d;

    switch (v->kind) {
    case CONDITION_INT: d = (double)v->as.i; break;
    case CONDITION_UINT: d = (double)v->as.u; break;
    case CONDITION_DOUBLE: d = v->as.d; break;
    default: return wrong(s, verb, "numbers", v);
    }
    cel_write(&s->out, text,
              cel_print_fixed(d, verb, precision < 0 ? 6 : (unsigned)precision, text, sizeof text));
    return FAULT_NONE;
}

static enum cel_fault write_clause(struct format *s, char verb, int precision,
                                   const struct condition_value *v)
{
    bool integer = v->kind == CONDITION_INT || v->kind == CONDITION_UINT;

    switch (verb) {
    case 's': write_string_form(s, v, FORMAT_DEPTH_MAX); return FAULT_NONE;
    case 'd':
        if (v->kind == CONDITION_DOUBLE)
            write_plain_double(s, v->as.d);
        else if (integer)
            write_signed(s, v, 10, false);
        else
            return wrong(s, verb, "numbers", v);
        return FAULT_NONE;
    case 'x':
    case 'X': return write_hex(s, v, verb);
    case 'o':
        if (!integer)
            return wrong(s, verb, "int and uint", v);
        write_signed(s, v, 8, false);
        return FAULT_NONE;
    case 'b':
        if (v->kind == CONDITION_BOOL)
            cel_write_text(&s->out, v->as.truth ? "1" : "0");
        else if (integer)
            write_signed(s, v, 2, false);
        else
            return wrong(s, verb, "int, uint and bool", v);
        return FAULT_NONE;
    case 'e':
    case 'f': return write_float(s, v, verb, precision);
    default:
        return cel_fault_text(s->f, "format() does not know %%%c",
                              verb > 0x20 && verb < 0x7F ? verb : '?');
    }
}

/* ".3" at *at; -1 where there is none. */
static enum cel_fault read_precision(struct format *s, const char **at, const char *end,
                                     int *precision)
{
    *precision = -1;
    if (*at >= end || **at != '.')
        return FAULT_NONE;
    *precision = 0;
    for ((*at)++; *at < end && **at >= '0' && **at <= '9'; (*at)++) {
        *precision = *precision * 10 + (**at - '0');
        if (*precision > (int)CEL_FORMAT_PRECISION_MAX)
            return cel_fault_text(s->f, "format() takes a precision of at most %u",
                                  CEL_FORMAT_PRECISION_MAX);
    }
    return FAULT_NONE;
}

enum cel_fault cel_fn_format(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    struct format s = {.f = f};
    const char *at, *end;
    uint32_t next = 0;
    enum cel_fault fault;
    char *taken;

    if (count != 2 || args[0].kind != CONDITION_STRING || args[1].kind != CONDITION_LIST)
        return cel_fault_overload(f, args, count);
    s.out.out = f->scratch;
    s.out.size = (size_t)(f->scratch_end - f->scratch);
    for (at = args[0].as.bytes, end = at + args[0].size; at < end;) {
        const char *percent = memchr(at, '%', (size_t)(end - at));
        int precision;
        if (percent != at) {
            cel_write(&s.out, at, (size_t)((percent ? percent : end) - at));
            at = percent ? percent : end;
            continue;
        }
        if (++at < end && *at == '%') {
            cel_write(&s.out, at++, 1);
            continue;
        }
        fault = read_precision(&s, &at, end, &precision);
        if (fault)
            return fault;
        if (at == end)
            return cel_fault_text(f, "the format ends with a lone %%");
        if (next >= args[1].size)
            return cel_fault_text(f, "the format asks for more than the %u values in the list",
                                  (unsigned)args[1].size);
        fault = write_clause(&s, *at++, precision, &args[1].as.items[next++]);
        if (fault)
            return fault;
    }
    if (!cel_charge(f, s.out.len))
        return FAULT_STEPS;
    taken = cel_scratch(f, s.out.len);
    if (!taken)
        return FAULT_SCRATCH;
    if (s.bytes && !cel_utf8_valid(taken, s.out.len))
        return cel_fault_text(f, "these bytes are not valid UTF-8");
    args[0] = condition_string(taken, s.out.len);
    return FAULT_NONE;
}
