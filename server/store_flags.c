/*
 * The store's flags: each change in the database first, then in the image.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "flags/parts.h"
#include "flags/ruleset.h"
#include "server/store_image.h"
#include "server/view.h"

/* ---- reading ---- */

const struct store_flag *store_find_any(const struct store *store, const char *key)
{
    bool found;
    size_t place = store_flag_place(store, key, &found);

    return found ? &store->flags[place] : NULL;
}

const struct store_flag *store_find(const struct store *store, const char *key)
{
    const struct store_flag *flag = store_find_any(store, key);

    return flag != NULL && !flag->archived ? flag : NULL;
}

size_t store_flag_count(const struct store *store)
{
    return store->flag_count;
}

const struct store_flag *store_flag_at(const struct store *store, size_t index)
{
    CHECK(index < store->flag_count);
    return &store->flags[index];
}

const struct tie *store_ties(const struct store *store, const char *flag, size_t *count)
{
    size_t first = 0;

    while (first < store->tie_count && strcmp(store->ties[first].flag, flag) != 0) {
        first++;
    }
    *count = 0;
    while (first + *count < store->tie_count &&
           strcmp(store->ties[first + *count].flag, flag) == 0) {
        (*count)++;
    }
    return &store->ties[first];
}

const struct tie *store_tie(const struct store *store, const char *database_id,
                            const char *migration)
{
    for (size_t i = 0; i < store->tie_count; i++) {
        if (strcmp(store->ties[i].database_id, database_id) == 0 &&
            strcmp(store->ties[i].migration, migration) == 0) {
            return &store->ties[i];
        }
    }
    return NULL;
}

size_t store_tie_count(const struct store *store)
{
    return store->tie_count;
}

const struct tie *store_tie_at(const struct store *store, size_t index)
{
    CHECK(index < store->tie_count);
    return &store->ties[index];
}

/* ---- a flag as all environments will see it ---- */

/* What a change makes of the flag, in the place that it has, or gets, in each environment. */
struct draft {
    struct store *store; /* where the change is made */
    size_t place;
    bool is_new;
    struct store_flag
        fresh[LIMIT_ENVIRONMENTS]; /* by the place of the environment; key NULL: untouched */
    struct store_effect effects[LIMIT_ENVIRONMENTS];
    size_t effect_count;
    char *shared, *states[LIMIT_ENVIRONMENTS]; /* halves as they are stored; NULL: untouched */
    /* by environment: the flags that answer by this one, and their keys; NULL: none */
    bool *touched[LIMIT_ENVIRONMENTS];
    char *touched_keys[LIMIT_ENVIRONMENTS];
};

static void draft_fini(struct draft *draft)
{
    for (size_t i = 0; i < LIMIT_ENVIRONMENTS; i++) {
        free(draft->fresh[i].key);
        json_free(draft->fresh[i].document);
        free(draft->fresh[i].text);
        free(draft->states[i]);
        free(draft->touched[i]);
        free(draft->touched_keys[i]);
    }
    free(draft->shared);
}

static char *print_and_free(struct json *json)
{
    char *text = json_print_canonical(json);

    json_free(json);
    return text;
}

/* The flag as the environment at i will have it; takes document. */
static bool draft_one(struct draft *draft, size_t i, struct json *document)
{
    const struct store *store = draft->store->all->at[i];
    const struct store_flag *now = draft->is_new ? NULL : &store->flags[draft->place];
    struct store_flag *fresh = &draft->fresh[i];

    fresh->document = document;
    fresh->key = strdup(json_get_text(document, "key", ""));
    fresh->text = json_print_canonical(document);
    draft->states[i] = print_and_free(flag_state_part(document));
    fresh->version = 1;
    fresh->shared_version = 1;
    fresh->revision = store_next_revision(store);
    fresh->changed_ms = fresh->created_ms = clock_wall_ms();
    if (now != NULL) {
        fresh->version = now->version + 1;
        fresh->shared_version = now->shared_version + (draft->shared != NULL);
        fresh->created_ms = now->created_ms;
        fresh->used_ms = now->used_ms;
        if (!flag_answers_differ(now->document, document)) {
            fresh->revision = now->revision;
            fresh->changed_ms = now->changed_ms;
        }
    }
    return document != NULL && fresh->key != NULL && fresh->text != NULL &&
           draft->states[i] != NULL;
}

/* What another environment makes of the new shared half. */
static struct json *document_elsewhere(const struct draft *draft, size_t i,
                                       const struct json *document)
{
    struct json *state, *joined;

    if (!draft->is_new) {
        return flag_join(document, draft->store->all->at[i]->flags[draft->place].document);
    }
    state = flag_state_off(document);
    joined = state != NULL ? flag_join(document, state) : NULL;
    json_free(state);
    return joined;
}

/* The flags that have this one as a prerequisite change with what it answers. */
static bool touch_others(struct draft *draft, size_t i)
{
    const struct store *store = draft->store->all->at[i];
    const struct store_flag *now = &store->flags[draft->place];
    struct view view = {.store = store};
    bool any = false;

    if (draft->is_new || draft->fresh[i].key == NULL ||
        !flag_answers_differ(now->document, draft->fresh[i].document)) {
        return true;
    }
    view_set_flag(&view, now->key, draft->fresh[i].document);
    draft->touched[i] = view_touched(&view, NULL);
    if (draft->touched[i] == NULL) {
        return false;
    }
    for (size_t k = 0; k < store->flag_count; k++) {
        any = any || draft->touched[i][k];
    }
    if (any) {
        draft->touched_keys[i] = store_touched_keys(store, draft->touched[i]);
    }
    return !any || draft->touched_keys[i] != NULL;
}

static bool make_draft(struct draft *draft, const struct json *document)
{
    const struct stores *all = draft->store->all;
    const struct store_flag *now = draft->is_new ? NULL : &draft->store->flags[draft->place];
    bool whole = true;

    if (now == NULL || flag_shared_differs(now->document, document)) {
        draft->shared = print_and_free(flag_shared_part(document));
        whole = draft->shared != NULL;
    }
    for (size_t i = 0; whole && i < all->count; i++) {
        if (all->at[i] == draft->store) {
            whole = draft_one(draft, i, json_copy(document));
        } else if (draft->shared != NULL) {
            whole = draft_one(draft, i, document_elsewhere(draft, i, document));
            draft->effects[draft->effect_count++] = (struct store_effect){
                all->at[i], draft->is_new ? NULL : all->at[i]->flags[draft->place].text,
                draft->fresh[i].text};
        }
        whole = whole && touch_others(draft, i);
    }
    return whole;
}

/* ---- into the image ---- */

static bool room_for_flag(struct stores *all)
{
    for (size_t i = 0; i < all->count; i++) {
        struct store *store = all->at[i];
        size_t room = store->flag_room * 2 + 16;
        struct store_flag *more;

        if (store->flag_count < store->flag_room) {
            continue;
        }
        more = realloc(store->flags, room * sizeof *more);
        if (more == NULL) {
            return false;
        }
        store->flags = more;
        store->flag_room = room;
    }
    return true;
}

/* Brings a committed draft into the image, which takes its parts. */
static void place_flags(struct draft *draft)
{
    for (size_t i = 0; i < draft->store->all->count; i++) {
        struct store *store = draft->store->all->at[i];
        struct store_flag *at = &store->flags[draft->place];

        if (draft->fresh[i].key == NULL) {
            continue;
        }
        if (draft->is_new) {
            memmove(at + 1, at, (store->flag_count - draft->place) * sizeof *at);
            store->flag_count++;
        } else {
            free(at->key);
            json_free(at->document);
            free(at->text);
        }
        store_stamp(store, draft->touched[i], draft->fresh[i].changed_ms);
        *at = draft->fresh[i];
        draft->fresh[i] = (struct store_flag){.key = NULL};
    }
}

/* ---- into the database ---- */

/* The statements of a draft with their parameters, and the guard of the version. */
struct writing {
    struct database_value shared[4], states[LIMIT_ENVIRONMENTS][6], old[3];
    struct database_value stamps[LIMIT_ENVIRONMENTS][4];
    struct database_statement statements[2 * LIMIT_ENVIRONMENTS + 1];
    size_t count;
    struct database_guard guard;
};

static void write_states(struct writing *writing, const struct draft *draft)
{
    const struct stores *all = draft->store->all;

    for (size_t i = 0; i < all->count; i++) {
        const struct store_flag *fresh = &draft->fresh[i];
        const struct database_value params[] = {
            database_text(all->at[i]->environment), database_text(fresh->key),
            database_int(fresh->version),           database_int(fresh->revision),
            database_int(fresh->changed_ms),        database_text(draft->states[i])};

        if (fresh->key != NULL) {
            memcpy(writing->states[i], params, sizeof params);
            writing->statements[writing->count++] = (struct database_statement){
                "INSERT OR REPLACE INTO flag_state(environment, key, version, revision, "
                "changed_ms, document) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                writing->states[i], 6};
        }
        if (draft->touched_keys[i] != NULL) {
            const struct database_value stamp[] = {params[0], params[3], params[4],
                                                   database_text(draft->touched_keys[i])};

            memcpy(writing->stamps[i], stamp, sizeof stamp);
            writing->statements[writing->count++] = (struct database_statement){
                "UPDATE flag_state SET revision = ?2, changed_ms = ?3 WHERE environment = ?1 AND "
                "key IN (SELECT value FROM json_each(?4))",
                writing->stamps[i], 4};
        }
    }
}

static void write_draft(struct writing *writing, const struct draft *draft,
                        const struct store_flag *fresh)
{
    const struct database_value shared[] = {
        database_text(fresh->key), database_int(fresh->shared_version),
        database_int(fresh->created_ms), database_text(draft->shared)};
    const struct database_value old[] = {database_text(draft->store->environment),
                                         database_text(fresh->key),
                                         database_int(fresh->version - 1)};

    memcpy(writing->shared, shared, sizeof shared);
    memcpy(writing->old, old, sizeof old);
    if (draft->shared != NULL) {
        writing->statements[writing->count++] = (struct database_statement){
            draft->is_new ? "INSERT INTO flag(key, version, created_ms, document) VALUES(?1, ?2, "
                            "?3, ?4)"
                          : "UPDATE flag SET version = ?2, document = ?4 WHERE key = ?1",
            writing->shared, 4};
    }
    write_states(writing, draft);
    writing->guard = draft->is_new
                         ? (struct database_guard){"NOT EXISTS (SELECT 1 FROM flag WHERE key = ?2)",
                                                   writing->old, 2, ERR_STALE,
                                                   "a flag of this key exists already"}
                         : (struct database_guard){
                               "coalesce((SELECT version FROM flag_state WHERE environment "
                               "= ?1 AND key = ?2), 1) = ?3",
                               writing->old, 3, ERR_STALE, "the flag was changed by somebody else"};
}

static enum err_code commit_draft(const struct draft *draft, const struct store_actor *who,
                                  const char *action, struct err *err)
{
    const struct stores *all = draft->store->all;
    struct writing writing = {.count = 0};
    const struct store_flag *fresh = NULL;
    struct store_change change = {.who = who,
                                  .visible = true,
                                  .guards = &writing.guard,
                                  .guard_count = 1,
                                  .statements = writing.statements,
                                  .others = draft->effects,
                                  .other_count = draft->effect_count};

    for (size_t i = 0; i < all->count; i++) {
        fresh = all->at[i] == draft->store ? &draft->fresh[i] : fresh;
    }
    CHECK(fresh != NULL);
    write_draft(&writing, draft, fresh);
    change.action = action != NULL ? action : draft->is_new ? "flag.create" : "flag.update";
    change.flag = fresh->key;
    change.before = draft->is_new ? NULL : draft->store->flags[draft->place].text;
    change.after = fresh->text;
    change.statement_count = writing.count;
    return store_commit(draft->store, &change, err);
}

/* ---- changes ---- */

static size_t count_in_use(const struct store *store)
{
    size_t count = 0;

    for (size_t i = 0; i < store->flag_count; i++) {
        count += !store->flags[i].archived;
    }
    return count;
}

static enum err_code too_many(struct err *err)
{
    return err_set(err, ERR_LIMIT,
                   "there are %u flags already, the limit of one server: archive those that "
                   "no code asks for",
                   LIMIT_FLAGS);
}

static enum err_code refuse_version(const char *key, struct err *err)
{
    return err_set(err, ERR_STALE, "flag '%s' has another version by now: read it again", key);
}

enum err_code store_put_flag(struct store *store, const struct store_actor *who, const char *action,
                             const struct json *document, int64_t version, struct err *err)
{
    const char *key = json_get_text(document, "key", "");
    struct draft draft = {.store = store};
    const struct store_flag *now;
    enum err_code rc;
    bool found;

    CHECK(store->flags != NULL); /* made when the store is read, even for no flag */
    draft.place = store_flag_place(store, key, &found);
    draft.is_new = !found;
    now = found ? &store->flags[draft.place] : NULL;
    if (now != NULL && version == 0) {
        return err_set(err, ERR_CONFLICT,
                       now->archived ? "a flag '%s' was archived: choose another key, or have it "
                                       "back (flags restore %s)"
                                     : "a flag '%s' exists already",
                       key, key);
    }
    if (version > 0 && (now == NULL || now->archived || now->version != version)) {
        return refuse_version(key, err);
    }
    if (now == NULL && count_in_use(store) >= LIMIT_FLAGS) {
        return too_many(err);
    }
    if (!make_draft(&draft, document) || !room_for_flag(store->all)) {
        rc = err_set(err, ERR_NOMEM, "out of memory");
    } else {
        rc = commit_draft(&draft, who, action, err);
    }
    if (rc == ERR_OK) {
        place_flags(&draft);
    }
    draft_fini(&draft);
    return rc;
}

/* ---- archive and restore: in all environments at once ---- */

static void drop_ties(struct store *store, const char *flag)
{
    for (size_t i = 0; i < store->tie_count;) {
        if (strcmp(store->ties[i].flag, flag) == 0 && store->ties[i].state == TIE_PENDING) {
            store_tie_clear(&store->ties[i]);
            store->tie_count--;
            memmove(&store->ties[i], &store->ties[i + 1],
                    (store->tie_count - i) * sizeof *store->ties);
        } else {
            i++;
        }
    }
}

static void mark_archived(struct stores *all, size_t place, int64_t now_ms, bool archive)
{
    for (size_t i = 0; i < all->count; i++) {
        struct store_flag *flag = &all->at[i]->flags[place];

        flag->version++;
        flag->shared_version++;
        flag->revision = all->at[i]->revision;
        flag->changed_ms = now_ms;
        flag->archived = archive;
        flag->archived_ms = archive ? now_ms : 0;
        if (archive) {
            drop_ties(all->at[i], flag->key);
        }
    }
}

static enum err_code set_archived(struct store *store, const struct store_actor *who, size_t place,
                                  bool archive, struct err *err)
{
    struct stores *all = store->all;
    const struct store_flag *flag = &store->flags[place];
    int64_t now_ms = clock_wall_ms();
    struct database_value params[] = {database_text(flag->key), database_int(now_ms),
                                      database_text(tie_state_name(TIE_PENDING))};
    struct database_value old[] = {database_text(store->environment), params[0],
                                   database_int(flag->version)};
    struct database_guard guard = {"coalesce((SELECT version FROM flag_state WHERE environment = "
                                   "?1 AND key = ?2), 1) = ?3",
                                   old, 3, ERR_STALE, "the flag was changed by somebody else"};
    struct database_statement statements[] = {
        {archive ? "UPDATE flag SET version = version + 1, archived_ms = ?2 WHERE key = ?1"
                 : "UPDATE flag SET version = version + 1, archived_ms = NULL WHERE key = ?1",
         params, archive ? 2 : 1},
        {"INSERT OR IGNORE INTO flag_state(environment, key, version, revision, changed_ms, "
         "document) SELECT name, ?1, 1, 1, ?2, json_object('state', 'off', 'fallthrough', "
         "json_object('variant', (SELECT json_extract(document, '$.off_variant') FROM flag WHERE "
         "key = ?1))) FROM environment WHERE dropped_ms IS NULL",
         params, 2},
        /* the environments' revisions are the new ones already: store_commit() sets them first */
        {"UPDATE flag_state SET version = version + 1, changed_ms = ?2, revision = (SELECT "
         "revision FROM environment WHERE name = flag_state.environment) WHERE key = ?1",
         params, 2},
        {"DELETE FROM tie WHERE flag = ?1 AND state = ?3", params, 3}};
    struct store_effect effects[LIMIT_ENVIRONMENTS];
    struct store_change change = {.who = who,
                                  .visible = true,
                                  .flag = flag->key,
                                  .action = archive ? "flag.archive" : "flag.restore",
                                  .before = archive ? flag->text : NULL,
                                  .after = archive ? NULL : flag->text,
                                  .guards = &guard,
                                  .guard_count = 1,
                                  .statements = statements,
                                  .statement_count = archive ? 4 : 3,
                                  .others = effects};
    enum err_code rc;

    for (size_t i = 0; i < all->count; i++) {
        const char *text = all->at[i]->flags[place].text;

        if (all->at[i] != store) {
            effects[change.other_count++] =
                (struct store_effect){all->at[i], archive ? text : NULL, archive ? NULL : text};
        }
    }
    rc = store_commit(store, &change, err);
    if (rc == ERR_OK) {
        mark_archived(all, place, now_ms, archive);
    }
    return rc;
}

enum err_code store_archive_flag(struct store *store, const struct store_actor *who,
                                 const char *key, int64_t version, struct err *err)
{
    bool found;
    size_t place = store_flag_place(store, key, &found);

    if (!found || store->flags[place].archived || store->flags[place].version != version) {
        return refuse_version(key, err);
    }
    return set_archived(store, who, place, true, err);
}

enum err_code store_restore_flag(struct store *store, const struct store_actor *who,
                                 const char *key, int64_t version, struct err *err)
{
    bool found;
    size_t place = store_flag_place(store, key, &found);

    if (!found || !store->flags[place].archived || store->flags[place].version != version) {
        return refuse_version(key, err);
    }
    if (count_in_use(store) >= LIMIT_FLAGS) {
        return too_many(err);
    }
    return set_archived(store, who, place, false, err);
}
