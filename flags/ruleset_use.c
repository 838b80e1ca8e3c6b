/*
 * Which flags of a ruleset were asked for: a mark for each, the one thing of a ruleset that changes.
 */
#include <string.h>

#include "flags/model.h"

void ruleset_note_use(const struct ruleset *rules, const struct flag *flag)
{
    _Atomic(unsigned char) *mark = &rules->used[flag - rules->flags];

    /* Looked at first: a mark that is set already must not be torn from core to core. */
    if (atomic_load_explicit(mark, memory_order_relaxed) != 0)
        return;
    atomic_store_explicit(mark, 1, memory_order_relaxed);
    for (size_t i = 0; i < flag->prerequisite_count; i++) {
        if (flag->prerequisites[i].needs != NULL)
            ruleset_note_use(rules, flag->prerequisites[i].needs);
    }
}

bool ruleset_was_used(const struct ruleset *rules, size_t index)
{
    return atomic_load_explicit(&rules->used[index], memory_order_relaxed) != 0;
}

void ruleset_forget_use(const struct ruleset *rules, size_t index)
{
    atomic_store_explicit(&rules->used[index], 0, memory_order_relaxed);
}

void ruleset_carry_use(const struct ruleset *from, const struct ruleset *to)
{
    for (size_t i = 0; from != NULL && i < from->count; i++) {
        const struct flag *flag =
            ruleset_was_used(from, i) ? ruleset_find(to, from->flags[i].key) : NULL;

        if (flag != NULL)
            ruleset_note_use(to, flag);
    }
}
