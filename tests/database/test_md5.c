/* md5: the vectors of its specification. */
#include "tests/database/unit.h"

#include "database/md5.h"

/* RFC 1321, A.5; and lengths around a block's end, as md5sum has them. */
static void md5_vectors(void **state)
{
    static const struct {
        const char *text, *hex;
    } rows[] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"a", "0cc175b9c0f1b6a831c399e269772661"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
         "d174ab98d277d9f5a5611c2c9f419d9f"},
        {"1234567890123456789012345678901234567890123456789012345678901234567890123456789"
         "0",
         "57edf4a22be3c955ac49da2e2107b67a"},
    };
    static const struct {
        size_t len;
        const char *hex;
    } lengths[] = {
        {55, "ef1772b6dff9a122358552954ad0df65"}, {56, "3b0c8ac703f828b04c6c197006d17218"},
        {63, "b06521f39153d618550606be297466d5"}, {64, "014842d480b571495a4a0363793f7367"},
        {65, "c743a45e0d2e6a95cb859adae0248435"}, {1000000, "7707d6ae4e027c70eea2a935c2296f21"}};
    char hex[MD5_HEX_BYTES], *text = malloc(1000000);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_string_equal(md5_hex(rows[i].text, strlen(rows[i].text), hex), rows[i].hex);
    }
    memset(text, 'a', 1000000);
    for (size_t i = 0; i < COUNT(lengths); i++) {
        assert_string_equal(md5_hex(text, lengths[i].len, hex), lengths[i].hex);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(md5_vectors)};

    return cmocka_run_group_tests_name("md5", tests, NULL, NULL);
}
