#include "base/json_scan.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

#define NUMBER_BYTES_MAX 63u /* cJSON copies a number into 64 bytes and drops the rest */

struct scan {
    const char *text;
    size_t len, at;
    unsigned depth;
    struct err *err;
};

static bool scan_value(struct scan *scan);

static bool fail(struct scan *scan, const char *why)
{
    unsigned line = 1, column = 1;

    for (size_t i = 0; i < scan->at && i < scan->len; i++) {
        if (scan->text[i] == '\n') {
            line++;
            column = 1;
        } else {
            column += ((unsigned char)scan->text[i] & 0xC0) != 0x80;
        }
    }
    err_set(scan->err, ERR_INVALID, "not valid JSON: %s (line %u, column %u)", why, line, column);
    return false;
}

/* The byte here, or 0 at the end; a NUL in the text itself fits no rule either. */
static char peek(const struct scan *scan)
{
    return scan->at < scan->len ? scan->text[scan->at] : '\0';
}

static void skip_blanks(struct scan *scan)
{
    while (peek(scan) == ' ' || peek(scan) == '\t' || peek(scan) == '\n' || peek(scan) == '\r') {
        scan->at++;
    }
}

/* Four hex digits at offset from here; -1 if they are not there. */
static long hex4(const struct scan *scan, size_t offset)
{
    long code = 0;

    for (size_t i = scan->at + offset; i < scan->at + offset + 4; i++) {
        char c = i < scan->len ? scan->text[i] : '\0';
        if (c >= '0' && c <= '9') {
            code = code * 16 + (c - '0');
        } else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f') {
            code = code * 16 + ((c | 0x20) - 'a' + 10);
        } else {
            return -1;
        }
    }
    return code;
}

static bool scan_escape(struct scan *scan)
{
    char c = scan->at + 1 < scan->len ? scan->text[scan->at + 1] : '\0';
    long code;

    if (c != 'u') {
        if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL) {
            return fail(scan, "unknown escape in a string");
        }
        scan->at += 2;
        return true;
    }
    code = hex4(scan, 2);
    if (code < 0) {
        return fail(scan, "\\u needs four hexadecimal digits");
    }
    if (code == 0) {
        return fail(scan, "\\u0000 is not allowed in a string");
    }
    if (code >= 0xD800 && code <= 0xDFFF) {
        bool escaped = scan->at + 7 < scan->len && scan->text[scan->at + 6] == '\\' &&
                       scan->text[scan->at + 7] == 'u';
        long low = escaped ? hex4(scan, 8) : -1;
        if (code >= 0xDC00 || low < 0xDC00 || low > 0xDFFF) {
            return fail(scan, "half of a surrogate pair");
        }
        scan->at += 6;
    }
    scan->at += 6;
    return true;
}

static bool scan_string(struct scan *scan)
{
    size_t opened = scan->at;

    scan->at++;
    while (scan->at < scan->len) {
        unsigned char c = (unsigned char)scan->text[scan->at];
        if (c == '"') {
            scan->at++;
            return true;
        }
        if (c == '\\') {
            if (!scan_escape(scan)) {
                return false;
            }
        } else if (c < 0x20) {
            return fail(scan, "control character in a string");
        } else {
            size_t n = utf8_sequence(scan->text + scan->at, scan->len - scan->at);
            if (n == 0) {
                return fail(scan, "invalid UTF-8");
            }
            scan->at += n;
        }
    }
    scan->at = opened;
    return fail(scan, "a string that does not end");
}

static size_t skip_digits(struct scan *scan)
{
    size_t from = scan->at;

    while (peek(scan) >= '0' && peek(scan) <= '9') {
        scan->at++;
    }
    return scan->at - from;
}

static bool scan_number(struct scan *scan)
{
    size_t from = scan->at, bytes;
    bool exponent = false;
    char copy[NUMBER_BYTES_MAX + 1];

    scan->at += peek(scan) == '-';
    if (peek(scan) == '0') {
        scan->at++;
    } else if (skip_digits(scan) == 0) {
        return fail(scan, "a number needs a digit here");
    }
    if (peek(scan) >= '0' && peek(scan) <= '9') {
        return fail(scan, "a number may not begin with 0");
    }
    if (peek(scan) == '.') {
        scan->at++;
        if (skip_digits(scan) == 0) {
            return fail(scan, "a number needs a digit after its point");
        }
    }
    if (peek(scan) == 'e' || peek(scan) == 'E') {
        exponent = true;
        scan->at++;
        scan->at += peek(scan) == '+' || peek(scan) == '-';
        if (skip_digits(scan) == 0) {
            return fail(scan, "a number needs a digit in its exponent");
        }
    }
    bytes = scan->at - from;
    if (bytes > NUMBER_BYTES_MAX) {
        scan->at = from;
        return fail(scan, "a number of more than 63 characters");
    }
    if (!exponent) {
        return true; /* so few digits alone stay in range */
    }
    memcpy(copy, scan->text + from, bytes);
    copy[bytes] = '\0';
    if (!isfinite(strtod(copy, NULL))) {
        scan->at = from;
        return fail(scan, "a number past the range of a double");
    }
    return true;
}

static bool scan_members(struct scan *scan, char closing)
{
    bool object = closing == '}';

    if (++scan->depth > JSON_DEPTH_MAX) {
        return fail(scan, "nested too deeply");
    }
    scan->at++;
    skip_blanks(scan);
    if (peek(scan) == closing) {
        scan->at++;
        scan->depth--;
        return true;
    }
    for (;;) {
        if (object) {
            if (peek(scan) != '"') {
                return fail(scan, "expected a member name in double quotes");
            }
            if (!scan_string(scan)) {
                return false;
            }
            skip_blanks(scan);
            if (peek(scan) != ':') {
                return fail(scan, "expected ':'");
            }
            scan->at++;
        }
        if (!scan_value(scan)) {
            return false;
        }
        if (peek(scan) == ',') {
            scan->at++;
            skip_blanks(scan);
            continue;
        }
        if (peek(scan) == closing) {
            scan->at++;
            scan->depth--;
            return true;
        }
        return fail(scan, object ? "expected ',' or '}'" : "expected ',' or ']'");
    }
}

static bool scan_word(struct scan *scan, const char *word)
{
    size_t n = strlen(word);

    if (scan->len - scan->at < n || memcmp(scan->text + scan->at, word, n) != 0) {
        return fail(scan, "unknown word; a string needs double quotes");
    }
    scan->at += n;
    return true;
}

/* A value with the blanks around it. */
static bool scan_value(struct scan *scan)
{
    bool ok;

    skip_blanks(scan);
    if (scan->at == scan->len) {
        return fail(scan, "it ends too early");
    }
    switch (peek(scan)) {
    case '{': ok = scan_members(scan, '}'); break;
    case '[': ok = scan_members(scan, ']'); break;
    case '"': ok = scan_string(scan); break;
    case 't': ok = scan_word(scan, "true"); break;
    case 'f': ok = scan_word(scan, "false"); break;
    case 'n': ok = scan_word(scan, "null"); break;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9': ok = scan_number(scan); break;
    default: ok = fail(scan, "expected a value"); break;
    }
    if (ok) {
        skip_blanks(scan);
    }
    return ok;
}

enum err_code json_scan(const char *text, size_t len, struct err *err)
{
    struct scan scan = {.text = text, .len = len, .err = err};

    if (!scan_value(&scan)) {
        return ERR_INVALID;
    }
    if (scan.at != len) {
        (void)fail(&scan, "something stands behind the document");
        return ERR_INVALID;
    }
    return ERR_OK;
}
