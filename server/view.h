/*
 * view - an environment as it is, or as it would be with one flag or one piece in place of what is stored:
 * the documents that a flag is checked and proved against, and the flags that a change touches.
 *
 *     struct view view = {.store = store};
 *     view_set_piece(&view, PIECE_SEGMENT, "beta", document);
 *     rc = view_open(&view, &err);
 *     touched = view_touched(&view, &err);         // by place in the store
 *     rc = flag_check_in(view_flag(&view, "new-search"), &view.world, &err);
 *     view_close(&view);
 *
 * Good until the store changes. On the worker.
 */
#ifndef SERVER_VIEW_H
#define SERVER_VIEW_H

#include "flags/world.h"
#include "server/store.h"

struct view {
    const struct store *store;
    const char *flag_key; /* replaced by flag (NULL: it is gone); NULL: none is */
    const struct json *flag;
    bool piece_set;
    enum piece_kind piece_kind;
    const char *piece_key;
    const struct json *piece; /* likewise */
    /* Filled by view_open(). */
    struct flag_world world;
    struct json *segments, *made;
};

/* All text and documents are lent until view_close(). */
void view_set_flag(struct view *view, const char *key, const struct json *flag);
void view_set_piece(struct view *view, enum piece_kind kind, const char *key,
                    const struct json *piece);

MUST_USE enum err_code view_open(struct view *view, struct err *err);
void view_close(struct view *view);

/* A flag's document with its part of a layer; NULL: it is not here, or archived, or no memory. Lent. */
const struct json *view_flag(struct view *view, const char *key);
/* The same for a document that is not stored. */
const struct json *view_with_layer(struct view *view, const char *key, const struct json *flag);
/* The layer that the flag is in, or NULL. */
const struct json *view_layer(const struct view *view, const char *flag);

/* By place in the store, whether the flag answers by what was replaced, itself not: its prerequisite, its
 * segment, its layer, and those that have such a flag as a prerequisite. free() it. NULL: no memory. */
bool *view_touched(struct view *view, struct err *err);

/* Takes what only the server says ("tie", "layer", "version", and of "uses" what is known) out of a document
 * that somebody sent. */
void view_strip(struct json *flag);

#endif
