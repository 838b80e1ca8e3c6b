/*
 * The other half of the case folders (case_walk.c).
 */
#include "tests/migrator/unit.h"

#include "tests/migrator/case_walk.h"

static void every_second_folder(void **state)
{
    (void)state;
    case_walk_part(1, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_second_folder)};

    return cmocka_run_group_tests_name("cases", tests, NULL, NULL);
}
