/* clock, utf8 and nearest: small things that many stand on. */
#include "tests/base/unit.h"

#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/nearest.h"
#include "base/utf8.h"

static void wall_time_as_text(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-1000, "1969-12-31T23:59:59.000Z"},
        {1795249800250, "2026-11-21T08:30:00.250Z"},
        {951782400000, "2000-02-29T00:00:00.000Z"},
        {253402300799999, "9999-12-31T23:59:59.999Z"},
        {253402300800000, "out of range"},
        {INT64_MAX, "out of range"},
        {INT64_MIN, "out of range"},
    };
    char text[CLOCK_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal(clock_text(rows[i].ms, text), rows[i].text);
    }
}

static void times_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t wall_ms; /* -1: none */
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-01-31", 1769817600000},
        {"2026-01-31T18:00:00Z", 1769882400000},
        {"2026-01-31T18:00Z", 1769882400000},
        {"2026-01-31T18:00:00.25Z", 1769882400250},
        {"2026-01-31T18:00:00.2509Z", 1769882400250},
        {"2026-01-31T19:30:00+01:30", 1769882400000},
        {"2026-01-31T17:00:00-01:00", 1769882400000},
        {"2024-02-29", 1709164800000},
        {"0001-01-01", -62135596800000},
        {"2023-02-29", -1},
        {"2026-13-01", -1},
        {"2026-00-01", -1},
        {"2026-01-00", -1},
        {"2026-01-31T24:00:00Z", -1},
        {"2026-01-31T18:60:00Z", -1},
        {"2026-01-31T18:00:60Z", -1},
        {"2026-01-31T18:00:00", -1},
        {"2026-01-31T18:00:00+0100", -1},
        {"2026-01-31T18:00:00Z ", -1},
        {"2026-1-31", -1},
        {"tomorrow", -1},
        {"", -1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t wall_ms = -1;

        if (clock_parse(cases[i].text, &wall_ms) != (cases[i].wall_ms != -1) ||
            wall_ms != cases[i].wall_ms) {
            fail_msg("'%s': %lld", cases[i].text, (long long)wall_ms);
        }
    }
}

static void spans_as_text(void **state)
{
    static const struct {
        int64_t us;
        const char *text;
    } rows[] = {
        {-5, "0 ms"},
        {499, "0 ms"},
        {850000, "850 ms"},
        {999499, "999 ms"},
        {999500, "1.0 s"},
        {12340000, "12.3 s"},
        {59949999, "59.9 s"},
        {59950000, "1 min 0 s"},
        {250000000, "4 min 10 s"},
        {3599499999, "59 min 59 s"},
        {3599600000, "1 h 0 min"},
        {11100000000, "3 h 5 min"},
        {INT64_MAX, "2562047788 h 1 min"},
    };
    char text[CLOCK_TEXT_BYTES];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal(clock_span_text(rows[i].us, text), rows[i].text);
    }
}

static void on_alarm(int number)
{
    (void)number;
}

static void sleep_goes_on_after_a_signal(void **state)
{
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval soon = {.it_value = {0, 10000}, .it_interval = {0, 10000}};
    struct itimerval never = {{0, 0}, {0, 0}};
    int64_t started = clock_monotonic_us();

    (void)state;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    clock_sleep_us(80000);
    setitimer(ITIMER_REAL, &never, NULL);
    assert_true(clock_monotonic_us() - started >= 80000);
    clock_sleep_us(0);
    clock_sleep_us(-1);
}

static void wall_time_is_this_century(void **state)
{
    (void)state;
    assert_true(clock_wall_ms() > 1700000000000 && clock_wall_ms() < 4102444800000);
}

static void utf8_well_formed_only(void **state)
{
    static const struct {
        const char *text;
        size_t len, sequence;
    } rows[] = {
        {"", 0, 0},
        {"a", 1, 1},
        {"\0", 1, 1},
        {"\x7F", 1, 1},
        {"\x80", 1, 0},
        {"\xC1\xBF", 2, 0}, /* overlong */
        {"\xC2\x80", 2, 2},
        {"\xDF\xBF", 2, 2},
        {"\xC3", 1, 0},
        {"\xC3\x28", 2, 0},
        {"\xE0\x9F\xBF", 3, 0}, /* overlong */
        {"\xE0\xA0\x80", 3, 3},
        {"\xED\x9F\xBF", 3, 3},
        {"\xED\xA0\x80", 3, 0}, /* a surrogate */
        {"\xEF\xBF\xBF", 3, 3},
        {"\xE2\x82\x28", 3, 0},
        {"\xF0\x8F\xBF\xBF", 4, 0}, /* overlong */
        {"\xF0\x90\x80\x80", 4, 4},
        {"\xF4\x8F\xBF\xBF", 4, 4},
        {"\xF4\x90\x80\x80", 4, 0}, /* past U+10FFFF */
        {"\xF0\x9F\x98", 3, 0},
        {"\xF5\x80\x80\x80", 4, 0},
        {"\xFF", 1, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(utf8_sequence(rows[i].text, rows[i].len), rows[i].sequence);
        assert_int_equal(utf8_valid(rows[i].text, rows[i].len),
                         rows[i].len == 0 || rows[i].sequence == rows[i].len);
    }
    assert_true(utf8_valid("a\xC3\xA9\xF0\x9F\x98\x80z", 8));
    assert_false(utf8_valid("abc\xC3", 4));
}

static void distances(void **state)
{
    char longer[66];

    (void)state;
    assert_int_equal(nearest_distance("", ""), 0);
    assert_int_equal(nearest_distance("", "abc"), 3);
    assert_int_equal(nearest_distance("kitten", "sitting"), 3);
    assert_int_equal(nearest_distance("apply", "aplpy"), 1); /* a swap of neighbours */
    assert_int_equal(nearest_distance("rollback", "rolback"), 1);
    memset(longer, 'x', 65);
    longer[65] = '\0';
    assert_int_equal(nearest_distance(longer, "x"), UINT32_MAX);
    longer[64] = '\0';
    assert_int_equal(nearest_distance(longer, "x"), 63);
}

static void the_nearest_or_none(void **state)
{
    static const char *const names[] = {"apply", "plan", "rollback", "status", "verify"};

    (void)state;
    assert_string_equal(nearest_name("aply", names, 5), "apply");
    assert_string_equal(nearest_name("plna", names, 5), "plan");
    assert_string_equal(nearest_name("rolbak", names, 5), "rollback");
    assert_string_equal(nearest_name("status", names, 5), "status");
    assert_null(nearest_name("frobnicate", names, 5));
    assert_null(nearest_name("", names, 5));
    assert_null(nearest_name("plan", names, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_time_as_text),
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(spans_as_text),
        cmocka_unit_test(sleep_goes_on_after_a_signal),
        cmocka_unit_test(wall_time_is_this_century),
        cmocka_unit_test(utf8_well_formed_only),
        cmocka_unit_test(distances),
        cmocka_unit_test(the_nearest_or_none),
    };

    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
