/*
 * api_changes - the part of test_api about what holds of all routes: that each change is proved, that changes of
 * environments disturb nobody, and that use is noted. After api_environments, whose environments it takes.
 */
#ifndef TESTS_SERVER_API_CHANGES_H
#define TESTS_SERVER_API_CHANGES_H

#include "tests/server/rig.h"

int api_changes_tests(struct rig *of); /* failed cases, as cmocka counts */

#endif
