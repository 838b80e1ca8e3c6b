#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/json_order.h"
#include "base/utf8.h"

/* cJSON's printer is not used: it compares doubles with a tolerance, so that 0.1 + 0.2 does not
 * read back as itself, and it cannot sort. */

enum style { ONE_LINE, PRETTY, CANONICAL };

static void print_value(struct buf *buf, const struct json *json, enum style style, unsigned level);

static void print_string(struct buf *buf, const char *at, size_t len)
{
    static const char short_escapes[] = "btn.fr"; /* of 0x08 to 0x0D; 0x0B has none */
    size_t from = 0, i = 0;

    buf_char(buf, '"');
    while (i < len) {
        unsigned char c = (unsigned char)at[i];
        size_t n = utf8_sequence(at + i, len - i);

        if (n > 0 && c >= 0x20 && c != '"' && c != '\\') {
            i += n;
            continue;
        }
        buf_add(buf, at + from, i - from);
        if (n == 0) {
            buf_text(buf, "\xEF\xBF\xBD"); /* U+FFFD */
        } else if (c >= 0x08 && c <= 0x0D && c != 0x0B) {
            buf_char(buf, '\\');
            buf_char(buf, short_escapes[c - 0x08]);
        } else if (c < 0x20) {
            buf_print(buf, "\\u%04x", c);
        } else {
            buf_char(buf, '\\');
            buf_char(buf, (char)c);
        }
        i++;
        from = i;
    }
    buf_add(buf, at + from, len - from);
    buf_char(buf, '"');
}

static void print_number(struct buf *buf, double number)
{
    char text[40];

    if (!isfinite(number)) {
        buf_text(buf, "null");
        return;
    }
    if (fabs(number) <= 9007199254740992.0 && floor(number) == number) {
        buf_print(buf, "%lld", (long long)number);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    for (char *c = text; *c != '\0'; c++) {
        if (strchr("0123456789+-e", *c) == NULL) {
            *c = '.'; /* the host may have set a locale with another decimal point */
        }
    }
    buf_text(buf, text);
}

static void new_line(struct buf *buf, enum style style, unsigned level)
{
    if (style == PRETTY) {
        buf_print(buf, "\n%*s", (int)(2 * level), "");
    }
}

static void print_member(struct buf *buf, const char *key, const struct json *value,
                         enum style style, unsigned level)
{
    print_string(buf, key, strlen(key));
    buf_text(buf, style == PRETTY ? ": " : ":");
    print_value(buf, value, style, level);
}

static void print_sorted(struct buf *buf, const struct json *object)
{
    struct json_member *members;
    size_t count;

    if (!json_members_sorted(object, &members, &count)) {
        buf->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_char(buf, ',');
        }
        print_member(buf, members[i].key, members[i].value, CANONICAL, 0);
    }
    free(members);
}

static void print_children(struct buf *buf, const struct json *parent, enum style style,
                           unsigned level)
{
    bool object = json_kind(parent) == JSON_OBJECT;

    for (const struct json *child = json_first(parent); child != NULL; child = json_next(child)) {
        if (child != json_first(parent)) {
            buf_char(buf, ',');
        }
        new_line(buf, style, level + 1);
        if (object) {
            print_member(buf, json_key(child), child, style, level + 1);
        } else {
            print_value(buf, child, style, level + 1);
        }
    }
    if (json_first(parent) != NULL) {
        new_line(buf, style, level);
    }
}

static void print_value(struct buf *buf, const struct json *json, enum style style, unsigned level)
{
    bool object = json_kind(json) == JSON_OBJECT;

    switch (json_kind(json)) {
    case JSON_NULL:
        buf_text(buf, json_raw_text(json) != NULL ? json_raw_text(json) : "null");
        break;
    case JSON_BOOL: buf_text(buf, json_is_true(json) ? "true" : "false"); break;
    case JSON_NUMBER: print_number(buf, json_number(json, 0)); break;
    case JSON_STRING: print_string(buf, json_text(json), strlen(json_text(json))); break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        buf_char(buf, object ? '{' : '[');
        if (object && style == CANONICAL) {
            print_sorted(buf, json);
        } else {
            print_children(buf, json, style, level);
        }
        buf_char(buf, object ? '}' : ']');
        break;
    }
}

static char *print(const struct json *json, enum style style)
{
    struct buf buf = {0};

    print_value(&buf, json, style, 0);
    if (style == PRETTY) {
        buf_char(&buf, '\n');
    }
    return buf_take(&buf);
}

char *json_print(const struct json *json)
{
    return print(json, ONE_LINE);
}

char *json_print_pretty(const struct json *json)
{
    return print(json, PRETTY);
}

char *json_print_canonical(const struct json *json)
{
    return print(json, CANONICAL);
}

char *json_quote(const char *at, size_t len)
{
    struct buf buf = {0};

    print_string(&buf, at, len);
    return buf_take(&buf);
}
