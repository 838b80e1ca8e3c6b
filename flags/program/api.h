/*
 * api - the flag server as the program `flags` sees it: one call, one document, and failures that
 * say what to do.
 */
#ifndef FLAGS_PROGRAM_API_H
#define FLAGS_PROGRAM_API_H

#include <stdbool.h>

#include "base/cli.h"
#include "base/err.h"
#include "base/fetch.h"
#include "base/json.h"

#define API_MESSAGE_BYTES 1600

struct api {
    struct cli *cli;
    const char *command; /* "ramp", for messages */
    char *url, *token;
    char option[100]; /* " --environment NAME" for commands that are proposed, if it was given so */
    const char *environment; /* that all calls are about; NULL: the token's, else the default one */
    bool reassign;           /* changes may give subjects other variants than they have */
    char reason_header[600]; /* "X-Lockstep-Reason: ...", or "" */
    struct fetch *fetch;
    /* The last failure: what it was, and what the server said beside. */
    enum err_code code;
    char message[API_MESSAGE_BYTES];
    char hint[480]; /* the command that goes first, or "" */
    char migration[200];
};

/* Reads --server, --token-file, --environment, --reason and the variables beside them. 0, or the exit code after saying what
 * is missing. api_close() in either case. */
int api_open(struct api *api, struct cli *cli, const char *command);
void api_close(struct api *api);

/* One exchange, about api->environment unless path names one or is of environments. body (or NULL) is sent as JSON and stays the caller's. *reply (NULL when there is no
 * document) is the caller's on ERR_OK; etag, if wanted, takes what stands between the quotes. Any
 * status from 400 is an error: it stands in api, ready for api_fail(). */
#define API_ETAG_BYTES 64
enum err_code api_call(struct api *api, const char *method, const char *path,
                       const struct json *body, const char *if_match, struct json **reply,
                       char etag[API_ETAG_BYTES]);

/* The same for a body and a reply that are plain text. *text (text may be NULL): free() it. */
enum err_code api_text(struct api *api, const char *method, const char *path, const char *body,
                       size_t body_len, char **text, size_t *len);

/* A path with one escaped segment or query value at its end; free() it. NULL: no memory. */
char *api_path(const char *before, const char *value, const char *after);

/* GET of one flag. If there is none, the message names the nearest key that there is. */
enum err_code api_get_flag(struct api *api, const char *key, struct json **flag,
                           char etag[API_ETAG_BYTES]);

/* Sets the failure as api_call() would. */
enum err_code api_set(struct api *api, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Says the last failure (stderr, or the JSON document on stdout); returns the exit code. */
int api_fail(const struct api *api);

#endif
