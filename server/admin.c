#include "server/admin.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

bool admin_invalid(struct call *call, const char *message)
{
    answer_problem(call, 400, err_code_name(ERR_INVALID), "%s", message);
    return false;
}

const struct store_flag *admin_flag(struct call *call)
{
    const struct store_flag *flag = store_find(call->app->store, call->params[0]);

    if (flag == NULL) {
        answer_problem(call, 404, err_code_name(ERR_NOT_FOUND), "no flag '%.128s' is here%s",
                       call->params[0],
                       store_find_any(call->app->store, call->params[0]) != NULL
                           ? ": it was archived"
                           : "; flags list shows those that are");
    }
    return flag;
}

bool admin_if_match(struct call *call, const struct store_flag *flag)
{
    const char *if_match = http_header(call->request, "If-Match");
    char version[24];

    snprintf(version, sizeof version, "%lld", (long long)flag->version);
    if (if_match == NULL) {
        answer_problem(call, 428, "precondition_required",
                       "send If-Match with the version that the change is based on (now \"%s\")",
                       version);
        return false;
    }
    if (!answer_tag_matches(if_match, version)) {
        answer_etag(call, version);
        answer_problem(call, 412, err_code_name(ERR_STALE),
                       "flag '%s' has version \"%s\" by now: read it again and repeat the change",
                       flag->key, version);
        return false;
    }
    return true;
}

void admin_answer_flag(struct call *call, int status, const struct store_flag *flag)
{
    struct json *out = store_flag_json(call->app->store, flag);
    char version[24];

    snprintf(version, sizeof version, "%lld", (long long)flag->version);
    json_put_number(out, "version", (double)flag->version);
    answer_etag(call, arena_text(call->request->arena, version, strlen(version)));
    answer_json(call, status, out);
}

void admin_changed(struct call *call, const char *event, const char *what)
{
    struct app *app = call->app;
    struct err err = {0};

    if (app_publish(app, &err) != ERR_OK) {
        log_event(LOG_ERROR, "publish-failed", "request=%s reason=%s", call->request->id, err.msg);
    }
    log_event(LOG_INFO, event, "what=%s actor=%s revision=%lld request=%s", what, call->who.name,
              (long long)store_revision(app->store), call->request->id);
}

void admin_not_changed(struct call *call, const struct err *err)
{
    struct app *app = call->app;
    struct err why = {0};

    /* The image may have been read anew because another program changed the store. */
    if (app_publish(app, &why) != ERR_OK) {
        log_event(LOG_ERROR, "publish-failed", "request=%s reason=%s", call->request->id, why.msg);
    }
    switch (err->code) {
    case ERR_CONFLICT:
    case ERR_STALE:
    case ERR_NOT_FOUND:
    case ERR_LIMIT: answer_error(call, err); return;
    default:
        log_event(LOG_ERROR, "store-failed", "request=%s reason=%s", call->request->id, err->msg);
        http_reply_header(call->reply, "Retry-After", "5");
        answer_problem(call, 503, err_code_name(err->code), "nothing was changed: %s", err->msg);
    }
}
