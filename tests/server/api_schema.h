/*
 * api_schema - the part of test_api that is about migrations, gates, holds and clients.
 */
#ifndef TESTS_SERVER_API_SCHEMA_H
#define TESTS_SERVER_API_SCHEMA_H

#include "tests/server/rig.h"

int api_schema_tests(struct rig *of); /* failed cases, as cmocka counts */

#endif
