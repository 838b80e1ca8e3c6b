#include "base/fetch.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/version.h"

#define TIMEOUT_MS 10000L
#define CANCEL_LOOK_MS 100 /* how soon a cancelled exchange ends */

struct fetch {
    CURL *easy;
    CURLM *multi; /* the connection is kept here; and waiting in it can be ended at any time */
};

/* One exchange, as curl's callbacks see it. */
struct exchange {
    const struct fetch_request *request;
    struct fetch_reply *reply;
    struct buf body;
    size_t bytes_max;
    bool head_ended; /* curl takes a reply that is cut off in its head for a whole one */
    bool too_large, cancelled;
};

static void start(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT); /* a failure shows again in curl_easy_init() */
}

struct fetch *fetch_new(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct fetch *fetch = calloc(1, sizeof *fetch);

    if (fetch == NULL) {
        return NULL;
    }
    pthread_once(&once, start);
    fetch->easy = curl_easy_init();
    fetch->multi = curl_multi_init();
    if (fetch->easy == NULL || fetch->multi == NULL) {
        fetch_free(fetch);
        return NULL;
    }
    return fetch;
}

void fetch_free(struct fetch *fetch)
{
    if (fetch == NULL) {
        return;
    }
    if (fetch->easy != NULL) {
        curl_easy_cleanup(fetch->easy);
    }
    if (fetch->multi != NULL) {
        curl_multi_cleanup(fetch->multi);
    }
    free(fetch);
}

/* ---- callbacks ---- */

static size_t on_body(char *at, size_t size, size_t count, void *ctx)
{
    struct exchange *exchange = ctx;
    size_t bytes = size * count;

    if (bytes > exchange->bytes_max - exchange->body.len) {
        exchange->too_large = true;
        return CURL_WRITEFUNC_ERROR;
    }
    buf_add(&exchange->body, at, bytes);
    return buf_failed(&exchange->body) ? CURL_WRITEFUNC_ERROR : bytes;
}

/* If line is the header name, copies its value, cut of blanks, into out. A value that does not fit
 * is left out: half an ETag would be a wrong one. */
static bool copy_header(struct str line, const char *name, char *out, size_t out_size)
{
    size_t len = strlen(name);

    if (line.len <= len || line.at[len] != ':' || strncasecmp(line.at, name, len) != 0) {
        return false;
    }
    line.at += len + 1;
    line.len -= len + 1;
    while (line.len > 0 && (line.at[0] == ' ' || line.at[0] == '\t')) {
        line.at++;
        line.len--;
    }
    while (line.len > 0 && strchr(" \t\r\n", line.at[line.len - 1]) != NULL) {
        line.len--;
    }
    if (line.len >= out_size) {
        return false;
    }
    memcpy(out, line.at, line.len);
    out[line.len] = '\0';
    return true;
}

static size_t on_header(char *at, size_t size, size_t count, void *ctx)
{
    struct exchange *exchange = ctx;
    struct fetch_reply *reply = exchange->reply;
    struct str line = {at, size * count};
    char seconds[16], *end;

    if (line.len > 5 &&
        memcmp(at, "HTTP/", 5) == 0) { /* a new head: what 100 Continue said is old */
        reply->etag[0] = '\0';
        reply->date_header[0] = '\0';
        reply->retry_after_s = -1;
        exchange->head_ended = false;
    }
    if (line.len > 0 && (at[0] == '\n' || at[0] == '\r')) {
        exchange->head_ended = true;
    }
    (void)copy_header(line, "ETag", reply->etag, sizeof reply->etag);
    (void)copy_header(line, "Date", reply->date_header, sizeof reply->date_header);
    if (copy_header(line, "Retry-After", seconds, sizeof seconds) && seconds[0] >= '0' &&
        seconds[0] <= '9') {
        long s = strtol(seconds, &end, 10);
        reply->retry_after_s = *end == '\0' && s < LONG_MAX ? s : -1;
    }
    return line.len;
}

static int on_progress(void *ctx, curl_off_t down, curl_off_t down_now, curl_off_t up,
                       curl_off_t up_now)
{
    struct exchange *exchange = ctx;

    (void)down, (void)down_now, (void)up, (void)up_now;
    if (exchange->request->cancel != NULL && atomic_load(exchange->request->cancel)) {
        exchange->cancelled = true;
        return 1;
    }
    return 0;
}

/* ---- one exchange ---- */

/* Sets host to host and port, for messages: the rest of a URL may hold what is not to be shown. */
static enum err_code check_url(const char *url, char *host, size_t host_size, struct err *err)
{
    CURLU *parts = curl_url();
    char *scheme = NULL, *name = NULL, *port = NULL;
    enum err_code rc = ERR_OK;

    if (parts == NULL) {
        return err_set(err, ERR_NOMEM, "not enough memory for a request");
    }
    if (curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) ||
        curl_url_get(parts, CURLUPART_HOST, &name, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK) {
        rc = err_set(err, ERR_INVALID,
                     "no URL of a server; it looks like http://HOST:PORT or "
                     "https://HOST");
    } else {
        snprintf(host, host_size, "%.80s:%s", name, port);
    }
    curl_free(scheme);
    curl_free(name);
    curl_free(port);
    curl_url_cleanup(parts);
    return rc;
}

static bool add_line(struct curl_slist **lines, const char *line)
{
    struct curl_slist *more = curl_slist_append(*lines, line);

    if (more == NULL) {
        return false;
    }
    *lines = more;
    return true;
}

static bool add_header(struct curl_slist **lines, const char *name, const char *value)
{
    struct buf line = {0};
    bool ok;

    if (value == NULL) {
        return true;
    }
    buf_print(&line, "%s: %s", name, value);
    ok = !buf_failed(&line) && add_line(lines, buf_cstr(&line));
    buf_fini(&line);
    return ok;
}

/* curl would make up a type of its own. */
static bool add_line_of_type(struct curl_slist **lines, const char *type)
{
    return *type == '\0' ? add_line(lines, "Content-Type:")
                         : add_header(lines, "Content-Type", type);
}

/* A line end inside a value would smuggle in a header of its own. */
static bool one_line(const char *value)
{
    return value == NULL || strpbrk(value, "\r\n") == NULL;
}

static enum err_code make_headers(const struct fetch_request *request, struct curl_slist **lines,
                                  struct err *err)
{
    struct buf bearer = {0};
    bool ok = one_line(request->bearer) && one_line(request->if_none_match) &&
              one_line(request->if_match) && one_line(request->body_type);

    for (size_t i = 0; request->headers != NULL && request->headers[i] != NULL; i++) {
        ok = ok && one_line(request->headers[i]);
    }
    if (!ok) {
        return err_set(err, ERR_INVALID, "a header value may not hold a line end");
    }
    if (request->bearer != NULL) {
        buf_print(&bearer, "Bearer %s", request->bearer);
        ok = !buf_failed(&bearer) && add_header(lines, "Authorization", buf_cstr(&bearer));
    }
    ok = ok && add_header(lines, "If-None-Match", request->if_none_match) &&
         add_header(lines, "If-Match", request->if_match) &&
         (request->body == NULL ||
          add_line_of_type(lines,
                           request->body_type != NULL ? request->body_type : "application/json")) &&
         add_line(lines, "Expect:") && /* or curl waits a second for 100 Continue */
         add_line(lines, "Accept: application/json");
    for (size_t i = 0; request->headers != NULL && request->headers[i] != NULL; i++) {
        ok = ok && add_line(lines, request->headers[i]);
    }
    buf_fini(&bearer);
    return ok ? ERR_OK : err_set(err, ERR_NOMEM, "not enough memory for a request");
}

static bool set_options(struct fetch *fetch, struct exchange *exchange, struct curl_slist *headers,
                        char *why)
{
    const struct fetch_request *request = exchange->request;
    CURL *easy = fetch->easy;
    bool ok = true;

#define SET(option, value) (ok = ok && curl_easy_setopt(easy, option, value) == CURLE_OK)
    curl_easy_reset(easy); /* keeps the connection */
    SET(CURLOPT_URL, request->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS); /* where TLS agrees on it; else 1.1 */
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
    SET(CURLOPT_USERAGENT, "lockstep/" LOCKSTEP_VERSION);
    SET(CURLOPT_ACCEPT_ENCODING, "");
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_TIMEOUT_MS, request->timeout_ms > 0 ? request->timeout_ms : TIMEOUT_MS);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_ERRORBUFFER, why);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, exchange);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, exchange);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, exchange);
    if (request->body != NULL) {
        SET(CURLOPT_POST, 1L);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
        SET(CURLOPT_POSTFIELDS, request->body);
    }
    if (strcmp(request->method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (request->body != NULL || strcmp(request->method, "GET") != 0) {
        SET(CURLOPT_CUSTOMREQUEST, request->method);
    }
#undef SET
    return ok;
}

/* Runs what was set up. A wait inside curl_easy_perform() could only be cancelled once a second. */
static CURLcode perform(struct fetch *fetch, struct exchange *exchange)
{
    CURLcode code = CURLE_FAILED_INIT;
    int running = 1, queued;
    CURLMsg *msg;

    if (curl_multi_add_handle(fetch->multi, fetch->easy) != CURLM_OK) {
        return CURLE_OUT_OF_MEMORY;
    }
    while (running > 0) {
        if (curl_multi_perform(fetch->multi, &running) != CURLM_OK) {
            break;
        }
        if (on_progress(exchange, 0, 0, 0, 0) != 0) {
            code = CURLE_ABORTED_BY_CALLBACK;
            break;
        }
        if (running > 0 &&
            curl_multi_poll(fetch->multi, NULL, 0, CANCEL_LOOK_MS, NULL) != CURLM_OK) {
            break;
        }
    }
    while ((msg = curl_multi_info_read(fetch->multi, &queued)) != NULL) {
        if (msg->msg == CURLMSG_DONE && !exchange->cancelled) {
            code = msg->data.result;
        }
    }
    curl_multi_remove_handle(fetch->multi, fetch->easy);
    return code;
}

static enum err_code judge(const struct exchange *exchange, CURLcode code, const char *host,
                           const char *why, struct err *err)
{
    if (exchange->cancelled) {
        return err_set(err, ERR_TIMEOUT, "%s: cancelled", host);
    }
    if (exchange->too_large) {
        return err_set(err, ERR_LIMIT, "%s: the reply is larger than %zu bytes", host,
                       exchange->bytes_max);
    }
    if (buf_failed(&exchange->body) || code == CURLE_OUT_OF_MEMORY) {
        return err_set(err, ERR_NOMEM, "%s: not enough memory for the exchange", host);
    }
    switch (code) {
    case CURLE_OK:
        if (!exchange->head_ended) {
            return err_set(err, ERR_IO, "%s: the reply was cut off in its head", host);
        }
        return ERR_OK;
    case CURLE_OPERATION_TIMEDOUT:
        return err_set(err, ERR_TIMEOUT, "%s: no answer in time (%s)", host, why);
    default:
        return err_set(err, ERR_IO, "%s: %s", host,
                       why[0] != '\0' ? why : curl_easy_strerror(code));
    }
}

enum err_code fetch_send(struct fetch *fetch, const struct fetch_request *request,
                         struct fetch_reply *reply, struct err *err)
{
    struct fetch_reply got = {.retry_after_s = -1};
    struct exchange exchange = {.request = request, .reply = &got};
    struct curl_slist *headers = NULL;
    char why[CURL_ERROR_SIZE] = "", host[100];
    enum err_code rc;

    exchange.bytes_max =
        request->reply_bytes_max > 0 ? request->reply_bytes_max : LIMIT_REPLY_BYTES;
    rc = check_url(request->url, host, sizeof host, err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = make_headers(request, &headers, err);
    if (rc != ERR_OK) {
        goto out;
    }
    if (!set_options(fetch, &exchange, headers, why)) {
        rc = err_set(err, ERR_NOMEM, "not enough memory for a request");
        goto out;
    }
    rc = judge(&exchange, perform(fetch, &exchange), host, why, err);
    if (rc != ERR_OK) {
        goto out;
    }
    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &got.status);
    got.body_len = exchange.body.len;
    got.body = buf_take(&exchange.body);
    if (got.body == NULL) {
        rc = err_set(err, ERR_NOMEM, "not enough memory for a reply");
        goto out;
    }
    *reply = got;
out:
    curl_slist_free_all(headers);
    buf_fini(&exchange.body);
    return rc;
}

void fetch_reply_fini(struct fetch_reply *reply)
{
    free(reply->body);
    *reply = (struct fetch_reply){.retry_after_s = -1};
}

char *fetch_url_escape(const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    struct buf buf = {0};

    for (; *text != '\0'; text++) {
        if (strchr(plain, *text) != NULL) {
            buf_char(&buf, *text);
        } else {
            buf_print(&buf, "%%%02X", (unsigned char)*text);
        }
    }
    return buf_take(&buf);
}
