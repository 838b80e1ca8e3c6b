#include "migrator/folder/facts.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"

static const struct {
    const char *path;
    enum condition_kind kind;
} declared[] = {
    {"flag.exists", CONDITION_BOOL},
    {"flag.enabled_everywhere", CONDITION_BOOL},
    {"flag.disabled_everywhere", CONDITION_BOOL},
    {"flag.held", CONDITION_BOOL},
    {"flag.stable_for", CONDITION_DURATION},
    {"flag.clients", CONDITION_INT},
    {"flag.clients_behind", CONDITION_INT},
    {"flag.clients_without_lease", CONDITION_INT},
    {"flag.revision", CONDITION_INT},
    {"writes.old_idle_for", CONDITION_DURATION},
    {"backfill.done", CONDITION_BOOL},
    {"backfill.rows", CONDITION_INT},
    {"verify.clean", CONDITION_BOOL},
    {"verify.age", CONDITION_DURATION},
    {"verify.mismatches", CONDITION_INT},
    {"verify.rows", CONDITION_INT},
    {"phase", CONDITION_STRING},
    {"environment", CONDITION_STRING},
    {"database", CONDITION_STRING},
    {"now", CONDITION_TIMESTAMP},
};

static struct condition_env *env_new(void)
{
    struct condition_env *env = condition_env_new();

    for (size_t i = 0; env != NULL && i < sizeof declared / sizeof declared[0]; i++) {
        if (condition_env_declare(env, declared[i].path, declared[i].kind) != CONDITION_OK) {
            condition_env_free(env);
            return NULL;
        }
    }
    return env;
}

static enum err_code compile(struct condition_env *env, const char *source, struct condition **out,
                             struct err *err)
{
    struct condition_diag diag = {0};
    enum condition_status status = condition_compile(env, source, strlen(source), out, &diag);
    const char *type;

    if (status == CONDITION_NOMEM) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    if (status != CONDITION_OK) {
        return err_set(err, ERR_INVALID, "column %u: %s%s%s%s", diag.column, diag.msg,
                       *diag.hint != '\0' ? " (" : "", diag.hint, *diag.hint != '\0' ? ")" : "");
    }
    type = condition_result_type(*out);
    if (strcmp(type, "bool") != 0 && strcmp(type, "dyn") != 0) {
        err_set(err, ERR_INVALID, "a gate must be true or false, and this is of type %s", type);
        condition_free(*out);
        *out = NULL;
        return ERR_INVALID;
    }
    return ERR_OK;
}

enum facts_verdict facts_flag_judge(const struct facts_flag *flag, bool old_everywhere)
{
    bool right = old_everywhere ? flag->disabled_everywhere : flag->enabled_everywhere;

    if (!flag->known || !flag->exists || !right) {
        return FACTS_REFUSE;
    }
    return flag->clients_behind > 0 ? FACTS_WAIT : FACTS_STEP;
}

enum err_code facts_check(const char *source, struct err *err)
{
    struct condition_env *env = env_new();
    struct condition *condition = NULL;
    enum err_code rc;

    if (env == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    rc = compile(env, source, &condition, err);
    condition_free(condition);
    condition_env_free(env);
    return rc;
}

static struct condition_value of_ms(int64_t ms)
{
    return condition_duration(ms / 1000, (int32_t)(ms % 1000) * 1000000);
}

static struct condition_value of_text(const char *text)
{
    return text != NULL ? condition_string(text, strlen(text)) : (struct condition_value){0};
}

static struct condition_value flag_value(const struct facts_flag *flag, const char *name)
{
    if (!flag->known) {
        return (struct condition_value){0};
    }
    if (strcmp(name, "exists") == 0) {
        return condition_bool(flag->exists);
    }
    if (!flag->exists) {
        return (struct condition_value){0};
    }
    if (strcmp(name, "enabled_everywhere") == 0) {
        return condition_bool(flag->enabled_everywhere);
    }
    if (strcmp(name, "disabled_everywhere") == 0) {
        return condition_bool(flag->disabled_everywhere);
    }
    if (strcmp(name, "held") == 0) {
        return condition_bool(flag->held);
    }
    if (strcmp(name, "stable_for") == 0) {
        return of_ms((int64_t)(flag->stable_for_s * 1000.0));
    }
    if (strcmp(name, "clients") == 0) {
        return condition_int(flag->clients);
    }
    if (strcmp(name, "clients_without_lease") == 0) {
        return condition_int(flag->clients_without_lease);
    }
    return condition_int(strcmp(name, "revision") == 0 ? flag->revision : flag->clients_behind);
}

static struct condition_value other_value(const struct facts *facts, const char *path)
{
    const struct condition_value absent = {0};

    if (strcmp(path, "writes.old_idle_for") == 0) {
        return facts->old_idle_ms >= 0 ? of_ms(facts->old_idle_ms) : absent;
    }
    if (strcmp(path, "backfill.done") == 0) {
        return condition_bool(facts->backfill_done);
    }
    if (strcmp(path, "backfill.rows") == 0) {
        return condition_int(facts->backfill_rows);
    }
    if (strncmp(path, "verify.", 7) == 0) {
        path += 7;
        return !facts->verified                  ? absent
               : strcmp(path, "clean") == 0      ? condition_bool(facts->verify_clean)
               : strcmp(path, "age") == 0        ? of_ms(facts->verify_age_ms)
               : strcmp(path, "mismatches") == 0 ? condition_int(facts->verify_mismatches)
                                                 : condition_int(facts->verify_rows);
    }
    if (strcmp(path, "now") == 0) {
        return condition_timestamp(facts->now_ms / 1000, (int32_t)(facts->now_ms % 1000) * 1000000);
    }
    return of_text(strcmp(path, "phase") == 0         ? facts->phase
                   : strcmp(path, "environment") == 0 ? facts->environment
                   : strcmp(path, "database") == 0    ? facts->database
                                                      : NULL);
}

struct explain {
    const char *source;
    struct json *parts;
};

static void explain_part(void *ctx, uint32_t from, uint32_t to, unsigned depth,
                         const struct condition_value *value, const char *text)
{
    struct explain *explain = ctx;
    struct json *part = json_object();
    char shown[160];

    (void)depth;
    if (value != NULL) {
        (void)condition_value_print(value, shown, sizeof shown);
        text = shown;
    }
    (void)json_put(part, "part", json_string_n(explain->source + from, to - from));
    (void)json_put_text(part, "value", text != NULL ? text : "not evaluated");
    (void)json_append(explain->parts, part);
}

static enum err_code run(const struct condition_env *env, const struct condition *condition,
                         const char *source, const struct facts *facts, bool *out, bool *unknown,
                         struct json *parts, struct err *err)
{
    _Alignas(16) char scratch[CONDITION_SCRATCH_DEFAULT];
    size_t count = condition_env_slot_count(env);
    struct arena arena = {0};
    struct condition_value *slots = arena_zero(&arena, count + 1, sizeof *slots);
    struct condition_input input = {slots, count, scratch, sizeof scratch, NULL};
    struct condition_value value = {0};
    struct condition_diag diag = {0};
    enum condition_status status;

    if (slots == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < count; i++) {
        const char *path = condition_env_slot_path(env, i);
        slots[i] = strncmp(path, "flag.", 5) == 0 ? flag_value(&facts->flag, path + 5)
                                                  : other_value(facts, path);
    }
    status = condition_run(condition, &input, &value, &diag);
    *out = status == CONDITION_OK && value.kind == CONDITION_BOOL && value.as.truth;
    if (unknown != NULL) {
        *unknown = status != CONDITION_OK || value.kind != CONDITION_BOOL;
    }
    if (!*out) {
        struct explain explain = {source, parts};
        status = condition_explain(condition, &input, explain_part, &explain, &value, &diag);
        (void)status; /* an error shows as the value of the part that has it */
    }
    arena_fini(&arena);
    return ERR_OK;
}

enum err_code facts_hold(const char *source, const struct facts *facts, bool *out, bool *unknown,
                         struct json *parts, struct err *err)
{
    struct condition_env *env = env_new();
    struct condition *condition = NULL;
    enum err_code rc;

    if (env == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    rc = compile(env, source, &condition, err);
    if (rc == ERR_OK) {
        rc = run(env, condition, source, facts, out, unknown, parts, err);
    }
    condition_free(condition);
    condition_env_free(env);
    return rc;
}
