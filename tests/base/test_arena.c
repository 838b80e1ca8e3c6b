/* arena and buf: memory that grows, its alignment, its bounds and what SQL quoting makes of it. */
#include "tests/base/unit.h"

#include "base/arena.h"
#include "base/buf.h"

static void pieces_are_aligned_and_apart(void **state)
{
    struct arena arena = {0};
    unsigned char *pieces[400];

    (void)state;
    for (size_t i = 0; i < COUNT(pieces); i++) {
        pieces[i] = arena_take(&arena, i);
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)(i % 251), i);
    }
    for (size_t i = 0; i < COUNT(pieces); i++) {
        for (size_t j = 0; j < i; j++) {
            assert_int_equal(pieces[i][j], i % 251);
        }
    }
    assert_true(arena.bytes >= 400 * 399 / 2);
    arena_fini(&arena);
    assert_int_equal(arena.bytes, 0);
    assert_null(arena.newest);
    assert_non_null(arena_take(&arena, 1)); /* it can be used again */
    arena_fini(&arena);
}

static void a_piece_may_be_larger_than_a_block(void **state)
{
    struct arena arena = {0};
    char *large = arena_take(&arena, 5u << 20);

    (void)state;
    assert_non_null(large);
    memset(large, 'x', 5u << 20);
    assert_non_null(arena_take(&arena, 10));
    arena_fini(&arena);
}

static void sizes_that_wrap_are_refused(void **state)
{
    struct arena arena = {0};

    (void)state;
    assert_null(arena_take(&arena, SIZE_MAX));
    assert_null(arena_take(&arena, SIZE_MAX - 15));
    assert_null(arena_zero(&arena, SIZE_MAX / 2, 3));
    assert_null(arena_text(&arena, "x", SIZE_MAX));
    assert_int_equal(arena.bytes, 0);
    arena_fini(&arena);
}

static void texts_and_zeroes(void **state)
{
    struct arena arena = {0};
    unsigned char *zeroes;

    (void)state;
    memset(arena_take(&arena, 64), 0xAA, 64);
    zeroes = arena_zero(&arena, 8, 8);
    for (size_t i = 0; i < 64; i++) {
        assert_int_equal(zeroes[i], 0);
    }
    assert_string_equal(arena_text(&arena, "acme.com", 4), "acme");
    assert_string_equal(arena_text(&arena, NULL, 0), "");
    assert_string_equal(arena_print(&arena, "%s-%05d", "n", 42), "n-00042");
    arena_fini(&arena);
}

static void buf_grows(void **state)
{
    struct buf buf = {0};
    char *text;

    (void)state;
    assert_string_equal(buf_cstr(&buf), "");
    for (int i = 0; i < 10000; i++) {
        buf_print(&buf, "%d,", i % 10);
    }
    assert_int_equal(buf.len, 20000);
    assert_int_equal(strlen(buf_cstr(&buf)), 20000);
    assert_memory_equal(buf_cstr(&buf) + 19980, "0,1,2,3,4,5,6,7,8,9,", 20);
    buf_clear(&buf);
    assert_string_equal(buf_cstr(&buf), "");
    buf_add(&buf, "a\0b", 3); /* NUL ends nothing */
    assert_int_equal(buf.len, 3);
    buf_char(&buf, 'c');
    assert_memory_equal(buf.at, "a\0bc", 5);
    text = buf_take(&buf);
    assert_memory_equal(text, "a\0bc", 5);
    assert_null(buf.at);
    free(text);
    text = buf_take(&buf);
    assert_string_equal(text, ""); /* an empty text, not NULL */
    free(text);
}

static void buf_remembers_a_failure(void **state)
{
    struct buf buf = {0};

    (void)state;
    buf_text(&buf, "before");
    buf_add(&buf, "x", SIZE_MAX / 2);
    assert_true(buf_failed(&buf));
    buf_text(&buf, "after");
    assert_string_equal(buf_cstr(&buf), "before");
    assert_null(buf_take(&buf));
    assert_false(buf_failed(&buf)); /* taken: empty again */
    buf_fini(&buf);
}

static void sql_quotes_are_doubled(void **state)
{
    static const struct {
        struct str text;
        const char *name, *literal;
    } rows[] = {
        {{"", 0}, "\"\"", "''"},
        {{"Email", 5}, "\"Email\"", "'Email'"},
        {{"a\"b", 3}, "\"a\"\"b\"", "'a\"b'"},
        {{"it's", 4}, "\"it's\"", "'it''s'"},
        {{"'", 1}, "\"'\"", "''''"},
        {{"\"\"", 2}, "\"\"\"\"\"\"", "'\"\"'"},
        {{"'; DROP TABLE x; --", 19}, "\"'; DROP TABLE x; --\"", "'''; DROP TABLE x; --'"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf buf = {0};

        buf_sql_name(&buf, rows[i].text);
        assert_string_equal(buf_cstr(&buf), rows[i].name);
        buf_clear(&buf);
        buf_sql_text(&buf, rows[i].text);
        assert_string_equal(buf_cstr(&buf), rows[i].literal);
        buf_fini(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_aligned_and_apart),
        cmocka_unit_test(a_piece_may_be_larger_than_a_block),
        cmocka_unit_test(sizes_that_wrap_are_refused),
        cmocka_unit_test(texts_and_zeroes),
        cmocka_unit_test(buf_grows),
        cmocka_unit_test(buf_remembers_a_failure),
        cmocka_unit_test(sql_quotes_are_doubled),
    };

    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
