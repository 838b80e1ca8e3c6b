#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_BYTES 4096 /* PIPE_BUF: a write of that size is not torn by another process's */

static atomic_int lowest = LOG_INFO;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&lowest, (int)level, memory_order_relaxed);
}

/* A value must not end the line early or move a terminal's cursor. */
static void blank_controls(char *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)at[i] < 0x20 || at[i] == 0x7F) {
            at[i] = ' ';
        }
    }
}

void log_event(enum log_level level, const char *event, const char *fmt, ...)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    char line[LINE_BYTES], time[CLOCK_TEXT_BYTES];
    size_t len, done = 0;
    va_list ap;
    int n;

    if ((int)level < atomic_load_explicit(&lowest, memory_order_relaxed)) {
        return;
    }
    n = snprintf(line, sizeof line, "%s %s %s ", clock_text(clock_wall_ms(), time), names[level],
                 event);
    len = n < 0 ? 0 : (size_t)n < sizeof line - 2 ? (size_t)n : sizeof line - 2;
    va_start(ap, fmt);
    n = vsnprintf(line + len, sizeof line - 1 - len, fmt, ap);
    va_end(ap);
    if (n > 0) {
        len += (size_t)n < sizeof line - 1 - len ? (size_t)n : sizeof line - 2 - len;
    }
    while (len > 0 && line[len - 1] == ' ') {
        len--;
    }
    blank_controls(line, len);
    line[len++] = '\n';
    while (done < len) {
        ssize_t wrote = write(STDERR_FILENO, line + done, len - done);
        if (wrote < 0 && errno != EINTR) {
            return; /* nobody to tell */
        }
        done += wrote > 0 ? (size_t)wrote : 0;
    }
}
