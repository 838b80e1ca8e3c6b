/*
 * What code that is not ours would notice of a change of columns: plan says it.
 */
#include "migrator/change/change_parts.h"

#include <string.h>
#include <strings.h>

/* SQLite's rules for a declared type's affinity. */
static const char *affinity(const char *type)
{
    static const struct {
        const char *part, *name;
    } rules[] = {{"INT", "INTEGER"}, {"CHAR", "TEXT"}, {"CLOB", "TEXT"}, {"TEXT", "TEXT"},
                 {"BLOB", "BLOB"},   {"REAL", "REAL"}, {"FLOA", "REAL"}, {"DOUB", "REAL"}};

    if (type == NULL || *type == '\0') {
        return "BLOB";
    }
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (strcasestr(type, rules[i].part) != NULL) {
            return rules[i].name;
        }
    }
    return "NUMERIC";
}

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
            const char *from = affinity(column->type), *to = affinity(add->type);
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

/* Indexes over a column that goes, and one that is not made over the new column. */
static void note_indexes(const struct change *change, struct json *notes, struct arena *arena)
{
    const struct phased *phased = change->phased;

    for (size_t i = 0; i < phased->drop_index_count; i++) {
        add_note(notes, arena_print(arena, "index %s stays until purge, as old code may need it",
                                    phased->drop_index[i].name));
    }
    for (size_t i = 0; i < change->shape.object_count; i++) {
        const struct shape_object *object = &change->shape.objects[i];
        for (size_t k = 0; k < phased->drop_count; k++) {
            if (strcmp(object->type, "index") == 0 &&
                expression_uses(object->sql, change->drop_now[k])) {
                add_note(notes, arena_print(arena,
                                            "index %s goes with %s at purge; \"create_index\" "
                                            "makes one for new code",
                                            object->name, change->drop_old[k]));
            }
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
    for (size_t i = 0; i < change->phased->alter_count && from < MIG_CONTRACTED; i++) {
        note_alter(&change->phased->alter[i], notes, arena);
    }
    note_indexes(change, notes, arena);
}
