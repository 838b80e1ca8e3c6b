/*
 * fault_walk - the n-th file operation fails, for n = 1, 2, 3 ... until the move succeeds without: an
 * I/O error (of a write, a sync, a removal, a read), a full disk (once, and from then on), half a
 * write. Each failure is said in clear words and the right code, leaves a legal state, and the next
 * run goes on or turns round with nothing missing.
 *
 * CHECK_FULL=1: every operation of every leg of every case folder, in one way after another; of
 * split_email, of a fresh database and of plain SQL in every way. Else a slice. FAULT_CASE=name: that
 * one alone, in every way. The routes are divided between several binaries.
 */
#ifndef TESTS_WALK_FAULT_WALK_H
#define TESTS_WALK_FAULT_WALK_H

/* Every parts-th route, from the part-th (from 0) on. */
void fault_walk_part(unsigned part, unsigned parts);

#endif
