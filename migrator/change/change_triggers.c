#include "migrator/change/change_parts.h"

#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "migrator/sql/expression.h"

#define NOW_S "CAST(strftime('%s', 'now') AS INTEGER)"

/* With the collation that the key's index has: its column's own may take two rows for one. */
static void add_key_match(const struct change *change, struct buf *out)
{
    const char **collation = change->shape.key_collation;

    for (size_t i = 0; i < change->shape.key_count; i++) {
        buf_text(out, i > 0 ? " AND " : "");
        if (change->shape.without_rowid) {
            change_add_name(out, "", change->shape.key[i]);
            if (collation != NULL && collation[i] != NULL) {
                buf_text(out, " COLLATE ");
                buf_sql_name(out, str_of(collation[i]));
            }
            buf_text(out, " = ");
            change_add_name(out, "NEW.", change->shape.key[i]);
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
void change_add_note(const struct change *change, struct buf *out)
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
    if (change->trigger_count == CHANGE_TRIGGERS_MAX) {
        buf_fini(text);
        return err_set(err, ERR_LIMIT, "more than %u triggers: make two migrations of it",
                       CHANGE_TRIGGERS_MAX);
    }
    change->triggers[change->trigger_count] =
        (struct change_trigger){name, change_settle(arena, text), forward};
    return change->triggers[change->trigger_count++].sql != NULL
               ? ERR_OK
               : err_set(err, ERR_NOMEM, "out of memory");
}

static const char *trigger_name(const struct change *change, const char *what, struct arena *arena)
{
    return change->group < 2
               ? arena_print(arena, "lockstep_%ld_%s", change->migration->number, what)
               : arena_print(arena, "lockstep_%ld_%s_%u", change->migration->number, what,
                             change->group);
}

static bool is_added(const struct phased *phased, const char *name)
{
    for (size_t i = 0; i < phased->add_count; i++) {
        if (strcasecmp(phased->add[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* A list of the columns that old code writes, for UPDATE OF; false if there is none. */
static bool add_old_columns(const struct change *change, bool and_read, struct buf *out)
{
    const struct phased *phased = change->phased;
    bool any = false;

    for (size_t i = 0; i < phased->drop_count; i++) {
        buf_text(out, any ? ", " : "");
        change_add_name(out, "", change->drop_now[i]);
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
        read = read || (phased->valid_old != NULL && !is_added(phased, name) &&
                        expression_uses(phased->valid_old, name));
        for (size_t i = 0; i < phased->drop_count; i++) {
            dropped = dropped || strcasecmp(change->drop_now[i], name) == 0;
        }
        if (read && !dropped) {
            buf_text(out, any ? ", " : "");
            change_add_name(out, "", name);
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
    change_add_each_new(change, "NEW.", " IS NULL", NULL, " AND ", &text);
    buf_text(&text, " BEGIN ");
    add_update(change, change->fill, &text);
    buf_print(&text, " AND %s AND NOT (%s); ", change->valid, change->forward);
    if (change->group == 0) { /* one group empty may well be new code's */
        change_add_note(change, &text);
    }
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
    change_add_each_new(change, "NEW.", " IS ", "OLD.", " AND ", &text);
    buf_text(&text, " BEGIN ");
    add_update(change, change->fill, &text);
    buf_print(&text, " AND %s AND NOT (%s); ", change->valid, change->consistent);
    if (change->phased->valid_old != NULL) {
        /* What cannot be carried over must not leave the value before it in the new shape. */
        change_add_each_new(change, "", " = NULL", NULL, ", ", &empty);
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
static enum err_code old_update(struct change *change, const struct change_names *names,
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
        change_add_each_new(change, "NEW.", " IS ", "OLD.", " AND ", &text);
        when = true;
    }
    if (change->reverse != NULL) {
        buf_text(&text, when ? " AND NOT ((" : "WHEN NOT ((");
        add_changed(buf_cstr(&columns), &text);
        buf_text(&text, ") AND (");
        change_add_reverse(change, names, "NEW.", &text);
        buf_text(&text, ") AND NOT (");
        change_add_consistent(change, names, "OLD.", &text);
        buf_text(&text, "))");
    }
    buf_text(&text, change->forward != NULL || change->reverse != NULL ? " BEGIN " : "BEGIN ");
    change_add_note(change, &text);
    buf_fini(&columns);
    buf_fini(&event);
    return end_trigger(change, name, true, arena, &text, err);
}

/* An insert without anything new is old code's. Where nothing is derived, one that says something in
 * a dropped column is: not its DEFAULT, which stands in the rows of code that does not know it. */
enum err_code change_note_inserts(struct change *change, struct arena *arena, struct err *err)
{
    const char *name = trigger_name(change, "old_insert", arena);
    struct buf text = {0};

    begin_trigger(change, name, "INSERT", &text);
    buf_text(&text, "WHEN ");
    if (change->forward != NULL) {
        change_add_each_new(change, "NEW.", " IS NULL", NULL, " AND ", &text);
    }
    for (size_t i = 0; change->forward == NULL && i < change->phased->drop_count; i++) {
        const struct shape_column *column = change_dropped(change, i);
        const char *value = column != NULL ? column->default_value : NULL;
        buf_text(&text, i > 0 ? " OR " : "");
        if (value != NULL) {
            buf_char(&text, '(');
            change_add_name(&text, "NEW.", change->drop_now[i]);
            buf_print(&text, " COLLATE BINARY IS NOT (%s) AND ", value);
        }
        change_add_name(&text, "NEW.", change->drop_now[i]);
        buf_text(&text, value != NULL ? " IS NOT NULL)" : " IS NOT NULL");
    }
    buf_text(&text, " BEGIN ");
    change_add_note(change, &text);
    return end_trigger(change, name, true, arena, &text, err);
}

static enum err_code reverse_triggers(struct change *change, struct arena *arena, struct err *err)
{
    const char *on_update = trigger_name(change, "reverse_update", arena);
    const char *on_insert = trigger_name(change, "reverse_insert", arena);
    struct buf text = {0}, event = {0}, columns = {0};
    enum err_code rc;

    change_add_each_new(change, "", "", NULL, ", ", &columns);
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
    if (!change->set_aside || !change_needs_aside(change)) {
        buf_text(&text, "WHEN ");
        change_add_each_new(change, "NEW.", " IS NOT NULL", NULL, " OR ", &text);
        buf_char(&text, ' ');
    } /* else only new code inserts, and the set-aside column got its DEFAULT */
    buf_text(&text, "BEGIN ");
    add_update(change, change->restore, &text);
    buf_print(&text, " AND NOT (%s); ", change->consistent);
    return end_trigger(change, on_insert, false, arena, &text, err);
}

/* The columns that a group's reverse reads, for UPDATE OF; false if there is none. */
static bool add_read_back(const struct change *change, struct buf *out)
{
    const struct phased *phased = change->phased;
    size_t adds = phased->add_count;
    bool any = false;

    for (size_t c = 0; c < adds + change->shape.count; c++) {
        const char *name = c < adds ? phased->add[c].name : change->shape.columns[c - adds].name;
        bool read = false;
        for (size_t i = 0; i < phased->drop_count; i++) {
            const char *reverse = phased->drop[i].reverse;
            read = read || (reverse != NULL && expression_uses(reverse, name));
        }
        if (read && (c < adds || !is_added(phased, name))) {
            buf_text(out, any ? ", " : "");
            change_add_name(out, "", name);
            any = true;
        }
    }
    return any;
}

/* A row that said what the reverse gives goes on to say it when what the reverse reads is changed;
 * one that said something else keeps it, as does one whose old column the same statement wrote. */
static enum err_code dropped_update(struct change *change, const struct change_names *names,
                                    const char *read, struct arena *arena, struct err *err)
{
    const char *name = trigger_name(change, "reverse_update", arena);
    struct buf text = {0}, event = {0}, columns = {0};

    buf_text(&event, "UPDATE OF ");
    buf_text(&event, read);
    (void)add_old_columns(change, false, &columns);
    begin_trigger(change, name, buf_cstr(&event), &text);
    buf_text(&text, "WHEN (");
    change_add_reverse(change, names, "OLD.", &text);
    buf_text(&text, ") AND NOT (");
    change_add_reverse(change, names, "NEW.", &text);
    buf_text(&text, ") AND NOT (");
    add_changed(buf_cstr(&columns), &text);
    buf_text(&text, ") BEGIN ");
    add_update(change, change->restore, &text);
    buf_print(&text, " AND NOT (%s); ", change->reverse);
    buf_fini(&event);
    buf_fini(&columns);
    return end_trigger(change, name, false, arena, &text, err);
}

/* When an update of a dropped column is none of our own triggers'. */
static void add_not_ours(const struct change *change, const struct change_names *names, bool reads,
                         struct buf *text)
{
    buf_text(text, "WHEN NOT ((");
    if (reads) {
        buf_text(text, "NOT (");
        change_add_reverse(change, names, "OLD.", text);
        buf_char(text, ')');
    } else {
        change_add_each_dropped(change, "OLD.", " IS NULL", " OR ", text);
    }
    buf_text(text, ") AND (");
    change_add_reverse(change, names, "NEW.", text);
    buf_text(text, ")) ");
}

/* A group that only drops: an insert by new code gets what the reverse says, and old code's updates
 * are recorded; the trigger's own is none of them. Where the migration makes nothing new, new code
 * is known by leaving the dropped columns out. */
static enum err_code dropped_triggers(struct change *change, const struct change_names *names,
                                      struct arena *arena, struct err *err)
{
    const char *on_update = trigger_name(change, "old_update", arena);
    const char *on_insert = trigger_name(change, "reverse_insert", arena);
    struct buf text = {0}, columns = {0}, event = {0}, read = {0};
    bool reads = add_read_back(change, &read);
    enum err_code rc;

    (void)add_old_columns(change, false, &columns);
    buf_text(&event, "UPDATE OF ");
    buf_text(&event, buf_cstr(&columns));
    begin_trigger(change, on_update, buf_cstr(&event), &text);
    if (change->reverse != NULL) {
        add_not_ours(change, names, reads, &text);
    }
    buf_text(&text, "BEGIN ");
    change_add_note(change, &text);
    buf_fini(&columns);
    buf_fini(&event);
    rc = end_trigger(change, on_update, true, arena, &text, err);
    rc = rc || !reads ? rc : dropped_update(change, names, buf_cstr(&read), arena, err);
    buf_fini(&read);
    if (rc || change->reverse == NULL) {
        return rc;
    }
    begin_trigger(change, on_insert, "INSERT", &text);
    buf_text(&text, "WHEN (");
    if (change->whole->forward != NULL) {
        change_add_each_new(change->whole, "NEW.", " IS NOT NULL", NULL, " OR ", &text);
        buf_text(&text, ") AND (");
    }
    change_add_each_dropped(change, "NEW.", " IS NULL", " AND ", &text);
    buf_text(&text, ") BEGIN ");
    add_update(change, change->restore, &text);
    buf_print(&text, " AND NOT (%s); ", change->reverse);
    return end_trigger(change, on_insert, false, arena, &text, err);
}

enum err_code change_triggers(struct change *change, const struct change_names *names,
                              struct arena *arena, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (change->group > 0 && change->forward == NULL) {
        return change->phased->drop_count > 0 ? dropped_triggers(change, names, arena, err)
                                              : ERR_OK;
    }
    if (change->forward != NULL) {
        rc = forward_insert(change, arena, err);
        rc = rc ? rc : forward_update(change, arena, err);
    } else if (change->phased->drop_count > 0) {
        rc = change_note_inserts(change, arena, err);
    }
    if (rc == ERR_OK && change->phased->drop_count > 0) {
        rc = old_update(change, names, arena, err);
    }
    if (rc == ERR_OK && change->reverse != NULL && change->forward != NULL) {
        rc = reverse_triggers(change, arena, err);
    }
    return rc;
}

enum err_code change_null_triggers(struct change *change, const char *columns, const char *set,
                                   const char *where, const char *is_null, struct arena *arena,
                                   struct err *err)
{
    static const char *const names[] = {"fill_insert", "fill_update"};
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < 2; i++) {
        const char *name = trigger_name(change, names[i], arena);
        struct buf text = {0}, event = {0};
        buf_text(&event, i == 0 ? "INSERT" : "UPDATE OF ");
        buf_text(&event, i == 0 ? "" : columns);
        begin_trigger(change, name, buf_cstr(&event), &text);
        buf_print(&text, "WHEN %s BEGIN ", is_null);
        add_update(change, set, &text);
        buf_print(&text, " AND (%s); ", where);
        change_add_note(change, &text);
        rc = end_trigger(change, name, true, arena, &text, err);
        buf_fini(&event);
    }
    return rc;
}
