/*
 * The n-th allocation fails, for n = 1, 2, 3 ... until the work succeeds. Each failure must be told
 * as such and leak nothing (the address sanitizer's run sees to that). Allocations of our own code
 * are counted; those inside shared libraries are not.
 */
#include "tests/base/unit.h"

#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/cli.h"
#include "base/fetch.h"
#include "base/file.h"
#include "base/json.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_realloc(void *at, size_t bytes);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_realloc(void *at, size_t bytes);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

static unsigned fail_at; /* 0: never */
static unsigned calls;

static bool fails(void)
{
    calls++;
    return fail_at != 0 && calls == fail_at;
}

void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    return fails() ? NULL : __real_calloc(count, bytes);
}

void *__wrap_realloc(void *at, size_t bytes)
{
    return fails() ? NULL : __real_realloc(at, bytes);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return fails() ? NULL : __real_strndup(text, len);
}

/* Runs work, which says whether it succeeded, with each allocation failing once. Returns how many
 * allocations there were. */
static unsigned each_fails_once(bool (*work)(void))
{
    for (unsigned n = 1; n < 10000; n++) {
        bool done;

        calls = 0;
        fail_at = n;
        done = work();
        fail_at = 0;
        if (done) {
            assert_true(calls < n); /* or a failure went unnoticed */
            return n - 1;
        }
    }
    fail_msg("no end");
    return 0;
}

static bool use_buf(void)
{
    struct buf buf = {0};
    char *text;

    for (int i = 0; i < 100; i++) {
        buf_print(&buf, "%d", i);
        buf_sql_name(&buf, STR("a\"b"));
    }
    text = buf_take(&buf);
    if (text == NULL) {
        return false;
    }
    assert_int_equal(strlen(text), 190 + 600);
    free(text);
    return true;
}

static bool use_arena(void)
{
    struct arena arena = {0};
    bool done = arena_take(&arena, 100) != NULL && arena_zero(&arena, 1000, 8) != NULL &&
                arena_text(&arena, "abc", 3) != NULL && arena_take(&arena, 100000) != NULL &&
                arena_print(&arena, "%5000d", 1) != NULL;

    arena_fini(&arena);
    return done;
}

static const char document[] = "{\"b\":[1,2.5,\"x\\n\"],\"a\":{\"d\":null,\"c\":true}}";

static bool print_json(void)
{
    struct json *json = NULL;
    char *canonical, *pretty, *quoted;
    bool done;

    if (json_parse(document, sizeof document - 1, &json, NULL) != ERR_OK) {
        return false;
    }
    canonical = json_print_canonical(json);
    pretty = json_print_pretty(json);
    quoted = json_quote("a\"b", 3);
    done = canonical != NULL && pretty != NULL && quoted != NULL;
    if (canonical != NULL) {
        assert_string_equal(canonical, "{\"a\":{\"c\":true,\"d\":null},\"b\":[1,2.5,\"x\\n\"]}");
    }
    free(canonical);
    free(pretty);
    free(quoted);
    json_free(json);
    return done;
}

static bool write_and_read(void)
{
    const char *top = getenv("TMPDIR");
    char path[512], *text = NULL;
    struct err err = {0};
    enum err_code rc;

    snprintf(path, sizeof path, "%s/nomem-%d", top != NULL ? top : "/tmp", (int)getpid());
    rc = file_write_atomic(path, "hello", 5, 0600, &err);
    if (rc == ERR_OK) {
        rc = file_read(path, 100, &text, NULL, &err);
    }
    unlink(path);
    if (rc != ERR_OK) {
        assert_int_equal(rc, ERR_NOMEM);
        assert_int_equal(err.code, ERR_NOMEM);
        assert_null(text);
        return false;
    }
    assert_string_equal(text, "hello");
    free(text);
    return true;
}

static bool list_folder(void)
{
    struct err err = {0};
    char **names = NULL;
    size_t count = 0;
    enum err_code rc = file_list("/", &names, &count, &err);

    if (rc != ERR_OK) {
        assert_int_equal(rc, ERR_NOMEM);
        assert_null(names);
        return false;
    }
    assert_true(count > 0);
    file_list_free(names, count);
    return true;
}

static bool fetch_nobody(void)
{
    static const char *const headers[] = {"X-A: b", NULL};
    struct fetch *fetch = fetch_new();
    struct fetch_request request = {.method = "PUT",
                                    .url = "http://127.0.0.1:1/",
                                    .bearer = "t",
                                    .if_match = "\"1\"",
                                    .headers = headers,
                                    .body = "{}",
                                    .body_len = 2};
    struct fetch_reply reply;
    struct err err = {0};
    enum err_code rc;

    if (fetch == NULL) {
        return false;
    }
    rc = fetch_send(fetch, &request, &reply, &err);
    fetch_free(fetch);
    assert_true(rc == ERR_NOMEM || rc == ERR_IO);
    return rc == ERR_IO; /* nobody listens there: as far as it goes */
}

static int run_nothing(struct cli *cli, void *ctx)
{
    (void)ctx;
    return strcmp(cli_operand(cli, 0), "x") == 0 && cli_given(cli, "to") ? 5 : 99;
}

static bool run_cli(void)
{
    static const struct cli_option options[] = {{.name = "to", .argument = "N", .help = "n"}, {0}};
    static const struct cli_command commands[] = {
        {"do", "X", "does", NULL, options, 1, 1, run_nothing}, {0}};
    static const struct cli_program program = {"p", "q", NULL, commands, NULL, NULL};
    char *argv[] = {"p", "do", "x", "--to=1", NULL};
    int code;

    code = cli_main(&program, 4, argv, NULL);
    assert_true(code == 5 || code == 1);
    return code == 5;
}

static void every_failure_is_told(void **state)
{
    static const struct {
        const char *name;
        bool (*work)(void);
        unsigned at_least;
    } rows[] = {
        {"buf", use_buf, 4},         {"arena", use_arena, 3},    {"json", print_json, 3},
        {"file", write_and_read, 2}, {"folder", list_folder, 2}, {"fetch", fetch_nobody, 3},
        {"cli", run_cli, 2},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        unsigned count = each_fails_once(rows[i].work);

        print_message("proof: %s: %u allocations failed, one after another\n", rows[i].name, count);
        assert_true(count >= rows[i].at_least);
    }
}

/* Where there is no memory to sort in, the answer is found the slow way. */
static void json_compares_without_memory(void **state)
{
    struct json *a = NULL, *b = NULL, *twice = NULL;

    (void)state;
    assert_int_equal(json_parse(document, sizeof document - 1, &a, NULL), ERR_OK);
    assert_int_equal(
        json_parse("{\"a\":{\"c\":true,\"d\":null},\"b\":[1,2.5,\"x\\n\"]}", 43, &b, NULL), ERR_OK);
    assert_int_equal(json_parse("{\"a\":1,\"b\":2,\"a\":3}", 19, &twice, NULL), ERR_OK);
    for (unsigned n = 0; n < 8; n++) {
        const char *key = NULL;

        calls = 0;
        fail_at = n;
        assert_true(json_equal(a, b));
        calls = 0;
        assert_true(json_has_duplicate_keys(twice, &key));
        assert_string_equal(key, "a");
        calls = 0;
        assert_false(json_has_duplicate_keys(a, &key));
        fail_at = 0;
    }
    json_free(a);
    json_free(b);
    json_free(twice);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failure_is_told),
        cmocka_unit_test(json_compares_without_memory),
    };

    return cmocka_run_group_tests_name("nomem", tests, NULL, NULL);
}
