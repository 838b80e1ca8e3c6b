#include "tests/fuzz/environment.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "condition/env.h"

/* What inputs leave in an environment's pool (names of slots) goes when it is made anew. */
#define USES_MAX 256u

const struct fuzz_variable fuzz_variables[] = {
    {"flag", CONDITION_BOOL},      {"i", CONDITION_INT},         {"u", CONDITION_UINT},
    {"d", CONDITION_DOUBLE},       {"s", CONDITION_STRING},      {"b", CONDITION_BYTES},
    {"domain", CONDITION_STRING},  {"now", CONDITION_TIMESTAMP}, {"age", CONDITION_DURATION},
    {"list", CONDITION_LIST},      {"map", CONDITION_MAP},       {"any", CONDITION_DYN},
    {"verify.rows", CONDITION_INT}};
const size_t fuzz_variable_count = sizeof fuzz_variables / sizeof fuzz_variables[0];

static struct condition_env *envs[FUZZ_ENVS];

static bool in_segment(void *host, const char *name, size_t len, bool *out)
{
    (void)host;
    *out = len > 0 && name[0] == 'b';
    return len != 1;
}

static void declare(struct condition_env *env, const char *name, enum condition_kind kind)
{
    CHECK(condition_env_declare(env, name, kind) == CONDITION_OK);
}

static struct condition_env *make(enum fuzz_env which)
{
    struct condition_env *env = condition_env_new();

    CHECK(env != NULL);
    if (which == FUZZ_ENV_TEXTS || which == FUZZ_ENV_PATTERNS) {
        condition_env_set_dynamic_patterns(env, which == FUZZ_ENV_PATTERNS);
        declare(env, "s", CONDITION_STRING);
        declare(env, "p", CONDITION_STRING);
        return env;
    }
    condition_env_set_check(env, which == FUZZ_ENV_CHECKED);
    if (which == FUZZ_ENV_BARE) {
        return env;
    }
    condition_env_set_open(env, true);
    condition_env_set_segments(env, NULL, NULL, in_segment);
    for (size_t i = 0; i < fuzz_variable_count; i++) {
        declare(env, fuzz_variables[i].name, fuzz_variables[i].kind);
    }
    return env;
}

static void free_all(void)
{
    for (size_t i = 0; i < FUZZ_ENVS; i++) {
        condition_env_free(envs[i]);
    }
}

struct condition_env *fuzz_env(enum fuzz_env which)
{
    static unsigned uses[FUZZ_ENVS];
    static bool first = true;

    if (first) {
        first = false;
        atexit(free_all);
    }
    if (uses[which]++ % USES_MAX == 0) {
        condition_env_free(envs[which]);
        envs[which] = make(which);
    }
    envs[which]->slot_count = 0; /* as if no condition had been compiled in it */
    return envs[which];
}

void fuzz_check_diag(const struct condition_diag *diag, struct str source)
{
    char out[600], small[7];
    int len = condition_diag_print(diag, source.at, source.len, out, sizeof out);

    CHECK(memchr(diag->msg, '\0', sizeof diag->msg) != NULL && diag->msg[0] != '\0');
    CHECK(memchr(diag->hint, '\0', sizeof diag->hint) != NULL);
    CHECK(diag->from <= diag->to && diag->to <= source.len && diag->line >= 1 && diag->column >= 1);
    CHECK(len > 0 && condition_diag_print(diag, source.at, source.len, small, 7) == len);
    CHECK(strlen(small) == 6);
    if (!utf8_valid(diag->msg, strlen(diag->msg))) {
        fuzz_fail("a message that is cut inside a character: %s", diag->msg);
    }
    CHECK(utf8_valid(diag->hint, strlen(diag->hint)));
}
