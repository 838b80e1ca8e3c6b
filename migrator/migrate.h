/*
 * migrate - the migrator as a library: what the program `migrate` does, for programs that migrate
 * their own database when they start (the flag server does). The one public header of this room.
 *
 *     struct migrate_options options = {.database = "sqlite:app.db", .folder = "migrations"};
 *     struct migrate *m;
 *     rc = migrate_open(&options, &m, &err);
 *     rc = migrate_apply(m, &(struct migrate_apply){0}, &report, &err);
 *     json_free(report);
 *     migrate_close(m);
 *
 * One thread at a time uses a struct migrate. Several processes may use one database: the lock in
 * it decides. Reports are JSON documents, described in docs/migrate.md; the caller frees them.
 */
#ifndef MIGRATE_H
#define MIGRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"

struct migrate;

/* Plain SQL migrations held in memory, instead of a folder. */
struct migrate_file {
    const char *name; /* "0001_name.sql"; NULL ends the list */
    const char *sql;
};

/* Long work tells how far it is: phase "backfill" or "verify", rows done and in all. A phase's last
 * call, and no other, has done == total. */
typedef void migrate_progress_fn(void *ctx, const char *migration, const char *phase, uint64_t done,
                                 uint64_t total);

/* A wait tells what it is for, again and again until it is over. */
typedef void migrate_wait_fn(void *ctx, const char *migration, const char *why);

struct migrate_options {
    const char *database;             /* URL or path */
    const char *database_token;       /* of an engine behind HTTP (d1://...); NULL: none */
    const char *database_api;         /* its API's base URL; NULL: the engine's own */
    const char *ledger;               /* what wrangler calls its table; NULL: "d1_migrations" */
    const char *folder;               /* NULL: files */
    const struct migrate_file *files; /* used when folder is NULL */
    const char *environment;          /* "production"; NULL: as stored, else "development" */
    const char *flag_server;          /* URL, or NULL: none (migrations with a flag are refused) */
    const char *flag_token;
    migrate_progress_fn *progress;
    migrate_wait_fn *waiting;
    void *progress_ctx; /* of both */
    bool create;        /* the database may be made */
};

MUST_USE enum err_code migrate_open(const struct migrate_options *options, struct migrate **out,
                                    struct err *err);
void migrate_close(struct migrate *m); /* NULL allowed; gives the lock back */

struct migrate_apply {
    const char *target;   /* one migration ("0002" or "0002_name") or NULL: all */
    const char *to_state; /* stop in this state: "expanded", "dual-writing", "in-sync",
                              "contracted", "purged"; NULL: as far as is safe: in-sync or, with
                              its gate open, contracted; never purged */
    const char *override_gate, *reason; /* both or none */
    const char *const
        *accept_stale; /* names of clients that honour no lease, NULL at the end; needs
                                        reason; NULL: none */
    bool dry_run;      /* plan only */
    bool
        fresh; /* tables without a row go straight to the schema behind purge, also where the database
                   is in use: no gates, no flag server */
    bool maintenance;      /* a step may hold the write lock for as long as it takes */
    const char *plan_file; /* migrate_plan() writes the plan there; migrate_apply() does nothing but
                              what stands there, as it stands there; NULL: none */
    int wait_s;            /* how long to wait for a closed gate; 0: not at all */
    int watch_s; /* how long to stay behind contract, and look at "watch"; 0: not at all */
    const char
        *throttle_while; /* CEL: the backfill waits while it is true, or cannot be answered */
    bool reclaim;        /* purge may write a large table anew at once, under the write lock;
                                 what earlier purges left there goes too */
    int64_t
        rows_written_per_day;   /* a backfill ends behind so many (of a plan that counts them), and
                                     the next day's goes on; 0: no bound */
    const char *throttle_url;   /* it waits while this does not answer 200 */
    const char *recovery_point; /* purge copies the database first: to this new file, "none", or
                                   NULL: under a name of its own */
    const char *recovery_dir;   /* in this folder; NULL: beside the database */
};

/* Each returns a report on ERR_OK; ERR_CONFLICT (refused, nothing changed) may come with one. */
MUST_USE enum err_code migrate_plan(struct migrate *m, const struct migrate_apply *what,
                                    struct json **report, struct err *err);
MUST_USE enum err_code migrate_apply(struct migrate *m, const struct migrate_apply *what,
                                     struct json **report, struct err *err);
MUST_USE enum err_code migrate_status(struct migrate *m, struct json **report, struct err *err);
MUST_USE enum err_code migrate_verify(struct migrate *m, const char *target, struct json **report,
                                      struct err *err);

/* What happened here: who, when, how long; target NULL: to all migrations. */
MUST_USE enum err_code migrate_history(struct migrate *m, const char *target, struct json **report,
                                       struct err *err);
/* Takes the lock from a migrator that expired or is proved dead, and writes that down. ERR_BUSY: it
 * lives; the message says who it is and until when its lock holds. */
MUST_USE enum err_code migrate_unlock(struct migrate *m, const char *reason, struct json **report,
                                      struct err *err);

/* Puts a recovery point (a copy of this database) in its place. Without yes nothing is changed:
 * ERR_CONFLICT with a report of what would be lost. ERR_BUSY: somebody has the database open. */
struct migrate_restore {
    const char *file;
    const char *reason; /* for the history; NULL: none */
    bool yes;
};
MUST_USE enum err_code migrate_restore(struct migrate *m, const struct migrate_restore *what,
                                       struct json **report, struct err *err);

/* Walks what is pending, and what is in flight, on a copy of the database: every phase, every way
 * back, and to the end; rows and schema are compared behind the way back. Flags, declared gates and the
 * time without writes of old code are taken as given. The database is only read: a file's copy is made
 * by its engine; a service is read by key range, so that nobody waits. ERR_CONFLICT with a report:
 * something would be refused, or did not come back as it was. */
struct migrate_rehearse {
    const char *target; /* the last one that is walked; NULL: all */
    const char *keep;   /* the copy's new file, which stays; NULL: a file of its own that goes */
    bool maintenance;   /* as in migrate_apply */
};
MUST_USE enum err_code migrate_rehearse(struct migrate *m, const struct migrate_rehearse *what,
                                        struct json **report, struct err *err);

/* One of the two: a copied file becomes a database of its own (with options.environment, if given), or
 * the flag server is told every state as it is in this database, against whatever it believes. */
struct migrate_repair {
    bool new_identity, report;
    const char *reason;
};
MUST_USE enum err_code migrate_repair(struct migrate *m, const struct migrate_repair *what,
                                      struct json **report, struct err *err);

/* What a running backfill reads between its batches, whoever runs it. target NULL: all migrations.
 * pause: it stops (or waits, as long as `wait_s` says), and a later one does not begin. throttle: the
 * share of the time that the lock may be held, 0.001 to 1. */
MUST_USE enum err_code migrate_pause(struct migrate *m, const char *target, const char *reason,
                                     struct json **report, struct err *err);
MUST_USE enum err_code migrate_resume(struct migrate *m, const char *target, struct json **report,
                                      struct err *err);
MUST_USE enum err_code migrate_throttle(struct migrate *m, double ratio, struct json **report,
                                        struct err *err);

struct migrate_rollback {
    const char *target;   /* NULL: the newest in flight */
    const char *to_state; /* NULL: pending; "0003": all behind that one */
    bool maintenance;     /* a large table may be written anew, under the write lock */
    bool one_phase;       /* one arrow back */
    const char *without_flag_server_reason; /* NULL: the server must be reachable for tied flags */
    const char *recovery_point, *recovery_dir; /* as in migrate_apply; made where content is lost */
    const char *const *accept_stale;           /* as in migrate_apply */
    const char *reason;                        /* for accept_stale */
};
MUST_USE enum err_code migrate_rollback(struct migrate *m, const struct migrate_rollback *what,
                                        struct json **report, struct err *err);

#endif
