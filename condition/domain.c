/*
 * domain - see domain.h. The only file that knows libidn2.
 */
#include "condition/domain.h"

#include <idn2.h>
#include <string.h>

/* Cuts text to the host: behind the last '@', without a port and a trailing dot. */
static void cut_to_host(const char **at, size_t *len)
{
    const char *p = *at, *end = *at + *len;

    for (const char *q = p; q < end; q++)
        if (*q == '@')
            p = q + 1;
    for (const char *q = end; q > p && end - q < 7; q--) {
        if (q[-1] == ':') {
            bool port = q < end;
            for (const char *d = q; d < end; d++)
                port &= *d >= '0' && *d <= '9';
            if (port)
                end = q - 1;
            break;
        }
    }
    if (end > p && end[-1] == '.')
        end--;
    *at = p;
    *len = (size_t)(end - p);
}

/* Whether the ASCII text is a host name: labels of 1 to 63 letters, digits, '-' and '_', none with
 * '-' at its ends, and not all numbers at the end (that is an IPv4 address). */
static bool is_host(const char *at, size_t len)
{
    size_t label = 0, labels = 1;
    bool numeric = true;

    if (len == 0 || len > DOMAIN_BYTES_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        char ch = at[i];
        if (ch == '.') {
            if (label == 0 || at[i - 1] == '-')
                return false;
            label = 0;
            labels++;
            numeric = true;
            continue;
        }
        if (!((ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || ch == '_' ||
              (ch == '-' && label > 0)))
            return false;
        if (ch < '0' || ch > '9')
            numeric = false;
        if (++label > 63)
            return false;
    }
    return label > 0 && at[len - 1] != '-' && labels <= DOMAIN_LABELS_MAX && !numeric;
}

size_t domain_canonical_ascii(const char *text, size_t len, char *out, size_t out_size)
{
    cut_to_host(&text, &len);
    if (len == 0 || len > DOMAIN_BYTES_MAX || len >= out_size)
        return 0;
    for (size_t i = 0; i < len; i++)
        out[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] | 0x20) : text[i];
    out[len] = '\0';
    return is_host(out, len) ? len : 0;
}

static size_t canonical_unicode(const char *text, size_t len, char *out, size_t out_size)
{
    /* UTF-8 of at most 253 ASCII bytes: a label of 63 may stand for 59 code points. */
    char copy[4 * DOMAIN_BYTES_MAX + 1], *ascii = NULL;
    size_t result = 0;

    if (len >= sizeof copy || memchr(text, '\0', len))
        return 0;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (idn2_to_ascii_8z(copy, &ascii, IDN2_NONTRANSITIONAL | IDN2_USE_STD3_ASCII_RULES) ==
        IDN2_OK) {
        size_t n = strlen(ascii);
        if (n && ascii[n - 1] == '.')
            n--;
        result = domain_canonical_ascii(ascii, n, out, out_size);
    }
    idn2_free(ascii);
    return result;
}

size_t domain_canonical(const char *text, size_t len, char *out, size_t out_size)
{
    bool plain = true;

    cut_to_host(&text, &len);
    for (size_t i = 0; i < len; i++)
        plain &= (unsigned char)text[i] < 0x80;
    if (plain)
        return domain_canonical_ascii(text, len, out, out_size);
    return canonical_unicode(text, len, out, out_size);
}

bool domain_under(const char *name, size_t name_len, const char *parent, size_t parent_len)
{
    if (parent_len == 0 || name_len < parent_len ||
        memcmp(name + name_len - parent_len, parent, parent_len) != 0)
        return false;
    return name_len == parent_len || name[name_len - parent_len - 1] == '.';
}

bool domain_matches(const char *name, size_t name_len, const char *pattern, size_t pattern_len)
{
    if (pattern_len > 2 && pattern[0] == '*' && pattern[1] == '.')
        return name_len > pattern_len - 2 &&
               domain_under(name, name_len, pattern + 2, pattern_len - 2);
    return name_len == pattern_len && pattern_len > 0 && memcmp(name, pattern, name_len) == 0;
}
