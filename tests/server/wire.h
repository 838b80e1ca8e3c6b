/*
 * wire - HTTP by hand for tests: plain sockets, so that a test sees what a server really sends.
 */
#ifndef TESTS_SERVER_WIRE_H
#define TESTS_SERVER_WIRE_H

#include <stddef.h>

/* Connects to 127.0.0.1:port (5 s for each later read); -1 if refused. */
int wire_connect(unsigned port);
void wire_send(int fd, const char *bytes, size_t len);
void wire_text(int fd, const char *text);

struct wire_reply {
    int status; /* 0: the connection ended before a whole reply */
    char headers[4096];
    char body[1 << 19];
    size_t body_len;
};
/* Reads one reply with Content-Length (or none, as after HEAD and for 304). */
void wire_read(int fd, struct wire_reply *reply);
void wire_read_head(int fd, struct wire_reply *reply); /* of an answer to HEAD */
/* One request on a connection of its own. */
void wire_ask(unsigned port, const char *request, struct wire_reply *reply);
/* The value of a header, or "" (in a buffer of the thread). */
const char *wire_header(const struct wire_reply *reply, const char *name);

/* Opens `count` connections, sends request on all of them at once, `rounds` times, and counts whole
 * 200 replies; gives up after limit_ms. Returns how many came; *took_ms says how long it took. */
unsigned wire_crowd(unsigned port, unsigned count, unsigned rounds, const char *request,
                    int limit_ms, int *took_ms);

#endif
