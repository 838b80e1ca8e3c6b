/*
 * lockstep - the C client: polls the flag server, keeps the last good ruleset on disk, evaluates in
 * process with the server's own code.
 *
 *     lockstep_client *flags;
 *     lockstep_config config = {.url = "http://127.0.0.1:8080", .token_file = "sdk.token",
 *                               .name = "logger", .cache_file = "/var/lib/logger/flags.json"};
 *     if (lockstep_open(&config, &flags, error, sizeof error) != LOCKSTEP_OK) ...
 *     lockstep_wait_ready(flags, 5000);
 *     bool on = lockstep_bool(flags, "read-customer-domain",
 *                             "{\"targetingKey\":\"7\",\"domain\":\"acme.com\"}", false, NULL);
 *     lockstep_close(flags);
 *
 * This header needs nothing else. Evaluation functions may be called from any thread; they take no
 * lock that a poll holds, and they always answer: with the fallback and a reason when nothing
 * better is known. The library never prints, logs or exits.
 *
 * A flag that a migration is tied to is answered from its rules for one lease after the server last
 * confirmed them, with the safe variant (STALE) for eleven more, and then with the fallback and
 * PROVIDER_NOT_READY: where that comes, and nobody can say which of the two schemas is there, do
 * neither.
 */
#ifndef LOCKSTEP_H
#define LOCKSTEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LOCKSTEP_API __attribute__((visibility("default")))
#else
#define LOCKSTEP_API
#endif

typedef struct lockstep_client lockstep_client;

typedef enum lockstep_status {
    LOCKSTEP_OK = 0,
    LOCKSTEP_INVALID, /* a config that cannot work */
    LOCKSTEP_TIMEOUT, /* lockstep_wait_ready(), lockstep_refresh(): not yet */
    LOCKSTEP_NOMEM,
    LOCKSTEP_FAILED /* lockstep_refresh(): the poll failed; the state's last_error says why */
} lockstep_status;

typedef struct lockstep_config {
    const char *url;        /* "https://flags.example.com"; NULL: environment LOCKSTEP_URL */
    const char *token;      /* sdk-server token; NULL: token_file, then LOCKSTEP_TOKEN */
    const char *token_file; /* read again when the server answers 401 */
    const char *name;       /* who this client is, for the server's list; NULL: program name */
    const char *cache_file; /* last good ruleset; NULL: none kept */
    unsigned poll_ms;       /* 0: what the server asks for, else 30,000; +-10 % jitter */
    unsigned timeout_ms;    /* of one exchange; 0: 10,000 */
} lockstep_config;

/* Starts the client and its thread. It returns at once; the cache file, if good, is served until
 * the first answer arrives. On failure error has the reason and *out is untouched. */
LOCKSTEP_API lockstep_status lockstep_open(const lockstep_config *config, lockstep_client **out,
                                           char *error, size_t error_size);

/* Waits until a ruleset was confirmed by the server (or read from the cache). */
LOCKSTEP_API lockstep_status lockstep_wait_ready(lockstep_client *client, unsigned timeout_ms);

/* Stops the thread (cuts a running exchange short) and frees everything; no other thread may be in
 * a function of this client any more. NULL is allowed. */
LOCKSTEP_API void lockstep_close(lockstep_client *client);

/* How an answer came about. Strings are the structure's own. */
typedef struct lockstep_details {
    char variant[129];
    char reason[24];     /* STATIC DEFAULT TARGETING_MATCH SPLIT DISABLED STALE ERROR */
    char error_code[32]; /* "" or FLAG_NOT_FOUND, TYPE_MISMATCH, PROVIDER_NOT_READY, ... */
    char message[200];
} lockstep_details;

/* context is a JSON object, or NULL. details may be NULL. */
LOCKSTEP_API bool lockstep_bool(lockstep_client *client, const char *key, const char *context,
                                bool fallback, lockstep_details *details);
LOCKSTEP_API double lockstep_number(lockstep_client *client, const char *key, const char *context,
                                    double fallback, lockstep_details *details);
/* The string is copied into out (cut to out_size, NUL-terminated); returns its whole length. */
LOCKSTEP_API size_t lockstep_string(lockstep_client *client, const char *key, const char *context,
                                    const char *fallback, char *out, size_t out_size,
                                    lockstep_details *details);
/* The object as one line of JSON; otherwise as lockstep_string(). */
LOCKSTEP_API size_t lockstep_object(lockstep_client *client, const char *key, const char *context,
                                    const char *fallback_json, char *out, size_t out_size,
                                    lockstep_details *details);

typedef struct lockstep_state {
    bool ready;      /* there is a ruleset */
    bool from_cache; /* and the server has not confirmed it yet */
    uint64_t epoch, revision;
    int64_t confirmed_ms_ago; /* since the server last confirmed it (from the cache: since it was
                                 received, by wall time); -1: never */
    uint64_t polls, failures;
    char last_error[200]; /* "" if the last poll was good and the cache could be written */
} lockstep_state;
LOCKSTEP_API void lockstep_get_state(lockstep_client *client, lockstep_state *out);

/* Polls now rather than at the next turn, and waits for the answer at most timeout_ms. After
 * LOCKSTEP_OK what is served is at least as new as what the server had when this was called. */
LOCKSTEP_API lockstep_status lockstep_refresh(lockstep_client *client, unsigned timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
