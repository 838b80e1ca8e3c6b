/*
 * D1's import: a file goes to an object store, and the service carries it out as one transaction, by
 * rules of its own, while the database answers nobody (developers.cloudflare.com/d1/tutorials/
 * import-to-d1-with-rest-api). Each step may be lost on its way; all but the last are harmless to
 * repeat, and the file's own guard refuses what was carried out already.
 */
#include "database/d1.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "database/md5.h"

#define UPLOAD_MS 600000L /* 5 GB are allowed; what migrations have is far less */
#define POLL_FIRST_MS 20
#define POLL_MS 2000
#define IMPORT_MS 3600000

struct importing {
    struct d1 *d1;
    const struct buf *script;
    char etag[MD5_HEX_BYTES];
    char *path; /* "/ID/import" */
    struct err *err;
};

/* {"action", "etag", one more}; name NULL: none. */
static enum err_code step(struct importing *i, const char *action, const char *name,
                          const char *value, struct json **reply)
{
    struct json *body = json_object();
    struct buf text = {0};
    char *printed;
    enum err_code rc;

    (void)json_put_text(body, "action", action);
    if (strcmp(action, "poll") != 0) {
        (void)json_put_text(body, "etag", i->etag);
    }
    if (name != NULL) {
        (void)json_put_text(body, name, value);
    }
    printed = json_print(body);
    json_free(body);
    if (printed != NULL) {
        buf_text(&text, printed);
    }
    free(printed);
    rc = text.len == 0 ? err_set(i->err, ERR_NOMEM, "out of memory")
                       : d1_call_again(&i->d1->call, "POST", i->path, &text, reply, i->err);
    buf_fini(&text);
    return rc;
}

/* The store says by its ETag what it has. */
static bool arrived(const struct importing *i, const struct fetch_reply *got)
{
    const char *etag = got->etag[0] == '"' ? got->etag + 1 : got->etag;

    return got->status == 200 && strncmp(etag, i->etag, MD5_HEX_BYTES - 1) == 0;
}

/* The URL is a secret of its own, so it is in no message; the token is not for this host. */
static enum err_code upload(struct importing *i, const char *url)
{
    enum err_code rc = ERR_OK;

    for (unsigned try = 1; try <= D1_TRIES; try++) {
        struct fetch_reply got = {0};
        rc = fetch_send(i->d1->call.fetch,
                        &(struct fetch_request){.method = "PUT",
                                                .url = url,
                                                .body = buf_cstr(i->script),
                                                .body_len = i->script->len,
                                                .body_type = "",
                                                .timeout_ms = UPLOAD_MS},
                        &got, i->err);
        if (rc == ERR_OK && !arrived(i, &got)) {
            rc = err_set(i->err, ERR_IO, "HTTP %ld, or a file of other bytes", got.status);
        }
        fetch_reply_fini(&got);
        if (rc == ERR_OK || !d1_call_passing(rc)) {
            break;
        }
        if (try < D1_TRIES) {
            d1_call_wait(try + 1, 0);
        }
    }
    if (rc) {
        err_wrap(i->err, "D1 import: the file could not be uploaded");
    }
    return rc;
}

static const char *error_of(const struct json *result)
{
    const char *error = json_get_text(result, "error", NULL);
    const struct json *first = json_first(json_get(result, "errors"));

    return error != NULL ? error : first != NULL ? json_text(first) : NULL;
}

/* What the service says of the import: done (ERR_OK), *known false while it is at it, or refused. */
static enum err_code judge(struct importing *i, const struct json *result, bool *known)
{
    const char *status = json_get_text(result, "status", ""), *error = error_of(result);

    *known = true;
    if (strcmp(status, "complete") == 0) {
        return ERR_OK;
    }
    if (strcmp(status, "error") == 0) {
        return d1_call_refused(error != NULL ? error : "the import failed, without a reason",
                               i->err);
    }
    if (!json_is_true(json_get(result, "success")) && error != NULL) {
        *known = false; /* it imports nothing any more: how it ended the database knows */
        return ERR_OK;
    }
    *known = false;
    return ERR_BUSY;
}

/* Takes reply. */
static enum err_code wait_for_end(struct importing *i, struct json *reply, bool *known)
{
    int64_t until_us = clock_monotonic_us() + (int64_t)IMPORT_MS * 1000, pause_ms = POLL_FIRST_MS;
    enum err_code rc;

    while ((rc = judge(i, json_get(reply, "result"), known)) == ERR_BUSY) {
        char *at = strdup(json_get_text(json_get(reply, "result"), "at_bookmark", ""));
        json_free(reply);
        reply = NULL;
        if (clock_monotonic_us() > until_us) {
            free(at);
            return err_set(i->err, ERR_TIMEOUT, "D1 import: it takes longer than an hour");
        }
        clock_sleep_us(pause_ms * 1000);
        pause_ms = pause_ms * 2 < POLL_MS ? pause_ms * 2 : POLL_MS;
        rc = at != NULL ? step(i, "poll", "current_bookmark", at, &reply)
                        : err_set(i->err, ERR_NOMEM, "out of memory");
        free(at);
        if (rc) {
            *known = false;
            return rc;
        }
    }
    json_free(reply);
    return rc;
}

enum err_code d1_import(struct d1 *d1, const struct buf *script, bool *known, struct err *err)
{
    struct importing i = {.d1 = d1, .script = script, .err = err};
    struct json *reply = NULL;
    struct buf path = {0};
    char *filename = NULL;
    const char *url;
    enum err_code rc;

    *known = true;
    md5_hex(buf_cstr(script), script->len, i.etag);
    buf_print(&path, "/%s/import", d1->id);
    i.path = buf_take(&path);
    rc = i.path != NULL ? step(&i, "init", NULL, NULL, &reply)
                        : err_set(err, ERR_NOMEM, "out of memory");
    if (rc == ERR_NOT_FOUND) {
        rc = err_set(err, ERR_CONFLICT, "this service has no import (%.200s)", d1->id);
    }
    url = json_get_text(json_get(reply, "result"), "upload_url", NULL);
    if (rc == ERR_OK && url != NULL) { /* else an earlier try has uploaded it, and it goes on */
        filename = strdup(json_get_text(json_get(reply, "result"), "filename", ""));
        rc = filename != NULL ? upload(&i, url) : err_set(err, ERR_NOMEM, "out of memory");
        json_free(reply);
        reply = NULL;
        if (rc == ERR_OK) {
            rc = step(&i, "ingest", "filename", filename, &reply);
            *known = rc == ERR_OK || !d1_call_passing(rc);
        }
    }
    if (rc == ERR_OK) {
        rc = wait_for_end(&i, reply, known);
        reply = NULL;
    }
    json_free(reply);
    free(filename);
    free(i.path);
    return rc;
}
