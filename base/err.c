#define ERR_ITSELF
#include "base/err.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

struct err_row {
    int http, exit_code;
};

#define X(name, http, exit_code) {http, exit_code},
static const struct err_row rows[] = {ERR_CODES(X)};
#undef X

static const struct err_row *row_of(enum err_code code)
{
    size_t index = (size_t)code;

    return &rows[index < sizeof rows / sizeof rows[0] ? index : (size_t)ERR_IO];
}

/* The spelling for documents is lower case without the prefix; a second column in ERR_CODES would
 * repeat every name. */
const char *err_code_name(enum err_code code)
{
    switch (code) {
    case ERR_OK: return "ok";
    case ERR_INVALID: return "invalid";
    case ERR_NOT_FOUND: return "not_found";
    case ERR_CONFLICT: return "conflict";
    case ERR_LIMIT: return "limit";
    case ERR_BUSY: return "busy";
    case ERR_DENIED: return "denied";
    case ERR_STALE: return "stale";
    case ERR_RATE: return "rate";
    case ERR_TIMEOUT: return "timeout";
    case ERR_FULL: return "full";
    case ERR_NOMEM: return "nomem";
    case ERR_IO: return "io";
    }
    return "io";
}

int err_http_status(enum err_code code)
{
    return row_of(code)->http;
}

int err_exit_code(enum err_code code)
{
    return row_of(code)->exit_code;
}

enum err_code err_set(struct err *err, enum err_code code, const char *fmt, ...)
{
    va_list ap;

    if (err == NULL) {
        return code;
    }
    err->code = code;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    return code;
}

void err_wrap(struct err *err, const char *fmt, ...)
{
    struct err old;
    va_list ap;
    int n;

    if (err == NULL) {
        return;
    }
    old = *err;
    va_start(ap, fmt);
    n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof err->msg) {
        size_t room = sizeof err->msg - (size_t)n;
        snprintf(err->msg + n, room, ": %.*s", room > 3 ? (int)room - 3 : 0, old.msg);
    }
}
