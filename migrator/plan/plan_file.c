#include "migrator/plan/plan_file.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

#define PLAN_FORMAT 1
#define PLAN_BYTES_MAX (64u << 20)

enum err_code plan_file_write(const struct migrate *m, const char *path, const char *target,
                              const char *to_state, const struct json *report, struct err *err)
{
    struct json *plan = json_object();
    char *text;
    enum err_code rc;

    (void)json_put_number(plan, "lockstep_plan", PLAN_FORMAT);
    if (m->meta.exists) {
        (void)json_put_text(plan, "database_id", m->meta.database_id);
    }
    if (target != NULL) {
        (void)json_put_text(plan, "target", target);
    }
    if (to_state != NULL) {
        (void)json_put_text(plan, "to", to_state);
    }
    for (const struct json *part = json_first(report); part != NULL; part = json_next(part)) {
        (void)json_put(plan, json_key(part), json_copy(part));
    }
    text = json_print_pretty(plan);
    json_free(plan);
    rc = text != NULL ? file_write_atomic(path, text, strlen(text), 0644, err)
                      : err_set(err, ERR_NOMEM, "out of memory");
    free(text);
    return rc;
}

enum err_code plan_file_read(const char *path, struct json **out, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    int64_t format = 0;
    enum err_code rc = file_read(path, PLAN_BYTES_MAX, &text, &len, err);

    *out = NULL;
    rc = rc ? rc : json_parse(text, len, out, err);
    free(text);
    if (rc == ERR_OK && (!json_int(json_get(*out, "lockstep_plan"), &format) ||
                         json_kind(json_get(*out, "migrations")) != JSON_ARRAY)) {
        rc = err_set(err, ERR_INVALID, "it is no plan; `migrate plan --out FILE` writes one");
    }
    if (rc == ERR_OK && format != PLAN_FORMAT) {
        rc = err_set(err, ERR_INVALID, "it is a plan of another format (%lld): plan again",
                     (long long)format);
    }
    if (rc) {
        err_wrap(err, "%.200s", path);
        json_free(*out);
        *out = NULL;
    }
    return rc;
}

const char *plan_file_target(const struct json *plan)
{
    return json_get_text(plan, "target", NULL);
}

const char *plan_file_to(const struct json *plan)
{
    return json_get_text(plan, "to", NULL);
}

/* ---- comparing ---- */

static const struct json *find(const struct json *list, const char *key, const char *value)
{
    for (const struct json *item = json_first(list); item != NULL; item = json_next(item)) {
        if (strcmp(json_get_text(item, key, ""), value) == 0) {
            return item;
        }
    }
    return NULL;
}

/* What a difference means, for people. */
static const char *meaning(const char *part)
{
    static const char *const parts[][2] = {
        {"file", "its file was edited"},
        {"statements", "other statements would run"},
        {"gate", "its gate is another one"},
        {"state", "it starts from another state"},
        {"schema", "the application changed the schema of its table"}};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(parts[i][0], part) == 0) {
            return parts[i][1];
        }
    }
    return part;
}

static enum err_code differs(const char *name, const struct json *now, const struct json *then,
                             struct err *err)
{
    const struct json *covers = json_get(now, "covers");
    struct buf what = {0};

    for (const struct json *part = json_first(covers); part != NULL; part = json_next(part)) {
        const char *was = json_get_text(json_get(then, "covers"), json_key(part), "");
        if (strcmp(json_text(part), was) != 0) {
            buf_print(&what, "%s%s", what.len > 0 ? "; " : "", meaning(json_key(part)));
        }
    }
    err_set(err, ERR_CONFLICT, "%.80s, %.40s: not as it was planned: %.300s; plan again", name,
            json_get_text(now, "phase", ""),
            what.len > 0 ? buf_cstr(&what) : "the plan was edited");
    buf_fini(&what);
    return ERR_CONFLICT;
}

static enum err_code compare(const struct json *now, const struct json *planned, struct err *err)
{
    const char *name = json_get_text(now, "name", "");
    const struct json *then = find(planned, "name", name);

    if (then == NULL) {
        return err_set(err, ERR_CONFLICT, "%.100s is not in the plan: plan again", name);
    }
    for (const struct json *phase = json_first(json_get(now, "phases")); phase != NULL;
         phase = json_next(phase)) {
        const char *called = json_get_text(phase, "phase", "");
        const struct json *was = find(json_get(then, "phases"), "phase", called);
        if (was == NULL) {
            return err_set(err, ERR_CONFLICT,
                           "%.80s is %.20s now, and the plan, which began at %.20s, has no phase "
                           "'%.40s': plan again",
                           name, json_get_text(now, "from", ""), json_get_text(then, "from", ""),
                           called);
        }
        if (strcmp(json_get_text(phase, "digest", ""), json_get_text(was, "digest", "?")) != 0) {
            return differs(name, phase, was, err);
        }
    }
    return ERR_OK;
}

static enum err_code check_database(const struct migrate *m, const struct json *plan,
                                    struct err *err)
{
    const char *id = json_get_text(plan, "database_id", NULL);
    const char *environment = json_get_text(plan, "environment", "");

    if (id != NULL && m->meta.exists && strcmp(id, m->meta.database_id) != 0) {
        return err_set(err, ERR_CONFLICT, "the plan is of another database (%.100s)",
                       json_get_text(plan, "database", ""));
    }
    return strcmp(environment, m->environment) == 0
               ? ERR_OK
               : err_set(err, ERR_CONFLICT,
                         "the plan is of environment '%.60s', and this is '%.60s'", environment,
                         m->environment);
}

enum err_code plan_file_check(struct migrate *m, const struct json *plan,
                              const struct plan_wanted *wanted, struct err *err)
{
    struct json *list = NULL;
    enum err_code rc = check_database(m, plan, err);

    rc = rc || !m->lock.held ? rc : session_reread(m, err); /* what this run has moved itself */
    rc = rc ? rc : plan_list(m, wanted, &list, err);
    for (const struct json *entry = json_first(list); rc == ERR_OK && entry != NULL;
         entry = json_next(entry)) {
        rc = compare(entry, json_get(plan, "migrations"), err);
    }
    json_free(list);
    return rc;
}

enum err_code plan_file_hold(struct migrate *m, const struct json *plan, size_t index,
                             enum mig_state to, bool fresh, struct err *err)
{
    struct plan_wanted next = {
        .one = true, .index = index, .to = to, .fresh = fresh, .light = !m->fresh};

    return plan_file_check(m, plan, &next, err);
}
