/*
 * admin - what the handlers of changes share: the version a client bases its change on, and what
 * follows a change.
 */
#ifndef SERVER_ADMIN_H
#define SERVER_ADMIN_H

#include <stdbool.h>

#include "server/answer.h"

/* The flag of params[0], or NULL after answering 404. */
const struct store_flag *admin_flag(struct call *call);

/* Checks If-Match against the flag's version: 428 without, 412 with another. False: answered. */
bool admin_if_match(struct call *call, const struct store_flag *flag);

/* Answers with the flag as clients see it, "version" added, and its ETag. */
void admin_answer_flag(struct call *call, int status, const struct store_flag *flag);

/* Serves what the store holds now, and logs the change. To be called after each change, before the
 * answer, so that whoever is told of a change finds it. */
void admin_changed(struct call *call, const char *event, const char *what);

/* Answers for a change that the store did not take: a disk that fails is 503 with the reason,
 * whatever its code; ERR_CONFLICT, ERR_STALE, ERR_NOT_FOUND and ERR_LIMIT keep their status. */
void admin_not_changed(struct call *call, const struct err *err);

#endif
