#include "migrator/session/lock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

/* ---- who we are ---- */

static void first_line(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "re");

    out[0] = '\0';
    if (file != NULL) {
        if (fgets(out, (int)size, file) != NULL) {
            out[strcspn(out, "\n")] = '\0';
        }
        (void)fclose(file);
    }
}

/* When process pid started, in ticks since boot: field 22 of /proc/PID/stat. "" if it is gone. */
static void start_of(long pid, char *out, size_t size)
{
    char path[64], line[1024];
    char *at;

    out[0] = '\0';
    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    first_line(path, line, sizeof line);
    at = strrchr(line, ')'); /* the name before it may hold blanks */
    for (int field = 2; at != NULL && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    if (at != NULL) {
        (void)snprintf(out, size, "%.*s", (int)strcspn(at + 1, " "), at + 1);
    }
}

/* The machine as far as process numbers mean the same: this boot and this pid namespace. */
static void machine(char *out, size_t size)
{
    char boot[64], space[64];
    ssize_t len = readlink("/proc/self/ns/pid", space, sizeof space - 1);

    space[len > 0 ? len : 0] = '\0';
    first_line("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
    (void)snprintf(out, size, "%s/%s", boot, space);
}

static void name_owner(char *out, size_t size)
{
    char here[136], start[32], host[40] = "";

    machine(here, sizeof here);
    start_of((long)getpid(), start, sizeof start);
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(out, size, "%.39s pid %ld since %s on %.100s", host, (long)getpid(), start,
                   here);
}

/* Whether owner is a process of this machine that no longer runs. */
static bool is_dead(const char *owner)
{
    char here[136], start[32];
    const char *pid_at = strstr(owner, " pid "), *since = strstr(owner, " since ");
    const char *on = strstr(owner, " on ");
    long pid;

    machine(here, sizeof here);
    if (pid_at == NULL || since == NULL || on == NULL || here[0] == '/' ||
        strncmp(on + 4, here, 100) != 0) {
        return false;
    }
    pid = strtol(pid_at + 5, NULL, 10);
    start_of(pid, start, sizeof start);
    if (start[0] == '\0') {
        return pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
    }
    return strlen(start) != (size_t)(on - since - 7) ||
           strncmp(since + 7, start, strlen(start)) != 0;
}

/* ---- taking it ---- */

enum err_code lock_look(struct database *db, struct lock_seen *seen, struct err *err)
{
    struct database_rows *rows = NULL;
    enum err_code rc = database_query(db,
                                      "SELECT epoch, owner, expires_at - " DATABASE_NOW_MS
                                      ", taken_at FROM lockstep_lock WHERE id = 1",
                                      NULL, 0, &rows, err);

    *seen = (struct lock_seen){0};
    if (rc) {
        return rc;
    }
    if (database_rows_count(rows) != 1) {
        rc = err_set(err, ERR_IO, "lockstep_lock has lost its row");
    } else {
        const char *owner = database_rows_text(rows, 0, 1);
        seen->epoch = database_rows_int(rows, 0, 0, 0);
        seen->left_ms = database_rows_int(rows, 0, 2, 0);
        seen->taken_ms = database_rows_int(rows, 0, 3, 0);
        (void)snprintf(seen->owner, sizeof seen->owner, "%s", owner != NULL ? owner : "");
        seen->living = seen->owner[0] != '\0' && seen->left_ms > 0 && !is_dead(seen->owner);
    }
    database_rows_free(rows);
    return rc;
}

static enum err_code try_take(struct database *db, struct lock *lock, const struct lock_seen *seen,
                              struct err *err)
{
    struct work work = {0};
    struct database_value epoch = database_int(seen->epoch);
    enum err_code rc;

    work_before(&work, ERR_BUSY, "another migrator was quicker to take the lock",
                "(SELECT epoch FROM lockstep_lock WHERE id = 1) = ?1", 1, &epoch);
    work_sql_with(
        &work,
        "UPDATE lockstep_lock SET epoch = epoch + 1, owner = ?1, "
        "taken_at = " DATABASE_NOW_MS ", expires_at = " DATABASE_NOW_MS " + ?2 WHERE id = 1",
        2, (struct database_value[]){database_text(lock->owner), database_int(LOCK_LIFE_MS)});
    rc = work_run(&work, db, NULL, NULL, err);
    work_fini(&work);
    if (rc == ERR_OK) {
        lock->epoch = seen->epoch + 1;
        lock->held = true;
        lock->beat_us = clock_monotonic_us();
    }
    return rc;
}

void lock_short_owner(char *owner)
{
    char *since = strstr(owner, " since ");

    if (since != NULL) {
        *since = '\0';
    }
}

void lock_break(const struct lock_seen *seen, struct work *work)
{
    struct database_value epoch = database_int(seen->epoch);

    work_before(work, ERR_BUSY, "another migrator has just taken the lock",
                "(SELECT epoch FROM lockstep_lock WHERE id = 1) = ?1", 1, &epoch);
    work_sql(work, "UPDATE lockstep_lock SET epoch = epoch + 1, owner = NULL, expires_at = 0 WHERE "
                   "id = 1");
}

static enum err_code say_locked(const struct database *db, struct err *err)
{
    char users[300];

    database_users(database_url(db), users, sizeof users);
    return err_set(err, ERR_BUSY,
                   "%.200s is locked by another program%s%s%s; nothing was changed; try again when "
                   "it has ended its transaction",
                   database_url(db), *users != '\0' ? " (it is open in " : "", users,
                   *users != '\0' ? ")" : "");
}

enum err_code lock_take(struct database *db, struct lock *lock, struct err *err)
{
    int64_t until = clock_monotonic_us() + (int64_t)LOCK_WAIT_MS * 1000;
    struct lock_seen seen;
    enum err_code rc;

    if (lock->held) {
        return ERR_OK;
    }
    name_owner(lock->owner, sizeof lock->owner);
    for (;;) {
        rc = lock_look(db, &seen, err);
        if (rc) {
            return rc;
        }
        if (!seen.living) {
            rc = try_take(db, lock, &seen, err);
            if (rc != ERR_BUSY) {
                return rc;
            }
        }
        if (clock_monotonic_us() >= until && !seen.living) {
            return say_locked(db, err); /* no migrator has it: the file itself is locked */
        }
        if (clock_monotonic_us() >= until) {
            lock_short_owner(seen.owner);
            return err_set(
                err, ERR_BUSY,
                "another migrator (%.80s) is at work on this database; try again when it "
                "is done (its lock ends in %lld s unless it is prolonged)",
                seen.owner, (long long)(seen.left_ms > 0 ? seen.left_ms / 1000 + 1 : 0));
        }
        clock_sleep_us(100000);
    }
}

void lock_guard(struct lock *lock, struct work *work)
{
    struct database_value params[] = {database_int(lock->epoch), database_text(lock->owner)};
    struct database_value life = database_int(LOCK_LIFE_MS);
    int64_t now_us = clock_monotonic_us();

    work_before(work, ERR_CONFLICT,
                "this migrator lost its lock to another one (it slept too long); nothing was "
                "changed; run the command again",
                "EXISTS (SELECT 1 FROM lockstep_lock WHERE id = 1 AND epoch = ?1 AND owner = ?2)",
                2, params);
    if (now_us - lock->beat_us < LOCK_FRESH_US) {
        return;
    }
    work_sql_with(work,
                  "UPDATE lockstep_lock SET expires_at = " DATABASE_NOW_MS " + ?1 WHERE id = 1", 1,
                  &life);
    lock->beat_us = now_us;
}

enum err_code lock_prolong(struct database *db, struct lock *lock, int64_t more_ms, struct err *err)
{
    struct work work = {0};
    struct database_value life = database_int(LOCK_LIFE_MS + more_ms);
    enum err_code rc;

    lock_guard(lock, &work);
    work_sql_with(&work,
                  "UPDATE lockstep_lock SET expires_at = " DATABASE_NOW_MS " + ?1 WHERE id = 1", 1,
                  &life);
    rc = work_run(&work, db, NULL, NULL, err);
    work_fini(&work);
    return rc;
}

enum err_code lock_beat(struct database *db, struct lock *lock, struct err *err)
{
    struct work work = {0};
    enum err_code rc;

    if (!lock->held || clock_monotonic_us() - lock->beat_us < (int64_t)LOCK_BEAT_MS * 1000) {
        return ERR_OK;
    }
    rc = work_run(&work, db, lock, NULL, err);
    work_fini(&work);
    return rc;
}

void lock_give_back(struct database *db, struct lock *lock)
{
    struct work work = {0};
    struct err unused = {0};

    if (!lock->held) {
        return;
    }
    work_sql_with(&work,
                  "UPDATE lockstep_lock SET owner = NULL, expires_at = 0 WHERE id = 1 AND epoch = "
                  "?1 AND owner = ?2",
                  2,
                  (struct database_value[]){database_int(lock->epoch), database_text(lock->owner)});
    /* If it fails the lock expires by itself. */
    if (work_run(&work, db, NULL, NULL, &unused) == ERR_OK) {
        lock->held = false;
    }
    work_fini(&work);
}
