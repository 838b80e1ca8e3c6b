#include "server/store_image.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "flags/parts.h"

enum {
    OWN_STATEMENTS_MAX = 3 * LIMIT_ENVIRONMENTS + 8, /* of a change itself */
    STATEMENTS_MAX = OWN_STATEMENTS_MAX + 2 * LIMIT_ENVIRONMENTS + 1,
    GUARDS_MAX = LIMIT_ENVIRONMENTS + 5,
    AUDIT_COLUMNS = 9
};

/* ---- memory ---- */

static void flag_clear(struct store_flag *flag)
{
    free(flag->key);
    json_free(flag->document);
    free(flag->text);
}

void store_tie_clear(struct tie *tie)
{
    free((void *)(uintptr_t)tie->flag);
    free((void *)(uintptr_t)tie->database_id);
    free((void *)(uintptr_t)tie->migration);
    free((void *)(uintptr_t)tie->label);
    free((void *)(uintptr_t)tie->old_variant);
    free((void *)(uintptr_t)tie->new_variant);
    free((void *)(uintptr_t)tie->hold_owner);
}

bool store_tie_copy(struct tie *to, const struct tie *from)
{
    *to = *from;
    to->flag = strdup(from->flag);
    to->database_id = strdup(from->database_id);
    to->migration = strdup(from->migration);
    to->label = strdup(from->label != NULL ? from->label : "");
    to->old_variant = strdup(from->old_variant);
    to->new_variant = strdup(from->new_variant);
    to->hold_owner = strdup(from->hold_owner != NULL ? from->hold_owner : "");
    if (to->hold_owner == NULL || to->flag == NULL || to->database_id == NULL ||
        to->migration == NULL || to->label == NULL || to->old_variant == NULL ||
        to->new_variant == NULL) {
        store_tie_clear(to);
        return false;
    }
    return true;
}

/* All but the name. */
static void clear_store(struct store *store)
{
    for (size_t i = 0; i < store->flag_count; i++) {
        flag_clear(&store->flags[i]);
    }
    for (size_t i = 0; i < store->tie_count; i++) {
        store_tie_clear(&store->ties[i]);
    }
    for (size_t i = 0; i < store->piece_count; i++) {
        store_piece_clear(&store->pieces[i]);
    }
    free(store->flags);
    free(store->ties);
    free(store->pieces);
    store->flags = NULL;
    store->ties = NULL;
    store->pieces = NULL;
    store->piece_count = store->piece_room = 0;
    store->flag_count = store->flag_room = store->tie_count = store->tie_room = 0;
}

static void free_store(struct store *store)
{
    if (store != NULL) {
        clear_store(store);
        free(store->environment);
        free(store);
    }
}

void stores_clear(struct stores *stores)
{
    for (size_t i = 0; i < stores->count; i++) {
        free_store(stores->at[i]);
    }
    while (stores->gone != NULL) {
        struct store *next = stores->gone->next_gone;

        free_store(stores->gone);
        stores->gone = next;
    }
    stores->count = 0;
    domain_pool_free(stores->pool);
    stores->pool = NULL;
}

/* ---- places ---- */

size_t store_flag_place(const struct store *store, const char *key, bool *found)
{
    size_t low = 0, high = store->flag_count;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(key, store->flags[middle].key);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

static int compare_ties(const struct tie *a, const struct tie *b)
{
    int order = strcmp(a->flag, b->flag);

    if (order == 0) {
        order = strcmp(a->database_id, b->database_id);
    }
    return order != 0 ? order : strcmp(a->migration, b->migration);
}

size_t store_tie_place(const struct store *store, const struct tie *tie, bool *found)
{
    size_t i = 0;

    *found = false;
    while (i < store->tie_count) {
        int order = compare_ties(tie, &store->ties[i]);

        if (order <= 0) {
            *found = order == 0;
            return i;
        }
        i++;
    }
    return i;
}

/* ---- reading ---- */

static enum err_code load_environments(struct stores *into, struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(
        into->db,
        "SELECT name, epoch, revision, is_default, watched_ms, "
        "all_used_ms FROM environment WHERE dropped_ms IS NULL ORDER BY position, name",
        NULL, 0, &rows, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (database_rows_count(rows) == 0) {
        rc = err_set(err, ERR_INVALID, "%s was never initialised: first run flag-server init",
                     database_url(into->db));
    } else if (database_rows_count(rows) > LIMIT_ENVIRONMENTS) {
        rc = err_set(err, ERR_LIMIT, "%s has more than %u environments", database_url(into->db),
                     LIMIT_ENVIRONMENTS);
    }
    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        struct store *store = calloc(1, sizeof *store);

        if (store == NULL) {
            rc = err_set(err, ERR_NOMEM, "out of memory");
            break;
        }
        into->at[into->count++] = store;
        store->db = into->db;
        store->environment = strdup(database_rows_text(rows, i, 0));
        store->epoch = database_rows_int(rows, i, 1, 0);
        store->revision = database_rows_int(rows, i, 2, 0);
        store->is_default = database_rows_int(rows, i, 3, 0) != 0;
        store->watched_ms = database_rows_int(rows, i, 4, 0);
        store->all_used_ms = database_rows_int(rows, i, 5, 0);
        if (store->environment == NULL) {
            rc = err_set(err, ERR_NOMEM, "out of memory");
        }
    }
    database_rows_free(rows);
    return rc;
}

/* Without a state nobody has said anything about the flag here yet: it is off, in version 1. */
static enum err_code read_document(struct store_flag *flag, const char *shared_text,
                                   const char *state_text, struct err *err)
{
    struct json *shared = NULL, *state = NULL;
    enum err_code rc = json_parse(shared_text, strlen(shared_text), &shared, err);

    if (rc == ERR_OK && state_text != NULL) {
        rc = json_parse(state_text, strlen(state_text), &state, err);
    } else if (rc == ERR_OK) {
        state = flag_state_off(shared);
    }
    if (rc == ERR_OK) {
        flag->document = flag_join(shared, state);
        flag->text = json_print_canonical(flag->document); /* whoever wrote the rows */
        if (flag->document == NULL || flag->text == NULL) {
            rc = err_set(err, ERR_NOMEM, "out of memory");
        }
    }
    json_free(shared);
    json_free(state);
    return rc;
}

static enum err_code load_flags(struct store *into, struct err *err)
{
    struct database_value environment = database_text(into->environment);
    struct database_rows *rows = NULL;
    enum err_code rc;
    size_t count;

    rc =
        database_query(into->db,
                       "SELECT f.key, coalesce(s.version, 1), coalesce(s.revision, 1), "
                       "coalesce(s.changed_ms, f.created_ms), coalesce(f.archived_ms, 0), "
                       "f.version, f.created_ms, f.document, s.document, coalesce(u.at_ms, 0) FROM "
                       "flag AS f LEFT JOIN flag_state AS s ON s.environment = ?1 AND s.key = "
                       "f.key LEFT JOIN flag_use AS u ON u.environment = ?1 AND u.key = f.key "
                       "ORDER BY f.key",
                       &environment, 1, &rows, err);
    if (rc != ERR_OK) {
        return rc;
    }
    count = database_rows_count(rows);
    into->flags = calloc(count + 1, sizeof *into->flags);
    if (into->flags == NULL) {
        database_rows_free(rows);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    into->flag_room = count + 1;
    for (size_t i = 0; i < count && rc == ERR_OK; i++) {
        struct store_flag *flag = &into->flags[i];

        flag->key = strdup(database_rows_text(rows, i, 0));
        flag->version = database_rows_int(rows, i, 1, 0);
        flag->revision = database_rows_int(rows, i, 2, 0);
        flag->changed_ms = database_rows_int(rows, i, 3, 0);
        flag->archived_ms = database_rows_int(rows, i, 4, 0);
        flag->archived = flag->archived_ms != 0;
        flag->shared_version = database_rows_int(rows, i, 5, 0);
        flag->created_ms = database_rows_int(rows, i, 6, 0);
        flag->used_ms = database_rows_int(rows, i, 9, 0);
        into->flag_count++;
        rc = flag->key == NULL ? err_set(err, ERR_NOMEM, "out of memory")
                               : read_document(flag, database_rows_text(rows, i, 7),
                                               database_rows_text(rows, i, 8), err);
        if (rc != ERR_OK) {
            err_wrap(err, "flag '%s' in the store", database_rows_text(rows, i, 0));
        }
    }
    database_rows_free(rows);
    return rc;
}

static enum err_code load_ties(struct store *into, struct err *err)
{
    struct database_value environment = database_text(into->environment);
    struct database_rows *rows = NULL;
    enum err_code rc;
    size_t count;

    rc = database_query(into->db,
                        "SELECT flag, database_id, migration, label, old_variant, new_variant, "
                        "state, lease_s, held, hold_owner, hold_taken_ms, hold_renewed_ms, "
                        "sequence FROM tie WHERE environment = ?1 "
                        "ORDER BY flag, database_id, migration",
                        &environment, 1, &rows, err);
    if (rc != ERR_OK) {
        return rc;
    }
    count = database_rows_count(rows);
    into->ties = calloc(count + 1, sizeof *into->ties);
    into->tie_room = count + 1;
    if (into->ties == NULL) {
        database_rows_free(rows);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < count && rc == ERR_OK; i++) {
        struct tie tie = {
            .flag = database_rows_text(rows, i, 0),
            .database_id = database_rows_text(rows, i, 1),
            .migration = database_rows_text(rows, i, 2),
            .label = database_rows_text(rows, i, 3),
            .old_variant = database_rows_text(rows, i, 4),
            .new_variant = database_rows_text(rows, i, 5),
            .lease_s = database_rows_int(rows, i, 7, 0),
            .held = database_rows_int(rows, i, 8, 0) != 0,
            .hold_owner = database_rows_text(rows, i, 9),
            .hold_taken_ms = database_rows_int(rows, i, 10, 0),
            .hold_renewed_ms = database_rows_int(rows, i, 11, 0),
            .sequence = database_rows_int(rows, i, 12, 0),
        };

        if (!tie_state_of(database_rows_text(rows, i, 6), &tie.state)) {
            rc = err_set(err, ERR_INVALID, "migration %s in the store has the unknown state '%s'",
                         tie.migration, database_rows_text(rows, i, 6));
        } else if (!store_tie_copy(&into->ties[i], &tie)) {
            rc = err_set(err, ERR_NOMEM, "out of memory");
        } else {
            into->tie_count++;
        }
    }
    database_rows_free(rows);
    return rc;
}

/* Brings what was read into the struct store that its environment has already. */
static void take_place(struct store *old, struct store *fresh)
{
    struct store was = *old;

    *old = *fresh;
    *fresh = was;
    old->all = was.all;
    free_store(fresh);
}

static void swap_in(struct stores *stores, struct stores *fresh)
{
    for (size_t i = 0; i < fresh->count; i++) {
        struct store *old = stores_find(stores, fresh->at[i]->environment);

        if (old != NULL) {
            take_place(old, fresh->at[i]);
            fresh->at[i] = old;
        }
        fresh->at[i]->all = stores;
    }
    for (size_t i = 0; i < stores->count; i++) {
        struct store *old = stores->at[i];
        bool kept = false;

        for (size_t k = 0; k < fresh->count; k++) {
            kept = kept || fresh->at[k] == old;
        }
        if (!kept) { /* somebody may be in the middle of it */
            clear_store(old);
            old->next_gone = stores->gone;
            stores->gone = old;
        }
    }
    memcpy(stores->at, fresh->at, sizeof stores->at);
    stores->count = fresh->count;
}

enum err_code stores_load(struct stores *stores, struct err *err)
{
    struct stores fresh = {.db = stores->db};
    enum err_code rc = load_environments(&fresh, err);

    for (size_t i = 0; rc == ERR_OK && i < fresh.count; i++) {
        rc = load_flags(fresh.at[i], err);
        rc = rc ? rc : load_ties(fresh.at[i], err);
        rc = rc ? rc : store_load_pieces(fresh.at[i], err);
    }
    if (rc != ERR_OK) {
        stores_clear(&fresh);
        return rc;
    }
    rc = stores_load_shards(stores, err);
    if (rc != ERR_OK) {
        stores_clear(&fresh);
        return rc;
    }
    swap_in(stores, &fresh);
    return ERR_OK;
}

/* ---- changing ---- */

int64_t store_next_revision(const struct store *store)
{
    return store->revision + 1;
}

/* A batch on its way together, with what its parts point to. */
struct commit {
    struct database_value revisions[LIMIT_ENVIRONMENTS][3];
    struct database_value audits[LIMIT_ENVIRONMENTS][AUDIT_COLUMNS];
    struct database_value environments;
    struct database_guard guards[GUARDS_MAX];
    struct database_statement statements[STATEMENTS_MAX];
    struct database_statement records[LIMIT_ENVIRONMENTS];
    struct database_batch batch;
    size_t effects;
};

static void add_effect(struct commit *commit, const struct store_change *change,
                       const struct store *store, const char *before, const char *after)
{
    static const char *const stale = "another program changed the store at the same time; what it "
                                     "says now is served: repeat the change if it is still wanted";
    size_t i = commit->effects++;
    int64_t revision = change->visible ? store_next_revision(store) : store->revision;
    struct database_value *numbers = commit->revisions[i];
    const struct database_value audit[AUDIT_COLUMNS] = {
        database_text(i == 0 && change->audit_in != NULL ? change->audit_in : store->environment),
        database_int(clock_wall_ms()),
        database_text(change->who->name),
        database_text(change->action),
        database_text(change->flag),
        database_int(revision),
        database_text(before),
        database_text(after),
        database_text(change->who->reason)};

    numbers[0] = database_text(store->environment);
    numbers[1] = database_int(store->revision);
    numbers[2] = database_int(revision);
    memcpy(commit->audits[i], audit, sizeof audit);
    commit->guards[commit->batch.before_count++] = (struct database_guard){
        "(SELECT revision FROM environment WHERE name = ?1 AND dropped_ms IS NULL) = ?2", numbers,
        2, ERR_BUSY, stale};
    if (change->visible) {
        commit->statements[commit->batch.statement_count++] = (struct database_statement){
            "UPDATE environment SET revision = ?3 WHERE name = ?1 AND revision = ?2", numbers, 3};
    }
    commit->records[i] = (struct database_statement){
        "INSERT INTO audit(environment, at_ms, actor, action, flag, revision, before, after, "
        "reason) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        commit->audits[i], AUDIT_COLUMNS};
    if (change->other_count > 0 && i == 0) { /* all there are, or one was made meanwhile */
        commit->environments = database_int((int64_t)store->all->count);
        commit->guards[commit->batch.before_count++] = (struct database_guard){
            "(SELECT count(*) FROM environment WHERE dropped_ms IS NULL) = ?1",
            &commit->environments, 1, ERR_BUSY, stale};
    }
}

enum err_code store_commit(struct store *store, const struct store_change *change, struct err *err)
{
    struct commit commit = {.effects = 0};
    struct database_batch *batch = &commit.batch;
    struct err ignored;
    enum err_code rc;

    CHECK(change->other_count < LIMIT_ENVIRONMENTS && change->guard_count <= 2 &&
          change->statement_count <= OWN_STATEMENTS_MAX);
    batch->before = commit.guards;
    batch->statements = commit.statements;
    add_effect(&commit, change, store, change->before, change->after);
    for (size_t i = 0; i < change->other_count; i++) {
        add_effect(&commit, change, change->others[i].store, change->others[i].before,
                   change->others[i].after);
    }
    for (size_t i = 0; i < change->guard_count; i++) {
        commit.guards[batch->before_count++] = change->guards[i];
    }
    for (size_t i = 0; i < change->statement_count; i++) {
        commit.statements[batch->statement_count++] = change->statements[i];
    }
    for (size_t i = 0; i < commit.effects; i++) {
        commit.statements[batch->statement_count++] = commit.records[i];
    }
    store_add_rider(store->all, commit.guards, &batch->before_count, commit.statements,
                    &batch->statement_count);
    err = err != NULL ? err : &ignored;
    rc = database_batch(store->db, batch, NULL, err);
    if (rc == ERR_OK) {
        store->revision += change->visible;
        for (size_t i = 0; i < change->other_count; i++) {
            change->others[i].store->revision += change->visible;
        }
        return ERR_OK;
    }
    if (rc == ERR_CONFLICT) { /* a constraint of our own schema: nothing that a client could mend */
        rc = err->code = ERR_IO;
    }
    if (rc != ERR_NOT_FOUND) {
        /* Another program was here, or the disk failed in the middle of a commit: what the file
         * says is what counts. If it cannot be read either, the image we have is the best. */
        (void)!stores_load(store->all, NULL);
    }
    return rc;
}
