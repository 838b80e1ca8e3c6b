/*
 * d1_peer_inside - what the sources of the scripted D1 peer share: d1_peer_engine.c has the engine
 * and its past, d1_peer.c the API. Only they include it.
 */
#ifndef TESTS_DATABASE_D1_PEER_INSIDE_H
#define TESTS_DATABASE_D1_PEER_INSIDE_H

#include <pthread.h>
#include <stdbool.h>

#include <sqlite3.h>

#include "base/buf.h"
#include "base/json.h"
#include "database/md5.h"
#include "tests/database/d1_peer.h"

#define FAULTS_MAX 64
#define HEAD_BYTES 16384
#define PAST_MAX 16
#define POLLS 2 /* until an import says that it is done */

struct d1_peer {
    int listener, connection;
    char api[80], token[64];
    pthread_t thread;
    pthread_mutex_t lock;
    sqlite3 *db;
    enum d1_fault faults[FAULTS_MAX];
    unsigned fault_count, requests, connections, sent;
    bool stopping, split_trigger, no_past, alters, settings, dies, dead;
    double ms_per_row, call_ms, longest_ms, call_ms_max;
    char *late; /* a body that will be carried out before the request after the next */
    unsigned late_in;
    int weight; /* rows written for each that is changed, as with indexes */
    struct {
        enum d1_fault faults[FAULTS_MAX];
        unsigned fault_count, polls, polls_wanted, carried_out;
        char etag[MD5_HEX_BYTES]; /* of what was uploaded, or "" */
        struct buf script, said;
        bool active;
    } import;
    struct {
        unsigned char *bytes;
        sqlite3_int64 len;
    } past[PAST_MAX]; /* bookmarks: the whole database as it was */
    size_t past_count;
};

/* Ends the program unless good. */
void d1_peer_need(bool good, const char *what);

void d1_peer_open(struct d1_peer *peer);                        /* an empty database */
void d1_peer_own(struct d1_peer *peer, const char *sql);        /* past what D1 refuses */
void d1_peer_text(struct buf *out, const char *at, size_t len); /* as JSON, as D1 spoils it */
/* A request's body as one transaction: results into *out; false with the message in *said. */
bool d1_peer_batch(struct d1_peer *peer, const struct json *body, struct buf *out,
                   struct buf *said);
/* A whole file as one transaction, as the engine itself reads it. */
bool d1_peer_script(struct d1_peer *peer, const char *sql, struct buf *said);
/* Ends the program if a setting was left changed that the next request's statements would meet. */
void d1_peer_check_settings(struct d1_peer *peer);

void d1_peer_forget_past(struct d1_peer *peer);
size_t d1_peer_mark_past(struct d1_peer *peer);
void d1_peer_travel_to(struct d1_peer *peer, size_t i);

#endif
