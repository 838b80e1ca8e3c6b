/*
 * store - what the flag server keeps: flags, ties and holds, tokens, clients, audit; in a database
 * through database/ alone, with an image of it in memory. A database holds several environments: `struct
 * stores` is all of them, `struct store` one.
 *
 *     rc = stores_open("sqlite:flags.db", &stores, why, &err);
 *     struct store *store = stores_find(stores, "staging");
 *     const struct store_flag *flag = store_find(store, "new-login");
 *     rc = store_put_flag(store, &who, document, flag->version, &err);
 *
 * A flag exists once (flags/parts.h says what of it), and has a state in each environment; its document
 * here is both together, as that environment sees it.
 *
 * Every change is one guarded batch: the change itself, an audit record and the new revision of each
 * environment that can see it, guarded by the revisions that this image is of, so that nothing is lost
 * even if another process changes the same store. The image changes only after the batch is in. Reads
 * come from the image and work whatever the disk does.
 *
 * One thread at a time. What is lent lives until the next change; a struct store until its environment
 * is dropped, by whomever.
 */
#ifndef SERVER_STORE_H
#define SERVER_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "flags/domain_set.h"
#include "server/coupling.h"

struct stores;
struct store;

struct store_flag {
    char *key;
    int64_t version;        /* If-Match: grows with each change that this environment sees */
    int64_t shared_version; /* the same of what is shared; equal in all environments */
    int64_t revision;       /* the environment's when what the flag answers here last changed */
    int64_t changed_ms;     /* wall time of that */
    int64_t created_ms;
    int64_t used_ms; /* when it was last asked for, to the hour; 0: never; see store_used_ms() */
    int64_t archived_ms;   /* 0: it is in use */
    bool archived;         /* in all environments */
    struct json *document; /* without "tie" */
    char *text;            /* document, printed canonically */
};

/* Who makes a change, for the audit. */
struct store_actor {
    const char *name;
    const char *reason; /* or NULL */
};

/* Makes a new store: schema, environment, epoch, and the first admin token, whose text goes into
 * token. ERR_CONFLICT: it is a store already; ERR_INVALID: another program's database. */
#define STORE_TOKEN_BYTES 80
MUST_USE enum err_code store_init(const char *url, const char *environment,
                                  char token[STORE_TOKEN_BYTES], struct err *err);

/* Opens an initialised store, brings its schema up to date and reads it. ERR_INVALID: never
 * initialised (the message has the command to use). A store that cannot be written is opened all
 * the same if its schema is current: *read_only_why then says why (240 bytes), else "". */
MUST_USE enum err_code stores_open(const char *url, struct stores **out,
                                   char read_only_why[ERR_MSG_BYTES], struct err *err);
void stores_close(struct stores *stores); /* NULL allowed */

/* Whether the database can be read now. */
MUST_USE enum err_code stores_ping(struct stores *stores, struct err *err);

/* ---- environments (store_environments.c) ---- */

size_t stores_count(const struct stores *stores); /* at least 1, in the order of their making */
struct store *stores_at(const struct stores *stores, size_t index);
struct store *stores_find(const struct stores *stores, const char *name); /* NULL: none */
struct store *stores_default(const struct stores *stores); /* where a request names none */

struct stores *store_all(const struct store *store); /* those that it is one of */
const char *store_environment(const struct store *store);
bool store_is_default(const struct store *store);

/* Whether name can be one: small letters, digits, '.', '_' and '-', 1 to 63, the first a letter or digit. */
bool store_environment_name_ok(const char *name);

/* Makes an environment, in which each flag does what it does in `like`; NULL: all are off. It begins
 * with an epoch above all that there ever were. ERR_CONFLICT: the name is taken; ERR_LIMIT. */
MUST_USE enum err_code stores_make(struct stores *stores, const struct store_actor *who,
                                   const char *name, const struct store *like, struct err *err);
/* Gives it another name, everywhere that it stands. ERR_CONFLICT: the name is taken. */
MUST_USE enum err_code stores_rename(struct stores *stores, const struct store_actor *who,
                                     struct store *store, const char *name, struct err *err);
/* Removes it, with the states of its flags, its ties, its clients and its tokens; the audit stays. Never
 * the default one. store is gone afterwards. */
MUST_USE enum err_code stores_drop(struct stores *stores, const struct store_actor *who,
                                   struct store *store, struct err *err);

/* ---- one environment ---- */

int64_t store_epoch(const struct store *store);
int64_t store_revision(const struct store *store);

/* ---- flags ---- */

const struct store_flag *store_find(const struct store *store, const char *key); /* not archived */
const struct store_flag *store_find_any(const struct store *store, const char *key);
size_t store_flag_count(const struct store *store); /* archived ones too, sorted by key */
const struct store_flag *store_flag_at(const struct store *store, size_t index);

/* The flag's document as clients see it: with "tie", if it has one. New; NULL when out of memory. */
struct json *store_flag_json(const struct store *store, const struct store_flag *flag);
/* The whole ruleset document, and *text: the same in its canonical form. Both new; the document
 * lends the flags' documents until the next change. NULL, and *text too, when out of memory. */
struct json *store_ruleset(const struct store *store, unsigned poll_s, char **text);

/* Makes (version 0) or replaces (the version it must have) a flag; document is copied. What differs in its
 * shared half changes it in all environments, of a new flag the other environments get one that is off.
 * action: what the audit says; NULL: "flag.create" or "flag.update". A change of what it answers
 * (flag_answers_differ()) stamps its revision. ERR_STALE: another version; ERR_CONFLICT: the key
 * exists (or existed). */
MUST_USE enum err_code store_put_flag(struct store *store, const struct store_actor *who,
                                      const char *action, const struct json *document,
                                      int64_t version, struct err *err);
/* Archives it, in all environments. Its ties to pending migrations end; those to purged ones stay, for a day on
 * which it is restored. Or restores it, as it was. version is this environment's. */
MUST_USE enum err_code store_archive_flag(struct store *store, const struct store_actor *who,
                                          const char *key, int64_t version, struct err *err);
MUST_USE enum err_code store_restore_flag(struct store *store, const struct store_actor *who,
                                          const char *key, int64_t version, struct err *err);

/* ---- pieces: segments and layers (store_pieces.c) ---- */

enum piece_kind { PIECE_SEGMENT, PIECE_LAYER };
const char *piece_kind_name(enum piece_kind kind); /* "segment" */
bool piece_kind_of(const char *name, enum piece_kind *out);

struct store_piece {
    enum piece_kind kind;
    char *key;
    int64_t version; /* If-Match */
    int64_t changed_ms;
    struct json *document;
    char *text;
};

size_t store_piece_count(const struct store *store); /* sorted by kind and key */
const struct store_piece *store_piece_at(const struct store *store, size_t index);
const struct store_piece *store_piece(const struct store *store, enum piece_kind kind,
                                      const char *key); /* NULL: none */

/* Makes (version 0), replaces or (document NULL) removes a piece; document is copied. touched: the flags that
 * answer by it, as view_touched() says; each gets the new revision. ERR_STALE, ERR_CONFLICT: it exists,
 * ERR_LIMIT. */
MUST_USE enum err_code store_put_piece(struct store *store, const struct store_actor *who,
                                       enum piece_kind kind, const char *key,
                                       const struct json *document, int64_t version,
                                       const bool *touched, struct err *err);

/* ---- use (store_use.c) ---- */

/* Notes that these flags were asked for; all: that any of them may have been, by a client that does not
 * say which. What was noted within the hour is not written again. */
MUST_USE enum err_code store_note_use(struct store *store, const char *const *keys, size_t count,
                                      bool all, int64_t now_ms, struct err *err);
/* Since when nobody has asked for a flag: wall time; 0: that is not known. */
int64_t store_used_ms(const struct store *store, const struct store_flag *flag);

/* ---- shards of domain sets (store_domains.c): they are of no environment ---- */

const struct domain_pool *stores_pool(const struct stores *stores);
struct domain_source stores_source(struct stores *stores);
struct domain_sink stores_sink(struct stores *stores);
/* Keeps it; who sends one names it in a flag's document soon. */
MUST_USE enum err_code stores_put_shard(struct stores *stores, struct domain_shard *shard,
                                        struct err *err);
/* Removes those that were sent before before_ms and that no document names. */
MUST_USE enum err_code stores_sweep_shards(struct stores *stores, int64_t before_ms,
                                           size_t *removed, struct err *err);

/* ---- ties and holds ---- */

/* All ties of a flag, lent; *count may be 0. */
const struct tie *store_ties(const struct store *store, const char *flag, size_t *count);
const struct tie *store_tie(const struct store *store, const char *database_id,
                            const char *migration);
size_t store_tie_count(const struct store *store);
const struct tie *store_tie_at(const struct store *store, size_t index);

/* Stores what tie says (state, names, lease, held) over what was there; nothing is written if
 * nothing differs. action: "migration.report", "hold.take", "hold.release",
 * "hold.force". */
MUST_USE enum err_code store_put_tie(struct store *store, const struct store_actor *who,
                                     const char *action, const struct tie *tie, struct err *err);
/* Notes that a hold's owner is still there, and what it sent last: no new revision and no audit. tie is
 * the store's own. */
MUST_USE enum err_code store_note_tie(struct store *store, const struct tie *tie,
                                      int64_t renewed_ms, int64_t sequence, struct err *err);
MUST_USE enum err_code store_drop_tie(struct store *store, const struct store_actor *who,
                                      const struct tie *tie, struct err *err);

/* ---- schedules (store_schedules.c) ---- */

struct store_schedule {
    const char *id, *environment, *flag;
    int64_t at_ms, not_after_ms; /* 0: whenever the server is up again */
    const char *actor, *reason;  /* who scheduled it; reason may be NULL */
    int64_t created_ms, ended_ms;
    const char *state;    /* pending, done, failed, dropped, cancelled */
    const char *result;   /* why it failed; may be NULL */
    const char *document; /* what is to be changed */
};
typedef void store_schedule_fn(void *ctx, const struct store_schedule *schedule);

/* Those of a flag (NULL: of all), the pending first, then the latest, at most 500. Lent for the call. */
MUST_USE enum err_code store_each_schedule(struct store *store, const char *flag,
                                           store_schedule_fn *each, void *ctx, struct err *err);
/* Calls each() for the first that is due, if there is one; *next_ms: when the first is, INT64_MAX: never. */
MUST_USE enum err_code stores_due_schedule(struct stores *stores, int64_t now_ms,
                                           store_schedule_fn *each, void *ctx, int64_t *next_ms,
                                           struct err *err);
/* Adds one (id, flag, times, document). ERR_LIMIT. */
MUST_USE enum err_code store_add_schedule(struct store *store, const struct store_actor *who,
                                          const struct store_schedule *schedule, struct err *err);
/* Ends a pending one (id, flag, document) without a change of the flag. ERR_CONFLICT: it is not pending. */
MUST_USE enum err_code store_end_schedule(struct store *store, const struct store_actor *who,
                                          const struct store_schedule *schedule, const char *state,
                                          const char *result, struct err *err);
/* The next change that is committed carries this schedule out, in the same batch: it is done then, and only if
 * it was still pending. id NULL: none rides any more. id is lent until then. */
void stores_ride(struct stores *stores, const char *id, int64_t now_ms);

/* ---- tokens: stored as hashes; the text is given out once ---- */

struct store_token {
    const char *id, *name, *role, *hash;
    const char *environment; /* the one that it is for; NULL: all of them */
    int64_t created_ms;
};
/* everywhere: it is for all environments, not for this one. */
MUST_USE enum err_code store_make_token(struct store *store, const struct store_actor *who,
                                        const char *role, const char *name, bool everywhere,
                                        char id[33], char token[STORE_TOKEN_BYTES],
                                        struct err *err);
MUST_USE enum err_code store_drop_token(struct store *store, const struct store_actor *who,
                                        const char *id, struct err *err);
/* Calls each() for every token, of whichever environment, read anew. */
typedef void store_token_fn(void *ctx, const struct store_token *token);
MUST_USE enum err_code stores_each_token(struct stores *stores, store_token_fn *each, void *ctx,
                                         struct err *err);

/* ---- clients ---- */

struct store_client {
    const char *name, *instance;
    const char *kind; /* "sdk" or "ofrep" */
    int64_t seen_ms, epoch, revision;
    bool lease;
};
/* Records a client, and forgets those not seen since forget_ms. */
MUST_USE enum err_code store_put_client(struct store *store, const struct store_client *client,
                                        int64_t forget_ms, struct err *err);
typedef void store_client_fn(void *ctx, const struct store_client *client);
/* Those recorded since seen_ms. */
MUST_USE enum err_code store_each_client(struct store *store, int64_t seen_ms,
                                         store_client_fn *each, void *ctx, struct err *err);

/* ---- audit ---- */

/* {"events": [...]}, newest first: of one flag (NULL: all), at most limit (1 to STORE_AUDIT_MAX), with ids below before
 * (0: from the newest). Fewer, and "more": true, where their documents are very large. */
#define STORE_AUDIT_MAX 1000
MUST_USE enum err_code store_audit(struct store *store, const char *flag, int64_t limit,
                                   int64_t before, struct json **out, struct err *err);

/* The flag's document as it was so many versions ago, from the audit; *by: who changed it last (free()
 * it). Both NULL where the audit does not reach back that far. */
MUST_USE enum err_code store_earlier_flag(struct store *store, const char *key, int64_t versions,
                                          struct json **document, char **by, struct err *err);

/* The same by versions of what is shared; *document is whole. Looks at STORE_EARLIER_MAX changes at most. */
#define STORE_EARLIER_MAX 200
MUST_USE enum err_code store_earlier_shared(struct store *store, const char *key, int64_t versions,
                                            struct json **document, char **by, struct err *err);

/* Removes audit records of all environments older than before_ms, and (rows > 0) all but the newest rows, the oldest first and
 * at most STORE_PRUNE_STEP of them; *more: there may be others. */
#define STORE_PRUNE_STEP 500
MUST_USE enum err_code stores_prune_audit(struct stores *stores, int64_t before_ms, int64_t rows,
                                          int64_t *removed, bool *more, struct err *err);

#endif
