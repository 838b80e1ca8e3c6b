#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"

static enum err_code code_of(int number)
{
    switch (number) {
    case ENOENT:
    case ENOTDIR: return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS: return ERR_DENIED;
    case ENOSPC:
    case EDQUOT: return ERR_FULL;
    case ENOMEM: return ERR_NOMEM;
    case EISDIR:
    case ENAMETOOLONG: return ERR_INVALID;
    default: return ERR_IO;
    }
}

static enum err_code fail(struct err *err, int number, const char *what, const char *path)
{
    return err_set(err, code_of(number), "cannot %s %s: %s", what, path, strerror(number));
}

static enum err_code read_all(int fd, const char *path, size_t bytes_max, struct buf *buf,
                              struct err *err)
{
    char piece[16384];

    for (;;) {
        ssize_t n = read(fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail(err, errno, "read", path);
        }
        if (n == 0) {
            return ERR_OK;
        }
        if ((size_t)n > bytes_max - buf->len) {
            return err_set(err, ERR_LIMIT, "%s is larger than %zu bytes", path, bytes_max);
        }
        buf_add(buf, piece, (size_t)n);
        if (buf_failed(buf)) {
            return err_set(err, ERR_NOMEM, "not enough memory to read %s", path);
        }
    }
}

enum err_code file_read(const char *path, size_t bytes_max, char **out, size_t *len,
                        struct err *err)
{
    struct buf buf = {0};
    enum err_code rc;
    size_t bytes;
    char *text;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        return fail(err, errno, "read", path);
    }
    rc = read_all(fd, path, bytes_max, &buf, err);
    close(fd);
    if (rc != ERR_OK) {
        buf_fini(&buf);
        return rc;
    }
    bytes = buf.len;
    text = buf_take(&buf);
    if (text == NULL) {
        return err_set(err, ERR_NOMEM, "not enough memory to read %s", path);
    }
    *out = text;
    if (len != NULL) {
        *len = bytes;
    }
    return ERR_OK;
}

/* Returns 0 or an errno. */
static int write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The rename lasts through a power cut only when the folder is synced too. Some file systems
 * cannot sync a folder; the file itself is safe by then, so that is no failure. */
static void sync_folder_of(char *path)
{
    char *slash = strrchr(path, '/');
    int fd;

    if (slash != NULL) {
        slash[1] = '\0'; /* path is not needed any more, and a copy could fail */
    }
    fd = open(slash != NULL ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
}

enum err_code file_write_atomic(const char *path, const char *data, size_t len, unsigned mode,
                                struct err *err)
{
    struct buf name = {0};
    char *temporary;
    int fd, number = 0;

    buf_print(&name, "%s.XXXXXX.tmp", path);
    temporary = buf_take(&name);
    if (temporary == NULL) {
        return err_set(err, ERR_NOMEM, "not enough memory to write %s", path);
    }
    fd = mkostemps(temporary, 4, O_CLOEXEC); /* 4: ".tmp" */
    if (fd < 0) {
        number = errno;
        free(temporary);
        return fail(err, number, "write", path);
    }
    number = write_all(fd, data, len);
    if (number == 0 && (fchmod(fd, (mode_t)mode) != 0 || fsync(fd) != 0)) {
        number = errno;
    }
    if (close(fd) != 0 && number == 0) {
        number = errno;
    }
    if (number == 0 && rename(temporary, path) != 0) {
        number = errno;
    }
    if (number != 0) {
        unlink(temporary);
    } else {
        sync_folder_of(temporary);
    }
    free(temporary);
    return number == 0 ? ERR_OK : fail(err, number, "write", path);
}

bool file_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

bool file_is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool add_name(char ***names, size_t *count, size_t *room, const char *name)
{
    if (*count == *room) {
        size_t more = *room == 0 ? 16 : *room * 2;
        char **grown = realloc(*names, more * sizeof **names);
        if (grown == NULL) {
            return false;
        }
        *names = grown;
        *room = more;
    }
    (*names)[*count] = strdup(name);
    if ((*names)[*count] == NULL) {
        return false;
    }
    (*count)++;
    return true;
}

enum err_code file_list(const char *folder, char ***names, size_t *count, struct err *err)
{
    enum err_code rc = ERR_OK;
    char **found = NULL;
    size_t n = 0, room = 0;
    DIR *dir = opendir(folder);

    if (dir == NULL) {
        return fail(err, errno, "read folder", folder);
    }
    for (;;) {
        struct dirent *entry;

        errno = 0;
        entry = readdir(dir);
        if (entry == NULL) {
            rc = errno != 0 ? fail(err, errno, "read folder", folder) : ERR_OK;
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (!add_name(&found, &n, &room, entry->d_name)) {
            rc = err_set(err, ERR_NOMEM, "not enough memory to read folder %s", folder);
            break;
        }
    }
    closedir(dir);
    if (rc != ERR_OK) {
        file_list_free(found, n);
        return rc;
    }
    if (n > 0) {
        qsort(found, n, sizeof *found, by_bytes);
    }
    *names = found;
    *count = n;
    return ERR_OK;
}

void file_list_free(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(names[i]);
    }
    free(names);
}
