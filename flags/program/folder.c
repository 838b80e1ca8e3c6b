#include "flags/program/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/limits.h"
#include "flags/world.h"

static const char suffix[] = ".json";

/* ---- the server's ---- */

static struct folder_flag *add(struct folder *folder, const char *key)
{
    struct folder_flag *more = realloc(folder->flags, (folder->count + 1) * sizeof *folder->flags);

    if (more == NULL) {
        return NULL;
    }
    folder->flags = more;
    more[folder->count] = (struct folder_flag){.key = strdup(key)};
    return more[folder->count].key != NULL ? &more[folder->count++] : NULL;
}

static bool add_stored(struct folder *folder, const struct json *flag)
{
    struct folder_flag *to = add(folder, json_get_text(flag, "key", ""));

    if (to == NULL) {
        return false;
    }
    snprintf(to->etag, sizeof to->etag, "%.0f", json_number(json_get(flag, "version"), 0));
    to->stored = json_copy(flag);
    json_remove(to->stored, "version");
    json_remove(to->stored, "tie");
    json_remove(to->stored, "layer");
    json_remove(to->stored, "uses");
    return to->stored != NULL;
}

static enum err_code read_stored(struct api *api, struct folder *folder)
{
    struct json *list = NULL;
    enum err_code rc = api_call(api, "GET", "/api/v1/flags", NULL, NULL, &list, NULL);

    for (const struct json *flag = json_first(json_get(list, "flags"));
         rc == ERR_OK && flag != NULL; flag = json_next(flag)) {
        rc = add_stored(folder, flag) ? ERR_OK : api_set(api, ERR_NOMEM, "out of memory");
    }
    json_free(list);
    return rc ? rc : api_call(api, "GET", "/api/v1/segments", NULL, NULL, &folder->segments, NULL);
}

/* ---- the files ---- */

static int by_key(const void *a, const void *b)
{
    const struct folder_flag *left = a, *right = b;

    return strcmp(left->key, right->key);
}

/* Among the first `count`, which are sorted. */
static struct folder_flag *find(struct folder *folder, size_t count, const char *key)
{
    struct folder_flag wanted = {.key = (char *)(uintptr_t)key};

    return count > 0 ? bsearch(&wanted, folder->flags, count, sizeof wanted, by_key) : NULL;
}

static bool is_flag_file(const char *name, char key[LIMIT_KEY_BYTES + 1])
{
    size_t len = strlen(name), tail = strlen(suffix);

    if (len <= tail || len - tail > LIMIT_KEY_BYTES || name[0] == '.' ||
        strcmp(name + len - tail, suffix) != 0) {
        return false;
    }
    memcpy(key, name, len - tail);
    key[len - tail] = '\0';
    return true;
}

/* What a new flag may leave out (flag_complete()) is as it is where the file does not say it. */
static void fill(struct json *file, const struct json *stored)
{
    static const char *const members[] = {"type",  "variants", "off_variant", "fallthrough",
                                          "state", "salt",     "split_salt"};

    json_remove(file, "version");
    json_remove(file, "tie");
    json_remove(file, "layer");
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (stored != NULL && json_get(file, members[i]) == NULL &&
            json_get(stored, members[i]) != NULL) {
            json_put(file, members[i], json_copy(json_get(stored, members[i])));
        }
    }
}

static enum err_code read_file(struct folder *folder, size_t sorted, const char *dir,
                               const char *name, const char *key, struct err *err)
{
    struct folder_flag *to = find(folder, sorted, key);
    struct json *file = NULL;
    char path[4096], *text = NULL;
    size_t len;
    enum err_code rc;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    rc = file_read(path, LIMIT_BODY_BYTES, &text, &len, err);
    rc = rc ? rc : json_parse(text, len, &file, err);
    free(text);
    if (rc == ERR_OK && strcmp(json_get_text(file, "key", ""), key) != 0) {
        rc = err_set(err, ERR_INVALID, "\"key\" must be '%s', as the file is called", key);
    }
    if (rc == ERR_OK) {
        fill(file, to != NULL ? to->stored : NULL);
    }
    to = rc || to != NULL ? to : add(folder, key);
    if (rc == ERR_OK && to == NULL) {
        rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    if (rc) {
        json_free(file);
        err_wrap(err, "%.300s", path);
        return rc;
    }
    to->file = file;
    return ERR_OK;
}

static enum err_code read_files(struct api *api, const char *dir, struct folder *folder)
{
    char **names = NULL, key[LIMIT_KEY_BYTES + 1];
    size_t count = 0, sorted = folder->count;
    struct err err = {0};
    enum err_code rc = file_list(dir, &names, &count, &err);

    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        rc = is_flag_file(names[i], key) ? read_file(folder, sorted, dir, names[i], key, &err)
                                         : ERR_OK;
    }
    file_list_free(names, count);
    return rc ? api_set(api, rc, "%s", err.msg) : ERR_OK;
}

/* ---- checking, when all are there ---- */

/* As it will be: what the folder says, else what the server has. */
static const struct json *find_flag(void *ctx, const char *key)
{
    const struct folder *folder = ctx;

    for (size_t i = 0; i < folder->count; i++) {
        const struct folder_flag *flag = &folder->flags[i];

        if (strcmp(flag->key, key) == 0) {
            return flag->whole != NULL ? flag->whole : flag->stored;
        }
    }
    return NULL;
}

/* A file with what a new flag may leave out. */
static enum err_code complete(struct folder_flag *flag, struct err *err)
{
    flag->whole = json_copy(flag->file);
    if (flag->whole == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    return flag->stored != NULL ? ERR_OK : flag_complete(flag->whole, err);
}

/* Flags of files may name each other, so this comes when all are read. */
static enum err_code check_files(struct api *api, const char *dir, struct folder *folder)
{
    struct flag_world world = {
        .segments = json_get(folder->segments, "segments"), .flag = find_flag, .ctx = folder};
    struct err err = {0};
    enum err_code rc = ERR_OK;
    size_t i, rounds = 2 * folder->count;

    for (i = 0; rc == ERR_OK && i < rounds; i++) {
        struct folder_flag *flag = &folder->flags[i % folder->count];

        if (flag->file != NULL) {
            rc =
                i < folder->count ? complete(flag, &err) : flag_check_in(flag->whole, &world, &err);
        }
    }
    return rc ? api_set(api, rc, "%.300s/%s%s: %s", dir, folder->flags[(i - 1) % folder->count].key,
                        suffix, err.msg)
              : ERR_OK;
}

static size_t depth_of(struct folder *folder, const struct json *flag, size_t left)
{
    size_t deepest = 0;

    for (const struct json *at = json_first(json_get(flag, "prerequisites"));
         at != NULL && left > 0; at = json_next(at)) {
        const struct json *other = find_flag(folder, json_get_text(at, "flag", ""));
        size_t depth = other != NULL ? 1 + depth_of(folder, other, left - 1) : 1;

        deepest = depth > deepest ? depth : deepest;
    }
    return deepest;
}

static int by_depth(const void *a, const void *b)
{
    const struct folder_flag *left = a, *right = b;

    return left->depth != right->depth ? (left->depth > right->depth) - (left->depth < right->depth)
                                       : strcmp(left->key, right->key);
}

/* What others wait for comes first, so that they find it. */
static void put_in_order(struct folder *folder)
{
    for (size_t i = 0; i < folder->count; i++) {
        struct folder_flag *flag = &folder->flags[i];

        flag->depth = depth_of(folder, flag->file != NULL ? flag->file : flag->stored, 8);
    }
    qsort(folder->flags, folder->count, sizeof *folder->flags, by_depth);
}

enum err_code folder_read(struct api *api, const char *dir, struct folder *out)
{
    enum err_code rc;

    *out = (struct folder){0};
    rc = read_stored(api, out);
    if (rc == ERR_OK && out->count > 0) {
        qsort(out->flags, out->count, sizeof *out->flags, by_key);
    }
    rc = rc || dir == NULL ? rc : read_files(api, dir, out);
    rc = rc || dir == NULL ? rc : check_files(api, dir, out);
    if (rc == ERR_OK && out->count > 0) {
        put_in_order(out);
    }
    return rc;
}

void folder_fini(struct folder *folder)
{
    for (size_t i = 0; i < folder->count; i++) {
        free(folder->flags[i].key);
        json_free(folder->flags[i].file);
        json_free(folder->flags[i].whole);
        json_free(folder->flags[i].stored);
    }
    free(folder->flags);
    json_free(folder->segments);
    *folder = (struct folder){0};
}

/* ---- writing ---- */

static enum err_code write_one(const char *path, const struct json *flag, size_t *written,
                               struct err *err)
{
    char *text = json_print_pretty(flag), *now = NULL;
    struct err unused = {0};
    size_t len = 0;
    enum err_code rc = text != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK && (file_read(path, LIMIT_REPLY_BYTES, &now, &len, &unused) != ERR_OK ||
                         strcmp(now, text) != 0)) {
        rc = file_write_atomic(path, text, strlen(text), 0644, err);
        *written += rc == ERR_OK;
    }
    free(now);
    free(text);
    return rc;
}

enum err_code folder_write(struct api *api, const char *dir, const struct folder *folder,
                           size_t *written)
{
    struct err err = {0};
    enum err_code rc = ERR_OK;

    *written = 0;
    if (mkdir(dir, 0777) != 0 && errno != EEXIST) {
        return api_set(api, ERR_IO, "%s: cannot be made: %s", dir, strerror(errno));
    }
    for (size_t i = 0; rc == ERR_OK && i < folder->count; i++) {
        char path[4096];

        snprintf(path, sizeof path, "%s/%s%s", dir, folder->flags[i].key, suffix);
        rc = write_one(path, folder->flags[i].stored, written, &err);
    }
    return rc ? api_set(api, rc, "%s", err.msg) : ERR_OK;
}

const char *folder_action(const struct folder_flag *flag)
{
    return flag->file == NULL                     ? "archive"
           : flag->stored == NULL                 ? "create"
           : json_equal(flag->file, flag->stored) ? "same"
                                                  : "change";
}
