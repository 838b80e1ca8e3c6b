/*
 * d1_call - one request to Cloudflare's D1 REST API, tried again where that is safe, within the
 * budget that the API sets (developers.cloudflare.com/d1/platform/limits, .../fundamentals/api).
 *
 * Only the files of the D1 driver include it.
 */
#ifndef DATABASE_D1_CALL_H
#define DATABASE_D1_CALL_H

#include "base/buf.h"
#include "base/fetch.h"
#include "base/json.h"
#include "database/d1_budget.h"
#include "database/d1_rules.h"
#include "database/database_engine.h"

#define D1_CALL_MS 60000L /* the API gives a call 30 s; what it says then still has to arrive */
#define D1_TRIES 7u       /* of one request, the first included */
#define D1_RATE_WAIT_MS 310000 /* over the limit, all calls are blocked for five minutes */

struct d1_call {
    struct fetch *fetch;
    char *base;               /* ".../client/v4/accounts/ACCOUNT/d1/database" */
    char *token;              /* never in a message */
    struct d1_budget *budget; /* NULL: a service that counts no requests */
};

/* What became of a request whose answer never came is not known: a write must be told apart by
 * its caller before it is sent again. TOO_LONG: the same, and what was asked for took more time or
 * memory than the service gives; a smaller piece may do. */
enum d1_fate { D1_ANSWERED, D1_UNKNOWN, D1_TOO_LONG };

/* Sends once. path is what follows base ("/ID/raw"); body may be NULL. ERR_OK: *reply is the whole
 * document, owned by the caller. ERR_RATE, ERR_TIMEOUT, ERR_IO, ERR_BUSY: trying again may help
 * (*wait_ms says when); unless *fate is D1_ANSWERED, the request may have been carried out. Other codes
 * are final: ERR_DENIED, ERR_NOT_FOUND, ERR_INVALID or ERR_CONFLICT with the engine's own words. */
MUST_USE enum err_code d1_call_once(struct d1_call *call, const char *method, const char *path,
                                    const struct buf *body, struct json **reply, enum d1_fate *fate,
                                    int64_t *wait_ms, struct err *err);

/* The same for what may be carried out twice without harm: tried up to D1_TRIES times. */
MUST_USE enum err_code d1_call_again(struct d1_call *call, const char *method, const char *path,
                                     const struct buf *body, struct json **reply, struct err *err);

/* The engine's own refusal as ours. */
enum err_code d1_call_refused(const char *message, struct err *err);

/* Waits before try number next (2, 3, ...): what the API asked for, else longer each time. */
void d1_call_wait(unsigned next, int64_t wait_ms);

/* Whether an error of d1_call_once() is of the kind that passes by itself. */
bool d1_call_passing(enum err_code rc);

#endif
