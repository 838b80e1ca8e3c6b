/*
 * The poll thread.
 *
 *     poll --304, 200 with what is served--> confirmed; the next poll after the interval
 *          --200, newer--> built, swapped, confirmed, kept on disk; the next poll at once, because
 *                          its If-None-Match tells the server what is served now, and gates wait
 *                          for that (the same when the cache's ruleset turns out to be current)
 *          --anything else--> what is served stays; the next poll after a pause that doubles
 *
 * A lease runs from when the request was sent, not from when its answer came: the server may have
 * changed its mind right after answering, and the answer may have travelled for long.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "flags/evaluate.h"
#include "sdk/client.h"

#define TOKEN_BYTES_MAX 4096
#define NEWS_AT_ONCE 5 /* acknowledging polls in a row before it is the interval's turn again */
#define BACKOFF_MS_FIRST 1000u

enum poll_result { POLL_SAME, POLL_NEWS, POLL_FAILED };

int64_t boot_us(void)
{
    struct timespec now;

#ifdef CLOCK_BOOTTIME
    if (clock_gettime(CLOCK_BOOTTIME, &now) != 0)
#endif
        clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

enum err_code token_read(const char *path, char **token, struct err *err)
{
    char *text;
    size_t len, from = 0;
    enum err_code rc = file_read(path, TOKEN_BYTES_MAX, &text, &len, err);

    if (rc != ERR_OK)
        return rc;
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        len--;
    while (from < len && isspace((unsigned char)text[from]))
        from++;
    memmove(text, text + from, len - from);
    text[len - from] = '\0';
    if (text[0] == '\0') {
        free(text);
        return err_set(err, ERR_INVALID, "%s: is empty; it must hold a token", path);
    }
    *token = text;
    return ERR_OK;
}

/* Whether the file holds another token now. It may be one for another environment. */
static bool token_renew(lockstep_client *client)
{
    char *token = NULL;
    bool other;

    if (client->token_file == NULL || token_read(client->token_file, &token, NULL) != ERR_OK ||
        token == NULL)
        return false;
    other = strcmp(token, client->token) != 0;
    client->known = client->known && !other;
    free(client->token);
    client->token = token;
    return other;
}

/* ---- an answer ---- */

static void confirm(lockstep_client *client, int64_t sent_us)
{
    client->known = true;
    atomic_store(&client->confirmed_us, sent_us);
    pthread_mutex_lock(&client->lock);
    client->state.from_cache = false;
    pthread_mutex_unlock(&client->lock);
}

/* ---- the cache ---- */

static int64_t wall_ms_of(int64_t then_us)
{
    return clock_wall_ms() - (boot_us() - then_us) / 1000;
}

/* Keeps what is served. A cache that cannot be written is removed; where not even that can be done
 * the ruleset is not acknowledged: after a restart an older one would be served, and the server must
 * not believe otherwise. */
static void keep(lockstep_client *client, const char *body, size_t len, int64_t sent_us,
                 struct err *err)
{
    client->kept_ms = 0;
    client->unkept = false;
    if (client->cache_file == NULL)
        return;
    if (cache_write(client->cache_file, body, len, wall_ms_of(sent_us), err) == ERR_OK) {
        client->kept_ms = wall_ms_of(sent_us);
        digest_hex(body, len, client->kept);
        return;
    }
    err_wrap(err, "cache: "); /* served all the same; the state shows it */
    client->unkept = unlink(client->cache_file) != 0 && errno != ENOENT && errno != ENOTDIR;
}

/* The cache says since when what it holds may be wrong, so with tied flags it is renewed once a
 * lease. Another process may have written something else there meanwhile, which stays. */
static void keep_young(lockstep_client *client, int64_t sent_us)
{
    char hex[DIGEST_HEX_BYTES], *body;
    size_t len;
    int64_t then_ms, now_ms = wall_ms_of(sent_us);

    if (client->kept_ms == 0 || client->lease_ms == 0 ||
        now_ms - client->kept_ms < (int64_t)client->lease_ms ||
        cache_read(client->cache_file, &body, &len, &then_ms, NULL) != ERR_OK)
        return;
    client->kept_ms = now_ms;
    if (strcmp(digest_hex(body, len, hex), client->kept) == 0 && then_ms < now_ms &&
        cache_write(client->cache_file, body, len, now_ms, NULL) != ERR_OK)
        client->kept_ms = 0; /* what is there is right, only older than it could be */
    free(body);
}

/* What is served is only ever replaced by something newer. Another environment is another line of
 * revisions altogether: a cache or a token from elsewhere. */
static int compare(const lockstep_client *client, const struct ruleset *rules,
                   const char *environment)
{
    uint64_t epoch = ruleset_epoch(rules), revision = ruleset_revision(rules);

    if (!client->serving || strcmp(environment, ruleset_environment(rules)) != 0)
        return 1;
    if (epoch != client->epoch)
        return epoch > client->epoch ? 1 : -1;
    return (revision > client->revision) - (revision < client->revision);
}

static unsigned shortest_lease_ms(const struct ruleset *rules)
{
    unsigned shortest_s = 0;

    for (size_t i = 0; i < ruleset_count(rules); i++) {
        unsigned lease_s = flag_lease_s(ruleset_at(rules, i));

        if (lease_s > 0 && (shortest_s == 0 || lease_s < shortest_s))
            shortest_s = lease_s;
    }
    return 1000 * shortest_s;
}

/* "X-Lockstep-Cannot-Evaluate: new-search,*": which flags of the ruleset use what this version does not know.
 * The server must not count on them here. */
static void note_unusable(lockstep_client *client, const struct ruleset *rules)
{
    static const char more[] = ",*";
    size_t size = sizeof client->cannot_header, len = 0;

    client->cannot_header[0] = '\0';
    for (size_t i = 0; i < ruleset_count(rules); i++) {
        const char *key = flag_key(ruleset_at(rules, i));

        if (flag_unusable(ruleset_at(rules, i)) == NULL)
            continue;
        if (len > 0 && len + 1 + strlen(key) + sizeof more > size) {
            snprintf(client->cannot_header + len, size - len, "%s", more);
            return;
        }
        len += (size_t)snprintf(client->cannot_header + len, size - len, "%s%.128s",
                                len == 0 ? "X-Lockstep-Cannot-Evaluate: " : ",", key);
    }
}

void client_serve(lockstep_client *client, struct ruleset *rules)
{
    note_unusable(client, rules);

    struct ruleset_ticket ticket;

    client->lease_ms = shortest_lease_ms(rules);
    client->epoch = ruleset_epoch(rules);
    client->revision = ruleset_revision(rules);
    client->serving = true;
    ruleset_carry_use(ruleset_cell_enter(client->cell, &ticket), rules);
    ruleset_cell_leave(client->cell, &ticket);
    ruleset_cell_swap(client->cell, rules);
    pthread_mutex_lock(&client->lock);
    client->state.ready = true;
    client->state.epoch = client->epoch;
    client->state.revision = client->revision;
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->lock);
}

static void read_interval(lockstep_client *client, const struct json *document)
{
    int64_t poll_s;

    client->server_poll_ms = 0;
    if (json_int(json_get(document, "poll_s"), &poll_s) && poll_s >= 1)
        client->server_poll_ms = 1000u * (unsigned)(poll_s > POLL_S_MAX ? POLL_S_MAX : poll_s);
}

static enum poll_result take_body(lockstep_client *client, const struct fetch_reply *reply,
                                  int64_t sent_us, struct err *err)
{
    struct ruleset_ticket ticket;
    const struct ruleset *now;
    struct ruleset *rules;
    struct json *document;
    int order;
    bool whole, was_whole = client->whole;

    if (json_parse(reply->body, reply->body_len, &document, err) != ERR_OK)
        return POLL_FAILED;
    if (domains_get(client, document, true, &whole, err) != ERR_OK ||
        ruleset_build_with(document, client->pool, &rules, err) != ERR_OK) {
        json_free(document);
        return POLL_FAILED;
    }
    now = ruleset_cell_enter(client->cell, &ticket);
    order = compare(client, rules, now != NULL ? ruleset_environment(now) : "");
    ruleset_cell_leave(client->cell, &ticket);
    if (order >= 0)
        read_interval(client, document);
    json_free(document);
    if (order < 0) {
        err_set(err, ERR_STALE,
                "the server is behind: it answered epoch %" PRIu64 " revision %" PRIu64
                ", and %" PRIu64 " revision %" PRIu64 " is served already",
                ruleset_epoch(rules), ruleset_revision(rules), client->epoch, client->revision);
        ruleset_free(rules);
        return POLL_FAILED;
    }
    if (order == 0 && was_whole) {
        bool was_known = client->known && !client->unkept;

        ruleset_free(rules);
        confirm(client, sent_us);
        keep(client, reply->body, reply->body_len, sent_us, err);
        return was_known || client->unkept ? POLL_SAME : POLL_NEWS;
    }
    client->whole = whole;
    client_serve(client, rules);
    confirm(client, sent_us); /* only now: no reader has the one before any more */
    keep(client, reply->body, reply->body_len, sent_us, err);
    domains_forget(client); /* behind keep(): what a cache names must be there */
    return POLL_NEWS;
}

/* ---- one poll ---- */

static enum err_code exchange(lockstep_client *client, struct fetch_reply *reply, struct err *err)
{
    const char *headers[] = {client->name_header,
                             client->instance_header,
                             "X-Lockstep-Lease: 1",
                             "X-Lockstep-Usage: 1",
                             client->cannot_header[0] != '\0' ? client->cannot_header : NULL,
                             NULL};
    char tag[64];
    struct fetch_request request = {.method = "GET",
                                    .url = client->url,
                                    .bearer = client->token,
                                    .headers = headers,
                                    .timeout_ms = (long)client->timeout_ms,
                                    .cancel = &client->cancel};

    /* Not for a ruleset from the cache: one of another environment may have the same tag, and 304
     * would make it this server's. Nor where an older one may be in the cache still, or where domain
     * rules are missing. */
    if (client->serving && client->known && !client->unkept && client->whole) {
        snprintf(tag, sizeof tag, "\"%" PRIu64 "-%" PRIu64 "\"", client->epoch, client->revision);
        request.if_none_match = tag;
    }
    return fetch_send(client->fetch, &request, reply, err);
}

static enum poll_result judge(lockstep_client *client, const struct fetch_reply *reply,
                              int64_t sent_us, struct err *err)
{
    if (reply->status == 200)
        return take_body(client, reply, sent_us, err);
    if (reply->status == 304 && client->serving && client->known) {
        confirm(client, sent_us);
        keep_young(client, sent_us);
        return POLL_SAME;
    }
    if (reply->status == 401)
        err_set(err, ERR_DENIED, "the server does not know the token (401)");
    else if (reply->status == 403)
        err_set(err, ERR_DENIED,
                "the token may not read rulesets (403); role sdk-server is needed");
    else
        err_set(err, ERR_IO, "the server answered with status %ld", reply->status);
    return POLL_FAILED;
}

static enum poll_result poll_once(lockstep_client *client, long *retry_after_s, struct err *err)
{
    enum poll_result result = POLL_FAILED;

    *retry_after_s = -1;
    for (int attempt = 0; attempt < 2; attempt++) {
        struct fetch_reply reply;
        int64_t sent_us = boot_us();
        bool again;

        if (exchange(client, &reply, err) != ERR_OK)
            return POLL_FAILED;
        result = judge(client, &reply, sent_us, err);
        *retry_after_s = reply.retry_after_s;
        again = reply.status == 401 && token_renew(client);
        fetch_reply_fini(&reply);
        if (!again)
            break;
    }
    return result;
}

/* ---- the turn of polls ---- */

/* No pause may be so long that a lease ends although the server is there: two polls that fail still
 * leave a third in time. */
static double within_lease(const lockstep_client *client, double ms)
{
    double third = (double)client->lease_ms / 3;

    return client->lease_ms > 0 && third < ms ? third : ms;
}

static double interval_ms(const lockstep_client *client)
{
    unsigned ms = client->poll_ms;

    if (ms == 0)
        ms = client->server_poll_ms > 0 ? client->server_poll_ms : POLL_MS_DEFAULT;
    return within_lease(client, ms);
}

/* How long to wait now, in microseconds. Jitter keeps clients that started together apart. */
static int64_t pause_us(lockstep_client *client, enum poll_result result, long retry_after_s)
{
    double ms = interval_ms(client);

    client->news_in_row = result == POLL_NEWS ? client->news_in_row + 1 : 0;
    if (result == POLL_NEWS && client->news_in_row <= NEWS_AT_ONCE)
        return 0;
    if (result != POLL_FAILED) {
        client->failures_in_row = 0;
    } else {
        ms = ms < BACKOFF_MS_FIRST ? ms : BACKOFF_MS_FIRST;
        for (unsigned i = 0; i < client->failures_in_row && ms < BACKOFF_MS_MAX; i++)
            ms *= 2;
        ms = within_lease(client, ms < BACKOFF_MS_MAX ? ms : BACKOFF_MS_MAX);
        client->failures_in_row++;
        if (retry_after_s > RETRY_AFTER_S_MAX)
            retry_after_s = RETRY_AFTER_S_MAX;
        /* The server said when: only later than that, never earlier. */
        if (retry_after_s > 0 && ms * 0.9 < 1000.0 * (double)retry_after_s)
            ms = 1000.0 * (double)retry_after_s / 0.9;
    }
    return (int64_t)(ms * 1000.0 * (0.9 + 0.2 * random_unit()));
}

static void record(lockstep_client *client, enum poll_result result, const struct err *err)
{
    client->polls_done = client->polls_started;
    client->last_good = result != POLL_FAILED;
    client->state.polls++;
    client->state.failures += result == POLL_FAILED;
    snprintf(client->state.last_error, sizeof client->state.last_error, "%.199s", err->msg);
    pthread_cond_broadcast(&client->changed);
}

/* Sleeps until it is time, somebody asks, or the client stops; lock is held. */
static void wait_turn(lockstep_client *client, int64_t due_us)
{
    struct timespec due = {due_us / 1000000, (due_us % 1000000) * 1000};

    while (!client->stopping && client->polls_wanted <= client->polls_started &&
           clock_monotonic_us() < due_us)
        pthread_cond_timedwait(&client->changed, &client->lock, &due);
}

void *poll_thread(void *client_of)
{
    lockstep_client *client = client_of;
    int64_t due_us = clock_monotonic_us();

    pthread_mutex_lock(&client->lock);
    for (;;) {
        struct err err = {0};
        enum poll_result result;
        long retry_after_s;

        wait_turn(client, due_us);
        if (client->stopping)
            break;
        client->polls_started++;
        pthread_mutex_unlock(&client->lock);
        result = poll_once(client, &retry_after_s, &err);
        due_us = clock_monotonic_us() + pause_us(client, result, retry_after_s);
        pthread_mutex_lock(&client->lock);
        record(client, result, &err);
        if (result == POLL_SAME && !client->stopping) { /* news are acknowledged first */
            pthread_mutex_unlock(&client->lock);
            client_tell_usage(client, false);
            pthread_mutex_lock(&client->lock);
        }
    }
    pthread_mutex_unlock(&client->lock);
    if (client->last_good)
        client_tell_usage(client, true);
    return NULL;
}
