/*
 * diag - messages for people: where an error is, what it says, and the nearest name.
 */
#include "condition/ast.h"
#include "condition/compiler.h"
#include "condition/number.h"
#include "condition/program.h"
#include "condition/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void cel_diag_place(struct condition_diag *diag, const char *source, size_t len)
{
    const char *at = source, *end = source + (diag->from < len ? diag->from : len);

    diag->line = diag->column = 1;
    while (at < end) {
        if (cel_utf8_next(&at, source + len, NULL) == '\n') {
            diag->line++;
            diag->column = 1;
        } else {
            diag->column++;
        }
    }
}

/* Drops what is no UTF-8: characters that a length or the end of the buffer cut, and whatever a host
 * says. */
static void keep_whole_characters(char *text)
{
    const char *at = text, *end = text + strlen(text);
    char *out = text;

    while (at < end) {
        const char *from = at;
        bool valid = true;
        cel_utf8_next(&at, end, &valid);
        if (valid) {
            memmove(out, from, (size_t)(at - from));
            out += at - from;
        }
    }
    *out = '\0';
}

bool cel_fail(struct cel_compiler *c, enum condition_status status, uint32_t from, uint32_t to,
              const char *fmt, ...)
{
    va_list args;

    if (c->status)
        return false;
    c->status = status;
    c->diag->from = from;
    c->diag->to = to > c->source_len ? c->source_len : to;
    c->diag->hint[0] = '\0';
    va_start(args, fmt);
    vsnprintf(c->diag->msg, sizeof c->diag->msg, fmt, args);
    va_end(args);
    keep_whole_characters(c->diag->msg);
    cel_diag_place(c->diag, c->source, c->source_len);
    return false;
}

void cel_fail_hint(struct cel_compiler *c, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(c->diag->hint, sizeof c->diag->hint, fmt, args);
    va_end(args);
    keep_whole_characters(c->diag->hint);
}

bool cel_fail_memory(struct cel_compiler *c)
{
    if (c->status != CONDITION_NOMEM) {
        c->status = CONDITION_OK; /* whatever was said before, this is why */
        cel_fail(c, CONDITION_NOMEM, 0, 0, "out of memory");
    }
    return false;
}

/* Columns that the bytes take on a terminal, one a code point; tabs stay tabs. */
static void caret_line(struct cel_writer *w, const char *line, size_t before, size_t marked)
{
    const char *at = line, *end = line + before;
    size_t carets;

    while (at < end) {
        uint32_t point = cel_utf8_next(&at, end, NULL);
        cel_write_text(w, point == '\t' ? "\t" : " ");
    }
    carets = cel_utf8_count(line + before, marked);
    do
        cel_write_text(w, "^");
    while (carets-- > 1);
}

int condition_diag_print(const struct condition_diag *diag, const char *source, size_t source_len,
                         char *out, size_t out_size)
{
    struct cel_writer w = {out, out_size, 0};
    size_t from = diag->from < source_len ? diag->from : source_len, line = from, end = from;
    size_t to = diag->to < from ? from : (diag->to < source_len ? diag->to : source_len);
    char place[64];

    while (line > 0 && source[line - 1] != '\n')
        line--;
    while (end < source_len && source[end] != '\n')
        end++;
    snprintf(place, sizeof place, "%u:%u: ", (unsigned)diag->line, (unsigned)diag->column);
    cel_write_text(&w, "ERROR: ");
    cel_write_text(&w, place);
    cel_write_text(&w, diag->msg);
    if (*diag->hint) {
        cel_write_text(&w, "; ");
        cel_write_text(&w, diag->hint);
    }
    cel_write_text(&w, "\n | ");
    cel_write(&w, source + line, end - line);
    cel_write_text(&w, "\n | ");
    caret_line(&w, source + line, from - line, (to < end ? to : end) - from);
    cel_write_text(&w, "\n");
    if (out_size)
        out[w.len < out_size ? w.len : out_size - 1] = '\0';
    return (int)w.len;
}

/* ---- faults ---- */

const char *cel_detail_kind(uint8_t kind)
{
    struct condition_value v = {CONDITION_OPAQUE, (uint8_t)(kind & 0x7Fu), 0, 0, {0}};

    return kind & 0x80u ? condition_type_name(&v) : cel_kind_name(kind);
}

static void report_overload(const struct condition *p, const struct cel_instruction *i,
                            const uint8_t *kinds, struct condition_diag *diag)
{
    static const char *const symbols[] = {
        [CEL_ADD] = "+",      [CEL_SUB] = "-",      [CEL_MUL] = "*",       [CEL_DIV] = "/",
        [CEL_MOD] = "%",      [CEL_NEG] = "-",      [CEL_NOT] = "!",       [CEL_LT] = "<",
        [CEL_LE] = "<=",      [CEL_GT] = ">",       [CEL_GE] = ">=",       [CEL_IN] = "in",
        [CEL_TEXT] = "",      [CEL_SLOT_TEXT] = "", [CEL_AND_FIRST] = "&", [CEL_AND_NEXT] = "&",
        [CEL_AND_LAST] = "&", [CEL_OR_FIRST] = "|", [CEL_OR_NEXT] = "|",   [CEL_OR_LAST] = "|",
        [CEL_RETURN] = NULL};
    static const char *const orders[] = {
        [OPERATOR_LT] = "<", [OPERATOR_LE] = "<=", [OPERATOR_GT] = ">", [OPERATOR_GE] = ">="};
    static const char *const texts[] = {"contains", "startsWith", "endsWith"};
    const char *symbol = symbols[i->op];
    char *msg = diag->msg;
    size_t size = sizeof diag->msg;
    struct cel_writer w = {msg, size - 1, 0};

    if (i->op == CEL_SLOT_ORDER)
        symbol = orders[i->a];
    if (i->op == CEL_CALL || i->op == CEL_CALL_HOST) {
        const struct cel_call *call = &p->calls[i->k];
        cel_write_text(&w, "there is no ");
        cel_write(&w, call->name.at, call->name.len);
        for (unsigned n = 0; n < 8 && kinds[n]; n++) {
            cel_write_text(&w, n ? ", " : "(");
            cel_write_text(&w, cel_detail_kind(kinds[n]));
        }
        cel_write_text(&w, kinds[0] ? ")" : "()");
        msg[w.len < size ? w.len : size - 1] = '\0';
    } else if (i->op == CEL_SELECT || i->op == CEL_SELECT_OPT || i->op == CEL_HAS ||
               i->op == CEL_HAS_SLOT) {
        snprintf(msg, size, "a value of type %s has no fields", cel_detail_kind(kinds[0]));
    } else if (i->op == CEL_INDEX || i->op == CEL_INDEX_OPT) {
        snprintf(msg, size, "a value of type %s has no index of type %s", cel_detail_kind(kinds[0]),
                 cel_detail_kind(kinds[1]));
    } else if (i->op == CEL_LOOP) {
        snprintf(msg, size, "a macro works on lists and maps, this is of type %s",
                 cel_detail_kind(kinds[0]));
    } else if (symbol && (*symbol == '&' || *symbol == '|')) {
        snprintf(msg, size, "each side of '%s' must be a bool, this one is of type %s",
                 *symbol == '&' ? "&&" : "||", cel_detail_kind(kinds[0]));
    } else if (symbol && *symbol && kinds[1]) {
        snprintf(msg, size, "there is no '%s' between %s and %s", symbol, cel_detail_kind(kinds[0]),
                 cel_detail_kind(kinds[1]));
    } else if (symbol && *symbol) {
        snprintf(msg, size, "there is no '%s' for a value of type %s", symbol,
                 cel_detail_kind(kinds[0]));
    } else if (i->op == CEL_TEXT || i->op == CEL_SLOT_TEXT || i->op == CEL_MATCH ||
               i->op == CEL_SLOT_MATCH) {
        bool plain = (i->op == CEL_TEXT || i->op == CEL_SLOT_TEXT) && i->a < 3;
        snprintf(msg, size, "there is no %s(%s, string)", plain ? texts[i->a] : "matches",
                 cel_detail_kind(kinds[0]));
    } else {
        snprintf(msg, size, "no such overload for a value of type %s", cel_detail_kind(kinds[0]));
    }
}

void cel_fault_report(const struct condition *p, enum cel_fault fault, uint32_t pc,
                      union cel_detail detail, uint16_t detail_len, struct condition_diag *diag)
{
    static const char *const texts[] = {
#define X(name, text) text,
        CEL_FAULTS(X)
#undef X
    };
    const struct cel_instruction *i = &p->code[pc];
    const char *path = "this attribute";

    diag->from = p->spans[pc].from;
    diag->to = p->spans[pc].to;
    diag->hint[0] = '\0';
    switch (fault) {
    case FAULT_NO_OVERLOAD: report_overload(p, i, detail.kinds, diag); break;
    case FAULT_ABSENT:
        diag->from = p->spans[pc].slot_from;
        diag->to = p->spans[pc].slot_to;
        for (uint32_t r = 0; r < p->read_count; r++)
            if (p->reads[r].slot == detail.slot)
                path = p->reads[r].path;
        snprintf(diag->msg, sizeof diag->msg, "'%s' is absent", path);
        break;
    case FAULT_KEY:
        snprintf(diag->msg, sizeof diag->msg, "no such key: %.*s", (int)detail_len, detail.text);
        break;
    case FAULT_INDEX:
        snprintf(diag->msg, sizeof diag->msg, "index out of range: %lld", (long long)detail.number);
        break;
    case FAULT_TEXT:
        snprintf(diag->msg, sizeof diag->msg, "%.*s", (int)detail_len, detail.text);
        break;
    default: snprintf(diag->msg, sizeof diag->msg, "%s", texts[fault]);
    }
    keep_whole_characters(diag->msg);
    cel_diag_place(diag, p->source, p->source_len);
}

/* ---- the nearest name ---- */

#define NAME_MAX_COMPARED 64u

/* Edits (insert, delete, replace, swap neighbours) that turn a into b. */
static uint32_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    uint32_t rows[3][NAME_MAX_COMPARED + 1];

    for (size_t j = 0; j <= b_len; j++)
        rows[0][j] = (uint32_t)j;
    for (size_t i = 1; i <= a_len; i++) {
        uint32_t *now = rows[i % 3], *last = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        now[0] = (uint32_t)i;
        for (size_t j = 1; j <= b_len; j++) {
            uint32_t best = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < best)
                best = last[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[a_len % 3][b_len];
}

void cel_nearest_init(struct cel_nearest *nearest, const char *wanted)
{
    nearest->wanted = wanted;
    nearest->distance = UINT32_MAX;
    nearest->best[0] = '\0';
}

void cel_nearest_offer(struct cel_nearest *nearest, const char *name)
{
    size_t a = strlen(nearest->wanted), b = strlen(name);
    uint32_t d;

    if (a > NAME_MAX_COMPARED || b > NAME_MAX_COMPARED || (a > b ? a - b : b - a) > 1 + a / 4)
        return;
    d = distance(nearest->wanted, a, name, b);
    if (d < nearest->distance && d <= 1 + a / 4 && d < a) {
        nearest->distance = d;
        snprintf(nearest->best, sizeof nearest->best, "%s", name);
    }
}
