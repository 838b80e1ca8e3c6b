/*
 * file - whole files: read, write so that a reader never sees half of one, list a folder.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* Reads path whole into a new NUL-terminated buffer (free()). ERR_NOT_FOUND, ERR_DENIED, ERR_LIMIT
 * over bytes_max, ERR_IO. */
MUST_USE enum err_code file_read(const char *path, size_t bytes_max, char **out, size_t *len,
                                 struct err *err);
/* Writes a new file beside path, syncs it, renames it over path. mode e.g. 0600. */
MUST_USE enum err_code file_write_atomic(const char *path, const char *data, size_t len,
                                         unsigned mode, struct err *err);
bool file_exists(const char *path);
bool file_is_folder(const char *path);
/* Names in folder without "." and "..", sorted by byte order. Free with file_list_free(). */
MUST_USE enum err_code file_list(const char *folder, char ***names, size_t *count, struct err *err);
void file_list_free(char **names, size_t count);

#endif
