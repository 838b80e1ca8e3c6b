#include "tests/server/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"

int wire_connect(unsigned port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    struct timeval patience = {.tv_sec = 5};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        if (fd >= 0) {
            (void)close(fd);
        }
        return -1;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

void wire_send(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

        if (n <= 0) {
            return;
        }
        bytes += n;
        len -= (size_t)n;
    }
}

void wire_text(int fd, const char *text)
{
    wire_send(fd, text, strlen(text));
}

const char *wire_header(const struct wire_reply *reply, const char *name)
{
    static _Thread_local char value[512];
    size_t name_len = strlen(name);

    for (const char *line = strstr(reply->headers, "\r\n"); line != NULL;
         line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, name_len) == 0 && line[name_len] == ':') {
            line += name_len + 1 + strspn(line + name_len + 1, " ");
            snprintf(value, sizeof value, "%.*s", (int)strcspn(line, "\r"), line);
            return value;
        }
    }
    return "";
}

static void read_reply(int fd, struct wire_reply *reply, bool head)
{
    size_t len = 0, wanted;

    memset(reply, 0, sizeof *reply);
    while (len + 1 < sizeof reply->headers && strstr(reply->headers, "\r\n\r\n") == NULL) {
        if (recv(fd, reply->headers + len, 1, 0) <= 0) {
            return;
        }
        len++;
    }
    wanted = strtoul(wire_header(reply, "Content-Length"), NULL, 10);
    if (head || strncmp(reply->headers + 9, "304", 3) == 0) {
        wanted = 0;
    }
    while (reply->body_len < wanted && reply->body_len + 1 < sizeof reply->body) {
        ssize_t n =
            recv(fd, reply->body + reply->body_len, sizeof reply->body - 1 - reply->body_len, 0);

        if (n <= 0) {
            return;
        }
        reply->body_len += (size_t)n;
    }
    reply->status = (int)strtol(reply->headers + 9, NULL, 10);
}

void wire_read(int fd, struct wire_reply *reply)
{
    read_reply(fd, reply, false);
}

void wire_read_head(int fd, struct wire_reply *reply)
{
    read_reply(fd, reply, true);
}

void wire_ask(unsigned port, const char *request, struct wire_reply *reply)
{
    int fd = wire_connect(port);

    memset(reply, 0, sizeof *reply);
    if (fd >= 0) {
        wire_text(fd, request);
        wire_read(fd, reply);
        (void)close(fd);
    }
}

/* ---- many at once ---- */

struct guest {
    int fd;
    char got[2048];
    size_t len;
    unsigned rounds;
};

/* Whether a whole reply has arrived; it is taken out. */
static bool whole(struct guest *guest, bool *ok)
{
    char *end, *length;
    size_t size;

    guest->got[guest->len] = '\0';
    end = strstr(guest->got, "\r\n\r\n");
    length = strstr(guest->got, "Content-Length: ");
    if (end == NULL || length == NULL) {
        return false;
    }
    size = (size_t)(end + 4 - guest->got) + strtoul(length + 16, NULL, 10);
    if (guest->len < size) {
        return false;
    }
    *ok = strncmp(guest->got, "HTTP/1.1 200", 12) == 0;
    guest->len -= size;
    memmove(guest->got, guest->got + size, guest->len);
    return true;
}

unsigned wire_crowd(unsigned port, unsigned count, unsigned rounds, const char *request,
                    int limit_ms, int *took_ms)
{
    struct guest *guests = calloc(count, sizeof *guests);
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    unsigned answered = 0, closed = 0;
    int64_t began, now;

    for (unsigned i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data = {.u32 = i}};

        guests[i].fd = wire_connect(port);
        (void)epoll_ctl(poll_fd, EPOLL_CTL_ADD, guests[i].fd, &event);
    }
    began = now = clock_monotonic_us();
    for (unsigned i = 0; i < count; i++) {
        wire_text(guests[i].fd, request);
    }
    while (answered < count * rounds && closed < count && now - began < limit_ms * 1000LL) {
        struct epoll_event events[64];
        int n = epoll_wait(poll_fd, events, 64, 100);

        for (int e = 0; e < n; e++) {
            struct guest *guest = &guests[events[e].data.u32];
            ssize_t got = recv(guest->fd, guest->got + guest->len,
                               sizeof guest->got - 1 - guest->len, MSG_DONTWAIT);
            bool ok = false;

            if (got == 0 || (got < 0 && errno != EAGAIN)) {
                (void)epoll_ctl(poll_fd, EPOLL_CTL_DEL, guest->fd, NULL);
                closed++;
                continue;
            }
            guest->len += got > 0 ? (size_t)got : 0;
            if (whole(guest, &ok)) {
                answered += ok;
                guest->rounds++;
                if (guest->rounds < rounds) {
                    wire_text(guest->fd, request);
                }
            }
        }
        now = clock_monotonic_us();
    }
    *took_ms = (int)((now - began) / 1000);
    for (unsigned i = 0; i < count; i++) {
        (void)close(guests[i].fd);
    }
    (void)close(poll_fd);
    free(guests);
    return answered;
}
