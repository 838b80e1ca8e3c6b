/*
 * quick - see quick.h. First the tests, then how they are read off the bytecode.
 */
#include "condition/quick.h"

#include "condition/ast.h"
#include "condition/domain.h"
#include "condition/operate.h"
#include "condition/program.h"
#include "condition/value.h"

#include <string.h>

/* ---- the tests ---- */

#define TEST                                                                                       \
    const struct cel_quick *t, const struct condition_value *slots, struct condition_value *out,   \
        struct condition_diag *diag, const struct condition_input *in,                             \
        const struct condition *cond
#define REST slots, out, diag, in, cond

/* Two calls on purpose: one with a chosen argument would have to wait for the choice. */
static inline enum condition_status go(TEST, bool yes)
{
    if (yes)
        return t->yes->test(t->yes, REST);
    if (t->no)
        return t->no->test(t->no, REST);
    *out = condition_bool(false);
    return CONDITION_OK;
}

static inline const struct condition_value *slot_at(const struct condition_value *slots,
                                                    uint32_t bytes)
{
    return (const void *)((const char *)slots + bytes);
}

static inline uint64_t head_of(const struct condition_value *v)
{
    uint64_t head;

    memcpy(&head, v, sizeof head);
    return head;
}

/* kind, sub and pad in one, as they are where sub and pad are 0. */
static inline bool is_plainly(const struct condition_value *v, enum condition_kind kind)
{
    const struct condition_value like = {.kind = (uint8_t)kind};
    uint32_t is, wanted;

    memcpy(&is, v, sizeof is);
    memcpy(&wanted, &like, sizeof wanted);
    return is == wanted;
}

static inline uint64_t load(const char *at, size_t bytes)
{
    uint64_t eight;
    uint32_t four;
    uint16_t two;

    switch (bytes) {
    case 8: memcpy(&eight, at, 8); return eight;
    case 4: memcpy(&four, at, 4); return four;
    case 2: memcpy(&two, at, 2); return two;
    default: return (unsigned char)*at;
    }
}

/* How many bytes a load takes, so that two of them cover all: 0 none, 16 too long for that. */
static unsigned width_of(uint32_t size)
{
    if (size == 0)
        return 0;
    return size > 16 ? 16 : (size >= 8 ? 8 : (size >= 4 ? 4 : (size >= 2 ? 2 : 1)));
}

static inline bool same(unsigned width, const struct cel_quick *t, const char *at)
{
    if (width == 0)
        return true;
    if (width == 16)
        return memcmp(at, t->as.table, t->size) == 0;
    return load(at, width) == t->as.text[0] && load(at + t->size - width, width) == t->as.text[1];
}

static inline enum condition_status test_equal(unsigned width, TEST)
{
    const struct condition_value *v = slot_at(slots, t->at);

    if (head_of(v) == t->head)
        return go(t, REST, same(width, t, v->as.bytes));
    return is_plainly(v, CONDITION_STRING) ? go(t, REST, false) : cel_quick_give_up(t, REST);
}

/* For a list: those of one width in one go. */
static inline enum condition_status test_equal_any(unsigned width, TEST)
{
    const struct condition_value *v = slot_at(slots, t->at);
    uint64_t head = head_of(v);

    for (;; t++) {
        if (head == t->head && same(width, t, v->as.bytes))
            return go(t, REST, true);
        if (!t->more)
            return is_plainly(v, CONDITION_STRING) ? go(t, REST, false)
                                                   : cel_quick_give_up(t, REST);
    }
}

static inline enum condition_status test_start(unsigned width, TEST)
{
    const struct condition_value *v = slot_at(slots, t->at);

    if (!is_plainly(v, CONDITION_STRING))
        return cel_quick_give_up(t, REST);
    return go(t, REST, v->size >= t->size && same(width, t, v->as.bytes));
}

static inline enum condition_status test_end(unsigned width, TEST)
{
    const struct condition_value *v = slot_at(slots, t->at);

    if (!is_plainly(v, CONDITION_STRING))
        return cel_quick_give_up(t, REST);
    return go(t, REST, v->size >= t->size && same(width, t, v->as.bytes + (v->size - t->size)));
}

/* clang-format off */
#define WIDTHS(X) X(0) X(1) X(2) X(4) X(8) X(16)
#define X(width) \
    static enum condition_status equal_##width(TEST) { return test_equal(width, t, REST); } \
    static enum condition_status any_##width(TEST) { return test_equal_any(width, t, REST); } \
    static enum condition_status start_##width(TEST) { return test_start(width, t, REST); } \
    static enum condition_status end_##width(TEST) { return test_end(width, t, REST); }
WIDTHS(X)
#undef X
#define X(width) [width] = {equal_##width, start_##width, end_##width, any_##width},
static cel_quick_fn *const texts[17][4] = {WIDTHS(X)};
#undef X
/* clang-format on */

static enum condition_status contains(TEST)
{
    const struct condition_value *v = slot_at(slots, t->at);

    if (!is_plainly(v, CONDITION_STRING) || v->size > t->bound)
        return cel_quick_give_up(t, REST);
    return go(t, REST, cel_find(v->as.bytes, v->size, t->as.table, t->size) != NULL);
}

static enum condition_status matches(TEST)
{
    const struct condition_value *v = slot_at(slots, t->at);
    int found;

    if (!is_plainly(v, CONDITION_STRING) || v->size > t->bound)
        return cel_quick_give_up(t, REST);
    found = cel_regex_match(t->as.table, v->as.bytes, v->size);
    return found < 0 ? cel_quick_give_up(t, REST) : go(t, REST, found > 0);
}

static enum condition_status in_set(TEST)
{
    const struct condition_value *v = slot_at(slots, t->at);

    if (!is_plainly(v, CONDITION_STRING))
        return cel_quick_give_up(t, REST);
    return go(t, REST, cel_set_has(t->as.table, v->as.bytes, v->size));
}

static enum condition_status int_equal(TEST)
{
    const struct condition_value *v = slot_at(slots, t->at);

    if (!is_plainly(v, CONDITION_INT))
        return cel_quick_give_up(t, REST);
    return go(t, REST, v->as.i == t->as.number);
}

static enum condition_status int_less(TEST)
{
    const struct condition_value *v = slot_at(slots, t->at);

    if (!is_plainly(v, CONDITION_INT))
        return cel_quick_give_up(t, REST);
    return go(t, REST, v->as.i < t->as.number);
}

static enum condition_status int_at_most(TEST)
{
    const struct condition_value *v = slot_at(slots, t->at);

    if (!is_plainly(v, CONDITION_INT))
        return cel_quick_give_up(t, REST);
    return go(t, REST, v->as.i <= t->as.number);
}

static enum condition_status int_more(TEST)
{
    const struct condition_value *v = slot_at(slots, t->at);

    if (!is_plainly(v, CONDITION_INT))
        return cel_quick_give_up(t, REST);
    return go(t, REST, v->as.i > t->as.number);
}

static enum condition_status int_at_least(TEST)
{
    const struct condition_value *v = slot_at(slots, t->at);

    if (!is_plainly(v, CONDITION_INT))
        return cel_quick_give_up(t, REST);
    return go(t, REST, v->as.i >= t->as.number);
}

static enum condition_status is_true(TEST)
{
    const struct condition_value *v = slot_at(slots, t->at);

    return v->kind == CONDITION_BOOL ? go(t, REST, v->as.truth) : cel_quick_give_up(t, REST);
}

/* The constant is no text and has no parts, so that comparing is not counted as steps. */
static enum condition_status equal_value(TEST)
{
    const struct condition_value *v = slot_at(slots, t->at);

    if (v->kind == CONDITION_ABSENT)
        return cel_quick_give_up(t, REST);
    return go(t, REST, condition_equal(v, t->as.value));
}

static enum condition_status in_values(TEST)
{
    const struct condition_value *v = slot_at(slots, t->at);
    bool found = false;

    if (v->kind == CONDITION_ABSENT)
        return cel_quick_give_up(t, REST);
    for (uint32_t i = 0; i < t->as.value->size && !found; i++)
        found = condition_equal(v, &t->as.value->as.items[i]);
    return go(t, REST, found);
}

/* size is the operator here. */
static enum condition_status ordered(TEST)
{
    const struct condition_value *v = slot_at(slots, t->at);
    int order = v->kind == CONDITION_ABSENT ? 3 : cel_compare(v, t->as.value);

    return order == 3 ? cel_quick_give_up(t, REST) : go(t, REST, cel_order_is(t->size, order));
}

/* An absent field of an absent map is an error. */
static enum condition_status has_field(TEST)
{
    if (slot_at(slots, t->at)->kind != CONDITION_ABSENT)
        return go(t, REST, true);
    if (slot_at(slots, t->as.parent)->kind != CONDITION_MAP)
        return cel_quick_give_up(t, REST);
    return go(t, REST, false);
}

static enum condition_status has_variable(TEST)
{
    return go(t, REST, slot_at(slots, t->at)->kind != CONDITION_ABSENT);
}

static bool is_ascii(const char *at, size_t len)
{
    uint64_t seen = 0;

    for (; len >= 8; at += 8, len -= 8)
        seen |= load(at, 8);
    for (; len; at++, len--)
        seen |= (unsigned char)*at;
    return (seen & 0x8080808080808080u) == 0;
}

/* Whether text is the lower-case letters, but for capitals. Both ASCII. */
static bool same_in_lower_case(const char *text, const char *lower, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        char ch = text[i];
        if ((ch >= 'A' && ch <= 'Z' ? ch | 0x20 : ch) != lower[i])
            return false;
    }
    return true;
}

static inline enum condition_status test_domain(TEST, bool itself, bool below)
{
    const struct condition_value *v = slot_at(slots, t->at);
    const char *tail = v->as.bytes;
    uint32_t rest = v->size - t->size;

    if (!is_plainly(v, CONDITION_STRING) || v->size > DOMAIN_BYTES_MAX || !is_ascii(tail, v->size))
        return cel_quick_give_up(t, REST);
    if (v->size < t->size || (rest == 0 ? !itself : (!below || tail[rest - 1] != '.')))
        return go(t, REST, false);
    return go(t, REST, same_in_lower_case(tail + rest, t->as.table, t->size));
}

static enum condition_status domain_is(TEST)
{
    return test_domain(t, REST, true, false);
}

static enum condition_status domain_below(TEST)
{
    return test_domain(t, REST, false, true);
}

static enum condition_status domain_is_or_below(TEST)
{
    return test_domain(t, REST, true, true);
}

static enum condition_status answer_false(TEST)
{
    (void)t, (void)slots, (void)diag, (void)in, (void)cond;
    *out = condition_bool(false);
    return CONDITION_OK;
}

static enum condition_status answer_true(TEST)
{
    (void)t, (void)slots, (void)diag, (void)in, (void)cond;
    *out = condition_bool(true);
    return CONDITION_OK;
}

static const struct cel_quick answers[] = {{.test = answer_false}, {.test = answer_true}};
static const struct cel_quick not_quick = {.test = cel_quick_give_up};

/* ---- reading the bytecode ---- */

struct reader {
    struct condition *p;
    struct cel_quick *tests;
    uint32_t count;
    uint32_t counted;                   /* tests whose work is counted as steps */
    uint32_t code[QUICK_TESTS_MAX + 1]; /* where each test, or the first of several, begins */
};

/* What is at pc: how many instructions make one value, and by how many tests. tests is 0 where the
 * instruction is about a value that is there; false: nothing of this kind. */
static bool measure(const struct condition *p, uint32_t pc, uint32_t *length, uint32_t *tests)
{
    const struct cel_instruction *i = &p->code[pc];
    const struct condition_value *k = p->consts;
    cel_builtin *fn;

    *length = *tests = 1;
    switch (i->op) {
    case CEL_SLOT_EQ:
        return k[i->b].kind <= CONDITION_STRING || k[i->b].kind == CONDITION_TIMESTAMP ||
               k[i->b].kind == CONDITION_DURATION;
    case CEL_SLOT_IN:
        if (i->a)
            *tests = k[i->b].size;
        return *tests > 0;
    case CEL_SLOT_ORDER:
    case CEL_SLOT_TEXT:
    case CEL_SLOT_MATCH:
    case CEL_HAS_SLOT: return true;
    case CEL_SLOT:
        if (i[1].op == CEL_IN_SET)
            *length = 2;
        if (i[1].op != CEL_CONST)
            return true;
        *length = 3; /* slot.f(constant) */
        fn = i[2].op == CEL_CALL && i[2].a == 2 ? p->calls[i[2].k].builtin : NULL;
        return (fn == cel_fn_under || fn == cel_fn_matches_domain) &&
               k[i[1].k].kind == CONDITION_STRING && k[i[1].k].size > 2;
    case CEL_CONST: *tests = 0; return k[i->k].kind == CONDITION_BOOL;
    case CEL_NOT:
    case CEL_JUMP:
    case CEL_BRANCH:
    case CEL_AND_FIRST:
    case CEL_AND_NEXT:
    case CEL_AND_LAST:
    case CEL_OR_FIRST:
    case CEL_OR_NEXT:
    case CEL_OR_LAST:
    case CEL_RETURN: *tests = 0; return true;
    default: return false;
    }
}

static bool is_counted(const struct cel_instruction *i)
{
    return i->op == CEL_SLOT_MATCH || (i->op == CEL_SLOT_TEXT && (i->a & 3u) == 0);
}

static bool measure_all(struct reader *r)
{
    uint32_t length, tests;

    for (uint32_t pc = 0; pc < r->p->code_count; pc += length) {
        if (!measure(r->p, pc, &length, &tests) || tests > QUICK_TESTS_MAX - r->count)
            return false;
        for (uint32_t i = 0; i < tests; i++)
            r->code[r->count++] = pc;
        r->counted += is_counted(&r->p->code[pc]);
    }
    return r->count > 0;
}

/* The test or the answer that comes, when the value before the instruction at pc is known. Every
 * jump goes forward, since there are no loops. */
static const struct cel_quick *follow(const struct reader *r, uint32_t pc, bool value)
{
    const struct condition *p = r->p;

    for (;; pc++) {
        const struct cel_instruction *i = &p->code[pc];
        switch (i->op) {
        case CEL_RETURN: return &answers[value];
        case CEL_NOT: value = !value; continue;
        case CEL_AND_LAST:
        case CEL_OR_LAST: continue; /* those before are no errors: the last term is the value */
        case CEL_JUMP: pc = i->k - 1; continue;
        case CEL_AND_FIRST:
        case CEL_AND_NEXT:
        case CEL_OR_FIRST:
        case CEL_OR_NEXT:
            if (value == (i->op == CEL_OR_FIRST || i->op == CEL_OR_NEXT)) {
                pc = i->k - 1;
                continue;
            }
            break;
        case CEL_BRANCH:
            if (!value)
                pc = i->k - 1;
            break;
        default: return NULL;
        }
        /* A value is taken off; the next begins at pc + 1. */
        i = &p->code[pc + 1];
        if (i->op != CEL_CONST)
            break;
        value = p->consts[i->k].as.truth;
        pc++;
    }
    for (uint32_t at = 0; at < r->count; at++)
        if (r->code[at] == pc + 1)
            return &r->tests[at];
    return NULL;
}

static void set_text(struct cel_quick *t, unsigned how, const struct condition_value *text)
{
    const struct condition_value like = {.kind = CONDITION_STRING, .size = text->size};
    unsigned width = width_of(text->size);

    t->test = texts[width][width == 0 && how == 2 ? 1 : how];
    t->size = text->size;
    t->head = head_of(&like);
    if (width == 16) {
        t->as.table = text->as.bytes;
    } else if (width) {
        t->as.text[0] = load(text->as.bytes, width);
        t->as.text[1] = load(text->as.bytes + text->size - width, width);
    }
}

static void set_order(struct cel_quick *t, unsigned op, const struct condition_value *k)
{
    static cel_quick_fn *const ints[] = {[OPERATOR_LT] = int_less,
                                         [OPERATOR_LE] = int_at_most,
                                         [OPERATOR_GT] = int_more,
                                         [OPERATOR_GE] = int_at_least};

    if (k->kind == CONDITION_INT) {
        t->test = ints[op];
        t->as.number = k->as.i;
    } else {
        t->test = ordered;
        t->size = op;
        t->as.value = k;
    }
}

static void set_equal(struct cel_quick *t, const struct condition_value *k)
{
    if (k->kind == CONDITION_STRING) {
        set_text(t, 0, k);
    } else if (k->kind == CONDITION_INT) {
        t->test = int_equal;
        t->as.number = k->as.i;
    } else {
        t->test = equal_value;
        t->as.value = k;
    }
}

static void set_domain(struct cel_quick *t, cel_builtin *fn, const struct condition_value *k)
{
    bool star = k->as.bytes[0] == '*' && k->as.bytes[1] == '.';

    t->test = domain_is_or_below;
    t->as.table = k->as.bytes;
    t->size = k->size;
    if (fn != cel_fn_matches_domain)
        return;
    t->test = star ? domain_below : domain_is;
    t->as.table = k->as.bytes + (star ? 2 : 0);
    t->size -= star ? 2 : 0;
}

static void set_slot(const struct condition *p, struct cel_quick *t,
                     const struct cel_instruction *i)
{
    if (i[1].op == CEL_IN_SET) {
        t->test = in_set;
        t->as.table = &p->sets[i[1].k];
    } else if (i[1].op == CEL_CONST) {
        set_domain(t, p->calls[i[2].k].builtin, &p->consts[i[1].k]);
    } else {
        t->test = is_true;
    }
}

/* The test at the instruction i; nth of the texts of a list. */
static void set_test(const struct condition *p, struct cel_quick *t,
                     const struct cel_instruction *i, uint32_t nth)
{
    bool names_const = i->op == CEL_SLOT_EQ || i->op == CEL_SLOT_ORDER || i->op == CEL_SLOT_IN ||
                       i->op == CEL_SLOT_TEXT; /* elsewhere b is no constant, or there is none */
    const struct condition_value *k = names_const ? &p->consts[i->b] : NULL;

    t->at = i->k * (uint32_t)sizeof(struct condition_value);
    switch (i->op) {
    case CEL_SLOT_EQ: set_equal(t, k); break;
    case CEL_SLOT_ORDER: set_order(t, i->a, k); break;
    case CEL_SLOT_IN:
        if (i->a) {
            set_text(t, 3, &k->as.items[nth]);
            t->more = nth + 1 < k->size &&
                      width_of(k->as.items[nth].size) == width_of(k->as.items[nth + 1].size);
        } else {
            t->test = in_values;
            t->as.value = k;
        }
        break;
    case CEL_SLOT_TEXT:
        if ((i->a & 3u) == 0) {
            t->test = contains;
            t->as.table = k->as.bytes;
            t->size = k->size;
        } else {
            set_text(t, (i->a & 3u) % 3u, k);
        }
        break;
    case CEL_SLOT_MATCH:
        t->test = matches;
        t->as.table = p->patterns[i->b];
        break;
    case CEL_HAS_SLOT:
        t->test = i->a ? has_variable : has_field;
        t->as.parent = i->b * (uint32_t)sizeof(struct condition_value);
        break;
    default: set_slot(p, t, i);
    }
}

static bool connect(struct reader *r)
{
    for (uint32_t at = 0, nth = 0; at < r->count; at++) {
        const struct cel_instruction *i = &r->p->code[r->code[at]];
        struct cel_quick *t = &r->tests[at];
        bool more = at + 1 < r->count && r->code[at + 1] == r->code[at];
        bool negated = i->op == CEL_SLOT_EQ && i->a;
        uint32_t length, tests;

        (void)measure(r->p, r->code[at], &length, &tests);
        t->yes = follow(r, r->code[at] + length, !negated);
        t->no = more ? t + 1 : follow(r, r->code[at] + length, negated);
        if (!t->yes || !t->no || i->k >= UINT32_MAX / sizeof(struct condition_value))
            return false;
        set_test(r->p, t, i, nth);
        if (t->no == &answers[false])
            t->no = NULL;
        if (r->counted && is_counted(i))
            t->bound = 10 * CONDITION_STEPS_MAX / r->counted;
        nth = more ? nth + 1 : 0;
    }
    return true;
}

bool cel_quick_make(struct condition *program)
{
    struct reader r = {.p = program};

    program->quick = &not_quick;
    if (!measure_all(&r))
        return true;
    r.tests = cel_pool_take(&program->pool, r.count * sizeof *r.tests);
    if (!r.tests)
        return false;
    if (connect(&r) && r.code[0] == 0)
        program->quick = r.tests;
    return true;
}
