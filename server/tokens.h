/*
 * tokens - who may ask for what: the roles, and the table of token hashes in memory. Any thread.
 */
#ifndef SERVER_TOKENS_H
#define SERVER_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum role {
    ROLE_ADMIN = 1,      /* everything */
    ROLE_SDK_SERVER = 2, /* rulesets and OFREP */
    ROLE_SDK_CLIENT = 4, /* OFREP alone: may be in a browser */
    ROLE_VIEWER = 8,     /* reads the administration */
    ROLE_EDITOR = 16,    /* changes flags */
    ROLE_PIPELINE = 32   /* reports migrations, reads gates, holds flags */
};
bool role_of(const char *name, enum role *out); /* "sdk-server" */
const char *role_name(enum role role);
#define ROLE_NAMES "admin, sdk-server, sdk-client, viewer, editor, pipeline"

struct identity {
    unsigned role; /* 0: nobody */
    char id[33];
    char name[129];
    char environment[129]; /* the one that the token is for; "": all of them */
};

struct tokens;
struct stores;

struct tokens *tokens_new(void); /* NULL when out of memory */
void tokens_free(struct tokens *tokens);

/* Reads the store's tokens anew; on its owner's thread. On failure the table is as it was. */
MUST_USE enum err_code tokens_load(struct tokens *tokens, struct stores *stores, struct err *err);
/* The same for a token that is not known (yet), at most once a second. tokens_may_refresh(), on any
 * thread, says whether it is worth to go to the store's owner for that: strangers must not be able
 * to keep it busy. */
bool tokens_may_refresh(const struct tokens *tokens);
void tokens_refresh(struct tokens *tokens, struct stores *stores);

/* Who a token's text belongs to. False: nobody. */
bool tokens_find(struct tokens *tokens, const char *text, struct identity *out);

#endif
