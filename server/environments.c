#include "server/environments.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct environments {
    pthread_rwlock_t lock;
    struct environment **at; /* those that there are, the default one first */
    size_t count;
    struct environment **gone; /* the worker's */
    size_t gone_count;
};

struct environments *environments_new(void)
{
    struct environments *environments = calloc(1, sizeof *environments);

    if (environments != NULL) {
        pthread_rwlock_init(&environments->lock, NULL);
    }
    return environments;
}

static void free_one(struct environment *environment)
{
    if (environment != NULL) {
        live_free(environment->live);
        clients_free(environment->clients);
        free(environment);
    }
}

void environments_free(struct environments *environments)
{
    if (environments == NULL) {
        return;
    }
    for (size_t i = 0; i < environments->count; i++) {
        free_one(environments->at[i]);
    }
    for (size_t i = 0; i < environments->gone_count; i++) {
        free_one(environments->gone[i]);
    }
    free(environments->at);
    free(environments->gone);
    pthread_rwlock_destroy(&environments->lock);
    free(environments);
}

/* ---- finding ---- */

static struct environment *find(const struct environments *environments, const char *name)
{
    for (size_t i = 0; i < environments->count; i++) {
        if (strcmp(environments->at[i]->name, name) == 0) {
            return environments->at[i];
        }
    }
    return NULL;
}

struct environment *environments_find(struct environments *environments, const char *name)
{
    struct environment *environment;

    pthread_rwlock_rdlock(&environments->lock);
    environment = find(environments, name);
    pthread_rwlock_unlock(&environments->lock);
    return environment;
}

struct environment *environments_default(struct environments *environments)
{
    struct environment *environment;

    pthread_rwlock_rdlock(&environments->lock);
    environment = environments->at[0];
    pthread_rwlock_unlock(&environments->lock);
    return environment;
}

size_t environments_count(struct environments *environments)
{
    size_t count;

    pthread_rwlock_rdlock(&environments->lock);
    count = environments->count;
    pthread_rwlock_unlock(&environments->lock);
    return count;
}

void environments_names(struct environments *environments, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    pthread_rwlock_rdlock(&environments->lock);
    for (size_t i = 0; i < environments->count && len < size; i++) {
        len += (size_t)snprintf(out + len, size - len, "%s'%s'", i > 0 ? ", " : "",
                                environments->at[i]->name);
    }
    pthread_rwlock_unlock(&environments->lock);
}

void environments_conflict(struct environments *environments, char why[ENVIRONMENTS_WHY_BYTES])
{
    char one[LIVE_WHY_BYTES];

    why[0] = '\0';
    pthread_rwlock_rdlock(&environments->lock);
    for (size_t i = 0; i < environments->count && why[0] == '\0'; i++) {
        live_conflict(environments->at[i]->live, one);
        if (one[0] != '\0' && environments->count > 1) {
            snprintf(why, ENVIRONMENTS_WHY_BYTES, "environment %s: %s", environments->at[i]->name,
                     one);
        } else {
            snprintf(why, ENVIRONMENTS_WHY_BYTES, "%s", one);
        }
    }
    pthread_rwlock_unlock(&environments->lock);
}

/* ---- following the store ---- */

static void restore_client(void *ctx, const struct store_client *row)
{
    struct client client = {.epoch = row->epoch, .revision = row->revision, .lease = row->lease};

    client.kind =
        strcmp(row->kind, client_kind_name(CLIENT_OFREP)) == 0 ? CLIENT_OFREP : CLIENT_SDK;

    snprintf(client.name, sizeof client.name, "%s", row->name);
    snprintf(client.instance, sizeof client.instance, "%s", row->instance);
    clients_restore(ctx, &client);
}

static enum err_code publish(struct environment *environment, unsigned poll_s, struct err *err)
{
    const struct store *store = environment->store;
    enum err_code rc;

    if (environment->served_epoch == store_epoch(store) &&
        environment->served_revision == store_revision(store)) {
        return ERR_OK;
    }
    rc = live_publish(environment->live, store, poll_s, err);
    if (rc == ERR_OK) {
        environment->served_epoch = store_epoch(store);
        environment->served_revision = store_revision(store);
    }
    return rc;
}

static enum err_code make(struct store *store, unsigned poll_s, struct environment **out,
                          struct err *err)
{
    struct environment *environment = calloc(1, sizeof *environment);
    enum err_code rc = ERR_NOMEM;

    if (environment != NULL) {
        environment->store = store;
        environment->live = live_new();
        environment->clients = clients_new();
        snprintf(environment->name, sizeof environment->name, "%s", store_environment(store));
    }
    if (environment == NULL || environment->live == NULL || environment->clients == NULL) {
        (void)err_set(err, ERR_NOMEM, "out of memory");
    } else {
        rc = store_each_client(store, clock_wall_ms() - CLIENT_FORGET_MS, restore_client,
                               environment->clients, err);
        rc = rc ? rc : publish(environment, poll_s, err);
    }
    if (rc != ERR_OK) {
        free_one(environment);
        return rc;
    }
    *out = environment;
    return ERR_OK;
}

/* Puts the new table in place of the old; what is in no place of it any more goes to those that are gone. */
static enum err_code swap(struct environments *environments, struct environment **fresh,
                          size_t count, struct err *err)
{
    size_t room = environments->gone_count + environments->count + 1;
    struct environment **gone = realloc(environments->gone, room * sizeof *gone), **old;

    if (gone == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    environments->gone = gone;
    for (size_t i = 0; i < environments->count; i++) {
        bool kept = false;

        for (size_t k = 0; k < count; k++) {
            kept = kept || fresh[k] == environments->at[i];
        }
        if (!kept) {
            gone[environments->gone_count++] = environments->at[i];
        }
    }
    pthread_rwlock_wrlock(&environments->lock);
    old = environments->at;
    environments->at = fresh;
    environments->count = count;
    pthread_rwlock_unlock(&environments->lock);
    free(old);
    return ERR_OK;
}

/* Whether the table names the environments of the store and no others. */
static bool same_places(const struct environments *environments, const struct stores *stores)
{
    if (environments->count != stores_count(stores)) {
        return false;
    }
    for (size_t i = 0; i < environments->count; i++) {
        const struct environment *environment = environments->at[i];

        if (stores_find(stores, environment->name) != environment->store) {
            return false;
        }
    }
    return environments->at[0]->store == stores_default(stores);
}

static enum err_code follow(struct environments *environments, struct stores *stores,
                            unsigned poll_s, struct err *err)
{
    struct environment **fresh = calloc(stores_count(stores), sizeof *fresh);
    struct environment **made = calloc(stores_count(stores), sizeof *made);
    size_t count = 0, made_count = 0;
    enum err_code rc =
        fresh != NULL && made != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");

    for (size_t i = 0; rc == ERR_OK && i <= stores_count(stores); i++) {
        /* the default one first, then the others in their order */
        struct store *store = i == 0 ? stores_default(stores) : stores_at(stores, i - 1);
        struct environment *now = find(environments, store_environment(store));

        if (i > 0 && store_is_default(store)) {
            continue;
        }
        if (now == NULL || now->store != store) {
            rc = make(store, poll_s, &now, err);
            made[made_count] = now;
            made_count += rc == ERR_OK;
        }
        if (rc == ERR_OK) {
            fresh[count++] = now;
        }
    }
    rc = rc ? rc : swap(environments, fresh, count, err);
    if (rc != ERR_OK) {
        for (size_t i = 0; i < made_count; i++) {
            free_one(made[i]);
        }
        free(fresh);
    }
    free(made);
    return rc;
}

enum err_code environments_publish(struct environments *environments, struct stores *stores,
                                   unsigned poll_s, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (!same_places(environments, stores)) {
        rc = follow(environments, stores, poll_s, err);
    }
    for (size_t i = 0; i < environments->count; i++) {
        struct environment *environment = environments->at[i];
        bool there = stores_find(stores, environment->name) == environment->store;
        enum err_code one = there ? publish(environment, poll_s, rc ? NULL : err) : ERR_OK;

        rc = rc ? rc : one;
    }
    return rc;
}

/* ---- which flags are asked for ---- */

static void collect(struct environment *environment, int64_t now_ms)
{
    bool all = atomic_exchange(&environment->all_used, false);
    struct ruleset_ticket ticket;
    const struct ruleset *rules = live_enter(environment->live, &ticket);
    size_t count = 0, most = ruleset_count(rules);
    const char **keys = calloc(most + 1, sizeof *keys);

    for (size_t i = 0; keys != NULL && i < most; i++) {
        if (ruleset_was_used(rules, i)) {
            ruleset_forget_use(rules, i);
            keys[count++] = flag_key(ruleset_at(rules, i));
        }
    }
    if (keys != NULL) {
        (void)!store_note_use(environment->store, keys, count, all, now_ms, NULL);
    }
    live_leave(environment->live, &ticket);
    free(keys);
}

void environments_collect_use(struct environments *environments, int64_t now_ms)
{
    for (size_t i = 0; i < environments->count; i++) {
        collect(environments->at[i], now_ms);
    }
}
