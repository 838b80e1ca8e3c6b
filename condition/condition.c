/*
 * condition - compiling and running; see condition.h. The passes are listed in compiler.h.
 */
#include "condition/condition.h"

#include "condition/compiler.h"
#include "condition/explain.h"
#include "condition/limits.h"
#include "condition/program.h"
#include "condition/types.h"
#include "condition/value.h"

#include <stdlib.h>
#include <string.h>

void condition_free(struct condition *cond)
{
    if (!cond)
        return;
    for (uint32_t i = 0; i < cond->pattern_count; i++)
        cel_regex_free(cond->patterns[i]);
    cel_pool_fini(&cond->pool);
    free(cond);
}

static bool check_source(struct cel_compiler *c)
{
    const char *at = c->source, *end = c->source + c->source_len;
    bool valid = true;

    while (at < end) {
        const char *from = at;
        cel_utf8_next(&at, end, &valid);
        if (!valid)
            return cel_fail(c, CONDITION_SYNTAX, (uint32_t)(from - c->source),
                            (uint32_t)(at - c->source), "the source is not valid UTF-8 here");
    }
    return true;
}

/* Copies what the program needs of the compilation's own memory. */
static bool finish(struct cel_compiler *c, const struct cel_node *root)
{
    struct condition *p = c->program;
    char text[200];

    cel_type_print(cel_type_resolve(c, root->type, true), text, sizeof text);
    p->result_type = cel_pool_copy(&p->pool, text, strlen(text));
    p->env = c->env;
    p->segment_fn = c->env->segment_fn;
    p->may_allocate = c->env->dynamic_patterns;
    return p->result_type ? true : cel_fail_memory(c);
}

static enum condition_status compile(struct condition_env *env, const char *source, size_t len,
                                     bool explaining, struct condition **out,
                                     struct condition_diag *diag, struct cel_notes *notes)
{
    struct condition_diag unwanted;
    struct cel_compiler c = {.env = env, .diag = diag ? diag : &unwanted, .explaining = explaining};
    bool fits = len <= CEL_SOURCE_MAX, ok = false;
    struct condition *p = calloc(1, sizeof *p);
    char *copy = p ? cel_pool_copy(&p->pool, source, fits ? len : 0) : NULL;
    struct cel_node *root;

    env->pool.failed = false; /* memory may have come back since an earlier compilation */
    memset(c.diag, 0, sizeof *c.diag);
    c.diag->line = c.diag->column = 1;
    c.source = source;
    c.source_len = (uint32_t)(fits ? len : CEL_SOURCE_MAX);
    c.program = p;
    if (!copy) {
        cel_fail_memory(&c);
    } else if (!fits) {
        cel_fail(&c, CONDITION_EXHAUSTED, 0, 0, "a condition has at most %u bytes, this has %zu",
                 CEL_SOURCE_MAX, len);
    } else if (check_source(&c)) {
        p->source = c.source = copy;
        p->source_len = c.source_len;
        root = cel_parse(&c);
        ok = root && cel_check(&c, root) &&
             (explaining ? cel_fold_needed(&c, root) : cel_fold(&c, &root)) &&
             cel_generate(&c, root) && finish(&c, root) &&
             (cel_quick_make(p) || cel_fail_memory(&c)) &&
             (!notes || cel_notes_make(&c, root, notes));
    }
    if (ok)
        *out = p;
    else
        condition_free(p);
    cel_pool_fini(&c.temp);
    return ok ? CONDITION_OK : c.status;
}

enum condition_status condition_compile(struct condition_env *env, const char *source, size_t len,
                                        struct condition **out, struct condition_diag *diag)
{
    return compile(env, source, len, false, out, diag, NULL);
}

enum condition_status cel_compile_explaining(struct condition_env *env, const char *source,
                                             size_t len, struct condition **out,
                                             struct condition_diag *diag, struct cel_notes *notes)
{
    return compile(env, source, len, true, out, diag, notes);
}

const char *condition_source(const struct condition *cond)
{
    return cond->source;
}

const char *condition_result_type(const struct condition *cond)
{
    return cond->result_type;
}

/* Whether one path is the other, or begins it up to a dot. */
static bool related(const char *a, const char *b)
{
    size_t n = 0;

    while (a[n] && a[n] == b[n])
        n++;
    return (!a[n] && (!b[n] || b[n] == '.')) || (!b[n] && a[n] == '.');
}

bool condition_reads(const struct condition *cond, const char *path)
{
    for (uint32_t i = 0; i < cond->read_count; i++)
        if (related(cond->reads[i].path, path))
            return true;
    return false;
}

size_t condition_read_count(const struct condition *cond)
{
    return cond->read_count;
}

size_t condition_read_slot(const struct condition *cond, size_t index)
{
    return index < cond->read_count ? cond->reads[index].slot : SIZE_MAX;
}

enum condition_status cel_run_noting(const struct condition *cond, const struct condition_input *in,
                                     struct condition_value *out, struct condition_diag *diag,
                                     struct cel_note *notes)
{
    struct cel_frame f; /* its texts are not worth clearing */
    enum cel_fault fault;
    uint32_t pc = 0;

    f.scratch = in->scratch;
    f.scratch_end = in->scratch ? in->scratch + in->scratch_bytes : NULL;
    f.steps = CONDITION_STEPS_MAX;
    f.program = cond;
    f.host = in->host;
    f.slots = in->slots;
    f.wants_text = diag != NULL;
    f.may_allocate = cond->may_allocate;
    f.detail.number = 0;
    f.detail_len = 0;
    f.text_turn = 0;
    if (cond->slot_limit > in->slot_count) { /* slots of programs compiled after the fill */
        if (diag) {
            memset(diag, 0, sizeof *diag);
            diag->line = diag->column = 1;
            memcpy(diag->msg, "too few slots were filled", sizeof "too few slots were filled");
        }
        return CONDITION_EVAL;
    }
    fault = cel_execute(&f, out, &pc, notes);
    if (fault == FAULT_NONE)
        return CONDITION_OK;
    if (diag)
        cel_fault_report(cond, fault, pc, f.detail, f.detail_len, diag);
    return fault >= FAULT_STEPS ? CONDITION_EXHAUSTED : CONDITION_EVAL;
}

enum condition_status cel_quick_give_up(const struct cel_quick *t,
                                        const struct condition_value *slots,
                                        struct condition_value *out, struct condition_diag *diag,
                                        const struct condition_input *in,
                                        const struct condition *cond)
{
    (void)t;
    (void)slots;
    return cel_run_noting(cond, in, out, diag, NULL);
}

enum condition_status condition_run(const struct condition *cond, const struct condition_input *in,
                                    struct condition_value *out, struct condition_diag *diag)
{
    if (cond->slot_limit <= in->slot_count)
        return cond->quick->test(cond->quick, in->slots, out, diag, in, cond);
    return cel_run_noting(cond, in, out, diag, NULL);
}
