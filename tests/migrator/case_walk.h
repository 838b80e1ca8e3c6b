/*
 * case_walk - the case folders, of which each of several binaries walks its part.
 */
#ifndef TESTS_MIGRATOR_CASE_WALK_H
#define TESTS_MIGRATOR_CASE_WALK_H

/* Every parts-th folder, from the part-th (from 0) on; CASE=NAME: that one alone. */
void case_walk_part(unsigned part, unsigned parts);

#endif
