/* threads - one program, many threads, each with its own input and scratch. */
#include "tests/condition/unit.h"

#include <pthread.h>

#define THREADS 4
#define ROUNDS 2000

static struct condition *shared;

struct worker {
    pthread_t thread;
    int number;
    unsigned wrong;
};

static void *work(void *ctx)
{
    struct worker *w = ctx;
    _Alignas(16) char scratch[512];

    for (int i = 0; i < ROUNDS; i++) {
        char email[40];
        int len = snprintf(email, sizeof email, "user%d@%s.com", i, i % 2 ? "acme" : "other");
        struct condition_value slots[2] = {condition_string(email, (size_t)len),
                                           condition_int(w->number)},
                               out;
        struct condition_input in = {
            .slots = slots, .slot_count = 2, .scratch = scratch, .scratch_bytes = sizeof scratch};
        struct condition_diag diag;
        enum condition_status status = condition_run(shared, &in, &out, &diag);
        if (status != CONDITION_OK || out.as.truth != (i % 2 == 1))
            w->wrong++;
    }
    return NULL;
}

static void threads_share_a_program(void **state)
{
    struct worker workers[THREADS] = {{0}};
    struct condition_env *env = condition_env_new();

    (void)state;
    condition_env_set_open(env, true);
    shared = must_compile(env, "email.matches('^[a-z0-9]+@(acme|globex)[.]com$') && n >= 0 && "
                               "('x' + string(n)).size() == 2");
    for (int i = 0; i < THREADS; i++) {
        workers[i].number = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        assert_int_equal(workers[i].wrong, 0);
    }
    condition_free(shared);
    condition_env_free(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_share_a_program)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
