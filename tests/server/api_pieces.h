/*
 * api_pieces - the part of test_api that is about segments, layers and prerequisites: what is refused, whom a
 * change touches, what clients read.
 */
#ifndef TESTS_SERVER_API_PIECES_H
#define TESTS_SERVER_API_PIECES_H

#include "tests/server/rig.h"

int api_pieces_tests(struct rig *of); /* failed cases, as cmocka counts */

#endif
