#include "migrator/arrow/arrow_parts.h"

#include <stdlib.h>

#include "migrator/arrow/plain.h"
#include "migrator/folder/handwritten.h"

static enum err_code add_file(struct arrow *a, enum hand_file file)
{
    struct str text = a->migration->hand->files[file], *pieces = NULL;
    size_t count = 0;
    enum err_code rc;

    if (text.at == NULL) {
        return ERR_OK;
    }
    rc = plain_analyse(a->m->db, handwritten_name(file), text, a->err);
    rc = rc ? rc : database_split(text, &pieces, &count, a->err);
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        work_sql_n(a->work, pieces[i]);
    }
    free(pieces);
    return rc;
}

/* On a table without rows nobody is there to wait for. */
static enum err_code fresh(struct arrow *a)
{
    enum err_code rc;

    arrow_demand_empty(a, a->change->shape.table,
                       "the table has rows by now; run the command again");
    rc = add_file(a, HAND_EXPAND);
    rc = rc ? rc : add_file(a, HAND_DUAL_WRITE);
    return rc ? rc : add_file(a, HAND_CONTRACT);
}

enum err_code arrow_by_hand(struct arrow *a, enum mig_state from, enum mig_state to)
{
    enum hand_file file;

    if (from == MIG_PENDING && to == MIG_PURGED) {
        return fresh(a);
    }
    if (from == MIG_EXPANDED && to == MIG_DUAL_WRITING) {
        arrow_forget_progress(a);
    }
    if (to > from && (to == MIG_IN_SYNC || to == MIG_CONTRACTED)) {
        arrow_demand_verified(a);
    }
    return handwritten_arrow(from, to, &file) ? add_file(a, file) : ERR_OK;
}
