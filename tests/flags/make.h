/*
 * make - flags for tests, from text that is easy to read: ' stands for " and ` for '.
 *
 *     rules = make_rules("{'key':'a', ..., 'rules':[{'when':'plan == `pro`', ...}]}", ...);
 */
#ifndef TESTS_FLAGS_MAKE_H
#define TESTS_FLAGS_MAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"
#include "flags/evaluate.h"
#include "flags/ruleset.h"

struct json *make_json(const char *text);
/* A boolean flag "f" that is on, salts "s1" and "s2"; members, if not "", are added or take the
 * place of those. */
struct json *make_flag(const char *members);
/* A ruleset of these documents (the last is NULL; they are freed), epoch 1, revision 1. */
struct ruleset *make_rules_of(struct json *const *flags);
#define make_rules(...) make_rules_of((struct json *const[]){__VA_ARGS__})
/* The same with more members, such as "'segments':[...]". */
struct ruleset *make_rules_with_of(const char *members, struct json *const *flags);
#define make_rules_with(members, ...)                                                              \
    make_rules_with_of(members, (struct json *const[]){__VA_ARGS__})
/* Evaluates the flag "f" (or key) and gives the decision; lent by rules. */
struct decision decide(const struct ruleset *rules, const char *key, const char *context);
/* "on SPLIT domain acme.com TARGETING_KEY_MISSING": variant, reason, where, rule, error. */
const char *decision_text(const struct decision *decision);

#define assert_decision(rules, context, want)                                                      \
    do {                                                                                           \
        struct decision made_ = decide(rules, "f", context);                                       \
        assert_string_equal(decision_text(&made_), want);                                          \
    } while (0)

/* A small generator of numbers, the same in every run. */
uint32_t next_number(uint32_t *state);

#endif
