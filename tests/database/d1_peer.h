/*
 * d1_peer - a scripted HTTP peer that answers as Cloudflare's D1 REST API does, over a SQLite
 * database in memory: numbers are bound as REAL, integers lose what a double cannot hold, blobs
 * become arrays, and what D1 refuses is refused. One request is one transaction.
 *
 * Faults are queued: each takes one request to /raw. After each request it looks whether a setting
 * was left changed that D1 lets stand for whoever comes next; then it ends the program.
 */
#ifndef TESTS_DATABASE_D1_PEER_H
#define TESTS_DATABASE_D1_PEER_H

#include <stdbool.h>

struct d1_peer;

enum d1_fault {
    D1_FAULT_NONE,
    D1_FAULT_429,           /* not carried out */
    D1_FAULT_429_WAIT,      /* the same, with Retry-After: 1 */
    D1_FAULT_500_BEFORE,    /* not carried out */
    D1_FAULT_500_AFTER,     /* carried out, and answered 500 */
    D1_FAULT_CUT_BEFORE,    /* the connection ends, nothing was done */
    D1_FAULT_CUT_AFTER,     /* carried out, and the connection ends */
    D1_FAULT_HALF_ANSWER,   /* carried out, and half an answer comes */
    D1_FAULT_7400,          /* "The request is malformed" */
    D1_FAULT_TWICE,         /* carried out twice: a proxy has sent it again; the second's answer */
    D1_FAULT_OVERLOADED,    /* 7500 "D1 DB is overloaded", not carried out */
    D1_FAULT_SPLIT_TRIGGER, /* a trigger's text is stored with a piece missing */
    D1_FAULT_7429,          /* a refusal for the rate by its code, not carried out */
    D1_FAULT_TOO_LONG,      /* it took longer than D1 allows, not carried out */
    D1_FAULT_LATE /* the same is said, and it is carried out before the request after the next */
};

struct d1_peer *d1_peer_start(const char *token);
void d1_peer_stop(struct d1_peer *peer);
const char *d1_peer_api(const struct d1_peer *peer); /* the base URL to give to the driver */
#define D1_PEER_URL "d1://acc/11111111-2222-4333-8444-555555555555"
#define D1_PEER_NAME "shop"                                    /* the same database by its name */
void d1_peer_clear(struct d1_peer *peer);                      /* an empty database again */
void d1_peer_fault(struct d1_peer *peer, enum d1_fault fault); /* adds to the queue */
unsigned d1_peer_faults(struct d1_peer *peer);                 /* that are still queued */
unsigned d1_peer_requests(struct d1_peer *peer);               /* so far, to /raw */
unsigned d1_peer_sent(struct d1_peer *peer);                   /* writing statements that stayed */
unsigned d1_peer_connections(struct d1_peer *peer);            /* so far */
/* Each changed row takes so long from now on, as meta.timings says; what would take more than
 * call_ms_max (D1: 30000) is broken off and undone. The peer itself is not slower. */
void d1_peer_slow(struct d1_peer *peer, double ms_per_row, double call_ms_max);
double d1_peer_longest_ms(struct d1_peer *peer);            /* that a call took in these terms */
void d1_peer_weigh(struct d1_peer *peer, int rows_written); /* told for each changed row */
/* The same faults for the steps of an import (init, upload, ingest, poll), and for a restore. */
void d1_peer_fault_import(struct d1_peer *peer, enum d1_fault fault);
void d1_peer_polls(struct d1_peer *peer, unsigned polls); /* until an import says that it is done */
unsigned d1_peer_imports(struct d1_peer *peer);           /* files that were carried out */
/* From now on ALTER COLUMN ... DROP NOT NULL and SET NOT NULL work, as from SQLite 3.53 on. */
void d1_peer_alters(struct d1_peer *peer);
/* From now on there is no Time Travel, as with wrangler's local engine. */
void d1_peer_forget_travel(struct d1_peer *peer);
/* From the next restore on nothing is answered, until it is false: the way is cut. */
void d1_peer_die_after_travel(struct d1_peer *peer, bool die);
void d1_peer_hide_settings(struct d1_peer *peer,
                           bool hide); /* PRAGMA legacy_alter_table is refused */
/* Runs SQL past the API, as another client would. */
void d1_peer_run(struct d1_peer *peer, const char *sql);

#endif
