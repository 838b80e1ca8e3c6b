/*
 * The attribute paths that flags bucket by.
 */
#include <stdlib.h>
#include <string.h>

#include "flags/model.h"

static bool path_split(struct key_path *path)
{
    const char *at = path->path;

    path->count = 0;
    for (;;) {
        const char *dot = strchr(at, '.');
        size_t len = dot != NULL ? (size_t)(dot - at) : strlen(at);

        if (len == 0 || path->count == KEY_PARTS_MAX)
            return false;
        path->parts[path->count] = at;
        path->lens[path->count++] = len;
        if (dot == NULL)
            return true;
        at = dot + 1;
    }
}

enum err_code key_paths_add(struct key_paths *paths, struct arena *arena, const char *path,
                            size_t *index, struct err *err)
{
    struct key_path made = {0};

    for (size_t i = 0; i < paths->count; i++) {
        if (strcmp(paths->at[i].path, path) == 0) {
            *index = i;
            return ERR_OK;
        }
    }
    made.path = arena_text(arena, path, strlen(path));
    if (made.path == NULL)
        return no_memory(err);
    if (!path_split(&made))
        return err_set(err, ERR_INVALID,
                       "bucket_by: '%.60s' is no attribute path; write a name such as "
                       "\"targetingKey\" or \"company.id\"",
                       path);
    if (paths->count == paths->room) {
        size_t room = paths->room == 0 ? 4 : 2 * paths->room;
        struct key_path *grown = realloc(paths->at, room * sizeof *grown);

        if (grown == NULL)
            return no_memory(err);
        paths->at = grown;
        paths->room = room;
    }
    *index = paths->count;
    paths->at[paths->count++] = made;
    return ERR_OK;
}

void key_paths_fini(struct key_paths *paths)
{
    free(paths->at);
    memset(paths, 0, sizeof *paths);
}
