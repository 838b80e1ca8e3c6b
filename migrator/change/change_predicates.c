#include "migrator/change/change_parts.h"

#include <string.h>
#include <strings.h>

#include "migrator/sql/default_value.h"
#include "migrator/sql/expression.h"
#include "migrator/sql/sql_function.h"

/* Moves what buf built into the arena and empties it. NULL: out of memory. */
const char *change_settle(struct arena *arena, struct buf *buf)
{
    const char *text = buf_failed(buf) ? NULL : arena_text(arena, buf_cstr(buf), buf->len);

    buf_fini(buf);
    return text;
}

/* ---- names ---- */

enum err_code change_names_of(const struct change *change, struct arena *arena,
                              struct change_names *out, struct err *err)
{
    const struct phased *phased = change->phased;
    const struct shape *shape = &change->shape;
    size_t room = shape->count + phased->add_count + phased->drop_count;
    size_t count = 0;

    out->names = arena_zero(arena, room + 1, sizeof *out->names);
    out->written = arena_zero(arena, room + 1, sizeof *out->written);
    out->classes = arena_zero(arena, room + 1, sizeof *out->classes);
    if (out->names == NULL || out->written == NULL || out->classes == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    for (size_t i = 0; i < phased->drop_count; i++) {
        const struct shape_column *column = change_dropped(change, i);
        out->classes[count] = shape_classes(shape, column != NULL ? column->type : NULL);
        out->names[count] = phased->drop[i].name;
        out->written[count++] = change->drop_now[i];
    }
    for (size_t i = 0; i < phased->add_count; i++) {
        out->classes[count] = shape_classes(shape, phased->add[i].type);
        out->names[count++] = phased->add[i].name;
    }
    for (size_t i = 0; i < shape->count; i++) {
        out->classes[count] = shape_classes(shape, shape->columns[i].type);
        out->names[count++] = shape->columns[i].name;
    }
    out->list = (struct expression_names){out->names, out->written, out->classes, count};
    return ERR_OK;
}

const struct shape_column *change_dropped(const struct change *change, size_t drop)
{
    const struct shape_column *column = shape_column(&change->shape, change->drop_now[drop]);

    /* Renamed since the shape was read. */
    column = column != NULL ? column : shape_column(&change->shape, change->drop_aside[drop]);
    return column != NULL ? column : shape_column(&change->shape, change->drop_old[drop]);
}

bool change_needs_aside(const struct change *change)
{
    bool has = false;

    for (size_t i = 0; i < change->phased->drop_count; i++) {
        const struct shape_column *column = change_dropped(change, i);
        has = has || (column != NULL && column->has_default);
    }
    return has;
}

/* Whether an expression names any column at all. */
bool change_reads_columns(const char *text, const struct change_names *names)
{
    for (size_t i = 0; i < names->list.count; i++) {
        if (expression_uses(text, names->names[i])) {
            return true;
        }
    }
    return false;
}

/* ---- predicates ---- */

void change_add_name(struct buf *out, const char *prefix, const char *name)
{
    buf_text(out, prefix);
    buf_sql_name(out, str_of(name));
}

/* Whether it is another column as it is, and that has this affinity already. */
static bool copies(const struct change *change, const char *expression, const char *affinity)
{
    const struct phased *phased = change->phased;
    const char *type = NULL;
    bool is = false;

    for (size_t i = 0; i < phased->drop_count; i++) {
        const struct shape_column *column = change_dropped(change, i);
        if (column != NULL && expression_is(expression, phased->drop[i].name)) {
            is = true;
            type = column->type;
        }
    }
    for (size_t i = 0; i < phased->add_count; i++) {
        if (expression_is(expression, phased->add[i].name)) {
            is = true;
            type = phased->add[i].type;
        }
    }
    for (size_t i = 0; !is && i < change->shape.count; i++) {
        is = expression_is(expression, change->shape.columns[i].name);
        type = change->shape.columns[i].type;
    }
    return is && strcmp(default_value_affinity(type), affinity) == 0;
}

/* What a column of this type makes of some values that the expression may give; NULL: nothing. */
static const char *conversion(const struct change *change, const char *type, const char *expression,
                              const struct change_names *names)
{
    unsigned gives = expression_classes(expression, &names->list);
    const char *affinity = default_value_affinity(type);

    if (copies(change, expression, affinity)) {
        return NULL;
    }
    if (strcmp(affinity, "TEXT") == 0) {
        return (gives & (SQL_INTEGER | SQL_REAL)) != 0 ? "TEXT" : NULL;
    }
    return strcmp(affinity, "BLOB") != 0 && (gives & SQL_TEXT) != 0 ? "NUMERIC" : NULL;
}

/* The column holds what storing the expression gives. Byte by byte, whatever the column's collation
 * is; and with a plus, so that the column's affinity alone counts: two columns of different ones
 * would compare as numbers, and '01' be 1. Behind NEW. and OLD. it does not count, so the
 * conversion is written out. */
static void add_same(const struct change *change, const char *prefix, const char *column,
                     const char *type, const char *expression, const struct change_names *names,
                     struct buf *out)
{
    const char *made = *prefix != '\0' ? conversion(change, type, expression, names) : NULL;
    bool real = strcmp(default_value_affinity(type), "REAL") == 0; /* makes reals of integers */

    buf_text(out, real || made != NULL ? "(" : "");
    change_add_name(out, prefix, column);
    buf_text(out, " COLLATE BINARY IS (+(");
    expression_write(expression, &names->list, prefix, out);
    buf_text(out, "))");
    if (real) { /* a great integer has lost digits when it was stored */
        buf_text(out, " OR (typeof(");
        expression_write(expression, &names->list, prefix, out);
        buf_text(out, ") = 'integer' AND ");
        change_add_name(out, prefix, column);
        buf_text(out, " IS CAST((");
        expression_write(expression, &names->list, prefix, out);
        buf_text(out, ") AS REAL))");
    }
    if (made != NULL) {
        buf_text(out, " OR (typeof(");
        change_add_name(out, prefix, column);
        buf_text(out, ") <> typeof(");
        expression_write(expression, &names->list, prefix, out);
        buf_text(out, ") AND ");
        change_add_name(out, prefix, column);
        buf_text(out, " COLLATE BINARY IS CAST((");
        expression_write(expression, &names->list, prefix, out);
        buf_print(out, ") AS %s))", made);
    }
    buf_text(out, real || made != NULL ? ")" : "");
}

/* F over the row that prefix names. */
static void add_forward(const struct change *change, const struct change_names *names,
                        const char *prefix, struct buf *out)
{
    const struct phased *phased = change->phased;
    bool any = false;

    for (size_t i = 0; i < phased->add_count; i++) {
        const struct phased_add *add = &phased->add[i];
        if (add->forward == NULL) {
            continue;
        }
        buf_text(out, any ? " AND " : "");
        if (!change_reads_columns(add->forward, names)) {
            buf_char(out, '(');
            change_add_name(out, prefix, add->name);
            buf_text(out, " IS NOT NULL OR ");
        }
        add_same(change, prefix, add->name, add->type, add->forward, names, out);
        buf_text(out, change_reads_columns(add->forward, names) ? "" : ")");
        any = true;
    }
}

void change_add_reverse(const struct change *change, const struct change_names *names,
                        const char *prefix, struct buf *out)
{
    const struct phased *phased = change->phased;
    bool any = false;

    for (size_t i = 0; i < phased->drop_count; i++) {
        if (phased->drop[i].reverse == NULL) {
            continue;
        }
        buf_text(out, any ? " AND " : "");
        const struct shape_column *column = change_dropped(change, i);
        add_same(change, prefix, change->drop_now[i], column != NULL ? column->type : NULL,
                 phased->drop[i].reverse, names, out);
        any = true;
    }
}

void change_add_consistent(const struct change *change, const struct change_names *names,
                           const char *prefix, struct buf *out)
{
    if (change->forward != NULL) {
        buf_char(out, '(');
        add_forward(change, names, prefix, out);
        buf_char(out, ')');
    }
    if (change->reverse != NULL) {
        buf_text(out, change->forward != NULL ? " OR (" : "(");
        change_add_reverse(change, names, prefix, out);
        buf_char(out, ')');
    }
    if (change->forward == NULL && change->reverse == NULL) {
        buf_char(out, '1');
    }
}

static void add_fill(const struct change *change, const struct change_names *names, struct buf *out)
{
    const struct phased *phased = change->phased;
    bool any = false;

    for (size_t i = 0; i < phased->add_count; i++) {
        const struct phased_add *add = &phased->add[i];
        bool constant = add->forward != NULL && !change_reads_columns(add->forward, names);
        if (add->forward == NULL) {
            continue;
        }
        buf_text(out, any ? ", " : "");
        change_add_name(out, "", add->name);
        buf_text(out, " = ");
        if (constant) { /* what new code has put there stays */
            buf_text(out, "coalesce(");
            change_add_name(out, "", add->name);
            buf_text(out, ", ");
        }
        buf_char(out, '(');
        expression_write(add->forward, &names->list, "", out);
        buf_text(out, constant ? "))" : ")");
        any = true;
    }
}

static void add_restore(const struct change *change, const struct change_names *names,
                        struct buf *out)
{
    const struct phased *phased = change->phased;
    bool any = false;

    for (size_t i = 0; i < phased->drop_count; i++) {
        if (phased->drop[i].reverse != NULL) {
            buf_text(out, any ? ", " : "");
            change_add_name(out, "", change->drop_now[i]);
            buf_text(out, " = (");
            expression_write(phased->drop[i].reverse, &names->list, "", out);
            buf_char(out, ')');
            any = true;
        }
    }
}

/* "col = (SELECT (made) WHERE (when) UNION ALL SELECT col WHERE NOT (when))": CASE, as the house
 * may write it. */
static void add_where(const char *column, const char *made, const char *when,
                      const struct change_names *names, struct buf *out)
{
    change_add_name(out, out->len > 0 ? ", " : "", column);
    buf_text(out, " = (SELECT (");
    expression_write(made, &names->list, "", out);
    buf_print(out, ") WHERE %s", when);
    buf_text(out, " UNION ALL SELECT ");
    change_add_name(out, "", column);
    buf_print(out, " WHERE NOT (%s))", when);
}

const char *change_fill_unmade(const struct change *group, const struct change_names *names,
                               struct arena *arena)
{
    struct buf out = {0};

    for (size_t i = 0; i < group->phased->add_count; i++) {
        const struct phased_add *add = &group->phased->add[i];
        if (add->forward != NULL) {
            add_where(add->name, add->forward, group->unmade, names, &out);
        }
    }
    return change_settle(arena, &out);
}

const char *change_restore_differing(const struct change *group, const struct change_names *names,
                                     struct arena *arena)
{
    const char *differs = arena_print(arena, "NOT (%s)", group->consistent);
    struct buf out = {0};

    for (size_t i = 0; differs != NULL && i < group->phased->drop_count; i++) {
        if (group->phased->drop[i].reverse != NULL) {
            add_where(group->drop_now[i], group->phased->drop[i].reverse, differs, names, &out);
        }
    }
    return differs != NULL ? change_settle(arena, &out) : NULL;
}

/* "a1 <test> joint a2 <test>" over the added columns that are derived. */
void change_add_each_new(const struct change *change, const char *prefix, const char *test,
                         const char *other_prefix, const char *joint, struct buf *out)
{
    const struct phased *phased = change->phased;
    bool any = false;

    for (size_t i = 0; i < phased->add_count; i++) {
        if (phased->add[i].forward != NULL) {
            buf_text(out, any ? joint : "");
            change_add_name(out, prefix, phased->add[i].name);
            if (other_prefix != NULL && phased->add[i].collation != NULL) {
                buf_text(out, " COLLATE BINARY");
            }
            buf_text(out, test);
            if (other_prefix != NULL) {
                change_add_name(out, other_prefix, phased->add[i].name);
            }
            any = true;
        }
    }
}

void change_add_each_dropped(const struct change *change, const char *prefix, const char *test,
                             const char *joint, struct buf *out)
{
    bool any = false;

    for (size_t i = 0; i < change->phased->drop_count; i++) {
        if (change->phased->drop[i].reverse != NULL) {
            buf_text(out, any ? joint : "");
            change_add_name(out, prefix, change->drop_now[i]);
            buf_text(out, test);
            any = true;
        }
    }
}

/* A row that nobody wrote since ADD COLUMN does not hold the column at all: it would read as the
 * DEFAULT that contract declares. So NULL is written into it, once. */
static void add_materialised(const struct change *change, struct buf *text)
{
    bool any = false;

    for (size_t i = 0; i < change->phased->add_count; i++) {
        const struct phased_add *add = &change->phased->add[i];
        if (add->default_value != NULL && add->forward != NULL) {
            buf_text(text, any ? " OR " : " OR ((");
            change_add_name(text, "", add->name);
            buf_text(text, " IS NULL");
            any = true;
        }
    }
    if (any) {
        buf_print(text, ") AND (%s))", change->forward);
    }
}

/* What backfill and verification look for. false: out of memory. */
static bool judge_rows(struct change *change, struct arena *arena)
{
    bool derives = change->forward != NULL, restores = change->reverse != NULL;
    bool some_invalid = change->phased->valid_old != NULL;
    struct buf unmade = {0};

    if (derives) {
        buf_print(&unmade, "%s AND (NOT (%s) OR (%s AND NOT (%s))", change->valid,
                  change->consistent, change->unfilled, change->forward);
        add_materialised(change, &unmade);
        buf_char(&unmade, ')');
        change->unmade = change_settle(arena, &unmade);
    }
    if (some_invalid) {
        change->invalid = arena_print(arena, "NOT %s AND NOT (%s)", change->valid,
                                      restores ? change->reverse : "0");
    }
    if (derives && restores) {
        change->lost = arena_print(arena, "%s AND (%s) AND NOT (%s)", change->valid,
                                   change->forward, change->reverse);
    }
    change->mismatch = arena_print(arena, "%s AND NOT (%s)", change->valid, change->consistent);
    return change->mismatch != NULL && (!derives || change->unmade != NULL) &&
           (!some_invalid || change->invalid != NULL) &&
           (!(derives && restores) || change->lost != NULL);
}

enum err_code change_predicates(struct change *change, const struct change_names *names,
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
        change->forward = change_settle(arena, &text);
        add_fill(change, names, &text);
        change->fill = change_settle(arena, &text);
        change_add_each_new(change, "", " IS NULL", NULL, " AND ", &text);
        change->unfilled = change_settle(arena, &text);
    }
    if (restores) {
        change_add_reverse(change, names, "", &text);
        change->reverse = change_settle(arena, &text);
        add_restore(change, names, &text);
        change->restore = change_settle(arena, &text);
    }
    change_add_consistent(change, names, "", &text);
    change->consistent = change_settle(arena, &text);
    if (phased->valid_old != NULL) { /* NULL is no reason to leave a row out, as with CHECK */
        buf_text(&text, "coalesce((");
        expression_write(phased->valid_old, &names->list, "", &text);
        buf_text(&text, "), 1)");
    } else {
        buf_char(&text, '1');
    }
    change->valid = change_settle(arena, &text);
    return change->consistent != NULL && change->valid != NULL &&
                   (!derives || (change->forward && change->fill && change->unfilled)) &&
                   (!restores || (change->reverse && change->restore)) && judge_rows(change, arena)
               ? ERR_OK
               : err_set(err, ERR_NOMEM, "out of memory");
}
