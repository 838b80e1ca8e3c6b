/*
 * builtin_string - the strings extension. Positions count code points.
 */
#include "condition/operate.h"
#include "condition/value.h"

#include <string.h>

static bool kinds_are(const struct condition_value *args, uint32_t count, const char *wanted)
{
    if (strlen(wanted) != count)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (args[i].kind != (wanted[i] == 's' ? CONDITION_STRING : CONDITION_INT))
            return false;
    return true;
}

static enum cel_fault fault_index(struct cel_frame *f, int64_t index)
{
    f->detail.number = index;
    return FAULT_INDEX;
}

/* The byte offset of code point index; false if there are fewer. index == size is the end. */
static bool offset_of(const struct condition_value *v, int64_t index, size_t *offset)
{
    size_t at = 0;

    if (index < 0)
        return false;
    for (; index > 0 && at < v->size; index--) {
        at++;
        while (at < v->size && ((unsigned char)v->as.bytes[at] & 0xC0u) == 0x80u)
            at++;
    }
    *offset = at;
    return index == 0;
}

enum cel_fault cel_fn_char_at(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    size_t from, to;

    if (!kinds_are(args, count, "si"))
        return cel_fault_overload(f, args, count);
    if (!cel_charge(f, args[0].size))
        return FAULT_STEPS;
    if (!offset_of(&args[0], args[1].as.i, &from))
        return fault_index(f, args[1].as.i);
    for (to = from + (from < args[0].size);
         to < args[0].size && ((unsigned char)args[0].as.bytes[to] & 0xC0u) == 0x80u; to++)
        ;
    args[0] = condition_string(args[0].as.bytes + from, to - from);
    return FAULT_NONE;
}

enum cel_fault cel_fn_index_of(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    size_t from = 0;
    const char *found;

    if (!kinds_are(args, count, "ss") && !kinds_are(args, count, "ssi"))
        return cel_fault_overload(f, args, count);
    if (!cel_charge(f, (size_t)args[0].size * (args[1].size / 16u + 1u)))
        return FAULT_STEPS;
    if (count == 3 && !offset_of(&args[0], args[2].as.i, &from))
        return fault_index(f, args[2].as.i);
    found = cel_find(args[0].as.bytes + from, args[0].size - from, args[1].as.bytes, args[1].size);
    args[0] = condition_int(
        found ? (int64_t)cel_utf8_count(args[0].as.bytes, (size_t)(found - args[0].as.bytes)) : -1);
    return FAULT_NONE;
}

enum cel_fault cel_fn_last_index_of(struct cel_frame *f, struct condition_value *args,
                                    uint32_t count)
{
    size_t last, needle = args[1].size;

    if (!kinds_are(args, count, "ss") && !kinds_are(args, count, "ssi"))
        return cel_fault_overload(f, args, count);
    if (!cel_charge(f, (size_t)args[0].size * (needle / 16u + 1u)))
        return FAULT_STEPS;
    last = args[0].size;
    if (count == 3 && (!offset_of(&args[0], args[2].as.i, &last)))
        return fault_index(f, args[2].as.i);
    if (needle > args[0].size) {
        args[0] = condition_int(-1);
        return FAULT_NONE;
    }
    if (last > args[0].size - needle)
        last = args[0].size - needle;
    for (size_t at = last + 1; at-- > 0;)
        if (needle == 0 || memcmp(args[0].as.bytes + at, args[1].as.bytes, needle) == 0) {
            args[0] = condition_int((int64_t)cel_utf8_count(args[0].as.bytes, at));
            return FAULT_NONE;
        }
    args[0] = condition_int(-1);
    return FAULT_NONE;
}

static enum cel_fault change_case(struct cel_frame *f, struct condition_value *args, uint32_t count,
                                  char first)
{
    char *out;

    if (!kinds_are(args, count, "s"))
        return cel_fault_overload(f, args, count);
    if (!cel_charge(f, args[0].size))
        return FAULT_STEPS;
    out = cel_scratch(f, args[0].size);
    if (!out)
        return FAULT_SCRATCH;
    for (uint32_t i = 0; i < args[0].size; i++) {
        char ch = args[0].as.bytes[i];
        out[i] = ch >= first && ch <= first + 25 ? (char)(ch ^ 0x20) : ch;
    }
    args[0].as.bytes = out;
    return FAULT_NONE;
}

enum cel_fault cel_fn_lower_ascii(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    return change_case(f, args, count, 'A');
}

enum cel_fault cel_fn_upper_ascii(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    return change_case(f, args, count, 'a');
}

/* A string growing in the scratch. */
struct builder {
    struct cel_frame *f;
    size_t len, room;
    char *at;
};

static void builder_init(struct builder *b, struct cel_frame *f)
{
    b->f = f;
    b->len = 0;
    b->at = f->scratch;
    b->room = (size_t)(f->scratch_end - f->scratch);
}

static bool builder_add(struct builder *b, const char *at, size_t len)
{
    if (len > b->room - b->len)
        return false;
    if (len)
        memcpy(b->at + b->len, at, len);
    b->len += len;
    return true;
}

static enum cel_fault builder_end(struct builder *b, struct condition_value *out)
{
    char *taken = cel_scratch(b->f, b->len); /* starts where the builder did */

    if (!taken)
        return FAULT_SCRATCH;
    *out = condition_string(taken, b->len);
    return FAULT_NONE;
}

/* Length of the code point at the start of text. */
static size_t point_bytes(const char *at, size_t len)
{
    size_t n = len > 0;

    while (n < len && ((unsigned char)at[n] & 0xC0u) == 0x80u)
        n++;
    return n;
}

enum cel_fault cel_fn_replace(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    struct builder b;
    const char *at = args[0].as.bytes, *end;
    int64_t left = -1;
    bool ok = true;

    if (!kinds_are(args, count, "sss") && !kinds_are(args, count, "sssi"))
        return cel_fault_overload(f, args, count);
    if (count == 4)
        left = args[3].as.i;
    if (!cel_charge(f, (size_t)args[0].size * (args[1].size / 16u + 1u)))
        return FAULT_STEPS;
    end = at + args[0].size;
    builder_init(&b, f);
    while (ok && left != 0) {
        const char *found = cel_find(at, (size_t)(end - at), args[1].as.bytes, args[1].size);
        if (!found)
            break;
        left -= left > 0;
        ok = builder_add(&b, at, (size_t)(found - at)) &&
             builder_add(&b, args[2].as.bytes, args[2].size);
        at = found + args[1].size;
        if (args[1].size == 0) { /* between all code points, and at both ends */
            size_t n = point_bytes(at, (size_t)(end - at));
            if (n == 0)
                break;
            ok = ok && builder_add(&b, at, n);
            at += n;
        }
    }
    if (!ok || !builder_add(&b, at, (size_t)(end - at)))
        return FAULT_SCRATCH;
    if (!cel_charge(f, b.len))
        return FAULT_STEPS;
    return builder_end(&b, &args[0]);
}

enum cel_fault cel_fn_split(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    const char *at = args[0].as.bytes, *end;
    struct condition_value *items = (struct condition_value *)(void *)f->scratch;
    size_t room = (size_t)(f->scratch_end - f->scratch) / sizeof *items, n = 0;
    int64_t limit = -1;

    if (!kinds_are(args, count, "ss") && !kinds_are(args, count, "ssi"))
        return cel_fault_overload(f, args, count);
    if (count == 3)
        limit = args[2].as.i;
    if (!cel_charge(f, (size_t)args[0].size * (args[1].size / 16u + 1u)))
        return FAULT_STEPS;
    end = at + args[0].size;
    while (limit != 0) {
        const char *found = NULL;
        size_t len = (size_t)(end - at), skip = args[1].size;
        if (limit < 0 || (int64_t)n + 1 < limit) {
            if (skip)
                found = cel_find(at, len, args[1].as.bytes, skip);
            else if (len > point_bytes(at, len))
                found = at + point_bytes(at, len);
        }
        if (!skip && len == 0 && n == 0)
            break; /* "".split("") is empty */
        if (n == room)
            return FAULT_SCRATCH;
        items[n++] = condition_string(at, found ? (size_t)(found - at) : len);
        if (!found)
            break;
        at = found + skip;
    }
    if (!cel_scratch(f, n * sizeof *items))
        return FAULT_SCRATCH;
    memset(&args[0], 0, sizeof args[0]);
    args[0].kind = CONDITION_LIST;
    args[0].size = (uint32_t)n;
    args[0].as.items = items;
    return FAULT_NONE;
}

enum cel_fault cel_fn_join(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    struct builder b;
    bool separated = count == 2 && args[1].kind == CONDITION_STRING;

    if (args[0].kind != CONDITION_LIST || !(count == 1 || separated))
        return cel_fault_overload(f, args, count);
    builder_init(&b, f);
    for (uint32_t i = 0; i < args[0].size; i++) {
        const struct condition_value *item = &args[0].as.items[i];
        if (item->kind != CONDITION_STRING)
            return cel_fault_overload(f, item, 1);
        if ((i && separated && !builder_add(&b, args[1].as.bytes, args[1].size)) ||
            !builder_add(&b, item->as.bytes, item->size))
            return FAULT_SCRATCH;
    }
    if (!cel_charge(f, b.len + (size_t)args[0].size * 10))
        return FAULT_STEPS;
    return builder_end(&b, &args[0]);
}

enum cel_fault cel_fn_substring(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    size_t from, to = args[0].size;

    if (!kinds_are(args, count, "si") && !kinds_are(args, count, "sii"))
        return cel_fault_overload(f, args, count);
    if (!cel_charge(f, args[0].size))
        return FAULT_STEPS;
    if (!offset_of(&args[0], args[1].as.i, &from))
        return fault_index(f, args[1].as.i);
    if (count == 3) {
        if (!offset_of(&args[0], args[2].as.i, &to))
            return fault_index(f, args[2].as.i);
        if (to < from)
            return cel_fault_text(f, "the start of a substring lies behind its end");
    }
    args[0] = condition_string(args[0].as.bytes + from, to - from);
    return FAULT_NONE;
}

/* Unicode's White_Space. */
static bool is_space(uint32_t point)
{
    return (point >= 0x09 && point <= 0x0D) || point == 0x20 || point == 0x85 || point == 0xA0 ||
           point == 0x1680 || (point >= 0x2000 && point <= 0x200A) || point == 0x2028 ||
           point == 0x2029 || point == 0x202F || point == 0x205F || point == 0x3000;
}

enum cel_fault cel_fn_trim(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    const char *at, *end, *from = NULL, *to = NULL;

    if (!kinds_are(args, count, "s"))
        return cel_fault_overload(f, args, count);
    if (!cel_charge(f, args[0].size))
        return FAULT_STEPS;
    at = args[0].as.bytes;
    end = at + args[0].size;
    while (at < end) {
        const char *start = at;
        if (!is_space(cel_utf8_next(&at, end, NULL))) {
            from = from ? from : start;
            to = at;
        }
    }
    args[0] = condition_string(from ? from : args[0].as.bytes, from ? (size_t)(to - from) : 0);
    return FAULT_NONE;
}

enum cel_fault cel_fn_reverse(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    const char *at;
    size_t left;
    char *out;

    if (!kinds_are(args, count, "s"))
        return cel_fault_overload(f, args, count);
    if (!cel_charge(f, args[0].size))
        return FAULT_STEPS;
    left = args[0].size;
    out = cel_scratch(f, left);
    if (!out)
        return FAULT_SCRATCH;
    for (at = args[0].as.bytes; left;) {
        size_t n = point_bytes(at, left);
        memcpy(out + left - n, at, n);
        at += n;
        left -= n;
    }
    args[0].as.bytes = out;
    return FAULT_NONE;
}

enum cel_fault cel_fn_quote(struct cel_frame *f, struct condition_value *args, uint32_t count)
{
    static const char plain[] = "\a\b\f\n\r\t\v\\\"";
    static const char letter[] = "abfnrtv\\\"";
    struct builder b;
    const char *at, *end;
    bool ok;

    if (!kinds_are(args, count, "s"))
        return cel_fault_overload(f, args, count);
    if (!cel_charge(f, args[0].size))
        return FAULT_STEPS;
    builder_init(&b, f);
    ok = builder_add(&b, "\"", 1);
    for (at = args[0].as.bytes, end = at + args[0].size; ok && at < end;) {
        const char *from = at, *found = *at ? strchr(plain, *at) : NULL;
        bool valid = true;
        char escape[2] = {'\\', found ? letter[found - plain] : 0};
        cel_utf8_next(&at, end, &valid);
        if (found)
            ok = builder_add(&b, escape, 2);
        else
            ok = valid ? builder_add(&b, from, (size_t)(at - from))
                       : builder_add(&b, "\xEF\xBF\xBD", 3);
    }
    if (!ok || !builder_add(&b, "\"", 1))
        return FAULT_SCRATCH;
    return builder_end(&b, &args[0]);
}
