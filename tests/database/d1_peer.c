#include "tests/database/d1_peer_inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- HTTP ---- */

static void send_all(int fd, const char *at, size_t len)
{
    while (len > 0) {
        ssize_t sent = send(fd, at, len, MSG_NOSIGNAL);
        if (sent <= 0) {
            return;
        }
        at += sent;
        len -= (size_t)sent;
    }
}

static void answer(int fd, int status, const char *more, const struct buf *body, bool half)
{
    struct buf head = {0};

    buf_print(&head,
              "HTTP/1.1 %d X\r\ncontent-type: application/json\r\n%scontent-length: %zu\r\n\r\n",
              status, more, body->len);
    buf_add(&head, buf_cstr(body), half ? body->len / 2 : body->len);
    send_all(fd, buf_cstr(&head), head.len); /* in one piece: two would wait for each other */
    buf_fini(&head);
}

static void answer_error(int fd, int status, int code, const char *message, const char *more)
{
    struct buf body = {0};

    buf_print(&body, "{\"result\":[],\"errors\":[{\"code\":%d,\"message\":", code);
    d1_peer_text(&body, message, strlen(message));
    buf_text(&body, "}],\"messages\":[],\"success\":false}");
    answer(fd, status, more, &body, false);
    buf_fini(&body);
}

static enum d1_fault next_fault(enum d1_fault *faults, unsigned *count)
{
    enum d1_fault fault = *count > 0 ? faults[0] : D1_FAULT_NONE;

    if (*count > 0) {
        --*count;
        memmove(faults, faults + 1, *count * sizeof *faults);
    }
    return fault;
}

/* Faults that leave nothing done; *goes_on: whether the connection stays. false: none of them. */
static bool fails_before(int fd, enum d1_fault fault, bool *goes_on)
{
    *goes_on = fault != D1_FAULT_CUT_BEFORE;
    switch (fault) {
    case D1_FAULT_429:
    case D1_FAULT_429_WAIT:
        answer_error(fd, 429, 10429, "Rate limited",
                     fault == D1_FAULT_429 ? "" : "retry-after: 1\r\n");
        return true;
    case D1_FAULT_7429: answer_error(fd, 400, 7429, "Rate limited", ""); return true;
    case D1_FAULT_500_BEFORE: answer_error(fd, 500, 7500, "internal error", ""); return true;
    case D1_FAULT_7400: answer_error(fd, 400, 7400, "The request is malformed", ""); return true;
    case D1_FAULT_OVERLOADED:
        answer_error(fd, 400, 7500, "D1 DB is overloaded. Too many requests queued.", "");
        return true;
    case D1_FAULT_LATE:
    case D1_FAULT_TOO_LONG:
        answer_error(fd, 400, 7500,
                     "D1 DB storage operation exceeded timeout which caused object to be reset.",
                     "");
        return true;
    case D1_FAULT_CUT_BEFORE: return true;
    default: return false;
    }
}

/* What was given up by who sent it, and was under way all the time. */
static void run_late(struct d1_peer *peer)
{
    struct buf out = {0}, said = {0};
    struct json *body = NULL;
    struct err err;

    if (peer->late == NULL || --peer->late_in > 0) {
        return;
    }
    d1_peer_need(json_parse(peer->late, strlen(peer->late), &body, &err) == ERR_OK, "a late body");
    (void)d1_peer_batch(peer, body, &out, &said);
    json_free(body);
    buf_fini(&out);
    buf_fini(&said);
    free(peer->late);
    peer->late = NULL;
}

/* false: the connection ends here. */
static bool answer_raw(struct d1_peer *peer, int fd, const char *text, size_t len)
{
    enum d1_fault fault = next_fault(peer->faults, &peer->fault_count);
    struct buf out = {0}, said = {0};
    struct json *body = NULL;
    struct err err;
    bool good, goes_on = true;

    peer->requests++;
    run_late(peer);
    if (fault == D1_FAULT_LATE) {
        peer->late = strndup(text, len);
        peer->late_in = 2;
    }
    if (fails_before(fd, fault, &goes_on)) {
        return goes_on;
    }
    d1_peer_need(json_parse(text, len, &body, &err) == ERR_OK, "the request's body");
    peer->split_trigger = fault == D1_FAULT_SPLIT_TRIGGER;
    buf_text(&out, "{\"result\":[");
    good = d1_peer_batch(peer, body, &out, &said);
    if (fault == D1_FAULT_TWICE) {
        buf_clear(&out);
        buf_clear(&said);
        buf_text(&out, "{\"result\":[");
        good = d1_peer_batch(peer, body, &out, &said);
    }
    buf_text(&out, "],\"errors\":[],\"messages\":[],\"success\":true}");
    if (fault == D1_FAULT_500_AFTER) {
        answer_error(fd, 500, 7500, "internal error", "");
    } else if (fault == D1_FAULT_CUT_AFTER) {
        goes_on = false;
    } else if (!good) {
        answer_error(fd, 400, 7500, buf_cstr(&said), "");
    } else {
        answer(fd, 200, "", &out, fault == D1_FAULT_HALF_ANSWER);
        goes_on = fault != D1_FAULT_HALF_ANSWER;
    }
    d1_peer_check_settings(peer);
    json_free(body);
    buf_fini(&out);
    buf_fini(&said);
    return goes_on;
}

/* ---- import ---- */

static void run_script(struct d1_peer *peer)
{
    buf_clear(&peer->import.said);
    peer->import.carried_out +=
        d1_peer_script(peer, buf_cstr(&peer->import.script), &peer->import.said);
    peer->import.active = true;
    peer->import.polls = peer->import.polls_wanted > 0 ? peer->import.polls_wanted : POLLS;
}

static void add_progress(struct d1_peer *peer, struct buf *out)
{
    bool done = peer->import.active && peer->import.polls == 0;

    buf_text(out, "{\"result\":{\"type\":\"import\",");
    if (!peer->import.active) {
        buf_text(out, "\"success\":false,\"error\":\"Not currently importing anything.\"");
    } else if (!done) {
        buf_text(out, "\"success\":true,\"at_bookmark\":\"at-1\",\"messages\":[\"Processed 1 "
                      "query.\"],\"status\":\"active\"");
        peer->import.polls--;
    } else if (peer->import.said.len > 0) {
        buf_text(out, "\"success\":false,\"at_bookmark\":\"at-1\",\"status\":\"error\",\"error\":");
        d1_peer_text(out, buf_cstr(&peer->import.said), peer->import.said.len);
    } else {
        buf_text(out, "\"success\":true,\"at_bookmark\":\"at-1\",\"status\":\"complete\","
                      "\"result\":{\"final_bookmark\":\"at-2\",\"num_queries\":1}");
    }
    peer->import.active = peer->import.active && !done;
    buf_text(out, "},\"errors\":[],\"messages\":[],\"success\":true}");
}

/* One step; 400 with nothing done if it is none. */
static bool take_step(struct d1_peer *peer, const struct json *body, struct buf *out)
{
    const char *action = json_get_text(body, "action", ""), *etag = json_get_text(body, "etag", "");
    bool uploaded = *etag != '\0' && strcmp(etag, peer->import.etag) == 0;

    if (strcmp(action, "init") == 0 && !uploaded && strlen(etag) == 32) {
        buf_print(out,
                  "{\"result\":{\"success\":true,\"filename\":\"%s.sql\",\"upload_url\":\"%.*s/"
                  "upload/%s?X-Amz-Signature=a-secret-of-its-own\"},\"success\":true}",
                  etag, (int)(strstr(peer->api, "/client") - peer->api), peer->api, etag);
        return true;
    }
    if (strcmp(action, "ingest") == 0 && uploaded &&
        strncmp(json_get_text(body, "filename", ""), etag, 32) == 0) {
        run_script(peer);
    } else if (strcmp(action, "init") == 0 && uploaded) {
        run_script(peer);
    } else if (strcmp(action, "poll") != 0 ||
               strcmp(json_get_text(body, "current_bookmark", ""), "at-1") != 0) {
        return false;
    }
    add_progress(peer, out);
    return true;
}

static bool answer_import(struct d1_peer *peer, int fd, const char *text, size_t len)
{
    enum d1_fault fault = next_fault(peer->import.faults, &peer->import.fault_count);
    struct buf out = {0};
    struct json *body = NULL;
    struct err err;
    bool goes_on = true, good;

    if (fails_before(fd, fault, &goes_on)) {
        return goes_on;
    }
    d1_peer_need(json_parse(text, len, &body, &err) == ERR_OK, "the import's body");
    good = take_step(peer, body, &out);
    if (fault == D1_FAULT_TWICE) {
        buf_clear(&out);
        good = take_step(peer, body, &out);
    }
    json_free(body);
    if (fault == D1_FAULT_500_AFTER) {
        answer_error(fd, 500, 7500, "internal error", "");
    } else if (fault == D1_FAULT_CUT_AFTER) {
        goes_on = false;
    } else if (!good) {
        answer_error(fd, 400, 7400, "The request is malformed", "");
    } else {
        answer(fd, 200, "", &out, fault == D1_FAULT_HALF_ANSWER);
        goes_on = fault != D1_FAULT_HALF_ANSWER;
    }
    buf_fini(&out);
    d1_peer_check_settings(peer);
    return goes_on;
}

/* The object store's side: whoever has the URL may put the file there; the token is not for it. */
static bool take_upload(struct d1_peer *peer, int fd, const char *head, const char *body,
                        size_t len)
{
    enum d1_fault fault = next_fault(peer->import.faults, &peer->import.fault_count);
    struct buf none = {0};
    char hex[MD5_HEX_BYTES], etag[60];
    bool goes_on = true;

    d1_peer_need(strcasestr(head, "authorization:") == NULL,
                 "the token travels to the object store");
    if (fails_before(fd, fault, &goes_on)) {
        return goes_on;
    }
    buf_clear(&peer->import.script);
    buf_add(&peer->import.script, body, fault == D1_FAULT_TWICE ? len / 2 : len);
    md5_hex(buf_cstr(&peer->import.script), peer->import.script.len, hex);
    (void)snprintf(peer->import.etag, sizeof peer->import.etag, "%s", hex);
    (void)snprintf(etag, sizeof etag, "etag: \"%s\"\r\n", hex);
    if (fault == D1_FAULT_500_AFTER) {
        answer_error(fd, 500, 0, "we encountered an internal error", "");
    } else if (fault == D1_FAULT_CUT_AFTER) {
        goes_on = false;
    } else {
        answer(fd, 200, etag, &none, false);
    }
    return goes_on;
}

static void answer_travel(struct d1_peer *peer, int fd, const char *what)
{
    struct buf out = {0};
    size_t number = 0;

    if (strncmp(what, "bookmark ", 9) == 0) {
        buf_print(&out, "{\"result\":{\"bookmark\":\"mark-%zu\"},\"success\":true}",
                  d1_peer_mark_past(peer));
    } else if (sscanf(what, "restore?bookmark=mark-%zu", &number) == 1 &&
               number < peer->past_count) {
        size_t undo = d1_peer_mark_past(peer);
        d1_peer_travel_to(peer, number);
        buf_print(&out,
                  "{\"result\":{\"bookmark\":\"mark-%zu\",\"previous_bookmark\":\"mark-%zu\"},"
                  "\"success\":true}",
                  number, undo);
    }
    if (out.len > 0) {
        answer(fd, 200, "", &out, false);
    } else {
        answer_error(fd, 400, 7400, "The bookmark is not valid", "");
    }
    buf_fini(&out);
}

static bool serve_one(struct d1_peer *peer, int fd, const char *head, const char *body, size_t len)
{
    static const char id[] = "11111111-2222-4333-8444-555555555555";
    struct buf out = {0};
    const char *at;
    char expected[120];

    (void)snprintf(expected, sizeof expected, "uthorization: Bearer %s\r\n", peer->token);
    if (peer->dead) {
        return false;
    }
    if (strncmp(head, "PUT /upload/", 12) == 0) {
        return take_upload(peer, fd, head, body, len);
    }
    if (strstr(head, expected) == NULL) {
        answer_error(fd, 403, 10000, "Authentication error", "");
    } else if (strncmp(head, "POST /client/v4/accounts/acc/d1/database/", 41) == 0 &&
               strncmp(head + 41, id, 36) == 0 && strncmp(head + 77, "/raw ", 5) == 0) {
        return answer_raw(peer, fd, body, len);
    } else if (strncmp(head, "POST /client/v4/accounts/acc/d1/database/", 41) == 0 &&
               strncmp(head + 41, id, 36) == 0 && strncmp(head + 77, "/import ", 8) == 0) {
        return answer_import(peer, fd, body, len);
    } else if (!peer->no_past && (at = strstr(head, "/time_travel/")) != NULL) {
        enum d1_fault fault = D1_FAULT_NONE;
        bool goes_on = true;
        if (strstr(at, "restore") != NULL) {
            peer->dead = peer->dies;
            fault = next_fault(peer->import.faults, &peer->import.fault_count);
        }
        if (fails_before(fd, fault, &goes_on)) {
            return goes_on;
        }
        if (fault == D1_FAULT_500_AFTER) {
            size_t number = 0;
            (void)sscanf(strstr(at, "mark-"), "mark-%zu", &number);
            (void)d1_peer_mark_past(peer);
            d1_peer_travel_to(peer, number);
            answer_error(fd, 500, 7500, "internal error", "");
            return true;
        }
        answer_travel(peer, fd, at + strlen("/time_travel/"));
    } else if (strncmp(head, "GET /client/v4/accounts/acc/d1/database?name=", 45) == 0 ||
               (strncmp(head, "GET /client/v4/accounts/acc/d1/database/", 40) == 0 &&
                strncmp(head + 40, id, 36) == 0 && head[76] == ' ')) {
        bool list = head[39] == '?';
        buf_print(&out, "{\"result\":%s{\"uuid\":\"%s\",\"name\":\"shop\"}%s,\"success\":true}",
                  list ? "[" : "", id, list ? "]" : "");
        answer(fd, 200, "", &out, false);
        buf_fini(&out);
    } else {
        answer_error(fd, 404, 7404, "The database could not be found", "");
    }
    return true;
}

/* Requests of one connection, until it ends. */
static void serve(struct d1_peer *peer, int fd)
{
    char *text = NULL;
    size_t len = 0, room = 0;
    bool goes_on = true;

    while (goes_on) {
        char *end = text != NULL ? strstr(text, "\r\n\r\n") : NULL;
        char *length = text != NULL ? strcasestr(text, "content-length:") : NULL;
        size_t wanted =
            end == NULL
                ? 0
                : (size_t)(end + 4 - text) +
                      (length != NULL && length < end ? (size_t)strtoul(length + 15, NULL, 10) : 0);
        ssize_t got;
        if (end != NULL && len >= wanted) {
            size_t head = (size_t)(end + 4 - text);
            end[3] = '\0';
            pthread_mutex_lock(&peer->lock);
            goes_on = serve_one(peer, fd, text, text + head, wanted - head);
            pthread_mutex_unlock(&peer->lock);
            memmove(text, text + wanted, len - wanted + 1);
            len -= wanted;
            continue;
        }
        if (len + HEAD_BYTES + 1 > room) {
            room = (room + HEAD_BYTES) * 2;
            text = realloc(text, room);
            d1_peer_need(text != NULL, "realloc");
        }
        got = recv(fd, text + len, HEAD_BYTES, 0);
        goes_on = got > 0;
        len += got > 0 ? (size_t)got : 0;
        text[len] = '\0';
        if (goes_on && end != NULL && strcasestr(text, "expect: 100-continue") != NULL &&
            len == (size_t)(end + 4 - text)) {
            send_all(fd, "HTTP/1.1 100 Continue\r\n\r\n", 25);
        }
    }
    free(text);
}

static void *run(void *ctx)
{
    struct d1_peer *peer = ctx;

    for (;;) {
        int fd = accept(peer->listener, NULL, NULL);
        pthread_mutex_lock(&peer->lock);
        peer->connection = peer->stopping ? -1 : fd;
        peer->connections++;
        pthread_mutex_unlock(&peer->lock);
        if (fd < 0 || peer->stopping) {
            break;
        }
        serve(peer, fd);
        close(fd);
    }
    return NULL;
}

/* ---- for tests ---- */

struct d1_peer *d1_peer_start(const char *token)
{
    struct d1_peer *peer = calloc(1, sizeof *peer);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    d1_peer_need(peer != NULL, "calloc");
    (void)snprintf(peer->token, sizeof peer->token, "%s", token);
    d1_peer_open(peer);
    peer->listener = socket(AF_INET, SOCK_STREAM, 0);
    d1_peer_need(peer->listener >= 0, "socket");
    d1_peer_need(bind(peer->listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    d1_peer_need(listen(peer->listener, 8) == 0, "listen");
    d1_peer_need(getsockname(peer->listener, (struct sockaddr *)&address, &len) == 0,
                 "getsockname");
    (void)snprintf(peer->api, sizeof peer->api, "http://127.0.0.1:%d/client/v4",
                   ntohs(address.sin_port));
    d1_peer_need(pthread_mutex_init(&peer->lock, NULL) == 0, "mutex");
    d1_peer_need(pthread_create(&peer->thread, NULL, run, peer) == 0, "thread");
    return peer;
}

void d1_peer_stop(struct d1_peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    peer->stopping = true;
    pthread_mutex_unlock(&peer->lock);
    (void)shutdown(peer->listener, SHUT_RDWR);
    d1_peer_need(pthread_join(peer->thread, NULL) == 0, "join");
    close(peer->listener);
    d1_peer_forget_past(peer);
    buf_fini(&peer->import.script);
    buf_fini(&peer->import.said);
    free(peer->late);
    d1_peer_need(sqlite3_close(peer->db) == SQLITE_OK, "sqlite3_close");
    pthread_mutex_destroy(&peer->lock);
    free(peer);
}

const char *d1_peer_api(const struct d1_peer *peer)
{
    return peer->api;
}

void d1_peer_clear(struct d1_peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    d1_peer_need(sqlite3_close(peer->db) == SQLITE_OK, "sqlite3_close");
    d1_peer_open(peer);
    d1_peer_forget_past(peer);
    peer->no_past = peer->alters = peer->settings = false;
    peer->fault_count = peer->import.fault_count = peer->import.carried_out = 0;
    peer->weight = 0;
    peer->import.active = false;
    peer->import.etag[0] = '\0';
    peer->ms_per_row = peer->longest_ms = peer->call_ms_max = 0;
    free(peer->late);
    peer->late = NULL;
    pthread_mutex_unlock(&peer->lock);
}

void d1_peer_fault(struct d1_peer *peer, enum d1_fault fault)
{
    pthread_mutex_lock(&peer->lock);
    d1_peer_need(peer->fault_count < FAULTS_MAX, "too many faults");
    peer->faults[peer->fault_count++] = fault;
    pthread_mutex_unlock(&peer->lock);
}

unsigned d1_peer_requests(struct d1_peer *peer)
{
    unsigned requests;

    pthread_mutex_lock(&peer->lock);
    requests = peer->requests;
    pthread_mutex_unlock(&peer->lock);
    return requests;
}

void d1_peer_forget_travel(struct d1_peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    peer->no_past = true;
    pthread_mutex_unlock(&peer->lock);
}

void d1_peer_die_after_travel(struct d1_peer *peer, bool die)
{
    pthread_mutex_lock(&peer->lock);
    peer->dies = die;
    peer->dead = false;
    pthread_mutex_unlock(&peer->lock);
}

void d1_peer_run(struct d1_peer *peer, const char *sql)
{
    pthread_mutex_lock(&peer->lock);
    peer->settings = peer->settings || strncmp(sql, "PRAGMA", 6) == 0; /* the test's own doing */
    d1_peer_own(peer, sql);
    pthread_mutex_unlock(&peer->lock);
}

unsigned d1_peer_faults(struct d1_peer *peer)
{
    unsigned faults;

    pthread_mutex_lock(&peer->lock);
    faults = peer->fault_count;
    pthread_mutex_unlock(&peer->lock);
    return faults;
}

unsigned d1_peer_sent(struct d1_peer *peer)
{
    unsigned sent;

    pthread_mutex_lock(&peer->lock);
    sent = peer->sent;
    pthread_mutex_unlock(&peer->lock);
    return sent;
}

unsigned d1_peer_connections(struct d1_peer *peer)
{
    unsigned connections;

    pthread_mutex_lock(&peer->lock);
    connections = peer->connections;
    pthread_mutex_unlock(&peer->lock);
    return connections;
}

void d1_peer_slow(struct d1_peer *peer, double ms_per_row, double call_ms_max)
{
    pthread_mutex_lock(&peer->lock);
    peer->ms_per_row = ms_per_row;
    peer->call_ms_max = call_ms_max;
    peer->longest_ms = 0;
    pthread_mutex_unlock(&peer->lock);
}

void d1_peer_weigh(struct d1_peer *peer, int rows_written)
{
    pthread_mutex_lock(&peer->lock);
    peer->weight = rows_written;
    pthread_mutex_unlock(&peer->lock);
}

double d1_peer_longest_ms(struct d1_peer *peer)
{
    double longest;

    pthread_mutex_lock(&peer->lock);
    longest = peer->longest_ms;
    pthread_mutex_unlock(&peer->lock);
    return longest;
}

void d1_peer_fault_import(struct d1_peer *peer, enum d1_fault fault)
{
    pthread_mutex_lock(&peer->lock);
    d1_peer_need(peer->import.fault_count < FAULTS_MAX, "too many faults");
    peer->import.faults[peer->import.fault_count++] = fault;
    pthread_mutex_unlock(&peer->lock);
}

void d1_peer_polls(struct d1_peer *peer, unsigned polls)
{
    pthread_mutex_lock(&peer->lock);
    peer->import.polls_wanted = polls;
    pthread_mutex_unlock(&peer->lock);
}

unsigned d1_peer_imports(struct d1_peer *peer)
{
    unsigned carried_out;

    pthread_mutex_lock(&peer->lock);
    carried_out = peer->import.carried_out;
    pthread_mutex_unlock(&peer->lock);
    return carried_out;
}

void d1_peer_alters(struct d1_peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    peer->alters = true;
    pthread_mutex_unlock(&peer->lock);
}
