#include "database/d1_travel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As d1_call_again(); *lost: an answer was, so that what is answered now may be of a second time. */
static enum err_code call_again(struct d1_call *call, const char *method, const char *path,
                                struct json **reply, bool *lost, struct err *err)
{
    enum err_code rc = ERR_OK;

    *lost = false;
    for (unsigned try = 1; try <= D1_TRIES; try++) {
        enum d1_fate fate = D1_ANSWERED;
        int64_t wait_ms = 0;
        rc = d1_call_once(call, method, path, NULL, reply, &fate, &wait_ms, err);
        if (rc == ERR_OK || !d1_call_passing(rc)) {
            break;
        }
        *lost = *lost || fate != D1_ANSWERED;
        if (try < D1_TRIES) {
            d1_call_wait(try + 1, wait_ms);
        }
    }
    return rc;
}

static enum err_code ask(struct d1_call *call, const char *method, const struct buf *path,
                         const char *field, bool once, char *out, size_t size, struct err *err)
{
    struct json *reply = NULL;
    const char *bookmark;
    bool lost = false;
    enum err_code rc = buf_failed(path)
                           ? err_set(err, ERR_NOMEM, "out of memory")
                           : call_again(call, method, buf_cstr(path), &reply, &lost, err);

    if (rc) {
        return rc;
    }
    if (lost && once) { /* the bookmark may be of behind the first time */
        *out = '\0';
        json_free(reply);
        return ERR_OK;
    }
    bookmark = json_get_text(json_get(reply, "result"), field, "");
    if (*bookmark == '\0' || strlen(bookmark) >= size) {
        rc = err_set(err, ERR_IO, "D1 answered without a bookmark");
    } else {
        (void)snprintf(out, size, "%s", bookmark);
    }
    json_free(reply);
    return rc;
}

enum err_code d1_travel_bookmark(struct d1_call *call, const char *id, char *out, size_t size,
                                 struct err *err)
{
    struct buf path = {0};
    enum err_code rc;

    buf_print(&path, "/%s/time_travel/bookmark", id);
    rc = ask(call, "GET", &path, "bookmark", false, out, size, err);
    buf_fini(&path);
    return rc;
}

enum err_code d1_travel_back(struct d1_call *call, const char *id, const char *bookmark, char *undo,
                             size_t size, struct err *err)
{
    char *escaped = fetch_url_escape(bookmark);
    struct buf path = {0};
    enum err_code rc;

    buf_print(&path, "/%s/time_travel/restore?bookmark=%s", id, escaped != NULL ? escaped : "");
    rc = escaped != NULL ? ask(call, "POST", &path, "previous_bookmark", true, undo, size, err)
                         : err_set(err, ERR_NOMEM, "out of memory");
    buf_fini(&path);
    free(escaped);
    return rc;
}
