/*
 * lexer - see lexer.h. Grammar: langdef.md, "Syntax" and "Values".
 */
#include "condition/lexer.h"

#include "condition/compiler.h"
#include "condition/number.h"

#include <stdlib.h>
#include <string.h>

static bool is_digit(int ch)
{
    return ch >= '0' && ch <= '9';
}

static int hex_value(int ch)
{
    if (is_digit(ch))
        return ch - '0';
    if (ch >= 'a' && ch <= 'f')
        return ch - 'a' + 10;
    if (ch >= 'A' && ch <= 'F')
        return ch - 'A' + 10;
    return -1;
}

static bool is_ident_start(int ch)
{
    return (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_';
}

static bool is_ident(int ch)
{
    return is_ident_start(ch) || is_digit(ch);
}

/* The byte at offset ahead of the reader, or 0 past the end (0 itself is no CEL outside strings). */
static int peek(const struct cel_compiler *c, uint32_t ahead)
{
    uint64_t at = (uint64_t)c->lexer.at + ahead;

    return at < c->source_len ? (unsigned char)c->source[at] : 0;
}

static void skip_blanks(struct cel_compiler *c)
{
    for (;;) {
        int ch = peek(c, 0);
        if (ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r' || ch == '\f') {
            c->lexer.at++;
        } else if (ch == '/' && peek(c, 1) == '/') {
            while (c->lexer.at < c->source_len && c->source[c->lexer.at] != '\n')
                c->lexer.at++;
        } else {
            return;
        }
    }
}

static bool is_reserved(struct cel_text word)
{
    static const char *const reserved[] = {
        "as",  "break", "const",   "continue",  "else",   "for", "function", "if",   "import",
        "let", "loop",  "package", "namespace", "return", "var", "void",     "while"};

    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (cel_text_is(word, reserved[i]))
            return true;
    return false;
}

static bool lex_word(struct cel_compiler *c)
{
    struct cel_token *t = &c->lexer.token;

    while (is_ident(peek(c, 0)))
        c->lexer.at++;
    t->to = c->lexer.at;
    t->text.at = c->source + t->from;
    t->text.len = t->to - t->from;
    t->kind = TOKEN_IDENT;
    if (cel_text_is(t->text, "in")) {
        t->kind = TOKEN_IN;
    } else if (cel_text_is(t->text, "true") || cel_text_is(t->text, "false")) {
        t->kind = TOKEN_LITERAL;
        t->value = condition_bool(t->text.len == 4);
    } else if (cel_text_is(t->text, "null")) {
        t->kind = TOKEN_LITERAL;
        t->value.kind = CONDITION_NULL;
    } else {
        t->reserved = is_reserved(t->text);
    }
    return true;
}

/* ---- numbers ---- */

static bool lex_double(struct cel_compiler *c)
{
    struct cel_token *t = &c->lexer.token;
    double d;

    while (is_digit(peek(c, 0)))
        c->lexer.at++;
    if (peek(c, 0) == '.') {
        c->lexer.at++;
        while (is_digit(peek(c, 0)))
            c->lexer.at++;
    }
    if (peek(c, 0) == 'e' || peek(c, 0) == 'E') {
        c->lexer.at++;
        if (peek(c, 0) == '+' || peek(c, 0) == '-')
            c->lexer.at++;
        if (!is_digit(peek(c, 0)))
            return cel_fail(c, CONDITION_SYNTAX, t->from, c->lexer.at,
                            "a number's exponent needs digits");
        while (is_digit(peek(c, 0)))
            c->lexer.at++;
    }
    t->to = c->lexer.at;
    if (!cel_parse_double(c->source + t->from, t->to - t->from, &d))
        return cel_fail(c, CONDITION_SYNTAX, t->from, t->to, "this number is out of range");
    t->kind = TOKEN_LITERAL;
    t->value = condition_double(d);
    return true;
}

static bool lex_number(struct cel_compiler *c)
{
    struct cel_token *t = &c->lexer.token;
    uint64_t n = 0;
    bool overflow = false;
    bool hex = peek(c, 0) == '0' && (peek(c, 1) == 'x' || peek(c, 1) == 'X');
    uint32_t ahead = 0;

    if (hex) {
        c->lexer.at += 2;
        if (hex_value(peek(c, 0)) < 0)
            return cel_fail(c, CONDITION_SYNTAX, t->from, c->lexer.at, "0x needs hex digits");
    } else {
        while (is_digit(peek(c, ahead)))
            ahead++;
        if ((peek(c, ahead) == '.' && is_digit(peek(c, ahead + 1))) || peek(c, ahead) == 'e' ||
            peek(c, ahead) == 'E')
            return lex_double(c);
    }
    for (;;) {
        int digit = hex ? hex_value(peek(c, 0)) : (is_digit(peek(c, 0)) ? peek(c, 0) - '0' : -1);
        if (digit < 0)
            break;
        overflow |= __builtin_mul_overflow(n, hex ? 16u : 10u, &n);
        overflow |= __builtin_add_overflow(n, (uint64_t)digit, &n);
        c->lexer.at++;
    }
    t->kind = TOKEN_INT;
    t->value.kind = CONDITION_UINT;
    t->value.as.u = n;
    if (peek(c, 0) == 'u' || peek(c, 0) == 'U') {
        t->kind = TOKEN_LITERAL;
        c->lexer.at++;
    }
    t->to = c->lexer.at;
    if (overflow)
        return cel_fail(c, CONDITION_SYNTAX, t->from, t->to,
                        "this number does not fit into 64 bits");
    if (is_ident(peek(c, 0)))
        return cel_fail(c, CONDITION_SYNTAX, t->from, t->to + 1,
                        "a number must not run into a name");
    return true;
}

/* ---- strings ---- */

struct literal {
    int quote;
    bool triple, raw, bytes;
    char *out;
    uint32_t len;
};

/* Reads exactly digits digits of base behind the reader. */
static bool lex_code(struct cel_compiler *c, unsigned digits, unsigned base, uint32_t *out)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < digits; i++) {
        int v = hex_value(peek(c, 0));
        if (v < 0 || (unsigned)v >= base)
            return false;
        n = n * base + (unsigned)v;
        c->lexer.at++;
    }
    *out = n;
    return true;
}

static bool lex_escape(struct cel_compiler *c, struct literal *s)
{
    static const char plain[] = "abfnrtv\\?\"'`";
    static const char means[] = "\a\b\f\n\r\t\v\\?\"'`";
    uint32_t from = c->lexer.at, code = 0;
    int ch = peek(c, 1);
    const char *found = ch ? strchr(plain, ch) : NULL;
    bool ok, byte = false;

    c->lexer.at += 2;
    if (found) {
        s->out[s->len++] = means[found - plain];
        return true;
    }
    switch (ch) {
    case 'x':
    case 'X':
        byte = true;
        ok = lex_code(c, 2, 16, &code);
        break;
    case 'u': ok = !s->bytes && lex_code(c, 4, 16, &code); break;
    case 'U': ok = !s->bytes && lex_code(c, 8, 16, &code); break;
    case '0':
    case '1':
    case '2':
    case '3':
        byte = true;
        c->lexer.at--;
        ok = lex_code(c, 3, 8, &code);
        break;
    default: ok = false;
    }
    if (c->lexer.at > c->source_len)
        c->lexer.at = c->source_len;
    if (!ok)
        return cel_fail(c, CONDITION_SYNTAX, from, c->lexer.at, "no such escape sequence in a %s",
                        s->bytes ? "bytes literal" : "string");
    if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
        return cel_fail(c, CONDITION_SYNTAX, from, c->lexer.at,
                        "this escape sequence is no Unicode code point");
    if (byte && s->bytes)
        s->out[s->len++] = (char)(unsigned char)code;
    else
        s->len += cel_utf8_put(s->out + s->len, code);
    return true;
}

static bool lex_string(struct cel_compiler *c, bool raw, bool bytes)
{
    struct cel_token *t = &c->lexer.token;
    struct literal s = {.quote = peek(c, 0), .raw = raw, .bytes = bytes};

    s.triple = peek(c, 1) == s.quote && peek(c, 2) == s.quote;
    c->lexer.at += s.triple ? 3 : 1;
    /* No escape sequence is shorter than what it stands for, so the rest of the source is room
     * enough; but that would be quadratic for many literals, so the end is looked for first. */
    uint32_t end = c->lexer.at;
    while (end < c->source_len && (s.triple || c->source[end] != '\n')) {
        if (c->source[end] == '\\' && !raw && end + 1 < c->source_len)
            end++;
        else if (c->source[end] == s.quote &&
                 (!s.triple || (end + 2 < c->source_len && c->source[end + 1] == s.quote &&
                                c->source[end + 2] == s.quote)))
            break;
        end++;
    }
    if (end >= c->source_len || c->source[end] != s.quote)
        return cel_fail(c, CONDITION_SYNTAX, t->from, end > c->source_len ? c->source_len : end,
                        s.quote == '"' ? "this string has no closing %s\""
                                       : "this string has no closing %s'",
                        s.triple ? (s.quote == '"' ? "\"\"" : "''") : "");
    s.out = cel_pool_take(&c->temp, (size_t)(end - c->lexer.at) + 1);
    if (!s.out)
        return cel_fail_memory(c);
    while (c->lexer.at < end) {
        if (c->source[c->lexer.at] == '\\' && !raw) {
            if (!lex_escape(c, &s))
                return false;
        } else if (!s.triple && c->source[c->lexer.at] == '\r') {
            return cel_fail(c, CONDITION_SYNTAX, c->lexer.at, c->lexer.at + 1,
                            "a line must not end inside this string");
        } else {
            s.out[s.len++] = c->source[c->lexer.at++];
        }
    }
    c->lexer.at = end + (s.triple ? 3 : 1);
    t->to = c->lexer.at;
    t->kind = TOKEN_LITERAL;
    t->value = condition_string(s.out, s.len);
    if (bytes)
        t->value.kind = CONDITION_BYTES;
    return true;
}

static bool lex_quoted_field(struct cel_compiler *c)
{
    struct cel_token *t = &c->lexer.token;
    uint32_t start = ++c->lexer.at;

    while (is_ident(peek(c, 0)) || peek(c, 0) == '.' || peek(c, 0) == '-' || peek(c, 0) == '/' ||
           peek(c, 0) == ' ')
        c->lexer.at++;
    if (peek(c, 0) != '`' || c->lexer.at == start)
        return cel_fail(c, CONDITION_SYNTAX, t->from, c->lexer.at,
                        "a back-quoted field holds letters, digits and _ . - / or blanks, "
                        "up to the next `");
    t->kind = TOKEN_QUOTED;
    t->text.at = c->source + start;
    t->text.len = c->lexer.at - start;
    t->to = ++c->lexer.at;
    return true;
}

static bool lex_operator(struct cel_compiler *c, int ch)
{
    struct cel_token *t = &c->lexer.token;
    int next = peek(c, 1);

    t->kind = TOKEN_OPERATOR;
    t->op = ch;
    if (ch == '=' && next == '=')
        t->op = OP_EQ;
    else if (ch == '!' && next == '=')
        t->op = OP_NE;
    else if (ch == '<' && next == '=')
        t->op = OP_LE;
    else if (ch == '>' && next == '=')
        t->op = OP_GE;
    else if (ch == '&' && next == '&')
        t->op = OP_AND;
    else if (ch == '|' && next == '|')
        t->op = OP_OR;
    c->lexer.at += t->op >= 256 ? 2 : 1;
    t->to = c->lexer.at;
    if (t->op < 256 && !strchr("()[]{}.,?:+-*/%<>!", ch)) {
        const char *at = c->source + t->from;
        cel_utf8_next(&at, c->source + c->source_len, NULL);
        t->to = (uint32_t)(at - c->source);
        cel_fail(c, CONDITION_SYNTAX, t->from, t->to, "this character has no meaning in CEL");
        cel_fail_hint(c, "%s",
                      ch >= 0x80  ? "names are made of ASCII letters, digits and _"
                      : ch == '=' ? "equality is =="
                                  : (ch == '&' ? "'and' is &&" : (ch == '|' ? "'or' is ||" : "")));
        return false;
    }
    return true;
}

bool cel_lex(struct cel_compiler *c)
{
    struct cel_token *t = &c->lexer.token;
    uint32_t prefix = 0;
    bool raw = false, bytes = false;
    int ch;

    skip_blanks(c);
    memset(t, 0, sizeof *t);
    t->from = t->to = c->lexer.at;
    if (c->lexer.at >= c->source_len) {
        t->kind = TOKEN_END;
        return true;
    }
    /* r"", b"", rb"", Br'' ... */
    while (prefix < 2) {
        ch = peek(c, prefix);
        if ((ch == 'r' || ch == 'R') && !raw)
            raw = true;
        else if ((ch == 'b' || ch == 'B') && !bytes)
            bytes = true;
        else
            break;
        prefix++;
    }
    ch = peek(c, prefix);
    if (ch == '"' || ch == '\'') {
        c->lexer.at += prefix;
        return lex_string(c, raw, bytes);
    }
    ch = peek(c, 0);
    if (is_ident_start(ch))
        return lex_word(c);
    if (is_digit(ch))
        return lex_number(c);
    if (ch == '.' && is_digit(peek(c, 1)))
        return lex_double(c);
    if (ch == '`')
        return lex_quoted_field(c);
    if (ch == 0) /* strchr() below would find it */
        return cel_fail(c, CONDITION_SYNTAX, t->from, t->from + 1,
                        "a NUL byte has no meaning here");
    return lex_operator(c, ch);
}
