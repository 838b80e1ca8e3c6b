#include "server/tokens.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "server/store.h"

enum { TOKEN_TEXT_MAX = 200, REFRESH_US = 1000000 };

static const struct {
    const char *name;
    enum role role;
} roles[] = {
    {"admin", ROLE_ADMIN},   {"sdk-server", ROLE_SDK_SERVER}, {"sdk-client", ROLE_SDK_CLIENT},
    {"viewer", ROLE_VIEWER}, {"editor", ROLE_EDITOR},         {"pipeline", ROLE_PIPELINE},
};

bool role_of(const char *name, enum role *out)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (strcmp(roles[i].name, name) == 0) {
            *out = roles[i].role;
            return true;
        }
    }
    return false;
}

const char *role_name(enum role role)
{
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) {
        if (roles[i].role == role) {
            return roles[i].name;
        }
    }
    return "nobody";
}

struct entry {
    char hash[DIGEST_HEX_BYTES];
    struct identity who;
};

struct tokens {
    pthread_rwlock_t lock;
    struct entry *entries;
    size_t count;
    atomic_llong loaded_us; /* monotonic */
};

struct tokens *tokens_new(void)
{
    struct tokens *tokens = calloc(1, sizeof *tokens);

    if (tokens != NULL) {
        pthread_rwlock_init(&tokens->lock, NULL);
    }
    return tokens;
}

void tokens_free(struct tokens *tokens)
{
    if (tokens != NULL) {
        pthread_rwlock_destroy(&tokens->lock);
        free(tokens->entries);
        free(tokens);
    }
}

struct loading {
    struct entry *entries;
    size_t count, room;
    bool failed;
};

static void load_one(void *ctx, const struct store_token *token)
{
    struct loading *loading = ctx;
    struct entry *entry;
    enum role found;

    if (!role_of(token->role, &found)) {
        return; /* of a newer server: it may do nothing here */
    }
    if (loading->count == loading->room) {
        size_t room = loading->room * 2 + 16;

        entry = realloc(loading->entries, room * sizeof *entry);
        if (entry == NULL) {
            loading->failed = true;
            return;
        }
        loading->entries = entry;
        loading->room = room;
    }
    entry = &loading->entries[loading->count++];
    memset(entry, 0, sizeof *entry);
    entry->who.role = found;
    snprintf(entry->who.id, sizeof entry->who.id, "%s", token->id);
    snprintf(entry->who.name, sizeof entry->who.name, "%s", token->name);
    snprintf(entry->who.environment, sizeof entry->who.environment, "%s",
             token->environment != NULL ? token->environment : "");
    snprintf(entry->hash, sizeof entry->hash, "%s", token->hash);
}

enum err_code tokens_load(struct tokens *tokens, struct stores *stores, struct err *err)
{
    struct loading loading = {0};
    struct entry *old;
    enum err_code rc = stores_each_token(stores, load_one, &loading, err);

    if (rc == ERR_OK && loading.failed) {
        rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    if (rc != ERR_OK) {
        free(loading.entries);
        return rc;
    }
    pthread_rwlock_wrlock(&tokens->lock);
    old = tokens->entries;
    tokens->entries = loading.entries;
    tokens->count = loading.count;
    pthread_rwlock_unlock(&tokens->lock);
    free(old);
    atomic_store(&tokens->loaded_us, clock_monotonic_us());
    return ERR_OK;
}

bool tokens_may_refresh(const struct tokens *tokens)
{
    return clock_monotonic_us() - atomic_load(&tokens->loaded_us) > REFRESH_US;
}

void tokens_refresh(struct tokens *tokens, struct stores *stores)
{
    if (tokens_may_refresh(tokens)) {
        /* before, so that failures are not repeated faster either */
        atomic_store(&tokens->loaded_us, clock_monotonic_us());
        (void)!tokens_load(tokens, stores, NULL);
    }
}

bool tokens_find(struct tokens *tokens, const char *text, struct identity *out)
{
    char hash[DIGEST_HEX_BYTES];
    size_t len = strlen(text);
    bool found = false;

    if (len > TOKEN_TEXT_MAX) {
        return false;
    }
    (void)digest_hex(text, len, hash);
    pthread_rwlock_rdlock(&tokens->lock);
    for (size_t i = 0; i < tokens->count && !found; i++) {
        if (secret_equal(hash, DIGEST_HEX_BYTES - 1, tokens->entries[i].hash,
                         DIGEST_HEX_BYTES - 1)) {
            *out = tokens->entries[i].who;
            found = true;
        }
    }
    pthread_rwlock_unlock(&tokens->lock);
    return found;
}
