/*
 * The store's segments and layers, and which flags' revisions go with a change of one.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/store_image.h"

const char *piece_kind_name(enum piece_kind kind)
{
    return kind == PIECE_SEGMENT ? "segment" : "layer";
}

bool piece_kind_of(const char *name, enum piece_kind *out)
{
    *out = strcmp(name, "layer") == 0 ? PIECE_LAYER : PIECE_SEGMENT;
    return strcmp(name, piece_kind_name(*out)) == 0;
}

/* ---- reading ---- */

static int compare(enum piece_kind kind, const char *key, const struct store_piece *piece)
{
    return kind != piece->kind ? (int)kind - (int)piece->kind : strcmp(key, piece->key);
}

static size_t place_of(const struct store *store, enum piece_kind kind, const char *key,
                       bool *found)
{
    size_t i = 0;

    while (i < store->piece_count && compare(kind, key, &store->pieces[i]) > 0) {
        i++;
    }
    *found = i < store->piece_count && compare(kind, key, &store->pieces[i]) == 0;
    return i;
}

size_t store_piece_count(const struct store *store)
{
    return store->piece_count;
}

const struct store_piece *store_piece_at(const struct store *store, size_t index)
{
    CHECK(index < store->piece_count);
    return &store->pieces[index];
}

const struct store_piece *store_piece(const struct store *store, enum piece_kind kind,
                                      const char *key)
{
    bool found;
    size_t place = place_of(store, kind, key, &found);

    return found ? &store->pieces[place] : NULL;
}

void store_piece_clear(struct store_piece *piece)
{
    free(piece->key);
    free(piece->text);
    json_free(piece->document);
}

static enum err_code read_piece(const struct database_rows *rows, size_t row,
                                struct store_piece *out, struct err *err)
{
    const char *kind = database_rows_text(rows, row, 0);
    const char *text = database_rows_text(rows, row, 4);
    enum err_code rc;

    if (!piece_kind_of(kind, &out->kind)) {
        return err_set(err, ERR_INVALID, "the store has a piece of the unknown kind '%.40s'", kind);
    }
    rc = json_parse(text, strlen(text), &out->document, err);
    if (rc != ERR_OK) {
        err_wrap(err, "%s '%s' in the store", kind, database_rows_text(rows, row, 1));
        return rc;
    }
    out->key = strdup(database_rows_text(rows, row, 1));
    out->text = json_print_canonical(out->document);
    out->version = database_rows_int(rows, row, 2, 0);
    out->changed_ms = database_rows_int(rows, row, 3, 0);
    return out->key != NULL && out->text != NULL ? ERR_OK
                                                 : err_set(err, ERR_NOMEM, "out of memory");
}

enum err_code store_load_pieces(struct store *into, struct err *err)
{
    struct database_value environment = database_text(into->environment);
    struct database_rows *rows = NULL;
    size_t count;
    enum err_code rc = database_query(into->db,
                                      "SELECT kind, key, version, changed_ms, document FROM piece "
                                      "WHERE environment = ?1 ORDER BY kind DESC, key",
                                      &environment, 1, &rows, err);

    if (rc != ERR_OK) {
        return rc;
    }
    count = database_rows_count(rows);
    into->pieces = calloc(count + 1, sizeof *into->pieces);
    into->piece_room = count + 1;
    if (into->pieces == NULL) {
        rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        into->piece_count++;
        rc = read_piece(rows, i, &into->pieces[i], err);
    }
    database_rows_free(rows);
    return rc;
}

/* ---- flags that a change touches ---- */

char *store_touched_keys(const struct store *store, const bool *touched)
{
    struct json *keys = json_array();
    char *text;

    for (size_t i = 0; touched != NULL && i < store->flag_count; i++) {
        if (touched[i]) {
            json_append(keys, json_string(store->flags[i].key));
        }
    }
    text = json_print(keys);
    json_free(keys);
    return text;
}

void store_stamp(struct store *store, const bool *touched, int64_t now_ms)
{
    for (size_t i = 0; touched != NULL && i < store->flag_count; i++) {
        if (touched[i]) {
            store->flags[i].revision = store->revision;
            store->flags[i].changed_ms = now_ms;
        }
    }
}

/* ---- changing ---- */

static size_t count_of(const struct store *store, enum piece_kind kind)
{
    size_t count = 0;

    for (size_t i = 0; i < store->piece_count; i++) {
        count += store->pieces[i].kind == kind;
    }
    return count;
}

static bool room_for_piece(struct store *store)
{
    size_t room = store->piece_room * 2 + 4;
    struct store_piece *more;

    if (store->piece_count < store->piece_room) {
        return true;
    }
    more = realloc(store->pieces, room * sizeof *more);
    if (more == NULL) {
        return false;
    }
    store->pieces = more;
    store->piece_room = room;
    return true;
}

static enum err_code commit_piece(struct store *store, const struct store_actor *who,
                                  const struct store_piece *now, const struct store_piece *fresh,
                                  enum piece_kind kind, const char *key, const bool *touched,
                                  struct err *err)
{
    char *keys = store_touched_keys(store, touched);
    const char *name = piece_kind_name(kind);
    struct database_value params[] = {database_text(store->environment),
                                      database_text(name),
                                      database_text(key),
                                      database_int(fresh->version),
                                      database_int(fresh->changed_ms),
                                      database_text(fresh->text)};
    struct database_value old[] = {params[0], params[1], params[2],
                                   database_int(now != NULL ? now->version : 0)};
    struct database_value stamp[] = {params[0], database_int(store_next_revision(store)), params[4],
                                     database_text(keys)};
    struct database_guard guard = {
        "coalesce((SELECT version FROM piece WHERE environment = ?1 AND kind = ?2 AND key = ?3), "
        "0) = ?4",
        old, 4, ERR_STALE, "it was changed by somebody else"};
    struct database_statement statements[] = {
        {"INSERT OR REPLACE INTO piece(environment, kind, key, version, changed_ms, document) "
         "VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
         params, 6},
        {"UPDATE flag_state SET revision = ?2, changed_ms = ?3 WHERE environment = ?1 AND key IN "
         "(SELECT value FROM json_each(?4))",
         stamp, 4}};
    char action[40];
    struct store_change change = {.who = who,
                                  .action = action,
                                  .before = now != NULL ? now->text : NULL,
                                  .after = fresh->text,
                                  .visible = true,
                                  .guards = &guard,
                                  .guard_count = 1,
                                  .statements = statements,
                                  .statement_count = 2};
    enum err_code rc = keys != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");

    snprintf(action, sizeof action, "%s.%s", name,
             now == NULL           ? "create"
             : fresh->text == NULL ? "delete"
                                   : "update");
    if (fresh->text == NULL) {
        statements[0] = (struct database_statement){
            "DELETE FROM piece WHERE environment = ?1 AND kind = ?2 AND key = ?3", params, 3};
    }
    rc = rc ? rc : store_commit(store, &change, err);
    free(keys);
    return rc;
}

/* Takes the parts of fresh; without a key what stands at place goes. */
static void place_piece(struct store *store, size_t place, bool found, struct store_piece *fresh)
{
    struct store_piece *at = &store->pieces[place];

    if (found) {
        store_piece_clear(at);
    }
    if (fresh->key == NULL) {
        memmove(at, at + 1, (store->piece_count - place - 1) * sizeof *at);
        store->piece_count--;
        return;
    }
    if (!found) {
        memmove(at + 1, at, (store->piece_count - place) * sizeof *at);
        store->piece_count++;
    }
    *at = *fresh;
    *fresh = (struct store_piece){.key = NULL};
}

enum err_code store_put_piece(struct store *store, const struct store_actor *who,
                              enum piece_kind kind, const char *key, const struct json *document,
                              int64_t version, const bool *touched, struct err *err)
{
    bool found;
    size_t place = place_of(store, kind, key, &found);
    const struct store_piece *now = found ? &store->pieces[place] : NULL;
    struct store_piece fresh = {.kind = kind, .version = version + 1};
    unsigned limit = kind == PIECE_SEGMENT ? LIMIT_SEGMENTS : LIMIT_LAYERS;
    const char *name = piece_kind_name(kind);
    enum err_code rc = ERR_OK;

    if (now != NULL && version == 0) {
        return err_set(err, ERR_CONFLICT, "a %s '%s' exists already", name, key);
    }
    if (version > 0 && (now == NULL || now->version != version)) {
        return err_set(err, ERR_STALE, "%s '%s' has another version by now: read it again", name,
                       key);
    }
    if (now == NULL && count_of(store, kind) >= limit) {
        return err_set(err, ERR_LIMIT, "there are %u %ss already, the limit of one environment",
                       limit, name);
    }
    fresh.changed_ms = clock_wall_ms();
    if (document != NULL) {
        fresh.key = strdup(key);
        fresh.document = json_copy(document);
        fresh.text = json_print_canonical(document);
        if (fresh.key == NULL || fresh.document == NULL || fresh.text == NULL) {
            rc = err_set(err, ERR_NOMEM, "out of memory");
        }
    }
    if (rc == ERR_OK && !room_for_piece(store)) {
        rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    if (rc == ERR_OK) {
        rc = commit_piece(store, who, found ? &store->pieces[place] : NULL, &fresh, kind, key,
                          touched, err);
    }
    if (rc == ERR_OK) {
        place_piece(store, place, found, &fresh);
        store_stamp(store, touched, clock_wall_ms());
    }
    store_piece_clear(&fresh);
    return rc;
}
