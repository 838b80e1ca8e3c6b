/*
 * generate - the tree to bytecode. Knows the height of the stack at each instruction, so that
 * handlers, local variables and the stack's size are settled before anything runs.
 */
#include "condition/bucket.h"
#include "condition/compiler.h"
#include "condition/domain.h"
#include "condition/limits.h"
#include "condition/program.h"
#include "condition/value.h"

#include <string.h>

struct generator {
    struct cel_compiler *c;
    struct condition *p;
    uint32_t height;
    uint32_t binders[CEL_LOOPS_MAX]; /* where on the stack a binder's first variable is */
    bool holds[CEL_LOOPS_MAX];       /* whether it may be an error: cel.bind's */
};

#define SET_MIN 9u /* strings in a list, from which on hashing beats comparing */

static bool generate(struct generator *g, const struct cel_node *n);

static bool memory(struct generator *g)
{
    return cel_fail_memory(g->c);
}

/* Appends an instruction that leaves the stack higher by effect. */
static uint32_t emit(struct generator *g, const struct cel_node *n, enum cel_op op, unsigned a,
                     uint32_t b, uint32_t k, int effect)
{
    struct condition *p = g->p;
    uint32_t pc = p->code_count;
    bool name = n->kind == NODE_SELECT && !n->test && n->reference != REFERENCE_SLOT;

    if (pc >= CEL_CODE_MAX) {
        cel_fail(g->c, CONDITION_EXHAUSTED, n->from, n->to, "this condition is too long");
        return 0;
    }
    if (!cel_pool_grow(&p->pool, &p->code, pc, &p->code_capacity, sizeof *p->code) ||
        !cel_pool_grow(&p->pool, &p->spans, pc, &p->span_capacity, sizeof *p->spans)) {
        memory(g);
        return 0;
    }
    p->code[pc].op = (uint8_t)op;
    p->code[pc].a = (uint8_t)a;
    p->code[pc].b = (uint16_t)b;
    p->code[pc].k = k;
    p->spans[pc].from = name || op == CEL_UNKNOWN ? n->at : n->from;
    p->spans[pc].to = name || op == CEL_UNKNOWN ? n->at_to : n->to;
    p->spans[pc].slot_from = p->spans[pc].from;
    p->spans[pc].slot_to = p->spans[pc].to;
    p->code_count++;
    g->height += (uint32_t)effect; /* unsigned, but never below 0 */
    if (g->height > p->stack_max)
        p->stack_max = g->height;
    if (g->height > CEL_STACK_MAX)
        cel_fail(g->c, CONDITION_EXHAUSTED, n->from, n->to,
                 "this expression needs too many values at once (at most %u)", CEL_STACK_MAX);
    return pc;
}

static bool ok(const struct generator *g)
{
    return g->c->status == CONDITION_OK;
}

static uint32_t add_const(struct generator *g, struct condition_value value)
{
    struct condition *p = g->p;

    if (p->const_count >= CEL_CONSTS_MAX) {
        cel_fail(g->c, CONDITION_EXHAUSTED, 0, 0, "this condition has too many constants");
        return 0;
    }
    if (!cel_pool_grow(&p->pool, &p->consts, p->const_count, &p->const_capacity,
                       sizeof *p->consts)) {
        memory(g);
        return 0;
    }
    p->consts[p->const_count] = value;
    return p->const_count++;
}

static struct condition_value copy_items(struct generator *g, const struct condition_value *v);

/* A copy of v with everything it points to in the program's pool. */
static struct condition_value copy_value(struct generator *g, const struct condition_value *v)
{
    struct condition_value copy = *v;

    switch (v->kind) {
    case CONDITION_STRING:
    case CONDITION_BYTES:
        copy.as.bytes = cel_pool_copy(&g->p->pool, v->as.bytes, v->size);
        if (!copy.as.bytes)
            memory(g);
        return copy;
    case CONDITION_LIST:
    case CONDITION_MAP: return copy_items(g, v);
    case CONDITION_OPTIONAL:
        if (v->as.items) {
            struct condition_value *inner = cel_pool_take(&g->p->pool, sizeof *inner);
            if (inner)
                *inner = copy_value(g, v->as.items);
            else
                memory(g);
            copy.as.items = inner;
        }
        return copy;
    case CONDITION_OPAQUE: {
        static const size_t sizes[] = {[OPAQUE_IP] = sizeof(struct cel_address),
                                       [OPAQUE_CIDR] = sizeof(struct cel_address),
                                       [OPAQUE_SEMVER] = sizeof(struct cel_semver)};
        struct cel_semver *semver;
        if (v->sub == OPAQUE_ZONE)
            return copy; /* the environment's */
        copy.as.opaque = cel_pool_copy(&g->p->pool, v->as.opaque, sizes[v->sub]);
        if (!copy.as.opaque) {
            memory(g);
        } else if (v->sub == OPAQUE_SEMVER) { /* its parts point into its text */
            const struct cel_semver *old = v->as.opaque;
            const char *text = cel_pool_copy(&g->p->pool, old->text.at, old->text.len);
            memcpy(&semver, &copy.as.opaque, sizeof semver);
            if (!text) {
                memory(g);
                return copy;
            }
            if (old->prerelease.len)
                semver->prerelease.at = text + (old->prerelease.at - old->text.at);
            if (old->build.len)
                semver->build.at = text + (old->build.at - old->text.at);
            semver->text.at = text;
        }
        return copy;
    }
    default: return copy;
    }
}

static struct condition_value copy_items(struct generator *g, const struct condition_value *v)
{
    struct condition_value copy = *v;

    if (v->kind == CONDITION_LIST) {
        struct condition_value *items =
            cel_pool_take(&g->p->pool, (size_t)v->size * sizeof *items + 1);
        for (uint32_t i = 0; items && i < v->size; i++)
            items[i] = copy_value(g, &v->as.items[i]);
        copy.as.items = items;
    } else {
        struct condition_entry *entries =
            cel_pool_take(&g->p->pool, (size_t)v->size * sizeof *entries + 1);
        for (uint32_t i = 0; entries && i < v->size; i++) {
            entries[i].key = copy_value(g, &v->as.entries[i].key);
            entries[i].value = copy_value(g, &v->as.entries[i].value);
        }
        copy.as.entries = entries;
    }
    if (g->p->pool.failed)
        memory(g);
    return copy;
}

static uint32_t text_const(struct generator *g, struct cel_text text)
{
    struct condition_value v = condition_string(text.at, text.len);

    return add_const(g, copy_value(g, &v));
}

static void handle(struct generator *g, uint32_t from, uint32_t to, uint32_t target,
                   uint32_t height)
{
    struct condition *p = g->p;
    struct cel_handler *h;

    if (!ok(g))
        return;
    if (!cel_pool_grow(&p->pool, &p->handlers, p->handler_count, &p->handler_capacity,
                       sizeof *p->handlers)) {
        memory(g);
        return;
    }
    h = &p->handlers[p->handler_count++];
    h->from = from;
    h->to = to;
    h->target = target;
    h->height = height;
}

static void patch(struct generator *g, uint32_t pc)
{
    if (ok(g))
        g->p->code[pc].k = g->p->code_count;
}

static uint32_t read_slot(struct generator *g, uint32_t slot)
{
    struct condition *p = g->p;

    for (uint32_t i = 0; i < p->read_count; i++)
        if (p->reads[i].slot == slot)
            return slot;
    if (!cel_pool_grow(&p->pool, &p->reads, p->read_count, &p->read_capacity, sizeof *p->reads)) {
        memory(g);
        return slot;
    }
    p->reads[p->read_count].slot = slot;
    p->reads[p->read_count++].path = condition_env_slot_path(g->c->env, slot);
    if (slot >= p->slot_limit)
        p->slot_limit = slot + 1;
    return slot;
}

/* One instruction that reads the attribute slot, and does something with it. */
static void emit_fused(struct generator *g, const struct cel_node *n, enum cel_op op, unsigned a,
                       uint32_t b, const struct cel_node *slot)
{
    uint32_t pc = emit(g, n, op, a, b, read_slot(g, slot->slot), 1);

    if (ok(g)) {
        g->p->spans[pc].slot_from = slot->from;
        g->p->spans[pc].slot_to = slot->to;
    }
}

/* ---- names and fields ---- */

static bool is_const_text(const struct cel_node *n)
{
    return n->kind == NODE_CONST && n->value.kind == CONDITION_STRING;
}

/* Whether n is one slot and nothing else, as the fused instructions need it. */
static bool is_slot(const struct generator *g, const struct cel_node *n)
{
    return !g->c->explaining && (n->kind == NODE_IDENT || n->kind == NODE_SELECT) && !n->test &&
           n->reference == REFERENCE_SLOT && n->slots_count == 0;
}

static void generate_slot(struct generator *g, const struct cel_node *n)
{
    for (uint32_t i = 0; i < n->slots_count; i++)
        emit(g, n, CEL_SLOT_OR, 0, n->slots_count - i, read_slot(g, n->slots[i]), 0);
    emit(g, n, CEL_SLOT, 0, 0, read_slot(g, n->slot), 1);
}

static void generate_name(struct generator *g, const struct cel_node *n)
{
    if (n->reference == REFERENCE_CONST) {
        emit(g, n, CEL_CONST, 0, 0, add_const(g, n->value), 1);
    } else if (n->reference == REFERENCE_LOCAL) {
        emit(g, n, g->holds[n->binder] ? CEL_BOUND : CEL_LOCAL, 0, 0,
             g->binders[n->binder] + n->slot, 1);
    } else if (n->kind == NODE_SELECT && n->test && n->reference == REFERENCE_SLOT) {
        uint32_t parent = n->declared ? 0 : read_slot(g, n->parent_slot);
        if (parent > UINT16_MAX)
            cel_fail(g->c, CONDITION_EXHAUSTED, n->from, n->to, "too many attributes");
        emit(g, n, CEL_HAS_SLOT, n->declared, parent, read_slot(g, n->slot), 1);
    } else if (n->reference == REFERENCE_SLOT) {
        generate_slot(g, n);
    } else {
        generate(g, n->target);
        emit(g, n, n->test ? CEL_HAS : (n->optional ? CEL_SELECT_OPT : CEL_SELECT), 0, 0,
             text_const(g, n->name), 0);
    }
}

/* ---- operators ---- */

static bool all_strings(const struct condition_value *list)
{
    for (uint32_t i = 0; i < list->size; i++)
        if (list->as.items[i].kind != CONDITION_STRING)
            return false;
    return true;
}

uint32_t cel_set_hash(const char *at, uint32_t len)
{
    return murmur3_x86_32(at, len, 0x9747b28cu);
}

static uint32_t make_set(struct generator *g, const struct condition_value *list)
{
    struct condition *p = g->p;
    uint32_t size = 16, *places;
    struct condition_value copy = copy_value(g, list);

    while (size < list->size * 2)
        size *= 2;
    places = cel_pool_take(&p->pool, size * sizeof *places);
    if (!places || !ok(g) ||
        !cel_pool_grow(&p->pool, &p->sets, p->set_count, &p->set_capacity, sizeof *p->sets)) {
        memory(g);
        return 0;
    }
    for (uint32_t i = 0; i < copy.size; i++) {
        uint32_t at = cel_set_hash(copy.as.items[i].as.bytes, copy.as.items[i].size) & (size - 1);
        while (places[at])
            at = (at + 1) & (size - 1);
        places[at] = i + 1;
    }
    p->sets[p->set_count].mask = size - 1;
    p->sets[p->set_count].places = places;
    p->sets[p->set_count].items = copy.as.items;
    return p->set_count++;
}

/* Slot against constant: one instruction. False if this is no such pair. */
static bool generate_fused(struct generator *g, const struct cel_node *n)
{
    const struct cel_node *slot = n->args[0], *constant = n->args[1];
    unsigned op = n->op;

    if (op == OPERATOR_IN && constant->kind == NODE_CONST &&
        constant->value.kind == CONDITION_LIST) {
        bool texts = all_strings(&constant->value);
        if (texts && constant->value.size >= SET_MIN) {
            generate(g, slot);
            emit(g, n, CEL_IN_SET, 0, 0, make_set(g, &constant->value), 0);
            return true;
        }
        if (!is_slot(g, slot))
            return false;
        emit_fused(g, n, CEL_SLOT_IN, texts, add_const(g, copy_value(g, &constant->value)), slot);
        return true;
    }
    if ((op == OPERATOR_EQ || op == OPERATOR_NE) && slot->kind == NODE_CONST) {
        constant = n->args[0];
        slot = n->args[1];
    }
    if (!is_slot(g, slot) || constant->kind != NODE_CONST)
        return false;
    if (op == OPERATOR_EQ || op == OPERATOR_NE)
        emit_fused(g, n, CEL_SLOT_EQ, op == OPERATOR_NE,
                   add_const(g, copy_value(g, &constant->value)), slot);
    else if (op >= OPERATOR_LT && op <= OPERATOR_GE)
        emit_fused(g, n, CEL_SLOT_ORDER, op, add_const(g, copy_value(g, &constant->value)), slot);
    else
        return false;
    return true;
}

static void generate_operator(struct generator *g, const struct cel_node *n)
{
    static const uint8_t ops[] = {CEL_ADD, CEL_SUB, CEL_MUL, CEL_DIV, CEL_MOD, CEL_EQ,  CEL_NE,
                                  CEL_LT,  CEL_LE,  CEL_GT,  CEL_GE,  CEL_IN,  CEL_NOT, CEL_NEG};

    if (n->arg_count == 2 && !g->c->explaining && generate_fused(g, n))
        return;
    for (uint32_t i = 0; i < n->arg_count; i++)
        generate(g, n->args[i]);
    emit(g, n, ops[n->op], 0, 0, 0, 1 - (int)n->arg_count);
}

/*
 * a && b && c, with h the height before:
 *
 *     a           AND_FIRST end    false: it is the result; true or an error stays, as acc
 *     b           AND_NEXT end     false: acc := false, go; true: drop; error: acc := acc or it
 *     c           AND_LAST         the same without a jump; raises acc if it is an error
 *   end:
 *
 * An error in a term ends at that term's AND_..., on top of the stack.
 */
static void generate_logic(struct generator *g, const struct cel_node *n)
{
    bool and = n->kind == NODE_AND;
    uint32_t jumps[2], *list = jumps, base = g->height;

    if (n->arg_count > 2) {
        list = cel_pool_take(&g->c->temp, n->arg_count * sizeof *list);
        if (!list) {
            memory(g);
            return;
        }
    }
    for (uint32_t i = 0; ok(g) && i < n->arg_count; i++) {
        uint32_t from = g->p->code_count, at;
        enum cel_op op = i == 0 ? (and? CEL_AND_FIRST : CEL_OR_FIRST)
                                : (i + 1 < n->arg_count ? (and? CEL_AND_NEXT : CEL_OR_NEXT)
                                                        : (and? CEL_AND_LAST : CEL_OR_LAST));
        generate(g, n->args[i]);
        at = emit(g, n->args[i], op, 0, 0, 0, i ? -1 : 0);
        /* AND_LAST raises what acc holds; its own range would catch that again. */
        handle(g, from, i + 1 < n->arg_count ? at + 1 : at, at, base + (i > 0));
        list[i] = at;
    }
    for (uint32_t i = 0; ok(g) && i + 1 < n->arg_count; i++)
        patch(g, list[i]);
}

static void generate_ternary(struct generator *g, const struct cel_node *n)
{
    uint32_t branch, jump;

    generate(g, n->args[0]);
    branch = emit(g, n->args[0], CEL_BRANCH, 0, 0, 0, -1);
    generate(g, n->args[1]);
    jump = emit(g, n, CEL_JUMP, 0, 0, 0, -1);
    patch(g, branch);
    generate(g, n->args[2]);
    patch(g, jump);
}

/* ---- literals ---- */

static void generate_items(struct generator *g, const struct cel_node *n)
{
    uint32_t entries = n->kind == NODE_MAP ? n->arg_count / 2 : n->arg_count, mask = 0;
    bool any = false;

    for (uint32_t i = 0; i < entries; i++)
        any |= n->marks[i];
    for (uint32_t i = 0; ok(g) && i < n->arg_count; i++)
        generate(g, n->args[i]);
    if (any) {
        struct condition_value marks = condition_string((const char *)n->marks, entries);
        mask = add_const(g, copy_value(g, &marks));
    }
    emit(g, n, n->kind == NODE_MAP ? CEL_MAP : CEL_LIST, any, mask, entries, 1 - (int)n->arg_count);
}

/* ---- binders ---- */

static void generate_fold(struct generator *g, const struct cel_node *n)
{
    static const uint8_t steps[] = {CEL_STEP_ALL,  CEL_STEP_EXISTS, CEL_STEP_ONE,  CEL_STEP_LIST,
                                    CEL_STEP_LIST, CEL_STEP_MAP,    CEL_STEP_ENTRY};
    uint32_t base = g->height, vars = n->variable_count, next, body, step;

    generate(g, n->target);
    emit(g, n->target, CEL_LOOP, n->fold, vars, 0, 2 + (int)vars);
    g->binders[n->binder_depth] = base + 3;
    g->holds[n->binder_depth] = false;
    next = emit(g, n, CEL_NEXT, vars, 0, 0, 0);
    if (n->args[0]) {
        generate(g, n->args[0]);
        emit(g, n->args[0], CEL_WHERE, 0, 0, next, -1);
    }
    body = g->p->code_count;
    generate(g, n->args[1]);
    if (n->fold == FOLD_FILTER) {
        emit(g, n->args[1], CEL_WHERE, 0, 0, next, -1);
        emit(g, n, CEL_LOCAL, 0, 0, base + 3, 1);
    }
    step = emit(g, n->args[1], steps[n->fold], 0, 0, next, -1);
    if (n->fold == FOLD_ALL || n->fold == FOLD_EXISTS)
        handle(g, body, step + 1, step, base + 3 + vars);
    if (!ok(g))
        return;
    g->p->code[next].k = g->p->code_count;
    g->p->code[next].b = (uint16_t)(g->p->code_count - next);
    emit(g, n, CEL_END_LOOP, n->fold, vars, 0, -2 - (int)vars);
}

/* An error in what cel.bind() binds waits on the stack, and is raised where the variable is used: as
 * if it were evaluated there, but once. */
static void generate_binding(struct generator *g, const struct cel_node *n)
{
    uint32_t base = g->height, from = g->p->code_count, unwrap = 0;

    generate(g, n->args[0]);
    g->binders[n->binder_depth] = base;
    g->holds[n->binder_depth] = n->kind == NODE_BIND;
    if (n->kind == NODE_OPTMAP)
        unwrap = emit(g, n, CEL_UNWRAP, 0, 0, 0, 0);
    else
        handle(g, from, g->p->code_count, g->p->code_count, base);
    generate(g, n->args[1]);
    emit(g, n, n->kind == NODE_BIND ? CEL_SLIDE : (n->flat ? CEL_FLAT : CEL_WRAP), 0, 0, 0, -1);
    if (n->kind == NODE_OPTMAP)
        patch(g, unwrap);
}

/* ---- calls ---- */

static bool takes(const struct cel_function *f, uint32_t count)
{
    for (const struct cel_overload *o = f->overloads; o; o = o->next)
        if (o->variadic ? count > 0 : o->param_count == count)
            return true;
    return false;
}

static uint32_t add_call(struct generator *g, const struct cel_node *n, uint32_t count)
{
    struct condition *p = g->p;
    struct cel_call *call;

    if (!cel_pool_grow(&p->pool, &p->calls, p->call_count, &p->call_capacity, sizeof *p->calls)) {
        memory(g);
        return 0;
    }
    call = &p->calls[p->call_count];
    call->function = n->function;
    call->builtin = n->function ? n->function->builtin : NULL;
    if (call->builtin == cel_fn_domain && g->c->explaining && !n->impure &&
        n->binder_least == UINT32_MAX)
        call->builtin = cel_fn_domain_constant;
    if (call->builtin && !takes(n->function, count)) /* where nobody checked */
        call->builtin = cel_fn_no_overload;
    call->name.at = cel_pool_copy(&p->pool, n->name.at, n->name.len);
    call->name.len = n->name.len;
    if (!call->name.at)
        memory(g);
    return p->call_count++;
}

static uint32_t add_pattern(struct generator *g, const struct cel_node *arg)
{
    struct condition *p = g->p;
    struct cel_regex *regex;
    char msg[160];
    size_t at;

    switch (cel_regex_compile(arg->value.as.bytes, arg->value.size, &regex, msg, sizeof msg, &at)) {
    case REGEX_OK: break;
    case REGEX_NOMEM: memory(g); return 0;
    default:
        cel_fail(g->c, CONDITION_TYPE, arg->from, arg->to,
                 "bad regular expression, at character %u: %s",
                 (unsigned)cel_utf8_count(arg->value.as.bytes, at) + 1, msg);
        return 0;
    }
    if (!cel_pool_grow(&p->pool, &p->patterns, p->pattern_count, &p->pattern_capacity,
                       sizeof(struct cel_regex *))) {
        cel_regex_free(regex);
        memory(g);
        return 0;
    }
    p->patterns[p->pattern_count] = regex;
    return p->pattern_count++;
}

/* How a call about texts with a constant second one is written: as in CEL_TEXT's a. */
static void generate_text(struct generator *g, const struct cel_node *n,
                          const struct cel_node *subject, unsigned how, struct cel_text text)
{
    if (is_slot(g, subject)) {
        emit_fused(g, n, CEL_SLOT_TEXT, how, text_const(g, text), subject);
        return;
    }
    generate(g, subject);
    emit(g, n, CEL_TEXT, how, 0, text_const(g, text), 0);
}

static bool generate_matches(struct generator *g, const struct cel_node *n,
                             const struct cel_node *subject, const struct cel_node *pattern)
{
    static const uint8_t hows[] = {
        [REGEX_CONTAINS] = 4, [REGEX_PREFIX] = 5, [REGEX_SUFFIX] = 6, [REGEX_EQUAL] = 7};
    enum cel_regex_plain plain;
    struct cel_text text;
    size_t len;
    char *out;

    if (!is_const_text(pattern)) {
        if (g->c->env->dynamic_patterns)
            return false;
        cel_fail(g->c, CONDITION_TYPE, pattern->from, pattern->to,
                 "the pattern of matches() must be constant");
        return true;
    }
    out = cel_pool_take(&g->c->temp, pattern->value.size + 1u);
    if (!out)
        return memory(g);
    plain = cel_regex_plain(pattern->value.as.bytes, pattern->value.size, out, &len);
    if (plain != REGEX_NOT_PLAIN) {
        text.at = out;
        text.len = (uint32_t)len;
        generate_text(g, n, subject, hows[plain], text);
        return true;
    }
    if (is_slot(g, subject)) {
        emit_fused(g, n, CEL_SLOT_MATCH, 0, add_pattern(g, pattern), subject);
    } else {
        generate(g, subject);
        emit(g, n, CEL_MATCH, 0, 0, add_pattern(g, pattern), 0);
    }
    return true;
}

/* under("ACME.com") is canonical before it runs. Returns the constant to use, or fails. */
static uint32_t domain_const(struct generator *g, const struct cel_node *arg, bool pattern)
{
    char canonical[DOMAIN_BYTES_MAX + 3] = "*.";
    const char *at = arg->value.as.bytes;
    size_t len = arg->value.size, prefix = 0;
    struct cel_text text;

    if (pattern && len > 2 && at[0] == '*' && at[1] == '.')
        prefix = 2;
    len =
        domain_canonical(at + prefix, len - prefix, canonical + prefix, sizeof canonical - prefix);
    if (len == 0)
        cel_fail(g->c, CONDITION_TYPE, arg->from, arg->to, "this is not a domain name");
    text.at = canonical;
    text.len = (uint32_t)(len + prefix);
    return text_const(g, text);
}

/* The constant for an argument that names a time zone; 0 and failure if there is none. */
static uint32_t zone_const(struct generator *g, const struct cel_node *arg)
{
    struct condition_value v = arg->value;
    int32_t offset;

    if (cel_zone_fixed(v.as.bytes, v.size, &offset))
        return add_const(g, copy_value(g, &v));
    v.as.opaque = cel_env_zone(g->c->env, arg->value.as.bytes, arg->value.size);
    v.kind = CONDITION_OPAQUE;
    v.sub = OPAQUE_ZONE;
    v.size = 0;
    if (!v.as.opaque && g->c->env->pool.failed)
        memory(g);
    else if (!v.as.opaque)
        cel_fail(g->c, CONDITION_TYPE, arg->from, arg->to,
                 "there is no time zone of this name (\"UTC\", \"+02:00\", \"Europe/Berlin\")");
    return add_const(g, v);
}

static void generate_argument(struct generator *g, const struct cel_node *n, uint32_t i)
{
    const struct cel_node *arg = n->args[i];
    bool text = is_const_text(arg);
    cel_builtin *fn = n->function->builtin;

    if (n->function->zone && i + 1 == n->arg_count && n->target) {
        if (text) {
            emit(g, arg, CEL_CONST, 0, 0, zone_const(g, arg), 1);
            return;
        }
        g->p->zones = cel_env_all_zones(g->c->env);
    }
    if (text && n->target && (fn == cel_fn_under || fn == cel_fn_matches_domain)) {
        emit(g, arg, CEL_CONST, 0, 0, domain_const(g, arg, fn == cel_fn_matches_domain), 1);
        return;
    }
    generate(g, arg);
}

static void generate_call(struct generator *g, const struct cel_node *n)
{
    uint32_t count = n->arg_count + (n->target != NULL);
    cel_builtin *fn = n->function ? n->function->builtin : NULL;
    const struct cel_node *first = n->target ? n->target : (n->arg_count ? n->args[0] : NULL);
    const struct cel_node *last = n->arg_count ? n->args[n->arg_count - 1] : NULL;
    uint32_t otherwise = 0; /* never the first instruction: the receiver stands before it */

    if (!n->function) {
        emit(g, n, CEL_UNKNOWN, 0, 0, add_call(g, n, 0), 1);
        return;
    }
    if (count == 2 && !(g->c->explaining && fn != cel_fn_matches)) {
        if (fn == cel_fn_matches && generate_matches(g, n, first, last))
            return;
        if (n->target && is_const_text(last) &&
            (fn == cel_fn_contains || fn == cel_fn_starts_with || fn == cel_fn_ends_with)) {
            struct cel_text text = {last->value.as.bytes, last->value.size};
            generate_text(g, n, first, fn == cel_fn_contains ? 0 : (fn == cel_fn_ends_with ? 2 : 1),
                          text);
            return;
        }
    }
    if (n->target)
        generate(g, n->target);
    if (n->target && count == 2 && (fn == cel_fn_optional_or || fn == cel_fn_optional_or_value))
        otherwise = emit(g, n, CEL_OTHERWISE, fn == cel_fn_optional_or_value, 0, 0, 0);
    for (uint32_t i = 0; ok(g) && i < n->arg_count; i++)
        generate_argument(g, n, i);
    if (!ok(g))
        return;
    emit(g, n, fn ? CEL_CALL : CEL_CALL_HOST, count, 0, add_call(g, n, count), 1 - (int)count);
    if (otherwise)
        patch(g, otherwise);
}

static bool generate(struct generator *g, const struct cel_node *n)
{
    if (!ok(g))
        return false;
    switch (n->kind) {
    case NODE_CONST: emit(g, n, CEL_CONST, 0, 0, add_const(g, copy_value(g, &n->value)), 1); break;
    case NODE_IDENT:
    case NODE_SELECT: generate_name(g, n); break;
    case NODE_INDEX:
        generate(g, n->args[0]);
        generate(g, n->args[1]);
        emit(g, n, n->optional ? CEL_INDEX_OPT : CEL_INDEX, 0, 0, 0, -1);
        break;
    case NODE_CALL: generate_call(g, n); break;
    case NODE_OPERATOR: generate_operator(g, n); break;
    case NODE_AND:
    case NODE_OR: generate_logic(g, n); break;
    case NODE_TERNARY: generate_ternary(g, n); break;
    case NODE_LIST:
    case NODE_MAP: generate_items(g, n); break;
    case NODE_FOLD: generate_fold(g, n); break;
    default: generate_binding(g, n);
    }
    if (g->c->explaining && n->kind != NODE_CONST)
        emit(g, n, CEL_NOTE, 0, 0, n->index, 0);
    return ok(g);
}

bool cel_generate(struct cel_compiler *c, struct cel_node *root)
{
    struct generator g = {.c = c, .p = c->program};

    if (generate(&g, root))
        emit(&g, root, CEL_RETURN, 0, 0, 0, 0);
    if (c->program->pool.failed || c->temp.failed)
        return cel_fail_memory(c);
    return ok(&g);
}
