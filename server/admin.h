/*
 * admin - what the handlers of changes share: the version a client bases its change on, and what
 * follows a change.
 */
#ifndef SERVER_ADMIN_H
#define SERVER_ADMIN_H

#include <stdbool.h>

#include "server/answer.h"

struct view; /* server/view.h */

/* The flag of params[0], or NULL after answering 404. */
const struct store_flag *admin_flag(struct call *call);

/* Checks If-Match against the flag's version: 428 without, 412 with another. False: answered. */
bool admin_if_match(struct call *call, const struct store_flag *flag);
/* The same for the version of what is the same in all environments. */
bool admin_if_match_shared(struct call *call, const struct store_flag *flag);

/* A whole flag may leave out what only the server makes. */
void admin_keep_salts(struct json *flag, const struct json *stored);

/* Answers with the flag as clients see it, "version" added, and its ETag. */
void admin_answer_flag(struct call *call, int status, const struct store_flag *flag);

/* Serves what the store holds now, and logs the change. To be called after each change, before the
 * answer, so that whoever is told of a change finds it. */
void admin_changed(struct call *call, const char *event, const char *what);

/* Answers for a change that the store did not take: a disk that fails is 503 with the reason,
 * whatever its code; ERR_CONFLICT, ERR_STALE, ERR_NOT_FOUND and ERR_LIMIT keep their status. */
void admin_not_changed(struct call *call, const struct err *err);

/* 400 with this message; returns false. */
bool admin_invalid(struct call *call, const char *message);

/* ---- what may be changed (admin_change.c) ---- */

/* Every route that changes a flag asks this first. after: the flag as the call's environment would have
 * it; NULL: it is being archived. flag: as it is; NULL: it is being made. Where all environments see the
 * change, it is proved for each of them. False: answered. */
bool admin_may_change(struct call *call, const struct store_flag *flag, const struct json *after);

/* Every flag that answers by what the view replaces, proved as it would be then: what names a segment, a
 * layer's flags, and whoever has one of these as a prerequisite. *touched (NULL allowed): which, by place in
 * the store; free() it. False: answered. */
bool admin_others_bear(struct call *call, struct view *view, bool **touched);

/* The flag as it would be with what a promotion ({"from", "only"}) takes over. New; NULL: answered. */
struct json *admin_promoted(struct call *call, const struct store_flag *flag,
                            const struct json *promotion);

/* Whether the token has a say in every environment that there is. */
bool admin_is_everywhere(const struct call *call);

/* Stores what admin_may_change() let through, if anything differs, and answers with the flag as it is
 * then. action: for the audit; NULL: "flag.update". */
void admin_replace_flag(struct call *call, const struct store_flag *flag, const struct json *body,
                        const char *action);

/* Where there are several environments the command of a refusal has to name its own. */
void admin_name_environment(const struct call *call, const struct store *store,
                            struct coupling_refusal *why);

/* ---- ties (admin_schema.c) and holds (admin_holds.c) ---- */

/* Stores a tie if the flag bears it. action and event: for audit and log. False: answered. */
/* Whether the migrator's message of that number may be taken (coupling_in_order()); false: answered. */
bool admin_in_order(struct call *call, const struct tie *tie, int64_t sequence);
bool admin_put_tie(struct call *call, const struct tie *tie, const char *action, const char *event);
/* The revisions of a flag and of the environment. */
void admin_answer_revisions(struct call *call, int status, const char *key);

/* Adds "hold" with its owner and age, if tie (NULL allowed) is held. */
void admin_put_hold(struct json *out, const struct tie *tie);
void admin_end_hold(struct tie *tie);

#endif
