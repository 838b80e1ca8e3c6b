#include "sdk/client.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/lease.h"
#include "base/limits.h"

#define TIMEOUT_MS_DEFAULT 10000u

static char *copy(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

static lockstep_status fail(lockstep_status status, char *error, size_t error_size,
                            const char *text)
{
    if (error != NULL && error_size > 0)
        snprintf(error, error_size, "%s", text);
    return status;
}

/* ---- what the configuration says ---- */

static enum err_code set_url(lockstep_client *client, const char *url, struct err *err)
{
    size_t len;

    if (url == NULL)
        url = getenv("LOCKSTEP_URL");
    if (url == NULL || url[0] == '\0')
        return err_set(err, ERR_INVALID, "no server: set config.url or LOCKSTEP_URL");
    len = strlen(url);
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)
        return err_set(err, ERR_INVALID, "'%.100s' is no http:// or https:// address", url);
    if (len > LIMIT_URL_BYTES)
        return err_set(err, ERR_INVALID, "the server's address is longer than %u bytes",
                       LIMIT_URL_BYTES);
    while (len > 0 && url[len - 1] == '/')
        len--;
    client->url = malloc(len + sizeof RULESET_PATH);
    if (client->url == NULL)
        return err_set(err, ERR_NOMEM, "out of memory");
    memcpy(client->url, url, len);
    memcpy(client->url + len, RULESET_PATH, sizeof RULESET_PATH);
    return ERR_OK;
}

static enum err_code set_token(lockstep_client *client, const lockstep_config *config,
                               struct err *err)
{
    const char *token = config->token;

    if (token == NULL && config->token_file != NULL) {
        client->token_file = copy(config->token_file);
        if (client->token_file == NULL)
            return err_set(err, ERR_NOMEM, "out of memory");
        return token_read(config->token_file, &client->token, err);
    }
    if (token == NULL)
        token = getenv("LOCKSTEP_TOKEN");
    if (token == NULL || token[0] == '\0')
        return err_set(err, ERR_INVALID,
                       "no token: set config.token, config.token_file or LOCKSTEP_TOKEN");
    client->token = copy(token);
    return client->token != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

/* Header lines that say who is asking; what could end a line early is replaced. */
static void set_headers(lockstep_client *client, const char *name)
{
    char hex[33];
    char *at;

    if (name == NULL || name[0] == '\0')
        name = program_invocation_short_name;
    snprintf(client->name_header, sizeof client->name_header, "X-Lockstep-Client: %.100s", name);
    for (at = client->name_header; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f)
            *at = '_';
    }
    snprintf(client->instance_header, sizeof client->instance_header, "X-Lockstep-Instance: %s",
             random_hex(16, hex));
}

static enum err_code set_up(lockstep_client *client, const lockstep_config *config, struct err *err)
{
    enum err_code rc = set_url(client, config->url, err);

    if (rc == ERR_OK)
        rc = set_token(client, config, err);
    if (rc != ERR_OK)
        return rc;
    set_headers(client, config->name);
    client->poll_ms = config->poll_ms;
    client->timeout_ms = config->timeout_ms > 0 ? config->timeout_ms : TIMEOUT_MS_DEFAULT;
    client->cache_file = copy(config->cache_file);
    client->cell = ruleset_cell_new();
    client->fetch = fetch_new();
    client->pool = domain_pool_new();
    if (client->pool == NULL || client->cell == NULL || client->fetch == NULL ||
        (config->cache_file != NULL && client->cache_file == NULL))
        return err_set(err, ERR_NOMEM, "out of memory");
    return ERR_OK;
}

/* By a clock that suspend does not stop. A wall clock that was put back makes the cache one from the
 * future, whose age nobody knows. */
static int64_t when_cached_us(int64_t confirmed_ms)
{
    int64_t age_ms = clock_wall_ms() - confirmed_ms;

    if (age_ms < -(int64_t)LEASE_SKEW_S * 1000)
        return NEVER;
    return boot_us() - (age_ms > 0 ? age_ms : 0) * 1000;
}

/* A cache that is missing, damaged or of a later format is as good as none. */
static void serve_cache(lockstep_client *client)
{
    struct ruleset *rules = NULL;
    struct json *document;
    char *body;
    size_t len;
    int64_t confirmed_ms;

    if (client->cache_file == NULL ||
        cache_read(client->cache_file, &body, &len, &confirmed_ms, NULL) != ERR_OK)
        return;
    if (json_parse(body, len, &document, NULL) == ERR_OK) {
        if (domains_get(client, document, false, &client->whole, NULL) == ERR_OK &&
            ruleset_build_with(document, client->pool, &rules, NULL) == ERR_OK) {
            client_serve(client, rules);
            client->state.from_cache = true;
            client->cached_ms = confirmed_ms;
            client->cached_us = when_cached_us(confirmed_ms);
        }
        json_free(document);
    }
    free(body);
}

/* ---- life ---- */

static void init_locks(lockstep_client *client)
{
    pthread_condattr_t by_monotonic;

    pthread_mutex_init(&client->lock, NULL);
    pthread_condattr_init(&by_monotonic);
    pthread_condattr_setclock(&by_monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&client->changed, &by_monotonic);
    pthread_condattr_destroy(&by_monotonic);
}

static void destroy(lockstep_client *client)
{
    fetch_free(client->fetch);
    ruleset_cell_free(client->cell);
    domain_pool_free(client->pool);
    pthread_cond_destroy(&client->changed);
    pthread_mutex_destroy(&client->lock);
    free(client->url);
    free(client->token_file);
    free(client->cache_file);
    free(client->token);
    free(client);
}

/* The application's signals are for its own threads. */
static int start_thread(lockstep_client *client)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&client->thread, NULL, poll_thread, client);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

lockstep_status lockstep_open(const lockstep_config *config, lockstep_client **out, char *error,
                              size_t error_size)
{
    static const lockstep_config defaults = {0};
    lockstep_client *client;
    struct err err = {0};
    enum err_code rc;

    if (out == NULL)
        return fail(LOCKSTEP_INVALID, error, error_size, "out must not be NULL");
    client = calloc(1, sizeof *client);
    if (client == NULL)
        return fail(LOCKSTEP_NOMEM, error, error_size, "out of memory");
    atomic_init(&client->confirmed_us, NEVER);
    client->cached_us = NEVER;
    client->told_us = NEVER;
    atomic_init(&client->cancel, false);
    init_locks(client);
    rc = set_up(client, config != NULL ? config : &defaults, &err);
    if (rc == ERR_OK) {
        serve_cache(client);
        if (start_thread(client) != 0)
            rc = err_set(&err, ERR_NOMEM, "no thread could be started");
    }
    if (rc != ERR_OK) {
        destroy(client);
        return fail(rc == ERR_NOMEM ? LOCKSTEP_NOMEM : LOCKSTEP_INVALID, error, error_size,
                    err.msg);
    }
    *out = client;
    return LOCKSTEP_OK;
}

void lockstep_close(lockstep_client *client)
{
    if (client == NULL)
        return;
    atomic_store(&client->cancel, true);
    pthread_mutex_lock(&client->lock);
    client->stopping = true;
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
    pthread_join(client->thread, NULL);
    destroy(client);
}

/* ---- waiting and asking how it is ---- */

static struct timespec deadline(unsigned timeout_ms)
{
    int64_t us = clock_monotonic_us() + (int64_t)timeout_ms * 1000;

    return (struct timespec){us / 1000000, (us % 1000000) * 1000};
}

lockstep_status lockstep_wait_ready(lockstep_client *client, unsigned timeout_ms)
{
    struct timespec until = deadline(timeout_ms);
    int rc = 0;
    bool ready;

    pthread_mutex_lock(&client->lock);
    while (!client->state.ready && rc == 0)
        rc = pthread_cond_timedwait(&client->changed, &client->lock, &until);
    ready = client->state.ready;
    pthread_mutex_unlock(&client->lock);
    return ready ? LOCKSTEP_OK : LOCKSTEP_TIMEOUT;
}

lockstep_status lockstep_refresh(lockstep_client *client, unsigned timeout_ms)
{
    struct timespec until = deadline(timeout_ms);
    lockstep_status status = LOCKSTEP_TIMEOUT;
    uint64_t wanted;
    int rc = 0;

    pthread_mutex_lock(&client->lock);
    /* The next one: a poll already under way may have been answered before the change that the
     * caller has in mind. */
    wanted = client->polls_started + 1;
    if (client->polls_wanted < wanted)
        client->polls_wanted = wanted;
    pthread_cond_broadcast(&client->changed);
    while (client->polls_done < wanted && rc == 0)
        rc = pthread_cond_timedwait(&client->changed, &client->lock, &until);
    if (client->polls_done >= wanted)
        status = client->last_good ? LOCKSTEP_OK : LOCKSTEP_FAILED;
    pthread_mutex_unlock(&client->lock);
    return status;
}

void lockstep_get_state(lockstep_client *client, lockstep_state *out)
{
    int64_t confirmed_us = atomic_load(&client->confirmed_us);

    pthread_mutex_lock(&client->lock);
    *out = client->state;
    out->confirmed_ms_ago = -1;
    if (confirmed_us != NEVER) {
        out->confirmed_ms_ago = (boot_us() - confirmed_us) / 1000;
    } else if (client->cached_ms > 0) {
        int64_t ago_ms = clock_wall_ms() - client->cached_ms;

        out->confirmed_ms_ago = ago_ms > 0 ? ago_ms : 0;
    }
    pthread_mutex_unlock(&client->lock);
}
