/*
 * Segments and layers over the administration API: the same verbs for both, each change proved for every
 * flag that answers by it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags/layer.h"
#include "server/admin.h"
#include "server/route.h"
#include "server/view.h"

/* ---- answers ---- */

/* Who names which segment: one walk over all flags and segments, however many are asked about. */
struct users {
    const struct store *store;
    struct json **documents; /* by place in the store; NULL: not asked about */
    const char **last;       /* likewise: who was noted last, that may name it twice */
    const char *member, *user;
};

static void see_name(void *ctx, enum flag_name_kind kind, const char *key)
{
    struct users *users = ctx;
    const struct store_piece *piece =
        kind == NAMES_SEGMENT ? store_piece(users->store, PIECE_SEGMENT, key) : NULL;
    size_t place;

    if (piece == NULL) {
        return;
    }
    place = (size_t)(piece - store_piece_at(users->store, 0));
    if (users->documents[place] != NULL && users->last[place] != users->user) {
        users->last[place] = users->user;
        json_append(json_get(users->documents[place], users->member), json_string(users->user));
    }
}

/* False: no memory. */
static bool find_users(const struct store *store, struct json **documents)
{
    struct users users = {.store = store, .documents = documents};

    users.last = calloc(store_piece_count(store) + 1, sizeof *users.last);
    if (users.last == NULL) {
        return false;
    }
    users.member = "used_by_flags";
    for (size_t i = 0; i < store_flag_count(store); i++) {
        const struct store_flag *flag = store_flag_at(store, i);

        users.user = flag->key;
        if (!flag->archived && strstr(flag->text, "segment") != NULL) {
            (void)!flag_names(flag->document, see_name, &users, NULL);
        }
    }
    users.member = "used_by_segments";
    for (size_t i = 0; i < store_piece_count(store); i++) {
        users.user = store_piece_at(store, i)->key;
        if (store_piece_at(store, i)->kind == PIECE_SEGMENT) {
            (void)!flag_names(store_piece_at(store, i)->document, see_name, &users, NULL);
        }
    }
    free(users.last);
    return true;
}

static void free_documents(struct json **documents, size_t count)
{
    for (size_t i = 0; documents != NULL && i < count; i++) {
        json_free(documents[i]);
    }
    free(documents);
}

/* The documents of a kind as they are shown, by place in the store; key NULL: of all. NULL: no memory. */
static struct json **pieces_json(const struct store *store, enum piece_kind kind, const char *key)
{
    struct json **documents = calloc(store_piece_count(store) + 1, sizeof(struct json *));

    for (size_t i = 0; documents != NULL && i < store_piece_count(store); i++) {
        const struct store_piece *piece = store_piece_at(store, i);

        if (piece->kind != kind || (key != NULL && strcmp(piece->key, key) != 0)) {
            continue;
        }
        documents[i] = json_copy(piece->document);
        json_put_number(documents[i], "version", (double)piece->version);
        if (kind == PIECE_SEGMENT) {
            json_put(documents[i], "used_by_flags", json_array());
            json_put(documents[i], "used_by_segments", json_array());
        }
    }
    if (documents != NULL && kind == PIECE_SEGMENT && !find_users(store, documents)) {
        free_documents(documents, store_piece_count(store));
        return NULL;
    }
    return documents;
}

static struct json *piece_json(const struct store *store, const struct store_piece *piece)
{
    struct json **documents = pieces_json(store, piece->kind, piece->key), *out = NULL;

    if (documents != NULL) {
        out = documents[piece - store_piece_at(store, 0)];
    }
    free(documents);
    return out;
}

static void answer_piece(struct call *call, int status, const struct store_piece *piece)
{
    char version[24];

    snprintf(version, sizeof version, "%lld", (long long)piece->version);
    answer_etag(call, arena_text(call->request->arena, version, strlen(version)));
    answer_json(call, status, piece_json(call->store, piece));
}

/* NULL: answered with 404. */
static const struct store_piece *find(struct call *call, enum piece_kind kind)
{
    const struct store_piece *piece = store_piece(call->store, kind, call->params[0]);

    if (piece == NULL) {
        answer_problem(call, 404, err_code_name(ERR_NOT_FOUND), "there is no %s '%.128s' in %s",
                       piece_kind_name(kind), call->params[0], store_environment(call->store));
    }
    return piece;
}

static bool if_match(struct call *call, const struct store_piece *piece)
{
    const char *header = http_header(call->request, "If-Match");
    char version[24];

    snprintf(version, sizeof version, "%lld", (long long)piece->version);
    if (header == NULL) {
        answer_problem(call, 428, "precondition_required",
                       "send If-Match with the version that the change is based on (now \"%s\")",
                       version);
        return false;
    }
    if (!answer_tag_matches(header, version)) {
        answer_etag(call, arena_text(call->request->arena, version, strlen(version)));
        answer_problem(call, 412, err_code_name(ERR_STALE),
                       "%s '%s' has version \"%s\" by now: read it again and repeat the change",
                       piece_kind_name(piece->kind), piece->key, version);
        return false;
    }
    return true;
}

/* ---- what may be changed ---- */

static bool may_reassign(struct call *call, const struct json *before, const struct json *after)
{
    const char *reassign = http_query(call->request, "reassign");
    double moved = layer_moved(before, after);

    if (!(moved > 0) || (reassign != NULL && strcmp(reassign, "true") == 0)) {
        return true;
    }
    answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                   "this change gives %g %% of the subjects from one flag of the layer to another "
                   "(or anew): repeat it with ?reassign=true (flags: --reassign) if that is meant",
                   moved);
    return false;
}

/* A layer's flags must be there, and in no other layer. */
static bool flags_are_free(struct call *call, const char *key, const struct json *layer)
{
    struct view view = {.store = call->store};

    view_set_piece(&view, PIECE_LAYER, key, NULL);
    for (const struct json *at = json_first(json_get(layer, "flags")); at != NULL;
         at = json_next(at)) {
        const struct json *other = view_layer(&view, json_key(at));

        if (store_find_any(call->store, json_key(at)) == NULL) {
            answer_problem(call, 400, err_code_name(ERR_INVALID),
                           "flags: there is no flag '%.128s'", json_key(at));
            return false;
        }
        if (other != NULL) {
            answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                           "flag '%.128s' is in layer '%.128s' already: take it out there first",
                           json_key(at), json_get_text(other, "key", ""));
            return false;
        }
    }
    return true;
}

static bool is_good(struct call *call, struct view *view, enum piece_kind kind, const char *key,
                    const struct json *document)
{
    struct err err = {0};
    enum err_code rc = kind == PIECE_SEGMENT ? segment_check(document, &view->world, &err)
                                             : layer_check(document, &err);

    if (rc != ERR_OK) {
        answer_error(call, &err);
        return false;
    }
    return kind == PIECE_SEGMENT || flags_are_free(call, key, document);
}

/* Nobody may ask for what is going. False: answered. */
static bool is_unused(struct call *call, const struct store_piece *piece)
{
    struct json *users = NULL;
    const char *flag, *segment;
    bool unused = true;

    if (piece->kind == PIECE_SEGMENT) {
        users = piece_json(call->store, piece);
        flag = json_text(json_first(json_get(users, "used_by_flags")));
        segment = json_text(json_first(json_get(users, "used_by_segments")));
        unused = flag == NULL && segment == NULL;
        if (!unused) {
            answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                           "segment '%s' is used by %s '%s'%s", piece->key,
                           flag != NULL ? "flag" : "segment", flag != NULL ? flag : segment,
                           json_count(json_get(users, "used_by_flags")) +
                                       json_count(json_get(users, "used_by_segments")) >
                                   1
                               ? " and others"
                               : "");
        }
    } else if (json_first(json_get(piece->document, "flags")) != NULL) {
        unused = false;
        answer_problem(call, 409, err_code_name(ERR_CONFLICT),
                       "flag '%s' is in layer '%s': take its flags out first",
                       json_key(json_first(json_get(piece->document, "flags"))), piece->key);
    }
    json_free(users);
    return unused;
}

/* Proves and stores; document NULL: it goes. */
static void change(struct call *call, enum piece_kind kind, const char *key,
                   const struct store_piece *now, const struct json *document)
{
    struct view view = {.store = call->store};
    struct store_actor who = call_actor(call);
    bool *touched = NULL;
    struct err err = {0};

    view_set_piece(&view, kind, key, document);
    if (view_open(&view, &err) != ERR_OK) {
        answer_json(call, 503, NULL);
        return;
    }
    if (document != NULL && !is_good(call, &view, kind, key, document)) {
        /* answered */
    } else if (now != NULL && document != NULL && kind == PIECE_LAYER &&
               !may_reassign(call, now->document, document)) {
        /* answered */
    } else if (!admin_others_bear(call, &view, &touched)) {
        /* answered */
    } else if (store_put_piece(call->store, &who, kind, key, document,
                               now != NULL ? now->version : 0, touched, &err) != ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        char event[40];

        snprintf(event, sizeof event, "%s-%s", piece_kind_name(kind),
                 document == NULL ? "deleted"
                 : now == NULL    ? "created"
                                  : "changed");
        view_close(&view); /* lends what is replaced now */
        admin_changed(call, event, key);
        if (document == NULL) {
            answer_empty(call, 204);
        } else {
            answer_piece(call, now == NULL ? 201 : 200, store_piece(call->store, kind, key));
        }
    }
    view_close(&view);
    free(touched);
}

/* ---- the verbs ---- */

static void list(struct call *call, enum piece_kind kind, const char *member)
{
    struct json **documents = pieces_json(call->store, kind, NULL);
    struct json *out = json_object(), *array = json_put(out, member, json_array());

    json_put_text(out, "environment", store_environment(call->store));
    for (size_t i = 0; documents != NULL && i < store_piece_count(call->store); i++) {
        if (documents[i] != NULL) {
            json_append(array, documents[i]);
        }
    }
    if (documents == NULL) {
        json_free(out);
        out = NULL;
    }
    free(documents);
    answer_json(call, 200, out);
}

static void show(struct call *call, enum piece_kind kind)
{
    const struct store_piece *piece = find(call, kind);

    if (piece != NULL) {
        answer_piece(call, 200, piece);
    }
}

/* What the server adds, which people send back. */
static void strip(struct json *document)
{
    json_remove(document, "version");
    json_remove(document, "used_by_flags");
    json_remove(document, "used_by_segments");
}

static void create(struct call *call, enum piece_kind kind)
{
    struct json *body = answer_body(call);
    struct err err = {0};

    if (body == NULL) {
        return;
    }
    strip(body);
    if (kind == PIECE_LAYER && layer_complete(body, &err) != ERR_OK) {
        answer_error(call, &err);
    } else if (store_piece(call->store, kind, json_get_text(body, "key", "")) != NULL) {
        answer_problem(call, 409, err_code_name(ERR_CONFLICT), "a %s '%.128s' exists already",
                       piece_kind_name(kind), json_get_text(body, "key", ""));
    } else {
        change(call, kind, json_get_text(body, "key", ""), NULL, body);
    }
    json_free(body);
}

static void put(struct call *call, enum piece_kind kind)
{
    const struct store_piece *piece = find(call, kind);
    struct json *body = NULL;

    if (piece == NULL || !if_match(call, piece)) {
        return;
    }
    body = answer_body(call);
    if (body == NULL) {
        return;
    }
    strip(body);
    if (json_get(body, "salt") == NULL && json_get(piece->document, "salt") != NULL) {
        json_put(body, "salt", json_copy(json_get(piece->document, "salt")));
    }
    if (strcmp(json_get_text(body, "key", ""), piece->key) != 0) {
        answer_problem(call, 400, err_code_name(ERR_INVALID),
                       "key: must be '%s', as in the path: a %s keeps its key", piece->key,
                       piece_kind_name(kind));
    } else if (json_equal(body, piece->document)) {
        answer_piece(call, 200, piece);
    } else {
        change(call, kind, call->params[0], piece, body);
    }
    json_free(body);
}

static void drop(struct call *call, enum piece_kind kind)
{
    const struct store_piece *piece = find(call, kind);

    if (piece != NULL && if_match(call, piece) && is_unused(call, piece)) {
        change(call, kind, call->params[0], piece, NULL);
    }
}

void segments_list(struct call *call)
{
    list(call, PIECE_SEGMENT, "segments");
}

void segments_create(struct call *call)
{
    create(call, PIECE_SEGMENT);
}

void segments_show(struct call *call)
{
    show(call, PIECE_SEGMENT);
}

void segments_put(struct call *call)
{
    put(call, PIECE_SEGMENT);
}

void segments_drop(struct call *call)
{
    drop(call, PIECE_SEGMENT);
}

void layers_list(struct call *call)
{
    list(call, PIECE_LAYER, "layers");
}

void layers_create(struct call *call)
{
    create(call, PIECE_LAYER);
}

void layers_show(struct call *call)
{
    show(call, PIECE_LAYER);
}

void layers_put(struct call *call)
{
    put(call, PIECE_LAYER);
}

void layers_drop(struct call *call)
{
    drop(call, PIECE_LAYER);
}
