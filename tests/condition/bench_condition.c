/*
 * How long a condition takes beside hand-written C and beside a bare regular expression:
 *     bench_condition [--figures FILE] [--judge]
 *     bench_condition --count WORK TIMES     for a counter of instructions: that work, nothing else
 *     bench_condition --contexts             the rules and contexts as JSON, for other engines
 *
 * All works take turns in one run; a figure is the median of nine rounds, in processor time.
 * Nanoseconds are printed, ratios are judged (exit 1 with --judge when one is over its bar).
 * --figures writes "WORK NS" lines.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "tests/condition/bench/allocations.h"
#include "tests/condition/bench/rules.h"

#define ROUNDS 9
#define SLICES 20 /* of a round: works take turns often, so that a busy moment hits all alike */
#define ROTATE (RULES_CONTEXTS - 1u)
#define BAR_HAND 2.5  /* times hand-written C */
#define BAR_MATCH 1.5 /* times a bare match, on top */

struct bench {
    struct condition_env *env;
    struct condition *conds[RULES_FORMS];
    struct condition_value hits[RULES_CONTEXTS][RULES_SLOTS], misses[RULES_CONTEXTS][RULES_SLOTS];
    pcre2_code *code;
    pcre2_match_data *data;
};

/* ---- hand-written C ---- */

/*
 * What the engine is judged against: the conditions as a careful programmer writes them over a
 * request's attributes, which are what the engine gets too. Each value says at run time what it is,
 * so each is asked, and one that is absent or of another type is noticed. Constants stand in the
 * code; memcmp() of so few bytes is inlined.
 */
static inline bool slot_is(const struct condition_value *v, const char *other, size_t len)
{
    return v->size == len && memcmp(v->as.bytes, other, len) == 0;
}

static __attribute__((noinline)) enum condition_status
slots_no_regex(const struct condition_value *slots, bool *out)
{
    const struct condition_value *domain = &slots[0], *plan = &slots[1], *version = &slots[2],
                                 *email = &slots[3];

    *out = false;
    if (domain->kind != CONDITION_STRING)
        return domain->kind == CONDITION_ABSENT ? CONDITION_EVAL : CONDITION_OK;
    if (!slot_is(domain, "acme.com", 8) && !slot_is(domain, "globex.com", 10))
        return CONDITION_OK;
    if (plan->kind != CONDITION_STRING)
        return plan->kind == CONDITION_ABSENT ? CONDITION_EVAL : CONDITION_OK;
    if (!slot_is(plan, "pro", 3))
        return CONDITION_OK;
    if (version->kind != CONDITION_INT)
        return CONDITION_EVAL;
    if (version->as.i < 42)
        return CONDITION_OK;
    if (email->kind != CONDITION_STRING)
        return CONDITION_EVAL;
    *out = email->size >= 4 && memcmp(email->as.bytes + email->size - 4, ".com", 4) == 0;
    return CONDITION_OK;
}

static __attribute__((noinline)) enum condition_status
slots_single(const struct condition_value *slots, bool *out)
{
    const struct condition_value *plan = &slots[1];

    *out = false;
    if (plan->kind != CONDITION_STRING)
        return plan->kind == CONDITION_ABSENT ? CONDITION_EVAL : CONDITION_OK;
    *out = slot_is(plan, "pro", 3);
    return CONDITION_OK;
}

/* Shown beside it and not judged: over a struct of known types, where nothing can be absent. */
static inline bool text_is(struct rules_text text, const char *other, size_t len)
{
    return text.len == len && memcmp(text.at, other, len) == 0;
}

static inline bool text_ends(struct rules_text text, const char *end, size_t len)
{
    return text.len >= len && memcmp(text.at + text.len - len, end, len) == 0;
}

static bool struct_three(const struct rules_customer *who)
{
    return (text_is(who->domain, "acme.com", 8) || text_is(who->domain, "globex.com", 10)) &&
           text_is(who->plan, "pro", 3) && who->version >= 42;
}

static __attribute__((noinline)) bool struct_no_regex(const struct rules_customer *who)
{
    return struct_three(who) && text_ends(who->email, ".com", 4);
}

static __attribute__((noinline)) bool struct_single(const struct rules_customer *who)
{
    return text_is(who->plan, "pro", 3);
}

/* The same as a program with NUL-terminated texts would write it. */
static __attribute__((noinline)) bool terminated_no_regex(const struct rules_customer *who)
{
    size_t len;

    if (strcmp(who->domain.at, "acme.com") != 0 && strcmp(who->domain.at, "globex.com") != 0)
        return false;
    if (strcmp(who->plan.at, "pro") != 0 || who->version < 42)
        return false;
    len = strlen(who->email.at);
    return len >= 4 && strcmp(who->email.at + len - 4, ".com") == 0;
}

/* ---- works: each does itself `times` times and returns how often the answer was yes ---- */

typedef unsigned long work_fn(struct bench *b, enum rules_form form, unsigned long times);

static unsigned long run_engine(struct bench *b, enum rules_form form, unsigned long times)
{
    const struct condition *cond = b->conds[form];
    struct condition_value(*slots)[RULES_SLOTS] = rules_forms[form].holds ? b->hits : b->misses;
    struct condition_input in = {NULL, condition_env_slot_count(b->env), NULL, 0, NULL};
    struct condition_value out = condition_bool(false);
    unsigned long yes = 0;

    for (unsigned long i = 0; i < times; i++) {
        in.slots = slots[i & ROTATE];
        if (condition_run(cond, &in, &out, NULL) != CONDITION_OK)
            abort();
        yes += out.as.truth;
    }
    return yes;
}

static unsigned long run_struct(struct bench *b, enum rules_form form, unsigned long times)
{
    const struct rules_customer *who = rules_forms[form].holds ? rules_hits : rules_misses;
    bool (*const ask)(const struct rules_customer *) =
        form == RULES_SINGLE ? struct_single : struct_no_regex;
    unsigned long yes = 0;

    (void)b;
    for (unsigned long i = 0; i < times; i++)
        yes += ask(&who[i & ROTATE]);
    return yes;
}

static unsigned long run_slots(struct bench *b, enum rules_form form, unsigned long times)
{
    struct condition_value(*slots)[RULES_SLOTS] = rules_forms[form].holds ? b->hits : b->misses;
    enum condition_status (*const ask)(const struct condition_value *, bool *) =
        form == RULES_SINGLE ? slots_single : slots_no_regex;
    unsigned long yes = 0;

    for (unsigned long i = 0; i < times; i++) {
        bool answer;
        if (ask(slots[i & ROTATE], &answer) != CONDITION_OK)
            abort();
        yes += answer;
    }
    return yes;
}

static unsigned long run_terminated(struct bench *b, enum rules_form form, unsigned long times)
{
    unsigned long yes = 0;

    (void)b;
    (void)form;
    for (unsigned long i = 0; i < times; i++)
        yes += terminated_no_regex(&rules_hits[i & ROTATE]);
    return yes;
}

static unsigned long run_match(struct bench *b, enum rules_form form, unsigned long times)
{
    unsigned long yes = 0;

    (void)form;
    for (unsigned long i = 0; i < times; i++) {
        struct rules_text email = rules_hits[i & ROTATE].email;
        yes += pcre2_jit_match(b->code, (PCRE2_SPTR)email.at, email.len, 0, 0, b->data, NULL) >= 0;
    }
    return yes;
}

static unsigned long run_compile(struct bench *b, enum rules_form form, unsigned long times)
{
    for (unsigned long i = 0; i < times; i++)
        condition_free(rules_compile(b->env, form));
    return times;
}

/* With the options that matches() must have (see condition/regex.c). */
static pcre2_code *compile_pattern(void)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    int error;
    size_t where;
    pcre2_code *code;

    if (!context)
        abort();
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    code = pcre2_compile((PCRE2_SPTR)RULES_PATTERN, sizeof RULES_PATTERN - 1,
                         PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_DOLLAR_ENDONLY |
                             PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE,
                         &error, &where, context);
    pcre2_compile_context_free(context);
    if (!code || pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) != 0)
        abort();
    return code;
}

static unsigned long run_pcre2_compile(struct bench *b, enum rules_form form, unsigned long times)
{
    (void)b;
    (void)form;
    for (unsigned long i = 0; i < times; i++)
        pcre2_code_free(compile_pattern());
    return times;
}

enum work_id {
    WORK_REGEX,
    WORK_NO_REGEX,
    WORK_MISS,
    WORK_SINGLE,
    WORK_HAND_NO_REGEX,
    WORK_HAND_MISS,
    WORK_HAND_SINGLE,
    WORK_STRUCT_NO_REGEX,
    WORK_STRUCT_MISS,
    WORK_STRUCT_SINGLE,
    WORK_TERMINATED_NO_REGEX,
    WORK_MATCH,
    WORK_COMPILE,
    WORK_COMPILE_NO_REGEX,
    WORK_PCRE2_COMPILE,
    WORKS
};

static const struct work {
    const char *name, *what;
    work_fn *run;
    enum rules_form form;
    unsigned long times; /* in a round */
    bool holds;
} works[WORKS] = {
    [WORK_REGEX] = {"regex", "four terms, with matches()", run_engine, RULES_REGEX, 200000, true},
    [WORK_NO_REGEX] = {"no-regex", "endsWith() in its place", run_engine, RULES_NO_REGEX, 400000,
                       true},
    [WORK_MISS] = {"miss", "the first term is false", run_engine, RULES_MISS, 400000, false},
    [WORK_SINGLE] = {"single", "plan == \"pro\"", run_engine, RULES_SINGLE, 400000, true},
    [WORK_HAND_NO_REGEX] = {"hand-no-regex", "hand-written C over the same slots", run_slots,
                            RULES_NO_REGEX, 1600000, true},
    [WORK_HAND_MISS] = {"hand-miss", "hand-written C over the same slots", run_slots, RULES_MISS,
                        1600000, false},
    [WORK_HAND_SINGLE] = {"hand-single", "hand-written C over the same slots", run_slots,
                          RULES_SINGLE, 1600000, true},
    [WORK_STRUCT_NO_REGEX] = {"struct-no-regex", "hand-written C over a struct", run_struct,
                              RULES_NO_REGEX, 1600000, true},
    [WORK_STRUCT_MISS] = {"struct-miss", "hand-written C over a struct", run_struct, RULES_MISS,
                          1600000, false},
    [WORK_STRUCT_SINGLE] = {"struct-single", "hand-written C over a struct", run_struct,
                            RULES_SINGLE, 1600000, true},
    [WORK_TERMINATED_NO_REGEX] = {"terminated-no-regex", "hand-written C over NUL-terminated texts",
                                  run_terminated, RULES_NO_REGEX, 1600000, true},
    [WORK_MATCH] = {"match", "a bare pcre2_jit_match()", run_match, RULES_REGEX, 200000, true},
    [WORK_COMPILE] = {"compile", "compile the condition with matches()", run_compile, RULES_REGEX,
                      300, true},
    [WORK_COMPILE_NO_REGEX] = {"compile-no-regex", "compile the one without", run_compile,
                               RULES_NO_REGEX, 1000, true},
    [WORK_PCRE2_COMPILE] = {"pcre2-compile", "PCRE2 alone: compile and JIT", run_pcre2_compile,
                            RULES_REGEX, 300, true},
};

static void bench_init(struct bench *b)
{
    memset(b, 0, sizeof *b);
    b->env = condition_env_new();
    if (!b->env)
        abort();
    condition_env_set_open(b->env, true);
    for (int form = 0; form < RULES_FORMS; form++)
        b->conds[form] = rules_compile(b->env, (enum rules_form)form);
    for (size_t i = 0; i < RULES_CONTEXTS; i++) {
        rules_fill(b->env, &rules_hits[i], b->hits[i]);
        rules_fill(b->env, &rules_misses[i], b->misses[i]);
    }
    b->code = compile_pattern();
    b->data = pcre2_match_data_create(1, NULL);
    if (!b->data)
        abort();
}

static void bench_fini(struct bench *b)
{
    pcre2_match_data_free(b->data);
    pcre2_code_free(b->code);
    for (int form = 0; form < RULES_FORMS; form++)
        condition_free(b->conds[form]);
    condition_env_free(b->env);
}

static void work_run(struct bench *b, const struct work *w, unsigned long times)
{
    if (w->run(b, w->form, times) != (w->holds ? times : 0)) {
        fprintf(stderr, "bench_condition: %s gives wrong answers\n", w->name);
        exit(1);
    }
}

/* ---- time ---- */

static double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Nanoseconds of each work, once. */
static void measure(struct bench *b, double ns[WORKS])
{
    double times[WORKS][ROUNDS] = {{0}};

    for (size_t i = 0; i < WORKS; i++)
        work_run(b, &works[i], works[i].times / 10);
    for (size_t turn = 0; turn < ROUNDS * SLICES; turn++) {
        for (size_t i = 0; i < WORKS; i++) {
            double began = now_ns();

            work_run(b, &works[i], works[i].times / SLICES);
            times[i][turn / SLICES] += (now_ns() - began) / (double)works[i].times;
        }
    }
    for (size_t i = 0; i < WORKS; i++) {
        qsort(times[i], ROUNDS, sizeof times[i][0], compare_doubles);
        ns[i] = times[i][ROUNDS / 2];
    }
}

static unsigned long count_allocations(struct bench *b)
{
    unsigned long before = allocations;

    for (size_t i = WORK_REGEX; i <= WORK_SINGLE; i++)
        work_run(b, &works[i], 16 * RULES_CONTEXTS);
    return allocations - before;
}

/* ---- report ---- */

/* One ratio; true if it is within its bar (0: it has none). */
static bool tell(const char *what, double is, double bar)
{
    if (bar <= 0) {
        printf("  %-54s %7.2f\n", what, is);
        return true;
    }
    printf("  %-54s %7.2f   at most %.2f: %s\n", what, is, bar, is <= bar ? "ok" : "MISSED");
    return is <= bar;
}

static bool report(const double ns[WORKS], unsigned long allocated)
{
    double allowed = BAR_HAND * ns[WORK_HAND_NO_REGEX] + BAR_MATCH * ns[WORK_MATCH];
    bool good = true;

    printf("ns of processor time, median of %d\n", ROUNDS);
    for (size_t i = 0; i < WORKS; i++)
        printf("  %-20s %-42s %9.1f\n", works[i].name, works[i].what, ns[i]);
    printf("ratios\n");
    good &= tell("no-regex / hand-written C", ns[WORK_NO_REGEX] / ns[WORK_HAND_NO_REGEX], BAR_HAND);
    good &= tell("single / hand-written C", ns[WORK_SINGLE] / ns[WORK_HAND_SINGLE], BAR_HAND);
    good &= tell("regex / (2.5 hand-written C + 1.5 bare match)", ns[WORK_REGEX] / allowed, 1.0);
    tell("(regex - no-regex) / bare match", (ns[WORK_REGEX] - ns[WORK_NO_REGEX]) / ns[WORK_MATCH],
         0);
    tell("miss / hand-written C", ns[WORK_MISS] / ns[WORK_HAND_MISS], 0);
    tell("no-regex / hand-written C over a struct", ns[WORK_NO_REGEX] / ns[WORK_STRUCT_NO_REGEX],
         0);
    tell("single / hand-written C over a struct", ns[WORK_SINGLE] / ns[WORK_STRUCT_SINGLE], 0);
    tell("regex / (2.5 C over a struct + 1.5 bare match)",
         ns[WORK_REGEX] / (BAR_HAND * ns[WORK_STRUCT_NO_REGEX] + BAR_MATCH * ns[WORK_MATCH]), 0);
    tell("miss / hand-written C over a struct", ns[WORK_MISS] / ns[WORK_STRUCT_MISS], 0);
    tell("no-regex / hand-written C over NUL-terminated texts",
         ns[WORK_NO_REGEX] / ns[WORK_TERMINATED_NO_REGEX], 0);
    tell("compile / PCRE2 alone", ns[WORK_COMPILE] / ns[WORK_PCRE2_COMPILE], 0);
    if (!ALLOCATIONS_COUNTED) {
        printf("allocations are not counted in this build\n");
        return good;
    }
    printf("allocations in %u evaluations: %lu (none: %s)\n", 4 * 16 * RULES_CONTEXTS, allocated,
           allocated ? "MISSED" : "ok");
    return good && !allocated;
}

static int write_figures(const char *path, const double ns[WORKS])
{
    FILE *file = fopen(path, "w");

    if (!file) {
        perror(path);
        return 1;
    }
    for (size_t i = 0; i < WORKS; i++)
        fprintf(file, "%s %.3f\n", works[i].name, ns[i]);
    return fclose(file) ? 1 : 0;
}

/* ---- for others ---- */

static void print_quoted(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('"');
}

static void print_customers(const char *name, const struct rules_customer *who)
{
    printf(",\n\"%s\":[", name);
    for (size_t i = 0; i < RULES_CONTEXTS; i++)
        printf("%s\n {\"domain\":\"%s\",\"plan\":\"%s\",\"email\":\"%s\",\"version\":%lld}",
               i ? "," : "", who[i].domain.at, who[i].plan.at, who[i].email.at,
               (long long)who[i].version);
    printf("]");
}

static void print_contexts(void)
{
    printf("{\"pattern\":");
    print_quoted(RULES_PATTERN);
    printf(",\n\"forms\":[");
    for (size_t i = 0; i < RULES_FORMS; i++) {
        printf("%s\n {\"name\":\"%s\",\"holds\":%s,\"source\":", i ? "," : "", rules_forms[i].name,
               rules_forms[i].holds ? "true" : "false");
        print_quoted(rules_forms[i].source);
        printf("}");
    }
    printf("]");
    print_customers("hits", rules_hits);
    print_customers("misses", rules_misses);
    printf("}\n");
}

static int count(struct bench *b, const char *name, const char *times)
{
    for (size_t i = 0; i < WORKS; i++)
        if (strcmp(works[i].name, name) == 0) {
            work_run(b, &works[i], strtoul(times, NULL, 10));
            return 0;
        }
    fprintf(stderr, "bench_condition: there is no work '%s'\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    struct bench b;
    double ns[WORKS];
    const char *figures = NULL;
    bool judge = false, good;
    int rc = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--contexts") == 0) {
            print_contexts();
            return 0;
        }
        if (strcmp(argv[i], "--count") == 0 && i + 2 < argc) {
            bench_init(&b);
            rc = count(&b, argv[i + 1], argv[i + 2]);
            bench_fini(&b);
            return rc;
        }
        if (strcmp(argv[i], "--figures") == 0 && i + 1 < argc) {
            figures = argv[++i];
        } else if (strcmp(argv[i], "--judge") == 0) {
            judge = true;
        } else {
            fprintf(stderr,
                    "usage: %s [--figures FILE] [--judge] | --count WORK TIMES | "
                    "--contexts\n",
                    argv[0]);
            return 2;
        }
    }
    bench_init(&b);
    measure(&b, ns);
    good = report(ns, count_allocations(&b));
    bench_fini(&b);
    if (figures)
        rc = write_figures(figures, ns);
    return rc ? rc : (judge && !good);
}
