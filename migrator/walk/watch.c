#include "migrator/walk/watch.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "migrator/walk/gate.h"

void watch_begin(struct watch *watch, struct migrate *m, size_t index, enum phased_watch which,
                 const struct change *change)
{
    const struct phased *phased = m->folder.at[index].phased;

    *watch = (struct watch){
        .condition = phased->watch[which], .phase = phased_watch_name(which), .change = change};
    m->watch = watch->condition != NULL ? watch : NULL;
}

void watch_end(struct migrate *m)
{
    m->watch = NULL;
}

/* The parts of a condition that could not be answered, as one line. */
static void note_unknown(struct watch *watch, const struct json *parts)
{
    size_t len = 0;

    watch->unknown++;
    watch->why[0] = '\0';
    for (const struct json *part = json_first(parts); part != NULL && len < sizeof watch->why - 1;
         part = json_next(part)) {
        int more = snprintf(watch->why + len, sizeof watch->why - len, "%s%.80s = %.80s",
                            len > 0 ? ", " : "", json_get_text(part, "part", ""),
                            json_get_text(part, "value", ""));
        len += more > 0 ? (size_t)more : 0;
    }
}

enum err_code watch_look(struct migrate *m, size_t index, struct err *err)
{
    struct watch *watch = m->watch;
    struct facts facts;
    struct json *parts;
    bool truth = false, unknown = false;
    enum err_code rc;

    if (watch == NULL || clock_monotonic_us() - watch->looked_us < WATCH_US) {
        return ERR_OK;
    }
    rc = gate_measure(m, index, watch->phase, watch->change, NULL, &facts, err);
    if (rc) {
        return rc;
    }
    parts = json_array();
    rc = facts_hold(watch->condition, &facts, &truth, &unknown, parts, err);
    watch->looked_us = clock_monotonic_us();
    watch->looks++;
    watch->truths += truth;
    watch->running = truth ? watch->running + 1 : 0;
    if (rc == ERR_OK && unknown) {
        note_unknown(watch, parts);
    }
    json_free(parts);
    if (rc == ERR_OK && watch->running >= WATCH_LOOKS) {
        watch->triggered = true;
        rc = err_set(err, ERR_CONFLICT,
                     "%.80s, %.20s: what is watched for came true, %d times "
                     "running: %.200s",
                     m->folder.at[index].name, watch->phase, WATCH_LOOKS, watch->condition);
    }
    return rc;
}

void watch_describe(const struct watch *watch, struct json *step)
{
    struct json *out;

    if (watch->condition == NULL || watch->looks == 0 || step == NULL) {
        return;
    }
    out = json_object();
    (void)json_put_text(out, "condition", watch->condition);
    (void)json_put_number(out, "looks", (double)watch->looks);
    (void)json_put_number(out, "true", (double)watch->truths);
    (void)json_put_number(out, "unknown", (double)watch->unknown);
    if (watch->unknown > 0) {
        (void)json_put_text(out, "why", watch->why);
    }
    (void)json_put(step, "watch", out);
}
