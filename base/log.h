/*
 * log - one structured line an event, on stderr: time, level, event, fields as key=value (JSON
 * strings where needed). For programs alone: libraries never log. Any thread; a line is one
 * write().
 *
 *     log_event(LOG_INFO, "listening", "address=%s port=%d", addr, port);
 *
 * Secrets never go into a field.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

void log_set_level(enum log_level level); /* LOG_INFO at the start */
void log_event(enum log_level level, const char *event, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
