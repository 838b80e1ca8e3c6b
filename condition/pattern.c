/*
 * pattern - see pattern.h. The scan walks the pattern once, as RE2's parser does. Where both take a
 * pattern they agree except for \s, \v, braces that are no quantifier, repeats of assertions, and
 * what a - or a [: in a class means, which are rewritten.
 */
#include "condition/pattern.h"

#include "condition/limits.h"
#include "condition/pool.h"
#include "condition/property.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define REPEAT_MAX 1000u /* RE2's bound, also on the product of nested repeats */
#define NESTING_MAX CEL_PATTERN_NESTING_MAX
#define UNICODE_MAX 0x10ffffu
#define FOLDED_MAX (2u * UNICODE_MAX) /* some 10 ms of compiling */

struct scan {
    const char *pattern;
    size_t len, at;
    char *out;
    size_t used;
    char *msg;
    size_t msg_size;
    unsigned depth;
    uint32_t repeats[NESTING_MAX + 1]; /* greatest product of repeats inside each open group */
    uint32_t last_repeat;              /* that of the item just read */
    bool fold[NESTING_MAX + 1];        /* whether (?i) holds in each open group */
    uint32_t apart;                    /* complements in a class, to be written beside it */
    uint32_t folded;                   /* characters in ranges under (?i): PCRE2 visits each */
    bool repeatable;                   /* an item stands before here */
    bool full;                         /* out is */
};

static bool refuse(struct scan *s, const char *why)
{
    snprintf(s->msg, s->msg_size, "%s", why);
    return false;
}

static void put_bytes(struct scan *s, const char *at, size_t n)
{
    if (n > CEL_PATTERN_OUT - s->used) {
        s->full = true;
        return;
    }
    memcpy(s->out + s->used, at, n);
    s->used += n;
}

static void put(struct scan *s, const char *text)
{
    put_bytes(s, text, strlen(text));
}

/* Copies n bytes of the pattern. */
static void copy(struct scan *s, size_t n)
{
    put_bytes(s, s->pattern + s->at, n);
    s->at += n;
}

static int ahead(const struct scan *s, size_t n)
{
    return s->at + n < s->len ? (unsigned char)s->pattern[s->at + n] : -1;
}

static bool is_hex(int ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f') || (ch >= 'A' && ch <= 'F');
}

static uint32_t hex_digit(int ch)
{
    return (uint32_t)(ch <= '9' ? ch - '0' : (ch | 0x20) - 'a' + 10);
}

static bool is_alnum(int ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

static bool is_octal(int ch)
{
    return ch >= '0' && ch <= '7';
}

/* Writes a character so that it stands for itself, in a class and outside. */
static void put_character(struct scan *s, uint32_t ch)
{
    char text[16] = {'\\', (char)ch};

    if (ch < 0x80 && is_alnum((int)ch))
        put_bytes(s, text + 1, 1);
    else if (ch >= ' ' && ch < 0x7f)
        put_bytes(s, text, 2);
    else {
        snprintf(text, sizeof text, "\\x{%x}", (unsigned)ch);
        put(s, text);
    }
}

/* \x41 or \x{1F600}. */
static bool take_hex(struct scan *s, uint32_t *out)
{
    size_t n = 2, most = 2, from;

    *out = 0;
    if (ahead(s, 2) == '{') {
        most = s->len;
        n = 3;
    }
    for (from = n; n < from + most && is_hex(ahead(s, n)) && *out <= UNICODE_MAX; n++)
        *out = *out * 16 + hex_digit(ahead(s, n));
    if (most == 2 ? n != from + 2 : n == from || ahead(s, n) != '}')
        return refuse(s, "bad \\x escape");
    if (*out > UNICODE_MAX || (*out >= 0xd800 && *out <= 0xdfff))
        return refuse(s, "there is no character of this number");
    s->at += n + (most == 2 ? 0 : 1);
    return true;
}

/* What (?i) adds to a property: characters that are another's capital or small letter and do not
 * have the property. PCRE2 adds nothing. text NULL: too many to say. */
static const struct {
    const char *name, *text;
} folded[] = {{"L", "\\x{345}"},
              {"M", "\\x{399}\\x{3b9}\\x{1fbe}"},
              {"Mn", "\\x{399}\\x{3b9}\\x{1fbe}"},
              {"Inherited", "\\x{399}\\x{3b9}\\x{1fbe}"},
              {"Common", "\\x{39c}\\x{3bc}"},
              {"Greek", "\\x{b5}\\x{345}"},
              {"Lu", NULL},
              {"Ll", NULL},
              {"Lt", NULL}};

static bool put_folded_property(struct scan *s, const char *name, size_t len, bool negated,
                                bool in_class)
{
    const char *more = "";
    char text[100];

    for (size_t i = 0; i < sizeof folded / sizeof *folded; i++)
        if (strlen(folded[i].name) == len && memcmp(folded[i].name, name, len) == 0)
            more = folded[i].text;
    if (!more || (*more && negated && in_class))
        return refuse(s, "this property does not go with (?i)");
    if (*more && in_class)
        snprintf(text, sizeof text, "\\p{%.*s}%s", (int)len, name, more);
    else if (*more)
        snprintf(text, sizeof text, "[%s\\p{%.*s}%s]", negated ? "^" : "", (int)len, name, more);
    else
        snprintf(text, sizeof text, "\\%c{%.*s}", negated ? 'P' : 'p', (int)len, name);
    put(s, text);
    return true;
}

/* \pL, \p{Greek}, \PN, \p{^Lu}. */
static bool scan_property(struct scan *s, bool in_class)
{
    bool negated = ahead(s, 1) == 'P';
    size_t from = 2, n = 3, end;

    if (ahead(s, 2) == '{') {
        from = 3;
        if (ahead(s, 3) == '^') {
            negated = !negated;
            from = 4;
        }
        for (n = from; is_alnum(ahead(s, n)) || ahead(s, n) == '_';)
            n++;
        end = n + 1;
        if (ahead(s, n) != '}')
            return refuse(s, "unknown Unicode property");
    } else {
        end = n;
    }
    if (ahead(s, n - 1) < 0 || !cel_property_known(s->pattern + s->at + from, n - from))
        return refuse(s, "unknown Unicode property");
    if (s->fold[s->depth]) {
        if (!put_folded_property(s, s->pattern + s->at + from, n - from, negated, in_class))
            return false;
        s->at += end;
        return true;
    }
    copy(s, end);
    return true;
}

/* \Q...\E: literal text. */
static bool scan_quoted(struct scan *s)
{
    s->at += 2;
    while (s->at < s->len && !(s->pattern[s->at] == '\\' && ahead(s, 1) == 'E')) {
        int ch = ahead(s, 0);
        if (ch < 0x80 && !is_alnum(ch))
            put(s, "\\");
        copy(s, 1);
        s->repeatable = true;
        s->last_repeat = 1;
    }
    if (s->at < s->len)
        s->at += 2;
    return true;
}

/* ---- sets of ASCII ---- */

/* Pairs of first and last. */
static const struct ascii_set {
    const char *name;
    unsigned char count, pairs[8];
} sets[] = {
    {"alnum", 3, "09AZaz"},
    {"alpha", 2, "AZaz"},
    {"ascii", 1, "\0\x7f"},
    {"blank", 2, "\t\t  "},
    {"cntrl", 2, "\0\x1f\x7f\x7f"},
    {"digit", 1, "09"},
    {"graph", 1, "!~"},
    {"lower", 1, "az"},
    {"print", 1, " ~"},
    {"punct", 4, "!/:@[`{~"},
    {"space", 2, "\t\r  "},
    {"upper", 1, "AZ"},
    {"word", 4, "09AZ__az"},
    {"xdigit", 3, "09AFaf"},
    {"d", 1, "09"},
    {"s", 3, "\t\n\f\r  "},
    {"w", 4, "09AZ__az"},
};

static const struct ascii_set *find_set(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (strlen(sets[i].name) == len && memcmp(sets[i].name, name, len) == 0)
            return &sets[i];
    return NULL;
}

/* Writes the ranges of a set, for inside a class. As ranges, because of a complement in a class
 * PCRE2 10.42 forgets the characters of several bytes; and with (?i) a complement is one of the set
 * and its capitals and small letters, among which are the long s and the sign of Kelvin. */
static void put_set(struct scan *s, const struct ascii_set *set, bool negated)
{
    bool in[129] = {0}, fold = s->fold[s->depth];

    for (unsigned i = 0; i < set->count; i++)
        for (unsigned ch = set->pairs[2 * i]; ch <= set->pairs[2 * i + 1]; ch++) {
            in[ch] = true;
            if (fold && is_alnum((int)ch) && ch > '9')
                in[ch ^ 0x20u] = true;
        }
    for (uint32_t from = 0, to; from < 128; from = to + 1) {
        for (to = from; to < 128 && in[to + 1] == in[from] && to + 1 < 128; to++)
            ;
        if (in[from] == negated)
            continue;
        put_character(s, from);
        put(s, "-");
        put_character(s, to);
    }
    if (!negated) /* PCRE2 adds them for (?i) by itself: they are written as letters */
        return;
    put(s, fold && in['s'] ? "\\x{80}-\\x{17e}\\x{180}-\\x{2129}\\x{212b}-\\x{10ffff}"
                           : "\\x{80}-\\x{10ffff}");
}

/* A set in a class. A complement is whole as it is, and PCRE2 would look for the other letter of each
 * of its million characters: under (?i) it is written apart, where (?i) does not reach. */
static void add_set(struct scan *s, const struct ascii_set *set, bool negated)
{
    if (negated && s->fold[s->depth])
        s->apart |= 1u << (set - sets);
    else
        put_set(s, set, negated);
}

/* The class that was written from start on, with what is to stand apart of it: one or the other; of
 * its complement, neither. */
static void put_apart(struct scan *s, size_t start, bool negated)
{
    char class[CEL_PATTERN_OUT];
    size_t head = negated ? 2 : 1, len = s->used - start;
    bool alone;

    if (s->full)
        return;
    memcpy(class, s->out + start, len);
    s->used = start;
    alone = len == head + 1;
    put(s, alone ? "" : negated ? "(?:(?!" : "(?:");
    put(s, alone && negated ? "(?-i:[^" : "(?-i:[");
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (s->apart >> i & 1u)
            put_set(s, &sets[i], true);
    put(s, "])");
    s->apart = 0;
    if (alone)
        return;
    put(s, "|[");
    put_bytes(s, class + head, len - head);
    put(s, negated ? ")(?s:.))" : ")");
}

/* \d, \s, \w, \pL and their complements. */
static bool scan_set(struct scan *s, bool in_class)
{
    int ch = ahead(s, 1);
    char name = (char)(ch | 0x20);

    if (ch == 'p' || ch == 'P')
        return scan_property(s, in_class);
    if (ch == 'd' || (ch == 'w' && !s->fold[s->depth])) {
        copy(s, 2);
        return true;
    }
    if (in_class) {
        add_set(s, find_set(&name, 1), ch < 'a');
    } else {
        put(s, s->fold[s->depth] && ch < 'a' ? "(?-i:[" : "[");
        put_set(s, find_set(&name, 1), ch < 'a');
        put(s, s->fold[s->depth] && ch < 'a' ? "])" : "]");
    }
    s->at += 2;
    return true;
}

/* The character that an escape stands for; s moves behind it. */
static bool take_escaped(struct scan *s, uint32_t *out)
{
    static const char letters[] = "afnrtv", meanings[] = "\a\f\n\r\t\v";
    int ch = ahead(s, 1);
    const char *letter = ch > 0 ? strchr(letters, ch) : NULL;

    if (ch < 0)
        return refuse(s, "the pattern ends with a backslash");
    if (ch == 'x')
        return take_hex(s, out);
    if (ch >= '1' && ch <= '9' && !(ch <= '7' && is_octal(ahead(s, 2))))
        return refuse(s, "back-references are not supported");
    if (ch >= '0' && ch <= '7') { /* \0, \01, \012, \123 */
        s->at++;
        *out = 0;
        for (int i = 0; i < 3 && is_octal(ahead(s, 0)); i++)
            *out = *out * 8 + (uint32_t)(s->pattern[s->at++] - '0');
        return true;
    }
    if (is_alnum(ch) && !letter)
        return refuse(s, "unknown escape sequence");
    if (ch >= 0x80)
        return refuse(s, "only ASCII characters may be escaped");
    *out = letter ? (uint32_t)meanings[letter - letters] : (uint32_t)ch;
    s->at += 2;
    return true;
}

static bool scan_escape(struct scan *s)
{
    int ch = ahead(s, 1);
    uint32_t character;

    if (ch > 0 && strchr("dDsSwWpP", ch))
        return scan_set(s, false);
    if (!take_escaped(s, &character))
        return false;
    put_character(s, character);
    return true;
}

/* ---- classes ---- */

/* [:alpha:] and [:^alpha:]. Without a :] anywhere behind it the [ is a character. */
static bool scan_posix_class(struct scan *s, bool *set)
{
    bool negated = ahead(s, 2) == '^';
    const char *name = s->pattern + s->at + (negated ? 3 : 2), *end;
    const struct ascii_set *found;

    end = memmem(s->pattern + s->at + 2, s->len - s->at - 2, ":]", 2);
    *set = end != NULL;
    if (!end)
        return true;
    found = end > name + 1 ? find_set(name, (size_t)(end - name)) : NULL;
    if (!found)
        return refuse(s, "unknown class between [: and :]");
    add_set(s, found, negated);
    s->at = (size_t)(end + 2 - s->pattern);
    return true;
}

/* A character of a class, as itself or escaped. */
static bool take_character(struct scan *s, uint32_t *out)
{
    const char *at = s->pattern + s->at;
    bool valid = true;

    if (ahead(s, 0) < 0)
        return refuse(s, "a [ has no closing ]");
    if (is_alnum(*at)) {
        *out = (unsigned char)*at;
        s->at++;
        return true;
    }
    if (*at == '\\')
        return take_escaped(s, out);
    *out = cel_utf8_next(&at, s->pattern + s->len, &valid);
    if (!valid)
        return refuse(s, "the pattern is not valid UTF-8");
    s->at = (size_t)(at - s->pattern);
    return true;
}

/* The same in a class, where little needs an escape, but for what makes [. or [: of its beginning. */
static void put_in_class(struct scan *s, uint32_t ch)
{
    char text = (char)ch;

    if (ch > ' ' && ch < 0x7f && s->used > 0 && s->out[s->used - 1] != '[' &&
        (is_alnum((int)ch) || !strchr("\\]^-[:=", (int)ch)))
        put_bytes(s, &text, 1);
    else
        put_character(s, ch);
}

/* A character, or a range of them. A - between two characters makes a range; any other stands for
 * itself, behind \d and the like too, which PCRE2 refuses. So all are written as numbers. */
static bool scan_range(struct scan *s)
{
    size_t from = s->at;
    uint32_t low, high;

    if (!take_character(s, &low))
        return false;
    put_in_class(s, low);
    if (ahead(s, 0) != '-' || ahead(s, 1) < 0 || ahead(s, 1) == ']')
        return true;
    s->at++;
    if (ahead(s, 0) == '\\' && ahead(s, 1) > 0 && strchr("dDsSwWpP", ahead(s, 1)))
        return refuse(s, "bad range in a class");
    if (!take_character(s, &high))
        return false;
    if (high < low) {
        s->at = from;
        return refuse(s, "a range in a class begins behind its end");
    }
    s->folded += s->fold[s->depth] ? high - low : 0;
    if (s->folded > FOLDED_MAX)
        return refuse(s, "the ranges under (?i) are too large together");
    put_bytes(s, "-", 1);
    put_in_class(s, high);
    return true;
}

static bool scan_class(struct scan *s)
{
    size_t start = s->used;
    bool negated;

    copy(s, 1);
    negated = ahead(s, 0) == '^';
    if (negated)
        copy(s, 1);
    for (bool first = true; ahead(s, 0) != ']' || first; first = false) {
        bool set = false;
        if (ahead(s, 0) == '[' && ahead(s, 1) == ':' && !scan_posix_class(s, &set))
            return false;
        if (set)
            continue;
        if (ahead(s, 0) == '\\' && ahead(s, 1) > 0 && strchr("dDsSwWpP", ahead(s, 1))
                ? !scan_set(s, true)
                : !scan_range(s))
            return false;
    }
    copy(s, 1);
    if (s->apart)
        put_apart(s, start, negated);
    return true;
}

/* ---- groups ---- */

/* Writes the beginning of a group for n bytes of the pattern. */
static bool open_group(struct scan *s, size_t n, const char *as)
{
    put(s, as);
    s->at += n;
    s->repeats[++s->depth] = 1;
    s->fold[s->depth] = s->fold[s->depth - 1];
    return true;
}

/* (?P<name> and (?<name>. Names play no part in matching; an unnamed group is the same and cannot
 * clash. */
static bool scan_named_group(struct scan *s, size_t from)
{
    size_t n = from;

    while (is_alnum(ahead(s, n)) || ahead(s, n) == '_')
        n++;
    if (n == from || ahead(s, n) != '>')
        return refuse(s, "bad name of a group");
    return open_group(s, n + 1, "(");
}

/* (?i), (?s-im:, (?:, (?). U, which swaps greedy and lazy, changes no answer of a search. */
static bool scan_flags(struct scan *s)
{
    static const char letters[] = "ims";
    bool on[3] = {0}, off[3] = {0}, minus = false, flag = false, any = false;
    char text[16] = "(?";
    size_t n = 2, used = 2;

    for (; ahead(s, n) > 0 && strchr("imsU-", ahead(s, n)); n++) {
        const char *letter = strchr(letters, ahead(s, n));
        flag = ahead(s, n) != '-';
        if (!flag && minus)
            break;
        minus |= !flag;
        if (letter)
            (minus ? off : on)[letter - letters] = any = true;
    }
    if ((minus && !flag) || (ahead(s, n) != ':' && ahead(s, n) != ')'))
        return refuse(s, "this kind of group is not supported");
    for (size_t i = 0; i < 3; i++)
        if (on[i] && !off[i])
            text[used++] = letters[i];
    if (minus)
        text[used++] = '-';
    for (size_t i = 0; minus && i < 3; i++)
        if (off[i])
            text[used++] = letters[i];
    if (ahead(s, n) == ':') {
        text[used] = ':';
        (void)open_group(s, n + 1, text);
    } else {
        text[used] = ')';
        put(s, any ? text : "");
        s->at += n + 1;
    }
    s->fold[s->depth] = (s->fold[s->depth] || on[0]) && !off[0];
    return true;
}

/* ( and what follows a ? behind it. */
static bool scan_group(struct scan *s)
{
    s->repeatable = false;
    if (s->depth >= NESTING_MAX)
        return refuse(s, "groups are nested too deeply");
    if (ahead(s, 1) == '*')
        return refuse(s, "verbs (*...) are not supported");
    if (ahead(s, 1) != '?')
        return open_group(s, 1, "(");
    if (ahead(s, 2) == 'P' && ahead(s, 3) == '<')
        return scan_named_group(s, 4);
    if (ahead(s, 2) == '<' && ahead(s, 3) != '=' && ahead(s, 3) != '!')
        return scan_named_group(s, 3);
    return scan_flags(s);
}

/* ---- repeats ---- */

/* The digits at offset from and their number, 0 if there is none: to RE2 one that begins with a
 * needless 0 is no number, and its brace plain text. */
static size_t scan_count(const struct scan *s, size_t from, uint32_t *out)
{
    size_t n = from;

    for (*out = 0; ahead(s, n) >= '0' && ahead(s, n) <= '9'; n++)
        if (*out <= REPEAT_MAX)
            *out = *out * 10 + (uint32_t)(ahead(s, n) - '0');
    return n - from > 1 && ahead(s, from) == '0' ? 0 : n - from;
}

/* {n}, {n,}, {n,m}; false in *quantifier where the brace is a literal. */
static bool scan_braces(struct scan *s, bool *quantifier)
{
    size_t n = 1, digits;
    uint32_t low, high = 0;
    bool comma = false, has_high = false;

    *quantifier = false;
    digits = scan_count(s, n, &low);
    if (digits == 0)
        return true;
    n += digits;
    if (ahead(s, n) == ',') {
        comma = true;
        digits = scan_count(s, ++n, &high);
        has_high = digits > 0;
        n += digits;
    }
    if (ahead(s, n) != '}')
        return true;
    *quantifier = true;
    if (!comma)
        high = low;
    if (low > REPEAT_MAX || high > REPEAT_MAX || (has_high && high < low))
        return refuse(s, "a repeat is at most 1000 times, the smaller number first");
    if (!s->repeatable)
        return refuse(s, "there is nothing to repeat here");
    if (high < low)
        high = low;
    if (high > 1 && s->last_repeat * high > REPEAT_MAX)
        return refuse(s, "nested repeats come to more than 1000 times");
    s->last_repeat *= high ? high : 1;
    copy(s, n + 1);
    return true;
}

/* * + ? or braces, perhaps lazy. */
static bool scan_repeat(struct scan *s)
{
    if (!s->repeatable)
        return refuse(s, "there is nothing to repeat here");
    if (ahead(s, 0) != '{')
        copy(s, 1);
    else {
        bool quantifier;
        if (!scan_braces(s, &quantifier))
            return false;
    }
    if (ahead(s, 0) == '?')
        copy(s, 1);
    else if (ahead(s, 0) == '+')
        return refuse(s, "possessive repeats are not supported");
    if (ahead(s, 0) == '*' || ahead(s, 0) == '?' || ahead(s, 0) == '+')
        return refuse(s, "a repeat of a repeat needs a group");
    s->repeatable = true; /* a{2}{3} is a repeat of a repeat in RE2: its product is bounded above */
    return true;
}

static void note_repeat(struct scan *s)
{
    if (s->last_repeat > s->repeats[s->depth])
        s->repeats[s->depth] = s->last_repeat;
}

/* The bytes of the assertion that begins here; 0: none does. */
static size_t assertion(const struct scan *s)
{
    int ch = ahead(s, 0), next = ahead(s, 1);

    if (ch == '^' || ch == '$')
        return 1;
    return ch == '\\' && next > 0 && strchr("bBAz", next) ? 2 : 0;
}

/* ^, $, \b and the like; RE2 lets them be repeated, PCRE2 wants a group for that. */
static bool scan_assertion(struct scan *s, size_t n)
{
    bool wrap = ahead(s, n) > 0 && strchr("*+?{", ahead(s, n));

    put(s, wrap ? "(?:" : "");
    copy(s, n);
    put(s, wrap ? ")" : "");
    s->last_repeat = 1;
    s->repeatable = true;
    return true;
}

static bool scan_item(struct scan *s)
{
    int ch = ahead(s, 0);
    bool quantifier;

    if (assertion(s))
        return scan_assertion(s, assertion(s));
    switch (ch) {
    case '*':
    case '+':
    case '?':
        if (!scan_repeat(s))
            return false;
        note_repeat(s);
        return true;
    case '{': {
        struct scan before = *s;
        if (!scan_braces(s, &quantifier))
            return false;
        if (quantifier) {
            *s = before;
            if (!scan_repeat(s))
                return false;
            note_repeat(s);
            return true;
        }
        put(s, "\\{");
        s->at++;
        break;
    }
    case '}':
        put(s, "\\}");
        s->at++;
        break;
    case '(': return scan_group(s);
    case ')':
        if (s->depth == 0)
            return refuse(s, "a ) without its (");
        s->last_repeat = s->repeats[s->depth--];
        copy(s, 1);
        s->repeatable = true;
        note_repeat(s);
        return true;
    case '|':
        copy(s, 1);
        s->repeatable = false;
        return true;
    case '[':
        if (!scan_class(s))
            return false;
        break;
    case '\\':
        if (ahead(s, 1) == 'Q')
            return scan_quoted(s);
        if (!scan_escape(s))
            return false;
        break;
    default: copy(s, 1);
    }
    s->last_repeat = 1;
    s->repeatable = true;
    return true;
}

enum cel_regex_error cel_pattern_rewrite(const char *pattern, size_t len, char out[CEL_PATTERN_OUT],
                                         size_t *out_len, char *msg, size_t msg_size, size_t *at)
{
    struct scan s = {.pattern = pattern,
                     .len = len,
                     .out = out,
                     .msg = msg,
                     .msg_size = msg_size,
                     .repeats = {1},
                     .last_repeat = 1};

    *at = 0;
    if (len > CEL_PATTERN_MAX) {
        snprintf(msg, msg_size, "a pattern has at most %u bytes", CEL_PATTERN_MAX);
        return REGEX_TOO_LARGE;
    }
    while (s.at < s.len && !s.full)
        if (!scan_item(&s)) {
            *at = s.at;
            return REGEX_BAD;
        }
    if (s.full) {
        *at = s.at < len ? s.at : len;
        snprintf(msg, msg_size, "the pattern is too large");
        return REGEX_TOO_LARGE;
    }
    if (s.depth) {
        *at = len;
        snprintf(msg, msg_size, "a ( has no closing )");
        return REGEX_BAD;
    }
    *out_len = s.used;
    return REGEX_OK;
}
