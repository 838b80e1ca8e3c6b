/*
 * A condition and, behind a byte 0xff, bytes that become the values of its attributes.
 *
 * Beside not crashing: what compiles folded gives what the same text gives unfolded (that is how
 * condition_explain() runs it); a result is of the type that the checker promised; what is checked
 * means the same unchecked; a printed value reads back as an equal one.
 */
#include "tests/fuzz/environment.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"
#include "condition/condition_json.h"
#include "condition/explain.h"
#include "condition/limits.h"

#define SLOTS_MAX 32u
#define PRINTED_MAX 2048u

/* A value for each slot, of the kind that was declared for exactly this path. */
static size_t fill(const struct condition_env *env, struct str bytes, struct arena *arena,
                   struct condition_value slots[SLOTS_MAX])
{
    struct fuzz_bytes in = {(const unsigned char *)bytes.at, bytes.len};
    size_t count = condition_env_slot_count(env);

    for (size_t i = 0; i < count && i < SLOTS_MAX; i++) {
        const char *path = condition_env_slot_path(env, i);
        enum condition_kind kind = CONDITION_DYN;

        for (size_t j = 0; j < fuzz_variable_count; j++) {
            if (strcmp(fuzz_variables[j].name, path) == 0) {
                kind = fuzz_variables[j].kind;
            }
        }
        /* The root of a declared attribute is a map, if the host has it at all. */
        if (strncmp(path, "verify", 6) == 0 && kind == CONDITION_DYN) {
            kind = CONDITION_MAP;
        }
        slots[i] = fuzz_value(&in, kind, arena);
    }
    return count;
}

/* ---- results ---- */

/* Whether v may stand where the checker found type; types with parameters are not looked into. null
 * may stand where a timestamp, a duration or an abstract type may. */
static bool is_of_type(const struct condition_value *v, const char *type)
{
    static const char *const never_null[] = {"bool",   "int",   "uint", "double",
                                             "string", "bytes", "list", "map"};
    size_t len = strcspn(type, "(");
    const char *name = condition_type_name(v);

    if (strcmp(type, "dyn") == 0) {
        return true;
    }
    if (v->kind == CONDITION_NULL) {
        for (size_t i = 0; i < sizeof never_null / sizeof never_null[0]; i++) {
            if (strlen(never_null[i]) == len && strncmp(never_null[i], type, len) == 0) {
                return false;
            }
        }
        return true;
    }
    return strlen(name) == len && strncmp(name, type, len) == 0;
}

/* Whether a value can be written down and read back: nothing opaque, no type, no NaN in it. */
static bool is_literal(const struct condition_value *v, unsigned depth)
{
    if (depth == 0) {
        return false;
    }
    switch (v->kind) {
    case CONDITION_DOUBLE: return v->as.d == v->as.d;
    case CONDITION_LIST:
        for (uint32_t i = 0; i < v->size; i++) {
            if (!is_literal(&v->as.items[i], depth - 1)) {
                return false;
            }
        }
        return true;
    case CONDITION_MAP:
        for (uint32_t i = 0; i < v->size; i++) {
            if (!is_literal(&v->as.entries[i].key, depth - 1) ||
                !is_literal(&v->as.entries[i].value, depth - 1)) {
                return false;
            }
        }
        return v->size < 12; /* what the evaluator's stack holds even where the rest is deep */
    case CONDITION_OPTIONAL: return v->as.items == NULL || is_literal(v->as.items, depth - 1);
    case CONDITION_TYPE_VALUE:
    case CONDITION_OPAQUE: return false;
    default: return true;
    }
}

static enum condition_status read_back(const char *text, struct condition_value *out,
                                       struct condition **cond, struct condition_env *env)
{
    static char scratch[65536] __attribute__((aligned(16)));
    struct condition_input in = {.scratch = scratch, .scratch_bytes = sizeof scratch};
    struct condition_diag diag;
    enum condition_status status = condition_compile(env, text, strlen(text), cond, &diag);

    return status != CONDITION_OK ? status : condition_run(*cond, &in, out, &diag);
}

static void check_value(const struct condition_value *v)
{
    char printed[PRINTED_MAX], small[5];
    size_t len = condition_value_print(v, printed, sizeof printed);
    struct json *json = condition_to_json(v);
    char *text = json_print(json);

    CHECK(json != NULL && text != NULL);
    CHECK(condition_value_print(v, small, sizeof small) == len && strlen(small) <= 4);
    free(text);
    json_free(json);
    if (len < sizeof printed && is_literal(v, 5)) {
        struct condition *cond = NULL;
        struct condition_value again;
        enum condition_status status = read_back(printed, &again, &cond, fuzz_env(FUZZ_ENV_BARE));

        if (status != CONDITION_EXHAUSTED &&
            (status != CONDITION_OK || !condition_equal(v, &again))) {
            fuzz_fail("does not read back as what it is: %s", printed);
        }
        condition_free(cond);
    }
}

/* Equal, or printed alike (NaN, opaque values of two runs). */
static bool same_value(const struct condition_value *a, const struct condition_value *b)
{
    char text_a[PRINTED_MAX], text_b[PRINTED_MAX];

    if (a->kind != b->kind) {
        return false;
    }
    if (condition_equal(a, b)) {
        return true;
    }
    condition_value_print(a, text_a, sizeof text_a);
    condition_value_print(b, text_b, sizeof text_b);
    return strcmp(text_a, text_b) == 0;
}

/* ---- ways to run ---- */

struct outcome {
    enum condition_status status;
    struct condition_value value;
    struct condition_diag diag;
};

struct seen {
    struct str source;
    char root[PRINTED_MAX]; /* the whole condition's value, printed while it lives */
};

static void report(void *ctx, uint32_t from, uint32_t to, unsigned depth,
                   const struct condition_value *value, const char *text)
{
    struct seen *seen = ctx;
    char printed[64];

    CHECK(from <= to && to <= seen->source.len && depth <= CEL_HEIGHT_MAX + 1 && text != NULL);
    CHECK(value != NULL || text[0] != '\0');
    if (value != NULL && depth == 0) {
        condition_value_print(value, seen->root, sizeof seen->root);
    } else if (value != NULL) {
        condition_value_print(value, printed, sizeof printed);
    }
}

static void check_same(const char *way, const struct outcome *one, const struct outcome *other)
{
    if (one->status == CONDITION_EXHAUSTED || other->status == CONDITION_EXHAUSTED) {
        return; /* folding saves steps and scratch */
    }
    if (one->status != other->status ||
        (one->status == CONDITION_OK && !same_value(&one->value, &other->value))) {
        char a[300] = "", b[300] = "";

        if (one->status == CONDITION_OK) {
            condition_value_print(&one->value, a, sizeof a);
        }
        if (other->status == CONDITION_OK) {
            condition_value_print(&other->value, b, sizeof b);
        }
        fuzz_fail("%s: %d %s%s, else %d %s%s", way, (int)one->status, a,
                  one->status ? one->diag.msg : "", (int)other->status, b,
                  other->status ? other->diag.msg : "");
    }
}

/* Runs the condition unfolded, as an explanation sees it. */
static void check_unfolded(struct condition_env *env, const struct condition_input *in,
                           struct str source, const struct outcome *want)
{
    struct condition *cond = NULL;
    struct cel_notes notes;
    struct outcome got;

    got.status = cel_compile_explaining(env, source.at, source.len, &cond, &got.diag, &notes);
    if (got.status == CONDITION_OK) {
        got.status = cel_run_noting(cond, in, &got.value, &got.diag, notes.notes);
    }
    check_same("folded and unfolded differ", want, &got);
    condition_free(cond);
}

static void check_explain(const struct condition *cond, const struct condition_input *in,
                          struct str source, const struct outcome *want)
{
    struct seen seen = {.source = source};
    struct outcome got;

    got.status = condition_explain(cond, in, report, &seen, &got.value, &got.diag);
    if (got.status != CONDITION_OK) {
        fuzz_check_diag(&got.diag, source);
    }
    check_same("explained it differs", want, &got);
    if (got.status == CONDITION_OK && seen.root[0] != '\0') {
        char printed[PRINTED_MAX];

        condition_value_print(&want->value, printed, sizeof printed);
        if (strcmp(printed, seen.root) != 0) {
            fuzz_fail("the result is %s, its explanation says %s", printed, seen.root);
        }
    }
}

static bool same_slots(const struct condition_env *a, const struct condition_env *b)
{
    size_t count = condition_env_slot_count(a);

    if (count != condition_env_slot_count(b) || count > SLOTS_MAX) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(condition_env_slot_path(a, i), condition_env_slot_path(b, i)) != 0) {
            return false;
        }
    }
    return true;
}

static void check_unchecked(const struct condition_env *checked, struct str source,
                            struct str bytes, const struct outcome *want)
{
    static char scratch[CONDITION_SCRATCH_DEFAULT] __attribute__((aligned(16)));
    struct condition_env *env = fuzz_env(FUZZ_ENV_UNCHECKED);
    struct condition *cond = NULL;
    struct condition_value slots[SLOTS_MAX];
    struct arena arena = {0};
    struct outcome got;

    got.status = condition_compile(env, source.at, source.len, &cond, &got.diag);
    if (got.status == CONDITION_OK && same_slots(checked, env)) {
        struct condition_input in = {.slots = slots,
                                     .slot_count = fill(env, bytes, &arena, slots),
                                     .scratch = scratch,
                                     .scratch_bytes = sizeof scratch};

        got.status = condition_run(cond, &in, &got.value, &got.diag);
        check_same("checked and unchecked differ", want, &got);
    }
    condition_free(cond);
    arena_fini(&arena);
}

/* Runs the canonical source. */
static void check_printed(struct condition_env *env, const struct condition *cond,
                          const struct condition_input *in, const struct outcome *want)
{
    char text[PRINTED_MAX];
    struct condition *printed = NULL;
    struct outcome got;

    if (condition_print(cond, text, sizeof text) >= sizeof text) {
        return;
    }
    got.status = condition_compile(env, text, strlen(text), &printed, &got.diag);
    if (got.status == CONDITION_OK) {
        got.status = condition_run(printed, in, &got.value, &got.diag);
    }
    check_same("printed it differs", want, &got);
    condition_free(printed);
}

static void check_program(struct condition_env *env, const struct condition *cond,
                          struct str source, struct str bytes)
{
    static char scratch[CONDITION_SCRATCH_DEFAULT] __attribute__((aligned(16)));
    static char second[CONDITION_SCRATCH_DEFAULT] __attribute__((aligned(16)));
    struct condition_value slots[SLOTS_MAX];
    struct arena arena = {0};
    struct condition_input in = {
        .slots = slots, .scratch = scratch, .scratch_bytes = sizeof scratch};
    struct outcome first, again;
    char text[64];

    in.slot_count = fill(env, bytes, &arena, slots);
    CHECK(condition_disassemble(cond, text, sizeof text) > 0);
    CHECK(strlen(condition_source(cond)) <= source.len);
    if (in.slot_count > SLOTS_MAX) {
        arena_fini(&arena);
        return;
    }
    for (size_t i = 0; i < condition_read_count(cond); i++) {
        CHECK(condition_read_slot(cond, i) < in.slot_count);
        CHECK(condition_reads(cond, condition_env_slot_path(env, condition_read_slot(cond, i))));
    }
    first.status = condition_run(cond, &in, &first.value, &first.diag);
    if (first.status == CONDITION_OK) {
        CHECK(first.value.kind > CONDITION_ABSENT && first.value.kind < CONDITION_DYN);
        if (!is_of_type(&first.value, condition_result_type(cond))) {
            fuzz_fail("the checker found %s, the result is %s", condition_result_type(cond),
                      condition_type_name(&first.value));
        }
        check_value(&first.value);
    } else {
        CHECK(first.status == CONDITION_EVAL || first.status == CONDITION_EXHAUSTED);
        fuzz_check_diag(&first.diag, source);
    }
    in.scratch = second;
    again.status = condition_run(cond, &in, &again.value, NULL);
    again.diag.msg[0] = '\0';
    if (again.status != first.status) {
        fuzz_fail("a second run without messages ends otherwise");
    }
    check_same("the second run differs", &first, &again);
    check_printed(env, cond, &in, &first);
    check_unfolded(env, &in, source, &first);
    check_explain(cond, &in, source, &first);
    check_unchecked(env, source, bytes, &first);
    in.scratch = NULL; /* nothing can be built then */
    in.scratch_bytes = 0;
    again.status = condition_run(cond, &in, &again.value, NULL);
    check_same("without scratch it differs", &first, &again);
    arena_fini(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct condition_env *env = fuzz_env(FUZZ_ENV_CHECKED);
    struct condition *cond = NULL;
    struct condition_diag diag;
    struct str source, bytes;
    enum condition_status status;

    fuzz_halves(data, size, &source, &bytes);
    source.at = fuzz_exact(source);
    status = condition_compile(env, source.at, source.len, &cond, &diag);
    if (status == CONDITION_OK) {
        check_program(env, cond, source, bytes);
    } else {
        CHECK(cond == NULL && status != CONDITION_NOMEM && status != CONDITION_EVAL);
        fuzz_check_diag(&diag, source);
    }
    condition_free(cond);
    fuzz_release();
    return 0;
}
