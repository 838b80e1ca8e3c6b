/*
 * replay - runs a fuzz target over the files of corpus/NAME (or those named as arguments) without
 * libFuzzer, so that what was once found stays found. Each file is a case.
 *
 * A child runs the files, so that one that ends it costs one case: another child goes on behind it.
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = NULL;
    long size;

    CHECK(file != NULL && fseek(file, 0, SEEK_END) == 0);
    size = ftell(file);
    CHECK(size >= 0 && fseek(file, 0, SEEK_SET) == 0);
    data = malloc((size_t)size); /* no byte more: reading past it is found */
    CHECK(size == 0 || (data != NULL && fread(data, 1, (size_t)size, file) == (size_t)size));
    fclose(file);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The paths in a folder, sorted; *count of them. */
static char **list(const char *folder, size_t *count)
{
    DIR *dir = opendir(folder);
    char **paths = NULL;

    for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(folder) + strlen(entry->d_name) + 2;
        if (entry->d_name[0] == '.') {
            continue;
        }
        paths = realloc(paths, (*count + 1) * sizeof *paths);
        CHECK(paths != NULL && (paths[*count] = malloc(len)) != NULL);
        snprintf(paths[(*count)++], len, "%s/%s", folder, entry->d_name);
    }
    if (dir != NULL) {
        closedir(dir);
    }
    if (paths != NULL) {
        qsort(paths, *count, sizeof *paths, by_name);
    }
    return paths;
}

int main(int argc, char **argv)
{
    const char *name = strrchr(argv[0], '/');
    char folder[256];
    size_t count = 0, failed = 0;
    size_t *at = mmap(NULL, sizeof *at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char **found, **paths;

    name = name != NULL ? name + 1 : argv[0];
    snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", name + strcspn(name, "_") + 1);
    found = argc > 1 ? NULL : list(folder, &count);
    paths = argc > 1 ? argv + 1 : found;
    count = argc > 1 ? (size_t)argc - 1 : count;
    if (count == 0) {
        printf("%s holds no file\n0 passed, 1 failed\n", folder);
        return 1;
    }
    CHECK(at != MAP_FAILED);
    for (*at = 0; *at < count; ++*at) {
        int status = 0;
        pid_t child;

        fflush(stdout);
        child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            for (; *at < count; ++*at) {
                run_file(paths[*at]);
            }
            for (size_t i = 0; found != NULL && i < count; i++) {
                free(found[i]);
            }
            free(found);
            exit(0); /* a leak is reported here */
        }
        CHECK(waitpid(child, &status, 0) == child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            break;
        }
        if (*at == count) { /* only the leak check at the end failed */
            printf("FAIL: memory was lost\n");
            *at = count - 1;
        } else {
            printf("FAIL: %s\n", paths[*at]);
        }
        failed++;
    }
    for (size_t i = 0; found != NULL && i < count; i++) {
        free(found[i]);
    }
    free(found);
    printf("%zu passed, %zu failed\n", count - failed, failed);
    return failed != 0;
}
