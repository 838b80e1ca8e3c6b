/*
 * eval - the loop that runs bytecode. See program.h for the instructions and how faults travel.
 */
#include "condition/eval.h"

#include "condition/ast.h"
#include "condition/limits.h"
#include "condition/operate.h"
#include "condition/program.h"
#include "condition/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- faults ---- */

uint8_t cel_detail_kind_of(const struct condition_value *v)
{
    return v->kind == CONDITION_OPAQUE ? (uint8_t)(0x80u | v->sub) : v->kind;
}

enum cel_fault cel_fault_overload(struct cel_frame *f, const struct condition_value *args,
                                  uint32_t count)
{
    memset(&f->detail, 0, sizeof f->detail);
    for (uint32_t i = 0; i < count && i < sizeof f->detail.kinds; i++)
        f->detail.kinds[i] = cel_detail_kind_of(&args[i]);
    return FAULT_NO_OVERLOAD;
}

enum cel_fault cel_fault_text(struct cel_frame *f, const char *fmt, ...)
{
    char *text = f->texts[f->text_turn % CEL_FAULT_TEXTS];
    va_list args;
    int len = 0;

    if (f->wants_text) {
        f->text_turn++;
        va_start(args, fmt);
        len = vsnprintf(text, CEL_FAULT_TEXT, fmt, args);
        va_end(args);
    }
    f->detail.text = text;
    f->detail_len =
        (uint16_t)(len < 0 ? 0 : (len < (int)CEL_FAULT_TEXT ? len : (int)CEL_FAULT_TEXT - 1));
    return FAULT_TEXT;
}

enum cel_fault cel_fault_key(struct cel_frame *f, const struct condition_value *key)
{
    char text[100];

    if (!f->wants_text) {
        f->detail_len = 0;
        return FAULT_KEY;
    }
    condition_value_print(key, text, sizeof text);
    cel_fault_text(f, "%s", text);
    return FAULT_KEY;
}

void *cel_scratch(struct cel_frame *f, size_t bytes)
{
    size_t rounded = (bytes + 15u) & ~(size_t)15u;
    char *taken = f->scratch;

    if (!taken || rounded < bytes || rounded > (size_t)(f->scratch_end - taken))
        return NULL;
    f->scratch += rounded;
    return taken;
}

enum cel_fault cel_make_string(struct cel_frame *f, const char *at, size_t len,
                               struct condition_value *out)
{
    char *copy = cel_scratch(f, len);

    if (!copy)
        return FAULT_SCRATCH;
    if (len)
        memcpy(copy, at, len);
    *out = condition_string(copy, len);
    return FAULT_NONE;
}

enum cel_fault cel_make_optional(struct cel_frame *f, const struct condition_value *of,
                                 struct condition_value *out)
{
    struct condition_value *copy = cel_scratch(f, sizeof *copy);

    if (!copy)
        return FAULT_SCRATCH;
    *copy = *of;
    *out = cel_none();
    out->as.items = copy;
    return FAULT_NONE;
}

bool cel_set_has(const struct cel_string_set *set, const char *at, uint32_t len)
{
    for (uint32_t i = cel_set_hash(at, len) & set->mask; set->places[i]; i = (i + 1) & set->mask) {
        const struct condition_value *item = &set->items[set->places[i] - 1];
        if (item->size == len && memcmp(item->as.bytes, at, len) == 0)
            return true;
    }
    return false;
}

/* ---- pieces of instructions ---- */

/* memcmp() without the call for what attributes and constants mostly are: a few bytes. Two loads
 * that may overlap cover 4 to 16 bytes. */
static inline bool same_bytes(const char *a, const char *b, size_t len)
{
    uint64_t x, y, p, q;
    uint32_t m, n, o, r;

    if (len >= 8 && len <= 16) {
        memcpy(&x, a, 8);
        memcpy(&y, b, 8);
        memcpy(&p, a + len - 8, 8);
        memcpy(&q, b + len - 8, 8);
        return ((x ^ y) | (p ^ q)) == 0;
    }
    if (len > 16)
        return memcmp(a, b, len) == 0;
    if (len >= 4) {
        memcpy(&m, a, 4);
        memcpy(&n, b, 4);
        memcpy(&o, a + len - 4, 4);
        memcpy(&r, b + len - 4, 4);
        return ((m ^ n) | (o ^ r)) == 0;
    }
    /* 0 to 3 bytes: the first, the middle and the last are all of them */
    return len == 0 || (a[0] == b[0] && a[len / 2] == b[len / 2] && a[len - 1] == b[len - 1]);
}

/* CEL_TEXT's a: 0 contains, 1 startsWith, 2 endsWith, 3 equal; the rest is for messages. */
static inline bool text_test(unsigned how, const struct condition_value *v,
                             const struct condition_value *k)
{
    switch (how & 3u) {
    case 0: return cel_find(v->as.bytes, v->size, k->as.bytes, k->size) != NULL;
    case 1: return v->size >= k->size && same_bytes(v->as.bytes, k->as.bytes, k->size);
    case 2:
        return v->size >= k->size &&
               same_bytes(v->as.bytes + v->size - k->size, k->as.bytes, k->size);
    default: return v->size == k->size && same_bytes(v->as.bytes, k->as.bytes, k->size);
    }
}

static bool in_list(const struct condition_value *v, const struct condition_value *list)
{
    for (uint32_t i = 0; i < list->size; i++)
        if (condition_equal(v, &list->as.items[i]))
            return true;
    return false;
}

static bool in_strings(const struct condition_value *v, const struct condition_value *list)
{
    for (uint32_t i = 0; i < list->size; i++)
        if (list->as.items[i].size == v->size &&
            same_bytes(list->as.items[i].as.bytes, v->as.bytes, v->size))
            return true;
    return false;
}

static enum cel_fault start_loop(struct cel_frame *f, unsigned fold, struct condition_value *base)
{
    struct condition_value *acc = base + 1;
    uint32_t n = base->size;

    if (base->kind != CONDITION_LIST && base->kind != CONDITION_MAP)
        return cel_fault_overload(f, base, 1);
    base[2] = condition_int(0);
    memset(acc, 0, sizeof *acc);
    switch (fold) {
    case FOLD_ALL:
    case FOLD_EXISTS: *acc = condition_bool(fold == FOLD_ALL); break;
    case FOLD_EXISTS_ONE: *acc = condition_int(0); break;
    case FOLD_MAP:
    case FOLD_FILTER:
        acc->kind = CONDITION_LIST;
        acc->as.items = n ? cel_scratch(f, n * sizeof *acc) : acc;
        return acc->as.items ? FAULT_NONE : FAULT_SCRATCH;
    default:
        acc->kind = CONDITION_MAP;
        acc->as.entries = n ? cel_scratch(f, n * sizeof *acc->as.entries) : NULL;
        return acc->as.entries || !n ? FAULT_NONE : FAULT_SCRATCH;
    }
    return FAULT_NONE;
}

static inline void loop_variables(struct condition_value *base, uint32_t i, unsigned count)
{
    if (base->kind == CONDITION_LIST) {
        if (count == 2)
            base[3] = condition_int(i);
        base[2 + count] = base->as.items[i];
    } else {
        base[3] = base->as.entries[i].key;
        if (count == 2)
            base[4] = base->as.entries[i].value;
    }
}

static void append(struct condition_value *list, const struct condition_value *item)
{
    struct condition_value *items;

    memcpy(&items, &list->as.items, sizeof items); /* ours to write: it is the run's scratch */
    items[list->size++] = *item;
}

static enum cel_fault put(struct cel_frame *f, struct condition_value *map,
                          const struct condition_value *key, const struct condition_value *value)
{
    struct condition_entry *entries;

    if (cel_map_find(map, key))
        return cel_fault_text(f, "a key stands in the map twice");
    if (!cel_charge(f, (size_t)map->size))
        return FAULT_STEPS;
    memcpy(&entries, &map->as.entries, sizeof entries);
    entries[map->size].key = *key;
    entries[map->size++].value = *value;
    return FAULT_NONE;
}

/* transformMapEntry: the body is a map of its own; its entries are added. */
static enum cel_fault merge_entries(struct cel_frame *f, struct condition_value *acc,
                                    const struct condition_value *body, uint32_t capacity)
{
    enum cel_fault fault = FAULT_NONE;

    if (body->kind != CONDITION_MAP)
        return cel_fault_overload(f, body, 1);
    if (acc->size + body->size > capacity)
        return cel_fault_text(f, "transformMapEntry() gives one entry for each item at most");
    for (uint32_t i = 0; i < body->size && !fault; i++)
        fault = put(f, acc, &body->as.entries[i].key, &body->as.entries[i].value);
    return fault;
}

static enum cel_fault call_host(struct cel_frame *f, const struct cel_call *call,
                                struct condition_value *args, uint32_t count)
{
    char msg[CEL_FAULT_TEXT] = "";
    struct condition_value out = {CONDITION_NULL, 0, 0, 0, {0}};

    for (const struct cel_overload *o = call->function->overloads; o; o = o->next) {
        uint32_t i;
        if (o->param_count != count || !o->host)
            continue;
        for (i = 0; o->kinds && i < count; i++)
            if (o->kinds[i] != CONDITION_DYN && o->kinds[i] != args[i].kind)
                break;
        if (o->kinds && i < count)
            continue;
        if (!o->host(o->host_ctx, args, count, &out, msg, sizeof msg)) {
            msg[sizeof msg - 1] = '\0';
            return cel_fault_text(f, "%s", *msg ? msg : "this function failed");
        }
        args[0] = out; /* with no arguments: the place of the result all the same */
        return FAULT_NONE;
    }
    return cel_fault_overload(f, args, count);
}

/* The handler of the instruction at pc, or NULL. */
static const struct cel_handler *find_handler(const struct condition *p, uint32_t pc)
{
    for (uint32_t i = 0; i < p->handler_count; i++)
        if (pc >= p->handlers[i].from && pc < p->handlers[i].to)
            return &p->handlers[i];
    return NULL;
}

/* ---- the loop ---- */

/* Copied from a table in one piece: a value put together byte by byte cannot be forwarded to the
 * 16-byte load that reads it next, which costs more than the comparison before it. */
static const struct condition_value truths[] = {
    {CONDITION_BOOL, 0, 0, 0, {.truth = false}},
    {CONDITION_BOOL, 0, 0, 0, {.truth = true}},
};

static inline struct condition_value truth(bool value)
{
    return truths[value];
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic" /* addresses of labels */
enum cel_fault cel_execute(struct cel_frame *f, struct condition_value *out, uint32_t *failed_at,
                           struct cel_note *notes)
{
    const struct condition *const p = f->program;
    const struct cel_instruction *const code = p->code;
    const struct condition_value *const consts = p->consts, *const slots = f->slots;
    struct condition_value stack[CEL_STACK_MAX];
    struct condition_value *sp = stack; /* the next free place */
    const struct cel_instruction *i = code;
    enum cel_fault fault;
    /* One jump an instruction, straight to its code; a switch becomes a tree of comparisons. */
    static const void *const labels[] = {
#define X(name) [CEL_##name] = &&op_##name,
        /* cppcheck-suppress assignBoolToPointer ; they are addresses of labels */
        CEL_OPS(X)
#undef X
    };

    for (;; i++) {
        goto *labels[i->op];
    op_CONST:
        *sp++ = consts[i->k];
        continue;
    op_SLOT:
        *sp = slots[i->k];
        if (sp->kind == CONDITION_ABSENT)
            goto absent;
        sp++;
        continue;
    op_SLOT_OR:
        *sp = slots[i->k];
        if (sp->kind != CONDITION_ABSENT) {
            sp++;
            i += i->b;
        }
        continue;
    op_LOCAL:
        *sp++ = stack[i->k];
        continue;
    op_BOUND:
        *sp++ = stack[i->k];
        if (sp[-1].kind == CEL_KIND_ERROR)
            goto raise_left;
        continue;
    op_HAS_SLOT : {
        bool present = slots[i->k].kind != CONDITION_ABSENT;
        if (!present && !i->a && slots[i->b].kind != CONDITION_MAP) {
            if (slots[i->b].kind == CONDITION_ABSENT) {
                f->detail.slot = i->b;
                fault = FAULT_ABSENT;
            } else {
                fault = cel_fault_overload(f, &slots[i->b], 1);
            }
            goto raise;
        }
        *sp++ = truth(present);
        continue;
    }
    op_SELECT:
        fault = cel_select(f, sp - 1, &consts[i->k], false);
        goto check;
    op_SELECT_OPT:
        fault = cel_select(f, sp - 1, &consts[i->k], true);
        goto check;
    op_HAS:
        fault = cel_has(f, sp - 1, &consts[i->k]);
        goto check;
    op_INDEX:
        sp--;
        fault = cel_index(f, sp - 1, sp, false);
        goto check;
    op_INDEX_OPT:
        sp--;
        fault = cel_index(f, sp - 1, sp, true);
        goto check;
    op_ADD:
        sp--;
        fault = cel_add(f, sp - 1);
        goto check;
    op_SUB:
        sp--;
        fault = cel_subtract(f, sp - 1);
        goto check;
    op_MUL:
        sp--;
        fault = cel_multiply(f, sp - 1);
        goto check;
    op_DIV:
        sp--;
        fault = cel_divide(f, sp - 1);
        goto check;
    op_MOD:
        sp--;
        fault = cel_modulus(f, sp - 1);
        goto check;
    op_NEG:
        fault = cel_negate(f, sp - 1);
        goto check;
    op_NOT:
        if (sp[-1].kind != CONDITION_BOOL) {
            fault = cel_fault_overload(f, sp - 1, 1);
            goto raise;
        }
        sp[-1].as.truth = !sp[-1].as.truth;
        continue;
    op_EQ:
    op_NE:
        sp--;
        if (!cel_charge_compare(f, sp - 1, sp)) {
            fault = FAULT_STEPS;
            goto raise;
        }
        sp[-1] = truth(condition_equal(sp - 1, sp) == (i->op == CEL_EQ));
        continue;
    op_LT:
    op_LE:
    op_GT:
    op_GE : {
        int order;
        sp--;
        order = cel_compare(sp - 1, sp);
        if (order == 3) {
            fault = cel_fault_overload(f, sp - 1, 2);
            goto raise;
        }
        sp[-1] = truth(cel_order_is((unsigned)(i->op - CEL_LT) + OPERATOR_LT, order));
        continue;
    }
    op_IN:
        sp--;
        fault = cel_in(f, sp - 1);
        goto check;
    op_SLOT_EQ : {
        const struct condition_value *v = &slots[i->k], *k = &consts[i->b];
        bool equal;
        if (v->kind == CONDITION_ABSENT)
            goto absent;
        if (v->kind == CONDITION_STRING && k->kind == CONDITION_STRING)
            equal = v->size == k->size && same_bytes(v->as.bytes, k->as.bytes, k->size);
        else if (cel_charge_compare(f, v, k))
            equal = condition_equal(v, k);
        else {
            fault = FAULT_STEPS;
            goto raise;
        }
        *sp++ = truth(equal != (bool)i->a);
        continue;
    }
    op_SLOT_ORDER : {
        const struct condition_value *v = &slots[i->k], *k = &consts[i->b];
        int order;
        if (v->kind == CONDITION_INT && k->kind == CONDITION_INT) {
            order = v->as.i < k->as.i ? -1 : v->as.i > k->as.i;
        } else {
            if (v->kind == CONDITION_ABSENT)
                goto absent;
            order = cel_compare(v, k);
            if (order == 3) {
                struct condition_value pair[2] = {*v, *k};
                fault = cel_fault_overload(f, pair, 2);
                goto raise;
            }
        }
        *sp++ = truth(cel_order_is(i->a, order));
        continue;
    }
    op_SLOT_IN : {
        const struct condition_value *v = &slots[i->k], *list = &consts[i->b];
        if (v->kind == CONDITION_ABSENT)
            goto absent;
        if (i->a)
            *sp++ = truth(v->kind == CONDITION_STRING && in_strings(v, list));
        else
            *sp++ = truth(in_list(v, list));
        continue;
    }
    op_IN_SET:
        sp[-1] = truth(sp[-1].kind == CONDITION_STRING &&
                       cel_set_has(&p->sets[i->k], sp[-1].as.bytes, sp[-1].size));
        continue;
    op_SLOT_TEXT : {
        const struct condition_value *v = &slots[i->k];
        if (v->kind != CONDITION_STRING) {
            if (v->kind == CONDITION_ABSENT)
                goto absent;
            fault = cel_fault_overload(f, v, 1);
            goto raise;
        }
        if ((i->a & 3u) == 0 && !cel_charge(f, v->size)) {
            fault = FAULT_STEPS;
            goto raise;
        }
        *sp++ = truth(text_test(i->a, v, &consts[i->b]));
        continue;
    }
    op_TEXT:
        if (sp[-1].kind != CONDITION_STRING) {
            fault = cel_fault_overload(f, sp - 1, 1);
            goto raise;
        }
        if (!cel_charge(f, sp[-1].size)) {
            fault = FAULT_STEPS;
            goto raise;
        }
        sp[-1] = truth(text_test(i->a, sp - 1, &consts[i->k]));
        continue;
    op_SLOT_MATCH:
        if (slots[i->k].kind == CONDITION_ABSENT)
            goto absent;
        *sp++ = slots[i->k];
        fault = cel_match(f, sp - 1, p->patterns[i->b]);
        goto check;
    op_MATCH:
        fault = cel_match(f, sp - 1, p->patterns[i->k]);
        goto check;
    op_CALL:
        sp -= i->a;
        fault = p->calls[i->k].builtin(f, sp, i->a);
        sp++;
        goto check;
    op_CALL_HOST:
        sp -= i->a;
        fault = call_host(f, &p->calls[i->k], sp, i->a);
        sp++;
        goto check;
    op_UNKNOWN:
        fault = cel_fault_text(f, "there is no function '%.*s'", (int)p->calls[i->k].name.len,
                               p->calls[i->k].name.at);
        goto raise;
    op_LIST:
        sp -= i->k;
        fault = cel_make_list(f, sp, i->k, i->a ? &consts[i->b] : NULL);
        sp++;
        goto check;
    op_MAP:
        sp -= 2 * i->k;
        fault = cel_make_map(f, sp, i->k, i->a ? &consts[i->b] : NULL);
        sp++;
        goto check;
    op_JUMP:
        i = code + i->k - 1;
        continue;
    op_BRANCH:
        sp--;
        if (sp->kind != CONDITION_BOOL) {
            fault = cel_fault_overload(f, sp, 1);
            goto raise;
        }
        if (!sp->as.truth)
            i = code + i->k - 1;
        continue;

    /* See generate_logic() for what stands where. */
    op_AND_FIRST:
    op_OR_FIRST:
        if (sp[-1].kind == CONDITION_BOOL) {
            if (sp[-1].as.truth == (i->op == CEL_OR_FIRST))
                i = code + i->k - 1;
            continue;
        }
        if (sp[-1].kind != CEL_KIND_ERROR) {
            fault = cel_fault_overload(f, sp - 1, 1);
            goto raise;
        }
        continue;
    op_AND_NEXT:
    op_OR_NEXT:
        sp--;
        if (sp->kind == CONDITION_BOOL) {
            if (sp->as.truth == (i->op == CEL_OR_NEXT)) {
                sp[-1] = *sp;
                i = code + i->k - 1;
            }
            continue;
        }
        if (sp->kind != CEL_KIND_ERROR) {
            fault = cel_fault_overload(f, sp, 1);
            goto raise;
        }
        if (sp[-1].kind != CEL_KIND_ERROR)
            sp[-1] = *sp;
        continue;
    op_AND_LAST:
    op_OR_LAST:
        sp--;
        if (sp->kind == CONDITION_BOOL &&
            (sp->as.truth == (i->op == CEL_OR_LAST) || sp[-1].kind == CONDITION_BOOL)) {
            sp[-1] = *sp;
            continue;
        }
        if (sp[-1].kind == CEL_KIND_ERROR)
            goto raise_left;
        if (sp->kind == CEL_KIND_ERROR) {
            sp[-1] = *sp;
            goto raise_left;
        }
        fault = cel_fault_overload(f, sp, 1);
        goto raise;

    op_LOOP:
        fault = start_loop(f, i->a, sp - 1);
        if (fault)
            goto raise;
        sp += 2 + i->b;
        for (unsigned v = 0; v < i->b; v++)
            sp[-1 - (int)v].kind = CONDITION_NULL;
        continue;
    op_NEXT : {
        struct condition_value *base = sp - 3 - i->a;
        if (base[2].as.i >= (int64_t)base->size) {
            i = code + i->k - 1;
            continue;
        }
        f->steps -= i->b;
        if (f->steps < 0) {
            fault = FAULT_STEPS;
            goto raise;
        }
        loop_variables(base, (uint32_t)base[2].as.i++, i->a);
        continue;
    }
    op_WHERE:
        sp--;
        if (sp->kind != CONDITION_BOOL) {
            fault = cel_fault_overload(f, sp, 1);
            goto raise;
        }
        if (!sp->as.truth)
            i = code + i->k - 1;
        continue;
    op_STEP_ALL:
    op_STEP_EXISTS : {
        const struct cel_instruction *next = code + i->k;
        struct condition_value *acc;
        if (sp[-1].kind != CONDITION_BOOL && sp[-1].kind != CEL_KIND_ERROR) {
            fault = cel_fault_overload(f, sp - 1, 1);
            goto raise; /* comes back as an error on top */
        }
        sp--;
        acc = sp - 2 - next->a;
        if (sp->kind == CEL_KIND_ERROR) {
            if (acc->kind != CEL_KIND_ERROR)
                *acc = *sp;
        } else if (sp->as.truth == (i->op == CEL_STEP_EXISTS)) {
            *acc = *sp;
            i = code + next->k - 1;
            continue;
        }
        i = next - 1;
        continue;
    }
    op_STEP_ONE:
        sp--;
        if (sp->kind != CONDITION_BOOL) {
            fault = cel_fault_overload(f, sp, 1);
            goto raise;
        }
        sp[-2 - (int)code[i->k].a].as.i += sp->as.truth;
        i = code + i->k - 1;
        continue;
    op_STEP_LIST:
        sp--;
        append(sp - 2 - code[i->k].a, sp);
        i = code + i->k - 1;
        continue;
    op_STEP_MAP : {
        struct condition_value *base = sp - 4 - code[i->k].a;
        sp--;
        fault = put(f, base + 1, base + 3, sp);
        if (fault)
            goto raise;
        i = code + i->k - 1;
        continue;
    }
    op_STEP_ENTRY : {
        struct condition_value *base = sp - 4 - code[i->k].a;
        sp--;
        fault = merge_entries(f, base + 1, sp, base->size);
        if (fault)
            goto raise;
        i = code + i->k - 1;
        continue;
    }
    op_END_LOOP:
        sp -= 2 + i->b;
        if (sp->kind == CEL_KIND_ERROR) {
            sp[-1] = *sp;
            goto raise_left;
        }
        if (i->a == FOLD_EXISTS_ONE)
            sp[-1] = truth(sp->as.i == 1);
        else
            sp[-1] = *sp;
        continue;
    op_SLIDE:
        sp--;
        sp[-1] = *sp;
        continue;
    op_OTHERWISE: /* what is none, or no optional, is left to the call behind the second */
        if (sp[-1].kind == CONDITION_OPTIONAL && sp[-1].as.items) {
            if (i->a)
                sp[-1] = *sp[-1].as.items;
            i = code + i->k - 1;
        }
        continue;
    op_UNWRAP:
        if (sp[-1].kind != CONDITION_OPTIONAL) {
            fault = cel_fault_overload(f, sp - 1, 1);
            goto raise;
        }
        if (sp[-1].as.items)
            sp[-1] = *sp[-1].as.items;
        else
            i = code + i->k - 1;
        continue;
    op_WRAP:
        sp--;
        fault = cel_make_optional(f, sp, sp - 1);
        goto check;
    op_FLAT:
        sp--;
        if (sp->kind != CONDITION_OPTIONAL) {
            fault = cel_fault_overload(f, sp, 1);
            goto raise;
        }
        sp[-1] = *sp;
        continue;
    op_NOTE:
        if (!notes[i->k].seen) {
            notes[i->k].seen = true;
            notes[i->k].value = sp[-1];
        }
        continue;
    op_RETURN:
        *out = sp[-1];
        return FAULT_NONE;

    check:
        if (!fault)
            continue;
        goto raise;
    absent:
        f->detail.slot = i->k;
        fault = FAULT_ABSENT;
    raise : {
        uint32_t pc = (uint32_t)(i - code);
        const struct cel_handler *h = fault >= FAULT_STEPS ? NULL : find_handler(p, pc);
        if (!h) {
            *failed_at = pc;
            return fault;
        }
        if (notes && i[1].op == CEL_NOTE)
            cel_note_error(&notes[i[1].k], f, fault, pc);
        sp = stack + h->height;
        sp->kind = CEL_KIND_ERROR;
        sp->sub = (uint8_t)fault;
        sp->pad = f->detail_len;
        sp->size = pc;
        memcpy(&sp->as, &f->detail, sizeof f->detail);
        sp++;
        i = code + h->target - 1;
        continue;
    }
    raise_left : { /* sp[-1] is an error that nothing absorbed: it goes on outwards */
        struct condition_value error = sp[-1];
        const struct cel_handler *h = find_handler(p, (uint32_t)(i - code));
        if (!h) {
            memcpy(&f->detail, &error.as, sizeof f->detail);
            f->detail_len = error.pad;
            *failed_at = error.size;
            return (enum cel_fault)error.sub;
        }
        sp = stack + h->height;
        *sp++ = error;
        i = code + h->target - 1;
        continue;
    }
    }
}
#pragma GCC diagnostic pop
