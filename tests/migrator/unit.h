/* unit - what every cmocka test of this folder includes first; cmocka.h needs these before it. */
#ifndef TESTS_MIGRATOR_UNIT_H
#define TESTS_MIGRATOR_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A path of this name in the test's own folder; lent until the fourth next call. */
static inline const char *scratch(const char *name)
{
    static char paths[4][512];
    static unsigned next;
    const char *folder = getenv("TMPDIR");
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", folder != NULL ? folder : "/tmp", name);
    return path;
}

#endif
