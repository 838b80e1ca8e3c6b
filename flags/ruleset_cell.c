/*
 * The current ruleset: read without a lock, swapped by one writer that frees the one before.
 *
 * A reader counts itself into one of two sets of counters (the set that `turn` names), then loads
 * the pointer; leaving, it counts itself out of where it went in. The writer exchanges the pointer
 * and then has to see each of the two sets at zero once: a reader that holds the old pointer loaded
 * it before the exchange, and had counted itself in before that, so whichever set it is in, that
 * set is not zero until it leaves. (Counting in, loading the pointer, exchanging it and reading the
 * counters are sequentially consistent: with anything weaker a reader's count could become visible
 * after its load.) `turn` is only there so that the writer ends: it waits for the set that new
 * readers do not use, turns, and waits for the other.
 *
 * A set is several counters on cache lines of their own, chosen by where the reader's stack lies,
 * so that readers on different threads do not share one.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "flags/ruleset.h"

#define STRIPES 16u
#define LINE_BYTES 64

struct counter {
    _Alignas(LINE_BYTES) atomic_size_t inside;
};

struct ruleset_cell {
    struct counter readers[2][STRIPES];
    _Alignas(LINE_BYTES) _Atomic(struct ruleset *) current;
    atomic_uint turn;
};

struct ruleset_cell *ruleset_cell_new(void)
{
    struct ruleset_cell *cell = aligned_alloc(LINE_BYTES, sizeof *cell);

    if (cell == NULL)
        return NULL;
    for (unsigned set = 0; set < 2; set++) {
        for (unsigned i = 0; i < STRIPES; i++)
            atomic_init(&cell->readers[set][i].inside, 0);
    }
    atomic_init(&cell->current, NULL);
    atomic_init(&cell->turn, 0);
    return cell;
}

void ruleset_cell_free(struct ruleset_cell *cell)
{
    if (cell == NULL)
        return;
    ruleset_free(atomic_load(&cell->current));
    free(cell);
}

/* Threads' stacks are at least a few pages apart. */
static unsigned stripe_of(const void *on_stack)
{
    uintptr_t at = (uintptr_t)on_stack;

    return (unsigned)((at >> 12) ^ (at >> 16) ^ (at >> 23)) % STRIPES;
}

const struct ruleset *ruleset_cell_enter(struct ruleset_cell *cell, struct ruleset_ticket *ticket)
{
    unsigned set = atomic_load_explicit(&cell->turn, memory_order_relaxed) & 1;
    struct counter *counter = &cell->readers[set][stripe_of(ticket)];

    atomic_fetch_add(&counter->inside, 1);
    ticket->cell_private[0] = counter;
    return atomic_load(&cell->current);
}

void ruleset_cell_leave(struct ruleset_cell *cell, struct ruleset_ticket *ticket)
{
    struct counter *counter = ticket->cell_private[0];

    (void)cell;
    ticket->cell_private[0] = NULL;
    atomic_fetch_sub_explicit(&counter->inside, 1, memory_order_release);
}

/* Returns once each counter of the set was zero at some moment. */
static void wait_for(struct counter set[STRIPES])
{
    int64_t pause_us = 1;

    for (unsigned i = 0; i < STRIPES; i++) {
        while (atomic_load(&set[i].inside) != 0) {
            clock_sleep_us(pause_us);
            if (pause_us < 500)
                pause_us *= 2;
        }
    }
}

void ruleset_cell_swap(struct ruleset_cell *cell, struct ruleset *rules)
{
    struct ruleset *before = atomic_exchange(&cell->current, rules);
    unsigned turn = atomic_load_explicit(&cell->turn, memory_order_relaxed) & 1;

    wait_for(cell->readers[1 - turn]);
    atomic_store(&cell->turn, 1 - turn);
    wait_for(cell->readers[turn]);
    ruleset_free(before);
}
