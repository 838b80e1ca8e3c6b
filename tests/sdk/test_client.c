/*
 * The C client against a server that answers well, badly, late and not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "sdk/client.h"
#include "sdk/lockstep.h"
#include "tests/sdk/fake_server.h"

#define FLAG_HEAD                                                                                  \
    "\"state\":\"on\",\"salt\":\"a\",\"split_salt\":\"b\",\"off_variant\":\"off\","                \
    "\"fallthrough\":{\"variant\":\"on\"},"
#define FLAGS                                                                                      \
    "{\"key\":\"b\",\"type\":\"boolean\",\"variants\":{\"on\":true,\"off\":false}," FLAG_HEAD      \
    "\"rules\":[{\"name\":\"eu\",\"when\":\"region == 'eu'\",\"on_error\":\"skip\","               \
    "\"serve\":{\"variant\":\"off\"}}]},"                                                          \
    "{\"key\":\"n\",\"type\":\"number\",\"variants\":{\"on\":2.5,\"off\":0}," FLAG_HEAD            \
    "\"x\":0},"                                                                                    \
    "{\"key\":\"o\",\"type\":\"object\",\"variants\":{\"on\":{\"a\":[1]},\"off\":{}}," FLAG_HEAD   \
    "\"x\":0},"                                                                                    \
    "{\"key\":\"s\",\"type\":\"string\",\"variants\":{\"on\":\"hello\",\"off\":\"\"}," FLAG_HEAD   \
    "\"x\":0},"                                                                                    \
    "{\"key\":\"tied\",\"type\":\"boolean\",\"variants\":{\"on\":true,\"off\":false}," FLAG_HEAD   \
    "\"tie\":{\"safe\":\"off\",\"allowed\":[\"on\",\"off\"],\"lease_s\":300}},"                    \
    "{\"key\":\"odd\",\"type\":\"boolean\",\"uses\":[\"magic\"]}"

struct world {
    struct fake_server *server;
    lockstep_client *client;
    char folder[64], cache[96], token_file[96];
};

static const char *ruleset(unsigned epoch, unsigned revision)
{
    static char text[4096];

    snprintf(text, sizeof text,
             "{\"format\":1,\"environment\":\"test\",\"epoch\":%u,\"revision\":%u,\"poll_s\":30,"
             "\"flags\":[" FLAGS "]}",
             epoch, revision);
    return text;
}

static void serve(struct world *world, unsigned epoch, unsigned revision)
{
    char tag[40];

    snprintf(tag, sizeof tag, "\"%u-%u\"", epoch, revision);
    fake_server_ruleset(world->server, ruleset(epoch, revision), tag, NULL);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int setup(void **state)
{
    static struct world only;
    struct world *world = &only;
    const char *tmp = getenv("TMPDIR");

    memset(world, 0, sizeof *world);
    snprintf(world->folder, sizeof world->folder, "%.30s/lockstep-sdk-XXXXXX",
             tmp != NULL && strlen(tmp) <= 30 ? tmp : "/tmp");
    if (mkdtemp(world->folder) == NULL)
        return -1;
    snprintf(world->cache, sizeof world->cache, "%.63s/cache", world->folder);
    snprintf(world->token_file, sizeof world->token_file, "%.63s/token", world->folder);
    world->server = fake_server_start();
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    lockstep_close(world->client);
    fake_server_stop(world->server);
    unlink(world->cache);
    unlink(world->token_file);
    rmdir(world->folder);
    return 0;
}

static void open_client(struct world *world, unsigned poll_ms)
{
    lockstep_config config = {.url = fake_server_url(world->server),
                              .token = "ls_sdk-server_1",
                              .name = "tester\r\nX-Evil: 1",
                              .cache_file = world->cache,
                              .poll_ms = poll_ms,
                              .timeout_ms = 5000};
    char error[200] = "";

    if (lockstep_open(&config, &world->client, error, sizeof error) != LOCKSTEP_OK)
        fail_msg("%s", error);
}

static lockstep_state state_of(struct world *world)
{
    lockstep_state state;

    lockstep_get_state(world->client, &state);
    return state;
}

static bool answer(struct world *world, const char *key, lockstep_details *details)
{
    return lockstep_bool(world->client, key, NULL, false, details);
}

static void nap_ms(long ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000}, NULL);
}

static void answers_of_every_type(void **state)
{
    struct world *world = *state;
    lockstep_details details;
    char text[20];

    serve(world, 1, 1);
    open_client(world, 0);
    assert_int_equal(lockstep_wait_ready(world->client, 10000), LOCKSTEP_OK);
    assert_true(answer(world, "b", &details));
    assert_string_equal(details.variant, "on");
    assert_string_equal(details.reason, "DEFAULT");
    assert_string_equal(details.error_code, "");
    assert_false(lockstep_bool(world->client, "b", "{\"region\":\"eu\"}", true, &details));
    assert_string_equal(details.reason, "TARGETING_MATCH");
    assert_true(lockstep_number(world->client, "n", "{}", 7, NULL) == 2.5);
    assert_int_equal(lockstep_string(world->client, "s", NULL, "no", text, sizeof text, &details),
                     5);
    assert_string_equal(text, "hello");
    assert_string_equal(details.reason, "STATIC");
    assert_int_equal(lockstep_string(world->client, "s", NULL, "no", text, 3, NULL), 5);
    assert_string_equal(text, "he");
    assert_int_equal(lockstep_object(world->client, "o", NULL, "{}", text, sizeof text, NULL), 9);
    assert_string_equal(text, "{\"a\":[1]}");
}

static void fallbacks_come_with_a_reason(void **state)
{
    struct world *world = *state;
    lockstep_details details;
    char text[20], large[70000];

    open_client(world, 0);
    assert_true(lockstep_bool(world->client, "b", NULL, true, &details));
    assert_string_equal(details.error_code, "PROVIDER_NOT_READY");
    assert_int_equal(lockstep_wait_ready(world->client, 50), LOCKSTEP_TIMEOUT);
    serve(world, 1, 1);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    assert_true(lockstep_bool(world->client, "none", NULL, true, &details));
    assert_string_equal(details.error_code, "FLAG_NOT_FOUND");
    assert_string_equal(details.reason, "ERROR");
    assert_true(lockstep_bool(world->client, "n", NULL, true, &details));
    assert_string_equal(details.error_code, "TYPE_MISMATCH");
    assert_string_equal(details.message, "the flag is of type number, asked for boolean");
    assert_true(lockstep_bool(world->client, "odd", NULL, true, &details));
    assert_string_equal(details.error_code, "PARSE_ERROR");
    assert_true(lockstep_bool(world->client, "b", "{", true, &details));
    assert_string_equal(details.error_code, "INVALID_CONTEXT");
    assert_true(lockstep_bool(world->client, "b", "[]", true, &details));
    assert_string_equal(details.error_code, "INVALID_CONTEXT");
    memset(large, ' ', sizeof large);
    large[sizeof large - 1] = '\0';
    assert_true(lockstep_bool(world->client, "b", large, true, &details));
    assert_string_equal(details.error_code, "INVALID_CONTEXT");
    assert_true(lockstep_bool(world->client, NULL, NULL, true, NULL));
    assert_true(lockstep_bool(NULL, "b", NULL, true, &details));
    assert_string_equal(details.error_code, "PROVIDER_NOT_READY");
    assert_int_equal(lockstep_string(world->client, "none", NULL, "back", text, sizeof text, NULL),
                     4);
    assert_string_equal(text, "back");
    assert_int_equal(lockstep_object(world->client, "none", NULL, NULL, text, sizeof text, NULL),
                     4);
    assert_string_equal(text, "null");
}

/* What a request says, and that a new ruleset is acknowledged at once. */
static void requests_say_who_and_what_is_served(void **state)
{
    struct world *world = *state;
    char request[4096];
    unsigned count;

    serve(world, 1, 1);
    open_client(world, 60000);
    assert_true(fake_server_wait(world->server, 2));
    fake_server_request(world->server, request, sizeof request);
    assert_ptr_equal(strstr(request, "GET /sdk/v1/ruleset HTTP/1.1\r\n"), request);
    assert_non_null(strstr(request, "Authorization: Bearer ls_sdk-server_1\r\n"));
    assert_non_null(strstr(request, "X-Lockstep-Client: tester__X-Evil: 1\r\n"));
    assert_non_null(strstr(request, "X-Lockstep-Instance: "));
    assert_non_null(strstr(request, "X-Lockstep-Lease: 1\r\n"));
    assert_non_null(strstr(request, "X-Lockstep-Cannot-Evaluate: odd\r\n"));
    assert_non_null(strstr(request, "If-None-Match: \"1-1\"\r\n"));
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    count = fake_server_count(world->server);
    serve(world, 1, 2);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    assert_int_equal(state_of(world).revision, 2);
    assert_true(fake_server_saw(world->server, count, "If-None-Match: \"1-2\"\r\n"));
    nap_ms(100);
    assert_int_equal(fake_server_count(world->server), count + 2);
}

static void only_newer_rulesets_are_taken(void **state)
{
    static const struct {
        unsigned epoch, revision, then_epoch, then_revision;
        lockstep_status status;
    } steps[] = {
        {1, 5, 1, 5, LOCKSTEP_OK}, {1, 4, 1, 5, LOCKSTEP_FAILED},  {1, 6, 1, 6, LOCKSTEP_OK},
        {2, 1, 2, 1, LOCKSTEP_OK}, {1, 99, 2, 1, LOCKSTEP_FAILED}, {2, 0, 2, 1, LOCKSTEP_FAILED},
        {3, 0, 3, 0, LOCKSTEP_OK},
    };
    struct world *world = *state;

    serve(world, 1, 5);
    open_client(world, 60000);
    assert_int_equal(lockstep_wait_ready(world->client, 10000), LOCKSTEP_OK);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        serve(world, steps[i].epoch, steps[i].revision);
        assert_int_equal(lockstep_refresh(world->client, 10000), steps[i].status);
        assert_int_equal(state_of(world).epoch, steps[i].then_epoch);
        assert_int_equal(state_of(world).revision, steps[i].then_revision);
        assert_true((strstr(state_of(world).last_error, "the server is behind") != NULL) ==
                    (steps[i].status == LOCKSTEP_FAILED));
    }
}

static void bad_answers_leave_what_is_served(void **state)
{
    static const struct {
        int status;
        const char *body, *error;
    } answers[] = {
        {200, "{\"format\":1,", ""},
        {200, "", ""},
        {200, "[]", "ruleset: must be an object"},
        {200, "{\"format\":2,\"epoch\":9,\"revision\":9,\"flags\":[]}", "ruleset: format 2"},
        {200, "<html>proxy</html>", ""},
        {401, "{}", "the server does not know the token (401)"},
        {403, "{}", "the token may not read rulesets (403)"},
        {404, "", "the server answered with status 404"},
        {500, "{}", "the server answered with status 500"},
        {302, "", "the server answered with status 302"},
    };
    struct world *world = *state;
    lockstep_state before;

    serve(world, 1, 1);
    open_client(world, 60000);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK); /* acknowledged */
    before = state_of(world);
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        lockstep_state now;

        fake_server_status(world->server, answers[i].status, "Location: /x\r\n", answers[i].body);
        assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_FAILED);
        now = state_of(world);
        assert_int_equal(now.failures, before.failures + i + 1);
        assert_int_equal(now.revision, 1);
        assert_true(now.last_error[0] != '\0');
        if (strncmp(now.last_error, answers[i].error, strlen(answers[i].error)) != 0)
            fail_msg("'%s', wanted '%s'", now.last_error, answers[i].error);
        assert_true(answer(world, "b", NULL));
    }
    fake_server_cut(world->server);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_FAILED);
    assert_true(answer(world, "b", NULL));
    serve(world, 1, 1);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    assert_string_equal(state_of(world).last_error, "");
}

static void a_tied_flag_ends_with_its_lease(void **state)
{
    struct world *world = *state;
    lockstep_details details;
    char text[4096], *at;

    snprintf(text, sizeof text, "%s", ruleset(1, 1));
    at = strstr(text, "\"lease_s\":300");
    assert_non_null(at);
    memcpy(at, "\"lease_s\":2  ", 13);
    fake_server_ruleset(world->server, text, "\"1-1\"", NULL);
    open_client(world, 60000);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    nap_ms(2500); /* polls come often enough for the lease, whatever the configuration says */
    assert_true(answer(world, "tied", &details));
    assert_string_equal(details.reason, "STATIC");
    fake_server_status(world->server, 503, "", "");
    nap_ms(2100);
    assert_false(lockstep_bool(world->client, "tied", NULL, true, &details));
    assert_string_equal(details.reason, "STALE");
    assert_string_equal(details.variant, "off");
    assert_true(answer(world, "b", &details)); /* no tie: goes on */
    assert_string_equal(details.reason, "DEFAULT");
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_FAILED);
    assert_false(answer(world, "tied", NULL));
    assert_true(state_of(world).confirmed_ms_ago >= 1000);
    fake_server_ruleset(world->server, text, "\"1-1\"", NULL); /* a 304 confirms */
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    assert_true(answer(world, "tied", &details));
    assert_string_equal(details.reason, "STATIC");
}

static void the_cache_serves_until_the_server_answers(void **state)
{
    struct world *world = *state;
    lockstep_details details;
    struct stat file;
    unsigned count;

    serve(world, 1, 7);
    open_client(world, 60000);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    lockstep_close(world->client);
    assert_int_equal(stat(world->cache, &file), 0);
    assert_int_equal(file.st_mode & 0777, 0600);

    fake_server_status(world->server, 503, "", "");
    open_client(world, 60000);
    assert_int_equal(lockstep_wait_ready(world->client, 0), LOCKSTEP_OK);
    assert_true(state_of(world).from_cache);
    assert_int_equal(state_of(world).revision, 7);
    assert_true(state_of(world).confirmed_ms_ago >= 0);
    assert_true(answer(world, "b", NULL));
    assert_false(answer(world, "tied", &details)); /* nobody confirmed it yet */
    assert_string_equal(details.reason, "STALE");
    count = fake_server_count(world->server);
    serve(world, 1, 7);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    assert_false(state_of(world).from_cache);
    assert_true(answer(world, "tied", NULL));
    assert_true(fake_server_saw(world->server, count, "If-None-Match: \"1-7\"\r\n"));
}

/* The cache as if it had been confirmed so long ago. */
static void age_cache(struct world *world, int64_t age_ms)
{
    char *body;
    size_t len;
    int64_t then_ms;

    assert_int_equal(cache_read(world->cache, &body, &len, &then_ms, NULL), ERR_OK);
    assert_int_equal(cache_write(world->cache, body, len, clock_wall_ms() - age_ms, NULL), ERR_OK);
    free(body);
}

/* The lease is 5 min: an hour later, or by a clock that was put back, nobody can say which answer the
 * schema still bears. */
static void an_old_cache_knows_nothing_of_schemas(void **state)
{
    static const struct {
        int64_t age_ms;
        const char *reason;
    } cases[] = {{600000, "STALE"}, {3590000, "STALE"}, {3601000, "ERROR"},
                 {-5000, "STALE"},  {-60000, "ERROR"},  {864000000, "ERROR"}};
    struct world *world = *state;
    lockstep_details details;

    serve(world, 1, 7);
    open_client(world, 60000);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    lockstep_close(world->client);
    fake_server_status(world->server, 503, "", "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        age_cache(world, cases[i].age_ms);
        open_client(world, 60000);
        assert_true(lockstep_bool(world->client, "b", NULL, false, NULL)); /* is not tied */
        /* The fallback tells the safe variant, off, from no answer at all. */
        assert_int_equal(lockstep_bool(world->client, "tied", NULL, true, &details),
                         strcmp(cases[i].reason, "ERROR") == 0);
        assert_string_equal(details.reason, cases[i].reason);
        if (strcmp(cases[i].reason, "ERROR") == 0)
            assert_string_equal(details.error_code, "PROVIDER_NOT_READY");
        lockstep_close(world->client);
    }
    world->client = NULL;
}

static int64_t cached_ms(struct world *world)
{
    char *body;
    size_t len;
    int64_t then_ms;

    assert_int_equal(cache_read(world->cache, &body, &len, &then_ms, NULL), ERR_OK);
    free(body);
    return then_ms;
}

static void serve_short_lease(struct world *world)
{
    char *text = strdup(ruleset(1, 7));
    char *at;

    assert_non_null(text);
    at = strstr(text, "\"lease_s\":300");
    assert_non_null(at);
    memcpy(at, "\"lease_s\":1  ", 13);
    fake_server_ruleset(world->server, text, "\"1-7\"", NULL);
    free(text);
}

static void the_cache_grows_young_with_each_lease(void **state)
{
    struct world *world = *state;
    int64_t first_ms;

    serve_short_lease(world);
    open_client(world, 60000);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    first_ms = cached_ms(world);
    nap_ms(1300);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    assert_true(cached_ms(world) >= first_ms + 1000);
}

/* What cannot be kept is not acknowledged while an older one may be there: here is what no file can
 * replace. */
static void what_is_not_kept_is_not_confirmed(void **state)
{
    struct world *world = *state;
    unsigned count;

    assert_int_equal(mkdir(world->cache, 0700), 0);
    serve(world, 1, 7);
    open_client(world, 60000);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
        assert_int_equal(strncmp(state_of(world).last_error, "cache: ", 7), 0);
    }
    assert_true(answer(world, "tied", NULL)); /* served all the same */
    assert_false(fake_server_saw(world->server, 0, "If-None-Match: "));
    assert_int_equal(rmdir(world->cache), 0);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK); /* kept */
    count = fake_server_count(world->server);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    assert_true(fake_server_saw(world->server, count, "If-None-Match: \"1-7\"\r\n"));
    assert_true(cached_ms(world) > 0);
}

/* Two environments may be at the same revision. */
static void a_cache_is_not_confirmed_by_its_tag_alone(void **state)
{
    struct world *world = *state;
    lockstep_details details;
    char other[4096], *at;

    serve(world, 1, 7);
    open_client(world, 60000);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    lockstep_close(world->client);
    snprintf(other, sizeof other, "%s", ruleset(1, 7));
    at = strstr(other, "\"test\"");
    assert_non_null(at);
    memcpy(at, "\"prod\"", 6);
    at = strstr(other, "\"key\":\"b\"");
    assert_non_null(at);
    memcpy(at, "\"key\":\"x\"", 9);
    fake_server_ruleset(world->server, other, "\"1-7\"", NULL);
    open_client(world, 60000);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    assert_false(answer(world, "b", &details));
    assert_string_equal(details.error_code, "FLAG_NOT_FOUND");
}

/* Another environment's ruleset replaces what is served even by a lower revision. */
static void a_cache_from_elsewhere_gives_way(void **state)
{
    struct world *world = *state;
    char other[4096], *at;

    serve(world, 4, 90);
    open_client(world, 60000);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    snprintf(other, sizeof other, "%s", ruleset(1, 3));
    at = strstr(other, "\"test\"");
    assert_non_null(at);
    memcpy(at, "\"prod\"", 6);
    fake_server_ruleset(world->server, other, "\"1-3\"", NULL);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    assert_int_equal(state_of(world).epoch, 1);
    assert_int_equal(state_of(world).revision, 3);
}

static void a_damaged_cache_is_no_cache(void **state)
{
    struct world *world = *state;
    static const char *const texts[] = {"", "{}", "lockstep-cache 1 5\n{}",
                                        "lockstep-cache 1 5 0000\n{}", "lockstep-cache 9\n"};
    FILE *file;
    int last;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        write_text(world->cache, texts[i]);
        open_client(world, 60000);
        assert_false(state_of(world).ready);
        assert_int_equal(state_of(world).confirmed_ms_ago, -1);
        lockstep_close(world->client);
    }
    serve(world, 1, 1);
    open_client(world, 60000);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    lockstep_close(world->client);
    file = fopen(world->cache, "r+"); /* one bit of the last byte */
    fseek(file, -1, SEEK_END);
    last = fgetc(file);
    fseek(file, -1, SEEK_END);
    fputc(last ^ 1, file);
    fclose(file);
    fake_server_status(world->server, 503, "", "");
    open_client(world, 60000);
    assert_false(state_of(world).ready);
}

static void a_new_token_is_read_from_its_file(void **state)
{
    struct world *world = *state;
    lockstep_config config = {
        .url = fake_server_url(world->server), .token_file = world->token_file, .poll_ms = 60000};

    write_text(world->token_file, "  first\n");
    fake_server_ruleset(world->server, ruleset(1, 1), "\"1-1\"", "first");
    assert_int_equal(lockstep_open(&config, &world->client, NULL, 0), LOCKSTEP_OK);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    fake_server_ruleset(world->server, ruleset(1, 2), "\"1-2\"", "second");
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_FAILED);
    write_text(world->token_file, "second\n");
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    assert_int_equal(state_of(world).revision, 2);
    assert_null(strstr(state_of(world).last_error, "second"));
}

static void closing_cuts_a_hanging_request(void **state)
{
    struct world *world = *state;
    struct timespec before, after;
    double took;

    fake_server_hang(world->server);
    open_client(world, 60000);
    assert_true(fake_server_wait(world->server, 1));
    assert_int_equal(lockstep_refresh(world->client, 30), LOCKSTEP_TIMEOUT);
    clock_gettime(CLOCK_MONOTONIC, &before);
    lockstep_close(world->client);
    clock_gettime(CLOCK_MONOTONIC, &after);
    world->client = NULL;
    took = (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
    assert_true(took < 3.0);
    lockstep_close(NULL);
}

/* Polls go on by themselves; failures make them rarer, and Retry-After is obeyed. */
static void polls_slow_down_while_they_fail(void **state)
{
    struct world *world = *state;
    unsigned count;

    serve(world, 1, 1);
    open_client(world, 20);
    assert_true(fake_server_wait(world->server, 8));
    fake_server_status(world->server, 503, "", "");
    count = fake_server_count(world->server);
    nap_ms(700); /* 20 + 40 + 80 + 160 + 320 ms: about five polls, not thirty-five */
    assert_in_range(fake_server_count(world->server) - count, 2, 9);
    fake_server_status(world->server, 429, "Retry-After: 60\r\n", "");
    count = fake_server_count(world->server);
    assert_true(fake_server_wait(world->server, count + 1));
    nap_ms(300);
    assert_in_range(fake_server_count(world->server), count + 1, count + 2);
    serve(world, 1, 2);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    count = fake_server_count(world->server);
    assert_true(fake_server_wait(world->server, count + 4));
}

struct asker {
    lockstep_client *client;
    atomic_bool stop;
    atomic_uint wrong;
};

static void *ask_on(void *argument)
{
    struct asker *asker = argument;

    while (!atomic_load(&asker->stop)) {
        lockstep_details details;
        char text[20];

        if (!lockstep_bool(asker->client, "b", "{\"region\":\"us\"}", false, &details) ||
            strcmp(details.reason, "DEFAULT") != 0 ||
            lockstep_string(asker->client, "s", NULL, "", text, sizeof text, NULL) != 5 ||
            strcmp(text, "hello") != 0)
            atomic_fetch_add(&asker->wrong, 1);
    }
    return NULL;
}

/* Threads ask while rulesets come and go; with the sanitizers this is the test of the cell. */
static void answers_go_on_while_rulesets_change(void **state)
{
    struct world *world = *state;
    struct asker asker = {.client = NULL};
    pthread_t threads[3];

    serve(world, 1, 1);
    open_client(world, 60000);
    assert_int_equal(lockstep_wait_ready(world->client, 10000), LOCKSTEP_OK);
    asker.client = world->client;
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, ask_on, &asker), 0);
    for (unsigned revision = 2; revision <= 30; revision++) {
        serve(world, 1, revision);
        assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    }
    atomic_store(&asker.stop, true);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&asker.wrong), 0);
    assert_int_equal(state_of(world).revision, 30);
    assert_int_equal(state_of(world).failures, 0);
}

static void a_config_that_cannot_work_is_refused(void **state)
{
    struct world *world = *state;
    static const struct {
        lockstep_config config;
        const char *error;
    } cases[] = {
        {{.token = "t"}, "no server: set config.url or LOCKSTEP_URL"},
        {{.url = "ftp://x", .token = "t"}, "'ftp://x' is no http:// or https:// address"},
        {{.url = "http://x"}, "no token: set config.token"},
        {{.url = "http://x", .token = ""}, "no token: set config.token"},
        {{.url = "http://x", .token_file = "/nonexistent/token"}, ""},
    };
    char error[200];

    unsetenv("LOCKSTEP_URL");
    unsetenv("LOCKSTEP_TOKEN");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(lockstep_open(&cases[i].config, &world->client, error, sizeof error),
                         LOCKSTEP_INVALID);
        assert_null(world->client);
        assert_ptr_equal(strstr(error, cases[i].error), error);
        assert_true(error[0] != '\0');
    }
    write_text(world->token_file, "\n");
    assert_int_equal(
        lockstep_open(&(lockstep_config){.url = "http://x", .token_file = world->token_file},
                      &world->client, error, sizeof error),
        LOCKSTEP_INVALID);
    assert_int_equal(lockstep_open(NULL, &world->client, NULL, 0), LOCKSTEP_INVALID);
    assert_int_equal(lockstep_open(NULL, NULL, error, sizeof error), LOCKSTEP_INVALID);
    setenv("LOCKSTEP_URL", fake_server_url(world->server), 1);
    setenv("LOCKSTEP_TOKEN", "t", 1);
    assert_int_equal(lockstep_open(NULL, &world->client, error, sizeof error), LOCKSTEP_OK);
    assert_true(fake_server_saw(world->server, 0, "Authorization: Bearer t\r\n"));
    unsetenv("LOCKSTEP_URL");
    unsetenv("LOCKSTEP_TOKEN");
}

/* Once, and the rest when the client goes; never what nobody asked for. */
static void what_is_asked_for_is_told(void **state)
{
    struct world *world = *state;
    unsigned count;

    serve(world, 1, 1);
    open_client(world, 60000);
    assert_true(fake_server_saw(world->server, 0, "X-Lockstep-Usage: 1\r\n"));
    assert_true(fake_server_wait(world->server, 2));
    (void)answer(world, "b", NULL);
    (void)answer(world, "nowhere", NULL);
    count = fake_server_count(world->server);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    assert_true(fake_server_saw(world->server, count, "POST /sdk/v1/usage HTTP/1.1\r\n"));
    assert_true(fake_server_saw(world->server, count, "\r\n\r\n{\"flags\":[\"b\"]}"));
    (void)lockstep_number(world->client, "n", NULL, 0, NULL);
    serve(world, 1, 2); /* the mark goes over to the next ruleset */
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK);
    assert_true(fake_server_saw(world->server, count, "If-None-Match: \"1-2\"\r\n"));
    count = fake_server_count(world->server);
    assert_int_equal(lockstep_refresh(world->client, 10000), LOCKSTEP_OK); /* told a moment ago */
    lockstep_close(world->client);
    world->client = NULL;
    assert_true(fake_server_saw(world->server, count, "\r\n\r\n{\"flags\":[\"n\"]}"));
    assert_int_equal(fake_server_count(world->server), count + 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_of_every_type),
        TEST(fallbacks_come_with_a_reason),
        TEST(requests_say_who_and_what_is_served),
        TEST(only_newer_rulesets_are_taken),
        TEST(bad_answers_leave_what_is_served),
        TEST(a_tied_flag_ends_with_its_lease),
        TEST(the_cache_serves_until_the_server_answers),
        TEST(an_old_cache_knows_nothing_of_schemas),
        TEST(the_cache_grows_young_with_each_lease),
        TEST(what_is_not_kept_is_not_confirmed),
        TEST(a_cache_is_not_confirmed_by_its_tag_alone),
        TEST(a_cache_from_elsewhere_gives_way),
        TEST(a_damaged_cache_is_no_cache),
        TEST(a_new_token_is_read_from_its_file),
        TEST(closing_cuts_a_hanging_request),
        TEST(polls_slow_down_while_they_fail),
        TEST(answers_go_on_while_rulesets_change),
        TEST(what_is_asked_for_is_told),
        TEST(a_config_that_cannot_work_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
