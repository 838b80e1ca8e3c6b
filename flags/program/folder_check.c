/*
 * The files of a folder as they will stand together: checked before anything is changed, and put in the order
 * in which they can be made.
 */
#include <stdlib.h>
#include <string.h>

#include "flags/layer.h"
#include "flags/program/folder.h"
#include "flags/world.h"

enum { DEPTH_MAX = 8 };

/* As it will be: what the folder says, else what the server has. */
static const struct json *document_of(const struct folder_flag *one)
{
    return one->whole != NULL ? one->whole : one->stored;
}

static const struct json *find(const struct folder *folder, enum folder_kind kind, const char *key)
{
    for (size_t i = 0; i < folder->count; i++) {
        if (folder->flags[i].kind == kind && strcmp(folder->flags[i].key, key) == 0) {
            return document_of(&folder->flags[i]);
        }
    }
    return NULL;
}

static const struct json *find_flag(void *ctx, const char *key)
{
    return find(ctx, FOLDER_FLAG, key);
}

/* A file with what a new one may leave out. */
static enum err_code complete(struct folder_flag *one, struct err *err)
{
    one->whole = json_copy(one->file);
    if (one->whole == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    if (one->stored != NULL || one->kind == FOLDER_SEGMENT) {
        return ERR_OK;
    }
    return one->kind == FOLDER_FLAG ? flag_complete(one->whole, err)
                                    : layer_complete(one->whole, err);
}

static enum err_code check(const struct folder_flag *one, const struct flag_world *world,
                           struct err *err)
{
    switch (one->kind) {
    case FOLDER_SEGMENT: return segment_check(one->whole, world, err);
    case FOLDER_LAYER: return layer_check(one->whole, err);
    case FOLDER_FLAG:
    case FOLDER_KINDS: break;
    }
    return flag_check_in(one->whole, world, err);
}

static enum err_code fail(struct api *api, const char *dir, const struct folder_flag *one,
                          const struct err *err)
{
    bool flag = one->kind == FOLDER_FLAG;

    return api_set(api, err->code, "%.300s/%s%s%s.json: %s", dir,
                   flag ? "" : folder_kind_name(one->kind), flag ? "" : "s/", one->key, err->msg);
}

enum err_code folder_check(struct api *api, const char *dir, struct folder *folder)
{
    struct json *segments = json_array();
    struct flag_world world = {.segments = segments, .flag = find_flag, .ctx = folder};
    struct err err = {0};
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < folder->count; i++) {
        struct folder_flag *one = &folder->flags[i];

        if (one->file != NULL && complete(one, &err) != ERR_OK) {
            rc = fail(api, dir, one, &err);
        } else if (one->kind == FOLDER_SEGMENT) {
            (void)json_append_lent(segments, document_of(one));
        }
    }
    for (size_t i = 0; rc == ERR_OK && i < folder->count; i++) {
        if (folder->flags[i].file != NULL && check(&folder->flags[i], &world, &err) != ERR_OK) {
            rc = fail(api, dir, &folder->flags[i], &err);
        }
    }
    json_free(segments);
    return rc;
}

/* ---- order ---- */

struct depths {
    const struct folder *folder;
    enum folder_kind kind;
    size_t left, deepest;
};

static size_t depth_of(const struct folder *folder, enum folder_kind kind,
                       const struct json *document, size_t left);

static void see_name(void *ctx, enum flag_name_kind kind, const char *key)
{
    struct depths *depths = ctx;
    enum folder_kind asked = kind == NAMES_FLAG ? FOLDER_FLAG : FOLDER_SEGMENT;
    size_t depth;

    if (asked != depths->kind || depths->left == 0) {
        return;
    }
    depth = 1 + depth_of(depths->folder, asked, find(depths->folder, asked, key), depths->left - 1);
    depths->deepest = depth > depths->deepest ? depth : depths->deepest;
}

static size_t depth_of(const struct folder *folder, enum folder_kind kind,
                       const struct json *document, size_t left)
{
    struct depths depths = {folder, kind, left, 0};

    if (document == NULL || flag_names(document, see_name, &depths, NULL) != ERR_OK) {
        return 0;
    }
    return depths.deepest;
}

/* Segments that go, go when no flag asks for them any more. */
static int rank(const struct folder_flag *one)
{
    return one->kind == FOLDER_SEGMENT && one->file == NULL ? FOLDER_KINDS : (int)one->kind;
}

static int by_need(const void *a, const void *b)
{
    const struct folder_flag *left = a, *right = b;

    if (rank(left) != rank(right)) {
        return rank(left) - rank(right);
    }
    if (left->depth != right->depth) {
        int deeper = left->depth > right->depth ? 1 : -1;

        return rank(left) == FOLDER_KINDS ? -deeper : deeper;
    }
    return strcmp(left->key, right->key);
}

void folder_order(struct folder *folder)
{
    for (size_t i = 0; i < folder->count; i++) {
        struct folder_flag *one = &folder->flags[i];

        one->depth = depth_of(folder, one->kind, document_of(one), DEPTH_MAX);
    }
    qsort(folder->flags, folder->count, sizeof *folder->flags, by_need);
}
