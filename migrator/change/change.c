#include "migrator/change/change_parts.h"

#include <string.h>

#include "migrator/change/table_change.h"

int64_t change_granularity_s(const struct phased *phased)
{
    int64_t quarter_s = phased->old_writes_idle_ms / 4000;

    return quarter_s < 1 ? 1 : quarter_s > 60 ? 60 : quarter_s;
}

bool change_sets_aside(const struct change *change)
{
    return change->table != NULL ? change->table->old_name != NULL : change->phased->drop_count > 0;
}

/* The names as the table has them: the migration may have written them in another case. */
static enum err_code name_drops(struct change *change, struct arena *arena, struct err *err)
{
    for (size_t i = 0; i < change->phased->drop_count; i++) {
        const char *old = change->phased->drop[i].name;
        const char *aside = arena_print(arena, "lockstep_%ld_%s", change->migration->number, old);
        const struct shape_column *column =
            aside != NULL ? shape_column(&change->shape, change->set_aside ? aside : old) : NULL;

        if (column != NULL && change->set_aside) {
            old = column->name + (strlen(aside) - strlen(old));
        } else if (column != NULL) {
            old = column->name;
        }
        change->drop_old[i] = old;
        change->drop_aside[i] =
            arena_print(arena, "lockstep_%ld_%s", change->migration->number, old);
        change->drop_now[i] = change->set_aside ? change->drop_aside[i] : old;
        if (aside == NULL || change->drop_aside[i] == NULL) {
            return err_set(err, ERR_NOMEM, "out of memory");
        }
    }
    return ERR_OK;
}

enum err_code change_read(struct database *db, const struct migration *migration, bool expanded,
                          bool set_aside, struct arena *arena, struct change *out, struct err *err)
{
    struct change_names names = {0};
    enum err_code rc;

    if (migration->phased->kind != PHASED_COLUMNS &&
        migration->phased->kind != PHASED_HANDWRITTEN) {
        return table_change_read(db, migration, expanded, set_aside, arena, out, err);
    }
    *out = (struct change){.migration = migration, .phased = migration->phased};
    rc = shape_read(db, migration->phased->table, arena, &out->shape, err);
    if (rc) {
        return rc;
    }
    out->set_aside = set_aside;
    rc = name_drops(out, arena, err);
    if (rc) {
        return rc;
    }
    out->granularity_s = change_granularity_s(out->phased);
    rc = change_resolve(db, out, expanded, arena, err);
    rc = rc ? rc : change_check(db, out, expanded, arena, err);
    rc = rc ? rc : change_names_of(out, arena, &names, err);
    rc = rc ? rc : change_generate(out, &names, arena, err);
    return rc ? rc : change_alterations(out, &names, arena, err);
}

static enum err_code renamed(const struct change *change, bool set_aside, struct arena *arena,
                             struct change *out, struct err *err)
{
    struct change_names names = {0};
    enum err_code rc;

    *out = (struct change){.migration = change->migration,
                           .phased = change->phased,
                           .shape = change->shape,
                           .granularity_s = change->granularity_s,
                           .set_aside = set_aside};
    for (size_t i = 0; i < change->phased->drop_count; i++) {
        out->drop_old[i] = change->drop_old[i];
        out->drop_aside[i] = change->drop_aside[i];
        out->drop_now[i] = set_aside ? change->drop_aside[i] : change->drop_old[i];
    }
    rc = change_names_of(out, arena, &names, err);
    rc = rc ? rc : change_generate(out, &names, arena, err);
    return rc ? rc : change_alterations(out, &names, arena, err);
}

enum err_code change_renamed(const struct change *change, struct arena *arena, struct change *out,
                             struct err *err)
{
    return renamed(change, false, arena, out, err);
}

enum err_code change_aside(const struct change *change, struct arena *arena, struct change *out,
                           struct err *err)
{
    return renamed(change, true, arena, out, err);
}
