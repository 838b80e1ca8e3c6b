/*
 * client - the inside of a lockstep_client, shared by the SDK's files.
 *
 * Two kinds of thread: the poll thread (one) and the application's. They share the cell with the
 * current ruleset, `confirmed_us` and what stands under `lock`; evaluation touches the first two
 * alone, so that it never waits for a poll.
 */
#ifndef SDK_CLIENT_H
#define SDK_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/digest.h"
#include "base/fetch.h"
#include "flags/domain_shard.h"
#include "flags/ruleset.h"
#include "sdk/lockstep.h"

#define NEVER INT64_MIN
#define RULESET_PATH "/sdk/v1/ruleset"
#define POLL_MS_DEFAULT 30000u
#define POLL_S_MAX 3600        /* of what a server may ask for */
#define BACKOFF_MS_MAX 300000u /* between polls that fail */
#define RETRY_AFTER_S_MAX 3600
#define CACHE_BYTES_MAX LIMIT_REPLY_BYTES
#define CANNOT_BYTES 300 /* a header; what does not fit is "*" */

struct lockstep_client {
    /* set at open, then read alone */
    char *url, *token_file, *cache_file;
    char name_header[160], instance_header[80];
    unsigned poll_ms, timeout_ms; /* poll_ms 0: the server's choice */
    int64_t cached_us; /* when the cache's ruleset was confirmed, by boot_us(); NEVER: no cache, or
                          nobody can say */
    pthread_t thread;

    /* the poll thread's own */
    struct fetch *fetch;
    struct domain_pool *pool; /* shards of domain sets that are served, by hash */
    char *token;
    unsigned failures_in_row, news_in_row;
    unsigned server_poll_ms;  /* 0: not said */
    unsigned lease_ms;        /* the shortest of a tied flag; 0: no flag is tied */
    uint64_t epoch, revision; /* of what is served, if `serving` */
    bool serving;
    char cannot_header[CANNOT_BYTES]; /* which of its flags cannot be evaluated here, "": all can */
    bool known;      /* the server said itself that this is its ruleset; not so with the cache's */
    bool whole;      /* it has all the domain sets that it names */
    bool unkept;     /* an older one may be in the cache than what is served */
    int64_t told_us; /* when the server was last told which flags are asked for; NEVER */
    int64_t kept_ms; /* wall time in the cache that this process wrote; 0: none */
    char kept[DIGEST_HEX_BYTES]; /* and what it wrote */

    struct ruleset_cell *cell;
    _Atomic int64_t confirmed_us; /* when the request was sent whose answer last confirmed what is
                                     served, by boot_us(); NEVER for one from the cache */
    atomic_bool cancel;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* under lock */
    bool stopping;
    uint64_t polls_wanted, polls_started, polls_done; /* polls by number, for refresh */
    bool last_good;
    int64_t cached_ms;    /* wall time at which the cached ruleset was confirmed; 0: none */
    lockstep_state state; /* confirmed_ms_ago is made on request */
};

/* Time that goes on while the machine sleeps: a lease must end for a laptop that was closed. */
int64_t boot_us(void);

/* ---- poll.c ---- */
/* Takes rules over as what is served. */
void client_serve(lockstep_client *client, struct ruleset *rules);
void *poll_thread(void *client_of);
/* Reads config.token_file into *token (malloc'd, trimmed). */
MUST_USE enum err_code token_read(const char *path, char **token, struct err *err);

/* ---- usage.c ---- */
/* Tells the server which flags were asked for, if it is time; last: now or never, within a second. */
void client_tell_usage(lockstep_client *client, bool last);

/* ---- domains.c ---- */
/* Brings the domain sets that the ruleset's document names into client->pool, from the cache and (online) from
 * the server. What is nowhere is left out: *whole says whether anything was. */
struct json;
MUST_USE enum err_code domains_get(lockstep_client *client, const struct json *document,
                                   bool online, bool *whole, struct err *err);
/* Drops what the ruleset that is served does not name. */
void domains_forget(lockstep_client *client);

/* ---- cache.c ---- */
/* The body of the last good ruleset and when it was confirmed. Whatever is wrong with the file
 * (missing, cut off, changed) is an error; the caller goes on without. */
MUST_USE enum err_code cache_read(const char *path, char **body, size_t *body_len,
                                  int64_t *confirmed_ms, struct err *err);
MUST_USE enum err_code cache_write(const char *path, const char *body, size_t body_len,
                                   int64_t confirmed_ms, struct err *err);

#endif
