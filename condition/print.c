/*
 * print - a condition as canonical source: one line, one blank around binary operators, only the
 * parentheses that are needed, literals as condition_value_print() writes values, macros as they
 * were written. The tree does not outlive compilation, so the source is parsed once more.
 */
#include "condition/compiler.h"
#include "condition/program.h"
#include "condition/value.h"

#include <math.h>
#include <string.h>

/* How tightly a node binds, as in the grammar of langdef.md. */
enum level {
    LEVEL_TERNARY,
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_RELATION,
    LEVEL_SUM,
    LEVEL_PRODUCT,
    LEVEL_UNARY,
    LEVEL_MEMBER,
    LEVEL_NONE /* nothing binds that tightly: always in parentheses */
};

static const struct {
    const char *text;
    enum level level;
} operators[] = {
    [OPERATOR_ADD] = {"+", LEVEL_SUM},      [OPERATOR_SUB] = {"-", LEVEL_SUM},
    [OPERATOR_MUL] = {"*", LEVEL_PRODUCT},  [OPERATOR_DIV] = {"/", LEVEL_PRODUCT},
    [OPERATOR_MOD] = {"%", LEVEL_PRODUCT},  [OPERATOR_EQ] = {"==", LEVEL_RELATION},
    [OPERATOR_NE] = {"!=", LEVEL_RELATION}, [OPERATOR_LT] = {"<", LEVEL_RELATION},
    [OPERATOR_LE] = {"<=", LEVEL_RELATION}, [OPERATOR_GT] = {">", LEVEL_RELATION},
    [OPERATOR_GE] = {">=", LEVEL_RELATION}, [OPERATOR_IN] = {"in", LEVEL_RELATION},
    [OPERATOR_NOT] = {"!", LEVEL_UNARY},    [OPERATOR_NEG] = {"-", LEVEL_UNARY},
};

static void write_node(struct cel_writer *w, const struct cel_node *n, enum level least);

static bool is_negative(const struct cel_node *n)
{
    return n->kind == NODE_CONST && ((n->value.kind == CONDITION_INT && n->value.as.i < 0) ||
                                     (n->value.kind == CONDITION_DOUBLE && signbit(n->value.as.d)));
}

static enum level level_of(const struct cel_node *n)
{
    switch ((enum cel_node_kind)n->kind) {
    case NODE_CONST: return is_negative(n) ? LEVEL_UNARY : LEVEL_MEMBER;
    case NODE_OPERATOR: return operators[n->op].level;
    case NODE_AND: return LEVEL_AND;
    case NODE_OR: return LEVEL_OR;
    case NODE_TERNARY: return LEVEL_TERNARY;
    default: return LEVEL_MEMBER;
    }
}

/* Whether the text of n begins with a signed or unsigned number: a minus in front of that would
 * become part of the number, and would bind more tightly than it is meant to. */
static bool begins_with_number(const struct cel_node *n)
{
    for (;;) {
        if (n->kind == NODE_CONST)
            return n->value.kind == CONDITION_INT || n->value.kind == CONDITION_DOUBLE;
        if (n->kind == NODE_INDEX || n->kind == NODE_OPTMAP)
            n = n->args[0];
        else if (!n->test && n->target)
            n = n->target;
        else
            return false;
    }
}

static void write_name(struct cel_writer *w, struct cel_text name)
{
    cel_write(w, name.at, name.len);
}

static void write_constant(struct cel_writer *w, const struct condition_value *v)
{
    char text[64];
    size_t len;

    if (v->kind == CONDITION_STRING || v->kind == CONDITION_BYTES) {
        cel_write_quoted(w, v->as.bytes, v->size, v->kind == CONDITION_BYTES);
    } else {
        len = condition_value_print(v, text, sizeof text);
        cel_write(w, text, len);
    }
}

static void write_operator(struct cel_writer *w, const struct cel_node *n)
{
    const char *text = operators[n->op].text;
    enum level level = operators[n->op].level;
    const struct cel_node *a = n->args[0];

    if (level == LEVEL_UNARY) {
        cel_write_text(w, text);
        if (n->op == OPERATOR_NEG && begins_with_number(a))
            write_node(w, a, LEVEL_NONE);
        else if (a->kind == NODE_OPERATOR && a->op == n->op)
            write_node(w, a, LEVEL_UNARY); /* !!x, --x */
        else
            write_node(w, a, LEVEL_MEMBER);
        return;
    }
    write_node(w, a, level);
    cel_write_text(w, " ");
    cel_write_text(w, text);
    cel_write_text(w, " ");
    write_node(w, n->args[1], level + 1);
}

/* a && (b && c) is a && b && c: errors are absorbed from either side, so order groups nothing. */
static void write_chain(struct cel_writer *w, const struct cel_node *n)
{
    for (uint32_t i = 0; i < n->arg_count; i++) {
        if (i)
            cel_write_text(w, n->kind == NODE_AND ? " && " : " || ");
        write_node(w, n->args[i], n->kind == NODE_AND ? LEVEL_AND : LEVEL_OR);
    }
}

static void write_select(struct cel_writer *w, const struct cel_node *n)
{
    if (n->test)
        cel_write_text(w, "has(");
    write_node(w, n->target, LEVEL_MEMBER);
    cel_write_text(w, n->optional ? ".?" : ".");
    cel_write_text(w, n->quoted ? "`" : "");
    write_name(w, n->name);
    cel_write_text(w, n->quoted ? "`" : "");
    if (n->test)
        cel_write_text(w, ")");
}

/* The arguments that there are, with variables in front of them. */
static void write_arguments(struct cel_writer *w, const struct cel_node *n, uint32_t from)
{
    bool first = true;

    cel_write_text(w, "(");
    for (uint32_t i = 0; i < n->variable_count; i++, first = false) {
        cel_write_text(w, first ? "" : ", ");
        write_name(w, n->variables[i]);
    }
    for (uint32_t i = from; i < n->arg_count; i++) {
        if (!n->args[i]) /* no filter */
            continue;
        cel_write_text(w, first ? "" : ", ");
        write_node(w, n->args[i], LEVEL_TERNARY);
        first = false;
    }
    cel_write_text(w, ")");
}

static void write_call(struct cel_writer *w, const struct cel_node *n)
{
    const struct cel_node *target = n->kind == NODE_OPTMAP ? n->args[0] : n->target;

    if (n->kind == NODE_BIND) {
        cel_write_text(w, "cel.");
    } else if (target) {
        write_node(w, target, LEVEL_MEMBER);
        cel_write_text(w, ".");
    } else if (n->rooted) {
        cel_write_text(w, ".");
    }
    write_name(w, n->name);
    write_arguments(w, n, n->kind == NODE_OPTMAP ? 1 : 0);
}

static void write_collection(struct cel_writer *w, const struct cel_node *n)
{
    uint32_t step = n->kind == NODE_MAP ? 2 : 1;

    cel_write_text(w, step == 2 ? "{" : "[");
    for (uint32_t i = 0; i < n->arg_count; i += step) {
        cel_write_text(w, i ? ", " : "");
        cel_write_text(w, n->marks && n->marks[i / step] ? "?" : "");
        write_node(w, n->args[i], LEVEL_TERNARY);
        if (step == 2) {
            cel_write_text(w, ": ");
            write_node(w, n->args[i + 1], LEVEL_TERNARY);
        }
    }
    cel_write_text(w, step == 2 ? "}" : "]");
}

static void write_node(struct cel_writer *w, const struct cel_node *n, enum level least)
{
    bool parentheses = level_of(n) < least;

    if (parentheses)
        cel_write_text(w, "(");
    switch ((enum cel_node_kind)n->kind) {
    case NODE_CONST: write_constant(w, &n->value); break;
    case NODE_IDENT:
        cel_write_text(w, n->rooted ? "." : "");
        write_name(w, n->name);
        break;
    case NODE_SELECT: write_select(w, n); break;
    case NODE_INDEX:
        write_node(w, n->args[0], LEVEL_MEMBER);
        cel_write_text(w, n->optional ? "[?" : "[");
        write_node(w, n->args[1], LEVEL_TERNARY);
        cel_write_text(w, "]");
        break;
    case NODE_OPERATOR: write_operator(w, n); break;
    case NODE_AND:
    case NODE_OR: write_chain(w, n); break;
    case NODE_TERNARY:
        write_node(w, n->args[0], LEVEL_OR);
        cel_write_text(w, " ? ");
        write_node(w, n->args[1], LEVEL_OR);
        cel_write_text(w, " : ");
        write_node(w, n->args[2], LEVEL_TERNARY);
        break;
    case NODE_LIST:
    case NODE_MAP: write_collection(w, n); break;
    case NODE_CALL:
    case NODE_FOLD:
    case NODE_BIND:
    case NODE_OPTMAP: write_call(w, n); break;
    }
    if (parentheses)
        cel_write_text(w, ")");
}

size_t condition_print(const struct condition *cond, char *out, size_t out_size)
{
    struct cel_writer w = {out, out_size, 0};
    struct condition_diag diag;
    struct cel_compiler c = {.source = cond->source, .source_len = cond->source_len, .diag = &diag};
    const struct cel_node *root = cel_parse(&c);

    if (root)
        write_node(&w, root, LEVEL_TERNARY);
    if (out_size)
        out[w.len < out_size ? w.len : out_size - 1] = '\0';
    cel_pool_fini(&c.temp);
    return w.len;
}
