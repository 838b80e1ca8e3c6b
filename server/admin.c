#include "server/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "flags/diff.h"
#include "flags/parts.h"

enum { DIFFERENCE_MAX = 20, PLACES_NAMED = 3 };

bool admin_invalid(struct call *call, const char *message)
{
    answer_problem(call, 400, err_code_name(ERR_INVALID), "%s", message);
    return false;
}

const struct store_flag *admin_flag(struct call *call)
{
    const struct store_flag *flag = store_find(call->store, call->params[0]);

    if (flag == NULL) {
        answer_problem(call, 404, err_code_name(ERR_NOT_FOUND), "no flag '%.128s' is here%s",
                       call->params[0],
                       store_find_any(call->store, call->params[0]) != NULL
                           ? ": it was archived"
                           : "; flags list shows those that are");
    }
    return flag;
}

/* The version that a header names, or 0. */
static int64_t version_of(const char *header)
{
    header += strspn(header, " \t");
    header += strncmp(header, "W/", 2) == 0 ? 2 : 0;
    header += *header == '"';
    return strspn(header, "0123456789") <= 15 ? strtoll(header, NULL, 10) : 0;
}

/* "state, domains.acme.com and 3 more" */
static const char *name_places(const struct json *difference, char *out, size_t size)
{
    size_t count = json_count(difference), named = 0, len = 0;

    for (const struct json *one = json_first(difference); one != NULL && named < PLACES_NAMED;
         one = json_next(one)) {
        len += (size_t)snprintf(out + len, size - len, "%s%.100s", named++ > 0 ? ", " : "",
                                json_get_text(one, "at", ""));
    }
    if (count > named) {
        snprintf(out + len, size - len, " and %s%zu more",
                 count == DIFFERENCE_MAX ? "at least " : "", count - named);
    }
    return out;
}

/* What others changed since version base, as far as the audit knows it, or NULL; *by: who (free() it). */
static struct json *changed_since(struct call *call, const struct store_flag *flag, int64_t base,
                                  bool shared, char **by)
{
    int64_t now = shared ? flag->shared_version : flag->version;
    struct json *earlier = NULL, *before, *after, *difference = NULL;

    if (base <= 0 || base >= now ||
        (shared ? store_earlier_shared : store_earlier_flag)(call->store, flag->key, now - base,
                                                             &earlier, by, NULL) != ERR_OK ||
        earlier == NULL) {
        return NULL;
    }
    if (!shared) {
        difference = flag_difference(earlier, flag->document, DIFFERENCE_MAX);
    } else {
        before = flag_shared_part(earlier);
        after = flag_shared_part(flag->document);
        difference = flag_difference(before, after, DIFFERENCE_MAX);
        json_free(before);
        json_free(after);
    }
    json_free(earlier);
    return difference;
}

static void answer_stale(struct call *call, const struct store_flag *flag, const char *if_match,
                         bool shared)
{
    long long now = shared ? flag->shared_version : flag->version;
    char places[400] = "", *by = NULL;
    struct json *difference = changed_since(call, flag, version_of(if_match), shared, &by);

    if (difference != NULL) {
        answer_problem_with(call, 412, err_code_name(ERR_STALE), "difference", difference,
                            "flag '%s' has version \"%lld\" by now: %.128s changed %s; read it "
                            "again and repeat the change",
                            flag->key, now, by != NULL ? by : "somebody",
                            name_places(difference, places, sizeof places));
    } else {
        answer_problem(call, 412, err_code_name(ERR_STALE),
                       "flag '%s' has version \"%lld\" by now: read it again and repeat the change",
                       flag->key, now);
    }
    free(by);
}

static bool if_match_version(struct call *call, const struct store_flag *flag, bool shared)
{
    const char *if_match = http_header(call->request, "If-Match");
    char version[24];

    snprintf(version, sizeof version, "%lld",
             (long long)(shared ? flag->shared_version : flag->version));
    if (if_match == NULL) {
        answer_problem(call, 428, "precondition_required",
                       "send If-Match with the version that the change is based on (now \"%s\")",
                       version);
        return false;
    }
    if (!answer_tag_matches(if_match, version)) {
        answer_etag(call, version);
        answer_stale(call, flag, if_match, shared);
        return false;
    }
    return true;
}

bool admin_if_match(struct call *call, const struct store_flag *flag)
{
    return if_match_version(call, flag, false);
}

bool admin_if_match_shared(struct call *call, const struct store_flag *flag)
{
    return if_match_version(call, flag, true);
}

void admin_name_environment(const struct call *call, const struct store *store,
                            struct coupling_refusal *why)
{
    char option[ENVIRONMENT_NAME_BYTES + 20];
    size_t len, detail = strlen(why->detail), command = strlen(why->command);

    len = (size_t)snprintf(option, sizeof option, " --environment %s", store_environment(store));
    if (stores_count(call->app->stores) < 2 || strncmp(why->command, "flags ", 6) != 0 ||
        command + len >= sizeof why->command || detail + len >= sizeof why->detail) {
        return;
    }
    if (detail >= command && strcmp(why->detail + detail - command, why->command) == 0) {
        memcpy(why->detail + detail, option, len + 1);
    }
    memcpy(why->command + command, option, len + 1);
}

void admin_answer_flag(struct call *call, int status, const struct store_flag *flag)
{
    struct json *out = store_flag_json(call->store, flag);
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
    log_event(LOG_INFO, event, "what=%s environment=%s actor=%s revision=%lld request=%s", what,
              call->environment->name, call->who.name, (long long)store_revision(call->store),
              call->request->id);
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
