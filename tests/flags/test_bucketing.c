/*
 * Where keys fall. The vectors stand in the project; what lies in ../shared is used in addition.
 */
#include "tests/flags/make.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "condition/bucket.h"

/* Keys of the flagd testbed at the borders of the hash, and plain ones. */
static void known_hashes(void **state)
{
    static const struct {
        const char *key;
        uint32_t hash;
    } vectors[] = {
        {"", 0x00000000},
        {"ejOoVL", 0x00000000},
        {"bY9fO-", 0x00000001},
        {"SI7p-", 0x7fffffff},
        {"6LvT0", 0x80000000},
        {"ceQdGm", 0xffffffff},
        {"hello", 0x248bfa47},
        {"hello, world", 0x149bbb7f},
        {"The quick brown fox jumps over the lazy dog", 0x2e4ff723},
    };

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        assert_int_equal(murmur3_x86_32(vectors[i].key, strlen(vectors[i].key), 0),
                         vectors[i].hash);
}

/* The bucket is the hash of salt ":" key, whatever the pieces' lengths, and nothing else. */
static void the_formula_is_that_of_the_documents(void **state)
{
    uint32_t random = 7;
    char text[300];

    (void)state;
    for (int i = 0; i < 2000; i++) {
        size_t salt = next_number(&random) % 20, key = next_number(&random) % 200;
        size_t len = salt + 1 + key;
        uint64_t hash;

        for (size_t at = 0; at < len; at++)
            text[at] = (char)(next_number(&random) % 255 + 1);
        text[salt] = ':';
        hash = murmur3_x86_32(text, len, 0);
        assert_int_equal(bucket_of(text, salt, text + salt + 1, key), hash * BUCKET_COUNT >> 32);
    }
}

/* A split by flag key and subject in one, as flagd cuts it, gives flagd's answers. */
static void shared_vectors_agree(void **state)
{
    static const char path[] = "../shared/conformance/bucketing.json";
    struct json *document;
    char *text;
    size_t len;
    unsigned checked = 0;

    (void)state;
    if (file_read(path, 64u << 20, &text, &len, NULL) != ERR_OK)
        skip();
    assert_int_equal(json_parse(text, len, &document, NULL), ERR_OK);
    free(text);
    for (struct json *at = json_first(json_get(document, "vectors")); at != NULL;
         at = json_next(at)) {
        char key[400];
        int n = snprintf(key, sizeof key, "new-checkout%s", json_get_text(at, "user", ""));
        uint64_t bucket = (uint64_t)murmur3_x86_32(key, (size_t)n, 0) * 100 >> 32;
        int variant = bucket < 50 ? 0 : bucket < 80 ? 1 : 2;
        bool ascii = true;

        for (const char *c = key; *c != '\0'; c++)
            ascii = ascii && (unsigned char)*c < 0x80;
        /* The vendor's JavaScript hashes UTF-16 units, its Go and Java UTF-8 as we do. */
        if (!ascii || json_get(at, "flagd") == NULL)
            continue;
        assert_int_equal(variant, (int)json_number(json_get(at, "flagd"), -1));
        checked++;
    }
    assert_true(checked > 500);
    json_free(document);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_hashes),
        cmocka_unit_test(the_formula_is_that_of_the_documents),
        cmocka_unit_test(shared_vectors_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
