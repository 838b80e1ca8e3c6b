/*
 * Schedules over the administration API.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "server/admin.h"
#include "server/route.h"
#include "server/schedules.h"
#include "server/view.h"

enum { ID_BYTES = 6 };

static void put_time(struct json *out, const char *member, int64_t ms)
{
    char text[CLOCK_TEXT_BYTES];

    if (ms != 0) {
        json_put_text(out, member, clock_text(ms, text));
    }
}

static struct json *schedule_json(const struct store_schedule *schedule)
{
    struct json *out = json_object(), *document = NULL;

    json_put_text(out, "id", schedule->id);
    json_put_text(out, "flag", schedule->flag);
    put_time(out, "at", schedule->at_ms);
    put_time(out, "not_after", schedule->not_after_ms);
    json_put_text(out, "by", schedule->actor);
    if (schedule->reason != NULL && schedule->reason[0] != '\0') {
        json_put_text(out, "reason", schedule->reason);
    }
    put_time(out, "created", schedule->created_ms);
    json_put_text(out, "state", schedule->state);
    put_time(out, "ended", schedule->ended_ms);
    if (schedule->result != NULL && schedule->result[0] != '\0') {
        json_put_text(out, "result", schedule->result);
    }
    if (json_parse(schedule->document, strlen(schedule->document), &document, NULL) == ERR_OK) {
        for (const char *const *member = (const char *const[]){"change", "promote", NULL};
             *member != NULL; member++) {
            if (json_get(document, *member) != NULL) {
                json_put(out, *member, json_copy(json_get(document, *member)));
            }
        }
    }
    json_free(document);
    return out;
}

static void list_one(void *ctx, const struct store_schedule *schedule)
{
    json_append(ctx, schedule_json(schedule));
}

void schedules_list(struct call *call)
{
    struct json *out = json_object(), *list = json_array();
    struct err err = {0};

    json_put_text(out, "environment", store_environment(call->store));
    if (store_each_schedule(call->store, http_query(call->request, "flag"), list_one, list, &err) !=
        ERR_OK) {
        json_free(out);
        json_free(list);
        answer_problem(call, 503, err_code_name(err.code), "the schedules cannot be read: %s",
                       err.msg);
        return;
    }
    json_put(out, "schedules", list);
    answer_json(call, 200, out);
}

/* ---- making one ---- */

static bool read_times(struct call *call, const struct json *body, struct store_schedule *out)
{
    const char *at = json_get_text(body, "at", ""), *until = json_get_text(body, "not_after", NULL);

    if (!clock_parse(at, &out->at_ms)) {
        return admin_invalid(call, "at: must be a time such as \"2027-01-31T18:00:00Z\"");
    }
    if (json_get(body, "not_after") != NULL &&
        (until == NULL || !clock_parse(until, &out->not_after_ms))) {
        return admin_invalid(call, "not_after: must be a time such as \"2027-01-31T18:00:00Z\"");
    }
    if (out->not_after_ms != 0 && out->not_after_ms < out->at_ms) {
        return admin_invalid(call, "not_after: is before at");
    }
    return true;
}

static bool is_one_change(struct call *call, const struct json *body)
{
    const struct json *change = json_get(body, "change"), *promote = json_get(body, "promote");

    return ((json_kind(change) == JSON_OBJECT && promote == NULL) ||
            (json_kind(promote) == JSON_OBJECT && change == NULL)) ||
           admin_invalid(call,
                         "say what shall be done: either \"change\" or \"promote\", an object");
}

/* Whether it could be made of the flag as it is: a slip of the pen is told today and not then. What a schema
 * will bear by then nobody knows. */
static bool can_be_made(struct call *call, const struct store_flag *flag, const struct json *body)
{
    struct view view = {.store = call->store};
    struct json *after = schedules_apply(call, flag, body);
    struct err err = {0};

    if (after == NULL) {
        return false;
    }
    view_set_flag(&view, flag->key, after);
    if (view_open(&view, &err) == ERR_OK) {
        (void)!flag_check_in(view_flag(&view, flag->key), &view.world, &err);
        view_close(&view);
    }
    json_free(after);
    if (err.code != ERR_OK) {
        answer_error(call, &err);
    }
    return err.code == ERR_OK;
}

/* What is kept of the body, printed. */
static char *document_of(const struct call *call, const struct json *body)
{
    struct json *document = json_object();
    char *text;

    for (const char *const *member = (const char *const[]){"change", "promote", NULL};
         *member != NULL; member++) {
        if (json_get(body, *member) != NULL) {
            json_put(document, *member, json_copy(json_get(body, *member)));
        }
    }
    json_put_text(document, "bound", call->who.environment);
    text = json_print_canonical(document);
    json_free(document);
    return text;
}

struct search {
    const char *id;
    struct json *found;
    struct store_schedule row; /* state alone */
    bool pending;
};

static void look(void *ctx, const struct store_schedule *schedule)
{
    struct search *search = ctx;

    if (strcmp(schedule->id, search->id) == 0) {
        json_free(search->found);
        search->found = schedule_json(schedule);
        search->pending = strcmp(schedule->state, "pending") == 0;
    }
}

static void store_it(struct call *call, const struct store_flag *flag,
                     struct store_schedule *schedule)
{
    struct store_actor who = call_actor(call);
    struct search search = {.id = schedule->id};
    struct err err = {0};

    schedule->flag = flag->key;
    if (store_add_schedule(call->store, &who, schedule, &err) != ERR_OK) {
        admin_not_changed(call, &err);
        return;
    }
    admin_changed(call, "schedule-created", schedule->id);
    call->app->schedule_at_ms = 0; /* looked at by the next tick */
    if (store_each_schedule(call->store, flag->key, look, &search, &err) != ERR_OK ||
        search.found == NULL) {
        answer_problem(call, 503, err_code_name(ERR_IO), "it was stored, but cannot be read");
        json_free(search.found);
    } else {
        answer_json(call, 201, search.found);
    }
}

void schedules_create(struct call *call)
{
    const struct store_flag *flag = admin_flag(call);
    struct json *body = flag != NULL ? answer_body(call) : NULL;
    char id[2 * ID_BYTES + 1];
    struct store_schedule schedule = {.id = random_hex(ID_BYTES, id)};
    char *document;

    if (body == NULL) {
        return;
    }
    if (read_times(call, body, &schedule) && is_one_change(call, body) &&
        can_be_made(call, flag, body)) {
        document = document_of(call, body);
        schedule.document = document;
        if (document != NULL) {
            store_it(call, flag, &schedule);
        } else {
            answer_json(call, 503, NULL);
        }
        free(document);
    }
    json_free(body);
}

void schedules_cancel(struct call *call)
{
    struct store_actor who = call_actor(call);
    struct search search = {.id = call->params[0]};
    struct store_schedule schedule = {.id = call->params[0]};
    struct err err = {0};
    char *text;

    if (store_each_schedule(call->store, NULL, look, &search, &err) != ERR_OK) {
        answer_problem(call, 503, err_code_name(err.code), "the schedules cannot be read: %s",
                       err.msg);
        return;
    }
    if (search.found == NULL) {
        answer_problem(call, 404, err_code_name(ERR_NOT_FOUND),
                       "no schedule '%.40s' is here; flags schedules lists them", call->params[0]);
        return;
    }
    text = json_print_canonical(search.found);
    schedule.flag = json_get_text(search.found, "flag", "");
    schedule.document = text;
    if (!search.pending) {
        answer_problem(call, 409, err_code_name(ERR_CONFLICT), "schedule '%.40s' is %s already",
                       call->params[0], json_get_text(search.found, "state", ""));
    } else if (store_end_schedule(call->store, &who, &schedule, "cancelled", NULL, &err) !=
               ERR_OK) {
        admin_not_changed(call, &err);
    } else {
        admin_changed(call, "schedule-cancelled", call->params[0]);
        answer_empty(call, 204);
    }
    free(text);
    json_free(search.found);
}
