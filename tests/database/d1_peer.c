#include "tests/database/d1_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/utf8.h"
#include "database/database.h"

#define FAULTS_MAX 64
#define HEAD_BYTES 16384
#define PAST_MAX 16

struct d1_peer {
    int listener, connection;
    char api[80], token[64];
    pthread_t thread;
    pthread_mutex_t lock;
    sqlite3 *db;
    enum d1_fault faults[FAULTS_MAX];
    unsigned fault_count, requests;
    bool stopping, split_trigger, no_past;
    struct {
        unsigned char *bytes;
        sqlite3_int64 len;
    } past[PAST_MAX]; /* bookmarks: the whole database as it was */
    size_t past_count;
};

static void need(bool good, const char *what)
{
    if (!good) {
        perror(what);
        abort();
    }
}

/* ---- the engine ---- */

static void unhex(sqlite3_context *context, int count, sqlite3_value **values)
{
    const unsigned char *text = sqlite3_value_text(values[0]);
    size_t len = text != NULL ? strlen((const char *)text) / 2 : 0;
    char *bytes = malloc(len + 1);

    (void)count;
    need(bytes != NULL, "malloc");
    for (size_t i = 0; i < len; i++) {
        unsigned byte = 0;
        need(sscanf((const char *)text + 2 * i, "%2x", &byte) == 1, "unhex");
        bytes[i] = (char)byte;
    }
    sqlite3_result_blob64(context, bytes, len, free);
}

static bool own_work;

/* What workerd's authorizer refuses. */
static int authorize(void *ctx, int action, const char *a, const char *b, const char *c,
                     const char *d)
{
    static const char *const allowed[] = {"table_list",          "table_info",
                                          "table_xinfo",         "foreign_key_list",
                                          "index_info",          "index_list",
                                          "index_xinfo",         "foreign_key_check",
                                          "quick_check",         "optimize",
                                          "data_version",        "foreign_keys",
                                          "defer_foreign_keys",  "recursive_triggers",
                                          "legacy_alter_table",  "ignore_check_constraints",
                                          "case_sensitive_like", "reverse_unordered_selects"};

    (void)ctx, (void)c, (void)d;
    if (own_work) {
        return SQLITE_OK;
    }
    switch (action) {
    case SQLITE_READ: return strncmp(a, "_cf_", 4) == 0 ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT:
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
    case SQLITE_CREATE_TEMP_TABLE:
    case SQLITE_CREATE_TEMP_TRIGGER:
    case SQLITE_CREATE_TEMP_VIEW:
    case SQLITE_CREATE_TEMP_INDEX: return SQLITE_DENY;
    case SQLITE_PRAGMA:
        if (b != NULL && strncmp(b, "_cf_", 4) == 0) {
            return SQLITE_DENY;
        }
        for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
            if (strcasecmp(a, allowed[i]) == 0) {
                return SQLITE_OK;
            }
        }
        return SQLITE_DENY;
    default: return SQLITE_OK;
    }
}

static void open_engine(struct d1_peer *peer)
{
    need(sqlite3_open(":memory:", &peer->db) == SQLITE_OK, "sqlite3_open");
    need(sqlite3_exec(peer->db, "PRAGMA foreign_keys = ON; CREATE TABLE _cf_METADATA(key, value)",
                      NULL, NULL, NULL) == SQLITE_OK,
         "foreign_keys");
    sqlite3_limit(peer->db, SQLITE_LIMIT_SQL_LENGTH, 100000);
    sqlite3_limit(peer->db, SQLITE_LIMIT_COLUMN, 100);
    sqlite3_limit(peer->db, SQLITE_LIMIT_EXPR_DEPTH, 100);
    sqlite3_limit(peer->db, SQLITE_LIMIT_COMPOUND_SELECT, 5);
    sqlite3_limit(peer->db, SQLITE_LIMIT_VARIABLE_NUMBER, 100);
    sqlite3_limit(peer->db, SQLITE_LIMIT_TRIGGER_DEPTH, 10);
    need(sqlite3_create_function(peer->db, "unhex", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                 unhex, NULL, NULL) == SQLITE_OK,
         "unhex");
    need(sqlite3_set_authorizer(peer->db, authorize, NULL) == SQLITE_OK, "authorizer");
}

static void own(struct d1_peer *peer, const char *sql)
{
    own_work = true;
    need(sqlite3_exec(peer->db, sql, NULL, NULL, NULL) == SQLITE_OK, sql);
    own_work = false;
}

static void add_text(struct buf *out, const char *at, size_t len)
{
    struct buf whole = {0};
    char *quoted;

    for (size_t i = 0; i < len;) {
        size_t piece = utf8_sequence(at + i, len - i);
        if (piece == 1 && at[i] == '\0') {
            buf_text(&whole, "(NUL)"); /* a driver must not depend on it */
        } else if (piece > 0) {
            buf_add(&whole, at + i, piece);
        } else {
            buf_text(&whole, "\xef\xbf\xbd");
            piece = 1;
        }
        i += piece;
    }
    quoted = json_quote(buf_cstr(&whole), whole.len);
    need(quoted != NULL, "json_quote");
    buf_text(out, quoted);
    free(quoted);
    buf_fini(&whole);
}

static void add_column(sqlite3_stmt *stmt, int i, struct buf *out)
{
    const unsigned char *blob = sqlite3_column_blob(stmt, i);

    switch (sqlite3_column_type(stmt, i)) {
    case SQLITE_INTEGER:
    case SQLITE_FLOAT: buf_print(out, "%.17g", sqlite3_column_double(stmt, i)); break;
    case SQLITE_TEXT:
        add_text(out, (const char *)sqlite3_column_text(stmt, i),
                 (size_t)sqlite3_column_bytes(stmt, i));
        break;
    case SQLITE_BLOB:
        buf_char(out, '[');
        for (int k = 0; k < sqlite3_column_bytes(stmt, i); k++) {
            buf_print(out, "%s%d", k > 0 ? "," : "", blob[k]);
        }
        buf_char(out, ']');
        break;
    default: buf_text(out, "null");
    }
}

static const char *bind_params(sqlite3_stmt *stmt, const struct json *params)
{
    int i = 0;

    if (sqlite3_bind_parameter_count(stmt) != (int)json_count(params)) {
        return "Wrong number of parameter bindings for SQL query.";
    }
    for (const struct json *value = json_first(params); value != NULL; value = json_next(value)) {
        i++;
        if (json_kind(value) == JSON_NUMBER) {
            need(sqlite3_bind_double(stmt, i, json_number(value, 0)) == SQLITE_OK, "bind");
        } else if (json_kind(value) == JSON_STRING) {
            need(sqlite3_bind_text(stmt, i, json_text(value), -1, SQLITE_TRANSIENT) == SQLITE_OK,
                 "bind");
        }
    }
    return NULL;
}

/* One statement; false with the message in *said. */
static bool run_one(struct d1_peer *peer, const char *sql, const struct json *params,
                    struct buf *out, struct buf *said)
{
    sqlite3_stmt *stmt = NULL;
    const char *tail = NULL, *wrong;
    int rc, columns, rows = 0;

    if (sqlite3_prepare_v2(peer->db, sql, -1, &stmt, &tail) != SQLITE_OK) {
        buf_print(said, "%s: SQLITE_ERROR", sqlite3_errmsg(peer->db));
        return false;
    }
    if (stmt == NULL) {
        buf_text(said, "No SQL statements detected.");
        return false;
    }
    wrong = bind_params(stmt, params);
    if (tail != NULL && *tail != '\0') {
        wrong = "params with multiple statements is not supported";
    }
    if (wrong != NULL) {
        buf_text(said, wrong);
        sqlite3_finalize(stmt);
        return false;
    }
    columns = sqlite3_column_count(stmt);
    buf_text(out, "{\"results\":{\"columns\":[");
    for (int i = 0; i < columns; i++) {
        buf_text(out, i > 0 ? "," : "");
        add_text(out, sqlite3_column_name(stmt, i), strlen(sqlite3_column_name(stmt, i)));
    }
    buf_text(out, "],\"rows\":[");
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        buf_text(out, rows++ > 0 ? ",[" : "[");
        for (int i = 0; i < columns; i++) {
            buf_text(out, i > 0 ? "," : "");
            add_column(stmt, i, out);
        }
        buf_char(out, ']');
    }
    buf_text(out, "]},\"success\":true,\"meta\":{\"duration\":0.25}}");
    if (rc != SQLITE_DONE) {
        buf_print(said, "%s: %s", sqlite3_errmsg(peer->db),
                  (rc & 0xff) == SQLITE_CONSTRAINT ? "SQLITE_CONSTRAINT" : "SQLITE_ERROR");
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_DONE;
}

/* A trigger whose text was cut up on its way. */
static char *with_cut_trigger(const char *sql)
{
    static const char from[] = "BEGIN SELECT 1; SELECT 2; END", to[] = "BEGIN SELECT 1; END";
    const char *at = strstr(sql, from);
    struct buf out = {0};

    buf_add(&out, sql, at != NULL ? (size_t)(at - sql) : strlen(sql));
    buf_text(&out, at != NULL ? to : "");
    buf_text(&out, at != NULL ? at + strlen(from) : "");
    return buf_take(&out);
}

static bool run_all(struct d1_peer *peer, const struct json *body, struct buf *out,
                    struct buf *said)
{
    const struct json *item =
        json_get(body, "batch") != NULL ? json_first(json_get(body, "batch")) : body;
    bool good = true, first = true;

    own(peer, "BEGIN");
    while (good && item != NULL) {
        const char *sql = json_get_text(item, "sql", "");
        char *cut = peer->split_trigger ? with_cut_trigger(sql) : strdup(sql);
        buf_text(out, first ? "" : ",");
        good = run_one(peer, cut, json_get(item, "params"), out, said);
        free(cut);
        first = false;
        item = item != body ? json_next(item) : NULL;
    }
    own_work = true;
    if (good && sqlite3_exec(peer->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) {
        buf_print(said, "%s: SQLITE_CONSTRAINT", sqlite3_errmsg(peer->db));
        good = false;
    }
    if (!good && sqlite3_get_autocommit(peer->db) == 0) {
        own(peer, "ROLLBACK");
    }
    own_work = false;
    return good;
}

/* ---- Time Travel ---- */

static void forget_past(struct d1_peer *peer)
{
    while (peer->past_count > 0) {
        sqlite3_free(peer->past[--peer->past_count].bytes);
    }
}

static size_t mark_past(struct d1_peer *peer)
{
    size_t i = peer->past_count;

    need(i < PAST_MAX, "too many bookmarks");
    own_work = true;
    peer->past[i].bytes = sqlite3_serialize(peer->db, "main", &peer->past[i].len, 0);
    own_work = false;
    need(peer->past[i].bytes != NULL, "sqlite3_serialize");
    return peer->past_count++;
}

static void travel_to(struct d1_peer *peer, size_t i)
{
    unsigned char *copy = sqlite3_malloc64((sqlite3_uint64)peer->past[i].len);

    need(copy != NULL, "sqlite3_malloc64");
    memcpy(copy, peer->past[i].bytes, (size_t)peer->past[i].len);
    need(sqlite3_close(peer->db) == SQLITE_OK, "sqlite3_close");
    open_engine(peer);
    own_work = true;
    need(sqlite3_deserialize(peer->db, "main", copy, peer->past[i].len, peer->past[i].len,
                             SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) ==
             SQLITE_OK,
         "sqlite3_deserialize");
    own_work = false;
}

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
    add_text(&body, message, strlen(message));
    buf_text(&body, "}],\"messages\":[],\"success\":false}");
    answer(fd, status, more, &body, false);
    buf_fini(&body);
}

static enum d1_fault next_fault(struct d1_peer *peer)
{
    enum d1_fault fault = D1_FAULT_NONE;

    if (peer->fault_count > 0) {
        fault = peer->faults[0];
        peer->fault_count--;
        memmove(peer->faults, peer->faults + 1, peer->fault_count * sizeof *peer->faults);
    }
    return fault;
}

/* false: the connection ends here. */
static bool answer_raw(struct d1_peer *peer, int fd, const char *text, size_t len)
{
    enum d1_fault fault = next_fault(peer);
    struct buf out = {0}, said = {0};
    struct json *body = NULL;
    struct err err;
    bool good, goes_on = true;

    peer->requests++;
    switch (fault) {
    case D1_FAULT_429:
    case D1_FAULT_429_WAIT:
        answer_error(fd, 429, 10429, "Rate limited",
                     fault == D1_FAULT_429 ? "" : "retry-after: 1\r\n");
        return true;
    case D1_FAULT_500_BEFORE: answer_error(fd, 500, 7500, "internal error", ""); return true;
    case D1_FAULT_7400: answer_error(fd, 400, 7400, "The request is malformed", ""); return true;
    case D1_FAULT_OVERLOADED:
        answer_error(fd, 400, 7500, "D1 DB is overloaded. Too many requests queued.", "");
        return true;
    case D1_FAULT_CUT_BEFORE: return false;
    default: break;
    }
    need(json_parse(text, len, &body, &err) == ERR_OK, "the request's body");
    peer->split_trigger = fault == D1_FAULT_SPLIT_TRIGGER;
    buf_text(&out, "{\"result\":[");
    good = run_all(peer, body, &out, &said);
    if (fault == D1_FAULT_TWICE) {
        buf_clear(&out);
        buf_clear(&said);
        buf_text(&out, "{\"result\":[");
        good = run_all(peer, body, &out, &said);
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
    json_free(body);
    buf_fini(&out);
    buf_fini(&said);
    return goes_on;
}

static void answer_travel(struct d1_peer *peer, int fd, const char *what)
{
    struct buf out = {0};
    size_t number = 0;

    if (strncmp(what, "bookmark ", 9) == 0) {
        buf_print(&out, "{\"result\":{\"bookmark\":\"mark-%zu\"},\"success\":true}",
                  mark_past(peer));
    } else if (sscanf(what, "restore?bookmark=mark-%zu", &number) == 1 &&
               number < peer->past_count) {
        size_t undo = mark_past(peer);
        travel_to(peer, number);
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
    if (strstr(head, expected) == NULL) {
        answer_error(fd, 403, 10000, "Authentication error", "");
    } else if (strncmp(head, "POST /client/v4/accounts/acc/d1/database/", 41) == 0 &&
               strncmp(head + 41, id, 36) == 0 && strncmp(head + 77, "/raw ", 5) == 0) {
        return answer_raw(peer, fd, body, len);
    } else if (!peer->no_past && (at = strstr(head, "/time_travel/")) != NULL) {
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
            need(text != NULL, "realloc");
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

    need(peer != NULL, "calloc");
    (void)snprintf(peer->token, sizeof peer->token, "%s", token);
    open_engine(peer);
    peer->listener = socket(AF_INET, SOCK_STREAM, 0);
    need(peer->listener >= 0, "socket");
    need(bind(peer->listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    need(listen(peer->listener, 8) == 0, "listen");
    need(getsockname(peer->listener, (struct sockaddr *)&address, &len) == 0, "getsockname");
    (void)snprintf(peer->api, sizeof peer->api, "http://127.0.0.1:%d/client/v4",
                   ntohs(address.sin_port));
    need(pthread_mutex_init(&peer->lock, NULL) == 0, "mutex");
    need(pthread_create(&peer->thread, NULL, run, peer) == 0, "thread");
    return peer;
}

void d1_peer_stop(struct d1_peer *peer)
{
    pthread_mutex_lock(&peer->lock);
    peer->stopping = true;
    pthread_mutex_unlock(&peer->lock);
    (void)shutdown(peer->listener, SHUT_RDWR);
    need(pthread_join(peer->thread, NULL) == 0, "join");
    close(peer->listener);
    forget_past(peer);
    need(sqlite3_close(peer->db) == SQLITE_OK, "sqlite3_close");
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
    need(sqlite3_close(peer->db) == SQLITE_OK, "sqlite3_close");
    open_engine(peer);
    forget_past(peer);
    peer->no_past = false;
    peer->fault_count = 0;
    pthread_mutex_unlock(&peer->lock);
}

void d1_peer_fault(struct d1_peer *peer, enum d1_fault fault)
{
    pthread_mutex_lock(&peer->lock);
    need(peer->fault_count < FAULTS_MAX, "too many faults");
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

void d1_peer_run(struct d1_peer *peer, const char *sql)
{
    pthread_mutex_lock(&peer->lock);
    own(peer, sql);
    pthread_mutex_unlock(&peer->lock);
}
