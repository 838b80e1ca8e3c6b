#include "server/store_image.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"

enum { STATEMENTS_MAX = 8, GUARDS_MAX = 4 };

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

void store_image_clear(struct store *store)
{
    for (size_t i = 0; i < store->flag_count; i++) {
        flag_clear(&store->flags[i]);
    }
    for (size_t i = 0; i < store->tie_count; i++) {
        store_tie_clear(&store->ties[i]);
    }
    free(store->flags);
    free(store->ties);
    free(store->environment);
    store->flags = NULL;
    store->ties = NULL;
    store->environment = NULL;
    store->flag_count = store->flag_room = store->tie_count = store->tie_room = 0;
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

static enum err_code load_environment(struct store *into, struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(into->db, "SELECT name, epoch, revision FROM environment",
                                      NULL, 0, &rows, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (database_rows_count(rows) != 1) {
        rc = err_set(err, ERR_INVALID, "%s was never initialised: first run flag-server init",
                     database_url(into->db));
    } else {
        into->environment = strdup(database_rows_text(rows, 0, 0));
        into->epoch = database_rows_int(rows, 0, 1, 0);
        into->revision = database_rows_int(rows, 0, 2, 0);
        if (into->environment == NULL) {
            rc = err_set(err, ERR_NOMEM, "out of memory");
        }
    }
    database_rows_free(rows);
    return rc;
}

static enum err_code load_flags(struct store *into, struct err *err)
{
    struct database_value environment = database_text(into->environment);
    struct database_rows *rows = NULL;
    enum err_code rc;
    size_t count;

    rc = database_query(into->db,
                        "SELECT key, version, revision, changed_ms, archived_ms IS NOT NULL, "
                        "document FROM flag WHERE environment = ?1 ORDER BY key",
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
        const char *text = database_rows_text(rows, i, 5);

        flag->key = strdup(database_rows_text(rows, i, 0));
        flag->version = database_rows_int(rows, i, 1, 0);
        flag->revision = database_rows_int(rows, i, 2, 0);
        flag->changed_ms = database_rows_int(rows, i, 3, 0);
        flag->archived = database_rows_int(rows, i, 4, 0) != 0;
        into->flag_count++;
        rc = flag->key == NULL ? err_set(err, ERR_NOMEM, "out of memory")
                               : json_parse(text, strlen(text), &flag->document, err);
        if (rc == ERR_OK) {
            flag->text = json_print_canonical(flag->document); /* whoever wrote the row */
            rc = flag->text == NULL ? err_set(err, ERR_NOMEM, "out of memory") : ERR_OK;
        }
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

enum err_code store_load(struct store *store, struct err *err)
{
    struct store fresh = {.db = store->db};
    enum err_code rc = load_environment(&fresh, err);

    if (rc == ERR_OK) {
        rc = load_flags(&fresh, err);
    }
    if (rc == ERR_OK) {
        rc = load_ties(&fresh, err);
    }
    if (rc != ERR_OK) {
        store_image_clear(&fresh);
        return rc;
    }
    store_image_clear(store);
    *store = fresh;
    return ERR_OK;
}

/* ---- changing ---- */

int64_t store_next_revision(const struct store *store)
{
    return store->revision + 1;
}

enum err_code store_commit(struct store *store, const struct store_change *change, struct err *err)
{
    int64_t revision = change->visible ? store_next_revision(store) : store->revision;
    struct database_value base[] = {database_text(store->environment),
                                    database_int(store->revision)};
    struct database_value next[] = {database_text(store->environment), database_int(revision)};
    struct database_value audit[] = {
        database_text(store->environment), database_int(clock_wall_ms()),
        database_text(change->who->name),  database_text(change->action),
        database_text(change->flag),       database_int(revision),
        database_text(change->before),     database_text(change->after),
        database_text(change->who->reason)};
    struct database_guard guards[GUARDS_MAX];
    struct database_statement statements[STATEMENTS_MAX];
    struct database_batch batch = {.before = guards, .statements = statements};
    struct err ignored;
    enum err_code rc;

    CHECK(change->guard_count < GUARDS_MAX && change->statement_count + 2 <= STATEMENTS_MAX);
    guards[batch.before_count++] = (struct database_guard){
        "(SELECT revision FROM environment WHERE name = ?1) = ?2", base, 2, ERR_BUSY,
        "another program changed the store at the same time; what it says now is served: repeat "
        "the change if it is still wanted"};
    for (size_t i = 0; i < change->guard_count; i++) {
        guards[batch.before_count++] = change->guards[i];
    }
    if (change->visible) {
        statements[batch.statement_count++] = (struct database_statement){
            "UPDATE environment SET revision = ?2 WHERE name = ?1", next, 2};
    }
    for (size_t i = 0; i < change->statement_count; i++) {
        statements[batch.statement_count++] = change->statements[i];
    }
    statements[batch.statement_count++] = (struct database_statement){
        "INSERT INTO audit(environment, at_ms, actor, action, flag, revision, before, after, "
        "reason) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        audit, 9};
    err = err != NULL ? err : &ignored;
    rc = database_batch(store->db, &batch, NULL, err);
    if (rc == ERR_OK) {
        store->revision = revision;
        return ERR_OK;
    }
    if (rc == ERR_CONFLICT) { /* a constraint of our own schema: nothing that a client could mend */
        rc = err->code = ERR_IO;
    }
    if (rc != ERR_NOT_FOUND) {
        /* Another program was here, or the disk failed in the middle of a commit: what the file
         * says is what counts. If it cannot be read either, the image we have is the best. */
        (void)!store_load(store, NULL);
    }
    return rc;
}
