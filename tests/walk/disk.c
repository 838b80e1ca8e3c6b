#undef _FORTIFY_SOURCE /* its inline versions of these functions are in the way */
#include "tests/walk/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "tests/walk/disk_image.h"

#define FDS_MAX 1024
#define NO_FILE (-1)
#define FOLDER (-2)   /* the folder itself */
#define NO_IMAGE (-3) /* a file in the folder whose bytes are not followed */

#ifdef __SANITIZE_THREAD__
/* Files are opened past the sanitizer here, so it takes the next that has the number for the same. */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race:closedir\nrace:opendir\nrace:fclose\n";
}
#endif

static struct disk_plan plan;
static char watched[600]; /* as SQLite spells it; "" before disk_begin() */
static atomic_long done;  /* operations */
static _Atomic int seen[FDS_MAX];
static bool half_pending;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void disk_begin(const struct disk_plan *wanted)
{
    char *real;

    plan = *wanted;
    real = realpath(wanted->folder, NULL);
    CHECK(real != NULL && strlen(real) < sizeof watched);
    memcpy(watched, real, strlen(real) + 1);
    free(real);
    for (int i = 0; i < FDS_MAX; i++) {
        seen[i] = NO_FILE;
    }
    done = 0;
    half_pending = false;
    if (plan.act == DISK_CUT) {
        image_begin(watched);
    }
}

long disk_count(void)
{
    return done;
}

/* ---- what happens at an operation ---- */

static bool is_watched(const char *path)
{
    size_t len = strlen(watched);

    return len > 0 && strncmp(path, watched, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static int file_of(int fd)
{
    return watched[0] != '\0' && fd >= 0 && fd < FDS_MAX ? seen[fd] : NO_FILE;
}

enum verdict { GO, FAILS, HALF };

/* Counts one operation. The number that it has is *number. */
static enum verdict count(long *number)
{
    long n = atomic_fetch_add(&done, 1) + 1;

    *number = n;
    if (plan.at == 0 || n < plan.at) {
        return GO;
    }
    if (plan.act == DISK_KILL && n == plan.at && !plan.behind) {
        (void)raise(SIGKILL);
    } else if (plan.act == DISK_STOP && n == plan.at) {
        (void)raise(SIGSTOP);
    } else if (plan.act == DISK_FAIL && plan.half && n == plan.at) {
        half_pending = true;
        return HALF;
    } else if (plan.act == DISK_FAIL && (n == plan.at || plan.for_good || half_pending)) {
        half_pending = false;
        errno = plan.error;
        return FAILS;
    }
    return GO;
}

static enum verdict before(long *number)
{
    return plan.clocks ? GO : count(number);
}

/* The operation is done (and noted in the image). */
static void behind(long number)
{
    if (plan.act == DISK_KILL && number == plan.at && plan.behind) {
        (void)raise(SIGKILL);
    } else if (plan.act == DISK_CUT && number == plan.at) {
        image_cut(plan.image, plan.seed, plan.lazy_names); /* the lock is never given back */
        _exit(DISK_CUT_EXIT);
    }
}

/* ---- the calls ---- */

#pragma GCC visibility push(default)

static int open_any(const char *path, int flags, mode_t mode)
{
    bool watching = is_watched(path), creates = false;
    long number = 0;
    int fd;

    if (watching && (flags & O_CREAT) != 0 && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) != 0) {
        creates = true;
        if (before(&number) == FAILS) {
            return -1;
        }
    }
    (void)pthread_mutex_lock(&lock);
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, mode);
    if (watching && fd >= 0 && fd < FDS_MAX) {
        int file = strcmp(path, watched) == 0 ? FOLDER : NO_IMAGE;
        if (plan.act == DISK_CUT && file != FOLDER) {
            file = image_open(path, creates);
            file = file < 0 ? NO_IMAGE : file;
        }
        seen[fd] = file;
        if (creates) {
            behind(number);
        }
    }
    (void)pthread_mutex_unlock(&lock);
    return fd;
}

static mode_t mode_of(int flags, va_list rest)
{
    return (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list rest;
    mode_t mode;

    va_start(rest, flags);
    mode = mode_of(flags, rest);
    va_end(rest);
    return open_any(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list rest;
    mode_t mode;

    va_start(rest, flags);
    mode = mode_of(flags, rest);
    va_end(rest);
    return open_any(path, flags, mode);
}

int close(int fd)
{
    if (fd >= 0 && fd < FDS_MAX) {
        seen[fd] = NO_FILE;
    }
    return (int)syscall(SYS_close, fd);
}

static ssize_t write_any(int fd, const void *bytes, size_t len, off_t at)
{
    int file = file_of(fd);
    long number = 0;
    ssize_t wrote;

    if (file != NO_FILE) {
        enum verdict verdict = before(&number);
        if (verdict == FAILS) {
            return -1;
        }
        len = verdict == HALF ? (len + 1) / 2 : len;
    }
    if (file == NO_FILE || plan.act != DISK_CUT) {
        wrote =
            at < 0 ? syscall(SYS_write, fd, bytes, len) : syscall(SYS_pwrite64, fd, bytes, len, at);
    } else {
        (void)pthread_mutex_lock(&lock);
        at = at < 0 ? (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR) : at;
        wrote = syscall(SYS_pwrite64, fd, bytes, len, at);
        if (file >= 0 && wrote > 0) {
            image_write(file, bytes, (size_t)wrote, at);
        }
    }
    if (file != NO_FILE) {
        behind(number);
        if (plan.act == DISK_CUT) {
            (void)pthread_mutex_unlock(&lock);
        }
    }
    return wrote;
}

ssize_t write(int fd, const void *bytes, size_t len)
{
    return write_any(fd, bytes, len, -1);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return write_any(fd, bytes, len, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
    return write_any(fd, bytes, len, at);
}

static ssize_t read_any(int fd, void *bytes, size_t len, off_t at)
{
    long number;

    if (plan.reads && file_of(fd) >= NO_IMAGE && file_of(fd) != NO_FILE &&
        before(&number) == FAILS) {
        return -1;
    }
    return syscall(SYS_pread64, fd, bytes, len, at);
}

ssize_t pread(int fd, void *bytes, size_t len, off_t at)
{
    return read_any(fd, bytes, len, at);
}

ssize_t pread64(int fd, void *bytes, size_t len, off_t at)
{
    return read_any(fd, bytes, len, at);
}

static int truncate_any(int fd, off_t len)
{
    int file = file_of(fd), rc;
    long number = 0;

    if (file == NO_FILE) {
        return (int)syscall(SYS_ftruncate, fd, len);
    }
    if (before(&number) == FAILS) {
        return -1;
    }
    (void)pthread_mutex_lock(&lock);
    rc = (int)syscall(SYS_ftruncate, fd, len);
    if (file >= 0 && rc == 0) {
        image_truncate(file, len);
    }
    behind(number);
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

int ftruncate(int fd, off_t len)
{
    return truncate_any(fd, len);
}

int ftruncate64(int fd, off_t len)
{
    return truncate_any(fd, len);
}

static int sync_any(int fd)
{
    int file = file_of(fd);
    long number = 0;

    if (file == NO_FILE) {
        return 0;
    }
    if (before(&number) == FAILS) {
        return -1;
    }
    (void)pthread_mutex_lock(&lock);
    if (plan.act == DISK_CUT && plan.at == number) {
        behind(number); /* it was not synced yet */
    }
    if (file == FOLDER) {
        image_sync_names();
    } else if (file >= 0) {
        image_sync(file);
    }
    behind(number);
    (void)pthread_mutex_unlock(&lock);
    return 0;
}

int fsync(int fd)
{
    return sync_any(fd);
}

int fdatasync(int fd)
{
    return sync_any(fd);
}

int unlink(const char *path)
{
    bool watching = is_watched(path);
    long number = 0;
    int rc;

    if (watching && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) == 0) {
        if (before(&number) == FAILS) {
            return -1;
        }
    }
    (void)pthread_mutex_lock(&lock);
    rc = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    if (watching && rc == 0) {
        if (plan.act == DISK_CUT) {
            image_remove(path);
        }
        behind(number);
    }
    (void)pthread_mutex_unlock(&lock);
    return rc;
}

/* ---- the wall clock ---- */

static int64_t shift_s(void)
{
    return watched[0] != '\0' && done >= plan.clock_at ? plan.clock_shift_s : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, now);
    long number;

    if (watched[0] != '\0' && plan.clocks) {
        (void)count(&number);
    }
    if (rc == 0 && clock == CLOCK_REALTIME) {
        now->tv_sec += shift_s();
    }
    return rc;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec exact;

    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}

#pragma GCC visibility pop
