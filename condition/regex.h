/*
 * regex - matches() with RE2's meaning, on PCRE2 with JIT. The only file that knows PCRE2.
 *
 * Patterns are rejected where RE2 rejects them, rewritten where the two differ, and matched under
 * a step limit that grows with the subject, from one start offset. No allocation, no lock and no
 * system call in a match. A compiled pattern is immutable and may be used by many threads.
 */
#ifndef CONDITION_REGEX_H
#define CONDITION_REGEX_H

#include <stdbool.h>
#include <stddef.h>

struct cel_regex;

/* Patterns that need no regular expression at all. */
enum cel_regex_plain { REGEX_NOT_PLAIN, REGEX_CONTAINS, REGEX_PREFIX, REGEX_SUFFIX, REGEX_EQUAL };

/* If pattern is literal text, perhaps with ^ or $ at its ends, writes that text into out (at least
 * len bytes) and says how it matches. */
enum cel_regex_plain cel_regex_plain(const char *pattern, size_t len, char *out, size_t *out_len);

enum cel_regex_error { REGEX_OK, REGEX_BAD, REGEX_TOO_LARGE, REGEX_NOMEM };

/* Compiles pattern. On REGEX_BAD and REGEX_TOO_LARGE msg says why and *at where in the pattern. */
enum cel_regex_error cel_regex_compile(const char *pattern, size_t len, struct cel_regex **out,
                                       char *msg, size_t msg_size, size_t *at);
void cel_regex_free(struct cel_regex *regex); /* NULL allowed */

/* 1 match, 0 none, -1 the limit was reached (steps, or CEL_SUBJECT_MAX). */
int cel_regex_match(const struct cel_regex *regex, const char *subject, size_t len);

#endif
