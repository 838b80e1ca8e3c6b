/* digest: published vectors (FIPS 180-4 examples), framing, randomness, comparison. */
#include "tests/base/unit.h"

#include "base/digest.h"

static void sha256_vectors(void **state)
{
    static const struct {
        const char *text, *hex;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char hex[DIGEST_HEX_BYTES], *million = malloc(1000000);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal(digest_hex(rows[i].text, strlen(rows[i].text), hex), rows[i].hex);
    }
    memset(million, 'a', 1000000);
    assert_string_equal(digest_hex(million, 1000000, hex),
                        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

static void in_pieces(const char *const *pieces, size_t count, char out[DIGEST_HEX_BYTES])
{
    struct digest digest;

    digest_init(&digest);
    for (size_t i = 0; i < count; i++) {
        digest_add(&digest, pieces[i], strlen(pieces[i]));
    }
    digest_end(&digest, out);
}

static void pieces_are_framed(void **state)
{
    char one[DIGEST_HEX_BYTES], other[DIGEST_HEX_BYTES], third[DIGEST_HEX_BYTES];
    static const char framed[] = "\2\0\0\0\0\0\0\0ab\1\0\0\0\0\0\0\0c";

    (void)state;
    in_pieces((const char *[]){"ab", "c"}, 2, one);
    in_pieces((const char *[]){"a", "bc"}, 2, other);
    assert_string_not_equal(one, other);
    in_pieces((const char *[]){"ab", "c", ""}, 3, other);
    assert_string_not_equal(one, other);
    in_pieces((const char *[]){"ab", "c"}, 2, other);
    assert_string_equal(one, other);
    assert_string_equal(one, digest_hex(framed, sizeof framed - 1, third)); /* the format itself */
}

static void random_texts_differ(void **state)
{
    char a[129], b[129], none[1];

    (void)state;
    for (size_t bytes = 1; bytes <= 64; bytes++) {
        random_hex(bytes, a);
        assert_int_equal(strlen(a), 2 * bytes);
        assert_int_equal(strspn(a, "0123456789abcdef"), 2 * bytes);
    }
    random_hex(64, b);
    assert_string_not_equal(a, b);
    assert_string_equal(random_hex(0, none), "");
}

static void random_unit_is_spread(void **state)
{
    unsigned bins[10] = {0};

    (void)state;
    for (int i = 0; i < 10000; i++) {
        double unit = random_unit();
        assert_true(unit >= 0 && unit < 1);
        bins[(size_t)(unit * 10)]++;
    }
    for (size_t i = 0; i < COUNT(bins); i++) {
        assert_true(bins[i] > 800 && bins[i] < 1200); /* 1000 +- 6.7 standard deviations */
    }
}

static void secrets_are_compared_whole(void **state)
{
    (void)state;
    assert_true(secret_equal("token", 5, "token", 5));
    assert_true(secret_equal("", 0, "", 0));
    assert_false(secret_equal("token", 5, "tokem", 5));
    assert_false(secret_equal("token", 5, "token", 4));
    assert_false(secret_equal("token", 5, "", 0));
    assert_false(secret_equal("a\0b", 3, "a\0c", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_vectors),
        cmocka_unit_test(pieces_are_framed),
        cmocka_unit_test(random_texts_differ),
        cmocka_unit_test(random_unit_is_spread),
        cmocka_unit_test(secrets_are_compared_whole),
    };

    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
