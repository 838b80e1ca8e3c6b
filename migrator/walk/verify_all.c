/*
 * migrate_verify(): every row of every migration that keeps two shapes.
 */
#include "migrator/walk/walk.h"

static bool keeps_two_shapes(const struct migrate *m, size_t index)
{
    enum mig_state state = session_state(m, index);

    return m->folder.at[index].phased != NULL && state >= MIG_DUAL_WRITING && state < MIG_PURGED;
}

static enum err_code verify_one(struct migrate *m, size_t index, struct json *list, struct err *err)
{
    struct json *entry = json_object(), *document = NULL;
    enum err_code rc;

    (void)json_put_text(entry, "name", m->folder.at[index].name);
    rc = walk_verify(m, index, &document, err);
    (void)json_put_text(entry, "state", mig_state_name(session_state(m, index)));
    if (document != NULL) {
        (void)json_put(entry, "verify", document);
    }
    (void)json_append(list, entry);
    return rc;
}

enum err_code migrate_verify(struct migrate *m, const char *target, struct json **report,
                             struct err *err)
{
    struct json *list;
    size_t one = 0, count = 0;
    enum err_code rc = session_write(m, err), first = ERR_OK;

    *report = NULL;
    if (rc == ERR_OK && target != NULL) {
        rc = folder_find(&m->folder, target, &one, err);
    }
    rc = rc ? rc : session_check_drift(m, err);
    for (size_t i = 0; rc == ERR_OK && i < m->folder.count; i++) {
        count += keeps_two_shapes(m, i) && (target == NULL || i == one);
    }
    if (rc == ERR_OK && target != NULL && count == 0) {
        return err_set(err, ERR_CONFLICT, "%.100s is %s: there are no two shapes to compare",
                       m->folder.at[one].name, mig_state_name(session_state(m, one)));
    }
    if (rc == ERR_OK && count > 0) {
        rc = session_begin(m, err);
    }
    if (rc) {
        return rc;
    }
    list = json_array();
    for (size_t i = 0; i < m->folder.count && (rc == ERR_OK || rc == ERR_CONFLICT); i++) {
        struct err cause = {0};
        if (!keeps_two_shapes(m, i) || (target != NULL && i != one)) {
            continue;
        }
        rc = verify_one(m, i, list, &cause);
        if (rc != ERR_OK && first == ERR_OK) {
            first = rc;
            *err = cause;
        }
    }
    lock_give_back(m->db, &m->lock);
    *report = json_object();
    (void)json_put_text(*report, "database", database_url(m->db));
    (void)json_put_text(*report, "environment", m->environment);
    (void)json_put(*report, "migrations", list);
    return first;
}
