/*
 * session - what struct migrate is inside this room: one database, one folder, one lock.
 */
#ifndef MIGRATOR_SESSION_H
#define MIGRATOR_SESSION_H

#include "base/arena.h"
#include "base/fetch.h"
#include "base/json.h"
#include "database/database.h"
#include "migrator/folder/folder.h"
#include "migrator/migrate.h"
#include "migrator/session/journal.h"
#include "migrator/session/lock.h"

#define SESSION_MANY 8 /* migrations on an empty file: from here on a write-ahead log pays */

struct migrate {
    struct arena arena;             /* the options' strings */
    struct migrate_options options; /* a copy of its own */
    const char *environment;        /* as given, else as stored, else "development" */
    struct folder folder;
    struct database *db; /* NULL until it is needed */
    bool writable;
    bool new_identity; /* a copied file is about to become a database of its own */
    bool fresh;        /* nobody used this database before this run */
    struct journal_meta meta;
    struct journal journal;
    struct lock lock;
    struct fetch *fetch; /* to the flag server; NULL until it is needed */
    int64_t messages;    /* sent to it by this run */
    char flag_option
        [100]; /* for commands of `flags`: " --environment NAME", or "" where the server means
                              this one without it */
    struct watch *watch;             /* what stops the phase under way (watch.h), or NULL */
    const char *const *accept_stale; /* clients without a lease that are accepted by name; lent */
    size_t accept_stale_count;
    struct veto *veto;         /* what may hold up long work from outside; NULL: nothing */
    int64_t rows_per_day;      /* that a backfill may write; 0: no bound */
    bool maintenance;          /* other writers may be kept out for as long as it takes */
    bool keep_aside;           /* the purge of the moment leaves the set-aside columns, emptied */
    int64_t patience_until_us; /* how long a pause is waited for, by clock_monotonic_us() */
};

/* How long a wait sleeps before it looks again: longer where each look is some requests. */
int64_t session_look_us(const struct migrate *m, int64_t local_us);

/* Tells whoever watches what is waited for. */
void session_tell_wait(const struct migrate *m, size_t index, const char *why);

/* Opens the database for reading (or keeps it) and reads meta and journal. Refuses another
 * environment and a newer format. */
MUST_USE enum err_code session_read(struct migrate *m, struct err *err);
/* The same for writing; still changes nothing. */
MUST_USE enum err_code session_write(struct migrate *m, struct err *err);
/* Makes our tables if they are missing, takes the lock, reads the journal again. */
MUST_USE enum err_code session_begin(struct migrate *m, struct err *err);
/* The lock is given back, and a write-ahead log that was made for the first filling of a file goes. */
void session_end(struct migrate *m);
MUST_USE enum err_code session_reread(struct migrate *m, struct err *err);

/* Whether nobody used this database yet: nothing was migrated, and no table has a row. One empty
 * table says nothing, where the others are full. */
MUST_USE enum err_code session_is_fresh(struct migrate *m, bool *out, struct err *err);

/* The state of a migration of the folder. */
enum mig_state session_state(const struct migrate *m, size_t index);
const struct journal_row *session_row(const struct migrate *m, size_t index); /* or NULL */

/* Refuses migrations that were edited after they were applied; the message names the first and how
 * many more. */
MUST_USE enum err_code session_check_drift(const struct migrate *m, struct err *err);

/* Whether SQL text uses the name of a table. */
bool session_mentions(struct str sql, const char *table);
/* The same for the tables that a phased migration has in hand. */
bool session_mentions_any(struct str sql, const struct phased *phased);
/* Whether two migrations, of which one is phased, have a table in common. */
bool session_share_table(const struct migration *a, const struct migration *b);
/* Whether the one before is a phased migration of a table that the one at index touches too. */
bool session_shares_table(const struct migrate *m, size_t before, size_t index);
/* The migration in flight before index whose table the one at index touches too, or NULL. */
const struct migration *session_in_the_way(const struct migrate *m, size_t index);

/* What "needs" asks for must come earlier in the folder. ERR_INVALID names what is not there. */
MUST_USE enum err_code session_check_needs(const struct migrate *m, size_t index, struct err *err);
/* The first migration that the one at index needs and that has not come far enough: applied, or
 * contracted at least; NULL: none. */
const struct migration *session_needed(const struct migrate *m, size_t index);
/* The first one after index that has begun and needs it, or NULL. */
const struct migration *session_needed_by(const struct migrate *m, size_t index);

/* Whether a phased migration's table is made or changed by one before it that is pending still. */
bool session_rests_on_pending(const struct migrate *m, size_t index);

/* Adds {"migration", "from", "to", "duration_ms", "rows"} to the array; rows -1: left out. */
void session_report_step(struct json *steps, const char *migration, enum mig_state from,
                         enum mig_state to, int64_t duration_us, int64_t hold_us, int64_t rows);
/* The newest of the array, to add to; lent. */
struct json *session_last_step(struct json *steps);
/* Adds {"migration", "state", "for": [reasons]}; reasons is taken. */
void session_report_wait(struct json *waits, const char *migration, enum mig_state state,
                         struct json *reasons);

#endif
