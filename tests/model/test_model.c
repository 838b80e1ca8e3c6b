/*
 * The protocol of flag and schema, wholly: no client ever runs a path whose schema is gone or not yet
 * there, whatever is lost, late, twice, killed or slow; and each fault that is planted is found.
 *
 * Three clients are for CHECK_FULL, with right clocks, and what is sent is answered in the same moment; in a
 * plain run the clients are fewer. What clients do touches the others only where it keeps
 * the migrator from a step, so one client already meets every way in which it can come to harm; the
 * larger spaces are there to show that this is so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/model/protocol_part.h"
#include "tests/model/search.h"

static struct search_result result;

/* Every action must have been possible somewhere, or what holds holds for nothing. */
static void check_taken(const struct model_config *config)
{
    for (int action = 0; action < DO_COUNT; action++) {
        bool alone = action == DO_SERVER_LOST || action == DO_WAIT_ALONE || action == DO_MOVE_ALONE;
        bool late = action == DO_LATE;
        bool poll = action == DO_POLL || action == DO_POLL_OLD;
        bool uneven =
            action == DO_POLL_OLD || action == DO_POLL_AGAIN || action == DO_RECEIVE_YOUNG;

        if ((alone && !config->server_lost) || (late && !config->messages_late) ||
            (poll && config->replies_max == 0) || (uneven && config->even)) {
            continue;
        }
        if (result.taken[action] == 0) {
            fail_msg("it never came to: %s", protocol_say(action));
        }
    }
}

static void go_through(struct model_config config, size_t states_max)
{
    assert_true(search_all(&config, states_max, &result));
    printf("proof: %d client%s, %s, %s, %s%s: %zu states, %zu transitions, %u steps deep, %.1f s\n",
           config.clients, config.clients > 1 ? "s" : "",
           config.replies_max > 0 ? "late replies" : "replies at once",
           config.messages_late ? "late messages" : "messages in order",
           config.server_lost ? "server may be lost" : "server stays",
           config.even ? ", clocks right" : "", result.states, result.transitions, result.depth,
           result.seconds);
    if (result.broken) {
        fail_msg("a client runs a path that is not there:\n%s", result.trace);
    }
    assert_true(result.whole);
    check_taken(&config);
}

static void one_client_and_everything(void **state)
{
    (void)state;
    go_through(
        (struct model_config){
            .clients = 1, .replies_max = 1, .messages_late = true, .server_lost = true},
        1000000);
}

static void two_clients(void **state)
{
    (void)state;
    go_through((struct model_config){.clients = 2, .server_lost = true}, 4000000);
}

static void more_clients(void **state)
{
    const char *sanitizers = getenv("SAN");

    (void)state;
    if (getenv("CHECK_FULL") == NULL || (sanitizers != NULL && *sanitizers != '\0')) {
        skip();
    }
    go_through((struct model_config){.clients = 2, .replies_max = 1, .server_lost = true},
               20000000);
    go_through((struct model_config){.clients = 2, .messages_late = true}, 20000000);
    go_through((struct model_config){.clients = 3, .even = true}, 60000000);
}

static void each_planted_fault_is_found(void **state)
{
    (void)state;
    for (int fault = FAULT_NONE + 1; fault < FAULT_COUNT; fault++) {
        struct model_config config = {
            .clients = 1, .replies_max = 1, .messages_late = true, .fault = (enum fault)fault};

        assert_true(search_all(&config, 1000000, &result));
        printf("proof: %-45s %s after %7zu states, in %u steps\n", fault_names[fault],
               result.broken ? "found" : "NOT FOUND", result.states, result.steps);
        assert_true(result.broken);
        assert_true(result.steps > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_client_and_everything),
        cmocka_unit_test(two_clients),
        cmocka_unit_test(each_planted_fault_is_found),
        cmocka_unit_test(more_clients),
    };

    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
