#include "server/coupling.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "flags/world.h"
#include "server/advice.h"

enum { OUTCOMES_MAX = 64 }; /* variants of one flag: LIMIT_VARIANTS */

static const struct {
    const char *name;
    unsigned range;
} states[TIE_STATE_COUNT] = {
    [TIE_PENDING] = {"pending", TIE_OLD},           [TIE_EXPANDED] = {"expanded", TIE_OLD},
    [TIE_DUAL_WRITING] = {"dual-writing", TIE_OLD}, [TIE_IN_SYNC] = {"in-sync", TIE_OLD | TIE_NEW},
    [TIE_CONTRACTED] = {"contracted", TIE_NEW},     [TIE_PURGED] = {"purged", TIE_NEW},
};

const char *tie_state_name(enum tie_state state)
{
    CHECK((unsigned)state < TIE_STATE_COUNT);
    return states[state].name;
}

bool tie_state_of(const char *name, enum tie_state *out)
{
    for (unsigned i = 0; i < TIE_STATE_COUNT; i++) {
        if (strcmp(states[i].name, name) == 0) {
            *out = (enum tie_state)i;
            return true;
        }
    }
    return false;
}

unsigned tie_state_range(enum tie_state state)
{
    CHECK((unsigned)state < TIE_STATE_COUNT);
    return states[state].range;
}

static bool tie_allows(const struct tie *tie, const char *variant)
{
    unsigned range = tie_state_range(tie->state);

    return ((range & TIE_OLD) && strcmp(variant, tie->old_variant) == 0) ||
           ((range & TIE_NEW) && strcmp(variant, tie->new_variant) == 0);
}

static const char *label_of(const struct tie *tie)
{
    return tie->label != NULL && tie->label[0] != '\0' ? tie->label : tie->database_id;
}

PRINTF_LIKE(3, 4)
static enum err_code refuse(struct coupling_refusal *why, const struct tie *tie, const char *fmt,
                            ...)
{
    va_list args;
    size_t len;

    va_start(args, fmt);
    vsnprintf(why->detail, sizeof why->detail, fmt, args);
    va_end(args);
    if (why->command[0] != '\0') {
        len = strlen(why->detail);
        snprintf(why->detail + len, sizeof why->detail - len, "; first run: %s", why->command);
    }
    snprintf(why->migration, sizeof why->migration, "%s", tie->migration);
    return ERR_CONFLICT;
}

/* ---- the outcomes of a flag against its ties ---- */

struct search {
    const struct coupling_change *change;
    const struct tie *tie; /* the first that does not allow an outcome, or NULL */
    char variant[130];
    char where[450];
};

static void see_outcome(void *ctx, const char *variant, const char *where)
{
    struct search *search = ctx;

    for (size_t i = 0; i < search->change->tie_count && search->tie == NULL; i++) {
        const struct tie *tie = &search->change->ties[i];

        if (!tie_allows(tie, variant)) {
            search->tie = tie;
            snprintf(search->variant, sizeof search->variant, "%s", variant);
            snprintf(search->where, sizeof search->where, "%s", where);
        }
    }
}

/* The command that makes this change possible: the schema goes first. */
static void advise_schema(struct coupling_refusal *why, const struct tie *tie)
{
    switch (tie->state) {
    case TIE_PENDING:
    case TIE_EXPANDED:
    case TIE_DUAL_WRITING:
        snprintf(why->command, sizeof why->command, "migrate apply %s --to in-sync",
                 tie->migration);
        break;
    case TIE_CONTRACTED:
        snprintf(why->command, sizeof why->command, "migrate rollback %s --to in-sync",
                 tie->migration);
        break;
    case TIE_IN_SYNC:
    case TIE_PURGED:
    case TIE_STATE_COUNT: break; /* nothing goes first: it cannot be done */
    }
}

static enum err_code check_outcomes(const struct coupling_change *change,
                                    struct coupling_refusal *why)
{
    struct search search = {.change = change, .tie = NULL, .variant = "", .where = ""};
    struct err err = {0};
    enum err_code rc = flag_outcomes_in(change->after, change->world, see_outcome, &search, &err);
    const struct tie *tie = search.tie;
    const char *bears;

    if (rc != ERR_OK) {
        snprintf(why->detail, sizeof why->detail, "%s", err.msg);
        return rc;
    }
    if (tie == NULL) {
        return ERR_OK;
    }
    bears = tie_state_range(tie->state) & TIE_OLD ? tie->old_variant : tie->new_variant;
    if (change->report) {
        advice_for_flag(change->after, search.where, bears, why->command, sizeof why->command);
        return refuse(why, tie,
                      "flag '%s' can answer '%s' (%s), and migration %s of %s in state %s bears "
                      "only '%s'",
                      tie->flag, search.variant, search.where, tie->migration, label_of(tie),
                      tie_state_name(tie->state), bears);
    }
    advise_schema(why, tie);
    if (tie->state == TIE_IN_SYNC) {
        return refuse(why, tie,
                      "flag '%s' could answer '%s' (%s), but migration %s of %s knows only '%s' "
                      "and '%s'",
                      tie->flag, search.variant, search.where, tie->migration, label_of(tie),
                      tie->old_variant, tie->new_variant);
    }
    return refuse(why, tie,
                  "flag '%s' could answer '%s' (%s), but migration %s of %s is %s and bears only "
                  "'%s'%s",
                  tie->flag, search.variant, search.where, tie->migration, label_of(tie),
                  tie_state_name(tie->state), bears,
                  tie->state == TIE_PURGED ? ": the old shape is gone for good" : "");
}

/* The variants that a tie names keep their values: else 'off' could come to mean the new path. */
static enum err_code check_variants(const struct coupling_change *change,
                                    struct coupling_refusal *why)
{
    const struct json *after = json_get(change->after, "variants");
    const struct json *before = json_get(change->before, "variants");

    for (size_t i = 0; i < change->tie_count; i++) {
        const struct tie *tie = &change->ties[i];
        const char *const names[2] = {tie->old_variant, tie->new_variant};

        for (int n = 0; n < 2; n++) {
            const struct json *value = json_get(after, names[n]);

            if (value == NULL) {
                return refuse(why, tie,
                              "flag '%s' needs the variant '%s': migration %s of %s is tied to it",
                              tie->flag, names[n], tie->migration, label_of(tie));
            }
            if (before != NULL && !json_equal(json_get(before, names[n]), value)) {
                return refuse(why, tie,
                              "the value of variant '%s' of flag '%s' cannot change while "
                              "migration %s of %s is tied to it",
                              names[n], tie->flag, tie->migration, label_of(tie));
            }
        }
    }
    return ERR_OK;
}

int64_t coupling_hold_alive_s(const struct tie *tie, int64_t now_ms)
{
    bool renews = tie->hold_renewed_ms > tie->hold_taken_ms;
    int64_t until_ms = renews ? tie->hold_renewed_ms + COUPLING_RENEW_S * 1000
                              : tie->hold_taken_ms + (tie->lease_s + COUPLING_RENEW_S) * 1000;

    /* A clock that was put back must not make a hold last for ever. */
    if (!tie->held || until_ms <= now_ms || tie->hold_taken_ms > now_ms) {
        return 0;
    }
    return (until_ms - now_ms + 999) / 1000;
}

/* "3 s", "5 min", "7 h", "2 d" */
static const char *age_text(int64_t ms, char out[32])
{
    long long s = ms > 0 ? (long long)(ms / 1000) : 0;

    snprintf(out, 32, "%lld %s",
             s < 120      ? s
             : s < 7200   ? s / 60
             : s < 172800 ? s / 3600
                          : s / 86400,
             s < 120      ? "s"
             : s < 7200   ? "min"
             : s < 172800 ? "h"
                          : "d");
    return out;
}

/* From contracted on the schema itself must go back first. Before, the hold is for a step that is
 * under way, or was when whoever took it ended. */
static enum err_code refuse_held(struct coupling_refusal *why, const struct tie *tie,
                                 int64_t now_ms)
{
    int64_t alive_s = coupling_hold_alive_s(tie, now_ms);
    char taken[32], renewed[32], word[60], advice[160] = "";

    if (tie->state == TIE_CONTRACTED) {
        snprintf(why->command, sizeof why->command, "migrate rollback %s --to in-sync",
                 tie->migration);
    } else if (alive_s > 0) {
        snprintf(advice, sizeof advice,
                 "; it is at work: wait until it is done, or stop it (without a word from it the "
                 "hold can be ended in %lld s)",
                 (long long)alive_s);
    } else {
        snprintf(why->command, sizeof why->command, "flags unhold %s --reason TEXT", tie->flag);
        snprintf(advice, sizeof advice,
                 "; if no migrate is at work any more, run it again, or give the flag free");
    }
    if (tie->hold_renewed_ms > tie->hold_taken_ms) {
        snprintf(word, sizeof word, ", renewed %s ago",
                 age_text(now_ms - tie->hold_renewed_ms, renewed));
    } else {
        snprintf(word, sizeof word, " and not renewed since");
    }
    return refuse(why, tie,
                  "flag '%s' is held as it is by migration %s of %s (%s), which relies on it: "
                  "taken %s ago by %.100s%s%s",
                  tie->flag, tie->migration, label_of(tie), tie_state_name(tie->state),
                  age_text(now_ms - tie->hold_taken_ms, taken),
                  tie->hold_owner != NULL && tie->hold_owner[0] != '\0' ? tie->hold_owner
                                                                        : "somebody",
                  word, advice);
}

static enum err_code check_holds(const struct coupling_change *change, struct coupling_refusal *why)
{
    for (size_t i = 0; i < change->tie_count; i++) {
        const struct tie *tie = &change->ties[i];

        if (tie->held) {
            return refuse_held(why, tie, change->now_ms);
        }
    }
    return ERR_OK;
}

bool coupling_in_order(const struct tie *tie, int64_t sequence)
{
    return tie == NULL || sequence == 0 || sequence >= tie->sequence;
}

bool coupling_releasable(const struct tie *ties, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (ties[i].held || (ties[i].state != TIE_PENDING && ties[i].state != TIE_PURGED)) {
            return false;
        }
    }
    return true;
}

enum err_code coupling_check(const struct coupling_change *change, struct coupling_refusal *why)
{
    enum err_code rc = ERR_OK;

    memset(why, 0, sizeof *why);
    if (change->tie_count == 0) {
        return ERR_OK;
    }
    if (!change->report) {
        rc = check_holds(change, why);
    }
    if (rc == ERR_OK && change->after == NULL) {
        const struct tie *tie = &change->ties[0];

        for (size_t i = 1; i < change->tie_count && coupling_releasable(tie, 1); i++) {
            tie = &change->ties[i];
        }
        if (!coupling_releasable(tie, 1)) {
            snprintf(why->command, sizeof why->command, "migrate rollback %s", tie->migration);
            return refuse(why, tie,
                          "flag '%s' cannot be archived: migration %s of %s is %s and relies on it",
                          tie->flag, tie->migration, label_of(tie), tie_state_name(tie->state));
        }
        return ERR_OK;
    }
    if (rc == ERR_OK) {
        rc = check_variants(change, why);
    }
    return rc == ERR_OK ? check_outcomes(change, why) : rc;
}

/* ---- documents ---- */

struct outcome_set {
    const char *names[OUTCOMES_MAX]; /* lent by the flag's document */
    size_t count;
    const struct json *flag;
    const char *new_variant;
    struct json *behind;
};

static bool has_line(const struct json *list, const char *wanted)
{
    for (const struct json *line = json_first(list); line != NULL; line = json_next(line)) {
        if (strcmp(json_text(line), wanted) == 0) {
            return true;
        }
    }
    return false;
}

/* "domain acme.com at 25 %" becomes "domain acme.com: 25 %", any other place names the variant. */
static void print_behind(const char *where, const char *variant, char *out, size_t size)
{
    const char *at = strstr(where, " at ");

    if (strcmp(where, "off_variant") == 0) {
        snprintf(out, size, "the flag is off");
    } else if (at != NULL) {
        snprintf(out, size, "%.*s: %s", (int)(at - where), where, at + 4);
    } else {
        snprintf(out, size, "%s: %s", where, variant);
    }
}

static void collect(void *ctx, const char *variant, const char *where)
{
    struct outcome_set *set = ctx;
    char line[600];
    size_t i = 0;

    while (i < set->count && strcmp(set->names[i], variant) != 0) {
        i++;
    }
    if (i == set->count && set->count < OUTCOMES_MAX) {
        const struct json *kept = json_get(json_get(set->flag, "variants"), variant);

        set->names[set->count++] = kept != NULL ? json_key(kept) : "?";
    }
    if (set->behind == NULL || strcmp(variant, set->new_variant) == 0 ||
        json_count(set->behind) >= COUPLING_BEHIND_MAX) {
        return;
    }
    print_behind(where, variant, line, sizeof line);
    if (!has_line(set->behind, line)) {
        json_append(set->behind, json_string(line));
    }
}

static bool only(const struct outcome_set *set, const char *variant)
{
    return set->count == 1 && strcmp(set->names[0], variant) == 0;
}

struct json *coupling_facts(const struct json *flag, const struct flag_world *world,
                            const char *old_variant, const char *new_variant)
{
    struct outcome_set set = {.flag = flag, .new_variant = new_variant, .behind = json_array()};
    struct json *facts = json_object();
    struct json *outcomes = json_array();
    bool judged = flag_outcomes_in(flag, world, collect, &set, NULL) == ERR_OK;

    json_put_bool(facts, "exists", true);
    if (judged) { /* else what was not measured is absent, and a gate that asks stays closed */
        for (size_t i = 0; i < set.count; i++) {
            json_append(outcomes, json_string(set.names[i]));
        }
        json_put_bool(facts, "enabled_everywhere", only(&set, new_variant));
        json_put_bool(facts, "disabled_everywhere", only(&set, old_variant));
    }
    json_put(facts, "outcomes", outcomes);
    json_put(facts, "behind", set.behind);
    return facts;
}

struct json *coupling_tie_json(const struct json *flag, const struct flag_world *world,
                               const struct tie *ties, size_t count)
{
    const struct tie *strictest = &ties[0];
    struct outcome_set set = {.flag = flag, .new_variant = ties[0].new_variant, .behind = NULL};
    struct json *out = json_object();
    struct json *allowed = json_array();
    bool held = false;
    int64_t lease_s = 0;

    CHECK(count > 0);
    for (size_t i = 0; i < count; i++) {
        if (tie_state_range(ties[i].state) != (TIE_OLD | TIE_NEW)) {
            strictest = &ties[i];
        }
        held = held || ties[i].held;
        lease_s = ties[i].lease_s > lease_s ? ties[i].lease_s : lease_s;
    }
    for (const struct json *v = json_first(json_get(flag, "variants")); v != NULL;
         v = json_next(v)) {
        bool all = true;

        for (size_t i = 0; i < count; i++) {
            all = all && tie_allows(&ties[i], json_key(v));
        }
        if (all) {
            json_append(allowed, json_string(json_key(v)));
        }
    }
    json_put_text(out, "migration", strictest->migration);
    json_put_text(out, "database_id", strictest->database_id);
    json_put_text(out, "state", tie_state_name(strictest->state));
    /* A client past its lease needs one answer that its schema still bears. Where the flag can give
     * nothing but the new variant the next step takes the old path away, so the new one is safe. */
    if (!(tie_state_range(strictest->state) & TIE_OLD) ||
        (strictest->state == TIE_IN_SYNC &&
         flag_outcomes_in(flag, world, collect, &set, NULL) == ERR_OK &&
         only(&set, strictest->new_variant))) {
        json_put_text(out, "safe", strictest->new_variant);
    } else {
        json_put_text(out, "safe", strictest->old_variant);
    }
    json_put(out, "allowed", allowed);
    json_put_number(out, "lease_s", (double)lease_s);
    json_put_bool(out, "held", held);
    return out;
}
