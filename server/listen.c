#include "server/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, FILES_OF_OUR_OWN = 64 };

enum err_code listen_parse(const char *text, char address[LISTEN_ADDRESS_BYTES], unsigned *port,
                           struct err *err)
{
    const char *colon = strrchr(text, ':');
    size_t len = colon != NULL ? (size_t)(colon - text) : 0;
    char *end = NULL;
    unsigned long number;

    if (colon == NULL || colon[1] < '0' || colon[1] > '9') {
        return err_set(err, ERR_INVALID,
                       "'%s' is no address: write ADDRESS:PORT, as 127.0.0.1:8080", text);
    }
    number = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || number > 65535) {
        return err_set(err, ERR_INVALID, "'%s': the port is a number from 0 to 65535", text);
    }
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        text++;
        len -= 2;
    }
    if (len >= LISTEN_ADDRESS_BYTES) {
        return err_set(err, ERR_INVALID, "the address is too long");
    }
    memcpy(address, text, len);
    address[len] = '\0';
    *port = (unsigned)number;
    return ERR_OK;
}

union any_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t make_address(const char *text, unsigned port, union any_address *out)
{
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons((uint16_t)port);
        return sizeof out->v4;
    }
    if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons((uint16_t)port);
        return sizeof out->v6;
    }
    return 0;
}

enum err_code listen_open(const char *address, unsigned port, int *fd, unsigned *bound,
                          struct err *err)
{
    union any_address where;
    socklen_t len;
    int on = 1;
    int s = -1;

    if (address == NULL || address[0] == '\0') {
        address = "127.0.0.1";
    }
    len = make_address(address, port, &where);
    if (len == 0) {
        return err_set(err, ERR_INVALID,
                       "'%s' is no numeric address: write 127.0.0.1, 0.0.0.0 or [::1]", address);
    }
    s = socket(where.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* SO_REUSEADDR lets a restarted server have its port back at once. SO_REUSEPORT would let a
     * second server take half of the connections of the first, without a word. */
    if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        bind(s, &where.any, len) != 0 || listen(s, BACKLOG) != 0 ||
        getsockname(s, &where.any, &len) != 0) {
        int cause = errno;

        if (s >= 0) {
            (void)close(s);
        }
        if (cause == EADDRINUSE) {
            return err_set(err, ERR_IO,
                           "port %u of %s is in use: stop the other program or choose another "
                           "port with --listen (port 0 picks a free one)",
                           port, address);
        }
        return err_set(err, cause == EACCES ? ERR_DENIED : ERR_IO, "listen on %s port %u: %s",
                       address, port, strerror(cause));
    }
    *fd = s;
    *bound = ntohs(where.any.sa_family == AF_INET ? where.v4.sin_port : where.v6.sin6_port);
    return ERR_OK;
}

unsigned listen_room(unsigned connections)
{
    struct rlimit files;
    rlim_t wanted = (rlim_t)connections + FILES_OF_OUR_OWN;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return connections;
    }
    if (files.rlim_cur < wanted) {
        files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
        (void)setrlimit(RLIMIT_NOFILE, &files);
        (void)getrlimit(RLIMIT_NOFILE, &files);
    }
    if (files.rlim_cur >= wanted) {
        return connections;
    }
    return files.rlim_cur > FILES_OF_OUR_OWN + 16 ? (unsigned)(files.rlim_cur - FILES_OF_OUR_OWN)
                                                  : 16;
}
