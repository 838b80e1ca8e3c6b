#include "database/d1_travel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum err_code ask(struct d1_call *call, const char *method, const struct buf *path,
                         const char *field, char *out, size_t size, struct err *err)
{
    struct json *reply = NULL;
    const char *bookmark;
    enum err_code rc = buf_failed(path)
                           ? err_set(err, ERR_NOMEM, "out of memory")
                           : d1_call_again(call, method, buf_cstr(path), NULL, &reply, err);

    if (rc) {
        return rc;
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
    rc = ask(call, "GET", &path, "bookmark", out, size, err);
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
    rc = escaped != NULL ? ask(call, "POST", &path, "previous_bookmark", undo, size, err)
                         : err_set(err, ERR_NOMEM, "out of memory");
    buf_fini(&path);
    free(escaped);
    return rc;
}
