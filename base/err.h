/*
 * err - how every function that can fail says so.
 *
 * The returned code is the truth; struct err only explains it to people. Code never branches on a
 * message. Both travel together in the caller's own storage, so they cannot disagree.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* One row per code: name, HTTP status, process exit code. The tables in err.c are built from it. */
#define ERR_CODES(X)                                                                               \
    X(ERR_OK, 200, 0)                                                                              \
    X(ERR_INVALID, 400, 2) /* the caller's input is wrong */                                       \
    X(ERR_NOT_FOUND, 404, 1)                                                                       \
    X(ERR_CONFLICT, 409, 3) /* refused: state does not allow it; nothing was changed */            \
    X(ERR_LIMIT, 413, 1)    /* a bound in base/limits.h was reached */                             \
    X(ERR_BUSY, 503, 4)     /* someone holds the lock; trying again may work */                    \
    X(ERR_DENIED, 403, 1)   /* known, but not allowed; 401 (not known) is the server's own */      \
    X(ERR_STALE, 412, 3)    /* based on a version that is no longer the newest */                  \
    X(ERR_RATE, 429, 4)     /* too many requests; the message says when to come back */            \
    X(ERR_TIMEOUT, 504, 1)                                                                         \
    X(ERR_FULL, 503, 1) /* no room on the disk or in a quota */                                    \
    X(ERR_NOMEM, 503, 1)                                                                           \
    X(ERR_IO, 500, 1)

enum err_code {
#define X(name, http, exit_code) name,
    ERR_CODES(X)
#undef X
};

#define ERR_MSG_BYTES 600 /* a refusal ends with the command to use: it must not be cut off */

struct err {
    enum err_code code;
    char msg[ERR_MSG_BYTES];
};

/* "not_found" for ERR_NOT_FOUND: the code as JSON documents and logs spell it. */
const char *err_code_name(enum err_code code);
int err_http_status(enum err_code code);
int err_exit_code(enum err_code code);

/* Fills *err, if given, and returns code, so that a caller can write: return err_set(...); */
enum err_code err_set(struct err *err, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

#if defined(__clang_analyzer__) && !defined(ERR_ITSELF)
/* The analyzer looks at one file at a time, and shall know that this is never ERR_OK here. */
#define err_set(err, code, ...) ((void)(err), (void)(__VA_ARGS__), (code))
#endif

/* Puts what the caller was doing in front of the message: "apply 0007: disk full". */
void err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
