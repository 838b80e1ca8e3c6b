#include "server/schedules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "flags/patch.h"
#include "flags/reweigh.h"
#include "server/admin.h"

enum { AT_ONCE_MAX = 20, LOOK_AGAIN_MS = 30000, TRY_AGAIN_MS = 5000 };

struct json *schedules_apply(struct call *call, const struct store_flag *flag,
                             const struct json *document)
{
    const struct json *promote = json_get(document, "promote");
    struct err err = {0};
    struct json *after;

    if (promote != NULL) {
        after = admin_promoted(call, flag, promote);
    } else {
        after = json_copy(flag->document);
        if (flag_patch(after, json_get(document, "change"), &err) != ERR_OK) {
            answer_error(call, &err);
            json_free(after);
            return NULL;
        }
    }
    if (after != NULL && !flag_keep_ranges(flag->document, after)) {
        answer_json(call, 503, NULL);
        json_free(after);
        return NULL;
    }
    return after;
}

/* ---- carrying out one ---- */

/* What store_schedule lends is gone when the store changes. */
struct job {
    char *id, *environment, *flag, *actor, *reason, *document;
    int64_t at_ms, not_after_ms;
};

static char *copy(const char *text)
{
    return text != NULL ? strdup(text) : NULL;
}

static void take(void *ctx, const struct store_schedule *schedule)
{
    struct job *job = ctx;

    *job = (struct job){.id = copy(schedule->id),
                        .environment = copy(schedule->environment),
                        .flag = copy(schedule->flag),
                        .actor = copy(schedule->actor),
                        .reason = copy(schedule->reason),
                        .document = copy(schedule->document),
                        .at_ms = schedule->at_ms,
                        .not_after_ms = schedule->not_after_ms};
}

static void job_fini(struct job *job)
{
    free(job->id);
    free(job->environment);
    free(job->flag);
    free(job->actor);
    free(job->reason);
    free(job->document);
}

static enum err_code end(struct store *store, const struct job *job, const char *state,
                         const char *result)
{
    struct store_actor who = {job->actor, job->reason};
    struct store_schedule schedule = {.id = job->id, .flag = job->flag, .document = job->document};
    struct err err = {0};
    enum err_code rc = store_end_schedule(store, &who, &schedule, state, result, &err);

    if (rc != ERR_OK) {
        log_event(LOG_ERROR, "schedule-not-noted", "id=%s reason=%s", job->id, err.msg);
    } else {
        log_event(strcmp(state, "done") == 0 ? LOG_INFO : LOG_WARN, "schedule-ended",
                  "id=%s flag=%s environment=%s state=%s actor=%s%s%s", job->id, job->flag,
                  job->environment, state, job->actor, result != NULL ? " reason=" : "",
                  result != NULL ? result : "");
    }
    return rc;
}

/* What was answered, as text for people. */
static const char *detail_of(const struct call *call, struct json **problem)
{
    *problem = NULL;
    if (call->reply->body == NULL ||
        json_parse(call->reply->body, call->reply->body_len, problem, NULL) != ERR_OK) {
        return "";
    }
    return json_get_text(*problem, "detail", "");
}

/* Makes the change; the answer is in call->reply. False: it was made together with its schedule. */
static bool make_change(struct call *call, const struct job *job, const struct store_flag *flag,
                        const struct json *document)
{
    int64_t version = flag->version;
    struct json *after = schedules_apply(call, flag, document);
    const struct store_flag *now;

    if (after == NULL) {
        return true;
    }
    stores_ride(call->app->stores, job->id, clock_wall_ms());
    admin_replace_flag(call, flag, after, "schedule.run");
    stores_ride(call->app->stores, NULL, 0);
    json_free(after);
    now = store_find(call->store, job->flag);
    return call->reply->status != 200 || now == NULL || now->version == version;
}

static void answer_gone(struct call *call, const struct job *job)
{
    answer_problem(call, 404, err_code_name(ERR_NOT_FOUND), "flag '%s' is not here any more",
                   job->flag);
}

/* Whether the job is over, so that the next may come. */
static bool run(struct app *app, const struct job *job, struct environment *environment)
{
    struct arena arena = {0};
    struct http_request request = {.method = "PUT", .path = "", .arena = &arena, .on_worker = true};
    struct http_reply reply = {0};
    struct call call = {.app = app,
                        .request = &request,
                        .reply = &reply,
                        .environment = environment,
                        .store = environment->store,
                        .params = {job->flag},
                        .reason = job->reason};
    const struct store_flag *flag = store_find(call.store, job->flag);
    struct json *document = NULL, *problem;
    const char *detail;
    bool open = true, over = true;

    snprintf(request.id, sizeof request.id, "%s", job->id);
    snprintf(call.who.name, sizeof call.who.name, "%s", job->actor);
    if (json_parse(job->document, strlen(job->document), &document, NULL) != ERR_OK) {
        (void)admin_invalid(&call, "the schedule cannot be read");
    } else if (flag == NULL) {
        answer_gone(&call, job);
    } else {
        snprintf(call.who.environment, sizeof call.who.environment, "%s",
                 json_get_text(document, "bound", ""));
        open = make_change(&call, job, flag, document);
    }
    if (!open) {
        log_event(LOG_INFO, "schedule-ended", "id=%s flag=%s environment=%s state=done actor=%s",
                  job->id, job->flag, job->environment, job->actor);
    } else if (reply.status == 200) { /* the flag was as it shall be already */
        over = end(call.store, job, "done", NULL) == ERR_OK;
    } else if (reply.status >= 500) {
        over = false;
    } else {
        detail = detail_of(&call, &problem);
        over = end(call.store, job, "failed", detail) == ERR_OK;
        json_free(problem);
    }
    if (reply.kind == HTTP_BODY_HEAP) {
        free((void *)(uintptr_t)reply.body);
    }
    json_free(document);
    arena_fini(&arena);
    return over;
}

static bool carry_out(struct app *app, const struct job *job)
{
    struct environment *environment =
        job->environment != NULL ? environments_find(app->environments, job->environment) : NULL;

    if (job->id == NULL || job->flag == NULL || job->actor == NULL || job->document == NULL ||
        environment == NULL) {
        return false; /* no memory, or an environment that this server does not serve yet */
    }
    if (job->not_after_ms != 0 && clock_wall_ms() > job->not_after_ms) {
        return end(environment->store, job, "dropped", "it would have come too late") == ERR_OK;
    }
    return run(app, job, environment);
}

void schedules_tick(struct app *app)
{
    int64_t now_ms = clock_wall_ms();

    /* A clock that was put back must not make everything wait until it is there again. */
    if (now_ms < app->schedule_at_ms && app->schedule_at_ms - now_ms <= LOOK_AGAIN_MS) {
        return;
    }
    for (int i = 0; i < AT_ONCE_MAX; i++) {
        struct job job = {.id = NULL};
        int64_t next_ms;
        bool over;

        if (stores_due_schedule(app->stores, now_ms, take, &job, &next_ms, NULL) != ERR_OK) {
            app->schedule_at_ms = now_ms + TRY_AGAIN_MS;
            return;
        }
        if (next_ms > now_ms) {
            app->schedule_at_ms =
                next_ms - now_ms < LOOK_AGAIN_MS ? next_ms : now_ms + LOOK_AGAIN_MS;
            return;
        }
        over = carry_out(app, &job);
        job_fini(&job);
        if (!over) {
            app->schedule_at_ms = now_ms + TRY_AGAIN_MS;
            return;
        }
    }
    app->schedule_at_ms = now_ms;
}
