/*
 * rig - a real flag-server process on a store and a port of its own, and calls to it whose replies
 * are checked against docs/openapi.json.
 */
#ifndef TESTS_SERVER_RIG_H
#define TESTS_SERVER_RIG_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/json.h"
#include "tests/server/wire.h"

struct rig {
    char folder[200], store[240], log[240], token[100];
    pid_t pid;
    unsigned port;
    long file_bytes_max;     /* for the next rig_serve(): no file grows larger; 0: no bound */
    bool as_nobody;          /* for the next rig_serve(): without root's rights */
    struct wire_reply reply; /* of the last call */
};

void rig_init(struct rig *rig);                    /* a folder and an initialised store */
void rig_serve(struct rig *rig, const char *more); /* starts the server; more: an option, or NULL */
int rig_stop(struct rig *rig, int signal);         /* its exit code; 128 + n after signal n */
void rig_fini(struct rig *rig);                    /* stops it and removes the folder */

/* Runs a program of the build with arguments (NULL-terminated) and gives its exit code; what it says
 * on stdout and stderr goes to out. */
int rig_run(char *out, size_t size, const char *program, ...) __attribute__((sentinel));

/* One call, whose status must be `status`. token: NULL for the first admin's, "" for none. headers:
 * more lines, each with \r\n, or NULL. The reply's document, or NULL if it has none; free it. */
struct json *rig_call(struct rig *rig, int status, const char *method, const char *path,
                      const char *token, const char *headers, const char *body);
/* The same where the document does not matter. */
void rig_does(struct rig *rig, int status, const char *method, const char *path, const char *body);
/* Changes a member of the flag by GET and PUT with If-Match; value is JSON. */
void rig_set(struct rig *rig, int status, const char *key, const char *member, const char *value);

/* Every operation of docs/openapi.json that no rig_call() has asked for, a line each; "" if none. */
const char *rig_not_visited(void);

#endif
