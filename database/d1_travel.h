/*
 * d1_travel - Time Travel: the state of a moment has a name, and the database can be put back to it
 * (developers.cloudflare.com/d1/reference/time-travel).
 *
 * Only the files of the D1 driver include it.
 */
#ifndef DATABASE_D1_TRAVEL_H
#define DATABASE_D1_TRAVEL_H

#include "database/d1_call.h"

/* ERR_NOT_FOUND: this service has no Time Travel, as the local engine of wrangler. */
MUST_USE enum err_code d1_travel_bookmark(struct d1_call *call, const char *id, char *out,
                                          size_t size, struct err *err);
/* undo: the bookmark that leads forward again; "" if an answer was lost, and with it the bookmark. May be sent twice: it leads to the same state. */
MUST_USE enum err_code d1_travel_back(struct d1_call *call, const char *id, const char *bookmark,
                                      char *undo, size_t size, struct err *err);

#endif
