#include "server/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "database/database.h"
#include "server/migrations.h"
#include "server/store_image.h"

enum {
    BUSY_TIMEOUT_MS =
        2000, /* another program (a backup, `flag-server token`) holds the file so long
                               at most before a change is answered 503 */
};

/* ---- opening ---- */

static enum err_code apply_schema(const char *url, const char *environment, bool create,
                                  struct err *err)
{
    struct migrate_options options = {
        .database = url, .files = server_migrations, .environment = environment, .create = create};
    struct migrate *migrate = NULL;
    struct json *report = NULL;
    enum err_code rc = migrate_open(&options, &migrate, err);

    if (rc == ERR_OK) {
        rc = migrate_apply(migrate, &(struct migrate_apply){0}, &report, err);
    }
    json_free(report);
    migrate_close(migrate);
    return rc;
}

/* What stands in the file: nothing, a store, or something else. */
enum contents { NOTHING, A_STORE, HALF_A_STORE, SOMETHING_ELSE };

static enum err_code look(struct database *db, enum contents *out, struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc =
        database_query(db,
                       "SELECT coalesce(sum(name IN ('environment', 'flag', 'audit', 'token')), "
                       "0), count(*) FROM sqlite_master WHERE type = 'table' AND name NOT LIKE "
                       "'lockstep\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND "
                       "name <> 'd1_migrations'",
                       NULL, 0, &rows, err);
    int64_t ours, all;

    if (rc != ERR_OK) {
        return rc;
    }
    ours = database_rows_int(rows, 0, 0, 0);
    all = database_rows_int(rows, 0, 1, 0);
    database_rows_free(rows);
    if (ours == 0) {
        *out = all == 0 ? NOTHING : SOMETHING_ELSE;
        return ERR_OK;
    }
    if (ours < 4) {
        *out = SOMETHING_ELSE;
        return ERR_OK;
    }
    rc = database_query(db, "SELECT 1 FROM environment", NULL, 0, &rows, err);
    if (rc == ERR_OK) {
        *out = database_rows_count(rows) > 0 ? A_STORE : HALF_A_STORE;
        database_rows_free(rows);
    }
    return rc;
}

static enum err_code write_first_rows(struct database *db, const char *environment, struct err *err)
{
    /* The epoch only has to differ from, and be above, every earlier one of this environment: the
     * seconds of its making are both, and a restored copy that gets a new one is above too. */
    struct database_value params[] = {database_text(environment),
                                      database_int(clock_wall_ms() / 1000)};
    struct database_statement statement = {"INSERT INTO environment(name, epoch, revision, "
                                           "is_default, watched_ms) VALUES(?1, ?2, 1, 1, "
                                           "?2 * 1000)",
                                           params, 2};
    struct database_guard guard = {"NOT EXISTS (SELECT 1 FROM environment)", NULL, 0, ERR_CONFLICT,
                                   "another program is initialising this store"};
    struct database_batch batch = {
        .before = &guard, .before_count = 1, .statements = &statement, .statement_count = 1};

    return database_batch(db, &batch, NULL, err);
}

static enum err_code refuse_contents(const char *url, enum contents contents, struct err *err)
{
    if (contents == A_STORE) {
        return err_set(err, ERR_CONFLICT,
                       "%s is a flag server's store already: start it with flag-server serve "
                       "--store %s",
                       url, url);
    }
    if (contents == SOMETHING_ELSE) {
        return err_set(err, ERR_INVALID,
                       "%s holds the tables of another program: give the flag server a file of "
                       "its own",
                       url);
    }
    return ERR_OK;
}

enum err_code store_init(const char *url, const char *environment, char token[STORE_TOKEN_BYTES],
                         struct err *err)
{
    struct stores stores = {.db = NULL};
    struct store_actor who = {"flag-server init", NULL};
    enum contents contents = NOTHING;
    char id[33];
    enum err_code rc = database_open(
        url, &(struct database_options){.busy_timeout_ms = BUSY_TIMEOUT_MS, .wal = true},
        &stores.db, err);

    if (rc == ERR_OK) {
        rc = look(stores.db, &contents, err);
    }
    if (rc == ERR_OK) {
        rc = refuse_contents(url, contents, err);
    }
    if (rc == ERR_OK) {
        rc = apply_schema(url, environment, true, err);
    }
    if (rc == ERR_OK) {
        rc = database_prepare_guards(stores.db, err);
    }
    if (rc == ERR_OK) {
        rc = write_first_rows(stores.db, environment, err);
    }
    if (rc == ERR_OK) {
        rc = stores_load(&stores, err);
    }
    if (rc == ERR_OK) {
        rc = store_make_token(stores.at[0], &who, "admin", "first", true, id, token, err);
    }
    stores_clear(&stores);
    database_close(stores.db);
    return rc;
}

static enum err_code open_database(const char *url, bool read_only, struct database **db,
                                   struct err *err)
{
    struct database_options options = {.must_exist = true,
                                       .read_only = read_only,
                                       .wal = !read_only,
                                       .busy_timeout_ms = BUSY_TIMEOUT_MS};

    return database_open(url, &options, db, err);
}

enum err_code stores_open(const char *url, struct stores **out, char read_only_why[ERR_MSG_BYTES],
                          struct err *err)
{
    struct stores *stores = calloc(1, sizeof *stores);
    enum contents contents = NOTHING;
    struct err why = {0};
    enum err_code rc;

    if (stores == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    read_only_why[0] = '\0';
    rc = open_database(url, true, &stores->db, err);
    if (rc == ERR_OK) {
        rc = look(stores->db, &contents, err);
    }
    if (rc == ERR_NOT_FOUND || (rc == ERR_OK && contents != A_STORE)) {
        rc = err_set(err, ERR_INVALID,
                     "%s is not an initialised store: first run flag-server init --store %s", url,
                     url);
    }
    if (rc == ERR_OK) { /* now it is worth to write to it */
        struct database *writable = NULL;

        if (apply_schema(url, NULL, false, &why) == ERR_OK &&
            open_database(url, false, &writable, &why) == ERR_OK &&
            database_prepare_guards(writable, &why) == ERR_OK) {
            database_close(stores->db);
            stores->db = writable;
        } else {
            database_close(writable);
            memcpy(read_only_why, why.msg, sizeof why.msg);
        }
        rc = stores_load(stores, err);
    }
    if (rc != ERR_OK) {
        stores_close(stores);
        return rc;
    }
    *out = stores;
    return ERR_OK;
}

void stores_close(struct stores *stores)
{
    if (stores != NULL) {
        stores_clear(stores);
        database_close(stores->db);
        free(stores);
    }
}

enum err_code stores_ping(struct stores *stores, struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc =
        database_query(stores->db, "SELECT revision FROM environment", NULL, 0, &rows, err);

    database_rows_free(rows);
    return rc;
}

/* ---- tokens ---- */

static void make_token_text(const char *role, char token[STORE_TOKEN_BYTES],
                            char hash[DIGEST_HEX_BYTES])
{
    char random[49];

    snprintf(token, STORE_TOKEN_BYTES, "ls_%s_%s", role, random_hex(24, random));
    (void)digest_hex(token, strlen(token), hash);
}

enum err_code store_make_token(struct store *store, const struct store_actor *who, const char *role,
                               const char *name, bool everywhere, char id[33],
                               char token[STORE_TOKEN_BYTES], struct err *err)
{
    char hash[DIGEST_HEX_BYTES];
    struct json *after = json_object();
    char *after_text;
    enum err_code rc;

    make_token_text(role, token, hash);
    (void)random_hex(8, id);
    json_put_text(after, "id", id);
    json_put_text(after, "role", role);
    json_put_text(after, "name", name);
    json_put_text(after, "environment", everywhere ? "*" : store->environment);
    after_text = json_print_canonical(after);
    json_free(after);
    if (after_text == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    {
        struct database_value params[] = {database_text(id),
                                          database_text(name),
                                          database_text(role),
                                          database_text(hash),
                                          database_int(clock_wall_ms()),
                                          database_text(everywhere ? NULL : store->environment)};
        struct database_statement statement = {"INSERT INTO token(id, name, role, hash, "
                                               "created_ms, environment) VALUES(?1, ?2, ?3, ?4, "
                                               "?5, ?6)",
                                               params, 6};
        struct store_change change = {.who = who,
                                      .action = "token.create",
                                      .after = after_text,
                                      .statements = &statement,
                                      .statement_count = 1};

        rc = store_commit(store, &change, err);
    }
    free(after_text);
    return rc;
}

enum err_code store_drop_token(struct store *store, const struct store_actor *who, const char *id,
                               struct err *err)
{
    struct database_value param = database_text(id);
    struct database_guard guard = {"EXISTS (SELECT 1 FROM token WHERE id = ?1)", &param, 1,
                                   ERR_NOT_FOUND, "no token has this id"};
    struct database_statement statement = {"DELETE FROM token WHERE id = ?1", &param, 1};
    struct json *quoted = json_string(id);
    char *before = json_print(quoted);
    struct store_change change = {.who = who,
                                  .action = "token.revoke",
                                  .before = before,
                                  .guards = &guard,
                                  .guard_count = 1,
                                  .statements = &statement,
                                  .statement_count = 1};
    enum err_code rc = store_commit(store, &change, err);

    json_free(quoted);
    free(before);
    return rc;
}

enum err_code stores_each_token(struct stores *stores, store_token_fn *each, void *ctx,
                                struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(stores->db,
                                      "SELECT id, name, role, hash, created_ms, environment FROM "
                                      "token ORDER BY created_ms, id",
                                      NULL, 0, &rows, err);

    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; i < database_rows_count(rows); i++) {
        struct store_token token = {.id = database_rows_text(rows, i, 0),
                                    .name = database_rows_text(rows, i, 1),
                                    .role = database_rows_text(rows, i, 2),
                                    .hash = database_rows_text(rows, i, 3),
                                    .created_ms = database_rows_int(rows, i, 4, 0),
                                    .environment = database_rows_text(rows, i, 5)};

        each(ctx, &token);
    }
    database_rows_free(rows);
    return ERR_OK;
}

/* ---- clients ---- */

enum err_code store_put_client(struct store *store, const struct store_client *client,
                               int64_t forget_ms, struct err *err)
{
    struct database_value params[] = {
        database_text(store->environment), database_text(client->name),
        database_text(client->instance),   database_int(client->seen_ms),
        database_int(client->epoch),       database_int(client->revision),
        database_int(client->lease),       database_text(client->kind)};
    struct database_value old[] = {params[0], database_int(forget_ms)};
    struct database_statement statements[] = {
        {"INSERT OR REPLACE INTO client(environment, name, instance, seen_ms, epoch, revision, "
         "lease, kind) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
         params, 8},
        {"DELETE FROM client WHERE environment = ?1 AND seen_ms < ?2", old, 2}};

    return database_batch(store->db,
                          &(struct database_batch){.statements = statements, .statement_count = 2},
                          NULL, err);
}

enum err_code store_each_client(struct store *store, int64_t seen_ms, store_client_fn *each,
                                void *ctx, struct err *err)
{
    struct database_value params[] = {database_text(store->environment), database_int(seen_ms)};
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(store->db,
                                      "SELECT name, instance, seen_ms, epoch, revision, lease, "
                                      "kind FROM client WHERE environment = ?1 AND seen_ms >= ?2",
                                      params, 2, &rows, err);

    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = 0; i < database_rows_count(rows); i++) {
        struct store_client client = {.name = database_rows_text(rows, i, 0),
                                      .instance = database_rows_text(rows, i, 1),
                                      .seen_ms = database_rows_int(rows, i, 2, 0),
                                      .epoch = database_rows_int(rows, i, 3, 0),
                                      .revision = database_rows_int(rows, i, 4, 0),
                                      .lease = database_rows_int(rows, i, 5, 0) != 0,
                                      .kind = database_rows_text(rows, i, 6)};

        each(ctx, &client);
    }
    database_rows_free(rows);
    return ERR_OK;
}
