#include "migrator/program/report_text.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "database/sql_scan.h"

#define COLUMNS 100 /* where stdout is no terminal */
#define COLUMNS_MIN 40

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
    if (json_get(step, "watch") != NULL) {
        const struct json *watch = json_get(step, "watch");
        printf("  watched %.0f times (%s): true %.0f times", number(watch, "looks"),
               text(watch, "condition"), number(watch, "true"));
        if (number(watch, "unknown") > 0) {
            printf(", could not be answered %.0f times (%s)", number(watch, "unknown"),
                   text(watch, "why"));
        }
        printf("\n");
    }
    if (json_get(step, "columns_left") != NULL) {
        printf("  the set-aside columns are empty, and stay in the table: it is large (--reclaim "
               "removes them)\n");
    }
    if (json_get(step, "columns_removed") != NULL) {
        printf("  set-aside columns that a purge had left, removed: %.0f\n",
               number(step, "columns_removed"));
    }
    if (json_get(step, "stays_expanded") != NULL) {
        printf("  it stays expanded, which old code does not see: %s\n",
               text(step, "stays_expanded"));
    }
    if (json_get(step, "recovery_point") != NULL) {
        printf("  recovery point: %s\n", text(step, "recovery_point"));
    }
}

/* What others wrote cannot steer a terminal. */
static void print_plainly(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p, next = (unsigned char)p[1];
        bool control = c < 0x20 || c == 0x7f || (c == 0xc2 && next >= 0x80 && next < 0xa0);
        putchar(control ? '?' : c);
        p += control && c == 0xc2 ? 1 : 0;
    }
}

/* "key 7: email = 'a@b', mailbox = 'x'": both shapes of a row that is not right. */
static void print_samples(const struct json *verification, const char *margin)
{
    const struct json *shown = json_get(verification, "sample_rows");

    if (json_count(shown) == 0) { /* by verify.sql, which names rows as it likes */
        shown = NULL;
        for (const struct json *s = json_first(json_get(verification, "samples")); s != NULL;
             s = json_next(s)) {
            printf("%skey ", margin);
            print_plainly(json_text(s));
            printf("\n");
        }
    }
    for (const struct json *s = json_first(shown); s != NULL; s = json_next(s)) {
        const struct json *sides[] = {json_get(s, "old"), json_get(s, "new")};
        const char *between = ": ";
        printf("%skey ", margin);
        print_plainly(text(s, "key"));
        for (size_t i = 0; i < 2; i++) {
            for (const struct json *v = json_first(sides[i]); v != NULL; v = json_next(v)) {
                printf("%s%s = ", between, json_key(v));
                print_plainly(json_text(v));
                between = ", ";
            }
        }
        printf("\n");
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
        print_samples(reason, "      ");
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

/* ---- rehearsal ---- */

void report_print_rehearsal(const struct json *report)
{
    const struct json *snapshot = json_get(report, "snapshot");
    const struct json *all = json_get(report, "migrations");
    char took[CLOCK_TEXT_BYTES];

    printf("a copy of %s: %.0f tables, %.0f rows in %s%s%s\n", text(report, "database"),
           number(snapshot, "tables"), number(snapshot, "rows"),
           span(number(snapshot, "duration_ms"), took),
           *text(snapshot, "file") != '\0' ? ", kept in " : "", text(snapshot, "file"));
    for (const struct json *o = json_first(json_get(snapshot, "left_out")); o; o = json_next(o)) {
        printf("  left out: %s (%s)\n", text(o, "name"), text(o, "why"));
    }
    for (const struct json *m = json_first(all); m != NULL; m = json_next(m)) {
        if (json_count(json_get(m, "steps")) + json_count(json_get(m, "waits")) > 0) {
            report_print_steps(m);
        }
        if (*text(m, "back") != '\0') {
            printf("  the way back: %s\n", text(m, "back"));
        }
    }
    if (json_count(all) == 0) {
        printf("nothing to rehearse: everything is applied\n");
    } else if (json_is_true(json_get(report, "done"))) {
        printf("rehearsed; the database itself was only read\n");
    }
}

/* ---- status ---- */

static void print_pause(const struct json *report)
{
    const struct json *paused = json_get(report, "paused");

    if (paused != NULL) {
        printf("      paused by %s since %s: %s\n", text(paused, "by"), text(paused, "at"),
               text(paused, "reason"));
    }
}

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
    print_pause(migration);
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

static void print_lock(const struct json *lock)
{
    char left[CLOCK_TEXT_BYTES];

    if (lock == NULL) {
        return;
    }
    if (json_is_true(json_get(lock, "living"))) {
        printf("  at work: %s since %s; its lock ends in %s unless it is prolonged\n",
               text(lock, "owner"), text(lock, "taken_at"),
               span(number(lock, "expires_in_ms"), left));
    } else {
        printf("  killed (or asleep) while at work: %s, since %s; run `migrate apply` again, it "
               "goes on where "
               "that one was\n",
               text(lock, "owner"), text(lock, "taken_at"));
    }
}

void report_print_status(const struct json *report)
{
    const struct json *missing = json_get(report, "missing");

    printf("%s, environment %s\n", text(report, "database"), text(report, "environment"));
    print_lock(json_get(report, "lock"));
    print_pause(report);
    if (json_get(report, "throttle") != NULL) {
        printf("      throttled: backfills hold the lock for %g of the time at most\n",
               number(report, "throttle"));
    }
    for (const struct json *m = json_first(json_get(report, "migrations")); m; m = json_next(m)) {
        print_migration(m);
    }
    for (const struct json *m = json_first(missing); m != NULL; m = json_next(m)) {
        printf("  %-36s done here or begun, but its file is gone\n", json_text(m));
    }
}

/* ---- plan ---- */

static size_t columns(void)
{
    struct winsize size = {0};

    if (isatty(STDOUT_FILENO) != 1 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 ||
        size.ws_col == 0) {
        return COLUMNS;
    }
    return size.ws_col < COLUMNS_MIN ? COLUMNS_MIN : size.ws_col;
}

/* A statement as one line: comments left out, what stands between tokens as one blank. */
static void one_line(const char *sql, struct buf *out)
{
    struct sql_scan scan = sql_scan_start(str_of(sql));
    struct sql_token token;
    const char *end = NULL;

    while (sql_scan_next(&scan, &token)) {
        if (end != NULL && token.text.at > end) {
            buf_char(out, ' ');
        }
        for (size_t i = 0; i < token.text.len; i++) {
            char c = token.text.at[i];
            buf_char(out, (unsigned char)c < 0x20 || c == 0x7f ? ' ' : c);
        }
        end = token.text.at + token.text.len;
    }
    buf_char(out, ';');
}

/* Whether something was left out. A character of several bytes counts once, and is never torn. */
static bool print_cut(const char *sql, size_t room)
{
    struct buf line = {0};
    const char *text, *at, *cut = NULL;
    size_t count = 0;

    one_line(sql, &line);
    text = buf_cstr(&line);
    for (at = text; *at != '\0'; at++) {
        if (((unsigned char)*at & 0xc0) != 0x80) {
            cut = count == room - 3 ? at : cut;
            count++;
        }
    }
    if (count <= room) {
        cut = NULL;
    }
    printf("    %.*s%s\n", (int)(cut != NULL ? cut - text : at - text), text,
           cut != NULL ? "..." : "");
    buf_fini(&line);
    return cut != NULL;
}

static bool print_phase(const struct json *phase, bool whole)
{
    char hold[CLOCK_TEXT_BYTES];
    bool cut = false;

    printf("  %s -> %s", text(phase, "phase"), text(phase, "to"));
    if (json_get(phase, "longest_hold_ms") != NULL) {
        printf("  (%.0f rows, lock held for about %s at most)", number(phase, "rows"),
               span(number(phase, "longest_hold_ms"), hold));
    }
    printf("\n");
    for (const struct json *s = json_first(json_get(phase, "statements")); s; s = json_next(s)) {
        if (whole) {
            printf("    %s;\n", json_text(s));
        } else {
            cut = print_cut(json_text(s), columns() - 4) || cut;
        }
    }
    for (const struct json *s = json_first(json_get(phase, "waits_for")); s; s = json_next(s)) {
        printf("    waits for: %s\n", json_text(s));
    }
    return cut;
}

static void print_cost(const struct json *cost)
{
    char took[CLOCK_TEXT_BYTES];

    if (cost == NULL) {
        return;
    }
    printf("  cost: about %.0f requests (%s at the rate that the API permits), %.0f rows written "
           "(USD %.2f)\n",
           number(cost, "requests"), span(number(cost, "seconds") * 1000, took),
           number(cost, "rows_written"), number(cost, "usd"));
    if (number(cost, "rows_per_write") > 0) {
        printf("  cost: while both shapes live, each insert or update of the application writes "
               "%.0f rows more\n",
               number(cost, "rows_per_write"));
    }
}

static void print_plan(const struct json *report, bool whole)
{
    const struct json *list = json_get(report, "migrations");
    bool cut = false;

    for (const struct json *m = json_first(list); m != NULL; m = json_next(m)) {
        printf("%s (%s), from %s\n", text(m, "name"), text(m, "kind"), text(m, "from"));
        if (*text(m, "description") != '\0') {
            printf("  %s\n", text(m, "description"));
        }
        for (const struct json *p = json_first(json_get(m, "phases")); p; p = json_next(p)) {
            cut = print_phase(p, whole) || cut;
        }
        print_cost(json_get(m, "cost"));
        for (const struct json *n = json_first(json_get(m, "notes")); n; n = json_next(n)) {
            printf("  note: %s\n", json_text(n));
        }
    }
    if (json_count(list) == 0) {
        printf("nothing to do: everything is applied\n");
        return;
    }
    if (cut) {
        printf("statements are cut (...); --sql shows them whole\n");
    }
    printf("nothing was changed; `migrate apply` does it\n");
}

void report_print_plan(const struct json *report)
{
    print_plan(report, false);
}

void report_print_plan_whole(const struct json *report)
{
    print_plan(report, true);
}

/* ---- verify ---- */

void report_print_verify(const struct json *report)
{
    for (const struct json *m = json_first(json_get(report, "migrations")); m; m = json_next(m)) {
        const struct json *v = json_get(m, "verify");
        if (v == NULL) {
            printf("%s (%s): could not be verified\n", text(m, "name"), text(m, "state"));
            continue;
        }
        printf("%s (%s): %.0f rows, %.0f differ, %.0f outside valid_old, %.0f cannot be made from "
               "the new shape again: %s\n",
               text(m, "name"), text(m, "state"), number(v, "rows"), number(v, "mismatches"),
               number(v, "invalid"), number(v, "lost"),
               json_is_true(json_get(v, "clean")) ? "clean" : "NOT CLEAN");
        print_samples(v, "    ");
        if (json_get(v, "damage") != NULL) {
            printf("    the database file is damaged: %s\n", text(v, "damage"));
        } else if (json_get(v, "sound") == NULL) {
            printf("    the file itself was not checked: that would keep writers out too long\n");
        }
    }
    if (json_count(json_get(report, "migrations")) == 0) {
        printf("nothing to verify: no migration keeps two shapes\n");
    }
}

/* ---- history and unlock ---- */

void report_print_history(const struct json *report)
{
    char took[CLOCK_TEXT_BYTES];

    for (const struct json *e = json_first(json_get(report, "events")); e; e = json_next(e)) {
        printf("%s  %s  ", text(e, "at"), text(e, "actor"));
        if (*text(e, "to") != '\0') {
            printf("%s: %s -> %s in %s", text(e, "migration"), text(e, "from"), text(e, "to"),
                   span(number(e, "duration_ms"), took));
        } else {
            printf("%s%s%s", text(e, "migration"), *text(e, "migration") != '\0' ? ": " : "",
                   text(e, "event"));
        }
        if (json_get(e, "rows") != NULL) {
            printf(", %.0f rows", number(e, "rows"));
        }
        if (*text(e, "digest") != '\0') {
            printf("  %.12s", text(e, "digest"));
        }
        printf("\n");
        if (*text(e, "detail") != '\0') {
            printf("    %s\n", text(e, "detail"));
        }
    }
    if (json_count(json_get(report, "events")) == 0) {
        printf("no history: nothing was migrated here\n");
    }
}

void report_print_unlock(const struct json *report)
{
    if (*text(report, "owner") == '\0') {
        printf("nobody has the lock\n");
    } else {
        printf("the lock of %s was taken away\n", text(report, "owner"));
    }
}

/* ---- restore and repair ---- */

static void print_losses(const struct json *loses, bool restored)
{
    const char *tense = restored ? "is lost" : "would be lost";

    for (const struct json *t = json_first(json_get(loses, "tables")); t; t = json_next(t)) {
        printf("  table %s: %.0f rows now", text(t, "table"), number(t, "rows_now"));
        if (json_kind(json_get(t, "rows_then")) == JSON_NULL) {
            printf(", and not there in the copy\n");
        } else {
            printf(", %.0f in the copy\n", number(t, "rows_then"));
        }
    }
    for (const struct json *e = json_first(json_get(loses, "events")); e; e = json_next(e)) {
        printf("  since then: %s  %s %s%s%s\n", text(e, "at"), text(e, "migration"),
               text(e, "event"), *text(e, "to") != '\0' ? " -> " : "", text(e, "to"));
    }
    printf("  every other write since then %s too\n", tense);
}

void report_print_restore(const struct json *report)
{
    const struct json *made = json_get(report, "made");
    bool restored = json_is_true(json_get(report, "restored"));

    if (made != NULL) {
        printf("%s: made %s, before %s of %s\n", text(report, "file"), text(made, "at"),
               text(made, "before"), text(made, "migration"));
    } else {
        printf("%s: a copy that does not say when it was made\n", text(report, "file"));
    }
    print_losses(json_get(report, "loses"), restored);
    if (restored) {
        printf("%s is what it was then\n", text(report, "database"));
    }
    if (json_is_false(json_get(report, "flag_server_knows"))) {
        printf("the flag server does not know it yet (%s); `migrate repair --report --reason TEXT` "
               "tells it\n",
               text(report, "note"));
    }
}

void report_print_repair(const struct json *report)
{
    if (json_get(report, "was") != NULL) {
        printf("%s has the new id %s (was %s)\n", text(report, "database"),
               text(report, "database_id"), text(report, "was"));
        return;
    }
    for (const struct json *t = json_first(json_get(report, "told")); t; t = json_next(t)) {
        printf("%s: the flag server believed %s, and knows %s now\n", text(t, "migration"),
               text(t, "believed"), text(t, "state"));
    }
    if (json_count(json_get(report, "told")) == 0) {
        printf("the flag server knew every state already\n");
    }
}

/* ---- pause, resume, throttle ---- */

void report_print_pace(const struct json *report)
{
    const char *event = text(report, "event"), *name = text(report, "migration");

    if (strcmp(event, "throttle") == 0) {
        printf("throttled: %s; a running backfill does so within a second\n",
               text(report, "detail"));
    } else {
        printf("%s: %sd\n", *name != '\0' ? name : "all migrations", event);
    }
}
