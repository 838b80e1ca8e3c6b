#include "database/d1_probe.h"

#include <string.h>

#include "database/d1_wire.h"

/* Whether these ALTERs work, tried in a request whose last statement fails: it leaves nothing, not
 * even a table of ours. */
static enum err_code try_forms(struct d1_call *call, const char *path, const char *const *alters,
                               bool *work, struct err *err)
{
    struct buf body = {0};
    struct json *reply = NULL;
    struct err said = {0};
    enum err_code rc;

    buf_text(&body, "{\"batch\":[");
    rc = d1_wire_item("CREATE TABLE lockstep_probe(a INTEGER, b TEXT NOT NULL, c TEXT)", NULL, 0,
                      &body, err);
    for (; rc == ERR_OK && *alters != NULL; alters++) {
        buf_char(&body, ',');
        rc = d1_wire_item(*alters, NULL, 0, &body, err);
    }
    buf_char(&body, ',');
    rc = rc ? rc
            : d1_wire_item("SELECT json_extract('{}', 'lockstep probe worked')", NULL, 0, &body,
                           err);
    buf_text(&body, "]}");
    if (rc == ERR_OK) {
        rc = d1_call_again(call, "POST", path, &body, &reply, &said);
        json_free(reply);
        *work = rc != ERR_OK && strstr(said.msg, "lockstep probe worked") != NULL;
        if (rc == ERR_OK) {
            rc = err_set(err, ERR_CONFLICT,
                         "a batch whose last statement failed was carried out: nothing can be "
                         "migrated safely here");
        } else if (d1_call_passing(rc) || rc == ERR_DENIED || rc == ERR_NOMEM) {
            *err = said;
        } else {
            rc = ERR_OK;
        }
    }
    buf_fini(&body);
    return rc;
}

enum err_code d1_probe_alters(struct d1_call *call, const char *path,
                              struct database_capabilities *out, struct err *err)
{
    static const char rename_column[] = "ALTER TABLE lockstep_probe RENAME COLUMN a TO d";
    static const char drop_column[] = "ALTER TABLE lockstep_probe DROP COLUMN c";
    static const char loosen[] = "ALTER TABLE lockstep_probe ALTER COLUMN b DROP NOT NULL";
    static const char tighten[] = "ALTER TABLE lockstep_probe ALTER COLUMN b SET NOT NULL";
    bool both = false;
    enum err_code rc =
        try_forms(call, path, (const char *const[]){loosen, NULL}, &out->alter_drop_not_null, err);

    rc = rc || !out->alter_drop_not_null
             ? rc
             : try_forms(call, path, (const char *const[]){loosen, tighten, NULL},
                         &out->alter_set_not_null, err);
    rc = rc ? rc
            : try_forms(call, path, (const char *const[]){rename_column, drop_column, NULL}, &both,
                        err);
    if (rc == ERR_OK && both) {
        out->rename_column = out->drop_column = true;
        return ERR_OK;
    }
    rc = rc ? rc
            : try_forms(call, path, (const char *const[]){rename_column, NULL}, &out->rename_column,
                        err);
    return rc ? rc
              : try_forms(call, path, (const char *const[]){drop_column, NULL}, &out->drop_column,
                          err);
}
