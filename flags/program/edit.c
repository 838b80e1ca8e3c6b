/*
 * Read, change, write back: every command that changes a flag goes through here.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/digest.h"
#include "flags/program/commands.h"

enum { RETRY_US = 40000 };

static enum err_code try_once(struct api *api, const char *path, const char *key, edit_fn *edit,
                              void *ctx, struct json **before, struct json **after)
{
    char etag[API_ETAG_BYTES];
    struct json *now = NULL, *changed;
    enum err_code rc = api_get_flag(api, key, &now, etag);

    if (rc != ERR_OK) {
        return rc;
    }
    changed = json_copy(now);
    if (changed == NULL) {
        rc = api_set(api, ERR_NOMEM, "out of memory");
    } else if (!edit(api, changed, ctx)) {
        rc = api->code;
    } else {
        rc = api_call(api, "PUT", path, changed, etag, after, NULL);
    }
    json_free(changed);
    if (rc == ERR_OK) {
        *before = now;
    } else {
        json_free(now);
    }
    return rc;
}

enum err_code edit_flag(struct api *api, const char *key, edit_fn *edit, void *ctx,
                        struct json **before, struct json **after)
{
    char *path = api_path("/api/v1/flags/", key, "");
    enum err_code rc = ERR_STALE;

    if (path == NULL) {
        return api_set(api, ERR_NOMEM, "out of memory");
    }
    for (int i = 0; i < EDIT_TRIES && rc == ERR_STALE; i++) {
        if (i > 0) { /* whoever is faster again must not be so in the same rhythm */
            clock_sleep_us((int64_t)(RETRY_US * i * random_unit()));
        }
        rc = try_once(api, path, key, edit, ctx, before, after);
    }
    free(path);
    return rc;
}
