/*
 * api_domains - the part of test_api that is about domain rules: one by one, and many.
 */
#ifndef TESTS_SERVER_API_DOMAINS_H
#define TESTS_SERVER_API_DOMAINS_H

#include "tests/server/rig.h"

int api_domains_tests(struct rig *of); /* failed cases, as cmocka counts */

#endif
