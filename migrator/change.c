#include "migrator/change.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/check.h"
#include "migrator/expression.h"
#include "migrator/lock.h"
#include "migrator/table_text.h"

/* Moves what buf built into the arena and empties it. NULL: out of memory. */
static const char *settle(struct arena *arena, struct buf *buf)
{
    const char *text = buf_failed(buf) ? NULL : arena_text(arena, buf_cstr(buf), buf->len);

    buf_fini(buf);
    return text;
}

/* ---- names ---- */

/* Every column that an expression may name, and what it is called now. */
struct names {
    struct expression_names list;
    const char **names, **written;
};

static enum err_code names_of(const struct change *change, struct arena *arena, struct names *out,
                              struct err *err)
{
    const struct phased *phased = change->phased;
    size_t room = change->shape.count + phased->add_count + phased->drop_count;
    size_t count = 0;

    out->names = arena_zero(arena, room + 1, sizeof *out->names);
    out->written = arena_zero(arena, room + 1, sizeof *out->written);
    if (out->names == NULL || out->written == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < phased->drop_count; i++) {
        out->names[count] = phased->drop[i].name;
        out->written[count++] = change->drop_now[i];
    }
    for (size_t i = 0; i < phased->add_count; i++) {
        out->names[count++] = phased->add[i].name;
    }
    for (size_t i = 0; i < change->shape.count; i++) {
        out->names[count++] = change->shape.columns[i].name;
    }
    out->list = (struct expression_names){out->names, out->written, count};
    return ERR_OK;
}

/* Whether an expression names any column at all. */
static bool reads_columns(const char *text, const struct names *names)
{
    for (size_t i = 0; i < names->list.count; i++) {
        if (expression_uses(text, names->names[i])) {
            return true;
        }
    }
    return false;
}

/* ---- predicates ---- */

static void add_name(struct buf *out, const char *prefix, const char *name)
{
    buf_text(out, prefix);
    buf_sql_name(out, str_of(name));
}

/* Whether a column of this type makes reals of integers. */
static bool holds_real(const char *type)
{
    return type != NULL && strcasestr(type, "INT") == NULL && strcasestr(type, "CHAR") == NULL &&
           strcasestr(type, "CLOB") == NULL && strcasestr(type, "TEXT") == NULL &&
           strcasestr(type, "BLOB") == NULL &&
           (strcasestr(type, "REAL") != NULL || strcasestr(type, "FLOA") != NULL ||
            strcasestr(type, "DOUB") != NULL);
}

/* The column holds what storing the expression gives. Byte by byte, whatever the column's collation
 * is; and with a plus, so that the column's affinity alone counts: two columns of different ones
 * would compare as numbers, and '01' be 1. */
static void add_same(const char *prefix, const char *column, bool real, const char *expression,
                     const struct names *names, struct buf *out)
{
    buf_text(out, real ? "(" : "");
    add_name(out, prefix, column);
    buf_text(out, " COLLATE BINARY IS (+(");
    expression_write(expression, &names->list, prefix, out);
    buf_text(out, "))");
    if (real) { /* a great integer has lost digits when it was stored */
        buf_text(out, " OR (typeof(");
        expression_write(expression, &names->list, prefix, out);
        buf_text(out, ") = 'integer' AND ");
        add_name(out, prefix, column);
        buf_text(out, " IS CAST((");
        expression_write(expression, &names->list, prefix, out);
        buf_text(out, ") AS REAL)))");
    }
}

/* F over the row that prefix names. */
static void add_forward(const struct change *change, const struct names *names, const char *prefix,
                        struct buf *out)
{
    const struct phased *phased = change->phased;
    bool any = false;

    for (size_t i = 0; i < phased->add_count; i++) {
        const struct phased_add *add = &phased->add[i];
        if (add->forward == NULL) {
            continue;
        }
        buf_text(out, any ? " AND " : "");
        if (!reads_columns(add->forward, names)) {
            buf_char(out, '(');
            add_name(out, prefix, add->name);
            buf_text(out, " IS NOT NULL OR ");
        }
        add_same(prefix, add->name, holds_real(add->type), add->forward, names, out);
        buf_text(out, reads_columns(add->forward, names) ? "" : ")");
        any = true;
    }
}

static void add_reverse(const struct change *change, const struct names *names, const char *prefix,
                        struct buf *out)
{
    const struct phased *phased = change->phased;
    bool any = false;

    for (size_t i = 0; i < phased->drop_count; i++) {
        if (phased->drop[i].reverse == NULL) {
            continue;
        }
        buf_text(out, any ? " AND " : "");
        const struct shape_column *column = shape_column(&change->shape, change->drop_now[i]);
        if (column == NULL) { /* renamed since the shape was read */
            column = shape_column(&change->shape, change->drop_aside[i]);
        }
        add_same(prefix, change->drop_now[i], column != NULL && holds_real(column->type),
                 phased->drop[i].reverse, names, out);
        any = true;
    }
}

static void add_consistent(const struct change *change, const struct names *names,
                           const char *prefix, struct buf *out)
{
    if (change->forward != NULL) {
        buf_char(out, '(');
        add_forward(change, names, prefix, out);
        buf_char(out, ')');
    }
    if (change->reverse != NULL) {
        buf_text(out, change->forward != NULL ? " OR (" : "(");
        add_reverse(change, names, prefix, out);
        buf_char(out, ')');
    }
    if (change->forward == NULL && change->reverse == NULL) {
        buf_char(out, '1');
    }
}

static void add_fill(const struct change *change, const struct names *names, struct buf *out)
{
    const struct phased *phased = change->phased;
    bool any = false;

    for (size_t i = 0; i < phased->add_count; i++) {
        const struct phased_add *add = &phased->add[i];
        bool constant = add->forward != NULL && !reads_columns(add->forward, names);
        if (add->forward == NULL) {
            continue;
        }
        buf_text(out, any ? ", " : "");
        add_name(out, "", add->name);
        buf_text(out, " = ");
        if (constant) { /* what new code has put there stays */
            buf_text(out, "coalesce(");
            add_name(out, "", add->name);
            buf_text(out, ", ");
        }
        buf_char(out, '(');
        expression_write(add->forward, &names->list, "", out);
        buf_text(out, constant ? "))" : ")");
        any = true;
    }
}

static void add_restore(const struct change *change, const struct names *names, struct buf *out)
{
    const struct phased *phased = change->phased;
    bool any = false;

    for (size_t i = 0; i < phased->drop_count; i++) {
        if (phased->drop[i].reverse != NULL) {
            buf_text(out, any ? ", " : "");
            add_name(out, "", change->drop_now[i]);
            buf_text(out, " = (");
            expression_write(phased->drop[i].reverse, &names->list, "", out);
            buf_char(out, ')');
            any = true;
        }
    }
}

/* "a1 <test> joint a2 <test>" over the added columns that are derived. */
static void add_each_new(const struct change *change, const char *prefix, const char *test,
                         const char *other_prefix, const char *joint, struct buf *out)
{
    const struct phased *phased = change->phased;
    bool any = false;

    for (size_t i = 0; i < phased->add_count; i++) {
        if (phased->add[i].forward != NULL) {
            buf_text(out, any ? joint : "");
            add_name(out, prefix, phased->add[i].name);
            buf_text(out, test);
            if (other_prefix != NULL) {
                add_name(out, other_prefix, phased->add[i].name);
            }
            any = true;
        }
    }
}

static enum err_code predicates(struct change *change, const struct names *names,
                                struct arena *arena, struct err *err)
{
    const struct phased *phased = change->phased;
    struct buf text = {0};
    bool derives = false, restores = false;

    for (size_t i = 0; i < phased->add_count; i++) {
        derives = derives || phased->add[i].forward != NULL;
    }
    for (size_t i = 0; i < phased->drop_count; i++) {
        restores = restores || phased->drop[i].reverse != NULL;
    }
    if (derives) {
        add_forward(change, names, "", &text);
        change->forward = settle(arena, &text);
        add_fill(change, names, &text);
        change->fill = settle(arena, &text);
        add_each_new(change, "", " IS NULL", NULL, " AND ", &text);
        change->unfilled = settle(arena, &text);
    }
    if (restores) {
        add_reverse(change, names, "", &text);
        change->reverse = settle(arena, &text);
        add_restore(change, names, &text);
        change->restore = settle(arena, &text);
    }
    add_consistent(change, names, "", &text);
    change->consistent = settle(arena, &text);
    if (phased->valid_old != NULL) { /* NULL is no reason to leave a row out, as with CHECK */
        buf_text(&text, "coalesce((");
        expression_write(phased->valid_old, &names->list, "", &text);
        buf_text(&text, "), 1)");
    } else {
        buf_char(&text, '1');
    }
    change->valid = settle(arena, &text);
    return change->consistent != NULL && change->valid != NULL &&
                   (!derives || (change->forward && change->fill && change->unfilled)) &&
                   (!restores || (change->reverse && change->restore))
               ? ERR_OK
               : err_set(err, ERR_NOMEM, "out of memory");
}

/* ---- triggers ---- */

#define NOW_S "CAST(strftime('%s', 'now') AS INTEGER)"

static void add_key_match(const struct change *change, struct buf *out)
{
    for (size_t i = 0; i < change->shape.key_count; i++) {
        buf_text(out, i > 0 ? " AND " : "");
        if (change->shape.without_rowid) {
            add_name(out, "", change->shape.key[i]);
            buf_text(out, " = ");
            add_name(out, "NEW.", change->shape.key[i]);
        } else { /* a quoted rowid could be taken for a string */
            buf_print(out, "%s = NEW.%s", change->shape.key[i], change->shape.key[i]);
        }
    }
}

static void add_update(const struct change *change, const char *set, struct buf *out)
{
    buf_text(out, "UPDATE ");
    buf_sql_name(out, str_of(change->shape.table));
    buf_print(out, " SET %s WHERE ", set);
    add_key_match(change, out);
}

/* The record of old code's writes: at most one write of that row a granularity. No conflict clause,
 * because the application's own would override it. */
static void add_note(const struct change *change, struct buf *out)
{
    buf_text(out, "UPDATE lockstep_activity SET written_at = " NOW_S " WHERE migration = ");
    buf_sql_text(out, str_of(change->migration->name));
    buf_text(out, " AND (written_at <= " NOW_S " - ");
    buf_print(out, "%lld", (long long)change->granularity_s);
    buf_text(out, " OR written_at > " NOW_S "); ");
}

static void begin_trigger(struct change *change, const char *name, const char *event,
                          struct buf *out)
{
    buf_text(out, "CREATE TRIGGER ");
    buf_sql_name(out, str_of(name));
    buf_print(out, " AFTER %s ON ", event);
    buf_sql_name(out, str_of(change->shape.table));
    buf_char(out, ' ');
}

static enum err_code end_trigger(struct change *change, const char *name, bool forward,
                                 struct arena *arena, struct buf *text, struct err *err)
{
    buf_text(text, "END");
    CHECK(change->trigger_count < CHANGE_TRIGGERS_MAX);
    change->triggers[change->trigger_count] =
        (struct change_trigger){name, settle(arena, text), forward};
    return change->triggers[change->trigger_count++].sql != NULL
               ? ERR_OK
               : err_set(err, ERR_NOMEM, "out of memory");
}

static const char *trigger_name(const struct change *change, const char *what, struct arena *arena)
{
    return arena_print(arena, "lockstep_%ld_%s", change->migration->number, what);
}

/* A list of the columns that old code writes, for UPDATE OF; false if there is none. */
static bool add_old_columns(const struct change *change, bool and_read, struct buf *out)
{
    const struct phased *phased = change->phased;
    bool any = false;

    for (size_t i = 0; i < phased->drop_count; i++) {
        buf_text(out, any ? ", " : "");
        add_name(out, "", change->drop_now[i]);
        any = true;
    }
    for (size_t c = 0; and_read && c < change->shape.count; c++) {
        const char *name = change->shape.columns[c].name;
        bool read = false, dropped = false;
        for (size_t i = 0; i < phased->add_count; i++) {
            read = read ||
                   (phased->add[i].forward != NULL && strcasecmp(phased->add[i].name, name) != 0 &&
                    expression_uses(phased->add[i].forward, name));
        }
        for (size_t i = 0; i < phased->drop_count; i++) {
            dropped = dropped || strcasecmp(change->drop_now[i], name) == 0;
        }
        if (read && !dropped) {
            buf_text(out, any ? ", " : "");
            add_name(out, "", name);
            any = true;
        }
    }
    return any;
}

/* "NEW.a IS NOT OLD.a OR NEW.b IS NOT OLD.b" from a list of quoted names. */
static void add_changed(const char *quoted_list, struct buf *out)
{
    const char *at = quoted_list;
    bool any = false;

    while (*at != '\0') {
        const char *end = at + 1; /* behind the opening quote */
        while (!(end[0] == '"' && end[1] != '"')) {
            end += end[0] == '"' ? 2 : 1;
        }
        end++;
        buf_print(out, "%sNEW.%.*s COLLATE BINARY IS NOT OLD.%.*s", any ? " OR " : "",
                  (int)(end - at), at, (int)(end - at), at);
        any = true;
        at = strncmp(end, ", ", 2) == 0 ? end + 2 : end;
    }
}

static enum err_code forward_insert(struct change *change, struct arena *arena, struct err *err)
{
    const char *name = trigger_name(change, "forward_insert", arena);
    struct buf text = {0};

    begin_trigger(change, name, "INSERT", &text);
    buf_text(&text, "WHEN ");
    add_each_new(change, "NEW.", " IS NULL", NULL, " AND ", &text);
    buf_text(&text, " BEGIN ");
    add_update(change, change->fill, &text);
    buf_print(&text, " AND %s AND NOT (%s); ", change->valid, change->forward);
    add_note(change, &text);
    return end_trigger(change, name, true, arena, &text, err);
}

static enum err_code forward_update(struct change *change, struct arena *arena, struct err *err)
{
    const char *name = trigger_name(change, "forward_update", arena);
    struct buf text = {0}, columns = {0}, event = {0}, empty = {0};

    if (!add_old_columns(change, true, &columns)) {
        buf_fini(&columns);
        return ERR_OK;
    }
    buf_text(&event, "UPDATE OF ");
    buf_text(&event, buf_cstr(&columns));
    begin_trigger(change, name, buf_cstr(&event), &text);
    buf_text(&text, "WHEN (");
    add_changed(buf_cstr(&columns), &text);
    buf_text(&text, ") AND ");
    add_each_new(change, "NEW.", " IS ", "OLD.", " AND ", &text);
    buf_text(&text, " BEGIN ");
    add_update(change, change->fill, &text);
    buf_print(&text, " AND %s AND NOT (%s); ", change->valid, change->consistent);
    if (change->phased->valid_old != NULL) {
        /* What cannot be carried over must not leave the value before it in the new shape. */
        add_each_new(change, "", " = NULL", NULL, ", ", &empty);
        add_update(change, buf_cstr(&empty), &text);
        buf_print(&text, " AND NOT %s AND NOT (%s) AND NOT (%s); ", change->valid,
                  change->consistent, change->unfilled);
    }
    buf_fini(&columns);
    buf_fini(&event);
    buf_fini(&empty);
    return end_trigger(change, name, true, arena, &text, err);
}

/* Records a write by old code: it named a dropped column, and no new one changed. What the reverse
 * triggers do looks the same, but for this: the row was not consistent before, and old now IS
 * reverse(new). */
static enum err_code old_update(struct change *change, const struct names *names,
                                struct arena *arena, struct err *err)
{
    const char *name = trigger_name(change, "old_update", arena);
    struct buf text = {0}, columns = {0}, event = {0};
    bool when = false;

    if (!add_old_columns(change, false, &columns)) {
        buf_fini(&columns);
        return ERR_OK;
    }
    buf_text(&event, "UPDATE OF ");
    buf_text(&event, buf_cstr(&columns));
    begin_trigger(change, name, buf_cstr(&event), &text);
    if (change->forward != NULL) {
        buf_text(&text, "WHEN ");
        add_each_new(change, "NEW.", " IS ", "OLD.", " AND ", &text);
        when = true;
    }
    if (change->reverse != NULL) {
        buf_text(&text, when ? " AND NOT ((" : "WHEN NOT ((");
        add_changed(buf_cstr(&columns), &text);
        buf_text(&text, ") AND (");
        add_reverse(change, names, "NEW.", &text);
        buf_text(&text, ") AND NOT (");
        add_consistent(change, names, "OLD.", &text);
        buf_text(&text, "))");
    }
    buf_text(&text, change->forward != NULL || change->reverse != NULL ? " BEGIN " : "BEGIN ");
    add_note(change, &text);
    buf_fini(&columns);
    buf_fini(&event);
    return end_trigger(change, name, true, arena, &text, err);
}

/* A dropped column that nothing is derived from: an insert that names it is old code's. */
static enum err_code old_insert(struct change *change, struct arena *arena, struct err *err)
{
    const char *name = trigger_name(change, "old_insert", arena);
    struct buf text = {0};

    begin_trigger(change, name, "INSERT", &text);
    buf_text(&text, "WHEN ");
    for (size_t i = 0; i < change->phased->drop_count; i++) {
        buf_text(&text, i > 0 ? " OR " : "");
        add_name(&text, "NEW.", change->drop_now[i]);
        buf_text(&text, " IS NOT NULL");
    }
    buf_text(&text, " BEGIN ");
    add_note(change, &text);
    return end_trigger(change, name, true, arena, &text, err);
}

static enum err_code reverse_triggers(struct change *change, struct arena *arena, struct err *err)
{
    const char *on_update = trigger_name(change, "reverse_update", arena);
    const char *on_insert = trigger_name(change, "reverse_insert", arena);
    struct buf text = {0}, event = {0}, columns = {0};
    enum err_code rc;

    add_each_new(change, "", "", NULL, ", ", &columns);
    buf_text(&event, "UPDATE OF ");
    buf_text(&event, buf_cstr(&columns));
    begin_trigger(change, on_update, buf_cstr(&event), &text);
    buf_text(&text, "WHEN ");
    add_changed(buf_cstr(&columns), &text);
    buf_text(&text, " BEGIN ");
    add_update(change, change->restore, &text);
    buf_print(&text, " AND NOT (%s)", change->consistent);
    if (change->phased->valid_old != NULL) { /* it was forward_update that emptied the new shape */
        buf_print(&text, " AND NOT (%s AND NOT %s)", change->unfilled, change->valid);
    }
    buf_text(&text, "; ");
    buf_fini(&event);
    buf_fini(&columns);
    rc = end_trigger(change, on_update, false, arena, &text, err);
    if (rc) {
        return rc;
    }
    begin_trigger(change, on_insert, "INSERT", &text);
    buf_text(&text, "WHEN ");
    add_each_new(change, "NEW.", " IS NOT NULL", NULL, " OR ", &text);
    buf_text(&text, " BEGIN ");
    add_update(change, change->restore, &text);
    buf_print(&text, " AND NOT (%s); ", change->consistent);
    return end_trigger(change, on_insert, false, arena, &text, err);
}

static enum err_code triggers(struct change *change, const struct names *names, struct arena *arena,
                              struct err *err)
{
    enum err_code rc = ERR_OK;

    if (change->forward != NULL) {
        rc = forward_insert(change, arena, err);
        rc = rc ? rc : forward_update(change, arena, err);
    } else if (change->phased->drop_count > 0) {
        rc = old_insert(change, arena, err);
    }
    if (rc == ERR_OK && change->phased->drop_count > 0) {
        rc = old_update(change, names, arena, err);
    }
    if (rc == ERR_OK && change->reverse != NULL && change->forward != NULL) {
        rc = reverse_triggers(change, arena, err);
    }
    return rc;
}

/* ---- put together ---- */

static void choose_granularity(struct change *change)
{
    int64_t quarter_s = change->phased->old_writes_idle_ms / 4000;

    change->granularity_s = quarter_s < 1 ? 1 : quarter_s > 60 ? 60 : quarter_s;
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
    struct names names = {0};
    enum err_code rc;

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
    choose_granularity(out);
    rc = change_check(db, out, expanded, arena, err);
    rc = rc ? rc : names_of(out, arena, &names, err);
    rc = rc ? rc : predicates(out, &names, arena, err);
    return rc ? rc : triggers(out, &names, arena, err);
}

enum err_code change_renamed(const struct change *change, struct arena *arena, struct change *out,
                             struct err *err)
{
    struct names names = {0};
    enum err_code rc;

    *out = (struct change){.migration = change->migration,
                           .phased = change->phased,
                           .shape = change->shape,
                           .granularity_s = change->granularity_s};
    for (size_t i = 0; i < change->phased->drop_count; i++) {
        out->drop_old[i] = change->drop_old[i];
        out->drop_aside[i] = change->drop_aside[i];
        out->drop_now[i] = change->drop_old[i];
    }
    rc = names_of(out, arena, &names, err);
    rc = rc ? rc : predicates(out, &names, arena, err);
    return rc ? rc : triggers(out, &names, arena, err);
}

/* ---- columns ---- */

bool change_declares(const struct change *change, size_t add)
{
    return change->phased->add[add].not_null || change->phased->add[add].check != NULL;
}

static const char *definition(const struct change *change, size_t i, bool declared,
                              struct arena *arena)
{
    const struct phased_add *add = &change->phased->add[i];
    struct expression_names none = {0};
    struct buf text = {0};

    buf_sql_name(&text, str_of(add->name));
    if (add->type != NULL) {
        buf_print(&text, " %s", add->type);
    }
    if (declared && add->not_null) {
        buf_text(&text, " NOT NULL");
    }
    if (declared && add->check != NULL) {
        buf_text(&text, " CHECK (");
        expression_write(add->check, &none, "", &text);
        buf_char(&text, ')');
    }
    return settle(arena, &text);
}

const char *change_bare(const struct change *change, size_t add, struct arena *arena)
{
    return definition(change, add, false, arena);
}

const char *change_declared(const struct change *change, size_t add, struct arena *arena)
{
    return definition(change, add, true, arena);
}

/* ---- statements over many rows ---- */

const char *change_backfill(const struct change *change, struct arena *arena)
{
    struct buf text = {0};

    if (change->fill == NULL) {
        return NULL;
    }
    buf_text(&text, "UPDATE ");
    buf_sql_name(&text, str_of(change->shape.table));
    buf_print(&text, " SET %s WHERE %s AND (NOT (%s) OR (%s AND NOT (%s)))", change->fill,
              change->valid, change->consistent, change->unfilled, change->forward);
    return settle(arena, &text);
}

const char *change_restore(const struct change *change, struct arena *arena)
{
    struct buf text = {0};

    if (change->restore == NULL) {
        return NULL;
    }
    buf_text(&text, "UPDATE ");
    buf_sql_name(&text, str_of(change->shape.table));
    buf_print(&text, " SET %s WHERE NOT (%s)", change->restore, change->consistent);
    return settle(arena, &text);
}

/* "col IS NULL OR NOT coalesce((check), 1)", joined by OR behind what is there already. */
static void add_violated(const struct change *change, size_t i, struct buf *text)
{
    const struct phased_add *add = &change->phased->add[i];
    struct expression_names none = {0};

    if (add->not_null) {
        buf_text(text, " OR ");
        add_name(text, "", add->name);
        buf_text(text, " IS NULL");
    }
    if (add->check != NULL) {
        buf_text(text, " OR NOT coalesce((");
        expression_write(add->check, &none, "", text);
        buf_text(text, "), 1)");
    }
}

const char *change_violated(const struct change *change, struct arena *arena)
{
    struct buf text = {0};

    buf_char(&text, '0');
    for (size_t i = 0; i < change->phased->add_count; i++) {
        add_violated(change, i, &text);
    }
    return settle(arena, &text);
}

const char *change_verify(const struct change *change, struct arena *arena)
{
    const char *restored = change->reverse != NULL ? change->reverse : "0";
    struct buf text = {0};

    buf_text(&text, "SELECT count(*)");
    buf_print(&text, ", coalesce(sum(%s AND NOT (%s)), 0), ", change->valid, change->consistent);
    if (change->phased->valid_old != NULL) {
        buf_print(&text, "coalesce(sum(NOT %s AND NOT (%s)), 0), ", change->valid, restored);
    } else {
        buf_text(&text, "0, ");
    }
    if (change->reverse != NULL && change->forward != NULL) {
        buf_print(&text, "coalesce(sum(%s AND (%s) AND NOT (%s)), 0)", change->valid,
                  change->forward, change->reverse);
    } else {
        buf_char(&text, '0');
    }
    for (size_t i = 0; i < change->phased->add_count; i++) {
        buf_text(&text, ", ");
        if (!change_declares(change, i)) {
            buf_char(&text, '0');
            continue;
        }
        buf_print(&text, "coalesce(sum(%s AND (0", change->valid);
        add_violated(change, i, &text);
        buf_text(&text, ")), 0)");
    }
    buf_text(&text, " FROM ");
    buf_sql_name(&text, str_of(change->shape.table));
    return settle(arena, &text);
}

const char *change_fault(const struct change *change, struct arena *arena)
{
    const char *restored = change->reverse != NULL ? change->reverse : "0";
    struct buf text = {0};

    buf_print(&text, "(%s AND NOT (%s))", change->valid, change->consistent);
    if (change->phased->valid_old != NULL) {
        buf_print(&text, " OR (NOT %s AND NOT (%s))", change->valid, restored);
    }
    for (size_t i = 0; i < change->phased->add_count; i++) {
        add_violated(change, i, &text);
    }
    return settle(arena, &text);
}
