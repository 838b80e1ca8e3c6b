/*
 * ground - where the cases of a test binary take place: one database and one folder of migrations,
 * made anew for each. Behind unit.h.
 */
#ifndef TESTS_MIGRATOR_GROUND_H
#define TESTS_MIGRATOR_GROUND_H

#include <sys/stat.h>

#include "tests/migrator/play.h"

static char db[512], folder[512];

static inline int ground_new(void **state)
{
    (void)state;
    snprintf(db, sizeof db, "%s", scratch("ground.db"));
    snprintf(folder, sizeof folder, "%s", scratch("ground"));
    play_remove(db);
    play_remove(folder);
    assert_int_equal(mkdir(folder, 0755), 0);
    return 0;
}

/* A file in the folder: "0001_a.sql", "0002_b/migration.json". */
static inline void file(const char *name, const char *text)
{
    char path[700];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    play_write(path, text);
}

#endif
