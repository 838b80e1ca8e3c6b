/*
 * The store's shards of domain sets: the same for all environments, as what is named by its content is.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/store_image.h"

/* ---- reading ---- */

/* One that is damaged is passed over: what cannot be answered without it says so. */
static enum err_code load_shard(struct stores *stores, const char *hash, struct err *err)
{
    struct database_value param = database_text(hash);
    struct database_rows *rows = NULL;
    struct domain_shard *shard = NULL;
    enum err_code rc = database_query(stores->db, "SELECT text FROM domain_shard WHERE hash = ?1",
                                      &param, 1, &rows, err);
    const char *text = rc == ERR_OK ? database_rows_text(rows, 0, 0) : NULL;

    if (text != NULL) {
        rc = domain_shard_parse(text, strlen(text), &shard, err);
        if (rc == ERR_OK && strcmp(domain_shard_hash(shard), hash) == 0) {
            rc = domain_pool_add(stores->pool, shard, err);
        }
        rc = rc == ERR_INVALID ? ERR_OK : rc;
    }
    domain_shard_drop(shard);
    database_rows_free(rows);
    return rc;
}

enum err_code stores_load_shards(struct stores *stores, struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc;

    if (stores->pool == NULL) {
        stores->pool = domain_pool_new();
    }
    if (stores->pool == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    rc = database_query(stores->db, "SELECT hash FROM domain_shard", NULL, 0, &rows, err);
    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        const char *hash = database_rows_text(rows, i, 0);

        if (domain_pool_find(stores->pool, hash) == NULL) {
            rc = load_shard(stores, hash, err);
        }
    }
    database_rows_free(rows);
    return rc;
}

const struct domain_pool *stores_pool(const struct stores *stores)
{
    return stores->pool;
}

static enum err_code get(void *ctx, const char *hash, struct domain_shard **out, struct err *err)
{
    const struct stores *stores = ctx;
    struct domain_shard *shard = domain_pool_find(stores->pool, hash);

    if (shard == NULL) {
        return err_set(err, ERR_NOT_FOUND,
                       "the domain rules %.64s are not here: send them before what names them",
                       hash);
    }
    *out = domain_shard_keep(shard);
    return ERR_OK;
}

struct domain_source stores_source(struct stores *stores)
{
    return (struct domain_source){get, stores};
}

/* ---- changing ---- */

static enum err_code put(void *ctx, struct domain_shard *shard, struct err *err)
{
    return stores_put_shard(ctx, shard, err);
}

struct domain_sink stores_sink(struct stores *stores)
{
    return (struct domain_sink){put, stores};
}

enum err_code stores_put_shard(struct stores *stores, struct domain_shard *shard, struct err *err)
{
    bool known = domain_pool_find(stores->pool, domain_shard_hash(shard)) != NULL;
    size_t len = 0;
    char *text = domain_shard_print(shard, &len);
    struct database_value params[] = {database_text(domain_shard_hash(shard)),
                                      database_int(clock_wall_ms()), database_text_n(text, len)};
    struct database_statement statement =
        known ? (struct database_statement){"UPDATE domain_shard SET made_ms = ?2 WHERE hash = ?1",
                                            params, 2}
              : (struct database_statement){"INSERT OR REPLACE INTO domain_shard(hash, made_ms, "
                                            "text) VALUES(?1, ?2, ?3)",
                                            params, 3};
    enum err_code rc;

    if (text == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    /* What names it commits after it, and syncs both. */
    rc = database_batch(
        stores->db,
        &(struct database_batch){.statements = &statement, .statement_count = 1, .relaxed = true},
        NULL, err);
    free(text);
    return rc == ERR_OK ? domain_pool_add(stores->pool, shard, err) : rc;
}

/* Those that any flag of any environment names. */
static struct domain_pool *named(const struct stores *stores)
{
    struct domain_pool *pool = domain_pool_new();
    bool whole = pool != NULL;

    for (size_t i = 0; i < stores->count; i++) {
        for (size_t k = 0; k < stores->at[i]->flag_count; k++) {
            const struct json *set = json_get(stores->at[i]->flags[k].document, "domain_set");
            const struct json *at = json_first(json_get(set, "shards"));

            for (; whole && at != NULL; at = json_next(at)) {
                struct domain_shard *shard =
                    json_text(at) != NULL ? domain_pool_find(stores->pool, json_text(at)) : NULL;

                whole = shard == NULL || domain_pool_add(pool, shard, NULL) == ERR_OK;
            }
        }
    }
    if (!whole) {
        domain_pool_free(pool);
        return NULL;
    }
    return pool;
}

struct sweeping {
    struct domain_pool *named;
    const struct database_rows *old;
};

static bool stays(void *ctx, const struct domain_shard *shard)
{
    const struct sweeping *sweeping = ctx;
    const char *hash = domain_shard_hash(shard);

    for (size_t i = 0; i < database_rows_count(sweeping->old); i++) {
        if (strcmp(database_rows_text(sweeping->old, i, 0), hash) == 0) {
            return domain_pool_find(sweeping->named, hash) != NULL;
        }
    }
    return true;
}

enum err_code stores_sweep_shards(struct stores *stores, int64_t before_ms, size_t *removed,
                                  struct err *err)
{
    struct database_value before = database_int(before_ms);
    struct database_rows *rows = NULL;
    struct sweeping sweeping = {named(stores), NULL};
    enum err_code rc = ERR_NOMEM;

    *removed = 0;
    if (sweeping.named != NULL) {
        rc = database_query(stores->db,
                            "SELECT hash FROM domain_shard WHERE made_ms < ?1 ORDER BY made_ms",
                            &before, 1, &rows, err);
    }
    sweeping.old = rows;
    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        struct database_value hash = database_text(database_rows_text(rows, i, 0));
        struct database_statement statement = {"DELETE FROM domain_shard WHERE hash = ?1", &hash,
                                               1};

        if (domain_pool_find(sweeping.named, database_rows_text(rows, i, 0)) != NULL) {
            continue;
        }
        rc = database_batch(stores->db,
                            &(struct database_batch){
                                .statements = &statement, .statement_count = 1, .relaxed = true},
                            NULL, err);
        *removed += rc == ERR_OK;
    }
    if (rc == ERR_OK) {
        domain_pool_sweep(stores->pool, stays, &sweeping);
    }
    database_rows_free(rows);
    domain_pool_free(sweeping.named);
    return rc;
}
