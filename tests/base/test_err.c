/* err: codes, their names and exits, messages that are cut and never overrun. */
#include "tests/base/unit.h"

#include "base/err.h"

static void each_code_has_a_name_a_status_and_an_exit_code(void **state)
{
    static const struct {
        enum err_code code;
        const char *name;
        int http, exit_code;
    } rows[] = {
        {ERR_OK, "ok", 200, 0},
        {ERR_INVALID, "invalid", 400, 2},
        {ERR_NOT_FOUND, "not_found", 404, 1},
        {ERR_CONFLICT, "conflict", 409, 3},
        {ERR_LIMIT, "limit", 413, 1},
        {ERR_BUSY, "busy", 503, 4},
        {ERR_DENIED, "denied", 403, 1},
        {ERR_STALE, "stale", 412, 3},
        {ERR_RATE, "rate", 429, 4},
        {ERR_TIMEOUT, "timeout", 504, 1},
        {ERR_FULL, "full", 503, 1},
        {ERR_NOMEM, "nomem", 503, 1},
        {ERR_IO, "io", 500, 1},
    };
    size_t count = 0;

    (void)state;
#define X(name, http, exit_code) count++;
    ERR_CODES(X)
#undef X
    assert_int_equal(COUNT(rows), count);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(rows[i].code, i);
        assert_string_equal(err_code_name(rows[i].code), rows[i].name);
        assert_int_equal(err_http_status(rows[i].code), rows[i].http);
        assert_int_equal(err_exit_code(rows[i].code), rows[i].exit_code);
    }
}

static void a_code_of_nobody_is_a_failure(void **state)
{
    (void)state;
    assert_string_equal(err_code_name((enum err_code)99), "io");
    assert_int_equal(err_http_status((enum err_code)99), 500);
    assert_int_equal(err_exit_code((enum err_code)99), 1);
}

static void set_fills_and_returns_the_code(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(err_set(&err, ERR_BUSY, "lock held by %s", "ann"), ERR_BUSY);
    assert_int_equal(err.code, ERR_BUSY);
    assert_string_equal(err.msg, "lock held by ann");
    assert_int_equal(err_set(NULL, ERR_IO, "nobody %d", 1), ERR_IO);
}

static void wrap_puts_the_caller_in_front(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(err_set(&err, ERR_FULL, "disk full"), ERR_FULL);
    err_wrap(&err, "apply %s", "0007");
    assert_string_equal(err.msg, "apply 0007: disk full");
    assert_int_equal(err.code, ERR_FULL);
    err_wrap(NULL, "nobody");
}

static void long_messages_are_cut(void **state)
{
    struct {
        struct err err;
        char after[4];
    } guarded;
    char longer[ERR_MSG_BYTES + 100];

    (void)state;
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    memset(guarded.after, '#', sizeof guarded.after);
    for (size_t len = ERR_MSG_BYTES - 10; len < ERR_MSG_BYTES + 10; len++) {
        assert_int_equal(err_set(&guarded.err, ERR_IO, "%.*s", (int)len, longer), ERR_IO);
        assert_int_equal(strlen(guarded.err.msg),
                         len < ERR_MSG_BYTES - 1 ? len : ERR_MSG_BYTES - 1);
        err_wrap(&guarded.err, "%s", "front");
        assert_memory_equal(guarded.err.msg, "front: xxx", 10);
        assert_true(strlen(guarded.err.msg) < sizeof guarded.err.msg);
        err_wrap(&guarded.err, "%.*s", (int)len, longer);
        assert_true(strlen(guarded.err.msg) < sizeof guarded.err.msg);
    }
    assert_memory_equal(guarded.after, "####", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_code_has_a_name_a_status_and_an_exit_code),
        cmocka_unit_test(a_code_of_nobody_is_a_failure),
        cmocka_unit_test(set_fills_and_returns_the_code),
        cmocka_unit_test(wrap_puts_the_caller_in_front),
        cmocka_unit_test(long_messages_are_cut),
    };

    return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
