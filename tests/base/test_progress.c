/* progress and log: what people read on stderr. The stream is a file here, as in a deploy log. */
#include "tests/base/unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "tests/base/capture.h"

/* Long spans, so that a machine that dawdles for 0.4 s changes no digit. */
#define SECOND_US 1000000

static void a_line_every_few_seconds(void **state)
{
    struct progress progress;
    struct capture err;
    char *said;

    (void)state;
    capture_begin(&err, STDERR_FILENO);
    progress_init(&progress, "backfill 0002_split", 1000, false);
    progress_show(&progress, 1500, 10000); /* too early */
    progress.started_us -= 1000 * SECOND_US;
    progress.shown_us -= 10 * SECOND_US;
    progress_show(&progress, 6000, 10000);
    progress_show(&progress, 6001, 10000); /* too early again */
    progress.shown_us -= 10 * SECOND_US;
    progress_show(&progress, 7000, 0);
    progress.started_us -= 200 * SECOND_US;
    progress_end(&progress, 10600);
    said = capture_end(&err);
    /* 5,000 rows in 1,000 s: a resumed run counts its own rows alone */
    assert_string_equal(said,
                        "backfill 0002_split: 6000 of 10000 (60 %) rows, 5/s, 13 min 20 s left\n"
                        "backfill 0002_split: 7000 rows, 6/s\n"
                        "backfill 0002_split: 10600 rows in 20 min 0 s, 8/s\n");
    free(said);
}

static void quiet_says_nothing(void **state)
{
    struct progress progress;
    struct capture err;
    char *said;

    (void)state;
    capture_begin(&err, STDERR_FILENO);
    progress_init(&progress, "verify", 0, true);
    progress.shown_us -= 10 * SECOND_US;
    progress_show(&progress, 5, 10);
    progress_end(&progress, 10);
    said = capture_end(&err);
    assert_string_equal(said, "");
    free(said);
}

static void more_rows_than_expected_and_none_at_all(void **state)
{
    struct progress progress;
    struct capture err;
    char *said;

    (void)state;
    capture_begin(&err, STDERR_FILENO);
    progress_init(&progress, "backfill", 0, false);
    progress.started_us -= 1000 * SECOND_US;
    progress.shown_us -= 10 * SECOND_US;
    progress_show(&progress, 20, 10); /* rows came in meanwhile */
    progress.shown_us -= 10 * SECOND_US;
    progress_show(&progress, 0, 10);
    said = capture_end(&err);
    assert_string_equal(said, "backfill: 20 of 10 (100 %) rows, 0/s, 0 ms left\n"
                              "backfill: 0 of 10 (0 %) rows\n");
    free(said);
}

static void a_terminal_gets_one_line_that_redraws(void **state)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY), slave, saved = dup(STDERR_FILENO);
    struct progress progress;
    char said[512] = "";
    size_t len = 0;

    (void)state;
    if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0) {
        skip(); /* a machine without terminals */
    }
    slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(slave >= 0);
    fflush(NULL);
    dup2(slave, STDERR_FILENO);
    progress_init(&progress, "verify", 0, true); /* quiet is for logs */
    progress.started_us -= 1000 * SECOND_US;
    progress.shown_us -= SECOND_US;
    progress_show(&progress, 5000, 10000);
    progress_end(&progress, 10000);
    fflush(NULL);
    dup2(saved, STDERR_FILENO);
    while (strchr(said, '\n') == NULL && len < sizeof said - 1) { /* a terminal gives what it has */
        ssize_t got = read(master, said + len, sizeof said - 1 - len);
        assert_true(got > 0);
        len += (size_t)got;
    }
    assert_string_equal(said, "\rverify: 5000 of 10000 (50 %) rows, 5/s, 16 min 40 s left\033[K"
                              "\rverify: 10000 rows in 16 min 40 s, 10/s\033[K\r\n");
    close(saved);
    close(slave);
    close(master);
}

static char *logged(enum log_level level, const char *value)
{
    struct capture err;

    capture_begin(&err, STDERR_FILENO);
    log_event(level, "listening", "address=%s port=%d", value, 8080);
    return capture_end(&err);
}

static void an_event_is_a_line(void **state)
{
    char *said = logged(LOG_INFO, "127.0.0.1");

    (void)state;
    assert_int_equal(strlen("2026-11-21T08:30:00.250Z"), 24);
    assert_int_equal(said[10], 'T');
    assert_int_equal(said[23], 'Z');
    assert_string_equal(said + 24, " info listening address=127.0.0.1 port=8080\n");
    free(said);
}

static void a_value_cannot_end_the_line(void **state)
{
    char *said = logged(LOG_ERROR, "a\nb\r\x1b[31m");

    (void)state;
    assert_string_equal(said + 24, " error listening address=a b  [31m port=8080\n");
    free(said);
}

static void a_long_event_is_cut_to_one_line(void **state)
{
    char *value = malloc(10001), *said;

    (void)state;
    memset(value, 'x', 10000);
    value[10000] = '\0';
    said = logged(LOG_WARN, value);
    assert_int_equal(strlen(said), 4095);
    assert_int_equal(said[4094], '\n');
    assert_ptr_equal(strchr(said, '\n'), said + 4094);
    free(said);
    free(value);
}

static void levels_are_left_out(void **state)
{
    char *said = logged(LOG_DEBUG, "x");

    (void)state;
    assert_string_equal(said, ""); /* the start: LOG_INFO */
    free(said);
    log_set_level(LOG_ERROR);
    said = logged(LOG_WARN, "x");
    assert_string_equal(said, "");
    free(said);
    log_set_level(LOG_DEBUG);
    said = logged(LOG_DEBUG, "x");
    assert_string_equal(said + 24, " debug listening address=x port=8080\n");
    free(said);
    log_set_level(LOG_INFO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_every_few_seconds),
        cmocka_unit_test(quiet_says_nothing),
        cmocka_unit_test(more_rows_than_expected_and_none_at_all),
        cmocka_unit_test(a_terminal_gets_one_line_that_redraws),
        cmocka_unit_test(an_event_is_a_line),
        cmocka_unit_test(a_value_cannot_end_the_line),
        cmocka_unit_test(a_long_event_is_cut_to_one_line),
        cmocka_unit_test(levels_are_left_out),
    };

    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
