/*
 * domain - customer domains: canonical form, parts, and matching at label boundaries.
 *
 *     domain_canonical("Alice@Mail.ACME.com.", ...)  ->  "mail.acme.com"
 *     domain_under("mail.acme.com", "acme.com")      ->  true   ("evilacme.com" is not)
 *
 * Canonical: lower case, UTS-46 to ASCII (xn--), no trailing dot, no port, the part after the last
 * '@' of an e-mail address. ASCII is done in place; the rest goes through libidn2.
 * Pure functions; any thread.
 */
#ifndef CONDITION_DOMAIN_H
#define CONDITION_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>

#define DOMAIN_BYTES_MAX 253u /* RFC 1035, 2.3.4, without the trailing dot */
#define DOMAIN_LABELS_MAX 127u

/* Writes the canonical form of text (a host name, an e-mail address or a URL host with or without
 * port) into out[out_size], NUL-terminated, and returns its length; 0 if text is no domain name
 * (empty label, label over 63 bytes, over DOMAIN_BYTES_MAX, bad UTF-8, an IP address, a character
 * that UTS-46 refuses). out_size must be at least DOMAIN_BYTES_MAX + 1. */
size_t domain_canonical(const char *text, size_t len, char *out, size_t out_size);

/* The same for ASCII text alone (0 for any other); never allocates, so it may stand in a run. */
size_t domain_canonical_ascii(const char *text, size_t len, char *out, size_t out_size);

/* Whether name is parent itself or below it. Both canonical. */
bool domain_under(const char *name, size_t name_len, const char *parent, size_t parent_len);

/* pattern: "acme.com" matches itself alone, "*.acme.com" its sub-domains at any depth and not
 * itself. Both canonical (behind the "*."). */
bool domain_matches(const char *name, size_t name_len, const char *pattern, size_t pattern_len);

#endif
