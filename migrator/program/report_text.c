#include "migrator/program/report_text.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static double number(const struct json *object, const char *key)
{
    return json_number(json_get(object, key), 0);
}

static const char *text(const struct json *object, const char *key)
{
    return json_get_text(object, key, "");
}

static const char *span(double ms, char out[CLOCK_TEXT_BYTES])
{
    return clock_span_text((int64_t)(ms * 1000.0), out);
}

/* ---- apply and rollback ---- */

static void print_step(const struct json *step)
{
    char took[CLOCK_TEXT_BYTES], hold[CLOCK_TEXT_BYTES];

    printf("%s: %s -> %s in %s", text(step, "migration"), text(step, "from"), text(step, "to"),
           span(number(step, "duration_ms"), took));
    if (json_get(step, "backfilled") != NULL) {
        printf(", %.0f rows in %.0f batches, longest hold %s", number(step, "backfilled"),
               number(step, "batches"), span(number(step, "longest_hold_ms"), hold));
    } else if (json_get(step, "hold_ms") != NULL) {
        printf(", lock held %s", span(number(step, "hold_ms"), hold));
    }
    printf("\n");
    if (json_get(step, "verify") != NULL) {
        printf("  verified %.0f rows: %.0f differ\n", number(json_get(step, "verify"), "rows"),
               number(json_get(step, "verify"), "mismatches"));
    }
    if (json_get(step, "recovery_point") != NULL) {
        printf("  recovery point: %s\n", text(step, "recovery_point"));
    }
}

static void print_reason(const struct json *reason)
{
    if (json_kind(reason) == JSON_STRING) {
        printf("  - %s\n", json_text(reason));
        return;
    }
    if (json_get(reason, "name") == NULL) { /* a verification */
        printf("  - verified: %.0f of %.0f rows differ, %.0f outside valid_old, %.0f lost\n",
               number(reason, "mismatches"), number(reason, "rows"), number(reason, "invalid"),
               number(reason, "lost"));
        for (const struct json *s = json_first(json_get(reason, "samples")); s; s = json_next(s)) {
            printf("      key %s\n", json_text(s));
        }
        return;
    }
    printf("  - %s: %s\n", text(reason, "name"), text(reason, "why"));
    for (const struct json *p = json_first(json_get(reason, "parts")); p; p = json_next(p)) {
        printf("      %s = %s\n", text(p, "part"), text(p, "value"));
    }
}

void report_print_steps(const struct json *report)
{
    const struct json *steps = json_get(report, "steps"), *waits = json_get(report, "waits");

    for (const struct json *step = json_first(steps); step != NULL; step = json_next(step)) {
        print_step(step);
    }
    for (const struct json *wait = json_first(waits); wait != NULL; wait = json_next(wait)) {
        printf("%s is %s, and waits for:\n", text(wait, "migration"), text(wait, "state"));
        for (const struct json *r = json_first(json_get(wait, "for")); r; r = json_next(r)) {
            print_reason(r);
        }
    }
    if (json_count(steps) == 0 && json_count(waits) == 0) {
        printf("nothing to do: everything is applied\n");
    }
}

/* ---- status ---- */

static void print_migration(const struct json *migration)
{
    const struct json *backfill = json_get(migration, "backfill");
    const struct json *verify = json_get(migration, "verify");

    printf("  %-36s %-8s %s", text(migration, "name"), text(migration, "kind"),
           text(migration, "state"));
    if (*text(migration, "flag") != '\0') {
        printf("  flag %s", text(migration, "flag"));
    }
    if (json_is_true(json_get(migration, "edited"))) {
        printf("  EDITED since it was applied");
    }
    printf("\n");
    if (backfill != NULL && !json_is_true(json_get(backfill, "done"))) {
        printf("      backfill: %.0f of %.0f rows\n", number(backfill, "rows_done"),
               number(backfill, "rows_total"));
    }
    if (verify != NULL) {
        printf("      verified %s: %.0f rows, %.0f differ\n", text(verify, "at"),
               number(verify, "rows"), number(verify, "mismatches"));
    }
    if (*text(migration, "next") != '\0') {
        printf("      next: %s\n", text(migration, "next"));
    }
    if (json_is_false(json_get(migration, "flag_server_knows"))) {
        printf("      the flag server does not know this state yet; `migrate apply` tells it\n");
    }
}

void report_print_status(const struct json *report)
{
    const struct json *missing = json_get(report, "missing");

    printf("%s, environment %s\n", text(report, "database"), text(report, "environment"));
    for (const struct json *m = json_first(json_get(report, "migrations")); m; m = json_next(m)) {
        print_migration(m);
    }
    for (const struct json *m = json_first(missing); m != NULL; m = json_next(m)) {
        printf("  %-36s applied, but its file is gone\n", json_text(m));
    }
}

/* ---- plan ---- */

static void print_phase(const struct json *phase)
{
    char hold[CLOCK_TEXT_BYTES];

    printf("  %s -> %s", text(phase, "phase"), text(phase, "to"));
    if (json_get(phase, "longest_hold_ms") != NULL) {
        printf("  (%.0f rows, lock held for about %s at most)", number(phase, "rows"),
               span(number(phase, "longest_hold_ms"), hold));
    }
    printf("\n");
    for (const struct json *s = json_first(json_get(phase, "statements")); s; s = json_next(s)) {
        printf("    %s;\n", json_text(s));
    }
    for (const struct json *s = json_first(json_get(phase, "waits_for")); s; s = json_next(s)) {
        printf("    waits for: %s\n", json_text(s));
    }
}

void report_print_plan(const struct json *report)
{
    const struct json *list = json_get(report, "migrations");

    for (const struct json *m = json_first(list); m != NULL; m = json_next(m)) {
        printf("%s (%s), from %s\n", text(m, "name"), text(m, "kind"), text(m, "from"));
        if (*text(m, "description") != '\0') {
            printf("  %s\n", text(m, "description"));
        }
        for (const struct json *p = json_first(json_get(m, "phases")); p; p = json_next(p)) {
            print_phase(p);
        }
        for (const struct json *n = json_first(json_get(m, "notes")); n; n = json_next(n)) {
            printf("  note: %s\n", json_text(n));
        }
    }
    if (json_count(list) == 0) {
        printf("nothing to do: everything is applied\n");
    } else {
        printf("nothing was changed; `migrate apply` does it\n");
    }
}

/* ---- verify ---- */

void report_print_verify(const struct json *report)
{
    for (const struct json *m = json_first(json_get(report, "migrations")); m; m = json_next(m)) {
        const struct json *v = json_get(m, "verify");
        printf("%s (%s): %.0f rows, %.0f differ, %.0f outside valid_old, %.0f cannot be made from "
               "the new shape again: %s\n",
               text(m, "name"), text(m, "state"), number(v, "rows"), number(v, "mismatches"),
               number(v, "invalid"), number(v, "lost"),
               json_is_true(json_get(v, "clean")) ? "clean" : "NOT CLEAN");
        for (const struct json *s = json_first(json_get(v, "samples")); s; s = json_next(s)) {
            printf("    key %s\n", json_text(s));
        }
    }
    if (json_count(json_get(report, "migrations")) == 0) {
        printf("nothing to verify: no migration keeps two shapes\n");
    }
}
