/*
 * flag_peer - a flag server that answers the migrator as a test says, on a port the system picks, and
 * remembers what it was told.
 */
#ifndef TESTS_MIGRATOR_FLAG_PEER_H
#define TESTS_MIGRATOR_FLAG_PEER_H

#include <stdint.h>

const char *flag_peer_start(void); /* its URL */
void flag_peer_stop(void);
void flag_peer_reset(void); /* it knows of no database, and nothing is refused */
/* The gate's facts of the flag, as JSON. */
void flag_peer_facts(const char *facts);
/* Messages that begin so ("PUT dual-writing") are answered with this status and body from now on;
 * "": all are good. */
void flag_peer_refuse(const char *message, int status, const char *body);

/* What was told since flag_peer_forget(), in order: "PUT in-sync", "POST", "DELETE", each ending in
 * "; ". */
const char *flag_peer_told(void);
void flag_peer_forget(void);
/* Whether each request since then said that the database is of this environment. */
int flag_peer_heard_of(const char *environment);
/* The number of the last message, and whether each had a higher one than the one before. */
int64_t flag_peer_sequence(void);
int flag_peer_in_order(void);

#endif
