#include "migrator/walk/place.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

static bool has_bytes(const struct database_value *value)
{
    return value->type == DATABASE_TEXT || value->type == DATABASE_BLOB;
}

struct place *place_of_row(const struct database_rows *rows, size_t row, size_t count)
{
    size_t bytes = 0;
    struct place *out;
    char *room;

    for (size_t i = 0; i < count; i++) {
        const struct database_value *value = database_rows_at(rows, row, i);
        bytes += has_bytes(value) ? value->as.bytes.len : 0;
    }
    out = calloc(1, sizeof *out + count * sizeof out->values[0] + bytes + 1);
    if (out == NULL) {
        return NULL;
    }
    out->count = count;
    room = (char *)&out->values[count];
    for (size_t i = 0; i < count; i++) {
        struct database_value *value = &out->values[i];
        *value = *database_rows_at(rows, row, i);
        if (has_bytes(value)) {
            if (value->as.bytes.len > 0) {
                memcpy(room, value->as.bytes.at, value->as.bytes.len);
            }
            value->as.bytes.at = room;
            room += value->as.bytes.len;
        }
    }
    return out;
}

char *place_text(const struct place *place)
{
    struct buf text = {0};

    for (size_t i = 0; i < place->count; i++) {
        const struct database_value *value = &place->values[i];
        buf_text(&text, i > 0 ? "," : "");
        switch (value->type) {
        case DATABASE_NULL: buf_char(&text, 'n'); break;
        case DATABASE_INT: buf_print(&text, "i%" PRId64, value->as.i); break;
        case DATABASE_REAL: {
            uint64_t bits = 0; /* as text it would depend on the locale */
            memcpy(&bits, &value->as.d, sizeof bits);
            buf_print(&text, "r%" PRIx64, bits);
            break;
        }
        case DATABASE_TEXT:
        case DATABASE_BLOB:
            buf_char(&text, value->type == DATABASE_TEXT ? 't' : 'b');
            for (size_t k = 0; k < value->as.bytes.len; k++) {
                buf_print(&text, "%02x", (unsigned)(unsigned char)value->as.bytes.at[k]);
            }
            break;
        }
    }
    return buf_take(&text);
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads one value, and moves *at behind it. Bytes go to *room. */
static bool read_one(const char **at, char **room, struct database_value *out)
{
    char kind = *(*at)++, *end = NULL;

    switch (kind) {
    case 'n': *out = database_null(); return true;
    case 'i': *out = database_int(strtoll(*at, &end, 10)); break;
    case 'r': {
        uint64_t bits = strtoull(*at, &end, 16);
        double real = 0;
        memcpy(&real, &bits, sizeof real);
        *out = database_real(real);
        break;
    }
    case 't':
    case 'b':
        *out = database_text_n(*room, 0);
        out->type = kind == 't' ? DATABASE_TEXT : DATABASE_BLOB;
        while (hex_digit((*at)[0]) >= 0 && hex_digit((*at)[1]) >= 0) {
            *(*room)++ = (char)(hex_digit((*at)[0]) * 16 + hex_digit((*at)[1]));
            out->as.bytes.len++;
            *at += 2;
        }
        return true;
    default: return false;
    }
    if (end == *at) {
        return false;
    }
    *at = end;
    return true;
}

struct place *place_read(const char *text, size_t count)
{
    struct place *out = calloc(1, sizeof *out + count * sizeof out->values[0] + strlen(text) + 1);
    char *room;

    if (out == NULL) {
        return NULL;
    }
    out->count = count;
    room = (char *)&out->values[count];
    for (size_t i = 0; i < count; i++) {
        if ((i > 0 && *text++ != ',') || *text == '\0' ||
            !read_one(&text, &room, &out->values[i])) {
            free(out);
            return NULL;
        }
    }
    if (*text != '\0') {
        free(out);
        return NULL;
    }
    return out;
}
