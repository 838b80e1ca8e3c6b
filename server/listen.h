/*
 * listen - a listening TCP socket on a numeric address, and the number of files we may open.
 */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include "base/err.h"

/* Splits "127.0.0.1:8080", "[::1]:0" or ":8080" (loopback) into address and port. ERR_INVALID with
 * what would be right. address[0] stays 0 when none was given. */
#define LISTEN_ADDRESS_BYTES 64
MUST_USE enum err_code listen_parse(const char *text, char address[LISTEN_ADDRESS_BYTES],
                                    unsigned *port, struct err *err);

/* Binds and listens, non-blocking, close-on-exec. A port in use is ERR_IO: two servers never
 * share one. *bound is the port, which the system picks for 0. */
MUST_USE enum err_code listen_open(const char *address, unsigned port, int *fd, unsigned *bound,
                                   struct err *err);

/* Raises the limit of open files so that connections fit, as far as we may; returns how many do. */
unsigned listen_room(unsigned connections);

#endif
