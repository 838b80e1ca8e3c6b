/*
 * The store's environments: which there are, and how one is made, renamed and dropped. Each of these is
 * rare, so the image is read anew afterwards.
 */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/store_image.h"

enum { NAME_BYTES_MAX = 63 }; /* what a database that belongs to one can note of it */

/* Every table that has a column "environment" but the audit, which keeps what was. */
static const char *const tables[] = {"flag_state", "flag_use", "tie",     "client",
                                     "token",      "piece",    "schedule"};
enum { TABLES = sizeof tables / sizeof *tables };

/* ---- reading ---- */

size_t stores_count(const struct stores *stores)
{
    return stores->count;
}

struct store *stores_at(const struct stores *stores, size_t index)
{
    CHECK(index < stores->count);
    return stores->at[index];
}

struct store *stores_find(const struct stores *stores, const char *name)
{
    for (size_t i = 0; i < stores->count; i++) {
        if (strcmp(stores->at[i]->environment, name) == 0) {
            return stores->at[i];
        }
    }
    return NULL;
}

struct store *stores_default(const struct stores *stores)
{
    for (size_t i = 0; i < stores->count; i++) {
        if (stores->at[i]->is_default) {
            return stores->at[i];
        }
    }
    return stores->at[0];
}

struct stores *store_all(const struct store *store)
{
    return store->all;
}

const char *store_environment(const struct store *store)
{
    return store->environment;
}

bool store_is_default(const struct store *store)
{
    return store->is_default;
}

int64_t store_epoch(const struct store *store)
{
    return store->epoch;
}

int64_t store_revision(const struct store *store)
{
    return store->revision;
}

bool store_environment_name_ok(const char *name)
{
    size_t len = strlen(name);

    return len > 0 && len <= NAME_BYTES_MAX && strchr("._-", name[0]) == NULL &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len;
}

/* ---- changing ---- */

/* {"name": ...} as text */
static char *named(const char *member, const char *name)
{
    struct json *json = json_object();
    char *text;

    json_put_text(json, member, name);
    text = json_print_canonical(json);
    json_free(json);
    return text;
}

static enum err_code refuse_taken(const char *name, struct err *err)
{
    return err_set(err, ERR_CONFLICT, "an environment '%s' exists already", name);
}

/* Commits, and reads everything anew: what was changed is not in the image yet. */
static enum err_code commit_and_load(struct store *store, const struct store_change *change,
                                     struct err *err)
{
    enum err_code rc = store_commit(store, change, err);

    return rc == ERR_OK ? stores_load(store->all, err) : rc;
}

enum err_code stores_make(struct stores *stores, const struct store_actor *who, const char *name,
                          const struct store *like, struct err *err)
{
    struct database_value params[] = {database_text(name), database_int(clock_wall_ms() / 1000),
                                      database_int(clock_wall_ms()),
                                      database_text(like != NULL ? like->environment : NULL)};
    struct database_guard guard = {"NOT EXISTS (SELECT 1 FROM environment WHERE name = ?1 AND "
                                   "dropped_ms IS NULL)",
                                   params, 1, ERR_STALE, "another program made it"};
    struct database_statement statements[] = {
        /* A client that knows the name from before takes what has a greater epoch, and nothing else. */
        {"INSERT OR REPLACE INTO environment(name, epoch, revision, position, is_default, "
         "watched_ms) SELECT ?1, max(?2, 1 + max(epoch)), 1, 1 + max(position), 0, ?2 * 1000 FROM "
         "environment",
         params, 2},
        {"INSERT INTO flag_state(environment, key, version, revision, changed_ms, document) SELECT "
         "?1, key, 1, 1, ?3, document FROM flag_state WHERE environment = ?4",
         params, 4},
        {"INSERT INTO piece(environment, kind, key, version, changed_ms, document) SELECT ?1, "
         "kind, "
         "key, 1, ?3, document FROM piece WHERE environment = ?4",
         params, 4}};
    char *before = like != NULL ? named("from", like->environment) : NULL;
    char *after = named("environment", name);
    struct store_change change = {.who = who,
                                  .action = "environment.create",
                                  .before = before,
                                  .after = after,
                                  .guards = &guard,
                                  .guard_count = 1,
                                  .statements = statements,
                                  .statement_count = like != NULL ? 3 : 1};
    enum err_code rc;

    if (stores_find(stores, name) != NULL) {
        rc = refuse_taken(name, err);
    } else if (stores->count >= LIMIT_ENVIRONMENTS) {
        rc = err_set(err, ERR_LIMIT, "there are %u environments already, the limit of one server",
                     LIMIT_ENVIRONMENTS);
    } else {
        rc = commit_and_load(stores_default(stores), &change, err);
    }
    free(before);
    free(after);
    return rc;
}

enum err_code stores_rename(struct stores *stores, const struct store_actor *who,
                            struct store *store, const char *name, struct err *err)
{
    static const char *const moves[TABLES] = {
        "UPDATE flag_state SET environment = ?2 WHERE environment = ?1",
        "UPDATE flag_use SET environment = ?2 WHERE environment = ?1",
        "UPDATE tie SET environment = ?2 WHERE environment = ?1",
        "UPDATE client SET environment = ?2 WHERE environment = ?1",
        "UPDATE token SET environment = ?2 WHERE environment = ?1",
        "UPDATE piece SET environment = ?2 WHERE environment = ?1",
        "UPDATE schedule SET environment = ?2 WHERE environment = ?1"};
    struct database_value params[] = {database_text(store->environment), database_text(name),
                                      database_int(clock_wall_ms() / 1000)};
    struct database_guard guard = {"NOT EXISTS (SELECT 1 FROM environment WHERE name = ?2 AND "
                                   "dropped_ms IS NULL)",
                                   params, 2, ERR_STALE, "another program made it"};
    struct database_statement statements[TABLES + 3] = {
        {"UPDATE audit SET environment = ?2 WHERE environment = ?1", params, 2},
        {"DELETE FROM environment WHERE name = ?2 AND dropped_ms IS NOT NULL", params, 2},
        {"UPDATE environment SET name = ?2, epoch = (SELECT max(?3, 1 + max(epoch)) FROM "
         "environment), revision = revision + 1 WHERE name = ?1",
         params, 3}};
    char *before = named("environment", store->environment);
    char *after = named("environment", name);
    struct store_change change = {.who = who,
                                  .action = "environment.rename",
                                  .before = before,
                                  .after = after,
                                  .guards = &guard,
                                  .guard_count = 1,
                                  .statements = statements,
                                  .statement_count = TABLES + 3,
                                  .audit_in = name};
    enum err_code rc;

    for (size_t i = 0; i < TABLES; i++) {
        statements[3 + i] = (struct database_statement){moves[i], params, 2};
    }
    if (stores_find(stores, name) != NULL) {
        rc = refuse_taken(name, err);
    } else {
        rc = commit_and_load(store, &change, err);
    }
    free(before);
    free(after);
    return rc;
}

enum err_code stores_drop(struct stores *stores, const struct store_actor *who, struct store *store,
                          struct err *err)
{
    static const char *const drops[TABLES] = {"DELETE FROM flag_state WHERE environment = ?1",
                                              "DELETE FROM flag_use WHERE environment = ?1",
                                              "DELETE FROM tie WHERE environment = ?1",
                                              "DELETE FROM client WHERE environment = ?1",
                                              "DELETE FROM token WHERE environment = ?1",
                                              "DELETE FROM piece WHERE environment = ?1",
                                              "DELETE FROM schedule WHERE environment = ?1"};
    struct database_value params[] = {database_text(store->environment),
                                      database_int(clock_wall_ms())};
    struct database_statement statements[TABLES + 1] = {
        {"UPDATE environment SET dropped_ms = ?2 WHERE name = ?1", params, 2}};
    char *before = named("environment", store->environment);
    struct store_change change = {.who = who,
                                  .action = "environment.drop",
                                  .before = before,
                                  .statements = statements,
                                  .statement_count = TABLES + 1};
    struct store *heir = stores_default(stores);
    enum err_code rc;

    CHECK(heir != store);
    for (size_t i = 0; i < TABLES; i++) {
        statements[1 + i] = (struct database_statement){drops[i], params, 1};
    }
    rc = commit_and_load(heir, &change, err);
    free(before);
    return rc;
}
