/*
 * What code that is not ours would notice of a change of columns: plan says it.
 */
#include "migrator/change/change_parts.h"

#include <string.h>
#include <strings.h>

#include "migrator/sql/default_value.h"

static void add_note(struct json *notes, const char *text)
{
    (void)json_append(notes, json_string(text != NULL ? text : "out of memory"));
}

static void note_affinity(const struct change *change, struct json *notes, struct arena *arena)
{
    const struct phased *phased = change->phased;

    for (size_t i = 0; i < phased->add_count; i++) {
        const struct phased_add *add = &phased->add[i];
        for (size_t k = 0; add->forward != NULL && k < change->shape.count; k++) {
            const struct shape_column *column = &change->shape.columns[k];
            const char *from = default_value_affinity(column->type),
                       *to = default_value_affinity(add->type);
            if (expression_is(add->forward, column->name) && strcmp(from, to) != 0) {
                add_note(notes, arena_print(arena,
                                            "%s takes the values of %s as they are, but stores "
                                            "them with affinity %s instead of %s: '01' and 1 may "
                                            "not stay apart, or not stay the same",
                                            add->name, column->name, to, from));
            }
        }
    }
}

static void note_defaults(const struct change *change, struct json *notes, struct arena *arena)
{
    for (size_t i = 0; i < change->phased->drop_count; i++) {
        const struct shape_column *column = change_dropped(change, i);
        if (column != NULL && column->has_default && change->forward != NULL) {
            add_note(notes, arena_print(arena,
                                        "while both shapes live, a row inserted with NULL in every "
                                        "new column gets what follows from the DEFAULT of %s",
                                        change->drop_old[i]));
        }
    }
}

/* The gate old-writes-idle lives on what tells old code's inserts from new code's. */
static void note_old_inserts(const struct change *change, struct json *notes, struct arena *arena)
{
    for (size_t i = 0; i < change->phased->drop_count && change->forward == NULL; i++) {
        const struct shape_column *column = change_dropped(change, i);
        if (column == NULL || !column->has_default) {
            continue;
        }
        add_note(
            notes,
            column->default_value != NULL
                ? arena_print(arena,
                              "an insert with the DEFAULT (%s) in %s may be old or new code's, "
                              "and is not counted as old; any other value is, and any UPDATE",
                              column->default_value, change->drop_old[i])
                : arena_print(arena,
                              "no insert can be told to be new code's, as the DEFAULT of %s is "
                              "computed: each counts as a write of old code, and contract "
                              "asks for --override-gate old-writes-idle --reason TEXT",
                              change->drop_old[i]));
    }
}

static bool is_kept(const struct change *change, const char *column)
{
    const struct phased *phased = change->phased;

    for (size_t i = 0; i < phased->add_count; i++) {
        if (strcasecmp(phased->add[i].name, column) == 0) {
            return false;
        }
    }
    for (size_t i = 0; i < phased->drop_count; i++) {
        if (strcasecmp(change->drop_now[i], column) == 0 ||
            strcasecmp(phased->drop[i].name, column) == 0) {
            return false;
        }
    }
    return true;
}

static bool is_read_back(const struct phased *phased, const char *added)
{
    bool is = false;

    for (size_t i = 0; i < phased->drop_count; i++) {
        is = is ||
             (phased->drop[i].reverse != NULL && expression_uses(phased->drop[i].reverse, added));
    }
    return is;
}

/* Two writers of one value: columns that stay, and what new code wrote. */
static void note_kept(const struct change *change, struct json *notes, struct arena *arena)
{
    const struct phased *phased = change->phased;

    for (size_t i = 0; i < phased->add_count; i++) {
        const struct phased_add *add = &phased->add[i];
        const char *kept = NULL;
        for (size_t k = 0; add->forward != NULL && k < change->shape.count; k++) {
            const char *column = change->shape.columns[k].name;
            if (is_kept(change, column) && expression_uses(add->forward, column)) {
                kept = kept != NULL ? arena_print(arena, "%s or %s", kept, column) : column;
            }
        }
        if (kept == NULL) {
            continue;
        }
        add_note(
            notes,
            is_read_back(phased, add->name)
                ? arena_print(arena, /* lint: not SQL */
                              "%s hangs on %s too, which stays: once new code has written %s "
                              "itself, an UPDATE of %s leaves it as it is, for the old columns "
                              "still follow from it",
                              add->name, kept, add->name, kept)
                : arena_print(arena, /* lint: not SQL */
                              "%s is made from what stays: until contract an UPDATE of %s "
                              "makes %s anew, also over what new code wrote there",
                              add->name, kept, add->name));
    }
}

/* What new code's rows lack, the way back cannot declare again. */
static void note_way_back(const struct change *change, struct json *notes, struct arena *arena)
{
    for (size_t i = 0; i < change->phased->drop_count; i++) {
        const struct shape_column *column = change_dropped(change, i);
        if (column == NULL || column->has_default || change->phased->drop[i].reverse != NULL ||
            !change->phased->drop[i].not_null) {
            continue;
        }
        add_note(notes,
                 arena_print(arena,
                             "no way back to pending once new code has inserted a row: %s is NOT "
                             "NULL, and nothing says what stands there then; \"reverse\": "
                             "{\"%s\": \"...\"} in migration.json does (a literal will do)",
                             change->drop_old[i], change->drop_old[i]));
    }
}

static void note_alter(const struct phased_alter *alter, struct json *notes, struct arena *arena)
{
    if (alter->null == PHASED_NULL_REFUSED && alter->fill != NULL) {
        add_note(notes, arena_print(arena,
                                    "from dual-write on, NULL in %s becomes what fill gives, also "
                                    "where old code writes it; a way back keeps that",
                                    alter->name));
    }
    if (alter->null == PHASED_NULL_REFUSED || alter->check != NULL) {
        add_note(notes,
                 arena_print(arena, "from contract on, a write that breaks what %s declares fails",
                             alter->name));
    }
    if (alter->null == PHASED_NULL_ALLOWED) {
        add_note(
            notes,
            arena_print(arena,
                        "from expand on %s may hold NULL; old code reads it as soon as "
                        "new code writes it, from in-sync on%s",
                        alter->name,
                        alter->reverse != NULL ? "" : "; the way back waits until no row has it"));
    }
}

static const char *carried_as(const struct phased *phased, const char *index)
{
    for (size_t i = 0; i < phased->create_index_count; i++) {
        if (phased->create_index[i].carried != NULL &&
            strcasecmp(phased->create_index[i].carried, index) == 0) {
            return phased->create_index[i].name;
        }
    }
    return NULL;
}

/* Indexes over a column that goes, and what becomes of them. */
static void note_indexes(const struct change *change, struct json *notes, struct arena *arena)
{
    const struct phased *phased = change->phased;

    for (size_t i = 0; i < phased->drop_index_count; i++) {
        add_note(notes, arena_print(arena, "index %s stays until purge, as old code may need it",
                                    phased->drop_index[i].name));
    }
    for (size_t i = 0; i < change->shape.object_count; i++) {
        const struct shape_object *object = &change->shape.objects[i];
        const char *carried = carried_as(phased, object->name);
        bool told = strcmp(object->type, "index") != 0;
        for (size_t k = 0; k < phased->drop_count && !told; k++) {
            if (!expression_uses(object->sql, change->drop_now[k])) {
                continue;
            }
            told = true;
            add_note(notes,
                     carried != NULL
                         ? arena_print(arena,
                                       "index %s goes at purge, and is made again behind the "
                                       "backfill, over the renamed column, as %s",
                                       object->name, carried)
                         : arena_print(arena,
                                       "index %s goes with %s at purge; \"create_index\" makes one "
                                       "for new code",
                                       object->name, change->drop_old[k]));
        }
    }
}

void change_notes(const struct change *change, enum mig_state from, struct json *notes,
                  struct arena *arena)
{
    if (from < MIG_IN_SYNC) {
        note_affinity(change, notes, arena);
        note_defaults(change, notes, arena);
    }
    if (from < MIG_CONTRACTED) {
        note_old_inserts(change, notes, arena);
        note_kept(change, notes, arena);
        note_way_back(change, notes, arena);
    }
    for (size_t i = 0; i < change->phased->alter_count && from < MIG_CONTRACTED; i++) {
        note_alter(&change->phased->alter[i], notes, arena);
    }
    note_indexes(change, notes, arena);
}
