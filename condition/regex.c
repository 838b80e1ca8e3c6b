/*
 * regex - see regex.h. The only file that includes pcre2.h.
 *
 * The scan below walks the pattern once: it refuses what RE2 refuses, and writes out what PCRE2
 * shall see. Where both take a pattern they agree except for \s, \v and braces that are no
 * quantifier, and repeats of assertions, which are rewritten.
 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "condition/regex.h"

#include "condition/limits.h"

#include <pcre2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPEAT_MAX 1000u /* RE2's bound, also on the product of nested repeats */
#define NESTING_MAX 50u
#define COMPILED_MAX (64u << 10)
#define OUTPUT_MAX (CEL_PATTERN_MAX * 8u)

struct cel_regex {
    pcre2_code *code;
};

/* ---- the scan ---- */

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
    bool repeatable;                   /* an item stands before here */
};

static bool refuse(struct scan *s, const char *why)
{
    snprintf(s->msg, s->msg_size, "%s", why);
    return false;
}

static void put(struct scan *s, const char *text)
{
    size_t n = strlen(text);

    memcpy(s->out + s->used, text, n);
    s->used += n;
}

/* Copies n bytes of the pattern. */
static void copy(struct scan *s, size_t n)
{
    memcpy(s->out + s->used, s->pattern + s->at, n);
    s->used += n;
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

static bool is_alnum(int ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

/* \x41 or \x{1F600}. */
static bool scan_hex(struct scan *s)
{
    size_t n = 2;

    if (ahead(s, 2) == '{') {
        for (n = 3; is_hex(ahead(s, n)); n++)
            ;
        if (n == 3 || n > 11 || ahead(s, n) != '}')
            return refuse(s, "bad \\x escape");
        copy(s, n + 1);
        return true;
    }
    if (!is_hex(ahead(s, 2)) || !is_hex(ahead(s, 3)))
        return refuse(s, "bad \\x escape");
    copy(s, 4);
    return true;
}

/* The names that RE2 knows: Unicode's categories and scripts. PCRE2 has short names of scripts and
 * many other properties beside, which mean nothing elsewhere. */
static const char properties[] =
    " Adlam Ahom Anatolian_Hieroglyphs Any Arabic Armenian Avestan Balinese Bamum"
    " Bassa_Vah Batak Bengali Bhaiksuki Bopomofo Brahmi Braille Buginese Buhid C"
    " Canadian_Aboriginal Carian Caucasian_Albanian Cc Cf Chakma Cham Cherokee"
    " Chorasmian Co Common Coptic Cs Cuneiform Cypriot Cypro_Minoan Cyrillic Deseret"
    " Devanagari Dives_Akuru Dogra Duployan Egyptian_Hieroglyphs Elbasan Elymaic"
    " Ethiopic Georgian Glagolitic Gothic Grantha Greek Gujarati Gunjala_Gondi"
    " Gurmukhi Han Hangul Hanifi_Rohingya Hanunoo Hatran Hebrew Hiragana"
    " Imperial_Aramaic Inherited Inscriptional_Pahlavi Inscriptional_Parthian Javanese"
    " Kaithi Kannada Katakana Kayah_Li Kharoshthi Khitan_Small_Script Khmer Khojki"
    " Khudawadi L Lao Latin Lepcha Limbu Linear_A Linear_B Lisu Ll Lm Lo Lt Lu Lycian"
    " Lydian M Mahajani Makasar Malayalam Mandaic Manichaean Marchen Masaram_Gondi Mc"
    " Me Medefaidrin Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs"
    " Miao Mn Modi Mongolian Mro Multani Myanmar N Nabataean Nandinagari Nd"
    " New_Tai_Lue Newa Nko Nl No Nushu Nyiakeng_Puachue_Hmong Ogham Ol_Chiki"
    " Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian"
    " Old_South_Arabian Old_Turkic Old_Uyghur Oriya Osage Osmanya P Pahawh_Hmong"
    " Palmyrene Pau_Cin_Hau Pc Pd Pe Pf Phags_Pa Phoenician Pi Po Ps Psalter_Pahlavi"
    " Rejang Runic S Samaritan Saurashtra Sc Sharada Shavian Siddham SignWriting"
    " Sinhala Sk Sm So Sogdian Sora_Sompeng Soyombo Sundanese Syloti_Nagri Syriac"
    " Tagalog Tagbanwa Tai_Le Tai_Tham Tai_Viet Takri Tamil Tangsa Tangut Telugu"
    " Thaana Thai Tibetan Tifinagh Tirhuta Toto Ugaritic Vai Vithkuqi Wancho"
    " Warang_Citi Yezidi Yi Z Zanabazar_Square Zl Zp Zs";

static bool is_property(const char *name, size_t len)
{
    for (const char *at = properties; *at != '\0'; at += strcspn(at, " ")) {
        at++;
        if (strcspn(at, " ") == len && memcmp(at, name, len) == 0)
            return true;
    }
    return false;
}

/* \pL, \p{Greek}, \PN, \p{^Lu}. */
static bool scan_property(struct scan *s)
{
    size_t n = 2, from;

    if (ahead(s, 2) != '{') {
        if (ahead(s, 2) <= 0 || !strchr("CLMNPSZ", ahead(s, 2)))
            return refuse(s, "unknown Unicode property");
        copy(s, 3);
        return true;
    }
    n += ahead(s, 3) == '^' ? 2 : 1;
    for (from = n; is_alnum(ahead(s, n)) || ahead(s, n) == '_';)
        n++;
    if (ahead(s, n) != '}' || !is_property(s->pattern + s->at + from, n - from))
        return refuse(s, "unknown Unicode property");
    copy(s, n + 1);
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

static bool scan_escape(struct scan *s, bool in_class)
{
    int ch = ahead(s, 1);

    if (ch < 0)
        return refuse(s, "the pattern ends with a backslash");
    switch (ch) {
    case 's':
        put(s, in_class ? "\\t\\n\\f\\r " : "[\\t\\n\\f\\r ]");
        s->at += 2;
        return true;
    case 'S':
        /* Inside a class this is a union with a complement: said by ranges. */
        put(s, in_class ? "\\x00-\\x08\\x0b\\x0e-\\x1f\\x21-\\x{10ffff}" : "[^\\t\\n\\f\\r ]");
        s->at += 2;
        return true;
    case 'D':
    case 'W':
        /* PCRE2 10.42's JIT finds a bare \W or \D in no character of several bytes when it must bear
         * invalid UTF-8; the classes are right. */
        if (in_class) {
            copy(s, 2);
        } else {
            put(s, ch == 'D' ? "[^\\d]" : "[^\\w]");
            s->at += 2;
        }
        return true;
    case 'v':
        put(s, "\\x0b");
        s->at += 2;
        return true;
    case 'x': return scan_hex(s);
    case 'p':
    case 'P': return scan_property(s);
    case '0': /* octal: \0, \01, \012 */
        copy(s, 2);
        for (int i = 0; i < 2 && ahead(s, 0) >= '0' && ahead(s, 0) <= '7'; i++)
            copy(s, 1);
        return true;
    default: break;
    }
    if (ch >= '1' && ch <= '9') {
        if (ahead(s, 2) >= '0' && ahead(s, 2) <= '7' && ch <= '7') { /* \123 is octal in RE2 */
            int value = (ch - '0') * 8 + (ahead(s, 2) - '0');
            char text[16];
            size_t n = 3;
            if (ahead(s, 3) >= '0' && ahead(s, 3) <= '7') {
                value = value * 8 + (ahead(s, 3) - '0');
                n = 4;
            }
            snprintf(text, sizeof text, "\\x{%x}", (unsigned)value);
            put(s, text);
            s->at += n;
            return true;
        }
        return refuse(s, "back-references are not supported");
    }
    if (is_alnum(ch) && !strchr(in_class ? "afnrtdDwW" : "afnrtdDwWAzbB", ch))
        return refuse(s, "unknown escape sequence");
    if (ch >= 0x80)
        return refuse(s, "only ASCII characters may be escaped");
    copy(s, 2);
    return true;
}

static bool scan_posix_class(struct scan *s)
{
    static const char *const names[] = {"alnum", "alpha", "ascii", "blank", "cntrl",
                                        "digit", "graph", "lower", "print", "punct",
                                        "space", "upper", "word",  "xdigit"};
    size_t n = ahead(s, 2) == '^' ? 3 : 2;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t len = strlen(names[i]);
        if (s->len - s->at >= n + len + 2 && memcmp(s->pattern + s->at + n, names[i], len) == 0 &&
            s->pattern[s->at + n + len] == ':' && s->pattern[s->at + n + len + 1] == ']') {
            copy(s, n + len + 2);
            return true;
        }
    }
    return refuse(s, "unknown class between [: and :]");
}

static bool scan_class(struct scan *s)
{
    bool first = true, was_set = false;

    copy(s, 1);
    if (ahead(s, 0) == '^')
        copy(s, 1);
    for (;; first = false) {
        int ch = ahead(s, 0);
        bool set = false;
        if (ch < 0)
            return refuse(s, "a [ has no closing ]");
        if (ch == ']' && !first)
            break;
        if (ch == ']') {
            put(s, "\\]");
            s->at++;
        } else if (ch == '[' && ahead(s, 1) == ':') {
            if (!scan_posix_class(s))
                return false;
            set = true;
        } else if (ch == '[' && (ahead(s, 1) == '.' || ahead(s, 1) == '=')) {
            return refuse(s, "collating elements are not supported");
        } else if (ch == '[') {
            put(s, "\\[");
            s->at++;
        } else if (ch == '\\') {
            set = ahead(s, 1) > 0 && strchr("dDsSwWpP", ahead(s, 1)) != NULL;
            if (!scan_escape(s, true))
                return false;
        } else if (ch == '-' && was_set && ahead(s, 1) != ']') {
            return refuse(s, "bad range in a class");
        } else {
            copy(s, 1);
            if (ch == '-' && ahead(s, 0) == '\\' && ahead(s, 1) > 0 &&
                strchr("dDsSwWpP", ahead(s, 1)) && !first)
                return refuse(s, "bad range in a class");
        }
        was_set = set;
    }
    copy(s, 1);
    return true;
}

/* ( and what follows a ? behind it. */
static bool scan_group(struct scan *s)
{
    size_t n = 2;
    bool flag = false;

    if (s->depth >= NESTING_MAX)
        return refuse(s, "groups are nested too deeply");
    if (ahead(s, 1) == '*')
        return refuse(s, "verbs (*...) are not supported");
    if (ahead(s, 1) != '?') {
        s->repeats[++s->depth] = 1;
        copy(s, 1);
        return true;
    }
    if (ahead(s, 2) == 'P' && ahead(s, 3) == '<') {
        for (n = 4; is_alnum(ahead(s, n)) || ahead(s, n) == '_'; n++)
            ;
        if (n == 4 || n > 4 + 32 || ahead(s, n) != '>' ||
            (ahead(s, 4) >= '0' && ahead(s, 4) <= '9'))
            return refuse(s, "bad name of a group");
        /* Names play no part in matching; an unnamed group is the same and cannot clash. */
        put(s, "(");
        s->at += n + 1;
        s->repeats[++s->depth] = 1;
        return true;
    }
    while (ahead(s, n) > 0 && strchr("imsU-", ahead(s, n))) {
        flag |= ahead(s, n) != '-';
        n++;
    }
    if (s->pattern[s->at + n - 1] == '-' || (ahead(s, n) != ':' && !(ahead(s, n) == ')' && flag)))
        return refuse(s, "this kind of group is not supported");
    if (memchr(s->pattern + s->at + 2, 'U', n - 2))
        return refuse(s, "the flag U is not supported"); /* it changes no answer of a search */
    if (ahead(s, n) == ':') {
        s->repeats[++s->depth] = 1;
        copy(s, n + 1);
    } else {
        copy(s, n + 1);
        s->repeatable = false;
    }
    return true;
}

/* The digits at offset from and their number, 0 if there is none: to RE2 one that begins with a
 * needless 0, or has more than nine digits, is no number, and its brace plain text. */
static size_t scan_count(const struct scan *s, size_t from, uint32_t *out)
{
    size_t n = from;

    for (*out = 0; ahead(s, n) >= '0' && ahead(s, n) <= '9'; n++)
        if (n - from < 9)
            *out = *out * 10 + (uint32_t)(ahead(s, n) - '0');
    return n - from > 9 || (n - from > 1 && ahead(s, from) == '0') ? 0 : n - from;
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
    case '(': s->repeatable = false; return scan_group(s);
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
        if (ahead(s, 1) == 'C')
            return refuse(s, "\\C is not supported");
        if (!scan_escape(s, false))
            return false;
        break;
    default: copy(s, 1);
    }
    s->last_repeat = 1;
    s->repeatable = true;
    return true;
}

/* ---- plain patterns ---- */

enum cel_regex_plain cel_regex_plain(const char *pattern, size_t len, char *out, size_t *out_len)
{
    bool front = false, back = false;
    size_t n = 0;

    for (size_t i = 0; i < len; i++) {
        char ch = pattern[i];
        if (ch == '^' && i == 0) {
            front = true;
        } else if (ch == '$' && i + 1 == len) {
            back = true;
        } else if (ch == '\\' && i + 1 < len && (unsigned char)pattern[i + 1] < 0x80 &&
                   !is_alnum(pattern[i + 1])) {
            out[n++] = pattern[++i];
        } else if (strchr("^$\\.[]|()*+?{}", ch) || ch == '\0') {
            return REGEX_NOT_PLAIN;
        } else {
            out[n++] = ch;
        }
    }
    *out_len = n;
    return front ? (back ? REGEX_EQUAL : REGEX_PREFIX) : (back ? REGEX_SUFFIX : REGEX_CONTAINS);
}

/* ---- compiling ---- */

static pcre2_code *compile(const char *pattern, size_t len, bool wrap, int *error)
{
    static const char prefix[] = "\\A(?s:.*?)(?:";
    uint32_t options = PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY |
                       PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    char text[sizeof prefix + OUTPUT_MAX + 1];
    size_t at = 0, where = 0;
    pcre2_code *code;

    if (!context) {
        *error = PCRE2_ERROR_NOMEMORY;
        return NULL;
    }
    if (wrap) {
        memcpy(text, prefix, sizeof prefix - 1);
        at = sizeof prefix - 1;
    }
    memcpy(text + at, pattern, len);
    at += len;
    if (wrap)
        text[at++] = ')';
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, NESTING_MAX + 2);
    code = pcre2_compile((PCRE2_SPTR)text, at, options, error, &where, context);
    pcre2_compile_context_free(context);
    return code;
}

enum cel_regex_error cel_regex_compile(const char *pattern, size_t len, struct cel_regex **out,
                                       char *msg, size_t msg_size, size_t *at)
{
    char rewritten[OUTPUT_MAX + 64];
    struct scan s = {.pattern = pattern,
                     .len = len,
                     .out = rewritten,
                     .msg = msg,
                     .msg_size = msg_size,
                     .repeats = {1},
                     .last_repeat = 1};
    struct cel_regex *regex;
    uint32_t all_options = 0;
    size_t size = 0;
    int error = 0;

    *at = 0;
    if (len > CEL_PATTERN_MAX) {
        snprintf(msg, msg_size, "a pattern has at most %u bytes", CEL_PATTERN_MAX);
        return REGEX_TOO_LARGE;
    }
    while (s.at < s.len) {
        if (!scan_item(&s)) {
            *at = s.at;
            return REGEX_BAD;
        }
        if (s.used > OUTPUT_MAX - 64) {
            snprintf(msg, msg_size, "the pattern is too large");
            return REGEX_TOO_LARGE;
        }
    }
    if (s.depth) {
        *at = len;
        snprintf(msg, msg_size, "a ( has no closing )");
        return REGEX_BAD;
    }
    regex = calloc(1, sizeof *regex);
    if (!regex)
        return REGEX_NOMEM;
    /* One start offset: the match limit is counted for each, so an unanchored pattern is made to
     * begin at the start of the subject and skip by itself. */
    regex->code = compile(rewritten, s.used, false, &error);
    if (regex->code) {
        (void)pcre2_pattern_info(regex->code, PCRE2_INFO_ALLOPTIONS, &all_options);
        if (!(all_options & PCRE2_ANCHORED)) {
            pcre2_code_free(regex->code);
            regex->code = compile(rewritten, s.used, true, &error);
        }
    }
    if (!regex->code) {
        free(regex);
        if (error == PCRE2_ERROR_NOMEMORY || error == 121 /* heap failed */)
            return REGEX_NOMEM;
        if (pcre2_get_error_message(error, (PCRE2_UCHAR *)msg, msg_size) < 0)
            snprintf(msg, msg_size, "error %d", error);
        return REGEX_BAD;
    }
    (void)pcre2_pattern_info(regex->code, PCRE2_INFO_SIZE, &size);
    if (size > COMPILED_MAX) {
        cel_regex_free(regex);
        snprintf(msg, msg_size, "the pattern is too large when compiled");
        return REGEX_TOO_LARGE;
    }
    /* Where the machine has no JIT, the interpreter gives the same answers. */
    (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
    *out = regex;
    return REGEX_OK;
}

void cel_regex_free(struct cel_regex *regex)
{
    if (regex) {
        pcre2_code_free(regex->code);
        free(regex);
    }
}

/* ---- matching ---- */

/*
 * PCRE2 wants its match data and context allocated. Each thread has them once, from memory that
 * lies in the thread itself, so that a match calls no malloc. What is left over serves the
 * interpreter where JIT is missing or its stack is too small; more than that is refused, and the
 * match then ends as over the limit.
 */
struct thread_memory {
    bool ready;
    size_t used;
    pcre2_match_data *data;
    pcre2_match_context *context;
    _Alignas(16) char bytes[48u << 10];
};

static _Thread_local struct thread_memory memory;

static void *take_memory(size_t size, void *ctx)
{
    struct thread_memory *m = ctx;
    size_t rounded = (size + 15u) & ~(size_t)15u;

    if (rounded < size || rounded > sizeof m->bytes - m->used)
        return NULL;
    m->used += rounded;
    return m->bytes + m->used - rounded;
}

static void give_memory(void *at, void *ctx)
{
    (void)at; /* nothing is given back: what a match takes beyond the first is cut off after it */
    (void)ctx;
}

static bool prepare(struct thread_memory *m)
{
    pcre2_general_context *general = pcre2_general_context_create(take_memory, give_memory, m);

    if (!general)
        return false;
    m->data = pcre2_match_data_create(1, general);
    m->context = pcre2_match_context_create(general);
    if (!m->data || !m->context)
        return false;
    pcre2_set_heap_limit(m->context, sizeof m->bytes / 1024);
    m->ready = true;
    return true;
}

int cel_regex_match(const struct cel_regex *regex, const char *subject, size_t len)
{
    struct thread_memory *m = &memory;
    uint32_t limit = 1000u + 20u * (uint32_t)(len < CEL_SUBJECT_MAX ? len : CEL_SUBJECT_MAX);
    int found;

    if (len > CEL_SUBJECT_MAX || (!m->ready && !prepare(m)))
        return -1;
    if (!subject)
        subject = "";
    pcre2_set_match_limit(m->context, limit);
    found = pcre2_jit_match(regex->code, (PCRE2_SPTR)subject, len, 0, 0, m->data, m->context);
    if (found == PCRE2_ERROR_JIT_BADOPTION || found == PCRE2_ERROR_JIT_STACKLIMIT)
        found = pcre2_match(regex->code, (PCRE2_SPTR)subject, len, 0, PCRE2_NO_JIT, m->data,
                            m->context);
    if (found >= 0)
        return 1;
    return found == PCRE2_ERROR_NOMATCH ? 0 : -1;
}
