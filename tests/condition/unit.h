/* unit - what every cmocka test of this folder includes first; cmocka.h needs these before it. */
#ifndef TESTS_CONDITION_UNIT_H
#define TESTS_CONDITION_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "condition/condition.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline struct condition_value text_value(const char *text)
{
    return condition_string(text, strlen(text));
}

/* Compiles what must compile. */
static inline struct condition *must_compile(struct condition_env *env, const char *source)
{
    struct condition *cond = NULL;
    struct condition_diag diag;

    if (condition_compile(env, source, strlen(source), &cond, &diag) != CONDITION_OK)
        fail_msg("%s: %s", source, diag.msg);
    return cond;
}

#endif
