/*
 * domain_table: precedence, label boundaries, the number of probes, and memory an entry.
 */
#include "tests/flags/make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags/domain_table.h"

#define MANY 200000
#define TABLES 16u
/* By another implementation of what docs/ruleset.md says. */
#define NUMBER_ACME 514
#define NUMBER_BUECHER 858
#define NUMBER_A 51

static const char *find(const char *rules, const char *domain, unsigned *probes)
{
    static char found[300];
    struct json *object = make_json(rules);
    struct arena arena = {0};
    struct domain_table table;
    struct buf names = {0};
    const struct domain_table *tables[] = {&table};
    struct domains domains = {.tables = tables, .table_count = 1};
    struct domain_found rule;

    assert_int_equal(domain_table_init(&table, &arena, json_count(object), NULL), ERR_OK);
    for (struct json *at = json_first(object); at != NULL; at = json_next(at)) {
        const char *name = json_key(at);
        bool wild = strncmp(name, "*.", 2) == 0;

        name += wild ? 2 : 0;
        assert_true(domain_table_add(&table, &names, name, strlen(name), wild, 0));
        assert_false(domain_table_add(&table, &names, name, strlen(name), wild, 0));
    }
    assert_int_equal(domain_table_seal(&table, &arena, &names, NULL), ERR_OK);
    domains.count = table.count;
    domains.any_exact = table.any_exact;
    domains.any_wild = table.any_wild;
    rule = domains_find(&domains, domain, strlen(domain), probes);
    snprintf(found, sizeof found, "%s",
             rule.entry != NULL ? domain_entry_pattern(rule.table, rule.entry) : "none");
    buf_fini(&names);
    arena_fini(&arena);
    json_free(object);
    return found;
}

static void exact_comes_before_the_longest_suffix(void **state)
{
    static const char table[] = "{'acme.com':1,'*.acme.com':1,'a.acme.com':1,'*.b.acme.com':1,"
                                "'*.com':1,'x.org':1}";
    static const struct {
        const char *domain, *want;
    } cases[] = {
        {"acme.com", "acme.com"},
        {"a.acme.com", "a.acme.com"},
        {"c.acme.com", "*.acme.com"},
        {"b.acme.com", "*.acme.com"},
        {"z.b.acme.com", "*.b.acme.com"},
        {"y.z.b.acme.com", "*.b.acme.com"},
        {"z.a.acme.com", "*.acme.com"},
        {"evilacme.com", "*.com"},
        {"com", "none"},
        {"acme.com.evil.org", "none"},
        {"x.org", "x.org"},
        {"y.x.org", "none"},
        {"org", "none"},
        {"", "none"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        unsigned probes, labels = 1;

        assert_string_equal(find(table, cases[i].domain, &probes), cases[i].want);
        for (const char *at = cases[i].domain; *at != '\0'; at++)
            labels += *at == '.';
        assert_in_range(probes, 0, labels + 1);
    }
    assert_string_equal(find("{}", "acme.com", NULL), "none");
}

static void the_longest_name_with_most_labels_fits(void **state)
{
    char domain[254], object[300];
    unsigned probes;

    (void)state;
    for (int i = 0; i < 253; i++)
        domain[i] = i % 2 == 0 ? 'a' : '.';
    domain[253] = '\0';
    snprintf(object, sizeof object, "{'%s':1}", domain);
    assert_string_equal(find(object, domain, &probes), domain);
    assert_string_equal(find("{'*.a':1}", domain, &probes), "*.a");
    assert_in_range(probes, 1, 128);
}

/* Spread over several tables, each rule is found in the one that its name says. */
static void many_rules_stay_small(void **state)
{
    struct arena arena = {0};
    struct domain_table tables[TABLES];
    const struct domain_table *at[TABLES];
    struct domains domains = {
        .tables = at, .table_count = TABLES, .count = MANY, .any_exact = true, .any_wild = true};
    struct buf names[TABLES] = {{0}};
    char name[64];

    (void)state;
    for (unsigned i = 0; i < TABLES; i++) {
        assert_int_equal(domain_table_init(&tables[i], &arena, MANY / TABLES * 2, NULL), ERR_OK);
        at[i] = &tables[i];
    }
    for (int i = 0; i < MANY; i++) {
        int len = snprintf(name, sizeof name, "customer-%06d.example.com", i);
        uint32_t number = domain_table_number(name, (size_t)len, TABLES);

        assert_true(domain_table_add(&tables[number], &names[number], name, (size_t)len, i % 2,
                                     (uint16_t)(i % 4096)));
    }
    for (unsigned i = 0; i < TABLES; i++) {
        assert_in_range(tables[i].count, MANY / TABLES / 2, MANY / TABLES * 2);
        assert_int_equal(domain_table_seal(&tables[i], &arena, &names[i], NULL), ERR_OK);
        buf_fini(&names[i]);
    }
    assert_in_range(arena.bytes / MANY, 1, 100);
    for (int i = 0; i < MANY; i++) {
        int len = snprintf(name, sizeof name, "%scustomer-%06d.example.com", i % 2 ? "x." : "", i);
        struct domain_found found;
        unsigned probes;

        found = domains_find(&domains, name, (size_t)len, &probes);
        assert_non_null(found.entry);
        assert_int_equal(found.entry->serve, i % 4096);
        assert_in_range(probes, 1, 5);
        len = snprintf(name, sizeof name, "customer-%06d.example.com", i);
        assert_ptr_equal(domain_table_get(found.table, name, (size_t)len, i % 2), found.entry);
        assert_null(domain_table_get(found.table, name, (size_t)len, !(i % 2)));
    }
    arena_fini(&arena);
}

/* Part of the wire format: another process, or another language, must choose the same table. */
static void the_table_of_a_name_is_the_same_everywhere(void **state)
{
    (void)state;
    assert_int_equal(domain_table_number("acme.com", 8, 1), 0);
    assert_int_equal(domain_table_number("acme.com", 8, 1024), NUMBER_ACME);
    assert_int_equal(domain_table_number("xn--bcher-kva.example", 21, 1024), NUMBER_BUECHER);
    assert_int_equal(domain_table_number("a", 1, 64), NUMBER_A);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_comes_before_the_longest_suffix),
        cmocka_unit_test(the_longest_name_with_most_labels_fits),
        cmocka_unit_test(many_rules_stay_small),
        cmocka_unit_test(the_table_of_a_name_is_the_same_everywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
