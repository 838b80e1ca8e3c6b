/*
 * ruleset_cell: readers on several threads while one writer swaps. Run under thread and address
 * sanitizers this shows a ruleset that was freed too early; the counts show one that was torn.
 */
#include "tests/flags/make.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"

#define READERS 4
#define SWAPS 400

struct shared {
    struct ruleset_cell *cell;
    atomic_bool stop;
    atomic_ulong reads, wrong;
};

/* Revision and answer go together: even revisions serve "on". */
static struct ruleset *revision(int number)
{
    struct json *document = make_json("{'format':1,'environment':'e','epoch':1}");
    struct json *flags = json_array();
    struct ruleset *rules = NULL;

    json_append(flags, make_flag(number % 2 == 0 ? "'fallthrough':{'variant':'on'}" : ""));
    json_put(document, "flags", flags);
    json_put_number(document, "revision", number);
    if (ruleset_build(document, &rules, NULL) != ERR_OK)
        abort();
    json_free(document);
    return rules;
}

static void *read_on(void *argument)
{
    struct shared *shared = argument;
    struct context *ctx = malloc(sizeof *ctx);
    uint64_t newest = 0;

    while (!atomic_load(&shared->stop)) {
        struct ruleset_ticket ticket;
        const struct ruleset *rules = ruleset_cell_enter(shared->cell, &ticket);
        struct decision decision;

        if (context_init(ctx, rules, NULL, 0, NULL) != ERR_OK)
            abort();
        evaluate_flag(rules, ruleset_find(rules, "f"), ctx, &decision);
        context_fini(ctx);
        if (decision.value->truth != (ruleset_revision(rules) % 2 == 0) ||
            ruleset_revision(rules) < newest)
            atomic_fetch_add(&shared->wrong, 1);
        newest = ruleset_revision(rules);
        ruleset_cell_leave(shared->cell, &ticket);
        atomic_fetch_add(&shared->reads, 1);
    }
    free(ctx);
    return NULL;
}

static void readers_see_whole_rulesets_in_order(void **state)
{
    struct shared shared = {.cell = ruleset_cell_new()};
    pthread_t threads[READERS];

    (void)state;
    ruleset_cell_swap(shared.cell, revision(0));
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_on, &shared), 0);
    for (int i = 1; i <= SWAPS; i++)
        ruleset_cell_swap(shared.cell, revision(i));
    while (atomic_load(&shared.reads) < 100) /* on a slow machine they may not have begun */
        clock_sleep_us(1000);
    atomic_store(&shared.stop, true);
    for (int i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&shared.wrong), 0);
    ruleset_cell_free(shared.cell);
}

struct swapper {
    struct ruleset_cell *cell;
    atomic_bool done;
};

static void *swap_once(void *argument)
{
    struct swapper *swapper = argument;

    ruleset_cell_swap(swapper->cell, revision(2));
    atomic_store(&swapper->done, true);
    return NULL;
}

/* While a reader is inside, what it holds lives, although a later reader sees the new one. */
static void a_swap_waits_for_readers(void **state)
{
    struct swapper swapper = {.cell = ruleset_cell_new()};
    struct ruleset_ticket first, second;
    const struct ruleset *old;
    pthread_t thread;

    (void)state;
    assert_null(ruleset_cell_enter(swapper.cell, &first));
    ruleset_cell_leave(swapper.cell, &first);
    ruleset_cell_swap(swapper.cell, revision(1));
    old = ruleset_cell_enter(swapper.cell, &first);
    assert_int_equal(pthread_create(&thread, NULL, swap_once, &swapper), 0);
    for (;;) {
        uint64_t seen = ruleset_revision(ruleset_cell_enter(swapper.cell, &second));

        ruleset_cell_leave(swapper.cell, &second);
        if (seen == 2)
            break;
    }
    clock_sleep_us(20000);
    assert_false(atomic_load(&swapper.done));
    assert_int_equal(ruleset_revision(old), 1);
    ruleset_cell_leave(swapper.cell, &first);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&swapper.done));
    ruleset_cell_free(swapper.cell);
    ruleset_cell_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_see_whole_rulesets_in_order),
        cmocka_unit_test(a_swap_waits_for_readers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
