#include "tests/sdk/fake_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_BYTES 4096
#define HELD_MAX 64

enum manner { RULESET, STATUS, CUT, HANG };

struct fake_server {
    int listener, wake[2];
    char url[64];
    pthread_t thread;
    pthread_mutex_t lock;
    enum manner manner;
    int status;
    char *body, *more, *tag, *token;
    unsigned count;
    char requests[64][REQUEST_BYTES]; /* by number, the newest 64 */
    int held[HELD_MAX], held_count;
};

static void need(bool good, const char *what)
{
    if (!good) {
        perror(what);
        abort();
    }
}

static void put(char **at, const char *text)
{
    free(*at);
    *at = text != NULL ? strdup(text) : NULL;
}

static void change(struct fake_server *server, enum manner manner, int status, const char *more,
                   const char *body, const char *tag, const char *token)
{
    pthread_mutex_lock(&server->lock);
    server->manner = manner;
    server->status = status;
    put(&server->more, more);
    put(&server->body, body);
    put(&server->tag, tag);
    put(&server->token, token);
    pthread_mutex_unlock(&server->lock);
}

void fake_server_ruleset(struct fake_server *server, const char *body, const char *tag,
                         const char *token)
{
    change(server, RULESET, 200, "", body, tag, token);
}

void fake_server_status(struct fake_server *server, int status, const char *more, const char *body)
{
    change(server, STATUS, status, more, body, NULL, NULL);
}

void fake_server_cut(struct fake_server *server)
{
    change(server, CUT, 200, "", "", NULL, NULL);
}

void fake_server_hang(struct fake_server *server)
{
    change(server, HANG, 200, "", "", NULL, NULL);
}

static void send_text(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

        if (n <= 0)
            return;
        text += n;
        len -= (size_t)n;
    }
}

static void reply(int fd, int status, const char *more, const char *body)
{
    char head[600];
    int n = snprintf(head, sizeof head,
                     "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n", status,
                     status == 304 ? 0 : strlen(body), more);

    send_text(fd, head, (size_t)n);
    if (status != 304)
        send_text(fd, body, strlen(body));
}

/* lock is held. */
static void answer(struct fake_server *server, int fd, const char *request)
{
    char line[300];

    if (server->manner == HANG && server->held_count < HELD_MAX) {
        server->held[server->held_count++] = fd;
        return;
    }
    if (server->manner == CUT) {
        static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"format\":";

        send_text(fd, text, strlen(text));
    } else if (server->manner == STATUS) {
        reply(fd, server->status, server->more, server->body);
    } else {
        snprintf(line, sizeof line, "Authorization: Bearer %s\r\n",
                 server->token != NULL ? server->token : "");
        if (server->token != NULL && strstr(request, line) == NULL) {
            reply(fd, 401, "", "{}");
        } else {
            snprintf(line, sizeof line, "If-None-Match: %s\r\n", server->tag);
            reply(fd, strstr(request, line) != NULL ? 304 : 200, "", server->body);
        }
    }
    close(fd);
}

/* Whether all of it is there: the head, and as much behind it as that says. */
static bool whole(const char *request, size_t len)
{
    const char *end = strstr(request, "\r\n\r\n"), *length = strstr(request, "Content-Length: ");

    return end != NULL && (length == NULL || length > end ||
                           len >= (size_t)(end + 4 - request) + strtoul(length + 16, NULL, 10));
}

static void serve(struct fake_server *server, int fd)
{
    char request[REQUEST_BYTES] = "";
    size_t len = 0;

    while (!whole(request, len) && len < sizeof request - 1) {
        ssize_t n = recv(fd, request + len, sizeof request - 1 - len, 0);

        if (n <= 0)
            break;
        len += (size_t)n;
        request[len] = '\0';
    }
    if (len == 0) {
        close(fd);
        return;
    }
    pthread_mutex_lock(&server->lock);
    memcpy(server->requests[server->count++ % 64], request, sizeof request);
    answer(server, fd, request);
    pthread_mutex_unlock(&server->lock);
}

static void *run(void *argument)
{
    struct fake_server *server = argument;

    for (;;) {
        struct pollfd on[] = {{server->listener, POLLIN, 0}, {server->wake[0], POLLIN, 0}};
        int fd;

        if (poll(on, 2, -1) < 0)
            continue;
        if (on[1].revents != 0)
            return NULL;
        fd = accept(server->listener, NULL, NULL);
        if (fd >= 0)
            serve(server, fd);
    }
}

struct fake_server *fake_server_start(void)
{
    struct fake_server *server = calloc(1, sizeof *server);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;

    need(server != NULL, "calloc");
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    need(bind(server->listener, (struct sockaddr *)&address, size) == 0, "bind");
    need(listen(server->listener, 16) == 0, "listen");
    getsockname(server->listener, (struct sockaddr *)&address, &size);
    snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    need(pipe(server->wake) == 0, "pipe");
    pthread_mutex_init(&server->lock, NULL);
    fake_server_status(server, 503, "", "");
    need(pthread_create(&server->thread, NULL, run, server) == 0, "thread");
    return server;
}

void fake_server_stop(struct fake_server *server)
{
    close(server->wake[1]);
    pthread_join(server->thread, NULL);
    for (int i = 0; i < server->held_count; i++)
        close(server->held[i]);
    close(server->wake[0]);
    close(server->listener);
    change(server, STATUS, 0, NULL, NULL, NULL, NULL);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

const char *fake_server_url(const struct fake_server *server)
{
    return server->url;
}

unsigned fake_server_count(struct fake_server *server)
{
    unsigned count;

    pthread_mutex_lock(&server->lock);
    count = server->count;
    pthread_mutex_unlock(&server->lock);
    return count;
}

void fake_server_request(struct fake_server *server, char *out, size_t out_size)
{
    pthread_mutex_lock(&server->lock);
    snprintf(out, out_size, "%s", server->requests[(server->count + 63) % 64]);
    pthread_mutex_unlock(&server->lock);
}

static void nap(void)
{
    nanosleep(&(struct timespec){0, 2000000}, NULL);
}

bool fake_server_wait(struct fake_server *server, unsigned count)
{
    for (int i = 0; i < 5000; i++) {
        if (fake_server_count(server) >= count)
            return true;
        nap();
    }
    return false;
}

bool fake_server_saw(struct fake_server *server, unsigned after, const char *text)
{
    for (int i = 0; i < 5000; i++) {
        bool found = false;

        pthread_mutex_lock(&server->lock);
        for (unsigned n = after; n < server->count && !found; n++)
            found = strstr(server->requests[n % 64], text) != NULL;
        pthread_mutex_unlock(&server->lock);
        if (found)
            return true;
        nap();
    }
    return false;
}
