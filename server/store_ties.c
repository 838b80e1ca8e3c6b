/*
 * The store's ties: each change in the database first, then in the image.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/store_image.h"

static char *tie_text(const struct tie *tie)
{
    struct json *json = json_object();
    char *text;

    json_put_text(json, "migration", tie->migration);
    json_put_text(json, "database_id", tie->database_id);
    json_put_text(json, "state", tie_state_name(tie->state));
    json_put_text(json, "old", tie->old_variant);
    json_put_text(json, "new", tie->new_variant);
    json_put_number(json, "lease_s", (double)tie->lease_s);
    json_put_bool(json, "held", tie->held);
    if (tie->held) {
        json_put_text(json, "hold_owner", tie->hold_owner != NULL ? tie->hold_owner : "");
    }
    text = json_print_canonical(json);
    json_free(json);
    return text;
}

static bool same_text(const char *a, const char *b)
{
    return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static bool same_tie(const struct tie *a, const struct tie *b)
{
    return strcmp(a->flag, b->flag) == 0 && strcmp(a->old_variant, b->old_variant) == 0 &&
           strcmp(a->new_variant, b->new_variant) == 0 && strcmp(a->label, b->label) == 0 &&
           a->state == b->state && a->lease_s == b->lease_s && a->held == b->held &&
           same_text(a->hold_owner, b->hold_owner) && a->hold_taken_ms == b->hold_taken_ms;
}

static void remove_tie(struct store *store, const struct tie *tie)
{
    size_t i = (size_t)(tie - store->ties);

    store_tie_clear(&store->ties[i]);
    store->tie_count--;
    memmove(&store->ties[i], &store->ties[i + 1], (store->tie_count - i) * sizeof *store->ties);
}

static bool room_for_tie(struct store *store)
{
    size_t room = store->tie_room * 2 + 16;
    struct tie *more;

    if (store->tie_count < store->tie_room) {
        return true;
    }
    more = realloc(store->ties, room * sizeof *more);
    if (more == NULL) {
        return false;
    }
    store->ties = more;
    store->tie_room = room;
    return true;
}

static enum err_code commit_tie(struct store *store, const struct store_actor *who,
                                const char *action, const struct tie *tie, const char *before,
                                const char *after, struct err *err)
{
    struct database_value params[] = {database_text(store->environment),
                                      database_text(tie->database_id),
                                      database_text(tie->migration),
                                      database_text(tie->flag),
                                      database_text(tie_state_name(tie->state)),
                                      database_text(tie->old_variant),
                                      database_text(tie->new_variant),
                                      database_int(tie->lease_s),
                                      database_text(tie->label),
                                      database_int(tie->held),
                                      database_int(clock_wall_ms()),
                                      database_text(tie->hold_owner),
                                      database_int(tie->hold_taken_ms),
                                      database_int(tie->hold_renewed_ms),
                                      database_int(tie->sequence)};
    struct database_statement put = {
        "INSERT OR REPLACE INTO tie(environment, database_id, migration, flag, state, "
        "old_variant, new_variant, lease_s, label, held, reported_ms, hold_owner, hold_taken_ms, "
        "hold_renewed_ms, sequence) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, "
        "?14, ?15)",
        params, 15};
    struct database_statement drop = {
        "DELETE FROM tie WHERE environment = ?1 AND database_id = ?2 AND migration = ?3", params,
        3};
    struct store_change change = {.who = who,
                                  .action = action,
                                  .flag = tie->flag,
                                  .before = before,
                                  .after = after,
                                  .visible = true,
                                  .statements = after != NULL ? &put : &drop,
                                  .statement_count = 1};

    return store_commit(store, &change, err);
}

enum err_code store_put_tie(struct store *store, const struct store_actor *who, const char *action,
                            const struct tie *tie, struct err *err)
{
    const struct tie *now = store_tie(store, tie->database_id, tie->migration);
    struct tie fresh = {0};
    char *before, *after;
    enum err_code rc = ERR_OK;

    if (now != NULL && same_tie(now, tie)) {
        return now->sequence == tie->sequence
                   ? ERR_OK
                   : store_note_tie(store, now, now->hold_renewed_ms, tie->sequence, err);
    }
    before = now != NULL ? tie_text(now) : NULL;
    after = tie_text(tie);
    if (after == NULL || !room_for_tie(store) || !store_tie_copy(&fresh, tie)) {
        free(before);
        free(after);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    rc = commit_tie(store, who, action, &fresh, before, after, err);
    if (rc == ERR_OK) {
        bool found;
        size_t place;

        now = store_tie(store, fresh.database_id, fresh.migration); /* room may have moved it */
        if (now != NULL) {
            remove_tie(store, now);
        }
        place = store_tie_place(store, &fresh, &found);
        memmove(&store->ties[place + 1], &store->ties[place],
                (store->tie_count - place) * sizeof *store->ties);
        store->ties[place] = fresh;
        store->tie_count++;
    } else {
        store_tie_clear(&fresh);
    }
    free(before);
    free(after);
    return rc;
}

enum err_code store_note_tie(struct store *store, const struct tie *tie, int64_t renewed_ms,
                             int64_t sequence, struct err *err)
{
    struct tie *own = &store->ties[tie - store->ties];
    struct database_value params[] = {
        database_text(store->environment), database_text(tie->database_id),
        database_text(tie->migration), database_int(renewed_ms), database_int(sequence)};
    struct database_statement statement = {
        "UPDATE tie SET hold_renewed_ms = ?4, sequence = ?5 WHERE environment = ?1 AND "
        "database_id = ?2 AND migration = ?3",
        params, 5};
    enum err_code rc = database_batch(
        store->db, &(struct database_batch){.statements = &statement, .statement_count = 1}, NULL,
        err);

    if (rc == ERR_OK) {
        own->hold_renewed_ms = renewed_ms;
        own->sequence = sequence;
    }
    return rc;
}

enum err_code store_drop_tie(struct store *store, const struct store_actor *who,
                             const struct tie *tie, struct err *err)
{
    char *before = tie_text(tie);
    enum err_code rc = commit_tie(store, who, "migration.forget", tie, before, NULL, err);

    free(before);
    if (rc == ERR_OK) {
        remove_tie(store, tie);
    }
    return rc;
}
