/*
 * operate - see operate.h.
 */
#include "condition/operate.h"

#include "condition/limits.h"
#include "condition/moment.h"
#include "condition/number.h"
#include "condition/value.h"

#include <math.h>
#include <string.h>

/* ---- arithmetic ---- */

static enum cel_fault concat(struct cel_frame *f, struct condition_value *pair)
{
    size_t size = (size_t)pair[0].size + pair[1].size;
    char *text;

    if (!cel_charge(f, size))
        return FAULT_STEPS;
    if (pair[1].size == 0)
        return FAULT_NONE;
    text = size <= UINT32_MAX ? cel_scratch(f, size) : NULL;
    if (!text)
        return FAULT_SCRATCH;
    if (pair[0].size)
        memcpy(text, pair[0].as.bytes, pair[0].size);
    memcpy(text + pair[0].size, pair[1].as.bytes, pair[1].size);
    pair[0].as.bytes = text;
    pair[0].size = (uint32_t)size;
    return FAULT_NONE;
}

static enum cel_fault concat_lists(struct cel_frame *f, struct condition_value *pair)
{
    size_t count = (size_t)pair[0].size + pair[1].size;
    struct condition_value *items;

    if (!cel_charge(f, count * 10))
        return FAULT_STEPS;
    if (pair[1].size == 0)
        return FAULT_NONE;
    items = count <= UINT32_MAX ? cel_scratch(f, count * sizeof *items) : NULL;
    if (!items)
        return FAULT_SCRATCH;
    if (pair[0].size)
        memcpy(items, pair[0].as.items, pair[0].size * sizeof *items);
    memcpy(items + pair[0].size, pair[1].as.items, pair[1].size * sizeof *items);
    pair[0].as.items = items;
    pair[0].size = (uint32_t)count;
    return FAULT_NONE;
}

static enum cel_fault move_timestamp(const struct condition_value *timestamp, int64_t seconds,
                                     int64_t nanos, struct condition_value *out)
{
    int64_t sum;

    if (__builtin_add_overflow(timestamp->as.i, seconds, &sum) ||
        !cel_timestamp_make(sum, cel_nanos(timestamp) + nanos, out))
        return FAULT_TIME_RANGE;
    return FAULT_NONE;
}

static enum cel_fault make_duration(bool overflow, int64_t nanos, struct condition_value *out)
{
    if (overflow)
        return FAULT_TIME_RANGE;
    *out = cel_duration_make(nanos);
    return FAULT_NONE;
}

static enum cel_fault add_moments(struct cel_frame *f, struct condition_value *a,
                                  const struct condition_value *b)
{
    int64_t x, y, sum;

    if (a->kind == CONDITION_TIMESTAMP && b->kind == CONDITION_DURATION)
        return move_timestamp(a, b->as.i, cel_nanos(b), a);
    if (a->kind == CONDITION_DURATION && b->kind == CONDITION_TIMESTAMP)
        return move_timestamp(b, a->as.i, cel_nanos(a), a);
    if (a->kind == CONDITION_DURATION && b->kind == CONDITION_DURATION) {
        bool bad = !cel_duration_nanos(a, &x) || !cel_duration_nanos(b, &y) ||
                   __builtin_add_overflow(x, y, &sum);
        return make_duration(bad, bad ? 0 : sum, a);
    }
    return cel_fault_overload(f, a, 2);
}

enum cel_fault cel_add(struct cel_frame *f, struct condition_value *pair)
{
    struct condition_value *a = pair, *b = pair + 1;

    if (a->kind != b->kind)
        return add_moments(f, a, b);
    switch (a->kind) {
    case CONDITION_INT:
        return __builtin_add_overflow(a->as.i, b->as.i, &a->as.i) ? FAULT_OVERFLOW : FAULT_NONE;
    case CONDITION_UINT:
        return __builtin_add_overflow(a->as.u, b->as.u, &a->as.u) ? FAULT_OVERFLOW : FAULT_NONE;
    case CONDITION_DOUBLE: a->as.d += b->as.d; return FAULT_NONE;
    case CONDITION_STRING:
    case CONDITION_BYTES: return concat(f, pair);
    case CONDITION_LIST: return concat_lists(f, pair);
    default: return add_moments(f, a, b);
    }
}

static enum cel_fault subtract_moments(struct cel_frame *f, struct condition_value *a,
                                       const struct condition_value *b)
{
    int64_t x, y, difference;
    bool bad;

    if (a->kind == CONDITION_TIMESTAMP && b->kind == CONDITION_DURATION) {
        if (b->as.i == INT64_MIN)
            return FAULT_TIME_RANGE;
        return move_timestamp(a, -b->as.i, -(int64_t)cel_nanos(b), a);
    }
    if (a->kind == CONDITION_TIMESTAMP && b->kind == CONDITION_TIMESTAMP) {
        bad = __builtin_sub_overflow(a->as.i, b->as.i, &x) ||
              __builtin_mul_overflow(x, INT64_C(1000000000), &x) ||
              __builtin_add_overflow(x, (int64_t)cel_nanos(a) - cel_nanos(b), &difference);
        return make_duration(bad, bad ? 0 : difference, a);
    }
    if (a->kind == CONDITION_DURATION && b->kind == CONDITION_DURATION) {
        bad = !cel_duration_nanos(a, &x) || !cel_duration_nanos(b, &y) ||
              __builtin_sub_overflow(x, y, &difference);
        return make_duration(bad, bad ? 0 : difference, a);
    }
    return cel_fault_overload(f, a, 2);
}

enum cel_fault cel_subtract(struct cel_frame *f, struct condition_value *pair)
{
    struct condition_value *a = pair, *b = pair + 1;

    if (a->kind == b->kind) {
        switch (a->kind) {
        case CONDITION_INT:
            return __builtin_sub_overflow(a->as.i, b->as.i, &a->as.i) ? FAULT_OVERFLOW : FAULT_NONE;
        case CONDITION_UINT:
            return __builtin_sub_overflow(a->as.u, b->as.u, &a->as.u) ? FAULT_OVERFLOW : FAULT_NONE;
        case CONDITION_DOUBLE: a->as.d -= b->as.d; return FAULT_NONE;
        default: break;
        }
    }
    return subtract_moments(f, a, b);
}

enum cel_fault cel_multiply(struct cel_frame *f, struct condition_value *pair)
{
    struct condition_value *a = pair, *b = pair + 1;

    if (a->kind == b->kind) {
        switch (a->kind) {
        case CONDITION_INT:
            return __builtin_mul_overflow(a->as.i, b->as.i, &a->as.i) ? FAULT_OVERFLOW : FAULT_NONE;
        case CONDITION_UINT:
            return __builtin_mul_overflow(a->as.u, b->as.u, &a->as.u) ? FAULT_OVERFLOW : FAULT_NONE;
        case CONDITION_DOUBLE: a->as.d *= b->as.d; return FAULT_NONE;
        default: break;
        }
    }
    return cel_fault_overload(f, pair, 2);
}

enum cel_fault cel_divide(struct cel_frame *f, struct condition_value *pair)
{
    struct condition_value *a = pair, *b = pair + 1;

    if (a->kind == b->kind) {
        switch (a->kind) {
        case CONDITION_INT:
            if (b->as.i == 0)
                return FAULT_DIVIDE;
            if (a->as.i == INT64_MIN && b->as.i == -1)
                return FAULT_OVERFLOW;
            a->as.i /= b->as.i;
            return FAULT_NONE;
        case CONDITION_UINT:
            if (b->as.u == 0)
                return FAULT_DIVIDE;
            a->as.u /= b->as.u;
            return FAULT_NONE;
        case CONDITION_DOUBLE:
            if (b->as.d == 0.0) /* IEEE 754, said in C so that no sanitizer minds */
                a->as.d = a->as.d == 0.0 || isnan(a->as.d)
                              ? (double)NAN
                              : (double)copysign(INFINITY, a->as.d) * copysign(1.0, b->as.d);
            else
                a->as.d /= b->as.d;
            return FAULT_NONE;
        default: break;
        }
    }
    return cel_fault_overload(f, pair, 2);
}

enum cel_fault cel_modulus(struct cel_frame *f, struct condition_value *pair)
{
    struct condition_value *a = pair, *b = pair + 1;

    if (a->kind == CONDITION_INT && b->kind == CONDITION_INT) {
        if (b->as.i == 0)
            return FAULT_MODULUS;
        if (b->as.i == -1) /* INT64_MIN % -1 traps in C */
            a->as.i = 0;
        else
            a->as.i %= b->as.i;
        return FAULT_NONE;
    }
    if (a->kind == CONDITION_UINT && b->kind == CONDITION_UINT) {
        if (b->as.u == 0)
            return FAULT_MODULUS;
        a->as.u %= b->as.u;
        return FAULT_NONE;
    }
    return cel_fault_overload(f, pair, 2);
}

enum cel_fault cel_negate(struct cel_frame *f, struct condition_value *v)
{
    switch (v->kind) {
    case CONDITION_INT:
        if (v->as.i == INT64_MIN)
            return FAULT_OVERFLOW;
        v->as.i = -v->as.i;
        return FAULT_NONE;
    case CONDITION_DOUBLE: v->as.d = -v->as.d; return FAULT_NONE;
    default: return cel_fault_overload(f, v, 1);
    }
}

/* ---- containers ---- */

/* A double that is a whole number finds the key that is that number. */
enum cel_fault cel_in(struct cel_frame *f, struct condition_value *pair)
{
    const struct condition_value *needle = &pair[0], *list = &pair[1];
    bool found = false;

    if (list->kind != CONDITION_LIST && list->kind != CONDITION_MAP)
        return cel_fault_overload(f, pair, 2);
    if (!cel_charge(f, (size_t)list->size * 10))
        return FAULT_STEPS;
    if (list->kind == CONDITION_MAP) {
        found = cel_map_find(list, needle) != NULL;
    } else {
        for (uint32_t i = 0; i < list->size && !found; i++) {
            if (!cel_charge_compare(f, needle, &list->as.items[i]))
                return FAULT_STEPS;
            found = condition_equal(needle, &list->as.items[i]);
        }
    }
    pair[0] = condition_bool(found);
    return FAULT_NONE;
}

/* The value at key of container, or NULL with fault said. */
static const struct condition_value *look_up(struct cel_frame *f,
                                             const struct condition_value *container,
                                             const struct condition_value *key,
                                             enum cel_fault *fault)
{
    const struct condition_entry *entry;
    int64_t at;

    if (container->kind == CONDITION_MAP) {
        if (!cel_charge(f, (size_t)container->size)) {
            *fault = FAULT_STEPS;
            return NULL;
        }
        entry = cel_map_find(container, key);
        *fault = entry ? FAULT_NONE : cel_fault_key(f, key);
        return entry ? &entry->value : NULL;
    }
    if (container->kind == CONDITION_LIST && cel_is_number(key)) {
        struct condition_value whole = condition_int(0);
        if (key->kind == CONDITION_DOUBLE) {
            if (key->as.d >= 0 && key->as.d < 4294967296.0)
                whole.as.i = (int64_t)key->as.d;
            if (cel_compare_numbers(&whole, key) != 0) {
                *fault = cel_fault_text(f, "a list's index must be a whole number");
                return NULL;
            }
            at = whole.as.i;
        } else {
            at = key->kind == CONDITION_UINT && key->as.u > INT64_MAX ? INT64_MAX : key->as.i;
        }
        if (at < 0 || at >= (int64_t)container->size) {
            f->detail.number = at;
            *fault = FAULT_INDEX;
            return NULL;
        }
        return &container->as.items[at];
    }
    struct condition_value pair[2] = {*container, *key};
    *fault = cel_fault_overload(f, pair, 2);
    return NULL;
}

enum cel_fault cel_index(struct cel_frame *f, struct condition_value *v,
                         const struct condition_value *key, bool optional)
{
    const struct condition_value *container = v, *found;
    enum cel_fault fault = FAULT_NONE;

    if (v->kind == CONDITION_OPTIONAL) { /* then so is the result */
        if (!v->as.items)
            return FAULT_NONE;
        container = v->as.items;
        optional = true;
    }
    found = look_up(f, container, key, &fault);
    if (!optional) {
        if (found)
            *v = *found;
        return fault;
    }
    if (!found && fault != FAULT_KEY && fault != FAULT_INDEX)
        return fault;
    *v = cel_none();
    v->as.items = found; /* borrowed from the container */
    return FAULT_NONE;
}

enum cel_fault cel_select(struct cel_frame *f, struct condition_value *v,
                          const struct condition_value *name, bool optional)
{
    const struct condition_value *container = v;

    if (v->kind == CONDITION_OPTIONAL && v->as.items)
        container = v->as.items;
    if (container->kind != CONDITION_MAP && container->kind != CONDITION_OPTIONAL)
        return cel_fault_overload(f, container, 1);
    return cel_index(f, v, name, optional);
}

enum cel_fault cel_has(struct cel_frame *f, struct condition_value *v,
                       const struct condition_value *name)
{
    const struct condition_value *container = v;

    if (v->kind == CONDITION_OPTIONAL) {
        if (!v->as.items) {
            *v = condition_bool(false);
            return FAULT_NONE;
        }
        container = v->as.items;
    }
    if (container->kind != CONDITION_MAP)
        return cel_fault_overload(f, container, 1);
    *v = condition_bool(cel_map_find(container, name) != NULL);
    return FAULT_NONE;
}

/* Whether entry i is meant at all; takes an optional's value out of it. */
static enum cel_fault unwrap(struct cel_frame *f, const struct condition_value *marks, uint32_t i,
                             struct condition_value *v, bool *meant)
{
    *meant = true;
    if (!marks || !marks->as.bytes[i])
        return FAULT_NONE;
    if (v->kind != CONDITION_OPTIONAL)
        return cel_fault_overload(f, v, 1);
    *meant = v->as.items != NULL;
    if (*meant)
        *v = *v->as.items;
    return FAULT_NONE;
}

enum cel_fault cel_make_list(struct cel_frame *f, struct condition_value *items, uint32_t count,
                             const struct condition_value *marks)
{
    struct condition_value *copy = cel_scratch(f, count * sizeof *copy);
    uint32_t used = 0;

    if (!copy)
        return FAULT_SCRATCH;
    for (uint32_t i = 0; i < count; i++) {
        bool meant;
        enum cel_fault fault = unwrap(f, marks, i, &items[i], &meant);
        if (fault)
            return fault;
        if (meant)
            copy[used++] = items[i];
    }
    memset(&items[0], 0, sizeof items[0]);
    items[0].kind = CONDITION_LIST;
    items[0].size = used;
    items[0].as.items = copy;
    return FAULT_NONE;
}

enum cel_fault cel_make_map(struct cel_frame *f, struct condition_value *items, uint32_t count,
                            const struct condition_value *marks)
{
    struct condition_entry *copy = cel_scratch(f, count * sizeof *copy);
    struct condition_value map = {CONDITION_MAP, 0, 0, 0, {0}};

    if (!copy)
        return FAULT_SCRATCH;
    map.as.entries = copy;
    for (uint32_t i = 0; i < count; i++) {
        struct condition_value *key = &items[2 * i], *value = &items[2 * i + 1];
        bool meant;
        enum cel_fault fault = unwrap(f, marks, i, value, &meant);
        if (fault)
            return fault;
        if (key->kind != CONDITION_STRING && key->kind != CONDITION_INT &&
            key->kind != CONDITION_UINT && key->kind != CONDITION_BOOL)
            return cel_fault_text(f, "a map's key must be int, uint, bool or string, not %s",
                                  condition_type_name(key));
        if (!cel_charge(f, map.size))
            return FAULT_STEPS;
        if (cel_map_find(&map, key))
            return cel_fault_text(f, "a key stands in the map twice");
        if (meant) {
            copy[map.size].key = *key;
            copy[map.size++].value = *value;
        }
    }
    items[0] = map;
    return FAULT_NONE;
}

/* ---- texts ---- */

enum cel_fault cel_match(struct cel_frame *f, struct condition_value *v,
                         const struct cel_regex *regex)
{
    int found;

    if (v->kind != CONDITION_STRING)
        return cel_fault_overload(f, v, 1);
    if (!cel_charge(f, v->size))
        return FAULT_STEPS;
    found = cel_regex_match(regex, v->as.bytes, v->size);
    if (found < 0)
        return v->size > CEL_SUBJECT_MAX ? FAULT_SUBJECT : FAULT_PATTERN;
    *v = condition_bool(found > 0);
    return FAULT_NONE;
}

const char *cel_find(const char *text, size_t len, const char *needle, size_t needle_len)
{
    const char *end, *at;

    if (needle_len == 0)
        return text ? text : "";
    if (needle_len > len)
        return NULL;
    end = text + len - needle_len + 1;
    for (at = text; at < end; at++) {
        at = memchr(at, needle[0], (size_t)(end - at));
        if (!at)
            return NULL;
        if (memcmp(at, needle, needle_len) == 0)
            return at;
    }
    return NULL;
}

/* What looking at every part of v costs, as bytes; stops counting when it is too much anyway. */
static size_t weight(const struct condition_value *v, size_t enough, unsigned depth)
{
    size_t sum = 0;

    switch (v->kind) {
    case CONDITION_STRING:
    case CONDITION_BYTES: return v->size;
    case CONDITION_LIST:
        for (uint32_t i = 0; depth && i < v->size && sum < enough; i++)
            sum += 10 + weight(&v->as.items[i], enough - sum, depth - 1);
        return sum;
    case CONDITION_MAP: /* a map's keys may have to be looked up one by one */
        for (uint32_t i = 0; depth && i < v->size && sum < enough; i++)
            sum += 10 + (size_t)v->size + weight(&v->as.entries[i].value, enough - sum, depth - 1);
        return sum;
    default: return 0;
    }
}

bool cel_charge_compare(struct cel_frame *f, const struct condition_value *a,
                        const struct condition_value *b)
{
    size_t enough = (size_t)(f->steps < 0 ? 0 : f->steps + 1) * 10;

    if (a->kind != b->kind || a->kind < CONDITION_STRING || a->size != b->size)
        return true;
    return cel_charge(f, weight(a, enough, 64));
}
