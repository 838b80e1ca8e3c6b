/*
 * parser - tokens to a tree. Recursive descent with a table of binary operators; the grammar is
 * langdef.md's. Macros are expanded as soon as their call is read (macro.c).
 */
#include "condition/compiler.h"
#include "condition/limits.h"

#include <string.h>

static struct cel_node *parse_expr(struct cel_compiler *c);

struct cel_node *cel_node_new(struct cel_compiler *c, enum cel_node_kind kind, uint32_t from,
                              uint32_t to, uint32_t args)
{
    struct cel_node *n = cel_pool_take(&c->temp, sizeof *n);

    if (n && args) {
        n->args = cel_pool_take(&c->temp, args * sizeof(struct cel_node *));
        if (!n->args)
            n = NULL;
    }
    if (!n) {
        cel_fail_memory(c);
        return NULL;
    }
    n->kind = (uint8_t)kind;
    n->from = n->at = n->open = from;
    n->to = n->at_to = n->close = to;
    n->arg_count = args;
    n->height = 1;
    n->binder_least = UINT32_MAX;
    n->index = c->node_count++;
    return n;
}

/* Notes child below parent; false where the tree becomes too high. */
static bool adopt(struct cel_compiler *c, struct cel_node *parent, const struct cel_node *child)
{
    if (child && child->height >= parent->height)
        parent->height = child->height + 1;
    if (parent->height > CEL_HEIGHT_MAX)
        return cel_fail(c, CONDITION_EXHAUSTED, parent->from, parent->to,
                        "this expression is nested too deeply (at most %u levels)", CEL_HEIGHT_MAX);
    return true;
}

static const struct cel_token *look(const struct cel_compiler *c)
{
    return &c->lexer.token;
}

static bool at_op(const struct cel_compiler *c, int op)
{
    return look(c)->kind == TOKEN_OPERATOR && look(c)->op == op;
}

/* Passes over the operator op if it is next. *ok becomes false on a lexer error. */
static bool accept(struct cel_compiler *c, int op, bool *ok)
{
    if (!at_op(c, op))
        return false;
    *ok = cel_lex(c);
    return true;
}

static bool fail_expected(struct cel_compiler *c, const char *what)
{
    const struct cel_token *t = look(c);

    if (t->kind == TOKEN_END)
        return cel_fail(c, CONDITION_SYNTAX, t->from, t->from,
                        "the expression ends here, but %s is missing", what);
    return cel_fail(c, CONDITION_SYNTAX, t->from, t->to, "%s was expected here, not '%.*s'", what,
                    (int)(t->to - t->from > 40 ? 40 : t->to - t->from), c->source + t->from);
}

static bool expect(struct cel_compiler *c, int op, const char *what)
{
    return at_op(c, op) ? cel_lex(c) : fail_expected(c, what);
}

/* ---- lists of expressions ---- */

struct sequence {
    struct cel_node **items;
    bool *marks;
    uint32_t count, capacity, mark_capacity;
};

static bool push(struct cel_compiler *c, struct sequence *s, struct cel_node *item, bool mark)
{
    if (!item)
        return false;
    if (!cel_pool_grow(&c->temp, &s->items, s->count, &s->capacity, sizeof(struct cel_node *)) ||
        !cel_pool_grow(&c->temp, &s->marks, s->count, &s->mark_capacity, sizeof *s->marks))
        return cel_fail_memory(c);
    s->marks[s->count] = mark;
    s->items[s->count++] = item;
    return true;
}

static struct cel_node *sequence_node(struct cel_compiler *c, enum cel_node_kind kind,
                                      struct sequence *s, uint32_t from, uint32_t to)
{
    struct cel_node *n = cel_node_new(c, kind, from, to, 0);

    if (!n)
        return NULL;
    n->args = s->items;
    n->marks = s->marks;
    n->arg_count = s->count;
    for (uint32_t i = 0; i < s->count; i++)
        if (!adopt(c, n, s->items[i]))
            return NULL;
    return n;
}

/* a, b, c up to the closing operator, which is passed over. */
static bool parse_arguments(struct cel_compiler *c, struct sequence *s, int close, uint32_t *end)
{
    while (!at_op(c, close)) {
        if (!push(c, s, parse_expr(c), false))
            return false;
        if (!at_op(c, ','))
            break;
        if (!cel_lex(c))
            return false;
        if (at_op(c, close))
            return fail_expected(c, "another argument");
    }
    *end = look(c)->to;
    return expect(c, close, "',' or ')'");
}

static struct cel_node *parse_list(struct cel_compiler *c)
{
    uint32_t from = look(c)->from, end;
    struct sequence s = {0};
    bool ok = cel_lex(c);

    while (ok && !at_op(c, ']')) {
        bool mark = accept(c, '?', &ok);
        if (!ok || !push(c, &s, parse_expr(c), mark))
            return NULL;
        if (!accept(c, ',', &ok))
            break;
    }
    end = look(c)->to;
    if (!ok || !expect(c, ']', "',' or ']'"))
        return NULL;
    return sequence_node(c, NODE_LIST, &s, from, end);
}

static struct cel_node *parse_map(struct cel_compiler *c)
{
    uint32_t from = look(c)->from, end;
    struct sequence s = {0};
    bool ok = cel_lex(c);

    while (ok && !at_op(c, '}')) {
        bool mark = accept(c, '?', &ok);
        if (!ok || !push(c, &s, parse_expr(c), mark) || !expect(c, ':', "':'") ||
            !push(c, &s, parse_expr(c), mark))
            return NULL;
        if (!accept(c, ',', &ok))
            break;
    }
    end = look(c)->to;
    if (!ok || !expect(c, '}', "',' or '}'"))
        return NULL;
    struct cel_node *n = sequence_node(c, NODE_MAP, &s, from, end);
    for (uint32_t i = 0; n && i < s.count / 2; i++)
        n->marks[i] = n->marks[2 * i];
    return n;
}

/* ---- names, fields, calls ---- */

/* name(args), with target where it is a method; the '(' is next. */
static struct cel_node *parse_call(struct cel_compiler *c, struct cel_node *target,
                                   const struct cel_token *name, uint32_t from, bool rooted)
{
    struct sequence s = {0};
    uint32_t end = from;
    struct cel_node *n;

    if (!cel_lex(c) || !parse_arguments(c, &s, ')', &end))
        return NULL;
    n = sequence_node(c, NODE_CALL, &s, from, end);
    if (!n)
        return NULL;
    n->target = target;
    n->name = name->text;
    n->rooted = rooted;
    n->at = name->from;
    n->at_to = name->to;
    if (!adopt(c, n, target))
        return NULL;
    return cel_expand_macro(c, n);
}

static struct cel_node *parse_name(struct cel_compiler *c)
{
    uint32_t from = look(c)->from;
    bool ok = true, rooted = accept(c, '.', &ok);
    struct cel_token name;
    struct cel_node *n;

    if (!ok)
        return NULL;
    name = *look(c);
    if (name.kind != TOKEN_IDENT) {
        fail_expected(c, "a name");
        return NULL;
    }
    if (name.reserved) {
        cel_fail(c, CONDITION_SYNTAX, name.from, name.to,
                 "'%.*s' is a reserved word; as a field it can stand behind a dot only",
                 (int)name.text.len, name.text.at);
        return NULL;
    }
    if (!cel_lex(c))
        return NULL;
    if (at_op(c, '('))
        return parse_call(c, NULL, &name, from, rooted);
    n = cel_node_new(c, NODE_IDENT, from, name.to, 0);
    if (n) {
        n->name = name.text;
        n->rooted = rooted;
    }
    return n;
}

static struct cel_node *parse_field(struct cel_compiler *c, struct cel_node *target)
{
    bool ok = cel_lex(c), optional = ok && accept(c, '?', &ok);
    struct cel_token name;
    struct cel_node *n;

    if (!ok)
        return NULL;
    name = *look(c);
    if (name.kind != TOKEN_IDENT && name.kind != TOKEN_QUOTED) {
        fail_expected(c, "the name of a field");
        return NULL;
    }
    if (!cel_lex(c))
        return NULL;
    if (!optional && name.kind == TOKEN_IDENT && at_op(c, '('))
        return parse_call(c, target, &name, target->open, false);
    n = cel_node_new(c, NODE_SELECT, target->open, name.to, 0);
    if (!n || !adopt(c, n, target))
        return NULL;
    n->target = target;
    n->name = name.text;
    n->quoted = name.kind == TOKEN_QUOTED;
    n->optional = optional;
    n->at = name.from;
    n->at_to = name.to;
    return n;
}

static struct cel_node *parse_index(struct cel_compiler *c, struct cel_node *target)
{
    uint32_t bracket = look(c)->from, end;
    bool ok = cel_lex(c), optional = ok && accept(c, '?', &ok);
    struct cel_node *index = ok ? parse_expr(c) : NULL, *n;

    end = look(c)->to;
    if (!index || !expect(c, ']', "']'"))
        return NULL;
    n = cel_node_new(c, NODE_INDEX, target->open, end, 2);
    if (!n)
        return NULL;
    n->args[0] = target;
    n->args[1] = index;
    n->optional = optional;
    n->at = bracket;
    n->at_to = end;
    return adopt(c, n, target) && adopt(c, n, index) ? n : NULL;
}

static struct cel_node *const_node(struct cel_compiler *c, uint32_t from, uint32_t to,
                                   struct condition_value value)
{
    struct cel_node *n = cel_node_new(c, NODE_CONST, from, to, 0);

    if (n)
        n->value = value;
    return n;
}

/* An integer, with the minus in front of it if there was one: -9223372036854775808 is a number,
 * 9223372036854775808 is not. */
static struct cel_node *parse_int(struct cel_compiler *c, uint32_t from, bool negative)
{
    struct cel_token t = *look(c);
    uint64_t magnitude = t.value.as.u;

    if (magnitude > (uint64_t)INT64_MAX + negative) {
        cel_fail(c, CONDITION_SYNTAX, from, t.to, "this number does not fit into an int (64 bits)");
        return NULL;
    }
    if (!cel_lex(c))
        return NULL;
    return const_node(c, from, t.to,
                      condition_int(negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude));
}

static struct cel_node *parse_primary(struct cel_compiler *c)
{
    struct cel_token t = *look(c);
    struct cel_node *n;
    uint32_t end;

    switch (t.kind) {
    case TOKEN_INT: return parse_int(c, t.from, false);
    case TOKEN_LITERAL: return cel_lex(c) ? const_node(c, t.from, t.to, t.value) : NULL;
    case TOKEN_IDENT: return parse_name(c);
    case TOKEN_OPERATOR:
        switch (t.op) {
        case '.': return parse_name(c);
        case '[': return parse_list(c);
        case '{': return parse_map(c);
        case '(':
            if (!cel_lex(c))
                return NULL;
            n = parse_expr(c);
            end = look(c)->to;
            if (!n || !expect(c, ')', "')'"))
                return NULL;
            n->parenthesized = true;
            n->open = t.from;
            n->close = end;
            return n;
        default: break;
        }
        break;
    default: break;
    }
    fail_expected(c, "a value");
    return NULL;
}

static struct cel_node *parse_member_of(struct cel_compiler *c, struct cel_node *n)
{
    while (n && look(c)->kind == TOKEN_OPERATOR) {
        if (at_op(c, '.')) {
            n = parse_field(c, n);
        } else if (at_op(c, '[')) {
            n = parse_index(c, n);
        } else if (at_op(c, '{') && (n->kind == NODE_IDENT || n->kind == NODE_SELECT)) {
            cel_fail(c, CONDITION_SYNTAX, n->from, look(c)->to,
                     "messages (Type{field: value}) are not part of this language");
            cel_fail_hint(c, "a map is {\"field\": value}");
            return NULL;
        } else {
            break;
        }
    }
    return n;
}

static struct cel_node *operator_node(struct cel_compiler *c, enum cel_operator op, uint32_t from,
                                      struct cel_node *a, struct cel_node *b)
{
    struct cel_node *n;

    if (!a)
        return NULL;
    n = cel_node_new(c, NODE_OPERATOR, from, b ? b->close : a->close, b ? 2 : 1);
    if (!n)
        return NULL;
    n->op = (uint8_t)op;
    n->args[0] = a;
    if (b)
        n->args[1] = b;
    return adopt(c, n, a) && adopt(c, n, b) ? n : NULL;
}

static struct cel_node *parse_unary(struct cel_compiler *c)
{
    int op = at_op(c, '!') ? '!' : (at_op(c, '-') ? '-' : 0);
    uint32_t from = look(c)->from, last = from, count = 0;
    struct cel_node *n;

    if (!op)
        return parse_member_of(c, parse_primary(c));
    while (at_op(c, op)) {
        last = look(c)->from;
        count++;
        if (!cel_lex(c))
            return NULL;
    }
    if (op == '-' && look(c)->kind == TOKEN_INT) {
        count--;
        n = parse_member_of(c, parse_int(c, last, true));
    } else if (op == '-' && look(c)->kind == TOKEN_LITERAL &&
               look(c)->value.kind == CONDITION_DOUBLE) {
        struct cel_token t = *look(c);
        count--;
        t.value.as.d = -t.value.as.d;
        n = cel_lex(c) ? parse_member_of(c, const_node(c, last, t.to, t.value)) : NULL;
    } else {
        n = parse_member_of(c, parse_primary(c));
    }
    /* Two of a kind undo each other only if the operand is of the right type; so none is dropped. */
    for (; n && count > 0; count--)
        n = operator_node(c, op == '!' ? OPERATOR_NOT : OPERATOR_NEG, from, n, NULL);
    return n;
}

/* ---- binary operators ---- */

static const struct binary {
    int token; /* 0: the word in */
    uint8_t level, op;
} binaries[] = {
    {OP_EQ, 1, OPERATOR_EQ}, {OP_NE, 1, OPERATOR_NE}, {'<', 1, OPERATOR_LT},
    {OP_LE, 1, OPERATOR_LE}, {'>', 1, OPERATOR_GT},   {OP_GE, 1, OPERATOR_GE},
    {0, 1, OPERATOR_IN},     {'+', 2, OPERATOR_ADD},  {'-', 2, OPERATOR_SUB},
    {'*', 3, OPERATOR_MUL},  {'/', 3, OPERATOR_DIV},  {'%', 3, OPERATOR_MOD},
};

static const struct binary *binary_here(const struct cel_compiler *c)
{
    const struct cel_token *t = look(c);

    for (size_t i = 0; i < sizeof binaries / sizeof *binaries; i++)
        if (t->kind == TOKEN_IN ? binaries[i].token == 0
                                : t->kind == TOKEN_OPERATOR && t->op == binaries[i].token)
            return &binaries[i];
    return NULL;
}

/* Everything that binds at least as tightly as level; operators of one level lean to the left. */
static struct cel_node *parse_binary(struct cel_compiler *c, unsigned level)
{
    struct cel_node *left = parse_unary(c);
    const struct binary *b;

    while (left && (b = binary_here(c)) && b->level >= level) {
        uint32_t at = look(c)->from, at_to = look(c)->to;
        struct cel_node *right = cel_lex(c) ? parse_binary(c, b->level + 1u) : NULL;
        if (!right)
            return NULL;
        left = operator_node(c, b->op, left->open, left, right);
        if (left) {
            left->at = at;
            left->at_to = at_to;
        }
    }
    return left;
}

/* a && b && c is one node; so is a || b || c. */
static struct cel_node *parse_logic(struct cel_compiler *c, bool or)
{
    struct sequence s = {0};
    struct cel_node *first = or ? parse_logic(c, false) : parse_binary(c, 1), *n = first;
    int op = or ? OP_OR : OP_AND;

    if (!first || !at_op(c, op))
        return first;
    while (push(c, &s, n, false)) {
        if (!at_op(c, op))
            return sequence_node(c, or ? NODE_OR : NODE_AND, &s, first->open, n->close);
        if (!cel_lex(c))
            return NULL;
        n = or ? parse_logic(c, false) : parse_binary(c, 1);
    }
    return NULL;
}

static struct cel_node *parse_expr(struct cel_compiler *c)
{
    struct cel_node *n, *condition;

    if (c->depth >= CEL_NESTING_MAX) {
        cel_fail(c, CONDITION_EXHAUSTED, look(c)->from, look(c)->to,
                 "this expression is nested too deeply (at most %u levels)", CEL_NESTING_MAX);
        return NULL;
    }
    c->depth++;
    condition = n = parse_logic(c, true);
    if (n && at_op(c, '?')) {
        n = cel_node_new(c, NODE_TERNARY, condition->open, condition->close, 3);
        if (!n || !cel_lex(c))
            return NULL;
        n->args[0] = condition;
        n->args[1] = parse_logic(c, true);
        if (!n->args[1] || !expect(c, ':', "':'"))
            return NULL;
        n->args[2] = parse_expr(c);
        if (!n->args[2])
            return NULL;
        n->to = n->at_to = n->close = n->args[2]->close;
        for (int i = 0; i < 3; i++)
            if (!adopt(c, n, n->args[i]))
                return NULL;
    }
    c->depth--;
    return n;
}

struct cel_node *cel_parse(struct cel_compiler *c)
{
    struct cel_node *root;

    if (!cel_lex(c))
        return NULL;
    if (look(c)->kind == TOKEN_END) {
        cel_fail(c, CONDITION_SYNTAX, 0, 0, "the expression is empty");
        return NULL;
    }
    root = parse_expr(c);
    if (root && look(c)->kind != TOKEN_END) {
        fail_expected(c, "an operator or the end");
        return NULL;
    }
    return root;
}
