/*
 * parts - the two halves of a flag's document: what a flag is, which is the same in every environment, and
 * what it does in one of them.
 *
 *     shared   key, type, description, owner, tags, expected_end, variants, off_variant, salt,
 *              split_salt, bucket_by
 *     state    all else: state, individual, domains, rules, fallthrough, and what a later version adds
 *
 * So one ramp gives the same people in staging and production. Pure functions over documents; any thread.
 */
#ifndef FLAGS_PARTS_H
#define FLAGS_PARTS_H

#include <stdbool.h>

#include "base/json.h"

bool flag_member_is_shared(const char *member);

/* One half of a whole document. New; NULL when out of memory. */
struct json *flag_shared_part(const struct json *flag);
struct json *flag_state_part(const struct json *flag);

/* A whole document: the shared members of one, all others of the other; either may be whole itself.
 * New; NULL when out of memory. */
struct json *flag_join(const struct json *shared, const struct json *state);

/* What a flag does where nobody has said anything yet: it is off. New; NULL when out of memory. */
struct json *flag_state_off(const struct json *shared);

/* Whether the shared halves differ. */
bool flag_shared_differs(const struct json *before, const struct json *after);

/* Whether what clients are answered may differ: words about a flag (description, owner, tags, expected_end)
 * do not count. */
bool flag_answers_differ(const struct json *before, const struct json *after);

#endif
