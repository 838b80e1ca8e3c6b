#include "migrator/walk/hand_run.h"

#include <stdlib.h>

#include "base/buf.h"
#include "migrator/arrow/plain.h"
#include "migrator/folder/handwritten.h"

#define SAMPLES 10

enum err_code hand_validate(struct migrate *m, size_t index, struct err *err)
{
    const struct handwritten *hand = m->folder.at[index].hand;
    enum err_code rc = ERR_OK;

    for (int i = 0; hand != NULL && rc == ERR_OK && i < HAND_FILES; i++) {
        struct arena arena = {0};
        const char *name;
        if (hand->files[i].at == NULL) {
            continue;
        }
        name = arena_print(&arena, "%s/%s", m->folder.at[index].name,
                           handwritten_name((enum hand_file)i));
        rc = name != NULL ? plain_analyse(m->db, name, hand->files[i], err)
                          : err_set(err, ERR_NOMEM, "out of memory");
        arena_fini(&arena);
    }
    return rc;
}

enum err_code hand_notes(struct migrate *m, const struct migration *migration, enum mig_state from,
                         struct json *notes, struct err *err)
{
    const struct handwritten *hand = migration->hand;
    enum err_code rc = ERR_OK;

    for (int i = 0; hand != NULL && rc == ERR_OK && i < HAND_FILES; i++) {
        if (hand->files[i].at != NULL) {
            rc = plain_notes(m->db, hand->files[i], notes, err);
        }
    }
    if (rc || hand == NULL || migration->phased->kind != PHASED_HANDWRITTEN) {
        return rc;
    }
    for (int i = HAND_EXPAND; i <= HAND_CONTRACT; i++) {
        struct buf line = {0};
        if (hand->files[i].at == NULL || hand->files[i + HAND_EXPAND_DOWN].at != NULL) {
            continue;
        }
        buf_print(&line, "%s has no .down.sql: there is no way back from it",
                  handwritten_name((enum hand_file)i));
        (void)json_append(notes, json_string(buf_cstr(&line)));
        buf_fini(&line);
    }
    if (hand->files[HAND_DUAL_WRITE].at != NULL && from < MIG_CONTRACTED) {
        (void)json_append(notes,
                          json_string("old code's writes are not recorded where dual-write is "
                                      "hand-written: the contract gate does not wait for "
                                      "them"));
    }
    return ERR_OK;
}

enum err_code hand_way_back_check(struct migrate *m, size_t index, enum mig_state to,
                                  struct err *err)
{
    const struct migration *migration = &m->folder.at[index];
    const char *file = migration->hand != NULL
                           ? handwritten_no_way_back(migration->hand, session_state(m, index), to)
                           : NULL;

    return file == NULL
               ? ERR_OK
               : err_set(err, ERR_CONFLICT,
                         "%.80s: %s has no .down.sql beside it, so there is no way back from it; "
                         "nothing was changed",
                         migration->name, file);
}

/* ---- verification ---- */

enum err_code hand_verify(struct migrate *m, size_t index, const struct change *change,
                          int64_t *faults, struct json *samples, struct err *err)
{
    const struct handwritten *hand = m->folder.at[index].hand;
    struct database_rows *rows = NULL;
    struct buf sql = {0};
    enum err_code rc;

    *faults = 0;
    if (hand == NULL || hand->verify == NULL || change->set_aside) {
        return ERR_OK;
    }
    buf_text(&sql, "SELECT * FROM (");
    buf_text(&sql, hand->verify);
    buf_print(&sql, "\n) LIMIT %d", HAND_FAULTS_MAX);
    rc = buf_failed(&sql) ? err_set(err, ERR_NOMEM, "out of memory")
                          : database_query(m->db, buf_cstr(&sql), NULL, 0, &rows, err);
    buf_fini(&sql);
    if (rc) {
        err_wrap(err, "%.80s/verify.sql", m->folder.at[index].name);
        return rc;
    }
    *faults = (int64_t)database_rows_count(rows);
    for (size_t i = 0; i < database_rows_count(rows) && i < SAMPLES; i++) {
        const char *first = database_rows_text(rows, i, 0);
        (void)json_append(samples, json_string(first != NULL ? first : "NULL"));
    }
    database_rows_free(rows);
    return ERR_OK;
}
