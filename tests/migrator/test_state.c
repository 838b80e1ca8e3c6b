/* state: every pair of states, allowed or not, and names there and back. */
#include "tests/migrator/unit.h"

#include "migrator/folder/state.h"

static void moves_only_along_the_diagram(void **state)
{
    /* rows: from; columns: to. pending, expanded, dual-writing, in-sync, contracted, purged,
     * applied */
    static const char *const allowed[MIG_STATE_COUNT] = {
        ".x....x", "x.x....", ".x.x...", "..x.x..", "...x.x.", ".......", "x......",
    };

    (void)state;
    for (int from = 0; from < MIG_STATE_COUNT; from++) {
        for (int to = 0; to < MIG_STATE_COUNT; to++) {
            assert_int_equal(mig_state_may_move((enum mig_state)from, (enum mig_state)to),
                             allowed[from][to] == 'x');
        }
    }
}

static void every_move_but_the_last_has_a_way_back(void **state)
{
    (void)state;
    for (int from = 0; from < MIG_STATE_COUNT; from++) {
        for (int to = 0; to < MIG_STATE_COUNT; to++) {
            if (mig_state_may_move((enum mig_state)from, (enum mig_state)to) && to != MIG_PURGED) {
                assert_true(mig_state_may_move((enum mig_state)to, (enum mig_state)from));
            }
        }
    }
}

static void names_there_and_back(void **state)
{
    enum mig_state parsed = MIG_PURGED;

    (void)state;
    for (int i = 0; i < MIG_STATE_COUNT; i++) {
        assert_true(mig_state_parse(mig_state_name((enum mig_state)i), &parsed));
        assert_int_equal(parsed, i);
    }
    assert_false(mig_state_parse("in_sync", &parsed));
    assert_false(mig_state_parse("", &parsed));
    assert_false(mig_state_parse(NULL, &parsed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_only_along_the_diagram),
        cmocka_unit_test(every_move_but_the_last_has_a_way_back),
        cmocka_unit_test(names_there_and_back),
    };

    return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
