/*
 * http - see the header.
 *
 * Each loop is a thread with an epoll of its own over libmicrohttpd's epoll descriptor and an
 * eventfd. libmicrohttpd's own epoll thread stalls when a multiple of 128 sockets is ready at once
 * (docs/dependencies.md); calling MHD_run() from here does not. The loops share the listening
 * socket: each has a duplicate, so that each can close its own.
 *
 *     first call -> body pieces ... -> complete -> handler -> reply
 *                                          \-> HTTP_DEFER: suspended -> worker -> resumed -> reply
 */
#include "server/http.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <microhttpd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/limits.h"
#include "base/log.h"
#include "server/listen.h"
#include "server/peers.h"

enum {
    LOOPS_DEFAULT = 2,
    LOOPS_MAX = 16,
    HEAD_TIMEOUT_S = 10,
    TELL_US = 10000000,  /* at most so often a line about connections that had to go */
    IDLE_TIMEOUT_S = 75, /* longer than the SDK's poll interval, so that it keeps its connection */
    CONNECTION_POOL = 8 << 10, /* request line and headers; more is answered 431 by the library */
    BODY_FIRST = 1024,
    DISCARD_FACTOR = 16, /* times the largest body are read and thrown away to be able to answer */
    DRAIN_QUIET_MS = 60, /* no byte from anybody for so long: what was sent has arrived */
    DRAIN_STALLED_MS = 2000 /* so long, and half a request is given up: its client may be gone */
};

struct http_loop {
    struct http_server *server;
    struct MHD_Daemon *daemon;
    pthread_t thread;
    struct peers *peers;
    int64_t told_us; /* when the log was told of peers that had to go */
    int poll_fd, event_fd, listen_fd;
    int incomplete; /* requests whose body is still coming */
    int unanswered; /* requests that are here whole */
    bool started;
};

struct http_server {
    struct http_options options;
    struct http_loop loops[LOOPS_MAX];
    unsigned loop_count, port, connections_max;
    struct addresses *addresses;
    atomic_bool stopping;
    atomic_ullong requests;
    char id_prefix[17]; /* makes request ids of two runs differ */

    pthread_t worker;
    bool worker_started;
    pthread_mutex_t mutex; /* over the three below */
    pthread_cond_t wake;
    struct exchange *first, **last; /* deferred requests, oldest first */
    bool worker_ends;
};

/* One request and its reply; the con_cls of libmicrohttpd. */
struct exchange {
    struct http_loop *loop;
    struct MHD_Connection *connection;
    struct peer *peer;
    struct http_request request;
    struct http_reply reply;
    struct arena arena;
    char *body;
    size_t body_len, body_room, discarded;
    bool complete;
    atomic_bool done;
    struct exchange *next;
};

static char url_too_long; /* its address marks a connection whose request line is over the limit */

/* ---- requests ---- */

const char *http_header(const struct http_request *request, const char *name)
{
    return request->connection == NULL
               ? NULL
               : MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

const char *http_query(const struct http_request *request, const char *name)
{
    return request->connection == NULL
               ? NULL
               : MHD_lookup_connection_value(request->connection, MHD_GET_ARGUMENT_KIND, name);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decodes in place. "%00" and what is no escape stay as they are, so that a path cannot end
 * before its end. */
static size_t unescape(void *cls, struct MHD_Connection *connection, char *text)
{
    char *to = text;

    (void)cls, (void)connection;
    for (const char *from = text; *from != '\0'; from++) {
        int high = *from == '%' ? hex_digit(from[1]) : -1;
        int low = high >= 0 ? hex_digit(from[2]) : -1;

        if (low >= 0 && high * 16 + low != 0) {
            *to++ = (char)(high * 16 + low);
            from += 2;
        } else {
            *to++ = *from;
        }
    }
    *to = '\0';
    return (size_t)(to - text);
}

static void *see_url(void *cls, const char *uri, struct MHD_Connection *connection)
{
    (void)cls, (void)connection;
    return strlen(uri) > LIMIT_URL_BYTES ? &url_too_long : NULL;
}

static struct peer *peer_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info != NULL ? info->socket_context : NULL;
}

static void on_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http_loop *loop = cls;
    const union MHD_ConnectionInfo *info;
    const struct sockaddr *address;
    int fd;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        peers_remove(loop->peers, *socket_context);
        *socket_context = NULL;
        return;
    }
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    address = info != NULL ? info->client_addr : NULL;
    info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    fd = info != NULL ? info->connect_fd : -1;
    *socket_context = peers_add(loop->peers, fd, address, clock_monotonic_us());
    if (*socket_context == NULL) {
        (void)shutdown(fd, SHUT_RDWR); /* out of memory: nobody would watch over it */
    }
}

static bool fit_for_id(const char *text)
{
    size_t len = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.");

    return len > 0 && text[len] == '\0' && len < HTTP_REQUEST_ID_BYTES;
}

static struct exchange *begin(struct http_loop *loop, struct MHD_Connection *connection,
                              const char *path, const char *method)
{
    struct exchange *x = calloc(1, sizeof *x);
    const char *id;

    if (x == NULL) {
        return NULL;
    }
    x->loop = loop;
    x->connection = connection;
    x->peer = peer_of(connection);
    peers_enter(loop->peers, x->peer, PEER_BODY, clock_monotonic_us());
    x->request.method = method;
    x->request.path = path;
    x->request.body = (struct str){"", 0};
    x->request.arena = &x->arena;
    x->request.connection = connection;
    id = http_header(&x->request, "X-Request-Id");
    if (id != NULL && fit_for_id(id)) {
        snprintf(x->request.id, sizeof x->request.id, "%s", id);
    } else {
        snprintf(x->request.id, sizeof x->request.id, "%s-%llu", loop->server->id_prefix,
                 atomic_fetch_add(&loop->server->requests, 1));
    }
    loop->incomplete++;
    return x;
}

static void finish(void *cls, struct MHD_Connection *connection, void **con_cls,
                   enum MHD_RequestTerminationCode how)
{
    struct exchange *x = *con_cls;

    (void)cls, (void)connection, (void)how;
    *con_cls = NULL;
    if (x == NULL || (void *)x == (void *)&url_too_long) {
        return;
    }
    peers_enter(x->loop->peers, x->peer, PEER_IDLE, clock_monotonic_us());
    x->loop->incomplete -= !x->complete;
    x->loop->unanswered -= x->complete;
    if (x->reply.kind == HTTP_BODY_HEAP) { /* never handed over */
        free((void *)(uintptr_t)x->reply.body);
    } else if (x->reply.kind == HTTP_BODY_SHARED) {
        x->reply.release(x->reply.owner);
    }
    arena_fini(&x->arena);
    free(x->body);
    free(x);
}

/* Takes one piece of the body. False: give the connection up. */
static bool take_piece(struct exchange *x, const char *at, size_t len)
{
    size_t max = x->loop->server->options.body_bytes_max;

    if (x->request.refused != 0 || len > max - x->body_len) {
        if (x->request.refused == 0) {
            x->request.refused = 413;
        }
        free(x->body);
        x->body = NULL;
        x->body_room = 0;
        x->body_len = 0;
        x->discarded += len;
        return x->discarded / DISCARD_FACTOR <= max;
    }
    if (x->body_len + len + 1 > x->body_room) {
        size_t room = x->body_room == 0 ? BODY_FIRST : x->body_room * 2;
        char *more;

        while (room < x->body_len + len + 1) {
            room *= 2;
        }
        more = realloc(x->body, room);
        if (more == NULL) {
            return false;
        }
        x->body = more;
        x->body_room = room;
    }
    memcpy(x->body + x->body_len, at, len);
    x->body_len += len;
    x->body[x->body_len] = '\0';
    return true;
}

/* ---- replies ---- */

void http_reply_header(struct http_reply *reply, const char *name, const char *value)
{
    if (value != NULL && reply->header_count < HTTP_HEADERS_MAX) {
        reply->headers[reply->header_count].name = name;
        reply->headers[reply->header_count].value = value;
        reply->header_count++;
    }
}

/* The one place that chooses how long libmicrohttpd may use the memory of a body. */
static struct MHD_Response *make_response(struct http_reply *reply)
{
    struct MHD_Response *response = NULL;
    void *body = (void *)(uintptr_t)reply->body; /* its interface is not const */

    switch (reply->kind) {
    case HTTP_BODY_NONE:
        response =
            MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
        break;
    case HTTP_BODY_STATIC:
        response = MHD_create_response_from_buffer(reply->body_len, body, MHD_RESPMEM_PERSISTENT);
        break;
    case HTTP_BODY_HEAP:
        response = MHD_create_response_from_buffer(reply->body_len, body, MHD_RESPMEM_MUST_FREE);
        break;
    case HTTP_BODY_COPY:
        response = MHD_create_response_from_buffer(reply->body_len, body, MHD_RESPMEM_MUST_COPY);
        break;
    case HTTP_BODY_SHARED:
        response = MHD_create_response_from_buffer_with_free_callback_cls(
            reply->body_len, body, reply->release, reply->owner);
        break;
    }
    if (response != NULL) {
        reply->kind = HTTP_BODY_NONE; /* handed over */
    }
    return response;
}

static enum MHD_Result send_reply(struct exchange *x)
{
    struct http_reply *reply = &x->reply;
    struct MHD_Response *response;
    enum MHD_Result result;

    CHECK(reply->status >= 200 && reply->status <= 599);
    response = make_response(reply);
    if (response == NULL) {
        return MHD_NO;
    }
    if (reply->content_type != NULL) {
        (void)MHD_add_response_header(response, "Content-Type", reply->content_type);
    }
    for (size_t i = 0; i < reply->header_count; i++) {
        (void)MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
    }
    (void)MHD_add_response_header(response, "X-Request-Id", x->request.id);
    if (x->request.refused == 400 || atomic_load(&x->loop->server->stopping)) {
        (void)MHD_add_response_header(response, "Connection", "close");
    }
    result = MHD_queue_response(x->connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return result;
}

static void defer(struct exchange *x)
{
    struct http_server *server = x->loop->server;

    x->request.on_worker = true;
    MHD_suspend_connection(x->connection); /* before the worker may resume it */
    pthread_mutex_lock(&server->mutex);
    *server->last = x;
    server->last = &x->next;
    pthread_cond_signal(&server->wake);
    pthread_mutex_unlock(&server->mutex);
}

static void wake_loop(struct http_loop *loop)
{
    uint64_t one = 1;

    /* Fails only when the counter is full, and then the loop is awake. */
    (void)!write(loop->event_fd, &one, sizeof one);
}

/* Waits for a request, or for the next tick. */
static void wait_for_work(struct http_server *server, int64_t tick_us)
{
    struct timespec until;
    int64_t left_us = tick_us - clock_monotonic_us();

    if (server->options.tick == NULL) {
        pthread_cond_wait(&server->wake, &server->mutex);
    } else if (left_us > 0) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += (time_t)(left_us / 1000000);
        until.tv_nsec += (long)(left_us % 1000000) * 1000;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000L;
        }
        (void)pthread_cond_timedwait(&server->wake, &server->mutex, &until);
    }
}

static void work(struct http_server *server, struct exchange *x)
{
    struct http_loop *loop = x->loop;

    CHECK(server->options.handle(server->options.ctx, &x->request, &x->reply) == HTTP_REPLY);
    atomic_store(&x->done, true);
    MHD_resume_connection(x->connection); /* from here on x may be gone */
    wake_loop(loop);
}

static void *run_worker(void *arg)
{
    struct http_server *server = arg;
    int64_t tick_us = clock_monotonic_us();

    pthread_mutex_lock(&server->mutex);
    for (;;) {
        struct exchange *x = server->first;
        bool ticks =
            server->options.tick != NULL && !server->worker_ends && clock_monotonic_us() >= tick_us;

        if (x == NULL && server->worker_ends) {
            break;
        }
        if (x == NULL && !ticks) {
            wait_for_work(server, tick_us);
            continue;
        }
        if (!ticks) {
            server->first = x->next;
            server->last = server->first == NULL ? &server->first : server->last;
        }
        pthread_mutex_unlock(&server->mutex);
        if (ticks) {
            server->options.tick(server->options.ctx);
            tick_us = clock_monotonic_us() + (int64_t)server->options.tick_ms * 1000;
        } else {
            work(server, x);
        }
        pthread_mutex_lock(&server->mutex);
    }
    pthread_mutex_unlock(&server->mutex);
    return NULL;
}

/* ---- libmicrohttpd's callback ---- */

/* Whether the announced body is so large that not even reading it away is worth while. */
static bool hopeless(const struct exchange *x)
{
    const char *length = http_header(&x->request, "Content-Length");

    return length != NULL &&
           strtoull(length, NULL, 10) / DISCARD_FACTOR > x->loop->server->options.body_bytes_max;
}

struct framing {
    unsigned lengths, encodings;
    bool odd; /* a name with blanks, an encoding other than chunked */
};

static enum MHD_Result see_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    struct framing *framing = cls;

    (void)kind;
    framing->odd = framing->odd || strpbrk(name, " \t") != NULL;
    framing->lengths += strcasecmp(name, "Content-Length") == 0;
    if (strcasecmp(name, "Transfer-Encoding") == 0) {
        framing->encodings++;
        framing->odd = framing->odd || value == NULL || strcasecmp(value, "chunked") != 0;
    }
    return MHD_YES;
}

/* Whether the headers leave no doubt about where the request ends (RFC 9112, section 6.3). The
 * library takes the first of two lengths, and an encoding over a length; a proxy in front may not,
 * and then one client's bytes become another's request. */
static bool has_one_end(struct MHD_Connection *connection)
{
    struct framing framing = {0};

    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, see_header, &framing);
    return !framing.odd && framing.lengths + framing.encodings <= 1;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload_data,
                                  size_t *upload_data_size, void **con_cls)
{
    struct http_loop *loop = cls;
    struct exchange *x = *con_cls;

    (void)version;
    if (x == NULL || (void *)x == (void *)&url_too_long) {
        int refused = x == NULL ? 0 : 414;

        x = begin(loop, connection, url, method);
        *con_cls = x;
        if (x == NULL) {
            return MHD_NO;
        }
        x->request.refused = refused;
        if (!has_one_end(connection)) {
            x->request.refused = 400;
        } else if (hopeless(x)) {
            x->request.refused = 413;
        }
        if (x->request.refused != 0 && x->request.refused != 414) {
            CHECK(loop->server->options.handle(loop->server->options.ctx, &x->request, &x->reply) ==
                  HTTP_REPLY);
            return send_reply(x); /* and the library closes the connection */
        }
        return MHD_YES; /* a reply at this moment would close every connection */
    }
    if (*upload_data_size != 0) {
        bool taken = take_piece(x, upload_data, *upload_data_size);

        peers_took(x->peer, *upload_data_size);
        *upload_data_size = 0;
        return taken ? MHD_YES : MHD_NO;
    }
    if (!x->complete) {
        x->complete = true;
        peers_enter(loop->peers, x->peer, PEER_BUSY, clock_monotonic_us());
        loop->incomplete--;
        loop->unanswered++;
        x->request.body = (struct str){x->body != NULL ? x->body : "", x->body_len};
        if (loop->server->options.handle(loop->server->options.ctx, &x->request, &x->reply) ==
            HTTP_DEFER) {
            defer(x);
            return MHD_YES;
        }
    } else if (!atomic_load(&x->done)) {
        return MHD_YES;
    }
    return send_reply(x);
}

/* ---- loops ---- */

/* Shuts down who is overdue, and tells the log now and then. Returns when to look again, as
 * peers_expire() does. */
static int watch_peers(struct http_loop *loop)
{
    int64_t now_us = clock_monotonic_us();
    int due_ms = peers_expire(loop->peers, now_us);
    struct peers_counts counts;

    if (now_us - loop->told_us < TELL_US) {
        return due_ms;
    }
    counts = peers_counts(loop->peers);
    if (counts.slow + counts.crowded + counts.address > 0) {
        loop->told_us = now_us;
        log_event(LOG_WARN, "connections-shut", "too_slow=%u made_room=%u of_one_address=%u",
                  counts.slow, counts.crowded, counts.address);
    }
    return due_ms;
}

/* Waits for an event or for the moment libmicrohttpd asks for, at most wait_ms (-1: no end), and
 * lets it work. Returns whether there was anything to do. */
static bool turn(struct http_loop *loop, int wait_ms)
{
    MHD_UNSIGNED_LONG_LONG timeout;
    struct epoll_event events[2];
    bool due = false;
    int n, watch_ms = watch_peers(loop);

    if (watch_ms >= 0 && (wait_ms < 0 || watch_ms < wait_ms)) {
        wait_ms = watch_ms;
    }
    if (MHD_get_timeout(loop->daemon, &timeout) == MHD_YES &&
        (wait_ms < 0 || timeout < (MHD_UNSIGNED_LONG_LONG)wait_ms)) {
        wait_ms = timeout > 3600000 ? 3600000 : (int)timeout;
        due = timeout == 0;
    }
    n = epoll_wait(loop->poll_fd, events, 2, wait_ms);
    for (int i = 0; i < n; i++) {
        if (events[i].data.fd == loop->event_fd) {
            uint64_t count;

            (void)!read(loop->event_fd, &count, sizeof count);
        }
    }
    (void)MHD_run(loop->daemon);
    return n > 0 || due;
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

/* Takes the connections that the kernel has accepted for us: their clients may have sent. */
static void empty_backlog(struct http_loop *loop, int64_t deadline)
{
    struct pollfd waiting = {.fd = loop->listen_fd, .events = POLLIN, .revents = 0};

    while (clock_monotonic_us() < deadline && poll(&waiting, 1, 0) > 0 &&
           (waiting.revents & POLLIN)) {
        (void)turn(loop, 0);
    }
}

static void *run_loop(void *arg)
{
    struct http_loop *loop = arg;
    int64_t deadline;
    int quiet_ms = 0;

    while (!atomic_load(&loop->server->stopping)) {
        (void)turn(loop, -1);
    }
    deadline = clock_monotonic_us() + (int64_t)HTTP_DRAIN_MS * 1000;
    empty_backlog(loop, deadline - (int64_t)HTTP_DRAIN_MS * 900);
    close_fd(MHD_quiesce_daemon(loop->daemon)); /* new connections are refused, not kept waiting */
    while (clock_monotonic_us() < deadline &&
           (loop->unanswered > 0 || quiet_ms == 0 ||
            (loop->incomplete > 0 && quiet_ms < DRAIN_STALLED_MS))) {
        quiet_ms = turn(loop, DRAIN_QUIET_MS) ? 0 : quiet_ms + DRAIN_QUIET_MS;
    }
    return NULL;
}

static enum err_code start_loop(struct http_server *server, struct http_loop *loop, int listen_fd,
                                struct err *err)
{
    const union MHD_DaemonInfo *info;
    struct epoll_event event = {.events = EPOLLIN, .data = {.fd = 0}};

    loop->server = server;
    loop->peers = peers_new(
        &(struct peers_options){.connections_max = server->connections_max / server->loop_count,
                                .head_us = (int64_t)server->options.head_timeout_s * 1000000,
                                .idle_us = (int64_t)server->options.idle_timeout_s * 1000000,
                                .addresses = server->addresses});
    if (loop->peers == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    loop->listen_fd = dup(listen_fd);
    loop->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->listen_fd < 0 || loop->event_fd < 0 || loop->poll_fd < 0) {
        return err_set(err, ERR_IO, "start the server: %s", strerror(errno));
    }
    loop->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, loop,
        MHD_OPTION_LISTEN_SOCKET, loop->listen_fd, MHD_OPTION_NOTIFY_COMPLETED, finish, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, loop, MHD_OPTION_URI_LOG_CALLBACK, see_url,
        NULL, MHD_OPTION_UNESCAPE_CALLBACK, unescape, NULL, MHD_OPTION_CONNECTION_LIMIT,
        server->connections_max / server->loop_count, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)CONNECTION_POOL, MHD_OPTION_CONNECTION_TIMEOUT, server->options.idle_timeout_s,
        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
    if (loop->daemon == NULL) {
        return err_set(err, ERR_IO, "start the server: libmicrohttpd refused to start");
    }
    info = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    CHECK(info != NULL);
    event.data.fd = info->epoll_fd;
    if (epoll_ctl(loop->poll_fd, EPOLL_CTL_ADD, info->epoll_fd, &event) != 0) {
        return err_set(err, ERR_IO, "start the server: %s", strerror(errno));
    }
    event.data.fd = loop->event_fd;
    if (epoll_ctl(loop->poll_fd, EPOLL_CTL_ADD, loop->event_fd, &event) != 0 ||
        pthread_create(&loop->thread, NULL, run_loop, loop) != 0) {
        return err_set(err, ERR_IO, "start the server: %s", strerror(errno));
    }
    loop->started = true;
    return ERR_OK;
}

static void complete_options(struct http_server *server)
{
    struct http_options *options = &server->options;

    options->loops = options->loops == 0 ? LOOPS_DEFAULT : options->loops;
    options->loops = options->loops > LOOPS_MAX ? LOOPS_MAX : options->loops;
    options->body_bytes_max =
        options->body_bytes_max == 0 ? LIMIT_BODY_BYTES : options->body_bytes_max;
    options->head_timeout_s =
        options->head_timeout_s == 0 ? HEAD_TIMEOUT_S : options->head_timeout_s;
    options->idle_timeout_s =
        options->idle_timeout_s == 0 ? IDLE_TIMEOUT_S : options->idle_timeout_s;
    server->connections_max =
        listen_room(options->connections_max == 0 ? LIMIT_CONNECTIONS : options->connections_max);
    server->loop_count = options->loops;
    server->addresses = addresses_new(options->per_address, server->connections_max);
}

enum err_code http_start(const struct http_options *options, struct http_server **out,
                         struct err *err)
{
    struct http_server *server = calloc(1, sizeof *server);
    enum err_code rc;
    int listen_fd = -1;

    if (server == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    server->options = *options;
    server->last = &server->first;
    pthread_mutex_init(&server->mutex, NULL);
    pthread_cond_init(&server->wake, NULL);
    complete_options(server);
    (void)random_hex(8, server->id_prefix);
    for (unsigned i = 0; i < LOOPS_MAX; i++) {
        server->loops[i].listen_fd = server->loops[i].event_fd = server->loops[i].poll_fd = -1;
    }
    if (server->addresses == NULL) {
        free(server);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    rc = listen_open(options->address, options->port, &listen_fd, &server->port, err);
    if (rc == ERR_OK && pthread_create(&server->worker, NULL, run_worker, server) != 0) {
        rc = err_set(err, ERR_IO, "start the server: no thread to be had");
    }
    server->worker_started = rc == ERR_OK;
    for (unsigned i = 0; rc == ERR_OK && i < server->loop_count; i++) {
        rc = start_loop(server, &server->loops[i], listen_fd, err);
    }
    if (listen_fd >= 0) {
        (void)close(listen_fd);
    }
    if (rc != ERR_OK) {
        http_stop(server);
        return rc;
    }
    *out = server;
    return ERR_OK;
}

unsigned http_port(const struct http_server *server)
{
    return server->port;
}

unsigned http_connections_max(const struct http_server *server)
{
    return server->connections_max;
}

void http_stop(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    atomic_store(&server->stopping, true);
    for (unsigned i = 0; i < server->loop_count; i++) {
        if (server->loops[i].started) {
            wake_loop(&server->loops[i]);
        }
    }
    for (unsigned i = 0; i < server->loop_count; i++) {
        if (server->loops[i].started) {
            pthread_join(server->loops[i].thread, NULL);
        }
    }
    pthread_mutex_lock(&server->mutex);
    server->worker_ends = true;
    pthread_cond_signal(&server->wake);
    pthread_mutex_unlock(&server->mutex);
    if (server->worker_started) {
        pthread_join(server->worker, NULL);
    }
    for (unsigned i = 0; i < server->loop_count; i++) {
        struct http_loop *loop = &server->loops[i];

        if (loop->daemon != NULL) {
            MHD_stop_daemon(loop->daemon); /* closes the listening socket unless it was quiesced */
        } else {
            close_fd(loop->listen_fd);
        }
        peers_free(loop->peers);
        close_fd(loop->event_fd);
        close_fd(loop->poll_fd);
    }
    addresses_free(server->addresses);
    pthread_cond_destroy(&server->wake);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}
