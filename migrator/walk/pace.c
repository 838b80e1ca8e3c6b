/*
 * The pace, and migrate_pause(), migrate_resume(), migrate_throttle(). What people said is rows of
 * lockstep_meta: "throttle" (thousandths), "pause" and "pause:<migration>" (JSON: by, at, reason). They
 * are written without the migrator's lock, which the one that shall read them has.
 */
#include "migrator/walk/pace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "migrator/walk/watch.h"

#define LOOK_US 200000 /* how often a wait looks again */
#define LOOK_KEY "pause:"

/* ---- reading ---- */

static void take_pause(struct pace *out, const char *text)
{
    struct json *said = NULL;
    struct err unused = {0};

    out->paused = true;
    if (json_parse(text, strlen(text), &said, &unused) == ERR_OK) {
        (void)snprintf(out->by, sizeof out->by, "%s", json_get_text(said, "by", ""));
        (void)snprintf(out->at, sizeof out->at, "%s", json_get_text(said, "at", ""));
        (void)snprintf(out->reason, sizeof out->reason, "%s", json_get_text(said, "reason", ""));
    }
    json_free(said);
}

enum err_code pace_read(struct migrate *m, const char *migration, struct pace *out, struct err *err)
{
    struct database_value name = database_text(migration);
    struct database_rows *rows = NULL;
    enum err_code rc;

    *out = (struct pace){.ratio = 1};
    if (!m->meta.exists) {
        return ERR_OK;
    }
    rc = database_query(m->db,
                        "SELECT key, value FROM lockstep_meta WHERE key IN ('pause', 'throttle', "
                        "'" LOOK_KEY "' || ?1) ORDER BY key DESC",
                        &name, 1, &rows, err);
    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(rows); i++) {
        const char *key = database_rows_text(rows, i, 0), *value = database_rows_text(rows, i, 1);
        if (key == NULL || value == NULL) {
            continue;
        }
        if (strcmp(key, "throttle") == 0) {
            double ratio = (double)strtol(value, NULL, 10) / 1000;
            out->ratio = ratio >= PACE_RATIO_MIN && ratio <= 1 ? ratio : PACE_RATIO_MIN;
        } else {
            take_pause(out, value);
        }
    }
    database_rows_free(rows);
    return rc;
}

void pace_describe(const struct pace *pace, struct json *out)
{
    struct json *paused;

    if (pace->paused) {
        paused = json_object();
        (void)json_put_text(paused, "by", pace->by);
        (void)json_put_text(paused, "at", pace->at);
        (void)json_put_text(paused, "reason", pace->reason);
        (void)json_put(out, "paused", paused);
    }
}

/* ---- between batches ---- */

static enum err_code allowed(struct migrate *m, const struct veto_facts *facts, bool *out,
                             char *why, size_t size, struct err *err)
{
    *out = true;
    if (m->veto == NULL) {
        return ERR_OK;
    }
    if (m->fetch == NULL) {
        m->fetch = fetch_new();
        if (m->fetch == NULL) {
            return err_set(err, ERR_NOMEM, "out of memory");
        }
    }
    *out = veto_allows(m->veto, m->fetch, facts, why, size);
    return ERR_OK;
}

enum err_code pace_wait(struct migrate *m, size_t index, const struct veto_facts *facts,
                        struct pace *out, struct err *err)
{
    const char *name = m->folder.at[index].name;
    char why[400];
    bool go;
    enum err_code rc;

    for (;;) {
        rc = watch_look(m, index, err);
        rc = rc ? rc : pace_read(m, name, out, err);
        rc = rc ? rc : allowed(m, facts, &go, why, sizeof why, err);
        if (rc || (go && !out->paused)) {
            return rc;
        }
        if (out->paused) {
            (void)snprintf(why, sizeof why, "`migrate resume`; paused by %.90s at %.30s: %.190s",
                           out->by, out->at, out->reason);
        }
        if (out->paused && clock_monotonic_us() >= m->patience_until_us) {
            return err_set(err, ERR_CONFLICT,
                           "%.60s is paused by %.60s since %.30s: %.80s; what was done is kept; "
                           "`migrate resume`, then `migrate apply`, goes on",
                           name, out->by, out->at, out->reason);
        }
        session_tell_wait(m, index, why);
        clock_sleep_us(session_look_us(m, LOOK_US));
        rc = lock_beat(m->db, &m->lock, err);
        if (rc) {
            return rc;
        }
    }
}

enum err_code pace_rest(struct migrate *m, size_t index, int64_t hold_us, int64_t free_since_us,
                        int64_t min_us, struct err *err)
{
    struct pace pace;
    enum err_code rc;

    for (;;) {
        int64_t share = hold_us / 3, wanted = share > min_us ? share : min_us, left;
        double by_ratio;
        rc = pace_read(m, m->folder.at[index].name, &pace, err);
        if (rc) {
            return rc;
        }
        by_ratio = (double)hold_us * (1 - pace.ratio) / pace.ratio;
        wanted = by_ratio > (double)wanted ? (int64_t)by_ratio : wanted;
        left = free_since_us + wanted - clock_monotonic_us();
        if (left <= 0 || pace.paused) {
            return ERR_OK;
        }
        clock_sleep_us(left < LOOK_US ? left : LOOK_US);
        rc = lock_beat(m->db, &m->lock, err);
        rc = rc ? rc : watch_look(m, index, err);
        if (rc) {
            return rc;
        }
    }
}

/* ---- what people say ---- */

static enum err_code begin(struct migrate *m, const char *target, const char **name,
                           struct err *err)
{
    size_t index = 0;
    enum err_code rc = session_write(m, err);

    *name = NULL;
    if (rc == ERR_OK && !m->meta.exists) {
        rc = err_set(err, ERR_CONFLICT, "%s: nothing was migrated here yet", database_url(m->db));
    }
    if (rc == ERR_OK && target != NULL) {
        rc = folder_find(&m->folder, target, &index, err);
        *name = rc == ERR_OK ? m->folder.at[index].name : NULL;
    }
    return rc;
}

static enum err_code write_down(struct migrate *m, struct work *work, const char *event,
                                const char *name, const char *detail, struct json **report,
                                struct err *err)
{
    enum err_code rc;

    journal_history(work, &(struct history){.migration = name != NULL ? name : "",
                                            .event = event,
                                            .detail = detail,
                                            .started_ms = clock_wall_ms(),
                                            .rows = -1,
                                            .stateless = true});
    rc = work_run(work, m->db, NULL, NULL, err);
    if (rc == ERR_OK) {
        *report = json_object();
        (void)json_put_text(*report, "database", database_url(m->db));
        (void)json_put_text(*report, "event", event);
        (void)json_put_text(*report, "migration", name != NULL ? name : "");
        if (detail != NULL) {
            (void)json_put_text(*report, "detail", detail);
        }
    }
    work_fini(work); /* detail may lie in it */
    return rc;
}

static char *pause_text(const char *reason)
{
    struct json *said = json_object();
    char who[160], at[CLOCK_TEXT_BYTES], *out;

    (void)json_put_text(said, "by", journal_actor(who, sizeof who));
    (void)json_put_text(said, "at", clock_text(clock_wall_ms(), at));
    (void)json_put_text(said, "reason", reason);
    out = json_print(said);
    json_free(said);
    return out;
}

enum err_code migrate_pause(struct migrate *m, const char *target, const char *reason,
                            struct json **report, struct err *err)
{
    struct work work = {0};
    const char *name, *key;
    char *text;
    enum err_code rc = begin(m, target, &name, err);

    *report = NULL;
    if (rc) {
        return rc;
    }
    text = pause_text(reason);
    key = name != NULL ? arena_print(&work.arena, LOOK_KEY "%s", name) : "pause";
    if (text == NULL || key == NULL) {
        free(text);
        work_fini(&work);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    work_sql_with(&work, "INSERT OR REPLACE INTO lockstep_meta(key, value) VALUES(?1, ?2)", 2,
                  (struct database_value[]){database_text(key), database_text(text)});
    free(text);
    return write_down(m, &work, "pause", name, reason, report, err);
}

enum err_code migrate_resume(struct migrate *m, const char *target, struct json **report,
                             struct err *err)
{
    struct work work = {0};
    struct pace pace = {0};
    const char *name;
    struct database_value key;
    enum err_code rc = begin(m, target, &name, err);

    *report = NULL;
    rc = rc || name == NULL ? rc : pace_read(m, NULL, &pace, err);
    if (rc == ERR_OK && pace.paused) {
        return err_set(err, ERR_CONFLICT,
                       "all migrations are paused by %.60s (%.80s): `migrate resume` without a "
                       "name lets all go on",
                       pace.by, pace.reason);
    }
    if (rc) {
        return rc;
    }
    key = database_text(name);
    work_sql_with(&work,
                  name != NULL ? "DELETE FROM lockstep_meta WHERE key = '" LOOK_KEY "' || ?1"
                               : "DELETE FROM lockstep_meta WHERE ?1 IS NULL AND (key = 'pause' OR "
                                 "substr(key, 1, 6) = '" LOOK_KEY "')",
                  1, &key);
    return write_down(m, &work, "resume", name, NULL, report, err);
}

enum err_code migrate_throttle(struct migrate *m, double ratio, struct json **report,
                               struct err *err)
{
    struct work work = {0};
    char text[32];
    const char *name;
    enum err_code rc;

    *report = NULL;
    if (!(ratio >= PACE_RATIO_MIN && ratio <= 1)) {
        return err_set(err, ERR_INVALID,
                       "a throttle is a share of the time, from %g to 1; to stop, `migrate pause`",
                       PACE_RATIO_MIN);
    }
    rc = begin(m, NULL, &name, err);
    if (rc) {
        return rc;
    }
    (void)snprintf(text, sizeof text, "%ld", (long)(ratio * 1000 + 0.5));
    work_sql_with(&work, "INSERT OR REPLACE INTO lockstep_meta(key, value) VALUES('throttle', ?1)",
                  1, (struct database_value[]){database_text(text)});
    rc = write_down(m, &work, "throttle", NULL,
                    arena_print(&work.arena, "%s of 1000 parts of the time", text), report, err);
    return rc;
}
