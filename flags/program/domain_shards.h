/*
 * domain_shards - domain sets as the program sees them: shards come from and go to the server.
 */
#ifndef FLAGS_PROGRAM_DOMAIN_SHARDS_H
#define FLAGS_PROGRAM_DOMAIN_SHARDS_H

#include "flags/domain_set.h"
#include "flags/program/api.h"

struct domain_source shards_source(struct api *api);
struct domain_sink shards_sink(struct api *api);

/* Puts a flag's domain set into its document as "domains", for who wants to read all of it. */
enum err_code shards_expand(struct api *api, struct json *flag);

#endif
