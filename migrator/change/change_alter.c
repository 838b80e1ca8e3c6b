/*
 * Columns that stay and get other constraints: a value in the place of NULL, before NULL is refused
 * and, on the way back, before it is refused again.
 */
#include "migrator/change/change_parts.h"

#include <string.h>

/* "col = coalesce(col, (value)), ..." and "(col IS NULL AND (value) IS NOT NULL) OR ..." */
struct nulls {
    struct buf set, where, names, is_null;
};

static const char *value_of(const struct phased_alter *alter, bool fill)
{
    return fill ? alter->fill : alter->reverse;
}

static void add_value(const char *column, const char *value, const struct change_names *names,
                      struct nulls *out)
{
    const char *comma = out->set.len > 0 ? ", " : "", * or = out->set.len > 0 ? " OR " : "";

    buf_text(&out->names, comma);
    change_add_name(&out->names, "", column);
    buf_text(&out->set, comma);
    change_add_name(&out->set, "", column);
    buf_text(&out->set, " = coalesce(");
    change_add_name(&out->set, "", column);
    buf_text(&out->set, ", (");
    expression_write(value, &names->list, "", &out->set);
    buf_text(&out->set, "))");
    buf_print(&out->where, "%s(", or);
    change_add_name(&out->where, "", column);
    buf_text(&out->where, " IS NULL AND (");
    expression_write(value, &names->list, "", &out->where);
    buf_text(&out->where, ") IS NOT NULL)");
    buf_text(&out->is_null, or);
    change_add_name(&out->is_null, "NEW.", column);
    buf_text(&out->is_null, " IS NULL");
}

static bool nulls_read(const struct change *change, const struct change_names *names, bool fill,
                       struct nulls *out)
{
    *out = (struct nulls){0};
    for (size_t i = 0; i < change->phased->alter_count; i++) {
        const struct phased_alter *alter = &change->phased->alter[i];
        if (value_of(alter, fill) != NULL) {
            add_value(alter->name, value_of(alter, fill), names, out);
        }
    }
    return out->set.len > 0;
}

static void nulls_fini(struct nulls *nulls)
{
    buf_fini(&nulls->set);
    buf_fini(&nulls->where);
    buf_fini(&nulls->names);
    buf_fini(&nulls->is_null);
}

static const char *statement(const struct change *change, const struct nulls *nulls,
                             struct arena *arena)
{
    struct buf text = {0};

    buf_text(&text, "UPDATE ");
    buf_sql_name(&text, str_of(change->shape.table));
    buf_print(&text, " SET %s WHERE (%s)", buf_cstr(&nulls->set), buf_cstr(&nulls->where));
    return change_settle(arena, &text);
}

enum err_code change_alterations(struct change *change, const struct change_names *names,
                                 struct arena *arena, struct err *err)
{
    struct nulls nulls;
    enum err_code rc = ERR_OK;

    if (nulls_read(change, names, false, &nulls)) {
        change->restore_nulls = statement(change, &nulls, arena);
        rc = change->restore_nulls != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
    }
    nulls_fini(&nulls);
    if (rc == ERR_OK && nulls_read(change, names, true, &nulls)) {
        change->fill_nulls = statement(change, &nulls, arena);
        rc = change->fill_nulls != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
        rc =
            rc ? rc
               : change_null_triggers(change, buf_cstr(&nulls.names), buf_cstr(&nulls.set),
                                      buf_cstr(&nulls.where), buf_cstr(&nulls.is_null), arena, err);
        nulls_fini(&nulls);
    }
    return rc;
}
