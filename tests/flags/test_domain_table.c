/*
 * domain_table: precedence, label boundaries, the number of probes, and memory an entry.
 */
#include "tests/flags/make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flags/domain_table.h"

#define MANY 200000

static const char *find(const char *domains, const char *domain, unsigned *probes)
{
    static char found[300];
    struct json *object = make_json(domains);
    struct arena arena = {0};
    struct domain_table table;
    struct buf names = {0};
    struct serve serve = {0};
    const struct domain_entry *entry;

    assert_int_equal(domain_table_init(&table, &arena, json_count(object), NULL), ERR_OK);
    for (struct json *at = json_first(object); at != NULL; at = json_next(at)) {
        const char *name = json_key(at);
        bool wild = strncmp(name, "*.", 2) == 0;

        name += wild ? 2 : 0;
        assert_true(domain_table_add(&table, &names, name, strlen(name), wild, &serve));
        assert_false(domain_table_add(&table, &names, name, strlen(name), wild, &serve));
    }
    assert_int_equal(domain_table_seal(&table, &arena, &names, NULL), ERR_OK);
    entry = domain_table_find(&table, domain, strlen(domain), probes);
    snprintf(found, sizeof found, "%s",
             entry != NULL ? domain_entry_pattern(&table, entry) : "none");
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

static void many_rules_stay_small(void **state)
{
    struct arena arena = {0};
    struct domain_table table;
    struct buf names = {0};
    struct serve serve = {0};
    char name[64];

    (void)state;
    assert_int_equal(domain_table_init(&table, &arena, MANY, NULL), ERR_OK);
    for (int i = 0; i < MANY; i++) {
        int len = snprintf(name, sizeof name, "customer-%06d.example.com", i);

        serve.threshold = (uint32_t)i % 100001;
        assert_true(domain_table_add(&table, &names, name, (size_t)len, i % 2, &serve));
    }
    assert_int_equal(domain_table_seal(&table, &arena, &names, NULL), ERR_OK);
    buf_fini(&names);
    assert_in_range(arena.bytes / MANY, 1, 100);
    for (int i = 0; i < MANY; i++) {
        const struct domain_entry *entry;
        unsigned probes;
        int len = snprintf(name, sizeof name, "%scustomer-%06d.example.com", i % 2 ? "x." : "", i);

        entry = domain_table_find(&table, name, (size_t)len, &probes);
        assert_non_null(entry);
        assert_int_equal(entry->serve.threshold, i % 100001);
        assert_in_range(probes, 1, 5);
    }
    arena_fini(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_comes_before_the_longest_suffix),
        cmocka_unit_test(the_longest_name_with_most_labels_fits),
        cmocka_unit_test(many_rules_stay_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
