/*
 * public_suffix - names under which anybody can register: "com", "co.uk", "github.io". A rule for one is a
 * rule for strangers. From the list that the machine has (libpsl behind it). Any thread.
 */
#ifndef SERVER_PUBLIC_SUFFIX_H
#define SERVER_PUBLIC_SUFFIX_H

#include <stdbool.h>

/* domain: canonical. A single label that the list does not know ("intranet") is none. */
bool public_suffix(const char *domain);

#endif
