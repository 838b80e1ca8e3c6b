/*
 * explain - see explain.h. The condition is compiled once more, without folding and with an
 * instruction behind each subexpression that notes its value; inside a macro the first value
 * counts.
 */
#include "condition/explain.h"

#include <string.h>

static void visit(struct cel_notes *notes, const struct cel_node *n, unsigned depth)
{
    bool leaf = n->kind == NODE_CONST || ((n->kind == NODE_IDENT || n->kind == NODE_SELECT) &&
                                          n->reference != REFERENCE_NONE);

    if (n->kind != NODE_CONST) {
        struct cel_note *note = &notes->notes[n->index];
        note->from = n->from;
        note->to = n->to;
        note->depth = depth;
        notes->order[notes->count++] = n->index;
    }
    if (leaf)
        return;
    if (n->target)
        visit(notes, n->target, depth + 1);
    for (uint32_t i = 0; i < n->arg_count; i++)
        if (n->args[i])
            visit(notes, n->args[i], depth + 1);
}

bool cel_notes_make(struct cel_compiler *c, const struct cel_node *root, struct cel_notes *notes)
{
    struct cel_pool *pool = &c->program->pool;

    notes->notes = cel_pool_take(pool, c->node_count * sizeof *notes->notes);
    notes->order = cel_pool_take(pool, c->node_count * sizeof *notes->order);
    notes->count = 0;
    if (!notes->notes || !notes->order)
        return cel_fail_memory(c);
    visit(notes, root, 0);
    return true;
}

void cel_note_error(struct cel_note *note, const struct cel_frame *f, enum cel_fault fault,
                    uint32_t pc)
{
    struct condition_diag why;

    cel_fault_report(f->program, fault, pc, f->detail, f->detail_len, &why);
    memcpy(note->error, why.msg, sizeof why.msg);
}

/* The error that came up in note number i or below it, which stands behind it in the order. */
static const char *error_below(const struct cel_notes *notes, uint32_t i)
{
    unsigned depth = notes->notes[notes->order[i]].depth;

    for (uint32_t k = i; k < notes->count; k++) {
        const struct cel_note *below = &notes->notes[notes->order[k]];
        if (k > i && below->depth <= depth)
            break;
        if (!below->seen && *below->error)
            return below->error;
    }
    return NULL;
}

enum condition_status condition_explain(const struct condition *cond,
                                        const struct condition_input *in,
                                        condition_explain_fn *report, void *ctx,
                                        struct condition_value *out, struct condition_diag *diag)
{
    struct condition_diag own;
    struct condition_diag *said = diag ? diag : &own;
    struct condition *explained;
    struct condition_value value;
    struct cel_notes notes;
    enum condition_status status =
        cel_compile_explaining(cond->env, cond->source, cond->source_len, &explained, said, &notes);

    if (status)
        return status;
    status = cel_run_noting(explained, in, &value, said, notes.notes);
    for (uint32_t i = 0; i < notes.count; i++) {
        const struct cel_note *note = &notes.notes[notes.order[i]];
        const char *text = note->seen ? NULL : error_below(&notes, i);
        if (status && !note->seen && note->from <= said->from && said->to <= note->to)
            text = said->msg;
        if (!text)
            text = "not evaluated";
        report(ctx, note->from, note->to, note->depth, note->seen ? &note->value : NULL,
               note->seen ? "" : text);
    }
    condition_free(explained);
    /* The result must not point into what was just freed; and what counts is what the condition
     * itself says, folded as it is. */
    return condition_run(cond, in, out, diag);
}
