/*
 * What happens to a migrator while it walks: it is stopped past its lock's expiry and goes on, the
 * clock jumps by a day, two begin at once, somebody else holds the file, the file or its folder can
 * only be read, its migration is edited under it.
 */
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/migrator/unit.h"

#include "migrator/migrate.h"
#include "tests/migrator/play.h"
#include "tests/walk/disk.h"

#define ROWS 900
#define DAY_S 86400

static char disk[400], db[420], migrations[420];

/* A database with one phased migration before it, in a folder that disk.h looks at. */
static int setup(void **state)
{
    char path[500];
    sqlite3 *app;

    (void)state;
    snprintf(disk, sizeof disk, "%s", scratch("hazards"));
    snprintf(db, sizeof db, "%.390s/app.db", disk);
    snprintf(migrations, sizeof migrations, "%s", scratch("hazard_migrations"));
    play_remove(disk);
    play_remove(migrations);
    snprintf(path, sizeof path, "%s/0001_split/migration.json", migrations);
    play_write(path, "{\"table\": \"person\", \"add\": {\"domain\": {\"type\": \"TEXT\", "
                     "\"not_null\": true}}, \"forward\": {\"domain\": \"lower(email)\"}, "
                     "\"old_writes_idle\": \"0s\"}");
    play_write(db, "");
    app = app_open(db);
    app_run(app, "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;"
                 "CREATE TABLE person(id INTEGER PRIMARY KEY, email TEXT NOT NULL);"
                 "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) "
                 "INSERT INTO person(email) SELECT 'P' || i FROM n");
    app_close(app);
    return 0;
}

static enum err_code apply(const char *to, struct err *err)
{
    return play_apply(db, migrations, to, err);
}

static const char *state_now(void)
{
    return play_state(db, migrations, "0001_split");
}

static void check_sound(void)
{
    sqlite3 *app = app_open(db);
    char *rows = app_rows(app, "PRAGMA integrity_check");

    assert_string_equal(rows, "ok\n");
    assert_int_equal(app_number(app, "SELECT count(*) FROM person WHERE email = 'P' || id"), ROWS);
    assert_int_equal(app_number(app, "SELECT count(*) FROM lockstep_guard"), 0);
    free(rows);
    app_close(app);
}

/* apply in a process of its own; it ends with its code, and its message in the file "said". */
static pid_t start(const struct disk_plan *plan, const char *to)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct err err = {0};
        struct disk_plan own = *plan;
        char said[500];
        FILE *file;
        enum err_code rc;
        own.folder = disk;
        disk_begin(&own);
        rc = apply(to, &err);
        snprintf(said, sizeof said, "%s.%ld", scratch("said"), (long)getpid());
        file = fopen(said, "w");
        if (file == NULL || fputs(err.msg, file) < 0 || fclose(file) != 0) {
            _exit(125);
        }
        _exit((int)rc);
    }
    return pid;
}

/* Its code, and what it said (lent until the next). */
static enum err_code end_of(pid_t pid, const char **said)
{
    static char text[ERR_MSG_BYTES];
    char path[500], *read;
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    snprintf(path, sizeof path, "%s.%ld", scratch("said"), (long)pid);
    read = play_read(path);
    snprintf(text, sizeof text, "%s", read);
    free(read);
    *said = text;
    return (enum err_code)WEXITSTATUS(status);
}

static bool is_locked(void)
{
    sqlite3 *app = app_open(db);
    bool locked;

    assert_int_equal(sqlite3_busy_timeout(app, 0), SQLITE_OK);
    locked = app_try(app, "BEGIN IMMEDIATE") != SQLITE_OK;
    app_close(app);
    return locked;
}

/* Who went on where another has been meanwhile. */
static void check_late(long at, enum err_code rc, const char *said)
{
    if (rc == ERR_CONFLICT ? strstr(said, "run the command again") == NULL
                           : rc != ERR_OK && rc != ERR_BUSY) {
        fail_msg("stopped at %ld, it went on with: %s: %s", at, err_code_name(rc), said);
    }
}

/* Stopped at each look at the clock in turn; another begins a minute of the clock later. */
static void who_slept_past_its_lock_is_refused(void **state)
{
    int refused = 0, locked = 0, ended = 0;
    bool full = getenv("CHECK_FULL") != NULL;

    (void)state;
    for (long at = 1;; at += full ? 1 : 9) {
        struct disk_plan sleeps = {.act = DISK_STOP, .at = at, .clocks = true};
        struct disk_plan later = {.act = DISK_COUNT, .clock_shift_s = 60};
        enum err_code first, second = ERR_BUSY;
        const char *said;
        bool in_transaction;
        pid_t sleeper;
        int status;

        setup(NULL);
        sleeper = start(&sleeps, "in-sync");
        assert_int_equal(waitpid(sleeper, &status, WUNTRACED), sleeper);
        if (!WIFSTOPPED(status)) {
            assert_int_equal(status, 0);
            break; /* it looks less often */
        }
        in_transaction = is_locked(); /* then the file keeps everybody waiting, and out */
        if (!in_transaction || locked == 0) {
            second = end_of(start(&later, "in-sync"), &said);
        }
        if (second != (in_transaction ? ERR_BUSY : ERR_OK)) {
            fail_msg("stopped at %ld, the other: %s: %s", at, err_code_name(second), said);
        }
        assert_int_equal(kill(sleeper, SIGCONT), 0);
        first = end_of(sleeper, &said);
        check_late(at, first, said);
        locked += in_transaction;
        refused += first == ERR_CONFLICT;
        ended += first == ERR_OK && second == ERR_OK; /* nothing was left to do */
        PLAY(apply("in-sync", &play_err));
        assert_string_equal(state_now(), "in-sync");
        check_sound();
    }
    print_message(
        "proof: stopped: %d refused by the epoch, %d held the file, %d had nothing left to do\n",
        refused, locked, ended);
    assert_true(refused > 0 && locked > 0);
}

static void a_clock_that_jumps_changes_nothing(void **state)
{
    static const int64_t jumps[] = {DAY_S, -DAY_S};
    int walks = 0, verified_again = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(jumps); i++) {
        for (long at = 1; at < 90; at += getenv("CHECK_FULL") != NULL ? 4 : 40) {
            struct disk_plan plan = {.act = DISK_COUNT, .clock_at = at, .clock_shift_s = jumps[i]};
            const char *said;
            enum err_code code;
            setup(NULL);
            code = end_of(start(&plan, "contracted"), &said);
            if (code == ERR_CONFLICT && strstr(said, "verification does not count") != NULL) {
                PLAY(apply("contracted", &play_err)); /* a verification from tomorrow is none */
                verified_again++;
            } else if (code != ERR_OK) {
                fail_msg("%lld s at %ld: %s: %s", (long long)jumps[i], at, err_code_name(code),
                         said);
            }
            assert_string_equal(state_now(), "contracted");
            /* And the next one, whose clock is right, is not kept out by a lock from tomorrow. */
            PLAY(play_rollback(db, migrations, "pending", &play_err));
            check_sound();
            walks++;
        }
    }
    print_message("proof: %d walks over a clock that jumps, %d had to be begun again\n", walks,
                  verified_again);
}

/* A killed one's lock from a clock that was a day ahead. */
static void a_lock_from_tomorrow_ends_with_its_owner(void **state)
{
    struct disk_plan plan = {.act = DISK_KILL, .at = 30, .clock_at = 0, .clock_shift_s = DAY_S};
    int status;
    pid_t pid;

    (void)state;
    pid = start(&plan, "contracted");
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    PLAY(apply("contracted", &play_err));
    assert_string_equal(state_now(), "contracted");
    check_sound();
}

static void two_at_once(void **state)
{
    int both = 0, one = 0, rounds = getenv("CHECK_FULL") != NULL ? 20 : 5;

    (void)state;
    for (int i = 0; i < rounds; i++) {
        struct disk_plan plan = {.act = DISK_COUNT};
        enum err_code a, b;
        const char *said;
        pid_t first, second;

        setup(NULL);
        first = start(&plan, "contracted");
        second = start(&plan, "contracted");
        a = end_of(first, &said);
        if (a != ERR_OK && a != ERR_BUSY) {
            fail_msg("one of two: %s: %s", err_code_name(a), said);
        }
        b = end_of(second, &said);
        if (b != ERR_OK && b != ERR_BUSY) {
            fail_msg("one of two: %s: %s", err_code_name(b), said);
        }
        assert_true(a == ERR_OK || b == ERR_OK);
        both += a == ERR_OK && b == ERR_OK;
        one += a != b;
        assert_string_equal(state_now(), "contracted");
        check_sound();
    }
    print_message(
        "proof: two at once: in %d rounds both came to the end, in %d one was told to wait\n", both,
        one);
}

static void somebody_else_holds_the_file(void **state)
{
    struct disk_plan plan = {.act = DISK_COUNT};
    int hold[2];
    pid_t holder, walker;
    const char *said;
    char byte = 0;

    (void)state;
    assert_int_equal(pipe(hold), 0);
    fflush(NULL);
    holder = fork();
    if (holder == 0) {
        sqlite3 *app = NULL;
        bool held = sqlite3_open(db, &app) == SQLITE_OK &&
                    sqlite3_exec(app,
                                 "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE person "
                                 "SET email = email WHERE id = 1",
                                 NULL, NULL, NULL) == SQLITE_OK;
        if (held && write(hold[1], &byte, 1) == 1) {
            (void)pause();
        }
        _exit(1);
    }
    assert_int_equal(read(hold[0], &byte, 1), 1);
    walker = start(&plan, "contracted");
    assert_int_equal(end_of(walker, &said), ERR_BUSY);
    assert_non_null(strstr(said, "locked"));
    assert_int_equal(kill(holder, SIGKILL), 0);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
    assert_int_equal(close(hold[0]) + close(hold[1]), 0);
    PLAY(apply("contracted", &play_err));
    assert_string_equal(state_now(), "contracted");
    check_sound();
}

/* As root every file may be written, so a child becomes nobody first. */
static enum err_code apply_as_nobody(char message[ERR_MSG_BYTES])
{
    int told[2], status;
    ssize_t len;
    pid_t pid;

    assert_int_equal(pipe(told), 0);
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        struct err err = {0};
        enum err_code rc;
        if (geteuid() == 0 && setuid(65534) != 0) {
            _exit(125);
        }
        rc = apply("contracted", &err);
        if (write(told[1], err.msg, strlen(err.msg)) < 0) {
            _exit(124);
        }
        _exit((int)rc);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(close(told[1]), 0);
    len = read(told[0], message, ERR_MSG_BYTES - 1);
    message[len > 0 ? len : 0] = '\0';
    assert_int_equal(close(told[0]), 0);
    return (enum err_code)WEXITSTATUS(status);
}

static void check_denied(const char *what)
{
    char message[ERR_MSG_BYTES];
    enum err_code rc = apply_as_nobody(message);

    if (rc != ERR_DENIED || strstr(message, "permission") == NULL) {
        fail_msg("%s: %s: %s", what, err_code_name(rc), message);
    }
}

static void what_can_only_be_read_is_said_to_be_so(void **state)
{
    char *before = NULL, *after;
    sqlite3 *app;

    (void)state;
    app = app_open(db);
    app_run(app, "PRAGMA journal_mode = DELETE");
    before = app_schema(app);
    app_close(app);
    assert_int_equal(chmod(disk, 0555), 0);
    assert_int_equal(chmod(db, 0444), 0);
    check_denied("a file that can only be read");
    assert_int_equal(chmod(db, 0666), 0);
    check_denied("a folder that can only be read"); /* no journal can be made beside it */
    assert_int_equal(chmod(disk, 0777), 0);
    app = app_open(db);
    after = app_schema(app);
    assert_string_equal(after, before);
    assert_int_equal(
        app_number(app, "SELECT count(*) FROM sqlite_master WHERE name LIKE 'lockstep%'"), 0);
    app_close(app);
    free(before);
    free(after);
    PLAY(apply("contracted", &play_err));
    check_sound();
}

static void a_migration_edited_in_mid_walk_is_refused(void **state)
{
    struct disk_plan stops = {.act = DISK_KILL, .at = 40};
    struct err err = {0};
    char path[500], *text, *edited;
    int status;
    pid_t pid;

    (void)state;
    pid = start(&stops, "in-sync");
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    PLAY(apply("expanded", &play_err)); /* at least */
    snprintf(path, sizeof path, "%s/0001_split/migration.json", migrations);
    text = play_read(path);
    edited = strdup(text);
    memcpy(strstr(edited, "lower(email)"), "upper(email)", 12);
    play_write(path, edited);
    assert_int_equal(apply("in-sync", &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "edited after it was applied"));
    assert_int_equal(play_rollback(db, migrations, "pending", &err), ERR_CONFLICT);
    assert_non_null(strstr(err.msg, "edited after it was applied"));
    play_write(path, text);
    free(edited);
    free(text);
    PLAY(apply("in-sync", &play_err));
    assert_string_equal(state_now(), "in-sync");
    check_sound();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        TEST(who_slept_past_its_lock_is_refused),
        TEST(a_clock_that_jumps_changes_nothing),
        TEST(a_lock_from_tomorrow_ends_with_its_owner),
        TEST(two_at_once),
        TEST(somebody_else_holds_the_file),
        TEST(what_can_only_be_read_is_said_to_be_so),
        TEST(a_migration_edited_in_mid_walk_is_refused),
    };

    return cmocka_run_group_tests_name("hazards", tests, NULL, NULL);
}
