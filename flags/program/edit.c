/*
 * Read, change, write back: every command that changes a flag goes through here.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/digest.h"
#include "flags/program/commands.h"

enum { RETRY_US = 40000 };

/* Reads what stands at path; key: of the flag that it is, for a better message, or NULL. */
static enum err_code read_now(struct api *api, const char *path, const char *key, struct json **now,
                              char etag[API_ETAG_BYTES])
{
    return key != NULL ? api_get_flag(api, key, now, etag)
                       : api_call(api, "GET", path, NULL, NULL, now, etag);
}

static enum err_code try_once(struct api *api, const char *path, const char *key, edit_fn *edit,
                              void *ctx, struct json **before, struct json **after)
{
    char etag[API_ETAG_BYTES];
    struct json *now = NULL, *changed;
    char target[3 * 1024];
    enum err_code rc = read_now(api, path, key, &now, etag);

    if (rc != ERR_OK) {
        return rc;
    }
    snprintf(target, sizeof target, "%s%s", path, api->reassign ? "?reassign=true" : "");
    changed = json_copy(now);
    if (changed == NULL) {
        rc = api_set(api, ERR_NOMEM, "out of memory");
    } else if (!edit(api, changed, ctx)) {
        rc = api->code;
    } else {
        rc = api_call(api, "PUT", target, changed, etag, after, NULL);
    }
    json_free(changed);
    if (rc == ERR_OK) {
        *before = now;
    } else {
        json_free(now);
    }
    return rc;
}

static enum err_code repeat(struct api *api, const char *path, const char *key, edit_fn *edit,
                            void *ctx, struct json **before, struct json **after)
{
    enum err_code rc = ERR_STALE;

    for (int i = 0; i < EDIT_TRIES && rc == ERR_STALE; i++) {
        if (i > 0) { /* whoever is faster again must not be so in the same rhythm */
            clock_sleep_us((int64_t)(RETRY_US * i * random_unit()));
        }
        rc = try_once(api, path, key, edit, ctx, before, after);
    }
    return rc;
}

enum err_code edit_at(struct api *api, const char *path, edit_fn *edit, void *ctx,
                      struct json **before, struct json **after)
{
    return repeat(api, path, NULL, edit, ctx, before, after);
}

enum err_code edit_flag(struct api *api, const char *key, edit_fn *edit, void *ctx,
                        struct json **before, struct json **after)
{
    char *path = api_path("/api/v1/flags/", key, "");
    enum err_code rc = path != NULL ? repeat(api, path, key, edit, ctx, before, after)
                                    : api_set(api, ERR_NOMEM, "out of memory");

    free(path);
    return rc;
}
