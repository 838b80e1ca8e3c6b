/*
 * Ratios of things measured in one run: a flag against its bare condition, many domain rules
 * against ten.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "flags/evaluate.h"

#define ROUNDS 7
#define RUNS 400000

/* ' stands for " and ` for '. */
static struct json *make_json(const char *text)
{
    char *copy = strdup(text);
    struct json *json = NULL;

    for (char *at = copy; at != NULL && *at != '\0'; at++)
        *at = *at == '\'' ? '"' : *at == '`' ? '\'' : *at;
    if (copy == NULL || json_parse(copy, strlen(copy), &json, NULL) != ERR_OK)
        abort();
    free(copy);
    return json;
}

/* A boolean flag with one more member. */
static struct json *make_flag(const char *key, const char *member, struct json *value)
{
    struct json *flag =
        make_json("{'type':'boolean','state':'on','variants':{'on':true,'off':false},"
                  "'off_variant':'off','salt':'s1','split_salt':'s2',"
                  "'fallthrough':{'variant':'off'}}");

    json_put_text(flag, "key", key);
    json_put(flag, member, value);
    return flag;
}

/* A ruleset of one flag or two (b may be NULL). */
static struct ruleset *make_rules(struct json *a, struct json *b)
{
    struct json *document = make_json("{'format':1,'environment':'e','epoch':1,'revision':1}");
    struct json *flags = json_array();
    struct ruleset *rules = NULL;

    json_append(flags, a);
    if (b != NULL)
        json_append(flags, b);
    json_put(document, "flags", flags);
    if (ruleset_build(document, &rules, NULL) != ERR_OK)
        abort();
    json_free(document);
    return rules;
}

static double median(double *times)
{
    for (int i = 1; i < ROUNDS; i++) {
        for (int j = i; j > 0 && times[j] < times[j - 1]; j--) {
            double kept = times[j];

            times[j] = times[j - 1];
            times[j - 1] = kept;
        }
    }
    return times[ROUNDS / 2];
}

/* Microseconds of RUNS evaluations of the flag `key`, as a median. */
static double time_flag(const struct ruleset *rules, const char *key, struct context *ctx)
{
    const struct flag *flag = ruleset_find(rules, key);
    struct decision decision;
    double times[ROUNDS];

    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = clock_monotonic_us();

        for (int i = 0; i < RUNS; i++)
            evaluate_flag(rules, flag, ctx, &decision);
        times[round] = (double)(clock_monotonic_us() - start);
    }
    return median(times);
}

static double time_condition(const char *source, const char *context)
{
    static char scratch[CONDITION_SCRATCH_DEFAULT] __attribute__((aligned(16)));
    struct condition_value slots[8], value;
    struct ruleset *rules = make_rules(make_flag("f", "tags", json_array()), NULL);
    struct condition_env *env = condition_env_new();
    struct json *attributes = make_json(context);
    struct condition_input in = {slots, 0, scratch, sizeof scratch, NULL};
    struct condition_diag diag;
    struct condition *cond = NULL;
    struct context ctx;
    double times[ROUNDS];

    condition_env_set_open(env, true);
    if (condition_compile(env, source, strlen(source), &cond, &diag) != CONDITION_OK ||
        context_init(&ctx, rules, attributes, 0, NULL) != ERR_OK)
        abort();
    in.slot_count = condition_env_slot_count(env);
    condition_slots_fill(env, &ctx.root, slots, in.slot_count);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = clock_monotonic_us();

        for (int i = 0; i < RUNS; i++) {
            if (condition_run(cond, &in, &value, NULL) != CONDITION_OK)
                abort();
        }
        times[round] = (double)(clock_monotonic_us() - start);
    }
    context_fini(&ctx);
    json_free(attributes);
    condition_free(cond);
    condition_env_free(env);
    ruleset_free(rules);
    return median(times);
}

static struct json *domain_flag(const char *key, int count)
{
    struct json *domains = json_object();

    for (int i = 0; i < count; i++) {
        struct json *serve = json_object();
        char name[60];

        snprintf(name, sizeof name, "*.customer-%d.com", i);
        json_put_text(serve, "variant", "on");
        json_put(domains, name, serve);
    }
    return make_flag(key, "domains", domains);
}

static void bench_condition(void)
{
    static const char context[] = "{'targetingKey':'user-7','plan':'pro','version':43,"
                                  "'email':'bob@acme.com'}";
    struct ruleset *rules =
        make_rules(make_flag("f", "rules",
                             make_json("[{'when':'plan == `pro` && version >= 42 && "
                                       "email.endsWith(`@acme.com`)',"
                                       "'serve':{'split':{'on':50,'off':50}}}]")),
                   NULL);
    struct json *attributes = make_json(context);
    struct context ctx;
    double flag, alone;

    if (context_init(&ctx, rules, attributes, 0, NULL) != ERR_OK)
        abort();
    flag = time_flag(rules, "f", &ctx);
    alone =
        time_condition("plan == 'pro' && version >= 42 && email.endsWith('@acme.com')", context);
    printf("a rule and a 50 %% split / its condition alone: %.2f\n", flag / alone);
    context_fini(&ctx);
    json_free(attributes);
    ruleset_free(rules);
}

static void bench_domains(void)
{
    struct ruleset *rules = make_rules(domain_flag("few", 10), domain_flag("many", 20000));
    struct json *attributes = make_json("{'domain':'a.b.customer-9.com'}");
    struct context ctx;

    if (context_init(&ctx, rules, attributes, 0, NULL) != ERR_OK)
        abort();
    printf("20,000 domain rules / ten, a look-up: %.2f\n",
           time_flag(rules, "many", &ctx) / time_flag(rules, "few", &ctx));
    context_fini(&ctx);
    json_free(attributes);
    ruleset_free(rules);
}

int main(void)
{
    bench_condition();
    bench_domains();
    return 0;
}
