/*
 * expression_tokens - an expression as a list of tokens. For expression*.c alone.
 */
#ifndef MIGRATOR_EXPRESSION_TOKENS_H
#define MIGRATOR_EXPRESSION_TOKENS_H

#include "database/sql_scan.h"
#include "migrator/sql/expression.h"
#include "migrator/sql/sql_function.h"

#define EXPRESSION_TOKENS_MAX 1000u /* what somebody can still read; and D1 bears 100 deep */
#define EXPRESSION_NO_NAME ((size_t)-1)

struct expression_tokens {
    struct sql_token at[EXPRESSION_TOKENS_MAX];
    size_t count;
    bool too_many, unclosed;
};

void expression_tokens_read(const char *text, struct expression_tokens *out);
/* Whether token i may name a column: not a function, nor what follows AS in CAST, or COLLATE. */
bool expression_may_be_column(const struct expression_tokens *t, size_t i);
size_t expression_find(const struct expression_names *names, const struct sql_token *token);
/* Whether token i is a function's name before its '('. */
bool expression_is_call(const struct expression_tokens *t, size_t i);
/* The ')' for the '(' at open; count if there is none. */
size_t expression_close(const struct expression_tokens *t, size_t open);
/* Where the argument that begins at from ends: its ',', or close. */
size_t expression_argument_end(const struct expression_tokens *t, size_t from, size_t close);
/* Whether two tokens touch: "||", "->". */
bool expression_pair(const struct expression_tokens *t, size_t i, char first, char second);

/* What tokens from..to (exclusive) can give. */
unsigned expression_range_classes(const struct expression_tokens *t, size_t from, size_t to,
                                  const struct expression_names *names);

/* NULL, or what is wrong with the call of f at token i. */
const char *expression_call_fault(const struct expression_tokens *t, size_t i,
                                  const struct sql_function *f,
                                  const struct expression_names *names);

#endif
