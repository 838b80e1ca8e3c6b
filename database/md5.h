/*
 * md5 - MD5 (RFC 1321), for the services that name a file by it (an ETag of object stores). It keeps
 * nothing safe; what has to be safe uses digest.h.
 */
#ifndef DATABASE_MD5_H
#define DATABASE_MD5_H

#include <stddef.h>

#define MD5_HEX_BYTES 33 /* 32 digits and NUL */

/* As lower-case hex; returns out. Any thread. */
const char *md5_hex(const void *data, size_t len, char out[MD5_HEX_BYTES]);

#endif
