/*
 * disassemble - bytecode as text, one instruction a line with the source that it came from.
 */
#include "condition/ast.h"
#include "condition/program.h"
#include "condition/value.h"

#include <stdio.h>
#include <string.h>

const char *cel_op_name(unsigned op)
{
    static const char *const names[] = {
#define X(name) #name,
        CEL_OPS(X)
#undef X
    };

    return op < sizeof names / sizeof *names ? names[op] : "?";
}

static const char *path_of(const struct condition *p, uint32_t slot)
{
    for (uint32_t i = 0; i < p->read_count; i++)
        if (p->reads[i].slot == slot)
            return p->reads[i].path;
    return "?";
}

static void write_const(struct cel_writer *w, const struct condition *p, uint32_t k)
{
    char text[80];
    size_t len = condition_value_print(&p->consts[k], text, sizeof text);

    cel_write_text(w, " ");
    cel_write_text(w, text);
    if (len >= sizeof text)
        cel_write_text(w, "...");
}

static const char *comparison(const struct cel_instruction *i)
{
    if (i->op == CEL_SLOT_IN)
        return "in";
    if (i->op == CEL_SLOT_EQ)
        return i->a ? "!=" : "==";
    switch (i->a) {
    case OPERATOR_LT: return "<";
    case OPERATOR_LE: return "<=";
    case OPERATOR_GT: return ">";
    default: return ">=";
    }
}

static void write_operands(struct cel_writer *w, const struct condition *p,
                           const struct cel_instruction *i)
{
    static const char *const tests[] = {"contains", "startsWith", "endsWith", "equals"};
    char text[120];

    *text = '\0';
    switch ((enum cel_op)i->op) {
    case CEL_CONST:
    case CEL_SELECT:
    case CEL_SELECT_OPT:
    case CEL_HAS: write_const(w, p, i->k); return;
    case CEL_SLOT:
    case CEL_SLOT_OR:
    case CEL_HAS_SLOT: snprintf(text, sizeof text, " %s", path_of(p, i->k)); break;
    case CEL_SLOT_MATCH:
        snprintf(text, sizeof text, " %s pattern %u", path_of(p, i->k), (unsigned)i->b);
        break;
    case CEL_SLOT_EQ:
    case CEL_SLOT_ORDER:
    case CEL_SLOT_IN:
    case CEL_SLOT_TEXT:
        snprintf(text, sizeof text, " %s %s", path_of(p, i->k),
                 i->op == CEL_SLOT_TEXT ? tests[i->a & 3u] : comparison(i));
        cel_write_text(w, text);
        write_const(w, p, i->b);
        return;
    case CEL_TEXT:
        cel_write_text(w, " ");
        cel_write_text(w, tests[i->a & 3u]);
        write_const(w, p, i->k);
        return;
    case CEL_CALL:
    case CEL_CALL_HOST:
    case CEL_UNKNOWN:
        snprintf(text, sizeof text, " %.*s/%u", (int)p->calls[i->k].name.len,
                 p->calls[i->k].name.at, (unsigned)i->a);
        break;
    case CEL_JUMP:
    case CEL_BRANCH:
    case CEL_AND_FIRST:
    case CEL_AND_NEXT:
    case CEL_OR_FIRST:
    case CEL_OR_NEXT:
    case CEL_NEXT:
    case CEL_WHERE:
    case CEL_STEP_ALL:
    case CEL_STEP_EXISTS:
    case CEL_STEP_ONE:
    case CEL_STEP_LIST:
    case CEL_STEP_MAP:
    case CEL_STEP_ENTRY:
    case CEL_OTHERWISE:
    case CEL_UNWRAP: snprintf(text, sizeof text, " -> %u", (unsigned)i->k); break;
    case CEL_LOCAL:
    case CEL_BOUND:
    case CEL_LIST:
    case CEL_MAP:
    case CEL_MATCH:
    case CEL_IN_SET:
    case CEL_NOTE: snprintf(text, sizeof text, " %u", (unsigned)i->k); break;
    default: break;
    }
    cel_write_text(w, text);
}

size_t condition_disassemble(const struct condition *cond, char *out, size_t out_size)
{
    struct cel_writer w = {out, out_size, 0};
    char text[80];

    for (uint32_t pc = 0; pc < cond->code_count; pc++) {
        const struct cel_span *span = &cond->spans[pc];
        size_t line = w.len;
        snprintf(text, sizeof text, "%4u  %-11s", (unsigned)pc, cel_op_name(cond->code[pc].op));
        cel_write_text(&w, text);
        write_operands(&w, cond, &cond->code[pc]);
        do
            cel_write_text(&w, " ");
        while (w.len - line < 44);
        cel_write_text(&w, "; ");
        cel_write(&w, cond->source + span->from, span->to - span->from);
        cel_write_text(&w, "\n");
    }
    for (uint32_t i = 0; i < cond->handler_count; i++) {
        const struct cel_handler *h = &cond->handlers[i];
        snprintf(text, sizeof text, "errors in %u..%u go to %u, height %u\n", (unsigned)h->from,
                 (unsigned)h->to - 1, (unsigned)h->target, (unsigned)h->height);
        cel_write_text(&w, text);
    }
    if (out_size)
        out[w.len < out_size ? w.len : out_size - 1] = '\0';
    return w.len;
}
