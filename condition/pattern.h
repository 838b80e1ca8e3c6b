/*
 * pattern - a regular expression of RE2 as PCRE2 shall see it: refused where RE2 refuses it, and
 * rewritten where PCRE2 would take it for something else.
 *
 *     cel_pattern_rewrite("[\\d-z]\\s", ...)    [\d\x{2d}z][\t\n\f\r ]
 *
 * Knows nothing of PCRE2's functions. Any thread may call it; it keeps nothing.
 */
#ifndef CONDITION_PATTERN_H
#define CONDITION_PATTERN_H

#include "condition/limits.h"
#include "condition/regex.h"

#define CEL_PATTERN_OUT (CEL_PATTERN_MAX * 8u)

/* Writes *out_len bytes to out. On REGEX_BAD and REGEX_TOO_LARGE msg says why, and *at where in the
 * pattern. */
enum cel_regex_error cel_pattern_rewrite(const char *pattern, size_t len, char out[CEL_PATTERN_OUT],
                                         size_t *out_len, char *msg, size_t msg_size, size_t *at);

#endif
