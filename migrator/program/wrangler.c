#include "migrator/program/wrangler.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/jsonc.h"
#include "base/toml.h"

#define FILE_BYTES_MAX (1u << 20)
#define LEDGER "d1_migrations"
#define STATE ".wrangler/state/v3/d1/"
#define OBJECT "miniflare-D1DatabaseObject"

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

const char *wrangler_find(const char *file, struct arena *arena)
{
    static const char *const names[] = {"wrangler.json", "wrangler.jsonc", "wrangler.toml"};

    if (file != NULL && !file_is_folder(file)) {
        return file_exists(file) ? file : NULL;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *name = arena_print(arena, "%s%s%s", file != NULL ? file : "",
                                       file != NULL ? "/" : "", names[i]);
        if (name != NULL && file_exists(name)) {
            return name;
        }
    }
    return NULL;
}

static enum err_code parse(const char *file, struct json **out, struct err *err)
{
    char *text = NULL;
    size_t len = 0;
    enum err_code rc = file_read(file, FILE_BYTES_MAX, &text, &len, err);

    if (rc) {
        return rc;
    }
    rc = ends_with(file, ".toml") ? toml_parse(text, len, out, err)
                                  : jsonc_parse(text, len, out, err);
    free(text);
    if (rc) {
        err_wrap(err, "%.200s", file);
    }
    return rc;
}

/* d1_databases is not inherited: an environment has its own, or none. */
static enum err_code find_list(const struct json *root, const char *environment, const char *file,
                               const struct json **out, const struct json **scope, struct err *err)
{
    *scope = root;
    if (environment != NULL) {
        *scope = json_get(json_get(root, "env"), environment);
        if (*scope == NULL) {
            return err_set(err, ERR_NOT_FOUND, "%.200s has no environment \"%.60s\"", file,
                           environment);
        }
    }
    *out = json_get(*scope, "d1_databases");
    return json_count(*out) > 0
               ? ERR_OK
               : err_set(err, ERR_NOT_FOUND, "%.200s: no d1_databases%s%.60s%s", file,
                         environment != NULL ? " in environment \"" : "",
                         environment != NULL ? environment : "", environment != NULL ? "\"" : "");
}

static bool is_called(const struct json *one, const char *name)
{
    return strcmp(json_get_text(one, "binding", ""), name) == 0 ||
           strcmp(json_get_text(one, "database_name", ""), name) == 0;
}

static enum err_code find_one(const struct json *list, const char *binding, const char *file,
                              const struct json **out, struct err *err)
{
    struct buf names = {0};
    enum err_code rc = ERR_OK;

    *out = NULL;
    for (const struct json *one = json_first(list); one != NULL; one = json_next(one)) {
        if (binding == NULL ? json_count(list) == 1 : is_called(one, binding)) {
            *out = one;
        }
        buf_print(&names, "%s%.60s", names.len > 0 ? ", " : "", json_get_text(one, "binding", "?"));
    }
    if (*out == NULL) {
        rc = err_set(err, binding != NULL ? ERR_NOT_FOUND : ERR_INVALID,
                     binding != NULL ? "%.200s has no database \"%.60s\"; it has %.200s"
                                     : "%.200s has several databases: name one by "
                                       "--wrangler-binding%.0s (%.200s)",
                     file, binding != NULL ? binding : "", buf_cstr(&names));
    }
    buf_fini(&names);
    return rc;
}

/* wrangler would run the files of phased migrations as plain SQL, at once and in this order. */
static enum err_code check_pattern(const struct json *one, const char *folder, const char *file,
                                   struct err *err)
{
    const char *pattern = json_get_text(one, "migrations_pattern", NULL);
    size_t len = strlen(folder);

    if (pattern == NULL) {
        return ERR_OK;
    }
    if (strncmp(pattern, "./", 2) == 0) {
        pattern += 2;
    }
    if (strncmp(folder, "./", 2) == 0) {
        folder += 2;
        len -= 2;
    }
    if (strncmp(pattern, folder, len) == 0 && strcmp(pattern + len, "/*.sql") == 0) {
        return ERR_OK;
    }
    return err_set(err, ERR_INVALID,
                   "%.150s: migrations_pattern \"%.80s\" reaches beyond %.60s/*.sql, so wrangler "
                   "would run the files of a phased migration's folder; leave it out",
                   file, pattern, folder);
}

/* Miniflare names a database's file by its id: as the id of a Durable Object of this name. */
static const char *local_name(const char *id, struct arena *arena)
{
    unsigned char key[DIGEST_BYTES], first[DIGEST_BYTES], second[DIGEST_BYTES];
    struct buf hex = {0};
    const char *out;

    digest_raw(OBJECT, strlen(OBJECT), key);
    digest_hmac(key, id, strlen(id), first);
    digest_hmac(key, first, DIGEST_BYTES / 2, second);
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        buf_print(&hex, "%02x", i < DIGEST_BYTES / 2 ? first[i] : second[i - DIGEST_BYTES / 2]);
    }
    out = arena_text(arena, buf_cstr(&hex), hex.len);
    buf_fini(&hex);
    return out;
}

static enum err_code set_local(const struct json *one, const char *base, struct arena *arena,
                               struct wrangler *out, struct err *err)
{
    const char *id =
        json_get_text(one, "preview_database_id",
                      json_get_text(one, "database_id", json_get_text(one, "binding", "")));

    out->database =
        arena_print(arena, "%s%s%s/%s.sqlite", base, STATE, OBJECT, local_name(id, arena));
    if (out->database == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    return file_exists(out->database)
               ? ERR_OK
               : err_set(err, ERR_NOT_FOUND,
                         "there is no local database yet (%.300s): `wrangler dev`, or `wrangler d1 "
                         "migrations apply NAME --local`, makes it",
                         out->database);
}

static enum err_code set_remote(const struct json *root, const struct json *scope,
                                const struct json *one, const char *file, struct arena *arena,
                                struct wrangler *out, struct err *err)
{
    const char *id = json_get_text(one, "database_id", NULL);
    const char *account = getenv("CLOUDFLARE_ACCOUNT_ID");

    account = account != NULL && *account != '\0' ? account : NULL;
    account = account != NULL
                  ? account
                  : json_get_text(scope, "account_id", json_get_text(root, "account_id", NULL));
    if (id == NULL || *id == '\0') {
        return err_set(err, ERR_INVALID, "%.200s: database \"%.60s\" has no database_id", file,
                       json_get_text(one, "binding", "?"));
    }
    if (account == NULL) {
        return err_set(err, ERR_INVALID,
                       "%.200s has no account_id: add it, or set CLOUDFLARE_ACCOUNT_ID", file);
    }
    out->database = arena_print(arena, "d1://%s/%s", account, id);
    return out->database != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

static enum err_code take(const struct wrangler_ask *ask, const char *file, const struct json *root,
                          struct arena *arena, struct wrangler *out, struct err *err)
{
    const struct json *list = NULL, *scope = root, *one = NULL;
    const char *slash = strrchr(file, '/'), *folder, *ledger;
    const char *base = arena_text(arena, file, slash != NULL ? (size_t)(slash + 1 - file) : 0);
    enum err_code rc = find_list(root, ask->environment, file, &list, &scope, err);

    rc = rc ? rc : find_one(list, ask->binding, file, &one, err);
    if (rc) {
        return rc;
    }
    folder = json_get_text(one, "migrations_dir", "migrations");
    ledger = json_get_text(one, "migrations_table", LEDGER);
    out->ledger = arena_text(arena, ledger, strlen(ledger));
    out->folder = base != NULL ? arena_print(arena, "%s%s", base, folder) : NULL;
    if (out->ledger == NULL || out->folder == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    rc = check_pattern(one, folder, file, err);
    return rc           ? rc
           : ask->local ? set_local(one, base, arena, out, err)
                        : set_remote(root, scope, one, file, arena, out, err);
}

enum err_code wrangler_read(const struct wrangler_ask *ask, struct arena *arena,
                            struct wrangler *out, struct err *err)
{
    const char *file = wrangler_find(ask->file, arena);
    struct json *root = NULL;
    enum err_code rc;

    if (file == NULL) {
        return err_set(err, ERR_NOT_FOUND, "there is no %.200s",
                       ask->file != NULL && !file_is_folder(ask->file)
                           ? ask->file
                           : "wrangler.json, wrangler.jsonc or wrangler.toml here");
    }
    rc = parse(file, &root, err);
    rc = rc ? rc : take(ask, file, root, arena, out, err);
    json_free(root);
    return rc;
}
