/*
 * admin_domains - what the domain rules of a flag may be, whatever route they come by.
 */
#ifndef SERVER_ADMIN_DOMAINS_H
#define SERVER_ADMIN_DOMAINS_H

#include "server/admin.h"

/* Whether a set is what its shards say, and no new rule is for a public suffix, unless ?wide=true. after has
 * passed flag_check(); flag: as it is, or NULL. False: answered. */
bool admin_domains_may(struct call *call, const struct store_flag *flag, const struct json *after);

#endif
