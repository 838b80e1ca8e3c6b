#include "flags/program/folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/limits.h"

static const char suffix[] = ".json";

static const struct {
    const char *name, *path, *member, *folder;
} kinds[FOLDER_KINDS] = {
    [FOLDER_SEGMENT] = {"segment", "/api/v1/segments", "segments", "segments"},
    [FOLDER_FLAG] = {"flag", "/api/v1/flags", "flags", ""},
    [FOLDER_LAYER] = {"layer", "/api/v1/layers", "layers", "layers"},
};

const char *folder_kind_name(enum folder_kind kind)
{
    return kinds[kind].name;
}

const char *folder_kind_path(enum folder_kind kind)
{
    return kinds[kind].path;
}

/* ---- the server's ---- */

static struct folder_flag *add(struct folder *folder, enum folder_kind kind, const char *key)
{
    struct folder_flag *more = realloc(folder->flags, (folder->count + 1) * sizeof *folder->flags);

    if (more == NULL) {
        return NULL;
    }
    folder->flags = more;
    more[folder->count] = (struct folder_flag){.kind = kind, .key = strdup(key)};
    return more[folder->count].key != NULL ? &more[folder->count++] : NULL;
}

/* Takes out what only the server says. */
static void strip(enum folder_kind kind, struct json *document)
{
    static const char *const of_flags[] = {"version", "tie", "layer", "uses", NULL};
    static const char *const of_pieces[] = {"version", "used_by_flags", "used_by_segments", NULL};

    for (const char *const *member = kind == FOLDER_FLAG ? of_flags : of_pieces; *member != NULL;
         member++) {
        json_remove(document, *member);
    }
}

static bool add_stored(struct folder *folder, enum folder_kind kind, const struct json *document)
{
    struct folder_flag *to = add(folder, kind, json_get_text(document, "key", ""));

    if (to == NULL) {
        return false;
    }
    snprintf(to->etag, sizeof to->etag, "%.0f", json_number(json_get(document, "version"), 0));
    to->stored = json_copy(document);
    strip(kind, to->stored);
    return to->stored != NULL;
}

static enum err_code read_stored(struct api *api, enum folder_kind kind, struct folder *folder)
{
    struct json *list = NULL;
    enum err_code rc = api_call(api, "GET", kinds[kind].path, NULL, NULL, &list, NULL);

    for (const struct json *at = json_first(json_get(list, kinds[kind].member));
         rc == ERR_OK && at != NULL; at = json_next(at)) {
        rc = add_stored(folder, kind, at) ? ERR_OK : api_set(api, ERR_NOMEM, "out of memory");
    }
    json_free(list);
    return rc;
}

/* ---- the files ---- */

static int by_key(const void *a, const void *b)
{
    const struct folder_flag *left = a, *right = b;

    return left->kind != right->kind ? (int)left->kind - (int)right->kind
                                     : strcmp(left->key, right->key);
}

/* Among the first `count`, which are sorted. */
static struct folder_flag *find(struct folder *folder, size_t count, enum folder_kind kind,
                                const char *key)
{
    struct folder_flag wanted = {.kind = kind, .key = (char *)(uintptr_t)key};

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
static void fill(enum folder_kind kind, struct json *file, const struct json *stored)
{
    static const char *const members[] = {"salt",        "type",  "variants",  "off_variant",
                                          "fallthrough", "state", "split_salt"};
    size_t count = kind == FOLDER_FLAG ? sizeof members / sizeof *members : 1;

    json_remove(file, "version");
    json_remove(file, "tie");
    json_remove(file, "layer");
    for (size_t i = 0; i < count; i++) {
        if (stored != NULL && json_get(file, members[i]) == NULL &&
            json_get(stored, members[i]) != NULL) {
            json_put(file, members[i], json_copy(json_get(stored, members[i])));
        }
    }
}

/* How the server keeps it is an object; what is none is told here already. */
static enum err_code read_document(const char *path, const char *key, struct json **out,
                                   struct err *err)
{
    char *text = NULL;
    size_t len;
    enum err_code rc = file_read(path, LIMIT_BODY_BYTES, &text, &len, err);

    rc = rc ? rc : json_parse(text, len, out, err);
    free(text);
    if (rc == ERR_OK && strcmp(json_get_text(*out, "key", ""), key) != 0) {
        rc = err_set(err, ERR_INVALID, "\"key\" must be '%s', as the file is called", key);
    }
    return rc;
}

static enum err_code read_file(struct folder *folder, size_t sorted, enum folder_kind kind,
                               const char *path, const char *key, struct err *err)
{
    struct folder_flag *to = find(folder, sorted, kind, key);
    struct json *file = NULL;
    enum err_code rc = read_document(path, key, &file, err);

    if (rc == ERR_OK) {
        fill(kind, file, to != NULL ? to->stored : NULL);
    }
    to = rc || to != NULL ? to : add(folder, kind, key);
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

/* The folder of a kind: dir itself for flags, which must be there. */
static const char *folder_of(const char *dir, enum folder_kind kind, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s", dir, kind == FOLDER_FLAG ? "" : "/", kinds[kind].folder);
    return out;
}

static enum err_code read_files(struct api *api, const char *dir, enum folder_kind kind,
                                size_t sorted, struct folder *folder)
{
    char **names = NULL, key[LIMIT_KEY_BYTES + 1], at[3072], path[4096];
    size_t count = 0;
    struct stat there;
    struct err err = {0};
    enum err_code rc;

    (void)folder_of(dir, kind, at, sizeof at);
    if (kind != FOLDER_FLAG && stat(at, &there) != 0 && errno == ENOENT) {
        return ERR_OK;
    }
    rc = file_list(at, &names, &count, &err);
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", at, names[i]);
        rc =
            is_flag_file(names[i], key) ? read_file(folder, sorted, kind, path, key, &err) : ERR_OK;
    }
    file_list_free(names, count);
    return rc ? api_set(api, rc, "%s", err.msg) : ERR_OK;
}

enum err_code folder_read(struct api *api, const char *dir, struct folder *out)
{
    enum err_code rc = ERR_OK;
    size_t sorted;

    *out = (struct folder){0};
    for (int kind = 0; rc == ERR_OK && kind < FOLDER_KINDS; kind++) {
        rc = read_stored(api, (enum folder_kind)kind, out);
    }
    sorted = out->count;
    if (rc == ERR_OK && sorted > 0) {
        qsort(out->flags, sorted, sizeof *out->flags, by_key);
    }
    for (int kind = 0; rc == ERR_OK && dir != NULL && kind < FOLDER_KINDS; kind++) {
        rc = read_files(api, dir, (enum folder_kind)kind, sorted, out);
    }
    if (rc == ERR_OK && out->count > 0) {
        qsort(out->flags, out->count, sizeof *out->flags, by_key);
    }
    rc = rc || dir == NULL ? rc : folder_check(api, dir, out);
    if (rc == ERR_OK && out->count > 0) {
        folder_order(out);
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

static enum err_code make_folder(struct api *api, const char *path)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST
               ? ERR_OK
               : api_set(api, ERR_IO, "%s: cannot be made: %s", path, strerror(errno));
}

enum err_code folder_write(struct api *api, const char *dir, const struct folder *folder,
                           size_t *written)
{
    struct err err = {0};
    enum err_code rc = make_folder(api, dir);

    *written = 0;
    for (size_t i = 0; rc == ERR_OK && i < folder->count; i++) {
        const struct folder_flag *one = &folder->flags[i];
        char at[3072], path[4096];

        (void)folder_of(dir, one->kind, at, sizeof at);
        rc = one->kind != FOLDER_FLAG ? make_folder(api, at) : ERR_OK;
        if (rc != ERR_OK) {
            return rc;
        }
        snprintf(path, sizeof path, "%s/%s%s", at, one->key, suffix);
        rc = write_one(path, one->stored, written, &err);
    }
    return rc && err.msg[0] != '\0' ? api_set(api, rc, "%s", err.msg) : rc;
}

const char *folder_action(const struct folder_flag *flag)
{
    return flag->file == NULL                     ? "archive"
           : flag->stored == NULL                 ? "create"
           : json_equal(flag->file, flag->stored) ? "same"
                                                  : "change";
}
