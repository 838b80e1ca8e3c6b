#include "migrator/folder/folder.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/nearest.h"
#include "migrator/folder/handwritten.h"

const char *migration_kind_name(enum migration_kind kind)
{
    static const char *const names[] = {"plain", "up-down", "phased"};
    return names[kind];
}

/* ---- names ---- */

static bool ends_with(const char *text, const char *end)
{
    size_t text_len = strlen(text), end_len = strlen(end);

    return text_len >= end_len && strcmp(text + text_len - end_len, end) == 0;
}

/* The number in front of '_', or -1. */
static long number_of(const char *name)
{
    long number = 0;
    const char *p = name;

    while (*p >= '0' && *p <= '9' && p - name < 15) {
        number = number * 10 + (*p++ - '0');
    }
    return p > name && *p == '_' ? number : -1;
}

static enum err_code check_name(const char *name, struct err *err)
{
    for (const char *p = name; *p != '\0'; p++) {
        bool good = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                    (*p >= '0' && *p <= '9') || *p == '_' || *p == '-' || *p == '.';
        if (!good) {
            return err_set(err, ERR_INVALID,
                           "%.100s: a migration's name is made of letters, digits, '_', '-' and "
                           "'.'; rename it",
                           name);
        }
    }
    return strlen(name) <= 200 ? ERR_OK
                               : err_set(err, ERR_INVALID, "%.60s...: this name is too long", name);
}

/* Run as plain SQL, the down half of these files would drop what the up half made. */
static enum err_code refuse_other_tools(const char *name, const char *text, struct err *err)
{
    const char *tool = NULL;

    if (strstr(text, "-- migrate:up") != NULL) {
        tool = "dbmate";
    } else if (strstr(text, "-- +goose Up") != NULL) {
        tool = "goose";
    } else if (ends_with(name, ".up.sql") || ends_with(name, ".down.sql")) {
        tool = "golang-migrate";
    }
    return tool == NULL
               ? ERR_OK
               : err_set(err, ERR_INVALID,
                         "%.80s is a file of %s: run as plain SQL, its down half would drop the "
                         "tables. Put the two halves into NNNN_name/up.sql and down.sql",
                         name, tool);
}

/* ---- checksums ---- */

/* The text without what does not count: CR before LF, blanks at the ends of lines, empty end. */
static void add_normal(struct digest *digest, struct str text)
{
    struct buf normal = {0};
    size_t blanks = 0, newlines = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (c == '\n') {
            newlines++;
            blanks = 0;
        } else if (c == ' ' || c == '\t' || c == '\r') {
            blanks++;
        } else {
            for (; newlines > 0; newlines--) {
                buf_char(&normal, '\n');
            }
            buf_add(&normal, &text.at[i - blanks], blanks);
            blanks = 0;
            buf_char(&normal, c);
        }
    }
    digest_add(digest, buf_cstr(&normal), normal.len);
    buf_fini(&normal);
}

static void checksum(struct migration *migration)
{
    struct digest digest;

    digest_init(&digest);
    add_normal(&digest, migration->up);
    add_normal(&digest, migration->down);
    for (int i = 0; migration->hand != NULL && i < HAND_FILES; i++) {
        if (migration->hand->files[i].at != NULL) {
            const char *name = handwritten_name((enum hand_file)i);
            digest_add(&digest, name, strlen(name) + 1);
            add_normal(&digest, migration->hand->files[i]);
        }
    }
    digest_end(&digest, migration->checksum);
}

/* ---- reading ---- */

static enum err_code no_memory(struct err *err)
{
    err_set(err, ERR_NOMEM, "out of memory");
    return ERR_NOMEM;
}

static enum err_code add(struct folder *folder, const char *name, enum migration_kind kind,
                         struct migration **out, struct err *err)
{
    enum err_code rc = check_name(name, err);
    char *copy;

    if (rc) {
        return rc;
    }
    if (folder->count >= LIMIT_MIGRATIONS) {
        err_set(err, ERR_LIMIT, "more than %u migrations", LIMIT_MIGRATIONS);
        return ERR_LIMIT;
    }
    if (folder->count == folder->room) {
        size_t room = folder->room == 0 ? 32 : folder->room * 2;
        struct migration *grown = realloc(folder->at, room * sizeof *grown);
        if (grown == NULL) {
            return no_memory(err);
        }
        folder->at = grown;
        folder->room = room;
    }
    copy = arena_text(&folder->arena, name, strlen(name));
    if (copy == NULL) {
        return no_memory(err);
    }
    *out = &folder->at[folder->count++];
    **out = (struct migration){.name = copy, .number = number_of(name), .kind = kind};
    return ERR_OK;
}

#define BYTE_ORDER_MARK "\xef\xbb\xbf"
#define UTF16_MARKS "\xff\xfe\xff" /* either half of it */

/* What an editor puts in front of a text to say how it is encoded. */
static enum err_code pass_mark(const char *path, struct str *text, struct err *err)
{
    if (text->len >= 2 &&
        (memcmp(text->at, UTF16_MARKS, 2) == 0 || memcmp(text->at, UTF16_MARKS + 1, 2) == 0)) {
        return err_set(err, ERR_INVALID, "%s is encoded in UTF-16; save it as UTF-8", path);
    }
    if (text->len >= 3 && memcmp(text->at, BYTE_ORDER_MARK, 3) == 0) {
        text->at += 3;
        text->len -= 3;
    }
    return ERR_OK;
}

static enum err_code read_text(struct folder *folder, const char *path, struct str *out,
                               struct err *err)
{
    char *text = NULL, *copy;
    size_t len = 0;
    enum err_code rc = file_read(path, LIMIT_MIGRATION_BYTES, &text, &len, err);

    if (rc) {
        return rc;
    }
    copy = arena_text(&folder->arena, text, len);
    free(text);
    if (copy == NULL) {
        return no_memory(err);
    }
    *out = (struct str){copy, len};
    rc = pass_mark(path, out, err);
    if (rc == ERR_OK && memchr(copy, '\0', len) != NULL) {
        rc = err_set(err, ERR_INVALID, "%s holds a NUL byte", path);
    }
    return rc;
}

static enum err_code add_plain(struct folder *folder, const char *name, struct str text,
                               struct err *err)
{
    struct migration *migration = NULL;
    enum err_code rc = refuse_other_tools(name, text.at, err);

    if (rc == ERR_OK && number_of(name) < 0) {
        rc = err_set(err, ERR_INVALID, "%.100s has no number: call it NNNN_name.sql", name);
    }
    if (rc == ERR_OK) {
        rc = add(folder, name, MIGRATION_PLAIN, &migration, err);
    }
    if (rc == ERR_OK) {
        migration->up = text;
        checksum(migration);
    }
    return rc;
}

static enum err_code refuse_unknown_file(const char *name, struct err *err)
{
    const char *names[HAND_FILES], *nearest;

    for (int i = 0; i < HAND_FILES; i++) {
        names[i] = handwritten_name((enum hand_file)i);
    }
    nearest = nearest_name(name, names, HAND_FILES);
    return err_set(err, ERR_INVALID, "%.80s is no file of a phased migration%s%s%s", name,
                   nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
                   nearest != NULL ? "?" : "");
}

static enum err_code read_hand_file(struct folder *folder, const char *path, const char *name,
                                    struct handwritten *hand, struct err *err)
{
    const char *whole = arena_print(&folder->arena, "%s/%s", path, name);

    for (int i = 0; i < HAND_FILES; i++) {
        if (strcmp(handwritten_name((enum hand_file)i), name) == 0) {
            return whole != NULL ? read_text(folder, whole, &hand->files[i], err) : no_memory(err);
        }
    }
    return refuse_unknown_file(name, err);
}

/* The SQL files beside a migration.json. */
static enum err_code read_hand(struct folder *folder, const char *path, struct migration *migration,
                               struct err *err)
{
    struct handwritten *hand = arena_zero(&folder->arena, 1, sizeof *hand);
    char **names = NULL;
    size_t count = 0, found = 0;
    enum err_code rc = hand != NULL ? file_list(path, &names, &count, err) : no_memory(err);

    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        if (names[i][0] != '.' && ends_with(names[i], ".sql")) {
            rc = read_hand_file(folder, path, names[i], hand, err);
            found++;
        }
    }
    file_list_free(names, count);
    if (rc == ERR_OK) {
        rc = handwritten_check(hand, migration->phased, &folder->arena, err);
        migration->hand = found > 0 ? hand : NULL;
    }
    return rc;
}

static enum err_code add_phased(struct folder *folder, const char *name, const char *whole,
                                const char *path, struct err *err)
{
    struct migration *migration = NULL;
    struct phased *phased = NULL;
    enum err_code rc = add(folder, name, MIGRATION_PHASED, &migration, err);

    if (rc == ERR_OK) {
        rc = read_text(folder, path, &migration->up, err);
    }
    if (rc == ERR_OK) {
        rc = phased_parse(migration->up, &folder->arena, &phased, err);
        migration->phased = phased;
    }
    if (rc) {
        err_wrap(err, "%s/migration.json", name);
        return rc;
    }
    rc = read_hand(folder, whole, migration, err);
    if (rc == ERR_OK) {
        checksum(migration);
    } else {
        err_wrap(err, "%s", name);
    }
    return rc;
}

static enum err_code add_up_down(struct folder *folder, const char *name, const char *up,
                                 const char *down, struct err *err)
{
    struct migration *migration = NULL;
    enum err_code rc = add(folder, name, MIGRATION_UP_DOWN, &migration, err);

    if (rc == ERR_OK) {
        rc = read_text(folder, up, &migration->up, err);
    }
    if (rc == ERR_OK && file_exists(down)) {
        rc = read_text(folder, down, &migration->down, err);
    }
    if (rc == ERR_OK) {
        checksum(migration);
    }
    return rc;
}

static enum err_code add_folder(struct folder *folder, const char *name, const char *path,
                                struct err *err)
{
    const char *json = arena_print(&folder->arena, "%s/migration.json", path);
    const char *up = arena_print(&folder->arena, "%s/up.sql", path);
    const char *down = arena_print(&folder->arena, "%s/down.sql", path);

    if (json == NULL || up == NULL || down == NULL) {
        return no_memory(err);
    }
    if (file_exists(json) && (file_exists(up) || file_exists(down))) {
        return err_set(err, ERR_INVALID,
                       "%s holds migration.json and up.sql or down.sql; keep one of the two kinds",
                       name);
    }
    if (file_exists(json)) {
        return add_phased(folder, name, path, json, err);
    }
    if (file_exists(up)) {
        return add_up_down(folder, name, up, down, err);
    }
    return file_exists(down)
               ? err_set(err, ERR_INVALID, "%s is half written: down.sql is there, up.sql is not",
                         name)
               : err_set(err, ERR_INVALID,
                         "%s is half written: it holds neither migration.json nor up.sql; finish "
                         "it or remove the folder",
                         name);
}

static int by_number(const void *a, const void *b)
{
    const struct migration *x = a, *y = b;

    return x->number != y->number ? (x->number < y->number ? -1 : 1) : strcmp(x->name, y->name);
}

static enum err_code in_order(struct folder *folder, struct err *err)
{
    if (folder->count > 1) {
        qsort(folder->at, folder->count, sizeof *folder->at, by_number);
    }
    for (size_t i = 1; i < folder->count; i++) {
        if (folder->at[i].number == folder->at[i - 1].number) {
            return err_set(err, ERR_INVALID,
                           "%.80s and %.80s have the same number: rename the one that was not "
                           "applied yet",
                           folder->at[i - 1].name, folder->at[i].name);
        }
    }
    return ERR_OK;
}

/* What looks like a migration and is none would be left out without a word. */
static enum err_code refuse_misnamed(struct folder *folder, const char *name, const char *path,
                                     bool is_folder, struct err *err)
{
    static const char *const files[] = {"migration.json", "up.sql"};
    size_t len = strlen(name);
    bool misnamed = !is_folder && len > 4 && strcasecmp(name + len - 4, ".sql") == 0;

    for (size_t i = 0; is_folder && i < sizeof files / sizeof files[0]; i++) {
        const char *file = arena_print(&folder->arena, "%s/%s", path, files[i]);
        if (file == NULL) {
            return no_memory(err);
        }
        misnamed = misnamed || file_exists(file);
    }
    return misnamed
               ? err_set(err, ERR_INVALID,
                         is_folder ? "%.100s has no number: call the folder NNNN_name"
                                   : "%.100s: the files that count end in .sql, in small letters",
                         name)
               : ERR_OK;
}

static enum err_code read_entry(struct folder *folder, const char *path, const char *name,
                                struct err *err)
{
    const char *whole = arena_print(&folder->arena, "%s/%s", path, name);
    struct str text = {0};
    enum err_code rc;

    if (whole == NULL) {
        return no_memory(err);
    }
    if (name[0] == '.') {
        return ERR_OK;
    }
    if (ends_with(name, ".sql")) { /* there may be thousands, and a folder does not read as text */
        rc = read_text(folder, whole, &text, err);
        if (rc == ERR_OK || !file_is_folder(whole)) {
            return rc ? rc : add_plain(folder, name, text, err);
        }
    }
    return file_is_folder(whole) && number_of(name) >= 0
               ? add_folder(folder, name, whole, err)
               : refuse_misnamed(folder, name, whole, file_is_folder(whole), err);
}

enum err_code folder_read(const char *path, struct folder *out, struct err *err)
{
    char **names = NULL;
    size_t count = 0;
    enum err_code rc;

    *out = (struct folder){0};
    if (!file_is_folder(path)) {
        return err_set(err, ERR_NOT_FOUND,
                       "there is no folder '%.150s'; name the one with the migrations by "
                       "--migrations",
                       path);
    }
    rc = file_list(path, &names, &count, err);
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        rc = read_entry(out, path, names[i], err);
    }
    file_list_free(names, count);
    return rc ? rc : in_order(out, err);
}

enum err_code folder_take(const struct migrate_file *files, struct folder *out, struct err *err)
{
    enum err_code rc = ERR_OK;

    *out = (struct folder){0};
    for (; rc == ERR_OK && files != NULL && files->name != NULL; files++) {
        rc = add_plain(out, files->name, str_of(files->sql != NULL ? files->sql : ""), err);
    }
    return rc ? rc : in_order(out, err);
}

void folder_fini(struct folder *folder)
{
    arena_fini(&folder->arena);
    free(folder->at);
    *folder = (struct folder){0};
}

static bool is_called(const struct migration *migration, const char *name)
{
    size_t len = strlen(name);
    char *end = NULL;
    long number = strtol(name, &end, 10);

    if (strcmp(migration->name, name) == 0 ||
        (strncmp(migration->name, name, len) == 0 && strcmp(migration->name + len, ".sql") == 0)) {
        return true;
    }
    return end != name && *end == '\0' && number == migration->number;
}

enum err_code folder_find(const struct folder *folder, const char *name, size_t *index,
                          struct err *err)
{
    const char *nearest = NULL;
    const char **names;

    for (size_t i = 0; i < folder->count; i++) {
        if (is_called(&folder->at[i], name)) {
            *index = i;
            return ERR_OK;
        }
    }
    names = calloc(folder->count + 1, sizeof *names);
    for (size_t i = 0; names != NULL && i < folder->count; i++) {
        names[i] = folder->at[i].name;
    }
    if (names != NULL) {
        nearest = nearest_name(name, names, folder->count);
    }
    err_set(err, ERR_NOT_FOUND, "there is no migration '%.80s'%s%.80s%s", name,
            nearest != NULL ? "; did you mean " : "; `migrate status` lists them",
            nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
    free(names);
    return ERR_NOT_FOUND;
}
