/*
 * gate - may this phase begin? The default conditions, and those that the migration declares.
 *
 * Verification is never overridden; any other condition can be, by name and with a reason that goes
 * into the history.
 */
#ifndef MIGRATOR_GATE_H
#define MIGRATOR_GATE_H

#include "migrator/change/change.h"
#include "migrator/folder/facts.h"
#include "migrator/walk/verify.h"

struct gate {
    bool open;
    struct json *conditions; /* [{"name","open","why","parts"}]; owned */
    struct facts facts;      /* what it was decided on */
    int64_t flag_revision;
};

/* verification: the newest, or NULL if there is none that counts. override_gate may be NULL. */
MUST_USE enum err_code gate_evaluate(struct migrate *m, size_t index, enum phased_gate which,
                                     const struct change *change,
                                     const struct verification *verification,
                                     const char *override_gate, struct gate *out, struct err *err);
/* ERR_INVALID: no condition that can be overridden is called so (the nearest one is named), or none of
 * this migration's contract gate (phased NULL: of any). */
MUST_USE enum err_code gate_check_override(const char *name, const struct phased *phased,
                                           struct err *err);
/* The facts of the moment. verification may be NULL: then those of it are absent. */
MUST_USE enum err_code gate_measure(struct migrate *m, size_t index, const char *phase,
                                    const struct change *change,
                                    const struct verification *verification, struct facts *facts,
                                    struct err *err);
/* The closed conditions as one line for people. */
void gate_say(const struct gate *gate, char *out, size_t size);
/* An array of the closed conditions, for a report. */
struct json *gate_reasons(const struct gate *gate);
void gate_fini(struct gate *gate);

#endif
