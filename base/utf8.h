/*
 * utf8 - is this text UTF-8? (Unicode 15, table 3-7: no overlong forms, no surrogates.) Pure; any
 * thread.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the well-formed sequence at the start of at[len]: 1 to 4, or 0 if there is none. */
size_t utf8_sequence(const char *at, size_t len);
bool utf8_valid(const char *at, size_t len);

#endif
