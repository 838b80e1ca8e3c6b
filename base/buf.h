/*
 * buf - a string that grows. {0} is empty. A failed allocation is remembered: later calls do
 * nothing and buf_failed() is true, so that a long build needs one check at its end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct buf {
    char *at; /* NUL-terminated once anything was added; NULL when empty */
    size_t len, room;
    bool failed;
};

void buf_add(struct buf *buf, const char *at, size_t len);
void buf_text(struct buf *buf, const char *nul_terminated);
void buf_char(struct buf *buf, char c);
void buf_print(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Adds an SQL identifier in double quotes, inner quotes doubled. The one function that quotes. */
void buf_sql_name(struct buf *buf, struct str name);
/* Adds an SQL string literal in single quotes, inner quotes doubled. */
void buf_sql_text(struct buf *buf, struct str text);

static inline bool buf_failed(const struct buf *buf)
{
    return buf->failed;
}
/* The text, "" when empty; lent until the next change. */
static inline const char *buf_cstr(const struct buf *buf)
{
    return buf->at != NULL ? buf->at : "";
}
/* Hands the text to the caller (free()), and leaves buf empty. NULL if an allocation failed. */
MUST_USE char *buf_take(struct buf *buf);
void buf_clear(struct buf *buf); /* keeps the room */
void buf_fini(struct buf *buf);

#endif
