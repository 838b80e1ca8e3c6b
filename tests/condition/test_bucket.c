/* bucket - the hash and the buckets, against values computed by another program. */
#include "tests/condition/unit.h"

#include "condition/bucket.h"

static void murmur(void **state)
{
    static const struct {
        const char *text;
        uint32_t seed, hash;
    } rows[] = {
        {"", 0, 0},
        {"", 1, 0x514E28B7},
        {"a", 0, 0x3C2569B2},
        {"abc", 0, 0xB3DD93FA},
        {"hello, world", 0, 0x149BBB7F},
        {"The quick brown fox jumps over the lazy dog", 0, 0x2E4FF723},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(murmur3_x86_32(rows[i].text, strlen(rows[i].text), rows[i].seed),
                         rows[i].hash);
}

static void buckets(void **state)
{
    static const struct {
        const char *salt, *key;
        uint32_t bucket;
    } rows[] = {
        {"", "hello", 12219},
        {"salt", "user-1", 6618},
        {"new-checkout", "42", 95329},
        {"s", "zo\xC3\xAB", 68663},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(
            bucket_of(rows[i].salt, strlen(rows[i].salt), rows[i].key, strlen(rows[i].key)),
            rows[i].bucket);
}

/* The pieces are fed one after the other; where they are cut must not matter. */
static void pieces_are_one_text(void **state)
{
    char text[80];

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + i % 26);
    for (size_t salt = 0; salt < 40; salt++) {
        for (size_t key = 0; key < 9; key++) {
            char joined[80];
            memcpy(joined, text, salt);
            joined[salt] = ':';
            memcpy(joined + salt + 1, text + 40, key);
            uint32_t hash = murmur3_x86_32(joined, salt + 1 + key, 0);
            assert_int_equal(bucket_of(text, salt, text + 40, key),
                             ((uint64_t)hash * BUCKET_COUNT) >> 32);
        }
    }
}

/* Every bucket range gets its share: 100,000 keys over ten ranges, each within 3 %. */
static void shares_are_even(void **state)
{
    unsigned ranges[10] = {0};

    (void)state;
    for (int i = 0; i < 100000; i++) {
        char key[16];
        int len = snprintf(key, sizeof key, "user-%d", i);
        ranges[bucket_of("s", 1, key, (size_t)len) / (BUCKET_COUNT / 10)]++;
    }
    for (size_t i = 0; i < COUNT(ranges); i++)
        assert_in_range(ranges[i], 9700, 10300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(murmur),
        cmocka_unit_test(buckets),
        cmocka_unit_test(pieces_are_one_text),
        cmocka_unit_test(shares_are_even),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
