#include "migrator/change/mirror.h"

#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "migrator/change/change_parts.h"

/* ---- pieces ---- */

struct writing {
    const struct change *change;
    const struct table_change *t;
    const char *from, *to; /* whose writes are carried over, and where to */
    struct buf out;        /* what is being written; empty between two texts */
};

static void add_table(struct writing *w, const char *table)
{
    buf_sql_name(&w->out, str_of(table));
}

static void add_column(struct writing *w, const char *prefix, const char *column)
{
    buf_text(&w->out, prefix);
    buf_sql_name(&w->out, str_of(column));
}

/* "<a>key = <b>key", with the collation that the key itself compares by. A quoted rowid could be
 * taken for a string. */
static void add_key_match(struct writing *w, const char *a, const char *b)
{
    const struct table_key *key = &w->t->key;

    if (!w->change->shape.without_rowid) {
        const char *rowid = w->change->shape.key[0];
        buf_print(&w->out, "%s%s = %s%s", a, rowid, b, rowid);
        return;
    }
    for (size_t i = 0; i < key->count; i++) {
        buf_text(&w->out, i > 0 ? " AND " : "");
        add_column(w, a, key->columns[i]);
        buf_text(&w->out, " = ");
        add_column(w, b, key->columns[i]);
        buf_print(&w->out, " COLLATE %s", key->collations[i]);
    }
}

/* Every column IS the other's, byte by byte and, where a column takes every type, type by type. */
static void add_same(struct writing *w, const char *a, const char *b)
{
    for (size_t i = 0; i < w->t->column_count; i++) {
        const char *column = w->t->columns[i];
        buf_text(&w->out, i > 0 ? " AND " : "");
        add_column(w, a, column);
        buf_text(&w->out, " COLLATE BINARY IS ");
        add_column(w, b, column);
        if (w->t->blank[i]) {
            buf_text(&w->out, " AND typeof(");
            add_column(w, a, column);
            buf_text(&w->out, ") = typeof(");
            add_column(w, b, column);
            buf_char(&w->out, ')');
        }
    }
}

/* "EXISTS (SELECT 1 FROM table WHERE key = <b>key [AND same])" */
static void add_exists(struct writing *w, const char *table, const char *b, bool same)
{
    buf_text(&w->out, "EXISTS (SELECT 1 FROM ");
    add_table(w, table);
    buf_text(&w->out, " AS m WHERE ");
    add_key_match(w, "m.", b);
    if (same) {
        buf_text(&w->out, " AND ");
        add_same(w, "m.", b);
    }
    buf_char(&w->out, ')');
}

/* The columns that an INSERT names; the rowid too, where no column is it. */
static void add_columns(struct writing *w, const char *prefix)
{
    bool any = false;

    if (!w->change->shape.without_rowid && w->t->rowid_alias == NULL) {
        buf_print(&w->out, "%s%s", prefix, w->change->shape.key[0]);
        any = true;
    }
    for (size_t i = 0; i < w->t->column_count; i++) {
        buf_text(&w->out, any ? ", " : "");
        add_column(w, prefix, w->t->columns[i]);
        any = true;
    }
}

/* ---- triggers ---- */

static void add_unique_deletes(struct writing *w)
{
    for (size_t i = 0; i < w->t->unique_count; i++) {
        const struct table_key *key = &w->t->unique[i];
        buf_text(&w->out, "DELETE FROM ");
        add_table(w, w->to);
        buf_text(&w->out, " WHERE ");
        for (size_t k = 0; k < key->count; k++) {
            buf_text(&w->out, k > 0 ? " AND " : "");
            add_column(w, "", key->columns[k]);
            buf_text(&w->out, " = ");
            add_column(w, "NEW.", key->columns[k]);
            buf_print(&w->out, " COLLATE %s", key->collations[k]);
        }
        buf_text(&w->out, " AND NOT (");
        add_key_match(w, "", "NEW.");
        buf_text(&w->out, "); ");
    }
}

/* The counterpart of NEW gets its values, or is made. */
static void add_write(struct writing *w)
{
    bool any = false;
    struct writing set = {w->change, w->t, w->from, w->to, {0}};

    for (size_t i = 0; i < w->t->column_count; i++) {
        if (w->t->rowid_alias != NULL && strcmp(w->t->rowid_alias, w->t->columns[i]) == 0) {
            continue;
        }
        buf_text(&set.out, any ? ", " : "");
        add_column(&set, "", w->t->columns[i]);
        buf_text(&set.out, " = ");
        add_column(&set, "NEW.", w->t->columns[i]);
        any = true;
    }
    if (any) {
        buf_text(&w->out, "UPDATE ");
        add_table(w, w->to);
        buf_print(&w->out, " SET %s WHERE ", buf_cstr(&set.out));
        add_key_match(w, "", "NEW.");
        buf_text(&w->out, " AND NOT (");
        add_same(w, "", "NEW.");
        buf_text(&w->out, "); ");
    }
    buf_fini(&set.out);
    buf_text(&w->out, "INSERT INTO ");
    add_table(w, w->to);
    buf_char(&w->out, '(');
    add_columns(w, "");
    buf_text(&w->out, ") SELECT ");
    add_columns(w, "NEW.");
    buf_text(&w->out, " WHERE NOT ");
    add_exists(w, w->to, "NEW.", false);
    buf_text(&w->out, "; ");
}

/* The counterpart of OLD goes, if it is what OLD was and OLD is really gone. */
static void add_delete(struct writing *w)
{
    buf_text(&w->out, "DELETE FROM ");
    add_table(w, w->to);
    buf_text(&w->out, " WHERE ");
    add_key_match(w, "", "OLD.");
    buf_text(&w->out, " AND ");
    add_same(w, "", "OLD.");
    buf_text(&w->out, " AND NOT ");
    add_exists(w, w->from, "OLD.", false);
    buf_text(&w->out, "; ");
}

static const char *begin_trigger(struct change *change, const char *table, const char *what,
                                 const char *event, struct arena *arena, struct buf *out)
{
    const char *name = arena_print(arena, "lockstep_%ld_%s", change->migration->number, what);

    buf_text(out, "CREATE TRIGGER ");
    buf_sql_name(out, str_of(name != NULL ? name : ""));
    buf_print(out, " AFTER %s ON ", event);
    buf_sql_name(out, str_of(table));
    buf_char(out, ' ');
    return name;
}

static enum err_code end_trigger(struct change *change, const char *name, bool forward,
                                 struct arena *arena, struct buf *out, struct err *err)
{
    const char *sql;

    buf_text(out, "END");
    sql = change_settle(arena, out);
    CHECK(change->trigger_count < CHANGE_TRIGGERS_MAX);
    change->triggers[change->trigger_count++] = (struct change_trigger){name, sql, forward};
    return name != NULL && sql != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");
}

static enum err_code on_insert(struct change *change, struct writing *w, bool forward,
                               struct arena *arena, struct err *err)
{
    const char *name = begin_trigger(change, w->from, forward ? "forward_insert" : "reverse_insert",
                                     "INSERT", arena, &w->out);

    buf_text(&w->out, "WHEN NOT ");
    add_exists(w, w->to, "NEW.", true);
    buf_text(&w->out, " BEGIN ");
    add_unique_deletes(w);
    add_write(w);
    if (forward) {
        change_add_note(change, &w->out);
    }
    return end_trigger(change, name, forward, arena, &w->out, err);
}

/* Old code's own update is also one that changes nothing, or a key: an echo does neither. */
static enum err_code on_update(struct change *change, struct writing *w, bool forward,
                               struct arena *arena, struct err *err)
{
    const char *name = begin_trigger(change, w->from, forward ? "forward_update" : "reverse_update",
                                     "UPDATE", arena, &w->out);

    buf_text(&w->out, "WHEN NOT ");
    add_exists(w, w->to, "NEW.", true);
    buf_text(&w->out, " OR NOT (");
    add_key_match(w, "OLD.", "NEW.");
    buf_char(&w->out, ')');
    if (forward) {
        buf_text(&w->out, " OR (");
        add_same(w, "OLD.", "NEW.");
        buf_char(&w->out, ')');
    }
    buf_text(&w->out, " BEGIN ");
    add_delete(w);
    add_unique_deletes(w);
    add_write(w);
    if (forward) {
        change_add_note(change, &w->out);
    }
    return end_trigger(change, name, forward, arena, &w->out, err);
}

static enum err_code on_delete(struct change *change, struct writing *w, bool forward,
                               struct arena *arena, struct err *err)
{
    const char *name = begin_trigger(change, w->from, forward ? "forward_delete" : "reverse_delete",
                                     "DELETE", arena, &w->out);

    buf_text(&w->out, "WHEN ");
    add_exists(w, w->to, "OLD.", false);
    buf_text(&w->out, " BEGIN ");
    add_delete(w);
    if (forward) {
        change_add_note(change, &w->out);
    }
    return end_trigger(change, name, forward, arena, &w->out, err);
}

static enum err_code direction(struct change *change, bool forward, struct arena *arena,
                               struct err *err)
{
    const struct table_change *t = change->table;
    struct writing w = {.change = change,
                        .t = t,
                        .from = forward ? t->old_now : t->new_name,
                        .to = forward ? t->new_name : t->old_now};
    enum err_code rc = on_insert(change, &w, forward, arena, err);

    rc = rc ? rc : on_update(change, &w, forward, arena, err);
    return rc ? rc : on_delete(change, &w, forward, arena, err);
}

/* ---- statements over many rows; behind each comes a key range ---- */

/* Rows of from that the other table does not have, or has otherwise. */
static const char *copy(struct writing *w, struct arena *arena)
{
    buf_text(&w->out, "INSERT OR REPLACE INTO ");
    add_table(w, w->to);
    buf_char(&w->out, '(');
    add_columns(w, "");
    buf_text(&w->out, ") SELECT ");
    add_columns(w, "");
    buf_text(&w->out, " FROM ");
    add_table(w, w->from);
    buf_text(&w->out, " AS f WHERE NOT ");
    add_exists(w, w->to, "f.", true);
    return change_settle(arena, &w->out);
}

/* Rows of to that the other table does not have. */
static const char *remove_extras(struct writing *w, struct arena *arena)
{
    struct buf prefix = {0};

    buf_sql_name(&prefix, str_of(w->to));
    buf_char(&prefix, '.');
    buf_text(&w->out, "DELETE FROM ");
    add_table(w, w->to);
    buf_text(&w->out, " WHERE NOT ");
    add_exists(w, w->from, buf_cstr(&prefix), false);
    buf_fini(&prefix);
    return change_settle(arena, &w->out);
}

static void add_key_list(struct writing *w)
{
    const struct table_key *key = &w->t->key;

    if (!w->change->shape.without_rowid) {
        buf_print(&w->out, "%s AS %s", w->change->shape.key[0], w->change->shape.key[0]);
        return;
    }
    for (size_t i = 0; i < key->count; i++) {
        buf_text(&w->out, i > 0 ? ", " : "");
        add_column(w, "", key->columns[i]);
    }
}

/* Both tables' rows, each with whether it is wrong; the range behind it reaches into both. */
static const char *compare(struct writing *w, struct arena *arena)
{
    buf_text(&w->out, "SELECT count(*), coalesce(sum(bad), 0), 0, 0 FROM (SELECT ");
    add_key_list(w);
    buf_text(&w->out, ", NOT ");
    add_exists(w, w->to, "f.", true);
    buf_text(&w->out, " AS bad FROM ");
    add_table(w, w->from);
    buf_text(&w->out, " AS f UNION ALL SELECT ");
    add_key_list(w);
    buf_text(&w->out, ", 1 FROM ");
    add_table(w, w->to);
    buf_text(&w->out, " AS f WHERE NOT ");
    add_exists(w, w->from, "f.", false);
    buf_char(&w->out, ')');
    return change_settle(arena, &w->out);
}

static const char *fault(struct writing *w, struct arena *arena)
{
    struct buf prefix = {0};

    buf_sql_name(&prefix, str_of(w->from));
    buf_char(&prefix, '.');
    buf_text(&w->out, "NOT ");
    add_exists(w, w->to, buf_cstr(&prefix), true);
    buf_fini(&prefix);
    return change_settle(arena, &w->out);
}

static const char *different(struct writing *w, struct arena *arena)
{
    buf_text(&w->out, "(EXISTS (SELECT 1 FROM ");
    add_table(w, w->from);
    buf_text(&w->out, " AS f WHERE NOT ");
    add_exists(w, w->to, "f.", true);
    buf_text(&w->out, ") OR EXISTS (SELECT 1 FROM ");
    add_table(w, w->to);
    buf_text(&w->out, " AS f WHERE NOT ");
    add_exists(w, w->from, "f.", false);
    buf_text(&w->out, "))");
    return change_settle(arena, &w->out);
}

enum err_code mirror_write(struct change *change, struct arena *arena, struct err *err)
{
    struct table_change *t = change->table;
    struct writing there = {change, t, t->old_now, t->new_name, {0}};
    struct writing back = {change, t, t->new_name, t->old_now, {0}};
    enum err_code rc = change->set_aside ? ERR_OK : direction(change, true, arena, err);

    rc = rc ? rc : direction(change, false, arena, err);
    if (rc) {
        return rc;
    }
    t->backfill = copy(&there, arena);
    t->extras = remove_extras(&there, arena);
    t->restore = copy(&back, arena);
    t->restore_extras = remove_extras(&back, arena);
    t->verify = compare(&there, arena);
    t->fault = fault(&there, arena);
    t->different = different(&there, arena);
    return t->backfill && t->extras && t->restore && t->restore_extras && t->verify && t->fault &&
                   t->different
               ? ERR_OK
               : err_set(err, ERR_NOMEM, "out of memory");
}

enum err_code mirror_record(struct change *change, struct arena *arena, struct err *err)
{
    static const char *const events[] = {"INSERT", "UPDATE", "DELETE"};
    static const char *const names[] = {"old_insert", "old_update", "old_delete"};
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < 3; i++) {
        struct buf out = {0};
        const char *name =
            begin_trigger(change, change->table->old_now, names[i], events[i], arena, &out);
        buf_text(&out, "BEGIN ");
        change_add_note(change, &out);
        rc = end_trigger(change, name, true, arena, &out, err);
    }
    return rc;
}
