#include "server/view.h"

#include <stdlib.h>
#include <string.h>

#include "flags/layer.h"

void view_set_flag(struct view *view, const char *key, const struct json *flag)
{
    view->flag_key = key;
    view->flag = flag;
}

void view_set_piece(struct view *view, enum piece_kind kind, const char *key,
                    const struct json *piece)
{
    view->piece_set = true;
    view->piece_kind = kind;
    view->piece_key = key;
    view->piece = piece;
}

/* ---- pieces ---- */

static bool is_replaced(const struct view *view, enum piece_kind kind, const char *key)
{
    return view->piece_set && view->piece_kind == kind && strcmp(view->piece_key, key) == 0;
}

/* Calls for each document of the kind, as the view has it; stops where take() returns false. */
typedef bool take_piece(void *ctx, const char *key, const struct json *document);

static bool each_piece(const struct view *view, enum piece_kind kind, take_piece *take, void *ctx)
{
    for (size_t i = 0; i < store_piece_count(view->store); i++) {
        const struct store_piece *piece = store_piece_at(view->store, i);

        if (piece->kind == kind && !is_replaced(view, kind, piece->key) &&
            !take(ctx, piece->key, piece->document)) {
            return false;
        }
    }
    return !view->piece_set || view->piece_kind != kind || view->piece == NULL ||
           take(ctx, view->piece_key, view->piece);
}

static bool add_segment(void *ctx, const char *key, const struct json *document)
{
    struct view *view = ctx;

    (void)key;
    return json_append_lent(view->segments, document) != NULL;
}

struct layer_search {
    const char *flag;
    const struct json *found;
};

static bool look_in_layer(void *ctx, const char *key, const struct json *document)
{
    struct layer_search *search = ctx;

    (void)key;
    if (json_get(json_get(document, "flags"), search->flag) != NULL) {
        search->found = document;
    }
    return search->found == NULL;
}

const struct json *view_layer(const struct view *view, const char *flag)
{
    struct layer_search search = {.flag = flag, .found = NULL};

    (void)each_piece(view, PIECE_LAYER, look_in_layer, &search);
    return search.found;
}

/* ---- flags ---- */

const struct json *view_with_layer(struct view *view, const char *key, const struct json *flag)
{
    const struct json *layer = view_layer(view, key);
    struct json *whole, *part;

    if (layer == NULL || flag == NULL) {
        return flag;
    }
    whole = json_append(view->made, json_copy(flag));
    part = layer_part_json(layer, key);
    if (whole == NULL || json_put(whole, "layer", part) == NULL) {
        return NULL;
    }
    return whole;
}

const struct json *view_flag(struct view *view, const char *key)
{
    const struct store_flag *stored;

    if (view->flag_key != NULL && strcmp(view->flag_key, key) == 0) {
        return view_with_layer(view, key, view->flag);
    }
    stored = store_find(view->store, key);
    return stored != NULL ? view_with_layer(view, key, stored->document) : NULL;
}

static const struct json *find_flag(void *ctx, const char *key)
{
    return view_flag(ctx, key);
}

enum err_code view_open(struct view *view, struct err *err)
{
    view->segments = json_array();
    view->made = json_array();
    view->world = (struct flag_world){.segments = view->segments, .flag = find_flag, .ctx = view};
    if (view->made == NULL || view->segments == NULL ||
        !each_piece(view, PIECE_SEGMENT, add_segment, view)) {
        view_close(view);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    return ERR_OK;
}

void view_close(struct view *view)
{
    json_free(view->segments);
    json_free(view->made);
    view->segments = NULL;
    view->made = NULL;
}

/* ---- what a change touches ---- */

struct touching {
    const char *const *names; /* of segments */
    size_t count;
    bool found;
};

static void see_name(void *ctx, enum flag_name_kind kind, const char *key)
{
    struct touching *touching = ctx;

    for (size_t i = 0; kind == NAMES_SEGMENT && i < touching->count; i++) {
        touching->found = touching->found || strcmp(touching->names[i], key) == 0;
    }
}

static enum err_code names_one_of(const struct json *document, const char *const *names,
                                  size_t count, bool *found, struct err *err)
{
    struct touching touching = {names, count, false};
    enum err_code rc = flag_names(document, see_name, &touching, err);

    *found = touching.found;
    return rc;
}

/* The segment and those that ask for it, over however many. names has room for all there are. */
static enum err_code widen(const struct view *view, const char **names, size_t *count,
                           struct err *err)
{
    size_t before;
    enum err_code rc = ERR_OK;

    do {
        before = *count;
        for (size_t i = 0; rc == ERR_OK && i < store_piece_count(view->store); i++) {
            const struct store_piece *piece = store_piece_at(view->store, i);
            bool known = piece->kind != PIECE_SEGMENT, asks = false;

            for (size_t k = 0; k < *count; k++) {
                known = known || strcmp(names[k], piece->key) == 0;
            }
            if (!known) {
                rc = names_one_of(piece->document, names, *count, &asks, err);
            }
            if (asks) {
                names[(*count)++] = piece->key;
            }
        }
    } while (rc == ERR_OK && *count > before);
    return rc;
}

static enum err_code touch_by_segment(const struct view *view, bool *touched, struct err *err)
{
    const char **names = calloc(store_piece_count(view->store) + 1, sizeof *names);
    size_t count = 1;
    enum err_code rc = names != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");

    if (rc == ERR_OK) {
        names[0] = view->piece_key;
        rc = widen(view, names, &count, err);
    }
    for (size_t i = 0; rc == ERR_OK && i < store_flag_count(view->store); i++) {
        const struct store_flag *flag = store_flag_at(view->store, i);

        if (!flag->archived && strstr(flag->text, "segment") != NULL) {
            rc = names_one_of(flag->document, names, count, &touched[i], err);
        }
    }
    free(names);
    return rc;
}

static bool same_part(const struct json *before, const struct json *after, const char *flag)
{
    struct json *was = layer_part_json(before, flag), *is = layer_part_json(after, flag);
    bool same = (was == NULL) == (is == NULL) && (was == NULL || json_equal(was, is));

    json_free(was);
    json_free(is);
    return same;
}

static void touch_by_layer(const struct view *view, bool *touched)
{
    const struct store_piece *now = store_piece(view->store, PIECE_LAYER, view->piece_key);
    const struct json *before = now != NULL ? now->document : NULL;

    for (size_t i = 0; i < store_flag_count(view->store); i++) {
        const struct store_flag *flag = store_flag_at(view->store, i);

        touched[i] = !flag->archived && !same_part(before, view->piece, flag->key);
    }
}

static size_t place_of(const struct view *view, const char *key)
{
    const struct store_flag *flag = store_find(view->store, key);

    return flag != NULL ? (size_t)(flag - store_flag_at(view->store, 0)) : SIZE_MAX;
}

/* Those that have one of the touched, or the flag that was replaced, as a prerequisite. */
static void touch_dependents(const struct view *view, bool *touched)
{
    bool more;

    do {
        more = false;
        for (size_t i = 0; i < store_flag_count(view->store); i++) {
            const struct store_flag *flag = store_flag_at(view->store, i);

            if (touched[i] || flag->archived) {
                continue;
            }
            for (const struct json *at = json_first(json_get(flag->document, "prerequisites"));
                 at != NULL && !touched[i]; at = json_next(at)) {
                const char *key = json_get_text(at, "flag", "");
                size_t place = place_of(view, key);

                touched[i] = (view->flag_key != NULL && strcmp(view->flag_key, key) == 0) ||
                             (place != SIZE_MAX && touched[place]);
            }
            more = more || touched[i];
        }
    } while (more);
}

bool *view_touched(struct view *view, struct err *err)
{
    bool *touched = calloc(store_flag_count(view->store) + 1, sizeof *touched);
    size_t place;

    if (touched == NULL) {
        (void)err_set(err, ERR_NOMEM, "out of memory");
        return NULL;
    }
    if (view->piece_set && view->piece_kind == PIECE_LAYER) {
        touch_by_layer(view, touched);
    } else if (view->piece_set && touch_by_segment(view, touched, err) != ERR_OK) {
        free(touched);
        return NULL;
    }
    touch_dependents(view, touched);
    place = view->flag_key != NULL ? place_of(view, view->flag_key) : SIZE_MAX;
    if (place != SIZE_MAX) {
        touched[place] = false;
    }
    return touched;
}

void view_strip(struct json *flag)
{
    static const char *const members[] = {"tie", "version", "layer"};
    static const char *const known[] = {"layer", "prerequisites", "segments"};
    const struct json *uses = json_get(flag, "uses");
    struct json *left = json_array();

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        json_remove(flag, members[i]);
    }
    if (json_kind(uses) == JSON_ARRAY) {
        for (const struct json *at = json_first(uses); at != NULL; at = json_next(at)) {
            bool ours = false;

            for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
                ours = ours || (json_text(at) != NULL && strcmp(json_text(at), known[i]) == 0);
            }
            if (!ours) {
                json_append(left, json_copy(at));
            }
        }
        json_remove(flag, "uses");
        if (json_first(left) != NULL) {
            json_put(flag, "uses", left);
            return;
        }
    }
    json_free(left);
}
