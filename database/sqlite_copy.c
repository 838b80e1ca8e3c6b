/*
 * The whole file at once: a copy of it as it is at one moment, and a copy put back.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "database/sqlite_handle.h"

#define RESTORE_BUSY_MS 2000 /* for somebody who is just done */
#define USERS_MAX 5          /* processes named in a message */

/* ---- counting ---- */

static const char tables_sql[] =
    "SELECT name FROM sqlite_master WHERE type = 'table' AND substr(name, 1, 7) <> 'sqlite_' AND "
    "sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name";

/* One line a table with its rows, so that two files can be compared. */
static enum err_code count_rows(struct sqlite_handle *handle, struct buf *lines,
                                struct database_copied *out, struct err *err)
{
    struct database_rows *tables = NULL;
    enum err_code rc = database_query(&handle->db, tables_sql, NULL, 0, &tables, err);

    *out = (struct database_copied){0};
    for (size_t i = 0; rc == ERR_OK && i < database_rows_count(tables); i++) {
        const char *name = database_rows_text(tables, i, 0);
        struct database_rows *rows = NULL;
        struct buf sql = {0};
        buf_text(&sql, "SELECT count(*) FROM ");
        buf_sql_name(&sql, str_of(name));
        rc = database_query(&handle->db, buf_cstr(&sql), NULL, 0, &rows, err);
        if (rc == ERR_OK) {
            int64_t count = database_rows_int(rows, 0, 0, 0);
            buf_print(lines, "%s: %lld rows\n", name, (long long)count);
            out->tables++;
            out->rows += count;
        }
        database_rows_free(rows);
        buf_fini(&sql);
    }
    database_rows_free(tables);
    return rc == ERR_OK && buf_failed(lines) ? err_set(err, ERR_NOMEM, "out of memory") : rc;
}

/* ---- making a copy ---- */

static enum err_code copy_pages(sqlite3 *to, sqlite3 *from, struct err *err)
{
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
    int step;

    if (backup == NULL) {
        return sqlite_error(to, NULL, err);
    }
    /* In one step: in several, each write of others in between begins it anew, for ever. */
    step = sqlite3_backup_step(backup, -1);
    if (sqlite3_backup_finish(backup) != SQLITE_OK || step != SQLITE_DONE) {
        return step == SQLITE_BUSY || step == SQLITE_LOCKED
                   ? err_set(err, ERR_BUSY, "the database is locked by another process")
                   : sqlite_error(to, NULL, err);
    }
    return ERR_OK;
}

static enum err_code open_raw(const char *path, int flags, sqlite3 **out, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (sqlite3_open_v2(path, out, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL)) {
        rc =
            *out == NULL ? err_set(err, ERR_NOMEM, "out of memory") : sqlite_error(*out, path, err);
    }
    return rc;
}

/* Writes part, whole: its pages, and one file alone whatever the journal mode of the source is. */
static enum err_code write_part(struct sqlite_handle *from, const char *part, struct err *err)
{
    sqlite3 *to = NULL;
    enum err_code rc = open_raw(part, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &to, err);

    rc = rc ? rc : copy_pages(to, from->sqlite, err);
    if (rc == ERR_OK && sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL)) {
        rc = sqlite_error(to, NULL, err);
    }
    if (sqlite3_close(to) != SQLITE_OK && rc == ERR_OK) {
        rc = err_set(err, ERR_IO, "the copy cannot be closed");
    }
    return rc;
}

/* The copy as another program would open it: sound, and with the rows that were counted. */
static enum err_code check_part(const char *part, const struct buf *lines, struct err *err)
{
    struct database_options options = {.read_only = true};
    struct database *copy = NULL;
    struct database_rows *rows = NULL;
    struct database_copied counted;
    struct buf now = {0};
    enum err_code rc = database_open(part, &options, &copy, err);

    rc = rc ? rc : database_query(copy, "PRAGMA quick_check(1)", NULL, 0, &rows, err);
    if (rc == ERR_OK && (database_rows_text(rows, 0, 0) == NULL ||
                         strcmp(database_rows_text(rows, 0, 0), "ok") != 0)) {
        rc = err_set(err, ERR_IO, "the copy is damaged: %.200s",
                     database_rows_text(rows, 0, 0) != NULL ? database_rows_text(rows, 0, 0) : "");
    }
    rc = rc ? rc : count_rows((struct sqlite_handle *)copy, &now, &counted, err);
    if (rc == ERR_OK && strcmp(buf_cstr(&now), buf_cstr(lines)) != 0) {
        rc = err_set(err, ERR_IO, "the copy has other rows than the database had");
    }
    database_rows_free(rows);
    database_close(copy);
    buf_fini(&now);
    return rc;
}

static void sync_folder_of(const char *path)
{
    char *copy = strdup(path);
    int folder = copy != NULL ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (folder >= 0) {
        (void)fsync(folder); /* not every file system can; the name is there without it too */
        (void)close(folder);
    }
    free(copy);
}

/* Gives the finished file its name, and never another file's. */
static enum err_code put_name(const char *part, const char *path, struct err *err)
{
    int failed = renameat2(AT_FDCWD, part, AT_FDCWD, path, RENAME_NOREPLACE);

    if (failed && (errno == EINVAL || errno == ENOSYS)) {
        failed = link(part, path);
        if (!failed) {
            (void)unlink(part);
        }
    }
    if (failed) {
        return errno == EEXIST
                   ? err_set(err, ERR_CONFLICT, "'%s' exists; a copy never replaces a file", path)
                   : err_set(err, ERR_IO, "'%s' cannot be made: %s", path, strerror(errno));
    }
    sync_folder_of(path);
    return ERR_OK;
}

static enum err_code sync_file(const char *path, struct err *err)
{
    int file = open(path, O_RDWR | O_CLOEXEC);
    bool synced = file >= 0 && fsync(file) == 0;

    if (file >= 0) {
        (void)close(file);
    }
    return synced ? ERR_OK : err_set(err, ERR_IO, "%s: cannot be written to the disk", path);
}

static void remove_part(const char *part)
{
    char *journal = sqlite3_mprintf("%s-journal", part);

    (void)unlink(part);
    if (journal != NULL) {
        (void)unlink(journal);
    }
    sqlite3_free(journal);
}

/* Rows are counted and pages copied in one read transaction: of the same moment. */
static enum err_code copy_to_part(struct sqlite_handle *from, const char *part,
                                  struct database_copied *out, struct err *err)
{
    struct buf lines = {0};
    struct stat info;
    enum err_code rc = sqlite_own(from, "BEGIN", err);

    rc = rc ? rc : count_rows(from, &lines, out, err);
    rc = rc ? rc : write_part(from, part, err);
    sqlite_undo(from);
    rc = rc ? rc : check_part(part, &lines, err);
    rc = rc ? rc : sync_file(part, err);
    out->bytes = rc == ERR_OK && stat(part, &info) == 0 ? (int64_t)info.st_size : 0;
    buf_fini(&lines);
    return rc;
}

enum err_code sqlite_snapshot(struct database *db, const char *path, struct database_copied *copied,
                              struct err *err)
{
    struct sqlite_handle *from = NULL;
    struct database_copied unused;
    struct stat info;
    char *part;
    enum err_code rc;

    if (stat(path, &info) == 0) {
        return err_set(err, ERR_CONFLICT, "'%s' exists; a copy never replaces a file", path);
    }
    part = sqlite3_mprintf("%s.part", path);
    if (part == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    rc = sqlite_open_again((struct sqlite_handle *)db, &from, err);
    if (rc == ERR_OK) {
        from->db.engine = db->engine; /* for database_query(); the URL is not needed */
        remove_part(part);            /* of a run that was killed */
        rc = copy_to_part(from, part, copied != NULL ? copied : &unused, err);
        rc = rc ? rc : put_name(part, path, err);
        if (rc) {
            remove_part(part);
            err_wrap(err, "copy to %s", path);
        }
        sqlite_close_handle(&from->db);
    }
    sqlite3_free(part);
    return rc;
}

/* ---- who else has the file ---- */

static bool has_file(const char *pid, const struct stat *wanted)
{
    char folder[300], path[600];
    struct dirent *entry;
    struct stat info;
    bool found = false;
    DIR *dir;

    (void)snprintf(folder, sizeof folder, "/proc/%.60s/fd", pid);
    dir = opendir(folder);
    while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        found = stat(path, &info) == 0 && info.st_dev == wanted->st_dev &&
                info.st_ino == wanted->st_ino;
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return found;
}

static void name_process(const char *pid, struct buf *out)
{
    char path[100], name[64] = "";
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%.60s/comm", pid);
    file = fopen(path, "re");
    if (file != NULL) {
        if (fgets(name, sizeof name, file) != NULL) {
            name[strcspn(name, "\n")] = '\0';
        }
        (void)fclose(file);
    }
    for (char *p = name; *p != '\0'; p++) {
        *p = (unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e ? '?' : *p;
    }
    buf_print(out, "%s%s (pid %.20s)", out->len > 0 ? ", " : "", name, pid);
}

void sqlite_users(const char *path, char *out, size_t size)
{
    char self[32];
    struct stat wanted;
    struct dirent *entry;
    struct buf text = {0};
    DIR *proc = stat(path, &wanted) == 0 ? opendir("/proc") : NULL;
    int count = 0;

    (void)snprintf(self, sizeof self, "%ld", (long)getpid());
    while (proc != NULL && count < USERS_MAX && (entry = readdir(proc)) != NULL) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || strcmp(entry->d_name, self) == 0) {
            continue;
        }
        if (has_file(entry->d_name, &wanted)) {
            name_process(entry->d_name, &text);
            count++;
        }
    }
    if (proc != NULL) {
        (void)closedir(proc);
    }
    (void)snprintf(out, size, "%s", buf_cstr(&text));
    buf_fini(&text);
}

/* ---- putting a copy back ---- */

static enum err_code in_use(const char *path, struct err *err)
{
    char users[300];

    sqlite_users(path, users, sizeof users);
    return err_set(err, ERR_BUSY, "%s is in use%s%s: stop what has it open, then run this again",
                   path, *users != '\0' ? " by " : "", users);
}

/* Nobody else has the file, and nobody gets it until the connection is closed. */
static enum err_code take_alone(sqlite3 *to, const char *path, struct err *err)
{
    char users[300];

    sqlite_users(path, users, sizeof users);
    if (*users != '\0') {
        return in_use(path, err);
    }
    (void)sqlite3_busy_timeout(to, RESTORE_BUSY_MS);
    /* Before the first access: with a write-ahead log this fails while any connection is open. */
    if (sqlite3_exec(to, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT", NULL, NULL,
                     NULL)) {
        return (sqlite3_errcode(to) & 0xff) == SQLITE_BUSY ? in_use(path, err)
                                                           : sqlite_error(to, path, err);
    }
    return ERR_OK;
}

static enum err_code demand(sqlite3 *to, const char *condition, struct err *err)
{
    sqlite3_stmt *stmt = NULL;
    struct buf sql = {0};
    int step = SQLITE_NOMEM;
    enum err_code rc = ERR_OK;

    buf_text(&sql, "SELECT 1 WHERE ");
    buf_text(&sql, condition);
    if (!buf_failed(&sql) && sqlite3_prepare_v2(to, buf_cstr(&sql), -1, &stmt, NULL) == SQLITE_OK) {
        step = sqlite3_step(stmt);
    }
    if (step == SQLITE_DONE) {
        rc = err_set(err, ERR_CONFLICT, "the database was changed meanwhile; nothing was restored");
    } else if (step != SQLITE_ROW) {
        rc = sqlite_error(to, NULL, err);
    }
    sqlite3_finalize(stmt);
    buf_fini(&sql);
    return rc;
}

enum err_code sqlite_restore(const char *path, const char *copy, const char *condition,
                             struct err *err)
{
    sqlite3 *to = NULL, *from = NULL;
    enum err_code rc = open_raw(path, SQLITE_OPEN_READWRITE, &to, err);

    rc = rc ? rc : open_raw(copy, SQLITE_OPEN_READONLY, &from, err);
    rc = rc ? rc : take_alone(to, path, err);
    rc = rc || condition == NULL ? rc : demand(to, condition, err);
    if (rc == ERR_OK) {
        /* One transaction of the file that is there: a crash leaves it as it was, or restored. */
        rc = copy_pages(to, from, err);
        if (rc) {
            err_wrap(err, "restore %s", path);
        }
    }
    (void)sqlite3_close(from);
    if (sqlite3_close(to) != SQLITE_OK && rc == ERR_OK) {
        rc = err_set(err, ERR_IO, "%s: cannot be closed", path);
    }
    return rc;
}
