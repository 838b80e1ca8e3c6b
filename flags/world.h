/*
 * world - what a flag's document names beside itself (segments, other flags), as far as it has to be
 * known to check the document, or to say what it can answer.
 *
 *     struct flag_world world = {.segments = array, .flag = find_document, .ctx = store};
 *     rc = flag_check_in(flag, &world, &err);
 *
 * The documents are lent for the call. A flag of a layer carries it as "layer" (flags/layer.h).
 */
#ifndef FLAGS_WORLD_H
#define FLAGS_WORLD_H

#include "flags/ruleset.h"

struct flag_world {
    const struct json *segments; /* an array of segments' documents; NULL: none */
    const struct json *(*flag)(void *ctx,
                               const char *key); /* another flag's, or NULL; may be NULL */
    void *ctx;
};

/* flag_check() and flag_outcomes() in a world; world NULL: nothing is there. */
MUST_USE enum err_code flag_check_in(const struct json *flag, const struct flag_world *world,
                                     struct err *err);
MUST_USE enum err_code flag_outcomes_in(const struct json *flag, const struct flag_world *world,
                                        flag_outcome_fn *seen, void *ctx, struct err *err);

/* Checks a segment's document before it is stored, beside world's segments (its own earlier document
 * among them does not count). ERR_INVALID, ERR_NOMEM. */
MUST_USE enum err_code segment_check(const struct json *segment, const struct flag_world *world,
                                     struct err *err);

/* Calls seen for each segment that the conditions of a flag or of a segment name, and for each flag
 * that it has as a prerequisite; one may come twice. What does not compile names nothing. */
enum flag_name_kind { NAMES_SEGMENT, NAMES_FLAG };
typedef void flag_name_fn(void *ctx, enum flag_name_kind kind, const char *key);
MUST_USE enum err_code flag_names(const struct json *document, flag_name_fn *seen, void *ctx,
                                  struct err *err);

/* What an evaluation of the flag depends on that a reader may not know, for "uses" on the wire: an
 * array, or NULL if there is nothing (or no memory). New. */
struct json *flag_features(const struct json *flag);

#endif
