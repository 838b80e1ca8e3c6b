#include "tests/walk/disk_image.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/check.h"

#define FILES_MAX 256
#define SECTOR 512

struct change {
    bool truncates;
    int64_t at;
    size_t len; /* of bytes; of the file if it truncates */
    unsigned char *bytes;
};

struct file {
    unsigned char *bytes; /* as of the last sync */
    size_t size;
    struct change *since;
    size_t count, room;
};

/* A name that came (file >= 0) or went (-1). */
struct naming {
    char path[600];
    int file;
};

static struct file files[FILES_MAX];
static int file_count;
static struct naming names[FILES_MAX * 4]; /* of the folder, in the order of time */
static int name_count, names_synced;       /* the first names_synced are on the disk */

static void *must(void *at)
{
    CHECK(at != NULL);
    return at;
}

/* ---- names ---- */

static int find(const char *path, int up_to)
{
    for (int i = up_to; i-- > 0;) {
        if (strcmp(names[i].path, path) == 0) {
            return names[i].file;
        }
    }
    return -1;
}

static void name(const char *path, int file)
{
    CHECK(name_count < (int)(sizeof names / sizeof names[0]));
    (void)snprintf(names[name_count].path, sizeof names[0].path, "%s", path);
    names[name_count++].file = file;
}

static bool is_shared_memory(const char *path)
{
    size_t len = strlen(path);

    return len > 4 && strcmp(path + len - 4, "-shm") == 0;
}

int image_open(const char *path, bool create)
{
    int file = find(path, name_count);

    if (file < 0 && create && !is_shared_memory(path)) {
        CHECK(file_count < FILES_MAX);
        file = file_count++;
        name(path, file);
    }
    return file;
}

void image_remove(const char *path)
{
    if (find(path, name_count) >= 0) {
        name(path, -1);
    }
}

void image_sync_names(void)
{
    names_synced = name_count;
}

/* ---- bytes ---- */

static void resize(struct file *file, size_t size)
{
    if (size > file->size) {
        file->bytes = must(realloc(file->bytes, size));
        memset(file->bytes + file->size, 0, size - file->size);
    }
    file->size = size;
}

static void put(struct file *file, int64_t at, const unsigned char *bytes, size_t len)
{
    if ((size_t)at + len > file->size) {
        resize(file, (size_t)at + len);
    }
    memcpy(file->bytes + at, bytes, len);
}

static struct change *add(int file)
{
    struct file *f = &files[file];

    if (f->count == f->room) {
        f->room = f->room * 2 + 64;
        f->since = must(realloc(f->since, f->room * sizeof f->since[0]));
    }
    f->since[f->count] = (struct change){0};
    return &f->since[f->count++];
}

void image_write(int file, const void *bytes, size_t len, int64_t at)
{
    struct change *change = add(file);

    change->at = at;
    change->len = len;
    change->bytes = must(malloc(len + 1));
    memcpy(change->bytes, bytes, len);
}

void image_truncate(int file, int64_t len)
{
    struct change *change = add(file);

    change->truncates = true;
    change->len = (size_t)len;
}

void image_sync(int file)
{
    struct file *f = &files[file];

    for (size_t i = 0; i < f->count; i++) {
        if (f->since[i].truncates) {
            resize(f, f->since[i].len);
        } else {
            put(f, f->since[i].at, f->since[i].bytes, f->since[i].len);
        }
        free(f->since[i].bytes);
    }
    f->count = 0;
}

void image_begin(const char *folder)
{
    DIR *dir = must(opendir(folder));

    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[600];
        struct stat info;
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (stat(path, &info) == 0 && S_ISREG(info.st_mode)) {
            int file = image_open(path, true);
            FILE *from = fopen(path, "rb");
            if (file >= 0 && from != NULL) {
                resize(&files[file], (size_t)info.st_size);
                CHECK(info.st_size == 0 ||
                      fread(files[file].bytes, files[file].size, 1, from) == 1);
            }
            if (from != NULL) {
                (void)fclose(from);
            }
        }
    }
    (void)closedir(dir);
    image_sync_names();
}

/* ---- the cut ---- */

static uint64_t luck;

static unsigned chance(unsigned below)
{
    luck = luck * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(luck >> 33) % below;
}

/* A part of what was not synced, sector by sector. */
static void lose_some(struct file *file, unsigned kept_of_100)
{
    for (size_t i = 0; i < file->count; i++) {
        const struct change *change = &file->since[i];
        int64_t at = change->at, end = change->at + (int64_t)change->len;
        if (change->truncates) {
            if (chance(100) < kept_of_100) {
                resize(file, change->len);
            }
            continue;
        }
        while (at < end) {
            int64_t next = (at / SECTOR + 1) * SECTOR;
            next = next < end ? next : end;
            if (chance(100) < kept_of_100) {
                put(file, at, change->bytes + (at - change->at), (size_t)(next - at));
            }
            at = next;
        }
    }
}

void image_cut(const char *to, uint64_t seed, bool lazy_names)
{
    static const unsigned kept[] = {0, 10, 50, 90, 100};
    int up_to = name_count;

    luck = seed * 0x9e3779b97f4a7c15u + 1;
    (void)chance(2);
    if (lazy_names) {
        up_to = names_synced + (int)chance((unsigned)(name_count - names_synced) + 1);
    }
    for (int i = 0; i < up_to; i++) {
        const char *slash = strrchr(names[i].path, '/');
        char path[700];
        FILE *out;
        if (names[i].file < 0 || find(names[i].path, up_to) != names[i].file) {
            continue; /* it went again, or is another file now */
        }
        lose_some(&files[names[i].file], kept[chance(5)]);
        (void)snprintf(path, sizeof path, "%s%s", to, slash);
        out = must(fopen(path, "wb"));
        CHECK(files[names[i].file].size == 0 ||
              fwrite(files[names[i].file].bytes, files[names[i].file].size, 1, out) == 1);
        CHECK(fclose(out) == 0);
    }
}
