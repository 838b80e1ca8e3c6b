/*
 * What a flag costs beside its condition, many flags, many customers:
 *     bench_flags [--figures FILE] [--judge]
 *     bench_flags --count WORK TIMES       for a counter of instructions: that work, nothing else
 *
 * Works take turns in one run; a figure is the median of nine rounds, in processor time.
 * Nanoseconds are printed, ratios and bounds are judged (exit 1 with --judge when one is missed).
 * --figures writes "WORK NS" lines.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags/evaluate.h"
#include "tests/bench/flags_bench.h"
#include "tests/condition/bench/allocations.h"

#define ROUNDS 9
#define SLICES 20 /* of a round: works take turns often, so that a busy moment hits all alike */
#define SUBJECTS 16u
#define BAR_CONDITION 3.0 /* times the condition alone */
/* The rule without a regular expression of bench_condition. */
#define SOURCE                                                                                     \
    "domain in ['acme.com', 'globex.com'] && plan == 'pro' && version >= 42 && "                   \
    "email.endsWith('.com')"

struct bench {
    struct ruleset *rules;
    struct context contexts[SUBJECTS];
    struct condition_env *env;
    struct condition *cond;
    struct condition_value slots[SUBJECTS][8];
};

/* ---- works: each does itself `times` times and returns how often the answer was "on" ---- */

typedef unsigned long work_fn(struct bench *b, unsigned long times);

static unsigned long run_flag(struct bench *b, const char *key, unsigned long times)
{
    const struct flag *flag = ruleset_find(b->rules, key);
    struct decision decision;
    unsigned long on = 0;

    for (unsigned long i = 0; i < times; i++) {
        evaluate_flag(b->rules, flag, &b->contexts[i % SUBJECTS], &decision);
        on += decision.value->truth;
    }
    return on;
}

static unsigned long run_split(struct bench *b, unsigned long times)
{
    return run_flag(b, "split", times);
}

static unsigned long run_ramp(struct bench *b, unsigned long times)
{
    return run_flag(b, "ramp", times);
}

static unsigned long run_condition(struct bench *b, unsigned long times)
{
    struct condition_input in = {NULL, condition_env_slot_count(b->env), NULL, 0, NULL};
    struct condition_value value;
    unsigned long on = 0;

    for (unsigned long i = 0; i < times; i++) {
        in.slots = b->slots[i % SUBJECTS];
        if (condition_run(b->cond, &in, &value, NULL) != CONDITION_OK)
            abort();
        on += value.as.truth;
    }
    return on;
}

static unsigned long run_prepare(struct bench *b, unsigned long times)
{
    struct json *attributes = bench_json("{'targetingKey':'user-7','plan':'pro','version':43,"
                                         "'email':'bob@acme.com'}");
    struct context ctx;
    struct decision decision;
    unsigned long on = 0;

    for (unsigned long i = 0; i < times; i++) {
        if (context_init(&ctx, b->rules, attributes, 0, NULL) != ERR_OK)
            abort();
        evaluate_flag(b->rules, ruleset_find(b->rules, "split"), &ctx, &decision);
        on += decision.value->truth;
        context_fini(&ctx);
    }
    json_free(attributes);
    return on;
}

enum work_id { WORK_SPLIT, WORK_RAMP, WORK_CONDITION, WORK_PREPARE, WORKS };

static const struct work {
    const char *name, *what;
    work_fn *run;
    unsigned long times; /* in a round */
} works[WORKS] = {
    [WORK_SPLIT] = {"split", "a rule and a 50 % split, context prepared", run_split, 400000},
    [WORK_RAMP] = {"ramp", "a rule and a ramp of 50 %, context prepared", run_ramp, 400000},
    [WORK_CONDITION] = {"condition", "the rule's condition alone", run_condition, 400000},
    [WORK_PREPARE] = {"prepare", "look-up, context prepared from JSON, split", run_prepare, 40000},
};

static void bench_init(struct bench *b)
{
    struct json *flags = json_array();

    memset(b, 0, sizeof *b);
    json_append(flags, bench_flag("split", "rules",
                                  bench_json("[{'when':\"" SOURCE "\",'serve':{'split':"
                                             "{'on':50,'off':50}}}]")));
    json_append(flags, bench_flag("ramp", "rules",
                                  bench_json("[{'when':\"" SOURCE "\",'serve':{'ramp':"
                                             "{'percent':50,'variant':'on'}}}]")));
    b->rules = bench_rules(flags);
    b->env = condition_env_new();
    condition_env_set_open(b->env, true);
    if (condition_compile(b->env, SOURCE, strlen(SOURCE), &b->cond, NULL) != CONDITION_OK)
        abort();
    for (unsigned i = 0; i < SUBJECTS; i++) {
        struct json *attributes = bench_json("{'plan':'pro','version':43}");
        char text[40];

        snprintf(text, sizeof text, "user-%u", i);
        json_put_text(attributes, "targetingKey", text);
        snprintf(text, sizeof text, "bob%u@acme.com", i);
        json_put_text(attributes, "email", text);
        if (context_init(&b->contexts[i], b->rules, attributes, 0, NULL) != ERR_OK)
            abort();
        json_free(attributes);
        condition_slots_fill(b->env, &b->contexts[i].root, b->slots[i],
                             condition_env_slot_count(b->env));
    }
}

static void bench_fini(struct bench *b)
{
    for (unsigned i = 0; i < SUBJECTS; i++)
        context_fini(&b->contexts[i]);
    condition_free(b->cond);
    condition_env_free(b->env);
    ruleset_free(b->rules);
}

/* A split, or a ramp, of half must neither give everybody the same nor leave the condition out. */
static void work_run(struct bench *b, enum work_id id, unsigned long times)
{
    unsigned long on = works[id].run(b, times);
    bool good = id == WORK_CONDITION ? on == times
                : id == WORK_PREPARE ? on == 0 || on == times
                                     : on > 0 && on < times;

    if (!good) {
        fprintf(stderr, "bench_flags: %s gives wrong answers\n", works[id].name);
        exit(1);
    }
}

/* ---- time ---- */

static void measure(struct bench *b, double ns[WORKS])
{
    double times[WORKS][ROUNDS] = {{0}};

    for (int i = 0; i < WORKS; i++)
        work_run(b, (enum work_id)i, works[i].times / 10);
    for (size_t turn = 0; turn < ROUNDS * SLICES; turn++) {
        for (int i = 0; i < WORKS; i++) {
            double began = bench_process_ns();

            work_run(b, (enum work_id)i, works[i].times / SLICES);
            times[i][turn / SLICES] += (bench_process_ns() - began) / (double)works[i].times;
        }
    }
    for (int i = 0; i < WORKS; i++)
        ns[i] = bench_median(times[i], ROUNDS);
}

static unsigned long count_allocations(struct bench *b)
{
    unsigned long before = allocations;

    work_run(b, WORK_SPLIT, 16 * SUBJECTS);
    work_run(b, WORK_RAMP, 16 * SUBJECTS);
    return allocations - before;
}

static bool report(const double ns[WORKS], unsigned long allocated)
{
    bool good;

    printf("ns of processor time, median of %d\n", ROUNDS);
    for (int i = 0; i < WORKS; i++)
        printf("  %-20s %-42s %9.1f\n", works[i].name, works[i].what, ns[i]);
    good = bench_tell("a rule and a 50 % split / its condition alone",
                      ns[WORK_SPLIT] / ns[WORK_CONDITION], BAR_CONDITION);
    good &= bench_tell("a rule and a ramp / its condition alone",
                       ns[WORK_RAMP] / ns[WORK_CONDITION], BAR_CONDITION);
    if (ALLOCATIONS_COUNTED)
        good &= bench_tell("allocations in 512 evaluations", (double)allocated, 0);
    else
        printf("allocations are not counted in this build\n");
    return good;
}

static int write_figures(const char *path, const double ns[WORKS])
{
    FILE *file = fopen(path, "w");

    if (file == NULL) {
        perror(path);
        return 1;
    }
    for (int i = 0; i < WORKS; i++)
        fprintf(file, "%s %.3f\n", works[i].name, ns[i]);
    return fclose(file) != 0;
}

static int count(const char *name, const char *times)
{
    struct bench b;

    for (int i = 0; i < WORKS; i++) {
        if (strcmp(works[i].name, name) == 0) {
            bench_init(&b);
            work_run(&b, (enum work_id)i, strtoul(times, NULL, 10));
            bench_fini(&b);
            return 0;
        }
    }
    fprintf(stderr, "bench_flags: there is no work '%s'\n", name);
    return 2;
}

int main(int argc, char **argv)
{
    const char *figures = NULL;
    double ns[WORKS];
    bool judge = false, good;
    struct bench b;
    int rc = 0;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--count") == 0 && i + 2 < argc)
            return count(argv[i + 1], argv[i + 2]);
        if (strcmp(argv[i], "--figures") == 0 && i + 1 < argc) {
            figures = argv[++i];
        } else if (strcmp(argv[i], "--judge") == 0) {
            judge = true;
        } else {
            fprintf(stderr, "usage: %s [--figures FILE] [--judge] | --count WORK TIMES\n", argv[0]);
            return 2;
        }
    }
    bench_init(&b);
    measure(&b, ns);
    good = report(ns, count_allocations(&b));
    bench_fini(&b);
    good &= bench_many_flags();
    good &= bench_many_domains();
    if (figures != NULL)
        rc = write_figures(figures, ns);
    return rc != 0 ? rc : judge && !good;
}
