/*
 * bench_small - many small migrations on a fresh file, beside loops in plain C in the same run.
 *
 *     bench_small [COUNT]        1,000 files by default, each with one CREATE TABLE
 *
 * The loop that applies runs the same transactions: per file one, with its statement and its rows of
 * the journal and the history (without our guards). The loop that finds nothing to do opens the file,
 * reads the ledger, and reads, hashes and compares the same files. Commits are counted by the file's
 * own change counter, which each of them raises by one. Exits with 1 if a bar is missed and BARS=1
 * is set; that commits are counted wrong always fails.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "migrator/migrate.h"

#define RUNS 7
#define NO_FILE "no file"

static char folder[400], db[440];
static char ledger[] = "CREATE TABLE journal(migration TEXT PRIMARY KEY NOT NULL, kind TEXT, "
                       "state TEXT, checksum TEXT, since INTEGER); CREATE TABLE history(id INTEGER "
                       "PRIMARY KEY, at INTEGER, actor TEXT, migration TEXT, event TEXT, digest "
                       "TEXT)";

static void must(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "bench_small: %s\n", what);
        exit(1);
    }
}

static void name_file(char *out, size_t size, long i)
{
    (void)snprintf(out, size, "%s/%04ld_t%ld.sql", folder, i, i);
}

static void make_folder(long count)
{
    char path[480];

    must(mkdir(folder, 0755) == 0, "mkdir");
    for (long i = 1; i <= count; i++) {
        FILE *file;
        name_file(path, sizeof path, i);
        file = fopen(path, "w");
        must(file != NULL, "fopen");
        fprintf(file, "CREATE TABLE t%ld(id INTEGER PRIMARY KEY, a TEXT NOT NULL, b INTEGER);\n",
                i);
        must(fclose(file) == 0, "fclose");
    }
}

static void remove_files(long count)
{
    char path[480];

    for (long i = 1; i <= count; i++) {
        name_file(path, sizeof path, i);
        (void)unlink(path);
    }
    (void)rmdir(folder);
}

static void run(sqlite3 *sqlite, const char *sql)
{
    char *message = NULL;

    if (sqlite3_exec(sqlite, sql, NULL, NULL, &message) != SQLITE_OK) {
        fprintf(stderr, "bench_small: %s: %s\n", sql, message);
        exit(1);
    }
}

/* mode: of the journal, of a file that has a page; "no file" and migrate is free to choose. */
static void fresh_file(const char *mode)
{
    char path[460], sql[100];
    sqlite3 *sqlite = NULL;

    (void)snprintf(path, sizeof path, "%s-wal", db);
    (void)unlink(path);
    (void)unlink(db);
    if (strcmp(mode, NO_FILE) == 0) {
        return;
    }
    must(sqlite3_open(db, &sqlite) == SQLITE_OK, "open");
    (void)snprintf(sql, sizeof sql, "PRAGMA journal_mode = %s; CREATE TABLE x(a); DROP TABLE x",
                   mode);
    run(sqlite, sql);
    (void)sqlite3_close(sqlite);
}

/* ---- the loops ---- */

static sqlite3_stmt *prepare(sqlite3 *sqlite, const char *sql)
{
    sqlite3_stmt *out = NULL;

    must(sqlite3_prepare_v2(sqlite, sql, -1, &out, NULL) == SQLITE_OK, sqlite3_errmsg(sqlite));
    return out;
}

static void insert(sqlite3_stmt *stmt, const char *name, const char *digest)
{
    (void)sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(stmt, 2, digest, -1, SQLITE_STATIC);
    must(sqlite3_step(stmt) == SQLITE_DONE, "a row of the ledger");
    (void)sqlite3_reset(stmt);
}

static char *read_file(long i, size_t *len)
{
    char path[480], *text = NULL;
    struct err err = {0};

    name_file(path, sizeof path, i);
    must(file_read(path, 1 << 20, &text, len, &err) == ERR_OK, err.msg);
    return text;
}

static void loop_apply(long count)
{
    sqlite3 *sqlite = NULL;
    sqlite3_stmt *rows[2];
    char digest[DIGEST_HEX_BYTES], name[60];

    must(sqlite3_open(db, &sqlite) == SQLITE_OK, "open");
    run(sqlite, ledger);
    rows[0] = prepare(sqlite, "INSERT INTO journal VALUES(?1, 'plain', 'applied', ?2, 0)");
    rows[1] = prepare(sqlite, "INSERT INTO history(at, actor, migration, event, digest) VALUES(0, "
                              "'me@here', ?1, 'apply', ?2)");
    for (long i = 1; i <= count; i++) {
        size_t len = 0;
        char *text = read_file(i, &len);
        digest_hex(text, len, digest);
        (void)snprintf(name, sizeof name, "%04ld_t%ld.sql", i, i);
        run(sqlite, "BEGIN IMMEDIATE");
        run(sqlite, text);
        for (int k = 0; k < 2; k++) {
            insert(rows[k], name, digest);
        }
        run(sqlite, "COMMIT");
        free(text);
    }
    for (int k = 0; k < 2; k++) {
        (void)sqlite3_finalize(rows[k]);
    }
    (void)sqlite3_close(sqlite);
}

/* Opens, reads the migrator's own ledger, and reads and compares the files. */
static void loop_nothing(long count)
{
    sqlite3 *sqlite = NULL;
    sqlite3_stmt *stmt;
    char digest[DIGEST_HEX_BYTES];
    long i = 0;

    must(sqlite3_open(db, &sqlite) == SQLITE_OK, "open");
    stmt = prepare(sqlite, "SELECT migration, checksum FROM lockstep_journal ORDER BY migration");
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        size_t len = 0;
        char *text = read_file(++i, &len);
        digest_hex(text, len, digest);
        must(sqlite3_column_bytes(stmt, 1) == (int)strlen(digest), "a checksum");
        free(text);
    }
    must(i == count, "the ledger has other rows");
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(sqlite);
}

static void ours(long applied)
{
    struct migrate_options options = {.database = db, .folder = folder, .create = true};
    struct migrate *m = NULL;
    struct json *report = NULL;
    struct err err = {0};

    if (migrate_open(&options, &m, &err) != ERR_OK ||
        migrate_apply(m, &(struct migrate_apply){0}, &report, &err) != ERR_OK) {
        fprintf(stderr, "bench_small: %s\n", err.msg);
        exit(1);
    }
    must(json_count(json_get(report, "steps")) == (size_t)applied, "other steps than files");
    json_free(report);
    migrate_close(m);
}

/* ---- measuring ---- */

static double timed(void (*what)(long), long argument)
{
    int64_t since = clock_monotonic_us();

    what(argument);
    return (double)(clock_monotonic_us() - since) / 1000;
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

static double median(double *of)
{
    qsort(of, RUNS, sizeof *of, by_size);
    return of[RUNS / 2];
}

static long change_counter(void)
{
    unsigned char at[4];
    FILE *file = fopen(db, "rb");

    must(file != NULL && fseek(file, 24, SEEK_SET) == 0 && fread(at, 1, 4, file) == 4, "the file");
    (void)fclose(file);
    return (long)at[0] << 24 | (long)at[1] << 16 | (long)at[2] << 8 | at[3];
}

/* The tables of our own are made in commits of their own: whatever is beyond them is files. */
static void count_commits(long count)
{
    long of_one, of_all;

    make_folder(1);
    fresh_file("DELETE");
    ours(1);
    of_one = change_counter();
    remove_files(1);
    make_folder(count);
    fresh_file("DELETE");
    ours(count);
    of_all = change_counter();
    printf("%s %ld commits for %ld migrations, and %ld for the tables of our own\n",
           of_all - of_one == count - 1 ? "ok  " : "MISS", of_all - of_one + 1, count, of_one - 1);
    must(of_all - of_one == count - 1, "not one commit each");
}

static int bar(const char *what, double *ratio, double most)
{
    double seen = median(ratio);

    printf("%s %s: %.2f (bar %.2f)\n", seen <= most ? "ok  " : "MISS", what, seen, most);
    return seen > most;
}

static int compare(const char *mode, long count)
{
    double apply[RUNS], nothing[RUNS];
    char what[120];
    int missed = 0;

    for (int i = 0; i < RUNS; i++) {
        double loop;
        fresh_file(mode);
        loop = timed(loop_apply, count);
        fresh_file(mode);
        apply[i] = timed(ours, count) / loop;
        loop = timed(loop_nothing, count);
        nothing[i] = timed(ours, 0) / loop;
    }
    (void)snprintf(what, sizeof what, "%s: %ld migrations beside the loop", mode, count);
    missed += bar(what, apply, 1.3);
    (void)snprintf(what, sizeof what, "%s: nothing to do beside the loop", mode);
    return missed + bar(what, nothing, 1.5);
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
    const char *top = getenv("TMPDIR");
    char path[460];
    int missed;

    must(count > 0 && count < 10000, "COUNT is a number below 10,000");
    (void)snprintf(folder, sizeof folder, "%s/bench_small.%ld", top != NULL ? top : "/tmp",
                   (long)getpid());
    (void)snprintf(db, sizeof db, "%s.db", folder);
    count_commits(count);
    missed = compare("WAL", count) + compare("DELETE", count) + compare(NO_FILE, count);
    remove_files(count);
    (void)unlink(db);
    (void)snprintf(path, sizeof path, "%s-wal", db);
    (void)unlink(path);
    (void)snprintf(path, sizeof path, "%s-shm", db);
    (void)unlink(path);
    return missed > 0 && getenv("BARS") != NULL;
}
