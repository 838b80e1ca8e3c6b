/*
 * value - see value.h.
 */
#include "condition/value.h"

#include "condition/moment.h"
#include "condition/number.h"

#include <stdio.h>
#include <string.h>

/* Values nest as deep as the host made them; equality stops there, so that no input can exhaust
 * the stack. Two values that differ only deeper than this compare as unequal. */
#define EQUAL_DEPTH_MAX 64u

static bool equal_at(const struct condition_value *a, const struct condition_value *b,
                     unsigned depth);

static bool equal_maps(const struct condition_value *a, const struct condition_value *b,
                       unsigned depth)
{
    if (a->size != b->size)
        return false;
    for (uint32_t i = 0; i < a->size; i++) {
        /* Maps that came from one place mostly hold their keys in one order. */
        const struct condition_entry *other = &b->as.entries[i];
        if (!equal_at(&a->as.entries[i].key, &other->key, depth))
            other = cel_map_find(b, &a->as.entries[i].key);
        if (!other || !equal_at(&a->as.entries[i].value, &other->value, depth))
            return false;
    }
    return true;
}

static bool equal_opaque(const struct condition_value *a, const struct condition_value *b)
{
    const struct cel_address *x = a->as.opaque, *y = b->as.opaque;

    if (a->sub != b->sub)
        return false;
    switch (a->sub) {
    case OPAQUE_IP: return x->family == y->family && memcmp(x->bytes, y->bytes, 16) == 0;
    case OPAQUE_CIDR:
        return x->family == y->family && x->prefix == y->prefix &&
               memcmp(x->bytes, y->bytes, 16) == 0;
    case OPAQUE_SEMVER: return cel_semver_compare(a->as.opaque, b->as.opaque) == 0;
    default: return a->as.opaque == b->as.opaque;
    }
}

static bool equal_at(const struct condition_value *a, const struct condition_value *b,
                     unsigned depth)
{
    if (cel_is_number(a) && cel_is_number(b))
        return cel_compare_numbers(a, b) == 0;
    if (a->kind != b->kind || depth == 0)
        return false;
    switch (a->kind) {
    case CONDITION_NULL: return true;
    case CONDITION_BOOL: return a->as.truth == b->as.truth;
    case CONDITION_STRING:
    case CONDITION_BYTES:
    case CONDITION_TYPE_VALUE:
        return a->size == b->size &&
               (a->size == 0 || memcmp(a->as.bytes, b->as.bytes, a->size) == 0);
    case CONDITION_TIMESTAMP:
    case CONDITION_DURATION: return a->as.i == b->as.i && a->size == b->size;
    case CONDITION_LIST:
        if (a->size != b->size)
            return false;
        for (uint32_t i = 0; i < a->size; i++)
            if (!equal_at(&a->as.items[i], &b->as.items[i], depth - 1))
                return false;
        return true;
    case CONDITION_MAP: return equal_maps(a, b, depth - 1);
    case CONDITION_OPTIONAL:
        if (!a->as.items || !b->as.items)
            return !a->as.items && !b->as.items;
        return equal_at(a->as.items, b->as.items, depth - 1);
    case CONDITION_OPAQUE: return equal_opaque(a, b);
    default: return false;
    }
}

bool condition_equal(const struct condition_value *a, const struct condition_value *b)
{
    return equal_at(a, b, EQUAL_DEPTH_MAX);
}

int cel_compare(const struct condition_value *a, const struct condition_value *b)
{
    int order;

    if (cel_is_number(a) && cel_is_number(b))
        return cel_compare_numbers(a, b);
    if (a->kind != b->kind)
        return 3;
    switch (a->kind) {
    case CONDITION_BOOL: return (int)a->as.truth - (int)b->as.truth;
    case CONDITION_STRING:
    case CONDITION_BYTES: {
        uint32_t n = a->size < b->size ? a->size : b->size;
        order = n ? memcmp(a->as.bytes, b->as.bytes, n) : 0;
        if (order == 0)
            return a->size < b->size ? -1 : a->size > b->size;
        return order < 0 ? -1 : 1;
    }
    case CONDITION_TIMESTAMP:
    case CONDITION_DURATION:
        if (a->as.i != b->as.i)
            return a->as.i < b->as.i ? -1 : 1;
        return cel_nanos(a) < cel_nanos(b) ? -1 : cel_nanos(a) > cel_nanos(b);
    default: return 3;
    }
}

const struct condition_entry *cel_map_find(const struct condition_value *map,
                                           const struct condition_value *key)
{
    if (key->kind == CONDITION_STRING)
        return cel_map_find_text(map, key->as.bytes, key->size);
    for (uint32_t i = 0; i < map->size; i++)
        if (condition_equal(&map->as.entries[i].key, key))
            return &map->as.entries[i];
    return NULL;
}

const struct condition_entry *cel_map_find_text(const struct condition_value *map, const char *at,
                                                uint32_t len)
{
    for (uint32_t i = 0; i < map->size; i++) {
        const struct condition_entry *entry = &map->as.entries[i];
        if (entry->key.size == len && entry->key.kind == CONDITION_STRING &&
            (len == 0 || memcmp(entry->key.as.bytes, at, len) == 0))
            return entry;
    }
    return NULL;
}

/* ---- names ---- */

const char *cel_kind_name(unsigned kind)
{
    static const char *const names[] = {
        [CONDITION_ABSENT] = "absent",
        [CONDITION_NULL] = "null_type",
        [CONDITION_BOOL] = "bool",
        [CONDITION_INT] = "int",
        [CONDITION_UINT] = "uint",
        [CONDITION_DOUBLE] = "double",
        [CONDITION_STRING] = "string",
        [CONDITION_BYTES] = "bytes",
        [CONDITION_LIST] = "list",
        [CONDITION_MAP] = "map",
        [CONDITION_TIMESTAMP] = "google.protobuf.Timestamp",
        [CONDITION_DURATION] = "google.protobuf.Duration",
        [CONDITION_TYPE_VALUE] = "type",
        [CONDITION_OPTIONAL] = "optional_type",
        [CONDITION_OPAQUE] = "opaque",
        [CONDITION_DYN] = "dyn",
    };

    return kind < sizeof names / sizeof *names && names[kind] ? names[kind] : "unknown";
}

const char *condition_type_name(const struct condition_value *v)
{
    if (v->kind == CONDITION_OPAQUE) {
        switch (v->sub) {
        case OPAQUE_IP: return "net.IP";
        case OPAQUE_CIDR: return "net.CIDR";
        case OPAQUE_SEMVER: return "semver";
        default: return "opaque";
        }
    }
    return cel_kind_name(v->kind);
}

struct condition_value cel_type_value(const char *name)
{
    struct condition_value v = condition_string(name, strlen(name));

    v.kind = CONDITION_TYPE_VALUE;
    return v;
}

/* ---- printing ---- */

void cel_write(struct cel_writer *w, const char *at, size_t len)
{
    if (w->len < w->size) {
        size_t room = w->size - w->len;
        memcpy(w->out + w->len, at, len < room ? len : room);
    }
    w->len += len;
}

void cel_write_text(struct cel_writer *w, const char *nul_terminated)
{
    cel_write(w, nul_terminated, strlen(nul_terminated));
}

void cel_write_quoted(struct cel_writer *w, const char *at, size_t len, bool bytes)
{
    static const char plain[] = "\a\b\f\n\r\t\v\\\"";
    static const char letter[] = "abfnrtv\\\"";

    cel_write_text(w, bytes ? "b\"" : "\"");
    for (size_t i = 0; i < len; i++) {
        unsigned char ch = (unsigned char)at[i];
        const char *found = ch ? strchr(plain, ch) : NULL;
        char escape[8];
        if (found) {
            escape[0] = '\\';
            escape[1] = letter[found - plain];
            cel_write(w, escape, 2);
        } else if (ch < 0x20 || ch == 0x7F || (bytes && ch >= 0x80)) {
            snprintf(escape, sizeof escape, "\\x%02x", ch);
            cel_write(w, escape, 4);
        } else {
            cel_write(w, at + i, 1);
        }
    }
    cel_write_text(w, "\"");
}

#define PRINT_DEPTH_MAX 64u

static void write_value(struct cel_writer *w, const struct condition_value *v, unsigned depth);

static void write_items(struct cel_writer *w, const struct condition_value *v, unsigned depth)
{
    cel_write_text(w, v->kind == CONDITION_LIST ? "[" : "{");
    for (uint32_t i = 0; i < v->size; i++) {
        if (i)
            cel_write_text(w, ", ");
        if (v->kind == CONDITION_LIST) {
            write_value(w, &v->as.items[i], depth - 1);
        } else {
            write_value(w, &v->as.entries[i].key, depth - 1);
            cel_write_text(w, ": ");
            write_value(w, &v->as.entries[i].value, depth - 1);
        }
    }
    cel_write_text(w, v->kind == CONDITION_LIST ? "]" : "}");
}

static void write_number(struct cel_writer *w, const struct condition_value *v)
{
    char text[72];
    size_t len;

    switch (v->kind) {
    case CONDITION_INT: cel_write(w, text, cel_print_int(v->as.i, text)); break;
    case CONDITION_UINT:
        cel_write(w, text, cel_print_uint(v->as.u, 10, text));
        cel_write_text(w, "u");
        break;
    default:
        len = cel_print_double(v->as.d, text);
        if (strpbrk(text, "Nn")) { /* NaN and the infinities have no literal */
            cel_write_text(w, "double(\"");
            cel_write(w, text, len);
            cel_write_text(w, "\")");
        } else {
            cel_write(w, text, len);
            if (!strpbrk(text, ".e"))
                cel_write_text(w, ".0");
        }
    }
}

static void write_opaque(struct cel_writer *w, const struct condition_value *v)
{
    char text[64];
    const struct cel_semver *semver = v->as.opaque;

    switch (v->sub) {
    case OPAQUE_IP:
    case OPAQUE_CIDR:
        cel_write_text(w, v->sub == OPAQUE_IP ? "ip(\"" : "cidr(\"");
        cel_write(w, text, cel_address_print(v->as.opaque, v->sub == OPAQUE_CIDR, text));
        cel_write_text(w, "\")");
        break;
    case OPAQUE_SEMVER:
        cel_write_text(w, "semver(");
        cel_write_quoted(w, semver->text.at, semver->text.len, false);
        cel_write_text(w, ")");
        break;
    default: cel_write_text(w, "<opaque>");
    }
}

static void write_value(struct cel_writer *w, const struct condition_value *v, unsigned depth)
{
    char text[CEL_MOMENT_TEXT];

    if (depth == 0) {
        cel_write_text(w, "...");
        return;
    }
    switch (v->kind) {
    case CONDITION_NULL: cel_write_text(w, "null"); break;
    case CONDITION_BOOL: cel_write_text(w, v->as.truth ? "true" : "false"); break;
    case CONDITION_INT:
    case CONDITION_UINT:
    case CONDITION_DOUBLE: write_number(w, v); break;
    case CONDITION_STRING:
    case CONDITION_BYTES:
        cel_write_quoted(w, v->as.bytes, v->size, v->kind == CONDITION_BYTES);
        break;
    case CONDITION_LIST:
    case CONDITION_MAP: write_items(w, v, depth); break;
    case CONDITION_TIMESTAMP:
    case CONDITION_DURATION:
        cel_write_text(w, v->kind == CONDITION_TIMESTAMP ? "timestamp(\"" : "duration(\"");
        cel_write(w, text, cel_moment_print(v, text));
        cel_write_text(w, "\")");
        break;
    case CONDITION_TYPE_VALUE: cel_write(w, v->as.bytes, v->size); break;
    case CONDITION_OPTIONAL:
        if (v->as.items) {
            cel_write_text(w, "optional.of(");
            write_value(w, v->as.items, depth - 1);
            cel_write_text(w, ")");
        } else {
            cel_write_text(w, "optional.none()");
        }
        break;
    case CONDITION_OPAQUE: write_opaque(w, v); break;
    default: cel_write_text(w, "<absent>");
    }
}

size_t condition_value_print(const struct condition_value *v, char *out, size_t out_size)
{
    struct cel_writer w = {out, out_size, 0};

    write_value(&w, v, PRINT_DEPTH_MAX);
    if (out_size)
        out[w.len < out_size ? w.len : out_size - 1] = '\0';
    return w.len;
}
