/*
 * The columns of one migration fall into groups: columns that are made from each other. Each group
 * has an F, an R and a C of its own, and triggers of its own: what was written in one group's new
 * columns says nothing of another's, and must not have them made anew from the other side.
 *
 *     {"add": {"m": ..., "n": ...}, "forward": {"m": "lower(a)", "n": "trim(b)"}, ...}
 *     groups: {a, m} {b, n}            C = (F1 OR R1) AND (F2 OR R2)
 *
 * A group from which nothing new is made (a column that goes, and a reverse for it) asks nothing of
 * a row: the reverse is for the rows that new code inserts, and for those that said what it gives
 * until new code changed what it reads.
 *
 * valid_old belongs to the groups whose old columns it reads; they are one group then. One that
 * reads none of them belongs to all.
 */
#include "migrator/change/change_parts.h"

#include "base/check.h"
#include "migrator/sql/expression.h"

/* The group of each added and of each dropped column: the least member's place. */
struct groups {
    size_t of[2 * PHASED_COLUMNS_MAX];
    size_t count; /* members */
};

static void join(struct groups *groups, size_t a, size_t b)
{
    size_t from = groups->of[a] > groups->of[b] ? groups->of[a] : groups->of[b];
    size_t to = groups->of[a] > groups->of[b] ? groups->of[b] : groups->of[a];

    for (size_t i = 0; i < groups->count; i++) {
        groups->of[i] = groups->of[i] == from ? to : groups->of[i];
    }
}

static void find_groups(const struct phased *phased, struct groups *out)
{
    out->count = phased->add_count + phased->drop_count;
    CHECK(out->count <= 2 * PHASED_COLUMNS_MAX);
    for (size_t i = 0; i < out->count; i++) {
        out->of[i] = i;
    }
    for (size_t i = 0; i < phased->add_count; i++) {
        const struct phased_add *add = &phased->add[i];
        for (size_t k = 0; k < phased->drop_count; k++) {
            const struct phased_drop *drop = &phased->drop[k];
            if ((add->forward != NULL && expression_uses(add->forward, drop->name)) ||
                (drop->reverse != NULL && expression_uses(drop->reverse, add->name))) {
                join(out, i, phased->add_count + k);
            }
        }
    }
}

static bool has_dropped(const struct phased *phased, const struct groups *groups, size_t group)
{
    for (size_t i = phased->add_count; i < groups->count; i++) {
        if (groups->of[i] == group) {
            return true;
        }
    }
    return false;
}

/* What is only derived has no R, so C is the same for all of it together: fewer triggers. Not a
 * constant: new code may leave one out and give another. */
static void join_derived(const struct phased *phased, const struct change_names *names,
                         struct groups *groups)
{
    size_t first = groups->count;

    for (size_t i = 0; i < phased->add_count; i++) {
        const char *forward = phased->add[i].forward;
        if (forward == NULL || !change_reads_columns(forward, names) ||
            has_dropped(phased, groups, groups->of[i])) {
            continue;
        }
        if (first < groups->count) {
            join(groups, first, i);
        } else {
            first = i;
        }
    }
}

/* Whether valid_old and this added column read one column. */
static bool reads_with_valid(const struct change *change, const struct phased_add *add)
{
    for (size_t i = 0; i < change->shape.count && add->forward != NULL; i++) {
        const char *name = change->shape.columns[i].name;
        if (expression_uses(change->phased->valid_old, name) &&
            expression_uses(add->forward, name)) {
            return true;
        }
    }
    return false;
}

/* Joins the groups that valid_old is about; the place of one member, or count: it is about all. */
static size_t join_valid(const struct change *change, struct groups *groups)
{
    const struct phased *phased = change->phased;
    size_t first = groups->count;

    for (size_t i = 0; i < groups->count && phased->valid_old != NULL; i++) {
        bool about =
            i < phased->add_count
                ? reads_with_valid(change, &phased->add[i])
                : expression_uses(phased->valid_old, phased->drop[i - phased->add_count].name);
        if (about && first < groups->count) {
            join(groups, i, first);
        }
        first = about && first == groups->count ? i : first;
    }
    for (size_t i = 1; first == groups->count && phased->valid_old != NULL && i < groups->count;
         i++) {
        join(groups, 0, i);
    }
    return first;
}

/* The migration with this group's columns alone. */
static enum err_code take_group(const struct change *change, const struct groups *groups,
                                size_t group, bool with_valid, struct arena *arena,
                                struct change *out, struct err *err)
{
    const struct phased *all = change->phased;
    struct phased *own = arena_zero(arena, 1, sizeof *own);
    struct phased_add *add = arena_zero(arena, all->add_count + 1, sizeof *add);
    struct phased_drop *drop = arena_zero(arena, all->drop_count + 1, sizeof *drop);

    if (own == NULL || add == NULL || drop == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    *out = *change;
    *own = *all;
    out->whole = change;
    out->phased = own;
    out->forward = out->reverse = out->unfilled = out->fill = out->restore = NULL;
    out->unmade = out->lost = out->mismatch = out->invalid = NULL;
    own->valid_old = with_valid ? all->valid_old : NULL;
    out->trigger_count = 0;
    own->add = add;
    own->drop = drop;
    own->add_count = own->drop_count = 0;
    for (size_t i = 0; i < all->add_count; i++) {
        if (groups->of[i] == group) {
            add[own->add_count++] = all->add[i];
        }
    }
    for (size_t i = 0; i < all->drop_count; i++) {
        if (groups->of[all->add_count + i] == group) {
            out->drop_old[own->drop_count] = change->drop_old[i];
            out->drop_now[own->drop_count] = change->drop_now[i];
            out->drop_aside[own->drop_count] = change->drop_aside[i];
            drop[own->drop_count++] = all->drop[i];
        }
    }
    return ERR_OK;
}

/* What the groups' predicates come to. */
struct joint {
    struct buf forward, reverse, consistent, unfilled, fill, restore;
    struct buf unmade, mismatch, invalid, lost;
};

static void add_joint(struct buf *out, const char *joint, const char *text)
{
    if (text != NULL) {
        buf_print(out, "%s(%s)", out->len > 0 ? joint : "", text);
    }
}

static enum err_code add_group(struct joint *joint, const struct change *group,
                               const struct change_names *names, struct arena *arena,
                               struct err *err)
{
    const char *fill = "", *restore = "";

    if (group->forward == NULL) {
        return ERR_OK;
    }
    fill = change_fill_unmade(group, names, arena);
    if (group->restore != NULL) {
        restore = change_restore_differing(group, names, arena);
    }

    if (fill == NULL || restore == NULL) {
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    add_joint(&joint->forward, " AND ", group->forward);
    add_joint(&joint->reverse, " AND ", group->reverse);
    add_joint(&joint->consistent, " AND ", group->consistent);
    add_joint(&joint->unfilled, " AND ", group->unfilled);
    add_joint(&joint->unmade, " OR ", group->unmade);
    add_joint(&joint->mismatch, " OR ", group->mismatch);
    add_joint(&joint->invalid, " OR ", group->invalid);
    add_joint(&joint->lost, " OR ", group->lost);
    buf_print(&joint->fill, "%s%s", *fill != '\0' && joint->fill.len > 0 ? ", " : "", fill);
    buf_print(&joint->restore, "%s%s", *restore != '\0' && joint->restore.len > 0 ? ", " : "",
              restore);
    return ERR_OK;
}

/* NULL if nothing was put there. *failed: out of memory. */
static const char *settled(struct arena *arena, struct buf *buf, bool *failed)
{
    bool empty = buf->len == 0 && !buf_failed(buf);
    const char *text = change_settle(arena, buf);

    *failed = *failed || (text == NULL && !empty);
    return empty ? NULL : text;
}

static enum err_code put_together(struct change *change, struct joint *joint, struct arena *arena,
                                  struct err *err)
{
    bool failed = false;

    change->forward = settled(arena, &joint->forward, &failed);
    change->reverse = settled(arena, &joint->reverse, &failed);
    change->consistent = settled(arena, &joint->consistent, &failed);
    change->unfilled = settled(arena, &joint->unfilled, &failed);
    change->fill = settled(arena, &joint->fill, &failed);
    change->restore = settled(arena, &joint->restore, &failed);
    change->mismatch = settled(arena, &joint->mismatch, &failed);
    change->invalid = settled(arena, &joint->invalid, &failed);
    change->lost = settled(arena, &joint->lost, &failed);
    if (change->consistent == NULL && !failed) { /* nothing but columns that go */
        change->consistent = "1";
        change->mismatch = "0";
    }
    change->unmade = NULL;
    if (joint->unmade.len > 0) { /* a key range follows with AND */
        change->unmade = arena_print(arena, "(%s)", buf_cstr(&joint->unmade));
        failed = failed || change->unmade == NULL || buf_failed(&joint->unmade);
    }
    buf_fini(&joint->unmade);
    return failed ? err_set(err, ERR_NOMEM, "out of memory") : ERR_OK;
}

static enum err_code take_triggers(struct change *change, const struct change *group,
                                   struct err *err)
{
    for (size_t i = 0; i < group->trigger_count; i++) {
        if (change->trigger_count == CHANGE_TRIGGERS_MAX) {
            return err_set(err, ERR_LIMIT, "more than %u triggers: make two migrations of it",
                           CHANGE_TRIGGERS_MAX);
        }
        change->triggers[change->trigger_count++] = group->triggers[i];
    }
    return ERR_OK;
}

enum err_code change_generate(struct change *change, const struct change_names *names,
                              struct arena *arena, struct err *err)
{
    struct groups groups;
    struct joint joint = {0};
    struct change *group;
    size_t members = 0, valid;
    enum err_code rc = change_predicates(change, names, arena, err);

    find_groups(change->phased, &groups);
    join_derived(change->phased, names, &groups);
    valid = join_valid(change, &groups);
    for (size_t i = 0; i < groups.count; i++) {
        members += groups.of[i] == 0;
    }
    if (rc || (change->forward != NULL ? members == groups.count : change->reverse == NULL)) {
        return rc ? rc : change_triggers(change, names, arena, err);
    }
    group = arena_zero(arena, 1, sizeof *group);
    for (size_t i = 0, number = 1; rc == ERR_OK && i < groups.count; i++) {
        if (groups.of[i] != i) {
            continue;
        }
        rc = group != NULL
                 ? take_group(change, &groups, i, valid < groups.count && groups.of[valid] == i,
                              arena, group, err)
                 : err_set(err, ERR_NOMEM, "out of memory");
        if (rc == ERR_OK) {
            group->group = (unsigned)number++;
            rc = change_predicates(group, names, arena, err);
        }
        rc = rc ? rc : change_triggers(group, names, arena, err);
        rc = rc ? rc : take_triggers(change, group, err);
        rc = rc ? rc : add_group(&joint, group, names, arena, err);
    }
    rc = rc ? rc : put_together(change, &joint, arena, err);
    return rc ? rc : change_note_inserts(change, arena, err);
}
