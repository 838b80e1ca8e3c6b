/*
 * flag_link - how schema and flag wait for each other: talks to the flag server over HTTP.
 *
 * A migration without a flag passes through each of these untouched.
 */
#ifndef MIGRATOR_FLAG_LINK_H
#define MIGRATOR_FLAG_LINK_H

#include "migrator/folder/facts.h"
#include "migrator/session/session.h"

/* ERR_INVALID: the flag server's URL is none. */
MUST_USE enum err_code flag_link_check_url(const struct migrate *m, struct err *err);

/* That the flag exists, before anything is changed. ERR_NOT_FOUND with the command that makes it;
 * ERR_IO when the server cannot be reached, ERR_INVALID when none was named. */
MUST_USE enum err_code flag_link_check_flag(struct migrate *m, size_t index, struct err *err);

/* Asks for the facts of the flag; unreachable is no error: then they are absent, and why is in
 * flag->why. */
MUST_USE enum err_code flag_link_facts(struct migrate *m, size_t index, struct facts_flag *flag,
                                       struct err *err);

/* Tells the server the migration's state. ERR_CONFLICT: the flag as it stands could answer what
 * the state cannot bear; the message is the server's. */
MUST_USE enum err_code flag_link_report(struct migrate *m, size_t index, enum mig_state state,
                                        struct err *err);
/* Whether there is something that it did not acknowledge. */
bool flag_link_owes(const struct migrate *m);
/* Tells it again whatever it did not acknowledge (a crash may have come between). With the lock held:
 * else another run could have gone on meanwhile, and what is told would be of before. */
MUST_USE enum err_code flag_link_report_all(struct migrate *m, struct err *err);

/* What the server believes of all databases; flag_link_belief() finds one: false if it is unknown
 * there. */
MUST_USE enum err_code flag_link_beliefs(struct migrate *m, struct json **out, struct err *err);
bool flag_link_belief(const struct migrate *m, const struct json *beliefs, size_t index,
                      enum mig_state *out);
bool flag_link_held(const struct migrate *m, const struct json *beliefs, size_t index);
/* Tells it every state as it is in this database, whatever it believed and its flags answer: after
 * the file was put back to an older copy. told (may be NULL) gets {"migration","believed","state"}. */
MUST_USE enum err_code flag_link_report_facts(struct migrate *m, struct json *told,
                                              struct err *err);

/* Nobody may change the flag from revision on, until it is released; called again it renews the
 * hold, which a run that was killed does not. */
MUST_USE enum err_code flag_link_hold(struct migrate *m, size_t index, int64_t revision,
                                      struct err *err);
MUST_USE enum err_code flag_link_release(struct migrate *m, size_t index, struct err *err);

#endif
