/*
 * folder - flags as files: KEY.json each, segments/KEY.json and layers/KEY.json; the document as the server
 * keeps it, without what only the server says (version, tie).
 */
#ifndef FLAGS_PROGRAM_FOLDER_H
#define FLAGS_PROGRAM_FOLDER_H

#include "flags/program/api.h"

enum folder_kind { FOLDER_SEGMENT, FOLDER_FLAG, FOLDER_LAYER, FOLDER_KINDS };

/* One flag, segment or layer of the folder, of the server, or of both. */
struct folder_flag {
    enum folder_kind kind;
    char *key;
    struct json *file;   /* NULL: there is none */
    struct json *whole;  /* the file with what a new one may leave out */
    struct json *stored; /* NULL: the server has none */
    char etag[API_ETAG_BYTES];
    size_t depth; /* of those that it asks for, of its own kind */
};

struct folder {
    struct folder_flag *flags; /* each behind those that it needs */
    size_t count;
};

const char *folder_kind_name(enum folder_kind kind); /* "segment" */
const char *folder_kind_path(enum folder_kind kind); /* "/api/v1/segments" */

/* Reads the folder (dir; NULL: none) and asks the server for its flags. A file that is no flag is
 * ERR_INVALID with its name, before anything is changed. */
enum err_code folder_read(struct api *api, const char *dir, struct folder *out);
void folder_fini(struct folder *folder);

/* Writes what the server has into dir, which is made if it is not there; a file that says the same
 * already is left alone. */
enum err_code folder_write(struct api *api, const char *dir, const struct folder *folder,
                           size_t *written);

/* folder_check.c: completes what is new, and checks all files as they will stand together; puts everything in
 * the order in which it can be made. */
enum err_code folder_check(struct api *api, const char *dir, struct folder *folder);
void folder_order(struct folder *folder);

/* What applying the file would do to the flag: "create", "change", "archive" (there is no file), or
 * "same". */
const char *folder_action(const struct folder_flag *flag);

#endif
