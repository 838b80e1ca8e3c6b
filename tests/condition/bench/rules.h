/*
 * rules - the expressions and contexts of bench-condition, for its program and for its test.
 * 16 contexts that every rule holds for, and 16 whose first term is false.
 */
#ifndef TESTS_CONDITION_BENCH_RULES_H
#define TESTS_CONDITION_BENCH_RULES_H

#include "condition/condition.h"

#include <stdlib.h>
#include <string.h>

#define RULES_PATTERN "^[a-z0-9._]+@(acme|globex)\\.(com|net)$"
#define RULES_FIRST "domain in [\"acme.com\",\"globex.com\"]"
#define RULES_THREE RULES_FIRST " && plan == \"pro\" && version >= 42"
#define RULES_CONTEXTS 16u

enum rules_form { RULES_REGEX, RULES_NO_REGEX, RULES_MISS, RULES_SINGLE, RULES_FORMS };

struct rules_form_text {
    const char *name, *source;
    bool holds;
};

static const struct rules_form_text rules_forms[RULES_FORMS] = {
    {"regex", RULES_THREE " && email.matches(\"^[a-z0-9._]+@(acme|globex)\\\\.(com|net)$\")", true},
    {"no-regex", RULES_THREE " && email.endsWith(\".com\")", true},
    {"miss", RULES_THREE " && email.matches(\"^[a-z0-9._]+@(acme|globex)\\\\.(com|net)$\")", false},
    {"single", "plan == \"pro\"", true},
};

struct rules_text {
    const char *at;
    size_t len;
};

/* What an application has of a customer. */
struct rules_customer {
    struct rules_text domain, plan, email;
    int64_t version;
};

#define RULES_TEXT(literal)                                                                        \
    {                                                                                              \
        literal, sizeof(literal) - 1                                                               \
    }
#define RULES_CUSTOMER(domain, email, version)                                                     \
    {                                                                                              \
        RULES_TEXT(domain), RULES_TEXT("pro"), RULES_TEXT(email), version                          \
    }

static const struct rules_customer rules_hits[RULES_CONTEXTS] = {
    RULES_CUSTOMER("acme.com", "ann@acme.com", 42),
    RULES_CUSTOMER("globex.com", "bob.baker@globex.com", 43),
    RULES_CUSTOMER("acme.com", "carla_1987@acme.com", 44),
    RULES_CUSTOMER("acme.com", "d.e.frost@acme.com", 45),
    RULES_CUSTOMER("globex.com", "eve@globex.com", 50),
    RULES_CUSTOMER("acme.com", "finn.o.hara@acme.com", 42),
    RULES_CUSTOMER("globex.com", "gita.2@globex.com", 61),
    RULES_CUSTOMER("globex.com", "hal9000@globex.com", 99),
    RULES_CUSTOMER("acme.com", "ivo@acme.com", 42),
    RULES_CUSTOMER("acme.com", "jo.anne.smith@acme.com", 57),
    RULES_CUSTOMER("globex.com", "kim_lee@globex.com", 48),
    RULES_CUSTOMER("acme.com", "lou@acme.com", 1000),
    RULES_CUSTOMER("globex.com", "mia.m@globex.com", 42),
    RULES_CUSTOMER("globex.com", "ned@globex.com", 46),
    RULES_CUSTOMER("acme.com", "olga.petrova@acme.com", 47),
    RULES_CUSTOMER("globex.com", "pat.riley.jr@globex.com", 52),
};

/* Of the lengths of those above, so that a comparison must look at the bytes, and of others. */
static const struct rules_customer rules_misses[RULES_CONTEXTS] = {
    RULES_CUSTOMER("acme.net", "ann@acme.com", 42),
    RULES_CUSTOMER("initech.com", "bob.baker@globex.com", 43),
    RULES_CUSTOMER("umbrella.org", "carla_1987@acme.com", 44),
    RULES_CUSTOMER("globex.net", "d.e.frost@acme.com", 45),
    RULES_CUSTOMER("hooli.com", "eve@globex.com", 50),
    RULES_CUSTOMER("stark.io", "finn.o.hara@acme.com", 42),
    RULES_CUSTOMER("wayne.com", "gita.2@globex.com", 61),
    RULES_CUSTOMER("tyrell.com", "hal9000@globex.com", 99),
    RULES_CUSTOMER("cyberdyne.com", "ivo@acme.com", 42),
    RULES_CUSTOMER("acmf.com", "jo.anne.smith@acme.com", 57),
    RULES_CUSTOMER("soylent.com", "kim_lee@globex.com", 48),
    RULES_CUSTOMER("vandelay.com", "lou@acme.com", 1000),
    RULES_CUSTOMER("globex.org", "mia.m@globex.com", 42),
    RULES_CUSTOMER("aperture.com", "ned@globex.com", 46),
    RULES_CUSTOMER("oscorp.com", "olga.petrova@acme.com", 47),
    RULES_CUSTOMER("wonka.com", "pat.riley.jr@globex.com", 52),
};

#define RULES_SLOTS 4u

/* The slots of one context, as condition_slots_fill() makes them. */
static inline void rules_fill(const struct condition_env *env, const struct rules_customer *who,
                              struct condition_value slots[RULES_SLOTS])
{
    const struct condition_entry entries[] = {
        {condition_string("domain", 6), condition_string(who->domain.at, who->domain.len)},
        {condition_string("plan", 4), condition_string(who->plan.at, who->plan.len)},
        {condition_string("version", 7), condition_int(who->version)},
        {condition_string("email", 5), condition_string(who->email.at, who->email.len)},
    };
    struct condition_value root = condition_string("", 0);

    root.kind = CONDITION_MAP;
    root.size = sizeof entries / sizeof entries[0];
    root.as.entries = entries;
    if (condition_env_slot_count(env) > RULES_SLOTS)
        abort();
    condition_slots_fill(env, &root, slots, condition_env_slot_count(env));
}

/* Compiles a form in an open environment, as rules of flags are compiled. */
static inline struct condition *rules_compile(struct condition_env *env, enum rules_form form)
{
    struct condition *cond = NULL;
    const char *source = rules_forms[form].source;

    if (condition_compile(env, source, strlen(source), &cond, NULL) != CONDITION_OK)
        abort();
    return cond;
}

#endif
