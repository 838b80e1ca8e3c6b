/*
 * api_environments - the part of test_api that is about environments, promotion and the archive.
 */
#ifndef TESTS_SERVER_API_ENVIRONMENTS_H
#define TESTS_SERVER_API_ENVIRONMENTS_H

#include "tests/server/rig.h"

int api_environments_tests(struct rig *of); /* failed cases, as cmocka counts */

#endif
