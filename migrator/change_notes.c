/*
 * What code that is not ours would notice of a change of columns: plan says it.
 */
#include "migrator/change_parts.h"

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

void change_notes(const struct change *change, enum mig_state from, struct json *notes,
                  struct arena *arena)
{
    if (from < MIG_IN_SYNC) {
        note_affinity(change, notes, arena);
    }
}
