#include "migrator/walk/gate.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/nearest.h"
#include "migrator/session/flag_link.h"

#define VERIFIED "verified"
#define DEPENDS "nothing-depends-on-old"
#define FLAG_ON "flag-on-everywhere"
#define BEHIND "no-client-behind"
#define LEASES "no-client-without-lease"
#define IDLE "old-writes-idle"
#define DECLARED "declared"

struct judging {
    struct gate *gate;
    const char *override_gate;
};

static void judge(struct judging *j, const char *name, bool may_override, bool open,
                  const char *why, struct json *parts)
{
    struct json *condition = json_object();
    bool overridden =
        !open && may_override && j->override_gate != NULL && strcmp(j->override_gate, name) == 0;

    (void)json_put_text(condition, "name", name);
    (void)json_put_bool(condition, "open", open || overridden);
    if (overridden) {
        (void)json_put_bool(condition, "overridden", true);
    }
    if (why != NULL && *why != '\0') {
        (void)json_put_text(condition, "why", why);
    }
    if (parts != NULL) {
        (void)json_put(condition, "parts", parts);
    }
    (void)json_append(j->gate->conditions, condition);
    j->gate->open = j->gate->open && (open || overridden);
}

static const char *ms_text(int64_t ms, char out[CLOCK_TEXT_BYTES])
{
    return clock_span_text(ms * 1000, out);
}

/* How long old code has surely not written: never over-estimated, so the record's granularity, and
 * the second that it is cut to, are taken off. */
static enum err_code old_idle(struct migrate *m, const struct change *change, int64_t *out,
                              struct err *err)
{
    struct database_value name = database_text(change->migration->name);
    struct database_rows *rows = NULL;
    enum err_code rc =
        database_query(m->db,
                       "SELECT " DATABASE_NOW_MS
                       " - written_at * 1000 FROM lockstep_activity WHERE migration = ?1",
                       &name, 1, &rows, err);

    *out = -1;
    if (rc) {
        return rc;
    }
    if (database_rows_count(rows) > 0) {
        *out = database_rows_int(rows, 0, 0, 0) - change->granularity_s * 1000;
        *out = *out < 0 ? 0 : *out;
    }
    database_rows_free(rows);
    return ERR_OK;
}

/* ---- the conditions ---- */

static void judge_verified(struct judging *j, const struct verification *v)
{
    char said[240] = "no verification that counts";
    int64_t age = v != NULL ? clock_wall_ms() - v->at_ms : 0;
    bool open = v != NULL && v->clean && v->invalid == 0 && age <= VERIFY_AGE_MAX_MS;

    if (v != NULL) {
        verify_say(v, said, sizeof said);
        if (said[0] == '\0' && !open) {
            (void)snprintf(said, sizeof said, "the last verification is too old");
        }
    }
    judge(j, VERIFIED, false, open, open ? "" : said, NULL);
}

static void judge_flag(struct judging *j, const struct phased *phased)
{
    const struct facts_flag *flag = &j->gate->facts.flag;
    char why[400];

    if (!flag->known) {
        (void)snprintf(why, sizeof why, "the flag server gave no facts: %s", flag->why);
    } else if (!flag->exists) {
        (void)snprintf(why, sizeof why, "the flag %s does not exist", phased->flag);
    } else {
        (void)snprintf(why, sizeof why, "flag %s does not answer '%s' to everyone yet: %s",
                       phased->flag, phased->flag_new, flag->why);
    }
    judge(j, FLAG_ON, true, flag->known && flag->exists && flag->enabled_everywhere,
          flag->known && flag->enabled_everywhere ? "" : why, NULL);
    (void)snprintf(why, sizeof why, "%lld clients have not confirmed the flag's last change: %s",
                   (long long)flag->clients_behind, flag->who);
    judge(j, BEHIND, true, flag->known && flag->exists && flag->clients_behind == 0,
          flag->known && flag->clients_behind == 0 ? ""
          : flag->known                            ? why
                                                   : "the flag server gave no facts",
          NULL);
}

/* Such a client may answer the old variant for ever, from what it once saw. */
static void judge_leases(struct judging *j)
{
    const struct facts_flag *flag = &j->gate->facts.flag;
    bool open = flag->known && flag->exists && flag->clients_without_lease == 0;
    char why[500];

    (void)snprintf(why, sizeof why,
                   "clients that honour no lease may go on with an old answer: %s; --accept-stale "
                   "CLIENT --reason TEXT accepts one",
                   flag->stale);
    judge(j, LEASES, true, open,
          open          ? ""
          : flag->known ? why
                        : "the flag server gave no facts",
          NULL);
}

static void judge_writes(struct judging *j, const struct phased *phased)
{
    char why[160], seen[CLOCK_TEXT_BYTES], wanted[CLOCK_TEXT_BYTES];
    int64_t idle = j->gate->facts.old_idle_ms;

    if (idle < 0) {
        judge(j, IDLE, true, false, "old code's writes are not recorded", NULL);
        return;
    }
    (void)snprintf(why, sizeof why, "old code wrote %s ago; %s are asked for (old_writes_idle)",
                   ms_text(idle, seen), ms_text(phased->old_writes_idle_ms, wanted));
    judge(j, IDLE, true, idle >= phased->old_writes_idle_ms,
          idle >= phased->old_writes_idle_ms ? "" : why, NULL);
}

static enum err_code judge_declared(struct judging *j, const char *source, struct err *err)
{
    struct json *parts = json_array();
    bool open = false;
    enum err_code rc = facts_hold(source, &j->gate->facts, &open, NULL, parts, err);

    if (rc) {
        json_free(parts);
        return rc;
    }
    judge(j, DECLARED, true, open, source, parts);
    return ERR_OK;
}

static enum err_code judge_contract(struct judging *j, struct migrate *m,
                                    const struct change *change)
{
    struct arena arena = {0};
    const char *dependents = change_dependents(m->db, change, &arena);
    char why[300];

    (void)snprintf(why, sizeof why,
                   "the application's own %s names what is set aside; change it first", dependents);
    judge(j, DEPENDS, true, *dependents == '\0', *dependents == '\0' ? "" : why, NULL);
    arena_fini(&arena);
    if (change->phased->flag != NULL) {
        judge_flag(j, change->phased);
        judge_leases(j);
    }
    if (change->trigger_count > 0) {
        judge_writes(j, change->phased);
    }
    return ERR_OK;
}

enum err_code gate_check_override(const char *name, const struct phased *phased, struct err *err)
{
    static const char *const names[] = {DEPENDS, FLAG_ON, BEHIND, LEASES, IDLE, DECLARED};
    const char *nearest = nearest_name(name, names, sizeof names / sizeof names[0]);
    bool known = nearest != NULL && strcmp(nearest, name) == 0;
    bool of_flag =
        strcmp(name, FLAG_ON) == 0 || strcmp(name, BEHIND) == 0 || strcmp(name, LEASES) == 0;

    if (strcmp(name, VERIFIED) == 0) {
        return err_set(err, ERR_INVALID,
                       "--override-gate " VERIFIED ": it cannot be overridden; `migrate verify` "
                       "shows the rows that are not right");
    }
    if (!known) {
        return err_set(err, ERR_INVALID,
                       "--override-gate '%.60s' is no condition that can be overridden%s%s%s (%s, "
                       "%s, %s, %s, %s, %s)",
                       name, nearest != NULL ? "; did you mean '" : "",
                       nearest != NULL ? nearest : "", nearest != NULL ? "'?" : "", DEPENDS,
                       FLAG_ON, BEHIND, LEASES, IDLE, DECLARED);
    }
    if (phased != NULL &&
        ((of_flag && phased->flag == NULL) ||
         (strcmp(name, DECLARED) == 0 && phased->gates[PHASED_GATE_CONTRACT] == NULL))) {
        return err_set(err, ERR_INVALID, "--override-gate %.60s: the migration has no %s", name,
                       of_flag ? "flag" : "contract gate of its own");
    }
    return ERR_OK;
}

enum err_code gate_measure(struct migrate *m, size_t index, const char *phase,
                           const struct change *change, const struct verification *v,
                           struct facts *facts, struct err *err)
{
    const struct journal_row *row = session_row(m, index);
    enum err_code rc;

    *facts = (struct facts){.old_idle_ms = -1,
                            .backfill_done = row != NULL && row->backfill_done,
                            .backfill_rows = row != NULL ? row->rows_done : 0,
                            .phase = phase,
                            .environment = m->environment,
                            .database = database_url(m->db),
                            .now_ms = clock_wall_ms()};
    if (v != NULL) {
        facts->verified = true;
        facts->verify_clean = v->clean && v->invalid == 0;
        facts->verify_age_ms = facts->now_ms > v->at_ms ? facts->now_ms - v->at_ms : 0;
        facts->verify_mismatches = v->mismatches;
        facts->verify_rows = v->rows;
    }
    rc = flag_link_facts(m, index, &facts->flag, err);
    return rc ? rc : old_idle(m, change, &facts->old_idle_ms, err);
}

enum err_code gate_evaluate(struct migrate *m, size_t index, enum phased_gate which,
                            const struct change *change, const struct verification *verification,
                            const char *override_gate, struct gate *out, struct err *err)
{
    struct judging j = {out, override_gate};
    const char *declared = change->phased->gates[which];
    enum err_code rc;

    *out = (struct gate){.open = true, .conditions = json_array()};
    rc = gate_measure(m, index, phased_gate_name(which), change, verification, &out->facts, err);
    out->flag_revision = out->facts.flag.revision;
    if (rc == ERR_OK && which != PHASED_GATE_DUAL_WRITE) {
        judge_verified(&j, verification);
    }
    if (rc == ERR_OK && which == PHASED_GATE_CONTRACT) {
        rc = judge_contract(&j, m, change);
    }
    if (rc == ERR_OK && declared != NULL) {
        rc = judge_declared(&j, declared, err);
    }
    if (rc) {
        gate_fini(out);
    }
    return rc;
}

struct json *gate_reasons(const struct gate *gate)
{
    struct json *out = json_array();

    for (const struct json *c = json_first(gate->conditions); c != NULL; c = json_next(c)) {
        if (!json_is_true(json_get(c, "open"))) {
            (void)json_append(out, json_copy(c));
        }
    }
    return out;
}

void gate_say(const struct gate *gate, char *out, size_t size)
{
    struct buf text = {0};

    for (const struct json *c = json_first(gate->conditions); c != NULL; c = json_next(c)) {
        if (!json_is_true(json_get(c, "open"))) {
            const char *name = json_get_text(c, "name", ""), *why = json_get_text(c, "why", "");
            buf_print(&text, "%s%s: %s", text.len > 0 ? "; " : "", name, why);
        }
    }
    (void)snprintf(out, size, "%s", buf_cstr(&text));
    buf_fini(&text);
}

void gate_fini(struct gate *gate)
{
    json_free(gate->conditions);
    gate->conditions = NULL;
}
