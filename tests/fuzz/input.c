#include "tests/fuzz/fuzz.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define DEPTH_MAX 4u
#define ITEMS_MAX 5u

void fuzz_fail(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    fputs("broken promise: ", stderr);
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

void fuzz_halves(const uint8_t *data, size_t size, struct str *first, struct str *second)
{
    const char *text = (const char *)data;
    const char *mark = size > 0 ? memrchr(text, 0xff, size) : NULL;

    *first = (struct str){size > 0 ? text : "", mark != NULL ? (size_t)(mark - text) : size};
    *second = mark != NULL ? (struct str){mark + 1, (size_t)(text + size - mark - 1)} : STR("");
}

unsigned fuzz_byte(struct fuzz_bytes *in)
{
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->at++;
}

static uint64_t take_u64(struct fuzz_bytes *in)
{
    static const uint64_t edges[] = {
        0,         1,          2,          UINT64_MAX, INT64_MAX,     1u << 31,
        INT32_MAX, UINT32_MAX, 1ull << 53, 1ull << 63, INT64_MAX - 1, 255,
        1000,      86400,      1767225600};
    unsigned how = fuzz_byte(in);
    uint64_t value = 0;

    if (how < 128) {
        return how;
    }
    if (how < 192) {
        return edges[how % (sizeof edges / sizeof edges[0])];
    }
    for (unsigned i = 0; i <= how % 8; i++) {
        value = value << 8 | fuzz_byte(in);
    }
    return value;
}

static double take_double(struct fuzz_bytes *in)
{
    uint64_t bits = take_u64(in);
    double d;

    switch (bits) {
    case 0: return fuzz_byte(in) & 1 ? -0.0 : 0.0;
    case 1: return NAN;
    case 2: return INFINITY;
    case 3: return -INFINITY;
    default: break;
    }
    if (bits < 1u << 20) {
        return (double)bits / 8 - 8;
    }
    memcpy(&d, &bits, sizeof d);
    return d;
}

/* Text as a host may give it: valid UTF-8. */
static struct condition_value take_text(struct fuzz_bytes *in, bool utf8)
{
    size_t len = fuzz_byte(in) % 40;
    char *text = malloc(len + 1);
    struct condition_value value;

    CHECK(text != NULL);
    for (size_t i = 0; i < len; i++) {
        text[i] = (char)fuzz_byte(in);
    }
    for (size_t i = 0, n; utf8 && i < len; i += n) {
        n = utf8_sequence(text + i, len - i);
        if (n == 0) {
            text[i] = '?';
            n = 1;
        }
    }
    value = condition_string(fuzz_exact((struct str){text, len}), len);
    value.kind = utf8 ? CONDITION_STRING : CONDITION_BYTES;
    free(text);
    return value;
}

static struct condition_value take(struct fuzz_bytes *in, enum condition_kind kind,
                                   struct arena *arena, unsigned depth);

static struct condition_value take_list(struct fuzz_bytes *in, struct arena *arena, unsigned depth)
{
    uint32_t count = fuzz_byte(in) % (ITEMS_MAX + 1);
    struct condition_value list = {.kind = CONDITION_LIST, .size = count};
    struct condition_value *items = arena_zero(arena, count + 1, sizeof *items);

    CHECK(items != NULL);
    for (uint32_t i = 0; i < count; i++) {
        items[i] = take(in, CONDITION_DYN, arena, depth - 1);
    }
    list.as.items = items;
    return list;
}

static struct condition_value take_map(struct fuzz_bytes *in, struct arena *arena, unsigned depth)
{
    static const enum condition_kind keys[] = {CONDITION_STRING, CONDITION_STRING, CONDITION_INT,
                                               CONDITION_UINT, CONDITION_BOOL};
    uint32_t count = fuzz_byte(in) % (ITEMS_MAX + 1), kept = 0;
    struct condition_value map = {.kind = CONDITION_MAP};
    struct condition_entry *entries = arena_zero(arena, count + 1, sizeof *entries);

    CHECK(entries != NULL);
    for (uint32_t i = 0; i < count; i++) {
        bool twice = false;

        entries[kept].key = take(in, keys[fuzz_byte(in) % 5], arena, depth - 1);
        entries[kept].value = take(in, CONDITION_DYN, arena, depth - 1);
        for (uint32_t j = 0; j < kept; j++) {
            twice = twice || condition_equal(&entries[j].key, &entries[kept].key);
        }
        kept += !twice;
    }
    map.size = kept;
    map.as.entries = entries;
    return map;
}

static struct condition_value take(struct fuzz_bytes *in, enum condition_kind kind,
                                   struct arena *arena, unsigned depth)
{
    static const enum condition_kind kinds[] = {
        CONDITION_ABSENT, CONDITION_NULL,   CONDITION_BOOL,      CONDITION_INT,
        CONDITION_UINT,   CONDITION_DOUBLE, CONDITION_STRING,    CONDITION_BYTES,
        CONDITION_LIST,   CONDITION_MAP,    CONDITION_TIMESTAMP, CONDITION_DURATION};
    struct condition_value value = {.kind = CONDITION_NULL};

    if (kind == CONDITION_DYN) {
        kind = kinds[fuzz_byte(in) % (sizeof kinds / sizeof kinds[0])];
    }
    if (depth < DEPTH_MAX && kind == CONDITION_ABSENT) {
        kind = CONDITION_NULL; /* only a whole attribute can be absent */
    }
    if (depth == 0 && (kind == CONDITION_LIST || kind == CONDITION_MAP)) {
        kind = CONDITION_INT;
    }
    switch (kind) {
    case CONDITION_BOOL: return condition_bool(fuzz_byte(in) & 1);
    case CONDITION_INT: return condition_int((int64_t)take_u64(in));
    case CONDITION_UINT:
        value.kind = CONDITION_UINT;
        value.as.u = take_u64(in);
        return value;
    case CONDITION_DOUBLE: return condition_double(take_double(in));
    case CONDITION_STRING: return take_text(in, true);
    case CONDITION_BYTES: return take_text(in, false);
    case CONDITION_LIST: return take_list(in, arena, depth);
    case CONDITION_MAP: return take_map(in, arena, depth);
    case CONDITION_TIMESTAMP: /* the years 1 to 9999 */
        return condition_timestamp((int64_t)(take_u64(in) % (253402300799u + 62135596800u + 1)) -
                                       62135596800,
                                   (int32_t)(take_u64(in) % 1000000000));
    case CONDITION_DURATION: { /* what 64 bits of nanoseconds hold */
        int64_t seconds = (int64_t)(take_u64(in) % 9223372036u);
        int32_t nanos = (int32_t)(take_u64(in) % 1000000000);
        int sign = fuzz_byte(in) & 1 ? -1 : 1;
        return condition_duration(sign * seconds, sign * nanos);
    }
    default: break;
    }
    value.kind = (uint8_t)kind;
    return value;
}

struct condition_value fuzz_value(struct fuzz_bytes *in, enum condition_kind kind,
                                  struct arena *arena)
{
    return take(in, kind, arena, DEPTH_MAX);
}

struct exact {
    struct exact *next;
    char text[];
};

static struct exact *exacts;

char *fuzz_exact(struct str text)
{
    struct exact *exact = malloc(sizeof *exact + text.len);

    CHECK(exact != NULL);
    exact->next = exacts;
    exacts = exact;
    memcpy(exact->text, text.at, text.len);
    return exact->text;
}

void fuzz_release(void)
{
    while (exacts != NULL) {
        struct exact *next = exacts->next;

        free(exacts);
        exacts = next;
    }
}
