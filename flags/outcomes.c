/*
 * Everything that a flag can answer, by going through its members instead of contexts. Whatever
 * evaluate.c can give must be reported here; the tests compare the two on random flags.
 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/str.h"
#include "condition/bucket.h"
#include "flags/judge.h"

#define WHERE_BYTES 400 /* a domain pattern of 255, or a rule's label, and what follows */

struct report {
    const struct flag *flag;
    flag_outcome_fn *seen;
    void *ctx;
};

static void say(const struct report *report, uint16_t variant, const char *where)
{
    report->seen(report->ctx, report->flag->variants[variant].name, where);
}

/* keyless: what a context without bucket key gets here, unless it goes on to the next step. */
static void say_served(const struct report *report, const struct serve *serve, const char *where,
                       bool keyless_ends_here)
{
    const struct flag *flag = report->flag;
    char text[WHERE_BYTES];

    if (serve->kind == SERVE_VARIANT) {
        say(report, serve->variant, where);
        return;
    }
    if (serve->ramp)
        snprintf(text, sizeof text, "%s at %g %%", where, (double)serve->threshold / 1000);
    else
        snprintf(text, sizeof text, "%s", where);
    if (serve->threshold > 0 && serve->split == SPLIT_NONE)
        say(report, serve->variant, text);
    if (serve->threshold > 0 && serve->split != SPLIT_NONE) {
        const struct split *split = &flag->splits[serve->split];

        for (uint32_t i = 0; i < split->count; i++)
            say(report, split->ranges[i].variant, text);
    }
    if (serve->threshold < BUCKET_COUNT) {
        say(report, flag->off_variant, text);
    } else if (keyless_ends_here && serve_needs_key(serve)) {
        snprintf(text, sizeof text, "%s (without a bucket key)", where);
        say(report, flag->off_variant, text);
    }
}

/* A condition that is a plain true or false cannot fail, nor can the question whether a subject is in a
 * segment that has no condition. Of any other nobody knows what a context may lack. */
static bool cannot_fail(const struct rule *rule)
{
    const char *source = condition_source(rule->when);

    if (rule->segment != NULL)
        return rule->segment->when == NULL;
    source += strspn(source, " \t\r\n");
    for (int i = 0; i < 2; i++) {
        const char *word = i == 0 ? "true" : "false";
        size_t len = strlen(word);

        if (strncmp(source, word, len) == 0 &&
            source[len + strspn(source + len, " \t\r\n")] == '\0')
            return true;
    }
    return false;
}

static void say_domains(const struct report *report)
{
    const struct domains *domains = &report->flag->domains;
    char where[WHERE_BYTES];

    for (uint32_t i = 0; domains->serve_rules != NULL && i < domains->serve_count; i++) {
        snprintf(where, sizeof where, "a domain rule (one of %u)", domains->serve_rules[i]);
        if (domains->serve_rules[i] > 0 && domains->serves[i].kind != SERVE_RULES)
            say_served(report, &domains->serves[i], where, true);
    }
    if (domains->serve_rules != NULL)
        return; /* its shards are many, say no more, and need not be at hand */
    for (uint32_t number = 0; number < domains->table_count; number++) {
        const struct domain_table *table = domains->tables[number];

        for (uint32_t i = 0; i < table->count; i++) {
            const struct serve *serve = &domains->serves[table->entries[i].serve];

            snprintf(where, sizeof where, "domain %s",
                     domain_entry_pattern(table, &table->entries[i]));
            if (serve->kind != SERVE_RULES)
                say_served(report, serve, where, true);
        }
    }
}

/* The variants of a flag that it can answer. */
struct reach {
    const struct flag *flag;
    bool can[LIMIT_VARIANTS];
};

static void mark(void *ctx, const char *variant, const char *where)
{
    struct reach *reach = ctx;
    uint16_t index;

    (void)where;
    if (variant_named(reach->flag, variant, &index))
        reach->can[index] = true;
}

static void say_all(const struct report *report);

/* Whether anything behind the prerequisites can be reached. They fail where the other flag can answer
 * anything else, and are met where it can answer one that will do. */
static bool say_prerequisites(const struct report *report)
{
    const struct flag *flag = report->flag;

    for (size_t i = 0; i < flag->prerequisite_count; i++) {
        const struct prerequisite *at = &flag->prerequisites[i];
        struct reach reach = {.flag = at->needs};
        struct report other = {at->needs, mark, &reach};
        char where[WHERE_BYTES];
        bool met = false;

        say_all(&other);
        for (size_t v = 0; v < at->count; v++) {
            met = met || reach.can[at->variants[v]];
            reach.can[at->variants[v]] = false;
        }
        for (uint16_t v = 0; v < at->needs->variant_count; v++) {
            if (!reach.can[v])
                continue;
            snprintf(where, sizeof where, "prerequisite %s (where it answers '%s')", at->key,
                     at->needs->variants[v].name);
            say(report, flag->off_variant, where);
        }
        if (!met)
            return false;
    }
    return true;
}

static void say_layer(const struct report *report)
{
    const struct flag *flag = report->flag;
    char where[WHERE_BYTES];

    if (flag->layer.key == NULL)
        return;
    snprintf(where, sizeof where, "layer %s (outside of its part)", flag->layer.key);
    say(report, flag->off_variant, where);
}

static void say_all(const struct report *report)
{
    const struct flag *flag = report->flag;
    char where[WHERE_BYTES];

    if (!flag->on) {
        say(report, flag->off_variant, "off_variant");
        return;
    }
    if (!say_prerequisites(report))
        return;
    say_layer(report);
    if (flag->layer.key != NULL && flag->layer.count == 0)
        return;
    for (size_t i = 0; i < flag->individual_count; i++) {
        snprintf(where, sizeof where, "individual %.255s", flag->individuals[i].key);
        say(report, flag->individuals[i].variant, where);
    }
    say_domains(report);
    for (size_t i = 0; i < flag->rule_count; i++) {
        const struct rule *rule = &flag->rules[i];

        say_served(report, &rule->serve, rule->label, false);
        if (!rule->skip_on_error && !cannot_fail(rule)) {
            snprintf(where, sizeof where,
                     "%s (when its condition fails; \"on_error\": \"skip\" "
                     "passes over it)",
                     rule->label);
            say(report, flag->off_variant, where);
        }
    }
    say_served(report, &flag->fallthrough, "fallthrough", true);
}

enum err_code flag_outcomes_in(const struct json *flag, const struct flag_world *world,
                               flag_outcome_fn *seen, void *ctx, struct err *err)
{
    struct judge judge;
    struct report report = {&judge.flag, seen, ctx};
    enum err_code rc = judge_init(&judge, flag, world, err);

    if (rc != ERR_OK)
        return rc;
    say_all(&report);
    judge_fini(&judge);
    return ERR_OK;
}

enum err_code flag_outcomes(const struct json *flag, flag_outcome_fn *seen, void *ctx,
                            struct err *err)
{
    return flag_outcomes_in(flag, NULL, seen, ctx, err);
}

struct outside {
    const char *const *allowed;
    size_t count;
    bool found;
    char *variant, *where;
    size_t variant_size, where_size;
};

static void compare(void *ctx, const char *variant, const char *where)
{
    struct outside *outside = ctx;

    if (outside->found)
        return;
    for (size_t i = 0; i < outside->count; i++) {
        if (strcmp(outside->allowed[i], variant) == 0)
            return;
    }
    outside->found = true;
    if (outside->variant != NULL)
        snprintf(outside->variant, outside->variant_size, "%s", variant);
    if (outside->where != NULL)
        snprintf(outside->where, outside->where_size, "%s", where);
}

enum err_code flag_outside(const struct json *flag, const char *const *allowed, size_t count,
                           bool *outside, char *variant, size_t variant_size, char *where,
                           size_t where_size, struct err *err)
{
    struct outside state = {allowed, count, false, variant, where, variant_size, where_size};
    enum err_code rc;

    if (variant != NULL && variant_size > 0)
        variant[0] = '\0';
    if (where != NULL && where_size > 0)
        where[0] = '\0';
    rc = flag_outcomes(flag, compare, &state, err);
    if (rc == ERR_OK)
        *outside = state.found;
    return rc;
}
