/*
 * bench_migrate - a whole walk on a live file: how long the write lock is held, how long a
 * foreground writer waits, how large the log becomes, how fast the backfill is.
 *
 *     bench_migrate [ROWS]        200,000 rows of 200 bytes by default; 10,000,000 are 2 GB
 *
 * Prints ratios of what was measured in this run beside its bars. A writer in a process of its own
 * takes the lock every 5 ms; what it waits is compared with what it waits beside an idle partner
 * that takes the lock in the backfill's rhythm (its mean hold, its mean free time) and does nothing.
 * The backfill's rate is that beside the writer, which a single UPDATE keeps out altogether. RUNS=1
 * makes one run instead of five, OPERATION=rename fills a second table instead of a column. Exits
 * with 1 if a bar is missed and BARS=1 is set: on a shared machine single outliers are the
 * neighbours' (as root, chrt -r 5 keeps them away).
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "migrator/migrate.h"

#define RHYTHM_US 5000
#define WAITS_MAX 400000
#define RUNS_MAX 5

static char folder[400], db[440], log_path[460];
static int runs = RUNS_MAX;
static bool renames;
static volatile sig_atomic_t stopped;

struct waits {
    double p99_ms, longest_ms;
    long count;
};

static void must(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench_migrate: %s\n", what);
        exit(1);
    }
}

static sqlite3 *open_db(const char *path)
{
    sqlite3 *out = NULL;

    must(sqlite3_open(path, &out) == SQLITE_OK, "open");
    (void)sqlite3_busy_timeout(out, 60000);
    return out;
}

static void run(sqlite3 *sqlite, const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(sqlite, sql, NULL, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "%s: %s\n", sql, message);
        exit(1);
    }
}

static void on_stop(int number)
{
    (void)number;
    stopped = 1;
}

static int by_size(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return left < right ? -1 : left > right;
}

/* ---- the other processes; each is forked before this one opens the file ---- */

static void write_and_wait(int out)
{
    static int64_t waits[WAITS_MAX];
    struct waits said = {0};
    sqlite3 *sqlite = open_db(db);

    while (!stopped && said.count < WAITS_MAX) {
        int64_t since = clock_monotonic_us();
        run(sqlite, "BEGIN IMMEDIATE");
        waits[said.count++] = clock_monotonic_us() - since;
        run(sqlite, "UPDATE other SET n = n + 1; COMMIT");
        clock_sleep_us(RHYTHM_US);
    }
    qsort(waits, (size_t)said.count, sizeof waits[0], by_size);
    if (said.count > 0) {
        said.p99_ms = (double)waits[said.count * 99 / 100] / 1000;
        said.longest_ms = (double)waits[said.count - 1] / 1000;
    }
    _exit(write(out, &said, sizeof said) == (ssize_t)sizeof said ? 0 : 1);
}

static void hold_idly(int64_t hold_us, int64_t free_us)
{
    sqlite3 *sqlite = open_db(db);

    while (!stopped) {
        run(sqlite, "BEGIN IMMEDIATE");
        clock_sleep_us(hold_us);
        run(sqlite, "COMMIT");
        clock_sleep_us(free_us);
    }
    _exit(0);
}

static void watch_log(int out)
{
    struct stat info;
    int64_t largest = 0;

    while (!stopped) {
        if (stat(log_path, &info) == 0 && info.st_size > largest) {
            largest = info.st_size;
        }
        clock_sleep_us(2000);
    }
    _exit(write(out, &largest, sizeof largest) == (ssize_t)sizeof largest ? 0 : 1);
}

struct helper {
    pid_t pid;
    int out;
};

enum part { WRITER, HOLDER, WATCHER };

static struct helper start(enum part part, int64_t hold_us, int64_t free_us)
{
    int ends[2];
    struct helper out;

    must(pipe(ends) == 0, "pipe");
    (void)fflush(stdout);
    out.pid = fork();
    must(out.pid >= 0, "fork");
    if (out.pid == 0) {
        (void)signal(SIGTERM, on_stop);
        if (part == WRITER) {
            write_and_wait(ends[1]);
        } else if (part == HOLDER) {
            hold_idly(hold_us, free_us);
        } else {
            watch_log(ends[1]);
        }
    }
    (void)close(ends[1]);
    out.out = ends[0];
    return out;
}

static void stop(struct helper *helper, void *said, size_t size)
{
    (void)kill(helper->pid, SIGTERM);
    if (said != NULL) {
        must(read(helper->out, said, size) == (ssize_t)size, "a helper said nothing");
    }
    (void)waitpid(helper->pid, NULL, 0);
    (void)close(helper->out);
}

/* ---- the walk ---- */

static void make_folder(void)
{
    char path[480];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/0001_fill", folder);
    must(mkdir(folder, 0755) == 0 && mkdir(path, 0755) == 0, "mkdir");
    (void)snprintf(path, sizeof path, "%s/0001_fill/migration.json", folder);
    file = fopen(path, "w");
    must(file != NULL, "fopen");
    fputs(renames
              ? "{\"table\": \"t\", \"rename_table\": \"u\", \"old_writes_idle\": \"0s\"}"
              : "{\"table\": \"t\", \"add\": {\"b\": {\"type\": \"TEXT\", \"not_null\": true}}, "
                "\"forward\": {\"b\": \"upper(a)\"}, \"drop\": [\"a\"], \"reverse\": {\"a\": "
                "\"lower(b)\"}, \"old_writes_idle\": \"0s\"}",
          file);
    must(fclose(file) == 0, "fclose");
}

static void clean_up(void)
{
    char path[480];

    (void)snprintf(path, sizeof path, "%s/0001_fill/migration.json", folder);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s/0001_fill", folder);
    (void)rmdir(path);
    (void)rmdir(folder);
    (void)snprintf(path, sizeof path, "%s-shm", db);
    (void)unlink(path);
    (void)unlink(log_path);
    (void)unlink(db);
}

static void make_table(long rows)
{
    char sql[400];
    sqlite3 *sqlite;

    (void)unlink(db);
    (void)unlink(log_path);
    sqlite = open_db(db);
    run(sqlite,
        "PRAGMA journal_mode = WAL; CREATE TABLE other(n INT); INSERT INTO other VALUES(0); "
        "CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT NOT NULL, body TEXT)");
    (void)snprintf(sql, sizeof sql, /* lint: not SQL */
                   "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %ld) "
                   "INSERT INTO t SELECT i, 'row ' || i, printf('%%0170d', i) FROM n",
                   rows);
    run(sqlite, sql);
    run(sqlite, "PRAGMA wal_checkpoint(TRUNCATE)");
    (void)sqlite3_close(sqlite);
}

static struct json *apply(const char *to)
{
    struct migrate_options options = {.database = db, .folder = folder};
    struct migrate_apply what = {.to_state = to, .recovery_point = "none", .wait_s = 30};
    struct migrate *m = NULL;
    struct json *report = NULL;
    struct err err = {0};

    if (migrate_open(&options, &m, &err) != ERR_OK ||
        migrate_apply(m, &what, &report, &err) != ERR_OK) {
        fprintf(stderr, "bench_migrate: %s\n", err.msg);
        exit(1);
    }
    migrate_close(m);
    return report;
}

static double number(const struct json *step, const char *key)
{
    return json_number(json_get(step, key), 0);
}

static double longest(const struct json *report, const char *prefix)
{
    double most = 0;

    for (const struct json *s = json_first(json_get(report, "steps")); s; s = json_next(s)) {
        double hold = number(s, "hold_ms"), batch = number(s, "longest_hold_ms");
        hold = batch > hold ? batch : hold;
        printf("%s%s: longest hold %.1f ms\n", prefix, json_get_text(s, "phase", ""), hold);
        most = hold > most ? hold : most;
    }
    return most;
}

/* One single UPDATE with the same triggers, in seconds. */
static double single_update(long rows)
{
    sqlite3 *sqlite;
    int64_t since;

    make_table(rows);
    json_free(apply("dual-writing"));
    sqlite = open_db(db);
    since = clock_monotonic_us();
    run(sqlite,
        renames ? "INSERT INTO u SELECT * FROM t" : "UPDATE t SET b = upper(a) WHERE b IS NULL");
    since = clock_monotonic_us() - since;
    (void)sqlite3_close(sqlite);
    return (double)since / 1e6;
}

static double median(double *of)
{
    for (int i = 0; i < runs; i++) {
        for (int k = i + 1; k < runs; k++) {
            if (of[k] < of[i]) {
                double other = of[i];
                of[i] = of[k];
                of[k] = other;
            }
        }
    }
    return of[runs / 2];
}

static int bar(const char *what, double seen, double most, const char *unit)
{
    printf("%s %s: %.2f%s (bar %.2f)\n", seen <= most ? "ok  " : "MISS", what, seen, unit, most);
    return seen > most;
}

int main(int argc, char **argv)
{
    long rows = argc > 1 ? strtol(argv[1], NULL, 10) : 200000;
    const char *top = getenv("TMPDIR");
    double p99[RUNS_MAX], worst[RUNS_MAX], rate[RUNS_MAX], hold[RUNS_MAX], holds = 0, pause = 1e9;
    int64_t log_bytes = 0;
    int missed = 0;

    must(rows > 0, "ROWS is a number");
    runs = getenv("RUNS") != NULL ? (int)strtol(getenv("RUNS"), NULL, 10) : RUNS_MAX;
    must(runs > 0 && runs <= RUNS_MAX, "RUNS is 1 to 5");
    renames = getenv("OPERATION") != NULL && strcmp(getenv("OPERATION"), "rename") == 0;
    (void)snprintf(folder, sizeof folder, "%s/bench_migrate.%ld", top != NULL ? top : "/tmp",
                   (long)getpid());
    (void)snprintf(db, sizeof db, "%s.db", folder);
    (void)snprintf(log_path, sizeof log_path, "%s-wal", db);
    make_folder();
    printf("%ld rows, %d runs, %s\n", rows, runs, renames ? "a renamed table" : "a column");
    for (int i = 0; i < runs; i++) {
        double single = single_update(rows), took, filled;
        struct helper writer, watcher, holder;
        struct waits beside, idle;
        struct json *report, *rest;
        const struct json *step;
        int64_t since, hold_us, free_us, largest;
        make_table(rows);
        json_free(apply("dual-writing"));
        watcher = start(WATCHER, 0, 0);
        writer = start(WRITER, 0, 0);
        since = clock_monotonic_us();
        report = apply("in-sync");
        took = (double)(clock_monotonic_us() - since) / 1e6;
        stop(&writer, &beside, sizeof beside);
        step = json_first(json_get(report, "steps"));
        hold[i] = number(step, "longest_hold_ms");
        filled = took - number(json_get(step, "verify"), "duration_ms") / 1000;
        rate[i] = single / filled;
        rest = apply("purged");
        holds = longest(rest, "  ");
        stop(&watcher, &largest, sizeof largest);
        log_bytes = largest > log_bytes ? largest : log_bytes;
        hold_us = (int64_t)(number(step, "held_ms") / number(step, "batches") * 1000);
        free_us = (int64_t)(filled * 1e6 / number(step, "batches")) - hold_us;
        pause =
            (double)free_us / (double)hold_us < pause ? (double)free_us / (double)hold_us : pause;
        holder = start(HOLDER, hold_us, free_us);
        writer = start(WRITER, 0, 0);
        clock_sleep_us((int64_t)(took * 1e6) > 2000000 ? (int64_t)(took * 1e6) : 2000000);
        stop(&writer, &idle, sizeof idle);
        stop(&holder, NULL, 0);
        p99[i] = beside.p99_ms / (idle.p99_ms > 0.001 ? idle.p99_ms : 0.001);
        worst[i] = beside.longest_ms / (idle.longest_ms > 0.001 ? idle.longest_ms : 0.001);
        printf("run %d: hold %.1f ms, rate %.2f of one UPDATE; writer: p99 %.1f ms (idle partner "
               "%.1f), longest %.1f ms (%.1f)\n",
               i + 1, hold[i], rate[i], beside.p99_ms, idle.p99_ms, beside.longest_ms,
               idle.longest_ms);
        json_free(report);
        json_free(rest);
    }
    missed += bar("longest hold of the backfill", median(hold), 20, " ms");
    missed += bar("longest hold of contract and purge", holds, 50 + (double)rows / 100000, " ms");
    missed += bar("writer's p99 beside an idle partner's", median(p99), 3, "");
    missed += bar("writer's longest wait beside an idle partner's", median(worst), 5, "");
    printf("    free between holds, on average: at least %.2f of the hold\n", pause);
    missed += bar("one UPDATE is faster by", 1 / median(rate), 2.5, "");
    clean_up();
    printf("largest log: %.1f MB\n", (double)log_bytes / 1e6);
    return missed > 0 && getenv("BARS") != NULL;
}
