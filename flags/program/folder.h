/*
 * folder - flags as files: KEY.json each, the document as the server keeps it, without what only the
 * server says (version, tie).
 */
#ifndef FLAGS_PROGRAM_FOLDER_H
#define FLAGS_PROGRAM_FOLDER_H

#include "flags/program/api.h"

/* One flag of the folder, of the server, or of both. */
struct folder_flag {
    char *key;
    struct json *file;   /* NULL: there is none */
    struct json *whole;  /* the file with what a new flag may leave out */
    struct json *stored; /* NULL: the server has none */
    char etag[API_ETAG_BYTES];
    size_t depth; /* of prerequisites */
};

struct folder {
    struct folder_flag *flags; /* those that others wait for first, then by key */
    size_t count;
    struct json *segments; /* the server's */
};

/* Reads the folder (dir; NULL: none) and asks the server for its flags. A file that is no flag is
 * ERR_INVALID with its name, before anything is changed. */
enum err_code folder_read(struct api *api, const char *dir, struct folder *out);
void folder_fini(struct folder *folder);

/* Writes what the server has into dir, which is made if it is not there; a file that says the same
 * already is left alone. */
enum err_code folder_write(struct api *api, const char *dir, const struct folder *folder,
                           size_t *written);

/* What applying the file would do to the flag: "create", "change", "archive" (there is no file), or
 * "same". */
const char *folder_action(const struct folder_flag *flag);

#endif
