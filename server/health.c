/*
 * Is the process there, and may traffic come to it?
 */
#include "server/answer.h"
#include "server/route.h"

void health_live(struct call *call)
{
    struct json *out = json_object();

    json_put_text(out, "status", "ok");
    answer_json(call, 200, out);
}

/* On the worker: a store that hangs makes this hang, which is what a probe's timeout is for. */
void health_ready(struct call *call)
{
    char conflict[ENVIRONMENTS_WHY_BYTES];
    struct err err = {0};
    struct json *out;

    environments_conflict(call->app->environments, conflict);
    if (conflict[0] != '\0') {
        answer_problem(call, 503, "conflict", "a flag and a schema do not fit: %s", conflict);
        return;
    }
    if (stores_ping(call->app->stores, &err) != ERR_OK) {
        answer_problem(call, 503, err_code_name(err.code),
                       "the store cannot be read (flags are still evaluated from memory): %s",
                       err.msg);
        return;
    }
    out = json_object();
    json_put_text(out, "status", "ready");
    json_put_text(out, "environment", store_environment(call->store));
    json_put_number(out, "epoch", (double)store_epoch(call->store));
    json_put_number(out, "revision", (double)store_revision(call->store));
    answer_json(call, 200, out);
}
