#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for more bytes and a NUL. */
static bool reserve(struct buf *buf, size_t more)
{
    size_t need, room;
    char *at;

    if (buf->failed) {
        return false;
    }
    if (more > SIZE_MAX / 4 || buf->len > SIZE_MAX / 4) {
        buf->failed = true;
        return false;
    }
    need = buf->len + more + 1;
    if (need <= buf->room) {
        return true;
    }
    room = buf->room < 64 ? 64 : buf->room + buf->room / 2;
    room = room < need ? need : room;
    at = realloc(buf->at, room);
    if (at == NULL) {
        buf->failed = true;
        return false;
    }
    buf->at = at;
    buf->room = room;
    return true;
}

void buf_add(struct buf *buf, const char *at, size_t len)
{
    if (!reserve(buf, len)) {
        return;
    }
    if (len > 0) {
        memcpy(buf->at + buf->len, at, len);
    }
    buf->len += len;
    buf->at[buf->len] = '\0';
}

void buf_text(struct buf *buf, const char *nul_terminated)
{
    buf_add(buf, nul_terminated, strlen(nul_terminated));
}

void buf_char(struct buf *buf, char c)
{
    buf_add(buf, &c, 1);
}

void buf_print(struct buf *buf, const char *fmt, ...)
{
    va_list ap, again;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    if (n < 0) {
        buf->failed = true;
    } else if (reserve(buf, (size_t)n)) {
        vsnprintf(buf->at + buf->len, (size_t)n + 1, fmt, again);
        buf->len += (size_t)n;
    }
    va_end(again);
    va_end(ap);
}

static void add_quoted(struct buf *buf, struct str text, char quote)
{
    size_t from = 0;

    buf_char(buf, quote);
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == quote) {
            buf_add(buf, text.at + from, i + 1 - from);
            from = i; /* so that the quote itself is added a second time */
        }
    }
    buf_add(buf, text.at + from, text.len - from);
    buf_char(buf, quote);
}

void buf_sql_name(struct buf *buf, struct str name)
{
    add_quoted(buf, name, '"');
}

void buf_sql_text(struct buf *buf, struct str text)
{
    add_quoted(buf, text, '\'');
}

char *buf_take(struct buf *buf)
{
    char *text;

    buf_add(buf, "", 0); /* an empty text is a text too */
    if (buf->failed) {
        buf_fini(buf);
        return NULL;
    }
    text = buf->at;
    *buf = (struct buf){0};
    return text;
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->failed = false;
    if (buf->at != NULL) {
        buf->at[0] = '\0';
    }
}

void buf_fini(struct buf *buf)
{
    free(buf->at);
    *buf = (struct buf){0};
}
