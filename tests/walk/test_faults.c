/*
 * One half of the routes, with failing file operations (fault_walk.h).
 */
#include "tests/migrator/unit.h"

#include "tests/walk/fault_walk.h"

static void each_failure_is_said_and_nothing_is_half_done(void **state)
{
    (void)state;
    fault_walk_part(0, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failure_is_said_and_nothing_is_half_done)};

    return cmocka_run_group_tests_name("faults", tests, NULL, NULL);
}
