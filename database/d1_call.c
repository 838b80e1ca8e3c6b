#include "database/d1_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"

#define BACKOFF_MS 100
#define BACKOFF_MAX_MS 8000

/* What the service says when the fault is its own and may be gone a moment later
 * (developers.cloudflare.com/d1/observability/debug-d1). */
static const char *const passing[] = {
    "overloaded",
    "Network connection lost",
    "storage caused object to be reset",
    "object to be reset",
    "was updated",
    "transient issue",
    "internal error",
    "starting up D1 DB",
    "client disconnected",
    "processing a long-running", /* an import or export has the database */
};

/* And when it was asked for too much at once. */
static const char *const too_long[] = {
    "exceeded timeout",
    "exceeded its CPU time limit",
    "exceeded its memory limit",
    "timed out",
};

/* Codes of a refusal for the rate; the last is that of Cloudflare's API as a whole. */
static const double rate_codes[] = {7429, 10429, 971};

bool d1_call_passing(enum err_code rc)
{
    return rc == ERR_RATE || rc == ERR_TIMEOUT || rc == ERR_IO || rc == ERR_BUSY;
}

void d1_call_wait(unsigned next, int64_t wait_ms)
{
    int64_t backoff = BACKOFF_MS;

    for (unsigned i = 2; i < next && backoff < BACKOFF_MAX_MS; i++) {
        backoff *= 2;
    }
    if (wait_ms <= 0) {
        wait_ms = backoff / 2 + (int64_t)((double)backoff / 2 * random_unit());
    }
    clock_sleep_us((wait_ms < D1_RATE_WAIT_MS ? wait_ms : D1_RATE_WAIT_MS) * 1000);
}

/* Keeps within what the service allows, steadily: over it, every call is refused for minutes. */
static void keep_budget(struct d1_call *call)
{
    int64_t wait_us = call->budget != NULL ? d1_budget_take(call->budget, clock_monotonic_us()) : 0;

    if (wait_us > 0) {
        clock_sleep_us(wait_us);
    }
}

static bool says_one_of(const char *message, const char *const *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcasestr(message, pieces[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static bool over_rate(const struct fetch_reply *got, const struct json *error)
{
    double code = json_number(json_get(error, "code"), 0);

    for (size_t i = 0; i < sizeof rate_codes / sizeof rate_codes[0]; i++) {
        if (code == rate_codes[i]) {
            return true;
        }
    }
    return got->status == 429;
}

enum err_code d1_call_refused(const char *message, struct err *err)
{
    static const struct {
        const char *piece;
        enum err_code code;
    } kinds[] = {
        {"SQLITE_CONSTRAINT", ERR_CONFLICT}, {"constraint failed", ERR_CONFLICT},
        {"SQLITE_TOOBIG", ERR_LIMIT},        {"SQLITE_FULL", ERR_FULL},
        {"maximum DB size", ERR_FULL},       {"maximum database size", ERR_FULL},
        {"SQLITE_NOMEM", ERR_NOMEM},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strstr(message, kinds[i].piece) != NULL) {
            return err_set(err, kinds[i].code, "%s", message);
        }
    }
    return err_set(err, ERR_INVALID, "%s", message);
}

static enum err_code judge(const struct fetch_reply *got, const struct json *document,
                           enum d1_fate *fate, int64_t *wait_ms, struct err *err)
{
    const struct json *first = json_first(json_get(document, "errors"));
    const char *message = json_get_text(first, "message", NULL);

    if (got->status == 200 && json_is_true(json_get(document, "success"))) {
        return ERR_OK;
    }
    if (message == NULL) {
        message = got->status == 200 ? "an answer that is none of D1's" : "no reason was given";
    }
    if (over_rate(got, first)) {
        *wait_ms = got->retry_after_s > 0 ? got->retry_after_s * 1000 : 0;
        return err_set(
            err, ERR_RATE,
            "D1: too many requests (1,200 in five minutes are allowed for all that use the "
            "token); what was done is kept; try again in five minutes");
    }
    if (got->status == 401 || got->status == 403) {
        return err_set(
            err, ERR_DENIED,
            "D1 refuses the token (%.200s): it needs the permission \"D1 Edit\" for this "
            "account",
            message);
    }
    if (got->status == 404) {
        return err_set(err, ERR_NOT_FOUND, "D1: %.300s", message);
    }
    if (says_one_of(message, too_long, sizeof too_long / sizeof too_long[0])) {
        *fate = D1_TOO_LONG;
        return err_set(err, ERR_BUSY, "D1 (HTTP %ld): %.300s", got->status, message);
    }
    if (got->status >= 500 || says_one_of(message, passing, sizeof passing / sizeof passing[0])) {
        *fate = D1_UNKNOWN;
        return err_set(err, ERR_BUSY, "D1 (HTTP %ld): %.300s", got->status, message);
    }
    return d1_call_refused(message, err);
}

enum err_code d1_call_once(struct d1_call *call, const char *method, const char *path,
                           const struct buf *body, struct json **reply, enum d1_fate *fate,
                           int64_t *wait_ms, struct err *err)
{
    struct buf url = {0};
    struct fetch_reply got = {0};
    struct json *document = NULL;
    struct err unused = {0};
    enum err_code rc;

    *fate = D1_ANSWERED;
    *wait_ms = 0;
    buf_text(&url, call->base);
    buf_text(&url, path);
    if (buf_failed(&url) || (body != NULL && buf_failed(body))) {
        buf_fini(&url);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    keep_budget(call);
    rc = fetch_send(call->fetch,
                    &(struct fetch_request){.method = method,
                                            .url = buf_cstr(&url),
                                            .bearer = call->token,
                                            .body = body != NULL ? buf_cstr(body) : NULL,
                                            .body_len = body != NULL ? body->len : 0,
                                            .timeout_ms = D1_CALL_MS},
                    &got, err);
    buf_fini(&url);
    if (rc) {
        /* Cut off: before it arrived, or before its answer did. */
        *fate = rc == ERR_TIMEOUT ? D1_TOO_LONG : D1_UNKNOWN;
        err_wrap(err, "D1");
        return rc;
    }
    rc = json_parse(got.body, got.body_len, &document, &unused);
    if (rc == ERR_NOMEM) {
        *fate = D1_UNKNOWN;
        rc = err_set(err, ERR_NOMEM, "out of memory");
    } else {
        rc = judge(&got, document, fate, wait_ms, err);
        if (rc == ERR_INVALID && document == NULL) { /* a proxy's page, or half an answer */
            *fate = D1_UNKNOWN;
            rc = err_set(err, ERR_IO, "D1 (HTTP %ld): %s", got.status, unused.msg);
        }
    }
    fetch_reply_fini(&got);
    if (rc) {
        json_free(document);
        return rc;
    }
    *reply = document;
    return ERR_OK;
}

enum err_code d1_call_again(struct d1_call *call, const char *method, const char *path,
                            const struct buf *body, struct json **reply, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (unsigned try = 1; try <= D1_TRIES; try++) {
        enum d1_fate fate = D1_ANSWERED;
        int64_t wait_ms = 0;
        rc = d1_call_once(call, method, path, body, reply, &fate, &wait_ms, err);
        if (rc == ERR_OK || !d1_call_passing(rc)) {
            return rc;
        }
        if (try < D1_TRIES) {
            d1_call_wait(try + 1, wait_ms);
        }
    }
    return rc;
}
