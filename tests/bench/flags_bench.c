#include "tests/bench/flags_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct json *bench_json(const char *text)
{
    char *copy = strdup(text);
    struct json *json = NULL;
    bool quoted = false;

    for (char *at = copy; at != NULL && *at != '\0'; at++) {
        quoted ^= *at == '"';
        *at = *at == '\'' && !quoted ? '"' : *at;
    }
    if (copy == NULL || json_parse(copy, strlen(copy), &json, NULL) != ERR_OK)
        abort();
    free(copy);
    return json;
}

struct json *bench_flag(const char *key, const char *member, struct json *value)
{
    struct json *flag =
        bench_json("{'type':'boolean','state':'on','variants':{'on':true,'off':false},"
                   "'off_variant':'off','salt':'s1','split_salt':'s2',"
                   "'fallthrough':{'variant':'off'}}");

    json_put_text(flag, "key", key);
    json_put(flag, member, value);
    return flag;
}

struct ruleset *bench_rules(struct json *flags)
{
    struct json *document = bench_json("{'format':1,'environment':'e','epoch':1,'revision':1}");
    struct ruleset *rules = NULL;

    json_put(document, "flags", flags);
    if (ruleset_build(document, &rules, NULL) != ERR_OK)
        abort();
    json_free(document);
    return rules;
}

static double now_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

double bench_process_ns(void)
{
    return now_ns(CLOCK_PROCESS_CPUTIME_ID);
}

double bench_thread_ns(void)
{
    return now_ns(CLOCK_THREAD_CPUTIME_ID);
}

double bench_wall_ns(void)
{
    return now_ns(CLOCK_MONOTONIC);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double bench_median(double *figures, size_t count)
{
    qsort(figures, count, sizeof figures[0], compare_doubles);
    return figures[count / 2];
}

bool bench_tell(const char *what, double is, double bar)
{
    printf("  %-54s %9.2f   at most %g: %s\n", what, is, bar, is <= bar ? "ok" : "MISSED");
    return is <= bar;
}

bool bench_tell_at_least(const char *what, double is, double bar)
{
    printf("  %-54s %9.2f   at least %g: %s\n", what, is, bar, is >= bar ? "ok" : "MISSED");
    return is >= bar;
}
