/* domain - canonical forms and matching at label boundaries. */
#include "tests/condition/unit.h"

#include "condition/domain.h"

static void canonical_forms(void **state)
{
    static const struct {
        const char *text, *wanted; /* NULL: no domain */
    } rows[] = {
        {"acme.com", "acme.com"},
        {"ACME.Com", "acme.com"},
        {"acme.com.", "acme.com"},
        {"Alice@Mail.ACME.com.", "mail.acme.com"},
        {"\"a@b\"@acme.com", "acme.com"},
        {"acme.com:8080", "acme.com"},
        {"bob@acme.com:443", "acme.com"},
        {"localhost", "localhost"},
        {"a_b.acme.com", "a_b.acme.com"},
        {"xn--bcher-kva.de", "xn--bcher-kva.de"},
        {"b\xC3\xBC"
         "cher.de",
         "xn--bcher-kva.de"},
        {"B\xC3\x9C"
         "CHER.DE",
         "xn--bcher-kva.de"},
        {"fa\xC3\x9F.de", "xn--fa-hia.de"}, /* non-transitional: the sharp s stays */
        {"\xE6\x97\xA5\xE6\x9C\xAC\xE3\x80\x82jp", "xn--wgv71a.jp"}, /* ideographic full stop */
        {"", NULL},
        {".", NULL},
        {"@", NULL},
        {"a..b", NULL},
        {".a", NULL},
        {"-a.com", NULL},
        {"a-.com", NULL},
        {"a b.com", NULL},
        {"a/b.com", NULL},
        {"127.0.0.1", NULL},
        {"::1", NULL},
        {"[::1]:80", NULL},
        {"1.2.3.4:80", NULL},
        {"acme.com:", NULL},
        {"*.acme.com", NULL},
        {"a\xFF.com", NULL},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[DOMAIN_BYTES_MAX + 1];
        size_t len = domain_canonical(rows[i].text, strlen(rows[i].text), out, sizeof out);
        if (!rows[i].wanted && len)
            fail_msg("'%s' gave '%s', but is no domain", rows[i].text, out);
        if (rows[i].wanted && (len == 0 || strcmp(out, rows[i].wanted) != 0))
            fail_msg("'%s' gave '%s', not '%s'", rows[i].text, len ? out : "", rows[i].wanted);
        assert_int_equal(len, rows[i].wanted ? strlen(rows[i].wanted) : 0);
    }
}

static void ascii_form_takes_no_other(void **state)
{
    char out[DOMAIN_BYTES_MAX + 1];

    (void)state;
    assert_int_equal(domain_canonical_ascii("Bob@ACME.com", 12, out, sizeof out), 8);
    assert_string_equal(out, "acme.com");
    assert_int_equal(domain_canonical_ascii("b\xC3\xBC.de", 6, out, sizeof out), 0);
    assert_int_equal(domain_canonical_ascii("acme.com", 8, out, 8), 0); /* no room for the NUL */
    assert_int_equal(domain_canonical_ascii("acme\0com", 8, out, sizeof out), 0);
}

/* Labels of 63 and a name of 253 bytes are the most; the empty root label does not count. */
static void bounds(void **state)
{
    char name[300], out[DOMAIN_BYTES_MAX + 1];

    (void)state;
    memset(name, 'a', sizeof name);
    assert_int_equal(domain_canonical(name, 63, out, sizeof out), 63);
    assert_int_equal(domain_canonical(name, 64, out, sizeof out), 0);
    for (size_t i = 63; i < sizeof name; i += 64)
        name[i] = '.';
    assert_int_equal(domain_canonical(name, DOMAIN_BYTES_MAX, out, sizeof out), DOMAIN_BYTES_MAX);
    assert_int_equal(domain_canonical(name, DOMAIN_BYTES_MAX + 1, out, sizeof out), 0);
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 2 ? '.' : 'a';
    assert_int_equal(domain_canonical(name, 2 * DOMAIN_LABELS_MAX - 1, out, sizeof out),
                     2 * DOMAIN_LABELS_MAX - 1);
}

static void under_and_matches(void **state)
{
    static const struct {
        const char *name, *other;
        bool under, matches;
    } rows[] = {
        {"acme.com", "acme.com", true, true},
        {"mail.acme.com", "acme.com", true, false},
        {"evilacme.com", "acme.com", false, false},
        {"acme.com", "mail.acme.com", false, false},
        {"com", "acme.com", false, false},
        {"acme.com", "", false, false},
        {"", "acme.com", false, false},
        {"mail.acme.com", "*.acme.com", false, true},
        {"a.b.acme.com", "*.acme.com", false, true},
        {"acme.com", "*.acme.com", false, false},
        {"evilacme.com", "*.acme.com", false, false},
        {"acme.com", "*.", false, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t n = strlen(rows[i].name), o = strlen(rows[i].other);
        if (domain_under(rows[i].name, n, rows[i].other, o) != rows[i].under)
            fail_msg("under(%s, %s)", rows[i].name, rows[i].other);
        if (domain_matches(rows[i].name, n, rows[i].other, o) != rows[i].matches)
            fail_msg("matches(%s, %s)", rows[i].name, rows[i].other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_forms),
        cmocka_unit_test(ascii_form_takes_no_other),
        cmocka_unit_test(bounds),
        cmocka_unit_test(under_and_matches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
