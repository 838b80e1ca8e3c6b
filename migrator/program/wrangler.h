/*
 * wrangler - what a project of Cloudflare's wrangler says about its database: wrangler.json,
 * wrangler.jsonc or wrangler.toml (developers.cloudflare.com/workers/wrangler/configuration).
 */
#ifndef MIGRATOR_PROGRAM_WRANGLER_H
#define MIGRATOR_PROGRAM_WRANGLER_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"

struct wrangler_ask {
    const char *file;        /* or the folder that holds it; NULL: the working folder */
    const char *environment; /* "env" of the file; NULL: the top level */
    const char *binding;     /* of several databases: binding or name; NULL: the only one */
    bool local;              /* the database of `wrangler dev`, under .wrangler/state */
};

struct wrangler {
    const char *database; /* "d1://ACCOUNT/ID", or the local file */
    const char *folder;   /* of the migrations */
    const char *ledger;   /* "d1_migrations" */
};

/* The file that would be read, or NULL if there is none. */
const char *wrangler_find(const char *file, struct arena *arena);

/* ERR_NOT_FOUND: no such file, database or environment; ERR_INVALID: the file is wrong, or its
 * migrations_pattern would let wrangler run what is not for it. */
MUST_USE enum err_code wrangler_read(const struct wrangler_ask *ask, struct arena *arena,
                                     struct wrangler *out, struct err *err);

#endif
