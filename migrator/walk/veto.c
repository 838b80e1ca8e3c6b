#include "migrator/walk/veto.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "condition/condition.h"

#define ASK_EVERY_US 1000000 /* a good answer counts so long */
#define ASK_TIMEOUT_MS 2000  /* silence is a veto */
#define SLOTS_MAX 16u

static const struct {
    const char *path;
    enum condition_kind kind;
} declared[] = {
    {"wal_bytes", CONDITION_INT},    {"load", CONDITION_DOUBLE},
    {"rows_done", CONDITION_INT},    {"rows_total", CONDITION_INT},
    {"migration", CONDITION_STRING}, {"environment", CONDITION_STRING},
    {"database", CONDITION_STRING},  {"now", CONDITION_TIMESTAMP},
};

struct veto {
    char *source, *url;
    struct condition_env *env;
    struct condition *condition;
    int64_t asked_us; /* when the URL last said 200; 0: never */
};

static enum err_code compile(struct veto *veto, struct err *err)
{
    struct condition_diag diag = {0};
    enum condition_status status = CONDITION_NOMEM;
    const char *type;

    veto->env = condition_env_new();
    for (size_t i = 0; veto->env != NULL && i < sizeof declared / sizeof declared[0]; i++) {
        status = condition_env_declare(veto->env, declared[i].path, declared[i].kind);
        if (status != CONDITION_OK) {
            break;
        }
    }
    if (veto->env == NULL || status != CONDITION_OK) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    status =
        condition_compile(veto->env, veto->source, strlen(veto->source), &veto->condition, &diag);
    if (status == CONDITION_NOMEM) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    if (status != CONDITION_OK) {
        return err_set(err, ERR_INVALID, "the throttle's condition, column %u: %s%s%s%s",
                       diag.column, diag.msg, *diag.hint != '\0' ? " (" : "", diag.hint,
                       *diag.hint != '\0' ? ")" : "");
    }
    type = condition_result_type(veto->condition);
    if (strcmp(type, "bool") != 0 && strcmp(type, "dyn") != 0) {
        return err_set(err, ERR_INVALID,
                       "the throttle's condition must be true or false, and this is of type %s",
                       type);
    }
    return ERR_OK;
}

enum err_code veto_new(const char *condition, const char *url, struct veto **out, struct err *err)
{
    struct veto *veto = calloc(1, sizeof *veto);
    enum err_code rc = ERR_OK;

    if (veto == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    veto->source = condition != NULL ? strdup(condition) : NULL;
    veto->url = url != NULL ? strdup(url) : NULL;
    if ((condition != NULL && veto->source == NULL) || (url != NULL && veto->url == NULL)) {
        rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    if (rc == ERR_OK && url != NULL && strncasecmp(url, "http://", 7) != 0 &&
        strncasecmp(url, "https://", 8) != 0) {
        rc = err_set(err, ERR_INVALID, "'%.80s' is no http or https URL", url);
    }
    if (rc == ERR_OK && condition != NULL) {
        rc = compile(veto, err);
    }
    if (rc) {
        veto_free(veto);
        return rc;
    }
    *out = veto;
    return ERR_OK;
}

void veto_free(struct veto *veto)
{
    if (veto != NULL) {
        condition_free(veto->condition);
        condition_env_free(veto->env);
        free(veto->source);
        free(veto->url);
        free(veto);
    }
}

static struct condition_value text_value(const char *text)
{
    return text != NULL ? condition_string(text, strlen(text)) : (struct condition_value){0};
}

static struct condition_value fact(const char *path, const struct veto_facts *facts)
{
    const struct condition_value absent = {0};
    int64_t now_ms = clock_wall_ms();
    double load = 0;

    if (strcmp(path, "wal_bytes") == 0) {
        return facts->wal_bytes >= 0 ? condition_int(facts->wal_bytes) : absent;
    }
    if (strcmp(path, "load") == 0) {
        return getloadavg(&load, 1) == 1 ? condition_double(load) : absent;
    }
    if (strcmp(path, "now") == 0) {
        return condition_timestamp(now_ms / 1000, (int32_t)(now_ms % 1000) * 1000000);
    }
    return strcmp(path, "rows_done") == 0     ? condition_int(facts->rows_done)
           : strcmp(path, "rows_total") == 0  ? condition_int(facts->rows_total)
           : strcmp(path, "migration") == 0   ? text_value(facts->migration)
           : strcmp(path, "environment") == 0 ? text_value(facts->environment)
                                              : text_value(facts->database);
}

static bool condition_allows(const struct veto *veto, const struct veto_facts *facts, char *why,
                             size_t size)
{
    _Alignas(16) char scratch[CONDITION_SCRATCH_DEFAULT];
    struct condition_value slots[SLOTS_MAX] = {0}, value = {0};
    size_t count = condition_env_slot_count(veto->env);
    struct condition_input input = {slots, count, scratch, sizeof scratch, NULL};
    struct condition_diag diag = {0};
    enum condition_status status;

    for (size_t i = 0; i < count && i < SLOTS_MAX; i++) {
        slots[i] = fact(condition_env_slot_path(veto->env, i), facts);
    }
    status = condition_run(veto->condition, &input, &value, &diag);
    if (status != CONDITION_OK || value.kind != CONDITION_BOOL) {
        (void)snprintf(why, size, "the throttle's condition cannot be answered: %s",
                       status != CONDITION_OK ? diag.msg : "it is neither true nor false");
        return false;
    }
    if (value.as.truth) {
        (void)snprintf(why, size, "the throttle: %s", veto->source);
    }
    return !value.as.truth;
}

static bool url_allows(struct veto *veto, struct fetch *fetch, char *why, size_t size)
{
    struct fetch_reply reply = {0};
    struct err err = {0};
    bool allowed;

    if (veto->asked_us != 0 && clock_monotonic_us() - veto->asked_us < ASK_EVERY_US) {
        return true;
    }
    veto->asked_us = 0;
    if (fetch_send(fetch,
                   &(struct fetch_request){
                       .method = "GET", .url = veto->url, .timeout_ms = ASK_TIMEOUT_MS},
                   &reply, &err) != ERR_OK) {
        (void)snprintf(why, size, "the throttle %s does not answer: %s", veto->url, err.msg);
        return false;
    }
    allowed = reply.status == 200;
    if (allowed) {
        veto->asked_us = clock_monotonic_us();
    } else {
        (void)snprintf(why, size, "the throttle %s answers %ld", veto->url, reply.status);
    }
    fetch_reply_fini(&reply);
    return allowed;
}

bool veto_allows(struct veto *veto, struct fetch *fetch, const struct veto_facts *facts, char *why,
                 size_t size)
{
    return (veto->source == NULL || condition_allows(veto, facts, why, size)) &&
           (veto->url == NULL || url_allows(veto, fetch, why, size));
}
