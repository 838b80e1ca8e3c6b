/*
 * What clients read: the flags of an environment as a ruleset, in both its forms.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "server/store_image.h"
#include "server/view.h"

/* With what the server knows of the flag: its part of a layer, its tie, and what a reader must know. */
static struct json *whole_flag(struct view *view, const struct store_flag *flag)
{
    const struct json *document = view_with_layer(view, flag->key, flag->document);
    struct json *out = json_copy(document), *uses = flag_features(document);
    size_t count;
    const struct tie *ties = store_ties(view->store, flag->key, &count);

    if (uses != NULL) {
        json_put(out, "uses", uses);
    }
    if (count > 0) {
        json_put(out, "tie", coupling_tie_json(document, &view->world, ties, count));
    }
    return out;
}

struct json *store_flag_json(const struct store *store, const struct store_flag *flag)
{
    struct view view = {.store = store};
    struct json *out;

    if (view_open(&view, NULL) != ERR_OK) {
        return NULL;
    }
    out = whole_flag(&view, flag);
    view_close(&view);
    return out;
}

/* Whether what is stored is all that a client sees. */
static bool is_plain(const struct view *view, const struct store_flag *flag)
{
    size_t ties;

    (void)store_ties(view->store, flag->key, &ties);
    return ties == 0 && strstr(flag->text, "segment") == NULL &&
           json_get(flag->document, "prerequisites") == NULL && view_layer(view, flag->key) == NULL;
}

/* Appends one flag to both forms of the ruleset. What is plain is neither copied nor printed
 * again: with thousands of flags that would be most of what a change takes. */
static bool add_to_ruleset(struct view *view, const struct store_flag *flag, struct json *flags,
                           struct buf *text)
{
    struct json *whole;
    char *printed;

    if (json_first(flags) != NULL) {
        buf_char(text, ',');
    }
    if (is_plain(view, flag)) {
        buf_text(text, flag->text);
        return json_append_lent(flags, flag->document) != NULL;
    }
    whole = whole_flag(view, flag);
    printed = json_print_canonical(whole);
    buf_text(text, printed != NULL ? printed : "");
    free(printed);
    return json_append(flags, whole) != NULL && printed != NULL;
}

static bool add_segments(const struct store *store, struct json *out, struct buf *text)
{
    struct json *segments = json_put(out, "segments", json_array());
    bool whole = segments != NULL;

    buf_text(text, ",\"segments\":[");
    for (size_t i = 0; i < store_piece_count(store); i++) {
        const struct store_piece *piece = store_piece_at(store, i);

        if (piece->kind == PIECE_SEGMENT) {
            buf_text(text, json_first(segments) != NULL ? "," : "");
            buf_text(text, piece->text);
            whole = whole && json_append_lent(segments, piece->document) != NULL;
        }
    }
    buf_text(text, "]");
    return whole;
}

struct json *store_ruleset(const struct store *store, unsigned poll_s, char **text)
{
    struct json *out = json_object();
    struct json *flags = json_array();
    char *environment = json_quote(store->environment, strlen(store->environment));
    struct view view = {.store = store};
    struct buf buf = {0};
    bool whole = environment != NULL && view_open(&view, NULL) == ERR_OK;

    buf_print(&buf, "{\"environment\":%s,\"epoch\":%lld,\"flags\":[", whole ? environment : "",
              (long long)store->epoch);
    for (size_t i = 0; whole && i < store->flag_count; i++) {
        whole = store->flags[i].archived || add_to_ruleset(&view, &store->flags[i], flags, &buf);
    }
    buf_print(&buf, "],\"format\":%d,\"poll_s\":%u,\"revision\":%lld", RULESET_FORMAT, poll_s,
              (long long)store->revision);
    free(environment);
    json_put_number(out, "format", RULESET_FORMAT);
    json_put_text(out, "environment", store->environment);
    json_put_number(out, "epoch", (double)store->epoch);
    json_put_number(out, "revision", (double)store->revision);
    json_put_number(out, "poll_s", poll_s);
    json_put(out, "flags", flags);
    for (size_t i = 0; i < store_piece_count(store); i++) {
        if (store_piece_at(store, i)->kind == PIECE_SEGMENT) {
            whole = add_segments(store, out, &buf) && whole;
            break;
        }
    }
    buf_text(&buf, "}");
    view_close(&view);
    *text = buf_take(&buf);
    if (!whole || *text == NULL) {
        free(*text);
        *text = NULL;
        json_free(out);
        return NULL;
    }
    return out;
}
