#include "base/toml.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"

#define NUMBER_BYTES 64

struct parser {
    const char *start, *at, *end;
    int depth;
    struct err *err;
    enum err_code rc;
};

static enum err_code wrong(struct parser *p, const char *what)
{
    unsigned line = 1;

    for (const char *c = p->start; c < p->at && c < p->end; c++) {
        line += *c == '\n';
    }
    if (p->rc == ERR_OK) {
        p->rc = err_set(p->err, ERR_INVALID, "line %u: %s", line, what);
    }
    return p->rc;
}

static bool looking_at(const struct parser *p, const char *text)
{
    size_t len = strlen(text);

    return (size_t)(p->end - p->at) >= len && memcmp(p->at, text, len) == 0;
}

static bool take(struct parser *p, const char *text)
{
    if (!looking_at(p, text)) {
        return false;
    }
    p->at += strlen(text);
    return true;
}

/* Blanks; with lines, ends of lines and comments too. */
static void skip(struct parser *p, bool lines)
{
    while (p->at < p->end) {
        if (*p->at == ' ' || *p->at == '\t' || (lines && (*p->at == '\n' || *p->at == '\r'))) {
            p->at++;
        } else if (lines && *p->at == '#') {
            while (p->at < p->end && *p->at != '\n') {
                p->at++;
            }
        } else {
            return;
        }
    }
}

static void end_line(struct parser *p)
{
    skip(p, false);
    if (p->at < p->end && *p->at == '#') {
        while (p->at < p->end && *p->at != '\n') {
            p->at++;
        }
    }
    (void)take(p, "\r");
    if (p->at < p->end && !take(p, "\n")) {
        wrong(p, "the end of the line was expected");
    }
}

/* ---- strings and keys ---- */

static void take_unicode(struct parser *p, size_t digits, struct buf *out)
{
    char hex[9] = "", bytes[4], *end;
    unsigned long c;
    size_t len = 0;

    if ((size_t)(p->end - p->at) < digits) {
        wrong(p, "the string does not end");
        return;
    }
    memcpy(hex, p->at, digits);
    p->at += digits;
    c = strtoul(hex, &end, 16);
    if (*end != '\0' || strspn(hex, "0123456789abcdefABCDEF") != digits || c == 0 || c > 0x10FFFF ||
        (c >= 0xD800 && c <= 0xDFFF)) {
        wrong(p, "this is no character that a string can hold");
        return;
    }
    if (c < 0x80) {
        bytes[len++] = (char)c;
    } else {
        int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
        static const unsigned char first[] = {0, 0xC0, 0xE0, 0xF0};
        bytes[len++] = (char)(first[more] | (c >> (6 * more)));
        while (more-- > 0) {
            bytes[len++] = (char)(0x80 | ((c >> (6 * more)) & 0x3F));
        }
    }
    buf_add(out, bytes, len);
}

static void take_escape(struct parser *p, bool lines, struct buf *out)
{
    static const char from[] = "btnfr\"\\", to[] = "\b\t\n\f\r\"\\";
    const char *known = p->at < p->end && *p->at != '\0' ? strchr(from, *p->at) : NULL;

    if (known != NULL) {
        buf_char(out, to[known - from]);
        p->at++;
    } else if (take(p, "u")) {
        take_unicode(p, 4, out);
    } else if (take(p, "U")) {
        take_unicode(p, 8, out);
    } else if (lines && p->at < p->end && strchr(" \t\r\n", *p->at) != NULL) {
        while (p->at < p->end && strchr(" \t\r\n", *p->at) != NULL && *p->at != '\0') {
            p->at++;
        }
    } else {
        wrong(p, "an escape that TOML does not have");
    }
}

/* Behind the opening quotes; quote is one of them, lines whether there are three. */
static void take_string(struct parser *p, char quote, bool lines, struct buf *out)
{
    char close[4] = {quote, lines ? quote : '\0', lines ? quote : '\0', '\0'};

    if (lines && !take(p, "\n")) {
        (void)take(p, "\r\n");
    }
    while (p->rc == ERR_OK) {
        if (p->at >= p->end || (!lines && *p->at == '\n')) {
            wrong(p, "the string does not end");
        } else if (take(p, close)) {
            for (int i = 0; lines && i < 2 && p->at < p->end && *p->at == quote; i++) {
                buf_char(out, *p->at++); /* up to two quotes may stand before the three */
            }
            return;
        } else if (quote == '"' && take(p, "\\")) {
            take_escape(p, lines, out);
        } else if (((unsigned char)*p->at < ' ' && *p->at != '\t' &&
                    !(lines && (*p->at == '\n' || *p->at == '\r'))) ||
                   *p->at == 127) {
            wrong(p, "a control character in a string");
        } else {
            buf_char(out, *p->at++);
        }
    }
}

static bool is_bare(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static void take_key(struct parser *p, struct buf *out)
{
    buf_clear(out);
    skip(p, false);
    if (take(p, "\"")) {
        take_string(p, '"', false, out);
    } else if (take(p, "'")) {
        take_string(p, '\'', false, out);
    } else {
        while (p->at < p->end && is_bare(*p->at)) {
            buf_char(out, *p->at++);
        }
        if (out->len == 0) {
            wrong(p, "a key was expected");
        }
    }
    skip(p, false);
}

/* ---- values ---- */

static struct json *take_value(struct parser *p);
static void take_pair(struct parser *p, struct json *table);

static struct json *take_array(struct parser *p)
{
    struct json *array = json_array();

    skip(p, true);
    while (p->rc == ERR_OK && !take(p, "]")) {
        (void)json_append(array, take_value(p));
        skip(p, true);
        if (!take(p, ",") && !looking_at(p, "]")) {
            wrong(p, "',' or ']' was expected");
        }
        skip(p, true);
    }
    return array;
}

static struct json *take_inline_table(struct parser *p)
{
    struct json *table = json_object();

    skip(p, false);
    if (take(p, "}")) {
        return table;
    }
    do {
        take_pair(p, table);
        skip(p, false);
    } while (p->rc == ERR_OK && take(p, ","));
    if (!take(p, "}")) {
        wrong(p, "',' or '}' was expected");
    }
    return table;
}

static struct json *take_number(struct parser *p)
{
    char text[NUMBER_BYTES], *end = text;
    const char *from = p->at;
    size_t len = 0, digits;
    int base = 10;
    double number;

    while (p->at < p->end && strchr("+-_.:", *p->at) != NULL && *p->at != '\0' ? true
           : p->at < p->end                                                    ? is_bare(*p->at)
                                                                               : false) {
        if (*p->at != '_' && len + 1 < sizeof text) {
            text[len++] = *p->at;
        }
        p->at++;
    }
    text[len] = '\0';
    digits = strspn(text, "0123456789");
    if (digits == 4 && text[4] == '-') { /* a date */
        return json_string_n(from, (size_t)(p->at - from));
    }
    if (digits == 2 && text[2] == ':') { /* a time */
        return json_string_n(from, (size_t)(p->at - from));
    }
    base = strncmp(text, "0x", 2) == 0   ? 16
           : strncmp(text, "0o", 2) == 0 ? 8
           : strncmp(text, "0b", 2) == 0 ? 2
                                         : 10;
    number = base == 10 ? strtod(text, &end) : (double)strtoull(text + 2, &end, base);
    if (len == 0 || *end != '\0' || end == text || !isfinite(number) ||
        strspn(text, "+-0123456789.eExabcdfABCDFo") != len) {
        wrong(p, "a value was expected");
        return NULL;
    }
    return json_number_new(number);
}

static struct json *take_value(struct parser *p)
{
    struct json *out = NULL;
    struct buf text = {0};

    if (++p->depth > (int)JSON_DEPTH_MAX) {
        wrong(p, "nested too deeply");
    } else if (looking_at(p, "\"") || looking_at(p, "'")) {
        char quote = *p->at;
        bool lines = looking_at(p, quote == '"' ? "\"\"\"" : "'''");
        p->at += lines ? 3 : 1;
        take_string(p, quote, lines, &text);
        out = json_string_n(buf_cstr(&text), text.len);
    } else if (take(p, "[")) {
        out = take_array(p);
    } else if (take(p, "{")) {
        out = take_inline_table(p);
    } else if (take(p, "true")) {
        out = json_bool(true);
    } else if (take(p, "false")) {
        out = json_bool(false);
    } else {
        out = take_number(p);
    }
    p->depth--;
    buf_fini(&text);
    return out;
}

/* The table called key in table, made if it is missing; of an array of tables the newest. */
static struct json *enter(struct parser *p, struct json *table, const char *key)
{
    struct json *next = json_get(table, key);

    if (next == NULL) {
        return json_put_new(table, key, json_object());
    }
    if (json_kind(next) == JSON_ARRAY) {
        struct json *last = json_first(next);
        while (last != NULL && json_next(last) != NULL) {
            last = json_next(last);
        }
        next = last;
    }
    if (json_kind(next) != JSON_OBJECT) {
        wrong(p, "this key has a value already that is no table");
    }
    return next;
}

/* key = value, key.key = value */
static void take_pair(struct parser *p, struct json *table)
{
    struct buf key = {0};
    struct json *value;

    take_key(p, &key);
    while (p->rc == ERR_OK && take(p, ".")) {
        table = enter(p, table, buf_cstr(&key));
        take_key(p, &key);
    }
    if (p->rc == ERR_OK && !take(p, "=")) {
        wrong(p, "'=' was expected");
    }
    if (p->rc == ERR_OK && json_get(table, buf_cstr(&key)) != NULL) {
        wrong(p, "this key was given before");
    }
    if (p->rc == ERR_OK) {
        skip(p, false);
        value = take_value(p);
        (void)json_put_new(table, buf_cstr(&key), value);
    }
    buf_fini(&key);
}

/* [table] and [[array of tables]] */
static struct json *take_header(struct parser *p, struct json *root)
{
    bool many = take(p, "[");
    struct json *table = root, *list;
    struct buf key = {0};

    take_key(p, &key);
    while (p->rc == ERR_OK && take(p, ".")) {
        table = enter(p, table, buf_cstr(&key));
        take_key(p, &key);
    }
    if (p->rc == ERR_OK && !take(p, many ? "]]" : "]")) {
        wrong(p, "']' was expected");
    }
    if (p->rc == ERR_OK && many) {
        list = json_get(table, buf_cstr(&key));
        list = list != NULL ? list : json_put_new(table, buf_cstr(&key), json_array());
        if (json_kind(list) != JSON_ARRAY) {
            wrong(p, "this key has a value already that is no list of tables");
        } else {
            table = json_append(list, json_object());
        }
    } else if (p->rc == ERR_OK) {
        table = enter(p, table, buf_cstr(&key));
    }
    buf_fini(&key);
    return table;
}

enum err_code toml_parse(const char *text, size_t len, struct json **out, struct err *err)
{
    struct parser p = {text, text, text + len, 0, err, ERR_OK};
    struct json *root = json_object(), *table = root;

    if (root == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    if (!utf8_valid(text, len) || memchr(text, '\0', len) != NULL) {
        wrong(&p, "it is no UTF-8 text");
    }
    (void)take(&p, "\xef\xbb\xbf");
    for (skip(&p, true); p.rc == ERR_OK && p.at < p.end; skip(&p, true)) {
        if (take(&p, "[")) {
            table = take_header(&p, root);
        } else {
            take_pair(&p, table);
        }
        if (p.rc == ERR_OK) {
            end_line(&p);
        }
        if (p.rc == ERR_OK && table == NULL) {
            p.rc = err_set(err, ERR_NOMEM, "out of memory");
        }
    }
    if (p.rc != ERR_OK) {
        json_free(root);
        return p.rc;
    }
    *out = root;
    return ERR_OK;
}
