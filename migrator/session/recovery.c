#include "migrator/session/recovery.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"

#define NAMES_MAX 1000
#define COPY_BYTES_PER_MS 10000 /* 10 MB a second: a slow disk */

const char *recovery_file_of(const struct migrate *m)
{
    const char *url = m->options.database;

    if (strstr(url, "://") != NULL || strstr(url, ":memory:") != NULL) {
        return NULL;
    }
    return strncmp(url, "sqlite:", 7) == 0 ? url + 7 : url;
}

enum err_code recovery_check(const struct recovery_where *where, struct err *err)
{
    if (where->file != NULL && where->dir != NULL) {
        return err_set(err, ERR_INVALID,
                       "--recovery-point and --recovery-dir exclude each other: the one names the "
                       "file, the other its folder");
    }
    if ((where->file != NULL && *where->file == '\0') ||
        (where->dir != NULL && *where->dir == '\0')) {
        return err_set(err, ERR_INVALID, "the recovery point's name is empty");
    }
    if (where->dir != NULL && !file_is_folder(where->dir)) {
        return err_set(err, ERR_INVALID, "there is no folder '%.300s' for the recovery point",
                       where->dir);
    }
    if (where->file != NULL && strcmp(where->file, "none") != 0 && file_exists(where->file)) {
        return err_set(err, ERR_CONFLICT, "'%.300s' exists; a copy never replaces a file",
                       where->file);
    }
    return ERR_OK;
}

/* "app.db.before-purge-2-20260131T120000Z", beside the database or in a folder. */
static const char *own_name(const struct migrate *m, size_t index, const char *before,
                            const char *dir, struct arena *arena)
{
    const char *file = recovery_file_of(m), *slash = strrchr(file, '/');
    char stamp[CLOCK_TEXT_BYTES], compact[CLOCK_TEXT_BYTES], *to = compact;

    (void)clock_text(clock_wall_ms(), stamp);
    for (const char *p = stamp; *p != '\0' && *p != '.'; p++) {
        if (*p != '-' && *p != ':') {
            *to++ = *p;
        }
    }
    *to = '\0';
    for (int i = 1;; i++) { /* two in one second */
        char again[16] = "";
        const char *name;
        if (i > 1) {
            (void)snprintf(again, sizeof again, "-%d", i);
        }
        name = arena_print(arena, "%s%s%s.before-%s-%ld-%sZ%s", dir != NULL ? dir : "",
                           dir != NULL ? "/" : "", dir != NULL && slash != NULL ? slash + 1 : file,
                           before, m->folder.at[index].number, compact, again);
        if (name == NULL || !file_exists(name) || i == NAMES_MAX) {
            return name;
        }
    }
}

/* Says in the copy what it is, so that nobody takes it for the database itself. */
static enum err_code mark(const struct migrate *m, size_t index, const char *before,
                          const char *path, struct err *err)
{
    struct database_options options = {.must_exist = true};
    struct database *copy = NULL;
    struct json *what = json_object();
    struct work work = {0};
    char at[CLOCK_TEXT_BYTES], *text;
    enum err_code rc;

    (void)json_put_text(what, "at", clock_text(clock_wall_ms(), at));
    (void)json_put_text(what, "migration", m->folder.at[index].name);
    (void)json_put_text(what, "before", before);
    text = json_print(what);
    json_free(what);
    work_sql_with(&work, "INSERT OR REPLACE INTO lockstep_meta(key, value) VALUES(?1, ?2)", 2,
                  (struct database_value[]){database_text(RECOVERY_KEY),
                                            database_text(text != NULL ? text : "{}")});
    free(text);
    rc = database_open(path, &options, &copy, err);
    rc = rc ? rc : work_run(&work, copy, NULL, NULL, err);
    database_close(copy);
    work_fini(&work);
    return rc;
}

/* The copy is of this database, as `migrate restore` will ask. */
static enum err_code check_meta(const struct migrate *m, const char *path, struct err *err)
{
    struct database_options options = {.read_only = true};
    struct database *copy = NULL;
    struct journal_meta meta = {0};
    enum err_code rc = database_open(path, &options, &copy, err);

    rc = rc ? rc : journal_meta_read(copy, &meta, err);
    database_close(copy);
    if (rc == ERR_OK && (strcmp(meta.database_id, m->meta.database_id) != 0 ||
                         strcmp(meta.environment, m->meta.environment) != 0 ||
                         meta.format != m->meta.format || meta.recovery[0] == '\0')) {
        rc = err_set(err, ERR_IO, "'%.300s' does not say whose copy it is", path);
    }
    return rc;
}

static enum err_code write_history(struct migrate *m, size_t index, const char *before,
                                   const char *path, const struct database_copied *copied,
                                   int64_t started_ms, struct err *err)
{
    struct work work = {0};
    const char *detail = arena_print(&work.arena, "%s, before %s: %lld tables, %lld bytes", path,
                                     before, (long long)copied->tables, (long long)copied->bytes);
    enum err_code rc;

    journal_history(&work, &(struct history){.migration = m->folder.at[index].name,
                                             .event = "recovery-point",
                                             .digest = m->folder.at[index].checksum,
                                             .detail = detail,
                                             .started_ms = started_ms,
                                             .rows = copied->rows,
                                             .stateless = true});
    rc = work_run(&work, m->db, m->lock.held ? &m->lock : NULL, NULL, err);
    work_fini(&work);
    return rc;
}

/* What the service keeps of its past instead of a copy. */
static enum err_code make_bookmark(struct migrate *m, size_t index, const char *before,
                                   const struct recovery_where *where, struct arena *arena,
                                   const char **path, struct err *err)
{
    char bookmark[DATABASE_BOOKMARK_BYTES];
    struct work work = {0};
    enum err_code rc;

    if (where->file != NULL || where->dir != NULL) {
        return err_set(err, ERR_INVALID,
                       "%.100s is no file: its recovery point is a bookmark that the service "
                       "keeps; leave out --recovery-point and --recovery-dir, or say "
                       "--recovery-point none",
                       database_url(m->db));
    }
    rc = database_bookmark(m->db, bookmark, err);
    if (rc == ERR_NOT_FOUND) {
        rc = err_set(err, ERR_CONFLICT,
                     "%.60s: this service has no Time Travel, so there is no way back from %s "
                     "(%.100s); --recovery-point none goes without",
                     m->folder.at[index].name, before, database_url(m->db));
    }
    if (rc) {
        return rc;
    }
    *path = arena_print(arena, RECOVERY_BOOKMARK "%s", bookmark);
    journal_history(&work,
                    &(struct history){.migration = m->folder.at[index].name,
                                      .event = "recovery-point",
                                      .digest = m->folder.at[index].checksum,
                                      .detail = arena_print(&work.arena, "%s, before %s",
                                                            *path != NULL ? *path : "", before),
                                      .started_ms = clock_wall_ms(),
                                      .rows = -1,
                                      .stateless = true});
    rc = *path == NULL ? err_set(err, ERR_NOMEM, "out of memory")
                       : work_run(&work, m->db, m->lock.held ? &m->lock : NULL, NULL, err);
    work_fini(&work);
    return rc;
}

/* How long the copy may take, generously: meanwhile nothing prolongs the lock. */
static int64_t copy_ms(const struct migrate *m)
{
    struct stat info;

    return stat(recovery_file_of(m), &info) == 0 ? info.st_size / COPY_BYTES_PER_MS : 0;
}

enum err_code recovery_make(struct migrate *m, size_t index, const char *before,
                            const struct recovery_where *where, struct arena *arena,
                            const char **path, struct err *err)
{
    const struct database_capabilities *capabilities = NULL;
    int64_t started_ms = clock_wall_ms();
    struct database_copied copied = {0};
    enum err_code rc = database_probe(m->db, &capabilities, err);

    *path = NULL;
    if (rc || (where->file != NULL && strcmp(where->file, "none") == 0)) {
        return rc;
    }
    if (capabilities->bookmarks) {
        return make_bookmark(m, index, before, where, arena, path, err);
    }
    if (!capabilities->snapshot || recovery_file_of(m) == NULL) {
        return ERR_OK;
    }
    *path = where->file != NULL ? arena_text(arena, where->file, strlen(where->file))
                                : own_name(m, index, before, where->dir, arena);
    if (*path == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    rc = m->lock.held ? lock_prolong(m->db, &m->lock, copy_ms(m), err) : ERR_OK;
    rc = rc ? rc : database_snapshot(m->db, *path, &copied, err);
    if (rc) {
        err_wrap(err, "%.60s: nothing was changed, as the recovery point could not be made",
                 m->folder.at[index].name);
        return rc;
    }
    rc = mark(m, index, before, *path, err);
    rc = rc ? rc : check_meta(m, *path, err);
    if (rc) {
        (void)unlink(*path); /* one that restore would not take is none */
    }
    return rc ? rc : write_history(m, index, before, *path, &copied, started_ms, err);
}
